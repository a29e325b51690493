/* SPDX-License-Identifier: MIT */
/* Tests of proto/rule: what a rule's text may be, and which requests it means, as one that allows and as one
 * that denies. */
#include "proto/rule.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct rqv_rule rule;

static void read_rule(const char *text)
{
    const char *why = "";

    ck_assert_msg(rqv_rule_parse(rqv_str_from(text), &rule, &why) == 0, "%s: %s", text, why);
    ck_assert_str_eq(rule.text, text);
}

/* A request as the daemon asks about it: the URL's parser first, and the path as it would be sent. */
static struct rqv_rule_question ask(const char *method, const char *text)
{
    static char copy[1024], path[4096];
    static struct rqv_url url;
    struct rqv_rule_question question = {.method = rqv_str_from(method)};
    const char *why = NULL, *query;
    bool ws = strncmp(text, "ws", 2) == 0;
    long len;

    snprintf(copy, sizeof copy, "%s%s", ws ? "http" : "", ws ? text + 2 : text);
    ck_assert_msg(rqv_url_parse(copy, strlen(copy), &url, &why) == 0, "%s: %s", text, why);
    len = rqv_url_target(&url, path, sizeof path);
    ck_assert_int_gt(len, 0);
    query = memchr(path, '?', (size_t)len);
    question.path = (struct rqv_str){path, query ? (size_t)(query - path) : (size_t)len};
    question.scheme = (uint8_t)((ws ? RQV_RULE_WS : RQV_RULE_HTTP) << (url.scheme == RQV_SCHEME_HTTPS));
    question.host = (struct rqv_str){url.host, url.host_len};
    question.addr = url.addr;
    question.port = url.port;
    return question;
}

/* Bit 0: as a rule that allows; bit 1: as one that denies. */
static int means(const char *method, const char *url)
{
    struct rqv_rule_question question = ask(method, url);

    return rqv_rule_allows(&rule, &question) | rqv_rule_denies(&rule, &question) << 1;
}

enum { NEITHER = 0, DENIES = 2, BOTH = 3 };

struct row {
    const char *rule, *method, *url;
    int means;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        read_rule(rows[i].rule);
        ck_assert_msg(means(rows[i].method, rows[i].url) == rows[i].means, "%s: %s %s: %d", rows[i].rule,
                      rows[i].method, rows[i].url, means(rows[i].method, rows[i].url));
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

START_TEST(rule_hosts)
{
    static const struct row rows[] = {
        {"*", "GET", "http://anything.example:81/x", BOTH},
        {"example.org", "GET", "http://example.org/", BOTH},
        {"Example.ORG", "GET", "http://eXample.org/", BOTH},
        {"example.org", "GET", "http://www.example.org/", NEITHER},
        {"example.org", "GET", "http://notexample.org/", NEITHER},
        {"example.org", "GET", "http://example.org.evil.test/", NEITHER},
        {"*.example.org", "GET", "http://www.example.org/", BOTH},
        {"*.example.org", "GET", "http://a.b.example.org/", BOTH},
        {"*.example.org", "GET", "http://example.org/", NEITHER},
        {"*.example.org", "GET", "http://notexample.org/", NEITHER},
        {"*.example.org", "GET", "http://www.example.org.evil.test/", NEITHER},
        {"*.internal", "GET", "http://db.internal/", BOTH},
        {"xn--bcher-kva.example", "GET", "http://xn--bcher-kva.example/", BOTH},
        {"localhost", "GET", "http://127.0.0.1/", NEITHER},
    };

    CHECK_ROWS(rows);
}
END_TEST

START_TEST(rule_addresses)
{
    static const struct row rows[] = {
        {"192.0.2.1", "GET", "http://192.0.2.1/", BOTH},
        {"192.0.2.1", "GET", "http://192.0.2.2/", NEITHER},
        {"10.0.0.0/8", "GET", "http://10.255.0.1/", BOTH},
        {"10.0.0.0/8", "GET", "http://11.0.0.1/", NEITHER},
        {"10.0.0.0/8", "GET", "http://10.example.org/", NEITHER},
        {"10.0.0.0/8", "GET", "http://[::ffff:10.1.2.3]/", BOTH},
        {"10.0.0.0/8", "GET", "http://[::ffff:a01:203]/", BOTH},
        {"10.0.0.0/8", "GET", "http://[64:ff9b::10.1.2.3]/", BOTH},
        {"10.0.0.0/8:8000-8999/status", "GET", "http://10.1.2.3:8080/status/x", BOTH},
        {"10.0.0.0/8:8000-8999/status", "GET", "http://10.1.2.3:80/status/x", NEITHER},
        {"192.0.2.1/32/8", "GET", "http://192.0.2.1/8", BOTH},
        {"192.0.2.1/path", "GET", "http://192.0.2.1/path", BOTH},
        {"192.0.2.1/path", "GET", "http://192.0.2.1/", NEITHER},
        {"[2001:db8::/32]", "GET", "http://[2001:db8:1::1]/", BOTH},
        {"[2001:db8::/32]", "GET", "http://[2001:db9::1]/", NEITHER},
        {"[2001:db8::1]:443", "GET", "https://[2001:DB8:0:0::1]/", BOTH},
        {"[::1]", "GET", "http://[0:0:0:0:0:0:0:1]/", BOTH},
    };

    CHECK_ROWS(rows);
}
END_TEST

START_TEST(rule_schemes_ports_methods)
{
    static const struct row rows[] = {
        {"https://example.org", "GET", "https://example.org/", BOTH},
        {"https://example.org", "GET", "https://example.org:8443/", BOTH},
        {"https://example.org", "GET", "http://example.org/", NEITHER},
        {"https://example.org", "GET", "wss://example.org/", NEITHER},
        {"HTTP://example.org", "GET", "http://example.org/", BOTH},
        {"ws://*", "GET", "ws://example.org/", BOTH},
        {"ws://*", "GET", "wss://example.org/", NEITHER},
        {"ws://*", "GET", "http://example.org/", NEITHER},
        {"wss://*", "GET", "wss://example.org/", BOTH},
        {"example.org", "GET", "wss://example.org/", BOTH},
        {"example.org:443", "GET", "https://example.org/", BOTH},
        {"example.org:443", "GET", "http://example.org/", NEITHER},
        {"example.org:80-90", "GET", "http://example.org:90/", BOTH},
        {"example.org:80-90", "GET", "http://example.org:91/", NEITHER},
        {"GET,HEAD *", "HEAD", "http://example.org/", BOTH},
        {"GET,HEAD *", "POST", "http://example.org/", NEITHER},
        {"GET,HEAD *", "GETX", "http://example.org/", NEITHER},
        {"POST *", "post", "http://example.org/", DENIES}, /* some servers take it for POST */
        {"DELETE https://*:443/v1", "DELETE", "https://example.org/v1/x", BOTH},
    };

    CHECK_ROWS(rows);
}
END_TEST

START_TEST(rule_paths)
{
    static const struct row rows[] = {
        {"example.org/v1", "GET", "http://example.org/v1", BOTH},
        {"example.org/v1", "GET", "http://example.org/v1/", BOTH},
        {"example.org/v1", "GET", "http://example.org/v1/a?b=/v2", BOTH},
        {"example.org/v1", "GET", "http://example.org/v1?a", BOTH},
        {"example.org/v1", "GET", "http://example.org/v10", NEITHER},
        {"example.org/v1", "GET", "http://example.org/", NEITHER},
        {"example.org/v1", "GET", "http://example.org", NEITHER},
        {"example.org/v1", "GET", "http://example.org/V1", NEITHER},
        {"example.org/v1/", "GET", "http://example.org/v1", BOTH},
        {"example.org/", "GET", "http://example.org", BOTH},
        {"example.org/a/b", "GET", "http://example.org/a/b/c", BOTH},
        {"example.org/a/b", "GET", "http://example.org/a/c/b", NEITHER},
        {"example.org/a%62c", "GET", "http://example.org/abc", BOTH},
        {"example.org/caf\xc3\xa9", "GET", "http://example.org/caf%C3%A9/x", BOTH},
        {"example.org/caf\xc3\xa9", "GET", "http://example.org/caf\xc3\xa9", BOTH},
    };

    CHECK_ROWS(rows);
}
END_TEST

/* Every way to write a path that some server reads as /admin is what a rule for /admin denies, and a rule for
 * /public allows nothing that some server reads as something else. */
START_TEST(rule_b10_6_tricks_with_paths)
{
    static const char *const admin[] = {
        "/admin",
        "/./admin",
        "/x/../admin",
        "/%61dmin",
        "/%2561dmin",
        "/%252561dmin",
        "//admin",
        "/%2fadmin",
        "/%2e/admin",
        "/x/%2e%2e/admin",
        "/x/..%2fadmin",
        "/x%2f..%2fadmin",
        "/x/%252e%252e/admin",
        "/x/..;/admin",
        "/admin;x=1",
        "/admin;x/y",
        "/;x/admin",
        "/;%2fzz/admin",
        "/%3b%2fzz/admin",
        "/admin%3bx",
        "/admin%3fx",
        "/admin%23x",
        "/admin%00",
        "/admin%00.png",
        "/admin%2f",
        "/admin%5cx",
        "/%5cadmin",
        "/x%5c..%5cadmin",
        "/ad%6din/x",
        "/a%64%6D%69n",
        "/%25%36%31dmin",
        "/x%2F..%2Fadmin/%252e%252e/",
        "/%2e%2e;/admin",
        "/admin/%2e%2e",
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/..%5cadmin",
        "/admin%0a",
        "/;%252fzz/admin",
    };
    static const char *const others[] = {"/public/x",     "/administrator", "/x/admin",
                                         "/public/a%2Fb", "/public/C%23",   "/public/;v=1/x",
                                         "/public//x",    "/100%25/x",      "/public/%E2%82%AC"};
    char url[256];

    for (size_t i = 0; i < sizeof(admin) / sizeof(admin[0]); i++) {
        snprintf(url, sizeof url, "http://example.org%s", admin[i]);
        read_rule("example.org/admin");
        ck_assert_msg(means("GET", url) & 2, "%s is not denied", url);
        read_rule("example.org/public");
        ck_assert_msg(!(means("GET", url) & 1), "%s is allowed", url);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(url, sizeof url, "http://example.org%s", others[i]);
        read_rule("example.org/admin");
        ck_assert_msg(means("GET", url) == NEITHER, "%s is denied", url);
        read_rule("example.org/public");
        ck_assert_msg(!(means("GET", url) & 1) == !strstr(url, "/public"), "%s", url);
    }
}
END_TEST

/* Where no request is known yet, only what holds for all of them decides. */
START_TEST(rule_of_a_connection)
{
    struct rqv_rule_question question;

    read_rule("GET https://example.org/v1");
    question = ask("GET", "https://example.org/");
    question.method.ptr = NULL;
    ck_assert(rqv_rule_allows(&rule, &question));
    ck_assert(!rqv_rule_denies(&rule, &question));
    read_rule("https://example.org");
    ck_assert(rqv_rule_allows(&rule, &question));
    ck_assert(rqv_rule_denies(&rule, &question));
    read_rule("http://example.org");
    ck_assert(!rqv_rule_allows(&rule, &question));
    ck_assert(!rqv_rule_denies(&rule, &question));
}
END_TEST

START_TEST(rule_texts_that_are_wrong)
{
    static const char *const texts[] = {
        "",
        " ",
        "GET ",
        " example.org",
        "GET,, example.org",
        "* example.org",
        "GET  example.org",
        "ftp://example.org",
        "://example.org",
        "http://",
        "http:///x",
        "example.org:",
        "example.org:0",
        "example.org:65536",
        "example.org:90-80",
        "example.org:80-",
        "example.org:x",
        "ex*mple.org",
        "*.",
        "*.*.org",
        "*example.org",
        "example.org.",
        ("b\xc3\xbc"
         "cher.example"),
        "10.0.0.1/8",
        "10.0.0.0/33",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "*.1",
        "[2001:db8::1",
        "[example.org]",
        "[2001:db8::1/32]",
        "[::1]x",
        "user@example.org",
        "example.org/a//b",
        "example.org/./a",
        "example.org/../a",
        "example.org/a/..",
        "example.org/%2e%2e/a",
        "example.org/a%2fb",
        "example.org/a%",
        "example.org/a%25b",
        "example.org/a*",
        "example.org/a?b",
        "example.org/a#b",
        "example.org/a;b",
        "example.org/a\\b",
        "example.org/a\nb",
        "example.org/%00",
        "2001:db8::1",
    };
    const char *why;
    char big[600];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        why = NULL;
        ck_assert_msg(rqv_rule_parse(rqv_str_from(texts[i]), &rule, &why) < 0, "%s", texts[i]);
        ck_assert_msg(why && *why, "%s", texts[i]);
    }
    memset(big, 'a', sizeof big);
    ck_assert_int_lt(rqv_rule_parse((struct rqv_str){big, sizeof big}, &rule, &why), 0);
}
END_TEST

START_TEST(rule_a_path_without_end)
{
    static char path[RQV_RULE_PATH + 2] = "/x";
    struct rqv_rule_question question = ask("GET", "http://example.org/x");

    memset(path + 2, '/', sizeof(path) - 2);
    question.path = (struct rqv_str){path, sizeof path};
    read_rule("example.org/x");
    ck_assert(!rqv_rule_allows(&rule, &question));
    ck_assert(rqv_rule_denies(&rule, &question));
    question.path.len = RQV_RULE_PATH;
    ck_assert(rqv_rule_allows(&rule, &question));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("rule");

    UNIT_TCASE(s, "rule", rule_hosts, rule_addresses, rule_schemes_ports_methods, rule_paths,
               rule_b10_6_tricks_with_paths, rule_of_a_connection, rule_texts_that_are_wrong,
               rule_a_path_without_end);
    return s;
}

UNIT_MAIN(suite)
