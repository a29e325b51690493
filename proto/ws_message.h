/* SPDX-License-Identifier: MIT */
/*
 * ws_message - WebSocket messages over frames, in both directions and for both ends (RFC 6455 5.4 - 5.6,
 * 7, 8.1; RFC 7692 6). No I/O, no clock, no randomness; what deflate needs is allocated before
 * (ws_deflate.h).
 *
 *   in:   bytes -> rqv_ws_receive() -> DATA pieces of one message at a time, with PING, PONG, CLOSE in
 * between out:  pieces -> rqv_ws_send() -> one frame a call, so that control frames may be put in between
 *
 * A failure of the receiving side carries the code to close with.
 */
#ifndef RQV_PROTO_WS_MESSAGE_H
#define RQV_PROTO_WS_MESSAGE_H

#include "common/buf.h"
#include "common/str.h"
#include "proto/utf8.h"
#include "proto/ws_deflate.h"
#include "proto/ws_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rqv_ws_close {
    RQV_WS_CLOSE_NORMAL = 1000,
    RQV_WS_CLOSE_GOING_AWAY = 1001,
    RQV_WS_CLOSE_PROTOCOL = 1002,
    RQV_WS_CLOSE_UNSUPPORTED = 1003,
    RQV_WS_CLOSE_NO_STATUS = 1005, /* never sent: the close frame had no code */
    RQV_WS_CLOSE_ABNORMAL = 1006,  /* never sent: there was no close frame */
    RQV_WS_CLOSE_DATA = 1007,
    RQV_WS_CLOSE_POLICY = 1008,
    RQV_WS_CLOSE_TOO_BIG = 1009,
    RQV_WS_CLOSE_INTERNAL = 1011,
};

#define RQV_WS_REASON_MAX 123 /* bytes of a close reason */

/* May a close frame hold this code? 1000..1003, 1007..1014 and 3000..4999: RFC 6455 7.4, IANA's registry. */
bool rqv_ws_close_code_ok(unsigned code);

/* ---- receiving ------------------------------------------------------------------------------------------
 */

struct rqv_ws_limits {
    uint64_t message_max; /* bytes of one message; UINT64_MAX: no limit. (Expanded ones: ws_deflate.h too) */
    uint64_t overhead_base;    /* the heads of a message's continuation frames may take so many bytes, */
    unsigned overhead_percent; /* and this share of the payload in its frames */
};

/* 16 MiB; 64 KiB and 50 %: fragments of one byte pass for 43 000 bytes, fragments of four for ever. */
void rqv_ws_limits_default(struct rqv_ws_limits *ret_limits);

struct rqv_ws_receiver_params {
    enum rqv_ws_role role;
    struct rqv_ws_limits limits;
    struct rqv_ws_inflate *inflate; /* NULL when compression was not agreed on; the caller's, outlives this */
    uint8_t *scratch;    /* expanded bytes go here; all receivers of one thread may share it; at least */
    size_t scratch_size; /* RQV_WS_FLOW_MIN with `inflate`, and the most that one DATA holds then */
};

enum rqv_ws_event_type {
    RQV_WS_EVENT_NEED = 0, /* all of `in` is used up: call again with more */
    RQV_WS_EVENT_DATA,     /* opcode, bytes (empty only with `last`), first, last */
    RQV_WS_EVENT_PING,     /* bytes: what the pong must carry */
    RQV_WS_EVENT_PONG,     /* bytes */
    RQV_WS_EVENT_CLOSE, /* code (1005: the frame had none), bytes: the reason, UTF-8. All after it is dropped
                         */
};

struct rqv_ws_event {
    enum rqv_ws_event_type type;
    uint8_t opcode;       /* DATA: RQV_WS_TEXT or RQV_WS_BINARY */
    bool first, last;     /* DATA: of the message */
    uint16_t code;        /* CLOSE: of the frame; on failure: to close with */
    size_t consumed;      /* bytes of `in` that are used up */
    const uint8_t *bytes; /* valid until the next call with this receiver, `in`, or the scratch */
    size_t len;
    const char *why; /* on failure: a static sentence */
};

struct rqv_ws_receiver {
    struct rqv_ws_receiver_params params;
    struct rqv_ws_frame_decoder frames;
    struct rqv_utf8 utf8;
    bool open;       /* a message has begun and not ended */
    bool fresh;      /* nothing of the message was delivered yet */
    bool compressed; /* the message */
    bool fin;        /* the data frame that is being read is the message's last */
    bool expanding;  /* the inflater is not done with what it was given */
    bool passing;    /* data frames are passed over */
    bool closed;     /* the other end's close frame was delivered */
    uint8_t opcode;  /* of the message */
    uint8_t control_len;
    uint16_t code; /* with error */
    int error;     /* sticky */
    const char *why;
    size_t pending;    /* bytes at the front of the next `in` that are payload, unmasked, for the inflater */
    uint64_t payload;  /* of the message's frames so far, the current one counted whole */
    uint64_t overhead; /* of the message's continuation frames so far */
    uint8_t control[RQV_WS_CONTROL_MAX];
};

void rqv_ws_receiver_init(struct rqv_ws_receiver *rx, const struct rqv_ws_receiver_params *params);

/* From now on nobody wants messages: no DATA comes any more, and payloads are neither expanded nor looked at.
 * Heads, control frames and the limits of the heads count as before. For good: the inflater has lost its
 * context. */
static inline void rqv_ws_receiver_pass_over(struct rqv_ws_receiver *rx)
{
    rx->passing = true;
}

/*
 * At most one event. 0, or a failure, sticky, with ret_event->why and ->code, after which the session is
 * closed with that code: -EPROTO (1002), -EILSEQ (1007: not UTF-8, not deflate), -EMSGSIZE (1009: a message
 * over a limit; 1008: its fragments), -ENOMEM (1011). Bytes that are not consumed must come again, in front
 * and unchanged (as they stand: a masked payload has been unmasked in place). Every call consumes a byte,
 * yields an event, or is the last that it was worth making.
 */
int rqv_ws_receive(struct rqv_ws_receiver *rx, uint8_t *in, size_t len, struct rqv_ws_event *ret_event);

/* A message has begun and not ended. */
static inline bool rqv_ws_receiver_in_message(const struct rqv_ws_receiver *rx)
{
    return rx->open;
}

/* ---- sending --------------------------------------------------------------------------------------------
 */

struct rqv_ws_sender_params {
    enum rqv_ws_role role;
    size_t frame_max;               /* payload of one data frame; at least 1 */
    struct rqv_ws_deflate *deflate; /* NULL when compression was not agreed on; the caller's, outlives this */
    uint8_t *scratch;               /* compressed bytes pass through it; may be shared; one frame holds no */
    size_t scratch_size;            /* more than this; at least RQV_WS_FLOW_MIN with `deflate` */
};

struct rqv_ws_sender {
    struct rqv_ws_sender_params params;
    struct rqv_utf8 utf8;
    bool open;       /* a message has begun and not ended */
    bool started;    /* its first frame is written */
    bool compressed; /* the message */
    bool closed;     /* our close frame is written */
    bool bad_text;   /* the message has turned out not to be UTF-8 */
    uint8_t opcode;
    size_t checked; /* bytes at the front of the next piece that are known to be UTF-8 */
};

struct rqv_ws_piece {
    const uint8_t *bytes;
    size_t len;
    uint8_t opcode;  /* RQV_WS_TEXT or RQV_WS_BINARY; the same in all pieces of a message */
    bool last;       /* the message ends with it */
    bool compress;   /* of the first piece counts */
    bool flush;      /* what was compressed so far must leave with this piece */
    uint8_t mask[4]; /* fresh from the CSPRNG for each call of a client: RFC 6455 5.3, security.md B5 */
};

struct rqv_ws_sent {
    size_t consumed; /* of the piece; the rest is given again, with another mask */
    bool done;       /* the piece needs no further call */
    bool framed;     /* a frame was written; otherwise the mask is still fresh */
};

void rqv_ws_sender_init(struct rqv_ws_sender *tx, const struct rqv_ws_sender_params *params);

/*
 * Appends one data frame to `out` (or none: compressed bytes may wait for more). 0; -EILSEQ when a text is
 * not UTF-8 (nothing of the piece was sent; the session can only be closed when the message had begun);
 * -EINVAL (opcode, or another than that of the message); -EPIPE after our close frame; -EIO (deflate);
 * rqv_buf_reserve's failures, after which the same call may be made again.
 */
int rqv_ws_send(struct rqv_ws_sender *tx, const struct rqv_ws_piece *piece, struct rqv_buf *out,
                struct rqv_ws_sent *ret_sent);

/* A ping or pong; may stand between the frames of a message. -EMSGSIZE over 125 bytes, -EINVAL, -EPIPE, or as
 * rqv_buf_reserve. */
int rqv_ws_send_control(struct rqv_ws_sender *tx, enum rqv_ws_opcode opcode, struct rqv_str payload,
                        const uint8_t mask[4], struct rqv_buf *out);

struct rqv_ws_closing {
    uint16_t code;         /* RQV_WS_CLOSE_NO_STATUS: an empty frame */
    struct rqv_str reason; /* UTF-8, at most RQV_WS_REASON_MAX bytes */
    uint8_t mask[4];
};

/* The last frame that is sent. -EINVAL for a code that no frame may hold, -EMSGSIZE, -EILSEQ, -EPIPE when it
 * was sent before, or as rqv_buf_reserve. */
int rqv_ws_send_close(struct rqv_ws_sender *tx, const struct rqv_ws_closing *closing, struct rqv_buf *out);

#endif
