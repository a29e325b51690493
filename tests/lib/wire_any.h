/* SPDX-License-Identifier: MIT */
/*
 * wire_any - any frame as one struct, for tests and fuzzers: decode whatever came, encode it again, compare.
 * It calls the codec's functions and adds nothing to them.
 */
#ifndef RQV_TESTS_WIRE_ANY_H
#define RQV_TESTS_WIRE_ANY_H

#include "common/buf.h"
#include "common/str.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_any {
    struct rqv_frame_header header; /* encode takes type, flags and id of it */
    union {
        struct rqv_hello hello;
        struct rqv_request_head request;
        struct rqv_response_head response;
        struct rqv_operation operation;
        struct rqv_hop hop;
        struct rqv_done done;
        struct rqv_goaway goaway;
        struct rqv_ws_open ws_open;
        struct rqv_ws_close_info ws_close;
        struct rqv_ws_event_info ws_event;
        struct rqv_fields fields; /* TRAILERS, INFO */
        struct rqv_str data;
        uint32_t bytes; /* CREDIT, TRUST */
        uint16_t verb;
    };
};

/* One frame off `in`: as rqv_wire_next(), then its payload's decoder. Returns what was consumed, 0, or
 * REQIVO_E_WIRE. */
long wire_any_next(const uint8_t *in, size_t len, bool from_library, struct wire_any *ret_any,
                   const char **ret_why);
/* The decoder that belongs to ret_any->header.type, with any payload. */
int wire_any_decode(struct rqv_str payload, struct wire_any *ret_any, const char **ret_why);
int wire_any_encode(struct rqv_buf *out, const struct wire_any *any);
bool wire_any_equal(const struct wire_any *a, const struct wire_any *b); /* the header's length apart */
/* Does every view of it lie within the payload, or is it empty? */
bool wire_any_inside(const struct wire_any *any, struct rqv_str payload);

#endif
