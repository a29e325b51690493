/* SPDX-License-Identifier: MIT */
/* flight - the exported verbs on requests in flight: submit, cancel, resume, unpause. */
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"

#include <errno.h>

int reqivo_submit(struct reqivo_client *client, struct reqivo_request **request, reqivo_done_fn fn,
                  void *userdata, uint64_t *ret_id)
{
    const struct rqv_submission submission = {.fn = fn, .userdata = userdata};
    struct rqv_exchange *x;
    int saved = errno;
    int r = rqv_client_check(client, false);

    if (r < 0)
        return r;
    if (!request || !*request || !fn)
        return -EINVAL;
    if (client->closing)
        return REQIVO_E_CANCELED;
    r = rqv_exchange_submit(client, request, &submission, &x);
    if (r == 0 && ret_id)
        *ret_id = x->id;
    return rqv_client_leave(client, r, saved);
}

/* 0 with *ret_x, or the failure of a call that names a request. */
static int look_up(struct reqivo_client *client, uint64_t id, bool from_source, struct rqv_exchange **ret_x)
{
    int r = rqv_client_check(client, false);

    if (r < 0 && !(r == -EBUSY && from_source))
        return r;
    struct rqv_exchange *x = rqv_client_find(client, id);
    if (!x)
        return -ENOENT;
    *ret_x = x;
    return 0;
}

int reqivo_cancel(struct reqivo_client *client, uint64_t id)
{
    struct rqv_exchange *x;
    int saved = errno;
    int r = look_up(client, id, false, &x);

    if (r < 0)
        return r;
    rqv_exchange_abort(client, x, REQIVO_E_CANCELED, "the program canceled it");
    errno = saved;
    return 0;
}

int reqivo_resume(struct reqivo_client *client, uint64_t id)
{
    struct rqv_exchange *x;
    int r = look_up(client, id, true, &x);

    if (r < 0)
        return r;
    x->body_resumed = true;
    if (x->body_blocked) {
        x->body_blocked = false;
        if (x->state == RQV_X_SENT || x->state == RQV_X_ANSWERED)
            rqv_list_append(&client->sending, &x->sending);
    }
    return 0;
}

int reqivo_unpause(struct reqivo_client *client, uint64_t id)
{
    struct rqv_exchange *x;
    int r = look_up(client, id, false, &x);

    if (r < 0)
        return r;
    uint64_t held = x->held;
    x->held = 0;
    x->paused = false;
    rqv_exchange_return_credit(client, x, held);
    rqv_exchange_notify(client, x);
    return 0;
}
