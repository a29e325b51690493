/* SPDX-License-Identifier: MIT */
/* wire_any - the contract is in wire_any.h. */
#include "tests/lib/wire_any.h"

#include <errno.h>
#include <string.h>

int wire_any_decode(struct rqv_str payload, struct wire_any *ret_any, const char **ret_why)
{
    switch ((enum rqv_wire_type)ret_any->header.type) {
    case RQV_WIRE_HELLO:
        return rqv_wire_decode_hello(payload, &ret_any->hello, ret_why);
    case RQV_WIRE_OPERATE:
        return rqv_wire_decode_operation(payload, &ret_any->operation, ret_why);
    case RQV_WIRE_HOP:
        return rqv_wire_decode_hop(payload, &ret_any->hop, ret_why);
    case RQV_WIRE_PROCEED:
    case RQV_WIRE_REQUEST:
        return rqv_wire_decode_request(payload, &ret_any->request, ret_why);
    case RQV_WIRE_WS_OPEN:
        return rqv_wire_decode_ws_open(payload, &ret_any->ws_open, ret_why);
    case RQV_WIRE_WS_CLOSE:
        return rqv_wire_decode_ws_close(payload, &ret_any->ws_close, ret_why);
    case RQV_WIRE_WS_EVENT:
        return rqv_wire_decode_ws_event(payload, &ret_any->ws_event, ret_why);
    case RQV_WIRE_WS_OPENED:
    case RQV_WIRE_RESPONSE:
        return rqv_wire_decode_response(payload, &ret_any->response, ret_why);
    case RQV_WIRE_WS_DATA:
    case RQV_WIRE_DATA:
        ret_any->data = payload;
        return 0;
    case RQV_WIRE_CREDIT:
    case RQV_WIRE_TRUST:
        return rqv_wire_decode_u32(payload, &ret_any->bytes, ret_why);
    case RQV_WIRE_TRAILERS:
    case RQV_WIRE_INFO:
        return rqv_wire_decode_fields(payload, &ret_any->fields, ret_why);
    case RQV_WIRE_DONE:
        return rqv_wire_decode_done(payload, &ret_any->done, ret_why);
    case RQV_WIRE_GOAWAY:
        return rqv_wire_decode_goaway(payload, &ret_any->goaway, ret_why);
    case RQV_WIRE_QUERY:
        return rqv_wire_decode_verb(payload, &ret_any->verb, ret_why);
    case RQV_WIRE_CANCEL:
    case RQV_WIRE_BEGUN:
        return 0;
    }
    *ret_why = "a type that wire_any does not know";
    return -EINVAL;
}

long wire_any_next(const uint8_t *in, size_t len, bool from_library, struct wire_any *ret_any,
                   const char **ret_why)
{
    int r = rqv_wire_next(in, len, from_library, &ret_any->header, ret_why);
    if (r <= 0)
        return r;
    struct rqv_str payload = {(const char *)in + RQV_WIRE_HEADER, ret_any->header.length};
    r = wire_any_decode(payload, ret_any, ret_why);
    return r < 0 ? r : (long)(RQV_WIRE_HEADER + payload.len);
}

int wire_any_encode(struct rqv_buf *out, const struct wire_any *any)
{
    const struct rqv_frame_header *header = &any->header;
    switch ((enum rqv_wire_type)header->type) {
    case RQV_WIRE_HELLO:
        return rqv_wire_encode_hello(out, &any->hello);
    case RQV_WIRE_REQUEST:
        return rqv_wire_encode_request(out, header->id, header->flags, &any->request);
    case RQV_WIRE_PROCEED:
        return rqv_wire_encode_proceed(out, header->id, header->flags, &any->request);
    case RQV_WIRE_OPERATE:
        return rqv_wire_encode_operation(out, header->id, &any->operation);
    case RQV_WIRE_HOP:
        return rqv_wire_encode_hop(out, header->id, &any->hop);
    case RQV_WIRE_WS_OPEN:
        return rqv_wire_encode_ws_open(out, header->id, &any->ws_open);
    case RQV_WIRE_WS_OPENED:
        return rqv_wire_encode_ws_opened(out, header->id, &any->response);
    case RQV_WIRE_WS_DATA:
        return rqv_wire_encode_ws_data(out, header->id, header->flags, any->data);
    case RQV_WIRE_WS_CLOSE:
        return rqv_wire_encode_ws_close(out, header->id, &any->ws_close);
    case RQV_WIRE_WS_EVENT:
        return rqv_wire_encode_ws_event(out, header->id, &any->ws_event);
    case RQV_WIRE_RESPONSE:
        return rqv_wire_encode_response(out, header->id, header->flags, &any->response);
    case RQV_WIRE_DATA:
        return rqv_wire_encode_data(out, header->id, header->flags, any->data);
    case RQV_WIRE_CREDIT:
        return rqv_wire_encode_credit(out, header->id, any->bytes);
    case RQV_WIRE_TRUST:
        return rqv_wire_encode_trust(out, header->id, any->bytes);
    case RQV_WIRE_TRAILERS:
        return rqv_wire_encode_trailers(out, header->id, &any->fields);
    case RQV_WIRE_INFO:
        return rqv_wire_encode_info(out, header->id, &any->fields);
    case RQV_WIRE_DONE:
        return rqv_wire_encode_done(out, header->id, &any->done);
    case RQV_WIRE_GOAWAY:
        return rqv_wire_encode_goaway(out, header->flags, &any->goaway);
    case RQV_WIRE_QUERY:
        return rqv_wire_encode_query(out, header->id, any->verb);
    case RQV_WIRE_CANCEL:
    case RQV_WIRE_BEGUN:
        return rqv_wire_encode_empty(out, (enum rqv_wire_type)header->type, header->id);
    }
    return -EINVAL;
}

static bool same_bytes(const void *a, const void *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

static bool same_str(struct rqv_str a, struct rqv_str b)
{
    return a.len == b.len && same_bytes(a.ptr, b.ptr, a.len);
}

static bool same_fields(const struct rqv_fields *a, const struct rqv_fields *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_str(a->at[i].name, b->at[i].name) || !same_str(a->at[i].value, b->at[i].value))
            return false;
    }
    return true;
}

static bool same_hello(const struct rqv_hello *a, const struct rqv_hello *b)
{
    return a->magic == b->magic && a->version == b->version && a->version_min == b->version_min &&
           a->caps == b->caps && a->instance == b->instance && a->credit == b->credit &&
           same_str(a->name, b->name);
}

static bool same_request(const struct rqv_request_head *a, const struct rqv_request_head *b)
{
    return a->flags == b->flags && same_bytes(a->timeout_ms, b->timeout_ms, sizeof a->timeout_ms) &&
           a->body_length == b->body_length && a->trust_id == b->trust_id && a->session_id == b->session_id &&
           a->connection_id == b->connection_id && a->redirect_max == b->redirect_max &&
           a->tls_min == b->tls_min && a->tls_max == b->tls_max && same_str(a->method, b->method) &&
           same_str(a->url, b->url) && same_str(a->route, b->route) && same_fields(&a->fields, &b->fields);
}

static bool same_operation(const struct rqv_operation *a, const struct rqv_operation *b)
{
    return a->verb == b->verb && a->value == b->value && a->target == b->target &&
           same_request(&a->head, &b->head);
}

static bool same_hop(const struct rqv_hop *a, const struct rqv_hop *b)
{
    return a->flags == b->flags && same_str(a->method, b->method) && same_str(a->url, b->url) &&
           same_fields(&a->fields, &b->fields);
}

static bool same_response(const struct rqv_response_head *a, const struct rqv_response_head *b)
{
    return a->status == b->status && a->minor == b->minor && a->flags == b->flags &&
           a->content_length == b->content_length && same_bytes(a->time_us, b->time_us, sizeof a->time_us) &&
           same_str(a->reason, b->reason) && same_str(a->address, b->address) &&
           same_fields(&a->fields, &b->fields);
}

static bool same_done(const struct rqv_done *a, const struct rqv_done *b)
{
    return a->code == b->code && a->sys_errno == b->sys_errno && a->phase == b->phase && a->sent == b->sent &&
           a->flags == b->flags && same_bytes(a->time_us, b->time_us, sizeof a->time_us) &&
           a->body_bytes == b->body_bytes && same_str(a->detail, b->detail) &&
           same_str(a->address, b->address);
}

static bool same_goaway(const struct rqv_goaway *a, const struct rqv_goaway *b)
{
    if (a->code != b->code || !same_str(a->detail, b->detail) || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (rqv_wire_goaway_id(a, i) != rqv_wire_goaway_id(b, i))
            return false;
    }
    return true;
}

static bool same_ws_open(const struct rqv_ws_open *a, const struct rqv_ws_open *b)
{
    return a->reconnect_max == b->reconnect_max && a->flags == b->flags &&
           same_bytes(a->timeout_ms, b->timeout_ms, sizeof a->timeout_ms) && a->trust_id == b->trust_id &&
           a->message_max == b->message_max && a->ping_ms == b->ping_ms && a->pong_ms == b->pong_ms &&
           a->idle_ms == b->idle_ms && a->backoff_ms == b->backoff_ms &&
           a->backoff_max_ms == b->backoff_max_ms && same_str(a->url, b->url) &&
           same_fields(&a->fields, &b->fields);
}

static bool same_ws_close(const struct rqv_ws_close_info *a, const struct rqv_ws_close_info *b)
{
    return a->code == b->code && a->flags == b->flags && a->undelivered == b->undelivered &&
           a->taken == b->taken && a->unconfirmed == b->unconfirmed && same_str(a->reason, b->reason);
}

static bool same_ws_event(const struct rqv_ws_event_info *a, const struct rqv_ws_event_info *b)
{
    return a->kind == b->kind && a->attempt == b->attempt && a->wait_ms == b->wait_ms &&
           a->undelivered == b->undelivered && a->unconfirmed == b->unconfirmed && a->code == b->code &&
           same_str(a->detail, b->detail);
}

bool wire_any_equal(const struct wire_any *a, const struct wire_any *b)
{
    if (a->header.type != b->header.type || a->header.flags != b->header.flags ||
        a->header.id != b->header.id)
        return false;
    switch ((enum rqv_wire_type)a->header.type) {
    case RQV_WIRE_HELLO:
        return same_hello(&a->hello, &b->hello);
    case RQV_WIRE_OPERATE:
        return same_operation(&a->operation, &b->operation);
    case RQV_WIRE_HOP:
        return same_hop(&a->hop, &b->hop);
    case RQV_WIRE_PROCEED:
    case RQV_WIRE_REQUEST:
        return same_request(&a->request, &b->request);
    case RQV_WIRE_WS_OPEN:
        return same_ws_open(&a->ws_open, &b->ws_open);
    case RQV_WIRE_WS_CLOSE:
        return same_ws_close(&a->ws_close, &b->ws_close);
    case RQV_WIRE_WS_EVENT:
        return same_ws_event(&a->ws_event, &b->ws_event);
    case RQV_WIRE_WS_OPENED:
    case RQV_WIRE_RESPONSE:
        return same_response(&a->response, &b->response);
    case RQV_WIRE_WS_DATA:
    case RQV_WIRE_DATA:
        return same_str(a->data, b->data);
    case RQV_WIRE_CREDIT:
    case RQV_WIRE_TRUST:
        return a->bytes == b->bytes;
    case RQV_WIRE_TRAILERS:
    case RQV_WIRE_INFO:
        return same_fields(&a->fields, &b->fields);
    case RQV_WIRE_DONE:
        return same_done(&a->done, &b->done);
    case RQV_WIRE_GOAWAY:
        return same_goaway(&a->goaway, &b->goaway);
    case RQV_WIRE_QUERY:
        return a->verb == b->verb;
    case RQV_WIRE_CANCEL:
    case RQV_WIRE_BEGUN:
        return true;
    }
    return false;
}

static bool inside(struct rqv_str view, struct rqv_str payload)
{
    if (view.len == 0)
        return true;
    return view.ptr >= payload.ptr && view.len <= payload.len &&
           (size_t)(view.ptr - payload.ptr) <= payload.len - view.len;
}

static bool fields_inside(const struct rqv_fields *fields, struct rqv_str payload)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (!inside(fields->at[i].name, payload) || !inside(fields->at[i].value, payload))
            return false;
    }
    return fields->count <= RQV_FIELDS_MAX;
}

static bool head_inside(const struct rqv_request_head *head, struct rqv_str payload)
{
    return inside(head->method, payload) && inside(head->url, payload) && inside(head->route, payload) &&
           fields_inside(&head->fields, payload);
}

bool wire_any_inside(const struct wire_any *any, struct rqv_str payload)
{
    switch ((enum rqv_wire_type)any->header.type) {
    case RQV_WIRE_HELLO:
        return inside(any->hello.name, payload);
    case RQV_WIRE_PROCEED:
    case RQV_WIRE_REQUEST:
        return head_inside(&any->request, payload);
    case RQV_WIRE_OPERATE:
        return head_inside(&any->operation.head, payload);
    case RQV_WIRE_HOP:
        return inside(any->hop.method, payload) && inside(any->hop.url, payload) &&
               fields_inside(&any->hop.fields, payload);
    case RQV_WIRE_WS_OPEN:
        return inside(any->ws_open.url, payload) && fields_inside(&any->ws_open.fields, payload);
    case RQV_WIRE_WS_CLOSE:
        return inside(any->ws_close.reason, payload);
    case RQV_WIRE_WS_EVENT:
        return inside(any->ws_event.detail, payload);
    case RQV_WIRE_WS_OPENED:
    case RQV_WIRE_RESPONSE:
        return inside(any->response.reason, payload) && inside(any->response.address, payload) &&
               fields_inside(&any->response.fields, payload);
    case RQV_WIRE_TRAILERS:
    case RQV_WIRE_INFO:
        return fields_inside(&any->fields, payload);
    case RQV_WIRE_DONE:
        return inside(any->done.detail, payload) && inside(any->done.address, payload);
    case RQV_WIRE_GOAWAY:
        return inside(any->goaway.detail, payload) &&
               inside((struct rqv_str){(const char *)any->goaway.ids, any->goaway.count * 8}, payload);
    case RQV_WIRE_WS_DATA:
    case RQV_WIRE_DATA:
        return inside(any->data, payload);
    default:
        return true;
    }
}
