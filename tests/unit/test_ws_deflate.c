/* SPDX-License-Identifier: MIT */
/*
 * Compression: categories 12 and 13 of the public suite as unit cases. Each direction is judged by zlib
 * itself as the other end, at every window, with and without context takeover, in pieces and rooms of many
 * sizes; then both directions under sender and receiver; then the limits and what hostile streams do.
 */
#include "proto/ws_deflate.h"
#include "tests/lib/failmalloc.h"
#include "tests/lib/ws_run.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <zlib.h>

enum { ROOM = 1 << 20 };

static uint8_t text[200000];

/* Half words, half noise: compresses, but not to nothing; repeats itself far back. */
static void make_text(void)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < sizeof(text); i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = i % 700 < 300 && i > 5000 ? text[i - 700 - seed % 3] : (uint8_t)(' ' + (seed >> 24) % 64);
    }
}

/* Our compressor, in pieces of `piece` and rooms of `room`; the length of the payload. */
static size_t pack(struct rqv_ws_deflate *def, const uint8_t *in, size_t len, size_t step[2], uint8_t *out)
{
    size_t at = 0, used = 0;
    struct rqv_ws_flow flow;

    do {
        size_t n = len - at < step[0] ? len - at : step[0];

        flow = (struct rqv_ws_flow){
            .in = in + at, .in_len = n, .last = at + n == len, .out = out + used, .out_size = step[1]};
        flow.flush = at % 3 == 0;
        ck_assert_int_eq(rqv_ws_deflate_step(def, &flow), 0);
        ck_assert(flow.consumed <= n && flow.produced <= step[1]);
        at += flow.consumed;
        used += flow.produced;
    } while (!flow.done || !flow.last);
    ck_assert_uint_eq(at, len);
    return used;
}

static size_t unpack(struct rqv_ws_inflate *inf, const uint8_t *in, size_t len, size_t step[2], uint8_t *out)
{
    size_t at = 0, used = 0;
    struct rqv_ws_flow flow;

    do {
        size_t n = len - at < step[0] ? len - at : step[0];

        flow = (struct rqv_ws_flow){
            .in = in + at, .in_len = n, .last = at + n == len, .out = out + used, .out_size = step[1]};
        ck_assert_int_eq(rqv_ws_inflate_step(inf, &flow), 0);
        at += flow.consumed;
        used += flow.produced;
    } while (!flow.done || !flow.last);
    return used;
}

static void zlib_begin(z_stream *zlib, int bits, bool compress)
{
    memset(zlib, 0, sizeof(*zlib));
    if (compress)
        ck_assert_int_eq(deflateInit2(zlib, 9, Z_DEFLATED, -bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
    else
        ck_assert_int_eq(inflateInit2(zlib, -bits), Z_OK);
}

/* zlib as the other end's compressor: the payload without its tail. */
static size_t zlib_pack(z_stream *zlib, const uint8_t *in, size_t len, uint8_t *out)
{
    zlib->next_in = (uint8_t *)(uintptr_t)in;
    zlib->avail_in = (unsigned)len;
    zlib->next_out = out;
    zlib->avail_out = ROOM;
    ck_assert_int_eq(deflate(zlib, Z_SYNC_FLUSH), Z_OK);
    ck_assert_mem_eq(zlib->next_out - 4, "\x00\x00\xff\xff", 4);
    return (size_t)(zlib->next_out - out) - 4;
}

static size_t zlib_unpack(z_stream *zlib, uint8_t *in, size_t len, uint8_t *out)
{
    memcpy(in + len, "\x00\x00\xff\xff", 4);
    zlib->next_in = in;
    zlib->avail_in = (unsigned)len + 4;
    zlib->next_out = out;
    zlib->avail_out = ROOM;
    ck_assert_int_eq(inflate(zlib, Z_SYNC_FLUSH), Z_OK);
    ck_assert_uint_eq(zlib->avail_in, 0);
    return (size_t)(zlib->next_out - out);
}

static const size_t sizes[] = {0, 5, 0, 1, 16, 64, 256, 1024, 4096, 0, 65536, 131072, 3};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* A receiver with the agreed window, 8 included, understands every message of ours. */
static void ours_for_zlib(int bits, bool no_takeover, size_t step[2])
{
    static uint8_t packed[ROOM + 4], plain[ROOM];
    struct rqv_ws_deflate_params params = {.window_bits = bits, .no_context_takeover = no_takeover};
    struct rqv_ws_deflate *def;
    z_stream zlib;

    make_text();
    zlib_begin(&zlib, bits, false);
    ck_assert_int_eq(rqv_ws_deflate_new(&params, &def), 0);
    for (size_t i = 0; i < SIZES; i++) {
        const uint8_t *message = text + i * 1000;
        size_t n = pack(def, message, sizes[i], step, packed);

        ck_assert_uint_eq(zlib_unpack(&zlib, packed, n, plain), sizes[i]);
        ck_assert_mem_eq(plain, message, sizes[i]);
        if (no_takeover)
            inflateReset(&zlib);
        ck_assert_uint_ge(n, 1); /* RFC 7692 7.2.3.6: never empty */
    }
    rqv_ws_deflate_free(def);
    inflateEnd(&zlib);
}

static void zlib_for_ours(int bits, bool no_takeover, size_t step[2])
{
    static uint8_t packed[ROOM + 4], plain[ROOM];
    struct rqv_ws_inflate_params params;
    struct rqv_ws_inflate *inf;
    z_stream zlib;

    make_text();
    rqv_ws_inflate_params_default(&params);
    params.window_bits = bits;
    params.no_context_takeover = no_takeover;
    zlib_begin(&zlib, bits == 8 ? 9 : bits, true);
    ck_assert_int_eq(rqv_ws_inflate_new(&params, &inf), 0);
    for (size_t i = 0; i < SIZES; i++) {
        const uint8_t *message = text + i * 1000;
        size_t n = 1;

        packed[0] = 0; /* an empty message; zlib has nothing to say of it after another */
        if (sizes[i] > 0)
            n = zlib_pack(&zlib, message, sizes[i], packed);
        ck_assert_uint_eq(unpack(inf, packed, n, step, plain), sizes[i]);
        ck_assert_mem_eq(plain, message, sizes[i]);
        if (no_takeover)
            deflateReset(&zlib);
    }
    rqv_ws_inflate_free(inf);
    deflateEnd(&zlib);
}

START_TEST(test_every_window)
{
    static const size_t steps[][2] = {{ROOM, ROOM / 4}, {100000, 64}, {1000, 4096}, {7, 67}, {1, 1000}};

    for (int bits = 8; bits <= 15; bits++) {
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            size_t step[2] = {steps[i][0], steps[i][1]};

            if (i >= 3 && bits % 4 != 0)
                continue;
            ours_for_zlib(bits, i % 2, step);
            zlib_for_ours(bits, i % 2, step);
        }
    }
}
END_TEST

/* RFC 7692 7.2.3: the examples, and two payloads that honest senders make. */
START_TEST(test_examples_of_the_rfc)
{
    static const struct {
        const char *payload;
        size_t len;
        const char *want;
    } examples[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},                  /* 7.2.3.1 */
        {"\xf2\x00\x11\x00\x00", 5, "Hello"},                          /* 7.2.3.2: the window is shared */
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello"}, /* 7.2.3.3: no compression */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello"},              /* 7.2.3.4: BFINAL */
        {"\xf2\x00\x11\x00\x00", 5, "Hello"},                          /* the window outlives that */
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello"}, /* 7.2.3.5: two blocks */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},                          /* BFINAL, nothing behind it */
        {"\x00", 1, ""},                                                       /* 7.2.3.6 */
        {"", 0, ""}, /* not quite right, but clear */
    };
    struct rqv_ws_inflate_params params;
    struct rqv_ws_inflate *inf;
    uint8_t out[256];

    rqv_ws_inflate_params_default(&params);
    for (size_t piece = 1; piece < 14; piece++) {
        size_t step[2] = {piece, 64};

        ck_assert_int_eq(rqv_ws_inflate_new(&params, &inf), 0);
        for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
            size_t n = unpack(inf, (const uint8_t *)examples[i].payload, examples[i].len, step, out);

            ck_assert_uint_eq(n, strlen(examples[i].want));
            ck_assert_mem_eq(out, examples[i].want, n);
        }
        rqv_ws_inflate_free(inf);
    }
}
END_TEST

static int refused(const uint8_t *payload, size_t len, const struct rqv_ws_inflate_params *params)
{
    uint8_t out[1000];
    struct rqv_ws_flow flow = {
        .in = payload, .in_len = len, .last = true, .out = out, .out_size = sizeof(out)};
    struct rqv_ws_inflate *inf;
    int r;

    ck_assert_int_eq(rqv_ws_inflate_new(params, &inf), 0);
    do {
        r = rqv_ws_inflate_step(inf, &flow);
        flow.in += flow.consumed;
        flow.in_len -= flow.consumed;
    } while (r == 0 && !flow.done);
    if (r < 0) {
        ck_assert_ptr_nonnull(flow.why);
        ck_assert_int_eq(rqv_ws_inflate_step(inf, &flow), r); /* for good */
        ck_assert_ptr_nonnull(flow.why);
    }
    rqv_ws_inflate_free(inf);
    return r;
}

#define REFUSED(literal) refused((const uint8_t *)(literal), sizeof(literal) - 1, &params)

START_TEST(test_not_deflate)
{
    struct rqv_ws_inflate_params params;

    rqv_ws_inflate_params_default(&params);
    ck_assert_int_eq(REFUSED("\xff\xff\xff"), -EILSEQ);
    ck_assert_int_eq(REFUSED("\x07"), -EILSEQ);
    ck_assert_int_eq(REFUSED("\xf2\x48\xcd\xc9"), -EILSEQ);         /* cut inside a block */
    ck_assert_int_eq(REFUSED("\x00\x06\x00\xf9\xff\x48"), -EILSEQ); /* cut inside a stored block */
    ck_assert_int_eq(REFUSED("\xf2\x00\x11\x00\x00"), -EILSEQ);     /* refers to a window that is empty */
    ck_assert_int_eq(REFUSED("\x78\x9c\xf2\x48\xcd\xc9\xc9\x07\x00"), -EILSEQ); /* a zlib head */
}
END_TEST

START_TEST(rule_b5_inflated_size_and_ratio)
{
    struct rqv_ws_inflate_params params;
    uint8_t *zeros = calloc(1, 4 << 20), *packed = malloc(ROOM);
    z_stream zlib;
    size_t n;

    ck_assert(zeros && packed);
    zlib_begin(&zlib, 15, true);
    n = zlib_pack(&zlib, zeros, 4 << 20, packed);
    deflateEnd(&zlib);
    ck_assert_uint_lt(n, (4 << 20) / 900);
    rqv_ws_inflate_params_default(&params);
    ck_assert_int_eq(refused(packed, n, &params), -EMSGSIZE); /* ratio */
    params.ratio_max = 0;
    ck_assert_int_eq(refused(packed, n, &params), 0);
    params.message_max = 4 << 20;
    ck_assert_int_eq(refused(packed, n, &params), 0);
    params.message_max--;
    ck_assert_int_eq(refused(packed, n, &params), -EMSGSIZE);
    params.message_max = UINT64_MAX;
    params.ratio_max = 2000;
    ck_assert_int_eq(refused(packed, n, &params), 0);
    params.ratio_max = 2;
    params.ratio_floor = 4 << 20;
    ck_assert_int_eq(refused(packed, n, &params), 0);
    free(zeros);
    free(packed);
}
END_TEST

/* Blocks that hold nothing: each is five bytes of input, for ever. */
START_TEST(rule_b5_input_without_output)
{
    size_t len = 5 * 40000;
    uint8_t *blocks = malloc(len);
    struct rqv_ws_inflate_params params;

    ck_assert_ptr_nonnull(blocks);
    for (size_t i = 0; i < len; i += 5)
        memcpy(blocks + i, "\x00\x00\x00\xff\xff", 5);
    rqv_ws_inflate_params_default(&params);
    ck_assert_int_eq(refused(blocks, 5 * 1000, &params),
                     -EILSEQ); /* it ends behind a whole block, not before its tail */
    ck_assert_int_eq(refused(blocks, 5 * 1000 + 1, &params), 0);
    ck_assert_int_eq(refused(blocks, len - 4, &params), -EMSGSIZE);
    free(blocks);
}
END_TEST

START_TEST(test_bad_parameters)
{
    struct rqv_ws_deflate_params out = {.window_bits = 7};
    struct rqv_ws_inflate_params in;
    struct rqv_ws_deflate *def = NULL;
    struct rqv_ws_inflate *inf = NULL;
    uint8_t room[RQV_WS_FLOW_MIN];
    struct rqv_ws_flow flow = {.out = room, .out_size = sizeof(room) - 1};

    rqv_ws_inflate_params_default(&in);
    in.window_bits = 16;
    ck_assert_int_eq(rqv_ws_deflate_new(&out, &def), -EINVAL);
    ck_assert_int_eq(rqv_ws_inflate_new(&in, &inf), -EINVAL);
    out.window_bits = in.window_bits = 15;
    out.level = 10;
    ck_assert_int_eq(rqv_ws_deflate_new(&out, &def), -EINVAL);
    out.level = 1;
    ck_assert_int_eq(rqv_ws_deflate_new(&out, &def), 0);
    ck_assert_int_eq(rqv_ws_inflate_new(&in, &inf), 0);
    ck_assert_int_eq(rqv_ws_deflate_step(def, &flow), -EINVAL);
    ck_assert_int_eq(rqv_ws_inflate_step(inf, &flow), -EINVAL);
    rqv_ws_deflate_free(def);
    rqv_ws_inflate_free(inf);
    rqv_ws_deflate_free(NULL);
    rqv_ws_inflate_free(NULL);
    ck_assert_uint_gt(rqv_ws_deflate_memory(&out), 256 << 10);
    ck_assert_uint_lt(rqv_ws_deflate_memory(&out), 280 << 10);
    ck_assert_uint_gt(rqv_ws_inflate_memory(&in), 32 << 10);
    ck_assert_uint_lt(rqv_ws_inflate_memory(&in), 48 << 10);
}
END_TEST

/* ---- under messages: 12 and 13 --------------------------------------------------------------------------
 */

struct trip {
    int bits;
    bool no_takeover;
    size_t frame_max, piece, scratch;
};

/* Sends all sizes as compressed text, an uncompressed message between, and reads them on the other end. */
static void round_trip(const struct trip *trip)
{
    static uint8_t scratch[65536];
    struct rqv_ws_deflate_params out = {.window_bits = trip->bits, .no_context_takeover = trip->no_takeover};
    struct rqv_ws_inflate_params in;
    struct rqv_ws_sender_params params = {.role = RQV_WS_CLIENT,
                                          .frame_max = trip->frame_max,
                                          .scratch = scratch,
                                          .scratch_size = sizeof(scratch)};
    struct rqv_ws_sender tx;
    struct ws_result want = {.hash = 14695981039346656037U}, got;
    struct ws_run run = {.role = RQV_WS_SERVER, .inflate = &in, .scratch = trip->scratch};
    struct rqv_buf wire;
    uint32_t mask = 7;

    make_text();
    rqv_ws_inflate_params_default(&in);
    in.window_bits = trip->bits;
    in.no_context_takeover = trip->no_takeover;
    ck_assert_int_eq(rqv_ws_deflate_new(&out, &params.deflate), 0);
    rqv_ws_sender_init(&tx, &params);
    rqv_buf_init(&wire, SIZE_MAX / 2);
    for (size_t i = 0; i < SIZES; i++) {
        size_t at = 0;
        struct rqv_ws_piece piece = {.opcode = RQV_WS_TEXT, .compress = i != 5};
        struct rqv_ws_sent sent;

        do {
            piece.bytes = text + i * 100 + at;
            piece.len = sizes[i] - at < trip->piece ? sizes[i] - at : trip->piece;
            piece.last = at + piece.len == sizes[i];
            mask = mask * 1664525 + 1013904223;
            memcpy(piece.mask, &mask, 4);
            ck_assert_int_eq(rqv_ws_send(&tx, &piece, &wire, &sent), 0);
            at += sent.consumed;
        } while (!sent.done || !piece.last);
        ws_begin(&want, RQV_WS_TEXT);
        ws_keep(&want, text + i * 100, sizes[i]);
        ws_mix(&want, "$", 1);
    }
    rqv_ws_deflate_free(params.deflate);
    run.bytes = rqv_buf_head(&wire);
    run.len = rqv_buf_len(&wire);
    for (size_t i = 0; i < 3; i++) {
        run.cut = i == 0 ? WS_CUT_NONE : WS_CUT_EVERY;
        run.at = i == 1 ? 1 : 1021;
        ws_run(&run, &got);
        ck_assert_msg(got.error == 0, "%s", got.why);
        ck_assert_uint_eq(got.messages, SIZES);
        ck_assert(got.hash == want.hash);
        ck_assert_uint_le(got.piece_max, 1 << 16);
    }
    rqv_buf_done(&wire);
}

START_TEST(test_12_13_round_trips)
{
    static const struct trip trips[] = {
        {15, false, 1 << 20, 1 << 20, 4096}, {15, true, 1 << 20, 1000, 64},
        {9, false, 128, 1 << 20, 65536},     {9, true, 256, 77, 4096},
        {8, false, 1024, 1 << 20, 100},      {8, true, 70, 5000, 1000},
        {12, false, 4096, 4096, 4096},       {15, false, 1, 300, 64},
    };

    for (size_t i = 0; i < sizeof(trips) / sizeof(trips[0]); i++)
        round_trip(&trips[i]);
}
END_TEST

static struct ws_result receive(const char *wire, size_t len)
{
    struct rqv_ws_inflate_params params;
    struct ws_run run = {.bytes = (const uint8_t *)wire, .len = len, .inflate = &params};

    rqv_ws_inflate_params_default(&params);
    return ws_run_all(&run);
}

#define RECEIVE(literal) receive((literal), sizeof(literal) - 1)

START_TEST(test_compressed_frames)
{
    struct ws_result result;

    result = RECEIVE("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"); /* RFC 7692 7.2.3.1 */
    ck_assert_str_eq(result.text, "Hello");
    result =
        RECEIVE("\x41\x03\xf2\x48\xcd\x89\x00\x80\x04\xc9\xc9\x07\x00"); /* in fragments, a ping between */
    ck_assert_str_eq(result.text, "Hello");
    ck_assert_uint_eq(result.pings, 1);
    result = RECEIVE("\x41\x00\x00\x00\x00\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x80\x00"); /* and empty ones */
    ck_assert_str_eq(result.text, "Hello");
    result = RECEIVE("\xc2\x00\xc1\x01\x00\x81\x02ok");
    ck_assert_uint_eq(result.messages, 3);
    ck_assert_str_eq(result.text, "ok");
    /* Wrong: the bit on a continuation, on a control frame; not deflate; not UTF-8 once expanded. */
    ck_assert_uint_eq(RECEIVE("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00").code, RQV_WS_CLOSE_PROTOCOL);
    ck_assert_uint_eq(RECEIVE("\xc9\x00").code, RQV_WS_CLOSE_PROTOCOL);
    ck_assert_uint_eq(RECEIVE("\xc1\x03\xff\xff\xff").code, RQV_WS_CLOSE_DATA);
    ck_assert_uint_eq(RECEIVE("\xc1\x02\xf2\x48").code, RQV_WS_CLOSE_DATA);
    ck_assert_uint_eq(RECEIVE("\xc1\x07\x00\x01\x00\xfe\xff\xce\x00").code, RQV_WS_CLOSE_DATA);
    ck_assert_int_eq(RECEIVE("\xc2\x07\x00\x01\x00\xfe\xff\xce\x00").error, 0);
}
END_TEST

/* ---- allocation failure ---------------------------------------------------------------------------------
 */

static void scenario(void *arg)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    struct rqv_ws_deflate_params out = {.window_bits = 15};
    struct rqv_ws_inflate_params in;
    struct rqv_ws_deflate *def = NULL;
    struct rqv_ws_inflate *inf = NULL;
    uint8_t room[100];
    struct rqv_ws_flow flow = {
        .in = hello, .in_len = sizeof(hello), .last = true, .out = room, .out_size = sizeof(room)};
    int r = rqv_ws_deflate_new(&out, &def);

    (void)arg;
    ck_assert(r == 0 || (r == -ENOMEM && !def));
    rqv_ws_deflate_free(def);
    rqv_ws_inflate_params_default(&in);
    r = rqv_ws_inflate_new(&in, &inf);
    ck_assert(r == 0 || (r == -ENOMEM && !inf));
    if (r == 0) {
        r = rqv_ws_inflate_step(inf, &flow); /* zlib allocates its window only now */
        ck_assert(r == 0 ? flow.produced == 5 : r == -ENOMEM && flow.why);
    }
    rqv_ws_inflate_free(inf);
}

START_TEST(test_allocation_failure)
{
    ck_assert_uint_ge(failmalloc_run("ws_deflate", scenario, NULL), 6);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ws_deflate");

    UNIT_TCASE(s, "zlib", test_every_window, test_examples_of_the_rfc, test_bad_parameters);
    UNIT_TCASE(s, "hostile", test_not_deflate, rule_b5_inflated_size_and_ratio, rule_b5_input_without_output);
    UNIT_TCASE(s, "messages", test_12_13_round_trips, test_compressed_frames);
    UNIT_TCASE(s, "memory", test_allocation_failure);
    return s;
}

UNIT_MAIN(suite)
