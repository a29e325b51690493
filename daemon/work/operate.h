/* SPDX-License-Identifier: MIT */
/*
 * operate - an operation of a program on the pool that a URL and its options name: statistics, a narrower
 * limit, connections made ahead, idle ones closed, one acquired for a series of requests (pin.h).
 *
 *   trust -> pool -> (connections) -> done
 *
 * It ends within the turn that began it unless certificates or connections have to be waited for; then its
 * own limits of time run, and it can be cancelled.
 */
#ifndef DAEMON_WORK_OPERATE_H
#define DAEMON_WORK_OPERATE_H

#include "common/err.h"
#include "common/map.h"
#include "daemon/upstream/pool.h"
#include "daemon/work/exchange.h"
#include "daemon/work/pin.h"
#include "daemon/work/target.h"
#include "proto/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct operation;

/* Where results go: the peer. After done() it is gone at the end of the turn. */
struct operation_sink {
    int (*trust)(struct operation *op, uint64_t trust_id, struct trust **ret_trust,
                 struct rqv_err *err); /* as an exchange's; operation_kick() later */
    int (*row)(struct operation *op, const struct rqv_fields *fields);
    void (*done)(struct operation *op, const struct rqv_err *err); /* err->code 0: success */
};

enum operation_step { OPERATION_TRUST, OPERATION_WAITS, OPERATION_OVER };

struct operation {
    struct rqv_map_node node; /* of the owner's table, by name */
    struct operation_name {
        uint64_t owner, id;
    } name;                          /* the owner's to set */
    struct operation *next, **place; /* the owner's list */
    bool charged;                    /* the owner's: with one of ACCOUNT_REQUESTS */
    struct exchange_env *env;
    const struct operation_sink *sink;
    void *owner;
    struct account *account; /* a reference */
    struct wait_source *source;
    enum operation_step step;
    uint16_t verb;
    uint32_t value;
    struct target target;
    uint64_t trust_id;
    uint32_t timeout_ms[RQV_T_COUNT];
    uint64_t start_us;
    struct key key;
    struct pool *pool; /* NULL, or kept alive by what it waits for there */
    struct waiter waiter;
    struct warmer warmer;
    struct pin *pin; /* of an acquisition */
    struct loop_timer timer;
    struct loop_task reap;
};

struct operation_params {
    const struct operation_sink *sink;
    void *owner;
    struct account *account;
    struct wait_source *source;
    const struct rqv_operation *operation;
    struct pin *pin; /* RQV_OP_CONNECTION_ACQUIRE: what the connection goes to */
};

/* Charges its memory. On failure err is filled and there is none. */
int operation_new(struct exchange_env *env, const struct operation_params *params,
                  struct operation **ret_operation, struct rqv_err *err);
void operation_kick(struct operation *op); /* begins it; also when its certificates have come */
void operation_cancel(struct operation *op, int code, const char *detail); /* done() runs */
void operation_abandon(struct operation *op);                              /* no done(): the peer is gone */

/* What is known of an acquired connection, as one row. 0, a code of the sink's, REQIVO_E_LIMIT_MEMORY. */
int operation_pin_row(const struct pin *pin, int (*send)(void *owner, const struct rqv_fields *fields),
                      void *owner);

#endif
