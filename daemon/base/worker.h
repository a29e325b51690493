/* SPDX-License-Identifier: MIT */
/*
 * worker - a few threads for what would block the loop (name service, trust files). Jobs run in order of a
 * round-robin over users, and a user leaves as many threads as he holds (the last one may be taken), so that
 * one user's slow names do not starve another's; each comes back to the loop as mail.
 *
 *   submit ──> waiting ──> running ──> finished ──(mail)──> done() on the loop
 *                 └──────cancel─────────^
 */
#ifndef DAEMON_BASE_WORKER_H
#define DAEMON_BASE_WORKER_H

#include "common/list.h"
#include "daemon/base/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

enum worker_state { WORKER_NONE, WORKER_WAITING, WORKER_RUNNING, WORKER_FINISHED };

/* work() runs on a thread and touches only what the job owns; done() runs on the loop afterwards, also after
 * worker_cancel() (with job->canceled true), so the job's memory is the done()'s to free. The submitter sets
 * work, done and account (its id); `canceled` is read by done() only; the rest is the worker's. A job can be
 * submitted again from done() on. */
struct worker_job {
    void (*work)(struct worker_job *job);
    void (*done)(struct worker_job *job);
    uint64_t account;
    bool canceled;
    enum worker_state state;
    struct rqv_list node;
    struct worker *worker;
    struct worker_user *user;
};

int worker_new(struct loop *loop, unsigned threads, unsigned queue_max_per_uid, struct worker **ret_worker);
/* Waits for running jobs, then calls the done() of all jobs before it returns: canceled for those that never
 * ran. Not to be called from a done(). NULL is fine. */
void worker_free(struct worker *worker);
/* 0; -ENOMEM; REQIVO_E_LIMIT_REQUESTS when the user has queue_max_per_uid jobs that are not finished. */
int worker_submit(struct worker *worker, struct worker_job *job);
/* A waiting job will not run, a running one runs to its end; done() comes as mail, never inside this call. */
void worker_cancel(struct worker_job *job);

#endif
