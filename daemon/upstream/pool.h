/* SPDX-License-Identifier: MIT */
/*
 * pool - the connections that share one pool key, those who wait for one, and the only place where a
 * connection changes its state. LIFO among the idle, waitq's order among the waiting, exact limits; a refused
 * connect is held down for a moment. Matching happens in one place, pool_match(), an item of the account's
 * fair turns that is queued when something has changed. No step of it looks at more than the connections of
 * this pool, however many wait.
 */
#ifndef DAEMON_UPSTREAM_POOL_H
#define DAEMON_UPSTREAM_POOL_H

#include "common/err.h"
#include "common/map.h"
#include "daemon/base/account.h"
#include "daemon/upstream/conn.h"
#include "daemon/upstream/key.h"
#include "daemon/upstream/waitq.h"

struct origins;

/* One who waits; embedded in the exchange. */
struct waiter {
    struct wait_node wait;
    struct lease *lease;
    bool fresh;          /* only a connection that has not served */
    bool once;           /* could not be repeated: the socket is asked once more before it is handed out */
    uint32_t connect_ms; /* for a dial made on its behalf; UINT32_MAX: no limit */
    uint32_t tls_ms;
    struct conn *dialing;                    /* made on its behalf, not yet connected */
    void (*on_lease)(struct waiter *waiter); /* the lease holds a connection */
    void (*on_fail)(struct waiter *waiter, const struct rqv_err *err);
};

struct pool_stats {
    uint64_t requests, reused, opened, resumed, failures, waits;
};

struct pool {
    struct rqv_map_node node;
    struct rqv_list all_node; /* of origins */
    struct roll_entry roll;   /* of the account and of all */
    struct origins *origins;
    struct account *account; /* a reference */
    struct key key;
    char host[254];
    uint16_t port;
    struct rqv_addr literal;
    bool use_tls, verify, public_only;
    struct trust *trust; /* a reference */
    struct rqv_list conns[CONN_STATES];
    unsigned count[CONN_STATES];
    struct rqv_list unused; /* those of the idle that have not served, the newest first */
    struct waitq waiters;
    struct fair_item match;
    struct rqv_list starved_node; /* of the account: a limit of the uid or the whole is in the way */
    uint64_t hold_until_us;
    struct rqv_err hold_err;
    uint64_t unused_since_ms;
    struct pool_stats stats;
};

struct pool_params {
    const struct key *key;
    const char *host;
    uint16_t port;
    struct rqv_addr literal;
    bool use_tls, verify;
    bool public_only; /* after a redirect from a public address; the key says so, too */
    struct trust *trust;
    struct account *account;
};

int pool_new(struct origins *origins, const struct pool_params *params, struct pool **ret_pool);
void pool_free(struct pool **pool); /* closes its connections; there must be no waiter and no lease */

/* 1: the lease holds a connection now. 0: waits, one of the waiter's functions runs later (never inside this
 * call). Negative with err filled: hold-down, too many waiters, out of memory. */
int pool_acquire(struct pool *pool, struct waiter *waiter, struct wait_source *source, struct rqv_err *err);
void pool_cancel(struct pool *pool, struct waiter *waiter); /* harmless when not waiting */

/* Ends a lease: release keeps the connection when everything says that it may be kept; discard closes it.
 * REQIVO_E_INTERNAL: the keys differ (K1-K11), so what was received is not to be believed. */
int lease_release(struct lease *lease);
void lease_discard(struct lease *lease);

void pool_close_conn(struct conn *conn);      /* from any state; a lease on it is the caller's to end first */
unsigned pool_conns(const struct pool *pool); /* dialing, idle and leased */

#endif
