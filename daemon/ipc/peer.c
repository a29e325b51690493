/* SPDX-License-Identifier: MIT */
/* peer - see peer.h: life, reading, writing. What a frame means is in peer_frames.c. */
#include "daemon/ipc/peer.h"

#include "common/uninit.h"
#include "daemon/base/log.h"
#include "daemon/ipc/idle.h"
#include "daemon/ipc/peer_operate.h"
#include "daemon/ipc/peer_pools.h"
#include "daemon/ipc/peer_ws.h"
#include "daemon/ipc/query.h"
#include "daemon/ipc/report.h"
#include "daemon/ipc/slow.h"
#include "daemon/ipc/trusts.h"

#include <reqivo/error.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIGHT     524288 /* what one read may cost: its bytes, requests, the bodies in it */
#define PEER_READ 65536  /* one read into the stash: a block holds it */
#define LARGE     16384  /* a frame that lacks so much is read to its end, and not beyond */
#define SPARE     262144 /* of ACCOUNT_OWED: what one such turn may cost, and DONE for what is in flight */
#define LAST_READS                                                                                           \
    256 /* of what one socket may hold: more than enough for any that the kernel's defaults allow */

static_assert(offsetof(struct wait_source, uid) >= sizeof(struct rqv_list),
              "a silent peer's place in the list would lie over its uid");

static bool peer_turn(void *owner);
static void peer_flush(void *owner);

static void peer_want_turn(struct peer *peer)
{
    peer->unread = true;
    fair_queue(&peer->turn);
}

static void peer_ready(void *owner, unsigned events)
{
    struct peer *peer = owner;

    if (events & LOOP_WRITE) {
        peer->write_blocked = false;
        peer->unwritten = true;
        slow_end(peer);          /* it has read something */
        fair_serve(&peer->turn); /* which may close it */
    }
    if ((events & LOOP_READ) && peer->state != PEER_CLOSED)
        peer_want_turn(peer);
}

static void peer_reap(void *owner)
{
    free(owner);
}

int peer_new(struct listener *listener, int fd, uid_t uid, pid_t pid, struct peer **ret_peer)
{
    struct ipc *ipc = listener->ipc;
    struct account *account;
    int rc = account_get(listener->accounts, uid, &account);

    if (rc < 0)
        return rc;
    rc = account_charge(account, ACCOUNT_PEERS, 1);
    struct peer *peer = rc == 0 ? calloc(1, sizeof *peer) : NULL;
    if (!peer) {
        if (rc == 0)
            account_refund(account, ACCOUNT_PEERS, 1);
        account_release(&account);
        return rc < 0 ? rc : -ENOMEM;
    }
    peer->ipc = ipc;
    peer->control = listener->control;
    peer->pid = pid;
    peer->extra = peer_extra_none();
    peer->account = account;
    peer->number = ++ipc->last_number;
    ipc->accepted += !peer->control;
    peer->since_us = loop_now_us(ipc->use.loop);
    rqv_list_init(&peer->exchange_list);
    rqv_list_init(&peer->hungry_node);
    rqv_list_init(&peer->slow_node);
    wait_source_init(&peer->source, uid);
    queue_init(&peer->in, account, RQV_WIRE_HEADER + RQV_WIRE_PAYLOAD_MAX + PEER_READ);
    queue_init(&peer->out, account, PEER_OUT_MAX);
    fair_item_init(&peer->turn, account, peer_turn, peer);
    loop_task_init(&peer->flush, peer_flush, peer);
    rqv_list_append(&ipc->silent, &peer->silent_node);
    account_roll_join(account, ROLL_PROGRAMS, &peer->roll, peer);
    peer->fresh = true;
    listener->fresh++;
    loop_io_init(&peer->io, ipc->use.loop, peer_ready, peer);
    loop_io_start(&peer->io, fd, LOOP_READ);
    peer_want_turn(peer); /* the first flight is usually there already */
    *ret_peer = peer;
    return 0;
}

/* Its first turn has come: another one may be accepted. */
static void peer_served(struct peer *peer)
{
    if (!peer->fresh)
        return;
    peer->fresh = false;
    (peer->control ? &peer->ipc->control : &peer->ipc->data)->fresh--;
}

void peer_heard(struct peer *peer)
{
    rqv_list_remove(&peer->silent_node);
    peer->account->silent -= peer->silent;
    peer->silent = false;
}

void peer_close(struct peer *peer, const char *why)
{
    if (peer->state == PEER_CLOSED)
        return;
    log_debug("peer %llu (uid %u, pid %d) closed: %s", (unsigned long long)peer->number,
              (unsigned)peer->source.uid, (int)peer->pid, why);
    bool open = peer->state == PEER_OPEN;
    peer->state = PEER_CLOSED;
    rqv_list_for_each_safe (node, next, &peer->exchange_list) {
        struct exchange *x = RQV_LIST_OF(node, struct exchange, peer_node);
        rqv_list_remove(node);
        rqv_map_del(&peer->ipc->exchanges, &x->node);
        if (report_on(peer))
            report_request(peer, x, NULL);
        exchange_abandon(x);
    }
    peer_ws_abandon_all(peer);
    peer_operate_abandon(peer);
    peer->in_flight = 0;
    if (peer->ipc->held.x && peer->ipc->held.x->owner == peer)
        peer->ipc->held.x = NULL;
    trusts_done(peer);
    if (!open)
        peer_heard(peer);
    peer_served(peer);
    query_drop(peer);
    peer_extra_done(peer);
    rqv_list_remove(&peer->hungry_node);
    slow_end(peer);
    int fd = peer->io.fd;
    loop_io_stop(&peer->io);
    fair_drop(&peer->turn);
    loop_task_drop(&peer->flush);
    queue_done(&peer->in);
    queue_done(&peer->out);
    account_roll_leave(peer->account, ROLL_PROGRAMS, &peer->roll);
    if (ipc_programs(peer->ipc) == 0)
        idle_quiet(peer->ipc);
    fds_close(&peer->ipc->fds, fd, peer->account);
    peer->account = NULL;
    loop_task_init(&peer->flush, peer_reap, peer); /* the last that it does */
    loop_task_queue(peer->ipc->use.loop, &peer->flush, LOOP_FREE);
}

void peer_fault(struct peer *peer, const char *why)
{
    struct rqv_goaway goaway = {.code = REQIVO_E_WIRE, .detail = rqv_str_from(why)};

    peer->ipc->violations++;
    report_violation(peer, why);
    if (peer_room_owed(peer, PEER_DONE) == 0 && rqv_wire_encode_goaway(&peer->out.buf, 0, &goaway) == 0)
        peer_flush_now(peer);
    peer_close(peer, why);
}

/* ---- writing ---- */

static bool peer_is_full(const struct peer *peer)
{
    return queue_len(&peer->out) > (peer->out.kind == ACCOUNT_OWED ? 0 : PEER_OUT_HIGH);
}

/* Readiness tells nothing of frames that lie in `in` already, so a turn that was put off is asked for here.
 */
static void peer_arm(struct peer *peer)
{
    bool rests = peer_is_full(peer) || peer->hungry || peer->ended;

    if (peer->write_blocked)
        slow_begin(peer);
    loop_io_set(&peer->io, (rests ? 0 : LOOP_READ) | (peer->write_blocked ? LOOP_WRITE : 0));
    if (peer->held && !rests) {
        peer->held = false;
        peer_want_turn(peer);
    }
}

static void peer_hold(struct peer *peer)
{
    peer->held = true;
    peer_arm(peer);
}

void peer_feed(struct peer *peer)
{
    peer->hungry = false;
    peer_arm(peer);
}

/* Those who waited for room in `out`. */
static void peer_kick_all(struct peer *peer)
{
    peer->stalled = false;
    rqv_list_for_each_safe (node, next, &peer->exchange_list)
        exchange_kick(RQV_LIST_OF(node, struct exchange, peer_node));
    peer_ws_kick_all(peer);
}

bool peer_flush_now(struct peer *peer)
{
    while (queue_len(&peer->out) > 0) {
        ssize_t n = send(peer->io.fd, rqv_buf_head(&peer->out.buf), queue_len(&peer->out),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            peer->write_blocked = errno == EAGAIN || errno == EWOULDBLOCK;
            peer->broken = !peer->write_blocked;
            break;
        }
        queue_consume(&peer->out, (size_t)n);
    }
    return queue_len(&peer->out) == 0;
}

static void peer_flush(void *owner)
{
    struct peer *peer = owner;

    if (!peer->write_blocked && !peer->broken)
        peer_flush_now(peer);
    if (peer->broken) {
        peer_close(peer, "it cannot be written to");
        return;
    }
    if (peer->ended && queue_len(&peer->out) == 0) {
        peer_close(peer, "the daemon stops");
        return;
    }
    peer_arm(peer);
    if (peer->stalled && !peer->write_blocked && queue_len(&peer->out) <= PEER_OUT_HIGH / 2)
        peer_kick_all(peer);
}

int peer_room(struct peer *peer, size_t n)
{
    if (peer->state == PEER_CLOSED)
        return REQIVO_E_CANCELED;
    loop_task_queue(peer->ipc->use.loop, &peer->flush, LOOP_FLUSH_PEERS);
    return queue_reserve(&peer->out, n);
}

int peer_room_owed(struct peer *peer, size_t n)
{
    int rc = peer_room(peer, n);

    return rc == REQIVO_E_LIMIT_MEMORY ? queue_reserve_owed(&peer->out, n) : rc;
}

void peer_done(struct peer *peer, uint64_t id, const struct rqv_done *done)
{
    if (done->code != 0)
        report_failure(peer, id, done);
    /* A terminal frame that cannot be delivered would be a lost completion: then the whole peer ends, which
     * the library reports for every request. */
    if (peer_room_owed(peer, PEER_DONE) < 0 || rqv_wire_encode_done(&peer->out.buf, id, done) < 0)
        peer->broken = true;
}

static bool put_goaway(struct peer *peer, uint8_t flags, const struct rqv_goaway *goaway)
{
    if (peer_room_owed(peer, goaway->count * 8 + PEER_DONE) < 0 ||
        rqv_wire_encode_goaway(&peer->out.buf, flags, goaway) < 0)
        peer->broken = true;
    return !peer->broken;
}

void peer_hand_back(struct peer *peer, uint64_t id)
{
    uint8_t bytes[8];
    struct rqv_goaway goaway = {.code = REQIVO_E_SHUTDOWN,
                                .detail = rqv_str_from(rqv_err_text(REQIVO_E_SHUTDOWN)),
                                .count = 1,
                                .ids = bytes};

    rqv_wire_goaway_put_id(bytes, 0, id);
    put_goaway(peer, 0, &goaway);
}

void peer_goaway(struct peer *peer, int code, const char *detail)
{
    struct rqv_goaway goaway = {.code = code, .detail = rqv_str_from(detail)};
    uint8_t ids[512 * 8] RQV_UNINIT;

    do {
        goaway.count = 0;
        goaway.ids = ids;
        rqv_list_for_each_safe (node, next, &peer->exchange_list) {
            struct exchange *x = RQV_LIST_OF(node, struct exchange, peer_node);
            if (!exchange_unstarted(x) || goaway.count == sizeof ids / 8)
                continue;
            rqv_wire_goaway_put_id(ids, goaway.count++, x->id);
            rqv_list_remove(node);
            rqv_map_del(&peer->ipc->exchanges, &x->node);
            peer->in_flight--;
            exchange_abandon(x);
        }
        if (!put_goaway(peer, goaway.count == sizeof ids / 8 ? RQV_FLAG_MORE : 0, &goaway))
            return;
    } while (goaway.count == sizeof ids / 8);
}

void peer_send_away(struct peer *peer, const char *why)
{
    if (peer->leaving || peer->ipc->draining)
        return;
    peer->leaving = true;
    peer_goaway(peer, REQIVO_E_SHUTDOWN, why);
    peer_pools_drain(peer);
    for (struct wsession *next, *ws = peer->extra->wsessions; ws; ws = next) {
        next = ws->peer_next;
        wsession_leave(ws, why);
    }
}

/* ---- reading ---- */

/* No memory is left for its frames: ipc's timer gives it another turn. */
static void peer_hunger(struct peer *peer)
{
    peer->hungry = true;
    peer_hold(peer);
    ipc_hungry(peer->ipc, peer);
}

/* A body waits until there is memory for it; whatever else comes can be answered without. */
static bool peer_must_wait(struct peer *peer, const struct rqv_frame_header *header)
{
    peer->starved = account_check(peer->account, ACCOUNT_MEMORY, 2 * PEER_READ) < 0;
    if (!peer->starved || (header->type != RQV_WIRE_DATA && header->type != RQV_WIRE_WS_DATA))
        return false;
    peer_hunger(peer);
    return true;
}

/* As many whole frames as the turn allows. Returns bytes consumed; *ret_more when whole frames may be left.
 */
static size_t peer_frames(struct peer *peer, const uint8_t *bytes, size_t len, unsigned *budget)
{
    struct rqv_frame_header header;
    const char *why = NULL;
    size_t at = 0;

    while (*budget > 0) {
        int rc = rqv_wire_next(bytes + at, len - at, true, &header, &why);
        if (rc < 0) {
            peer_fault(peer, why);
            return len;
        }
        if (rc == 0 || (peer->starved && peer_must_wait(peer, &header)))
            return at;
        struct rqv_str payload = {(const char *)bytes + at + RQV_WIRE_HEADER, header.length};
        at += RQV_WIRE_HEADER + header.length;
        peer->account->frames++;
        *budget = header.type == RQV_WIRE_QUERY ? 0 : *budget - 1;
        if (!peer_frame(peer, &header, payload))
            return len;
        if (peer->extra->query) /* an operation may have begun one, too */
            *budget = 0;
    }
    return at;
}

/* What came before waits in `in`: frames are completed there. */
static bool peer_turn_stashed(struct peer *peer, unsigned *budget)
{
    size_t used = peer_frames(peer, rqv_buf_head(&peer->in.buf), queue_len(&peer->in), budget);

    if (peer->state == PEER_CLOSED)
        return false;
    queue_consume(&peer->in, used);
    return !peer->hungry;
}

/* One read into `room`. > 0 bytes; 0 nothing now, or never again; -1 the peer was closed. */
static long peer_read(struct peer *peer, uint8_t *room, size_t size)
{
    ssize_t n = fds_recv(&peer->ipc->fds, peer->io.fd, room, size);

    if (n > 0)
        return (long)n;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    if (n == 0 && peer->shut) {
        peer->ended = true;
        loop_task_queue(peer->ipc->use.loop, &peer->flush, LOOP_FLUSH_PEERS);
        return 0;
    }
    if (n < 0 && errno == EPROTO)
        peer_fault(peer, "descriptors are not accepted");
    else
        peer_close(peer, n == 0 ? "end of stream" : strerror(errno));
    return -1;
}

/* Room in the stash for one read, of the memory that is owed when the peer has waited for any in vain. */
static bool peer_stash_room(struct peer *peer, size_t size)
{
    if (queue_reserve(&peer->in, size) == 0)
        return true;
    return peer->starved && account_check(peer->account, ACCOUNT_OWED, SPARE) == 0 &&
           queue_reserve_owed(&peer->in, size) == 0;
}

/* Behind a large frame the next one begins in the scratch again: of many in a row one is copied. */
static size_t peer_stash_wants(struct peer *peer)
{
    size_t missing = rqv_wire_missing(rqv_buf_head(&peer->in.buf), queue_len(&peer->in));

    return missing >= LARGE ? missing : PEER_READ;
}

/* The bytes go to the stash when a frame is begun there, else through the loop's scratch, uncopied. */
static bool peer_turn_read(struct peer *peer, unsigned *budget)
{
    size_t have = queue_len(&peer->in);
    /* Where memory is nearly gone, the room is there before the bytes are taken: nothing read is lost. */
    bool tight = account_check(peer->account, ACCOUNT_MEMORY, TIGHT) < 0;

    if (have > 0 || tight) {
        size_t size = peer_stash_wants(peer);
        if (!peer_stash_room(peer, size)) {
            peer_hunger(peer);
            return false;
        }
        if (peer->hungry_ticks > 0)
            peer->hungry_ticks--;
        long n = peer_read(peer, peer->in.buf.data + peer->in.buf.end, size);
        if (n == 0)
            queue_consume(&peer->in, 0); /* an idle one keeps no block */
        if (n <= 0)
            return false;
        rqv_buf_commit(&peer->in.buf, (size_t)n);
        return peer_turn_stashed(peer, budget) && (size_t)n == size;
    }
    uint8_t *bytes = loop_scratch(peer->ipc->use.loop, 1);
    size_t size = RQV_WIRE_HEADER + RQV_WIRE_PAYLOAD_MAX; /* the largest frame, whole */
    long n = peer_read(peer, bytes, size);
    if (n <= 0)
        return false;
    size_t used = peer_frames(peer, bytes, (size_t)n, budget);
    if (peer->state == PEER_CLOSED)
        return false;
    if (used < (size_t)n && queue_append_owed(&peer->in, bytes + used, (size_t)n - used) < 0) {
        peer_close(peer, "no memory for its frames");
        return false;
    }
    return (size_t)n == size;
}

static bool peer_read_on(struct peer *peer)
{
    unsigned budget = PEER_FRAMES;

    if (peer_is_full(peer)) {
        peer_hold(peer);
        return false;
    }
    if (peer->extra->query) {
        query_go_on(peer);
        return true;
    }
    if (queue_len(&peer->in) > 0 && !peer_turn_stashed(peer, &budget))
        return false;
    if (budget == 0)
        return true;
    bool more = peer_turn_read(peer, &budget);
    return peer->state != PEER_CLOSED && (more || budget == 0);
}

void peer_shut(struct peer *peer)
{
    if (peer->shut || !rqv_list_empty(&peer->exchange_list) || peer->extra->wsessions || peer->extra->query)
        return;
    peer->shut = true;
    shutdown(peer->io.fd, SHUT_RD);
    peer_want_turn(peer);
}

void peer_hear_out(struct peer *peer)
{
    peer->shut = true;
    shutdown(peer->io.fd, SHUT_RD);
    for (int i = 0; i < LAST_READS && peer->state != PEER_CLOSED && !peer->ended; i++)
        peer_read_on(peer);
}

/* One piece: what waits for a slow reader that takes more, half a MiB at most, or else one read. */
static bool peer_turn(void *owner)
{
    struct peer *peer = owner;

    if (peer->state == PEER_CLOSED)
        return false;
    if (peer->unwritten) {
        peer->unwritten = false;
        peer_flush(peer);
        return peer->state != PEER_CLOSED && peer->unread;
    }
    peer->unread = false;
    peer_served(peer);
    bool more = peer_read_on(peer);
    peer->unread |= more;
    if (peer->state == PEER_SILENT && !peer->silent) {
        peer->silent = true;
        peer->account->silent++;
    }
    return more;
}
