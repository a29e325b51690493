/* SPDX-License-Identifier: MIT */
/* peer_pools - see peer_pools.h. */
#include "daemon/ipc/peer_pools.h"

#include "daemon/ipc/trusts.h"

#include <reqivo/error.h>

#include <string.h>

static bool fail(const struct operate_call *call, int code, const char *detail)
{
    struct rqv_err err = {0};

    rqv_err_set(&err, code, REQIVO_PHASE_NONE, "%s", detail);
    return operate_done(call, &err);
}

/* ---- acquired connections ---- */

struct pin *peer_pin(struct peer *peer, uint64_t id)
{
    struct pin_name name = {peer->number, id};
    struct rqv_map_node *node = rqv_map_get(&peer->ipc->pins, &name, sizeof name);

    return node ? RQV_LIST_OF(node, struct pin, node) : NULL;
}

static int pin_keep(struct peer *peer, uint64_t id, struct pin *pin)
{
    pin->name = (struct pin_name){peer->number, id};
    int rc = rqv_map_put(&peer->ipc->pins, &pin->node, &pin->name, sizeof pin->name);
    if (rc < 0)
        return rc;
    pin->next = peer->extra->pins;
    pin->place = &peer->extra->pins;
    if (pin->next)
        pin->next->place = &pin->next;
    peer->extra->pins = pin;
    peer->extra->pin_count++;
    return 0;
}

/* Its id means nothing from now on. */
static void pin_forget(struct peer *peer, struct pin *pin)
{
    if (!pin->place)
        return;
    rqv_map_del(&peer->ipc->pins, &pin->node);
    *pin->place = pin->next;
    if (pin->next)
        pin->next->place = pin->place;
    pin->place = NULL;
    peer->extra->pin_count--;
}

/* The connection that the operation is about; NULL after its DONE. */
static struct pin *target_pin(const struct operate_call *call)
{
    struct pin *pin = peer_pin(call->peer, call->operation->target);

    if (!pin)
        fail(call, REQIVO_E_SESSION, "the connection was never acquired on this socket, or is closed");
    return pin;
}

bool peer_connection_release(const struct operate_call *call)
{
    struct pin *pin = target_pin(call);
    struct rqv_err err = {0};

    if (!pin)
        return true;
    if (pin->state == PIN_LOST)
        err = pin->err;
    pin_forget(call->peer, pin);
    pin_release(&pin, true);
    return operate_done(call, &err);
}

static int send_row(void *owner, const struct rqv_fields *fields)
{
    return operate_row(owner, fields);
}

bool peer_connection_info(const struct operate_call *call)
{
    struct pin *pin = target_pin(call);
    struct operate_call answer = *call;
    int rc;

    if (!pin)
        return true;
    if (pin->state == PIN_LOST)
        return operate_done(call, &pin->err);
    rc = operation_pin_row(pin, send_row, &answer);
    return rc < 0 ? fail(call, rc, rqv_err_text(rc)) : operate_done(call, &(struct rqv_err){0});
}

/* ---- operations ---- */

static struct operate_call call_of(const struct operation *op)
{
    return (struct operate_call){.peer = op->owner, .id = op->name.id};
}

static int sink_trust(struct operation *op, uint64_t trust_id, struct trust **ret_trust, struct rqv_err *err)
{
    return trusts_get(op->owner, trust_id, ret_trust, err);
}

static int sink_row(struct operation *op, const struct rqv_fields *fields)
{
    struct operate_call call = call_of(op);

    return operate_row(&call, fields);
}

static void drop(struct peer *peer, struct operation *op)
{
    rqv_map_del(&peer->ipc->operations, &op->node);
    *op->place = op->next;
    if (op->next)
        op->next->place = op->place;
    peer->in_flight--;
    if (op->charged)
        account_refund(peer->account, ACCOUNT_REQUESTS, 1);
}

static void sink_done(struct operation *op, const struct rqv_err *err)
{
    struct operate_call call = call_of(op);

    if (op->pin && err->code != 0)
        pin_forget(call.peer, op->pin);
    drop(call.peer, op);
    operate_done(&call, err);
}

static const struct operation_sink peer_operation_sink = {
    .trust = sink_trust,
    .row = sink_row,
    .done = sink_done,
};

static int keep(struct peer *peer, uint64_t id, struct operation *op)
{
    op->name = (struct operation_name){peer->number, id};
    int rc = rqv_map_put(&peer->ipc->operations, &op->node, &op->name, sizeof op->name);
    if (rc < 0)
        return rc;
    op->next = peer->extra->operations;
    op->place = &peer->extra->operations;
    if (op->next)
        op->next->place = &op->next;
    peer->extra->operations = op;
    peer->in_flight++;
    return 0;
}

static int operation_make(const struct operate_call *call, struct pin *pin, struct operation **ret_operation,
                          struct rqv_err *err)
{
    struct peer *peer = call->peer;
    struct operation_params params = {
        .sink = &peer_operation_sink,
        .owner = peer,
        .account = call->account ? call->account : peer->account,
        .source = &peer->source,
        .operation = call->operation,
        .pin = pin,
    };
    struct operation *op;

    int rc = peer_extra_make(peer);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "no memory for the operation");
    rc = operation_new(peer->ipc->use.env, &params, &op, err);
    if (rc < 0)
        return rc;
    rc = keep(peer, call->id, op);
    if (rc < 0) {
        operation_abandon(op);
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "no memory for the operation");
    }
    *ret_operation = op;
    return 0;
}

static int pin_make(const struct operate_call *call, struct pin **ret_pin, struct rqv_err *err)
{
    struct peer *peer = call->peer;
    struct pin *pin;

    if (peer->extra->pin_count >= PINS_MAX)
        return rqv_err_set(err, REQIVO_E_LIMIT_REQUESTS, REQIVO_PHASE_QUEUE,
                           "%d connections are acquired on this socket", PINS_MAX);
    int rc = peer_extra_make(peer);
    if (rc >= 0)
        rc = pin_new(peer->account, peer->ipc->use.loop, &pin);
    if (rc >= 0) {
        rc = pin_keep(peer, call->id, pin);
        if (rc < 0)
            pin_close(&pin);
    }
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "no memory for a connection");
    *ret_pin = pin;
    return 0;
}

bool peer_pool_operate(const struct operate_call *call)
{
    struct peer *peer = call->peer;
    struct operation *op = NULL;
    struct pin *pin = NULL;
    struct rqv_err err = {0};
    int rc = 0;

    if (peer->in_flight >= RQV_WIRE_IN_FLIGHT_MAX)
        rc = rqv_err_set(&err, REQIVO_E_LIMIT_REQUESTS, REQIVO_PHASE_QUEUE,
                         "%d requests are in flight on this connection", RQV_WIRE_IN_FLIGHT_MAX);
    if (rc == 0 && call->operation->verb == RQV_OP_CONNECTION_ACQUIRE)
        rc = pin_make(call, &pin, &err);
    if (rc == 0)
        rc = operation_make(call, pin, &op, &err);
    if (rc < 0 || !op) {
        if (pin) {
            pin_forget(peer, pin);
            pin_close(&pin);
        }
        return operate_done(call, &err);
    }
    operation_kick(op);
    if (op->step == OPERATION_OVER) /* its memory lasts until the end of the turn */
        return true;
    op->charged = true;
    return false;
}

/* ---- what happens to the program ---- */

static struct operation *find(struct peer *peer, uint64_t id)
{
    struct operation_name name = {peer->number, id};
    struct rqv_map_node *node = rqv_map_get(&peer->ipc->operations, &name, sizeof name);

    return node ? RQV_LIST_OF(node, struct operation, node) : NULL;
}

bool peer_pools_cancel(struct peer *peer, uint64_t id)
{
    struct operation *op = find(peer, id);
    struct pin *pin = op ? NULL : peer_pin(peer, id);

    if (op)
        operation_cancel(op, REQIVO_E_CANCELED, "canceled by the program");
    if (pin) {
        pin_forget(peer, pin);
        pin_close(&pin);
    }
    return op || pin;
}

void peer_pools_kick(struct peer *peer)
{
    struct operation *next;

    for (struct operation *op = peer->extra->operations; op; op = next) {
        next = op->next;
        operation_kick(op);
    }
}

void peer_pools_drain(struct peer *peer)
{
    while (peer->extra->operations)
        operation_cancel(peer->extra->operations, REQIVO_E_SHUTDOWN, rqv_err_text(REQIVO_E_SHUTDOWN));
    while (peer->extra->pins) {
        struct pin *pin = peer->extra->pins;
        pin_forget(peer, pin);
        pin_release(&pin, false);
    }
}

void peer_pools_abandon(struct peer *peer)
{
    while (peer->extra->operations) {
        struct operation *op = peer->extra->operations;
        drop(peer, op);
        operation_abandon(op);
    }
    while (peer->extra->pins) {
        struct pin *pin = peer->extra->pins;
        pin_forget(peer, pin);
        pin_close(&pin);
    }
}
