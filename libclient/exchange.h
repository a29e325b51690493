/* SPDX-License-Identifier: MIT */
/*
 * exchange - one request from submit until its done callback has run. It lives inside its request, which the
 * handle owns from submit on; the response is made at submit and handed to the program at the end.
 *
 *             submit           encoded into the out buffer    RESPONSE
 *   (none) ------------> WAITING ----------------------> SENT ---------> ANSWERED
 *                          ^  |                           | |               |
 *                          |  |    lost, and may replay   | |               |
 *                          +--|---------------------------+-|---------------+
 *                             |                             |               |
 *                             +-------------> DONE <--------+---------------+     DONE, failure, cancel,
 * deadline
 *                                              |
 *                                              | delivered: head, body pieces, done callback; then it is
 * freed
 */
#ifndef RQV_LIBCLIENT_EXCHANGE_H
#define RQV_LIBCLIENT_EXCHANGE_H

#include "common/buf.h"
#include "common/list.h"

#include <reqivo/client.h>
#include <stdbool.h>
#include <stdint.h>

enum rqv_exchange_state { RQV_X_WAITING, RQV_X_SENT, RQV_X_ANSWERED, RQV_X_DONE };

struct rqv_exchange {
    enum rqv_exchange_state state;
    uint8_t sent;    /* enum reqivo_sent: what is known when the daemon is lost */
    uint8_t replays; /* how often it went back to WAITING */
    bool repeated;   /* once of these, although it may have reached a server */
    bool sync;       /* reqivo_call() or reqivo_query() waits for it: never in a ready list */
    uint64_t id;
    struct rqv_exchange *same_slot; /* ids.c */
    struct rqv_list all, ready, sending;
    struct reqivo_response *response;
    reqivo_done_fn fn;
    void *userdata;
    uint64_t submit_us;
    uint64_t replay_ms; /* when it went back to WAITING */

    /* out: REQUEST and body */
    uint64_t end; /* of its REQUEST (or what it has in its place) in all bytes queued on this connection */
    uint64_t body_sent;
    uint64_t credit;            /* bytes of DATA that the daemon still takes */
    bool body_ended;            /* DATA with END is queued */
    bool body_blocked;          /* the source said -EAGAIN */
    bool body_resumed;          /* reqivo_resume() was called while the source ran */
    bool begun;                 /* BEGUN came */
    bool hop_announced;         /* RESPONSE with MORE came; HOP is next */
    bool hopped;                /* a redirect has been followed: the server has answered */
    uint16_t hop_flags;         /* of the HOP that waits */
    struct reqivo_request *hop; /* that waits for PROCEED; NULL: none */

    /* in */
    uint64_t window; /* bytes of DATA that the daemon may still send */
    uint64_t owed;   /* consumed and not yet returned as credit */
    uint64_t held;   /* consumed while paused: owed after reqivo_unpause() */
    uint64_t received;
    bool paused;
    bool hop_due;          /* the hook has not seen the hop yet */
    bool after_due;        /* the hook has not seen the response yet */
    bool head_due;         /* on_head has not run yet */
    bool delivered;        /* a callback has seen something of the response: no replay */
    struct rqv_buf stream; /* streamed body bytes, or INFO rows, not delivered yet */
};

struct rqv_submission {
    reqivo_done_fn fn;
    void *userdata;
    bool sync;
};

/* Takes over *request on success (leaves NULL). The codes of reqivo_submit(). */
int rqv_exchange_submit(struct reqivo_client *client, struct reqivo_request **request,
                        const struct rqv_submission *submission, struct rqv_exchange **ret_exchange);

/* Encodes it (and the trust it needs) into the out buffer: 0, -ENOMEM, REQIVO_E_LIMIT_HEAD, ...; nothing is
 * queued then. */
int rqv_exchange_start(struct reqivo_client *client, struct rqv_exchange *x);
/* Starts all that wait, in the order of their ids, as far as the out buffer is meant to be filled. */
void rqv_exchange_start_waiting(struct reqivo_client *client);

void rqv_exchange_answered(struct reqivo_client *client, struct rqv_exchange *x); /* SENT -> ANSWERED */

/* May request bytes have reached the server, as far as the library knows now? `drained`: all that the daemon
 * ever sent has been read. */
uint8_t rqv_exchange_sent(const struct reqivo_client *client, const struct rqv_exchange *x, bool drained);
/* The same of this attempt alone. */
uint8_t rqv_exchange_attempt(const struct reqivo_client *client, const struct rqv_exchange *x, bool drained);

/* The terminal: the outcome stands in its response. Queues it for delivery. */
void rqv_exchange_complete(struct reqivo_client *client, struct rqv_exchange *x);
/* Fails it with a code of the library's own side; `detail` may be NULL. */
void rqv_exchange_fail(struct reqivo_client *client, struct rqv_exchange *x, int code, const char *detail);
/* Tells the daemon, if that has heard of it, and fails it. */
void rqv_exchange_abort(struct reqivo_client *client, struct rqv_exchange *x, int code, const char *detail);
/* Back to WAITING, when it can be done once more from its start and either no byte of this attempt has
 * reached a server (`unsent`), or the request may be repeated and has not been. False: nothing has changed.
 */
bool rqv_exchange_replay(struct reqivo_client *client, struct rqv_exchange *x, bool unsent);

/* Something can be delivered: puts it into the handle's ready list. */
void rqv_exchange_notify(struct reqivo_client *client, struct rqv_exchange *x);
/* Gives n consumed bytes back to the daemon, once half of the window is due. */
void rqv_exchange_return_credit(struct reqivo_client *client, struct rqv_exchange *x, uint64_t n);

/* Runs on_head, on_body or the rows' callback as far as there is something. The number of callbacks run. */
int rqv_exchange_deliver_parts(struct reqivo_client *client, struct rqv_exchange *x);
bool rqv_exchange_is_over(const struct rqv_exchange *x); /* DONE, and all parts are delivered */
/* A HOP came: the hook sees it, or it is answered at once when it waits. */
struct rqv_hop;
void rqv_exchange_hop(struct reqivo_client *client, struct rqv_exchange *x, const struct rqv_hop *hop);
/* Answers the HOP that waits with x->hop, and sends the body again when it is needed. */
void rqv_exchange_proceed(struct reqivo_client *client, struct rqv_exchange *x);
/* Takes the response out and frees the request with its exchange; x must be over. */
struct reqivo_response *rqv_exchange_finish(struct reqivo_client *client, struct rqv_exchange *x);

/* When the library itself gives up: monotonic ms, UINT64_MAX for never. */
uint64_t rqv_exchange_deadline_ms(const struct reqivo_client *client, const struct rqv_exchange *x);
void rqv_exchange_expire(struct reqivo_client *client, struct rqv_exchange *x, uint64_t now_ms);

#endif
