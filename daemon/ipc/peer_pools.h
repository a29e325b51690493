/* SPDX-License-Identifier: MIT */
/* peer_pools - the operations of one program on pools, and the connections that it has acquired. */
#ifndef DAEMON_IPC_PEER_POOLS_H
#define DAEMON_IPC_PEER_POOLS_H

#include "daemon/ipc/peer_operate.h"
#include "daemon/work/operate.h"
#include "daemon/work/pin.h"

/* The functions of the verbs: operate_fn. */
bool peer_pool_operate(const struct operate_call *call); /* statistics, limit, prewarm, close idle, acquire */
bool peer_connection_release(const struct operate_call *call);
bool peer_connection_info(const struct operate_call *call);

struct pin *peer_pin(struct peer *peer, uint64_t id); /* NULL: not one of this peer */
/* CANCEL: ends that operation, or closes that connection. False when the id is neither's. */
bool peer_pools_cancel(struct peer *peer, uint64_t id);
void peer_pools_kick(struct peer *peer);    /* a set of certificates has been read */
void peer_pools_drain(struct peer *peer);   /* operations end; connections close after their requests */
void peer_pools_abandon(struct peer *peer); /* the peer is closed; its requests have been abandoned */

#endif
