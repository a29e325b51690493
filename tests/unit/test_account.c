/* SPDX-License-Identifier: MIT */
/* Tests of daemon/base/account: life, limits, and fair turns. */
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>
#include <signal.h>
#include <string.h>

static const uint64_t key[2] = {1, 2};
static struct loop *loop;
static struct accounts all;
static struct account *alice, *bob;

static void setup(void)
{
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(accounts_init(&all, loop, key), 0);
    ck_assert_int_eq(account_get(&all, 1000, &alice), 0);
    ck_assert_int_eq(account_get(&all, 1001, &bob), 0);
}

static void teardown(void)
{
    account_release(&alice);
    account_release(&bob);
    accounts_done(&all);
    loop_free(loop);
}

/* ---- life ---- */

static void on_stop(void *owner)
{
    (void)owner;
    loop_stop(loop);
}

static void run_for(uint64_t us)
{
    struct loop_timer timer;

    loop_now_refresh(loop);
    loop_timer_init(&timer, loop, on_stop, NULL);
    loop_timer_at(&timer, loop_now_us(loop) + us);
    loop_run(loop);
    loop_timer_stop(&timer);
}

START_TEST(test_one_account_per_uid)
{
    struct account *again;

    ck_assert_int_eq(account_get(&all, 1000, &again), 0);
    ck_assert_ptr_eq(again, alice);
    ck_assert_ptr_ne(alice, bob);
    account_release(&again);
    ck_assert_ptr_null(again);
    ck_assert_uint_eq(alice->refs, 1);
}
END_TEST

START_TEST(test_dies_after_linger)
{
    all.linger_us = 30000;
    account_release(&bob);
    ck_assert_uint_eq(rqv_map_count(&all.map), 2);
    ck_assert_int_eq(account_get(&all, 1001, &bob), 0); /* back in time */
    ck_assert_uint_eq(all.idle_count, 0);
    run_for(60000);
    ck_assert_uint_eq(rqv_map_count(&all.map), 2);
    account_release(&bob);
    run_for(100000);
    ck_assert_uint_eq(rqv_map_count(&all.map), 1);
    ck_assert_uint_eq(all.idle_count, 0);
}
END_TEST

START_TEST(test_idle_accounts_are_bounded)
{
    struct account *one;

    for (uid_t uid = 5000; uid < 5000 + 2 * ACCOUNTS_IDLE_MAX; uid++) {
        ck_assert_int_eq(account_get(&all, uid, &one), 0);
        account_release(&one);
    }
    ck_assert_uint_eq(all.idle_count, ACCOUNTS_IDLE_MAX);
    ck_assert_uint_eq(rqv_map_count(&all.map), ACCOUNTS_IDLE_MAX + 2);
}
END_TEST

/* ---- charging ---- */

START_TEST(rule_b9_6_memory_is_charged_to_the_uid)
{
    all.limit_uid[ACCOUNT_MEMORY] = 1000;
    all.limit_all[ACCOUNT_MEMORY] = 4000;
    ck_assert_int_eq(account_charge(alice, ACCOUNT_MEMORY, 1000), 0);
    ck_assert_int_eq(account_charge(alice, ACCOUNT_MEMORY, 1), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(account_charge(alice, ACCOUNT_MEMORY, SIZE_MAX), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(alice->refused[ACCOUNT_MEMORY], 2);
    ck_assert_uint_eq(alice->used[ACCOUNT_MEMORY], 1000);
    ck_assert_int_eq(account_charge(bob, ACCOUNT_MEMORY, 500), 0); /* his own share */
    ck_assert_uint_eq(all.used[ACCOUNT_MEMORY], 1500);
    account_refund(alice, ACCOUNT_MEMORY, 1000);
    account_refund(bob, ACCOUNT_MEMORY, 500);
    ck_assert_uint_eq(all.used[ACCOUNT_MEMORY], 0);
    ck_assert_uint_eq(alice->peak_memory, 1000);
}
END_TEST

static size_t take_all(struct account *account, enum account_kind kind)
{
    size_t n = 0;

    while (account_charge(account, kind, 1) == 0)
        n++;
    return n;
}

/* Of 160 a sixteenth is kept; of what is left, nobody gets more than he leaves to the next. */
START_TEST(rule_b9_6_a_uid_leaves_as_much_as_it_takes)
{
    static const size_t shares[] = {75, 38, 19, 9, 5, 2, 1, 1};
    struct account *users[8];

    all.limit_all[ACCOUNT_REQUESTS] = 160;
    for (size_t i = 0; i < 8; i++) {
        ck_assert_int_eq(account_get(&all, (uid_t)(2000 + i), &users[i]), 0);
        ck_assert_uint_eq(take_all(users[i], ACCOUNT_REQUESTS), shares[i]);
    }
    ck_assert_int_eq(account_check(alice, ACCOUNT_REQUESTS, 1), REQIVO_E_LIMIT_REQUESTS);
    account_refund(users[0], ACCOUNT_REQUESTS, 40);
    ck_assert_int_eq(account_charge(users[0], ACCOUNT_REQUESTS, 4), REQIVO_E_LIMIT_REQUESTS);
    ck_assert_uint_eq(take_all(alice, ACCOUNT_REQUESTS), 20); /* what was freed is the newcomer's first */
    account_refund(alice, ACCOUNT_REQUESTS, 20);
    account_refund(users[0], ACCOUNT_REQUESTS, shares[0] - 40);
    for (size_t i = 0; i < 8; i++) {
        if (i > 0)
            account_refund(users[i], ACCOUNT_REQUESTS, shares[i]);
        account_release(&users[i]);
    }
    ck_assert_uint_eq(all.used[ACCOUNT_REQUESTS], 0);
}
END_TEST

/* Root and the daemon's own user have what nobody else gets, and no share but their limit. */
START_TEST(rule_b9_3_a_part_is_kept_for_root)
{
    struct account *root, *own;

    all.own_uid = 4242;
    ck_assert_int_eq(account_get(&all, 0, &root), 0);
    ck_assert_int_eq(account_get(&all, 4242, &own), 0);
    all.limit_uid[ACCOUNT_PEERS] = 120;
    all.limit_all[ACCOUNT_PEERS] = 160;
    ck_assert_uint_eq(take_all(alice, ACCOUNT_PEERS), 75);
    ck_assert_uint_eq(take_all(own, ACCOUNT_PEERS), 85);
    ck_assert_int_eq(account_charge(bob, ACCOUNT_PEERS, 1), REQIVO_E_LIMIT_PEERS);
    ck_assert_int_eq(account_check(root, ACCOUNT_PEERS, 1), REQIVO_E_LIMIT_PEERS);
    ck_assert_uint_eq(bob->refused[ACCOUNT_PEERS], 1);
    account_refund(alice, ACCOUNT_PEERS, 75);
    ck_assert_uint_eq(take_all(root, ACCOUNT_PEERS), 75);
    account_refund(own, ACCOUNT_PEERS, 85);
    ck_assert_uint_eq(take_all(root, ACCOUNT_PEERS), 45);
    account_refund(root, ACCOUNT_PEERS, 120);
    account_release(&root);
    account_release(&own);
}
END_TEST

/* With the defaults one busy user has all of his limits while the others are quiet. */
START_TEST(rule_b9_3_a_lone_uid_has_its_documented_numbers)
{
    struct conf conf;

    conf_defaults(&conf);
    accounts_configure(&all, &conf, 65536);
    ck_assert_int_eq(account_check(alice, ACCOUNT_MEMORY, 64u << 20), 0);
    ck_assert_int_eq(account_check(alice, ACCOUNT_REQUESTS, 8192), 0);
    ck_assert_int_eq(account_check(alice, ACCOUNT_PEERS, 4096), 0);
    ck_assert_int_eq(account_check(alice, ACCOUNT_CONNS, 1024), 0);
    ck_assert_int_lt(account_check(alice, ACCOUNT_MEMORY, (64u << 20) + 1), 0);
    ck_assert_uint_le(all.limit_all[ACCOUNT_MEMORY] + all.limit_all[ACCOUNT_OWED], 256u << 20);
    all.limit_all[ACCOUNT_PEERS] = 1; /* half of one is one */
    ck_assert_int_eq(account_check(alice, ACCOUNT_PEERS, 1), 0);
}
END_TEST

START_TEST(test_codes_of_kinds)
{
    memset(all.limit_uid, 0, sizeof(all.limit_uid));
    ck_assert_int_eq(account_charge(bob, ACCOUNT_REQUESTS, 1), REQIVO_E_LIMIT_REQUESTS);
    ck_assert_int_eq(account_charge(bob, ACCOUNT_CONNS, 1), REQIVO_E_LIMIT_REQUESTS);
    ck_assert_int_eq(account_charge(bob, ACCOUNT_TRUSTS, 1), REQIVO_E_LIMIT_TRUST);
}
END_TEST

static void limits_of(struct conf *conf, uint64_t nofile, size_t peers, size_t conns, bool as_asked)
{
    ck_assert_int_eq(accounts_configure(&all, conf, nofile), as_asked);
    ck_assert_uint_eq(all.limit_all[ACCOUNT_PEERS], peers);
    ck_assert_uint_eq(all.limit_all[ACCOUNT_CONNS], conns);
}

START_TEST(rule_b10_2_totals_follow_the_descriptors)
{
    struct conf conf;

    conf_defaults(&conf);
    limits_of(&conf, 65536, 32712, 32712, true);
    ck_assert_uint_eq(all.limit_uid[ACCOUNT_MEMORY], 64u << 20);
    ck_assert_uint_eq(all.limit_all[ACCOUNT_REQUESTS], 32768);
    limits_of(&conf, 1112, 500, 500, true);
    limits_of(&conf, 10, 8, 8, true);
    conf.peers_total = 900;
    limits_of(&conf, 1112, 875, 125, false);
    conf.peers_total = 800;
    limits_of(&conf, 1112, 800, 200, true);
    conf.connections_total = 300;
    limits_of(&conf, 1112, 800, 200, false);
    conf.peers_total = 0;
    limits_of(&conf, 1112, 700, 300, true);
}
END_TEST

/* ---- fair turns ---- */

struct worker_of_test {
    struct fair_item item;
    unsigned left;
};

static unsigned served[2], order_of_bob;

static bool on_turn_alice(void *owner)
{
    struct worker_of_test *w = owner;

    served[0]++;
    return --w->left > 0;
}

static bool on_turn_bob(void *owner)
{
    struct worker_of_test *w = owner;

    served[1]++;
    if (!order_of_bob)
        order_of_bob = served[0] + 1;
    return --w->left > 0;
}

START_TEST(rule_b10_1_fairness)
{
    static struct worker_of_test many[1000], single;

    all.turn_us = UINT64_MAX;
    for (int i = 0; i < 1000; i++) {
        many[i].left = 10;
        fair_item_init(&many[i].item, alice, on_turn_alice, &many[i]);
        fair_queue(&many[i].item);
    }
    single.left = 1;
    fair_item_init(&single.item, bob, on_turn_bob, &single);
    fair_queue(&single.item);
    loop_settle(loop);
    ck_assert_uint_eq(served[0], 10000);
    ck_assert_uint_eq(served[1], 1);
    ck_assert_uint_le(order_of_bob, 2); /* after at most one of the first's */
}
END_TEST

static void on_last(void *owner)
{
    loop_stop(owner);
}

/* A turn ends when its budget is spent, however much is waiting, and the next one goes on. */
START_TEST(rule_b10_1_budget)
{
    struct worker_of_test busy = {.left = 1000000};
    struct loop_task stop;

    all.turn_us = UINT64_MAX;
    fair_item_init(&busy.item, alice, on_turn_alice, &busy);
    fair_queue(&busy.item);
    loop_task_init(&stop, on_last, loop);
    loop_task_queue(loop, &stop, LOOP_FREE);
    loop_run(loop);
    ck_assert_uint_eq(served[0], ACCOUNTS_BUDGET);
    loop_task_queue(loop, &stop, LOOP_FREE);
    loop_run(loop);
    ck_assert_uint_eq(served[0], 2 * ACCOUNTS_BUDGET);
    fair_drop(&busy.item);
    fair_drop(&busy.item);
    loop_task_queue(loop, &stop, LOOP_FREE);
    loop_run(loop);
    ck_assert_uint_eq(served[0], 2 * ACCOUNTS_BUDGET);
    ck_assert(rqv_list_empty(&all.ring));
}
END_TEST

static void one_turn(void)
{
    struct loop_task stop;

    loop_task_init(&stop, on_last, loop);
    loop_task_queue(loop, &stop, LOOP_FREE);
    loop_run(loop);
}

/* Its time is up before the first: it looks after each few, and stops. */
START_TEST(rule_b10_1_a_turn_has_its_time)
{
    struct worker_of_test busy = {.left = 1000000};

    all.turn_us = 0;
    fair_item_init(&busy.item, alice, on_turn_alice, &busy);
    fair_queue(&busy.item);
    one_turn();
    ck_assert_uint_eq(served[0], ACCOUNTS_CLOCK);
    one_turn();
    ck_assert_uint_eq(served[0], 2 * ACCOUNTS_CLOCK);
    fair_drop(&busy.item);
}
END_TEST

/* However little time there is, and however many accounts: each gets one. */
START_TEST(rule_b10_1_everyone_has_a_turn)
{
    static struct worker_of_test workers[3 * ACCOUNTS_BUDGET];
    static struct account *accounts[3 * ACCOUNTS_BUDGET];

    all.turn_us = 0;
    for (unsigned i = 0; i < 3 * ACCOUNTS_BUDGET; i++) {
        ck_assert_int_eq(account_get(&all, 5000 + i, &accounts[i]), 0);
        workers[i].left = 1000;
        fair_item_init(&workers[i].item, accounts[i], on_turn_alice, &workers[i]);
        fair_queue(&workers[i].item);
    }
    for (unsigned turn = 1; turn <= 3; turn++) {
        one_turn();
        for (unsigned i = 0; i < 3 * ACCOUNTS_BUDGET; i++)
            ck_assert_uint_eq(workers[i].left, 1000 - turn);
    }
    for (unsigned i = 0; i < 3 * ACCOUNTS_BUDGET; i++) {
        fair_drop(&workers[i].item);
        account_release(&accounts[i]);
    }
    ck_assert_uint_eq(all.ring_count, 0);
}
END_TEST

static struct worker_of_test crowd[100];

static void on_crowd(void *owner)
{
    unsigned *direct = owner, before = served[0];

    for (unsigned i = 0; i < 100; i++)
        fair_serve(&crowd[i].item);
    *direct = served[0] - before;
}

/* Without a circle only where the last turn left nobody waiting, and only the first few. */
START_TEST(rule_b10_1_few_are_served_at_once)
{
    struct loop_task ready;
    unsigned direct = 0;

    all.turn_us = UINT64_MAX;
    for (unsigned i = 0; i < 100; i++) {
        crowd[i].left = 1000;
        fair_item_init(&crowd[i].item, alice, on_turn_alice, &crowd[i]);
    }
    loop_task_init(&ready, on_crowd, &direct);
    for (unsigned turn = 0; turn < 3; turn++) {
        loop_task_queue(loop, &ready, LOOP_WORK);
        one_turn();
        ck_assert_uint_eq(direct, turn == 0 ? ACCOUNTS_DIRECT : 0);
        ck_assert_uint_eq(served[0], ACCOUNTS_DIRECT + (turn + 1) * ACCOUNTS_BUDGET);
    }
    for (unsigned i = 0; i < 100; i++)
        fair_drop(&crowd[i].item);
}
END_TEST

static struct worker_of_test *heap_item;
static struct account *heap_account;

static bool on_free_self(void *owner)
{
    ck_assert_ptr_eq(owner, heap_item);
    free(heap_item);
    heap_item = NULL;
    all.linger_us = 0;
    account_release(&heap_account);
    return false;
}

START_TEST(test_item_may_free_itself)
{
    ck_assert_int_eq(account_get(&all, 7, &heap_account), 0);
    heap_item = calloc(1, sizeof(*heap_item));
    ck_assert_ptr_nonnull(heap_item);
    fair_item_init(&heap_item->item, heap_account, on_free_self, heap_item);
    fair_queue(&heap_item->item);
    fair_queue(&heap_item->item);
    loop_settle(loop);
    ck_assert_ptr_null(heap_item);
    run_for(5000);
    ck_assert_uint_eq(rqv_map_count(&all.map), 2);
}
END_TEST

/* What was never charged cannot be given back: going on would let somebody have what is another's. */
START_TEST(rule_b11_9_wrong_books_end_the_daemon)
{
    ck_assert_int_eq(account_charge(alice, ACCOUNT_MEMORY, 100), 0);
    ck_assert_int_eq(account_charge(bob, ACCOUNT_MEMORY, 100), 0);
    account_refund(alice, ACCOUNT_MEMORY, 100);
    account_refund(alice, ACCOUNT_MEMORY, 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("account");
    TCase *tcase = tcase_create("account");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_one_account_per_uid);
    tcase_add_test(tcase, test_dies_after_linger);
    tcase_add_test(tcase, test_idle_accounts_are_bounded);
    tcase_add_test(tcase, rule_b9_6_memory_is_charged_to_the_uid);
    tcase_add_test(tcase, rule_b9_6_a_uid_leaves_as_much_as_it_takes);
    tcase_add_test(tcase, rule_b9_3_a_part_is_kept_for_root);
    tcase_add_test(tcase, rule_b9_3_a_lone_uid_has_its_documented_numbers);
    tcase_add_test(tcase, test_codes_of_kinds);
    tcase_add_test(tcase, rule_b10_2_totals_follow_the_descriptors);
    tcase_add_test(tcase, rule_b10_1_fairness);
    tcase_add_test(tcase, rule_b10_1_budget);
    tcase_add_test(tcase, rule_b10_1_a_turn_has_its_time);
    tcase_add_test(tcase, rule_b10_1_everyone_has_a_turn);
    tcase_add_test(tcase, rule_b10_1_few_are_served_at_once);
    tcase_add_test(tcase, test_item_may_free_itself);
    tcase_add_test_raise_signal(tcase, rule_b11_9_wrong_books_end_the_daemon, SIGABRT);
    suite_add_tcase(s, tcase);
    return s;
}

UNIT_MAIN(suite)
