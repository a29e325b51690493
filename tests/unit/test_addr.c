/* SPDX-License-Identifier: MIT */
/* Unit tests of common/addr.h. The zone table is the model: one row per rule, its first, last and nearest
 * outside. */
#include "common/addr.h"

#include "common/err.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <string.h>

static struct rqv_addr parsed(const char *text)
{
    struct rqv_addr addr = {0};

    ck_assert_msg(rqv_addr_parse(text, strlen(text), 80, &addr), "%s", text);
    return addr;
}

static const struct {
    const char *text;
    enum rqv_zone zone;
} zones[] = {
    {"0.0.0.0", RQV_ZONE_UNSPECIFIED},
    {"0.255.255.255", RQV_ZONE_UNSPECIFIED},
    {"1.0.0.0", RQV_ZONE_PUBLIC},
    {"9.255.255.255", RQV_ZONE_PUBLIC},
    {"10.0.0.0", RQV_ZONE_PRIVATE},
    {"10.255.255.255", RQV_ZONE_PRIVATE},
    {"11.0.0.0", RQV_ZONE_PUBLIC},
    {"100.63.255.255", RQV_ZONE_PUBLIC},
    {"100.64.0.0", RQV_ZONE_PRIVATE},
    {"100.100.100.199", RQV_ZONE_PRIVATE},
    {"100.100.100.200", RQV_ZONE_METADATA},
    {"100.127.255.255", RQV_ZONE_PRIVATE},
    {"100.128.0.0", RQV_ZONE_PUBLIC},
    {"126.255.255.255", RQV_ZONE_PUBLIC},
    {"127.0.0.1", RQV_ZONE_LOOPBACK},
    {"127.255.255.255", RQV_ZONE_LOOPBACK},
    {"128.0.0.0", RQV_ZONE_PUBLIC},
    {"168.63.129.15", RQV_ZONE_PUBLIC},
    {"168.63.129.16", RQV_ZONE_METADATA},
    {"169.253.255.255", RQV_ZONE_PUBLIC},
    {"169.254.0.0", RQV_ZONE_LINK_LOCAL},
    {"169.254.169.253", RQV_ZONE_METADATA},
    {"169.254.169.254", RQV_ZONE_METADATA},
    {"169.254.255.255", RQV_ZONE_LINK_LOCAL},
    {"169.255.0.0", RQV_ZONE_PUBLIC},
    {"172.15.255.255", RQV_ZONE_PUBLIC},
    {"172.16.0.0", RQV_ZONE_PRIVATE},
    {"172.31.255.255", RQV_ZONE_PRIVATE},
    {"172.32.0.0", RQV_ZONE_PUBLIC},
    {"191.255.255.255", RQV_ZONE_PUBLIC},
    {"192.0.0.0", RQV_ZONE_RESERVED},
    {"192.0.0.192", RQV_ZONE_RESERVED},
    {"192.0.1.0", RQV_ZONE_PUBLIC},
    {"192.0.2.255", RQV_ZONE_RESERVED},
    {"192.88.99.1", RQV_ZONE_RESERVED},
    {"192.167.255.255", RQV_ZONE_PUBLIC},
    {"192.168.0.0", RQV_ZONE_PRIVATE},
    {"192.168.255.255", RQV_ZONE_PRIVATE},
    {"192.169.0.0", RQV_ZONE_PUBLIC},
    {"198.17.255.255", RQV_ZONE_PUBLIC},
    {"198.18.0.0", RQV_ZONE_RESERVED},
    {"198.19.255.255", RQV_ZONE_RESERVED},
    {"198.51.100.7", RQV_ZONE_RESERVED},
    {"203.0.113.7", RQV_ZONE_RESERVED},
    {"223.255.255.255", RQV_ZONE_PUBLIC},
    {"224.0.0.0", RQV_ZONE_MULTICAST},
    {"239.255.255.255", RQV_ZONE_MULTICAST},
    {"240.0.0.0", RQV_ZONE_RESERVED},
    {"255.255.255.254", RQV_ZONE_RESERVED},
    {"255.255.255.255", RQV_ZONE_MULTICAST},

    {"::", RQV_ZONE_UNSPECIFIED},
    {"::1", RQV_ZONE_LOOPBACK},
    {"100::1", RQV_ZONE_RESERVED},
    {"1fff:ffff::", RQV_ZONE_RESERVED},
    {"2000::", RQV_ZONE_PUBLIC},
    {"2001:0200::1", RQV_ZONE_PUBLIC},
    {"2001:1ff:ffff::", RQV_ZONE_RESERVED},
    {"2001:20::1", RQV_ZONE_RESERVED},
    {"2001:db7:ffff::", RQV_ZONE_PUBLIC},
    {"2001:db8::1", RQV_ZONE_RESERVED},
    {"2001:db9::", RQV_ZONE_PUBLIC},
    {"2003::1", RQV_ZONE_PUBLIC},
    {"2606:4700:4700::1111", RQV_ZONE_PUBLIC},
    {"3fff:0fff::1", RQV_ZONE_RESERVED},
    {"3fff:1000::1", RQV_ZONE_PUBLIC},
    {"4000::", RQV_ZONE_RESERVED},
    {"5f00::1", RQV_ZONE_RESERVED},
    {"fbff::1", RQV_ZONE_RESERVED},
    {"fc00::1", RQV_ZONE_PRIVATE},
    {"fd00:ec2::253", RQV_ZONE_PRIVATE},
    {"fd00:ec2::254", RQV_ZONE_METADATA},
    {"fd20:ce::254", RQV_ZONE_METADATA},
    {"fd00:c1::a9fe:a9fe", RQV_ZONE_METADATA},
    {"fdff:ffff::1", RQV_ZONE_PRIVATE},
    {"fe00::1", RQV_ZONE_RESERVED},
    {"fe80::1", RQV_ZONE_LINK_LOCAL},
    {"febf::1", RQV_ZONE_LINK_LOCAL},
    {"fec0::1", RQV_ZONE_RESERVED},
    {"ff00::", RQV_ZONE_MULTICAST},
    {"ff02::1", RQV_ZONE_MULTICAST},

    /* v4-mapped: what it embeds */
    {"::ffff:8.8.8.8", RQV_ZONE_PUBLIC},
    {"::ffff:127.0.0.1", RQV_ZONE_LOOPBACK},
    {"::ffff:10.1.2.3", RQV_ZONE_PRIVATE},
    {"::ffff:169.254.169.254", RQV_ZONE_METADATA},
    {"::ffff:a9fe:101", RQV_ZONE_LINK_LOCAL},
    {"::ffff:0.0.0.0", RQV_ZONE_UNSPECIFIED},
    {"::ffff:224.0.0.1", RQV_ZONE_MULTICAST},
    {"::ffff:240.0.0.1", RQV_ZONE_RESERVED},
    /* v4-compatible and v4-translated */
    {"::8.8.8.8", RQV_ZONE_RESERVED},
    {"::127.0.0.1", RQV_ZONE_RESERVED},
    {"::169.254.169.254", RQV_ZONE_RESERVED},
    {"::ffff:0:8.8.8.8", RQV_ZONE_RESERVED},
    {"::ffff:0:127.0.0.1", RQV_ZONE_RESERVED},
    /* NAT64 */
    {"64:ff9b::8.8.8.8", RQV_ZONE_PUBLIC},
    {"64:ff9b::127.0.0.1", RQV_ZONE_RESERVED},
    {"64:ff9b::10.0.0.1", RQV_ZONE_RESERVED},
    {"64:ff9b::169.254.169.254", RQV_ZONE_RESERVED},
    {"64:ff9b::168.63.129.16", RQV_ZONE_RESERVED},
    {"64:ff9b::1:8.8.8.8", RQV_ZONE_RESERVED},
    {"64:ff9b:1::8.8.8.8", RQV_ZONE_RESERVED},
    {"64:ff9c::8.8.8.8", RQV_ZONE_RESERVED},
    /* 6to4 */
    {"2002:0808:0808::1", RQV_ZONE_RESERVED},
    {"2002:7f00:1::1", RQV_ZONE_RESERVED},
    {"2002:a9fe:a9fe::1", RQV_ZONE_RESERVED},
    /* Teredo: server 65.54.227.120, client 192.0.2.45 obfuscated (RFC 4380 4); the last embeds 127.0.0.1 */
    {"2001:0:4136:e378:8000:63bf:3fff:fdd2", RQV_ZONE_RESERVED},
    {"2001:0:4136:e378:0:63bf:80ff:fffe", RQV_ZONE_RESERVED},
    /* ISATAP, both u bits */
    {"2606:4700::5efe:127.0.0.1", RQV_ZONE_RESERVED},
    {"2606:4700::200:5efe:8.8.8.8", RQV_ZONE_RESERVED},
    {"2606:4700::100:5efe:8.8.8.8", RQV_ZONE_PUBLIC},
};

START_TEST(rule_b10_6_zone_table)
{
    ck_assert_uint_ge(sizeof(zones) / sizeof(zones[0]), 60);
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        struct rqv_addr addr = parsed(zones[i].text);

        ck_assert_msg(rqv_addr_zone(&addr) == zones[i].zone, "%s is %s, should be %s", zones[i].text,
                      rqv_zone_name(rqv_addr_zone(&addr)), rqv_zone_name(zones[i].zone));
    }
    ck_assert_int_eq(rqv_addr_zone(&(struct rqv_addr){0}), RQV_ZONE_UNSPECIFIED);
    ck_assert_str_eq(rqv_zone_name((enum rqv_zone)99), "unknown");
}
END_TEST

/* For every IPv4 row, each embedded form is never milder than the address itself. */
START_TEST(rule_b10_6_embedded_never_milder)
{
    static const struct {
        const char *prefix; /* the first 12 bytes, or fewer, with the IPv4 address following at `at` */
        size_t at;
        uint8_t flip;
    } forms[] = {{"::ffff:0:0", 12, 0},    {"::", 12, 0},
                 {"::ffff:0:0:0", 12, 0},  {"64:ff9b::", 12, 0},
                 {"2002::1", 2, 0},        {"2001:0:4136:e378::", 12, 0xff},
                 {"64:ff9b:1::", 12, 0},   {"fe80::5efe:0:0", 12, 0},
                 {"2606::5efe:0:0", 12, 0}};

    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        struct rqv_addr v4 = parsed(zones[i].text);

        for (size_t f = 0; v4.family == 4 && f < sizeof(forms) / sizeof(forms[0]); f++) {
            struct rqv_addr v6 = parsed(forms[f].prefix);
            char text[RQV_ADDRESS_MAX];

            for (size_t b = 0; b < 4; b++)
                v6.bytes[forms[f].at + b] = v4.bytes[b] ^ forms[f].flip;
            rqv_addr_format(&v6, text, sizeof(text));
            if (strcmp(text, "[::1]:80") != 0) /* ::0.0.0.1 is IPv6's own loopback */
                ck_assert_msg(rqv_addr_zone(&v6) >= zones[i].zone, "%s embeds %s", text, zones[i].text);
        }
    }
}
END_TEST

START_TEST(text_that_is_no_address)
{
    static const char *const bad[] = {
        "",
        "1",
        "127.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "010.0.0.1",
        "1.2.3.4.",
        "1.2.3",
        "1.2.3.256",
        "1.2.3.4.5",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.-4",
        "2130706433",
        "[::1]",
        "::1]",
        "1:2",
        ":::",
        "1::2::3",
        "12345::",
        "::1%",
        "::1%0",
        "::1%1",
        "fe80::1%",
        "fe80::1%0",
        "fe80::1%01",
        "fe80::1%eth0",
        "fe80::1%4294967296",
        "fe80::1%1%2",
        "fe80::1%-1",
        "1.2.3.4%1",
        "2001:db8::1%3",
        "::ffff:1.2.3.4.5",
        "g::1",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999",
        "0000000000000000000000000000000000000000000000000000001",
    };
    struct rqv_addr addr = {.port = 7};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!rqv_addr_parse(bad[i], strlen(bad[i]), 80, &addr), "%s", bad[i]);
    ck_assert(!rqv_addr_parse("1.2.3.4\0", 8, 80, &addr));
    ck_assert(!rqv_addr_parse("fe80::1%1\0", 10, 80, &addr));
    ck_assert_int_eq(addr.family, 0);
    ck_assert_int_eq(addr.port, 7);
}
END_TEST

START_TEST(text_and_sockaddr_round_trip)
{
    static const char *const texts[][2] = {
        {"192.0.2.1", "192.0.2.1:80"},
        {"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:80"},
        {"::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"},
        {"fe80::1%2", "[fe80::1%2]:80"},
        {"ff02::1%4294967295", "[ff02::1%4294967295]:80"},
        {"febf:1234:1234:1234:1234:1234:1234:1234%4294967295",
         "[febf:1234:1234:1234:1234:1234:1234:1234%4294967295]:80"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct rqv_addr addr = parsed(texts[i][0]), back = {0};
        struct sockaddr_storage sa;
        char text[RQV_ADDRESS_MAX], small[4];
        socklen_t len = rqv_addr_to_sockaddr(&addr, &sa);

        rqv_addr_format(&addr, text, sizeof(text));
        ck_assert_str_eq(text, texts[i][1]);
        rqv_addr_format(&addr, small, sizeof(small));
        ck_assert_uint_eq(strlen(small), 3);
        ck_assert(rqv_addr_from_sockaddr((struct sockaddr *)&sa, len, &back));
        ck_assert(rqv_addr_eq(&addr, &back));
        ck_assert(!rqv_addr_from_sockaddr((struct sockaddr *)&sa, len - 1, &back));
        back.port = 81;
        ck_assert(!rqv_addr_eq(&addr, &back));
        back = addr;
        back.scope_id++;
        ck_assert(!rqv_addr_eq(&addr, &back));
    }
}
END_TEST

START_TEST(nothing_and_strangers)
{
    struct rqv_addr none = {0}, addr = {.family = 6};
    struct sockaddr_storage sa = {.ss_family = AF_UNIX};
    struct sockaddr_in6 global = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
    char text[RQV_ADDRESS_MAX] = "x";

    rqv_addr_format(&none, text, sizeof(text));
    ck_assert_str_eq(text, "");
    text[0] = 'x';
    rqv_addr_format(&none, text, 0);
    ck_assert_int_eq(text[0], 'x');
    ck_assert_uint_eq(rqv_addr_to_sockaddr(&none, &sa), 0);
    ck_assert(!rqv_addr_from_sockaddr((struct sockaddr *)&sa, sizeof(sa), &addr));
    ck_assert(!rqv_addr_from_sockaddr((struct sockaddr *)&sa, 1, &addr));
    inet_pton(AF_INET6, "2001:db8::1", &global.sin6_addr);
    ck_assert(rqv_addr_from_sockaddr((struct sockaddr *)&global, sizeof(global), &addr));
    ck_assert_uint_eq(addr.scope_id, 0); /* means nothing there, and would split a pool key */
}
END_TEST

static bool contains(const char *net_text, const char *addr_text)
{
    struct rqv_addr addr = parsed(addr_text);
    struct rqv_net net;

    ck_assert_msg(rqv_net_parse(net_text, &net), "%s", net_text);
    return rqv_net_contains(&net, &addr);
}

START_TEST(nets)
{
    static const char *const bad[] = {
        "",        "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/",   "10.0.0.0/8/8", "/8",         "::/129",
        "::1/127", "fe80::1%2",   "10/8",       "10.0.0.0/-1", "a.b/8",        "10.0.0.0/8 "};
    struct rqv_net net = {.bits = 9};
    struct rqv_addr v4 = parsed("10.0.0.1");

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!rqv_net_parse(bad[i], &net), "%s", bad[i]);
    ck_assert(!rqv_net_parse(NULL, &net));
    ck_assert_uint_eq(net.bits, 9);
    ck_assert(contains("10.0.0.0/8", "10.255.0.1"));
    ck_assert(!contains("10.0.0.0/8", "11.0.0.0"));
    ck_assert(contains("172.16.0.0/12", "172.31.1.1"));
    ck_assert(!contains("172.16.0.0/12", "172.32.1.1"));
    ck_assert(contains("0.0.0.0/0", "1.2.3.4"));
    ck_assert(!contains("0.0.0.0/0", "2001:db8::1"));
    ck_assert(contains("192.0.2.7", "192.0.2.7"));
    ck_assert(!contains("192.0.2.7", "192.0.2.6"));
    ck_assert(contains("2001:db8::/33", "2001:db8:7fff::1"));
    ck_assert(!contains("2001:db8::/33", "2001:db8:8000::1"));
    ck_assert(contains("::/0", "fe80::1%7"));
    ck_assert(!contains("::/0", "1.2.3.4"));
    ck_assert(contains("::1", "::1"));
    ck_assert(contains("10.0.0.0/8", "::ffff:10.1.1.1"));
    ck_assert(contains("10.0.0.0/8", "64:ff9b::10.1.1.1"));
    ck_assert(!contains("10.0.0.0/8", "::ffff:11.1.1.1"));
    ck_assert(!contains("10.0.0.0/8", "2001:db8::10.1.1.1"));
    ck_assert(!rqv_net_contains(&(struct rqv_net){0}, &v4));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("addr");

    UNIT_TCASE(s, "zones", rule_b10_6_zone_table, rule_b10_6_embedded_never_milder);
    UNIT_TCASE(s, "text", text_that_is_no_address, text_and_sockaddr_round_trip, nothing_and_strangers);
    UNIT_TCASE(s, "nets", nets);
    return s;
}

UNIT_MAIN(suite)
