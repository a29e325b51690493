/* SPDX-License-Identifier: MIT */
/*
 * buf - a byte queue in one block.
 *
 *   data           start           end             cap
 *    |-- consumed --|--- content ---|--- room ------|
 *
 * It grows by doubling up to `max`; consuming everything resets it without freeing. The owner charges
 * accounts; buf only keeps its own limit. Memory is not wiped unless rqv_buf_wipe() is used.
 */
#ifndef RQV_COMMON_BUF_H
#define RQV_COMMON_BUF_H

#include <stddef.h>
#include <stdint.h>

struct rqv_buf {
    uint8_t *data;
    size_t start, end, cap, max;
};

void rqv_buf_init(struct rqv_buf *buf, size_t max);
void rqv_buf_done(struct rqv_buf *buf); /* frees the block; the buf is as after init */
void rqv_buf_wipe(struct rqv_buf *buf); /* zeroes the whole block, then as done */

static inline size_t rqv_buf_len(const struct rqv_buf *buf)
{
    return buf->end - buf->start;
}

static inline uint8_t *rqv_buf_head(struct rqv_buf *buf)
{
    return buf->data ? buf->data + buf->start : NULL;
}

/* Makes room for n more bytes and shows where (it may move the content); -ENOMEM, or REQIVO_E_LIMIT_MEMORY
 * when content + n > max. */
int rqv_buf_reserve(struct rqv_buf *buf, size_t n, uint8_t **ret_room);
void rqv_buf_commit(struct rqv_buf *buf, size_t n); /* n bytes of the room are content now */
int rqv_buf_append(struct rqv_buf *buf, const void *bytes, size_t n);
void rqv_buf_consume(struct rqv_buf *buf, size_t n);
void rqv_buf_shrink(struct rqv_buf *buf); /* frees the block when there is no content */

#endif
