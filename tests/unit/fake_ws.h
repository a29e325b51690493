/* SPDX-License-Identifier: MIT */
/* fake_ws - the fake daemon's side of WebSocket sessions, and what a program's callbacks saw of one. */
#ifndef RQV_TESTS_FAKE_WS_H
#define RQV_TESTS_FAKE_WS_H

#include "tests/unit/fake_daemon.h"

#include <reqivo/error.h>
#include <reqivo/websocket.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WS_WHOLE (RQV_FLAG_FIRST | RQV_FLAG_END)

static inline void fake_put_opened(struct fake *fake, uint64_t id)
{
    static struct rqv_response_head head;

    head = (struct rqv_response_head){.status = 101, .minor = 1, .content_length = -1};
    rqv_fields_add(&head.fields, RQV_STR("Sec-WebSocket-Protocol"), RQV_STR("chat"));
    ck_assert_int_eq(rqv_wire_encode_ws_opened(&fake->out, id, &head), 0);
}

static inline void fake_put_message(struct fake *fake, uint64_t id, uint8_t flags, const char *text)
{
    ck_assert_int_eq(rqv_wire_encode_ws_data(&fake->out, id, flags, rqv_str_from(text)), 0);
}

static inline void fake_put_close(struct fake *fake, uint64_t id, uint16_t code, uint32_t undelivered,
                                  uint32_t taken)
{
    const struct rqv_ws_close_info close = {.code = code,
                                            .flags = RQV_WS_CLEAN,
                                            .undelivered = undelivered,
                                            .taken = taken,
                                            .reason = RQV_STR("why")};

    ck_assert_int_eq(rqv_wire_encode_ws_close(&fake->out, id, &close), 0);
}

static inline void fake_put_event(struct fake *fake, uint64_t id, uint16_t kind, uint32_t undelivered)
{
    const struct rqv_ws_event_info event = {
        .kind = kind, .attempt = 1, .wait_ms = 17, .undelivered = undelivered, .code = REQIVO_E_RESET};

    ck_assert_int_eq(rqv_wire_encode_ws_event(&fake->out, id, &event), 0);
}

/* Accepts, greets, and opens the session that comes; its id. */
static inline uint64_t fake_opens(struct fake *fake)
{
    if (fake->fd < 0)
        fake_greet(fake);
    uint64_t id = fake_expect(fake, RQV_WIRE_WS_OPEN);
    fake_put_opened(fake, id);
    fake_flush(fake);
    return id;
}

static inline struct reqivo_request *ws_request(void)
{
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_request_new("GET", "ws://example.org/chat", &request), 0);
    return request;
}

/* ---- what the callbacks saw ---- */

enum ws_when { WS_NEVER, WS_ON_OPEN, WS_ON_MESSAGE, WS_ON_EVENT, WS_ON_DRAIN, WS_ON_CLOSE };

struct ws_seen {
    unsigned opened, messages, events, drains, closed;
    char text[64];
    struct reqivo_message last;
    struct reqivo_websocket_event event[8];
    unsigned put_off;     /* messages that are not taken at first */
    enum ws_when free_at; /* the callback that frees the session */
    bool passes_on;       /* on_message sends what comes */
    int code, heard_code, busy;
    size_t undelivered;
    char reason[64], detail[64];
    struct reqivo_websocket *ws;
};

static inline void ws_free_at(struct ws_seen *seen, enum ws_when when)
{
    if (seen->free_at != when)
        return;
    reqivo_websocket_free(seen->ws);
    seen->ws = NULL;
}

static inline void seen_open(struct reqivo_websocket *ws, void *userdata)
{
    struct ws_seen *seen = userdata;

    ck_assert_str_eq(reqivo_websocket_protocol(ws), "chat");
    seen->opened++;
    ws_free_at(seen, WS_ON_OPEN);
}

static inline int seen_message(struct reqivo_websocket *ws, const struct reqivo_message *message,
                               void *userdata)
{
    struct ws_seen *seen = userdata;
    size_t n = message->size < sizeof seen->text - 1 ? message->size : sizeof seen->text - 1;

    if (seen->put_off > 0) {
        seen->put_off--;
        return -EAGAIN;
    }
    if (seen->passes_on) {
        int r = reqivo_websocket_send_part(ws, message->kind, message->bytes, message->size, message->last);
        if (r < 0)
            return r;
    }
    memcpy(seen->text, message->bytes, n);
    seen->text[n] = '\0';
    seen->last = *message;
    seen->messages++;
    ws_free_at(seen, WS_ON_MESSAGE);
    return 0;
}

static inline void seen_event(struct reqivo_websocket *ws, const struct reqivo_websocket_event *event,
                              void *userdata)
{
    struct ws_seen *seen = userdata;

    (void)ws;
    ck_assert_uint_lt(seen->events, 8);
    seen->event[seen->events++] = *event;
    ws_free_at(seen, WS_ON_EVENT);
}

static inline void seen_drain(struct reqivo_websocket *ws, void *userdata)
{
    struct ws_seen *seen = userdata;

    (void)ws;
    seen->drains++;
    ws_free_at(seen, WS_ON_DRAIN);
}

static inline void seen_close(struct reqivo_websocket *ws, void *userdata)
{
    struct ws_seen *seen = userdata;

    seen->closed++;
    seen->code = reqivo_websocket_error(ws);
    seen->heard_code = reqivo_websocket_close_code(ws);
    seen->undelivered = reqivo_websocket_undelivered(ws);
    snprintf(seen->reason, sizeof seen->reason, "%s", reqivo_websocket_close_reason(ws));
    snprintf(seen->detail, sizeof seen->detail, "%s", reqivo_websocket_detail(ws));
    ws_free_at(seen, WS_ON_CLOSE);
}

static const struct reqivo_websocket_callbacks seen_callbacks = {.on_open = seen_open,
                                                                 .on_message = seen_message,
                                                                 .on_event = seen_event,
                                                                 .on_drain = seen_drain,
                                                                 .on_close = seen_close};

/* An asynchronous session, begun; *options may be NULL. */
static inline struct reqivo_websocket *ws_begin(struct reqivo_client *client, struct ws_seen *seen,
                                                const struct reqivo_websocket_options *options)
{
    struct reqivo_websocket_options all = {0};
    struct reqivo_request *request = ws_request();

    if (options)
        all = *options;
    all.callbacks = &seen_callbacks;
    all.userdata = seen;
    ck_assert_int_eq(reqivo_websocket_open(client, &request, &all, &seen->ws), 0);
    ck_assert_ptr_null(request);
    return seen->ws;
}

/* Turns the handle until the counter has that value. */
static inline void ws_drive(struct reqivo_client *client, const unsigned *counter, unsigned least)
{
    for (int i = 0; i < 5000 && *counter < least; i++)
        ck_assert_int_ge(reqivo_client_wait(client, 10), 0);
    ck_assert_uint_ge(*counter, least);
}

#endif
