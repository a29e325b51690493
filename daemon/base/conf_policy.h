/* SPDX-License-Identifier: MIT */
/*
 * conf_policy - the sections with a title, partition "NAME" { } and policy "NAME" { }: their options, what
 * libconfuse has read of them made into struct policies, and the dump. Only conf.c, conf_change.c and the
 * tests include this.
 */
#ifndef DAEMON_BASE_CONF_POLICY_H
#define DAEMON_BASE_CONF_POLICY_H

#include "daemon/base/conf.h"
#include "daemon/base/conf_table.h"

#include <confuse.h>
#include <stdio.h>

/* libconfuse's table of the section's options, `set` being called for each: false at the end. */
struct conf_title_option {
    const char *name;
    bool is_list;
};
bool conf_policy_option(const char *section, size_t n, struct conf_title_option *ret_option);

/* Is that a value of the option? 0, or -EINVAL with what is wrong in `why`. Asks the user database for names.
 */
int conf_policy_check(const char *section, const char *option, const char *text, char why[CONF_WHY_MAX]);

/* All such sections of a file that has been read, into conf->policies: NULL when there are none. 0; -EINVAL
 * with a line to `errors` (NULL is fine) for each fault; -ENOMEM. */
int conf_policies_make(struct conf *conf, cfg_t *root, const char *path, FILE *errors);

void conf_policies_dump(const struct policies *policies, FILE *out);

/* One by one, policies or partitions: the title of the i-th, NULL behind the last; and the dump of the one
 * with that title, with the numbers of its users: false when there is none. `policies` may be NULL. */
const char *conf_titled_name(const struct policies *policies, bool policy, unsigned i);
bool conf_titled_dump(const struct policies *policies, bool policy, const char *name, FILE *out);

#endif
