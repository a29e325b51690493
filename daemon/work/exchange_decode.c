/* SPDX-License-Identifier: MIT */
/*
 * exchange_decode - the response of an exchange without its content codings.
 *
 *   connection --as much as the program grants, and only when nothing waits--> decode --64 KiB a step--> sink
 *
 * The window counts what the program gets; the figures count what came.
 */
#include "daemon/work/exchange_internal.h"

#include "common/uninit.h"

#include <reqivo/error.h>

#define STEPS 8 /* of a turn: 512 KiB; then the others' turn comes */

static void on_again(void *owner)
{
    exchange_kick(owner);
}

/* A part of a coded body (206) is no coded body, and what has no body has no coding. */
int exchange_decode_begin(struct exchange *x, const struct rqv_http1_head *head)
{
    struct decode_params params = {x->account, x->env->loop, on_again, x};
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

/* One step. NEXT: another one may do more. */
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
    if (state == RQV_CODING_END)
        return tell_trailers(x);
    return state == RQV_CODING_HAVE_OUTPUT ? NEXT : WAIT;
}

enum answer exchange_decode(struct exchange *x)
{
    for (int i = 0; i < STEPS; i++) {
        if (!decode_waits(x->decode) && !x->ended)
            return WAIT;
        size_t room = x->sink->room(x);
        if (x->window < room)
            room = (size_t)x->window;
        if (room == 0) {
            x->blocked = true; /* exchange_kick() when the program takes more */
            return WAIT;
        }
        enum answer answer = decode_step(x, room);
        if (answer != NEXT)
            return answer;
    }
    x->blocked = true;
    decode_later(x->decode);
    return WAIT;
}
