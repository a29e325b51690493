/* SPDX-License-Identifier: MIT */
/* pool - see pool.h: birth, matching and death of connections. */
#include "daemon/upstream/pool.h"

#include "daemon/base/log.h"
#include "daemon/base/overload.h"
#include "daemon/upstream/origins.h"
#include "daemon/upstream/pool_internal.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_STEPS 16 /* in one go: leases given, dials begun, failures told */

static bool pool_match(void *owner);

/* The one mover: list, count and state change together. */
static void conn_set_state(struct conn *conn, enum conn_state state)
{
    struct pool *pool = conn->pool;

    if (!rqv_list_empty(&conn->node)) {
        rqv_list_remove(&conn->node);
        pool->count[conn->state]--;
        pool->origins->count[conn->state]--;
    }
    if (conn->state == CONN_IDLE) {
        rqv_list_remove(&conn->unused);
        origins_not_idle(conn);
    }
    log_debug("connection %llu: state %d to %d", (unsigned long long)conn->id, conn->state, state);
    conn->state = state;
    if (state == CONN_CLOSED)
        return;
    rqv_list_prepend(&pool->conns[state], &conn->node); /* the head is the one used last: LIFO */
    pool->count[state]++;
    pool->origins->count[state]++;
    if (state == CONN_IDLE) {
        conn->idle_since_ms = loop_boot_ms(pool->origins->loop);
        if (conn->uses == 0)
            rqv_list_prepend(&pool->unused, &conn->unused);
        origins_idle(pool->origins, conn);
    }
}

int pool_new(struct origins *origins, const struct pool_params *params, struct pool **ret_pool)
{
    struct pool *pool = calloc(1, sizeof *pool);

    if (!pool)
        return -ENOMEM;
    int rc = account_charge(params->account, ACCOUNT_MEMORY, sizeof *pool);
    if (rc < 0) {
        free(pool);
        return rc;
    }
    pool->origins = origins;
    pool->account = params->account;
    pool->account->refs++;
    pool->key = *params->key;
    snprintf(pool->host, sizeof pool->host, "%s", params->host);
    pool->port = params->port;
    pool->literal = params->literal;
    pool->use_tls = params->use_tls;
    pool->verify = params->verify;
    pool->public_only = params->public_only;
    pool->trust_generation = params->trust_generation;
    pool->policy_generation = params->policy_generation;
    pool->trust = params->trust ? trust_ref(params->trust) : NULL;
    if (params->route)
        pool->route = *params->route;
    pool->tls_min = params->tls_min;
    pool->tls_max = params->tls_max;
    for (int state = 0; state < CONN_STATES; state++)
        rqv_list_init(&pool->conns[state]);
    rqv_list_init(&pool->unused);
    rqv_list_init(&pool->all_node);
    rqv_list_init(&pool->starved_node);
    rqv_list_init(&pool->warmers);
    waitq_init(&pool->waiters);
    fair_item_init(&pool->match, pool->account, pool_match, pool);
    pool->unused_since_ms = loop_boot_ms(origins->loop);
    account_roll_join(pool->account, ROLL_POOLS, &pool->roll, pool);
    *ret_pool = pool;
    return 0;
}

void pool_free(struct pool **pool_place)
{
    struct pool *pool = *pool_place;

    if (!pool)
        return;
    *pool_place = NULL;
    for (int state = 0; state < CONN_CLOSED; state++)
        rqv_list_for_each_safe (node, next, &pool->conns[state])
            pool_close_conn(RQV_LIST_OF(node, struct conn, node));
    fair_drop(&pool->match);
    rqv_list_remove(&pool->all_node);
    account_roll_leave(pool->account, ROLL_POOLS, &pool->roll);
    origins_feed_no_more(pool);
    waitq_done(&pool->waiters);
    if (pool->trust)
        trust_unref(&pool->trust);
    account_refund(pool->account, ACCOUNT_MEMORY, sizeof *pool);
    account_release(&pool->account);
    free(pool);
}

unsigned pool_conns(const struct pool *pool)
{
    return pool->count[CONN_DIALING] + pool->count[CONN_IDLE] + pool->count[CONN_LEASED];
}

static void conn_leave_home(struct conn *conn)
{
    struct lease *home = conn->home;
    struct rqv_err err = {0};

    rqv_err_set(&err, REQIVO_E_CONNECTION_CLOSED, REQIVO_PHASE_QUEUE, "%s",
                rqv_err_text(REQIVO_E_CONNECTION_CLOSED));
    conn->home = NULL;
    home->conn = NULL;
    home->events->on_error(home, &err);
}

void pool_close_conn(struct conn *conn)
{
    struct pool *pool = conn->pool;

    if (conn->state == CONN_CLOSED)
        return;
    if (conn->initiator)
        conn->initiator->dialing = NULL;
    conn->initiator = NULL;
    conn_set_state(conn, CONN_CLOSED);
    if (conn->lease)
        conn->lease->conn = NULL;
    conn->lease = NULL;
    conn_shut(conn);
    if (conn->home)
        conn_leave_home(conn);
    account_refund(pool->account, ACCOUNT_CONNS, 1);
    pool->unused_since_ms = loop_boot_ms(pool->origins->loop);
    origins_conn_gone(pool->origins);
    pool_wake(pool);
}

/* ---- dialling ---- */

/* `waiter` has no need of its dial any more. It goes on, at the end of the list, where the next who waits
 * finds it. */
static void waiter_leave_dial(struct waiter *waiter)
{
    struct conn *conn = waiter->dialing;

    waiter->dialing = NULL;
    if (!conn)
        return;
    conn->initiator = NULL;
    rqv_list_remove(&conn->node);
    rqv_list_append(&conn->pool->conns[CONN_DIALING], &conn->node);
}

uint64_t pool_oldest_wait_us(const struct roll *waiters, uint64_t now_us)
{
    const struct rqv_list *last = waiters->list.prev; /* nobody reads that roll, so it has no places */

    if (last == &waiters->list)
        return 0;
    const struct waiter *waiter = RQV_LIST_OF(last, struct roll_node, node)->thing;
    return now_us > waiter->since_us ? now_us - waiter->since_us : 0;
}

/* Out of the queue, unless it is out already. */
static void waiter_leave(struct pool *pool, struct waiter *waiter, bool served)
{
    if (!waiter->wait.queue)
        return;
    account_roll_leave(pool->account, ROLL_WAITERS, &waiter->roll);
    if (served)
        waitq_serve(&waiter->wait);
    else
        waitq_remove(&waiter->wait);
}

static void waiter_fail(struct pool *pool, struct waiter *waiter, const struct rqv_err *err)
{
    waiter_leave(pool, waiter, false);
    waiter_leave_dial(waiter);
    waiter->on_fail(waiter, err);
}

/* A timeout, a policy or a lack of memory says nothing about the server. */
static bool is_held_down(int code)
{
    return code == REQIVO_E_CONNECT || code == REQIVO_E_RESET || code == REQIVO_E_TLS_HANDSHAKE ||
           code == REQIVO_E_TLS_CERTIFICATE || code == REQIVO_E_TLS_HOST || code == REQIVO_E_TLS_PROTOCOL;
}

/* The first in serving order on whose behalf nothing is dialled. */
static struct waiter *first_undialled(const struct pool *pool)
{
    struct wait_look look;

    for (struct wait_node *node = waitq_look(&look, &pool->waiters); node; node = waitq_next(&look)) {
        struct waiter *waiter = RQV_LIST_OF(node, struct waiter, wait);
        if (!waiter->dialing)
            return waiter;
    }
    return NULL;
}

static void dial_failed(struct pool *pool, struct waiter *initiator, const struct rqv_err *err)
{
    pool->stats.failures++;
    pool->origins->stats.failures++;
    log_info("dial of %s port %u failed: %s: %s", pool->host, pool->port, rqv_err_name(err->code),
             err->detail);
    if (is_held_down(err->code) && pool->origins->conf->pool_hold_down_ms > 0) {
        pool->hold_until_us =
            loop_now_us(pool->origins->loop) + (uint64_t)pool->origins->conf->pool_hold_down_ms * 1000;
        pool->hold_err = *err;
    }
    if (initiator)
        waiter_fail(pool, initiator, err);
    pool_warm_end(pool, err);
    pool_wake(pool); /* held down, the others who wait fail with this error too */
}

static void on_dialled(void *owner, struct dial_result *result)
{
    struct conn *conn = owner;
    struct pool *pool = conn->pool;
    struct waiter *initiator = conn->initiator;

    conn->initiator = NULL;
    conn->dial = NULL;
    if (initiator)
        initiator->dialing = NULL;
    if (pool_is_stale(pool)) { /* its outcome says nothing about what is in force now */
        if (result->err.code == 0)
            stream_free(&result->stream);
        pool_close_conn(conn);
        pool_wake(pool);
        return;
    }
    if (result->err.code != 0) {
        struct rqv_err err = result->err;
        pool_close_conn(conn);
        dial_failed(pool, initiator, &err);
        return;
    }
    pool->stats.opened++;
    pool->stats.resumed += result->resumed;
    pool->origins->stats.opened++;
    pool->origins->stats.resumed += result->resumed;
    pool->hold_until_us = 0;
    conn_attach(conn, result);
    if (pool_conns(pool) > pool_limit(pool)) { /* it was narrowed meanwhile */
        pool_close_conn(conn);
        return;
    }
    conn_set_state(conn, CONN_IDLE);
    conn_watch(conn);
    pool_wake(pool);
}

static uint64_t connect_deadline(const struct pool *pool, uint32_t connect_ms)
{
    uint64_t now = loop_now_us(pool->origins->loop);

    return connect_ms == UINT32_MAX ? UINT64_MAX : now + (uint64_t)connect_ms * 1000;
}

/* A dial whose waiter has no need of it any more: it goes on, by the heir's time limit. */
static void dial_inherit(struct pool *pool, struct conn *conn, struct waiter *heir)
{
    rqv_list_remove(&conn->node);
    rqv_list_prepend(&pool->conns[CONN_DIALING], &conn->node);
    conn->initiator = heir;
    heir->dialing = conn;
    dial_set_deadline(conn->dial, connect_deadline(pool, heir->connect_ms));
}

int pool_dial_begin(struct pool *pool, struct waiter *waiter, uint32_t connect_ms, uint32_t tls_ms)
{
    struct conn *conn;
    int rc = conn_new(pool, &conn);

    if (rc < 0) {
        account_refund(pool->account, ACCOUNT_CONNS, 1);
        return rc;
    }
    conn_set_state(conn, CONN_DIALING);
    conn->initiator = waiter;
    if (waiter)
        waiter->dialing = conn;
    struct dial_params params = {
        .host = pool->host,
        .port = pool->port,
        .literal = pool->literal,
        .account = pool->account,
        .use_tls = pool->use_tls,
        .verify = pool->verify,
        .public_only = pool->public_only,
        .trust = pool->trust,
        .route = &pool->route,
        .key = {(const char *)pool->key.bytes, pool->key.len},
        .connect_deadline_us = connect_deadline(pool, connect_ms),
        .tls_timeout_ms = tls_ms,
        .tls_min = pool->tls_min,
        .tls_max = pool->tls_max,
    };
    rc = dial_start(&pool->origins->net, &params, on_dialled, conn, &conn->dial);
    if (rc < 0)
        pool_close_conn(conn);
    return rc;
}

/* An idle one of another pool may have to go. */
static int pool_dial(struct pool *pool, struct waiter *waiter)
{
    struct origins *origins = pool->origins;
    int rc = account_charge(pool->account, ACCOUNT_CONNS, 1);

    /* Who wants a fresh one has no use for the idle ones of the pool itself either. */
    if (rc < 0 && origins_make_room(origins, pool->account, waiter->fresh ? NULL : pool))
        rc = account_charge(pool->account, ACCOUNT_CONNS, 1);
    if (rc < 0) {
        origins_starve(pool);
        return -EAGAIN;
    }
    return pool_dial_begin(pool, waiter, waiter->connect_ms, waiter->tls_ms);
}

/* ---- matching ---- */

/* The idle connection that is used next: the newest that is fit; those that are not are closed on the way. */
static struct conn *pool_take_idle(struct pool *pool, const struct waiter *waiter)
{
    bool fresh = waiter->fresh;
    struct rqv_list *node;

    while ((node = rqv_list_first(fresh ? &pool->unused : &pool->conns[CONN_IDLE]))) {
        struct conn *conn =
            fresh ? RQV_LIST_OF(node, struct conn, unused) : RQV_LIST_OF(node, struct conn, node);
        if (conn_is_fit(conn, waiter->once))
            return conn;
        pool_close_conn(conn);
    }
    return NULL;
}

static int pool_lease(struct pool *pool, struct conn *conn, struct waiter *waiter)
{
    int rc = conn_lease(conn, waiter->lease);

    if (rc < 0) {
        pool_close_conn(conn);
        return rc;
    }
    conn_set_state(conn, CONN_LEASED);
    if (waiter->keeps) {
        conn->home = waiter->lease;
        conn->uses--; /* it will be counted with each lease that is lent */
        conn_watch(conn);
        return 0;
    }
    count_request(pool, conn);
    return 0;
}

/* Serves a waiter with `conn`. */
static void waiter_grant(struct pool *pool, struct waiter *waiter, struct conn *conn)
{
    waiter_leave(pool, waiter, true);
    waiter_leave_dial(waiter);
    if (pool_lease(pool, conn, waiter) < 0) {
        struct rqv_err err = {0};
        rqv_err_set(&err, REQIVO_E_INTERNAL, REQIVO_PHASE_QUEUE, "isolation: the pool keys differ");
        waiter->on_fail(waiter, &err);
        return;
    }
    waiter->on_lease(waiter);
}

static bool pool_has_room(struct pool *pool, bool fresh)
{
    if (pool_conns(pool) < pool_limit(pool))
        return true;
    struct rqv_list *last = rqv_list_last(&pool->conns[CONN_IDLE]);
    if (!fresh || !last)
        return false;
    pool_close_conn(
        RQV_LIST_OF(last, struct conn, node)); /* a fresh one is wanted: the oldest idle one makes room */
    return true;
}

bool pool_is_held(const struct pool *pool)
{
    return pool->hold_until_us > loop_now_us(pool->origins->loop);
}

/* Waiters that lost their dial to another's fate get one of the orphans before a new one is made. */
static struct conn *pool_orphan_dial(struct pool *pool)
{
    struct rqv_list *last = rqv_list_last(&pool->conns[CONN_DIALING]);
    struct conn *conn = last ? RQV_LIST_OF(last, struct conn, node) : NULL;

    return conn && !conn->initiator && conn->dial ? conn : NULL;
}

/* Starts what `waiter` needs. False when nothing can be started for now. */
static bool pool_provide(struct pool *pool, struct waiter *waiter)
{
    struct conn *orphan = pool_orphan_dial(pool);

    if (orphan) {
        dial_inherit(pool, orphan, waiter);
        return true;
    }
    if (pool_is_held(pool) && pool->count[CONN_LEASED] > 0)
        return false; /* the server takes no more now, but these will come back; or the sweep tries again */
    if (pool_is_held(pool)) {
        struct rqv_err err = pool->hold_err;
        waiter_fail(pool, waiter, &err);
        return true;
    }
    if (!pool_has_room(pool, waiter->fresh))
        return false;
    int rc = pool_dial(pool, waiter);
    if (rc == -EAGAIN)
        return false;
    if (rc < 0) {
        struct rqv_err err = {0};
        rqv_err_set(&err, rc, REQIVO_PHASE_CONNECT, "could not start a connection");
        waiter_fail(pool, waiter, &err);
    }
    return true;
}

/* An idle connection, or a new one begun, for the first in order. Past those for whom one is being made, and
 * past those who want a fresh one while the server is held down: they leave the idle ones to the next. False
 * when nobody can be helped for now. */
static bool match_step(struct pool *pool)
{
    struct wait_look look;
    bool stuck = false;

    for (struct wait_node *node = waitq_look(&look, &pool->waiters); node; node = waitq_next(&look)) {
        struct waiter *waiter = RQV_LIST_OF(node, struct waiter, wait);
        struct conn *conn = pool_take_idle(pool, waiter);
        if (conn) {
            waiter_grant(pool, waiter, conn);
            return true;
        }
        if (!stuck && !waiter->dialing) {
            if (pool_provide(pool, waiter))
                return true;
            stuck = true;
        }
        if (stuck && pool->count[CONN_IDLE] == 0)
            return false;
    }
    return false;
}

static bool pool_match(void *owner)
{
    struct pool *pool = owner;

    if (pool_is_stale(pool))
        return pool_send_away(pool, MATCH_STEPS);
    for (int i = 0; i < MATCH_STEPS; i++)
        if (!match_step(pool) && !pool_warm_step(pool))
            return false;
    return true;
}

int pool_acquire(struct pool *pool, struct waiter *waiter, struct wait_source *source, struct rqv_err *err)
{
    waiter->dialing = NULL;
    if (pool->waiters.count == 0 && !pool_is_stale(pool)) {
        struct conn *conn = pool_take_idle(pool, waiter);
        if (conn) {
            if (pool_lease(pool, conn, waiter) == 0)
                return 1;
            return rqv_err_set(err, REQIVO_E_INTERNAL, REQIVO_PHASE_QUEUE, "isolation: the pool keys differ");
        }
    }
    if (pool->waiters.count >= pool->origins->conf->pool_waiters)
        return rqv_err_set(err, REQIVO_E_LIMIT_REQUESTS, REQIVO_PHASE_QUEUE,
                           "%zu requests wait for %s already", pool->waiters.count, pool->host);
    int rc = waitq_push(&pool->waiters, &waiter->wait, source);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "out of memory");
    pool->stats.waits++;
    account_roll_join(pool->account, ROLL_WAITERS, &waiter->roll, waiter);
    waiter->since_us = loop_now_us(pool->origins->loop);
    pool_wake(pool);
    return 0;
}

void pool_drop_orphans(struct pool *pool)
{
    struct conn *orphan;

    if (pool_is_wanted(pool) || pool->count[CONN_LEASED] > 0)
        return;
    while ((orphan = pool_orphan_dial(pool)))
        pool_close_conn(orphan);
    rqv_list_for_each_safe (node, next, &pool->unused) {
        struct conn *conn = RQV_LIST_OF(node, struct conn, unused);

        if (!conn->made_ahead)
            pool_close_conn(conn);
    }
}

void pool_cancel(struct pool *pool, struct waiter *waiter)
{
    struct conn *conn = waiter->dialing;

    waiter_leave(pool, waiter, false);
    waiter_leave_dial(waiter);
    struct waiter *heir = conn ? first_undialled(pool) : NULL;
    if (heir && conn->dial)
        dial_inherit(pool, conn, heir);
    else if (conn && rqv_list_empty(&pool->warmers))
        pool_close_conn(conn); /* nobody wants it */
    pool_drop_orphans(pool);
}

void conn_rest(struct conn *conn)
{
    struct pool *pool = conn->pool;
    bool spare = pool->waiters.count == 0 && overload_is(pool->account->all, OVERLOAD_KEEP);

    if (spare || pool_conns(pool) > pool_limit(pool) || pool_is_stale(pool)) {
        pool_close_conn(conn);
        return;
    }
    conn_set_state(conn, CONN_IDLE);
    conn_watch(conn);
    pool_wake(pool);
}

/* ---- the end of a lease ---- */

int lease_release(struct lease *lease)
{
    struct conn *conn = lease->conn;

    if (!conn)
        return 0;
    bool same = lease->key.len == conn->key_len && memcmp(lease->key.bytes, conn->key, conn->key_len) == 0;
    if (!same)
        conn_isolation(conn, "ended a request of another key");
    if (!same || !conn->ended || !conn->reusable || conn->state != CONN_LEASED) {
        lease_discard(lease);
        return same ? 0 : REQIVO_E_INTERNAL;
    }
    lease->conn = NULL;
    conn->lease = NULL;
    /* An answer may come before the flush: what that has to tell of this lease, it must not tell of the next.
     */
    loop_task_drop(&conn->flush);
    if (conn->home)
        conn_come_home(conn);
    else
        conn_rest(conn);
    return 0;
}

void lease_discard(struct lease *lease)
{
    struct conn *conn = lease->conn;

    lease->conn = NULL;
    if (!conn)
        return;
    struct pool *pool = conn->pool;
    conn->lease = NULL;
    pool_close_conn(conn);
    pool_drop_orphans(pool);
}
