/* SPDX-License-Identifier: MIT */
/*
 * fuzz_redirect - F8 of the test plan: a request and the redirects that answer it. First byte: bit 0 the
 * request has a body, bit 1 it can be had again, bit 2 all
 * origins are trusted, bit 3 https may lead to http, bit
 * 4 the context changes with each hop. Then lines: method, URL, and for each answer its status and Location
 * ("302 /x"); a second Location follows a tab.
 *
 * The promises: what is followed is a URL that the parser takes, http or https, without user information, not
 * from https to http unasked; credentials never reach another origin, not even on the way back; the chain
 * ends; resolving is stable; a failure changes nothing.
 */
#include "proto/redirect.h"
#include "proto/url_resolve.h"

#include <reqivo/error.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool kept)
{
    if (!kept)
        abort();
}

static char rooms[2][RQV_URL_MAX];

static struct rqv_str line_of(struct rqv_str *rest)
{
    struct rqv_str line = {"", 0};

    rqv_str_split(rest, '\n', &line);
    return line;
}

/* "302 /x", or "302 /x\t/y" for two fields. */
static unsigned answer_of(struct rqv_str line, struct rqv_str *ret_location)
{
    struct rqv_fields fields = {0};
    struct rqv_str number = {NULL, 0}, value;
    uint64_t status = 0;

    rqv_str_split(&line, ' ', &number);
    rqv_str_u64(number, &status);
    while (rqv_str_split(&line, '\t', &value) && rqv_fields_add(&fields, RQV_STR("Location"), value) == 0)
        ;
    if (rqv_redirect_location(&fields, ret_location) < 0)
        *ret_location = (struct rqv_str){0};
    return (unsigned)status;
}

static void check_fields(const struct rqv_redirect *hop)
{
    static const char *const secrets[] = {"Host",      "Authorization", "Cookie", "Proxy-Authorization",
                                          "X-Api-Key", "X-Token"};

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        require(rqv_redirect_drops(hop, rqv_str_from(secrets[i])) ==
                (hop->elsewhere && (!hop->trusted || i == 0)));
    require(rqv_redirect_drops(hop, RQV_STR("Content-Type")) == hop->body_dropped);
    require(!rqv_redirect_drops(hop, RQV_STR("Accept")) &&
            !rqv_redirect_drops(hop, RQV_STR("Idempotency-Key")));
}

static bool same(const struct rqv_url *a, const struct rqv_url *b)
{
    return a->scheme == b->scheme && a->port == b->port && strcmp(a->host, b->host) == 0 &&
           a->addr.scope_id == b->addr.scope_id;
}

static void check_hop(const struct rqv_redirect_chain *chain, const struct rqv_redirect_from *from,
                      const struct rqv_redirect *hop, const struct rqv_url *first)
{
    static char again[RQV_URL_MAX];
    struct rqv_url now;
    const char *why;

    require(hop->url_len <= RQV_URL_MAX && rqv_url_parse(hop->url, hop->url_len, &now, &why) == 0);
    require(!now.userinfo.ptr && same(&now, &hop->parsed));
    require(same(&now, first) || hop->elsewhere);
    require(first->scheme == RQV_SCHEME_HTTP || now.scheme == RQV_SCHEME_HTTPS || chain->rules.downgrade);
    require(!hop->body || (from->has_body && from->body_again && rqv_str_eq(hop->method, from->method)));
    require(rqv_url_resolve((struct rqv_str){hop->url, hop->url_len}, (struct rqv_str){"", 0}, again,
                            sizeof(again)) <= (long)hop->url_len);
    check_fields(hop);
}

static void follow(struct rqv_redirect_chain *chain, struct rqv_redirect_from *from, struct rqv_str answers,
                   bool changing)
{
    struct rqv_url first;
    const char *why = NULL;
    bool left = false;

    if (rqv_url_parse(from->url.ptr, from->url.len, &first, &why) < 0)
        return;
    while (answers.ptr) {
        struct rqv_redirect_chain before = *chain;
        struct rqv_redirect hop;
        int r;

        from->status = answer_of(line_of(&answers), &from->location);
        from->context += changing;
        r = rqv_redirect_next(chain, from, rooms[chain->count % 2], &hop, &why);
        require(r == 1 || (chain->count == before.count && chain->left == before.left));
        require(r == 0 || r == 1 || why);
        require(r != 1 || chain->count == before.count + 1);
        if (r != 1)
            continue;
        require(chain->count <= RQV_REDIRECTS_MAX && hop.elsewhere >= left);
        left = hop.elsewhere;
        check_hop(chain, from, &hop, &first);
        from->method = hop.method;
        from->has_body = hop.body;
        from->url = (struct rqv_str){hop.url, hop.url_len};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t key[2] = {3, 4};
    struct rqv_redirect_rules rules;
    struct rqv_redirect_chain chain;
    struct rqv_redirect_from from = {0};
    struct rqv_str rest;

    if (size < 1)
        return 0;
    rqv_redirect_rules_default(&rules);
    rules.trusted = data[0] & 4;
    rules.downgrade = data[0] & 8;
    rules.max += data[0] >> 5;
    rest = (struct rqv_str){(const char *)data + 1, size - 1};
    from.method = line_of(&rest);
    from.url = line_of(&rest);
    from.has_body = data[0] & 1;
    from.body_again = data[0] & 2;
    rqv_redirect_begin(&chain, &rules, key, 0);
    follow(&chain, &from, rest, data[0] & 16);
    return 0;
}
