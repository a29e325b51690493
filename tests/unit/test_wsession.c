/* SPDX-License-Identifier: MIT */
/* test_wsession - one session against a server on the same loop: open, refused, closed both ways, credit,
 * ends of the program and of the daemon. Time and loss are test_wsession_time. */
#include "tests/lib/mini_ws.h"
#include "tests/unit/unit.h"

static void mini_env_until_queued(struct ws_world *w)
{
    for (int i = 0; i < 2000 && !w->ws->blocked; i++)
        mini_env_ms(&w->env, 1);
    ck_assert(w->ws->blocked && queue_len(&w->ws->in) > 0);
}

/* ---- open ---- */

START_TEST(opens_echoes_and_closes)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    ck_assert_str_eq(wsession_state_name(w->ws), "open");
    ws_text(w, "hello");
    ws_expect_text(w, "hello");
    mini_ws_say(mini_last(&w->origin), 1, "world", 5);
    mini_env_until(&w->env, &w->told.messages, 1);
    ck_assert_str_eq(w->told.text, "world");
    ws_close(w, 1000, "bye");
    ws_close(w, 4000, "only the first counts");
    ws_expect_close(w, 1000, "bye");
    mini_ws_say(mini_last(&w->origin), 8, WS_CLOSE_1000 "ok", 4);
    ws_end(w);
    ws_check(w, 0, 1000);
    ck_assert_uint_eq(w->told.close.flags, RQV_WS_CLEAN);
    ck_assert_uint_eq(w->told.close.undelivered, 0);
    ck_assert_uint_eq(w->told.close.taken, 1);
    ck_assert_str_eq(w->told.reason, "ok");
    ws_world_close(w);
}
END_TEST

START_TEST(what_is_sent_before_it_is_open_waits)
{
    struct ws_world *w = ws_world_open();

    ws_begin(w);
    ws_text(w, "early");
    ws_text(w, "");
    ws_close(w, 1005, "");
    ws_expect_text(w, "early");
    ws_expect_text(w, "");
    ws_expect_close(w, 0, "");
    mini_ws_say(mini_last(&w->origin), 8, "", 0);
    ws_end(w);
    ws_check(w, 0, 1005);
    ws_world_close(w);
}
END_TEST

START_TEST(rule_b5_session_is_never_pooled)
{
    struct ws_world *w = ws_world_open();

    for (int i = 0; i < 2; i++) {
        w->told.closed = 0;
        w->told.opened = 0;
        ws_open(w);
        ck_assert(rqv_list_empty(&w->env.origins.pools));
        ws_close(w, 1000, "");
        ws_expect_close(w, 1000, "");
        mini_ws_say(mini_last(&w->origin), 8, WS_CLOSE_1000, 2);
        ws_end(w);
        ck_assert(rqv_list_empty(&w->env.origins.pools));
    }
    ck_assert_uint_eq(w->origin.accepted, 2);
    ws_world_close(w);
}
END_TEST

START_TEST(server_closes)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    mini_ws_say(mini_last(&w->origin), 8, "\x0f\xa0why", 5);
    ws_close(w, 1005, ""); /* nothing else to say */
    ws_expect_close(w, 4000, "");
    ws_end(w);
    ws_check(w, 0, 4000);
    ck_assert_str_eq(w->told.reason, "why");
    ws_world_close(w);
}
END_TEST

START_TEST(server_breaks_off)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    mini_end(mini_last(&w->origin));
    ws_end(w);
    ws_check(w, REQIVO_E_WEBSOCKET_CLOSED, 1006);
    ck_assert_uint_eq(w->told.close.flags, 0);
    ws_world_close(w);
}
END_TEST

/* ---- refused ---- */

static const struct {
    const char *answer;
    int code;
} refusals[] = {
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", REQIVO_E_WEBSOCKET_HANDSHAKE},
    {"HTTP/1.1 101 Odd\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
     REQIVO_E_WEBSOCKET_HANDSHAKE},
    {"HTTP/1.1 101 Odd\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", REQIVO_E_WEBSOCKET_HANDSHAKE},
    {"SSH-2.0-odd\r\n\r\n", REQIVO_E_RESPONSE_HEAD},
};

START_TEST(handshake_is_refused)
{
    struct ws_world *w = ws_world_open();

    w->answer = refusals[_i].answer;
    w->open.reconnect_max = RQV_WS_FOR_EVER; /* that is for sessions that have been open */
    ws_begin(w);
    ws_text(w, "never");
    ws_end(w);
    ws_check(w, refusals[_i].code, 0);
    ck_assert_uint_eq(w->handshakes, 1);
    ws_world_close(w);
}
END_TEST

static void end_now(struct mini_conn *conn)
{
    mini_end(conn);
}

START_TEST(handshake_ends_or_is_silent)
{
    struct ws_world *w = ws_world_open();

    w->origin.on_whole = end_now;
    ws_begin(w);
    ws_end(w);
    ws_check(w, REQIVO_E_EMPTY_RESPONSE, 0);
    w->told.closed = 0;
    w->origin.on_whole = mini_shake;
    w->mute = true;
    w->open.timeout_ms[RQV_T_FIRST] = 20;
    ws_begin(w);
    ws_end(w);
    ws_check(w, REQIVO_E_TIMEOUT_FIRST, 0);
    ws_world_close(w);
}
END_TEST

START_TEST(nobody_listens)
{
    struct ws_world *w = ws_world_open();

    mini_origin_close(&w->origin);
    ws_begin(w);
    ws_end(w);
    ws_check(w, REQIVO_E_CONNECT, 0);
    ck_assert_int_eq(w->told.done.sent, REQIVO_SENT_NO);
    ws_world_close(w);
}
END_TEST

static void refuses(struct ws_world *w, int code)
{
    struct rqv_err err = {0};

    ck_assert_int_eq(ws_start(w, &err), code);
    ck_assert_int_eq(err.code, code);
    w->open.fields.count = 0;
}

START_TEST(options_are_checked)
{
    struct ws_world *w = ws_world_open();
    const struct rqv_str protocol = RQV_STR("Sec-WebSocket-Protocol");

    rqv_fields_add(&w->open.fields, RQV_STR("Sec-WebSocket-Key"), RQV_STR("mine"));
    refuses(w, REQIVO_E_FIELD);
    rqv_fields_add(&w->open.fields, protocol, RQV_STR("two words"));
    refuses(w, REQIVO_E_FIELD);
    for (int i = 0; i <= WSESSION_PROTOCOLS_MAX; i++)
        rqv_fields_add(&w->open.fields, protocol, RQV_STR("one"));
    refuses(w, REQIVO_E_FIELD);
    w->open.url = RQV_STR("ftp://127.0.0.1/");
    refuses(w, REQIVO_E_URL);
    w->open.url = RQV_STR("ws");
    refuses(w, REQIVO_E_URL);
    w->open.url = RQV_STR("wss://127.0.0.1/");
    w->open.flags = RQV_WS_INSECURE;
    w->env.conf.user_instance = false;
    refuses(w, REQIVO_E_OPTION_DENIED);
    ws_world_close(w);
}
END_TEST

static const struct {
    const char *url, *why;
} urls[] = {
    {"wsx://127.0.0.1/", "neither ws:// nor wss://"},
    {"ws:/127.0.0.1/", "neither ws:// nor wss://"},
    {"ws://127.0.0.1/#part", "no fragment"},
    {"ws://127.0.0.1/#", "no fragment"},
};

START_TEST(urls_are_checked)
{
    struct ws_world *w = ws_world_open();
    struct rqv_err err = {0};

    w->open.url = rqv_str_from(urls[_i].url);
    ck_assert_int_eq(ws_start(w, &err), REQIVO_E_URL);
    ck_assert_msg(strstr(err.detail, urls[_i].why), "%s", err.detail);
    ws_world_close(w);
}
END_TEST

START_TEST(policy_refuses_the_address)
{
    struct ws_world *w = ws_world_open();

    w->env.conf.user_instance = false; /* loopback is closed there */
    ws_begin(w);
    if (!w->told.closed)
        ws_end(w);
    ws_check(w, REQIVO_E_ADDRESS_DENIED, 0);
    ck_assert_uint_eq(w->origin.accepted, 0);
    ws_world_close(w);
}
END_TEST

START_TEST(limits_of_the_account)
{
    struct ws_world *w = ws_world_open();
    size_t *limit = w->env.accounts.limit_uid, kept = limit[ACCOUNT_REQUESTS];

    limit[ACCOUNT_REQUESTS] = 0;
    refuses(w, REQIVO_E_LIMIT_REQUESTS);
    limit[ACCOUNT_REQUESTS] = kept;
    kept = limit[ACCOUNT_MEMORY];
    limit[ACCOUNT_MEMORY] = 1000;
    refuses(w, REQIVO_E_LIMIT_MEMORY);
    limit[ACCOUNT_MEMORY] = kept;
    limit[ACCOUNT_CONNS] = 0;
    ws_begin(w);
    ws_end(w);
    ws_check(w, REQIVO_E_LIMIT_REQUESTS, 0);
    ws_world_close(w);
}
END_TEST

START_TEST(memory_ends_a_session_that_is_open)
{
    static char bytes[65536];
    struct ws_world *w = ws_world_open();

    ws_open(w);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = w->env.account->used[ACCOUNT_MEMORY] + 1000;
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_FIRST | RQV_FLAG_END, (struct rqv_str){bytes, 65536}), 0);
    ws_end(w);
    ws_check(w, REQIVO_E_LIMIT_MEMORY, 1006);
    ck_assert_uint_eq(w->told.close.taken, 1);
    ws_world_close(w);
}
END_TEST

/* ---- messages and credit ---- */

START_TEST(pieces_come_in_their_order)
{
    struct ws_world *w = ws_world_open();
    const struct rqv_str x = RQV_STR("x");

    ws_open(w);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_END, x), REQIVO_E_WIRE);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_FIRST, x), 0);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_FIRST, x), REQIVO_E_WIRE);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_TEXT, x), REQIVO_E_WIRE);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_END, x), 0);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(credit_of_the_program)
{
    static char bytes[65536];
    const struct rqv_str block = {bytes, sizeof bytes};
    struct ws_world *w = ws_world_open();
    int taken = 0;

    ws_open(w);
    w->origin.deaf = true;
    loop_io_set(&mini_last(&w->origin)->io, 0);
    while (wsession_send(w->ws, RQV_FLAG_FIRST | RQV_FLAG_END, block) == 0)
        taken++;
    ck_assert_int_eq(taken, 15); /* of 1 MiB, each with its cost */
    w->origin.forgets = true;
    mini_hear(&w->origin);
    mini_env_until(&w->env, (unsigned *)&w->told.credit, 1);
    ck_assert_uint_ge(w->told.credit, RQV_WS_WINDOW / 2);
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_FIRST | RQV_FLAG_END, block), 0);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(rule_b5_credit_stops_the_server)
{
    static char frame[3 << 20];
    struct ws_world *w = ws_world_open();

    memcpy(frame, "\x82\x7f\0\0\0\0\0\x20\0\0", 10); /* 2 MiB */
    ws_open(w);
    mini_send(mini_last(&w->origin), frame, (2 << 20) + 10);
    mini_env_ms(&w->env, 50);
    ck_assert_uint_le(w->told.bytes, RQV_WS_WINDOW);
    ck_assert_uint_gt(w->told.bytes, RQV_WS_WINDOW / 2);
    ck_assert_uint_eq(w->told.messages, 0);
    ck_assert_int_eq(wsession_credit(w->ws, 2 << 20), 0);
    ck_assert_int_eq(wsession_credit(w->ws, RQV_WIRE_CREDIT_MAX), REQIVO_E_WIRE);
    mini_env_until(&w->env, &w->told.messages, 1);
    ck_assert_uint_eq(w->told.bytes, 2 << 20);
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(queue_of_the_program_stops_the_server)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    w->told.room = 0;
    mini_ws_say(mini_last(&w->origin), 1, "later", 5);
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(w->told.pieces, 0);
    w->told.room = 1 << 20;
    wsession_kick(w->ws);
    mini_env_until(&w->env, &w->told.messages, 1);
    ck_assert_str_eq(w->told.text, "later");
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

START_TEST(text_that_is_not_utf8_ends_it)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    ws_text(w, "good");
    ws_text(w, "\xc0\x80");
    ws_expect_text(w, "good");
    ws_expect_close(w, 1007, "");
    mini_ws_say(mini_last(&w->origin), 8, "\x03\xef", 2);
    ws_end(w);
    ws_check(w, REQIVO_E_WEBSOCKET_PROTOCOL, 1007);
    ck_assert_uint_eq(w->told.close.undelivered, 1);
    ws_world_close(w);
}
END_TEST

START_TEST(sink_that_takes_no_more_ends_it)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    w->told.message_rc = REQIVO_E_LIMIT_MEMORY;
    mini_ws_say(mini_last(&w->origin), 1, "x", 1);
    ws_end(w);
    ck_assert_int_eq(w->told.done.code, REQIVO_E_LIMIT_MEMORY);
    ws_expect_close(w, 1001, "");
    ws_world_close(w);
}
END_TEST

/* The server's bytes wait for the program, and nobody takes them then: each is looked at once. */
START_TEST(sink_that_takes_no_more_of_what_waited)
{
    struct ws_world *w = ws_world_open();
    const char *bytes;

    ws_open(w);
    w->told.room = 0;
    mini_send(mini_last(&w->origin),
              "\x81\x01"
              "a"
              "\x89\x01"
              "p"
              "\x81\x01"
              "b",
              9);
    mini_env_until_queued(w);
    w->told.room = 1 << 20;
    w->told.message_rc = REQIVO_E_LIMIT_MEMORY;
    wsession_kick(w->ws);
    ck_assert_uint_eq(w->told.closed, 1);
    ck_assert_uint_eq(w->told.pieces, 1);
    ck_assert_int_eq(w->told.done.code, REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(ws_expect(w, 0x8a, &bytes), 1);
    ws_expect_close(w, 1001, "");
    ws_world_close(w);
}
END_TEST

/* ---- compression ---- */

/* 1 000 000 zeros, four times, in a few KiB. */
static size_t bombs(struct rqv_buf *out)
{
    static uint8_t zeros[1000000], scratch[16384];
    const struct rqv_ws_deflate_params params = {.window_bits = 15};
    struct rqv_ws_deflate *deflate = NULL;
    struct rqv_ws_sender tx;
    struct rqv_ws_sent sent = {0};

    rqv_buf_init(out, 1 << 20);
    ck_assert_int_eq(rqv_ws_deflate_new(&params, &deflate), 0);
    const struct rqv_ws_sender_params sender = {.role = RQV_WS_SERVER,
                                                .frame_max = 65536,
                                                .deflate = deflate,
                                                .scratch = scratch,
                                                .scratch_size = sizeof scratch};
    rqv_ws_sender_init(&tx, &sender);
    for (int i = 0; i < 4; i++) {
        struct rqv_ws_piece piece = {
            .bytes = zeros, .len = sizeof zeros, .opcode = RQV_WS_BINARY, .last = true, .compress = true};
        do {
            ck_assert_int_eq(rqv_ws_send(&tx, &piece, out, &sent), 0);
            piece.bytes += sent.consumed;
            piece.len -= sent.consumed;
        } while (!sent.done);
    }
    rqv_ws_deflate_free(deflate);
    return rqv_buf_len(out);
}

static void open_with_compression(struct ws_world *w)
{
    w->open.flags = RQV_WS_DEFLATE;
    w->fields = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    ws_open(w);
    w->told.room = 0;
}

START_TEST(rule_b5_a_bomb_is_expanded_turn_by_turn)
{
    struct ws_world *w = ws_world_open();
    struct rqv_buf out;
    size_t len = bombs(&out);

    open_with_compression(w);
    mini_send(mini_last(&w->origin), (const char *)rqv_buf_head(&out), len);
    mini_env_until_queued(w);
    w->told.room = 1 << 20;
    wsession_kick(w->ws);
    ck_assert_uint_gt(w->told.bytes, 0);
    ck_assert_uint_le(w->told.bytes, 131072 + WSESSION_SCRATCH);
    wsession_kick(w->ws); /* adds no turn */
    ck_assert_uint_le(w->told.bytes, 131072 + WSESSION_SCRATCH);
    mini_env_until(&w->env, &w->told.messages, 1);
    ck_assert_int_eq(wsession_credit(w->ws, 4 << 20), 0);
    mini_env_until(&w->env, &w->told.messages, 4);
    ck_assert_uint_eq(w->told.bytes, 4000000);
    mini_ws_say(mini_last(&w->origin), 1, "on", 2); /* and reading goes on */
    mini_env_until(&w->env, &w->told.messages, 5);
    wsession_abandon(w->ws);
    rqv_buf_done(&out);
    ws_world_close(w);
}
END_TEST

/* What is no deflate at all would end the session otherwise, and the ping would not be answered. */
START_TEST(rule_b5_what_nobody_hears_is_not_expanded)
{
    struct ws_world *w = ws_world_open();
    const char *bytes;

    open_with_compression(w);
    mini_send(mini_last(&w->origin),
              "\xc1\x04\xff\xff\xff\xff\x89\x01"
              "p",
              9);
    mini_env_until_queued(w);
    wsession_abandon(w->ws);
    ck_assert_uint_eq(ws_expect(w, 0x8a, &bytes), 1);
    ws_expect_close(w, 1001, "");
    ws_world_close(w);
}
END_TEST

/* ---- ends from above ---- */

START_TEST(program_goes)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    ws_text(w, "last words");
    wsession_abandon(w->ws);
    ws_expect_text(w, "last words");
    ws_expect_close(w, 1001, "");
    mini_ws_say(mini_last(&w->origin), 8, WS_CLOSE_1001, 2);
    mini_end(mini_last(&w->origin));
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(w->env.wsessions.count, 0);
    ck_assert_uint_eq(w->told.closed, 0);
    ws_begin(w); /* and one that is not open yet */
    wsession_abandon(w->ws);
    ck_assert_uint_eq(w->env.wsessions.count, 0);
    ws_world_close(w);
}
END_TEST

START_TEST(program_cancels)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    ws_text(w, "dropped");
    wsession_cancel(w->ws, REQIVO_E_CANCELED, "asked for");
    ws_check(w, REQIVO_E_CANCELED, 1006);
    ck_assert_uint_eq(w->told.close.undelivered, 1);
    ws_expect_close(w, 1001, "");
    ws_world_close(w);
}
END_TEST

START_TEST(drain_sends_what_was_queued)
{
    struct ws_world *w = ws_world_open();
    char text[32];

    ws_open(w);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "message %d", i);
        ws_text(w, text);
    }
    wsession_drain(&w->env.wsessions);
    ws_text(w, "too late");
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "message %d", i);
        ws_expect_text(w, text);
    }
    ws_expect_close(w, 1001, "");
    mini_ws_say(mini_last(&w->origin), 8, WS_CLOSE_1001, 2);
    ws_end(w);
    ws_check(w, REQIVO_E_SHUTDOWN, 1001);
    ck_assert_uint_eq(w->told.close.undelivered, 1);
    ck_assert_uint_eq(w->told.close.taken, 101);
    ws_world_close(w);
}
END_TEST

START_TEST(drain_ends_what_is_not_open)
{
    struct ws_world *w = ws_world_open();

    w->mute = true;
    ws_begin(w);
    ws_text(w, "never");
    ck_assert(wsession_unstarted(w->ws));
    mini_env_until(&w->env, &w->handshakes, 1);
    ck_assert(!wsession_unstarted(w->ws));
    wsession_drain(&w->env.wsessions);
    ws_check(w, REQIVO_E_SHUTDOWN, 0);
    ws_world_close(w);
}
END_TEST

START_TEST(daemon_stops_at_once)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    wsession_env_done(&w->env.wsessions);
    ws_check(w, REQIVO_E_SHUTDOWN, 1006);
    ws_world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("wsession");
    TCase *refused = tcase_create("refused");

    tcase_add_loop_test(refused, handshake_is_refused, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_loop_test(refused, urls_are_checked, 0, sizeof urls / sizeof urls[0]);
    suite_add_tcase(s, refused);
    UNIT_TCASE(s, "open", opens_echoes_and_closes, what_is_sent_before_it_is_open_waits,
               rule_b5_session_is_never_pooled, server_closes, server_breaks_off, handshake_ends_or_is_silent,
               nobody_listens, options_are_checked, policy_refuses_the_address, limits_of_the_account,
               memory_ends_a_session_that_is_open);
    UNIT_TCASE(s, "messages", pieces_come_in_their_order, credit_of_the_program,
               rule_b5_credit_stops_the_server, queue_of_the_program_stops_the_server,
               text_that_is_not_utf8_ends_it, sink_that_takes_no_more_ends_it,
               sink_that_takes_no_more_of_what_waited);
    UNIT_TCASE(s, "compression", rule_b5_a_bomb_is_expanded_turn_by_turn,
               rule_b5_what_nobody_hears_is_not_expanded);
    UNIT_TCASE(s, "ends", program_goes, program_cancels, drain_sends_what_was_queued,
               drain_ends_what_is_not_open, daemon_stops_at_once);
    return s;
}

UNIT_MAIN(suite)
