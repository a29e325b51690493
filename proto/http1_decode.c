/* SPDX-License-Identifier: MIT */
/*
 * http1_decode - drives one response through gate, framing, parser and body; one event a call. The states are
 * those of enum rqv_http1_state, in file order below; http1.h draws them.
 */
#include "proto/http1_parts.h"

#include <reqivo/error.h>

#include <errno.h>

void rqv_http1_limits_default(struct rqv_http1_limits *ret_limits)
{
    *ret_limits = (struct rqv_http1_limits){
        .head_max = RQV_HTTP1_HEAD_MAX,
        .line_max = 16384,
        .name_max = 256,
        .fields_max = RQV_FIELDS_MAX,
        .interim_max = 8,
        .trailer_max = 8192,
        .trailer_fields_max = 32,
        .chunk_ext_max = 64,
        .chunk_overhead = 16384,
    };
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void enter(struct rqv_http1_decoder *dec, enum rqv_http1_state state)
{
    dec->state = state;
    if (state == RQV_HTTP1_STATE_HEAD || state == RQV_HTTP1_STATE_TRAILERS)
        dec->cursor = (struct rqv_http1_cursor){0};
    else if (state == RQV_HTTP1_STATE_CHUNKS)
        rqv_http1_chunk_init(&dec->chunk, dec->limits);
}

/* Failures repeat until the next begin: a caller that overlooks one cannot read on. */
static int fail(struct rqv_http1_decoder *dec, int code, const char *why, struct rqv_http1_event *event)
{
    dec->error = code;
    dec->why = why;
    dec->reusable = false;
    enter(dec, RQV_HTTP1_STATE_FAILED);
    event->why = why;
    return code;
}

void rqv_http1_init(struct rqv_http1_decoder *dec, const struct rqv_http1_limits *limits,
                    struct rqv_fields *fields)
{
    *dec = (struct rqv_http1_decoder){.limits = limits, .fields = fields};
}

void rqv_http1_begin(struct rqv_http1_decoder *dec, const struct rqv_http1_request_info *info)
{
    dec->is_head = info->is_head;
    dec->upgrade = info->upgrade;
    dec->seen = false;
    dec->reusable = true;
    dec->error = 0;
    dec->why = NULL;
    dec->interims = 0;
    dec->interim_bytes = 0;
    dec->left = 0;
    enter(dec, RQV_HTTP1_STATE_HEAD);
}

bool rqv_http1_seen(const struct rqv_http1_decoder *dec)
{
    return dec->seen;
}

/* ---- HEAD -------------------------------------------------------------------------------------------------
 */

static int interim(struct rqv_http1_decoder *dec, struct rqv_http1_event *event)
{
    if (++dec->interims > dec->limits->interim_max)
        return fail(dec, REQIVO_E_RESPONSE_LIMIT, "there are too many interim responses", event);
    dec->interim_bytes += event->consumed;
    event->type = RQV_HTTP1_INTERIM;
    enter(dec, RQV_HTTP1_STATE_HEAD);
    return 0;
}

static int final(struct rqv_http1_decoder *dec, struct rqv_http1_event *event)
{
    event->type = RQV_HTTP1_HEAD;
    switch (event->head.body) {
    case RQV_HTTP1_CHUNKED:
        enter(dec, RQV_HTTP1_STATE_CHUNKS);
        break;
    case RQV_HTTP1_UNTIL_CLOSE:
        enter(dec, RQV_HTTP1_STATE_UNTIL_CLOSE);
        break;
    case RQV_HTTP1_LENGTH:
        dec->left = (uint64_t)event->head.content_length;
        enter(dec, dec->left > 0 ? RQV_HTTP1_STATE_LENGTH : RQV_HTTP1_STATE_END);
        break;
    case RQV_HTTP1_NONE:
        enter(dec, RQV_HTTP1_STATE_END);
        break;
    }
    return 0;
}

static int decode_head(struct rqv_http1_decoder *dec, const uint8_t *in, size_t len,
                       struct rqv_http1_event *event)
{
    const struct rqv_http1_limits *limits = dec->limits;
    size_t head_max = smaller(limits->head_max, RQV_HTTP1_HEAD_MAX);
    struct rqv_http1_section section = {
        .bytes_max = head_max - smaller(head_max, dec->interim_bytes),
        .line_max = limits->line_max,
        .name_max = limits->name_max,
        .fields_max = smaller(limits->fields_max, RQV_FIELDS_MAX),
        .head = &event->head,
        .fields = dec->fields,
    };
    const struct rqv_http1_request_info info = {dec->is_head, dec->upgrade};
    struct rqv_http1_framing framing;
    const char *why = NULL;
    int r = rqv_http1_gate(&section, in, len, &dec->cursor, &why);

    if (r == 0)
        return 0; /* NEED, nothing consumed */
    event->head.fields = dec->fields;
    if (r > 0)
        r = rqv_http1_framing(&event->head, &info, &framing, &why);
    if (r == 0)
        r = rqv_http1_parser_check(in, dec->cursor.line, &event->head, &framing, &why);
    if (r < 0)
        return fail(dec, r, why, event);
    /* Connection: close in an interim response counts too. */
    dec->reusable = dec->reusable && framing.reusable;
    event->consumed = dec->cursor.line;
    event->head.body = framing.body;
    event->head.content_length = framing.content_length;
    event->head.keep_alive_timeout = framing.keep_alive_timeout;
    event->head.reusable = dec->reusable;
    return event->head.status < 200 && event->head.status != 101 ? interim(dec, event) : final(dec, event);
}

static void end(struct rqv_http1_decoder *dec, struct rqv_http1_event *event)
{
    event->type = RQV_HTTP1_END;
    event->reusable = dec->reusable;
    enter(dec, RQV_HTTP1_STATE_IDLE);
}

/* ---- bodies -----------------------------------------------------------------------------------------------
 */

static void give_body(struct rqv_http1_event *event, const uint8_t *bytes, size_t len)
{
    event->type = RQV_HTTP1_BODY;
    event->body = bytes;
    event->body_len = len;
}

static int decode_length(struct rqv_http1_decoder *dec, const uint8_t *in, size_t len,
                         struct rqv_http1_event *event)
{
    size_t n = dec->left < len ? (size_t)dec->left : len;

    if (n == 0)
        return 0;
    give_body(event, in, n);
    event->consumed = n;
    dec->left -= n;
    if (dec->left == 0)
        enter(dec, RQV_HTTP1_STATE_END);
    return 0;
}

static int decode_until_close(const uint8_t *in, size_t len, struct rqv_http1_event *event)
{
    if (len == 0)
        return 0;
    give_body(event, in, len);
    event->consumed = len;
    return 0;
}

static int decode_trailers(struct rqv_http1_decoder *dec, const uint8_t *in, size_t len,
                           struct rqv_http1_event *event)
{
    struct rqv_http1_section section = {
        .bytes_max = dec->limits->trailer_max,
        .line_max = dec->limits->line_max,
        .name_max = dec->limits->name_max,
        .fields_max = smaller(dec->limits->trailer_fields_max, RQV_FIELDS_MAX),
        .fields = dec->fields,
    };
    const char *why = NULL;
    int r = rqv_http1_gate(&section, in, len, &dec->cursor, &why);

    if (r == 0)
        return 0;
    if (r < 0)
        return fail(dec, r, why, event);
    rqv_http1_filter_trailers(dec->fields);
    event->consumed = dec->cursor.line;
    if (dec->fields->count == 0) {
        end(dec, event);
        return 0;
    }
    event->type = RQV_HTTP1_TRAILERS;
    event->trailers = dec->fields;
    enter(dec, RQV_HTTP1_STATE_END);
    return 0;
}

static int decode_chunks(struct rqv_http1_decoder *dec, const uint8_t *in, size_t len,
                         struct rqv_http1_event *event)
{
    struct rqv_http1_piece piece;
    const char *why = NULL;
    int r = rqv_http1_chunk_decode(&dec->chunk, in, len, &piece, &why);

    if (r < 0)
        return fail(dec, r, why, event);
    event->consumed = piece.consumed;
    if (piece.len > 0)
        give_body(event, piece.data, piece.len);
    if (!piece.last)
        return 0;
    enter(dec, RQV_HTTP1_STATE_TRAILERS);
    r = decode_trailers(dec, in + piece.consumed, len - piece.consumed, event);
    if (r == 0 && event->type != RQV_HTTP1_NEED)
        event->consumed += piece.consumed;
    return r;
}

/* ---- the driver -------------------------------------------------------------------------------------------
 */

int rqv_http1_decode(struct rqv_http1_decoder *dec, const uint8_t *in, size_t len,
                     struct rqv_http1_event *ret_event)
{
    static const uint8_t nothing[1];

    *ret_event = (struct rqv_http1_event){.type = RQV_HTTP1_NEED};
    if (in == NULL) /* with len 0: an empty buffer may have no block */
        in = nothing;
    dec->seen = dec->seen || len > 0;
    switch (dec->state) {
    case RQV_HTTP1_STATE_HEAD:
        return decode_head(dec, in, len, ret_event);
    case RQV_HTTP1_STATE_LENGTH:
        return decode_length(dec, in, len, ret_event);
    case RQV_HTTP1_STATE_CHUNKS:
        return decode_chunks(dec, in, len, ret_event);
    case RQV_HTTP1_STATE_TRAILERS:
        return decode_trailers(dec, in, len, ret_event);
    case RQV_HTTP1_STATE_UNTIL_CLOSE:
        return decode_until_close(in, len, ret_event);
    case RQV_HTTP1_STATE_END:
        end(dec, ret_event);
        return 0;
    case RQV_HTTP1_STATE_FAILED:
        ret_event->why = dec->why;
        return dec->error;
    case RQV_HTTP1_STATE_IDLE:
        break;
    }
    ret_event->why = "no response is expected";
    return -EINVAL;
}

int rqv_http1_eof(struct rqv_http1_decoder *dec, struct rqv_http1_event *ret_event)
{
    *ret_event = (struct rqv_http1_event){.type = RQV_HTTP1_NEED};
    switch (dec->state) {
    case RQV_HTTP1_STATE_UNTIL_CLOSE:
    case RQV_HTTP1_STATE_END:
        dec->reusable = false;
        end(dec, ret_event);
        return 0;
    case RQV_HTTP1_STATE_FAILED:
        ret_event->why = dec->why;
        return dec->error;
    case RQV_HTTP1_STATE_IDLE:
        ret_event->why = "no response is expected";
        return -EINVAL;
    case RQV_HTTP1_STATE_HEAD:
        if (!dec->seen)
            return fail(dec, REQIVO_E_EMPTY_RESPONSE, "the server closed without an answer", ret_event);
        return fail(dec, REQIVO_E_TRUNCATED, "the response head is cut short", ret_event);
    case RQV_HTTP1_STATE_LENGTH:
    case RQV_HTTP1_STATE_CHUNKS:
    case RQV_HTTP1_STATE_TRAILERS:
        break;
    }
    return fail(dec, REQIVO_E_TRUNCATED, "the response body is cut short", ret_event);
}
