/* SPDX-License-Identifier: MIT */
/*
 * http1_parser - the second opinion: http-parser reads each gated head, and must see what we saw. The only
 * file that includes http_parser.h; to change the parser, change this file. The canaries that the daemon
 * feeds itself at start live here too: Debian's http-parser is the lax build (security.md, findings 1 and 2),
 * so what is proven at start is gate and parser together.
 */
#include "proto/http1_parts.h"

#include <reqivo/error.h>

#include <http_parser.h>
#include <string.h>

/* ---- agreement --------------------------------------------------------------------------------------------
 */

struct check {
    const struct rqv_http1_head *head;
    const struct rqv_http1_framing *framing;
    size_t names, values;
    bool same; /* the fields, so far */
    bool complete;
};

static const struct rqv_field *field_at(const struct check *check, size_t i)
{
    return i < check->head->fields->count ? &check->head->fields->at[i] : NULL;
}

/* The head is fed at once, so each name and each value arrives in one call, as a pointer into the same bytes.
 */
static int on_name(http_parser *parser, const char *at, size_t len)
{
    struct check *check = parser->data;
    const struct rqv_field *field = field_at(check, check->names++);

    check->same = check->same && field && field->name.ptr == at && field->name.len == len;
    return 0;
}

/* The parser keeps white space behind a value, and reports an empty value at its line's end. */
static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct check *check = parser->data;
    const struct rqv_field *field = field_at(check, check->values++);

    check->same = check->same && field && field->value.len <= len &&
                  (field->value.len == 0 ? len == 0 : field->value.ptr == at);
    return 0;
}

static bool agrees(const http_parser *parser, const struct check *check)
{
    const struct rqv_http1_head *head = check->head;
    const struct rqv_http1_framing *framing = check->framing;
    bool chunked = (parser->flags & F_CHUNKED) != 0;
    /* http-parser sets the length to all ones when there is none. */
    uint64_t length = framing->content_length >= 0 ? (uint64_t)framing->content_length : UINT64_MAX;

    return check->same && check->names == head->fields->count && check->values == head->fields->count &&
           (int)parser->status_code == head->status && parser->http_major == 1 &&
           parser->http_minor == head->minor && chunked == framing->chunked &&
           ((parser->flags & F_CONTENTLENGTH) != 0) == (framing->content_length >= 0) &&
           parser->content_length == length;
}

static int on_complete(http_parser *parser)
{
    struct check *check = parser->data;

    check->complete = agrees(parser, check);
    return 1; /* no body follows, whatever the head says: bodies are ours */
}

int rqv_http1_parser_check(const uint8_t *bytes, size_t len, const struct rqv_http1_head *head,
                           const struct rqv_http1_framing *framing, const char **ret_why)
{
    static const http_parser_settings settings = {
        .on_header_field = on_name, .on_header_value = on_value, .on_headers_complete = on_complete};
    struct check check = {.head = head, .framing = framing, .same = true};
    http_parser parser;

    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &check;
    if (http_parser_execute(&parser, &settings, (const char *)bytes, len) == len &&
        HTTP_PARSER_ERRNO(&parser) == HPE_OK && check.complete)
        return 0;
    *ret_why = "the second parser does not agree with the head";
    return REQIVO_E_RESPONSE_HEAD;
}

/* ---- canaries ---------------------------------------------------------------------------------------------
 */

struct canary {
    const char *name;
    const char *bytes;
    enum { GOOD, HOSTILE } kind;
};

#define OK_LINE "HTTP/1.1 200 OK\r\n"

static const struct canary canaries[] = {
    {"length", OK_LINE "Content-Length: 2\r\n\r\nok", GOOD},
    {"chunked", OK_LINE "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", GOOD},
    {"trailers", OK_LINE "Transfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nok\r\n0\r\nX: y\r\n\r\n", GOOD},
    {"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", GOOD},
    {"empty value", OK_LINE "X:\r\nContent-Length: 0\r\n\r\n", GOOD},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", GOOD},
    {"304 with a length has no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n", GOOD},
    {"interim", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_LINE "Content-Length: 0\r\n\r\n", GOOD},
    {"1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", GOOD},
    {"length and coding", OK_LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     HOSTILE},
    {"coding and length", OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
     HOSTILE},
    {"two lengths", OK_LINE "Content-Length: 0\r\nContent-Length: 2\r\n\r\n", HOSTILE},
    {"a list of lengths", OK_LINE "Content-Length: 0, 0\r\n\r\n", HOSTILE},
    {"length with a sign", OK_LINE "Content-Length: +0\r\n\r\n", HOSTILE},
    {"length over 2^63", OK_LINE "Content-Length: 18446744073709551616\r\n\r\n", HOSTILE},
    {"two codings (CVE-2020-8287)",
     OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", HOSTILE},
    {"coding list", OK_LINE "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", HOSTILE},
    {"unknown coding", OK_LINE "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", HOSTILE},
    {"coding with a tab", OK_LINE "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", HOSTILE},
    {"coding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HOSTILE},
    {"space before colon", OK_LINE "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", HOSTILE},
    {"space in a name", OK_LINE "A b: c\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"leading space", OK_LINE " Content-Length: 5\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"folded", OK_LINE "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"bare LF", OK_LINE "X: a\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"bare CR in an empty value (CVE-2023-30589)", OK_LINE "X:\rContent-Length: 0\r\n\r\n", HOSTILE},
    {"CR before the end (CVE-2025-23167)", OK_LINE "Content-Length: 0\r\n\rX\r\n", HOSTILE},
    {"control byte in a value", OK_LINE "X: a\001b\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"control byte in the reason", "HTTP/1.1 200 O\001K\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"version 2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"version 1.2", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"status 20", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"status 000", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"status 600", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n", HOSTILE},
    {"101 unasked", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", HOSTILE},
    {"204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", HOSTILE},
    {"103 with a length", "HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\n", HOSTILE},
    {"chunk size with a space", OK_LINE "Transfer-Encoding: chunked\r\n\r\n2 x\r\nok\r\n0\r\n\r\n", HOSTILE},
    {"chunk size then CR X", OK_LINE "Transfer-Encoding: chunked\r\n\r\n2\rXok\r\n0\r\n\r\n", HOSTILE},
    {"chunk data too long", OK_LINE "Transfer-Encoding: chunked\r\n\r\n2\r\nokXX0\r\n\r\n", HOSTILE},
    {"bare LF in an extension", OK_LINE "Transfer-Encoding: chunked\r\n\r\n2;a\nok\r\n0\r\n\r\n", HOSTILE},
};

/* A good one is read to its END with no byte left; a hostile one fails before. */
static bool judged_right(const struct canary *canary, const struct rqv_http1_limits *limits)
{
    struct rqv_fields fields;
    struct rqv_http1_decoder dec;
    struct rqv_http1_event event;
    const uint8_t *in = (const uint8_t *)canary->bytes;
    size_t len = strlen(canary->bytes);
    int r;

    rqv_http1_init(&dec, limits, &fields);
    rqv_http1_begin(&dec, &(struct rqv_http1_request_info){.is_head = false});
    do {
        r = rqv_http1_decode(&dec, in, len, &event);
        if (r < 0)
            return canary->kind == HOSTILE;
        in += event.consumed;
        len -= event.consumed;
    } while (event.type != RQV_HTTP1_END && event.type != RQV_HTTP1_NEED);
    return canary->kind == GOOD && event.type == RQV_HTTP1_END && len == 0;
}

int rqv_http1_canaries(const char **ret_which)
{
    struct rqv_http1_limits limits;

    rqv_http1_limits_default(&limits);
    for (size_t i = 0; i < sizeof(canaries) / sizeof(canaries[0]); i++) {
        if (!judged_right(&canaries[i], &limits)) {
            *ret_which = canaries[i].name;
            return REQIVO_E_INTERNAL;
        }
    }
    return 0;
}
