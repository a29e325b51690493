/* SPDX-License-Identifier: MIT */
/*
 * reload - reads the configuration and the CA certificates again, and puts them into force without dropping a
 * request. doc/man/reqivod.8 says what takes effect when.
 *
 *   IDLE --ask--> READING (a thread) --wrong--> told: everything is as it was
 *                    \--right--> swap, between two callbacks of the loop --> RETIRING (some pools a turn) -->
 * told
 *
 * Who asks while one runs is told of the next, since the files may have changed after they were read.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "daemon/base/worker.h"
#include "daemon/ipc/ipc.h"
#include "daemon/notify.h"
#include "daemon/options.h"

#include <stdbool.h>
#include <stdint.h>

/* What is read again, and what it is put into force in. */
struct reload_parts {
    struct loop *loop;
    const struct options *options;
    struct conf *conf; /* everybody's: replaced in place */
    struct accounts *accounts;
    struct tls *tls;
    struct origins *origins;
    struct wsession_env *wsessions;
    struct notify *notify;
    struct ipc *ipc;
    uint64_t nofile;
};

enum reload_state { RELOAD_IDLE, RELOAD_READING, RELOAD_RETIRING };

struct reload {
    struct reload_parts use;
    enum reload_state state;
    struct worker *worker;         /* made by the first one */
    struct rqv_list askers, later; /* of this one; of the next */
    bool again, ending;
    char text[16384];  /* of the one that runs, or ran last: names of all settings and sections have room */
    char trouble[256]; /* why the last one changed nothing; "": it did not fail */
};

void reload_init(struct reload *reload, const struct reload_parts *parts);
/* Whoever still waits is told that the daemon ends. Waits for a thread that reads. */
void reload_done(struct reload *reload);
void reload_ask(struct reload *reload, struct ipc_asker *asker);

#endif
