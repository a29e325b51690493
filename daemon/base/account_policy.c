/* SPDX-License-Identifier: MIT */
/*
 * account_policy - what the configuration says of an account: its policy, its limits, which addresses it may
 * reach; and the requests per second.
 *
 *   policies (of the configuration in force) --account_configure()--> account->policy, limit[], reach
 *
 * An account whose partition is no more in the configuration keeps what it was under: its programs are sent
 * away (ipc.h), and until they have gone nothing opens for them.
 */
#include "daemon/base/account.h"

#include "daemon/base/conf.h"
#include "daemon/base/policies.h"

#include <reqivo/error.h>

#include <stdio.h>
#include <string.h>

#define SECOND_US UINT64_C(1000000)

/* ---- which addresses ---- */

static void mix(uint64_t *hash, const uint64_t key[2], uint64_t value)
{
    uint64_t pair[2] = {*hash, value};

    *hash = rqv_siphash(key, pair, sizeof pair);
}

static void mix_nets(uint64_t *hash, const uint64_t key[2], const struct rqv_net *nets, unsigned count)
{
    mix(hash, key, count);
    for (unsigned i = 0; i < count; i++) {
        mix(hash, key, (uint64_t)nets[i].base.family << 8 | nets[i].bits);
        mix(hash, key, rqv_siphash(key, nets[i].base.bytes, sizeof nets[i].base.bytes));
    }
}

static bool may_loopback(const struct conf *conf, uid_t uid)
{
    for (unsigned i = 0; i < conf->loopback_uid_count; i++)
        if (conf->loopback_uids[i] == uid)
            return true;
    return false;
}

static uint64_t reach_of(const struct account *account, const struct conf *conf)
{
    const uint64_t *key = account->all->map.key;
    const struct policy *policy = account->policy;
    uint64_t hash = 0;

    mix(&hash, key,
        (uint64_t)(conf->loopback + 1) << 3 | (uint64_t)conf->private_open << 2 |
            (uint64_t)conf->user_instance << 1 | may_loopback(conf, account->uid));
    mix_nets(&hash, key, conf->allow, conf->allow_count);
    mix_nets(&hash, key, conf->deny, conf->deny_count);
    if (!policy)
        return hash;
    mix(&hash, key, (uint64_t)(policy->loopback + 1) << 2 | (uint64_t)(policy->private_ranges + 1));
    mix_nets(&hash, key, policy->allow_addresses.at, policy->allow_addresses.count);
    mix_nets(&hash, key, policy->deny_addresses.at, policy->deny_addresses.count);
    return hash;
}

/* ---- the account ---- */

static void set_limits(struct account *account)
{
    const struct policy *policy = account->policy;

    memset(account->limit, 0, sizeof account->limit);
    if (!policy)
        return;
    account->limit[ACCOUNT_MEMORY] = (size_t)policy->memory;
    account->limit[ACCOUNT_OWED] = policy->memory ? account_owed((size_t)policy->memory) : 0;
    account->limit[ACCOUNT_PEERS] = policy->peers;
    account->limit[ACCOUNT_REQUESTS] = policy->requests;
    account->limit[ACCOUNT_CONNS] = policy->connections;
}

void account_configure(struct account *account)
{
    struct accounts *all = account->all;
    const struct partition *partition = NULL;
    uint64_t reach;

    if (!all->conf)
        return;
    if (account->partition) {
        partition = policies_partition_of_id(all->policies, account->id);
        if (!partition)
            return;
        account->uid = partition->first;
    }
    policies_release(&account->policies);
    account->policies = policies_ref(all->policies);
    account->policy = policies_policy(account->policies, account->uid);
    set_limits(account);
    reach = reach_of(account, all->conf);
    if (account->reach && account->reach != reach)
        account->reach_generation++;
    account->reach = reach;
}

const char *account_limited_by(const struct account *account, enum account_kind kind, size_t n,
                               char text[ACCOUNT_LIMITED_MAX])
{
    static const char *const names[ACCOUNT_KINDS] = {[ACCOUNT_MEMORY] = "memory",
                                                     [ACCOUNT_OWED] = "memory",
                                                     [ACCOUNT_REQUESTS] = "requests",
                                                     [ACCOUNT_PEERS] = "peers",
                                                     [ACCOUNT_CONNS] = "connections"};

    text[0] = '\0';
    if (account->limit[kind] && account->used[kind] + n > account->limit[kind])
        snprintf(text, ACCOUNT_LIMITED_MAX, " (policy \"%s\": %s = %zu)", account->policy->name, names[kind],
                 account->limit[kind]);
    return text;
}

/* ---- how often ---- */

/* rate_us runs ahead of now by the time that the requests so far would take, one after the other. */
static uint64_t rate_cost(const struct account *account, uint64_t now_us)
{
    if (account->rate_us < now_us)
        return SECOND_US / account->policy->requests_per_second;
    return account->rate_us - now_us + SECOND_US / account->policy->requests_per_second;
}

int account_rate(struct account *account, uint64_t now_us, uint64_t *ret_wait_us)
{
    if (!account->policy || account->policy->requests_per_second == 0)
        return 0;
    uint64_t ahead = rate_cost(account, now_us);
    if (ahead > SECOND_US) {
        *ret_wait_us = ahead - SECOND_US;
        return REQIVO_E_LIMIT_RATE;
    }
    account->rate_us = now_us + ahead;
    return 0;
}

void account_rate_owe(struct account *account, uint64_t now_us)
{
    if (account->policy && account->policy->requests_per_second)
        account->rate_us = now_us + rate_cost(account, now_us);
}
