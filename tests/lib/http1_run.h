/* SPDX-License-Identifier: MIT */
/*
 * http1_run - feeds one response to the decoder as a connection would, cut as asked, and writes down what
 * came out.
 *
 * Bytes that were not consumed move to a fresh block of exactly their size before each call, so that a
 * sanitizer sees a view that outlives its call and a read past the end. Unit tests and fuzz targets share it,
 * hence a header.
 */
#ifndef RQV_TESTS_LIB_HTTP1_RUN_H
#define RQV_TESTS_LIB_HTTP1_RUN_H

#include "common/str.h"
#include "proto/fields.h"
#include "proto/http1.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum http1_cut { CUT_NONE, CUT_EVERY, CUT_AT, CUT_RANDOM };

struct http1_run {
    const uint8_t *bytes;
    size_t len;
    const struct rqv_http1_limits *limits; /* NULL: the defaults */
    bool is_head;
    bool hold; /* the server keeps the connection open after the bytes; otherwise it closes */
    enum http1_cut cut;
    size_t at; /* CUT_EVERY: size of a piece; CUT_AT: size of the first; CUT_RANDOM: seed */
};

#define HTTP1_PENDING 1 /* code: held open, and the response is not complete */

struct http1_result {
    int code; /* 0 at END, HTTP1_PENDING, or the decoder's failure */
    const char *why;
    int status, minor;
    enum rqv_http1_body kind;
    int64_t content_length, keep_alive_timeout;
    bool reusable; /* at END */
    size_t interims, fields, trailers;
    uint64_t hash; /* of everything that was delivered */
    size_t body_len;
    char body[512];  /* its first bytes, terminated */
    size_t leftover; /* bytes behind END */
    size_t held_max; /* most bytes ever kept back */
};

static inline void http1_mix(struct http1_result *result, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        result->hash = (result->hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211U;
}

static inline void http1_mix_fields(struct http1_result *result, const struct rqv_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        http1_mix(result, fields->at[i].name.ptr, fields->at[i].name.len);
        http1_mix(result, ":", 1);
        http1_mix(result, fields->at[i].value.ptr, fields->at[i].value.len);
        http1_mix(result, "\n", 1);
    }
}

static inline void http1_note_head(struct http1_result *result, const struct rqv_http1_head *head)
{
    result->status = head->status;
    result->minor = head->minor;
    result->kind = head->body;
    result->content_length = head->content_length;
    result->keep_alive_timeout = head->keep_alive_timeout;
    result->fields = head->fields->count;
    http1_mix(result, &head->status, sizeof(head->status));
    http1_mix(result, head->reason.ptr, head->reason.len);
    http1_mix_fields(result, head->fields);
}

static inline void http1_note(struct http1_result *result, const struct rqv_http1_event *event)
{
    switch (event->type) {
    case RQV_HTTP1_INTERIM:
        result->interims++;
        http1_note_head(result, &event->head);
        break;
    case RQV_HTTP1_HEAD:
        http1_note_head(result, &event->head);
        break;
    case RQV_HTTP1_BODY:
        for (size_t i = 0; i < event->body_len; i++)
            if (result->body_len + i < sizeof(result->body) - 1)
                result->body[result->body_len + i] = (char)event->body[i];
        result->body_len += event->body_len;
        http1_mix(result, event->body, event->body_len);
        break;
    case RQV_HTTP1_TRAILERS:
        result->trailers = event->trailers->count;
        http1_mix_fields(result, event->trailers);
        break;
    case RQV_HTTP1_END:
        result->reusable = event->reusable;
        break;
    case RQV_HTTP1_NEED:
        break;
    }
}

static inline size_t http1_next_piece(const struct http1_run *run, size_t offset, uint64_t *random)
{
    size_t rest = run->len - offset, n = rest;

    if (run->cut == CUT_EVERY)
        n = run->at;
    else if (run->cut == CUT_AT && offset == 0)
        n = run->at;
    else if (run->cut == CUT_RANDOM)
        n = (size_t)((*random = *random * 6364136223846793005U + 1442695040888963407U) >> 33) % 40;
    return n < rest ? n : rest;
}

/* Pulls events until NEED, END or failure; *io_block is what is left afterwards. True when the response is
 * decided. */
static inline bool http1_pump(struct rqv_http1_decoder *dec, uint8_t **io_block, size_t *io_len,
                              struct http1_result *result)
{
    size_t at = 0;
    bool done = false;

    for (;;) {
        struct rqv_http1_event event;
        int r = rqv_http1_decode(dec, *io_block ? *io_block + at : NULL, *io_len - at, &event);

        if (r < 0) {
            result->code = r;
            result->why = event.why;
            done = true;
            break;
        }
        if (event.consumed > *io_len - at || (event.type == RQV_HTTP1_BODY && event.body_len == 0))
            abort(); /* the contract is broken */
        http1_note(result, &event);
        at += event.consumed;
        done = event.type == RQV_HTTP1_END;
        if (done || event.type == RQV_HTTP1_NEED)
            break;
    }
    if (result->held_max < *io_len - at)
        result->held_max = *io_len - at;
    if (at > 0) {
        uint8_t *rest = malloc(*io_len - at + 1);

        if (!rest)
            abort();
        memcpy(rest, *io_block + at, *io_len - at);
        free(*io_block);
        *io_block = rest;
        *io_len -= at;
    }
    return done;
}

static inline void http1_add(uint8_t **io_block, size_t *io_len, const uint8_t *bytes, size_t n)
{
    uint8_t *grown = malloc(*io_len + n > 0 ? *io_len + n : 1);

    if (!grown)
        abort();
    if (*io_len > 0)
        memcpy(grown, *io_block, *io_len);
    if (n > 0)
        memcpy(grown + *io_len, bytes, n);
    free(*io_block);
    *io_block = grown;
    *io_len += n;
}

static inline void http1_run(const struct http1_run *run, struct http1_result *ret_result)
{
    struct http1_result result = {.code = HTTP1_PENDING, .hash = 14695981039346656037U};
    struct rqv_http1_limits defaults;
    struct rqv_fields fields;
    struct rqv_http1_decoder dec;
    struct rqv_http1_event event;
    uint8_t *block = NULL;
    size_t offset = 0, held = 0;
    uint64_t random = run->at;
    bool done = false;

    rqv_http1_limits_default(&defaults);
    rqv_http1_init(&dec, run->limits ? run->limits : &defaults, &fields);
    rqv_http1_begin(&dec, &(struct rqv_http1_request_info){.is_head = run->is_head});
    while (!done && offset < run->len) {
        size_t n = http1_next_piece(run, offset, &random);

        http1_add(&block, &held, run->bytes + offset, n);
        offset += n;
        memset(&fields, 0xa5, sizeof(fields)); /* others use the scratch between calls */
        done = http1_pump(&dec, &block, &held, &result);
    }
    result.leftover = held + run->len - offset;
    free(block);
    if (done && result.code == HTTP1_PENDING)
        result.code = 0;
    if (!done && !run->hold) {
        result.code = rqv_http1_eof(&dec, &event);
        result.why = event.why;
        result.reusable = result.code == 0 && event.reusable;
    }
    *ret_result = result;
}

#endif
