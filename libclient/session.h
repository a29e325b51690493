/* SPDX-License-Identifier: MIT */
/* session - the definition behind <reqivo/session.h>: a request that is never sent holds what all of them
 * get. */
#ifndef RQV_LIBCLIENT_SESSION_H
#define RQV_LIBCLIENT_SESSION_H

#include "libclient/request.h"

#include <reqivo/session.h>
#include <stdbool.h>

struct reqivo_session {
    struct reqivo_request *pattern; /* fields, timeouts, options, hooks; its method and URL mean nothing */
    struct rqv_remote *jar;         /* its `client` is the handle, NULL after that was closed */
    bool cookies;                   /* are sent and kept */
    char *base;                     /* URL, or NULL */
    char *credentials;              /* the Authorization value, or NULL; wiped when freed */
};

#endif
