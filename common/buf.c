/* SPDX-License-Identifier: MIT */
/*
 * buf - the byte queue of buf.h.
 *
 * A full block is compacted when that is paid for by what was consumed since the last time (start >= content)
 * or when it may not grow; otherwise it doubles. So each byte is moved a constant number of times, and the
 * block never exceeds max.
 */
#include "common/buf.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 256 };

void rqv_buf_init(struct rqv_buf *buf, size_t max)
{
    *buf = (struct rqv_buf){.max = max};
}

void rqv_buf_done(struct rqv_buf *buf)
{
    free(buf->data);
    rqv_buf_init(buf, buf->max);
}

void rqv_buf_wipe(struct rqv_buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->cap);
    rqv_buf_done(buf);
}

void rqv_buf_shrink(struct rqv_buf *buf)
{
    if (buf->start == buf->end)
        rqv_buf_done(buf);
}

/* The size that a block of at least `need` bytes gets; need <= max. */
static size_t next_cap(const struct rqv_buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : FIRST_BLOCK;

    while (cap < need || cap == buf->cap) {
        if (cap > buf->max / 2)
            return buf->max;
        cap *= 2;
    }
    return cap < buf->max ? cap : buf->max;
}

/* Moves the content into a larger block. Content that starts at 0 may stay in place (realloc); the other case
 * does not copy what was consumed. */
static int grow(struct rqv_buf *buf, size_t need)
{
    size_t len = rqv_buf_len(buf);
    size_t cap = next_cap(buf, need);
    uint8_t *data;

    if (buf->start == 0) {
        data = realloc(buf->data, cap);
        if (!data)
            return -ENOMEM;
    } else {
        data = malloc(cap);
        if (!data)
            return -ENOMEM;
        memcpy(data, buf->data + buf->start, len);
        free(buf->data);
    }
    buf->data = data;
    buf->start = 0;
    buf->end = len;
    buf->cap = cap;
    return 0;
}

int rqv_buf_reserve(struct rqv_buf *buf, size_t n, uint8_t **ret_room)
{
    size_t len = rqv_buf_len(buf);
    int error;

    if (n > buf->cap - buf->end) {
        if (n > buf->max || len > buf->max - n)
            return REQIVO_E_LIMIT_MEMORY;
        if (n <= buf->cap - len && (buf->start >= len || buf->cap == buf->max)) {
            memmove(buf->data, buf->data + buf->start, len);
            buf->start = 0;
            buf->end = len;
        } else {
            error = grow(buf, len + n);
            if (error)
                return error;
        }
    }
    *ret_room = buf->data ? buf->data + buf->end : NULL;
    return 0;
}

void rqv_buf_commit(struct rqv_buf *buf, size_t n)
{
    size_t room = buf->cap - buf->end;

    buf->end += n < room ? n : room;
}

int rqv_buf_append(struct rqv_buf *buf, const void *bytes, size_t n)
{
    uint8_t *room;
    int error;

    if (n == 0)
        return 0;
    error = rqv_buf_reserve(buf, n, &room);
    if (error)
        return error;
    if (!room) /* only an empty reservation shows no room; said for the analyzer */
        return -ENOMEM;
    memcpy(room, bytes, n);
    buf->end += n;
    return 0;
}

void rqv_buf_consume(struct rqv_buf *buf, size_t n)
{
    if (n >= rqv_buf_len(buf))
        buf->start = buf->end = 0;
    else
        buf->start += n;
}
