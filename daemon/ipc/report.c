/* SPDX-License-Identifier: MIT */
/*
 * report - see report.h. What a user can provoke is said at a rate of his own (security.md B9-15); details
 * are the daemon's own sentences, which hold no secret.
 */
#include "daemon/ipc/report.h"

#include "daemon/base/log.h"

#include <reqivo/error.h>

static void begin(struct log_fields *fields, const struct peer *peer)
{
    log_fields_init(fields);
    log_field(fields, "UID", "%u", (unsigned)peer->uid);
    log_field(fields, "PID", "%d", (int)peer->pid);
    log_field(fields, "CLIENT", "%llu", (unsigned long long)peer->number);
}

static bool may_say(struct peer *peer)
{
    return log_rate_pass(&peer->account->noise, (unsigned)peer->uid, loop_now_us(peer->ipc->use.loop));
}

void report_violation(struct peer *peer, const char *why)
{
    struct log_fields fields;

    if (!may_say(peer))
        return;
    begin(&fields, peer);
    log_field(&fields, "REASON", "%s", why);
    log_event(LOG_LEVEL_WARNING, LOG_ID_VIOLATION, &fields,
              "peer %llu (uid %u, pid %d) violated the protocol: %s", (unsigned long long)peer->number,
              (unsigned)peer->uid, (int)peer->pid, why);
}

/* Of the limits those that are the user's; what a response may hold is between program and server. */
static enum log_id event_of(int code)
{
    switch (code) {
    case REQIVO_E_LIMIT_MEMORY:
    case REQIVO_E_LIMIT_REQUESTS:
    case REQIVO_E_LIMIT_PEERS:
    case REQIVO_E_LIMIT_TRUST:
        return LOG_ID_LIMIT;
    default:
        return rqv_err_class(code) == REQIVO_CLASS_POLICY ? LOG_ID_REFUSED : LOG_ID_NONE;
    }
}

void report_failure(struct peer *peer, uint64_t id, const struct rqv_done *done)
{
    struct log_fields fields;
    enum log_id event = event_of(done->code);

    if (event == LOG_ID_NONE || !may_say(peer))
        return;
    begin(&fields, peer);
    log_field(&fields, "REQUEST", "%llu", (unsigned long long)id);
    log_field(&fields, "ERROR", "%s", rqv_err_name(done->code));
    log_field(&fields, "REASON", "%.*s", (int)done->detail.len, done->detail.ptr);
    log_event(LOG_LEVEL_NOTICE, event, &fields, "%s: peer %llu (uid %u, pid %d): %s: %.*s",
              event == LOG_ID_LIMIT ? "limit" : "refused", (unsigned long long)peer->number,
              (unsigned)peer->uid, (int)peer->pid, rqv_err_name(done->code), (int)done->detail.len,
              done->detail.ptr);
}
