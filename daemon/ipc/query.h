/* SPDX-License-Identifier: MIT */
/* query - answers of reqivoctl's verbs as rows of names and values. A user sees what is his; root and the
 * daemon's own user see all. */
#ifndef DAEMON_IPC_QUERY_H
#define DAEMON_IPC_QUERY_H

#include "daemon/ipc/peer.h"

void query_answer(struct peer *peer, uint64_t id, uint16_t verb);

#endif
