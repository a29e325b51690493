/* SPDX-License-Identifier: MIT */
/* row - the fields of one INFO frame while they are gathered. What does not fit is left out. */
#ifndef DAEMON_WORK_ROW_H
#define DAEMON_WORK_ROW_H

#include "common/str.h"
#include "proto/fields.h"

#include <stddef.h>
#include <stdint.h>

#define ROW_TEXT 2048 /* of the values that are written here */

struct row {
    struct rqv_fields fields;
    char text[ROW_TEXT];
    size_t used;
};

void row_init(struct row *row); /* again for the next one */
void row_add(struct row *row, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void row_count(struct row *row, const char *name, uint64_t value);
void row_view(struct row *row, const char *name, struct rqv_str value); /* not copied */
void row_origin(struct row *row, const char *scheme, const char *host, uint16_t port);

#endif
