/* SPDX-License-Identifier: MIT */
/*
 * query - answers of reqivoctl's verbs as rows of names and values. Who sees what: access.h. A list is sent
 * over many turns, the newest first: while it is under way (peer->query), no further frame of that peer is
 * looked at.
 */
#ifndef DAEMON_IPC_QUERY_H
#define DAEMON_IPC_QUERY_H

#include "daemon/ipc/peer.h"

void query_begin(struct peer *peer, uint64_t id, uint16_t verb);
/* The next rows, while peer->query; the last of them ends it. */
void query_go_on(struct peer *peer);
void query_end(struct peer *peer, int code); /* with DONE */
void query_drop(struct peer *peer);          /* the peer is gone; harmless when there is none */

#endif
