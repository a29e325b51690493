/* SPDX-License-Identifier: MIT */
/*
 * wire_decode - payloads to structs whose views point into the payload. Each decoder checks everything first
 * and then fills its result, so that a refused payload changes nothing; no decoder allocates, copies bytes or
 * loops other than over fields. Lengths are compared with what is left, never added to a pointer first.
 *
 *   payload:  | fixed part  | views | fields | appended ... |
 *             0             fixed_len
 *   reader:                 at ->                     left
 */
#include "proto/wire.h"
#include "proto/wire_layout.h"

#include <reqivo/error.h>

#include <string.h>

/* The members that this version knows, absent ones as 0, and the bytes behind the fixed part. */
struct reader {
    uint8_t fixed[RQV_REQUEST_SIZE]; /* the largest of all */
    const char *at;
    size_t left;
    bool appended; /* the sender has members that are unknown here: bytes of theirs may follow the fields */
};

#define FITS(size) ((size_t)(size) <= RQV_REQUEST_SIZE)
_Static_assert(FITS(RQV_HELLO_SIZE) && FITS(RQV_WS_OPEN_SIZE) && FITS(RQV_RESPONSE_SIZE) &&
                   FITS(RQV_FIELDS_SIZE) && FITS(RQV_GOAWAY_SIZE) && FITS(RQV_DONE_SIZE),
               "reader.fixed holds every fixed part");

static const char bad_fixed[] = "a fixed part that is too short or longer than its payload";
static const char bad_view[] = "a length that exceeds its payload";
static const char bad_limit[] = "a text that is longer than its limit";
static const char bad_end[] = "bytes behind the end of a payload";
static const char bad_count[] = "more fields than the limit";

static int refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return REQIVO_E_WIRE;
}

static const char *open_fixed(struct reader *reader, struct rqv_str payload, size_t core, size_t known)
{
    if (payload.len < core)
        return bad_fixed;
    size_t fixed_len = rqv_get_u16((const uint8_t *)payload.ptr);
    if (fixed_len < core || fixed_len > payload.len)
        return bad_fixed;
    size_t present = fixed_len < known ? fixed_len : known;
    memcpy(reader->fixed, payload.ptr, present);
    memset(reader->fixed + present, 0, known - present);
    reader->at = payload.ptr + fixed_len;
    reader->left = payload.len - fixed_len;
    reader->appended = fixed_len > known;
    return NULL;
}

static const char *take_view(struct reader *reader, size_t len, size_t max, struct rqv_str *ret_view)
{
    if (len > max)
        return bad_limit;
    if (len > reader->left)
        return bad_view;
    *ret_view = (struct rqv_str){reader->at, len};
    reader->at += len;
    reader->left -= len;
    return NULL;
}

/* Steps over `count` fields; fill_fields() then reads them again from where they begin without a check. */
static const char *skip_fields(struct reader *reader, size_t count)
{
    if (count > RQV_FIELDS_MAX)
        return bad_count;
    const char *at = reader->at;
    size_t left = reader->left;
    for (size_t i = 0; i < count; i++) {
        if (left < RQV_FIELD_LENGTHS)
            return bad_view;
        const uint8_t *lengths = (const uint8_t *)at;
        size_t size = (size_t)rqv_get_u16(lengths) + rqv_get_u16(lengths + 2);
        left -= RQV_FIELD_LENGTHS;
        if (size > left)
            return bad_view;
        at += RQV_FIELD_LENGTHS + size;
        left -= size;
    }
    reader->at = at;
    reader->left = left;
    return NULL;
}

static void fill_fields(const char *at, size_t count, struct rqv_fields *fields)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *lengths = (const uint8_t *)at;
        struct rqv_str name = {at + RQV_FIELD_LENGTHS, rqv_get_u16(lengths)};
        struct rqv_str value = {name.ptr + name.len, rqv_get_u16(lengths + 2)};
        fields->at[i] = (struct rqv_field){name, value};
        at = value.ptr + value.len;
    }
    fields->count = count;
}

static const char *close_reader(const struct reader *reader)
{
    return reader->left > 0 && !reader->appended ? bad_end : NULL;
}

int rqv_wire_decode_hello(struct rqv_str payload, struct rqv_hello *ret_hello, const char **ret_why)
{
    struct reader reader;
    struct rqv_str name;
    const char *why = open_fixed(&reader, payload, RQV_HELLO_CORE, RQV_HELLO_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    if (rqv_get_u32(fixed + RQV_HELLO_MAGIC) != RQV_WIRE_MAGIC)
        return refuse("a HELLO with another magic number", ret_why);
    why = take_view(&reader, rqv_get_u16(fixed + RQV_HELLO_NAME_LEN), RQV_WIRE_NAME_MAX, &name);
    if (!why)
        why = close_reader(&reader);
    if (why)
        return refuse(why, ret_why);
    uint16_t version = rqv_get_u16(fixed + RQV_HELLO_VERSION);
    uint16_t version_min = rqv_get_u16(fixed + RQV_HELLO_VERSION_MIN);
    if (version_min == 0 || version_min > version)
        return refuse("a HELLO with an impossible range of versions", ret_why);
    uint32_t credit = rqv_get_u32(fixed + RQV_HELLO_CREDIT);
    if (credit > RQV_WIRE_CREDIT_MAX)
        return refuse("a HELLO that grants too much credit", ret_why);
    *ret_hello = (struct rqv_hello){
        .magic = RQV_WIRE_MAGIC,
        .version = version,
        .version_min = version_min,
        .caps = rqv_get_u64(fixed + RQV_HELLO_CAPS),
        .instance = rqv_get_u64(fixed + RQV_HELLO_INSTANCE),
        .credit = credit,
        .name = name,
    };
    return 0;
}

/* What of a request's head is out of range; NULL when nothing is. */
static const char *request_fault(const uint8_t *fixed)
{
    if (rqv_get_u32(fixed + RQV_REQUEST_FLAGS) & ~RQV_REQ_KNOWN)
        return "a REQUEST with unknown flags";
    if (fixed[RQV_REQUEST_TLS_MIN] > RQV_TLS_1_3 || fixed[RQV_REQUEST_TLS_MIN] == 1 ||
        fixed[RQV_REQUEST_TLS_MAX] > RQV_TLS_1_3 || fixed[RQV_REQUEST_TLS_MAX] == 1)
        return "a REQUEST with an unknown version of TLS";
    return NULL;
}

int rqv_wire_decode_request(struct rqv_str payload, struct rqv_request_head *ret_head, const char **ret_why)
{
    struct reader reader;
    struct rqv_str method, url, route;
    const char *why = open_fixed(&reader, payload, RQV_REQUEST_CORE, RQV_REQUEST_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    size_t count = rqv_get_u16(fixed + RQV_REQUEST_FIELD_COUNT);
    why = take_view(&reader, rqv_get_u16(fixed + RQV_REQUEST_METHOD_LEN), RQV_WIRE_HEAD_MAX, &method);
    if (!why)
        why = take_view(&reader, rqv_get_u16(fixed + RQV_REQUEST_URL_LEN), RQV_WIRE_HEAD_MAX, &url);
    if (!why)
        why = take_view(&reader, rqv_get_u16(fixed + RQV_REQUEST_ROUTE_LEN), RQV_WIRE_ROUTE_MAX, &route);
    const char *fields = reader.at;
    if (!why)
        why = skip_fields(&reader, count);
    if (!why)
        why = close_reader(&reader);
    if (!why)
        why = request_fault(fixed);
    if (why)
        return refuse(why, ret_why);
    ret_head->flags = rqv_get_u32(fixed + RQV_REQUEST_FLAGS);
    for (size_t i = 0; i < RQV_T_COUNT; i++)
        ret_head->timeout_ms[i] = rqv_get_u32(fixed + RQV_REQUEST_TIMEOUT_MS + 4 * i);
    ret_head->body_length = rqv_get_u64(fixed + RQV_REQUEST_BODY_LENGTH);
    ret_head->trust_id = rqv_get_u64(fixed + RQV_REQUEST_TRUST_ID);
    ret_head->session_id = rqv_get_u64(fixed + RQV_REQUEST_SESSION_ID);
    ret_head->connection_id = rqv_get_u64(fixed + RQV_REQUEST_CONNECTION_ID);
    ret_head->redirect_max = rqv_get_u16(fixed + RQV_REQUEST_REDIRECT_MAX);
    ret_head->tls_min = fixed[RQV_REQUEST_TLS_MIN];
    ret_head->tls_max = fixed[RQV_REQUEST_TLS_MAX];
    ret_head->method = method;
    ret_head->url = url;
    ret_head->route = route;
    fill_fields(fields, count, &ret_head->fields);
    return 0;
}

int rqv_wire_decode_operation(struct rqv_str payload, struct rqv_operation *ret_operation,
                              const char **ret_why)
{
    struct reader reader;
    const char *why = open_fixed(&reader, payload, RQV_OPERATION_CORE, RQV_OPERATION_SIZE);
    if (why)
        return refuse(why, ret_why);
    struct rqv_str head = {reader.at, reader.left};
    int r = rqv_wire_decode_request(head, &ret_operation->head, ret_why);
    if (r < 0)
        return r;
    ret_operation->verb = rqv_get_u16(reader.fixed + RQV_OPERATION_VERB);
    ret_operation->value = rqv_get_u32(reader.fixed + RQV_OPERATION_VALUE);
    ret_operation->target = rqv_get_u64(reader.fixed + RQV_OPERATION_TARGET);
    return 0;
}

int rqv_wire_decode_hop(struct rqv_str payload, struct rqv_hop *ret_hop, const char **ret_why)
{
    struct reader reader;
    struct rqv_str method, url;
    const char *why = open_fixed(&reader, payload, RQV_HOP_CORE, RQV_HOP_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    size_t count = rqv_get_u16(fixed + RQV_HOP_FIELD_COUNT);
    why = take_view(&reader, rqv_get_u16(fixed + RQV_HOP_METHOD_LEN), RQV_WIRE_HEAD_MAX, &method);
    if (!why)
        why = take_view(&reader, rqv_get_u16(fixed + RQV_HOP_URL_LEN), RQV_WIRE_HEAD_MAX, &url);
    const char *fields = reader.at;
    if (!why)
        why = skip_fields(&reader, count);
    if (!why)
        why = close_reader(&reader);
    uint16_t flags = rqv_get_u16(fixed + RQV_HOP_FLAGS);
    if (!why && (flags & ~RQV_HOP_KNOWN))
        why = "a HOP with unknown flags";
    if (why)
        return refuse(why, ret_why);
    ret_hop->flags = flags;
    ret_hop->method = method;
    ret_hop->url = url;
    fill_fields(fields, count, &ret_hop->fields);
    return 0;
}

/* What of a RESPONSE is out of range; NULL when nothing is. */
static const char *response_fault(const uint8_t *fixed)
{
    uint16_t status = rqv_get_u16(fixed + RQV_RESPONSE_STATUS);
    if (status < 100 || status > 999)
        return "a RESPONSE with an impossible status";
    if (fixed[RQV_RESPONSE_MINOR] > 9)
        return "a RESPONSE with an impossible HTTP version";
    if (fixed[RQV_RESPONSE_FLAGS] & ~RQV_RESP_KNOWN)
        return "a RESPONSE with unknown flags";
    if ((int64_t)rqv_get_u64(fixed + RQV_RESPONSE_CONTENT_LENGTH) < -1)
        return "a RESPONSE with an impossible length";
    return NULL;
}

int rqv_wire_decode_response(struct rqv_str payload, struct rqv_response_head *ret_head, const char **ret_why)
{
    struct reader reader;
    struct rqv_str reason, address;
    const char *why = open_fixed(&reader, payload, RQV_RESPONSE_CORE, RQV_RESPONSE_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    size_t count = rqv_get_u16(fixed + RQV_RESPONSE_FIELD_COUNT);
    why = take_view(&reader, rqv_get_u16(fixed + RQV_RESPONSE_REASON_LEN), RQV_WIRE_REASON_MAX, &reason);
    if (!why)
        why =
            take_view(&reader, rqv_get_u16(fixed + RQV_RESPONSE_ADDRESS_LEN), RQV_WIRE_ADDRESS_MAX, &address);
    const char *fields = reader.at;
    if (!why)
        why = skip_fields(&reader, count);
    if (!why)
        why = close_reader(&reader);
    if (!why)
        why = response_fault(fixed);
    if (why)
        return refuse(why, ret_why);
    ret_head->status = rqv_get_u16(fixed + RQV_RESPONSE_STATUS);
    ret_head->minor = fixed[RQV_RESPONSE_MINOR];
    ret_head->flags = fixed[RQV_RESPONSE_FLAGS];
    ret_head->content_length = (int64_t)rqv_get_u64(fixed + RQV_RESPONSE_CONTENT_LENGTH);
    for (size_t i = 0; i < RQV_TIME_COUNT; i++)
        ret_head->time_us[i] = rqv_get_u32(fixed + RQV_RESPONSE_TIME_US + 4 * i);
    ret_head->reason = reason;
    ret_head->address = address;
    fill_fields(fields, count, &ret_head->fields);
    return 0;
}

int rqv_wire_decode_fields(struct rqv_str payload, struct rqv_fields *ret_fields, const char **ret_why)
{
    struct reader reader;
    const char *why = open_fixed(&reader, payload, RQV_FIELDS_CORE, RQV_FIELDS_SIZE);
    if (why)
        return refuse(why, ret_why);
    size_t count = rqv_get_u16(reader.fixed + RQV_FIELDS_FIELD_COUNT);
    const char *fields = reader.at;
    why = skip_fields(&reader, count);
    if (!why)
        why = close_reader(&reader);
    if (why)
        return refuse(why, ret_why);
    fill_fields(fields, count, ret_fields);
    return 0;
}

/* What of a DONE is out of range; NULL when nothing is. */
static const char *done_fault(const uint8_t *fixed)
{
    if (fixed[RQV_DONE_PHASE] > REQIVO_PHASE_BODY)
        return "a DONE with an unknown phase";
    if (fixed[RQV_DONE_SENT] > REQIVO_SENT_YES)
        return "a DONE with an unknown value of sent";
    if (rqv_get_u32(fixed + RQV_DONE_FLAGS) & ~RQV_RESP_KNOWN)
        return "a DONE with unknown flags";
    if ((int32_t)rqv_get_u32(fixed + RQV_DONE_CODE) > 0)
        return "a DONE with a positive code";
    return NULL;
}

int rqv_wire_decode_done(struct rqv_str payload, struct rqv_done *ret_done, const char **ret_why)
{
    struct reader reader;
    struct rqv_str detail, address;
    const char *why = open_fixed(&reader, payload, RQV_DONE_CORE, RQV_DONE_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    why = take_view(&reader, rqv_get_u16(fixed + RQV_DONE_DETAIL_LEN), RQV_WIRE_DETAIL_MAX, &detail);
    if (!why)
        why = take_view(&reader, rqv_get_u16(fixed + RQV_DONE_ADDRESS_LEN), RQV_WIRE_ADDRESS_MAX, &address);
    if (!why)
        why = close_reader(&reader);
    if (!why)
        why = done_fault(fixed);
    if (why)
        return refuse(why, ret_why);
    ret_done->code = (int32_t)rqv_get_u32(fixed + RQV_DONE_CODE);
    ret_done->sys_errno = (int32_t)rqv_get_u32(fixed + RQV_DONE_SYS_ERRNO);
    ret_done->phase = fixed[RQV_DONE_PHASE];
    ret_done->sent = fixed[RQV_DONE_SENT];
    ret_done->flags = (uint8_t)rqv_get_u32(fixed + RQV_DONE_FLAGS);
    for (size_t i = 0; i < RQV_TIME_COUNT; i++)
        ret_done->time_us[i] = rqv_get_u32(fixed + RQV_DONE_TIME_US + 4 * i);
    ret_done->body_bytes = rqv_get_u64(fixed + RQV_DONE_BODY_BYTES);
    ret_done->detail = detail;
    ret_done->address = address;
    return 0;
}

int rqv_wire_decode_u32(struct rqv_str payload, uint32_t *ret_value, const char **ret_why)
{
    if (payload.len != 4)
        return refuse("a payload that is not 4 bytes long", ret_why);
    uint32_t value = rqv_get_u32((const uint8_t *)payload.ptr);
    if (value == 0 || value > RQV_WIRE_CREDIT_MAX)
        return refuse("a count of bytes that is 0 or too large", ret_why);
    *ret_value = value;
    return 0;
}

int rqv_wire_decode_verb(struct rqv_str payload, uint16_t *ret_verb, const char **ret_why)
{
    if (payload.len != 2)
        return refuse("a payload that is not 2 bytes long", ret_why);
    *ret_verb = rqv_get_u16((const uint8_t *)payload.ptr);
    return 0;
}

int rqv_wire_decode_goaway(struct rqv_str payload, struct rqv_goaway *ret_goaway, const char **ret_why)
{
    struct reader reader;
    struct rqv_str detail, ids;
    const char *why = open_fixed(&reader, payload, RQV_GOAWAY_CORE, RQV_GOAWAY_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    uint32_t count = rqv_get_u32(fixed + RQV_GOAWAY_ID_COUNT);
    why = take_view(&reader, rqv_get_u16(fixed + RQV_GOAWAY_DETAIL_LEN), RQV_WIRE_DETAIL_MAX, &detail);
    if (!why && count > RQV_WIRE_GOAWAY_IDS_MAX)
        why = "a GOAWAY with too many ids";
    if (!why)
        why = take_view(&reader, (size_t)count * 8, RQV_WIRE_PAYLOAD_MAX, &ids);
    if (!why)
        why = close_reader(&reader);
    if (!why && (int32_t)rqv_get_u32(fixed + RQV_GOAWAY_CODE) > 0)
        why = "a GOAWAY with a positive code";
    if (why)
        return refuse(why, ret_why);
    *ret_goaway = (struct rqv_goaway){
        .code = (int32_t)rqv_get_u32(fixed + RQV_GOAWAY_CODE),
        .detail = detail,
        .count = count,
        .ids = (const uint8_t *)ids.ptr,
    };
    return 0;
}

uint64_t rqv_wire_goaway_id(const struct rqv_goaway *goaway, size_t n)
{
    return rqv_get_u64(goaway->ids + 8 * n);
}

int rqv_wire_decode_ws_open(struct rqv_str payload, struct rqv_ws_open *ret_open, const char **ret_why)
{
    struct reader reader;
    struct rqv_str url;
    const char *why = open_fixed(&reader, payload, RQV_WS_OPEN_CORE, RQV_WS_OPEN_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    size_t count = rqv_get_u16(fixed + RQV_WS_OPEN_FIELD_COUNT);
    why = take_view(&reader, rqv_get_u16(fixed + RQV_WS_OPEN_URL_LEN), RQV_WIRE_HEAD_MAX, &url);
    const char *fields = reader.at;
    if (!why)
        why = skip_fields(&reader, count);
    if (!why)
        why = close_reader(&reader);
    uint32_t flags = rqv_get_u32(fixed + RQV_WS_OPEN_FLAGS);
    if (!why && (flags & ~RQV_WS_KNOWN))
        why = "a WS_OPEN with unknown flags";
    if (why)
        return refuse(why, ret_why);
    ret_open->reconnect_max = rqv_get_u16(fixed + RQV_WS_OPEN_RECONNECT_MAX);
    ret_open->flags = flags;
    for (size_t i = 0; i < RQV_T_COUNT; i++)
        ret_open->timeout_ms[i] = rqv_get_u32(fixed + RQV_WS_OPEN_TIMEOUT_MS + 4 * i);
    ret_open->trust_id = rqv_get_u64(fixed + RQV_WS_OPEN_TRUST_ID);
    ret_open->message_max = rqv_get_u64(fixed + RQV_WS_OPEN_MESSAGE_MAX);
    ret_open->ping_ms = rqv_get_u32(fixed + RQV_WS_OPEN_PING_MS);
    ret_open->pong_ms = rqv_get_u32(fixed + RQV_WS_OPEN_PONG_MS);
    ret_open->idle_ms = rqv_get_u32(fixed + RQV_WS_OPEN_IDLE_MS);
    ret_open->backoff_ms = rqv_get_u32(fixed + RQV_WS_OPEN_BACKOFF_MS);
    ret_open->backoff_max_ms = rqv_get_u32(fixed + RQV_WS_OPEN_BACKOFF_MAX_MS);
    ret_open->url = url;
    fill_fields(fields, count, &ret_open->fields);
    return 0;
}

int rqv_wire_decode_ws_close(struct rqv_str payload, struct rqv_ws_close_info *ret_close,
                             const char **ret_why)
{
    struct reader reader;
    struct rqv_str reason;
    const char *why = open_fixed(&reader, payload, RQV_WS_CLOSE_CORE, RQV_WS_CLOSE_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    why = take_view(&reader, rqv_get_u16(fixed + RQV_WS_CLOSE_REASON_LEN), RQV_WIRE_CLOSE_MAX, &reason);
    if (!why)
        why = close_reader(&reader);
    uint16_t flags = rqv_get_u16(fixed + RQV_WS_CLOSE_FLAGS);
    if (!why && (flags & ~RQV_WS_CLOSE_KNOWN))
        why = "a WS_CLOSE with unknown flags";
    if (why)
        return refuse(why, ret_why);
    *ret_close = (struct rqv_ws_close_info){
        .code = rqv_get_u16(fixed + RQV_WS_CLOSE_CODE),
        .flags = flags,
        .undelivered = rqv_get_u32(fixed + RQV_WS_CLOSE_UNDELIVERED),
        .taken = rqv_get_u32(fixed + RQV_WS_CLOSE_TAKEN),
        .unconfirmed = rqv_get_u32(fixed + RQV_WS_CLOSE_UNCONFIRMED),
        .reason = reason,
    };
    return 0;
}

int rqv_wire_decode_ws_event(struct rqv_str payload, struct rqv_ws_event_info *ret_event,
                             const char **ret_why)
{
    struct reader reader;
    struct rqv_str detail;
    const char *why = open_fixed(&reader, payload, RQV_WS_EVENT_CORE, RQV_WS_EVENT_SIZE);
    if (why)
        return refuse(why, ret_why);
    const uint8_t *fixed = reader.fixed;
    why = take_view(&reader, rqv_get_u16(fixed + RQV_WS_EVENT_DETAIL_LEN), RQV_WIRE_DETAIL_MAX, &detail);
    if (!why)
        why = close_reader(&reader);
    uint16_t kind = rqv_get_u16(fixed + RQV_WS_EVENT_KIND);
    if (!why && (kind < RQV_WS_LOST || kind > RQV_WS_ENDING))
        why = "a WS_EVENT of an unknown kind";
    if (!why && (int32_t)rqv_get_u32(fixed + RQV_WS_EVENT_CODE) > 0)
        why = "a WS_EVENT with a positive code";
    if (why)
        return refuse(why, ret_why);
    *ret_event = (struct rqv_ws_event_info){
        .kind = kind,
        .attempt = rqv_get_u16(fixed + RQV_WS_EVENT_ATTEMPT),
        .wait_ms = rqv_get_u32(fixed + RQV_WS_EVENT_WAIT_MS),
        .undelivered = rqv_get_u32(fixed + RQV_WS_EVENT_UNDELIVERED),
        .unconfirmed = rqv_get_u32(fixed + RQV_WS_EVENT_UNCONFIRMED),
        .code = (int32_t)rqv_get_u32(fixed + RQV_WS_EVENT_CODE),
        .detail = detail,
    };
    return 0;
}
