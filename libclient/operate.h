/* SPDX-License-Identifier: MIT */
/*
 * operate - the verbs on sessions, pools and connections: requests that go out as OPERATE and end with DONE,
 * with rows before it. Their response has no status; the one row of a verb that has one is its fields.
 */
#ifndef RQV_LIBCLIENT_OPERATE_H
#define RQV_LIBCLIENT_OPERATE_H

#include "libclient/handle.h"
#include "libclient/request.h"

/* An operation on the pool that `pattern` names with its URL, TLS options, certificates, route and timeouts;
 * for `target` as for rqv_request_operate(). 0, -ENOMEM. */
int rqv_operate_like(const struct reqivo_request *pattern, const struct rqv_wanted *wanted,
                     struct reqivo_request **ret_request);

/* Both take the request in any case. client may be NULL, when the handle is gone: REQIVO_E_CANCELED. */

/* Blocks: 0 or the code. *ret_response, if it is wanted, exists when the operation was started, else it is
 * left alone. */
int rqv_operate_call(struct reqivo_client *client, struct reqivo_request *request,
                     struct reqivo_response **ret_response);
/* 0, or the code for which nothing was started. fn of NULL: nobody waits for it, and its failure means
 * nothing. */
int rqv_operate_submit(struct reqivo_client *client, struct reqivo_request *request, reqivo_done_fn fn,
                       void *userdata);

#endif
