/* SPDX-License-Identifier: MIT */
/* test_exchange_decode - responses whose content codings are taken off: all of them, in chains, for a program
 * that reads slowly, cut, damaged, and blown up. After each case every account is at zero. */
#include "tests/lib/coding_run.h"
#include "tests/lib/mini_exchange.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

static struct {
    char *bytes;
    size_t len;
} reply;

static void send_reply(struct mini_conn *conn)
{
    mini_send(conn, reply.bytes, reply.len);
}

/* A response of these bytes, Content-Encoding included when there is one. */
static void set_reply(const char *status, const char *coding, struct bytes body)
{
    free(reply.bytes);
    reply.bytes = malloc(body.len + 512);
    int n = snprintf(reply.bytes, 512, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s%s%s\r\n", status, body.len,
                     coding ? "Content-Encoding: " : "", coding ? coding : "", coding ? "\r\n" : "");
    memcpy(reply.bytes + n, body.at, body.len);
    reply.len = (size_t)n + body.len;
}

static struct world *decode_open(void)
{
    struct world *w = world_open();

    w->origin.on_whole = send_reply;
    w->head.flags = RQV_REQ_DECODE;
    return w;
}

static void decode_close(struct world *w)
{
    free(reply.bytes);
    reply.bytes = NULL;
    world_close(w);
}

static const struct {
    enum rqv_coding_kind kind;
    const char *name;
} kinds[] = {{RQV_CODING_GZIP, "gzip"},
             {RQV_CODING_DEFLATE, "deflate"},
             {RQV_CODING_BR, "br"},
             {RQV_CODING_ZSTD, "zstd"}};

static struct bytes coded(int kind, size_t len, bool dull)
{
    struct bytes plain = coding_plain(len, dull);
    struct bytes done = coding_encode(plain, &(struct coding_encode){.kind = kinds[kind].kind});

    free(plain.at);
    return done;
}

START_TEST(each_coding_is_taken_off)
{
    struct world *w = decode_open();
    struct bytes plain = coding_plain(300000, false), body = coded(_i, 300000, false);

    set_reply("200 OK", kinds[_i].name, body);
    for (int n = 0; n < 2; n++) {
        run(w);
        check_code(w, 0, REQIVO_SENT_YES);
        ck_assert_uint_eq(w->seen.body, 300000);
        ck_assert_mem_eq(w->seen.text, plain.at, sizeof w->seen.text - 1);
        ck_assert_int_eq(w->seen.content_length, -1);
        ck_assert_uint_eq(w->seen.end.body_bytes, body.len);
    }
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_REUSED);
    free(plain.at);
    free(body.at);
    decode_close(w);
}
END_TEST

/* The program's window and its queue: not a byte more, however much it grows, and no memory for it. */
START_TEST(a_slow_reader_gets_what_he_takes)
{
    struct world *w = decode_open();
    struct bytes body = coded(_i, 3000000, false);
    size_t peak;

    set_reply("200 OK", kinds[_i].name, body);
    begin(w, true);
    for (int i = 0; i < 1000 && w->seen.body < RQV_WIRE_CREDIT_INITIAL; i++)
        mini_env_ms(&w->env, 5);
    mini_env_ms(&w->env, 5);
    ck_assert_uint_eq(w->seen.body, RQV_WIRE_CREDIT_INITIAL);
    peak = w->env.account->used[ACCOUNT_MEMORY];
    ck_assert_uint_le(peak, 17000000);
    while (!w->seen.done) {
        size_t before = w->seen.body;
        ck_assert_int_eq(exchange_credit(w->x, 100000), 0);
        mini_env_ms(&w->env, 5);
        ck_assert_uint_le(w->seen.body, before + 100000);
    }
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.body, 3000000);
    free(body.at);
    decode_close(w);
}
END_TEST

START_TEST(a_full_queue_is_waited_for)
{
    struct world *w = decode_open();
    struct bytes body = coded(0, 300000, false);

    set_reply("200 OK", "gzip", body);
    w->seen.room = 1000;
    begin(w, true);
    mini_env_until(&w->env, &w->seen.heads, 1);
    w->seen.room = 0;
    exchange_kick(w->x);
    mini_env_ms(&w->env, 10);
    ck_assert_uint_eq(w->seen.done, 0);
    w->seen.room = 100000;
    exchange_kick(w->x);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.body, 300000);
    free(body.at);
    decode_close(w);
}
END_TEST

START_TEST(rule_b4_a_coded_body_that_is_cut)
{
    struct world *w = decode_open();
    struct bytes body = coded(_i, 300000, false);

    body.len /= 2;
    set_reply("200 OK", kinds[_i].name, body);
    run(w);
    check_code(w, REQIVO_E_TRUNCATED, REQIVO_SENT_YES);
    ck_assert_uint_lt(w->seen.body, 300000);
    free(body.at);
    decode_close(w);
}
END_TEST

START_TEST(rule_b4_a_coded_body_that_is_damaged)
{
    struct world *w = decode_open();
    struct bytes body = coding_copy("\x01this is no coded body at all\xff\xff\xff", 32);

    set_reply("200 OK", kinds[_i].name, body);
    run(w);
    check_code(w, REQIVO_E_CODING, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.phase, REQIVO_PHASE_BODY);
    free(body.at);
    decode_close(w);
}
END_TEST

START_TEST(rule_b4_a_bomb)
{
    struct world *w = decode_open();
    struct bytes body = coded(_i, 100000000, true);

    set_reply("200 OK", kinds[_i].name, body);
    begin(w, true);
    ck_assert_int_eq(exchange_credit(w->x, 200000000), 0);
    finish(w);
    check_code(w, REQIVO_E_LIMIT_CODING, REQIVO_SENT_YES);
    ck_assert_uint_le(w->seen.body, 3 * 1048576);
    ck_assert_uint_le(w->env.account->peak_memory, 34000000);
    free(body.at);
    decode_close(w);
}
END_TEST

/* limits.decoded: its last byte may come, the next may not. */
START_TEST(rule_b4_a_decoded_body_has_a_size)
{
    struct world *w = decode_open();
    struct bytes body = coded(_i, 300000, false);

    set_reply("200 OK", kinds[_i].name, body);
    w->env.conf.decoded_max = 299999;
    run(w);
    check_code(w, REQIVO_E_LIMIT_CODING, REQIVO_SENT_YES);
    ck_assert_uint_le(w->seen.body, 299999);
    ck_assert_ptr_nonnull(strstr(w->seen.detail, "limits.decoded"));
    w->env.conf.decoded_max = 300000;
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    w->env.conf.decoded_max = 0;
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    free(body.at);
    decode_close(w);
}
END_TEST

START_TEST(rule_b4_chains_of_five_and_no_more)
{
    struct world *w = decode_open();
    struct bytes body = coding_plain(1000, false);

    for (int i = 0; i < 5; i++) {
        struct bytes next = coding_encode(body, &(struct coding_encode){.kind = RQV_CODING_GZIP});
        free(body.at);
        body = next;
    }
    set_reply("200 OK", "gzip, gzip, x-gzip, gzip, gzip", body);
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.body, 1000);
    set_reply("200 OK", "gzip, gzip, gzip, gzip, gzip, gzip", body);
    run(w);
    check_code(w, REQIVO_E_CODING, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.heads, 1);
    set_reply("200 OK", "gzip, sdch", body);
    run(w);
    check_code(w, REQIVO_E_CODING, REQIVO_SENT_YES);
    free(body.at);
    decode_close(w);
}
END_TEST

/* ---- turns ---- */

#define CROWD 24 /* of one user; the other has one */

static struct turns {
    struct seen seen[CROWD + 1];
    struct exchange *x[CROWD + 1];
    unsigned heads;
    char order[4096]; /* who was given a piece: 'a' the crowd, 'b' the other */
    size_t count;
} turns;

/* Nobody takes a byte until all could. */
static int note_head(struct exchange *x, const struct rqv_response_head *head)
{
    struct seen *seen = x->owner;

    turns.heads++;
    seen->room = 0;
    return sink_head(x, head);
}

static int note_data(struct exchange *x, const uint8_t *bytes, size_t len, bool last)
{
    ck_assert_uint_lt(turns.count, sizeof turns.order);
    turns.order[turns.count++] = x->account->uid == 1000 ? 'a' : 'b';
    return sink_data(x, bytes, len, last);
}

static void begin_for(struct world *w, struct account *account, const struct exchange_sink *notes, unsigned n)
{
    struct rqv_err err = {0};
    struct exchange_params params = {.sink = notes,
                                     .owner = &turns.seen[n],
                                     .account = account,
                                     .source = &w->source,
                                     .id = ++w->next_id,
                                     .head = &w->head,
                                     .ended = true};

    turns.seen[n] = (struct seen){.room = 1 << 20};
    ck_assert_int_eq(exchange_new(&w->env.exchanges, &params, &turns.x[n], &err), 0);
    ck_assert_int_eq(exchange_credit(turns.x[n], 1 << 20), 0);
    exchange_kick(turns.x[n]);
}

/* However many bodies of one user are decoded, and however much each of them grows: between two steps for
 * another user there is one of theirs. */
START_TEST(rule_b10_1_decoding_takes_turns)
{
    struct world *w = decode_open();
    struct bytes body = coded(0, 1 << 20, true);
    struct exchange_sink notes = sink;
    struct account *other;

    notes.head = note_head;
    notes.data = note_data;
    memset(&turns, 0, sizeof turns);
    w->env.conf.pool_connections = CROWD;
    set_reply("200 OK", "gzip", body);
    ck_assert_int_eq(account_get(&w->env.accounts, 1001, &other), 0);
    for (unsigned n = 0; n < CROWD; n++)
        begin_for(w, w->env.account, &notes, n);
    begin_for(w, other, &notes, CROWD);
    mini_env_until(&w->env, &turns.heads, CROWD + 1);
    mini_env_ms(&w->env, 5);
    ck_assert_uint_eq(turns.count, 0);
    for (unsigned n = 0; n <= CROWD; n++) {
        turns.seen[n].room = 1 << 20;
        exchange_kick(turns.x[n]);
    }
    for (unsigned n = 0; n <= CROWD; n++) {
        mini_env_until(&w->env, &turns.seen[n].done, 1);
        ck_assert_int_eq(turns.seen[n].end.code, 0);
        ck_assert_uint_eq(turns.seen[n].body, 1 << 20);
    }
    ck_assert_uint_ge(turns.count, 16 * (CROWD + 1));
    const char *first = memchr(turns.order, 'b', turns.count), *last = strrchr(turns.order, 'b');
    for (const char *at = first; at < last; at++)
        ck_assert_msg(at[0] == 'b' || at[1] == 'b', "the other waits for several: %.60s", first);
    ck_assert_int_le(first - turns.order, 1);
    ck_assert_int_le(last - first, 2 * 17);
    account_release(&other);
    free(body.at);
    decode_close(w);
}
END_TEST

static const struct {
    const char *method, *status, *coding;
    size_t len, body;
} plain[] = {
    {"HEAD", "200 OK", "gzip", 100, 0},        {"GET", "204 No Content", NULL, 0, 0},
    {"GET", "304 Not Modified", "sdch", 0, 0}, {"GET", "206 Partial Content", "gzip", 100, 100},
    {"GET", "200 OK", "identity", 100, 100},   {"GET", "200 OK", NULL, 100, 100},
    {"GET", "200 OK", "gzip", 0, 0},
};

START_TEST(what_has_nothing_to_decode)
{
    struct world *w = decode_open();
    struct bytes body = coding_plain(plain[_i].len, false);

    set_reply(plain[_i].status, plain[_i].coding, body);
    if (strncmp(plain[_i].status, "204", 3) == 0)
        reply.len = (size_t)snprintf(reply.bytes, 512, "HTTP/1.1 204 No Content\r\n\r\n");
    if (plain[_i].method[0] == 'H')
        reply.len -= plain[_i].len;
    request(w, rqv_str_from(plain[_i].method));
    w->head.flags = RQV_REQ_DECODE;
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.body, plain[_i].body);
    free(body.at);
    decode_close(w);
}
END_TEST

START_TEST(rule_b9_1_decoders_are_charged_first)
{
    struct world *w = decode_open();
    struct bytes body = coded(3, 3000000, false);

    set_reply("200 OK", "zstd", body);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = 100000;
    run(w);
    check_code(w, REQIVO_E_LIMIT_MEMORY, REQIVO_SENT_YES);
    free(body.at);
    decode_close(w);
}
END_TEST

START_TEST(canceled_and_abandoned_in_the_middle)
{
    struct world *w = decode_open();
    struct bytes body = coded(_i, 3000000, false);

    set_reply("200 OK", kinds[_i].name, body);
    for (int n = 0; n < 2; n++) {
        begin(w, true);
        mini_env_until(&w->env, &w->seen.heads, 1);
        mini_env_ms(&w->env, 5);
        ck_assert_uint_eq(w->seen.done, 0);
        if (n == 0)
            exchange_cancel(w->x, REQIVO_E_CANCELED, "canceled");
        else
            exchange_abandon(w->x);
        ck_assert_uint_eq(w->seen.done, n == 0);
    }
    free(body.at);
    decode_close(w);
}
END_TEST

/* Trailers are behind the body, however long the program takes to read it. */
START_TEST(trailers_come_behind_the_body)
{
    struct world *w = decode_open();
    struct bytes body = coded(0, 300000, false);
    int n;

    set_reply("200 OK", "gzip", body);
    free(reply.bytes);
    reply.bytes = malloc(body.len + 512);
    n = snprintf(reply.bytes, 512,
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
                 body.len);
    memcpy(reply.bytes + n, body.at, body.len);
    reply.len = (size_t)n + body.len;
    reply.len += (size_t)snprintf(reply.bytes + reply.len, 64, "\r\n0\r\nX-Sum: 1\r\n\r\n");
    w->seen.room = 1000000;
    begin(w, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.body, 300000);
    ck_assert_uint_eq(w->seen.trailers, 1);
    ck_assert_uint_eq(w->seen.before_trailers, 300000);
    free(body.at);
    decode_close(w);
}
END_TEST

static char asked[1024];

static void keep_request(struct mini_conn *conn)
{
    snprintf(asked, sizeof asked, "%s", conn->in);
    mini_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

START_TEST(what_is_accepted_is_said_once)
{
    struct world *w = decode_open();

    w->origin.on_whole = keep_request;
    run(w);
    ck_assert_ptr_nonnull(strstr(asked, "\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n"));
    rqv_fields_add(&w->head.fields, RQV_STR("accept-encoding"), RQV_STR("br"));
    run(w);
    ck_assert_ptr_nonnull(strstr(asked, "\r\naccept-encoding: br\r\n"));
    ck_assert_ptr_null(strstr(asked, "deflate"));
    decode_close(w);
}
END_TEST

static void add_all(TCase *tcase, const TTest *const *tests)
{
    for (; *tests; tests++)
        tcase_add_loop_test(tcase, *tests, 0, sizeof kinds / sizeof kinds[0]);
}

static Suite *suite(void)
{
    Suite *s = suite_create("exchange_decode");
    TCase *each = tcase_create("each coding"), *none = tcase_create("none");

    tcase_set_timeout(each, 60);
    add_all(each, (const TTest *const[]){
                      each_coding_is_taken_off, a_slow_reader_gets_what_he_takes,
                      rule_b4_a_coded_body_that_is_cut, rule_b4_a_coded_body_that_is_damaged, rule_b4_a_bomb,
                      rule_b4_a_decoded_body_has_a_size, canceled_and_abandoned_in_the_middle, NULL});
    suite_add_tcase(s, each);
    tcase_add_loop_test(none, what_has_nothing_to_decode, 0, sizeof plain / sizeof plain[0]);
    suite_add_tcase(s, none);
    UNIT_TCASE(s, "chain", a_full_queue_is_waited_for, rule_b4_chains_of_five_and_no_more,
               rule_b10_1_decoding_takes_turns, rule_b9_1_decoders_are_charged_first,
               trailers_come_behind_the_body, what_is_accepted_is_said_once);
    return s;
}

UNIT_MAIN(suite)
