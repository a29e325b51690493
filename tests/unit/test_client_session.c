/* SPDX-License-Identifier: MIT */
/* libclient: what sessions make of requests, cookies through the daemon, and what its loss does to a jar. */
#include "libclient/request.h"
#include "libclient/session.h"
#include "proto/coding.h"
#include "proto/cookie.h"
#include "tests/unit/fake_daemon.h"
#include "tests/unit/unit.h"

#include <reqivo/helpers.h>
#include <reqivo/session.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake fake;
static struct reqivo_client *client;
static struct reqivo_session *session;

static void set_up(void)
{
    fake_start(&fake);
    client = open_client(&fake);
    ck_assert_int_eq(reqivo_session_new(client, &session), 0);
}

/* HELLO goes with what has been submitted. */
static void greet(void)
{
    ck_assert_int_eq(reqivo_client_process(client), 0);
    fake_greet(&fake);
    turn(client);
}

static void tear_down(void)
{
    reqivo_session_free(session);
    reqivo_close(client);
    fake_stop(&fake);
}

/* The next REQUEST, behind the SESSION_OPEN that goes before it the first time. */
static struct rqv_request_head expect_request(bool opens, uint64_t *ret_id)
{
    uint64_t jar;

    if (opens)
        ck_assert_uint_eq(fake_operation(&fake, &jar).verb, RQV_OP_SESSION_OPEN);
    struct rqv_request_head head = fake_request(&fake, ret_id);
    if (opens)
        ck_assert_uint_eq(head.session_id, jar);
    return head;
}

START_TEST(defaults_of_a_session)
{
    static struct seen seen; /* what is in flight outlives the function */
    uint64_t id;

    ck_assert_int_eq(reqivo_session_get_async(session, "https://example.org/", on_seen, &seen), 0);
    greet();
    struct rqv_request_head head = expect_request(true, &id);
    ck_assert_uint_eq(head.redirect_max, 30);
    ck_assert_uint_eq(head.flags, RQV_REQ_DECODE);
    ck_assert_uint_eq(head.fields.count, 0);
    for (int i = 0; i < RQV_T_COUNT; i++)
        ck_assert_uint_eq(head.timeout_ms[i], RQV_TIMEOUT_DEFAULT);
    ck_assert_uint_eq(head.tls_min + head.tls_max, 0);
    fake_put_reply(&fake, id, "body");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);

    seen = (struct seen){0}; /* the jar is open now */
    ck_assert_int_eq(reqivo_session_set_cookies(session, 0), 0);
    ck_assert_int_eq(reqivo_session_get_async(session, "https://example.org/", on_seen, &seen), 0);
    turn(client);
    ck_assert_uint_eq(expect_request(false, &id).session_id, 0);
}
END_TEST

static const struct base_case {
    const char *base, *given, *want; /* want NULL: REQIVO_E_URL */
} base_cases[] = {
    {"https://example.org/v1/", "items", "https://example.org/v1/items"},
    {"https://example.org/v1/", "?page=2", "https://example.org/v1/?page=2"},
    {"https://example.org/v1", "items", "https://example.org/items"},
    {"https://example.org/v1/", "/items", "https://example.org/items"},
    {"https://example.org/v1/", "../items", "https://example.org/items"},
    {"https://example.org/v1/", "http://other.example/", "http://other.example/"},
    {"https://example.org/v1/", "//other.example/x", "https://other.example/x"},
    {NULL, "http://other.example/", "http://other.example/"},
    {NULL, "", NULL},
};

START_TEST(base_url)
{
    const struct base_case *test = &base_cases[_i];
    struct reqivo_request *request = NULL;
    char url[128];

    ck_assert_int_eq(reqivo_session_set_base_url(session, test->base), 0);
    int r = reqivo_session_request(session, "GET", test->given, &request);
    ck_assert_int_eq(r, test->want ? 0 : REQIVO_E_URL);
    if (r == 0) {
        ck_assert_uint_eq(reqivo_request_url(request, url, sizeof url), strlen(test->want));
        ck_assert_str_eq(url, test->want);
    }
    reqivo_request_free(request);
}
END_TEST

static struct rqv_request_head head_in_memory(const struct reqivo_request *request)
{
    static struct rqv_request_head head;

    rqv_request_head(request, &head);
    for (int i = 0; i < RQV_T_COUNT; i++)
        ck_assert_uint_eq(head.timeout_ms[i], RQV_TIMEOUT_DEFAULT);
    ck_assert_uint_eq(head.tls_min + head.tls_max, 0);
    ck_assert_uint_eq(request->max_body, UINT64_MAX); /* the default */
    return head;
}

static const char *on_off(bool on)
{
    return on ? "on" : "off";
}

static const char *yes_no(uint32_t flag)
{
    return flag ? "yes" : "no";
}

/* A line of the table, behind those of `want`. */
static void row(char want[2048], const char *what, const char *ours, const char *plain)
{
    size_t at = strlen(want);

    snprintf(want + at, 2048 - at, ".It %s Ta %s Ta %s Ta -\n", what, ours, plain);
}

static void rows_of_redirects(char want[2048], const struct rqv_request_head *ours,
                              const struct rqv_request_head *plain)
{
    char numbers[2][16];

    snprintf(numbers[0], sizeof numbers[0], "%d", ours->redirect_max);
    snprintf(numbers[1], sizeof numbers[1], "%d", plain->redirect_max);
    row(want, "redirects", numbers[0], numbers[1]);
    row(want, "redirects from https to http", yes_no(ours->flags & RQV_REQ_DOWNGRADE),
        yes_no(plain->flags & RQV_REQ_DOWNGRADE));
    row(want, "credentials to other origins", yes_no(ours->flags & RQV_REQ_TRUSTED),
        yes_no(plain->flags & RQV_REQ_TRUSTED));
    row(want, "POST after 301, 302, 303", yes_no(ours->flags & RQV_REQ_KEEP_METHOD),
        yes_no(plain->flags & RQV_REQ_KEEP_METHOD));
}

static void rows_of_codings(char want[2048], const struct rqv_request_head *ours,
                            const struct rqv_request_head *plain)
{
    struct rqv_coding_limits limits;
    char text[64], name[64];

    row(want, "content codings removed", on_off(ours->flags & RQV_REQ_DECODE),
        on_off(plain->flags & RQV_REQ_DECODE));
    snprintf(text, sizeof text, "%d", RQV_CODINGS_MAX);
    row(want, "codings of one body", text, text);
    rqv_coding_limits_default(&limits);
    snprintf(name, sizeof name, "a body grows, from %d MiB on", (int)(limits.ratio_floor >> 20));
    snprintf(text, sizeof text, "%u times", limits.ratio_max);
    row(want, name, text, text);
}

/* The table of reqivo_session(3) says what a fresh session and a fresh request have. Its last column is
 * test_conf.py's. */
START_TEST(defaults_are_in_the_manual)
{
    struct reqivo_request *plain = NULL, *ours = NULL;
    static char page[65536];
    char path[512], want[2048] = "", text[64];

    ck_assert_int_eq(reqivo_request_new("GET", "https://example.org/", &plain), 0);
    ck_assert_int_eq(reqivo_session_request(session, "GET", "https://example.org/", &ours), 0);
    struct rqv_request_head head = head_in_memory(ours), bare = head_in_memory(plain);
    const char *srcdir = getenv("REQIVO_SRCDIR");
    snprintf(path, sizeof path, "%s/doc/man/reqivo_session.3", srcdir ? srcdir : ".");
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    row(want, "base URL", session->base ? "some" : "none", "-");
    row(want, "fields", head.fields.count ? "some" : "none", bare.fields.count ? "some" : "none");
    row(want, "credentials", session->credentials ? "some" : "none", "-");
    row(want, "hooks", ours->before || ours->after ? "some" : "none",
        plain->before || plain->after ? "some" : "none");
    rows_of_redirects(want, &head, &bare);
    row(want, "cookies", on_off(ours->jar), on_off(plain->jar));
    snprintf(text, sizeof text, "%d days", (int)(RQV_COOKIE_AGE_MAX_S / 86400));
    row(want, "a cookie stays at most", text, "-");
    rows_of_codings(want, &head, &bare);
    row(want, "verification", on_off(!(head.flags & RQV_REQ_INSECURE)),
        on_off(!(bare.flags & RQV_REQ_INSECURE)));
    row(want, "certificates", ours->trust ? "own" : "the system's", plain->trust ? "own" : "the system's");
    size_t at = strlen(want);
    snprintf(want + at, sizeof want - at, ".It TLS versions Ta - Ta - Ta 1.2 and later\n");
    snprintf(text, sizeof text, "%d MiB", (int)(RQV_BODY_DEFAULT_MAX >> 20));
    row(want, "body in memory", text, text);
    ck_assert_msg(strstr(page, want), "%s", want);
    reqivo_request_free(plain);
    reqivo_request_free(ours);
}
END_TEST

START_TEST(a_bad_base_url_changes_nothing)
{
    struct reqivo_request *request = NULL;
    char url[8];

    ck_assert_int_eq(reqivo_session_set_base_url(session, "https://example.org/"), 0);
    ck_assert_int_eq(reqivo_session_set_base_url(session, "no url"), REQIVO_E_URL);
    ck_assert_int_eq(reqivo_session_set_base_url(session, "ftp://example.org/"), REQIVO_E_URL);
    ck_assert_int_eq(reqivo_session_request(session, "GET", "x", &request), 0);
    ck_assert_uint_eq(reqivo_request_url(request, url, sizeof url), 21);
    ck_assert_str_eq(url, "https:/"); /* cut */
    reqivo_request_free(request);
}
END_TEST

/* The head of the next request of the session to that URL; it stays in flight. */
static struct rqv_request_head head_of(const char *url, struct seen *seen)
{
    static bool opened;
    uint64_t id;

    ck_assert_int_eq(reqivo_session_get_async(session, url, on_seen, seen), 0);
    if (!opened)
        greet();
    turn(client);
    struct rqv_request_head head = expect_request(!opened, &id);
    opened = true;
    return head;
}

START_TEST(fields_and_options)
{
    struct rqv_request_head head;
    static struct seen seen; /* what is in flight outlives the function */

    ck_assert_int_eq(reqivo_session_set_field(session, "Accept", "text/html"), 0);
    ck_assert_int_eq(reqivo_session_set_field(session, "accept", "text/plain"), 0);
    ck_assert_int_eq(reqivo_session_set_field(session, "X-Gone", "1"), 0);
    ck_assert_int_eq(reqivo_session_set_field(session, "X-Gone", NULL), 0);
    ck_assert_int_eq(reqivo_session_set_field(session, "Host", "a.example"), 0);
    ck_assert_int_eq(reqivo_session_set_field(session, "Host", "b.example"), 0);
    ck_assert_int_eq(reqivo_session_set_field(session, "Content-Length", "1"), REQIVO_E_FIELD);
    ck_assert_int_eq(reqivo_session_set_field(session, "accept", "a\nb"), REQIVO_E_FIELD);
    ck_assert_int_eq(reqivo_session_set_field(session, NULL, "x"), -EINVAL);
    ck_assert_int_eq(reqivo_session_set_timeout(session, REQIVO_TIMEOUT_STALL, 7), 0);
    ck_assert_int_eq(reqivo_session_set_redirects(session, 31), -EINVAL);
    ck_assert_int_eq(reqivo_session_set_redirects(session, 3), 0);
    ck_assert_int_eq(reqivo_session_set_redirect_policy(session, REQIVO_REDIRECT_KEEP_METHOD), 0);
    ck_assert_int_eq(reqivo_session_set_decode(session, 0), 0);
    ck_assert_int_eq(reqivo_session_set_verify(session, 0), 0);
    ck_assert_int_eq(reqivo_session_set_tls_versions(session, 13, 12), -EINVAL);
    ck_assert_int_eq(reqivo_session_set_tls_versions(session, 12, 13), 0);
    head = head_of("https://example.org/", &seen);
    ck_assert_uint_eq(head.fields.count, 2);
    ck_assert_str_eq(fake_field(&head, "accept"), "text/plain");
    ck_assert_str_eq(fake_field(&head, "host"), "b.example");
    ck_assert_uint_eq(head.timeout_ms[RQV_T_STALL], 7);
    ck_assert_uint_eq(head.redirect_max, 3);
    ck_assert_uint_eq(head.flags, RQV_REQ_KEEP_METHOD | RQV_REQ_INSECURE);
    ck_assert_uint_eq(head.tls_min, RQV_TLS_1_2);
    ck_assert_uint_eq(head.tls_max, RQV_TLS_1_3);
}
END_TEST

START_TEST(rule_b3_3_credentials_of_a_session)
{
    struct rqv_request_head head;
    static struct seen seen; /* what is in flight outlives the function */

    ck_assert_int_eq(reqivo_session_set_basic(session, "user:", "x"), REQIVO_E_FIELD);
    ck_assert_int_eq(reqivo_session_set_basic(session, "user", "a\rb"), REQIVO_E_FIELD);
    ck_assert_int_eq(reqivo_session_set_basic(session, "user", NULL), -EINVAL);
    ck_assert_int_eq(reqivo_session_set_basic(session, "Aladdin", "open sesame"), 0);
    head = head_of("http://any.example/", &seen); /* no base URL: wherever it asks */
    ck_assert_str_eq(fake_field(&head, "authorization"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");

    ck_assert_int_eq(reqivo_session_set_base_url(session, "https://example.org/"), 0);
    ck_assert_int_eq(reqivo_session_set_bearer(session, "abc"), 0);
    static const char *const elsewhere[] = {"http://example.org/", "https://example.org:444/",
                                            "https://www.example.org/", "https://example.org@evil.example/",
                                            "https://example.org.evil.example/"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        head = head_of(elsewhere[i], &seen);
        ck_assert_str_eq(fake_field(&head, "authorization"), "");
    }
    head = head_of("https://EXAMPLE.org:443/x", &seen);
    ck_assert_str_eq(fake_field(&head, "authorization"), "Bearer abc");
    head = head_of("relative", &seen);
    ck_assert_str_eq(fake_field(&head, "authorization"), "Bearer abc");

    ck_assert_int_eq(reqivo_session_set_field(session, "Authorization", "own"), 0);
    head = head_of("relative", &seen);
    ck_assert_str_eq(fake_field(&head, "authorization"), "own");
    ck_assert_uint_eq(head.fields.count, 1);
    ck_assert_int_eq(reqivo_session_set_field(session, "Authorization", NULL), 0);
    ck_assert_int_eq(reqivo_session_set_bearer(session, NULL), 0);
    head = head_of("relative", &seen);
    ck_assert_uint_eq(head.fields.count, 0);
}
END_TEST

/* A session of one handle is none of another's business. */
START_TEST(requests_stay_with_their_handle)
{
    struct reqivo_client *other = open_client(&fake);
    struct reqivo_request *request = NULL;
    struct seen seen = {0};

    ck_assert_int_eq(reqivo_session_request(session, "GET", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_submit(other, &request, on_seen, &seen, NULL), -EINVAL);
    ck_assert_ptr_nonnull(request);
    reqivo_close(client);
    client = NULL;
    ck_assert_int_eq(reqivo_submit(other, &request, on_seen, &seen, NULL), -EINVAL);
    reqivo_request_free(request);
    reqivo_close(other);
    ck_assert_int_eq(reqivo_session_clear_cookies(session), REQIVO_E_CANCELED);
    ck_assert_int_eq(reqivo_session_get_async(session, "http://example.org/", on_seen, &seen),
                     REQIVO_E_CANCELED);
    ck_assert_int_eq(reqivo_session_set_field(session, "A", "b"), 0);
}
END_TEST

START_TEST(freed_with_requests_in_flight)
{
    struct seen seen = {0};
    uint64_t id;

    ck_assert_int_eq(reqivo_session_get_async(session, "http://example.org/", on_seen, &seen), 0);
    greet();
    uint64_t jar = expect_request(true, &id).session_id;
    reqivo_session_free(session);
    session = NULL;
    turn(client);
    ck_assert(fake_is_empty(&fake)); /* the request still needs the jar */
    fake_put_reply(&fake, id, "body");
    fake_flush(&fake);
    drive(client, &seen);
    turn(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), jar);
}
END_TEST

/* ---- the loss of a jar ---- */

static void answer(uint64_t id, bool sets_cookie)
{
    static struct rqv_response_head head;

    head = (struct rqv_response_head){.status = 200, .minor = 1, .content_length = 0};
    if (sets_cookie)
        rqv_fields_add(&head.fields, RQV_STR("Set-Cookie"), RQV_STR("a=b"));
    ck_assert_int_eq(rqv_wire_encode_response(&fake.out, id, 0, &head), 0);
    fake_put_done(&fake, id, 0, REQIVO_SENT_YES);
    fake_flush(&fake);
}

static void once(bool opens, bool sets_cookie)
{
    struct seen seen = {0};
    uint64_t id;

    ck_assert_int_eq(reqivo_session_get_async(session, "http://example.org/", on_seen, &seen), 0);
    turn(client);
    expect_request(opens, &id);
    answer(id, sets_cookie);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
}

/* The daemon ends, and the next request meets its successor. */
static void lose_daemon(struct seen *seen)
{
    fake_hangup(&fake);
    turn(client);
    ck_assert_int_eq(reqivo_session_get_async(session, "http://example.org/", on_seen, seen), 0);
    while (reqivo_client_fd(client) < 0)
        ck_assert_int_ge(reqivo_client_wait(client, 50), 0);
    greet();
}

START_TEST(session_lost_once)
{
    struct seen seen = {0};

    greet();
    once(true, true);
    lose_daemon(&seen);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_SESSION_LOST);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_NO);
    ck_assert(reqivo_error_is(seen.code, REQIVO_CLASS_DAEMON));
    once(true, false); /* and then it goes on */
    once(false, false);
}
END_TEST

START_TEST(an_empty_jar_is_no_loss)
{
    struct seen seen = {0};
    uint64_t id;

    greet();
    once(true, false);
    lose_daemon(&seen);
    expect_request(true, &id);
    answer(id, false);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
}
END_TEST

START_TEST(a_jar_that_was_refused_is_opened_again)
{
    struct seen seen = {0};
    uint64_t id;

    ck_assert_int_eq(reqivo_session_get_async(session, "http://example.org/", on_seen, &seen), 0);
    greet();
    uint64_t jar = expect_request(true, &id).session_id;
    fake_put_done(&fake, jar, REQIVO_E_LIMIT_MEMORY, REQIVO_SENT_NO);
    fake_put_done(&fake, id, REQIVO_E_SESSION, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_SESSION);
    once(true, false);
}
END_TEST

/* ---- cookies ---- */

static const char *const lines[] = {"example.org\tFALSE\t/\tFALSE\t0\ta\t1",
                                    "#HttpOnly_example.org\tFALSE\t/\tFALSE\t0\tb\t2"};

static void count_line(const char *line, void *userdata)
{
    struct seen *seen = userdata;

    ck_assert_str_eq(line, lines[seen->status++]);
}

static void put_lines(uint64_t id)
{
    for (int i = 0; i < 2; i++)
        fake_put_row(&fake, id, (const char *const[]){"cookie", lines[i], NULL});
    fake_put_done(&fake, id, 0, REQIVO_SENT_NO);
    fake_flush(&fake);
}

static void on_end(struct reqivo_client *handle, struct reqivo_response *response, void *userdata)
{
    struct seen *seen = userdata;

    (void)handle;
    seen->count++;
    seen->code = reqivo_response_error(response);
    reqivo_response_free(response);
}

START_TEST(cookies_with_callbacks)
{
    struct seen seen = {0};
    uint64_t id, jar;

    ck_assert_int_eq(reqivo_session_add_cookies_async(session, lines, 0, on_end, &seen), -EINVAL);
    ck_assert_int_eq(reqivo_session_add_cookies_async(session, lines, 2, on_end, &seen), 0);
    greet();
    ck_assert_uint_eq(fake_operation(&fake, &jar).verb, RQV_OP_SESSION_OPEN);
    struct rqv_operation operation = fake_operation(&fake, &id);
    ck_assert_uint_eq(operation.verb, RQV_OP_COOKIES_ADD);
    ck_assert_uint_eq(operation.target, jar);
    ck_assert_uint_eq(operation.head.fields.count, 2);
    fake_put_done(&fake, id, REQIVO_E_COOKIE, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_COOKIE);

    seen = (struct seen){0};
    ck_assert_int_eq(reqivo_session_list_cookies_async(session, count_line, on_end, &seen), 0);
    turn(client);
    ck_assert_uint_eq(fake_operation(&fake, &id).verb, RQV_OP_COOKIES_LIST);
    put_lines(id);
    drive(client, &seen);
    ck_assert_int_eq(seen.status, 2);

    seen = (struct seen){0};
    ck_assert_int_eq(reqivo_session_clear_cookies_async(session, on_end, &seen), 0);
    turn(client);
    operation = fake_operation(&fake, &id);
    ck_assert_uint_eq(operation.verb, RQV_OP_COOKIES_CLEAR);
    ck_assert_uint_eq(operation.target, jar);
    reqivo_session_free(session);
    session = NULL;
    fake_put_done(&fake, id, 0, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
}
END_TEST

/* More than one frame takes go as several operations, and are told once. */
START_TEST(many_cookies)
{
    const char *many[300];
    struct seen seen = {0};
    size_t got = 0;
    uint64_t id;

    for (size_t i = 0; i < 300; i++)
        many[i] = lines[0];
    ck_assert_int_eq(reqivo_session_add_cookies_async(session, many, 300, on_end, &seen), 0);
    greet();
    fake_operation(&fake, &id);
    while (got < 300) {
        got += fake_operation(&fake, &id).head.fields.count;
        fake_put_done(&fake, id, got == 128 ? REQIVO_E_LIMIT_COOKIES : 0, REQIVO_SENT_NO);
    }
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_LIMIT_COOKIES);
}
END_TEST

static void serve_cookies(struct fake *daemon)
{
    uint64_t id;

    fake_greet(daemon);
    fake_operation(daemon, &id);
    struct rqv_operation operation = fake_operation(daemon, &id);
    ck_assert_uint_eq(operation.verb, RQV_OP_COOKIES_ADD);
    ck_assert_uint_eq(operation.head.fields.count, 2);
    fake_put_done(daemon, id, 0, REQIVO_SENT_NO);
    fake_flush(daemon);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(fake_operation(daemon, &id).verb, RQV_OP_COOKIES_LIST);
        put_lines(id);
    }
    ck_assert_uint_eq(fake_operation(daemon, &id).verb, RQV_OP_COOKIES_CLEAR);
    fake_put_done(daemon, id, 0, REQIVO_SENT_NO);
    fake_flush(daemon);
}

START_TEST(cookies_and_files)
{
    char path[128], text[256] = "", want[256];
    struct seen seen = {0};
    struct stat st;

    fake_fork(&fake, serve_cookies);
    snprintf(path, sizeof path, "%s/cookies", fake.folder);
    FILE *file = fopen(path, "w");
    fprintf(file, "# Netscape HTTP Cookie File\n\n%s\r\n# a comment\n%s\n", lines[0], lines[1]);
    fclose(file);
    ck_assert_int_eq(reqivo_session_load_cookies(session, "/nowhere/cookies"), -ENOENT);
    ck_assert_int_eq(reqivo_session_load_cookies(session, path), 0);
    ck_assert_int_eq(reqivo_session_list_cookies(session, count_line, &seen), 0);
    ck_assert_int_eq(seen.status, 2);
    ck_assert_int_eq(reqivo_session_save_cookies(session, path), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    file = fopen(path, "r");
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    snprintf(want, sizeof want, "# Netscape HTTP Cookie File\n\n%s\n%s\n", lines[0], lines[1]);
    ck_assert_str_eq(text, want);
    ck_assert_int_eq(reqivo_session_save_cookies(session, "/nowhere/cookies"), -ENOENT);
    ck_assert_int_eq(reqivo_session_save_cookies(session, "/dev/null"), -EINVAL);
    ck_assert_int_eq(reqivo_session_clear_cookies(session), 0);
    unlink(path);
}
END_TEST

static void add_case(Suite *s, const char *name, const TTest *const *tests)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    for (; *tests; tests++)
        tcase_add_test(tcase, *tests);
    suite_add_tcase(s, tcase);
}

static Suite *suite(void)
{
    Suite *s = suite_create("client_session");
    TCase *base = tcase_create("base");

    tcase_add_checked_fixture(base, set_up, tear_down);
    tcase_add_loop_test(base, base_url, 0, sizeof base_cases / sizeof *base_cases);
    suite_add_tcase(s, base);
    add_case(s, "definition",
             (const TTest *const[]){defaults_of_a_session, defaults_are_in_the_manual,
                                    a_bad_base_url_changes_nothing, fields_and_options,
                                    rule_b3_3_credentials_of_a_session, requests_stay_with_their_handle,
                                    freed_with_requests_in_flight, NULL});
    add_case(s, "loss",
             (const TTest *const[]){session_lost_once, an_empty_jar_is_no_loss,
                                    a_jar_that_was_refused_is_opened_again, NULL});
    add_case(s, "cookies",
             (const TTest *const[]){cookies_with_callbacks, many_cookies, cookies_and_files, NULL});
    return s;
}

UNIT_MAIN(suite)
