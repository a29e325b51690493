/* SPDX-License-Identifier: MIT */
/* test_queue - what a queue holds is charged, block for block; blocks are used again; limits hold to the
 * byte. */
#include "daemon/base/queue.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <string.h>

struct fixture {
    struct loop *loop;
    struct accounts accounts;
    struct account *account;
    struct queue_pool pool;
};

static void fixture_init(struct fixture *f)
{
    static const uint64_t key[2] = {1, 2};

    ck_assert_int_eq(loop_new(&f->loop), 0);
    ck_assert_int_eq(accounts_init(&f->accounts, f->loop, key), 0);
    ck_assert_int_eq(account_get(&f->accounts, 1000, &f->account), 0);
    queue_pool_init(&f->pool, &f->accounts);
}

static unsigned kept(const struct fixture *f)
{
    unsigned n = 0;

    for (unsigned rank = 0; rank < QUEUE_RANKS; rank++)
        n += f->pool.count[rank];
    return n;
}

/* The list of the blocks that queues usually begin with. */
#define BLOCK_RANK 4

static void fixture_done(struct fixture *f)
{
    ck_assert_uint_eq(QUEUE_LEAST << BLOCK_RANK, QUEUE_BLOCK);
    ck_assert_uint_eq(f->account->used[ACCOUNT_OWED], 0);
    ck_assert_uint_eq(f->account->used[ACCOUNT_MEMORY], 0);
    ck_assert_uint_eq(f->accounts.used[ACCOUNT_MEMORY], 0);
    queue_pool_done(&f->pool);
    account_release(&f->account);
    accounts_done(&f->accounts);
    loop_free(f->loop);
}

START_TEST(capacity_is_what_is_charged)
{
    static const char bytes[100000];
    struct fixture f;
    struct queue queue;

    fixture_init(&f);
    queue_init(&queue, f.account, 1 << 20);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], 0);
    for (size_t n = 1; n < sizeof bytes; n *= 3) {
        ck_assert_int_eq(queue_append(&queue, bytes, n), 0);
        ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], queue.buf.cap);
        ck_assert_uint_ge(queue.buf.cap, queue_len(&queue));
    }
    queue_consume(&queue, queue_len(&queue) - 1);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], queue.buf.cap);
    queue_consume(&queue, 1);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], 0);
    ck_assert_ptr_null(queue.buf.data);
    queue_done(&queue);
    fixture_done(&f);
}
END_TEST

START_TEST(nothing_costs_nothing)
{
    struct fixture f;
    struct queue queue;

    fixture_init(&f);
    queue_init(&queue, f.account, 1 << 20);
    ck_assert_int_eq(queue_append(&queue, "", 0), 0);
    ck_assert_int_eq(queue_reserve(&queue, 0), 0);
    queue_consume(&queue, 0);
    ck_assert_ptr_null(queue.buf.data);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], 0);
    queue_done(&queue);
    fixture_done(&f);
}
END_TEST

/* A body that is sent from where it was read moves the DONE behind it: nothing of that stays unwiped. */
START_TEST(what_came_last_is_taken_back)
{
    struct fixture f;
    struct queue queue;

    fixture_init(&f);
    queue_init(&queue, f.account, 1 << 20);
    ck_assert_int_eq(queue_append(&queue, "head", 4), 0);
    ck_assert_int_eq(queue_append(&queue, "closing", 7), 0);
    queue_drop_end(&queue, 7);
    ck_assert_uint_eq(queue_len(&queue), 4);
    ck_assert_mem_eq(rqv_buf_head(&queue.buf), "head", 4);
    queue_drop_end(&queue, 4);
    queue_drop_end(&queue, 1);
    ck_assert_uint_eq(queue_len(&queue), 0);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], queue.buf.cap);
    queue_consume(&queue, 0);
    ck_assert_ptr_null(queue.buf.data);
    ck_assert_uint_eq(kept(&f), 1);
    for (size_t i = 0; i < 11; i++)
        ck_assert_uint_eq(f.pool.free[BLOCK_RANK][0][i], 0);
    fixture_done(&f);
}
END_TEST

START_TEST(a_block_is_used_again)
{
    struct fixture f;
    struct queue one, two;

    fixture_init(&f);
    queue_init(&one, f.account, 1 << 20);
    queue_init(&two, f.account, 1 << 20);
    ck_assert_int_eq(queue_append(&one, "x", 1), 0);
    uint8_t *block = one.buf.data;
    ck_assert_uint_eq(one.buf.cap, QUEUE_BLOCK);
    queue_consume(&one, 1);
    ck_assert_uint_eq(kept(&f), 1);
    ck_assert_int_eq(queue_append(&two, "yz", 2), 0);
    ck_assert_ptr_eq(two.buf.data, block);
    ck_assert_uint_eq(kept(&f), 0);
    ck_assert_mem_eq(rqv_buf_head(&two.buf), "yz", 2);
    queue_done(&two);
    ck_assert_uint_eq(kept(&f), 1);
    queue_done(&one);
    fixture_done(&f);
}
END_TEST

/* The limit of the queue itself, to the byte, with a new block and with one from the list. */
START_TEST(rule_b9_6_the_queues_own_limit_is_exact)
{
    static const char bytes[262144];
    struct fixture f;
    struct queue large, small;

    fixture_init(&f);
    queue_init(&large, f.account, sizeof bytes);
    queue_init(&small, f.account, 100000);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(queue_append(&small, bytes, 100000), 0);
        ck_assert_int_eq(queue_append(&small, bytes, 1), REQIVO_E_LIMIT_MEMORY);
        ck_assert_uint_eq(queue_len(&small), 100000);
        queue_consume(&small, 100000);
        ck_assert_int_eq(queue_append(&small, bytes, 100001), REQIVO_E_LIMIT_MEMORY);
        ck_assert_int_eq(queue_append(&large, bytes, sizeof bytes), 0);
        queue_consume(&large, sizeof bytes); /* its block is larger than what `small` may hold */
    }
    queue_done(&large);
    queue_done(&small);
    fixture_done(&f);
}
END_TEST

/* The limit of the account: refused before it is made, and nothing is lost or kept. */
START_TEST(rule_b9_6_the_accounts_limit_holds)
{
    static const char bytes[65536];
    struct fixture f;
    struct queue one, two;

    fixture_init(&f);
    f.accounts.limit_uid[ACCOUNT_MEMORY] = 3 * QUEUE_BLOCK;
    queue_init(&one, f.account, 1 << 20);
    queue_init(&two, f.account, 1 << 20);
    ck_assert_int_eq(queue_append(&one, "abc", 3), 0);
    ck_assert_int_eq(queue_append(&one, bytes, sizeof bytes), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(queue_len(&one), 3);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], QUEUE_BLOCK);
    ck_assert_int_eq(queue_append(&two, bytes, 2 * QUEUE_BLOCK + 1), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], QUEUE_BLOCK);
    ck_assert_uint_ge(f.account->refused[ACCOUNT_MEMORY], 2);
    queue_done(&one);
    queue_done(&two);
    fixture_done(&f);
}
END_TEST

/* Large blocks never fill the list, and no small queue pays for one. */
START_TEST(large_blocks_stay_few)
{
    static const char bytes[131072];
    struct fixture f;
    struct queue queues[40], small;

    fixture_init(&f);
    for (int i = 0; i < 40; i++) {
        queue_init(&queues[i], f.account, 1 << 20);
        ck_assert_int_eq(queue_append(&queues[i], bytes, sizeof bytes), 0);
    }
    for (int i = 0; i < 40; i++)
        queue_done(&queues[i]);
    ck_assert_uint_le(kept(&f), 16);
    ck_assert_uint_eq(f.pool.large, kept(&f));
    queue_init(&small, f.account, 1 << 20);
    ck_assert_int_eq(queue_append(&small, "x", 1), 0);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], QUEUE_BLOCK);
    queue_done(&small);
    ck_assert_uint_eq(kept(&f), f.pool.large + 1);
    fixture_done(&f);
}
END_TEST

/* What waits is charged what it holds, not a whole block, and its block is used again too. */
START_TEST(rule_b9_6_a_small_queue_costs_little)
{
    static const char bytes[20000];
    static const struct {
        size_t n, cap;
    } table[] = {{1, 1024},    {700, 1024},    {1024, 1024},  {1025, 2048},
                 {3000, 4096}, {16384, 16384}, {20000, 32768}};
    struct fixture f;
    struct queue queue, tight;

    fixture_init(&f);
    queue_init_small(&queue, f.account, 1 << 20);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_int_eq(queue_append(&queue, bytes, table[i].n), 0);
        ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], table[i].cap);
        queue_consume(&queue, table[i].n);
    }
    ck_assert_uint_eq(kept(&f), 5); /* one of each size */
    queue_init_small(&tight, f.account, 700);
    ck_assert_int_eq(queue_append(&tight, bytes, 700), 0);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], 700);
    queue_done(&tight);
    queue_done(&queue);
    fixture_done(&f);
}
END_TEST

/* What is owed has memory of its own, which is as limited; it moves to the other when there is some. */
START_TEST(rule_b9_6_what_is_owed_fits_when_memory_is_used_up)
{
    static const char bytes[65536];
    struct fixture f;
    struct queue large, one;

    fixture_init(&f);
    f.accounts.limit_uid[ACCOUNT_MEMORY] = sizeof bytes;
    f.accounts.limit_uid[ACCOUNT_OWED] = 4096;
    queue_init(&large, f.account, 1 << 20);
    queue_init(&one, f.account, 1 << 20);
    ck_assert_int_eq(queue_append(&large, bytes, sizeof bytes), 0);
    ck_assert_int_eq(queue_append(&one, "DONE", 4), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(queue_append_owed(&one, "DONE", 4), 0);
    ck_assert_uint_eq(f.account->used[ACCOUNT_OWED], 1024);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], sizeof bytes);
    ck_assert_int_eq(queue_append_owed(&one, bytes, 1500), 0);
    ck_assert_uint_eq(f.account->used[ACCOUNT_OWED], 2048);
    ck_assert_int_eq(queue_append_owed(&one, bytes, 4096), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(queue_len(&one), 1504);
    ck_assert_uint_eq(account_memory(f.account->used), sizeof bytes + 2048);
    queue_consume(&large, sizeof bytes);
    ck_assert_int_eq(queue_append_owed(&one, bytes, 4096), 0);
    ck_assert_uint_eq(f.account->used[ACCOUNT_OWED], 0);
    ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], one.buf.cap);
    ck_assert_mem_eq(rqv_buf_head(&one.buf), "DONE", 4);
    queue_consume(&one, queue_len(&one));
    queue_done(&one);
    queue_done(&large);
    fixture_done(&f);
}
END_TEST

/* A thousand appends and consumes against a plain array. */
START_TEST(content_and_charge_agree_with_a_model)
{
    static uint8_t model[1 << 18], piece[4096];
    struct fixture f;
    struct queue queue;
    size_t len = 0;
    unsigned state = 12345;

    fixture_init(&f);
    queue_init(&queue, f.account, 200000);
    for (int step = 0; step < 2000; step++) {
        state = state * 1103515245u + 12345u;
        size_t n = (state >> 8) % sizeof piece;
        if (state >> 31) {
            memset(piece, (int)(step & 0xff), n);
            int rc = queue_append(&queue, piece, n);
            ck_assert_int_eq(rc, len + n > 200000 ? REQIVO_E_LIMIT_MEMORY : 0);
            if (rc == 0) {
                memcpy(model + len, piece, n);
                len += n;
            }
        } else {
            n = n < len ? n : len;
            queue_consume(&queue, n);
            memmove(model, model + n, len - n);
            len -= n;
        }
        ck_assert_uint_eq(queue_len(&queue), len);
        if (len > 0)
            ck_assert_int_eq(memcmp(rqv_buf_head(&queue.buf), model, len), 0);
        ck_assert_uint_eq(f.account->used[ACCOUNT_MEMORY], queue.buf.cap);
    }
    queue_done(&queue);
    fixture_done(&f);
}
END_TEST

START_TEST(rule_b2_10_a_block_is_wiped_before_it_is_given_back)
{
    static const char secret[] = "Authorization: Bearer of-one-request";
    struct fixture f;
    struct queue queue;

    fixture_init(&f);
    queue_init(&queue, f.account, 1 << 20);
    ck_assert_int_eq(queue_append(&queue, "x", 1), 0);
    ck_assert_int_eq(queue_append(&queue, secret, sizeof secret), 0);
    queue_consume(&queue, 1);
    queue_consume(&queue, queue_len(&queue));
    ck_assert_uint_eq(kept(&f), 1);
    for (size_t i = 0; i <= sizeof secret; i++)
        ck_assert_uint_eq(f.pool.free[BLOCK_RANK][0][i], 0);
    queue_done(&queue);
    fixture_done(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("queue");

    UNIT_TCASE(s, "charge", capacity_is_what_is_charged, nothing_costs_nothing, what_came_last_is_taken_back,
               a_block_is_used_again, large_blocks_stay_few, content_and_charge_agree_with_a_model,
               rule_b2_10_a_block_is_wiped_before_it_is_given_back);
    UNIT_TCASE(s, "limits", rule_b9_6_the_queues_own_limit_is_exact, rule_b9_6_the_accounts_limit_holds,
               rule_b9_6_a_small_queue_costs_little, rule_b9_6_what_is_owed_fits_when_memory_is_used_up);
    return s;
}

UNIT_MAIN(suite)
