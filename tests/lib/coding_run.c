/* SPDX-License-Identifier: MIT */
/* coding_run - see the header. */
#include "tests/lib/coding_run.h"

#include <brotli/encode.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

static void require(bool kept)
{
    if (!kept)
        abort();
}

struct bytes coding_copy(const void *at, size_t len)
{
    struct bytes copy = {malloc(len + 1), len, len + 1};

    require(copy.at != NULL);
    if (len > 0)
        memcpy(copy.at, at, len);
    return copy;
}

void coding_append(struct bytes *to, const void *at, size_t len)
{
    if (len == 0)
        return;
    if (to->size - to->len < len) { /* doubled: a body may come byte by byte */
        to->size = 2 * (to->len + len);
        to->at = realloc(to->at, to->size);
        require(to->at != NULL);
    }
    memcpy(to->at + to->len, at, len);
    to->len += len;
}

struct bytes coding_plain(size_t len, bool dull)
{
    struct bytes plain = {calloc(1, len + 1), len, len + 1};
    uint64_t state = 88172645463325252U;

    require(plain.at != NULL);
    for (size_t i = 0; i < len && !dull; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        plain.at[i] = state & 0x700 ? (uint8_t)("etaoin shrdlu"[state % 13]) : (uint8_t)state;
    }
    return plain;
}

static size_t encode_zlib(struct bytes plain, const struct coding_encode *how, uint8_t *out, size_t size)
{
    int bits = how->kind == RQV_CODING_GZIP ? 31 : how->raw ? -15 : 15;
    z_stream zlib = {.next_in = plain.at, .avail_in = (unsigned)plain.len};

    zlib.next_out = out;
    zlib.avail_out = (unsigned)size;
    require(deflateInit2(&zlib, how->level ? how->level : 1, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) ==
            Z_OK);
    require(deflate(&zlib, Z_FINISH) == Z_STREAM_END);
    require(deflateEnd(&zlib) == Z_OK);
    return (size_t)(zlib.next_out - out);
}

static size_t encode_br(struct bytes plain, const struct coding_encode *how, uint8_t *out, size_t size)
{
    size_t len = size;

    require(BrotliEncoderCompress(how->level ? how->level : 1, how->window_bits ? how->window_bits : 18,
                                  BROTLI_MODE_GENERIC, plain.len, plain.at, &len, out));
    return len;
}

/* Streamed, so that the frame has a window and no size. */
static size_t encode_zstd(struct bytes plain, const struct coding_encode *how, uint8_t *out, size_t size)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_outBuffer to = {out, size, 0};
    ZSTD_inBuffer from = {plain.at, plain.len, 0};

    require(context != NULL);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, how->level ? how->level : 1);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    if (how->window_bits)
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, how->window_bits);
    require(!ZSTD_isError(ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue)));
    require(ZSTD_compressStream2(context, &to, &from, ZSTD_e_end) == 0 && from.pos == plain.len);
    ZSTD_freeCCtx(context);
    return to.pos;
}

struct bytes coding_encode(struct bytes plain, const struct coding_encode *how)
{
    size_t size = plain.len + plain.len / 8 + 4096;
    struct bytes coded = {malloc(size), 0, size};

    require(coded.at != NULL);
    if (how->kind == RQV_CODING_BR)
        coded.len = encode_br(plain, how, coded.at, size);
    else if (how->kind == RQV_CODING_ZSTD)
        coded.len = encode_zstd(plain, how, coded.at, size);
    else
        coded.len = encode_zlib(plain, how, coded.at, size);
    return coded;
}

struct coding_params coding_params_of(enum rqv_coding_kind kind)
{
    struct coding_params params = {
        .codings = {.count = 1, .at = {(uint8_t)kind}}, .piece = SIZE_MAX, .room = RQV_CODING_STEP_MAX};

    rqv_coding_limits_default(&params.limits);
    return params;
}

struct books {
    size_t held, peak, max;
};

static int charge(void *owner, size_t bytes)
{
    struct books *books = owner;

    books->held += bytes;
    books->peak = books->held > books->peak ? books->held : books->peak;
    require(books->held <= books->max);
    return 0;
}

static void refund(void *owner, size_t bytes)
{
    struct books *books = owner;

    require(bytes <= books->held);
    books->held -= bytes;
}

/* Steps until all of one piece is taken, or, for the last one, the end. */
static int run_piece(struct rqv_coding *coding, struct rqv_coding_flow flow, struct coding_result *result)
{
    const uint8_t *in = flow.in;
    size_t left = flow.in_len, idle = 0;
    int r;

    do {
        size_t room = flow.out_size < RQV_CODING_STEP_MAX ? flow.out_size : RQV_CODING_STEP_MAX;

        flow.in = in;
        flow.in_len = left;
        r = rqv_coding_step(coding, &flow);
        require(flow.consumed <= left && flow.produced <= room);
        in += flow.consumed;
        left -= flow.consumed;
        coding_append(&result->out, flow.out, flow.produced);
        if (r < 0) {
            require(flow.why && flow.produced == 0);
            require(rqv_coding_step(coding, &flow) == r && flow.why);
            result->why = flow.why;
            return r;
        }
        idle = flow.consumed + flow.produced > 0 ? 0 : idle + 1;
        require(r != RQV_CODING_HAVE_OUTPUT || idle < 2);
    } while (r == RQV_CODING_HAVE_OUTPUT);
    require(left == 0 && r == (flow.last ? RQV_CODING_END : RQV_CODING_NEED_INPUT));
    return r;
}

struct coding_result coding_run(const struct coding_params *params, struct bytes coded)
{
    struct books books = {.max = rqv_codings_memory(&params->codings, &params->limits)};
    struct rqv_coding_payer payer = {charge, refund, &books};
    struct coding_result result = {0};
    struct rqv_coding_flow flow = {.out = malloc(params->room), .out_size = params->room};
    struct rqv_coding *coding = NULL;
    size_t at = 0;

    require(flow.out && rqv_coding_new(&params->codings, &params->limits, &payer, &coding) == 0);
    do {
        size_t left = coded.len - at, piece = at == 0 && params->cut > 0 ? params->cut : params->piece;

        flow.in = coded.at + at;
        flow.in_len = left < piece ? left : piece;
        at += flow.in_len;
        flow.last = at == coded.len;
        result.code = run_piece(coding, flow, &result);
        require(rqv_coding_used(coding) == books.held);
    } while (result.code >= 0 && !flow.last);
    result.peak = books.peak;
    rqv_coding_free(coding);
    require(books.held == 0);
    free(flow.out);
    return result;
}
