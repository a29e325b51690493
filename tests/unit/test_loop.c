/* SPDX-License-Identifier: MIT */
/* Tests of daemon/base/loop: the order of a turn, descriptors, timers, mail, signals. */
#include "daemon/base/loop.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static char trail[256]; /* what ran, in order */

static void note(const char *word)
{
    ck_assert_uint_lt(strlen(trail) + strlen(word) + 1, sizeof(trail));
    snprintf(trail + strlen(trail), sizeof(trail) - strlen(trail), "%s", word);
}

static void setup(void)
{
    trail[0] = 0;
    ck_assert_int_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
    loop_free(loop);
}

static void on_stop(void *owner)
{
    (void)owner;
    loop_stop(loop);
}

static void on_note(void *owner)
{
    note(owner);
}

/* ---- phases ---- */

static struct loop_task tasks[6];

static void on_work(void *owner)
{
    (void)owner;
    note("W");
    loop_task_queue(loop, &tasks[3], LOOP_FREE);           /* to come: this turn */
    loop_task_queue(loop, &tasks[2], LOOP_FLUSH_PEERS);    /* to come: this turn */
    loop_task_queue(loop, &tasks[1], LOOP_FLUSH_UPSTREAM); /* to come: this turn */
    loop_task_queue(loop, &tasks[4], LOOP_WORK);           /* current: next turn */
}

START_TEST(test_phase_order)
{
    struct loop_task stop;

    loop_task_init(&tasks[0], on_work, NULL);
    loop_task_init(&tasks[1], on_note, "U");
    loop_task_init(&tasks[2], on_note, "P");
    loop_task_init(&tasks[3], on_note, "F");
    loop_task_init(&tasks[4], on_note, "w");
    loop_task_init(&stop, on_stop, NULL);
    loop_task_queue(loop, &tasks[0], LOOP_WORK);
    loop_task_queue(loop, &tasks[0], LOOP_WORK); /* no effect */
    loop_task_queue(loop, &stop, LOOP_FREE);
    loop_run(loop);
    ck_assert_str_eq(trail, "WUPF");
    loop_task_queue(loop, &stop, LOOP_FREE);
    loop_run(loop);
    ck_assert_str_eq(trail, "WUPFw");
}
END_TEST

static unsigned rounds;

static void on_again(void *owner)
{
    struct loop_task *task = owner;

    if (++rounds == 1000)
        loop_stop(loop);
    else
        loop_task_queue(loop, task, LOOP_WORK);
}

/* A task that queues itself has one run a turn, and the turns do not wait in poll. */
START_TEST(test_queued_tasks_do_not_wait)
{
    struct loop_task task;
    struct loop_stats stats;

    rounds = 0;
    loop_task_init(&task, on_again, &task);
    loop_task_queue(loop, &task, LOOP_WORK);
    loop_run(loop);
    loop_stats(loop, &stats);
    ck_assert_uint_eq(stats.turns, 1000);
}
END_TEST

static void on_drop_other(void *owner)
{
    note("D");
    loop_task_drop(owner);
}

START_TEST(test_drop_within_phase)
{
    struct loop_task first, second, stop;

    loop_task_init(&second, on_note, "2");
    loop_task_init(&first, on_drop_other, &second);
    loop_task_init(&stop, on_stop, NULL);
    loop_task_queue(loop, &first, LOOP_WORK);
    loop_task_queue(loop, &second, LOOP_WORK);
    loop_task_queue(loop, &stop, LOOP_FREE);
    loop_run(loop);
    ck_assert_str_eq(trail, "D");
    loop_task_drop(&second); /* twice is harmless */
}
END_TEST

START_TEST(test_settle_runs_all)
{
    loop_task_init(&tasks[0], on_work, NULL);
    loop_task_init(&tasks[1], on_note, "U");
    loop_task_init(&tasks[2], on_note, "P");
    loop_task_init(&tasks[3], on_note, "F");
    loop_task_init(&tasks[4], on_note, "w");
    loop_task_queue(loop, &tasks[0], LOOP_WORK);
    loop_settle(loop);
    ck_assert_str_eq(trail, "WUPFw");
}
END_TEST

/* ---- descriptors ---- */

static int ends[2];
static struct loop_io io;
static unsigned seen;

static void on_ready(void *owner, unsigned events)
{
    char byte;

    (void)owner;
    seen |= events;
    if (events & LOOP_READ)
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    loop_stop(loop);
}

static void pair(void)
{
    seen = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    loop_io_init(&io, loop, on_ready, NULL);
}

static void unpair(void)
{
    loop_io_stop(&io);
    close(ends[0]);
    close(ends[1]);
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

START_TEST(test_io_events)
{
    pair();
    loop_io_start(&io, ends[0], LOOP_READ);
    run_for(2000);
    ck_assert_uint_eq(seen, 0);
    ck_assert_int_eq(write(ends[1], "ab", 2), 2);
    loop_run(loop);
    ck_assert_uint_eq(seen, LOOP_READ);
    seen = 0;
    loop_io_set(&io, 0); /* registered but silent: a byte is there */
    run_for(2000);
    ck_assert_uint_eq(seen, 0);
    loop_io_set(&io, LOOP_WRITE);
    loop_run(loop);
    ck_assert_uint_eq(seen, LOOP_WRITE);
    seen = 0;
    loop_io_set(&io, LOOP_READ);
    loop_run(loop);
    ck_assert_uint_eq(seen, LOOP_READ);
    unpair();
}
END_TEST

/* A descriptor with an old number is a new descriptor. */
START_TEST(test_io_reused_number)
{
    int old;

    pair();
    loop_io_start(&io, ends[0], LOOP_READ);
    run_for(1000);
    old = ends[0];
    unpair();
    pair();
    ck_assert_int_eq(ends[0], old);
    loop_io_start(&io, ends[0], LOOP_READ);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    run_for(1000000);
    ck_assert_uint_eq(seen, LOOP_READ);
    unpair();
    ck_assert_int_eq(io.fd, -1);
}
END_TEST

static struct loop_io other_io;

static void on_stop_other(void *owner, unsigned events)
{
    (void)events;
    note("x");
    loop_io_stop(owner == &io ? &io : &other_io);
    loop_stop(loop);
}

/* Two are ready in one poll; the first to run stops the other, which is then not called. */
START_TEST(test_io_stop_other)
{
    pair();
    loop_io_init(&io, loop, on_stop_other, &other_io);
    loop_io_init(&other_io, loop, on_stop_other, &io);
    loop_io_start(&io, ends[0], LOOP_WRITE);
    loop_io_start(&other_io, ends[1], LOOP_WRITE);
    loop_run(loop);
    ck_assert_str_eq(trail, "x");
    ck_assert_int_ne(io.fd == -1, other_io.fd == -1);
    loop_io_stop(&other_io);
    unpair();
}
END_TEST

/* ---- timers ---- */

static uint64_t fired_us;

static void on_fire(void *owner)
{
    (void)owner;
    fired_us = loop_now_us(loop);
    loop_stop(loop);
}

START_TEST(test_timer_moves)
{
    struct loop_timer timer;
    uint64_t start;

    loop_now_refresh(loop);
    start = loop_now_us(loop);
    loop_timer_init(&timer, loop, on_fire, NULL);
    ck_assert_uint_eq(timer.at_us, UINT64_MAX);
    loop_timer_at(&timer, start + 5000);
    loop_timer_at(&timer, start + 30000); /* later: a store */
    loop_run(loop);
    ck_assert_uint_ge(fired_us, start + 30000);
    ck_assert_uint_lt(fired_us, start + 2000000);
    ck_assert_uint_eq(timer.at_us, UINT64_MAX);
    start = loop_now_us(loop);
    loop_timer_at(&timer, start + 60000000);
    loop_timer_at(&timer, start + 3000); /* earlier */
    loop_run(loop);
    ck_assert_uint_ge(fired_us, start + 3000);
    ck_assert_uint_lt(fired_us, start + 2000000);
}
END_TEST

START_TEST(test_timer_never_and_stop)
{
    struct loop_timer timer;

    loop_now_refresh(loop);
    loop_timer_init(&timer, loop, on_note, "t");
    loop_timer_at(&timer, loop_now_us(loop) + 1000);
    loop_timer_at(&timer, UINT64_MAX);
    run_for(5000);
    ck_assert_str_eq(trail, "");
    loop_timer_at(&timer, loop_now_us(loop) + 1000);
    run_for(20000);
    ck_assert_str_eq(trail, "t");
    loop_timer_at(&timer, loop_now_us(loop) + 1000);
    loop_timer_stop(&timer);
    run_for(5000);
    ck_assert_str_eq(trail, "t");
}
END_TEST

/* ---- mail, signals, clocks ---- */

#define MAILS 2000
static struct loop_mail mails[2][MAILS];
static unsigned arrived[2], total;

static void on_letter(void *owner)
{
    struct loop_mail *mail = owner;
    int sender = mail >= &mails[1][0];

    ck_assert_ptr_eq(mail, &mails[sender][arrived[sender]]);
    arrived[sender]++;
    if (++total == 2 * MAILS)
        loop_stop(loop);
}

static void *send_mails(void *argument)
{
    struct loop_mail *mail = argument;

    for (int i = 0; i < MAILS; i++) {
        mail[i] = (struct loop_mail){.fn = on_letter, .owner = &mail[i]};
        loop_mail_send(loop, &mail[i]);
    }
    return NULL;
}

START_TEST(test_mail_in_order)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_mails, mails[i]), 0);
    loop_run(loop);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(arrived[0], MAILS);
    ck_assert_uint_eq(arrived[1], MAILS);
}
END_TEST

START_TEST(test_mail_left_is_delivered)
{
    struct loop *own;
    struct loop_mail mail = {.fn = on_note, .owner = "m"};

    ck_assert_int_eq(loop_new(&own), 0);
    loop_mail_send(own, &mail);
    loop_free(own);
    ck_assert_str_eq(trail, "m");
}
END_TEST

START_TEST(test_signal)
{
    struct loop_signal usr1;

    loop_signal_start(&usr1, loop, SIGUSR1, on_stop, NULL);
    raise(SIGUSR1);
    loop_run(loop);
    loop_signal_stop(&usr1);
}
END_TEST

static void on_slow(void *owner)
{
    uint64_t before = loop_now_us(loop), boot = loop_boot_ms(loop);

    (void)owner;
    usleep(3000);
    ck_assert_uint_eq(loop_now_us(loop), before); /* one clock a turn */
    ck_assert_uint_eq(loop_boot_ms(loop), boot);
    loop_now_refresh(loop);
    ck_assert_uint_ge(loop_now_us(loop), before + 3000);
    loop_stop(loop);
}

/* Each time lies at or below its bucket's bound, and above that of the bucket before. */
START_TEST(test_histogram_buckets)
{
    struct histogram h = {0};
    uint64_t sum = 0;

    for (uint64_t us = 0; us < UINT64_C(1) << 40; us = us < 70000 ? us + 1 : us + us / 7) {
        unsigned bucket = histogram_bucket(us);
        ck_assert_uint_lt(bucket, HISTOGRAM_BUCKETS);
        if (bucket + 1 < HISTOGRAM_BUCKETS)
            ck_assert_uint_le(us, histogram_bound_us(bucket));
        if (bucket > 0)
            ck_assert_uint_gt(us, histogram_bound_us(bucket - 1));
        histogram_add(&h, us);
        sum += us;
    }
    ck_assert_uint_eq(h.sum_us, sum);
    ck_assert_uint_eq(h.count[0], 65);
    ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(test_clock_and_stats)
{
    struct loop_task task;
    struct loop_stats stats;

    loop_task_init(&task, on_slow, NULL);
    loop_task_queue(loop, &task, LOOP_WORK);
    loop_run(loop);
    loop_stats(loop, &stats);
    ck_assert_uint_eq(stats.turns, 1);
    ck_assert_uint_ge(stats.longest_us, 3000);
    ck_assert_uint_eq(stats.turn.count[histogram_bucket(stats.turn.sum_us)], 1);
    loop_stats(loop, &stats);
    ck_assert_uint_ge(stats.longest_us, 3000); /* who asks changes nothing */
    ck_assert_ptr_ne(loop_scratch(loop, 0), loop_scratch(loop, 1));
    memset(loop_scratch(loop, 0), 1, LOOP_SCRATCH);
    memset(loop_scratch(loop, 1), 1, LOOP_SCRATCH);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("loop");
    TCase *turn = tcase_create("loop");

    tcase_add_checked_fixture(turn, setup, teardown);
    tcase_set_timeout(turn, 60);
    tcase_add_test(turn, test_phase_order);
    tcase_add_test(turn, test_queued_tasks_do_not_wait);
    tcase_add_test(turn, test_drop_within_phase);
    tcase_add_test(turn, test_settle_runs_all);
    tcase_add_test(turn, test_io_events);
    tcase_add_test(turn, test_io_reused_number);
    tcase_add_test(turn, test_io_stop_other);
    tcase_add_test(turn, test_timer_moves);
    tcase_add_test(turn, test_timer_never_and_stop);
    tcase_add_test(turn, test_mail_in_order);
    tcase_add_test(turn, test_mail_left_is_delivered);
    tcase_add_test(turn, test_signal);
    tcase_add_test(turn, test_histogram_buckets);
    tcase_add_test(turn, test_clock_and_stats);
    suite_add_tcase(s, turn);
    return s;
}

UNIT_MAIN(suite)
