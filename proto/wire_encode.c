/* SPDX-License-Identifier: MIT */
/*
 * wire_encode - structs to frames. Each encoder first adds up the payload's size, then reserves header and
 * payload at once and fills them front to back, so that a frame is in `out` whole or not at all.
 *
 *   room                                            room + RQV_WIRE_HEADER + length
 *    | header | fixed part | views | fields |        <- committed last
 */
#include "proto/wire.h"
#include "proto/wire_layout.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>

static struct rqv_str cut(struct rqv_str s, size_t max)
{
    if (s.len > max)
        s.len = max;
    return s;
}

/* Reserves the frame and writes its header; *ret_payload is where the payload goes. finish() makes it
 * content. */
static int begin(struct rqv_buf *out, const struct rqv_frame_header *header, uint8_t **ret_payload)
{
    uint8_t *room;
    int r = rqv_buf_reserve(out, RQV_WIRE_HEADER + header->length, &room);
    if (r < 0)
        return r;
    rqv_wire_put_header(room, header);
    *ret_payload = room + RQV_WIRE_HEADER;
    return 0;
}

static int finish(struct rqv_buf *out, const struct rqv_frame_header *header)
{
    rqv_buf_commit(out, RQV_WIRE_HEADER + header->length);
    return 0;
}

static uint8_t *put_view(uint8_t *at, struct rqv_str s)
{
    if (s.len) /* ptr may be NULL */
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

/* Adds what the fields take to *size; false when the sum leaves a head's limit (no step of it can overflow).
 */
static bool add_fields_size(size_t *size, const struct rqv_fields *fields)
{
    size_t sum = *size;
    for (size_t i = 0; i < fields->count; i++) {
        const struct rqv_field *field = &fields->at[i];
        if (field->name.len > RQV_WIRE_HEAD_MAX || field->value.len > RQV_WIRE_HEAD_MAX)
            return false;
        sum += RQV_FIELD_LENGTHS + field->name.len + field->value.len;
    }
    *size = sum;
    return sum <= RQV_WIRE_HEAD_MAX;
}

static void put_fields(uint8_t *at, const struct rqv_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct rqv_field *field = &fields->at[i];
        rqv_put_u16(at, (uint16_t)field->name.len);
        rqv_put_u16(at + 2, (uint16_t)field->value.len);
        at = put_view(at + RQV_FIELD_LENGTHS, field->name);
        at = put_view(at, field->value);
    }
}

int rqv_wire_encode_hello(struct rqv_buf *out, const struct rqv_hello *hello)
{
    struct rqv_str name = cut(hello->name, RQV_WIRE_NAME_MAX);
    struct rqv_frame_header header = {.length = (uint32_t)(RQV_HELLO_SIZE + name.len),
                                      .type = RQV_WIRE_HELLO};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_HELLO_FIXED_LEN, RQV_HELLO_SIZE);
    rqv_put_u16(at + RQV_HELLO_VERSION, hello->version);
    rqv_put_u32(at + RQV_HELLO_MAGIC, hello->magic);
    rqv_put_u16(at + RQV_HELLO_VERSION_MIN, hello->version_min);
    rqv_put_u16(at + RQV_HELLO_NAME_LEN, (uint16_t)name.len);
    rqv_put_u32(at + RQV_HELLO_CREDIT, hello->credit);
    rqv_put_u64(at + RQV_HELLO_CAPS, hello->caps);
    rqv_put_u64(at + RQV_HELLO_INSTANCE, hello->instance);
    put_view(at + RQV_HELLO_SIZE, name);
    return finish(out, &header);
}

/* Most requests have none of the last members; these are left out then. */
static size_t request_fixed(const struct rqv_request_head *head)
{
    bool plain = !(head->session_id | head->connection_id | head->redirect_max | head->tls_min |
                   head->tls_max | head->route.len);
    return plain ? RQV_REQUEST_SHORT : RQV_REQUEST_SIZE;
}

/* What a request's head takes; 0: more than a frame holds. */
static size_t request_size(const struct rqv_request_head *head)
{
    if (head->method.len > RQV_WIRE_HEAD_MAX || head->url.len > RQV_WIRE_HEAD_MAX ||
        head->route.len > RQV_WIRE_ROUTE_MAX)
        return 0;
    size_t size = request_fixed(head) + head->method.len + head->url.len + head->route.len;
    return add_fields_size(&size, &head->fields) ? size : 0;
}

static void put_request(uint8_t *at, const struct rqv_request_head *head)
{
    size_t fixed = request_fixed(head);
    rqv_put_u16(at + RQV_REQUEST_FIXED_LEN, (uint16_t)fixed);
    rqv_put_u16(at + RQV_REQUEST_METHOD_LEN, (uint16_t)head->method.len);
    rqv_put_u16(at + RQV_REQUEST_URL_LEN, (uint16_t)head->url.len);
    rqv_put_u16(at + RQV_REQUEST_FIELD_COUNT, (uint16_t)head->fields.count);
    rqv_put_u32(at + RQV_REQUEST_FLAGS, head->flags);
    for (size_t i = 0; i < RQV_T_COUNT; i++)
        rqv_put_u32(at + RQV_REQUEST_TIMEOUT_MS + 4 * i, head->timeout_ms[i]);
    rqv_put_u64(at + RQV_REQUEST_BODY_LENGTH, head->body_length);
    rqv_put_u64(at + RQV_REQUEST_TRUST_ID, head->trust_id);
    if (fixed == RQV_REQUEST_SIZE) {
        rqv_put_u64(at + RQV_REQUEST_SESSION_ID, head->session_id);
        rqv_put_u64(at + RQV_REQUEST_CONNECTION_ID, head->connection_id);
        rqv_put_u16(at + RQV_REQUEST_REDIRECT_MAX, head->redirect_max);
        rqv_put_u16(at + RQV_REQUEST_ROUTE_LEN, (uint16_t)head->route.len);
        at[RQV_REQUEST_TLS_MIN] = head->tls_min;
        at[RQV_REQUEST_TLS_MAX] = head->tls_max;
    }
    at = put_view(at + fixed, head->method);
    at = put_view(at, head->url);
    at = put_view(at, head->route);
    put_fields(at, &head->fields);
}

static int encode_request(struct rqv_buf *out, const struct rqv_frame_header *kind,
                          const struct rqv_request_head *head)
{
    struct rqv_frame_header header = *kind;
    uint8_t *at;

    header.length = (uint32_t)request_size(head);
    if (header.length == 0)
        return REQIVO_E_LIMIT_HEAD;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    put_request(at, head);
    return finish(out, &header);
}

int rqv_wire_encode_request(struct rqv_buf *out, uint64_t id, uint8_t flags,
                            const struct rqv_request_head *head)
{
    struct rqv_frame_header header = {.type = RQV_WIRE_REQUEST, .flags = flags, .id = id};
    return encode_request(out, &header, head);
}

int rqv_wire_encode_proceed(struct rqv_buf *out, uint64_t id, uint8_t flags,
                            const struct rqv_request_head *head)
{
    struct rqv_frame_header header = {.type = RQV_WIRE_PROCEED, .flags = flags, .id = id};
    return encode_request(out, &header, head);
}

int rqv_wire_encode_operation(struct rqv_buf *out, uint64_t id, const struct rqv_operation *operation)
{
    size_t size = request_size(&operation->head);
    if (size == 0 || size > RQV_WIRE_HEAD_MAX - RQV_OPERATION_SIZE)
        return REQIVO_E_LIMIT_HEAD;
    struct rqv_frame_header header = {
        .length = (uint32_t)(RQV_OPERATION_SIZE + size), .type = RQV_WIRE_OPERATE, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_OPERATION_FIXED_LEN, RQV_OPERATION_SIZE);
    rqv_put_u16(at + RQV_OPERATION_VERB, operation->verb);
    rqv_put_u32(at + RQV_OPERATION_VALUE, operation->value);
    rqv_put_u64(at + RQV_OPERATION_TARGET, operation->target);
    put_request(at + RQV_OPERATION_SIZE, &operation->head);
    return finish(out, &header);
}

int rqv_wire_encode_hop(struct rqv_buf *out, uint64_t id, const struct rqv_hop *hop)
{
    if (hop->method.len > RQV_WIRE_HEAD_MAX || hop->url.len > RQV_WIRE_HEAD_MAX)
        return REQIVO_E_LIMIT_HEAD;
    size_t size = RQV_HOP_SIZE + hop->method.len + hop->url.len;
    if (!add_fields_size(&size, &hop->fields))
        return REQIVO_E_LIMIT_HEAD;
    struct rqv_frame_header header = {.length = (uint32_t)size, .type = RQV_WIRE_HOP, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_HOP_FIXED_LEN, RQV_HOP_SIZE);
    rqv_put_u16(at + RQV_HOP_METHOD_LEN, (uint16_t)hop->method.len);
    rqv_put_u16(at + RQV_HOP_URL_LEN, (uint16_t)hop->url.len);
    rqv_put_u16(at + RQV_HOP_FIELD_COUNT, (uint16_t)hop->fields.count);
    rqv_put_u16(at + RQV_HOP_FLAGS, hop->flags);
    at = put_view(at + RQV_HOP_SIZE, hop->method);
    at = put_view(at, hop->url);
    put_fields(at, &hop->fields);
    return finish(out, &header);
}

static int encode_response(struct rqv_buf *out, const struct rqv_frame_header *kind,
                           const struct rqv_response_head *head)
{
    struct rqv_str reason = cut(head->reason, RQV_WIRE_REASON_MAX);
    struct rqv_str address = cut(head->address, RQV_WIRE_ADDRESS_MAX);
    size_t size = RQV_RESPONSE_SIZE + reason.len + address.len;
    if (!add_fields_size(&size, &head->fields))
        return REQIVO_E_LIMIT_HEAD;
    struct rqv_frame_header header = *kind;
    header.length = (uint32_t)size;
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_RESPONSE_FIXED_LEN, RQV_RESPONSE_SIZE);
    rqv_put_u16(at + RQV_RESPONSE_STATUS, head->status);
    at[RQV_RESPONSE_MINOR] = head->minor;
    at[RQV_RESPONSE_FLAGS] = head->flags;
    rqv_put_u16(at + RQV_RESPONSE_REASON_LEN, (uint16_t)reason.len);
    rqv_put_u16(at + RQV_RESPONSE_ADDRESS_LEN, (uint16_t)address.len);
    rqv_put_u16(at + RQV_RESPONSE_FIELD_COUNT, (uint16_t)head->fields.count);
    rqv_put_u64(at + RQV_RESPONSE_CONTENT_LENGTH, (uint64_t)head->content_length);
    for (size_t i = 0; i < RQV_TIME_COUNT; i++)
        rqv_put_u32(at + RQV_RESPONSE_TIME_US + 4 * i, head->time_us[i]);
    at = put_view(at + RQV_RESPONSE_SIZE, reason);
    at = put_view(at, address);
    put_fields(at, &head->fields);
    return finish(out, &header);
}

int rqv_wire_encode_response(struct rqv_buf *out, uint64_t id, uint8_t flags,
                             const struct rqv_response_head *head)
{
    struct rqv_frame_header header = {.type = RQV_WIRE_RESPONSE, .flags = flags, .id = id};
    return encode_response(out, &header, head);
}

int rqv_wire_encode_ws_opened(struct rqv_buf *out, uint64_t id, const struct rqv_response_head *head)
{
    struct rqv_frame_header header = {.type = RQV_WIRE_WS_OPENED, .id = id};
    return encode_response(out, &header, head);
}

static int encode_fields(struct rqv_buf *out, enum rqv_wire_type type, uint64_t id,
                         const struct rqv_fields *fields)
{
    size_t size = RQV_FIELDS_SIZE;
    if (!add_fields_size(&size, fields))
        return REQIVO_E_LIMIT_HEAD;
    struct rqv_frame_header header = {.length = (uint32_t)size, .type = (uint8_t)type, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_FIELDS_FIXED_LEN, RQV_FIELDS_SIZE);
    rqv_put_u16(at + RQV_FIELDS_FIELD_COUNT, (uint16_t)fields->count);
    put_fields(at + RQV_FIELDS_SIZE, fields);
    return finish(out, &header);
}

int rqv_wire_encode_trailers(struct rqv_buf *out, uint64_t id, const struct rqv_fields *fields)
{
    return encode_fields(out, RQV_WIRE_TRAILERS, id, fields);
}

int rqv_wire_encode_info(struct rqv_buf *out, uint64_t id, const struct rqv_fields *fields)
{
    return encode_fields(out, RQV_WIRE_INFO, id, fields);
}

int rqv_wire_encode_done(struct rqv_buf *out, uint64_t id, const struct rqv_done *done)
{
    struct rqv_str detail = cut(done->detail, RQV_WIRE_DETAIL_MAX);
    struct rqv_str address = cut(done->address, RQV_WIRE_ADDRESS_MAX);
    struct rqv_frame_header header = {
        .length = (uint32_t)(RQV_DONE_SIZE + detail.len + address.len), .type = RQV_WIRE_DONE, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_DONE_FIXED_LEN, RQV_DONE_SIZE);
    rqv_put_u16(at + RQV_DONE_DETAIL_LEN, (uint16_t)detail.len);
    rqv_put_u16(at + RQV_DONE_ADDRESS_LEN, (uint16_t)address.len);
    at[RQV_DONE_PHASE] = done->phase;
    at[RQV_DONE_SENT] = done->sent;
    rqv_put_u32(at + RQV_DONE_FLAGS, done->flags);
    rqv_put_u32(at + RQV_DONE_CODE, (uint32_t)done->code);
    rqv_put_u32(at + RQV_DONE_SYS_ERRNO, (uint32_t)done->sys_errno);
    for (size_t i = 0; i < RQV_TIME_COUNT; i++)
        rqv_put_u32(at + RQV_DONE_TIME_US + 4 * i, done->time_us[i]);
    rqv_put_u64(at + RQV_DONE_BODY_BYTES, done->body_bytes);
    at = put_view(at + RQV_DONE_SIZE, detail);
    put_view(at, address);
    return finish(out, &header);
}

static int encode_bytes(struct rqv_buf *out, const struct rqv_frame_header *frame, struct rqv_str bytes)
{
    if (bytes.len > RQV_WIRE_PAYLOAD_MAX)
        return REQIVO_E_LIMIT_HEAD;
    if (bytes.len == 0 && !(frame->flags & RQV_FLAG_END))
        return -EINVAL;
    struct rqv_frame_header header = *frame;
    header.length = (uint32_t)bytes.len;
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    put_view(at, bytes);
    return finish(out, &header);
}

int rqv_wire_encode_data(struct rqv_buf *out, uint64_t id, uint8_t flags, struct rqv_str bytes)
{
    struct rqv_frame_header header = {.type = RQV_WIRE_DATA, .flags = flags, .id = id};
    return encode_bytes(out, &header, bytes);
}

int rqv_wire_encode_ws_data(struct rqv_buf *out, uint64_t id, uint8_t flags, struct rqv_str bytes)
{
    struct rqv_frame_header header = {.type = RQV_WIRE_WS_DATA, .flags = flags, .id = id};
    return encode_bytes(out, &header, bytes);
}

static int encode_u32(struct rqv_buf *out, enum rqv_wire_type type, uint64_t id, uint32_t value)
{
    struct rqv_frame_header header = {.length = 4, .type = (uint8_t)type, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u32(at, value);
    return finish(out, &header);
}

int rqv_wire_encode_credit(struct rqv_buf *out, uint64_t id, uint32_t bytes)
{
    return encode_u32(out, RQV_WIRE_CREDIT, id, bytes);
}

int rqv_wire_encode_trust(struct rqv_buf *out, uint64_t id, uint32_t total)
{
    return encode_u32(out, RQV_WIRE_TRUST, id, total);
}

int rqv_wire_encode_empty(struct rqv_buf *out, enum rqv_wire_type type, uint64_t id)
{
    if (type != RQV_WIRE_CANCEL && type != RQV_WIRE_BEGUN)
        return -EINVAL;
    struct rqv_frame_header header = {.type = (uint8_t)type, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    return r < 0 ? r : finish(out, &header);
}

int rqv_wire_encode_query(struct rqv_buf *out, uint64_t id, uint16_t verb)
{
    struct rqv_frame_header header = {.length = 2, .type = RQV_WIRE_QUERY, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at, verb);
    return finish(out, &header);
}

int rqv_wire_encode_goaway(struct rqv_buf *out, uint8_t flags, const struct rqv_goaway *goaway)
{
    if (goaway->count > RQV_WIRE_GOAWAY_IDS_MAX)
        return REQIVO_E_LIMIT_HEAD;
    struct rqv_str detail = cut(goaway->detail, RQV_WIRE_DETAIL_MAX);
    struct rqv_frame_header header = {.length = (uint32_t)(RQV_GOAWAY_SIZE + detail.len + 8 * goaway->count),
                                      .type = RQV_WIRE_GOAWAY,
                                      .flags = flags};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_GOAWAY_FIXED_LEN, RQV_GOAWAY_SIZE);
    rqv_put_u16(at + RQV_GOAWAY_DETAIL_LEN, (uint16_t)detail.len);
    rqv_put_u32(at + RQV_GOAWAY_ID_COUNT, (uint32_t)goaway->count);
    rqv_put_u32(at + RQV_GOAWAY_CODE, (uint32_t)goaway->code);
    at = put_view(at + RQV_GOAWAY_SIZE, detail);
    if (goaway->count)
        memcpy(at, goaway->ids, 8 * goaway->count);
    return finish(out, &header);
}

void rqv_wire_goaway_put_id(uint8_t *ids, size_t n, uint64_t id)
{
    rqv_put_u64(ids + 8 * n, id);
}

int rqv_wire_encode_ws_open(struct rqv_buf *out, uint64_t id, const struct rqv_ws_open *open)
{
    if (open->url.len > RQV_WIRE_HEAD_MAX)
        return REQIVO_E_LIMIT_HEAD;
    size_t size = RQV_WS_OPEN_SIZE + open->url.len;
    if (!add_fields_size(&size, &open->fields))
        return REQIVO_E_LIMIT_HEAD;
    struct rqv_frame_header header = {.length = (uint32_t)size, .type = RQV_WIRE_WS_OPEN, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_WS_OPEN_FIXED_LEN, RQV_WS_OPEN_SIZE);
    rqv_put_u16(at + RQV_WS_OPEN_URL_LEN, (uint16_t)open->url.len);
    rqv_put_u16(at + RQV_WS_OPEN_FIELD_COUNT, (uint16_t)open->fields.count);
    rqv_put_u16(at + RQV_WS_OPEN_RECONNECT_MAX, open->reconnect_max);
    rqv_put_u32(at + RQV_WS_OPEN_FLAGS, open->flags);
    for (size_t i = 0; i < RQV_T_COUNT; i++)
        rqv_put_u32(at + RQV_WS_OPEN_TIMEOUT_MS + 4 * i, open->timeout_ms[i]);
    rqv_put_u64(at + RQV_WS_OPEN_TRUST_ID, open->trust_id);
    rqv_put_u64(at + RQV_WS_OPEN_MESSAGE_MAX, open->message_max);
    rqv_put_u32(at + RQV_WS_OPEN_PING_MS, open->ping_ms);
    rqv_put_u32(at + RQV_WS_OPEN_PONG_MS, open->pong_ms);
    rqv_put_u32(at + RQV_WS_OPEN_IDLE_MS, open->idle_ms);
    rqv_put_u32(at + RQV_WS_OPEN_BACKOFF_MS, open->backoff_ms);
    rqv_put_u32(at + RQV_WS_OPEN_BACKOFF_MAX_MS, open->backoff_max_ms);
    at = put_view(at + RQV_WS_OPEN_SIZE, open->url);
    put_fields(at, &open->fields);
    return finish(out, &header);
}

int rqv_wire_encode_ws_close(struct rqv_buf *out, uint64_t id, const struct rqv_ws_close_info *close)
{
    struct rqv_str reason = cut(close->reason, RQV_WIRE_CLOSE_MAX);
    struct rqv_frame_header header = {
        .length = (uint32_t)(RQV_WS_CLOSE_SIZE + reason.len), .type = RQV_WIRE_WS_CLOSE, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_WS_CLOSE_FIXED_LEN, RQV_WS_CLOSE_SIZE);
    rqv_put_u16(at + RQV_WS_CLOSE_REASON_LEN, (uint16_t)reason.len);
    rqv_put_u16(at + RQV_WS_CLOSE_CODE, close->code);
    rqv_put_u16(at + RQV_WS_CLOSE_FLAGS, close->flags);
    rqv_put_u32(at + RQV_WS_CLOSE_UNDELIVERED, close->undelivered);
    rqv_put_u32(at + RQV_WS_CLOSE_TAKEN, close->taken);
    rqv_put_u32(at + RQV_WS_CLOSE_UNCONFIRMED, close->unconfirmed);
    put_view(at + RQV_WS_CLOSE_SIZE, reason);
    return finish(out, &header);
}

int rqv_wire_encode_ws_event(struct rqv_buf *out, uint64_t id, const struct rqv_ws_event_info *event)
{
    struct rqv_str detail = cut(event->detail, RQV_WIRE_DETAIL_MAX);
    struct rqv_frame_header header = {
        .length = (uint32_t)(RQV_WS_EVENT_SIZE + detail.len), .type = RQV_WIRE_WS_EVENT, .id = id};
    uint8_t *at;
    int r = begin(out, &header, &at);
    if (r < 0)
        return r;
    rqv_put_u16(at + RQV_WS_EVENT_FIXED_LEN, RQV_WS_EVENT_SIZE);
    rqv_put_u16(at + RQV_WS_EVENT_DETAIL_LEN, (uint16_t)detail.len);
    rqv_put_u16(at + RQV_WS_EVENT_KIND, event->kind);
    rqv_put_u16(at + RQV_WS_EVENT_ATTEMPT, event->attempt);
    rqv_put_u32(at + RQV_WS_EVENT_WAIT_MS, event->wait_ms);
    rqv_put_u32(at + RQV_WS_EVENT_UNDELIVERED, event->undelivered);
    rqv_put_u32(at + RQV_WS_EVENT_CODE, (uint32_t)event->code);
    rqv_put_u32(at + RQV_WS_EVENT_UNCONFIRMED, event->unconfirmed);
    put_view(at + RQV_WS_EVENT_SIZE, detail);
    return finish(out, &header);
}
