/* SPDX-License-Identifier: MIT */
/* start - whether a daemon of one's own is started where none answers: only when that was asked for. */
#ifndef CLI_START_H
#define CLI_START_H

#include <reqivo/client.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* For reqivo_open_flags(): --start was given, or REQIVO_START=1 stands in the environment. */
static inline unsigned cli_open_flags(bool start)
{
    const char *value = secure_getenv("REQIVO_START");

    return start || (value && strcmp(value, "1") == 0) ? REQIVO_OPEN_START : 0;
}

#endif
