/* SPDX-License-Identifier: MIT */
/* operate - see operate.h. */
#include "libclient/operate.h"

#include "libclient/response.h"
#include "libclient/sync.h"

#include <reqivo/client.h>

#include <errno.h>
#include <stdint.h>

int rqv_operate_like(const struct reqivo_request *pattern, const struct rqv_wanted *wanted,
                     struct reqivo_request **ret_request)
{
    struct reqivo_request *request = NULL;
    struct rqv_request_head head;

    rqv_request_head(pattern, &head);
    int r = rqv_request_new(head.method, head.url, &request);
    if (r == 0)
        r = rqv_request_inherit(request, pattern);
    if (r < 0) {
        reqivo_request_free(request);
        return r;
    }
    request->flags &= RQV_REQ_INSECURE;
    request->redirect_max = 0;
    request->before = NULL;
    request->after = NULL;
    rqv_request_operate(request, wanted->verb, wanted->value, wanted->target);
    *ret_request = request;
    return 0;
}

int rqv_operate_call(struct reqivo_client *client, struct reqivo_request *request,
                     struct reqivo_response **ret_response)
{
    const struct rqv_submission submission = {.sync = true};
    struct rqv_exchange *x = NULL;
    int saved = errno;
    int r = client ? rqv_client_check(client, true) : REQIVO_E_CANCELED;

    if (r == 0)
        r = rqv_exchange_submit(client, &request, &submission, &x);
    if (r < 0 || !x) {
        reqivo_request_free(request);
        return r;
    }
    rqv_sync_run(client, x);
    struct reqivo_response *response = rqv_exchange_finish(client, x);
    r = reqivo_response_error(response);
    if (ret_response)
        *ret_response = response;
    else
        reqivo_response_free(response);
    return rqv_client_leave(client, r, saved);
}

int rqv_operate_submit(struct reqivo_client *client, struct reqivo_request *request, reqivo_done_fn fn,
                       void *userdata)
{
    const struct rqv_submission submission = {.fn = fn, .userdata = userdata};
    struct rqv_exchange *x;
    int saved = errno;
    int r = client && !client->closing ? rqv_client_check(client, false) : REQIVO_E_CANCELED;

    if (r == 0)
        r = rqv_exchange_submit(client, &request, &submission, &x);
    if (r < 0)
        reqivo_request_free(request);
    errno = saved;
    return r;
}

int reqivo_control_new(int verb, const char *origin, uint32_t count, long long user,
                       struct reqivo_request **ret_request)
{
    bool of_pools = verb == REQIVO_CONTROL_CLOSE || verb == REQIVO_CONTROL_WARM;
    struct reqivo_request *request = NULL;

    if (verb < REQIVO_CONTROL_DRAIN || verb > REQIVO_CONTROL_WARM || of_pools != (origin != NULL) ||
        user < REQIVO_USER_ALL || user > UINT32_MAX || !ret_request)
        return -EINVAL;
    int r = rqv_request_new(RQV_STR("GET"), rqv_str_from(origin ? origin : ""), &request);
    if (r < 0)
        return r;
    rqv_request_operate(request, (enum rqv_operation_verb)verb, count > 0 ? count : 1, NULL);
    request->operation.user = user == REQIVO_USER_ALL    ? RQV_OPERATION_ALL
                              : user == REQIVO_USER_SELF ? 0
                                                         : (uint64_t)user + 1;
    *ret_request = request;
    return 0;
}
