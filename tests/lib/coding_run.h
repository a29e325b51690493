/* SPDX-License-Identifier: MIT */
/* coding_run - for tests of proto/coding: bodies coded by the libraries' own encoders, and a chain that is
 * run with pieces and rooms of any size. */
#ifndef RQV_TESTS_CODING_RUN_H
#define RQV_TESTS_CODING_RUN_H

#include "proto/coding.h"

struct bytes {
    uint8_t *at;
    size_t len;
    size_t size; /* of the block, as far as coding_append() knows it */
};

/* Text that shrinks a little, the same for each call; zeros when `dull`. */
struct bytes coding_plain(size_t len, bool dull);
struct bytes coding_copy(const void *at, size_t len);
void coding_append(struct bytes *to, const void *at, size_t len);

struct coding_encode {
    enum rqv_coding_kind kind;
    bool raw;        /* deflate without zlib's wrapping */
    int level;       /* 0: the fast one */
    int window_bits; /* br and zstd; 0: what the level says */
};
/* One more coding around `plain`; aborts on failure. The result is the caller's to free. */
struct bytes coding_encode(struct bytes plain, const struct coding_encode *how);

struct coding_result {
    struct bytes out; /* what came before the failure, if there was one */
    int code;         /* RQV_CODING_END or the failure */
    const char *why;
    size_t peak; /* of rqv_coding_used() */
};

struct coding_params {
    struct rqv_codings codings;
    struct rqv_coding_limits limits;
    size_t piece, room;
    size_t cut; /* the first piece is so long instead; 0: it is not */
};
/* Default limits, whole input, rooms of 64 KiB. */
struct coding_params coding_params_of(enum rqv_coding_kind kind);
/* Runs a chain over `coded`. result.out is the caller's to free. Aborts when a promise of coding.h is broken:
 * more than the room, no progress, a failure that does not stay, memory over rqv_codings_memory(). */
struct coding_result coding_run(const struct coding_params *params, struct bytes coded);

#endif
