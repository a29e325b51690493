/* SPDX-License-Identifier: MIT */
/*
 * ws_deflate - the payload transformation of permessage-deflate (RFC 7692 7.2) over zlib, in steps whose
 * output is bounded by the room that the caller gives. One object a direction; it lives as long as the
 * session, because messages may share a window ("context takeover").
 *
 *   step(in, out) until flow.done: all of `in` is taken and nothing is held back that could be given out;
 *   with flow.last also: the message is complete and the object stands before the next one.
 */
#ifndef RQV_PROTO_WS_DEFLATE_H
#define RQV_PROTO_WS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RQV_WS_FLOW_MIN 64 /* bytes of room that a step needs at least */

struct rqv_ws_flow {
    const uint8_t *in;
    size_t in_len;
    bool last;  /* the message ends with `in` */
    bool flush; /* deflate: what was put in so far must come out (and costs 5 bytes) */
    uint8_t *out;
    size_t out_size;
    size_t consumed, produced; /* results */
    bool done;
    const char *why; /* on failure: a static sentence */
};

/* ---- compressing ----------------------------------------------------------------------------------------
 */

struct rqv_ws_deflate_params {
    int window_bits;          /* 8..15 as agreed for this end; 8 works with a window of 9, see ws_deflate.c */
    int memory_level;         /* 1..9, zlib's memLevel; 0: 8 */
    int level;                /* 1..9; 0: zlib's default */
    bool no_context_takeover; /* every message by itself */
};

struct rqv_ws_deflate;

/* What _new will allocate, nearly, so that it can be charged before. */
size_t rqv_ws_deflate_memory(const struct rqv_ws_deflate_params *params);
/* 0, -EINVAL, -ENOMEM. */
int rqv_ws_deflate_new(const struct rqv_ws_deflate_params *params, struct rqv_ws_deflate **ret_def);
void rqv_ws_deflate_free(struct rqv_ws_deflate *def);
/* 0, or -EINVAL (too little room), -EIO (zlib refuses; the object is of no use any more). */
int rqv_ws_deflate_step(struct rqv_ws_deflate *def, struct rqv_ws_flow *flow);

/* ---- expanding ------------------------------------------------------------------------------------------
 */

struct rqv_ws_inflate_params {
    int window_bits;          /* 8..15 as agreed for the other end */
    bool no_context_takeover; /* the other end's messages stand by themselves */
    uint64_t message_max;     /* bytes of one expanded message */
    uint64_t ratio_floor;     /* the ratio counts from so many bytes of a message on */
    unsigned ratio_max;       /* expanded / compressed; 0: no limit */
};

struct rqv_ws_inflate;

/* Windows of 15 bits, 16 MiB a message, ratio 100 from 1 MiB on: security.md B5. */
void rqv_ws_inflate_params_default(struct rqv_ws_inflate_params *ret_params);
size_t rqv_ws_inflate_memory(const struct rqv_ws_inflate_params *params);
int rqv_ws_inflate_new(const struct rqv_ws_inflate_params *params, struct rqv_ws_inflate **ret_inf);
void rqv_ws_inflate_free(struct rqv_ws_inflate *inf);
/*
 * 0, or, sticky and with flow->why: -EILSEQ (not deflate, or cut inside a block: close code 1007), -EMSGSIZE
 * (message or ratio over its limit, or input without end that expands to nothing: 1009), -ENOMEM (1011);
 * -EINVAL for too little room. What a failing step wrote to `out` counts for nothing.
 */
int rqv_ws_inflate_step(struct rqv_ws_inflate *inf, struct rqv_ws_flow *flow);

#endif
