/* SPDX-License-Identifier: MIT */
/* test_peer_slow - programs that take nothing of what waits for them: timeouts.slow_reader, security.md B9-8.
 */
#include "tests/lib/mini_program.h"
#include "tests/unit/unit.h"

#define LARGE   (3u << 20)
#define SLOW_MS 150

static char *large_answer(void)
{
    static char answer[LARGE + 128];
    int n = snprintf(answer, 128, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", LARGE);

    memset(answer + n, 'z', LARGE);
    answer[n + (int)LARGE] = '\0';
    return answer;
}

static struct world *slow_world(uint32_t slow_ms)
{
    struct world *w = world_open();

    w->env.conf.slow_reader_ms = slow_ms;
    w->origin.answer = large_answer();
    return w;
}

static void ask_large(struct world *w, struct client *c, uint64_t id, uint32_t credit)
{
    put_request(w, c, id, 0);
    if (credit > 0)
        rqv_wire_encode_credit(&c->out, id, credit);
}

/* Its socket stays full: it is disconnected, its connections are closed, and nobody else is. */
START_TEST(rule_b9_8_who_does_not_read_is_disconnected)
{
    struct world *w = slow_world(SLOW_MS);
    struct client *slow = greeted(w, 1001), *quick = greeted(w, 1000);

    ask_large(w, slow, 1, 1 << 30);
    ask_large(w, slow, 2, 1 << 30);
    flush(slow);
    mini_env_until(&w->env, &w->origin.requests, 2);
    mini_env_until(&w->env, &w->origin.ended, 2);
    ck_assert_uint_eq(w->ipc.slow_closed, 1);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 1);
    until(w, slow, &slow->eof, 1); /* what the kernel had taken, and the end */
    ck_assert_uint_lt(slow->body, LARGE);
    ck_assert_uint_eq(slow->dones, 0);
    w->origin.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    put_request(w, quick, 1, 0);
    until(w, quick, &quick->dones, 1);
    ck_assert_int_eq(quick->code, 0);
    ck_assert(rqv_list_empty(&w->ipc.slow_peers));
    world_close(w);
}
END_TEST

/* It reads, but gives no room for this one response: that request ends, and its connection with it. */
START_TEST(rule_b9_8_a_response_without_room_ends)
{
    struct world *w = slow_world(SLOW_MS);
    struct client *c = greeted(w, 1000);

    ask_large(w, c, 1, 0);
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, REQIVO_E_TIMEOUT_READER);
    ck_assert_uint_eq(c->body, RQV_WIRE_CREDIT_INITIAL);
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_CONNS], 0);
    ask_large(w, c, 2, LARGE);
    until(w, c, &c->dones, 2);
    ck_assert_int_eq(c->code, 0);
    world_close(w);
}
END_TEST

/* What it takes of other responses is no progress of this one. */
START_TEST(rule_b9_8_other_responses_do_not_prolong_it)
{
    struct world *w = slow_world(SLOW_MS);
    struct client *c = greeted(w, 1000);
    uint64_t id = 1;

    ask_large(w, c, id, 0);
    for (int i = 0; i < 200 && c->done_of[1] == 0; i++) {
        ask_large(w, c, ++id, LARGE);
        until(w, c, &c->dones, (unsigned)id - 1);
    }
    ck_assert_uint_eq(c->done_of[1], 1);
    ck_assert_uint_lt(id, 200);
    world_close(w);
}
END_TEST

/* However slowly it reads, as long as it does: each time the kernel takes some more, the time begins anew. */
START_TEST(rule_b9_8_who_reads_slowly_is_kept)
{
    struct world *w = slow_world(600000);
    struct client *c = greeted(w, 1000);
    uint64_t since = 0;
    unsigned times = 0;

    ask_large(w, c, 1, LARGE);
    flush(c);
    for (int i = 0; i < 5000 && c->dones == 0; i++) {
        mini_env_ms(&w->env, 1);
        if (!rqv_list_empty(&c->peer->slow_node)) {
            ck_assert_uint_gt(c->peer->slow_us, since);
            since = c->peer->slow_us;
            times++;
        }
        take(c);
    }
    ck_assert_uint_gt(times, 2);
    ck_assert_int_eq(c->code, 0);
    ck_assert(rqv_list_empty(&w->ipc.slow_peers));
    world_close(w);
}
END_TEST

/* Where the administrator says so, for ever. */
START_TEST(rule_b9_8_zero_is_never)
{
    struct world *w = slow_world(0);
    struct client *full = greeted(w, 1000), *roomless = greeted(w, 1000);

    ask_large(w, full, 1, LARGE);
    ask_large(w, roomless, 1, 0);
    flush(full);
    flush(roomless);
    mini_env_until(&w->env, &w->origin.requests, 2);
    mini_env_ms(&w->env, 2 * SLOW_MS);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 2);
    ck_assert_uint_eq(w->origin.open, 2);
    until(w, full, &full->dones, 1);
    rqv_wire_encode_credit(&roomless->out, 1, LARGE);
    until(w, roomless, &roomless->dones, 1);
    ck_assert_int_eq(roomless->code, 0);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("peer_slow");

    UNIT_TCASE(s, "socket", rule_b9_8_who_does_not_read_is_disconnected, rule_b9_8_who_reads_slowly_is_kept,
               rule_b9_8_zero_is_never);
    UNIT_TCASE(s, "room", rule_b9_8_a_response_without_room_ends,
               rule_b9_8_other_responses_do_not_prolong_it);
    return s;
}

UNIT_MAIN(suite)
