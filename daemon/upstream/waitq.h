/* SPDX-License-Identifier: MIT */
/*
 * waitq - those who wait for a connection of one pool, in the order in which they are served: round-robin
 * over uids, then over sources (programs) of a uid, first come first served within one.
 *
 *   shares (a uid each) -> ring of heads (the first waiter of a source each) -> the head's fifo (the source's
 * others)
 */
#ifndef DAEMON_UPSTREAM_WAITQ_H
#define DAEMON_UPSTREAM_WAITQ_H

#include "common/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct waitq {
    struct rqv_list shares; /* the first is served next */
    size_t count;
};

/* Whoever makes requests: a peer. Embedded there. */
struct wait_source {
    struct rqv_list heads; /* its heads, one for each queue it waits in */
    uid_t uid;
};

struct wait_share; /* of waitq.c */
struct wait_node {
    struct waitq *queue; /* NULL: not waiting */
    struct wait_share *share;
    struct wait_source *source;
    bool is_head;
    struct rqv_list node;        /* head: of the share's ring; else of the head's fifo */
    struct rqv_list fifo;        /* head: the source's others */
    struct rqv_list source_node; /* head: of source->heads */
};

void waitq_init(struct waitq *queue);
void waitq_done(struct waitq *queue); /* must be empty */
void wait_source_init(struct wait_source *source, uid_t uid);
void wait_node_init(struct wait_node *node);

int waitq_push(struct waitq *queue, struct wait_node *node, struct wait_source *source); /* -ENOMEM */
/* Out of the queue because it is served: turns the circles one further. */
void waitq_serve(struct wait_node *node);
/* Out of the queue for another reason: the order of the rest is kept. Harmless when not waiting. */
void waitq_remove(struct wait_node *node);

/* The one who is served next, and a look at all: from waitq_look on, the node, then next until NULL; the
 * queue must not change meanwhile. */
struct wait_look {
    const struct waitq *queue;
    struct wait_node *head, *node; /* node: of head's fifo, or head itself */
};
struct wait_node *waitq_first(const struct waitq *queue);
struct wait_node *waitq_look(struct wait_look *look, const struct waitq *queue);
struct wait_node *waitq_next(struct wait_look *look);
struct wait_node *waitq_next_head(struct wait_look *look); /* past the others of the same source */

#endif
