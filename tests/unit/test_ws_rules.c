/* SPDX-License-Identifier: MIT */
/*
 * The rules of security.md B5 that the codecs keep, as design.md amends them (rule_b5_*); those of single
 * frames, of the handshake and of deflate stand with their modules.
 */
#include "tests/lib/ws_run.h"
#include "tests/unit/unit.h"

#include <errno.h>

static struct ws_result run_buf(struct rqv_buf *wire, const struct rqv_ws_limits *limits)
{
    struct ws_run run = {.bytes = rqv_buf_head(wire), .len = rqv_buf_len(wire), .limits = limits};
    struct ws_result whole, cut;

    ws_run(&run, &whole);
    run.cut = WS_CUT_EVERY;
    run.at = 61;
    ws_run(&run, &cut);
    ck_assert_int_eq(whole.error, cut.error);
    rqv_buf_done(wire);
    rqv_buf_init(wire, SIZE_MAX / 2);
    return whole;
}

static void put_fragments(struct rqv_buf *wire, size_t count, size_t size)
{
    uint8_t payload[256] = {0};

    for (size_t i = 0; i < count; i++)
        ws_put(wire, (uint8_t)((i == 0 ? RQV_WS_BINARY : 0) | (i + 1 == count ? 0x80 : 0)), payload, size,
               false);
}

/* The mask is the caller's and new for each frame: two frames with two masks, the same payload, other bytes.
 */
START_TEST(rule_b5_mask_per_frame)
{
    struct rqv_ws_sender_params params = {.role = RQV_WS_CLIENT, .frame_max = 4};
    struct rqv_ws_piece piece = {.bytes = (const uint8_t *)"samesame",
                                 .len = 8,
                                 .opcode = RQV_WS_TEXT,
                                 .last = true,
                                 .mask = {1, 2, 3, 4}};
    struct rqv_ws_sender tx;
    struct rqv_ws_sent sent;
    struct rqv_buf wire;
    const uint8_t *at;

    rqv_buf_init(&wire, 1000);
    rqv_ws_sender_init(&tx, &params);
    ck_assert_int_eq(rqv_ws_send(&tx, &piece, &wire, &sent), 0);
    ck_assert(sent.framed && !sent.done && sent.consumed == 4); /* one frame a call, so one mask a frame */
    memcpy(piece.mask, "\x91\x02\x03\x99", 4);
    piece.bytes += 4;
    piece.len -= 4;
    ck_assert_int_eq(rqv_ws_send(&tx, &piece, &wire, &sent), 0);
    ck_assert(sent.framed && sent.done);
    at = rqv_buf_head(&wire);
    ck_assert_uint_eq(rqv_buf_len(&wire), 20);
    ck_assert_mem_eq(at + 2, "\x01\x02\x03\x04", 4);
    ck_assert_mem_eq(at + 12, "\x91\x02\x03\x99", 4);
    ck_assert_mem_ne(at + 6, at + 16, 4);
    rqv_buf_done(&wire);
}
END_TEST

/* A length over the limit is refused by the head alone, before a byte of it is here. */
START_TEST(rule_b5_message_limit_by_head)
{
    static const char head[] = "\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x01";
    struct ws_run run = {.bytes = (const uint8_t *)head, .len = sizeof(head) - 1};
    struct rqv_ws_limits limits;
    struct ws_result result;

    ws_run(&run, &result);
    ck_assert_int_eq(result.error, -EMSGSIZE);
    ck_assert_uint_eq(result.code, RQV_WS_CLOSE_TOO_BIG);
    rqv_ws_limits_default(&limits);
    limits.message_max++;
    run.limits = &limits;
    ws_run(&run, &result);
    ck_assert_int_eq(result.error, 0);
}
END_TEST

START_TEST(rule_b5_message_limit_over_fragments)
{
    struct rqv_ws_limits limits;
    struct rqv_buf wire;

    rqv_buf_init(&wire, SIZE_MAX / 2);
    rqv_ws_limits_default(&limits);
    limits.message_max = 1000;
    put_fragments(&wire, 10, 100);
    put_fragments(&wire, 8, 125);
    ck_assert_uint_eq(run_buf(&wire, &limits).messages, 2);
    put_fragments(&wire, 11, 100);
    ck_assert_uint_eq(run_buf(&wire, &limits).code, RQV_WS_CLOSE_TOO_BIG);
    limits.message_max = UINT64_MAX;
    put_fragments(&wire, 11, 100);
    ck_assert_uint_eq(run_buf(&wire, &limits).messages, 1);
    limits.message_max = 0;
    put_fragments(&wire, 1, 0);
    ck_assert_uint_eq(run_buf(&wire, &limits).messages, 1);
    put_fragments(&wire, 1, 1);
    ck_assert_uint_eq(run_buf(&wire, &limits).code, RQV_WS_CLOSE_TOO_BIG);
    rqv_buf_done(&wire);
}
END_TEST

/* No count of fragments: 4 MiB in 64 bytes each passes, in 4 bytes each too; a flood of empty ones does not.
 */
START_TEST(rule_b5_fragment_overhead)
{
    struct ws_result result;
    struct rqv_buf wire;

    rqv_buf_init(&wire, SIZE_MAX / 2);
    put_fragments(&wire, 65536, 64);
    result = run_buf(&wire, NULL);
    ck_assert_msg(result.error == 0, "%s", result.why);
    ck_assert_uint_eq(result.len, 4 << 20);
    put_fragments(&wire, 200000, 4);
    ck_assert_uint_eq(run_buf(&wire, NULL).messages, 1);
    put_fragments(&wire, 20000, 1);
    ck_assert_uint_eq(run_buf(&wire, NULL).messages, 1);
    put_fragments(&wire, 32000, 0);
    put_fragments(&wire, 32000, 0); /* each message has its own share */
    ck_assert_uint_eq(run_buf(&wire, NULL).messages, 2);
    put_fragments(&wire, 33000, 0);
    result = run_buf(&wire, NULL);
    ck_assert_int_eq(result.error, -EMSGSIZE);
    ck_assert_uint_eq(result.code, RQV_WS_CLOSE_POLICY);
    put_fragments(&wire, 100000, 1);
    ck_assert_uint_eq(run_buf(&wire, NULL).code, RQV_WS_CLOSE_POLICY);
    rqv_buf_done(&wire);
}
END_TEST

/* Every call consumes, or gives an event, or is the last worth making: the number of calls is bounded by
 * both. */
START_TEST(rule_b5_every_step_moves)
{
    struct rqv_ws_inflate_params params;
    struct ws_run run = {.inflate = &params, .scratch = RQV_WS_FLOW_MIN, .cut = WS_CUT_EVERY, .at = 1};
    /* Expands to 1000 bytes of 'a'. */
    static const char wire[] = "\xc2\x0b\x4a\x4c\x1c\x05\xa3\x60\x14\x0c\x77\x00\x00";
    struct ws_result result;

    rqv_ws_inflate_params_default(&params);
    run.bytes = (const uint8_t *)wire;
    run.len = sizeof(wire) - 1;
    ws_run(&run, &result);
    ck_assert_msg(result.error == 0, "%s", result.why);
    ck_assert_uint_eq(result.messages, 1);
    ck_assert_uint_eq(result.len, 1000);
    ck_assert_uint_le(result.piece_max, RQV_WS_FLOW_MIN);
    ck_assert_uint_le(result.calls, 2 * 13 + 1000 / RQV_WS_FLOW_MIN + 1);
}
END_TEST

/* A failure stays, with its code, whatever comes. */
START_TEST(rule_b5_failure_is_final)
{
    static const char wire[] = "\x83\x00";
    struct rqv_ws_receiver_params params = {.role = RQV_WS_CLIENT};
    uint8_t hello[] = {0x81, 0x02, 'h', 'i'};
    struct rqv_ws_receiver rx;
    struct rqv_ws_event event;
    struct ws_result result = {0};

    rqv_ws_limits_default(&params.limits);
    rqv_ws_receiver_init(&rx, &params);
    ck_assert(!ws_arrive(&rx, (const uint8_t *)wire, 2, &result));
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(rqv_ws_receive(&rx, hello, i ? sizeof(hello) : 0, &event), -EPROTO);
        ck_assert_uint_eq(event.code, RQV_WS_CLOSE_PROTOCOL);
        ck_assert_ptr_eq(event.why, result.why);
        ck_assert_uint_eq(event.consumed, 0);
    }
    ck_assert(!rqv_ws_receiver_in_message(&rx));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ws_rules");

    UNIT_TCASE(s, "b5", rule_b5_mask_per_frame, rule_b5_message_limit_by_head,
               rule_b5_message_limit_over_fragments, rule_b5_fragment_overhead, rule_b5_every_step_moves,
               rule_b5_failure_is_final);
    return s;
}

UNIT_MAIN(suite)
