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

void rqv_remote_release(struct rqv_remote **remote)
{
    struct rqv_remote *last = *remote;

    *remote = NULL;
    if (!last || --last->refs > 0)
        return;
    if (last->client && last->id != 0 && last->client->channel.state != RQV_CHANNEL_DOWN)
        rqv_client_must_queue(last->client,
                              rqv_wire_encode_empty(&last->client->channel.out, RQV_WIRE_CANCEL, last->id));
    rqv_list_remove(&last->node);
    free(last);
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
