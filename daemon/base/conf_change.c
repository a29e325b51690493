/* SPDX-License-Identifier: MIT */
/* conf_change - see conf_change.h. Values are compared as a file would have them. */
#include "daemon/base/conf_change.h"

#include "daemon/base/conf_table.h"

#include <stdio.h>
#include <string.h>

static bool is_same(const struct conf_entry *entry, const struct conf *a, const struct conf *b)
{
    char left[CONF_VALUE_MAX], right[CONF_VALUE_MAX];
    unsigned count = conf_is_list(entry) ? conf_list_count(entry, a) : 1;

    if (conf_is_list(entry) && conf_list_count(entry, b) != count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        conf_value_format(entry, a, i, left, sizeof(left));
        conf_value_format(entry, b, i, right, sizeof(right));
        if (strcmp(left, right) != 0)
            return false;
    }
    return true;
}

static bool is_fixed(const char *name)
{
    static const char *const fixed[] = {"socket", "control.socket", "dns.backend"};

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (strcmp(name, fixed[i]) == 0)
            return true;
    return false;
}

/* What may be reached, and how far it is believed: connections that were made before were not asked. */
static bool is_policy(const struct conf_entry *entry)
{
    return strcmp(entry->section, "address_policy") == 0 || strcmp(entry->section, "tls") == 0;
}

void conf_succeed(struct conf *fresh, const struct conf *old, conf_change_fn fn, void *owner)
{
    char name[64], value[CONF_VALUE_MAX], why[CONF_WHY_MAX];
    bool policy = false;

    fresh->user_instance = old->user_instance;
    fresh->on_demand = old->on_demand;
    for (size_t i = 0; i < conf_table_count; i++) {
        const struct conf_entry *entry = &conf_table[i];

        if (is_same(entry, old, fresh))
            continue;
        snprintf(name, sizeof(name), "%s%s%s", entry->section, entry->section[0] ? "." : "", entry->name);
        policy = policy || is_policy(entry);
        if (is_fixed(name)) {
            conf_value_format(entry, old, 0, value, sizeof(value));
            (void)conf_value_set(entry, fresh, value, why); /* it was taken when it was read */
        }
        fn(owner, name, is_fixed(name));
    }
    fresh->policy_generation = old->policy_generation + policy;
}
