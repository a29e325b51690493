/* SPDX-License-Identifier: MIT */
/* transfer - one URL from the typed text to the exit code; all URLs of a command share one handle and one
 * jar of cookies, those of a group one body. */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include "cli/body.h"

#include <stddef.h>

struct reqivo_client;
struct reqivo_session;
struct cli_options;

/* The whole command. */
struct cli_command {
    const struct cli_options *first;
    struct reqivo_client *client;   /* opened by the first URL that needs it */
    struct reqivo_session *session; /* the jar, made by the first group that keeps cookies */
};

/* What stands between two --next. */
struct cli_group {
    struct cli_command *command;
    const struct cli_options *options;
    const char *write_out; /* the format itself, NULL without -w */
    struct cli_body body;  /* of -d: read once, sent with every URL */
};

/* Fetches the n-th URL (from 0), reports on stderr, prints -w. The exit code. */
int cli_transfer(struct cli_group *group, size_t n);

#endif
