/* SPDX-License-Identifier: MIT */
/* test_exchange - one request and its answer: bodies both ways, credit, early answers, windows, refusals;
 * against an origin on the same loop. After each case every account is at zero (mini_env_close). */
#include "tests/lib/mini_exchange.h"
#include "tests/unit/unit.h"

#include <sys/socket.h>

/* ---- what works ---- */

START_TEST(a_small_get)
{
    struct world *w = world_open();

    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_int_eq(w->seen.status, 200);
    ck_assert_str_eq(w->seen.text, "ok");
    ck_assert_uint_eq(w->seen.end.flags, 0);
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_REUSED);
    ck_assert_uint_eq(w->origin.accepted, 1);
    ck_assert_uint_eq(w->env.exchanges.stats.succeeded, 2);
    world_close(w);
}
END_TEST

static const struct {
    const char *answer;
    int status;
    size_t body;
    bool reused;
} answers[] = {
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, 0, true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n", 304, 0, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, 5, true},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
     "1\r\n\r\nx",
     200, 1, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, true},
};

START_TEST(bodies_end_where_they_end)
{
    struct world *w = world_open();

    w->origin.answer = answers[_i].answer;
    for (int n = 0; n < 2; n++) {
        run(w);
        check_code(w, 0, REQIVO_SENT_YES);
        ck_assert_int_eq(w->seen.status, answers[_i].status);
        ck_assert_uint_eq(w->seen.body, answers[_i].body);
    }
    ck_assert_uint_eq(w->origin.accepted, answers[_i].reused ? 1 : 2);
    world_close(w);
}
END_TEST

START_TEST(head_has_no_body_whatever_it_says)
{
    struct world *w = world_open();

    request(w, RQV_STR("HEAD"));
    w->origin.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    run(w);
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.body, 0);
    ck_assert_uint_eq(w->origin.accepted, 1);
    world_close(w);
}
END_TEST

START_TEST(trailers_come_apart)
{
    struct world *w = world_open();

    w->origin.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n";
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.trailers, 1);
    world_close(w);
}
END_TEST

static char last_request[4096];

static void keep_and_answer(struct mini_conn *conn)
{
    snprintf(last_request, sizeof last_request, "%.*s", (int)conn->len, conn->in);
    mini_answer(conn);
}

START_TEST(a_post_with_its_length)
{
    struct world *w = world_open();

    w->origin.on_whole = keep_and_answer;
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 5;
    for (int n = 0; n < 2; n++) {
        begin(w, false);
        body(w, "he", 2, false);
        mini_env_ms(&w->env, 3);
        body(w, "llo", 3, true);
        finish(w);
        check_code(w, 0, REQIVO_SENT_YES);
        ck_assert_ptr_nonnull(strstr(last_request, "\r\n\r\nhello"));
    }
    ck_assert_uint_eq(w->origin.accepted, 1);
    world_close(w);
}
END_TEST

START_TEST(a_post_in_chunks)
{
    struct world *w = world_open();

    w->origin.on_whole = keep_and_answer;
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED;
    begin(w, false);
    body(w, "hello", 5, false);
    mini_env_ms(&w->env, 3);
    body(w, "", 0, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_ptr_nonnull(strstr(last_request, "\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    world_close(w);
}
END_TEST

/* 3 MiB through a window of 1 MiB: credit comes back as the bytes go. */
START_TEST(credit_for_the_body_comes_back_as_it_goes)
{
    struct world *w = world_open();
    size_t left = 3 * sizeof megabyte - 1, grant = sizeof megabyte;

    w->origin.forgets = true;
    request(w, RQV_STR("PUT"));
    w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED;
    begin(w, false);
    for (int turn = 0; turn < 1000 && left > 0; turn++) {
        size_t given = (size_t)w->seen.credit + sizeof megabyte - (3 * sizeof megabyte - 1 - left);
        grant = given < left ? given : left;
        ck_assert_uint_le(given, sizeof megabyte);
        if (grant > 0)
            body(w, megabyte, grant, grant == left);
        left -= grant;
        mini_env_ms(&w->env, 1);
        ck_assert_uint_le(w->env.account->used[ACCOUNT_MEMORY], 8 * sizeof megabyte);
    }
    ck_assert_uint_eq(left, 0);
    ck_assert_uint_ge(w->seen.credit, sizeof megabyte);
    exchange_cancel(w->x, REQIVO_E_CANCELED, "enough");
    ck_assert_uint_eq(w->seen.done, 1);
    world_close(w);
}
END_TEST

START_TEST(data_beyond_credit_is_a_violation)
{
    struct world *w = world_open();

    w->origin.deaf = true;
    request(w, RQV_STR("PUT"));
    w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED;
    begin(w, false);
    body(w, megabyte, sizeof megabyte, false);
    ck_assert_int_eq(exchange_body(w->x, RQV_STR("x"), false), REQIVO_E_WIRE);
    exchange_abandon(w->x);
    ck_assert_uint_eq(w->seen.done, 0);
    world_close(w);
}
END_TEST

START_TEST(credit_beyond_its_limit_is_a_violation)
{
    struct world *w = world_open();

    w->origin.on_whole = silence;
    begin(w, true);
    ck_assert_int_eq(exchange_credit(w->x, RQV_WIRE_CREDIT_MAX - RQV_WIRE_CREDIT_INITIAL), 0);
    ck_assert_int_eq(exchange_credit(w->x, 1), REQIVO_E_WIRE);
    exchange_abandon(w->x);
    world_close(w);
}
END_TEST

/* Shorter or longer than declared: the connection is never padded or gone on with. */
START_TEST(rule_b4_a_body_of_another_length)
{
    struct world *w = world_open();

    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 5;
    begin(w, false);
    body(w, "123", 3, true);
    ck_assert_uint_eq(w->seen.done, 1);
    check_code(w, REQIVO_E_BODY_LENGTH, REQIVO_SENT_NO);
    begin(w, false);
    body(w, "123456", 6, false);
    check_code(w, REQIVO_E_BODY_LENGTH, REQIVO_SENT_NO);
    begin(w, false);
    body(w, "12", 2, false);
    mini_env_until(&w->env, &w->origin.accepted, 1);
    mini_env_ms(&w->env, 5);
    body(w, "3", 1, true);
    check_code(w, REQIVO_E_BODY_LENGTH, REQIVO_SENT_UNKNOWN);
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(w->origin.requests, 0);
    world_close(w);
}
END_TEST

/* ---- large bodies ---- */

#define PIECE 65536
static uint32_t numbers[262144]; /* 1 MiB whose every word is its place */

static void number(void)
{
    for (uint32_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        numbers[i] = i;
}

/* The numbers, whole and in their order, as they are or in chunks. */
static void compare_and_answer(struct mini_conn *conn)
{
    const char *at = conn->in + conn->head_len, *want = (const char *)numbers;
    bool chunked = memmem(conn->in, conn->head_len, "chunked", 7) != NULL;

    for (size_t left = sizeof numbers, n; left > 0; left -= n, want += n, at += n) {
        char *text = NULL;
        n = chunked ? strtoul(at, &text, 16) : left;
        ck_assert(n > 0 && n <= left);
        at = chunked ? text + 2 : at;
        ck_assert_mem_eq(at, want, n);
        at += chunked ? 2 : 0;
    }
    mini_answer(conn);
}

static void begin_numbers(struct world *w, bool chunked)
{
    number();
    w->origin.on_whole = compare_and_answer;
    request(w, RQV_STR("POST"));
    w->head.flags = (uint16_t)(RQV_REQ_HAS_BODY | (chunked ? RQV_REQ_CHUNKED : 0));
    w->head.body_length = chunked ? 0 : (int64_t)sizeof numbers;
    begin(w, false);
}

static void piece(struct world *w, size_t at)
{
    body(w, (const char *)numbers + at, PIECE, at + PIECE == sizeof numbers);
}

/* Beyond what a repeat may need, it goes from where it was read to the socket. */
START_TEST(a_large_body_is_not_kept)
{
    struct world *w = world_open();

    begin_numbers(w, _i);
    for (size_t at = 0; at < sizeof numbers; at += PIECE) {
        piece(w, at);
        if (at >= 2 * PIECE && at + PIECE < sizeof numbers) {
            ck_assert_ptr_null(w->x->body.buf.data);
            ck_assert_ptr_null(w->x->lease.conn->out.buf.data);
        }
        while (!(w->x->step == STEP_DONE) && (w->x->body_at < queue_len(&w->x->body) || !w->x->lease.conn ||
                                              lease_unsent(&w->x->lease) > 0))
            mini_env_ms(&w->env, 1);
    }
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.requests, 1);
    world_close(w);
}
END_TEST

/* What the kernel takes only a part of goes on behind that part. */
START_TEST(a_large_body_to_a_slow_server)
{
    struct world *w = world_open();
    int small = 16384;

    w->origin.deaf = true;
    begin_numbers(w, _i);
    while (!w->x->lease.conn)
        mini_env_ms(&w->env, 1);
    ck_assert_int_eq(
        setsockopt(stream_fd(w->x->lease.conn->stream), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (size_t at = 0; at < sizeof numbers; at += PIECE) {
        piece(w, at);
        mini_env_ms(&w->env, 1);
    }
    ck_assert_uint_gt(queue_len(&w->x->body), 0);
    mini_hear(&w->origin);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.requests, 1);
    world_close(w);
}
END_TEST

/* ---- early answers, Expect ---- */

static void refuse_early(struct mini_conn *conn)
{
    mini_say(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
}

START_TEST(rule_b4_an_early_answer_ends_sending)
{
    struct world *w = world_open();

    w->origin.on_head = refuse_early;
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED;
    begin(w, false);
    body(w, "some", 4, false);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_int_eq(w->seen.status, 413);
    ck_assert_str_eq(w->seen.text, "no");
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(w->origin.requests, 0);
    world_close(w);
}
END_TEST

/* An early answer while the server's end is full: nothing waits for it to become writable (a loop that spins
 * would). */
START_TEST(an_early_answer_with_a_full_socket)
{
    struct world *w = world_open();
    struct loop_stats before, after;

    w->origin.deaf = true;
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED;
    begin(w, false);
    while (w->x->grant_left >= 65536) {
        body(w, megabyte, 65536, false);
        mini_env_ms(&w->env, 1);
    }
    ck_assert_uint_gt(lease_unsent(&w->x->lease), 0);
    mini_say(mini_last(&w->origin), "HTTP/1.1 413 Too Large\r\nContent-Length: 1000\r\n\r\nno");
    mini_env_until(&w->env, &w->seen.heads, 1);
    mini_env_ms(&w->env, 5);
    w->origin.forgets = true;
    mini_hear(&w->origin);
    loop_stats(w->env.loop, &before);
    mini_env_ms(&w->env, 50);
    loop_stats(w->env.loop, &after);
    ck_assert_uint_lt(after.turns - before.turns,
                      1000); /* the test's own timer and the origin's reads make hundreds */
    ck_assert_uint_eq(w->seen.done, 0);
    exchange_cancel(w->x, REQIVO_E_CANCELED, "enough");
    world_close(w);
}
END_TEST

static void go_on(struct mini_conn *conn)
{
    mini_say(conn, "HTTP/1.1 100 Continue\r\n\r\n");
}

START_TEST(expect_waits_for_100)
{
    struct world *w = world_open();

    w->origin.on_head = silence;
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_EXPECT;
    w->head.body_length = 4;
    begin(w, false);
    body(w, "body", 4, true);
    mini_env_ms(&w->env, 50);
    struct mini_conn *conn = mini_last(&w->origin);
    ck_assert(conn->headed);
    ck_assert_uint_eq(conn->len, conn->head_len); /* no byte of the body */
    go_on(conn);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.requests, 1);
    world_close(w);
}
END_TEST

START_TEST(expect_goes_on_after_a_second)
{
    struct world *w = world_open();

    w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_EXPECT;
    w->head.method = RQV_STR("PUT");
    w->head.body_length = 4;
    w->head.timeout_ms[RQV_T_STALL] = 200; /* is not what ends the wait */
    begin(w, false);
    body(w, "body", 4, true);
    mini_env_ms(&w->env, 800);
    ck_assert_uint_eq(w->origin.requests, 0);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    world_close(w);
}
END_TEST

START_TEST(rule_b4_a_final_answer_to_expect_closes)
{
    struct world *w = world_open();

    w->origin.on_head = refuse_early;
    w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_EXPECT;
    w->head.method = RQV_STR("PUT");
    w->head.body_length = 4;
    begin(w, false);
    body(w, "body", 4, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    mini_env_until(&w->env, &w->origin.ended, 1);
    world_close(w);
}
END_TEST

/* ---- windows ---- */

START_TEST(without_credit_nothing_is_read)
{
    struct world *w = world_open();

    w->origin.answer = three_megabytes();
    w->head.timeout_ms[RQV_T_STALL] = 30; /* the program's pause is no stall */
    begin(w, true);
    mini_env_ms(&w->env, 100);
    ck_assert_uint_eq(w->seen.body, RQV_WIRE_CREDIT_INITIAL);
    ck_assert_uint_eq(w->seen.done, 0);
    ck_assert_uint_lt(w->env.account->used[ACCOUNT_MEMORY], 65536);
    ck_assert_int_eq(exchange_credit(w->x, 1000), 0);
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(w->seen.body, RQV_WIRE_CREDIT_INITIAL + 1000);
    ck_assert_int_eq(exchange_credit(w->x, 2 * sizeof megabyte), 0);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.body, 3 * sizeof megabyte);
    world_close(w);
}
END_TEST

START_TEST(without_room_nothing_is_read)
{
    struct world *w = world_open();

    w->origin.answer = three_megabytes();
    begin(w, true);
    exchange_credit(w->x, 3 * sizeof megabyte);
    w->seen.room = 0;
    mini_env_ms(&w->env, 50);
    ck_assert_uint_eq(w->seen.heads, 0);
    w->seen.room = 1000;
    exchange_kick(w->x);
    mini_env_until(&w->env, &w->seen.heads, 1);
    w->seen.room = 0;
    mini_env_ms(&w->env, 10);
    size_t had = w->seen.body;
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(w->seen.body, had);
    w->seen.room = 1 << 20;
    exchange_kick(w->x);
    finish(w);
    ck_assert_uint_eq(w->seen.body, 3 * sizeof megabyte);
    world_close(w);
}
END_TEST

/* ---- refusals ---- */

/* The path is written twice on its way into the head. */
START_TEST(rule_b2_10_the_path_is_wiped_with_the_head)
{
    struct world *w = world_open();
    const struct queue_pool *kept = &w->env.queues;
    size_t blocks = 0;

    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    for (unsigned rank = 0; rank < QUEUE_RANKS; rank++)
        for (unsigned i = 0; i < kept->count[rank]; i++, blocks++)
            ck_assert_ptr_null(memmem(kept->free[rank][i], (size_t)QUEUE_LEAST << rank, "/path?q", 7));
    ck_assert_uint_gt(blocks, 0);
    world_close(w);
}
END_TEST

START_TEST(refused_before_anything_is_made)
{
    static const struct {
        const char *url;
        int code;
    } bad[] = {{"ftp://127.0.0.1/", REQIVO_E_URL},
               {"http://u:p@127.0.0.1/", REQIVO_E_URL},
               {"http://0x7f000001/", REQIVO_E_URL},
               {"", REQIVO_E_URL}};
    struct world *w = world_open();
    struct rqv_err err = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        w->head.url = rqv_str_from(bad[i].url);
        ck_assert_int_eq(start(w, true, &err), bad[i].code);
    }
    request(w, RQV_STR("GET"));
    rqv_fields_add(&w->head.fields, RQV_STR("Content-Length"), RQV_STR("3"));
    ck_assert_int_eq(start(w, true, &err), REQIVO_E_FIELD);
    request(w, RQV_STR("G T"));
    ck_assert_int_eq(start(w, true, &err), REQIVO_E_METHOD);
    loop_settle(w->env.loop);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_MEMORY], 0);
    world_close(w);
}
END_TEST

START_TEST(rule_b9_5_the_limit_of_requests_is_exact)
{
    struct world *w = world_open();
    struct rqv_err err = {0};
    struct exchange *x[2];

    w->env.accounts.limit_uid[ACCOUNT_REQUESTS] = 2;
    w->origin.on_whole = silence;
    for (int i = 0; i < 2; i++) {
        begin(w, true);
        x[i] = w->x;
    }
    ck_assert_int_eq(start(w, true, &err), REQIVO_E_LIMIT_REQUESTS);
    exchange_abandon(x[0]);
    begin(w, true);
    exchange_abandon(x[1]);
    exchange_abandon(w->x);
    world_close(w);
}
END_TEST

/* security.md B2-4: in any place of any list, in either direction. */
START_TEST(rule_b2_4_connection_bound_authentication_is_not_shared)
{
    static const char *const offers[] = {
        "HTTP/1.1 401 X\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"a\", negotiate\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 401 X\r\nWWW-Authenticate: A\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 407 X\r\nProxy-Authenticate: nTlM\r\nContent-Length: 0\r\n\r\n"};
    struct world *w = world_open();
    unsigned closed = 0;

    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        w->origin.answer = offers[i];
        run(w);
        mini_env_until(&w->env, &w->origin.ended, ++closed);
    }
    w->origin.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    rqv_fields_add(&w->head.fields, RQV_STR("Authorization"), RQV_STR("Negotiate YII"));
    run(w);
    mini_env_until(&w->env, &w->origin.ended, ++closed);
    request(w, RQV_STR("GET"));
    rqv_fields_add(&w->head.fields, RQV_STR("Authorization"), RQV_STR("Bearer NTLM"));
    run(w);
    mini_env_ms(&w->env, 10);
    ck_assert_uint_eq(w->origin.ended, closed);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("exchange");
    TCase *loops = tcase_create("loops");

    UNIT_TCASE(s, "works", a_small_get, head_has_no_body_whatever_it_says, trailers_come_apart,
               a_post_with_its_length, a_post_in_chunks, credit_for_the_body_comes_back_as_it_goes,
               data_beyond_credit_is_a_violation, credit_beyond_its_limit_is_a_violation,
               rule_b4_a_body_of_another_length);
    UNIT_TCASE(s, "early", rule_b4_an_early_answer_ends_sending, an_early_answer_with_a_full_socket,
               expect_waits_for_100, expect_goes_on_after_a_second, rule_b4_a_final_answer_to_expect_closes);
    UNIT_TCASE(s, "windows", without_credit_nothing_is_read, without_room_nothing_is_read);
    UNIT_TCASE(s, "afterwards", rule_b2_10_the_path_is_wiped_with_the_head);
    UNIT_TCASE(s, "refusals", refused_before_anything_is_made, rule_b9_5_the_limit_of_requests_is_exact,
               rule_b2_4_connection_bound_authentication_is_not_shared);
    tcase_set_timeout(loops, 60);
    tcase_add_loop_test(loops, bodies_end_where_they_end, 0, (int)(sizeof answers / sizeof answers[0]));
    tcase_add_loop_test(loops, a_large_body_is_not_kept, 0, 2);
    tcase_add_loop_test(loops, a_large_body_to_a_slow_server, 0, 2);
    suite_add_tcase(s, loops);
    return s;
}

UNIT_MAIN(suite)
