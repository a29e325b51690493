/* SPDX-License-Identifier: MIT */
/* peer_sink - what an exchange gives to its program, as frames. */
#include "daemon/ipc/peer.h"
#include "daemon/ipc/trusts.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

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
    return rc < 0 ? rc : rqv_wire_encode_response(&peer->out.buf, x->id, head);
}

/* Everything that waits, and these bytes behind it as one frame, in one call. What the kernel does not take
 * is queued. */
static int send_direct(struct peer *peer, uint64_t id, struct rqv_str bytes)
{
    uint8_t head[RQV_WIRE_HEADER];
    struct rqv_frame_header header = {.length = (uint32_t)bytes.len, .type = RQV_WIRE_DATA, .id = id};
    size_t waiting = queue_len(&peer->out);

    rqv_wire_put_header(head, &header);
    struct iovec iov[3] = {
        {waiting > 0 ? rqv_buf_head(&peer->out.buf) : NULL, waiting},
        {head, sizeof head},
        {(void *)(uintptr_t)bytes.ptr, bytes.len},
    };
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};
    ssize_t n = sendmsg(peer->io.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    size_t sent = n > 0 ? (size_t)n : 0;
    size_t total = waiting + sizeof head + bytes.len;
    int rc = 0;

    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        peer->broken = true;
    peer->write_blocked = peer->write_blocked || sent < total;
    size_t of_queue = sent < waiting ? sent : waiting;
    if (of_queue > 0)
        queue_consume(&peer->out, of_queue);
    sent -= of_queue;
    size_t of_head = sent < sizeof head ? sent : sizeof head;
    if (of_head < sizeof head)
        rc = queue_append(&peer->out, head + of_head, sizeof head - of_head);
    sent -= of_head;
    if (rc == 0 && sent < bytes.len)
        rc = queue_append(&peer->out, bytes.ptr + sent, bytes.len - sent);
    if (rc < 0)
        peer->broken = true; /* half a frame is out: nothing can follow */
    return rc;
}

static int sink_data(struct exchange *x, const uint8_t *bytes, size_t len)
{
    struct peer *peer = x->owner;
    int rc = 0;

    while (len > 0 && rc == 0) {
        struct rqv_str piece = {(const char *)bytes, len < RQV_WIRE_PAYLOAD_MAX ? len : RQV_WIRE_PAYLOAD_MAX};
        bool direct = piece.len >= DIRECT_MIN && !peer->write_blocked && !peer->broken;
        rc = peer_room(peer, direct ? 0 : RQV_WIRE_HEADER + piece.len);
        if (rc == 0)
            rc = direct ? send_direct(peer, x->id, piece)
                        : rqv_wire_encode_data(&peer->out.buf, x->id, 0, piece);
        bytes += piece.len;
        len -= piece.len;
    }
    return rc;
}

static int sink_trailers(struct exchange *x, const struct rqv_fields *fields)
{
    struct peer *peer = x->owner;
    size_t size = 256;

    if (!(peer->caps & RQV_CAP_TRAILERS))
        return 0;
    for (size_t i = 0; i < fields->count; i++)
        size += 4 + fields->at[i].name.len + fields->at[i].value.len;
    int rc = peer_room(peer, size);
    return rc < 0 ? rc : rqv_wire_encode_trailers(&peer->out.buf, x->id, fields);
}

static void sink_credit(struct exchange *x, uint32_t bytes)
{
    struct peer *peer = x->owner;

    if (peer_room(peer, RQV_WIRE_HEADER + 4) < 0 || rqv_wire_encode_credit(&peer->out.buf, x->id, bytes) < 0)
        peer->broken = true;
}

static void sink_done(struct exchange *x, const struct rqv_done *done)
{
    struct peer *peer = x->owner;

    rqv_list_remove(&x->peer_node);
    rqv_map_del(&peer->exchanges, &x->node);
    peer_done(peer, x->id, done);
}

static size_t sink_room(struct exchange *x)
{
    struct peer *peer = x->owner;
    size_t waiting = queue_len(&peer->out);

    if (waiting < PEER_OUT_HIGH)
        return PEER_OUT_HIGH - waiting;
    peer->stalled = true;
    return 0;
}

const struct exchange_sink peer_sink = {
    .trust = sink_trust,
    .begun = sink_begun,
    .head = sink_head,
    .data = sink_data,
    .trailers = sink_trailers,
    .credit = sink_credit,
    .done = sink_done,
    .room = sink_room,
};
