/* SPDX-License-Identifier: MIT */
/* url_resolve - a reference against a base: RFC 3986 5.2, by the bytes alone. Used for Location in the daemon
 * and for a session's base URL in the library. */
#ifndef RQV_PROTO_URL_RESOLVE_H
#define RQV_PROTO_URL_RESOLVE_H

#include "common/str.h"

#include <stddef.h>

/*
 * Writes the target URI into out (not NUL-terminated) and returns its length, or REQIVO_E_URL when it does
 * not fit or the base has no scheme. `base` is absolute, of any scheme; its fragment has no part in it. The
 * strict way (5.2.2): "http:g" is not relative. Percent-encoded dots are no dot segments. Nothing is judged:
 * the result goes through rqv_url_parse() like any URL. `out` must not overlap the two texts.
 */
long rqv_url_resolve(struct rqv_str base, struct rqv_str reference, char *out, size_t size);

#endif
