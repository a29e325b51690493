/* SPDX-License-Identifier: MIT */
/*
 * operate - the verbs on sessions, pools and connections: requests that go out as OPERATE and end with DONE,
 * with rows before it. One errand may be several operations; it is over when the last of them is, with the
 * first failure.
 */
#ifndef RQV_LIBCLIENT_OPERATE_H
#define RQV_LIBCLIENT_OPERATE_H

#include "libclient/handle.h"
#include "libclient/request.h"

/* An errand for an object's callback, which the caller's type hides in `fn`. NULL: no memory. It frees itself
 * after the last of its operations; with none submitted: rqv_errand_end(). */
struct rqv_errand {
    void (*run)(const struct rqv_errand *errand, struct reqivo_client *client, int code);
    void (*fn)(void); /* of the program: run() knows its type */
    void *object, *userdata;
    size_t left;
    int code;
};
struct rqv_errand *rqv_errand_new(const struct rqv_errand *like);

/* Blocks: 0 or the code. Takes the request in any case. */
int rqv_operate_call(struct reqivo_client *client, struct reqivo_request *request);
/* Submits one operation of an errand. 0, or a code: then nothing was started; the request is freed in any
 * case. */
int rqv_operate_submit(struct reqivo_client *client, struct reqivo_request *request,
                       struct rqv_errand *errand);
/* Nobody waits for it, and its failure means nothing. */
void rqv_operate_forget(struct reqivo_client *client, struct reqivo_request *request);

#endif
