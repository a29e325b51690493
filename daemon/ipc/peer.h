/* SPDX-License-Identifier: MIT */
/*
 * peer - one connected program: its frames in, its frames out, its requests. A fault of its own ends this
 * peer and nothing else.
 *
 *   SILENT --HELLO--> OPEN --> CLOSED (its requests end at once, its memory at the end of the turn)
 *
 * When the daemon drains, a peer that has nothing in flight (any more) is shut: it can write no further byte,
 * so what lies in the socket is all there is. That is read, what asks for something is handed back, and the
 * peer is closed behind it: nothing that was written has gone unread.
 *
 * Reading: readiness only queues the peer at its account; the read and its frames are done when its turn
 * comes, at most PEER_FRAMES frames a turn. Writing: frames gather in `out` and leave in one write at the end
 * of the turn; large pieces of body go at once, from where they were read.
 */
#ifndef DAEMON_IPC_PEER_H
#define DAEMON_IPC_PEER_H

#include "common/list.h"
#include "daemon/base/queue.h"
#include "daemon/ipc/ipc.h"
#include "daemon/upstream/waitq.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PEER_FRAMES 64 /* served in one go; then the next uid's turn */
#define PEER_OUT_HIGH                                                                                        \
    524288 /* no reading from servers or of requests for a program that has this much to read */
#define PEER_OUT_BLOCKED 65536   /* the same, once the kernel takes no more for it */
#define PEER_DONE        512     /* a DONE, GOAWAY or WS_CLOSE: its core, detail and address */
#define PEER_OUT_MAX     4194304 /* never reached by responses; a query's rows may come near */

enum peer_state { PEER_SILENT, PEER_OPEN, PEER_CLOSED };

/* What a program may use besides requests. Until it does, all of them share an empty one. */
struct peer_extra {
    struct rqv_list trusts;       /* its sets of CA certificates */
    struct wsession *wsessions;   /* the newest first; ipc->wsessions finds them */
    struct session *sessions;     /* the newest first; ipc->sessions finds them */
    struct operation *operations; /* that go on; ipc->operations finds them */
    struct pin *pins;             /* connections that it has acquired; ipc->pins finds them */
    struct control_ask *ask;      /* a reload that it waits for; NULL: none */
    struct query *query;          /* being answered: its frames wait; NULL: none */
    unsigned session_count, pin_count;
};

/* Most programs are idle, so what stands here is paid for by each of them. */
struct peer {
    struct ipc *ipc;
    struct account *account;
    struct roll_entry roll; /* of the account and of all */
    struct loop_io io;
    struct fair_item turn;  /* it can be read, or written to again */
    struct loop_task flush; /* once CLOSED: frees the peer */
    struct queue in, out;
    struct rqv_list exchange_list; /* in order of their ids; ipc->exchanges finds them */
    struct peer_extra *extra;      /* never NULL; written to behind peer_extra_make() only */
    union {
        struct rqv_list silent_node; /* SILENT: of ipc->silent */
        struct wait_source source;   /* OPEN; its uid always: what leaves the other list is an empty one */
    };
    pid_t pid;
    uint64_t number; /* for the log, and in the names of its exchanges */
    uint64_t last_id;
    uint64_t since_us;
    struct rqv_list slow_node;   /* of ipc->slow_peers while write_blocked */
    uint64_t slow_us;            /* since when */
    struct rqv_list hungry_node; /* of ipc->hungry_peers */
    uint64_t feed_us;            /* when it gets its next turn there */
    uint16_t in_flight;          /* exchanges, WebSockets and operations */
    uint8_t hungry_ticks;        /* turns there since there was memory last */
    enum peer_state state : 8;
    bool unread : 1;         /* its turn is to read, */
    bool unwritten : 1;      /* or, before that, to write */
    bool leaving : 1;        /* it was sent away: it has another account now, which it gets anew */
    bool fresh : 1;          /* it has not had a turn yet */
    bool silent : 1;         /* it has had, without a HELLO: counted in the account */
    bool write_blocked : 1;  /* the kernel's buffer is full */
    bool stalled : 1;        /* an exchange waits for room in `out` */
    bool held : 1;           /* its turn came while `out` was full, or no memory was left for its frames */
    bool hungry : 1;         /* the latter: ipc's timer gives it another turn */
    bool starved : 1;        /* hungry for long: all but bodies is read in ACCOUNT_OWED, a turn's at a time */
    bool broken : 1;         /* writing failed: closes at the end of the turn */
    bool shut : 1;           /* it can send nothing more */
    bool ended : 1;          /* and all of it has been read: closes when `out` is written */
    bool takes_trailers : 1; /* its HELLO says so */
    bool control : 1;        /* it came in by the control socket: it asks, and makes no requests */
};

/* Takes the fd on success. -ENOMEM or a limit. */
int peer_new(struct listener *listener, int fd, uid_t uid, pid_t pid, struct peer **ret_peer);
void peer_close(struct peer *peer, const char *why);
/* peer_extra.c. Made and charged when first needed, kept until the peer is closed. 0, REQIVO_E_LIMIT_MEMORY,
 * -ENOMEM. */
int peer_extra_make(struct peer *peer);
struct peer_extra *peer_extra_none(void); /* the empty one */
void peer_extra_done(struct peer *peer);  /* nothing is in it any more */
void peer_heard(struct peer *peer);       /* it is no longer one of the silent ones */
void peer_goaway(struct peer *peer, int code, const char *detail); /* lists and ends what was not started */
void peer_send_away(struct peer *peer, const char *why);           /* GOAWAY; it may connect again at once */
static inline bool peer_takes_no_more(const struct peer *peer)
{
    return peer->leaving || peer->ipc->draining;
}
void peer_hand_back(struct peer *peer, uint64_t id); /* GOAWAY for one that came after it: not started */
void peer_shut(struct peer *peer);                   /* unless it has something in flight; see above */
void peer_hear_out(struct peer *peer);               /* the same at once: all is read when this returns */

/* Room for n more bytes of frames, and a flush in this turn. Negative: the peer cannot be written to and will
 * be closed. */
int peer_room(struct peer *peer, size_t n);
int peer_room_owed(struct peer *peer, size_t n); /* the same, of ACCOUNT_OWED where memory is used up */
bool peer_flush_now(struct peer *peer);          /* true when nothing waits any more */
void peer_done(struct peer *peer, uint64_t id, const struct rqv_done *done);
void peer_feed(struct peer *peer);                   /* there may be memory for its frames again */
void peer_fault(struct peer *peer, const char *why); /* a violation of the wire: GOAWAY and close */

/* peer_frames.c: one frame of the program; false when the peer is closed. */
bool peer_frame(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload);
extern const struct exchange_sink peer_sink; /* peer_sink.c */

#endif
