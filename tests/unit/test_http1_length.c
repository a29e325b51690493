/* SPDX-License-Identifier: MIT */
/* The one function that decides body, length and reuse, as a table: status, version, method, fields ->
 * decision. */
#include "proto/http1.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <stdbool.h>
#include <string.h>

struct framing_case {
    int status, minor;
    bool is_head;
    const char *fields; /* "name: value|name: value" */
    int code;
    enum rqv_http1_body body;
    int64_t length;
    bool reusable;
};

static void split_fields(const char *text, struct rqv_fields *ret_fields)
{
    struct rqv_str rest = rqv_str_from(text), line, name;

    ret_fields->count = 0;
    while (rest.len > 0 && rqv_str_split(&rest, '|', &line)) {
        ck_assert(rqv_str_split(&line, ':', &name));
        ck_assert_int_eq(rqv_fields_add(ret_fields, name, rqv_str_trim(line)), 0);
    }
}

static int frame(const struct framing_case *c, struct rqv_http1_framing *ret_framing, const char **ret_why)
{
    static struct rqv_fields fields;
    struct rqv_http1_head head = {.fields = &fields, .status = c->status, .minor = c->minor};

    split_fields(c->fields, &fields);
    return rqv_http1_framing(&head, &(struct rqv_http1_request_info){.is_head = c->is_head}, ret_framing,
                             ret_why);
}

#define E_FRAMING REQIVO_E_RESPONSE_FRAMING
#define NONE      RQV_HTTP1_NONE
#define LENGTH    RQV_HTTP1_LENGTH
#define CHUNKED   RQV_HTTP1_CHUNKED
#define CLOSE     RQV_HTTP1_UNTIL_CLOSE

static const struct framing_case cases[] = {
    {200, 1, false, "Content-Length: 5", 0, LENGTH, 5, true},
    {200, 1, false, "content-length: 0", 0, LENGTH, 0, true},
    {200, 1, false, "Content-Length: 9223372036854775807", 0, LENGTH, INT64_MAX, true},
    {200, 1, false, "", 0, CLOSE, -1, false},
    {404, 1, false, "", 0, CLOSE, -1, false},
    {200, 1, false, "Connection: keep-alive", 0, CLOSE, -1, false},
    {200, 1, false, "Transfer-Encoding: chunked", 0, CHUNKED, -1, true},
    {200, 1, false, "Transfer-Encoding: Chunked|Connection: close", 0, CHUNKED, -1, false},
    {200, 0, false, "Content-Length: 5", 0, LENGTH, 5, false},
    {200, 0, false, "Content-Length: 5|Connection: Keep-Alive", 0, LENGTH, 5, true},
    {200, 0, false, "Content-Length: 5|Connection: keep-alive|Connection: close", 0, LENGTH, 5, false},
    {200, 0, false, "", 0, CLOSE, -1, false},
    {200, 1, false, "Content-Length: 5|Connection: a , close,b", 0, LENGTH, 5, false},
    {200, 1, false, "Content-Length: 5|Connection: ,,", 0, LENGTH, 5, true},
    {200, 1, false, "Content-Length: 5|Connection:", 0, LENGTH, 5, true},
    {200, 1, false, "Content-Length: 5|Proxy-Connection: close", 0, LENGTH, 5, true},
    {200, 1, false, "Content-Length: 5|Keep-Alive: close", 0, LENGTH, 5, true},
    {200, 1, true, "Content-Length: 5", 0, NONE, 5, true},
    {200, 1, true, "Transfer-Encoding: chunked", 0, NONE, -1, true},
    {200, 1, true, "", 0, NONE, -1, true},
    {200, 1, true, "Connection: close", 0, NONE, -1, false},
    {200, 0, true, "", 0, NONE, -1, false},
    {204, 1, false, "", 0, NONE, -1, true},
    {204, 1, false, "Content-Length: 0", 0, NONE, 0, true},
    {204, 1, false, "Content-Length: 1", E_FRAMING, NONE, 0, false},
    {204, 1, true, "Content-Length: 1", E_FRAMING, NONE, 0, false},
    {204, 1, false, "Transfer-Encoding: chunked", E_FRAMING, NONE, 0, false},
    {304, 1, false, "Content-Length: 1", 0, NONE, 1, true},
    {304, 1, false, "Transfer-Encoding: chunked", 0, NONE, -1, true},
    {205, 1, false, "Content-Length: 0", 0, LENGTH, 0, true},
    {100, 1, false, "", 0, NONE, -1, true},
    {103, 1, false, "Content-Length: 0", 0, NONE, 0, true},
    {103, 1, false, "Content-Length: 1", E_FRAMING, NONE, 0, false},
    {102, 1, false, "Transfer-Encoding: chunked", E_FRAMING, NONE, 0, false},
    {101, 1, false, "", REQIVO_E_UPGRADE, NONE, 0, false},
    {200, 1, false, "Content-Length:", E_FRAMING, NONE, 0, false},
    {200, 1, false, "Content-Length: 5x", E_FRAMING, NONE, 0, false},
    {200, 1, false, "Content-Length: 9223372036854775808", E_FRAMING, NONE, 0, false},
    {200, 1, false, "Content-Length: 99999999999999999999", E_FRAMING, NONE, 0, false},
    {200, 1, false, "Content-Length: 5|Content-Length: 5", E_FRAMING, NONE, 0, false},
    {304, 1, false, "Content-Length: 5|Content-Length: 6", E_FRAMING, NONE, 0, false},
    {200, 1, true, "Content-Length: x", E_FRAMING, NONE, 0, false},
    {200, 1, false, "Transfer-Encoding: gzip", E_FRAMING, NONE, 0, false},
    {200, 1, false, "Transfer-Encoding: chunked|Transfer-Encoding: chunked", E_FRAMING, NONE, 0, false},
    {200, 0, false, "Transfer-Encoding: chunked", E_FRAMING, NONE, 0, false},
    {200, 1, false, "Transfer-Encoding: chunked|Content-Length: 0", E_FRAMING, NONE, 0, false},
    {200, 1, true, "Transfer-Encoding: chunked|Content-Length: 0", E_FRAMING, NONE, 0, false},
};

START_TEST(framing_table)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct framing_case *c = &cases[i];
        struct rqv_http1_framing framing = {.content_length = -77};
        const char *why = NULL;
        int r = frame(c, &framing, &why);

        ck_assert_msg(r == c->code, "case %zu (%d %s): %d", i, c->status, c->fields, r);
        if (r < 0) {
            ck_assert_ptr_nonnull(why);
            ck_assert_int_eq(framing.content_length, -77); /* untouched */
            continue;
        }
        ck_assert_msg(framing.body == c->body, "case %zu (%s): body %d", i, c->fields, (int)framing.body);
        ck_assert_msg(framing.content_length == c->length, "case %zu (%s): length", i, c->fields);
        ck_assert_msg(framing.reusable == c->reusable, "case %zu (%s): reusable", i, c->fields);
    }
}
END_TEST

static int64_t timeout_of(const char *fields)
{
    struct framing_case c = {.status = 204, .minor = 1, .fields = fields};
    struct rqv_http1_framing framing;
    const char *why = NULL;

    ck_assert_int_eq(frame(&c, &framing, &why), 0);
    return framing.keep_alive_timeout;
}

START_TEST(keep_alive_timeout_is_advice)
{
    ck_assert_int_eq(timeout_of("A: b"), -1);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout=5"), 5);
    ck_assert_int_eq(timeout_of("keep-alive: max=100, Timeout = 15"), 15);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout=5|Keep-Alive: timeout=3"), 3);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout=3, timeout=5"), 3);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout=0"), 0);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout"), -1);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout="), -1);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout=-1"), -1);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout=5s"), -1);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout=99999999999999999999"), -1);
    ck_assert_int_eq(timeout_of("Keep-Alive: timeout=4294967296"), -1);
    ck_assert_int_eq(timeout_of("Keep-Alive: ,,=,"), -1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http1_length");

    UNIT_TCASE(s, "framing", framing_table, keep_alive_timeout_is_advice);
    return s;
}

UNIT_MAIN(suite)
