/* SPDX-License-Identifier: MIT */
/*
 * report - see report.h. What a user can provoke is said at a rate of his own (security.md B9-15); details
 * are the daemon's own sentences, which hold no secret.
 */
#include "daemon/ipc/report.h"

#include "daemon/base/log.h"
#include "proto/url.h"

#include <reqivo/error.h>

#include <stdio.h>
#include <string.h>

static void begin(struct log_fields *fields, const struct peer *peer)
{
    log_fields_init(fields);
    log_field(fields, "UID", "%u", (unsigned)peer->source.uid);
    log_field(fields, "PID", "%d", (int)peer->pid);
    log_field(fields, "CLIENT", "%llu", (unsigned long long)peer->number);
}

static bool may_say(struct peer *peer)
{
    return log_rate_pass(&peer->account->noise, (unsigned)peer->source.uid, loop_now_us(peer->ipc->use.loop));
}

void report_violation(struct peer *peer, const char *why)
{
    struct log_fields fields;

    if (!may_say(peer))
        return;
    begin(&fields, peer);
    log_field(&fields, "REASON", "%s", why);
    log_event(LOG_LEVEL_WARNING, LOG_ID_VIOLATION, &fields,
              "peer %llu (uid %u, pid %d) violated the protocol: %s", (unsigned long long)peer->number,
              (unsigned)peer->source.uid, (int)peer->pid, why);
}

/* Of the limits those that are the user's; what a response may hold is between program and server. */
static enum log_id event_of(int code)
{
    switch (code) {
    case REQIVO_E_LIMIT_MEMORY:
    case REQIVO_E_LIMIT_REQUESTS:
    case REQIVO_E_LIMIT_PEERS:
    case REQIVO_E_LIMIT_TRUST:
    case REQIVO_E_LIMIT_RATE:
        return LOG_ID_LIMIT;
    default:
        return rqv_err_class(code) == REQIVO_CLASS_POLICY ? LOG_ID_REFUSED : LOG_ID_NONE;
    }
}

/* Those whom the kernel does not tell apart have one rate together, and no account is made for them. */
void report_turned_away(struct listener *listener, const struct ucred *cred, int code, const char *detail)
{
    enum log_id event = event_of(code);
    struct account *account = NULL;
    struct log_rate *rate = &listener->noise;
    struct log_fields fields;

    if (event == LOG_ID_NONE)
        return;
    if (event == LOG_ID_LIMIT && account_get(listener->accounts, cred->uid, &account) == 0)
        rate = &account->noise;
    if (log_rate_pass(rate, cred->uid, loop_now_us(listener->ipc->use.loop))) {
        log_fields_init(&fields);
        log_field(&fields, "UID", "%u", (unsigned)cred->uid);
        log_field(&fields, "PID", "%d", (int)cred->pid);
        log_field(&fields, "ERROR", "%s", rqv_err_name(code));
        log_field(&fields, "REASON", "%s", detail);
        log_event(LOG_LEVEL_NOTICE, event, &fields, "%s: a connection (uid %u, pid %d): %s: %s",
                  event == LOG_ID_LIMIT ? "limit" : "refused", (unsigned)cred->uid, (int)cred->pid,
                  rqv_err_name(code), detail);
    }
    if (account)
        account_release(&account);
}

void report_failure(struct peer *peer, uint64_t id, const struct rqv_done *done)
{
    struct log_fields fields;
    enum log_id event = event_of(done->code);

    if (event == LOG_ID_NONE || !may_say(peer))
        return;
    begin(&fields, peer);
    log_field(&fields, "REQUEST", "%llu", (unsigned long long)id);
    log_field(&fields, "ERROR", "%s", rqv_err_name(done->code));
    log_field(&fields, "REASON", "%.*s", (int)done->detail.len, done->detail.ptr);
    log_event(LOG_LEVEL_NOTICE, event, &fields, "%s: peer %llu (uid %u, pid %d): %s: %.*s",
              event == LOG_ID_LIMIT ? "limit" : "refused", (unsigned long long)peer->number,
              (unsigned)peer->source.uid, (int)peer->pid, rqv_err_name(done->code), (int)done->detail.len,
              done->detail.ptr);
}

/* ---- the access log ---- */

struct access {
    uint64_t id;
    const char *method, *host;
    uint16_t port, status;
    bool use_tls, reused, retried;
    uint64_t up, down;
    const uint32_t *time_us; /* RQV_TIME_COUNT, or NULL */
    int code, phase;
    const char *outcome;
};

static const char *outcome_of(const struct rqv_done *done)
{
    if (!done)
        return "gone";
    if (done->code == 0)
        return "ok";
    return rqv_err_class(done->code) == REQIVO_CLASS_CANCELED ? "canceled" : "failed";
}

static void put_times(struct log_fields *fields, const uint32_t time_us[RQV_TIME_COUNT])
{
    static const char *const names[RQV_TIME_COUNT] = {
        [RQV_TIME_QUEUE] = "QUEUE_US", [RQV_TIME_DNS] = "DNS_US",   [RQV_TIME_CONNECT] = "CONNECT_US",
        [RQV_TIME_TLS] = "TLS_US",     [RQV_TIME_SEND] = "SEND_US", [RQV_TIME_FIRST] = "FIRST_US",
        [RQV_TIME_TOTAL] = "TOTAL_US",
    };

    for (int i = 0; i < RQV_TIME_COUNT; i++)
        log_field(fields, names[i], "%lu", (unsigned long)time_us[i]);
}

/* Nothing of what a program or server wrote goes in but the method and the host, which are checked and
 * escaped. */
static void put_access(const struct peer *peer, const struct access *access)
{
    const char *bracket = access->host && strchr(access->host, ':') ? "[" : "";
    struct log_fields fields;
    char origin[RQV_HOST_MAX + 32] = "-";

    if (access->outcome[0] != 'f' && !conf_logs_access_all(peer->ipc->use.conf))
        return;
    if (access->host)
        snprintf(origin, sizeof origin, "%s://%s%s%s:%u", access->use_tls ? "https" : "http", bracket,
                 access->host, *bracket ? "]" : "", access->port);
    begin(&fields, peer);
    log_field(&fields, "REQUEST", "%llu", (unsigned long long)access->id);
    log_field(&fields, "METHOD", "%.15s", access->method[0] ? access->method : "-");
    log_field(&fields, "ORIGIN", "%s", origin);
    log_field(&fields, "STATUS", "%u", access->status);
    log_field(&fields, "OUTCOME", "%s", access->outcome);
    if (access->code != 0) {
        log_field(&fields, "ERROR", "%s", rqv_err_name(access->code));
        log_field(&fields, "CLASS", "%s", rqv_class_name(rqv_err_class(access->code)));
        log_field(&fields, "PHASE", "%s", rqv_phase_name(access->phase));
    }
    log_field(&fields, "BYTES_UP", "%llu", (unsigned long long)access->up);
    log_field(&fields, "BYTES_DOWN", "%llu", (unsigned long long)access->down);
    log_field(&fields, "REUSED", "%d", access->reused);
    log_field(&fields, "RETRIED", "%d", access->retried);
    if (access->time_us)
        put_times(&fields, access->time_us);
    log_put(access->outcome[0] == 'f' ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO, LOG_ID_ACCESS, &fields,
            "%s %s %u %s", access->method[0] ? access->method : "-", origin, access->status, access->outcome);
}

void report_request(struct peer *peer, const struct exchange *x, const struct rqv_done *done)
{
    struct access access = {
        .id = x->id,
        .method = x->method,
        .host = x->target.host,
        .port = x->target.port,
        .use_tls = x->target.use_tls,
        .status = x->status,
        .reused = x->reused,
        .retried = x->retried,
        .up = x->body_received,
        .down = x->response_bytes,
        .time_us = x->time_us,
        .outcome = outcome_of(done),
    };

    if (done) {
        access.code = done->code;
        access.phase = done->phase;
    }
    put_access(peer, &access);
}

void report_websocket(struct peer *peer, const struct wsession *ws, const struct rqv_done *done)
{
    struct access access = {
        .id = ws->id,
        .method = "WEBSOCKET",
        .host = ws->target.host,
        .port = ws->target.port,
        .use_tls = ws->target.use_tls,
        .status = ws->ever_open ? 101 : 0,
        .up = ws->sent.bytes,
        .down = ws->received.bytes,
        .time_us = done ? done->time_us : ws->time_us,
        .outcome = outcome_of(done),
    };

    if (done) {
        access.code = done->code;
        access.phase = done->phase;
    }
    put_access(peer, &access);
}

void report_refused(struct peer *peer, const struct report_asked *asked, const struct rqv_err *err)
{
    char method[16] = "";
    struct rqv_url url;
    const char *why;
    struct access access = {
        .id = asked->id, .method = method, .code = err->code, .phase = err->phase, .outcome = "failed"};

    memcpy(method, asked->method.ptr,
           asked->method.len < sizeof method ? asked->method.len : sizeof method - 1);
    if (rqv_url_parse(asked->url.ptr, asked->url.len, &url, &why) == 0) {
        access.host = url.host;
        access.port = url.port;
        access.use_tls = url.scheme == RQV_SCHEME_HTTPS;
    }
    put_access(peer, &access);
}
