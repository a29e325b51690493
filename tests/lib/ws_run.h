/* SPDX-License-Identifier: MIT */
/*
 * ws_run - feeds bytes to a WebSocket receiver as a connection would, cut as asked, and writes down what came
 * out.
 *
 * Bytes that are left move to a fresh block of exactly their size before each call, so that a sanitizer sees
 * a view that outlives its call and a read past the end. Unit tests and fuzz targets share it, hence a
 * header.
 */
#ifndef RQV_TESTS_LIB_WS_RUN_H
#define RQV_TESTS_LIB_WS_RUN_H

#include "common/buf.h"
#include "proto/ws_deflate.h"
#include "proto/ws_message.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum ws_cut { WS_CUT_NONE, WS_CUT_EVERY, WS_CUT_AT };

struct ws_run {
    const uint8_t *bytes;
    size_t len;
    enum rqv_ws_role role;
    const struct rqv_ws_limits *limits;          /* NULL: the defaults */
    const struct rqv_ws_inflate_params *inflate; /* NULL: no compression */
    size_t scratch;                              /* room for expanded bytes; 0: 4096 */
    enum ws_cut cut;
    size_t at; /* WS_CUT_EVERY: size of a piece; WS_CUT_AT: size of the first */
};

struct ws_result {
    int error;     /* of the receiver, 0 when it wants more */
    uint16_t code; /* with error: to close with */
    const char *why;
    size_t messages, pings, pongs, closes;
    uint16_t close_code; /* of the last close frame */
    bool open;           /* a message is not complete */
    uint64_t hash;       /* of everything that was delivered, in order, without how it was cut */
    uint8_t opcode;      /* of the last message */
    size_t len;          /* of the last message */
    char text[512]; /* its first bytes, or those of the last control frame when no message follows; terminated
                     */
    size_t calls, piece_max;
};

static inline void ws_require(bool kept)
{
    if (!kept)
        abort();
}

static inline void ws_mix(struct ws_result *result, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        result->hash = (result->hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211U;
}

static inline void ws_keep(struct ws_result *result, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (result->len + i < sizeof(result->text) - 1)
            result->text[result->len + i] = (char)bytes[i];
    result->len += len;
    ws_mix(result, bytes, len);
}

static inline void ws_begin(struct ws_result *result, uint8_t tag)
{
    memset(result->text, 0, sizeof(result->text));
    result->len = 0;
    ws_mix(result, &tag, 1);
}

static inline void ws_note_data(struct ws_result *result, const struct rqv_ws_event *event)
{
    ws_require(event->opcode == RQV_WS_TEXT || event->opcode == RQV_WS_BINARY);
    ws_require(event->len > 0 || event->last);
    ws_require(event->first == !result->open);
    if (event->first) {
        result->opcode = event->opcode;
        ws_begin(result, event->opcode);
    }
    ws_keep(result, event->bytes, event->len);
    if (event->len > result->piece_max)
        result->piece_max = event->len;
    result->open = !event->last;
    result->messages += event->last;
    if (event->last)
        ws_mix(result, "$", 1);
}

static inline void ws_note(struct ws_result *result, const struct rqv_ws_event *event)
{
    bool between = result->open;

    if (event->type == RQV_WS_EVENT_NEED)
        return;
    if (event->type == RQV_WS_EVENT_DATA) {
        ws_note_data(result, event);
        return;
    }
    result->pings += event->type == RQV_WS_EVENT_PING;
    result->pongs += event->type == RQV_WS_EVENT_PONG;
    result->closes += event->type == RQV_WS_EVENT_CLOSE;
    if (event->type == RQV_WS_EVENT_CLOSE)
        result->close_code = event->code;
    if (between) { /* the message goes on: its bytes stay */
        ws_mix(result, &event->type, sizeof(event->type));
        ws_mix(result, event->bytes, event->len);
        return;
    }
    ws_begin(result, (uint8_t)(0x80 + event->type));
    ws_keep(result, event->bytes, event->len);
}

static inline uint8_t *ws_copy(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    if (!copy)
        abort();
    if (len > 0 && bytes)
        memcpy(copy, bytes, len);
    return copy;
}

/* One event of `held` bytes; 1 when there may be more, 0 when all is used up, or the failure. */
static inline int ws_step(struct rqv_ws_receiver *rx, uint8_t *at, size_t held, struct ws_result *result,
                          size_t *ret_consumed)
{
    struct rqv_ws_event event;
    int r = rqv_ws_receive(rx, at, held, &event);

    result->calls++;
    if (r < 0) {
        ws_require(event.why && event.code >= 1002 && event.code <= 1011);
        result->error = r;
        result->code = event.code;
        result->why = event.why;
        return r;
    }
    ws_require(event.consumed <= held);
    ws_require(event.type != RQV_WS_EVENT_NEED || event.consumed == held);
    ws_note(result, &event);
    *ret_consumed = event.consumed;
    return event.type != RQV_WS_EVENT_NEED;
}

enum { WS_MOVED = 2048 }; /* more than this stays where it lies, or long tests would be slow */

/* One arrival of bytes; false when the receiver failed. */
static inline bool ws_arrive(struct rqv_ws_receiver *rx, const uint8_t *bytes, size_t len,
                             struct ws_result *result)
{
    uint8_t *block = ws_copy(bytes, len), *at = block;
    size_t held = len, consumed = 0;
    int r;

    while ((r = ws_step(rx, at, held, result, &consumed)) > 0) {
        at += consumed;
        held -= consumed;
        if (held <= WS_MOVED) {
            uint8_t *rest = ws_copy(at, held);

            free(block);
            block = at = rest;
        }
    }
    free(block);
    return r == 0;
}

static inline void ws_run(const struct ws_run *run, struct ws_result *ret_result)
{
    size_t scratch_size = run->scratch ? run->scratch : 4096, at = 0;
    struct rqv_ws_receiver_params params = {.role = run->role, .scratch_size = scratch_size};
    struct ws_result result = {.hash = 14695981039346656037U};
    struct rqv_ws_receiver rx;
    bool going = true;

    rqv_ws_limits_default(&params.limits);
    if (run->limits)
        params.limits = *run->limits;
    params.scratch = malloc(scratch_size);
    ws_require(params.scratch != NULL);
    if (run->inflate)
        ws_require(rqv_ws_inflate_new(run->inflate, &params.inflate) == 0);
    rqv_ws_receiver_init(&rx, &params);
    while (going && at < run->len) {
        size_t n = run->len - at;

        if (run->cut == WS_CUT_EVERY && run->at < n)
            n = run->at;
        if (run->cut == WS_CUT_AT && at == 0 && run->at < n)
            n = run->at > 0 ? run->at : n;
        going = ws_arrive(&rx, run->bytes + at, n, &result);
        at += n;
    }
    rqv_ws_inflate_free(params.inflate);
    free(params.scratch);
    *ret_result = result;
}

/* A frame as a test wants it, also a wrong one: first byte, payload, and masked with 11 22 33 44 for a
 * server. */
static inline void ws_put(struct rqv_buf *out, uint8_t first, const void *payload, size_t len, bool masked)
{
    struct rqv_ws_head head = {.masked = masked, .mask = {0x11, 0x22, 0x33, 0x44}, .length = len};
    uint8_t bytes[RQV_WS_HEAD_MAX];
    uint8_t *room;
    size_t size = rqv_ws_head_encode(&head, bytes);

    bytes[0] = first;
    ws_require(rqv_buf_append(out, bytes, size) == 0);
    ws_require(rqv_buf_reserve(out, len + 1, &room) == 0);
    if (len > 0 && masked)
        rqv_ws_mask(room, payload, len, head.mask, 0);
    else if (len > 0)
        memcpy(room, payload, len);
    rqv_buf_commit(out, len);
}

/* Runs whole, byte by byte and cut at every place (the first 600); all must say the same. The whole run's
 * result. */
static inline struct ws_result ws_run_all(const struct ws_run *run)
{
    struct ws_run cut = *run;
    struct ws_result whole, other;

    cut.cut = WS_CUT_NONE;
    ws_run(&cut, &whole);
    for (size_t at = 0; at < run->len && at < 600; at++) {
        cut.cut = at == 0 ? WS_CUT_EVERY : WS_CUT_AT;
        cut.at = at == 0 ? 1 : at;
        ws_run(&cut, &other);
        ws_require(other.error == whole.error && other.code == whole.code &&
                   other.messages == whole.messages);
        ws_require(other.why == whole.why);
        /* What is delivered before a failure depends on where the bytes were cut. */
        ws_require(whole.error || (other.hash == whole.hash && other.open == whole.open));
    }
    return whole;
}

#endif
