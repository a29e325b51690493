/* SPDX-License-Identifier: MIT */
/*
 * str - views and character classes. One table answers every per-byte question; the long scan (field values)
 * goes eight bytes at a time and asks the table only about words that hold something unusual.
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

bool rqv_str_eq_nocase(struct rqv_str a, struct rqv_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
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

bool rqv_str_is_token(struct rqv_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(classes[(unsigned char)s.ptr[i]] & T))
            return false;
    }
    return s.len > 0;
}

/* Sets the top bit of some byte when any of the eight is below 0x20 or is 0x7f; a byte after such a one may
 * be reported wrongly, which only costs the slow look. */
static bool has_control(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t word, del;

    memcpy(&word, at, sizeof(word));
    del = word ^ (ones * 0x7f);
    return (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & tops;
}

bool rqv_str_is_field_value(struct rqv_str s)
{
    size_t i = 0;

    while (i < s.len) {
        size_t end = s.len - i >= 8 ? i + 8 : s.len;

        if (end == i + 8 && !has_control(s.ptr + i)) {
            i = end;
            continue;
        }
        for (; i < end; i++) {
            if (!(classes[(unsigned char)s.ptr[i]] & V))
                return false;
        }
    }
    return true;
}
