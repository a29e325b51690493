/* SPDX-License-Identifier: MIT */
/*
 * ws_deflate - permessage-deflate over zlib.
 *
 * A compressed message is a deflate stream that ends with an empty stored block, of which the last four
 * bytes, 00 00 ff ff, are not sent (RFC 7692 7.2.1). The compressor therefore holds the last four bytes of
 * its output back:
 *
 *   out: |-- held before --|------ new from zlib ------|      given out: all but the last 4, which are held
 * now
 *
 * Windows of 8 bits: zlib has none in raw streams. Its window of 9 bits uses distances up to 512 - 262 = 250,
 * which a receiver with 8 bits accepts; a sender with 8 bits may be zlib too, so such a stream is read
 * with 9.
 */
#include "proto/ws_deflate.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    TAIL = 4,
    LEVEL_OF_MEMORY = 8,
    DEFLATE_STATE = 6144, /* what zlib's own structs take, rounded up */
    INFLATE_STATE = 8192,
    EMPTY_FLOOR = 65536, /* compressed bytes of a message that may exceed 16 times the expanded ones */
    EMPTY_RATIO = 16,
};

static const uint8_t tail[TAIL] = {0x00, 0x00, 0xff, 0xff};

static void *zlib_alloc(void *opaque, unsigned items, unsigned size)
{
    (void)opaque;
    return reallocarray(NULL, items, size);
}

static void zlib_free(void *opaque, void *memory)
{
    (void)opaque;
    free(memory);
}

static void zlib_prepare(z_stream *zlib)
{
    *zlib = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
}

static unsigned clamp(size_t len)
{
    return len < INT_MAX ? (unsigned)len : (unsigned)INT_MAX;
}

static int zlib_bits(int bits)
{
    return bits == 8 ? 9 : bits;
}

static bool bits_ok(int bits)
{
    return bits >= 8 && bits <= 15;
}

/* ---- compressing ----------------------------------------------------------------------------------------
 */

struct rqv_ws_deflate {
    z_stream zlib;
    bool no_context_takeover;
    bool given; /* the message has produced output */
    uint8_t held[TAIL];
    size_t held_len;
};

static int memory_level(const struct rqv_ws_deflate_params *params)
{
    return params->memory_level ? params->memory_level : LEVEL_OF_MEMORY;
}

size_t rqv_ws_deflate_memory(const struct rqv_ws_deflate_params *params)
{
    return sizeof(struct rqv_ws_deflate) + DEFLATE_STATE +
           ((size_t)1 << (zlib_bits(params->window_bits) + 2)) + ((size_t)1 << (memory_level(params) + 9));
}

int rqv_ws_deflate_new(const struct rqv_ws_deflate_params *params, struct rqv_ws_deflate **ret_def)
{
    int level = params->level ? params->level : Z_DEFAULT_COMPRESSION;
    struct rqv_ws_deflate *def;
    int r;

    if (!bits_ok(params->window_bits))
        return -EINVAL;
    def = calloc(1, sizeof(*def));
    if (!def)
        return -ENOMEM;
    zlib_prepare(&def->zlib);
    def->no_context_takeover = params->no_context_takeover;
    r = deflateInit2(&def->zlib, level, Z_DEFLATED, -zlib_bits(params->window_bits), memory_level(params),
                     Z_DEFAULT_STRATEGY);
    if (r != Z_OK) {
        free(def);
        return r == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
    }
    *ret_def = def;
    return 0;
}

void rqv_ws_deflate_free(struct rqv_ws_deflate *def)
{
    if (!def)
        return;
    deflateEnd(&def->zlib);
    free(def);
}

/* The message is complete: what is held is the tail that is not sent. */
static int deflate_finish(struct rqv_ws_deflate *def, struct rqv_ws_flow *flow)
{
    if (def->held_len == 0 && !def->given) {
        /* An empty message after another: zlib has nothing to flush. RFC 7692 7.2.3.6 */
        flow->out[0] = 0x00;
        flow->produced = 1;
    } else if (def->held_len != TAIL || memcmp(def->held, tail, TAIL) != 0) {
        flow->why = "the compressor did not end its block";
        return -EIO;
    }
    def->held_len = 0;
    def->given = false;
    if (def->no_context_takeover)
        deflateReset(&def->zlib);
    return 0;
}

int rqv_ws_deflate_step(struct rqv_ws_deflate *def, struct rqv_ws_flow *flow)
{
    z_stream *zlib = &def->zlib;
    bool all = flow->in_len <= INT_MAX;
    bool flush = all && (flow->last || flow->flush);
    size_t total;
    int r;

    flow->consumed = flow->produced = 0;
    flow->done = false;
    flow->why = NULL;
    if (flow->out_size < RQV_WS_FLOW_MIN)
        return -EINVAL;
    memcpy(flow->out, def->held, def->held_len);
    zlib->next_in =
        (uint8_t *)(uintptr_t)flow->in; /* zlib's declaration lacks the const; it does not write there */
    zlib->avail_in = clamp(flow->in_len);
    zlib->next_out = flow->out + def->held_len;
    zlib->avail_out = clamp(flow->out_size - def->held_len);
    /* Z_BUF_ERROR: there was nothing to do, which is fine. */
    r = deflate(zlib, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    if (r != Z_OK && r != Z_BUF_ERROR) {
        flow->why = "the compressor failed";
        return -EIO;
    }
    flow->consumed = clamp(flow->in_len) - zlib->avail_in;
    flow->done = all && zlib->avail_in == 0 && zlib->avail_out > 0;
    total = (size_t)(zlib->next_out - flow->out);
    def->held_len = total < TAIL ? total : TAIL;
    flow->produced = total - def->held_len;
    memcpy(def->held, flow->out + flow->produced, def->held_len);
    def->given |= flow->produced > 0;
    return flow->done && flow->last ? deflate_finish(def, flow) : 0;
}

/* ---- expanding ------------------------------------------------------------------------------------------
 */

struct rqv_ws_inflate {
    z_stream zlib;
    struct rqv_ws_inflate_params params;
    uint64_t in, out; /* of the message so far */
    size_t tail_given;
    bool ended; /* the stream ended (a block with BFINAL) and nothing came after it */
    int error;  /* sticky */
    const char *why;
};

void rqv_ws_inflate_params_default(struct rqv_ws_inflate_params *ret_params)
{
    *ret_params = (struct rqv_ws_inflate_params){
        .window_bits = 15, .message_max = 16 << 20, .ratio_floor = 1 << 20, .ratio_max = 100};
}

size_t rqv_ws_inflate_memory(const struct rqv_ws_inflate_params *params)
{
    return sizeof(struct rqv_ws_inflate) + INFLATE_STATE + ((size_t)1 << zlib_bits(params->window_bits));
}

int rqv_ws_inflate_new(const struct rqv_ws_inflate_params *params, struct rqv_ws_inflate **ret_inf)
{
    struct rqv_ws_inflate *inf;

    if (!bits_ok(params->window_bits))
        return -EINVAL;
    inf = calloc(1, sizeof(*inf));
    if (!inf)
        return -ENOMEM;
    zlib_prepare(&inf->zlib);
    inf->params = *params;
    if (inflateInit2(&inf->zlib, -zlib_bits(params->window_bits)) != Z_OK) {
        free(inf);
        return -ENOMEM;
    }
    *ret_inf = inf;
    return 0;
}

void rqv_ws_inflate_free(struct rqv_ws_inflate *inf)
{
    if (!inf)
        return;
    inflateEnd(&inf->zlib);
    free(inf);
}

static int inflate_refuse(struct rqv_ws_inflate *inf, struct rqv_ws_flow *flow, int error, const char *why)
{
    inf->error = error;
    flow->why = inf->why = why;
    flow->produced = 0;
    return error;
}

/* Expands from in to the room that is left in flow->out. How much of `in` was taken is counted to *io_taken.
 */
static int expand(struct rqv_ws_inflate *inf, const uint8_t *in, size_t len, struct rqv_ws_flow *flow,
                  size_t *io_taken)
{
    z_stream *zlib = &inf->zlib;

    zlib->next_in =
        (uint8_t *)(uintptr_t)in; /* zlib's declaration lacks the const; it does not write there */
    zlib->avail_in = clamp(len);
    zlib->next_out = flow->out + flow->produced;
    zlib->avail_out = clamp(flow->out_size - flow->produced);
    for (;;) {
        unsigned before = zlib->avail_in;
        int r;

        if (before > 0)
            inf->ended = false;
        r = inflate(zlib, Z_SYNC_FLUSH);
        if (r == Z_MEM_ERROR)
            return inflate_refuse(inf, flow, -ENOMEM, "no memory to expand a message");
        if (r != Z_OK && r != Z_BUF_ERROR && r != Z_STREAM_END)
            return inflate_refuse(inf, flow, -EILSEQ, "a compressed message is not valid deflate data");
        if (r != Z_STREAM_END)
            break;
        /* RFC 7692 7.2.3.4: a block may be the stream's last; another stream follows, with the same window.
         */
        inf->ended = true;
        inflateResetKeep(zlib);
        if (zlib->avail_in == 0 || zlib->avail_out == 0)
            break;
    }
    *io_taken += clamp(len) - zlib->avail_in;
    flow->produced = (size_t)(zlib->next_out - flow->out);
    return 0;
}

static int check_limits(struct rqv_ws_inflate *inf, struct rqv_ws_flow *flow)
{
    const struct rqv_ws_inflate_params *params = &inf->params;

    if (inf->out > params->message_max)
        return inflate_refuse(inf, flow, -EMSGSIZE, "an expanded message is over its limit");
    if (params->ratio_max > 0 && inf->out > params->ratio_floor && inf->out / params->ratio_max > inf->in)
        return inflate_refuse(inf, flow, -EMSGSIZE, "a compressed message expands by more than is allowed");
    if (inf->in > EMPTY_FLOOR && (inf->in - EMPTY_FLOOR) / EMPTY_RATIO > inf->out)
        return inflate_refuse(inf, flow, -EMSGSIZE, "a compressed message expands to nothing");
    return 0;
}

/* All of the payload is in: the four bytes that were not sent, and the check that a block ended with them. A
 * payload of no byte at all is not quite deflate, but some send it for an empty message. */
static int inflate_finish(struct rqv_ws_inflate *inf, struct rqv_ws_flow *flow)
{
    bool nothing = inf->in + flow->consumed == 0;
    int r;

    if ((!inf->ended && !nothing) || inf->tail_given > 0) {
        r = expand(inf, tail + inf->tail_given, TAIL - inf->tail_given, flow, &inf->tail_given);
        if (r < 0)
            return r;
        if (flow->produced == flow->out_size)
            return 0;
        /* Bit 7: a block has just ended; bits 0..5: unused bits of the last byte. (zlib.h, data_type) */
        if (!inf->ended && (inf->zlib.data_type & (128 | 63)) != 128)
            return inflate_refuse(inf, flow, -EILSEQ, "a compressed message ends inside a block");
    }
    flow->done = true;
    return 0;
}

static void next_message(struct rqv_ws_inflate *inf)
{
    inf->in = inf->out = 0;
    inf->tail_given = 0;
    inf->ended = false;
    if (inf->params.no_context_takeover)
        inflateReset(&inf->zlib);
}

int rqv_ws_inflate_step(struct rqv_ws_inflate *inf, struct rqv_ws_flow *flow)
{
    int r = 0;

    flow->consumed = flow->produced = 0;
    flow->done = false;
    flow->why = inf->why;
    if (inf->error)
        return inf->error;
    if (flow->out_size < RQV_WS_FLOW_MIN)
        return -EINVAL;
    if (inf->tail_given == 0)
        r = expand(inf, flow->in, flow->in_len, flow, &flow->consumed);
    if (r == 0 && flow->consumed == flow->in_len && flow->produced < flow->out_size) {
        if (flow->last)
            r = inflate_finish(inf, flow);
        else
            flow->done = true;
    }
    if (r < 0)
        return r;
    inf->in += flow->consumed;
    inf->out += flow->produced;
    r = check_limits(inf, flow);
    if (r == 0 && flow->done && flow->last)
        next_message(inf);
    if (r < 0)
        flow->done = false;
    return r;
}
