/* SPDX-License-Identifier: MIT */
/*
 * wire_layout - where each member of each payload lies, and what wire_frame.c allows per type. Only the codec
 * and its tests include it; doc/wire.md shows the same tables and tests/lint/wire_doc.py compares them.
 *
 *   payload:  | fixed part, fixed_len bytes             | views, in the order of their lengths | fields |
 * appended ... | | fixed_len | core members | more members | 0           2              CORE           SIZE
 *
 * A sender of this version writes SIZE bytes. A decoder refuses less than CORE, reads members beyond
 * fixed_len as 0 and skips what lies beyond SIZE.
 */
#ifndef RQV_PROTO_WIRE_LAYOUT_H
#define RQV_PROTO_WIRE_LAYOUT_H

#include "proto/wire.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* X(type, flags of the library, flags of the daemon, carries an id, least payload, greatest payload) */
#define RQV_WIRE_RULES(X)                                                                                    \
    X(HELLO, 0, 0, 0, RQV_HELLO_CORE, RQV_WIRE_HELLO_MAX)                                                    \
    X(REQUEST, RQV_FLAG_END, 0, 1, RQV_REQUEST_CORE, RQV_WIRE_HEAD_MAX)                                      \
    X(RESPONSE, 0, RQV_FLAG_MORE, 1, RQV_RESPONSE_CORE, RQV_WIRE_HEAD_MAX)                                   \
    X(DATA, RQV_FLAG_END, 0, 1, 0, RQV_WIRE_PAYLOAD_MAX)                                                     \
    X(CREDIT, 0, 0, 1, 4, 4)                                                                                 \
    X(CANCEL, 0, 0, 1, 0, 0)                                                                                 \
    X(TRAILERS, 0, 0, 1, RQV_FIELDS_CORE, RQV_WIRE_HEAD_MAX)                                                 \
    X(DONE, 0, 0, 1, RQV_DONE_CORE, RQV_WIRE_DONE_MAX)                                                       \
    X(BEGUN, 0, 0, 1, 0, 0)                                                                                  \
    X(GOAWAY, RQV_FLAG_MORE, RQV_FLAG_MORE, 0, RQV_GOAWAY_CORE, RQV_WIRE_PAYLOAD_MAX)                        \
    X(TRUST, 0, 0, 1, 4, 4)                                                                                  \
    X(QUERY, 0, 0, 1, 2, 2)                                                                                  \
    X(INFO, 0, 0, 1, RQV_FIELDS_CORE, RQV_WIRE_HEAD_MAX)                                                     \
    X(WS_OPEN, 0, 0, 1, RQV_WS_OPEN_CORE, RQV_WIRE_HEAD_MAX)                                                 \
    X(WS_OPENED, 0, 0, 1, RQV_RESPONSE_CORE, RQV_WIRE_HEAD_MAX)                                              \
    X(WS_DATA, RQV_WS_DATA_FLAGS, RQV_WS_DATA_FLAGS, 1, 0, RQV_WIRE_PAYLOAD_MAX)                             \
    X(WS_CLOSE, 0, 0, 1, RQV_WS_CLOSE_CORE, RQV_WIRE_DONE_MAX)                                               \
    X(WS_EVENT, 0, 0, 1, RQV_WS_EVENT_CORE, RQV_WIRE_DONE_MAX)                                               \
    X(HOP, 0, 0, 1, RQV_HOP_CORE, RQV_WIRE_HEAD_MAX)                                                         \
    X(PROCEED, RQV_FLAG_END, 0, 1, RQV_REQUEST_CORE, RQV_WIRE_HEAD_MAX)                                      \
    X(OPERATE, 0, 0, 1, RQV_OPERATION_CORE, RQV_WIRE_HEAD_MAX)

#define RQV_WS_DATA_FLAGS (RQV_FLAG_END + RQV_FLAG_FIRST + RQV_FLAG_TEXT)

enum {
    RQV_HELLO_FIXED_LEN = 0,   /* u16 */
    RQV_HELLO_VERSION = 2,     /* u16 */
    RQV_HELLO_MAGIC = 4,       /* u32 */
    RQV_HELLO_VERSION_MIN = 8, /* u16 */
    RQV_HELLO_NAME_LEN = 10,   /* u16 */
    RQV_HELLO_CORE = 12,
    RQV_HELLO_CREDIT = 12,   /* u32 */
    RQV_HELLO_CAPS = 16,     /* u64 */
    RQV_HELLO_INSTANCE = 24, /* u64 */
    RQV_HELLO_SIZE = 32,
};

enum {
    RQV_REQUEST_FIXED_LEN = 0,   /* u16 */
    RQV_REQUEST_METHOD_LEN = 2,  /* u16 */
    RQV_REQUEST_URL_LEN = 4,     /* u16 */
    RQV_REQUEST_FIELD_COUNT = 6, /* u16 */
    RQV_REQUEST_FLAGS = 8,       /* u32 */
    RQV_REQUEST_CORE = 12,
    RQV_REQUEST_TIMEOUT_MS = 12,    /* u32 x 6 */
    RQV_REQUEST_BODY_LENGTH = 36,   /* u64 */
    RQV_REQUEST_TRUST_ID = 44,      /* u64 */
    RQV_REQUEST_SHORT = 52,         /* what follows is left out when all of it is 0 */
    RQV_REQUEST_SESSION_ID = 52,    /* u64 */
    RQV_REQUEST_CONNECTION_ID = 60, /* u64 */
    RQV_REQUEST_REDIRECT_MAX = 68,  /* u16 */
    RQV_REQUEST_ROUTE_LEN = 70,     /* u16 */
    RQV_REQUEST_TLS_MIN = 72,       /* u8 */
    RQV_REQUEST_TLS_MAX = 73,       /* u8 */
    RQV_REQUEST_SIZE = 74,
};

enum {
    RQV_HOP_FIXED_LEN = 0,   /* u16 */
    RQV_HOP_METHOD_LEN = 2,  /* u16 */
    RQV_HOP_URL_LEN = 4,     /* u16 */
    RQV_HOP_FIELD_COUNT = 6, /* u16 */
    RQV_HOP_FLAGS = 8,       /* u16 */
    RQV_HOP_CORE = 10,
    RQV_HOP_SIZE = 10,
};

/* The payload of a REQUEST follows. */
enum {
    RQV_OPERATION_FIXED_LEN = 0, /* u16 */
    RQV_OPERATION_VERB = 2,      /* u16 */
    RQV_OPERATION_VALUE = 4,     /* u32 */
    RQV_OPERATION_TARGET = 8,    /* u64 */
    RQV_OPERATION_CORE = 16,
    RQV_OPERATION_SIZE = 16,
};

enum {
    RQV_RESPONSE_FIXED_LEN = 0,       /* u16 */
    RQV_RESPONSE_STATUS = 2,          /* u16 */
    RQV_RESPONSE_MINOR = 4,           /* u8 */
    RQV_RESPONSE_FLAGS = 5,           /* u8 */
    RQV_RESPONSE_REASON_LEN = 6,      /* u16 */
    RQV_RESPONSE_ADDRESS_LEN = 8,     /* u16 */
    RQV_RESPONSE_FIELD_COUNT = 10,    /* u16 */
    RQV_RESPONSE_CONTENT_LENGTH = 12, /* i64 */
    RQV_RESPONSE_CORE = 20,
    RQV_RESPONSE_TIME_US = 20, /* u32 x 7 */
    RQV_RESPONSE_SIZE = 48,
};

/* TRAILERS, INFO */
enum {
    RQV_FIELDS_FIXED_LEN = 0,   /* u16 */
    RQV_FIELDS_FIELD_COUNT = 2, /* u16 */
    RQV_FIELDS_CORE = 4,
    RQV_FIELDS_SIZE = 4,
};

enum {
    RQV_DONE_FIXED_LEN = 0,   /* u16 */
    RQV_DONE_DETAIL_LEN = 2,  /* u16 */
    RQV_DONE_ADDRESS_LEN = 4, /* u16 */
    RQV_DONE_PHASE = 6,       /* u8 */
    RQV_DONE_SENT = 7,        /* u8 */
    RQV_DONE_FLAGS = 8,       /* u32 */
    RQV_DONE_CODE = 12,       /* i32 */
    RQV_DONE_CORE = 16,
    RQV_DONE_SYS_ERRNO = 16,  /* i32 */
    RQV_DONE_TIME_US = 20,    /* u32 x 7 */
    RQV_DONE_BODY_BYTES = 48, /* u64 */
    RQV_DONE_SIZE = 56,
};

enum {
    RQV_GOAWAY_FIXED_LEN = 0,  /* u16 */
    RQV_GOAWAY_DETAIL_LEN = 2, /* u16 */
    RQV_GOAWAY_ID_COUNT = 4,   /* u32 */
    RQV_GOAWAY_CODE = 8,       /* i32 */
    RQV_GOAWAY_CORE = 12,
    RQV_GOAWAY_SIZE = 12,
};

enum {
    RQV_WS_OPEN_FIXED_LEN = 0,     /* u16 */
    RQV_WS_OPEN_URL_LEN = 2,       /* u16 */
    RQV_WS_OPEN_FIELD_COUNT = 4,   /* u16 */
    RQV_WS_OPEN_RECONNECT_MAX = 6, /* u16 */
    RQV_WS_OPEN_FLAGS = 8,         /* u32 */
    RQV_WS_OPEN_CORE = 12,
    RQV_WS_OPEN_TIMEOUT_MS = 12,     /* u32 x 6 */
    RQV_WS_OPEN_TRUST_ID = 36,       /* u64 */
    RQV_WS_OPEN_MESSAGE_MAX = 44,    /* u64 */
    RQV_WS_OPEN_PING_MS = 52,        /* u32 */
    RQV_WS_OPEN_PONG_MS = 56,        /* u32 */
    RQV_WS_OPEN_IDLE_MS = 60,        /* u32 */
    RQV_WS_OPEN_BACKOFF_MS = 64,     /* u32 */
    RQV_WS_OPEN_BACKOFF_MAX_MS = 68, /* u32 */
    RQV_WS_OPEN_SIZE = 72,
};

enum {
    RQV_WS_CLOSE_FIXED_LEN = 0,  /* u16 */
    RQV_WS_CLOSE_REASON_LEN = 2, /* u16 */
    RQV_WS_CLOSE_CODE = 4,       /* u16 */
    RQV_WS_CLOSE_FLAGS = 6,      /* u16 */
    RQV_WS_CLOSE_CORE = 8,
    RQV_WS_CLOSE_UNDELIVERED = 8,  /* u32 */
    RQV_WS_CLOSE_TAKEN = 12,       /* u32 */
    RQV_WS_CLOSE_UNCONFIRMED = 16, /* u32 */
    RQV_WS_CLOSE_SIZE = 20,
};

enum {
    RQV_WS_EVENT_FIXED_LEN = 0,  /* u16 */
    RQV_WS_EVENT_DETAIL_LEN = 2, /* u16 */
    RQV_WS_EVENT_KIND = 4,       /* u16 */
    RQV_WS_EVENT_ATTEMPT = 6,    /* u16 */
    RQV_WS_EVENT_CORE = 8,
    RQV_WS_EVENT_WAIT_MS = 8,      /* u32 */
    RQV_WS_EVENT_UNDELIVERED = 12, /* u32 */
    RQV_WS_EVENT_CODE = 16,        /* i32 */
    RQV_WS_EVENT_UNCONFIRMED = 20, /* u32 */
    RQV_WS_EVENT_SIZE = 24,
};

#define RQV_FIELD_LENGTHS 4 /* u16 name_len, u16 value_len in front of each field */

static inline void rqv_put_u16(uint8_t *at, uint16_t value)
{
    value = htole16(value);
    memcpy(at, &value, sizeof value);
}

static inline void rqv_put_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static inline void rqv_put_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

static inline uint16_t rqv_get_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return le16toh(value);
}

static inline uint32_t rqv_get_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static inline uint64_t rqv_get_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

#endif
