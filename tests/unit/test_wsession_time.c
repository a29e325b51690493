/* SPDX-License-Identifier: MIT */
/* test_wsession_time - what a session does when time passes or its connection breaks: ping, idle limit,
 * stall, close without an answer, loss, reconnect, and what is said of messages that did not go out. */
#include "tests/lib/mini_ws.h"
#include "tests/unit/unit.h"

/* ---- time ---- */

START_TEST(silence_is_pinged)
{
    struct ws_world *w = ws_world_open();
    const char *bytes;
    size_t len;

    w->open.ping_ms = 20;
    w->open.pong_ms = 5000;
    ws_open(w);
    for (int i = 0; i < 3; i++) {
        len = ws_expect(w, 0x89, &bytes);
        mini_ws_say(mini_last(&w->origin), 10, bytes, len);
    }
    ws_expect(w, 0x89, &bytes);
    mini_ws_say(mini_last(&w->origin), 1, "any byte will do", 16);
    ws_expect(w, 0x89, &bytes);
    ck_assert_uint_eq(w->told.closed, 0);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(ping_without_an_answer)
{
    struct ws_world *w = ws_world_open();

    w->open.ping_ms = 10;
    w->open.pong_ms = 20;
    ws_open(w);
    ws_end(w);
    ws_check(w, REQIVO_E_TIMEOUT_STALL, 1006);
    ck_assert_ptr_nonnull(strstr(w->told.detail, "ping"));
    ws_world_close(w);
}
END_TEST

START_TEST(program_that_rests_is_no_silence)
{
    struct ws_world *w = ws_world_open();
    const char *bytes;

    w->open.ping_ms = 10;
    w->open.pong_ms = 200;
    ws_open(w);
    ws_expect(w, 0x89, &bytes);
    w->told.room = 0;
    mini_ws_say(mini_last(&w->origin), 1, "x", 1);
    mini_env_ms(&w->env, 300);
    ck_assert_uint_eq(w->told.closed, 0);
    w->told.room = 1 << 20;
    wsession_kick(w->ws);
    mini_env_until(&w->env, &w->told.messages, 1);
    ck_assert_uint_eq(w->told.closed, 0);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(idle_session_is_closed)
{
    struct ws_world *w = ws_world_open();

    w->open.idle_ms = 30;
    ws_open(w);
    mini_ws_say(mini_last(&w->origin), 9, "a ping is no message", 20);
    ws_expect(w, 0x8a, &(const char *){NULL});
    ws_expect_close(w, 1001, "idle");
    mini_ws_say(mini_last(&w->origin), 8, WS_CLOSE_1001, 2);
    ws_end(w);
    ws_check(w, 0, 1001);
    ws_world_close(w);
}
END_TEST

static void fall_deaf(struct ws_world *w)
{
    w->origin.deaf = true;
    loop_io_set(&mini_last(&w->origin)->io, 0);
}

/* Fills the kernel's buffers until the session's own queue keeps something. */
static unsigned clog_up(struct ws_world *w)
{
    static char bytes[65536];
    unsigned sent = 0;

    memset(bytes, 'c', sizeof bytes);
    for (int quiet = 0; quiet < 3;) {
        bool sends = wsession_send(w->ws, RQV_FLAG_FIRST | RQV_FLAG_END, (struct rqv_str){bytes, 60000}) == 0;

        sent += sends;
        quiet = sends ? 0 : quiet + 1;
        mini_env_ms(&w->env, 2);
    }
    return sent;
}

START_TEST(server_takes_nothing)
{
    struct ws_world *w = ws_world_open();

    w->open.timeout_ms[RQV_T_STALL] = 100;
    ws_open(w);
    fall_deaf(w);
    mini_env_ms(&w->env, 150); /* that nothing was sent for so long is no stall */
    ck_assert_uint_eq(w->told.closed, 0);
    unsigned sent = clog_up(w);
    ws_end(w);
    ws_check(w, REQIVO_E_TIMEOUT_STALL, 1006);
    ck_assert_uint_eq(w->told.close.taken, sent);
    ck_assert_uint_gt(w->told.close.undelivered, 0);
    ck_assert_uint_lt(w->told.close.undelivered, sent);
    ws_world_close(w);
}
END_TEST

START_TEST(program_is_gone_and_the_server_takes_nothing)
{
    struct ws_world *w = ws_world_open();

    w->open.timeout_ms[RQV_T_STALL] = 0; /* none */
    ws_open(w);
    fall_deaf(w);
    clog_up(w);
    wsession_abandon(w->ws);
    for (int i = 0; i < 1000 && w->env.wsessions.count > 0; i++)
        mini_env_ms(&w->env, 10);
    ck_assert_uint_eq(w->env.wsessions.count, 0);
    ws_world_close(w);
}
END_TEST

START_TEST(close_without_an_answer)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    ws_close(w, 1000, "");
    ws_expect_close(w, 1000, "");
    ws_end(w);
    ws_check(w, REQIVO_E_WEBSOCKET_CLOSED, 1000);
    ck_assert_uint_eq(w->told.close.flags, 0);
    ws_world_close(w);
}
END_TEST

START_TEST(server_that_does_not_hang_up)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    ws_close(w, 1000, "");
    ws_expect_close(w, 1000, "");
    mini_ws_say(mini_last(&w->origin), 8, WS_CLOSE_1000, 2);
    ws_end(w);
    ws_check(w, 0, 1000);
    ck_assert_uint_eq(w->env.wsessions.count, 1); /* lingers */
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(w->env.wsessions.count, 0);
    ws_world_close(w);
}
END_TEST

/* ---- loss ---- */

static void reconnecting(struct ws_world *w, uint16_t attempts)
{
    w->open.reconnect_max = attempts;
    w->open.backoff_ms = 20;
    w->open.backoff_max_ms = 50;
    ws_open(w);
}

START_TEST(lost_retrying_restored)
{
    struct ws_world *w = ws_world_open();

    reconnecting(w, 1);
    for (unsigned i = 0; i < 3; i++) { /* each that lasts begins the count anew */
        const struct rqv_ws_event_info *event = w->told.event + (size_t)3 * i;

        mini_env_ms(&w->env, 60);
        mini_reset(mini_last(&w->origin));
        mini_env_until(&w->env, &w->told.events, 3 * i + 3);
        ck_assert_uint_eq(event[0].kind, RQV_WS_LOST);
        ck_assert_int_lt(event[0].code, 0);
        ck_assert_uint_eq(event[1].kind, RQV_WS_RETRYING);
        ck_assert_uint_eq(event[1].attempt, 1);
        ck_assert_uint_ge(event[1].wait_ms, 10);
        ck_assert_uint_le(event[1].wait_ms, 20);
        ck_assert_uint_eq(event[2].kind, RQV_WS_RESTORED);
        ck_assert_uint_eq(event[2].attempt, 1);
    }
    ws_text(w, "again");
    ws_expect_text(w, "again");
    ck_assert_uint_eq(w->told.opened, 4);
    ck_assert_uint_eq(w->env.wsessions.lost, 3);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(a_reload_begins_a_dial_again)
{
    struct ws_world *w = ws_world_open();

    ws_begin(w);
    loop_settle(w->env.loop); /* nothing is polled */
    ck_assert_int_eq(w->ws->state, WS_DIAL);
    struct key before = w->ws->key;
    w->env.conf.policy_generation++;
    wsession_retire(&w->env.wsessions);
    ck_assert_int_eq(w->ws->state, WS_DIAL);
    ck_assert(!key_eq(&before, &w->ws->key));
    mini_env_until(&w->env, &w->told.opened, 1);
    ck_assert_uint_eq(w->handshakes, 1);
    w->env.conf.policy_generation++;
    wsession_retire(&w->env.wsessions); /* what is open goes on */
    ws_text(w, "on");
    ws_expect_text(w, "on");
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(a_reconnect_goes_by_what_is_in_force)
{
    struct ws_world *w = ws_world_open();

    w->env.conf.insecure = 1;
    w->open.flags |= RQV_WS_INSECURE;
    reconnecting(w, RQV_WS_FOR_EVER);
    w->env.conf.insecure = 0;
    w->env.conf.policy_generation++;
    mini_reset(mini_last(&w->origin));
    ws_end(w);
    ck_assert_int_eq(w->told.done.code, REQIVO_E_OPTION_DENIED);
    ck_assert_uint_eq(w->handshakes, 1);
    ws_world_close(w);
}
END_TEST

START_TEST(backoff_grows_to_its_cap_with_jitter)
{
    static const uint32_t most[] = {20, 40, 50, 50, 50, 50};
    struct ws_world *w = ws_world_open();

    reconnecting(w, 6);
    w->answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    ws_text(w, "waits");
    ws_expect_text(w, "waits");
    mini_reset(mini_last(&w->origin));
    ws_text(w, "never");
    ws_end(w);
    ws_check(w, REQIVO_E_WEBSOCKET_HANDSHAKE, 1006);
    ck_assert_uint_eq(w->told.close.undelivered, 1);
    ck_assert_uint_eq(w->told.events, 7);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(w->told.event[i + 1].attempt, i + 1);
        ck_assert_uint_ge(w->told.event[i + 1].wait_ms, most[i] / 2);
        ck_assert_uint_le(w->told.event[i + 1].wait_ms, most[i]);
    }
    ck_assert_uint_eq(w->handshakes, 7);
    ws_world_close(w);
}
END_TEST

/* A server that accepts and drops: the attempts go on counting, and there is always a pause. */
START_TEST(a_short_life_does_not_begin_the_count_anew)
{
    struct ws_world *w = ws_world_open();

    w->open.reconnect_max = 2;
    w->open.backoff_ms = 1;
    w->open.backoff_max_ms = 30000;
    ws_open(w);
    for (unsigned i = 1; i <= 2; i++) {
        mini_reset(mini_last(&w->origin));
        mini_env_until(&w->env, &w->told.events, 3 * i);
        ck_assert_uint_eq(w->told.event[3 * i - 2].attempt, i);
        ck_assert_uint_eq(w->told.event[3 * i - 2].wait_ms, 10);
        ck_assert_uint_eq(w->told.event[3 * i - 1].kind, RQV_WS_RESTORED);
    }
    mini_reset(mini_last(&w->origin));
    ws_end(w);
    ck_assert_int_lt(w->told.done.code, 0);
    ck_assert_uint_eq(w->handshakes, 3);
    ws_world_close(w);
}
END_TEST

/* The 101 that restores it still stands in the queue when the program turns out not to hear of it. */
START_TEST(nobody_hears_that_it_is_restored)
{
    struct ws_world *w = ws_world_open();

    reconnecting(w, 3);
    w->told.restored_rc = REQIVO_E_LIMIT_MEMORY;
    mini_reset(mini_last(&w->origin));
    ws_end(w);
    ck_assert_int_eq(w->told.done.code, REQIVO_E_LIMIT_MEMORY);
    ws_expect_close(w, 1001, "");
    ws_world_close(w);
}
END_TEST

/* The sessions of a host that lose their server together do not come back together. */
START_TEST(pauses_are_spread)
{
    const uint32_t most = 1000;
    uint32_t least = most, longest = 0;

    for (int i = 0; i < 32; i++) {
        struct ws_world *w = ws_world_open();

        w->open.reconnect_max = 1;
        w->open.backoff_ms = most;
        w->open.backoff_max_ms = 30 * most;
        ws_open(w);
        mini_reset(mini_last(&w->origin));
        mini_env_until(&w->env, &w->told.events, 2);
        ck_assert_uint_eq(w->told.event[1].kind, RQV_WS_RETRYING);
        uint32_t wait_ms = w->told.event[1].wait_ms;
        ck_assert_uint_ge(wait_ms, most / 2);
        ck_assert_uint_le(wait_ms, most);
        least = wait_ms < least ? wait_ms : least;
        longest = wait_ms > longest ? wait_ms : longest;
        wsession_abandon(w->ws);
        ws_world_close(w);
    }
    ck_assert_uint_gt(longest - least, most / 8); /* by chance once in 10^17 runs */
}
END_TEST

START_TEST(no_attempt_after_an_end)
{
    struct ws_world *w = ws_world_open();

    reconnecting(w, RQV_WS_FOR_EVER);
    mini_ws_say(mini_last(&w->origin), 3, "reserved", 8);
    ws_close(w, 1005, "");
    ws_expect_close(w, 1002, "");
    mini_end(mini_last(&w->origin));
    ws_end(w);
    ck_assert_int_eq(w->told.done.code, REQIVO_E_WEBSOCKET_PROTOCOL);
    ck_assert_uint_eq(w->handshakes, 1);
    ws_world_close(w);
}
END_TEST

START_TEST(program_ends_it_while_it_waits)
{
    struct ws_world *w = ws_world_open();

    reconnecting(w, RQV_WS_FOR_EVER);
    w->env.wsessions.conf = &w->env.conf;
    mini_origin_close(&w->origin);
    mini_env_until(&w->env, &w->told.events, 2);
    ws_text(w, "never");
    ws_close(w, 1000, "");
    if (!w->told.closed)
        ws_end(w);
    ck_assert_int_lt(w->told.done.code, 0);
    ck_assert_uint_eq(w->told.close.code, 1006);
    ck_assert_uint_eq(w->told.close.undelivered, 1);
    ws_world_close(w);
}
END_TEST

/* What did not go out whole is told, the rest comes once: of N messages each is either with the first
 * server, told as undelivered, or with the second. */
START_TEST(messages_are_neither_lost_nor_doubled)
{
    struct ws_world *w = ws_world_open();
    const char *bytes;
    uint8_t first;
    unsigned seen = 0;

    reconnecting(w, 3);
    fall_deaf(w);
    unsigned sent = clog_up(w);
    ws_text(w, "the last one");
    w->origin.deaf = false;
    mini_reset(mini_last(&w->origin));
    mini_env_until(&w->env, &w->told.events, 3);
    ck_assert_uint_gt(w->told.event[0].undelivered, 0);
    for (bool last = false; !last;) {
        long len = mini_ws_frame(mini_last(&w->origin), &first, &bytes);
        if (len < 0) {
            mini_env_ms(&w->env, 2);
            continue;
        }
        last = first == 0x81;
        seen += !last;
        ck_assert(last || len == 60000);
    }
    ck_assert_uint_eq(seen + w->told.event[0].undelivered + w->told.event[0].unconfirmed, sent);
    ck_assert_uint_gt(seen, 0);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

/* A pong says that the server has all that stood before the ping. */
START_TEST(pong_confirms)
{
    struct ws_world *w = ws_world_open();
    const char *bytes;
    size_t len;

    w->open.ping_ms = 20;
    w->open.pong_ms = 5000;
    reconnecting(w, 3);
    ws_text(w, "one");
    ws_expect_text(w, "one");
    len = ws_expect(w, 0x89, &bytes);
    mini_ws_say(mini_last(&w->origin), 10, bytes, len);
    ws_expect(w, 0x89, &bytes);
    ws_text(w, "two");
    ws_expect_text(w, "two");
    mini_reset(mini_last(&w->origin));
    mini_env_until(&w->env, &w->told.events, 3);
    ck_assert_uint_eq(w->told.event[0].unconfirmed, 1);
    ck_assert_uint_eq(w->told.event[0].undelivered, 0);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(rest_of_a_message_that_was_cut_is_dropped)
{
    struct ws_world *w = ws_world_open();
    const struct rqv_str part = RQV_STR("part");
    const char *bytes;

    reconnecting(w, 3);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_FIRST | RQV_FLAG_TEXT, part), 0);
    ws_expect(w, 0x01, &bytes);
    mini_reset(mini_last(&w->origin));
    mini_env_until(&w->env, &w->told.events, 3);
    ck_assert_uint_eq(w->told.event[0].undelivered, 1);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_TEXT, part), 0);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_TEXT | RQV_FLAG_END, part), 0);
    ws_text(w, "whole");
    ws_expect_text(w, "whole");
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

/* With compression a piece may stand half in frames and half in the queue when the connection breaks. */
START_TEST(rest_of_a_piece_that_was_cut_is_dropped)
{
    static char noise[65536];
    struct ws_world *w = ws_world_open();
    unsigned sent = 0;
    const char *bytes;
    uint8_t first;

    srandom(1);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)random();
    w->open.flags = RQV_WS_DEFLATE;
    w->fields = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    reconnecting(w, 3);
    fall_deaf(w);
    for (int quiet = 0; quiet < 3;) {
        bool sends = wsession_send(w->ws, RQV_FLAG_FIRST | RQV_FLAG_END, (struct rqv_str){noise, 65536}) == 0;
        sent += sends;
        quiet = sends ? 0 : quiet + 1;
        mini_env_ms(&w->env, 2);
    }
    ck_assert_uint_gt(w->ws->record_at, 0);
    w->origin.deaf = false;
    mini_reset(mini_last(&w->origin));
    mini_env_until(&w->env, &w->told.events, 3);
    while (mini_ws_frame(mini_last(&w->origin), &first, &bytes) < 0)
        mini_env_ms(&w->env, 2);
    ck_assert_uint_eq(first & 0x0f, 2); /* a message begins */
    ck_assert_uint_gt(w->told.event[0].undelivered, 0);
    ck_assert_uint_lt(w->told.event[0].undelivered, sent);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("wsession_time");

    UNIT_TCASE(s, "time", silence_is_pinged, ping_without_an_answer, program_that_rests_is_no_silence,
               idle_session_is_closed, server_takes_nothing, program_is_gone_and_the_server_takes_nothing,
               close_without_an_answer, server_that_does_not_hang_up);
    UNIT_TCASE(s, "loss", lost_retrying_restored, a_reload_begins_a_dial_again,
               a_reconnect_goes_by_what_is_in_force, backoff_grows_to_its_cap_with_jitter, pauses_are_spread,
               no_attempt_after_an_end, program_ends_it_while_it_waits, messages_are_neither_lost_nor_doubled,
               pong_confirms, rest_of_a_message_that_was_cut_is_dropped,
               rest_of_a_piece_that_was_cut_is_dropped, a_short_life_does_not_begin_the_count_anew,
               nobody_hears_that_it_is_restored);
    return s;
}

UNIT_MAIN(suite)
