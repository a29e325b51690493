/* SPDX-License-Identifier: MIT */
/* notify - sd_notify(3). */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define STOP_SLACK_US 5000000 /* after the drain, for what is left to be ended and written */

/* `state` is what changes with it; "" when only the figures do. A line that was told is not told again. */
static void tell(struct notify *notify, const char *state)
{
    char line[sizeof notify->told] = "";

    if (!notify->heard)
        return;
    notify->status(notify->owner, line, sizeof line);
    bool same = strcmp(line, notify->told) == 0;
    if (same && !*state)
        return;
    memcpy(notify->told, line, sizeof line);
    sd_notifyf(0, "%s\nSTATUS=%s", state, line);
}

static void on_time(void *owner)
{
    struct notify *notify = owner;

    tell(notify, notify->watched ? "WATCHDOG=1" : "");
    loop_timer_at(&notify->timer, loop_now_us(notify->loop) + notify->every_us);
}

void notify_start(struct notify *notify, struct loop *loop, notify_status_fn status, void *owner)
{
    uint64_t limit_us = 0;

    memset(notify, 0, sizeof *notify);
    notify->loop = loop;
    notify->status = status;
    notify->owner = owner;
    notify->heard = getenv("NOTIFY_SOCKET") != NULL;
    loop_timer_init(&notify->timer, loop, on_time, notify);
    if (!notify->heard)
        return;
    notify->watched = sd_watchdog_enabled(0, &limit_us) > 0 && limit_us > 1;
    notify->every_us = notify->watched ? limit_us / 2 : NOTIFY_EVERY_US;
    if (notify->watched)
        sd_notify(0, "WATCHDOG=1");
    loop_timer_at(&notify->timer, loop_now_us(loop) + notify->every_us);
}

void notify_stop(struct notify *notify)
{
    loop_timer_stop(&notify->timer);
}

void notify_ready(struct notify *notify)
{
    if (!notify->stopping)
        tell(notify, "READY=1");
}

/* With the time, as later service managers want it (Type=notify-reload). */
void notify_reloading(struct notify *notify)
{
    struct timespec now;
    char state[64];

    if (notify->stopping)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    tell(notify, state);
}

/* A drain may be set to last longer than the unit's TimeoutStopSec. */
void notify_stopping(struct notify *notify, uint32_t at_most_ms)
{
    char state[64];

    notify->stopping = true;
    snprintf(state, sizeof state, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
             (uint64_t)at_most_ms * 1000 + STOP_SLACK_US);
    tell(notify, state);
}
