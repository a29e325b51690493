/* SPDX-License-Identifier: MIT */
/* queue - see queue.h. What is charged is always the capacity of the block that the queue holds. */
#include "daemon/base/queue.h"

#include <reqivo/error.h>

#include <stdlib.h>
#include <string.h>

#define KEEP_LARGE 16 /* blocks of more than QUEUE_BLOCK */

void queue_pool_init(struct queue_pool *pool, struct accounts *accounts)
{
    accounts->queues = pool;
    memset(pool, 0, sizeof *pool);
}

void queue_pool_done(struct queue_pool *pool)
{
    for (unsigned size = 0; size < QUEUE_RANKS; size++) {
        while (pool->count[size] > 0)
            free(pool->free[size][--pool->count[size]]);
    }
}

/* The smallest rank whose blocks hold n bytes; from QUEUE_RANKS on there is none. */
static unsigned rank_of(size_t n)
{
    return n <= QUEUE_LEAST ? 0 : 54 - (unsigned)__builtin_clzll((unsigned long long)n - 1);
}

static size_t rank_size(unsigned rank)
{
    return (size_t)QUEUE_LEAST << rank;
}

/* How far the block has been written: encoders append without asking, so it is noted whenever that may
 * shrink. */
static void queue_note_used(struct queue *queue)
{
    if (queue->buf.end > queue->used)
        queue->used = (uint32_t)queue->buf.end; /* at most max, which is of that size */
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
    unsigned rank = rank_of(cap);
    bool large = cap > QUEUE_BLOCK;
    queue_wipe(queue);
    if (rank < QUEUE_RANKS && cap == rank_size(rank) && pool->count[rank] < QUEUE_KEEP &&
        (!large || pool->large < KEEP_LARGE)) {
        pool->large += large;
        pool->free[rank][pool->count[rank]++] = queue->buf.data;
        queue->buf.data = NULL;
    }
    rqv_buf_done(&queue->buf); /* keeps max */
    account_refund(queue->account, queue->kind, cap);
}

void queue_done(struct queue *queue)
{
    queue_give_block(queue);
}

/* A first block: of the rank that holds n bytes and is no smaller than what the queue begins with, from the
 * list or new. */
static int queue_begin(struct queue *queue, size_t n, enum account_kind kind)
{
    struct queue_pool *pool = queue->account->all->queues;
    unsigned fits = rank_of(n), rank = fits > queue->first || kind == ACCOUNT_OWED ? fits : queue->first;
    bool whole = rank < QUEUE_RANKS && rank_size(rank) <= queue->buf.max;
    size_t most = whole ? rank_size(rank) : 2 * n + QUEUE_LEAST;
    uint8_t *room;
    int rc = account_charge(queue->account, kind, most);

    if (rc < 0)
        return rc;
    queue->kind = (uint8_t)kind;
    if (whole && pool->count[rank] > 0) {
        queue->buf.data = pool->free[rank][--pool->count[rank]];
        queue->buf.cap = most;
        pool->large -= most > QUEUE_BLOCK;
        return 0;
    }
    rc = rqv_buf_reserve(&queue->buf, whole ? most : n, &room);
    account_refund(queue->account, kind, most - queue->buf.cap);
    return rc;
}

/* rqv_buf doubles, or only moves what it has to the front: charged is the most that it may take, then what it
 * took. */
static int queue_grow(struct queue *queue, size_t n, enum account_kind kind)
{
    struct rqv_buf *buf = &queue->buf;
    size_t want = rqv_buf_len(buf) + n, had = buf->cap;
    size_t most = 2 * (want > had ? want : had);
    uint8_t *room;
    int rc = account_charge(queue->account, kind, most);

    if (rc < 0)
        return rc;
    rc = rqv_buf_reserve(buf, n, &room);
    if (buf->cap == had) {
        account_refund(queue->account, kind, most);
        return rc;
    }
    account_refund(queue->account, queue->kind, had);
    account_refund(queue->account, kind, most - buf->cap);
    queue->kind = (uint8_t)kind;
    return rc;
}

static bool queue_has_room(struct queue *queue, size_t n)
{
    queue_note_used(queue);
    return n == 0 || (queue->buf.data && n <= queue->buf.cap - queue->buf.end);
}

static int queue_enlarge(struct queue *queue, size_t n, enum account_kind kind)
{
    const struct rqv_buf *buf = &queue->buf;

    if (n > buf->max || rqv_buf_len(buf) > buf->max - n)
        return REQIVO_E_LIMIT_MEMORY;
    return buf->data ? queue_grow(queue, n, kind) : queue_begin(queue, n, kind);
}

int queue_reserve(struct queue *queue, size_t n)
{
    return queue_has_room(queue, n) ? 0 : queue_enlarge(queue, n, ACCOUNT_MEMORY);
}

int queue_append(struct queue *queue, const void *bytes, size_t n)
{
    int rc = queue_reserve(queue, n);

    return rc < 0 ? rc : rqv_buf_append(&queue->buf, bytes, n);
}

int queue_reserve_owed(struct queue *queue, size_t n)
{
    int rc = queue_reserve(queue, n);

    return rc < 0 ? queue_enlarge(queue, n, ACCOUNT_OWED) : 0;
}

int queue_append_owed(struct queue *queue, const void *bytes, size_t n)
{
    int rc = queue_reserve_owed(queue, n);

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
