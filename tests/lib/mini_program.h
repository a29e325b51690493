/* SPDX-License-Identifier: MIT */
/*
 * mini_program - what tests of peers share: a world of one origin and a listener, and programs of users that
 * the test makes up, which speak the wire frame by frame.
 */
#ifndef RQV_TESTS_MINI_PROGRAM_H
#define RQV_TESTS_MINI_PROGRAM_H

#include "daemon/ipc/ipc.h"
#include "daemon/ipc/peer.h"
#include "tests/lib/mini_origin.h"

#include <reqivo/error.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDS 4096

struct client {
    struct peer *peer; /* only to be looked at while it lives */
    int fd;
    struct rqv_buf out, in;
    unsigned hellos, begun, responses, dones, goaways, listed, infos, hops, eof;
    unsigned done_of[IDS];
    uint64_t listed_ids[16];
    int code; /* of the last DONE */
    int goaway_code;
    size_t body;
    uint8_t order[16]; /* types of the first frames */
    unsigned frames;
};

struct world {
    struct mini_env env;
    struct mini_origin origin;
    struct ipc ipc;
    char folder[32], url[64];
    struct client clients[400];
    unsigned count;
    struct loop_task stop;
};

static inline void on_stop(void *owner)
{
    loop_stop(owner);
}

static inline struct world *world_open(void)
{
    static struct world w;
    char why[256] = "";

    memset(&w, 0, sizeof w);
    mini_env_open(&w.env);
    mini_origin_open(&w.origin, w.env.loop);
    snprintf(w.folder, sizeof w.folder, "/tmp/reqivo-peer-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w.folder));
    snprintf(w.env.conf.socket, sizeof w.env.conf.socket, "%s/s", w.folder);
    snprintf(w.env.conf.control_socket, sizeof w.env.conf.control_socket, "%s/s.control", w.folder);
    snprintf(w.url, sizeof w.url, "http://127.0.0.1:%u/", w.origin.port);
    struct ipc_params params = {.loop = w.env.loop,
                                .conf = &w.env.conf,
                                .accounts = &w.env.accounts,
                                .env = &w.env.exchanges,
                                .wsessions = &w.env.wsessions,
                                .origins = &w.env.origins,
                                .instance = 42,
                                .hash_key = {5, 6}};
    ck_assert_msg(ipc_start(&w.ipc, &params, why, sizeof why) == 0, "%s", why);
    loop_task_init(&w.stop, on_stop, w.env.loop);
    return &w;
}

static inline void client_done(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    rqv_buf_done(&c->in);
    rqv_buf_done(&c->out);
}

static inline void world_close(struct world *w)
{
    ipc_done(&w->ipc);
    for (unsigned i = 0; i < w->count; i++)
        client_done(&w->clients[i]);
    rmdir(w->folder);
    mini_origin_close(&w->origin);
    mini_env_close(&w->env);
}

/* ---- a program ---- */

static inline struct client *client_come(struct world *w, struct listener *listener, uid_t uid)
{
    struct client *c = &w->clients[w->count++];
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    c->fd = fds[0];
    rqv_buf_init(&c->in, 1 << 22);
    rqv_buf_init(&c->out, 1 << 24);
    ck_assert_int_eq(peer_new(listener, fds[1], uid, 1, &c->peer), 0);
    return c;
}

static inline struct client *client_open(struct world *w, uid_t uid)
{
    return client_come(w, &w->ipc.data, uid);
}

static inline void put_hello(struct client *c)
{
    struct rqv_hello hello = {.magic = RQV_WIRE_MAGIC,
                              .version = RQV_WIRE_VERSION,
                              .version_min = RQV_WIRE_VERSION_MIN,
                              .caps = RQV_CAP_TRAILERS,
                              .credit = RQV_WIRE_CREDIT_INITIAL,
                              .name = RQV_STR("test")};

    ck_assert_int_eq(rqv_wire_encode_hello(&c->out, &hello), 0);
}

static inline void put_request(struct world *w, struct client *c, uint64_t id, uint32_t flags)
{
    static struct rqv_request_head head;
    bool body = flags & RQV_REQ_HAS_BODY;

    memset(&head, 0, sizeof head);
    head.method = body ? RQV_STR("POST") : RQV_STR("GET");
    head.url = rqv_str_from(w->url);
    head.flags = flags;
    ck_assert_int_eq(rqv_wire_encode_request(&c->out, id, (uint8_t)(body ? 0 : RQV_FLAG_END), &head), 0);
}

static inline void flush(struct client *c)
{
    while (rqv_buf_len(&c->out) > 0) {
        ssize_t n = send(c->fd, rqv_buf_head(&c->out), rqv_buf_len(&c->out), MSG_NOSIGNAL);
        if (n <= 0)
            return;
        rqv_buf_consume(&c->out, (size_t)n);
    }
}

static inline void take_frame(struct client *c, const struct rqv_frame_header *header, struct rqv_str payload)
{
    struct rqv_done done;
    struct rqv_goaway goaway;
    const char *why;

    if (c->frames < sizeof c->order)
        c->order[c->frames] = header->type;
    c->frames++;
    c->hellos += header->type == RQV_WIRE_HELLO;
    c->begun += header->type == RQV_WIRE_BEGUN;
    c->responses += header->type == RQV_WIRE_RESPONSE;
    c->infos += header->type == RQV_WIRE_INFO;
    c->hops += header->type == RQV_WIRE_HOP;
    if (header->type == RQV_WIRE_DATA)
        c->body += payload.len;
    if (header->type == RQV_WIRE_DONE) {
        ck_assert_int_eq(rqv_wire_decode_done(payload, &done, &why), 0);
        ck_assert_uint_lt(header->id, IDS);
        ck_assert_msg(++c->done_of[header->id] == 1, "id %u is done twice", (unsigned)header->id);
        c->dones++;
        c->code = done.code;
    }
    if (header->type == RQV_WIRE_GOAWAY) {
        ck_assert_int_eq(rqv_wire_decode_goaway(payload, &goaway, &why), 0);
        c->goaways++;
        c->goaway_code = goaway.code;
        for (size_t i = 0; i < goaway.count && c->listed < 16; i++)
            c->listed_ids[c->listed++] = rqv_wire_goaway_id(&goaway, i);
    }
}

/* All that has come. */
static inline void take(struct client *c)
{
    struct rqv_frame_header header;
    uint8_t *room;
    const char *why;

    for (;;) {
        ck_assert_int_eq(rqv_buf_reserve(&c->in, 65536, &room), 0);
        ssize_t n = recv(c->fd, room, 65536, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            c->eof = 1;
        if (n <= 0)
            return;
        rqv_buf_commit(&c->in, (size_t)n);
        int rc;
        while ((rc = rqv_wire_next(rqv_buf_head(&c->in), rqv_buf_len(&c->in), false, &header, &why)) == 1) {
            take_frame(c, &header,
                       (struct rqv_str){(char *)rqv_buf_head(&c->in) + RQV_WIRE_HEADER, header.length});
            rqv_buf_consume(&c->in, RQV_WIRE_HEADER + header.length);
        }
        ck_assert_msg(rc == 0, "the daemon broke the wire: %s", why);
    }
}

static inline void until(struct world *w, struct client *c, const unsigned *counter, unsigned least)
{
    for (int i = 0; i < 5000 && *counter < least; i++) {
        flush(c);
        mini_env_ms(&w->env, 1);
        take(c);
    }
    ck_assert_uint_ge(*counter, least);
}

static inline void open_websocket(struct world *w, struct client *c, uint64_t id)
{
    static struct rqv_ws_open open;
    static char url[64];

    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", w->origin.port);
    open.url = rqv_str_from(url);
    for (int i = 0; i < RQV_T_COUNT; i++)
        open.timeout_ms[i] = RQV_TIMEOUT_DEFAULT;
    ck_assert_int_eq(rqv_wire_encode_ws_open(&c->out, id, &open), 0);
}

static inline struct client *greeted(struct world *w, uid_t uid)
{
    struct client *c = client_open(w, uid);

    put_hello(c);
    until(w, c, &c->hellos, 1);
    return c;
}

static inline struct client *greeted_control(struct world *w, uid_t uid)
{
    struct client *c = client_come(w, &w->ipc.control, uid);

    put_hello(c);
    until(w, c, &c->hellos, 1);
    return c;
}

static inline void silence(struct mini_conn *conn)
{
    (void)conn;
}

#endif
