/* SPDX-License-Identifier: MIT */
/*
 * fields - the fields of one request as curl would send them: Host when given, Authorization, Range,
 * User-Agent, Accept, Accept-Encoding, Referer, Cookie, those of -H in order, then Content-Type and Accept of
 * --json, or Content-Type of a form. -H replaces, removes ("Name:") or empties ("Name;") any of them. Pure.
 */
#ifndef CLI_FIELDS_H
#define CLI_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_EXPECT_SIZE 1048576u /* curl asks before it sends a body larger than this */

struct cli_options;

struct cli_field {
    char *name; /* one block with the value */
    const char *value;
};

struct cli_fields {
    struct cli_field *items;
    size_t count;
    bool expect_asked;   /* -H 'Expect: 100-continue': the daemon writes it */
    bool expect_refused; /* -H 'Expect:' */
    bool fresh;          /* -H 'Connection: close': on a connection that has not served before */
};

/* What -H says: "Name: value", "Name:" or "Name;"; anything else is no field and is skipped with a warning,
 * as curl does. */
enum cli_field_kind { CLI_FIELD_SET, CLI_FIELD_REMOVE, CLI_FIELD_EMPTY, CLI_FIELD_NONE };
struct cli_field_text {
    const char *name, *value;
    size_t name_len, value_len;
};
enum cli_field_kind cli_field_split(const char *text, struct cli_field_text *ret_text);

/* What the fields are made of besides the options; each may be NULL. */
struct cli_field_values {
    const char *authorization;
    const char *cookie;
};

/* -H "@file": each line of the file that is not empty takes its place. A file that cannot be read is left out
 * with a warning, as with curl. 0 or -ENOMEM. */
int cli_fields_read(struct cli_options *options);

/* 0 or -ENOMEM; done in every case, it wipes. */
int cli_fields_build(const struct cli_options *options, const struct cli_field_values *values,
                     struct cli_fields *ret_fields);
void cli_fields_done(struct cli_fields *fields);

bool cli_referer_auto(
    const struct cli_options *options); /* -e "...;auto": each redirect names the URL before it */

#endif
