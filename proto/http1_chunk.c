/* SPDX-License-Identifier: MIT */
/*
 * http1_chunk - the chunked transfer coding (RFC 9112 7.1), strict: http-parser accepts "5 x", bare LF and
 * data that is not followed by CRLF (landscape.md D.1), so it never sees a body.
 *
 *   SIZE0 -hex-> SIZE -+- CR -> SIZE_LF -+- size > 0 -> DATA -> DATA_CR -> DATA_LF -> SIZE0
 *                      '- ; -> ext. states -CR-^     '- size 0 -> LAST (the trailer section follows)
 *
 *   extension: ; NAME0 NAME [ = VALUE0 ( VALUE | " QUOTED [ \ ESCAPED ] " QUOTED_END ) ]   repeated
 *
 * Framing is read byte by byte and needs no contiguous buffer; data is handed out as it lies there.
 */
#include "proto/http1_parts.h"

#include <reqivo/error.h>

#include <stdint.h>

enum {
    STATE_SIZE0 = 0,
    STATE_SIZE,
    STATE_SIZE_LF,
    STATE_NAME0,
    STATE_NAME,
    STATE_VALUE0,
    STATE_VALUE,
    STATE_QUOTED,
    STATE_ESCAPED,
    STATE_QUOTED_END,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_LAST,
};

#define SIZE_DIGITS_MAX 16

static int refuse(int code, const char *why, const char **ret_why)
{
    *ret_why = why;
    return code;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void rqv_http1_chunk_init(struct rqv_http1_chunk *chunk, const struct rqv_http1_limits *limits)
{
    *chunk = (struct rqv_http1_chunk){.limits = limits, .state = STATE_SIZE0};
}

/* The plain framing of a chunk is free, as in Go after CVE-2023-39326: a server may well send one byte a
 * chunk. What nobody needs is paid from the body's bytes and a constant. */
static int charge(struct rqv_http1_chunk *chunk, const char **ret_why)
{
    chunk->overhead++;
    if (chunk->overhead > chunk->limits->chunk_overhead &&
        chunk->overhead - chunk->limits->chunk_overhead > chunk->body)
        return refuse(REQIVO_E_RESPONSE_LIMIT, "chunk extensions outweigh the body", ret_why);
    return 0;
}

static int take_digit(struct rqv_http1_chunk *chunk, int digit, const char **ret_why)
{
    bool after_zero = chunk->digits > 0 && chunk->left == 0;

    if (chunk->digits == SIZE_DIGITS_MAX)
        return refuse(REQIVO_E_RESPONSE_FRAMING, "a chunk size has too many digits", ret_why);
    if (chunk->left > (uint64_t)INT64_MAX >> 4)
        return refuse(REQIVO_E_RESPONSE_FRAMING, "a chunk size is too large", ret_why);
    chunk->digits++;
    chunk->left = chunk->left << 4 | (uint64_t)digit;
    chunk->state = STATE_SIZE;
    return after_zero ? charge(chunk, ret_why) : 0;
}

static int step_size(struct rqv_http1_chunk *chunk, uint8_t c, const char **ret_why)
{
    int digit = hex_value(c);

    if (digit >= 0)
        return take_digit(chunk, digit, ret_why);
    if (chunk->state == STATE_SIZE0)
        return refuse(REQIVO_E_RESPONSE_FRAMING, "a chunk does not begin with its size", ret_why);
    if (c == '\r') {
        chunk->state = STATE_SIZE_LF;
        return 0;
    }
    if (c != ';')
        return refuse(REQIVO_E_RESPONSE_FRAMING, "a chunk size is followed by something else", ret_why);
    chunk->state = STATE_NAME0;
    chunk->ext = 1;
    return charge(chunk, ret_why);
}

/* After a complete name or value: the next extension, the end of the line, or nothing that is allowed (-1).
 */
static int after_element(uint8_t c)
{
    if (c == ';')
        return STATE_NAME0;
    return c == '\r' ? STATE_SIZE_LF : -1;
}

/* qdtext, and what a backslash may stand before: HTAB, SP, VCHAR, obs-text (RFC 9110 5.6.4). */
static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* The state that byte c leads to, or -1. RFC 9112 7.1.1 without its "bad" white space. */
static int next_ext_state(int state, uint8_t c)
{
    switch (state) {
    case STATE_NAME0:
        return rqv_is_tchar(c) ? STATE_NAME : -1;
    case STATE_NAME:
        if (rqv_is_tchar(c))
            return STATE_NAME;
        return c == '=' ? STATE_VALUE0 : after_element(c);
    case STATE_VALUE0:
        if (c == '"')
            return STATE_QUOTED;
        return rqv_is_tchar(c) ? STATE_VALUE : -1;
    case STATE_VALUE:
        return rqv_is_tchar(c) ? STATE_VALUE : after_element(c);
    case STATE_QUOTED:
        if (c == '"')
            return STATE_QUOTED_END;
        if (c == '\\')
            return STATE_ESCAPED;
        return is_text(c) ? STATE_QUOTED : -1;
    case STATE_ESCAPED:
        return is_text(c) ? STATE_QUOTED : -1;
    default: /* STATE_QUOTED_END */
        return after_element(c);
    }
}

static int step_ext(struct rqv_http1_chunk *chunk, uint8_t c, const char **ret_why)
{
    int next = next_ext_state(chunk->state, c);

    if (next < 0)
        return refuse(REQIVO_E_RESPONSE_FRAMING, "a chunk extension is malformed", ret_why);
    chunk->state = next;
    if (next == STATE_SIZE_LF)
        return 0;
    if (++chunk->ext > chunk->limits->chunk_ext_max)
        return refuse(REQIVO_E_RESPONSE_LIMIT, "a chunk extension is too long", ret_why);
    return charge(chunk, ret_why);
}

static int step_line_end(struct rqv_http1_chunk *chunk, uint8_t c, const char **ret_why)
{
    bool want_cr = chunk->state == STATE_DATA_CR;

    if (c != (want_cr ? '\r' : '\n'))
        return refuse(REQIVO_E_RESPONSE_FRAMING,
                      chunk->state == STATE_SIZE_LF ? "a chunk's size line does not end in CRLF"
                                                    : "a chunk's data is not followed by CRLF",
                      ret_why);
    if (want_cr) {
        chunk->state = STATE_DATA_LF;
    } else if (chunk->state == STATE_SIZE_LF) {
        chunk->state = chunk->left > 0 ? STATE_DATA : STATE_LAST;
        chunk->body += chunk->left;
    } else {
        chunk->state = STATE_SIZE0;
        chunk->digits = 0;
        chunk->ext = 0;
    }
    return 0;
}

static int step(struct rqv_http1_chunk *chunk, uint8_t c, const char **ret_why)
{
    switch (chunk->state) {
    case STATE_SIZE0:
    case STATE_SIZE:
        return step_size(chunk, c, ret_why);
    case STATE_SIZE_LF:
    case STATE_DATA_CR:
    case STATE_DATA_LF:
        return step_line_end(chunk, c, ret_why);
    default:
        return step_ext(chunk, c, ret_why);
    }
}

int rqv_http1_chunk_decode(struct rqv_http1_chunk *chunk, const uint8_t *in, size_t len,
                           struct rqv_http1_piece *ret_piece, const char **ret_why)
{
    struct rqv_http1_piece piece = {0};

    while (piece.consumed < len && chunk->state != STATE_DATA && chunk->state != STATE_LAST) {
        int r = step(chunk, in[piece.consumed], ret_why);

        if (r < 0)
            return r;
        piece.consumed++;
    }
    if (chunk->state == STATE_DATA && piece.consumed < len) {
        size_t room = len - piece.consumed;

        piece.data = in + piece.consumed;
        piece.len = chunk->left < room ? (size_t)chunk->left : room;
        piece.consumed += piece.len;
        chunk->left -= piece.len;
        if (chunk->left == 0)
            chunk->state = STATE_DATA_CR;
    }
    piece.last = chunk->state == STATE_LAST;
    *ret_piece = piece;
    return 0;
}
