/* SPDX-License-Identifier: MIT */
/* libclient: the blocking calls, what they read for others, queries, and the libev adapter. */
#include "tests/unit/fake_daemon.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <reqivo/adapters/libev.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void serve_three(struct fake *fake)
{
    fake_greet(fake);
    fake_serve(fake, 3);
}

START_TEST(call_and_get)
{
    struct fake fake;
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;

    fake_start(&fake);
    fake_fork(&fake, serve_three);
    struct reqivo_client *client = open_client(&fake);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(reqivo_get(client, "http://example.org/get", &response), 0);
        ck_assert_str_eq(reqivo_response_body(response), "http://example.org/get");
        reqivo_response_free(response);
    }
    ck_assert_int_eq(reqivo_request_new("POST", "http://example.org/post", &request), 0);
    errno = 77;
    ck_assert_int_eq(reqivo_call(client, &request, &response), 0);
    ck_assert_int_eq(errno, 77);
    ck_assert_ptr_null(request);
    ck_assert_int_eq(reqivo_response_status(response), 200);
    reqivo_response_free(response);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

static void fail_and_die(struct fake *fake)
{
    fake_greet(fake);
    fake_put_done(fake, fake_expect(fake, RQV_WIRE_REQUEST), REQIVO_E_RESOLVE, REQIVO_SENT_NO);
    fake_flush(fake);
    fake_expect(fake, RQV_WIRE_REQUEST);
}

START_TEST(call_reports_failures)
{
    struct fake fake;
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;

    fake_start(&fake);
    fake_fork(&fake, fail_and_die);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_int_eq(reqivo_get(client, "http://example.org/", &response), REQIVO_E_RESOLVE);
    ck_assert_int_eq(reqivo_response_error(response), REQIVO_E_RESOLVE);
    reqivo_response_free(response);
    ck_assert_int_eq(reqivo_request_new("POST", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_call(client, &request, &response), REQIVO_E_DAEMON_LOST);
    ck_assert_int_eq(reqivo_response_sent(response), REQIVO_SENT_UNKNOWN);
    reqivo_response_free(response);
    response = NULL;
    ck_assert_int_eq(reqivo_get(client, "", &response), -EINVAL);
    ck_assert_ptr_null(response);
    ck_assert_int_eq(reqivo_call(client, &request, &response), -EINVAL);
    ck_assert_int_eq(reqivo_call(NULL, &request, &response), -EINVAL);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* Answers the first request only together with the second. */
static void serve_both_at_once(struct fake *fake)
{
    fake_greet(fake);
    uint64_t a = fake_expect(fake, RQV_WIRE_REQUEST);
    uint64_t b = fake_expect(fake, RQV_WIRE_REQUEST);
    fake_put_reply(fake, a, "for A");
    fake_put_reply(fake, b, "for B");
    fake_flush(fake);
    fake_expect_eof(fake);
}

START_TEST(others_responses_wait_for_dispatch)
{
    struct fake fake;
    struct seen seen = {0};
    struct reqivo_response *response = NULL;

    fake_start(&fake);
    fake_fork(&fake, serve_both_at_once);
    struct reqivo_client *client = open_client(&fake);
    submit_url(client, "GET", "http://example.org/a", &seen);
    ck_assert_int_eq(reqivo_get(client, "http://example.org/b", &response), 0);
    ck_assert_str_eq(reqivo_response_body(response), "for B");
    reqivo_response_free(response);
    ck_assert_int_eq(seen.count, 0);
    ck_assert_int_eq(reqivo_client_timeout_ms(client), 0);
    ck_assert_int_eq(reqivo_client_wait(client, -1), 1); /* without a further byte */
    ck_assert_str_eq(seen.body, "for A");
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* ---- streams inside a call ---- */

struct stream {
    int heads;
    size_t bytes, stalls;
    bool close;
};

static int on_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    struct stream *stream = userdata;
    struct reqivo_response *never = NULL;

    stream->heads += reqivo_response_status(response) == 200;
    ck_assert_int_eq(reqivo_get(client, "http://example.org/", &never), -EBUSY);
    return 0;
}

static int on_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    struct stream *stream = userdata;

    (void)bytes;
    stream->bytes += size;
    if (stream->close)
        reqivo_close(client);
    return REQIVO_PAUSE; /* has no meaning in a call: nobody could end it */
}

static long slow_source(void *buffer, size_t size, void *userdata)
{
    struct stream *stream = userdata;

    (void)size;
    if (stream->stalls-- > 0)
        return -EAGAIN;
    memset(buffer, 'x', 3);
    return 3;
}

static void serve_upload(struct fake *fake)
{
    fake_greet(fake);
    uint64_t id = fake_expect(fake, RQV_WIRE_REQUEST);
    fake_expect(fake, RQV_WIRE_DATA);
    fake_put_reply(fake, id, "thanks");
    fake_flush(fake);
    fake_expect_eof(fake);
}

static int call_stream(struct fake *fake, struct stream *stream, struct reqivo_client **ret_client)
{
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;

    fake_start(fake);
    fake_fork(fake, serve_upload);
    *ret_client = open_client(fake);
    ck_assert_int_eq(reqivo_request_new("POST", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_body_callback(request, slow_source, stream, 3), 0);
    ck_assert_int_eq(reqivo_request_set_stream(request, on_head, on_body, stream), 0);
    int r = reqivo_call(*ret_client, &request, &response);
    ck_assert_int_eq(r, reqivo_response_error(response));
    reqivo_response_free(response);
    ck_assert_int_eq(stream->heads, 1);
    ck_assert_uint_eq(stream->bytes, 6);
    return r;
}

START_TEST(call_streams_both_ways)
{
    struct fake fake;
    struct stream stream = {.stalls = 3};
    struct reqivo_client *client;

    ck_assert_int_eq(call_stream(&fake, &stream, &client), 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(close_during_a_call)
{
    struct fake fake;
    struct stream stream = {.close = true};
    struct reqivo_client *client;
    int r = call_stream(&fake, &stream, &client);

    ck_assert(r == 0 || r == REQIVO_E_CANCELED); /* the handle is gone either way */
    fake_stop(&fake);
}
END_TEST

/* ---- queries ---- */

struct rows {
    int rows;
    char text[100];
};

static void on_row(size_t count, const char *const names[], const char *const values[], void *userdata)
{
    struct rows *rows = userdata;
    size_t at = strlen(rows->text);

    rows->rows++;
    for (size_t i = 0; i < count && at < sizeof rows->text; i++)
        at += (size_t)snprintf(rows->text + at, sizeof rows->text - at, "%s=%s;", names[i], values[i]);
}

static void serve_query(struct fake *fake)
{
    struct rqv_fields fields = {.count = 0};
    uint16_t verb = 0;
    const char *why;

    fake_greet(fake);
    uint64_t id = fake_expect(fake, RQV_WIRE_QUERY);
    if (rqv_wire_decode_verb(fake->payload, &verb, &why) < 0 || verb != REQIVO_QUERY_POOLS)
        _exit(1);
    rqv_fields_add(&fields, RQV_STR("origin"), RQV_STR("https://a"));
    rqv_fields_add(&fields, RQV_STR("idle"), RQV_STR("1"));
    rqv_wire_encode_info(&fake->out, id, &fields);
    rqv_wire_encode_info(&fake->out, id, &fields);
    fake_put_done(fake, id, 0, REQIVO_SENT_NO);
    fake_flush(fake);
    fake_expect(fake, RQV_WIRE_QUERY); /* this one is not answered */
    fake_expect_eof(fake);
}

START_TEST(query_gives_rows)
{
    struct fake fake;
    struct rows rows = {0};

    fake_start(&fake);
    fake_fork(&fake, serve_query);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_int_eq(reqivo_query(client, 7, 1000, on_row, &rows), -EINVAL);
    ck_assert_int_eq(reqivo_query(client, REQIVO_QUERY_POOLS, 5000, on_row, &rows), 0);
    ck_assert_int_eq(rows.rows, 2);
    ck_assert_str_eq(rows.text, "origin=https://a;idle=1;origin=https://a;idle=1;");
    ck_assert_int_eq(reqivo_query(client, REQIVO_QUERY_STATUS, 50, on_row, &rows), REQIVO_E_TIMEOUT_TOTAL);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* ---- libev ---- */

struct looped {
    struct seen seen;
    struct reqivo_libev *adapter;
    const char *next;
    bool close;
};

static void on_looped(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct looped *looped = userdata;
    struct reqivo_request *request = NULL;

    on_seen(client, response, &looped->seen);
    if (looped->next) {
        ck_assert_int_eq(reqivo_request_new("GET", looped->next, &request), 0);
        looped->next = NULL;
        ck_assert_int_eq(reqivo_submit(client, &request, on_looped, looped, NULL), 0);
    } else if (looped->close) {
        reqivo_libev_detach(looped->adapter);
        reqivo_close(client);
    }
}

static void submit_looped(struct reqivo_client *client, struct looped *looped)
{
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/a", &request), 0);
    ck_assert_int_eq(reqivo_submit(client, &request, on_looped, looped, NULL), 0);
}

START_TEST(libev_runs_until_nothing_is_pending)
{
    struct fake fake;
    struct reqivo_libev adapter;
    struct looped looped = {.next = "http://example.org/b"};
    struct ev_loop *loop = ev_loop_new(0);

    fake_start(&fake);
    fake_fork(&fake, serve_three);
    struct reqivo_client *client = open_client(&fake);
    reqivo_libev_attach(&adapter, loop, client);
    ev_run(loop, 0); /* nothing pending: returns */
    submit_looped(client, &looped);
    ev_run(loop, 0);
    ck_assert_int_eq(looped.seen.count, 2);
    ck_assert_str_eq(looped.seen.body, "http://example.org/b");
    looped.close = true; /* detaches and closes in the callback */
    looped.adapter = &adapter;
    submit_looped(client, &looped);
    ev_run(loop, 0);
    ck_assert_int_eq(looped.seen.count, 3);
    reqivo_libev_detach(&adapter);
    ev_loop_destroy(loop);
    fake_stop(&fake);
}
END_TEST

START_TEST(libev_dispatches_what_call_has_read)
{
    struct fake fake;
    struct reqivo_libev adapter;
    struct looped looped = {0};
    struct reqivo_response *response = NULL;
    struct ev_loop *loop = ev_loop_new(0);

    fake_start(&fake);
    fake_fork(&fake, serve_both_at_once);
    struct reqivo_client *client = open_client(&fake);
    reqivo_libev_attach(&adapter, loop, client);
    submit_looped(client, &looped);
    ck_assert_int_eq(reqivo_get(client, "http://example.org/b", &response), 0);
    reqivo_response_free(response);
    ck_assert_int_eq(looped.seen.count, 0);
    ev_run(loop, 0); /* no further byte comes */
    ck_assert_int_eq(looped.seen.count, 1);
    ck_assert_str_eq(looped.seen.body, "for A");
    reqivo_libev_detach(&adapter);
    reqivo_close(client);
    ev_loop_destroy(loop);
    fake_stop(&fake);
}
END_TEST

static void serve_after_restart(struct fake *fake)
{
    fake_greet(fake);
    fake_expect(fake, RQV_WIRE_REQUEST);
    fake_hangup(fake);
    fake_greet(fake);
    fake_serve(fake, 1);
}

START_TEST(libev_follows_a_reconnect)
{
    struct fake fake;
    struct reqivo_libev adapter;
    struct looped looped = {0};
    struct ev_loop *loop = ev_loop_new(0);

    fake_start(&fake);
    fake_fork(&fake, serve_after_restart);
    struct reqivo_client *client = open_client(&fake);
    reqivo_libev_attach(&adapter, loop, client);
    submit_looped(client, &looped);
    ev_run(loop, 0);
    ck_assert_int_eq(looped.seen.count, 1);
    ck_assert_int_eq(looped.seen.code, 0);
    reqivo_libev_detach(&adapter);
    reqivo_close(client);
    ev_loop_destroy(loop);
    fake_stop(&fake);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_sync");

    UNIT_TCASE(s, "call", call_and_get, call_reports_failures, others_responses_wait_for_dispatch,
               call_streams_both_ways, close_during_a_call);
    UNIT_TCASE(s, "query", query_gives_rows);
    UNIT_TCASE(s, "libev", libev_runs_until_nothing_is_pending, libev_dispatches_what_call_has_read,
               libev_follows_a_reconnect);
    return s;
}

UNIT_MAIN(suite)
