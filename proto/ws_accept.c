/* SPDX-License-Identifier: MIT */
/* ws_accept - SHA-1 (RFC 3174) and base64 (RFC 4648), small and plain: a few hundred bytes once a session. */
#include "proto/ws_accept.h"

#include "common/base64.h"

#include <string.h>

enum { BLOCK = 64, WORDS = 80 };

static uint32_t turn(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

/* The function and constant of round i: RFC 3174 5. */
static uint32_t mix(size_t i, uint32_t b, uint32_t c, uint32_t d)
{
    if (i < 20)
        return ((b & c) | (~b & d)) + 0x5a827999U;
    if (i < 40)
        return (b ^ c ^ d) + 0x6ed9eba1U;
    if (i < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcU;
    return (b ^ c ^ d) + 0xca62c1d6U;
}

static void add_block(uint32_t hash[5], const uint8_t *block)
{
    uint32_t w[WORDS], v[5], next;

    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (size_t i = 16; i < WORDS; i++)
        w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(v, hash, sizeof(v));
    for (size_t i = 0; i < WORDS; i++) {
        next = turn(v[0], 5) + mix(i, v[1], v[2], v[3]) + v[4] + w[i];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = turn(v[1], 30);
        v[1] = v[0];
        v[0] = next;
    }
    for (size_t i = 0; i < 5; i++)
        hash[i] += v[i];
}

void rqv_sha1(const void *bytes, size_t len, uint8_t ret_digest[RQV_SHA1_LEN])
{
    uint32_t hash[5] = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
    const uint8_t *at = bytes;
    uint64_t bits = (uint64_t)len * 8;
    uint8_t last[2 * BLOCK] = {0};
    size_t rest = len % BLOCK, size = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK;

    for (size_t n = len / BLOCK; n > 0; n--, at += BLOCK)
        add_block(hash, at);
    if (rest > 0)
        memcpy(last, at, rest);
    last[rest] = 0x80;
    for (size_t i = 0; i < 8; i++)
        last[size - 1 - i] = (uint8_t)(bits >> 8 * i);
    for (size_t n = 0; n < size; n += BLOCK)
        add_block(hash, last + n);
    for (size_t i = 0; i < RQV_SHA1_LEN; i++)
        ret_digest[i] = (uint8_t)(hash[i / 4] >> (24 - 8 * (i % 4)));
}

void rqv_ws_key(const uint8_t nonce[RQV_WS_NONCE], char ret_key[RQV_WS_KEY_LEN])
{
    rqv_base64_encode(nonce, RQV_WS_NONCE, ret_key);
}

void rqv_ws_accept(const char key[RQV_WS_KEY_LEN], char ret_accept[RQV_WS_ACCEPT_LEN])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t text[RQV_WS_KEY_LEN + sizeof(guid) - 1], digest[RQV_SHA1_LEN];

    memcpy(text, key, RQV_WS_KEY_LEN);
    memcpy(text + RQV_WS_KEY_LEN, guid, sizeof(guid) - 1);
    rqv_sha1(text, sizeof(text), digest);
    rqv_base64_encode(digest, sizeof(digest), ret_accept);
}
