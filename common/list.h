/* SPDX-License-Identifier: MIT */
/* list - intrusive, circular, doubly linked. A node that is in no list points at itself, so removal twice is
 * harmless. */
#ifndef RQV_COMMON_LIST_H
#define RQV_COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct rqv_list {
    struct rqv_list *prev, *next;
};

#define RQV_LIST_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define rqv_list_for_each(node, head)                                                                        \
    for (struct rqv_list *node = (head)->next; node != (head); node = node->next)
#define rqv_list_for_each_safe(node, tmp, head)                                                              \
    for (struct rqv_list *node = (head)->next, *tmp = node->next; node != (head);                            \
         node = tmp, tmp = node->next)

static inline void rqv_list_init(struct rqv_list *node)
{
    node->prev = node->next = node;
}

static inline bool rqv_list_empty(const struct rqv_list *head)
{
    return head->next == head;
}

static inline void rqv_list_insert_before(struct rqv_list *at, struct rqv_list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void rqv_list_append(struct rqv_list *head, struct rqv_list *node)
{
    rqv_list_insert_before(head, node);
}

static inline void rqv_list_prepend(struct rqv_list *head, struct rqv_list *node)
{
    rqv_list_insert_before(head->next, node);
}

static inline void rqv_list_remove(struct rqv_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    rqv_list_init(node);
}

/* First node, or NULL. */
static inline struct rqv_list *rqv_list_first(struct rqv_list *head)
{
    return rqv_list_empty(head) ? NULL : head->next;
}

static inline struct rqv_list *rqv_list_last(struct rqv_list *head)
{
    return rqv_list_empty(head) ? NULL : head->prev;
}

#endif
