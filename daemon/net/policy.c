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
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The entry that names the address; its number counts from 1, 0 is none. */
static unsigned listed(const struct rqv_net *nets, unsigned count, const struct rqv_addr *addr)
{
    for (unsigned i = 0; i < count; i++) {
        if (rqv_net_contains(&nets[i], addr))
            return i + 1;
    }
    return 0;
}

static bool is_allowed(const struct conf *conf, const struct policy *policy, const struct rqv_addr *addr)
{
    return (policy && listed(policy->allow_addresses.at, policy->allow_addresses.count, addr)) ||
           listed(conf->allow, conf->allow_count, addr);
}

static bool loopback_open(const struct conf *conf, const struct account *account)
{
    if (account->policy && account->policy->loopback >= 0)
        return account->policy->loopback == 1;
    for (unsigned i = 0; i < conf->loopback_uid_count; i++) {
        if (conf->loopback_uids[i] == account->uid)
            return true;
    }
    if (conf->loopback >= 0)
        return conf->loopback == 1;
    return conf->user_instance;
}

static bool private_open(const struct conf *conf, const struct policy *policy)
{
    return policy && policy->private_ranges >= 0 ? policy->private_ranges == 1 : conf->private_open;
}

/* What the zones that are refused always are called; NULL for the three others. */
static const char *always_refused(enum rqv_zone zone)
{
    switch (zone) {
    case RQV_ZONE_LINK_LOCAL:
        return "link-local addresses are";
    case RQV_ZONE_METADATA:
        return "cloud metadata addresses are";
    case RQV_ZONE_MULTICAST:
        return "multicast addresses are";
    case RQV_ZONE_UNSPECIFIED:
        return "the unspecified address is";
    case RQV_ZONE_RESERVED:
        return "reserved addresses are";
    case RQV_ZONE_PUBLIC:
    case RQV_ZONE_PRIVATE:
    case RQV_ZONE_LOOPBACK:
        break;
    }
    return NULL;
}

static int refuse(char why[POLICY_WHY_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(char why[POLICY_WHY_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, POLICY_WHY_MAX, format, args);
    va_end(args);
    return REQIVO_E_ADDRESS_DENIED;
}

/* By one of the two lists of refusals. */
static int check_denied(const struct conf *conf, const struct policy *policy, const struct rqv_addr *addr,
                        char why[POLICY_WHY_MAX])
{
    unsigned n = policy ? listed(policy->deny_addresses.at, policy->deny_addresses.count, addr) : 0;

    if (n)
        return refuse(why, "refused by policy \"%s\": deny_addresses[%u]", policy->name, n);
    n = listed(conf->deny, conf->deny_count, addr);
    return n ? refuse(why, "refused by address_policy.deny[%u]", n) : 0;
}

/* `option` refuses: in the policy if it says anything about it, else in address_policy. */
static int refuse_zone(const struct policy *policy, int8_t own, const char *option, const char *what,
                       char why[POLICY_WHY_MAX])
{
    if (policy && own >= 0)
        return refuse(why, "policy \"%s\": %s refuses %s", policy->name, option, what);
    return refuse(why, "address_policy.%s refuses %s", option, what);
}

int policy_check_address(const struct conf *conf, const struct account *account, const struct rqv_addr *addr,
                         char why[POLICY_WHY_MAX])
{
    const struct policy *policy = account->policy;
    enum rqv_zone zone = rqv_addr_zone(addr);
    const char *what = always_refused(zone);
    int rc = check_denied(conf, policy, addr, why);

    if (rc < 0 || is_allowed(conf, policy, addr))
        return rc;
    if (what)
        return refuse(why, "address_policy: %s refused unless address_policy.allow names them", what);
    if (zone == RQV_ZONE_LOOPBACK && !loopback_open(conf, account))
        return refuse_zone(policy, policy ? policy->loopback : -1, "loopback",
                           "loopback addresses to this user", why);
    if (zone == RQV_ZONE_PRIVATE && !private_open(conf, policy))
        return refuse_zone(policy, policy ? policy->private_ranges : -1, "private", "private addresses", why);
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

int policy_check_dial(const struct conf *conf, const struct account *account, const struct rqv_addr *addr,
                      char why[POLICY_WHY_MAX])
{
    const struct policy *policy = account->policy;
    int code = policy_check_address(conf, account, addr, why);

    if (code || loopback_open(conf, account) || is_allowed(conf, policy, addr))
        return code;
    if (policy_address_is_own(addr))
        return refuse_zone(policy, policy ? policy->loopback : -1, "loopback",
                           "this host's own addresses to this user", why);
    return 0;
}

int policy_check_redirect(const struct conf *conf, const struct account *account, const struct rqv_addr *addr,
                          char why[POLICY_WHY_MAX])
{
    if (rqv_addr_zone(addr) == RQV_ZONE_PUBLIC && !policy_address_is_own(addr))
        return policy_check_address(conf, account, addr, why);
    snprintf(why, POLICY_WHY_MAX, "a redirect from a public address leads to one that is not");
    return REQIVO_E_REDIRECT_DENIED;
}

bool policy_insecure_allowed(const struct conf *conf)
{
    if (conf->insecure >= 0)
        return conf->insecure == 1;
    return conf->user_instance;
}

static void add_zones(uint32_t *zones, const struct rqv_net *nets, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        *zones |= 1u << rqv_addr_zone(&nets[i].base);
}

uint32_t policy_zones(const struct conf *conf, const struct account *account)
{
    uint32_t zones = 1u << RQV_ZONE_PUBLIC;

    if (private_open(conf, account->policy))
        zones |= 1u << RQV_ZONE_PRIVATE;
    if (loopback_open(conf, account))
        zones |= 1u << RQV_ZONE_LOOPBACK;
    add_zones(&zones, conf->allow, conf->allow_count);
    if (account->policy)
        add_zones(&zones, account->policy->allow_addresses.at, account->policy->allow_addresses.count);
    return zones;
}
