/* SPDX-License-Identifier: MIT */
/* exchange_hop - redirects of an exchange: a HOP comes, the hook sees the request that it describes, PROCEED
 * answers one that waits, and the body goes out once more when it is needed. */
#include "common/uninit.h"
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"

/* The body from its start, as a new REQUEST would send it. */
static int rewind_body(struct reqivo_client *client, struct rqv_exchange *x)
{
    const struct rqv_body *body = &RQV_REQUEST_OF(x)->body;

    if (body->kind == RQV_BODY_CALLBACK && x->body_sent > 0)
        return REQIVO_E_REDIRECT_BODY;
    x->body_sent = 0;
    x->credit = RQV_WIRE_CREDIT_INITIAL;
    x->body_ended = x->body_blocked = false;
    if (body->length > 0 && rqv_list_empty(&x->sending))
        rqv_list_append(&client->sending, &x->sending);
    return 0;
}

/* What the head of a PROCEED says of the body: that of the first request, or none. What a hook gave its hop
 * is of no account. */
static void set_body(const struct reqivo_request *request, struct rqv_request_head *head)
{
    struct rqv_request_head whole RQV_UNINIT; /* rqv_request_head() sets it */

    head->flags &= ~(uint32_t)(RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED | RQV_REQ_TRUSTED);
    head->body_length = 0;
    if (!request)
        return;
    rqv_request_head(request, &whole);
    head->flags |= whole.flags & (RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
    head->body_length = whole.body_length;
}

void rqv_exchange_proceed(struct reqivo_client *client, struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_request_head head RQV_UNINIT; /* rqv_request_head() sets it */
    bool again = x->hop_flags & RQV_HOP_BODY;
    int r = again ? rewind_body(client, x) : 0;

    if (r == 0) {
        rqv_request_head(x->hop, &head);
        set_body(again ? request : NULL, &head);
        r = rqv_secret_reserve(&client->channel.out, RQV_WIRE_HEADER + rqv_request_head_size(x->hop));
    }
    if (r == 0)
        r = rqv_wire_encode_proceed(&client->channel.out, x->id,
                                    (uint8_t)(again && request->body.length > 0 ? 0 : RQV_FLAG_END), &head);
    if (r == 0)
        r = rqv_response_set_origin(x->response, head.method, head.url);
    reqivo_request_free(x->hop);
    x->hop = NULL;
    if (r < 0)
        rqv_exchange_abort(client, x, r, NULL);
}

void rqv_exchange_hop(struct reqivo_client *client, struct rqv_exchange *x, const struct rqv_hop *hop)
{
    int r = 0;

    x->hop_announced = false;
    x->hopped = true;
    x->hop_flags = hop->flags;
    if (!(hop->flags & RQV_HOP_BODY)) { /* the rest of the body is not wanted */
        x->body_ended = true;
        rqv_list_remove(&x->sending);
    }
    if (!(hop->flags & RQV_HOP_WAITS)) {
        r = rqv_response_set_origin(x->response, hop->method, hop->url);
    } else {
        r = rqv_request_new_hop(hop, &x->hop);
        if (r == 0)
            x->hop->flags |=
                RQV_REQUEST_OF(x)->flags & RQV_REQ_TRUSTED; /* for a hook that sends it elsewhere */
        if (r == 0 && !RQV_REQUEST_OF(x)->before) {
            rqv_exchange_proceed(client, x);
        } else if (r == 0) {
            x->hop_due = true;
            rqv_exchange_notify(client, x);
        }
    }
    if (r < 0)
        rqv_exchange_abort(client, x, r, NULL);
}
