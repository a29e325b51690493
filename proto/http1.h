/* SPDX-License-Identifier: MIT */
/*
 * http1 - HTTP/1.1 as bytes: responses in, requests out (RFC 9112). No I/O, no clock, no allocation.
 *
 *   begin -> (INTERIM)* -> HEAD -+- NONE ------------------------+-> END, then begin again
 *                                |- LENGTH -- BODY* -------------|
 *                                |- CHUNKED - BODY* - (TRAILERS) |
 *                                '- UNTIL_CLOSE - BODY* - eof ---'
 *
 * The caller keeps the bytes and calls rqv_http1_decode() until it answers NEED or END:
 *
 *   in             in + consumed          in + len
 *    |-- drop these --|--- keep contiguous ---|  <- append more, call again
 *
 * A head or trailer section that is not complete consumes nothing (the decoder remembers how far it looked,
 * so nothing is looked at twice; the bytes may move between calls). After END every byte left is no response
 * to anything: the caller closes (or, after a 101 that was asked for, reads it as the new protocol). Views
 * (reason, fields, body) point into `in` of that call.
 *
 * The strict gate (http1_gate.c), the framing function (http1_length.c) and our chunk decoder (http1_chunk.c)
 * decide; http-parser (http1_parser.c) must agree with each head, or it is refused. security.md B4,
 * landscape.md D.1.
 */
#ifndef RQV_PROTO_HTTP1_H
#define RQV_PROTO_HTTP1_H

#include "common/str.h"
#include "proto/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- responses ------------------------------------------------------------------------------------------
 */

/* http-parser refuses heads over 80 KiB by itself, so head_max may not be set above this. */
#define RQV_HTTP1_HEAD_MAX 65536

struct rqv_http1_limits {
    size_t head_max;           /* bytes of status line and fields, those of all interim responses included */
    size_t line_max;           /* bytes of one line */
    size_t name_max;           /* bytes of one field name */
    size_t fields_max;         /* fields of a head, at most RQV_FIELDS_MAX */
    size_t interim_max;        /* interim responses before the final one */
    size_t trailer_max;        /* bytes of the trailer section */
    size_t trailer_fields_max; /* fields of the trailer section */
    size_t chunk_ext_max;      /* bytes of extensions of one chunk */
    size_t chunk_overhead;     /* extensions and leading zeros of all chunks may exceed the body by this */
};

/* 64 KiB head, 16 KiB line, 256 B name, 128 fields, 8 interim, 8 KiB and 32 trailers, 64 B extensions, 16 KiB
 * overhead. */
void rqv_http1_limits_default(struct rqv_http1_limits *ret_limits);

/* What the decoder must know of the request that is answered. */
struct rqv_http1_request_info {
    bool is_head; /* the method was HEAD */
    bool upgrade; /* Upgrade was asked for: a 101 is the final response, and what follows is not HTTP */
};

enum rqv_http1_body { RQV_HTTP1_NONE = 0, RQV_HTTP1_LENGTH, RQV_HTTP1_CHUNKED, RQV_HTTP1_UNTIL_CLOSE };

struct rqv_http1_head {
    const struct rqv_fields *fields; /* the array given to init; valid until the next call */
    struct rqv_str reason;           /* may be empty; obs-text possible, no control byte but HTAB */
    int status;                      /* 100..599 */
    int minor;                       /* HTTP/1.minor: 0 or 1 */
    enum rqv_http1_body body;
    int64_t content_length; /* of the field (also of a HEAD or 304 response, which has no body), else -1 */
    int64_t keep_alive_timeout; /* seconds of Keep-Alive: timeout=, else -1 */
    bool reusable;              /* so far */
};

enum rqv_http1_event_type {
    RQV_HTTP1_NEED = 0, /* drop `consumed`, call again with more bytes */
    RQV_HTTP1_INTERIM,  /* head: a 1xx that is not 101; the final response is still to come */
    RQV_HTTP1_HEAD,     /* head: the final response's */
    RQV_HTTP1_BODY,     /* body, body_len: never empty */
    RQV_HTTP1_TRAILERS, /* trailers: at least one; fields that have no business there are gone */
    RQV_HTTP1_END,      /* the response is complete; `reusable` is final for what the response says */
};

struct rqv_http1_event {
    enum rqv_http1_event_type type;
    size_t consumed;     /* bytes to drop from the front of `in`, once the views are used */
    const char *why;     /* on failure: a static sentence */
    const uint8_t *body; /* view into `in` */
    size_t body_len;
    const struct rqv_fields *trailers; /* as head.fields */
    struct rqv_http1_head head;
    bool reusable; /* with END */
};

enum rqv_http1_state {
    RQV_HTTP1_STATE_IDLE = 0, /* nothing is expected: begin first */
    RQV_HTTP1_STATE_HEAD,
    RQV_HTTP1_STATE_LENGTH,
    RQV_HTTP1_STATE_CHUNKS,
    RQV_HTTP1_STATE_TRAILERS,
    RQV_HTTP1_STATE_UNTIL_CLOSE,
    RQV_HTTP1_STATE_END, /* complete, END not fetched yet */
    RQV_HTTP1_STATE_FAILED,
};

/* How far a section of lines has been judged; offsets from the section's first byte. */
struct rqv_http1_cursor {
    size_t line;     /* start of the first line that is not complete */
    size_t searched; /* no LF between line and here */
    size_t fields;   /* field lines before `line` */
};

struct rqv_http1_chunk {
    const struct rqv_http1_limits *limits;
    int state;         /* private to http1_chunk.c */
    unsigned digits;   /* of the size */
    size_t ext;        /* bytes of this chunk's extensions */
    uint64_t left;     /* bytes of this chunk's data to come */
    uint64_t body;     /* data bytes of the chunks so far, the current one counted whole */
    uint64_t overhead; /* bytes of extensions and leading zeros */
};

struct rqv_http1_decoder {
    const struct rqv_http1_limits *limits;
    struct rqv_fields *fields;
    enum rqv_http1_state state;
    bool is_head;
    bool upgrade;
    bool seen;     /* a byte of this response has been seen */
    bool reusable; /* so far */
    int error;     /* in STATE_FAILED */
    const char *why;
    size_t interims, interim_bytes;
    uint64_t left; /* of a LENGTH body */
    struct rqv_http1_cursor cursor;
    struct rqv_http1_chunk chunk;
};

/* `limits` and `fields` are the caller's and outlive the decoder. `fields` is scratch that all decoders of
 * one thread may share: its content is valid until the next call with any of them, and nothing is kept there
 * between calls. */
void rqv_http1_init(struct rqv_http1_decoder *dec, const struct rqv_http1_limits *limits,
                    struct rqv_fields *fields);

/* Expects the response to one request. Forgets everything about the one before. */
void rqv_http1_begin(struct rqv_http1_decoder *dec, const struct rqv_http1_request_info *info);

/*
 * At most one event. 0 with *ret_event, or a failure (sticky until begin) with ret_event->why, after which
 * the connection is closed: REQIVO_E_RESPONSE_HEAD, _RESPONSE_FRAMING, _RESPONSE_LIMIT, _UPGRADE; -EINVAL
 * when nothing is expected. Costs O(1) for body bytes, however many there are.
 */
int rqv_http1_decode(struct rqv_http1_decoder *dec, const uint8_t *in, size_t len,
                     struct rqv_http1_event *ret_event);

/*
 * The server closed, and all bytes were given to decode until it answered NEED: 0 and END (not reusable), or
 * REQIVO_E_TRUNCATED, or REQIVO_E_EMPTY_RESPONSE if not one byte came. Whether the close can be believed (TLS
 * close_notify) the caller knows.
 */
int rqv_http1_eof(struct rqv_http1_decoder *dec, struct rqv_http1_event *ret_event);

/* Has any byte of the response been seen since begin? (The retry rule asks, after a reset.) */
bool rqv_http1_seen(const struct rqv_http1_decoder *dec);

/* ---- framing: the one place that decides length and reuse (http1_length.c)
 * ---------------------------------- */

struct rqv_http1_framing {
    enum rqv_http1_body body;
    int64_t content_length;     /* -1 when the field is absent */
    int64_t keep_alive_timeout; /* seconds, -1 when absent */
    bool chunked;               /* Transfer-Encoding: chunked is present (also where there is no body) */
    bool reusable;
};

/* Pure. Reads status, minor and fields of `head` only. 0, REQIVO_E_RESPONSE_FRAMING or REQIVO_E_UPGRADE with
 * *ret_why. */
int rqv_http1_framing(const struct rqv_http1_head *head, const struct rqv_http1_request_info *info,
                      struct rqv_http1_framing *ret_framing, const char **ret_why);

/* Feeds gate, framing, chunk decoder and http-parser together with responses that must be refused and some
 * that must not. 0, or REQIVO_E_INTERNAL and the name of the first one that was judged wrongly. Run once at
 * start. */
int rqv_http1_canaries(const char **ret_which);

/* ---- requests ---------------------------------------------------------------------------------------------
 */

struct rqv_http1_request {
    struct rqv_str method;
    struct rqv_str target;           /* origin-form, or "*" for OPTIONS */
    struct rqv_str host;             /* the URL's authority; a Host field among `fields` takes its place */
    const struct rqv_fields *fields; /* may be NULL */
    enum rqv_http1_body body;        /* NONE (writes no length at all), LENGTH or CHUNKED */
    uint64_t content_length;         /* of LENGTH */
    bool expect_continue;            /* Expect: 100-continue, if there is a body */
};

/*
 * Writes the whole head: request line, Host, the fields in their order, then the framing fields. Its length,
 * or REQIVO_E_METHOD (no token, or CONNECT), REQIVO_E_URL (target or host), REQIVO_E_FIELD
 * (rqv_fields_check_request, or two Host fields), -EINVAL (body kind), REQIVO_E_LIMIT_HEAD when `size` is too
 * small. Nothing is half written for the caller to see on failure: the bytes of `out` are then meaningless.
 */
long rqv_http1_encode_head(const struct rqv_http1_request *request, uint8_t *out, size_t size);

/* A chunk is its head, `size` bytes of data, and RQV_HTTP1_CHUNK_END; the body ends with
 * RQV_HTTP1_LAST_CHUNK. */
#define RQV_HTTP1_CHUNK_HEAD_MAX 18
#define RQV_HTTP1_CHUNK_END      RQV_STR("\r\n")
#define RQV_HTTP1_LAST_CHUNK     RQV_STR("0\r\n\r\n")

/* Returns the length written; 0 for size 0, because an empty chunk would end the body. */
size_t rqv_http1_encode_chunk_head(uint64_t size, uint8_t out[RQV_HTTP1_CHUNK_HEAD_MAX]);

/* RFC 9110 9.2.1, 9.2.2; methods are case-sensitive, unknown ones are neither. */
bool rqv_http1_method_is_safe(struct rqv_str method);
bool rqv_http1_method_is_idempotent(struct rqv_str method);

#endif
