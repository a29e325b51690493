/* SPDX-License-Identifier: MIT */
/* Unit tests of proto/url.h: what is accepted and what comes out, what is refused and why, and every cut of
 * both. */
#include "proto/url.h"

#include "tests/unit/unit.h"

#include <reqivo/error.h>
#include <stdlib.h>
#include <string.h>

static const struct good {
    const char *text, *authority, *target;
    enum rqv_host_type type;
    uint16_t port;
} good[] = {
    {"http://example.com", "example.com", "/", RQV_HOST_NAME, 80},
    {"https://example.com/", "example.com", "/", RQV_HOST_NAME, 443},
    {"HTTPS://EXAMPLE.com/A?B#C", "example.com", "/A?B", RQV_HOST_NAME, 443},
    {"http://h?", "h", "/?", RQV_HOST_NAME, 80},
    {"http://h?q", "h", "/?q", RQV_HOST_NAME, 80},
    {"http://h#f", "h", "/", RQV_HOST_NAME, 80},
    {"http://h/p?q?r/s#f?g", "h", "/p?q?r/s", RQV_HOST_NAME, 80},
    {"http://h:80/", "h", "/", RQV_HOST_NAME, 80},
    {"http://h:443/", "h:443", "/", RQV_HOST_NAME, 443},
    {"https://h:80/", "h:80", "/", RQV_HOST_NAME, 80},
    {"http://h:65535/", "h:65535", "/", RQV_HOST_NAME, 65535},
    {"http://h:00081/", "h:81", "/", RQV_HOST_NAME, 81},
    {"http://h:/", "h", "/", RQV_HOST_NAME, 80},
    {"http://user:p%40ss@h/", "h", "/", RQV_HOST_NAME, 80},
    {"http://@h/", "h", "/", RQV_HOST_NAME, 80},
    {"http://h/@b:c", "h", "/@b:c", RQV_HOST_NAME, 80},
    {"http://my_host-1.local/", "my_host-1.local", "/", RQV_HOST_NAME, 80},
    {"http://1.example/", "1.example", "/", RQV_HOST_NAME, 80},
    {"http://0x1.com/", "0x1.com", "/", RQV_HOST_NAME, 80},
    {"http://a.0xg/", "a.0xg", "/", RQV_HOST_NAME, 80},
    {"http://127.0.0.1:8080/", "127.0.0.1:8080", "/", RQV_HOST_IPV4, 8080},
    {"https://[2001:DB8:0::1]/", "[2001:db8::1]", "/", RQV_HOST_IPV6, 443},
    {"http://[::FFFF:1.2.3.4]:81/", "[::ffff:1.2.3.4]:81", "/", RQV_HOST_IPV6, 81},
    {"http://[fe80::1%252]/", "[fe80::1]", "/", RQV_HOST_IPV6, 80},
    {"http://u@[::1]:8/x", "[::1]:8", "/x", RQV_HOST_IPV6, 8},
    {"http://h/%20%c3%A9", "h", "/%20%c3%A9", RQV_HOST_NAME, 80},
    {"http://h/\xc3\xa9?\xff", "h", "/%C3%A9?%FF", RQV_HOST_NAME, 80},
    {"http://h/a[]?b[]={\"c\":1}|^`<>", "h", "/a[]?b[]=%7B%22c%22:1%7D%7C%5E%60%3C%3E", RQV_HOST_NAME, 80},
    {"http://h//a//b/", "h", "//a//b/", RQV_HOST_NAME, 80},
    {"http://h/a/./b/../c", "h", "/a/c", RQV_HOST_NAME, 80},
    {"http://h/a/b/c/./../../g", "h", "/a/g", RQV_HOST_NAME, 80},
    {"http://h/../../x", "h", "/x", RQV_HOST_NAME, 80},
    {"http://h/..", "h", "/", RQV_HOST_NAME, 80},
    {"http://h/.", "h", "/", RQV_HOST_NAME, 80},
    {"http://h/a/..", "h", "/", RQV_HOST_NAME, 80},
    {"http://h/a/.", "h", "/a/", RQV_HOST_NAME, 80},
    {"http://h/a/../", "h", "/", RQV_HOST_NAME, 80},
    {"http://h/a//../b", "h", "/a/b", RQV_HOST_NAME, 80},
    {"http://h/a/\xc3\xa9/../.b/..c/...", "h", "/a/.b/..c/...", RQV_HOST_NAME, 80},
    {"http://h/a?/../b", "h", "/a?/../b", RQV_HOST_NAME, 80},
};

enum { GOOD = sizeof(good) / sizeof(good[0]) };

static int parse(const char *text, struct rqv_url *url, const char **ret_why)
{
    return rqv_url_parse(text, strlen(text), url, ret_why);
}

START_TEST(accepted)
{
    for (size_t i = 0; i < GOOD; i++) {
        struct rqv_url url;
        const char *why = "";
        char out[256];
        long len;

        ck_assert_msg(parse(good[i].text, &url, &why) == 0, "%s: %s", good[i].text, why);
        ck_assert_msg(url.host_type == good[i].type && url.port == good[i].port, "%s", good[i].text);
        ck_assert_int_eq(url.addr.family, url.host_type == RQV_HOST_IPV4   ? 4
                                          : url.host_type == RQV_HOST_IPV6 ? 6
                                                                           : 0);
        if (url.addr.family)
            ck_assert_uint_eq(url.addr.port, url.port);
        len = rqv_url_target(&url, out, sizeof(out));
        ck_assert_int_gt(len, 0);
        out[len] = '\0';
        ck_assert_str_eq(out, good[i].target);
        for (size_t size = 0; size < (size_t)len; size++)
            ck_assert_int_eq(rqv_url_target(&url, out, size), REQIVO_E_URL);
        len = rqv_url_authority(&url, out, sizeof(out));
        ck_assert_int_gt(len, 0);
        out[len] = '\0';
        ck_assert_str_eq(out, good[i].authority);
        for (size_t size = 0; size < (size_t)len; size++)
            ck_assert_int_eq(rqv_url_authority(&url, out, size), REQIVO_E_URL);
        ck_assert_int_eq(rqv_url_authority(&url, out, (size_t)len), len);
    }
}
END_TEST

START_TEST(parts)
{
    struct rqv_url url;
    const char *why;

    ck_assert_int_eq(parse("https://u:p@H.example:8443/a/b?c=d#e", &url, &why), 0);
    ck_assert_int_eq(url.scheme, RQV_SCHEME_HTTPS);
    ck_assert_str_eq(url.host, "h.example");
    ck_assert_uint_eq(url.host_len, 9);
    ck_assert(url.port_given);
    ck_assert(rqv_str_eq(url.userinfo, RQV_STR("u:p")));
    ck_assert(rqv_str_eq(url.path, RQV_STR("/a/b")));
    ck_assert(rqv_str_eq(url.query, RQV_STR("c=d")));
    ck_assert(rqv_str_eq(url.fragment, RQV_STR("e")));

    ck_assert_int_eq(parse("http://h", &url, &why), 0);
    ck_assert(!url.port_given);
    ck_assert_ptr_null(url.userinfo.ptr);
    ck_assert_uint_eq(url.path.len, 0);
    ck_assert_ptr_null(url.query.ptr);
    ck_assert_ptr_null(url.fragment.ptr);

    ck_assert_int_eq(parse("http://@h:?#", &url, &why), 0);
    ck_assert(!url.port_given);
    ck_assert_ptr_nonnull(url.userinfo.ptr);
    ck_assert_ptr_nonnull(url.query.ptr);
    ck_assert_ptr_nonnull(url.fragment.ptr);
    ck_assert_uint_eq(url.userinfo.len + url.query.len + url.fragment.len, 0);

    ck_assert_int_eq(parse("http://[fe80:0::1%257]/", &url, &why), 0);
    ck_assert_str_eq(url.host, "fe80::1");
    ck_assert_uint_eq(url.addr.scope_id, 7);
}
END_TEST

static const struct {
    const char *text, *why; /* a part of the sentence */
} bad[] = {
    {"", "empty"},
    {"example.com", "no scheme"},
    {"//example.com/", "no scheme"},
    {"/path", "no scheme"},
    {"ftp://h/", "neither"},
    {"ws://h/", "neither"},
    {"file:///etc/passwd", "neither"},
    {"httpss://h/", "neither"},
    {"://h/", "neither"},
    {"http:h", "'//'"},
    {"http:/h/", "'//'"},
    {"http://", "host is empty"},
    {"http:///path", "host is empty"},
    {"http://?q", "host is empty"},
    {"http://:80/", "host is empty"},
    {"http://user@/", "host is empty"},
    {"http://h/a b", "space"},
    {" http://h/", "space"},
    {"http://h/\t", "control"},
    {"http://h/\r\nX: y", "control"},
    {"http://h\x7f/", "control"},
    {"http://h\\@evil/", "backslash"},
    {"http:\\\\h/", "backslash"},
    {"http://h/a\\b", "backslash"},
    {"http://a@b@c/", "more than one"},
    {"http://a:b@c:d@e/", "more than one"},
    {"http://u<@h/", "user information"},
    {"http://u%4@h/", "user information"},
    {"http://\xc3\xa9@h/", "user information"},
    {"http://u[@h/", "user information"},
    {"http://h%2f/", "no host name"},
    {"http://ex%41mple.com/", "no host name"},
    {"http://a,b/", "no host name"},
    {"http://a*b/", "no host name"},
    {"http://a[b]/", "no host name"},
    {"http://a]/", "no host name"},
    {"http://a~b/", "no host name"},
    {"http://a..b/", "empty label"},
    {"http://.a/", "empty label"},
    {"http://example.com./", "ends with a dot"},
    {"http://127.0.0.1./", "ends with a dot"},
    {"http://./", "empty label"},
    {"http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/", "63 bytes"},
    {"http://127.1/", "not an IPv4"},
    {"http://2130706433/", "not an IPv4"},
    {"http://0x7f000001/", "not an IPv4"},
    {"http://0X7F.0.0.1/", "not an IPv4"},
    {"http://0x/", "not an IPv4"},
    {"http://a.0x1F/", "not an IPv4"},
    {"http://0177.0.0.1/", "not an IPv4"},
    {"http://1.2.3.4.5/", "not an IPv4"},
    {"http://256.1.1.1/", "not an IPv4"},
    {"http://foo.1/", "not an IPv4"},
    {"http://[::1/", "']'"},
    {"http://[]/", "not an IPv6"},
    {"http://[1.2.3.4]/", "not an IPv6"},
    {"http://[v1.x]/", "not an IPv6"},
    {"http://[::1%251]/", "not an IPv6"},
    {"http://[fe80::1%25eth0]/", "not an IPv6"},
    {"http://[fe80::1%25]/", "not an IPv6"},
    {"http://[fe80::1%1]/", "%25"},
    {"http://[0000000000000000000000000000000000000000000000000000000000000000001]/", "too long"},
    {"http://[::1]x/", "bytes between"},
    {"http://[::1]80/", "bytes between"},
    {"http://h:0/", "port"},
    {"http://h:65536/", "port"},
    {"http://h:000080/", "port"},
    {"http://h:8a/", "port"},
    {"http://h:-1/", "port"},
    {"http://h:80:80/", "port"},
    {"http://::1/", "host is empty"},
    {"http://h/%", "hexadecimal"},
    {"http://h/%4", "hexadecimal"},
    {"http://h/%zz", "hexadecimal"},
    {"http://h/?%", "hexadecimal"},
    {"http://h/#%4g", "hexadecimal"},
};

START_TEST(refused)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rqv_url url = {.port = 1234};
        const char *why = NULL;

        ck_assert_msg(parse(bad[i].text, &url, &why) == REQIVO_E_URL, "%s", bad[i].text);
        ck_assert_msg(why && strstr(why, bad[i].why), "%s: %s", bad[i].text, why);
        ck_assert_uint_eq(url.port, 1234); /* untouched */
    }
}
END_TEST

START_TEST(a_place_is_a_host_and_perhaps_a_port)
{
    static const struct {
        const char *text, *host, *why; /* why: it is refused */
        uint16_t port;
    } rows[] = {
        {"Example.org", "example.org", NULL, 443},
        {"example.org:8443", "example.org", NULL, 8443},
        {"127.0.0.1:80", "127.0.0.1", NULL, 80},
        {"[::1]:80", "::1", NULL, 80},
        {"", NULL, "the host is empty", 0},
        {"u@example.org", NULL, "user information", 0},
        {"example.org/path", NULL, "a byte that no host name has", 0},
        {"example.org:80/path", NULL, "port", 0},
        {"example.org:0", NULL, "port", 0},
        {"::1", NULL, "the host is empty", 0},
        {"[127.0.0.1]", NULL, "not an IPv6 address", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rqv_url url = {.port = 1234};
        const char *why = "";
        int rc = rqv_url_parse_place(rqv_str_from(rows[i].text), RQV_SCHEME_HTTPS, &url, &why);

        ck_assert_int_eq(rc, rows[i].why ? REQIVO_E_URL : 0);
        ck_assert_msg(!rows[i].why || strstr(why, rows[i].why), "%s: %s", rows[i].text, why);
        ck_assert_uint_eq(url.port, rows[i].why ? 1234 : rows[i].port);
        ck_assert(rows[i].why || strcmp(url.host, rows[i].host) == 0);
        ck_assert(rows[i].why || url.scheme == RQV_SCHEME_HTTPS);
    }
}
END_TEST

START_TEST(lengths)
{
    static char text[RQV_URL_MAX + 2];
    struct rqv_url url;
    const char *why;
    char out[16];

    memset(text, 'a', sizeof(text));
    memcpy(text, "http://h/", 9);
    ck_assert_int_eq(rqv_url_parse(text, RQV_URL_MAX, &url, &why), 0);
    ck_assert_int_eq(rqv_url_target(&url, out, sizeof(out)), REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_parse(text, RQV_URL_MAX + 1, &url, &why), REQIVO_E_URL);
    for (size_t i = 7; i < 7 + RQV_HOST_MAX + 1; i++)
        text[i] = i % 10 ? 'b' : '.';
    ck_assert_int_eq(rqv_url_parse(text, 7 + RQV_HOST_MAX, &url, &why), 0);
    ck_assert_uint_eq(url.host_len, RQV_HOST_MAX);
    ck_assert_int_eq(rqv_url_parse(text, 7 + RQV_HOST_MAX + 1, &url, &why), REQIVO_E_URL);
    ck_assert_ptr_nonnull(strstr(why, "253"));
    ck_assert_int_eq(rqv_url_parse("http://h/\0", 10, &url, &why), REQIVO_E_URL);
}
END_TEST

/* Unicode hosts are named as such, and what IDNA makes of them is judged like any other host. */
START_TEST(unicode_hosts)
{
    struct rqv_url url;
    const char *why;
    char out[64];

    ck_assert_int_eq(parse("http://B\xc3\xbc"
                           "cher.example:81/",
                           &url, &why),
                     0);
    ck_assert_int_eq(url.host_type, RQV_HOST_NAME_UNICODE);
    ck_assert_str_eq(url.host, "b\xc3\xbc"
                               "cher.example");
    ck_assert_int_eq(rqv_url_authority(&url, out, sizeof(out)), REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_set_host(&url, "b\xc3\xbc", 3, &why), REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_set_host(&url, "127.1", 5, &why), REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_set_host(&url, "a:b", 3, &why), REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_set_host(&url, "a\0b", 3, &why), REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_set_host(&url, "", 0, &why), REQIVO_E_URL);
    ck_assert_int_eq(url.host_type, RQV_HOST_NAME_UNICODE);
    ck_assert_int_eq(rqv_url_set_host(&url, "xn--bcher-kva.example", 21, &why), 0);
    ck_assert_int_eq(url.host_type, RQV_HOST_NAME);
    ck_assert_int_eq(rqv_url_authority(&url, out, sizeof(out)), 24);
    ck_assert_mem_eq(out, "xn--bcher-kva.example:81", 24);
    /* full-width digits become an address */
    ck_assert_int_eq(rqv_url_set_host(&url, "127.0.0.1", 9, &why), 0);
    ck_assert_int_eq(url.host_type, RQV_HOST_IPV4);
    ck_assert_uint_eq(url.addr.port, 81);
    ck_assert_int_eq(rqv_addr_zone(&url.addr), RQV_ZONE_LOOPBACK);
}
END_TEST

/* Every beginning of every text, in a block of exactly its size: a sanitizer sees a read beyond it. */
START_TEST(every_cut)
{
    for (size_t i = 0; i < GOOD; i++) {
        for (size_t len = 1; len <= strlen(good[i].text); len++) {
            char *copy = malloc(len), out[256];
            struct rqv_url url;
            const char *why = NULL;

            ck_assert_ptr_nonnull(copy);
            memcpy(copy, good[i].text, len);
            if (rqv_url_parse(copy, len, &url, &why) == 0)
                ck_assert_int_gt(rqv_url_target(&url, out, sizeof(out)), 0);
            else
                ck_assert_ptr_nonnull(why);
            free(copy);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("url");

    UNIT_TCASE(s, "url", accepted, parts, refused, a_place_is_a_host_and_perhaps_a_port, lengths,
               unicode_hosts, every_cut);
    return s;
}

UNIT_MAIN(suite)
