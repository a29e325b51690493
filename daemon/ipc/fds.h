/* SPDX-License-Identifier: MIT */
/*
 * fds - descriptors that a stranger sends. None are accepted, and none ever enter our table. Kernels from
 * 6.16 refuse them for us (SO_PASSRIGHTS off on the listener). On older ones they lie in the stranger's
 * socket until that is closed, and closing one may block (a TCP socket that lingers) for as long as its
 * sender likes; so such a socket is closed by a thread that ends: on its way out of a task the kernel waits
 * for nothing. security.md B9-11, finding 4.
 */
#ifndef DAEMON_IPC_FDS_H
#define DAEMON_IPC_FDS_H

#include "common/list.h"
#include "daemon/base/account.h"
#include "daemon/base/loop.h"

#include <stdbool.h>
#include <sys/types.h>

struct fds {
    struct loop *loop;
    bool loose; /* the kernel does not refuse them for us */
    bool ending;
    struct rqv_list waiting;   /* sockets to be closed, each with its charge */
    unsigned uncharged;        /* of them, or on the way: those of nobody's account */
    struct fds_closing *under; /* under way; NULL: none */
    struct loop_mail mail;     /* the thread has a hold of its own on them */
};

void fds_init(struct fds *fds, struct loop *loop);
void fds_done(struct fds *fds); /* nothing waits any more, and no thread will come back to the loop */

void fds_listens(struct fds *fds, int listener); /* for each listening socket, before it accepts */
/* For a socket that was accepted just now. */
void fds_accepted(const struct fds *fds, int fd);
/* As recv() without waiting; -1 with EPROTO where descriptors are among what came: nothing is read then. */
ssize_t fds_recv(const struct fds *fds, int fd, void *room, size_t size);
/* Shuts and closes a socket, a listening one too, at once or soon. Then account_peer_gone(), and the
 * reference to the account is released; it may be NULL. */
void fds_close(struct fds *fds, int fd, struct account *account);
/* Sockets that nobody is charged for wait to be closed: no more of them may be made. */
bool fds_busy(const struct fds *fds);

#endif
