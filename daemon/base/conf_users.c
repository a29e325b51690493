/* SPDX-License-Identifier: MIT */
/*
 * conf_users - see conf_users.h.
 *
 *   names --> (uid, policy or partition) each --> sorted by uid --> one entry a uid
 *
 * A group is the users that its entry lists and those whose primary group it is. The latter are found by
 * walking through the database, which some sources of users do not allow: reqivod.conf(5) says so.
 */
#include "daemon/base/conf_users.h"

#include "common/str.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static bool number(const char *text, uint32_t *ret_number)
{
    uint64_t value;

    if (!rqv_str_u64(rqv_str_from(text), &value) || value >= UINT32_MAX)
        return false;
    *ret_number = (uint32_t)value;
    return true;
}

static bool is_digits(const char *text)
{
    return text[0] && strspn(text, "0123456789") == strlen(text);
}

int conf_user_parse(const char *text, uint32_t *ret_uid)
{
    const struct passwd *user;

    if (is_digits(text))
        return number(text, ret_uid) ? 0 : -EINVAL;
    user = text[0] ? getpwnam(text) : NULL;
    if (!user)
        return -EINVAL;
    *ret_uid = user->pw_uid;
    return 0;
}

int conf_group_parse(const char *text, uint32_t *ret_gid)
{
    const struct group *group;

    if (is_digits(text))
        return number(text, ret_gid) ? 0 : -EINVAL;
    group = text[0] ? getgrnam(text) : NULL;
    if (!group)
        return -EINVAL;
    *ret_gid = group->gr_gid;
    return 0;
}

/* ---- the list ---- */

struct found {
    struct policy_user *at;
    unsigned count;
    struct policy_user like; /* what is found now */
};

static int add(struct found *found, uid_t uid)
{
    struct policy_user *user;

    if (found->count == POLICIES_USERS)
        return -E2BIG;
    user = policies_grow(&found->at, &found->count, sizeof(*user));
    if (!user)
        return -ENOMEM;
    *user = found->like;
    user->uid = uid;
    return 0;
}

static int add_listed(struct found *found, gid_t gid)
{
    const struct group *group = getgrgid(gid);
    int rc = 0;

    for (char **name = group ? group->gr_mem : NULL; rc == 0 && name && *name; name++) {
        const struct passwd *user = getpwnam(*name);

        if (user)
            rc = add(found, user->pw_uid);
    }
    return rc;
}

static int add_primary(struct found *found, gid_t gid)
{
    const struct passwd *user;
    int rc = 0;

    setpwent();
    while (rc == 0 && (user = getpwent()))
        if (user->pw_gid == gid)
            rc = add(found, user->pw_uid);
    endpwent();
    return rc;
}

/* A name that has gone since it was checked names nobody. */
static int add_names(struct found *found, const struct policy_names *users, const struct policy_names *groups)
{
    uint32_t id;
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < users->count; i++)
        if (conf_user_parse(users->at[i], &id) == 0)
            rc = add(found, id);
    for (unsigned i = 0; rc == 0 && i < groups->count; i++)
        if (conf_group_parse(groups->at[i], &id) == 0) {
            rc = add_listed(found, id);
            if (rc == 0)
                rc = add_primary(found, id);
        }
    return rc;
}

static int add_all(struct found *found, const struct policies *policies)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < policies->policy_count; i++) {
        found->like = (struct policy_user){.policy = (uint16_t)(i + 1)};
        rc = add_names(found, &policies->policies[i].users, &policies->policies[i].groups);
    }
    for (unsigned i = 0; rc == 0 && i < policies->partition_count; i++) {
        found->like = (struct policy_user){.partition = (uint16_t)(i + 1)};
        rc = add_names(found, &policies->partitions[i].users, &policies->partitions[i].groups);
    }
    return rc;
}

/* ---- one entry a uid ---- */

static int order(const void *a, const void *b)
{
    const struct policy_user *one = a, *two = b;

    if (one->uid != two->uid)
        return one->uid > two->uid ? 1 : -1;
    if (one->policy != two->policy)
        return one->policy > two->policy ? 1 : -1;
    return (one->partition > two->partition) - (one->partition < two->partition);
}

static void merge(struct policy_user *into, const struct policy_user *from, conf_twice_fn *twice, void *owner)
{
    if (from->policy && !into->policy)
        into->policy = from->policy;
    if (!from->partition || from->partition == into->partition)
        return;
    if (into->partition)
        twice(owner, into->uid, into->partition - 1u, from->partition - 1u);
    else
        into->partition = from->partition;
}

int conf_users_resolve(struct policies *policies, conf_twice_fn *twice, void *owner)
{
    struct found found = {0};
    int rc = add_all(&found, policies);
    unsigned count = 0;

    if (rc < 0) {
        free(found.at);
        return rc;
    }
    if (found.count > 1)
        qsort(found.at, found.count, sizeof(*found.at), order);
    for (unsigned i = 0; i < found.count; i++) {
        if (count > 0 && found.at[count - 1].uid == found.at[i].uid)
            merge(&found.at[count - 1], &found.at[i], twice, owner);
        else
            found.at[count++] = found.at[i];
    }
    policies->users = found.at;
    policies->user_count = count;
    return 0;
}
