/* SPDX-License-Identifier: MIT */
/*
 * cookie - one cookie as text: a Set-Cookie value (RFC 6265bis 5.6), a line of a Netscape cookie file as curl
 * writes and reads it, the cookie-date (5.1.1), and the comparisons that decide where a cookie goes (5.1.3,
 * 5.1.4). No jar, no clock, no list of public suffixes: whoever keeps cookies asks here what they mean. Views
 * point into the text that was given.
 */
#ifndef RQV_PROTO_COOKIE_H
#define RQV_PROTO_COOKIE_H

#include "common/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RQV_COOKIE_TEXT_MAX  5000                    /* a Set-Cookie value: security.md B3-7 */
#define RQV_COOKIE_PAIR_MAX  4096                    /* name and value together: RFC 6265bis 5.6 */
#define RQV_COOKIE_ATTR_MAX  1024                    /* value of an attribute, and any path: 5.6 */
#define RQV_COOKIE_AGE_MAX_S (UINT64_C(400) * 86400) /* how far ahead a server may set the end: 5.5 */
#define RQV_COOKIE_LINE_MAX  6144 /* any line that rqv_cookie_write_line makes is shorter */

/* Kept as data: which site a request comes from is nothing that a daemon knows. */
enum rqv_same_site {
    RQV_SAME_SITE_DEFAULT = 0, /* no such attribute, or another value */
    RQV_SAME_SITE_NONE,
    RQV_SAME_SITE_LAX,
    RQV_SAME_SITE_STRICT
};

/* Of a Set-Cookie value: domain and path are the attributes', with ptr NULL where they are absent or do not
 * count, and the domain's case is the server's. Of a line: domain is the host that the cookie is for. */
struct rqv_cookie {
    struct rqv_str name, value; /* the name may be empty; not both */
    struct rqv_str domain;      /* without a leading dot */
    struct rqv_str path;        /* begins with '/' */
    uint64_t expires_s;         /* seconds of 1970, 0: with the session; what is over is never 0 */
    bool secure, http_only;
    bool host_only; /* of lines: goes to this very host, not to those below it */
    enum rqv_same_site same_site;
};

/* 0, or -EINVAL with *ret_why pointing at a static sentence that says what is wrong. Refused are control
 * bytes (tabs in name, value or path too, which no cookie file can hold), texts, names and values over the
 * limits above and cookies with neither name nor value; attributes that make no sense are passed over. */
int rqv_cookie_parse(struct rqv_str text, uint64_t now_s, struct rqv_cookie *ret_cookie,
                     const char **ret_why);

/* 1; 0 for a line that holds none (blank, comment); -EINVAL and *ret_why. An LF or CR LF at its end is
 * passed over. A path may be left out and an empty value missing, as curl allows. */
int rqv_cookie_read_line(struct rqv_str line, struct rqv_cookie *ret_cookie, const char **ret_why);

/* The line without an end of line; its length, or -ENOSPC. Not terminated. SameSite has no place in it. */
long rqv_cookie_write_line(const struct rqv_cookie *cookie, char *out, size_t size);

/* Seconds of 1970; false when the text is no date. Dates before 1970 are 0. RFC 6265bis 5.1.1 */
bool rqv_cookie_date(struct rqv_str text, uint64_t *ret_s);

/* Is it over? */
bool rqv_cookie_expired(const struct rqv_cookie *cookie, uint64_t now_s);

/* __Secure- and __Host- (in any case) promise how the cookie was set: secure; with host_only and path "/".
 * A cookie without a name must not look as if it had such a one. NULL, or what is broken. RFC 6265bis 4.1.3,
 * 5.7 */
const char *rqv_cookie_prefix_fault(const struct rqv_cookie *cookie);

/* The folder of a request's path, which is the path of a cookie that names none. 5.1.4 */
struct rqv_str rqv_cookie_default_path(struct rqv_str path);
/* Does a request for `path` get a cookie of `cookie_path`? 5.1.4 */
bool rqv_cookie_path_match(struct rqv_str path, struct rqv_str cookie_path);
/* Is host `domain` or below it? Both in lower case; never below, when the host is an address. 5.1.3 */
bool rqv_cookie_domain_match(struct rqv_str host, bool host_is_address, struct rqv_str domain);

#endif
