/* SPDX-License-Identifier: MIT */
/* query - see query.h. Rows go straight into the peer's queue, a few in each of its turns and none while the
 * queue is full; what no memory is left for ends the answer with the limit's code. */
#include "daemon/ipc/query.h"

#include "common/uninit.h"
#include "daemon/base/overload.h"
#include "daemon/base/policies.h"
#include "daemon/ipc/access.h"
#include "daemon/ipc/metrics.h"
#include "daemon/work/row.h"

#include "config.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUERY_CLOSE UINT16_MAX /* no verb of QUERY: an operation that goes through the pools */
#define QUERY_ROWS  8          /* in one go; then the next peer's turn */

/* A list, or the metrics, that are being sent. */
struct query {
    struct roll *roll;
    struct account *account; /* whose it is: a reference; NULL: that of all */
    struct roll_node place;
    struct metrics metrics;
    uint64_t id;
    uint16_t verb;
    struct query_close {
        char host[RQV_HOST_MAX + 1];
        uint16_t port;
        bool use_tls;
        uint64_t pools, closed;
    } close; /* of QUERY_CLOSE */
};

static size_t row_size(const struct row *row)
{
    return ROW_TEXT + 64 * row->fields.count + 64;
}

static int row_send(struct peer *peer, uint64_t id, struct row *row)
{
    int rc = peer_room(peer, row_size(row));

    if (rc == 0)
        rc = rqv_wire_encode_info(&peer->out.buf, id, &row->fields);
    row_init(row);
    return rc;
}

static uint64_t oldest_wait_ms(const struct ipc *ipc, const struct roll rolls[ROLL_KINDS])
{
    return pool_oldest_wait_us(&rolls[ROLL_WAITERS], loop_now_us(ipc->use.loop)) / 1000;
}

/* Under what the peer's user is, or will be when a program of his comes. */
static void rules_row(struct row *row, const struct peer *peer, const struct account *account)
{
    const struct policies *policies = peer->ipc->use.accounts->policies;
    const struct partition *partition = policies_partition(policies, peer->source.uid);
    const struct policy *policy = account->policy;
    const char *name = account->partition ? account->partition : partition ? partition->name : NULL;

    if (!policy)
        policy = policies_policy(policies, partition ? partition->first : peer->source.uid);
    if (name)
        row_add(row, "partition", "%s", name);
    if (policy)
        row_add(row, "policy", "%s", policy->name);
}

/* What the programs of the peer's user hold. */
static void account_row(struct row *row, const struct peer *peer)
{
    static const struct account none;
    const struct account *account = account_find(peer->ipc->use.accounts, peer->source.uid);

    if (!account)
        account = &none;
    row_count(row, "uid", peer->source.uid);
    rules_row(row, peer, account);
    row_count(row, "programs", account->used[ACCOUNT_PEERS]);
    row_count(row, "requests", account->used[ACCOUNT_REQUESTS]);
    row_count(row, "connections", account->used[ACCOUNT_CONNS]);
    row_count(row, "memory", account_memory(account->used));
    row_count(row, "waiting", account->rolls[ROLL_WAITERS].count);
    row_count(row, "oldest_wait_ms", account == &none ? 0 : oldest_wait_ms(peer->ipc, account->rolls));
}

static void daemon_row(struct row *row, struct ipc *ipc)
{
    const struct exchange_stats *stats = &ipc->use.env->stats;
    const struct accounts *all = ipc->use.accounts;
    struct loop_stats loop;

    loop_stats(ipc->use.loop, &loop);
    row_count(row, "all_programs", ipc_programs(ipc));
    row_count(row, "all_requests", all->used[ACCOUNT_REQUESTS]);
    row_count(row, "all_connections", all->used[ACCOUNT_CONNS]);
    row_count(row, "all_memory", account_memory(all->used));
    row_count(row, "all_waiting", all->rolls[ROLL_WAITERS].count);
    row_count(row, "all_oldest_wait_ms", oldest_wait_ms(ipc, all->rolls));
    row_count(row, "pools", all->rolls[ROLL_POOLS].count);
    char causes[128];
    overload_causes(all, causes, sizeof causes);
    row_add(row, "overload", "%s", overload_name(all));
    row_add(row, "overload_by", "%s", causes);
    row_count(row, "started", stats->started);
    row_count(row, "succeeded", stats->succeeded);
    row_count(row, "failed", stats->failed);
    row_count(row, "canceled", stats->canceled);
    row_count(row, "abandoned", stats->abandoned);
    row_count(row, "retried", stats->retried);
    row_count(row, "accepted", ipc->accepted);
    row_count(row, "refused", ipc->refused);
    row_count(row, "slow_readers", ipc->slow_closed);
    row_count(row, "wire_violations", ipc->violations);
    row_count(row, "isolation_violations", ipc->use.origins->isolation_violations);
    row_count(row, "longest_turn_us", loop.longest_us);
    row_count(row, "mean_turn_us", loop.turns > 0 ? loop.turn.sum_us / loop.turns : 0);
}

static int answer_status(struct peer *peer, uint64_t id)
{
    struct ipc *ipc = peer->ipc;
    struct row row;

    row_init(&row);
    row_add(&row, "version", "%s", PACKAGE_VERSION);
    row_count(&row, "pid", (uint64_t)getpid());
    row_count(&row, "uptime_s", (loop_now_us(ipc->use.loop) - ipc->started_us) / 1000000);
    row_add(&row, "state", "%s", ipc->draining ? "draining" : "running");
    row_add(&row, "instance", "%s", ipc->use.conf->user_instance ? "user" : "system");
    account_row(&row, peer);
    if (access_sees_all(peer))
        daemon_row(&row, ipc);
    int rc = peer_room_owed(peer, row_size(&row)); /* however full the daemon is */
    return rc < 0 ? rc : row_send(peer, id, &row);
}

static void pool_row_owner(struct row *row, const struct account *account)
{
    if (account->partition)
        row_add(row, "partition", "%s", account->partition);
    else
        row_count(row, "uid", account->uid);
}

static void pool_row(struct row *row, const struct pool *pool, uint64_t now_ms)
{
    const struct rqv_list *oldest = pool->conns[CONN_IDLE].prev; /* the newest is at the head */
    uint64_t idle_ms = 0;

    if (oldest != &pool->conns[CONN_IDLE])
        idle_ms = now_ms - RQV_LIST_OF(oldest, struct conn, node)->idle_since_ms;
    row_origin(row, pool->use_tls ? "https" : "http", pool->host, pool->port);
    pool_row_owner(row, pool->account);
    row_add(row, "verify", "%s", !pool->use_tls ? "-" : pool->verify ? "on" : "off");
    row_count(row, "idle", pool->count[CONN_IDLE]);
    row_count(row, "leased", pool->count[CONN_LEASED]);
    row_count(row, "dialing", pool->count[CONN_DIALING]);
    row_count(row, "waiting", pool->waiters.count);
    row_count(row, "requests", pool->stats.requests);
    row_count(row, "reused", pool->stats.reused);
    row_count(row, "opened", pool->stats.opened);
    row_count(row, "resumed", pool->stats.resumed);
    row_count(row, "failures", pool->stats.failures);
    row_count(row, "oldest_idle_ms", idle_ms);
}

/* In a second; ages below one count as one. */
static uint64_t rate(uint64_t bytes, uint64_t us)
{
    return us < 1000000 ? bytes : (uint64_t)((double)bytes * 1e6 / (double)us);
}

static void websocket_row(struct row *row, const struct wsession *ws, uint64_t now_us)
{
    row_origin(row, ws->target.use_tls ? "wss" : "ws", ws->target.host, ws->target.port);
    row_count(row, "uid", ws->uid);
    row_add(row, "state", "%s", wsession_state_name(ws));
    row_count(row, "age_ms", (now_us - ws->start_us) / 1000);
    row_count(row, "sent_messages", ws->sent.messages);
    row_count(row, "sent_bytes", ws->sent.bytes);
    row_count(row, "received_messages", ws->received.messages);
    row_count(row, "received_bytes", ws->received.bytes);
    row_count(row, "sent_rate", rate(ws->sent.bytes, now_us - ws->start_us));
    row_count(row, "received_rate", rate(ws->received.bytes, now_us - ws->start_us));
    row_count(row, "queued_up", queue_len(&ws->up) + queue_len(&ws->out));
    row_count(row, "queued_down", queue_len(&ws->in));
    row_count(row, "attempt", ws->attempt);
}

static void client_row(struct row *row, const struct peer *peer, uint64_t now_us)
{
    row_count(row, "program", peer->number);
    row_count(row, "uid", peer->source.uid);
    row_count(row, "pid", (uint64_t)peer->pid);
    row_add(row, "state", "%s",
            peer->state == PEER_SILENT ? "silent"
            : peer->write_blocked      ? "blocked"
            : peer->hungry             ? "hungry"
                                       : "open");
    row_count(row, "age_ms", (now_us - peer->since_us) / 1000);
    row_count(row, "requests", peer->in_flight);
    row_count(row, "sessions", peer->extra->session_count);
    row_count(row, "connections", peer->extra->pin_count);
    row_count(row, "queued", queue_len(&peer->out));
}

/* Never more of a URL than its origin. */
static void request_row(struct row *row, const struct exchange *x, uint64_t now_us)
{
    const struct peer *peer = x->owner;

    row_add(row, "id", "%llu.%llu", (unsigned long long)peer->number, (unsigned long long)x->id);
    row_count(row, "uid", peer->source.uid);
    row_count(row, "pid", (uint64_t)peer->pid);
    row_add(row, "method", "%s", x->target.method);
    row_origin(row, x->target.use_tls ? "https" : "http", x->target.host, x->target.port);
    row_add(row, "state", "%s", exchange_step_name(x));
    row_count(row, "age_ms", (now_us - x->start_us) / 1000);
    row_count(row, "sent_bytes", x->body_received);
    row_count(row, "received_bytes", x->response_bytes);
}

static void row_of(struct row *row, uint16_t verb, const void *thing, struct loop *loop)
{
    switch (verb) {
    case RQV_QUERY_POOLS:
        pool_row(row, thing, loop_boot_ms(loop));
        break;
    case RQV_QUERY_WEBSOCKETS:
        websocket_row(row, thing, loop_now_us(loop));
        break;
    case RQV_QUERY_CLIENTS:
        client_row(row, thing, loop_now_us(loop));
        break;
    default:
        request_row(row, thing, loop_now_us(loop));
    }
}

/* One piece is one row, each of its lines one value: a value has no ends of lines. */
static int metrics_rows(struct peer *peer, struct query *query)
{
    struct rqv_fields fields RQV_UNINIT; /* those below their count are set */
    char text[METRICS_PIECE] RQV_UNINIT;

    for (int pieces = 0; pieces < QUERY_ROWS; pieces++) {
        size_t len = metrics_next(&query->metrics, text);
        if (len == 0)
            return 1;
        struct rqv_str rest = {text, len - 1}, line;
        fields.count = 0;
        while (rqv_str_split(&rest, '\n', &line))
            (void)rqv_fields_add(&fields, RQV_STR("line"), line);
        int rc = peer_room(peer, len + 8 * fields.count + 64);
        if (rc == 0)
            rc = rqv_wire_encode_info(&peer->out.buf, query->id, &fields);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int send_closed(struct peer *peer, uint64_t id, const struct query_close *close)
{
    struct row row;

    row_init(&row);
    row_count(&row, "pools", close->pools);
    row_count(&row, "closed", close->closed);
    return row_send(peer, id, &row);
}

static int close_rows(struct peer *peer, struct query *query)
{
    struct query_close *close = &query->close;
    void *thing;

    for (int steps = 0; steps < QUERY_ROWS; steps++) {
        if (!roll_step(query->roll, &query->place, &thing)) {
            int rc = send_closed(peer, query->id, close);
            return rc < 0 ? rc : 1;
        }
        struct pool *pool = thing;
        if (!pool || pool->port != close->port || pool->use_tls != close->use_tls ||
            strcmp(pool->host, close->host) != 0)
            continue;
        close->pools++;
        close->closed += pool_close_idle(pool);
    }
    return 0;
}

static uid_t uid_of(uint16_t verb, const void *thing)
{
    const struct peer *of = verb == RQV_QUERY_CLIENTS ? thing : NULL;

    if (verb == RQV_QUERY_WEBSOCKETS)
        return ((const struct wsession *)thing)->uid;
    if (!of)
        of = ((const struct exchange *)thing)->owner;
    return of->source.uid;
}

/* Pools are his partition's; programs and what they do are his alone. */
static bool is_his(const struct peer *peer, const struct query *query, const void *thing)
{
    return !query->account || query->verb == RQV_QUERY_POOLS ||
           uid_of(query->verb, thing) == peer->source.uid;
}

/* 0: there is more. 1: that was all. Negative: it does not fit. */
static int query_rows(struct peer *peer, struct query *query)
{
    struct row row;
    void *thing;

    if (query->verb == RQV_QUERY_METRICS)
        return metrics_rows(peer, query);
    if (query->verb == QUERY_CLOSE)
        return close_rows(peer, query);
    row_init(&row);
    for (int steps = 0; steps < QUERY_ROWS; steps++) {
        if (!roll_step(query->roll, &query->place, &thing))
            return 1;
        if (!thing || !is_his(peer, query, thing))
            continue;
        row_of(&row, query->verb, thing, peer->ipc->use.loop);
        int rc = row_send(peer, query->id, &row);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void answer_end(struct peer *peer, uint64_t id, int code, const char *detail)
{
    struct rqv_done done = {.sent = REQIVO_SENT_YES, .code = code};

    done.detail = rqv_str_from(code < 0 && !*detail ? rqv_err_text(code) : detail);
    peer_done(peer, id, &done);
}

void query_go_on(struct peer *peer)
{
    int rc = query_rows(peer, peer->extra->query);

    if (rc != 0)
        query_end(peer, rc < 0 ? rc : 0);
}

void query_end(struct peer *peer, int code)
{
    uint64_t id = peer->extra->query->id;

    query_drop(peer);
    answer_end(peer, id, code, "");
}

void query_drop(struct peer *peer)
{
    struct query *query = peer->extra->query;

    if (!query)
        return;
    if (query->verb == RQV_QUERY_METRICS)
        metrics_end(&query->metrics);
    roll_close(&query->place);
    account_release(&query->account);
    account_refund(peer->account, ACCOUNT_MEMORY, sizeof *query);
    peer->extra->query = NULL;
    free(query);
}

static enum account_roll roll_of(uint16_t verb)
{
    switch (verb) {
    case RQV_QUERY_POOLS:
    case QUERY_CLOSE:
        return ROLL_POOLS;
    case RQV_QUERY_WEBSOCKETS:
        return ROLL_WEBSOCKETS;
    case RQV_QUERY_CLIENTS:
        return ROLL_PROGRAMS;
    default: /* of the metrics none is read */
        return ROLL_REQUESTS;
    }
}

/* `account`: whose list; NULL: that of all. */
static int list_begin(struct peer *peer, uint64_t id, uint16_t verb, struct account *account)
{
    enum account_roll kind = roll_of(verb);
    int rc = peer_extra_make(peer);

    if (rc == 0)
        rc = account_charge(peer->account, ACCOUNT_MEMORY, sizeof(struct query));
    if (rc < 0)
        return rc;
    struct query *query = calloc(1, sizeof *query);
    if (!query) {
        account_refund(peer->account, ACCOUNT_MEMORY, sizeof *query);
        return -ENOMEM;
    }
    query->id = id;
    query->verb = verb;
    query->account = account ? account_ref(account) : NULL;
    query->roll = account ? &account->rolls[kind] : &peer->ipc->use.accounts->rolls[kind];
    if (verb == RQV_QUERY_METRICS)
        metrics_begin(&query->metrics, peer->ipc, account, true);
    roll_open(query->roll, &query->place);
    peer->extra->query = query;
    return 0;
}

/* Who is shown his own, and has nothing, is shown nothing. */
static int rows_begin(struct peer *peer, uint64_t id, uint16_t verb)
{
    struct account *account = account_find(peer->ipc->use.accounts, peer->source.uid);

    if (access_sees_all(peer))
        return list_begin(peer, id, verb, NULL);
    return account ? list_begin(peer, id, verb, account) : 0;
}

int query_close_begin(struct peer *peer, uint64_t id, const struct target *target, const uid_t *uid)
{
    struct account *account = uid ? account_find(peer->ipc->use.accounts, *uid) : NULL;
    struct query_close none = {.pools = 0};
    int rc;

    if (uid && !account) {
        rc = send_closed(peer, id, &none);
        answer_end(peer, id, rc, "");
        return 0;
    }
    rc = list_begin(peer, id, QUERY_CLOSE, account);
    if (rc < 0)
        return rc;
    struct query_close *close = &peer->extra->query->close;
    memcpy(close->host, target->host, sizeof close->host);
    close->port = target->port;
    close->use_tls = target->use_tls;
    return 0;
}

void query_begin(struct peer *peer, uint64_t id, uint16_t verb)
{
    struct rqv_err err = {0};
    int rc = access_query(peer, verb, &err);

    if (rc == 0)
        rc = verb == RQV_QUERY_STATUS ? answer_status(peer, id) : rows_begin(peer, id, verb);
    if (!peer->extra->query)
        answer_end(peer, id, rc, err.detail);
}
