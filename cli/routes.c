/* SPDX-License-Identifier: MIT */
/*
 * routes - the rows as curl reads them:
 *
 *   --connect-to HOST1:PORT1:HOST2:PORT2   an empty HOST1 or PORT1 fits any, an empty HOST2 or PORT2 stays;
 *                                          the first row that fits counts
 *   --resolve [+]HOST:PORT:ADDRESS[,...]   HOST "*" fits any; the last row that fits counts, and the first
 *                                          address of it is taken
 *   --resolve -HOST:PORT                   takes back what rows before said
 *
 * The name in TLS and in Host stays the URL's.
 */
#include "cli/routes.h"

#include "cli/options.h"
#include "proto/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    char host[RQV_HOST_MAX + 1];
    unsigned port;
};

/* The part before the next ':' that stands outside of brackets, which are taken off; *rest moves behind it.
 */
static struct rqv_str part_take(const char **rest)
{
    const char *at = *rest;
    const char *end = at[0] == '[' ? strchr(at, ']') : NULL;
    struct rqv_str part;

    if (end) {
        part = (struct rqv_str){at + 1, (size_t)(end - at - 1)};
        end++;
    } else {
        end = at + strcspn(at, ":");
        part = (struct rqv_str){at, (size_t)(end - at)};
    }
    *rest = *end == ':' ? end + 1 : end;
    return part;
}

static bool host_fits(struct rqv_str row, const char *host)
{
    return rqv_str_eq_nocase(row, rqv_str_from(host));
}

static bool port_fits(struct rqv_str row, unsigned port)
{
    uint64_t value;

    return rqv_str_u64(row, &value) && value == port;
}

/* 0 or -EINVAL: the text is too long. */
static int place_set_host(struct place *place, struct rqv_str host)
{
    if (host.len > RQV_HOST_MAX)
        return -EINVAL;
    memcpy(place->host, host.ptr, host.len);
    place->host[host.len] = '\0';
    return 0;
}

static int connect_to(const struct cli_options *options, struct place *place, bool *ret_moved)
{
    for (size_t i = 0; i < options->connects.count; i++) {
        const char *rest = options->connects.items[i].text;
        struct rqv_str host = part_take(&rest);
        struct rqv_str port = part_take(&rest);
        struct rqv_str to_host = part_take(&rest);
        struct rqv_str to_port = part_take(&rest);
        uint64_t value;

        if ((host.len && !host_fits(host, place->host)) || (port.len && !port_fits(port, place->port)))
            continue;
        *ret_moved = true;
        if (rqv_str_u64(to_port, &value) && value <= UINT16_MAX)
            place->port = (unsigned)value;
        return to_host.len ? place_set_host(place, to_host) : 0;
    }
    return 0;
}

static int resolve(const struct cli_options *options, struct place *place, bool *ret_moved)
{
    struct rqv_str found = {NULL, 0};

    for (size_t i = 0; i < options->resolves.count; i++) {
        const char *rest = options->resolves.items[i].text;
        bool remove = rest[0] == '-';
        struct rqv_str host, port;

        rest += rest[0] == '-' || rest[0] == '+';
        host = part_take(&rest);
        port = part_take(&rest);
        if (!(rqv_str_eq(host, RQV_STR("*")) || host_fits(host, place->host)) ||
            !port_fits(port, place->port))
            continue;
        rest += rest[0] == '[';
        found = remove ? (struct rqv_str){NULL, 0} : (struct rqv_str){rest, strcspn(rest, ",]")};
    }
    if (!found.len)
        return 0;
    *ret_moved = true;
    return place_set_host(place, found);
}

int cli_route_find(const struct cli_options *options, const char *url, char route[CLI_ROUTE_MAX])
{
    struct rqv_url parsed;
    struct place place;
    const char *why = NULL;
    bool moved = false, six;
    int rc;

    route[0] = '\0';
    if (!(options->connects.count || options->resolves.count) ||
        rqv_url_parse(url, strlen(url), &parsed, &why) < 0)
        return 0;
    place.port = parsed.port;
    rc = place_set_host(&place, (struct rqv_str){parsed.host, parsed.host_len});
    if (rc == 0)
        rc = connect_to(options, &place, &moved);
    if (rc == 0)
        rc = resolve(options, &place, &moved);
    six = strchr(place.host, ':') != NULL;
    if (rc == 0 && moved)
        snprintf(route, CLI_ROUTE_MAX, "%s%s%s:%u", six ? "[" : "", place.host, six ? "]" : "", place.port);
    return rc;
}
