/* SPDX-License-Identifier: MIT */
/*
 * policy - which addresses may be dialled for whom. Judged on the address that is dialled, never on the name.
 * Order: deny lists, allow lists, refused-always zones (link-local, metadata, multicast, unspecified,
 * reserved), loopback (the account's policy, loopback users, instance kind), private (the policy, the
 * configuration), the rest is open. The lists of an account's policy are read before those of address_policy;
 * both hold. design.md 5, security.md B10-6.
 */
#ifndef DAEMON_NET_POLICY_H
#define DAEMON_NET_POLICY_H

#include "common/addr.h"
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/policies.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* 0 when allowed, else REQIVO_E_ADDRESS_DENIED and the rule of the configuration that refuses in `why`. */
int policy_check_address(const struct conf *conf, const struct account *account, const struct rqv_addr *addr,
                         char why[POLICY_WHY_MAX]);
/* As above, for the moment before connect(): where loopback is refused to the user, this host's own interface
 * addresses are refused too. One datagram socket is opened and closed to learn that; nothing is sent. */
int policy_check_dial(const struct conf *conf, const struct account *account, const struct rqv_addr *addr,
                      char why[POLICY_WHY_MAX]);
/* As above, for the request that a redirect from a public address asks for: nothing but public addresses, and
 * none of this host, whatever the lists allow: REQIVO_E_REDIRECT_DENIED. security.md B3-5. */
int policy_check_redirect(const struct conf *conf, const struct account *account, const struct rqv_addr *addr,
                          char why[POLICY_WHY_MAX]);
bool policy_address_is_own(const struct rqv_addr *addr);
/* May this user turn verification off (conf->insecure)? */
bool policy_insecure_allowed(const struct conf *conf);
/* The zones that this user may reach, as a bit set over enum rqv_zone: K10 of the pool key. */
uint32_t policy_zones(const struct conf *conf, const struct account *account);
/* The same after such a redirect: a pool of its own, so that it never meets a connection dialled under a
 * wider policy. */
#define POLICY_ZONES_REDIRECT ((UINT32_C(1) << 31) | (1u << RQV_ZONE_PUBLIC))

#endif
