/* SPDX-License-Identifier: MIT */
/* exchange_end - how an exchange ends, and when it is repeated instead. */
#include "daemon/base/log.h"
#include "daemon/work/exchange_internal.h"
#include "daemon/work/judge.h"

#include <reqivo/error.h>

#include <string.h>

/* ---- the end ---- */

static void exchange_release(struct exchange *x)
{
    loop_timer_stop(&x->timer);
    if (x->pool)
        pool_cancel(x->pool, &x->waiter);
    pin_leave(&x->turn);
    queue_done(&x->head);
    queue_done(&x->body);
    rqv_list_remove(&x->body_node);
    if (x->extras)
        exchange_drop_extras(x);
    account_roll_leave(x->account, ROLL_REQUESTS, &x->roll);
    account_refund(x->account, ACCOUNT_REQUESTS, 1);
    account_refund(x->account, ACCOUNT_MEMORY, sizeof *x);
    account_release(&x->account);
    loop_task_queue(x->env->loop, &x->reap, LOOP_FREE);
}

void exchange_count_failure(struct exchange_env *env, struct account *account, int code)
{
    unsigned cls = (unsigned)rqv_err_class(code);

    env->stats.failed++;
    env->stats.errors[cls < EXCHANGE_CLASSES ? cls : 0]++;
    account->errors++;
}

/* Which phases it had: those of a connection only when it was made for this request. */
static void count_time(struct exchange *x)
{
    struct histogram *time = x->env->stats.time;
    const uint32_t *us = x->time_us;

    histogram_add(&time[RQV_TIME_TOTAL], us[RQV_TIME_TOTAL]);
    if (x->lease_us == 0)
        return;
    histogram_add(&time[RQV_TIME_QUEUE], us[RQV_TIME_QUEUE]);
    if (!x->reused) {
        histogram_add(&time[RQV_TIME_DNS], us[RQV_TIME_DNS]);
        histogram_add(&time[RQV_TIME_CONNECT], us[RQV_TIME_CONNECT]);
        if (x->target.use_tls)
            histogram_add(&time[RQV_TIME_TLS], us[RQV_TIME_TLS]);
    }
    if (x->sent_us != 0)
        histogram_add(&time[RQV_TIME_SEND], us[RQV_TIME_SEND]);
    if (x->first_us != 0)
        histogram_add(&time[RQV_TIME_FIRST], us[RQV_TIME_FIRST]);
}

static void count_end(struct exchange *x)
{
    struct exchange_stats *stats = &x->env->stats;

    if (x->err.code == 0)
        stats->succeeded++;
    else if (x->err.code == REQIVO_E_CANCELED)
        stats->canceled++;
    else
        exchange_count_failure(x->env, x->account, x->err.code);
    stats->sent_bytes += x->body_received;
    stats->received_bytes += x->response_bytes;
    x->account->received_bytes += x->response_bytes;
    count_time(x);
}

void exchange_finish(struct exchange *x)
{
    if (x->step == STEP_DONE)
        return;
    x->step = STEP_DONE;
    if (x->err.code != 0)
        lease_discard(&x->lease);
    else if (lease_release(&x->lease) < 0)
        rqv_err_set(&x->err, REQIVO_E_INTERNAL, REQIVO_PHASE_BODY, "isolation: the pool keys differ");
    x->time_us[RQV_TIME_TOTAL] = exchange_elapsed(x, x->start_us);
    struct rqv_done done = {
        .code = x->err.code,
        .sys_errno = x->err.sys_errno,
        .phase = x->err.phase,
        .sent = x->err.code == 0 ? REQIVO_SENT_YES : x->sent,
        .flags = (uint8_t)((x->reused ? RQV_RESP_REUSED : 0) | (x->retried ? RQV_RESP_RETRIED : 0)),
        .body_bytes = x->response_bytes,
        .detail = rqv_str_from(x->err.detail),
        .address = rqv_str_from(x->err.address[0] ? x->err.address : x->address),
    };
    memcpy(done.time_us, x->time_us, sizeof done.time_us);
    count_end(x);
    exchange_release(x);
    x->sink->done(x, &done);
}

void exchange_abandon(struct exchange *x)
{
    if (x->step != STEP_DONE)
        x->env->stats.abandoned++;
    exchange_drop(x);
}

void exchange_drop(struct exchange *x)
{
    if (x->step == STEP_DONE)
        return;
    x->step = STEP_DONE;
    lease_discard(&x->lease);
    exchange_release(x);
}

/* ---- the retry rule: security.md B8 ---- */

static bool is_break(const struct rqv_err *err)
{
    return err->code == REQIVO_E_RESET || err->code == REQIVO_E_EMPTY_RESPONSE ||
           err->code == REQIVO_E_TLS_PROTOCOL || err->code == REQIVO_E_TRUNCATED;
}

static bool may_repeat(const struct exchange *x, const struct rqv_err *err)
{
    if (!is_break(err) || x->turn.pin || x->retried || x->got_head || !x->lease.conn || lease_seen(&x->lease))
        return false;
    if (x->body_gone)
        return false;
    if (!lease_written(&x->lease))
        return true;
    return lease_reused(&x->lease) && x->target.idempotent;
}

/* Nothing has been sent, whatever the connection had been given. */
static void begin_again(struct exchange *x)
{
    lease_discard(&x->lease);
    x->sent_us = 0;
    x->body_at = 0;
    x->body_finished = x->go_on = x->blocked = false;
    x->credit_owed = 0;
}

void exchange_broken(struct exchange *x, const struct rqv_err *err)
{
    if (x->step == STEP_DONE)
        return;
    if (x->lease.conn && lease_written(&x->lease) && x->sent == REQIVO_SENT_NO)
        x->sent = REQIVO_SENT_UNKNOWN;
    if (x->hopping && is_break(err)) { /* a redirect's body is of no interest */
        exchange_hop_on(x);
        exchange_drive(x);
        return;
    }
    if (!may_repeat(x, err)) {
        x->err = *err;
        if (x->turn.pin && x->sent == REQIVO_SENT_NO)
            x->err.code = REQIVO_E_CONNECTION_CLOSED;
        exchange_finish(x);
        return;
    }
    log_debug("exchange %llu: repeated: %s", (unsigned long long)x->id, err->detail);
    begin_again(x);
    x->retried = true;
    x->env->stats.retried++;
    x->waiter.fresh = true;
    x->step = STEP_ACQUIRE;
    x->queue_us = loop_now_us(x->env->loop);
    exchange_drive(x);
}

/* ---- after a reload ---- */

void exchange_ask_anew(struct exchange *x)
{
    struct rqv_err err = {0};

    if (x->step == STEP_DONE)
        return;
    if (x->lease.conn && (x->turn.pin || x->body_gone)) {
        rqv_err_set(&err, x->turn.pin ? REQIVO_E_CONNECTION_CLOSED : REQIVO_E_RESET, REQIVO_PHASE_SEND,
                    "the daemon's certificates or policy have changed, and the connection was closed");
        exchange_fail(x, &err);
        exchange_finish(x);
        return;
    }
    log_debug("exchange %llu: asks for a connection anew", (unsigned long long)x->id);
    begin_again(x);
    pool_cancel(x->pool, &x->waiter);
    x->pool = NULL;
    x->step = STEP_TRUST;
    struct rqv_str head = {(const char *)rqv_buf_head(&x->head.buf), queue_len(&x->head)};
    if (target_permitted(&x->target, x->env->conf, &err) < 0 || judge_again(&x->target, head, &err) < 0) {
        exchange_fail(x, &err);
        exchange_finish(x);
        return;
    }
    exchange_drive(x);
}
