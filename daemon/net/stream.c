/* SPDX-License-Identifier: MIT */
/*
 * stream - the socket, its readiness, and plain bytes. TLS is in stream_tls.c.
 *
 *   want (the owner's)  + out waits -> WRITE   = what the loop watches
 *   ready above the kernel (stash, decrypted)  = READ by a task of the next turn
 *
 * Each direction keeps its own end: after EPIPE on writing, the answer that the server sent before can still
 * be read.
 */
#include "daemon/net/stream.h"

#include "daemon/net/stream_internal.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int stream_code_of(int sys_errno)
{
    return sys_errno == ENOMEM ? -ENOMEM : REQIVO_E_RESET;
}

/* ---- readiness ---- */

static bool ready_above(const struct stream *stream)
{
    return stream->ssl && stream->handshaken && stream_tls_ready(stream);
}

void stream_arm(struct stream *stream)
{
    unsigned events = stream->want;

    if (rqv_buf_len(&stream->out))
        events |= LOOP_WRITE;
    loop_io_set(&stream->io, events);
    if ((stream->want & LOOP_READ) && ready_above(stream))
        loop_task_queue(stream->loop, &stream->task, LOOP_WORK);
}

static void on_task(void *owner)
{
    struct stream *stream = owner;

    if ((stream->want & LOOP_READ) && ready_above(stream))
        stream->fn(stream->owner, LOOP_READ);
}

static void on_io(void *owner, unsigned events)
{
    struct stream *stream = owner;

    if ((events & LOOP_WRITE) && rqv_buf_len(&stream->out)) {
        stream_flush(stream);
        stream_arm(stream);
        if (rqv_buf_len(&stream->out))
            events &= ~LOOP_WRITE;
    }
    events &= stream->want;
    if (events)
        stream->fn(stream->owner, events); /* may free the stream */
}

static void nobody(void *owner, unsigned events)
{
    (void)owner;
    (void)events;
}

/* ---- making and ending ---- */

int stream_new(struct loop *loop, int fd, SSL *ssl, struct stream **ret_stream)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return -ENOMEM;
    stream->loop = loop;
    stream->fd = fd;
    stream->fn = nobody;
    rqv_buf_init(&stream->out, STREAM_OUT_MAX);
    rqv_buf_init(&stream->stash, LOOP_SCRATCH);
    if (ssl && stream_tls_attach(stream, ssl) != 0) {
        free(stream);
        return -ENOMEM;
    }
    stream->handshaken = !ssl || SSL_is_init_finished(ssl);
    loop_io_init(&stream->io, loop, on_io, stream);
    loop_task_init(&stream->task, on_task, stream);
    loop_io_start(&stream->io, fd, 0);
    *ret_stream = stream;
    return 0;
}

void stream_set_account(struct stream *stream, struct account *account)
{
    stream->account = account;
}

/* ---- what is kept, and charged ---- */

static void recharge(struct stream *stream)
{
    size_t now = stream->out.cap + stream->stash.cap;

    if (stream->account && now < stream->charged)
        account_refund(stream->account, ACCOUNT_MEMORY, stream->charged - now);
    if (now < stream->charged)
        stream->charged = now;
}

int stream_keep(struct stream *stream, struct rqv_buf *buf, const void *bytes, size_t n)
{
    size_t need = rqv_buf_len(buf) + n;
    int rc = 0;

    if (n > buf->cap - buf->end) {
        /* A buffer doubles: the most that it may take is charged, then what it did not take is given back. */
        size_t most = 2 * (need > buf->cap ? need : buf->cap) + 4096;
        if (stream->account)
            rc = account_charge(stream->account, ACCOUNT_MEMORY, most);
        if (rc != 0)
            return rc;
        stream->charged += most;
    }
    rc = rqv_buf_append(buf, bytes, n);
    recharge(stream);
    return rc;
}

void stream_unkeep(struct stream *stream, struct rqv_buf *buf)
{
    rqv_buf_shrink(buf);
    recharge(stream);
}

/* Bytes that the server does not take would keep a closed socket alive in the kernel for minutes, and a
 * request that was given up must not look like one that ended: the connection is reset. */
static void stream_reset_unsent(const struct stream *stream)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    int unsent = 0;

    if (ioctl(stream->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0)
        (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void stream_free(struct stream **ref)
{
    struct stream *stream = *ref;

    *ref = NULL;
    if (!stream)
        return;
    stream_reset_unsent(stream);
    if (stream->ssl)
        stream_tls_close(stream);
    loop_io_stop(&stream->io);
    loop_task_drop(&stream->task);
    close(stream->fd);
    rqv_buf_done(&stream->out);
    rqv_buf_done(&stream->stash);
    recharge(stream);
    free(stream);
}

void stream_set_owner(struct stream *stream, stream_fn fn, void *owner)
{
    stream->fn = fn ? fn : nobody;
    stream->owner = owner;
}

void stream_want(struct stream *stream, unsigned events)
{
    stream->want = events;
    stream_arm(stream);
}

/* ---- writing ---- */

size_t stream_send(struct stream *stream, const uint8_t *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(stream->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
            if (len) /* the socket's buffer is full: asking again would only say so */
                break;
        } else if (errno != EINTR) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                stream->sys_errno = errno;
                stream->write_code = stream_code_of(errno);
            }
            break;
        }
    }
    return len;
}

void stream_flush(struct stream *stream)
{
    size_t len = rqv_buf_len(&stream->out);
    size_t left;

    if (!len)
        return;
    left = stream_send(stream, rqv_buf_head(&stream->out), len);
    if (stream->write_code)
        left = 0; /* nobody will take the rest */
    rqv_buf_consume(&stream->out, len - left);
    if (!left)
        stream_unkeep(stream, &stream->out);
}

static long plain_write(struct stream *stream, const struct iovec *iov, int count)
{
    struct msghdr msg;
    ssize_t n;

    memset(&msg, 0, sizeof(msg));
    msg.msg_iov = (struct iovec *)(uintptr_t)iov; /* sendmsg does not write to it */
    msg.msg_iovlen = (size_t)count;
    do /* send() is the cheaper call */
        n = count == 1 ? send(stream->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                       : sendmsg(stream->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return -EAGAIN;
    stream->sys_errno = errno;
    stream->write_code = stream_code_of(errno);
    return stream->write_code;
}

long stream_write(struct stream *stream, const struct iovec *iov, int count)
{
    if (rqv_buf_len(&stream->out)) {
        stream_flush(stream);
        stream_arm(stream);
    }
    if (stream->write_code)
        return stream->write_code;
    if (rqv_buf_len(&stream->out))
        return -EAGAIN;
    return stream->ssl ? stream_tls_write(stream, iov, count) : plain_write(stream, iov, count);
}

/* ---- reading ---- */

static long plain_read(struct stream *stream, uint8_t *out, size_t size, bool *ret_more)
{
    ssize_t n;

    do
        n = recv(stream->fd, out, size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        *ret_more = (size_t)n == size; /* a short read has emptied the socket */
        return n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return -EAGAIN;
    if (n < 0)
        stream->sys_errno = errno;
    stream->read_code = n < 0 ? stream_code_of(errno) : STREAM_EOF;
    return n < 0 ? stream->read_code : 0;
}

long stream_read(struct stream *stream, uint8_t *out, size_t size, bool *ret_more)
{
    bool more = false;
    long n;

    if (stream->read_code) {
        stream->told = true;
        n = stream->read_code == STREAM_EOF ? 0 : stream->read_code;
    } else {
        n = stream->ssl ? stream_tls_read(stream, out, size, &more) : plain_read(stream, out, size, &more);
    }
    *ret_more = more;
    return n;
}

/* ---- what can be asked ---- */

bool stream_write_pending(const struct stream *stream)
{
    return rqv_buf_len(&stream->out) != 0;
}

bool stream_read_pending(const struct stream *stream)
{
    return stream->ssl && stream_tls_pending(stream);
}

int stream_errno(const struct stream *stream)
{
    return stream->sys_errno;
}

bool stream_is_tls(const struct stream *stream)
{
    return stream->ssl != NULL;
}

SSL *stream_ssl(struct stream *stream)
{
    return stream->ssl;
}

int stream_fd(const struct stream *stream)
{
    return stream->fd;
}

int stream_peek(const struct stream *stream)
{
    uint8_t byte;
    ssize_t n;

    do
        n = recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : 1;
}
