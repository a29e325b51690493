/* SPDX-License-Identifier: MIT */
/*
 * deliver - the only file that runs the program's callbacks (but for body sources: upload.c). In the order of
 * the bytes: on_head, on_body pieces, then done, which ends the exchange. A callback may do anything that
 * <reqivo/client.h> allows, so nothing that it could free or move is held across one: pieces are taken out of
 * the exchange, closing is deferred.
 */
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/response.h"
#include "libclient/websocket.h"

#include <errno.h>
#include <string.h>

static void deliver_head(struct reqivo_client *client, struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);

    x->head_due = false;
    x->delivered = true;
    client->in_callback++;
    int r = request->on_head(client, x->response, request->stream_userdata);
    client->in_callback--;
    if (r != 0)
        rqv_exchange_abort(client, x, REQIVO_E_CANCELED, "on_head refused the response");
}

/* All body bytes that are here, in one piece. */
static void deliver_piece(struct reqivo_client *client, struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    struct rqv_buf piece = x->stream;
    size_t n = rqv_buf_len(&piece);

    rqv_buf_init(&x->stream, piece.max);
    x->delivered = true;
    client->in_callback++;
    int r = request->on_body(client, rqv_buf_head(&piece), n, request->stream_userdata);
    client->in_callback--;
    rqv_buf_consume(&piece, n);
    if (x->stream.data)
        rqv_buf_done(&piece);
    else
        x->stream = piece; /* the block serves the next piece */
    if (r == REQIVO_PAUSE && !x->sync) {
        x->paused = x->state != RQV_X_DONE || rqv_buf_len(&x->stream) > 0;
        x->held += n;
    } else if (r != 0 && r != REQIVO_PAUSE) {
        rqv_exchange_abort(client, x, REQIVO_E_CANCELED, "on_body refused the body");
    } else {
        rqv_exchange_return_credit(client, x, n);
    }
}

/* Lines of cookies have tabs, which rqv_copy_text() does not let pass. */
static void copy_value(char *to, struct rqv_str text)
{
    rqv_copy_text(to, text.len + 1, text);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\t')
            to[i] = '\t';
}

/* One row of a QUERY or an OPERATE: names and values as C strings in one block. */
static int deliver_row(struct rqv_exchange *x)
{
    const struct reqivo_request *request = RQV_REQUEST_OF(x);
    const char *names[RQV_FIELDS_MAX], *values[RQV_FIELDS_MAX];
    struct rqv_fields fields = {.count = 0};
    const char *why;
    uint32_t len;
    struct rqv_buf text;

    memcpy(&len, rqv_buf_head(&x->stream), sizeof len);
    struct rqv_str payload = {(const char *)rqv_buf_head(&x->stream) + sizeof len, len};
    rqv_wire_decode_fields(payload, &fields, &why); /* was decoded when it came in */
    rqv_buf_init(&text, (size_t)RQV_WIRE_PAYLOAD_MAX * 2);
    uint8_t *room;
    int r = rqv_buf_reserve(&text, (size_t)len + 2 * fields.count + 1, &room);
    if (r == 0) {
        char *at = (char *)room;
        for (size_t i = 0; i < fields.count; i++) {
            names[i] = at;
            rqv_copy_text(at, fields.at[i].name.len + 1, fields.at[i].name);
            at += fields.at[i].name.len + 1;
            values[i] = at;
            copy_value(at, fields.at[i].value);
            at += fields.at[i].value.len + 1;
        }
    }
    rqv_buf_consume(&x->stream, sizeof len + len); /* before the callback, which may cancel */
    if (r == 0)
        request->on_row(fields.count, names, values, request->stream_userdata);
    rqv_buf_done(&text);
    return r;
}

static int deliver_rows(struct reqivo_client *client, struct rqv_exchange *x)
{
    int run = 0;

    client->in_callback++;
    while (rqv_buf_len(&x->stream) > 0 && !client->closing) {
        x->delivered = true;
        if (deliver_row(x) < 0)
            x->response->err.code = -ENOMEM;
        else
            run++;
    }
    client->in_callback--;
    return run;
}

int rqv_exchange_deliver_parts(struct reqivo_client *client, struct rqv_exchange *x)
{
    int run = 0;

    if (RQV_REQUEST_OF(x)->ws)
        return rqv_websocket_deliver(client, x);
    if (RQV_REQUEST_OF(x)->verb)
        return deliver_rows(client, x);
    if (x->hop_due) {
        rqv_hooks_hop(client, x);
        run++;
    }
    if (x->after_due && (x->head_due || x->state == RQV_X_DONE) && !client->closing) {
        rqv_hooks_after(client, x);
        run++;
    }
    if (x->head_due && !client->closing) {
        deliver_head(client, x);
        run++;
    }
    while (rqv_buf_len(&x->stream) > 0 && !x->paused && !client->closing) {
        deliver_piece(client, x);
        run++;
    }
    return run;
}

/* The end of an exchange. The handle itself outlives the callback: closing is deferred. */
static void deliver_done(struct reqivo_client *client, struct rqv_exchange *x)
{
    reqivo_done_fn fn = x->fn;
    void *userdata = x->userdata;
    struct reqivo_response *response = rqv_exchange_finish(client, x);

    if (!fn) { /* the library's own errand */
        reqivo_response_free(response);
        return;
    }
    client->in_callback++;
    fn(client, response, userdata);
    client->in_callback--;
}

/* Only what is ready now: what the callbacks make ready is for the next time, so that this ends. */
int rqv_client_deliver(struct reqivo_client *client)
{
    struct rqv_list batch;
    int run = 0;

    rqv_list_init(&batch);
    if (!rqv_list_empty(&client->ready)) {
        rqv_list_append(&client->ready, &batch);
        rqv_list_remove(&client->ready);
    }
    for (struct rqv_list *node; !client->closing && (node = rqv_list_first(&batch)) != NULL;) {
        struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, ready);
        rqv_list_remove(node);
        run += rqv_exchange_deliver_parts(client, x);
        if (client->closing || !rqv_exchange_is_over(x))
            continue;
        deliver_done(client, x);
        run++;
    }
    rqv_list_remove(&batch); /* closing: what is left in it is found through client->all */
    return run;
}

void rqv_client_cancel_all(struct reqivo_client *client)
{
    struct rqv_list *node;

    while ((node = rqv_list_first(&client->all)) != NULL) {
        struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, all);
        uint8_t sent = rqv_exchange_sent(client, x, false);
        rqv_list_remove(&x->ready);
        rqv_buf_done(&x->stream);
        x->head_due = x->hop_due = x->after_due = false;
        rqv_exchange_fail(client, x, REQIVO_E_CANCELED, "the handle was closed");
        x->response->err.sent = sent;
        if (x->sync && !RQV_REQUEST_OF(x)->ws)
            reqivo_response_free(rqv_exchange_finish(client, x));
        else
            deliver_done(client, x);
    }
}
