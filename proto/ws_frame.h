/* SPDX-License-Identifier: MIT */
/*
 * ws_frame - WebSocket frames as bytes (RFC 6455 5): heads in and out, masking, payload as it comes. No I/O,
 * no allocation. What frames mean together is ws_message.h's.
 *
 *   HEAD event -> (PAYLOAD event)*, none for an empty payload; the last has `last` set -> HEAD event ...
 *
 * The decoder keeps the bytes of an incomplete head itself, so NEED always means that all input is used up.
 */
#ifndef RQV_PROTO_WS_FRAME_H
#define RQV_PROTO_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RQV_WS_HEAD_MAX    14
#define RQV_WS_CONTROL_MAX 125 /* payload of a control frame: RFC 6455 5.5 */

enum rqv_ws_opcode {
    RQV_WS_CONTINUATION = 0,
    RQV_WS_TEXT = 1,
    RQV_WS_BINARY = 2,
    RQV_WS_CLOSE = 8,
    RQV_WS_PING = 9,
    RQV_WS_PONG = 10,
};

/* Which end uses the codec: a client masks what it sends and refuses what is masked, a server the reverse. */
enum rqv_ws_role { RQV_WS_CLIENT = 0, RQV_WS_SERVER };

struct rqv_ws_head {
    bool fin, rsv1, masked;
    uint8_t opcode;  /* enum rqv_ws_opcode */
    uint8_t mask[4]; /* of a masked frame */
    uint64_t length; /* of the payload, below 2^63 */
};

static inline bool rqv_ws_is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

/* Writes the head in its shortest form; its length. */
size_t rqv_ws_head_encode(const struct rqv_ws_head *head, uint8_t out[RQV_WS_HEAD_MAX]);

/* out = in with the mask on or off, `offset` bytes into the payload. `out` is `in`, or does not overlap it.
 */
void rqv_ws_mask(uint8_t *out, const uint8_t *in, size_t len, const uint8_t mask[4], uint64_t offset);

enum rqv_ws_frame_type { RQV_WS_FRAME_NEED = 0, RQV_WS_FRAME_HEAD, RQV_WS_FRAME_PAYLOAD };

struct rqv_ws_frame_event {
    enum rqv_ws_frame_type type;
    size_t consumed; /* bytes of `in` that are used up */
    const char *why; /* on failure: a static sentence */
    uint8_t *bytes;  /* PAYLOAD: view into `in`, never empty, unmasked in place */
    size_t len;
    bool last; /* PAYLOAD: the frame ends with it */
};

struct rqv_ws_frame_decoder {
    enum rqv_ws_role role;
    bool rsv1_allowed; /* permessage-deflate was agreed on: RFC 7692 6 */
    const char *why;   /* failed, for good */
    uint8_t raw[RQV_WS_HEAD_MAX];
    uint8_t have, need; /* bytes of the head: here, and known to be needed */
    struct rqv_ws_head head;
    uint64_t left; /* payload bytes to come */
};

void rqv_ws_frame_init(struct rqv_ws_frame_decoder *dec, enum rqv_ws_role role, bool rsv1_allowed);

/*
 * At most one event; O(1) when nothing is masked. 0, or -EPROTO with ret_event->why, sticky (close code
 * 1002): reserved bits or opcode, a wrong mask bit, a control frame that is fragmented or over 125 bytes, a
 * length not in its shortest form or over 2^63. Each is refused at the byte that shows it.
 */
int rqv_ws_frame_decode(struct rqv_ws_frame_decoder *dec, uint8_t *in, size_t len,
                        struct rqv_ws_frame_event *ret_event);

#endif
