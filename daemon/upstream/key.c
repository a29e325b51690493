/* SPDX-License-Identifier: MIT */
/*
 * key - canonical encoding of the pool key. In table order: a NUM is a byte with the count of its significant
 * bytes and these, little-endian; a TEXT is a byte of length and the bytes; a NAME that equals the
 * host is a byte 255, else a TEXT; a HASH is a byte 0 (all zero) or
 * 1 and 32 bytes. Each piece tells its own length, so no two different field sets have the same encoding.
 */
#include "daemon/upstream/key.h"

#include <reqivo/error.h>

#include <string.h>

#define KEY_TEXT_MAX 254
#define KEY_IS_HOST  255 /* no length of a text */

void key_fields_init(struct key_fields *fields)
{
    memset(fields, 0, sizeof *fields);
    fields->verify_peer = 1;
    fields->verify_host = 1;
    fields->tls_min_version = 0x0303;
    fields->tls_max_version = 0x0304;
    fields->alpn = RQV_STR("http/1.1");
    fields->resumption = 1;
    fields->http_versions = 1;
    fields->bound_mechanism = RQV_STR("none");
}

/* Written field by field through one pointer: this runs for each request. */
struct key_writer {
    uint8_t *at, *end;
    bool full;
};

static inline bool has_room(struct key_writer *writer, size_t n)
{
    if (n <= (size_t)(writer->end - writer->at))
        return true;
    writer->full = true;
    return false;
}

static inline void put_NUM(struct key_writer *writer, uint64_t value)
{
    uint8_t n = 0;

    if (!has_room(writer, 1 + sizeof value))
        return;
    for (; value != 0; value >>= 8)
        writer->at[++n] = (uint8_t)value;
    writer->at[0] = n;
    writer->at += n + 1;
}

static inline void put_TEXT(struct key_writer *writer, struct rqv_str text)
{
    if (text.len > KEY_TEXT_MAX)
        writer->full = true;
    if (text.len > KEY_TEXT_MAX || !has_room(writer, 1 + text.len))
        return;
    *writer->at++ = (uint8_t)text.len;
    if (text.len > 0)
        memcpy(writer->at, text.ptr, text.len);
    writer->at += text.len;
}

static inline void put_NAME(struct key_writer *writer, struct rqv_str name, struct rqv_str host)
{
    if (!rqv_str_eq(name, host))
        put_TEXT(writer, name);
    else if (has_room(writer, 1))
        *writer->at++ = KEY_IS_HOST;
}

static inline void put_HASH(struct key_writer *writer, const struct key_hash *hash)
{
    static const struct key_hash none;
    bool present = memcmp(hash, &none, sizeof none) != 0;

    if (!has_room(writer, 1 + sizeof *hash))
        return;
    *writer->at++ = present;
    if (present)
        memcpy(writer->at, hash->bytes, sizeof hash->bytes);
    writer->at += present ? sizeof hash->bytes : 0;
}

#define KEY_ARG_NUM(value)  value
#define KEY_ARG_TEXT(value) value
#define KEY_ARG_NAME(value) value, fields->host
#define KEY_ARG_HASH(value) &value

int key_encode(const struct key_fields *fields, struct key *ret_key)
{
    struct key_writer writer = {ret_key->bytes, ret_key->bytes + sizeof ret_key->bytes, false};

#define KEY_PUT(group, name, kind) put_##kind(&writer, KEY_ARG_##kind(fields->name));
    KEY_FIELDS(KEY_PUT)
#undef KEY_PUT
    ret_key->len = (uint16_t)(writer.at - ret_key->bytes);
    return writer.full ? REQIVO_E_URL : 0;
}

bool key_eq(const struct key *a, const struct key *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static const struct {
    const char *group, *name;
} key_names[] = {
#define KEY_NAME(group, name, kind) {#group, #name},
    KEY_FIELDS(KEY_NAME)
#undef KEY_NAME
};

size_t key_field_count(void)
{
    return sizeof key_names / sizeof key_names[0];
}

const char *key_field_name(size_t n, const char **ret_group)
{
    *ret_group = key_names[n].group;
    return key_names[n].name;
}
