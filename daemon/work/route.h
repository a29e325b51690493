/* SPDX-License-Identifier: MIT */
/* route - "host:port" of a request: where it connects to in place of its URL's host. */
#ifndef DAEMON_WORK_ROUTE_H
#define DAEMON_WORK_ROUTE_H

#include "common/err.h"
#include "common/str.h"
#include "daemon/net/dial.h"

/* Judged as the host and port of a URL are. "" is no route. 0, or REQIVO_E_URL with err filled. */
int route_parse(struct rqv_str text, struct dial_route *ret_route, struct rqv_err *err);

#endif
