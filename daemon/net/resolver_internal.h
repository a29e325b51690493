/* SPDX-License-Identifier: MIT */
/*
 * resolver_internal - what resolver.c, its cache and its two back ends share, and the seams of the tests.
 *
 *   resolver.c          queries, merging, shares, deadlines, delivery on the loop's WORK phase
 *   resolver_cache.c    answers by partition and name
 *   resolver_ares.c     c-ares on the loop          resolver_system.c  getaddrinfo on threads
 */
#ifndef DAEMON_NET_RESOLVER_INTERNAL_H
#define DAEMON_NET_RESOLVER_INTERNAL_H

#include "common/err.h"
#include "common/list.h"
#include "common/map.h"
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/loop.h"
#include "daemon/net/resolver.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RESOLVER_NAME_MAX     253
#define RESOLVER_UID_LOOKUPS  1024 /* under way for one user, identical ones counted once */
#define RESOLVER_ALL_LOOKUPS  4096
#define RESOLVER_BACKEND_COST 2048 /* what a back end is taken to allocate for one lookup */
#define RESOLVER_FAILED_MS    1000
#define RESOLVER_THREADS      4

/* What came of a lookup. code 0: addresses; else a code and one line. */
struct resolver_answer {
    int code;
    char detail[128];
    uint32_t ttl_s;
    size_t count;
    struct rqv_addr addrs[RESOLVER_ADDRS_MAX]; /* port 0 */
};

/* partition and name, as one run of bytes: the key of lookups and of the cache */
struct resolver_key {
    uint64_t account;
    char name[RESOLVER_NAME_MAX + 1];
    size_t name_len;
};
#define RESOLVER_KEY_LEN(key) (offsetof(struct resolver_key, name) + (key)->name_len)

struct resolver_cache {
    struct rqv_map map;
    struct rqv_list lru; /* the least recently used first */
    size_t max;
};
void resolver_cache_init(struct resolver_cache *cache, size_t max, const uint64_t hash_key[2]);
void resolver_cache_done(struct resolver_cache *cache);
/* Copies a valid answer out. */
bool resolver_cache_get(struct resolver_cache *cache, const struct resolver_key *key, uint64_t now_us,
                        struct resolver_answer *ret_answer);
/* Keeps nothing when there is no memory for it: a cache may forget. */
void resolver_cache_put(struct resolver_cache *cache, const struct resolver_key *key, uint64_t until_us,
                        const struct resolver_answer *answer);
void resolver_cache_sweep(struct resolver_cache *cache, uint64_t now_us);
size_t resolver_cache_count(const struct resolver_cache *cache);

struct resolver_lookup {
    struct rqv_map_node node;  /* in resolver->lookups while others may join */
    struct rqv_list all_node;  /* in resolver->all */
    struct rqv_list done_node; /* in resolver->done from the answer to the delivery */
    struct rqv_list queries;
    struct resolver *resolver;
    struct account *account; /* a reference */
    struct loop_timer deadline;
    size_t charged;
    bool joinable, answered;
    void *backend; /* the back end's own object while it works on this, NULL before and after */
    struct resolver_key key;
    struct resolver_answer answer;
};

/* A back end answers each lookup once, by resolver_lookup_answer(), on the loop's thread; inside start() is
 * fine. */
struct resolver_backend {
    const char *name;
    int (*open)(struct resolver *resolver, void **ret_state);
    void (*close)(void *state); /* answers nothing any more */
    int (*start)(void *state,
                 struct resolver_lookup *lookup); /* sets lookup->backend unless answered; 0 or a code */
    /* Nobody waits or joins any more; it is answered later all the same. NULL: it runs on, for the cache. */
    void (*cancel)(struct resolver_lookup *lookup);
};
extern const struct resolver_backend resolver_backend_ares;
extern const struct resolver_backend resolver_backend_system;

struct resolver {
    struct loop *loop;
    const struct conf *conf;
    const struct resolver_backend *backend;
    void *state;
    bool closing;
    struct rqv_map lookups, shares;
    struct rqv_list all, done;
    size_t pending; /* at the back end */
    struct loop_task task;
    struct loop_timer sweep;
    struct resolver_cache cache;
};

void resolver_lookup_answer(struct resolver_lookup *lookup, const struct resolver_answer *answer);

/* Does the text of nsswitch.conf leave hosts to files and dns alone? True when there is no hosts line. */
bool resolver_nsswitch_is_plain(const char *text);
/* Tests: as if resolv.conf had changed, and named these servers ("127.0.0.1:5353"). 0; REQIVO_E_RESOLVE;
 * REQIVO_E_LIMIT_REQUESTS when it must wait for a channel to end. */
int resolver_ares_set_servers(struct resolver *resolver, const char *servers);
/* Tests: channels that only end what they have under way. */
unsigned resolver_ares_retired(const struct resolver *resolver);

#endif
