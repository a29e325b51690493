/* SPDX-License-Identifier: MIT */
/* exchange_events - what the connection says to its exchange: facts are set here, the driver acts on them. */
#include "daemon/work/exchange_internal.h"

#include "daemon/base/log.h"

#include <reqivo/error.h>

#include <string.h>

static struct exchange *of_lease(struct lease *lease)
{
    return RQV_LIST_OF(lease, struct exchange, lease);
}

static void on_written(struct lease *lease)
{
    struct exchange *x = of_lease(lease);

    if (x->sent == REQIVO_SENT_NO)
        x->sent = REQIVO_SENT_UNKNOWN;
    exchange_progress(x);
    exchange_drive(x);
}

static void on_interim(struct lease *lease, int status)
{
    struct exchange *x = of_lease(lease);

    x->sent = REQIVO_SENT_YES;
    exchange_progress(x);
    if (status == 100) {
        x->go_on = true;
        exchange_drive(x);
    }
}

/* A server that offers to authenticate the connection itself makes it unfit for sharing: security.md B2-4. */
static bool offers_bound_auth(const struct rqv_http1_head *head)
{
    const struct rqv_field *field;

    if (head->status != 401 && head->status != 407)
        return false;
    struct rqv_str name = head->status == 401 ? RQV_STR("www-authenticate") : RQV_STR("proxy-authenticate");
    for (size_t n = 0; (field = rqv_fields_get(head->fields, name, n)) != NULL; n++) {
        if (target_names_bound_auth(field->value))
            return true;
    }
    return false;
}

static void fill_head(struct exchange *x, struct rqv_response_head *out, const struct rqv_http1_head *head)
{
    out->status = (uint16_t)head->status;
    out->minor = (uint8_t)head->minor;
    out->flags = (uint8_t)((x->reused ? RQV_RESP_REUSED : 0) | (x->retried ? RQV_RESP_RETRIED : 0));
    out->content_length = x->decode ? -1 : head->content_length;
    memcpy(out->time_us, x->time_us, sizeof out->time_us);
    out->reason = head->reason;
    out->address = rqv_str_from(x->address);
    out->fields.count = head->fields->count;
    memcpy(out->fields.at, head->fields->at, head->fields->count * sizeof head->fields->at[0]);
}

static void on_head(struct lease *lease, const struct rqv_http1_head *head)
{
    struct exchange *x = of_lease(lease);
    struct rqv_response_head *out = &x->env->head;

    x->got_head = true;
    x->status = (uint16_t)head->status;
    x->sent = REQIVO_SENT_YES;
    x->first_us = loop_now_us(x->env->loop);
    x->time_us[RQV_TIME_FIRST] = exchange_elapsed(x, x->sent_us ? x->sent_us : x->lease_us);
    x->time_us[RQV_TIME_TOTAL] = exchange_elapsed(x, x->start_us);
    if (offers_bound_auth(head) || x->target.bound_auth)
        lease_spoil(lease);
    if (x->target.has_body && (!x->body_finished || lease_unsent(lease) > 0)) {
        lease_stop_sending(lease); /* an early answer: RFC 9112 9.3, security.md B4 */
        x->body_dropped = true;
    }
    queue_done(&x->head); /* no repeat any more */
    int judged = x->extras ? exchange_judge(x, head) : 0;
    if (x->body_at > 0 && !x->body_kept)
        queue_consume(&x->body, x->body_at);
    x->body_at = 0;
    exchange_progress(x);
    fill_head(x, out, head);
    int rc = x->sink->head(x, out);
    if (rc < 0)
        exchange_cancel(x, rc, "the response head could not be queued for the program");
    else if (judged < 0)
        exchange_finish(x);
    else
        exchange_drive(x);
}

static void on_body(struct lease *lease, const uint8_t *bytes, size_t len, bool last)
{
    struct exchange *x = of_lease(lease);

    if (x->hopping) {
        exchange_drain(x, len);
        return;
    }
    x->response_bytes += len;
    if (x->decode) {
        exchange_decode_put(x, bytes, len);
        return;
    }
    x->window -= len < x->window ? len : x->window;
    exchange_progress(x);
    int rc = x->sink->data(x, bytes, len, last);
    if (rc < 0)
        exchange_cancel(x, rc, "the response could not be queued for the program");
}

static void on_trailers(struct lease *lease, const struct rqv_fields *trailers)
{
    struct exchange *x = of_lease(lease);
    int rc = 0;

    if (x->decode)
        rc = decode_keep(x->decode, trailers); /* they go behind the body */
    else if (!x->hopping)
        rc = x->sink->trailers(x, trailers);
    if (rc < 0)
        exchange_cancel(x, rc, "the trailers could not be queued for the program");
}

static void on_end(struct lease *lease)
{
    struct exchange *x = of_lease(lease);

    x->ended = true;
    exchange_drive(x);
}

static void on_error(struct lease *lease, const struct rqv_err *err)
{
    exchange_broken(of_lease(lease), err);
}

static void on_stale(struct lease *lease)
{
    exchange_ask_anew(of_lease(lease));
}

static size_t window(struct lease *lease)
{
    struct exchange *x = of_lease(lease);
    if (x->hopping)
        return SIZE_MAX; /* the program gets nothing of it */
    size_t room = x->sink->room(x);
    size_t n = x->window < room ? (size_t)x->window : room;

    x->blocked = n == 0;
    if (x->blocked)
        exchange_arm(x);
    return x->decode && decode_waits(x->decode) ? 0 : n; /* its turn asks for more when all is decoded */
}

const struct lease_events exchange_lease_events = {
    .on_written = on_written,
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_error = on_error,
    .on_stale = on_stale,
    .window = window,
};
