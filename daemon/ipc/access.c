/* SPDX-License-Identifier: MIT */
/* access - see access.h. */
#include "daemon/ipc/access.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A verb that is for nobody here has none of the two sockets. */
#define DATA    1u
#define CONTROL 2u

enum who { ALL, ADMINS }; /* ALL: everybody, what is his */

struct rule {
    uint16_t verb;
    const char *name;
    unsigned sockets;
    enum who who;
};

static const struct rule queries[] = {
    {RQV_QUERY_STATUS, "status", DATA | CONTROL, ALL}, /* on the data socket a sign of life, too */
    {RQV_QUERY_POOLS, "pools", DATA | CONTROL, ALL},
    {RQV_QUERY_WEBSOCKETS, "websockets", DATA | CONTROL, ALL},
    {RQV_QUERY_CLIENTS, "clients", CONTROL, ALL},
    {RQV_QUERY_REQUESTS, "requests", CONTROL, ALL},
    {RQV_QUERY_METRICS, "metrics", CONTROL, ALL},
};

static const struct rule operations[] = {
    {RQV_OP_SESSION_OPEN, "session open", DATA, ALL},
    {RQV_OP_COOKIES_ADD, "cookies add", DATA, ALL},
    {RQV_OP_COOKIES_LIST, "cookies list", DATA, ALL},
    {RQV_OP_COOKIES_CLEAR, "cookies clear", DATA, ALL},
    {RQV_OP_POOL_STATS, "pool statistics", DATA, ALL},
    {RQV_OP_POOL_LIMIT, "pool limit", DATA, ALL},
    {RQV_OP_POOL_PREWARM, "pool prewarm", DATA, ALL},
    {RQV_OP_POOL_CLOSE_IDLE, "pool close idle", DATA, ALL},
    {RQV_OP_CONNECTION_ACQUIRE, "connection acquire", DATA, ALL},
    {RQV_OP_CONNECTION_RELEASE, "connection release", DATA, ALL},
    {RQV_OP_CONNECTION_INFO, "connection information", DATA, ALL},
    {RQV_OP_CONTROL_DRAIN, "drain", CONTROL, ADMINS},
    {RQV_OP_CONTROL_RELOAD, "reload", CONTROL, ADMINS},
    {RQV_OP_CONTROL_CLOSE, "close", CONTROL, ALL}, /* of others: access_touches_others() */
    {RQV_OP_CONTROL_WARM, "warm", CONTROL, ALL},
};

/* ---- who is an admin ---- */

/* The groups of the program when it connected. NULL when the kernel does not tell them. */
static gid_t *groups_of(int fd, size_t *ret_count)
{
    socklen_t len = 0;
    gid_t *gids;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) < 0 && errno != ERANGE)
        return NULL;
    gids = malloc(len > 0 ? len : 1); /* 65536 groups are the most that there are */
    if (gids && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids, &len) < 0) {
        free(gids);
        return NULL;
    }
    *ret_count = len / sizeof *gids;
    return gids;
}

static bool group_is_named(const struct conf *conf, gid_t gid)
{
    for (unsigned i = 0; i < conf->admin_count; i++)
        if (conf->admins[i].group && conf->admins[i].id == gid)
            return true;
    return false;
}

static bool groups_are_named(const struct peer *peer)
{
    const struct conf *conf = peer->ipc->use.conf;
    struct ucred cred;
    socklen_t len = sizeof cred;
    size_t count = 0;
    bool named =
        getsockopt(peer->io.fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && group_is_named(conf, cred.gid);
    gid_t *gids = named ? NULL : groups_of(peer->io.fd, &count);

    for (size_t i = 0; gids && i < count && !named; i++)
        named = group_is_named(conf, gids[i]);
    free(gids);
    return named;
}

static bool is_admin(const struct peer *peer)
{
    const struct conf *conf = peer->ipc->use.conf;
    bool groups = false;

    if (peer->source.uid == 0 || peer->source.uid == geteuid())
        return true;
    for (unsigned i = 0; i < conf->admin_count; i++) {
        groups = groups || conf->admins[i].group;
        if (!conf->admins[i].group && conf->admins[i].id == peer->source.uid)
            return true;
    }
    return groups && groups_are_named(peer);
}

bool access_sees_all(const struct peer *peer)
{
    return peer->control && is_admin(peer);
}

/* "root, uid 998, uid 1000, gid 4": as many as have room. */
static void admins_text(const struct conf *conf, char *text, size_t size)
{
    int at = snprintf(text, size, "root%s", "");

    if (geteuid() != 0)
        at += snprintf(text + at, size - (size_t)at, ", uid %u", (unsigned)geteuid());
    for (unsigned i = 0; i < conf->admin_count && (size_t)at + 32 < size; i++)
        at += snprintf(text + at, size - (size_t)at, ", %s %u", conf->admins[i].group ? "gid" : "uid",
                       (unsigned)conf->admins[i].id);
}

/* ---- the verdict ---- */

static int refuse_user(const struct peer *peer, const char *name, struct rqv_err *err)
{
    char admins[128];

    admins_text(peer->ipc->use.conf, admins, sizeof admins);
    return rqv_err_set(err, REQIVO_E_ACCESS_DENIED, REQIVO_PHASE_IPC,
                       "%s: not for uid %u; these may: %s (control.admins adds others)", name,
                       (unsigned)peer->source.uid, admins);
}

int access_touches_others(const struct peer *peer, const char *verb, struct rqv_err *err)
{
    char what[48];

    snprintf(what, sizeof what, "%s of another user's pools", verb);
    return is_admin(peer) ? 0 : refuse_user(peer, what, err);
}

static int judge(const struct peer *peer, const struct rule *rule, struct rqv_err *err)
{
    unsigned here = peer->control ? CONTROL : DATA;

    if (!(rule->sockets & here))
        return rqv_err_set(err, REQIVO_E_ACCESS_DENIED, REQIVO_PHASE_IPC,
                           peer->control ? "%s: not on the control socket, which takes no requests"
                                         : "%s: only on the control socket",
                           rule->name);
    return rule->who == ALL || is_admin(peer) ? 0 : refuse_user(peer, rule->name, err);
}

static int look_up(const struct peer *peer, uint16_t verb, const struct rule *rules, size_t count,
                   struct rqv_err *err)
{
    for (size_t i = 0; i < count; i++)
        if (rules[i].verb == verb)
            return judge(peer, &rules[i], err);
    return rqv_err_set(err, REQIVO_E_VERSION, REQIVO_PHASE_IPC, "this daemon does not know that verb");
}

int access_query(const struct peer *peer, uint16_t verb, struct rqv_err *err)
{
    return look_up(peer, verb, queries, sizeof queries / sizeof queries[0], err);
}

int access_operation(const struct peer *peer, uint16_t verb, struct rqv_err *err)
{
    return look_up(peer, verb, operations, sizeof operations / sizeof operations[0], err);
}
