/* SPDX-License-Identifier: MIT */
/* operate - see operate.h. */
#include "libclient/operate.h"

#include "libclient/response.h"
#include "libclient/sync.h"

#include <errno.h>
#include <stdlib.h>

struct rqv_errand *rqv_errand_new(const struct rqv_errand *like)
{
    struct rqv_errand *errand = malloc(sizeof *errand);

    if (errand)
        *errand = *like;
    return errand;
}

int rqv_operate_call(struct reqivo_client *client, struct reqivo_request *request)
{
    const struct rqv_submission submission = {.sync = true};
    struct rqv_exchange *x;
    int saved = errno;
    int r = rqv_client_check(client, true);

    if (r == 0)
        r = rqv_exchange_submit(client, &request, &submission, &x);
    if (r < 0) {
        reqivo_request_free(request);
        return r;
    }
    rqv_sync_run(client, x);
    struct reqivo_response *response = rqv_exchange_finish(client, x);
    r = reqivo_response_error(response);
    reqivo_response_free(response);
    return rqv_client_leave(client, r, saved);
}

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct rqv_errand *errand = userdata;
    int code = reqivo_response_error(response);

    reqivo_response_free(response);
    if (errand->code == 0)
        errand->code = code;
    if (--errand->left > 0)
        return;
    const struct rqv_errand over = *errand;
    free(errand);
    over.run(&over, client, over.code);
}

int rqv_operate_submit(struct reqivo_client *client, struct reqivo_request *request,
                       struct rqv_errand *errand)
{
    int r = reqivo_submit(client, &request, on_done, errand, NULL);

    if (r < 0)
        reqivo_request_free(request);
    else
        errand->left++;
    return r;
}

void rqv_operate_forget(struct reqivo_client *client, struct reqivo_request *request)
{
    const struct rqv_submission submission = {.sync = false};
    struct rqv_exchange *x;

    if (rqv_exchange_submit(client, &request, &submission, &x) < 0)
        reqivo_request_free(request);
}
