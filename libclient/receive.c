/* SPDX-License-Identifier: MIT */
/*
 * receive - frames from the daemon to exchanges. The daemon is not trusted (security.md T2): each frame must
 * fit the state of its id, lengths are bounded by credit that was given, and any breach takes the channel
 * down with REQIVO_E_WIRE. Frames for ids that are no longer live are eaten: they crossed a cancel or a
 * failure here.
 */
#include "common/uninit.h"
#include "libclient/handle.h"
#include "libclient/remote.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "libclient/save.h"
#include "libclient/trust.h"
#include "libclient/websocket.h"

#include <errno.h>
#include <string.h>

enum { STATUS_NOT_MODIFIED = 304 };

struct frame {
    const struct rqv_frame_header *header;
    struct rqv_str payload;
    const char *why;
};

static int refuse(struct frame *frame, const char *why)
{
    frame->why = why;
    return REQIVO_E_WIRE;
}

/* ---- frames of the connection ---- */

static int on_hello(struct reqivo_client *client, struct frame *frame)
{
    struct rqv_hello hello;

    if (client->channel.state != RQV_CHANNEL_GREETING)
        return refuse(frame, "a second HELLO");
    int r = rqv_wire_decode_hello(frame->payload, &hello, &frame->why);
    if (r < 0)
        return r;
    frame->why = "the daemon speaks another version";
    r = rqv_wire_version(&hello);
    if (r < 0)
        return r;
    rqv_copy_text(client->daemon_name, sizeof client->daemon_name, hello.name);
    client->caps = hello.caps;
    rqv_channel_greeted(&client->channel, rqv_now_ms());
    if (client->greeting > 0)
        rqv_exchange_start_waiting(client);
    return 0;
}

/* The id was not started, says the daemon: not sent, and sent again to its successor when that is possible.
 */
static int give_back(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    if (x->state == RQV_X_ANSWERED || x->begun || x->hopped)
        return refuse(frame, "a GOAWAY that takes back an id which was begun");
    if (x->state != RQV_X_SENT)
        return 0;
    bool final = client->goaway_code != REQIVO_E_SHUTDOWN;
    if (!final && rqv_exchange_replay(client, x, true))
        return 0;
    rqv_exchange_fail(client, x, client->goaway_code, client->goaway_detail);
    x->response->err.sent = x->sent;
    return 0;
}

static int on_goaway(struct reqivo_client *client, struct frame *frame)
{
    struct rqv_goaway goaway;
    int r = rqv_wire_decode_goaway(frame->payload, &goaway, &frame->why);

    if (r < 0)
        return r;
    client->goaway_code = goaway.code < 0 ? goaway.code : REQIVO_E_SHUTDOWN;
    rqv_copy_text(client->goaway_detail, sizeof client->goaway_detail, goaway.detail);
    rqv_channel_drain(&client->channel, rqv_now_ms());
    for (size_t i = 0; i < goaway.count; i++) {
        uint64_t id = rqv_wire_goaway_id(&goaway, i);
        struct rqv_exchange *x = rqv_client_find(client, id);
        if (id == 0 || id > client->last_id)
            return refuse(frame, "a GOAWAY with an id that was never used");
        r = x ? give_back(client, x, frame) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- frames of an exchange ---- */

/* Could the body that is announced be taken? HEAD and 304 announce one that does not come. RFC 9110 8.6 */
static bool announces_too_much(const struct reqivo_request *request, const struct rqv_response_head *head,
                               uint64_t max_body)
{
    const char *method = (const char *)request->text.data + request->text.start;
    bool comes =
        head->status != STATUS_NOT_MODIFIED && !(request->method_len == 4 && memcmp(method, "HEAD", 4) == 0);

    return comes && head->content_length > 0 && (uint64_t)head->content_length > max_body;
}

static uint64_t max_body_of(const struct reqivo_request *request)
{
    if (request->max_body != UINT64_MAX)
        return request->max_body;
    return request->on_body ? UINT64_MAX : RQV_BODY_DEFAULT_MAX;
}

/* The head of a redirect that is followed: it goes into the history. */
static int on_redirect(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame,
                       const struct rqv_response_head *head)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);

    if (x->response->hop_count >= request->redirect_max)
        return refuse(frame, "more redirects than were asked for");
    int r = rqv_response_add_hop(x->response, request, head);
    if (r == REQIVO_E_WIRE)
        return refuse(frame, "a NUL in a text of a RESPONSE");
    x->hop_announced = true;
    if (r < 0)
        rqv_exchange_abort(client, x, r, NULL);
    return 0;
}

static int on_hop(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    struct rqv_hop hop RQV_UNINIT; /* the decoder sets all but the fields beyond their count */

    if (!x->hop_announced)
        return refuse(frame, "a HOP without the RESPONSE of its redirect");
    int r = rqv_wire_decode_hop(frame->payload, &hop, &frame->why);
    if (r < 0)
        return r;
    if ((hop.flags & RQV_HOP_BODY) && !(hop.flags & RQV_HOP_WAITS))
        return refuse(frame, "a HOP that wants the body and does not wait");
    rqv_exchange_hop(client, x, &hop);
    return 0;
}

static int on_response(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_response_head head RQV_UNINIT; /* the decoder sets all but the fields beyond their count */

    if (x->state != RQV_X_SENT || request->verb || x->hop_announced || x->hop)
        return refuse(frame, "a second RESPONSE, or one to a QUERY");
    int r = rqv_wire_decode_response(frame->payload, &head, &frame->why);
    if (r < 0)
        return r;
    if (request->jar && rqv_fields_get(&head.fields, RQV_STR("set-cookie"), 0))
        request->jar->filled = true;
    if (frame->header->flags & RQV_FLAG_MORE)
        return on_redirect(client, x, frame, &head);
    r = rqv_response_set_head(x->response, &head);
    if (r == REQIVO_E_WIRE)
        return refuse(frame, "a NUL in a text of a RESPONSE");
    rqv_exchange_answered(client, x);
    if (r < 0) {
        rqv_exchange_abort(client, x, r, NULL);
    } else if (announces_too_much(request, &head, max_body_of(request))) {
        rqv_exchange_abort(client, x, REQIVO_E_LIMIT_BODY, "the announced length is over the limit");
    } else if (rqv_save_wants(request, head.status) && request->on_head) {
        x->head_due = true;
        rqv_exchange_notify(client, x);
    }
    return 0;
}

static int on_data(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    size_t n = frame->payload.len;
    int r;

    if (x->state != RQV_X_ANSWERED)
        return refuse(frame, "DATA before its RESPONSE");
    if (n > x->window)
        return refuse(frame, "DATA beyond the credit given");
    x->window -= n;
    x->received += n;
    if (x->received > max_body_of(request)) {
        rqv_exchange_abort(client, x, REQIVO_E_LIMIT_BODY, "the body is over the limit");
        return 0;
    }
    if (request->on_body)
        r = rqv_buf_append(&x->stream, frame->payload.ptr, n);
    else
        r = rqv_response_append(x->response, frame->payload);
    if (r < 0)
        rqv_exchange_abort(client, x, -ENOMEM, NULL);
    else if (request->on_body)
        rqv_exchange_notify(client, x);
    else
        rqv_exchange_return_credit(client, x, n);
    return 0;
}

static int on_trailers(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    struct rqv_fields fields RQV_UNINIT;

    if (x->state != RQV_X_ANSWERED || x->response->trailers.at)
        return refuse(frame, "TRAILERS before a RESPONSE, or twice");
    int r = rqv_wire_decode_fields(frame->payload, &fields, &frame->why);
    if (r < 0)
        return r;
    r = rqv_response_set_trailers(x->response, &fields);
    if (r == REQIVO_E_WIRE)
        return refuse(frame, "a NUL in a text of TRAILERS");
    if (r < 0)
        rqv_exchange_abort(client, x, r, NULL);
    return 0;
}

static int on_credit(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    struct reqivo_request *request = RQV_REQUEST_OF(x);
    uint32_t more;
    int r = rqv_wire_decode_u32(frame->payload, &more, &frame->why);

    if (r < 0)
        return r;
    x->credit += more;
    if (x->credit > RQV_WIRE_CREDIT_MAX)
        return refuse(frame, "more credit outstanding than the limit");
    bool unfinished =
        request->body.kind != RQV_BODY_NONE && x->body_sent < request->body.length && !x->body_ended;
    if (unfinished && !x->body_blocked && rqv_list_empty(&x->sending))
        rqv_list_append(&client->sending, &x->sending);
    return 0;
}

static int on_begun(struct rqv_exchange *x, struct frame *frame)
{
    if (!(RQV_REQUEST_OF(x)->flags & RQV_REQ_BEGUN))
        return refuse(frame, "a BEGUN that was not asked for");
    x->begun = true;
    return 0;
}

/* The one row of an operation becomes the fields of its response, and what is known of its connection. */
static int keep_row(struct reqivo_client *client, struct rqv_exchange *x, const struct rqv_fields *fields,
                    struct frame *frame)
{
    struct rqv_remote *target = RQV_REQUEST_OF(x)->operation.target;

    if (x->response->fields.at)
        return refuse(frame, "a second row of an operation that has one");
    int r = rqv_response_set_row(x->response, fields);
    if (r == 0 && target && !target->is_jar)
        r = rqv_remote_set_row(target, fields);
    if (r == REQIVO_E_WIRE)
        return refuse(frame, "a NUL in a text of INFO");
    if (r < 0)
        rqv_exchange_abort(client, x, r, NULL);
    return 0;
}

/* A row waits as u32 length and payload. */
static int on_info(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    uint32_t len = (uint32_t)frame->payload.len;

    if (!RQV_REQUEST_OF(x)->verb)
        return refuse(frame, "INFO for what is no QUERY");
    struct rqv_fields fields RQV_UNINIT;
    int r = rqv_wire_decode_fields(frame->payload, &fields, &frame->why);
    uint8_t *room;
    if (r < 0)
        return r;
    if (!RQV_REQUEST_OF(x)->on_row)
        return keep_row(client, x, &fields, frame);
    if (rqv_buf_reserve(&x->stream, sizeof len + len, &room) < 0)
        return refuse(frame, "more rows than there is room for");
    memcpy(room, &len, sizeof len);
    memcpy(room + sizeof len, frame->payload.ptr, len);
    rqv_buf_commit(&x->stream, sizeof len + len);
    return 0;
}

static int on_done(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    struct rqv_done done;
    int r = rqv_wire_decode_done(frame->payload, &done, &frame->why);

    if (r < 0)
        return r;
    if (done.code == 0 && x->state != RQV_X_ANSWERED && !RQV_REQUEST_OF(x)->verb)
        return refuse(frame, "a DONE without failure and without a RESPONSE");
    rqv_response_set_done(x->response, &done);
    if (x->response->err.sent < x->sent)
        x->response->err.sent = x->sent; /* of an earlier connection */
    rqv_exchange_complete(client, x);
    return 0;
}

static int on_exchange_frame(struct reqivo_client *client, struct rqv_exchange *x, struct frame *frame)
{
    if (RQV_REQUEST_OF(x)->ws && frame->header->type != RQV_WIRE_DONE)
        return rqv_websocket_frame(client, x, frame->header, frame->payload, &frame->why);
    switch (frame->header->type) {
    case RQV_WIRE_RESPONSE:
        return on_response(client, x, frame);
    case RQV_WIRE_HOP:
        return on_hop(client, x, frame);
    case RQV_WIRE_DATA:
        return on_data(client, x, frame);
    case RQV_WIRE_CREDIT:
        return on_credit(client, x, frame);
    case RQV_WIRE_TRAILERS:
        return on_trailers(client, x, frame);
    case RQV_WIRE_BEGUN:
        return on_begun(x, frame);
    case RQV_WIRE_INFO:
        return on_info(client, x, frame);
    case RQV_WIRE_DONE:
        return on_done(client, x, frame);
    default:
        return refuse(frame, "a frame type that has no place here");
    }
}

/* Of an upload of certificates, or of an exchange that is no more. A set that was refused is uploaded again
 * when it is wanted again; one that was taken keeps its name. */
static int on_other_done(struct reqivo_client *client, struct frame *frame)
{
    struct rqv_done done;
    int r = rqv_wire_decode_done(frame->payload, &done, &frame->why);

    if (r == 0 && done.code < 0)
        rqv_trust_forget_uploads(&client->trust, frame->header->id);
    if (r == 0 && done.code < 0)
        rqv_remotes_refused(client, frame->header->id);
    return r;
}

static int on_frame(struct reqivo_client *client, struct frame *frame)
{
    uint64_t id = frame->header->id;

    if (frame->header->type == RQV_WIRE_GOAWAY)
        return on_goaway(client, frame);
    if (frame->header->type == RQV_WIRE_HELLO)
        return on_hello(client, frame);
    if (client->channel.state == RQV_CHANNEL_GREETING)
        return refuse(frame, "a frame before HELLO");
    if (id > client->last_id)
        return refuse(frame, "a frame with an id that was never used");
    struct rqv_exchange *x = rqv_client_find(client, id);
    if (x && (x->state == RQV_X_SENT || x->state == RQV_X_ANSWERED))
        return on_exchange_frame(client, x, frame);
    return !x && frame->header->type == RQV_WIRE_DONE ? on_other_done(client, frame) : 0;
}

int rqv_client_decode(struct reqivo_client *client, const char **ret_why)
{
    struct rqv_buf *in = &client->channel.in;
    struct rqv_frame_header header;

    for (;;) {
        int r = rqv_wire_next(rqv_buf_head(in), rqv_buf_len(in), false, &header, ret_why);
        if (r <= 0)
            return r;
        struct frame frame = {.header = &header};
        frame.payload = (struct rqv_str){(const char *)rqv_buf_head(in) + RQV_WIRE_HEADER, header.length};
        r = on_frame(client, &frame);
        rqv_buf_consume(in, RQV_WIRE_HEADER + (size_t)header.length);
        if (r < 0) {
            *ret_why = frame.why;
            return r;
        }
    }
}
