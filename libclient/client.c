/* SPDX-License-Identifier: MIT */
/* client - the handle: opening and closing, and the functions by which a program or its event loop drives it.
 */
#include "libclient/handle.h"
#include "libclient/remote.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "libclient/trust.h"
#include "libclient/websocket.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int rqv_client_new(const char *path, struct reqivo_client **ret_client)
{
    struct reqivo_client *client = calloc(1, sizeof(*client));

    if (!client)
        return -ENOMEM;
    int r = rqv_channel_init(&client->channel, path);
    if (r < 0) {
        free(client);
        return r;
    }
    rqv_start_init(&client->start, false);
    rqv_list_init(&client->all);
    rqv_list_init(&client->ready);
    rqv_list_init(&client->sending);
    rqv_list_init(&client->trust);
    rqv_list_init(&client->remotes);
    rqv_ids_init(&client->ids);
    client->next_deadline_ms = UINT64_MAX;
    client->pid = getpid();
    *ret_client = client;
    return 0;
}

/* A full backlog (EAGAIN) is a daemon that is there: the handle tries again. */
static int open_at(const char *path, struct reqivo_client **ret_client)
{
    struct reqivo_client *client;
    int r = rqv_client_new(path, &client);

    if (r < 0)
        return r;
    rqv_client_connect(client, rqv_now_ms());
    if (client->channel.state == RQV_CHANNEL_DOWN && client->channel.connect_errno != EAGAIN)
        r = REQIVO_E_NO_DAEMON;
    else if (client->channel.broken)
        r = -ENOMEM;
    if (r < 0)
        rqv_client_destroy(client);
    else
        *ret_client = client;
    return r;
}

int reqivo_open(const char *socket_path, struct reqivo_client **ret_client)
{
    char space[256];
    int saved = errno;

    if (!ret_client)
        return -EINVAL;
    int r = open_at(rqv_socket_path(socket_path, space, sizeof space), ret_client);
    errno = saved;
    return r;
}

/* Nobody answers at `path`: the handle begins with a daemon that is being started, here or where the user's
 * own has its place. */
static int open_starting(const char *path, struct rqv_err *err, struct reqivo_client **ret_client)
{
    struct reqivo_client *client;
    int r = rqv_client_new(path, &client);

    if (r < 0)
        return r;
    client->start.wanted = true;
    r = rqv_client_start(client, rqv_now_ms(), err->detail);
    if (r < 0)
        rqv_client_destroy(client);
    else
        *ret_client = client;
    return r;
}

int reqivo_open_flags(const char *socket_path, unsigned flags, char *text, size_t size,
                      struct reqivo_client **ret_client)
{
    char space[256], own[256];
    int saved = errno;
    struct rqv_err err = {0};

    if (!ret_client || (flags & ~(unsigned)REQIVO_OPEN_START))
        return -EINVAL;
    const char *path = rqv_socket_path(socket_path, space, sizeof space);
    int r = open_at(path, ret_client);
    if (r == 0)
        (*ret_client)->start.wanted = flags & REQIVO_OPEN_START;
    if (r == REQIVO_E_NO_DAEMON && text && size > 0)
        reqivo_open_error(socket_path, text, size);
    if (r == REQIVO_E_NO_DAEMON && (flags & REQIVO_OPEN_START)) {
        path = rqv_start_path(path, own, sizeof own);
        if (path)
            r = open_starting(path, &err, ret_client);
        else
            rqv_err_set(&err, r, REQIVO_PHASE_IPC, "%s",
                        "XDG_RUNTIME_DIR does not name a folder for a daemon of this user's own");
        if (r < 0 && err.detail[0] && text && size > 0)
            snprintf(text, size, "%s", err.detail);
    }
    if (r == REQIVO_E_SOCKET_PATH && text && size > 0)
        reqivo_open_error(socket_path, text, size);
    errno = saved;
    return r;
}

/* In a forked child: nobody is told. */
static void drop_all(struct reqivo_client *client)
{
    struct rqv_list *node;

    while ((node = rqv_list_first(&client->all)) != NULL) {
        struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, all);
        struct reqivo_websocket *ws = RQV_REQUEST_OF(x)->ws;
        reqivo_response_free(rqv_exchange_finish(client, x));
        if (ws)
            rqv_websocket_forget(ws);
    }
}

void rqv_client_destroy(struct reqivo_client *client)
{
    client->closing = true;
    if (client->pid == getpid())
        rqv_client_cancel_all(client);
    else
        drop_all(client);
    rqv_remotes_orphan(client);
    rqv_channel_done(&client->channel);
    rqv_start_over(&client->start);
    rqv_trust_drop_all(&client->trust);
    rqv_ids_done(&client->ids);
    free(client);
}

void reqivo_close(struct reqivo_client *client)
{
    int saved = errno;

    if (!client || client->closing)
        return;
    if (client->in_callback > 0)
        client->closing = true;
    else
        rqv_client_destroy(client);
    errno = saved;
}

int rqv_client_leave(struct reqivo_client *client, int result, int saved_errno)
{
    if (client->closing && client->in_callback == 0)
        rqv_client_destroy(client);
    errno = saved_errno;
    return result;
}

int rqv_client_check(const struct reqivo_client *client, bool alone)
{
    if (!client)
        return -EINVAL;
    if (client->pid != getpid())
        return -ECHILD;
    if (client->in_source || (alone && client->in_callback > 0))
        return -EBUSY;
    return 0;
}

/* ---- one turn ---- */

/* Everything that can be queued, and one write for it; but nothing goes out any more that a close has given
 * up. */
static void push(struct reqivo_client *client, uint64_t now_ms)
{
    if (client->closing)
        return;
    if (client->waiting > 0) {
        rqv_client_connect(client, now_ms);
        rqv_exchange_start_waiting(client);
    }
    rqv_client_pump(client);
    if (rqv_buf_len(&client->channel.out) > 0)
        rqv_channel_flush(&client->channel);
}

int rqv_client_turn(struct reqivo_client *client, bool readable)
{
    uint64_t now_ms = rqv_now_ms();
    int r = 0;

    push(client, now_ms);
    if (client->channel.fd >= 0 && (readable || client->channel.broken))
        r = rqv_client_receive(client);
    rqv_client_timers(client, now_ms);
    if (!client->channel.blocked &&
        (rqv_buf_len(&client->channel.out) > 0 || client->waiting > 0 || !rqv_list_empty(&client->sending)))
        push(client, now_ms);
    return r;
}

/* Work that needs no event: something to queue, or a broken connection to take down. */
static bool has_work(const struct reqivo_client *client)
{
    const struct rqv_channel *channel = &client->channel;

    if (channel->broken)
        return true;
    if (channel->state == RQV_CHANNEL_DRAINING && client->on_channel == 0)
        return true;
    if (rqv_buf_len(&channel->out) >= RQV_OUT_HIGH || !rqv_channel_takes_bodies(channel))
        return false;
    return !rqv_list_empty(&client->sending) ||
           (client->waiting > (channel->state == RQV_CHANNEL_UP ? 0 : client->greeting) &&
            rqv_channel_takes_requests(channel));
}

int rqv_client_timer_ms(const struct reqivo_client *client)
{
    const struct rqv_channel *channel = &client->channel;
    uint64_t at = client->waiting + client->on_channel > 0 ? client->next_deadline_ms : UINT64_MAX;

    if (has_work(client))
        return 0;
    if (channel->state == RQV_CHANNEL_DOWN) {
        if (client->waiting > 0 && channel->retry_at_ms < at)
            at = channel->retry_at_ms;
    } else if (rqv_client_expects(client) && channel->deadline_ms < at) {
        at = channel->deadline_ms;
    }
    if (at == UINT64_MAX)
        return -1;
    uint64_t now_ms = rqv_now_ms();
    if (at <= now_ms)
        return 0;
    return at - now_ms < INT_MAX ? (int)(at - now_ms) + 1 : INT_MAX;
}

static int sooner(int a, int b)
{
    if (a < 0)
        return b;
    return b < 0 || a < b ? a : b;
}

int rqv_client_poll(struct reqivo_client *client, int timeout_ms)
{
    push(client, rqv_now_ms());
    struct pollfd fd = {.fd = client->channel.fd, .events = POLLIN};
    if (rqv_buf_len(&client->channel.out) > 0)
        fd.events |= POLLOUT;
    int n = poll(&fd, 1, sooner(timeout_ms, rqv_client_timer_ms(client)));
    if (n < 0)
        return -errno;
    return rqv_client_turn(client, (fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0);
}

/* ---- the public face ---- */

/* A handle, and not one that a forked child has inherited. */
static bool is_ours(const struct reqivo_client *client)
{
    return client && client->pid == getpid();
}

int reqivo_client_fd(const struct reqivo_client *client)
{
    return is_ours(client) ? client->channel.fd : -1;
}

int reqivo_client_events(const struct reqivo_client *client)
{
    if (!is_ours(client) || client->channel.fd < 0)
        return 0;
    return POLLIN | (rqv_buf_len(&client->channel.out) > 0 ? POLLOUT : 0);
}

int reqivo_client_timeout_ms(const struct reqivo_client *client)
{
    if (!is_ours(client))
        return -1;
    if (!rqv_list_empty(&client->ready))
        return 0;
    if (rqv_buf_len(&client->channel.out) > 0 && !client->channel.blocked)
        return 0;
    return rqv_client_timer_ms(client);
}

int reqivo_client_process(struct reqivo_client *client)
{
    int saved = errno;
    int r = rqv_client_check(client, false);

    if (r < 0)
        return r;
    return rqv_client_leave(client, rqv_client_turn(client, true), saved);
}

int reqivo_client_dispatch(struct reqivo_client *client)
{
    int saved = errno;
    int r = rqv_client_check(client, true);

    if (r < 0)
        return r;
    return rqv_client_leave(client, rqv_client_deliver(client), saved);
}

int reqivo_client_wait(struct reqivo_client *client, int timeout_ms)
{
    int saved = errno;
    int r = rqv_client_check(client, true);

    if (r < 0)
        return r;
    if (client->pending == 0 && timeout_ms < 0)
        return 0; /* nothing could ever end the wait */
    r = rqv_client_poll(client, rqv_list_empty(&client->ready) ? timeout_ms : 0);
    if (r == 0 || !rqv_list_empty(&client->ready))
        r = rqv_client_deliver(client);
    return rqv_client_leave(client, r, saved);
}

size_t reqivo_client_pending(const struct reqivo_client *client)
{
    return is_ours(client) ? client->pending : 0;
}

const char *reqivo_client_daemon(const struct reqivo_client *client)
{
    return is_ours(client) ? client->daemon_name : "";
}

long reqivo_client_daemon_uid(const struct reqivo_client *client)
{
    return is_ours(client) ? client->channel.peer_uid : -1;
}
