/* SPDX-License-Identifier: MIT */
/*
 * queue - a byte queue whose memory is charged to an account before it is made. Its first block comes from
 * free lists that the daemon's queues share, and goes back there when the queue is empty: an idle peer or
 * connection owns no buffer, and a warm request allocates none.
 *
 * The first block is of QUEUE_BLOCK, for what is filled piece by piece and soon empty again, or of the
 * smallest size that holds the first piece, for what waits (queue_init_small).
 */
#ifndef DAEMON_BASE_QUEUE_H
#define DAEMON_BASE_QUEUE_H

#include "common/buf.h"
#include "daemon/base/account.h"

#include <stdbool.h>
#include <stddef.h>

#define QUEUE_LEAST 1024 /* the smallest; each rank has blocks of twice the size of the one before */
#define QUEUE_FIRST 4    /* the rank of QUEUE_BLOCK */
#define QUEUE_BLOCK ((size_t)QUEUE_LEAST << QUEUE_FIRST)
#define QUEUE_RANKS 9  /* the largest is of 256 KiB; a larger block is not worth keeping */
#define QUEUE_KEEP  64 /* blocks of a rank */

struct queue_pool {
    unsigned large; /* kept ones of more than QUEUE_BLOCK: few in all */
    unsigned count[QUEUE_RANKS];
    uint8_t *free[QUEUE_RANKS][QUEUE_KEEP];
};

struct queue {
    struct rqv_buf buf; /* encoders append here after queue_reserve() */
    struct account *account;
    uint32_t used; /* of the block: wiped before it is given back */
    uint8_t first; /* the least rank of a first block */
    uint8_t kind;  /* what the block is charged to: ACCOUNT_MEMORY or ACCOUNT_OWED */
};

void queue_pool_init(struct queue_pool *pool, struct accounts *accounts); /* of all their queues */
void queue_pool_done(struct queue_pool *pool);

static inline void queue_init(struct queue *queue, struct account *account, uint32_t max)
{
    *queue =
        (struct queue){.buf = {.max = max}, .account = account, .first = QUEUE_FIRST, .kind = ACCOUNT_MEMORY};
}

static inline void queue_init_small(struct queue *queue, struct account *account, uint32_t max)
{
    queue_init(queue, account, max);
    queue->first = 0;
}
void queue_done(struct queue *queue);

/* Room for n more bytes: 0, REQIVO_E_LIMIT_MEMORY (account or the queue's own max), -ENOMEM. */
int queue_reserve(struct queue *queue, size_t n);
int queue_append(struct queue *queue, const void *bytes, size_t n);
/* The same for what must not be lost: where memory is used up, ACCOUNT_OWED is charged. The caller bounds how
 * much that can be. */
int queue_reserve_owed(struct queue *queue, size_t n);
int queue_append_owed(struct queue *queue, const void *bytes, size_t n);
/* Drops n bytes from the front; when none are left the block goes back to the pool. */
void queue_consume(struct queue *queue, size_t n);

void queue_drop_end(struct queue *queue,
                    size_t n); /* takes back the n bytes appended last; keeps the block */

static inline size_t queue_len(const struct queue *queue)
{
    return rqv_buf_len(&queue->buf);
}

#endif
