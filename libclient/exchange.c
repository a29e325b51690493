/* SPDX-License-Identifier: MIT */
/* exchange - the way of a request into the out buffer, and its ends. States: exchange.h. */
#include "libclient/exchange.h"

#include "common/err.h"
#include "common/uninit.h"
#include "libclient/handle.h"
#include "libclient/remote.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "libclient/save.h"
#include "libclient/websocket.h"

#include <errno.h>

#define ROWS_MAX    ((size_t)32 * 1024 * 1024) /* of a QUERY or an OPERATE, that wait for dispatch */
#define REPLAYS_MAX 16 /* of what never reached a server, each by another daemon: then something is wrong */

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
    x->hop_announced = x->hopped = x->hop_due = false;
    x->after_due = RQV_REQUEST_OF(x)->after && !RQV_REQUEST_OF(x)->ws;
    reqivo_request_free(x->hop);
    x->hop = NULL;
}

/* The ids before it are for the trust, and before that for the jar, should these have to be made known for
 * this request: ids on the wire only grow. */
static uint64_t ids_of(const struct reqivo_request *request)
{
    return (uint64_t)1 + (request->trust != NULL) + (request->jar != NULL);
}

static bool is_query(const struct rqv_exchange *x)
{
    return RQV_REQUEST_OF(x)->verb && !RQV_REQUEST_OF(x)->operation.verb;
}

static void link_up(struct reqivo_client *client, struct rqv_exchange *x)
{
    client->last_id += ids_of(RQV_REQUEST_OF(x));
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

/* The hook sees the request before anything of it is sent. True: it refuses. */
static bool ask_before(struct reqivo_client *client, struct reqivo_request *request)
{
    client->in_callback++;
    int r = request->before(client, request, 0, request->hook_userdata);
    client->in_callback--;
    return r != 0;
}

int rqv_exchange_submit(struct reqivo_client *client, struct reqivo_request **request,
                        const struct rqv_submission *submission, struct rqv_exchange **ret_exchange)
{
    struct reqivo_request *taken = *request;
    struct rqv_exchange *x = &taken->exchange;
    bool refused = false;
    int r = 0;

    if (client->waiting + client->on_channel >= RQV_WIRE_IN_FLIGHT_MAX)
        return REQIVO_E_LIMIT_REQUESTS;
    if (rqv_request_is_foreign(taken, client))
        return -EINVAL;
    x->response = rqv_response_new(0);
    if (!x->response)
        return -ENOMEM;
    if (taken->before)
        refused = ask_before(client, taken);
    if (taken->trust)
        rqv_trust_intern(&client->trust, &taken->trust);
    rqv_buf_init(&x->stream, taken->verb ? ROWS_MAX : 2 * RQV_WIRE_CREDIT_INITIAL);
    begin_attempt(x);
    x->fn = submission->fn;
    x->userdata = submission->userdata;
    x->sync = submission->sync;
    x->submit_us = rqv_now_us();
    link_up(client, x);
    if (refused)
        rqv_exchange_fail(client, x, REQIVO_E_REFUSED, "the hook refused the request");
    else if (client->channel.state == RQV_CHANNEL_DOWN)
        rqv_client_connect(client, x->submit_us / 1000);
    else if (client->waiting == 1 && (!taken->ws || client->channel.state == RQV_CHANNEL_UP) &&
             rqv_channel_takes_requests(&client->channel) && rqv_buf_len(&client->channel.out) < RQV_OUT_HIGH)
        r = rqv_exchange_start(client, x);
    if (r == REQIVO_E_SESSION_LOST ||
        r == REQIVO_E_CONNECTION_CLOSED) { /* a fact about the daemon, no wrong call */
        rqv_exchange_fail(client, x, r, NULL);
        r = 0;
    }
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

static void whole_head(const struct rqv_exchange *x, struct rqv_request_head *ret_head)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);

    rqv_request_head(request, ret_head);
    ret_head->trust_id = request->trust ? request->trust->wire_id : 0;
    ret_head->session_id = request->jar ? request->jar->id : 0;
    ret_head->connection_id = request->connection ? request->connection->id : 0;
    if (rqv_request_has_total(request))
        take_off_elapsed(x, &ret_head->timeout_ms[RQV_T_TOTAL]);
}

static int encode_request(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_buf *out = &client->channel.out;
    struct rqv_request_head head RQV_UNINIT; /* whole_head() sets it */
    bool body_follows = request->body.kind != RQV_BODY_NONE && request->body.length > 0;

    if (request->connection && request->connection->id == 0)
        return REQIVO_E_CONNECTION_CLOSED;
    whole_head(x, &head);
    int r = rqv_secret_reserve(out, RQV_WIRE_HEADER + rqv_request_head_size(request));
    if (r < 0)
        return r;
    r = rqv_wire_encode_request(out, x->id, (uint8_t)(body_follows ? 0 : RQV_FLAG_END), &head);
    x->end = rqv_channel_offset(&client->channel);
    return r;
}

/* What an operation acquires is named by its id from here on, and what it releases by none. */
static int encode_operation(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_remote *target = request->operation.target;
    struct rqv_buf *out = &client->channel.out;
    struct rqv_operation operation RQV_UNINIT; /* set below and by whole_head() */
    bool makes = request->operation.verb == RQV_OP_CONNECTION_ACQUIRE;

    if (target && !makes && !target->is_jar && target->id == 0)
        return REQIVO_E_CONNECTION_CLOSED;
    operation.verb = request->operation.verb;
    operation.value = request->operation.value;
    operation.target = target && !makes ? target->id : request->operation.user;
    whole_head(x, &operation.head);
    int r = rqv_secret_reserve(out, RQV_WIRE_HEADER + RQV_OPERATION_ROOM + rqv_request_head_size(request));
    if (r < 0)
        return r;
    r = rqv_wire_encode_operation(out, x->id, &operation);
    x->end = rqv_channel_offset(&client->channel);
    if (r < 0 || !target)
        return r;
    if (makes)
        target->id = x->id;
    if (operation.verb == RQV_OP_CONNECTION_RELEASE)
        target->id = 0;
    if (operation.verb == RQV_OP_COOKIES_ADD)
        target->filled = true;
    return 0;
}

/* What the request names is made known first: its jar, its certificates. *ret_uploaded: their id, 0 when they
 * are known already. */
static int encode_named(struct reqivo_client *client, struct rqv_exchange *x, uint64_t *ret_uploaded)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    int r = 0;

    *ret_uploaded = 0;
    if (request->jar)
        r = rqv_remote_open_jar(request->jar, x->id + 1 - ids_of(request));
    if (r == 0 && request->trust && request->trust->wire_id == 0) {
        *ret_uploaded = x->id - 1;
        r = rqv_trust_upload(request->trust, *ret_uploaded, &client->channel.out);
    }
    return r;
}

static int encode(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);

    if (request->ws)
        return client->caps & RQV_CAP_WEBSOCKET ? rqv_websocket_start(client, x) : REQIVO_E_VERSION;
    if (request->operation.verb)
        return encode_operation(client, x);
    if (!request->verb)
        return encode_request(client, x);
    int r = rqv_wire_encode_query(&client->channel.out, x->id, request->verb);
    x->end = rqv_channel_offset(&client->channel);
    return r;
}

int rqv_exchange_start(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_buf *out = &client->channel.out;
    size_t before = rqv_buf_len(out);
    uint64_t uploaded;
    int r = encode_named(client, x, &uploaded);

    if (r == 0)
        r = encode(client, x);
    if (r < 0) {
        out->end = out->start + before;
        if (uploaded)
            rqv_trust_forget_uploads(&client->trust, uploaded);
        if (request->jar)
            rqv_remotes_refused(client, x->id + 1 - ids_of(request));
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
    client->last_id += ids_of(request);
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
    if (x->head_due || x->hop_due || piece || (x->after_due && x->state == RQV_X_DONE) ||
        rqv_exchange_is_over(x))
        rqv_list_append(&client->ready, &x->ready);
}

bool rqv_exchange_is_over(const struct rqv_exchange *x)
{
    const struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;

    return x->state == RQV_X_DONE && !x->head_due && !x->after_due && rqv_buf_len(&x->stream) == 0 &&
           (!ws || rqv_websocket_is_told(ws));
}

void rqv_exchange_complete(struct reqivo_client *client, struct rqv_exchange *x)
{
    if (x->state != RQV_X_DONE) {
        x->hop_due = false;
        if (RQV_REQUEST_OF(x)->operation.verb)
            rqv_remote_settle(RQV_REQUEST_OF(x)->operation.target, x->id, &x->response->err);
        x->response->time_us[REQIVO_TIME_CALL] = rqv_now_us() - x->submit_us;
        rqv_list_remove(&x->sending);
        set_state(client, x, RQV_X_DONE);
    }
    rqv_exchange_notify(client, x);
}

/* What is known now, were nothing more to come. A frame that the kernel has not taken whole was never acted
 * upon. `drained`: all that the daemon ever sent has been read, so a BEGUN that was asked for and is not
 * there was never flushed, and no byte went to a server. */
uint8_t rqv_exchange_attempt(const struct reqivo_client *client, const struct rqv_exchange *x, bool drained)
{
    if (x->state == RQV_X_WAITING)
        return REQIVO_SENT_NO;
    if (x->state == RQV_X_ANSWERED || x->hopped)
        return REQIVO_SENT_YES;
    if (x->end > client->channel.written)
        return REQIVO_SENT_NO;
    if (drained && (RQV_REQUEST_OF(x)->flags & RQV_REQ_BEGUN) && !x->begun)
        return REQIVO_SENT_NO;
    return REQIVO_SENT_UNKNOWN;
}

uint8_t rqv_exchange_sent(const struct reqivo_client *client, const struct rqv_exchange *x, bool drained)
{
    if (x->state == RQV_X_DONE)
        return x->response->err.sent;
    uint8_t now = rqv_exchange_attempt(client, x, drained);
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
    if ((x->state == RQV_X_SENT || x->state == RQV_X_ANSWERED) && !is_query(x))
        rqv_client_must_queue(client, rqv_wire_encode_empty(&client->channel.out, RQV_WIRE_CANCEL, x->id));
    x->head_due = false;
    x->paused = false;
    rqv_buf_done(&x->stream);
    if (x->state == RQV_X_SENT) /* what lies in the out buffer still goes out, with CANCEL behind it */
        x->sent = REQIVO_SENT_UNKNOWN;
    rqv_exchange_fail(client, x, code, detail);
}

bool rqv_exchange_replay(struct reqivo_client *client, struct rqv_exchange *x, bool unsent)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    bool rewinds = request->body.kind != RQV_BODY_CALLBACK || x->body_sent == 0;

    if (request->ws || x->replays >= REPLAYS_MAX || x->delivered || !rewinds || client->closing)
        return false;
    if (!unsent && (x->repeated || !rqv_request_is_idempotent(request)))
        return false;
    x->repeated |= !unsent;
    x->replays++;
    x->replay_ms = rqv_now_ms();
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
    if (RQV_REQUEST_OF(x)->save)
        rqv_save_end(RQV_REQUEST_OF(x)->save, &response->err);
    rqv_buf_done(&x->stream);
    reqivo_request_free(RQV_REQUEST_OF(x));
    return response;
}

/* ---- the library's own deadline ---- */

/* A daemon that said that it ends may need its whole drain for that, and only then comes the next one. */
static uint64_t wait_bound_ms(const struct reqivo_client *client)
{
    if (client->start.wanted)
        return RQV_START_BOUND_MS;
    return client->goaway_code == REQIVO_E_SHUTDOWN ? RQV_DRAIN_BOUND_MS : RQV_WAIT_BOUND_MS;
}

uint64_t rqv_exchange_deadline_ms(const struct reqivo_client *client, const struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    uint64_t submit_ms = x->submit_us / 1000;
    uint64_t deadline = UINT64_MAX;

    if (x->state == RQV_X_DONE)
        return UINT64_MAX;
    if (rqv_request_has_total(request)) {
        deadline = submit_ms + request->timeout_ms[RQV_T_TOTAL];
        if (x->state != RQV_X_WAITING && !is_query(x))
            deadline += RQV_GRACE_MS;
    }
    if (x->state == RQV_X_WAITING && client->channel.state == RQV_CHANNEL_DOWN) {
        uint64_t down_ms = client->channel.down_since_ms;
        uint64_t since_ms = submit_ms > down_ms ? submit_ms : down_ms;
        uint64_t bound = (since_ms > x->replay_ms ? since_ms : x->replay_ms) + wait_bound_ms(client);
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
