/* SPDX-License-Identifier: MIT */
/* exchange_time - the limits of time of an exchange, one timer for all: which is next in the present step. */
#include "daemon/work/exchange_internal.h"

#include <reqivo/error.h>

#define DIAL_LOOK_US   250000 /* while a dial is under way: has it gone to somebody else? */
#define EXPECT_WAIT_MS 1000   /* for 100 Continue, as curl does; then the body goes anyway: RFC 9110 10.1.1 */

uint32_t exchange_elapsed(const struct exchange *x, uint64_t since_us)
{
    uint64_t now = loop_now_us(x->env->loop);
    uint64_t us = now > since_us ? now - since_us : 0;

    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void exchange_progress(struct exchange *x)
{
    x->progress_us = loop_now_us(x->env->loop);
}

static uint64_t deadline(const struct exchange *x, uint64_t since_us, enum rqv_timeout which)
{
    return x->timeout_ms[which] == RQV_TIMEOUT_NONE ? UINT64_MAX
                                                    : since_us + (uint64_t)x->timeout_ms[which] * 1000;
}

/* A dial watches itself; but it may be given to another waiter, and then the queue's time counts again. */
static uint64_t queue_deadline(const struct exchange *x)
{
    uint64_t look = loop_now_us(x->env->loop) + DIAL_LOOK_US;
    uint64_t at = deadline(x, x->queue_us, RQV_T_QUEUE);

    return x->waiter.dialing && at < look ? look : at;
}

/* While the program itself is what is waited for: how long it may take nothing of what has come. */
static uint64_t reader_deadline(const struct exchange *x, int *ret_code)
{
    *ret_code = REQIVO_E_TIMEOUT_READER;
    return x->env->conf->slow_reader_ms == 0 ? UINT64_MAX
                                             : x->progress_us + (uint64_t)x->env->conf->slow_reader_ms * 1000;
}

/* Which limit is next in the present step, and when. While the program itself is what is waited for, none but
 * the total and that of slow readers. */
static uint64_t step_deadline(const struct exchange *x, int *ret_code)
{
    switch (x->step) {
    case STEP_TRUST:
    case STEP_ACQUIRE:
    case STEP_BEGIN:
        *ret_code = REQIVO_E_TIMEOUT_QUEUE;
        return queue_deadline(x);
    case STEP_SEND_HEAD:
    case STEP_SEND_BODY:
        *ret_code = REQIVO_E_TIMEOUT_STALL;
        if (x->target.expect && !x->go_on && x->sent_us == 0)
            return x->lease_us + (uint64_t)EXPECT_WAIT_MS * 1000;
        if (x->lease.conn && lease_unsent(&x->lease) == 0 && !x->body_ended)
            return UINT64_MAX;
        return deadline(x, x->progress_us, RQV_T_STALL);
    case STEP_RECEIVE_HEAD:
        *ret_code = REQIVO_E_TIMEOUT_FIRST;
        return x->blocked ? reader_deadline(x, ret_code) : deadline(x, x->sent_us, RQV_T_FIRST);
    case STEP_RECEIVE_BODY:
        *ret_code = REQIVO_E_TIMEOUT_STALL;
        return x->blocked ? reader_deadline(x, ret_code) : deadline(x, x->progress_us, RQV_T_STALL);
    case STEP_HOP: /* the program is to answer */
    case STEP_DONE:
        break;
    }
    return UINT64_MAX;
}

void exchange_arm(struct exchange *x)
{
    int code;
    uint64_t step = step_deadline(x, &code);
    uint64_t total = deadline(x, x->start_us, RQV_T_TOTAL);
    uint64_t at = step < total ? step : total;

    if (at == UINT64_MAX)
        loop_timer_stop(&x->timer);
    else
        loop_timer_at(&x->timer, at);
}

int exchange_phase(const struct exchange *x)
{
    static const uint8_t phases[] = {
        [STEP_HOP] = REQIVO_PHASE_IPC,           [STEP_TRUST] = REQIVO_PHASE_QUEUE,
        [STEP_ACQUIRE] = REQIVO_PHASE_QUEUE,     [STEP_BEGIN] = REQIVO_PHASE_QUEUE,
        [STEP_SEND_HEAD] = REQIVO_PHASE_SEND,    [STEP_SEND_BODY] = REQIVO_PHASE_SEND,
        [STEP_RECEIVE_HEAD] = REQIVO_PHASE_HEAD, [STEP_RECEIVE_BODY] = REQIVO_PHASE_BODY,
        [STEP_DONE] = REQIVO_PHASE_NONE,
    };

    if (x->step == STEP_ACQUIRE && x->waiter.dialing)
        return REQIVO_PHASE_CONNECT;
    return phases[x->step];
}

void exchange_on_timer(void *owner)
{
    struct exchange *x = owner;
    uint64_t now = loop_now_us(x->env->loop);
    int code = REQIVO_E_TIMEOUT_STALL;
    uint64_t step = step_deadline(x, &code);

    if (now >= deadline(x, x->start_us, RQV_T_TOTAL)) {
        exchange_cancel(x, REQIVO_E_TIMEOUT_TOTAL, rqv_err_text(REQIVO_E_TIMEOUT_TOTAL));
    } else if (now < step) {
        exchange_arm(x);
    } else if (x->step == STEP_SEND_BODY && x->target.expect && !x->go_on && x->sent_us == 0) {
        x->go_on = true; /* the server does not answer the expectation */
        exchange_progress(x);
        exchange_drive(x);
    } else {
        exchange_cancel(x, code, rqv_err_text(code));
    }
}
