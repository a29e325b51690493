/* SPDX-License-Identifier: MIT */
/* test_pool - who gets which connection, when one is made, when one ends; and what never happens (security.md
 * B1, B4). */
#include "daemon/base/log.h"
#include "tests/lib/mini_want.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t suspended_s;

/* The program's own, in libc's place: a host that has slept has a CLOCK_BOOTTIME that went on, and a
 * CLOCK_MONOTONIC that did not. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && id == CLOCK_BOOTTIME)
        ts->tv_sec += suspended_s;
    return rc;
}

START_TEST(idle_connections_are_used_last_first)
{
    struct world *w = world_open();

    for (int n = 0; n < 3; n++)
        want_start(w, n);
    for (int n = 0; n < 3; n++)
        want_ask(w, n);
    for (int n = 0; n < 3; n++)
        mini_env_until(&w->env, &w->wants[n].ended, 1);
    uint64_t first = w->wants[0].lease.conn_id, last = w->wants[1].lease.conn_id;
    lease_release(&w->wants[0].lease);
    lease_release(&w->wants[2].lease);
    lease_release(&w->wants[1].lease);
    ck_assert_uint_eq(w->pool->count[CONN_IDLE], 3);
    ck_assert_uint_eq(once(w, 3), last);
    ck_assert_uint_eq(once(w, 4), last);
    ck_assert_uint_ne(first, last);
    ck_assert_uint_eq(w->origin.accepted, 3);
    ck_assert_uint_eq(w->pool->stats.reused, 2);
    world_close(w);
}
END_TEST

START_TEST(twenty_at_once_take_exactly_eight)
{
    struct world *w = world_open();

    for (int n = 0; n < 20; n++)
        want_start(w, n);
    mini_env_until(&w->env, &grants, 8);
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(grants, 8);
    ck_assert_uint_eq(pool_conns(w->pool), 8);
    for (int n = 0; n < 20; n++) {
        want_ask(w, n);
        mini_env_until(&w->env, &w->wants[n].ended, 1);
        lease_release(&w->wants[n].lease);
    }
    ck_assert_uint_eq(w->origin.accepted, 8);
    ck_assert_uint_eq(w->origin.most_open, 8);
    ck_assert_uint_eq(w->origin.requests, 20);
    world_close(w);
}
END_TEST

/* Uids take turns, then the first who came. */
START_TEST(waiters_are_served_in_turn)
{
    struct world *w = world_open();

    w->env.conf.pool_connections = 1;
    for (int n = 0; n < 4; n++)
        want_start(w, n);
    for (int n = 4; n < 6; n++)
        ck_assert_int_eq(want_from(w, n, w->pool, &w->other), 0);
    static const int order[] = {0, 4, 1, 5, 2, 3};
    for (unsigned i = 0; i < 6; i++) {
        want_ask(w, order[i]);
        ck_assert_uint_eq(w->wants[order[i]].turn, i + 1);
        mini_env_until(&w->env, &w->wants[order[i]].ended, 1);
        lease_release(&w->wants[order[i]].lease);
    }
    ck_assert_uint_eq(w->origin.accepted, 1);
    world_close(w);
}
END_TEST

START_TEST(too_many_waiters_are_refused)
{
    struct world *w = world_open();

    w->env.conf.pool_waiters = 2;
    want_start(w, 0);
    want_start(w, 1);
    ck_assert_int_eq(want_from(w, 2, w->pool, &w->source), REQIVO_E_LIMIT_REQUESTS);
    world_close(w);
}
END_TEST

START_TEST(a_refused_connect_is_held_down)
{
    struct world *w = world_open();

    w->env.conf.pool_hold_down_ms = 60;
    mini_origin_close(&w->origin);
    want_start(w, 0);
    want_start(w, 1);
    mini_env_until(&w->env, &w->wants[0].failed, 1);
    mini_env_until(&w->env, &w->wants[1].failed, 1);
    ck_assert_int_eq(w->wants[0].err.code, REQIVO_E_CONNECT);
    uint64_t failures = w->pool->stats.failures;
    want_start(w, 2);
    mini_env_until(&w->env, &w->wants[2].failed, 1);
    ck_assert_int_eq(w->wants[2].err.code, REQIVO_E_CONNECT);
    ck_assert_uint_eq(w->pool->stats.failures, failures);
    mini_env_ms(&w->env, 80);
    want_start(w, 3);
    mini_env_until(&w->env, &w->wants[3].failed, 1);
    ck_assert_uint_eq(w->pool->stats.failures, failures + 1);
    world_close(w);
}
END_TEST

/* While the server refuses more, those who wait get what is leased now when it comes back. */
START_TEST(a_hold_down_waits_for_what_is_leased)
{
    struct world *w = world_open();

    want_start(w, 0);
    mini_env_until(&w->env, &w->wants[0].got, 1);
    int fd = w->origin.io.fd;
    loop_io_stop(&w->origin.io);
    shutdown(fd, SHUT_RDWR);
    want_start(w, 1);
    mini_env_until(&w->env, &w->wants[1].failed, 1);
    want_start(w, 2);
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(w->wants[2].failed, 0);
    want_ask(w, 0);
    mini_env_until(&w->env, &w->wants[0].ended, 1);
    lease_release(&w->wants[0].lease);
    mini_env_until(&w->env, &w->wants[2].got, 1);
    close(fd);
    world_close(w);
}
END_TEST

static const char *const surprises[] = {"x", "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", NULL};

/* security.md B4: bytes on an idle connection close it; nobody ever sees them. */
START_TEST(rule_b4_idle_bytes_close_the_connection)
{
    struct world *w = world_open();

    uint64_t id = once(w, 0);
    ck_assert_uint_eq(w->pool->count[CONN_IDLE], 1);
    mini_say(mini_last(&w->origin), surprises[_i]);
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    ck_assert_uint_ne(once(w, 1), id);
    ck_assert_uint_eq(w->wants[1].body, 2);
    world_close(w);
}
END_TEST

/* The same when the bytes come so late that only the look at hand-out can see them. */
START_TEST(rule_b4_idle_bytes_are_seen_at_hand_out)
{
    struct world *w = world_open();

    uint64_t id = once(w, 0);
    mini_say(mini_last(&w->origin), surprises[_i]);
    want_start(w, 1); /* no turn of the loop in between */
    ck_assert_ptr_null(w->wants[1].lease.conn);
    want_ask(w, 1);
    mini_env_until(&w->env, &w->wants[1].ended, 1);
    ck_assert_uint_ne(w->wants[1].lease.conn_id, id);
    lease_release(&w->wants[1].lease);
    world_close(w);
}
END_TEST

/* And when they come after the hand-out, before a byte of the request has gone: they answer nothing. */
START_TEST(rule_b4_bytes_before_the_request_are_not_its_answer)
{
    struct world *w = world_open();

    once(w, 0);
    want_start(w, 1);
    ck_assert_uint_eq(w->wants[1].got, 1);
    mini_say(mini_last(&w->origin), surprises[_i]);
    mini_env_until(&w->env, &w->wants[1].broken, 1);
    ck_assert_int_eq(w->wants[1].err.code, REQIVO_E_RESET);
    ck_assert_int_eq(w->wants[1].err.sent, REQIVO_SENT_NO);
    ck_assert_uint_eq(w->wants[1].heads, 0);
    ck_assert(!lease_seen(&w->wants[1].lease));
    world_close(w);
}
END_TEST

START_TEST(rule_b4_idle_end_closes_the_connection)
{
    struct world *w = world_open();

    once(w, 0);
    mini_end(mini_last(&w->origin));
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_CONNS], 0);
    world_close(w);
}
END_TEST

static void answer_and_more(struct mini_conn *conn)
{
    mini_say(conn,
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
}

/* Bytes behind the response: it is delivered, the connection is not used again. */
START_TEST(rule_b4_bytes_after_the_end_close)
{
    struct world *w = world_open();

    w->origin.on_whole = answer_and_more;
    once(w, 0);
    ck_assert_uint_eq(w->wants[0].body, 2);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    world_close(w);
}
END_TEST

START_TEST(limit_of_uses)
{
    struct world *w = world_open();

    w->env.conf.pool_uses = 2;
    uint64_t id = once(w, 0);
    ck_assert_uint_eq(once(w, 1), id);
    ck_assert_uint_ne(once(w, 2), id);
    world_close(w);
}
END_TEST

START_TEST(limit_of_idle_time)
{
    struct world *w = world_open();

    w->env.conf.pool_idle_ms = 30;
    once(w, 0);
    mini_env_until(&w->env, &w->origin.ended, 1); /* the sweep */
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    uint64_t id = once(w, 1);
    ck_assert_uint_eq(once(w, 2), id);
    mini_env_ms(&w->env, 40); /* sooner than the sweep */
    ck_assert_uint_ne(once(w, 3), id);
    world_close(w);
}
END_TEST

START_TEST(limit_of_age)
{
    struct world *w = world_open();

    w->env.conf.pool_age_ms = 40;
    uint64_t id = once(w, 0);
    ck_assert_uint_eq(once(w, 1), id);
    mini_env_ms(&w->env, 50);
    ck_assert_uint_ne(once(w, 2), id);
    world_close(w);
}
END_TEST

static void host_sleeps(struct world *w, time_t seconds)
{
    suspended_s += seconds;
    mini_env_ms(&w->env, 1); /* the clock is read once a turn */
}

/* Who has slept for an hour comes back to connections that the server has long forgotten. */
START_TEST(rule_b1_boottime)
{
    struct world *w = world_open();
    uint64_t id = once(w, 0);

    host_sleeps(w, 59);
    ck_assert_uint_eq(once(w, 1), id);
    host_sleeps(w, 61);
    ck_assert_uint_ne(once(w, 2), id); /* idle for too long */
    w->env.conf.pool_idle_ms = 3600000;
    id = once(w, 3);
    host_sleeps(w, 1700);
    ck_assert_uint_eq(once(w, 4), id);
    host_sleeps(w, 110);
    ck_assert_uint_ne(once(w, 5), id); /* too old */
    world_close(w);
}
END_TEST

/* The server's own word, less a second. */
START_TEST(limit_of_the_server)
{
    struct world *w = world_open();

    w->origin.answer = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok";
    uint64_t id = once(w, 0);
    w->origin.answer = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok";
    uint64_t second = once(w, 1);
    ck_assert_uint_ne(second, id);
    ck_assert_uint_eq(once(w, 2), second);
    world_close(w);
}
END_TEST

static const char *const not_reusable[] = {
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
};

START_TEST(what_the_response_says_ends_the_connection)
{
    struct world *w = world_open();

    w->origin.answer = not_reusable[_i];
    once(w, 0);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    world_close(w);
}
END_TEST

START_TEST(a_uids_limit_closes_the_oldest_idle_of_another_pool)
{
    struct world *w = world_open();
    struct mini_origin second;
    struct key key;

    mini_origin_open(&second, w->env.loop);
    struct pool *pool = pool_for(w, second.port, &key);
    w->env.conf.connections_uid = 1;
    mini_env_limits(&w->env);
    once(w, 0);
    ck_assert_int_eq(want_from(w, 1, pool, &w->source), 0);
    mini_env_until(&w->env, &w->wants[1].got, 1);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    ck_assert_uint_eq(pool_conns(pool), 1);
    /* leased: nothing can make room, the waiter waits, and is served when the lease ends */
    want_start(w, 2);
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(w->wants[2].got, 0);
    lease_discard(&w->wants[1].lease);
    mini_env_until(&w->env, &w->wants[2].got, 1);
    mini_origin_close(&second);
    world_close(w);
}
END_TEST

/* Who wants a connection that has not served may take the place of an idle one of the same pool. */
START_TEST(a_fresh_one_at_the_uids_limit)
{
    struct world *w = world_open();

    w->env.conf.connections_uid = 1;
    mini_env_limits(&w->env);
    uint64_t id = once(w, 0);
    w->wants[1].waiter.fresh = true;
    ck_assert_uint_ne(once(w, 1), id);
    w->env.conf.pool_connections = 1;
    w->wants[2].waiter.fresh = true;
    ck_assert_uint_ne(once(w, 2), id);
    ck_assert_uint_eq(pool_conns(w->pool), 1);
    world_close(w);
}
END_TEST

START_TEST(who_leaves_gives_its_dial_to_the_next)
{
    struct world *w = world_open();

    w->env.conf.pool_connections = 1;
    want_start(w, 0);
    want_start(w, 1);
    loop_settle(w->env.loop); /* starts the dial; nothing is polled */
    struct conn *conn = w->wants[0].waiter.dialing;
    ck_assert_ptr_nonnull(conn);
    ck_assert_ptr_null(w->wants[1].waiter.dialing);
    pool_cancel(w->pool, &w->wants[0].waiter);
    ck_assert_ptr_eq(w->wants[1].waiter.dialing, conn);
    mini_env_until(&w->env, &w->wants[1].got, 1);
    ck_assert_uint_eq(w->origin.accepted, 1);
    ck_assert_uint_eq(w->wants[0].got + w->wants[0].failed, 0);
    world_close(w);
}
END_TEST

START_TEST(the_last_who_leaves_ends_the_dial)
{
    struct world *w = world_open();

    want_start(w, 0);
    loop_settle(w->env.loop);
    ck_assert_uint_eq(w->pool->count[CONN_DIALING], 1);
    pool_cancel(w->pool, &w->wants[0].waiter);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_CONNS], 0);
    world_close(w);
}
END_TEST

/* It was dialled for one who then got another: when all have gone it goes, too. */
START_TEST(the_last_who_leaves_ends_what_was_dialled)
{
    struct world *w = world_open();

    once(w, 0);
    struct conn *conn = RQV_LIST_OF(rqv_list_first(&w->pool->conns[CONN_IDLE]), struct conn, node);
    want_start(w, 1);
    ck_assert_ptr_eq(w->wants[1].lease.conn, conn);
    want_ask(w, 1);
    mini_env_until(&w->env, &w->wants[1].ended, 1);
    want_start(w, 2);
    loop_settle(w->env.loop); /* starts the dial; nothing is polled */
    lease_release(&w->wants[1].lease);
    loop_settle(w->env.loop);
    ck_assert_ptr_eq(w->wants[2].lease.conn, conn);
    mini_env_until(&w->env, &w->pool->count[CONN_IDLE], 1);
    lease_discard(&w->wants[2].lease);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_CONNS], 0);
    world_close(w);
}
END_TEST

static unsigned warmed;

static void on_warm(struct warmer *warmer, const struct rqv_err *err)
{
    (void)warmer;
    ck_assert_int_eq(err->code, 0);
    warmed++;
}

START_TEST(what_was_made_ahead_stays)
{
    struct world *w = world_open();
    struct warmer warmer = {.want = 3, .connect_ms = UINT32_MAX, .tls_ms = UINT32_MAX, .on_warm = on_warm};

    warmed = 0;
    rqv_list_init(&warmer.node);
    pool_warm(w->pool, &warmer);
    mini_env_until(&w->env, &warmed, 1);
    want_start(w, 0);
    mini_env_until(&w->env, &w->wants[0].got, 1);
    lease_discard(&w->wants[0].lease);
    ck_assert_uint_eq(w->pool->count[CONN_IDLE], 2);
    world_close(w);
}
END_TEST

/* ---- a key that is not the connection's: security.md B1, defence in depth ---- */

/* The log as the daemon has it: tests/integration/test_journal.py reads there what is said of each breach. */
static void log_open(void)
{
    ck_assert_int_eq(log_start(LOG_LEVEL_INFO), 0);
}

START_TEST(rule_b1_another_key_is_refused_at_hand_out)
{
    struct world *w = world_open();
    struct want *want = &w->wants[1];
    struct rqv_err err = {0};

    once(w, 0);
    want_start(w, 1);
    lease_discard(&want->lease);
    once(w, 2);
    want->lease.key.bytes[want->lease.key.len - 1] ^= 1;
    ck_assert_int_eq(pool_acquire(w->pool, &want->waiter, &w->source, &err), REQIVO_E_INTERNAL);
    ck_assert_ptr_null(want->lease.conn);
    ck_assert_uint_eq(w->env.origins.isolation_violations, 1);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    world_close(w);
}
END_TEST

START_TEST(rule_b1_another_key_is_refused_at_first_write)
{
    struct world *w = world_open();
    struct want *want = &w->wants[0];

    want_start(w, 0);
    mini_env_until(&w->env, &want->got, 1);
    want->lease.key.len--;
    ck_assert_int_eq(lease_send_head(&want->lease, RQV_STR(GET), false), 0);
    mini_env_until(&w->env, &want->broken, 1);
    ck_assert_int_eq(want->err.code, REQIVO_E_INTERNAL);
    ck_assert_int_eq(want->err.sent, REQIVO_SENT_NO);
    lease_discard(&want->lease);
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(w->origin.received, 0);
    ck_assert_uint_eq(w->env.origins.isolation_violations, 1);
    world_close(w);
}
END_TEST

START_TEST(rule_b1_another_key_is_refused_at_completion)
{
    struct world *w = world_open();
    struct want *want = &w->wants[0];

    want_start(w, 0);
    want_ask(w, 0);
    mini_env_until(&w->env, &want->ended, 1);
    want->lease.key.bytes[0] ^= 1;
    ck_assert_int_eq(lease_release(&want->lease), REQIVO_E_INTERNAL);
    ck_assert_ptr_null(want->lease.conn);
    ck_assert_uint_eq(pool_conns(w->pool), 0);
    ck_assert_uint_eq(w->env.origins.isolation_violations, 1);
    world_close(w);
}
END_TEST

/* Two keys, two pools, whatever else is the same. */
START_TEST(rule_b1_another_key_is_another_pool)
{
    struct world *w = world_open();
    struct key key = w->key;
    struct pool *pool = NULL;
    struct pool_params params = {
        .key = &key, .host = "127.0.0.1", .port = w->origin.port, .account = w->env.account};

    key.bytes[key.len - 1] ^= 1;
    ck_assert_int_eq(origins_get(&w->env.origins, &params, &pool), 0);
    ck_assert_ptr_ne(pool, w->pool);
    params.key = &w->key;
    ck_assert_int_eq(origins_get(&w->env.origins, &params, &pool), 0);
    ck_assert_ptr_eq(pool, w->pool);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pool");
    TCase *idle = tcase_create("idle");

    UNIT_TCASE(s, "order", idle_connections_are_used_last_first, twenty_at_once_take_exactly_eight,
               waiters_are_served_in_turn, too_many_waiters_are_refused,
               who_leaves_gives_its_dial_to_the_next, the_last_who_leaves_ends_the_dial,
               the_last_who_leaves_ends_what_was_dialled, what_was_made_ahead_stays,
               a_refused_connect_is_held_down, a_hold_down_waits_for_what_is_leased);
    tcase_add_loop_test(idle, rule_b4_idle_bytes_close_the_connection, 0, 3);
    tcase_add_loop_test(idle, rule_b4_idle_bytes_are_seen_at_hand_out, 0, 3);
    tcase_add_loop_test(idle, rule_b4_bytes_before_the_request_are_not_its_answer, 0, 3);
    tcase_add_loop_test(idle, what_the_response_says_ends_the_connection, 0, 2);
    suite_add_tcase(s, idle);
    UNIT_TCASE(s, "limits", rule_b4_idle_end_closes_the_connection, rule_b4_bytes_after_the_end_close,
               limit_of_uses, limit_of_idle_time, limit_of_age, rule_b1_boottime, limit_of_the_server,
               a_uids_limit_closes_the_oldest_idle_of_another_pool, a_fresh_one_at_the_uids_limit);
    TCase *isolation = tcase_create("isolation");
    tcase_add_checked_fixture(isolation, log_open, log_stop);
    tcase_add_test(isolation, rule_b1_another_key_is_refused_at_hand_out);
    tcase_add_test(isolation, rule_b1_another_key_is_refused_at_first_write);
    tcase_add_test(isolation, rule_b1_another_key_is_refused_at_completion);
    tcase_add_test(isolation, rule_b1_another_key_is_another_pool);
    suite_add_tcase(s, isolation);
    return s;
}

UNIT_MAIN(suite)
