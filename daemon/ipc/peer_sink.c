/* SPDX-License-Identifier: MIT */
/* peer_sink - what an exchange gives to its program, as frames. */
#include "daemon/ipc/peer.h"

#include "common/uninit.h"
#include "daemon/ipc/report.h"
#include "daemon/ipc/trusts.h"

#include <reqivo/error.h>

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define LONG_BODY  65536 /* from here on, reads are as long as the kernel takes them for the program */
#define DIRECT_MIN 16384 /* a piece of body at least this long goes to the kernel from where it was read */

static int sink_trust(struct exchange *x, uint64_t trust_id, struct trust **ret_trust, struct rqv_err *err)
{
    return trusts_get(x->owner, trust_id, ret_trust, err);
}

static int sink_begun(struct exchange *x)
{
    struct peer *peer = x->owner;

    if (!x->begun_queued) {
        int rc = peer_room(peer, RQV_WIRE_HEADER);
        if (rc == 0)
            rc = rqv_wire_encode_empty(&peer->out.buf, RQV_WIRE_BEGUN, x->id);
        if (rc < 0)
            return rc;
        x->begun_queued = true;
    }
    if (peer_flush_now(peer))
        return 0;
    peer->stalled = true;
    return -EAGAIN;
}

static int sink_head(struct exchange *x, const struct rqv_response_head *head)
{
    struct peer *peer = x->owner;
    size_t size = 512 + head->reason.len + head->address.len;

    for (size_t i = 0; i < head->fields.count; i++)
        size += 4 + head->fields.at[i].name.len + head->fields.at[i].value.len;
    int rc = peer_room(peer, size);
    return rc < 0 ? rc
                  : rqv_wire_encode_response(&peer->out.buf, x->id, x->hopping ? RQV_FLAG_MORE : 0, head);
}

/* ---- bodies: frames around bytes that stay where they were read ---- */

#define PIECES      (LOOP_SCRATCH / RQV_WIRE_PAYLOAD_MAX + 1)
#define CLOSING_MAX (RQV_WIRE_HEADER + RQV_WIRE_DONE_MAX)

/* One sendmsg: what waits in `out`, the body in frames, and DONE, which stands in `out` behind what waits. */
struct gather {
    uint8_t heads[PIECES][RQV_WIRE_HEADER];
    struct iovec iov[2 * PIECES + 2];
    size_t count, total;
};

static void gather_add(struct gather *gather, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    gather->iov[gather->count++] = (struct iovec){(void *)(uintptr_t)bytes, len};
    gather->total += len;
}

static void gather_body(struct gather *gather, uint64_t id, const uint8_t *bytes, size_t len)
{
    for (size_t piece = 0; len > 0; piece++) {
        size_t n = len < RQV_WIRE_PAYLOAD_MAX ? len : RQV_WIRE_PAYLOAD_MAX;
        struct rqv_frame_header header = {.length = (uint32_t)n, .type = RQV_WIRE_DATA, .id = id};

        rqv_wire_put_header(gather->heads[piece], &header);
        gather_add(gather, gather->heads[piece], RQV_WIRE_HEADER);
        gather_add(gather, bytes, n);
        bytes += n;
        len -= n;
    }
}

/* What the kernel did not take, into `out` in its order: half a frame is out, the other half is owed. */
static int gather_keep(const struct gather *gather, struct queue *out, size_t sent)
{
    int rc = 0;

    for (size_t i = 0; i < gather->count && rc == 0; i++) {
        const struct iovec *piece = &gather->iov[i];
        size_t gone = sent < piece->iov_len ? sent : piece->iov_len;

        sent -= gone;
        rc = queue_append_owed(out, (const uint8_t *)piece->iov_base + gone, piece->iov_len - gone);
    }
    return rc;
}

/* Sends the first `before` bytes of `out`, the body, and the rest of `out` (a DONE, if anything) in one call.
 */
static int send_direct(struct peer *peer, uint64_t id, const struct ipc_held *body)
{
    struct gather gather RQV_UNINIT;
    uint8_t closing[CLOSING_MAX] RQV_UNINIT;
    size_t before = body->before, closing_len = queue_len(&peer->out) - before;

    gather.count = gather.total = 0;
    if (closing_len > 0) { /* it has to be out of the way of a body that is queued */
        memcpy(closing, rqv_buf_head(&peer->out.buf) + before, closing_len);
        queue_drop_end(&peer->out, closing_len);
    }
    gather_add(&gather, before > 0 ? rqv_buf_head(&peer->out.buf) : NULL, before);
    gather_body(&gather, id, body->bytes, body->len);
    gather_add(&gather, closing, closing_len);
    struct msghdr msg = {.msg_iov = gather.iov, .msg_iovlen = gather.count};
    ssize_t n = sendmsg(peer->io.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    size_t sent = n > 0 ? (size_t)n : 0;
    int rc = 0;

    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        peer->broken = true;
    if (sent < gather.total) {
        peer->write_blocked = true;
        size_t of_out = sent < before ? sent : before;
        if (before > 0) { /* stays where it is */
            gather.iov[0].iov_len = of_out;
            rc = queue_reserve_owed(&peer->out, gather.total - before);
        }
        if (rc == 0)
            rc = gather_keep(&gather, &peer->out, sent);
        before = of_out;
    }
    queue_consume(&peer->out, before);
    if (rc < 0)
        peer->broken = true; /* half a frame is out: nothing can follow */
    return rc;
}

static int queue_body(struct peer *peer, uint64_t id, const uint8_t *bytes, size_t len)
{
    int rc = 0;

    while (len > 0 && rc == 0) {
        struct rqv_str piece = {(const char *)bytes, len < RQV_WIRE_PAYLOAD_MAX ? len : RQV_WIRE_PAYLOAD_MAX};

        rc = peer_room(peer, RQV_WIRE_HEADER + piece.len);
        if (rc == 0)
            rc = rqv_wire_encode_data(&peer->out.buf, id, 0, piece);
        bytes += piece.len;
        len -= piece.len;
    }
    return rc;
}

static int sink_data(struct exchange *x, const uint8_t *bytes, size_t len, bool last)
{
    struct peer *peer = x->owner;
    struct ipc_held body = {x, bytes, len, queue_len(&peer->out)};

    if (len < DIRECT_MIN || len > LOOP_SCRATCH || peer->write_blocked || peer->broken)
        return queue_body(peer, x->id, bytes, len);
    int rc = peer_room(peer, 0);
    if (rc < 0)
        return rc;
    if (!last)
        return send_direct(peer, x->id, &body);
    peer->ipc->held = body;
    return 0;
}

static int sink_trailers(struct exchange *x, const struct rqv_fields *fields)
{
    struct peer *peer = x->owner;
    size_t size = 256;

    if (!peer->takes_trailers)
        return 0;
    for (size_t i = 0; i < fields->count; i++)
        size += 4 + fields->at[i].name.len + fields->at[i].value.len;
    int rc = peer_room(peer, size);
    return rc < 0 ? rc : rqv_wire_encode_trailers(&peer->out.buf, x->id, fields);
}

static int sink_hop(struct exchange *x, const struct rqv_hop *hop)
{
    struct peer *peer = x->owner;
    size_t size = 256 + hop->method.len + hop->url.len;

    for (size_t i = 0; i < hop->fields.count; i++)
        size += 4 + hop->fields.at[i].name.len + hop->fields.at[i].value.len;
    int rc = peer_room(peer, size);
    return rc < 0 ? rc : rqv_wire_encode_hop(&peer->out.buf, x->id, hop);
}

static void sink_credit(struct exchange *x, uint32_t bytes)
{
    struct peer *peer = x->owner;

    if (peer_room_owed(peer, RQV_WIRE_HEADER + 4) < 0 ||
        rqv_wire_encode_credit(&peer->out.buf, x->id, bytes) < 0)
        peer->broken = true;
}

static void sink_done(struct exchange *x, const struct rqv_done *done)
{
    struct peer *peer = x->owner;

    rqv_list_remove(&x->peer_node);
    rqv_map_del(&peer->ipc->exchanges, &x->node);
    peer->in_flight--;
    if (report_on(peer))
        report_request(peer, x, done);
    peer_done(peer, x->id, done);
    if (peer->ipc->held.x != x)
        return;
    struct ipc_held body = peer->ipc->held;
    peer->ipc->held.x = NULL;
    send_direct(peer, x->id, &body);
}

/* What the kernel takes now, of a long body: what it would not take would be copied, so it stays where it is
 * until half the buffer is free again. */
static size_t kernel_room(struct peer *peer)
{
    int used = 0;

    if (peer->ipc->send_buffer == 0 || ioctl(peer->io.fd, SIOCOUTQ, &used) < 0 || used < 0)
        return SIZE_MAX;
    size_t room = (size_t)used < peer->ipc->send_buffer ? peer->ipc->send_buffer - (size_t)used : 0;
    if (room >= DIRECT_MIN)
        return room;
    peer->write_blocked = true; /* the flush arms the watcher */
    loop_task_queue(peer->ipc->use.loop, &peer->flush, LOOP_FLUSH_PEERS);
    return 0;
}

static size_t sink_room(struct exchange *x)
{
    struct peer *peer = x->owner;
    size_t waiting = queue_len(&peer->out);
    /* While the program does not read, what it will read waits in the kernel, uncopied. */
    size_t high = peer->write_blocked ? PEER_OUT_BLOCKED : PEER_OUT_HIGH;

    size_t room = waiting < high ? high - waiting : 0;
    if (room > 0 && waiting == 0 && !peer->write_blocked && x->response_bytes >= LONG_BODY) {
        size_t free = kernel_room(peer);
        room = free < room ? free : room;
    }
    if (room == 0)
        peer->stalled = true;
    return room;
}

const struct exchange_sink peer_sink = {
    .trust = sink_trust,
    .begun = sink_begun,
    .head = sink_head,
    .data = sink_data,
    .trailers = sink_trailers,
    .hop = sink_hop,
    .credit = sink_credit,
    .done = sink_done,
    .room = sink_room,
};
