/* SPDX-License-Identifier: MIT */
/* test_pool_fair - nobody waits for the numbers of another: turns of those who can be read, the order of
 * those who want a fresh connection, pools that wait for a limit, the sweep. security.md B10-1 */
#include "tests/lib/mini_want.h"
#include "tests/unit/unit.h"

#define FLOOD  24
#define BUDGET 4

/* ---- reading ---- */

static void flood(struct mini_conn *conn)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
    static char bytes[8 << 20];

    memcpy(bytes, head, sizeof head - 1);
    mini_send(conn, bytes, sizeof bytes);
}

static void silence(struct mini_conn *conn)
{
    (void)conn;
}

struct watch {
    struct loop *loop;
    struct loop_task task;
    unsigned before, most; /* pieces in one turn */
};

static void on_turn_end(void *owner)
{
    struct watch *watch = owner;

    if (pieces - watch->before > watch->most)
        watch->most = pieces - watch->before;
    watch->before = pieces;
    loop_task_queue(watch->loop, &watch->task, LOOP_FREE);
}

static void flood_start(struct world *w)
{
    w->env.conf.pool_connections = FLOOD;
    w->env.accounts.budget = BUDGET;
    w->env.accounts.turn_us = UINT64_MAX;
    w->origin.on_whole = flood;
    for (int n = 0; n < FLOOD; n++)
        want_start(w, n);
    for (int n = 0; n < FLOOD; n++)
        want_ask(w, n);
}

/* One user's servers all send as fast as they can. A turn reads from as many as it may, and what the server
 * of another user has sent is read after at most ACCOUNTS_DIRECT and one of the first user's. */
START_TEST(rule_b10_1_servers_take_turns)
{
    struct world *w = world_open();
    struct want *want = &w->wants[FLOOD];
    struct mini_origin second;
    struct account *account = NULL;
    struct watch watch = {.loop = w->env.loop};
    struct key key;

    mini_origin_open(&second, w->env.loop);
    second.on_whole = silence;
    ck_assert_int_eq(account_get(&w->env.accounts, 2000, &account), 0);
    struct pool *pool = pool_of(w, account, second.port, &key);
    flood_start(w);
    loop_task_init(&watch.task, on_turn_end, &watch);
    watch.before = pieces;
    on_turn_end(&watch);
    mini_env_until(&w->env, &pieces, pieces + 2 * FLOOD);
    for (unsigned round = 1; round <= 8; round++) {
        ck_assert_int_ge(want_from(w, FLOOD, pool, &w->other), 0);
        want_ask(w, FLOOD);
        mini_env_until(&w->env, &second.requests, round);
        unsigned before = pieces;
        mini_say(mini_last(&second), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        mini_env_until(&w->env, &want->ended, 1);
        ck_assert_uint_le(want->pieces_at - before - 1, ACCOUNTS_DIRECT + 1);
        lease_release(&want->lease);
    }
    ck_assert_uint_gt(watch.most, 0);
    ck_assert_uint_le(watch.most, BUDGET + ACCOUNTS_DIRECT);
    loop_task_drop(&watch.task);
    mini_origin_close(&second);
    account_release(&account);
    world_close(w);
}
END_TEST

/* ---- matching ---- */

/* Who wants a fresh connection is served in its turn: the idle one goes, rather than to one who came later.
 */
START_TEST(a_fresh_one_is_not_overtaken)
{
    struct world *w = world_open();

    w->env.conf.pool_connections = 1;
    want_start(w, 0);
    want_ask(w, 0);
    w->wants[1].waiter.fresh = true;
    want_start(w, 1);
    want_start(w, 2);
    mini_env_until(&w->env, &w->wants[0].ended, 1);
    lease_release(&w->wants[0].lease);
    mini_env_until(&w->env, &w->wants[1].got, 1);
    ck_assert_uint_eq(w->wants[2].got, 0);
    ck_assert(!lease_reused(&w->wants[1].lease));
    want_ask(w, 1);
    mini_env_until(&w->env, &w->wants[1].ended, 1);
    lease_release(&w->wants[1].lease);
    mini_env_until(&w->env, &w->wants[2].got, 1);
    ck_assert(lease_reused(&w->wants[2].lease));
    ck_assert_uint_eq(w->origin.accepted, 2);
    world_close(w);
}
END_TEST

/* All want a fresh one: each gets one, in order, and the limit of the pool holds. */
START_TEST(many_fresh_ones_in_order)
{
    struct world *w = world_open();

    w->env.conf.pool_connections = 3;
    for (int n = 0; n < 30; n++) {
        w->wants[n].waiter.fresh = true;
        want_start(w, n);
    }
    for (int n = 0; n < 30; n++) {
        want_ask(w, n);
        ck_assert_uint_eq(w->wants[n].turn, (unsigned)n + 1);
        ck_assert(!lease_reused(&w->wants[n].lease));
        mini_env_until(&w->env, &w->wants[n].ended, 1);
        lease_release(&w->wants[n].lease);
    }
    ck_assert_uint_eq(w->origin.accepted, 30);
    ck_assert_uint_le(w->origin.most_open, 4); /* the server sees an end a moment later */
    world_close(w);
}
END_TEST

/* While the server takes no more, one who wants a fresh one does not keep the others from what comes back. */
START_TEST(a_hold_down_of_the_fresh_is_theirs_alone)
{
    struct world *w = world_open();

    want_start(w, 0);
    want_start(w, 1);
    want_ask(w, 0);
    want_ask(w, 1);
    mini_env_until(&w->env, &w->wants[0].ended, 1);
    mini_env_until(&w->env, &w->wants[1].ended, 1);
    w->pool->hold_until_us = loop_now_us(w->env.loop) + UINT64_C(3600000000);
    w->pool->hold_err.code = REQIVO_E_CONNECT;
    w->wants[2].waiter.fresh = true;
    want_start(w, 2);
    want_start(w, 3);
    lease_release(&w->wants[0].lease);
    mini_env_until(&w->env, &w->wants[3].got, 1);
    ck_assert_uint_eq(w->wants[2].got + w->wants[2].failed, 0);
    world_close(w);
}
END_TEST

/* ---- limits ---- */

static struct pool *pool_variant(struct world *w, uint8_t variant)
{
    struct key key = w->key;
    struct pool *pool = NULL;
    struct pool_params params = {.key = &key,
                                 .host = "127.0.0.1",
                                 .port = w->origin.port,
                                 .literal = {.family = 4, .bytes = {127, 0, 0, 1}},
                                 .account = w->env.account};

    key.bytes[key.len - 1] ^= variant;
    ck_assert_int_eq(origins_get(&w->env.origins, &params, &pool), 0);
    return pool;
}

/* Room for one more connection wakes one of the pools that wait for it, in order; the others do not stir. */
START_TEST(room_for_one_wakes_one_pool)
{
    struct world *w = world_open();
    uint64_t refused;

    w->env.conf.connections_uid = 1;
    mini_env_limits(&w->env);
    want_start(w, 0);
    mini_env_until(&w->env, &w->wants[0].got, 1);
    for (uint8_t n = 1; n <= 20; n++)
        ck_assert_int_eq(want_from(w, n, pool_variant(w, n), &w->source), 0);
    loop_settle(w->env.loop);
    loop_timer_stop(&w->env.origins.sweep); /* it wakes all who wait, some at a time */
    loop_timer_at(&w->env.origins.sweep, loop_now_us(w->env.loop) + UINT64_C(3600000000));
    refused = w->env.account->refused[ACCOUNT_CONNS];
    for (int n = 0; n < 20; n++) {
        lease_discard(&w->wants[n].lease);
        mini_env_until(&w->env, &w->wants[n + 1].got, 1);
        ck_assert_uint_eq(w->wants[n + 1].turn, (unsigned)n + 2);
    }
    ck_assert_uint_eq(w->env.account->refused[ACCOUNT_CONNS], refused);
    ck_assert_uint_eq(w->origin.accepted, 21);
    ck_assert(rqv_list_empty(&w->env.origins.starved));
    world_close(w);
}
END_TEST

/* ---- the sweep ---- */

struct count_watch {
    struct world *w;
    struct loop_task task;
    size_t before, most; /* pools that went in one turn */
    unsigned empty;
};

static void on_count(void *owner)
{
    struct count_watch *watch = owner;
    size_t now = rqv_map_count(&watch->w->env.origins.map);

    if (watch->before - now > watch->most)
        watch->most = watch->before - now;
    watch->before = now;
    watch->empty = now == 0;
    loop_task_queue(watch->w->env.loop, &watch->task, LOOP_FREE);
}

START_TEST(the_sweep_takes_some_at_a_time)
{
    struct world *w = world_open();
    struct count_watch watch = {.w = w};

    w->env.conf.linger_ms = 1;
    for (unsigned n = 1; n < 200; n++)
        pool_variant(w, (uint8_t)n);
    watch.before = rqv_map_count(&w->env.origins.map);
    ck_assert_uint_eq(watch.before, 200);
    loop_task_init(&watch.task, on_count, &watch);
    on_count(&watch);
    mini_env_until(&w->env, &watch.empty, 1);
    ck_assert_uint_le(watch.most, 64);
    loop_task_drop(&watch.task);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pool_fair");

    UNIT_TCASE(s, "fair", rule_b10_1_servers_take_turns, a_fresh_one_is_not_overtaken,
               many_fresh_ones_in_order, a_hold_down_of_the_fresh_is_theirs_alone,
               room_for_one_wakes_one_pool, the_sweep_takes_some_at_a_time);
    return s;
}

UNIT_MAIN(suite)
