/* SPDX-License-Identifier: MIT */
/* idle - see idle.h. */
#include "daemon/ipc/idle.h"

#include "daemon/base/log.h"
#include "daemon/ipc/ipc.h"

#include <systemd/sd-daemon.h>

#define ON_DEMAND_MS 300000 /* what "auto" is for a daemon that a program has started */

/* 0: it stays. */
static uint64_t limit_us(const struct conf *conf)
{
    uint32_t ms = conf->idle_exit_ms;

    if (ms == CONF_AUTO)
        ms = conf->on_demand ? ON_DEMAND_MS : 0;
    return (uint64_t)ms * 1000;
}

/* With a socket of the service manager's, who connects from here on waits there for the next instance. One of
 * our own goes first, and those who were in its queue come out of it: then it is made anew, and we stay. */
static void leave(struct ipc *ipc)
{
    char why[256] = "";

    if (!ipc->data.activated && listener_retire(&ipc->data)) {
        if (listener_start(&ipc->data, -1, ipc->use.conf->socket, why, sizeof why) == 0)
            return;
        log_error("idle: the socket could not be made again, so this daemon ends: %s", why);
    }
    log_put(LOG_LEVEL_NOTICE, LOG_ID_STOPPING, NULL, "stop: no program was connected for %u s",
            (unsigned)(limit_us(ipc->use.conf) / 1000000));
    sd_notify(0, "STOPPING=1\nSTATUS=Idle");
    ipc_drain(ipc);
}

static void on_idle(void *owner)
{
    struct ipc *ipc = owner;
    uint64_t limit = limit_us(ipc->use.conf), now = loop_now_us(ipc->use.loop);

    if (ipc_programs(ipc) > 0 || ipc->draining || limit == 0)
        return;
    if (now - ipc->quiet_us < limit)
        loop_timer_at(&ipc->idle, ipc->quiet_us + limit);
    else
        leave(ipc);
}

void idle_init(struct ipc *ipc)
{
    loop_timer_init(&ipc->idle, ipc->use.loop, on_idle, ipc);
}

void idle_quiet(struct ipc *ipc)
{
    uint64_t limit = limit_us(ipc->use.conf);

    ipc->quiet_us = loop_now_us(ipc->use.loop);
    if (limit > 0 && !ipc->draining)
        loop_timer_at(&ipc->idle, ipc->quiet_us + limit);
}

void idle_done(struct ipc *ipc)
{
    loop_timer_stop(&ipc->idle);
}
