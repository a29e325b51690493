/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http1 - a hostile server. Input: one byte of options, one byte of seed, then what the server sends.
 *
 *   options: bits 0-2 the method, 0x10 the server closes afterwards, 0x40 tight limits
 *
 * The promises: the result does not depend on how the bytes were split; limits hold, also for what is kept
 * back; what is delivered is no more than came; nothing is parsed after END.
 */
#include "tests/lib/http1_run.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rqv_http1_limits tight = {
    .head_max = 160,
    .line_max = 60,
    .name_max = 20,
    .fields_max = 4,
    .interim_max = 2,
    .trailer_max = 60,
    .trailer_fields_max = 2,
    .chunk_ext_max = 10,
    .chunk_overhead = 16,
};

static void require(bool kept)
{
    if (!kept)
        abort();
}

static void require_same(const struct http1_result *a, const struct http1_result *b)
{
    require(a->code == b->code && a->hash == b->hash && a->body_len == b->body_len);
    require(a->status == b->status && a->interims == b->interims && a->trailers == b->trailers);
    if (a->code == 0)
        require(a->leftover == b->leftover && a->reusable == b->reusable);
}

static void require_limits(const struct http1_run *run, const struct http1_result *result, size_t piece)
{
    const struct rqv_http1_limits *limits = run->limits;

    require(result->interims <= limits->interim_max + 1);
    require(result->fields <= limits->fields_max && result->trailers <= limits->trailer_fields_max);
    require(result->body_len <= run->len);
    require(result->held_max <= limits->head_max + piece || result->code <= 0);
    require((result->code < 0) == (result->why != NULL));
    if (result->code == 0 && result->kind == RQV_HTTP1_LENGTH)
        require((uint64_t)result->content_length == result->body_len);
    if (result->code == 0 && result->kind == RQV_HTTP1_NONE)
        require(result->body_len == 0);
    if (result->reusable)
        require(result->code == 0 && result->kind != RQV_HTTP1_UNTIL_CLOSE);
}

/* What is left behind END is refused unseen. */
static void require_silence(const struct http1_run *run)
{
    struct rqv_fields fields;
    struct rqv_http1_decoder dec;
    struct rqv_http1_event event;

    rqv_http1_init(&dec, run->limits, &fields);
    require(rqv_http1_decode(&dec, run->bytes, run->len, &event) == -EINVAL);
    require(rqv_http1_eof(&dec, &event) == -EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const bool is_head[] = {false, true,  false,
                                   false, false, false}; /* GET HEAD POST PUT DELETE PATCH */
    struct rqv_http1_limits wide;
    struct http1_result whole, random, bytes;
    struct http1_run run;
    static bool once;
    const char *which;

    require(once || rqv_http1_canaries(&which) == 0);
    once = true;
    if (size < 2 || size > 20000)
        return 0;
    rqv_http1_limits_default(&wide);
    run = (struct http1_run){.bytes = data + 2,
                             .len = size - 2,
                             .limits = data[0] & 0x40 ? &tight : &wide,
                             .is_head = is_head[(data[0] & 7) % 6],
                             .hold = !(data[0] & 0x10)};
    http1_run(&run, &whole);
    require_limits(&run, &whole, run.len);
    run.cut = CUT_RANDOM;
    run.at = data[1];
    http1_run(&run, &random);
    require_same(&whole, &random);
    require_limits(&run, &random, 40);
    if (size < 500) {
        run.cut = CUT_EVERY;
        run.at = 1;
        http1_run(&run, &bytes);
        require_same(&whole, &bytes);
        require_limits(&run, &bytes, 1);
    }
    require_silence(&run);
    return 0;
}
