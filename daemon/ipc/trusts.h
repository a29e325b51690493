/* SPDX-License-Identifier: MIT */
/* trusts - the sets of CA certificates that a program has uploaded on its connection, by the id that it gave
 * them. */
#ifndef DAEMON_IPC_TRUSTS_H
#define DAEMON_IPC_TRUSTS_H

#include "common/err.h"
#include "common/str.h"
#include "daemon/ipc/peer.h"

/* TRUST: `total` bytes will come as DATA. 0, or REQIVO_E_WIRE / a limit. */
int trusts_begin(struct peer *peer, uint64_t id, uint32_t total);
/* DATA for an id that trusts_knows(). 0 or REQIVO_E_WIRE. */
int trusts_data(struct peer *peer, uint64_t id, struct rqv_str bytes, bool last);
bool trusts_knows(const struct peer *peer, uint64_t id);
/* For exchange_sink.trust. */
int trusts_get(struct peer *peer, uint64_t id, struct trust **ret_trust, struct rqv_err *err);
void trusts_done(struct peer *peer);

#endif
