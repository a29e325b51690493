/* SPDX-License-Identifier: MIT */
/* pool_internal - what pool.c (birth, matching and death of connections), pool_asked.c and pool_stale.c
 * share. */
#ifndef DAEMON_UPSTREAM_POOL_INTERNAL_H
#define DAEMON_UPSTREAM_POOL_INTERNAL_H

#include "daemon/upstream/origins.h"
#include "daemon/upstream/pool.h"

static inline void pool_wake(struct pool *pool)
{
    if (pool_is_wanted(pool))
        fair_queue(&pool->match);
}

static inline void count_request(struct pool *pool, const struct conn *conn)
{
    bool reused = conn->uses > 1;

    pool->stats.requests++;
    pool->stats.reused += reused;
    pool->origins->stats.requests++;
    pool->origins->stats.reused += reused;
}

/* A leased one, back to the pool, which may have been narrowed meanwhile. */
void conn_rest(struct conn *conn);
bool pool_is_held(const struct pool *pool); /* connecting failed a moment ago */
/* One more connection, which has been charged; `waiter` may be NULL. */
int pool_dial_begin(struct pool *pool, struct waiter *waiter, uint32_t connect_ms, uint32_t tls_ms);
/* Ends dials that have lost the one they were made for, and connections that nobody has used, once nobody is
 * there whom they could serve: else a program that dies would leave them behind. */
void pool_drop_orphans(struct pool *pool);

/* pool_stale.c: of at most `steps` who wait. True when more do. */
bool pool_send_away(struct pool *pool, int steps);

/* pool_asked.c */
void conn_come_home(struct conn *conn); /* its lease has ended; it has a home */
/* For the first who warms, once nobody else can be helped. False when there is nothing to do for now. */
bool pool_warm_step(struct pool *pool);
void pool_warm_end(struct pool *pool, const struct rqv_err *err); /* of all who warm */

#endif
