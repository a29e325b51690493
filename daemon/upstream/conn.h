/* SPDX-License-Identifier: MIT */
/*
 * conn - one upstream connection that speaks HTTP/1.1: dialled, leased to one exchange at a time, watched
 * while idle.
 *
 *   DIALING -> IDLE <-> LEASED -> CLOSED (from anywhere; the socket closes at once, the memory at the end of
 * the turn)
 *
 * Only pool.c changes the state (conn_set_state): list, count and state cannot disagree.
 * A lease is the right to use it: verbs go down (send_head, send_body, want, release, discard), events come
 * up (struct lease_events). The exchange never sees HTTP/1 bytes, so that another protocol can stand below
 * the same verbs.
 * Readiness only queues the conn at its account; one read, at most 128 KiB, is done when its turn comes.
 */
#ifndef DAEMON_UPSTREAM_CONN_H
#define DAEMON_UPSTREAM_CONN_H

#include "common/err.h"
#include "common/list.h"
#include "daemon/base/account.h"
#include "daemon/base/queue.h"
#include "daemon/net/dial.h"
#include "daemon/upstream/key.h"
#include "proto/http1.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool;
struct lease;

enum conn_state { CONN_DIALING, CONN_IDLE, CONN_LEASED, CONN_CLOSED, CONN_STATES };

/* Events of a lease. After on_end or on_error the lease is still held: the owner releases or discards it. */
struct lease_events {
    void (*on_written)(
        struct lease *lease); /* bytes have gone to the kernel; lease_unsent() tells what waits */
    void (*on_interim)(struct lease *lease, int status);
    void (*on_head)(struct lease *lease, const struct rqv_http1_head *head);
    /* `last`: on_end or on_error follows while the bytes are still valid. */
    void (*on_body)(struct lease *lease, const uint8_t *bytes, size_t len, bool last);
    void (*on_trailers)(struct lease *lease, const struct rqv_fields *trailers);
    void (*on_end)(struct lease *lease);
    /* err->sent tells whether bytes of the request may have left; lease_seen() whether a byte of the response
     * came. */
    void (*on_error)(struct lease *lease, const struct rqv_err *err);
    /* The pool is of the past and not a byte has been written: the owner discards the lease. Of a lease that
     * keeps its connection at home it is on_error. */
    void (*on_stale)(struct lease *lease);
    size_t (*window)(
        struct lease *lease); /* how many bytes of body may come now; 0 stops reading until lease_want() */
};

struct lease {
    struct conn *conn; /* NULL: none held */
    uint64_t conn_id;
    const struct lease_events *events;
    struct key key; /* the request's own key, compared with the connection's at each hand-over */
};

struct conn {
    struct rqv_list node;     /* of the pool's list of its state */
    struct rqv_list unused;   /* IDLE and never leased: of pool->unused */
    struct rqv_list idle_lru; /* IDLE: of origins, oldest first */
    struct rqv_list idle_own; /* IDLE: the same of the account alone */
    struct pool *pool;
    enum conn_state state;
    uint64_t id; /* never reused */
    struct dial *dial;
    struct waiter *initiator; /* DIALING: whom a failure is told */
    struct stream *stream;
    struct lease *lease;
    struct lease *home; /* keeps it between leases, until pool_let_go(); NULL: the pool does */
    struct queue in, out;
    struct rqv_http1_decoder decoder;
    struct fair_item turn; /* the socket is ready, or the connection is to be closed */
    unsigned ready;        /* LOOP_READ, LOOP_WRITE: since its last turn */
    struct loop_task flush, reap;
    uint64_t born_ms, idle_since_ms; /* CLOCK_BOOTTIME */
    uint64_t idle_turn;              /* of the loop, in which it was last watched as idle */
    uint64_t drained_turn;           /* in which a response ended and the socket had no byte more */
    uint64_t idle_limit_ms;          /* the server's Keep-Alive: timeout, less a second; UINT64_MAX */
    unsigned uses;
    bool made_ahead;   /* a program has asked for it, so it stays though nobody leases it */
    bool written;      /* a byte of this lease's request has gone to the kernel */
    bool write_failed; /* the server does not read any more; its answer may still come */
    bool ended;        /* the response is complete */
    bool reusable;     /* and says that the connection may go on */
    bool paused;       /* window() was 0 */
    bool is_public;    /* the zone of the address that is connected */
    bool bound;        /* its authentication belongs to `home`, and so to nobody afterwards */
    uint64_t dns_us, connect_us, tls_us;
    char address[RQV_ADDRESS_MAX];
    uint16_t key_len;
    uint8_t key[]; /* the pool's, copied at birth */
};

int conn_new(struct pool *pool, struct conn **ret_conn); /* -ENOMEM; state DIALING, in no list yet */
void conn_attach(struct conn *conn,
                 struct dial_result *result); /* takes the stream: ready for its first lease */
void conn_shut(struct conn *conn); /* closes the socket, gives back all memory but itself, which dies at the
                                      end of the turn */

/* Nothing waits on it and it is neither too old nor used too often: may it be handed out now? The socket is
 * asked unless this turn's poll has told of it; `ask`: in any case. */
bool conn_is_fit(struct conn *conn, bool ask);
void conn_watch(struct conn *conn);    /* IDLE: any byte of the server closes it */
void conn_expire(struct conn *conn);   /* IDLE: closed when its turn comes, unless it is leased before */
bool conn_is_quiet(struct conn *conn); /* neither a byte nor the end waits on it: the socket is asked */
void conn_isolation(struct conn *conn, const char *what); /* counts and logs that the keys differ */
int conn_lease(struct conn *conn,
               struct lease *lease); /* LEASED: 0, or REQIVO_E_INTERNAL when the keys differ */

/* ---- verbs of a lease ---- */
/* Queues the head for the flush of this turn and expects a response. `head` bytes are copied. */
int lease_send_head(struct lease *lease, struct rqv_str head, bool is_head_method);
int lease_send_body(struct lease *lease, struct rqv_str bytes, bool chunked, bool last);
size_t lease_unsent(const struct lease *lease); /* bytes that wait in the connection */
void lease_stop_sending(
    struct lease *lease); /* an early answer: drops what is not written; the connection is not reused */
void lease_want(struct lease *lease);          /* window() may be greater than 0 again */
bool lease_seen(const struct lease *lease);    /* a byte of the response to this lease's request has come */
bool lease_written(const struct lease *lease); /* a byte of the request has gone */
bool lease_reused(const struct lease *lease);  /* the connection had served before this lease */
void lease_spoil(struct lease *lease); /* connection-bound authentication: nobody else may have it later */

#endif
