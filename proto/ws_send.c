/* SPDX-License-Identifier: MIT */
/*
 * ws_send - messages become frames, one a call, since each needs a mask key that nobody can foresee (RFC
 * 6455 5.3, 10.3) and a control frame may have to go between two.
 */
#include "proto/ws_message.h"

#include <errno.h>
#include <string.h>

void rqv_ws_sender_init(struct rqv_ws_sender *tx, const struct rqv_ws_sender_params *params)
{
    *tx = (struct rqv_ws_sender){.params = *params};
}

/* The payload, masked on its way, behind its head in the room; returns the frame's length. */
static size_t put_frame(uint8_t *room, struct rqv_ws_head *head, const uint8_t *payload,
                        const uint8_t mask[4])
{
    size_t at;

    if (head->masked)
        memcpy(head->mask, mask, sizeof(head->mask));
    at = rqv_ws_head_encode(head, room);
    if (head->masked)
        rqv_ws_mask(room + at, payload, (size_t)head->length, mask, 0);
    else if (head->length > 0)
        memcpy(room + at, payload, (size_t)head->length);
    return at + (size_t)head->length;
}

/* ---- data -----------------------------------------------------------------------------------------------
 */

static int check_piece(struct rqv_ws_sender *tx, const struct rqv_ws_piece *piece)
{
    if (tx->closed)
        return -EPIPE;
    if (piece->opcode != RQV_WS_TEXT && piece->opcode != RQV_WS_BINARY)
        return -EINVAL;
    if (tx->open && piece->opcode != tx->opcode)
        return -EINVAL;
    return tx->bad_text ? -EILSEQ : 0;
}

/* We do not send what the other end would have to refuse. Bytes that come again are not read again. */
static int check_text(struct rqv_ws_sender *tx, const struct rqv_ws_piece *piece)
{
    size_t done = tx->checked < piece->len ? tx->checked : piece->len;

    if (piece->opcode != RQV_WS_TEXT)
        return 0;
    if (!tx->open && done == 0)
        rqv_utf8_init(&tx->utf8);
    if ((piece->len > done && !rqv_utf8_feed(&tx->utf8, piece->bytes + done, piece->len - done)) ||
        (piece->last && !rqv_utf8_complete(&tx->utf8))) {
        /* A message of which nothing was sent is forgotten; the other end waits for the rest of one that was.
         */
        tx->bad_text = tx->open;
        return -EILSEQ;
    }
    tx->checked = piece->len;
    return 0;
}

static void frame_written(struct rqv_ws_sender *tx, const struct rqv_ws_piece *piece,
                          struct rqv_ws_sent *sent, bool fin)
{
    tx->open = !fin;
    tx->started = !fin && (tx->started || sent->framed);
    if (piece->opcode == RQV_WS_TEXT)
        tx->checked -= sent->consumed;
}

static struct rqv_ws_head data_head(const struct rqv_ws_sender *tx, bool fin, size_t length)
{
    return (struct rqv_ws_head){
        .fin = fin,
        .rsv1 = tx->compressed && !tx->started,
        .masked = tx->params.role == RQV_WS_CLIENT,
        .opcode = tx->started ? RQV_WS_CONTINUATION : tx->opcode,
        .length = length,
    };
}

static int send_plain(struct rqv_ws_sender *tx, const struct rqv_ws_piece *piece, struct rqv_buf *out,
                      struct rqv_ws_sent *sent)
{
    size_t n = piece->len < tx->params.frame_max ? piece->len : tx->params.frame_max;
    bool done = n == piece->len, fin = piece->last && done;
    struct rqv_ws_head head = data_head(tx, fin, n);
    uint8_t *room;
    int r;

    *sent = (struct rqv_ws_sent){.consumed = n, .done = done, .framed = n > 0 || fin};
    if (sent->framed) {
        r = rqv_buf_reserve(out, RQV_WS_HEAD_MAX + n, &room);
        if (r < 0)
            return r;
        rqv_buf_commit(out, put_frame(room, &head, piece->bytes, piece->mask));
    }
    frame_written(tx, piece, sent, fin);
    return 0;
}

static int send_compressed(struct rqv_ws_sender *tx, const struct rqv_ws_piece *piece, struct rqv_buf *out,
                           struct rqv_ws_sent *sent)
{
    size_t size = tx->params.frame_max > RQV_WS_FLOW_MIN ? tx->params.frame_max : RQV_WS_FLOW_MIN;
    struct rqv_ws_flow flow = {
        .in = piece->bytes, .in_len = piece->len, .last = piece->last, .flush = piece->flush};
    struct rqv_ws_head head;
    uint8_t *room;
    bool fin;
    int r;

    flow.out = tx->params.scratch;
    flow.out_size = tx->params.scratch_size < size ? tx->params.scratch_size : size;
    /* First the room: what the compressor has given cannot be given back. */
    r = rqv_buf_reserve(out, RQV_WS_HEAD_MAX + flow.out_size, &room);
    if (r == 0)
        r = rqv_ws_deflate_step(tx->params.deflate, &flow);
    if (r < 0)
        return r;
    fin = flow.done && piece->last;
    *sent = (struct rqv_ws_sent){
        .consumed = flow.consumed, .done = flow.done, .framed = flow.produced > 0 || fin};
    head = data_head(tx, fin, flow.produced);
    if (sent->framed)
        rqv_buf_commit(out, put_frame(room, &head, flow.out, piece->mask));
    frame_written(tx, piece, sent, fin);
    return 0;
}

int rqv_ws_send(struct rqv_ws_sender *tx, const struct rqv_ws_piece *piece, struct rqv_buf *out,
                struct rqv_ws_sent *ret_sent)
{
    struct rqv_utf8 utf8 = tx->utf8;
    struct rqv_ws_sent sent = {0};
    size_t checked = tx->checked;
    int r = check_piece(tx, piece);

    if (r == 0)
        r = check_text(tx, piece);
    if (r == 0 && !tx->open) {
        tx->opcode = piece->opcode;
        tx->compressed = piece->compress && tx->params.deflate;
        tx->started = false;
    }
    if (r == 0)
        r = tx->compressed ? send_compressed(tx, piece, out, &sent) : send_plain(tx, piece, out, &sent);
    if (r < 0) {
        /* Nothing was taken; what comes next may be the same piece or, before a message has begun, another.
         */
        tx->utf8 = utf8;
        tx->checked = checked;
        return r;
    }
    *ret_sent = sent;
    return 0;
}

/* ---- control --------------------------------------------------------------------------------------------
 */

static int put_control(struct rqv_ws_sender *tx, uint8_t opcode, struct rqv_str payload,
                       const uint8_t mask[4], struct rqv_buf *out)
{
    struct rqv_ws_head head = {
        .fin = true, .opcode = opcode, .masked = tx->params.role == RQV_WS_CLIENT, .length = payload.len};
    uint8_t *room;
    int r;

    if (tx->closed)
        return -EPIPE;
    if (payload.len > RQV_WS_CONTROL_MAX)
        return -EMSGSIZE;
    r = rqv_buf_reserve(out, RQV_WS_HEAD_MAX + payload.len, &room);
    if (r < 0)
        return r;
    rqv_buf_commit(out, put_frame(room, &head, (const uint8_t *)payload.ptr, mask));
    return 0;
}

int rqv_ws_send_control(struct rqv_ws_sender *tx, enum rqv_ws_opcode opcode, struct rqv_str payload,
                        const uint8_t mask[4], struct rqv_buf *out)
{
    if (opcode != RQV_WS_PING && opcode != RQV_WS_PONG)
        return -EINVAL;
    return put_control(tx, (uint8_t)opcode, payload, mask, out);
}

int rqv_ws_send_close(struct rqv_ws_sender *tx, const struct rqv_ws_closing *closing, struct rqv_buf *out)
{
    bool bare = closing->code == RQV_WS_CLOSE_NO_STATUS;
    char payload[RQV_WS_CONTROL_MAX];
    struct rqv_utf8 utf8;
    size_t len = 0;
    int r;

    if (bare ? closing->reason.len > 0 : !rqv_ws_close_code_ok(closing->code))
        return -EINVAL;
    if (closing->reason.len > RQV_WS_REASON_MAX)
        return -EMSGSIZE;
    rqv_utf8_init(&utf8);
    if (!rqv_utf8_feed(&utf8, (const uint8_t *)closing->reason.ptr, closing->reason.len) ||
        !rqv_utf8_complete(&utf8))
        return -EILSEQ;
    if (!bare) {
        payload[0] = (char)(closing->code >> 8);
        payload[1] = (char)(closing->code & 0xff);
        if (closing->reason.len > 0)
            memcpy(payload + 2, closing->reason.ptr, closing->reason.len);
        len = 2 + closing->reason.len;
    }
    r = put_control(tx, RQV_WS_CLOSE, (struct rqv_str){payload, len}, closing->mask, out);
    if (r == 0)
        tx->closed = true;
    return r;
}
