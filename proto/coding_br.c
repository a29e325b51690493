/* SPDX-License-Identifier: MIT */
/*
 * coding_br - Brotli (RFC 7932) over libbrotlidec. Its window has at most 24 bits as long as "large windows"
 * are not switched on; the decoder takes memory for it as the body asks for, in powers of two.
 */
#include "proto/coding_parts.h"

#include <reqivo/error.h>

#include <brotli/decode.h>
#include <errno.h>

struct unbrotli {
    BrotliDecoderState *state;
};

static int start(struct coding_stage *stage)
{
    struct unbrotli *br = rqv_coding_alloc(stage->memory, sizeof(*br));

    if (!br)
        return -ENOMEM;
    stage->decoder = br;
    br->state = BrotliDecoderCreateInstance(rqv_coding_alloc, rqv_coding_release, stage->memory);
    return br->state ? 0 : -ENOMEM;
}

static void stop(struct coding_stage *stage)
{
    struct unbrotli *br = stage->decoder;

    if (br && br->state)
        BrotliDecoderDestroyInstance(br->state);
    rqv_coding_release(stage->memory, br);
}

static int failure(const struct unbrotli *br, struct rqv_coding_flow *flow)
{
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(br->state);

    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
        code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
        return -ENOMEM;
    flow->why = "the body is not valid br data";
    return REQIVO_E_CODING;
}

static int run(struct coding_stage *stage, struct rqv_coding_flow *flow)
{
    struct unbrotli *br = stage->decoder;
    size_t in_len = flow->in_len, out_len = flow->out_size;
    const uint8_t *in = flow->in;
    uint8_t *out = flow->out;

    if (!stage->whole) {
        BrotliDecoderResult r = BrotliDecoderDecompressStream(br->state, &in_len, &in, &out_len, &out, NULL);

        flow->consumed = flow->in_len - in_len;
        flow->produced = flow->out_size - out_len;
        if (r == BROTLI_DECODER_RESULT_ERROR)
            return failure(br, flow);
        stage->whole = r == BROTLI_DECODER_RESULT_SUCCESS;
    }
    if (stage->whole && flow->consumed < flow->in_len) {
        flow->why = "bytes follow the end of the br data";
        return REQIVO_E_CODING;
    }
    return 0;
}

/* The window of 16 MiB and, while it grows, the half before it; 3 times 256 tables of prefix codes, at most
 * 1.1 MiB each; context maps and the decoder's own. */
const struct coding_ops rqv_coding_br = {.memory = 28 << 20, .start = start, .stop = stop, .run = run};
