/* SPDX-License-Identifier: MIT */
/* conf_change - see conf_change.h. Values are compared as a file would have them. */
#include "daemon/base/conf_change.h"

#include "daemon/base/conf_policy.h"
#include "daemon/base/conf_table.h"
#include "daemon/base/policies.h"

#include <stdio.h>
#include <stdlib.h>
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

/* ---- sections with a title ---- */

static bool is_there(const struct policies *policies, bool policy, const char *name)
{
    const char *other;

    for (unsigned i = 0; (other = conf_titled_name(policies, policy, i)); i++)
        if (strcmp(other, name) == 0)
            return true;
    return false;
}

/* As it was read, and whom its names came to; NULL without memory. */
static char *titled_text(const struct policies *policies, bool policy, const char *name)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return NULL;
    (void)conf_titled_dump(policies, policy, name, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* What cannot be compared counts as changed. */
static bool titled_differs(const struct conf *old, const struct conf *fresh, bool policy, const char *name)
{
    char *left = titled_text(old->policies, policy, name),
         *right = titled_text(fresh->policies, policy, name);
    bool differs = !left || !right || strcmp(left, right) != 0;

    free(left);
    free(right);
    return differs;
}

struct change {
    conf_change_fn fn;
    void *owner;
};

static void tell_titled(const struct change *change, bool policy, const char *name, enum conf_change what)
{
    char full[POLICY_NAME_MAX + 16];

    snprintf(full, sizeof(full), "%s \"%s\"", policy ? "policy" : "partition", name);
    change->fn(change->owner, full, what);
}

static void titled_changes(const struct conf *old, const struct conf *fresh, bool policy,
                           const struct change *change)
{
    const char *name;

    for (unsigned i = 0; (name = conf_titled_name(fresh->policies, policy, i)); i++) {
        if (!is_there(old->policies, policy, name))
            tell_titled(change, policy, name, CONF_ADDED);
        else if (titled_differs(old, fresh, policy, name))
            tell_titled(change, policy, name, CONF_CHANGED);
    }
    for (unsigned i = 0; (name = conf_titled_name(old->policies, policy, i)); i++)
        if (!is_there(fresh->policies, policy, name))
            tell_titled(change, policy, name, CONF_REMOVED);
}

void conf_succeed(struct conf *fresh, const struct conf *old, conf_change_fn fn, void *owner)
{
    char name[64], value[CONF_VALUE_MAX], why[CONF_WHY_MAX];
    const struct change change = {fn, owner};
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
        fn(owner, name, is_fixed(name) ? CONF_FIXED : CONF_CHANGED);
    }
    titled_changes(old, fresh, false, &change);
    titled_changes(old, fresh, true, &change);
    fresh->policy_generation = old->policy_generation + policy;
}
