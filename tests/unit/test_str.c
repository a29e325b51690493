/* SPDX-License-Identifier: MIT */
/* Unit tests of common/str.h. The classes are compared with the RFC's wording for all 256 bytes. */
#include "common/str.h"

#include "tests/unit/unit.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

START_TEST(equality)
{
    ck_assert(rqv_str_eq(RQV_STR("abc"), rqv_str_from("abc")));
    ck_assert(!rqv_str_eq(RQV_STR("abc"), RQV_STR("abC")));
    ck_assert(!rqv_str_eq(RQV_STR("abc"), RQV_STR("ab")));
    ck_assert(rqv_str_eq(RQV_STR(""), rqv_str_from(NULL)));
    ck_assert_ptr_null(rqv_str_from(NULL).ptr);
    ck_assert(rqv_str_eq_nocase(RQV_STR("Content-LENGTH"), RQV_STR("content-length")));
    ck_assert(!rqv_str_eq_nocase(RQV_STR("a[b"), RQV_STR("a{b")));
    ck_assert(!rqv_str_eq_nocase(RQV_STR("a"), RQV_STR("ab")));
    ck_assert(rqv_str_eq_nocase(rqv_str_from(NULL), RQV_STR("")));
    ck_assert(rqv_str_starts(RQV_STR("https://x"), RQV_STR("https")));
    ck_assert(rqv_str_starts(RQV_STR("x"), rqv_str_from(NULL)));
    ck_assert(!rqv_str_starts(RQV_STR("htt"), RQV_STR("https")));
    ck_assert(!rqv_str_starts(RQV_STR("xttps"), RQV_STR("https")));
}
END_TEST

START_TEST(trimming_takes_ows_only)
{
    ck_assert(rqv_str_eq(rqv_str_trim(RQV_STR(" \t a b\t ")), RQV_STR("a b")));
    ck_assert(rqv_str_eq(rqv_str_trim(RQV_STR("\na\r")), RQV_STR("\na\r")));
    ck_assert_uint_eq(rqv_str_trim(RQV_STR(" \t ")).len, 0);
    ck_assert_uint_eq(rqv_str_trim(rqv_str_from(NULL)).len, 0);
}
END_TEST

static void check_split(const char *text, const char *expected)
{
    struct rqv_str rest = rqv_str_from(text), part;
    char joined[64] = "";

    while (rqv_str_split(&rest, ',', &part)) {
        size_t used = strlen(joined);

        snprintf(joined + used, sizeof(joined) - used, "<%.*s>", (int)part.len, part.ptr);
    }
    ck_assert_str_eq(joined, expected);
    ck_assert_ptr_null(rest.ptr);
}

START_TEST(splitting)
{
    check_split(NULL, "");
    check_split("", "<>");
    check_split("a", "<a>");
    check_split("a,b", "<a><b>");
    check_split(",a,,b,", "<><a><><b><>");
}
END_TEST

START_TEST(numbers)
{
    static const char *const bad[] = {"",
                                      "+1",
                                      "-1",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "1a",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150",
                                      "\xb2"};
    uint64_t value = 7;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!rqv_str_u64(rqv_str_from(bad[i]), &value), "%s", bad[i]);
    ck_assert(!rqv_str_u64((struct rqv_str){"1\0", 2}, &value));
    ck_assert_uint_eq(value, 7);
    ck_assert(rqv_str_u64(RQV_STR("0"), &value));
    ck_assert_uint_eq(value, 0);
    ck_assert(rqv_str_u64(RQV_STR("00012"), &value));
    ck_assert_uint_eq(value, 12);
    ck_assert(rqv_str_u64(RQV_STR("18446744073709551615"), &value));
    ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

START_TEST(classes_of_every_byte)
{
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c;
        struct rqv_str one = {&byte, 1};
        bool tchar = c && ((c < 0x80 && isalnum((int)c)) || strchr("!#$%&'*+-.^_`|~", (int)c));
        bool value = c == '\t' || (c >= 0x20 && c != 0x7f);
        unsigned lower = c >= 'A' && c <= 'Z' ? c + 32 : c;

        ck_assert_msg(rqv_is_tchar((unsigned char)c) == tchar, "tchar %u", c);
        ck_assert_msg(rqv_str_is_token(one) == tchar, "token %u", c);
        ck_assert_msg(rqv_str_is_field_value(one) == value, "value %u", c);
        ck_assert_uint_eq(rqv_ascii_lower((unsigned char)c), lower);
    }
    ck_assert(!rqv_str_is_token(RQV_STR("")));
    ck_assert(rqv_str_is_field_value(RQV_STR("")));
}
END_TEST

/* The scan by words must see a bad byte wherever it stands, and nothing where there is none. */
START_TEST(field_value_at_every_place)
{
    static const unsigned char bad[] = {0x00, 0x01, 0x08, 0x0a, 0x0d, 0x1f, 0x7f};
    static const unsigned char good[] = {0x09, 0x20, 0x21, 0x7e, 0x80, 0x81, 0xff, 0xa0};

    for (size_t len = 1; len <= 33; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t i = 0; i < 7; i++) {
                char text[40];

                memset(text, good[(at + i) % 8], sizeof(text));
                ck_assert(rqv_str_is_field_value((struct rqv_str){text, len}));
                text[at] = (char)bad[i];
                ck_assert(!rqv_str_is_field_value((struct rqv_str){text, len}));
                ck_assert(rqv_str_is_field_value((struct rqv_str){text, at}));
            }
        }
    }
}
END_TEST

/* Every pair of bytes, in the first word, the overlap and the last one. */
START_TEST(case_of_every_pair)
{
    for (unsigned pair = 0; pair < 65536; pair++) {
        bool equal = rqv_ascii_lower(pair & 255) == rqv_ascii_lower((unsigned char)(pair >> 8));

        for (size_t len = 1; len <= 11; len += 5) {
            char a[] = "aZ-9\xffq[zAb_", b[] = "Az-9\xffQ[ZaB_";
            size_t at = (pair + pair / 256) % len;

            a[at] = (char)(pair & 255);
            b[at] = (char)(pair >> 8);
            ck_assert(rqv_str_eq_nocase((struct rqv_str){a, len}, (struct rqv_str){b, len}) == equal);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("str");

    UNIT_TCASE(s, "views", equality, trimming_takes_ows_only, splitting, numbers);
    UNIT_TCASE(s, "classes", classes_of_every_byte, field_value_at_every_place, case_of_every_pair);
    return s;
}

UNIT_MAIN(suite)
