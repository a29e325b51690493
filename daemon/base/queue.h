/* SPDX-License-Identifier: MIT */
/*
 * queue - a byte queue whose memory is charged to an account before it is made. Its first block comes from a
 * free list that the daemon's queues share, and goes back there when the queue is empty: an idle peer or
 * connection owns no buffer, and a warm request allocates none.
 */
#ifndef DAEMON_BASE_QUEUE_H
#define DAEMON_BASE_QUEUE_H

#include "common/buf.h"
#include "daemon/base/account.h"

#include <stdbool.h>
#include <stddef.h>

#define QUEUE_BLOCK 16384

struct queue_pool {
    unsigned count, large; /* large: of more than QUEUE_BLOCK; they never fill the list */
    struct {
        uint8_t *data;
        size_t cap;
    } free[64];
};

struct queue {
    struct rqv_buf buf; /* encoders append here after queue_reserve() */
    struct account *account;
    size_t used; /* of the block: wiped before it is given back */
};

void queue_pool_init(struct queue_pool *pool, struct accounts *accounts); /* of all their queues */
void queue_pool_done(struct queue_pool *pool);

void queue_init(struct queue *queue, struct account *account, size_t max);
void queue_done(struct queue *queue);

/* Room for n more bytes: 0, REQIVO_E_LIMIT_MEMORY (account or the queue's own max), -ENOMEM. */
int queue_reserve(struct queue *queue, size_t n);
int queue_append(struct queue *queue, const void *bytes, size_t n);
/* Drops n bytes from the front; when none are left the block goes back to the pool. */
void queue_consume(struct queue *queue, size_t n);

void queue_drop_end(struct queue *queue,
                    size_t n); /* takes back the n bytes appended last; keeps the block */

static inline size_t queue_len(const struct queue *queue)
{
    return rqv_buf_len(&queue->buf);
}

#endif
