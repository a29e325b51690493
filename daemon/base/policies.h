/* SPDX-License-Identifier: MIT */
/*
 * policies - what the configuration says about users: who shares a partition with whom, and what each may
 * ask for. One immutable object: conf_load makes it, struct conf and the accounts hold references, and the
 * last of them frees it; so a configuration that is replaced as a whole leaves nothing behind, and an account
 * keeps what it was under until it is told otherwise (accounts_reconfigure).
 *
 * Names are resolved when the configuration is read: here are numbers only, and nothing asks the user
 * database later.
 */
#ifndef DAEMON_BASE_POLICIES_H
#define DAEMON_BASE_POLICIES_H

#include "common/addr.h"
#include "proto/rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define POLICIES_MAX    64  /* sections of each kind */
#define POLICIES_LIST   256 /* entries of a list in one */
#define POLICIES_USERS  65536
#define POLICY_NAME_MAX 63  /* of a section, a user, a group */
#define POLICY_WHY_MAX  192 /* "policy "NAME": deny[3] "RULE"" */

/* Lists grow one by one while the configuration is read. */
struct policy_names {
    char (*at)[POLICY_NAME_MAX + 1];
    unsigned count;
};
struct policy_rules {
    struct rqv_rule *at;
    unsigned count;
};
struct policy_nets {
    struct rqv_net *at;
    unsigned count;
};

struct policy {
    char name[POLICY_NAME_MAX + 1];
    struct policy_names users, groups; /* as they were written */
    struct policy_rules allow, deny;
    struct policy_nets allow_addresses, deny_addresses;
    int8_t loopback, private_ranges; /* -1: as address_policy has it; 0 refuse, 1 allow */
    /* of an account; 0: as limits { } has it */
    uint64_t memory;
    uint32_t connections, requests, peers;
    uint32_t requests_per_second; /* 0: any number */
};

struct partition {
    char name[POLICY_NAME_MAX + 1];
    struct policy_names users, groups;
    uint64_t id; /* made of the name alone, above all uids: the same in the next configuration */
    uid_t first; /* one of its users; they all are under the same policy */
};

/* A user that the configuration names. */
struct policy_user {
    uid_t uid;
    uint16_t policy, partition; /* index + 1; 0: none */
};

struct policies {
    unsigned refs;
    struct policy *policies;
    struct partition *partitions;
    struct policy_user *users; /* by uid */
    unsigned policy_count, partition_count, user_count;
};

/* All the same for NULL, which is a configuration without such sections. */
struct policies *policies_ref(struct policies *policies);
void policies_release(struct policies **policies);
/* The user's own, else the one that is named "default", else NULL. */
const struct policy *policies_policy(const struct policies *policies, uid_t uid);
const struct partition *policies_partition(const struct policies *policies, uid_t uid);
/* Those with that name, or NULL. */
const struct policy *policies_named(const struct policies *policies, const char *name);
const struct partition *policies_partition_of_id(const struct policies *policies, uint64_t id);
uint64_t partition_id(const char *name);

/* One more entry at the end; NULL when there is no memory for it. */
void *policies_grow(void *list_at, unsigned *count, size_t size);

/* Which rule decides: deny goes before allow, and an empty allow list allows all. true when allowed. *ret_why
 * names the rule, as in: deny[2] "*.internal" (numbers count from 1). */
bool policy_decide(const struct policy *policy, const struct rqv_rule_question *question,
                   char ret_why[POLICY_WHY_MAX]);

#endif
