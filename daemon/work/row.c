/* SPDX-License-Identifier: MIT */
/* row - see row.h. */
#include "daemon/work/row.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void row_init(struct row *row)
{
    row->fields.count = 0;
    row->used = 0;
}

void row_view(struct row *row, const char *name, struct rqv_str value)
{
    (void)rqv_fields_add(&row->fields, rqv_str_from(name), value);
}

void row_add(struct row *row, const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(row->text + row->used, ROW_TEXT - row->used, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= ROW_TEXT - row->used)
        return;
    row_view(row, name, (struct rqv_str){row->text + row->used, (size_t)n});
    row->used += (size_t)n;
}

void row_count(struct row *row, const char *name, uint64_t value)
{
    row_add(row, name, "%" PRIu64, value);
}

void row_origin(struct row *row, const char *scheme, const char *host, uint16_t port)
{
    bool v6 = strchr(host, ':') != NULL;

    row_add(row, "origin", "%s://%s%s%s:%u", scheme, v6 ? "[" : "", host, v6 ? "]" : "", (unsigned)port);
}
