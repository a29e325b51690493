/* SPDX-License-Identifier: MIT */
/* libclient: requests and responses against a daemon that behaves: order, ids, cancel, callbacks, close,
 * fork. */
#include "tests/unit/fake_daemon.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(first_flight_is_one_write)
{
    struct fake fake;
    struct seen seen = {0};
    struct reqivo_request *request;
    uint64_t id;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_int_ge(reqivo_client_fd(client), 0);
    ck_assert_int_eq(reqivo_request_new("POST", "https://example.org/x", &request), 0);
    ck_assert_int_eq(reqivo_request_add_field(request, "X-One", "  padded "), 0);
    ck_assert_int_eq(reqivo_request_set_body(request, "hello", 5), 0);
    submit_request(client, request, &seen);
    ck_assert_int_eq(reqivo_client_timeout_ms(client), 0);
    ck_assert_int_eq(reqivo_client_events(client), POLLIN | POLLOUT);
    ck_assert_int_eq(reqivo_client_process(client), 0);
    ck_assert_int_eq(reqivo_client_events(client), POLLIN);
    fake_accept(&fake);
    fake_expect(&fake, RQV_WIRE_HELLO);
    size_t first = fake.last_read;
    struct rqv_request_head head = fake_request(&fake, &id);
    ck_assert_int_eq(strncmp(head.method.ptr, "POST", 4), 0);
    ck_assert_uint_eq(head.fields.count, 1);
    ck_assert(rqv_str_eq(head.fields.at[0].value, RQV_STR("padded")));
    ck_assert_uint_eq(head.body_length, 5);
    ck_assert_uint_eq(head.flags, RQV_REQ_HAS_BODY);
    fake_expect(&fake, RQV_WIRE_DATA);
    ck_assert(rqv_str_eq(fake.payload, RQV_STR("hello")));
    ck_assert_uint_eq(fake.header.flags, RQV_FLAG_END);
    ck_assert_uint_eq(fake.last_read, first); /* one recv() had it all */
    ck_assert(fake_is_empty(&fake));
    ck_assert_str_eq(reqivo_client_daemon(client), "");
    fake_put_hello(&fake);
    fake_put_reply(&fake, id, "yes");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_str_eq(reqivo_client_daemon(client), "fake/1");
    ck_assert_int_eq(reqivo_client_daemon_uid(client), (long)geteuid());
    ck_assert_uint_eq(reqivo_client_pending(client), 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(response_has_everything)
{
    struct fake fake;
    struct seen seen = {.keep = true};
    const char *name, *value;
    struct rqv_fields trailers = {.count = 0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t id = submit_url(client, "GET", "https://example.org/", &seen);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_put_response(&fake, id, 201, -1);
    fake_put_data(&fake, id, "one ", 4);
    fake_put_data(&fake, id, "two", 3);
    rqv_fields_add(&trailers, RQV_STR("Sum"), RQV_STR("42"));
    ck_assert_int_eq(rqv_wire_encode_trailers(&fake.out, id, &trailers), 0);
    fake_put_done(&fake, id, 0, REQIVO_SENT_YES);
    fake_flush(&fake);
    drive(client, &seen);
    const struct reqivo_response *r = seen.response;
    ck_assert_int_eq(reqivo_response_error(r), 0);
    ck_assert_uint_eq(reqivo_response_id(r), id);
    ck_assert_int_eq(reqivo_response_status(r), 201);
    ck_assert_int_eq(reqivo_response_minor(r), 1);
    ck_assert_str_eq(reqivo_response_reason(r), "Fine");
    ck_assert_str_eq(reqivo_response_address(r), "192.0.2.1:443");
    ck_assert_uint_eq(reqivo_response_field_count(r), 3);
    ck_assert_str_eq(reqivo_response_field(r, "CONTENT-type", 0), "text/plain");
    ck_assert_str_eq(reqivo_response_field(r, "x-two", 1), "b");
    ck_assert_ptr_null(reqivo_response_field(r, "x-two", 2));
    ck_assert_int_eq(reqivo_response_field_at(r, 1, &name, &value), 0);
    ck_assert_str_eq(name, "X-Two");
    ck_assert_str_eq(value, "a");
    ck_assert_int_eq(reqivo_response_field_at(r, 3, &name, &value), -ENOENT);
    ck_assert_uint_eq(reqivo_response_trailer_count(r), 1);
    ck_assert_int_eq(reqivo_response_trailer_at(r, 0, &name, &value), 0);
    ck_assert_str_eq(value, "42");
    ck_assert_uint_eq(reqivo_response_body_size(r), 7);
    ck_assert_str_eq(reqivo_response_body(r), "one two");
    ck_assert_int_eq(reqivo_response_content_length(r), -1);
    ck_assert_int_eq(reqivo_response_sent(r), REQIVO_SENT_YES);
    ck_assert_uint_eq(reqivo_response_time_us(r, REQIVO_TIME_TOTAL), 4711);
    ck_assert_uint_gt(reqivo_response_time_us(r, REQIVO_TIME_CALL), 0);
    reqivo_response_free(seen.response);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(failure_is_carried)
{
    struct fake fake;
    struct seen seen = {.keep = true};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t id = submit_url(client, "GET", "https://example.org/", &seen);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_put_done(&fake, id, REQIVO_E_CONNECT, REQIVO_SENT_NO);
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(reqivo_response_error(seen.response), REQIVO_E_CONNECT);
    ck_assert_int_eq(reqivo_response_phase(seen.response), REQIVO_PHASE_CONNECT);
    ck_assert_str_eq(reqivo_response_detail(seen.response), "as?told");
    ck_assert_str_eq(reqivo_response_body(seen.response), "");
    ck_assert_int_eq(seen.status, 0);
    reqivo_response_free(seen.response);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(completions_come_in_the_order_of_their_end)
{
    struct fake fake;
    struct seen seen[3] = {0};
    uint64_t id[3];

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    for (int i = 0; i < 3; i++)
        id[i] = submit_url(client, "GET", "http://example.org/", &seen[i]);
    ck_assert_uint_lt(id[0], id[1]);
    ck_assert_uint_eq(reqivo_client_pending(client), 3);
    turn(client);
    fake_greet(&fake);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_REQUEST), id[i]);
    fake_put_reply(&fake, id[2], "c");
    fake_put_reply(&fake, id[0], "a");
    fake_put_reply(&fake, id[1], "b");
    fake_flush(&fake);
    unsigned before = seen_total;
    ck_assert_int_eq(reqivo_client_process(client), 0);
    ck_assert_uint_eq(seen_total, before); /* reading is not dispatching */
    ck_assert_int_eq(reqivo_client_timeout_ms(client), 0);
    ck_assert_int_eq(reqivo_client_dispatch(client), 3);
    ck_assert_uint_eq(seen[2].order, before + 1);
    ck_assert_uint_eq(seen[0].order, before + 2);
    ck_assert_uint_eq(seen[1].order, before + 3);
    ck_assert_str_eq(seen[2].body, "c");
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(cancel_completes_once_and_late_frames_are_eaten)
{
    struct fake fake;
    struct seen seen = {0}, other = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t id = submit_url(client, "GET", "http://example.org/", &seen);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    ck_assert_int_eq(reqivo_cancel(client, id), 0);
    ck_assert_int_eq(seen.count, 0);
    ck_assert_int_eq(reqivo_client_dispatch(client), 1);
    ck_assert_int_eq(seen.code, REQIVO_E_CANCELED);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_UNKNOWN);
    ck_assert_int_eq(reqivo_cancel(client, id), -ENOENT);
    ck_assert_int_eq(reqivo_cancel(client, 99), -ENOENT);
    turn(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), id);
    fake_put_reply(&fake, id, "too late");
    uint64_t next = submit_url(client, "GET", "http://example.org/", &other);
    turn(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_REQUEST), next);
    fake_put_reply(&fake, next, "in time");
    fake_flush(&fake);
    drive(client, &other);
    ck_assert_str_eq(other.body, "in time");
    ck_assert_int_eq(seen.count, 1);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* ---- inside callbacks ---- */

struct inside {
    struct seen seen;
    int count, call, wait, dispatch, submit;
    bool close;
    struct seen next;
};

static void on_inside(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct inside *inside = userdata;
    struct reqivo_request *request = NULL;
    struct reqivo_response *never = NULL;

    inside->count++;
    reqivo_response_free(response);
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/2", &request), 0);
    inside->call = reqivo_call(client, &request, &never);
    inside->wait = reqivo_client_wait(client, 0);
    inside->dispatch = reqivo_client_dispatch(client);
    ck_assert_ptr_nonnull(request);
    ck_assert_int_eq(reqivo_get(client, "http://example.org/", &never), -EBUSY);
    ck_assert_int_eq(reqivo_client_process(client), 0);
    inside->submit = reqivo_submit(client, &request, on_seen, &inside->next, NULL);
    if (inside->close)
        reqivo_close(client);
    reqivo_request_free(request);
}

static void run_inside(struct fake *fake, struct reqivo_client *client, struct inside *inside)
{
    struct reqivo_request *request;
    uint64_t id;

    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/1", &request), 0);
    ck_assert_int_eq(reqivo_submit(client, &request, on_inside, inside, &id), 0);
    ck_assert_int_eq(inside->count, 0);
    turn(client);
    fake_greet(fake);
    fake_expect(fake, RQV_WIRE_REQUEST);
    fake_put_reply(fake, id, "x");
    fake_flush(fake);
    ck_assert_int_eq(reqivo_client_wait(client, 5000), 1);
    ck_assert_int_eq(inside->count, 1);
    ck_assert_int_eq(inside->call, -EBUSY);
    ck_assert_int_eq(inside->wait, -EBUSY);
    ck_assert_int_eq(inside->dispatch, -EBUSY);
    ck_assert_int_eq(inside->submit, 0);
}

START_TEST(submit_inside_a_callback)
{
    struct fake fake;
    struct inside inside = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    run_inside(&fake, client, &inside);
    turn(client);
    fake_serve(&fake, 1);
    drive(client, &inside.next);
    ck_assert_str_eq(inside.next.body, "http://example.org/2");
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(close_inside_a_callback)
{
    struct fake fake;
    struct inside inside = {.close = true};
    struct seen other = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_url(client, "GET", "http://example.org/other", &other);
    turn(client);
    fake_accept(&fake);
    fake_expect(&fake, RQV_WIRE_HELLO);
    fake_put_hello(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    struct reqivo_request *request;
    uint64_t id;
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/1", &request), 0);
    ck_assert_int_eq(reqivo_submit(client, &request, on_inside, &inside, &id), 0);
    turn(client);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_put_reply(&fake, id, "x");
    fake_flush(&fake);
    ck_assert_int_eq(reqivo_client_wait(client, 5000), 1);
    /* The handle is gone: what was pending, that of the callback included, has completed. */
    ck_assert_int_eq(inside.count, 1);
    ck_assert_int_eq(other.count, 1);
    ck_assert_int_eq(other.code, REQIVO_E_CANCELED);
    ck_assert_int_eq(inside.next.count, 1);
    ck_assert_int_eq(inside.next.code, REQIVO_E_CANCELED);
    fake_stop(&fake);
}
END_TEST

static void on_close_submit(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_response_error(response), REQIVO_E_CANCELED);
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_submit(client, &request, on_seen, userdata, NULL), REQIVO_E_CANCELED);
    reqivo_close(client); /* harmless */
    reqivo_request_free(request);
    reqivo_response_free(response);
    ++*(int *)userdata;
}

START_TEST(close_completes_everything_once)
{
    struct fake fake;
    struct seen sent = {0}, here = {0}, done = {0};
    struct reqivo_request *request;
    int count = 0;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_url(client, "POST", "http://example.org/", &sent);
    uint64_t id = submit_url(client, "GET", "http://example.org/", &done);
    turn(client);
    fake_greet(&fake);
    fake_put_reply(&fake, id, "x");
    fake_flush(&fake);
    ck_assert_int_eq(reqivo_client_process(client), 0);
    submit_url(client, "POST", "http://example.org/", &here);
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_submit(client, &request, on_close_submit, &count, NULL), 0);
    reqivo_close(client);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(sent.count + here.count + done.count, 3);
    ck_assert_int_eq(sent.code, REQIVO_E_CANCELED);
    ck_assert_int_eq(sent.sent, REQIVO_SENT_UNKNOWN);
    ck_assert_int_eq(here.sent, REQIVO_SENT_NO);
    ck_assert_int_eq(done.code, REQIVO_E_CANCELED);
    ck_assert_int_eq(done.sent, REQIVO_SENT_YES);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_expect_eof(&fake);
    fake_stop(&fake);
}
END_TEST

START_TEST(forked_child_gets_echild)
{
    struct fake fake;
    struct seen seen = {0};
    int status = -1;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t id = submit_url(client, "GET", "http://example.org/", &seen);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    pid_t child = fork();
    if (child == 0) {
        struct reqivo_request *request = NULL;
        struct reqivo_response *response = NULL;
        bool ok = reqivo_request_new("GET", "http://example.org/", &request) == 0 &&
                  reqivo_submit(client, &request, on_seen, &seen, NULL) == -ECHILD && request &&
                  reqivo_call(client, &request, &response) == -ECHILD &&
                  reqivo_cancel(client, id) == -ECHILD && reqivo_client_process(client) == -ECHILD &&
                  reqivo_client_dispatch(client) == -ECHILD && reqivo_client_wait(client, 0) == -ECHILD &&
                  reqivo_client_fd(client) == -1 && reqivo_resume(client, id) == -ECHILD &&
                  reqivo_unpause(client, id) == -ECHILD;
        reqivo_request_free(request);
        reqivo_close(client);
        _exit(ok && seen.count == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    fake_put_reply(&fake, id, "parent");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_str_eq(seen.body, "parent");
    reqivo_close(client);
    fake_expect_eof(&fake);
    fake_stop(&fake);
}
END_TEST

/* ---- many ---- */

static void serve_many(struct fake *fake)
{
    fake_greet(fake);
    fake_serve(fake, 10000);
}

static void on_count(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    (void)client;
    ck_assert_int_eq(reqivo_response_error(response), 0);
    ck_assert_str_eq(reqivo_response_body(response), "http://example.org/many");
    reqivo_response_free(response);
    ++*(size_t *)userdata;
}

START_TEST(ten_thousand_requests_in_one_handle)
{
    struct fake fake;
    size_t submitted = 0, done = 0;

    fake_start(&fake);
    fake_fork(&fake, serve_many);
    struct reqivo_client *client = open_client(&fake);
    while (done < 10000) {
        while (submitted < 10000 && reqivo_client_pending(client) < 1000) {
            struct reqivo_request *request;
            ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/many", &request), 0);
            ck_assert_int_eq(reqivo_submit(client, &request, on_count, &done, NULL), 0);
            submitted++;
        }
        ck_assert_int_ge(reqivo_client_wait(client, -1), 0);
    }
    ck_assert_uint_eq(reqivo_client_pending(client), 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(too_many_in_flight)
{
    struct fake fake;
    struct seen seen[RQV_WIRE_IN_FLIGHT_MAX];
    struct reqivo_request *request;

    memset(seen, 0, sizeof seen);
    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    for (int i = 0; i < RQV_WIRE_IN_FLIGHT_MAX; i++)
        submit_url(client, "GET", "http://example.org/", &seen[i]);
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_submit(client, &request, on_seen, &seen[0], NULL), REQIVO_E_LIMIT_REQUESTS);
    ck_assert_ptr_nonnull(request);
    reqivo_request_free(request);
    reqivo_close(client);
    for (int i = 0; i < RQV_WIRE_IN_FLIGHT_MAX; i++)
        ck_assert_int_eq(seen[i].count, 1);
    fake_stop(&fake);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_flow");

    UNIT_TCASE(s, "responses", first_flight_is_one_write, response_has_everything, failure_is_carried,
               completions_come_in_the_order_of_their_end);
    UNIT_TCASE(s, "cancel", cancel_completes_once_and_late_frames_are_eaten);
    UNIT_TCASE(s, "callbacks", submit_inside_a_callback, close_inside_a_callback,
               close_completes_everything_once);
    UNIT_TCASE(s, "fork", forked_child_gets_echild);
    UNIT_TCASE(s, "many", ten_thousand_requests_in_one_handle, too_many_in_flight);
    return s;
}

UNIT_MAIN(suite)
