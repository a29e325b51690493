/* SPDX-License-Identifier: MIT */
/* key - the comparison of two pool keys, and the table for people. The encoding is key_encode.h. */
#include "daemon/upstream/key.h"

#include <string.h>

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
