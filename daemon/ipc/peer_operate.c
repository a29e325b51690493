/* SPDX-License-Identifier: MIT */
/* peer_operate - see peer_operate.h: the table of verbs, and those of sessions. */
#include "daemon/ipc/peer_operate.h"

#include "common/uninit.h"
#include "daemon/ipc/access.h"
#include "daemon/ipc/control.h"
#include "daemon/ipc/peer_pools.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>

#define FIELD_COOKIE RQV_STR("cookie")

/* ---- answers ---- */

int operate_row(const struct operate_call *call, const struct rqv_fields *fields)
{
    size_t size = 64;

    for (size_t i = 0; i < fields->count; i++)
        size += 4 + fields->at[i].name.len + fields->at[i].value.len;
    int rc = peer_room(call->peer, size);
    return rc < 0 ? rc : rqv_wire_encode_info(&call->peer->out.buf, call->id, fields);
}

bool operate_done(const struct operate_call *call, const struct rqv_err *err)
{
    struct rqv_done done = {
        .code = err->code,
        .sys_errno = err->sys_errno,
        .phase = err->phase,
        .sent = REQIVO_SENT_NO,
        .detail = rqv_str_from(err->detail),
        .address = rqv_str_from(err->address),
    };

    peer_done(call->peer, call->id, &done);
    return true;
}

static bool fail(const struct operate_call *call, int code, const char *detail)
{
    struct rqv_err err = {0};

    rqv_err_set(&err, code, REQIVO_PHASE_NONE, "%s", detail);
    return operate_done(call, &err);
}

static bool succeed(const struct operate_call *call)
{
    return operate_done(call, &(struct rqv_err){0});
}

/* ---- sessions ---- */

struct session *peer_session(struct peer *peer, uint64_t id)
{
    struct session_name name = {peer->number, id};
    struct rqv_map_node *node = rqv_map_get(&peer->ipc->sessions, &name, sizeof name);

    return node ? RQV_LIST_OF(node, struct session, node) : NULL;
}

static void session_close(struct peer *peer, struct session *session)
{
    rqv_map_del(&peer->ipc->sessions, &session->node);
    *session->place = session->next;
    if (session->next)
        session->next->place = session->place;
    peer->extra->session_count--;
    session_release(&session);
}

static bool session_open(const struct operate_call *call)
{
    struct peer *peer = call->peer;
    const struct exchange_env *env = peer->ipc->use.env;
    struct session *session;

    if (peer->extra->session_count >= SESSIONS_MAX)
        return fail(call, REQIVO_E_LIMIT_REQUESTS, "1024 sessions are open on this connection");
    int rc = peer_extra_make(peer);
    if (rc >= 0)
        rc = session_new(peer->account, env->suffixes, env->hash_key, &session);
    if (rc < 0)
        return fail(call, rc, "no memory for a session");
    session->name = (struct session_name){peer->number, call->id};
    rc = rqv_map_put(&peer->ipc->sessions, &session->node, &session->name, sizeof session->name);
    if (rc < 0) {
        session_release(&session);
        return fail(call, rc, "no memory for a session");
    }
    session->next = peer->extra->sessions;
    session->place = &peer->extra->sessions;
    if (session->next)
        session->next->place = &session->next;
    peer->extra->sessions = session;
    peer->extra->session_count++;
    return succeed(call);
}

/* The session that the operation is about; NULL after its DONE. */
static struct session *target_session(const struct operate_call *call)
{
    struct session *session = peer_session(call->peer, call->operation->target);

    if (!session)
        fail(call, REQIVO_E_SESSION, "the session was never opened on this connection, or is closed");
    return session;
}

/* Every line is tried; the first that is refused is told. */
static bool cookies_add(const struct operate_call *call)
{
    const struct rqv_fields *lines = &call->operation->head.fields;
    struct session *session = target_session(call);
    struct rqv_err err = {0};
    uint64_t now_s = session_now_s();

    if (!session)
        return true;
    for (size_t i = 0; i < lines->count; i++) {
        const char *why = "";
        int rc = jar_import(session->jar, lines->at[i].value, now_s, &why);
        if (rc == -EINVAL && err.code == 0)
            rqv_err_set(&err, REQIVO_E_COOKIE, REQIVO_PHASE_NONE, "line %zu: %s", i + 1, why);
        else if (rc < 0 && rc != -EINVAL)
            return fail(call, rc, "no memory for the cookies");
    }
    return operate_done(call, &err);
}

static bool cookies_list(const struct operate_call *call)
{
    struct session *session = target_session(call);
    char line[RQV_COOKIE_LINE_MAX] RQV_UNINIT;
    struct rqv_fields row RQV_UNINIT;
    uint64_t now_s = session_now_s();
    int rc = 0;

    if (!session)
        return true;
    for (const struct jar_cookie *at = jar_next(session->jar, NULL, now_s); at && rc == 0;
         at = jar_next(session->jar, at, now_s)) {
        long len = rqv_cookie_write_line(jar_cookie(at), line, sizeof line);
        if (len < 0)
            continue; /* no line that could be read again */
        row.count = 0;
        rqv_fields_add(&row, FIELD_COOKIE, (struct rqv_str){line, (size_t)len});
        rc = operate_row(call, &row);
    }
    explicit_bzero(line, sizeof line);
    return rc < 0 ? fail(call, rc, "the cookies are more than may wait for this program") : succeed(call);
}

static bool cookies_clear(const struct operate_call *call)
{
    struct session *session = target_session(call);

    if (!session)
        return true;
    jar_clear(session->jar);
    return succeed(call);
}

/* ---- the table ---- */

static operate_fn verb_function(uint16_t verb)
{
    switch (verb) {
    case RQV_OP_SESSION_OPEN:
        return session_open;
    case RQV_OP_COOKIES_ADD:
        return cookies_add;
    case RQV_OP_COOKIES_LIST:
        return cookies_list;
    case RQV_OP_COOKIES_CLEAR:
        return cookies_clear;
    case RQV_OP_POOL_STATS:
    case RQV_OP_POOL_LIMIT:
    case RQV_OP_POOL_PREWARM:
    case RQV_OP_POOL_CLOSE_IDLE:
    case RQV_OP_CONNECTION_ACQUIRE:
        return peer_pool_operate;
    case RQV_OP_CONNECTION_RELEASE:
        return peer_connection_release;
    case RQV_OP_CONNECTION_INFO:
        return peer_connection_info;
    case RQV_OP_CONTROL_DRAIN:
        return control_drain;
    case RQV_OP_CONTROL_RELOAD:
        return control_reload;
    case RQV_OP_CONTROL_CLOSE:
        return control_close;
    case RQV_OP_CONTROL_WARM:
        return control_warm;
    default:
        return NULL;
    }
}

const char *peer_operate(struct peer *peer, uint64_t id, struct rqv_str payload)
{
    struct rqv_operation operation RQV_UNINIT; /* the decoder sets all but the fields beyond their count */
    struct operate_call call = {.peer = peer, .id = id, .operation = &operation};
    const char *why = NULL;

    if (rqv_wire_decode_operation(payload, &operation, &why) < 0)
        return why;
    struct rqv_err err = {0};
    if (access_operation(peer, operation.verb, &err) < 0) {
        operate_done(&call, &err);
        return NULL;
    }
    operate_fn fn = verb_function(operation.verb);
    int rc = account_charge(peer->account, ACCOUNT_REQUESTS, 1);
    bool over = true;
    if (rc < 0)
        fail(&call, rc, account_refusal(rc));
    else if (!fn)
        fail(&call, REQIVO_E_INTERNAL, "a verb that is allowed has no function");
    else if (peer_takes_no_more(peer))
        fail(&call, REQIVO_E_SHUTDOWN, "the daemon is shutting down");
    else
        over = fn(&call);
    if (rc == 0 && over)
        account_refund(peer->account, ACCOUNT_REQUESTS, 1);
    return NULL;
}

void peer_operate_cancel(struct peer *peer, uint64_t id)
{
    if (control_cancel(peer, id))
        return;
    struct session *session = peer_pools_cancel(peer, id) ? NULL : peer_session(peer, id);

    if (session)
        session_close(peer, session);
}

void peer_operate_abandon(struct peer *peer)
{
    control_abandon(peer);
    peer_pools_abandon(peer);
    while (peer->extra->sessions)
        session_close(peer, peer->extra->sessions);
}
