/* SPDX-License-Identifier: MIT */
/*
 * conf_scan - reads one file of the configuration before libconfuse does, and refuses what libconfuse would
 * take silently. Only conf.c and the tests include this.
 */
#ifndef DAEMON_BASE_CONF_SCAN_H
#define DAEMON_BASE_CONF_SCAN_H

#include <stddef.h>
#include <stdio.h>

struct conf_fault {
    int line; /* 0: of the file as a whole */
    char why[128];
};

/* Checks `text` and turns its comments into blanks, so that lines stay where they are. 0, or -EINVAL with the
 * first fault. */
int conf_scan(char *text, size_t len, struct conf_fault *ret_fault);
/* Opens what is left of the file at `path` after conf_scan, in memory. 0; -EINVAL with the fault; another
 * -errno when it cannot be read. Never waits for somebody to write: /dev/null is the only file that need not
 * be a regular one. */
int conf_scan_open(const char *path, FILE **ret_file, struct conf_fault *ret_fault);

#endif
