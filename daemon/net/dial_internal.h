/* SPDX-License-Identifier: MIT */
/*
 * dial_internal - the race for a connected socket (dial_race.c), used by dial.c alone.
 *
 *   addresses, interleaved   a0 a1 a2 a3 ...
 *   lanes (two at most)      [a0 ----------- refused]
 *                                 250 ms [a1 --- connected] -> the winner; the other lane is closed
 */
#ifndef DAEMON_NET_DIAL_INTERNAL_H
#define DAEMON_NET_DIAL_INTERNAL_H

#include "common/addr.h"
#include "common/err.h"
#include "daemon/base/conf.h"
#include "daemon/base/loop.h"
#include "daemon/net/resolver.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RACE_LANES    2
#define RACE_DELAY_US UINT64_C(250000) /* RFC 8305 5: Connection Attempt Delay */

struct race;
struct race_lane {
    struct loop_io io;
    struct race *race;
    struct rqv_addr addr;
    int fd; /* -1: free */
};

/* Runs once, perhaps inside race_start(): fd is the winner's, the callee's now, or -1 with race->err filled.
 */
typedef void (*race_fn)(void *owner, int fd, const struct rqv_addr *addr);

struct race {
    struct loop *loop;
    const struct conf *conf;
    const struct account *account; /* whose policy it is; held by the owner */
    bool public_only;              /* set by the owner: of dial_params */
    race_fn fn;
    void *owner;
    struct race_lane lanes[RACE_LANES];
    struct loop_timer next_timer;
    struct rqv_addr addrs[RESOLVER_ADDRS_MAX];
    size_t count, next;
    bool over;
    unsigned attempts;
    int refused_code; /* by the policy; 0: none was */
    struct rqv_addr last;
    int last_errno;
    size_t tried_len;
    char tried[RQV_DETAIL_MAX]; /* "[::1]:443: Connection refused; ..." */
    struct rqv_err err;
};

void race_init(struct race *race, struct loop *loop, const struct conf *conf, const struct account *account);
void race_start(struct race *race, const struct rqv_addr *addrs, size_t count, race_fn fn, void *owner);
void race_stop(struct race *race); /* closes what is under way; fn does not run any more */

#endif
