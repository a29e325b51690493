/* SPDX-License-Identifier: MIT */
/* http1_asked - see http1_asked.h: the request line, then field by field. RFC 9112 3 and 5. */
#include "proto/http1_asked.h"

#include <errno.h>
#include <string.h>

size_t rqv_http1_asked_end(struct rqv_str bytes)
{
    for (size_t i = 0; i + 1 < bytes.len; i++) {
        size_t next = i + 1;

        if (bytes.ptr[i] != '\n')
            continue;
        next += bytes.ptr[next] == '\r'; /* lines that end in LF alone are an end, too: to be refused */
        if (next < bytes.len && bytes.ptr[next] == '\n')
            return next + 1;
    }
    return 0;
}

/* One line without its CRLF. */
static bool take_line(struct rqv_str *rest, struct rqv_str *ret_line)
{
    if (!rqv_str_split(rest, '\n', ret_line) || ret_line->len == 0 ||
        ret_line->ptr[ret_line->len - 1] != '\r')
        return false;
    ret_line->len--;
    return true;
}

static int decode_version(struct rqv_str text, unsigned *ret_minor)
{
    if (text.len != 8 || !rqv_str_starts(text, RQV_STR("HTTP/")) || text.ptr[6] != '.' || text.ptr[5] < '0' ||
        text.ptr[5] > '9' || text.ptr[7] < '0' || text.ptr[7] > '9')
        return -EBADMSG;
    *ret_minor = (unsigned)(text.ptr[7] - '0');
    return text.ptr[5] == '1' && *ret_minor <= 1 ? 0 : -EPROTONOSUPPORT;
}

/* "/path?query" or "http://authority/path?query"; what else there is (CONNECT's, OPTIONS') is a path to
 * nowhere. */
static bool decode_target(struct rqv_str target, struct rqv_http1_asked *request)
{
    static const char scheme[] = "http://";
    const size_t skip = sizeof(scheme) - 1;

    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.ptr[i] <= ' ' || (unsigned char)target.ptr[i] >= 0x7f)
            return false;
    if (target.len > skip && rqv_str_eq_nocase((struct rqv_str){target.ptr, skip}, RQV_STR(scheme))) {
        target = (struct rqv_str){target.ptr + skip, target.len - skip};
        request->authority = target;
        while (target.len > 0 && *target.ptr != '/' && *target.ptr != '?')
            target = (struct rqv_str){target.ptr + 1, target.len - 1};
        request->authority.len -= target.len;
    }
    const char *query = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    request->path = (struct rqv_str){target.ptr, query ? (size_t)(query - target.ptr) : target.len};
    return true;
}

static int decode_request_line(struct rqv_str line, struct rqv_http1_asked *request)
{
    struct rqv_str target;

    if (!rqv_str_split(&line, ' ', &request->method) || !rqv_str_is_token(request->method) ||
        !rqv_str_split(&line, ' ', &target) || target.len == 0 || !line.ptr ||
        !decode_target(target, request))
        return -EBADMSG;
    return decode_version(line, &request->minor);
}

static int decode_field(struct rqv_str line, struct rqv_http1_asked *request)
{
    struct rqv_str name;

    if (!rqv_str_split(&line, ':', &name) || !line.ptr || !rqv_str_is_token(name) ||
        !rqv_str_is_field_value(line))
        return -EBADMSG;
    if (!rqv_str_eq_nocase(name, RQV_STR("Host")))
        return 0;
    if (request->host.ptr)
        return -EBADMSG;
    request->host = rqv_str_trim(line);
    return 0;
}

int rqv_http1_asked_decode(struct rqv_str head, struct rqv_http1_asked *ret_asked)
{
    struct rqv_http1_asked request = {.minor = 0};
    struct rqv_str line;

    if (!take_line(&head, &line))
        return -EBADMSG;
    int rc = decode_request_line(line, &request);
    while (rc == 0) {
        if (!take_line(&head, &line))
            return -EBADMSG;
        if (line.len == 0)
            break;
        rc = decode_field(line, &request);
    }
    if (rc == 0 && request.minor == 1 && !request.host.ptr)
        rc = -EBADMSG;
    if (rc == 0)
        *ret_asked = request;
    return rc;
}
