/* SPDX-License-Identifier: MIT */
/* exchange_internal - what exchange.c (life and steps) and exchange_events.c (what comes back) share. */
#ifndef DAEMON_WORK_EXCHANGE_INTERNAL_H
#define DAEMON_WORK_EXCHANGE_INTERNAL_H

#include "daemon/work/exchange.h"

extern const struct lease_events exchange_lease_events;

void exchange_drive(struct exchange *x);
/* Ends it with x->err (code 0: success). The lease is released on success, else discarded. */
void exchange_finish(struct exchange *x);
/* A failure of the connection: repeated when the retry rule allows, else the end. */
void exchange_broken(struct exchange *x, const struct rqv_err *err);
void exchange_arm(struct exchange *x); /* the timer for the present step */
void exchange_progress(struct exchange *x);
uint32_t exchange_elapsed(const struct exchange *x, uint64_t since_us);

#endif
