/* SPDX-License-Identifier: MIT */
/*
 * upload - request bodies to DATA frames, under the daemon's credit. Bytes of files and callbacks are read
 * straight into the out buffer. An exchange is in the handle's sending list while it has bytes to send,
 * credit, and a source that gives:
 *
 *   no credit      it leaves; CREDIT puts it back (receive.c)
 *   -EAGAIN        it leaves; reqivo_resume() puts it back
 *   END queued     it leaves for good
 */
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "libclient/websocket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* n bytes of a file; fewer, 0 included, means that it has become shorter. */
static long read_file(const struct rqv_body *body, uint64_t sent, uint8_t *room, size_t n)
{
    size_t got = 0;

    while (got < n) {
        ssize_t r = pread(body->fd, room + got, n - got, (off_t)((uint64_t)body->offset + sent + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -errno : REQIVO_E_BODY_LENGTH;
        got += (size_t)r;
    }
    return (long)got;
}

static long ask_callback(struct reqivo_client *client, struct rqv_exchange *x, uint8_t *room, size_t n)
{
    const struct rqv_body *body = &RQV_REQUEST_OF(x)->body;

    x->body_resumed = false;
    client->in_callback++;
    client->in_source = true;
    long r = body->fn(room, n, body->userdata);
    client->in_source = false;
    client->in_callback--;
    if (r > (long)n)
        return REQIVO_E_BODY_SOURCE;
    if (r == 0 && body->length != REQIVO_LENGTH_UNKNOWN)
        return REQIVO_E_BODY_LENGTH;
    return r;
}

/* Up to n > 0 bytes of the body: how many, 0 for the end of a body of unknown length, or negative. */
static long fetch(struct reqivo_client *client, struct rqv_exchange *x, uint8_t *room, size_t n)
{
    const struct rqv_body *body = &RQV_REQUEST_OF(x)->body;

    switch (body->kind) {
    case RQV_BODY_MEMORY:
        memcpy(room, body->bytes + x->body_sent, n);
        return (long)n;
    case RQV_BODY_FILE:
        return read_file(body, x->body_sent, room, n);
    case RQV_BODY_CALLBACK:
        return ask_callback(client, x, room, n);
    default:
        return 0;
    }
}

static void fail_source(struct reqivo_client *client, struct rqv_exchange *x, long error)
{
    if (error == -EAGAIN) {
        x->body_blocked = !x->body_resumed;
        if (x->body_resumed)
            client->pump_again = true;
        return;
    }
    if (error == REQIVO_E_BODY_LENGTH) {
        rqv_exchange_abort(client, x, REQIVO_E_BODY_LENGTH, NULL);
        return;
    }
    x->response->err.sys_errno = error < 0 && error > -4096 ? (int)-error : 0;
    rqv_exchange_abort(client, x, REQIVO_E_BODY_SOURCE, NULL);
}

/* One DATA frame. True when the exchange stays in the sending list. */
static bool send_piece(struct reqivo_client *client, struct rqv_exchange *x)
{
    const struct rqv_body *body = &RQV_REQUEST_OF(x)->body;
    struct rqv_buf *out = &client->channel.out;
    uint64_t left = body->length == REQIVO_LENGTH_UNKNOWN ? UINT64_MAX : body->length - x->body_sent;
    uint64_t n = left < x->credit ? left : x->credit;

    if (n > RQV_WIRE_PAYLOAD_MAX)
        n = RQV_WIRE_PAYLOAD_MAX;
    if (n == 0)
        return false;
    uint8_t *room;
    if (rqv_secret_reserve(out, RQV_WIRE_HEADER + (size_t)n) < 0 ||
        rqv_buf_reserve(out, RQV_WIRE_HEADER + (size_t)n, &room) < 0) {
        rqv_exchange_abort(client, x, -ENOMEM, NULL);
        return false;
    }
    long got = fetch(client, x, room + RQV_WIRE_HEADER, (size_t)n);
    if (got < 0) {
        fail_source(client, x, got);
        return !x->body_blocked && x->state != RQV_X_DONE;
    }
    x->body_sent += (uint64_t)got;
    x->credit -= (uint64_t)got;
    x->body_ended = got == 0 || x->body_sent == body->length;
    const struct rqv_frame_header header = {.length = (uint32_t)got,
                                            .type = RQV_WIRE_DATA,
                                            .flags = (uint8_t)(x->body_ended ? RQV_FLAG_END : 0),
                                            .id = x->id};
    rqv_wire_put_header(room, &header);
    rqv_buf_commit(out, RQV_WIRE_HEADER + (size_t)got);
    return !x->body_ended;
}

void rqv_client_pump(struct reqivo_client *client)
{
    client->pump_again = false;
    while (!client->pump_again && rqv_channel_takes_bodies(&client->channel) &&
           rqv_buf_len(&client->channel.out) < RQV_OUT_HIGH) {
        struct rqv_list *node = rqv_list_first(&client->sending);
        if (!node)
            return;
        rqv_list_remove(node);
        struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, sending);
        if (RQV_REQUEST_OF(x)->ws ? rqv_websocket_pump(client, x) : send_piece(client, x))
            rqv_list_append(&client->sending, node);
    }
}
