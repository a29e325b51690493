/* SPDX-License-Identifier: MIT */
/* facts - what -w can tell of a transfer, gathered from its response. */
#ifndef CLI_FACTS_H
#define CLI_FACTS_H

#include "cli/writeout.h"

/* Fills what comes from the response, which may be NULL: address, times, redirects, fields, counts. The
 * caller has set what the command line says: url, url_effective (replaced when redirects were followed),
 * method, exit, sizes. */
void cli_facts_fill(struct cli_facts *facts, const struct reqivo_response *response);
void cli_facts_done(struct cli_facts *facts);

#endif
