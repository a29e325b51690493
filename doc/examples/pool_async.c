/* SPDX-License-Identifier: MIT */
/* pool_async URL COUNT - has connections ready before they are needed, looks at the pool, and closes them.
 * Each step begins when the one before is done. Its twin: pool_sync. */
#include <reqivo/pool.h>
#include <reqivo/response.h>
#include <stdio.h>
#include <stdlib.h>

struct work {
    struct reqivo_pool *pool;
    unsigned count;
    int step, failed;
};

static void on_step(struct reqivo_client *client, struct reqivo_response *response, void *userdata);

static int begin(struct work *work)
{
    switch (work->step++) {
    case 0:
        return reqivo_pool_limit_async(work->pool, 4, on_step, work);
    case 1:
        return reqivo_pool_prewarm_async(work->pool, work->count, on_step, work);
    case 2:
    case 4:
        return reqivo_pool_stats_async(work->pool, on_step, work);
    case 3:
        return reqivo_pool_close_idle_async(work->pool, on_step, work);
    default:
        return 0;
    }
}

static void on_step(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct work *work = userdata;
    struct reqivo_pool_stats stats;
    int r = reqivo_response_error(response);

    (void)client;
    if (r < 0)
        printf("%s %s\n", reqivo_error_text(r), reqivo_response_detail(response));
    else if (reqivo_pool_stats_of(response, &stats) == 0)
        printf("%llu idle of %llu\n", (unsigned long long)stats.idle, (unsigned long long)stats.limit);
    reqivo_response_free(response);
    work->failed = r < 0 || begin(work) < 0;
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct work work = {0};

    if (argc != 3 || reqivo_open(NULL, &client) < 0)
        return 1;
    work.count = (unsigned)strtoul(argv[2], NULL, 10);
    work.failed = reqivo_pool_new(client, argv[1], &work.pool) < 0 || begin(&work) < 0;
    while (reqivo_client_pending(client) > 0)
        reqivo_client_wait(client, -1);
    reqivo_pool_free(work.pool);
    reqivo_close(client);
    return work.failed;
}
