/* SPDX-License-Identifier: MIT */
/* transfer - one URL from the typed text to the exit code; all URLs of a command share one handle and one
 * body. */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include "cli/body.h"

#include <stddef.h>

struct reqivo_client;
struct cli_options;

struct cli_session {
    const struct cli_options *options;
    const char *write_out;        /* the format itself, NULL without -w */
    struct cli_body body;         /* read once, sent with every URL */
    struct reqivo_client *client; /* opened by the first URL that needs it */
};

/* Fetches the n-th URL (from 0), reports on stderr, prints -w. The exit code. */
int cli_transfer(struct cli_session *session, size_t n);

#endif
