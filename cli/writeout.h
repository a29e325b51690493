/* SPDX-License-Identifier: MIT */
/*
 * writeout - the text of -w: "%{name}" gives a fact of the transfer, "%header{name}" a field of the response,
 * "%{json}" all facts, "%{header_json}" all fields, "%%" a percent sign, "\n" "\r" "\t" what they say,
 * "%{stderr}" and "%{stdout}" choose where the rest goes, "%{onerror}" ends the text after a success.
 * Everything else is printed as it stands.
 */
#ifndef CLI_WRITEOUT_H
#define CLI_WRITEOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct reqivo_response;

/* Times count from the start of the transfer, as curl's; 0 for what was not reached or not needed. */
struct cli_facts {
    const struct reqivo_response *response; /* whose fields may be asked for; may be NULL */
    const char *url;                        /* as typed */
    const char *url_effective;              /* as asked in the end */
    const char *method;
    const char *content_type; /* NULL when none */
    const char *errormsg;     /* NULL when none */
    const char *filename;     /* of -o, NULL for stdout */
    const char *referer;      /* NULL when none */
    char *redirect_url;       /* of a redirect that was not followed, NULL when none */
    char remote_ip[64];
    unsigned remote_port;
    int status, minor; /* 0: no head came */
    int exitcode;
    unsigned num_connects;
    size_t num_headers, num_redirects, urlnum;
    uint64_t size_download, size_header, size_upload;
    uint64_t namelookup_us, connect_us, appconnect_us, pretransfer_us, starttransfer_us, total_us;
    uint64_t queue_us, redirect_us;
    bool https, reused, retried, verify_failed;
};

/* An unknown name is reported on err and skipped, as curl does. */
void cli_writeout(const char *format, const struct cli_facts *facts, FILE *out, FILE *err);

#endif
