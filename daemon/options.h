/* SPDX-License-Identifier: MIT */
/*
 * options - the command line of reqivod, and which instance it makes: the system service, or one user's own.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include "daemon/base/conf.h"

#include <limits.h>
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
    /* options_settle() */
    const char *file; /* the configuration; NULL when there is none to look for */
    char default_file[PATH_MAX];
    bool file_needed;                                    /* it must be there */
    char own_socket[sizeof(((struct conf *)0)->socket)]; /* of this user; "" */
};

/* 0, or -EINVAL with one line that says what is wrong written to `errors`. */
int options_parse(int argc, char *const argv[], struct options *ret_options, FILE *errors);

void options_print_help(FILE *out);
void options_print_version(FILE *out); /* "reqivod X", then one line a library: as linked now, not as built */

/* Takes from the environment what it decides: the file of --config, which must exist, else the instance's own
 * if there is one; and the user's own socket. Once, at start. A file that is there now has to be there at
 * each reload as well. */
void options_settle(struct options *options);

/*
 * The settings of this run: defaults, then the file, then the command line. 0; -EINVAL (errors written);
 * -errno when a file that must be there cannot be read (a line is written). Any thread, one at a time.
 */
int options_make_conf(const struct options *options, struct conf *ret_conf, FILE *errors);

#endif
