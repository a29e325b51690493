/* SPDX-License-Identifier: MIT */
/* Sending: what leaves is judged by the receiving side of the other end, and by the bytes of RFC 6455 5.7. */
#include "tests/lib/ws_run.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>

static struct rqv_ws_sender tx;
static struct rqv_buf wire;

static void begin(enum rqv_ws_role role, size_t frame_max)
{
    struct rqv_ws_sender_params params = {.role = role, .frame_max = frame_max};

    rqv_ws_sender_init(&tx, &params);
    rqv_buf_done(&wire);
    rqv_buf_init(&wire, SIZE_MAX / 2);
}

static struct ws_result end(enum rqv_ws_role reader)
{
    struct ws_run run = {.bytes = rqv_buf_head(&wire), .len = rqv_buf_len(&wire), .role = reader};
    struct ws_result result = ws_run_all(&run);

    rqv_buf_done(&wire);
    return result;
}

static int put(uint8_t opcode, const char *text, size_t len, bool last)
{
    struct rqv_ws_piece piece = {.opcode = opcode, .last = last, .mask = {0x37, 0xfa, 0x21, 0x3d}};
    struct rqv_ws_sent sent;
    size_t at = 0;
    int r;

    do {
        piece.bytes = text ? (const uint8_t *)text + at : NULL;
        piece.len = len - at;
        r = rqv_ws_send(&tx, &piece, &wire, &sent);
        if (r < 0)
            return r;
        at += sent.consumed;
    } while (!sent.done);
    return 0;
}

static int put_text(const char *text, bool last)
{
    return put(RQV_WS_TEXT, text, strlen(text), last);
}

static void wire_is(const char *bytes, size_t len)
{
    ck_assert_uint_eq(rqv_buf_len(&wire), len);
    ck_assert_mem_eq(rqv_buf_head(&wire), bytes, len);
}

START_TEST(test_examples_of_the_rfc)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

    begin(RQV_WS_SERVER, 65536);
    ck_assert_int_eq(put_text("Hello", true), 0);
    wire_is("\x81\x05Hello", 7);
    begin(RQV_WS_CLIENT, 65536);
    ck_assert_int_eq(put_text("Hello", true), 0);
    wire_is("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    begin(RQV_WS_SERVER, 65536);
    ck_assert_int_eq(put_text("Hel", false), 0);
    ck_assert_int_eq(put_text("lo", true), 0);
    wire_is("\x01\x03Hel\x80\x02lo", 9);
    begin(RQV_WS_SERVER, 65536);
    ck_assert_int_eq(rqv_ws_send_control(&tx, RQV_WS_PING, RQV_STR("Hello"), mask, &wire), 0);
    wire_is("\x89\x05Hello", 7);
    begin(RQV_WS_CLIENT, 65536);
    ck_assert_int_eq(rqv_ws_send_control(&tx, RQV_WS_PONG, RQV_STR("Hello"), mask, &wire), 0);
    wire_is("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    rqv_buf_done(&wire);
}
END_TEST

/* One frame a call, none over frame_max, control frames between, both ways. */
START_TEST(test_fragmentation)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    char text[1000];
    struct ws_result result;

    memset(text, 'y', sizeof(text));
    for (int role = RQV_WS_CLIENT; role <= RQV_WS_SERVER; role++) {
        enum rqv_ws_role other = role == RQV_WS_CLIENT ? RQV_WS_SERVER : RQV_WS_CLIENT;

        for (size_t frame_max = 1; frame_max < 1100; frame_max = frame_max * 3 + 1) {
            begin((enum rqv_ws_role)role, frame_max);
            ck_assert_int_eq(put(RQV_WS_BINARY, text, 700, false), 0);
            ck_assert_int_eq(rqv_ws_send_control(&tx, RQV_WS_PING, RQV_STR("between"), mask, &wire), 0);
            ck_assert_int_eq(put(RQV_WS_BINARY, NULL, 0, false), 0);
            ck_assert_int_eq(put(RQV_WS_BINARY, text, 300, true), 0);
            ck_assert_int_eq(put_text("next", true), 0);
            result = end(other);
            ck_assert_int_eq(result.error, 0);
            ck_assert_uint_eq(result.messages, 2);
            ck_assert_uint_eq(result.pings, 1);
            ck_assert_str_eq(result.text, "next");
        }
    }
}
END_TEST

START_TEST(test_empty_messages)
{
    struct ws_result result;

    begin(RQV_WS_CLIENT, 100);
    ck_assert_int_eq(put_text("", true), 0);
    ck_assert_int_eq(put(RQV_WS_BINARY, NULL, 0, true), 0);
    ck_assert_int_eq(put_text("", false), 0);
    ck_assert_int_eq(put_text("", false), 0);
    ck_assert_int_eq(put_text("x", false), 0);
    ck_assert_int_eq(put_text("", true), 0);
    ck_assert_uint_eq(rqv_buf_len(&wire), 6 + 6 + 7 + 6);
    result = end(RQV_WS_SERVER);
    ck_assert_uint_eq(result.messages, 3);
    ck_assert_str_eq(result.text, "x");
}
END_TEST

START_TEST(test_text_is_checked)
{
    begin(RQV_WS_CLIENT, 2);
    ck_assert_int_eq(put_text("good \xff", true), -EILSEQ);
    ck_assert_int_eq(put_text("cut \xe1\xbd", true), -EILSEQ);
    ck_assert_uint_eq(rqv_buf_len(&wire), 0);
    ck_assert_int_eq(put_text("\xf4\x8f", false), 0); /* a character over pieces and frames */
    ck_assert_int_eq(put_text("\xbf\xbf!", true), 0);
    ck_assert_int_eq(put(RQV_WS_BINARY, "\xff", 1, true), 0);
    ck_assert_int_eq(put_text("begun", false), 0);
    ck_assert_int_eq(put_text("\xff", true), -EILSEQ);
    ck_assert_int_eq(put_text("nothing helps now", true), -EILSEQ);
    ck_assert_uint_eq(end(RQV_WS_SERVER).messages, 2);
}
END_TEST

START_TEST(test_misuse)
{
    static const uint8_t mask[4] = {0};
    char big[126] = {0};

    begin(RQV_WS_CLIENT, 100);
    ck_assert_int_eq(put(RQV_WS_CONTINUATION, "x", 1, true), -EINVAL);
    ck_assert_int_eq(put(RQV_WS_PING, "x", 1, true), -EINVAL);
    ck_assert_int_eq(put(3, "x", 1, true), -EINVAL);
    ck_assert_int_eq(put_text("a", false), 0);
    ck_assert_int_eq(put(RQV_WS_BINARY, "b", 1, true), -EINVAL);
    ck_assert_int_eq(rqv_ws_send_control(&tx, RQV_WS_CLOSE, RQV_STR(""), mask, &wire), -EINVAL);
    ck_assert_int_eq(rqv_ws_send_control(&tx, RQV_WS_TEXT, RQV_STR(""), mask, &wire), -EINVAL);
    ck_assert_int_eq(rqv_ws_send_control(&tx, RQV_WS_PING, (struct rqv_str){big, 126}, mask, &wire),
                     -EMSGSIZE);
    ck_assert_int_eq(rqv_ws_send_control(&tx, RQV_WS_PING, (struct rqv_str){big, 125}, mask, &wire), 0);
    rqv_buf_done(&wire);
}
END_TEST

static int send_close(unsigned code, const char *reason, size_t len)
{
    struct rqv_ws_closing closing = {.code = (uint16_t)code, .reason = {reason, len}, .mask = {9, 8, 7, 6}};

    return rqv_ws_send_close(&tx, &closing, &wire);
}

START_TEST(test_close)
{
    static const unsigned bad[] = {0, 999, 1004, 1006, 1015, 1016, 2999, 5000};
    static const uint8_t mask[4] = {0};
    char reason[124];
    struct ws_result result;

    memset(reason, 'r', sizeof(reason));
    begin(RQV_WS_CLIENT, 100);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(send_close(bad[i], NULL, 0), -EINVAL);
    ck_assert_int_eq(send_close(1005, "x", 1), -EINVAL);
    ck_assert_int_eq(send_close(1000, reason, 124), -EMSGSIZE);
    ck_assert_int_eq(send_close(1000, "\xce", 1), -EILSEQ);
    ck_assert_int_eq(send_close(1001, reason, 123), 0);
    ck_assert_int_eq(send_close(1001, NULL, 0), -EPIPE);
    ck_assert_int_eq(put_text("late", true), -EPIPE);
    ck_assert_int_eq(rqv_ws_send_control(&tx, RQV_WS_PONG, RQV_STR(""), mask, &wire), -EPIPE);
    result = end(RQV_WS_SERVER);
    ck_assert_uint_eq(result.close_code, 1001);
    ck_assert_uint_eq(result.len, 123);
    begin(RQV_WS_SERVER, 100);
    ck_assert_int_eq(send_close(1005, NULL, 0), 0);
    wire_is("\x88\x00", 2);
    begin(RQV_WS_SERVER, 100);
    ck_assert_int_eq(send_close(1000, NULL, 0), 0);
    wire_is("\x88\x02\x03\xe8", 4);
    rqv_buf_done(&wire);
}
END_TEST

/* A buffer that is full changes nothing: the same call may be made again, or another message begun. */
START_TEST(test_no_room)
{
    struct rqv_ws_piece piece = {.bytes = (const uint8_t *)"more \xc2", .len = 6, .opcode = RQV_WS_TEXT};
    struct rqv_ws_sent sent;
    struct rqv_buf full;
    struct ws_result result;

    begin(RQV_WS_CLIENT, 1000);
    wire.max = 20;
    ck_assert_int_eq(put_text("A text that is too long for it \xc2\xb5", true), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(send_close(1000, "much too long a reason", 22), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(rqv_buf_len(&wire), 0);
    wire.max = 1000;
    ck_assert_int_eq(put_text("\xff another, longer than it was, that is wrong", true), -EILSEQ);
    ck_assert_int_eq(put_text("A text that is too long for it \xc2\xb5", false), 0);
    rqv_buf_init(&full, 10);
    ck_assert_int_eq(rqv_ws_send(&tx, &piece, &full, &sent), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(put_text("more \xc2", false), 0);
    ck_assert_int_eq(put_text("\xb5", true), 0);
    result = end(RQV_WS_SERVER);
    ck_assert_uint_eq(result.messages, 1);
    ck_assert_str_eq(result.text, "A text that is too long for it \xc2\xb5more \xc2\xb5");
}
END_TEST

/* With `flush` what was said so far can be read at the other end. */
START_TEST(test_compressed_flush)
{
    uint8_t scratch[256], expanded[256];
    struct rqv_ws_deflate_params out = {.window_bits = 15};
    struct rqv_ws_sender_params params = {
        .role = RQV_WS_SERVER, .frame_max = 200, .scratch = scratch, .scratch_size = sizeof(scratch)};
    struct rqv_ws_inflate_params in;
    struct rqv_ws_receiver_params reader = {.scratch = expanded, .scratch_size = sizeof(expanded)};
    struct rqv_ws_piece piece = {.opcode = RQV_WS_TEXT, .compress = true};
    struct ws_result result = {.hash = 0};
    struct rqv_ws_receiver rx;
    struct rqv_ws_sent sent;

    rqv_ws_inflate_params_default(&in);
    rqv_ws_limits_default(&reader.limits);
    ck_assert_int_eq(rqv_ws_deflate_new(&out, &params.deflate), 0);
    ck_assert_int_eq(rqv_ws_inflate_new(&in, &reader.inflate), 0);
    rqv_ws_sender_init(&tx, &params);
    rqv_ws_receiver_init(&rx, &reader);
    rqv_buf_init(&wire, 10000);
    for (size_t i = 0; i < 12; i++) {
        char line[32];
        int len = snprintf(line, sizeof(line), "line %zu;", i);

        piece.bytes = (const uint8_t *)line;
        piece.len = (size_t)len;
        piece.flush = i % 2 == 1;
        piece.last = i == 11;
        ck_assert_int_eq(rqv_ws_send(&tx, &piece, &wire, &sent), 0);
        ck_assert(sent.done);
        ck_assert(sent.framed == piece.flush);
        ck_assert(ws_arrive(&rx, rqv_buf_head(&wire), rqv_buf_len(&wire), &result));
        rqv_buf_consume(&wire, rqv_buf_len(&wire));
        if (piece.flush)
            ck_assert_str_eq(result.text + strlen(result.text) - (size_t)len, line);
    }
    ck_assert_uint_eq(result.messages, 1);
    rqv_ws_deflate_free(params.deflate);
    rqv_ws_inflate_free(reader.inflate);
    rqv_buf_done(&wire);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ws_send");

    UNIT_TCASE(s, "messages", test_examples_of_the_rfc, test_fragmentation, test_empty_messages,
               test_text_is_checked, test_compressed_flush);
    UNIT_TCASE(s, "edges", test_misuse, test_close, test_no_room);
    return s;
}

UNIT_MAIN(suite)
