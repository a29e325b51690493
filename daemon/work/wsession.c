/* SPDX-License-Identifier: MIT */
/* wsession - see wsession.h: birth, states, the connection. */
#include "daemon/work/wsession.h"

#include "daemon/base/log.h"
#include "daemon/work/judge.h"
#include "daemon/work/wsession_internal.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX       196608
#define IN_MAX         262144
#define OUT_MAX        524288
#define UP_MAX         (RQV_WS_WINDOW + RQV_WIRE_PAYLOAD_MAX + 4096)
#define PONGS_MAX      2048
#define PONG_MS        10000
#define BACKOFF_MS     500
#define BACKOFF_MAX_MS 30000

void wsession_env_init(struct wsession_env *env, struct loop *loop, const struct conf *conf)
{
    memset(env, 0, sizeof *env);
    env->loop = loop;
    env->conf = conf;
    rqv_list_init(&env->all);
    rqv_http1_limits_default(&env->limits);
}

const char *wsession_state_name(const struct wsession *ws)
{
    static const char *const names[] = {"trust",   "dialing",    "handshake", "open",
                                        "closing", "reconnects", "lingers",   "gone"};

    return names[ws->state];
}

void wsession_set_state(struct wsession *ws, enum wsession_state state)
{
    log_debug("websocket %llu to %s: %s", (unsigned long long)ws->id, ws->target.host,
              wsession_state_name(ws));
    ws->state = state;
    ws->state_us = loop_now_us(ws->env->loop);
}

int wsession_fail(struct wsession *ws, int code, int phase, const char *why)
{
    ws->err = (struct rqv_err){0};
    rqv_err_set(&ws->err, code, phase, "%s", why);
    if (ws->stream && code == REQIVO_E_RESET)
        ws->err.sys_errno = stream_errno(ws->stream);
    ws->err.sent = ws->ever_open ? REQIVO_SENT_YES : ws->stream ? REQIVO_SENT_UNKNOWN : REQIVO_SENT_NO;
    return code;
}

/* ---- birth ---- */

static uint32_t effective_timeout(const struct conf *conf, uint32_t asked, int which)
{
    uint32_t ms = asked == RQV_TIMEOUT_DEFAULT ? conf->timeout_ms[which] : asked;

    return ms == 0 ? RQV_TIMEOUT_NONE : ms;
}

static void wsession_reap(void *owner)
{
    free(owner);
}

/* The subprotocols are kept for as long as the session may connect again; the other fields go into the head.
 */
static int split_fields(struct wsession *ws, const struct rqv_fields *all, struct rqv_fields *ret_rest)
{
    const struct rqv_str name = RQV_STR("sec-websocket-protocol");
    size_t len = 1;

    ret_rest->count = 0;
    for (size_t i = 0; i < all->count; i++)
        len += rqv_str_eq_nocase(all->at[i].name, name) ? all->at[i].value.len : 0;
    int rc = account_charge(ws->account, ACCOUNT_MEMORY, len);
    if (rc < 0)
        return rc;
    ws->charged += len;
    ws->protocol_text = malloc(len);
    if (!ws->protocol_text)
        return -ENOMEM;
    char *at = ws->protocol_text;
    for (size_t i = 0; i < all->count; i++) {
        struct rqv_str value = all->at[i].value;
        if (!rqv_str_eq_nocase(all->at[i].name, name)) {
            ret_rest->at[ret_rest->count++] = all->at[i];
            continue;
        }
        if (ws->protocol_count == WSESSION_PROTOCOLS_MAX || !rqv_str_is_token(value))
            return REQIVO_E_FIELD;
        memcpy(at, value.ptr, value.len);
        ws->protocols[ws->protocol_count++] = (struct rqv_str){at, value.len};
        at += value.len;
    }
    return 0;
}

/* ws and wss are http and https to all below: same hosts, ports, policy. RFC 6455 3 */
static int read_url(struct wsession *ws, const struct rqv_ws_open *open, struct rqv_request_head *head)
{
    static char url[RQV_WIRE_HEAD_MAX + 8]; /* of the one loop that makes sessions */
    struct rqv_str text = open->url;
    size_t at = 0;

    if (text.len >= 5 && rqv_str_eq_nocase((struct rqv_str){text.ptr, 5}, RQV_STR("ws://")))
        at = 2;
    else if (text.len >= 6 && rqv_str_eq_nocase((struct rqv_str){text.ptr, 6}, RQV_STR("wss://")))
        at = 2;
    if (at == 0 && (text.len < 4 || !rqv_str_eq_nocase((struct rqv_str){text.ptr, 4}, RQV_STR("http"))))
        return wsession_fail(ws, REQIVO_E_URL, REQIVO_PHASE_NONE, "the URL is neither ws:// nor wss://");
    if (memchr(text.ptr, '#', text.len)) /* RFC 6455 3 */
        return wsession_fail(ws, REQIVO_E_URL, REQIVO_PHASE_NONE, "a WebSocket's URL has no fragment");
    if (at > 0)
        memcpy(url, "http", 4);
    memcpy(url + (at > 0 ? 4 : 0), text.ptr + at, text.len - at);
    memset(head, 0, offsetof(struct rqv_request_head, fields));
    head->route = (struct rqv_str){NULL, 0};
    head->method = RQV_STR("GET");
    head->url = (struct rqv_str){url, text.len + (at > 0 ? 2 : 0)};
    head->flags = open->flags & RQV_WS_INSECURE ? RQV_REQ_INSECURE : 0;
    return target_init(&ws->target, head, &ws->head, &ws->err);
}

static int wsession_aim(struct wsession *ws, const struct rqv_ws_open *open)
{
    struct rqv_request_head head;
    size_t which = 0;
    int rc = split_fields(ws, &open->fields, &head.fields);

    if (rc < 0)
        return wsession_fail(ws, rc, REQIVO_PHASE_NONE, "a subprotocol is no token, or there are too many");
    if (rqv_ws_fields_check(&head.fields, &which) < 0)
        return wsession_fail(ws, REQIVO_E_FIELD, REQIVO_PHASE_NONE,
                             "a field is the handshake's own to write");
    memset(head.timeout_ms, 0, sizeof head.timeout_ms);
    head.body_length = head.trust_id = 0;
    rc = read_url(ws, open, &head);
    return rc < 0 ? rc : target_permitted(&ws->target, ws->env->conf, &ws->err);
}

static void wsession_init(struct wsession *ws, struct wsession_env *env, const struct wsession_params *params)
{
    const struct rqv_ws_open *open = params->open;

    ws->env = env;
    ws->sink = params->sink;
    ws->owner = params->owner;
    ws->account = account_ref(params->account);
    ws->uid = params->uid;
    ws->target.account = ws->account;
    ws->target.websocket = true;
    ws->id = params->id;
    ws->trust_id = open->trust_id;
    ws->message_max = open->message_max;
    ws->ping_ms = open->ping_ms;
    ws->pong_ms = open->pong_ms ? open->pong_ms : PONG_MS;
    ws->idle_ms = open->idle_ms;
    ws->backoff_ms = open->backoff_ms ? open->backoff_ms : BACKOFF_MS;
    ws->backoff_max_ms = open->backoff_max_ms ? open->backoff_max_ms : BACKOFF_MAX_MS;
    ws->reconnect_max = open->reconnect_max;
    ws->want_deflate = open->flags & RQV_WS_DEFLATE;
    ws->window = ws->grant_left = RQV_WS_WINDOW;
    ws->start_us = ws->state_us = loop_now_us(env->loop);
    for (int i = 0; i < RQV_T_COUNT; i++)
        ws->timeout_ms[i] = effective_timeout(env->conf, open->timeout_ms[i], i);
    rqv_list_append(&env->all, &ws->all_node);
    account_roll_join(ws->account, ROLL_WEBSOCKETS, &ws->roll, ws);
    env->count++;
    queue_init_small(&ws->head, ws->account, HEAD_MAX);
    queue_init(&ws->in, ws->account, IN_MAX);
    queue_init(&ws->up, ws->account, UP_MAX);
    queue_init(&ws->out, ws->account, OUT_MAX);
    queue_init(&ws->pongs, ws->account, PONGS_MAX);
    loop_timer_init(&ws->timer, env->loop, wsession_on_timer, ws);
    fair_item_init(&ws->turn, ws->account, wsession_turn, ws);
    loop_task_init(&ws->flush, wsession_flush, ws);
    loop_task_init(&ws->reap, wsession_reap, ws);
}

int wsession_new(struct wsession_env *env, const struct wsession_params *params, struct wsession **ret_ws,
                 struct rqv_err *err)
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
    rc = account_charge(account, ACCOUNT_MEMORY, sizeof(struct wsession));
    struct wsession *ws = rc == 0 ? calloc(1, sizeof *ws) : NULL;
    if (!ws) {
        account_refund(account, ACCOUNT_REQUESTS, 1);
        if (rc == 0)
            account_refund(account, ACCOUNT_MEMORY, sizeof(struct wsession));
        return rqv_err_set(err, rc < 0 ? rc : -ENOMEM, REQIVO_PHASE_QUEUE, "no memory for the session");
    }
    wsession_init(ws, env, params);
    rc = wsession_aim(ws, params->open);
    if (rc < 0) {
        *err = ws->err;
        ws->sink = NULL;
        wsession_gone(ws);
        return rc;
    }
    *ret_ws = ws;
    return 0;
}

/* ---- the connection ---- */

void wsession_free_conn(struct wsession *ws)
{
    fair_drop(&ws->turn);
    ws->ready = 0;
    if (ws->dial)
        dial_cancel(&ws->dial);
    if (ws->stream)
        stream_free(&ws->stream);
    if (ws->conn_charged) {
        account_refund(ws->account, ACCOUNT_CONNS, 1);
        ws->conn_charged = false;
        origins_conn_gone(ws->env->origins);
    }
    rqv_ws_inflate_free(ws->inflate);
    rqv_ws_deflate_free(ws->deflate);
    ws->inflate = NULL;
    ws->deflate = NULL;
    account_refund(ws->account, ACCOUNT_MEMORY, ws->codec_charged);
    ws->codec_charged = 0;
    if (queue_len(&ws->in) > 0)
        queue_consume(&ws->in, queue_len(&ws->in));
    if (queue_len(&ws->pongs) > 0)
        queue_consume(&ws->pongs, queue_len(&ws->pongs));
    ws->want = 0;
    ws->blocked = ws->paused = ws->ping_due = false;
    ws->pinged_us = 0;
}

static void on_dialled(void *owner, struct dial_result *result)
{
    struct wsession *ws = owner;

    ws->dial = NULL;
    memcpy(ws->address, result->err.code ? result->err.address : result->address, sizeof ws->address);
    ws->time_us[RQV_TIME_DNS] = (uint32_t)result->dns_us;
    ws->time_us[RQV_TIME_CONNECT] = (uint32_t)result->connect_us;
    ws->time_us[RQV_TIME_TLS] = (uint32_t)result->tls_us;
    if (result->err.code < 0) {
        ws->err = result->err;
        wsession_lost(ws);
        return;
    }
    ws->stream = result->stream;
    stream_set_account(ws->stream, ws->account);
    stream_set_owner(ws->stream, wsession_on_stream, ws);
    wsession_shake(ws);
}

static int charge_conn(struct wsession *ws)
{
    int rc = account_charge(ws->account, ACCOUNT_CONNS, 1);

    if (rc < 0 && origins_make_room(ws->env->origins, ws->account, NULL))
        rc = account_charge(ws->account, ACCOUNT_CONNS, 1);
    ws->conn_charged = rc == 0;
    return rc;
}

static void wsession_dial(struct wsession *ws)
{
    uint32_t connect_ms = ws->timeout_ms[RQV_T_CONNECT];
    struct dial_params params = {
        .host = ws->target.host,
        .port = ws->target.port,
        .literal = ws->target.literal,
        .account = ws->account,
        .use_tls = ws->target.use_tls,
        .verify = ws->target.verify,
        .trust = ws->trust,
        .key = {(const char *)ws->key.bytes, ws->key.len},
        .connect_deadline_us = connect_ms == RQV_TIMEOUT_NONE
                                   ? UINT64_MAX
                                   : loop_now_us(ws->env->loop) + (uint64_t)connect_ms * 1000,
        .tls_timeout_ms = ws->timeout_ms[RQV_T_TLS],
    };

    wsession_set_state(ws, WS_DIAL);
    int rc = charge_conn(ws);
    if (rc < 0) {
        wsession_fail(ws, rc, REQIVO_PHASE_QUEUE, "no connection is left for the session");
        wsession_lost(ws);
        return;
    }
    rc = dial_start(ws->env->net, &params, on_dialled, ws, &ws->dial);
    if (rc < 0) {
        wsession_fail(ws, rc, REQIVO_PHASE_CONNECT, rqv_err_text(rc));
        wsession_lost(ws);
        return;
    }
    wsession_arm(ws);
}

/* With whom it connects, by what is in force now: a set of the program's own stays the one it had at first.
 */
static int identify(struct wsession *ws, struct rqv_err *err)
{
    bool own = ws->target.use_tls && ws->trust_id != 0;
    struct trust *trust = own ? ws->trust : NULL;
    int rc = target_permitted(&ws->target, ws->env->conf, err);

    if (rc == 0 && own && !trust)
        rc = ws->sink->trust(ws, ws->trust_id, &trust, err);
    else if (!own && ws->target.use_tls)
        trust = tls_system_trust(ws->env->net->tls);
    if (rc < 0)
        return rc;
    struct target_identity who = {ws->account, ws->env->conf, ws->env->net->tls, trust, !own};
    rc = target_key(&ws->target, &who, &ws->key);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_NONE, "%s", rqv_err_text(rc));
    if (trust)
        trust_ref(trust);
    trust_unref(&ws->trust);
    ws->trust = trust;
    return 0;
}

void wsession_connect(struct wsession *ws)
{
    struct rqv_err err = {0};
    int rc = identify(ws, &err);

    if (rc == 0) {
        wsession_dial(ws);
    } else if (rc != -EAGAIN) {
        ws->err = err;
        wsession_finish(ws);
    }
}

/* What dials begins again by what is in force now; what is open is a request that is under way. */
void wsession_retire(struct wsession_env *env)
{
    rqv_list_for_each_safe (node, next, &env->all) {
        struct wsession *ws = RQV_LIST_OF(node, struct wsession, all_node);
        if (ws->state != WS_DIAL)
            continue;
        wsession_free_conn(ws);
        wsession_connect(ws);
    }
}

void wsession_kick(struct wsession *ws)
{
    if (ws->state == WS_TRUST)
        wsession_connect(ws);
    else if (ws->state == WS_OPEN || ws->state == WS_CLOSING)
        wsession_resume(ws);
}
