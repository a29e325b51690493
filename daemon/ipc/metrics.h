/* SPDX-License-Identifier: MIT */
/*
 * metrics - the daemon's figures in Prometheus' text format, version 0.0.4, in pieces: each is whole lines,
 * costs a bounded time, and stands by itself, so that other work may come in between. The figures themselves
 * live where the facts are known.
 */
#ifndef DAEMON_IPC_METRICS_H
#define DAEMON_IPC_METRICS_H

#include "daemon/ipc/ipc.h"

#define METRICS_PIECE 4096 /* no piece is longer */

struct metrics {
    struct ipc *ipc;
    struct account *only;   /* a reference: nothing but what is his; NULL: all */
    bool users;             /* the figures of each user, too */
    unsigned family;        /* which is next, */
    unsigned part;          /* and where in it */
    struct roll_node place; /* among the accounts, within a family of users */
};

/* `only` may be NULL. */
void metrics_begin(struct metrics *metrics, struct ipc *ipc, struct account *only, bool users);
/* The next piece, without a NUL; 0: that was all. */
size_t metrics_next(struct metrics *metrics, char text[METRICS_PIECE]);
void metrics_end(struct metrics *metrics);

#endif
