/* SPDX-License-Identifier: MIT */
/* origins - see origins.h. */
#include "daemon/upstream/origins.h"

#include "daemon/base/log.h"

#include <string.h>

#define SWEEP_US 250000 /* the grain of idle and age limits; at hand-out they are exact */

static void origins_sweep(void *owner);

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
    rqv_list_for_each_safe (node, next, &origins->pools)
        origins_drop_pool(origins, RQV_LIST_OF(node, struct pool, all_node));
    rqv_map_done(&origins->map);
}

static void sweep_arm(struct origins *origins)
{
    if (origins->sweep.at_us == UINT64_MAX)
        loop_timer_at(&origins->sweep, loop_now_us(origins->loop) + SWEEP_US);
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

bool origins_make_room(struct origins *origins, struct account *account, const struct pool *except)
{
    size_t used = account->used[ACCOUNT_CONNS];
    bool own_limit = used >= account->all->limit_uid[ACCOUNT_CONNS];

    /* Else the total or a share of it is in the way: those who hold less keep what they have. */
    rqv_list_for_each (node, &origins->idle_lru) {
        struct conn *conn = RQV_LIST_OF(node, struct conn, idle_lru);
        const struct account *holder = conn->pool->account;
        if (conn->pool == except || (holder != account && (own_limit || holder->used[ACCOUNT_CONNS] < used)))
            continue;
        pool_close_conn(conn);
        return true;
    }
    return false;
}

void origins_conn_gone(struct origins *origins)
{
    rqv_list_for_each_safe (node, next, &origins->starved) {
        struct pool *pool = RQV_LIST_OF(node, struct pool, starved_node);
        rqv_list_remove(node);
        if (pool->waiters.count > 0)
            loop_task_queue(origins->loop, &pool->match, LOOP_WORK);
    }
}

void origins_idle(struct origins *origins, struct conn *conn)
{
    rqv_list_append(&origins->idle_lru, &conn->idle_lru);
    sweep_arm(origins);
    /* A pool that waits for a limit may have this one closed to make room. */
    if (!rqv_list_empty(&origins->starved))
        origins_conn_gone(origins);
}

/* A uid whose last program left `linger` ago keeps nothing. */
static bool account_left(const struct origins *origins, const struct account *account)
{
    return account->used[ACCOUNT_PEERS] == 0 && account->unused_since_us != 0 &&
           loop_now_us(origins->loop) - account->unused_since_us > (uint64_t)origins->conf->linger_ms * 1000;
}

static void sweep_conns(struct origins *origins, uint64_t now)
{
    rqv_list_for_each_safe (node, next, &origins->idle_lru) {
        struct conn *conn = RQV_LIST_OF(node, struct conn, idle_lru);
        uint64_t idle = now - conn->idle_since_ms;
        if (idle >= origins->conf->pool_idle_ms || idle >= conn->idle_limit_ms ||
            now - conn->born_ms >= origins->conf->pool_age_ms || account_left(origins, conn->pool->account))
            pool_close_conn(conn);
    }
}

static void origins_sweep(void *owner)
{
    struct origins *origins = owner;
    uint64_t now = loop_boot_ms(origins->loop);

    sweep_conns(origins, now);
    rqv_list_for_each_safe (node, next, &origins->pools) {
        struct pool *pool = RQV_LIST_OF(node, struct pool, all_node);
        bool unused = pool_conns(pool) == 0 && pool->waiters.count == 0;
        if (unused &&
            (now - pool->unused_since_ms > origins->conf->linger_ms || account_left(origins, pool->account)))
            origins_drop_pool(origins, pool);
        else if (pool->waiters.count > 0)
            loop_task_queue(origins->loop, &pool->match, LOOP_WORK); /* a hold-down may have ended */
    }
    loop_timer_stop(&origins->sweep);
    if (!rqv_list_empty(&origins->pools))
        sweep_arm(origins);
}
