/* SPDX-License-Identifier: MIT */
/* origins - all pools, found by key; the limits across them; the sweep that ends what is idle, too old or
 * unused. */
#ifndef DAEMON_UPSTREAM_ORIGINS_H
#define DAEMON_UPSTREAM_ORIGINS_H

#include "daemon/base/conf.h"
#include "daemon/base/queue.h"
#include "daemon/net/dial.h"
#include "daemon/upstream/pool.h"

struct origins {
    struct dial_net net;
    const struct conf *conf;
    struct loop *loop;
    struct rqv_map map;
    struct pool *latest;      /* found last; NULL: none */
    struct rqv_list pools;    /* all of them, in the order in which the sweep comes to them */
    struct rqv_list idle_lru; /* all idle connections, oldest first */
    struct rqv_list starved;  /* accounts with pools that wait for a limit */
    struct loop_timer sweep;
    struct loop_task retire;
    size_t retire_left; /* pools that are still to be looked at */
    void (*on_retired)(void *owner);
    void *retired_owner;
    struct rqv_http1_limits limits;
    struct rqv_fields fields; /* scratch of all decoders */
    uint64_t next_conn_id;
    uint64_t isolation_violations;
    unsigned count[CONN_STATES]; /* of all pools */
    struct pool_stats stats;     /* the same */
    unsigned conns;
};

int origins_init(struct origins *origins, const struct dial_net *net, const uint64_t hash_key[2]);
void origins_done(struct origins *origins);

/* The pool of params->key, made on first use. */
int origins_get(struct origins *origins, const struct pool_params *params, struct pool **ret_pool);

/* Closes the oldest idle connection that stands in the way of one more for `account`: of that account when
 * its own limit is reached, else also of one that holds no fewer. `except` keeps its connections. True when
 * one was closed. */
bool origins_make_room(struct origins *origins, struct account *account, const struct pool *except);
/* `pool` waits for a limit of connections: its turn comes when one is gone, or idle so that it can make room.
 */
void origins_starve(struct pool *pool);
void origins_feed_no_more(struct pool *pool); /* harmless when it does not wait */
/* There is room for one more connection: one pool of each account that can use it tries again. */
void origins_conn_gone(struct origins *origins);
void origins_idle(struct origins *origins, struct conn *conn); /* became idle */
void origins_not_idle(struct conn *conn);

/* After a change of certificates or policy: every stale pool is retired, some a turn. `fn` runs once, never
 * inside this call: from then on not a byte of a request leaves by what is of the past, but for those that
 * were under way. There is one at a time. */
void origins_retire(struct origins *origins, void (*fn)(void *owner), void *owner);

#endif
