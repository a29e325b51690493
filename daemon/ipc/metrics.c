/* SPDX-License-Identifier: MIT */
/* metrics - see metrics.h: the table of families, in the order in which somebody in trouble looks at them. */
#include "daemon/ipc/metrics.h"

#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *at;
    size_t used;
    const char *name; /* of the family */
};

/* One of: a number; a time in us; parts with labels, true when there is another one; a number or a time of
 * each user. */
struct family {
    const char *name, *type, *help;
    uint64_t (*number)(const struct ipc *ipc);
    uint64_t (*time)(const struct ipc *ipc);
    bool (*part)(const struct ipc *ipc, unsigned part, struct text *text);
    uint64_t (*user)(const struct account *account);
    uint64_t (*user_time)(const struct account *account);
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line that has no room is left out whole: a test reads all that may be there. */
static void add(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text->at + text->used, METRICS_PIECE - text->used, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < METRICS_PIECE - text->used)
        text->used += (size_t)n;
}

static void labelled(struct text *text, const char *label, const char *of, uint64_t number)
{
    add(text, "%s{%s=\"%s\"} %" PRIu64 "\n", text->name, label, of, number);
}

/* `label`: "" or one pair, without a comma. */
static void histogram(struct text *text, const char *label, const struct histogram *of)
{
    const char *comma = *label ? "," : "", *open = *label ? "{" : "", *close = *label ? "}" : "";
    uint64_t sum = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        uint64_t us = histogram_bound_us(i);

        sum += of->count[i];
        add(text, "%s_bucket{%s%sle=\"%" PRIu64 ".%06" PRIu64 "\"} %" PRIu64 "\n", text->name, label, comma,
            us / 1000000, us % 1000000, sum);
    }
    sum += of->count[HISTOGRAM_BUCKETS - 1];
    add(text, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", text->name, label, comma, sum);
    add(text, "%s_sum%s%s%s %" PRIu64 ".%06" PRIu64 "\n", text->name, open, label, close,
        of->sum_us / 1000000, of->sum_us % 1000000);
    add(text, "%s_count%s%s%s %" PRIu64 "\n", text->name, open, label, close, sum);
}

/* ---- numbers ---- */

#define NUMBER(name, value)                                                                                  \
    static uint64_t name(const struct ipc *ipc)                                                              \
    {                                                                                                        \
        return (value);                                                                                      \
    }

NUMBER(waiting, ipc->use.accounts->rolls[ROLL_WAITERS].count)
NUMBER(oldest_wait, pool_oldest_wait_us(&ipc->use.accounts->rolls[ROLL_WAITERS], loop_now_us(ipc->use.loop)))
NUMBER(in_flight, ipc->use.accounts->rolls[ROLL_REQUESTS].count)
NUMBER(pools, ipc->use.accounts->rolls[ROLL_POOLS].count)
NUMBER(leases, ipc->use.origins->stats.requests)
NUMBER(reused, ipc->use.origins->stats.reused)
NUMBER(opened, ipc->use.origins->stats.opened)
NUMBER(resumed, ipc->use.origins->stats.resumed)
NUMBER(failures, ipc->use.origins->stats.failures)
NUMBER(started, ipc->use.env->stats.started)
NUMBER(retried, ipc->use.env->stats.retried)
NUMBER(sent_bytes, ipc->use.env->stats.sent_bytes)
NUMBER(received_bytes, ipc->use.env->stats.received_bytes)
NUMBER(websockets, ipc->use.accounts->rolls[ROLL_WEBSOCKETS].count)
NUMBER(programs, ipc->use.accounts->rolls[ROLL_PROGRAMS].count)
NUMBER(accepted, ipc->accepted)
NUMBER(refused, ipc->refused)
NUMBER(slow_closed, ipc->slow_closed)
NUMBER(violations, ipc->violations)
NUMBER(isolation, ipc->use.origins->isolation_violations)
NUMBER(uptime, loop_now_us(ipc->use.loop) - ipc->started_us)

static uint64_t turns(const struct ipc *ipc)
{
    struct loop_stats stats;

    loop_stats(ipc->use.loop, &stats);
    return stats.turns;
}

static uint64_t longest_turn(const struct ipc *ipc)
{
    struct loop_stats stats;

    loop_stats(ipc->use.loop, &stats);
    return stats.longest_us;
}

/* ---- parts ---- */

static bool results(const struct ipc *ipc, unsigned part, struct text *text)
{
    const struct exchange_stats *stats = &ipc->use.env->stats;

    (void)part;
    labelled(text, "result", "succeeded", stats->succeeded);
    labelled(text, "result", "failed", stats->failed);
    labelled(text, "result", "canceled", stats->canceled);
    labelled(text, "result", "abandoned", stats->abandoned);
    return false;
}

static bool errors(const struct ipc *ipc, unsigned part, struct text *text)
{
    (void)part;
    for (int cls = REQIVO_CLASS_OK + 1; cls <= REQIVO_CLASS_TOO_MANY_REDIRECTS; cls++)
        labelled(text, "class", rqv_class_name((enum reqivo_class)cls), ipc->use.env->stats.errors[cls]);
    return false;
}

static bool connections(const struct ipc *ipc, unsigned part, struct text *text)
{
    const unsigned *count = ipc->use.origins->count;

    (void)part;
    labelled(text, "state", "dialing", count[CONN_DIALING]);
    labelled(text, "state", "idle", count[CONN_IDLE]);
    labelled(text, "state", "leased", count[CONN_LEASED]);
    return false;
}

static bool phases(const struct ipc *ipc, unsigned part, struct text *text)
{
    static const char *const labels[RQV_TIME_COUNT] = {
        [RQV_TIME_QUEUE] = "phase=\"queue\"",     [RQV_TIME_DNS] = "phase=\"dns\"",
        [RQV_TIME_CONNECT] = "phase=\"connect\"", [RQV_TIME_TLS] = "phase=\"tls\"",
        [RQV_TIME_SEND] = "phase=\"send\"",       [RQV_TIME_FIRST] = "phase=\"first_byte\"",
        [RQV_TIME_TOTAL] = "phase=\"total\"",
    };

    histogram(text, labels[part], &ipc->use.env->stats.time[part]);
    return part + 1 < RQV_TIME_COUNT;
}

static bool turn_time(const struct ipc *ipc, unsigned part, struct text *text)
{
    struct loop_stats stats;

    (void)part;
    loop_stats(ipc->use.loop, &stats);
    histogram(text, "", &stats.turn);
    return false;
}

static bool late_time(const struct ipc *ipc, unsigned part, struct text *text)
{
    struct loop_stats stats;

    (void)part;
    loop_stats(ipc->use.loop, &stats);
    histogram(text, "", &stats.late);
    return false;
}

static const char *const kinds[ACCOUNT_KINDS] = {
    [ACCOUNT_MEMORY] = "memory",  [ACCOUNT_OWED] = "owed",         [ACCOUNT_REQUESTS] = "requests",
    [ACCOUNT_PEERS] = "programs", [ACCOUNT_CONNS] = "connections", [ACCOUNT_TRUSTS] = "trusts",
};

static bool kinds_of(struct text *text, const size_t of[ACCOUNT_KINDS])
{
    for (int kind = 0; kind < ACCOUNT_KINDS; kind++)
        labelled(text, "kind", kinds[kind], of[kind]);
    return false;
}

static bool account_used(const struct ipc *ipc, unsigned part, struct text *text)
{
    (void)part;
    return kinds_of(text, ipc->use.accounts->used);
}

static bool account_limit_part(const struct ipc *ipc, unsigned part, struct text *text)
{
    (void)part;
    return kinds_of(text, ipc->use.accounts->limit_all);
}

static bool account_refused(const struct ipc *ipc, unsigned part, struct text *text)
{
    (void)part;
    for (int kind = 0; kind < ACCOUNT_KINDS; kind++)
        labelled(text, "kind", kinds[kind], ipc->use.accounts->refused[kind]);
    return false;
}

static bool build(const struct ipc *ipc, unsigned part, struct text *text)
{
    (void)ipc;
    (void)part;
    labelled(text, "version", PACKAGE_VERSION, 1);
    return false;
}

/* ---- of each user ---- */

#define USER(name, value)                                                                                    \
    static uint64_t name(const struct account *account)                                                      \
    {                                                                                                        \
        return (value);                                                                                      \
    }

USER(user_waiting, account->rolls[ROLL_WAITERS].count)
USER(user_oldest, pool_oldest_wait_us(&account->rolls[ROLL_WAITERS], loop_now_us(account->all->loop)))
USER(user_in_flight, account->used[ACCOUNT_REQUESTS])
USER(user_requests, account->requests)
USER(user_errors, account->errors)
USER(user_received, account->received_bytes)
USER(user_programs, account->used[ACCOUNT_PEERS])
USER(user_conns, account->used[ACCOUNT_CONNS])
USER(user_memory, account_memory(account->used))

static uint64_t user_refused(const struct account *account)
{
    uint64_t sum = 0;

    for (int kind = 0; kind < ACCOUNT_KINDS; kind++)
        sum += account->refused[kind];
    return sum;
}

/* ---- the table ---- */

#define G "gauge"
#define C "counter"
#define H "histogram"

static const struct family families[] = {
    {"reqivo_requests_waiting", G, "Requests that wait for a connection.", .number = waiting},
    {"reqivo_oldest_wait_seconds", G, "How long the one has waited that has waited longest.",
     .time = oldest_wait},
    {"reqivo_requests_in_flight", G, "Requests that have not ended.", .number = in_flight},
    {"reqivo_pools", G, "Pools of connections.", .number = pools},
    {"reqivo_connections", G, "Connections of the pools, by state.", .part = connections},
    {"reqivo_connections_opened_total", C, "Connections that were made.", .number = opened},
    {"reqivo_connections_resumed_total", C, "Connections of these that resumed a TLS session.",
     .number = resumed},
    {"reqivo_connect_failures_total", C, "Attempts to connect that failed.", .number = failures},
    {"reqivo_pool_requests_total", C, "Requests that were given a connection.", .number = leases},
    {"reqivo_pool_reused_total", C, "Requests of these whose connection had served before.",
     .number = reused},
    {"reqivo_requests_started_total", C, "Requests that were taken.", .number = started},
    {"reqivo_requests_total", C, "Requests that have ended, by result.", .part = results},
    {"reqivo_request_errors_total", C, "Requests that failed, by class of error.", .part = errors},
    {"reqivo_requests_retried_total", C, "Requests that were sent a second time.", .number = retried},
    {"reqivo_request_phase_seconds", H, "Time that requests spent in each phase.", .part = phases},
    {"reqivo_request_body_bytes_total", C, "Bytes of request bodies.", .number = sent_bytes},
    {"reqivo_response_body_bytes_total", C, "Bytes of response bodies.", .number = received_bytes},
    {"reqivo_websockets", G, "WebSocket sessions.", .number = websockets},
    {"reqivo_user_requests_waiting", G, "Requests of a user that wait for a connection.",
     .user = user_waiting},
    {"reqivo_user_oldest_wait_seconds", G, "How long the one of a user has waited that has waited longest.",
     .user_time = user_oldest},
    {"reqivo_user_requests_in_flight", G, "Requests and operations of a user that have not ended.",
     .user = user_in_flight},
    {"reqivo_user_requests_total", C, "Requests of a user that were taken.", .user = user_requests},
    {"reqivo_user_errors_total", C, "Requests of a user that failed.", .user = user_errors},
    {"reqivo_user_response_body_bytes_total", C, "Bytes of response bodies.", .user = user_received},
    {"reqivo_user_programs", G, "Programs of a user that are connected.", .user = user_programs},
    {"reqivo_user_connections", G, "Connections to servers that a user holds.", .user = user_conns},
    {"reqivo_user_memory_bytes", G, "Memory that a user holds.", .user = user_memory},
    {"reqivo_user_refused_total", C, "What a user was refused because of a limit.", .user = user_refused},
    {"reqivo_loop_turns_total", C, "Turns of the event loop.", .number = turns},
    {"reqivo_loop_turn_seconds", H, "Length of turns: what becomes ready meanwhile waits for the end.",
     .part = turn_time},
    {"reqivo_loop_longest_turn_seconds", G, "The longest turn of the last minute or two.",
     .time = longest_turn},
    {"reqivo_loop_timer_late_seconds", H, "How long after their time timers ran.", .part = late_time},
    {"reqivo_account_used", G, "What all users hold, by kind.", .part = account_used},
    {"reqivo_account_limit", G, "What all users may hold at most, by kind.", .part = account_limit_part},
    {"reqivo_account_refused_total", C, "Charges that were refused because of a limit, by kind.",
     .part = account_refused},
    {"reqivo_programs", G, "Programs that are connected.", .number = programs},
    {"reqivo_programs_accepted_total", C, "Connections of programs that were accepted.", .number = accepted},
    {"reqivo_programs_refused_total", C, "Connections that were refused.", .number = refused},
    {"reqivo_programs_slow_total", C, "Programs that were disconnected because they did not read.",
     .number = slow_closed},
    {"reqivo_wire_violations_total", C, "Programs that broke the protocol.", .number = violations},
    {"reqivo_isolation_violations_total", C, "Connections found to be of another pool: always 0.",
     .number = isolation},
    {"reqivo_uptime_seconds", G, "Since the daemon was started.", .time = uptime},
    {"reqivo_build_info", G, "The version.", .part = build},
};
#define FAMILIES (sizeof families / sizeof families[0])

/* ---- pieces ---- */

void metrics_begin(struct metrics *metrics, struct ipc *ipc, struct account *only, bool users)
{
    memset(metrics, 0, sizeof *metrics);
    rqv_list_init(&metrics->place.node);
    metrics->ipc = ipc;
    metrics->only = only;
    metrics->users = users || only;
    if (only)
        only->refs++;
}

void metrics_end(struct metrics *metrics)
{
    roll_close(&metrics->place);
    account_release(&metrics->only);
}

static bool is_of_users(const struct family *family)
{
    return family->user || family->user_time;
}

/* The users of a partition have one line together. Names of partitions have no quotes in them. */
static void user_line(const struct family *family, const struct account *account, struct text *text)
{
    if (account->partition)
        add(text, "%s{partition=\"%s\"} ", family->name, account->partition);
    else
        add(text, "%s{uid=\"%u\"} ", family->name, (unsigned)account->uid);
    if (family->user) {
        add(text, "%" PRIu64 "\n", family->user(account));
        return;
    }
    uint64_t us = family->user_time(account);
    add(text, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

/* A few accounts; true when there are more. */
static bool user_part(struct metrics *metrics, const struct family *family, struct text *text)
{
    struct roll *everybody = &metrics->ipc->use.accounts->everybody;
    void *account;

    if (metrics->only) {
        user_line(family, metrics->only, text);
        return false;
    }
    if (metrics->part == 0)
        roll_open(everybody, &metrics->place);
    for (int i = 0; i < 16; i++) {
        if (!roll_step(everybody, &metrics->place, &account)) {
            roll_close(&metrics->place);
            return false;
        }
        if (account)
            user_line(family, account, text);
    }
    return true;
}

static bool family_part(struct metrics *metrics, const struct family *family, struct text *text)
{
    const struct ipc *ipc = metrics->ipc;

    if (metrics->part == 0)
        add(text, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name, family->type);
    if (is_of_users(family))
        return user_part(metrics, family, text);
    if (family->part)
        return family->part(ipc, metrics->part, text);
    if (family->number) {
        add(text, "%s %" PRIu64 "\n", family->name, family->number(ipc));
    } else {
        uint64_t us = family->time(ipc);
        add(text, "%s %" PRIu64 ".%06" PRIu64 "\n", family->name, us / 1000000, us % 1000000);
    }
    return false;
}

size_t metrics_next(struct metrics *metrics, char text[METRICS_PIECE])
{
    struct text piece = {.at = text};

    while (piece.used == 0 && metrics->family < FAMILIES) {
        const struct family *family = &families[metrics->family];
        bool shown = is_of_users(family) ? metrics->users : !metrics->only;

        piece.name = family->name;
        if (shown && family_part(metrics, family, &piece)) {
            metrics->part++;
            continue;
        }
        metrics->family++;
        metrics->part = 0;
    }
    return piece.used;
}
