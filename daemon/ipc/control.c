/* SPDX-License-Identifier: MIT */
/* control - see control.h. */
#include "daemon/ipc/control.h"

#include "common/uninit.h"
#include "daemon/ipc/access.h"
#include "daemon/ipc/peer_pools.h"
#include "daemon/ipc/query.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>

/* A reload that a peer waits for: one at a time. */
struct control_ask {
    struct ipc_asker asker;
    struct peer *peer;
    uint64_t id;
};

static bool fail(const struct operate_call *call, int code, const char *detail)
{
    struct rqv_err err = {0};

    rqv_err_set(&err, code, REQIVO_PHASE_IPC, "%s", detail);
    return operate_done(call, &err);
}

/* ---- drain ---- */

/* DONE lies in the queue of the peer before GOAWAY does, and the daemon does not end before both are written.
 */
bool control_drain(const struct operate_call *call)
{
    struct ipc *ipc = call->peer->ipc;

    operate_done(call, &(struct rqv_err){0});
    ipc->use.drain(ipc->use.daemon);
    return true;
}

/* ---- reload ---- */

static void ask_free(struct control_ask *ask)
{
    struct peer *peer = ask->peer;

    peer->extra->ask = NULL;
    account_refund(peer->account, ACCOUNT_REQUESTS, 1);
    account_refund(peer->account, ACCOUNT_MEMORY, sizeof *ask);
    free(ask);
}

/* Each line of the text is one value of a row. */
static void told(struct ipc_asker *asker, int code, const char *text)
{
    struct control_ask *ask = RQV_LIST_OF(asker, struct control_ask, asker);
    struct operate_call call = {.peer = ask->peer, .id = ask->id};
    struct rqv_str rest = rqv_str_from(text), line, first = {"", 0};
    struct rqv_fields fields RQV_UNINIT; /* those below their count are set */
    struct rqv_err err = {0};

    fields.count = 0;
    while (rqv_str_split(&rest, '\n', &line)) {
        if (first.len == 0)
            first = line;
        if (line.len > 0)
            (void)rqv_fields_add(&fields, RQV_STR("line"), line);
    }
    ask_free(ask);
    if (code < 0)
        rqv_err_set(&err, code, REQIVO_PHASE_NONE, "%.*s", (int)first.len, first.ptr);
    if (fields.count > 0)
        (void)operate_row(&call, &fields); /* what has no room is in the log, too */
    operate_done(&call, &err);
}

bool control_reload(const struct operate_call *call)
{
    struct peer *peer = call->peer;
    struct ipc *ipc = peer->ipc;

    if (!ipc->use.reload)
        return fail(call, REQIVO_E_VERSION, "this daemon cannot read its configuration again");
    if (peer->extra->ask)
        return fail(call, REQIVO_E_LIMIT_REQUESTS, "one reload at a time on a connection");
    int rc = peer_extra_make(peer);
    if (rc == 0)
        rc = account_charge(peer->account, ACCOUNT_MEMORY, sizeof(struct control_ask));
    struct control_ask *ask = rc == 0 ? calloc(1, sizeof *ask) : NULL;
    if (!ask) {
        if (rc == 0)
            account_refund(peer->account, ACCOUNT_MEMORY, sizeof *ask);
        return fail(call, rc < 0 ? rc : -ENOMEM, "no memory to wait for it");
    }
    ask->peer = peer;
    ask->id = call->id;
    ask->asker.told = told;
    rqv_list_init(&ask->asker.node);
    peer->extra->ask = ask;
    ipc->use.reload(ipc->use.daemon, &ask->asker);
    return false;
}

static void ask_end(struct control_ask *ask, int code, const char *detail)
{
    struct operate_call call = {.peer = ask->peer, .id = ask->id};

    ipc_asker_cancel(&ask->asker);
    ask_free(ask);
    fail(&call, code, detail);
}

bool control_cancel(struct peer *peer, uint64_t id)
{
    if (!peer->extra->ask || peer->extra->ask->id != id)
        return false;
    ask_end(peer->extra->ask, REQIVO_E_CANCELED, "canceled by the program; the reload goes on");
    return true;
}

void control_shutdown(struct peer *peer)
{
    if (peer->extra->ask)
        ask_end(peer->extra->ask, REQIVO_E_SHUTDOWN, rqv_err_text(REQIVO_E_SHUTDOWN));
}

void control_abandon(struct peer *peer)
{
    if (!peer->extra->ask)
        return;
    ipc_asker_cancel(&peer->extra->ask->asker);
    ask_free(peer->extra->ask);
}

/* ---- pools ---- */

/* Whose pools are meant. *ret_all: everybody's. 0, or a code after DONE. */
static int whose(const struct operate_call *call, const char *verb, uid_t *ret_uid, bool *ret_all)
{
    uint64_t target = call->operation->target;
    struct rqv_err err = {0};

    *ret_all = target == RQV_OPERATION_ALL;
    *ret_uid = target == 0 ? call->peer->source.uid : (uid_t)(target - 1);
    if (!*ret_all && target > UINT32_MAX) {
        fail(call, -EINVAL, "there is no such user");
        return -EINVAL;
    }
    if ((*ret_all || *ret_uid != call->peer->source.uid) &&
        access_touches_others(call->peer, verb, &err) < 0) {
        operate_done(call, &err);
        return err.code;
    }
    return 0;
}

bool control_close(const struct operate_call *call)
{
    struct target target = {0};
    struct rqv_err err = {0};
    uid_t uid;
    bool all;

    if (whose(call, "close", &uid, &all) < 0)
        return true;
    if (target_aim(&target, &call->operation->head, &err) < 0)
        return operate_done(call, &err);
    int rc = query_close_begin(call->peer, call->id, &target, all ? NULL : &uid);
    return rc < 0 ? fail(call, rc, "no memory to go through the pools") : true;
}

/* As a program of that user would: on his account, with his limits, by his policy. */
bool control_warm(const struct operate_call *call)
{
    struct rqv_operation operation = *call->operation;
    struct operate_call warm = {.peer = call->peer, .id = call->id, .operation = &operation};
    struct accounts *all = call->peer->ipc->use.accounts;
    uid_t uid;
    bool everybody;

    if (whose(call, "warm", &uid, &everybody) < 0)
        return true;
    if (everybody)
        return fail(call, -EINVAL, "warm: for one user, not for all");
    if (account_get(all, uid, &warm.account) < 0)
        return fail(call, -ENOMEM, "no memory for the user's account");
    if (warm.account->used[ACCOUNT_PEERS] == 0)
        warm.account->unused_since_us = loop_now_us(all->loop);
    operation.verb = RQV_OP_POOL_PREWARM;
    operation.target = 0;
    bool over = peer_pool_operate(&warm);
    account_release(&warm.account);
    return over;
}
