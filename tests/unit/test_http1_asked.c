/* SPDX-License-Identifier: MIT */
/* Unit tests of proto/http1_asked.h: heads of requests, whole and in parts, good and bad. */
#include "proto/http1_asked.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static struct rqv_http1_asked asked;

static int decode(const char *head)
{
    struct rqv_str text = rqv_str_from(head);

    ck_assert_uint_eq(rqv_http1_asked_end(text), text.len);
    for (size_t len = 0; len < text.len; len++)
        ck_assert_uint_eq(rqv_http1_asked_end((struct rqv_str){head, len}), 0);
    return rqv_http1_asked_decode(text, &asked);
}

static void is(struct rqv_str got, const char *expected)
{
    ck_assert_msg(rqv_str_eq(got, rqv_str_from(expected)), "'%.*s', not '%s'", (int)got.len, got.ptr,
                  expected);
}

START_TEST(a_head_is_taken_apart)
{
    ck_assert_int_eq(
        decode("GET /metrics?a=/b HTTP/1.1\r\nAccept: */*\r\nhOST: \t127.0.0.1:1 \r\nX:\r\n\r\n"), 0);
    is(asked.method, "GET");
    is(asked.path, "/metrics");
    is(asked.host, "127.0.0.1:1");
    ck_assert_ptr_null(asked.authority.ptr);
    ck_assert_uint_eq(asked.minor, 1);
    ck_assert_int_eq(decode("HEAD HTTP://[::1]:2/x?y HTTP/1.1\r\nHost:\r\n\r\n"), 0);
    is(asked.authority, "[::1]:2");
    is(asked.path, "/x");
    is(asked.host, "");
    ck_assert_ptr_nonnull(asked.host.ptr);
    ck_assert_int_eq(decode("GET http://h?y HTTP/1.0\r\n\r\n"), 0);
    is(asked.authority, "h");
    is(asked.path, "");
    ck_assert_uint_eq(asked.minor, 0);
    ck_assert_ptr_null(asked.host.ptr);
    ck_assert_int_eq(decode("CONNECT a:1 HTTP/1.0\r\n\r\n"), 0);
    is(asked.path, "a:1");
}
END_TEST

static const struct bad {
    int code;
    const char *head;
} bad[] = {
    {-EBADMSG, "\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.0\n\n"},
    {-EBADMSG, "GET / HTTP/1.0\r\n\n"},
    {-EBADMSG, "GET / HTTP/1.0\n\r\n"},
    {-EBADMSG, "GET /\r\n\r\n"},
    {-EBADMSG, "GET  / HTTP/1.0\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.0 \r\n\r\n"},
    {-EBADMSG, " GET / HTTP/1.0\r\n\r\n"},
    {-EBADMSG, "G(T / HTTP/1.0\r\n\r\n"},
    {-EBADMSG, "GET /\x7f HTTP/1.0\r\n\r\n"},
    {-EBADMSG, "GET /\t HTTP/1.0\r\n\r\n"},
    {-EBADMSG, "GET /\xc3\xa4 HTTP/1.0\r\n\r\n"},
    {-EBADMSG, "GET / http/1.0\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.x\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/11.0\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.1\r\nAccept: x\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"},
    {-EBADMSG, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"},
    {-EPROTONOSUPPORT, "GET / HTTP/2.0\r\n\r\n"},
    {-EPROTONOSUPPORT, "GET / HTTP/1.2\r\n\r\n"},
    {-EPROTONOSUPPORT, "PRI * HTTP/2.0\r\n\r\n"},
};

START_TEST(malformed_heads_are_refused)
{
    const struct bad *one = &bad[_i];

    asked.minor = 77;
    ck_assert_msg(decode(one->head) == one->code, "'%s'", one->head);
    ck_assert_uint_eq(asked.minor, 77); /* untouched */
}
END_TEST

START_TEST(what_follows_is_not_the_head)
{
    const char *two = "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n";

    ck_assert_uint_eq(rqv_http1_asked_end(rqv_str_from(two)), 18);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http1_asked");
    TCase *wrong = tcase_create("wrong");

    UNIT_TCASE(s, "good", a_head_is_taken_apart, what_follows_is_not_the_head);
    tcase_add_loop_test(wrong, malformed_heads_are_refused, 0, sizeof bad / sizeof bad[0]);
    suite_add_tcase(s, wrong);
    return s;
}

UNIT_MAIN(suite)
