/* SPDX-License-Identifier: MIT */
/* fields - a list of header fields as views, with one limit, no allocation. The bytes belong to somebody
 * else. */
#ifndef RQV_PROTO_FIELDS_H
#define RQV_PROTO_FIELDS_H

#include "common/str.h"

#include <stddef.h>

#define RQV_FIELDS_MAX 128

struct rqv_field {
    struct rqv_str name, value;
};

struct rqv_fields {
    size_t count;
    struct rqv_field at[RQV_FIELDS_MAX];
};

/* 0, or -E2BIG when full. */
int rqv_fields_add(struct rqv_fields *fields, struct rqv_str name, struct rqv_str value);
/* The n-th (from 0) field of that name, case-insensitive; NULL when there is none. */
const struct rqv_field *rqv_fields_get(const struct rqv_fields *fields, struct rqv_str name, size_t n);
/* Is `token` a member of the comma-separated lists of all fields of that name (case-insensitive)? RFC
 * 9110 5.6.1 */
_Bool rqv_fields_has_token(const struct rqv_fields *fields, struct rqv_str name, struct rqv_str token);

/* Does a field of that name carry what only the origin that it was given for may see? Authorization, Cookie,
 * Proxy-Authorization, and what is named like a secret: -key, -token, -secret, -password, -authorization, but
 * Idempotency-Key. security.md B3-3 */
_Bool rqv_field_is_secret(struct rqv_str name);

/* Fields of a request: REQIVO_E_FIELD when the name is no token, the value has a control byte, or the field
 * is one that the daemon alone writes (Host is allowed once and checked apart; Content-Length,
 * Transfer-Encoding, Connection, Keep-Alive, TE, Trailer, Upgrade, Expect, Proxy-*, HTTP2-Settings are
 * refused). ret_which names the culprit. security.md B4 */
int rqv_fields_check_request(const struct rqv_fields *fields, size_t *ret_which);

#endif
