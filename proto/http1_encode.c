/* SPDX-License-Identifier: MIT */
/*
 * http1_encode - request heads and chunk framing (RFC 9112 3, 7.1). We alone write what frames the message
 * and names its host; a byte that could end a line early is refused, not escaped (security.md B4, request
 * side).
 *
 *   METHOD SP target SP HTTP/1.1 CRLF | Host | the caller's fields | Content-Length or Transfer-Encoding |
 * Expect | CRLF
 */
#include "proto/http1.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>

/* ---- a bounded writer
 * --------------------------------------------------------------------------------------- */

struct writer {
    uint8_t *out;
    size_t used, size;
    bool full;
};

static void put(struct writer *writer, struct rqv_str bytes)
{
    if (writer->full || bytes.len > writer->size - writer->used) {
        writer->full = true;
        return;
    }
    if (bytes.len > 0)
        memcpy(writer->out + writer->used, bytes.ptr, bytes.len);
    writer->used += bytes.len;
}

static void put_field(struct writer *writer, struct rqv_str name, struct rqv_str value)
{
    put(writer, name);
    put(writer, RQV_STR(": "));
    put(writer, value);
    put(writer, RQV_STR("\r\n"));
}

static void put_number(struct writer *writer, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(writer, (struct rqv_str){digits + at, sizeof(digits) - at});
}

/* ---- what may be written
 * -------------------------------------------------------------------------------------- */

/* Origin-form or "*", visible ASCII, no fragment (RFC 9112 3.2.1, 3.2.4). */
static bool target_ok(const struct rqv_http1_request *request)
{
    struct rqv_str target = request->target;

    if (target.len == 1 && target.ptr[0] == '*')
        return rqv_str_eq(request->method, RQV_STR("OPTIONS"));
    if (target.len == 0 || target.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f || target.ptr[i] == '#')
            return false;
    return true;
}

/* uri-host [ ":" port ] by its characters (RFC 9110 7.2, RFC 3986 3.2.2); never empty, never with userinfo.
 */
static bool host_ok(struct rqv_str host)
{
    static const char marks[] = "-._~%!$&'()*+,;=[]:";

    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!alnum && (c == '\0' || strchr(marks, c) == NULL))
            return false;
    }
    return host.len > 0;
}

static bool is_host_field(const struct rqv_field *field)
{
    return field->name.len == 4 && rqv_str_eq_nocase(field->name, RQV_STR("host"));
}

/* The Host to write: the caller's own, once at most, or the URL's. */
static int choose_host(const struct rqv_http1_request *request, struct rqv_str *ret_host)
{
    const struct rqv_field *own = NULL;

    if (request->fields) {
        own = rqv_fields_get(request->fields, RQV_STR("host"), 0);
        if (own && rqv_fields_get(request->fields, RQV_STR("host"), 1))
            return REQIVO_E_FIELD;
    }
    if (!host_ok(own ? own->value : request->host))
        return own ? REQIVO_E_FIELD : REQIVO_E_URL;
    *ret_host = own ? own->value : request->host;
    return 0;
}

static int check(const struct rqv_http1_request *request, struct rqv_str *ret_host)
{
    size_t which;
    int r;

    /* "connect" is no CONNECT by the letter, but a server that thinks otherwise would open a tunnel. */
    if (!rqv_str_is_token(request->method) || rqv_str_eq_nocase(request->method, RQV_STR("CONNECT")))
        return REQIVO_E_METHOD;
    if (!target_ok(request))
        return REQIVO_E_URL;
    if (request->body != RQV_HTTP1_NONE && request->body != RQV_HTTP1_LENGTH &&
        request->body != RQV_HTTP1_CHUNKED)
        return -EINVAL;
    r = request->fields ? rqv_fields_check_request(request->fields, &which) : 0;
    return r < 0 ? r : choose_host(request, ret_host);
}

long rqv_http1_encode_head(const struct rqv_http1_request *request, uint8_t *out, size_t size)
{
    struct writer writer = {.out = out, .size = size};
    struct rqv_str host;
    bool has_body = request->body == RQV_HTTP1_CHUNKED ||
                    (request->body == RQV_HTTP1_LENGTH && request->content_length > 0);
    int r = check(request, &host);

    if (r < 0)
        return r;
    put(&writer, request->method);
    put(&writer, RQV_STR(" "));
    put(&writer, request->target);
    put(&writer, RQV_STR(" HTTP/1.1\r\n"));
    put_field(&writer, RQV_STR("Host"), host);
    for (size_t i = 0; request->fields && i < request->fields->count; i++)
        if (!is_host_field(&request->fields->at[i]))
            put_field(&writer, request->fields->at[i].name, request->fields->at[i].value);
    if (request->body == RQV_HTTP1_LENGTH) {
        put(&writer, RQV_STR("Content-Length: "));
        put_number(&writer, request->content_length);
        put(&writer, RQV_STR("\r\n"));
    } else if (request->body == RQV_HTTP1_CHUNKED) {
        put(&writer, RQV_STR("Transfer-Encoding: chunked\r\n"));
    }
    /* RFC 9110 10.1.1: not without content. */
    if (request->expect_continue && has_body)
        put(&writer, RQV_STR("Expect: 100-continue\r\n"));
    put(&writer, RQV_STR("\r\n"));
    return writer.full ? REQIVO_E_LIMIT_HEAD : (long)writer.used;
}

size_t rqv_http1_encode_chunk_head(uint64_t size, uint8_t out[RQV_HTTP1_CHUNK_HEAD_MAX])
{
    static const char hex[] = "0123456789abcdef";
    size_t digits = 0;

    if (size == 0)
        return 0;
    for (uint64_t rest = size; rest > 0; rest >>= 4)
        digits++;
    for (size_t i = digits; i > 0; size >>= 4)
        out[--i] = (uint8_t)hex[size & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}

/* ---- methods ----------------------------------------------------------------------------------------------
 */

bool rqv_http1_method_is_safe(struct rqv_str method)
{
    return rqv_str_eq(method, RQV_STR("GET")) || rqv_str_eq(method, RQV_STR("HEAD")) ||
           rqv_str_eq(method, RQV_STR("OPTIONS")) || rqv_str_eq(method, RQV_STR("TRACE"));
}

bool rqv_http1_method_is_idempotent(struct rqv_str method)
{
    return rqv_http1_method_is_safe(method) || rqv_str_eq(method, RQV_STR("PUT")) ||
           rqv_str_eq(method, RQV_STR("DELETE"));
}
