/* SPDX-License-Identifier: MIT */
/* operate_rows - what operations tell of a pool; of a connection: operation_pin_row() of operate.h. */
#ifndef DAEMON_WORK_OPERATE_ROWS_H
#define DAEMON_WORK_OPERATE_ROWS_H

#include "daemon/work/operate.h"

int operation_pool_row(const struct pool *pool, int (*send)(void *owner, const struct rqv_fields *fields),
                       void *owner);

#endif
