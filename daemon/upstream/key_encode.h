/* SPDX-License-Identifier: MIT */
/*
 * key_encode - canonical encoding of the pool key. In table order: a NUM is a byte with the count of its
 * significant bytes and these, little-endian; a TEXT is a byte of length and the bytes; a NAME that equals
 * the host is a byte 255, else a TEXT; a HASH is a byte 0 (all zero) or 1 and 32 bytes. Each piece tells its
 * own length, so no two different field sets have the same encoding.
 *
 * All of it is inline, for the one caller on the path of each request: where a field holds its constant, the
 * compiler sees that, and what is left of it is its encoded byte, stored together with its neighbours. So the
 * constants are prepared without a second table that could come to differ from KEY_FIELDS.
 */
#ifndef DAEMON_UPSTREAM_KEY_ENCODE_H
#define DAEMON_UPSTREAM_KEY_ENCODE_H

#include "daemon/upstream/key.h"

#include <reqivo/error.h>

#include <string.h>

#define KEY_TEXT_MAX 254
#define KEY_IS_HOST  255 /* no length of a text */

#define KEY_INLINE   static inline __attribute__((always_inline))

/* The constants of version 1; the caller fills the fields that vary. */
KEY_INLINE void key_fields_init(struct key_fields *fields)
{
    *fields = (struct key_fields){
        .verify_peer = 1,
        .verify_host = 1,
        .tls_min_version = 0x0303,
        .tls_max_version = 0x0304,
        .alpn = RQV_STR("http/1.1"),
        .resumption = 1,
        .http_versions = 1,
        .bound_mechanism = RQV_STR("none"),
    };
}

KEY_INLINE size_t key_size_NUM(uint64_t value)
{
    return value ? 1 + (71 - (size_t)__builtin_clzll(value)) / 8 : 1;
}

KEY_INLINE size_t key_size_TEXT(struct rqv_str text)
{
    return text.len > KEY_TEXT_MAX ? KEY_MAX + 1 : 1 + text.len;
}

KEY_INLINE size_t key_size_NAME(struct rqv_str name, struct rqv_str host)
{
    return rqv_str_eq(name, host) ? 1 : key_size_TEXT(name);
}

KEY_INLINE bool key_is_set(const struct key_hash *hash)
{
    uint64_t words[4];

    memcpy(words, hash->bytes, sizeof words);
    return (words[0] | words[1] | words[2] | words[3]) != 0;
}

KEY_INLINE size_t key_size_HASH(const struct key_hash *hash)
{
    return key_is_set(hash) ? 1 + sizeof hash->bytes : 1;
}

KEY_INLINE uint8_t *key_put_NUM(uint8_t *at, uint64_t value)
{
    uint8_t *count = at++;

    for (; value != 0; value >>= 8)
        *at++ = (uint8_t)value;
    *count = (uint8_t)(at - count - 1);
    return at;
}

KEY_INLINE uint8_t *key_put_TEXT(uint8_t *at, struct rqv_str text)
{
    *at++ = (uint8_t)text.len;
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

KEY_INLINE uint8_t *key_put_NAME(uint8_t *at, struct rqv_str name, struct rqv_str host)
{
    if (!rqv_str_eq(name, host))
        return key_put_TEXT(at, name);
    *at = KEY_IS_HOST;
    return at + 1;
}

KEY_INLINE uint8_t *key_put_HASH(uint8_t *at, const struct key_hash *hash)
{
    bool present = key_is_set(hash);

    *at++ = present;
    if (present)
        memcpy(at, hash->bytes, sizeof hash->bytes);
    return at + (present ? sizeof hash->bytes : 0);
}

#define KEY_ARG_NUM(value)  value
#define KEY_ARG_TEXT(value) value
#define KEY_ARG_NAME(value) value, fields->host
#define KEY_ARG_HASH(value) &value

/* The canonical encoding. 0, or REQIVO_E_URL when it does not fit (cannot happen with a parsed host). */
KEY_INLINE int key_encode(const struct key_fields *fields, struct key *ret_key)
{
    uint8_t *at = ret_key->bytes;
    size_t size = 0;

#define KEY_SIZE(group, name, kind) size += key_size_##kind(KEY_ARG_##kind(fields->name));
    KEY_FIELDS(KEY_SIZE)
#undef KEY_SIZE
    if (size > sizeof ret_key->bytes)
        return REQIVO_E_URL;
#define KEY_PUT(group, name, kind) at = key_put_##kind(at, KEY_ARG_##kind(fields->name));
    KEY_FIELDS(KEY_PUT)
#undef KEY_PUT
    ret_key->len = (uint16_t)size;
    return 0;
}

#undef KEY_ARG_NUM
#undef KEY_ARG_TEXT
#undef KEY_ARG_NAME
#undef KEY_ARG_HASH

#endif
