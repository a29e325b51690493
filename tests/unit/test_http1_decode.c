/* SPDX-License-Identifier: MIT */
/* The decoder's contract: which event comes when, what is consumed, what views show, what EOF means in each
 * state. */
#include "proto/http1.h"
#include "proto/http1_parts.h"
#include "tests/lib/http1_run.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>

static struct rqv_http1_limits limits;
static struct rqv_fields scratch;
static struct rqv_http1_decoder dec;
static struct rqv_http1_event event;

static void begin(bool is_head)
{
    rqv_http1_limits_default(&limits);
    rqv_http1_init(&dec, &limits, &scratch);
    rqv_http1_begin(&dec, &(struct rqv_http1_request_info){.is_head = is_head});
}

static void expect(const char *in, enum rqv_http1_event_type type, size_t consumed)
{
    ck_assert_int_eq(rqv_http1_decode(&dec, (const uint8_t *)in, strlen(in), &event), 0);
    ck_assert_int_eq(event.type, type);
    ck_assert_uint_eq(event.consumed, consumed);
}

static void body_is(const char *text)
{
    ck_assert_uint_eq(event.body_len, strlen(text));
    ck_assert_mem_eq(event.body, text, event.body_len);
}

START_TEST(one_event_a_call)
{
    static const char head[] =
        "HTTP/1.1 200 Fine\r\nA: 1\r\nb:  two \r\nContent-Length: 5\r\nKeep-Alive: timeout=7\r\n\r\n";

    begin(false);
    ck_assert(!rqv_http1_seen(&dec));
    expect("", RQV_HTTP1_NEED, 0);
    ck_assert(!rqv_http1_seen(&dec));
    expect(head, RQV_HTTP1_HEAD, sizeof(head) - 1);
    ck_assert(rqv_http1_seen(&dec));
    ck_assert_int_eq(event.head.status, 200);
    ck_assert_int_eq(event.head.minor, 1);
    ck_assert(rqv_str_eq(event.head.reason, RQV_STR("Fine")));
    ck_assert_int_eq(event.head.body, RQV_HTTP1_LENGTH);
    ck_assert_int_eq(event.head.content_length, 5);
    ck_assert_int_eq(event.head.keep_alive_timeout, 7);
    ck_assert(event.head.reusable);
    ck_assert_ptr_eq(event.head.fields, &scratch);
    ck_assert_uint_eq(scratch.count, 4);
    ck_assert(rqv_str_eq(scratch.at[1].name, RQV_STR("b")));
    ck_assert(rqv_str_eq(scratch.at[1].value, RQV_STR("two")));
    ck_assert_ptr_eq(scratch.at[0].name.ptr, head + 19); /* a view, not a copy */
    expect("hel", RQV_HTTP1_BODY, 3);
    body_is("hel");
    expect("", RQV_HTTP1_NEED, 0);
    expect("lo and more", RQV_HTTP1_BODY, 2);
    body_is("lo");
    expect(" and more", RQV_HTTP1_END, 0);
    ck_assert(event.reusable);
    ck_assert_int_eq(rqv_http1_decode(&dec, (const uint8_t *)"x", 1, &event), -EINVAL);
}
END_TEST

START_TEST(chunks_one_event_a_call)
{
    begin(false);
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", RQV_HTTP1_HEAD, 47);
    ck_assert_int_eq(event.head.body, RQV_HTTP1_CHUNKED);
    ck_assert_int_eq(event.head.content_length, -1);
    expect("5", RQV_HTTP1_NEED, 1);
    expect("\r\nhello\r\n3\r\nyou\r\n", RQV_HTTP1_BODY, 7);
    body_is("hello");
    expect("\r\n3\r\nyou\r\n", RQV_HTTP1_BODY, 8);
    body_is("you");
    expect("\r\n0\r\nA: b\r\n", RQV_HTTP1_NEED, 5); /* the trailer section stays */
    expect("A: b\r\n\r", RQV_HTTP1_NEED, 0);
    expect("A: b\r\n\r\nrest", RQV_HTTP1_TRAILERS, 8);
    ck_assert_uint_eq(event.trailers->count, 1);
    ck_assert(rqv_str_eq(event.trailers->at[0].value, RQV_STR("b")));
    expect("rest", RQV_HTTP1_END, 0);
}
END_TEST

START_TEST(chunks_end_in_one_call)
{
    begin(false);
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", RQV_HTTP1_HEAD, 47);
    expect("0\r\nA: b\r\n\r\n", RQV_HTTP1_TRAILERS, 11);
    expect("", RQV_HTTP1_END, 0);
    begin(false);
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", RQV_HTTP1_HEAD, 47);
    expect("0\r\n\r\nrest", RQV_HTTP1_END, 5);
    ck_assert(event.reusable);
}
END_TEST

START_TEST(interim_then_final)
{
    static const char early[] = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";

    begin(false);
    expect(early, RQV_HTTP1_INTERIM, sizeof(early) - 1);
    ck_assert_int_eq(event.head.status, 103);
    ck_assert_uint_eq(event.head.fields->count, 1);
    expect("HTTP/1.1 204 None\r\n\r\n", RQV_HTTP1_HEAD, 21);
    ck_assert_int_eq(event.head.body, RQV_HTTP1_NONE);
    expect("", RQV_HTTP1_END, 0);
}
END_TEST

START_TEST(begin_forgets_everything)
{
    begin(true);
    expect("HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n", RQV_HTTP1_HEAD, 38);
    expect("", RQV_HTTP1_END, 0);
    ck_assert(!event.reusable);
    rqv_http1_begin(&dec, &(struct rqv_http1_request_info){.is_head = false});
    ck_assert(!rqv_http1_seen(&dec));
    expect("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", RQV_HTTP1_HEAD, 38);
    ck_assert(event.head.reusable);
    expect("body", RQV_HTTP1_BODY, 4);
    expect("", RQV_HTTP1_END, 0);
}
END_TEST

START_TEST(failures_stay)
{
    begin(false);
    ck_assert_int_eq(rqv_http1_decode(&dec, (const uint8_t *)"nonsense", 8, &event), REQIVO_E_RESPONSE_HEAD);
    ck_assert_ptr_nonnull(event.why);
    ck_assert_int_eq(rqv_http1_decode(&dec, (const uint8_t *)"HTTP/1.1 ", 9, &event), REQIVO_E_RESPONSE_HEAD);
    ck_assert_ptr_nonnull(event.why);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), REQIVO_E_RESPONSE_HEAD);
    ck_assert_ptr_nonnull(event.why);
    rqv_http1_begin(&dec, &(struct rqv_http1_request_info){.is_head = false});
    expect("HTTP/1.1 204 None\r\n\r\n", RQV_HTTP1_HEAD, 21);
}
END_TEST

START_TEST(eof_in_each_state)
{
    begin(false);
    expect("", RQV_HTTP1_NEED, 0);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), REQIVO_E_EMPTY_RESPONSE);
    begin(false);
    expect("H", RQV_HTTP1_NEED, 0);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), REQIVO_E_TRUNCATED);
    begin(false);
    expect("HTTP/1.1 100 Continue\r\n\r\n", RQV_HTTP1_INTERIM, 25);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), REQIVO_E_TRUNCATED);
    begin(false);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", RQV_HTTP1_HEAD, 38);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), REQIVO_E_TRUNCATED);
    begin(false);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", RQV_HTTP1_HEAD, 38);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), 0); /* complete already */
    ck_assert_int_eq(event.type, RQV_HTTP1_END);
    ck_assert(!event.reusable);
    begin(false);
    expect("HTTP/1.1 200 OK\r\n\r\n", RQV_HTTP1_HEAD, 19);
    expect("", RQV_HTTP1_NEED, 0);
    expect("abc", RQV_HTTP1_BODY, 3);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), 0);
    ck_assert_int_eq(event.type, RQV_HTTP1_END);
    ck_assert(!event.reusable);
    ck_assert_int_eq(rqv_http1_eof(&dec, &event), -EINVAL);
}
END_TEST

START_TEST(an_empty_buffer_may_be_null)
{
    begin(false);
    ck_assert_int_eq(rqv_http1_decode(&dec, NULL, 0, &event), 0);
    ck_assert_int_eq(event.type, RQV_HTTP1_NEED);
    ck_assert(!rqv_http1_seen(&dec));
}
END_TEST

START_TEST(a_gibibyte_costs_one_call)
{
    /* the decoder does not look at body bytes, so a length it never reads is fine */
    size_t len = (size_t)1 << 30;

    begin(false);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", RQV_HTTP1_HEAD, 47);
    ck_assert_int_eq(rqv_http1_decode(&dec, (const uint8_t *)"x", len, &event), 0);
    ck_assert_int_eq(event.type, RQV_HTTP1_BODY);
    ck_assert_uint_eq(event.consumed, len);
    expect("", RQV_HTTP1_END, 0);
}
END_TEST

START_TEST(limits_over_the_hard_ones_are_cut)
{
    struct rqv_http1_limits wide;
    size_t len = 20 + 4 * (RQV_FIELDS_MAX + 1);
    char text[20 + 4 * (RQV_FIELDS_MAX + 1) + 1] = "HTTP/1.1 200 OK...\r\n";
    struct http1_run run = {.bytes = (const uint8_t *)text, .len = len, .limits = &wide};
    struct http1_result result;

    rqv_http1_limits_default(&wide);
    wide.fields_max = wide.trailer_fields_max = 1000000;
    wide.head_max = 1000000;
    for (size_t i = 20; i < len; i += 4)
        memcpy(text + i, "a:\r\n", 4);
    http1_run(&run, &result);
    ck_assert_int_eq(result.code, REQIVO_E_RESPONSE_LIMIT);
}
END_TEST

START_TEST(the_second_parser_can_object)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\nC:\r\n\r\n";
    struct rqv_http1_cursor cursor = {0};
    struct rqv_http1_head head = {.fields = &scratch};
    struct rqv_http1_section section = {65536, 16384, 256, 128, &head, &scratch};
    struct rqv_http1_framing framing, wrong;
    const uint8_t *in = (const uint8_t *)text;
    const char *why = NULL;

    ck_assert_int_eq(rqv_http1_gate(&section, in, sizeof(text) - 1, &cursor, &why), 1);
    ck_assert_uint_eq(cursor.line, sizeof(text) - 1);
    ck_assert_int_eq(rqv_http1_framing(&head, &(struct rqv_http1_request_info){0}, &framing, &why), 0);
    ck_assert_int_eq(rqv_http1_parser_check(in, cursor.line, &head, &framing, &why), 0);
    wrong = framing;
    wrong.content_length = 6;
    ck_assert_int_lt(rqv_http1_parser_check(in, cursor.line, &head, &wrong, &why), 0);
    wrong.content_length = -1;
    ck_assert_int_lt(rqv_http1_parser_check(in, cursor.line, &head, &wrong, &why), 0);
    wrong.chunked = true;
    ck_assert_int_lt(rqv_http1_parser_check(in, cursor.line, &head, &wrong, &why), 0);
    head.status = 201;
    ck_assert_int_lt(rqv_http1_parser_check(in, cursor.line, &head, &framing, &why), 0);
    head.status = 200;
    head.minor = 0;
    ck_assert_int_lt(rqv_http1_parser_check(in, cursor.line, &head, &framing, &why), 0);
    head.minor = 1;
    scratch.at[1].value.ptr++;
    ck_assert_int_lt(rqv_http1_parser_check(in, cursor.line, &head, &framing, &why), 0);
    scratch.at[1].value.ptr--;
    scratch.count = 2;
    ck_assert_int_lt(rqv_http1_parser_check(in, cursor.line, &head, &framing, &why), 0);
}
END_TEST

START_TEST(a_switch_that_was_asked_for_ends_http)
{
    static const char text[] =
        "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81";
    struct rqv_http1_limits own_limits;
    struct rqv_http1_decoder own;
    struct rqv_http1_event got;
    const struct rqv_http1_request_info info = {.upgrade = true};
    const uint8_t *in = (const uint8_t *)text;
    size_t head = sizeof(text) - 2;

    rqv_http1_limits_default(&own_limits);
    rqv_http1_init(&own, &own_limits, &scratch);
    for (size_t split = 1; split < sizeof(text) - 1; split++) {
        rqv_http1_begin(&own, &info);
        ck_assert_int_eq(rqv_http1_decode(&own, in, split, &got), 0);
        ck_assert_int_eq(got.type, split < head ? RQV_HTTP1_NEED : RQV_HTTP1_HEAD);
        if (split < head)
            ck_assert_int_eq(rqv_http1_decode(&own, in, sizeof(text) - 1, &got), 0);
        ck_assert_int_eq(got.type, RQV_HTTP1_HEAD);
        ck_assert_int_eq(got.head.status, 101);
        ck_assert_uint_eq(got.consumed, head);
        ck_assert(!got.head.reusable);
        ck_assert_int_eq(rqv_http1_decode(&own, in + head, 1, &got), 0);
        ck_assert_int_eq(got.type, RQV_HTTP1_END);
        ck_assert_uint_eq(got.consumed, 0);
        ck_assert(!got.reusable);
    }
    rqv_http1_begin(&own, &info);
    ck_assert_int_eq(rqv_http1_decode(&own, (const uint8_t *)"HTTP/1.0 101 X\r\n\r\n", 18, &got),
                     REQIVO_E_UPGRADE);
}
END_TEST

START_TEST(canaries)
{
    const char *which = "none";

    ck_assert_msg(rqv_http1_canaries(&which) == 0, "canary: %s", which);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http1_decode");

    UNIT_TCASE(s, "events", one_event_a_call, chunks_one_event_a_call, chunks_end_in_one_call,
               interim_then_final, begin_forgets_everything, failures_stay, eof_in_each_state,
               an_empty_buffer_may_be_null, a_gibibyte_costs_one_call, limits_over_the_hard_ones_are_cut);
    UNIT_TCASE(s, "upgrade", a_switch_that_was_asked_for_ends_http);
    UNIT_TCASE(s, "parser", the_second_parser_can_object, canaries);
    return s;
}

UNIT_MAIN(suite)
