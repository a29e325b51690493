/* SPDX-License-Identifier: MIT */
/*
 * http1_length - the one decision on how long a response is, whether it has a body, and whether its
 * connection may be used again. RFC 9112 6.3, 9.3; stricter where the RFC leaves a choice (security.md B4).
 */
#include "proto/http1.h"

#include <reqivo/error.h>

#include <stdint.h>

/* What the fields say, before the status is considered. */
struct facts {
    struct rqv_str length, coding; /* values */
    unsigned lengths, codings;     /* how many fields */
    bool close, keep_alive;        /* Connection tokens */
    int64_t timeout;
};

static int refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return REQIVO_E_RESPONSE_FRAMING;
}

/* Connection = #token; RFC 9110 7.6.1. An element we do not know changes nothing. */
static void read_connection(struct rqv_str value, struct facts *facts)
{
    struct rqv_str element;

    while (rqv_str_split(&value, ',', &element)) {
        element = rqv_str_trim(element);
        facts->close |= rqv_str_eq_nocase(element, RQV_STR("close"));
        facts->keep_alive |= rqv_str_eq_nocase(element, RQV_STR("keep-alive"));
    }
}

/* Keep-Alive: timeout=5, max=100. Advice: what cannot be read is not there. The shortest wins. */
static void read_keep_alive(struct rqv_str value, struct facts *facts)
{
    struct rqv_str element;
    uint64_t seconds;

    while (rqv_str_split(&value, ',', &element)) {
        struct rqv_str name;

        if (!rqv_str_split(&element, '=', &name) || element.ptr == NULL)
            continue;
        if (!rqv_str_eq_nocase(rqv_str_trim(name), RQV_STR("timeout")))
            continue;
        if (!rqv_str_u64(rqv_str_trim(element), &seconds) || seconds > INT32_MAX)
            continue;
        if (facts->timeout < 0 || (int64_t)seconds < facts->timeout)
            facts->timeout = (int64_t)seconds;
    }
}

static void read_field(const struct rqv_field *field, struct facts *facts)
{
    switch (field->name.len) { /* most names are none of these: no comparison for them */
    case 10:
        if (rqv_str_eq_nocase(field->name, RQV_STR("connection")))
            read_connection(field->value, facts);
        else if (rqv_str_eq_nocase(field->name, RQV_STR("keep-alive")))
            read_keep_alive(field->value, facts);
        break;
    case 14:
        if (rqv_str_eq_nocase(field->name, RQV_STR("content-length"))) {
            facts->length = field->value;
            facts->lengths++;
        }
        break;
    case 17:
        if (rqv_str_eq_nocase(field->name, RQV_STR("transfer-encoding"))) {
            facts->coding = field->value;
            facts->codings++;
        }
        break;
    default:
        break;
    }
}

/* RFC 9112 6.3 rule 5 lets equal values be merged; http-parser refuses that too, and so do we. */
static int check_length(const struct facts *facts, struct rqv_http1_framing *framing, const char **ret_why)
{
    uint64_t value;

    if (facts->lengths == 0)
        return 0;
    if (facts->lengths > 1)
        return refuse("there is more than one Content-Length", ret_why);
    if (!rqv_str_u64(facts->length, &value) || value > INT64_MAX)
        return refuse("Content-Length is not a number", ret_why);
    framing->content_length = (int64_t)value;
    return 0;
}

/* We never send TE, so `chunked` alone is the only coding a server may use (RFC 9112 6.1, 7.4). */
static int check_coding(const struct facts *facts, int minor, struct rqv_http1_framing *framing,
                        const char **ret_why)
{
    if (facts->codings == 0)
        return 0;
    if (facts->codings > 1)
        return refuse("there is more than one Transfer-Encoding", ret_why);
    if (!rqv_str_eq_nocase(facts->coding, RQV_STR("chunked")))
        return refuse("Transfer-Encoding is not exactly \"chunked\"", ret_why);
    if (minor == 0)
        return refuse("an HTTP/1.0 response has Transfer-Encoding", ret_why);
    if (facts->lengths > 0)
        return refuse("there are both Content-Length and Transfer-Encoding", ret_why);
    framing->chunked = true;
    return 0;
}

static enum rqv_http1_body body_kind(int status, bool is_head, const struct rqv_http1_framing *framing)
{
    if (is_head || status < 200 || status == 204 || status == 304)
        return RQV_HTTP1_NONE;
    if (framing->chunked)
        return RQV_HTTP1_CHUNKED;
    return framing->content_length >= 0 ? RQV_HTTP1_LENGTH : RQV_HTTP1_UNTIL_CLOSE;
}

int rqv_http1_framing(const struct rqv_http1_head *head, const struct rqv_http1_request_info *info,
                      struct rqv_http1_framing *ret_framing, const char **ret_why)
{
    struct rqv_http1_framing framing = {.content_length = -1};
    struct facts facts = {.timeout = -1};
    int r;

    if (head->status == 101 && (!info->upgrade || head->minor == 0)) {
        *ret_why = "the server answers 101 to a request that asked for no upgrade";
        return REQIVO_E_UPGRADE;
    }
    for (size_t i = 0; i < head->fields->count; i++)
        read_field(&head->fields->at[i], &facts);
    r = check_coding(&facts, head->minor, &framing, ret_why);
    if (r == 0)
        r = check_length(&facts, &framing, ret_why);
    if (r < 0)
        return r;
    /* RFC 9112 6.1, RFC 9110 8.6: a server must not, and a peer that reads on would take the next response
     * for a body. */
    if ((head->status < 200 || head->status == 204) && (framing.chunked || framing.content_length > 0))
        return refuse("a 1xx or 204 response announces a body", ret_why);
    framing.body = body_kind(head->status, info->is_head, &framing);
    framing.keep_alive_timeout = facts.timeout;
    /* RFC 9112 9.3. */
    framing.reusable = !facts.close && head->status != 101 && (head->minor == 1 || facts.keep_alive) &&
                       framing.body != RQV_HTTP1_UNTIL_CLOSE;
    *ret_framing = framing;
    return 0;
}
