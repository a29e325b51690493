/* SPDX-License-Identifier: MIT */
/* ws_accept - the proof in a WebSocket handshake that the other end is a WebSocket server (RFC 6455 4.2.2):
 * SHA-1, which guards nothing here and therefore is our own. */
#ifndef RQV_PROTO_WS_ACCEPT_H
#define RQV_PROTO_WS_ACCEPT_H

#include "common/str.h"

#include <stddef.h>
#include <stdint.h>

#define RQV_WS_NONCE      16 /* random bytes of a key */
#define RQV_WS_KEY_LEN    24 /* characters of Sec-WebSocket-Key */
#define RQV_WS_ACCEPT_LEN 28 /* characters of Sec-WebSocket-Accept */
#define RQV_SHA1_LEN      20

void rqv_sha1(const void *bytes, size_t len, uint8_t ret_digest[RQV_SHA1_LEN]);

/* Fresh random bytes as the key of one handshake. */
void rqv_ws_key(const uint8_t nonce[RQV_WS_NONCE], char ret_key[RQV_WS_KEY_LEN]);

/* What a server must answer to that key. */
void rqv_ws_accept(const char key[RQV_WS_KEY_LEN], char ret_accept[RQV_WS_ACCEPT_LEN]);

#endif
