/* SPDX-License-Identifier: MIT */
/*
 * stream_internal - the object that stream.c (socket, readiness, plain bytes) and stream_tls.c (records)
 * share.
 *
 *   socket --recv--> scratch block 0 --BIO--> OpenSSL --> the caller's block
 *                       \-- left over --> stash, served first next time
 *   caller's bytes --> OpenSSL --BIO--> scratch block 0 --one send--> socket
 *                                          \-- not taken --> out, sent first next time
 */
#ifndef DAEMON_NET_STREAM_INTERNAL_H
#define DAEMON_NET_STREAM_INTERNAL_H

#include "common/buf.h"
#include "daemon/base/account.h"
#include "daemon/base/loop.h"
#include "daemon/net/stream.h"

/* Plaintext taken in one call, and what becomes of it at most: a record holds 16 KiB and adds less than 256
 * bytes. */
#define STREAM_WRITE_MAX  65536
#define STREAM_RECORD     16384
#define STREAM_SEALED_MAX (STREAM_WRITE_MAX + 8 * 256)
/* Small pieces are gathered behind the sealed bytes, into whole records. */
#define STREAM_GATHER_AT (LOOP_SCRATCH - STREAM_RECORD)
/* Sealed bytes that wait for the kernel: one call's, and answers to key updates. */
#define STREAM_OUT_MAX (STREAM_SEALED_MAX + 16384)

struct stream {
    struct loop *loop;
    struct loop_io io;
    struct loop_task task; /* reports READ for bytes that the kernel does not know of */
    SSL *ssl;
    stream_fn fn;
    void *owner;
    unsigned want;
    int fd;
    int read_code, write_code; /* the end of each direction, once known; 0: open, STREAM_EOF: ended well */
    int sys_errno;
    bool handshaken;
    bool told;               /* read_code has been returned */
    struct account *account; /* borrowed; NULL: uncharged */
    size_t charged;          /* the capacities of out and stash */
    struct rqv_buf out;

    /* TLS: where BIO_read takes from, during one call */
    const uint8_t *in;
    size_t in_len;
    size_t recv_max; /* most that the next recv may bring, 0: none in this call */
    bool received;   /* a recv of this call brought something */
    bool drained;    /* the last one was short */
    bool got_fin;
    struct rqv_buf stash;
    uint8_t header[5]; /* of the record under way: how far OpenSSL is in the record layer */
    uint8_t header_len;
    uint32_t body_left;
    /* TLS: where BIO_write puts, during stream_write; NULL: into out */
    uint8_t *seal;
    size_t seal_len;
};

#define STREAM_EOF 1

/* Sends bytes until they are gone or the kernel takes no more: how many left; a failure is kept in
 * write_code. */
size_t stream_send(struct stream *stream, const uint8_t *bytes, size_t len);
void stream_flush(struct stream *stream);
void stream_arm(struct stream *stream);
int stream_code_of(int sys_errno);

/* stream_tls.c */
int stream_tls_attach(struct stream *stream, SSL *ssl);
long stream_tls_read(struct stream *stream, uint8_t *out, size_t size, bool *ret_more);
long stream_tls_write(struct stream *stream, const struct iovec *iov, int count);
void stream_tls_close(struct stream *stream);
bool stream_tls_ready(const struct stream *stream); /* SSL_read would give bytes without the kernel */
bool stream_tls_pending(
    const struct stream *stream); /* any byte is above the kernel, a part of a record included */

/* Appends to out or stash; the account is charged before the buffer grows. */
int stream_keep(struct stream *stream, struct rqv_buf *buf, const void *bytes, size_t n);
void stream_unkeep(struct stream *stream,
                   struct rqv_buf *buf); /* frees an empty buffer, gives its charge back */

#endif
