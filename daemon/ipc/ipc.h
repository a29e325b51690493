/* SPDX-License-Identifier: MIT */
/*
 * ipc - the daemon's side of the local sockets: the listeners, the peers, what they share. One `struct ipc`
 * for the daemon.
 */
#ifndef DAEMON_IPC_IPC_H
#define DAEMON_IPC_IPC_H

#include "common/list.h"
#include "common/map.h"
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/loop.h"
#include "daemon/base/queue.h"
#include "daemon/ipc/fds.h"
#include "daemon/ipc/listener.h"
#include "daemon/ipc/scrape.h"
#include "daemon/work/exchange.h"
#include "daemon/work/wsession.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct peer;

/* Who asks the daemon to read its configuration again; the asker's own memory, until `told` has run. */
struct ipc_asker {
    struct rqv_list node;
    /* Runs once, never inside the question. code 0: all of it is in force, and from now on nothing is sent by
     * what was changed. Negative: everything is as it was. `text`: what changed, what needs a restart, or
     * what is wrong and where: lines. */
    void (*told)(struct ipc_asker *asker, int code, const char *text);
};
static inline void ipc_asker_cancel(struct ipc_asker *asker) /* it is told nothing; harmless afterwards */
{
    rqv_list_remove(&asker->node);
}

struct ipc_params {
    struct loop *loop;
    const struct conf *conf;
    struct accounts *accounts;
    struct exchange_env *env;
    struct wsession_env *wsessions;
    struct origins *origins;
    struct tls *tls;
    uint64_t instance;
    uint64_t hash_key[2];
    void (*reload)(void *daemon, struct ipc_asker *asker); /* NULL: this daemon cannot */
    void (*drain)(void *daemon);                           /* as SIGTERM does */
    void *daemon;
};

struct ipc {
    struct ipc_params use;
    struct listener data, control;
    struct scrape scrape;             /* the metrics over HTTP */
    struct accounts control_accounts; /* of the control socket's peers, and of those who read the metrics */
    struct queue_pool control_queues;
    struct loop_timer hello;  /* the oldest peer that has not said HELLO */
    struct loop_timer hungry; /* the peer that has been hungry longest */
    struct loop_timer slow;   /* the peer that has not read for longest */
    struct loop_timer drain;
    struct loop_timer idle;       /* no program is connected: idle.c */
    uint64_t quiet_us;            /* since then */
    int lock;                     /* of the path, while there is a socket of our own */
    struct rqv_list silent;       /* peers without HELLO, oldest first */
    struct rqv_list hungry_peers; /* for whose frames no memory is left, in order of their next turn */
    struct rqv_list slow_peers;   /* whose sockets are full, in the order in which they became so */
    struct ipc_held {
        struct exchange *x; /* NULL: nothing is held */
        const uint8_t *bytes;
        size_t len, before; /* before: bytes of the peer's `out` that go first */
    } held;                 /* the end of a body: leaves with its DONE, within the callback that brought it */
    struct rqv_map exchanges; /* of all peers, by (peer, id): an idle peer keeps no table */
    struct rqv_map wsessions; /* the same of their WebSockets */
    struct rqv_map sessions;  /* and of their sessions */
    struct rqv_map operations, pins;
    size_t send_buffer; /* of the kernel, for one peer */
    struct fds fds;
    uid_t overflow_uid; /* what the kernel says for a uid that it cannot map */
    bool draining;
    uint64_t last_number; /* of a peer */
    uint64_t started_us, drain_until_us, accepted, refused, violations, slow_closed;
};

static inline size_t ipc_programs(const struct ipc *ipc) /* the control socket's peers are not among them */
{
    return ipc->use.accounts->rolls[ROLL_PROGRAMS].count;
}

/* Takes the sockets that the service manager passed, or makes them at conf->socket and conf->control_socket.
 * 0 or -errno with one line in `why`. */
int ipc_start(struct ipc *ipc, const struct ipc_params *params, char *why, size_t why_size);
/* No new peer, no new request; what was not started is handed back by GOAWAY; the loop stops when the rest is
 * done or conf->drain_ms have passed. */
void ipc_drain(struct ipc *ipc);
void ipc_done(struct ipc *ipc);
/* What the kernel says for a uid that it cannot map into this process's user namespace. */
uid_t ipc_overflow_uid(void);
void ipc_arm_hello(struct ipc *ipc); /* there is a new silent peer */
/* After accounts_configure() with another configuration: programs whose users have another account now are
 * sent away by GOAWAY, with what they have not started, and come back under the new one. */
void ipc_repartition(struct ipc *ipc);
/* It gets another turn in a moment. */
void ipc_hungry(struct ipc *ipc, struct peer *peer);

#endif
