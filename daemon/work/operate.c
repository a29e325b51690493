/* SPDX-License-Identifier: MIT */
/* operate - see operate.h: the life of an operation, and the verbs. Its rows are operate_rows.c's. */
#include "daemon/work/operate.h"

#include "common/uninit.h"
#include "daemon/work/exchange_internal.h"
#include "daemon/work/judge.h"
#include "daemon/work/operate_rows.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIAL_LOOK_US 250000 /* while a dial is under way: has it gone to somebody else? */

/* ---- the end ---- */

static void operation_reap(void *owner)
{
    free(owner);
}

static void operation_release(struct operation *op)
{
    op->step = OPERATION_OVER;
    loop_timer_stop(&op->timer);
    if (op->pool) {
        pool_cancel(op->pool, &op->waiter);
        pool_warm_cancel(op->pool, &op->warmer);
    }
    account_refund(op->account, ACCOUNT_MEMORY, sizeof *op);
    account_release(&op->account);
    loop_task_queue(op->env->loop, &op->reap, LOOP_FREE);
}

static void operation_finish(struct operation *op, const struct rqv_err *err)
{
    struct pin *pin = op->pin;

    if (op->step == OPERATION_OVER)
        return;
    operation_release(op);
    op->sink->done(op, err);
    if (pin && err->code == 0)
        pin_got(pin);
    else if (pin)
        pin_failed(pin, err);
}

static void operation_fail(struct operation *op, int code, const char *detail)
{
    struct rqv_err err = {0};

    rqv_err_set(&err, code, REQIVO_PHASE_QUEUE, "%s", detail);
    operation_finish(op, &err);
}

void operation_cancel(struct operation *op, int code, const char *detail)
{
    if (op->step == OPERATION_OVER)
        return;
    if (op->pin && op->pin->lease.conn)
        lease_let_go(&op->pin->lease, false);
    operation_fail(op, code, detail);
}

void operation_abandon(struct operation *op)
{
    struct rqv_err err = {.code = REQIVO_E_CANCELED};
    struct pin *pin = op->pin;

    if (op->step == OPERATION_OVER)
        return;
    operation_release(op);
    if (pin && pin->left)
        pin_failed(pin, &err);
}

/* ---- time ---- */

static uint64_t deadline(const struct operation *op, enum rqv_timeout which)
{
    uint32_t ms = op->timeout_ms[which];

    return ms == RQV_TIMEOUT_NONE ? UINT64_MAX : op->start_us + (uint64_t)ms * 1000;
}

/* A dial has limits of its own, and so has what is made ahead. */
static bool is_queueing(const struct operation *op)
{
    return op->step == OPERATION_TRUST || (op->pin && !op->waiter.dialing);
}

static void operation_arm(struct operation *op)
{
    uint64_t at = deadline(op, RQV_T_TOTAL);
    uint64_t queue = op->step == OPERATION_TRUST || op->pin ? deadline(op, RQV_T_QUEUE) : UINT64_MAX;
    uint64_t look = loop_now_us(op->env->loop) + DIAL_LOOK_US;

    if (op->waiter.dialing && queue < look)
        queue = look;
    at = queue < at ? queue : at;
    if (at == UINT64_MAX)
        loop_timer_stop(&op->timer);
    else
        loop_timer_at(&op->timer, at);
}

static void on_timer(void *owner)
{
    struct operation *op = owner;
    uint64_t now = loop_now_us(op->env->loop);

    if (now >= deadline(op, RQV_T_TOTAL))
        operation_cancel(op, REQIVO_E_TIMEOUT_TOTAL, rqv_err_text(REQIVO_E_TIMEOUT_TOTAL));
    else if (is_queueing(op) && now >= deadline(op, RQV_T_QUEUE))
        operation_cancel(op, REQIVO_E_TIMEOUT_QUEUE, rqv_err_text(REQIVO_E_TIMEOUT_QUEUE));
    else
        operation_arm(op);
}

/* ---- the verbs ---- */

static int send_row(void *owner, const struct rqv_fields *fields)
{
    struct operation *op = owner;

    return op->sink->row(op, fields);
}

/* 0 or a code ends it. */
static void operation_end(struct operation *op, int rc)
{
    struct rqv_err err = {0};

    if (rc < 0)
        rqv_err_set(&err, rc, REQIVO_PHASE_NONE, "no room for the answer: %s", rqv_err_text(rc));
    operation_finish(op, &err);
}

static void acquired(struct operation *op)
{
    op->pin->warm = op->pin->lease.conn->uses > 0;
    int rc = operation_pin_row(op->pin, send_row, op);
    if (rc < 0)
        lease_let_go(&op->pin->lease, true);
    operation_end(op, rc);
}

static void on_lease(struct waiter *waiter)
{
    acquired(RQV_LIST_OF(waiter, struct operation, waiter));
}

static void on_fail(struct waiter *waiter, const struct rqv_err *err)
{
    operation_finish(RQV_LIST_OF(waiter, struct operation, waiter), err);
}

static void on_warm(struct warmer *warmer, const struct rqv_err *err)
{
    operation_finish(RQV_LIST_OF(warmer, struct operation, warmer), err);
}

static void acquire(struct operation *op)
{
    struct rqv_err err = {0};

    op->pin->lease.key = op->key;
    int rc = pool_acquire(op->pool, &op->waiter, op->source, &err);
    if (rc < 0)
        operation_finish(op, &err);
    else if (rc == 1)
        acquired(op);
    else
        operation_arm(op);
}

static void operation_run(struct operation *op)
{
    op->step = OPERATION_WAITS;
    switch (op->verb) {
    case RQV_OP_POOL_STATS:
        operation_end(op, operation_pool_row(op->pool, send_row, op));
        break;
    case RQV_OP_POOL_LIMIT:
        pool_set_limit(op->pool, op->value);
        operation_end(op, 0);
        break;
    case RQV_OP_POOL_CLOSE_IDLE:
        pool_close_idle(op->pool);
        operation_end(op, 0);
        break;
    case RQV_OP_POOL_PREWARM:
        op->warmer.want = op->value;
        pool_warm(op->pool, &op->warmer);
        operation_arm(op);
        break;
    default: /* RQV_OP_CONNECTION_ACQUIRE */
        acquire(op);
    }
}

void operation_kick(struct operation *op)
{
    bool own = op->target.use_tls && op->trust_id != 0;
    struct trust *trust = NULL;
    struct rqv_err err = {0};
    int rc = 0;

    if (op->step != OPERATION_TRUST)
        return;
    if (own)
        rc = op->sink->trust(op, op->trust_id, &trust, &err);
    else if (op->target.use_tls)
        trust = tls_system_trust(op->env->tls);
    if (rc == -EAGAIN) {
        operation_arm(op);
        return;
    }
    if (rc < 0) {
        operation_finish(op, &err);
        return;
    }
    struct target_identity who = {op->account, op->env->conf, op->env->tls, trust, !own};
    rc = target_pool(&op->target, &who, op->env->origins, &op->key, &op->pool);
    if (rc < 0)
        operation_fail(op, rc, rqv_err_text(rc));
    else
        operation_run(op);
}

/* A reload has put its pool into the past. */
static void ask_anew(struct operation *op)
{
    struct rqv_err err = {0};

    pool_cancel(op->pool, &op->waiter);
    pool_warm_cancel(op->pool, &op->warmer);
    op->pool = NULL;
    op->step = OPERATION_TRUST;
    if (target_permitted(&op->target, op->env->conf, &err) < 0)
        operation_finish(op, &err);
    else
        operation_kick(op);
}

static void on_stale(struct waiter *waiter)
{
    ask_anew(RQV_LIST_OF(waiter, struct operation, waiter));
}

static void on_warm_stale(struct warmer *warmer)
{
    ask_anew(RQV_LIST_OF(warmer, struct operation, warmer));
}

/* ---- birth ---- */

static void operation_init(struct operation *op, struct exchange_env *env,
                           const struct operation_params *params)
{
    const struct rqv_request_head *head = &params->operation->head;

    op->env = env;
    op->sink = params->sink;
    op->owner = params->owner;
    op->account = account_ref(params->account);
    op->target.account = op->account;
    op->source = params->source;
    op->verb = params->operation->verb;
    op->value = params->operation->value;
    op->trust_id = head->trust_id;
    op->start_us = loop_now_us(env->loop);
    for (int i = 0; i < RQV_T_COUNT; i++)
        op->timeout_ms[i] = exchange_timeout(env->conf, head->timeout_ms[i], i);
    wait_node_init(&op->waiter.wait);
    op->waiter.fresh = head->flags & RQV_REQ_FRESH;
    op->waiter.keeps = true;
    op->waiter.connect_ms = op->warmer.connect_ms = op->timeout_ms[RQV_T_CONNECT];
    op->waiter.tls_ms = op->warmer.tls_ms = op->timeout_ms[RQV_T_TLS];
    op->waiter.on_lease = on_lease;
    op->waiter.on_fail = on_fail;
    op->waiter.on_stale = on_stale;
    rqv_list_init(&op->warmer.node);
    op->warmer.on_warm = on_warm;
    op->warmer.on_stale = on_warm_stale;
    loop_timer_init(&op->timer, env->loop, on_timer, op);
    loop_task_init(&op->reap, operation_reap, op);
}

int operation_new(struct exchange_env *env, const struct operation_params *params,
                  struct operation **ret_operation, struct rqv_err *err)
{
    int rc = judge_rate(params->account, loop_now_us(env->loop), err);

    if (rc < 0)
        return rc;
    rc = account_charge(params->account, ACCOUNT_MEMORY, sizeof(struct operation));
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "no memory for the operation");
    struct operation *op = calloc(1, sizeof *op);
    if (!op) {
        account_refund(params->account, ACCOUNT_MEMORY, sizeof *op);
        return rqv_err_set(err, -ENOMEM, REQIVO_PHASE_QUEUE, "no memory for the operation");
    }
    operation_init(op, env, params);
    rc = target_aim(&op->target, &params->operation->head, err);
    if (rc == 0)
        rc = target_permitted(&op->target, env->conf, err);
    if (rc < 0) {
        operation_abandon(op);
        return rc;
    }
    op->pin = params->pin;
    if (op->pin)
        op->waiter.lease = &op->pin->lease;
    *ret_operation = op;
    return 0;
}
