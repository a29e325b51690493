/* SPDX-License-Identifier: MIT */
/* sync - what the blocking calls have in common. */
#ifndef RQV_LIBCLIENT_SYNC_H
#define RQV_LIBCLIENT_SYNC_H

#include "libclient/handle.h"

/* Turns the handle until x, which was submitted as sync, is over. */
void rqv_sync_run(struct reqivo_client *client, struct rqv_exchange *x);

#endif
