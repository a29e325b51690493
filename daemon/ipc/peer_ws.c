/* SPDX-License-Identifier: MIT */
/* peer_ws - see peer_ws.h. */
#include "daemon/ipc/peer_ws.h"

#include "daemon/ipc/report.h"
#include "daemon/ipc/trusts.h"

#include <reqivo/error.h>

#include <string.h>

static void keep(struct peer *peer, struct wsession *ws)
{
    ws->peer_next = peer->extra->wsessions;
    ws->peer_prev = &peer->extra->wsessions;
    if (ws->peer_next)
        ws->peer_next->peer_prev = &ws->peer_next;
    peer->extra->wsessions = ws;
    peer->in_flight++;
}

static void drop(struct peer *peer, struct wsession *ws)
{
    *ws->peer_prev = ws->peer_next;
    if (ws->peer_next)
        ws->peer_next->peer_prev = ws->peer_prev;
    rqv_map_del(&peer->ipc->wsessions, &ws->node);
    peer->in_flight--;
}

/* ---- what a session gives ---- */

static int sink_trust(struct wsession *ws, uint64_t trust_id, struct trust **ret_trust, struct rqv_err *err)
{
    return trusts_get(ws->owner, trust_id, ret_trust, err);
}

static int sink_opened(struct wsession *ws, const struct rqv_response_head *head)
{
    struct peer *peer = ws->owner;
    size_t size = 512 + head->reason.len + head->address.len;

    for (size_t i = 0; i < head->fields.count; i++)
        size += 4 + head->fields.at[i].name.len + head->fields.at[i].value.len;
    int rc = peer_room(peer, size);
    return rc < 0 ? rc : rqv_wire_encode_ws_opened(&peer->out.buf, ws->id, head);
}

static int sink_message(struct wsession *ws, uint8_t flags, struct rqv_str bytes)
{
    struct peer *peer = ws->owner;
    int rc = peer_room(peer, RQV_WIRE_HEADER + bytes.len);

    return rc < 0 ? rc : rqv_wire_encode_ws_data(&peer->out.buf, ws->id, flags, bytes);
}

static int sink_event(struct wsession *ws, const struct rqv_ws_event_info *event)
{
    struct peer *peer = ws->owner;
    int rc = peer_room(peer, 1024);

    return rc < 0 ? rc : rqv_wire_encode_ws_event(&peer->out.buf, ws->id, event);
}

static void sink_credit(struct wsession *ws, uint32_t bytes)
{
    struct peer *peer = ws->owner;

    if (peer_room_owed(peer, RQV_WIRE_HEADER + 4) < 0 ||
        rqv_wire_encode_credit(&peer->out.buf, ws->id, bytes) < 0)
        peer->broken = true;
}

static void sink_closed(struct wsession *ws, const struct rqv_ws_close_info *close,
                        const struct rqv_done *done)
{
    struct peer *peer = ws->owner;

    drop(peer, ws);
    if (close &&
        (peer_room_owed(peer, PEER_DONE) < 0 || rqv_wire_encode_ws_close(&peer->out.buf, ws->id, close) < 0))
        peer->broken = true;
    if (report_on(peer))
        report_websocket(peer, ws, done);
    peer_done(peer, ws->id, done);
}

static size_t sink_room(struct wsession *ws)
{
    struct peer *peer = ws->owner;
    size_t waiting = queue_len(&peer->out);

    if (waiting < PEER_OUT_HIGH)
        return PEER_OUT_HIGH - waiting + RQV_WIRE_PAYLOAD_MAX;
    peer->stalled = true;
    return 0;
}

static const struct wsession_sink peer_ws_sink = {
    .trust = sink_trust,
    .opened = sink_opened,
    .message = sink_message,
    .event = sink_event,
    .credit = sink_credit,
    .closed = sink_closed,
    .room = sink_room,
};

/* ---- what the program sends ---- */

struct wsession *peer_ws_find(struct peer *peer, uint64_t id)
{
    struct exchange_name name = {peer->number, id};
    struct rqv_map_node *node = rqv_map_get(&peer->ipc->wsessions, &name, sizeof name);

    return node ? RQV_LIST_OF(node, struct wsession, node) : NULL;
}

static int start_session(struct peer *peer, uint64_t id, const struct rqv_ws_open *open, struct rqv_err *err)
{
    struct wsession_params params = {.sink = &peer_ws_sink,
                                     .owner = peer,
                                     .account = peer->account,
                                     .uid = peer->source.uid,
                                     .id = id,
                                     .open = open};
    struct wsession *ws;

    if (peer_takes_no_more(peer))
        return rqv_err_set(err, REQIVO_E_SHUTDOWN, REQIVO_PHASE_IPC, "the daemon is shutting down");
    if (peer->in_flight >= RQV_WIRE_IN_FLIGHT_MAX)
        return rqv_err_set(err, REQIVO_E_LIMIT_REQUESTS, REQIVO_PHASE_QUEUE,
                           "%d requests are in flight on this connection", RQV_WIRE_IN_FLIGHT_MAX);
    int rc = peer_extra_make(peer);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "no memory for the session");
    rc = wsession_new(peer->ipc->use.wsessions, &params, &ws, err);
    if (rc < 0)
        return rc;
    ws->name = (struct exchange_name){peer->number, id};
    rc = rqv_map_put(&peer->ipc->wsessions, &ws->node, &ws->name, sizeof ws->name);
    if (rc < 0) {
        wsession_abandon(ws);
        return rqv_err_set(err, rc, REQIVO_PHASE_QUEUE, "no memory for the session");
    }
    keep(peer, ws);
    wsession_kick(ws);
    return 0;
}

const char *peer_ws_open(struct peer *peer, uint64_t id, struct rqv_str payload)
{
    struct rqv_ws_open open;
    struct rqv_err err = {0};
    const char *why = NULL;

    if (rqv_wire_decode_ws_open(payload, &open, &why) < 0)
        return why;
    if (start_session(peer, id, &open, &err) < 0) {
        if (report_on(peer))
            report_refused(peer, &(struct report_asked){id, RQV_STR("WEBSOCKET"), open.url}, &err);
        struct rqv_done done = {.code = err.code,
                                .sys_errno = err.sys_errno,
                                .phase = err.phase,
                                .sent = REQIVO_SENT_NO,
                                .detail = rqv_str_from(err.detail)};
        peer_done(peer, id, &done);
    }
    return NULL;
}

const char *peer_ws_data(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    struct wsession *ws = peer_ws_find(peer, header->id);

    if (!ws)
        return header->id <= peer->last_id ? NULL : "WS_DATA for an id that was never used";
    return wsession_send(ws, header->flags, payload) < 0 ? "WS_DATA beyond credit, or out of its order"
                                                         : NULL;
}

const char *peer_ws_close(struct peer *peer, uint64_t id, struct rqv_str payload)
{
    struct wsession *ws = peer_ws_find(peer, id);
    struct rqv_ws_close_info close;
    const char *why = NULL;

    if (rqv_wire_decode_ws_close(payload, &close, &why) < 0)
        return why;
    if (!ws)
        return id <= peer->last_id ? NULL : "WS_CLOSE for an id that was never used";
    return wsession_close(ws, &close) < 0 ? "WS_CLOSE with a code that no close frame may hold" : NULL;
}

void peer_ws_kick_all(struct peer *peer)
{
    struct wsession *next;

    for (struct wsession *ws = peer->extra->wsessions; ws; ws = next) {
        next = ws->peer_next;
        wsession_kick(ws);
    }
}

void peer_ws_cancel_all(struct peer *peer, int code, const char *detail)
{
    struct wsession *next;

    for (struct wsession *ws = peer->extra->wsessions; ws; ws = next) {
        next = ws->peer_next;
        wsession_cancel(ws, code, detail);
    }
}

void peer_ws_abandon_all(struct peer *peer)
{
    while (peer->extra->wsessions) {
        struct wsession *ws = peer->extra->wsessions;
        drop(peer, ws);
        if (report_on(peer))
            report_websocket(peer, ws, NULL);
        wsession_abandon(ws);
    }
}
