/* SPDX-License-Identifier: MIT */
/* wsession_open - the handshake of a session: the request, the answer and its judgement, the codecs that were
 * agreed on. RFC 6455 4.1, RFC 7692 7. */
#include "daemon/work/wsession_internal.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define OFFER_MAX 1024 /* of our fields, besides the subprotocols */

static void give_up(struct wsession *ws, int code, const char *why)
{
    wsession_fail(ws, code, REQIVO_PHASE_HEAD, why);
    wsession_lost(ws);
}

/* ---- the request ---- */

static int write_request(struct wsession *ws)
{
    size_t len = queue_len(&ws->head), size = len + OFFER_MAX;
    uint8_t nonce[RQV_WS_NONCE];

    for (size_t i = 0; i < ws->protocol_count; i++)
        size += ws->protocols[i].len + 2;
    if (getrandom(nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce)
        return -EIO;
    ws->offer = (struct rqv_ws_offer){
        .protocols = ws->protocols,
        .protocol_count = ws->protocol_count,
        .compression = {.enabled = ws->want_deflate, .client_window_bits = 15},
    };
    rqv_ws_key(nonce, ws->offer.key);
    int rc = queue_reserve(&ws->out, size);
    if (rc < 0)
        return rc;
    char *at = (char *)ws->out.buf.data + ws->out.buf.end;
    memcpy(at, rqv_buf_head(&ws->head.buf), len);
    long n = rqv_ws_offer_encode(&ws->offer, at, len, size);
    if (n < 0)
        return n == -EINVAL ? REQIVO_E_FIELD : (int)n;
    rqv_buf_commit(&ws->out.buf, (size_t)n);
    return 0;
}

void wsession_shake(struct wsession *ws)
{
    const struct rqv_http1_request_info info = {.upgrade = true};

    wsession_set_state(ws, WS_SHAKE);
    ws->out_at = 0;
    ws->progress_us = ws->state_us;
    int rc = write_request(ws);
    if (rc < 0) {
        give_up(ws, rc, "the handshake's request could not be written");
        return;
    }
    rqv_http1_init(&ws->decoder, &ws->env->limits, &ws->env->fields);
    rqv_http1_begin(&ws->decoder, &info);
    ws->want = LOOP_READ;
    stream_want(ws->stream, ws->want);
    wsession_flush_soon(ws);
    wsession_arm(ws);
}

/* ---- the answer ---- */

static int make_codecs(struct wsession *ws, const struct rqv_ws_compression *agreed)
{
    struct rqv_ws_inflate_params in;
    struct rqv_ws_deflate_params def = {.window_bits = agreed->client_window_bits,
                                        .no_context_takeover = agreed->client_no_context_takeover};

    rqv_ws_inflate_params_default(&in);
    in.window_bits = agreed->server_window_bits;
    in.no_context_takeover = agreed->server_no_context_takeover;
    if (ws->message_max > 0)
        in.message_max = ws->message_max;
    size_t need = rqv_ws_inflate_memory(&in) + rqv_ws_deflate_memory(&def);
    int rc = account_charge(ws->account, ACCOUNT_MEMORY, need);
    if (rc < 0)
        return rc;
    ws->codec_charged = need;
    rc = rqv_ws_inflate_new(&in, &ws->inflate);
    return rc < 0 ? rc : rqv_ws_deflate_new(&def, &ws->deflate);
}

static int start_frames(struct wsession *ws, const struct rqv_ws_agreed *agreed)
{
    struct wsession_env *env = ws->env;
    int rc = agreed->compression.enabled ? make_codecs(ws, &agreed->compression) : 0;

    if (rc < 0)
        return rc;
    struct rqv_ws_receiver_params rx = {.role = RQV_WS_CLIENT,
                                        .inflate = ws->inflate,
                                        .scratch = env->expanded,
                                        .scratch_size = sizeof env->expanded};
    rqv_ws_limits_default(&rx.limits);
    if (ws->message_max > 0)
        rx.limits.message_max = ws->message_max;
    struct rqv_ws_sender_params tx = {.role = RQV_WS_CLIENT,
                                      .frame_max = RQV_WIRE_PAYLOAD_MAX,
                                      .deflate = ws->deflate,
                                      .scratch = env->compressed,
                                      .scratch_size = sizeof env->compressed};
    rqv_ws_receiver_init(&ws->rx, &rx);
    rqv_ws_sender_init(&ws->tx, &tx);
    return 0;
}

static uint32_t spent(uint64_t from_us, uint64_t to_us)
{
    return to_us - from_us > UINT32_MAX ? UINT32_MAX : (uint32_t)(to_us - from_us);
}

static int tell_opened(struct wsession *ws, const struct rqv_http1_head *head)
{
    struct rqv_response_head *answer = &ws->env->head;
    uint64_t now = loop_now_us(ws->env->loop);

    ws->time_us[RQV_TIME_FIRST] = spent(ws->state_us, now);
    ws->time_us[RQV_TIME_TOTAL] = spent(ws->start_us, now);
    answer->status = (uint16_t)head->status;
    answer->minor = (uint8_t)head->minor;
    answer->flags = 0;
    answer->content_length = -1;
    memcpy(answer->time_us, ws->time_us, sizeof answer->time_us);
    answer->reason = head->reason;
    answer->address = rqv_str_from(ws->address);
    answer->fields = *head->fields;
    return ws->sink->opened(ws, answer);
}

static void become_open(struct wsession *ws)
{
    struct rqv_ws_event_info event = {.kind = RQV_WS_RESTORED, .attempt = (uint16_t)ws->attempt};
    bool again = ws->ever_open;

    wsession_set_state(ws, WS_OPEN);
    ws->ever_open = true;
    ws->err = (struct rqv_err){0}; /* of the attempts before */
    ws->env->opened++;
    ws->heard_us = ws->message_us = ws->progress_us = ws->state_us;
    if (again && ws->sink->event(ws, &event) < 0)
        wsession_unheard(ws);
    if (ws->close_asked && ws->state == WS_OPEN)
        wsession_set_state(ws, WS_CLOSING);
}

static void on_head(struct wsession *ws, const struct rqv_http1_head *head)
{
    struct rqv_ws_agreed agreed;
    const char *why = "";
    char text[96];

    if (head->status != 101) {
        snprintf(text, sizeof text, "the server answered %d %.*s", head->status,
                 (int)(head->reason.len < 64 ? head->reason.len : 64), head->reason.ptr);
        give_up(ws, REQIVO_E_WEBSOCKET_HANDSHAKE, text);
        return;
    }
    if (rqv_ws_answer_check(&ws->offer, head->status, head->fields, &agreed, &why) < 0) {
        give_up(ws, REQIVO_E_WEBSOCKET_HANDSHAKE, why);
        return;
    }
    int rc = start_frames(ws, &agreed);
    if (rc < 0) {
        give_up(ws, rc, "no memory for the session's compression");
        return;
    }
    if (tell_opened(ws, head) < 0) {
        wsession_unheard(ws);
        return;
    }
    become_open(ws);
}

void wsession_on_answer(struct wsession *ws)
{
    struct rqv_http1_event event;

    for (;;) {
        int rc = rqv_http1_decode(&ws->decoder, rqv_buf_head(&ws->in.buf), queue_len(&ws->in), &event);
        if (rc < 0) {
            give_up(ws, rc, event.why);
            return;
        }
        ws->parsing = true; /* until the head is out of `in` */
        if (event.type == RQV_HTTP1_HEAD)
            on_head(ws, &event.head);
        ws->parsing = false;
        if (ws->state == WS_GONE || ws->state == WS_BACKOFF || ws->state == WS_LINGER)
            return;
        if (event.consumed > 0)
            queue_consume(&ws->in, event.consumed);
        if (event.type == RQV_HTTP1_NEED || event.type == RQV_HTTP1_HEAD)
            break;
    }
    if (ws->state == WS_SHAKE)
        return;
    wsession_arm(ws);
    wsession_flush_soon(ws);
    wsession_resume(ws);
}
