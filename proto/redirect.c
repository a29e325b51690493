/* SPDX-License-Identifier: MIT */
/* redirect - see redirect.h. Checks come in the order: is it one, is there one left, where to, how, again? */
#include "proto/redirect.h"

#include "common/map.h"
#include "common/uninit.h"
#include "proto/url_resolve.h"

#include <reqivo/error.h>

#include <string.h>

static int refuse(const char **ret_why, int error, const char *why)
{
    *ret_why = why;
    return error;
}

void rqv_redirect_rules_default(struct rqv_redirect_rules *ret_rules)
{
    *ret_rules = (struct rqv_redirect_rules){.max = RQV_REDIRECTS_MAX};
}

void rqv_redirect_begin(struct rqv_redirect_chain *chain, const struct rqv_redirect_rules *rules,
                        const uint64_t key[2], uint64_t context)
{
    *chain = (struct rqv_redirect_chain){.rules = *rules, .key = {key[0], key[1]}, .context = context};
    if (chain->rules.max > RQV_REDIRECTS_MAX)
        chain->rules.max = RQV_REDIRECTS_MAX;
}

bool rqv_redirect_is(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* RFC 9110 15.4.2 to 15.4.9. Methods are case-sensitive. */
static struct rqv_str next_method(const struct rqv_redirect_rules *rules, unsigned status,
                                  struct rqv_str method)
{
    bool head = rqv_str_eq(method, RQV_STR("HEAD"));

    if (rules->keep_method)
        return method;
    if (status == 303 && !head)
        return RQV_STR("GET");
    if ((status == 301 || status == 302) && rqv_str_eq(method, RQV_STR("POST")))
        return RQV_STR("GET");
    return method;
}

/* A number for "this request": each part with its length, so that parts do not run together. */
static uint64_t request_hash(const struct rqv_redirect_chain *chain, struct rqv_str method,
                             const struct rqv_url *url, uint64_t context)
{
    struct rqv_str path = url->path.len > 0 ? url->path : RQV_STR("/");
    uint64_t parts[] = {
        rqv_siphash(chain->key, method.ptr, method.len),
        rqv_siphash(chain->key, url->host, url->host_len),
        rqv_siphash(chain->key, path.ptr, path.len),
        rqv_siphash(chain->key, url->query.ptr ? url->query.ptr : "", url->query.len),
        ((uint64_t)url->addr.scope_id << 32) | ((uint64_t)url->port << 8) | (uint64_t)url->scheme,
        url->query.ptr != NULL,
        context,
    };

    return rqv_siphash(chain->key, parts, sizeof(parts));
}

/* Location with its spaces written as %20, resolved, and the fragment inherited. The length, or a code. */
static long resolve(const struct rqv_redirect_from *from, const struct rqv_url *current, char *room)
{
    char spaceless[RQV_URL_MAX] RQV_UNINIT;
    struct rqv_str location = rqv_str_trim(from->location);
    size_t n = 0;
    long len;

    for (size_t i = 0; i < location.len; i++) {
        bool space = location.ptr[i] == ' ';

        if (sizeof(spaceless) - n < 3)
            return REQIVO_E_URL;
        memcpy(spaceless + n, space ? "%20" : location.ptr + i, space ? 3 : 1);
        n += space ? 3 : 1;
    }
    len = rqv_url_resolve(from->url, (struct rqv_str){spaceless, n}, room, RQV_URL_MAX);
    if (len < 0 || !current->fragment.ptr || memchr(spaceless, '#', n))
        return len;
    if (current->fragment.len >= RQV_URL_MAX - (size_t)len)
        return REQIVO_E_URL;
    room[len++] = '#';
    memcpy(room + len, current->fragment.ptr, current->fragment.len);
    return len + (long)current->fragment.len;
}

/* Is the next URL one that may be followed at all? */
static int find_target(const struct rqv_redirect_chain *chain, const struct rqv_redirect_from *from,
                       const struct rqv_url *current, struct rqv_redirect *hop, const char **ret_why)
{
    long len = resolve(from, current, hop->url);

    if (len < 0)
        return refuse(ret_why, REQIVO_E_REDIRECT_URL, "the redirect's URL is too long");
    hop->url_len = (size_t)len;
    if (rqv_url_parse(hop->url, hop->url_len, &hop->parsed, ret_why) < 0)
        return REQIVO_E_REDIRECT_URL;
    if (hop->parsed.userinfo.ptr)
        return refuse(ret_why, REQIVO_E_REDIRECT_URL, "the redirect's URL carries user information");
    if (current->scheme == RQV_SCHEME_HTTPS && hop->parsed.scheme == RQV_SCHEME_HTTP &&
        !chain->rules.downgrade)
        return refuse(ret_why, REQIVO_E_REDIRECT_DENIED, "the redirect leads from https to http");
    return 0;
}

static int decide_body(const struct rqv_redirect_chain *chain, const struct rqv_redirect_from *from,
                       struct rqv_redirect *hop, const char **ret_why)
{
    bool kept = chain->rules.keep_method || (from->status != 303 && rqv_str_eq(hop->method, from->method));

    hop->body = from->has_body && kept;
    hop->body_dropped = chain->bodiless || !kept;
    if (hop->body && !from->body_again)
        return refuse(ret_why, REQIVO_E_REDIRECT_BODY,
                      "the redirect asks for the body once more, which cannot be had again");
    return 0;
}

static bool was_seen(const struct rqv_redirect_chain *chain, uint64_t hash)
{
    for (unsigned i = 0; i <= chain->count; i++) {
        if (chain->seen[i] == hash)
            return true;
    }
    return false;
}

int rqv_redirect_next(struct rqv_redirect_chain *chain, const struct rqv_redirect_from *from, char *room,
                      struct rqv_redirect *ret_hop, const char **ret_why)
{
    struct rqv_redirect hop = {.url = room,
                               .method = next_method(&chain->rules, from->status, from->method),
                               .trusted = chain->rules.trusted};
    struct rqv_url current;
    uint64_t hash;
    bool other;
    int r;

    if (!rqv_redirect_is(from->status) || !from->location.ptr)
        return 0;
    if (chain->count >= chain->rules.max)
        return refuse(ret_why, REQIVO_E_REDIRECT_LIMIT, "there are more redirects than are followed");
    if (rqv_url_parse(from->url.ptr, from->url.len, &current, ret_why) < 0)
        return REQIVO_E_REDIRECT_URL;
    r = find_target(chain, from, &current, &hop, ret_why);
    if (r < 0)
        return r;
    /* Every hop is held against the one before it: once `left` is set it stays. */
    other = !rqv_url_same_origin(&current, &hop.parsed);
    hop.elsewhere = chain->left || other;
    r = decide_body(chain, from, &hop, ret_why);
    if (r < 0)
        return r;
    if (chain->count == 0)
        chain->seen[0] = request_hash(chain, from->method, &current, chain->context);
    hash = request_hash(chain, hop.method, &hop.parsed, from->context);
    if (was_seen(chain, hash))
        return refuse(ret_why, REQIVO_E_REDIRECT_LOOP, "the redirects go round in a circle");
    chain->seen[++chain->count] = hash;
    chain->left = hop.elsewhere;
    chain->bodiless = hop.body_dropped;
    *ret_hop = hop;
    return 1;
}

void rqv_redirect_turn(struct rqv_redirect_chain *chain, struct rqv_redirect *hop, const struct rqv_url *url)
{
    chain->left = chain->left || !rqv_url_same_origin(&hop->parsed, url);
    hop->elsewhere = chain->left;
}

int rqv_redirect_location(const struct rqv_fields *fields, struct rqv_str *ret_location)
{
    const struct rqv_field *field = rqv_fields_get(fields, RQV_STR("location"), 0), *other;
    struct rqv_str location = {0};

    if (field)
        location = (struct rqv_str){field->value.ptr ? field->value.ptr : "", field->value.len};
    for (size_t n = 1; (other = rqv_fields_get(fields, RQV_STR("location"), n)) != NULL; n++) {
        if (!rqv_str_eq(other->value, location))
            return REQIVO_E_REDIRECT_URL;
    }
    *ret_location = location;
    return 0;
}

static bool is_any(struct rqv_str name, const struct rqv_str *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rqv_str_eq_nocase(name, names[i]))
            return true;
    }
    return false;
}

static bool is_of_body(struct rqv_str name)
{
    static const struct rqv_str names[] = {{"Digest", 6}, {"Last-Modified", 13}};
    struct rqv_str prefix = {name.ptr, 8};

    return (name.len > prefix.len && rqv_str_eq_nocase(prefix, RQV_STR("Content-"))) ||
           is_any(name, names, sizeof(names) / sizeof(names[0]));
}

bool rqv_redirect_drops(const struct rqv_redirect *hop, struct rqv_str name)
{
    if (hop->elsewhere && rqv_str_eq_nocase(name, RQV_STR("Host")))
        return true;
    return (hop->elsewhere && !hop->trusted && rqv_field_is_secret(name)) ||
           (hop->body_dropped && is_of_body(name));
}
