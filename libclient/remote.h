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

#include "common/err.h"
#include "common/list.h"
#include "libclient/response.h"
#include "proto/fields.h"

#include <reqivo/client.h>
#include <stdbool.h>
#include <stdint.h>

struct rqv_remote {
    struct rqv_list node;         /* of the handle */
    struct reqivo_client *client; /* NULL: the handle is gone */
    unsigned refs;
    uint64_t id;
    bool is_jar;
    bool filled;          /* a jar that has taken a cookie */
    bool lost;            /* was filled when the daemon was lost, and nobody has been told */
    struct rqv_pairs row; /* what is known of a connection */
    struct rqv_err err;   /* why it was not acquired */
};

struct rqv_remote *rqv_remote_new(struct reqivo_client *client,
                                  bool is_jar);      /* one reference; NULL: no memory */
void rqv_remote_release(struct rqv_remote **remote); /* takes it; NULL in it is fine */
/* What is known of a connection from here on: 0, -ENOMEM, REQIVO_E_WIRE for a NUL in a text. */
int rqv_remote_set_row(struct rqv_remote *remote, const struct rqv_fields *fields);
/* The operation `id` that was about it (NULL: about none) has ended: one that was to make it and failed has
 * made nothing. */
void rqv_remote_settle(struct rqv_remote *remote, uint64_t id, const struct rqv_err *err);
void rqv_remote_close(struct rqv_remote *remote); /* in the daemon, now; references stay */
/* Opens a jar under `id`, which is free for it, unless it is open: 0, -ENOMEM, REQIVO_E_SESSION_LOST. */
int rqv_remote_open_jar(struct rqv_remote *remote, uint64_t id);
void rqv_remotes_lost(struct reqivo_client *client); /* the connection to the daemon is gone */
void rqv_remotes_refused(struct reqivo_client *client, uint64_t id); /* the daemon did not open that one */
void rqv_remotes_orphan(struct reqivo_client *client);               /* the handle ends */

#endif
