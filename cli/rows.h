/* SPDX-License-Identifier: MIT */
/*
 * rows - the daemon's answer to a query: rows of name/value pairs, copied as they come, printed as lines
 * ("name  value"), as a table with one column per name, or as JSON. Control bytes never reach the terminal.
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct rows_pair {
    char *name, *value;
};

struct rows_row {
    struct rows_pair *pairs;
    size_t count;
    size_t number; /* as it came */
};

struct rows {
    struct rows_row *items;
    size_t count;
    bool no_memory; /* a row was lost */
};

/* A reqivo_row_fn; userdata is the struct rows. */
void rows_add(size_t count, const char *const names[], const char *const values[], void *userdata);
/* Adds a pair to the one row, which is made first. */
void rows_join(struct rows *rows, const char *name, const char *value);
void rows_done(struct rows *rows);

/* By the values of one column, as numbers where both are, else as texts; equal ones stay as they were. */
void rows_sort(struct rows *rows, const char *column, bool descending);

void rows_print_lines(const struct rows *rows, FILE *out);
void rows_print_values(const struct rows *rows, size_t from, FILE *out); /* of rows that are lines of text */
void rows_print_table(const struct rows *rows,
                      FILE *out); /* columns in the order of their first appearance */

/* one: the first row as an object, else all as an array of objects. Whole numbers become numbers. 0 or
 * -ENOMEM, -EIO. */
int rows_print_json(const struct rows *rows, bool one, FILE *out);

bool rows_is_number(const char *value); /* -?[0-9]{1,15}, without leading zeros */

#endif
