/* SPDX-License-Identifier: MIT */
/* jar_internal - between jar.c, which keeps cookies, and jar_domain.c, which says whose they are. */
#ifndef DAEMON_WORK_JAR_INTERNAL_H
#define DAEMON_WORK_JAR_INTERNAL_H

#include "daemon/work/jar.h"

/* The registrable domain of a host, a view into the place; the host itself where it has none. */
struct jar_site_view {
    struct rqv_str name;
    bool is_suffix; /* the host is its own site: nothing below it counts */
};
struct jar_site_view jar_site_of(const struct psl_ctx_st *suffixes, const struct jar_place *place);

/* Sets the cookie's domain and host_only: a view into the place or into `lower`. 0, -EINVAL and *ret_why. */
int jar_settle_domain(struct rqv_cookie *cookie, const struct jar_place *place,
                      const struct jar_site_view *site, char lower[RQV_HOST_MAX + 1], const char **ret_why);

/* The host that a line of a cookie file names, as a URL would have it. 0, -EINVAL and *ret_why. */
int jar_place_of_line(struct jar_place *place, struct rqv_str domain, const char **ret_why);

#endif
