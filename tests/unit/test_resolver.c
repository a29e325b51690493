/* SPDX-License-Identifier: MIT */
/* Tests of daemon/net/resolver: both back ends, merging, cache, shares, deadlines, cancel (security.md
 * B10-5). */
#include "daemon/net/resolver_internal.h"
#include "tests/lib/net_dns.h"
#include "tests/lib/net_peer.h"
#include "tests/unit/unit.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ask {
    struct resolver_query query;
    unsigned calls;
    int code;
    char detail[RQV_DETAIL_MAX];
    size_t count;
    struct rqv_addr addrs[RESOLVER_ADDRS_MAX];
    bool done;
};

static struct net_env env;
static struct net_dns dns;

static void open_with(const char *backend)
{
    snprintf(env.conf.dns_backend, sizeof(env.conf.dns_backend), "%s", backend);
    ck_assert_int_eq(resolver_new(env.loop, &env.conf, net_hash_key, &env.resolver), 0);
}

static void setup(void)
{
    net_env_open(&env, NULL);
    net_dns_open(&dns, env.loop);
    env.conf.dns_timeout_ms = 9000; /* no answer is given up on a busy machine */
    open_with("c-ares");
    ck_assert_int_eq(resolver_ares_set_servers(env.resolver, dns.server), 0);
}

static void teardown(void)
{
    resolver_free(env.resolver);
    env.resolver = NULL;
    ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], 0);
    net_dns_close(&dns);
    net_env_close(&env);
}

static void on_answer(void *owner, const struct rqv_err *err, const struct rqv_addr *addrs, size_t count)
{
    struct ask *ask = owner;

    ask->calls++;
    ask->done = true;
    ask->count = count;
    if (err) {
        ask->code = err->code;
        memcpy(ask->detail, err->detail, sizeof(ask->detail));
        ck_assert_int_eq(err->phase, REQIVO_PHASE_DNS);
    }
    if (count)
        memcpy(ask->addrs, addrs, count * sizeof(*addrs));
    loop_stop(env.loop);
}

static int start(struct ask *ask, struct account *account, const char *name)
{
    int rc;

    memset(ask, 0, sizeof(*ask));
    ask->query.fn = on_answer;
    ask->query.owner = ask;
    ask->query.port = 443;
    rc = resolver_start(env.resolver, &ask->query, account, name);
    ck_assert_uint_eq(ask->calls, 0);
    return rc;
}

static int resolve(struct ask *ask, const char *name)
{
    ck_assert_int_eq(start(ask, env.account, name), 0);
    net_env_run(&env, &ask->done);
    ck_assert_uint_eq(ask->calls, 1);
    return ask->code;
}

START_TEST(nsswitch)
{
    static const struct {
        const char *text;
        bool plain;
    } cases[] = {
        {"", true},
        {"passwd: files\n", true},
        {"hosts: files dns\n", true},
        {"hosts:files dns", true},
        {"# hosts: mdns\n hosts:\tdns [!UNAVAIL=return] files # mdns\n", true},
        {"hosts: files dns[NOTFOUND=return]\n", true},
        {"hosts: files myhostname dns\n", false},
        {"hosts: files mdns4_minimal [NOTFOUND=return] dns\n", false},
        {"passwd: files\nhosts: resolve [!UNAVAIL=return] files dns\n", false},
        {"hosts: files dnsx\n", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(resolver_nsswitch_is_plain(cases[i].text) == cases[i].plain, "%s", cases[i].text);
}
END_TEST

START_TEST(localhost_asks_nobody)
{
    struct ask ask;

    ck_assert_int_eq(resolve(&ask, "localhost"), 0);
    ck_assert_uint_eq(ask.count, 2);
    ck_assert_uint_eq(ask.addrs[0].family, 6);
    ck_assert_uint_eq(ask.addrs[1].family, 4);
    ck_assert_uint_eq(ask.addrs[1].port, 443);
    ck_assert_int_eq(rqv_addr_zone(&ask.addrs[0]), RQV_ZONE_LOOPBACK);
    ck_assert_int_eq(rqv_addr_zone(&ask.addrs[1]), RQV_ZONE_LOOPBACK);
    ck_assert_int_eq(resolve(&ask, "a.b.localhost"), 0);
    ck_assert_uint_eq(dns.asked_a, 0);
    ck_assert_int_eq(resolve(&ask, "xlocalhost"), REQIVO_E_RESOLVE);
    ck_assert_uint_ge(dns.asked_a, 1);
}
END_TEST

/* Only inet_pton decides what is an address, and that is done before a name is resolved. */
START_TEST(rule_b10_6_numbers_are_no_names)
{
    static const char *const names[] = {"127.1",       "0x7f.1",    "2130706433", "0x7f000001",
                                        "0177.0.0.01", "1.2.3.4.5", "a.0x1"};
    struct ask ask;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_msg(resolve(&ask, names[i]) == REQIVO_E_RESOLVE, "%s", names[i]);
    ck_assert_uint_eq(dns.asked_a, 0);
    ck_assert_int_eq(resolve(&ask, "four.example"), 0);
    ck_assert_int_eq(resolve(&ask, ""), REQIVO_E_RESOLVE);
}
END_TEST

START_TEST(both_families)
{
    struct ask ask;

    ck_assert_int_eq(resolve(&ask, "both.example"), 0);
    ck_assert_uint_eq(ask.count, 2);
    ck_assert_uint_eq(ask.addrs[0].family + ask.addrs[1].family, 10);
    ck_assert_uint_eq(ask.addrs[0].port, 443);
    ck_assert_uint_eq(ask.addrs[1].port, 443);
}
END_TEST

START_TEST(rule_b10_5_sixteen_addresses)
{
    struct ask ask;

    ck_assert_int_eq(resolve(&ask, "many.example"), 0);
    ck_assert_uint_eq(ask.count, RESOLVER_ADDRS_MAX);
}
END_TEST

START_TEST(rule_b10_5_identical_queries_are_merged)
{
    struct ask asks[20];

    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(start(&asks[i], env.account, "four.example"), 0);
    resolver_cancel(&asks[3].query);
    resolver_cancel(&asks[3].query);
    net_env_run(&env, &asks[19].done);
    for (int i = 0; i < 20; i++)
        ck_assert_uint_eq(asks[i].calls, i == 3 ? 0 : 1);
    ck_assert_uint_eq(dns.asked_a, 1);
    ck_assert_uint_eq(dns.asked_aaaa, 1);
}
END_TEST

START_TEST(rule_b10_5_cache_is_per_user)
{
    struct account *other;
    struct ask ask;

    ck_assert_int_eq(account_get(&env.accounts, 1001, &other), 0);
    ck_assert_int_eq(resolve(&ask, "four.example"), 0);
    ck_assert_int_eq(resolve(&ask, "four.example"), 0);
    ck_assert_uint_eq(dns.asked_a, 1);
    ck_assert_int_eq(start(&ask, other, "four.example"), 0);
    net_env_run(&env, &ask.done);
    ck_assert_uint_eq(dns.asked_a, 2);
    ck_assert_int_eq(resolve(&ask, "zero.example"), 0); /* TTL 0: for this use only */
    ck_assert_int_eq(resolve(&ask, "zero.example"), 0);
    ck_assert_uint_eq(dns.asked_a, 4);
    account_release(&other);
}
END_TEST

static bool cached_at(const char *name, uint64_t in_ms)
{
    struct resolver_key key = {.account = 1000, .name_len = strlen(name)};
    struct resolver_answer answer;

    memcpy(key.name, name, key.name_len + 1);
    return resolver_cache_get(&env.resolver->cache, &key, loop_now_us(env.loop) + in_ms * 1000, &answer);
}

START_TEST(rule_b10_5_ttl_is_capped)
{
    struct ask ask;

    ck_assert_int_eq(resolve(&ask, "short.example"), 0); /* TTL 7 */
    ck_assert(cached_at("short.example", 6900));
    ck_assert(!cached_at("short.example", 7001));
    ck_assert_int_eq(resolve(&ask, "four.example"), 0); /* TTL 300 */
    ck_assert(cached_at("four.example", 59900));
    ck_assert(!cached_at("four.example", 60001));
}
END_TEST

START_TEST(failures_are_remembered_for_a_second)
{
    struct ask ask;
    unsigned asked;

    ck_assert_int_eq(resolve(&ask, "nothing.example"), REQIVO_E_RESOLVE);
    ck_assert_ptr_nonnull(strstr(ask.detail, "nothing.example: "));
    asked = dns.asked_a;
    ck_assert_int_eq(resolve(&ask, "nothing.example"), REQIVO_E_RESOLVE);
    ck_assert_uint_eq(dns.asked_a, asked);
    ck_assert(cached_at("nothing.example", 900));
    ck_assert(!cached_at("nothing.example", 1001));
}
END_TEST

START_TEST(rule_b10_5_cache_is_bounded)
{
    struct resolver_cache *cache = &env.resolver->cache;
    char name[32];
    struct ask ask;

    env.conf.dns_entries = 4;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "four.%d.example", i);
        ck_assert_int_eq(resolve(&ask, name), 0);
        ck_assert_int_eq(resolve(&ask, "four.0.example"), 0); /* in use: stays */
    }
    ck_assert_uint_eq(resolver_cache_count(cache), 4);
    ck_assert(cached_at("four.0.example", 0));
    ck_assert(cached_at("four.9.example", 0));
    ck_assert(!cached_at("four.5.example", 0));
    resolver_cache_sweep(cache, loop_now_us(env.loop) + 100000000);
    ck_assert_uint_eq(resolver_cache_count(cache), 0);
}
END_TEST

START_TEST(rule_b10_5_deadline)
{
    struct ask first, second;
    uint64_t from_us = loop_now_us(env.loop);

    env.conf.dns_timeout_ms = 1500;
    ck_assert_int_eq(start(&first, env.account, "silent.example"), 0);
    ck_assert_int_eq(start(&second, env.account, "four.example"), 0); /* is not held up */
    net_env_run(&env, &second.done);
    ck_assert_uint_eq(first.calls, 0);
    net_env_run(&env, &first.done);
    ck_assert_int_eq(first.code, REQIVO_E_TIMEOUT_RESOLVE);
    ck_assert_uint_ge(loop_now_us(env.loop) - from_us, 1490000);
}
END_TEST

/* A server that is dead keeps nobody: new lookups go to the new one at once, whatever is under way. */
START_TEST(a_changed_resolv_conf_serves_the_next_lookup)
{
    struct net_dns next;
    struct ask held, ask;
    char name[32];
    int rc;

    env.conf.dns_timeout_ms = 1500; /* of each try of the new lines, a fourth */
    net_dns_open(&next, env.loop);
    ck_assert_int_eq(start(&held, env.account, "silent.0.example"), 0);
    for (unsigned changes = 1; changes <= 3; changes++) {
        rc = resolver_ares_set_servers(env.resolver, next.server);
        ck_assert_int_eq(rc, changes <= 2 ? 0 : REQIVO_E_LIMIT_REQUESTS);
        snprintf(name, sizeof(name), "silent.%u.example", changes);
        ck_assert_int_eq(start(&ask, env.account, name), 0);
        resolver_cancel(&ask.query);
        ck_assert_uint_eq(resolver_ares_retired(env.resolver), changes < 2 ? 1 : 2);
    }
    ck_assert_int_eq(resolve(&ask, "four.example"), 0);
    ck_assert_uint_ge(next.asked_a, 1);
    ck_assert_uint_eq(held.calls, 0);
    net_env_run(&env, &held.done);
    ck_assert_int_eq(held.code, REQIVO_E_TIMEOUT_RESOLVE);
    while (resolver_ares_retired(env.resolver))
        net_env_run_ms(&env, 20);
    net_dns_close(&next);
}
END_TEST

/* The server's socket holds some hundred questions: what comes after them would be lost, and be asked again
 * together with all the others, so it is emptied first. */
static void questions_drop(void)
{
    char bytes[512];

    while (recv(dns.fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
        ;
}

START_TEST(rule_b10_5_share_of_a_user)
{
    static struct ask asks[RESOLVER_UID_LOOKUPS], more;
    struct account *other;
    char name[32];

    ck_assert_int_eq(account_get(&env.accounts, 1001, &other), 0);
    for (int i = 0; i < RESOLVER_UID_LOOKUPS; i++) {
        snprintf(name, sizeof(name), "silent.%d.example", i);
        ck_assert_int_eq(start(&asks[i], env.account, name), 0);
    }
    ck_assert_int_eq(start(&more, env.account, "four.example"), REQIVO_E_LIMIT_REQUESTS);
    ck_assert_ptr_null(more.query.lookup);
    ck_assert_int_eq(start(&more, env.account, "silent.0.example"), 0); /* joins */
    resolver_cancel(&more.query);
    questions_drop();
    ck_assert_int_eq(start(&more, other, "four.example"), 0);
    net_env_run(&env, &more.done);
    ck_assert_int_eq(more.code, 0);
    for (int i = 0; i < RESOLVER_UID_LOOKUPS; i++)
        resolver_cancel(&asks[i].query);
    account_release(&other);
}
END_TEST

/* Six users ask for all the names that they may, of a server that does not answer. */
START_TEST(rule_b10_5_users_leave_lookups_to_others)
{
    static struct ask asks[RESOLVER_ALL_LOOKUPS], more;
    struct account *users[7], *root;
    char name[32];
    int count = 0;

    ck_assert_int_eq(account_get(&env.accounts, 0, &root), 0);
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(account_get(&env.accounts, 2001 + i, &users[i]), 0);
    for (int i = 0; i < 6; i++) {
        do {
            ck_assert_int_lt(count, RESOLVER_ALL_LOOKUPS);
            snprintf(name, sizeof(name), "silent.%d.example", count);
        } while (start(&asks[count++], users[i], name) == 0);
        count--;
    }
    questions_drop();
    ck_assert_int_eq(start(&more, users[6], "four.example"), 0);
    net_env_run(&env, &more.done);
    ck_assert_int_eq(more.code, 0);
    questions_drop();
    ck_assert_int_eq(start(&more, root, "four.example"), 0);
    net_env_run(&env, &more.done);
    ck_assert_int_eq(more.code, 0);
    for (int i = 0; i < count; i++)
        resolver_cancel(&asks[i].query);
    for (int i = 0; i < 7; i++)
        account_release(&users[i]);
    account_release(&root);
}
END_TEST

START_TEST(memory_is_charged)
{
    struct ask ask;

    env.accounts.limit_uid[ACCOUNT_MEMORY] = 100;
    ck_assert_int_eq(start(&ask, env.account, "four.example"), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(start(&ask, env.account, "localhost"), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], 0);
}
END_TEST

static struct ask again;

static void on_ask_again(void *owner, const struct rqv_err *err, const struct rqv_addr *addrs, size_t count)
{
    struct ask *ask = owner;

    on_answer(owner, err, addrs, count);
    resolver_cancel(&ask->query);
    ck_assert_int_eq(start(&again, env.account, "four.example"), 0);
}

START_TEST(start_inside_an_answer)
{
    struct ask ask = {.query = {.fn = on_ask_again, .port = 1}};

    ask.query.owner = &ask;
    ck_assert_int_eq(resolver_start(env.resolver, &ask.query, env.account, "four.example"), 0);
    net_env_run(&env, &ask.done);
    net_env_run(&env, &again.done);
    ck_assert_uint_eq(again.calls, 1);
}
END_TEST

START_TEST(free_with_queries_under_way)
{
    struct ask ask;

    ck_assert_int_eq(start(&ask, env.account, "silent.example"), 0);
    resolver_free(env.resolver);
    env.resolver = NULL;
    resolver_cancel(&ask.query);
    ck_assert_uint_eq(ask.calls, 0);
}
END_TEST

/* ---- getaddrinfo ---- */

static void use_system(void)
{
    resolver_free(env.resolver);
    open_with("system");
}

START_TEST(system_says_what_getaddrinfo_says)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char name[256] = "";
    struct ask ask;
    int expected;

    use_system();
    env.conf.dns_timeout_ms = 9000;
    ck_assert_int_eq(gethostname(name, sizeof(name) - 1), 0);
    expected = getaddrinfo(name, NULL, &hints, &list);
    ck_assert_int_eq(resolve(&ask, name), expected == 0 ? 0 : REQIVO_E_RESOLVE);
    if (list) {
        ck_assert_uint_ge(ask.count, 1);
        ck_assert_uint_eq(ask.addrs[0].port, 443);
        ck_assert(cached_at(name, 4900));
        ck_assert(!cached_at(name, 5001));
        freeaddrinfo(list);
    } else {
        ck_assert(ask.detail[0]);
    }
}
END_TEST

START_TEST(system_cancel)
{
    struct ask asks[30];
    char name[32];

    use_system();
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "nothing-%d.invalid", i);
        ck_assert_int_eq(start(&asks[i], env.account, name), 0);
    }
    for (int i = 0; i < 30; i++)
        resolver_cancel(&asks[i].query);
    net_env_run_ms(&env, 50);
    for (int i = 0; i < 30; i++)
        ck_assert_uint_eq(asks[i].calls, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resolver");
    TCase *t = tcase_create("resolver");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, nsswitch);
    tcase_add_test(t, localhost_asks_nobody);
    tcase_add_test(t, rule_b10_6_numbers_are_no_names);
    tcase_add_test(t, both_families);
    tcase_add_test(t, rule_b10_5_sixteen_addresses);
    tcase_add_test(t, rule_b10_5_identical_queries_are_merged);
    tcase_add_test(t, rule_b10_5_cache_is_per_user);
    tcase_add_test(t, rule_b10_5_ttl_is_capped);
    tcase_add_test(t, failures_are_remembered_for_a_second);
    tcase_add_test(t, rule_b10_5_cache_is_bounded);
    tcase_add_test(t, rule_b10_5_deadline);
    tcase_add_test(t, a_changed_resolv_conf_serves_the_next_lookup);
    tcase_add_test(t, rule_b10_5_share_of_a_user);
    tcase_add_test(t, rule_b10_5_users_leave_lookups_to_others);
    tcase_add_test(t, memory_is_charged);
    tcase_add_test(t, start_inside_an_answer);
    tcase_add_test(t, free_with_queries_under_way);
    tcase_add_test(t, system_says_what_getaddrinfo_says);
    tcase_add_test(t, system_cancel);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)
