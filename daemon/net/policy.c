/* SPDX-License-Identifier: MIT */
/*
 * policy - the judgement over one address, in the order of policy.h:
 *
 *   deny list -> allow list -> zones refused always -> loopback -> private -> open
 *
 * An IPv6 form that carries an IPv4 address (v4-mapped, NAT64) is also judged as that: an entry
 * for 10.0.0.0/8 names
 * ::ffff:10.0.0.1 and 64:ff9b::a00:1 too (security.md B10-6; rqv_net_contains).
 */
#include "daemon/net/policy.h"

#include <reqivo/error.h>
#include <string.h>
#include <unistd.h>

static bool listed(const struct rqv_net *nets, unsigned count, const struct rqv_addr *addr)
{
    for (unsigned i = 0; i < count; i++) {
        if (rqv_net_contains(&nets[i], addr))
            return true;
    }
    return false;
}

static bool loopback_open(const struct conf *conf, uid_t uid)
{
    for (unsigned i = 0; i < conf->loopback_uid_count; i++) {
        if (conf->loopback_uids[i] == uid)
            return true;
    }
    if (conf->loopback >= 0)
        return conf->loopback == 1;
    return conf->user_instance;
}

/* The text for a zone that is refused always, NULL for the three others. */
static const char *always_refused(enum rqv_zone zone)
{
    switch (zone) {
    case RQV_ZONE_LINK_LOCAL:
        return "address_policy: link-local addresses are refused unless address_policy.allow names them";
    case RQV_ZONE_METADATA:
        return "address_policy: cloud metadata addresses are refused unless address_policy.allow names them";
    case RQV_ZONE_MULTICAST:
        return "address_policy: multicast addresses are refused unless address_policy.allow names them";
    case RQV_ZONE_UNSPECIFIED:
        return "address_policy: the unspecified address is refused unless address_policy.allow names it";
    case RQV_ZONE_RESERVED:
        return "address_policy: reserved addresses are refused unless address_policy.allow names them";
    case RQV_ZONE_PUBLIC:
    case RQV_ZONE_PRIVATE:
    case RQV_ZONE_LOOPBACK:
        break;
    }
    return NULL;
}

static int refuse(const char *rule, const char **ret_rule)
{
    if (ret_rule)
        *ret_rule = rule;
    return REQIVO_E_ADDRESS_DENIED;
}

int policy_check_address(const struct conf *conf, uid_t uid, const struct rqv_addr *addr,
                         const char **ret_rule)
{
    enum rqv_zone zone = rqv_addr_zone(addr);
    const char *rule;

    if (listed(conf->deny, conf->deny_count, addr))
        return refuse("address_policy.deny names this address", ret_rule);
    if (listed(conf->allow, conf->allow_count, addr))
        return 0;
    rule = always_refused(zone);
    if (rule)
        return refuse(rule, ret_rule);
    if (zone == RQV_ZONE_LOOPBACK && !loopback_open(conf, uid))
        return refuse("address_policy.loopback refuses loopback addresses to this user", ret_rule);
    if (zone == RQV_ZONE_PRIVATE && !conf->private_open)
        return refuse("address_policy.private refuses private addresses", ret_rule);
    return 0;
}

/* A datagram socket "connected" to an address of this very host gets that address as its source, and nothing
 * is sent. */
bool policy_address_is_own(const struct rqv_addr *addr)
{
    struct sockaddr_storage sa;
    struct rqv_addr probe = *addr, source;
    socklen_t len;
    bool own = false;
    int fd;

    if (!probe.port)
        probe.port = 9;
    len = rqv_addr_to_sockaddr(&probe, &sa);
    fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&sa, len) == 0) {
        len = sizeof(sa);
        if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
            rqv_addr_from_sockaddr((const struct sockaddr *)&sa, len, &source))
            own =
                source.family == addr->family && memcmp(source.bytes, addr->bytes, sizeof(source.bytes)) == 0;
    }
    close(fd);
    return own;
}

int policy_check_dial(const struct conf *conf, uid_t uid, const struct rqv_addr *addr, const char **ret_rule)
{
    int code = policy_check_address(conf, uid, addr, ret_rule);

    if (code || loopback_open(conf, uid) || listed(conf->allow, conf->allow_count, addr))
        return code;
    if (policy_address_is_own(addr))
        return refuse("address_policy.loopback refuses this host's own addresses to this user", ret_rule);
    return 0;
}

int policy_check_redirect(const struct conf *conf, uid_t uid, const struct rqv_addr *addr,
                          const char **ret_rule)
{
    if (rqv_addr_zone(addr) == RQV_ZONE_PUBLIC && !policy_address_is_own(addr))
        return policy_check_address(conf, uid, addr, ret_rule);
    *ret_rule = "a redirect from a public address leads to one that is not";
    return REQIVO_E_REDIRECT_DENIED;
}

bool policy_insecure_allowed(const struct conf *conf)
{
    if (conf->insecure >= 0)
        return conf->insecure == 1;
    return conf->user_instance;
}

uint32_t policy_zones(const struct conf *conf, uid_t uid)
{
    uint32_t zones = 1u << RQV_ZONE_PUBLIC;

    if (conf->private_open)
        zones |= 1u << RQV_ZONE_PRIVATE;
    if (loopback_open(conf, uid))
        zones |= 1u << RQV_ZONE_LOOPBACK;
    for (unsigned i = 0; i < conf->allow_count; i++)
        zones |= 1u << rqv_addr_zone(&conf->allow[i].base);
    return zones;
}
