/* SPDX-License-Identifier: MIT */
/*
 * driver_async SOCKET - the asynchronous API, driven by descriptions on stdin (driver_common.h): a loop of
 * one's own around fd, events, timeout_ms, process and dispatch.
 */
#include "tests/integration/driver_common.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

/* One driver a process: the callback has room for one pointer, and that is the job. */
static struct driver driver;

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct job *job = userdata;

    (void)client;
    job->unpause_at_ms = job->resume_at_ms = job->cancel_at_ms = DRIVER_NEVER;
    driver_report(&driver, job, response);
    reqivo_response_free(response);
}

/* What the jobs asked for at a time: the nearest such time. */
static uint64_t jobs_due(uint64_t now)
{
    uint64_t next = DRIVER_NEVER;

    for (struct job *job = driver.jobs; job; job = job->next) {
        if (job->unpause_at_ms <= now) {
            job->unpause_at_ms = DRIVER_NEVER;
            reqivo_unpause(driver.client, job->id);
        }
        if (job->resume_at_ms <= now) {
            job->resume_at_ms = DRIVER_NEVER;
            reqivo_resume(driver.client, job->id);
        }
        if (job->cancel_at_ms <= now) {
            job->cancel_at_ms = DRIVER_NEVER;
            reqivo_cancel(driver.client, job->id);
        }
        if (job->unpause_at_ms < next)
            next = job->unpause_at_ms;
        if (job->resume_at_ms < next)
            next = job->resume_at_ms;
        if (job->cancel_at_ms < next)
            next = job->cancel_at_ms;
    }
    return next;
}

static int turn(void)
{
    uint64_t now = driver_now_ms();
    uint64_t due = jobs_due(now);
    int timeout = reqivo_client_timeout_ms(driver.client);

    if (due != DRIVER_NEVER && (timeout < 0 || due - now < (uint64_t)timeout))
        timeout = (int)(due - now);
    struct pollfd fd = {
        .fd = reqivo_client_fd(driver.client),
        .events = (short)reqivo_client_events(driver.client),
    };
    if (poll(&fd, 1, timeout) < 0 && errno != EINTR)
        return -errno;
    int rc = reqivo_client_process(driver.client);
    if (rc < 0)
        return rc;
    return reqivo_client_dispatch(driver.client);
}

/* What was canceled is complete at once, but the daemon has yet to be told: stdin is read only when that is
 * done. */
static bool unsaid(void)
{
    return reqivo_client_fd(driver.client) >= 0 && (reqivo_client_events(driver.client) & POLLOUT);
}

static int run(size_t until)
{
    int rc = 0;

    while (rc >= 0 && (reqivo_client_pending(driver.client) > until || (until == 0 && unsaid())))
        rc = turn();
    if (rc < 0)
        fprintf(stderr, "driver_async: the loop failed: %s\n", reqivo_error_name(rc));
    return rc < 0 ? 5 : 0;
}

static void start(void)
{
    struct job *job = driver.job;

    driver.job = NULL;
    if (!job->build_error)
        job->build_error = job->helper.method
                               ? driver_helper_submit(job, on_done)
                               : reqivo_submit(driver.client, &job->request, on_done, job, &job->id);
    if (job->build_error)
        driver_report(&driver, job, NULL);
    else
        driver.submitted++;
}

/* ---- operations ---- */

static void on_operated(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct driver_operation *operation = userdata;
    int code = reqivo_response_error(response);

    (void)client;
    operation->has_stats =
        operation->verb == OPERATE_STATS && reqivo_pool_stats_of(response, &operation->stats) == 0;
    driver_report_operation(operation, code, reqivo_response_detail(response));
    reqivo_response_free(response);
}

static void on_open(struct reqivo_websocket *ws, void *userdata)
{
    (void)userdata;
    reqivo_websocket_close(ws, 1000, NULL);
}

static void on_close(struct reqivo_websocket *ws, void *userdata)
{
    driver_report_operation(userdata, reqivo_websocket_error(ws), reqivo_websocket_detail(ws));
}

static int websocket(struct driver_operation *operation)
{
    static const struct reqivo_websocket_callbacks callbacks = {.on_open = on_open, .on_close = on_close};
    const struct reqivo_websocket_options options = {.callbacks = &callbacks, .userdata = operation};

    return reqivo_websocket_open(driver.client, &operation->request, &options, &operation->ws);
}

static int begin_operation(struct driver_operation *operation)
{
    struct driver_thing *thing = operation->thing;

    switch (operation->verb) {
    case OPERATE_ACQUIRE:
        return reqivo_connection_acquire_async(driver.client, &operation->request, on_operated, operation,
                                               &thing->connection);
    case OPERATE_REFRESH:
        return reqivo_connection_refresh_async(thing->connection, on_operated, operation);
    case OPERATE_RELEASE:
        return reqivo_connection_release_async(&thing->connection, on_operated, operation);
    case OPERATE_WEBSOCKET:
        return websocket(operation);
    case OPERATE_STATS:
        return reqivo_pool_stats_async(thing->pool, on_operated, operation);
    case OPERATE_LIMIT:
        return reqivo_pool_limit_async(thing->pool, operation->value, on_operated, operation);
    case OPERATE_PREWARM:
        return reqivo_pool_prewarm_async(thing->pool, operation->value, on_operated, operation);
    default:
        return reqivo_pool_close_idle_async(thing->pool, on_operated, operation);
    }
}

static void operate(struct driver_operation *operation)
{
    int rc = begin_operation(operation);

    if (rc)
        driver_report_operation(operation, rc, "");
}

int main(int argc, char **argv)
{
    enum driver_verb verb;
    int rc = driver_open(&driver, argc, argv);

    if (rc)
        return rc;
    while (rc == 0 && (verb = driver_read(&driver)) != DRIVER_END_OF_INPUT) {
        if (verb == DRIVER_START) {
            start();
            rc = driver.window == SIZE_MAX ? 0 : run(driver.window - 1);
        } else if (verb == DRIVER_OPERATE) {
            operate(driver.operation);
        } else if (verb == DRIVER_RUN || verb == DRIVER_NOTE) {
            rc = run(0);
            if (verb == DRIVER_NOTE)
                driver_note(&driver);
        }
    }
    if (rc == 0)
        rc = run(0);
    int end = driver_close(&driver);
    return rc ? rc : end;
}
