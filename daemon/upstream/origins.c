/* SPDX-License-Identifier: MIT */
/*
 * origins - see origins.h. Whatever happens to one connection costs the same however many pools and
 * connections there are: what is looked for is at the head of a list, and the sweep takes some pools at a
 * time.
 */
#include "daemon/upstream/origins.h"

#include "daemon/base/log.h"
#include "daemon/base/overload.h"

#include <string.h>

#define SWEEP_US    250000 /* the grain of idle and age limits; at hand-out they are exact */
#define SWEEP_POOLS 64     /* in one go: where there are more, it comes so much more often */
#define ROOM_LOOK   64     /* connections of strangers that are looked at to make room */

static void origins_sweep(void *owner);
static void retire_some(void *owner);

int origins_init(struct origins *origins, const struct dial_net *net, const uint64_t hash_key[2])
{
    memset(origins, 0, sizeof *origins);
    origins->net = *net;
    origins->conf = net->conf;
    origins->loop = net->loop;
    rqv_map_init(&origins->map, hash_key);
    rqv_list_init(&origins->pools);
    rqv_list_init(&origins->idle_lru);
    rqv_list_init(&origins->starved);
    rqv_http1_limits_default(&origins->limits);
    loop_timer_init(&origins->sweep, net->loop, origins_sweep, origins);
    loop_task_init(&origins->retire, retire_some, origins);
    return 0;
}

static void origins_drop_pool(struct origins *origins, struct pool *pool)
{
    rqv_map_del(&origins->map, &pool->node);
    if (origins->latest == pool)
        origins->latest = NULL;
    pool_free(&pool);
}

void origins_done(struct origins *origins)
{
    loop_timer_stop(&origins->sweep);
    loop_task_drop(&origins->retire);
    rqv_list_for_each_safe (node, next, &origins->pools)
        origins_drop_pool(origins, RQV_LIST_OF(node, struct pool, all_node));
    rqv_map_done(&origins->map);
}

static void sweep_arm(struct origins *origins)
{
    size_t pools = rqv_map_count(&origins->map);
    uint64_t wait_us = pools > SWEEP_POOLS ? (uint64_t)SWEEP_US * SWEEP_POOLS / pools : SWEEP_US;

    if (origins->sweep.at_us == UINT64_MAX)
        loop_timer_at(&origins->sweep, loop_now_us(origins->loop) + (wait_us < 1000 ? 1000 : wait_us));
}

int origins_get(struct origins *origins, const struct pool_params *params, struct pool **ret_pool)
{
    /* Programs ask for one origin again and again: the whole key is compared, not hashed. */
    if (origins->latest && key_eq(&origins->latest->key, params->key)) {
        *ret_pool = origins->latest;
        return 0;
    }
    struct rqv_map_node *node = rqv_map_get(&origins->map, params->key->bytes, params->key->len);
    struct pool *pool;
    if (node) {
        *ret_pool = origins->latest = RQV_LIST_OF(node, struct pool, node);
        return 0;
    }
    int rc = pool_new(origins, params, &pool);
    if (rc < 0)
        return rc;
    rc = rqv_map_put(&origins->map, &pool->node, pool->key.bytes, pool->key.len);
    if (rc < 0) {
        pool_free(&pool);
        return rc;
    }
    rqv_list_append(&origins->pools, &pool->all_node);
    sweep_arm(origins);
    *ret_pool = pool;
    return 0;
}

/* ---- limits ---- */

static bool own_limit(const struct account *account)
{
    return account->used[ACCOUNT_CONNS] >= account_limit(account, ACCOUNT_CONNS);
}

/* Closes the oldest of the account's own idle connections that is not of `except`. */
static bool close_own(struct account *account, const struct pool *except)
{
    rqv_list_for_each (node, &account->idle_conns) {
        struct conn *conn = RQV_LIST_OF(node, struct conn, idle_own);
        if (conn->pool == except)
            continue;
        pool_close_conn(conn);
        return true;
    }
    return false;
}

/* The total, or a share of it, is in the way: those who hold less keep what they have. Only so many are
 * looked at, since strangers choose how many there are. */
static bool close_oldest(struct origins *origins, const struct account *account, const struct pool *except)
{
    unsigned looked = 0;

    rqv_list_for_each (node, &origins->idle_lru) {
        struct conn *conn = RQV_LIST_OF(node, struct conn, idle_lru);
        const struct account *holder = conn->pool->account;
        if (looked++ == ROOM_LOOK)
            break;
        if (conn->pool == except ||
            (holder != account && holder->used[ACCOUNT_CONNS] < account->used[ACCOUNT_CONNS]))
            continue;
        pool_close_conn(conn);
        return true;
    }
    return false;
}

bool origins_make_room(struct origins *origins, struct account *account, const struct pool *except)
{
    if (!own_limit(account) && close_oldest(origins, account, except))
        return true;
    return close_own(account, except);
}

void origins_starve(struct pool *pool)
{
    struct account *account = pool->account;

    if (rqv_list_empty(&pool->starved_node))
        rqv_list_append(&account->starved_pools, &pool->starved_node);
    if (rqv_list_empty(&account->starved_node))
        rqv_list_append(&pool->origins->starved, &account->starved_node);
}

void origins_feed_no_more(struct pool *pool)
{
    rqv_list_remove(&pool->starved_node);
    if (rqv_list_empty(&pool->account->starved_pools))
        rqv_list_remove(&pool->account->starved_node);
}

static bool can_have_one(struct origins *origins, struct account *account)
{
    if (account_check(account, ACCOUNT_CONNS, 1) == 0)
        return true;
    return !rqv_list_empty(own_limit(account) ? &account->idle_conns : &origins->idle_lru);
}

/* The first of the account's pools that still needs one. */
static void feed(struct account *account)
{
    struct rqv_list *node;

    while ((node = rqv_list_first(&account->starved_pools))) {
        struct pool *pool = RQV_LIST_OF(node, struct pool, starved_node);
        origins_feed_no_more(pool);
        if (pool_is_wanted(pool)) {
            fair_queue(&pool->match);
            break;
        }
    }
}

void origins_conn_gone(struct origins *origins)
{
    rqv_list_for_each_safe (node, next, &origins->starved) {
        struct account *account = RQV_LIST_OF(node, struct account, starved_node);
        if (can_have_one(origins, account))
            feed(account);
    }
}

void origins_idle(struct origins *origins, struct conn *conn)
{
    rqv_list_append(&origins->idle_lru, &conn->idle_lru);
    rqv_list_append(&conn->pool->account->idle_conns, &conn->idle_own);
    sweep_arm(origins);
    /* A pool that waits for a limit may have this one closed to make room, unless its own pool has use for
     * it.
     */
    if (conn->pool->waiters.count == 0 && !rqv_list_empty(&origins->starved))
        origins_conn_gone(origins);
}

void origins_not_idle(struct conn *conn)
{
    rqv_list_remove(&conn->idle_lru);
    rqv_list_remove(&conn->idle_own);
}

/* ---- the sweep ---- */

/* A uid whose last program left `linger` ago keeps nothing. */
static bool account_left(const struct origins *origins, const struct account *account)
{
    return account->used[ACCOUNT_PEERS] == 0 && account->unused_since_us != 0 &&
           loop_now_us(origins->loop) - account->unused_since_us > (uint64_t)origins->conf->linger_ms * 1000;
}

static void sweep_pool(struct origins *origins, struct pool *pool)
{
    const struct conf *conf = origins->conf;
    uint64_t now = loop_boot_ms(origins->loop);
    uint64_t idle_max = overload_idle_ms(pool->account->all, conf->pool_idle_ms);
    bool left = account_left(origins, pool->account);

    unsigned busy = pool->count[CONN_DIALING] + pool->count[CONN_LEASED], limit = pool_limit(pool);
    unsigned keep = limit > busy ? limit - busy : 0; /* the newest of the idle; the limit may be lower now */

    rqv_list_for_each (node, &pool->conns[CONN_IDLE]) {
        struct conn *conn = RQV_LIST_OF(node, struct conn, node);
        uint64_t idle = now - conn->idle_since_ms;
        if (left || keep == 0 || idle >= idle_max || idle >= conn->idle_limit_ms ||
            now - conn->born_ms >= conf->pool_age_ms)
            conn_expire(conn);
        keep -= keep > 0;
    }
    if (pool_is_wanted(pool))
        fair_queue(&pool->match); /* a hold-down may have ended */
    else if (pool_conns(pool) == 0 &&
             (left || pool_is_stale(pool) || now - pool->unused_since_ms > conf->linger_ms))
        origins_drop_pool(origins, pool);
}

/* The one whose turn it is; it goes to the tail. */
static struct pool *next_pool(struct origins *origins)
{
    struct pool *pool = RQV_LIST_OF(rqv_list_first(&origins->pools), struct pool, all_node);

    rqv_list_remove(&pool->all_node);
    rqv_list_append(&origins->pools, &pool->all_node);
    return pool;
}

static void origins_sweep(void *owner)
{
    struct origins *origins = owner;
    size_t pools = rqv_map_count(&origins->map);

    for (size_t i = 0; i < pools && i < SWEEP_POOLS; i++) {
        struct pool *pool = next_pool(origins);
        if (pool_is_stale(pool))
            pool_retire(pool);
        sweep_pool(origins, pool);
    }
    loop_timer_stop(&origins->sweep);
    if (!rqv_list_empty(&origins->pools))
        sweep_arm(origins);
}

/* ---- after a reload ---- */

/* New pools come in at the tail, and what the sweep takes meanwhile it looks at as well: all that were there
 * at first are seen. */
static void retire_some(void *owner)
{
    struct origins *origins = owner;

    for (size_t i = 0; i < SWEEP_POOLS && origins->retire_left > 0; i++, origins->retire_left--) {
        if (rqv_list_empty(&origins->pools)) {
            origins->retire_left = 0;
            break;
        }
        struct pool *pool = next_pool(origins);
        if (pool_is_stale(pool))
            pool_retire(pool);
    }
    if (origins->retire_left > 0)
        loop_task_queue(origins->loop, &origins->retire, LOOP_WORK);
    else
        origins->on_retired(origins->retired_owner);
}

void origins_retire(struct origins *origins, void (*fn)(void *owner), void *owner)
{
    origins->on_retired = fn;
    origins->retired_owner = owner;
    origins->retire_left = rqv_map_count(&origins->map);
    loop_task_queue(origins->loop, &origins->retire, LOOP_WORK);
}
