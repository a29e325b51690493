/* SPDX-License-Identifier: MIT */
/* utf8 - is a stream of bytes UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF)? Fed in any
 * pieces; a sequence is refused at its first byte that cannot be right. */
#ifndef RQV_PROTO_UTF8_H
#define RQV_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rqv_utf8 {
    uint64_t state; /* private; 0: between characters */
};

static inline void rqv_utf8_init(struct rqv_utf8 *utf8)
{
    utf8->state = 0;
}

/* False when the bytes so far cannot be the beginning of UTF-8; then always false. */
bool rqv_utf8_feed(struct rqv_utf8 *utf8, const uint8_t *bytes, size_t len);

/* No character is cut: the text may end here. */
static inline bool rqv_utf8_complete(const struct rqv_utf8 *utf8)
{
    return utf8->state == 0;
}

#endif
