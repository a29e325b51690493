/* SPDX-License-Identifier: MIT */
/*
 * connect - the connection's life as the exchanges see it: HELLO, loss, what a loss means for each request,
 * timers.
 *
 * At a loss a request is "not sent" when its frame is not all written, when GOAWAY listed it (receive.c), or
 * when it asked for BEGUN, which did not come though everything the daemon sent has been read. All others are
 * "unknown". Not sent ones wait for the daemon's successor, and if that ends before it has begun them, for
 * the next; those that may be repeated anyway do so once. design.md 3
 *
 * A daemon may be silent for as long as its requests take, so silence alone is no loss: after RQV_SILENCE_MS
 * a QUERY, whose answer is thrown away, asks it for a sign of life. Only one that hangs has none to give.
 */
#include "config.h"

#include "libclient/handle.h"
#include "libclient/remote.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "libclient/trust.h"

#include <errno.h>

enum { FILLS_PER_TURN = 4, FILLS_AFTER_END = 64 };

int rqv_client_start(struct reqivo_client *client, uint64_t now_ms, char why[RQV_DETAIL_MAX])
{
    uint32_t pause_ms = 0;
    int r = rqv_start_step(&client->start, client->channel.address.sun_path, now_ms, &pause_ms, why);

    if (r == 0)
        rqv_channel_retry_in(&client->channel, now_ms, pause_ms);
    else
        rqv_start_over(&client->start);
    return r;
}

/* None will come: nobody waits for it. */
static void refuse_waiting(struct reqivo_client *client, const char *why)
{
    rqv_list_for_each_safe (node, next, &client->all) {
        struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, all);
        if (x->state == RQV_X_WAITING)
            rqv_exchange_fail(client, x, x->replays > 0 ? REQIVO_E_DAEMON_LOST : REQIVO_E_NO_DAEMON, why);
    }
}

void rqv_client_connect(struct reqivo_client *client, uint64_t now_ms)
{
    struct rqv_channel *channel = &client->channel;
    char why[RQV_DETAIL_MAX];

    if (channel->state != RQV_CHANNEL_DOWN || now_ms < channel->retry_at_ms)
        return;
    /* asked before: a daemon that was ready answers now, if it still is there */
    (void)rqv_start_ended(&client->start);
    if (rqv_channel_connect(channel, now_ms) == 0) {
        rqv_start_over(&client->start);
        rqv_client_greet(client);
        return;
    }
    bool nobody = channel->connect_errno == ENOENT || channel->connect_errno == ECONNREFUSED;
    if (client->start.wanted && nobody && rqv_client_start(client, now_ms, why) < 0)
        refuse_waiting(client, why);
}

void rqv_client_greet(struct reqivo_client *client)
{
    const struct rqv_hello hello = {
        .magic = RQV_WIRE_MAGIC,
        .version = RQV_WIRE_VERSION,
        .version_min = RQV_WIRE_VERSION_MIN,
        .caps = RQV_CAP_TRAILERS | RQV_CAP_QUERY | RQV_CAP_WEBSOCKET,
        .credit = RQV_WIRE_CREDIT_INITIAL,
        .name = RQV_STR("libreqivo-client/" PACKAGE_VERSION),
    };

    client->goaway_code = 0;
    client->goaway_detail[0] = '\0';
    rqv_client_must_queue(client, rqv_wire_encode_hello(&client->channel.out, &hello));
    rqv_exchange_start_waiting(client);
}

void rqv_client_arm(struct reqivo_client *client, const struct rqv_exchange *x)
{
    uint64_t deadline = rqv_exchange_deadline_ms(client, x);

    if (deadline < client->next_deadline_ms)
        client->next_deadline_ms = deadline;
}

static void arm_all(struct reqivo_client *client)
{
    client->next_deadline_ms = UINT64_MAX;
    rqv_list_for_each (node, &client->all)
        rqv_client_arm(client, RQV_LIST_OF(node, struct rqv_exchange, all));
}

/* One exchange of the lost connection. */
static void lose(struct reqivo_client *client, struct rqv_exchange *x, const struct rqv_loss *loss)
{
    bool unsent = rqv_exchange_attempt(client, x, loss->drained) == REQIVO_SENT_NO;

    if (!loss->unheard)
        x->sent = rqv_exchange_sent(client, x, loss->drained);
    if (loss->replay && rqv_exchange_replay(client, x, unsent))
        return;
    x->response->err.sys_errno = loss->sys_errno;
    rqv_exchange_fail(client, x, loss->code, loss->detail);
    x->response->err.sent = x->sent;
}

void rqv_client_lost(struct reqivo_client *client, const struct rqv_loss *given)
{
    struct rqv_loss loss = *given;
    /* A daemon that refuses this program, rather than ending, refuses those that wait as well. */
    bool refused = client->goaway_code != 0 && client->goaway_code != REQIVO_E_SHUTDOWN;

    if (refused) {
        loss.code = client->goaway_code;
        loss.detail = client->goaway_detail;
        loss.replay = false;
        loss.unheard = client->daemon_name[0] == '\0';
    }
    rqv_list_for_each_safe (node, next, &client->all) {
        struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, all);
        if (x->state == RQV_X_SENT || x->state == RQV_X_ANSWERED || (refused && x->state == RQV_X_WAITING))
            lose(client, x, &loss);
    }
    rqv_trust_forget_uploads(&client->trust, 0);
    rqv_remotes_lost(client);
    rqv_channel_down(&client->channel, rqv_now_ms());
    client->daemon_name[0] = '\0';
    arm_all(client);
}

static void end_drained(struct reqivo_client *client)
{
    const struct rqv_loss loss = {
        .code = REQIVO_E_SHUTDOWN, .detail = "the daemon is shutting down", .replay = true};

    rqv_client_lost(client, &loss);
}

/* The daemon did not do in time what it must do. */
static void give_up(struct reqivo_client *client)
{
    const struct rqv_loss mute = {
        .code = REQIVO_E_DAEMON_LOST, .detail = "the daemon did not answer HELLO", .replay = true};
    const struct rqv_loss stuck = {
        .code = REQIVO_E_DAEMON_LOST, .detail = "the daemon was to end and did not", .replay = true};
    const struct rqv_loss hung = {
        .code = REQIVO_E_DAEMON_LOST, .detail = "the daemon does not answer any more", .replay = true};

    if (client->channel.state == RQV_CHANNEL_GREETING)
        rqv_client_lost(client, &mute);
    else
        rqv_client_lost(client, client->channel.state == RQV_CHANNEL_UP ? &hung : &stuck);
}

/* UP and silent: true when the question has been asked and not been answered either. A request that still
 * waits for room has a smaller id than the question would have, and ids on the wire only grow; but then the
 * daemon does not even read. */
static bool hangs(struct reqivo_client *client, uint64_t now_ms)
{
    struct rqv_channel *channel = &client->channel;

    if (channel->heard || !(client->caps & RQV_CAP_QUERY)) {
        rqv_channel_watch(channel, now_ms);
        return false;
    }
    if (channel->asked)
        return true;
    channel->asked = true;
    channel->deadline_ms = now_ms + RQV_ANSWER_MS;
    if (client->waiting == 0)
        rqv_client_must_queue(client,
                              rqv_wire_encode_query(&channel->out, ++client->last_id, REQIVO_QUERY_STATUS));
    return false;
}

static bool is_overdue(const struct reqivo_client *client, uint64_t now_ms)
{
    return rqv_client_expects(client) && now_ms >= client->channel.deadline_ms;
}

/* The program may have been busy elsewhere: what has come meanwhile is read before the daemon is blamed. And
 * it may have been stopped or starved, with the daemon or the whole machine: then the time starts again. */
static void check_life(struct reqivo_client *client, uint64_t now_ms)
{
    if (client->channel.fd >= 0 && rqv_client_receive(client) < 0)
        client->channel.broken = ENOMEM;
    if (!is_overdue(client, now_ms))
        return;
    if (client->channel.state == RQV_CHANNEL_UP && !hangs(client, now_ms))
        return;
    if (!rqv_channel_excuse(&client->channel, now_ms))
        give_up(client);
}

void rqv_client_timers(struct reqivo_client *client, uint64_t now_ms)
{
    const struct rqv_channel *channel = &client->channel;

    if (channel->state == RQV_CHANNEL_DRAINING && client->on_channel == 0)
        end_drained(client);
    if (is_overdue(client, now_ms))
        check_life(client, now_ms);
    if (now_ms < client->next_deadline_ms)
        return;
    rqv_list_for_each_safe (node, next, &client->all) {
        struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, all);
        if (x->state != RQV_X_DONE && now_ms >= rqv_exchange_deadline_ms(client, x))
            rqv_exchange_expire(client, x, now_ms);
    }
    arm_all(client);
}

/* ---- reading ---- */

static void lose_after_end(struct reqivo_client *client, bool drained)
{
    const struct rqv_loss loss = {.code = REQIVO_E_DAEMON_LOST,
                                  .sys_errno = client->channel.broken,
                                  .detail = "the daemon closed the connection",
                                  .drained = drained,
                                  .replay = true};

    rqv_client_lost(client, &loss);
}

int rqv_client_receive(struct reqivo_client *client)
{
    int fills = client->channel.broken ? FILLS_AFTER_END : FILLS_PER_TURN;

    for (int i = 0; i < fills; i++) {
        const char *why = NULL;
        int filled = rqv_channel_fill(&client->channel);
        if (filled < 0)
            return filled;
        if (filled == RQV_FILL_NONE)
            break;
        if (filled == RQV_FILL_END) {
            lose_after_end(client, true);
            return 0;
        }
        int r = rqv_client_decode(client, &why);
        if (r < 0) {
            const struct rqv_loss violation = {.code = r, .detail = why};
            rqv_client_lost(client, &violation);
            return 0;
        }
        if (filled == RQV_FILL_SHORT && !client->channel.broken)
            break;
    }
    if (client->channel.broken)
        lose_after_end(client, false);
    return 0;
}
