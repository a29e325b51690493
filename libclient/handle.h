/* SPDX-License-Identifier: MIT */
/*
 * handle - struct reqivo_client and the verbs by which the library's files drive it.
 *
 *   all        every exchange from submit until it is finished, in the order of ids
 *   ready      those with something to deliver, in the order it came
 *   sending    those whose body can go on: credit is there and the source is not blocked
 *   trust      sets of CA certificates seen, most recently used first
 *   remotes    sessions' jars and acquired connections, which live in the daemon
 */
#ifndef RQV_LIBCLIENT_HANDLE_H
#define RQV_LIBCLIENT_HANDLE_H

#include "common/list.h"
#include "libclient/channel.h"
#include "libclient/exchange.h"
#include "libclient/ids.h"
#include "libclient/start.h"
#include "proto/wire.h"

#include <errno.h>
#include <reqivo/client.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RQV_WAIT_BOUND_MS 5000 /* how long a request waits for a daemon that is not there */
#define RQV_GRACE_MS      2000 /* the library's own deadline is that much behind the daemon's */

struct reqivo_client {
    struct rqv_channel channel;
    struct rqv_start start;
    struct rqv_list all, ready, sending, trust, remotes;
    struct rqv_ids ids;
    uint64_t last_id;
    size_t pending;            /* length of all */
    size_t waiting;            /* in state WAITING */
    size_t greeting;           /* of those, WebSockets, which wait for HELLO */
    size_t on_channel;         /* in state SENT or ANSWERED */
    uint64_t next_deadline_ms; /* no exchange's deadline is earlier */
    int goaway_code;
    uint64_t caps; /* of the daemon's HELLO */
    pid_t pid;
    unsigned in_callback;
    bool in_source;  /* a body callback runs: nothing may be queued */
    bool pump_again; /* a source said "not yet" and was resumed meanwhile: asked again next turn */
    bool closing;
    char daemon_name[RQV_WIRE_NAME_MAX + 1];
    char goaway_detail[RQV_DETAIL_MAX];
};

/* A handle without a connection: 0, -ENOMEM, REQIVO_E_SOCKET_PATH. */
int rqv_client_new(const char *path, struct reqivo_client **ret_client);
void rqv_client_destroy(struct reqivo_client *client); /* completes what is pending, closes, frees */
/* The end of every exported function that may have run callbacks: carries out a close that one of them asked
 * for. */
int rqv_client_leave(struct reqivo_client *client, int result, int saved_errno);

/* 0, or -ECHILD in a forked child; `alone`: -EBUSY inside a callback, too. */
int rqv_client_check(const struct reqivo_client *client, bool alone);

/* One turn: connects when due, pumps bodies, writes, reads when `readable`, ends what is overdue. 0 or
 * -ENOMEM. */
int rqv_client_turn(struct reqivo_client *client, bool readable);
/* poll() for at most timeout_ms or until a timer of the handle is due, then a turn. 0, -EINTR, -ENOMEM. */
int rqv_client_poll(struct reqivo_client *client, int timeout_ms);
/* Until the next timer, in ms; -1: none. Does not count completions. */
int rqv_client_timer_ms(const struct reqivo_client *client);

/* ---- connect.c: the connection's life as the exchanges see it ---- */
struct rqv_loss {
    int code;
    int sys_errno;
    const char *detail;
    bool drained; /* all that the daemon ever sent has been read */
    bool replay;  /* requests may be sent again to its successor */
    bool unheard; /* refused in place of HELLO: nothing of this connection has been acted upon */
};
/* Nobody answers: the next step towards a daemon of our own. 0, and when to look again is planned;
 * REQIVO_E_NO_DAEMON, and why. */
int rqv_client_start(struct reqivo_client *client, uint64_t now_ms, char why[RQV_DETAIL_MAX]);
/* Connects if it is time to, and queues HELLO. */
void rqv_client_connect(struct reqivo_client *client, uint64_t now_ms);
void rqv_client_greet(
    struct reqivo_client *client); /* queues HELLO and what waits, on a channel that is GREETING */
/* Takes the channel down and decides for each exchange what that means. design.md 3 */
void rqv_client_lost(struct reqivo_client *client, const struct rqv_loss *loss);
void rqv_client_timers(struct reqivo_client *client, uint64_t now_ms);
/* Is something due from the daemon by channel.deadline_ms? */
static inline bool rqv_client_expects(const struct reqivo_client *client)
{
    if (client->channel.state == RQV_CHANNEL_UP)
        return client->on_channel > 0;
    return client->channel.state != RQV_CHANNEL_DOWN && client->pending > 0;
}
void rqv_client_arm(struct reqivo_client *client,
                    const struct rqv_exchange *x); /* its deadline has changed */

/* Reads and decodes. 0 or -ENOMEM; violations and EOF take the channel down. */
int rqv_client_receive(struct reqivo_client *client);

/* ---- receive.c ---- */

/* The sans-I/O half: decodes what lies in the channel's in buffer. 0, or a code, with *ret_why, for which the
 * channel must be taken down. */
int rqv_client_decode(struct reqivo_client *client, const char **ret_why);

/* ---- deliver.c ---- */
int rqv_client_deliver(struct reqivo_client *client); /* runs what is ready; the number of callbacks run */
void rqv_client_cancel_all(struct reqivo_client *client); /* completes everything with REQIVO_E_CANCELED */

/* ---- hooks.c ---- */

void rqv_hooks_hop(struct reqivo_client *client, struct rqv_exchange *x);   /* x->hop is due */
void rqv_hooks_after(struct reqivo_client *client, struct rqv_exchange *x); /* the response is there */

/* ---- upload.c ---- */

/* Queues DATA of request bodies, one frame each in turn, up to RQV_OUT_HIGH. */
void rqv_client_pump(struct reqivo_client *client);

static inline struct rqv_exchange *rqv_client_find(const struct reqivo_client *client, uint64_t id)
{
    return rqv_ids_get(&client->ids, id);
}

/* Queues a small frame; without memory for it the channel counts as broken, since credit or a cancel must not
 * get lost. */
static inline void rqv_client_must_queue(struct reqivo_client *client, int encoded)
{
    if (encoded < 0)
        client->channel.broken = ENOMEM;
}

#endif
