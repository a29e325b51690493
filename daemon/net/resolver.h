/* SPDX-License-Identifier: MIT */
/*
 * resolver - names to addresses without blocking the loop. c-ares when nsswitch's hosts are only files and
 * dns (real TTLs, cancel), else getaddrinfo on a few threads with a share per uid. Identical queries of one
 * partition are merged; one bounded cache (least recently used out), per partition; at most 16 addresses
 * each; failures are remembered for 1 s.
 */
#ifndef DAEMON_NET_RESOLVER_H
#define DAEMON_NET_RESOLVER_H

#include "common/addr.h"
#include "common/err.h"
#include "common/list.h"
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/loop.h"

#include <stddef.h>

#define RESOLVER_ADDRS_MAX 16

struct resolver;
struct resolver_lookup; /* one name under way, shared by its queries */

/* Embedded in whoever asks. fn runs once, never inside resolver_start(), on the loop; after resolver_cancel()
 * it never runs. err is NULL on success; addrs live until fn returns, ordered as the system prefers them (RFC
 * 6724), port set. */
struct resolver_query;
typedef void (*resolver_fn)(void *owner, const struct rqv_err *err, const struct rqv_addr *addrs,
                            size_t count);
struct resolver_query {
    resolver_fn fn;
    void *owner;
    uint16_t port;
    struct rqv_list node;           /* of the resolver */
    struct resolver_lookup *lookup; /* NULL when idle */
};

int resolver_new(struct loop *loop, const struct conf *conf, const uint64_t hash_key[2],
                 struct resolver **ret_resolver);
void resolver_free(struct resolver *resolver);
/* `name` is an A-label, lower case. 0; -ENOMEM; REQIVO_E_LIMIT_REQUESTS when the account's share of lookups
 * is used up, or would leave less than it holds (account_leaves_share). */
int resolver_start(struct resolver *resolver, struct resolver_query *query, struct account *account,
                   const char *name);
void resolver_cancel(struct resolver_query *query); /* harmless when idle */

#endif
