/* SPDX-License-Identifier: MIT */
/*
 * wire - the frames between libreqivo-client and reqivod: layout, limits, codec. doc/wire.md is the contract
 * in prose.
 *
 * Little-endian. Every frame:
 *
 *   0        4      5       6          8                16
 *   | length | type | flags | reserved | id             | payload (length bytes) ...
 *   |  u32   |  u8  |  u8   |  u16 = 0 | u64            |
 *
 * Fixed parts of payloads begin with their own size (u16 fixed_len), so that a later version can append
 * members; a decoder reads the members it knows and skips the rest, and treats missing appended members as 0.
 * Then come the variable bytes in the order of their lengths, then the fields: {u16 name_len, u16 value_len,
 * name, value} * n. What follows them belongs to appended members: skipped when fixed_len says that there are
 * some, refused otherwise. The layouts with their offsets are in proto/wire_layout.h, which only the codec
 * and its tests include.
 */
#ifndef RQV_PROTO_WIRE_H
#define RQV_PROTO_WIRE_H

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"
#include "proto/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- limits: the one place ---- */
#define RQV_WIRE_MAGIC            0x31565152u /* "RQV1" */
#define RQV_WIRE_VERSION          1
#define RQV_WIRE_VERSION_MIN      1
#define RQV_WIRE_HEADER           16
#define RQV_WIRE_PAYLOAD_MAX      65536u /* any frame */
#define RQV_WIRE_HEAD_MAX         61440u /* REQUEST, RESPONSE, TRAILERS, INFO: 60 KiB */
#define RQV_WIRE_HELLO_MAX        1024u  /* HELLO */
#define RQV_WIRE_DONE_MAX         4096u  /* DONE */
#define RQV_WIRE_NAME_MAX         64u    /* rqv_hello.name */
#define RQV_WIRE_REASON_MAX       256u   /* rqv_response_head.reason */
#define RQV_WIRE_DETAIL_MAX       239u /* rqv_done.detail, rqv_goaway.detail: RQV_DETAIL_MAX without its NUL */
#define RQV_WIRE_ROUTE_MAX        262u        /* rqv_request_head.route: a host and a port */
#define RQV_WIRE_ADDRESS_MAX      63u         /* address: RQV_ADDRESS_MAX without its NUL */
#define RQV_WIRE_CREDIT_INITIAL   1048576u    /* bytes of DATA per id and direction before any CREDIT */
#define RQV_WIRE_CREDIT_MAX       0x7fffffffu /* outstanding credit of one id never exceeds this */
#define RQV_WIRE_TRUST_MAX        1048576u    /* bytes of one set of CA certificates (PEM) */
#define RQV_WIRE_TRUST_PER_USER   8
#define RQV_WIRE_IN_FLIGHT_MAX    4096 /* requests of one connection */
#define RQV_WIRE_REDIRECTS_MAX    30   /* rqv_request_head.redirect_max */
#define RQV_WIRE_HELLO_TIMEOUT_MS 5000
#define RQV_WIRE_GOAWAY_IDS_MAX   ((RQV_WIRE_PAYLOAD_MAX - 512) / 8)

/* X(name, number, sender). Sender: C library, D daemon, B both. doc/wire.md's table is compared with this. */
#define RQV_WIRE_FRAMES(X)                                                                                   \
    X(HELLO, 1, B)    /* first frame of both sides, id 0 */                                                  \
    X(REQUEST, 2, C)  /* head of a request; flag END: no DATA follows */                                     \
    X(RESPONSE, 3, D) /* head of the response; DATA and DONE follow */                                       \
    X(DATA, 4, B)     /* body bytes, or bytes of a TRUST upload; END, library only: the body is whole */     \
    X(CREDIT, 5, B)   /* u32: that many more bytes of DATA are welcome */                                    \
    X(CANCEL, 6, C)   /* the library is no longer interested; DONE still comes */                            \
    X(TRAILERS, 7, D) /* trailer fields, before DONE */                                                      \
    X(DONE, 8, D)     /* the one terminal frame of every id: outcome, timings */                             \
    X(BEGUN, 9, D)    /* asked for by RQV_REQ_BEGUN: flushed before the first upstream write */              \
    X(GOAWAY, 10, B)  /* id 0: no new ids; the ids listed were not started */                                \
    X(TRUST, 11, C) /* announces a set of CA certificates under this id (u32 total length); DATA follows */  \
    X(QUERY, 12, C) /* control: u16 verb; answered by INFO rows and DONE */                                  \
    X(INFO, 13, D)  /* one row of an answer: name/value pairs as fields */                                   \
    X(WS_OPEN, 14, C)   /* opens a WebSocket under this id */                                                \
    X(WS_OPENED, 15, D) /* the server's 101, laid out as RESPONSE; again after each reconnect */             \
    X(WS_DATA, 16, B)   /* a piece of a message, under credit; FIRST, TEXT, END: its last piece */           \
    X(WS_CLOSE, 17, B)  /* C: close it, with this code; D: how it was closed; DONE follows */                \
    X(WS_EVENT, 18, D)  /* lost, retrying, restored */                                                       \
    X(HOP, 19, D)       /* after a RESPONSE with MORE, a redirect: the request that comes next */            \
    X(PROCEED, 20, C)   /* answers a HOP that waits; laid out as REQUEST; END: no DATA follows */            \
    X(OPERATE, 21, C)   /* a verb on a session, a pool or a connection; answered by INFO rows and DONE */

enum rqv_wire_type {
#define RQV_WIRE_ENUM(name, number, sender) RQV_WIRE_##name = (number),
    RQV_WIRE_FRAMES(RQV_WIRE_ENUM)
#undef RQV_WIRE_ENUM
};

#define RQV_FLAG_END   0x01u /* DATA, REQUEST: the last of the body */
#define RQV_FLAG_MORE  0x02u /* GOAWAY: further ids follow in another GOAWAY; RESPONSE: a HOP follows */
#define RQV_FLAG_FIRST 0x04u /* WS_DATA: the first piece of a message (END: the last one) */
#define RQV_FLAG_TEXT  0x08u /* WS_DATA: the message is text; the same in all pieces */

struct rqv_frame_header {
    uint32_t length;
    uint8_t type, flags;
    uint64_t id;
};

/* The 16 bytes in front of a payload, for those who build a frame in place (DATA read into a buf). */
void rqv_wire_put_header(uint8_t out[RQV_WIRE_HEADER], const struct rqv_frame_header *header);

/* One frame off the front of `in`. 1: whole, *ret_header is set, the payload is the `length` bytes at
 * in + RQV_WIRE_HEADER, the caller consumes RQV_WIRE_HEADER + length; 0: more bytes are needed, at most
 * RQV_WIRE_HEADER + RQV_WIRE_PAYLOAD_MAX in all; REQIVO_E_WIRE with *ret_why (a static text), as soon as the
 * header is there: unknown type, reserved bits, bad length, bad id (0 where a request id is due, or the
 * reverse), or a type or flag that this side may not send. An empty DATA or WS_DATA is refused without END.
 */
int rqv_wire_next(const uint8_t *in, size_t len, bool from_library, struct rqv_frame_header *ret_header,
                  const char **ret_why);
/* Where that gave 0: how many bytes the frame still lacks; 0 as long as its header does. */
size_t rqv_wire_missing(const uint8_t *in, size_t len);

/* ---- HELLO ---- */
#define RQV_CAP_TRAILERS  0x01u
#define RQV_CAP_QUERY     0x02u
#define RQV_CAP_WEBSOCKET 0x04u
struct rqv_hello {
    uint32_t magic;
    uint16_t version, version_min;
    uint64_t caps;
    uint64_t instance;   /* of the daemon: random per start; 0 from the library */
    uint32_t credit;     /* what the sender grants per id; less than RQV_WIRE_CREDIT_INITIAL means that */
    struct rqv_str name; /* "libreqivo-client/0.1.0", "reqivod/0.1.0": for people and logs, <= 64 bytes */
};

/* ---- REQUEST ---- */
#define RQV_REQ_INSECURE   0x0001u /* do not verify the certificate (curl -k) */
#define RQV_REQ_BEGUN      0x0002u
#define RQV_REQ_IDEMPOTENT 0x0004u /* the caller declares it repeatable */
#define RQV_REQ_FRESH      0x0008u /* not on a reused connection */
#define RQV_REQ_EXPECT     0x0010u /* Expect: 100-continue */
#define RQV_REQ_HAS_BODY   0x0020u /* DATA follows or the body is empty but present (Content-Length: 0) */
#define RQV_REQ_CHUNKED    0x0040u /* length unknown: body_length is ignored */
#define RQV_REQ_DECODE     0x0080u /* the content codings of the response are removed */
#define RQV_REQ_DOWNGRADE  0x0100u /* a redirect may lead from https to http */
#define RQV_REQ_ASK        0x0200u /* each HOP waits for PROCEED */
#define RQV_REQ_TRUSTED                                                                                      \
    0x0400u /* credentials go to every host that a redirect names (curl --location-trusted) */
#define RQV_REQ_KEEP_METHOD 0x0800u /* 301, 302 and 303 keep the method (curl --post301, ...) */
#define RQV_REQ_KNOWN       0x0fffu

enum rqv_timeout {
    RQV_T_QUEUE,
    RQV_T_CONNECT,
    RQV_T_TLS,
    RQV_T_FIRST,
    RQV_T_STALL,
    RQV_T_TOTAL,
    RQV_T_COUNT
};
#define RQV_TIMEOUT_DEFAULT 0u          /* the daemon's configured value */
#define RQV_TIMEOUT_NONE    0xffffffffu /* no limit (the daemon's cap may still apply) */

struct rqv_request_head {
    uint32_t flags;
    uint32_t timeout_ms[RQV_T_COUNT]; /* RQV_T_CONNECT covers DNS and TCP of all addresses */
    uint64_t body_length;
    uint64_t trust_id;        /* of a TRUST sent earlier on this connection; 0: the system's */
    uint64_t session_id;      /* of RQV_OP_SESSION_OPEN: its cookies are sent and kept; 0: none */
    uint64_t connection_id;   /* of RQV_OP_CONNECTION_ACQUIRE: on that connection only; 0: any of the pool */
    uint16_t redirect_max;    /* redirects that are followed; 0: none is */
    uint8_t tls_min, tls_max; /* enum rqv_tls_version; 0: the daemon's */
    struct rqv_str method, url;
    struct rqv_fields fields;
    struct rqv_str route; /* "host:port" to connect to in place of the URL's; "": the URL's */
};

enum rqv_tls_version { RQV_TLS_DEFAULT = 0, RQV_TLS_1_2 = 2, RQV_TLS_1_3 = 3 };

/* ---- HOP ---- */
#define RQV_HOP_WAITS 0x0001u /* the daemon waits for PROCEED */
#define RQV_HOP_BODY  0x0002u /* the body must come again, from its start, after PROCEED */
#define RQV_HOP_KNOWN 0x0003u

struct rqv_hop {
    uint16_t flags;
    struct rqv_str method, url;
    struct rqv_fields fields; /* with WAITS: those of the next request, but for the cookies of its session */
};

/* ---- OPERATE ---- */
enum rqv_operation_verb {
    RQV_OP_SESSION_OPEN = 1, /* the session is named by this frame's id until CANCEL with that id closes it */
    RQV_OP_COOKIES_ADD = 3,  /* target: the session; each field's value is a line of a Netscape cookie file */
    RQV_OP_COOKIES_LIST = 4, /* a row for each cookie: field "cookie", such a line */
    RQV_OP_COOKIES_CLEAR = 5,
    RQV_OP_POOL_STATS = 6,      /* head: URL, TLS options and route name the pool; one row */
    RQV_OP_POOL_LIMIT = 7,      /* value: connections at most, never more than the configuration's; 0: that */
    RQV_OP_POOL_PREWARM = 8,    /* value: connections that are there or made; DONE when they are, or failed */
    RQV_OP_POOL_CLOSE_IDLE = 9, /* closes what is idle */
    RQV_OP_CONNECTION_ACQUIRE = 10, /* so is the connection, which CANCEL closes; one row */
    RQV_OP_CONNECTION_RELEASE = 11, /* target: the connection; back to its pool */
    RQV_OP_CONNECTION_INFO = 13,    /* target: the connection; one row */
    RQV_OP_CONTROL_DRAIN = 14,      /* as SIGTERM; this and what follows: on the control socket only */
    RQV_OP_CONTROL_RELOAD = 15,     /* DONE when it is in force, or has failed; rows say what */
    RQV_OP_CONTROL_CLOSE = 16,      /* idle connections of all pools of an origin; target: whose; one row */
    RQV_OP_CONTROL_WARM = 17,       /* as POOL_PREWARM; target: whose */
};

#define RQV_OPERATION_ALL  UINT64_MAX /* target of CLOSE: all users'. 0: one's own; else the uid + 1 */

#define RQV_OPERATION_ROOM 32 /* what an OPERATE takes more than a REQUEST, at most */

struct rqv_operation {
    uint16_t verb;
    uint32_t value;
    uint64_t target;
    struct rqv_request_head head;
};

/* ---- RESPONSE, DONE ---- */
#define RQV_RESP_REUSED  0x01u /* the connection had served before */
#define RQV_RESP_RETRIED 0x02u /* it was sent a second time, per the retry rule */
#define RQV_RESP_KNOWN   0x03u

enum rqv_timing {
    RQV_TIME_QUEUE,
    RQV_TIME_DNS,
    RQV_TIME_CONNECT,
    RQV_TIME_TLS,
    RQV_TIME_SEND,
    RQV_TIME_FIRST,
    RQV_TIME_TOTAL,
    RQV_TIME_COUNT
};

struct rqv_response_head {
    uint16_t status; /* 100..999 */
    uint8_t minor;   /* HTTP/1.x */
    uint8_t flags;
    int64_t content_length; /* -1: unknown */
    uint32_t
        time_us[RQV_TIME_COUNT]; /* spent in each phase; FIRST: request sent to first byte; TOTAL so far */
    struct rqv_str reason, address;
    struct rqv_fields fields;
};

struct rqv_done {
    int32_t code; /* 0 or a code of error.h */
    int32_t sys_errno;
    uint8_t phase, sent, flags; /* flags: RQV_RESP_* */
    uint32_t time_us[RQV_TIME_COUNT];
    uint64_t body_bytes; /* of the response, as received */
    struct rqv_str detail, address;
};

struct rqv_goaway {
    int32_t code; /* REQIVO_E_SHUTDOWN, REQIVO_E_WIRE, REQIVO_E_VERSION, REQIVO_E_LIMIT_PEERS, ... */
    struct rqv_str detail;
    size_t count;
    const uint8_t *ids; /* count little-endian u64, unaligned: rqv_wire_goaway_id() */
};

/* ---- WebSockets ---- */
#define RQV_WS_INSECURE  0x0001u /* do not verify the certificate */
#define RQV_WS_DEFLATE   0x0002u /* offer permessage-deflate */
#define RQV_WS_KNOWN     0x0003u
#define RQV_WS_FOR_EVER  0xffffu /* reconnect_max: no cap on attempts */
#define RQV_WS_WINDOW    RQV_WIRE_CREDIT_INITIAL
#define RQV_WS_DATA_COST RQV_WIRE_HEADER /* a WS_DATA takes so much credit besides its payload */

struct rqv_ws_open {
    uint16_t reconnect_max; /* attempts after a loss; 0: none */
    uint32_t flags;
    uint32_t timeout_ms[RQV_T_COUNT]; /* as of a request; FIRST is the answer to the handshake */
    uint64_t trust_id;
    uint64_t message_max;                /* bytes of one message; 0: the default */
    uint32_t ping_ms;                    /* silence of the server after which it is pinged; 0: never */
    uint32_t pong_ms;                    /* time for its answer; 0: the default */
    uint32_t idle_ms;                    /* without a message either way the session is closed; 0: never */
    uint32_t backoff_ms, backoff_max_ms; /* before the first attempt, and at most; 0: the default */
    struct rqv_str url;
    struct rqv_fields fields; /* each sec-websocket-protocol among them is a subprotocol to offer */
};

#define RQV_WS_CLEAN       0x0001u /* WS_CLOSE of the daemon: both ends have closed */
#define RQV_WS_CLOSE_KNOWN 0x0001u
#define RQV_WIRE_CLOSE_MAX 123u /* bytes of rqv_ws_close_info.reason */

struct rqv_ws_close_info {
    uint16_t code;        /* of the close frame; 1005: it has none; 1006 from the daemon: there was none */
    uint16_t flags;       /* RQV_WS_CLEAN */
    uint32_t undelivered; /* from the daemon: messages of the program that did not go out whole */
    uint32_t taken; /* from the daemon: messages of the program whose first piece has come, modulo 2^32 */
    uint32_t unconfirmed; /* from the daemon: as of rqv_ws_event_info, of the last connection */
    struct rqv_str reason;
};

enum rqv_ws_event_kind { RQV_WS_LOST = 1, RQV_WS_RETRYING = 2, RQV_WS_RESTORED = 3, RQV_WS_ENDING = 4 };

struct rqv_ws_event_info {
    uint16_t kind;        /* enum rqv_ws_event_kind */
    uint16_t attempt;     /* RETRYING, RESTORED: from 1 */
    uint32_t wait_ms;     /* RETRYING: until it begins */
    uint32_t undelivered; /* LOST: messages of the program that did not go out whole and will not be sent */
    uint32_t unconfirmed; /* LOST: that went out whole since the server last answered a ping of ours */
    int32_t code;         /* LOST: why */
    struct rqv_str detail;
};

enum rqv_query_verb {
    RQV_QUERY_STATUS = 1,
    RQV_QUERY_POOLS = 2,
    RQV_QUERY_WEBSOCKETS = 3,
    RQV_QUERY_CLIENTS = 4, /* this and what follows: on the control socket only */
    RQV_QUERY_REQUESTS = 5,
    RQV_QUERY_METRICS = 6,
};

/* Encoders append one whole frame to `out`: 0, -ENOMEM, REQIVO_E_LIMIT_MEMORY, REQIVO_E_LIMIT_HEAD (too large
 * for one frame), -EINVAL (a type that is not empty, empty DATA without END); on failure nothing was
 * appended. Name, reason, detail and address are cut to their limits instead. Flags and values are the
 * caller's to get right, and no view may point into `out`, whose block moves. */
int rqv_wire_encode_hello(struct rqv_buf *out, const struct rqv_hello *hello);
int rqv_wire_encode_request(struct rqv_buf *out, uint64_t id, uint8_t flags,
                            const struct rqv_request_head *head);
int rqv_wire_encode_proceed(struct rqv_buf *out, uint64_t id, uint8_t flags,
                            const struct rqv_request_head *head);
int rqv_wire_encode_operation(struct rqv_buf *out, uint64_t id, const struct rqv_operation *operation);
int rqv_wire_encode_response(struct rqv_buf *out, uint64_t id, uint8_t flags,
                             const struct rqv_response_head *head);
int rqv_wire_encode_hop(struct rqv_buf *out, uint64_t id, const struct rqv_hop *hop);
int rqv_wire_encode_trailers(struct rqv_buf *out, uint64_t id, const struct rqv_fields *fields);
int rqv_wire_encode_info(struct rqv_buf *out, uint64_t id, const struct rqv_fields *fields);
int rqv_wire_encode_done(struct rqv_buf *out, uint64_t id, const struct rqv_done *done);
int rqv_wire_encode_data(struct rqv_buf *out, uint64_t id, uint8_t flags, struct rqv_str bytes);
int rqv_wire_encode_credit(struct rqv_buf *out, uint64_t id, uint32_t bytes);
int rqv_wire_encode_empty(struct rqv_buf *out, enum rqv_wire_type type, uint64_t id); /* CANCEL, BEGUN */
int rqv_wire_encode_trust(struct rqv_buf *out, uint64_t id, uint32_t total);
int rqv_wire_encode_query(struct rqv_buf *out, uint64_t id, uint16_t verb);
int rqv_wire_encode_goaway(struct rqv_buf *out, uint8_t flags, const struct rqv_goaway *goaway);
int rqv_wire_encode_ws_open(struct rqv_buf *out, uint64_t id, const struct rqv_ws_open *open);
int rqv_wire_encode_ws_opened(struct rqv_buf *out, uint64_t id, const struct rqv_response_head *head);
int rqv_wire_encode_ws_data(struct rqv_buf *out, uint64_t id, uint8_t flags, struct rqv_str bytes);
int rqv_wire_encode_ws_close(struct rqv_buf *out, uint64_t id, const struct rqv_ws_close_info *close);
int rqv_wire_encode_ws_event(struct rqv_buf *out, uint64_t id, const struct rqv_ws_event_info *event);

/* Decoders of payloads: 0, or REQIVO_E_WIRE with *ret_why (a static text). Views point into the payload.
 * Checked: every length, the limits above, unknown flags, magic, and the ranges of status, content_length,
 * phase, sent and code; not the meaning of method, URL, fields and verb. Whether two versions go together is
 * rqv_wire_version()'s answer. */
int rqv_wire_decode_hello(struct rqv_str payload, struct rqv_hello *ret_hello, const char **ret_why);
int rqv_wire_decode_request(struct rqv_str payload, struct rqv_request_head *ret_head,
                            const char **ret_why); /* REQUEST, PROCEED */
int rqv_wire_decode_operation(struct rqv_str payload, struct rqv_operation *ret_operation,
                              const char **ret_why);
int rqv_wire_decode_hop(struct rqv_str payload, struct rqv_hop *ret_hop, const char **ret_why);
int rqv_wire_decode_response(struct rqv_str payload, struct rqv_response_head *ret_head,
                             const char **ret_why); /* RESPONSE, WS_OPENED */
/* TRAILERS, INFO */
int rqv_wire_decode_fields(struct rqv_str payload, struct rqv_fields *ret_fields, const char **ret_why);
int rqv_wire_decode_done(struct rqv_str payload, struct rqv_done *ret_done, const char **ret_why);
/* CREDIT, TRUST: 1..CREDIT_MAX */
int rqv_wire_decode_u32(struct rqv_str payload, uint32_t *ret_value, const char **ret_why);
int rqv_wire_decode_verb(struct rqv_str payload, uint16_t *ret_verb, const char **ret_why);
int rqv_wire_decode_goaway(struct rqv_str payload, struct rqv_goaway *ret_goaway, const char **ret_why);
int rqv_wire_decode_ws_open(struct rqv_str payload, struct rqv_ws_open *ret_open, const char **ret_why);
int rqv_wire_decode_ws_close(struct rqv_str payload, struct rqv_ws_close_info *ret_close,
                             const char **ret_why);
int rqv_wire_decode_ws_event(struct rqv_str payload, struct rqv_ws_event_info *ret_event,
                             const char **ret_why);
uint64_t rqv_wire_goaway_id(const struct rqv_goaway *goaway, size_t n);
/* Sets the n-th id of an array of 8 * count bytes. */
void rqv_wire_goaway_put_id(uint8_t *ids, size_t n, uint64_t id);

/* The version that both sides speak, the highest of both ranges; REQIVO_E_VERSION when there is none. */
int rqv_wire_version(const struct rqv_hello *peer);
const char *rqv_wire_type_name(uint8_t type); /* "HELLO"; "?" for an unknown one */

#endif
