/* SPDX-License-Identifier: MIT */
/*
 * start - starts a daemon for this user where none answers, if the program has asked for that. Nothing here
 * waits: each step looks, acts, and comes back; the handle's connection is tried again in between.
 *
 *   nobody answers ──> PATH.lock is taken by another: he starts one, or one is ending: try to connect again
 *        ^       └──> we have it: fork twice, exec reqivod --on-demand, which inherits the lock ──┐
 *        │                                                                                       │ `report`
 *        └────── it ended without a word (idle at once, killed): the next one <───────────────────┤
 *                                                   it said why it cannot start: that is the error <┘
 *
 * `report` is the daemon's standard error until it is ready: its end means ready, or gone.
 */
#ifndef RQV_LIBCLIENT_START_H
#define RQV_LIBCLIENT_START_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RQV_START_BOUND_MS 15000 /* from the first look until there must be a daemon */
#define RQV_START_POLL_MS  10    /* between two looks */
#define RQV_START_TRIES    20    /* daemons that may end without a word */

struct rqv_start {
    bool wanted; /* the program asked for it */
    int report;  /* -1: no daemon of ours is starting */
    uint64_t until_ms;
    unsigned tries;
    size_t len; /* of what it said */
    char said[RQV_DETAIL_MAX / 2];
};

void rqv_start_init(struct rqv_start *start, bool wanted);
void rqv_start_over(struct rqv_start *start); /* a daemon answers, or the handle ends */
/* Before the next attempt to connect: has the daemon that we started become ready, or ended? Takes what it
 * says. */
bool rqv_start_ended(struct rqv_start *start);
/* That attempt has found nobody. 0: a daemon is being started, *ret_pause_ms until it is worth another look.
 * REQIVO_E_NO_DAEMON: none will come, `why` says why. */
int rqv_start_step(struct rqv_start *start, const char *path, uint64_t now_ms, uint32_t *ret_pause_ms,
                   char why[RQV_DETAIL_MAX]);

/* ---- spawn.c ---- */

/* The path of the daemon: $REQIVOD where that is safe, else as built. NULL: `why` says why there is none. */
const char *rqv_spawn_program(char why[RQV_DETAIL_MAX]);
/* A daemon for `path` that is nobody's child: it gets `lock` as descriptor 3 and `report` as standard error.
 * Both stay open here. 0 or -errno. */
int rqv_spawn(const char *program, const char *path, int lock, int report);

#endif
