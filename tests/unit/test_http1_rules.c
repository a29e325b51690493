/* SPDX-License-Identifier: MIT */
/*
 * The rules of security.md B4 (rule_b4_*) and the table of landscape.md D.1 (rule_d1_*) for responses, one
 * test a row. Every case runs whole and byte by byte. Requests are in test_http1_encode.c.
 */
#include "tests/lib/http1_run.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define CH OK "Transfer-Encoding: chunked\r\n\r\n"

static struct http1_result feed(const char *text, size_t len, bool is_head)
{
    struct http1_run run = {.bytes = (const uint8_t *)text, .len = len, .is_head = is_head};
    struct http1_result whole, bytes;

    http1_run(&run, &whole);
    run.cut = CUT_EVERY;
    run.at = 1;
    http1_run(&run, &bytes);
    ck_assert_int_eq(whole.code, bytes.code);
    ck_assert(whole.hash == bytes.hash);
    return whole;
}

static void refused(const char *text, int code)
{
    struct http1_result result = feed(text, strlen(text), false);

    ck_assert_msg(result.code == code, "code %d, not %d: %s", result.code, code, text);
    ck_assert_msg(result.why != NULL, "no reason: %s", text);
}

static void refused_head(const char *text)
{
    refused(text, REQIVO_E_RESPONSE_HEAD);
}

static void refused_framing(const char *text)
{
    refused(text, REQIVO_E_RESPONSE_FRAMING);
}

static void accepted(const char *text, bool is_head, const char *body, size_t leftover)
{
    struct http1_result result = feed(text, strlen(text), is_head);

    ck_assert_msg(result.code == 0, "code %d (%s): %s", result.code, result.why, text);
    ck_assert_str_eq(result.body, body);
    ck_assert_uint_eq(result.leftover, leftover);
}

/* `count` times `unit` between `before` and `after`, as one block the caller frees. */
static char *repeat(const char *before, const char *unit, size_t count, const char *after, size_t *ret_len)
{
    size_t a = strlen(before), u = strlen(unit), z = strlen(after);
    char *text = malloc(a + u * count + z + 1);

    ck_assert_ptr_nonnull(text);
    memcpy(text, before, a);
    for (size_t i = 0; i < count; i++)
        memcpy(text + a + i * u, unit, u);
    memcpy(text + a + u * count, after, z + 1);
    *ret_len = a + u * count + z;
    return text;
}

/* Runs it whole and in pieces of 997 bytes; both must come to the same. */
static struct http1_result feed_long(const char *before, const char *unit, size_t count, const char *after)
{
    size_t len;
    char *text = repeat(before, unit, count, after, &len);
    struct http1_run run = {.bytes = (const uint8_t *)text, .len = len};
    struct http1_result whole, pieces;

    http1_run(&run, &whole);
    run.cut = CUT_EVERY;
    run.at = 997;
    http1_run(&run, &pieces);
    free(text);
    ck_assert_int_eq(whole.code, pieces.code);
    ck_assert(whole.hash == pieces.hash);
    ck_assert_uint_le(pieces.held_max, RQV_HTTP1_HEAD_MAX + 997);
    return whole;
}

/* ---- security.md B4
 * ---------------------------------------------------------------------------------------- */

START_TEST(rule_b4_bodyless_responses_with_length)
{
    accepted("HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\nHTTP/1.1 200 OK\r\nCon", false, "", 20);
    accepted(OK "Content-Length: 20\r\n\r\n", true, "", 0);
    accepted(OK "Transfer-Encoding: chunked\r\n\r\n", true, "", 0);
    accepted("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, "", 0);
    refused_framing("HTTP/1.1 204 No Content\r\nContent-Length: 20\r\n\r\n");
    refused_framing("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n");
    refused_framing("HTTP/1.1 100 Continue\r\nContent-Length: 20\r\n\r\n");
    refused_framing("HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n");
}
END_TEST

START_TEST(rule_b4_bytes_behind_the_response_are_left)
{
    accepted(OK "Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", false, "ok", 19);
    accepted(OK "Content-Length: 2\r\n\r\nok\r\n", false, "ok", 2);
    accepted(CH "2\r\nok\r\n0\r\n\r\n\r\n", false, "ok", 2);
    accepted("HTTP/1.1 204 No Content\r\n\r\ngarbage", false, "", 7);
}
END_TEST

START_TEST(rule_b4_bytes_while_idle_are_never_parsed)
{
    struct rqv_http1_limits limits;
    struct rqv_fields fields;
    struct rqv_http1_decoder dec;
    struct rqv_http1_event event;
    const char *text = OK "Content-Length: 0\r\n\r\n";

    rqv_http1_limits_default(&limits);
    rqv_http1_init(&dec, &limits, &fields);
    ck_assert_int_eq(rqv_http1_decode(&dec, (const uint8_t *)text, strlen(text), &event), -EINVAL);
    ck_assert_ptr_nonnull(event.why);
    ck_assert_uint_eq(event.consumed, 0);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), -EINVAL);
}
END_TEST

START_TEST(rule_b4_two_transfer_encodings)
{
    refused_framing(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n");
    refused_framing(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    refused_framing(OK "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}
END_TEST

START_TEST(rule_b4_transfer_encoding_exactly_chunked)
{
    refused_framing(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
    refused_framing(OK "Transfer-Encoding: identity\r\n\r\n");
    refused_framing(OK "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n");
    refused_framing(OK "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n");
    refused_head(OK "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n");
    refused_head(OK "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n");
    refused_framing(OK "Transfer-Encoding:\r\n\r\n0\r\n\r\n");
    refused_framing(OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n");
}
END_TEST

START_TEST(rule_b4_transfer_encoding_in_http_1_0)
{
    refused_framing("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    refused_framing(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}
END_TEST

START_TEST(rule_b4_length_and_coding)
{
    refused_framing(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    refused_framing(OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n");
    refused_framing(OK "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n");
}
END_TEST

START_TEST(rule_b4_obs_fold)
{
    refused_head(OK "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n");
    refused_head(OK "Content-Length: 1\r\n 0\r\n\r\n0123456789");
    refused_head(OK "X: a\r\n\tb\r\n\r\n");
    refused_head(OK "X: a\r\n \r\n\r\n");
}
END_TEST

START_TEST(rule_b4_bare_lf)
{
    refused_head("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n");
    refused_head(OK "X: a\nContent-Length: 0\r\n\r\n");
    refused_head(OK "Content-Length: 0\r\n\n");
    refused_head(OK "Content-Length: 0\n\r\n");
}
END_TEST

START_TEST(rule_b4_control_bytes)
{
    static const char nul_in_reason[] = "HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n";
    static const char nul_in_value[] = OK "X: a\0b\r\nContent-Length: 0\r\n\r\n";
    static const char nul_in_ext[] = CH "2;a\0b\r\nok\r\n0\r\n\r\n";

    ck_assert_int_eq(feed(nul_in_reason, sizeof(nul_in_reason) - 1, false).code, REQIVO_E_RESPONSE_HEAD);
    ck_assert_int_eq(feed(nul_in_value, sizeof(nul_in_value) - 1, false).code, REQIVO_E_RESPONSE_HEAD);
    ck_assert_int_eq(feed(nul_in_ext, sizeof(nul_in_ext) - 1, false).code, REQIVO_E_RESPONSE_FRAMING);
    refused_head(OK "X: a\001b\r\n\r\n");
    refused_head(OK "X: a\177b\r\n\r\n");
    refused_framing(CH "2;a\nok\r\n0\r\n\r\n");
    refused_framing(CH "2;a=\"b\nc\"\r\nok\r\n0\r\n\r\n");
}
END_TEST

START_TEST(rule_b4_names_are_tokens)
{
    refused_head(OK "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n");
    refused_head(OK "Content Length: 0\r\n\r\n");
    refused_head(OK " Content-Length: 0\r\n\r\n");
    refused_head(OK "Content-Length\t: 0\r\n\r\n");
    refused_head(OK ": 0\r\n\r\n");
}
END_TEST

START_TEST(rule_b4_versions_and_status)
{
    static const char *const lines[] = {"HTTP/1.2 200", "HTTP/2.0 200", "HTTP/9.9 200", "HTTP/0.9 200",
                                        "HTTP/1.1 000", "HTTP/1.1 99",  "HTTP/1.1 999", "HTTP/1.1 099"};

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        size_t len;
        char *text = repeat(lines[i], "", 0, " X\r\nContent-Length: 0\r\n\r\n", &len);

        refused_head(text);
        free(text);
    }
}
END_TEST

START_TEST(rule_b4_switching_protocols_unasked)
{
    refused("HTTP/1.1 101 Switching\r\n\r\n", REQIVO_E_UPGRADE);
    refused("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", REQIVO_E_UPGRADE);
    refused("HTTP/1.1 101 Switching\r\nContent-Length: 5\r\n\r\nhello", REQIVO_E_UPGRADE);
    refused("HTTP/1.0 101 Switching\r\n\r\n", REQIVO_E_UPGRADE);
}
END_TEST

START_TEST(rule_b4_interim_flood)
{
    static const char one[] = "HTTP/1.1 100 Continue\r\n\r\n";
    static const char end[] = OK "Content-Length: 0\r\n\r\n";
    struct http1_result result = feed_long("", one, 8, end);

    ck_assert_int_eq(result.code, 0);
    ck_assert_uint_eq(result.interims, 8);
    ck_assert_int_eq(feed_long("", one, 9, end).code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long("", one, 100000, end).code, REQIVO_E_RESPONSE_LIMIT);
}
END_TEST

START_TEST(rule_b4_interim_heads_count_as_head_bytes)
{
    /* each head alone is small enough; the third does not fit any more */
    size_t len;
    char *early = repeat("HTTP/1.1 103 Early Hints\r\n", "Link: <a>\r\n", 100, "\r\n", &len);
    struct http1_run run = {.len = 0};
    struct http1_result result;
    struct rqv_http1_limits limits;
    char *text;

    rqv_http1_limits_default(&limits);
    limits.head_max = 3000;
    run.limits = &limits;
    text = repeat("", early, 3, OK "Content-Length: 0\r\n\r\n", &run.len);
    run.bytes = (const uint8_t *)text;
    http1_run(&run, &result);
    ck_assert_int_eq(result.code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_uint_eq(result.interims, 2);
    free(text);
    free(early);
}
END_TEST

START_TEST(rule_b4_field_limits)
{
    ck_assert_int_eq(feed_long(OK, "a:\r\n", 128, "\r\n").code, 0);
    ck_assert_int_eq(feed_long(OK, "a:\r\n", 129, "\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long(OK, "a:\r\n", 20476, "\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long(OK, "n", 256, ": x\r\n\r\n").code, 0);
    ck_assert_int_eq(feed_long(OK, "n", 257, ": x\r\n\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long(OK "a:", "x", 16384 - 3, "\r\n\r\n").code, 0);
    ck_assert_int_eq(feed_long(OK "a:", "x", 16384 - 2, "\r\n\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long("HTTP/1.1 200 ", "x", 16384, "\r\n\r\n").code, REQIVO_E_RESPONSE_LIMIT);
}
END_TEST

START_TEST(rule_b4_head_limit)
{
    /* 65 lines of 1008 bytes are 65520 */
    char line[1009];

    memset(line, 'x', sizeof(line));
    memcpy(line, "a: ", 3);
    memcpy(line + 1006, "\r\n", 3);
    ck_assert_int_eq(feed_long("HTTP/1.1 200\r\n", line, 64, "\r\n").code, 0);
    ck_assert_int_eq(feed_long("HTTP/1.1 200\r\n", line, 65, "\r\n").code, 0);
    ck_assert_int_eq(feed_long("HTTP/1.1 200 O\r\n", line, 65, "\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long("HTTP/1.1 200\r\n", line, 66, "\r\n").code, REQIVO_E_RESPONSE_LIMIT);
}
END_TEST

START_TEST(rule_b4_limit_is_met_before_the_line_ends)
{
    /* one value of 200 KB: refused at 16 KiB, long before its end is there */
    struct http1_run run = {.cut = CUT_EVERY, .at = 997};
    struct http1_result result;
    char *text = repeat(OK "a: ", "x", 200000, "\r\n\r\n", &run.len);

    run.bytes = (const uint8_t *)text;
    http1_run(&run, &result);
    free(text);
    ck_assert_int_eq(result.code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_uint_le(result.held_max, 16384 + 2 * 997);
}
END_TEST

START_TEST(rule_b4_trailer_limits)
{
    ck_assert_int_eq(feed_long(CH "0\r\n", "a:\r\n", 32, "\r\n").code, 0);
    ck_assert_int_eq(feed_long(CH "0\r\n", "a:\r\n", 33, "\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long(CH "0\r\n", "a:\r\n", 13655, "\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long(CH "0\r\na:", "x", 8000, "\r\n\r\n").code, 0);
    ck_assert_int_eq(feed_long(CH "0\r\na:", "x", 8192, "\r\n\r\n").code, REQIVO_E_RESPONSE_LIMIT);
}
END_TEST

START_TEST(rule_b4_trailers_are_filtered)
{
    struct http1_result result;
    const char *text = CH "2\r\nok\r\n0\r\nTransfer-Encoding: x\r\nContent-Length: 9\r\nHost: h\r\n"
                          "Set-Cookie: a=b\r\nAuthorization: x\r\nX-Sum: 1\r\nTRAILER: y\r\n\r\n";

    result = feed(text, strlen(text), false);
    ck_assert_int_eq(result.code, 0);
    ck_assert_uint_eq(result.trailers, 1);
    ck_assert_uint_eq(result.fields, 1); /* never merged into the head's */
    text = CH "0\r\nContent-Length: 9\r\n\r\n";
    result = feed(text, strlen(text), false);
    ck_assert_int_eq(result.code, 0);
    ck_assert_uint_eq(result.trailers, 0);
}
END_TEST

START_TEST(rule_b4_chunk_extension_limits)
{
    ck_assert_int_eq(feed_long(CH "1;", "a", 63, "\r\nx\r\n0\r\n\r\n").code, 0);
    ck_assert_int_eq(feed_long(CH "1;", "a", 64, "\r\nx\r\n0\r\n\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long(CH "1;", "a", 79000, "\r\nx\r\n0\r\n\r\n").code, REQIVO_E_RESPONSE_LIMIT);
}
END_TEST

START_TEST(rule_b4_chunk_overhead)
{
    /* 21 bytes of extension for one of data: 16 KiB are spent after some 820 chunks */
    static const char fat[] = "1;aaaaaaaaaaaaaaaaaaaa\r\nx\r\n";
    static const char zeros[] = "0000000000000001\r\nx\r\n";

    ck_assert_int_eq(feed_long(CH, fat, 800, "0\r\n\r\n").code, 0);
    ck_assert_int_eq(feed_long(CH, fat, 900, "0\r\n\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    ck_assert_int_eq(feed_long(CH, zeros, 1000, "0\r\n\r\n").code, 0);
    ck_assert_int_eq(feed_long(CH, zeros, 1200, "0\r\n\r\n").code, REQIVO_E_RESPONSE_LIMIT);
    /* the plain framing is free: one byte a chunk is slow, not hostile */
    ck_assert_uint_eq(feed_long(CH, "1\r\nx\r\n", 20000, "0\r\n\r\n").body_len, 20000);
}
END_TEST

START_TEST(rule_b4_short_body_at_eof)
{
    refused(OK "Content-Length: 3\r\n\r\nok", REQIVO_E_TRUNCATED);
    refused(CH "2\r\nok\r\n0\r\n\r", REQIVO_E_TRUNCATED);
    refused(CH "2\r\nok\r\n0\r\n", REQIVO_E_TRUNCATED);
    refused(CH "2\r\nok", REQIVO_E_TRUNCATED);
    refused(CH "0\r\nA: b\r\n", REQIVO_E_TRUNCATED);
    refused(CH, REQIVO_E_TRUNCATED);
    refused("HTTP/1.1 20", REQIVO_E_TRUNCATED);
    refused("", REQIVO_E_EMPTY_RESPONSE);
}
END_TEST

/* ---- landscape.md D.1, the rows that B4 has not
 * ------------------------------------------------------------- */

START_TEST(rule_d1_cr_lf_cr_ends_no_head)
{
    refused_head(OK "Content-Length: 0\r\n\rX\n");
    refused_head(OK "X:\rY: z\r\n\r\n");
    refused_head(OK "X: a\rb\r\n\r\n");
}
END_TEST

START_TEST(rule_d1_chunk_sizes)
{
    static const char *const sizes[] = {"5 x",
                                        "5 ",
                                        " 5",
                                        "0x5",
                                        "+5",
                                        "-5",
                                        "5\t",
                                        "5;",
                                        "5;;a",
                                        "5;a=",
                                        "5 ;a",
                                        "",
                                        ";a",
                                        "5h",
                                        "g",
                                        "10000000000000000",
                                        "8000000000000000",
                                        "00000000000000005"};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t len;
        char *text = repeat(CH, sizes[i], 1, "\r\nhello\r\n0\r\n\r\n", &len);

        refused_framing(text);
        free(text);
    }
    accepted(CH "5;a;b=c;d=\"e \\\" f\"\r\nhello\r\n0;x\r\n\r\n", false, "hello", 0);
    accepted(CH "0000000000000005\r\nhello\r\n0\r\n\r\n", false, "hello", 0);
    accepted(CH "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", false, "01234567890123456789", 0);
}
END_TEST

START_TEST(rule_d1_chunk_data_ends_in_crlf)
{
    refused_framing(CH "5\r\nhelloXX0\r\n\r\n");
    refused_framing(CH "5\r\nhello\n0\r\n\r\n");
    refused_framing(CH "5\r\nhello\rX0\r\n\r\n");
    refused_framing(CH "5\nhello\r\n0\r\n\r\n");
    refused_framing(CH "5\rXhello\r\n0\r\n\r\n");
    refused_framing(CH "\r\n5\r\nhello\r\n0\r\n\r\n");
}
END_TEST

START_TEST(rule_d1_content_length_is_not_merged)
{
    refused_framing(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
    refused_framing(OK "Content-Length: 5, 5\r\n\r\nhello");
    refused_framing(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http1_rules");

    UNIT_TCASE(s, "b4 framing", rule_b4_bodyless_responses_with_length,
               rule_b4_bytes_behind_the_response_are_left, rule_b4_bytes_while_idle_are_never_parsed,
               rule_b4_two_transfer_encodings, rule_b4_transfer_encoding_exactly_chunked,
               rule_b4_transfer_encoding_in_http_1_0, rule_b4_length_and_coding,
               rule_b4_switching_protocols_unasked, rule_b4_short_body_at_eof);
    UNIT_TCASE(s, "b4 bytes", rule_b4_obs_fold, rule_b4_bare_lf, rule_b4_control_bytes,
               rule_b4_names_are_tokens, rule_b4_versions_and_status);
    UNIT_TCASE(s, "b4 limits", rule_b4_interim_flood, rule_b4_interim_heads_count_as_head_bytes,
               rule_b4_field_limits, rule_b4_head_limit, rule_b4_limit_is_met_before_the_line_ends,
               rule_b4_trailer_limits, rule_b4_trailers_are_filtered, rule_b4_chunk_extension_limits,
               rule_b4_chunk_overhead);
    UNIT_TCASE(s, "d1", rule_d1_cr_lf_cr_ends_no_head, rule_d1_chunk_sizes, rule_d1_chunk_data_ends_in_crlf,
               rule_d1_content_length_is_not_merged);
    return s;
}

UNIT_MAIN(suite)
