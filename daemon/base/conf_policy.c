/* SPDX-License-Identifier: MIT */
/*
 * conf_policy - owns the reading of partition "NAME" { } and policy "NAME" { }.
 *
 *   each value, as it is read: is it one?  (file and line are known then)
 *   the whole file:  sections --> struct policies, lists as libconfuse holds them in the end
 *                    names --> uids (conf_users.c) --> who is under what --> faults between sections
 */
#include "daemon/base/conf_policy.h"

#include "daemon/base/conf_users.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- the options ---- */

enum kind { USERS, GROUPS, RULES, NETS, VALUE };

struct option {
    const char *section, *name;
    enum kind kind;
    size_t at; /* of a list: of its pointer, with the count behind it */
    struct conf_entry value;
};

#define IN_POLICY(member)    offsetof(struct policy, member)
#define IN_PARTITION(member) offsetof(struct partition, member)
#define MIB_LEAST            (UINT64_C(256) * 1024)
#define VALUE_OF(option, words_, min_, max_, member, kind_)                                                  \
    {                                                                                                        \
        "policy", option, VALUE, 0,                                                                          \
        {                                                                                                    \
            .section = "policy", .name = option, .words = words_, .min = min_, .max = max_,                  \
            .offset = IN_POLICY(member), .kind = kind_                                                       \
        }                                                                                                    \
    }

static const struct option options[] = {
    {"partition", "users", USERS, IN_PARTITION(users), {0}},
    {"partition", "groups", GROUPS, IN_PARTITION(groups), {0}},
    {"policy", "users", USERS, IN_POLICY(users), {0}},
    {"policy", "groups", GROUPS, IN_POLICY(groups), {0}},
    {"policy", "allow", RULES, IN_POLICY(allow), {0}},
    {"policy", "deny", RULES, IN_POLICY(deny), {0}},
    {"policy", "allow_addresses", NETS, IN_POLICY(allow_addresses), {0}},
    {"policy", "deny_addresses", NETS, IN_POLICY(deny_addresses), {0}},
    VALUE_OF("loopback", NULL, 1, 0, loopback, CONF_SWITCH),
    VALUE_OF("private", NULL, 1, 0, private_ranges, CONF_SWITCH),
    VALUE_OF("memory", NULL, MIB_LEAST, UINT64_C(1) << 40, memory, CONF_BYTES),
    VALUE_OF("peers", NULL, 1, 1000000, peers, CONF_COUNT),
    VALUE_OF("requests", NULL, 1, 10000000, requests, CONF_COUNT),
    VALUE_OF("connections", NULL, 1, 1000000, connections, CONF_COUNT),
    VALUE_OF("requests_per_second", NULL, 1, 1000000, requests_per_second, CONF_COUNT),
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

static const struct option *option_of(const char *section, size_t n)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].section, section) == 0 && n-- == 0)
            return &options[i];
    return NULL;
}

bool conf_policy_option(const char *section, size_t n, struct conf_title_option *ret_option)
{
    const struct option *option = option_of(section, n);

    if (!option)
        return false;
    *ret_option = (struct conf_title_option){option->name, option->kind != VALUE};
    return true;
}

/* ---- one value ---- */

static int wrong(char why[CONF_WHY_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(char why[CONF_WHY_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, CONF_WHY_MAX, format, args);
    va_end(args);
    return -EINVAL;
}

static int parse_rule(const char *text, struct rqv_rule *ret_rule, char why[CONF_WHY_MAX])
{
    const char *what = "";

    return rqv_rule_parse(rqv_str_from(text), ret_rule, &what) == 0 ? 0
                                                                    : wrong(why, "'%.60s': %s", text, what);
}

static int parse_name(enum kind kind, const char *text, char ret_name[POLICY_NAME_MAX + 1],
                      char why[CONF_WHY_MAX])
{
    uint32_t number;

    if (strlen(text) > POLICY_NAME_MAX || (kind == USERS && conf_user_parse(text, &number) < 0))
        return wrong(why, "there is no user '%.60s'", text);
    if (kind == GROUPS && conf_group_parse(text, &number) < 0)
        return wrong(why, "there is no group '%.60s'", text);
    memcpy(ret_name, text, strlen(text) + 1);
    return 0;
}

static size_t element_size(enum kind kind)
{
    if (kind == RULES)
        return sizeof(struct rqv_rule);
    return kind == NETS ? sizeof(struct rqv_net) : POLICY_NAME_MAX + 1;
}

static unsigned *count_of(void *list)
{
    return (unsigned *)(void *)((char *)list + sizeof(void *)); /* of all three kinds of list */
}

/* Into a struct policy or partition: 0, -EINVAL, -ENOMEM. */
static int value_set(const struct option *option, void *into, const char *text, char why[CONF_WHY_MAX])
{
    void *list = (char *)into + option->at, *at;

    if (option->kind == VALUE)
        return conf_value_set(&option->value, into, text, why);
    if (*count_of(list) == POLICIES_LIST)
        return wrong(why, "the list has more than %d entries", POLICIES_LIST);
    at = policies_grow(list, count_of(list), element_size(option->kind));
    if (!at)
        return -ENOMEM;
    if (option->kind == RULES)
        return parse_rule(text, at, why);
    if (option->kind == NETS)
        return rqv_net_parse(text, at)
                   ? 0
                   : wrong(why, "'%.60s' is not an address or prefix, as in 10.0.0.0/8 or 2001:db8::1", text);
    return parse_name(option->kind, text, at, why);
}

int conf_policy_check(const char *section, const char *name, const char *text, char why[CONF_WHY_MAX])
{
    union {
        struct policy policy;
        struct partition partition;
    } scratch = {0};
    const struct option *option;
    int rc = -EINVAL;

    for (size_t n = 0; (option = option_of(section, n)); n++) {
        if (strcmp(option->name, name) != 0)
            continue;
        rc = value_set(option, &scratch, text, why);
        if (option->kind != VALUE) {
            void *list = (char *)&scratch + option->at, *at;

            memcpy(&at, list, sizeof(at));
            free(at);
        }
    }
    return rc;
}

/* ---- sections ---- */

struct making {
    struct conf *conf;
    struct policies *policies;
    const char *path;
    FILE *errors;
    unsigned failures;
    bool no_memory;
};

static void report(struct making *making, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void report(struct making *making, const char *format, ...)
{
    va_list args;

    making->failures++;
    if (!making->errors)
        return;
    fprintf(making->errors, "%s: ", making->path);
    va_start(args, format);
    vfprintf(making->errors, format, args);
    va_end(args);
    fputc('\n', making->errors);
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= POLICY_NAME_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == len;
}

/* After "= {}" libconfuse still holds the old elements, marked. */
static void section_read(struct making *making, cfg_t *cfg, const char *section, void *into)
{
    char why[CONF_WHY_MAX];
    const struct option *option;

    for (size_t n = 0; (option = option_of(section, n)); n++) {
        cfg_opt_t *read = cfg_getopt(cfg, option->name);
        unsigned count = read->flags & CFGF_RESET ? 0 : cfg_opt_size(read);

        for (unsigned i = 0; i < count; i++) {
            snprintf(why, sizeof(why), "there is no memory for it");
            int rc = value_set(option, into, cfg_opt_getnstr(read, i), why);
            if (rc == 0)
                continue;
            making->no_memory = making->no_memory || rc == -ENOMEM;
            report(making, "%s \"%s\".%s: %s", section, cfg_title(cfg), option->name, why);
            break;
        }
    }
}

/* Where the things go that sections of one kind make: policies_grow(). */
struct things {
    const char *section;
    void *list;
    unsigned *count;
    size_t size;
};

static void *section_make(struct making *making, const struct things *things, const char *title)
{
    const char *section = things->section;
    void *made;

    if (!is_name(title)) {
        report(making, "%s \"%.60s\": a name has 1 to 63 letters, digits, dots, dashes and underscores",
               section, title);
        return NULL;
    }
    if (*things->count == POLICIES_MAX) {
        report(making, "%s \"%s\": there are more than %d such sections", section, title, POLICIES_MAX);
        return NULL;
    }
    made = policies_grow(things->list, things->count, things->size);
    if (!made) {
        report(making, "%s \"%s\": there is no memory for it", section, title);
        making->no_memory = true;
    }
    return made;
}

static void sections_read(struct making *making, cfg_t *root)
{
    struct policies *all = making->policies;
    const struct things partitions = {"partition", &all->partitions, &all->partition_count,
                                      sizeof(struct partition)};
    const struct things policies = {"policy", &all->policies, &all->policy_count, sizeof(struct policy)};

    for (unsigned i = 0; i < cfg_size(root, "partition"); i++) {
        cfg_t *cfg = cfg_getnsec(root, "partition", i);
        struct partition *partition = section_make(making, &partitions, cfg_title(cfg));

        if (!partition)
            continue;
        snprintf(partition->name, sizeof(partition->name), "%s", cfg_title(cfg));
        partition->id = partition_id(partition->name);
        section_read(making, cfg, "partition", partition);
    }
    for (unsigned i = 0; i < cfg_size(root, "policy"); i++) {
        cfg_t *cfg = cfg_getnsec(root, "policy", i);
        struct policy *policy = section_make(making, &policies, cfg_title(cfg));

        if (!policy)
            continue;
        snprintf(policy->name, sizeof(policy->name), "%s", cfg_title(cfg));
        policy->loopback = policy->private_ranges = -1;
        section_read(making, cfg, "policy", policy);
    }
}

/* ---- faults between sections ---- */

static void check_limit(struct making *making, const struct policy *policy, const char *name, uint64_t own,
                        uint64_t total)
{
    if (own && total && own > total)
        report(making, "policy \"%s\".%s: is larger than limits.%s_total; raise that or lower this",
               policy->name, name, name);
}

static void check_policy(struct making *making, const struct policy *policy)
{
    const struct conf *conf = making->conf;

    check_limit(making, policy, "memory", policy->memory, conf->memory_total);
    check_limit(making, policy, "peers", policy->peers, conf->peers_total);
    check_limit(making, policy, "requests", policy->requests, conf->requests_total);
    check_limit(making, policy, "connections", policy->connections, conf->connections_total);
    if (strcmp(policy->name, "default") == 0 && policy->users.count + policy->groups.count > 0)
        report(making, "policy \"default\": is for those whom no other names, so it has no users or groups");
    if (strcmp(policy->name, "default") != 0 && policy->users.count + policy->groups.count == 0)
        report(making, "policy \"%s\": names no users and no groups; only \"default\" need not",
               policy->name);
}

static bool may_loopback(const struct conf *conf, uid_t uid)
{
    for (unsigned i = 0; i < conf->loopback_uid_count; i++)
        if (conf->loopback_uids[i] == uid)
            return true;
    return false;
}

static const char *policy_name(const struct policies *policies, uid_t uid)
{
    const struct policy *policy = policies_policy(policies, uid);

    return policy ? policy->name : "";
}

/* What users share, a connection of any of them must be allowed to. */
static void check_partition(struct making *making, unsigned index)
{
    const struct policies *policies = making->policies;
    struct partition *partition = &policies->partitions[index];
    bool found = false;

    for (unsigned i = 0; i < policies->user_count; i++) {
        uid_t uid = policies->users[i].uid, first = partition->first;

        if (policies->users[i].partition != index + 1)
            continue;
        if (uid == 0)
            report(making, "partition \"%s\": root has a partition of its own, always", partition->name);
        if (!found)
            partition->first = first = uid;
        found = true;
        if (policies_policy(policies, uid) != policies_policy(policies, first))
            report(
                making,
                "partition \"%s\": its users %u and %u are under the policies \"%s\" and \"%s\"; who shares "
                "connections has one policy",
                partition->name, first, uid, policy_name(policies, first), policy_name(policies, uid));
        if (may_loopback(making->conf, uid) != may_loopback(making->conf, first))
            report(making,
                   "partition \"%s\": address_policy.loopback_users names one of its users %u and %u; who "
                   "shares connections may reach the same",
                   partition->name, first, uid);
    }
}

static void on_twice(void *owner, uid_t uid, unsigned one, unsigned two)
{
    struct making *making = owner;

    report(making, "partition \"%s\": the user %u is in the partition \"%s\" already; a user has one",
           making->policies->partitions[two].name, uid, making->policies->partitions[one].name);
}

static void check_all(struct making *making)
{
    int rc = conf_users_resolve(making->policies, on_twice, making);

    if (rc < 0) {
        making->no_memory = true;
        report(making, "the users that policies and partitions name are too many: %s", strerror(-rc));
        return;
    }
    for (unsigned i = 0; i < making->policies->policy_count; i++)
        check_policy(making, &making->policies->policies[i]);
    for (unsigned i = 0; i < making->policies->partition_count; i++)
        check_partition(making, i);
}

int conf_policies_make(struct conf *conf, cfg_t *root, const char *path, FILE *errors)
{
    struct making making = {.conf = conf, .path = path, .errors = errors};

    policies_release(&conf->policies);
    if (cfg_size(root, "partition") + cfg_size(root, "policy") == 0)
        return 0;
    making.policies = calloc(1, sizeof(struct policies));
    if (!making.policies)
        return -ENOMEM;
    making.policies->refs = 1;
    sections_read(&making, root);
    if (making.failures == 0)
        check_all(&making);
    if (making.failures == 0) {
        conf->policies = making.policies;
        return 0;
    }
    policies_release(&making.policies);
    return making.no_memory ? -ENOMEM : -EINVAL;
}

/* ---- dump ---- */

static void dump_element(const struct option *option, const void *list, unsigned i, FILE *out)
{
    char text[CONF_VALUE_MAX];
    const char *at;

    memcpy(&at, list, sizeof(at));
    at += i * element_size(option->kind);
    if (option->kind == NETS) {
        conf_net_format((const struct rqv_net *)(const void *)at, text, sizeof(text));
        at = text;
    } else if (option->kind == RULES) {
        at = ((const struct rqv_rule *)(const void *)at)->text;
    }
    conf_quote(at, out);
}

/* What is not set is left out. */
static void dump_option(const struct option *option, const void *from, FILE *out)
{
    static const struct policy unset = {.loopback = -1, .private_ranges = -1};
    const char *list = (const char *)from + option->at;
    char text[64], none[64];
    unsigned count;

    if (option->kind == VALUE) {
        conf_value_format(&option->value, from, 0, text, sizeof(text));
        conf_value_format(&option->value, &unset, 0, none, sizeof(none));
        if (strcmp(text, none) != 0)
            fprintf(out, "    %s = %s\n", option->name, text);
        return;
    }
    memcpy(&count, list + sizeof(void *), sizeof(count));
    if (count == 0)
        return;
    fprintf(out, "    %s = {", option->name);
    for (unsigned i = 0; i < count; i++) {
        fputs(i ? ", " : "", out);
        dump_element(option, list, i, out);
    }
    fputs("}\n", out);
}

/* The numbers tell what the names came to when the file was read. */
static void dump_users(const struct policies *policies, unsigned policy, unsigned partition, FILE *out)
{
    unsigned shown = 0;

    for (unsigned i = 0; i < policies->user_count; i++) {
        const struct policy_user *user = &policies->users[i];

        if ((policy && user->policy == policy) || (partition && user->partition == partition))
            fprintf(out, "%s %u", shown++ ? "" : "    # uids:", user->uid);
    }
    fputs(shown ? "\n" : "", out);
}

static void dump_section(const char *section, const char *title, const void *from, FILE *out)
{
    const struct option *option;

    fprintf(out, "\n%s \"%s\" {\n", section, title);
    for (size_t n = 0; (option = option_of(section, n)); n++)
        dump_option(option, from, out);
}

static void dump_partition(const struct policies *policies, unsigned i, FILE *out)
{
    dump_section("partition", policies->partitions[i].name, &policies->partitions[i], out);
    dump_users(policies, 0, i + 1, out);
    fputs("}\n", out);
}

static void dump_policy(const struct policies *policies, unsigned i, FILE *out)
{
    dump_section("policy", policies->policies[i].name, &policies->policies[i], out);
    dump_users(policies, i + 1, 0, out);
    fputs("}\n", out);
}

void conf_policies_dump(const struct policies *policies, FILE *out)
{
    for (unsigned i = 0; policies && i < policies->partition_count; i++)
        dump_partition(policies, i, out);
    for (unsigned i = 0; policies && i < policies->policy_count; i++)
        dump_policy(policies, i, out);
}

const char *conf_titled_name(const struct policies *policies, bool policy, unsigned i)
{
    if (!policies || i >= (policy ? policies->policy_count : policies->partition_count))
        return NULL;
    return policy ? policies->policies[i].name : policies->partitions[i].name;
}

bool conf_titled_dump(const struct policies *policies, bool policy, const char *name, FILE *out)
{
    const char *other;

    for (unsigned i = 0; (other = conf_titled_name(policies, policy, i)); i++) {
        if (strcmp(other, name) != 0)
            continue;
        if (policy)
            dump_policy(policies, i, out);
        else
            dump_partition(policies, i, out);
        return true;
    }
    return false;
}
