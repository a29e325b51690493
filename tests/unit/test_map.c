/* SPDX-License-Identifier: MIT */
/* Unit tests of common/map.h: SipHash vectors, the map against a model, its order, and failing allocations.
 */
#include "common/map.h"

#include "common/siphash.h"
#include "tests/lib/failmalloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* Made with an independent implementation that agrees with the published SipHash-2-4 vectors and with the 1-3
 * of Python's str hash. */
START_TEST(siphash_vectors)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0xabac0158050fc4dc)},  {1, UINT64_C(0xc9f49bf37d57ca93)},
        {7, UINT64_C(0xd3927d989bb11140)},  {8, UINT64_C(0x369095118d299a8e)},
        {9, UINT64_C(0x25a48eb36c063de4)},  {15, UINT64_C(0xd320d86d2a519956)},
        {16, UINT64_C(0xcc4fdd1a7d908b66)}, {63, UINT64_C(0x9d199062b7bbb3a8)},
    };
    static const uint64_t zero[2];
    uint8_t bytes[64];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        ck_assert_uint_eq(rqv_siphash(key, bytes, vectors[i].len), vectors[i].hash);
    ck_assert_uint_eq(rqv_siphash(zero, "abc", 3), UINT64_C(0xc03bc3a0042630f2));
    ck_assert_uint_eq(rqv_siphash_u64(key, UINT64_C(0x0706050403020100)), vectors[3].hash);
}
END_TEST

START_TEST(bytes_keys)
{
    struct rqv_map_node nodes[3];
    struct rqv_map map;

    rqv_map_init(&map, key);
    ck_assert_ptr_null(rqv_map_get(&map, "a", 1));
    ck_assert_ptr_null(rqv_map_first(&map));
    ck_assert_int_eq(rqv_map_put(&map, &nodes[0], "host:1", 6), 0);
    ck_assert_int_eq(rqv_map_put(&map, &nodes[1], "host:1\0", 7), 0);
    ck_assert_int_eq(rqv_map_put(&map, &nodes[2], "host:1", 6), -EEXIST);
    ck_assert_int_eq(rqv_map_put(&map, &nodes[2], "", 0), 0);
    ck_assert_int_eq(rqv_map_put(&map, &nodes[2], "x", SIZE_MAX), -EINVAL);
    ck_assert_ptr_null(rqv_map_get(&map, "x", SIZE_MAX));
    ck_assert_ptr_eq(rqv_map_get(&map, "host:1", 6), &nodes[0]);
    ck_assert_ptr_eq(rqv_map_get(&map, "host:1\0", 7), &nodes[1]);
    ck_assert_ptr_eq(rqv_map_get(&map, "", 0), &nodes[2]);
    ck_assert_ptr_null(rqv_map_get(&map, "Host:1", 6));
    ck_assert_uint_eq(rqv_map_count(&map), 3);
    rqv_map_del(&map, &nodes[1]);
    ck_assert_ptr_null(rqv_map_get(&map, "host:1\0", 7));
    ck_assert_ptr_eq(rqv_map_get(&map, "host:1", 6), &nodes[0]);
    rqv_map_done(&map);
    ck_assert_uint_eq(rqv_map_count(&map), 0);
}
END_TEST

START_TEST(order_is_insertion)
{
    static struct rqv_map_node nodes[2000];
    struct rqv_map_node *at, *next;
    struct rqv_map map;
    uint64_t expected = 0;

    rqv_map_init(&map, key);
    for (uint64_t i = 0; i < 2000; i++)
        ck_assert_int_eq(rqv_map_put_id(&map, &nodes[i], i * 3), 0);
    for (at = rqv_map_first(&map); at; at = rqv_map_next(at))
        ck_assert_uint_eq(at->id, 3 * expected++);
    ck_assert_uint_eq(expected, 2000);
    for (at = rqv_map_first(&map); at; at = next) {
        next = rqv_map_next(at);
        rqv_map_del(&map, at);
    }
    ck_assert_uint_eq(rqv_map_count(&map), 0);
    ck_assert_ptr_null(rqv_map_first(&map));
    rqv_map_done(&map);
}
END_TEST

/* Ids 0..N-1 come and go by a fixed pseudo-random sequence; in[] says which are in. */
START_TEST(model)
{
    enum { N = 3000 };
    static struct rqv_map_node nodes[N];
    static bool in[N];
    uint32_t seed = 99;
    size_t count = 0;
    struct rqv_map map;

    rqv_map_init(&map, key);
    for (int step = 0; step < 300000; step++) {
        uint32_t i;

        seed = seed * 1664525 + 1013904223;
        /* long stretches with few nodes, so that the map runs empty again and again */
        i = (seed >> 8) % ((step / 10000) % 3 == 0 ? N : 3);
        ck_assert_ptr_eq(rqv_map_get_id(&map, i), in[i] ? &nodes[i] : NULL);
        if (seed & 0x80 && in[i]) {
            rqv_map_del(&map, &nodes[i]);
            in[i] = false;
            count--;
        } else {
            int result = rqv_map_put_id(&map, &nodes[i], i);

            ck_assert_int_eq(result, in[i] ? -EEXIST : 0);
            count += !in[i];
            in[i] = true;
        }
        ck_assert_uint_eq(rqv_map_count(&map), count);
        if (step % 10000 == 9999) {
            for (uint32_t j = 0; j < N; j++) {
                if (in[j])
                    rqv_map_del(&map, &nodes[j]);
                in[j] = false;
            }
            count = 0;
        }
    }
    rqv_map_done(&map);
}
END_TEST

/* One request after another in a map that is empty between them: the table is made once. */
START_TEST(no_allocation_when_warm)
{
    struct rqv_map_node node;
    struct rqv_map map;

    rqv_map_init(&map, key);
    ck_assert_int_eq(rqv_map_put_id(&map, &node, 1), 0);
    rqv_map_del(&map, &node);
    failmalloc_start(0, FAILMALLOC_ONCE);
    for (uint64_t id = 2; id < 1000; id++) {
        ck_assert_int_eq(rqv_map_put_id(&map, &node, id), 0);
        ck_assert_ptr_eq(rqv_map_get_id(&map, id), &node);
        rqv_map_del(&map, &node);
        ck_assert_ptr_null(rqv_map_get_id(&map, id));
    }
    ck_assert_uint_eq(failmalloc_stop(NULL), 0);
    rqv_map_done(&map);
    rqv_map_done(&map);
}
END_TEST

enum { MANY = 700 };

/* What could not be put is not in; what was put stays, in order, and can be taken out. */
static void scenario(void *arg)
{
    static struct rqv_map_node nodes[MANY];
    static char keys[MANY][8];
    bool in[MANY];
    size_t count = 0;
    struct rqv_map map;

    (void)arg;
    rqv_map_init(&map, key);
    for (int i = 0; i < MANY; i++) {
        int length = snprintf(keys[i], sizeof(keys[i]), "k%d", i);
        int result = rqv_map_put(&map, &nodes[i], keys[i], (size_t)length);

        ck_assert(result == 0 || result == -ENOMEM);
        in[i] = result == 0;
        count += in[i];
        ck_assert_uint_eq(rqv_map_count(&map), count);
    }
    for (int i = 0; i < MANY; i++)
        ck_assert_ptr_eq(rqv_map_get(&map, keys[i], strlen(keys[i])), in[i] ? &nodes[i] : NULL);
    for (struct rqv_map_node *at = rqv_map_first(&map); at; at = rqv_map_next(at))
        count--;
    ck_assert_uint_eq(count, 0);
    for (int i = 0; i < MANY; i += 2) {
        if (in[i])
            rqv_map_del(&map, &nodes[i]);
    }
    for (int i = 0; i < MANY; i++)
        ck_assert_ptr_eq(rqv_map_get(&map, keys[i], strlen(keys[i])), in[i] && i % 2 ? &nodes[i] : NULL);
    rqv_map_done(&map);
}

START_TEST(allocation_failure)
{
    ck_assert_uint_ge(failmalloc_run("map", scenario, NULL), 4);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("map");

    UNIT_TCASE(s, "siphash", siphash_vectors);
    UNIT_TCASE(s, "map", bytes_keys, order_is_insertion, model, no_allocation_when_warm, allocation_failure);
    return s;
}

UNIT_MAIN(suite)
