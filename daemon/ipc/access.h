/* SPDX-License-Identifier: MIT */
/*
 * access - who may ask for what, and on which of the two sockets: one table (access.c). Each verb is judged
 * by itself, when it is asked for. A user sees what is his and touches what is his. Root, the daemon's own
 * user, and whom control.admins names are the *admins*: on the control socket they see all.
 */
#ifndef DAEMON_IPC_ACCESS_H
#define DAEMON_IPC_ACCESS_H

#include "common/err.h"
#include "daemon/ipc/peer.h"

/* 0, or REQIVO_E_ACCESS_DENIED with err filled: what a refused one is told says who may. A verb that is not
 * in the table is refused with REQIVO_E_VERSION. */
int access_query(const struct peer *peer, uint16_t verb, struct rqv_err *err);
int access_operation(const struct peer *peer, uint16_t verb, struct rqv_err *err);

/* `verb` touches what is another user's: 0, or REQIVO_E_ACCESS_DENIED with err filled. */
int access_touches_others(const struct peer *peer, const char *verb, struct rqv_err *err);

/* Is it an admin that came in by the control socket? */
bool access_sees_all(const struct peer *peer);

#endif
