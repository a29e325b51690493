/* SPDX-License-Identifier: MIT */
/*
 * reqivo/pool.h - the caller's view of the pool of connections that the daemon keeps for an origin. A pool is
 * named by what a request says: URL, TLS options, certificates, route. The connections are the daemon's and
 * outlive this object, which is only a name.
 *
 *      reqivo_pool_new(client, "https://example.org/", &pool);
 *      reqivo_pool_prewarm(pool, 2);                        // blocks until two are there
 *      reqivo_pool_prewarm_async(pool, 2, on_done, NULL);   // or calls back
 *      reqivo_pool_stats(pool, &stats);
 *
 * It belongs to its handle and follows its thread rule. A blocking call inside a callback returns -EBUSY. An
 * _async call returns before anything has happened; then fn gets a response that is its own to free, without
 * status and body: error, phase, address and detail say how it went. Operations that are under way when the
 * pool is freed go on.
 */
#ifndef REQIVO_POOL_H
#define REQIVO_POOL_H

#include <reqivo/request.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reqivo_pool;

/* The pool of a plain request to that URL. Returns 0, -EINVAL, -ECHILD, -ENOMEM, or REQIVO_E_LIMIT_HEAD. */
REQIVO_API int reqivo_pool_new(struct reqivo_client *client, const char *url, struct reqivo_pool **ret_pool);
/* The pool of this request, which is taken (*request is NULL then): its options, and its timeouts for
 * connecting; reqivo_session_request() gives that of a session. Returns 0, -EINVAL, -ECHILD, or -ENOMEM. */
REQIVO_API int reqivo_pool_of(struct reqivo_client *client, struct reqivo_request **request,
                              struct reqivo_pool **ret_pool);
REQIVO_API void reqivo_pool_free(struct reqivo_pool *pool); /* NULL is fine */

struct reqivo_pool_stats {
    uint64_t idle, leased, connecting; /* connections now */
    uint64_t waiting;                  /* requests that wait for one */
    uint64_t limit;                    /* connections at most */
    uint64_t opened, reused, failures; /* connections since the pool exists; requests on a warm one; dials */
    uint64_t oldest_ms, newest_ms;     /* ages of its connections; 0: it has none */
    uint64_t reserved[8];              /* 0 */
};
/* All zero when there is no pool yet. Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback,
 * REQIVO_E_CANCELED when the handle is gone, REQIVO_E_LIMIT_REQUESTS, REQIVO_E_URL, or what the daemon's loss
 * gives. */
REQIVO_API int reqivo_pool_stats(struct reqivo_pool *pool, struct reqivo_pool_stats *ret_stats);
/* fn reads them with reqivo_pool_stats_of(). Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback
 * that gives a body, REQIVO_E_CANCELED, REQIVO_E_LIMIT_HEAD, or REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_pool_stats_async(struct reqivo_pool *pool, reqivo_done_fn fn, void *userdata);
/* Returns 0, or -EINVAL for a response that has none. */
REQIVO_API int reqivo_pool_stats_of(const struct reqivo_response *response,
                                    struct reqivo_pool_stats *ret_stats);

/* Connections at most, for all programs of this user, as long as the pool exists; never more than the
 * configuration's; 0: that. Those beyond it are closed when they become idle. Returns 0, -EINVAL, -ECHILD,
 * -ENOMEM, -EBUSY inside a callback, REQIVO_E_CANCELED, REQIVO_E_LIMIT_REQUESTS, REQIVO_E_URL, or what the
 * daemon's loss gives. */
REQIVO_API int reqivo_pool_limit(struct reqivo_pool *pool, uint32_t connections);
/* Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback that gives a body, REQIVO_E_CANCELED,
 * REQIVO_E_LIMIT_HEAD, or REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_pool_limit_async(struct reqivo_pool *pool, uint32_t connections, reqivo_done_fn fn,
                                       void *userdata);

/* Opens connections until so many are there, idle or in use; the limits hold. Ends when they are there, or
 * with the first failure. Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback, REQIVO_E_CANCELED,
 * REQIVO_E_LIMIT_REQUESTS, or what connecting gives. */
REQIVO_API int reqivo_pool_prewarm(struct reqivo_pool *pool, uint32_t connections);
/* Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback that gives a body, REQIVO_E_CANCELED,
 * REQIVO_E_LIMIT_HEAD, or REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_pool_prewarm_async(struct reqivo_pool *pool, uint32_t connections, reqivo_done_fn fn,
                                         void *userdata);

/* Closes what is idle. Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback, REQIVO_E_CANCELED,
 * REQIVO_E_LIMIT_REQUESTS, REQIVO_E_URL, or what the daemon's loss gives. */
REQIVO_API int reqivo_pool_close_idle(struct reqivo_pool *pool);
/* Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback that gives a body, REQIVO_E_CANCELED,
 * REQIVO_E_LIMIT_HEAD, or REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_pool_close_idle_async(struct reqivo_pool *pool, reqivo_done_fn fn, void *userdata);

/* One line about the last blocking call that failed, "" when there is none. */
REQIVO_API const char *reqivo_pool_detail(const struct reqivo_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
