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
/* Closes the idle connections of all pools of the origin that `target` names: a few pools in each turn, then
 * a row and DONE. `uid`: of that user only; NULL: of all. Negative: nothing was begun. */
int query_close_begin(struct peer *peer, uint64_t id, const struct target *target, const uid_t *uid);
/* The next rows, while peer->query; the last of them ends it. */
void query_go_on(struct peer *peer);
void query_end(struct peer *peer, int code); /* with DONE */
void query_drop(struct peer *peer);          /* the peer is gone; harmless when there is none */

#endif
