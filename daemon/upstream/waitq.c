/* SPDX-License-Identifier: MIT */
/* waitq - see waitq.h. A share is made when a uid first waits in the queue and stays until the queue ends:
 * uids are few. */
#include "daemon/upstream/waitq.h"

#include <errno.h>
#include <stdlib.h>

struct wait_share {
    struct rqv_list node; /* of queue->shares */
    struct rqv_list ring; /* of heads */
    uid_t uid;
};

void waitq_init(struct waitq *queue)
{
    rqv_list_init(&queue->shares);
    queue->count = 0;
}

void waitq_done(struct waitq *queue)
{
    rqv_list_for_each_safe (node, next, &queue->shares) {
        rqv_list_remove(node);
        free(RQV_LIST_OF(node, struct wait_share, node));
    }
}

void wait_source_init(struct wait_source *source, uid_t uid)
{
    source->uid = uid;
    rqv_list_init(&source->heads);
}

void wait_node_init(struct wait_node *node)
{
    node->queue = NULL;
    rqv_list_init(&node->node);
    rqv_list_init(&node->fifo);
    rqv_list_init(&node->source_node);
}

static struct wait_share *share_get(struct waitq *queue, uid_t uid)
{
    rqv_list_for_each (node, &queue->shares) {
        struct wait_share *share = RQV_LIST_OF(node, struct wait_share, node);
        if (share->uid == uid)
            return share;
    }
    struct wait_share *share = malloc(sizeof *share);
    if (share) {
        share->uid = uid;
        rqv_list_init(&share->ring);
        rqv_list_append(&queue->shares, &share->node);
    }
    return share;
}

static void make_head(struct wait_node *node)
{
    node->is_head = true;
    rqv_list_append(&node->source->heads, &node->source_node);
}

int waitq_push(struct waitq *queue, struct wait_node *node, struct wait_source *source)
{
    node->source = source;
    rqv_list_for_each (at, &source->heads) {
        struct wait_node *head = RQV_LIST_OF(at, struct wait_node, source_node);
        if (head->queue == queue) {
            node->queue = queue;
            node->share = head->share;
            node->is_head = false;
            rqv_list_append(&head->fifo, &node->node);
            queue->count++;
            return 0;
        }
    }
    struct wait_share *share = share_get(queue, source->uid);
    if (!share)
        return -ENOMEM;
    node->queue = queue;
    node->share = share;
    rqv_list_append(&share->ring, &node->node);
    make_head(node);
    queue->count++;
    return 0;
}

/* The head leaves; the next of its fifo takes its place (`stay`) or goes to the ring's end. */
static void head_leave(struct wait_node *head, bool stay)
{
    struct rqv_list *first = rqv_list_first(&head->fifo);

    rqv_list_remove(&head->source_node);
    if (first) {
        struct wait_node *heir = RQV_LIST_OF(first, struct wait_node, node);
        rqv_list_remove(&heir->node);
        make_head(heir);
        rqv_list_insert_before(stay ? &head->node : &head->share->ring, &heir->node);
        first = rqv_list_first(&head->fifo);
        if (first) { /* the others follow the heir */
            struct rqv_list *last = head->fifo.prev;
            heir->fifo.next = first;
            heir->fifo.prev = last;
            first->prev = last->next = &heir->fifo;
            rqv_list_init(&head->fifo);
        }
    }
    rqv_list_remove(&head->node);
}

void waitq_remove(struct wait_node *node)
{
    if (!node->queue)
        return;
    node->queue->count--;
    if (node->is_head)
        head_leave(node, true);
    else
        rqv_list_remove(&node->node);
    node->queue = NULL;
}

void waitq_serve(struct wait_node *node)
{
    struct wait_share *share = node->share;
    struct waitq *queue = node->queue;

    queue->count--;
    if (node->is_head)
        head_leave(node, false);
    else
        rqv_list_remove(&node->node);
    node->queue = NULL;
    rqv_list_remove(&share->node);
    rqv_list_append(&queue->shares, &share->node);
}

static struct wait_node *first_of_share_after(const struct waitq *queue, const struct rqv_list *at)
{
    for (const struct rqv_list *node = at->next; node != &queue->shares; node = node->next) {
        struct wait_share *share = RQV_LIST_OF(node, struct wait_share, node);
        struct rqv_list *head = rqv_list_first(&share->ring);
        if (head)
            return RQV_LIST_OF(head, struct wait_node, node);
    }
    return NULL;
}

struct wait_node *waitq_first(const struct waitq *queue)
{
    return first_of_share_after(queue, &queue->shares);
}

struct wait_node *waitq_look(struct wait_look *look, const struct waitq *queue)
{
    look->queue = queue;
    look->head = look->node = waitq_first(queue);
    return look->node;
}

struct wait_node *waitq_next(struct wait_look *look)
{
    struct wait_node *head = look->head;
    const struct rqv_list *next = look->node == head ? head->fifo.next : look->node->node.next;

    if (next != &head->fifo)
        return look->node = RQV_LIST_OF(next, struct wait_node, node);
    return waitq_next_head(look);
}

struct wait_node *waitq_next_head(struct wait_look *look)
{
    struct wait_node *head = look->head;

    if (head->node.next != &head->share->ring)
        look->head = RQV_LIST_OF(head->node.next, struct wait_node, node);
    else
        look->head = first_of_share_after(look->queue, &head->share->node);
    return look->node = look->head;
}
