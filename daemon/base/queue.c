/* SPDX-License-Identifier: MIT */
/* queue - see queue.h. What is charged is always the capacity of the block that the queue holds. */
#include "daemon/base/queue.h"

#include <reqivo/error.h>

#include <stdlib.h>
#include <string.h>

#define QUEUE_KEEP_MAX   262144 /* larger blocks are not worth keeping */
#define QUEUE_KEEP_LARGE 16     /* of more than QUEUE_BLOCK */

void queue_pool_init(struct queue_pool *pool, struct accounts *accounts)
{
    accounts->queues = pool;
    pool->count = 0;
    pool->large = 0;
}

void queue_pool_done(struct queue_pool *pool)
{
    while (pool->count > 0)
        free(pool->free[--pool->count].data);
}

void queue_init(struct queue *queue, struct account *account, size_t max)
{
    rqv_buf_init(&queue->buf, max);
    queue->account = account;
    queue->used = 0;
}

/* The last block of the free list that holds n bytes and is neither over the queue's max nor a waste; false
 * when there is none. */
static bool queue_take_block(struct queue *queue, size_t n)
{
    struct queue_pool *pool = queue->account->all->queues;
    size_t most = n > QUEUE_BLOCK / 4 ? 4 * n : QUEUE_BLOCK;
    unsigned at = pool->count;

    most = most < queue->buf.max ? most : queue->buf.max;
    while (at > 0 && (pool->free[at - 1].cap < n || pool->free[at - 1].cap > most))
        at--;
    if (at == 0)
        return false;
    size_t cap = pool->free[--at].cap;
    if (account_charge(queue->account, ACCOUNT_MEMORY, cap) < 0)
        return false;
    queue->buf.data = pool->free[at].data;
    queue->buf.cap = cap;
    pool->free[at] = pool->free[--pool->count];
    pool->large -= cap > QUEUE_BLOCK;
    return true;
}

static bool queue_keeps(const struct queue_pool *pool, size_t cap)
{
    return cap <= QUEUE_KEEP_MAX && pool->count < sizeof pool->free / sizeof pool->free[0] &&
           (cap <= QUEUE_BLOCK || pool->large < QUEUE_KEEP_LARGE);
}

/* How far the block has been written: encoders append without asking, so it is noted whenever that may
 * shrink. */
static void queue_note_used(struct queue *queue)
{
    if (queue->buf.end > queue->used)
        queue->used = queue->buf.end;
}

/* What one request leaves must not lie in the block of the next: security.md B2-10. */
static void queue_wipe(struct queue *queue)
{
    queue_note_used(queue);
    explicit_bzero(queue->buf.data, queue->used);
    queue->used = 0;
}

static void queue_give_block(struct queue *queue)
{
    size_t cap = queue->buf.cap;

    if (!queue->buf.data)
        return;
    struct queue_pool *pool = queue->account->all->queues;
    queue_wipe(queue);
    if (queue_keeps(pool, cap)) {
        pool->large += cap > QUEUE_BLOCK;
        pool->free[pool->count].data = queue->buf.data;
        pool->free[pool->count].cap = cap;
        pool->count++;
        queue->buf.data = NULL;
    }
    rqv_buf_done(&queue->buf); /* keeps max */
    account_refund(queue->account, ACCOUNT_MEMORY, cap);
}

void queue_done(struct queue *queue)
{
    queue_give_block(queue);
}

int queue_reserve(struct queue *queue, size_t n)
{
    struct rqv_buf *buf = &queue->buf;
    uint8_t *room;

    queue_note_used(queue);
    if (n == 0 || (buf->data && n <= buf->cap - buf->end))
        return 0;
    if (n > buf->max || rqv_buf_len(buf) > buf->max - n)
        return REQIVO_E_LIMIT_MEMORY;
    if (!buf->data && queue_take_block(queue, n))
        return 0;

    /* rqv_buf doubles: charge the most that it may take, then what it took. */
    size_t want = rqv_buf_len(buf) + n, had = buf->cap;
    size_t most = 2 * (want > buf->cap ? want : buf->cap);
    most = most < QUEUE_BLOCK ? QUEUE_BLOCK : most;
    int rc = account_charge(queue->account, ACCOUNT_MEMORY, most);
    if (rc < 0)
        return rc;
    size_t ask = !buf->data && n < QUEUE_BLOCK && buf->max >= QUEUE_BLOCK ? QUEUE_BLOCK : n;
    rc = rqv_buf_reserve(buf, ask, &room);
    account_refund(queue->account, ACCOUNT_MEMORY, had + most - buf->cap);
    return rc;
}

int queue_append(struct queue *queue, const void *bytes, size_t n)
{
    int rc = queue_reserve(queue, n);

    return rc < 0 ? rc : rqv_buf_append(&queue->buf, bytes, n);
}

void queue_drop_end(struct queue *queue, size_t n)
{
    queue_note_used(queue);
    queue->buf.end -= n < queue_len(queue) ? n : queue_len(queue);
}

void queue_consume(struct queue *queue, size_t n)
{
    queue_note_used(queue);
    rqv_buf_consume(&queue->buf, n);
    if (rqv_buf_len(&queue->buf) == 0)
        queue_give_block(queue);
}
