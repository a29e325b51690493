/* SPDX-License-Identifier: MIT */
/* report - what the log says about one user's programs and requests: events with fields. */
#ifndef DAEMON_IPC_REPORT_H
#define DAEMON_IPC_REPORT_H

#include "daemon/ipc/peer.h"

/* A frame that may not be: whatever the rate is, the peer is closed after it. */
void report_violation(struct peer *peer, const char *why);
/* An id has ended with a code: what policy refused, or a limit of the user's, is an event. */
void report_failure(struct peer *peer, uint64_t id, const struct rqv_done *done);

#endif
