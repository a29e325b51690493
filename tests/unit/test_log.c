/* SPDX-License-Identifier: MIT */
/* Tests of daemon/base/log: levels, escaping, order, and that a reader who does not read blocks nobody. */
#include "daemon/base/log.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int saved, pipe_fds[2];
static char out[1 << 20];

static void setup(void)
{
    unsetenv("JOURNAL_STREAM");
    saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    ck_assert_int_ge(dup2(pipe_fds[1], STDERR_FILENO), 0);
    close(pipe_fds[1]);
}

/* Gives standard error back; `out` holds what was written. */
static void collect(void)
{
    size_t n = 0;
    ssize_t got;

    dup2(saved, STDERR_FILENO);
    while ((got = read(pipe_fds[0], out + n, sizeof(out) - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = 0;
}

static void teardown(void)
{
    log_stop();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_fds[0]);
}

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

START_TEST(test_levels)
{
    log_error("before the start"); /* straight to standard error */
    ck_assert_int_eq(log_start(LOG_LEVEL_NOTICE), 0);
    log_error("one");
    log_warning("two %d", 2);
    log_notice("three");
    log_info("four");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("five");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("six");
    log_stop();
    log_stop();
    collect();
    ck_assert_str_eq(out, "reqivod: error: before the start\nreqivod: error: one\nreqivod: warning: two 2\n"
                          "reqivod: notice: three\nreqivod: debug: five\n");
}
END_TEST

START_TEST(test_level_names)
{
    ck_assert_int_eq(log_level_from_name("error"), LOG_LEVEL_ERROR);
    ck_assert_int_eq(log_level_from_name("warning"), LOG_LEVEL_WARNING);
    ck_assert_int_eq(log_level_from_name("notice"), LOG_LEVEL_NOTICE);
    ck_assert_int_eq(log_level_from_name("info"), LOG_LEVEL_INFO);
    ck_assert_int_eq(log_level_from_name("debug"), LOG_LEVEL_DEBUG);
    ck_assert_int_eq(log_level_from_name("loud"), -EINVAL);
}
END_TEST

START_TEST(rule_b9_15_foreign_bytes_are_escaped)
{
    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
    log_info("%s", "a\nreqivod: error: forged\x1b[2J\x7f\xc3\xa4\\");
    log_stop();
    collect();
    ck_assert_str_eq(out, "reqivod: info: a\\x0areqivod: error: forged\\x1b[2J\\x7f\\xc3\\xa4\\\\\n");
}
END_TEST

START_TEST(test_long_lines_are_cut)
{
    static char text[5000], bytes[5000];

    memset(text, 'x', sizeof(text) - 1);
    memset(bytes, 1, sizeof(bytes) - 1);
    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
    log_info("%s", text);
    log_info("%s", bytes);
    log_info("after");
    log_stop();
    collect();
    ck_assert_uint_lt(strlen(out), 2200);
    ck_assert_uint_gt(strlen(out), 2000);
    ck_assert_ptr_nonnull(strstr(out, "reqivod: info: after\n"));
}
END_TEST

/* Nobody reads: the pipe and then the ring fill up, log_write goes on at full speed, the end comes within its
 * time. */
START_TEST(test_never_blocks)
{
    uint64_t start = now_ms();
    int flags;

    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
    for (int i = 0; i < 50000; i++)
        log_info("line %d of a flood that nobody reads", i);
    ck_assert_uint_lt(now_ms() - start, 5000);
    log_stop();
    ck_assert_uint_lt(now_ms() - start, 20000);
    flags = fcntl(STDERR_FILENO, F_GETFL);
    ck_assert_int_eq(flags & O_NONBLOCK, 0); /* it is shared with others: left as it was */
}
END_TEST

/* What did not fit is counted where it is missing: lines before the gap are there, in order, without a hole.
 */
START_TEST(test_lost_lines_are_counted)
{
    unsigned long long lost = 0;
    unsigned lines = 0;
    size_t n = 0;

    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
    for (int i = 0; i < 20000; i++)
        log_info("line %d", i);
    while (!strstr(out, "are lost\n")) { /* read until the gap is told */
        ssize_t got = read(pipe_fds[0], out + n, sizeof(out) - 1 - n);

        ck_assert_int_gt(got, 0);
        n += (size_t)got;
        out[n] = 0;
    }
    for (char *p = out; (p = strstr(p, "info: line ")); p++) {
        if (lines < 3000)
            ck_assert_uint_eq(strtoul(p + 11, NULL, 10), lines);
        lines++;
    }
    ck_assert_int_eq(sscanf(strstr(out, "log: "), "log: %llu lines", &lost), 1);
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_ge(lines, 3000);
    ck_assert_uint_le(lines + lost, 20000);
}
END_TEST

/* Standard error is the journal only when it is the very stream that the environment names. */
START_TEST(test_not_the_journal)
{
    struct stat st;
    char text[64];

    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + 1);
    setenv("JOURNAL_STREAM", text, 1);
    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
    log_info("here");
    log_stop();
    unsetenv("JOURNAL_STREAM");
    collect();
    ck_assert_str_eq(out, "reqivod: info: here\n");
}
END_TEST

/* ---- events ---- */

START_TEST(test_fields_of_access_are_the_line)
{
    struct log_fields fields;

    log_fields_init(&fields);
    log_field(&fields, "UID", "%u", 7U);
    log_field(&fields, "ORIGIN", "%s", "https://a.test:443");
    ck_assert_int_eq(log_start(LOG_LEVEL_ERROR), 0);
    log_put(LOG_LEVEL_INFO, LOG_ID_ACCESS, &fields, "GET https://a.test:443");
    log_put(LOG_LEVEL_NOTICE, LOG_ID_LIMIT, &fields, "the text says it");
    log_event(LOG_LEVEL_NOTICE, LOG_ID_LIMIT, &fields, "below the level");
    log_put(LOG_LEVEL_NOTICE, LOG_ID_LIMIT, NULL, "no fields");
    log_stop();
    collect();
    ck_assert_str_eq(out, "reqivod: access: uid=7 origin=https://a.test:443\n"
                          "reqivod: notice: the text says it\nreqivod: notice: no fields\n");
}
END_TEST

/* A field can neither end early nor begin another one. */
START_TEST(rule_b9_15_fields_are_escaped)
{
    static const char expected[] = "reqivod: access: method=a\\x20uid=0\\x0auid=0\\x22\\x27\\\\\\x7f\n";
    struct log_fields fields;

    log_fields_init(&fields);
    log_field(&fields, "METHOD", "%s", "a uid=0\nuid=0\"'\\\x7f");
    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
    log_put(LOG_LEVEL_INFO, LOG_ID_ACCESS, &fields, "x");
    log_stop();
    collect();
    ck_assert_str_eq(out, expected);
}
END_TEST

START_TEST(test_a_field_that_does_not_fit_is_left_out)
{
    static char text[LOG_FIELDS_MAX];
    struct log_fields fields;

    memset(text, 'x', sizeof(text) - 40);
    log_fields_init(&fields);
    log_field(&fields, "A", "%s", text);
    size_t len = fields.len;
    log_field(&fields, "B", "%s", "0123456789012345678901234567890123456789");
    ck_assert_uint_eq(fields.len, len);
    log_field(&fields, "C", "%s", "1");
    ck_assert_uint_eq(fields.len, len + strlen("REQIVO_C=1\n"));
    memset(text, 1, sizeof(text) - 1); /* four times as long when escaped */
    log_fields_init(&fields);
    log_field(&fields, "A", "%s", text);
    ck_assert_uint_eq(fields.len, 0);
}
END_TEST

/* What one user can make any number of leaves room for all else, and its own losses are said. */
START_TEST(test_access_lines_leave_room)
{
    struct log_fields fields;
    unsigned long long lost = 0;

    log_fields_init(&fields);
    log_field(&fields, "ORIGIN", "%s", "https://a.test:443");
    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
    for (int i = 0; i < 50000; i++)
        log_put(LOG_LEVEL_INFO, LOG_ID_ACCESS, &fields, "GET");
    for (int i = 0; i < 100; i++)
        log_warning("warning %d", i);
    size_t n = 0;
    while (!strstr(out, "access lines did not fit")) {
        ssize_t got = read(pipe_fds[0], out + n, sizeof(out) - 1 - n);

        ck_assert_int_gt(got, 0);
        n += (size_t)got;
        out[n] = 0;
    }
    for (int i = 0; i < 100; i++) {
        char text[64];

        snprintf(text, sizeof(text), "reqivod: warning: warning %d\n", i);
        ck_assert_ptr_nonnull(strstr(out, text));
    }
    ck_assert_int_eq(sscanf(strstr(out, "log: "), "log: %llu access lines", &lost), 1);
    ck_assert_uint_gt(lost, 0);
}
END_TEST

START_TEST(rule_b9_15_lines_of_one_uid_have_a_rate)
{
    struct log_rate rate = {0};
    uint64_t now = 100 * UINT64_C(1000000);
    unsigned passed = 0;

    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
    for (int i = 0; i < 1000; i++)
        passed += log_rate_pass(&rate, 7, now);
    ck_assert_uint_eq(passed, LOG_RATE_BURST);
    ck_assert(!log_rate_pass(&rate, 7, now + 999999));
    ck_assert(log_rate_pass(&rate, 7, now + 1000000));
    ck_assert(!log_rate_pass(&rate, 7, now + 1000001));
    log_stop();
    collect();
    ck_assert_str_eq(out, "reqivod: warning: log: 991 more lines about uid 7 were not written, "
                          "to leave room for others\n");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("log");
    TCase *tcase = tcase_create("log");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_levels);
    tcase_add_test(tcase, test_level_names);
    tcase_add_test(tcase, rule_b9_15_foreign_bytes_are_escaped);
    tcase_add_test(tcase, test_long_lines_are_cut);
    tcase_add_test(tcase, test_never_blocks);
    tcase_add_test(tcase, test_lost_lines_are_counted);
    tcase_add_test(tcase, test_not_the_journal);
    tcase_add_test(tcase, test_fields_of_access_are_the_line);
    tcase_add_test(tcase, rule_b9_15_fields_are_escaped);
    tcase_add_test(tcase, test_a_field_that_does_not_fit_is_left_out);
    tcase_add_test(tcase, test_access_lines_leave_room);
    tcase_add_test(tcase, rule_b9_15_lines_of_one_uid_have_a_rate);
    suite_add_tcase(s, tcase);
    return s;
}

UNIT_MAIN(suite)
