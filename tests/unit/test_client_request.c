/* SPDX-License-Identifier: MIT */
/* libclient without a daemon: the request builder, the response's store, the table of ids, names and paths.
 */
#include "libclient/channel.h"
#include "libclient/exchange.h"
#include "libclient/ids.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct reqivo_request *new_get(void)
{
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_request_new("GET", "https://example.org/", &request), 0);
    return request;
}

START_TEST(new_checks_its_arguments)
{
    struct reqivo_request *request = NULL;
    static char url[RQV_WIRE_HEAD_MAX + 1];

    ck_assert_int_eq(reqivo_request_new(NULL, "http://x/", &request), -EINVAL);
    ck_assert_int_eq(reqivo_request_new("GET", "", &request), -EINVAL);
    ck_assert_int_eq(reqivo_request_new("GET", "http://x/", NULL), -EINVAL);
    ck_assert_int_eq(reqivo_request_new("G T", "http://x/", &request), REQIVO_E_METHOD);
    ck_assert_int_eq(reqivo_request_new("", "http://x/", &request), REQIVO_E_METHOD);
    memset(url, 'u', sizeof url - 1);
    ck_assert_int_eq(reqivo_request_new("GET", url, &request), REQIVO_E_LIMIT_HEAD);
    ck_assert_ptr_null(request);
    url[RQV_WIRE_HEAD_MAX - 1000] = '\0';
    ck_assert_int_eq(reqivo_request_new("GET", url, &request), 0);
    reqivo_request_free(request);
    reqivo_request_free(NULL);
}
END_TEST

START_TEST(fields_are_checked_and_kept)
{
    struct reqivo_request *request = new_get();
    struct rqv_request_head head;
    static const char *const refused[] = {"Content-Length",
                                          "transfer-encoding",
                                          "Connection",
                                          "Keep-Alive",
                                          "TE",
                                          "Trailer",
                                          "Upgrade",
                                          "Expect",
                                          "Proxy-Foo",
                                          "b d",
                                          ""};

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        ck_assert_msg(reqivo_request_add_field(request, refused[i], "1") == REQIVO_E_FIELD, "%s", refused[i]);
    ck_assert_int_eq(reqivo_request_add_field(request, "X-A", "a\r\nb"), REQIVO_E_FIELD);
    ck_assert_int_eq(reqivo_request_add_field(request, "X-A", NULL), -EINVAL);
    ck_assert_int_eq(reqivo_request_add_field(NULL, "X-A", "a"), -EINVAL);
    ck_assert_int_eq(reqivo_request_add_field(request, "host", "a"), 0);
    ck_assert_int_eq(reqivo_request_add_field(request, "HOST", "a"), REQIVO_E_FIELD);
    for (int i = 1; i < RQV_FIELDS_MAX; i++)
        ck_assert_int_eq(reqivo_request_add_field(request, "X-Long-Name-Of-A-Field", "\t value "), 0);
    ck_assert_int_eq(reqivo_request_add_field(request, "X", "one too many"), REQIVO_E_LIMIT_HEAD);
    rqv_request_head(request, &head);
    ck_assert_uint_eq(head.fields.count, RQV_FIELDS_MAX);
    ck_assert(rqv_str_eq(head.method, RQV_STR("GET")));
    ck_assert(rqv_str_eq(head.url, RQV_STR("https://example.org/")));
    ck_assert(rqv_str_eq(head.fields.at[0].name, RQV_STR("host")));
    ck_assert(rqv_str_eq(head.fields.at[RQV_FIELDS_MAX - 1].value, RQV_STR("value")));
    reqivo_request_free(request);
}
END_TEST

START_TEST(head_has_a_limit)
{
    struct reqivo_request *request = new_get();
    struct rqv_request_head head;
    struct rqv_buf out;
    char value[8001];
    int r = 0;

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < 8 && r == 0; i++)
        r = reqivo_request_add_field(request, "Cookie", value);
    ck_assert_int_eq(r, REQIVO_E_LIMIT_HEAD);
    rqv_request_head(request, &head);
    ck_assert_uint_eq(head.fields.count, 7);
    rqv_buf_init(&out, 1 << 20);
    ck_assert_int_eq(rqv_wire_encode_request(&out, 1, 0, &head), 0);
    ck_assert_uint_le(rqv_buf_len(&out), RQV_WIRE_HEADER + rqv_request_head_size(request));
    rqv_buf_done(&out);
    reqivo_request_free(request);
}
END_TEST

START_TEST(options_reach_the_wire)
{
    struct reqivo_request *request = new_get();
    struct rqv_request_head head;

    ck_assert_int_eq(reqivo_request_set_verify(request, 0), 0);
    ck_assert_int_eq(reqivo_request_set_begun(request, 1), 0);
    ck_assert_int_eq(reqivo_request_set_idempotent(request, 1), 0);
    ck_assert_int_eq(reqivo_request_set_fresh(request, 1), 0);
    ck_assert_int_eq(reqivo_request_set_expect(request, 1), 0);
    for (int which = 0; which < RQV_T_COUNT; which++)
        ck_assert_int_eq(reqivo_request_set_timeout(request, which, (uint32_t)which + 1), 0);
    ck_assert_int_eq(reqivo_request_set_timeout(request, RQV_T_COUNT, 1), -EINVAL);
    ck_assert_int_eq(reqivo_request_set_timeout(request, -1, 1), -EINVAL);
    ck_assert_int_eq(reqivo_request_set_stream(request, NULL, NULL, NULL), -EINVAL);
    rqv_request_head(request, &head);
    ck_assert_uint_eq(head.flags,
                      RQV_REQ_INSECURE | RQV_REQ_BEGUN | RQV_REQ_IDEMPOTENT | RQV_REQ_FRESH | RQV_REQ_EXPECT);
    for (uint32_t which = 0; which < RQV_T_COUNT; which++)
        ck_assert_uint_eq(head.timeout_ms[which], which + 1);
    ck_assert(rqv_request_has_total(request));
    ck_assert_int_eq(reqivo_request_set_timeout(request, REQIVO_TIMEOUT_TOTAL, REQIVO_NO_LIMIT), 0);
    ck_assert(!rqv_request_has_total(request));
    ck_assert_int_eq(reqivo_request_set_verify(request, 1), 0);
    ck_assert_int_eq(reqivo_request_set_body(request, "abc", 3), 0);
    ck_assert_int_eq(reqivo_request_set_body_view(request, "abcd", 4), 0); /* replaces it */
    rqv_request_head(request, &head);
    ck_assert_uint_eq(head.flags & RQV_REQ_INSECURE, 0);
    ck_assert_uint_ne(head.flags & RQV_REQ_HAS_BODY, 0);
    ck_assert_uint_eq(head.body_length, 4);
    reqivo_request_free(request);
}
END_TEST

START_TEST(certificates)
{
    struct reqivo_request *request = new_get();
    char path[] = "/tmp/reqivo-unit-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(reqivo_request_set_ca(request, "pem", 3), 0);
    ck_assert_int_eq(reqivo_request_set_ca(request, "", 0), REQIVO_E_TRUST);
    ck_assert_int_eq(reqivo_request_set_ca(request, path, RQV_WIRE_TRUST_MAX + 1), REQIVO_E_LIMIT_TRUST);
    ck_assert_int_eq(reqivo_request_set_ca_file(request, "/nowhere/ca.pem"), -ENOENT);
    ck_assert_int_eq(reqivo_request_set_ca_file(request, "/tmp"), REQIVO_E_TRUST);
    ck_assert_int_eq(reqivo_request_set_ca_file(request, path), REQIVO_E_TRUST); /* empty */
    ck_assert_uint_eq(request->trust->size, 3);
    ck_assert_int_eq(write(fd, "longer", 6), 6);
    ck_assert_int_eq(reqivo_request_set_ca_file(request, path), 0);
    ck_assert_uint_eq(request->trust->size, 6);
    ck_assert_int_eq(ftruncate(fd, RQV_WIRE_TRUST_MAX + 1), 0);
    ck_assert_int_eq(reqivo_request_set_ca_file(request, path), REQIVO_E_LIMIT_TRUST);
    close(fd);
    unlink(path);
    reqivo_request_free(request);
}
END_TEST

START_TEST(methods_that_may_be_repeated)
{
    static const struct {
        const char *method;
        bool idempotent;
    } table[] = {{"GET", true},    {"HEAD", true}, {"OPTIONS", true}, {"TRACE", true}, {"POST", false},
                 {"PATCH", false}, {"PUT", false}, {"get", false},    {"GETX", false}};

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct reqivo_request *request;
        ck_assert_int_eq(reqivo_request_new(table[i].method, "http://x/", &request), 0);
        ck_assert_int_eq(rqv_request_is_idempotent(request), table[i].idempotent);
        ck_assert_int_eq(reqivo_request_set_idempotent(request, 1), 0);
        ck_assert(rqv_request_is_idempotent(request));
        reqivo_request_free(request);
    }
}
END_TEST

/* ---- responses ---- */

START_TEST(body_grows_and_does_not_trust_the_announcement)
{
    static const int64_t announced[] = {-1, 0, 5, 100000, INT64_MAX};
    struct rqv_response_head head = {.status = 200};
    char piece[1000];

    memset(piece, 'p', sizeof piece);
    for (size_t i = 0; i < sizeof announced / sizeof announced[0]; i++) {
        struct reqivo_response *response = rqv_response_new(1);
        ck_assert_ptr_nonnull(response);
        head.content_length = announced[i];
        ck_assert_int_eq(rqv_response_set_head(response, &head), 0);
        for (int n = 0; n < 100; n++)
            ck_assert_int_eq(rqv_response_append(response, (struct rqv_str){piece, sizeof piece}), 0);
        ck_assert_uint_eq(response->body_size, 100000);
        ck_assert_uint_eq(strlen(reqivo_response_body(response)), 100000);
        ck_assert_uint_le(response->body_cap, 1 << 21);
        if (announced[i] == 100000)
            ck_assert_uint_eq(response->body_cap, 100001); /* one block of the right size */
        reqivo_response_free(response);
    }
}
END_TEST

START_TEST(a_nul_in_a_text_is_refused)
{
    struct rqv_response_head head = {.status = 200, .reason = {"a\0b", 3}};
    struct rqv_fields trailers = {.count = 0};
    struct reqivo_response *response = rqv_response_new(1);

    ck_assert_int_eq(rqv_response_set_head(response, &head), REQIVO_E_WIRE);
    rqv_fields_add(&trailers, RQV_STR("name"), (struct rqv_str){"a\0b", 3});
    ck_assert_int_eq(rqv_response_set_trailers(response, &trailers), REQIVO_E_WIRE);
    reqivo_response_free(response);
}
END_TEST

START_TEST(getters_take_null)
{
    const char *name, *value;

    ck_assert_int_eq(reqivo_response_error(NULL), 0);
    ck_assert_int_eq(reqivo_response_phase(NULL) + reqivo_response_errno(NULL) + reqivo_response_sent(NULL),
                     0);
    ck_assert_str_eq(reqivo_response_detail(NULL), "");
    ck_assert_str_eq(reqivo_response_address(NULL), "");
    ck_assert_uint_eq(reqivo_response_id(NULL), 0);
    ck_assert_int_eq(reqivo_response_status(NULL) + reqivo_response_minor(NULL), 0);
    ck_assert_str_eq(reqivo_response_reason(NULL), "");
    ck_assert_uint_eq(reqivo_response_field_count(NULL) + reqivo_response_trailer_count(NULL), 0);
    ck_assert_int_eq(reqivo_response_field_at(NULL, 0, &name, &value), -ENOENT);
    ck_assert_int_eq(reqivo_response_trailer_at(NULL, 0, &name, &value), -ENOENT);
    ck_assert_ptr_null(reqivo_response_field(NULL, "x", 0));
    ck_assert_ptr_null(reqivo_response_body(NULL));
    ck_assert_uint_eq(reqivo_response_body_size(NULL), 0);
    ck_assert_int_eq(reqivo_response_content_length(NULL), 0);
    ck_assert_int_eq(reqivo_response_reused(NULL) + reqivo_response_retried(NULL), 0);
    ck_assert_uint_eq(reqivo_response_time_us(NULL, 0), 0);
    reqivo_response_free(NULL);
    reqivo_close(NULL);
}
END_TEST

/* ---- the rest ---- */

START_TEST(ids_find_what_was_put)
{
    static struct rqv_exchange x[1000];
    struct rqv_ids ids;

    rqv_ids_init(&ids);
    for (size_t i = 0; i < 1000; i++) {
        x[i].id = 1 + 3 * i;
        rqv_ids_put(&ids, &x[i]);
    }
    for (size_t i = 0; i < 1000; i += 2)
        rqv_ids_del(&ids, &x[i]);
    rqv_ids_del(&ids, &x[0]); /* not there: nothing happens */
    for (uint64_t id = 0; id < 3010; id++) {
        const struct rqv_exchange *found = rqv_ids_get(&ids, id);
        bool there = id % 3 == 1 && id / 3 < 1000 && id / 3 % 2 == 1;
        ck_assert(there ? found == &x[id / 3] : found == NULL);
    }
    ck_assert_uint_eq(ids.count, 500);
    rqv_ids_done(&ids);
}
END_TEST

START_TEST(paths)
{
    char folder[] = "/tmp/reqivo-unit-XXXXXX", socket[100], space[256];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    unsetenv("REQIVO_SOCKET");
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_str_eq(rqv_socket_path("/given", space, sizeof space), "/given");
    const char *system = rqv_socket_path(NULL, space, sizeof space);
    ck_assert_ptr_nonnull(strstr(system, "/reqivo.sock"));
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
    ck_assert_str_eq(rqv_socket_path(NULL, space, sizeof space), system);
    snprintf(socket, sizeof socket, "%s/reqivo", folder);
    ck_assert_int_eq(mkdir(socket, 0700), 0);
    snprintf(socket, sizeof socket, "%s/reqivo/reqivo.sock", folder);
    int fd = open(socket, O_CREAT | O_WRONLY, 0600);
    ck_assert_str_eq(rqv_socket_path(NULL, space, sizeof space), socket);
    ck_assert_int_eq(setenv("REQIVO_SOCKET", "/from/env", 1), 0);
    ck_assert_str_eq(rqv_socket_path(NULL, space, sizeof space), "/from/env");
    close(fd);
    unlink(socket);
    *strrchr(socket, '/') = '\0';
    rmdir(socket);
    rmdir(folder);
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(reqivo_error_name(REQIVO_E_TIMEOUT_FIRST), "E_TIMEOUT_FIRST");
    ck_assert_str_eq(reqivo_error_name(-EINVAL), "EINVAL");
    ck_assert_int_eq(reqivo_error_class(REQIVO_E_NO_DAEMON), REQIVO_CLASS_DAEMON);
    ck_assert_int_eq(reqivo_error_class(0), REQIVO_CLASS_OK);
    ck_assert_ptr_nonnull(reqivo_error_text(-1));
    ck_assert_str_eq(reqivo_class_name(REQIVO_CLASS_CONNECT_TIMEOUT), "connect timeout");
    ck_assert_str_eq(reqivo_phase_name(REQIVO_PHASE_DNS), "dns");
    ck_assert_str_ne(reqivo_version(), "");
}
END_TEST

/* The page has a list of codes of its own: one for each in the table. */
START_TEST(codes_are_in_the_manual)
{
#define ROW(name, number, class, text) ".It Dv REQIVO_E_" #name "\n",
    static const char *const rows[] = {REQIVO_ERROR_TABLE(ROW)};
    static char page[65536];
    const char *srcdir = getenv("REQIVO_SRCDIR");
    char path[512];

    snprintf(path, sizeof path, "%s/doc/man/reqivo_error.3", srcdir ? srcdir : ".");
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(strstr(page, rows[i]) != NULL, "%s", rows[i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_request");

    UNIT_TCASE(s, "request", new_checks_its_arguments, fields_are_checked_and_kept, head_has_a_limit,
               options_reach_the_wire, certificates, methods_that_may_be_repeated);
    UNIT_TCASE(s, "response", body_grows_and_does_not_trust_the_announcement, a_nul_in_a_text_is_refused,
               getters_take_null);
    UNIT_TCASE(s, "rest", ids_find_what_was_put, paths, names, codes_are_in_the_manual);
    return s;
}

UNIT_MAIN(suite)
