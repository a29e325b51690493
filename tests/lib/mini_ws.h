/* SPDX-License-Identifier: MIT */
/* mini_ws - what tests of wsession share: a sink that notes what it is told, a server that speaks WebSocket
 * on the test's own loop (mini_origin), and one session between the two. */
#ifndef RQV_TESTS_MINI_WS_H
#define RQV_TESTS_MINI_WS_H

#include "proto/ws_accept.h"
#include "tests/lib/mini_origin.h"

#include <reqivo/error.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- the sink ---- */

struct told {
    unsigned opened, messages, pieces, events, closed;
    size_t bytes, room;
    uint64_t credit;
    char text[64]; /* the first bytes of the messages */
    struct rqv_ws_event_info event[32];
    bool was_open;
    struct rqv_ws_close_info close;
    struct rqv_done done;
    char detail[RQV_DETAIL_MAX], reason[128];
    int message_rc, restored_rc;
};

struct ws_world {
    struct mini_env env;
    struct mini_origin origin;
    struct rqv_ws_open open;
    char url[64];
    const char *answer; /* instead of a 101 */
    const char *fields; /* more of the 101 */
    bool mute;          /* no answer at all */
    unsigned handshakes;
    struct told told;
    struct wsession *ws; /* NULL after its end was told */
    uint64_t next_id;
};

static inline int mini_trust(struct wsession *ws, uint64_t id, struct trust **ret_trust, struct rqv_err *err)
{
    (void)ws, (void)id, (void)ret_trust;
    return rqv_err_set(err, REQIVO_E_TRUST, REQIVO_PHASE_NONE, "no trust");
}

static inline int mini_opened(struct wsession *ws, const struct rqv_response_head *head)
{
    struct ws_world *w = ws->owner;

    ck_assert_int_eq(head->status, 101);
    w->told.opened++;
    return 0;
}

static inline int mini_message(struct wsession *ws, uint8_t flags, struct rqv_str bytes)
{
    struct ws_world *w = ws->owner;
    struct told *told = &w->told;

    if (told->bytes < sizeof told->text - 1) {
        size_t n = sizeof told->text - 1 - told->bytes;
        memcpy(told->text + told->bytes, bytes.ptr, bytes.len < n ? bytes.len : n);
    }
    told->bytes += bytes.len;
    told->pieces++;
    told->messages += (flags & RQV_FLAG_END) != 0;
    return told->message_rc;
}

static inline int mini_event(struct wsession *ws, const struct rqv_ws_event_info *event)
{
    struct ws_world *w = ws->owner;

    ck_assert_uint_lt(w->told.events, 32);
    w->told.event[w->told.events] = *event;
    w->told.event[w->told.events++].detail = (struct rqv_str){"", 0};
    return event->kind == RQV_WS_RESTORED ? w->told.restored_rc : 0;
}

static inline void mini_credit(struct wsession *ws, uint32_t bytes)
{
    struct ws_world *w = ws->owner;

    w->told.credit += bytes;
}

static inline void mini_closed(struct wsession *ws, const struct rqv_ws_close_info *close,
                               const struct rqv_done *done)
{
    struct ws_world *w = ws->owner;
    struct told *told = &w->told;

    told->closed++;
    told->was_open = close != NULL;
    if (close) {
        told->close = *close;
        snprintf(told->reason, sizeof told->reason, "%.*s", (int)close->reason.len, close->reason.ptr);
    }
    told->done = *done;
    snprintf(told->detail, sizeof told->detail, "%.*s", (int)done->detail.len, done->detail.ptr);
    w->ws = NULL;
}

static inline size_t mini_room(struct wsession *ws)
{
    struct ws_world *w = ws->owner;

    return w->told.room;
}

static const struct wsession_sink mini_ws_sink = {mini_trust,  mini_opened, mini_message, mini_event,
                                                  mini_credit, mini_closed, mini_room};

/* ---- the server ---- */

/* on_whole of the origin: answers the handshake. */
static inline void mini_shake(struct mini_conn *conn)
{
    static char answer[16][1024];
    static unsigned turn;
    struct ws_world *w = conn->origin->user;
    const char *key = strcasestr(conn->in, "\r\nsec-websocket-key: ");
    char proof[RQV_WS_ACCEPT_LEN];

    w->handshakes++;
    if (w->mute)
        return;
    if (w->answer) {
        mini_say(conn, w->answer);
        return;
    }
    ck_assert_ptr_nonnull(key);
    rqv_ws_accept(key + 21, proof);
    char *out = answer[turn++ % 16];
    snprintf(out, sizeof answer[0],
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %.*s\r\n%s\r\n",
             RQV_WS_ACCEPT_LEN, proof, w->fields ? w->fields : "");
    mini_say(conn, out);
}

/* A frame of the server, FIN set; `bytes` up to 125. The buffer is the test's for as long as it matters. */
static inline void mini_ws_say(struct mini_conn *conn, uint8_t opcode, const char *bytes, size_t len)
{
    static char frame[64][128];
    static unsigned turn;
    char *out = frame[turn++ % 64];

    ck_assert_uint_le(len, 125);
    out[0] = (char)(0x80 | opcode);
    out[1] = (char)len;
    memcpy(out + 2, bytes, len);
    mini_send(conn, out, len + 2);
}

/* The next frame that came from the session, unmasked in place; the payload's length, -1 when it is not
 * there. */
static inline long mini_ws_frame(struct mini_conn *conn, uint8_t *ret_first, const char **ret_bytes)
{
    uint8_t *in = (uint8_t *)conn->in;
    size_t len, head = 6;
    static char kept[RQV_WIRE_PAYLOAD_MAX + 64];

    if (conn->len < 6)
        return -1;
    ck_assert_msg(in[1] & 0x80, "a frame is not masked");
    len = in[1] & 0x7f;
    if (len == 126) {
        len = (size_t)in[2] << 8 | in[3];
        head = 8;
    } else if (len == 127) {
        len = (size_t)in[6] << 24 | (size_t)in[7] << 16 | (size_t)in[8] << 8 | in[9];
        head = 14;
    }
    if (conn->len < head + len)
        return -1;
    ck_assert_uint_lt(len, sizeof kept);
    for (size_t i = 0; i < len; i++)
        kept[i] = (char)(in[head + i] ^ in[head - 4 + (i & 3)]);
    kept[len] = '\0';
    *ret_first = in[0];
    *ret_bytes = kept;
    memmove(conn->in, conn->in + head + len, conn->len - head - len + 1);
    conn->len -= head + len;
    return (long)len;
}

/* ---- the world ---- */

static inline struct ws_world *ws_world_open(void)
{
    static struct ws_world w;

    memset(&w, 0, sizeof w);
    mini_env_open(&w.env);
    mini_origin_open(&w.origin, w.env.loop);
    w.origin.on_whole = mini_shake;
    w.origin.user = &w;
    w.told.room = 1 << 20;
    snprintf(w.url, sizeof w.url, "ws://127.0.0.1:%u/chat", w.origin.port);
    w.open.url = rqv_str_from(w.url);
    for (int i = 0; i < RQV_T_COUNT; i++)
        w.open.timeout_ms[i] = RQV_TIMEOUT_DEFAULT;
    return &w;
}

static inline void ws_world_close(struct ws_world *w)
{
    mini_origin_close(&w->origin);
    mini_env_close(&w->env);
}

static inline int ws_start(struct ws_world *w, struct rqv_err *err)
{
    const struct wsession_params params = {
        .sink = &mini_ws_sink, .owner = w, .account = w->env.account, .id = ++w->next_id, .open = &w->open};
    int rc = wsession_new(&w->env.wsessions, &params, &w->ws, err);

    if (rc == 0)
        wsession_kick(w->ws);
    return rc;
}

static inline void ws_begin(struct ws_world *w)
{
    struct rqv_err err = {0};

    ck_assert_int_eq(ws_start(w, &err), 0);
}

static inline void ws_open(struct ws_world *w)
{
    ws_begin(w);
    mini_env_until(&w->env, &w->told.opened, 1);
}

static inline void ws_end(struct ws_world *w)
{
    mini_env_until(&w->env, &w->told.closed, 1);
}

static inline void ws_text(struct ws_world *w, const char *text)
{
    ck_assert_int_eq(wsession_send(w->ws, RQV_FLAG_FIRST | RQV_FLAG_TEXT | RQV_FLAG_END, rqv_str_from(text)),
                     0);
}

static inline void ws_close(struct ws_world *w, uint16_t code, const char *reason)
{
    const struct rqv_ws_close_info close = {.code = code, .reason = rqv_str_from(reason)};

    ck_assert_int_eq(wsession_close(w->ws, &close), 0);
}

/* Waits for the next frame of the session on the newest connection; its payload's length. */
static inline size_t ws_expect(struct ws_world *w, uint8_t first, const char **ret_bytes)
{
    uint8_t got = 0;
    long len = -1;

    for (int i = 0; i < 5000 && len < 0; i++) {
        struct mini_conn *conn = mini_last(&w->origin);
        len = conn ? mini_ws_frame(conn, &got, ret_bytes) : -1;
        if (len < 0)
            mini_env_ms(&w->env, 2);
    }
    ck_assert_msg(len >= 0, "no frame came, 0x%02x was due", first);
    ck_assert_msg(got == first, "a frame 0x%02x came, not 0x%02x", got, first);
    return (size_t)len;
}

static inline void ws_expect_text(struct ws_world *w, const char *text)
{
    const char *bytes;
    size_t len = ws_expect(w, 0x81, &bytes);

    ck_assert_uint_eq(len, strlen(text));
    ck_assert_str_eq(bytes, text);
}

/* The session's close frame, with that code (0: an empty one). */
static inline void ws_expect_close(struct ws_world *w, unsigned code, const char *reason)
{
    const char *bytes;
    size_t len = ws_expect(w, 0x88, &bytes);

    if (code == 0) {
        ck_assert_uint_eq(len, 0);
        return;
    }
    ck_assert_uint_ge(len, 2);
    ck_assert_uint_eq((unsigned)(uint8_t)bytes[0] << 8 | (uint8_t)bytes[1], code);
    ck_assert_str_eq(bytes + 2, reason);
}

static inline void ws_check(const struct ws_world *w, int code, uint16_t close_code)
{
    ck_assert_uint_eq(w->told.closed, 1);
    ck_assert_msg(w->told.done.code == code, "code %s, not %s: %s", rqv_err_name(w->told.done.code),
                  rqv_err_name(code), w->told.detail);
    ck_assert_int_eq(w->told.was_open, close_code != 0);
    if (close_code)
        ck_assert_uint_eq(w->told.close.code, close_code);
}

#define WS_CLOSE_1000 "\x03\xe8"
#define WS_CLOSE_1001 "\x03\xe9"

#endif
