/* SPDX-License-Identifier: MIT */
/*
 * pin - one connection that a program has acquired for a series of requests. Those that name it take turns,
 * first come first served; between two of them it is watched as an idle one is, but in no idle list, and it
 * counts as leased. Never another connection, never a repeat: once it is gone all turns fail. A turn lasts as
 * long as redirects stay within the origin; one that leads elsewhere ends it (exchange_hop.c).
 *
 *   ACQUIRING -> HELD -> LOST (closed by the server, broken by a request, or never got)
 *
 * Its owner lets it go by one of pin_release() and pin_close(); it dies with its last turn. What was
 * authenticated as a connection (NTLM, Negotiate) is closed then: security.md B2-4.
 */
#ifndef DAEMON_WORK_PIN_H
#define DAEMON_WORK_PIN_H

#include "common/err.h"
#include "common/list.h"
#include "common/map.h"
#include "daemon/base/account.h"
#include "daemon/base/loop.h"
#include "daemon/upstream/conn.h"

#include <stdbool.h>
#include <stdint.h>

#define PINS_MAX 64 /* of one program */

enum pin_state { PIN_ACQUIRING, PIN_HELD, PIN_LOST };

struct pin {
    struct rqv_map_node node; /* of the owner's table, by name */
    struct pin_name {
        uint64_t owner, id;
    } name;                    /* the owner's to set */
    struct pin *next, **place; /* the owner's list; place NULL: not in it */
    struct account *account;   /* a reference */
    struct loop *loop;
    enum pin_state state;
    struct lease lease; /* holds the connection from pin_got() on, also while it is lent to a turn */
    struct rqv_err err; /* LOST: why */
    struct rqv_list turns;
    struct loop_task wake; /* the first of them goes on */
    bool left, reuse;      /* by the owner */
    bool warm;             /* it had served when it was acquired */
};

/* One request that names it; embedded in the exchange. */
struct pin_turn {
    struct pin *pin; /* NULL: none */
    struct rqv_list node;
    struct lease *lease;                      /* of the request, with its key */
    void (*on_turn)(struct pin_turn *turn);   /* pin_take() may have another answer; in a turn's WORK phase */
    void (*on_closed)(struct pin_turn *turn); /* the owner has closed it: the request ends */
};

/* Charged. Its lease is to be filled by a waiter that keeps (pool.h). 0, REQIVO_E_LIMIT_MEMORY, -ENOMEM. */
int pin_new(struct account *account, struct loop *loop, struct pin **ret_pin);
void pin_got(struct pin *pin); /* its lease holds a connection */
/* It could not be acquired: its turns fail with that error. The owner's pointer is void afterwards. */
void pin_failed(struct pin *pin, const struct rqv_err *err);

void pin_join(struct pin *pin, struct pin_turn *turn);
/* 1: the turn's lease holds the connection. 0: not yet. Negative with err filled. */
int pin_take(struct pin_turn *turn, struct rqv_err *err);
void pin_leave(struct pin_turn *turn); /* its lease is released or discarded; harmless for who never joined */

/* Both take the owner's pointer. Release: once the turns that there are have ended, it goes back to its pool
 * if it is fit and `reuse`; else it is closed then. Close: at once, and the turns fail. */
void pin_release(struct pin **pin, bool reuse);
void pin_close(struct pin **pin);

#endif
