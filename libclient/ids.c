/* SPDX-License-Identifier: MIT */
/* ids - the table of ids.h. It doubles when it holds more exchanges than slots and never shrinks. */
#include "libclient/ids.h"

#include "libclient/exchange.h"

#include <stdlib.h>

void rqv_ids_init(struct rqv_ids *ids)
{
    *ids = (struct rqv_ids){.size = RQV_IDS_FIRST};
    ids->slot = ids->first;
}

void rqv_ids_done(struct rqv_ids *ids)
{
    if (ids->slot != ids->first)
        free(ids->slot);
    rqv_ids_init(ids);
}

static struct rqv_exchange **slot_of(const struct rqv_ids *ids, uint64_t id)
{
    return &ids->slot[(size_t)id & (ids->size - 1)];
}

static void grow(struct rqv_ids *ids)
{
    struct rqv_exchange **old = ids->slot;
    size_t old_size = ids->size;
    struct rqv_exchange **slot = calloc(old_size * 2, sizeof(*slot));

    if (!slot)
        return;
    ids->slot = slot;
    ids->size = old_size * 2;
    for (size_t i = 0; i < old_size; i++) {
        for (struct rqv_exchange *x = old[i], *next; x; x = next) {
            next = x->same_slot;
            struct rqv_exchange **to = slot_of(ids, x->id);
            x->same_slot = *to;
            *to = x;
        }
    }
    if (old != ids->first)
        free(old);
}

void rqv_ids_put(struct rqv_ids *ids, struct rqv_exchange *exchange)
{
    if (ids->count >= ids->size)
        grow(ids);
    struct rqv_exchange **slot = slot_of(ids, exchange->id);
    exchange->same_slot = *slot;
    *slot = exchange;
    ids->count++;
}

void rqv_ids_del(struct rqv_ids *ids, struct rqv_exchange *exchange)
{
    struct rqv_exchange **at = slot_of(ids, exchange->id);

    while (*at && *at != exchange)
        at = &(*at)->same_slot;
    if (!*at)
        return;
    *at = exchange->same_slot;
    exchange->same_slot = NULL;
    ids->count--;
}

struct rqv_exchange *rqv_ids_get(const struct rqv_ids *ids, uint64_t id)
{
    struct rqv_exchange *x = *slot_of(ids, id);

    while (x && x->id != id)
        x = x->same_slot;
    return x;
}
