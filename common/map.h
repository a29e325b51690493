/* SPDX-License-Identifier: MIT */
/*
 * map - intrusive hash tables keyed by bytes or by 64-bit ids, over uthash with a keyed hash (SipHash-1-3)
 * and non-fatal allocation. Keys come from strangers, so the 128-bit key is an argument, drawn by the owner.
 * A node lives inside the object it finds; the key bytes must stay valid and unchanged while it is in the
 * map.
 */
#ifndef RQV_COMMON_MAP_H
#define RQV_COMMON_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct rqv_map_node {
    UT_hash_handle hh;
    uint64_t id; /* the key of rqv_map_put_id */
};

struct rqv_map {
    struct rqv_map_node *head;   /* uthash's table */
    struct UT_hash_table *spare; /* the table of a small map that ran empty, kept for the next node */
    uint64_t key[2];
};

/* Frees nothing of the nodes. */
void rqv_map_init(struct rqv_map *map, const uint64_t key[2]);
void rqv_map_done(struct rqv_map *map); /* the nodes stay the owner's; releases the table */
size_t rqv_map_count(const struct rqv_map *map);

/* 0, -EEXIST, -ENOMEM, -EINVAL for a key over 4 GiB (the node is then not in the map). */
int rqv_map_put(struct rqv_map *map, struct rqv_map_node *node, const void *key, size_t len);
struct rqv_map_node *rqv_map_get(const struct rqv_map *map, const void *key, size_t len);
int rqv_map_put_id(struct rqv_map *map, struct rqv_map_node *node, uint64_t id);
struct rqv_map_node *rqv_map_get_id(const struct rqv_map *map, uint64_t id);
void rqv_map_del(struct rqv_map *map, struct rqv_map_node *node); /* the node must be in the map */

/* Iteration in insertion order: first, then next until NULL. Deleting the current node needs next taken
 * before. */
struct rqv_map_node *rqv_map_first(const struct rqv_map *map);
struct rqv_map_node *rqv_map_next(const struct rqv_map_node *node);

/* SipHash-1-3 of bytes, for owners who need a keyed hash of their own. */
uint64_t rqv_siphash(const uint64_t key[2], const void *bytes, size_t len);

#endif
