/* SPDX-License-Identifier: MIT */
/*
 * rule - one rule of a policy: which requests does it mean? Pure: a rule is read once from the
 * administrator's text, and compared with what a stranger asks for.
 *
 *   [METHOD[,METHOD]... ] [SCHEME://] HOST [:PORT[-PORT]] [/PATH]
 *
 * What is left out matches everything. SCHEME: http, https, ws, wss. HOST: "*", a name, "*.example.org" (each
 * name below it, not itself), an IPv4 address or prefix (10.0.0.0/8), an IPv6 address or prefix in brackets
 * ([2001:db8::/32]); addresses compare with a URL whose host is one, in any embedded form (addr.h), never
 * with what a name resolves to. PATH: whole segments from the root on.
 *
 * Servers differ in what they make of a path: how often they decode it, whether "//", "/./", ";x" or a
 * backslash mean something. So a rule is asked in one of two ways. As one that allows, it must match the path
 * as it is sent; nothing behind the match may climb out of it in any reading. As one that denies, it is
 * enough that it matches in some reading; a path that nobody can read for certain (a ".." that is still in
 * it, a control byte) is what each rule for a path denies.
 */
#ifndef RQV_PROTO_RULE_H
#define RQV_PROTO_RULE_H

#include "common/addr.h"
#include "common/str.h"
#include "proto/url.h"

#include <stdbool.h>
#include <stdint.h>

#define RQV_RULE_MAX  511
#define RQV_RULE_PATH 65536 /* a path that is longer cannot be read for certain */

enum rqv_rule_scheme { RQV_RULE_HTTP = 1, RQV_RULE_HTTPS = 2, RQV_RULE_WS = 4, RQV_RULE_WSS = 8 };
enum rqv_rule_host { RQV_RULE_ANY, RQV_RULE_NAME, RQV_RULE_BELOW, RQV_RULE_NET };

struct rqv_rule {
    char text[RQV_RULE_MAX + 1]; /* as it was written */
    char host[RQV_HOST_MAX + 2]; /* lower case; of BELOW: ".example.org" */
    char path[RQV_RULE_MAX + 1]; /* decoded, without the slash at its end; "": every path */
    struct rqv_net net;
    uint16_t methods_len; /* they begin the text; 0: all */
    uint16_t port_min, port_max;
    uint8_t schemes; /* enum rqv_rule_scheme */
    uint8_t host_kind;
};

/* 0, or -EINVAL with *ret_why pointing at a static sentence. */
int rqv_rule_parse(struct rqv_str text, struct rqv_rule *ret_rule, const char **ret_why);

struct rqv_rule_question {
    uint8_t scheme; /* one of enum rqv_rule_scheme */
    uint16_t port;
    struct rqv_str host;   /* as struct rqv_url has it */
    struct rqv_addr addr;  /* of a numeric host; else family 0 */
    struct rqv_str method; /* ptr NULL: a connection alone is asked for, and no request yet */
    struct rqv_str path;   /* as it is sent, without the query */
};

bool rqv_rule_allows(const struct rqv_rule *rule, const struct rqv_rule_question *question);
bool rqv_rule_denies(const struct rqv_rule *rule, const struct rqv_rule_question *question);

#endif
