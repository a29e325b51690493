/* SPDX-License-Identifier: MIT */
/* judge - see judge.h. */
#include "daemon/work/judge.h"

#include "common/uninit.h"
#include "daemon/base/policies.h"

#include <reqivo/error.h>

#include <stdio.h>
#include <string.h>

static uint8_t scheme_of(const struct target *target)
{
    if (target->websocket)
        return target->use_tls ? RQV_RULE_WSS : RQV_RULE_WS;
    return target->use_tls ? RQV_RULE_HTTPS : RQV_RULE_HTTP;
}

static const char *scheme_name(uint8_t scheme)
{
    return scheme == RQV_RULE_HTTP    ? "http"
           : scheme == RQV_RULE_HTTPS ? "https"
           : scheme == RQV_RULE_WS    ? "ws"
                                      : "wss";
}

/* What was asked for, without path and query: "GET https://example.org:8443". */
static int refuse(const struct target *target, const struct rqv_rule_question *question, const char *what,
                  const char *why, struct rqv_err *err)
{
    bool brackets = question->addr.family == 6;
    bool secure = question->scheme & (RQV_RULE_HTTPS | RQV_RULE_WSS);
    char port[8] = "";

    if (question->port != (secure ? 443 : 80))
        snprintf(port, sizeof port, ":%u", question->port);
    return rqv_err_set(err, REQIVO_E_RULE_DENIED, REQIVO_PHASE_NONE,
                       "refused by policy \"%s\": %s (%s%.*s%s%s://%s%.*s%s%s)",
                       target->account->policy->name, why, what,
                       (int)(question->method.len < 16 ? question->method.len : 16),
                       question->method.ptr ? question->method.ptr : "", question->method.ptr ? " " : "",
                       scheme_name(question->scheme), brackets ? "[" : "", (int)question->host.len,
                       question->host.ptr, brackets ? "]" : "", port);
}

static int ask(const struct target *target, const struct rqv_rule_question *question, const char *what,
               struct rqv_err *err)
{
    char why[POLICY_WHY_MAX];

    if (policy_decide(target->account->policy, question, why))
        return 0;
    return refuse(target, question, what, why, err);
}

static int ask_route(const struct target *target, struct rqv_rule_question question, struct rqv_err *err)
{
    if (target->route.port == 0)
        return 0;
    question.host = rqv_str_from(target->route.host);
    question.addr = target->route.literal;
    question.port = target->route.port;
    return ask(target, &question, "route ", err);
}

/* A server that holds several hosts goes by the field. It was checked to be HOST or HOST:PORT. */
static int ask_host(const struct target *target, struct rqv_rule_question question,
                    const struct rqv_fields *fields, struct rqv_err *err)
{
    const struct rqv_field *field = fields ? rqv_fields_get(fields, RQV_STR("host"), 0) : NULL;
    char text[sizeof "https://" + RQV_HOST_MAX + 16] RQV_UNINIT;
    struct rqv_url url RQV_UNINIT; /* set whole by the parser */
    const char *why = "";
    int len;

    if (!field)
        return 0;
    if (field->value.len > RQV_HOST_MAX + 8)
        return rqv_err_set(err, REQIVO_E_FIELD, REQIVO_PHASE_NONE, "the Host field is too long");
    len = snprintf(text, sizeof text, "%s://%.*s", target->use_tls ? "https" : "http", (int)field->value.len,
                   field->value.ptr);
    if (rqv_url_parse(text, (size_t)len, &url, &why) < 0 || url.host_type == RQV_HOST_NAME_UNICODE)
        return rqv_err_set(err, REQIVO_E_FIELD, REQIVO_PHASE_NONE,
                           "the policy cannot judge the Host field: %s", why);
    question.host = (struct rqv_str){url.host, url.host_len};
    question.addr = url.addr;
    question.port = url.port;
    return ask(target, &question, "Host field of ", err);
}

static int judge_all(const struct target *target, struct rqv_str method, struct rqv_str path,
                     const struct rqv_fields *fields, struct rqv_err *err)
{
    const char *query = path.ptr ? memchr(path.ptr, '?', path.len) : NULL;
    struct rqv_rule_question question = {
        .scheme = scheme_of(target),
        .port = target->port,
        .host = rqv_str_from(target->host),
        .addr = target->literal,
        .method = method,
        .path = {path.ptr, query ? (size_t)(query - path.ptr) : path.len},
    };
    int rc = ask(target, &question, "", err);

    if (rc == 0)
        rc = ask_route(target, question, err);
    return rc == 0 ? ask_host(target, question, fields, err) : rc;
}

static bool is_free(const struct target *target)
{
    return !target->account || !target->account->policy;
}

int judge_request(const struct target *target, struct rqv_str method, struct rqv_str path,
                  const struct rqv_fields *fields, struct rqv_err *err)
{
    return is_free(target) ? 0 : judge_all(target, method, path, fields, err);
}

int judge_connection(const struct target *target, struct rqv_err *err)
{
    struct rqv_str none = {NULL, 0};

    return is_free(target) ? 0 : judge_all(target, none, none, NULL, err);
}

int judge_again(const struct target *target, struct rqv_str head, struct rqv_err *err)
{
    struct rqv_str method, path;

    if (is_free(target) || !rqv_str_split(&head, ' ', &method) || !rqv_str_split(&head, ' ', &path))
        return 0;
    return judge_all(target, method, path, NULL, err);
}

int judge_rate(struct account *account, uint64_t now_us, struct rqv_err *err)
{
    uint64_t wait_us = 0;

    if (account_rate(account, now_us, &wait_us) == 0)
        return 0;
    return rqv_err_set(err, REQIVO_E_LIMIT_RATE, REQIVO_PHASE_QUEUE,
                       "refused by policy \"%s\": requests_per_second = %u; the next one may come in %llu ms",
                       account->policy->name, account->policy->requests_per_second,
                       (unsigned long long)(wait_us + 999) / 1000);
}
