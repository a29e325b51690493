/* SPDX-License-Identifier: MIT */
/*
 * fuzz_rule - a rule, a method and a URL, one a line. What a rule allows it also denies; a path that is
 * encoded once more is never denied less; a rule is read again from its own text to the same.
 */
#include "proto/rule.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* Every byte but the slashes as %XX. */
static struct rqv_str encode(struct rqv_str path, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;

    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];

        if (c == '/') {
            out[len++] = '/';
            continue;
        }
        out[len++] = '%';
        out[len++] = digits[c >> 4];
        out[len++] = digits[c & 15];
    }
    return (struct rqv_str){out, len};
}

static void check_request(const struct rqv_rule *rule, struct rqv_rule_question question)
{
    static char encoded[3 * RQV_RULE_PATH];
    bool denies = rqv_rule_denies(rule, &question);

    demand(!rqv_rule_allows(rule, &question) || denies);
    question.path = encode(question.path, encoded);
    demand(!denies || rqv_rule_denies(rule, &question));
    question.method.ptr = NULL;
    demand(!rqv_rule_denies(rule, &question) || rqv_rule_allows(rule, &question));
}

static bool same(const struct rqv_rule *a, const struct rqv_rule *b)
{
    return strcmp(a->text, b->text) == 0 && strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0 &&
           a->net.base.family == b->net.base.family && a->net.bits == b->net.bits &&
           memcmp(a->net.base.bytes, b->net.base.bytes, sizeof(a->net.base.bytes)) == 0 &&
           a->methods_len == b->methods_len && a->port_min == b->port_min && a->port_max == b->port_max &&
           a->schemes == b->schemes && a->host_kind == b->host_kind;
}

static void check_rule(const struct rqv_rule *rule)
{
    static struct rqv_rule again;
    const char *why = NULL;

    demand(rqv_rule_parse(rqv_str_from(rule->text), &again, &why) == 0);
    demand(same(rule, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[4 * RQV_URL_MAX];
    struct rqv_str rest = {(const char *)data, size}, text, method, address;
    static struct rqv_rule rule;
    const char *why = NULL;
    struct rqv_url url;

    if (size == 0 || !rqv_str_split(&rest, '\n', &text) || rqv_rule_parse(text, &rule, &why) < 0) {
        demand(size == 0 || why);
        return 0;
    }
    check_rule(&rule);
    if (!rqv_str_split(&rest, '\n', &method) || !rqv_str_split(&rest, '\n', &address) ||
        rqv_url_parse(address.ptr, address.len, &url, &why) < 0)
        return 0;
    long len = rqv_url_target(&url, path, sizeof path);
    if (len <= 0 || len > RQV_RULE_PATH / 3)
        return 0;
    const char *query = memchr(path, '?', (size_t)len);
    struct rqv_rule_question question = {
        .scheme = (uint8_t)(url.scheme == RQV_SCHEME_HTTPS ? RQV_RULE_HTTPS : RQV_RULE_HTTP),
        .port = url.port,
        .host = {url.host, url.host_len},
        .addr = url.addr,
        .method = method,
        .path = {path, query ? (size_t)(query - path) : (size_t)len},
    };
    check_request(&rule, question);
    return 0;
}
