/* SPDX-License-Identifier: MIT */
/* Tests of daemon/base/worker: jobs run on threads and come back, users take turns, cancelling. */
#include "daemon/base/worker.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <reqivo/error.h>
#include <unistd.h>

struct test_job {
    struct worker_job job;
    unsigned ran_as;   /* the how many-th to run; 0: did not */
    unsigned done_as;  /* the how many-th to come back */
    bool waits;        /* work() waits until the gate is open */
    bool was_canceled; /* as done() saw it */
};

static struct loop *loop;
static struct worker *worker;
static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool open;
    unsigned ran, inside;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
static unsigned done_count, expected;
static pthread_t loop_thread;

static void setup(void)
{
    gate.open = false;
    gate.ran = gate.inside = done_count = expected = 0;
    loop_thread = pthread_self();
    ck_assert_int_eq(loop_new(&loop), 0);
}

static void teardown(void)
{
    worker_free(worker);
    worker = NULL;
    loop_free(loop);
}

static void work(struct worker_job *job)
{
    struct test_job *t = (struct test_job *)job;

    ck_assert(!pthread_equal(pthread_self(), loop_thread));
    pthread_mutex_lock(&gate.lock);
    t->ran_as = ++gate.ran;
    gate.inside++;
    pthread_cond_broadcast(&gate.moved);
    while (t->waits && !gate.open)
        pthread_cond_wait(&gate.moved, &gate.lock);
    gate.inside--;
    pthread_mutex_unlock(&gate.lock);
}

static void done(struct worker_job *job)
{
    struct test_job *t = (struct test_job *)job;

    ck_assert(pthread_equal(pthread_self(), loop_thread));
    ck_assert_uint_eq(t->done_as, 0);
    t->done_as = ++done_count;
    t->was_canceled = job->canceled;
    if (done_count == expected)
        loop_stop(loop);
}

static void submit(struct test_job *t, uid_t uid, bool waits)
{
    *t = (struct test_job){.job = {.work = work, .done = done, .account = uid}, .waits = waits};
    ck_assert_int_eq(worker_submit(worker, &t->job), 0);
}

static void wait_inside(unsigned n)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside < n)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void open_gate(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = true;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.lock);
}

static void run_until(unsigned count)
{
    expected = count;
    if (done_count < count)
        loop_run(loop);
}

START_TEST(test_all_come_back)
{
    static struct test_job jobs[500];

    ck_assert_int_eq(worker_new(loop, 3, 1000, &worker), 0);
    for (int i = 0; i < 500; i++)
        submit(&jobs[i], (uid_t)(i % 7), false);
    run_until(500);
    ck_assert_uint_eq(gate.ran, 500);
    for (int i = 0; i < 500; i++) {
        ck_assert_uint_ne(jobs[i].done_as, 0);
        ck_assert(!jobs[i].was_canceled);
    }
}
END_TEST

/* One thread is held; ten jobs of one user wait, then one of another: it is served second. */
START_TEST(rule_b10_5_users_take_turns)
{
    static struct test_job first, many[10], other;

    ck_assert_int_eq(worker_new(loop, 1, 100, &worker), 0);
    submit(&first, 5, true);
    wait_inside(1);
    for (int i = 0; i < 10; i++)
        submit(&many[i], 1000, false);
    submit(&other, 1001, false);
    open_gate();
    run_until(12);
    ck_assert_uint_eq(first.ran_as, 1);
    ck_assert_uint_le(other.ran_as, 3);
    for (int i = 1; i < 10; i++)
        ck_assert_uint_gt(many[i].ran_as, many[i - 1].ran_as);
}
END_TEST

/* A user whose jobs all hang leaves one thread to the others. */
START_TEST(rule_b10_5_one_user_leaves_a_thread)
{
    static struct test_job slow[5], other;

    ck_assert_int_eq(worker_new(loop, 3, 100, &worker), 0);
    for (int i = 0; i < 5; i++)
        submit(&slow[i], 1000, true);
    wait_inside(2);
    submit(&other, 1001, false);
    run_until(1);
    ck_assert_uint_eq(other.done_as, 1);
    open_gate();
    run_until(6);
}
END_TEST

/* As many threads are left as a user holds: two of four, one for a second, one for a third. */
START_TEST(rule_b10_5_two_users_leave_a_thread)
{
    static struct test_job slow[10], other;

    ck_assert_int_eq(worker_new(loop, 4, 100, &worker), 0);
    for (int i = 0; i < 5; i++)
        submit(&slow[i], 1000, true);
    wait_inside(2);
    for (int i = 5; i < 10; i++)
        submit(&slow[i], 1001, true);
    wait_inside(3);
    submit(&other, 1002, false);
    run_until(1);
    ck_assert_uint_eq(other.done_as, 1);
    open_gate();
    run_until(11);
}
END_TEST

START_TEST(rule_b10_5_queue_is_bounded_per_user)
{
    static struct test_job held, waiting, over, other;

    ck_assert_int_eq(worker_new(loop, 1, 2, &worker), 0);
    submit(&held, 1, true);
    submit(&waiting, 1, false);
    over = (struct test_job){.job = {.work = work, .done = done, .account = 1}};
    ck_assert_int_eq(worker_submit(worker, &over.job), REQIVO_E_LIMIT_REQUESTS);
    submit(&other, 2, false);
    open_gate();
    run_until(3);
    ck_assert_uint_eq(over.done_as, 0);
    submit(&over, 1, false);
    run_until(4);
}
END_TEST

START_TEST(test_cancel)
{
    static struct test_job running, waiting, after, never;

    ck_assert_int_eq(worker_new(loop, 1, 10, &worker), 0);
    worker_cancel(&never.job); /* never submitted */
    submit(&running, 1, true);
    wait_inside(1);
    submit(&waiting, 1, false);
    submit(&after, 1, false);
    worker_cancel(&waiting.job);
    worker_cancel(&waiting.job);
    worker_cancel(&running.job);
    ck_assert_uint_eq(done_count, 0); /* never inside the call */
    open_gate();
    run_until(3);
    ck_assert(waiting.was_canceled && waiting.ran_as == 0);
    ck_assert(running.was_canceled && running.ran_as == 1);
    ck_assert(!after.was_canceled && after.ran_as == 2);
    worker_cancel(&after.job); /* done: nothing happens */
    ck_assert_uint_eq(done_count, 3);
}
END_TEST

/* Freeing waits for what runs and calls every done() before it returns; a mail on its way does no harm. */
START_TEST(test_free_with_jobs)
{
    static struct test_job finished, running, waiting[3];

    ck_assert_int_eq(worker_new(loop, 2, 10, &worker), 0);
    submit(&finished, 2, false);
    submit(&running, 1, true);
    wait_inside(1);
    for (int i = 0; i < 3; i++)
        submit(&waiting[i], 1, false);
    usleep(2000); /* the mail of `finished` is on its way */
    open_gate();
    worker_free(worker);
    worker = NULL;
    ck_assert_uint_eq(done_count, 5);
    ck_assert(!running.was_canceled);
    expected = 0;
}
END_TEST

START_TEST(test_bad_arguments)
{
    struct worker *none = NULL;

    ck_assert_int_lt(worker_new(loop, 0, 1, &none), 0);
    ck_assert_int_lt(worker_new(loop, 1, 0, &none), 0);
    ck_assert_ptr_null(none);
    worker_free(NULL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("worker");
    TCase *tcase = tcase_create("worker");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_all_come_back);
    tcase_add_test(tcase, rule_b10_5_users_take_turns);
    tcase_add_test(tcase, rule_b10_5_one_user_leaves_a_thread);
    tcase_add_test(tcase, rule_b10_5_two_users_leave_a_thread);
    tcase_add_test(tcase, rule_b10_5_queue_is_bounded_per_user);
    tcase_add_test(tcase, test_cancel);
    tcase_add_test(tcase, test_free_with_jobs);
    tcase_add_test(tcase, test_bad_arguments);
    suite_add_tcase(s, tcase);
    return s;
}

UNIT_MAIN(suite)
