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
    bool keeps;          /* the lease keeps it for a series of leases: lease_lend() */
    uint32_t connect_ms; /* for a dial made on its behalf; UINT32_MAX: no limit */
    uint32_t tls_ms;
    struct conn *dialing;                    /* made on its behalf, not yet connected */
    void (*on_lease)(struct waiter *waiter); /* the lease holds a connection */
    void (*on_fail)(struct waiter *waiter, const struct rqv_err *err);
    void (*on_stale)(struct waiter *waiter); /* the pool is of the past: it waits no more, and asks anew */
    uint64_t since_us;                       /* it waits */
    struct roll_entry roll; /* while it does: of the account and of all; the oldest is the last */
};

/* One who wants connections to be there before they are needed; embedded in the owner. */
struct warmer {
    struct rqv_list node;        /* of the pool */
    unsigned want;               /* idle and leased ones, in all */
    unsigned dials;              /* begun for it, at most `want` */
    uint32_t connect_ms, tls_ms; /* UINT32_MAX: no limit */
    /* Runs once, never inside the start; err->code 0: they are there. */
    void (*on_warm)(struct warmer *warmer, const struct rqv_err *err);
    void (*on_stale)(struct warmer *warmer); /* as a waiter's */
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
    uint64_t trust_generation, policy_generation; /* of the key; 0: the trust is not the system's */
    struct trust *trust;                          /* a reference */
    struct dial_route route;
    uint16_t tls_min, tls_max;
    unsigned limit; /* set by a program, below the configuration's; 0: that */
    struct rqv_list conns[CONN_STATES];
    unsigned count[CONN_STATES];
    struct rqv_list unused; /* those of the idle that have not served, the newest first */
    struct waitq waiters;
    struct rqv_list warmers;
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
    uint64_t trust_generation, policy_generation; /* as in the key */
    struct trust *trust;
    struct account *account;
    const struct dial_route *route; /* NULL or port 0: none */
    uint16_t tls_min, tls_max;      /* 0: the daemon's */
};

/* Somebody waits for something here. */
static inline bool pool_is_wanted(const struct pool *pool)
{
    return pool->waiters.count > 0 || !rqv_list_empty(&pool->warmers);
}

/* Its certificates or policy are no longer in force: nothing is handed out any more, who waits asks anew, and
 * what is leased ends with its request. */
bool pool_is_stale(const struct pool *pool);
/* Closes what is dialled or idle in a stale pool, and takes back what is leased and has not been written to.
 */
void pool_retire(struct pool *pool);

int pool_new(struct origins *origins, const struct pool_params *params, struct pool **ret_pool);
void pool_free(struct pool **pool); /* closes its connections; there must be no waiter and no lease */

/* How long the oldest on a roll of waiters has waited: ROLL_WAITERS of an account or of all. */
uint64_t pool_oldest_wait_us(const struct roll *waiters, uint64_t now_us);

/* 1: the lease holds a connection now. 0: waits, one of the waiter's functions runs later (never inside this
 * call). Negative with err filled: hold-down, too many waiters, out of memory. */
int pool_acquire(struct pool *pool, struct waiter *waiter, struct wait_source *source, struct rqv_err *err);
void pool_cancel(struct pool *pool, struct waiter *waiter); /* harmless when not waiting */

/* Lends what `home` keeps to a request's own lease, whose key must be the same. Its release brings it back to
 * `home`, whose on_end tells; when it is closed, home->conn is NULL and home's on_error tells. 0;
 * REQIVO_E_CONNECTION_CLOSED: the server has closed it, and it is closed now; REQIVO_E_SESSION: the keys
 * differ. */
int lease_lend(struct lease *home, struct lease *lease);
/* `home` keeps it no more: a lent one ends with its lease, for the pool when `reuse`; else at once. */
void lease_let_go(struct lease *home, bool reuse);

/* Ends a lease: release keeps the connection when everything says that it may be kept; discard closes it.
 * REQIVO_E_INTERNAL: the keys differ (K1-K11), so what was received is not to be believed. */
int lease_release(struct lease *lease);
void lease_discard(struct lease *lease);

void pool_close_conn(struct conn *conn);      /* from any state; a lease on it is the caller's to end first */
unsigned pool_conns(const struct pool *pool); /* dialing, idle and leased */
unsigned pool_limit(const struct pool *pool); /* connections at most */

/* 0: the configuration's, which is never exceeded. What is idle beyond it is closed, what is leased at its
 * release. */
void pool_set_limit(struct pool *pool, unsigned limit);
unsigned pool_close_idle(struct pool *pool); /* how many were */
void pool_warm(struct pool *pool, struct warmer *warmer);
void pool_warm_cancel(struct pool *pool, struct warmer *warmer); /* harmless when it is over */

#endif
