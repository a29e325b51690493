/* SPDX-License-Identifier: MIT */
/* libclient: pools, acquired connections, helpers, forms, and responses that go into files. */
#include "tests/unit/fake_daemon.h"
#include "tests/unit/unit.h"

#include <reqivo/connection.h>
#include <reqivo/helpers.h>
#include <reqivo/pool.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake fake;
static struct reqivo_client *client;

static void set_up(void)
{
    fake_start(&fake);
    client = open_client(&fake);
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
    reqivo_close(client);
    fake_stop(&fake);
}

static struct reqivo_request *build(const char *url)
{
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_request_new("GET", url, &request), 0);
    return request;
}

/* ---- pools ---- */

static const char *const stats_row[] = {
    "idle",     "1",     "leased",    "2",          "connecting", "3",      "waiting",
    "4",        "limit", "8",         "opened",     "9",          "reused", "10",
    "failures", "11",    "oldest_ms", "5000000000", "newest_ms",  "1",      "of_a_newer_daemon",
    "x",        NULL};

static void check_stats(const struct reqivo_pool_stats *stats)
{
    ck_assert_uint_eq(stats->idle, 1);
    ck_assert_uint_eq(stats->leased, 2);
    ck_assert_uint_eq(stats->connecting, 3);
    ck_assert_uint_eq(stats->waiting, 4);
    ck_assert_uint_eq(stats->limit, 8);
    ck_assert_uint_eq(stats->opened, 9);
    ck_assert_uint_eq(stats->reused, 10);
    ck_assert_uint_eq(stats->failures, 11);
    ck_assert_uint_eq(stats->oldest_ms, 5000000000);
    ck_assert_uint_eq(stats->newest_ms, 1);
}

static struct reqivo_pool *new_pool(void)
{
    struct reqivo_request *request = build("https://example.org/x");
    struct reqivo_pool *pool = NULL;

    ck_assert_int_eq(reqivo_request_set_verify(request, 0), 0);
    ck_assert_int_eq(reqivo_request_set_route(request, "127.0.0.1:4433"), 0);
    ck_assert_int_eq(reqivo_request_set_tls_versions(request, 13, 0), 0);
    ck_assert_int_eq(reqivo_request_set_redirects(request, 5), 0);
    ck_assert_int_eq(reqivo_request_set_timeout(request, REQIVO_TIMEOUT_CONNECT, 99), 0);
    ck_assert_int_eq(reqivo_request_add_field(request, "Authorization", "secret"), 0);
    ck_assert_int_eq(reqivo_pool_of(client, &request, &pool), 0);
    ck_assert_ptr_null(request);
    return pool;
}

static uint64_t expect_pool(enum rqv_operation_verb verb, uint32_t value)
{
    uint64_t id;
    struct rqv_operation operation = fake_operation(&fake, &id);

    ck_assert_uint_eq(operation.verb, verb);
    ck_assert_uint_eq(operation.value, value);
    ck_assert_uint_eq(operation.target, 0);
    ck_assert(rqv_str_eq(operation.head.url, RQV_STR("https://example.org/x")));
    ck_assert(rqv_str_eq(operation.head.route, RQV_STR("127.0.0.1:4433")));
    ck_assert_uint_eq(operation.head.flags, RQV_REQ_INSECURE);
    ck_assert_uint_eq(operation.head.tls_min, RQV_TLS_1_3);
    ck_assert_uint_eq(operation.head.redirect_max, 0);
    ck_assert_uint_eq(operation.head.timeout_ms[RQV_T_CONNECT], 99);
    ck_assert_uint_eq(operation.head.fields.count, 0);
    return id;
}

START_TEST(pool_with_callbacks)
{
    struct reqivo_pool *pool = new_pool();
    struct reqivo_pool_stats stats;
    struct seen seen[4] = {{.keep = true}};

    ck_assert_int_eq(reqivo_pool_stats_async(pool, NULL, NULL), -EINVAL);
    ck_assert_int_eq(reqivo_pool_stats_async(pool, on_seen, &seen[0]), 0);
    ck_assert_int_eq(reqivo_pool_limit_async(pool, 3, on_seen, &seen[1]), 0);
    ck_assert_int_eq(reqivo_pool_prewarm_async(pool, 2, on_seen, &seen[2]), 0);
    ck_assert_int_eq(reqivo_pool_close_idle_async(pool, on_seen, &seen[3]), 0);
    reqivo_pool_free(pool); /* what is under way goes on */
    greet();
    uint64_t id = expect_pool(RQV_OP_POOL_STATS, 0);
    fake_put_row(&fake, id, stats_row);
    fake_put_done(&fake, id, 0, REQIVO_SENT_NO);
    fake_put_done(&fake, expect_pool(RQV_OP_POOL_LIMIT, 3), 0, REQIVO_SENT_NO);
    fake_put_done(&fake, expect_pool(RQV_OP_POOL_PREWARM, 2), REQIVO_E_CONNECT, REQIVO_SENT_NO);
    fake_put_done(&fake, expect_pool(RQV_OP_POOL_CLOSE_IDLE, 0), 0, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &seen[3]);
    ck_assert_int_eq(seen[0].code, 0);
    ck_assert_int_eq(seen[1].code, 0);
    ck_assert_int_eq(seen[2].code, REQIVO_E_CONNECT);
    ck_assert_int_eq(seen[2].phase, REQIVO_PHASE_CONNECT);
    ck_assert_int_eq(reqivo_pool_stats_of(seen[0].response, &stats), 0);
    check_stats(&stats);
    reqivo_response_free(seen[0].response);
    ck_assert_int_eq(reqivo_pool_stats_of(NULL, &stats), -EINVAL);
}
END_TEST

static void serve_pool(struct fake *daemon)
{
    uint64_t id;

    fake_greet(daemon);
    fake_operation(daemon, &id);
    fake_put_row(daemon, id, stats_row);
    fake_put_done(daemon, id, 0, REQIVO_SENT_NO);
    fake_flush(daemon);
    static const int codes[] = {0, 0, REQIVO_E_CONNECT, 0};
    for (int i = 0; i < 4; i++) {
        fake_operation(daemon, &id);
        fake_put_done(daemon, id, codes[i], REQIVO_SENT_NO);
        fake_flush(daemon);
    }
}

START_TEST(pool_that_blocks)
{
    struct reqivo_pool *pool = NULL;
    struct reqivo_pool_stats stats;

    fake_fork(&fake, serve_pool);
    ck_assert_int_eq(reqivo_pool_new(client, "https://example.org/", &pool), 0);
    ck_assert_int_eq(reqivo_pool_stats(pool, &stats), 0);
    check_stats(&stats);
    ck_assert_int_eq(reqivo_pool_stats(pool, &stats), 0); /* no pool yet, no row */
    ck_assert_uint_eq(stats.limit + stats.idle, 0);
    ck_assert_int_eq(reqivo_pool_limit(pool, 1), 0);
    ck_assert_str_eq(reqivo_pool_detail(pool), "");
    ck_assert_int_eq(reqivo_pool_prewarm(pool, 2), REQIVO_E_CONNECT);
    ck_assert_str_eq(reqivo_pool_detail(pool), "as?told");
    ck_assert_int_eq(reqivo_pool_close_idle(pool), 0);
    reqivo_close(client);
    client = NULL;
    ck_assert_int_eq(reqivo_pool_close_idle(pool), REQIVO_E_CANCELED);
    reqivo_pool_free(pool);
    ck_assert_int_eq(reqivo_pool_new(NULL, "https://example.org/", &pool), -EINVAL);
}
END_TEST

/* An operation that is canceled is canceled in the daemon. */
START_TEST(operations_can_be_canceled)
{
    struct reqivo_pool *pool = new_pool();
    struct seen seen = {0};

    ck_assert_int_eq(reqivo_pool_prewarm_async(pool, 2, on_seen, &seen), 0);
    greet();
    uint64_t id = expect_pool(RQV_OP_POOL_PREWARM, 2);
    ck_assert_int_eq(reqivo_cancel(client, id), 0);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_CANCELED);
    turn(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), id);
    reqivo_pool_free(pool);
}
END_TEST

/* ---- connections ---- */

static const char *const info_row[] = {
    "address",   "192.0.2.1:443", "local_address", "192.0.2.2:9", "tls_version", "TLSv1.3", "uses", "3",
    "not_after", "2000000000",    "age_ms",        "17",          "reused",      "1",       NULL};

static struct reqivo_connection *acquire(struct seen *seen, uint64_t *ret_id)
{
    struct reqivo_request *request = build("https://example.org/");
    struct reqivo_connection *connection = NULL;

    ck_assert_int_eq(reqivo_connection_acquire_async(client, &request, on_seen, seen, &connection), 0);
    ck_assert_ptr_null(request);
    greet();
    struct rqv_operation operation = fake_operation(&fake, ret_id);
    ck_assert_uint_eq(operation.verb, RQV_OP_CONNECTION_ACQUIRE);
    ck_assert_uint_eq(operation.target, 0);
    return connection;
}

static uint64_t submit_on(struct reqivo_connection *connection, struct seen *seen)
{
    struct reqivo_request *request = build("https://example.org/next");

    ck_assert_int_eq(reqivo_request_set_connection(request, connection), 0);
    return submit_request(client, request, seen);
}

START_TEST(a_connection_with_callbacks)
{
    struct seen acquired = {0}, first = {0}, info = {0}, released = {0};
    struct reqivo_connection_info known;
    uint64_t pin, id;
    struct reqivo_connection *connection = acquire(&acquired, &pin);

    ck_assert_int_eq(reqivo_connection_info(connection, &known), -ENOENT);
    submit_on(connection, &first); /* before it is known how that went */
    turn(client);
    ck_assert_uint_eq(fake_request(&fake, &id).connection_id, pin);
    fake_put_row(&fake, pin, info_row);
    fake_put_done(&fake, pin, 0, REQIVO_SENT_NO);
    fake_put_reply(&fake, id, "body");
    fake_flush(&fake);
    drive(client, &first);
    ck_assert_int_eq(acquired.code, 0);
    ck_assert_int_eq(reqivo_connection_error(connection), 0);
    ck_assert_int_eq(reqivo_connection_info(connection, &known), 0);
    ck_assert_str_eq(known.address, "192.0.2.1:443");
    ck_assert_str_eq(known.tls_version, "TLSv1.3");
    ck_assert_str_eq(known.certificate, "");
    ck_assert_int_eq(known.not_after, 2000000000);
    ck_assert_uint_eq(known.age_ms, 17);
    ck_assert_uint_eq(known.uses, 3);
    ck_assert_int_eq(known.reused, 1);

    ck_assert_int_eq(reqivo_connection_refresh_async(connection, on_seen, &info), 0);
    turn(client);
    struct rqv_operation operation = fake_operation(&fake, &id);
    ck_assert_uint_eq(operation.verb, RQV_OP_CONNECTION_INFO);
    ck_assert_uint_eq(operation.target, pin);
    fake_put_row(&fake, id, (const char *const[]){"uses", "4", NULL});
    fake_put_done(&fake, id, 0, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &info);
    ck_assert_int_eq(reqivo_connection_info(connection, &known), 0);
    ck_assert_uint_eq(known.uses, 4);
    ck_assert_str_eq(known.address, "");

    ck_assert_int_eq(reqivo_connection_release_async(&connection, on_seen, &released), 0);
    ck_assert_ptr_null(connection);
    turn(client);
    operation = fake_operation(&fake, &id);
    ck_assert_uint_eq(operation.verb, RQV_OP_CONNECTION_RELEASE);
    ck_assert_uint_eq(operation.target, pin);
    fake_put_done(&fake, id, 0, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &released);
    ck_assert_int_eq(released.code, 0);
    turn(client);
    ck_assert(fake_is_empty(&fake)); /* no CANCEL: it is another's now */
}
END_TEST

START_TEST(a_connection_that_is_closed)
{
    struct seen acquired = {0}, late = {0};
    uint64_t pin;
    struct reqivo_connection *connection = acquire(&acquired, &pin);
    struct reqivo_request *request = build("https://example.org/next");

    fake_put_row(&fake, pin, info_row);
    fake_put_done(&fake, pin, 0, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &acquired);
    ck_assert_int_eq(reqivo_request_set_connection(request, connection), 0);
    reqivo_connection_close(connection);
    turn(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), pin);
    submit_request(client, request, &late); /* names it all the same */
    drive(client, &late);
    ck_assert_int_eq(late.code, REQIVO_E_CONNECTION_CLOSED);
    ck_assert_int_eq(late.sent, REQIVO_SENT_NO);
}
END_TEST

START_TEST(a_connection_that_is_not_acquired)
{
    struct seen acquired = {0}, next = {0};
    uint64_t pin;
    struct reqivo_connection *connection = acquire(&acquired, &pin);

    fake_put_done(&fake, pin, REQIVO_E_CONNECT, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &acquired);
    ck_assert_int_eq(acquired.code, REQIVO_E_CONNECT);
    ck_assert_int_eq(reqivo_connection_error(connection), REQIVO_E_CONNECT);
    ck_assert_str_eq(reqivo_connection_detail(connection), "as?told");
    submit_on(connection, &next);
    drive(client, &next);
    ck_assert_int_eq(next.code, REQIVO_E_CONNECTION_CLOSED);
    reqivo_connection_close(connection);
    turn(client);
    ck_assert(fake_is_empty(&fake));
}
END_TEST

START_TEST(a_connection_is_lost_with_the_daemon)
{
    struct seen acquired = {0}, next = {0};
    uint64_t pin;
    struct reqivo_connection *connection = acquire(&acquired, &pin);

    fake_put_row(&fake, pin, info_row);
    fake_put_done(&fake, pin, 0, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &acquired);
    fake_hangup(&fake);
    turn(client);
    submit_on(connection, &next);
    drive(client, &next);
    ck_assert_int_eq(next.code, REQIVO_E_CONNECTION_CLOSED);
    ck_assert_int_eq(next.sent, REQIVO_SENT_NO);
    reqivo_close(client); /* the object may outlive the handle */
    client = NULL;
    ck_assert_int_eq(reqivo_connection_release(&connection), REQIVO_E_CONNECTION_CLOSED);
    ck_assert_ptr_null(connection);
}
END_TEST

static void serve_connection(struct fake *daemon)
{
    static const enum rqv_operation_verb verbs[] = {RQV_OP_CONNECTION_ACQUIRE, RQV_OP_CONNECTION_INFO,
                                                    RQV_OP_CONNECTION_RELEASE};
    uint64_t id;

    fake_greet(daemon);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(fake_operation(daemon, &id).verb, verbs[i]);
        if (i < 2)
            fake_put_row(daemon, id, info_row);
        fake_put_done(daemon, id, 0, REQIVO_SENT_NO);
        fake_flush(daemon);
    }
    fake_operation(daemon, &id);
    fake_put_done(daemon, id, REQIVO_E_TLS_HOST, REQIVO_SENT_NO);
    fake_flush(daemon);
}

START_TEST(a_connection_that_blocks)
{
    struct reqivo_request *request = build("https://example.org/");
    struct reqivo_connection *connection = NULL;
    struct reqivo_connection_info known;

    fake_fork(&fake, serve_connection);
    ck_assert_int_eq(reqivo_connection_acquire(client, &request, &connection), 0);
    ck_assert_int_eq(reqivo_connection_refresh(connection), 0);
    ck_assert_int_eq(reqivo_connection_info(connection, &known), 0);
    ck_assert_str_eq(known.address, "192.0.2.1:443");
    ck_assert_int_eq(reqivo_connection_release(&connection), 0);
    ck_assert_ptr_null(connection);
    request = build("https://example.org/");
    ck_assert_int_eq(reqivo_connection_acquire(client, &request, &connection), REQIVO_E_TLS_HOST);
    ck_assert_ptr_null(request);
    ck_assert_int_eq(reqivo_connection_error(connection), REQIVO_E_TLS_HOST);
    reqivo_connection_close(connection);
    reqivo_connection_close(NULL);
}
END_TEST

/* ---- rows from a daemon that does it wrong ---- */

START_TEST(rows_that_nobody_asked_for)
{
    struct reqivo_pool *pool = new_pool();
    struct seen seen = {0};

    ck_assert_int_eq(reqivo_pool_limit_async(pool, 2, on_seen, &seen), 0);
    greet();
    uint64_t id = expect_pool(RQV_OP_POOL_LIMIT, 2);
    fake_put_row(&fake, id, stats_row); /* means nothing */
    fake_put_row(&fake, id, stats_row); /* one too many */
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_WIRE);
    reqivo_pool_free(pool);
}
END_TEST

/* ---- helpers ---- */

static const char *const methods[] = {"GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "PATCH"};

static void serve_methods(struct fake *daemon)
{
    uint64_t id;

    fake_greet(daemon);
    for (int i = 0; i < 7; i++) {
        struct rqv_request_head head = fake_request(daemon, &id);
        ck_assert(rqv_str_eq(head.method, rqv_str_from(methods[i])));
        if (i >= 4) {
            ck_assert_str_eq(fake_field(&head, "content-type"), "application/json");
            fake_expect(daemon, RQV_WIRE_DATA);
            ck_assert(rqv_str_eq(daemon->payload, RQV_STR("{}")));
        }
        fake_put_reply(daemon, id, methods[i]);
        fake_flush(daemon);
    }
}

typedef int plain_fn(struct reqivo_client *client, const char *url, struct reqivo_response **ret_response);
typedef int content_fn(struct reqivo_client *client, const char *url, const struct reqivo_content *content,
                       struct reqivo_response **ret_response);

START_TEST(methods_that_block)
{
    static plain_fn *const plain[] = {reqivo_get, reqivo_head, reqivo_delete, reqivo_options};
    static content_fn *const with[] = {reqivo_post, reqivo_put, reqivo_patch};
    const struct reqivo_content json = reqivo_json("{}");
    struct reqivo_response *response;

    fake_fork(&fake, serve_methods);
    for (int i = 0; i < 7; i++) {
        int r = i < 4 ? plain[i](client, "http://example.org/", &response)
                      : with[i - 4](client, "http://example.org/", &json, &response);
        ck_assert_int_eq(r, 0);
        ck_assert_str_eq(reqivo_response_text(response), methods[i]);
        reqivo_response_free(response);
    }
}
END_TEST

START_TEST(methods_with_callbacks)
{
    struct reqivo_session *session = NULL;
    struct seen seen = {0};
    uint64_t id;

    ck_assert_int_eq(reqivo_session_new(client, &session), 0);
    ck_assert_int_eq(reqivo_session_set_cookies(session, 0), 0);
    const char *url = "http://example.org/";
    ck_assert_int_eq(reqivo_get_async(client, url, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_head_async(client, url, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_delete_async(client, url, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_options_async(client, url, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_post_async(client, url, NULL, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_put_async(client, url, NULL, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_patch_async(client, url, NULL, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_session_get_async(session, url, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_session_head_async(session, url, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_session_delete_async(session, url, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_session_options_async(session, url, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_session_post_async(session, url, NULL, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_session_put_async(session, url, NULL, on_seen, &seen), 0);
    ck_assert_int_eq(reqivo_session_patch_async(session, url, NULL, on_seen, &seen), 0);
    greet();
    for (int i = 0; i < 14; i++) {
        struct rqv_request_head head = fake_request(&fake, &id);
        ck_assert(rqv_str_eq(head.method, rqv_str_from(methods[i % 7])));
        ck_assert_uint_eq(head.redirect_max, i < 7 ? 0 : 30);
        ck_assert_uint_eq(head.flags & RQV_REQ_HAS_BODY, i % 7 < 4 ? 0 : RQV_REQ_HAS_BODY);
        fake_put_reply(&fake, id, "x");
    }
    fake_flush(&fake);
    while (reqivo_client_pending(client) > 0)
        ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    ck_assert_int_eq(seen.count, 14);
    ck_assert_int_eq(reqivo_session_get_async(NULL, url, on_seen, &seen), -EINVAL);
    ck_assert_int_eq(reqivo_post_async(client, "", NULL, on_seen, &seen), -EINVAL);
    ck_assert_int_eq(reqivo_get_async(client, url, NULL, &seen), -EINVAL);
    reqivo_session_free(session);
}
END_TEST

START_TEST(forms_and_json)
{
    struct reqivo_form *form = NULL;

    ck_assert_int_eq(reqivo_form_new(&form), 0);
    ck_assert_uint_eq(reqivo_form_content(form).size, 0);
    ck_assert_int_eq(reqivo_form_add(form, "a b", "c&d"), 0);
    ck_assert_int_eq(reqivo_form_add(form, "e", ""), 0);
    ck_assert_int_eq(reqivo_form_add(form, NULL, ""), -EINVAL);
    struct reqivo_content content = reqivo_form_content(form);
    ck_assert(rqv_str_eq((struct rqv_str){content.bytes, content.size}, RQV_STR("a+b=c%26d&e=")));
    ck_assert_str_eq(content.type, "application/x-www-form-urlencoded");
    reqivo_form_free(form);
    reqivo_form_free(NULL);
    ck_assert_uint_eq(reqivo_json(NULL).size, 0);
    ck_assert_uint_eq(reqivo_form_content(NULL).size, 0);
}
END_TEST

START_TEST(error_classes)
{
    ck_assert_int_eq(reqivo_error_is(REQIVO_E_TIMEOUT_TLS, REQIVO_CLASS_CONNECT_TIMEOUT), 1);
    ck_assert_int_eq(reqivo_error_is(REQIVO_E_TIMEOUT_TLS, REQIVO_CLASS_READ_TIMEOUT), 0);
    ck_assert_int_eq(reqivo_error_is(REQIVO_E_REDIRECT_LOOP, REQIVO_CLASS_REDIRECT_LOOP), 1);
    ck_assert_int_eq(reqivo_error_is(REQIVO_E_REDIRECT_LIMIT, REQIVO_CLASS_TOO_MANY_REDIRECTS), 1);
    ck_assert_int_eq(reqivo_error_is(-EINVAL, REQIVO_CLASS_USAGE), 1);
    ck_assert_int_eq(reqivo_error_is(0, REQIVO_CLASS_OK), 1);
}
END_TEST

/* ---- files ---- */

struct progress {
    uint64_t received;
    int64_t total;
    unsigned calls, stop_at;
};

static int on_progress(struct reqivo_client *handle, uint64_t received, int64_t total, void *userdata)
{
    struct progress *progress = userdata;

    (void)handle;
    ck_assert_uint_ge(received, progress->received);
    progress->received = received;
    progress->total = total;
    return ++progress->calls == progress->stop_at;
}

static void check_file(const char *path, const char *want)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(read(fd, text, sizeof text - 1), 0);
    close(fd);
    ck_assert_str_eq(text, want);
}

/* Saves a response with that status and end into a file that says "old". */
static void save(const char *path, struct progress *progress, int status, int code, struct seen *seen)
{
    struct reqivo_request *request = build("http://example.org/");
    uint64_t id;

    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, "old", 3), 3);
    close(fd);
    ck_assert_int_eq(reqivo_request_set_save(request, path, on_progress, progress), 0);
    submit_request(client, request, seen);
    if (fake.fd < 0)
        greet();
    turn(client);
    fake_request(&fake, &id);
    fake_put_response(&fake, id, status, 8);
    fake_put_data(&fake, id, "new ", 4);
    fake_flush(&fake);
    turn(client);
    check_file(path, "old");
    fake_put_data(&fake, id, "text", 4);
    fake_put_done(&fake, id, code, REQIVO_SENT_YES);
    fake_flush(&fake);
    drive(client, seen);
}

START_TEST(saved_to_a_file)
{
    struct progress progress = {0};
    struct seen seen = {0};
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "%s/file", fake.folder);
    umask(027);
    save(path, &progress, 404, 0, &seen); /* no success: in memory */
    ck_assert_str_eq(seen.body, "new text");
    check_file(path, "old");
    ck_assert_uint_eq(progress.calls, 0);

    seen = (struct seen){0};
    save(path, &progress, 200, REQIVO_E_TRUNCATED, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_TRUNCATED);
    check_file(path, "old");

    seen = (struct seen){0};
    progress = (struct progress){.stop_at = 1};
    save(path, &progress, 200, 0, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_CANCELED);
    check_file(path, "old");
    turn(client);
    fake_expect(&fake, RQV_WIRE_CANCEL);

    seen = (struct seen){0};
    progress = (struct progress){0};
    save(path, &progress, 200, 0, &seen);
    ck_assert_int_eq(seen.code, 0);
    ck_assert_uint_eq(seen.body_size, 0);
    check_file(path, "new text");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
    ck_assert_uint_eq(progress.received, 8);
    ck_assert_int_eq(progress.total, 8);
    unlink(path);
    ck_assert_int_eq(rmdir(fake.folder), -1); /* the socket is in it, but nothing else: */
    fake_unlisten(&fake);
    ck_assert_int_eq(rmdir(fake.folder), 0);
}
END_TEST

START_TEST(files_that_cannot_be_made)
{
    struct reqivo_request *request = build("http://example.org/");
    char folder[64];

    ck_assert_int_eq(reqivo_request_set_save(request, "/nowhere/file", NULL, NULL), -ENOENT);
    ck_assert_int_eq(reqivo_request_set_save(request, "/dev/null", NULL, NULL), -EINVAL);
    ck_assert_int_eq(reqivo_request_set_save(request, "", NULL, NULL), -EINVAL);
    ck_assert_int_eq(reqivo_request_set_save(request, NULL, NULL, NULL), -EINVAL);
    snprintf(folder, sizeof folder, "%s/file", fake.folder);
    ck_assert_int_eq(reqivo_request_set_save(request, folder, NULL, NULL), 0);
    reqivo_request_free(request); /* removes what it had begun */
    fake_unlisten(&fake);
    ck_assert_int_eq(rmdir(fake.folder), 0);
}
END_TEST

START_TEST(a_response_is_saved)
{
    struct seen seen = {.keep = true};
    char path[64];
    uint64_t id;

    submit_url(client, "GET", "http://example.org/", &seen);
    greet();
    fake_request(&fake, &id);
    fake_put_reply(&fake, id, "the body");
    fake_flush(&fake);
    drive(client, &seen);
    snprintf(path, sizeof path, "%s/file", fake.folder);
    ck_assert_int_eq(reqivo_response_save(seen.response, path), 0);
    check_file(path, "the body");
    ck_assert_int_eq(reqivo_response_save(seen.response, path), 0);
    ck_assert_int_eq(reqivo_response_save(seen.response, "/nowhere/file"), -ENOENT);
    char link[80];
    struct stat st;
    snprintf(link, sizeof link, "%s/link", fake.folder);
    ck_assert_int_eq(symlink("file", link), 0);
    ck_assert_int_eq(reqivo_response_save(seen.response, link), 0); /* it stays, and leads to the new file */
    ck_assert(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    check_file(path, "the body");
    unlink(path);
    ck_assert_int_eq(reqivo_response_save(seen.response, link), -ENOENT);
    unlink(link);
    ck_assert_int_eq(reqivo_response_save(seen.response, path), 0);
    ck_assert_int_eq(reqivo_response_save(NULL, path), -EINVAL);
    reqivo_response_free(seen.response);
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
    Suite *s = suite_create("client_objects");

    add_case(s, "pools",
             (const TTest *const[]){pool_with_callbacks, pool_that_blocks, operations_can_be_canceled,
                                    rows_that_nobody_asked_for, NULL});
    add_case(s, "connections",
             (const TTest *const[]){a_connection_with_callbacks, a_connection_that_is_closed,
                                    a_connection_that_is_not_acquired, a_connection_is_lost_with_the_daemon,
                                    a_connection_that_blocks, NULL});
    add_case(s, "helpers",
             (const TTest *const[]){methods_that_block, methods_with_callbacks, forms_and_json, error_classes,
                                    NULL});
    add_case(s, "files",
             (const TTest *const[]){saved_to_a_file, files_that_cannot_be_made, a_response_is_saved, NULL});
    return s;
}

UNIT_MAIN(suite)
