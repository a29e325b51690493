/* SPDX-License-Identifier: MIT */
/* test_stale - what a reload that changes the policy means for what waits, dials, is idle, leased or kept
 * for a program (daemon/upstream/pool_stale.c). After each case every account is at zero (mini_env_close). */
#include "daemon/work/operate.h"
#include "tests/lib/mini_exchange.h"
#include "tests/unit/unit.h"

/* ---- a reload ---- */

static unsigned retired;

static void on_retired(void *owner)
{
    (void)owner;
    retired++;
}

/* Another policy is in force, and what was made by the one before is retired. */
static void reload(struct world *w)
{
    retired = 0;
    w->env.conf.policy_generation++;
    origins_retire(&w->env.origins, on_retired, w);
    ck_assert_uint_eq(retired, 0);
    mini_env_until(&w->env, &retired, 1);
}

static size_t pools(const struct world *w)
{
    return rqv_map_count(&w->env.origins.map);
}

static struct mini_conn *conn_of(struct world *w, unsigned number)
{
    rqv_list_for_each (node, &w->origin.conns) {
        struct mini_conn *conn = RQV_LIST_OF(node, struct mini_conn, node);
        if (conn->number == number)
            return conn;
    }
    ck_abort_msg("connection %u is not there", number);
    return NULL;
}

/* One more, next to the world's own. */
static struct exchange *begin_other(struct world *w, struct seen *seen, struct pin *pin)
{
    struct rqv_err err = {0};
    struct exchange *x = NULL;
    struct exchange_params params = {.sink = &sink,
                                     .owner = seen,
                                     .account = w->env.account,
                                     .source = &w->source,
                                     .id = ++w->next_id,
                                     .head = &w->head,
                                     .pin = pin,
                                     .ended = true};

    memset(seen, 0, sizeof *seen);
    seen->room = 1 << 20;
    ck_assert_int_eq(exchange_new(&w->env.exchanges, &params, &x, &err), 0);
    exchange_kick(x);
    return x;
}

static unsigned asked; /* whole requests that the silent origin has */

static void note(struct mini_conn *conn)
{
    (void)conn;
    asked++;
}

/* A request that is under way on a connection, and will not be answered by itself. */
static void begin_silent(struct world *w)
{
    asked = 0;
    w->origin.on_whole = note;
    begin(w, true);
    mini_env_until(&w->env, &asked, 1);
}

/* ---- pools ---- */

START_TEST(rule_b1_k11_idle_connections_are_closed)
{
    struct world *w = world_open();

    run(w);
    ck_assert_uint_eq(pools(w), 1);
    reload(w);
    mini_env_until(&w->env, &w->origin.ended, 1);
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.accepted, 2);
    for (int i = 0; i < 100 && pools(w) > 1; i++)
        mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(pools(w), 1); /* that of the old policy has ended */
    world_close(w);
}
END_TEST

START_TEST(nothing_changes_nothing)
{
    struct world *w = world_open();

    run(w);
    w->env.conf.policy_generation--;
    reload(w);
    run(w);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_REUSED);
    ck_assert_uint_eq(w->origin.accepted, 1);
    world_close(w);
}
END_TEST

START_TEST(rule_b1_k11_what_is_under_way_ends_well_and_is_not_reused)
{
    struct world *w = world_open();

    begin_silent(w);
    reload(w);
    ck_assert_uint_eq(w->seen.done, 0);
    mini_answer(conn_of(w, 1));
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.flags, 0);
    mini_env_until(&w->env, &w->origin.ended, 1);
    world_close(w);
}
END_TEST

START_TEST(who_waits_asks_anew)
{
    struct world *w = world_open();
    struct seen waits[3];

    w->env.conf.pool_connections = 1;
    begin_silent(w);
    for (int i = 0; i < 3; i++)
        begin_other(w, &waits[i], NULL);
    mini_env_ms(&w->env, 5);
    ck_assert_uint_eq(w->origin.accepted, 1);
    reload(w);
    for (unsigned i = 0; i < 3; i++) { /* in their order, one connection after the other's request */
        mini_env_until(&w->env, &asked, i + 2);
        ck_assert_uint_eq(w->origin.accepted, 2);
        mini_answer(conn_of(w, 2));
        mini_env_until(&w->env, &waits[i].done, 1);
        ck_assert_int_eq(waits[i].end.code, 0);
        ck_assert_uint_eq(waits[i].end.flags & RQV_RESP_RETRIED, 0);
    }
    mini_answer(conn_of(w, 1));
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    world_close(w);
}
END_TEST

START_TEST(a_dial_begins_again)
{
    struct world *w = world_open();

    begin(w, true);
    loop_settle(w->env.loop); /* the dial is begun; nothing is polled */
    struct conn *dial = w->x->waiter.dialing;
    ck_assert_ptr_nonnull(dial);
    uint64_t id = dial->id;
    reload(w);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_ne(w->x->lease.conn_id, id);
    ck_assert_uint_eq(w->origin.requests, 1);
    world_close(w);
}
END_TEST

START_TEST(what_is_leased_and_unwritten_is_taken_back)
{
    struct world *w = world_open();

    w->head.flags = RQV_REQ_BEGUN;
    w->seen.begun_rc = -EAGAIN; /* the program does not read */
    begin(w, true);
    mini_env_until(&w->env, &w->seen.begun, 1);
    ck_assert_uint_eq(w->x->lease.conn->id, 1);
    reload(w);
    mini_env_until(&w->env, &w->origin.ended, 1);
    mini_env_until(&w->env, &w->seen.begun, 2);
    ck_assert_uint_ne(w->x->lease.conn->id, 1);
    w->seen.begun_rc = 0;
    exchange_kick(w->x);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.flags & RQV_RESP_RETRIED, 0);
    ck_assert_uint_eq(w->origin.requests, 1);
    world_close(w);
}
END_TEST

START_TEST(a_repeat_goes_by_what_is_in_force)
{
    struct world *w = world_open();

    run(w);
    begin_silent(w);
    reload(w);
    w->origin.on_whole = mini_answer;
    mini_reset(conn_of(w, 1));
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_RETRIED);
    ck_assert_uint_eq(w->x->pool->policy_generation, w->env.conf.policy_generation);
    world_close(w);
}
END_TEST

START_TEST(verification_may_be_off_no_longer)
{
    struct world *w = world_open();
    struct seen waits;

    w->env.conf.insecure = 1;
    w->env.conf.pool_connections = 1;
    w->head.flags = RQV_REQ_INSECURE;
    begin_silent(w);
    begin_other(w, &waits, NULL);
    w->env.conf.insecure = 0;
    reload(w);
    mini_env_until(&w->env, &waits.done, 1);
    ck_assert_int_eq(waits.end.code, REQIVO_E_OPTION_DENIED);
    ck_assert_int_eq(waits.end.sent, REQIVO_SENT_NO);
    mini_answer(conn_of(w, 1));
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    world_close(w);
}
END_TEST

START_TEST(a_lower_limit_closes_what_is_idle_beyond_it)
{
    struct world *w = world_open();
    struct seen more[3];

    begin_silent(w);
    for (int i = 0; i < 3; i++)
        begin_other(w, &more[i], NULL);
    mini_env_until(&w->env, &asked, 4);
    for (unsigned i = 1; i <= 4; i++)
        mini_answer(conn_of(w, i));
    for (int i = 0; i < 3; i++)
        mini_env_until(&w->env, &more[i].done, 1);
    finish(w);
    ck_assert_uint_eq(w->origin.ended, 0);
    w->env.conf.pool_connections = 1;
    mini_env_until(&w->env, &w->origin.ended, 3);
    w->origin.on_whole = mini_answer;
    run(w);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_REUSED);
    ck_assert_uint_eq(w->origin.accepted, 4);
    world_close(w);
}
END_TEST

/* ---- what programs have asked for ---- */

struct op_seen {
    struct operation *op;
    unsigned done;
    struct rqv_err err;
};

static int op_trust(struct operation *op, uint64_t trust_id, struct trust **ret_trust, struct rqv_err *err)
{
    (void)op, (void)trust_id, (void)ret_trust;
    return rqv_err_set(err, REQIVO_E_TRUST, REQIVO_PHASE_NONE, "no trust");
}

static int op_row(struct operation *op, const struct rqv_fields *fields)
{
    (void)op, (void)fields;
    return 0;
}

static void op_done(struct operation *op, const struct rqv_err *err)
{
    struct op_seen *seen = op->owner;

    seen->done++;
    seen->err = *err;
}

static const struct operation_sink op_sink = {op_trust, op_row, op_done};

static void operate(struct world *w, struct op_seen *seen, struct rqv_operation *operation, struct pin *pin)
{
    struct operation_params params = {.sink = &op_sink,
                                      .owner = seen,
                                      .account = w->env.account,
                                      .source = &w->source,
                                      .operation = operation,
                                      .pin = pin};

    memset(seen, 0, sizeof *seen);
    operation->head = w->head;
    ck_assert_int_eq(operation_new(&w->env.exchanges, &params, &seen->op, &seen->err), 0);
    operation_kick(seen->op);
}

static struct pin *acquire(struct world *w)
{
    struct rqv_operation operation = {.verb = RQV_OP_CONNECTION_ACQUIRE};
    struct op_seen seen;
    struct pin *pin = NULL;

    ck_assert_int_eq(pin_new(w->env.account, w->env.loop, &pin), 0);
    operate(w, &seen, &operation, pin);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.err.code, 0);
    return pin;
}

START_TEST(a_connection_that_is_kept_is_closed)
{
    struct world *w = world_open();
    struct pin *pin = acquire(w);
    struct seen seen;

    reload(w);
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_int_eq(pin->state, PIN_LOST);
    begin_other(w, &seen, pin);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.end.code, REQIVO_E_CONNECTION_CLOSED);
    ck_assert_int_eq(seen.end.sent, REQIVO_SENT_NO);
    ck_assert_uint_eq(w->origin.requests, 0);
    pin_release(&pin, true);
    world_close(w);
}
END_TEST

START_TEST(a_connection_that_is_kept_ends_its_request_first)
{
    struct world *w = world_open();
    struct pin *pin = acquire(w);
    struct seen seen, next;

    asked = 0;
    w->origin.on_whole = note;
    begin_other(w, &seen, pin);
    begin_other(w, &next, pin);
    mini_env_until(&w->env, &asked, 1);
    reload(w);
    ck_assert_uint_eq(seen.done + next.done, 0);
    mini_answer(conn_of(w, 1));
    mini_env_until(&w->env, &next.done, 1);
    ck_assert_int_eq(seen.end.code, 0);
    ck_assert_int_eq(next.end.code, REQIVO_E_CONNECTION_CLOSED);
    ck_assert_int_eq(next.end.sent, REQIVO_SENT_NO);
    pin_release(&pin, true);
    world_close(w);
}
END_TEST

START_TEST(connections_made_ahead_are_made_anew)
{
    struct world *w = world_open();
    struct rqv_operation operation = {.verb = RQV_OP_POOL_PREWARM, .value = 3};
    struct op_seen seen;

    operate(w, &seen, &operation, NULL);
    loop_settle(w->env.loop);
    ck_assert_uint_eq(seen.done, 0);
    reload(w);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.err.code, 0);
    run(w);
    ck_assert_uint_eq(w->x->pool->stats.opened, 3);
    ck_assert_uint_eq(w->x->pool->policy_generation, w->env.conf.policy_generation);
    world_close(w);
}
END_TEST

START_TEST(who_waits_to_acquire_asks_anew)
{
    struct world *w = world_open();
    struct rqv_operation operation = {.verb = RQV_OP_CONNECTION_ACQUIRE};
    struct op_seen seen;
    struct pin *pin = NULL;

    w->env.conf.pool_connections = 1;
    begin_silent(w);
    ck_assert_int_eq(pin_new(w->env.account, w->env.loop, &pin), 0);
    operate(w, &seen, &operation, pin);
    mini_env_ms(&w->env, 5);
    ck_assert_uint_eq(seen.done, 0);
    reload(w);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.err.code, 0);
    ck_assert_int_eq(pin->state, PIN_HELD);
    pin_release(&pin, true);
    mini_answer(conn_of(w, 1));
    finish(w);
    world_close(w);
}
END_TEST

/* ---- many ---- */

#define MANY 200 /* more than are looked at in a turn */

START_TEST(all_pools_are_retired_before_it_is_told)
{
    struct world *w = world_open();
    char route[32];

    snprintf(route, sizeof route, "127.0.0.1:%u", w->origin.port);
    w->head.route = rqv_str_from(route);
    for (int i = 0; i < MANY; i++) {
        snprintf(w->url, sizeof w->url, "http://n%d.example/", i);
        w->head.url = rqv_str_from(w->url);
        run(w);
        check_code(w, 0, REQIVO_SENT_YES);
    }
    ck_assert_uint_eq(pools(w), MANY);
    reload(w);
    /* what is still there by now stands in line to be closed */
    rqv_list_for_each (node, &w->env.origins.idle_lru)
        ck_assert(!rqv_list_empty(&RQV_LIST_OF(node, struct conn, idle_lru)->turn.node));
    mini_env_until(&w->env, &w->origin.ended, MANY);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stale");

    UNIT_TCASE(s, "pools", rule_b1_k11_idle_connections_are_closed, nothing_changes_nothing,
               rule_b1_k11_what_is_under_way_ends_well_and_is_not_reused, who_waits_asks_anew,
               a_dial_begins_again, what_is_leased_and_unwritten_is_taken_back,
               a_repeat_goes_by_what_is_in_force, verification_may_be_off_no_longer,
               a_lower_limit_closes_what_is_idle_beyond_it);
    UNIT_TCASE(s, "programs", a_connection_that_is_kept_is_closed,
               a_connection_that_is_kept_ends_its_request_first, connections_made_ahead_are_made_anew,
               who_waits_to_acquire_asks_anew);
    UNIT_TCASE(s, "many", all_pools_are_retired_before_it_is_told);
    return s;
}

UNIT_MAIN(suite)
