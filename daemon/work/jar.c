/* SPDX-License-Identifier: MIT */
/*
 * jar - see jar.h. Everything is looked up by site: the registrable domain of a host, by the list of public
 * suffixes, or the host itself where it has none (an address, "localhost", "github.io"). A cookie's domain is
 * its host or lies between the site and the host, so one lookup finds all that a host may see, and nothing of
 * another registrable domain can be among it. A site holds JAR_SITE_MAX cookies at most, which bounds every
 * walk below.
 */
#include "common/list.h"
#include "common/map.h"
#include "common/uninit.h"
#include "daemon/work/jar_internal.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAP_SHARE = 64 }; /* what a node costs in the map's table, about */

struct jar {
    struct account *account;
    const struct psl_ctx_st *suffixes;
    struct rqv_map sites;
    struct rqv_list made;    /* all cookies, oldest first */
    struct rqv_list used[2]; /* [secure]: all cookies, the one not used for longest first */
    size_t count, bytes;
    uint64_t uses;      /* counts them: the order of last use */
    uint64_t soonest_s; /* no cookie is over before this */
};

struct jar_site {
    struct rqv_map_node node;
    struct rqv_list cookies; /* in the order of a header */
    size_t count, charged;
    char name[];
};

struct jar_cookie {
    struct rqv_list in_site, in_made, in_used;
    struct jar_site *site;
    struct rqv_cookie cookie; /* its views point into bytes */
    uint64_t last_use;
    size_t charged;
    char bytes[];
};

#define COOKIE_IN(node, list) RQV_LIST_OF(node, struct jar_cookie, in_##list)

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EINVAL;
}

/* ---- sites and cookies: made, found, ended ---- */

static struct jar_site *site_find(const struct jar *jar, struct rqv_str name)
{
    struct rqv_map_node *node = rqv_map_get(&jar->sites, name.ptr, name.len);

    return node ? RQV_LIST_OF(node, struct jar_site, node) : NULL;
}

static int site_get(struct jar *jar, struct rqv_str name, struct jar_site **ret_site)
{
    size_t size = sizeof(struct jar_site) + name.len;
    struct jar_site *site = site_find(jar, name);
    int rc = 0;

    if (site) {
        *ret_site = site;
        return 0;
    }
    rc = account_charge(jar->account, ACCOUNT_MEMORY, size + MAP_SHARE);
    if (rc < 0)
        return rc;
    site = calloc(1, size);
    if (site) {
        memcpy(site->name, name.ptr, name.len);
        rc = rqv_map_put(&jar->sites, &site->node, site->name, name.len);
    }
    if (!site || rc < 0) {
        free(site);
        account_refund(jar->account, ACCOUNT_MEMORY, size + MAP_SHARE);
        return site ? rc : -ENOMEM;
    }
    rqv_list_init(&site->cookies);
    site->charged = size + MAP_SHARE;
    jar->bytes += site->charged;
    *ret_site = site;
    return 0;
}

/* An empty site goes. */
static void site_settle(struct jar *jar, struct jar_site *site)
{
    if (site->count > 0)
        return;
    rqv_map_del(&jar->sites, &site->node);
    jar->bytes -= site->charged;
    account_refund(jar->account, ACCOUNT_MEMORY, site->charged);
    free(site);
}

static struct rqv_str copy(char **at, struct rqv_str s)
{
    char *to = *at;

    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    *at += s.len;
    return (struct rqv_str){to, s.len};
}

static int cookie_new(struct jar *jar, const struct rqv_cookie *from, struct jar_cookie **ret_cookie)
{
    size_t size =
        sizeof(struct jar_cookie) + from->name.len + from->value.len + from->domain.len + from->path.len;
    int rc = account_charge(jar->account, ACCOUNT_MEMORY, size);
    struct jar_cookie *cookie;
    char *at;

    if (rc < 0)
        return rc;
    cookie = malloc(size);
    if (!cookie) {
        account_refund(jar->account, ACCOUNT_MEMORY, size);
        return -ENOMEM;
    }
    at = cookie->bytes;
    cookie->cookie = *from;
    cookie->cookie.name = copy(&at, from->name);
    cookie->cookie.value = copy(&at, from->value);
    cookie->cookie.domain = copy(&at, from->domain);
    cookie->cookie.path = copy(&at, from->path);
    cookie->charged = size;
    *ret_cookie = cookie;
    return 0;
}

/* Takes it out of all lists and gives its memory back, wiped. Its site stays: site_settle(). */
static void cookie_drop(struct jar *jar, struct jar_cookie *cookie)
{
    size_t charged = cookie->charged;

    rqv_list_remove(&cookie->in_site);
    rqv_list_remove(&cookie->in_made);
    rqv_list_remove(&cookie->in_used);
    cookie->site->count--;
    jar->count--;
    jar->bytes -= charged;
    explicit_bzero(cookie, charged);
    free(cookie);
    account_refund(jar->account, ACCOUNT_MEMORY, charged);
}

static void cookie_end(struct jar *jar, struct jar_cookie *cookie)
{
    struct jar_site *site = cookie->site;

    cookie_drop(jar, cookie);
    site_settle(jar, site);
}

static void touch(struct jar *jar, struct jar_cookie *cookie)
{
    rqv_list_remove(&cookie->in_used);
    rqv_list_append(&jar->used[cookie->cookie.secure], &cookie->in_used);
    cookie->last_use = ++jar->uses;
}

int jar_new(struct account *account, const struct psl_ctx_st *suffixes, const uint64_t hash_key[2],
            struct jar **ret_jar)
{
    int rc = account_charge(account, ACCOUNT_MEMORY, sizeof(struct jar));
    struct jar *jar;

    if (rc < 0)
        return rc;
    jar = calloc(1, sizeof(*jar));
    if (!jar) {
        account_refund(account, ACCOUNT_MEMORY, sizeof(*jar));
        return -ENOMEM;
    }
    jar->account = account;
    jar->suffixes = suffixes;
    rqv_map_init(&jar->sites, hash_key);
    rqv_list_init(&jar->made);
    rqv_list_init(&jar->used[false]);
    rqv_list_init(&jar->used[true]);
    jar->soonest_s = UINT64_MAX;
    *ret_jar = jar;
    return 0;
}

void jar_clear(struct jar *jar)
{
    while (!rqv_list_empty(&jar->made))
        cookie_end(jar, COOKIE_IN(rqv_list_first(&jar->made), made));
    jar->soonest_s = UINT64_MAX;
}

void jar_free(struct jar *jar)
{
    if (!jar)
        return;
    jar_clear(jar);
    rqv_map_done(&jar->sites);
    account_refund(jar->account, ACCOUNT_MEMORY, sizeof(*jar));
    free(jar);
}

size_t jar_count(const struct jar *jar)
{
    return jar->count;
}

/* ---- limits ---- */

/* Walks all cookies only when one may be over. */
void jar_expire(struct jar *jar, uint64_t now_s)
{
    if (jar->soonest_s > now_s)
        return;
    jar->soonest_s = UINT64_MAX;
    rqv_list_for_each_safe (node, next, &jar->made) {
        struct jar_cookie *cookie = COOKIE_IN(node, made);

        if (rqv_cookie_expired(&cookie->cookie, now_s))
            cookie_end(jar, cookie);
        else if (cookie->cookie.expires_s != 0 && cookie->cookie.expires_s < jar->soonest_s)
            jar->soonest_s = cookie->cookie.expires_s;
    }
}

/* Who of a site goes first: RFC 6265bis 5.7, "remove excess cookies". */
static struct jar_cookie *site_victim(const struct jar_site *site, uint64_t now_s)
{
    struct jar_cookie *victim = NULL;

    rqv_list_for_each (node, &site->cookies) {
        struct jar_cookie *cookie = COOKIE_IN(node, site);

        if (rqv_cookie_expired(&cookie->cookie, now_s))
            return cookie;
        if (!victim || (victim->cookie.secure != cookie->cookie.secure ? victim->cookie.secure
                                                                       : cookie->last_use < victim->last_use))
            victim = cookie;
    }
    return victim;
}

/* The new cookie is in already, and may be the one that goes. */
static void make_room(struct jar *jar, struct jar_site *site, uint64_t now_s)
{
    if (site->count > JAR_SITE_MAX)
        cookie_end(jar, site_victim(site, now_s));
    if (jar->count > JAR_COOKIES_MAX || jar->bytes > JAR_BYTES_MAX)
        jar_expire(jar, now_s);
    while (jar->count > JAR_COOKIES_MAX || jar->bytes > JAR_BYTES_MAX)
        cookie_end(jar, COOKIE_IN(rqv_list_first(&jar->used[rqv_list_empty(&jar->used[false])]), used));
}

/* ---- cookies come ---- */

static bool same_cookie(const struct rqv_cookie *a, const struct rqv_cookie *b)
{
    return rqv_str_eq(a->name, b->name) && rqv_str_eq(a->path, b->path) && a->host_only == b->host_only &&
           rqv_str_eq(a->domain, b->domain);
}

/* May a cookie from a place that is not secure stand beside this one? "Leave secure cookies alone", 5.7. */
static bool shadows(const struct rqv_cookie *cookie, const struct rqv_cookie *old, bool is_address)
{
    return old->secure && rqv_str_eq(cookie->name, old->name) &&
           (rqv_cookie_domain_match(cookie->domain, is_address, old->domain) ||
            rqv_cookie_domain_match(old->domain, is_address, cookie->domain)) &&
           rqv_cookie_path_match(cookie->path, old->path);
}

/* Puts it into its site: where the old one was, which goes, or behind all whose path is as long or longer. */
static void insert(struct jar *jar, struct jar_site *site, struct jar_cookie *cookie, struct jar_cookie *old)
{
    struct rqv_list *at = &site->cookies;

    rqv_list_for_each (node, &site->cookies) {
        if (COOKIE_IN(node, site)->cookie.path.len < cookie->cookie.path.len) {
            at = node;
            break;
        }
    }
    cookie->site = site;
    rqv_list_insert_before(old ? &old->in_site : at, &cookie->in_site);
    rqv_list_insert_before(old ? &old->in_made : &jar->made, &cookie->in_made);
    rqv_list_init(&cookie->in_used);
    touch(jar, cookie);
    site->count++;
    jar->count++;
    jar->bytes += cookie->charged;
    if (cookie->cookie.expires_s != 0 && cookie->cookie.expires_s < jar->soonest_s)
        jar->soonest_s = cookie->cookie.expires_s;
    if (old)
        cookie_drop(jar, old);
}

static struct jar_cookie *find_same(const struct jar_site *site, const struct rqv_cookie *cookie)
{
    rqv_list_for_each (node, &site->cookies) {
        if (same_cookie(&COOKIE_IN(node, site)->cookie, cookie))
            return COOKIE_IN(node, site);
    }
    return NULL;
}

/* A cookie that may be kept takes its place, or ends the one it names when it is over. */
static int keep(struct jar *jar, struct rqv_str name, const struct rqv_cookie *cookie, uint64_t now_s)
{
    struct jar_site *site = site_find(jar, name);
    struct jar_cookie *old = site ? find_same(site, cookie) : NULL, *made = NULL;
    int rc;

    if (rqv_cookie_expired(cookie, now_s)) {
        if (old)
            cookie_end(jar, old);
        return 0;
    }
    rc = site_get(jar, name, &site);
    if (rc < 0)
        return rc;
    rc = cookie_new(jar, cookie, &made);
    if (rc < 0) {
        site_settle(jar, site);
        return rc;
    }
    insert(jar, site, made, old);
    make_room(jar, site, now_s);
    return 0;
}

static bool shadows_any(const struct jar_site *site, const struct rqv_cookie *cookie, bool is_address)
{
    rqv_list_for_each (node, &site->cookies) {
        if (shadows(cookie, &COOKIE_IN(node, site)->cookie, is_address))
            return true;
    }
    return false;
}

int jar_set(struct jar *jar, const struct jar_place *place, struct rqv_str value, uint64_t now_s,
            const char **ret_why)
{
    struct jar_site_view view = jar_site_of(jar->suffixes, place);
    struct jar_site *site = site_find(jar, view.name);
    char lower[RQV_HOST_MAX + 1] RQV_UNINIT; /* a view of the cookie may lie in it */
    struct rqv_cookie cookie;
    const char *fault;

    if (rqv_cookie_parse(value, now_s, &cookie, ret_why) < 0 ||
        jar_settle_domain(&cookie, place, &view, lower, ret_why) < 0)
        return -EINVAL;
    if (cookie.secure && !place->secure)
        return refuse(ret_why, "a Secure cookie does not come over http");
    fault = rqv_cookie_prefix_fault(&cookie); /* before the default path: __Host- asks for Path=/ itself */
    if (fault)
        return refuse(ret_why, fault);
    if (!cookie.path.ptr)
        cookie.path = rqv_cookie_default_path(place->path);
    if (cookie.path.len > RQV_COOKIE_ATTR_MAX)
        return refuse(ret_why, "the folder of the URL is longer than a cookie's path may be");
    if (site && !place->secure && shadows_any(site, &cookie, place->is_address))
        return refuse(ret_why, "the cookie came over http and would stand before a Secure one");
    return keep(jar, view.name, &cookie, now_s);
}

int jar_set_fields(struct jar *jar, const struct jar_place *place, const struct rqv_fields *fields,
                   uint64_t now_s)
{
    const char *why = NULL;
    size_t seen = 0;
    int failed = 0;

    for (size_t i = 0; i < fields->count; i++) {
        int rc;

        if (!rqv_str_eq_nocase(fields->at[i].name, RQV_STR("set-cookie")))
            continue;
        if (++seen > JAR_RESPONSE_MAX)
            return failed ? failed : REQIVO_E_RESPONSE_LIMIT;
        rc = jar_set(jar, place, fields->at[i].value, now_s, &why);
        if (rc < 0 && rc != -EINVAL)
            failed = rc;
    }
    return failed;
}

int jar_import(struct jar *jar, struct rqv_str line, uint64_t now_s, const char **ret_why)
{
    struct jar_place place;
    struct jar_site_view view;
    struct rqv_cookie cookie;
    const char *fault;
    int rc = rqv_cookie_read_line(line, &cookie, ret_why);

    if (rc <= 0)
        return rc;
    rc = jar_place_of_line(&place, cookie.domain, ret_why);
    if (rc < 0)
        return rc;
    view = jar_site_of(jar->suffixes, &place);
    cookie.host_only = cookie.host_only || view.is_suffix; /* nobody has a say below it */
    cookie.domain = rqv_str_from(place.host);
    fault = rqv_cookie_prefix_fault(&cookie);
    if (fault)
        return refuse(ret_why, fault);
    return keep(jar, view.name, &cookie, now_s);
}

/* ---- cookies go ---- */

static bool is_sent(const struct rqv_cookie *cookie, const struct jar_place *place, struct rqv_str host)
{
    return (place->secure || !cookie->secure) &&
           (cookie->host_only ? rqv_str_eq(host, cookie->domain)
                              : rqv_cookie_domain_match(host, place->is_address, cookie->domain)) &&
           rqv_cookie_path_match(place->path, cookie->path);
}

/* "; name=value", or the value alone where there is no name; its length, 0 when it does not fit. */
static size_t put_pair(const struct rqv_cookie *cookie, bool first, char *out, size_t size)
{
    size_t before = first ? 0 : 2, equals = cookie->name.len > 0;
    size_t len = before + cookie->name.len + equals + cookie->value.len;
    char *at = out + before;

    if (len > size)
        return 0;
    memcpy(out, "; ", before);
    copy(&at, cookie->name);
    if (equals)
        *at++ = '=';
    copy(&at, cookie->value);
    return len;
}

size_t jar_header(struct jar *jar, const struct jar_place *place, uint64_t now_s, char *out, size_t size)
{
    struct jar_site *site = site_find(jar, jar_site_of(jar->suffixes, place).name);
    struct rqv_str host = rqv_str_from(place->host);
    size_t len = 0, sent = 0, more;

    if (!site)
        return 0;
    if (size > JAR_HEADER_MAX)
        size = JAR_HEADER_MAX;
    rqv_list_for_each_safe (node, next, &site->cookies) {
        struct jar_cookie *cookie = COOKIE_IN(node, site);

        if (rqv_cookie_expired(&cookie->cookie, now_s)) {
            cookie_drop(jar, cookie);
            continue;
        }
        if (!is_sent(&cookie->cookie, place, host))
            continue;
        more = sent < JAR_SEND_MAX ? put_pair(&cookie->cookie, sent == 0, out + len, size - len) : 0;
        if (more == 0)
            break;
        len += more;
        sent++;
        touch(jar, cookie);
    }
    site_settle(jar, site);
    return len;
}

const struct jar_cookie *jar_next(const struct jar *jar, const struct jar_cookie *previous, uint64_t now_s)
{
    const struct rqv_list *node = previous ? previous->in_made.next : jar->made.next;

    for (; node != &jar->made; node = node->next) {
        const struct jar_cookie *cookie = COOKIE_IN(node, made);

        if (!rqv_cookie_expired(&cookie->cookie, now_s))
            return cookie;
    }
    return NULL;
}

const struct rqv_cookie *jar_cookie(const struct jar_cookie *cookie)
{
    return &cookie->cookie;
}
