/* SPDX-License-Identifier: MIT */
/*
 * sync - the blocking calls: submit, then turn the handle until that one exchange is over. What completes for
 * others meanwhile stays in the ready list for reqivo_client_dispatch(). No socket code here.
 */
#include "libclient/sync.h"
#include "common/err.h"
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"

#include <errno.h>

enum { SOURCE_RETRY_MS = 10 };

/* Turns until x is over. A source that says "not yet" has nobody to resume it during the call: it is asked
 * again. */
void rqv_sync_run(struct reqivo_client *client, struct rqv_exchange *x)
{
    while (!rqv_exchange_is_over(x)) {
        int r = rqv_client_turn(client,
                                false); /* asks the source, if there is one, so that the answer is known */
        if (r == 0 && x->state != RQV_X_DONE)
            r = rqv_client_poll(client, x->body_blocked ? SOURCE_RETRY_MS : -1);
        if (r < 0 && r != -EINTR && x->state != RQV_X_DONE)
            rqv_exchange_abort(client, x, r, NULL);
        if (x->body_blocked)
            reqivo_resume(client, x->id);
        rqv_exchange_deliver_parts(client, x);
        if (client->closing)
            break;
    }
    if (!rqv_exchange_is_over(x))
        rqv_exchange_abort(client, x, REQIVO_E_CANCELED, "the handle was closed");
}

/* A call without a handle, as in a program that did not look at what reqivo_open() said: the response exists
 * all the same. */
static int call_nobody(struct reqivo_request **request, struct reqivo_response **ret_response)
{
    struct reqivo_response *response = rqv_response_new(0);

    if (!response)
        return -ENOMEM;
    rqv_err_set(&response->err, REQIVO_E_NO_DAEMON, REQIVO_PHASE_IPC, "%s",
                "there is no handle: reqivo_open() has failed");
    reqivo_request_free(*request);
    *request = NULL;
    *ret_response = response;
    return REQIVO_E_NO_DAEMON;
}

int reqivo_call(struct reqivo_client *client, struct reqivo_request **request,
                struct reqivo_response **ret_response)
{
    const struct rqv_submission submission = {.sync = true};
    struct rqv_exchange *x;
    int saved = errno;
    int r = client ? rqv_client_check(client, true) : 0;

    if (r < 0)
        return r;
    if (!request || !*request || !ret_response)
        return -EINVAL;
    if (!client) {
        r = call_nobody(request, ret_response);
        errno = saved;
        return r;
    }
    r = rqv_exchange_submit(client, request, &submission, &x);
    if (r == 0) {
        rqv_sync_run(client, x);
        *ret_response = rqv_exchange_finish(client, x);
        r = reqivo_response_error(*ret_response);
    }
    return rqv_client_leave(client, r, saved);
}

int reqivo_query(struct reqivo_client *client, int verb, int timeout_ms, reqivo_row_fn fn, void *userdata)
{
    const struct rqv_submission submission = {.sync = true};
    struct rqv_exchange *x;
    int saved = errno;
    int r = rqv_client_check(client, true);

    if (r < 0)
        return r;
    if (verb < REQIVO_QUERY_STATUS || verb > REQIVO_QUERY_METRICS || !fn)
        return -EINVAL;
    struct reqivo_request *request = rqv_request_new_query((uint16_t)verb, fn, userdata);
    if (!request)
        return -ENOMEM;
    if (timeout_ms >= 0)
        reqivo_request_set_timeout(request, REQIVO_TIMEOUT_TOTAL, timeout_ms > 0 ? (uint32_t)timeout_ms : 1);
    r = rqv_exchange_submit(client, &request, &submission, &x);
    if (r == 0) {
        rqv_sync_run(client, x);
        struct reqivo_response *response = rqv_exchange_finish(client, x);
        r = reqivo_response_error(response);
        reqivo_response_free(response);
    }
    reqivo_request_free(request);
    return rqv_client_leave(client, r, saved);
}
