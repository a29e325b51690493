/* SPDX-License-Identifier: MIT */
/* Tests of daemon/net/policy and idn: which addresses are refused to whom (security.md B10-6), in every
 * embedded form. */
#include "daemon/net/idn.h"
#include "daemon/net/policy.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>
#include <stdio.h>
#include <string.h>

static struct conf conf;
static struct account account;
static char why[POLICY_WHY_MAX];

static int check_as(uid_t uid, const char *text)
{
    struct rqv_addr addr;
    int rc;

    account.uid = uid;
    why[0] = '\0';
    ck_assert_msg(rqv_addr_parse(text, strlen(text), 80, &addr), "%s", text);
    rc = policy_check_address(&conf, &account, &addr, why);
    ck_assert_int_eq(rc != 0, why[0] != '\0');
    return rc;
}

static uint32_t zones_of(uid_t uid)
{
    account.uid = uid;
    return policy_zones(&conf, &account);
}

static int check(const char *text)
{
    return check_as(1000, text);
}

static void add(struct rqv_net *nets, unsigned *count, const char *text)
{
    ck_assert(rqv_net_parse(text, &nets[(*count)++]));
}

static void setup(void)
{
    conf_defaults(&conf);
    conf.user_instance = false;
    account.uid = 1000;
}

START_TEST(rule_b10_6_refused_always)
{
    static const char *const texts[] = {"0.0.0.0",
                                        "0.1.2.3",
                                        "169.254.1.1",
                                        "169.254.169.254",
                                        "169.254.169.253",
                                        "224.0.0.1",
                                        "239.255.255.255",
                                        "240.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "fe80::1",
                                        "ff02::1",
                                        "fd00:ec2::254",
                                        "100.100.100.200",
                                        "168.63.129.16",
                                        "::ffff:0.0.0.0",
                                        "::ffff:224.0.0.1",
                                        "::ffff:169.254.169.254",
                                        "64:ff9b::169.254.169.254",
                                        "64:ff9b::a9fe:1",
                                        "2002:a9fe:a9fe::1",
                                        "2002:7f00:1::",
                                        "2001::1",
                                        "::169.254.169.254"};

    for (int user_instance = 0; user_instance < 2; user_instance++) {
        conf.user_instance = user_instance;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            ck_assert_msg(check(texts[i]) == REQIVO_E_ADDRESS_DENIED, "%s", texts[i]);
    }
}
END_TEST

START_TEST(rule_b10_6_loopback)
{
    static const char *const texts[] = {"127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        setup();
        ck_assert_msg(check(texts[i]) != 0, "%s", texts[i]);
        conf.user_instance = true;
        ck_assert_msg(check(texts[i]) == 0, "%s", texts[i]);
        conf.loopback = 0;
        ck_assert_msg(check(texts[i]) != 0, "%s", texts[i]);
        conf.loopback_uids[0] = 33;
        conf.loopback_uid_count = 1;
        ck_assert_msg(check_as(33, texts[i]) == 0, "%s", texts[i]);
        ck_assert_msg(check_as(0, texts[i]) != 0, "%s", texts[i]);
        conf.loopback = 1;
        conf.user_instance = false;
        ck_assert_msg(check(texts[i]) == 0, "%s", texts[i]);
    }
}
END_TEST

START_TEST(rule_b10_6_private)
{
    static const char *const texts[] = {"10.0.0.1",   "172.16.0.1", "172.31.255.255", "192.168.1.1",
                                        "100.64.0.1", "fc00::1",    "::ffff:10.0.0.1"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        conf.private_open = true;
        ck_assert_msg(check(texts[i]) == 0, "%s", texts[i]);
        conf.private_open = false;
        ck_assert_msg(check(texts[i]) != 0, "%s", texts[i]);
    }
    ck_assert_int_eq(check("172.32.0.1"), 0);
    ck_assert_int_eq(check("8.8.8.8"), 0);
    ck_assert_int_eq(check("2606:4700::1111"), 0);
}
END_TEST

START_TEST(rule_b10_6_lists)
{
    add(conf.allow, &conf.allow_count, "169.254.169.254");
    add(conf.allow, &conf.allow_count, "10.0.0.0/8");
    add(conf.deny, &conf.deny_count, "10.1.0.0/16");
    add(conf.deny, &conf.deny_count, "203.0.114.0/24");
    conf.private_open = false;
    ck_assert_int_eq(check("169.254.169.254"), 0);
    ck_assert_int_ne(check("169.254.169.253"), 0);
    ck_assert_int_eq(check("10.2.0.1"), 0);
    ck_assert_int_ne(check("10.1.0.1"), 0); /* deny before allow */
    ck_assert_int_ne(check("192.168.0.1"), 0);
    ck_assert_int_ne(check("203.0.114.9"), 0);
    ck_assert_int_ne(check("::ffff:203.0.114.9"), 0); /* in disguise */
    ck_assert_int_ne(check("64:ff9b::203.0.114.9"), 0);
    ck_assert_int_eq(check("::ffff:169.254.169.254"), 0); /* the same address */
}
END_TEST

/* Deny before allow, and the policy's own lists before those of all; both hold. */
START_TEST(rule_b10_6_of_a_policy)
{
    struct rqv_net allow[1], deny[1];
    struct policy policy = {.name = "web", .loopback = -1, .private_ranges = -1};

    account.policy = &policy;
    conf.private_open = false;
    ck_assert_int_eq(check("10.0.0.1"), REQIVO_E_ADDRESS_DENIED);
    ck_assert_str_eq(why, "address_policy.private refuses private addresses");
    policy.private_ranges = 1;
    ck_assert_int_eq(check("10.0.0.1"), 0);
    conf.private_open = true;
    policy.private_ranges = 0;
    ck_assert_int_ne(check("10.0.0.1"), 0);
    ck_assert_str_eq(why, "policy \"web\": private refuses private addresses");
    policy.loopback = 1;
    ck_assert_int_eq(check("127.0.0.1"), 0);
    conf.loopback_uids[conf.loopback_uid_count++] = 33;
    policy.loopback = 0;
    ck_assert_int_ne(check_as(33, "127.0.0.1"), 0); /* the policy says it, so loopback_users does not */
    add(allow, &policy.allow_addresses.count, "127.0.0.1");
    add(deny, &policy.deny_addresses.count, "192.0.2.0/24");
    policy.allow_addresses.at = allow;
    policy.deny_addresses.at = deny;
    ck_assert_int_eq(check("127.0.0.1"), 0);
    ck_assert_int_eq(check("::ffff:127.0.0.1"), 0);
    ck_assert_int_ne(check("127.0.0.2"), 0);
    ck_assert_uint_ne(zones_of(1000) & 1u << RQV_ZONE_LOOPBACK, 0);
    add(conf.allow, &conf.allow_count, "192.0.2.1");
    ck_assert_int_ne(check("192.0.2.1"), 0);
    ck_assert_str_eq(why, "refused by policy \"web\": deny_addresses[1]");
    add(conf.deny, &conf.deny_count, "127.0.0.0/8");
    ck_assert_int_ne(check("127.0.0.1"), 0);
    ck_assert_str_eq(why, "refused by address_policy.deny[1]");
    account.policy = NULL;
}
END_TEST

START_TEST(rule_b10_6_own_addresses)
{
    struct rqv_addr addr;

    ck_assert(rqv_addr_parse("127.0.0.1", 9, 80, &addr));
    ck_assert(policy_address_is_own(&addr));
    ck_assert_int_ne(policy_check_dial(&conf, &account, &addr, why), 0);
    conf.user_instance = true;
    ck_assert_int_eq(policy_check_dial(&conf, &account, &addr, why), 0);
    conf.user_instance = false;
    ck_assert(rqv_addr_parse("198.51.100.7", 12, 80, &addr));
    ck_assert(!policy_address_is_own(&addr));
}
END_TEST

/* Whatever the configuration allows otherwise; what it denies stays denied. */
START_TEST(rule_b3_5_what_may_follow_a_public_address)
{
    static const char *const refused[] = {
        "127.0.0.1", "::1",         "10.0.0.1",        "192.168.1.1",   "100.64.0.1",
        "fd00::1",   "169.254.1.1", "169.254.169.254", "fe80::1",       "0.0.0.0",
        "224.0.0.1", "240.0.0.1",   "::ffff:10.0.0.1", "64:ff9b::a00:1"};
    struct rqv_addr addr;

    conf.loopback = 1;
    conf.private_open = true;
    add(conf.allow, &conf.allow_count, "10.0.0.0/8");
    add(conf.allow, &conf.allow_count, "169.254.169.254");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        ck_assert_msg(rqv_addr_parse(refused[i], strlen(refused[i]), 80, &addr), "%s", refused[i]);
        ck_assert_msg(policy_check_redirect(&conf, &account, &addr, why) == REQIVO_E_REDIRECT_DENIED, "%s",
                      refused[i]);
        ck_assert_ptr_nonnull(strstr(why, "redirect"));
    }
    ck_assert(rqv_addr_parse("8.8.8.8", 7, 80, &addr));
    ck_assert_int_eq(policy_check_redirect(&conf, &account, &addr, why), 0);
    add(conf.deny, &conf.deny_count, "8.8.8.0/24");
    ck_assert_int_eq(policy_check_redirect(&conf, &account, &addr, why), REQIVO_E_ADDRESS_DENIED);
    ck_assert_uint_ne(zones_of(1000), POLICY_ZONES_REDIRECT);
}
END_TEST

START_TEST(zones_of_a_user)
{
    uint32_t open = 1u << RQV_ZONE_PUBLIC | 1u << RQV_ZONE_PRIVATE;

    ck_assert_uint_eq(zones_of(1000), open);
    conf.loopback_uids[0] = 1000;
    conf.loopback_uid_count = 1;
    ck_assert_uint_eq(zones_of(1000), open | 1u << RQV_ZONE_LOOPBACK);
    ck_assert_uint_eq(zones_of(1001), open);
    conf.private_open = false;
    ck_assert_uint_eq(zones_of(1001), 1u << RQV_ZONE_PUBLIC);
    add(conf.allow, &conf.allow_count, "169.254.1.0/24");
    ck_assert_uint_eq(zones_of(1001), 1u << RQV_ZONE_PUBLIC | 1u << RQV_ZONE_LINK_LOCAL);
}
END_TEST

START_TEST(rule_b7_2_insecure)
{
    ck_assert(!policy_insecure_allowed(&conf));
    conf.user_instance = true;
    ck_assert(policy_insecure_allowed(&conf));
    conf.insecure = 0;
    ck_assert(!policy_insecure_allowed(&conf));
    conf.user_instance = false;
    conf.insecure = 1;
    ck_assert(policy_insecure_allowed(&conf));
}
END_TEST

START_TEST(international_names)
{
    static const struct {
        const char *utf8, *ascii;
    } good[] = {
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"B\xc3\x9c"
         "CHER.example",
         "xn--bcher-kva.example"},
        {"stra\xc3\x9f"
         "e.example",
         "xn--strae-oqa.example"}, /* non-transitional: not "strasse" */
        {"Plain.Example", "plain.example"},
    };
    static const char *const bad[] = {"",
                                      "a b.example",
                                      "\xff.example",
                                      "a/b\xc3\xbc.example",
                                      ("\xe2\x80\x8b"
                                       "a@b.example"),
                                      "b\xc3\xbc..example"};
    char out[254], small[5];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(idn_to_ascii(good[i].utf8, out, sizeof(out)) == 0, "%s", good[i].utf8);
        ck_assert_str_eq(out, good[i].ascii);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(idn_to_ascii(bad[i], out, sizeof(out)) == REQIVO_E_URL, "%s gives %s", bad[i], out);
    ck_assert_int_eq(idn_to_ascii("a.example", small, sizeof(small)), REQIVO_E_URL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("policy");
    TCase *t = tcase_create("policy");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, rule_b10_6_refused_always);
    tcase_add_test(t, rule_b10_6_loopback);
    tcase_add_test(t, rule_b10_6_private);
    tcase_add_test(t, rule_b10_6_lists);
    tcase_add_test(t, rule_b10_6_of_a_policy);
    tcase_add_test(t, rule_b10_6_own_addresses);
    tcase_add_test(t, rule_b3_5_what_may_follow_a_public_address);
    tcase_add_test(t, zones_of_a_user);
    tcase_add_test(t, rule_b7_2_insecure);
    tcase_add_test(t, international_names);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)
