/* SPDX-License-Identifier: MIT */
/* overload - see overload.h. */
#include "daemon/base/overload.h"

#include "daemon/base/log.h"

#include <stdio.h>

#define STEP(name) (1u << OVERLOAD_##name)

/* What is short decides what helps: idle connections hold memory and descriptors of connections, but neither
 * requests nor programs. Who waits for a connection gets one as soon as one is free, so a lack of these is no
 * reason to refuse anything. */
static const unsigned helps[ACCOUNT_KINDS] = {
    [ACCOUNT_MEMORY] = STEP(IDLE) | STEP(KEEP) | STEP(REQUESTS) | STEP(PROGRAMS),
    [ACCOUNT_REQUESTS] = STEP(REQUESTS),
    [ACCOUNT_PEERS] = STEP(PROGRAMS),
    [ACCOUNT_CONNS] = STEP(IDLE) | STEP(KEEP),
};
static const char *const kinds[ACCOUNT_KINDS] = {
    [ACCOUNT_MEMORY] = "memory",
    [ACCOUNT_REQUESTS] = "requests",
    [ACCOUNT_PEERS] = "programs",
    [ACCOUNT_CONNS] = "connections",
};
static const struct {
    unsigned percent;
    const char *name, *text;
} steps[OVERLOAD_STEPS] = {
    [OVERLOAD_NONE] = {0, "none", "nothing is given up"},
    [OVERLOAD_IDLE] = {85, "idle", "idle connections end sooner"},
    [OVERLOAD_KEEP] = {92, "keep", "connections are not kept"},
    [OVERLOAD_REQUESTS] = {95, "requests", "requests of the users who hold most are refused"},
    [OVERLOAD_PROGRAMS] = {98, "programs", "programs of the users who hold most are refused"},
};

unsigned overload_percent(size_t used, size_t shared)
{
    if (shared == 0)
        return 0;
    return used >= shared ? 100 : (unsigned)((double)used * 100 / (double)shared);
}

enum overload_step overload_step(enum overload_step before, unsigned percent)
{
    enum overload_step step = OVERLOAD_NONE;

    for (int i = OVERLOAD_IDLE; i < OVERLOAD_STEPS; i++)
        if (percent + (i <= (int)before ? OVERLOAD_BACK : 0) >= steps[i].percent)
            step = (enum overload_step)i;
    return step;
}

uint64_t overload_idle_at(unsigned percent, uint64_t idle_ms)
{
    unsigned from = steps[OVERLOAD_IDLE].percent, to = steps[OVERLOAD_REQUESTS].percent;

    if (idle_ms <= OVERLOAD_IDLE_MS || percent <= from)
        return idle_ms;
    if (percent >= to)
        return OVERLOAD_IDLE_MS;
    return idle_ms - (idle_ms - OVERLOAD_IDLE_MS) * (percent - from) / (to - from);
}

static unsigned percent_of(const struct accounts *all, int kind)
{
    return overload_percent(all->used[kind], all->limit_all[kind] - all->limit_all[kind] / all->kept);
}

static bool leads_to(const struct accounts *all, int kind, int step)
{
    return all->overload.step[kind] >= step && helps[kind] & 1u << step;
}

static int highest(const struct accounts *all)
{
    int step = OVERLOAD_STEPS - 1;

    while (step > OVERLOAD_NONE && !overload_is(all, (enum overload_step)step))
        step--;
    return step;
}

void overload_look(struct accounts *all, enum account_kind kind)
{
    unsigned percent = percent_of(all, kind), before = all->overload.active;
    enum overload_step step = overload_step((enum overload_step)all->overload.step[kind], percent);

    if (step == all->overload.step[kind])
        return;
    all->overload.step[kind] = (uint8_t)step;
    all->overload.active = 0;
    for (int i = OVERLOAD_IDLE; i < OVERLOAD_STEPS; i++)
        for (int k = 0; k < ACCOUNT_KINDS; k++)
            all->overload.active |= leads_to(all, k, i) ? 1u << i : 0;
    if (all->overload.active > before)
        log_warning("overload: %s: %u%% of the %s that users may have is used", steps[highest(all)].text,
                    percent, kinds[kind]);
    else if (all->overload.active < before)
        log_notice("overload: %s: %u%% of the %s that users may have is used", steps[highest(all)].text,
                   percent, kinds[kind]);
}

/* Those who hold less than the average are served on: the shares have kept something for them. */
bool overload_refuses(const struct account *account, enum overload_step step)
{
    const struct accounts *all = account->all;
    size_t users = rqv_map_count(&all->map) - all->idle_count;

    if (!overload_is(all, step) || account->trusted)
        return false;
    for (int kind = 0; kind < ACCOUNT_KINDS; kind++)
        if (leads_to(all, kind, step) && account->used[kind] >= all->used[kind] / (users ? users : 1))
            return true;
    return false;
}

uint64_t overload_idle_ms(const struct accounts *all, uint64_t idle_ms)
{
    unsigned most = 0;

    if (!overload_is(all, OVERLOAD_IDLE))
        return idle_ms;
    for (int kind = 0; kind < ACCOUNT_KINDS; kind++) {
        unsigned percent = leads_to(all, kind, OVERLOAD_IDLE) ? percent_of(all, kind) : 0;
        most = percent > most ? percent : most;
    }
    return overload_idle_at(most, idle_ms);
}

const char *overload_name(const struct accounts *all)
{
    return steps[highest(all)].name;
}

void overload_causes(const struct accounts *all, char *text, size_t size)
{
    size_t len = 0;

    snprintf(text, size, "-");
    for (int kind = 0; kind < ACCOUNT_KINDS && len < size; kind++) {
        bool leads = false;
        for (int step = OVERLOAD_IDLE; step < OVERLOAD_STEPS; step++)
            leads = leads || leads_to(all, kind, step);
        if (leads)
            len += (size_t)snprintf(text + len, size - len, "%s%s %u%%", len > 0 ? ", " : "", kinds[kind],
                                    percent_of(all, kind));
    }
}
