/* SPDX-License-Identifier: MIT */
/*
 * exchange_hop - redirects inside of an exchange, and the requests of sessions.
 *
 *   redirect head: RESPONSE with MORE -> its body, up to 64 KiB, else the connection goes -> lease back
 *     -> HOP [waits for PROCEED] -> the next request is aimed -> trust, acquire, ...
 *
 * The exchange keeps its id, its windows, its total time and its figures; the rest begins anew with each hop.
 */
#include "daemon/base/log.h"
#include "daemon/work/exchange_internal.h"

#include "common/uninit.h"

#include <reqivo/error.h>

#include <string.h>

#define DRAIN_MAX 65536 /* of a redirect's body: more than that is dearer than a new connection */

int exchange_aim(struct exchange *x, const struct exchange_params *params, struct rqv_err *err)
{
    const struct rqv_request_head *head = params->head;

    if (head->redirect_max == 0 && !params->session)
        return redirect_aim_decoded(head, &x->target, &x->head, err);
    int rc = redirect_new(x->account, head, params->session, x->env->hash_key, &x->redirect);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "no memory to keep the request for redirects");
    return redirect_aim(x->redirect, NULL, &x->target, &x->head, err);
}

bool exchange_may_redirect(const struct exchange *x)
{
    return x->redirect && x->redirect->first.redirect_max > 0;
}

void exchange_drop_extras(struct exchange *x)
{
    decode_free(&x->decode);
    redirect_free(&x->redirect);
}

/* ---- the redirect ---- */

int exchange_judge(struct exchange *x, const struct rqv_http1_head *head)
{
    struct rqv_err err = {0};
    int rc = x->redirect ? redirect_answer(x->redirect, head, x->lease.conn->is_public, &err) : 0;

    if (rc < 0) {
        exchange_fail(x, &err);
        return rc;
    }
    if (rc == 0)
        return exchange_decode_begin(x, head);
    x->hopping = true;
    x->drained = 0;
    x->body_kept = x->redirect->hop.body && x->body_ended && !x->body_gone &&
                   x->body_received <= REPEATABLE_MAX && queue_len(&x->body) == x->body_received;
    if (head->content_length > DRAIN_MAX || head->body == RQV_HTTP1_UNTIL_CLOSE || !head->reusable ||
        x->body_dropped)
        exchange_hop_on(x);
    return 0;
}

/* Its owner drives on. */
void exchange_hop_on(struct exchange *x)
{
    lease_discard(&x->lease);
    x->ended = true;
}

void exchange_drain(struct exchange *x, size_t len)
{
    x->drained += len;
    exchange_progress(x);
    if (x->drained <= DRAIN_MAX)
        return;
    exchange_hop_on(x);
    exchange_drive(x);
}

enum answer exchange_receive_extra(struct exchange *x)
{
    if (x->decode)
        return exchange_decode(x);
    if (!x->ended)
        return WAIT;
    if (!x->hopping)
        return END;
    x->step = STEP_HOP;
    return exchange_step_hop(x);
}

/* ---- the next request ---- */

/* What belongs to one request of the chain, back to the beginning. */
static void begin_anew(struct exchange *x)
{
    x->waiter.fresh = x->flags & RQV_REQ_FRESH;
    x->queue_us = x->progress_us = loop_now_us(x->env->loop);
    x->lease_us = x->sent_us = x->first_us = 0;
    memset(x->time_us, 0, sizeof x->time_us);
    x->got_head = x->ended = x->retried = x->reused = x->go_on = x->blocked = false;
    x->hopping = x->hop_said = x->body_dropped = x->body_finished = false;
    x->address[0] = '\0';
    x->body_at = 0;
    x->credit_owed = 0;
}

/* Of the body stays what the next request needs. */
static void turn_body(struct exchange *x)
{
    if (x->body_kept)
        return;
    queue_consume(&x->body, queue_len(&x->body));
    x->body_void = true;
    x->body_gone = false;
}

/* Within the origin an acquired connection goes on: all answers so far came over it, so nothing is dialled
 * that the narrower zones after a public address would have to judge, and its key is the one of the first
 * request. Elsewhere it is left for good, and what follows is that of any request. */
static void keep_or_leave_pin(struct exchange *x)
{
    if (x->redirect->chain.left)
        pin_leave(&x->turn);
    else if (x->turn.pin)
        x->target.public_only = false;
}

static enum answer aim_again(struct exchange *x, const struct rqv_request_head *given)
{
    struct rqv_err err = {0};

    begin_anew(x);
    account_rate_owe(x->account, x->queue_us);
    int rc = redirect_aim(x->redirect, given, &x->target, &x->head, &err);
    keep_or_leave_pin(x);
    x->waiter.once = !x->target.idempotent;
    x->body_kept = false;
    if (rc == 0)
        rc = target_permitted(&x->target, x->env->conf, &err); /* a reload may have come in between */
    return rc < 0 ? exchange_fail(x, &err) : NEXT; /* NEXT: the step behind STEP_HOP is the first */
}

static int tell(struct exchange *x, bool waits)
{
    struct rqv_hop hop RQV_UNINIT; /* set below but for the fields beyond their count */
    bool again = x->redirect->hop.body && !x->body_kept;

    hop.flags = (uint16_t)((waits ? RQV_HOP_WAITS : 0) | (again ? RQV_HOP_BODY : 0));
    hop.method = x->redirect->method;
    hop.url = x->redirect->url;
    hop.fields.count = 0;
    if (waits)
        redirect_fields(x->redirect, &hop.fields);
    return x->sink->hop(x, &hop);
}

enum answer exchange_step_hop(struct exchange *x)
{
    struct rqv_err err = {0};
    bool waits = (x->flags & RQV_REQ_ASK) || (x->redirect->hop.body && !x->body_kept);

    if (x->hop_said)
        return WAIT;
    log_debug("exchange %llu: redirected", (unsigned long long)x->id);
    int rc = lease_release(&x->lease);
    if (rc < 0) {
        rqv_err_set(&err, rc, REQIVO_PHASE_BODY, "isolation: the pool keys differ");
        return exchange_fail(x, &err);
    }
    x->pool = NULL; /* nothing of ours holds it while the program thinks */
    rc = tell(x, waits);
    if (rc < 0) {
        rqv_err_set(&err, rc, REQIVO_PHASE_IPC, "the redirect could not be queued for the program");
        return exchange_fail(x, &err);
    }
    turn_body(x);
    x->hop_said = true;
    return waits ? WAIT : aim_again(x, NULL);
}

/* Its body comes now, if it has one; or what was kept goes along. */
static void take_body(struct exchange *x, const struct rqv_request_head *head, bool ended)
{
    if (head->flags & RQV_REQ_HAS_BODY) {
        queue_consume(&x->body, queue_len(&x->body));
        x->grant_left = RQV_WIRE_CREDIT_INITIAL;
        x->body_received = 0;
        x->body_kept = x->body_void = x->body_gone = false;
        x->body_ended = ended;
    } else if (x->body_kept && !rqv_str_eq(head->method, x->redirect->method)) {
        x->body_kept = false;
        turn_body(x);
    }
    x->redirect->has_body = x->body_kept || (head->flags & RQV_REQ_HAS_BODY);
}

int exchange_proceed(struct exchange *x, const struct rqv_request_head *head, bool ended)
{
    if (x->step == STEP_DONE)
        return 0;
    if (x->step != STEP_HOP)
        return REQIVO_E_WIRE;
    take_body(x, head, ended);
    if (aim_again(x, head) == END) {
        exchange_finish(x);
        return 0;
    }
    x->step = STEP_TRUST;
    exchange_drive(x);
    return 0;
}
