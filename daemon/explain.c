/* SPDX-License-Identifier: MIT */
/* explain - see explain.h. It asks what the daemon asks, and dials nothing: what a name leads to, and so the
 * address policy, has no part in the answer. */
#include "daemon/explain.h"

#include "common/err.h"
#include "common/str.h"
#include "daemon/base/conf_users.h"
#include "daemon/base/policies.h"
#include "daemon/work/target.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define REFUSED 1

struct question {
    char user[POLICY_NAME_MAX + 1];
    struct rqv_str method, url;
    uint32_t uid;
};

static int usage(const char *what)
{
    fprintf(stderr, "reqivod: --explain: %s; it takes one text: \"USER METHOD URL\"\n", what);
    return EX_USAGE;
}

static int take_apart(const char *text, struct question *question)
{
    struct rqv_str rest = rqv_str_from(text), user;

    if (!rqv_str_split(&rest, ' ', &user) || user.len == 0 || user.len > POLICY_NAME_MAX ||
        !rqv_str_split(&rest, ' ', &question->method) || !rqv_str_is_token(question->method) ||
        !rqv_str_split(&rest, ' ', &question->url) || rest.ptr)
        return usage("that is no question");
    memcpy(question->user, user.ptr, user.len);
    return conf_user_parse(question->user, &question->uid) < 0 ? usage("there is no such user") : 0;
}

/* ws and wss to the parser's http and https, as for a WebSocket. */
static int read_url(struct rqv_str text, struct rqv_url *ret_url, uint8_t *ret_scheme)
{
    static char copy[RQV_URL_MAX + 8];
    struct rqv_err err = {0};
    bool ws = text.len >= 3 && rqv_str_eq_nocase((struct rqv_str){text.ptr, 2}, RQV_STR("ws")) &&
              (text.ptr[2] == ':' || text.ptr[2] == 's' || text.ptr[2] == 'S');
    int len = snprintf(copy, sizeof(copy), "%s%.*s", ws ? "http" : "",
                       (int)(text.len < RQV_URL_MAX ? text.len : RQV_URL_MAX) - (ws ? 2 : 0),
                       text.ptr + (ws ? 2 : 0));

    if (target_url((struct rqv_str){copy, (size_t)len}, ret_url, &err) < 0)
        return usage(err.detail);
    if (ret_url->scheme == RQV_SCHEME_HTTPS)
        *ret_scheme = ws ? RQV_RULE_WSS : RQV_RULE_HTTPS;
    else
        *ret_scheme = ws ? RQV_RULE_WS : RQV_RULE_HTTP;
    return 0;
}

int explain(const struct conf *conf, const char *text)
{
    static char path[4 * RQV_URL_MAX];
    struct question question = {0};
    struct rqv_rule_question asked = {0};
    char why[POLICY_WHY_MAX];
    struct rqv_url url;
    const char *query;
    long len;
    int rc = take_apart(text, &question);

    if (rc == 0)
        rc = read_url(question.url, &url, &asked.scheme);
    if (rc != 0)
        return rc;
    len = rqv_url_target(&url, path, sizeof(path));
    query = len > 0 ? memchr(path, '?', (size_t)len) : NULL;
    asked.method = question.method;
    asked.path = (struct rqv_str){path, query ? (size_t)(query - path) : (size_t)(len > 0 ? len : 0)};
    asked.host = (struct rqv_str){url.host, url.host_len};
    asked.addr = url.addr;
    asked.port = url.port;
    const struct partition *partition = policies_partition(conf->policies, question.uid);
    const struct policy *policy = policies_policy(conf->policies, question.uid);
    if (partition)
        printf("the user %s is in the partition \"%s\"\n", question.user, partition->name);
    if (!policy) {
        puts("no policy names the user, and there is no default: it is allowed, where address_policy allows "
             "the address");
        return EX_OK;
    }
    bool allowed = policy_decide(policy, &asked, why);
    printf("policy \"%s\" %s it: %s\n", policy->name, allowed ? "allows" : "refuses", why);
    return allowed ? EX_OK : REFUSED;
}
