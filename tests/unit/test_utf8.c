/* SPDX-License-Identifier: MIT */
/* UTF-8: against a slow decoder of the standard's own table, all of category 6 of the public suite, and every
 * cut. */
#include "proto/utf8.h"
#include "tests/unit/unit.h"

#include <string.h>

/* One character by table 3-7 of the Unicode standard: its length, 0 when it is wrong, -1 when it is cut. */
static int slow_char(const uint8_t *s, size_t len)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t size;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        size = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        size = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        size = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    if (s[0] == 0xed)
        high = 0x9f;
    if (s[0] == 0xf0)
        low = 0x90;
    if (s[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < size; i++) {
        if (i == len)
            return -1;
        if (s[i] < low || s[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return (int)size;
}

/* 1: whole, 0: wrong, -1: cut. */
static int slow(const uint8_t *s, size_t len)
{
    while (len > 0) {
        int n = slow_char(s, len);

        if (n <= 0)
            return n;
        s += n;
        len -= (size_t)n;
    }
    return 1;
}

static int quick(const uint8_t *s, size_t len, size_t cut)
{
    struct rqv_utf8 utf8;

    rqv_utf8_init(&utf8);
    if (!rqv_utf8_feed(&utf8, s, cut))
        return rqv_utf8_feed(&utf8, s + cut, len - cut) ? 2 : 0;
    if (!rqv_utf8_feed(&utf8, s + cut, len - cut))
        return 0;
    return rqv_utf8_complete(&utf8) ? 1 : -1;
}

START_TEST(test_short_sequences)
{
    uint8_t s[4];

    for (unsigned i = 0; i < 1U << 16; i++) {
        s[0] = (uint8_t)(i >> 8);
        s[1] = (uint8_t)i;
        ck_assert_int_eq(quick(s, 2, 1), slow(s, 2));
    }
    for (unsigned i = 0xc00000; i < 1U << 24; i++) {
        s[0] = (uint8_t)(i >> 16);
        s[1] = (uint8_t)(i >> 8);
        s[2] = (uint8_t)i;
        if (s[2] < 0x7e && s[2] > 1)
            continue;
        if (quick(s, 3, 0) != slow(s, 3))
            ck_abort_msg("%02x %02x %02x", s[0], s[1], s[2]);
    }
}
END_TEST

START_TEST(test_long_sequences)
{
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    uint8_t s[4];

    for (unsigned lead = 0xe0; lead <= 0xff; lead++) {
        for (size_t i = 0; i < 1000; i++) {
            s[0] = (uint8_t)lead;
            s[1] = edges[i / 100];
            s[2] = edges[i / 10 % 10];
            s[3] = edges[i % 10];
            for (size_t cut = 0; cut <= 4; cut++)
                ck_assert_int_eq(quick(s, 4, cut), slow(s, 4));
        }
    }
}
END_TEST

/* Every character, behind 0 to 40 bytes of ASCII: the blocks. */
START_TEST(test_every_character)
{
    uint8_t s[64];

    memset(s, 'a', sizeof(s));
    for (uint32_t c = 0x80; c <= 0x10ffff; c++) {
        size_t at = c % 41, n;
        int want = c >= 0xd800 && c <= 0xdfff ? 0 : 1;

        if (c < 0x800) {
            n = 2;
            s[at] = (uint8_t)(0xc0 | c >> 6);
        } else if (c < 0x10000) {
            n = 3;
            s[at] = (uint8_t)(0xe0 | c >> 12);
            s[at + 1] = (uint8_t)(0x80 | (c >> 6 & 63));
        } else {
            n = 4;
            s[at] = (uint8_t)(0xf0 | c >> 18);
            s[at + 1] = (uint8_t)(0x80 | (c >> 12 & 63));
            s[at + 2] = (uint8_t)(0x80 | (c >> 6 & 63));
        }
        s[at + n - 1] = (uint8_t)(0x80 | (c & 63));
        if (quick(s, sizeof(s), at + 1) != want)
            ck_abort_msg("U+%04X", (unsigned)c);
        memset(s + at, 'a', n);
    }
}
END_TEST

/* The cases 6.5 to 6.23 of the public suite, which are Markus Kuhn's; those it repeats often stand here once.
 */
static const struct {
    const char *text;
    int want;
} samples[] = {
    {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", 1}, /* 6.5 */
    {"\xce", -1},                                        /* 6.6 */
    {"\xce\xba\xe1", -1},
    {"\xce\xba\xe1\xbd", -1},
    {"\xc2\x80", 1}, /* 6.7 */
    {"\xe0\xa0\x80", 1},
    {"\xf0\x90\x80\x80", 1},
    {"\xf8\x88\x80\x80\x80", 0}, /* 6.8 */
    {"\xfc\x84\x80\x80\x80\x80", 0},
    {"\x7f", 1}, /* 6.9 */
    {"\xdf\xbf", 1},
    {"\xef\xbf\xbf", 1},
    {"\xf4\x8f\xbf\xbf", 1},
    {"\xf7\xbf\xbf\xbf", 0}, /* 6.10 */
    {"\xfb\xbf\xbf\xbf\xbf", 0},
    {"\xfd\xbf\xbf\xbf\xbf\xbf", 0},
    {"\xed\x9f\xbf", 1}, /* 6.11 */
    {"\xee\x80\x80", 1},
    {"\xef\xbf\xbd", 1},
    {"\xf4\x90\x80\x80", 0},
    {"\x80", 0}, /* 6.12 */
    {"\xbf", 0},
    {"\x80\xbf\x80\xbf", 0},
    {"\xc0 \xc1 \xc2 ", 0}, /* 6.13 */
    {"\xe0 \xe1 ", 0},
    {"\xf0 \xf1 ", 0},
    {"\xf8 \xf9 ", 0},
    {"\xfc \xfd ", 0},
    {"\xc0", 0}, /* 6.14 */
    {"\xe0\x80", 0},
    {"\xf0\x80\x80", 0},
    {"\xdf", -1},
    {"\xef\xbf", -1},
    {"\xf7\xbf\xbf", 0},
    {"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80", 0}, /* 6.15 */
    {"\xfe", 0},                                     /* 6.16 */
    {"\xff", 0},
    {"\xfe\xfe\xff\xff", 0},
    {"\xc0\xaf", 0}, /* 6.17 */
    {"\xe0\x80\xaf", 0},
    {"\xf0\x80\x80\xaf", 0},
    {"\xc1\xbf", 0}, /* 6.18 */
    {"\xe0\x9f\xbf", 0},
    {"\xf0\x8f\xbf\xbf", 0},
    {"\xe0\x80\x80", 0}, /* 6.19 */
    {"\xed\xa0\x80", 0}, /* 6.20 */
    {"\xed\xad\xbf", 0},
    {"\xed\xbf\xbf", 0},
    {"\xed\xa0\x80\xed\xb0\x80", 0}, /* 6.21 */
    {"\xed\xaf\xbf\xed\xbf\xbf", 0},
    {"\xef\xbf\xbe", 1}, /* 6.22 */
    {"\xf0\x9f\xbf\xbe", 1},
    {"\xf4\x8f\xbf\xbe", 1},
    {"\xef\xbf\xbc", 1}, /* 6.23 */
};

START_TEST(test_samples_of_category_6)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const uint8_t *s = (const uint8_t *)samples[i].text;
        size_t len = strlen(samples[i].text);

        for (size_t cut = 0; cut <= len; cut++)
            ck_assert_msg(quick(s, len, cut) == samples[i].want, "sample %zu cut at %zu", i, cut);
        ck_assert_int_eq(slow(s, len), samples[i].want);
    }
}
END_TEST

START_TEST(test_refused_for_good)
{
    struct rqv_utf8 utf8;

    rqv_utf8_init(&utf8);
    ck_assert(!rqv_utf8_feed(&utf8, (const uint8_t *)"\xff", 1));
    ck_assert(!rqv_utf8_feed(&utf8, (const uint8_t *)"fine", 4));
    ck_assert(!rqv_utf8_feed(&utf8, NULL, 0));
    ck_assert(!rqv_utf8_complete(&utf8));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("utf8");

    UNIT_TCASE(s, "all", test_short_sequences, test_long_sequences, test_every_character);
    UNIT_TCASE(s, "samples", test_samples_of_category_6, test_refused_for_good);
    return s;
}

UNIT_MAIN(suite)
