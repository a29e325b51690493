/* SPDX-License-Identifier: MIT */
/*
 * worker - owns the threads, the users' queues and the list of finished jobs. One mutex guards all of it.
 *
 *   ring of users with waiting jobs ──take_job──> thread: work() ──> finished ──one mail──> loop: done() of
 * each
 *
 * A user is in `users` while any job of his is waiting or running, and in `ring` while one is waiting. At his
 * turn he is passed over unless as many threads are left after it as he then holds (as account.h has it).
 */
#include "daemon/base/worker.h"

#include <errno.h>
#include <pthread.h>
#include <reqivo/error.h>
#include <signal.h>
#include <stdlib.h>

struct worker_user {
    struct rqv_list node; /* in worker->users */
    struct rqv_list ring_node;
    struct rqv_list waiting; /* worker_job.node */
    uint64_t account;
    unsigned jobs;    /* waiting and running */
    unsigned running; /* of them */
};

struct worker {
    struct loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct rqv_list users, ring, finished;
    struct loop_mail mail;
    bool mailed; /* the mail is on its way: it finds everything that is finished by then */
    bool stopping;
    bool freed; /* the mail that is on its way frees the worker */
    unsigned user_max;
    unsigned threads_free; /* not running a job */
    unsigned threads;
    pthread_t thread[];
};

/* ---- users; under the lock ---- */

static struct worker_user *user_find(struct worker *worker, uint64_t account)
{
    rqv_list_for_each (node, &worker->users) {
        struct worker_user *user = RQV_LIST_OF(node, struct worker_user, node);

        if (user->account == account)
            return user;
    }
    return NULL;
}

static struct worker_user *user_make(struct worker *worker, uint64_t account)
{
    struct worker_user *user = calloc(1, sizeof(*user));

    if (!user)
        return NULL;
    user->account = account;
    rqv_list_init(&user->ring_node);
    rqv_list_init(&user->waiting);
    rqv_list_append(&worker->users, &user->node);
    return user;
}

static void user_settle(struct worker *worker, struct worker_user *user)
{
    bool waits = !rqv_list_empty(&user->waiting);

    if (waits && rqv_list_empty(&user->ring_node)) {
        rqv_list_append(&worker->ring, &user->ring_node);
        pthread_cond_signal(&worker->wake);
    } else if (!waits) {
        rqv_list_remove(&user->ring_node);
    }
    if (!user->jobs) {
        rqv_list_remove(&user->node);
        free(user);
    }
}

static void job_finish(struct worker *worker, struct worker_job *job)
{
    job->state = WORKER_FINISHED;
    job->user->jobs--;
    user_settle(worker, job->user);
    rqv_list_append(&worker->finished, &job->node);
    if (!worker->mailed && !worker->stopping) {
        worker->mailed = true;
        loop_mail_send(worker->loop, &worker->mail);
    }
}

/* ---- threads ---- */

/* Those who are passed over run something: they are fewer than the threads. */
static struct worker_user *user_next(const struct worker *worker)
{
    rqv_list_for_each (node, &worker->ring) {
        struct worker_user *user = RQV_LIST_OF(node, struct worker_user, ring_node);

        if (user->running < worker->threads_free)
            return user;
    }
    return NULL;
}

/* The user whose job is taken goes to the ring's tail. */
static struct worker_job *take_job(struct worker *worker)
{
    struct worker_user *user = user_next(worker);
    struct worker_job *job;

    if (!user)
        return NULL;
    job = RQV_LIST_OF(rqv_list_first(&user->waiting), struct worker_job, node);
    rqv_list_remove(&job->node);
    rqv_list_remove(&user->ring_node);
    user->running++;
    worker->threads_free--;
    job->state = WORKER_RUNNING;
    user_settle(worker, user);
    return job;
}

static void *thread_main(void *argument)
{
    struct worker *worker = argument;
    struct worker_job *job;

    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping) {
        job = take_job(worker);
        if (!job) {
            pthread_cond_wait(&worker->wake, &worker->lock);
            continue;
        }
        if (user_next(worker)) /* what the end of a job allows may be more than one */
            pthread_cond_signal(&worker->wake);
        pthread_mutex_unlock(&worker->lock);
        job->work(job);
        pthread_mutex_lock(&worker->lock);
        job->user->running--;
        worker->threads_free++;
        job_finish(worker, job);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

/* Signals are the loop's: the threads take none. */
static int threads_start(struct worker *worker, unsigned threads)
{
    sigset_t all, old;
    int rc = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (rc == 0 && worker->threads < threads) {
        rc = pthread_create(&worker->thread[worker->threads], NULL, thread_main, worker);
        if (rc == 0)
            worker->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -rc;
}

/* ---- the loop's side ---- */

/* done() may submit again or cancel others, so each job is taken off under the lock and called without it. */
static void finished_deliver(struct worker *worker)
{
    struct rqv_list *node;
    struct worker_job *job;

    for (;;) {
        pthread_mutex_lock(&worker->lock);
        node = rqv_list_first(&worker->finished);
        if (node)
            rqv_list_remove(node);
        pthread_mutex_unlock(&worker->lock);
        if (!node)
            return;
        job = RQV_LIST_OF(node, struct worker_job, node);
        job->state = WORKER_NONE;
        job->worker = NULL;
        job->done(job); /* may free the job */
    }
}

static void worker_release(struct worker *worker)
{
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

static void on_mail(void *owner)
{
    struct worker *worker = owner;

    if (worker->freed) {
        worker_release(worker);
        return;
    }
    pthread_mutex_lock(&worker->lock);
    worker->mailed = false;
    pthread_mutex_unlock(&worker->lock);
    finished_deliver(worker);
}

int worker_new(struct loop *loop, unsigned threads, unsigned queue_max_per_uid, struct worker **ret_worker)
{
    struct worker *worker;
    int rc;

    if (!threads || !queue_max_per_uid)
        return -EINVAL;
    worker = calloc(1, sizeof(*worker) + threads * sizeof(worker->thread[0]));
    if (!worker)
        return -ENOMEM;
    worker->loop = loop;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    rqv_list_init(&worker->users);
    rqv_list_init(&worker->ring);
    rqv_list_init(&worker->finished);
    worker->mail = (struct loop_mail){.fn = on_mail, .owner = worker};
    worker->user_max = queue_max_per_uid;
    worker->threads_free = threads;
    rc = threads_start(worker, threads);
    if (rc < 0) {
        worker_free(worker);
        return rc;
    }
    *ret_worker = worker;
    return 0;
}

static void cancel_waiting(struct worker *worker, struct worker_job *job)
{
    rqv_list_remove(&job->node);
    job_finish(worker, job);
}

static void cancel_all_waiting(struct worker *worker)
{
    rqv_list_for_each_safe (node, next, &worker->users) {
        struct worker_user *user = RQV_LIST_OF(node, struct worker_user, node);
        unsigned waiting = user->jobs; /* none is running any more */

        while (waiting--) {
            struct worker_job *job = RQV_LIST_OF(rqv_list_first(&user->waiting), struct worker_job, node);

            job->canceled = true;
            cancel_waiting(worker, job); /* the last one frees the user */
        }
    }
}

/* A mail cannot be taken back: if one is on its way, it is what frees the memory (the loop delivers all mail
 * before it dies, and this is called before that). */
void worker_free(struct worker *worker)
{
    bool mailed;

    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_broadcast(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    for (unsigned i = 0; i < worker->threads; i++)
        pthread_join(worker->thread[i], NULL);
    cancel_all_waiting(worker);
    finished_deliver(worker);
    mailed = worker->mailed;
    worker->freed = true;
    if (!mailed)
        worker_release(worker);
}

static int submit_locked(struct worker *worker, struct worker_job *job)
{
    struct worker_user *user = user_find(worker, job->account);

    if (worker->stopping)
        return REQIVO_E_SHUTDOWN;
    if (user && user->jobs >= worker->user_max)
        return REQIVO_E_LIMIT_REQUESTS;
    if (!user)
        user = user_make(worker, job->account);
    if (!user)
        return -ENOMEM;
    job->worker = worker;
    job->user = user;
    job->canceled = false;
    job->state = WORKER_WAITING;
    rqv_list_append(&user->waiting, &job->node);
    user->jobs++;
    user_settle(worker, user);
    return 0;
}

int worker_submit(struct worker *worker, struct worker_job *job)
{
    int rc;

    pthread_mutex_lock(&worker->lock);
    rc = submit_locked(worker, job);
    pthread_mutex_unlock(&worker->lock);
    return rc;
}

void worker_cancel(struct worker_job *job)
{
    struct worker *worker = job->worker;

    if (!worker) /* never submitted, or done */
        return;
    pthread_mutex_lock(&worker->lock);
    job->canceled = true;
    if (job->state == WORKER_WAITING)
        cancel_waiting(worker, job);
    pthread_mutex_unlock(&worker->lock);
}
