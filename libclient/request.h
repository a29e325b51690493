/* SPDX-License-Identifier: MIT */
/*
 * request - the builder of <reqivo/request.h>, and the exchange that it becomes.
 *
 *   text:  | method | url | u16 name_len | u16 value_len | name | value | ...     (wiped when freed or moved)
 */
#ifndef RQV_LIBCLIENT_REQUEST_H
#define RQV_LIBCLIENT_REQUEST_H

#include "common/buf.h"
#include "libclient/exchange.h"
#include "libclient/trust.h"
#include "proto/wire.h"

#include <reqivo/request.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rqv_body_kind { RQV_BODY_NONE, RQV_BODY_MEMORY, RQV_BODY_FILE, RQV_BODY_CALLBACK };

struct rqv_body {
    enum rqv_body_kind kind;
    uint64_t length;      /* REQIVO_LENGTH_UNKNOWN: chunked */
    const uint8_t *bytes; /* MEMORY */
    uint8_t *owned;       /* the same when it is a copy */
    int fd;               /* FILE; -1 otherwise */
    int64_t offset;       /* FILE: where it begins */
    reqivo_read_fn fn;    /* CALLBACK */
    void *userdata;
};

struct reqivo_request {
    struct rqv_buf text;
    size_t method_len, url_len, field_count;
    bool has_host, idempotent;
    uint32_t flags; /* RQV_REQ_* but HAS_BODY and CHUNKED */
    uint32_t timeout_ms[RQV_T_COUNT];
    struct rqv_body body;
    uint64_t max_body; /* UINT64_MAX: the default */
    reqivo_head_fn on_head;
    reqivo_body_fn on_body;
    void *stream_userdata;
    struct rqv_trust *trust;
    uint16_t verb; /* not 0: a QUERY, which has nothing of the above */
    reqivo_row_fn on_row;
    struct reqivo_websocket *ws; /* not NULL: it opens a WebSocket; borrowed */
    struct rqv_exchange exchange;
};

#define RQV_REQUEST_OF(x) RQV_LIST_OF((x), struct reqivo_request, exchange)

/* A QUERY as a request: NULL, no memory. */
struct reqivo_request *rqv_request_new_query(uint16_t verb, reqivo_row_fn fn, void *userdata);
/* Views of the request's own texts; trust_id is left to the caller. */
void rqv_request_head(const struct reqivo_request *request, struct rqv_request_head *ret_head);
/* The bytes that its head takes in a frame, at most. */
size_t rqv_request_head_size(const struct reqivo_request *request);
bool rqv_request_is_idempotent(const struct reqivo_request *request);
bool rqv_request_has_total(const struct reqivo_request *request); /* the program set a total timeout */

#endif
