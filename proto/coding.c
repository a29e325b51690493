/* SPDX-License-Identifier: MIT */
/*
 * coding - runs the chain. Each stage has a block of 16 KiB between itself and the next one; a stage runs
 * when that block is empty, so that nothing is ever moved. A pass lets every stage run once, first to last:
 *
 *   stage 0: in -> buf 0;  stage 1: buf 0 -> buf 1;  ...;  the last: buf -> out
 *
 * Passes go on until nothing moves, the room is full or WORK bytes have moved. The third bounds what a body
 * costs that expands in one stage and vanishes in the next one (skippable frames, empty members).
 */
#include "proto/coding_parts.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum {
    BETWEEN = 16384,  /* bytes of a block between two stages */
    WORK = 512 << 10, /* bytes taken and given by all stages after which a step ends */
    HEAD = 16,        /* before each block: its size */
};

_Static_assert(HEAD >= sizeof(size_t) && HEAD % alignof(max_align_t) == 0, "blocks stay aligned");

struct rqv_coding {
    struct coding_memory memory;
    struct rqv_coding_limits limits;
    size_t count;
    struct coding_stage stages[RQV_CODINGS_MAX]; /* in the order in which they are taken off */
    uint64_t in;                                 /* coded bytes so far */
    int error;                                   /* sticky */
    const char *why;
};

/* ---- memory -------------------------------------------------------------------------------------------- */

static int memory_charge(struct coding_memory *memory, size_t size)
{
    int r = 0;

    if (size > memory->max - memory->used)
        return REQIVO_E_LIMIT_MEMORY;
    if (memory->payer.charge)
        r = memory->payer.charge(memory->payer.owner, size);
    if (r == 0)
        memory->used += size;
    return r;
}

static void memory_refund(struct coding_memory *memory, size_t size)
{
    memory->used -= size;
    if (memory->payer.charge)
        memory->payer.refund(memory->payer.owner, size);
}

void *rqv_coding_alloc(void *opaque, size_t size)
{
    struct coding_memory *memory = opaque;
    uint8_t *block;
    int r;

    size = size < SIZE_MAX - HEAD ? size + HEAD : SIZE_MAX;
    r = memory_charge(memory, size);
    block = r < 0 ? NULL : malloc(size);
    if (!block) {
        if (r == 0)
            memory_refund(memory, size);
        if (memory->error == 0) /* a library may go on allocating before it says that one failed */
            memory->error = r < 0 ? r : -ENOMEM;
        return NULL;
    }
    memcpy(block, &size, sizeof(size));
    return block + HEAD;
}

void rqv_coding_release(void *memory, void *block)
{
    size_t size;

    if (!block)
        return;
    block = (uint8_t *)block - HEAD;
    memcpy(&size, block, sizeof(size));
    free(block);
    memory_refund(memory, size);
}

/* ---- making a chain ------------------------------------------------------------------------------------ */

static const struct coding_ops *ops_of(uint8_t kind)
{
    switch ((enum rqv_coding_kind)kind) {
    case RQV_CODING_GZIP:
        return &rqv_coding_gzip;
    case RQV_CODING_DEFLATE:
        return &rqv_coding_deflate;
    case RQV_CODING_BR:
        return &rqv_coding_br;
    case RQV_CODING_ZSTD:
        return &rqv_coding_zstd;
    }
    return NULL;
}

void rqv_coding_limits_default(struct rqv_coding_limits *ret_limits)
{
    *ret_limits =
        (struct rqv_coding_limits){.ratio_floor = 1 << 20, .ratio_max = 100, .memory_max = 32 << 20};
}

size_t rqv_codings_memory(const struct rqv_codings *codings, const struct rqv_coding_limits *limits)
{
    size_t sum = sizeof(struct rqv_coding);

    for (size_t i = 0; i < codings->count; i++)
        sum += ops_of(codings->at[i])->memory + (i > 0 ? BETWEEN + HEAD : 0);
    return sum < limits->memory_max ? sum : limits->memory_max;
}

static int stage_start(struct rqv_coding *coding, struct coding_stage *stage, const struct coding_ops *ops)
{
    bool final = stage == &coding->stages[coding->count - 1];
    int r;

    stage->memory = &coding->memory;
    stage->ops = ops;
    if (!final)
        stage->buf = rqv_coding_alloc(&coding->memory, BETWEEN);
    r = final || stage->buf ? ops->start(stage) : -ENOMEM;
    return r < 0 && coding->memory.error ? coding->memory.error : r;
}

int rqv_coding_new(const struct rqv_codings *codings, const struct rqv_coding_limits *limits,
                   const struct rqv_coding_payer *payer, struct rqv_coding **ret_coding)
{
    struct coding_memory memory = {.max = limits->memory_max};
    struct rqv_coding *coding;
    int r;

    if (codings->count == 0 || codings->count > RQV_CODINGS_MAX)
        return -EINVAL;
    if (payer)
        memory.payer = *payer;
    r = memory_charge(&memory, sizeof(*coding));
    if (r < 0)
        return r;
    coding = calloc(1, sizeof(*coding));
    if (!coding) {
        memory_refund(&memory, sizeof(*coding));
        return -ENOMEM;
    }
    coding->memory = memory;
    coding->limits = *limits;
    coding->count = codings->count;
    for (size_t i = 0; i < coding->count && r == 0; i++)
        r = stage_start(coding, &coding->stages[i], ops_of(codings->at[coding->count - 1 - i]));
    if (r < 0) {
        rqv_coding_free(coding);
        return r;
    }
    *ret_coding = coding;
    return 0;
}

void rqv_coding_free(struct rqv_coding *coding)
{
    struct coding_memory memory;

    if (!coding)
        return;
    for (size_t i = 0; i < coding->count; i++) {
        struct coding_stage *stage = &coding->stages[i];

        if (stage->ops)
            stage->ops->stop(stage);
        rqv_coding_release(&coding->memory, stage->buf);
    }
    memory = coding->memory;
    free(coding);
    memory_refund(&memory, sizeof(*coding));
}

size_t rqv_coding_used(const struct rqv_coding *coding)
{
    return coding->memory.used;
}

/* ---- a step -------------------------------------------------------------------------------------------- */

static int coding_refuse(struct rqv_coding *coding, int error, const char *why)
{
    coding->error = error;
    coding->why = why;
    return error;
}

/* Every stage is held against the bytes of the wire, so that what expands in one and shrinks in the next
 * counts too. */
static int check_limits(struct rqv_coding *coding, const struct coding_stage *stage)
{
    const struct rqv_coding_limits *limits = &coding->limits;

    if (limits->output_max > 0 && !stage->buf && stage->out > limits->output_max)
        return coding_refuse(coding, REQIVO_E_LIMIT_CODING,
                             "the decoded body is larger than it may be (limits.decoded of the daemon)");
    if (limits->ratio_max > 0 && stage->out > limits->ratio_floor &&
        stage->out / limits->ratio_max > coding->in)
        return coding_refuse(coding, REQIVO_E_LIMIT_CODING, "the body expands by more than is allowed");
    return 0;
}

static int stage_run(struct rqv_coding *coding, struct coding_stage *stage, struct rqv_coding_flow *io)
{
    int r = stage->ops->run(stage, io);

    if (r == -ENOMEM)
        return coding_refuse(coding, coding->memory.error ? coding->memory.error : -ENOMEM,
                             "no memory to decode the body");
    if (r < 0)
        return coding_refuse(coding, r, io->why);
    stage->pending = io->produced == io->out_size;
    stage->out += io->produced;
    return 0;
}

/* Lets stage `i` run once, if it has something to do and room for it. The number of bytes that moved, or an
 * error. */
static int stage_step(struct rqv_coding *coding, size_t i, struct rqv_coding_flow *flow)
{
    struct coding_stage *stage = &coding->stages[i], *before = i > 0 ? stage - 1 : NULL;
    size_t room = flow->out_size < RQV_CODING_STEP_MAX ? flow->out_size : RQV_CODING_STEP_MAX;
    struct rqv_coding_flow io = {0};
    int r;

    if (before) {
        io.in = before->buf + before->start;
        io.in_len = before->end - before->start;
    } else {
        /* Not more at a time than a step may work on. */
        io.in = flow->in_len > 0 ? flow->in + flow->consumed : NULL;
        io.in_len = flow->in_len - flow->consumed < WORK ? flow->in_len - flow->consumed : WORK;
    }
    io.out = stage->buf ? stage->buf : flow->out + flow->produced;
    io.out_size = stage->buf ? (stage->start == stage->end ? BETWEEN : 0) : room - flow->produced;
    if (io.out_size == 0 || (io.in_len == 0 && !stage->pending))
        return 0;
    r = stage_run(coding, stage, &io);
    if (r < 0)
        return r;
    if (before) {
        before->start += io.consumed;
    } else {
        flow->consumed += io.consumed;
        coding->in += io.consumed;
    }
    if (stage->buf) {
        stage->start = 0;
        stage->end = io.produced;
    } else {
        flow->produced += io.produced;
    }
    r = check_limits(coding, stage);
    return r < 0 ? r : (int)(io.consumed + io.produced);
}

/* All of `in` is taken and no stage has anything left to do. */
static bool is_idle(const struct rqv_coding *coding, const struct rqv_coding_flow *flow)
{
    for (size_t i = 0; i < coding->count; i++) {
        const struct coding_stage *stage = &coding->stages[i];

        if (stage->pending || stage->start < stage->end)
            return false;
    }
    return flow->consumed == flow->in_len;
}

static int coding_end(struct rqv_coding *coding)
{
    for (size_t i = 0; i < coding->count && coding->in > 0; i++) {
        if (!coding->stages[i].whole)
            return coding_refuse(coding, REQIVO_E_TRUNCATED, "the coded body ends before it is complete");
    }
    return RQV_CODING_END;
}

int rqv_coding_step(struct rqv_coding *coding, struct rqv_coding_flow *flow)
{
    size_t room = flow->out_size < RQV_CODING_STEP_MAX ? flow->out_size : RQV_CODING_STEP_MAX;
    size_t moved, worked = 0;
    int r = coding->error;

    flow->consumed = flow->produced = 0;
    if (r == 0 && room == 0)
        return -EINVAL;
    do {
        moved = 0;
        for (size_t i = 0; i < coding->count && r >= 0; i++) {
            r = stage_step(coding, i, flow);
            moved += r > 0 ? (size_t)r : 0;
        }
        worked += moved;
    } while (r >= 0 && moved > 0 && worked < WORK && flow->produced < room);
    if (r >= 0 && is_idle(coding, flow))
        r = flow->last ? coding_end(coding) : RQV_CODING_NEED_INPUT;
    else if (r >= 0 && worked == 0 && flow->consumed < flow->in_len)
        r = coding_refuse(coding, REQIVO_E_CODING, "a decoder neither takes nor gives anything");
    else if (r >= 0)
        r = RQV_CODING_HAVE_OUTPUT;
    flow->why = coding->why;
    if (r < 0)
        flow->produced = 0;
    return r;
}
