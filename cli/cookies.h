/* SPDX-License-Identifier: MIT */
/* cookies - -b and -c: one jar for all groups of a command that name either. */
#ifndef CLI_COOKIES_H
#define CLI_COOKIES_H

#include <stdbool.h>

struct cli_options;
struct reqivo_client;
struct reqivo_session;

/* Does this group keep cookies: -c, or a -b that is no "name=value"? */
bool cli_cookies_wanted(const struct cli_options *options);

/* The texts "name=value" of -b, joined, as the value of a Cookie field; NULL in *ret_value when there is
 * none. To be freed. 0 or -ENOMEM. */
int cli_cookies_field(const struct cli_options *options, char **ret_value);

/* Makes the session whose jar it is, and reads every file of -b in all groups; one that is not there is no
 * error, and lines that are no cookies are left out with a warning. 0, or a code of the library. */
int cli_cookies_load(const struct cli_options *first, struct reqivo_client *client,
                     struct reqivo_session **ret_session);

/* Writes the files of -c, "-" being stdout. Failures are warnings, as with curl. */
void cli_cookies_save(const struct cli_options *first, struct reqivo_session *session);

#endif
