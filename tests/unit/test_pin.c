/* SPDX-License-Identifier: MIT */
/* test_pin - connections that are acquired for a series of requests, and what else is asked of a pool,
 * against an origin on the same loop. After each case every account is at zero (mini_env_close). */
#include "daemon/work/operate.h"
#include "tests/lib/mini_site.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

/* ---- operations whose end is noted ---- */

struct asked {
    struct operation *op;
    unsigned rows, done;
    struct rqv_err err;
    char leased[32];
};

static int asked_trust(struct operation *op, uint64_t trust_id, struct trust **ret_trust, struct rqv_err *err)
{
    (void)op;
    (void)trust_id;
    (void)ret_trust;
    return rqv_err_set(err, REQIVO_E_TRUST, REQIVO_PHASE_NONE, "no trust");
}

static int asked_row(struct operation *op, const struct rqv_fields *fields)
{
    struct asked *asked = op->owner;
    const struct rqv_field *leased = rqv_fields_get(fields, RQV_STR("leased"), 0);

    asked->rows++;
    if (leased)
        snprintf(asked->leased, sizeof asked->leased, "%.*s", (int)leased->value.len, leased->value.ptr);
    return 0;
}

static void asked_done(struct operation *op, const struct rqv_err *err)
{
    struct asked *asked = op->owner;

    asked->done++;
    asked->err = *err;
}

static const struct operation_sink asked_sink = {asked_trust, asked_row, asked_done};

static int operate(struct world *w, struct asked *asked, struct rqv_operation *operation, struct pin *pin)
{
    struct operation_params params = {.sink = &asked_sink,
                                      .owner = asked,
                                      .account = w->env.account,
                                      .source = &w->source,
                                      .operation = operation,
                                      .pin = pin};

    memset(asked, 0, sizeof *asked);
    operation->head = w->head;
    int rc = operation_new(&w->env.exchanges, &params, &asked->op, &asked->err);
    if (rc == 0)
        operation_kick(asked->op);
    return rc;
}

static void ask_until(struct world *w, struct asked *asked, uint16_t verb, uint32_t value)
{
    struct rqv_operation operation = {.verb = verb, .value = value};

    ck_assert_int_eq(operate(w, asked, &operation, NULL), 0);
    mini_env_until(&w->env, &asked->done, 1);
}

static struct pin *acquire(struct world *w)
{
    struct rqv_operation operation = {.verb = RQV_OP_CONNECTION_ACQUIRE};
    struct asked asked;
    struct pin *pin;

    ck_assert_int_eq(pin_new(w->env.account, w->env.loop, &pin), 0);
    ck_assert_int_eq(operate(w, &asked, &operation, pin), 0);
    mini_env_until(&w->env, &asked.done, 1);
    ck_assert_int_eq(asked.err.code, 0);
    ck_assert_uint_eq(asked.rows, 1);
    ck_assert_int_eq(pin->state, PIN_HELD);
    return pin;
}

static struct exchange *start_on(struct world *w, struct pin *pin, struct seen *seen, bool whole)
{
    struct rqv_err err = {0};
    struct exchange *x;
    struct exchange_params params = {.sink = &sink,
                                     .owner = seen,
                                     .account = w->env.account,
                                     .source = &w->source,
                                     .id = ++w->next_id,
                                     .head = &w->head,
                                     .pin = pin,
                                     .ended = whole};

    memset(seen, 0, sizeof *seen);
    seen->room = 1 << 20;
    ck_assert_int_eq(exchange_new(&w->env.exchanges, &params, &x, &err), 0);
    exchange_kick(x);
    return x;
}

static struct exchange *begin_on(struct world *w, struct pin *pin, struct seen *seen)
{
    return start_on(w, pin, seen, true);
}

static unsigned order[8], ended;

static void note_order(struct mini_conn *conn)
{
    order[ended++] = conn->number;
    mini_answer(conn);
}

/* ---- connections ---- */

START_TEST(requests_take_turns_on_it)
{
    struct world *w = world_open();
    struct seen seen[4];

    ended = 0;
    w->origin.on_whole = note_order;
    struct pin *pin = acquire(w);
    ck_assert_uint_eq(w->origin.requests, 0);
    for (int n = 0; n < 4; n++)
        begin_on(w, pin, &seen[n]);
    for (int n = 0; n < 4; n++) {
        mini_env_until(&w->env, &seen[n].done, 1);
        ck_assert_int_eq(seen[n].end.code, 0);
        ck_assert_uint_eq(seen[n].end.flags, n > 0 ? RQV_RESP_REUSED : 0);
        ck_assert_uint_eq(order[n], 1);
    }
    struct pool *pool = pin->lease.conn->pool;
    ck_assert_uint_eq(pool->count[CONN_LEASED], 1);
    ck_assert_uint_eq(pool->stats.requests, 4);
    run(w); /* another one, meanwhile */
    ck_assert_uint_eq(order[4], 2);
    pin_release(&pin, true);
    ck_assert_uint_eq(pool->count[CONN_IDLE], 2);
    run(w);
    ck_assert_uint_eq(order[5], 1);
    ck_assert_uint_eq(w->origin.accepted, 2);
    world_close(w);
}
END_TEST

/* Neither its age nor its idle time ends it while it is held; both do when it is given back. */
static unsigned heads;

static void silent(struct mini_conn *conn)
{
    (void)conn;
}

static void note_head(struct mini_conn *conn)
{
    (void)conn;
    heads++;
}

/* The last piece of the body has gone at once, and the answer to it, which came early, is read in the same
 * turn: the flush that is due tells nobody that bytes were written, for the connection has come home. */
START_TEST(an_answer_that_overtakes_the_flush_of_its_body)
{
    struct world *w = world_open();
    struct pin *pin = acquire(w);
    struct seen seen;
    static char piece[65536];

    w->origin.on_head = note_head;
    w->origin.on_whole = silent; /* it has answered */
    heads = 0;
    request(w, RQV_STR("POST"));
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = sizeof piece;
    struct exchange *x = start_on(w, pin, &seen, false);
    mini_env_until(&w->env, &heads, 1);
    mini_say(mini_last(&w->origin), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(exchange_body(x, (struct rqv_str){piece, sizeof piece}, true), 0);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.end.code, 0);
    mini_env_ms(&w->env, 5);
    ck_assert_int_eq(pin->state, PIN_HELD);
    pin_release(&pin, true);
    world_close(w);
}
END_TEST

START_TEST(limits_of_idle_ones_do_not_apply)
{
    struct world *w = world_open();
    struct seen seen;

    struct pin *pin = acquire(w);
    w->env.conf.pool_idle_ms = w->env.conf.pool_age_ms = w->env.conf.pool_uses = 1;
    mini_env_ms(&w->env, 600);
    for (int n = 0; n < 3; n++) {
        begin_on(w, pin, &seen);
        mini_env_until(&w->env, &seen.done, 1);
        ck_assert_int_eq(seen.end.code, 0);
    }
    ck_assert_uint_eq(w->origin.open, 1);
    pin_release(&pin, true);
    run(w);
    ck_assert_uint_eq(w->origin.accepted, 2);
    world_close(w);
}
END_TEST

/* rule_b4: between two requests it is watched as an idle one is. */
static const char *const intrusions[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"};

START_TEST(rule_b4_bytes_between_requests_close_it)
{
    struct world *w = world_open();
    struct seen seen;

    struct pin *pin = acquire(w);
    mini_env_until(&w->env, &w->origin.accepted, 1);
    if (*intrusions[_i])
        mini_say(mini_last(&w->origin), intrusions[_i]);
    else
        mini_end(mini_last(&w->origin));
    begin_on(w, pin, &seen);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.end.code, REQIVO_E_CONNECTION_CLOSED);
    ck_assert_int_eq(seen.end.sent, REQIVO_SENT_NO);
    ck_assert_uint_eq(w->origin.requests, 0);
    ck_assert_int_eq(pin->state, PIN_LOST);
    begin_on(w, pin, &seen);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.end.code, REQIVO_E_CONNECTION_CLOSED);
    ck_assert_uint_eq(w->origin.accepted, 1);
    pin_release(&pin, true);
    world_close(w);
}
END_TEST

START_TEST(closing_it_fails_all_turns)
{
    struct world *w = world_open();
    struct seen seen[3];

    w->origin.on_whole = silence;
    struct pin *pin = acquire(w);
    for (int n = 0; n < 3; n++)
        begin_on(w, pin, &seen[n]);
    mini_env_until(&w->env, &w->origin.requests, 1);
    pin_close(&pin);
    for (int n = 0; n < 3; n++) {
        mini_env_until(&w->env, &seen[n].done, 1);
        ck_assert_int_eq(seen[n].end.code, REQIVO_E_CONNECTION_CLOSED);
        ck_assert_int_eq(seen[n].end.sent, n == 0 ? REQIVO_SENT_UNKNOWN : REQIVO_SENT_NO);
    }
    ck_assert_uint_eq(w->origin.requests, 1);
    world_close(w);
}
END_TEST

/* Given back while requests are under way: they come first. */
START_TEST(release_waits_for_the_turns)
{
    struct world *w = world_open();
    struct seen seen[3];

    struct pin *pin = acquire(w);
    struct pool *pool = pin->lease.conn->pool;
    struct exchange *x[3];
    for (int n = 0; n < 3; n++)
        x[n] = begin_on(w, pin, &seen[n]);
    pin_release(&pin, true);
    exchange_abandon(x[1]);
    mini_env_until(&w->env, &seen[2].done, 1);
    ck_assert_int_eq(seen[0].end.code, 0);
    ck_assert_int_eq(seen[2].end.code, 0);
    ck_assert_uint_eq(seen[1].done, 0);
    ck_assert_uint_eq(pool->count[CONN_IDLE], 1);
    ck_assert_uint_eq(w->origin.requests, 2);
    world_close(w);
}
END_TEST

/* rule_b1: a request of another key never gets it, not even as its last. */
START_TEST(rule_b1_another_key_is_refused)
{
    struct world *w = world_open();
    struct seen seen;

    struct pin *pin = acquire(w);
    snprintf(w->url, sizeof w->url, "http://localhost:%u/", w->origin.port);
    w->head.url = rqv_str_from(w->url);
    begin_on(w, pin, &seen);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.end.code, REQIVO_E_SESSION);
    ck_assert_uint_eq(w->origin.requests, 0);
    ck_assert_int_eq(pin->state, PIN_HELD);
    pin_close(&pin);
    world_close(w);
}
END_TEST

START_TEST(memory_is_charged_first)
{
    struct world *w = world_open();
    struct rqv_operation operation = {.verb = RQV_OP_POOL_STATS};
    struct asked asked;
    struct pin *pin = NULL;

    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = 64;
    ck_assert_int_eq(pin_new(w->env.account, w->env.loop, &pin), REQIVO_E_LIMIT_MEMORY);
    ck_assert_ptr_null(pin);
    ck_assert_int_eq(operate(w, &asked, &operation, NULL), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(asked.done, 0);
    world_close(w);
}
END_TEST

/* ---- redirects ---- */

static const struct page redirects[] = {{"/a", "302 Found", "Location: /b\r\n"},
                                        {"/away", "302 Found", "Location: http://127.0.0.1:%2/c\r\n"},
                                        {"/c", "302 Found", "Location: http://127.0.0.1:%1/back\r\n"},
                                        {NULL, NULL, NULL}};

static struct exchange *follow_on(struct world *w, struct pin *pin, const char *path, struct seen *seen)
{
    ask(w, "GET", path);
    return begin_on(w, pin, seen);
}

/* Within the origin a redirect goes over the connection, whatever address it has: nothing is dialled. As if
 * it were public, _i: tests have no such address. */
START_TEST(a_redirect_within_the_origin_goes_over_it)
{
    struct world *w = hop_open(redirects);
    struct seen seen;

    struct pin *pin = acquire(w);
    pin->lease.conn->is_public = _i;
    follow_on(w, pin, "/a", &seen);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_msg(seen.end.code == 0, "%s: %s", rqv_err_name(seen.end.code), seen.detail);
    ck_assert_uint_eq(seen.hops, 1);
    ck_assert_uint_eq(w->origin.accepted, 1);
    ck_assert_uint_eq(pin->lease.conn->uses, 2);
    ck_assert_uint_eq(times(log_of[0], "GET /b "), 1);
    pin_release(&pin, true);
    hop_close(w);
}
END_TEST

/* It leads elsewhere: the connection is left for good, and serves the next request meanwhile. */
START_TEST(a_redirect_to_another_origin_leaves_it)
{
    struct world *w = hop_open(redirects);
    struct seen seen[2];

    struct pin *pin = acquire(w);
    struct exchange *x = follow_on(w, pin, "/away", &seen[0]);
    follow_on(w, pin, "/next", &seen[1]);
    mini_env_until(&w->env, &seen[0].done, 1);
    mini_env_until(&w->env, &seen[1].done, 1);
    ck_assert_msg(seen[0].end.code == 0, "%s: %s", rqv_err_name(seen[0].end.code), seen[0].detail);
    ck_assert_int_eq(seen[1].end.code, 0);
    ck_assert_uint_eq(seen[0].hops, 2);
    ck_assert_ptr_null(x->turn.pin);
    ck_assert_uint_eq(second.accepted, 1);
    ck_assert_uint_eq(w->origin.accepted, 2); /* the way back goes over another one */
    ck_assert_uint_eq(times(log_of[1], "GET /c "), 1);
    ck_assert_uint_eq(times(log_of[0], "GET /back "), 1);
    ck_assert_uint_eq(pin->lease.conn->uses, 2);
    pin_release(&pin, true);
    hop_close(w);
}
END_TEST

/* rule_b3_5: what leaves a connection to a public address is bound as any redirect from one. */
START_TEST(rule_b3_5_who_leaves_a_public_one)
{
    struct world *w = hop_open(redirects);
    struct seen seen;

    struct pin *pin = acquire(w);
    pin->lease.conn->is_public = true;
    follow_on(w, pin, "/away", &seen);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.end.code, REQIVO_E_REDIRECT_DENIED);
    ck_assert_uint_eq(second.accepted, 0);
    ck_assert_int_eq(pin->state, PIN_HELD);
    pin_release(&pin, true);
    hop_close(w);
}
END_TEST

/* A redirect whose end cannot be waited for costs the connection, and the next request would need it. */
START_TEST(a_redirect_that_closes_it)
{
    static const struct page closing[] = {
        {"/a", "302 Found", "Location: /b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {NULL, NULL, NULL}};
    struct world *w = hop_open(closing);
    struct seen seen;

    struct pin *pin = acquire(w);
    follow_on(w, pin, "/a", &seen);
    mini_env_until(&w->env, &seen.done, 1);
    ck_assert_int_eq(seen.end.code, REQIVO_E_CONNECTION_CLOSED);
    ck_assert_uint_eq(w->origin.accepted, 1);
    pin_release(&pin, true);
    hop_close(w);
}
END_TEST

/* ---- pools ---- */

START_TEST(prewarm_makes_so_many)
{
    struct world *w = world_open();
    struct asked asked;

    ask_until(w, &asked, RQV_OP_POOL_PREWARM, 5);
    ck_assert_int_eq(asked.err.code, 0);
    mini_env_until(&w->env, &w->origin.accepted, 5);
    ask_until(w, &asked, RQV_OP_POOL_PREWARM, 20);
    mini_env_until(&w->env, &w->origin.accepted, w->env.conf.pool_connections);
    ask_until(w, &asked, RQV_OP_POOL_LIMIT, 3);
    run(w);
    ck_assert_uint_eq(w->origin.accepted, w->env.conf.pool_connections);
    ck_assert_uint_eq(w->x->pool->count[CONN_IDLE], 3);
    ask_until(w, &asked, RQV_OP_POOL_CLOSE_IDLE, 0);
    ck_assert_uint_eq(w->x->pool->count[CONN_IDLE], 0);
    world_close(w);
}
END_TEST

/* It ends with its program: what is under way for nobody else is closed. */
START_TEST(prewarm_is_dropped)
{
    struct world *w = world_open();
    struct rqv_operation operation = {.verb = RQV_OP_POOL_PREWARM, .value = 4};
    struct asked asked;

    ck_assert_int_eq(operate(w, &asked, &operation, NULL), 0);
    operation_abandon(asked.op);
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(asked.done, 0);
    ck_assert_uint_eq(w->origin.open, 0);
    ck_assert_int_eq(operate(w, &asked, &operation, NULL), 0);
    operation_cancel(asked.op, REQIVO_E_CANCELED, "canceled");
    ck_assert_uint_eq(asked.done, 1);
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(w->origin.open, 0);
    world_close(w);
}
END_TEST

START_TEST(prewarm_of_a_closed_port)
{
    struct world *w = world_open();
    struct asked asked;

    mini_origin_close(&w->origin);
    ask_until(w, &asked, RQV_OP_POOL_PREWARM, 4);
    ck_assert_int_eq(asked.err.code, REQIVO_E_CONNECT);
    ask_until(w, &asked, RQV_OP_POOL_STATS, 0);
    ck_assert_str_eq(asked.leased, "0");
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pin");
    TCase *between = tcase_create("between"), *hops = tcase_create("hops");

    UNIT_TCASE(s, "turns", requests_take_turns_on_it, an_answer_that_overtakes_the_flush_of_its_body,
               limits_of_idle_ones_do_not_apply, closing_it_fails_all_turns, release_waits_for_the_turns,
               rule_b1_another_key_is_refused, memory_is_charged_first);
    tcase_add_loop_test(between, rule_b4_bytes_between_requests_close_it, 0, 2);
    suite_add_tcase(s, between);
    tcase_add_loop_test(hops, a_redirect_within_the_origin_goes_over_it, 0, 2);
    tcase_add_test(hops, a_redirect_to_another_origin_leaves_it);
    tcase_add_test(hops, rule_b3_5_who_leaves_a_public_one);
    tcase_add_test(hops, a_redirect_that_closes_it);
    suite_add_tcase(s, hops);
    UNIT_TCASE(s, "pools", prewarm_makes_so_many, prewarm_is_dropped, prewarm_of_a_closed_port);
    return s;
}

UNIT_MAIN(suite)
