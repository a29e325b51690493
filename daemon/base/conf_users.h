/* SPDX-License-Identifier: MIT */
/*
 * conf_users - names of users and groups to numbers, by the user database of the host (NSS). It may ask a
 * server and wait for it, so it is asked when the configuration is read and never later.
 */
#ifndef DAEMON_BASE_CONF_USERS_H
#define DAEMON_BASE_CONF_USERS_H

#include "daemon/base/policies.h"

#include <stdint.h>

/* A name or a number. 0, or -EINVAL when there is none of that name. */
int conf_user_parse(const char *text, uint32_t *ret_uid);
int conf_group_parse(const char *text, uint32_t *ret_gid);

/* Fills policies->users from what its sections name: a user has the first policy in the file that names him.
 * twice() hears of each who is in a second partition. 0, -ENOMEM, -E2BIG for more than POLICIES_USERS. */
typedef void conf_twice_fn(void *owner, uid_t uid, unsigned one, unsigned two);
int conf_users_resolve(struct policies *policies, conf_twice_fn *twice, void *owner);

#endif
