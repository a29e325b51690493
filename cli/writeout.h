/* SPDX-License-Identifier: MIT */
/*
 * writeout - the text of -w: "%{name}" gives a fact of the transfer, "%%" a percent sign, "\n" "\r" "\t" what
 * they say,
 * "%{stderr}" and "%{stdout}" choose where the rest goes. Everything else is printed as it stands.
 */
#ifndef CLI_WRITEOUT_H
#define CLI_WRITEOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Times count from the start of the transfer, as curl's; 0 for what was not reached or not needed. */
struct cli_facts {
    const char *url;           /* as typed */
    const char *url_effective; /* as asked */
    const char *method;
    const char *content_type; /* NULL when none */
    const char *errormsg;     /* NULL when none */
    const char *filename;     /* of -o, NULL for stdout */
    char remote_ip[64];
    unsigned remote_port;
    int status, minor; /* 0: no head came */
    int exitcode;
    unsigned num_connects;
    size_t num_headers, urlnum;
    uint64_t size_download;
    uint64_t namelookup_us, connect_us, appconnect_us, pretransfer_us, starttransfer_us, total_us;
    uint64_t queue_us;
    bool https, reused, retried;
};

/* An unknown name is reported on err and skipped, as curl does. */
void cli_writeout(const char *format, const struct cli_facts *facts, FILE *out, FILE *err);

#endif
