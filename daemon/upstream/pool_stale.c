/* SPDX-License-Identifier: MIT */
/*
 * pool_stale - a pool whose certificates or policy were replaced by a reload. Its key says so (K11), so
 * nothing new finds it; it lives until what was leased has ended.
 *
 *   who waits          asks anew, in the order of service, and comes to the pool of what is in force now
 *   idle, dialled      closed
 *   leased, unwritten  taken back: the request asks anew
 *   leased, written    ends with its request, and is not used again
 *   kept for a program closed as soon as no request is on it
 */
#include "daemon/upstream/origins.h"
#include "daemon/upstream/pool_internal.h"

bool pool_is_stale(const struct pool *pool)
{
    const struct origins *origins = pool->origins;
    uint64_t policy = origins->conf->policy_generation + pool->account->reach_generation;

    return pool->policy_generation != policy ||
           (pool->trust_generation != 0 && pool->trust_generation != tls_trust_generation(origins->net.tls));
}

/* Each of those who are told leaves; what it asks for then lies in another pool. */
bool pool_send_away(struct pool *pool, int steps)
{
    struct wait_look look;
    struct wait_node *node;
    struct rqv_list *warm;

    while (steps-- > 0) {
        if ((node = waitq_look(&look, &pool->waiters))) {
            struct waiter *waiter = RQV_LIST_OF(node, struct waiter, wait);
            waiter->on_stale(waiter);
        } else if ((warm = rqv_list_first(&pool->warmers))) {
            struct warmer *warmer = RQV_LIST_OF(warm, struct warmer, node);
            warmer->on_stale(warmer);
        } else {
            return false;
        }
    }
    return pool_is_wanted(pool);
}

static void retire_leased(struct conn *conn)
{
    struct lease *lease = conn->lease;

    if (conn->written)
        return;
    if (lease == conn->home)
        pool_close_conn(conn);
    else
        lease->events->on_stale(lease);
}

void pool_retire(struct pool *pool)
{
    rqv_list_for_each (node, &pool->conns[CONN_IDLE])
        conn_expire(RQV_LIST_OF(node, struct conn, node));
    rqv_list_for_each_safe (node, next, &pool->conns[CONN_DIALING])
        pool_close_conn(RQV_LIST_OF(node, struct conn, node));
    rqv_list_for_each_safe (node, next, &pool->conns[CONN_LEASED])
        retire_leased(RQV_LIST_OF(node, struct conn, node));
    pool_wake(pool);
}
