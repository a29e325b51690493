/* SPDX-License-Identifier: MIT */
/*
 * rule_match - see rule.h: does a rule mean this request?
 *
 *   path as it is sent -> (allow) the prefix byte by byte, each %XX decoded once, none of them a slash
 *                      -> (both)  decoded until nothing is left to decode -> segments at '/' and '\',
 *                                 without ";...", "?...", "#...", without empty ones and "." -> (deny) the
 *                                 prefix; a ".." or a control byte: not certain
 *
 * Whatever a server makes of a path by decoding it fewer times, the part that equals the rule's has no '%' in
 * it, so decoding further does not change that part: the last reading is enough. But for one thing: where
 * slashes appear by decoding, a parameter (";...") ends elsewhere in each reading, so that is not certain
 * either.
 */
#include "proto/rule.h"

#include "common/uninit.h"

#include <string.h>

/* ---- the path ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Each byte is moved at most once for each time that something shrinks. */
static size_t decode_all(struct rqv_str path, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < path.len; i++) {
        out[len++] = path.ptr[i];
        while (len >= 3 && out[len - 3] == '%' && hex(out[len - 2]) >= 0 && hex(out[len - 1]) >= 0) {
            out[len - 3] = (char)(hex(out[len - 2]) << 4 | hex(out[len - 1]));
            len -= 2;
        }
    }
    return len;
}

/* What some servers take off a segment begins at one of these. */
static size_t name_len(struct rqv_str segment)
{
    size_t len = 0;

    while (len < segment.len && segment.ptr[len] != ';' && segment.ptr[len] != '?' && segment.ptr[len] != '#')
        len++;
    return len;
}

/* The next segment that means something, or false at the end. */
static bool next_segment(struct rqv_str *rest, struct rqv_str *ret_segment)
{
    while (rest->len > 0) {
        size_t len = 0, all;

        while (len < rest->len && rest->ptr[len] != '/' && rest->ptr[len] != '\\')
            len++;
        *ret_segment = (struct rqv_str){rest->ptr, len};
        all = len < rest->len ? len + 1 : len;
        rest->ptr += all;
        rest->len -= all;
        ret_segment->len = name_len(*ret_segment);
        if (ret_segment->len > 0 && !rqv_str_eq(*ret_segment, RQV_STR(".")))
            return true;
    }
    return false;
}

enum reading { OTHER, MATCHES, NOT_CERTAIN };

static size_t slashes(struct rqv_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '/' || s.ptr[i] == '\\';
    return n;
}

static bool is_certain(struct rqv_str sent, struct rqv_str decoded)
{
    for (size_t i = 0; i < decoded.len; i++)
        if ((unsigned char)decoded.ptr[i] < 0x20 || decoded.ptr[i] == 0x7f)
            return false;
    return decoded.len == sent.len || !memchr(decoded.ptr, ';', decoded.len) ||
           slashes(sent) == slashes(decoded);
}

/* The last reading of the path against the rule's. */
static enum reading read_path(const struct rqv_rule *rule, struct rqv_str path)
{
    char text[RQV_RULE_PATH] RQV_UNINIT;
    struct rqv_str want = rqv_str_from(rule->path), rest, mine, theirs;
    bool wanting, equal = true;

    if (path.len > sizeof(text))
        return NOT_CERTAIN;
    rest = (struct rqv_str){text, decode_all(path, text)};
    if (!is_certain(path, rest))
        return NOT_CERTAIN;
    wanting = next_segment(&want, &mine);
    while (next_segment(&rest, &theirs)) {
        if (rqv_str_eq(theirs, RQV_STR("..")))
            return NOT_CERTAIN;
        if (!wanting)
            continue;
        equal = equal && rqv_str_eq(mine, theirs);
        wanting = next_segment(&want, &mine);
    }
    return equal && !wanting ? MATCHES : OTHER;
}

/* The path as a server reads it that decodes once and then looks for slashes no more. */
static bool starts_as_sent(const struct rqv_rule *rule, struct rqv_str path)
{
    struct rqv_str want = rqv_str_from(rule->path);
    size_t i = 0;

    for (size_t j = 0; j < want.len; j++, i++) {
        if (i >= path.len)
            return false;
        char c = path.ptr[i];
        if (c == '%' && i + 2 < path.len && hex(path.ptr[i + 1]) >= 0 && hex(path.ptr[i + 2]) >= 0) {
            c = (char)(hex(path.ptr[i + 1]) << 4 | hex(path.ptr[i + 2]));
            i += 2;
            if (c == '/')
                return false;
        }
        if (c != want.ptr[j])
            return false;
    }
    return i == path.len || path.ptr[i] == '/';
}

/* ---- the rest ---- */

static bool host_matches(const struct rqv_rule *rule, const struct rqv_rule_question *question)
{
    struct rqv_str host = rqv_str_from(rule->host);

    switch ((enum rqv_rule_host)rule->host_kind) {
    case RQV_RULE_ANY:
        return true;
    case RQV_RULE_NAME:
        return rqv_str_eq(host, question->host);
    case RQV_RULE_BELOW:
        return question->host.len > host.len && question->addr.family == 0 &&
               memcmp(question->host.ptr + question->host.len - host.len, host.ptr, host.len) == 0;
    case RQV_RULE_NET:
        break;
    }
    return rqv_net_contains(&rule->net, &question->addr);
}

static bool origin_matches(const struct rqv_rule *rule, const struct rqv_rule_question *question)
{
    return (rule->schemes & question->scheme) && question->port >= rule->port_min &&
           question->port <= rule->port_max && host_matches(rule, question);
}

static bool method_matches(const struct rqv_rule *rule, struct rqv_str method,
                           bool (*eq)(struct rqv_str, struct rqv_str))
{
    struct rqv_str rest = {rule->text, rule->methods_len}, one;

    if (rest.len == 0)
        return true;
    while (rqv_str_split(&rest, ',', &one))
        if (eq(one, method))
            return true;
    return false;
}

bool rqv_rule_allows(const struct rqv_rule *rule, const struct rqv_rule_question *question)
{
    if (!origin_matches(rule, question))
        return false;
    if (!question->method.ptr)
        return true;
    return method_matches(rule, question->method, rqv_str_eq) &&
           (rule->path[0] == '\0' ||
            (starts_as_sent(rule, question->path) && read_path(rule, question->path) == MATCHES));
}

/* Servers that take "post" for POST exist. */
bool rqv_rule_denies(const struct rqv_rule *rule, const struct rqv_rule_question *question)
{
    if (!origin_matches(rule, question))
        return false;
    if (!question->method.ptr)
        return rule->methods_len == 0 && rule->path[0] == '\0';
    return method_matches(rule, question->method, rqv_str_eq_nocase) &&
           (rule->path[0] == '\0' || read_path(rule, question->path) != OTHER);
}
