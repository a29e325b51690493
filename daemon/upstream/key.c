/* SPDX-License-Identifier: MIT */
/*
 * key - canonical encoding of the pool key. In table order: a NUM is a byte with the count of its significant
 * bytes and these, little-endian; a TEXT is a byte of length and the bytes; a HASH is a byte 0 (all zero) or
 * 1 and 32 bytes. Each piece tells its own length, so no two different field sets have the same encoding.
 */
#include "daemon/upstream/key.h"

#include <reqivo/error.h>

#include <string.h>

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

struct key_writer {
    struct key *key;
    bool full;
};

static void put(struct key_writer *writer, const void *bytes, size_t n)
{
    struct key *key = writer->key;

    if (n > sizeof key->bytes - key->len) {
        writer->full = true;
        return;
    }
    if (n > 0)
        memcpy(key->bytes + key->len, bytes, n);
    key->len = (uint16_t)(key->len + n);
}

static void put_NUM(struct key_writer *writer, uint64_t value)
{
    uint8_t bytes[9];
    uint8_t n = 0;

    for (; value != 0; value >>= 8)
        bytes[++n] = (uint8_t)value;
    bytes[0] = n;
    put(writer, bytes, (size_t)n + 1);
}

static void put_TEXT(struct key_writer *writer, struct rqv_str text)
{
    uint8_t len = (uint8_t)text.len;

    if (text.len > 255)
        writer->full = true;
    put(writer, &len, 1);
    put(writer, text.ptr, len);
}

static void put_HASH(struct key_writer *writer, struct key_hash hash)
{
    static const struct key_hash none;
    uint8_t present = memcmp(&hash, &none, sizeof hash) != 0;

    put(writer, &present, 1);
    if (present)
        put(writer, hash.bytes, sizeof hash.bytes);
}

int key_encode(const struct key_fields *fields, struct key *ret_key)
{
    struct key_writer writer = {ret_key, false};

    ret_key->len = 0;
#define KEY_PUT(group, name, kind) put_##kind(&writer, fields->name);
    KEY_FIELDS(KEY_PUT)
#undef KEY_PUT
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
