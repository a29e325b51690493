/* SPDX-License-Identifier: MIT */
/* Unit tests of proto/fields.h. */
#include "proto/fields.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <reqivo/error.h>
#include <string.h>

static struct rqv_fields fields;

static void add(const char *name, const char *value)
{
    ck_assert_int_eq(rqv_fields_add(&fields, rqv_str_from(name), rqv_str_from(value)), 0);
}

START_TEST(adding_up_to_the_limit)
{
    for (size_t i = 0; i < RQV_FIELDS_MAX; i++)
        add("a", "b");
    ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("a"), RQV_STR("b")), -E2BIG);
    ck_assert_uint_eq(fields.count, RQV_FIELDS_MAX);
}
END_TEST

START_TEST(looking_up)
{
    add("Accept", "1");
    add("X-A", "2");
    add("ACCEPT", "3");
    ck_assert_ptr_eq(rqv_fields_get(&fields, RQV_STR("accept"), 0), &fields.at[0]);
    ck_assert_ptr_eq(rqv_fields_get(&fields, RQV_STR("accept"), 1), &fields.at[2]);
    ck_assert_ptr_null(rqv_fields_get(&fields, RQV_STR("accept"), 2));
    ck_assert_ptr_null(rqv_fields_get(&fields, RQV_STR("accep"), 0));
}
END_TEST

START_TEST(tokens_in_lists)
{
    static const struct {
        const char *value;
        bool close;
    } lists[] = {
        {"close", true},
        {"CLOSE", true},
        {"keep-alive, Close", true},
        {" \tclose\t,x", true},
        {",,close,,", true},
        {"a,close", true},
        {"", false},
        {",", false},
        {"closed", false},
        {"xclose", false},
        {"close;q=1", false},
        {"close x", false},
        {"\"close\"", false},
        {"\"a, close\"", false},
        {"\"a\\\", close\"", false},
        {"\"a\\\\\", close", true},
        {"\"a\", close", true},
        {"\"open, close", false},
        {"\"\\", false},
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        fields.count = 0;
        add("Other", "close");
        add("Connection", "x");
        add("connection", lists[i].value);
        ck_assert_msg(rqv_fields_has_token(&fields, RQV_STR("Connection"), RQV_STR("close")) ==
                          lists[i].close,
                      "%s", lists[i].value);
    }
    ck_assert(!rqv_fields_has_token(&fields, RQV_STR("None"), RQV_STR("close")));
}
END_TEST

/* One field after a good one: the verdict, and that the culprit is named. */
static void check_request(struct rqv_str name, struct rqv_str value, int expected)
{
    size_t which = 77;

    fields.count = 0;
    add("Accept", "*/*");
    ck_assert_int_eq(rqv_fields_add(&fields, name, value), 0);
    ck_assert_msg(rqv_fields_check_request(&fields, &which) == expected, "%.*s: %.*s", (int)name.len,
                  name.ptr, (int)value.len, value.ptr);
    ck_assert_uint_eq(which, expected ? 1 : 77);
}

START_TEST(rule_b4_request_fields)
{
    static const char *const good[] = {"X",     "Te2",           "Proxy",  "Prox-y",
                                       "Hosts", "Authorization", "Cookie", "!#$%&'*+-.^_`|~9"};
    static const char *const own[] = {
        "Content-Length", "transfer-encoding", "CONNECTION", "Keep-Alive",          "TE",
        "Trailer",        "Upgrade",           "Expect",     "Proxy-Authorization", "proxy-connection",
        "Proxy-",         "HTTP2-Settings"};
    static const char *const no_token[] = {"",    "a b",      "a:", "a\r", " a",
                                           "a\t", "\xc3\xa9", "a(", "a\"", "a/b"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check_request(rqv_str_from(good[i]), RQV_STR("v"), 0);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        check_request(rqv_str_from(own[i]), RQV_STR("1"), REQIVO_E_FIELD);
    for (size_t i = 0; i < sizeof(no_token) / sizeof(no_token[0]); i++)
        check_request(rqv_str_from(no_token[i]), RQV_STR("v"), REQIVO_E_FIELD);
    check_request(RQV_STR("A"), RQV_STR(""), 0);
    check_request(RQV_STR("A"), RQV_STR("a\tb \xc3\xa9"), 0);
    check_request(RQV_STR("A"), RQV_STR("a\r\nB: c"), REQIVO_E_FIELD);
    check_request(RQV_STR("A"), RQV_STR("a\nb"), REQIVO_E_FIELD);
    check_request(RQV_STR("A"), RQV_STR("a\0b"), REQIVO_E_FIELD);
    check_request(RQV_STR("A\0"), RQV_STR("b"), REQIVO_E_FIELD);
    check_request(RQV_STR("A"), RQV_STR("a\x7f"), REQIVO_E_FIELD);
}
END_TEST

START_TEST(rule_b4_host_once)
{
    static const char *const bad[] = {
        "", " ", "a b", "a/b", "u@h", "a,b", "h?", "h#", "h\\", "h%41", "\xc3\xbc.example"};
    size_t which = 77;

    check_request(RQV_STR("Host"), RQV_STR("Example.com:8080"), 0);
    check_request(RQV_STR("host"), RQV_STR("[2001:db8::1]:80"), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_request(RQV_STR("Host"), rqv_str_from(bad[i]), REQIVO_E_FIELD);
    check_request(RQV_STR("Host"), RQV_STR("a\0"), REQIVO_E_FIELD);
    fields.count = 0;
    add("Host", "a");
    add("HOST", "a");
    ck_assert_int_eq(rqv_fields_check_request(&fields, &which), REQIVO_E_FIELD);
    ck_assert_uint_eq(which, 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fields");

    UNIT_TCASE(s, "fields", adding_up_to_the_limit, looking_up, tokens_in_lists, rule_b4_request_fields,
               rule_b4_host_once);
    return s;
}

UNIT_MAIN(suite)
