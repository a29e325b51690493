/* SPDX-License-Identifier: MIT */
/*
 * Receiving: categories 1 to 7 and 9 of the public suite, by their numbers, for both ends, whole, byte by
 * byte and cut at every place. A script is a list of frames: first byte and payload.
 */
#include "tests/lib/ws_run.h"
#include "tests/unit/unit.h"

#include <errno.h>

struct frame {
    uint8_t first; /* FIN, RSV, opcode; 0xff ends a script */
    const char *payload;
    size_t len;
};

#define F(first, text)                                                                                       \
    {                                                                                                        \
        (first), (text), sizeof(text) - 1                                                                    \
    }
#define END                                                                                                  \
    {                                                                                                        \
        0xff, NULL, 0                                                                                        \
    }
#define SCRIPT(...) ((const struct frame[]){__VA_ARGS__, END})

static struct ws_result play_for(const struct frame *script, enum rqv_ws_role role)
{
    struct ws_run run = {.role = role};
    struct ws_result result;
    struct rqv_buf wire;

    rqv_buf_init(&wire, SIZE_MAX / 2);
    for (; script->first != 0xff; script++)
        ws_put(&wire, script->first, script->payload, script->len, role == RQV_WS_SERVER);
    run.bytes = rqv_buf_head(&wire);
    run.len = rqv_buf_len(&wire);
    result = ws_run_all(&run);
    rqv_buf_done(&wire);
    return result;
}

static struct ws_result play(const struct frame *script)
{
    struct ws_result client = play_for(script, RQV_WS_CLIENT), server = play_for(script, RQV_WS_SERVER);

    ck_assert_int_eq(client.error, server.error);
    ck_assert(client.hash == server.hash);
    return client;
}

static void fails(const struct frame *script, uint16_t code)
{
    struct ws_result result = play(script);

    ck_assert_msg(result.error < 0 && result.code == code, "code %u, not %u", result.code, code);
}

static void gives(const struct frame *script, const char *text, size_t messages)
{
    struct ws_result result = play(script);

    ck_assert_msg(result.error == 0, "%s", result.why);
    ck_assert_uint_eq(result.messages, messages);
    ck_assert_uint_eq(result.len, strlen(text));
    ck_assert_str_eq(result.text, text);
}

/* ---- 1: framing -----------------------------------------------------------------------------------------
 */

static void one_frame(uint8_t opcode, size_t len)
{
    char *payload = malloc(len + 1);
    struct ws_result result;

    ck_assert_ptr_nonnull(payload);
    memset(payload, '*', len);
    result = play((const struct frame[]){{(uint8_t)(0x80 | opcode), payload, len}, END});
    ck_assert_int_eq(result.error, 0);
    ck_assert_uint_eq(result.messages, 1);
    ck_assert_uint_eq(result.len, len);
    ck_assert_uint_eq(result.opcode, opcode);
    free(payload);
}

START_TEST(test_1_every_length)
{
    static const size_t lengths[] = {0, 1, 125, 126, 127, 128, 65535, 65536};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        one_frame(RQV_WS_TEXT, lengths[i]);
        one_frame(RQV_WS_BINARY, lengths[i]);
    }
}
END_TEST

/* ---- 2: pings and pongs ---------------------------------------------------------------------------------
 */

START_TEST(test_2_pings_and_pongs)
{
    static const char full[125] = {'\x01', '\0', '\xff', 'x'};
    struct ws_result result;

    result = play(SCRIPT(F(0x89, "")));
    ck_assert_uint_eq(result.pings, 1);
    ck_assert_uint_eq(result.len, 0);
    result = play(SCRIPT(F(0x89, "Hello, world!")));
    ck_assert_str_eq(result.text, "Hello, world!");
    result = play(SCRIPT(F(0x89, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff")));
    ck_assert_mem_eq(result.text, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 8);
    result = play(SCRIPT({0x89, full, sizeof(full)}));
    ck_assert_uint_eq(result.len, 125);
    ck_assert_mem_eq(result.text, full, 125);
    result = play(SCRIPT(F(0x8a, "unasked"), F(0x89, "and a ping")));
    ck_assert_uint_eq(result.pongs, 1);
    ck_assert_str_eq(result.text, "and a ping");
    result = play(SCRIPT(F(0x89, "0"), F(0x89, "1"), F(0x89, "2"), F(0x89, "3"), F(0x89, "4"), F(0x89, "5"),
                         F(0x89, "6"), F(0x89, "7"), F(0x89, "8"), F(0x89, "9")));
    ck_assert_uint_eq(result.pings, 10);
    ck_assert_str_eq(result.text, "9");
}
END_TEST

START_TEST(test_2_5_ping_too_long)
{
    static const char payload[126] = {0};

    fails((const struct frame[]){{0x89, payload, sizeof(payload)}, END}, RQV_WS_CLOSE_PROTOCOL);
}
END_TEST

/* ---- 3, 4: reserved bits and opcodes --------------------------------------------------------------------
 */

START_TEST(test_3_reserved_bits)
{
    struct ws_result result;

    for (unsigned rsv = 1; rsv <= 7; rsv++) {
        fails((const struct frame[]){{(uint8_t)(0x81 | rsv << 4), "Hello", 5}, END}, RQV_WS_CLOSE_PROTOCOL);
        fails((const struct frame[]){{(uint8_t)(0x82 | rsv << 4), "", 0}, END}, RQV_WS_CLOSE_PROTOCOL);
        fails((const struct frame[]){{(uint8_t)(0x88 | rsv << 4), "", 0}, END}, RQV_WS_CLOSE_PROTOCOL);
        fails((const struct frame[]){{(uint8_t)(0x89 | rsv << 4), "Hello", 5}, END}, RQV_WS_CLOSE_PROTOCOL);
    }
    result = play(SCRIPT(F(0x81, "first"), F(0xa1, "second"), F(0x89, "")));
    ck_assert_uint_eq(result.messages, 1);
    ck_assert_uint_eq(result.pings, 0);
}
END_TEST

START_TEST(test_4_reserved_opcodes)
{
    static const uint8_t reserved[] = {3, 4, 5, 6, 7, 11, 12, 13, 14, 15};

    for (size_t i = 0; i < sizeof(reserved); i++) {
        uint8_t first = 0x80 | reserved[i];

        fails((const struct frame[]){{first, "", 0}, END}, RQV_WS_CLOSE_PROTOCOL);
        fails((const struct frame[]){{first, "payload", 7}, END}, RQV_WS_CLOSE_PROTOCOL);
        fails((const struct frame[]){F(0x81, "Hello"), {first, "", 0}, F(0x89, ""), END},
              RQV_WS_CLOSE_PROTOCOL);
    }
}
END_TEST

/* ---- 5: fragmentation -----------------------------------------------------------------------------------
 */

START_TEST(test_5_fragments)
{
    struct ws_result result;

    fails(SCRIPT(F(0x09, "frag"), F(0x80, "ment")), RQV_WS_CLOSE_PROTOCOL); /* 5.1 */
    fails(SCRIPT(F(0x0a, "frag"), F(0x80, "ment")), RQV_WS_CLOSE_PROTOCOL); /* 5.2 */
    gives(SCRIPT(F(0x01, "fragment1"), F(0x80, "fragment2")), "fragment1fragment2", 1);
    result = play(SCRIPT(F(0x01, "fragment1"), F(0x89, "ping"), F(0x80, "fragment2"))); /* 5.6 */
    ck_assert_uint_eq(result.pings, 1);
    ck_assert_str_eq(result.text, "fragment1fragment2");
    fails(SCRIPT(F(0x80, "nothing to continue"), F(0x81, "Hello")), RQV_WS_CLOSE_PROTOCOL); /* 5.9, 5.10 */
    fails(SCRIPT(F(0x00, "nothing to continue"), F(0x81, "Hello")), RQV_WS_CLOSE_PROTOCOL); /* 5.12 */
    fails(SCRIPT(F(0x01, "fragment1"), F(0x80, "fragment2"), F(0x00, "fragment3"), F(0x81, "Hello")),
          RQV_WS_CLOSE_PROTOCOL);                                                     /* 5.15 */
    fails(SCRIPT(F(0x00, "1"), F(0x81, "2"), F(0x80, "3")), RQV_WS_CLOSE_PROTOCOL);   /* 5.16, 5.17 */
    fails(SCRIPT(F(0x01, "fragment1"), F(0x81, "fragment2")), RQV_WS_CLOSE_PROTOCOL); /* 5.18 */
    fails(SCRIPT(F(0x01, "fragment1"), F(0x82, "fragment2")), RQV_WS_CLOSE_PROTOCOL);
    result = play(SCRIPT(F(0x01, "1"), F(0x00, "2"), F(0x89, "a"), F(0x00, "3"), F(0x00, "4"), F(0x89, "b"),
                         F(0x80, "5"))); /* 5.19, 5.20 */
    ck_assert_uint_eq(result.pings, 2);
    ck_assert_str_eq(result.text, "12345");
}
END_TEST

START_TEST(test_empty_fragments)
{
    gives(SCRIPT(F(0x01, ""), F(0x00, ""), F(0x80, "")), "", 1); /* 6.1.2 */
    gives(SCRIPT(F(0x01, ""), F(0x00, "middle"), F(0x80, "")), "middle", 1);
    gives(SCRIPT(F(0x82, ""), F(0x81, "")), "", 2);
    gives(SCRIPT(F(0x02, "a"), F(0x00, ""), F(0x80, "b"), F(0x01, "c"), F(0x80, "")), "c", 2);
}
END_TEST

/* ---- 6: UTF-8 -------------------------------------------------------------------------------------------
 */

#define GOOD "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"
#define BAD                                                                                                  \
    "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"                                               \
    "edited"

START_TEST(test_6_text)
{
    gives(SCRIPT(F(0x81, GOOD)), GOOD, 1);
    gives(SCRIPT(F(0x01, "Hello-\xc2"), F(0x80, "\xb5@")), "Hello-\xc2\xb5@",
          1); /* 6.2.2 - 6.2.4: cut anywhere */
    gives(SCRIPT(F(0x01, "\xf4"), F(0x00, "\x8f"), F(0x00, "\xbf"), F(0x80, "\xbf")), "\xf4\x8f\xbf\xbf", 1);
    fails(SCRIPT(F(0x81, BAD)), RQV_WS_CLOSE_DATA); /* 6.3 */
    fails(SCRIPT(F(0x01, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"), F(0x00, "\xf4\x90\x80\x80"),
                 F(0x80, "edited")),
          RQV_WS_CLOSE_DATA); /* 6.4 */
    fails(SCRIPT(F(0x81, "cut \xce")), RQV_WS_CLOSE_DATA);
    fails(SCRIPT(F(0x01, "cut \xe1\xbd"), F(0x80, "")), RQV_WS_CLOSE_DATA);
    gives(SCRIPT(F(0x82, BAD)), BAD, 1); /* bytes are bytes */
    gives(SCRIPT(F(0x82, "\xce"), F(0x81, "whole")), "whole", 2);
}
END_TEST

/* 6.4.3, 6.4.4: refused at the byte that shows it, in the middle of a frame. */
START_TEST(test_6_4_fails_fast)
{
    static const char wire[] = "\x81\x15\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90";
    struct ws_run run = {.bytes = (const uint8_t *)wire, .len = sizeof(wire) - 1};
    struct ws_result result = ws_run_all(&run);

    ck_assert_int_eq(result.error, -EILSEQ);
    run.len--;
    ck_assert_int_eq(ws_run_all(&run).error, 0);
}
END_TEST

/* ---- 7: closing -----------------------------------------------------------------------------------------
 */

START_TEST(test_7_close)
{
    static const char longest[125] = {'\x03', '\xe8'};
    static const char too_long[126] = {'\x03', '\xe8'};
    char reason[125];
    struct ws_result result = play(SCRIPT(F(0x88, ""))); /* 7.3.1 */

    ck_assert_uint_eq(result.closes, 1);
    ck_assert_uint_eq(result.close_code, RQV_WS_CLOSE_NO_STATUS);
    fails(SCRIPT(F(0x88, "a")), RQV_WS_CLOSE_PROTOCOL); /* 7.3.2 */
    result = play(SCRIPT(F(0x88, "\x03\xe8")));         /* 7.3.3 */
    ck_assert_uint_eq(result.close_code, 1000);
    result = play(SCRIPT(F(0x88, "\x03\xe8Hello World!"))); /* 7.3.4 */
    ck_assert_str_eq(result.text, "Hello World!");
    result = play(SCRIPT({0x88, longest, sizeof(longest)})); /* 7.3.5 */
    ck_assert_uint_eq(result.len, 123);
    fails(SCRIPT({0x88, too_long, sizeof(too_long)}), RQV_WS_CLOSE_PROTOCOL); /* 7.3.6 */
    fails(SCRIPT(F(0x88, "\x03\xe8" BAD)), RQV_WS_CLOSE_DATA);                /* 7.5.1 */
    fails(SCRIPT(F(0x88, "\x03\xe8"
                         "cut \xe1\xbd")),
          RQV_WS_CLOSE_DATA);
    memset(reason, '*', sizeof(reason));
    memcpy(reason, "\x0b\xb8", 2);
    result = play(SCRIPT({0x88, reason, sizeof(reason)}));
    ck_assert_uint_eq(result.close_code, 3000);
}
END_TEST

/* 7.1: what follows a close frame does not count, however wrong it is. */
START_TEST(test_7_1_after_close)
{
    struct ws_result result;

    result = play(
        SCRIPT(F(0x81, "before"), F(0x88, "\x03\xe8"), F(0x88, "\x03\xe8"), F(0x81, "after"), F(0x89, "")));
    ck_assert_int_eq(result.error, 0);
    ck_assert_uint_eq(result.messages, 1);
    ck_assert_uint_eq(result.closes, 1);
    ck_assert_uint_eq(result.pings, 0);
    result = play(SCRIPT(F(0x01, "fragment1"), F(0x88, "\x03\xe8"), F(0xf3, "fragment2")));
    ck_assert_int_eq(result.error, 0);
    ck_assert(result.open);
    ck_assert_uint_eq(result.closes, 1);
}
END_TEST

START_TEST(test_7_close_codes)
{
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                    1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const unsigned bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
    char payload[2];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        payload[0] = (char)(good[i] >> 8);
        payload[1] = (char)good[i];
        ck_assert_uint_eq(play(SCRIPT({0x88, payload, 2})).close_code, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        payload[0] = (char)(bad[i] >> 8);
        payload[1] = (char)bad[i];
        fails(SCRIPT({0x88, payload, 2}), RQV_WS_CLOSE_PROTOCOL);
    }
}
END_TEST

/* ---- 9: sizes -------------------------------------------------------------------------------------------
 */

static void big(uint8_t opcode, size_t total, size_t fragment)
{
    struct ws_run run = {.role = RQV_WS_CLIENT};
    struct ws_result result;
    struct rqv_buf wire;
    uint8_t *payload = malloc(fragment);

    ck_assert_ptr_nonnull(payload);
    memset(payload, 'x', fragment);
    rqv_buf_init(&wire, SIZE_MAX / 2);
    for (size_t at = 0; at < total; at += fragment)
        ws_put(&wire, (uint8_t)((at == 0 ? opcode : 0) | (at + fragment >= total ? 0x80 : 0)), payload,
               fragment, false);
    run.bytes = rqv_buf_head(&wire);
    run.len = rqv_buf_len(&wire);
    for (size_t piece = 977; piece < 200000; piece *= 37) {
        run.cut = WS_CUT_EVERY;
        run.at = piece;
        ws_run(&run, &result);
        ck_assert_msg(result.error == 0, "%zu in %zu: %s", total, fragment, result.why);
        ck_assert_uint_eq(result.messages, 1);
        ck_assert_uint_eq(result.len, total);
    }
    rqv_buf_done(&wire);
    free(payload);
}

START_TEST(test_9_large_messages)
{
    big(RQV_WS_TEXT, 65536, 65536);
    big(RQV_WS_BINARY, 1 << 20, 1 << 20);
    big(RQV_WS_TEXT, 16 << 20, 16 << 20);
    for (size_t fragment = 64; fragment <= 4 << 20; fragment *= 4) /* 9.3, 9.4 */
        big(fragment % 3 ? RQV_WS_TEXT : RQV_WS_BINARY, 4 << 20, fragment);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ws_message");

    UNIT_TCASE(s, "frames", test_1_every_length, test_2_pings_and_pongs, test_2_5_ping_too_long,
               test_3_reserved_bits, test_4_reserved_opcodes);
    UNIT_TCASE(s, "messages", test_5_fragments, test_empty_fragments, test_6_text, test_6_4_fails_fast);
    UNIT_TCASE(s, "closing", test_7_close, test_7_1_after_close, test_7_close_codes);
    UNIT_TCASE(s, "sizes", test_9_large_messages);
    return s;
}

UNIT_MAIN(suite)
