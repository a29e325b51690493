/* SPDX-License-Identifier: MIT */
/* conn - see conn.h: the bytes of one connection, from the stream's readiness to the events of the lease. */
#include "daemon/upstream/conn.h"

#include "daemon/base/log.h"
#include "daemon/base/overload.h"
#include "daemon/upstream/origins.h"
#include "daemon/upstream/pool.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONN_OUT_MAX 524288 /* a head and what the exchange lets wait; never reached by its own rules */
#define DIRECT_MIN   16384  /* a piece of a body that is not copied into `out` before it is sent */

void conn_isolation(struct conn *conn, const char *what)
{
    struct log_fields fields;

    conn->pool->origins->isolation_violations++;
    log_fields_init(&fields);
    log_field(&fields, "UID", "%u", (unsigned)conn->pool->account->uid);
    log_field(&fields, "ORIGIN", "%s:%u", conn->pool->host, conn->pool->port);
    log_put(LOG_LEVEL_ERROR, LOG_ID_ISOLATION, &fields, "isolation: connection %llu %s",
            (unsigned long long)conn->id, what);
}

static void conn_flush(void *owner);
static bool conn_turn(void *owner);

static void conn_reap(void *owner)
{
    free(owner);
}

int conn_new(struct pool *pool, struct conn **ret_conn)
{
    struct origins *origins = pool->origins;
    struct conn *conn = calloc(1, sizeof *conn + pool->key.len);

    if (!conn)
        return -ENOMEM;
    conn->pool = pool;
    conn->id = ++origins->next_conn_id;
    rqv_list_init(&conn->node);
    rqv_list_init(&conn->unused);
    rqv_list_init(&conn->idle_lru);
    rqv_list_init(&conn->idle_own);
    queue_init(&conn->in, pool->account, LOOP_SCRATCH);
    queue_init(&conn->out, pool->account, CONN_OUT_MAX);
    rqv_http1_init(&conn->decoder, &origins->limits, &origins->fields);
    fair_item_init(&conn->turn, pool->account, conn_turn, conn);
    loop_task_init(&conn->flush, conn_flush, conn);
    loop_task_init(&conn->reap, conn_reap, conn);
    conn->idle_limit_ms = UINT64_MAX;
    conn->key_len = pool->key.len;
    memcpy(conn->key, pool->key.bytes, pool->key.len);
    *ret_conn = conn;
    return 0;
}

void conn_shut(struct conn *conn)
{
    if (conn->dial)
        dial_cancel(&conn->dial);
    if (conn->stream)
        stream_free(&conn->stream);
    queue_done(&conn->in);
    queue_done(&conn->out);
    fair_drop(&conn->turn);
    loop_task_drop(&conn->flush);
    loop_task_queue(conn->pool->origins->loop, &conn->reap, LOOP_FREE);
}

/* ---- idle ---- */

/* A server may send TLS records that are no data (tickets, key updates): they are OpenSSL's. One byte of
 * data, or the end, and the connection is not usable. Nothing is ever parsed here: security.md B4, "bytes
 * arrive while idle". */
bool conn_is_quiet(struct conn *conn)
{
    uint8_t byte;
    bool more;

    if (!stream_is_tls(conn->stream))
        return stream_peek(conn->stream) == 0;
    if (stream_peek(conn->stream) == 0 && !stream_read_pending(conn->stream))
        return true;
    return stream_read(conn->stream, &byte, 1, &more) == -EAGAIN &&
           !tls_ssl_flooded(stream_ssl(conn->stream));
}

/* It is watched while idle, so that the poll of this turn has told what had come until then, and every event
 * is heard before anything is handed out. Or its last response has been read in this very turn, to the last
 * byte that there was; an end right behind it is not seen so, but this server has been seen to go on after a
 * response. What comes later meets a request that is not written yet, or one that has been: no look at the
 * socket can tell these apart, which is why a repeat is allowed for such a request. */
static bool conn_was_quiet(struct conn *conn)
{
    const struct loop *loop = conn->pool->origins->loop;
    bool drained = conn->uses > 1 && conn->drained_turn == loop_turn(loop);

    return conn->ready == 0 && (drained || loop_has_asked(loop, conn->idle_turn));
}

bool conn_is_fit(struct conn *conn, bool ask)
{
    const struct conf *conf = conn->pool->origins->conf;
    uint64_t now = loop_boot_ms(conn->pool->origins->loop);
    uint64_t idle_max = overload_idle_ms(conn->pool->account->all, conf->pool_idle_ms);
    if (idle_max > conn->idle_limit_ms)
        idle_max = conn->idle_limit_ms;

    return conn->uses < conf->pool_uses && now - conn->born_ms < conf->pool_age_ms &&
           now - conn->idle_since_ms < idle_max && queue_len(&conn->in) == 0 && queue_len(&conn->out) == 0 &&
           !stream_write_pending(conn->stream) && ((!ask && conn_was_quiet(conn)) || conn_is_quiet(conn)) &&
           !stream_read_pending(conn->stream);
}

void conn_watch(struct conn *conn)
{
    conn->idle_turn = loop_turn(conn->pool->origins->loop);
    stream_want(conn->stream, LOOP_READ);
}

void conn_expire(struct conn *conn)
{
    fair_queue(&conn->turn); /* with nothing in `ready` */
}

/* ---- errors and ends ---- */

/* Nothing that the socket says is of interest any more, what it has said included. */
static void conn_silence(struct conn *conn)
{
    conn->ready = 0;
    fair_drop(&conn->turn);
    stream_want(conn->stream, 0);
}

static void lease_fail(struct conn *conn, int code, int phase, const char *detail)
{
    struct rqv_err err = {0};

    rqv_err_set(&err, code, phase, "%s", detail);
    err.sys_errno = code == REQIVO_E_RESET ? stream_errno(conn->stream) : 0;
    err.sent = conn->written ? REQIVO_SENT_UNKNOWN : REQIVO_SENT_NO;
    memcpy(err.address, conn->address, sizeof err.address);
    conn->reusable = false;
    conn_silence(conn);
    conn->lease->events->on_error(conn->lease, &err);
}

static int conn_phase(const struct conn *conn)
{
    return conn->decoder.state == RQV_HTTP1_STATE_HEAD ? REQIVO_PHASE_HEAD : REQIVO_PHASE_BODY;
}

/* ---- reading ---- */

/* Hands one event up. False when the lease is no longer this one's, or complete. */
static bool conn_event(struct conn *conn, const struct rqv_http1_event *event)
{
    struct lease *lease = conn->lease;

    switch (event->type) {
    case RQV_HTTP1_INTERIM:
        lease->events->on_interim(lease, event->head.status);
        break;
    case RQV_HTTP1_HEAD:
        if (event->head.keep_alive_timeout >= 0)
            conn->idle_limit_ms = event->head.keep_alive_timeout > 0
                                      ? (uint64_t)(event->head.keep_alive_timeout - 1) * 1000
                                      : 0;
        lease->events->on_head(lease, &event->head);
        break;
    case RQV_HTTP1_BODY:
        lease->events->on_body(lease, event->body, event->body_len,
                               conn->decoder.state == RQV_HTTP1_STATE_END);
        break;
    case RQV_HTTP1_TRAILERS:
        lease->events->on_trailers(lease, event->trailers);
        break;
    case RQV_HTTP1_END:
        conn->ended = true;
        conn->reusable = conn->reusable && event->reusable;
        return false;
    case RQV_HTTP1_NEED:
        return false;
    }
    return conn->lease == lease && conn->state == CONN_LEASED;
}

/* Decodes what is in [bytes, bytes + len). Returns how much was consumed; the lease may be gone afterwards.
 */
static size_t conn_decode(struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct rqv_http1_event event;
    size_t at = 0;

    for (;;) {
        int phase = conn_phase(conn);
        int rc = rqv_http1_decode(&conn->decoder, bytes + at, len - at, &event);
        if (rc < 0) {
            lease_fail(conn, rc, phase, event.why);
            return len;
        }
        at += event.consumed;
        if (!conn_event(conn, &event))
            return at;
    }
}

/* After END: a byte that is left belongs to no request, so the connection ends with this response. */
static void conn_end(struct conn *conn, bool leftover)
{
    if (leftover || queue_len(&conn->out) > 0 || stream_write_pending(conn->stream) || conn->write_failed)
        conn->reusable = false;
    conn_silence(conn);
    conn->lease->events->on_end(conn->lease);
}

static void conn_eof(struct conn *conn, long code)
{
    struct rqv_http1_event event = {0};
    int phase = conn_phase(conn);

    conn->reusable = false;
    if (code < 0 && code != REQIVO_E_TRUNCATED) {
        const char *what = code == REQIVO_E_RESET ? "the connection was reset" : "the TLS connection broke";
        lease_fail(conn, (int)code, phase, what);
        return;
    }
    int rc = rqv_http1_eof(&conn->decoder, &event);
    if (rc == REQIVO_E_EMPTY_RESPONSE && conn->write_failed) {
        lease_fail(conn, REQIVO_E_RESET, REQIVO_PHASE_SEND,
                   "the server closed the connection while the request was sent");
        return;
    }
    if (rc == 0 && code == 0) {
        conn->ended = true;
        conn_end(conn, false);
    } else if (rc == 0) {
        lease_fail(conn, REQIVO_E_TRUNCATED, phase,
                   "the TLS connection ended without close_notify, so the end of the body is not certain");
    } else {
        lease_fail(conn, rc, phase, event.why ? event.why : rqv_err_text(rc));
    }
}

/* Keeps what the decoder could not use yet. */
static void conn_stash(struct conn *conn, const uint8_t *bytes, size_t len, size_t old)
{
    size_t have = queue_len(&conn->in);
    int rc = 0;

    if (old == have && old > 0 && len > old) {
        rc = queue_append(&conn->in, bytes + old, len - old); /* nothing was consumed: only the new bytes */
    } else {
        queue_consume(&conn->in, have);
        if (len > 0)
            rc = queue_append(&conn->in, bytes, len);
    }
    if (rc < 0)
        lease_fail(conn, rc, conn_phase(conn), "no memory for the response head");
}

/* Leased, but not a byte of the request has gone: whatever comes now answers nothing, so it is never parsed
 * (security.md B4, "bytes arrive while idle"). */
static void conn_unasked(struct conn *conn)
{
    uint8_t byte;
    bool more;

    if (stream_read(conn->stream, &byte, 1, &more) != -EAGAIN)
        lease_fail(conn, REQIVO_E_RESET, REQIVO_PHASE_SEND,
                   "the connection was closed before the request was written");
}

static void conn_arm(struct conn *conn)
{
    bool write = !conn->write_failed && (queue_len(&conn->out) > 0 || stream_write_pending(conn->stream));

    stream_want(conn->stream, (conn->paused ? 0 : LOOP_READ) | (write ? LOOP_WRITE : 0));
}

/* One read, and everything that it completes. */
static void conn_readable(struct conn *conn)
{
    struct lease *lease = conn->lease;
    uint8_t *bytes = loop_scratch(conn->pool->origins->loop, 1);
    size_t have = queue_len(&conn->in);
    size_t size = LOOP_SCRATCH - have;
    size_t window = lease->events->window(lease);
    bool more = false;

    if (window == 0) {
        conn->paused = true;
        conn_arm(conn);
        return;
    }
    if (size > window)
        size = window;
    if (have > 0)
        memcpy(bytes, rqv_buf_head(&conn->in.buf), have);
    long n = stream_read(conn->stream, bytes + have, size, &more);
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        conn_eof(conn, n);
        return;
    }
    size_t len = have + (size_t)n;
    size_t used = conn_decode(conn, bytes, len);
    if (conn->lease != lease || conn->state != CONN_LEASED)
        return;
    if (conn->ended) {
        queue_consume(&conn->in, have); /* what came before this read, of which nothing may be left */
        if (!more)
            conn->drained_turn = loop_turn(conn->pool->origins->loop);
        conn_end(conn, used < len || stream_read_pending(conn->stream));
    } else if (conn->decoder.state != RQV_HTTP1_STATE_FAILED)
        conn_stash(conn, bytes + used, len - used, used == 0 ? have : SIZE_MAX);
}

/* ---- writing ---- */

static void conn_write_broke(struct conn *conn, int code)
{
    /* The server may have answered before it stopped reading: its answer decides, or the end of the stream
     * does. */
    conn->write_failed = true;
    conn->reusable = false;
    queue_consume(&conn->out, queue_len(&conn->out));
    if (!conn->written) {
        lease_fail(conn, code, REQIVO_PHASE_SEND, "the connection was closed before the request was written");
        return;
    }
    conn_arm(conn);
}

static void conn_flush(void *owner)
{
    struct conn *conn = owner;
    bool went = false;

    if (conn->state != CONN_LEASED || conn->write_failed)
        return;
    /* First write: the key of the request against that of the connection, once more. */
    if (!conn->written && (conn->lease->key.len != conn->key_len ||
                           memcmp(conn->lease->key.bytes, conn->key, conn->key_len) != 0)) {
        conn_isolation(conn, "was about to be sent a request of another key");
        lease_fail(conn, REQIVO_E_INTERNAL, REQIVO_PHASE_SEND, "isolation: the pool keys differ");
        return;
    }
    while (queue_len(&conn->out) > 0 || stream_write_pending(conn->stream)) {
        struct iovec iov = {queue_len(&conn->out) > 0 ? rqv_buf_head(&conn->out.buf) : NULL,
                            queue_len(&conn->out)};
        long n = stream_write(conn->stream, &iov, 1);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            conn_write_broke(conn, (int)n);
            return;
        }
        conn->written = went = true;
        queue_consume(&conn->out, (size_t)n);
    }
    conn_arm(conn);
    /* A part is progress too: a slow server that takes bytes does not stall. */
    if (went || lease_unsent(conn->lease) == 0)
        conn->lease->events->on_written(conn->lease);
}

/* ---- readiness ---- */

static void conn_ready(void *owner, unsigned events)
{
    struct conn *conn = owner;

    conn->ready |= events;
    fair_serve(&conn->turn);
}

static void conn_turn_idle(struct conn *conn, unsigned events)
{
    if (events != 0 && stream_is_tls(conn->stream) && conn_is_quiet(conn))
        return;
    log_debug("connection %llu to %s %s", (unsigned long long)conn->id, conn->address,
              events != 0 ? "ended while idle" : "is too old");
    pool_close_conn(conn);
}

/* What the kernel still has makes the socket ready at the next poll, so there is never more to ask for. */
static bool conn_turn(void *owner)
{
    struct conn *conn = owner;
    unsigned events = conn->ready;

    conn->ready = 0;
    if (conn->state == CONN_IDLE)
        conn_turn_idle(conn, events);
    if (conn->state == CONN_LEASED && (events & LOOP_READ)) {
        if (conn->written)
            conn_readable(conn);
        else
            conn_unasked(conn);
    }
    if (conn->state == CONN_LEASED && (events & LOOP_WRITE))
        conn_flush(conn);
    return false;
}

void conn_attach(struct conn *conn, struct dial_result *result)
{
    struct loop *loop = conn->pool->origins->loop;

    conn->dial = NULL;
    conn->stream = result->stream;
    result->stream = NULL;
    conn->dns_us = result->dns_us;
    conn->connect_us = result->connect_us;
    conn->tls_us = result->tls_us;
    memcpy(conn->address, result->address, sizeof conn->address);
    conn->is_public = rqv_addr_zone(&result->addr) == RQV_ZONE_PUBLIC;
    conn->born_ms = conn->idle_since_ms = loop_boot_ms(loop);
    stream_set_owner(conn->stream, conn_ready, conn);
}

int conn_lease(struct conn *conn, struct lease *lease)
{
    if (lease->key.len != conn->key_len || memcmp(lease->key.bytes, conn->key, conn->key_len) != 0) {
        conn_isolation(conn, "was about to serve a request of another key");
        return REQIVO_E_INTERNAL;
    }
    conn->lease = lease;
    lease->conn = conn;
    lease->conn_id = conn->id;
    conn->uses++;
    conn->written = conn->write_failed = conn->ended = conn->paused = false;
    conn->reusable = true;
    conn->idle_limit_ms = UINT64_MAX;
    return 0;
}

/* ---- verbs ---- */

int lease_send_head(struct lease *lease, struct rqv_str head, bool is_head_method)
{
    struct conn *conn = lease->conn;
    struct rqv_http1_request_info info = {.is_head = is_head_method};
    int rc = queue_append(&conn->out, head.ptr, head.len);

    if (rc < 0)
        return rc;
    rqv_http1_begin(&conn->decoder, &info);
    stream_want(conn->stream, LOOP_READ);
    loop_task_queue(conn->pool->origins->loop, &conn->flush, LOOP_FLUSH_UPSTREAM);
    return 0;
}

/* A piece of a body and what frames it. */
struct pieces {
    struct iovec iov[4];
    int first, count;
};

static void pieces_add(struct pieces *pieces, const void *bytes, size_t len)
{
    pieces->iov[pieces->count++] = (struct iovec){(void *)(uintptr_t)bytes, len};
}

static void pieces_skip(struct pieces *pieces, size_t n)
{
    while (n > 0 && pieces->first < pieces->count) {
        struct iovec *iov = &pieces->iov[pieces->first];
        size_t gone = n < iov->iov_len ? n : iov->iov_len;

        *iov = (struct iovec){(uint8_t *)iov->iov_base + gone, iov->iov_len - gone};
        pieces->first += iov->iov_len == 0;
        n -= gone;
    }
}

/* From where they lie. Left are those that the kernel does not take; an error comes again in the flush. */
static void pieces_write(struct pieces *pieces, struct stream *stream)
{
    long n = 1;

    while (n > 0 && pieces->first < pieces->count) {
        n = stream_write(stream, pieces->iov + pieces->first, pieces->count - pieces->first);
        pieces_skip(pieces, n > 0 ? (size_t)n : 0);
    }
}

static int pieces_queue(const struct pieces *pieces, struct queue *out)
{
    size_t total = 0;

    for (int i = pieces->first; i < pieces->count; i++)
        total += pieces->iov[i].iov_len;
    int rc = queue_reserve(out, total);
    for (int i = pieces->first; rc == 0 && i < pieces->count; i++)
        rc = queue_append(out, pieces->iov[i].iov_base, pieces->iov[i].iov_len);
    return rc;
}

int lease_send_body(struct lease *lease, struct rqv_str bytes, bool chunked, bool last)
{
    struct conn *conn = lease->conn;
    uint8_t head[RQV_HTTP1_CHUNK_HEAD_MAX];
    struct pieces pieces = {0};

    if (conn->write_failed)
        return 0;
    if (bytes.len > 0) {
        if (chunked)
            pieces_add(&pieces, head, rqv_http1_encode_chunk_head(bytes.len, head));
        pieces_add(&pieces, bytes.ptr, bytes.len);
        if (chunked)
            pieces_add(&pieces, RQV_HTTP1_CHUNK_END.ptr, RQV_HTTP1_CHUNK_END.len);
    }
    if (chunked && last)
        pieces_add(&pieces, RQV_HTTP1_LAST_CHUNK.ptr, RQV_HTTP1_LAST_CHUNK.len);
    if (bytes.len >= DIRECT_MIN && conn->written && lease_unsent(lease) == 0)
        pieces_write(&pieces, conn->stream);
    int rc = pieces_queue(&pieces, &conn->out);
    if (rc == 0)
        loop_task_queue(conn->pool->origins->loop, &conn->flush, LOOP_FLUSH_UPSTREAM);
    return rc;
}

size_t lease_unsent(const struct lease *lease)
{
    return queue_len(&lease->conn->out) + (stream_write_pending(lease->conn->stream) ? 1 : 0);
}

void lease_stop_sending(struct lease *lease)
{
    struct conn *conn = lease->conn;

    queue_consume(&conn->out, queue_len(&conn->out));
    conn->write_failed = true;
    conn->reusable = false;
    conn_arm(conn); /* a writable socket is of no interest any more */
}

void lease_want(struct lease *lease)
{
    struct conn *conn = lease->conn;

    if (!conn->paused || conn->ended)
        return;
    conn->paused = false;
    conn_arm(conn);
}

bool lease_seen(const struct lease *lease)
{
    return lease->conn->written && rqv_http1_seen(&lease->conn->decoder);
}

bool lease_written(const struct lease *lease)
{
    return lease->conn->written;
}

bool lease_reused(const struct lease *lease)
{
    return lease->conn->uses > 1;
}

void lease_spoil(struct lease *lease)
{
    struct conn *conn = lease->conn;

    if (conn->home)
        conn->bound = true;
    else
        conn->reusable = false;
}
