/* SPDX-License-Identifier: MIT */
/* slow - see slow.h. One timer for all: the list is in the order of time. */
#include "daemon/ipc/slow.h"

#include "daemon/base/log.h"

static uint64_t due_us(const struct ipc *ipc, const struct peer *peer)
{
    return peer->slow_us + (uint64_t)ipc->use.conf->slow_reader_ms * 1000;
}

static struct peer *slowest(struct ipc *ipc)
{
    struct rqv_list *first = rqv_list_first(&ipc->slow_peers);

    return first && ipc->use.conf->slow_reader_ms != 0 ? RQV_LIST_OF(first, struct peer, slow_node) : NULL;
}

static void on_slow(void *owner)
{
    struct ipc *ipc = owner;
    struct peer *peer;

    while ((peer = slowest(ipc)) && due_us(ipc, peer) <= loop_now_us(ipc->use.loop)) {
        log_notice("peer %llu (uid %u, pid %d) is disconnected: it has not read for %u ms, with %zu bytes "
                   "waiting (timeouts.slow_reader)",
                   (unsigned long long)peer->number, (unsigned)peer->source.uid, (int)peer->pid,
                   ipc->use.conf->slow_reader_ms, queue_len(&peer->out));
        ipc->slow_closed++;
        peer_close(peer, "it does not read");
    }
    if (peer)
        loop_timer_at(&ipc->slow, due_us(ipc, peer));
}

void slow_init(struct ipc *ipc)
{
    rqv_list_init(&ipc->slow_peers);
    loop_timer_init(&ipc->slow, ipc->use.loop, on_slow, ipc);
}

/* The timer is left alone when it is set: it looks at the first then and sets itself again. */
void slow_begin(struct peer *peer)
{
    struct ipc *ipc = peer->ipc;

    if (!rqv_list_empty(&peer->slow_node) || ipc->use.conf->slow_reader_ms == 0)
        return;
    peer->slow_us = loop_now_us(ipc->use.loop);
    rqv_list_append(&ipc->slow_peers, &peer->slow_node);
    if (ipc->slow.at_us == UINT64_MAX)
        loop_timer_at(&ipc->slow, due_us(ipc, peer));
}

void slow_end(struct peer *peer)
{
    rqv_list_remove(&peer->slow_node);
}
