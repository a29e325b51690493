/* SPDX-License-Identifier: MIT */
/* conf_change - the settings of a reload against those in force. */
#ifndef DAEMON_BASE_CONF_CHANGE_H
#define DAEMON_BASE_CONF_CHANGE_H

#include "daemon/base/conf.h"

/* `name`: section.option, or a section with its title as in: policy "web". */
enum conf_change {
    CONF_CHANGED,
    CONF_FIXED, /* it is bound to the start, so the value in force stays */
    CONF_ADDED, /* sections with a title */
    CONF_REMOVED
};
typedef void (*conf_change_fn)(void *owner, const char *name, enum conf_change change);

/* Makes `fresh`, which was just read, the successor of `old`: fn runs for each setting that differs, what
 * cannot change at run time is taken over, and a change of what may be reached counts in policy_generation.
 */
void conf_succeed(struct conf *fresh, const struct conf *old, conf_change_fn fn, void *owner);

#endif
