/* SPDX-License-Identifier: MIT */
/* pool_sync URL COUNT - has connections ready before they are needed, looks at the pool, and closes them. Its
 * twin: pool_async. */
#include <reqivo/pool.h>
#include <stdio.h>
#include <stdlib.h>

static int look(struct reqivo_pool *pool)
{
    struct reqivo_pool_stats stats;
    int r = reqivo_pool_stats(pool, &stats);

    if (r == 0)
        printf("%llu idle of %llu\n", (unsigned long long)stats.idle, (unsigned long long)stats.limit);
    return r;
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_pool *pool = NULL;

    if (argc != 3 || reqivo_open(NULL, &client) < 0)
        return 1;
    int r = reqivo_pool_new(client, argv[1], &pool);
    if (r == 0)
        r = reqivo_pool_limit(pool, 4);
    if (r == 0)
        r = reqivo_pool_prewarm(pool, (unsigned)strtoul(argv[2], NULL, 10));
    if (r == 0)
        r = look(pool);
    if (r == 0)
        r = reqivo_pool_close_idle(pool);
    if (r == 0)
        r = look(pool);
    if (r < 0)
        printf("%s %s\n", reqivo_error_text(r), reqivo_pool_detail(pool));
    reqivo_pool_free(pool);
    reqivo_close(client);
    return r < 0;
}
