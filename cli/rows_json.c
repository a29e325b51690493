/* SPDX-License-Identifier: MIT */
/* rows_json - the form for programs. */
#include "cli/rows.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

static json_t *row_json(const struct rows_row *row)
{
    json_t *object = json_object();

    for (size_t i = 0; object && i < row->count; i++) {
        const struct rows_pair *pair = &row->pairs[i];
        json_t *value = rows_is_number(pair->value) ? json_integer(strtoll(pair->value, NULL, 10))
                                                    : json_string(pair->value);

        if (!value) /* not UTF-8 */
            value = json_null();
        if (json_object_set_new(object, pair->name, value) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

int rows_print_json(const struct rows *rows, bool one, FILE *out)
{
    json_t *root = one && rows->count ? row_json(&rows->items[0]) : (one ? json_object() : json_array());
    int rc = root ? 0 : -ENOMEM;

    for (size_t r = 0; rc == 0 && !one && r < rows->count; r++) {
        json_t *object = row_json(&rows->items[r]);

        if (!object || json_array_append_new(root, object) < 0)
            rc = -ENOMEM;
    }
    if (rc == 0 && json_dumpf(root, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) < 0)
        rc = -EIO;
    if (rc == 0)
        fputc('\n', out);
    json_decref(root);
    return rc;
}
