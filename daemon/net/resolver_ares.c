/* SPDX-License-Identifier: MIT */
/*
 * resolver_ares - c-ares on the loop: its sockets are loop_ios, its next timeout is one timer.
 *
 *   start -> ares_getaddrinfo -> [socket state: watch] -> io or timer -> ares_process_fd -> on_addrinfo ->
 * answer
 *
 * c-ares reads resolv.conf once, when its channel is made. The file is looked at before a lookup, at most
 * once a second; when it has changed, a new channel is made, and the one before ends what it has under way
 * and goes:
 *
 *   state ── line (takes lookups) ── channel, sockets, timer
 *     └───── retired lines, two at most ──(nothing under way)──> freed
 */
#include "daemon/base/log.h"
#include "daemon/net/resolver_internal.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RESOLV_CONF    "/etc/resolv.conf"
#define CONF_CHECK_US  UINT64_C(1000000)
#define TIMEOUT_MIN_MS 250
#define TRIES          3
#define CHANNEL_WAIT_S 5
#define RETIRED_MAX    2    /* else the change waits until one of them has ended */
#define EDNS_BYTES     1232 /* what passes unfragmented nearly everywhere */

struct ares_socket {
    struct rqv_list node; /* in line->sockets, in use or not: kept for the next one */
    struct ares_line *line;
    struct loop_io io;
};

struct ares_line {
    struct rqv_list node; /* in state->retired, or in none */
    struct ares_state *state;
    ares_channel channel;
    unsigned under_way;
    struct rqv_list sockets;
    struct loop_timer timer;
};

struct ares_state {
    struct resolver *resolver;
    struct ares_line *line;
    struct rqv_list retired;
    unsigned retired_count;
    struct stat conf_seen;
    uint64_t conf_checked_us;
    bool stale; /* resolv.conf has changed since the channel was made */
};

static void line_free(struct ares_line *line)
{
    struct rqv_list *node;

    ares_destroy(line->channel);
    loop_timer_stop(&line->timer);
    while ((node = rqv_list_first(&line->sockets))) {
        struct ares_socket *sock = RQV_LIST_OF(node, struct ares_socket, node);

        loop_io_stop(&sock->io);
        rqv_list_remove(node);
        free(sock);
    }
    rqv_list_remove(&line->node);
    free(line);
}

/* After each call of c-ares: a retired line may be gone after this. */
static void line_settle(struct ares_line *line)
{
    struct ares_state *state = line->state;
    struct timeval most = {.tv_sec = CHANNEL_WAIT_S}, tv, *next;

    if (!line->under_way && line != state->line) {
        state->retired_count--;
        line_free(line);
        return;
    }
    if (!line->under_way) {
        loop_timer_stop(&line->timer);
        return;
    }
    next = ares_timeout(line->channel, &most, &tv);
    loop_timer_at(&line->timer, loop_now_us(state->resolver->loop) + (uint64_t)next->tv_sec * 1000000u +
                                    (uint64_t)next->tv_usec + 1000u);
}

static void on_timer(void *owner)
{
    struct ares_line *line = owner;

    ares_process_fd(line->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    line_settle(line);
}

static void on_socket(void *owner, unsigned events)
{
    struct ares_socket *sock = owner;
    struct ares_line *line = sock->line;
    ares_socket_t fd = sock->io.fd;

    ares_process_fd(line->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
                    events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    line_settle(line);
}

static struct ares_socket *socket_for(struct ares_line *line, int fd)
{
    struct ares_socket *idle = NULL;

    rqv_list_for_each (node, &line->sockets) {
        struct ares_socket *sock = RQV_LIST_OF(node, struct ares_socket, node);

        if (sock->io.fd == fd)
            return sock;
        if (sock->io.fd < 0)
            idle = sock;
    }
    if (idle)
        return idle;
    idle = calloc(1, sizeof(*idle));
    if (!idle)
        return NULL; /* the query runs into its timeout */
    idle->line = line;
    loop_io_init(&idle->io, line->state->resolver->loop, on_socket, idle);
    rqv_list_append(&line->sockets, &idle->node);
    return idle;
}

/* c-ares closes the descriptor right after it said "neither". */
static void on_socket_state(void *owner, ares_socket_t fd, int readable, int writable)
{
    struct ares_line *line = owner;
    unsigned events = (readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u);
    struct ares_socket *sock = socket_for(line, fd);

    if (!sock)
        return;
    if (!events)
        loop_io_stop(&sock->io);
    else if (sock->io.fd == fd)
        loop_io_set(&sock->io, events);
    else
        loop_io_start(&sock->io, fd, events);
}

/* ---- lines ---- */

static int channel_make(struct ares_line *line)
{
    struct ares_options options;
    char lookups[] = "fb"; /* files, then DNS: only then is this back end chosen */
    uint32_t timeout_ms = line->state->resolver->conf->dns_timeout_ms / 4;
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB;

    memset(&options, 0, sizeof(options));
    options.flags = ARES_FLAG_EDNS; /* else an answer of more than 512 bytes is asked for again over TCP */
    options.ednspsz = EDNS_BYTES;
    options.timeout = (int)(timeout_ms < TIMEOUT_MIN_MS ? TIMEOUT_MIN_MS : timeout_ms);
    options.tries = TRIES;
    options.lookups = lookups;
    options.sock_state_cb = on_socket_state;
    options.sock_state_cb_data = line;
    return ares_init_options(&line->channel, &options, mask) == ARES_SUCCESS ? 0 : -ENOMEM;
}

static struct ares_line *line_new(struct ares_state *state)
{
    struct ares_line *line = calloc(1, sizeof(*line));

    if (!line)
        return NULL;
    line->state = state;
    rqv_list_init(&line->node);
    rqv_list_init(&line->sockets);
    loop_timer_init(&line->timer, state->resolver->loop, on_timer, line);
    if (channel_make(line) == 0)
        return line;
    free(line);
    return NULL;
}

static void conf_look(struct ares_state *state)
{
    uint64_t now_us = loop_now_us(state->resolver->loop);
    struct stat now;

    if (state->conf_checked_us && now_us - state->conf_checked_us < CONF_CHECK_US)
        return;
    if (stat(RESOLV_CONF, &now) != 0)
        memset(&now, 0, sizeof(now));
    if (state->conf_checked_us &&
        (now.st_ino != state->conf_seen.st_ino || now.st_size != state->conf_seen.st_size ||
         now.st_mtim.tv_sec != state->conf_seen.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != state->conf_seen.st_mtim.tv_nsec))
        state->stale = true;
    state->conf_seen = now;
    state->conf_checked_us = now_us;
}

/* What is under way stays with the servers that it has asked. Without memory the old line serves on. */
static void line_renew(struct ares_state *state)
{
    struct ares_line *old = state->line, *line;

    if (!state->stale || (old->under_way && state->retired_count == RETIRED_MAX))
        return;
    line = line_new(state);
    if (!line)
        return;
    state->line = line;
    state->stale = false;
    rqv_list_append(&state->retired, &old->node);
    state->retired_count++;
    line_settle(old);
    log_info("%s has changed: it is read again", RESOLV_CONF);
}

/* ---- answers ---- */

static int code_from(int status)
{
    switch (status) {
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_ETIMEOUT:
        return REQIVO_E_TIMEOUT_RESOLVE;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return REQIVO_E_CANCELED;
    default:
        return REQIVO_E_RESOLVE;
    }
}

/* The answer lives as long as its shortest part, aliases included (RFC 2181 8). */
static uint32_t ttl_of(const struct ares_addrinfo *info)
{
    int ttl_s = INT32_MAX;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
        if (node->ai_ttl < ttl_s)
            ttl_s = node->ai_ttl;
    }
    for (const struct ares_addrinfo_cname *cname = info->cnames; cname; cname = cname->next) {
        if (cname->ttl < ttl_s)
            ttl_s = cname->ttl;
    }
    return ttl_s > 0 ? (uint32_t)ttl_s : 0;
}

static void answer_from(struct resolver_answer *answer, const struct ares_addrinfo *info)
{
    for (const struct ares_addrinfo_node *node = info->nodes; node && answer->count < RESOLVER_ADDRS_MAX;
         node = node->ai_next) {
        if (rqv_addr_from_sockaddr(node->ai_addr, node->ai_addrlen, &answer->addrs[answer->count]))
            answer->addrs[answer->count++].port = 0;
    }
    answer->ttl_s = ttl_of(info);
    if (!answer->count) {
        answer->code = REQIVO_E_RESOLVE;
        snprintf(answer->detail, sizeof(answer->detail), "the name has no IPv4 or IPv6 address");
    }
}

static void on_addrinfo(void *owner, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolver_lookup *lookup = owner;
    struct ares_line *line = lookup->backend;
    struct resolver_answer answer;

    (void)timeouts;
    memset(&answer, 0, sizeof(answer));
    if (status == ARES_SUCCESS && info) {
        answer_from(&answer, info);
    } else {
        answer.code = code_from(status);
        snprintf(answer.detail, sizeof(answer.detail), "%s", ares_strerror(status));
    }
    if (info)
        ares_freeaddrinfo(info);
    line->under_way--;
    resolver_lookup_answer(lookup, &answer);
}

/* ---- the back end ---- */

static int ares_backend_start(void *owner, struct resolver_lookup *lookup)
{
    struct ares_state *state = owner;
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    conf_look(state);
    line_renew(state);
    state->line->under_way++;
    lookup->backend = state->line;
    ares_getaddrinfo(state->line->channel, lookup->key.name, NULL, &hints, on_addrinfo, lookup);
    line_settle(state->line);
    return 0;
}

static int ares_backend_open(struct resolver *resolver, void **ret_state)
{
    struct ares_state *state;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return -ENOMEM;
    state = calloc(1, sizeof(*state));
    if (!state)
        goto fail;
    state->resolver = resolver;
    rqv_list_init(&state->retired);
    conf_look(state);
    state->line = line_new(state);
    if (!state->line)
        goto fail;
    *ret_state = state;
    return 0;
fail:
    free(state);
    ares_library_cleanup();
    return -ENOMEM;
}

static void ares_backend_close(void *owner)
{
    struct ares_state *state = owner;
    struct rqv_list *node;

    while ((node = rqv_list_first(&state->retired)))
        line_free(RQV_LIST_OF(node, struct ares_line, node));
    line_free(state->line);
    free(state);
    ares_library_cleanup();
}

int resolver_ares_set_servers(struct resolver *resolver, const char *servers)
{
    struct ares_state *state = resolver->state;

    state->stale = true;
    line_renew(state);
    if (state->stale)
        return REQIVO_E_LIMIT_REQUESTS;
    return ares_set_servers_ports_csv(state->line->channel, servers) == ARES_SUCCESS ? 0 : REQIVO_E_RESOLVE;
}

unsigned resolver_ares_retired(const struct resolver *resolver)
{
    const struct ares_state *state = resolver->state;

    return state->retired_count;
}

const struct resolver_backend resolver_backend_ares = {
    .name = "c-ares",
    .open = ares_backend_open,
    .close = ares_backend_close,
    .start = ares_backend_start,
    .cancel = NULL,
};
