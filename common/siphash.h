/* SPDX-License-Identifier: MIT */
/*
 * siphash - SipHash-1-3, inlined for whoever hashes on the hot path: rqv_siphash() of map.h for others.
 *
 *   v0..v3 = key ^ constants;  each 8 bytes, and the rest with the length on top: one round;  then three
 * rounds
 *
 * One round a word and three at the end are what hash tables need: the key is secret, the output never
 * leaves.
 */
#ifndef RQV_COMMON_SIPHASH_H
#define RQV_COMMON_SIPHASH_H

#include <stdint.h>

struct rqv_sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rqv_sip_rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void rqv_sip_round(struct rqv_sip *s)
{
    s->v0 += s->v1;
    s->v1 = rqv_sip_rotate(s->v1, 13) ^ s->v0;
    s->v0 = rqv_sip_rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rqv_sip_rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rqv_sip_rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rqv_sip_rotate(s->v1, 17) ^ s->v2;
    s->v2 = rqv_sip_rotate(s->v2, 32);
}

static inline void rqv_sip_begin(struct rqv_sip *s, const uint64_t key[2])
{
    s->v0 = key[0] ^ UINT64_C(0x736f6d6570736575);
    s->v1 = key[1] ^ UINT64_C(0x646f72616e646f6d);
    s->v2 = key[0] ^ UINT64_C(0x6c7967656e657261);
    s->v3 = key[1] ^ UINT64_C(0x7465646279746573);
}

static inline void rqv_sip_word(struct rqv_sip *s, uint64_t word)
{
    s->v3 ^= word;
    rqv_sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t rqv_sip_end(struct rqv_sip *s)
{
    s->v2 ^= 0xff;
    rqv_sip_round(s);
    rqv_sip_round(s);
    rqv_sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The hash of the eight little-endian bytes of a number. */
static inline uint64_t rqv_siphash_u64(const uint64_t key[2], uint64_t value)
{
    struct rqv_sip s;

    rqv_sip_begin(&s, key);
    rqv_sip_word(&s, value);
    rqv_sip_word(&s, UINT64_C(8) << 56);
    return rqv_sip_end(&s);
}

#endif
