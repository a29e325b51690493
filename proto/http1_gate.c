/* SPDX-License-Identifier: MIT */
/*
 * http1_gate - the strict judgement of a head or trailer section, byte by byte, before anything else looks at
 * it.
 *
 *   in               line              searched            len
 *    |-- judged lines --|-- no LF in here --|-- not seen yet --|
 *
 * Each line is judged once, when its LF arrives. A head that comes in one piece (nearly all do) is judged and
 * taken apart in one pass; one that comes in pieces gets a second pass at its end, because its bytes may have
 * moved. What RFC 9112 lets a client forgive (bare LF, obs-fold, empty lines before the status line) is
 * refused here: every such kindness has been somebody's response smuggling. security.md B4.
 */
#include "proto/http1_parts.h"

#include <reqivo/error.h>

#include <string.h>

static int refuse(int code, const char *why, const char **ret_why)
{
    *ret_why = why;
    return code;
}

static bool is_ows(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct rqv_str view(const uint8_t *bytes, size_t len)
{
    return (struct rqv_str){(const char *)bytes, len};
}

/* "HTTP/1." must be there as far as bytes are: a server that speaks another protocol is found out at its
 * first byte, also when it never sends an LF. */
static bool prefix_ok(const uint8_t *in, size_t len)
{
    static const char prefix[] = "HTTP/1.";
    size_t n = len < sizeof(prefix) - 1 ? len : sizeof(prefix) - 1;

    return memcmp(in, prefix, n) == 0;
}

/* RFC 9112 4: HTTP-version SP status-code SP [ reason-phrase ]. The SP before an absent reason may be
 * missing, as many servers do; nothing else may. `line` is without its CRLF. */
static int status_line(const uint8_t *line, size_t len, struct rqv_http1_head *head, const char **ret_why)
{
    const int code = REQIVO_E_RESPONSE_HEAD;

    if (len < 12 || !prefix_ok(line, len))
        return refuse(code, "the status line is not HTTP/1.x and a status", ret_why);
    if ((line[7] != '0' && line[7] != '1') || line[8] != ' ')
        return refuse(code, "the version is neither HTTP/1.0 nor HTTP/1.1", ret_why);
    if (line[9] < '1' || line[9] > '5' || !is_digit(line[10]) || !is_digit(line[11]))
        return refuse(code, "the status is not three digits from 100 to 599", ret_why);
    if (len > 12 && line[12] != ' ')
        return refuse(code, "the status is not followed by a space", ret_why);
    if (len > 12 && !rqv_str_is_field_value(view(line + 13, len - 13)))
        return refuse(code, "the reason phrase has a control byte", ret_why);
    head->minor = line[7] - '0';
    head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    head->reason = len > 13 ? view(line + 13, len - 13) : view(line + len, 0);
    return 0;
}

/* RFC 9112 5: field-name ":" OWS field-value OWS. `fields` NULL: judge only. */
static int field_line(const struct rqv_http1_section *section, const uint8_t *line, size_t len,
                      struct rqv_fields *fields, const char **ret_why)
{
    const int code = REQIVO_E_RESPONSE_HEAD;
    size_t name, from, to = len;

    if (is_ows(line[0]))
        return refuse(code, "a field line begins with white space (obsolete folding)", ret_why);
    name = rqv_str_token_len(view(line, len));
    if (name == 0 || name == len || line[name] != ':')
        return refuse(code, "a field line is not a token, a colon and a value", ret_why);
    if (name > section->name_max)
        return refuse(REQIVO_E_RESPONSE_LIMIT, "a field name is too long", ret_why);
    for (from = name + 1; from < to && is_ows(line[from]);)
        from++;
    while (to > from && is_ows(line[to - 1]))
        to--;
    if (!rqv_str_is_field_value(view(line + from, to - from)))
        return refuse(code, "a field value has a control byte", ret_why);
    if (fields)
        fields->at[fields->count++] = (struct rqv_field){view(line, name), view(line + from, to - from)};
    return 0;
}

/* One pass over the section's lines. */
struct walk {
    const struct rqv_http1_section *section;
    const uint8_t *in;
    size_t len;
    struct rqv_http1_cursor *cursor;
    struct rqv_fields *fields; /* NULL: judge only */
};

/* One complete line without its CRLF. 1 when it was the empty one. */
static int judge_line(struct walk *walk, size_t end, const char **ret_why)
{
    const uint8_t *line = walk->in + walk->cursor->line;
    size_t len = end - walk->cursor->line;
    struct rqv_http1_head ignored;

    if (walk->cursor->line == 0 && walk->section->head)
        return status_line(line, len, walk->fields ? walk->section->head : &ignored, ret_why);
    if (len == 0)
        return 1;
    if (walk->cursor->fields >= walk->section->fields_max)
        return refuse(REQIVO_E_RESPONSE_LIMIT, "there are too many fields", ret_why);
    walk->cursor->fields++;
    return field_line(walk->section, line, len, walk->fields, ret_why);
}

/* 1 and where the next LF is, or 0 when it has not come and may still come. */
static int find_lf(struct walk *walk, size_t *ret_lf, const char **ret_why)
{
    struct rqv_http1_cursor *cursor = walk->cursor;
    size_t stop = cursor->line + walk->section->line_max + 1;
    size_t end = walk->len < stop ? walk->len : stop;
    const uint8_t *from = walk->in + cursor->searched;
    const uint8_t *lf = cursor->searched < end ? memchr(from, '\n', end - cursor->searched) : NULL;
    size_t past = lf ? (size_t)(lf - walk->in) + 1 : end;

    cursor->searched = end;
    if (past > walk->section->bytes_max)
        return refuse(REQIVO_E_RESPONSE_LIMIT, "the section is too long", ret_why);
    if (!lf && end == stop)
        return refuse(REQIVO_E_RESPONSE_LIMIT, "a line is too long", ret_why);
    if (!lf)
        return 0;
    *ret_lf = past - 1;
    return 1;
}

static int pass(struct walk *walk, const char **ret_why)
{
    for (;;) {
        size_t lf = 0;
        int r = find_lf(walk, &lf, ret_why);

        if (r <= 0)
            return r;
        /* RFC 9112 2.2 allows a lone LF to be taken for CRLF; we do not. A CR anywhere else is no text byte.
         */
        if (lf == walk->cursor->line || walk->in[lf - 1] != '\r')
            return refuse(REQIVO_E_RESPONSE_HEAD, "a line ends in LF without CR", ret_why);
        r = judge_line(walk, lf - 1, ret_why);
        if (r < 0)
            return r;
        walk->cursor->line = walk->cursor->searched = lf + 1;
        if (r == 1)
            return 1;
    }
}

int rqv_http1_gate(const struct rqv_http1_section *section, const uint8_t *in, size_t len,
                   struct rqv_http1_cursor *cursor, const char **ret_why)
{
    bool resumed = cursor->line > 0;
    struct walk walk = {section, in, len, cursor, resumed ? NULL : section->fields};
    int r;

    /* Only what the limit lets in is judged, so that the verdict does not depend on where the input was
     * split. */
    if (section->head && !prefix_ok(in, len < section->bytes_max ? len : section->bytes_max))
        return refuse(REQIVO_E_RESPONSE_HEAD, "the answer does not begin with HTTP/1.", ret_why);
    section->fields->count = 0;
    r = pass(&walk, ret_why);
    if (r == 1 && resumed) {
        struct rqv_http1_cursor again = {0};

        walk = (struct walk){section, in, cursor->line, &again, section->fields};
        return pass(&walk, ret_why);
    }
    return r;
}

static bool trailer_is_allowed(struct rqv_str name)
{
    static const char *const refused[] = {
        "age",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "cookie2",
        "date",
        "expect",
        "expires",
        "host",
        "keep-alive",
        "location",
        "max-forwards",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "retry-after",
        "set-cookie",
        "set-cookie2",
        "strict-transport-security",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "www-authenticate",
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (rqv_str_eq_nocase(name, rqv_str_from(refused[i])))
            return false;
    return true;
}

void rqv_http1_filter_trailers(struct rqv_fields *fields)
{
    size_t kept = 0;

    for (size_t i = 0; i < fields->count; i++)
        if (trailer_is_allowed(fields->at[i].name))
            fields->at[kept++] = fields->at[i];
    fields->count = kept;
}
