/* SPDX-License-Identifier: MIT */
/*
 * Our own battery of odd responses: what each must come to, whole, byte by byte, and split at every place. A
 * line is the bytes, then the verdict: a status and body for what is accepted, a code for what is refused.
 */
#include "tests/lib/http1_run.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <stdio.h>

#define H         HEAD_CODE, 0, NULL, 0
#define F         REQIVO_E_RESPONSE_FRAMING, 0, NULL, 0
#define L         REQIVO_E_RESPONSE_LIMIT, 0, NULL, 0
#define T         REQIVO_E_TRUNCATED, 0, NULL, 0
#define U         REQIVO_E_UPGRADE, 0, NULL, 0
#define HEAD_CODE REQIVO_E_RESPONSE_HEAD

/* How it ends when accepted: */
#define KEEP    1 /* complete, the connection may be used again */
#define CLOSE   2 /* complete, it may not */
#define EXTRA   4 /* complete, with bytes behind it */
#define IS_HEAD 8

struct odd {
    const char *bytes;
    size_t len;
    int code, status;
    const char *body;
    int how;
};

#define ODD(bytes, ...)                                                                                      \
    {                                                                                                        \
        (bytes), sizeof(bytes) - 1, __VA_ARGS__                                                              \
    }
#define OK   "HTTP/1.1 200 OK\r\n"
#define CH   OK "Transfer-Encoding: chunked\r\n\r\n"
#define LEN0 "Content-Length: 0\r\n\r\n"

/* clang-format off */
static const struct odd odds[] = {
    /* the status line */
    ODD(OK LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 200\r\n" LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 200 \r\n" LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 200  two\r\n" LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 200 \tTab\r\n" LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 200 Gr\xc3\xbc\xc3\x9f\r\n" LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 299 Odd\r\n" LEN0, 0, 299, "", KEEP),
    ODD("HTTP/1.1 599 Last\r\n" LEN0, 0, 599, "", KEEP),
    ODD("HTTP/1.0 200 OK\r\n" LEN0, 0, 200, "", CLOSE),
    ODD("HTTP/1.1 600 Over\r\n" LEN0, H),
    ODD("HTTP/1.1 999 Over\r\n" LEN0, H),
    ODD("HTTP/1.1 099 Under\r\n" LEN0, H),
    ODD("HTTP/1.1 000 Zero\r\n" LEN0, H),
    ODD("HTTP/1.1 20 OK\r\n" LEN0, H),
    ODD("HTTP/1.1 2 OK\r\n" LEN0, H),
    ODD("HTTP/1.1 2000 OK\r\n" LEN0, H),
    ODD("HTTP/1.1 200OK\r\n" LEN0, H),
    ODD("HTTP/1.1 200\tOK\r\n" LEN0, H),
    ODD("HTTP/1.1 +20 OK\r\n" LEN0, H),
    ODD("HTTP/1.1 2x0 OK\r\n" LEN0, H),
    ODD("HTTP/1.1 20x OK\r\n" LEN0, H),
    ODD("HTTP/1.1  200 OK\r\n" LEN0, H),
    ODD("HTTP/1.1\t200 OK\r\n" LEN0, H),
    ODD("HTTP/1.1\r\n" LEN0, H),
    ODD("HTTP/1.1 \r\n" LEN0, H),
    ODD("HTTP/1.2 200 OK\r\n" LEN0, H),
    ODD("HTTP/1.9 200 OK\r\n" LEN0, H),
    ODD("HTTP/2.0 200 OK\r\n" LEN0, H),
    ODD("HTTP/9.9 200 OK\r\n" LEN0, H),
    ODD("HTTP/0.9 200 OK\r\n" LEN0, H),
    ODD("HTTP/1.10 200 OK\r\n" LEN0, H),
    ODD("HTTP/01.1 200 OK\r\n" LEN0, H),
    ODD("HTTP/1 200 OK\r\n" LEN0, H),
    ODD("HTTP/1,1 200 OK\r\n" LEN0, H),
    ODD("http/1.1 200 OK\r\n" LEN0, H),
    ODD("HTTPS/1.1 200 OK\r\n" LEN0, H),
    ODD("ICY 200 OK\r\n" LEN0, H),
    ODD("RTSP/1.0 200 OK\r\n" LEN0, H),
    ODD("\r\n" OK LEN0, H),
    ODD("\n" OK LEN0, H),
    ODD(" " OK LEN0, H),
    ODD("\xef\xbb\xbf" OK LEN0, H),
    ODD("\0" OK LEN0, H),
    ODD("SSH-2.0-OpenSSH_9.2\r\n", H),
    ODD("<html>no http at all</html>", H),
    ODD("\x15\x03\x01\x00\x02\x02\x0a", H),
    ODD("HTTP/1.1 200 O\0K\r\n" LEN0, H),
    ODD("HTTP/1.1 200 O\x7fK\r\n" LEN0, H),
    ODD("HTTP/1.1 200 O\x1b[2JK\r\n" LEN0, H),
    ODD("HTTP/1.1 200 O\rK\r\n" LEN0, H),
    ODD("HTTP/1.1 200 OK\n" LEN0, H),
    ODD("HTTP/1.1 200 OK\r\r\n" LEN0, H),
    /* fields */
    ODD(OK "A:b\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "A:\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "A: \t \r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "A:\t b \t\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "!#$%&'*+-.^_`|~09: x\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "A: \xff\x80\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "A: b: c\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "A::\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "A: b\tc\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "Set-Cookie: a\r\nSet-Cookie: b\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "Content-Length-X: 9\r\n" LEN0, 0, 200, "", KEEP),
    ODD(OK "A b: c\r\n" LEN0, H),
    ODD(OK "A : c\r\n" LEN0, H),
    ODD(OK "A\t: c\r\n" LEN0, H),
    ODD(OK ": c\r\n" LEN0, H),
    ODD(OK "A\r\n" LEN0, H),
    ODD(OK "(A): c\r\n" LEN0, H),
    ODD(OK "A\xc3\xa4: c\r\n" LEN0, H),
    ODD(OK "A\0: c\r\n" LEN0, H),
    ODD(OK "A\x7f: c\r\n" LEN0, H),
    ODD(OK "\"A\": c\r\n" LEN0, H),
    ODD(OK "[A]: c\r\n" LEN0, H),
    ODD(OK "A/B: c\r\n" LEN0, H),
    ODD(OK " A: c\r\n" LEN0, H),
    ODD(OK "\tA: c\r\n" LEN0, H),
    ODD(OK "A: b\r\n c\r\n" LEN0, H),
    ODD(OK "A: b\r\n\tc\r\n" LEN0, H),
    ODD(OK "A: b\r\n \r\n" LEN0, H),
    ODD(OK "Content-Length:\r\n 0\r\n\r\n", H),
    ODD(OK "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", H),
    ODD(OK "A: b\n" LEN0, H),
    ODD(OK "A: b\r" LEN0, H),
    ODD(OK "A:\r" LEN0, H),
    ODD(OK "A:\rB: c\r\n" LEN0, H),
    ODD(OK "A: b\0c\r\n" LEN0, H),
    ODD(OK "A: b\x01\r\n" LEN0, H),
    ODD(OK "A: b\x0b" "c\r\n" LEN0, H),
    ODD(OK "A: b\x7f\r\n" LEN0, H),
    ODD(OK "A: b\r\r\n" LEN0, H),
    ODD(OK "Content-Length: 0\r\n\n", H),
    ODD(OK "Content-Length: 0\r\n\rX\r\n", H),
    ODD(OK "Content-Length: 0\n\n", H),
    /* length */
    ODD(OK "Content-Length: 2\r\n\r\nok", 0, 200, "ok", KEEP),
    ODD(OK "content-LENGTH:2\r\n\r\nok", 0, 200, "ok", KEEP),
    ODD(OK "Content-Length: 002\r\n\r\nok", 0, 200, "ok", KEEP),
    ODD(OK "Content-Length: 2 \r\n\r\nok", 0, 200, "ok", KEEP),
    ODD(OK "Content-Length: 2\r\n\r\nokX", 0, 200, "ok", KEEP | EXTRA),
    ODD(OK "Content-Length: 2\r\n\r\nok\r\n", 0, 200, "ok", KEEP | EXTRA),
    ODD(OK "Content-Length: 2\r\n\r\nok" OK LEN0, 0, 200, "ok", KEEP | EXTRA),
    ODD(OK "Content-Length: 2\r\nConnection: close\r\n\r\nok", 0, 200, "ok", CLOSE),
    ODD(OK "Content-Length: 2\r\nConnection: x, CLOSE\r\n\r\nok", 0, 200, "ok", CLOSE),
    ODD(OK "Content-Length: 2\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nok", 0, 200, "ok", CLOSE),
    ODD(OK "Content-Length: 2\r\nConnection: closed\r\n\r\nok", 0, 200, "ok", KEEP),
    ODD("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 0, 200, "ok", KEEP),
    ODD("HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\nok", 0, 200, "ok", CLOSE),
    ODD(OK "Content-Length: 3\r\n\r\nok", T),
    ODD(OK "Content-Length: 9223372036854775807\r\n\r\nok", T),
    ODD(OK "Content-Length: 9223372036854775808\r\n\r\nok", F),
    ODD(OK "Content-Length: 18446744073709551616\r\n\r\nok", F),
    ODD(OK "Content-Length: 18446744073709551618\r\n\r\nok", F),
    ODD(OK "Content-Length: -2\r\n\r\nok", F),
    ODD(OK "Content-Length: +2\r\n\r\nok", F),
    ODD(OK "Content-Length: 0x2\r\n\r\nok", F),
    ODD(OK "Content-Length: 2.0\r\n\r\nok", F),
    ODD(OK "Content-Length: 2e0\r\n\r\nok", F),
    ODD(OK "Content-Length: 1 2\r\n\r\nok", F),
    ODD(OK "Content-Length: 2;\r\n\r\nok", F),
    ODD(OK "Content-Length: \"2\"\r\n\r\nok", F),
    ODD(OK "Content-Length: \r\n\r\n", F),
    ODD(OK "Content-Length: 2,\r\n\r\nok", F),
    ODD(OK "Content-Length: 2, 2\r\n\r\nok", F),
    ODD(OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", F),
    ODD(OK "Content-Length: 2\r\ncontent-length: 3\r\n\r\nok", F),
    ODD(OK "Content-Length: 2\t\r\n\r\nok", H), /* legal; http-parser disagrees */
    /* no length */
    ODD(OK "\r\n", 0, 200, "", CLOSE),
    ODD(OK "\r\nto the end", 0, 200, "to the end", CLOSE),
    ODD(OK "Connection: keep-alive\r\n\r\nx", 0, 200, "x", CLOSE),
    ODD(OK "Upgrade: h2c\r\nConnection: upgrade\r\n\r\nx", 0, 200, "x", CLOSE),
    /* bodiless */
    ODD("HTTP/1.1 204 No Content\r\n\r\n", 0, 204, "", KEEP),
    ODD("HTTP/1.1 204 No Content\r\n" LEN0, 0, 204, "", KEEP),
    ODD("HTTP/1.1 204 No Content\r\n\r\nX", 0, 204, "", KEEP | EXTRA),
    ODD("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", F),
    ODD("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", F),
    ODD("HTTP/1.1 304 Not Modified\r\n\r\n", 0, 304, "", KEEP),
    ODD("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 0, 304, "", KEEP),
    ODD("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok", 0, 304, "", KEEP | EXTRA),
    ODD("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 304, "", KEEP),
    ODD("HTTP/1.0 304 Not Modified\r\n\r\n", 0, 304, "", CLOSE),
    ODD("HTTP/1.1 205 Reset\r\n" LEN0, 0, 205, "", KEEP),
    ODD(OK "Content-Length: 2\r\n\r\n", 0, 200, "", KEEP | IS_HEAD),
    ODD(OK "Transfer-Encoding: chunked\r\n\r\n", 0, 200, "", KEEP | IS_HEAD),
    ODD(OK "\r\n", 0, 200, "", KEEP | IS_HEAD),
    ODD(OK "Content-Length: 2\r\n\r\nok", 0, 200, "", KEEP | EXTRA | IS_HEAD),
    ODD(OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", REQIVO_E_RESPONSE_FRAMING, 0, NULL, IS_HEAD),
    /* interim */
    ODD("HTTP/1.1 100 Continue\r\n\r\n" OK LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n" OK LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 199 Odd\r\n" LEN0 OK LEN0, 0, 200, "", KEEP),
    ODD("HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" OK LEN0, 0, 200, "", CLOSE),
    ODD("HTTP/1.1 100 Continue\r\n\r\n", T),
    ODD("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n" OK LEN0, F),
    ODD("HTTP/1.1 103 Early\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", F),
    ODD("HTTP/1.1 100 Continue\r\n\r\n\r\n" OK LEN0, H),
    ODD("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", U),
    ODD("HTTP/1.1 101 Switching\r\n\r\n", U),
    ODD("HTTP/1.1 101 Switching\r\nContent-Length: 5\r\n\r\nhello", U),
    ODD("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching\r\n\r\n", U),
    /* transfer coding */
    ODD(CH "0\r\n\r\n", 0, 200, "", KEEP),
    ODD(CH "2\r\nok\r\n0\r\n\r\n", 0, 200, "ok", KEEP),
    ODD(CH "1\r\no\r\n1\r\nk\r\n000\r\n\r\n", 0, 200, "ok", KEEP),
    ODD(OK "transfer-encoding: CHUNKED\r\n\r\n2\r\nok\r\n0\r\n\r\n", 0, 200, "ok", KEEP),
    ODD(OK "Transfer-Encoding:\tchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 0, 200, "ok", KEEP),
    ODD(OK "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n", 0, 200, "ok", CLOSE),
    ODD(CH "2\r\nok\r\n0\r\n\r\nX", 0, 200, "ok", KEEP | EXTRA),
    ODD(OK "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", H),
    ODD(OK "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n", H),
    ODD(OK "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: chunkedchunked\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: identity\r\n\r\nok", F),
    ODD(OK "Transfer-Encoding: gzip\r\n\r\nok", F),
    ODD(OK "Transfer-Encoding:\r\n\r\nok", F),
    ODD(OK "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", F),
    ODD(OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", F),
    ODD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", F),
    /* cut short */
    ODD("", REQIVO_E_EMPTY_RESPONSE, 0, NULL, 0),
    ODD("H", T),
    ODD("HTTP/1.1 200 OK\r\n", T),
    ODD(OK "A: b\r\n", T),
    ODD(OK "A: b\r\n\r", T),
};
/* clang-format on */

static void judge(const struct odd *odd, const struct http1_run *run, size_t index)
{
    struct http1_result result;
    char where[80];

    http1_run(run, &result);
    (void)snprintf(where, sizeof(where), "odd %zu, cut %d at %zu", index, (int)run->cut, run->at);
    ck_assert_msg(result.code == odd->code, "%s: code %d, not %d (%s): %s", where, result.code, odd->code,
                  result.why ? result.why : "-", odd->bytes);
    if (odd->code != 0) {
        ck_assert_msg(result.why != NULL, "%s: no reason is given", where);
        return;
    }
    ck_assert_msg(result.status == odd->status, "%s: status %d", where, result.status);
    ck_assert_msg(strcmp(result.body, odd->body) == 0, "%s: body '%s'", where, result.body);
    ck_assert_msg(result.reusable == ((odd->how & KEEP) != 0), "%s: reusable %d: %s", where, result.reusable,
                  odd->bytes);
    ck_assert_msg((result.leftover > 0) == ((odd->how & EXTRA) != 0), "%s: %zu left", where, result.leftover);
}

static struct http1_run run_of(const struct odd *odd, enum http1_cut cut, size_t at)
{
    return (struct http1_run){.bytes = (const uint8_t *)odd->bytes,
                              .len = odd->len,
                              .is_head = (odd->how & IS_HEAD) != 0,
                              .cut = cut,
                              .at = at};
}

#define ODDS (sizeof(odds) / sizeof(odds[0]))

START_TEST(odd_responses_whole)
{
    ck_assert_uint_ge(ODDS, 120);
    for (size_t i = 0; i < ODDS; i++) {
        struct http1_run run = run_of(&odds[i], CUT_NONE, 0);

        judge(&odds[i], &run, i);
    }
}
END_TEST

START_TEST(odd_responses_byte_by_byte)
{
    for (size_t i = 0; i < ODDS; i++) {
        struct http1_run run = run_of(&odds[i], CUT_EVERY, 1);

        judge(&odds[i], &run, i);
    }
}
END_TEST

START_TEST(odd_responses_split_at_every_place)
{
    for (size_t i = 0; i < ODDS; i++) {
        for (size_t at = 1; at < odds[i].len; at++) {
            struct http1_run run = run_of(&odds[i], CUT_AT, at);

            judge(&odds[i], &run, i);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http1_battery");

    UNIT_TCASE(s, "battery", odd_responses_whole, odd_responses_byte_by_byte,
               odd_responses_split_at_every_place);
    return s;
}

UNIT_MAIN(suite)
