/* SPDX-License-Identifier: MIT */
/*
 * exchange_decode - the response of an exchange without its content codings.
 *
 *   connection --as much as the program grants, and only when nothing waits--> decode --64 KiB a step--> sink
 *
 * Each step is an item of the account's circle, as a read of a socket is, so between two steps for one uid
 * whoever else waits has his turn. The window counts what the program gets; the figures count what came.
 */
#include "daemon/work/exchange_internal.h"

#include "common/uninit.h"

#include <reqivo/error.h>

/* The driver gets to exchange_decode(), which does one step for `is_turn`. */
static bool on_turn(void *owner)
{
    struct exchange *x = owner;

    x->decode->is_turn = true;
    exchange_drive(x);
    if (x->step == STEP_DONE)
        return false;
    x->decode->is_turn = false;
    if (decode_waits(x->decode))
        return !x->blocked;
    if (x->lease.conn)
        lease_want(&x->lease);
    return false;
}

/* A part of a coded body (206) is no coded body, and what has no body has no coding. */
int exchange_decode_begin(struct exchange *x, const struct rqv_http1_head *head)
{
    struct decode_params params = {x->account, x->env->conf->decoded_max, on_turn, x};
    struct rqv_err err = {0};

    if (!(x->flags & RQV_REQ_DECODE) || head->body == RQV_HTTP1_NONE || head->status == 206)
        return 0;
    int rc = decode_new(&params, head->fields, &x->decode, &err);
    if (rc < 0)
        exchange_fail(x, &err);
    return rc;
}

void exchange_decode_put(struct exchange *x, const uint8_t *bytes, size_t len)
{
    exchange_progress(x);
    if (decode_put(x->decode, bytes, len) < 0)
        exchange_cancel(x, REQIVO_E_LIMIT_MEMORY, "no memory to decode the response");
    else
        exchange_drive(x);
}

static enum answer tell_trailers(struct exchange *x)
{
    struct rqv_err err = {0};
    int rc = x->decode->trailers ? x->sink->trailers(x, &x->decode->trailers->fields) : 0;

    if (rc == 0)
        return END;
    rqv_err_set(&err, rc, REQIVO_PHASE_BODY, "the trailers could not be queued for the program");
    return exchange_fail(x, &err);
}

static enum answer decode_step(struct exchange *x, size_t room)
{
    uint8_t out[RQV_CODING_STEP_MAX] RQV_UNINIT;
    size_t len = room < sizeof out ? room : sizeof out;
    struct rqv_err err = {0};
    int state = decode_take(x->decode, x->ended, out, &len, &err);

    if (state < 0)
        return exchange_fail(x, &err);
    if (len > 0) {
        x->window -= len;
        exchange_progress(x);
        int rc = x->sink->data(x, out, len, false);
        if (rc < 0) {
            rqv_err_set(&err, rc, REQIVO_PHASE_BODY, "the response could not be queued for the program");
            return exchange_fail(x, &err);
        }
    }
    return state == RQV_CODING_END ? tell_trailers(x) : WAIT;
}

enum answer exchange_decode(struct exchange *x)
{
    size_t room = x->sink->room(x);

    if (!decode_waits(x->decode) && !x->ended)
        return WAIT;
    if (x->window < room)
        room = (size_t)x->window;
    x->blocked = room == 0; /* exchange_kick() when the program takes more */
    if (x->blocked)
        return WAIT;
    if (x->decode->is_turn) {
        x->decode->is_turn = false;
        return decode_step(x, room);
    }
    fair_queue(&x->decode->turn);
    return WAIT;
}
