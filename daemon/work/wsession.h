/* SPDX-License-Identifier: MIT */
/*
 * wsession - one upstream WebSocket. It owns its connection, which never comes from a pool nor goes to one,
 * and is charged as a request and a connection of its user. Who listens hears of it through struct
 * wsession_sink, so that more than one program could listen to one session later.
 *
 *   TRUST -> DIAL -> SHAKE -> OPEN -> CLOSING -> LINGER -> gone
 *              ^                |        our close frame is to be sent, or is sent; LINGER: nobody listens
 * any more
 *              '--- BACKOFF <---'        lost, and an attempt to reconnect is left
 *
 *   program -> up (records, under credit) -> out (frames; the batch that is being written) -> server
 *   program <- sink->message(), under credit <- receiver <- in (what could not be taken yet) <- server
 *
 * A batch stays in `out` until it is written whole: after a loss it tells which messages did not go out.
 */
#ifndef DAEMON_WORK_WSESSION_H
#define DAEMON_WORK_WSESSION_H

#include "common/err.h"
#include "common/map.h"
#include "daemon/base/account.h"
#include "daemon/base/queue.h"
#include "daemon/net/dial.h"
#include "daemon/upstream/key.h"
#include "daemon/upstream/origins.h"
#include "daemon/work/exchange.h"
#include "daemon/work/target.h"
#include "proto/http1.h"
#include "proto/wire.h"
#include "proto/ws_handshake.h"
#include "proto/ws_message.h"

struct wsession;

/* Where results go: the peer. Nothing here may free the session; after closed() it says nothing more. */
struct wsession_sink {
    /* As exchange_sink.trust; wsession_kick() later after -EAGAIN. */
    int (*trust)(struct wsession *ws, uint64_t trust_id, struct trust **ret_trust, struct rqv_err *err);
    int (*opened)(struct wsession *ws, const struct rqv_response_head *head);
    /* A piece of a message; flags: RQV_FLAG_FIRST, _TEXT, _END. */
    int (*message)(struct wsession *ws, uint8_t flags, struct rqv_str bytes);
    int (*event)(struct wsession *ws, const struct rqv_ws_event_info *event);
    void (*credit)(struct wsession *ws, uint32_t bytes);
    /* The end; `close` is NULL when it was never open. */
    void (*closed)(struct wsession *ws, const struct rqv_ws_close_info *close, const struct rqv_done *done);
    size_t (*room)(struct wsession *ws); /* bytes that the program's queue takes; 0: wsession_kick() later */
};

enum wsession_state { WS_TRUST, WS_DIAL, WS_SHAKE, WS_OPEN, WS_CLOSING, WS_BACKOFF, WS_LINGER, WS_GONE };

#define WSESSION_PROTOCOLS_MAX 16
#define WSESSION_SCRATCH       16384 /* of the inflater and the deflater */

/* What all sessions share; made in main. */
struct wsession_env {
    struct loop *loop;
    const struct conf *conf;
    struct dial_net *net;
    struct origins *origins; /* whose idle connections make room */
    struct rqv_list all;
    unsigned count;
    struct rqv_http1_limits limits;
    struct rqv_fields fields;      /* scratch of all handshakes */
    struct rqv_response_head head; /* scratch */
    uint8_t expanded[WSESSION_SCRATCH], compressed[WSESSION_SCRATCH];
    uint8_t random[1024]; /* mask keys to come; each is used once */
    size_t random_left;
    uint64_t opened, lost;
};

struct wsession_counts {
    uint64_t messages, bytes;
};

struct wsession {
    struct rqv_map_node node;   /* of the owner, by name */
    struct exchange_name name;  /* the owner's to set */
    struct wsession *peer_next; /* of the owner's list */
    struct wsession **peer_prev;
    struct rqv_list all_node; /* of the env */
    struct roll_entry roll;   /* of the account and of all */
    struct wsession_env *env;
    const struct wsession_sink *sink; /* NULL: nobody listens */
    void *owner;
    struct account *account;
    uid_t uid; /* the program's */
    uint64_t id;
    enum wsession_state state;
    struct target target;
    struct key key;
    struct trust *trust; /* a reference */
    /* as asked for */
    uint32_t timeout_ms[RQV_T_COUNT];
    uint64_t trust_id, message_max;
    uint32_t ping_ms, pong_ms, idle_ms, backoff_ms, backoff_max_ms;
    uint16_t reconnect_max;
    bool want_deflate;
    char *protocol_text;
    size_t charged, codec_charged;
    struct rqv_str protocols[WSESSION_PROTOCOLS_MAX];
    size_t protocol_count;
    /* the connection */
    struct dial *dial;
    struct stream *stream;
    bool conn_charged;
    unsigned want; /* of the stream */
    char address[RQV_ADDRESS_MAX];
    uint32_t time_us[RQV_TIME_COUNT];
    struct rqv_http1_decoder decoder;
    struct rqv_ws_offer offer;
    struct rqv_ws_inflate *inflate;
    struct rqv_ws_deflate *deflate;
    struct rqv_ws_receiver rx;
    struct rqv_ws_sender tx;
    /* bytes */
    struct queue head; /* the request's, without the fields of the handshake */
    struct queue in, up, out;
    size_t out_at;    /* written of `out` */
    size_t record_at; /* taken of the first record of `up` */
    uint64_t window;  /* credit of the program: what it still takes */
    uint64_t grant_left;
    uint32_t credit_owed;
    bool blocked;  /* bytes of the server wait for the program */
    bool paused;   /* they wait for the session's next turn */
    bool parsing;  /* they are being looked at: what is called meanwhile begins no second look */
    bool skipping; /* the rest of a message that was lost in its middle is dropped */
    bool up_open;  /* the last record of `up` does not end its message */
    bool up_text;
    bool ping_due;
    struct queue pongs; /* due: u8 length, payload; the newest when there are too many */
    /* the end */
    bool ever_open, close_asked, close_heard, draining;
    bool ending; /* the server is done; the program may still answer what it was given before */
    uint16_t close_code, heard_code;
    uint8_t close_len, heard_len;
    char close_reason[RQV_WS_REASON_MAX], heard_reason[RQV_WS_REASON_MAX];
    struct rqv_err err; /* why it ends, when not well */
    uint32_t undelivered, taken, unconfirmed;
    uint64_t confirmed,
        pinged; /* of sent.messages: the server has them for sure; stood before the last ping */
    unsigned attempt;
    uint64_t start_us, state_us, heard_us, pinged_us, message_us, progress_us, retry_us;
    struct wsession_counts sent, received;
    struct loop_timer timer;
    struct fair_item turn; /* the socket is ready */
    unsigned ready;        /* LOOP_READ, LOOP_WRITE: since its last turn */
    struct loop_task flush, reap;
};

void wsession_env_init(struct wsession_env *env, struct loop *loop, const struct conf *conf);

struct wsession_params {
    const struct wsession_sink *sink;
    void *owner;
    struct account *account;
    uid_t uid;
    uint64_t id;
    const struct rqv_ws_open *open;
};
/* Charges the account. On failure err is filled and no session exists. On success it runs from
 * wsession_kick() on.
 */
int wsession_new(struct wsession_env *env, const struct wsession_params *params, struct wsession **ret_ws,
                 struct rqv_err *err);
void wsession_kick(struct wsession *ws); /* also when room or trust have come */
/* A piece of a message of the program. REQIVO_E_WIRE: more than was granted, or no piece that may come now.
 */
int wsession_send(struct wsession *ws, uint8_t flags, struct rqv_str bytes);
int wsession_credit(struct wsession *ws, uint32_t bytes); /* REQIVO_E_WIRE when over RQV_WIRE_CREDIT_MAX */
/* The program closes; after what it has sent. REQIVO_E_WIRE for a code or reason that no frame may hold. */
int wsession_close(struct wsession *ws, const struct rqv_ws_close_info *close);
/* Ends it for the program at once, with that code; the server is told 1001. */
void wsession_cancel(struct wsession *ws, int code, const char *detail);
void wsession_abandon(struct wsession *ws);     /* the peer is gone: 1001, and nobody is told */
void wsession_retire(struct wsession_env *env); /* after a reload: what dials begins again */
/* Every session closes with 1001 after what was queued. */
void wsession_drain(struct wsession_env *env);
void wsession_leave(struct wsession *ws, const char *why); /* one of them: its program is to go elsewhere */
void wsession_env_done(struct wsession_env *env);          /* ends what is left at once */
bool wsession_unstarted(const struct wsession *ws);
const char *wsession_state_name(const struct wsession *ws);

#endif
