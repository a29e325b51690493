/* SPDX-License-Identifier: MIT */
/*
 * control - the verbs of the control socket that change something: drain, reload, close and warm. Who may is
 * access.h's. Each is an OPERATE, and ends with its DONE when what was asked for has been done.
 */
#ifndef DAEMON_IPC_CONTROL_H
#define DAEMON_IPC_CONTROL_H

#include "daemon/ipc/peer_operate.h"

/* The functions of the verbs: operate_fn. */
bool control_drain(const struct operate_call *call);
bool control_reload(const struct operate_call *call);
bool control_close(const struct operate_call *call);
bool control_warm(const struct operate_call *call);

/* CANCEL: it is told nothing of its reload but that. False when the id is none's. */
bool control_cancel(struct peer *peer, uint64_t id);
void control_shutdown(struct peer *peer); /* the daemon drains */
void control_abandon(struct peer *peer);  /* the peer is closed */

#endif
