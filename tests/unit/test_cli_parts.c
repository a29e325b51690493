/* SPDX-License-Identifier: MIT */
/* The parts of reqivo that lie between its options and the library: routes, what is added to URLs, cookies,
 * bodies, the meter. */
#include "cli/body.h"
#include "cli/cookies.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/routes.h"
#include "cli/url.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options of up to 8 words before the URL "u". */
static void options_of(struct cli_options *options, const char *const words[])
{
    char *argv[12] = {(char *)"reqivo", (char *)"u"};
    char why[100];
    int argc = 2;

    for (; words[argc - 2]; argc++)
        argv[argc] = (char *)words[argc - 2];
    ck_assert_msg(cli_options_parse(argc, argv, options, why, sizeof(why)) == 0, "%s", why);
}

#define OPTIONS(options, ...) options_of((options), (const char *const[]){__VA_ARGS__, NULL})

static void route_is(const struct cli_options *options, const char *url, const char *expected)
{
    char route[CLI_ROUTE_MAX] = "?";

    ck_assert_int_eq(cli_route_find(options, url, route), 0);
    ck_assert_str_eq(route, expected);
}

START_TEST(test_resolve)
{
    struct cli_options o;

    OPTIONS(&o, "--resolve", "a:80:192.0.2.1,192.0.2.2", "--resolve", "+B:443:[::1]", "--resolve",
            "c:80:::2");
    route_is(&o, "http://a/", "192.0.2.1:80");
    route_is(&o, "http://A:80/", "192.0.2.1:80");
    route_is(&o, "http://a:81/", "");
    route_is(&o, "https://a/", "");
    route_is(&o, "https://b/x", "[::1]:443");
    route_is(&o, "http://c/", "[::2]:80");
    route_is(&o, "no url", "");
    cli_options_done(&o);
    OPTIONS(&o, "--resolve", "a:80:192.0.2.1", "--resolve", "*:80:192.0.2.9", "--resolve", "-a:80");
    route_is(&o, "http://a/", "");
    route_is(&o, "http://b/", "192.0.2.9:80");
    cli_options_done(&o);
}
END_TEST

START_TEST(test_connect_to)
{
    struct cli_options o;

    OPTIONS(&o, "--connect-to", "a:80:b:81", "--connect-to", "::c:", "--connect-to", "[::1]:80:[::2]:82");
    route_is(&o, "http://a/", "b:81");
    route_is(&o, "http://a:8080/", "c:8080");
    route_is(&o, "http://[::1]/", "c:80"); /* the first that fits */
    cli_options_done(&o);
    OPTIONS(&o, "--connect-to", "[::1]:80:[::2]:82", "--connect-to", "a:::443");
    route_is(&o, "http://[::1]/", "[::2]:82");
    route_is(&o, "http://a/", "a:443");
    cli_options_done(&o);
    OPTIONS(&o, "--connect-to", "a:80:b:81", "--resolve", "b:81:192.0.2.7");
    route_is(&o, "http://a/", "192.0.2.7:81");
    cli_options_done(&o);
}
END_TEST

static struct cli_url url_of(const char *given)
{
    struct cli_url url = {0};
    char why[100];

    ck_assert_int_eq(cli_url_prepare(given, &url, why, sizeof(why)), 0);
    return url;
}

START_TEST(test_query)
{
    static const char *const cases[][2] = {{"h", "http://h/?a=b"},
                                           {"h/x?", "http://h/x?a=b"},
                                           {"h/x?y", "http://h/x?y&a=b"},
                                           {"h/x?y#z", "http://h/x?y&a=b"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_url url = url_of(cases[i][0]);

        ck_assert_int_eq(cli_url_add_query(&url, "a=b", 3), 0);
        ck_assert_str_eq(url.text, cases[i][1]);
        ck_assert_int_gt(cli_url_add_query(&url, "a\0b", 3), 0);
        cli_url_done(&url);
    }
}
END_TEST

START_TEST(test_names)
{
    static const struct {
        const char *url, *file, *text, *name;
    } cases[] = {
        {"h/", "dir/a b\303\251.txt", "http://h/a%20b%C3%A9.txt", "a%20b%C3%A9.txt"},
        {"h/up/", "f", "http://h/up/f", "f"},
        {"h/up", "f", "http://h/up", "up"},
        {"h", "f", "http://h/f", "f"},
        {"h/?q/", "f", "http://h/f?q/", "f"},
        {"h/a/../b?x/y", "f", "http://h/b?x/y", "b"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_url url = url_of(cases[i].url);
        char *name;

        ck_assert_int_eq(cli_url_add_name(&url, cases[i].file), 0);
        ck_assert_str_eq(url.text, cases[i].text);
        name = cli_url_remote_name(&url);
        ck_assert_str_eq(name, cases[i].name);
        free(name);
        cli_url_done(&url);
    }
}
END_TEST

START_TEST(test_cookies)
{
    struct cli_options o;
    char *value = NULL;

    OPTIONS(&o, "-b", "a=b; c=d", "-b", "file", "-b", "e=f");
    ck_assert(cli_cookies_wanted(&o));
    ck_assert_int_eq(cli_cookies_field(&o, &value), 0);
    ck_assert_str_eq(value, "a=b; c=d;e=f");
    free(value);
    cli_options_done(&o);
    OPTIONS(&o, "-b", "a=b");
    ck_assert(!cli_cookies_wanted(&o));
    cli_options_done(&o);
    OPTIONS(&o, "-c", "jar");
    ck_assert(cli_cookies_wanted(&o));
    ck_assert_int_eq(cli_cookies_field(&o, &value), 0);
    ck_assert_ptr_null(value);
    cli_options_done(&o);
}
END_TEST

START_TEST(test_body)
{
    struct cli_options o;
    struct cli_body body;
    char why[200] = "";

    OPTIONS(&o, "-d", "a", "--data-raw", "@b", "--data-urlencode", "c=d e&", "--data-urlencode", "=x=");
    ck_assert_int_eq(cli_body_read(&o.data, false, &body, why, sizeof(why)), 0);
    ck_assert_uint_eq(body.size, strlen("a&@b&c=d+e%26&x%3D"));
    ck_assert_mem_eq(body.bytes, "a&@b&c=d+e%26&x%3D", body.size);
    cli_body_done(&body);
    cli_options_done(&o);
    OPTIONS(&o, "--json", "{", "--json", "}");
    ck_assert_int_eq(cli_body_read(&o.data, false, &body, why, sizeof(why)), 0);
    ck_assert_uint_eq(body.size, 2);
    ck_assert_mem_eq(body.bytes, "{}", 2);
    cli_body_done(&body);
    cli_options_done(&o);
    OPTIONS(&o, "--data-urlencode", "n@/no/such");
    ck_assert_int_eq(cli_body_read(&o.data, false, &body, why, sizeof(why)), -ENOENT);
    ck_assert_str_eq(why, "cannot read /no/such: No such file or directory");
    cli_body_done(&body);
    cli_options_done(&o);
}
END_TEST

/* A regular file is streamed from disk, but not when its bytes are wanted here; a device is read as it comes.
 */
START_TEST(test_body_files)
{
    struct cli_item item = {.text = "@/proc/self/exe", .piece = CLI_PIECE_BINARY};
    struct cli_list list = {.items = &item, .count = 1};
    struct cli_body body;
    char why[200] = "", byte;

    ck_assert_int_eq(cli_body_read(&list, false, &body, why, sizeof(why)), 0);
    ck_assert(body.fd >= 0 && !body.bytes && body.size > 0);
    cli_body_done(&body);
    ck_assert_int_eq(cli_body_read(&list, true, &body, why, sizeof(why)), 0);
    ck_assert(body.fd < 0 && body.size > 0);
    ck_assert_mem_eq(body.bytes, "\177ELF", 4);
    cli_body_done(&body);
    ck_assert_int_eq(cli_body_open("/dev/null", &body, why, sizeof(why)), 0);
    ck_assert(body.stream);
    ck_assert_int_eq(cli_body_next(&byte, 1, &body), 0);
    cli_body_done(&body);
    ck_assert_int_eq(cli_body_open("/no/such", &body, why, sizeof(why)), -ENOENT);
    cli_body_done(&body);
}
END_TEST

START_TEST(test_progress)
{
    struct cli_progress progress;
    char *text = NULL, size_text[16];
    size_t size;
    FILE *file = open_memstream(&text, &size);

    cli_progress_start(&progress, file, 1000);
    cli_progress_add(&progress, 100, 1100); /* too soon */
    cli_progress_finish(&progress, 1150);   /* so nothing is left on the terminal */
    fflush(file);
    ck_assert_uint_eq(size, 0);
    cli_progress_start(&progress, file, 0);
    progress.total = 4096;
    cli_progress_add(&progress, 1024, 1000);
    fflush(file);
    ck_assert_str_eq(text, "\r 25%  1.0 KiB of 4.0 KiB  1.0 KiB/s  0:03 left\033[K");
    cli_progress_add(&progress, 3072, 1001); /* too soon after the last */
    cli_progress_finish(&progress, 2000);
    fclose(file);
    ck_assert_ptr_nonnull(strstr(text, "\r100%  4.0 KiB of 4.0 KiB  2.0 KiB/s  0:00 left\033[K\n"));
    free(text);
    ck_assert_str_eq(cli_progress_size(0, size_text), "0 B");
    ck_assert_str_eq(cli_progress_size(999, size_text), "999 B");
    ck_assert_str_eq(cli_progress_size(1048576 * 1.5, size_text), "1.5 MiB");
    ck_assert_str_eq(cli_progress_size(1e15, size_text), "909 TiB");
    cli_progress_start(&progress, NULL, 0);
    cli_progress_add(&progress, 5, 9999);
    cli_progress_finish(&progress, 9999);
    ck_assert(!progress.shown);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_parts");

    UNIT_TCASE(s, "routes", test_resolve, test_connect_to);
    UNIT_TCASE(s, "url", test_query, test_names);
    UNIT_TCASE(s, "cookies", test_cookies);
    UNIT_TCASE(s, "body", test_body, test_body_files);
    UNIT_TCASE(s, "progress", test_progress);
    return s;
}

UNIT_MAIN(suite)
