/* SPDX-License-Identifier: MIT */
/* roll - see roll.h. */
#include "daemon/base/roll.h"

void roll_init(struct roll *roll)
{
    rqv_list_init(&roll->list);
    roll->count = 0;
}

void roll_join(struct roll *roll, struct roll_node *node, void *thing)
{
    node->thing = thing;
    rqv_list_prepend(&roll->list, &node->node);
    roll->count++;
}

void roll_leave(struct roll *roll, struct roll_node *node)
{
    rqv_list_remove(&node->node);
    roll->count--;
}

void roll_open(struct roll *roll, struct roll_node *place)
{
    place->thing = NULL;
    rqv_list_prepend(&roll->list, &place->node);
}

void roll_close(struct roll_node *place)
{
    rqv_list_remove(&place->node);
}

bool roll_step(struct roll *roll, struct roll_node *place, void **ret_thing)
{
    struct rqv_list *next = place->node.next;

    if (next == &roll->list)
        return false;
    rqv_list_remove(&place->node);
    rqv_list_insert_before(next->next, &place->node);
    *ret_thing = RQV_LIST_OF(next, struct roll_node, node)->thing;
    return true;
}
