/* SPDX-License-Identifier: MIT */
/* Frames: heads of every form, what is refused and at which byte, masking at every offset, payload as it
 * comes. */
#include "proto/ws_frame.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static void decode_head(const struct rqv_ws_head *head, enum rqv_ws_role role)
{
    struct rqv_ws_frame_decoder dec;
    struct rqv_ws_frame_event event;
    uint8_t bytes[RQV_WS_HEAD_MAX];
    size_t size = rqv_ws_head_encode(head, bytes);

    for (size_t cut = 0; cut <= size; cut++) {
        rqv_ws_frame_init(&dec, role, true);
        ck_assert_int_eq(rqv_ws_frame_decode(&dec, bytes, cut, &event), 0);
        ck_assert_uint_eq(event.consumed, cut);
        ck_assert(event.type == (cut == size ? RQV_WS_FRAME_HEAD : RQV_WS_FRAME_NEED));
        if (cut < size) {
            ck_assert_int_eq(rqv_ws_frame_decode(&dec, bytes + cut, size - cut, &event), 0);
            ck_assert(event.type == RQV_WS_FRAME_HEAD);
        }
        ck_assert_uint_eq(dec.head.length, head->length);
        ck_assert_uint_eq(dec.head.opcode, head->opcode);
        ck_assert(dec.head.fin == head->fin && dec.head.rsv1 == head->rsv1 &&
                  dec.head.masked == head->masked);
        ck_assert(!head->masked || memcmp(dec.head.mask, head->mask, 4) == 0);
        ck_assert_uint_eq(dec.left, head->length);
    }
}

START_TEST(test_heads_round_trip)
{
    static const uint64_t lengths[] = {
        0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, UINT32_MAX, (uint64_t)INT64_MAX};
    static const size_t sizes[] = {2, 2, 2, 2, 4, 4, 4, 4, 4, 10, 10, 10, 10};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct rqv_ws_head head = {
            .fin = i % 2, .rsv1 = i % 3 == 0, .opcode = RQV_WS_TEXT, .length = lengths[i]};
        uint8_t out[RQV_WS_HEAD_MAX];

        ck_assert_uint_eq(rqv_ws_head_encode(&head, out), sizes[i]);
        decode_head(&head, RQV_WS_CLIENT);
        head.masked = true;
        memcpy(head.mask, "\x01\x02\x83\xff", 4);
        ck_assert_uint_eq(rqv_ws_head_encode(&head, out), sizes[i] + 4);
        decode_head(&head, RQV_WS_SERVER);
    }
}
END_TEST

static void refused(const char *bytes, size_t len, enum rqv_ws_role role, bool compressed)
{
    struct rqv_ws_frame_decoder dec;
    struct rqv_ws_frame_event event;
    uint8_t copy[RQV_WS_HEAD_MAX];

    /* The byte that shows it is the last one given: one less is no failure yet. */
    memcpy(copy, bytes, len);
    rqv_ws_frame_init(&dec, role, compressed);
    ck_assert_int_eq(rqv_ws_frame_decode(&dec, copy, len - 1, &event), 0);
    ck_assert(event.type == RQV_WS_FRAME_NEED);
    ck_assert_int_eq(rqv_ws_frame_decode(&dec, copy + len - 1, 1, &event), -EPROTO);
    ck_assert_ptr_nonnull(event.why);
    ck_assert_int_eq(rqv_ws_frame_decode(&dec, copy, len, &event), -EPROTO);
    ck_assert_ptr_nonnull(event.why);
}

#define REFUSED(literal, role, compressed) refused((literal), sizeof(literal) - 1, (role), (compressed))

/* Categories 3 and 4 of the public suite. */
START_TEST(rule_b5_reserved_bits_and_opcodes)
{
    static const char reserved[] = {3, 4, 5, 6, 7, 11, 12, 13, 14, 15};

    REFUSED("\xc1", RQV_WS_CLIENT, false);
    REFUSED("\xc0", RQV_WS_CLIENT, true);
    REFUSED("\xc8", RQV_WS_CLIENT, true);
    REFUSED("\xc9", RQV_WS_CLIENT, true);
    REFUSED("\xca", RQV_WS_CLIENT, true);
    for (unsigned rsv = 2; rsv <= 7; rsv++) {
        char first = (char)(0x80 | (rsv & 4 ? 0x10 : 0) | (rsv & 2 ? 0x20 : 0) | (rsv & 1 ? 0x40 : 0) | 1);

        refused(&first, 1, RQV_WS_CLIENT, rsv % 2 == 1);
    }
    for (size_t i = 0; i < sizeof(reserved); i++) {
        char first = (char)(0x80 | reserved[i]), unfinished = reserved[i];

        refused(&first, 1, RQV_WS_CLIENT, true);
        refused(&unfinished, 1, RQV_WS_SERVER, false);
    }
}
END_TEST

START_TEST(rule_b5_control_frames)
{
    REFUSED("\x08", RQV_WS_CLIENT, false);
    REFUSED("\x09", RQV_WS_CLIENT, false);
    REFUSED("\x0a", RQV_WS_SERVER, false);
    REFUSED("\x88\x7e", RQV_WS_CLIENT, false);
    REFUSED("\x89\x7e", RQV_WS_CLIENT, false);
    REFUSED("\x8a\x7f", RQV_WS_CLIENT, false);
    REFUSED("\x89\xfe", RQV_WS_SERVER, false);
}
END_TEST

START_TEST(rule_b5_mask_bit)
{
    REFUSED("\x81\x80", RQV_WS_CLIENT, false);
    REFUSED("\x81\x85", RQV_WS_CLIENT, false);
    REFUSED("\x81\x05", RQV_WS_SERVER, false);
    REFUSED("\x82\x7f", RQV_WS_SERVER, false);
}
END_TEST

START_TEST(rule_b5_lengths)
{
    REFUSED("\x82\x7f\x80\0\0\0\0\0\0\0", RQV_WS_CLIENT, false);
    REFUSED("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", RQV_WS_CLIENT, false);
    REFUSED("\x82\x7e\0\x7d", RQV_WS_CLIENT, false);
    REFUSED("\x82\x7e\0\0", RQV_WS_CLIENT, false);
    REFUSED("\x82\x7f\0\0\0\0\0\0\xff\xff", RQV_WS_CLIENT, false);
    REFUSED("\x82\xff\0\0\0\0\0\0\0\x01", RQV_WS_SERVER, false);
    REFUSED("\x82\xfe\0\x01", RQV_WS_SERVER, false);
}
END_TEST

START_TEST(test_mask_every_offset)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t in[160], out[160], twice[160];

    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7 + 3);
    for (size_t offset = 0; offset < 9; offset++) {
        for (size_t len = 0; len <= 100; len++) {
            size_t start = (offset * 13 + len) % 17; /* unaligned */

            memset(out, 0xee, sizeof(out));
            rqv_ws_mask(out + start, in + start, len, mask, offset);
            for (size_t i = 0; i < sizeof(out); i++) {
                bool inside = i >= start && i < start + len;
                uint8_t want = inside ? in[i] ^ mask[(offset + i - start) % 4] : 0xee;

                ck_assert_uint_eq(out[i], want);
            }
            memcpy(twice, out, sizeof(out));
            rqv_ws_mask(twice + start, twice + start, len, mask, offset);
            ck_assert_mem_eq(twice + start, in + start, len);
        }
    }
    /* RFC 6455 5.7 */
    rqv_ws_mask(out, (const uint8_t *)"Hello", 5, mask, 0);
    ck_assert_mem_eq(out, "\x7f\x9f\x4d\x51\x58", 5);
}
END_TEST

/* Two frames in pieces of every size: the payload comes as it lies there, unmasked, and `last` once a frame.
 */
START_TEST(test_payload_in_pieces)
{
    static const char wire[] =
        "\x01\x89\x01\x02\x03\x04Ubojt4Qdq\x80\x80\x01\x02\x03\x04\x89\x81\xff\0\0\0\xbe";
    size_t len = sizeof(wire) - 1;

    for (size_t piece = 1; piece <= len; piece++) {
        struct rqv_ws_frame_decoder dec;
        struct rqv_ws_frame_event event;
        uint8_t copy[sizeof(wire)], seen[sizeof(wire)];
        size_t heads = 0, lasts = 0, bytes = 0;

        memcpy(copy, wire, len);
        rqv_ws_frame_init(&dec, RQV_WS_SERVER, false);
        for (size_t at = 0, end = 0; at < len;) {
            if (at == end)
                end = len - at < piece ? len : at + piece;
            ck_assert_int_eq(rqv_ws_frame_decode(&dec, copy + at, end - at, &event), 0);
            ck_assert(event.consumed > 0);
            at += event.consumed;
            heads += event.type == RQV_WS_FRAME_HEAD;
            if (event.type == RQV_WS_FRAME_PAYLOAD) {
                ck_assert(event.len > 0 && event.bytes + event.len <= copy + end);
                memcpy(seen + bytes, event.bytes, event.len);
                bytes += event.len;
                lasts += event.last;
            }
        }
        ck_assert_uint_eq(heads, 3);
        ck_assert_uint_eq(lasts, 2);
        ck_assert_uint_eq(bytes, 10);
        ck_assert_mem_eq(seen,
                         "T`lnu6R`p"
                         "A",
                         10);
        ck_assert_int_eq(rqv_ws_frame_decode(&dec, NULL, 0, &event), 0);
        ck_assert(event.type == RQV_WS_FRAME_NEED);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ws_frame");

    UNIT_TCASE(s, "heads", test_heads_round_trip, rule_b5_reserved_bits_and_opcodes, rule_b5_control_frames,
               rule_b5_mask_bit, rule_b5_lengths);
    UNIT_TCASE(s, "payload", test_mask_every_offset, test_payload_in_pieces);
    return s;
}

UNIT_MAIN(suite)
