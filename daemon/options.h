/* SPDX-License-Identifier: MIT */
/*
 * options - the command line of reqivod, and which instance it makes: the system service, or one user's own.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include "daemon/base/conf.h"

#include <stdbool.h>
#include <stdio.h>

enum options_verb { OPTIONS_RUN, OPTIONS_CHECK_CONFIG, OPTIONS_DUMP_CONFIG, OPTIONS_VERSION, OPTIONS_HELP };

struct options {
    enum options_verb verb;
    const char *socket, *control; /* views into argv; NULL when not given */
    const char *config;
    const char *explain;
    bool system;    /* the system service, wherever it listens, with all of its self-checks */
    bool on_demand; /* libreqivo-client has started us */
};

/* 0, or -EINVAL with one line that says what is wrong written to `errors`. */
int options_parse(int argc, char *const argv[], struct options *ret_options, FILE *errors);

void options_print_help(FILE *out);
void options_print_version(FILE *out); /* "reqivod X", then one line a library: as linked now, not as built */

/*
 * The settings of this run: defaults, then the file, then the command line. The file is the one of --config,
 * which must exist, else the instance's own if there is one. 0; -EINVAL (errors written); -errno when a file
 * that must be there cannot be read (a line is written).
 */
int options_make_conf(const struct options *options, struct conf *ret_conf, FILE *errors);

#endif
