/* SPDX-License-Identifier: MIT */
/* Tests of daemon/work/jar: which cookies a host may set, which it gets, and what the limits do. */
#include "daemon/base/account.h"
#include "daemon/net/idn.h"
#include "daemon/work/jar.h"
#include "tests/lib/failmalloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <reqivo/error.h>
#include <stdio.h>
#include <string.h>

#define NOW 1700000000u

static const uint64_t key[2] = {1, 2};
static struct loop *loop;
static struct accounts all;
static struct account *alice;
static struct psl_ctx_st *suffixes;
static struct jar *jar;
static const char *why;

static void setup(void)
{
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(accounts_init(&all, loop, key), 0);
    ck_assert_int_eq(account_get(&all, 1000, &alice), 0);
    ck_assert_int_eq(jar_suffixes_new(&suffixes), 0);
    ck_assert_int_eq(jar_new(alice, suffixes, key, &jar), 0);
}

/* Every byte that was charged comes back. */
static void teardown(void)
{
    jar_free(jar);
    ck_assert_uint_eq(alice->used[ACCOUNT_MEMORY], 0);
    jar_suffixes_free(suffixes);
    account_release(&alice);
    accounts_done(&all);
    loop_free(loop);
}

/* As the daemon does it: the parser, then libidn2. */
static struct jar_place place_of(const char *text)
{
    struct jar_place place;
    struct rqv_url url;
    char ascii[RQV_HOST_MAX + 1];

    ck_assert_msg(rqv_url_parse(text, strlen(text), &url, &why) == 0, "%s: %s", text, why);
    if (url.host_type == RQV_HOST_NAME_UNICODE) {
        ck_assert_int_eq(idn_to_ascii(url.host, ascii, sizeof(ascii)), 0);
        ck_assert_int_eq(rqv_url_set_host(&url, ascii, strlen(ascii), &why), 0);
    }
    jar_place_init(&place, &url, url.path.len > 0 ? url.path : RQV_STR("/"));
    return place;
}

static int set_at(const char *url, const char *value, uint64_t now_s)
{
    struct jar_place place = place_of(url);
    int rc;

    why = NULL;
    rc = jar_set(jar, &place, rqv_str_from(value), now_s, &why);
    ck_assert_msg(rc == 0 || why || rc != -EINVAL, "%s", value);
    return rc;
}

static int set(const char *url, const char *value)
{
    return set_at(url, value, NOW);
}

static const char *header_at(const char *url, uint64_t now_s)
{
    static char out[JAR_HEADER_MAX + 1];
    struct jar_place place = place_of(url);
    size_t len = jar_header(jar, &place, now_s, out, sizeof(out) - 1);

    out[len] = '\0';
    return out;
}

static const char *header(const char *url)
{
    return header_at(url, NOW);
}

/* ---- the session of RFC 6265 3.1, and orders ---- */

START_TEST(test_a_session)
{
    ck_assert_int_eq(set("https://example.com/", "SID=31d4d96e407aad42; Path=/; Secure; HttpOnly"), 0);
    ck_assert_int_eq(set("https://example.com/", "lang=en-US; Path=/; Domain=example.com"), 0);
    ck_assert_str_eq(header("https://example.com/"), "SID=31d4d96e407aad42; lang=en-US");
    ck_assert_str_eq(header("https://www.example.com/x"), "lang=en-US");
    ck_assert_str_eq(header("http://example.com/"), "lang=en-US");
    ck_assert_str_eq(header("https://example.org/"), "");
    ck_assert_int_eq(set("https://example.com/", "lang=; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Path=/"), 0);
    ck_assert_str_eq(header("http://example.com/"), "lang=en-US"); /* that one was host-only: another one */
    ck_assert_int_eq(set("https://example.com/", "lang=; Max-Age=0; Path=/; Domain=example.com"), 0);
    ck_assert_str_eq(header("https://example.com/"), "SID=31d4d96e407aad42");
    ck_assert_uint_eq(jar_count(jar), 1);
}
END_TEST

START_TEST(test_order_of_a_header)
{
    ck_assert_int_eq(set("http://x.org/", "a=1; path=/"), 0);
    ck_assert_int_eq(set("http://x.org/", "b=2; path=/long"), 0);
    ck_assert_int_eq(set("http://x.org/", "c=3; path=/"), 0);
    ck_assert_int_eq(set("http://x.org/", "d=4; path=/long/er"), 0);
    ck_assert_int_eq(set("http://x.org/", "e=5; path=/long"), 0);
    ck_assert_int_eq(set("http://x.org/", "novalue; path=/"), 0);
    ck_assert_int_eq(set("http://x.org/", "empty=; path=/"), 0);
    ck_assert_str_eq(header("http://x.org/long/er"), "d=4; b=2; e=5; a=1; c=3; novalue; empty=");
    /* a new value takes the old one's place: 5.7 step 22 */
    ck_assert_int_eq(set("http://x.org/", "b=six; path=/long"), 0);
    ck_assert_int_eq(set("http://x.org/", "a=seven; path=/"), 0);
    ck_assert_str_eq(header("http://x.org/long/er"), "d=4; b=six; e=5; a=seven; c=3; novalue; empty=");
    ck_assert_str_eq(header("http://x.org/longer"), "a=seven; c=3; novalue; empty=");
    /* another path, another domain, host-only or not: another cookie */
    ck_assert_int_eq(set("http://x.org/", "a=8; path=/; domain=x.org"), 0);
    ck_assert_str_eq(header("http://x.org/"), "a=seven; c=3; novalue; empty=; a=8");
    ck_assert_str_eq(header("http://y.x.org/"), "a=8");
}
END_TEST

START_TEST(test_default_path)
{
    ck_assert_int_eq(set("http://x.org/a/b/c?d=/e/f", "a=1"), 0);
    ck_assert_int_eq(set("http://x.org", "b=2; path=nonsense"), 0);
    ck_assert_str_eq(header("http://x.org/a/b/"), "a=1; b=2");
    ck_assert_str_eq(header("http://x.org/a/bc"), "b=2");
    ck_assert_str_eq(header("http://x.org/?/a/b/c"), "b=2");
}
END_TEST

/* The place looks at the target without its query, and a folder that is too long makes no cookie. */
START_TEST(test_place_of_a_target)
{
    static char text[3000];
    struct jar_place place;
    struct rqv_url url;

    ck_assert_int_eq(rqv_url_parse("HTTPS://X.oRG:81/a/../b?c", 25, &url, &why), 0);
    jar_place_init(&place, &url, RQV_STR("/b?c"));
    ck_assert_str_eq(place.host, "x.org");
    ck_assert(place.secure && !place.is_address && rqv_str_eq(place.path, RQV_STR("/b")));
    snprintf(text, sizeof(text), "http://x.org/%01023d/", 0);
    ck_assert_int_eq(set(text, "a=1"), 0);
    snprintf(text, sizeof(text), "http://x.org/%01024d/", 0);
    ck_assert_int_eq(set(text, "a=1"), -EINVAL);
    ck_assert_int_eq(set(text, "a=1; path=/"), 0);
}
END_TEST

/* Ports do not part cookies, and nothing of the request's own fields is asked: only the URL. */
START_TEST(rule_b3_8_the_domain_comes_from_the_url)
{
    struct rqv_fields fields = {0};
    struct jar_place place = place_of("https://a.example.com:8443/");

    ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("Host"), RQV_STR("bank.example")), 0);
    ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("set-COOKIE"), RQV_STR("a=1")), 0);
    ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("Set-Cookie2"), RQV_STR("b=1")), 0);
    ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("Set-Cookie"), RQV_STR("c=1; domain=bank.example")), 0);
    ck_assert_int_eq(jar_set_fields(jar, &place, &fields, NOW), 0);
    ck_assert_str_eq(header("http://a.example.com/"), "a=1");
    ck_assert_str_eq(header("https://bank.example/"), "");
    ck_assert_uint_eq(jar_count(jar), 1);
}
END_TEST

/* ---- domains ---- */

static const struct {
    const char *url, *domain, *other;
    bool kept, sent; /* is it kept; does `other` get it? (the URL's host gets what is kept) */
} domains[] = {
    /* registrable domains: the host's own or above, never beside or below */
    {"http://a.b.example.com/", "example.com", "http://c.example.com/", true, true},
    {"http://a.b.example.com/", ".Example.COM", "http://example.com/", true, true},
    {"http://a.b.example.com/", "b.example.com", "http://example.com/", true, false},
    {"http://A.b.eXample.com/", "a.B.example.com", "http://c.a.b.example.com/", true, true},
    {"http://a.b.example.com/", "", "http://c.a.b.example.com/", true, false},
    {"http://example.com/", "a.example.com", NULL, false, false},
    {"http://example.com/", "example.org", NULL, false, false},
    {"http://badexample.com/", "example.com", NULL, false, false},
    {"http://example.com/", "ample.com", NULL, false, false},
    {"http://example.com/", "..example.com", NULL, false, false},
    /* trailing dots */
    {"http://www.example.com/", "example.com.", NULL, false, false},
    {"http://www.example.com/", "com.", NULL, false, false},
    {"http://www.example.co.uk/", "co.uk.", NULL, false, false},
    {"http://localhost/", "localhost.", NULL, false, false},
    /* public suffixes, in any case */
    {"http://www.example.com/", "com", NULL, false, false},
    {"http://www.example.com/", ".COM", NULL, false, false},
    {"http://www.example.co.uk/", "co.uk", NULL, false, false},
    {"http://www.example.co.uk/", "Co.UK", NULL, false, false},
    {"http://www.example.co.uk/", "uk", NULL, false, false},
    {"http://www.example.co.uk/", "example.co.uk", "http://example.co.uk/", true, true},
    {"http://user.github.io/", "github.io", NULL, false, false},
    {"http://user.github.io/", "io", NULL, false, false},
    {"http://user.github.io/", "user.github.io", "http://x.user.github.io/", true, true},
    /* a public suffix that is a host itself: for itself alone */
    {"http://github.io/", "github.io", "http://user.github.io/", true, false},
    {"http://github.io/", "", "http://user.github.io/", true, false},
    {"http://github.io/", "io", NULL, false, false},
    {"http://localhost/", "localhost", "http://a.localhost/", true, false},
    {"http://intranet/", "", "http://a.intranet/", true, false},
    {"http://a.unlisted-tld/", "unlisted-tld", NULL, false, false},
    {"http://b.a.unlisted-tld/", "a.unlisted-tld", "http://a.unlisted-tld/", true, true},
    /* rules with a wildcard, and their exceptions: *.ck, !www.ck; *.kawasaki.jp, !city.kawasaki.jp */
    {"http://a.b.ck/", "b.ck", NULL, false, false},
    {"http://a.b.ck/", "ck", NULL, false, false},
    {"http://b.ck/", "b.ck", "http://a.b.ck/", true, false},
    {"http://c.a.b.ck/", "a.b.ck", "http://a.b.ck/", true, true},
    {"http://a.www.ck/", "www.ck", "http://www.ck/", true, true},
    {"http://www.ck/", "ck", NULL, false, false},
    {"http://x.city.kawasaki.jp/", "city.kawasaki.jp", "http://city.kawasaki.jp/", true, true},
    {"http://x.y.kawasaki.jp/", "y.kawasaki.jp", NULL, false, false},
    {"http://x.y.kawasaki.jp/", "kawasaki.jp", NULL, false, false},
    /* a wildcard below a name that is no suffix itself: what is above is another registrable domain */
    {"http://x.y.compute.amazonaws.com/", "amazonaws.com", NULL, false, false},
    {"http://x.y.compute.amazonaws.com/", "compute.amazonaws.com", NULL, false, false},
    {"http://www.amazonaws.com/", "amazonaws.com", "http://x.y.compute.amazonaws.com/", true, false},
    /* other letters */
    {"http://www.b\xc3\xbc"
     "cher.example/",
     "xn--bcher-kva.example",
     "http://B\xc3\x9c"
     "CHER.example/",
     true, true},
    {"http://www.b\xc3\xbc"
     "cher.example/",
     "b\xc3\xbc"
     "cher.example",
     NULL, false, false},
    {"http://a.xn--55qx5d.cn/", "xn--55qx5d.cn", NULL, false, false},
    {"http://b.a.xn--55qx5d.cn/", "a.xn--55qx5d.cn", "http://a.xn--55qx5d.cn/", true, true},
    /* addresses: themselves, whatever a part of them looks like */
    {"http://127.0.0.1/", "127.0.0.1", "http://127.0.0.1:8080/", true, true},
    {"http://127.0.0.1/", "0.0.1", NULL, false, false},
    {"http://127.0.0.1/", "1", NULL, false, false},
    {"http://127.0.0.1/", "", "http://a127.0.0.1.org/", true, false},
    {"http://[2001:db8::1]/", "", "http://[2001:DB8:0::0:1]/", true, true},
    {"http://[2001:db8::1]/", "[2001:db8::1]", NULL, false, false},
    {"http://[::ffff:10.0.0.1]/", "10.0.0.1", NULL, false, false},
    {"http://[fe80::1%251]/", "", "http://[fe80::1%252]/", true, false},
};

START_TEST(rule_b3_7_domains)
{
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        char value[128];

        snprintf(value, sizeof(value), "a=1; domain=%s", domains[i].domain);
        ck_assert_msg((set(domains[i].url, value) == 0) == domains[i].kept, "%s %s", domains[i].url, value);
        ck_assert_msg(jar_count(jar) == domains[i].kept, "%s", value);
        if (domains[i].kept)
            ck_assert_msg(strcmp(header(domains[i].url), "a=1") == 0, "%s", value);
        if (domains[i].other)
            ck_assert_msg(strcmp(header(domains[i].other), domains[i].sent ? "a=1" : "") == 0, "%s to %s",
                          value, domains[i].other);
        jar_clear(jar);
        ck_assert_uint_eq(jar_count(jar), 0);
    }
}
END_TEST

/* What is no host name never becomes a place: the parser refuses what others would read as an address. */
START_TEST(rule_b3_7_odd_hosts)
{
    static const char *const odd[] = {"http://2130706433/", "http://0177.0.0.1/",   "http://0x7f.1/",
                                      "http://127.1/",      "http://example.com./", "http://127.0.0.1./",
                                      "http://.com/",       "http://1.127.0.0.1/"};
    struct rqv_url url;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        ck_assert_msg(rqv_url_parse(odd[i], strlen(odd[i]), &url, &why) < 0, "%s", odd[i]);
}
END_TEST

/* ---- Secure, prefixes ---- */

START_TEST(test_secure_only_over_https)
{
    ck_assert_int_eq(set("http://x.org/", "a=1; Secure"), -EINVAL);
    ck_assert_int_eq(set("http://localhost/", "a=1; Secure"), -EINVAL);
    ck_assert_int_eq(set("https://x.org/", "a=1; Secure"), 0);
    ck_assert_str_eq(header("https://x.org/"), "a=1");
    ck_assert_str_eq(header("http://x.org/"), "");
}
END_TEST

START_TEST(test_secure_cookies_are_left_alone)
{
    ck_assert_int_eq(set("https://x.org/", "a=1; Secure; path=/login"), 0);
    ck_assert_int_eq(set("http://x.org/", "a=2; path=/login"), -EINVAL);
    ck_assert_int_eq(set("http://x.org/", "a=2; path=/login/en"), -EINVAL);
    ck_assert_int_eq(set("http://x.org/", "a=2; path=/login; Max-Age=0"), -EINVAL);
    ck_assert_int_eq(set("http://x.org/", "a=2; path=/login; domain=x.org"), -EINVAL);
    ck_assert_int_eq(set("http://x.org/", "a=3; path=/"), 0);
    ck_assert_int_eq(set("http://x.org/", "a=4; path=/foo"), 0);
    ck_assert_int_eq(set("http://x.org/", "A=5; path=/login"), 0);
    ck_assert_str_eq(header("https://x.org/login"), "a=1; A=5; a=3");
    /* domains above and below count, those beside do not */
    ck_assert_int_eq(set("https://x.org/", "b=1; Secure; domain=x.org"), 0);
    ck_assert_int_eq(set("http://y.x.org/", "b=2"), -EINVAL);
    ck_assert_int_eq(set("https://y.x.org/", "c=1; Secure"), 0);
    ck_assert_int_eq(set("http://z.y.x.org/", "c=2; domain=x.org"), -EINVAL);
    ck_assert_int_eq(set("http://z.x.org/", "c=2"), 0);
    /* over https all of it may go */
    ck_assert_int_eq(set("https://x.org/", "a=6; path=/login"), 0);
    ck_assert_str_eq(header("http://x.org/login"), "a=6; A=5; a=3");
}
END_TEST

START_TEST(test_prefixes)
{
    ck_assert_int_eq(set("https://x.org/", "__Host-a=1; Secure; Path=/"), 0);
    ck_assert_int_eq(set("https://x.org/", "__host-b=1; Secure"), -EINVAL);
    ck_assert_int_eq(set("https://x.org/", "__Host-b=1; Secure; Path=/; Domain=x.org"), -EINVAL);
    ck_assert_int_eq(set("http://x.org/", "__Host-b=1; Secure; Path=/"), -EINVAL);
    ck_assert_int_eq(set("https://x.org/", "__Secure-c=1; Secure; Domain=x.org"), 0);
    ck_assert_int_eq(set("https://x.org/", "__SECURE-d=1"), -EINVAL);
    ck_assert_int_eq(set("https://x.org/", "=__Host-e=1; Secure; Path=/"), -EINVAL);
    ck_assert_str_eq(header("https://x.org/"), "__Host-a=1; __Secure-c=1");
}
END_TEST

/* ---- time ---- */

START_TEST(test_expiry)
{
    ck_assert_int_eq(set("http://x.org/", "a=1; Max-Age=10"), 0);
    ck_assert_int_eq(set("http://x.org/", "b=2; Max-Age=20"), 0);
    ck_assert_int_eq(set("http://y.org/", "c=3; Max-Age=10"), 0);
    ck_assert_int_eq(set("http://x.org/", "d=4"), 0);
    ck_assert_str_eq(header_at("http://x.org/", NOW + 9), "a=1; b=2; d=4");
    ck_assert_str_eq(header_at("http://x.org/", NOW + 10), "b=2; d=4");
    ck_assert_uint_eq(jar_count(jar), 3);
    jar_expire(jar, NOW + 10);
    ck_assert_uint_eq(jar_count(jar), 2);
    jar_expire(jar, NOW + 19);
    ck_assert_uint_eq(jar_count(jar), 2);
    jar_expire(jar, NOW + 20);
    ck_assert_uint_eq(jar_count(jar), 1);
    ck_assert_int_eq(set("http://z.org/", "e=5; Max-Age=1"), 0);
    ck_assert_str_eq(header_at("http://z.org/", NOW + 1), "");
    ck_assert_uint_eq(jar_count(jar), 1);
}
END_TEST

/* ---- limits ---- */

START_TEST(rule_b3_7_set_cookie_fields_of_a_response)
{
    struct rqv_fields fields = {0};
    struct jar_place place = place_of("http://x.org/");
    static char values[60][16], text[6000];

    for (int i = 0; i < JAR_RESPONSE_MAX; i++) {
        snprintf(values[i], sizeof(values[i]), "a%d=1", i);
        ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("Set-Cookie"), rqv_str_from(values[i])), 0);
    }
    ck_assert_int_eq(jar_set_fields(jar, &place, &fields, NOW), 0);
    ck_assert_uint_eq(jar_count(jar), JAR_RESPONSE_MAX);
    ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("Set-Cookie"), RQV_STR("b=1")), 0);
    ck_assert_int_eq(jar_set_fields(jar, &place, &fields, NOW), REQIVO_E_RESPONSE_LIMIT);
    ck_assert_uint_eq(jar_count(jar), JAR_RESPONSE_MAX);
    memset(text, 'x', sizeof(text));
    memcpy(text, "c=d;", 4);
    ck_assert_int_eq(jar_set(jar, &place, (struct rqv_str){text, 5001}, NOW, &why), -EINVAL);
}
END_TEST

START_TEST(rule_b3_7_the_header_has_8190_bytes)
{
    static char value[4096], out[16384];
    struct jar_place place = place_of("http://x.org/");
    size_t len;

    for (int i = 0; i < 3; i++) {
        snprintf(value, sizeof(value), "%c=%04000d", 'a' + i, i);
        ck_assert_int_eq(set("http://x.org/", value), 0);
    }
    len = jar_header(jar, &place, NOW, out, sizeof(out));
    ck_assert_uint_eq(len, 4002 + 2 + 4002);
    ck_assert_uint_eq(jar_header(jar, &place, NOW, out, 8005), 4002);
    ck_assert_uint_eq(jar_header(jar, &place, NOW, out, 4001), 0);
    ck_assert_int_eq(set("http://x.org/", "x=y; Max-Age=0"), 0);
    jar_clear(jar);
    snprintf(value, sizeof(value), "a=%04086d", 0); /* 4088 + 2 + 4092 = 8182 */
    ck_assert_int_eq(set("http://x.org/", value), 0);
    for (int more = 0; more < 2; more++) {
        snprintf(value, sizeof(value), "b=%0*d", 4090 + more, 0);
        ck_assert_int_eq(set("http://x.org/", value), 0);
        ck_assert_uint_eq(jar_header(jar, &place, NOW, out, sizeof(out)), more ? 4088 : JAR_HEADER_MAX);
    }
}
END_TEST

START_TEST(rule_b3_7_a_request_carries_150_cookies)
{
    const char *at;
    unsigned sent = 1;
    char value[16];

    for (int i = 0; i < JAR_SITE_MAX; i++) {
        snprintf(value, sizeof(value), "a%d=1", i);
        ck_assert_int_eq(set("http://x.org/", value), 0);
    }
    for (at = header("http://x.org/"); (at = strstr(at, "; ")) != NULL; at += 2)
        sent++;
    ck_assert_uint_eq(sent, JAR_SEND_MAX);
    ck_assert_ptr_nonnull(strstr(header("http://x.org/"), "a149=1"));
    ck_assert_ptr_null(strstr(header("http://x.org/"), "a150=1"));
}
END_TEST

static bool holds(const char *name)
{
    for (const struct jar_cookie *at = NULL; (at = jar_next(jar, at, NOW)) != NULL;) {
        if (rqv_str_eq(jar_cookie(at)->name, rqv_str_from(name)))
            return true;
    }
    return false;
}

START_TEST(rule_b3_7_a_full_site_gives_up_what_matters_least)
{
    char value[64];

    ck_assert_int_eq(set("https://x.org/", "safe=1; Secure"), 0);
    ck_assert_int_eq(set("http://x.org/", "old=1"), 0);
    ck_assert_int_eq(set("http://x.org/", "used=1; path=/used"), 0);
    ck_assert_int_eq(set("http://x.org/", "brief=1; Max-Age=5"), 0);
    for (int i = 0; i < JAR_SITE_MAX - 4; i++) {
        snprintf(value, sizeof(value), "%d=1; domain=x.org; path=/other", i);
        ck_assert_int_eq(set("http://y.x.org/", value), 0);
    }
    ck_assert_str_eq(header_at("http://x.org/used", NOW + 1), "used=1; old=1; brief=1");
    ck_assert_uint_eq(jar_count(jar), JAR_SITE_MAX);
    ck_assert_int_eq(set_at("http://x.org/", "n1=1", NOW + 5), 0); /* what is over goes first */
    ck_assert(!holds("brief") && holds("n1"));
    ck_assert_int_eq(set("http://x.org/", "n2=1"), 0); /* then what is not Secure and was used least lately */
    ck_assert(!holds("0") && holds("1") && holds("old") && holds("safe"));
    for (int i = 0; i < 10 * JAR_SITE_MAX; i++) {
        snprintf(value, sizeof(value), "x%d=1", i);
        ck_assert_int_eq(set("http://x.org/", value), 0);
        ck_assert_uint_eq(jar_count(jar), JAR_SITE_MAX);
    }
    ck_assert(holds("safe") && !holds("old") && !holds("used"));
    for (int i = 0; i < JAR_SITE_MAX; i++) { /* and then the Secure ones, by last use */
        snprintf(value, sizeof(value), "s%d=1; Secure", i);
        ck_assert_int_eq(set("https://x.org/", value), 0);
    }
    ck_assert(!holds("safe") && holds("s0") && jar_count(jar) == JAR_SITE_MAX);
    ck_assert_int_eq(set("http://x.org/", "late=1"), 0);
    ck_assert(!holds("late") && holds("s0"));
}
END_TEST

START_TEST(rule_b3_7_a_bomb_of_cookies)
{
    static char big[4200];
    char url[64];
    size_t most = 0;

    ck_assert_int_eq(set("https://safe.org/", "safe=1; Secure"), 0);
    memset(big, 'x', sizeof(big) - 1);
    memcpy(big, "a=1", 3);
    big[4096] = '\0';
    for (int i = 0; i < 20000; i++) {
        snprintf(url, sizeof(url), "http://h0.s%d.org/", i);
        ck_assert_int_eq(set(url, i < 10000 ? "a=1" : big), 0);
        if (alice->used[ACCOUNT_MEMORY] > most)
            most = alice->used[ACCOUNT_MEMORY];
    }
    ck_assert_uint_le(most, JAR_BYTES_MAX + 16384);
    ck_assert_uint_le(jar_count(jar), JAR_COOKIES_MAX);
    ck_assert_uint_ge(jar_count(jar), JAR_BYTES_MAX / 8192);
    ck_assert_str_eq(header("https://safe.org/"), "safe=1");
    ck_assert_uint_eq(strlen(header("http://h0.s19999.org/")), 4096);
    ck_assert_str_eq(header("http://h0.s9999.org/"), "");
}
END_TEST

START_TEST(rule_b3_7_as_many_as_a_jar_holds)
{
    char url[64];

    for (int i = 0; i < JAR_COOKIES_MAX + 10; i++) {
        snprintf(url, sizeof(url), "http://s%d.org/", i);
        ck_assert_int_eq(set(url, i == 100 ? "a=1; Max-Age=60" : "a=1"), 0);
        if (i == 2000)
            ck_assert_str_eq(header("http://s0.org/"),
                             "a=1"); /* used again: lives longer than its age says */
    }
    ck_assert_uint_eq(jar_count(jar), JAR_COOKIES_MAX);
    ck_assert_str_eq(header("http://s1.org/"), "");
    ck_assert_str_eq(header("http://s10.org/"), "");
    ck_assert_str_eq(header("http://s11.org/"), "a=1");
    ck_assert_int_eq(set_at("http://new.org/", "a=1", NOW + 60), 0); /* s100.org's is over */
    ck_assert_uint_eq(jar_count(jar), JAR_COOKIES_MAX);
    ck_assert_str_eq(header("http://s12.org/"), "a=1");
}
END_TEST

START_TEST(test_memory_of_the_account)
{
    size_t before;

    ck_assert_int_eq(set("http://x.org/", "a=1"), 0);
    before = alice->used[ACCOUNT_MEMORY];
    all.limit_uid[ACCOUNT_MEMORY] = before;
    ck_assert_int_eq(set("http://x.org/", "b=1"), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(set("http://y.org/", "b=1"), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(set("http://x.org/", "a=2"), REQIVO_E_LIMIT_MEMORY);
    all.limit_uid[ACCOUNT_MEMORY] = before + 150; /* a site fits, its cookie does not */
    ck_assert_int_eq(set("http://y.org/", "b=1"), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(alice->used[ACCOUNT_MEMORY], before);
    ck_assert_str_eq(header("http://x.org/"), "a=1");
    ck_assert_int_eq(set("http://x.org/", "a=2; Max-Age=0"), 0); /* an end needs none */
    ck_assert_uint_eq(jar_count(jar), 0);
    all.limit_uid[ACCOUNT_MEMORY] = 1;
    struct jar *none = NULL;
    ck_assert_int_eq(jar_new(alice, suffixes, key, &none), REQIVO_E_LIMIT_MEMORY);
    ck_assert_ptr_null(none);
}
END_TEST

static void scenario(void *arg)
{
    struct jar_place place = place_of("http://x.org/");
    struct rqv_fields fields = {
        2, {{RQV_STR("set-cookie"), RQV_STR("a=1")}, {RQV_STR("set-cookie"), RQV_STR("b=2")}}};
    struct jar *one = NULL;

    (void)arg;
    if (jar_new(alice, suffixes, key, &one) == 0) {
        int rc = jar_set_fields(one, &place, &fields, NOW);

        ck_assert(rc == 0 || rc == -ENOMEM);
        ck_assert_uint_le(jar_count(one), 2);
        rc = jar_import(one, RQV_STR("y.org\tFALSE\t/\tFALSE\t0\tn\tv"), NOW, &why);
        ck_assert(rc == 0 || rc == -ENOMEM || rc == -EINVAL); /* libidn2 finds no memory: no host */
    }
    jar_free(one);
}

START_TEST(test_no_memory)
{
    size_t before = alice->used[ACCOUNT_MEMORY];

    ck_assert_uint_gt(failmalloc_run("jar", scenario, NULL), 4);
    ck_assert_uint_eq(alice->used[ACCOUNT_MEMORY], before);
}
END_TEST

/* ---- files ---- */

static int import(const char *line)
{
    why = NULL;
    return jar_import(jar, rqv_str_from(line), NOW, &why);
}

START_TEST(test_files_come_back)
{
    static const char *const lines[] = {
        "#HttpOnly_.example.com\tTRUE\t/\tTRUE\t1893456000\tname\tvalue",
        "www.example.com\tFALSE\t/path\tFALSE\t0\tname\t",
        ".example.co.uk\tTRUE\t/a/b/\tFALSE\t253402300799\tname\tx=y",
        "127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tvalue",
        "2001:db8::1\tFALSE\t/\tFALSE\t0\tname\tvalue",
        "fe80::1%3\tFALSE\t/\tFALSE\t0\tname\tvalue",
    };
    const struct jar_cookie *at = NULL;
    char out[RQV_COOKIE_LINE_MAX];

    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
            ck_assert_msg(import(lines[i]) == 0, "%s: %s", lines[i], why);
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        long n;

        at = jar_next(jar, at, NOW);
        ck_assert_ptr_nonnull(at);
        n = rqv_cookie_write_line(jar_cookie(at), out, sizeof(out));
        ck_assert_int_eq(n, (long)strlen(lines[i]));
        ck_assert_mem_eq(out, lines[i], (size_t)n);
    }
    ck_assert_ptr_null(jar_next(jar, at, NOW));
    ck_assert_str_eq(header("https://a.example.com/"), "name=value");
    ck_assert_str_eq(header("http://www.example.com/path"), "name=");
    ck_assert_str_eq(header("http://[2001:db8:0::1]/"), "name=value");
    ck_assert_str_eq(header("http://[fe80::1%253]/"), "name=value");
    ck_assert_str_eq(header("http://[fe80::1]/"), "");
}
END_TEST

START_TEST(test_import_judges_domains)
{
    static const char *const bad[] = {
        "example.com.\tFALSE\t/\tFALSE\t0\tn\tv",
        "a..b\tFALSE\t/\tFALSE\t0\tn\tv",
        "a b\tFALSE\t/\tFALSE\t0\tn\tv",
        "0x7f.1\tFALSE\t/\tFALSE\t0\tn\tv",
        "127.1\tFALSE\t/\tFALSE\t0\tn\tv",
        "[::1]\tFALSE\t/\tFALSE\t0\tn\tv",
        "x.org\tFALSE\t/\tFALSE\t0\t__Host-n\tv",
        "x.org\tTRUE\t/\tTRUE\t0\t__Host-n\tv",
        "no line at all",
        "x.org\tFALSE\t/\tFALSE\t0\t__secure-n\tv",
    };
    static char line[400];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(import(bad[i]) == -EINVAL, "%s", bad[i]);
        ck_assert_ptr_nonnull(why);
    }
    snprintf(line, sizeof(line), "%0254d\tFALSE\t/\tFALSE\t0\tn\tv", 0);
    ck_assert_int_eq(import(line), -EINVAL);
    ck_assert_int_eq(import("# Netscape HTTP Cookie File\n"), 0);
    ck_assert_int_eq(import("x.org\tFALSE\t/\tFALSE\t5\told\tv"), 0);
    ck_assert_uint_eq(jar_count(jar), 0);
    /* a public suffix and an address have nobody below them, whatever the file says */
    ck_assert_int_eq(import(".co.uk\tTRUE\t/\tFALSE\t0\tn\tv"), 0);
    ck_assert_int_eq(import(".localhost\tTRUE\t/\tFALSE\t0\tn\tv"), 0);
    ck_assert_int_eq(import("127.0.0.1\tTRUE\t/\tFALSE\t0\tn\tv"), 0);
    ck_assert_int_eq(import("B\xc3\x9c"
                            "CHER.Example\tTRUE\t/\tFALSE\t0\tn\tv"),
                     0);
    ck_assert_str_eq(header("http://x.co.uk/"), "");
    ck_assert_str_eq(header("http://co.uk/"), "n=v");
    ck_assert_str_eq(header("http://localhost/"), "n=v");
    ck_assert_str_eq(header("http://127.0.0.1/"), "n=v");
    ck_assert_str_eq(header("http://www.xn--bcher-kva.example/"), "n=v");
}
END_TEST

/* An imported Secure cookie is as safe from http as any; what is over is not exported. */
START_TEST(test_import_and_set)
{
    ck_assert_int_eq(import("x.org\tFALSE\t/\tTRUE\t0\ta\tv"), 0);
    ck_assert_int_eq(set("http://x.org/", "a=w"), -EINVAL);
    ck_assert_int_eq(set("http://x.org/", "b=w; Max-Age=5; HttpOnly; SameSite=Lax"), 0);
    ck_assert_ptr_nonnull(jar_next(jar, jar_next(jar, NULL, NOW), NOW));
    ck_assert_int_eq(jar_cookie(jar_next(jar, jar_next(jar, NULL, NOW), NOW))->same_site, RQV_SAME_SITE_LAX);
    ck_assert(jar_cookie(jar_next(jar, jar_next(jar, NULL, NOW), NOW))->http_only);
    ck_assert_ptr_null(jar_next(jar, jar_next(jar, NULL, NOW + 5), NOW + 5));
}
END_TEST

static void add(Suite *s, const char *name, const TTest *const *tests)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    for (; *tests; tests++)
        tcase_add_test(tcase, *tests);
    suite_add_tcase(s, tcase);
}

static Suite *suite(void)
{
    Suite *s = suite_create("jar");

    add(s, "session",
        (const TTest *const[]){test_a_session, test_order_of_a_header, test_default_path,
                               test_place_of_a_target, rule_b3_8_the_domain_comes_from_the_url, NULL});
    add(s, "domains", (const TTest *const[]){rule_b3_7_domains, rule_b3_7_odd_hosts, NULL});
    add(s, "secure",
        (const TTest *const[]){test_secure_only_over_https, test_secure_cookies_are_left_alone, test_prefixes,
                               NULL});
    add(s, "limits",
        (const TTest *const[]){test_expiry, rule_b3_7_set_cookie_fields_of_a_response,
                               rule_b3_7_the_header_has_8190_bytes, rule_b3_7_a_request_carries_150_cookies,
                               rule_b3_7_a_full_site_gives_up_what_matters_least, rule_b3_7_a_bomb_of_cookies,
                               rule_b3_7_as_many_as_a_jar_holds, test_memory_of_the_account, test_no_memory,
                               NULL});
    add(s, "files",
        (const TTest *const[]){test_files_come_back, test_import_judges_domains, test_import_and_set, NULL});
    return s;
}

UNIT_MAIN(suite)
