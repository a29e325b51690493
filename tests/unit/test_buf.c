/* SPDX-License-Identifier: MIT */
/* Unit tests of common/buf.h: the edges by hand, everything else against a model, and failing allocations. */
#include "common/buf.h"

#include "tests/lib/failmalloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <reqivo/error.h>
#include <string.h>

START_TEST(empty_and_limits)
{
    struct rqv_buf buf;
    uint8_t *room = NULL;

    rqv_buf_init(&buf, 1000);
    ck_assert_uint_eq(rqv_buf_len(&buf), 0);
    ck_assert_ptr_null(rqv_buf_head(&buf));
    ck_assert_int_eq(rqv_buf_append(&buf, NULL, 0), 0);
    ck_assert_int_eq(rqv_buf_reserve(&buf, 0, &room), 0);
    ck_assert_int_eq(rqv_buf_reserve(&buf, 1001, &room), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(rqv_buf_reserve(&buf, SIZE_MAX, &room), REQIVO_E_LIMIT_MEMORY);
    ck_assert_ptr_null(room);
    ck_assert_int_eq(rqv_buf_append(&buf, "abc", 3), 0);
    ck_assert_int_eq(rqv_buf_reserve(&buf, 998, &room), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(rqv_buf_reserve(&buf, SIZE_MAX - 1, &room), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(rqv_buf_reserve(&buf, 997, &room), 0);
    ck_assert_uint_eq(buf.cap, 1000);
    memset(room, 'x', 997);
    rqv_buf_commit(&buf, 997);
    ck_assert_uint_eq(rqv_buf_len(&buf), 1000);
    rqv_buf_commit(&buf, 1); /* more than the room: nothing is beyond the block */
    ck_assert_uint_eq(rqv_buf_len(&buf), 1000);
    rqv_buf_consume(&buf, 3);
    ck_assert_int_eq(rqv_buf_append(&buf, "def", 3), 0); /* compacts, since it may not grow */
    ck_assert_uint_eq(buf.cap, 1000);
    ck_assert_mem_eq(rqv_buf_head(&buf) + 997, "def", 3);
    rqv_buf_consume(&buf, 5000);
    ck_assert_uint_eq(rqv_buf_len(&buf), 0);
    ck_assert_uint_eq(buf.cap, 1000); /* reset without freeing */
    rqv_buf_shrink(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.max, 1000);
    rqv_buf_done(&buf);
}
END_TEST

START_TEST(shrink_keeps_content_and_wipe_drops_it)
{
    struct rqv_buf buf;

    rqv_buf_init(&buf, 64);
    ck_assert_int_eq(rqv_buf_append(&buf, "secret", 6), 0);
    ck_assert_uint_le(buf.cap, 64);
    rqv_buf_shrink(&buf);
    ck_assert_mem_eq(rqv_buf_head(&buf), "secret", 6);
    rqv_buf_wipe(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(rqv_buf_len(&buf), 0);
    rqv_buf_wipe(&buf);
    rqv_buf_init(&buf, 0);
    ck_assert_int_eq(rqv_buf_append(&buf, "x", 1), REQIVO_E_LIMIT_MEMORY);
    rqv_buf_init(&buf, SIZE_MAX);
    ck_assert_int_eq(rqv_buf_append(&buf, "x", 1), 0);
    rqv_buf_done(&buf);
}
END_TEST

/* A queue of at most 5000 bytes, driven by a fixed sequence of pseudo-random steps, beside a plain array. */
START_TEST(model)
{
    enum { MAX = 5000 };
    static uint8_t mirror[MAX];
    size_t have = 0;
    uint32_t seed = 12345;
    uint8_t next = 0;
    struct rqv_buf buf;

    rqv_buf_init(&buf, MAX);
    for (int step = 0; step < 200000; step++) {
        size_t n;
        uint8_t *room;

        seed = seed * 1664525 + 1013904223;
        n = (seed >> 16) % ((seed >> 10) % 8 == 0 ? 3000 : 100);
        if (seed & 0x200) {
            int error = rqv_buf_reserve(&buf, n, &room);

            ck_assert_int_eq(error, n > MAX - have ? REQIVO_E_LIMIT_MEMORY : 0);
            if (error)
                continue;
            for (size_t i = 0; i < n; i++)
                room[i] = mirror[have + i] = next++;
            rqv_buf_commit(&buf, n);
            have += n;
        } else {
            n = n < have ? n : have;
            rqv_buf_consume(&buf, n);
            memmove(mirror, mirror + n, have - n);
            have -= n;
        }
        ck_assert_uint_eq(rqv_buf_len(&buf), have);
        ck_assert_uint_le(buf.cap, MAX);
        ck_assert_uint_le(buf.end, buf.cap);
        if (have > 0)
            ck_assert_mem_eq(rqv_buf_head(&buf), mirror, have);
    }
    rqv_buf_done(&buf);
}
END_TEST

/* Bytes count on (mod 256), so first and last of the content are known from their place: a failed append
 * leaves the content as it was. */
static void scenario(void *arg)
{
    uint8_t bytes[700], next = 0;
    struct rqv_buf buf;

    (void)arg;
    rqv_buf_init(&buf, 8192);
    for (int i = 0; i < 24; i++) {
        size_t before = rqv_buf_len(&buf), len;
        int error;

        for (size_t j = 0; j < sizeof(bytes); j++)
            bytes[j] = (uint8_t)(next + j);
        error = rqv_buf_append(&buf, bytes, sizeof(bytes));
        ck_assert(error == 0 || error == -ENOMEM || error == REQIVO_E_LIMIT_MEMORY);
        if (error == 0)
            next = (uint8_t)(next + sizeof(bytes));
        len = rqv_buf_len(&buf);
        ck_assert_uint_eq(len, before + (error ? 0 : sizeof(bytes)));
        if (len > 0) {
            ck_assert_uint_eq(rqv_buf_head(&buf)[0], (uint8_t)(next - len));
            ck_assert_uint_eq(rqv_buf_head(&buf)[len - 1], (uint8_t)(next - 1));
        }
        if (i == 2)
            rqv_buf_shrink(&buf);
        if (i == 5)
            rqv_buf_consume(&buf, 703);
    }
    rqv_buf_done(&buf);
}

START_TEST(allocation_failure)
{
    ck_assert_uint_ge(failmalloc_run("buf", scenario, NULL), 4);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("buf");

    UNIT_TCASE(s, "buf", empty_and_limits, shrink_keeps_content_and_wipe_drops_it, model, allocation_failure);
    return s;
}

UNIT_MAIN(suite)
