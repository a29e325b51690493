/* SPDX-License-Identifier: MIT */
/*
 * str - views and character classes. One table answers every per-byte question; the long scan (field values)
 * and the comparison without case go eight bytes at a time; the scan asks the table only about words that
 * hold something unusual.
 */
#include "common/str.h"

#include <string.h>

enum { T = 1 /* tchar, RFC 9110 5.6.2 */, V = 2 /* VCHAR, SP, HTAB, obs-text: RFC 9110 5.5 */, B = T | V };

/* clang-format off */
static const uint8_t classes[256] = {
    /* 00 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, V, 0, 0, 0, 0, 0, 0,
    /* 10 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /*  ! */ V, B, V, B, B, B, B, B, V, V, B, B, V, B, B, V,
    /*  0 */ B, B, B, B, B, B, B, B, B, B, V, V, V, V, V, V,
    /*  @ */ V, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B,
    /*  P */ B, B, B, B, B, B, B, B, B, B, B, V, V, V, B, B,
    /*  ` */ B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B,
    /*  p */ B, B, B, B, B, B, B, B, B, B, B, V, B, V, B, 0,
    [0x80 ... 0xff] = V,
};
/* clang-format on */

/* For eight bytes at a time: a constant in each byte, and the top bit of each. */
#define ONES UINT64_C(0x0101010101010101)
#define TOPS (ONES << 7)

struct rqv_str rqv_str_from(const char *c_string)
{
    return (struct rqv_str){c_string, c_string ? strlen(c_string) : 0};
}

bool rqv_str_eq(struct rqv_str a, struct rqv_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

unsigned char rqv_ascii_lower(unsigned char c)
{
    return (unsigned char)(c | ((unsigned)((unsigned char)(c - 'A') < 26) << 5));
}

/* Whether each of the eight bytes is equal in lower case: where they differ at all, then in the bit of the
 * case alone, and the byte is a letter. */
static inline bool eq_nocase_8(const char *a, const char *b)
{
    uint64_t x, y, differs, low, letter;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    differs = x ^ y;
    if (differs & ~(ONES * 0x20))
        return false;
    low = (x | ONES * 0x20) & ~TOPS;
    letter = (low + ONES * (0x80 - 'a')) & ~(low + ONES * (0x7f - 'z')) & ~x & TOPS;
    return (differs & ~(letter >> 2)) == 0;
}

bool rqv_str_eq_nocase(struct rqv_str a, struct rqv_str b)
{
    size_t i = 0;

    if (a.len != b.len)
        return false;
    if (a.len >= 8) {
        for (; i < a.len - 8; i += 8)
            if (!eq_nocase_8(a.ptr + i, b.ptr + i))
                return false;
        return eq_nocase_8(a.ptr + a.len - 8, b.ptr + b.len - 8);
    }
    for (; i < a.len; i++) {
        if (rqv_ascii_lower((unsigned char)a.ptr[i]) != rqv_ascii_lower((unsigned char)b.ptr[i]))
            return false;
    }
    return true;
}

bool rqv_str_starts(struct rqv_str s, struct rqv_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct rqv_str rqv_str_trim(struct rqv_str s)
{
    while (s.len > 0 && is_ows(s.ptr[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_ows(*s.ptr)) {
        s.ptr++;
        s.len--;
    }
    return s;
}

bool rqv_str_split(struct rqv_str *rest, char separator, struct rqv_str *ret_part)
{
    const char *at;
    size_t before;

    if (!rest->ptr)
        return false;
    at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (!at) {
        *ret_part = *rest;
        *rest = (struct rqv_str){NULL, 0};
        return true;
    }
    before = (size_t)(at - rest->ptr);
    *ret_part = (struct rqv_str){rest->ptr, before};
    rest->ptr = at + 1;
    rest->len -= before + 1;
    return true;
}

bool rqv_str_u64(struct rqv_str s, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

bool rqv_is_tchar(unsigned char c)
{
    return classes[c] & T;
}

size_t rqv_str_token_len(struct rqv_str s)
{
    size_t n = 0;

    while (n < s.len && (classes[(unsigned char)s.ptr[n]] & T))
        n++;
    return n;
}

bool rqv_str_is_token(struct rqv_str s)
{
    return s.len > 0 && rqv_str_token_len(s) == s.len;
}

/* Top bits are set when any of the eight is below 0x20 or is 0x7f; a byte after such a one may be reported
 * wrongly, which only costs the slow look. */
static inline uint64_t controls(const char *at)
{
    uint64_t word, del;

    memcpy(&word, at, sizeof(word));
    del = word ^ (ONES * 0x7f);
    return ((word - ONES * 0x20) & ~word) | ((del - ONES) & ~del);
}

/* By words, the last of which overlaps the one before it; by bytes what is short or holds a control byte,
 * which a HTAB is too. */
bool rqv_str_is_field_value(struct rqv_str s)
{
    if (s.len >= 8) {
        uint64_t found = controls(s.ptr + s.len - 8);

        for (size_t i = 0; i < s.len - 8; i += 8)
            found |= controls(s.ptr + i);
        if (!(found & TOPS))
            return true;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!(classes[(unsigned char)s.ptr[i]] & V))
            return false;
    }
    return true;
}
