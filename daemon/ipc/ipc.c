/* SPDX-License-Identifier: MIT */
/* ipc - see ipc.h: start, memory, drain and end. The sockets themselves are listener.c's. */
#include "daemon/ipc/ipc.h"

#include "daemon/base/log.h"
#include "daemon/ipc/control.h"
#include "daemon/ipc/idle.h"
#include "daemon/ipc/lock.h"
#include "daemon/ipc/peer.h"
#include "daemon/ipc/peer_pools.h"
#include "daemon/ipc/peer_ws.h"
#include "daemon/ipc/query.h"
#include "daemon/ipc/slow.h"

#include <reqivo/error.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_STEP_US 5000
#define HUNGRY_US     20000
#define HUNGRY_TURNS  64 /* of hungry peers, in one of the loop */
#define HUNGRY_TICKS  25 /* without memory for so long: a request that only waits must go */
#define RELIEVE_LOOKS 64 /* at bodies, before one of them goes */

/* The control socket's own reserve. Its descriptors are among those of ACCOUNTS_FD_RESERVE. */
#define CONTROL_PEERS      32
#define CONTROL_PEERS_UID  8
#define CONTROL_MEMORY     4194304
#define CONTROL_MEMORY_UID 1048576
#define CONTROL_KEPT       4 /* one part of so many is for root and the daemon's own user */

/* ---- who is silent ---- */

/* Where /proc/sys is hidden, as from the system unit, it is what every kernel starts with. */
uid_t ipc_overflow_uid(void)
{
    unsigned uid = 65534;
    FILE *file = fopen("/proc/sys/kernel/overflowuid", "re");

    if (file) {
        if (fscanf(file, "%u", &uid) != 1)
            uid = 65534;
        fclose(file);
    }
    return uid;
}

static void arm_hello(struct ipc *ipc)
{
    struct rqv_list *first = rqv_list_first(&ipc->silent);

    if (first)
        loop_timer_at(&ipc->hello, RQV_LIST_OF(first, struct peer, silent_node)->since_us +
                                       (uint64_t)RQV_WIRE_HELLO_TIMEOUT_MS * 1000);
    else
        loop_timer_stop(&ipc->hello);
}

static void on_hello_due(void *owner)
{
    struct ipc *ipc = owner;
    uint64_t now = loop_now_us(ipc->use.loop);

    rqv_list_for_each_safe (node, next, &ipc->silent) {
        struct peer *peer = RQV_LIST_OF(node, struct peer, silent_node);
        if (now - peer->since_us < (uint64_t)RQV_WIRE_HELLO_TIMEOUT_MS * 1000)
            break;
        peer_close(peer, "it did not say HELLO in time");
    }
    arm_hello(ipc);
}

void ipc_arm_hello(struct ipc *ipc)
{
    if (ipc->hello.at_us == UINT64_MAX)
        arm_hello(ipc);
}

/* ---- memory ---- */

/* Bodies of requests that wait for a connection may hold all of a user's memory, while those that have one
 * wait for frames that cannot be read: then one that waits ends with the limit's error, the largest of some
 * few, one a turn of the timer. Who was looked at goes to the tail, so that all are looked at in time. False
 * when none of them waits. */
static bool relieve(struct ipc *ipc, struct account *account)
{
    struct exchange *largest = NULL;
    struct rqv_list *node, *last = rqv_list_last(&account->bodies);
    uint64_t now = loop_now_us(ipc->use.loop);

    if (account->relieved_us == now)
        return account->relieved;
    account->relieved_us = now;
    for (int i = 0; i < RELIEVE_LOOKS && (node = rqv_list_first(&account->bodies)); i++) {
        struct exchange *x = RQV_LIST_OF(node, struct exchange, body_node);
        if (exchange_unstarted(x) && queue_len(&x->body) > (largest ? queue_len(&largest->body) : 0))
            largest = x;
        rqv_list_remove(node);
        rqv_list_append(&account->bodies, node);
        if (node == last)
            break;
    }
    if (largest)
        exchange_cancel(largest, REQIVO_E_LIMIT_MEMORY,
                        "the user's share of memory is used up by request bodies that wait");
    account->relieved = largest != NULL;
    return account->relieved;
}

static void hungry_turn(struct peer *peer)
{
    /* It is not read from, so its end must be asked for: what it holds is what others wait for. */
    struct pollfd end = {.fd = peer->io.fd, .events = POLLRDHUP};

    rqv_list_remove(&peer->hungry_node);
    if (poll(&end, 1, 0) > 0) {
        peer_close(peer, "it ended while no memory was left for its frames");
        return;
    }
    if (peer->hungry_ticks < HUNGRY_TICKS)
        peer->hungry_ticks++;
    else
        peer->starved = !relieve(peer->ipc, peer->account);
    peer_feed(peer);
}

static void arm_hungry(struct ipc *ipc)
{
    struct rqv_list *first = rqv_list_first(&ipc->hungry_peers);

    if (first)
        loop_timer_at(&ipc->hungry, RQV_LIST_OF(first, struct peer, hungry_node)->feed_us);
}

static void on_hungry(void *owner)
{
    struct ipc *ipc = owner;
    struct rqv_list *node;

    for (int n = 0; n < HUNGRY_TURNS && (node = rqv_list_first(&ipc->hungry_peers)); n++) {
        struct peer *peer = RQV_LIST_OF(node, struct peer, hungry_node);
        if (peer->feed_us > loop_now_us(ipc->use.loop))
            break;
        hungry_turn(peer);
    }
    arm_hungry(ipc);
}

void ipc_hungry(struct ipc *ipc, struct peer *peer)
{
    if (!rqv_list_empty(&peer->hungry_node))
        return;
    peer->feed_us = loop_now_us(ipc->use.loop) + HUNGRY_US;
    rqv_list_append(&ipc->hungry_peers, &peer->hungry_node);
    if (ipc->hungry.at_us == UINT64_MAX)
        arm_hungry(ipc);
}

/* ---- the end ---- */

/* What fn does may end any of them. */
static void for_each_peer(struct ipc *ipc, void (*fn)(struct peer *peer))
{
    struct accounts *both[] = {ipc->use.accounts, &ipc->control_accounts};

    for (int i = 0; i < 2; i++) {
        struct roll *roll = &both[i]->rolls[ROLL_PROGRAMS];
        struct roll_node place;
        void *peer;
        roll_open(roll, &place);
        while (roll_step(roll, &place, &peer)) {
            if (peer)
                fn(peer);
        }
        roll_close(&place);
    }
}

static bool all_quiet(struct ipc *ipc)
{
    if (!listener_is_closed(&ipc->data) || !listener_is_closed(&ipc->control) || ipc_programs(ipc) > 0 ||
        ipc->control_accounts.rolls[ROLL_PROGRAMS].count > 0)
        return false;
    rqv_list_for_each (node, &ipc->use.wsessions->all) {
        struct wsession *ws = RQV_LIST_OF(node, struct wsession, all_node);
        if (ws->state != WS_LINGER || queue_len(&ws->out) > 0)
            return false;
    }
    return true;
}

static void on_drain(void *owner)
{
    struct ipc *ipc = owner;

    for_each_peer(ipc, peer_shut);
    if (all_quiet(ipc) || loop_now_us(ipc->use.loop) >= ipc->drain_until_us)
        loop_stop(ipc->use.loop);
    else
        loop_timer_at(&ipc->drain, loop_now_us(ipc->use.loop) + DRAIN_STEP_US);
}

/* The path is the next daemon's now, and so is the address of the metrics. */
static void path_give(struct ipc *ipc)
{
    scrape_close(&ipc->scrape);
    lock_give(ipc->use.conf->socket, &ipc->lock);
    idle_done(ipc);
}

static void peer_send_off(struct peer *peer)
{
    if (peer->state == PEER_OPEN) /* who is silent gets HELLO first, when its own comes */
        peer_goaway(peer, REQIVO_E_SHUTDOWN, rqv_err_text(REQIVO_E_SHUTDOWN));
    peer_pools_drain(peer);
    control_shutdown(peer);
    peer_shut(peer);
}

void ipc_drain(struct ipc *ipc)
{
    if (ipc->draining)
        return;
    ipc->draining = true;
    listener_leave(&ipc->data);
    listener_leave(&ipc->control);
    path_give(ipc);
    for_each_peer(ipc, peer_send_off);
    wsession_drain(ipc->use.wsessions);
    ipc->drain_until_us = loop_now_us(ipc->use.loop) + (uint64_t)ipc->use.conf->drain_ms * 1000;
    loop_timer_at(&ipc->drain, loop_now_us(ipc->use.loop) + DRAIN_STEP_US / 5);
}

static void peer_repartition(struct peer *peer)
{
    if (account_id_of(peer->ipc->use.accounts, peer->source.uid) == peer->account->id)
        return;
    if (peer->state == PEER_OPEN)
        peer_send_away(peer, "the user is in another partition now; connect again");
    else
        peer->leaving = true; /* who is silent hears of it behind HELLO */
}

void ipc_repartition(struct ipc *ipc)
{
    for_each_peer(ipc, peer_repartition);
}

/* What is left after the drain's time ends with a code, not with silence; and so does what has not been read
 * yet. */
static void peer_end(struct peer *peer)
{
    rqv_list_for_each_safe (node, next, &peer->exchange_list)
        exchange_cancel(RQV_LIST_OF(node, struct exchange, peer_node), REQIVO_E_SHUTDOWN,
                        "the daemon stopped before the request was complete");
    peer_ws_cancel_all(peer, REQIVO_E_SHUTDOWN, "the daemon stopped before the session was closed");
    if (peer->extra->query)
        query_end(peer, REQIVO_E_SHUTDOWN);
    if (peer->ipc->draining)
        peer_hear_out(peer);
    if (peer->state == PEER_CLOSED)
        return;
    peer_flush_now(peer);
    peer_close(peer, "the daemon stops");
}

void ipc_done(struct ipc *ipc)
{
    listener_close(&ipc->data);
    listener_close(&ipc->control);
    path_give(ipc);
    for_each_peer(ipc, peer_end);
    fds_done(&ipc->fds);
    loop_settle(ipc->use.loop);
    accounts_done(&ipc->control_accounts);
    queue_pool_done(&ipc->control_queues);
    loop_timer_stop(&ipc->hello);
    loop_timer_stop(&ipc->hungry);
    loop_timer_stop(&ipc->slow);
    loop_timer_stop(&ipc->drain);
    rqv_map_done(&ipc->exchanges);
    rqv_map_done(&ipc->wsessions);
    rqv_map_done(&ipc->sessions);
    rqv_map_done(&ipc->operations);
    rqv_map_done(&ipc->pins);
}

/* That of the listener: a peer's is the same, the system's default. 0: unknown. */
static size_t send_buffer_of(int fd)
{
    int size = 0;
    socklen_t len = sizeof size;

    return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) == 0 && size > 0 ? (size_t)size : 0;
}

static int control_accounts_start(struct ipc *ipc)
{
    struct accounts *all = &ipc->control_accounts;
    int rc = accounts_init(all, ipc->use.loop, ipc->use.hash_key);

    if (rc < 0)
        return rc;
    queue_pool_init(&ipc->control_queues, all);
    memset(all->limit_uid, 0, sizeof all->limit_uid);
    memset(all->limit_all, 0, sizeof all->limit_all);
    all->limit_uid[ACCOUNT_PEERS] = CONTROL_PEERS_UID;
    all->limit_all[ACCOUNT_PEERS] = CONTROL_PEERS;
    all->limit_uid[ACCOUNT_MEMORY] = all->limit_uid[ACCOUNT_OWED] = CONTROL_MEMORY_UID;
    all->limit_all[ACCOUNT_MEMORY] = all->limit_all[ACCOUNT_OWED] = CONTROL_MEMORY;
    all->limit_uid[ACCOUNT_REQUESTS] = all->limit_all[ACCOUNT_REQUESTS] = CONTROL_PEERS;
    all->kept = CONTROL_KEPT;
    all->overload.off = true;
    return 0;
}

/* Both sockets, each from the service manager or its own. That of programs comes last: who can connect there
 * finds the other one, too. */
static int listeners_start(struct ipc *ipc, char *why, size_t why_size)
{
    const struct conf *conf = ipc->use.conf;
    struct inherited inherited;
    int rc = listener_inherit(&inherited, why, why_size);

    if (rc == 0 && inherited.data < 0) {
        listener_make_dir(conf->socket, conf->user_instance);
        rc = ipc->lock = lock_take(conf->socket, conf->on_demand ? LOCK_FD : -1, why, why_size);
    }
    if (rc >= 0)
        rc = listener_start(&ipc->control, inherited.control, conf->control_socket, why, why_size);
    if (rc == 0)
        rc = listener_start(&ipc->data, inherited.data, conf->socket, why, why_size);
    return rc;
}

int ipc_start(struct ipc *ipc, const struct ipc_params *params, char *why, size_t why_size)
{
    memset(ipc, 0, sizeof *ipc);
    ipc->use = *params;
    ipc->lock = -1;
    rqv_list_init(&ipc->silent);
    rqv_list_init(&ipc->hungry_peers);
    rqv_map_init(&ipc->exchanges, params->hash_key);
    rqv_map_init(&ipc->wsessions, params->hash_key);
    rqv_map_init(&ipc->sessions, params->hash_key);
    rqv_map_init(&ipc->operations, params->hash_key);
    rqv_map_init(&ipc->pins, params->hash_key);
    loop_timer_init(&ipc->hello, params->loop, on_hello_due, ipc);
    loop_timer_init(&ipc->hungry, params->loop, on_hungry, ipc);
    slow_init(ipc);
    loop_timer_init(&ipc->drain, params->loop, on_drain, ipc);
    idle_init(ipc);
    ipc->overflow_uid = ipc_overflow_uid();
    ipc->started_us = loop_now_us(params->loop);
    snprintf(why, why_size, "no socket could be made");
    int rc = control_accounts_start(ipc);
    if (rc < 0)
        return rc;
    listener_init(&ipc->data, ipc, params->accounts);
    listener_init(&ipc->control, ipc, &ipc->control_accounts);
    scrape_init(&ipc->scrape, ipc);
    fds_init(&ipc->fds, params->loop);
    rc = listeners_start(ipc, why, why_size);
    if (rc < 0)
        ipc_done(ipc);
    else
        ipc->send_buffer = send_buffer_of(ipc->data.accept.fd);
    loop_now_refresh(params->loop); /* the start has taken its time: nobody could come before */
    if (rc == 0)
        idle_quiet(ipc);
    return rc;
}
