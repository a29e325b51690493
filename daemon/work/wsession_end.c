/* SPDX-License-Identifier: MIT */
/* wsession_end - time, loss and reconnect, and the ends of a session. */
#include "daemon/work/judge.h"
#include "daemon/work/wsession_internal.h"

#include <reqivo/error.h>

#include <stdlib.h>
#include <string.h>

#define CLOSE_MS  5000  /* for the other end's close frame */
#define ENDING_MS 1000  /* for what the program has to say to the last messages */
#define LINGER_MS 2000  /* for the end of the connection, after both */
#define PAUSE_MS  10    /* at least, before an attempt */
#define LASTS_MS  30000 /* open for so long, or for the longest pause: it has lasted */

/* ---- time ---- */

static uint64_t after(uint64_t since_us, uint32_t ms)
{
    return ms == 0 || ms == RQV_TIMEOUT_NONE ? UINT64_MAX : since_us + (uint64_t)ms * 1000;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t ping_at(const struct wsession *ws)
{
    if (ws->ping_ms == 0 || ws->blocked || ws->paused) /* the pong may lie unread */
        return UINT64_MAX;
    return ws->pinged_us ? after(ws->pinged_us, ws->pong_ms) : after(ws->heard_us, ws->ping_ms);
}

static uint64_t stall_at(const struct wsession *ws)
{
    return queue_len(&ws->out) > 0 ? after(ws->progress_us, ws->timeout_ms[RQV_T_STALL]) : UINT64_MAX;
}

/* Both have to close in time; and where nobody listens any more, or the server is done, what waits has to go
 * out in it. */
static uint64_t close_at(const struct wsession *ws)
{
    uint64_t since_us = ws->progress_us > ws->state_us ? ws->progress_us : ws->state_us;

    bool waits = ws->sink && !ws->close_heard && ws->rx.error == 0;

    if (ws->ending)
        return after(ws->state_us, ENDING_MS);
    if (ws->tx.closed)
        return after(ws->state_us, CLOSE_MS);
    return waits ? UINT64_MAX : after(since_us, CLOSE_MS);
}

static uint64_t next_deadline(const struct wsession *ws)
{
    switch (ws->state) {
    case WS_SHAKE:
        return after(ws->state_us, ws->timeout_ms[RQV_T_FIRST]);
    case WS_OPEN:
        return sooner(sooner(ping_at(ws), stall_at(ws)), after(ws->message_us, ws->idle_ms));
    case WS_CLOSING:
        return sooner(stall_at(ws), close_at(ws));
    case WS_LINGER:
        return after(ws->state_us, LINGER_MS);
    case WS_BACKOFF:
        return ws->retry_us;
    case WS_TRUST:
    case WS_DIAL:
    case WS_GONE:
        break;
    }
    return UINT64_MAX;
}

void wsession_arm(struct wsession *ws)
{
    uint64_t at = next_deadline(ws);

    if (at == UINT64_MAX)
        loop_timer_stop(&ws->timer);
    else
        loop_timer_at(&ws->timer, at);
}

static void begin_close(struct wsession *ws, uint16_t code, const char *reason)
{
    ws->close_asked = true;
    ws->close_code = code;
    ws->close_len = (uint8_t)strlen(reason);
    memcpy(ws->close_reason, reason, ws->close_len);
    wsession_set_state(ws, WS_CLOSING);
    wsession_flush_soon(ws);
}

/* The program has said all that it has to say, or its time is over. */
static void end_answers(struct wsession *ws, bool drop)
{
    ws->ending = false;
    ws->progress_us = loop_now_us(ws->env->loop);
    if (drop)
        wsession_drop_up(ws);
    wsession_flush_soon(ws);
}

static void closing_timer(struct wsession *ws, uint64_t now)
{
    if (ws->ending && now < stall_at(ws)) {
        end_answers(ws, true);
        return;
    }
    if (ws->err.code == 0)
        wsession_fail(ws, REQIVO_E_WEBSOCKET_CLOSED, REQIVO_PHASE_BODY,
                      ws->blocked ? "the program did not take what came before the server's close"
                                  : "the server did not close in time");
    wsession_finish(ws);
}

static void open_timer(struct wsession *ws, uint64_t now)
{
    if (now >= after(ws->message_us, ws->idle_ms)) {
        begin_close(ws, RQV_WS_CLOSE_GOING_AWAY, "idle");
    } else if (now >= stall_at(ws)) {
        wsession_fail(ws, REQIVO_E_TIMEOUT_STALL, REQIVO_PHASE_SEND, "the server takes nothing any more");
        wsession_lost(ws);
    } else if (now >= ping_at(ws) && ws->pinged_us) {
        wsession_fail(ws, REQIVO_E_TIMEOUT_STALL, REQIVO_PHASE_BODY, "the server did not answer a ping");
        wsession_lost(ws);
    } else if (now >= ping_at(ws)) {
        ws->ping_due = true;
        ws->pinged_us = now;
        wsession_flush_soon(ws);
    }
}

/* It was allowed when the session was opened; what is in force may be another policy by now. */
static void redial(struct wsession *ws)
{
    struct rqv_str head = {(const char *)rqv_buf_head(&ws->head.buf), queue_len(&ws->head)};
    struct rqv_err err = {0};

    account_rate_owe(ws->account, loop_now_us(ws->env->loop));
    if (judge_again(&ws->target, head, &err) == 0) {
        wsession_connect(ws);
        return;
    }
    ws->err = err;
    ws->err.sent = REQIVO_SENT_YES;
    wsession_finish(ws);
}

void wsession_on_timer(void *owner)
{
    struct wsession *ws = owner;
    uint64_t now = loop_now_us(ws->env->loop);

    if (now >= next_deadline(ws)) {
        switch (ws->state) {
        case WS_SHAKE:
            wsession_fail(ws, REQIVO_E_TIMEOUT_FIRST, REQIVO_PHASE_HEAD,
                          rqv_err_text(REQIVO_E_TIMEOUT_FIRST));
            wsession_lost(ws);
            break;
        case WS_OPEN:
            open_timer(ws, now);
            break;
        case WS_CLOSING:
            closing_timer(ws, now);
            break;
        case WS_BACKOFF:
            redial(ws);
            return;
        default:
            wsession_gone(ws);
            return;
        }
    }
    if (ws->state != WS_GONE)
        wsession_arm(ws);
}

/* ---- loss ---- */

/* Exponential, with jitter in its upper half, so that the sessions of a host do not come back all at once. */
static uint32_t backoff(struct wsession *ws)
{
    uint64_t ms = ws->backoff_ms;
    uint8_t random[4];
    uint32_t value;

    for (unsigned i = 1; i < ws->attempt && ms < ws->backoff_max_ms; i++)
        ms *= 2;
    if (ms > ws->backoff_max_ms)
        ms = ws->backoff_max_ms;
    wsession_mask(ws, random);
    memcpy(&value, random, sizeof value);
    ms -= value % (ms / 2 + 1);
    return ms < PAUSE_MS ? PAUSE_MS : (uint32_t)ms;
}

static void tell_event(struct wsession *ws, const struct rqv_ws_event_info *event)
{
    if (ws->sink && ws->sink->event(ws, event) < 0)
        wsession_unheard(ws);
}

/* A server that accepts and drops would be asked for ever, and without a pause, if each 101 counted. */
static bool has_lasted(const struct wsession *ws)
{
    uint32_t ms = ws->backoff_max_ms < LASTS_MS ? ws->backoff_max_ms : LASTS_MS;

    return loop_now_us(ws->env->loop) >= ws->state_us + (uint64_t)ms * 1000;
}

void wsession_lost(struct wsession *ws)
{
    bool was_open = ws->state == WS_OPEN;

    if (was_open && has_lasted(ws))
        ws->attempt = 0;
    bool again = ws->sink && ws->ever_open && !ws->close_asked && ws->state != WS_CLOSING && !ws->draining &&
                 (ws->reconnect_max == RQV_WS_FOR_EVER || ws->attempt < ws->reconnect_max);
    uint32_t lost = was_open && again ? wsession_lost_messages(ws) : 0;

    if (!again) {
        wsession_finish(ws);
        return;
    }
    wsession_free_conn(ws);
    if (!was_open && queue_len(&ws->out) > 0)
        queue_consume(&ws->out, queue_len(&ws->out));
    ws->out_at = 0;
    struct rqv_ws_event_info event = {.kind = RQV_WS_LOST,
                                      .undelivered = lost,
                                      .unconfirmed = ws->unconfirmed,
                                      .code = ws->err.code,
                                      .detail = rqv_str_from(ws->err.detail)};
    wsession_set_state(ws, WS_BACKOFF);
    ws->env->lost += was_open;
    ws->attempt++;
    uint32_t wait_ms = backoff(ws);
    ws->retry_us = ws->state_us + (uint64_t)wait_ms * 1000;
    loop_timer_at(&ws->timer, ws->retry_us);
    if (was_open)
        tell_event(ws, &event);
    event = (struct rqv_ws_event_info){
        .kind = RQV_WS_RETRYING, .attempt = (uint16_t)ws->attempt, .wait_ms = wait_ms};
    tell_event(ws, &event);
}

/* ---- the end ---- */

void wsession_ending(struct wsession *ws)
{
    const struct rqv_ws_event_info event = {.kind = RQV_WS_ENDING};

    ws->ending = ws->sink != NULL;
    tell_event(ws, &event);
    wsession_flush_soon(ws);
    wsession_arm(ws);
}

void wsession_gone(struct wsession *ws)
{
    if (ws->state == WS_GONE)
        return;
    wsession_free_conn(ws);
    ws->state = WS_GONE;
    loop_timer_stop(&ws->timer);
    loop_task_drop(&ws->flush);
    trust_unref(&ws->trust);
    queue_done(&ws->head);
    queue_done(&ws->in);
    queue_done(&ws->up);
    queue_done(&ws->out);
    queue_done(&ws->pongs);
    free(ws->protocol_text);
    rqv_list_remove(&ws->all_node);
    account_roll_leave(ws->account, ROLL_WEBSOCKETS, &ws->roll);
    ws->env->count--;
    account_refund(ws->account, ACCOUNT_MEMORY, sizeof(struct wsession) + ws->charged);
    account_refund(ws->account, ACCOUNT_REQUESTS, 1);
    account_release(&ws->account);
    loop_task_queue(ws->env->loop, &ws->reap, LOOP_FREE);
}

static uint32_t since(const struct wsession *ws, uint64_t at_us)
{
    uint64_t us = loop_now_us(ws->env->loop) - at_us;

    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void tell_closed(struct wsession *ws)
{
    const struct wsession_sink *sink = ws->sink;
    bool clean = ws->close_heard && ws->tx.closed;
    struct rqv_ws_close_info close = {
        .code = ws->close_heard ? ws->heard_code
                : ws->tx.closed ? ws->close_code
                                : RQV_WS_CLOSE_ABNORMAL,
        .flags = clean ? RQV_WS_CLEAN : 0,
        .undelivered = ws->undelivered,
        .taken = ws->taken,
        .unconfirmed = clean ? 0 : ws->unconfirmed,
        .reason = {ws->heard_reason, ws->heard_len},
    };
    struct rqv_done done = {
        .code = ws->err.code,
        .sys_errno = ws->err.sys_errno,
        .phase = ws->err.phase,
        .sent = ws->ever_open ? REQIVO_SENT_YES : ws->err.sent,
        .body_bytes = ws->received.bytes,
        .detail = rqv_str_from(ws->err.detail),
        .address = rqv_str_from(ws->address),
    };

    memcpy(done.time_us, ws->time_us, sizeof done.time_us);
    done.time_us[RQV_TIME_TOTAL] = since(ws, ws->start_us);
    ws->sink = NULL;
    if (sink)
        sink->closed(ws, ws->ever_open ? &close : NULL, &done);
}

void wsession_finish(struct wsession *ws)
{
    bool dead = !ws->stream || !ws->tx.closed;

    if (ws->state == WS_LINGER || ws->state == WS_GONE)
        return;
    ws->ending = false;
    if (ws->sink) {
        ws->undelivered += wsession_lost_messages(ws);
        wsession_drop_up(ws);
        tell_closed(ws);
    }
    if (dead || ws->err.code == REQIVO_E_RESET) {
        wsession_gone(ws);
        return;
    }
    wsession_set_state(ws, WS_LINGER); /* the server ends the connection: RFC 6455 7.1.1 */
    wsession_flush_soon(ws);
    wsession_arm(ws);
}

void wsession_violated(struct wsession *ws, uint16_t close_code)
{
    if (ws->tx.closed) {
        wsession_finish(ws);
        return;
    }
    begin_close(ws, close_code, "");
    wsession_arm(ws);
}

void wsession_abandon(struct wsession *ws)
{
    ws->sink = NULL;
    if (ws->ending)
        end_answers(ws, false);
    if (ws->state == WS_OPEN) {
        begin_close(ws, RQV_WS_CLOSE_GOING_AWAY, "");
        wsession_resume(ws);
        if (ws->state == WS_CLOSING)
            wsession_arm(ws);
    } else if (ws->state == WS_CLOSING) {
        wsession_resume(ws);
    } else if (ws->state != WS_LINGER) {
        wsession_gone(ws);
    }
}

void wsession_cancel(struct wsession *ws, int code, const char *detail)
{
    wsession_fail(ws, code, REQIVO_PHASE_NONE, detail);
    wsession_drop_up(ws);
    tell_closed(ws);
    wsession_abandon(ws);
}

void wsession_unheard(struct wsession *ws)
{
    wsession_cancel(ws, REQIVO_E_LIMIT_MEMORY, "no memory for what the program is told");
}

int wsession_close(struct wsession *ws, const struct rqv_ws_close_info *close)
{
    if (close->code != RQV_WS_CLOSE_NO_STATUS && !rqv_ws_close_code_ok(close->code))
        return REQIVO_E_WIRE;
    if (ws->ending)
        end_answers(ws, false);
    if (ws->close_asked || ws->state == WS_CLOSING)
        return 0;
    if (ws->state != WS_OPEN && ws->state != WS_BACKOFF) {
        ws->close_asked = true; /* once it is open */
        ws->close_code = close->code;
        ws->close_len = (uint8_t)close->reason.len;
        memcpy(ws->close_reason, close->reason.ptr, close->reason.len);
        return 0;
    }
    if (ws->state == WS_BACKOFF) {
        wsession_finish(ws);
        return 0;
    }
    begin_close(ws, close->code, "");
    ws->close_len = (uint8_t)close->reason.len;
    memcpy(ws->close_reason, close->reason.ptr, close->reason.len);
    return 0;
}

bool wsession_unstarted(const struct wsession *ws)
{
    return !ws->ever_open && ws->state < WS_SHAKE;
}

void wsession_leave(struct wsession *ws, const char *why)
{
    ws->draining = true;
    if (ws->state == WS_OPEN) {
        wsession_fail(ws, REQIVO_E_SHUTDOWN, REQIVO_PHASE_BODY, why);
        begin_close(ws, RQV_WS_CLOSE_GOING_AWAY, "");
        wsession_arm(ws);
    } else if (ws->state != WS_CLOSING && ws->state != WS_LINGER) {
        wsession_fail(ws, REQIVO_E_SHUTDOWN, REQIVO_PHASE_IPC, why);
        wsession_finish(ws);
    }
}

void wsession_drain(struct wsession_env *env)
{
    rqv_list_for_each_safe (node, next, &env->all)
        wsession_leave(RQV_LIST_OF(node, struct wsession, all_node), "the daemon is shutting down");
}

void wsession_env_done(struct wsession_env *env)
{
    rqv_list_for_each_safe (node, next, &env->all) {
        struct wsession *ws = RQV_LIST_OF(node, struct wsession, all_node);
        if (ws->sink) {
            wsession_fail(ws, REQIVO_E_SHUTDOWN, REQIVO_PHASE_BODY,
                          "the daemon stopped before the session was closed");
            tell_closed(ws);
        }
        wsession_gone(ws);
    }
}
