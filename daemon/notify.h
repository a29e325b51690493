/* SPDX-License-Identifier: MIT */
/*
 * notify - what the service manager hears of the daemon: ready, reloading, stopping, a line of status that
 * follows the figures, and signs of life. These come from the loop, so a loop that is stuck gives none.
 *
 *   starting --ready--> READY <--reloading/ready--> RELOADING;  --stopping--> STOPPING
 *
 * Without a service manager (no NOTIFY_SOCKET) nothing is sent and no timer runs.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "daemon/base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_EVERY_US 5000000 /* looks at the figures; twice in the watchdog's time when there is one */

/* One line about how things stand now, no more than `size` with its NUL. */
typedef void (*notify_status_fn)(void *owner, char *text, size_t size);

struct notify {
    struct loop *loop;
    struct loop_timer timer;
    bool heard; /* somebody listens */
    bool watched;
    uint64_t every_us;
    notify_status_fn status;
    void *owner;
    bool stopping;
    char told[640]; /* the last line of status */
};

void notify_start(struct notify *notify, struct loop *loop, notify_status_fn status, void *owner);
void notify_stop(struct notify *notify);
/* After the start, and again after each reload. */
void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify, uint32_t at_most_ms);

#endif
