/* SPDX-License-Identifier: MIT */
/*
 * ws_frame - RFC 6455 5.2:
 *
 *   byte 0: FIN RSV1 RSV2 RSV3 opcode(4)   byte 1: MASK length(7)   [length: 2 or 8 bytes]   [mask: 4 bytes]
 *
 * A head has 14 bytes at most and is read byte by byte: that is cheap, and refuses what is wrong at once.
 */
#include "proto/ws_frame.h"

#include <errno.h>
#include <string.h>

enum {
    BIT_FIN = 0x80,
    BIT_RSV1 = 0x40,
    BITS_RSV23 = 0x30,
    BITS_OPCODE = 0x0f,
    BIT_MASK = 0x80,
    BITS_LENGTH = 0x7f,
    LENGTH_16 = 126, /* the length follows in 2 bytes */
    LENGTH_64 = 127, /* the length follows in 8 bytes */
};

/* ---- out ------------------------------------------------------------------------------------------------
 */

static size_t put_be(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    return bytes;
}

size_t rqv_ws_head_encode(const struct rqv_ws_head *head, uint8_t out[RQV_WS_HEAD_MAX])
{
    uint8_t mask_bit = head->masked ? BIT_MASK : 0;
    size_t at = 2;

    out[0] =
        (uint8_t)((head->fin ? BIT_FIN : 0) | (head->rsv1 ? BIT_RSV1 : 0) | (head->opcode & BITS_OPCODE));
    if (head->length < LENGTH_16) {
        out[1] = (uint8_t)(mask_bit | head->length);
    } else if (head->length <= UINT16_MAX) {
        out[1] = mask_bit | LENGTH_16;
        at += put_be(out + at, head->length, 2);
    } else {
        out[1] = mask_bit | LENGTH_64;
        at += put_be(out + at, head->length, 8);
    }
    if (head->masked) {
        memcpy(out + at, head->mask, sizeof(head->mask));
        at += sizeof(head->mask);
    }
    return at;
}

void rqv_ws_mask(uint8_t *out, const uint8_t *in, size_t len, const uint8_t mask[4], uint64_t offset)
{
    uint8_t turned[8];
    uint64_t key;
    size_t at = 0;

    for (size_t i = 0; i < sizeof(turned); i++)
        turned[i] = mask[(offset + i) % 4];
    memcpy(&key, turned, sizeof(key));
    for (; len - at >= 32; at += 32) {
        uint64_t word[4];

        memcpy(word, in + at, sizeof(word));
        for (size_t i = 0; i < 4; i++)
            word[i] ^= key;
        memcpy(out + at, word, sizeof(word));
    }
    for (; len - at >= 8; at += 8) {
        uint64_t word;

        memcpy(&word, in + at, sizeof(word));
        word ^= key;
        memcpy(out + at, &word, sizeof(word));
    }
    for (; at < len; at++)
        out[at] = in[at] ^ turned[at % 4];
}

/* ---- in -------------------------------------------------------------------------------------------------
 */

void rqv_ws_frame_init(struct rqv_ws_frame_decoder *dec, enum rqv_ws_role role, bool rsv1_allowed)
{
    *dec = (struct rqv_ws_frame_decoder){.role = role, .rsv1_allowed = rsv1_allowed, .need = 2};
}

static bool opcode_known(uint8_t opcode)
{
    return opcode <= RQV_WS_BINARY || (opcode >= RQV_WS_CLOSE && opcode <= RQV_WS_PONG);
}

/* Why the first byte is refused, or NULL. */
static const char *take_first(struct rqv_ws_frame_decoder *dec, uint8_t byte)
{
    struct rqv_ws_head *head = &dec->head;

    *head = (struct rqv_ws_head){
        .fin = byte & BIT_FIN, .rsv1 = byte & BIT_RSV1, .opcode = (uint8_t)(byte & BITS_OPCODE)};
    if (byte & BITS_RSV23)
        return "a frame has reserved bits set";
    if (!opcode_known(head->opcode))
        return "a frame has a reserved opcode";
    /* RFC 7692 6: of a message the first frame alone has the bit, control frames never. */
    if (head->rsv1 &&
        (!dec->rsv1_allowed || head->opcode == RQV_WS_CONTINUATION || rqv_ws_is_control(head->opcode)))
        return "a frame has the bit of compression where it may not";
    if (rqv_ws_is_control(head->opcode) && !head->fin)
        return "a control frame is fragmented";
    return NULL;
}

static const char *take_second(struct rqv_ws_frame_decoder *dec, uint8_t byte)
{
    struct rqv_ws_head *head = &dec->head;
    uint8_t length = byte & BITS_LENGTH;

    head->masked = byte & BIT_MASK;
    head->length = length;
    if (head->masked != (dec->role == RQV_WS_SERVER))
        return head->masked ? "a server's frame is masked" : "a client's frame is not masked";
    if (rqv_ws_is_control(head->opcode) && length > RQV_WS_CONTROL_MAX)
        return "a control frame is too long";
    if (length == LENGTH_16)
        dec->need = 4;
    else if (length == LENGTH_64)
        dec->need = 10;
    return NULL;
}

/* The 2 or 8 bytes of length are complete. */
static const char *take_length(struct rqv_ws_frame_decoder *dec)
{
    uint64_t length = 0;

    for (size_t i = 2; i < dec->have; i++)
        length = length << 8 | dec->raw[i];
    dec->head.length = length;
    if (length >> 63)
        return "a frame's length has its highest bit set";
    if (length < LENGTH_16 || (dec->have == 10 && length <= UINT16_MAX))
        return "a frame's length is not in its shortest form";
    return NULL;
}

/* One byte of the head. When it is the last of the length, the mask's bytes are still to be asked for. */
static const char *take_byte(struct rqv_ws_frame_decoder *dec, uint8_t byte)
{
    const char *why = NULL;

    dec->raw[dec->have++] = byte;
    if (dec->have == 1)
        return take_first(dec, byte);
    if (dec->have == 2)
        why = take_second(dec, byte);
    else if (dec->have == dec->need && dec->head.length >= LENGTH_16 && (dec->have == 4 || dec->have == 10))
        why = take_length(dec);
    else
        return NULL;
    if (dec->have == dec->need && dec->head.masked)
        dec->need = (uint8_t)(dec->need + sizeof(dec->head.mask));
    return why;
}

static int take_head(struct rqv_ws_frame_decoder *dec, const uint8_t *in, size_t len,
                     struct rqv_ws_frame_event *ret_event)
{
    size_t at = 0;

    while (dec->have < dec->need && at < len) {
        dec->why = take_byte(dec, in[at++]);
        if (dec->why) {
            *ret_event = (struct rqv_ws_frame_event){.why = dec->why};
            return -EPROTO;
        }
    }
    *ret_event = (struct rqv_ws_frame_event){.consumed = at};
    if (dec->have < dec->need)
        return 0;
    if (dec->head.masked)
        memcpy(dec->head.mask, dec->raw + dec->have - sizeof(dec->head.mask), sizeof(dec->head.mask));
    dec->left = dec->head.length;
    dec->have = 0;
    dec->need = 2;
    ret_event->type = RQV_WS_FRAME_HEAD;
    return 0;
}

int rqv_ws_frame_decode(struct rqv_ws_frame_decoder *dec, uint8_t *in, size_t len,
                        struct rqv_ws_frame_event *ret_event)
{
    size_t n = len;

    if (dec->why) {
        *ret_event = (struct rqv_ws_frame_event){.why = dec->why};
        return -EPROTO;
    }
    if (dec->left == 0)
        return take_head(dec, in, len, ret_event);
    *ret_event = (struct rqv_ws_frame_event){0};
    if (len == 0)
        return 0;
    if (n > dec->left)
        n = (size_t)dec->left;
    if (dec->head.masked)
        rqv_ws_mask(in, in, n, dec->head.mask, dec->head.length - dec->left);
    dec->left -= n;
    *ret_event = (struct rqv_ws_frame_event){
        .type = RQV_WS_FRAME_PAYLOAD, .consumed = n, .bytes = in, .len = n, .last = dec->left == 0};
    return 0;
}
