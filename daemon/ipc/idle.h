/* SPDX-License-Identifier: MIT */
/*
 * idle - a daemon that nobody uses ends by itself (timeouts.idle_exit): when for that time no program has
 * been connected. A program that connects in that moment is served, or finds nobody and starts the next
 * daemon; it is never accepted and then left. reqivoctl's connections do not count.
 */
#ifndef DAEMON_IPC_IDLE_H
#define DAEMON_IPC_IDLE_H

struct ipc;

void idle_init(struct ipc *ipc);
void idle_quiet(struct ipc *ipc); /* no program is connected any more, or none yet */
void idle_done(struct ipc *ipc);

#endif
