/* SPDX-License-Identifier: MIT */
/*
 * websocket - the exported functions and the callbacks. Blocking and asynchronous sessions differ in one
 * thing: the one turns the handle until what it waits for is there.
 */
#include "libclient/websocket.h"

#include "libclient/exchange.h"
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define UP_HIGH     ((size_t)1024 * 1024) /* so much may wait for credit */
#define CLOSE_MS    10000
#define IN_MAX      ((size_t)64 * 1024 * 1024)
#define MESSAGE_MAX ((size_t)16 * 1024 * 1024)
#define CODE_MIN    1000
#define CODE_MAX    4999
#define CODE_NONE   1005 /* a close frame without a code */

static void destroy(struct reqivo_websocket *ws)
{
    rqv_buf_wipe(&ws->up);
    rqv_buf_done(&ws->in);
    rqv_buf_done(&ws->whole);
    rqv_buf_done(&ws->given);
    free(ws);
}

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct rqv_err err = response->err;

    reqivo_response_free(response);
    rqv_websocket_over(client, userdata, &err);
}

static struct reqivo_websocket *make(const struct reqivo_websocket_options *options)
{
    struct reqivo_websocket *ws = calloc(1, sizeof(*ws));

    if (!ws)
        return NULL;
    rqv_buf_init(&ws->up, SIZE_MAX / 4);
    rqv_buf_init(&ws->in, IN_MAX);
    rqv_buf_init(&ws->whole, MESSAGE_MAX);
    rqv_buf_init(&ws->given, MESSAGE_MAX);
    ws->credit = ws->window = RQV_WS_WINDOW;
    ws->sync = !options || !options->callbacks;
    if (!options)
        return ws;
    if (options->callbacks)
        ws->callbacks = *options->callbacks;
    ws->userdata = options->userdata;
    ws->pieces = options->pieces;
    if (options->message_max > 0)
        ws->whole.max = ws->given.max =
            options->message_max < SIZE_MAX / 4 ? options->message_max : SIZE_MAX / 4;
    ws->open = (struct rqv_ws_open){
        .reconnect_max =
            (uint16_t)(options->reconnect < RQV_WS_FOR_EVER ? options->reconnect : RQV_WS_FOR_EVER),
        .flags = options->compress ? RQV_WS_DEFLATE : 0,
        .message_max = options->message_max,
        .ping_ms = options->ping_ms,
        .pong_ms = options->pong_ms,
        .idle_ms = options->idle_ms,
        .backoff_ms = options->backoff_ms,
        .backoff_max_ms = options->backoff_max_ms,
    };
    return ws;
}

/* ---- waiting: blocking sessions only ---- */

/* The outcome of a blocking session is taken from its exchange here, since no dispatch does. */
static void reap(struct reqivo_websocket *ws)
{
    if (!ws->x || !ws->sync || ws->x->state != RQV_X_DONE)
        return;
    struct reqivo_client *client = ws->client;
    struct reqivo_response *response = rqv_exchange_finish(client, ws->x);
    on_done(client, response, ws);
}

/* One turn, at most until `until_ms`. 0, -EAGAIN when that had passed: then it has only taken what was there.
 */
static int turn(struct reqivo_websocket *ws, uint64_t until_ms)
{
    uint64_t now = rqv_now_ms();
    bool late = now >= until_ms;
    int left = until_ms == UINT64_MAX ? -1 : until_ms - now < INT_MAX ? (int)(until_ms - now) : INT_MAX;

    int r = rqv_client_poll(ws->client, late ? 0 : left);
    if (r < 0 && r != -EINTR)
        return r;
    reap(ws);
    return late ? -EAGAIN : 0;
}

static uint64_t until(int timeout_ms)
{
    return timeout_ms < 0 ? UINT64_MAX : rqv_now_ms() + (uint64_t)timeout_ms;
}

static int wait_open(struct reqivo_websocket *ws)
{
    while (ws->x && !ws->is_open) {
        int r = turn(ws, UINT64_MAX);
        if (r < 0)
            return r;
    }
    return ws->x || ws->is_open ? 0 : ws->err.code;
}

int reqivo_websocket_open(struct reqivo_client *client, struct reqivo_request **request,
                          const struct reqivo_websocket_options *options, struct reqivo_websocket **ret_ws)
{
    int saved = errno;
    bool sync = !options || !options->callbacks;
    int r = rqv_client_check(client, sync);

    if (r < 0)
        return r;
    if (!request || !*request || !ret_ws || (!sync && !options->callbacks->on_close) || client->closing)
        return -EINVAL;
    struct reqivo_websocket *ws = make(options);
    if (!ws)
        return -ENOMEM;
    const struct rqv_submission submission = {.fn = on_done, .userdata = ws, .sync = ws->sync};
    ws->client = client;
    (*request)->ws = ws;
    (*request)->timeout_ms[RQV_T_TOTAL] = RQV_TIMEOUT_DEFAULT;
    ws->x = &(*request)->exchange;
    r = rqv_exchange_submit(client, request, &submission, &ws->x);
    if (r < 0) {
        (*request)->ws = NULL;
        destroy(ws);
        errno = saved;
        return r;
    }
    *ret_ws = ws;
    if (ws->sync)
        r = wait_open(ws);
    errno = saved;
    return r;
}

/* ---- sending ---- */

static int check_send(const struct reqivo_websocket *ws)
{
    if (!ws || ws->freed)
        return -EINVAL;
    if (!ws->client || ws->closed || ws->x->state == RQV_X_DONE)
        return REQIVO_E_WEBSOCKET_CLOSED;
    return rqv_client_check(ws->client, ws->sync);
}

static int wait_room(struct reqivo_websocket *ws)
{
    while (ws->x && !ws->closed && rqv_buf_len(&ws->up) >= UP_HIGH) {
        if (!ws->sync) {
            ws->drain_due = true;
            return -EAGAIN;
        }
        int r = turn(ws, UINT64_MAX);
        if (r < 0)
            return r;
    }
    return ws->x && !ws->closed ? 0 : REQIVO_E_WEBSOCKET_CLOSED;
}

int reqivo_websocket_send_part(struct reqivo_websocket *ws, int kind, const void *bytes, size_t size,
                               int last)
{
    int saved = errno;
    int r = check_send(ws);

    if (r < 0)
        return r;
    if ((!bytes && size > 0) || (kind != REQIVO_TEXT && kind != REQIVO_BINARY) || size > UINT32_MAX)
        return -EINVAL;
    if (ws->up_open && (kind == REQIVO_TEXT) != ws->up_text)
        return -EINVAL;
    if (size == 0 && !last)
        return 0;
    r = wait_room(ws);
    if (r < 0)
        return r;
    uint8_t flags = (uint8_t)((ws->up_open ? 0 : RQV_FLAG_FIRST) | (last ? RQV_FLAG_END : 0) |
                              (kind == REQIVO_TEXT ? RQV_FLAG_TEXT : 0));
    r = rqv_record_put(&ws->up, flags, (struct rqv_str){bytes, size});
    if (r < 0)
        return r;
    ws->started += !ws->up_open;
    ws->up_open = !last;
    ws->up_text = kind == REQIVO_TEXT;
    if (ws->x->state != RQV_X_WAITING && rqv_list_empty(&ws->x->sending))
        rqv_list_append(&ws->client->sending, &ws->x->sending);
    if (ws->sync)
        rqv_client_turn(ws->client, false);
    reap(ws);
    errno = saved;
    return 0;
}

int reqivo_websocket_send(struct reqivo_websocket *ws, int kind, const void *bytes, size_t size)
{
    if (ws && ws->up_open)
        return -EINVAL;
    return reqivo_websocket_send_part(ws, kind, bytes, size, 1);
}

static void begin_close(struct reqivo_websocket *ws, int code)
{
    ws->close_code = (uint16_t)code;
    ws->close_due = ws->closed = true;
    if (ws->x->state != RQV_X_WAITING && rqv_list_empty(&ws->x->sending))
        rqv_list_append(&ws->client->sending, &ws->x->sending);
}

/* The program has taken all that came before the server's end: what it has sent goes out, then the close. */
static void answer_ending(struct reqivo_websocket *ws)
{
    if (!ws->ending || ws->freed || ws->last != RQV_WS_TAKEN || (ws->drain_due && !ws->sync))
        return;
    ws->ending = false;
    if (ws->x && !ws->closed && ws->x->state != RQV_X_DONE)
        begin_close(ws, CODE_NONE);
}

/* ---- receiving ---- */

int reqivo_websocket_receive(struct reqivo_websocket *ws, int timeout_ms, struct reqivo_message *ret_message)
{
    struct reqivo_websocket_event event;
    uint64_t until_ms = until(timeout_ms);
    int saved = errno, r = 0;
    uint8_t flags;

    if (!ws || !ws->sync || !ret_message)
        return -EINVAL;
    for (;;) {
        while (rqv_websocket_next(ws, ret_message, &event, &flags)) {
            if (flags & (RQV_RECORD_EVENT | RQV_RECORD_OPENED))
                continue;
            if (ws->client)
                rqv_channel_flush(&ws->client->channel);
            errno = saved;
            return 0;
        }
        answer_ending(ws);
        if (!ws->x)
            return ws->err.code < 0 ? ws->err.code : REQIVO_E_WEBSOCKET_CLOSED;
        if (r == 0)
            r = rqv_client_check(ws->client, true);
        else
            break;
        if (r == 0)
            r = turn(ws, until_ms);
    }
    errno = saved;
    return r;
}

int reqivo_websocket_close(struct reqivo_websocket *ws, int code, const char *reason)
{
    int saved = errno;
    int r = check_send(ws);

    if (r < 0)
        return r;
    if (code < CODE_MIN || code > CODE_MAX || code == 1004 || code == 1006 || (code > 1014 && code < 3000) ||
        (reason && strlen(reason) > RQV_WIRE_CLOSE_MAX))
        return -EINVAL;
    if (reason)
        memcpy(ws->reason, reason, strlen(reason) + 1);
    begin_close(ws, code);
    uint64_t until_ms = until(CLOSE_MS);
    while (ws->sync && ws->x && r == 0)
        r = turn(ws, until_ms);
    errno = saved;
    return ws->sync && !ws->x ? 0 : r;
}

/* ---- callbacks ---- */

static bool is_drained(const struct reqivo_websocket *ws)
{
    return ws->drain_due && rqv_buf_len(&ws->up) < RQV_WS_WINDOW / 2;
}

/* A message that was put off may be told again. */
static bool is_due_again(const struct reqivo_websocket *ws)
{
    bool ended = ws->x && ws->x->state == RQV_X_DONE;

    return ws->last == RQV_WS_AGAIN ||
           (ws->last == RQV_WS_PUT_OFF && (is_drained(ws) || (ended && !ws->retold)));
}

bool rqv_websocket_has_more(const struct reqivo_websocket *ws)
{
    return is_due_again(ws) || is_drained(ws) || (ws->last == RQV_WS_TAKEN && rqv_buf_len(&ws->in) > 0);
}

bool rqv_websocket_is_told(const struct reqivo_websocket *ws)
{
    return ws->sync || (ws->last == RQV_WS_TAKEN && rqv_buf_len(&ws->in) == 0);
}

static void run_one(struct reqivo_websocket *ws, uint8_t flags, const struct reqivo_message *message,
                    const struct reqivo_websocket_event *event)
{
    const struct reqivo_websocket_callbacks *on = &ws->callbacks;

    if (flags & RQV_RECORD_OPENED) {
        if (on->on_open)
            on->on_open(ws, ws->userdata);
    } else if (flags & RQV_RECORD_EVENT) {
        if (on->on_event)
            on->on_event(ws, event, ws->userdata);
    } else if (on->on_message && on->on_message(ws, message, ws->userdata) == -EAGAIN && !ws->freed) {
        ws->last = RQV_WS_PUT_OFF;
        ws->message = *message;
    }
}

static bool next_to_tell(struct reqivo_websocket *ws, struct reqivo_message *message,
                         struct reqivo_websocket_event *event, uint8_t *flags)
{
    if (ws->last == RQV_WS_AGAIN) {
        ws->last = RQV_WS_TAKEN;
        *message = ws->message;
        *flags = 0;
        return true;
    }
    return ws->last == RQV_WS_TAKEN && rqv_websocket_next(ws, message, event, flags);
}

int rqv_websocket_deliver(struct reqivo_client *client, struct rqv_exchange *x)
{
    struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
    struct reqivo_websocket_event event = {0};
    struct reqivo_message message = {0};
    uint8_t flags;
    int run = 0;

    bool drained = is_drained(ws);

    if (is_due_again(ws)) {
        ws->last = RQV_WS_AGAIN;
        ws->retold = x->state == RQV_X_DONE;
    }
    ws->drain_due = ws->drain_due && !drained;
    client->in_callback++;
    ws->delivering = true;
    while (!ws->freed && !client->closing && next_to_tell(ws, &message, &event, &flags)) {
        run_one(ws, flags, &message, &event);
        run++;
    }
    if (drained && !ws->freed && !client->closing) {
        if (ws->callbacks.on_drain)
            ws->callbacks.on_drain(ws, ws->userdata);
        run++;
    }
    answer_ending(ws);
    ws->delivering = false;
    client->in_callback--;
    return run;
}

/* Messages of which the end has not left the library. */
static size_t left_behind(struct reqivo_websocket *ws)
{
    struct rqv_str bytes;
    size_t count = ws->up_open;
    uint8_t flags;

    while (rqv_record_get(&ws->up, &flags, &bytes)) {
        count += (flags & RQV_FLAG_END) != 0;
        rqv_record_drop(&ws->up);
    }
    return count;
}

/* The daemon has told what it could not deliver, unless it was lost, or the session was never open. */
static void count_undelivered(struct reqivo_websocket *ws, int code)
{
    bool daemon_ended = code != REQIVO_E_DAEMON_LOST && code != REQIVO_E_WIRE && code != REQIVO_E_CANCELED;

    if (ws->close_told)
        return;
    ws->undelivered += daemon_ended && !ws->is_open ? ws->started : left_behind(ws);
    ws->unconfirmed = ws->started - ws->undelivered;
}

void rqv_websocket_over(struct reqivo_client *client, struct reqivo_websocket *ws, const struct rqv_err *err)
{
    (void)client;
    count_undelivered(ws, err->code);
    ws->client = NULL;
    ws->x = NULL;
    ws->err = *err;
    if (!ws->sync && !ws->freed && ws->callbacks.on_close) {
        ws->delivering = true;
        ws->callbacks.on_close(ws, ws->userdata);
        ws->delivering = false;
    }
    if (ws->freed)
        destroy(ws);
}

void rqv_websocket_forget(struct reqivo_websocket *ws)
{
    ws->client = NULL;
    ws->x = NULL;
    ws->err.code = -ECHILD;
    if (ws->freed)
        destroy(ws);
}

void reqivo_websocket_free(struct reqivo_websocket *ws)
{
    int saved = errno;

    if (!ws || ws->freed)
        return;
    if (!ws->x && !ws->delivering) {
        destroy(ws);
        return;
    }
    ws->freed = true; /* over() frees it */
    if (ws->x) {
        if (ws->x->state != RQV_X_DONE)
            rqv_exchange_abort(ws->client, ws->x, REQIVO_E_CANCELED, "the session was freed");
        rqv_buf_consume(&ws->in, rqv_buf_len(&ws->in));
        ws->last = RQV_WS_TAKEN;
        ws->drain_due = false;
        if (ws->sync) {
            rqv_channel_flush(&ws->client->channel);
            reap(ws);
        } else {
            rqv_exchange_notify(ws->client, ws->x);
        }
    }
    errno = saved;
}

int reqivo_websocket_resume(struct reqivo_websocket *ws)
{
    if (!ws || ws->freed || ws->sync)
        return -EINVAL;
    int r = ws->client ? rqv_client_check(ws->client, false) : 0;
    if (r < 0 || ws->last != RQV_WS_PUT_OFF)
        return r;
    ws->last = RQV_WS_AGAIN;
    rqv_exchange_notify(ws->client, ws->x);
    return 0;
}

/* ---- what can be asked ---- */

const char *reqivo_websocket_protocol(const struct reqivo_websocket *ws)
{
    return ws ? ws->protocol : "";
}

int reqivo_websocket_error(const struct reqivo_websocket *ws)
{
    return ws ? ws->err.code : -EINVAL;
}

const char *reqivo_websocket_detail(const struct reqivo_websocket *ws)
{
    return ws ? ws->err.detail : "";
}

int reqivo_websocket_close_code(const struct reqivo_websocket *ws)
{
    return ws ? ws->heard_code : 0;
}

const char *reqivo_websocket_close_reason(const struct reqivo_websocket *ws)
{
    return ws ? ws->heard_reason : "";
}

size_t reqivo_websocket_undelivered(const struct reqivo_websocket *ws)
{
    return ws ? ws->undelivered : 0;
}

size_t reqivo_websocket_unconfirmed(const struct reqivo_websocket *ws)
{
    return ws ? ws->unconfirmed : 0;
}
