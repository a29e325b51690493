/* SPDX-License-Identifier: MIT */
/*
 * ws_receive - frames become messages.
 *
 *   idle -TEXT, BINARY-> open -CONTINUATION-> open -fin-> idle     control frames in each state, CLOSE ends
 * all
 *
 * A compressed payload goes through the inflater, which may stop when its room is full. What it left stays
 * with the caller, already unmasked, and is `pending` at the front of the next input:
 *
 *   in: |-- pending: payload for the inflater --|-- frames --...
 */
#include "proto/ws_message.h"

#include <errno.h>
#include <string.h>

bool rqv_ws_close_code_ok(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

void rqv_ws_limits_default(struct rqv_ws_limits *ret_limits)
{
    *ret_limits =
        (struct rqv_ws_limits){.message_max = 16 << 20, .overhead_base = 65536, .overhead_percent = 50};
}

void rqv_ws_receiver_init(struct rqv_ws_receiver *rx, const struct rqv_ws_receiver_params *params)
{
    *rx = (struct rqv_ws_receiver){.params = *params};
    rqv_ws_frame_init(&rx->frames, params->role, params->inflate != NULL);
}

static int fail(struct rqv_ws_receiver *rx, int error, uint16_t code, const char *why)
{
    rx->error = error;
    rx->code = code;
    rx->why = why;
    return error;
}

static int protocol_error(struct rqv_ws_receiver *rx, const char *why)
{
    return fail(rx, -EPROTO, RQV_WS_CLOSE_PROTOCOL, why);
}

/* ---- the head of a frame --------------------------------------------------------------------------------
 */

/* Heads of continuation frames are paid from the payload that they bring and a constant; a count would refuse
 * the many small fragments that honest servers send. security.md B5 */
static int charge_fragment(struct rqv_ws_receiver *rx)
{
    const struct rqv_ws_limits *limits = &rx->params.limits;
    uint64_t length = rx->frames.head.length;
    uint64_t share;

    rx->overhead += 2;
    if (length > RQV_WS_CONTROL_MAX)
        rx->overhead += length > UINT16_MAX ? 8 : 2;
    if (rx->frames.head.masked)
        rx->overhead += 4;
    share = rx->payload / 100 * limits->overhead_percent + rx->payload % 100 * limits->overhead_percent / 100;
    if (rx->overhead > limits->overhead_base && rx->overhead - limits->overhead_base > share)
        return fail(rx, -EMSGSIZE, RQV_WS_CLOSE_POLICY, "the heads of a message's fragments outweigh it");
    return 0;
}

static int begin_message(struct rqv_ws_receiver *rx)
{
    const struct rqv_ws_head *head = &rx->frames.head;

    rx->open = rx->fresh = true;
    rx->opcode = head->opcode;
    rx->compressed = head->rsv1;
    rx->payload = rx->overhead = 0;
    rqv_utf8_init(&rx->utf8);
    return 0;
}

/* How long the message would be is known before its bytes are here. Of a compressed one the inflater judges
 * the real length, and its payload cannot sensibly be longer than that by more than a little. */
static int add_length(struct rqv_ws_receiver *rx)
{
    uint64_t max = rx->params.limits.message_max, length = rx->frames.head.length;

    if (rx->compressed)
        max = max < UINT64_MAX / 2 ? max + max / 8 + 65536 : UINT64_MAX;
    if (length > max || rx->payload > max - length)
        return fail(rx, -EMSGSIZE, RQV_WS_CLOSE_TOO_BIG, "a message is over its limit");
    rx->payload += length;
    return 0;
}

static int on_data_head(struct rqv_ws_receiver *rx)
{
    const struct rqv_ws_head *head = &rx->frames.head;
    bool more = head->opcode == RQV_WS_CONTINUATION;
    int r = 0;

    if (more && !rx->open)
        return protocol_error(rx, "a continuation frame continues nothing");
    if (!more && rx->open)
        return protocol_error(rx, "a message begins inside another");
    if (!more)
        r = begin_message(rx);
    if (r == 0)
        r = add_length(rx);
    if (r == 0 && more)
        r = charge_fragment(rx);
    rx->fin = head->fin;
    return r;
}

/* ---- control frames -------------------------------------------------------------------------------------
 */

static int on_close(struct rqv_ws_receiver *rx, struct rqv_ws_event *event)
{
    struct rqv_utf8 utf8;

    event->type = RQV_WS_EVENT_CLOSE;
    event->code = RQV_WS_CLOSE_NO_STATUS;
    if (rx->control_len == 1)
        return protocol_error(rx, "a close frame has half a code");
    if (rx->control_len >= 2) {
        event->code = (uint16_t)(rx->control[0] << 8 | rx->control[1]);
        event->bytes = rx->control + 2;
        event->len = rx->control_len - 2U;
        if (!rqv_ws_close_code_ok(event->code))
            return protocol_error(rx, "a close frame has a code that may not be sent");
        rqv_utf8_init(&utf8);
        if (!rqv_utf8_feed(&utf8, event->bytes, event->len) || !rqv_utf8_complete(&utf8))
            return fail(rx, -EILSEQ, RQV_WS_CLOSE_DATA, "the reason of a close frame is not UTF-8");
    }
    rx->closed = true;
    return 0;
}

static int end_control(struct rqv_ws_receiver *rx, struct rqv_ws_event *event)
{
    uint8_t opcode = rx->frames.head.opcode;

    event->bytes = rx->control;
    event->len = rx->control_len;
    if (opcode == RQV_WS_CLOSE) {
        event->len = 0;
        return on_close(rx, event);
    }
    event->type = opcode == RQV_WS_PING ? RQV_WS_EVENT_PING : RQV_WS_EVENT_PONG;
    return 0;
}

/* ---- data -----------------------------------------------------------------------------------------------
 */

/* A piece of the message, `last` when it ends here. */
static int deliver(struct rqv_ws_receiver *rx, const uint8_t *bytes, size_t len, struct rqv_ws_event *event)
{
    bool last = event->last;

    if (rx->passing) {
        rx->open = !last;
        return 0;
    }
    if (rx->opcode == RQV_WS_TEXT &&
        (!rqv_utf8_feed(&rx->utf8, bytes, len) || (last && !rqv_utf8_complete(&rx->utf8))))
        return fail(rx, -EILSEQ, RQV_WS_CLOSE_DATA, "a text message is not UTF-8");
    if (len == 0 && !last)
        return 0;
    event->type = RQV_WS_EVENT_DATA;
    event->opcode = rx->opcode;
    event->first = rx->fresh;
    event->bytes = bytes;
    event->len = len;
    rx->fresh = false;
    rx->open = !last;
    return 0;
}

static int inflate_failed(struct rqv_ws_receiver *rx, int error, const char *why)
{
    if (error == -EMSGSIZE)
        return fail(rx, error, RQV_WS_CLOSE_TOO_BIG, why);
    if (error == -EILSEQ)
        return fail(rx, error, RQV_WS_CLOSE_DATA, why);
    return fail(rx, error, RQV_WS_CLOSE_INTERNAL, why ? why : "a message cannot be expanded");
}

/* What is pending is dropped, as far as it is here. */
static int pass_over(struct rqv_ws_receiver *rx, size_t len, struct rqv_ws_event *event)
{
    size_t n = len - event->consumed < rx->pending ? len - event->consumed : rx->pending;

    rx->pending -= n;
    rx->expanding = false;
    event->consumed += n;
    event->last = rx->fin && rx->frames.left == 0 && rx->pending == 0;
    return deliver(rx, NULL, 0, event);
}

/* Gives the inflater what is pending, as far as it is here. event->consumed is moved on. */
static int expand(struct rqv_ws_receiver *rx, const uint8_t *in, size_t len, struct rqv_ws_event *event)
{
    size_t at = event->consumed;
    size_t n = len - at < rx->pending ? len - at : rx->pending;
    struct rqv_ws_flow flow = {
        .in = in ? in + at : NULL,
        .in_len = n,
        .last = rx->fin && rx->frames.left == 0 && n == rx->pending,
        .out = rx->params.scratch,
        .out_size = rx->params.scratch_size,
    };
    int r = rqv_ws_inflate_step(rx->params.inflate, &flow);

    if (r < 0)
        return inflate_failed(rx, r, flow.why);
    rx->pending -= flow.consumed;
    rx->expanding = !flow.done;
    event->consumed += flow.consumed;
    event->last = flow.done && flow.last;
    return deliver(rx, flow.out, flow.produced, event);
}

/* ---- the whole ------------------------------------------------------------------------------------------
 */

static int on_head(struct rqv_ws_receiver *rx, struct rqv_ws_event *event)
{
    const struct rqv_ws_head *head = &rx->frames.head;
    int r;

    if (rqv_ws_is_control(head->opcode)) {
        rx->control_len = 0;
        return head->length == 0 ? end_control(rx, event) : 0;
    }
    r = on_data_head(rx);
    if (r < 0 || head->length > 0 || !head->fin)
        return r;
    if (rx->compressed) {
        rx->expanding = true;
        return 0;
    }
    event->last = true;
    return deliver(rx, NULL, 0, event);
}

static int on_payload(struct rqv_ws_receiver *rx, const struct rqv_ws_frame_event *frame,
                      struct rqv_ws_event *event)
{
    if (rqv_ws_is_control(rx->frames.head.opcode)) {
        memcpy(rx->control + rx->control_len, frame->bytes, frame->len);
        rx->control_len = (uint8_t)(rx->control_len + frame->len);
        return frame->last ? end_control(rx, event) : 0;
    }
    if (rx->compressed) {
        rx->pending = frame->len;
        event->consumed -= frame->len;
        return 0;
    }
    event->last = frame->last && rx->fin;
    return deliver(rx, frame->bytes, frame->len, event);
}

static int step(struct rqv_ws_receiver *rx, uint8_t *in, size_t len, struct rqv_ws_event *event)
{
    struct rqv_ws_frame_event frame;
    size_t at = event->consumed;
    int r;

    if (rx->pending > 0 || rx->expanding)
        return rx->passing ? pass_over(rx, len, event) : expand(rx, in, len, event);
    r = rqv_ws_frame_decode(&rx->frames, in ? in + at : NULL, len - at, &frame);
    if (r < 0)
        return protocol_error(rx, frame.why);
    event->consumed += frame.consumed;
    switch (frame.type) {
    case RQV_WS_FRAME_HEAD:
        return on_head(rx, event);
    case RQV_WS_FRAME_PAYLOAD:
        return on_payload(rx, &frame, event);
    case RQV_WS_FRAME_NEED:
        break;
    }
    return 0;
}

int rqv_ws_receive(struct rqv_ws_receiver *rx, uint8_t *in, size_t len, struct rqv_ws_event *ret_event)
{
    int r = rx->error;

    *ret_event = (struct rqv_ws_event){0};
    while (r == 0 && ret_event->type == RQV_WS_EVENT_NEED) {
        if (rx->closed) {
            ret_event->consumed = len; /* RFC 6455 5.5.1: nothing after a close frame means anything */
            break;
        }
        if (ret_event->consumed == len && !rx->expanding)
            break;
        r = step(rx, in, len, ret_event);
    }
    if (r < 0)
        *ret_event = (struct rqv_ws_event){.code = rx->code, .why = rx->why};
    return r;
}
