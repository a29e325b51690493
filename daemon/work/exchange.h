/* SPDX-License-Identifier: MIT */
/*
 * exchange - one request until its last response byte. Its life is the steps of exchange.c, in order; events
 * of the lease and of the program set facts and run the driver again.
 *
 *   trust -> acquire -> begin -> send_head -> send_body -> receive_head -> receive_body -> done
 *     ^         ^                                  |                            |
 *     |         '---- one repeat, per the retry rule (security.md B8) ----'     |
 *     '------------------------------- hop <----- a redirect that is followed --'
 *
 * What a plain request has no need of (redirects, a session's cookies, content codings) hangs on two pointers
 * and is asked for behind one flag, `extras`.
 *
 * Credit couples both ends: bytes are read from the server only as far as the program has granted them, and
 * the program is granted more only when its bytes have gone to the server.
 */
#ifndef DAEMON_WORK_EXCHANGE_H
#define DAEMON_WORK_EXCHANGE_H

#include "common/err.h"
#include "common/map.h"
#include "daemon/base/account.h"
#include "daemon/base/histogram.h"
#include "daemon/base/queue.h"
#include "daemon/upstream/origins.h"
#include "daemon/upstream/pool.h"
#include "daemon/work/pin.h"
#include "daemon/work/target.h"
#include "proto/wire.h"

struct decode;
struct exchange;
struct psl_ctx_st;
struct redirect;
struct session;

/* Where results go: the peer. Nothing here may free the exchange; after done() it is gone at the end of the
 * turn. */
struct exchange_sink {
    /* The trust named by the request: 0, -EAGAIN (exchange_kick() later), or a code with err filled. */
    int (*trust)(struct exchange *x, uint64_t trust_id, struct trust **ret_trust, struct rqv_err *err);
    int (*begun)(
        struct exchange *x); /* 0: the program has it; -EAGAIN: exchange_kick() later; else the end */
    int (*head)(struct exchange *x, const struct rqv_response_head *head); /* x->hopping: hop() follows */
    /* `last`: done() follows while the bytes are still valid, so they may leave with it. */
    int (*data)(struct exchange *x, const uint8_t *bytes, size_t len, bool last);
    int (*trailers)(struct exchange *x, const struct rqv_fields *fields);
    int (*hop)(struct exchange *x, const struct rqv_hop *hop);
    void (*credit)(struct exchange *x, uint32_t bytes);
    void (*done)(struct exchange *x, const struct rqv_done *done);
    size_t (*room)(
        struct exchange *x); /* bytes that the program's queue takes now; 0: exchange_kick() later */
};

enum exchange_step {
    STEP_HOP, /* between two requests of one exchange */
    STEP_TRUST,
    STEP_ACQUIRE,
    STEP_BEGIN,
    STEP_SEND_HEAD,
    STEP_SEND_BODY,
    STEP_RECEIVE_HEAD,
    STEP_RECEIVE_BODY,
    STEP_DONE,
};

#define EXCHANGE_CLASSES 16 /* enum reqivo_class */

/* started: those that go on, and succeeded, failed, canceled, abandoned. A phase of time is that of the last
 * connection of a request, counted when its end is told to the program, and only if it came so far. */
struct exchange_stats {
    uint64_t started, succeeded, failed, canceled,
        abandoned; /* abandoned: the program went, or tries elsewhere */
    uint64_t retried;
    uint64_t sent_bytes, received_bytes;   /* of bodies */
    uint64_t errors[EXCHANGE_CLASSES];     /* of those that failed */
    struct histogram time[RQV_TIME_COUNT]; /* us */
};

/* What all exchanges share; made in main. */
struct exchange_env {
    struct loop *loop;
    const struct conf *conf;
    struct origins *origins;
    struct tls *tls;
    struct psl_ctx_st *suffixes; /* jar.h; for the jars of sessions */
    uint64_t hash_key[2];
    struct rqv_list free; /* exchanges kept for reuse */
    unsigned free_count, live;
    struct rqv_response_head head; /* scratch: a response head is large */
    struct exchange_stats stats;
};

struct exchange {
    struct rqv_map_node node; /* of the owner's table, by name */
    struct exchange_name {
        uint64_t owner, id;
    } name;                    /* the owner's to set */
    struct rqv_list peer_node; /* of the peer */
    struct roll_entry roll;    /* of the account and of all */
    struct rqv_list body_node; /* of account->bodies, once bytes of a body have come */
    struct exchange_env *env;
    const struct exchange_sink *sink;
    void *owner; /* the peer */
    struct account *account;
    struct wait_source *source;
    uint64_t id;
    enum exchange_step step;
    struct target target;
    uint32_t flags; /* RQV_REQ_* */
    uint32_t timeout_ms[RQV_T_COUNT];
    uint64_t trust_id;
    struct pool *pool;
    struct waiter waiter;
    struct pin_turn turn; /* of the connection that it names, if it names one */
    struct queue head, body;
    size_t body_at;         /* body bytes before this have been given to the connection; kept for a repeat */
    uint64_t body_received; /* from the program */
    uint64_t window;        /* response bytes that the program still grants */
    uint32_t credit_owed;   /* request bytes gone upstream, not yet granted again */
    uint64_t grant_left;    /* request bytes that the program may still send */
    bool body_ended, body_dropped, body_finished, body_gone, go_on, got_head, ended, retried, driving,
        blocked, begun_queued, begun_said;
    bool extras;               /* one of the two below, or RQV_REQ_DECODE */
    bool hopping;              /* the response is a redirect that is followed */
    bool hop_said;             /* HOP went to the program, which is to answer */
    bool body_kept;            /* `body` holds all of it, for the next request */
    bool body_void;            /* what the program still sends belongs to a request that is over */
    struct redirect *redirect; /* redirects are followed, or a session has cookies */
    struct decode *decode;     /* this response is decoded */
    size_t drained;            /* of a redirect's body */
    uint64_t start_us, queue_us, lease_us, sent_us, first_us, progress_us; /* queue_us: of this attempt */
    uint32_t time_us[RQV_TIME_COUNT];
    uint64_t response_bytes;
    uint16_t status; /* of the last response; 0: none */
    char method[16]; /* as the program gave it, cut; "" unless the access log is on */
    uint8_t sent;    /* enum reqivo_sent */
    bool reused;
    struct rqv_err err;
    char address[RQV_ADDRESS_MAX];
    struct loop_timer timer;
    struct loop_task reap;
    struct lease lease; /* last, and its key last in it: the key's bytes are not set before it is made */
};

void exchange_env_init(struct exchange_env *env, struct loop *loop, const struct conf *conf);
void exchange_env_done(struct exchange_env *env);

struct exchange_params {
    const struct exchange_sink *sink;
    void *owner;
    struct account *account;
    struct wait_source *source;
    uint64_t id;
    const struct rqv_request_head *head;
    struct session *session; /* or NULL */
    struct pin *pin;         /* that head->connection_id names; NULL: any connection of the pool */
    bool ended;              /* no DATA follows */
};
/* Charges the account. On failure err is filled and no exchange exists: the caller reports it. On success the
 * exchange runs from the next exchange_kick() on. */
int exchange_new(struct exchange_env *env, const struct exchange_params *params,
                 struct exchange **ret_exchange, struct rqv_err *err);
void exchange_kick(struct exchange *x); /* runs the driver; also when room, trust or flush have come */
/* Body bytes of the program. REQIVO_E_WIRE: more than was granted (the caller closes the peer). */
int exchange_body(struct exchange *x, struct rqv_str bytes, bool last);
/* Answers a HOP that waits; as a REQUEST, `ended` without DATA. REQIVO_E_WIRE: none waits. What is wrong with
 * the request ends the exchange. */
int exchange_proceed(struct exchange *x, const struct rqv_request_head *head, bool ended);
int exchange_credit(struct exchange *x, uint32_t bytes); /* REQIVO_E_WIRE when over RQV_WIRE_CREDIT_MAX */
void exchange_cancel(struct exchange *x, int code,
                     const char *detail);                 /* ends it: done() runs with that code */
void exchange_abandon(struct exchange *x);                /* the peer is gone: no done() */
bool exchange_unstarted(const struct exchange *x);        /* nothing of it has been sent */
const char *exchange_step_name(const struct exchange *x); /* for people */

#endif
