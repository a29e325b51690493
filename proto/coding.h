/* SPDX-License-Identifier: MIT */
/*
 * coding - content codings of a response (RFC 9110 8.4): what Content-Encoding says, and a chain of decoders
 * that takes them off, the last applied first, in steps whose output and work are bounded.
 *
 *   wire --> [zstd] --16 KiB--> [br] --16 KiB--> [gzip] --> the caller's room, at most 64 KiB a step
 *
 * gzip (x-gzip)  RFC 1952; members that follow each other are one body; checksums and lengths are checked
 * deflate        RFC 1950, or RFC 1951 without its wrapping, which half of the servers mean by it
 * br             RFC 7932; windows up to 24 bits
 * zstd           RFC 8878; windows up to 8 MiB (RFC 9659); skippable frames give nothing; no dictionaries
 *
 * Bytes behind the end: behind gzip and deflate, what is not another gzip member is ignored, as browsers do
 * (curl ignores it or fails, by how the reads fall). Behind br they are an error, as in curl; behind zstd
 * there may only be another frame.
 *
 * Not judged here: responses without a body (HEAD, 1xx, 204, 304) and ranges (206: a part of the coded bytes)
 * are the caller's; such a one makes no chain. A body of no byte at all is empty under any coding.
 */
#ifndef RQV_PROTO_CODING_H
#define RQV_PROTO_CODING_H

#include "common/str.h"
#include "proto/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RQV_CODINGS_MAX        5
#define RQV_CODING_STEP_MAX    65536                     /* bytes that one step gives out at most */
#define RQV_CODING_ACCEPT      "deflate, gzip, br, zstd" /* Accept-Encoding for all that is known here */
#define RQV_CODING_ZSTD_WINDOW 23                        /* bits: RFC 9659 */

enum rqv_coding_kind { RQV_CODING_GZIP = 1, RQV_CODING_DEFLATE, RQV_CODING_BR, RQV_CODING_ZSTD };

struct rqv_codings {
    size_t count;                /* 0: the body is as it is */
    uint8_t at[RQV_CODINGS_MAX]; /* enum rqv_coding_kind, in the order in which they were applied */
};

/*
 * What all Content-Encoding fields of a response say together; `identity` says nothing. 0, or REQIVO_E_CODING
 * (a coding that is not known here, no token, more than 5) with *ret_why pointing at a static sentence.
 */
int rqv_codings_parse(const struct rqv_fields *fields, struct rqv_codings *ret_codings, const char **ret_why);

struct rqv_coding_limits {
    uint64_t output_max;  /* bytes of the decoded body; 0: no limit */
    uint64_t ratio_floor; /* the ratio counts from so many decoded bytes on */
    unsigned ratio_max;   /* decoded / coded bytes so far, of every coding of the chain; 0: no limit */
    size_t memory_max;    /* what the whole chain may hold */
};

/* No limit of size, ratio 100 from 1 MiB on (security.md B4), 32 MiB of memory. */
void rqv_coding_limits_default(struct rqv_coding_limits *ret_limits);

/*
 * Who pays for memory. The libraries allocate in the middle of a step, and how much depends on the body, so
 * the owner is asked then: charge() before each block, refund() after it is freed, never more than
 * rqv_codings_memory() at a time. Both are called from new, step and free only, and must not call back.
 */
struct rqv_coding_payer {
    int (*charge)(void *owner, size_t bytes); /* 0, or a code: the step fails with it; NULL: nobody pays */
    void (*refund)(void *owner, size_t bytes);
    void *owner;
};

/* The most that a chain of these codings can hold: for one coding about 45 KiB (gzip, deflate), 28 MiB (br),
 * 8.5 MiB (zstd), never more than limits->memory_max. What a body really takes is mostly far less. */
size_t rqv_codings_memory(const struct rqv_codings *codings, const struct rqv_coding_limits *limits);

struct rqv_coding;

/* 0, -EINVAL (no coding), -ENOMEM, REQIVO_E_LIMIT_MEMORY (over memory_max), or what charge() answered. Limits
 * and payer are copied; `payer` may be NULL. */
int rqv_coding_new(const struct rqv_codings *codings, const struct rqv_coding_limits *limits,
                   const struct rqv_coding_payer *payer, struct rqv_coding **ret_coding);
void rqv_coding_free(struct rqv_coding *coding);
size_t rqv_coding_used(const struct rqv_coding *coding); /* bytes that are charged now */

enum rqv_coding_state {
    RQV_CODING_NEED_INPUT = 0,  /* all of `in` is taken, and all that could be made of it is given out */
    RQV_CODING_HAVE_OUTPUT = 1, /* the room is full or the step has done its share of work: call again */
    RQV_CODING_END = 2,         /* `last` was set, all is taken, given out, and complete */
};

struct rqv_coding_flow {
    const uint8_t *in;
    size_t in_len;
    bool last; /* the body ends with `in` (which may be empty) */
    uint8_t *out;
    size_t out_size;           /* at least 1; more than RQV_CODING_STEP_MAX is not used */
    size_t consumed, produced; /* results; after HAVE_OUTPUT both may be 0, once */
    const char *why;           /* on failure: a static sentence */
};

/*
 * One bounded step. An enum rqv_coding_state; -EINVAL for no room; or, sticky and with flow->why:
 * REQIVO_E_CODING (not the coding's format, a checksum is wrong, bytes behind the end), REQIVO_E_TRUNCATED
 * (`last`, and the body is not complete), REQIVO_E_LIMIT_CODING (size or ratio), REQIVO_E_LIMIT_MEMORY,
 * -ENOMEM, or what charge() answered. What a failing step wrote to `out` counts for nothing.
 */
int rqv_coding_step(struct rqv_coding *coding, struct rqv_coding_flow *flow);

#endif
