/* SPDX-License-Identifier: MIT */
/*
 * ws_handshake - the opening handshake of a WebSocket client (RFC 6455 4.1; RFC 7692 5, 7.1): what the
 * request says besides HTTP, and whether the answer may be believed. security.md B5
 *
 *   rqv_http1_encode_head() -> rqv_ws_offer_encode() puts our fields before the head's end
 *   101 -> rqv_ws_answer_check() -> what was agreed on; any other status is an ordinary response
 */
#ifndef RQV_PROTO_WS_HANDSHAKE_H
#define RQV_PROTO_WS_HANDSHAKE_H

#include "common/str.h"
#include "proto/fields.h"
#include "proto/ws_accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parameters of permessage-deflate, offered or agreed on: RFC 7692 7.1. */
struct rqv_ws_compression {
    bool enabled;
    bool server_no_context_takeover; /* offered: asked of the server */
    bool client_no_context_takeover; /* offered: a hint */
    uint8_t server_window_bits;      /* offered: 8..15, 0: not limited. Agreed: 8..15 */
    uint8_t client_window_bits;      /* offered: 8..15, at most so many; 0: the server may not limit them.
                                        Agreed: 8..15 */
};

struct rqv_ws_offer {
    char key[RQV_WS_KEY_LEN];        /* of rqv_ws_key() */
    const struct rqv_str *protocols; /* subprotocols, the best first; tokens, no two the same */
    size_t protocol_count;
    struct rqv_ws_compression compression;
};

struct rqv_ws_agreed {
    bool has_protocol;
    size_t protocol; /* index in the offer, when there is one */
    struct rqv_ws_compression compression;
};

/* Fields of the caller: REQIVO_E_FIELD and *ret_which when one is the handshake's own (Sec-WebSocket-*). What
 * rqv_fields_check_request() refuses is refused there. */
int rqv_ws_fields_check(const struct rqv_fields *fields, size_t *ret_which);

/*
 * `head` holds `used` bytes of a complete GET head that ends in an empty line, of `size`. Our fields go
 * before that line; the new length, or -EINVAL (the head does not end so, a subprotocol is no token or occurs
 * twice, window bits out of range), REQIVO_E_LIMIT_HEAD when `size` is too small; the head is unchanged then.
 */
long rqv_ws_offer_encode(const struct rqv_ws_offer *offer, char *head, size_t used, size_t size);

/*
 * Judges a 101 response. 0, or -EPROTO and *ret_why: status, Upgrade, Connection, the accept key, a
 * subprotocol or an extension that was not offered, parameters that RFC 7692 does not allow as an answer to
 * the offer.
 */
int rqv_ws_answer_check(const struct rqv_ws_offer *offer, int status, const struct rqv_fields *fields,
                        struct rqv_ws_agreed *ret_agreed, const char **ret_why);

/* ---- extension lists (ws_extension.c) -------------------------------------------------------------------
 */

/* One item of Sec-WebSocket-Extensions: an extension's name or one of its parameters. RFC 6455 9.1 */
struct rqv_ws_extension_item {
    bool is_parameter;
    bool has_value;
    struct rqv_str name, value; /* the value without quotes; a token either way */
};

/* Takes an item off the front of *rest (at first: a field's value). 1 and the item, 0 at the end, -EPROTO
 * when it is malformed. */
int rqv_ws_extension_next(struct rqv_str *rest, struct rqv_ws_extension_item *ret_item);

/* "8" .. "15", nothing else: the number, or -1. RFC 7692 7.1.2 */
int rqv_ws_window_bits(const struct rqv_ws_extension_item *item);

#endif
