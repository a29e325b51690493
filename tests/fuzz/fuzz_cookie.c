/* SPDX-License-Identifier: MIT */
/*
 * fuzz_cookie - the codec part of F9. Byte 0 says what follows: a Set-Cookie value, a line of a cookie file,
 * or two lines of text that are compared. What is accepted keeps every promise of cookie.h; what a line says
 * is written and read again as the same; a date is the same whatever stands around it.
 */
#include "proto/cookie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOW UINT64_C(1700000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_inside(struct rqv_str part, struct rqv_str text)
{
    demand(part.len == 0 || (part.ptr >= text.ptr && part.len <= (size_t)(text.ptr + text.len - part.ptr)));
}

static void check_pair(const struct rqv_cookie *cookie)
{
    demand(cookie->name.len + cookie->value.len > 0);
    demand(cookie->name.len + cookie->value.len <= RQV_COOKIE_PAIR_MAX);
    demand(rqv_str_is_field_value(cookie->name) && rqv_str_is_field_value(cookie->value));
    demand(!memchr(cookie->name.len ? cookie->name.ptr : "", '=', cookie->name.len));
    demand(!memchr(cookie->name.len ? cookie->name.ptr : "", ';', cookie->name.len));
    demand(!memchr(cookie->value.len ? cookie->value.ptr : "", ';', cookie->value.len));
    demand(!cookie->path.ptr || (cookie->path.len <= RQV_COOKIE_ATTR_MAX && cookie->path.ptr[0] == '/'));
    (void)rqv_cookie_prefix_fault(cookie);
}

static void check_same(const struct rqv_cookie *a, const struct rqv_cookie *b)
{
    demand(rqv_str_eq(a->name, b->name) && rqv_str_eq(a->value, b->value));
    demand(rqv_str_eq(a->domain, b->domain) && rqv_str_eq(a->path, b->path));
    demand(a->expires_s == b->expires_s && a->secure == b->secure && a->http_only == b->http_only);
    demand(a->host_only == b->host_only);
}

/* Written as a line and read again it is the same cookie. */
static void check_line(const struct rqv_cookie *cookie)
{
    char out[RQV_COOKIE_LINE_MAX];
    struct rqv_cookie again;
    const char *why = NULL;
    long n = rqv_cookie_write_line(cookie, out, sizeof(out));

    demand(n > 0 && rqv_cookie_write_line(cookie, out, (size_t)n - 1) == -ENOSPC);
    demand(rqv_cookie_write_line(cookie, out, (size_t)n) == n);
    demand(rqv_cookie_read_line((struct rqv_str){out, (size_t)n}, &again, &why) == 1);
    check_same(cookie, &again);
}

static void fuzz_set_cookie(struct rqv_str text)
{
    struct rqv_cookie cookie;
    const char *why = NULL;
    int rc = rqv_cookie_parse(text, NOW, &cookie, &why);

    demand(rc == 0 || (rc == -EINVAL && why));
    if (rc < 0)
        return;
    demand(text.len <= RQV_COOKIE_TEXT_MAX);
    check_inside(cookie.name, text);
    check_inside(cookie.value, text);
    check_inside(cookie.domain, text);
    check_inside(cookie.path, text);
    check_pair(&cookie);
    demand(!memchr(cookie.name.len ? cookie.name.ptr : "", '\t', cookie.name.len));
    demand(cookie.host_only == !cookie.domain.ptr && cookie.expires_s <= NOW + RQV_COOKIE_AGE_MAX_S);
    if (!cookie.path.ptr)
        cookie.path = RQV_STR("/");
    cookie.domain = RQV_STR("example.org");
    check_line(&cookie);
}

static void fuzz_line(struct rqv_str line)
{
    struct rqv_cookie cookie;
    const char *why = NULL;
    int rc = rqv_cookie_read_line(line, &cookie, &why);

    demand(rc == 0 || rc == 1 || (rc == -EINVAL && why));
    if (rc != 1)
        return;
    check_pair(&cookie);
    demand(cookie.domain.len > 0);
    if (cookie.domain.len <= 512 && cookie.domain.ptr[0] != '.' && cookie.domain.ptr[0] != '#')
        check_line(&cookie);
}

static void fuzz_match(struct rqv_str text)
{
    struct rqv_str one = {NULL, 0}, folder;

    rqv_str_split(&text, '\n', &one);
    if (!text.ptr)
        text = one;
    folder = rqv_cookie_default_path(one);
    demand(folder.len > 0 && folder.ptr[0] == '/');
    demand(one.len == 0 || one.ptr[0] != '/' || rqv_cookie_path_match(one, folder));
    demand(rqv_cookie_path_match(one, one) && rqv_cookie_domain_match(one, true, one));
    if (rqv_cookie_path_match(one, text) && rqv_cookie_path_match(text, one))
        demand(rqv_str_eq(one, text));
    if (rqv_cookie_domain_match(one, false, text) && !rqv_str_eq(one, text))
        demand(!rqv_cookie_domain_match(one, true, text) && !rqv_cookie_domain_match(text, false, one));
}

static void fuzz_date(struct rqv_str text)
{
    char wide[1024];
    uint64_t s = 0, again = 0;
    bool is = rqv_cookie_date(text, &s);

    demand(!is || s < UINT64_C(253402300800)); /* the year 10000 */
    if (text.len + 2 > sizeof(wide))
        return;
    wide[0] = '~';
    if (text.len > 0)
        memcpy(wide + 1, text.ptr, text.len);
    wide[text.len + 1] = ' ';
    demand(rqv_cookie_date((struct rqv_str){wide, text.len + 2}, &again) == is && again == s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rqv_str text = {(const char *)data + 1, size - 1};

    if (size == 0)
        return 0;
    switch (data[0]) {
    case 'l':
        fuzz_line(text);
        break;
    case 'm':
        fuzz_match(text);
        break;
    case 'd':
        fuzz_date(text);
        break;
    default:
        fuzz_set_cookie(text);
        break;
    }
    return 0;
}
