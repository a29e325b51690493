/* SPDX-License-Identifier: MIT */
/* hooks - runs a program's hooks on the requests that redirects make and on responses. Hop 0: exchange.c. */
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"

/* The request that a redirect makes: the hook may change or refuse it. */
void rqv_hooks_hop(struct reqivo_client *client, struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    unsigned hop = (unsigned)x->response->hop_count;

    x->hop_due = false;
    x->delivered = true;
    client->in_callback++;
    int r = request->before(client, x->hop, hop, request->hook_userdata);
    client->in_callback--;
    if (x->state == RQV_X_DONE) /* canceled inside */
        return;
    if (r != 0)
        rqv_exchange_abort(client, x, REQIVO_E_REFUSED, "the hook refused a redirect");
    else
        rqv_exchange_proceed(client, x);
}

/* The response before anybody else sees it. */
void rqv_hooks_after(struct reqivo_client *client, struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);

    x->after_due = false;
    x->delivered = true;
    client->in_callback++;
    int r = request->after(client, x->response, request->hook_userdata);
    client->in_callback--;
    if (r == 0)
        return;
    if (x->state != RQV_X_DONE) {
        rqv_exchange_abort(client, x, REQIVO_E_REFUSED, "the hook refused the response");
        return;
    }
    x->head_due = false; /* nobody else sees it */
    rqv_buf_done(&x->stream);
    if (x->response->err.code == 0)
        rqv_err_set(&x->response->err, REQIVO_E_REFUSED, REQIVO_PHASE_BODY, "%s",
                    "the hook refused the response");
}
