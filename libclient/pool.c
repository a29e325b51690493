/* SPDX-License-Identifier: MIT */
/* pool - the name of a pool and the verbs on it. Each verb is a request like the one that names the pool. */
#include "libclient/operate.h"
#include "libclient/response.h"
#include "proto/fields.h"

#include <reqivo/pool.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reqivo_pool {
    struct rqv_remote *link;        /* to the handle; names nothing in the daemon */
    struct reqivo_request *pattern; /* never sent */
    char detail[RQV_DETAIL_MAX];
};

int reqivo_pool_of(struct reqivo_client *client, struct reqivo_request **request,
                   struct reqivo_pool **ret_pool)
{
    int r = rqv_client_check(client, false);

    if (r < 0 && r != -EBUSY)
        return r;
    if (!request || !*request || !ret_pool)
        return -EINVAL;
    struct reqivo_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return -ENOMEM;
    pool->link = rqv_remote_new(client, false);
    if (!pool->link) {
        free(pool);
        return -ENOMEM;
    }
    pool->pattern = *request;
    *request = NULL;
    *ret_pool = pool;
    return 0;
}

int reqivo_pool_new(struct reqivo_client *client, const char *url, struct reqivo_pool **ret_pool)
{
    struct reqivo_request *request;
    int r = reqivo_request_new("GET", url, &request);

    if (r < 0)
        return r;
    r = reqivo_pool_of(client, &request, ret_pool);
    reqivo_request_free(request); /* NULL once it was taken */
    return r;
}

void reqivo_pool_free(struct reqivo_pool *pool)
{
    if (!pool)
        return;
    reqivo_request_free(pool->pattern);
    rqv_remote_release(&pool->link);
    free(pool);
}

const char *reqivo_pool_detail(const struct reqivo_pool *pool)
{
    return pool ? pool->detail : "";
}

static int new_operation(const struct reqivo_pool *pool, enum rqv_operation_verb verb, uint32_t value,
                         struct reqivo_request **ret_request)
{
    const struct rqv_wanted wanted = {.verb = (uint16_t)verb, .value = value};

    return pool ? rqv_operate_like(pool->pattern, &wanted, ret_request) : -EINVAL;
}

static int call(struct reqivo_pool *pool, enum rqv_operation_verb verb, uint32_t value,
                struct reqivo_response **ret_response)
{
    struct reqivo_response *response = NULL;
    struct reqivo_request *request;
    int r = new_operation(pool, verb, value, &request);

    if (r < 0)
        return r;
    r = rqv_operate_call(pool->link->client, request, &response);
    if (r < 0)
        rqv_copy_text(pool->detail, sizeof pool->detail, rqv_str_from(reqivo_response_detail(response)));
    if (r == 0 && ret_response)
        *ret_response = response;
    else
        reqivo_response_free(response);
    return r;
}

static int submit(struct reqivo_pool *pool, enum rqv_operation_verb verb, uint32_t value, reqivo_done_fn fn,
                  void *userdata)
{
    struct reqivo_request *request;
    int r = fn ? new_operation(pool, verb, value, &request) : -EINVAL;

    return r < 0 ? r : rqv_operate_submit(pool->link->client, request, fn, userdata);
}

/* ---- statistics ---- */

static uint64_t number(const struct reqivo_response *response, const char *name)
{
    const char *text = reqivo_response_field(response, name, 0);

    return text ? strtoull(text, NULL, 10) : 0;
}

int reqivo_pool_stats_of(const struct reqivo_response *response, struct reqivo_pool_stats *ret_stats)
{
    if (!response || !ret_stats || reqivo_response_field_count(response) == 0)
        return -EINVAL;
    *ret_stats = (struct reqivo_pool_stats){
        .idle = number(response, "idle"),
        .leased = number(response, "leased"),
        .connecting = number(response, "connecting"),
        .waiting = number(response, "waiting"),
        .limit = number(response, "limit"),
        .opened = number(response, "opened"),
        .reused = number(response, "reused"),
        .failures = number(response, "failures"),
        .oldest_ms = number(response, "oldest_ms"),
        .newest_ms = number(response, "newest_ms"),
    };
    return 0;
}

int reqivo_pool_stats(struct reqivo_pool *pool, struct reqivo_pool_stats *ret_stats)
{
    struct reqivo_response *response = NULL;
    int r = ret_stats ? call(pool, RQV_OP_POOL_STATS, 0, &response) : -EINVAL;

    if (r == 0 && reqivo_pool_stats_of(response, ret_stats) < 0)
        *ret_stats = (struct reqivo_pool_stats){0};
    reqivo_response_free(response);
    return r;
}

int reqivo_pool_stats_async(struct reqivo_pool *pool, reqivo_done_fn fn, void *userdata)
{
    return submit(pool, RQV_OP_POOL_STATS, 0, fn, userdata);
}

/* ---- the other verbs ---- */

int reqivo_pool_limit(struct reqivo_pool *pool, uint32_t connections)
{
    return call(pool, RQV_OP_POOL_LIMIT, connections, NULL);
}

int reqivo_pool_limit_async(struct reqivo_pool *pool, uint32_t connections, reqivo_done_fn fn, void *userdata)
{
    return submit(pool, RQV_OP_POOL_LIMIT, connections, fn, userdata);
}

int reqivo_pool_prewarm(struct reqivo_pool *pool, uint32_t connections)
{
    return call(pool, RQV_OP_POOL_PREWARM, connections, NULL);
}

int reqivo_pool_prewarm_async(struct reqivo_pool *pool, uint32_t connections, reqivo_done_fn fn,
                              void *userdata)
{
    return submit(pool, RQV_OP_POOL_PREWARM, connections, fn, userdata);
}

int reqivo_pool_close_idle(struct reqivo_pool *pool)
{
    return call(pool, RQV_OP_POOL_CLOSE_IDLE, 0, NULL);
}

int reqivo_pool_close_idle_async(struct reqivo_pool *pool, reqivo_done_fn fn, void *userdata)
{
    return submit(pool, RQV_OP_POOL_CLOSE_IDLE, 0, fn, userdata);
}
