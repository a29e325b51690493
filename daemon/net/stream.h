/* SPDX-License-Identifier: MIT */
/*
 * stream - bytes over one connected socket, plain or TLS, behind one set of verbs.
 *
 * Ciphertext is read through a BIO of ours over scratch block 0 of the loop (large reads, no buffer per
 * connection; what a paused reader leaves is kept in a stash of its own). Records written in one call leave
 * in one send; what the kernel does not take is kept and sent when the socket is writable, before anything
 * else.
 *
 *   truth table of the end:      plain FIN -> 0 (EOF)        TLS close_notify -> 0 (EOF)
 *                                RST -> REQIVO_E_RESET       TLS FIN without close_notify ->
 * REQIVO_E_TRUNCATED
 */
#ifndef DAEMON_NET_STREAM_H
#define DAEMON_NET_STREAM_H

#include "common/addr.h"
#include "common/err.h"
#include "daemon/base/account.h"
#include "daemon/base/loop.h"
#include "daemon/net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct stream;
/* LOOP_READ: stream_read may give bytes, EOF or an error; LOOP_WRITE: stream_write may take bytes. */
typedef void (*stream_fn)(void *owner, unsigned events);

/* Takes the connected non-blocking fd (and ssl, NULL for plain, whose handshake is done or will be done by
 * stream_handshake). -ENOMEM: both stay the caller's. */
int stream_new(struct loop *loop, int fd, SSL *ssl, struct stream **ret_stream);
/* What the stream keeps of either direction is charged to `account`, which outlives it. */
void stream_set_account(struct stream *stream, struct account *account);
void stream_free(struct stream **stream); /* closes the socket (TLS: sends close_notify if it can without
                                             waiting), takes and leaves NULL */
void stream_set_owner(struct stream *stream, stream_fn fn, void *owner);
void stream_want(struct stream *stream, unsigned events); /* which readiness to report; when bytes lie in the
                                                             stash, READ is reported in the next turn */

/* One step of the TLS handshake: 0 done, -EAGAIN (wanted readiness is armed, fn is called), or a code with
 * err filled. */
int stream_handshake(struct stream *stream, struct rqv_err *err);

/* A TLS server may send tickets and key updates at any time: a readable idle connection is asked by reading,
 * -EAGAIN is quiet. > 0 bytes read; 0 end; -EAGAIN; REQIVO_E_RESET, REQIVO_E_TRUNCATED, REQIVO_E_TLS_PROTOCOL
 * (stream_errno tells errno). Reads until `size` or until the socket has given a short read; *ret_more tells
 * whether another call may give more without waiting. */
long stream_read(struct stream *stream, uint8_t *out, size_t size, bool *ret_more);
/* At most 64 KiB a call for TLS. What the kernel does not take of it waits here, 82 KiB at most, and nothing
 * more is taken meanwhile. Bytes taken (> 0), -EAGAIN, or a code as above. */
long stream_write(struct stream *stream, const struct iovec *iov, int count);
bool stream_write_pending(const struct stream *stream); /* ciphertext of ours still waits for the kernel */
bool stream_read_pending(const struct stream *stream); /* a byte is buffered above the kernel, at any layer */
int stream_errno(const struct stream *stream);
bool stream_is_tls(const struct stream *stream);
SSL *stream_ssl(struct stream *stream);
/* The kernel's word, without consuming: 1 bytes or EOF wait in the socket, 0 nothing. For the check at
 * hand-out. */
int stream_peek(const struct stream *stream);
int stream_fd(const struct stream *stream);

#endif
