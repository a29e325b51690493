/* SPDX-License-Identifier: MIT */
/* form - see form.h. The length is counted first, so that a piece is appended whole or not at all. */
#include "proto/form.h"

#include <string.h>

static bool is_plain(unsigned char c)
{
    unsigned char lower = rqv_ascii_lower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static size_t encoded_len(struct rqv_str s)
{
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++)
        len += is_plain((unsigned char)s.ptr[i]) || s.ptr[i] == ' ' ? 1 : 3;
    return len;
}

static uint8_t *put_encoded(uint8_t *at, struct rqv_str s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (is_plain(c)) {
            *at++ = c;
        } else if (c == ' ') {
            *at++ = '+';
        } else {
            *at++ = '%';
            *at++ = (uint8_t)digits[c >> 4];
            *at++ = (uint8_t)digits[c & 15];
        }
    }
    return at;
}

static uint8_t *put_plain(uint8_t *at, struct rqv_str s)
{
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

int rqv_form_encode(struct rqv_buf *out, struct rqv_str bytes)
{
    size_t len = encoded_len(bytes);
    uint8_t *room;
    int rc = rqv_buf_reserve(out, len, &room);

    if (rc < 0)
        return rc;
    put_encoded(room, bytes);
    rqv_buf_commit(out, len);
    return 0;
}

/* The name is encoded here, or taken as it is. */
static int add(struct rqv_buf *out, struct rqv_str name, struct rqv_str value, bool encode_name, bool equals)
{
    size_t ampersand = rqv_buf_len(out) > 0;
    size_t len = ampersand + (encode_name ? encoded_len(name) : name.len) + equals + encoded_len(value);
    uint8_t *at;
    int rc = rqv_buf_reserve(out, len, &at);

    if (rc < 0)
        return rc;
    if (ampersand)
        *at++ = '&';
    at = encode_name ? put_encoded(at, name) : put_plain(at, name);
    if (equals)
        *at++ = '=';
    put_encoded(at, value);
    rqv_buf_commit(out, len);
    return 0;
}

int rqv_form_add(struct rqv_buf *out, struct rqv_str name, struct rqv_str value)
{
    return add(out, name, value, true, true);
}

int rqv_form_add_encoded(struct rqv_buf *out, struct rqv_str encoded_name, struct rqv_str content)
{
    return add(out, encoded_name, content, false, encoded_name.len > 0);
}

void rqv_form_split(struct rqv_str text, struct rqv_form_arg *ret_arg)
{
    const char *at = text.len > 0 ? memchr(text.ptr, '=', text.len) : NULL;
    size_t before;

    if (!at && text.len > 0)
        at = memchr(text.ptr, '@', text.len);
    if (!at) {
        *ret_arg = (struct rqv_form_arg){{text.ptr, 0}, text, false};
        return;
    }
    before = (size_t)(at - text.ptr);
    *ret_arg = (struct rqv_form_arg){{text.ptr, before}, {at + 1, text.len - before - 1}, *at == '@'};
}
