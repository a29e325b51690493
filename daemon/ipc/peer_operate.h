/* SPDX-License-Identifier: MIT */
/*
 * peer_operate - the frame OPERATE: verbs of a program on what it has in the daemon besides requests. One
 * function a verb, in the table of peer_operate.c. Each counts as a request while it lasts, is answered by
 * INFO rows and exactly one DONE, and is taken back by CANCEL with its id; so is what it has made.
 */
#ifndef DAEMON_IPC_PEER_OPERATE_H
#define DAEMON_IPC_PEER_OPERATE_H

#include "daemon/ipc/peer.h"
#include "daemon/work/session.h"

/* One operation, as its verb's function gets it. */
struct operate_call {
    struct peer *peer;
    uint64_t id;
    const struct rqv_operation *operation; /* until the function returns */
    struct account *account;               /* whose pools; NULL: the peer's */
};

/* True: it is over, DONE is queued. False: it goes on; whoever carries it on queues DONE at its end and gives
 * back one of ACCOUNT_REQUESTS. */
typedef bool (*operate_fn)(const struct operate_call *call);

int operate_row(const struct operate_call *call, const struct rqv_fields *fields); /* one INFO */
/* DONE; err->code 0 is success. Answers true, for `return`. */
bool operate_done(const struct operate_call *call, const struct rqv_err *err);

/* NULL, or what violates the wire. The id has been judged. */
const char *peer_operate(struct peer *peer, uint64_t id, struct rqv_str payload);
/* CANCEL of an id that is no request's: ends the operation, or closes what it made. */
void peer_operate_cancel(struct peer *peer, uint64_t id);
void peer_operate_abandon(struct peer *peer); /* the peer is closed */

struct session *peer_session(struct peer *peer, uint64_t id); /* NULL: not one of this peer */

#endif
