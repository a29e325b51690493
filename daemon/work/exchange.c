/* SPDX-License-Identifier: MIT */
/* exchange - see exchange.h: birth, the steps in their order, what the program does. */
#include "daemon/work/exchange.h"

#include "daemon/base/log.h"
#include "daemon/work/exchange_internal.h"
#include "daemon/work/judge.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_FREE  256    /* exchanges kept for reuse */
#define HEAD_MAX   196608 /* an encoded request head: the wire's 60 KiB and escapes, its path twice */
#define SEND_AHEAD 131072 /* body bytes that wait in a connection */

/* ---- birth ---- */

void exchange_env_init(struct exchange_env *env, struct loop *loop, const struct conf *conf)
{
    memset(env, 0, sizeof *env);
    env->loop = loop;
    env->conf = conf;
    rqv_list_init(&env->free);
}

void exchange_env_done(struct exchange_env *env)
{
    rqv_list_for_each_safe (node, next, &env->free)
        free(RQV_LIST_OF(node, struct exchange, peer_node));
    rqv_list_init(&env->free);
    env->free_count = 0;
}

static void exchange_reap(void *owner)
{
    struct exchange *x = owner;
    struct exchange_env *env = x->env;

    env->live--;
    if (env->free_count >= KEEP_FREE) {
        free(x);
        return;
    }
    rqv_list_append(&env->free, &x->peer_node);
    env->free_count++;
}

static struct exchange *exchange_alloc(struct exchange_env *env)
{
    struct rqv_list *node = rqv_list_last(&env->free);

    if (!node)
        return malloc(sizeof(struct exchange));
    rqv_list_remove(node);
    env->free_count--;
    return RQV_LIST_OF(node, struct exchange, peer_node);
}

static void on_lease(struct waiter *waiter)
{
    exchange_drive(RQV_LIST_OF(waiter, struct exchange, waiter));
}

static void on_fail(struct waiter *waiter, const struct rqv_err *err)
{
    struct exchange *x = RQV_LIST_OF(waiter, struct exchange, waiter);

    x->err = *err;
    x->err.sent = x->sent;
    memcpy(x->address, err->address, sizeof x->address);
    exchange_finish(x);
}

static void on_stale(struct waiter *waiter)
{
    exchange_ask_anew(RQV_LIST_OF(waiter, struct exchange, waiter));
}

static void on_turn(struct pin_turn *turn)
{
    exchange_drive(RQV_LIST_OF(turn, struct exchange, turn));
}

static void on_closed(struct pin_turn *turn)
{
    exchange_cancel(RQV_LIST_OF(turn, struct exchange, turn), REQIVO_E_CONNECTION_CLOSED,
                    "the program has closed the connection that the request names");
}

uint32_t exchange_timeout(const struct conf *conf, uint32_t asked, int which)
{
    uint32_t ms = asked == RQV_TIMEOUT_DEFAULT ? conf->timeout_ms[which] : asked;

    return ms == 0 ? RQV_TIMEOUT_NONE : ms;
}

static void exchange_init(struct exchange *x, struct exchange_env *env, const struct exchange_params *params)
{
    const struct rqv_request_head *head = params->head;

    memset(x, 0, offsetof(struct exchange, lease.key.bytes));
    x->env = env;
    x->sink = params->sink;
    x->owner = params->owner;
    x->account = account_ref(params->account);
    x->target.account = x->account;
    x->source = params->source;
    x->id = params->id;
    x->flags = head->flags;
    x->trust_id = head->trust_id;
    x->window = RQV_WIRE_CREDIT_INITIAL;
    x->grant_left = RQV_WIRE_CREDIT_INITIAL;
    x->body_ended = params->ended;
    x->start_us = x->queue_us = x->progress_us = loop_now_us(env->loop);
    for (int i = 0; i < RQV_T_COUNT; i++)
        x->timeout_ms[i] = exchange_timeout(env->conf, head->timeout_ms[i], i);
    rqv_list_init(&x->peer_node);
    rqv_list_init(&x->body_node);
    account_roll_join(x->account, ROLL_REQUESTS, &x->roll, x);
    x->account->requests++;
    if (conf_logs_access(env->conf)) {
        size_t len = head->method.len < sizeof x->method ? head->method.len : sizeof x->method - 1;
        memcpy(x->method, head->method.ptr, len);
    }
    x->lease.events = &exchange_lease_events;
    wait_node_init(&x->waiter.wait);
    x->waiter.lease = &x->lease;
    x->waiter.fresh = head->flags & RQV_REQ_FRESH;
    x->waiter.connect_ms = x->timeout_ms[RQV_T_CONNECT];
    x->waiter.tls_ms = x->timeout_ms[RQV_T_TLS];
    x->waiter.on_lease = on_lease;
    x->waiter.on_fail = on_fail;
    x->waiter.on_stale = on_stale;
    queue_init_small(&x->head, params->account, HEAD_MAX);
    queue_init_small(&x->body, params->account, RQV_WIRE_CREDIT_INITIAL + RQV_WIRE_PAYLOAD_MAX);
    loop_timer_init(&x->timer, env->loop, exchange_on_timer, x);
    loop_task_init(&x->reap, exchange_reap, x);
}

int exchange_new(struct exchange_env *env, const struct exchange_params *params,
                 struct exchange **ret_exchange, struct rqv_err *err)
{
    struct account *account = params->account;
    char limit[ACCOUNT_LIMITED_MAX];
    int rc = judge_rate(account, loop_now_us(env->loop), err);

    if (rc < 0)
        return rc;
    rc = account_charge(account, ACCOUNT_REQUESTS, 1);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "%s%s", account_refusal(rc),
                           account_limited_by(account, ACCOUNT_REQUESTS, 1, limit));
    rc = account_charge(account, ACCOUNT_MEMORY, sizeof(struct exchange));
    struct exchange *x = rc == 0 ? exchange_alloc(env) : NULL;
    if (!x) {
        account_refund(account, ACCOUNT_REQUESTS, 1);
        if (rc == 0)
            account_refund(account, ACCOUNT_MEMORY, sizeof(struct exchange));
        return rqv_err_set(err, rc < 0 ? rc : -ENOMEM, REQIVO_PHASE_QUEUE, "no memory for the request%s",
                           account_limited_by(account, ACCOUNT_MEMORY, sizeof(struct exchange), limit));
    }
    exchange_init(x, env, params);
    env->live++;
    env->stats.started++;
    x->step = STEP_TRUST;
    x->extras = params->head->redirect_max > 0 || params->session || (x->flags & RQV_REQ_DECODE);
    if (x->extras)
        rc = exchange_aim(x, params, err);
    else
        rc = target_init(&x->target, params->head, &x->head, err);
    x->waiter.once = !x->target.idempotent;
    if (rc == 0)
        rc = target_permitted(&x->target, env->conf, err);
    if (rc < 0) {
        exchange_count_failure(env, account, rc);
        exchange_drop(x);
        return rc;
    }
    if (params->pin) {
        x->turn = (struct pin_turn){.lease = &x->lease, .on_turn = on_turn, .on_closed = on_closed};
        pin_join(params->pin, &x->turn);
    }
    *ret_exchange = x;
    return 0;
}

/* ---- the steps ---- */

enum answer exchange_fail(struct exchange *x, const struct rqv_err *err)
{
    x->err = *err;
    x->err.sent = x->sent;
    return END;
}

static enum answer step_trust(struct exchange *x)
{
    struct rqv_err err = {0};
    bool own = x->target.use_tls && x->trust_id != 0;
    struct trust *trust = NULL;
    int rc = 0;

    if (own)
        rc = x->sink->trust(x, x->trust_id, &trust, &err);
    else if (x->target.use_tls)
        trust = tls_system_trust(x->env->tls);
    if (rc == -EAGAIN)
        return WAIT;
    if (rc < 0)
        return exchange_fail(x, &err);
    struct target_identity who = {x->account, x->env->conf, x->env->tls, trust, !own};
    rc = x->turn.pin ? target_key(&x->target, &who, &x->lease.key)
                     : target_pool(&x->target, &who, x->env->origins, &x->lease.key, &x->pool);
    if (rc == 0)
        return NEXT;
    rqv_err_set(&err, rc, REQIVO_PHASE_QUEUE, "no pool could be made: %s", rqv_err_text(rc));
    return exchange_fail(x, &err);
}

static void note_lease(struct exchange *x)
{
    const struct conn *conn = x->lease.conn;
    uint64_t dial_us = 0;

    x->lease_us = loop_now_us(x->env->loop);
    x->reused = lease_reused(&x->lease);
    memcpy(x->address, conn->address, sizeof x->address);
    if (!x->reused) {
        x->time_us[RQV_TIME_DNS] = (uint32_t)conn->dns_us;
        x->time_us[RQV_TIME_CONNECT] = (uint32_t)conn->connect_us;
        x->time_us[RQV_TIME_TLS] = (uint32_t)conn->tls_us;
        dial_us = conn->dns_us + conn->connect_us + conn->tls_us;
    }
    uint32_t waited = exchange_elapsed(x, x->queue_us);
    x->time_us[RQV_TIME_QUEUE] = waited > dial_us ? (uint32_t)(waited - dial_us) : 0;
}

static enum answer step_acquire(struct exchange *x)
{
    struct rqv_err err = {0};

    if (!x->lease.conn) {
        if (x->waiter.wait.queue)
            return WAIT;
        int rc = x->turn.pin ? pin_take(&x->turn, &err) : pool_acquire(x->pool, &x->waiter, x->source, &err);
        if (rc < 0)
            return exchange_fail(x, &err);
        if (rc == 0)
            return WAIT;
    }
    note_lease(x);
    return NEXT;
}

/* The program wants to know, before the first byte goes out, that it may go out. */
static enum answer step_begin(struct exchange *x)
{
    if (!(x->flags & RQV_REQ_BEGUN) || x->begun_said)
        return NEXT;
    int rc = x->sink->begun(x);
    if (rc == -EAGAIN)
        return WAIT;
    x->begun_said = rc == 0;
    if (rc == 0)
        return NEXT;
    struct rqv_err err = {0};
    rqv_err_set(&err, rc, REQIVO_PHASE_IPC, "the program could not be told that the request begins");
    return exchange_fail(x, &err);
}

static enum answer step_send_head(struct exchange *x)
{
    struct rqv_str head = {(const char *)rqv_buf_head(&x->head.buf), queue_len(&x->head)};
    int rc = lease_send_head(&x->lease, head, x->target.is_head);

    exchange_progress(x);
    if (rc == 0)
        return NEXT;
    struct rqv_err err = {0};
    rqv_err_set(&err, rc, REQIVO_PHASE_SEND, "no memory to send the request");
    return exchange_fail(x, &err);
}

/* What has gone upstream may be sent again by the program. */
static void return_credit(struct exchange *x)
{
    if (x->credit_owed < RQV_WIRE_CREDIT_INITIAL / 2 || x->body_ended)
        return;
    x->grant_left += x->credit_owed;
    x->sink->credit(x, x->credit_owed);
    x->credit_owed = 0;
}

/* Whether a repeat or a redirect may need the body that has come so far. */
static bool body_is_needed(const struct exchange *x)
{
    bool repeatable = !lease_written(&x->lease) || (x->target.idempotent && x->reused);

    return ((repeatable && !x->retried) || exchange_may_redirect(x)) && x->body_received <= REPEATABLE_MAX;
}

/* Body bytes that were given to the connection are kept only as long as they may be needed. */
static void drop_sent(struct exchange *x)
{
    if (x->body_at == 0 || body_is_needed(x))
        return;
    queue_consume(&x->body, x->body_at);
    x->body_at = 0;
    x->body_gone = true;
}

static int give_body(struct exchange *x, struct rqv_str bytes, bool last)
{
    if (lease_unsent(&x->lease) == 0)
        exchange_progress(x); /* until now it was the program that was waited for */
    int rc = lease_send_body(&x->lease, bytes, x->target.chunked, last);
    if (rc < 0)
        return rc;
    x->credit_owed += (uint32_t)bytes.len;
    x->body_finished = last;
    return 0;
}

/* As much of the body as the connection takes; NEXT when all of it has been given. */
static enum answer pump_body(struct exchange *x)
{
    size_t unsent = lease_unsent(&x->lease);
    size_t have = queue_len(&x->body) - x->body_at;
    size_t room = unsent < SEND_AHEAD ? SEND_AHEAD - unsent : 0;
    size_t n = have < room ? have : room;
    bool last = x->body_ended && n == have;

    if (unsent == 0)
        return_credit(x);
    drop_sent(x);
    if (n > 0 || last) {
        struct rqv_str bytes = {n > 0 ? (const char *)rqv_buf_head(&x->body.buf) + x->body_at : "", n};
        int rc = give_body(x, bytes, last);
        if (rc < 0) {
            struct rqv_err err = {0};
            rqv_err_set(&err, rc, REQIVO_PHASE_SEND, "no memory to send the request body");
            return exchange_fail(x, &err);
        }
        x->body_at += n;
    }
    return x->body_finished ? NEXT : WAIT;
}

/* Bytes that nobody needs again, for a connection that has sent all before them, go on from where they were
 * read, without a stay in `body`. */
static bool body_passes(struct exchange *x)
{
    if (x->step != STEP_SEND_BODY || x->got_head || x->ended || (x->target.expect && !x->go_on) ||
        lease_unsent(&x->lease) > 0)
        return false;
    drop_sent(x);
    return queue_len(&x->body) == 0 && !body_is_needed(x);
}

static enum answer step_send_body(struct exchange *x)
{
    if (x->got_head || x->ended)
        return NEXT;
    if (x->target.has_body && !x->body_finished) {
        if (x->target.expect && !x->go_on)
            return WAIT;
        enum answer answer = pump_body(x);
        if (answer != NEXT)
            return answer;
    }
    if (lease_unsent(&x->lease) > 0)
        return WAIT;
    x->body_finished = true;
    x->sent_us = loop_now_us(x->env->loop);
    x->time_us[RQV_TIME_SEND] = exchange_elapsed(x, x->lease_us);
    return NEXT;
}

static enum answer step_receive_head(struct exchange *x)
{
    return x->got_head ? NEXT : WAIT;
}

static enum answer step_receive_body(struct exchange *x)
{
    if (x->extras)
        return exchange_receive_extra(x);
    return x->ended ? END : WAIT;
}

static enum answer (*const steps[])(struct exchange *x) = {
    [STEP_HOP] = exchange_step_hop,          [STEP_TRUST] = step_trust,
    [STEP_ACQUIRE] = step_acquire,           [STEP_BEGIN] = step_begin,
    [STEP_SEND_HEAD] = step_send_head,       [STEP_SEND_BODY] = step_send_body,
    [STEP_RECEIVE_HEAD] = step_receive_head, [STEP_RECEIVE_BODY] = step_receive_body,
};

const char *exchange_step_name(const struct exchange *x)
{
    static const char *const names[] = {
        [STEP_HOP] = "redirect",       [STEP_TRUST] = "certificates", [STEP_ACQUIRE] = "queue",
        [STEP_BEGIN] = "begin",        [STEP_SEND_HEAD] = "send",     [STEP_SEND_BODY] = "send",
        [STEP_RECEIVE_HEAD] = "first", [STEP_RECEIVE_BODY] = "body",  [STEP_DONE] = "done",
    };

    return x->step == STEP_ACQUIRE && x->waiter.dialing ? "connect" : names[x->step];
}

/* Not entered twice: what happens inside a step is seen by the loop below. */
void exchange_drive(struct exchange *x)
{
    if (x->driving)
        return;
    x->driving = true;
    while (x->step < STEP_DONE) {
        enum answer answer = steps[x->step](x);
        if (x->step == STEP_DONE)
            break;
        if (answer == END) {
            exchange_finish(x);
            break;
        }
        if (answer == WAIT) {
            exchange_arm(x);
            break;
        }
        x->step++;
        log_debug("exchange %llu: step %d", (unsigned long long)x->id, x->step);
    }
    x->driving = false;
}

/* ---- what the program does ---- */

void exchange_kick(struct exchange *x)
{
    if (x->step == STEP_DONE)
        return;
    if (x->blocked && x->lease.conn) {
        x->blocked = false;
        if (x->window > 0) /* else it is still the program that is waited for */
            exchange_progress(x);
        lease_want(&x->lease);
    }
    exchange_drive(x);
}

static int check_body_length(struct exchange *x, bool last)
{
    if (!x->target.has_body)
        return x->body_received > 0 ? REQIVO_E_BODY_LENGTH : 0;
    if (x->target.chunked)
        return 0;
    if (x->body_received > x->target.body_length || (last && x->body_received < x->target.body_length))
        return REQIVO_E_BODY_LENGTH;
    return 0;
}

/* A queue that grows is charged twice what it then holds, until it has grown. */
static void body_has_no_room(struct exchange *x, int code, size_t n)
{
    char limit[ACCOUNT_LIMITED_MAX], detail[RQV_DETAIL_MAX];

    snprintf(detail, sizeof detail, "no memory for the request body%s",
             account_limited_by(x->account, ACCOUNT_MEMORY, 2 * (queue_len(&x->body) + n), limit));
    exchange_cancel(x, code, detail);
}

static void pass_body(struct exchange *x, struct rqv_str bytes, bool last)
{
    return_credit(x);
    x->body_gone = true;
    int rc = give_body(x, bytes, last);
    if (rc < 0)
        body_has_no_room(x, rc, bytes.len);
    else
        exchange_drive(x);
}

int exchange_body(struct exchange *x, struct rqv_str bytes, bool last)
{
    if (x->step == STEP_DONE || x->body_void)
        return 0;
    if (bytes.len > x->grant_left || x->body_ended)
        return REQIVO_E_WIRE;
    x->grant_left -= bytes.len;
    x->body_received += bytes.len;
    x->body_ended = last;
    if (check_body_length(x, last) < 0) {
        exchange_cancel(x, REQIVO_E_BODY_LENGTH, "the body is not as long as the request declared");
        return 0;
    }
    if (x->body_dropped)
        return 0;
    if (body_passes(x)) {
        pass_body(x, bytes, last);
        return 0;
    }
    int rc = queue_append(&x->body, bytes.ptr, bytes.len);
    if (rc < 0) {
        body_has_no_room(x, rc, bytes.len);
        return 0;
    }
    if (rqv_list_empty(&x->body_node))
        rqv_list_append(&x->account->bodies, &x->body_node);
    if (x->step == STEP_SEND_BODY)
        exchange_drive(x);
    return 0;
}

int exchange_credit(struct exchange *x, uint32_t bytes)
{
    if (bytes > RQV_WIRE_CREDIT_MAX - x->window)
        return REQIVO_E_WIRE;
    x->window += bytes;
    if (x->blocked)
        exchange_kick(x);
    return 0;
}

void exchange_cancel(struct exchange *x, int code, const char *detail)
{
    if (x->step == STEP_DONE)
        return;
    if (x->lease.conn && lease_written(&x->lease) && x->sent == REQIVO_SENT_NO)
        x->sent = REQIVO_SENT_UNKNOWN;
    rqv_err_set(&x->err, code, exchange_phase(x), "%s", detail);
    memcpy(x->err.address, x->address, sizeof x->err.address);
    exchange_finish(x);
}

bool exchange_unstarted(const struct exchange *x)
{
    return x->step <= STEP_ACQUIRE && x->sent == REQIVO_SENT_NO && !x->lease.conn && !x->begun_queued;
}
