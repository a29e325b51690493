/* SPDX-License-Identifier: MIT */
/*
 * lock - at most one daemon on a path: PATH.lock is held with flock(2) from before a socket of our own is
 * made until its file is gone. The kernel gives it back when the daemon dies, however it does, so neither a
 * lock nor a socket file that was left behind is in anybody's way. Who starts a daemon on demand takes the
 * lock first and hands it over (libclient/start.c); so of fifty programs one starts it.
 *
 * The holder removes the file at the end. Whoever opened it before that finds that the path names another
 * file, or none, once he has the lock, and tries again.
 */
#ifndef DAEMON_IPC_LOCK_H
#define DAEMON_IPC_LOCK_H

#include <stddef.h>

#define LOCK_FD 3 /* which one that is, of a daemon that was started with --on-demand */

/* The lock of `path`: the one that descriptor `given` holds, or, where that is -1, a new one. The descriptor,
 * or -errno with one line in `why`: -EADDRINUSE when another daemon has it. */
int lock_take(const char *path, int given, char *why, size_t why_size);
void lock_give(const char *path, int *fd); /* removes the file; leaves -1; harmless for -1 */

#endif
