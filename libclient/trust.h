/* SPDX-License-Identifier: MIT */
/*
 * trust - sets of CA certificates: one block each, shared by the requests that name it and remembered by the
 * handle, so that a content is uploaded once per connection. `wire_id` names it to the daemon while that
 * connection lives.
 */
#ifndef RQV_LIBCLIENT_TRUST_H
#define RQV_LIBCLIENT_TRUST_H

#include "common/buf.h"
#include "common/list.h"

#include <stddef.h>
#include <stdint.h>

struct rqv_trust {
    struct rqv_list node; /* in the handle's list, most recently used first; alone before submit */
    size_t refs;
    uint64_t wire_id; /* 0: not uploaded on this connection */
    size_t size;
    uint8_t bytes[];
};

struct rqv_trust *
rqv_trust_new(size_t size); /* one reference; the bytes are the caller's to fill. NULL: no memory */
void rqv_trust_release(struct rqv_trust *trust);
/* Replaces *trust by the set of equal content that `list` knows already, or adds it there. */
void rqv_trust_intern(struct rqv_list *list, struct rqv_trust **trust);
void rqv_trust_forget_uploads(struct rqv_list *list, uint64_t wire_id); /* that one; 0: all */
void rqv_trust_drop_all(struct rqv_list *list);
/* TRUST and its DATA under `id`, appended whole or not at all: 0, -ENOMEM, REQIVO_E_LIMIT_MEMORY. */
int rqv_trust_upload(struct rqv_trust *trust, uint64_t id, struct rqv_buf *out);

#endif
