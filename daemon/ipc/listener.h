/* SPDX-License-Identifier: MIT */
/*
 * listener - one of the daemon's two sockets: that of programs, and the control socket beside it, which has
 * peers and memory of its own (`accounts`), so that it answers when the other one is at its limits. Where a
 * socket comes from, who may connect, and its end.
 */
#ifndef DAEMON_IPC_LISTENER_H
#define DAEMON_IPC_LISTENER_H

#include "daemon/base/account.h"
#include "daemon/base/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct ipc;

struct listener {
    struct ipc *ipc;
    struct accounts *accounts; /* what its peers are charged to */
    struct loop_io accept;
    struct loop_timer pause; /* after EMFILE and its like */
    unsigned fresh;          /* peers that have not had a turn yet */
    bool control;
    bool activated;        /* the socket is the service manager's: it stays when we go */
    bool leaving;          /* ours, after listener_leave() */
    struct log_rate noise; /* about connections of nobody in particular */
    char path[108];
};

/* The listening sockets that the service manager has passed, known by their names: "control" is the control
 * socket's, "reqivo" that of programs. A single one without a name is the latter. */
struct inherited {
    int data, control; /* -1: none */
};
/* 0, or -errno with one line in `why`: another name, more than one of a kind, no listening UNIX stream
 * socket.
 */
int listener_inherit(struct inherited *ret_inherited, char *why, size_t why_size);

void listener_init(struct listener *listener, struct ipc *ipc, struct accounts *accounts);
/* Takes `fd`, or makes a socket at `path` where it is -1. 0, or -errno with one line in `why`. */
int listener_start(struct listener *listener, int fd, const char *path, char *why, size_t why_size);
/* Our own socket goes, and who was in its queue is let in: were there any? listener_start() makes it anew. */
bool listener_retire(struct listener *listener);
/* Nobody comes in any more. Who waits at our own socket is let in first, as fast as the listener may, and
 * then it is closed; at the service manager's, he waits for the next instance. */
void listener_leave(struct listener *listener);
static inline bool listener_is_closed(const struct listener *listener)
{
    return listener->accept.fd < 0;
}
/* The folder that `path` lies in; mode 0755, of a user's own 0700. */
void listener_make_dir(const char *path, bool user);
/* Who waits at our own socket is let in after listener_leave(), and cut off otherwise. Harmless when it is
 * closed. */
void listener_close(struct listener *listener);

#endif
