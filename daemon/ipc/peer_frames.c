/* SPDX-License-Identifier: MIT */
/* peer_frames - what each frame of a program does. Whatever is not as doc/wire.md says ends this peer. */
#include "daemon/ipc/peer.h"
#include "daemon/ipc/peer_operate.h"
#include "daemon/ipc/peer_pools.h"
#include "daemon/ipc/peer_ws.h"
#include "daemon/ipc/query.h"
#include "daemon/ipc/report.h"
#include "daemon/ipc/trusts.h"

#include "common/uninit.h"
#include "daemon/base/log.h"

#include "config.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool fault(struct peer *peer, const char *why)
{
    peer_fault(peer, why);
    return false;
}

static bool on_hello(struct peer *peer, struct rqv_str payload)
{
    struct rqv_hello hello;
    const char *why = NULL;

    if (rqv_wire_decode_hello(payload, &hello, &why) < 0)
        return fault(peer, why);
    peer->state = PEER_OPEN;
    peer->takes_trailers = hello.caps & RQV_CAP_TRAILERS;
    peer_heard(peer);
    struct rqv_hello answer = {
        .magic = RQV_WIRE_MAGIC,
        .version = RQV_WIRE_VERSION,
        .version_min = RQV_WIRE_VERSION_MIN,
        .caps = peer->control ? RQV_CAP_QUERY : RQV_CAP_TRAILERS | RQV_CAP_QUERY | RQV_CAP_WEBSOCKET,
        .instance = peer->ipc->use.instance,
        .credit = RQV_WIRE_CREDIT_INITIAL,
        .name = RQV_STR("reqivod/" PACKAGE_VERSION),
    };
    if (peer_room_owed(peer, 256) < 0 || rqv_wire_encode_hello(&peer->out.buf, &answer) < 0)
        return fault(peer, "no memory to greet");
    if (rqv_wire_version(&hello) < 0) {
        peer_goaway(peer, REQIVO_E_VERSION, rqv_err_text(REQIVO_E_VERSION));
        peer_flush_now(peer);
        peer_close(peer, "no protocol version in common");
        return false;
    }
    if (peer_takes_no_more(peer))
        peer_goaway(peer, REQIVO_E_SHUTDOWN, rqv_err_text(REQIVO_E_SHUTDOWN));
    return true;
}

static void refuse(struct peer *peer, uint64_t id, const struct rqv_err *err)
{
    struct rqv_done done = {
        .code = err->code,
        .sys_errno = err->sys_errno,
        .phase = err->phase,
        .sent = REQIVO_SENT_NO,
        .detail = rqv_str_from(err->detail),
    };

    peer_done(peer, id, &done);
}

static void refuse_request(struct peer *peer, uint64_t id, const struct rqv_request_head *head,
                           const struct rqv_err *err)
{
    if (report_on(peer))
        report_refused(peer, &(struct report_asked){id, head->method, head->url}, err);
    refuse(peer, id, err);
}

static bool take_id(struct peer *peer, uint64_t id)
{
    if (id <= peer->last_id)
        return fault(peer, "an id was used twice or went backwards");
    peer->last_id = id;
    return true;
}

static void start_request(struct peer *peer, const struct rqv_frame_header *header,
                          const struct rqv_request_head *head)
{
    struct rqv_err err = {0};
    struct exchange *x = NULL;
    struct pin *pin = head->connection_id != 0 ? peer_pin(peer, head->connection_id) : NULL;
    struct exchange_params params = {
        .sink = &peer_sink,
        .owner = peer,
        .account = peer->account,
        .source = &peer->source,
        .id = header->id,
        .head = head,
        .pin = pin,
        .ended = header->flags & RQV_FLAG_END,
    };

    if (head->session_id != 0) {
        params.session = peer_session(peer, head->session_id);
        if (!params.session) {
            rqv_err_set(&err, REQIVO_E_SESSION, REQIVO_PHASE_NONE,
                        "the session was never opened on this connection, or is closed");
            refuse_request(peer, header->id, head, &err);
            return;
        }
    }
    if (head->connection_id != 0 && !pin) {
        rqv_err_set(&err, REQIVO_E_SESSION, REQIVO_PHASE_NONE,
                    "the connection that the request names was never acquired, or is closed");
        refuse_request(peer, header->id, head, &err);
        return;
    }
    int rc = exchange_new(peer->ipc->use.env, &params, &x, &err);
    if (rc == 0) {
        x->name = (struct exchange_name){peer->number, x->id};
        rc = rqv_map_put(&peer->ipc->exchanges, &x->node, &x->name, sizeof x->name);
        if (rc < 0)
            exchange_abandon(x);
    }
    if (rc < 0 && x) {
        rqv_err_set(&err, rc, REQIVO_PHASE_QUEUE, "no memory for the request");
    }
    if (rc < 0) {
        refuse_request(peer, header->id, head, &err);
        return;
    }
    rqv_list_append(&peer->exchange_list, &x->peer_node);
    peer->in_flight++;
    exchange_kick(x);
}

/* Do the head and END agree about the body? */
static bool check_end(struct peer *peer, const struct rqv_frame_header *header,
                      const struct rqv_request_head *head)
{
    bool body = head->flags & RQV_REQ_HAS_BODY;

    if (!body && !(header->flags & RQV_FLAG_END))
        return fault(peer, "a request without a body must end with its head");
    if (body && (header->flags & RQV_FLAG_END) && !(head->flags & RQV_REQ_CHUNKED) && head->body_length > 0)
        return fault(peer, "a request ends before its declared body");
    return true;
}

static bool on_request(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    struct rqv_request_head head RQV_UNINIT; /* the decoder sets all but the fields beyond their count */
    struct rqv_err err = {0};
    const char *why = NULL;

    if (!take_id(peer, header->id))
        return false;
    if (rqv_wire_decode_request(payload, &head, &why) < 0)
        return fault(peer, why);
    if (!check_end(peer, header, &head))
        return false;
    if (peer_takes_no_more(peer)) {
        peer_hand_back(peer, header->id);
    } else if (peer->in_flight >= RQV_WIRE_IN_FLIGHT_MAX) {
        rqv_err_set(&err, REQIVO_E_LIMIT_REQUESTS, REQIVO_PHASE_QUEUE,
                    "%d requests are in flight on this connection", RQV_WIRE_IN_FLIGHT_MAX);
        refuse_request(peer, header->id, &head, &err);
    } else {
        start_request(peer, header, &head);
    }
    return true;
}

/* Frames about a request: it may have ended already, then they are late and harmless. */
static struct exchange *find(struct peer *peer, uint64_t id)
{
    struct exchange_name name = {peer->number, id};
    struct rqv_map_node *node = rqv_map_get(&peer->ipc->exchanges, &name, sizeof name);

    return node ? RQV_LIST_OF(node, struct exchange, node) : NULL;
}

static bool on_proceed(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    struct rqv_request_head head RQV_UNINIT; /* the decoder sets all but the fields beyond their count */
    struct exchange *x = find(peer, header->id);
    const char *why = NULL;

    if (rqv_wire_decode_request(payload, &head, &why) < 0)
        return fault(peer, why);
    if (!check_end(peer, header, &head))
        return false;
    if (x && exchange_proceed(x, &head, header->flags & RQV_FLAG_END) < 0)
        return fault(peer, "PROCEED without a HOP that waits for it");
    return x || header->id <= peer->last_id ? true : fault(peer, "PROCEED for an id that was never used");
}

static bool on_data(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    bool last = header->flags & RQV_FLAG_END;
    struct exchange *x = find(peer, header->id);

    if (x)
        return exchange_body(x, payload, last) < 0
                   ? fault(peer, "body bytes beyond credit or after their end")
                   : true;
    if (trusts_knows(peer, header->id))
        return trusts_data(peer, header->id, payload, last) < 0
                   ? fault(peer, "a set of certificates has another length than announced")
                   : true;
    return header->id <= peer->last_id ? true : fault(peer, "DATA for an id that was never used");
}

static bool on_credit(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    const char *why = NULL;
    uint32_t bytes;
    struct exchange *x = find(peer, header->id);

    if (rqv_wire_decode_u32(payload, &bytes, &why) < 0)
        return fault(peer, why);
    struct wsession *ws = x ? NULL : peer_ws_find(peer, header->id);
    if ((x && exchange_credit(x, bytes) < 0) || (ws && wsession_credit(ws, bytes) < 0))
        return fault(peer, "credit beyond its limit");
    return x || header->id <= peer->last_id ? true : fault(peer, "CREDIT for an id that was never used");
}

static bool on_cancel(struct peer *peer, const struct rqv_frame_header *header)
{
    struct exchange *x = find(peer, header->id);

    if (x)
        exchange_cancel(x, REQIVO_E_CANCELED, "canceled by the program");
    struct wsession *ws = x ? NULL : peer_ws_find(peer, header->id);
    if (ws)
        wsession_cancel(ws, REQIVO_E_CANCELED, "canceled by the program");
    if (!x && !ws)
        peer_operate_cancel(peer, header->id);
    return x || header->id <= peer->last_id ? true : fault(peer, "CANCEL for an id that was never used");
}

static bool on_trust(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    const char *why = NULL;
    uint32_t total;

    if (!take_id(peer, header->id))
        return false;
    if (rqv_wire_decode_u32(payload, &total, &why) < 0)
        return fault(peer, why);
    return trusts_begin(peer, header->id, total) < 0 ? fault(peer, "too many sets of certificates") : true;
}

static bool on_query(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    const char *why = NULL;
    uint16_t verb;

    if (!take_id(peer, header->id))
        return false;
    if (rqv_wire_decode_verb(payload, &verb, &why) < 0)
        return fault(peer, why);
    query_begin(peer, header->id, verb);
    return true;
}

static bool on_operate(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    if (!take_id(peer, header->id))
        return false;
    const char *why = peer_operate(peer, header->id, payload);
    return why ? fault(peer, why) : true;
}

static bool on_websocket(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    const char *why;

    if (header->type == RQV_WIRE_WS_OPEN && !take_id(peer, header->id))
        return false;
    if (header->type == RQV_WIRE_WS_OPEN)
        why = peer_ws_open(peer, header->id, payload);
    else if (header->type == RQV_WIRE_WS_DATA)
        why = peer_ws_data(peer, header, payload);
    else
        why = peer_ws_close(peer, header->id, payload);
    return why ? fault(peer, why) : true;
}

/* What makes requests has no place on the control socket; its DATA and CANCEL are late and harmless. */
static bool is_misplaced(const struct peer *peer, const struct rqv_frame_header *header)
{
    return peer->control && (header->type == RQV_WIRE_REQUEST || header->type == RQV_WIRE_TRUST ||
                             header->type == RQV_WIRE_WS_OPEN);
}

static bool on_misplaced(struct peer *peer, const struct rqv_frame_header *header)
{
    struct rqv_err err = {0};

    if (!take_id(peer, header->id))
        return false;
    rqv_err_set(&err, REQIVO_E_ACCESS_DENIED, REQIVO_PHASE_IPC,
                "this is the control socket, which takes no requests: they go to %s",
                peer->ipc->use.conf->socket);
    refuse(peer, header->id, &err);
    return true;
}

bool peer_frame(struct peer *peer, const struct rqv_frame_header *header, struct rqv_str payload)
{
    if (peer->state == PEER_SILENT && header->type != RQV_WIRE_HELLO)
        return fault(peer, "the first frame must be HELLO");
    if (is_misplaced(peer, header))
        return on_misplaced(peer, header);
    switch ((enum rqv_wire_type)header->type) {
    case RQV_WIRE_HELLO:
        return peer->state == PEER_SILENT ? on_hello(peer, payload) : fault(peer, "a second HELLO");
    case RQV_WIRE_REQUEST:
        return on_request(peer, header, payload);
    case RQV_WIRE_PROCEED:
        return on_proceed(peer, header, payload);
    case RQV_WIRE_DATA:
        return on_data(peer, header, payload);
    case RQV_WIRE_CREDIT:
        return on_credit(peer, header, payload);
    case RQV_WIRE_CANCEL:
        return on_cancel(peer, header);
    case RQV_WIRE_TRUST:
        return on_trust(peer, header, payload);
    case RQV_WIRE_QUERY:
        return on_query(peer, header, payload);
    case RQV_WIRE_OPERATE:
        return on_operate(peer, header, payload);
    case RQV_WIRE_WS_OPEN:
    case RQV_WIRE_WS_DATA:
    case RQV_WIRE_WS_CLOSE:
        return on_websocket(peer, header, payload);
    case RQV_WIRE_GOAWAY:
        return true; /* it will send no more requests; it says so when it closes, too */
    default:
        return fault(peer, "a frame that only the daemon may send");
    }
}
