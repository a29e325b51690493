/* SPDX-License-Identifier: MIT */
/* siphash - the hash of any number of bytes; the rounds are in siphash.h. */
#include "common/siphash.h"

#include "common/map.h"

#include <endian.h>
#include <string.h>

uint64_t rqv_siphash(const uint64_t key[2], const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t word, last = (uint64_t)len << 56;
    struct rqv_sip s;
    size_t left;

    rqv_sip_begin(&s, key);
    for (left = len; left >= 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        rqv_sip_word(&s, le64toh(word));
    }
    while (left > 0) {
        left--;
        last |= (uint64_t)at[left] << (8 * left);
    }
    rqv_sip_word(&s, last);
    return rqv_sip_end(&s);
}
