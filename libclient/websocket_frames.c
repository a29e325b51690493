/* SPDX-License-Identifier: MIT */
/* websocket_frames - what a session and the daemon say to each other. The daemon is not trusted: each frame
 * must fit the session's state, and pieces of messages their order. */
#include "libclient/exchange.h"
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "libclient/trust.h"
#include "libclient/websocket.h"

#include <errno.h>
#include <string.h>

int rqv_websocket_start(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_ws_open open = request->ws->open;
    struct rqv_request_head head;

    rqv_request_head(request, &head);
    open.url = head.url;
    open.fields = head.fields;
    memcpy(open.timeout_ms, head.timeout_ms, sizeof open.timeout_ms);
    open.flags |= head.flags & RQV_REQ_INSECURE ? RQV_WS_INSECURE : 0;
    open.trust_id = request->trust ? request->trust->wire_id : 0;
    int r = rqv_secret_reserve(&client->channel.out, RQV_WIRE_HEADER + 128 + rqv_request_head_size(request));
    if (r < 0)
        return r;
    r = rqv_wire_encode_ws_open(&client->channel.out, x->id, &open);
    x->end = rqv_channel_offset(&client->channel);
    return r;
}

static int refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return REQIVO_E_WIRE;
}

/* Keeps a record for the program, or ends the session for lack of memory. */
static int keep(struct reqivo_client *client, struct rqv_exchange *x, uint8_t flags, struct rqv_str bytes)
{
    struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
    int r = rqv_record_put(&ws->in, flags, bytes);

    if (r < 0)
        rqv_exchange_abort(client, x, -ENOMEM, NULL);
    else
        rqv_exchange_notify(client, x);
    return 0;
}

static int on_opened(struct reqivo_client *client, struct rqv_exchange *x, struct rqv_str payload,
                     const char **ret_why)
{
    struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
    struct rqv_response_head head;
    int r = rqv_wire_decode_response(payload, &head, ret_why);

    if (r < 0)
        return r;
    const struct rqv_field *protocol = rqv_fields_get(&head.fields, RQV_STR("sec-websocket-protocol"), 0);
    ws->protocol[0] = '\0';
    if (protocol)
        rqv_copy_text(ws->protocol, sizeof ws->protocol, protocol->value);
    ws->in_open = false;
    if (x->state == RQV_X_ANSWERED) /* once more, after a loss */
        return 0;
    rqv_exchange_answered(client, x);
    ws->is_open = true;
    return keep(client, x, RQV_RECORD_OPENED, RQV_STR(""));
}

static int on_data(struct reqivo_client *client, struct rqv_exchange *x,
                   const struct rqv_frame_header *header, struct rqv_str payload, const char **ret_why)
{
    struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
    uint64_t cost = payload.len + RQV_WS_DATA_COST;

    if (x->state != RQV_X_ANSWERED)
        return refuse("WS_DATA before WS_OPENED", ret_why);
    if (cost > ws->window)
        return refuse("WS_DATA beyond the credit given", ret_why);
    bool first = header->flags & RQV_FLAG_FIRST, text = header->flags & RQV_FLAG_TEXT;
    if (first == ws->in_open || (!first && text != ws->in_text))
        return refuse("WS_DATA out of its order", ret_why);
    ws->window -= cost;
    ws->in_open = !(header->flags & RQV_FLAG_END);
    ws->in_text = text;
    return keep(client, x, header->flags, payload);
}

static int on_event(struct reqivo_client *client, struct rqv_exchange *x, struct rqv_str payload,
                    const char **ret_why)
{
    struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
    struct rqv_ws_event_info info;
    int r = rqv_wire_decode_ws_event(payload, &info, ret_why);

    if (r < 0)
        return r;
    if (x->state != RQV_X_ANSWERED)
        return refuse("WS_EVENT before WS_OPENED", ret_why);
    ws->undelivered += info.undelivered;
    ws->unconfirmed += info.unconfirmed;
    if (info.kind == RQV_WS_LOST) /* what the server had begun went with it */
        ws->in_open = false;
    struct reqivo_websocket_event event = {.kind = info.kind,
                                           .code = info.code,
                                           .attempt = info.attempt,
                                           .wait_ms = info.wait_ms,
                                           .undelivered = info.undelivered,
                                           .unconfirmed = info.unconfirmed};
    return keep(client, x, RQV_RECORD_EVENT, (struct rqv_str){(const char *)&event, sizeof event});
}

static int on_close(struct rqv_exchange *x, struct rqv_str payload, const char **ret_why)
{
    struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
    struct rqv_ws_close_info info;
    int r = rqv_wire_decode_ws_close(payload, &info, ret_why);

    if (r < 0)
        return r;
    if (ws->close_told)
        return refuse("a second WS_CLOSE", ret_why);
    ws->close_told = ws->closed = true;
    ws->heard_code = info.code;
    ws->undelivered += info.undelivered + (ws->started - info.taken);
    ws->unconfirmed += info.unconfirmed;
    rqv_copy_text(ws->heard_reason, sizeof ws->heard_reason, info.reason);
    return 0;
}

static int on_credit(struct reqivo_client *client, struct rqv_exchange *x, struct rqv_str payload,
                     const char **ret_why)
{
    struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
    uint32_t more;
    int r = rqv_wire_decode_u32(payload, &more, ret_why);

    if (r < 0)
        return r;
    ws->credit += more;
    if (ws->credit > RQV_WIRE_CREDIT_MAX)
        return refuse("more credit outstanding than the limit", ret_why);
    if ((rqv_buf_len(&ws->up) > 0 || ws->close_due) && rqv_list_empty(&x->sending))
        rqv_list_append(&client->sending, &x->sending);
    return 0;
}

int rqv_websocket_frame(struct reqivo_client *client, struct rqv_exchange *x,
                        const struct rqv_frame_header *header, struct rqv_str payload, const char **ret_why)
{
    switch (header->type) {
    case RQV_WIRE_WS_OPENED:
        return on_opened(client, x, payload, ret_why);
    case RQV_WIRE_WS_DATA:
        return on_data(client, x, header, payload, ret_why);
    case RQV_WIRE_WS_EVENT:
        return on_event(client, x, payload, ret_why);
    case RQV_WIRE_WS_CLOSE:
        return on_close(x, payload, ret_why);
    case RQV_WIRE_CREDIT:
        return on_credit(client, x, payload, ret_why);
    default:
        return refuse("a frame type that has no place in a WebSocket", ret_why);
    }
}

/* ---- upwards ---- */

static bool send_close(struct reqivo_client *client, struct reqivo_websocket *ws)
{
    struct rqv_ws_close_info close = {.code = ws->close_code, .reason = rqv_str_from(ws->reason)};

    ws->close_due = false;
    rqv_client_must_queue(client, rqv_wire_encode_ws_close(&client->channel.out, ws->x->id, &close));
    return false;
}

/* Nothing waits any more: the program may go on. */
static void note_drain(struct reqivo_client *client, struct reqivo_websocket *ws)
{
    if (ws->drain_due && rqv_buf_len(&ws->up) < RQV_WS_WINDOW / 2)
        rqv_exchange_notify(client, ws->x);
}

bool rqv_websocket_pump(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
    struct rqv_str bytes;
    uint8_t flags;

    if (!rqv_record_get(&ws->up, &flags, &bytes))
        return ws->close_due ? send_close(client, ws) : false;
    size_t left = bytes.len - ws->up_at;
    size_t n = left < RQV_WIRE_PAYLOAD_MAX ? left : RQV_WIRE_PAYLOAD_MAX;
    if (ws->credit < RQV_WS_DATA_COST + (n < 4096 ? n : 4096)) /* no crumbs */
        return false;
    n = n + RQV_WS_DATA_COST > ws->credit ? (size_t)ws->credit - RQV_WS_DATA_COST : n;
    bool whole = n == left;
    uint8_t out = (uint8_t)((flags & RQV_FLAG_TEXT) | (ws->up_at == 0 ? flags & RQV_FLAG_FIRST : 0) |
                            (whole ? flags & RQV_FLAG_END : 0));
    if (rqv_secret_reserve(&client->channel.out, RQV_WIRE_HEADER + n) < 0 ||
        (n > 0 || out & RQV_FLAG_END ? rqv_wire_encode_ws_data(&client->channel.out, x->id, out,
                                                               (struct rqv_str){bytes.ptr + ws->up_at, n})
                                     : 0) < 0) {
        rqv_exchange_abort(client, x, -ENOMEM, NULL);
        return false;
    }
    ws->credit -= n + RQV_WS_DATA_COST;
    ws->up_at += n;
    if (whole) {
        rqv_record_drop(&ws->up);
        ws->up_at = 0;
        note_drain(client, ws);
    }
    return true;
}
