/* SPDX-License-Identifier: MIT */
/*
 * resolver_cache - answers by partition and name: at most `max`, the least recently used goes first. What one
 * user resolved tells another nothing, neither by content nor by time: the user is part of the key.
 *
 *   map: key bytes -> entry        lru: oldest ... newest
 */
#include "daemon/net/resolver_internal.h"

#include <stdlib.h>
#include <string.h>

struct cache_entry {
    struct rqv_map_node node;
    struct rqv_list lru_node;
    uint64_t until_us;
    struct resolver_key key;
    struct resolver_answer answer; /* last: cut after its addresses */
};

void resolver_cache_init(struct resolver_cache *cache, size_t max, const uint64_t hash_key[2])
{
    rqv_map_init(&cache->map, hash_key);
    rqv_list_init(&cache->lru);
    cache->max = max;
}

static void entry_drop(struct resolver_cache *cache, struct cache_entry *entry)
{
    rqv_map_del(&cache->map, &entry->node);
    rqv_list_remove(&entry->lru_node);
    free(entry);
}

void resolver_cache_done(struct resolver_cache *cache)
{
    struct rqv_list *node;

    while ((node = rqv_list_first(&cache->lru)))
        entry_drop(cache, RQV_LIST_OF(node, struct cache_entry, lru_node));
    rqv_map_done(&cache->map);
}

static struct cache_entry *entry_find(struct resolver_cache *cache, const struct resolver_key *key)
{
    struct rqv_map_node *node = rqv_map_get(&cache->map, key, RESOLVER_KEY_LEN(key));

    return node ? RQV_LIST_OF(node, struct cache_entry, node) : NULL;
}

static size_t answer_size(const struct resolver_answer *answer)
{
    return offsetof(struct resolver_answer, addrs) + answer->count * sizeof(answer->addrs[0]);
}

bool resolver_cache_get(struct resolver_cache *cache, const struct resolver_key *key, uint64_t now_us,
                        struct resolver_answer *ret_answer)
{
    struct cache_entry *entry = entry_find(cache, key);

    if (!entry)
        return false;
    if (entry->until_us <= now_us) {
        entry_drop(cache, entry);
        return false;
    }
    rqv_list_remove(&entry->lru_node);
    rqv_list_append(&cache->lru, &entry->lru_node);
    memcpy(ret_answer, &entry->answer, answer_size(&entry->answer));
    return true;
}

void resolver_cache_put(struct resolver_cache *cache, const struct resolver_key *key, uint64_t until_us,
                        const struct resolver_answer *answer)
{
    struct cache_entry *entry = entry_find(cache, key);

    if (entry)
        entry_drop(cache, entry);
    if (cache->max == 0)
        return;
    for (int i = 0; i < 2 && rqv_map_count(&cache->map) >= cache->max;
         i++) /* two: it shrinks to a lower max */
        entry_drop(cache, RQV_LIST_OF(rqv_list_first(&cache->lru), struct cache_entry, lru_node));
    entry = malloc(offsetof(struct cache_entry, answer) + answer_size(answer));
    if (!entry)
        return;
    entry->until_us = until_us;
    entry->key = *key;
    memcpy(&entry->answer, answer, answer_size(answer));
    if (rqv_map_put(&cache->map, &entry->node, &entry->key, RESOLVER_KEY_LEN(key)) != 0) {
        free(entry);
        return;
    }
    rqv_list_append(&cache->lru, &entry->lru_node);
}

void resolver_cache_sweep(struct resolver_cache *cache, uint64_t now_us)
{
    rqv_list_for_each_safe (node, tmp, &cache->lru) {
        struct cache_entry *entry = RQV_LIST_OF(node, struct cache_entry, lru_node);

        if (entry->until_us <= now_us)
            entry_drop(cache, entry);
    }
}

size_t resolver_cache_count(const struct resolver_cache *cache)
{
    return rqv_map_count(&cache->map);
}
