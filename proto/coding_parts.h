/* SPDX-License-Identifier: MIT */
/* coding_parts - between coding.c, which runs the chain, and the decoders, one file a library. */
#ifndef RQV_PROTO_CODING_PARTS_H
#define RQV_PROTO_CODING_PARTS_H

#include "proto/coding.h"

/* Where the memory of a chain comes from, and who pays for it. */
struct coding_memory {
    struct rqv_coding_payer payer;
    size_t used, max;
    int error; /* why the first allocation failed: the libraries only say that one did */
};

/* As the libraries want them: `memory` is a struct coding_memory. */
void *rqv_coding_alloc(void *memory, size_t size);
void rqv_coding_release(void *memory, void *block); /* takes NULL */

struct coding_stage;

/* One coding. */
struct coding_ops {
    size_t memory; /* what a decoder holds at most, the 16 bytes that each block costs besides included */
    /* Makes stage->decoder. 0 or -ENOMEM. */
    int (*start)(struct coding_stage *stage);
    void (*stop)(struct coding_stage *stage); /* also after a start that failed */
    /* Takes from `in`, gives to `out` (room for 1 byte at least; `in` may be empty when stage->pending), and
     * sets stage->whole. 0, or -ENOMEM, or REQIVO_E_CODING with flow->why. */
    int (*run)(struct coding_stage *stage, struct rqv_coding_flow *flow);
};

struct coding_stage {
    const struct coding_ops *ops;
    struct coding_memory *memory;
    void *decoder;
    bool whole;   /* what was taken so far may be all there is */
    bool pending; /* the last run filled its room: there may be more without more input */
    uint64_t out;
    uint8_t *buf; /* what it gave to the next stage; NULL for the last one */
    size_t start, end;
};

extern const struct coding_ops rqv_coding_gzip, rqv_coding_deflate, rqv_coding_br, rqv_coding_zstd;

#endif
