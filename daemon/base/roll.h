/* SPDX-License-Identifier: MIT */
/*
 * roll - who there is of a kind, for readers that take many turns of the loop. A reader's place stands in the
 * list itself, so what comes or goes meanwhile moves no reader and costs nothing. Who joins comes to the
 * front, behind every reader: each of them comes to an end.
 *
 *   newest ── place of A ── ... ── place of B ── ... ── oldest
 */
#ifndef DAEMON_BASE_ROLL_H
#define DAEMON_BASE_ROLL_H

#include "common/list.h"

#include <stdbool.h>
#include <stddef.h>

struct roll {
    struct rqv_list list;
    size_t count; /* without places */
};

struct roll_node {
    struct rqv_list node;
    void *thing; /* NULL: a reader's place */
};

void roll_init(struct roll *roll);
void roll_join(struct roll *roll, struct roll_node *node, void *thing);
void roll_leave(struct roll *roll, struct roll_node *node);

void roll_open(struct roll *roll, struct roll_node *place);
void roll_close(struct roll_node *place);
/* One step of the reader; false at the end. *ret_thing is NULL when another's place was stepped over. */
bool roll_step(struct roll *roll, struct roll_node *place, void **ret_thing);

#endif
