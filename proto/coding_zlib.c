/* SPDX-License-Identifier: MIT */
/*
 * coding_zlib - gzip and deflate over zlib, which checks headers, CRC-32, Adler-32 and lengths itself.
 *
 *   gzip     INSIDE --end of member--> BETWEEN --1f--> BETWEEN_1F --8b--> INSIDE ...
 *                                         +--------------+--any other byte--> REST
 *   deflate  FIRST --> INSIDE --end--> REST, where everything is ignored
 */
#include "proto/coding_parts.h"

#include <reqivo/error.h>

#include <errno.h>
#include <limits.h>
#include <zlib.h>

enum place { FIRST, INSIDE, BETWEEN, BETWEEN_1F, REST };

struct inflater {
    z_stream zlib;
    bool gzip;
    enum place place;
};

static void *zlib_alloc(void *memory, unsigned items, unsigned size)
{
    return rqv_coding_alloc(memory, (size_t)items * size);
}

static int start(struct coding_stage *stage, bool gzip)
{
    struct inflater *inf = rqv_coding_alloc(stage->memory, sizeof(*inf));

    if (!inf)
        return -ENOMEM;
    *inf = (struct inflater){
        .zlib = {.zalloc = zlib_alloc, .zfree = rqv_coding_release, .opaque = stage->memory},
        .gzip = gzip,
        .place = gzip ? INSIDE : FIRST};
    stage->decoder = inf;
    return inflateInit2(&inf->zlib, gzip ? 15 + 16 : 15) == Z_OK ? 0 : -ENOMEM;
}

static int gzip_start(struct coding_stage *stage)
{
    return start(stage, true);
}

static int deflate_start(struct coding_stage *stage)
{
    return start(stage, false);
}

static void stop(struct coding_stage *stage)
{
    struct inflater *inf = stage->decoder;

    if (inf)
        inflateEnd(&inf->zlib);
    rqv_coding_release(stage->memory, inf);
}

/* RFC 9110 8.4.1.2 says zlib; without its two bytes is what others send. The low half of zlib's first byte is
 * 8, and a raw stream with such a byte would begin with a stored block after padding that is not zero. */
static void choose_wrapping(struct inflater *inf, uint8_t first)
{
    bool wrapped = (first & 15) == 8 && first >> 4 <= 7;

    inflateReset2(&inf->zlib, wrapped ? 15 : -15);
    inf->place = INSIDE;
}

static unsigned clamp(size_t len)
{
    return len < INT_MAX ? (unsigned)len : (unsigned)INT_MAX;
}

static int expand(struct coding_stage *stage, struct rqv_coding_flow *flow)
{
    struct inflater *inf = stage->decoder;
    z_stream *zlib = &inf->zlib;
    unsigned in_len = clamp(flow->in_len - flow->consumed), out_len = clamp(flow->out_size - flow->produced);
    int r;

    zlib->next_in =
        in_len > 0 ? (uint8_t *)(uintptr_t)flow->in + flow->consumed : NULL; /* zlib lacks const */
    zlib->avail_in = in_len;
    zlib->next_out = flow->out + flow->produced;
    zlib->avail_out = out_len;
    r = inflate(zlib, Z_NO_FLUSH);
    flow->consumed += in_len - zlib->avail_in;
    flow->produced += out_len - zlib->avail_out;
    if (r == Z_MEM_ERROR)
        return -ENOMEM;
    if (r == Z_STREAM_END) {
        stage->whole = true;
        inf->place = inf->gzip ? BETWEEN : REST;
    } else if (r != Z_OK && r != Z_BUF_ERROR) {
        flow->why = inf->gzip ? "the body is not valid gzip data" : "the body is not valid deflate data";
        return REQIVO_E_CODING;
    }
    return 0;
}

/* Behind a member: does another one begin? RFC 1952 2.2. The two bytes that say so are given to zlib from
 * here, since they may have come in two pieces. */
static int between(struct coding_stage *stage, uint8_t byte, struct rqv_coding_flow *flow)
{
    static const uint8_t magic[2] = {0x1f, 0x8b};
    struct inflater *inf = stage->decoder;
    struct rqv_coding_flow begin = {
        .in = magic, .in_len = sizeof(magic), .out = flow->out, .out_size = flow->out_size};

    if (inf->place == BETWEEN && byte == magic[0]) {
        inf->place = BETWEEN_1F;
    } else if (inf->place == BETWEEN_1F && byte == magic[1]) {
        inflateReset(&inf->zlib);
        inf->place = INSIDE;
        stage->whole = false;
        return expand(stage, &begin);
    } else {
        inf->place = REST;
    }
    return 0;
}

static int run(struct coding_stage *stage, struct rqv_coding_flow *flow)
{
    struct inflater *inf = stage->decoder;
    int r = 0;

    if (inf->place == FIRST && flow->in_len > 0)
        choose_wrapping(inf, flow->in[0]);
    while (r == 0 && inf->place != REST) {
        enum place place = inf->place;

        if (place == INSIDE)
            r = expand(stage, flow);
        else if (flow->consumed < flow->in_len)
            r = between(stage, flow->in[flow->consumed++], flow);
        if (place == inf->place) /* no input, or no room, is left */
            return r;
    }
    if (r == 0)
        flow->consumed = flow->in_len;
    return r;
}

/* zlib's own struct (7 KiB) and its window, ours, and what three blocks cost. */
enum { MEMORY = 8192 + 32768 + sizeof(struct inflater) + 64 };

const struct coding_ops rqv_coding_gzip = {.memory = MEMORY, .start = gzip_start, .stop = stop, .run = run};
const struct coding_ops rqv_coding_deflate = {
    .memory = MEMORY, .start = deflate_start, .stop = stop, .run = run};
