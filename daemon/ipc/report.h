/* SPDX-License-Identifier: MIT */
/*
 * report - what the log says about one user's programs and requests: events with fields, and the access log,
 * one line for each request and WebSocket at its end. The access log names the origin and nothing else of a
 * URL: paths hold secrets, too (reset links, webhooks), and so they are not there, as queries are not.
 */
#ifndef DAEMON_IPC_REPORT_H
#define DAEMON_IPC_REPORT_H

#include "daemon/ipc/peer.h"

#include <sys/socket.h>

/* A connection that is not taken: by policy, or at a limit. */
void report_turned_away(struct listener *listener, const struct ucred *cred, int code, const char *detail);
/* A frame that may not be: whatever the rate is, the peer is closed after it. */
void report_violation(struct peer *peer, const char *why);
/* An id has ended with a code: what policy refused, or a limit of the user's, is an event. */
void report_failure(struct peer *peer, uint64_t id, const struct rqv_done *done);

/* ---- the access log. Callers ask report_on() first: off, it costs that question. ---- */

static inline bool report_on(const struct peer *peer)
{
    return conf_logs_access(peer->ipc->use.conf);
}

/* One that has ended. `done` is NULL when its program was gone before. */
void report_request(struct peer *peer, const struct exchange *x, const struct rqv_done *done);
void report_websocket(struct peer *peer, const struct wsession *ws, const struct rqv_done *done);
/* One that never began; method and URL as the program gave them. */
struct report_asked {
    uint64_t id;
    struct rqv_str method, url;
};
void report_refused(struct peer *peer, const struct report_asked *asked, const struct rqv_err *err);

#endif
