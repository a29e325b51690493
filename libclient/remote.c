/* SPDX-License-Identifier: MIT */
/* remote - see remote.h. */
#include "libclient/remote.h"

#include "libclient/handle.h"
#include "proto/wire.h"

#include <stdlib.h>

struct rqv_remote *rqv_remote_new(struct reqivo_client *client, bool is_jar)
{
    struct rqv_remote *remote = malloc(sizeof *remote);

    if (!remote)
        return NULL;
    *remote = (struct rqv_remote){.client = client, .refs = 1, .is_jar = is_jar};
    rqv_list_init(&remote->node);
    rqv_list_append(&client->remotes, &remote->node);
    return remote;
}

void rqv_remote_close(struct rqv_remote *remote)
{
    if (remote->client && remote->id != 0 && remote->client->channel.state != RQV_CHANNEL_DOWN)
        rqv_client_must_queue(
            remote->client, rqv_wire_encode_empty(&remote->client->channel.out, RQV_WIRE_CANCEL, remote->id));
    remote->id = 0;
}

void rqv_remote_release(struct rqv_remote **remote)
{
    struct rqv_remote *last = *remote;

    *remote = NULL;
    if (!last || --last->refs > 0)
        return;
    rqv_remote_close(last);
    rqv_list_remove(&last->node);
    free(last->row.at);
    free(last);
}

int rqv_remote_set_row(struct rqv_remote *remote, const struct rqv_fields *fields)
{
    struct rqv_pairs row;
    const char *nothing;
    int r = rqv_response_copy_fields(fields, (struct rqv_str){NULL, 0}, &row, &nothing);

    if (r < 0)
        return r;
    free(remote->row.at);
    remote->row = row;
    return 0;
}

void rqv_remote_settle(struct rqv_remote *remote, uint64_t id, const struct rqv_err *err)
{
    if (!remote || remote->is_jar || err->code == 0)
        return;
    if (remote->id == id)
        remote->id = 0;
    if (!remote->row.at)
        remote->err = *err;
}

int rqv_remote_open_jar(struct rqv_remote *remote, uint64_t id)
{
    const struct rqv_operation open = {.verb = RQV_OP_SESSION_OPEN};

    if (remote->lost) {
        remote->lost = false;
        return REQIVO_E_SESSION_LOST;
    }
    if (remote->id != 0)
        return 0;
    int r = rqv_wire_encode_operation(&remote->client->channel.out, id, &open);
    if (r == 0)
        remote->id = id;
    return r;
}

void rqv_remotes_lost(struct reqivo_client *client)
{
    rqv_list_for_each (node, &client->remotes) {
        struct rqv_remote *remote = RQV_LIST_OF(node, struct rqv_remote, node);
        remote->id = 0;
        remote->lost = remote->lost || remote->filled;
        remote->filled = false;
    }
}

void rqv_remotes_refused(struct reqivo_client *client, uint64_t id)
{
    rqv_list_for_each (node, &client->remotes) {
        struct rqv_remote *remote = RQV_LIST_OF(node, struct rqv_remote, node);
        if (remote->id == id)
            remote->id = 0;
    }
}

void rqv_remotes_orphan(struct reqivo_client *client)
{
    rqv_list_for_each_safe (node, next, &client->remotes) {
        RQV_LIST_OF(node, struct rqv_remote, node)->client = NULL;
        rqv_list_remove(node);
    }
}
