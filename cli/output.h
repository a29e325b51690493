/* SPDX-License-Identifier: MIT */
/*
 * output - where one response's bytes go: stdout, or a file that is made with the first byte, so that a
 * failed transfer leaves an older file alone.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

struct cli_output {
    const char *path; /* NULL: stdout */
    FILE *file;       /* NULL before the first byte */
    char why[256];    /* one sentence after a failure, else "" */
};

void cli_output_init(struct cli_output *output, const char *path); /* "-" and NULL: stdout */

/* Writes and flushes: what has arrived is seen at once. 0 or -EIO. body: refuse bytes that no terminal should
 * get. */
int cli_output_head(struct cli_output *output, const char *bytes, size_t size);
int cli_output_body(struct cli_output *output, const void *bytes, size_t size);

/* Closes; make: an empty file where nothing was written (an empty body is a result too). 0 or -EIO. */
int cli_output_finish(struct cli_output *output, int make);

#endif
