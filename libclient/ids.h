/* SPDX-License-Identifier: MIT */
/*
 * ids - finds an exchange by its id. A chained hash table whose chains run through the exchanges, indexed by
 * the low bits of the id: ids are this library's own and grow by one or two, so chains are short and no key
 * is needed. Putting never fails: a table that could not grow has longer chains.
 */
#ifndef RQV_LIBCLIENT_IDS_H
#define RQV_LIBCLIENT_IDS_H

#include <stddef.h>
#include <stdint.h>

struct rqv_exchange;

enum { RQV_IDS_FIRST = 16 };

struct rqv_ids {
    struct rqv_exchange **slot;
    size_t size, count; /* size is a power of two */
    struct rqv_exchange *first[RQV_IDS_FIRST];
};

void rqv_ids_init(struct rqv_ids *ids);
void rqv_ids_done(struct rqv_ids *ids);
void rqv_ids_put(struct rqv_ids *ids, struct rqv_exchange *exchange); /* its id must not be in the table */
void rqv_ids_del(struct rqv_ids *ids, struct rqv_exchange *exchange); /* must be in the table */
struct rqv_exchange *rqv_ids_get(const struct rqv_ids *ids, uint64_t id);

#endif
