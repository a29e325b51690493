/* SPDX-License-Identifier: MIT */
/*
 * http1_parts - the contracts between the pieces of http1, private to proto/http1*.c and their tests.
 *
 *   bytes -> gate -> framing -> parser agrees? -> head            (http1_decode.c drives)
 *   bytes -> chunk -> body                                        "
 */
#ifndef RQV_PROTO_HTTP1_PARTS_H
#define RQV_PROTO_HTTP1_PARTS_H

#include "proto/fields.h"
#include "proto/http1.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- gate: a section of lines up to the empty one ------------------------------------------------------ */

struct rqv_http1_section {
    size_t bytes_max, line_max, name_max, fields_max;
    struct rqv_http1_head
        *head; /* status, minor and reason go here; NULL for trailers, which have no first line */
    struct rqv_fields *fields; /* the array to fill */
};

/*
 * Judges the lines that have become complete since the last call; `cursor` starts as zeros and remembers.
 * 1 when the section is complete: cursor->line is its length, head and fields are filled with views into
 * `in`. 0 when more bytes are needed. Negative: REQIVO_E_RESPONSE_HEAD or _RESPONSE_LIMIT, with *ret_why. The
 * result does not depend on how the bytes were split.
 */
int rqv_http1_gate(const struct rqv_http1_section *section, const uint8_t *in, size_t len,
                   struct rqv_http1_cursor *cursor, const char **ret_why);

/* Drops what has no business in a trailer section (RFC 9110 6.5.1): framing, routing, authentication,
 * cookies, content. */
void rqv_http1_filter_trailers(struct rqv_fields *fields);

/* ---- chunks
 * ------------------------------------------------------------------------------------------------ */

struct rqv_http1_piece {
    size_t consumed;     /* framing and data, data last */
    const uint8_t *data; /* view into `in` */
    size_t len;          /* 0: no data yet */
    bool last;           /* the last chunk's line was read; the trailer section follows */
};

/* `limits` outlive the chunk decoder. */
void rqv_http1_chunk_init(struct rqv_http1_chunk *chunk, const struct rqv_http1_limits *limits);

/* Reads framing up to the first data, the last chunk, or the end of `in`. 0, or REQIVO_E_RESPONSE_FRAMING,
 * _LIMIT. */
int rqv_http1_chunk_decode(struct rqv_http1_chunk *chunk, const uint8_t *in, size_t len,
                           struct rqv_http1_piece *ret_piece, const char **ret_why);

/* ---- parser
 * ------------------------------------------------------------------------------------------------ */

/* Does http-parser read the same status, version, fields, length and coding in this complete head? 0, or
 * REQIVO_E_RESPONSE_HEAD with *ret_why. */
int rqv_http1_parser_check(const uint8_t *bytes, size_t len, const struct rqv_http1_head *head,
                           const struct rqv_http1_framing *framing, const char **ret_why);

#endif
