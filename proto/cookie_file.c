/* SPDX-License-Identifier: MIT */
/*
 * cookie_file - one line of a Netscape cookie file, as curl writes and reads it:
 *
 *   #HttpOnly_.example.org  TRUE  /  TRUE  1893456000  name  value      (one tab between the fields)
 *   '--------'|'---------'  '--'  |  '--'  '--------'
 *    HttpOnly | domain      with  |  Secure  seconds of 1970, 0: with the session
 *     a dot when the cookie  |  path
 *     goes below the domain  '- goes below
 */
#include "proto/cookie.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DOMAIN, BELOW, PATH, SECURE, EXPIRES, NAME, VALUE, FIELDS };

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EINVAL;
}

static bool is_flag(struct rqv_str s)
{
    return rqv_str_eq_nocase(s, RQV_STR("TRUE")) || rqv_str_eq_nocase(s, RQV_STR("FALSE"));
}

/* The fields; a path that was left out is "/", a value that is missing is empty. */
static bool split(struct rqv_str line, struct rqv_str fields[FIELDS])
{
    size_t n = 0;

    while (n < FIELDS && rqv_str_split(&line, '\t', &fields[n])) {
        if (n == PATH && is_flag(fields[PATH])) {
            fields[SECURE] = fields[PATH];
            fields[PATH] = RQV_STR("/");
            n = SECURE;
        }
        n++;
    }
    if (n == VALUE)
        fields[n++] = RQV_STR("");
    return n == FIELDS && !line.ptr;
}

/* A negative time is long over. */
static bool read_expires(struct rqv_str text, uint64_t *ret_s)
{
    bool negative = text.len > 1 && text.ptr[0] == '-';
    uint64_t at_s;

    text.ptr += negative;
    text.len -= negative;
    if (!rqv_str_u64(text, &at_s))
        return false;
    *ret_s = negative && at_s > 0 ? 1 : at_s;
    return true;
}

static struct rqv_str without_line_end(struct rqv_str line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static const char *fields_fault(const struct rqv_str fields[FIELDS])
{
    if (!is_flag(fields[BELOW]) || !is_flag(fields[SECURE]))
        return "the second or the fourth field of the line is neither TRUE nor FALSE";
    if (fields[DOMAIN].len == 0)
        return "the line has no domain";
    if (fields[PATH].ptr[0] != '/' || fields[PATH].len > RQV_COOKIE_ATTR_MAX)
        return "the path in the line does not begin with '/' or is longer than 1024 bytes";
    if (fields[NAME].len == 0 && fields[VALUE].len == 0)
        return "the cookie has neither name nor value";
    if (fields[NAME].len + fields[VALUE].len > RQV_COOKIE_PAIR_MAX)
        return "name and value of the cookie are longer than 4096 bytes";
    if ((fields[NAME].len > 0 && memchr(fields[NAME].ptr, '=', fields[NAME].len)) ||
        (fields[NAME].len > 0 && memchr(fields[NAME].ptr, ';', fields[NAME].len)) ||
        (fields[VALUE].len > 0 && memchr(fields[VALUE].ptr, ';', fields[VALUE].len)))
        return "the name or the value in the line has a byte that would be read as two cookies";
    return NULL;
}

int rqv_cookie_read_line(struct rqv_str line, struct rqv_cookie *ret_cookie, const char **ret_why)
{
    static const struct rqv_str http_only = {"#HttpOnly_", 10};
    struct rqv_str fields[FIELDS] = {{NULL, 0}};
    struct rqv_cookie cookie = {0};
    const char *why;

    line = without_line_end(line);
    cookie.http_only = rqv_str_starts(line, http_only);
    if (cookie.http_only) {
        line.ptr += http_only.len;
        line.len -= http_only.len;
    }
    if (rqv_str_trim(line).len == 0 || line.ptr[0] == '#')
        return 0;
    if (!rqv_str_is_field_value(line))
        return refuse(ret_why, "there is a control byte in the line");
    if (!split(line, fields))
        return refuse(ret_why, "the line has not seven fields with one tab between them");
    if (fields[DOMAIN].len > 0 && fields[DOMAIN].ptr[0] == '.') {
        fields[DOMAIN].ptr++;
        fields[DOMAIN].len--;
    }
    if (fields[PATH].len == 0)
        fields[PATH] = RQV_STR("/");
    why = fields_fault(fields);
    if (why)
        return refuse(ret_why, why);
    if (!read_expires(fields[EXPIRES], &cookie.expires_s))
        return refuse(ret_why, "the fifth field of the line is not a time in seconds");
    cookie.domain = fields[DOMAIN];
    cookie.host_only = !rqv_str_eq_nocase(fields[BELOW], RQV_STR("TRUE"));
    cookie.path = fields[PATH];
    cookie.secure = rqv_str_eq_nocase(fields[SECURE], RQV_STR("TRUE"));
    cookie.name = fields[NAME];
    cookie.value = fields[VALUE];
    *ret_cookie = cookie;
    return 1;
}

struct out {
    char *at;
    size_t len, size;
    bool full;
};

static void put(struct out *out, struct rqv_str s, const char *end)
{
    size_t more = strlen(end);

    if (out->full || s.len > out->size - out->len || more > out->size - out->len - s.len) {
        out->full = true;
        return;
    }
    if (s.len > 0)
        memcpy(out->at + out->len, s.ptr, s.len);
    memcpy(out->at + out->len + s.len, end, more);
    out->len += s.len + more;
}

long rqv_cookie_write_line(const struct rqv_cookie *cookie, char *out, size_t size)
{
    struct out o = {out, 0, size, false};
    char expires[24];

    snprintf(expires, sizeof(expires), "%llu", (unsigned long long)cookie->expires_s);
    put(&o, RQV_STR(""), cookie->http_only ? "#HttpOnly_" : "");
    put(&o, RQV_STR(""), cookie->host_only ? "" : ".");
    put(&o, cookie->domain, cookie->host_only ? "\tFALSE\t" : "\tTRUE\t");
    put(&o, cookie->path, cookie->secure ? "\tTRUE\t" : "\tFALSE\t");
    put(&o, rqv_str_from(expires), "\t");
    put(&o, cookie->name, "\t");
    put(&o, cookie->value, "");
    return o.full ? -ENOSPC : (long)o.len;
}
