/* SPDX-License-Identifier: MIT */
/* Request heads and chunk framing: exact bytes, every refusal, every size of output buffer. security.md B4,
 * request side. */
#include "proto/http1.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>

static struct rqv_fields fields;

static struct rqv_http1_request get(void)
{
    fields.count = 0;
    return (struct rqv_http1_request){.method = RQV_STR("GET"),
                                      .target = RQV_STR("/a?b=c"),
                                      .host = RQV_STR("example.org"),
                                      .fields = &fields};
}

static void add(struct rqv_str name, struct rqv_str value)
{
    ck_assert_int_eq(rqv_fields_add(&fields, name, value), 0);
}

static void writes(const struct rqv_http1_request *request, const char *want)
{
    uint8_t out[512];
    long len = rqv_http1_encode_head(request, out, sizeof(out));

    ck_assert_int_eq(len, (long)strlen(want));
    ck_assert_mem_eq(out, want, strlen(want));
}

static void refuses(const struct rqv_http1_request *request, long code)
{
    uint8_t out[512];

    ck_assert_int_eq(rqv_http1_encode_head(request, out, sizeof(out)), code);
}

START_TEST(plain_get)
{
    struct rqv_http1_request request = get();

    writes(&request, "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\n");
    request.fields = NULL;
    writes(&request, "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\n");
    request.target = RQV_STR("*");
    request.method = RQV_STR("OPTIONS");
    writes(&request, "OPTIONS * HTTP/1.1\r\nHost: example.org\r\n\r\n");
}
END_TEST

START_TEST(fields_keep_their_order)
{
    struct rqv_http1_request request = get();

    add(RQV_STR("B"), RQV_STR("2"));
    add(RQV_STR("a"), RQV_STR(""));
    add(RQV_STR("B"), RQV_STR("\xff \t1"));
    writes(&request, "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nB: 2\r\na: \r\nB: \xff \t1\r\n\r\n");
}
END_TEST

START_TEST(own_host_takes_the_place_of_the_url_s)
{
    struct rqv_http1_request request = get();

    add(RQV_STR("A"), RQV_STR("1"));
    add(RQV_STR("hOST"), RQV_STR("[::1]:8080"));
    writes(&request, "GET /a?b=c HTTP/1.1\r\nHost: [::1]:8080\r\nA: 1\r\n\r\n");
    add(RQV_STR("Host"), RQV_STR("[::1]:8080"));
    refuses(&request, REQIVO_E_FIELD);
}
END_TEST

START_TEST(body_framing)
{
    struct rqv_http1_request request = get();

    request.method = RQV_STR("POST");
    request.target = RQV_STR("/");
    request.expect_continue = true;
    writes(&request, "POST / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    request.body = RQV_HTTP1_LENGTH;
    writes(&request, "POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\n\r\n");
    request.content_length = UINT64_MAX;
    writes(&request, "POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 18446744073709551615\r\n"
                     "Expect: 100-continue\r\n\r\n");
    request.body = RQV_HTTP1_CHUNKED;
    writes(&request, "POST / HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n"
                     "Expect: 100-continue\r\n\r\n");
    request.expect_continue = false;
    writes(&request, "POST / HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n");
    request.body = RQV_HTTP1_UNTIL_CLOSE;
    refuses(&request, -EINVAL);
}
END_TEST

START_TEST(every_size_of_output)
{
    struct rqv_http1_request request = get();
    uint8_t out[256];
    long len;

    add(RQV_STR("Accept"), RQV_STR("*/*"));
    request.body = RQV_HTTP1_LENGTH;
    request.content_length = 12;
    len = rqv_http1_encode_head(&request, out, sizeof(out));
    ck_assert_int_gt(len, 0);
    for (size_t size = 0; size < sizeof(out); size++) {
        memset(out, 0xee, sizeof(out));
        ck_assert_int_eq(rqv_http1_encode_head(&request, out, size),
                         size < (size_t)len ? (long)REQIVO_E_LIMIT_HEAD : len);
        for (size_t i = size; i < sizeof(out); i++)
            ck_assert_uint_eq(out[i], 0xee);
    }
}
END_TEST

START_TEST(rule_b4_request_methods)
{
    static const char *const bad[] = {"",       "CONNECT", "Connect", "GE T",   "GET ",
                                      "G\r\nX", "G\tT",    "G(T",     "G\x80T", "G:T"};
    struct rqv_http1_request request = get();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.method = rqv_str_from(bad[i]);
        refuses(&request, REQIVO_E_METHOD);
    }
    request.method = (struct rqv_str){"G\0T", 3};
    refuses(&request, REQIVO_E_METHOD);
    request.method = RQV_STR("M-SEARCH");
    writes(&request, "M-SEARCH /a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\n");
}
END_TEST

START_TEST(rule_b4_request_targets)
{
    static const char *const bad[] = {"",     "a",    "*",      "http://x/", "/a b", "/a\r\nX: y",
                                      "/a\n", "/a\t", "/a\x7f", "/\x80",     "/a#b", "?a"};
    struct rqv_http1_request request = get();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.target = rqv_str_from(bad[i]);
        refuses(&request, REQIVO_E_URL);
    }
    request.target = (struct rqv_str){"/a\0b", 4};
    refuses(&request, REQIVO_E_URL);
}
END_TEST

START_TEST(rule_b4_request_hosts)
{
    static const char *const bad[] = {"",    "a b",  "a\r\nX: y", "a/b",   "u@h", "a?b",
                                      "a#b", "a\\b", "a\x80",     "a\x7f", "a\n"};
    struct rqv_http1_request request = get();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.host = rqv_str_from(bad[i]);
        refuses(&request, REQIVO_E_URL);
    }
    request.host = (struct rqv_str){"a\0b", 3};
    refuses(&request, REQIVO_E_URL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fields.count = 0;
        add(RQV_STR("Host"), rqv_str_from(bad[i]));
        refuses(&request, REQIVO_E_FIELD);
    }
}
END_TEST

START_TEST(rule_b4_request_fields)
{
    static const char *const names[] = {"Content-Length",
                                        "content-length",
                                        "Transfer-Encoding",
                                        "Connection",
                                        "Keep-Alive",
                                        "TE",
                                        "Trailer",
                                        "Upgrade",
                                        "Expect",
                                        "Proxy-Authorization",
                                        "Proxy-Connection",
                                        "",
                                        "a b",
                                        "a:",
                                        "a\r\nb",
                                        "a\n",
                                        "\x80"};
    static const char *const values[] = {"a\r\nb: c", "a\n", "a\r", "a\x7f", "a\x01"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct rqv_http1_request request = get();

        add(RQV_STR("Fine"), RQV_STR("1"));
        add(rqv_str_from(names[i]), RQV_STR("1"));
        refuses(&request, REQIVO_E_FIELD);
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct rqv_http1_request request = get();

        add(RQV_STR("A"), rqv_str_from(values[i]));
        refuses(&request, REQIVO_E_FIELD);
        fields.at[0].value = (struct rqv_str){"a\0b", 3};
        refuses(&request, REQIVO_E_FIELD);
    }
}
END_TEST

static void chunk_head_is(uint64_t size, const char *want)
{
    uint8_t out[RQV_HTTP1_CHUNK_HEAD_MAX];

    ck_assert_uint_eq(rqv_http1_encode_chunk_head(size, out), strlen(want));
    ck_assert_mem_eq(out, want, strlen(want));
}

START_TEST(chunk_heads)
{
    chunk_head_is(0, "");
    chunk_head_is(1, "1\r\n");
    chunk_head_is(15, "f\r\n");
    chunk_head_is(16, "10\r\n");
    chunk_head_is(65536, "10000\r\n");
    chunk_head_is(0xabcdef, "abcdef\r\n");
    chunk_head_is(UINT64_MAX, "ffffffffffffffff\r\n");
    ck_assert(rqv_str_eq(RQV_HTTP1_LAST_CHUNK, RQV_STR("0\r\n\r\n")));
    ck_assert(rqv_str_eq(RQV_HTTP1_CHUNK_END, RQV_STR("\r\n")));
}
END_TEST

START_TEST(methods)
{
    ck_assert(rqv_http1_method_is_safe(RQV_STR("GET")));
    ck_assert(rqv_http1_method_is_safe(RQV_STR("HEAD")));
    ck_assert(rqv_http1_method_is_safe(RQV_STR("OPTIONS")));
    ck_assert(rqv_http1_method_is_safe(RQV_STR("TRACE")));
    ck_assert(!rqv_http1_method_is_safe(RQV_STR("PUT")));
    ck_assert(!rqv_http1_method_is_safe(RQV_STR("get")));
    ck_assert(rqv_http1_method_is_idempotent(RQV_STR("GET")));
    ck_assert(rqv_http1_method_is_idempotent(RQV_STR("PUT")));
    ck_assert(rqv_http1_method_is_idempotent(RQV_STR("DELETE")));
    ck_assert(!rqv_http1_method_is_idempotent(RQV_STR("POST")));
    ck_assert(!rqv_http1_method_is_idempotent(RQV_STR("PATCH")));
    ck_assert(!rqv_http1_method_is_idempotent(RQV_STR("FROB")));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http1_encode");

    UNIT_TCASE(s, "head", plain_get, fields_keep_their_order, own_host_takes_the_place_of_the_url_s,
               body_framing, every_size_of_output);
    UNIT_TCASE(s, "b4", rule_b4_request_methods, rule_b4_request_targets, rule_b4_request_hosts,
               rule_b4_request_fields);
    UNIT_TCASE(s, "small", chunk_heads, methods);
    return s;
}

UNIT_MAIN(suite)
