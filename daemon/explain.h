/* SPDX-License-Identifier: MIT */
/* explain - which rule of the policy decides about one request: reqivod --explain "USER METHOD URL". */
#ifndef DAEMON_EXPLAIN_H
#define DAEMON_EXPLAIN_H

#include "daemon/base/conf.h"

/* Prints the answer. The exit status: 0 allowed, 1 refused, EX_USAGE after one line on standard error. */
int explain(const struct conf *conf, const char *question);

#endif
