/* SPDX-License-Identifier: MIT */
/*
 * coding_zstd - Zstandard (RFC 8878) over libzstd: frames, one after another, and skippable ones.
 *
 *   MAGIC (4 bytes, judged here) --> HEAD (byte by byte) --> BODY --> MAGIC ...
 *
 * Two things of the library are kept away. Debian's build reads the formats before 1.0 too, with windows that
 * no limit holds and memory that no hook sees: so the magic number is judged here. And a frame that lies in
 * the input whole is decoded by a short way that asks for no limit of the window: so the head is given byte
 * by byte, and how the input is split makes no difference.
 */
#define ZSTD_STATIC_LINKING_ONLY    /* ZSTD_createDCtx_advanced: exported by the shared library, see         \
                                       configure.ac */
#include "proto/coding_parts.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { MAGIC_LEN = 4, HEAD_MAX = ZSTD_FRAMEHEADERSIZE_MAX };

struct unzstd {
    ZSTD_DCtx *context;
    uint8_t magic[MAGIC_LEN];
    size_t head; /* bytes of the frame that were given so far, up to HEAD_MAX; below MAGIC_LEN: gathered */
};

static int start(struct coding_stage *stage)
{
    struct unzstd *zstd = rqv_coding_alloc(stage->memory, sizeof(*zstd));
    ZSTD_customMem hooks = {rqv_coding_alloc, rqv_coding_release, stage->memory};

    if (!zstd)
        return -ENOMEM;
    *zstd = (struct unzstd){.context = ZSTD_createDCtx_advanced(hooks)};
    stage->decoder = zstd;
    if (!zstd->context)
        return -ENOMEM;
    ZSTD_DCtx_setParameter(zstd->context, ZSTD_d_windowLogMax, RQV_CODING_ZSTD_WINDOW);
    return 0;
}

static void stop(struct coding_stage *stage)
{
    struct unzstd *zstd = stage->decoder;

    if (zstd)
        ZSTD_freeDCtx(zstd->context); /* takes NULL */
    rqv_coding_release(stage->memory, zstd);
}

static int failure(size_t code, struct rqv_coding_flow *flow)
{
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_memory_allocation:
        return -ENOMEM;
    case ZSTD_error_frameParameter_windowTooLarge:
        flow->why = "the zstd data has a window of more than 8 MiB";
        return REQIVO_E_CODING;
    case ZSTD_error_dictionary_wrong:
        flow->why = "the zstd data needs a dictionary";
        return REQIVO_E_CODING;
    default:
        flow->why = "the body is not valid zstd data";
        return REQIVO_E_CODING;
    }
}

/* RFC 8878 3.1.1 and 3.1.2 */
static bool is_magic(const uint8_t magic[MAGIC_LEN])
{
    static const uint8_t frame[MAGIC_LEN] = {0x28, 0xb5, 0x2f, 0xfd}, skippable[3] = {0x2a, 0x4d, 0x18};

    return memcmp(magic, frame, sizeof(frame)) == 0 ||
           ((magic[0] & 0xf0) == 0x50 && memcmp(magic + 1, skippable, sizeof(skippable)) == 0);
}

/* Gives `len` bytes to the decoder; the number taken is added to *io_taken. */
static int expand(struct coding_stage *stage, struct rqv_coding_flow *flow, ZSTD_inBuffer in,
                  size_t *io_taken)
{
    struct unzstd *zstd = stage->decoder;
    ZSTD_outBuffer out = {flow->out + flow->produced, flow->out_size - flow->produced, 0};
    size_t r = ZSTD_decompressStream(zstd->context, &out, &in);

    if (ZSTD_isError(r))
        return failure(r, flow);
    *io_taken += in.pos;
    flow->produced += out.pos;
    if (zstd->head < HEAD_MAX)
        zstd->head += in.pos;
    if (r == 0) {
        zstd->head = 0;
        stage->whole = true;
    }
    return 0;
}

/* Gathers the magic number; the frame begins when it is complete. */
static int begin(struct coding_stage *stage, struct rqv_coding_flow *flow)
{
    struct unzstd *zstd = stage->decoder;
    size_t taken = 0;
    int r;

    stage->whole = false;
    zstd->magic[zstd->head++] = flow->in[flow->consumed++];
    if (zstd->head < MAGIC_LEN)
        return 0;
    if (!is_magic(zstd->magic)) {
        flow->why = "the body is not zstd data";
        return REQIVO_E_CODING;
    }
    zstd->head = 0; /* counted again by expand() */
    r = expand(stage, flow, (ZSTD_inBuffer){zstd->magic, MAGIC_LEN, 0}, &taken);
    if (r == 0 && taken < MAGIC_LEN) {
        flow->why = "the zstd decoder does not take a magic number";
        r = REQIVO_E_CODING;
    }
    return r;
}

static int run(struct coding_stage *stage, struct rqv_coding_flow *flow)
{
    struct unzstd *zstd = stage->decoder;
    bool pending = stage->pending;
    int r = 0;

    while (r == 0 && flow->produced < flow->out_size && (pending || flow->consumed < flow->in_len)) {
        size_t left = flow->in_len - flow->consumed;
        ZSTD_inBuffer in = {left > 0 ? flow->in + flow->consumed : zstd->magic, left, 0};

        pending = false;
        if (zstd->head < MAGIC_LEN) {
            if (left > 0)
                r = begin(stage, flow);
            continue;
        }
        if (zstd->head < HEAD_MAX && left > 1)
            in.size = 1;
        r = expand(stage, flow, in, &flow->consumed);
    }
    return r;
}

/* The window, a block before and one behind it, and the context (94 KiB). */
const struct coding_ops rqv_coding_zstd = {
    .memory = (1 << RQV_CODING_ZSTD_WINDOW) + (512 << 10), .start = start, .stop = stop, .run = run};
