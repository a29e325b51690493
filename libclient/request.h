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
#include "libclient/remote.h"
#include "libclient/trust.h"
#include "proto/wire.h"

#include <reqivo/request.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RQV_BODY_DEFAULT_MAX ((uint64_t)64 * 1024 * 1024) /* of a response in memory */

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
    struct rqv_save *save; /* the file that takes the body, or NULL; owned */
    struct rqv_trust *trust;
    uint16_t redirect_max;         /* 0: redirects are not followed */
    uint8_t tls_min, tls_max;      /* enum rqv_tls_version */
    char *route;                   /* "host:port", or NULL */
    struct rqv_remote *jar;        /* of its session; a reference, or NULL */
    struct rqv_remote *connection; /* that it asks for; a reference, or NULL */
    reqivo_before_fn before;
    reqivo_after_fn after;
    void *hook_userdata;
    uint16_t verb; /* not 0: a QUERY, which has nothing of the above */
    struct rqv_wanted {
        uint16_t verb; /* not 0: an OPERATE, whose head is the request's; `verb` is set, too */
        uint32_t value;
        uint64_t user;             /* of a control verb without target: RQV_OP_CONTROL_CLOSE */
        struct rqv_remote *target; /* a reference, or NULL; what the operation makes or is about */
    } operation;
    reqivo_row_fn on_row;
    struct reqivo_websocket *ws; /* not NULL: it opens a WebSocket; borrowed */
    struct rqv_exchange exchange;
};

#define RQV_REQUEST_OF(x) RQV_LIST_OF((x), struct reqivo_request, exchange)

/* A QUERY as a request: NULL, no memory. */
struct reqivo_request *rqv_request_new_query(uint16_t verb, reqivo_row_fn fn, void *userdata);
/* reqivo_request_new() and _add_field() with views. */
int rqv_request_new(struct rqv_str method, struct rqv_str url, struct reqivo_request **ret_request);
int rqv_request_add_field(struct reqivo_request *request, struct rqv_str name, struct rqv_str value);
/* A field of an OPERATE: any value, not judged as a header field is. */
int rqv_request_add_text(struct reqivo_request *request, struct rqv_str name, struct rqv_str value);
/* All that `from` says besides method, URL, fields, body and stream: flags, timeouts, redirects, TLS, route,
 * hooks. `request` must be new. 0 or -ENOMEM. */
int rqv_request_inherit(struct reqivo_request *request, const struct reqivo_request *from);
/* Does it name a jar or a connection of another handle, or of one that is gone? */
bool rqv_request_is_foreign(const struct reqivo_request *request, const struct reqivo_client *client);
/* Makes an OPERATE of a request; `target` (may be NULL) is borrowed, a reference is taken. */
void rqv_request_operate(struct reqivo_request *request, enum rqv_operation_verb verb, uint32_t value,
                         struct rqv_remote *target);
/* The request that a HOP describes. 0, -ENOMEM, REQIVO_E_METHOD, REQIVO_E_LIMIT_HEAD, REQIVO_E_FIELD. */
int rqv_request_new_hop(const struct rqv_hop *hop, struct reqivo_request **ret_request);
/* Views of the request's own texts; trust_id, session_id and connection_id are left to the caller. */
void rqv_request_head(const struct reqivo_request *request, struct rqv_request_head *ret_head);
/* The bytes that its head takes in a frame, at most. */
size_t rqv_request_head_size(const struct reqivo_request *request);
bool rqv_request_is_idempotent(const struct reqivo_request *request);
bool rqv_request_has_total(const struct reqivo_request *request); /* the program set a total timeout */

#endif
