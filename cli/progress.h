/* SPDX-License-Identifier: MIT */
/* progress - one line on a terminal while a body goes to a file: how much has come, how fast, how long yet.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cli_progress {
    FILE *out;     /* NULL: nothing is shown */
    int64_t total; /* of the body, -1: not known */
    uint64_t received, start_ms, shown_ms;
    bool shown;
};

void cli_progress_start(struct cli_progress *progress, FILE *out, uint64_t now_ms);
/* size more bytes are there; draws at most five times a second. */
void cli_progress_add(struct cli_progress *progress, size_t size, uint64_t now_ms);
/* Draws the last line and ends it, if any was drawn. */
void cli_progress_finish(struct cli_progress *progress, uint64_t now_ms);

/* "1.5 MiB" and its like into text, which is returned. */
const char *cli_progress_size(double bytes, char text[16]);

#endif
