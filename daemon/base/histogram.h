/* SPDX-License-Identifier: MIT */
/*
 * histogram - how often something took how long: counts in fixed buckets, each of which reaches twice as far
 * as the one before. To add costs the same few instructions whatever the time, and no memory.
 *
 *   bucket:   0        1         2            20         21
 *          | <= 64 us | <= 128 us | ... | <= 67.1 s | all else |
 */
#ifndef DAEMON_BASE_HISTOGRAM_H
#define DAEMON_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 22

struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS]; /* each of its own bucket only */
    uint64_t sum_us;
};

static inline unsigned histogram_bucket(uint64_t us)
{
    unsigned power = us <= 64 ? 0 : 58 - (unsigned)__builtin_clzll(us - 1);

    return power < HISTOGRAM_BUCKETS ? power : HISTOGRAM_BUCKETS - 1;
}

/* Of all but the last. */
static inline uint64_t histogram_bound_us(unsigned bucket)
{
    return UINT64_C(64) << bucket;
}

static inline void histogram_add(struct histogram *histogram, uint64_t us)
{
    histogram->count[histogram_bucket(us)]++;
    histogram->sum_us += us;
}

#endif
