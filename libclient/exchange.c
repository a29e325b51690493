/* SPDX-License-Identifier: MIT */
/* exchange - the way of a request into the out buffer, and its ends. States: exchange.h. */
#include "libclient/exchange.h"

#include "common/err.h"
#include "common/uninit.h"
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "libclient/websocket.h"

#include <errno.h>

/* The one setter of state: keeps the handle's counts. */
static void set_state(struct reqivo_client *client, struct rqv_exchange *x, enum rqv_exchange_state state)
{
    bool websocket = RQV_REQUEST_OF(x)->ws != NULL;

    client->greeting -= websocket && x->state == RQV_X_WAITING;
    client->greeting += websocket && state == RQV_X_WAITING;
    client->waiting -= x->state == RQV_X_WAITING;
    client->on_channel -= x->state == RQV_X_SENT || x->state == RQV_X_ANSWERED;
    x->state = state;
    client->waiting += state == RQV_X_WAITING;
    client->on_channel += state == RQV_X_SENT || state == RQV_X_ANSWERED;
}

void rqv_exchange_answered(struct reqivo_client *client, struct rqv_exchange *x)
{
    set_state(client, x, RQV_X_ANSWERED);
}

/* What belongs to one attempt. */
static void begin_attempt(struct rqv_exchange *x)
{
    x->body_sent = 0;
    x->credit = RQV_WIRE_CREDIT_INITIAL;
    x->window = RQV_WIRE_CREDIT_INITIAL;
    x->owed = x->held = x->received = 0;
    x->body_ended = x->body_blocked = x->begun = x->paused = x->head_due = false;
}

static void link_up(struct reqivo_client *client, struct rqv_exchange *x, bool with_trust)
{
    /* The id before it is the trust's, should that have to be uploaded for this request: ids on the wire only
     * grow. */
    client->last_id += with_trust ? 2 : 1;
    x->id = client->last_id;
    x->response->id = x->id;
    rqv_list_append(&client->all, &x->all);
    rqv_ids_put(&client->ids, x);
    client->pending++;
    x->state = RQV_X_WAITING;
    client->waiting++;
    client->greeting += RQV_REQUEST_OF(x)->ws != NULL;
}

static void unlink_exchange(struct reqivo_client *client, struct rqv_exchange *x)
{
    set_state(client, x, RQV_X_DONE);
    rqv_list_remove(&x->all);
    rqv_list_remove(&x->ready);
    rqv_list_remove(&x->sending);
    rqv_ids_del(&client->ids, x);
    client->pending--;
}

int rqv_exchange_submit(struct reqivo_client *client, struct reqivo_request **request,
                        const struct rqv_submission *submission, struct rqv_exchange **ret_exchange)
{
    struct reqivo_request *taken = *request;
    struct rqv_exchange *x = &taken->exchange;
    int r = 0;

    if (client->waiting + client->on_channel >= RQV_WIRE_IN_FLIGHT_MAX)
        return REQIVO_E_LIMIT_REQUESTS;
    x->response = rqv_response_new(0);
    if (!x->response)
        return -ENOMEM;
    if (taken->trust)
        rqv_trust_intern(&client->trust, &taken->trust);
    rqv_buf_init(&x->stream, 2 * RQV_WIRE_CREDIT_INITIAL);
    begin_attempt(x);
    x->fn = submission->fn;
    x->userdata = submission->userdata;
    x->sync = submission->sync;
    x->submit_us = rqv_now_us();
    link_up(client, x, taken->trust != NULL);
    if (client->channel.state == RQV_CHANNEL_DOWN)
        rqv_client_connect(client, x->submit_us / 1000);
    else if (client->waiting == 1 && (!taken->ws || client->channel.state == RQV_CHANNEL_UP) &&
             rqv_channel_takes_requests(&client->channel) && rqv_buf_len(&client->channel.out) < RQV_OUT_HIGH)
        r = rqv_exchange_start(client, x);
    if (r < 0) {
        unlink_exchange(client, x);
        reqivo_response_free(x->response);
        x->response = NULL;
        return r;
    }
    rqv_client_arm(client, x);
    *request = NULL;
    *ret_exchange = x;
    return 0;
}

/* The program's total time counts from submit: what has passed is taken off. */
static void take_off_elapsed(const struct rqv_exchange *x, uint32_t *total_ms)
{
    uint64_t elapsed = (rqv_now_us() - x->submit_us) / 1000;

    *total_ms = elapsed < *total_ms ? *total_ms - (uint32_t)elapsed : 1;
}

static int encode_request(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_buf *out = &client->channel.out;
    struct rqv_request_head head RQV_UNINIT; /* rqv_request_head() sets it */
    bool body_follows = request->body.kind != RQV_BODY_NONE && request->body.length > 0;

    rqv_request_head(request, &head);
    if (request->trust)
        head.trust_id = request->trust->wire_id;
    if (rqv_request_has_total(request))
        take_off_elapsed(x, &head.timeout_ms[RQV_T_TOTAL]);
    int r = rqv_secret_reserve(out, RQV_WIRE_HEADER + rqv_request_head_size(request));
    if (r < 0)
        return r;
    x->offset = rqv_channel_offset(&client->channel);
    return rqv_wire_encode_request(out, x->id, (uint8_t)(body_follows ? 0 : RQV_FLAG_END), &head);
}

int rqv_exchange_start(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_buf *out = &client->channel.out;
    size_t before = rqv_buf_len(out);
    uint64_t uploaded = 0;
    int r = 0;

    if (request->trust && request->trust->wire_id == 0) {
        uploaded = x->id - 1;
        r = rqv_trust_upload(request->trust, uploaded, out);
    }
    if (r == 0 && request->ws) {
        r = client->caps & RQV_CAP_WEBSOCKET ? rqv_websocket_start(client, x) : REQIVO_E_VERSION;
    } else if (r == 0 && request->verb) {
        x->offset = rqv_channel_offset(&client->channel);
        r = rqv_wire_encode_query(out, x->id, request->verb);
    } else if (r == 0) {
        r = encode_request(client, x);
    }
    if (r < 0) {
        out->end = out->start + before;
        if (uploaded)
            rqv_trust_forget_uploads(&client->trust, uploaded);
        return r;
    }
    if (client->on_channel == 0 && client->channel.state == RQV_CHANNEL_UP)
        rqv_channel_watch(&client->channel, rqv_now_ms());
    set_state(client, x, RQV_X_SENT);
    if ((request->body.kind != RQV_BODY_NONE && request->body.length > 0) || request->ws)
        rqv_list_append(&client->sending, &x->sending);
    return 0;
}

/* A WebSocket needs the daemon's HELLO, and others may have gone before it: ids on the wire only grow, so it
 * gets another one. True when it has to wait for its turn. */
static bool put_off(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);

    if (!request->ws)
        return false;
    if (client->channel.state != RQV_CHANNEL_UP)
        return true;
    if (request->ws->renamed || x->id == client->last_id)
        return false;
    request->ws->renamed = true;
    rqv_ids_del(&client->ids, x);
    client->last_id += request->trust ? 2 : 1;
    x->id = client->last_id;
    x->response->id = x->id;
    rqv_ids_put(&client->ids, x);
    bool is_last = x->all.next == &client->all;
    rqv_list_remove(&x->all);
    rqv_list_append(&client->all, &x->all);
    return !is_last;
}

void rqv_exchange_start_waiting(struct reqivo_client *client)
{
    if (client->waiting == 0)
        return;
    rqv_list_for_each_safe (node, next, &client->all) {
        struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, all);
        if (!rqv_channel_takes_requests(&client->channel) ||
            rqv_buf_len(&client->channel.out) >= RQV_OUT_HIGH)
            return;
        if (x->state != RQV_X_WAITING || put_off(client, x))
            continue;
        int r = rqv_exchange_start(client, x);
        if (r < 0)
            rqv_exchange_fail(client, x, r, NULL);
        else
            rqv_client_arm(client, x);
    }
}

void rqv_exchange_notify(struct reqivo_client *client, struct rqv_exchange *x)
{
    bool piece = rqv_buf_len(&x->stream) > 0 && !x->paused;

    if (x->sync || !rqv_list_empty(&x->ready))
        return;
    if (RQV_REQUEST_OF(x)->ws && rqv_websocket_has_more(RQV_REQUEST_OF(x)->ws))
        piece = true;
    if (x->head_due || piece || rqv_exchange_is_over(x))
        rqv_list_append(&client->ready, &x->ready);
}

bool rqv_exchange_is_over(const struct rqv_exchange *x)
{
    const struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;

    return x->state == RQV_X_DONE && !x->head_due && rqv_buf_len(&x->stream) == 0 &&
           (!ws || rqv_websocket_is_told(ws));
}

void rqv_exchange_complete(struct reqivo_client *client, struct rqv_exchange *x)
{
    if (x->state != RQV_X_DONE) {
        x->response->time_us[REQIVO_TIME_CALL] = rqv_now_us() - x->submit_us;
        rqv_list_remove(&x->sending);
        set_state(client, x, RQV_X_DONE);
    }
    rqv_exchange_notify(client, x);
}

/* What is known now, were nothing more to come. `drained`: all that the daemon ever sent has been read, so a
 * BEGUN that was asked for and is not there was never flushed, and no byte went to a server. */
uint8_t rqv_exchange_sent(const struct reqivo_client *client, const struct rqv_exchange *x, bool drained)
{
    uint8_t now = REQIVO_SENT_UNKNOWN;

    if (x->state == RQV_X_DONE)
        return x->response->err.sent;
    if (x->state == RQV_X_WAITING)
        return x->sent;
    if (x->state == RQV_X_ANSWERED)
        return REQIVO_SENT_YES;
    if (x->offset >= client->channel.written)
        now = REQIVO_SENT_NO;
    else if (drained && (RQV_REQUEST_OF(x)->flags & RQV_REQ_BEGUN) && !x->begun)
        now = REQIVO_SENT_NO;
    return now > x->sent ? now : x->sent;
}

void rqv_exchange_fail(struct reqivo_client *client, struct rqv_exchange *x, int code, const char *detail)
{
    struct rqv_err *err = &x->response->err;

    err->sent = rqv_exchange_sent(client, x, false);
    rqv_err_set(err, code, REQIVO_PHASE_IPC, "%s", detail ? detail : "");
    rqv_exchange_complete(client, x);
}

void rqv_exchange_abort(struct reqivo_client *client, struct rqv_exchange *x, int code, const char *detail)
{
    if ((x->state == RQV_X_SENT || x->state == RQV_X_ANSWERED) && !RQV_REQUEST_OF(x)->verb)
        rqv_client_must_queue(client, rqv_wire_encode_empty(&client->channel.out, RQV_WIRE_CANCEL, x->id));
    x->head_due = false;
    x->paused = false;
    rqv_buf_done(&x->stream);
    if (x->state == RQV_X_SENT) /* what lies in the out buffer still goes out, with CANCEL behind it */
        x->sent = REQIVO_SENT_UNKNOWN;
    rqv_exchange_fail(client, x, code, detail);
}

bool rqv_exchange_replay(struct reqivo_client *client, struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    bool rewinds = request->body.kind != RQV_BODY_CALLBACK || x->body_sent == 0;

    if (request->ws || x->replays > 0 || x->delivered || !rewinds || client->closing)
        return false;
    if (x->sent != REQIVO_SENT_NO && !rqv_request_is_idempotent(request))
        return false;
    x->replays++;
    rqv_list_remove(&x->sending);
    rqv_list_remove(&x->ready);
    rqv_buf_done(&x->stream);
    rqv_response_reset(x->response);
    begin_attempt(x);
    set_state(client, x, RQV_X_WAITING);
    rqv_client_arm(client, x);
    return true;
}

void rqv_exchange_return_credit(struct reqivo_client *client, struct rqv_exchange *x, uint64_t n)
{
    x->owed += n;
    if (x->owed < RQV_WIRE_CREDIT_INITIAL / 2 || x->state != RQV_X_ANSWERED)
        return;
    rqv_client_must_queue(client, rqv_wire_encode_credit(&client->channel.out, x->id, (uint32_t)x->owed));
    x->window += x->owed;
    x->owed = 0;
}

struct reqivo_response *rqv_exchange_finish(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_response *response = x->response;

    unlink_exchange(client, x);
    rqv_buf_done(&x->stream);
    reqivo_request_free(RQV_REQUEST_OF(x));
    return response;
}

/* ---- the library's own deadline ---- */

uint64_t rqv_exchange_deadline_ms(const struct reqivo_client *client, const struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    uint64_t submit_ms = x->submit_us / 1000;
    uint64_t deadline = UINT64_MAX;

    if (x->state == RQV_X_DONE)
        return UINT64_MAX;
    if (rqv_request_has_total(request)) {
        deadline = submit_ms + request->timeout_ms[RQV_T_TOTAL];
        if (x->state != RQV_X_WAITING && !request->verb)
            deadline += RQV_GRACE_MS;
    }
    if (x->state == RQV_X_WAITING && client->channel.state == RQV_CHANNEL_DOWN) {
        uint64_t down_ms = client->channel.down_since_ms;
        uint64_t bound = (submit_ms > down_ms ? submit_ms : down_ms) + RQV_WAIT_BOUND_MS;
        deadline = bound < deadline ? bound : deadline;
    }
    return deadline;
}

void rqv_exchange_expire(struct reqivo_client *client, struct rqv_exchange *x, uint64_t now_ms)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    bool total =
        rqv_request_has_total(request) && now_ms >= x->submit_us / 1000 + request->timeout_ms[RQV_T_TOTAL];

    if (total) {
        rqv_exchange_abort(client, x, REQIVO_E_TIMEOUT_TOTAL, "the daemon did not end the request in time");
        return;
    }
    x->response->err.sys_errno = client->channel.connect_errno;
    rqv_exchange_fail(client, x, x->replays > 0 ? REQIVO_E_DAEMON_LOST : REQIVO_E_NO_DAEMON,
                      client->channel.address.sun_path);
}
