/* SPDX-License-Identifier: MIT */
/* test_client_websocket_sync - blocking sessions, against a daemon in a child. */
#include "tests/unit/fake_ws.h"
#include "tests/unit/unit.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fake fake;

static struct reqivo_client *begin(void (*script)(struct fake *))
{
    fake_start(&fake);
    fake.caps = RQV_CAP_WEBSOCKET;
    fake_fork(&fake, script);
    return open_client(&fake);
}

static void end(struct reqivo_client *client, struct reqivo_websocket *ws)
{
    reqivo_websocket_free(ws);
    reqivo_close(client);
    fake_stop(&fake);
}

static struct reqivo_websocket *open_sync(struct reqivo_client *client)
{
    struct reqivo_request *request = ws_request();
    struct reqivo_websocket *ws = NULL;

    ck_assert_int_eq(reqivo_websocket_open(client, &request, NULL, &ws), 0);
    ck_assert_ptr_null(request);
    return ws;
}

static void until_eof(struct fake *daemon)
{
    char drop[65536];

    while (recv(daemon->fd, drop, sizeof drop, 0) > 0)
        ;
}

/* ---- open, receive, send, close ---- */

static void talk(struct fake *daemon)
{
    uint64_t id = fake_opens(daemon);

    fake_expect(daemon, RQV_WIRE_WS_DATA);
    fake_put_event(daemon, id, RQV_WS_LOST, 0);
    fake_put_message(daemon, id, RQV_FLAG_FIRST | RQV_FLAG_TEXT, "ans");
    fake_put_message(daemon, id, RQV_FLAG_END | RQV_FLAG_TEXT, "wer");
    fake_flush(daemon);
    fake_expect(daemon, RQV_WIRE_WS_CLOSE);
    fake_put_message(daemon, id, WS_WHOLE, "after the close");
    fake_put_close(daemon, id, 1000, 0, 1);
    fake_put_done(daemon, id, 0, REQIVO_SENT_YES);
    fake_flush(daemon);
    until_eof(daemon);
}

START_TEST(opens_talks_and_closes)
{
    struct reqivo_client *client = begin(talk);
    struct reqivo_websocket *ws = open_sync(client);
    struct reqivo_message message;

    ck_assert_str_eq(reqivo_websocket_protocol(ws), "chat");
    ck_assert_int_eq(reqivo_websocket_receive(ws, 0, &message), -EAGAIN);
    ck_assert_int_eq(reqivo_websocket_receive(ws, 20, &message), -EAGAIN);
    ck_assert_int_eq(reqivo_websocket_receive(ws, 0, NULL), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_resume(ws), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_send(ws, REQIVO_TEXT, "question", 8), 0);
    ck_assert_int_eq(reqivo_websocket_receive(ws, -1, &message), 0);
    ck_assert_uint_eq(message.size, 6);
    ck_assert_mem_eq(message.bytes, "answer", 6);
    ck_assert_int_eq(reqivo_websocket_close(ws, 1000, "bye"), 0);
    ck_assert_int_eq(reqivo_websocket_receive(ws, -1, &message), 0); /* what had come is not lost */
    ck_assert_uint_eq(message.size, 15);
    ck_assert_int_eq(reqivo_websocket_receive(ws, -1, &message), REQIVO_E_WEBSOCKET_CLOSED);
    ck_assert_int_eq(reqivo_websocket_send(ws, REQIVO_TEXT, "", 0), REQIVO_E_WEBSOCKET_CLOSED);
    ck_assert_int_eq(reqivo_websocket_close(ws, 1000, NULL), REQIVO_E_WEBSOCKET_CLOSED);
    ck_assert_int_eq(reqivo_websocket_error(ws), 0);
    ck_assert_int_eq(reqivo_websocket_close_code(ws), 1000);
    ck_assert_str_eq(reqivo_websocket_close_reason(ws), "why");
    end(client, ws);
}
END_TEST

/* A message that has come is given even when the deadline has passed. */
static void hurry(struct fake *daemon)
{
    uint64_t id = fake_opens(daemon);

    fake_put_message(daemon, id, WS_WHOLE, "x");
    fake_flush(daemon);
    until_eof(daemon);
}

START_TEST(a_deadline_of_zero_looks_once)
{
    struct reqivo_client *client = begin(hurry);
    struct reqivo_websocket *ws = open_sync(client);
    struct reqivo_message message;
    int r = -EAGAIN;

    for (int i = 0; i < 5000 && r == -EAGAIN; i++) {
        usleep(1000);
        r = reqivo_websocket_receive(ws, 0, &message);
    }
    ck_assert_int_eq(r, 0);
    end(client, ws);
}
END_TEST

/* ---- refusals ---- */

static void refuse(struct fake *daemon)
{
    fake_greet(daemon);
    fake_put_done(daemon, fake_expect(daemon, RQV_WIRE_WS_OPEN), REQIVO_E_WEBSOCKET_HANDSHAKE,
                  REQIVO_SENT_UNKNOWN);
    fake_flush(daemon);
    until_eof(daemon);
}

START_TEST(a_session_that_failed_tells_why)
{
    struct reqivo_client *client = begin(refuse);
    struct reqivo_request *request = ws_request();
    struct reqivo_websocket *ws = NULL;
    struct reqivo_message message;

    ck_assert_int_eq(reqivo_websocket_open(client, &request, NULL, &ws), REQIVO_E_WEBSOCKET_HANDSHAKE);
    ck_assert_ptr_null(request);
    ck_assert_str_eq(reqivo_websocket_detail(ws), "as?told");
    ck_assert_int_eq(reqivo_websocket_close_code(ws), 0);
    ck_assert_int_eq(reqivo_websocket_receive(ws, -1, &message), REQIVO_E_WEBSOCKET_HANDSHAKE);
    end(client, ws);
}
END_TEST

static void greet_only(struct fake *daemon)
{
    daemon->caps = 0;
    fake_greet(daemon);
    until_eof(daemon);
}

START_TEST(daemon_without_websockets)
{
    struct reqivo_client *client = begin(greet_only);
    struct reqivo_request *request = ws_request();
    struct reqivo_websocket *ws = NULL;

    ck_assert_int_eq(reqivo_websocket_open(client, &request, NULL, &ws), REQIVO_E_VERSION);
    reqivo_request_free(request);
    end(client, ws);
}
END_TEST

/* ---- flow ---- */

static void give_credit(struct fake *daemon)
{
    uint64_t id = fake_opens(daemon);

    for (size_t got = 0; got < (size_t)8 << 20; got += daemon->header.length) {
        fake_expect(daemon, RQV_WIRE_WS_DATA);
        rqv_wire_encode_credit(&daemon->out, id, daemon->header.length + RQV_WS_DATA_COST);
        fake_flush(daemon);
    }
    fake_put_message(daemon, id, WS_WHOLE, "all");
    fake_flush(daemon);
    until_eof(daemon);
}

START_TEST(send_waits_for_credit)
{
    static char bytes[1 << 20];
    struct reqivo_client *client = begin(give_credit);
    struct reqivo_websocket *ws = open_sync(client);
    struct reqivo_message message;

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(reqivo_websocket_send_part(ws, REQIVO_BINARY, bytes, sizeof bytes, i == 7), 0);
    ck_assert_int_eq(reqivo_websocket_receive(ws, -1, &message), 0);
    end(client, ws);
}
END_TEST

static void lose(struct fake *daemon)
{
    fake_opens(daemon);
    fake_expect(daemon, RQV_WIRE_WS_DATA);
}

START_TEST(daemon_is_lost)
{
    struct reqivo_client *client = begin(lose);
    struct reqivo_websocket *ws = open_sync(client);
    struct reqivo_message message;

    ck_assert_int_eq(reqivo_websocket_send(ws, REQIVO_TEXT, "x", 1), 0);
    ck_assert_int_eq(reqivo_websocket_receive(ws, -1, &message), REQIVO_E_DAEMON_LOST);
    ck_assert_int_eq(reqivo_websocket_send(ws, REQIVO_TEXT, "x", 1), REQIVO_E_WEBSOCKET_CLOSED);
    end(client, ws);
}
END_TEST

static void never_close(struct fake *daemon)
{
    fake_opens(daemon);
    until_eof(daemon);
}

START_TEST(close_waits_ten_seconds)
{
    struct reqivo_client *client = begin(never_close);
    struct reqivo_websocket *ws = open_sync(client);

    ck_assert_int_eq(reqivo_websocket_close(ws, 1000, NULL), -EAGAIN);
    end(client, ws);
}
END_TEST

/* ---- the handle's rules ---- */

static void serve_one(struct fake *daemon)
{
    fake_opens(daemon);
    fake_serve(daemon, 1);
    until_eof(daemon);
}

static void try_all(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct reqivo_websocket *ws = *(struct reqivo_websocket **)userdata, *other = NULL;
    struct reqivo_request *request = ws_request();
    struct reqivo_message message;

    ck_assert_int_eq(reqivo_websocket_open(client, &request, NULL, &other), -EBUSY);
    ck_assert_int_eq(reqivo_websocket_send(ws, REQIVO_TEXT, "x", 1), -EBUSY);
    ck_assert_int_eq(reqivo_websocket_send_part(ws, REQIVO_TEXT, "x", 1, 1), -EBUSY);
    ck_assert_int_eq(reqivo_websocket_receive(ws, 0, &message), -EBUSY);
    ck_assert_int_eq(reqivo_websocket_close(ws, 1000, NULL), -EBUSY);
    reqivo_request_free(request);
    reqivo_response_free(response);
    *(struct reqivo_websocket **)userdata = NULL;
}

START_TEST(nothing_blocks_inside_a_callback)
{
    struct reqivo_client *client = begin(serve_one);
    struct reqivo_websocket *ws = open_sync(client), *mark = ws;
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_submit(client, &request, try_all, &mark, NULL), 0);
    while (mark)
        ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    end(client, ws);
}
END_TEST

static int in_child(struct reqivo_client *client, struct reqivo_websocket *ws)
{
    struct reqivo_request *request = ws_request();
    struct reqivo_websocket *other = NULL;
    struct reqivo_message message;
    bool ok = reqivo_websocket_open(client, &request, NULL, &other) == -ECHILD &&
              reqivo_websocket_send(ws, REQIVO_TEXT, "x", 1) == -ECHILD &&
              reqivo_websocket_send_part(ws, REQIVO_TEXT, "x", 1, 1) == -ECHILD &&
              reqivo_websocket_receive(ws, 0, &message) == -ECHILD &&
              reqivo_websocket_close(ws, 1000, NULL) == -ECHILD;

    reqivo_request_free(request);
    return ok ? 0 : 1;
}

START_TEST(a_forked_child_may_not)
{
    struct reqivo_client *client = begin(never_close);
    struct reqivo_websocket *ws = open_sync(client);
    struct ws_seen seen = {0};
    int status;

    struct reqivo_websocket *async = ws_begin(client, &seen, NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(in_child(client, ws) || reqivo_websocket_resume(async) != -ECHILD);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    reqivo_websocket_free(async);
    end(client, ws);
}
END_TEST

START_TEST(the_handle_goes_first)
{
    struct reqivo_client *client = begin(never_close);
    struct reqivo_websocket *ws = open_sync(client);
    struct reqivo_message message;

    reqivo_close(client);
    ck_assert_int_eq(reqivo_websocket_receive(ws, -1, &message), REQIVO_E_CANCELED);
    ck_assert_int_eq(reqivo_websocket_send(ws, REQIVO_TEXT, "x", 1), REQIVO_E_WEBSOCKET_CLOSED);
    end(NULL, ws);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_websocket_sync");

    UNIT_TCASE(s, "sync", opens_talks_and_closes, a_deadline_of_zero_looks_once,
               a_session_that_failed_tells_why, daemon_without_websockets, send_waits_for_credit,
               daemon_is_lost, close_waits_ten_seconds, nothing_blocks_inside_a_callback,
               a_forked_child_may_not, the_handle_goes_first);
    return s;
}

UNIT_MAIN(suite)
