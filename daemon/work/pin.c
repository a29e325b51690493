/* SPDX-License-Identifier: MIT */
/* pin - see pin.h. Nothing that happens to the connection runs a turn from within: the first is woken by a
 * task. */
#include "daemon/work/pin.h"

#include "daemon/upstream/pool.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>

static struct pin_turn *first_turn(struct pin *pin)
{
    struct rqv_list *node = rqv_list_first(&pin->turns);

    return node ? RQV_LIST_OF(node, struct pin_turn, node) : NULL;
}

static void wake_first(struct pin *pin)
{
    if (!rqv_list_empty(&pin->turns))
        loop_task_queue(pin->loop, &pin->wake, LOOP_WORK);
}

/* The turn may leave, and the pin die with it. */
static void on_wake(void *owner)
{
    struct pin *pin = owner;
    struct pin_turn *turn = first_turn(pin);

    if (turn)
        turn->on_turn(turn);
}

static void pin_lose(struct pin *pin, const struct rqv_err *err)
{
    pin->state = PIN_LOST;
    pin->err = *err;
    pin->err.sent = REQIVO_SENT_NO;
    wake_first(pin);
}

/* ---- what the connection says while no request has it, or when it comes back ---- */

static void on_home(struct lease *lease)
{
    (void)lease; /* whose turn it was leaves at once, and wakes the next */
}

static void on_gone(struct lease *lease, const struct rqv_err *err)
{
    struct pin *pin = RQV_LIST_OF(lease, struct pin, lease);
    struct rqv_err lost = *err;

    lease_let_go(&pin->lease, false);
    rqv_err_set(&lost, REQIVO_E_CONNECTION_CLOSED, REQIVO_PHASE_QUEUE, "%s",
                rqv_err_text(REQIVO_E_CONNECTION_CLOSED));
    pin_lose(pin, &lost);
}

/* No request is written while it holds the lease itself, so nothing else can come. */
static const struct lease_events pin_events = {.on_end = on_home, .on_error = on_gone};

/* ---- life ---- */

int pin_new(struct account *account, struct loop *loop, struct pin **ret_pin)
{
    int rc = account_charge(account, ACCOUNT_MEMORY, sizeof(struct pin));

    if (rc < 0)
        return rc;
    struct pin *pin = calloc(1, sizeof *pin);
    if (!pin) {
        account_refund(account, ACCOUNT_MEMORY, sizeof *pin);
        return -ENOMEM;
    }
    pin->account = account;
    account->refs++;
    pin->loop = loop;
    pin->lease.events = &pin_events;
    rqv_list_init(&pin->turns);
    loop_task_init(&pin->wake, on_wake, pin);
    *ret_pin = pin;
    return 0;
}

static void pin_free(struct pin *pin)
{
    struct account *account = pin->account;

    loop_task_drop(&pin->wake);
    free(pin);
    account_refund(account, ACCOUNT_MEMORY, sizeof *pin);
    account_release(&account);
}

/* Its owner has let it go, and nobody is left who names it. */
static void pin_end(struct pin *pin)
{
    if (!pin->left || pin->state == PIN_ACQUIRING || !rqv_list_empty(&pin->turns))
        return;
    lease_let_go(&pin->lease, pin->reuse);
    pin_free(pin);
}

void pin_got(struct pin *pin)
{
    pin->state = PIN_HELD;
    wake_first(pin);
    pin_end(pin);
}

void pin_failed(struct pin *pin, const struct rqv_err *err)
{
    pin_lose(pin, err);
    pin->left = true;
    pin_end(pin);
}

void pin_release(struct pin **place, bool reuse)
{
    struct pin *pin = *place;

    *place = NULL;
    pin->left = true;
    pin->reuse = reuse;
    pin_end(pin);
}

void pin_close(struct pin **place)
{
    struct pin *pin = *place;
    struct pin_turn *turn = first_turn(pin);
    struct rqv_err err = {0};

    *place = NULL;
    rqv_err_set(&err, REQIVO_E_CONNECTION_CLOSED, REQIVO_PHASE_QUEUE,
                "the program has closed the connection that the request names");
    lease_let_go(&pin->lease, false);
    pin_lose(pin, &err);
    if (turn && turn->lease->conn)
        turn->on_closed(turn);
    pin->left = true;
    pin_end(pin);
}

/* ---- turns ---- */

void pin_join(struct pin *pin, struct pin_turn *turn)
{
    turn->pin = pin;
    rqv_list_append(&pin->turns, &turn->node);
}

int pin_take(struct pin_turn *turn, struct rqv_err *err)
{
    struct pin *pin = turn->pin;

    if (pin->state == PIN_LOST) {
        *err = pin->err;
        return err->code;
    }
    if (pin->state == PIN_ACQUIRING || first_turn(pin) != turn)
        return 0;
    int rc = lease_lend(&pin->lease, turn->lease);
    if (rc == 0)
        return 1;
    if (pin->state == PIN_LOST) { /* it was found closed */
        *err = pin->err;
        return err->code;
    }
    return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "%s",
                       rc == REQIVO_E_SESSION
                           ? "the connection was acquired for another origin, or with other options"
                           : "isolation: the pool keys differ");
}

void pin_leave(struct pin_turn *turn)
{
    struct pin *pin = turn->pin;

    if (!pin)
        return;
    turn->pin = NULL;
    rqv_list_remove(&turn->node);
    wake_first(pin);
    pin_end(pin);
}
