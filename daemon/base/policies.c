/* SPDX-License-Identifier: MIT */
/* policies - see policies.h. conf_policy.c fills one. */
#include "daemon/base/policies.h"

#include "common/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

struct policies *policies_ref(struct policies *policies)
{
    if (policies)
        policies->refs++;
    return policies;
}

static void policy_done(struct policy *policy)
{
    free(policy->users.at);
    free(policy->groups.at);
    free(policy->allow.at);
    free(policy->deny.at);
    free(policy->allow_addresses.at);
    free(policy->deny_addresses.at);
}

void policies_release(struct policies **policies)
{
    struct policies *one = *policies;

    *policies = NULL;
    if (!one || --one->refs > 0)
        return;
    for (unsigned i = 0; i < one->policy_count; i++)
        policy_done(&one->policies[i]);
    for (unsigned i = 0; i < one->partition_count; i++) {
        free(one->partitions[i].users.at);
        free(one->partitions[i].groups.at);
    }
    free(one->policies);
    free(one->partitions);
    free(one->users);
    free(one);
}

void *policies_grow(void *list_at, unsigned *count, size_t size)
{
    void *at;
    char *grown;

    memcpy(&at, list_at, sizeof at);
    grown = realloc(at, (*count + 1) * size);
    if (!grown)
        return NULL;
    memcpy(list_at, &grown, sizeof grown);
    memset(grown + *count * size, 0, size);
    return grown + (*count)++ * size;
}

/* ---- who ---- */

/* A hash without a secret: names are the administrator's, and one name has one number for ever. */
uint64_t partition_id(const char *name)
{
    static const uint64_t key[2] = {UINT64_C(0x7265716976702f31), UINT64_C(0x706172746974696f)};

    return rqv_siphash(key, name, strlen(name)) | UINT64_C(1) << 63;
}

static int by_uid(const void *a, const void *b)
{
    uid_t one = ((const struct policy_user *)a)->uid, two = ((const struct policy_user *)b)->uid;

    return (one > two) - (one < two);
}

static const struct policy_user *find_user(const struct policies *policies, uid_t uid)
{
    struct policy_user key = {.uid = uid};

    if (!policies || policies->user_count == 0)
        return NULL;
    return bsearch(&key, policies->users, policies->user_count, sizeof key, by_uid);
}

const struct policy *policies_named(const struct policies *policies, const char *name)
{
    for (unsigned i = 0; policies && i < policies->policy_count; i++)
        if (strcmp(policies->policies[i].name, name) == 0)
            return &policies->policies[i];
    return NULL;
}

const struct policy *policies_policy(const struct policies *policies, uid_t uid)
{
    const struct policy_user *user = find_user(policies, uid);

    return user && user->policy ? &policies->policies[user->policy - 1] : policies_named(policies, "default");
}

const struct partition *policies_partition(const struct policies *policies, uid_t uid)
{
    const struct policy_user *user = find_user(policies, uid);

    return user && user->partition ? &policies->partitions[user->partition - 1] : NULL;
}

const struct partition *policies_partition_of_id(const struct policies *policies, uint64_t id)
{
    for (unsigned i = 0; policies && i < policies->partition_count; i++)
        if (policies->partitions[i].id == id)
            return &policies->partitions[i];
    return NULL;
}

/* ---- which rule ---- */

static void name_rule(char ret_why[POLICY_WHY_MAX], const char *list, unsigned index,
                      const struct rqv_rule *rule)
{
    snprintf(ret_why, POLICY_WHY_MAX, "%s[%u] \"%.120s\"", list, index + 1, rule->text);
}

bool policy_decide(const struct policy *policy, const struct rqv_rule_question *question,
                   char ret_why[POLICY_WHY_MAX])
{
    for (unsigned i = 0; i < policy->deny.count; i++)
        if (rqv_rule_denies(&policy->deny.at[i], question)) {
            name_rule(ret_why, "deny", i, &policy->deny.at[i]);
            return false;
        }
    for (unsigned i = 0; i < policy->allow.count; i++)
        if (rqv_rule_allows(&policy->allow.at[i], question)) {
            name_rule(ret_why, "allow", i, &policy->allow.at[i]);
            return true;
        }
    if (policy->allow.count == 0)
        snprintf(ret_why, POLICY_WHY_MAX, "no rule of deny names it, and allow is empty");
    else
        snprintf(ret_why, POLICY_WHY_MAX, "no rule of allow names it");
    return policy->allow.count == 0;
}
