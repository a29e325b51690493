/* SPDX-License-Identifier: MIT */
/* -w of reqivo, and the tables of reqivoctl. */
#include "cli/rows.h"
#include "cli/writeout.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_facts facts = {
    .url = "h",
    .url_effective = "http://h",
    .method = "GET",
    .remote_ip = "192.0.2.1",
    .remote_port = 443,
    .status = 204,
    .minor = 1,
    .num_connects = 1,
    .num_headers = 3,
    .size_download = 5000000000,
    .namelookup_us = 1,
    .total_us = 2500000,
    .https = true,
};

static void writes(const char *format, const struct cli_facts *of, const char *out, const char *err)
{
    char *text[2] = {NULL, NULL};
    size_t size[2];
    FILE *file[2] = {open_memstream(&text[0], &size[0]), open_memstream(&text[1], &size[1])};

    cli_writeout(format, of, file[0], file[1]);
    fclose(file[0]);
    fclose(file[1]);
    ck_assert_str_eq(text[0], out);
    ck_assert_str_eq(text[1], err);
    free(text[0]);
    free(text[1]);
}

START_TEST(test_facts)
{
    struct cli_facts none = {0};

    writes("%{http_code} %{response_code} %{size_download}", &facts, "204 204 5000000000", "");
    writes("%{time_total} %{time_namelookup} %{time_appconnect}", &facts, "2.500000 0.000001 0.000000", "");
    writes("%{remote_ip}:%{remote_port} %{scheme} %{http_version}", &facts, "192.0.2.1:443 HTTPS 1.1", "");
    writes("%{url} %{url_effective} %{method} %{num_connects} %{num_headers}", &facts, "h http://h GET 1 3",
           "");
    writes("[%{content_type}][%{errormsg}]%{exitcode}%{reused}%{retried}", &facts, "[][]000", "");
    writes("%{speed_download}", &facts, "2000000000", "");
    writes("%{http_code} %{http_version} %{scheme} %{speed_download}%{url}", &none, "000 0 HTTP 0", "");
}
END_TEST

START_TEST(test_syntax)
{
    writes("a\\n\\t\\r\\\\x\\q", &facts, "a\n\t\r\\\\x\\q", "");
    writes("%% %%{url} %x %", &facts, "% %{url} %x %", "");
    writes("%{url", &facts, "%{url", "");
    writes("\\", &facts, "\\", "");
    writes("", &facts, "", "");
    writes("a%{stderr}b%{stdout}c", &facts, "ac", "b");
    writes("x%{nope}y", &facts, "xy", "reqivo: unknown --write-out variable: 'nope'\n");
}
END_TEST

START_TEST(test_json)
{
    struct cli_facts other = facts;

    other.content_type = "a\"\\\n";
    other.status = 0;
    writes("%{header_json}|%header{x}|%header{", &facts, "{\n}||%header{", "");
    writes("a%{onerror}b", &facts, "a", "");
    other.exitcode = 7;
    writes(
        "a%{onerror}b%{json}", &other,
        "ab{\"content_type\":\"a\\\"\\\\\\u000a\",\"errormsg\":null,\"exitcode\":7,\"filename_effective\":"
        "null,"
        "\"http_code\":0,\"http_version\":\"0\",\"method\":\"GET\",\"num_connects\":1,\"num_headers\":3,"
        "\"num_redirects\":0,\"redirect_url\":null,\"referer\":null,\"remote_ip\":\"192.0.2.1\","
        "\"remote_port\":443,\"response_code\":0,\"retried\":0,\"reused\":0,\"scheme\":\"HTTPS\","
        "\"size_download\":5000000000,\"size_header\":0,\"size_upload\":0,\"speed_download\":2000000000,"
        "\"speed_upload\":0,\"ssl_verify_result\":0,\"time_appconnect\":0.000000,\"time_connect\":0.000000,"
        "\"time_namelookup\":0.000001,\"time_pretransfer\":0.000000,\"time_queue\":0.000000,"
        "\"time_redirect\":0.000000,\"time_starttransfer\":0.000000,\"time_total\":2.500000,\"url\":\"h\","
        "\"url_effective\":\"http://h\",\"urlnum\":0}",
        "");
}
END_TEST

static void fill(struct rows *rows)
{
    const char *const names[] = {"origin", "open", "idle"};
    const char *const values[][3] = {{"https://a:443", "8", "0"}, {"http://b\033[1m:80", "1", "12"}};

    rows_add(3, names, values[0], rows);
    rows_add(2, names, values[1], rows);
}

START_TEST(test_rows_sorted)
{
    static const char *const names[] = {"n", "name"};
    static const char *const values[][2] = {{"9", "b"}, {"100", "a"}, {"9", "a"}};
    struct rows rows = {0};

    for (int i = 0; i < 3; i++)
        rows_add(2, names, values[i], &rows);
    rows_sort(&rows, "n", false);
    ck_assert_str_eq(rows.items[0].pairs[1].value, "b"); /* equal ones stay as they were */
    ck_assert_str_eq(rows.items[2].pairs[0].value, "100");
    rows_sort(&rows, "n", true);
    ck_assert_str_eq(rows.items[0].pairs[0].value, "100");
    rows_sort(&rows, "name", false);
    ck_assert_str_eq(rows.items[2].pairs[1].value, "b");
    rows_sort(&rows, "nothing", false);
    rows_done(&rows);
}
END_TEST

START_TEST(test_rows)
{
    struct rows rows = {0};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    fill(&rows);
    rows_print_table(&rows, out);
    fputs("--\n", out);
    rows_print_lines(&rows, out);
    fclose(out);
    ck_assert_str_eq(text, "origin           open  idle\n"
                           "https://a:443       8     0\n"
                           "http://b?[1m:80     1     -\n"
                           "--\n"
                           "origin  https://a:443\n"
                           "open    8\n"
                           "idle    0\n"
                           "\n"
                           "origin  http://b?[1m:80\n"
                           "open    1\n");
    free(text);
    rows_done(&rows);
    ck_assert(rows_is_number("0") && rows_is_number("-12") && rows_is_number("123456789012345"));
    ck_assert(!rows_is_number("") && !rows_is_number("01") && !rows_is_number("1.5") && !rows_is_number("-"));
}
END_TEST

START_TEST(test_rows_json)
{
    struct rows rows = {0};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_int_eq(rows_print_json(&rows, false, out), 0);
    ck_assert_int_eq(rows_print_json(&rows, true, out), 0);
    fill(&rows);
    ck_assert_int_eq(rows_print_json(&rows, true, out), 0);
    fclose(out);
    ck_assert_str_eq(text, "[]\n{}\n{\n  \"origin\": \"https://a:443\",\n  \"open\": 8,\n  \"idle\": 0\n}\n");
    free(text);
    rows_done(&rows);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_writeout");

    UNIT_TCASE(s, "writeout", test_facts, test_syntax, test_json);
    UNIT_TCASE(s, "rows", test_rows, test_rows_sorted, test_rows_json);
    return s;
}

UNIT_MAIN(suite)
