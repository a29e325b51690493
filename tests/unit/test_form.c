/* SPDX-License-Identifier: MIT */
/* Tests of proto/form: the encoding, and what curl's --data-urlencode arguments mean. */
#include "proto/form.h"
#include "tests/lib/failmalloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <reqivo/error.h>
#include <stdio.h>
#include <string.h>

static bool holds(struct rqv_buf *buf, const char *expected)
{
    return rqv_buf_len(buf) == strlen(expected) && memcmp(rqv_buf_head(buf), expected, strlen(expected)) == 0;
}

START_TEST(test_every_byte)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct rqv_buf buf;

    rqv_buf_init(&buf, 64);
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c, expected[4];

        if (c && strchr(plain, (int)c))
            snprintf(expected, sizeof(expected), "%c", (int)c);
        else
            snprintf(expected, sizeof(expected), c == ' ' ? "+" : "%%%02X", c);
        ck_assert_int_eq(rqv_form_encode(&buf, (struct rqv_str){&byte, 1}), 0);
        ck_assert_msg(holds(&buf, expected), "%u", c);
        rqv_buf_consume(&buf, rqv_buf_len(&buf));
    }
    ck_assert_int_eq(rqv_form_encode(&buf, (struct rqv_str){NULL, 0}), 0);
    ck_assert_uint_eq(rqv_buf_len(&buf), 0);
    rqv_buf_done(&buf);
}
END_TEST

START_TEST(test_pairs)
{
    struct rqv_buf buf;

    rqv_buf_init(&buf, 4096);
    ck_assert_int_eq(rqv_form_add(&buf, RQV_STR("a b"), RQV_STR("c&d=e")), 0);
    ck_assert_int_eq(rqv_form_add(&buf, RQV_STR("\xc3\xbc"), RQV_STR("")), 0);
    ck_assert_int_eq(rqv_form_add(&buf, RQV_STR(""), RQV_STR("x")), 0);
    ck_assert_int_eq(rqv_form_add_encoded(&buf, RQV_STR("%41+b"), RQV_STR("c d")), 0);
    ck_assert_int_eq(rqv_form_add_encoded(&buf, RQV_STR(""), RQV_STR("e=f")), 0);
    ck_assert(holds(&buf, "a+b=c%26d%3De&%C3%BC=&=x&%41+b=c+d&e%3Df"));
    rqv_buf_done(&buf);
}
END_TEST

/* The limit of the buf holds, and a piece is in whole or not at all. */
START_TEST(test_limit)
{
    struct rqv_buf buf;

    rqv_buf_init(&buf, 10);
    ck_assert_int_eq(rqv_form_add(&buf, RQV_STR("a"), RQV_STR("&&")), 0);
    ck_assert_int_eq(rqv_form_add(&buf, RQV_STR("b"), RQV_STR("")), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(rqv_form_add_encoded(&buf, RQV_STR("b"), RQV_STR("")), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(rqv_form_encode(&buf, RQV_STR("&")), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(rqv_form_encode(&buf, RQV_STR("12")), 0);
    ck_assert(holds(&buf, "a=%26%2612"));
    rqv_buf_done(&buf);
}
END_TEST

START_TEST(test_arguments)
{
    static const struct {
        const char *text, *name, *content;
        bool is_file;
    } cases[] = {
        {"content", "", "content", false},  {"", "", "", false},
        {"=content", "", "content", false}, {"name=content", "name", "content", false},
        {"name=", "name", "", false},       {"=", "", "", false},
        {"a=b=c", "a", "b=c", false},       {"a@b=c", "a@b", "c", false},
        {"@file", "", "file", true},        {"name@file", "name", "file", true},
        {"name@-", "name", "-", true},      {"a@b@c", "a", "b@c", true},
        {"=@file", "", "@file", false},     {"@", "", "", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rqv_form_arg arg;

        rqv_form_split(rqv_str_from(cases[i].text), &arg);
        ck_assert_msg(rqv_str_eq(arg.name, rqv_str_from(cases[i].name)), "%s", cases[i].text);
        ck_assert_msg(rqv_str_eq(arg.content, rqv_str_from(cases[i].content)), "%s", cases[i].text);
        ck_assert_msg(arg.is_file == cases[i].is_file, "%s", cases[i].text);
    }
}
END_TEST

static void scenario(void *arg)
{
    struct rqv_buf buf;
    int rc;

    (void)arg;
    rqv_buf_init(&buf, 4096);
    rc = rqv_form_add(&buf, RQV_STR("a"), RQV_STR("b"));
    ck_assert(rc == 0 ? holds(&buf, "a=b") : rc == -ENOMEM && rqv_buf_len(&buf) == 0);
    rqv_buf_done(&buf);
}

START_TEST(test_no_memory)
{
    ck_assert_uint_ge(failmalloc_run("form", scenario, NULL), 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("form");

    UNIT_TCASE(s, "form", test_every_byte, test_pairs, test_limit, test_arguments, test_no_memory);
    return s;
}

UNIT_MAIN(suite)
