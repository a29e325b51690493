/* SPDX-License-Identifier: MIT */
/*
 * http1_asked - the head of a request, as a server reads it: of the metrics' address, which is all that the
 * daemon serves over HTTP. Strict: RFC 9112 with CRLF only, no folded lines, no blank before a colon.
 */
#ifndef RQV_PROTO_HTTP1_ASKED_H
#define RQV_PROTO_HTTP1_ASKED_H

#include "common/str.h"

#include <stddef.h>

struct rqv_http1_asked {
    struct rqv_str method, path; /* without the query */
    struct rqv_str authority;    /* of an absolute target (http); ptr NULL: the target begins with the path */
    struct rqv_str host;         /* the Host field; ptr NULL: there is none */
    unsigned minor;              /* HTTP/1.0 or HTTP/1.1 */
};

/* How long the head at the start of `bytes` is, with its empty line; 0: its end is not there yet. */
size_t rqv_http1_asked_end(struct rqv_str bytes);
/* `head`: as rqv_http1_asked_end() has measured it. 0; -EBADMSG: malformed, two Host fields, or none in
 * HTTP/1.1; -EPROTONOSUPPORT: another version of HTTP. Views into `head`. */
int rqv_http1_asked_decode(struct rqv_str head, struct rqv_http1_asked *ret_asked);

#endif
