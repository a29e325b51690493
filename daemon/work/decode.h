/* SPDX-License-Identifier: MIT */
/*
 * decode - takes the content codings off one response body (proto/coding.h). Coded bytes go in whole and wait
 * here; decoded ones come out as the taker has room, so a body that grows costs what was read of it, and no
 * more is read while something waits. Queue and decoders are charged to the account before they are made.
 */
#ifndef DAEMON_WORK_DECODE_H
#define DAEMON_WORK_DECODE_H

#include "common/err.h"
#include "daemon/base/account.h"
#include "daemon/base/queue.h"
#include "proto/coding.h"

struct decode {
    struct account *account;
    struct rqv_coding *coding;
    struct queue in;
    bool busy;             /* there may be more output without more input */
    struct fair_item turn; /* the owner's, for its next step */
    bool is_turn;          /* of the owner: it is this one */
    struct decode_trailers {
        size_t size;
        struct rqv_fields fields;
        char text[];
    } * trailers; /* they came before all was given out; NULL: none */
};

/* `fn` is the item's of `turn`, which the owner queues. 1: *ret_decode is made. 0: the fields name no
 * coding. Else a code, with err filled. */
struct decode_params {
    struct account *account; /* must outlive the decode */
    uint64_t size_max;       /* of the decoded body; 0: no limit */
    bool (*fn)(void *owner);
    void *owner;
};
int decode_new(const struct decode_params *params, const struct rqv_fields *fields,
               struct decode **ret_decode, struct rqv_err *err);
void decode_free(struct decode **decode);

int decode_put(struct decode *decode, const uint8_t *bytes,
               size_t len); /* 0, REQIVO_E_LIMIT_MEMORY, -ENOMEM */
/* One step into `out`, *len bytes at most, then as many as there are; `last`: nothing comes behind what was
 * put in. An enum rqv_coding_state, or a code with err filled. */
int decode_take(struct decode *decode, bool last, uint8_t *out, size_t *len, struct rqv_err *err);
/* Keeps trailers until the body has been given out: 0, REQIVO_E_LIMIT_MEMORY, -ENOMEM. */
int decode_keep(struct decode *decode, const struct rqv_fields *trailers);
/* Something waits: nothing more should be put in. */
bool decode_waits(const struct decode *decode);

#endif
