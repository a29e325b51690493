/* SPDX-License-Identifier: MIT */
/* rows - collecting, and the two forms for people. */
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>

/* A copy whose control bytes are '?': values hold host names that strangers chose. */
static char *copy_printable(const char *text)
{
    char *copy = strdup(text);

    for (char *at = copy; at && *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return copy;
}

static void row_done(struct rows_row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        free(row->pairs[i].name);
        free(row->pairs[i].value);
    }
    free(row->pairs);
}

void rows_add(size_t count, const char *const names[], const char *const values[], void *userdata)
{
    struct rows *rows = userdata;
    struct rows_row row = {
        .pairs = calloc(count ? count : 1, sizeof(*row.pairs)), .count = count, .number = rows->count};
    struct rows_row *items = realloc(rows->items, (rows->count + 1) * sizeof(*items));
    bool whole = row.pairs && items;

    if (items)
        rows->items = items;
    if (!row.pairs)
        row.count = 0;
    for (size_t i = 0; i < row.count; i++) {
        row.pairs[i].name = copy_printable(names[i]);
        row.pairs[i].value = copy_printable(values[i]);
        whole = whole && row.pairs[i].name && row.pairs[i].value;
    }
    if (whole) {
        rows->items[rows->count++] = row;
        return;
    }
    row_done(&row);
    rows->no_memory = true;
}

void rows_join(struct rows *rows, const char *name, const char *value)
{
    if (rows->count == 0)
        rows_add(0, NULL, NULL, rows);
    if (rows->count == 0)
        return;
    struct rows_row *row = &rows->items[0];
    struct rows_pair *pairs = realloc(row->pairs, (row->count + 1) * sizeof(*pairs));
    struct rows_pair pair = {copy_printable(name), copy_printable(value)};
    if (pairs)
        row->pairs = pairs;
    if (pairs && pair.name && pair.value) {
        row->pairs[row->count++] = pair;
        return;
    }
    free(pair.name);
    free(pair.value);
    rows->no_memory = true;
}

void rows_done(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        row_done(&rows->items[i]);
    free(rows->items);
    *rows = (struct rows){0};
}

bool rows_is_number(const char *value)
{
    size_t len;

    if (*value == '-')
        value++;
    len = strspn(value, "0123456789");
    return len > 0 && len <= 15 && value[len] == '\0' && (value[0] != '0' || len == 1);
}

void rows_print_lines(const struct rows *rows, FILE *out)
{
    int width = 0;

    for (size_t r = 0; r < rows->count; r++)
        for (size_t i = 0; i < rows->items[r].count; i++) {
            int len = (int)strlen(rows->items[r].pairs[i].name);

            width = len > width ? len : width;
        }
    for (size_t r = 0; r < rows->count; r++) {
        if (r)
            fputc('\n', out);
        for (size_t i = 0; i < rows->items[r].count; i++)
            fprintf(out, "%-*s  %s\n", width, rows->items[r].pairs[i].name, rows->items[r].pairs[i].value);
    }
}

void rows_print_values(const struct rows *rows, size_t from, FILE *out)
{
    for (size_t r = from; r < rows->count; r++)
        for (size_t i = 0; i < rows->items[r].count; i++)
            fprintf(out, "%s\n", rows->items[r].pairs[i].value);
}

static const char *row_value(const struct rows_row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->pairs[i].name, name) == 0)
            return row->pairs[i].value;
    return "-";
}

struct order {
    const char *column;
    bool descending;
};

static int compare(const void *a, const void *b, void *argument)
{
    const struct order *order = argument;
    const struct rows_row *x = a, *y = b;
    const char *left = row_value(x, order->column), *right = row_value(y, order->column);
    int rc = strcmp(left, right);

    if (rows_is_number(left) && rows_is_number(right)) {
        long long l = strtoll(left, NULL, 10), r = strtoll(right, NULL, 10);
        rc = (l > r) - (l < r);
    }
    if (rc == 0)
        return (x->number > y->number) - (x->number < y->number);
    return order->descending ? -rc : rc;
}

void rows_sort(struct rows *rows, const char *column, bool descending)
{
    struct order order = {column, descending};

    if (rows->count)
        qsort_r(rows->items, rows->count, sizeof(*rows->items), compare, &order);
}

/* The names of all rows, each once; NULL when there is no memory. */
static const char **columns_find(const struct rows *rows, size_t *ret_count)
{
    const char **names = NULL;
    size_t count = 0;

    for (size_t r = 0; r < rows->count; r++)
        for (size_t i = 0; i < rows->items[r].count; i++) {
            const char *name = rows->items[r].pairs[i].name;
            size_t at = 0;
            const char **more;

            while (at < count && strcmp(names[at], name) != 0)
                at++;
            if (at < count)
                continue;
            more = realloc(names, (count + 1) * sizeof(*names));
            if (!more) {
                free(names);
                return NULL;
            }
            names = more;
            names[count++] = name;
        }
    *ret_count = count;
    return names;
}

/* Prints one column's cells' width; numbers[] says whether it is aligned to the right. */
static int column_width(const struct rows *rows, const char *name, bool *ret_numbers)
{
    size_t width = strlen(name);
    bool numbers = true;

    for (size_t r = 0; r < rows->count; r++) {
        const char *value = row_value(&rows->items[r], name);

        width = strlen(value) > width ? strlen(value) : width;
        numbers = numbers && (rows_is_number(value) || strcmp(value, "-") == 0);
    }
    *ret_numbers = numbers;
    return (int)width;
}

static void cell_print(const char *text, int width, bool last, FILE *out)
{
    if (last && width < 0)
        fprintf(out, "%s\n", text);
    else
        fprintf(out, "%*s%s", width, text, last ? "\n" : "  ");
}

void rows_print_table(const struct rows *rows, FILE *out)
{
    size_t count = 0;
    const char **names = columns_find(rows, &count);
    int *widths = calloc(count ? count : 1, sizeof(*widths));

    if (names && widths) {
        for (size_t i = 0; i < count; i++) {
            bool numbers = false;
            int width = column_width(rows, names[i], &numbers);

            widths[i] = numbers ? width : -width; /* printf: negative is left */
            cell_print(names[i], widths[i], i + 1 == count, out);
        }
        for (size_t r = 0; r < rows->count; r++)
            for (size_t i = 0; i < count; i++)
                cell_print(row_value(&rows->items[r], names[i]), widths[i], i + 1 == count, out);
    }
    free(names);
    free(widths);
}
