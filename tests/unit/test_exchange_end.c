/* SPDX-License-Identifier: MIT */
/* test_exchange_end - how requests end other than well: the retry rule, the timeouts, cancel and the
 * program's death at every step. After each case every account is at zero (mini_env_close). */
#include "tests/lib/mini_exchange.h"
#include "tests/unit/unit.h"

/* ---- the retry rule: security.md B8 ---- */

/* The second request of the first connection is read and then cut off. */
static void cut_second(struct mini_conn *conn)
{
    if (conn->number == 1 && conn->requests == 2)
        mini_reset(conn);
    else
        mini_answer(conn);
}

static void end_second(struct mini_conn *conn)
{
    if (conn->number == 1 && conn->requests == 2)
        mini_end(conn);
    else
        mini_answer(conn);
}

static void cut_always(struct mini_conn *conn)
{
    if (conn->requests == 2 || conn->number > 1)
        mini_reset(conn);
    else
        mini_answer(conn);
}

static void part_then_cut(struct mini_conn *conn)
{
    if (conn->requests == 2) {
        mini_say(conn, "H");
        mini_end(conn);
    } else {
        mini_answer(conn);
    }
}

START_TEST(rule_b8_idempotent_reused_and_no_byte_is_repeated)
{
    struct world *w = world_open();

    w->origin.on_whole = _i == 0 ? cut_second : end_second;
    run(w);
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_RETRIED);
    ck_assert_str_eq(w->seen.text, "ok");
    ck_assert_uint_eq(w->origin.accepted, 2);
    ck_assert_uint_eq(w->env.exchanges.stats.retried, 1);
    world_close(w);
}
END_TEST

START_TEST(rule_b8_at_most_once)
{
    struct world *w = world_open();

    w->origin.on_whole = cut_always;
    run(w);
    run(w);
    check_code(w, REQIVO_E_RESET, REQIVO_SENT_UNKNOWN);
    ck_assert_uint_eq(w->origin.accepted, 2);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_RETRIED);
    world_close(w);
}
END_TEST

START_TEST(rule_b8_not_on_a_fresh_connection)
{
    struct world *w = world_open();

    w->origin.on_whole = mini_reset;
    run(w);
    check_code(w, REQIVO_E_RESET, REQIVO_SENT_UNKNOWN);
    ck_assert_uint_eq(w->origin.accepted, 1);
    world_close(w);
}
END_TEST

START_TEST(rule_b8_not_after_a_byte_of_the_answer)
{
    struct world *w = world_open();

    w->origin.on_whole = part_then_cut;
    run(w);
    run(w);
    check_code(w, REQIVO_E_TRUNCATED, REQIVO_SENT_UNKNOWN);
    ck_assert_uint_eq(w->origin.accepted, 1);
    world_close(w);
}
END_TEST

START_TEST(rule_b8_never_a_post)
{
    struct world *w = world_open();

    w->origin.on_whole = cut_second;
    run(w);
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 2;
    begin(w, false);
    body(w, "hi", 2, true);
    finish(w);
    check_code(w, REQIVO_E_RESET, REQIVO_SENT_UNKNOWN);
    ck_assert_uint_eq(w->origin.accepted, 1);
    ck_assert_uint_eq(w->origin.requests, 2);
    world_close(w);
}
END_TEST

/* ... unless the program declares it, by the flag or by the field. */
START_TEST(rule_b8_a_declared_post_is_repeated_with_its_body)
{
    struct world *w = world_open();

    w->origin.on_whole = cut_second;
    run(w);
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY | (_i == 0 ? RQV_REQ_IDEMPOTENT : 0);
    w->head.body_length = 2;
    if (_i == 1)
        rqv_fields_add(&w->head.fields, RQV_STR("Idempotency-Key"), RQV_STR("7"));
    begin(w, false);
    body(w, "hi", 2, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.accepted, 2);
    ck_assert_uint_eq(w->origin.requests, 3);
    world_close(w);
}
END_TEST

/* Not a byte has gone (the program is still being told that it begins): any request is repeated, a POST too.
 */
START_TEST(rule_b8_not_sent_is_repeated_whatever_it_is)
{
    struct world *w = world_open();

    run(w);
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_BEGUN;
    w->seen.begun_rc = -EAGAIN;
    begin(w, true);
    ck_assert_uint_eq(w->seen.begun, 1);
    ck_assert_int_eq(w->x->step, STEP_BEGIN);
    mini_reset(mini_last(&w->origin));
    mini_env_until(&w->env, &w->origin.accepted, 2);
    mini_env_until(&w->env, &w->seen.begun, 2);
    ck_assert_uint_eq(w->origin.requests, 1);
    w->seen.begun_rc = 0;
    exchange_kick(w->x);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.requests, 2);
    world_close(w);
}
END_TEST

/* The repeat has its own time in the queue: the first attempt's length does not count. */
START_TEST(a_repeat_does_not_inherit_the_queues_time)
{
    struct world *w = world_open();

    run(w);
    w->origin.on_whole = silence;
    w->head.timeout_ms[RQV_T_QUEUE] = 30;
    begin(w, true);
    mini_env_ms(&w->env, 60);
    ck_assert_uint_eq(w->seen.done, 0);
    w->origin.on_whole = mini_answer;
    mini_reset(mini_last(&w->origin));
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_RETRIED);
    world_close(w);
}
END_TEST

/* ---- timeouts ---- */

START_TEST(timeout_of_the_queue)
{
    struct world *w = world_open();
    struct exchange *holder;

    w->env.conf.pool_connections = 1;
    w->origin.on_whole = silence;
    begin(w, true);
    holder = w->x;
    mini_env_until(&w->env, &w->origin.accepted, 1);
    mini_env_ms(&w->env, 5);
    w->head.timeout_ms[RQV_T_QUEUE] = 20;
    run(w);
    check_code(w, REQIVO_E_TIMEOUT_QUEUE, REQIVO_SENT_NO);
    ck_assert_uint_eq(w->seen.end.phase, REQIVO_PHASE_QUEUE);
    exchange_abandon(holder);
    world_close(w);
}
END_TEST

START_TEST(timeout_of_the_first_byte)
{
    struct world *w = world_open();

    w->origin.on_whole = silence;
    w->head.timeout_ms[RQV_T_FIRST] = 20;
    run(w);
    check_code(w, REQIVO_E_TIMEOUT_FIRST, REQIVO_SENT_UNKNOWN);
    mini_env_until(&w->env, &w->origin.ended, 1);
    world_close(w);
}
END_TEST

START_TEST(timeout_of_a_stall)
{
    struct world *w = world_open();

    w->origin.on_whole = half_an_answer;
    w->head.timeout_ms[RQV_T_STALL] = 20;
    run(w);
    check_code(w, REQIVO_E_TIMEOUT_STALL, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.body_bytes, 5);
    world_close(w);
}
END_TEST

START_TEST(timeout_of_a_stall_while_sending)
{
    struct world *w = world_open();

    w->origin.deaf = true;
    request(w, RQV_STR("PUT"));
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 64 * sizeof megabyte;
    w->head.timeout_ms[RQV_T_STALL] = 50;
    begin(w, false);
    while (w->seen.done == 0 && w->x->grant_left > 0) {
        body(w, megabyte, 65536, false);
        if (w->seen.done == 0)
            mini_env_ms(&w->env, 1);
    }
    finish(w);
    check_code(w, REQIVO_E_TIMEOUT_STALL, REQIVO_SENT_UNKNOWN);
    ck_assert_uint_eq(w->seen.end.phase, REQIVO_PHASE_SEND);
    world_close(w);
}
END_TEST

START_TEST(timeout_of_the_whole)
{
    struct world *w = world_open();

    w->origin.on_whole = half_an_answer;
    w->head.timeout_ms[RQV_T_TOTAL] = 30;
    run(w);
    check_code(w, REQIVO_E_TIMEOUT_TOTAL, REQIVO_SENT_YES);
    w->origin.on_whole = silence;
    run(w);
    check_code(w, REQIVO_E_TIMEOUT_TOTAL, REQIVO_SENT_UNKNOWN);
    world_close(w);
}
END_TEST

/* The program itself is what is waited for: no clock but the total runs. */
START_TEST(a_slow_program_is_no_stall)
{
    struct world *w = world_open();

    request(w, RQV_STR("PUT"));
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 2;
    w->head.timeout_ms[RQV_T_STALL] = 20;
    begin(w, false);
    mini_env_ms(&w->env, 60);
    body(w, "1", 1, false);
    mini_env_ms(&w->env, 60);
    ck_assert_uint_eq(w->seen.done, 0);
    body(w, "2", 1, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    world_close(w);
}
END_TEST

/* ---- the end at every step ---- */

enum { CUT_TRUST, CUT_ACQUIRE, CUT_DIAL, CUT_BEGIN, CUT_SEND, CUT_WAIT, CUT_BODY, CUT_PAUSED, CUTS };

static void reach(struct world *w, int where)
{
    w->origin.on_whole = where == CUT_BODY ? half_an_answer : where == CUT_PAUSED ? mini_answer : silence;
    if (where == CUT_TRUST) {
        snprintf(w->url, sizeof w->url, "https://127.0.0.1:%u/", w->origin.port);
        w->head.url = rqv_str_from(w->url);
        w->head.trust_id = 1;
        w->seen.trust_rc = -EAGAIN;
    }
    if (where == CUT_BEGIN) {
        w->head.flags = RQV_REQ_BEGUN;
        w->seen.begun_rc = -EAGAIN;
    }
    if (where == CUT_SEND)
        w->head.flags = RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED;
    if (where == CUT_PAUSED)
        w->origin.answer = three_megabytes();
    begin(w, where != CUT_SEND);
    if (where == CUT_DIAL)
        loop_settle(w->env.loop);
    else if (where == CUT_SEND)
        body(w, megabyte, 100000, false);
    if (where >= CUT_BEGIN)
        mini_env_ms(&w->env, 30);
}

static const enum exchange_step reached[] = {STEP_TRUST,        STEP_ACQUIRE,     STEP_ACQUIRE,
                                             STEP_BEGIN,        STEP_SEND_BODY,   STEP_RECEIVE_HEAD,
                                             STEP_RECEIVE_BODY, STEP_RECEIVE_BODY};

START_TEST(cancel_at_every_step)
{
    struct world *w = world_open();

    reach(w, _i);
    ck_assert_int_eq(w->x->step, reached[_i]);
    ck_assert_int_eq(exchange_unstarted(w->x), _i <= CUT_DIAL);
    exchange_cancel(w->x, REQIVO_E_CANCELED, "canceled by the program");
    ck_assert_uint_eq(w->seen.done, 1);
    check_code(w, REQIVO_E_CANCELED,
               _i <= CUT_BEGIN  ? REQIVO_SENT_NO
               : _i <= CUT_WAIT ? REQIVO_SENT_UNKNOWN
                                : REQIVO_SENT_YES);
    exchange_cancel(w->x, REQIVO_E_CANCELED, "again");
    mini_env_ms(&w->env, 5);
    ck_assert_uint_eq(w->seen.done, 1);
    ck_assert_uint_eq(w->origin.open, 0);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_REQUESTS] + w->env.account->used[ACCOUNT_CONNS], 0);
    world_close(w);
}
END_TEST

START_TEST(abandon_at_every_step)
{
    struct world *w = world_open();

    reach(w, _i);
    exchange_abandon(w->x);
    mini_env_ms(&w->env, 5);
    ck_assert_uint_eq(w->seen.done, 0);
    ck_assert_uint_eq(w->origin.open, 0);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_REQUESTS] + w->env.account->used[ACCOUNT_CONNS], 0);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("exchange_end");
    TCase *loops = tcase_create("loops");

    UNIT_TCASE(s, "retry", rule_b8_at_most_once, rule_b8_not_on_a_fresh_connection,
               rule_b8_not_after_a_byte_of_the_answer, rule_b8_never_a_post,
               rule_b8_not_sent_is_repeated_whatever_it_is, a_repeat_does_not_inherit_the_queues_time);
    UNIT_TCASE(s, "timeouts", timeout_of_the_queue, timeout_of_the_first_byte, timeout_of_a_stall,
               timeout_of_a_stall_while_sending, timeout_of_the_whole, a_slow_program_is_no_stall);
    tcase_set_timeout(loops, 60);
    tcase_add_loop_test(loops, rule_b8_idempotent_reused_and_no_byte_is_repeated, 0, 2);
    tcase_add_loop_test(loops, rule_b8_a_declared_post_is_repeated_with_its_body, 0, 2);
    tcase_add_loop_test(loops, cancel_at_every_step, 0, CUTS);
    tcase_add_loop_test(loops, abandon_at_every_step, 0, CUTS);
    suite_add_tcase(s, loops);
    return s;
}

UNIT_MAIN(suite)
