/* SPDX-License-Identifier: MIT */
/*
 * mini_want - what tests of pools share: those who want a connection and only count what becomes of it, and a
 * world of one origin, its pool and two programs.
 */
#ifndef RQV_TESTS_MINI_WANT_H
#define RQV_TESTS_MINI_WANT_H

#include "daemon/upstream/key_encode.h"
#include "tests/lib/mini_origin.h"

#include <reqivo/error.h>

#include <check.h>
#include <string.h>

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/* Over all wants of a test: leases given, pieces of body that came. */
static unsigned grants, pieces;

struct want {
    struct waiter waiter;
    struct lease lease;
    struct wait_source *source;
    struct pool *pool;
    unsigned got, failed, ended, broken, heads, stale;
    unsigned turn;      /* which of the leases it was */
    unsigned pieces_at; /* how many pieces had come to all when it ended */
    size_t body;
    struct rqv_err err;
};

static inline struct want *want_of(struct lease *lease)
{
    return RQV_LIST_OF(lease, struct want, lease);
}

static inline void on_lease(struct waiter *waiter)
{
    struct want *want = RQV_LIST_OF(waiter, struct want, waiter);

    want->got++;
    want->turn = ++grants;
}

static inline void on_fail(struct waiter *waiter, const struct rqv_err *err)
{
    struct want *want = RQV_LIST_OF(waiter, struct want, waiter);

    want->failed++;
    want->err = *err;
}

/* The owner asks the pool of what is in force; here it only counts. */
static inline void on_stale(struct waiter *waiter)
{
    struct want *want = RQV_LIST_OF(waiter, struct want, waiter);

    want->stale++;
    pool_cancel(want->pool, waiter);
}

static inline void on_written(struct lease *lease)
{
    (void)lease;
}

static inline void on_interim(struct lease *lease, int status)
{
    (void)lease;
    (void)status;
}

static inline void on_head(struct lease *lease, const struct rqv_http1_head *head)
{
    (void)head;
    want_of(lease)->heads++;
}

static inline void on_body(struct lease *lease, const uint8_t *bytes, size_t len, bool last)
{
    (void)bytes;
    (void)last;
    pieces++;
    want_of(lease)->body += len;
}

static inline void on_trailers(struct lease *lease, const struct rqv_fields *trailers)
{
    (void)lease;
    (void)trailers;
}

static inline void on_end(struct lease *lease)
{
    want_of(lease)->ended++;
    want_of(lease)->pieces_at = pieces;
}

static inline void on_error(struct lease *lease, const struct rqv_err *err)
{
    want_of(lease)->broken++;
    want_of(lease)->err = *err;
}

static inline size_t window(struct lease *lease)
{
    (void)lease;
    return 65536;
}

static inline void on_stale_lease(struct lease *lease)
{
    want_of(lease)->stale++;
    lease_discard(lease);
}

static const struct lease_events events = {on_written, on_interim, on_head,        on_body, on_trailers,
                                           on_end,     on_error,   on_stale_lease, window};

/* ---- a world: one origin, its pool, two programs ---- */

struct world {
    struct mini_env env;
    struct mini_origin origin;
    struct pool *pool;
    struct key key;
    struct wait_source source, other;
    struct want wants[32];
};

static inline void make_key(const struct account *account, uint16_t port, struct key *ret_key)
{
    struct key_fields fields;

    key_fields_init(&fields);
    fields.partition = account->uid;
    fields.host_type = RQV_HOST_IPV4;
    fields.host = RQV_STR("127.0.0.1");
    fields.port = port;
    ck_assert_int_eq(key_encode(&fields, ret_key), 0);
}

static inline struct pool *pool_of(struct world *w, struct account *account, uint16_t port,
                                   struct key *ret_key)
{
    struct pool *pool = NULL;
    struct pool_params params = {.key = ret_key,
                                 .host = "127.0.0.1",
                                 .port = port,
                                 .literal = {.family = 4, .bytes = {127, 0, 0, 1}},
                                 .account = account};

    make_key(account, port, ret_key);
    ck_assert_int_eq(origins_get(&w->env.origins, &params, &pool), 0);
    return pool;
}

static inline struct pool *pool_for(struct world *w, uint16_t port, struct key *ret_key)
{
    return pool_of(w, w->env.account, port, ret_key);
}

static inline struct world *world_open(void)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    grants = pieces = 0;
    mini_env_open(&w.env);
    mini_origin_open(&w.origin, w.env.loop);
    w.pool = pool_for(&w, w.origin.port, &w.key);
    wait_source_init(&w.source, 1000);
    wait_source_init(&w.other, 2000);
    return &w;
}

static inline void world_close(struct world *w)
{
    for (size_t i = 0; i < sizeof w->wants / sizeof w->wants[0]; i++) {
        if (w->wants[i].waiter.wait.queue)
            pool_cancel(w->pool, &w->wants[i].waiter);
        lease_discard(&w->wants[i].lease);
    }
    mini_origin_close(&w->origin);
    mini_env_close(&w->env);
}

static inline int want_from(struct world *w, int n, struct pool *pool, struct wait_source *source)
{
    struct want *want = &w->wants[n];
    struct rqv_err err = {0};
    bool fresh = want->waiter.fresh;

    memset(want, 0, sizeof *want);
    wait_node_init(&want->waiter.wait);
    want->waiter.lease = &want->lease;
    want->waiter.fresh = fresh;
    want->waiter.connect_ms = want->waiter.tls_ms = 5000;
    want->waiter.on_lease = on_lease;
    want->waiter.on_fail = on_fail;
    want->waiter.on_stale = on_stale;
    want->pool = pool;
    want->lease.events = &events;
    want->lease.key = pool->key;
    int rc = pool_acquire(pool, &want->waiter, source, &err);
    if (rc == 1)
        on_lease(&want->waiter);
    if (rc < 0)
        want->err = err;
    return rc;
}

static inline void want_start(struct world *w, int n)
{
    ck_assert_int_ge(want_from(w, n, w->pool, &w->source), 0);
}

static inline void want_ask(struct world *w, int n)
{
    mini_env_until(&w->env, &w->wants[n].got, 1);
    ck_assert_int_eq(lease_send_head(&w->wants[n].lease, RQV_STR(GET), false), 0);
}

/* A request from beginning to end, the connection given back. Returns which one it was. */
static inline uint64_t once(struct world *w, int n)
{
    want_start(w, n);
    want_ask(w, n);
    mini_env_until(&w->env, &w->wants[n].ended, 1);
    uint64_t id = w->wants[n].lease.conn_id;
    ck_assert_int_eq(lease_release(&w->wants[n].lease), 0);
    return id;
}

#endif
