/* SPDX-License-Identifier: MIT */
/* test_peer_memory - programs whose user has no memory left: all is answered or waits, nothing breaks. */
#include "tests/lib/mini_program.h"
#include "tests/unit/unit.h"

#include <malloc.h>

#define IDLE_BYTES 471 /* what an idle program may cost: the target of doc/performance.md */
#define BATCH      50
#define BATCHES    6

/* They have each done a request, and their own memory is given back: what stays is the daemon's. */
static void idlers_come(struct world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct client *c = greeted(w, 1000);
        put_request(w, c, 1, 0);
        until(w, c, &c->dones, 1);
        ck_assert_int_eq(c->code, 0);
        rqv_buf_done(&c->in);
        rqv_buf_done(&c->out);
    }
    mini_env_ms(&w->env, 5);
}

/* One block, nothing that is charged, and nothing elsewhere. `malloc_usable_size` leaves out the 8 bytes that
 * glibc keeps of each block. What is made once for all, such as a block that is kept, falls into some of the
 * batches, and what each program costs into each. Where another allocator is in the place of glibc's, as
 * under a sanitizer, mallinfo2 tells nothing. */
START_TEST(an_idle_program_costs_no_more_than_the_target)
{
    struct world *w = world_open();
    size_t least = SIZE_MAX;

    idlers_come(w, BATCH);
    size_t charged = account_memory(w->env.account->used);
    for (int i = 1; i < BATCHES; i++) {
        size_t before = mallinfo2().uordblks;
        idlers_come(w, BATCH);
        size_t grown = mallinfo2().uordblks - before;
        least = grown < least ? grown : least;
    }
    ck_assert_uint_le(malloc_usable_size(w->clients[BATCH].peer) + sizeof(size_t), IDLE_BYTES);
    ck_assert_uint_le(least / BATCH, IDLE_BYTES);
    ck_assert_uint_eq(account_memory(w->env.account->used), charged);
    world_close(w);
}
END_TEST

/* No memory for a frame that is begun: it rests without turning the loop, and goes on when there is some. */
START_TEST(rule_b9_6_no_memory_for_a_frame_is_waited_for)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    struct loop_stats before, after;
    size_t limit = w->env.accounts.limit_uid[ACCOUNT_MEMORY];

    put_request(w, c, 1, 0);
    ck_assert_int_eq(send(c->fd, rqv_buf_head(&c->out), 20, 0), 20);
    rqv_buf_consume(&c->out, 20);
    mini_env_ms(&w->env, 5);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = w->env.account->used[ACCOUNT_MEMORY];
    flush(c);
    mini_env_ms(&w->env, 5);
    loop_stats(w->env.loop, &before);
    mini_env_ms(&w->env, 50);
    loop_stats(w->env.loop, &after);
    ck_assert_uint_lt(after.turns - before.turns, 400);
    ck_assert_uint_eq(c->peer->last_id, 0);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = limit;
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, 0);
    world_close(w);
}
END_TEST

/* What is left holds a block of 64 KiB and what a request takes, and that is enough to read it. */
START_TEST(rule_b9_6_a_small_frame_needs_no_large_block)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    size_t limit = w->env.accounts.limit_uid[ACCOUNT_MEMORY];

    put_request(w, c, 1, 0);
    until(w, c, &c->dones, 1);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = w->env.account->used[ACCOUNT_MEMORY] + 110000;
    put_request(w, c, 2, 0);
    for (int i = 0; i < 5000 && c->dones < 2; i++) {
        flush(c);
        mini_env_ms(&w->env, 1);
        take(c);
        ck_assert(!c->peer->hungry);
    }
    ck_assert_uint_eq(c->dones, 2);
    ck_assert_int_eq(c->code, 0);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = limit;
    world_close(w);
}
END_TEST

START_TEST(rule_b9_5_all_that_may_be_in_flight_fits)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    w->origin.on_whole = silence;
    for (uint64_t id = 1; id <= RQV_WIRE_IN_FLIGHT_MAX; id++)
        put_request(w, c, id, 0);
    until(w, c, &w->env.exchanges.live, RQV_WIRE_IN_FLIGHT_MAX);
    ck_assert_uint_eq(c->dones, 0);
    ck_assert_uint_le(w->env.account->used[ACCOUNT_MEMORY], w->env.accounts.limit_uid[ACCOUNT_MEMORY] / 3);
    world_close(w);
}
END_TEST

/* Not a byte of memory is left: HELLO and requests are answered all the same, and nothing of that stays. */
START_TEST(rule_b9_6_without_memory_a_request_is_answered)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    size_t limit = w->env.accounts.limit_uid[ACCOUNT_MEMORY];

    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = 0;
    struct client *late = greeted(w, 1000);
    for (uint64_t id = 1; id <= 1000; id++)
        put_request(w, c, id, 0);
    rqv_wire_encode_query(&late->out, 1, RQV_QUERY_STATUS);
    until(w, c, &c->dones, 1000);
    ck_assert_int_eq(c->code, REQIVO_E_LIMIT_MEMORY);
    until(w, late, &late->dones, 1);
    ck_assert_int_eq(late->code, 0);
    ck_assert_uint_eq(late->infos, 1);
    ck_assert_uint_eq(account_memory(w->env.account->used), 0);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = limit;
    put_request(w, c, 1001, 0);
    until(w, c, &c->dones, 1001);
    ck_assert_int_eq(c->code, 0);
    world_close(w);
}
END_TEST

/* Who does not take those answers is not read from: what is owed to it is bounded. */
START_TEST(rule_b9_6_what_is_owed_is_bounded)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = 0;
    for (uint64_t id = 1; id < IDS; id++)
        put_request(w, c, id, 0);
    for (int i = 0; i < 1000 && c->peer->out.kind != ACCOUNT_OWED; i++) {
        flush(c);
        mini_env_ms(&w->env, 1);
    }
    mini_env_ms(&w->env, 50);
    ck_assert_uint_le(queue_len(&c->peer->out), PEER_FRAMES * PEER_DONE);
    ck_assert_uint_le(w->env.account->used[ACCOUNT_OWED], 262144);
    until(w, c, &c->dones, IDS - 1);
    world_close(w);
}
END_TEST

/* A body that has begun is not ended because there is no memory for its next piece: it waits. */
START_TEST(rule_b9_6_a_body_waits_for_memory)
{
    static char bytes[50000];
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    size_t limit = w->env.accounts.limit_uid[ACCOUNT_MEMORY];

    put_request(w, c, 1, RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
    until(w, c, &w->env.exchanges.live, 1);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = 0;
    rqv_wire_encode_data(&c->out, 1, RQV_FLAG_END, (struct rqv_str){bytes, sizeof bytes});
    flush(c);
    for (int i = 0; i < 5000 && !c->peer->starved; i++)
        mini_env_ms(&w->env, 1);
    mini_env_ms(&w->env, 50);
    take(c);
    ck_assert_uint_eq(c->dones, 0);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = limit;
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, 0);
    ck_assert(!c->peer->starved);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("peer_memory");

    UNIT_TCASE(s, "memory", an_idle_program_costs_no_more_than_the_target,
               rule_b9_6_no_memory_for_a_frame_is_waited_for, rule_b9_6_a_small_frame_needs_no_large_block,
               rule_b9_5_all_that_may_be_in_flight_fits, rule_b9_6_without_memory_a_request_is_answered,
               rule_b9_6_what_is_owed_is_bounded, rule_b9_6_a_body_waits_for_memory);
    return s;
}

UNIT_MAIN(suite)
