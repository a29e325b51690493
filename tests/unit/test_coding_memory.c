/* SPDX-License-Identifier: MIT */
/* Unit tests of proto/coding.h: memory that cannot be had, and accounts that refuse it, at every place. */
#include "tests/lib/coding_run.h"
#include "tests/lib/failmalloc.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>

static const struct coding_encode ways[] = {{.kind = RQV_CODING_GZIP},
                                            {.kind = RQV_CODING_DEFLATE, .raw = true},
                                            {.kind = RQV_CODING_BR, .window_bits = 22},
                                            {.kind = RQV_CODING_ZSTD}};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

struct sample {
    struct rqv_codings codings;
    struct bytes coded;
};

/* One coding, or all of them, over some text. Built before any allocation is made to fail. */
static struct sample sample_of(size_t first, size_t count)
{
    struct bytes coded = coding_plain(50000, false);
    struct sample sample = {.codings.count = count};

    for (size_t i = 0; i < count; i++) {
        struct bytes more = coding_encode(coded, &ways[first + i]);

        sample.codings.at[i] = (uint8_t)ways[first + i].kind;
        free(coded.at);
        coded = more;
    }
    sample.coded = coded;
    return sample;
}

struct payer {
    size_t held, asked, refuse; /* refuse: the how-manieth charge, from 1 */
};

static int charge(void *owner, size_t bytes)
{
    struct payer *payer = owner;

    if (++payer->asked == payer->refuse)
        return REQIVO_E_LIMIT_REQUESTS; /* any code of the owner's comes back as it is */
    payer->held += bytes;
    return 0;
}

static void refund(void *owner, size_t bytes)
{
    struct payer *payer = owner;

    ck_assert_uint_ge(payer->held, bytes);
    payer->held -= bytes;
}

static int decode(const struct sample *sample, const struct rqv_coding_limits *limits, struct payer *payer)
{
    static uint8_t room[10000];
    struct rqv_coding_payer hooks = {charge, refund, payer};
    struct rqv_coding_flow flow = {.in = sample->coded.at, .in_len = sample->coded.len, .last = true};
    struct rqv_coding *coding = NULL;
    int r = rqv_coding_new(&sample->codings, limits, &hooks, &coding);

    if (r < 0)
        return r;
    flow.out = room;
    flow.out_size = sizeof(room);
    do {
        r = rqv_coding_step(coding, &flow);
        flow.in += flow.consumed;
        flow.in_len -= flow.consumed;
    } while (r == RQV_CODING_HAVE_OUTPUT);
    rqv_coding_free(coding);
    return r;
}

static void scenario(void *arg)
{
    struct rqv_coding_limits limits;
    struct payer payer = {0};
    int r;

    rqv_coding_limits_default(&limits);
    r = decode(arg, &limits, &payer);
    ck_assert_msg(r == RQV_CODING_END || r == -ENOMEM, "%d", r);
    ck_assert_uint_eq(payer.held, 0);
}

START_TEST(allocations_that_fail)
{
    struct sample sample = sample_of(_i < WAYS ? (size_t)_i : 0, _i < WAYS ? 1 : WAYS);

    ck_assert_uint_gt(failmalloc_run("coding", scenario, &sample), 3);
    free(sample.coded.at);
}
END_TEST

START_TEST(charges_that_are_refused)
{
    struct sample sample = sample_of(_i < WAYS ? (size_t)_i : 0, _i < WAYS ? 1 : WAYS);
    struct rqv_coding_limits limits;
    size_t refused = 0;
    int r;

    rqv_coding_limits_default(&limits);
    do {
        struct payer payer = {.refuse = refused + 1};

        r = decode(&sample, &limits, &payer);
        ck_assert_uint_eq(payer.held, 0);
        if (payer.asked > refused)
            ck_assert_int_eq(r, REQIVO_E_LIMIT_REQUESTS);
        refused++;
    } while (r < 0);
    ck_assert_uint_gt(refused, 3);
    free(sample.coded.at);
}
END_TEST

START_TEST(memory_max)
{
    struct sample sample = sample_of(0, WAYS);
    struct rqv_coding_limits limits;
    unsigned tries = 0;
    int r;

    rqv_coding_limits_default(&limits);
    for (limits.memory_max = 0; tries < 10000; limits.memory_max += 5000, tries++) {
        struct payer payer = {0};

        ck_assert_uint_le(rqv_codings_memory(&sample.codings, &limits), limits.memory_max);
        r = decode(&sample, &limits, &payer);
        ck_assert_uint_eq(payer.held, 0);
        if (r == RQV_CODING_END)
            break;
        ck_assert_int_eq(r, REQIVO_E_LIMIT_MEMORY);
    }
    ck_assert_int_eq(r, RQV_CODING_END);
    ck_assert_uint_gt(tries, 10);
    free(sample.coded.at);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("coding memory");
    TCase *each = tcase_create("memory");

    tcase_set_timeout(each, 60);
    tcase_add_loop_test(each, allocations_that_fail, 0, WAYS + 1);
    tcase_add_loop_test(each, charges_that_are_refused, 0, WAYS + 1);
    tcase_add_test(each, memory_max);
    suite_add_tcase(s, each);
    return s;
}

UNIT_MAIN(suite)
