/* SPDX-License-Identifier: MIT */
/*
 * cookie - reads a Set-Cookie value and compares domains and paths (RFC 6265bis 5.6, 5.1.3, 5.1.4).
 *
 *   name=value; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Path=/; Secure
 *   '--pair--'  '---------------attributes: the last one of a name counts----'
 *
 * Browsers take nearly everything for a cookie, and servers rely on it, so what is odd is kept or passed over
 * as the algorithm says. Refused is what could do harm: control bytes and lengths.
 */
#include "proto/cookie.h"

#include <errno.h>
#include <string.h>

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EINVAL;
}

/* ---- attributes ---- */

struct attributes {
    struct rqv_cookie *cookie;
    uint64_t now_s;
    bool max_age; /* it counts, whatever Expires says: 5.7 step 6 */
};

typedef void attribute_fn(struct attributes *all, struct rqv_str value);

/* A time ahead, at most the limit; one that is over is kept apart from "none". */
static uint64_t bounded(uint64_t at_s, uint64_t now_s)
{
    if (at_s > now_s && at_s - now_s > RQV_COOKIE_AGE_MAX_S)
        return now_s + RQV_COOKIE_AGE_MAX_S;
    return at_s > 0 ? at_s : 1;
}

static void on_expires(struct attributes *all, struct rqv_str value)
{
    uint64_t at_s;

    if (!all->max_age && rqv_cookie_date(value, &at_s))
        all->cookie->expires_s = bounded(at_s, all->now_s);
}

/* 5.6.2: digits, with a '-' before them or not; any number of them. */
static void on_max_age(struct attributes *all, struct rqv_str value)
{
    bool negative = value.len > 0 && value.ptr[0] == '-';
    uint64_t delta_s = 0;

    for (size_t i = negative; i < value.len; i++) {
        unsigned digit = (unsigned char)value.ptr[i] - (unsigned)'0';

        if (digit > 9)
            return;
        if (delta_s <= RQV_COOKIE_AGE_MAX_S)
            delta_s = delta_s * 10 + digit;
    }
    if (value.len == (size_t)negative)
        return;
    all->max_age = true;
    all->cookie->expires_s = negative || delta_s == 0 ? 1 : bounded(all->now_s + delta_s, all->now_s);
}

/* 5.6.3. An empty one is as good as none. */
static void on_domain(struct attributes *all, struct rqv_str value)
{
    if (value.len > 0 && value.ptr[0] == '.') {
        value.ptr++;
        value.len--;
    }
    all->cookie->domain = value.len > 0 ? value : (struct rqv_str){NULL, 0};
}

/* 5.6.4. What does not begin with a slash stands for the default path. */
static void on_path(struct attributes *all, struct rqv_str value)
{
    all->cookie->path = rqv_str_starts(value, RQV_STR("/")) ? value : (struct rqv_str){NULL, 0};
}

static void on_secure(struct attributes *all, struct rqv_str value)
{
    (void)value;
    all->cookie->secure = true;
}

static void on_http_only(struct attributes *all, struct rqv_str value)
{
    (void)value;
    all->cookie->http_only = true;
}

static void on_same_site(struct attributes *all, struct rqv_str value)
{
    enum rqv_same_site same_site = RQV_SAME_SITE_DEFAULT;

    if (rqv_str_eq_nocase(value, RQV_STR("none")))
        same_site = RQV_SAME_SITE_NONE;
    else if (rqv_str_eq_nocase(value, RQV_STR("lax")))
        same_site = RQV_SAME_SITE_LAX;
    else if (rqv_str_eq_nocase(value, RQV_STR("strict")))
        same_site = RQV_SAME_SITE_STRICT;
    all->cookie->same_site = same_site;
}

static const struct {
    struct rqv_str name;
    attribute_fn *fn;
} attributes[] = {
    {{"expires", 7}, on_expires},    {{"max-age", 7}, on_max_age}, {{"domain", 6}, on_domain},
    {{"path", 4}, on_path},          {{"secure", 6}, on_secure},   {{"httponly", 8}, on_http_only},
    {{"samesite", 8}, on_same_site},
};

static void read_attribute(struct attributes *all, struct rqv_str text)
{
    struct rqv_str value = text, name = {NULL, 0};

    rqv_str_split(&value, '=', &name);
    name = rqv_str_trim(name);
    value = value.ptr ? rqv_str_trim(value) : RQV_STR("");
    if (value.len > RQV_COOKIE_ATTR_MAX)
        return;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        if (rqv_str_eq_nocase(name, attributes[i].name)) {
            attributes[i].fn(all, value);
            return;
        }
    }
}

/* ---- the whole value ---- */

/* What every cookie must keep, wherever it came from. */
static const char *pair_fault(const struct rqv_cookie *cookie)
{
    if (cookie->name.len == 0 && cookie->value.len == 0)
        return "the cookie has neither name nor value";
    if (cookie->name.len + cookie->value.len > RQV_COOKIE_PAIR_MAX)
        return "name and value of the cookie are longer than 4096 bytes";
    if ((cookie->name.len > 0 && memchr(cookie->name.ptr, '\t', cookie->name.len)) ||
        (cookie->value.len > 0 && memchr(cookie->value.ptr, '\t', cookie->value.len)))
        return "there is a tab in the cookie's name or value";
    return NULL;
}

int rqv_cookie_parse(struct rqv_str text, uint64_t now_s, struct rqv_cookie *ret_cookie, const char **ret_why)
{
    struct rqv_cookie cookie = {0};
    struct attributes all = {&cookie, now_s, false};
    struct rqv_str rest = text, part = {NULL, 0};
    const char *why;

    if (text.len > RQV_COOKIE_TEXT_MAX)
        return refuse(ret_why, "the Set-Cookie field is longer than 5000 bytes");
    if (!rqv_str_is_field_value(text))
        return refuse(ret_why, "there is a control byte in the Set-Cookie field");
    rqv_str_split(&rest, ';', &part);
    cookie.value = part;
    rqv_str_split(&cookie.value, '=', &cookie.name);
    if (!cookie.value.ptr) { /* without '=' all of it is the value: 5.6 step 3 */
        cookie.value = cookie.name;
        cookie.name = RQV_STR("");
    }
    cookie.name = rqv_str_trim(cookie.name);
    cookie.value = rqv_str_trim(cookie.value);
    why = pair_fault(&cookie);
    if (why)
        return refuse(ret_why, why);
    while (rqv_str_split(&rest, ';', &part))
        read_attribute(&all, part);
    if (cookie.path.ptr && memchr(cookie.path.ptr, '\t', cookie.path.len))
        return refuse(ret_why, "there is a tab in the cookie's path");
    cookie.host_only = !cookie.domain.ptr;
    *ret_cookie = cookie;
    return 0;
}

bool rqv_cookie_expired(const struct rqv_cookie *cookie, uint64_t now_s)
{
    return cookie->expires_s != 0 && cookie->expires_s <= now_s;
}

static bool starts_nocase(struct rqv_str s, struct rqv_str prefix)
{
    return s.len >= prefix.len && rqv_str_eq_nocase((struct rqv_str){s.ptr, prefix.len}, prefix);
}

const char *rqv_cookie_prefix_fault(const struct rqv_cookie *cookie)
{
    static const struct rqv_str secure = {"__Secure-", 9}, host = {"__Host-", 7};

    if (cookie->name.len == 0)
        return starts_nocase(cookie->value, secure) || starts_nocase(cookie->value, host)
                   ? "a cookie without a name has a value that looks like __Host- or __Secure-"
                   : NULL;
    if (starts_nocase(cookie->name, secure) && !cookie->secure)
        return "a __Secure- cookie must be Secure";
    if (starts_nocase(cookie->name, host) &&
        !(cookie->secure && cookie->host_only && rqv_str_eq(cookie->path, RQV_STR("/"))))
        return "a __Host- cookie must be Secure, have Path=/ and no Domain";
    return NULL;
}

/* ---- where it goes ---- */

struct rqv_str rqv_cookie_default_path(struct rqv_str path)
{
    if (path.len == 0 || path.ptr[0] != '/')
        return RQV_STR("/");
    while (path.ptr[path.len - 1] != '/')
        path.len--;
    return path.len == 1 ? path : (struct rqv_str){path.ptr, path.len - 1};
}

bool rqv_cookie_path_match(struct rqv_str path, struct rqv_str cookie_path)
{
    if (!rqv_str_starts(path, cookie_path))
        return false;
    return path.len == cookie_path.len ||
           (cookie_path.len > 0 && cookie_path.ptr[cookie_path.len - 1] == '/') ||
           path.ptr[cookie_path.len] == '/';
}

bool rqv_cookie_domain_match(struct rqv_str host, bool host_is_address, struct rqv_str domain)
{
    if (rqv_str_eq(host, domain))
        return true;
    return !host_is_address && domain.len > 0 && host.len > domain.len &&
           host.ptr[host.len - domain.len - 1] == '.' &&
           memcmp(host.ptr + host.len - domain.len, domain.ptr, domain.len) == 0;
}
