/* SPDX-License-Identifier: MIT */
/*
 * wsession_io - frames of a session, both ways.
 *
 *   up:   | flags, length | bytes | flags, length | bytes | ...     what the program sent, each a piece of a
 * message out:  | frame | frame |...   one batch; nothing is added while it is being written 0      out_at
 */
#include "daemon/work/wsession_internal.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define RECORD       8     /* u32 length, u8 flags, 3 bytes of nothing */
#define BATCH        65536 /* frames are added to a batch until it holds so much */
#define READ_SIZE    65536
#define TURN_GIVES   131072 /* bytes of messages, expanded, until the session's next turn */
#define LAST_READS   4      /* of what the server said before it broke */
#define FLUSH_TURNS  8      /* batches in one go */
#define COMPRESS_MIN 32
#define PING_TEXT    "reqivo"
#define WINDOW_MIN   (RQV_WS_DATA_COST + 512)

void wsession_mask(struct wsession *ws, uint8_t ret_mask[4])
{
    struct wsession_env *env = ws->env;

    if (env->random_left < 4) {
        /* Up to 256 bytes at a time never fail nor come short, once the kernel is seeded: getrandom(2). */
        for (size_t at = 0; at < sizeof env->random; at += 256)
            while (getrandom(env->random + at, 256, 0) != 256)
                ;
        env->random_left = sizeof env->random;
    }
    env->random_left -= 4;
    memcpy(ret_mask, env->random + env->random_left, 4);
    memset(env->random + env->random_left, 0, 4);
}

void wsession_flush_soon(struct wsession *ws)
{
    loop_task_queue(ws->env->loop, &ws->flush, LOOP_FLUSH_UPSTREAM);
}

static void want(struct wsession *ws, unsigned events)
{
    if (ws->want != events && ws->stream) {
        ws->want = events;
        stream_want(ws->stream, events);
    }
}

/* What came before has to be looked at first, when the program takes more or it is the session's turn. */
static bool holds_back(const struct wsession *ws)
{
    return ws->blocked || ws->paused;
}

/* Reading waits meanwhile. */
static void want_what_fits(struct wsession *ws)
{
    if (ws->stream && ws->state != WS_GONE)
        want(ws, holds_back(ws) ? ws->want & ~LOOP_READ : ws->want | LOOP_READ);
}

/* ---- what the program sends ---- */

int wsession_send(struct wsession *ws, uint8_t flags, struct rqv_str bytes)
{
    uint64_t cost = bytes.len + RQV_WS_DATA_COST;
    bool first = flags & RQV_FLAG_FIRST, text = flags & RQV_FLAG_TEXT;
    uint8_t head[RECORD] = {0};
    uint32_t len = (uint32_t)bytes.len;

    if (cost > ws->grant_left || first == ws->up_open || (!first && text != ws->up_text))
        return REQIVO_E_WIRE;
    ws->grant_left -= cost;
    ws->taken += first;
    ws->up_open = !(flags & RQV_FLAG_END);
    ws->up_text = text;
    bool over = ws->close_asked || ws->state == WS_CLOSING || ws->state == WS_LINGER || ws->state == WS_GONE;
    if (over && !ws->ending) {
        ws->undelivered += first; /* it came after the end was decided on */
        return 0;
    }
    memcpy(head, &len, sizeof len);
    head[4] = flags;
    int rc = queue_append(&ws->up, head, sizeof head);
    if (rc == 0)
        rc = queue_append(&ws->up, bytes.ptr, bytes.len);
    if (rc < 0) {
        wsession_cancel(ws, rc, "no memory for what the program sends");
        return 0;
    }
    ws->message_us = loop_now_us(ws->env->loop);
    if (ws->state == WS_OPEN || ws->ending)
        wsession_flush_soon(ws);
    return 0;
}

static void return_credit(struct wsession *ws, uint32_t bytes)
{
    ws->credit_owed += bytes;
    if (ws->credit_owed < RQV_WS_WINDOW / 2 || !ws->sink)
        return;
    ws->grant_left += ws->credit_owed;
    ws->sink->credit(ws, ws->credit_owed);
    ws->credit_owed = 0;
}

static uint32_t record_read(struct wsession *ws, uint8_t *ret_flags)
{
    const uint8_t *at = rqv_buf_head(&ws->up.buf);
    uint32_t len;

    memcpy(&len, at, sizeof len);
    *ret_flags = at[4];
    return len;
}

static void record_done(struct wsession *ws, uint32_t len)
{
    queue_consume(&ws->up, RECORD + (size_t)len);
    ws->record_at = 0;
    return_credit(ws, len + RQV_WS_DATA_COST);
}

void wsession_drop_up(struct wsession *ws)
{
    while (queue_len(&ws->up) > 0) {
        uint8_t flags;
        uint32_t len = record_read(ws, &flags);

        ws->undelivered += (flags & RQV_FLAG_FIRST) && ws->record_at == 0;
        queue_consume(&ws->up, RECORD + (size_t)len);
        ws->record_at = 0;
    }
}

/* Also sets ws->unconfirmed. The frames of the batch from the first on; those that end beyond what was
 * written did not go out whole. */
uint32_t wsession_lost_messages(struct wsession *ws)
{
    const uint8_t *bytes = rqv_buf_head(&ws->out.buf);
    size_t at = 0, len = queue_len(&ws->out);
    bool frames = ws->state == WS_OPEN || ws->state == WS_CLOSING;
    uint32_t lost = 0;

    while (frames && at + 2 <= len) {
        size_t head = 6, size = bytes[at + 1] & 0x7f;
        bool counts = (bytes[at] & 0x88) == 0x80; /* FIN, no control frame */
        if (size == 126) {
            size = ((size_t)bytes[at + 2] << 8) + bytes[at + 3];
            head += 2;
        } else if (size == 127) {
            size = 0;
            for (int i = 2; i < 10; i++)
                size = (size << 8) + bytes[at + i];
            head += 8;
        }
        at += head + size;
        lost += counts && at > ws->out_at;
    }
    ws->unconfirmed = (uint32_t)(ws->sent.messages - ws->confirmed - lost);
    ws->confirmed = ws->sent.messages;
    if (ws->tx.open) { /* begun, its end has not come or not been framed */
        lost++;
        ws->skipping = true;
    }
    ws->tx.open = false;
    if (len > 0)
        queue_consume(&ws->out, len);
    ws->out_at = 0;
    return lost;
}

/* ---- writing ---- */

/* The rest of a message whose beginning went down with the old connection. */
static void skip_records(struct wsession *ws)
{
    while (ws->skipping && queue_len(&ws->up) > 0) {
        uint8_t flags;
        uint32_t len = record_read(ws, &flags);

        if ((flags & RQV_FLAG_FIRST) && ws->record_at == 0) {
            ws->skipping = false;
            return;
        }
        ws->skipping = !(flags & RQV_FLAG_END);
        record_done(ws, len);
    }
}

/* One frame of the first record. */
static int add_record(struct wsession *ws)
{
    struct rqv_ws_sent sent = {0};
    uint8_t flags;
    uint32_t len = record_read(ws, &flags);
    struct rqv_ws_piece piece = {
        .bytes = rqv_buf_head(&ws->up.buf) + RECORD + ws->record_at,
        .len = len - ws->record_at,
        .opcode = flags & RQV_FLAG_TEXT ? RQV_WS_TEXT : RQV_WS_BINARY,
        .last = flags & RQV_FLAG_END,
        .compress = ws->deflate && (len >= COMPRESS_MIN || !(flags & RQV_FLAG_END)),
    };
    int rc = queue_reserve(&ws->out, piece.len + 2 * RQV_WS_HEAD_MAX + WSESSION_SCRATCH);

    if (rc < 0)
        return rc;
    wsession_mask(ws, piece.mask);
    rc = rqv_ws_send(&ws->tx, &piece, &ws->out.buf, &sent);
    if (rc < 0)
        return rc;
    ws->record_at += sent.consumed;
    if (sent.done) {
        ws->sent.bytes += len;
        ws->sent.messages += piece.last;
        record_done(ws, len);
    }
    return 0;
}

static int add_control(struct wsession *ws, enum rqv_ws_opcode opcode, struct rqv_str payload)
{
    uint8_t mask[4];
    int rc = queue_reserve(&ws->out, RQV_WS_HEAD_MAX + payload.len);

    wsession_mask(ws, mask);
    return rc < 0 ? rc : rqv_ws_send_control(&ws->tx, opcode, payload, mask, &ws->out.buf);
}

static int add_pongs(struct wsession *ws)
{
    int rc = 0;

    while (rc == 0 && queue_len(&ws->pongs) > 0) {
        const uint8_t *pong = rqv_buf_head(&ws->pongs.buf);
        rc = add_control(ws, RQV_WS_PONG, (struct rqv_str){(const char *)pong + 1, pong[0]});
        queue_consume(&ws->pongs, 1 + (size_t)pong[0]);
    }
    return rc;
}

static int add_close(struct wsession *ws)
{
    struct rqv_ws_closing closing = {.code = ws->close_code, .reason = {ws->close_reason, ws->close_len}};
    int rc = queue_reserve(&ws->out, RQV_WS_HEAD_MAX + RQV_WS_CONTROL_MAX);

    if (rc < 0)
        return rc;
    wsession_mask(ws, closing.mask);
    if (closing.code == RQV_WS_CLOSE_NO_STATUS)
        closing.reason.len = 0;
    rc = rqv_ws_send_close(&ws->tx, &closing, &ws->out.buf);
    if (rc == -EILSEQ) {
        closing.reason.len = 0;
        rc = rqv_ws_send_close(&ws->tx, &closing, &ws->out.buf);
    }
    ws->state_us = loop_now_us(ws->env->loop); /* the time for the other's begins */
    return rc;
}

/* The next batch. */
static int fill(struct wsession *ws)
{
    if (ws->tx.closed || (ws->state != WS_OPEN && ws->state != WS_CLOSING))
        return 0;
    int rc = add_pongs(ws);
    if (rc == 0 && ws->ping_due) {
        ws->ping_due = false;
        rc = add_control(ws, RQV_WS_PING, RQV_STR(PING_TEXT));
        ws->pinged = ws->sent.messages;
    }
    skip_records(ws);
    while (rc == 0 && queue_len(&ws->up) > 0 && queue_len(&ws->out) < BATCH)
        rc = add_record(ws);
    if (rc == 0 && ws->state == WS_CLOSING && queue_len(&ws->up) == 0 && !ws->ending)
        rc = add_close(ws);
    return rc;
}

static bool read_once(struct wsession *ws);

static void read_last(struct wsession *ws)
{
    for (int i = 0; i < LAST_READS && ws->stream && !holds_back(ws) && read_once(ws); i++)
        ;
}

/* True when the batch is written whole. */
static bool write_batch(struct wsession *ws)
{
    while (ws->out_at < queue_len(&ws->out)) {
        struct iovec iov = {rqv_buf_head(&ws->out.buf) + ws->out_at, queue_len(&ws->out) - ws->out_at};
        long n = stream_write(ws->stream, &iov, 1);
        if (n == -EAGAIN)
            return false;
        if (n < 0 && ws->state == WS_LINGER)
            break; /* nobody takes our close frame any more */
        if (n < 0) {
            /* What the server said before it broke, a close frame perhaps, can still be read. */
            want(ws, (ws->want & LOOP_READ) | (holds_back(ws) ? 0 : LOOP_READ));
            read_last(ws);
            if (ws->stream && ws->state != WS_LINGER) {
                wsession_fail(ws, (int)n, REQIVO_PHASE_SEND, rqv_err_text((int)n));
                wsession_lost(ws);
            }
            return false;
        }
        ws->out_at += (size_t)n;
        ws->progress_us = loop_now_us(ws->env->loop);
    }
    if (queue_len(&ws->out) > 0)
        queue_consume(&ws->out, queue_len(&ws->out));
    ws->out_at = 0;
    return true;
}

static void on_fill_failure(struct wsession *ws, int rc)
{
    if (rc == -EILSEQ) {
        wsession_fail(ws, REQIVO_E_WEBSOCKET_PROTOCOL, REQIVO_PHASE_SEND,
                      "a text of the program is not UTF-8");
        ws->ending = false;
        wsession_drop_up(ws);
        wsession_violated(ws, RQV_WS_CLOSE_DATA);
        return;
    }
    wsession_fail(ws, rc, REQIVO_PHASE_SEND, "a frame could not be made");
    ws->tx.closed = false;
    ws->close_asked = true; /* no attempt to reconnect: it is our own trouble */
    wsession_lost(ws);
}

void wsession_flush(void *owner)
{
    struct wsession *ws = owner;

    for (int turn = 0; ws->stream && ws->state != WS_GONE; turn++) {
        if (turn == FLUSH_TURNS) {
            wsession_flush_soon(ws);
            break;
        }
        if (!write_batch(ws)) {
            if (ws->stream)
                want(ws, ws->want | LOOP_WRITE);
            break;
        }
        int rc = fill(ws);
        if (rc < 0) {
            on_fill_failure(ws, rc);
            continue;
        }
        if (queue_len(&ws->out) == 0) {
            want(ws, ws->want & ~LOOP_WRITE);
            break;
        }
        ws->progress_us = loop_now_us(ws->env->loop); /* the time for this batch begins */
    }
    if (ws->state == WS_CLOSING && ws->tx.closed && queue_len(&ws->out) == 0 &&
        (ws->close_heard || ws->rx.error < 0))
        wsession_finish(ws);
    if (ws->state != WS_GONE && ws->state != WS_BACKOFF && ws->state != WS_DIAL)
        wsession_arm(ws);
}

/* ---- reading ---- */

static void on_close_frame(struct wsession *ws, const struct rqv_ws_event *event)
{
    ws->close_heard = true;
    ws->heard_code = event->code;
    ws->heard_len = (uint8_t)event->len;
    if (event->len > 0)
        memcpy(ws->heard_reason, event->bytes, event->len);
    if (ws->state == WS_OPEN || !ws->tx.closed) {
        ws->close_asked = true;
        ws->close_code = event->code;
        ws->close_len = 0;
        if (ws->state != WS_CLOSING) {
            wsession_set_state(ws, WS_CLOSING);
            wsession_ending(ws);
        }
    }
    wsession_flush_soon(ws);
}

static void on_rx_failure(struct wsession *ws, const struct rqv_ws_event *event, int rc)
{
    int code = rc == -ENOMEM     ? -ENOMEM
               : rc == -EMSGSIZE ? REQIVO_E_WEBSOCKET_LIMIT
                                 : REQIVO_E_WEBSOCKET_PROTOCOL;

    wsession_fail(ws, code, REQIVO_PHASE_BODY, event->why);
    bool open = ws->state == WS_OPEN;
    wsession_violated(ws, event->code);
    if (open)
        wsession_ending(ws);
}

/* Many at once are all answered, except that the newest push the oldest out: RFC 6455 5.5.3. */
static void on_ping(struct wsession *ws, const struct rqv_ws_event *event)
{
    uint8_t record[1 + RQV_WS_CONTROL_MAX] = {(uint8_t)event->len};

    if (event->len > 0)
        memcpy(record + 1, event->bytes, event->len);
    while (queue_append(&ws->pongs, record, 1 + event->len) < 0 && queue_len(&ws->pongs) > 0)
        queue_consume(&ws->pongs, 1 + (size_t)rqv_buf_head(&ws->pongs.buf)[0]);
    wsession_flush_soon(ws);
}

static void on_event(struct wsession *ws, const struct rqv_ws_event *event)
{
    uint8_t flags = 0;

    switch (event->type) {
    case RQV_WS_EVENT_NEED:
        break;
    case RQV_WS_EVENT_DATA:
        flags = (uint8_t)((event->first ? RQV_FLAG_FIRST : 0) | (event->last ? RQV_FLAG_END : 0) |
                          (event->opcode == RQV_WS_TEXT ? RQV_FLAG_TEXT : 0));
        ws->received.messages += event->last;
        ws->received.bytes += event->len;
        ws->message_us = ws->heard_us;
        if (!ws->sink)
            break;
        ws->window -= event->len + RQV_WS_DATA_COST;
        if (ws->sink->message(ws, flags, (struct rqv_str){(const char *)event->bytes, event->len}) < 0)
            wsession_unheard(ws);
        break;
    case RQV_WS_EVENT_PING:
        on_ping(ws, event);
        break;
    case RQV_WS_EVENT_PONG: /* take_bytes() has seen that it lives */
        if (ws->pinged > ws->confirmed && event->len == strlen(PING_TEXT) &&
            memcmp(event->bytes, PING_TEXT, event->len) == 0)
            ws->confirmed = ws->pinged;
        break;
    case RQV_WS_EVENT_CLOSE:
        on_close_frame(ws, event);
        break;
    }
}

/* The most that the program takes now; 0: none. With compression a step may give a scratch block. */
static size_t takes(struct wsession *ws)
{
    size_t least = ws->inflate ? RQV_WS_DATA_COST + WSESSION_SCRATCH : WINDOW_MIN;
    size_t room;

    if (!ws->sink)
        return READ_SIZE;
    room = ws->window >= least ? ws->sink->room(ws) : 0;
    if (room < least)
        return 0;
    room = room < ws->window ? room : (size_t)ws->window;
    return ws->inflate ? READ_SIZE : room - RQV_WS_DATA_COST;
}

/* The rest of what was read, and what the inflater still holds, is for the next turn. */
static void pause_until_turn(struct wsession *ws)
{
    ws->paused = true;
    fair_queue(&ws->turn);
}

/* Returns what is used up of `bytes`; ws->blocked when the program must take something first, ws->paused when
 * it was enough for one turn: a read may expand to the thousandfold. */
static size_t parse(struct wsession *ws, uint8_t *bytes, size_t len)
{
    struct rqv_ws_event event;
    size_t at = 0, given = 0;

    ws->blocked = ws->paused = false;
    while (ws->state == WS_OPEN || ws->state == WS_CLOSING) {
        if (given >= TURN_GIVES) {
            pause_until_turn(ws);
            break;
        }
        if (!ws->sink)
            rqv_ws_receiver_pass_over(&ws->rx);
        size_t room = takes(ws);
        if (room == 0) {
            ws->blocked = true;
            return at;
        }
        size_t n = len - at < room ? len - at : room;
        int rc = rqv_ws_receive(&ws->rx, bytes + at, n, &event);
        at += event.consumed;
        if (rc < 0) {
            on_rx_failure(ws, &event, rc);
            return len;
        }
        given += event.type == RQV_WS_EVENT_DATA ? event.len : 0;
        on_event(ws, &event);
        if (event.type == RQV_WS_EVENT_NEED && at == len)
            break;
    }
    return at;
}

/* What the sink's failures call from in here may end the session for the program, not look at `bytes` again:
 * the loop goes on with them itself. */
static size_t process(struct wsession *ws, uint8_t *bytes, size_t len)
{
    ws->parsing = true;
    size_t used = parse(ws, bytes, len);
    ws->parsing = false;
    return used;
}

static void on_broken(struct wsession *ws, long n)
{
    if (ws->state == WS_LINGER || (ws->close_heard && ws->tx.closed)) {
        if (ws->state != WS_LINGER)
            wsession_finish(ws);
        if (ws->state == WS_LINGER) {
            ws->tx.closed = false;
            ws->state_us = 0; /* over: the timer ends it */
            want(ws, 0);
            wsession_arm(ws);
        }
        return;
    }
    if (n == 0 && ws->close_heard) { /* it did not wait for our close frame, which is on its way */
        want(ws, ws->want & ~LOOP_READ);
        return;
    }
    if (ws->state == WS_SHAKE)
        wsession_fail(ws, n < 0 ? (int)n : REQIVO_E_EMPTY_RESPONSE, REQIVO_PHASE_HEAD,
                      "the connection ended within the handshake");
    else if (ws->rx.error == 0 && (ws->err.code == 0 || !ws->tx.closed))
        wsession_fail(ws, n < 0 && n != REQIVO_E_TRUNCATED ? (int)n : REQIVO_E_WEBSOCKET_CLOSED,
                      REQIVO_PHASE_BODY, "the server ended the connection without a close frame");
    wsession_lost(ws);
}

static void take_bytes(struct wsession *ws, uint8_t *bytes, size_t n)
{
    size_t used = n;

    ws->heard_us = loop_now_us(ws->env->loop);
    ws->pinged_us = 0; /* any byte shows that it lives; its pong may lie behind a long message */
    if (ws->state == WS_OPEN || ws->state == WS_CLOSING)
        used = ws->rx.error < 0 || ws->close_heard ? n : process(ws, bytes, n);
    else if (ws->state == WS_SHAKE)
        used = 0;
    if (ws->state == WS_GONE || ws->state == WS_BACKOFF)
        return;
    if (used < n && queue_append(&ws->in, bytes + used, n - used) < 0) {
        wsession_fail(ws, REQIVO_E_LIMIT_MEMORY, REQIVO_PHASE_BODY, "no memory for what the server sends");
        ws->close_asked = true;
        wsession_lost(ws);
    } else if (ws->state == WS_SHAKE) {
        wsession_on_answer(ws);
    }
}

/* One read. True when another one may give more without waiting. */
static bool read_once(struct wsession *ws)
{
    uint8_t *bytes = loop_scratch(ws->env->loop, 1);
    bool more = false;
    long n = stream_read(ws->stream, bytes, READ_SIZE, &more);

    if (n == -EAGAIN)
        return false;
    if (n <= 0) {
        on_broken(ws, n);
        return false;
    }
    take_bytes(ws, bytes, (size_t)n);
    want_what_fits(ws);
    return more && ws->stream && !holds_back(ws);
}

static void look_again(struct wsession *ws)
{
    size_t len = queue_len(&ws->in);

    if (ws->state != WS_OPEN && ws->state != WS_CLOSING)
        return;
    if (holds_back(ws) || len > 0) {
        uint8_t nothing[1];
        size_t used = process(ws, len > 0 ? rqv_buf_head(&ws->in.buf) : nothing, len);
        if (ws->state == WS_GONE || ws->state == WS_BACKOFF)
            return;
        len = queue_len(&ws->in);
        if (used > 0 && len > 0)
            queue_consume(&ws->in, used < len ? used : len);
    }
    if (ws->pinged_us && !holds_back(ws)) /* its answer may have lain unread all the while */
        ws->pinged_us = loop_now_us(ws->env->loop);
    want_what_fits(ws);
    wsession_arm(ws);
}

void wsession_resume(struct wsession *ws)
{
    if (!ws->parsing && !ws->paused)
        look_again(ws);
}

void wsession_on_stream(void *owner, unsigned events)
{
    struct wsession *ws = owner;

    ws->ready |= events;
    fair_serve(&ws->turn);
}

bool wsession_turn(void *owner)
{
    struct wsession *ws = owner;
    unsigned events = ws->ready;
    bool more = false;

    ws->ready = 0;
    if (events & LOOP_WRITE)
        wsession_flush(ws);
    if (ws->paused) {
        look_again(ws);
        more = ws->stream && !holds_back(ws);
    } else if ((events & LOOP_READ) && ws->stream && !ws->blocked) {
        more = read_once(ws);
    }
    if (more)
        ws->ready |= LOOP_READ;
    if (ws->state == WS_OPEN || ws->state == WS_CLOSING)
        wsession_arm(ws);
    return more;
}

int wsession_credit(struct wsession *ws, uint32_t bytes)
{
    if (ws->window + bytes > RQV_WIRE_CREDIT_MAX)
        return REQIVO_E_WIRE;
    ws->window += bytes;
    if (ws->blocked)
        wsession_kick(ws);
    return 0;
}
