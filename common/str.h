/* SPDX-License-Identifier: MIT */
/* str - views of bytes that somebody else owns, and the character classes of RFC 9110. A view is not
 * NUL-terminated. */
#ifndef RQV_COMMON_STR_H
#define RQV_COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rqv_str {
    const char *ptr;
    size_t len;
};

#define RQV_STR(literal) ((struct rqv_str){(literal), sizeof(literal) - 1})

struct rqv_str rqv_str_from(const char *c_string); /* NULL gives the empty view */
bool rqv_str_eq(struct rqv_str a, struct rqv_str b);
bool rqv_str_eq_nocase(struct rqv_str a, struct rqv_str b); /* ASCII only */
bool rqv_str_starts(struct rqv_str s, struct rqv_str prefix);
struct rqv_str rqv_str_trim(struct rqv_str s); /* OWS (SP, HTAB) off both ends: RFC 9110 5.6.3 */

/* Takes the part before the first `separator` off the front of *rest; false when *rest is exhausted (ptr
 * NULL). */
bool rqv_str_split(struct rqv_str *rest, char separator, struct rqv_str *ret_part);

/* Digits only, whole view, no sign; false on overflow, empty or any other byte. */
bool rqv_str_u64(struct rqv_str s, uint64_t *ret_value);

bool rqv_is_tchar(unsigned char c);            /* RFC 9110 5.6.2 */
size_t rqv_str_token_len(struct rqv_str s);    /* how many tchars it begins with */
bool rqv_str_is_token(struct rqv_str s);       /* 1*tchar */
bool rqv_str_is_field_value(struct rqv_str s); /* VCHAR, obs-text, SP, HTAB; no other control byte */
unsigned char rqv_ascii_lower(unsigned char c);

#endif
