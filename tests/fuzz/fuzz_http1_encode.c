/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http1_encode - a hostile program. Input, separated by 0xff: options, method, target, host, then name,
 * value, ...
 *
 *   options: letters `l` (Content-Length) or `c` (chunked), `e` (Expect), and digits for the length
 *
 * The promises: what is written is, for http-parser, exactly one request with the fields that were asked for
 * and ours; a buffer one byte too small is refused; a chunk head is read back by our own decoder.
 */
#include "proto/http1.h"
#include "proto/http1_parts.h"

#include <reqivo/error.h>

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct rqv_field at[RQV_FIELDS_MAX + 3]; /* as http-parser sees them; three may be ours */
    struct rqv_str target;
    size_t count, values, completed;
};

static void require(bool kept)
{
    if (!kept)
        abort();
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct seen *seen = parser->data;

    seen->target = (struct rqv_str){at, len};
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t len)
{
    struct seen *seen = parser->data;

    require(seen->count < RQV_FIELDS_MAX + 3);
    seen->at[seen->count++].name = (struct rqv_str){at, len};
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct seen *seen = parser->data;

    require(seen->values < seen->count);
    seen->at[seen->values++].value = rqv_str_trim((struct rqv_str){at, len});
    return 0;
}

static int on_head(http_parser *parser)
{
    (void)parser;
    return 1;
}

static int on_complete(http_parser *parser)
{
    ((struct seen *)parser->data)->completed++;
    return 0;
}

/* The method is one http-parser may not know: it reads POST in its place. */
static void parse(const struct rqv_http1_request *request, const uint8_t *head, size_t len, struct seen *seen)
{
    static const http_parser_settings settings = {.on_url = on_url,
                                                  .on_header_field = on_name,
                                                  .on_header_value = on_value,
                                                  .on_headers_complete = on_head,
                                                  .on_message_complete = on_complete};
    size_t method = request->method.len;
    http_parser parser;

    require(len > method && memcmp(head, request->method.ptr, method) == 0);
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = seen;
    require(http_parser_execute(&parser, &settings, "POST", 4) == 4);
    require(http_parser_execute(&parser, &settings, (const char *)head + method, len - method) ==
            len - method);
    require(HTTP_PARSER_ERRNO(&parser) == HPE_OK && seen->completed == 1);
    require(((parser.flags & F_CHUNKED) != 0) == (request->body == RQV_HTTP1_CHUNKED));
    require(((parser.flags & F_CONTENTLENGTH) != 0) == (request->body == RQV_HTTP1_LENGTH));
    if (request->body == RQV_HTTP1_LENGTH)
        require(parser.content_length == request->content_length);
}

static bool is_host(struct rqv_str name)
{
    return rqv_str_eq_nocase(name, RQV_STR("host"));
}

/* Host, the caller's in order, then at most two of ours. */
static void compare(const struct rqv_http1_request *request, const struct seen *seen)
{
    size_t at = 1;

    require(rqv_str_eq(seen->target, request->target));
    require(seen->count > 0 && is_host(seen->at[0].name));
    for (size_t i = 0; i < request->fields->count; i++) {
        const struct rqv_field *want = &request->fields->at[i];

        if (is_host(want->name)) {
            require(rqv_str_eq(seen->at[0].value, want->value));
            continue;
        }
        require(at < seen->count);
        require(rqv_str_eq(seen->at[at].name, want->name));
        require(rqv_str_eq(seen->at[at].value, rqv_str_trim(want->value)));
        at++;
    }
    require(seen->count - at <= 2);
}

static void check_chunk(uint64_t size)
{
    uint8_t out[RQV_HTTP1_CHUNK_HEAD_MAX];
    size_t len = rqv_http1_encode_chunk_head(size, out);
    struct rqv_http1_limits limits;
    struct rqv_http1_chunk chunk;
    struct rqv_http1_piece piece;
    const char *why;

    require(len <= sizeof(out) && (len == 0) == (size == 0));
    rqv_http1_limits_default(&limits);
    rqv_http1_chunk_init(&chunk, &limits);
    require(rqv_http1_chunk_decode(&chunk, out, len, &piece, &why) == 0);
    require(piece.consumed == len && chunk.left == size && !piece.last);
}

static void read_options(struct rqv_str options, struct rqv_http1_request *request)
{
    for (size_t i = 0; i < options.len; i++) {
        char c = options.ptr[i];

        if (c == 'l')
            request->body = RQV_HTTP1_LENGTH;
        else if (c == 'c')
            request->body = RQV_HTTP1_CHUNKED;
        else if (c == 'u')
            request->body = RQV_HTTP1_UNTIL_CLOSE;
        else if (c == 'e')
            request->expect_continue = true;
        else if (c >= '0' && c <= '9')
            request->content_length = (request->content_length * 10 + (uint64_t)(c - '0')) & (INT64_MAX >> 4);
    }
}

static void read_request(struct rqv_str rest, struct rqv_fields *fields,
                         struct rqv_http1_request *ret_request)
{
    struct rqv_str options = RQV_STR(""), name, value;

    *ret_request = (struct rqv_http1_request){.fields = fields};
    (void)rqv_str_split(&rest, '\xff', &options);
    (void)rqv_str_split(&rest, '\xff', &ret_request->method);
    (void)rqv_str_split(&rest, '\xff', &ret_request->target);
    (void)rqv_str_split(&rest, '\xff', &ret_request->host);
    fields->count = 0;
    while (rqv_str_split(&rest, '\xff', &name) && rqv_str_split(&rest, '\xff', &value))
        if (rqv_fields_add(fields, name, value) < 0)
            break;
    read_options(options, ret_request);
}

/* http-parser takes "Transfer-Encodingx" for the real one when it looks for a length beside it. */
static bool confuses_the_judge(const struct rqv_fields *fields)
{
    const struct rqv_str coding = RQV_STR("transfer-encoding");

    for (size_t i = 0; i < fields->count; i++) {
        struct rqv_str name = fields->at[i].name;

        if (name.len > coding.len && rqv_str_eq_nocase((struct rqv_str){name.ptr, coding.len}, coding))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[16384];
    static struct rqv_fields fields;
    static struct seen seen;
    struct rqv_http1_request request;
    long len;

    if (size == 0)
        return 0;
    read_request((struct rqv_str){(const char *)data, size}, &fields, &request);
    check_chunk(request.content_length);
    len = rqv_http1_encode_head(&request, out, sizeof(out));
    (void)rqv_http1_method_is_idempotent(request.method);
    if (len < 0 || confuses_the_judge(&fields))
        return 0;
    require(rqv_http1_encode_head(&request, out, (size_t)len - 1) == REQIVO_E_LIMIT_HEAD);
    require(rqv_http1_encode_head(&request, out, (size_t)len) == len);
    seen = (struct seen){.values = 0};
    parse(&request, out, (size_t)len, &seen);
    compare(&request, &seen);
    return 0;
}
