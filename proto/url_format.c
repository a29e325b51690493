/* SPDX-License-Identifier: MIT */
/*
 * url_format - what of a URL goes into a request: the target (RFC 9112 3.2.1) and the Host value (RFC
 * 9110 7.2). Output is counted against the caller's size before each write; nothing else is kept.
 */
#include "proto/url.h"

#include <reqivo/error.h>

#include <string.h>

struct out {
    char *at;
    size_t len, size;
};

/* Bytes that go into a target as they are: those of RFC 3986 and the brackets, which servers see raw from
 * every other client (a[]=1). The parser has refused control bytes, space and backslash; they are encoded all
 * the same, for a struct that was filled by hand. */
static const uint8_t plain[256] = {
    [0x21] = 1, [0x23 ... 0x3b] = 1, [0x3d] = 1,          [0x3f ... 0x5b] = 1,
    [0x5d] = 1, [0x5f] = 1,          [0x61 ... 0x7a] = 1, [0x7e] = 1,
};

static bool put(struct out *out, const char *bytes, size_t len)
{
    if (len > out->size - out->len)
        return false;
    if (len > 0)
        memcpy(out->at + out->len, bytes, len);
    out->len += len;
    return true;
}

/* Plain bytes in runs, the others as %XX (upper case: RFC 3986 6.2.2.1). */
static bool put_encoded(struct out *out, struct rqv_str s)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i = 0, run = 0;

    for (; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        char triple[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (plain[c])
            continue;
        if (!put(out, s.ptr + run, i - run) || !put(out, triple, sizeof(triple)))
            return false;
        run = i + 1;
    }
    return put(out, s.ptr + run, i - run);
}

/* Takes the last segment, with its '/', off what was written. */
static void drop_segment(struct out *out)
{
    while (out->len > 0 && out->at[--out->len] != '/')
        ;
}

/* The path segment by segment, "." left out and ".." taking the one before along: RFC 3986 5.2.4, in one
 * pass, since the output holds only '/' and whole segments. */
static bool put_path(struct out *out, struct rqv_str path)
{
    struct rqv_str rest = path, segment;
    bool open = false; /* the last segment was a dot segment: a '/' is owed */

    if (path.len == 0)
        return put(out, "/", 1);
    if (!memmem(path.ptr, path.len, "/.", 2))
        return put_encoded(out, path);
    rest.ptr++; /* the first '/' */
    rest.len--;
    while (rqv_str_split(&rest, '/', &segment)) {
        bool up = rqv_str_eq(segment, RQV_STR(".."));

        open = up || rqv_str_eq(segment, RQV_STR("."));
        if (up)
            drop_segment(out);
        if (!open && (!put(out, "/", 1) || !put_encoded(out, segment)))
            return false;
    }
    return !open || put(out, "/", 1);
}

long rqv_url_target(const struct rqv_url *url, char *out, size_t size)
{
    struct out o = {out, 0, size};

    if (!put_path(&o, url->path))
        return REQIVO_E_URL;
    if (url->query.ptr && (!put(&o, "?", 1) || !put_encoded(&o, url->query)))
        return REQIVO_E_URL;
    return (long)o.len;
}

long rqv_url_authority(const struct rqv_url *url, char *out, size_t size)
{
    bool brackets = url->host_type == RQV_HOST_IPV6;
    struct out o = {out, 0, size};
    char port[6]; /* ":65535", filled from its end */
    size_t at = sizeof(port);

    if (url->host_type == RQV_HOST_NAME_UNICODE)
        return REQIVO_E_URL;
    if ((brackets && !put(&o, "[", 1)) || !put(&o, url->host, url->host_len) ||
        (brackets && !put(&o, "]", 1)))
        return REQIVO_E_URL;
    if (url->port != (url->scheme == RQV_SCHEME_HTTPS ? 443 : 80)) {
        unsigned left = url->port;

        do {
            port[--at] = (char)('0' + left % 10);
            left /= 10;
        } while (left > 0);
        port[--at] = ':';
        if (!put(&o, port + at, sizeof(port) - at))
            return REQIVO_E_URL;
    }
    return (long)o.len;
}
