/* SPDX-License-Identifier: MIT */
/*
 * session - what the requests of one program's session share in the daemon: a jar of cookies. Its owner (the
 * peer) holds one reference and each exchange that uses it another, so a request that is under way when the
 * session is closed ends with the jar that it began with. Never shared between owners: B3-7.
 */
#ifndef DAEMON_WORK_SESSION_H
#define DAEMON_WORK_SESSION_H

#include "common/map.h"
#include "daemon/base/account.h"
#include "daemon/work/jar.h"

#include <stdint.h>

#define SESSIONS_MAX 1024 /* of one owner */

struct session {
    struct rqv_map_node node; /* of the owner's table, by name */
    struct session_name {
        uint64_t owner, id;
    } name;                        /* the owner's to set */
    struct session *next, **place; /* the owner's list */
    struct account *account;       /* a reference */
    struct jar *jar;
    unsigned refs;
};

/* With one reference; charged. 0, REQIVO_E_LIMIT_MEMORY, -ENOMEM. */
int session_new(struct account *account, const struct psl_ctx_st *suffixes, const uint64_t hash_key[2],
                struct session **ret_session);
struct session *session_ref(struct session *session);
void session_release(struct session **session); /* takes a pointer to NULL, too */

/* The wall clock that cookies are judged by. */
uint64_t session_now_s(void);

#endif
