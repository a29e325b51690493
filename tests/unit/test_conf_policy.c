/* SPDX-License-Identifier: MIT */
/* Tests of partition "NAME" { } and policy "NAME" { } of the configuration: who is under what, which rule
 * decides, what the account makes of it, and that a dump reads back. */
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/conf_change.h"
#include "daemon/base/policies.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct conf conf;
static char path[64], errors[8192];

static void setup(void)
{
    snprintf(path, sizeof(path), "/tmp/reqivo-policy-XXXXXX");
    close(mkstemp(path));
    conf_defaults(&conf);
}

static void teardown(void)
{
    conf_done(&conf);
    unlink(path);
}

/* The errors have FILE for the file's name. */
static int load(const char *text)
{
    FILE *file = fopen(path, "w"), *out = fmemopen(errors, sizeof(errors), "w");
    size_t len = strlen(path);
    char *at;
    int rc;

    ck_assert(file && out);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
    conf_done(&conf);
    conf_defaults(&conf);
    rc = conf_load(&conf, path, out);
    fputc('\0', out);
    fclose(out);
    while ((at = strstr(errors, path))) {
        memcpy(at, "FILE", 4);
        memmove(at + 4, at + len, strlen(at + len) + 1);
    }
    return rc;
}

static void load_well(const char *text)
{
    ck_assert_msg(load(text) == 0, "%s", errors);
    ck_assert_str_eq(errors, "");
}

static const char *policy_of(uid_t uid)
{
    const struct policy *policy = policies_policy(conf.policies, uid);

    return policy ? policy->name : "-";
}

static const char *partition_of(uid_t uid)
{
    const struct partition *partition = policies_partition(conf.policies, uid);

    return partition ? partition->name : "-";
}

START_TEST(nothing_is_configured)
{
    load_well("log_level = notice\n");
    ck_assert_ptr_null(conf.policies);
    ck_assert_str_eq(policy_of(1000), "-");
    ck_assert_str_eq(partition_of(1000), "-");
}
END_TEST

START_TEST(the_first_that_names_the_user)
{
    load_well("policy \"a\" { users = {1001, \"1002\"} }\npolicy \"default\" { deny = {\"*\"} }\n"
              "policy \"b\" { users = {1002, root} groups = {7777} }\npartition \"p\" { users = {1001} }\n");
    ck_assert_str_eq(policy_of(1001), "a");
    ck_assert_str_eq(policy_of(1002), "a");
    ck_assert_str_eq(policy_of(0), "b");
    ck_assert_str_eq(policy_of(4242), "default");
    ck_assert_str_eq(partition_of(1001), "p");
    ck_assert_str_eq(partition_of(1002), "-");
    load_well("policy \"a\" { users = {1001} }\n");
    ck_assert_str_eq(policy_of(4242), "-");
}
END_TEST

/* root's primary group is root, and daemon's is daemon, on every Debian. */
START_TEST(groups_are_their_users)
{
    load_well("policy \"a\" { groups = {daemon} }\npartition \"p\" { groups = {daemon, \"1\"} }\n");
    ck_assert_str_eq(policy_of(1), "a");
    ck_assert_str_eq(partition_of(1), "p");
    ck_assert_str_eq(policy_of(0), "-");
}
END_TEST

START_TEST(a_partition_has_one_number)
{
    uint64_t id = partition_id("web");

    load_well("partition \"web\" { users = {1001, 1002} }\n");
    ck_assert_uint_eq(conf.policies->partitions[0].id, id);
    ck_assert_uint_gt(id, UINT32_MAX);
    ck_assert_ptr_eq(policies_partition_of_id(conf.policies, id), &conf.policies->partitions[0]);
    load_well("partition \"other\" { users = {1003} }\npartition \"web\" { users = {1002} }\n");
    ck_assert_uint_eq(policies_partition(conf.policies, 1002)->id, id);
    ck_assert_uint_ne(conf.policies->partitions[0].id, id);
}
END_TEST

static const struct {
    const char *text, *error;
} wrongs[] = {
    {"partition \"a\" { users = {1001} }\npartition \"b\" { users = {1001} }\n",
     "FILE: partition \"b\": the user 1001 is in the partition \"a\" already; a user has one\n"},
    {"partition \"a\" { users = {root} }\n",
     "FILE: partition \"a\": root has a partition of its own, always\n"},
    {"policy \"x\" { users = {1001} }\npartition \"a\" { users = {1001, 1002} }\n",
     "FILE: partition \"a\": its users 1001 and 1002 are under the policies \"x\" and \"\"; who shares "
     "connections has one policy\n"},
    {"address_policy { loopback_users = {1002} }\npartition \"a\" { users = {1001, 1002} }\n",
     "FILE: partition \"a\": address_policy.loopback_users names one of its users 1001 and 1002; who shares "
     "connections may reach the same\n"},
    {"policy \"default\" { users = {1001} }\n",
     "FILE: policy \"default\": is for those whom no other names, so it has no users or groups\n"},
    {"policy \"x\" { deny = {\"*\"} }\n",
     "FILE: policy \"x\": names no users and no groups; only \"default\" need not\n"},
    {"policy \"x y\" { users = {1001} }\n",
     "FILE: policy \"x y\": a name has 1 to 63 letters, digits, dots, dashes and underscores\n"},
    {"limits { memory_total = 64MiB }\npolicy \"x\" { users = {1001} memory = 65MiB }\n",
     "FILE: policy \"x\".memory: is larger than limits.memory_total; raise that or lower this\n"},
    {"\npolicy \"x\" {\n users = {\"no-such-user\"}\n}\n",
     "FILE:3: policy \"x\".users: there is no user 'no-such-user'\n"},
    {"policy \"x\" {\n users = {1001}\n groups = {\"no-such-group\"}\n}\n",
     "FILE:3: policy \"x\".groups: there is no group 'no-such-group'\n"},
    {"policy \"x\" { users = {1001}\n deny = {\"*\",\n \"ftp://x\"} }\n",
     "FILE:3: policy \"x\".deny: 'ftp://x': the scheme is none of http, https, ws and wss\n"},
    {"policy \"x\" { users = {1001}\n deny_addresses = {\"10.0.0.1/8\"} }\n",
     "FILE:2: policy \"x\".deny_addresses: '10.0.0.1/8' is not an address or prefix, as in 10.0.0.0/8 or "
     "2001:db8::1\n"},
    {"policy \"x\" { users = {1001}\n requests = 0 }\n",
     "FILE:2: policy \"x\".requests: '0' is out of range: take 1 to 10000000\n"},
    {"policy \"x\" { users = {1001}\n loopback = perhaps }\n",
     "FILE:2: policy \"x\".loopback: 'perhaps' is none of auto|allow|refuse\n"},
    {"policy \"x\" { users = {1001} }\npolicy \"x\" { users = {1002} }\n", "FILE:2: "},
    {"policy \"x\" { users = {1001}\n nonsense = 1 }\n", "FILE:2: "},
    {"policy { users = {1001} }\n", "FILE:1: "},
};
#define WRONGS (int)(sizeof(wrongs) / sizeof(wrongs[0]))

START_TEST(what_is_wrong_has_one_line)
{
    const char *want = wrongs[_i].error;

    ck_assert_int_lt(load(wrongs[_i].text), 0);
    ck_assert_msg(strncmp(errors, want, strlen(want)) == 0, "%s\n%s", errors, want);
    ck_assert_ptr_eq(strchr(errors, '\n'), errors + strlen(errors) - 1);
    ck_assert_ptr_null(conf.policies);
}
END_TEST

START_TEST(a_dump_reads_back)
{
    char first[16384], second[16384];
    FILE *file;

    load_well("partition \"web\" { users = {1001, \"1002\"} groups = {7777} }\n"
              "policy \"web\" { users = {1001, 1002}\n"
              " allow = {\"https://x\"} allow += {\"wss://y:1-2/\"}\n deny = {\"*.internal\"} deny = {}\n"
              " deny_addresses = {\"10.0.0.0/8\", \"2001:db8::/32\"} allow_addresses = {\"127.0.0.1\"}\n"
              " loopback = refuse private = allow memory = 1MiB peers = 2 requests = 3 connections = 4\n"
              " requests_per_second = 5 }\npolicy \"default\" { }\n");
    ck_assert_uint_eq(conf.policies->policies[0].allow.count, 2);
    ck_assert_uint_eq(conf.policies->policies[0].deny.count, 0);
    file = fmemopen(first, sizeof(first), "w");
    conf_dump(&conf, file);
    fclose(file);
    ck_assert_ptr_nonnull(strstr(first, "\n    allow = {\"https://x\", \"wss://y:1-2/\"}\n"));
    ck_assert_ptr_nonnull(strstr(first, "\n    # uids: 1001 1002\n"));
    ck_assert_ptr_nonnull(strstr(first, "\n    requests_per_second = 5\n"));
    load_well(first);
    file = fmemopen(second, sizeof(second), "w");
    conf_dump(&conf, file);
    fclose(file);
    ck_assert_str_eq(first, second);
}
END_TEST

static bool decide(const char *host, char why[POLICY_WHY_MAX])
{
    struct rqv_rule_question question = {.scheme = RQV_RULE_HTTPS,
                                         .port = 443,
                                         .host = rqv_str_from(host),
                                         .method = RQV_STR("GET"),
                                         .path = RQV_STR("/")};

    return policy_decide(&conf.policies->policies[0], &question, why);
}

START_TEST(deny_goes_before_allow)
{
    char why[POLICY_WHY_MAX];

    load_well("policy \"default\" { allow = {\"*.org\", \"*.net\"} deny = {\"x.org\", \"*.x.org\"} }\n");
    ck_assert(decide("a.org", why));
    ck_assert_str_eq(why, "allow[1] \"*.org\"");
    ck_assert(!decide("a.x.org", why));
    ck_assert_str_eq(why, "deny[2] \"*.x.org\"");
    ck_assert(!decide("a.com", why));
    ck_assert_str_eq(why, "no rule of allow names it");
    load_well("policy \"default\" { deny = {\"x.org\"} }\n");
    ck_assert(decide("a.com", why));
    ck_assert(!decide("x.org", why));
}
END_TEST

/* ---- accounts ---- */

static struct accounts all;
static struct loop *loop;

static void accounts_setup(void)
{
    static const uint64_t key[2] = {1, 2};

    setup();
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(accounts_init(&all, loop, key), 0);
}

static void accounts_teardown(void)
{
    accounts_done(&all);
    loop_free(loop);
    teardown();
}

static struct account *account_of(uid_t uid)
{
    struct account *account = NULL;

    ck_assert_int_eq(account_get(&all, uid, &account), 0);
    return account;
}

/* A configuration as a reload does it: the new one is in force before the old one goes. */
static void reload(const char *text)
{
    static struct conf in_force;
    struct conf old = in_force;

    load_well(text);
    in_force = conf;
    conf.policies = NULL;
    accounts_configure(&all, &in_force, 65536);
    conf_done(&old);
    if (!*text) {
        conf_done(&in_force);
        memset(&in_force, 0, sizeof(in_force));
    }
}

START_TEST(rule_b1_k1_users_of_a_partition_share_an_account)
{
    struct account *one, *two, *three, *root;

    reload(
        "partition \"web\" { users = {1001, 1002} }\npolicy \"web\" { users = {1001, 1002} requests = 2 }\n");
    one = account_of(1001);
    two = account_of(1002);
    three = account_of(1003);
    root = account_of(0);
    ck_assert_ptr_eq(one, two);
    ck_assert_ptr_ne(one, three);
    ck_assert_uint_eq(one->id, partition_id("web"));
    ck_assert_uint_eq(three->id, 1003);
    ck_assert_str_eq(one->partition, "web");
    ck_assert_ptr_null(three->partition);
    ck_assert(!one->trusted && root->trusted);
    ck_assert_int_eq(account_charge(one, ACCOUNT_REQUESTS, 2), 0); /* together they have two */
    ck_assert_int_eq(account_charge(two, ACCOUNT_REQUESTS, 1), REQIVO_E_LIMIT_REQUESTS);
    ck_assert_int_eq(account_charge(three, ACCOUNT_REQUESTS, 3), 0);
    account_refund(three, ACCOUNT_REQUESTS, 3);
    account_refund(one, ACCOUNT_REQUESTS, 2);
    account_release(&one);
    account_release(&two);
    account_release(&three);
    account_release(&root);
    reload("");
}
END_TEST

START_TEST(limits_of_a_policy)
{
    struct account *account;
    char text[ACCOUNT_LIMITED_MAX];

    reload("policy \"x\" { users = {1001} memory = 1MiB peers = 1 requests = 2 connections = 3 }\n");
    account = account_of(1001);
    ck_assert_uint_eq(account_limit(account, ACCOUNT_MEMORY), 1u << 20);
    ck_assert_uint_eq(account_limit(account, ACCOUNT_OWED), ACCOUNT_OWED_LEAST);
    ck_assert_uint_eq(account_limit(account, ACCOUNT_CONNS), 3);
    ck_assert_int_eq(account_charge(account, ACCOUNT_PEERS, 1), 0);
    ck_assert_str_eq(account_limited_by(account, ACCOUNT_PEERS, 1, text), " (policy \"x\": peers = 1)");
    ck_assert_int_eq(account_charge(account, ACCOUNT_PEERS, 1), REQIVO_E_LIMIT_PEERS);
    account_refund(account, ACCOUNT_PEERS, 1);
    ck_assert_str_eq(account_limited_by(account, ACCOUNT_PEERS, 1, text), "");
    reload("policy \"x\" { users = {1001} peers = 2 }\n");
    ck_assert_uint_eq(account_limit(account, ACCOUNT_PEERS), 2);
    ck_assert_uint_eq(account_limit(account, ACCOUNT_MEMORY), 64u << 20);
    reload("log_level = notice\n");
    ck_assert_ptr_null(account->policy);
    ck_assert_uint_eq(account_limit(account, ACCOUNT_PEERS), 4096);
    account_release(&account);
    reload("");
}
END_TEST

/* The account of a partition that has gone keeps what it was under, for those who still hold it. */
START_TEST(rule_b1_k11_a_reload_moves_users_and_counts)
{
    struct account *web, *own;

    reload("partition \"web\" { users = {1001} }\npolicy \"x\" { users = {1001} deny = {\"*\"} }\n");
    web = account_of(1001);
    reload("policy \"y\" { users = {1001} }\n");
    own = account_of(1001);
    ck_assert_ptr_ne(web, own);
    ck_assert_uint_eq(account_id_of(&all, 1001), 1001);
    ck_assert_str_eq(web->policy->name, "x");
    ck_assert_str_eq(own->policy->name, "y");
    ck_assert_uint_eq(own->reach_generation, 0);
    reload("policy \"y\" { users = {1001} deny = {\"*\"} }\n");
    ck_assert_uint_eq(own->reach_generation, 0); /* rules are asked for each request */
    reload("policy \"y\" { users = {1001} deny_addresses = {\"10.0.0.0/8\"} }\n");
    ck_assert_uint_eq(own->reach_generation, 1); /* connections were dialled by the old addresses */
    reload("policy \"y\" { users = {1001} deny_addresses = {\"10.0.0.0/9\"} }\n");
    ck_assert_uint_eq(own->reach_generation, 2);
    reload("policy \"y\" { users = {1001} deny_addresses = {\"10.0.0.0/9\"} loopback = allow }\n");
    ck_assert_uint_eq(own->reach_generation, 3);
    reload("policy \"y\" { users = {1001} deny_addresses = {\"10.0.0.0/9\"} loopback = allow }\n"
           "address_policy { private = refuse }\n");
    ck_assert_uint_eq(own->reach_generation, 4);
    account_release(&web);
    account_release(&own);
    reload("");
}
END_TEST

START_TEST(requests_per_second)
{
    struct account *account, *free_one;
    uint64_t now = 5000000, wait = 0;
    int n = 0;

    reload("policy \"x\" { users = {1001} requests_per_second = 10 }\n");
    account = account_of(1001);
    free_one = account_of(1002);
    while (account_rate(account, now, &wait) == 0)
        n++;
    ck_assert_int_eq(n, 10);
    ck_assert_uint_eq(wait, 100000);
    ck_assert_int_eq(account_rate(account, now + 99999, &wait), REQIVO_E_LIMIT_RATE);
    ck_assert_uint_eq(wait, 1);
    ck_assert_int_eq(account_rate(account, now + 100000, &wait), 0);
    ck_assert_int_eq(account_rate(account, now + 100000, &wait), REQIVO_E_LIMIT_RATE);
    account_rate_owe(account, now + 100000);
    ck_assert_int_eq(account_rate(account, now + 200000, &wait), REQIVO_E_LIMIT_RATE);
    ck_assert_int_eq(account_rate(account, now + 300000, &wait), 0);
    for (n = 0; account_rate(account, now + 60000000, &wait) == 0;
         n++) /* a rest saves up no more than that */
        ;
    ck_assert_int_eq(n, 10);
    for (n = 0; n < 1000; n++)
        ck_assert_int_eq(account_rate(free_one, now, &wait), 0);
    account_release(&account);
    account_release(&free_one);
    reload("");
}
END_TEST

/* ---- what a reload names ---- */

static char named[512];

static void on_change(void *owner, const char *name, enum conf_change change)
{
    static const char sign[] = {
        [CONF_CHANGED] = '~', [CONF_FIXED] = '!', [CONF_ADDED] = '+', [CONF_REMOVED] = '-'};
    size_t len = strlen(named);

    ck_assert_ptr_null(owner);
    snprintf(named + len, sizeof(named) - len, "%c%s;", sign[change], name);
}

#define PARTITION(users) "partition \"p\" { users = {" users "} }\n"
#define POLICIES(a, b)   "policy \"a\" { users = {" a "} }\npolicy \"b\" { users = {" b "} }\n"

static const struct {
    const char *before, *after, *named;
} successions[] = {
    {"", "", ""},
    {"policy \"a\" { users = {1} }\n", "policy \"a\" { users = {1} }\n# the same\n", ""},
    {"", "policy \"a\" { users = {1} }\n", "+policy \"a\";"},
    {PARTITION("1, 2"), "", "-partition \"p\";"},
    {PARTITION("1, 2"), PARTITION("1, 3"), "~partition \"p\";"},
    {PARTITION("1, 2"), PARTITION("2, 1"), "~partition \"p\";"},
    {PARTITION("1, 2"), "policy \"p\" { users = {1, 2} }\n" PARTITION("1, 2"), "+policy \"p\";"},
    {"policy \"a\" { users = {1} deny = {\"http://x\"} }\n",
     "policy \"a\" { users = {1} deny = {\"http://y\"} }\n", "~policy \"a\";"},
    {"policy \"a\" { users = {1} requests = 3 }\n", "policy \"a\" { users = {1} }\n", "~policy \"a\";"},
    {"policy \"a\" { users = {1} }\n", "policy \"b\" { users = {1} }\n", "+policy \"b\";-policy \"a\";"},
    /* user 2 is the first one's that names him */
    {POLICIES("1, 2", "2"), "policy \"b\" { users = {2} }\npolicy \"a\" { users = {1, 2} }\n",
     "~policy \"b\";~policy \"a\";"},
    {POLICIES("1", "2"), "policy \"b\" { users = {2} }\npolicy \"a\" { users = {1} }\n", ""},
    {"pool { idle = 1s }\n", "policy \"a\" { users = {1} }\nsocket = \"/x\"\npool { idle = 2s }\n",
     "!socket;~pool.idle;+policy \"a\";"},
};

START_TEST(a_reload_names_what_differs)
{
    struct conf old;

    load_well(successions[_i].before);
    old = conf;
    conf.policies = NULL;
    load_well(successions[_i].after);
    named[0] = '\0';
    conf_succeed(&conf, &old, on_change, NULL);
    ck_assert_str_eq(named, successions[_i].named);
    conf_done(&old);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("conf_policy");
    TCase *t = tcase_create("sections");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, nothing_is_configured);
    tcase_add_test(t, the_first_that_names_the_user);
    tcase_add_test(t, groups_are_their_users);
    tcase_add_test(t, a_partition_has_one_number);
    tcase_add_loop_test(t, what_is_wrong_has_one_line, 0, WRONGS);
    tcase_add_test(t, a_dump_reads_back);
    tcase_add_test(t, deny_goes_before_allow);
    tcase_add_loop_test(t, a_reload_names_what_differs, 0, sizeof(successions) / sizeof(successions[0]));
    suite_add_tcase(s, t);
    t = tcase_create("accounts");
    tcase_add_checked_fixture(t, accounts_setup, accounts_teardown);
    tcase_add_test(t, rule_b1_k1_users_of_a_partition_share_an_account);
    tcase_add_test(t, limits_of_a_policy);
    tcase_add_test(t, rule_b1_k11_a_reload_moves_users_and_counts);
    tcase_add_test(t, requests_per_second);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)
