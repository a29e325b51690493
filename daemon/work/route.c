/* SPDX-License-Identifier: MIT */
/* route - see route.h. The text goes through the parser of URLs, so that there is one judge of hosts. */
#include "daemon/work/route.h"

#include "common/uninit.h"
#include "daemon/work/target.h"
#include "proto/url.h"
#include "proto/wire.h"

#include <reqivo/error.h>

#include <string.h>

#define SCHEME "http://"

static int refuse(struct rqv_err *err, const char *why)
{
    return rqv_err_set(err, REQIVO_E_URL, REQIVO_PHASE_NONE, "the route is not HOST:PORT: %s", why);
}

int route_parse(struct rqv_str text, struct dial_route *ret_route, struct rqv_err *err)
{
    char place[sizeof SCHEME + RQV_WIRE_ROUTE_MAX] RQV_UNINIT;
    struct rqv_url url RQV_UNINIT;

    if (text.len == 0)
        return 0;
    if (text.len > RQV_WIRE_ROUTE_MAX)
        return refuse(err, "it is too long");
    for (size_t i = 0; i < text.len; i++)
        if (strchr("/?#@\\", text.ptr[i]))
            return refuse(err, "there is more in it");
    memcpy(place, SCHEME, strlen(SCHEME));
    memcpy(place + strlen(SCHEME), text.ptr, text.len);
    int rc = target_url((struct rqv_str){place, strlen(SCHEME) + text.len}, &url, err);
    if (rc < 0)
        return rc;
    if (!url.port_given || url.port == 0)
        return refuse(err, "it has no port");
    if (url.addr.scope_id != 0)
        return refuse(err, "an address in it has no zone");
    memcpy(ret_route->host, url.host, url.host_len + 1);
    ret_route->port = url.port;
    ret_route->literal = url.addr;
    return 0;
}
