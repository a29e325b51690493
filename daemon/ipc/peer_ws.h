/* SPDX-License-Identifier: MIT */
/* peer_ws - the WebSockets of one program: its frames about them, and what they give back, as frames. */
#ifndef DAEMON_IPC_PEER_WS_H
#define DAEMON_IPC_PEER_WS_H

#include "daemon/ipc/peer.h"
#include "daemon/work/wsession.h"

/* The session of that id, or NULL. */
struct wsession *peer_ws_find(struct peer *peer, uint64_t id);
/* NULL, or what is wrong with the frame: the peer is closed for it. */
const char *peer_ws_open(struct peer *peer, uint64_t id, struct rqv_str payload);
const char *peer_ws_data(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload);
const char *peer_ws_close(struct peer *peer, uint64_t id, struct rqv_str payload);
void peer_ws_kick_all(struct peer *peer);
void peer_ws_cancel_all(struct peer *peer, int code, const char *detail);
void peer_ws_abandon_all(struct peer *peer);

#endif
