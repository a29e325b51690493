/* SPDX-License-Identifier: MIT */
/* What becomes of a typed URL, and the fields that go with it. */
#include "cli/exit.h"
#include "cli/fields.h"
#include "cli/options.h"
#include "cli/url.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

START_TEST(test_prepare)
{
    static const struct {
        const char *given, *text, *basic;
    } cases[] = {
        {"example.org", "http://example.org/", NULL},
        {"example.org:8080/a?b#c", "http://example.org:8080/a?b", NULL},
        {"HTTPS://Example.org/", "HTTPS://Example.org/", NULL},
        {"http://u:p@h/", "http://h/", "Basic dTpw"},
        {"http://u@h", "http://h/", "Basic dTo="},
        {"u:p@h?x=a@b", "http://h/?x=a@b", "Basic dTpw"},
        {"http://a@b@h/", "http://h/", "Basic YUBiOg=="},
        {"http://us%65r:%3A%C3%A9@h/", "http://h/", "Basic dXNlcjo6w6k="},
        {"http://@h/", "http://h/", NULL},
        {"http://h/a/../b/./c/..", "http://h/b/", NULL},
        {"http://h/../../x?/../y", "http://h/x?/../y", NULL},
        {"http://h/a@b", "http://h/a@b", NULL},
        {"http://[::1]:80/#f", "http://[::1]:80/", NULL},
        {"http://h?q", "http://h/?q", NULL},
        {"", "http://", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_url url = {0};
        char why[100];

        ck_assert_int_eq(cli_url_prepare(cases[i].given, &url, why, sizeof(why)), 0);
        ck_assert_str_eq(url.text, cases[i].text);
        ck_assert_pstr_eq(url.basic, cases[i].basic);
        cli_url_done(&url);
    }
}
END_TEST

START_TEST(test_prepare_refused)
{
    static const struct {
        const char *given;
        int exit;
    } cases[] = {{"ftp://h/", CLI_EXIT_PROTOCOL},       {"file:///etc/passwd", CLI_EXIT_PROTOCOL},
                 {"httpx://h/", CLI_EXIT_PROTOCOL},     {"http://a%00b@h/", CLI_EXIT_URL},
                 {"http://a:%0d%0aX@h/", CLI_EXIT_URL}, {"http://a%4@h/", CLI_EXIT_URL},
                 {"http://a%zz@h/", CLI_EXIT_URL},      {"http://a%@h/", CLI_EXIT_URL}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_url url = {0};
        char why[100] = "";

        ck_assert_int_eq(cli_url_prepare(cases[i].given, &url, why, sizeof(why)), cases[i].exit);
        ck_assert(why[0]);
        ck_assert(!url.text && !url.basic);
        cli_url_done(&url);
    }
}
END_TEST

/* RFC 3986 5.2.4 and 5.4. */
START_TEST(test_remove_dots)
{
    static const char *const cases[][2] = {{"/a/b/c/./../../g", "/a/g"},
                                           {"/b/c/d", "/b/c/d"},
                                           {"/..", "/"},
                                           {"/.", "/"},
                                           {"/../g", "/g"},
                                           {"/b/c/g.", "/b/c/g."},
                                           {"/b/c/..g", "/b/c/..g"},
                                           {"/b/c/./g/.", "/b/c/g/"},
                                           {"/b/c/g/../h", "/b/c/h"},
                                           {"/b/c/../..", "/"},
                                           {"/a//../b", "/a/b"},
                                           {"//", "//"},
                                           {"/a/...", "/a/..."},
                                           {"/", "/"},
                                           {"", ""}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[64];
        size_t len;

        snprintf(path, sizeof(path), "%s", cases[i][0]);
        len = cli_url_remove_dots(path, strlen(path));
        path[len] = '\0';
        ck_assert_str_eq(path, cases[i][1]);
    }
}
END_TEST

START_TEST(test_field_split)
{
    struct cli_field_text field;

    ck_assert_int_eq(cli_field_split("Name: a value ", &field), CLI_FIELD_SET);
    ck_assert_uint_eq(field.name_len, 4);
    ck_assert_uint_eq(field.value_len, strlen("a value"));
    ck_assert_int_eq(cli_field_split("Name:  ", &field), CLI_FIELD_REMOVE);
    ck_assert_int_eq(cli_field_split("Name;", &field), CLI_FIELD_EMPTY);
    ck_assert_int_eq(cli_field_split("Name; x", &field), CLI_FIELD_NONE);
    ck_assert_int_eq(cli_field_split("Name; ", &field), CLI_FIELD_NONE);
    ck_assert_int_eq(cli_field_split("Name", &field), CLI_FIELD_NONE);
    ck_assert_int_eq(cli_field_split(": x", &field), CLI_FIELD_NONE);
    ck_assert_int_eq(cli_field_split("A: b;c:d", &field), CLI_FIELD_SET);
    ck_assert_uint_eq(field.name_len, 1);
}
END_TEST

/* The fields of a command line as "Name=value|...", after the version was cut from the agent. */
static void fields_are(char *const argv[], const char *basic, const char *expected)
{
    struct cli_options options;
    struct cli_fields fields;
    char why[100], got[512] = "";
    int argc = 0;

    while (argv[argc])
        argc++;
    ck_assert_int_eq(cli_options_parse(argc, argv, &options, why, sizeof(why)), 0);
    ck_assert_int_eq(cli_fields_build(&options, &(struct cli_field_values){.authorization = basic}, &fields),
                     0);
    for (size_t i = 0; i < fields.count; i++) {
        const char *value =
            strncmp(fields.items[i].value, "reqivo/", 7) == 0 ? "reqivo" : fields.items[i].value;

        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s=%s|", fields.items[i].name, value);
    }
    ck_assert_str_eq(got, expected);
    cli_fields_done(&fields);
    cli_options_done(&options);
}

#define FIELDS_ARE(expected, basic, ...)                                                                     \
    fields_are((char *[]){(char *)"reqivo", (char *)"u", __VA_ARGS__ NULL}, (basic), (expected))

/* What the daemon writes itself is asked for by exactly these values; others stay fields, for it to refuse.
 */
START_TEST(test_fields_asked)
{
    static const struct {
        const char *field;
        bool asked, fresh, left;
    } cases[] = {
        {"Expect: 100-continue", true, false, false},
        {"expect:100-Continue ", true, false, false},
        {"Expect: 1", false, false, true},
        {"Expect: 100-continues", false, false, true},
        {"Connection: close", false, true, false},
        {"connection: CLOSE", false, true, false},
        {"Connection: keep-alive", false, false, false},
        {"Connection: k", false, false, true},
        {"Connection: c", false, false, true},
        {"Connection: close, x", false, false, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *argv[] = {(char *)"reqivo", (char *)"u", (char *)"-H", (char *)cases[i].field, NULL};
        struct cli_options options;
        struct cli_fields fields;
        char why[100];

        ck_assert_int_eq(cli_options_parse(4, argv, &options, why, sizeof(why)), 0);
        ck_assert_int_eq(cli_fields_build(&options, &(struct cli_field_values){0}, &fields), 0);
        ck_assert_msg(fields.expect_asked == cases[i].asked, "%s", cases[i].field);
        ck_assert_msg(fields.fresh == cases[i].fresh, "%s", cases[i].field);
        ck_assert_msg((fields.count == 3) == cases[i].left, "%s", cases[i].field);
        cli_fields_done(&fields);
        cli_options_done(&options);
    }
}
END_TEST

START_TEST(test_fields)
{
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|", NULL, );
    FIELDS_ARE("Authorization=B x|User-Agent=reqivo|Accept=*/*|", "B x", );
    FIELDS_ARE("User-Agent=me|Accept=*/*|", NULL, "-A", "me", );
    FIELDS_ARE("Accept=*/*|", NULL, "-A", "", );
    FIELDS_ARE("User-Agent=reqivo|", NULL, "-Haccept:", );
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|X=|X=2|", NULL, "-H", "X;", "-H", "X: 2", );
    FIELDS_ARE("Host=a|User-Agent=reqivo|Accept=*/*|X=1|", NULL, "-H", "X: 1", "-H", "Host: a", );
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|Authorization=mine|", "B x", "-H", "Authorization: mine", );
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|Content-Type=application/x-www-form-urlencoded|", NULL, "-d",
               "x", );
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|Content-Type=text/plain|", NULL, "-d", "x", "-H",
               "Content-Type: text/plain", );
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|", NULL, "-d", "x", "-H", "Content-Type:", );
    FIELDS_ARE("User-Agent=reqivo|Content-Type=application/json|Accept=application/json|", NULL, "--json",
               "{}", );
    FIELDS_ARE("User-Agent=reqivo|Accept=x|Content-Type=application/json|", NULL, "--json", "{}", "-H",
               "Accept: x", );
    FIELDS_ARE(
        "Range=bytes=5-|User-Agent=reqivo|Accept=*/*|Accept-Encoding=deflate, gzip, br, zstd|Referer=r|",
        NULL, "--compressed", "-e", "r;auto", "-r", "5", );
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|", NULL, "-e", ";auto", "-G", "-d", "x", );
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|Range=mine|", NULL, "-r", "1-2", "-H", "Range: mine", );
    FIELDS_ARE("User-Agent=reqivo|Accept=*/*|", NULL, "-H", "nothing", "-H", "Expect:", "-H",
               "Expect: 100-continue", );
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_url");

    UNIT_TCASE(s, "url", test_prepare, test_prepare_refused, test_remove_dots);
    UNIT_TCASE(s, "fields", test_field_split, test_fields, test_fields_asked);
    return s;
}

UNIT_MAIN(suite)
