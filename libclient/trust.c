/* SPDX-License-Identifier: MIT */
/* trust - the sets of trust.h. The handle holds one reference of each set in its list, a request one of its
 * own. */
#include "libclient/trust.h"

#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

struct rqv_trust *rqv_trust_new(size_t size)
{
    struct rqv_trust *trust = malloc(sizeof *trust + size);

    if (trust) {
        trust->refs = 1;
        trust->wire_id = 0;
        trust->size = size;
        rqv_list_init(&trust->node);
    }
    return trust;
}

void rqv_trust_release(struct rqv_trust *trust)
{
    if (trust && --trust->refs == 0)
        free(trust);
}

static void drop(struct rqv_trust *trust)
{
    rqv_list_remove(&trust->node);
    rqv_trust_release(trust);
}

/* Forgets the set that was used longest ago of those that no request names, once there are too many. */
static void trim(struct rqv_list *list)
{
    size_t count = 0;

    rqv_list_for_each (node, list)
        count++;
    if (count <= RQV_WIRE_TRUST_PER_USER)
        return;
    for (struct rqv_list *node = list->prev; node != list; node = node->prev) {
        struct rqv_trust *trust = RQV_LIST_OF(node, struct rqv_trust, node);
        if (trust->refs == 1) {
            drop(trust);
            return;
        }
    }
}

void rqv_trust_intern(struct rqv_list *list, struct rqv_trust **trust)
{
    struct rqv_trust *wanted = *trust;

    rqv_list_for_each (node, list) {
        struct rqv_trust *known = RQV_LIST_OF(node, struct rqv_trust, node);
        if (known != wanted &&
            (known->size != wanted->size || memcmp(known->bytes, wanted->bytes, known->size) != 0))
            continue;
        rqv_list_remove(&known->node);
        rqv_list_prepend(list, &known->node);
        if (known != wanted) {
            known->refs++;
            *trust = known;
            rqv_trust_release(wanted);
        }
        return;
    }
    wanted->refs++;
    rqv_list_prepend(list, &wanted->node);
    trim(list);
}

void rqv_trust_forget_uploads(struct rqv_list *list, uint64_t wire_id)
{
    rqv_list_for_each (node, list) {
        struct rqv_trust *trust = RQV_LIST_OF(node, struct rqv_trust, node);
        if (wire_id == 0 || trust->wire_id == wire_id)
            trust->wire_id = 0;
    }
}

void rqv_trust_drop_all(struct rqv_list *list)
{
    rqv_list_for_each_safe (node, next, list)
        drop(RQV_LIST_OF(node, struct rqv_trust, node));
}

int rqv_trust_upload(struct rqv_trust *trust, uint64_t id, struct rqv_buf *out)
{
    size_t before = rqv_buf_len(out);
    int r = rqv_wire_encode_trust(out, id, (uint32_t)trust->size);

    for (size_t at = 0; r == 0 && at < trust->size;) {
        size_t n = trust->size - at;
        uint8_t flags = RQV_FLAG_END;
        if (n > RQV_WIRE_PAYLOAD_MAX) {
            n = RQV_WIRE_PAYLOAD_MAX;
            flags = 0;
        }
        r = rqv_wire_encode_data(out, id, flags, (struct rqv_str){(const char *)trust->bytes + at, n});
        at += n;
    }
    if (r < 0) {
        out->end = out->start + before;
        return r;
    }
    trust->wire_id = id;
    return 0;
}
