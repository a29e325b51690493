/* SPDX-License-Identifier: MIT */
/* pool_asked - what programs ask of a pool besides a lease: a narrower limit, connections made ahead, one
 * that is kept for a series of leases. */
#include "daemon/base/overload.h"
#include "daemon/upstream/origins.h"
#include "daemon/upstream/pool_internal.h"

#include <reqivo/error.h>

unsigned pool_limit(const struct pool *pool)
{
    unsigned most = pool->origins->conf->pool_connections;

    return pool->limit != 0 && pool->limit < most ? pool->limit : most;
}

/* ---- a connection that is kept for a series of leases ---- */

/* Until the next lease no byte of a request is written on it, so whatever comes closes it, as when it is
 * idle.
 */
void conn_come_home(struct conn *conn)
{
    conn->lease = conn->home;
    conn->written = false;
    if (pool_is_stale(conn->pool)) {
        pool_close_conn(conn);
        return;
    }
    conn_watch(conn);
    conn->home->events->on_end(conn->home);
}

int lease_lend(struct lease *home, struct lease *lease)
{
    struct conn *conn = home->conn;

    if (!pool_is_stale(conn->pool) && !key_eq(&home->key, &lease->key))
        return REQIVO_E_SESSION;
    if (pool_is_stale(conn->pool) || !conn_is_quiet(conn)) {
        pool_close_conn(conn);
        return REQIVO_E_CONNECTION_CLOSED;
    }
    int rc = conn_lease(conn, lease);
    if (rc == 0)
        count_request(conn->pool, conn);
    return rc;
}

void lease_let_go(struct lease *home, bool reuse)
{
    struct conn *conn = home->conn;

    home->conn = NULL;
    if (!conn)
        return;
    conn->home = NULL;
    conn->made_ahead = true; /* should it never have been used: a program has asked for it */
    if (conn->bound || !reuse)
        conn->reusable = false;
    if (conn->lease != home)
        return;
    conn->lease = NULL;
    if (conn->bound || !reuse)
        pool_close_conn(conn);
    else
        conn_rest(conn);
}

/* ---- connections made ahead ---- */

static void warmer_end(struct pool *pool, struct warmer *warmer, const struct rqv_err *err)
{
    rqv_list_for_each (node, &pool->unused)
        RQV_LIST_OF(node, struct conn, unused)->made_ahead = true;
    rqv_list_remove(&warmer->node);
    warmer->on_warm(warmer, err);
}

void pool_warm_end(struct pool *pool, const struct rqv_err *err)
{
    rqv_list_for_each_safe (node, next, &pool->warmers)
        warmer_end(pool, RQV_LIST_OF(node, struct warmer, node), err);
}

/* One more dial on behalf of `warmer`. 0, or why there is none. It makes no room for itself elsewhere: nobody
 * waits for it. */
static int warm_dial(struct pool *pool, struct warmer *warmer, struct rqv_err *err)
{
    if (pool_is_held(pool)) {
        *err = pool->hold_err;
        return err->code;
    }
    if (warmer->dials >= warmer->want)
        return rqv_err_set(err, REQIVO_E_RESET, REQIVO_PHASE_CONNECT,
                           "connections are closed as fast as they are made");
    int rc = account_charge(pool->account, ACCOUNT_CONNS, 1);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "the user's limit of connections is reached");
    warmer->dials++;
    rc = pool_dial_begin(pool, NULL, warmer->connect_ms, warmer->tls_ms);
    return rc < 0 ? rqv_err_set(err, rc, REQIVO_PHASE_CONNECT, "could not start a connection") : 0;
}

bool pool_warm_step(struct pool *pool)
{
    struct rqv_list *node = rqv_list_first(&pool->warmers);
    struct rqv_err err = {0};

    if (!node)
        return false;
    struct warmer *warmer = RQV_LIST_OF(node, struct warmer, node);
    unsigned limit = pool_limit(pool), want = warmer->want < limit ? warmer->want : limit;
    if (pool->count[CONN_IDLE] + pool->count[CONN_LEASED] >= want) {
        warmer_end(pool, warmer, &err);
        return true;
    }
    if (pool_conns(pool) >= want)
        return false;
    if (overload_is(pool->account->all, OVERLOAD_KEEP)) {
        rqv_err_set(&err, REQIVO_E_OVERLOADED, REQIVO_PHASE_QUEUE, "%s", rqv_err_text(REQIVO_E_OVERLOADED));
        warmer_end(pool, warmer, &err);
        return true;
    }
    if (warm_dial(pool, warmer, &err) < 0)
        warmer_end(pool, warmer, &err);
    return true;
}

/* ---- what programs ask of a pool ---- */

static bool close_oldest_idle(struct pool *pool)
{
    struct rqv_list *last = rqv_list_last(&pool->conns[CONN_IDLE]);

    if (last)
        pool_close_conn(RQV_LIST_OF(last, struct conn, node));
    return last != NULL;
}

void pool_set_limit(struct pool *pool, unsigned limit)
{
    pool->limit = limit;
    while (pool_conns(pool) > pool_limit(pool) && close_oldest_idle(pool))
        ;
    pool_wake(pool);
}

unsigned pool_close_idle(struct pool *pool)
{
    unsigned closed = 0;

    while (close_oldest_idle(pool))
        closed++;
    return closed;
}

void pool_warm(struct pool *pool, struct warmer *warmer)
{
    warmer->dials = 0;
    rqv_list_append(&pool->warmers, &warmer->node);
    pool_wake(pool);
}

void pool_warm_cancel(struct pool *pool, struct warmer *warmer)
{
    if (rqv_list_empty(&warmer->node))
        return;
    rqv_list_remove(&warmer->node);
    pool_drop_orphans(pool);
}
