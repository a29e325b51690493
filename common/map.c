/* SPDX-License-Identifier: MIT */
/*
 * map - uthash behind functions: one place that knows its macros.
 *
 * uthash frees its table with the last node and makes it again with the next one. A map that goes 0 -> 1 -> 0
 * with every request would allocate twice each time, so a small empty table is kept (spare):
 *
 *     head == NULL, spare == NULL   nothing allocated
 *     head == NULL, spare != NULL   empty, one table kept
 *     head != NULL                  head->hh.tbl is the table, spare == NULL
 */
#include "common/map.h"

#include "common/siphash.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

enum { SPARE_BUCKETS_MAX = 1024 }; /* 16 KiB */

void rqv_map_init(struct rqv_map *map, const uint64_t key[2])
{
    *map = (struct rqv_map){.key = {key[0], key[1]}};
}

static void table_free(struct UT_hash_table *table)
{
    if (!table)
        return;
    free(table->buckets);
    free(table);
}

void rqv_map_done(struct rqv_map *map)
{
    table_free(map->head ? map->head->hh.tbl : map->spare);
    map->head = NULL;
    map->spare = NULL;
}

size_t rqv_map_count(const struct rqv_map *map)
{
    return map->head ? map->head->hh.tbl->num_items : 0;
}

static struct rqv_map_node *find(const struct rqv_map *map, const void *key, unsigned len, unsigned hash)
{
    struct rqv_map_node *node;

    HASH_FIND_BYHASHVALUE(hh, map->head, key, len, hash, node);
    return node;
}

/* The first node into the kept table: what HASH_ADD does after HASH_MAKE_TABLE. The buckets are all empty, so
 * this neither grows the table nor fails. */
static void put_first(struct rqv_map *map, struct rqv_map_node *node)
{
    struct UT_hash_table *table = map->spare;
    struct UT_hash_bucket *bucket = &table->buckets[node->hh.hashv & (table->num_buckets - 1)];

    node->hh.tbl = table;
    node->hh.prev = node->hh.next = NULL;
    node->hh.hh_prev = node->hh.hh_next = NULL;
    bucket->hh_head = &node->hh;
    bucket->count = 1;
    table->tail = &node->hh;
    table->num_items = 1;
    map->head = node;
    map->spare = NULL;
}

/* The key must not be in the map yet. */
static int insert(struct rqv_map *map, struct rqv_map_node *node, const void *key, unsigned len,
                  unsigned hash)
{
    if (map->spare) {
        node->hh.key = key;
        node->hh.keylen = len;
        node->hh.hashv = hash;
        put_first(map, node);
        return 0;
    }
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, map->head, key, len, hash, node);
    return node->hh.tbl ? 0 : -ENOMEM; /* uthash: a node that found no memory has no table */
}

int rqv_map_put(struct rqv_map *map, struct rqv_map_node *node, const void *key, size_t len)
{
    unsigned hash;

    if (len > UINT_MAX)
        return -EINVAL;
    hash = (unsigned)rqv_siphash(map->key, key, len);
    if (find(map, key, (unsigned)len, hash))
        return -EEXIST;
    return insert(map, node, key, (unsigned)len, hash);
}

struct rqv_map_node *rqv_map_get(const struct rqv_map *map, const void *key, size_t len)
{
    if (!map->head || len > UINT_MAX)
        return NULL;
    return find(map, key, (unsigned)len, (unsigned)rqv_siphash(map->key, key, len));
}

int rqv_map_put_id(struct rqv_map *map, struct rqv_map_node *node, uint64_t id)
{
    unsigned hash = (unsigned)rqv_siphash_u64(map->key, id);

    if (find(map, &id, sizeof(id), hash))
        return -EEXIST;
    node->id = id;
    return insert(map, node, &node->id, sizeof(node->id), hash);
}

struct rqv_map_node *rqv_map_get_id(const struct rqv_map *map, uint64_t id)
{
    if (!map->head)
        return NULL;
    return find(map, &id, sizeof(id), (unsigned)rqv_siphash_u64(map->key, id));
}

void rqv_map_del(struct rqv_map *map, struct rqv_map_node *node)
{
    struct UT_hash_table *table = node->hh.tbl;

    if (table->num_items == 1 && table->num_buckets <= SPARE_BUCKETS_MAX) {
        struct UT_hash_bucket *bucket = &table->buckets[node->hh.hashv & (table->num_buckets - 1)];

        bucket->hh_head = NULL;
        bucket->count = 0;
        table->num_items = 0;
        table->tail = NULL;
        map->spare = table;
        map->head = NULL;
    } else {
        HASH_DELETE(hh, map->head, node);
    }
    node->hh.tbl = NULL;
}

struct rqv_map_node *rqv_map_first(const struct rqv_map *map)
{
    return map->head;
}

struct rqv_map_node *rqv_map_next(const struct rqv_map_node *node)
{
    return node->hh.next;
}
