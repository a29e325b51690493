/* SPDX-License-Identifier: MIT */
/* Tests of proto/cookie: Set-Cookie values, dates, paths, domains, name prefixes, lines of cookie files. */
#include "proto/cookie.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOW     1700000000u /* 14 November 2023, 22:13:20 UTC */
#define DAYS(n) ((uint64_t)(n)*86400)

static bool is(struct rqv_str got, const char *expected)
{
    return expected ? got.ptr && rqv_str_eq(got, rqv_str_from(expected)) : !got.ptr;
}

static int parse(const char *text, struct rqv_cookie *ret_cookie)
{
    const char *why = NULL;
    int rc = rqv_cookie_parse(rqv_str_from(text), NOW, ret_cookie, &why);

    ck_assert_msg(rc == 0 || (rc == -EINVAL && why), "%s", text);
    return rc;
}

/* ---- Set-Cookie ---- */

static const struct {
    const char *text, *name, *value, *domain, *path;
    uint64_t expires_s;
    bool secure, http_only;
    enum rqv_same_site same_site;
} good[] = {
    /* the examples of RFC 6265 3.1 */
    {"SID=31d4d96e407aad42", "SID", "31d4d96e407aad42", .secure = false},
    {"SID=31d4d96e407aad42; Path=/; Domain=example.com", "SID", "31d4d96e407aad42", .domain = "example.com",
     .path = "/"},
    {"SID=31d4d96e407aad42; Path=/; Secure; HttpOnly", "SID", "31d4d96e407aad42", .path = "/", .secure = true,
     .http_only = true},
    {"lang=en-US; Path=/; Domain=example.com", "lang", "en-US", .domain = "example.com", .path = "/"},
    {"lang=en-US; Expires=Wed, 09 Jun 2021 10:18:14 GMT", "lang", "en-US", .expires_s = 1623233894},
    {"lang=; Expires=Sun, 06 Nov 1994 08:49:37 GMT", "lang", "", .expires_s = 784111777},
    /* name and value: 5.6 steps 3 and 4 */
    {" a\t= b ", "a", "b", .secure = false},
    {"a=b=c=d", "a", "b=c=d", .secure = false},
    {"a=\"b c\"", "a", "\"b c\"", .secure = false},
    {"a=", "a", "", .secure = false},
    {"a", "", "a", .secure = false},
    {"=a", "", "a", .secure = false},
    {"=a=b", "", "a=b", .secure = false},
    {"a b=c d", "a b", "c d", .secure = false},
    {"a=b\xc3\xa9", "a", "b\xc3\xa9", .secure = false},
    {"a=b,c=d", "a", "b,c=d", .secure = false},
    /* attributes: any case, any blanks, unknown ones, the last one counts */
    {"a=b;", "a", "b", .secure = false},
    {"a=b;;; ;=;x;y=z", "a", "b", .secure = false},
    {"a=b;secure;HTTPONLY", "a", "b", .secure = true, .http_only = true},
    {"a=b; secure=no ;\tHttpOnly = x", "a", "b", .secure = true, .http_only = true},
    {"a=b; secured; http-only", "a", "b", .secure = false},
    {"a=b; path=/x; PATH = /y/ ", "a", "b", .path = "/y/"},
    {"a=b; path=/x; path=y", "a", "b", .secure = false},
    {"a=b; path=/x; path", "a", "b", .secure = false},
    {"a=b; path=\"/x\"", "a", "b", .secure = false},
    {"a=b; domain=.example.com", "a", "b", .domain = "example.com"},
    {"a=b; domain=..example.com", "a", "b", .domain = ".example.com"},
    {"a=b; domain=x.org; Domain=EXAMPLE.com", "a", "b", .domain = "EXAMPLE.com"},
    {"a=b; domain=x.org; domain=", "a", "b", .secure = false},
    {"a=b; domain=.", "a", "b", .secure = false},
    {"a=b; samesite=STRICT", "a", "b", .same_site = RQV_SAME_SITE_STRICT},
    {"a=b; SameSite=Lax", "a", "b", .same_site = RQV_SAME_SITE_LAX},
    {"a=b; SameSite=None; Secure", "a", "b", .secure = true, .same_site = RQV_SAME_SITE_NONE},
    {"a=b; SameSite=Strict; SameSite=some", "a", "b", .secure = false},
    /* Max-Age: 5.6.2; it wins, wherever it stands */
    {"a=b; max-age=1", "a", "b", .expires_s = NOW + 1},
    {"a=b; max-age=0010", "a", "b", .expires_s = NOW + 10},
    {"a=b; max-age=0", "a", "b", .expires_s = 1},
    {"a=b; max-age=-1", "a", "b", .expires_s = 1},
    {"a=b; max-age=-0", "a", "b", .expires_s = 1},
    {"a=b; max-age=", "a", "b", .secure = false},
    {"a=b; max-age=-", "a", "b", .secure = false},
    {"a=b; max-age=+5", "a", "b", .secure = false},
    {"a=b; max-age=5s", "a", "b", .secure = false},
    {"a=b; max-age=1.5", "a", "b", .secure = false},
    {"a=b; max-age=34559999", "a", "b", .expires_s = NOW + DAYS(400) - 1},
    {"a=b; max-age=34560001", "a", "b", .expires_s = NOW + DAYS(400)},
    {"a=b; max-age=99999999999999999999999999999999999999", "a", "b", .expires_s = NOW + DAYS(400)},
    {"a=b; max-age=-99999999999999999999999999999999999999", "a", "b", .expires_s = 1},
    {"a=b; max-age=9; max-age=x; max-age=8", "a", "b", .expires_s = NOW + 8},
    {"a=b; max-age=5; expires=Sun, 06 Nov 1994 08:49:37 GMT", "a", "b", .expires_s = NOW + 5},
    {"a=b; expires=Sun, 06 Nov 1994 08:49:37 GMT; max-age=5", "a", "b", .expires_s = NOW + 5},
    /* Expires: 5.6.1 */
    {"a=b; expires=never", "a", "b", .secure = false},
    {"a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT", "a", "b", .expires_s = 1},
    {"a=b; expires=Mon, 01 Jan 1601 00:00:00 GMT", "a", "b", .expires_s = 1},
    {"a=b; expires=Fri, 31 Dec 9999 23:59:59 GMT", "a", "b", .expires_s = NOW + DAYS(400)},
    {"a=b; expires=Sun, 06 Nov 1994 08:49:37 GMT; expires=x", "a", "b", .expires_s = 784111777},
};

START_TEST(test_set_cookie)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct rqv_cookie cookie;

        ck_assert_int_eq(parse(good[i].text, &cookie), 0);
        ck_assert_msg(is(cookie.name, good[i].name) && is(cookie.value, good[i].value), "%s", good[i].text);
        ck_assert_msg(is(cookie.domain, good[i].domain) && is(cookie.path, good[i].path), "%s", good[i].text);
        ck_assert_msg(cookie.expires_s == good[i].expires_s, "%s: %llu", good[i].text,
                      (unsigned long long)cookie.expires_s);
        ck_assert_msg(cookie.secure == good[i].secure && cookie.http_only == good[i].http_only &&
                          cookie.same_site == good[i].same_site,
                      "%s", good[i].text);
        ck_assert_msg(cookie.host_only == !good[i].domain, "%s", good[i].text);
    }
}
END_TEST

START_TEST(test_set_cookie_refused)
{
    static const char *const bad[] = {"",      "=",      " ",      ";",    "; Secure",
                                      " = ;x", "a\tb=c", "a=b\tc", "=\t;", "a=b; path=/\tx"};
    struct rqv_cookie cookie;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(parse(bad[i], &cookie) == -EINVAL, "%s", bad[i]);
}
END_TEST

/* Every prefix of a text is read without looking behind its end, and the whole only at its end. */
START_TEST(test_set_cookie_cut_anywhere)
{
    static const char text[] =
        "a=b; Expires=Wed, 09 Jun 2021 10:18:14 GMT; Max-Age=5; Domain=.x.org; Path=/p; "
        "Secure; HttpOnly; SameSite=Lax";
    const char *why;

    for (size_t len = 1; len < sizeof(text); len++) {
        char *copy = malloc(len);
        struct rqv_cookie cookie;
        size_t first = len < 3 ? len : 3;

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, text, len);
        ck_assert_int_eq(rqv_cookie_parse((struct rqv_str){copy, len}, NOW, &cookie, &why), 0);
        ck_assert_uint_eq(cookie.name.len + cookie.value.len, first == 3 ? 2 : 1);
        ck_assert_int_eq(cookie.same_site,
                         len == sizeof(text) - 1 ? RQV_SAME_SITE_LAX : RQV_SAME_SITE_DEFAULT);
        free(copy);
    }
}
END_TEST

START_TEST(rule_b3_7_no_control_bytes)
{
    struct rqv_cookie cookie;
    const char *why;

    for (unsigned c = 0; c < 256; c++) {
        char text[] = "a=b_c; Pith=/_d";
        bool control = (c < 0x20 && c != '\t') || c == 0x7f;

        text[3] = (char)c;
        ck_assert_msg((rqv_cookie_parse((struct rqv_str){text, 15}, NOW, &cookie, &why) < 0) ==
                          (control || c == '\t'),
                      "%u in the value", c);
        text[3] = '_';
        text[13] = (char)c;
        ck_assert_msg((rqv_cookie_parse((struct rqv_str){text, 15}, NOW, &cookie, &why) < 0) == control,
                      "%u in an attribute", c);
    }
}
END_TEST

START_TEST(rule_b3_7_lengths)
{
    static char text[8192];
    struct rqv_cookie cookie;
    const char *why;

    memset(text, 'x', sizeof(text));
    text[10] = '=';
    ck_assert_int_eq(rqv_cookie_parse((struct rqv_str){text, 4097}, NOW, &cookie, &why), 0);
    ck_assert_uint_eq(cookie.name.len + cookie.value.len, 4096);
    ck_assert_int_eq(rqv_cookie_parse((struct rqv_str){text, 4098}, NOW, &cookie, &why), -EINVAL);
    /* 5000 in all, whatever it is */
    memcpy(text, "a=b;", 4);
    ck_assert_int_eq(rqv_cookie_parse((struct rqv_str){text, 5000}, NOW, &cookie, &why), 0);
    ck_assert_int_eq(rqv_cookie_parse((struct rqv_str){text, 5001}, NOW, &cookie, &why), -EINVAL);
    /* a longer attribute is passed over, and leaves the one before */
    memcpy(text, "a=b;path=/q;path=/", 18);
    ck_assert_int_eq(rqv_cookie_parse((struct rqv_str){text, 17 + 1024}, NOW, &cookie, &why), 0);
    ck_assert_uint_eq(cookie.path.len, 1024);
    ck_assert_int_eq(rqv_cookie_parse((struct rqv_str){text, 17 + 1025}, NOW, &cookie, &why), 0);
    ck_assert(is(cookie.path, "/q"));
}
END_TEST

/* ---- dates: 5.1.1 ---- */

static const struct {
    const char *text;
    uint64_t s;
} dates[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},  /* IMF-fixdate */
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777}, /* RFC 850 */
    {"Sun Nov  6 08:49:37 1994", 784111777},       /* asctime */
    {"Sun, 06-Nov-1994 08:49:37 GMT", 784111777},  /* Netscape */
    {"1994 Nov 6 08:49:37", 784111777},
    {"08:49:37 6 november 1994", 784111777},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Thu, 01 Jan 1970 00:00:01 GMT", 1},
    {"Wed, 31 Dec 1969 23:59:59 GMT", 0},
    {"Mon, 01 Jan 1601 00:00:00 GMT", 0},
    {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
    {"29 Feb 2024 0:0:0", 1709164800},
    {"1 Mar 2100 00:00:00", 4107542400},
    {"19 Jan 2038 03:14:08", 2147483648u},
    {"006 Nov 1 08:49:37", 1162370977}, /* three digits are no day, but a year */
    {"31 Dec 9999 23:59:59", 253402300799},
    {"Wed, 09 Jun 70 10:18:14 GMT", 13774694},
    {"Wed, 09 Jun 69 10:18:14 GMT", 3137998694},
    {"Wed, 09 Jun 99 10:18:14 GMT", 928923494},
    {"Wed, 09 Jun 00 10:18:14 GMT", 960545894},
    {"09 Jun 2021 10:18:14+0200 (CEST)", 1623233894},
    {"09 Jun 2021 10:18:14PM", 1623233894},
    {"9th June 2021AD 10:18:14.5", 1623233894},
    {"10:18:14 09 Jun Jul 2021 2022 11:00:00", 1623233894},
    {";\t /09\tjUnE!2021@10:18:14~", 1623233894},
    {"20 Jun 19 10:18:14", 1561025894},
};

static const char *const no_dates[] = {
    "",
    "GMT",
    "Sun, 06 Nov 1994",      /* no time */
    "Nov 1994 08:49:37",     /* no day */
    "06 1994 08:49:37",      /* no month */
    "06 Nov 08:49:37",       /* no year */
    "06 Nov 1994 08:49",     /* a time has three parts */
    "06 Nov 1994 008:49:37", /* of two digits at most */
    "06 Nov 1994 08:49:377", /* and none behind them */
    "06 Nov 1994 08:49:",    /* or of none */
    "06 Nov 1994 :49:37",    /* */
    "06 Nov 1994 24:00:00",  /* hour */
    "06 Nov 1994 00:60:00",  /* minute */
    "06 Nov 1994 00:00:60",  /* second */
    "00 Nov 1994 00:00:00",  /* day */
    "32 Nov 1994 00:00:00",  /* */
    "31 Nov 1994 00:00:00",  /* no such day */
    "29 Feb 2100 00:00:00",  /* */
    "29 Feb 2023 00:00:00",  /* */
    "31 Dec 1600 23:59:59",  /* year */
    "06 Nov 19940 08:49:37", /* too long */
    "006 Nov 1994 08:49:37", /* no day, and the first year counts */
    "06 No 1994 08:49:37",   /* month */
    "06Nov1994 08:49:37",    /* one token */
    "06 Nov 1994T08:49:37Z", /* T is no delimiter */
};

START_TEST(test_dates)
{
    uint64_t s;

    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        s = 1;
        ck_assert_msg(rqv_cookie_date(rqv_str_from(dates[i].text), &s), "%s", dates[i].text);
        ck_assert_msg(s == dates[i].s, "%s: %llu", dates[i].text, (unsigned long long)s);
    }
    s = 77;
    for (size_t i = 0; i < sizeof(no_dates) / sizeof(no_dates[0]); i++) {
        ck_assert_msg(!rqv_cookie_date(rqv_str_from(no_dates[i]), &s), "%s", no_dates[i]);
        ck_assert_uint_eq(s, 77);
    }
}
END_TEST

/* Each day of some centuries follows the one before. */
START_TEST(test_dates_count_days)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    uint64_t expected = 0, s;

    for (int year = 1970; year < 2420; year++) {
        for (int month = 0; month < 12; month++) {
            for (int day = 1; day <= 31; day++) {
                char text[80];

                snprintf(text, sizeof(text), "%d %s %d 00:00:00", day, months[month], year);
                if (!rqv_cookie_date(rqv_str_from(text), &s))
                    continue;
                ck_assert_msg(s == expected, "%s", text);
                expected += 86400;
            }
        }
    }
    ck_assert_uint_eq(expected, 14200617600); /* 1 January 2420 */
}
END_TEST

/* ---- where cookies go: 5.1.3, 5.1.4 ---- */

START_TEST(test_default_path)
{
    static const char *const cases[][2] = {
        {"", "/"},          {"x", "/"},         {"/", "/"},  {"/a", "/"},  {"/a/", "/a"},
        {"/a/b", "/a"},     {"/a/b/c", "/a/b"}, {"//", "/"}, {"//a", "/"}, {"/a//b", "/a/"},
        {"/a/b%2fc", "/a"}, {"/a;x/b", "/a;x"}, {"*", "/"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rqv_str got = rqv_cookie_default_path(rqv_str_from(cases[i][0]));

        ck_assert_msg(is(got, cases[i][1]), "%s", cases[i][0]);
    }
}
END_TEST

START_TEST(test_path_match)
{
    static const struct {
        const char *path, *cookie;
        bool match;
    } cases[] = {
        {"/", "/", true},      {"/a", "/", true},       {"/a", "/a", true},     {"/a/", "/a", true},
        {"/a/b", "/a", true},  {"/a/b", "/a/", true},   {"/ab", "/a", false},   {"/a", "/a/", false},
        {"/", "/a", false},    {"/A", "/a", false},     {"/b/a", "/a", false},  {"", "/", false},
        {"/a?b", "/a", false}, {"/a%2fb", "/a", false}, {"/a//b", "/a/", true}, {"/a/b/c", "/a/b", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(rqv_cookie_path_match(rqv_str_from(cases[i].path), rqv_str_from(cases[i].cookie)) ==
                          cases[i].match,
                      "%s %s", cases[i].path, cases[i].cookie);
}
END_TEST

START_TEST(test_domain_match)
{
    static const struct {
        const char *host, *domain;
        bool address, match;
    } cases[] = {
        {"example.com", "example.com", false, true},
        {"a.example.com", "example.com", false, true},
        {"a.b.c", "c", false, true},
        {"badexample.com", "example.com", false, false},
        {"example.com", "a.example.com", false, false},
        {"example.com", "", false, false},
        {"example.com", ".com", false, false},
        {"example.com", "example.com.", false, false},
        {"10.0.0.1", "10.0.0.1", true, true},
        {"10.0.0.1", "0.0.1", true, false},
        {"::1", "::1", true, true},
        {"", "", false, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(rqv_cookie_domain_match(rqv_str_from(cases[i].host), cases[i].address,
                                              rqv_str_from(cases[i].domain)) == cases[i].match,
                      "%s %s", cases[i].host, cases[i].domain);
}
END_TEST

START_TEST(test_prefixes)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"__Secure-a=b; Secure", true},
        {"__Secure-a=b", false},
        {"__sECURE-a=b; Path=/", false},
        {"__Host-a=b; Secure; Path=/", true},
        {"__Host-a=b; Secure", false},
        {"__Host-a=b; Secure; Path=/x", false},
        {"__Host-a=b; Path=/", false},
        {"__Host-a=b; Secure; Path=/; Domain=x.org", false},
        {"__hOST-a=b; Path=/", false},
        {"__host-a=b; secure; path=/", true},
        {"__Host=b", true},
        {"__Hos-a=b", true},
        {"=__Host-a=b; Secure; Path=/", false},
        {"__SECURE-", false},
        {"=__secure-x; Secure", false},
        {"x=__Host-", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rqv_cookie cookie;

        ck_assert_int_eq(parse(cases[i].text, &cookie), 0);
        ck_assert_msg(!rqv_cookie_prefix_fault(&cookie) == cases[i].good, "%s", cases[i].text);
    }
}
END_TEST

/* ---- lines of cookie files ---- */

/* As curl 7.88 writes them: what is read is written again in the same bytes. */
static const char *const lines[] = {
    ".example.com\tTRUE\t/\tFALSE\t0\tname\tvalue",
    "www.example.com\tFALSE\t/path\tTRUE\t1893456000\tname\tvalue",
    "#HttpOnly_www.example.com\tFALSE\t/\tFALSE\t0\tname\t",
    "#HttpOnly_.example.com\tTRUE\t/a/b/\tTRUE\t253402300799\ta b\tc=d \"e\"",
    "127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tvalue",
    "::1\tFALSE\t/\tFALSE\t18446744073709551615\tname\tvalue",
    "x.org\tFALSE\t/\tFALSE\t0\t\tvalue",
};

START_TEST(test_lines_come_back)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct rqv_str line = rqv_str_from(lines[i]);
        struct rqv_cookie cookie;
        const char *why = NULL;
        char out[256];

        ck_assert_msg(rqv_cookie_read_line(line, &cookie, &why) == 1, "%s: %s", lines[i], why);
        for (size_t size = 0; size < line.len; size++)
            ck_assert_int_eq(rqv_cookie_write_line(&cookie, out, size), -ENOSPC);
        ck_assert_int_eq(rqv_cookie_write_line(&cookie, out, line.len), (long)line.len);
        ck_assert_mem_eq(out, line.ptr, line.len);
    }
}
END_TEST

START_TEST(test_line_fields)
{
    struct rqv_cookie cookie;
    const char *why;

    ck_assert_int_eq(
        rqv_cookie_read_line(RQV_STR("#HttpOnly_.x.org\ttrue\tFALSE\t-3\tn\tv\r\n"), &cookie, &why), 1);
    ck_assert(cookie.http_only && !cookie.host_only && !cookie.secure);
    ck_assert(is(cookie.domain, "x.org") && is(cookie.path, "/"));
    ck_assert(is(cookie.name, "n") && is(cookie.value, "v"));
    ck_assert_uint_eq(cookie.expires_s, 1);
    ck_assert(rqv_cookie_expired(&cookie, 1) && rqv_cookie_expired(&cookie, NOW));
    ck_assert_int_eq(rqv_cookie_read_line(RQV_STR("x.org\tFALSE\t\tTRUE\t5\tn\n"), &cookie, &why), 1);
    ck_assert(cookie.host_only && cookie.secure && is(cookie.path, "/") && is(cookie.value, ""));
    ck_assert(!rqv_cookie_expired(&cookie, 4) && rqv_cookie_expired(&cookie, 5));
    cookie.expires_s = 0;
    ck_assert(!rqv_cookie_expired(&cookie, UINT64_MAX));
}
END_TEST

START_TEST(test_lines_refused)
{
    static const char *const none[] = {"",
                                       "\n",
                                       "\r\n",
                                       "  ",
                                       "\t",
                                       "# Netscape HTTP Cookie File",
                                       "#",
                                       "#HttpOnly_",
                                       "#HttpOnly_# x",
                                       "#x.org\tFALSE\t/\tFALSE\t0\tn\tv"};
    static const char *const bad[] = {
        "x.org",
        "Set-Cookie: a=b",
        "x.org FALSE / FALSE 0 n v",
        "x.org\tFALSE\t/\tFALSE\t0",
        "x.org\tFALSE\t/\tFALSE\t0\tn\tv\tw",
        "x.org\tFALSE\t/\tFALSE\t0\tn\tv\t",
        "\tFALSE\t/\tFALSE\t0\tn\tv",
        ".\tFALSE\t/\tFALSE\t0\tn\tv",
        "x.org\tyes\t/\tFALSE\t0\tn\tv",
        "x.org\tFALSE\t/\tyes\t0\tn\tv",
        "x.org\tFALSE\tp\tFALSE\t0\tn\tv",
        "x.org\tFALSE\t/\tFALSE\t\tn\tv",
        "x.org\tFALSE\t/\tFALSE\t-\tn\tv",
        "x.org\tFALSE\t/\tFALSE\t1.5\tn\tv",
        "x.org\tFALSE\t/\tFALSE\t18446744073709551616\tn\tv",
        "x.org\tFALSE\t/\tFALSE\t0\t\t",
        "x.org\tFALSE\t/\tFALSE\t0\tn\tv;w=x",
        "x.org\tFALSE\t/\tFALSE\t0\tn;m\tv",
        "x.org\tFALSE\t/\tFALSE\t0\tn=m\tv",
        "x.org\tFALSE\t/\tFALSE\t0\tn\tv\rw",
        "x.org\tFALSE\t/\tFALSE\t0\tn\tv\n\n",
        "x.org\tFALSE\t/\tFALSE\t0\tn\tv\x7f",
    };
    struct rqv_cookie cookie;
    const char *why;

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        ck_assert_msg(rqv_cookie_read_line(rqv_str_from(none[i]), &cookie, &why) == 0, "%s", none[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why = NULL;
        ck_assert_msg(rqv_cookie_read_line(rqv_str_from(bad[i]), &cookie, &why) == -EINVAL, "%s", bad[i]);
        ck_assert_ptr_nonnull(why);
    }
}
END_TEST

START_TEST(test_line_lengths)
{
    static char line[16384];
    struct rqv_cookie cookie;
    const char *why;

    for (int over = 0; over < 2; over++) {
        int n =
            snprintf(line, sizeof(line), "x.org\tFALSE\t/%0*d\tFALSE\t0\tn\t%0*d", 1023, 0, 4095 + over, 0);

        ck_assert_int_eq(rqv_cookie_read_line((struct rqv_str){line, (size_t)n}, &cookie, &why),
                         over ? -EINVAL : 1);
        n = snprintf(line, sizeof(line), "x.org\tFALSE\t/%0*d\tFALSE\t0\tn\tv", 1023 + over, 0);
        ck_assert_int_eq(rqv_cookie_read_line((struct rqv_str){line, (size_t)n}, &cookie, &why),
                         over ? -EINVAL : 1);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cookie");

    UNIT_TCASE(s, "set-cookie", test_set_cookie, test_set_cookie_refused, test_set_cookie_cut_anywhere,
               rule_b3_7_no_control_bytes, rule_b3_7_lengths);
    UNIT_TCASE(s, "dates", test_dates, test_dates_count_days);
    UNIT_TCASE(s, "matches", test_default_path, test_path_match, test_domain_match, test_prefixes);
    UNIT_TCASE(s, "lines", test_lines_come_back, test_line_fields, test_lines_refused, test_line_lengths);
    return s;
}

UNIT_MAIN(suite)
