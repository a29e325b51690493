/* SPDX-License-Identifier: MIT */
/* Unit tests of common/err.h: the table is walked, so a new code is covered when it is added. */
#include "common/err.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static const struct row {
    const char *name;
    int code;
    enum reqivo_class cls;
    const char *text;
} rows[] = {
#define ROW(name, number, class, text) {"E_" #name, number, REQIVO_CLASS_##class, text},
    REQIVO_ERROR_TABLE(ROW)
#undef ROW
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

START_TEST(table)
{
    for (size_t i = 0; i < ROWS; i++) {
        ck_assert_str_eq(rqv_err_name(rows[i].code), rows[i].name);
        ck_assert_str_eq(rqv_err_text(rows[i].code), rows[i].text);
        ck_assert_msg(rqv_err_class(rows[i].code) == rows[i].cls,
                      "%s: the hundred of its number is not its class", rows[i].name);
        for (size_t j = 0; j < i; j++)
            ck_assert_int_ne(rows[i].code, rows[j].code);
    }
}
END_TEST

START_TEST(errno_and_unknown)
{
    ck_assert_str_eq(rqv_err_name(0), "OK");
    ck_assert_str_eq(rqv_err_name(-EINVAL), "EINVAL");
    ck_assert_str_eq(rqv_err_text(-ENOMEM), "Cannot allocate memory");
    ck_assert_str_eq(rqv_err_name(5), "E_UNKNOWN");
    ck_assert_str_eq(rqv_err_name(-4000), "E_UNKNOWN");
    ck_assert_str_eq(rqv_err_name(-10999), "E_UNKNOWN");
    ck_assert_str_eq(rqv_err_name(INT32_MIN), "E_UNKNOWN");
    ck_assert_ptr_nonnull(strstr(rqv_err_text(INT32_MIN), "does not know"));
    ck_assert_int_eq(rqv_err_class(0), REQIVO_CLASS_OK);
    ck_assert_int_eq(rqv_err_class(-EINVAL), REQIVO_CLASS_USAGE);
    ck_assert_int_eq(rqv_err_class(-ECHILD), REQIVO_CLASS_USAGE);
    ck_assert_int_eq(rqv_err_class(-ENOMEM), REQIVO_CLASS_LIMIT);
    ck_assert_int_eq(rqv_err_class(-ECONNRESET), REQIVO_CLASS_NETWORK);
    ck_assert_int_eq(rqv_err_class(-ETIMEDOUT), REQIVO_CLASS_READ_TIMEOUT);
    ck_assert_int_eq(rqv_err_class(-ECANCELED), REQIVO_CLASS_CANCELED);
    ck_assert_int_eq(rqv_err_class(-EPROTO), REQIVO_CLASS_PROTOCOL);
    ck_assert_int_eq(rqv_err_class(-10399), REQIVO_CLASS_TLS); /* a newer daemon's */
    ck_assert_int_eq(rqv_err_class(-9999), REQIVO_CLASS_PROTOCOL);
    ck_assert_int_eq(rqv_err_class(INT32_MIN), REQIVO_CLASS_PROTOCOL);
}
END_TEST

START_TEST(names)
{
    static const char *const phases[] = {"none", "ipc",  "queue", "dns", "connect",
                                         "tls",  "send", "head",  "body"};

    for (int i = 0; i < 9; i++)
        ck_assert_str_eq(rqv_phase_name(i), phases[i]);
    ck_assert_str_eq(rqv_phase_name(9), "none");
    ck_assert_str_eq(rqv_phase_name(-1), "none");
    ck_assert_str_eq(rqv_sent_name(REQIVO_SENT_NO), "no");
    ck_assert_str_eq(rqv_sent_name(REQIVO_SENT_UNKNOWN), "unknown");
    ck_assert_str_eq(rqv_sent_name(REQIVO_SENT_YES), "yes");
    ck_assert_str_eq(rqv_sent_name(77), "unknown");
    for (int i = REQIVO_CLASS_OK; i <= REQIVO_CLASS_TOO_MANY_REDIRECTS; i++) {
        ck_assert_str_ne(rqv_class_name((enum reqivo_class)i), "unknown");
        for (int j = REQIVO_CLASS_OK; j < i; j++)
            ck_assert_str_ne(rqv_class_name((enum reqivo_class)i), rqv_class_name((enum reqivo_class)j));
    }
    ck_assert_str_eq(rqv_class_name(REQIVO_CLASS_CONNECT_TIMEOUT), "connect timeout");
    ck_assert_str_eq(rqv_class_name((enum reqivo_class)99), "unknown");
}
END_TEST

START_TEST(setter)
{
    struct rqv_err err = {.sent = REQIVO_SENT_UNKNOWN, .sys_errno = ECONNRESET, .address = "192.0.2.1:80"};
    char longer[RQV_DETAIL_MAX + 50];

    ck_assert_int_eq(rqv_err_set(&err, REQIVO_E_RESET, REQIVO_PHASE_HEAD, "after %d\nbytes\x1b\x7f", 7),
                     REQIVO_E_RESET);
    ck_assert_int_eq(err.code, REQIVO_E_RESET);
    ck_assert_int_eq(err.phase, REQIVO_PHASE_HEAD);
    ck_assert_str_eq(err.detail, "after 7?bytes??");
    ck_assert_int_eq(err.sent, REQIVO_SENT_UNKNOWN);
    ck_assert_int_eq(err.sys_errno, ECONNRESET);
    ck_assert_str_eq(err.address, "192.0.2.1:80");

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    rqv_err_set(&err, REQIVO_E_URL, REQIVO_PHASE_NONE, "%s", longer);
    ck_assert_uint_eq(strlen(err.detail), RQV_DETAIL_MAX - 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("err");

    UNIT_TCASE(s, "err", table, errno_and_unknown, names, setter);
    return s;
}

UNIT_MAIN(suite)
