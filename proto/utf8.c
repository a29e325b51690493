/* SPDX-License-Identifier: MIT */
/*
 * utf8 - ASCII is judged 32 bytes at a time, the rest by an automaton whose step is one load and one shift.
 *
 *   OK -c2..df-> T1    OK -e1..ec,ee,ef-> T2    OK -f1..f3-> T3    (T1, T2, T3: so many bytes 80..bf to come)
 *   OK -e0-> E0 -a0..bf-> T1     OK -ed-> ED -80..9f-> T1
 *   OK -f0-> F0 -90..bf-> T2     OK -f4-> F4 -80..8f-> T2     everything else -> BAD
 *
 * A state is a shift. The row of a byte holds, six bits wide at each state's shift, the state that the byte
 * leads to, so next = row[byte] >> state, of which the low six bits count.
 */
#include "proto/utf8.h"

#include <string.h>

#define OK         UINT64_C(0)
#define BAD        UINT64_C(6)
#define T1         UINT64_C(12)
#define T2         UINT64_C(18)
#define T3         UINT64_C(24)
#define E0         UINT64_C(30)
#define ED         UINT64_C(36)
#define F0         UINT64_C(42)
#define F4         UINT64_C(48)

#define STATE_MASK UINT64_C(63)

/* A byte that begins a character (or is one) is wrong in every other state. */
#define LEAD(next)                                                                                           \
    ((next) << OK | BAD << BAD | BAD << T1 | BAD << T2 | BAD << T3 | BAD << E0 | BAD << ED | BAD << F0 |     \
     BAD << F4)
#define TAIL(e0, ed, f0, f4)                                                                                 \
    (BAD << OK | BAD << BAD | OK << T1 | T1 << T2 | T2 << T3 | (e0) << E0 | (ed) << ED | (f0) << F0 |        \
     (f4) << F4)

static const uint64_t rows[256] = {
    [0x00 ... 0x7f] = LEAD(OK),
    [0x80 ... 0x8f] = TAIL(BAD, T1, BAD, T2),
    [0x90 ... 0x9f] = TAIL(BAD, T1, T2, BAD),
    [0xa0 ... 0xbf] = TAIL(T1, BAD, T2, BAD),
    [0xc0 ... 0xc1] = LEAD(BAD),
    [0xc2 ... 0xdf] = LEAD(T1),
    [0xe0] = LEAD(E0),
    [0xe1 ... 0xec] = LEAD(T2),
    [0xed] = LEAD(ED),
    [0xee ... 0xef] = LEAD(T2),
    [0xf0] = LEAD(F0),
    [0xf1 ... 0xf3] = LEAD(T3),
    [0xf4] = LEAD(F4),
    [0xf5 ... 0xff] = LEAD(BAD),
};

enum { BLOCK = 32 };

/* How many bytes of the front, a multiple of BLOCK, are ASCII. */
static size_t ascii_blocks(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    for (; len - at >= BLOCK; at += BLOCK) {
        uint64_t word[4];

        memcpy(word, bytes + at, sizeof(word));
        if ((word[0] | word[1] | word[2] | word[3]) & UINT64_C(0x8080808080808080))
            break;
    }
    return at;
}

bool rqv_utf8_feed(struct rqv_utf8 *utf8, const uint8_t *bytes, size_t len)
{
    uint64_t state = utf8->state;
    size_t at = 0;

    while (at < len) {
        if (state == OK)
            at += ascii_blocks(bytes + at, len - at);
        /* One block by the automaton, then look again: text in one script seldom has whole blocks of ASCII.
         */
        size_t end = len - at > BLOCK ? at + BLOCK : len;

        for (; at < end; at++)
            state = rows[bytes[at]] >> state & STATE_MASK;
        if (state == BAD)
            break;
    }
    utf8->state = state;
    return state != BAD;
}
