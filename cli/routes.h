/* SPDX-License-Identifier: MIT */
/* routes - where a URL is connected to in place of its host: --connect-to, then --resolve. Pure. */
#ifndef CLI_ROUTES_H
#define CLI_ROUTES_H

#include <stddef.h>

struct cli_options;

#define CLI_ROUTE_MAX 512

/* Writes "host:port" into route, "" when the URL goes where it says. 0, or -EINVAL for a text that does not
 * fit. A malformed URL has no route. */
int cli_route_find(const struct cli_options *options, const char *url, char route[CLI_ROUTE_MAX]);

#endif
