/* SPDX-License-Identifier: MIT */
/*
 * remote - what lives in the daemon for a program and is named by an id of this connection: the jar of a
 * session, or a connection that was acquired. Shared by its object and by the requests that name it; the last
 * of them closes it.
 *
 *   id 0 ---OPERATE is queued---> id n ---the connection to the daemon is lost---> id 0
 *
 * A jar is opened again by the next request. If it held cookies these are gone, and that request says so
 * (REQIVO_E_SESSION_LOST), once. A connection is not opened again: whatever names it fails.
 */
#ifndef RQV_LIBCLIENT_REMOTE_H
#define RQV_LIBCLIENT_REMOTE_H

#include "common/list.h"

#include <reqivo/client.h>
#include <stdbool.h>
#include <stdint.h>

struct rqv_remote {
    struct rqv_list node;         /* of the handle */
    struct reqivo_client *client; /* NULL: the handle is gone */
    unsigned refs;
    uint64_t id;
    bool is_jar;
    bool filled; /* a jar that has taken a cookie */
    bool lost;   /* was filled when the daemon was lost, and nobody has been told */
};

struct rqv_remote *rqv_remote_new(struct reqivo_client *client,
                                  bool is_jar);      /* one reference; NULL: no memory */
void rqv_remote_release(struct rqv_remote **remote); /* takes it; NULL in it is fine */
/* Opens a jar under `id`, which is free for it, unless it is open: 0, -ENOMEM, REQIVO_E_SESSION_LOST. */
int rqv_remote_open_jar(struct rqv_remote *remote, uint64_t id);
void rqv_remotes_lost(struct reqivo_client *client); /* the connection to the daemon is gone */
void rqv_remotes_refused(struct reqivo_client *client, uint64_t id); /* the daemon did not open that one */
void rqv_remotes_orphan(struct reqivo_client *client);               /* the handle ends */

#endif
