/* SPDX-License-Identifier: MIT */
/*
 * overload - what is given up before a total of the accounts is used up, step by step, and taken up again
 * once there is room. security.md B10-3.
 *
 *   of what users may have:  85 %  idle connections end sooner, down to OVERLOAD_IDLE_MS at 95 %
 *                            92 %  no connection is kept that nobody waits for, none is made ahead
 *                            95 %  new requests are refused,
 *                            98 %  and new programs: of those who hold as much as the average or more
 *
 * A step that was reached ends OVERLOAD_BACK points lower. Which total leads to which steps is the table in
 * overload.c. Nobody asks for a step but through the functions below.
 */
#ifndef DAEMON_BASE_OVERLOAD_H
#define DAEMON_BASE_OVERLOAD_H

#include "daemon/base/account.h"

#define OVERLOAD_BACK    5    /* points */
#define OVERLOAD_IDLE_MS 2000 /* at most, from the step of requests on */

enum overload_step {
    OVERLOAD_NONE,
    OVERLOAD_IDLE,
    OVERLOAD_KEEP,
    OVERLOAD_REQUESTS,
    OVERLOAD_PROGRAMS,
    OVERLOAD_STEPS
};

/* Pure: how much of what users share is used, in per cent; the step that follows from it and from the one
 * before; the idle time at that level. */
unsigned overload_percent(size_t used, size_t shared);
enum overload_step overload_step(enum overload_step before, unsigned percent);
uint64_t overload_idle_at(unsigned percent, uint64_t idle_ms);

/* The total of that kind has changed. Called where that may matter only: see overload_watches(). */
void overload_look(struct accounts *all, enum account_kind kind);

/* Whether a charge is to be looked at: a step could be reached. A refund is, when one is on. */
static inline bool overload_watches(const struct accounts *all, enum account_kind kind)
{
    return all->used[kind] > all->limit_all[kind] - (all->limit_all[kind] >> 2) && !all->overload.off;
}

/* Is that step on, for whichever total? */
static inline bool overload_is(const struct accounts *all, enum overload_step step)
{
    return all->overload.active & 1u << step;
}

/* Is something new of this account refused now? Never of who may have all of a total. */
bool overload_refuses(const struct account *account, enum overload_step step);
uint64_t overload_idle_ms(const struct accounts *all, uint64_t idle_ms);

const char *
overload_name(const struct accounts *all); /* of the highest step that is on: "none", "idle", ... */
/* "memory 96%, requests 95%": those that have led to a step; "-": none has. */
void overload_causes(const struct accounts *all, char *text, size_t size);

#endif
