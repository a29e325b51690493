/* SPDX-License-Identifier: MIT */
/* test_client_websocket - sessions with callbacks, against a daemon in the test's hands. The blocking ones
 * are test_client_websocket_sync. */
#include "tests/unit/fake_ws.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/socket.h>

static struct fake fake;
static struct reqivo_client *client;
static struct ws_seen seen;
static uint64_t id;

static void setup(void)
{
    memset(&seen, 0, sizeof seen);
    fake_start(&fake);
    fake.caps = RQV_CAP_WEBSOCKET;
    client = open_client(&fake);
}

static void teardown(void)
{
    reqivo_websocket_free(seen.ws);
    reqivo_close(client);
    fake_stop(&fake);
}

static void open_with(const struct reqivo_websocket_options *options)
{
    ws_begin(client, &seen, options);
    reqivo_client_process(client);
    fake_greet(&fake);
    reqivo_client_wait(client, 1000);
    id = fake_opens(&fake);
    ws_drive(client, &seen.opened, 1);
}

/* The daemon ends it: WS_CLOSE and DONE. */
static void daemon_ends(uint16_t code, int error, uint32_t undelivered, uint32_t taken)
{
    fake_put_close(&fake, id, code, undelivered, taken);
    fake_put_done(&fake, id, error, REQIVO_SENT_YES);
    fake_flush(&fake);
    ws_drive(client, &seen.closed, 1);
}

START_TEST(opens_talks_and_closes)
{
    const struct reqivo_websocket_options options = {
        .message_max = 1000, .ping_ms = 5, .pong_ms = 6, .idle_ms = 7, .reconnect = 8, .backoff_ms = 9};
    struct rqv_ws_open open;
    const char *why;

    ws_begin(client, &seen, &options);
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_TEXT, "early", 5), 0);
    reqivo_client_process(client);
    fake_greet(&fake);
    reqivo_client_wait(client, 1000);
    id = fake_expect(&fake, RQV_WIRE_WS_OPEN);
    ck_assert_int_eq(rqv_wire_decode_ws_open(fake.payload, &open, &why), 0);
    ck_assert_uint_eq(open.message_max, 1000);
    ck_assert_uint_eq(open.reconnect_max, 8);
    ck_assert_uint_eq(open.ping_ms + open.pong_ms + open.idle_ms + open.backoff_ms, 5 + 6 + 7 + 9);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_WS_DATA), id);
    ck_assert_uint_eq(fake.header.flags, WS_WHOLE | RQV_FLAG_TEXT);
    fake_put_opened(&fake, id);
    fake_put_message(&fake, id, RQV_FLAG_FIRST | RQV_FLAG_TEXT, "hel");
    fake_put_message(&fake, id, RQV_FLAG_END | RQV_FLAG_TEXT, "lo");
    fake_put_message(&fake, id, WS_WHOLE, "");
    fake_flush(&fake);
    ws_drive(client, &seen.messages, 1);
    ws_drive(client, &seen.messages, 2);
    ck_assert_int_eq(seen.last.kind, REQIVO_BINARY);
    ck_assert_uint_eq(seen.last.size, 0);
    ck_assert_int_eq(reqivo_websocket_close(seen.ws, 1000, "bye"), 0);
    ck_assert_int_eq(reqivo_websocket_close(seen.ws, 1000, "bye"), REQIVO_E_WEBSOCKET_CLOSED);
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_TEXT, "", 0), REQIVO_E_WEBSOCKET_CLOSED);
    reqivo_client_process(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_WS_CLOSE), id);
    daemon_ends(1000, 0, 0, 1);
    ck_assert_int_eq(seen.code, 0);
    ck_assert_int_eq(seen.heard_code, 1000);
    ck_assert_str_eq(seen.reason, "why");
    ck_assert_uint_eq(seen.undelivered, 0);
    ck_assert_uint_eq(reqivo_client_pending(client), 0);
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_TEXT, "", 0), REQIVO_E_WEBSOCKET_CLOSED);
}
END_TEST

START_TEST(pieces_are_told_as_they_come)
{
    const struct reqivo_websocket_options options = {.pieces = 1};

    open_with(&options);
    fake_put_message(&fake, id, RQV_FLAG_FIRST, "one");
    fake_flush(&fake);
    ws_drive(client, &seen.messages, 1);
    ck_assert(seen.last.first && !seen.last.last && seen.last.size == 3);
    fake_put_message(&fake, id, RQV_FLAG_END, "");
    fake_flush(&fake);
    ws_drive(client, &seen.messages, 2);
    ck_assert(!seen.last.first && seen.last.last && seen.last.size == 0);
}
END_TEST

START_TEST(a_message_is_sent_in_pieces)
{
    open_with(NULL);
    ck_assert_int_eq(reqivo_websocket_send_part(seen.ws, REQIVO_TEXT, "a", 1, 0), 0);
    ck_assert_int_eq(reqivo_websocket_send_part(seen.ws, REQIVO_TEXT, "", 0, 0), 0); /* nothing */
    ck_assert_int_eq(reqivo_websocket_send_part(seen.ws, REQIVO_BINARY, "b", 1, 0), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_TEXT, "b", 1), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_send_part(seen.ws, REQIVO_TEXT, "", 0, 1), 0);
    reqivo_client_process(client);
    fake_expect(&fake, RQV_WIRE_WS_DATA);
    ck_assert_uint_eq(fake.header.flags, RQV_FLAG_FIRST | RQV_FLAG_TEXT);
    fake_expect(&fake, RQV_WIRE_WS_DATA);
    ck_assert_uint_eq(fake.header.flags, RQV_FLAG_END | RQV_FLAG_TEXT);
    ck_assert_uint_eq(fake.header.length, 0);
}
END_TEST

START_TEST(arguments_are_checked)
{
    static const int bad[] = {0, 999, 1004, 1006, 1015, 2999, 5000};
    struct reqivo_websocket_callbacks no_close = {.on_open = seen_open};
    struct reqivo_websocket_options options = {.callbacks = &no_close};
    struct reqivo_request *request = ws_request();
    struct reqivo_message message;
    char reason[125];

    ck_assert_int_eq(reqivo_websocket_open(client, &request, &options, &seen.ws), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_open(client, &request, NULL, NULL), -EINVAL);
    ck_assert_ptr_nonnull(request);
    reqivo_request_free(request);
    open_with(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(reqivo_websocket_close(seen.ws, bad[i], NULL), -EINVAL);
    memset(reason, 'r', 124);
    reason[124] = '\0';
    ck_assert_int_eq(reqivo_websocket_close(seen.ws, 1000, reason), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_close(NULL, 1000, NULL), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, 0, "x", 1), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_TEXT, NULL, 1), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_send(NULL, REQIVO_TEXT, "", 0), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_receive(seen.ws, 0, &message), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_resume(NULL), -EINVAL);
    ck_assert_int_eq(reqivo_websocket_error(NULL), -EINVAL);
}
END_TEST

START_TEST(too_large_and_too_many)
{
    struct reqivo_websocket_options options = {.callbacks = &seen_callbacks, .userdata = &seen};
    struct reqivo_request *request = ws_request();
    static struct reqivo_websocket *all[RQV_WIRE_IN_FLIGHT_MAX];
    struct reqivo_websocket *ws = NULL;
    static char value[61000];
    int r = 0;

    memset(value, 'v', sizeof value - 1);
    open_with(NULL);
    ck_assert_int_eq(reqivo_request_add_field(request, "X-Large", value), 0);
    while ((r = reqivo_request_add_field(request, "X", "")) == 0)
        ;
    ck_assert_int_eq(r, REQIVO_E_LIMIT_HEAD); /* of the builder: what it takes fits into WS_OPEN, too */
    ck_assert_int_eq(reqivo_websocket_open(client, &request, &options, &ws), 0);
    ck_assert_ptr_null(request);
    reqivo_websocket_free(ws);
    r = 0;
    for (int i = 0; i < RQV_WIRE_IN_FLIGHT_MAX && r == 0; i++) {
        request = ws_request();
        r = reqivo_websocket_open(client, &request, &options, &all[i]);
    }
    ck_assert_int_eq(r, REQIVO_E_LIMIT_REQUESTS);
    ck_assert_ptr_nonnull(request);
    reqivo_request_free(request);
    for (int i = 0; i < RQV_WIRE_IN_FLIGHT_MAX; i++)
        reqivo_websocket_free(all[i]);
}
END_TEST

/* ---- flow ---- */

START_TEST(one_mebibyte_may_wait)
{
    static char bytes[300000];
    int sent = 0;

    open_with(NULL);
    while (reqivo_websocket_send(seen.ws, REQIVO_BINARY, bytes, sizeof bytes) == 0) {
        sent++;
        reqivo_client_process(client);
    }
    ck_assert_int_ge(sent, 4); /* 1 MiB waits, and what the socket takes is gone */
    ck_assert_int_le(sent, 9);
    ck_assert_uint_eq(seen.drains, 0);
    for (size_t got = 0; got < (size_t)sent * sizeof bytes;) {
        while (!fake_poll(&fake))
            reqivo_client_wait(client, 1);
        ck_assert_uint_eq(fake.header.type, RQV_WIRE_WS_DATA);
        got += fake.header.length;
        rqv_wire_encode_credit(&fake.out, id, fake.header.length + RQV_WS_DATA_COST);
        fake_flush(&fake);
    }
    ws_drive(client, &seen.drains, 1);
    ck_assert_uint_eq(seen.drains, 1);
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_BINARY, bytes, sizeof bytes), 0);
}
END_TEST

START_TEST(a_message_is_put_off_and_resumed)
{
    open_with(NULL);
    seen.put_off = 1;
    fake_put_message(&fake, id, WS_WHOLE, "first");
    fake_put_message(&fake, id, WS_WHOLE, "second");
    fake_flush(&fake);
    for (int i = 0; i < 5; i++)
        reqivo_client_wait(client, 10);
    ck_assert_uint_eq(seen.put_off, 0);
    ck_assert_uint_eq(seen.messages, 0);
    ck_assert_int_eq(reqivo_websocket_resume(seen.ws), 0);
    ck_assert_uint_eq(seen.messages, 0); /* not inside the call */
    reqivo_client_dispatch(client);
    ck_assert_uint_eq(seen.messages, 2);
    ck_assert_str_eq(seen.text, "second");
    ck_assert_int_eq(reqivo_websocket_resume(seen.ws), 0); /* nothing to do */
    reqivo_client_dispatch(client);
    ck_assert_uint_eq(seen.messages, 2);
}
END_TEST

START_TEST(what_is_put_off_comes_before_the_end)
{
    open_with(NULL);
    seen.put_off = 2;
    fake_put_message(&fake, id, WS_WHOLE, "kept");
    fake_flush(&fake);
    for (int i = 0; i < 5; i++)
        reqivo_client_wait(client, 10);
    ck_assert_uint_eq(seen.put_off,
                      1); /* once more when the session has ended; then it waits for the program */
    fake_put_close(&fake, id, 1000, 0, 0);
    fake_put_done(&fake, id, 0, REQIVO_SENT_YES);
    fake_flush(&fake);
    for (int i = 0; i < 5; i++)
        reqivo_client_wait(client, 10);
    ck_assert_uint_eq(seen.put_off, 0);
    ck_assert_uint_eq(seen.closed, 0);
    ck_assert_int_eq(reqivo_websocket_resume(seen.ws), 0);
    ws_drive(client, &seen.closed, 1);
    ck_assert_str_eq(seen.text, "kept");
}
END_TEST

START_TEST(the_end_is_answered_when_all_before_is_taken)
{
    open_with(NULL);
    seen.put_off = 1;
    seen.passes_on = true;
    fake_put_message(&fake, id, WS_WHOLE, "last");
    fake_put_event(&fake, id, RQV_WS_ENDING, 0);
    fake_flush(&fake);
    for (int i = 0; i < 5; i++)
        reqivo_client_wait(client, 10);
    ck_assert_uint_eq(seen.put_off, 0);
    ck_assert(fake_is_empty(&fake));
    ck_assert_int_eq(reqivo_websocket_resume(seen.ws), 0);
    ws_drive(client, &seen.messages, 1);
    reqivo_client_process(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_WS_DATA), id);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_WS_CLOSE), id);
    ck_assert_uint_eq(seen.events, 0); /* it is not the program's to see */
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_TEXT, "", 0), REQIVO_E_WEBSOCKET_CLOSED);
    daemon_ends(1001, 0, 0, 1);
    ck_assert_int_eq(seen.heard_code, 1001);
    ck_assert_uint_eq(seen.undelivered, 0);
}
END_TEST

START_TEST(echo_under_credit)
{
    static char bytes[65537];
    const struct reqivo_websocket_options options = {.pieces = 1};
    size_t out = 0, back = 0;
    uint32_t more;
    const char *why;

    memset(bytes, 'e', sizeof bytes - 1);
    seen.passes_on = true;
    open_with(&options);
    for (uint64_t window = RQV_WS_WINDOW; window >= sizeof bytes + RQV_WS_DATA_COST;
         out += sizeof bytes - 1) {
        fake_put_message(&fake, id, WS_WHOLE, bytes);
        fake_flush(&fake);
        window -= sizeof bytes - 1 + RQV_WS_DATA_COST;
        reqivo_client_wait(client, 10);
        while (fake_poll(&fake)) { /* takes what is sent, and grants nothing for it */
            if (fake.header.type == RQV_WIRE_CREDIT && rqv_wire_decode_u32(fake.payload, &more, &why) == 0)
                window += more;
            back += fake.header.type == RQV_WIRE_WS_DATA ? fake.header.length : 0;
            reqivo_client_wait(client, 1);
        }
        if (out > (size_t)8 << 20)
            break;
    }
    /* The credit of our side, what waits in the library, one window of theirs: then it stands still. */
    ck_assert_uint_le(back, RQV_WS_WINDOW);
    ck_assert_uint_le(out, (size_t)4 << 20);
    ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

/* ---- events and ends ---- */

START_TEST(events_are_told_in_their_order)
{
    open_with(NULL);
    fake_put_event(&fake, id, RQV_WS_LOST, 3);
    fake_put_event(&fake, id, RQV_WS_RETRYING, 0);
    fake_put_opened(&fake, id);
    fake_put_event(&fake, id, RQV_WS_RESTORED, 0);
    fake_flush(&fake);
    ws_drive(client, &seen.events, 3);
    ck_assert_uint_eq(seen.opened, 1);
    ck_assert_int_eq(seen.event[0].kind, REQIVO_WEBSOCKET_LOST);
    ck_assert_int_eq(seen.event[0].code, REQIVO_E_RESET);
    ck_assert_uint_eq(seen.event[0].undelivered, 3);
    ck_assert_int_eq(seen.event[1].kind, REQIVO_WEBSOCKET_RETRYING);
    ck_assert_uint_eq(seen.event[1].wait_ms, 17);
    ck_assert_int_eq(seen.event[2].kind, REQIVO_WEBSOCKET_RESTORED);
    daemon_ends(1000, 0, 1, 0);
    ck_assert_uint_eq(seen.undelivered, 4);
}
END_TEST

/* The server breaks within a message: that one is gone, and the next one of the new connection is whole. */
START_TEST(message_that_a_loss_cut_is_dropped)
{
    const struct reqivo_websocket_options options = {.pieces = _i};

    open_with(&options);
    fake_put_message(&fake, id, RQV_FLAG_FIRST | RQV_FLAG_TEXT, "half");
    fake_put_event(&fake, id, RQV_WS_LOST, 0);
    fake_put_opened(&fake, id);
    fake_put_event(&fake, id, RQV_WS_RESTORED, 0);
    fake_put_message(&fake, id, WS_WHOLE, "whole");
    fake_flush(&fake);
    ws_drive(client, &seen.messages, _i ? 2 : 1);
    ck_assert_uint_eq(seen.events, 2);
    ck_assert(seen.last.first && seen.last.last && seen.last.size == 5);
    ck_assert_int_eq(seen.last.kind, REQIVO_BINARY);
    fake_put_message(&fake, id, RQV_FLAG_FIRST, "half");
    fake_put_event(&fake, id, RQV_WS_LOST, 0);
    fake_put_message(&fake, id, RQV_FLAG_END, "the rest");
    fake_flush(&fake);
    ws_drive(client, &seen.closed, 1);
    ck_assert_int_eq(seen.code, REQIVO_E_WIRE);
}
END_TEST

START_TEST(undelivered_is_exact_while_the_daemon_is_there)
{
    open_with(NULL);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_TEXT, "x", 1), 0);
    ck_assert_int_eq(reqivo_websocket_send_part(seen.ws, REQIVO_TEXT, "x", 1, 0), 0);
    daemon_ends(1001, REQIVO_E_SHUTDOWN, 1, 3); /* it has taken three of six, and one of those did not go */
    ck_assert_int_eq(seen.code, REQIVO_E_SHUTDOWN);
    ck_assert_uint_eq(seen.undelivered, 4);
}
END_TEST

START_TEST(never_open)
{
    ws_begin(client, &seen, NULL);
    reqivo_websocket_send(seen.ws, REQIVO_TEXT, "x", 1);
    reqivo_client_process(client);
    fake_greet(&fake);
    reqivo_client_wait(client, 1000);
    id = fake_expect(&fake, RQV_WIRE_WS_OPEN);
    int code = _i ? REQIVO_E_SHUTDOWN : REQIVO_E_WEBSOCKET_HANDSHAKE;
    fake_put_done(&fake, id, code, REQIVO_SENT_UNKNOWN);
    fake_flush(&fake);
    ws_drive(client, &seen.closed, 1);
    ck_assert_int_eq(seen.code, code);
    ck_assert_int_eq(seen.heard_code, 0);
    ck_assert_uint_eq(seen.undelivered, 1);
    ck_assert_uint_eq(seen.opened, 0);
}
END_TEST

START_TEST(daemon_is_lost)
{
    static char bytes[900000];

    open_with(NULL);
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_BINARY, bytes, sizeof bytes), 0);
    reqivo_client_process(client); /* a part is on its way */
    ck_assert_int_eq(reqivo_websocket_send(seen.ws, REQIVO_BINARY, "", 0), 0);
    ck_assert_int_eq(reqivo_websocket_send_part(seen.ws, REQIVO_BINARY, "x", 1, 0), 0);
    fake_hangup(&fake);
    ws_drive(client, &seen.closed, 1);
    ck_assert_int_eq(seen.code, REQIVO_E_DAEMON_LOST);
    ck_assert_uint_eq(seen.undelivered, 3);
}
END_TEST

START_TEST(daemon_without_websockets)
{
    struct reqivo_websocket_options options = {.callbacks = &seen_callbacks, .userdata = &seen};
    struct reqivo_request *request;
    struct reqivo_websocket *ws = NULL;

    fake.caps = 0;
    ws_begin(client, &seen, NULL);
    reqivo_client_process(client);
    fake_greet(&fake);
    ws_drive(client, &seen.closed, 1);
    ck_assert_int_eq(seen.code, REQIVO_E_VERSION);
    request = ws_request(); /* and at once when that is known */
    ck_assert_int_eq(reqivo_websocket_open(client, &request, &options, &ws), REQIVO_E_VERSION);
    ck_assert_ptr_nonnull(request);
    reqivo_request_free(request);
}
END_TEST

START_TEST(handle_is_closed)
{
    open_with(NULL);
    seen.free_at = WS_ON_CLOSE;
    reqivo_close(client);
    client = NULL;
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_int_eq(seen.code, REQIVO_E_CANCELED);
}
END_TEST

START_TEST(free_tells_the_daemon)
{
    open_with(NULL);
    reqivo_websocket_free(seen.ws);
    seen.ws = NULL;
    reqivo_client_process(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), id);
    for (int i = 0; i < 5 && reqivo_client_pending(client) > 0; i++)
        reqivo_client_wait(client, 10);
    ck_assert_uint_eq(reqivo_client_pending(client), 0);
    ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

/* In every callback; what the sanitizer says of it counts. */
START_TEST(free_inside_a_callback)
{
    static char bytes[300000];

    seen.free_at = (enum ws_when)_i;
    open_with(NULL);
    if (_i == WS_ON_DRAIN)
        while (reqivo_websocket_send(seen.ws, REQIVO_BINARY, bytes, sizeof bytes) == 0)
            reqivo_client_process(client);
    if (_i != WS_ON_OPEN) {
        rqv_wire_encode_credit(&fake.out, id, 8 << 20);
        fake_put_message(&fake, id, WS_WHOLE, "x");
        fake_put_message(&fake, id, WS_WHOLE, "y");
        fake_put_event(&fake, id, RQV_WS_LOST, 0);
        fake_flush(&fake);
    }
    for (int i = 0; i < 20 && seen.ws && _i != WS_ON_CLOSE; i++) {
        reqivo_client_wait(client, 10);
        for (uint8_t drop[4096]; recv(fake.fd, drop, sizeof drop, MSG_DONTWAIT) > 0;)
            ;
    }
    if (_i == WS_ON_CLOSE)
        daemon_ends(1000, 0, 0, 0);
    ck_assert_ptr_null(seen.ws);
    for (int i = 0; i < 5; i++)
        reqivo_client_wait(client, 5);
    ck_assert_uint_eq(reqivo_client_pending(client), 0);
    ck_assert_uint_eq(seen.closed, _i == WS_ON_CLOSE);
}
END_TEST

/* ---- a daemon that is not trusted ---- */

static void daemon_breaks(void)
{
    fake_flush(&fake);
    ws_drive(client, &seen.closed, 1);
    ck_assert_int_eq(seen.code, REQIVO_E_WIRE);
}

START_TEST(data_out_of_its_order)
{
    static const uint8_t wrong[][2] = {
        {RQV_FLAG_END, 0}, {RQV_FLAG_FIRST, RQV_FLAG_FIRST}, {RQV_FLAG_FIRST, RQV_FLAG_TEXT | RQV_FLAG_END}};

    open_with(NULL);
    fake_put_message(&fake, id, wrong[_i][0], "x");
    if (_i > 0)
        fake_put_message(&fake, id, wrong[_i][1], "x");
    daemon_breaks();
}
END_TEST

START_TEST(data_beyond_credit)
{
    static char bytes[RQV_WIRE_PAYLOAD_MAX + 1];

    open_with(NULL);
    seen.put_off = 1;
    memset(bytes, 'x', sizeof bytes - 1);
    for (int i = 0; i < 16; i++)
        fake_put_message(&fake, id, WS_WHOLE, bytes);
    seen.closed = 0;
    for (size_t at = 0; at < rqv_buf_len(&fake.out);) {
        ssize_t n = send(fake.fd, rqv_buf_head(&fake.out) + at, rqv_buf_len(&fake.out) - at, MSG_DONTWAIT);
        at += n > 0 ? (size_t)n : 0;
        reqivo_client_process(client);
    }
    rqv_buf_consume(&fake.out, rqv_buf_len(&fake.out));
    for (int i = 0; i < 20 && !seen.closed; i++) {
        reqivo_client_wait(client, 10);
        reqivo_websocket_resume(seen.ws);
    }
    ck_assert_int_eq(seen.code, REQIVO_E_WIRE);
}
END_TEST

START_TEST(frames_at_the_wrong_time)
{
    if (_i == 0) {
        ws_begin(client, &seen, NULL);
        reqivo_client_process(client);
        fake_greet(&fake);
        reqivo_client_wait(client, 1000);
        id = fake_expect(&fake, RQV_WIRE_WS_OPEN);
        fake_put_message(&fake, id, WS_WHOLE, "before it is open");
    } else {
        open_with(NULL);
        if (_i == 1)
            fake_put_data(&fake, id, "body", 4);
        if (_i == 2)
            fake_put_response(&fake, id, 200, 0);
        if (_i == 3) {
            fake_put_close(&fake, id, 1000, 0, 0);
            fake_put_close(&fake, id, 1000, 0, 0);
        }
        if (_i == 4)
            rqv_wire_encode_credit(&fake.out, id, RQV_WIRE_CREDIT_MAX);
    }
    daemon_breaks();
}
END_TEST

START_TEST(message_beyond_the_maximum)
{
    const struct reqivo_websocket_options options = {.message_max = 4};

    open_with(&options);
    fake_put_message(&fake, id, WS_WHOLE, "1234");
    fake_flush(&fake);
    ws_drive(client, &seen.messages, 1);
    fake_put_message(&fake, id, RQV_FLAG_FIRST, "1234");
    fake_put_message(&fake, id, RQV_FLAG_END, "5");
    fake_flush(&fake);
    ws_drive(client, &seen.closed, 1);
    ck_assert_int_lt(seen.code, 0);
    ck_assert_uint_eq(seen.messages, 1);
}
END_TEST

static Suite *suite(void)
{
    const TTest *const tests[] = {opens_talks_and_closes,
                                  pieces_are_told_as_they_come,
                                  a_message_is_sent_in_pieces,
                                  arguments_are_checked,
                                  too_large_and_too_many,
                                  one_mebibyte_may_wait,
                                  a_message_is_put_off_and_resumed,
                                  what_is_put_off_comes_before_the_end,
                                  the_end_is_answered_when_all_before_is_taken,
                                  echo_under_credit,
                                  events_are_told_in_their_order,
                                  undelivered_is_exact_while_the_daemon_is_there,
                                  daemon_is_lost,
                                  daemon_without_websockets,
                                  handle_is_closed,
                                  free_tells_the_daemon,
                                  data_beyond_credit,
                                  message_beyond_the_maximum};
    Suite *s = suite_create("client_websocket");
    TCase *tcase = tcase_create("async");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(tcase, tests[i]);
    tcase_add_loop_test(tcase, free_inside_a_callback, WS_ON_OPEN, WS_ON_CLOSE + 1);
    tcase_add_loop_test(tcase, never_open, 0, 2);
    tcase_add_loop_test(tcase, data_out_of_its_order, 0, 3);
    tcase_add_loop_test(tcase, message_that_a_loss_cut_is_dropped, 0, 2);
    tcase_add_loop_test(tcase, frames_at_the_wrong_time, 0, 5);
    suite_add_tcase(s, tcase);
    return s;
}

UNIT_MAIN(suite)
