/* SPDX-License-Identifier: MIT */
/*
 * scrape - the metrics over HTTP, on a loopback address that the configuration may name (metrics.listen). Who
 * connects there is nobody in particular: the kernel tells no uid, so the figures of each user are shown
 * only where metrics.users allows it, and all who come have one account of the control socket's reserve.
 *
 *   accepted --> HEAD --(a whole head, or one that is wrong)--> ANSWER --(written)--> LINGER --> closed
 *
 * One answer a connection, few connections at once, each for a limited time whatever it does. When all
 * places are taken, that time is short: who holds them keeps a collector waiting, not out.
 */
#ifndef DAEMON_IPC_SCRAPE_H
#define DAEMON_IPC_SCRAPE_H

#include "common/addr.h"
#include "common/list.h"
#include "daemon/base/loop.h"

#include <stddef.h>
#include <stdint.h>

#define SCRAPE_CONNS    8
#define SCRAPE_HEAD_MAX 8192    /* of a request's head */
#define SCRAPE_US       5000000 /* from the accept to the end */
#define SCRAPE_CROWD_US 250000  /* the same while all places are taken */

struct ipc;

struct scrape {
    struct ipc *ipc;
    struct loop_io accept;
    struct loop_timer pause; /* after EMFILE and its like */
    struct loop_timer due;   /* the oldest connection */
    struct rqv_list conns;   /* oldest first */
    unsigned count;
};

void scrape_init(struct scrape *scrape, struct ipc *ipc);
/* A socket that listens at `at`; -1 where that is none. 0, or -errno with one line in `why`. */
int scrape_listen(const struct rqv_addr *at, int *ret_fd, char *why, size_t why_size);
/* Takes the socket in place of the one that there is; -1: nowhere. Connections that there are go on. */
void scrape_use(struct scrape *scrape, int fd);
void scrape_close(struct scrape *scrape); /* the socket and all connections; harmless when it is closed */

#endif
