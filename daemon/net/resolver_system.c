/* SPDX-License-Identifier: MIT */
/*
 * resolver_system - getaddrinfo on a few threads, for hosts whose nsswitch knows more than files and dns. It
 * gives no TTL and cannot be interrupted: a name that hangs holds its thread, and no user may hold more
 * than half of them (worker.h).
 *
 *   start -> job waits -> thread: getaddrinfo -> mail -> answer
 */
#include "daemon/base/worker.h"
#include "daemon/net/resolver_internal.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct system_job {
    struct worker_job job;
    struct resolver_lookup *lookup; /* the loop's; the thread does not look at it */
    char name[RESOLVER_NAME_MAX + 1];
    struct resolver_answer answer;
};

struct system_state {
    struct resolver *resolver;
    struct worker *worker;
};

static void answer_from(struct resolver_answer *answer, const struct addrinfo *list)
{
    for (const struct addrinfo *ai = list; ai && answer->count < RESOLVER_ADDRS_MAX; ai = ai->ai_next) {
        if (rqv_addr_from_sockaddr(ai->ai_addr, ai->ai_addrlen, &answer->addrs[answer->count]))
            answer->addrs[answer->count++].port = 0;
    }
    if (!answer->count) {
        answer->code = REQIVO_E_RESOLVE;
        snprintf(answer->detail, sizeof(answer->detail), "the name has no IPv4 or IPv6 address");
    }
}

static int code_from(int eai)
{
    return eai == EAI_MEMORY ? -ENOMEM : REQIVO_E_RESOLVE;
}

static void job_work(struct worker_job *worker_job)
{
    struct system_job *job = RQV_LIST_OF(worker_job, struct system_job, job);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char text[128];
    int eai, saved;

    errno = 0;
    eai = getaddrinfo(job->name, NULL, &hints, &list);
    saved = errno;
    if (eai == 0) {
        answer_from(&job->answer, list);
        freeaddrinfo(list);
        return;
    }
    job->answer.code = code_from(eai);
    snprintf(job->answer.detail, sizeof(job->answer.detail), "%s",
             eai == EAI_SYSTEM ? strerror_r(saved, text, sizeof(text)) : gai_strerror(eai));
}

static void job_done(struct worker_job *worker_job)
{
    struct system_job *job = RQV_LIST_OF(worker_job, struct system_job, job);

    if (worker_job->canceled) {
        job->answer.code = REQIVO_E_CANCELED;
        job->answer.count = 0;
    }
    resolver_lookup_answer(job->lookup, &job->answer);
    free(job);
}

static int system_start(void *state, struct resolver_lookup *lookup)
{
    struct system_state *sys = state;
    struct system_job *job = calloc(1, sizeof(*job));
    int rc;

    if (!job)
        return -ENOMEM;
    job->job.work = job_work;
    job->job.done = job_done;
    job->job.account = lookup->key.account;
    job->lookup = lookup;
    job->answer.ttl_s = sys->resolver->conf->dns_ttl_system_s;
    memcpy(job->name, lookup->key.name, lookup->key.name_len + 1);
    rc = worker_submit(sys->worker, &job->job);
    if (rc) {
        free(job);
        return rc;
    }
    lookup->backend = job;
    return 0;
}

static void system_cancel(struct resolver_lookup *lookup)
{
    struct system_job *job = lookup->backend;

    worker_cancel(&job->job);
}

static int system_open(struct resolver *resolver, void **ret_state)
{
    struct system_state *sys = calloc(1, sizeof(*sys));
    int rc;

    if (!sys)
        return -ENOMEM;
    sys->resolver = resolver;
    rc = worker_new(resolver->loop, RESOLVER_THREADS, RESOLVER_UID_LOOKUPS, &sys->worker);
    if (rc) {
        free(sys);
        return rc;
    }
    *ret_state = sys;
    return 0;
}

static void system_close(void *state)
{
    struct system_state *sys = state;

    worker_free(sys->worker);
    free(sys);
}

const struct resolver_backend resolver_backend_system = {
    .name = "getaddrinfo",
    .open = system_open,
    .close = system_close,
    .start = system_start,
    .cancel = system_cancel,
};
