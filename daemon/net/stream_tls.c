/* SPDX-License-Identifier: MIT */
/*
 * stream_tls - records between the socket and OpenSSL.
 *
 * OpenSSL without read-ahead asks for 5 bytes, then for the record's body: two recv for each record. With its
 * own read-ahead it keeps 64 KiB a connection. So its BIO reads from the loop's block 0, which one recv
 * fills; what is left when the caller's block is full goes to the stash. The recv asks for little more than
 * the caller has room for, so the stash stays small.
 *
 *   one record:   [type version length(2)] [body ...]     followed here byte by byte, to know whether OpenSSL
 * sits between two
 *
 * Writing: BIO_write puts sealed records side by side into block 0, and one send takes them all.
 * RFC 8446 5.1, 6.1; RFC 5246 6.2, 7.2.1.
 */
#include "daemon/net/stream_internal.h"
#include "daemon/net/tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl3.h>
#include <string.h>
#include <sys/socket.h>

#define RECV_EXTRA 2048 /* headers and tags of what fills 64 KiB, and the ticket or two before it */

/* ---- the BIO ---- */

/* Where in the record layer OpenSSL is after it took these bytes. */
static void follow_records(struct stream *stream, const uint8_t *bytes, size_t len)
{
    while (len) {
        size_t n;

        if (stream->body_left) {
            n = len < stream->body_left ? len : stream->body_left;
            stream->body_left -= (uint32_t)n;
        } else {
            n = sizeof(stream->header) - stream->header_len;
            if (n > len)
                n = len;
            memcpy(stream->header + stream->header_len, bytes, n);
            stream->header_len = (uint8_t)(stream->header_len + n);
            if (stream->header_len == sizeof(stream->header)) {
                stream->body_left = (uint32_t)stream->header[3] << 8 | stream->header[4];
                stream->header_len = 0;
            }
        }
        bytes += n;
        len -= n;
    }
}

/* One recv into the loop's block. */
static void receive(struct stream *stream)
{
    uint8_t *block = loop_scratch(stream->loop, 0);
    size_t max = stream->recv_max;
    ssize_t n;

    do
        n = recv(stream->fd, block, max, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        stream->in = block;
        stream->in_len = (size_t)n;
        stream->received = true;
        stream->drained = (size_t)n < max;
        return;
    }
    stream->drained = true;
    if (n == 0) {
        stream->got_fin = true;
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        stream->sys_errno = errno;
        stream->read_code = stream_code_of(errno);
    }
}

static size_t take_in(struct stream *stream, uint8_t *out, size_t size)
{
    bool stashed = rqv_buf_len(&stream->stash) != 0;
    const uint8_t *from = stashed ? rqv_buf_head(&stream->stash) : stream->in;
    size_t have = stashed ? rqv_buf_len(&stream->stash) : stream->in_len;
    size_t n = size < have ? size : have;

    memcpy(out, from, n);
    follow_records(stream, from, n);
    if (stashed) {
        rqv_buf_consume(&stream->stash, n);
    } else {
        stream->in += n;
        stream->in_len -= n;
    }
    return n;
}

static int bio_read(BIO *bio, char *out, int size)
{
    struct stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    /* A flood must end inside the one SSL_read that swallows it: a block holds thousands of key updates. */
    if (tls_ssl_flooded(stream->ssl))
        return -1;
    if (!rqv_buf_len(&stream->stash) && !stream->in_len) {
        if (!stream->drained && !stream->read_code && stream->recv_max)
            receive(stream);
        if (!stream->in_len) {
            if (stream->got_fin)
                return 0;
            if (!stream->read_code)
                BIO_set_retry_read(bio);
            return -1;
        }
    }
    return (int)take_in(stream, (uint8_t *)out, (size_t)size);
}

/* Takes all or fails: stream_write never seals more than fits, and an answer to the server finds room in
 * `out` or ends. */
static int bio_write(BIO *bio, const char *bytes, int len)
{
    struct stream *stream = BIO_get_data(bio);
    int rc;

    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if (stream->seal) {
        if ((size_t)len > STREAM_SEALED_MAX - stream->seal_len)
            return -1;
        memcpy(stream->seal + stream->seal_len, bytes, (size_t)len);
        stream->seal_len += (size_t)len;
        return len;
    }
    rc = stream_keep(stream, &stream->out, bytes, (size_t)len);
    if (rc)
        tls_conn_refuse(tls_conn_of(stream->ssl), rc, "no memory is left for an answer to the server");
    return rc ? -1 : len;
}

static long bio_ctrl(BIO *bio, int cmd, long number, void *pointer)
{
    const struct stream *stream = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (cmd) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    case BIO_CTRL_EOF:
        return stream && stream->got_fin;
    default:
        return 0;
    }
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *stream_bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "reqivo stream");

    if (!method)
        return NULL;
    if (!BIO_meth_set_read(method, bio_read) || !BIO_meth_set_write(method, bio_write) ||
        !BIO_meth_set_ctrl(method, bio_ctrl) || !BIO_meth_set_create(method, bio_create)) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

int stream_tls_attach(struct stream *stream, SSL *ssl)
{
    BIO *bio = BIO_new(tls_conn_of(ssl)->tls->bio);

    if (!bio)
        return -ENOMEM;
    BIO_set_data(bio, stream);
    SSL_set_bio(ssl, bio, bio);
    stream->ssl = ssl;
    return 0;
}

/* ---- one call into OpenSSL ---- */

static void call_begin(struct stream *stream)
{
    stream->recv_max = LOOP_SCRATCH;
    stream->received = stream->drained = false;
    stream->in_len = 0;
    ERR_clear_error();
}

/* The block is the loop's: what OpenSSL has not taken moves out of it. */
static int call_end(struct stream *stream)
{
    int rc = 0;

    if (stream->in_len)
        rc = stream_keep(stream, &stream->stash, stream->in, stream->in_len);
    else if (!rqv_buf_len(&stream->stash))
        stream_unkeep(stream, &stream->stash);
    stream->in = NULL;
    stream->in_len = 0;
    stream->recv_max = 0;
    stream_flush(stream);
    return rc;
}

/* What a failed SSL_read or SSL_write meant. 0: nothing yet. */
static int failure(struct stream *stream, int result)
{
    int error = SSL_get_error(stream->ssl, result);

    if (stream->read_code) /* the socket's own word */
        return stream->read_code;
    switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_EOF;
    default:
        return stream->got_fin && !tls_ssl_flooded(stream->ssl) ? REQIVO_E_TRUNCATED : REQIVO_E_TLS_PROTOCOL;
    }
}

/* Application data records that OpenSSL has seen whole. TLS 1.2 counts them by their headers, so one may be
 * under way. */
static unsigned whole_records(const struct stream *stream)
{
    unsigned count = tls_conn_of(stream->ssl)->data_records;

    if (count && stream->body_left && stream->header[0] == SSL3_RT_APPLICATION_DATA &&
        SSL_version(stream->ssl) < TLS1_3_VERSION)
        count--;
    return count;
}

/* One SSL_read. security.md B7-5: of the records that came, the one that gave bytes was not empty. */
static int read_once(struct stream *stream, uint8_t *out, size_t room)
{
    unsigned before = whole_records(stream), came, gave;
    int n = SSL_read(stream->ssl, out, room > INT32_MAX ? INT32_MAX : (int)room);

    came = whole_records(stream) - before;
    gave = n > 0;
    if (came > gave)
        tls_conn_of(stream->ssl)->empty_records += came - gave;
    return n;
}

/* ---- reading ---- */

/* How much the next recv may bring. When one has filled the block already, what is left is not worth another.
 */
static size_t next_recv(const struct stream *stream, size_t room)
{
    if (stream->received && room < STREAM_RECORD)
        return 0;
    return room < LOOP_SCRATCH - RECV_EXTRA ? room + RECV_EXTRA : LOOP_SCRATCH;
}

/* A recv that came short has emptied the socket, and OpenSSL holds nothing: asking it again would only say
 * so, at the cost of a tenth of a small response. */
static bool read_is_over(const struct stream *stream)
{
    return stream->drained && !stream->in_len && !rqv_buf_len(&stream->stash) &&
           SSL_pending(stream->ssl) == 0;
}

static size_t read_all(struct stream *stream, uint8_t *out, size_t size, int *ret_code)
{
    size_t got = 0;
    int code = 0;

    while (got < size && !code) {
        int n;

        stream->recv_max = next_recv(stream, size - got);
        n = read_once(stream, out + got, size - got);
        if (n > 0) {
            got += (size_t)n;
        } else {
            code = failure(stream, n);
            if (!code)
                code = tls_ssl_waits(stream->ssl);
            if (!code)
                break;
        }
        if (!code && tls_ssl_flooded(stream->ssl))
            code = REQIVO_E_TLS_PROTOCOL;
        if (read_is_over(stream))
            break;
    }
    *ret_code = code;
    return got;
}

long stream_tls_read(struct stream *stream, uint8_t *out, size_t size, bool *ret_more)
{
    size_t got;
    int code, rc;

    if (size == 0)
        return -EAGAIN;
    call_begin(stream);
    got = read_all(stream, out, size, &code);
    rc = call_end(stream);
    stream->read_code = rc ? rc : code;
    /* An end that came behind bytes is told by the next call. */
    *ret_more = got && (!stream->drained || stream_tls_ready(stream));
    stream->told = stream->read_code && !got;
    stream_arm(stream);
    if (got)
        return (long)got;
    if (stream->read_code)
        return stream->read_code == STREAM_EOF ? 0 : stream->read_code;
    return -EAGAIN;
}

bool stream_tls_ready(const struct stream *stream)
{
    if (stream->read_code)
        return !stream->told;
    return rqv_buf_len(&stream->stash) || SSL_pending(stream->ssl) > 0;
}

bool stream_tls_pending(const struct stream *stream)
{
    return rqv_buf_len(&stream->stash) || stream->header_len || stream->body_left ||
           SSL_has_pending(stream->ssl);
}

/* ---- writing ---- */

/* The next run of bytes for one record: in place when a piece fills it, else gathered. */
static size_t next_run(const struct iovec *iov, int count, size_t skip, uint8_t *gather,
                       const uint8_t **ret_run)
{
    size_t len = 0;

    while (count && skip >= iov->iov_len) {
        skip -= iov->iov_len;
        iov++;
        count--;
    }
    if (!count)
        return 0;
    if (count == 1 || iov->iov_len - skip >= STREAM_RECORD) {
        *ret_run = (const uint8_t *)iov->iov_base + skip;
        len = iov->iov_len - skip;
        return len < STREAM_RECORD ? len : STREAM_RECORD;
    }
    for (; count && len < STREAM_RECORD; iov++, count--, skip = 0) {
        size_t n = iov->iov_len - skip;

        if (n > STREAM_RECORD - len)
            n = STREAM_RECORD - len;
        if (n)
            memcpy(gather + len, (const uint8_t *)iov->iov_base + skip, n);
        len += n;
    }
    *ret_run = gather;
    return len;
}

static void seal_send(struct stream *stream)
{
    size_t left = stream_send(stream, stream->seal, stream->seal_len);

    if (left && !stream->write_code &&
        stream_keep(stream, &stream->out, stream->seal + stream->seal_len - left, left) != 0)
        stream->write_code = -ENOMEM;
    stream->seal = NULL;
    stream->seal_len = 0;
}

long stream_tls_write(struct stream *stream, const struct iovec *iov, int count)
{
    uint8_t *block = loop_scratch(stream->loop, 0);
    const uint8_t *run = NULL;
    size_t taken = 0, len;
    int n = 1;

    ERR_clear_error();
    stream->seal = block;
    stream->seal_len = 0;
    while (taken < STREAM_WRITE_MAX &&
           (len = next_run(iov, count, taken, block + STREAM_GATHER_AT, &run)) != 0) {
        if (len > STREAM_WRITE_MAX - taken)
            len = STREAM_WRITE_MAX - taken;
        n = SSL_write(stream->ssl, run, (int)len);
        if (n <= 0)
            break;
        taken += (size_t)n;
    }
    if (n <= 0 && SSL_get_error(stream->ssl, n) != SSL_ERROR_WANT_READ)
        stream->write_code = REQIVO_E_TLS_PROTOCOL;
    seal_send(stream);
    stream_arm(stream);
    if (taken && stream->write_code != -ENOMEM)
        return (long)taken;
    return stream->write_code ? stream->write_code : -EAGAIN;
}

/* ---- handshake and end ---- */

static int handshake_failed(struct stream *stream, int result, struct rqv_err *err)
{
    int code = failure(stream, result);
    int rc;

    if (stream->sys_errno) {
        ERR_clear_error();
        rc = rqv_err_set(err, REQIVO_E_TLS_HANDSHAKE, REQIVO_PHASE_TLS, "the connection broke: %s",
                         strerrordesc_np(stream->sys_errno));
        err->sys_errno = stream->sys_errno;
    } else if (code == REQIVO_E_TRUNCATED || code == STREAM_EOF) {
        ERR_clear_error();
        rc = rqv_err_set(err, REQIVO_E_TLS_HANDSHAKE, REQIVO_PHASE_TLS, "the server closed the connection");
    } else {
        rc = tls_ssl_error(stream->ssl, REQIVO_PHASE_TLS, err);
    }
    stream->read_code = stream->write_code = rc;
    return rc;
}

int stream_handshake(struct stream *stream, struct rqv_err *err)
{
    int result, rc, error;

    if (!stream->ssl || stream->handshaken)
        return 0;
    if (stream->read_code)
        return rqv_err_set(err, stream->read_code, REQIVO_PHASE_TLS, "the connection is broken");
    call_begin(stream);
    result = SSL_do_handshake(stream->ssl);
    error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(stream->ssl, result);
    rc = call_end(stream); /* an alert leaves too */
    if (rc)
        tls_conn_refuse(tls_conn_of(stream->ssl), rc, "no memory is left for the server's bytes");
    if (result == 1 && rc == 0) {
        stream->handshaken = true;
        stream_want(stream, 0);
        return 0;
    }
    if (rc == 0 && error == SSL_ERROR_WANT_READ && !stream->read_code && !stream->write_code &&
        tls_ssl_waits(stream->ssl) == 0) {
        stream_want(stream, LOOP_READ);
        return -EAGAIN;
    }
    return handshake_failed(stream, result, err);
}

/* close_notify, if it can leave at once: both ends well, nothing of ours waiting. */
void stream_tls_close(struct stream *stream)
{
    bool well = stream->read_code == 0 || stream->read_code == STREAM_EOF;

    if (stream->handshaken && well && !stream->write_code && !rqv_buf_len(&stream->out)) {
        ERR_clear_error();
        SSL_shutdown(stream->ssl);
        stream_flush(stream);
    }
    ERR_clear_error();
    tls_ssl_free(stream->ssl);
    stream->ssl = NULL;
}
