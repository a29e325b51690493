/* SPDX-License-Identifier: MIT */
/* verbose - what -v shows on stderr: "> " for what is sent, "< " for what came, "* " for what happened. */
#ifndef CLI_VERBOSE_H
#define CLI_VERBOSE_H

#include <reqivo/client.h>

struct cli_request_params;

void cli_verbose_request(const struct reqivo_client *client, const struct cli_request_params *params);
void cli_verbose_head(const struct reqivo_client *client, const struct reqivo_response *response);
void cli_verbose_end(const struct reqivo_response *response);

#endif
