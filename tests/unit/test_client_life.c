/* SPDX-License-Identifier: MIT */
/* libclient: a daemon that hangs or is mute, a handle that is not there or was inherited by a fork, an
 * adapter that ends inside its own callback. Time is made to pass by moving the channel's deadline. */
#include "libclient/handle.h"
#include "tests/unit/fake_daemon.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <reqivo/adapters/libev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* As if the time until the next sign of life had passed. */
static void age(struct reqivo_client *client)
{
    uint64_t left = client->channel.deadline_ms - rqv_now_ms();

    ck_assert_uint_le(left, RQV_SILENCE_MS);
    client->channel.deadline_ms -= left;
    ck_assert_int_eq(reqivo_client_timeout_ms(client), 0);
}

/* A POST that the daemon has read, and the daemon silent from here. */
static struct reqivo_client *hand_over(struct fake *fake, struct seen *seen)
{
    fake_start(fake);
    struct reqivo_client *client = open_client(fake);
    submit_url(client, "POST", "http://example.org/", seen);
    turn(client);
    fake_greet(fake);
    turn(client);
    fake_expect(fake, RQV_WIRE_REQUEST);
    return client;
}

START_TEST(hung_daemon_is_lost)
{
    struct fake fake;
    struct seen seen = {0};
    struct reqivo_client *client = hand_over(&fake, &seen);
    int timeout_ms = reqivo_client_timeout_ms(client);

    ck_assert_int_gt(timeout_ms, 0); /* a loop is told when to look */
    ck_assert_int_le(timeout_ms, RQV_SILENCE_MS + 1);
    age(client);
    turn(client);
    fake_expect(&fake, RQV_WIRE_QUERY); /* the question goes out, and is not answered */
    ck_assert_int_eq(seen.count, 0);
    ck_assert_int_le(reqivo_client_timeout_ms(client), RQV_ANSWER_MS + 1);
    age(client);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_DAEMON_LOST);
    ck_assert_int_eq(seen.phase, REQIVO_PHASE_IPC);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_UNKNOWN);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(slow_daemon_is_not_lost)
{
    struct fake fake;
    struct seen seen = {0};
    struct reqivo_client *client = hand_over(&fake, &seen);
    uint64_t id = fake.header.id;
    struct rqv_fields row = {.count = 0};

    rqv_fields_add(&row, RQV_STR("uid"), RQV_STR("1"));
    for (int i = 0; i < 3; i++) {
        age(client);
        turn(client);
        uint64_t question = fake_expect(&fake, RQV_WIRE_QUERY);
        ck_assert_int_eq(rqv_wire_encode_info(&fake.out, question, &row), 0);
        fake_put_done(&fake, question, 0, REQIVO_SENT_NO);
        fake_flush(&fake);
        age(client); /* the program was busy: the answer lies in the socket, unread */
        rqv_client_timers(client, rqv_now_ms());
        turn(client); /* heard: no question */
        ck_assert(fake_is_empty(&fake));
        ck_assert_int_eq(seen.count, 0);
    }
    fake_put_reply(&fake, id, "late");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_str_eq(seen.body, "late");
    ck_assert_int_eq(reqivo_client_timeout_ms(client), -1); /* idle: nothing is due */
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(silence_counts_from_the_first_request)
{
    struct fake fake;
    struct seen first = {0}, second = {0};
    struct reqivo_client *client = hand_over(&fake, &first);

    fake_put_reply(&fake, fake.header.id, "one");
    fake_flush(&fake);
    drive(client, &first);
    client->channel.heard = false; /* was idle for long */
    client->channel.deadline_ms = rqv_now_ms();
    submit_url(client, "POST", "http://example.org/", &second);
    ck_assert_int_eq(reqivo_client_process(client), 0);
    ck_assert_int_gt(reqivo_client_timeout_ms(client), RQV_SILENCE_MS / 2);
    fake_serve(&fake, 1); /* a REQUEST and no QUERY */
    drive(client, &second);
    ck_assert_int_eq(second.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(mute_daemon_is_given_its_time)
{
    struct fake fake;
    struct seen seen = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_url(client, "GET", "http://example.org/", &seen);
    ck_assert_int_eq(reqivo_client_process(client), 0);
    for (int i = 0; i < 2; i++) { /* the request goes once more */
        fake_accept(&fake);
        fake_expect(&fake, RQV_WIRE_HELLO);
        fake_expect(&fake, RQV_WIRE_REQUEST); /* and no HELLO for it */
        ck_assert_int_eq(seen.count, 0);
        uint64_t left = client->channel.deadline_ms - rqv_now_ms();
        ck_assert_uint_gt(left, RQV_GREETING_MS / 2);
        ck_assert_uint_le(left, RQV_GREETING_MS);
        ck_assert_int_le(reqivo_client_timeout_ms(client), RQV_GREETING_MS + 1);
        age(client);
        turn(client);
        fake_expect_eof(&fake);
        fake_hangup(&fake);
        while (i == 0 && reqivo_client_fd(client) < 0)
            ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    }
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_DAEMON_LOST);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_UNKNOWN);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* Opened long ago, and busy elsewhere since then: no time for HELLO has passed, since none was asked for. */
START_TEST(greeting_counts_from_hello)
{
    struct fake fake;
    struct seen seen = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_uint_eq(client->channel.deadline_ms, UINT64_MAX);
    submit_url(client, "POST", "http://example.org/", &seen);
    turn(client);
    ck_assert_int_gt(reqivo_client_timeout_ms(client), RQV_GREETING_MS / 2);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* What the daemon may be closing in this moment is not written to. */
START_TEST(late_first_flight_takes_a_new_connection)
{
    struct fake fake;
    struct seen seen = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    fake_accept(&fake);
    int before = reqivo_client_fd(client);
    client->channel.connected_ms -= RQV_WIRE_HELLO_TIMEOUT_MS;
    submit_url(client, "POST", "http://example.org/", &seen);
    turn(client);
    ck_assert_int_ne(reqivo_client_fd(client), before); /* event loops must notice */
    fake_expect_eof(&fake);
    fake_hangup(&fake);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* The program was stopped, and the daemon perhaps with it: the time starts again, once. */
static void come_late(struct reqivo_client *client)
{
    client->channel.deadline_ms = rqv_now_ms() - 5000;
    turn(client);
}

START_TEST(late_turn_blames_no_daemon)
{
    struct fake fake;
    struct seen seen = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_url(client, "POST", "http://example.org/", &seen);
    turn(client);
    come_late(client);
    ck_assert_int_eq(seen.count, 0);
    ck_assert_int_gt(reqivo_client_timeout_ms(client), RQV_GREETING_MS / 2);
    fake_greet(&fake);
    turn(client);
    uint64_t id = fake_expect(&fake, RQV_WIRE_REQUEST);
    age(client);
    turn(client);
    fake_expect(&fake, RQV_WIRE_QUERY);
    come_late(client);
    ck_assert_int_eq(seen.count, 0);
    fake_put_goaway(&fake, REQIVO_E_SHUTDOWN, 0, NULL);
    fake_flush(&fake);
    turn(client);
    come_late(client);
    ck_assert_int_eq(seen.count, 0);
    fake_put_reply(&fake, id, "late");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_str_eq(seen.body, "late");
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(always_late_program_ends_too)
{
    struct fake fake;
    struct seen seen = {0};
    struct reqivo_client *client = hand_over(&fake, &seen);

    age(client);
    turn(client);
    fake_expect(&fake, RQV_WIRE_QUERY);
    come_late(client);
    ck_assert_int_eq(seen.count, 0);
    come_late(client);
    ck_assert_int_eq(seen.count, 1);
    ck_assert_int_eq(seen.code, REQIVO_E_DAEMON_LOST);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(late_reader_of_hello)
{
    struct fake fake;
    struct seen seen = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    turn(client);
    fake_greet(&fake);
    fake_put_reply(&fake, 1, "ready"); /* to the request that comes */
    fake_flush(&fake);
    client->channel.deadline_ms = 1; /* the program did other things for long: HELLO lies in the socket */
    submit_url(client, "GET", "http://example.org/", &seen);
    rqv_client_timers(client, rqv_now_ms());
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(socket_is_never_stdin_stdout_or_stderr)
{
    struct fake fake;
    struct reqivo_client *clients[3];

    fake_start(&fake);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = open_client(&fake);
        ck_assert_int_gt(reqivo_client_fd(clients[i]), STDERR_FILENO);
    }
    for (size_t i = 0; i < 3; i++)
        reqivo_close(clients[i]);
    fake_stop(&fake);
}
END_TEST

/* ---- no handle of one's own ---- */

START_TEST(forked_child_has_nothing_pending)
{
    struct fake fake;
    struct seen seen = {0};
    struct reqivo_client *client = hand_over(&fake, &seen);
    int status = -1;

    ck_assert_str_eq(reqivo_client_daemon(client), "fake/1");
    ck_assert_uint_eq(reqivo_client_pending(client), 1);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(reqivo_client_pending(client) == 0 && strcmp(reqivo_client_daemon(client), "") == 0 &&
                      reqivo_client_daemon_uid(client) == -1 && reqivo_client_fd(client) == -1 &&
                      reqivo_client_events(client) == 0 && reqivo_client_timeout_ms(client) == -1 &&
                      reqivo_client_wait(client, -1) == -ECHILD
                  ? 0
                  : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq((int)reqivo_client_daemon_uid(client), (int)getuid());
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(call_without_a_handle_has_a_response)
{
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;

    errno = 77;
    ck_assert_int_eq(reqivo_get(NULL, "http://example.org/", &response), REQIVO_E_NO_DAEMON);
    ck_assert_int_eq(errno, 77);
    ck_assert_int_eq(reqivo_response_error(response), REQIVO_E_NO_DAEMON);
    ck_assert_int_eq(reqivo_response_phase(response), REQIVO_PHASE_IPC);
    ck_assert_int_eq(reqivo_response_sent(response), REQIVO_SENT_NO);
    ck_assert_str_ne(reqivo_response_detail(response), "");
    reqivo_response_free(response);
    response = NULL;
    ck_assert_int_eq(reqivo_request_new("POST", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_call(NULL, &request, NULL), -EINVAL);
    ck_assert_ptr_nonnull(request);
    ck_assert_int_eq(reqivo_call(NULL, &request, &response), REQIVO_E_NO_DAEMON);
    ck_assert_ptr_null(request);
    reqivo_response_free(response);
    ck_assert_int_eq(reqivo_get(NULL, "", &response), -EINVAL);
    ck_assert_int_eq(reqivo_get(NULL, "http://example.org/", NULL), -EINVAL);
}
END_TEST

START_TEST(open_error_tells_an_empty_variable)
{
    char text[400];

    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", "/nowhere", 1), 0);
    ck_assert_int_eq(unsetenv("REQIVO_SOCKET"), 0);
    reqivo_open_error(NULL, text, sizeof text);
    if (!strstr(text, "REQIVO_SOCKET")) /* a system daemon runs here: nothing is wrong */
        return;
    ck_assert_ptr_nonnull(strstr(text, "REQIVO_SOCKET is not set"));
    ck_assert_int_eq(setenv("REQIVO_SOCKET", "", 1), 0);
    reqivo_open_error(NULL, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "REQIVO_SOCKET is empty"));
    ck_assert_int_eq(setenv("REQIVO_SOCKET", "/nowhere/socket", 1), 0);
    reqivo_open_error(NULL, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "REQIVO_SOCKET is set"));
}
END_TEST

/* ---- libev ---- */

static void free_adapter(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct reqivo_libev *adapter = userdata;

    reqivo_response_free(response);
    reqivo_libev_detach(adapter);
    memset(adapter, 0xff, sizeof *adapter); /* no pointer in it may be followed from here */
    free(adapter);
    reqivo_close(client);
}

static void serve_one(struct fake *fake)
{
    fake_greet(fake);
    fake_serve(fake, 1);
}

START_TEST(adapter_freed_in_its_callback)
{
    struct fake fake;
    struct reqivo_request *request = NULL;
    struct reqivo_libev *adapter = malloc(sizeof *adapter);
    struct ev_loop *loop = ev_loop_new(0);

    fake_start(&fake);
    fake_fork(&fake, serve_one);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_ptr_nonnull(adapter);
    reqivo_libev_attach(adapter, loop, client);
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/a", &request), 0);
    ck_assert_int_eq(reqivo_submit(client, &request, free_adapter, adapter, NULL), 0);
    ev_run(loop, 0);
    ev_loop_destroy(loop);
    fake_stop(&fake);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_life");

    UNIT_TCASE(s, "silence", hung_daemon_is_lost, slow_daemon_is_not_lost,
               silence_counts_from_the_first_request, mute_daemon_is_given_its_time, late_reader_of_hello,
               greeting_counts_from_hello, late_first_flight_takes_a_new_connection,
               late_turn_blames_no_daemon, always_late_program_ends_too);
    UNIT_TCASE(s, "handle", socket_is_never_stdin_stdout_or_stderr, forked_child_has_nothing_pending,
               call_without_a_handle_has_a_response, open_error_tells_an_empty_variable);
    UNIT_TCASE(s, "libev", adapter_freed_in_its_callback);
    return s;
}

UNIT_MAIN(suite)
