/* SPDX-License-Identifier: MIT */
/*
 * url - parses an absolute http or https URL (RFC 3986, RFC 9110 4.2) into struct rqv_url.
 *
 *   https://user:pw@host:443/path?query#fragment
 *   '---'   '-----' '--' '-''---' '---' '------'
 *   scheme userinfo host port path query fragment
 *           '--------------'
 *              authority: ends at the first '/', '?' or '#', whatever it holds
 *
 * Each byte has one meaning here. Where parsers are known to differ (backslash, a second '@', '%' in the
 * host, numbers that are not dotted quads, trailing dots) the URL is refused, so that nobody who reads the
 * same URL in another way sees another origin. Output is in url_format.c.
 */
#include "proto/url.h"

#include <reqivo/error.h>

#include <arpa/inet.h>
#include <string.h>

enum { LABEL_MAX = 63 }; /* RFC 1035 2.3.4 */

/* Where a byte may stand. */
enum {
    U = 1, /* userinfo: unreserved, sub-delims, ':' (and pct-encoded, checked apart) */
    H = 2, /* host name: letters, digits, '-', '.', '_' */
    P = 4, /* path, query, fragment: printable but the backslash; bytes >= 0x80 */
};

/* clang-format off */
static const uint8_t classes[256] = {
    /*  ! */ [0x21] = U|P, P, P, U|P, U|P, U|P, U|P, U|P, U|P, U|P, U|P, U|P, U|H|P, U|H|P, P,
    /*  0 */ U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|P, U|P, P, U|P, P, P,
    /*  @ */ P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P,
    /*  P */ U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, P, 0, P, P, U|H|P,
    /*  ` */ P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P,
    /*  p */ U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, U|H|P, P, P, P, U|P,
    [0x80 ... 0xff] = H|P,
};
/* clang-format on */

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return REQIVO_E_URL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    unsigned char lower = rqv_ascii_lower((unsigned char)c);

    return is_digit(c) || (lower >= 'a' && lower <= 'f');
}

/* Is every byte of the class, and every '%' followed by two hexadecimal digits? RFC 3986 2.1 */
static bool all_of(struct rqv_str s, unsigned class)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(classes[(unsigned char)s.ptr[i]] & class))
            return false;
        if (s.ptr[i] == '%' && (s.len - i < 3 || !is_hex(s.ptr[i + 1]) || !is_hex(s.ptr[i + 2])))
            return false;
    }
    return true;
}

/* Takes what stands before the first of three stop bytes off the front of *rest; the stop byte stays. */
static struct rqv_str take_until(struct rqv_str *rest, char stop1, char stop2, char stop3)
{
    struct rqv_str part = {rest->ptr, 0};
    size_t n = 0;

    while (n < rest->len && rest->ptr[n] != stop1 && rest->ptr[n] != stop2 && rest->ptr[n] != stop3)
        n++;
    part.len = n;
    rest->ptr += n;
    rest->len -= n;
    return part;
}

static int parse_scheme(struct rqv_str *rest, struct rqv_url *url, const char **ret_why)
{
    const char *colon = memchr(rest->ptr, ':', rest->len);
    struct rqv_str scheme = {rest->ptr, colon ? (size_t)(colon - rest->ptr) : rest->len};

    if (!colon)
        return refuse(ret_why, "there is no scheme; a URL begins with http:// or https://");
    if (rqv_str_eq_nocase(scheme, RQV_STR("https")))
        url->scheme = RQV_SCHEME_HTTPS;
    else if (rqv_str_eq_nocase(scheme, RQV_STR("http")))
        url->scheme = RQV_SCHEME_HTTP;
    else
        return refuse(ret_why, "the scheme is neither http nor https");
    rest->ptr += scheme.len + 1;
    rest->len -= scheme.len + 1;
    if (!rqv_str_starts(*rest, RQV_STR("//")))
        return refuse(ret_why, "'//' is missing after the scheme");
    rest->ptr += 2;
    rest->len -= 2;
    return 0;
}

/* "[fe80::1%252]" becomes address and host; *rest goes on behind the bracket. */
static int parse_ipv6(struct rqv_str *rest, struct rqv_url *url, const char **ret_why)
{
    const char *end = memchr(rest->ptr, ']', rest->len);
    char text[INET6_ADDRSTRLEN + 16];
    struct rqv_str zone, inner;
    size_t len;

    if (!end)
        return refuse(ret_why, "the ']' of the IPv6 address is missing");
    zone = (struct rqv_str){rest->ptr + 1, (size_t)(end - rest->ptr) - 1};
    inner = take_until(&zone, '%', '%', '%');
    /* RFC 6874: the zone's '%' is itself percent-encoded, and nothing else in here is. */
    if (zone.len > 0 && !rqv_str_starts(zone, RQV_STR("%25")))
        return refuse(ret_why, "the zone of the IPv6 address must follow '%25'");
    len = inner.len + (zone.len > 0 ? zone.len - 2 : 0);
    if (len >= sizeof(text))
        return refuse(ret_why, "the IPv6 address is too long");
    memcpy(text, inner.ptr, inner.len);
    if (zone.len > 0) {
        text[inner.len] = '%';
        memcpy(text + inner.len + 1, zone.ptr + 3, zone.len - 3);
    }
    if (!rqv_addr_parse(text, len, 0, &url->addr) || url->addr.family != 6)
        return refuse(
            ret_why,
            "the host in brackets is not an IPv6 address (a zone is a number, and only with fe80::/10)");
    inet_ntop(AF_INET6, url->addr.bytes, url->host, sizeof(url->host));
    url->host_len = strlen(url->host);
    url->host_type = RQV_HOST_IPV6;
    rest->len -= (size_t)(end + 1 - rest->ptr);
    rest->ptr = end + 1;
    return 0;
}

/* Decimal digits, or 0x and hexadecimal digits: the WHATWG URL standard's "ends in a number", what
 * inet_aton() and many resolvers take for an address. */
static bool is_number(struct rqv_str label)
{
    bool hex = label.len >= 2 && label.ptr[0] == '0' && label.ptr[1] == 'x';

    for (size_t i = hex ? 2 : 0; i < label.len; i++) {
        if (hex ? !is_hex(label.ptr[i]) : !is_digit(label.ptr[i]))
            return false;
    }
    return true;
}

/* Labels: none empty, none over 63 bytes (a unicode one grows or shrinks: its ASCII form is measured later).
 */
static int check_labels(const struct rqv_url *url, struct rqv_str *ret_last, const char **ret_why)
{
    struct rqv_str rest = {url->host, url->host_len}, label;

    while (rqv_str_split(&rest, '.', &label)) {
        if (label.len == 0)
            return refuse(ret_why, rest.ptr ? "the host has an empty label" : "the host ends with a dot");
        if (label.len > LABEL_MAX && url->host_type == RQV_HOST_NAME)
            return refuse(ret_why, "a label of the host is longer than 63 bytes");
        *ret_last = label;
    }
    return 0;
}

/* A host without brackets, all of it: lower case, type, address. */
static int parse_host(struct rqv_str host, struct rqv_url *url, const char **ret_why)
{
    struct rqv_str last = {0};
    int error;

    if (host.len == 0)
        return refuse(ret_why, "the host is empty");
    if (host.len > RQV_HOST_MAX)
        return refuse(ret_why, "the host is longer than 253 bytes");
    url->host_type = RQV_HOST_NAME;
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];

        if (!(classes[c] & H))
            return refuse(ret_why, "the host has a byte that no host name has");
        if (c >= 0x80)
            url->host_type = RQV_HOST_NAME_UNICODE;
        url->host[i] = (char)rqv_ascii_lower(c);
    }
    url->host[host.len] = '\0';
    url->host_len = host.len;
    error = check_labels(url, &last, ret_why);
    if (error)
        return error;
    if (is_number(last)) {
        if (!rqv_addr_parse(url->host, url->host_len, 0, &url->addr))
            return refuse(ret_why, "the host ends in a number but is not an IPv4 address");
        url->host_type = RQV_HOST_IPV4;
    }
    return 0;
}

/* ":443" or nothing. An empty port is the scheme's (RFC 3986 3.2.3). */
static int parse_port(struct rqv_str text, struct rqv_url *url, const char **ret_why)
{
    uint64_t port = url->scheme == RQV_SCHEME_HTTPS ? 443 : 80;

    if (text.len > 0 && text.ptr[0] != ':')
        return refuse(ret_why, "there are bytes between the host's ']' and the port");
    if (text.len > 1) {
        struct rqv_str digits = {text.ptr + 1, text.len - 1};

        if (digits.len > 5 || !rqv_str_u64(digits, &port) || port == 0 || port > 65535)
            return refuse(ret_why, "the port is not a number from 1 to 65535");
        url->port_given = true;
    }
    url->port = (uint16_t)port;
    if (url->addr.family)
        url->addr.port = url->port;
    return 0;
}

static int parse_authority(struct rqv_str authority, struct rqv_url *url, const char **ret_why)
{
    const char *at = memchr(authority.ptr, '@', authority.len);
    int error;

    if (at) {
        url->userinfo = (struct rqv_str){authority.ptr, (size_t)(at - authority.ptr)};
        if (!all_of(url->userinfo, U))
            return refuse(ret_why, "the user information has a byte that must be percent-encoded");
        authority.len -= url->userinfo.len + 1;
        authority.ptr = at + 1;
        /* Which one ends the user information? Parsers disagree, so: one only. */
        if (memchr(authority.ptr, '@', authority.len))
            return refuse(ret_why, "there is more than one '@' before the path");
    }
    if (authority.len > 0 && authority.ptr[0] == '[')
        error = parse_ipv6(&authority, url, ret_why);
    else
        error = parse_host(take_until(&authority, ':', ':', ':'), url, ret_why);
    return error ? error : parse_port(authority, url, ret_why);
}

/* Path, query and fragment; *rest begins with '/', '?', '#' or is empty. */
static int parse_rest(struct rqv_str rest, struct rqv_url *url, const char **ret_why)
{
    url->path = take_until(&rest, '?', '#', '#');
    if (rest.len > 0 && rest.ptr[0] == '?') {
        rest.ptr++;
        rest.len--;
        url->query = take_until(&rest, '#', '#', '#');
    }
    if (rest.len > 0)
        url->fragment = (struct rqv_str){rest.ptr + 1, rest.len - 1};
    if (!all_of(url->path, P) || !all_of(url->query, P) || !all_of(url->fragment, P))
        return refuse(ret_why, "a '%' is not followed by two hexadecimal digits");
    return 0;
}

int rqv_url_parse(const char *text, size_t len, struct rqv_url *ret_url, const char **ret_why)
{
    struct rqv_str rest = {text, len};
    struct rqv_url url = {0};
    int error;

    if (len == 0)
        return refuse(ret_why, "the URL is empty");
    if (len > RQV_URL_MAX)
        return refuse(ret_why, "the URL is longer than 32768 bytes");
    for (size_t i = 0; i < len; i++) {
        if (!classes[(unsigned char)text[i]])
            return refuse(ret_why, text[i] == ' '    ? "there is a space in the URL"
                                   : text[i] == '\\' ? "there is a backslash in the URL"
                                                     : "there is a control byte in the URL");
    }
    error = parse_scheme(&rest, &url, ret_why);
    if (!error)
        error = parse_authority(take_until(&rest, '/', '?', '#'), &url, ret_why);
    if (!error)
        error = parse_rest(rest, &url, ret_why);
    if (!error)
        *ret_url = url;
    return error;
}

int rqv_url_parse_place(struct rqv_str text, enum rqv_scheme scheme, struct rqv_url *ret_url,
                        const char **ret_why)
{
    struct rqv_url url = {.scheme = scheme};
    int error = parse_authority(text, &url, ret_why);

    if (!error && url.userinfo.ptr)
        error = refuse(ret_why, "user information does not belong there");
    if (!error)
        *ret_url = url;
    return error;
}

bool rqv_url_same_origin(const struct rqv_url *a, const struct rqv_url *b)
{
    return a->scheme == b->scheme && a->host_type == b->host_type && a->port == b->port &&
           a->addr.scope_id == b->addr.scope_id && a->host_len == b->host_len &&
           memcmp(a->host, b->host, a->host_len) == 0;
}

int rqv_url_set_host(struct rqv_url *url, const char *ascii, size_t len, const char **ret_why)
{
    struct rqv_url copy = *url;
    int error;

    copy.addr = (struct rqv_addr){0};
    error = parse_host((struct rqv_str){ascii, len}, &copy, ret_why);
    if (error)
        return error;
    if (copy.host_type == RQV_HOST_NAME_UNICODE)
        return refuse(ret_why, "the host is not in its ASCII form");
    if (copy.addr.family)
        copy.addr.port = copy.port;
    *url = copy;
    return 0;
}
