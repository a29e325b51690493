/* SPDX-License-Identifier: MIT */
/*
 * fds - descriptors that a stranger sends. None are accepted. Kernels from 6.16 refuse them for us
 * (SO_PASSRIGHTS off on the listener); on older ones closing one may block for seconds (a socket that
 * lingers), so they are collected and closed on a thread, and the sender's connection ends. security.md
 * B9-11, finding 4.
 */
#ifndef DAEMON_IPC_FDS_H
#define DAEMON_IPC_FDS_H

#include "daemon/ipc/peer.h"

#include <stdbool.h>
#include <sys/types.h>

/* Has the kernel refuse them on connections accepted from `listener`; false where it cannot. */
bool fds_refuse(int listener);
/* As recv(), with any descriptors taken off and closed elsewhere; then -1 with EPROTO. */
ssize_t fds_recv(struct peer *peer, void *room, size_t size);
/* Closes the peer's socket. Where descriptors may lie in it unread, on the thread: the kernel closes those
 * with it. */
void fds_close(struct peer *peer, int fd);

#endif
