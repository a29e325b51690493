/* SPDX-License-Identifier: MIT */
/* websocket_records - the two queues of a session: records in a buffer, and messages made whole from pieces.
 */
#include "libclient/exchange.h"
#include "libclient/handle.h"
#include "libclient/request.h"
#include "libclient/websocket.h"

#include <string.h>

int rqv_record_put(struct rqv_buf *buf, uint8_t flags, struct rqv_str bytes)
{
    uint32_t len = (uint32_t)bytes.len;
    uint8_t *room;
    int r = rqv_buf_reserve(buf, RQV_WS_RECORD + bytes.len, &room);

    if (r < 0)
        return r;
    memset(room, 0, RQV_WS_RECORD);
    memcpy(room, &len, sizeof len);
    room[4] = flags;
    if (bytes.len > 0)
        memcpy(room + RQV_WS_RECORD, bytes.ptr, bytes.len);
    rqv_buf_commit(buf, RQV_WS_RECORD + bytes.len);
    return 0;
}

bool rqv_record_get(struct rqv_buf *buf, uint8_t *ret_flags, struct rqv_str *ret_bytes)
{
    const uint8_t *at = rqv_buf_head(buf);
    uint32_t len;

    if (rqv_buf_len(buf) == 0)
        return false;
    memcpy(&len, at, sizeof len);
    *ret_flags = at[4];
    *ret_bytes = (struct rqv_str){(const char *)at + RQV_WS_RECORD, len};
    return true;
}

void rqv_record_drop(struct rqv_buf *buf)
{
    struct rqv_str bytes;
    uint8_t flags;

    if (rqv_record_get(buf, &flags, &bytes))
        rqv_buf_consume(buf, RQV_WS_RECORD + bytes.len);
}

static void return_credit(struct reqivo_websocket *ws, size_t n)
{
    ws->owed += n + RQV_WS_DATA_COST;
    if (!ws->x || ws->owed < RQV_WS_WINDOW / 2 || ws->x->state != RQV_X_ANSWERED)
        return;
    rqv_client_must_queue(ws->client,
                          rqv_wire_encode_credit(&ws->client->channel.out, ws->x->id, (uint32_t)ws->owed));
    ws->window += ws->owed;
    ws->owed = 0;
}

/* False: an event that is not for the program. */
static bool read_event(struct reqivo_websocket *ws, struct rqv_str bytes,
                       struct reqivo_websocket_event *ret_event)
{
    if (bytes.len == sizeof *ret_event)
        memcpy(ret_event, bytes.ptr, sizeof *ret_event);
    if (ret_event->kind == RQV_WS_LOST) /* the rest of a message that had begun never comes */
        rqv_buf_consume(&ws->whole, rqv_buf_len(&ws->whole));
    if (ret_event->kind != RQV_WS_ENDING)
        return true;
    ws->ending = true;
    return false;
}

/* A record becomes what the program sees; its bytes move to `given`. False: a piece of a message that is not
 * whole. */
static bool take_data(struct reqivo_websocket *ws, uint8_t flags, struct rqv_str bytes,
                      struct reqivo_message *message)
{
    struct rqv_buf *to = ws->pieces ? &ws->given : &ws->whole;

    if (ws->pieces)
        rqv_buf_consume(to, rqv_buf_len(to));
    if ((flags & RQV_FLAG_FIRST) && !ws->pieces)
        rqv_buf_consume(to, rqv_buf_len(to));
    int r = rqv_buf_append(to, bytes.ptr, bytes.len);
    return_credit(ws, bytes.len);
    if (r < 0) {
        if (ws->x)
            rqv_exchange_abort(ws->client, ws->x, r, "no memory for a message");
        return false;
    }
    if (!ws->pieces && !(flags & RQV_FLAG_END))
        return false;
    if (!ws->pieces) {
        struct rqv_buf swap = ws->given;
        ws->given = ws->whole;
        ws->whole = swap;
        rqv_buf_consume(&ws->whole, rqv_buf_len(&ws->whole));
    }
    *message = (struct reqivo_message){
        .kind = flags & RQV_FLAG_TEXT ? REQIVO_TEXT : REQIVO_BINARY,
        .first = !ws->pieces || (flags & RQV_FLAG_FIRST),
        .last = (flags & RQV_FLAG_END) != 0,
        .bytes = rqv_buf_head(&ws->given) ? (const void *)rqv_buf_head(&ws->given) : "",
        .size = rqv_buf_len(&ws->given),
    };
    return true;
}

bool rqv_websocket_next(struct reqivo_websocket *ws, struct reqivo_message *ret_message,
                        struct reqivo_websocket_event *ret_event, uint8_t *ret_flags)
{
    struct rqv_str bytes;
    uint8_t flags;

    while (rqv_record_get(&ws->in, &flags, &bytes)) {
        bool found = true;
        if (flags & RQV_RECORD_EVENT)
            found = read_event(ws, bytes, ret_event);
        else if (!(flags & RQV_RECORD_OPENED))
            found = take_data(ws, flags, bytes, ret_message);
        rqv_record_drop(&ws->in);
        *ret_flags = flags;
        if (found)
            return true;
    }
    return false;
}
