/* SPDX-License-Identifier: MIT */
/* slow - programs that do not read: whose socket has been full for timeouts.slow_reader is disconnected, and
 * what it holds goes back. security.md B9-8. */
#ifndef DAEMON_IPC_SLOW_H
#define DAEMON_IPC_SLOW_H

#include "daemon/ipc/peer.h"

void slow_init(struct ipc *ipc);
void slow_begin(struct peer *peer); /* the kernel takes no more for it; no effect when that is known */
void slow_end(struct peer *peer);   /* it has read, or goes; harmless when it was not slow */

#endif
