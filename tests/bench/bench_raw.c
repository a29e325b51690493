/* SPDX-License-Identifier: MIT */
/*
 * bench_raw - HTTP/1.1 over UNIX sockets, as cheap as a client can be: for HAProxy, nginx and the floor.
 *
 * Each connection has one request under way. The request is one fixed buffer; of the response only the end of
 * the head is sought and status and Content-Length are looked at.
 *
 *     IDLE -> (request written) -> HEAD -> BODY -> IDLE
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 128 * 1024 };

struct raw;

struct raw_conn {
    int fd;
    bool in_body;
    size_t held; /* bytes of an unfinished head */
    size_t left; /* bytes of the body */
    uint64_t started_ns;
    char head[4096];
};

struct raw {
    const struct bench_options *options;
    struct raw_conn *conns;
    int epoll;
    char *request;
    size_t size;
    char *space;
};

static void make_request(struct raw *raw)
{
    const char *authority = strstr(raw->options->url, "://");
    char head[512];

    if (!authority)
        bench_die("no URL: %s", raw->options->url);
    authority += 3;
    const char *path = strchr(authority, '/');
    int host = (int)(path ? path - authority : (long)strlen(authority));
    int n;
    if (raw->options->upload > 0)
        n = snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: %.*s\r\nContent-Length: %zu\r\n\r\n",
                     path ? path : "/", host, authority, raw->options->upload);
    else
        n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: %.*s\r\n\r\n", path ? path : "/", host,
                     authority);
    raw->size = (size_t)n + raw->options->upload;
    raw->request = bench_alloc(raw->size);
    memcpy(raw->request, head, (size_t)n);
}

/* A large upload waits for room here: an origin that answers before it has read all would stall this client.
 */
static void write_request(const struct raw *raw, struct raw_conn *conn)
{
    size_t sent = 0;

    conn->started_ns = bench_now_ns();
    while (sent < raw->size) {
        ssize_t n = send(conn->fd, raw->request + sent, raw->size - sent, MSG_NOSIGNAL);
        if (n < 0)
            bench_die("send: %s", strerror(errno));
        sent += (size_t)n;
    }
}

static void parse_head(const struct raw *raw, struct raw_conn *conn)
{
    char *end = memmem(conn->head, conn->held, "\r\n\r\n", 4);

    if (!end) {
        if (conn->held == sizeof(conn->head))
            bench_die("a head without end");
        return;
    }
    if (conn->held < 12 || memcmp(conn->head + 8, " 200", 4) != 0)
        bench_die("not 200: %.*s", 80, conn->head);
    *end = '\0';
    const char *length = strcasestr(conn->head, "\ncontent-length:");
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    size_t extra = conn->held - (size_t)(end + 4 - conn->head);
    if (!length || body != raw->options->expect || extra > body)
        bench_die("a body of %zu bytes instead of %zu", body, raw->options->expect);
    conn->left = body - extra;
    conn->held = 0;
    conn->in_body = true;
}

/* One read; true when the response is complete. */
static bool read_some(const struct raw *raw, struct raw_conn *conn)
{
    char *to = conn->in_body ? raw->space : conn->head + conn->held;
    size_t room = conn->in_body ? READ_SIZE : sizeof(conn->head) - conn->held;
    ssize_t n = recv(conn->fd, to, room, 0);

    if (n <= 0)
        bench_die("recv: %s", n == 0 ? "the relay closed the connection" : strerror(errno));
    if (!conn->in_body) {
        conn->held += (size_t)n;
        parse_head(raw, conn);
    } else {
        if ((size_t)n > conn->left)
            bench_die("bytes after the body");
        conn->left -= (size_t)n;
    }
    if (!conn->in_body || conn->left > 0)
        return false;
    conn->in_body = false;
    return true;
}

static void run_one(const struct raw *raw, struct bench_block *block)
{
    struct raw_conn *conn = &raw->conns[0];

    for (size_t i = 0; i < block->count; i++) {
        write_request(raw, conn);
        while (!read_some(raw, conn))
            ;
        bench_note(block, conn->started_ns);
    }
}

static void run_many(const struct raw *raw, struct bench_block *block)
{
    struct epoll_event events[128];

    for (; block->started < block->count && block->started < raw->options->flight; block->started++)
        write_request(raw, &raw->conns[block->started]);
    while (block->done < block->count) {
        int n = epoll_wait(raw->epoll, events, 128, -1);
        if (n < 0 && errno != EINTR)
            bench_die("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            struct raw_conn *conn = events[i].data.ptr;
            if (!read_some(raw, conn))
                continue;
            bench_note(block, conn->started_ns);
            if (block->started < block->count) {
                block->started++;
                write_request(raw, conn);
            }
        }
    }
}

static void run(struct bench_block *block, void *userdata)
{
    const struct raw *raw = userdata;

    if (raw->options->flight == 1)
        run_one(raw, block);
    else
        run_many(raw, block);
}

static void open_all(struct raw *raw)
{
    raw->epoll = epoll_create1(EPOLL_CLOEXEC);
    raw->conns = bench_alloc(raw->options->flight * sizeof(*raw->conns));
    for (size_t i = 0; i < raw->options->flight; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &raw->conns[i]};
        raw->conns[i].fd = bench_connect_unix(raw->options->socket);
        if (epoll_ctl(raw->epoll, EPOLL_CTL_ADD, raw->conns[i].fd, &event) < 0)
            bench_die("epoll_ctl: %s", strerror(errno));
    }
    for (size_t i = 0; i < raw->options->idle; i++) {
        struct raw_conn conn = {.fd = bench_connect_unix(raw->options->socket)};
        write_request(raw, &conn);
        while (!read_some(raw, &conn))
            ;
    }
}

int main(int argc, char *argv[])
{
    struct bench_options options;
    struct raw raw = {.options = &options};

    bench_options_read(argc, argv, &options);
    if (!options.socket)
        bench_die("--socket is needed");
    make_request(&raw);
    raw.space = bench_alloc(READ_SIZE);
    open_all(&raw);
    bench_serve(run, &raw);
    free(raw.conns);
    free(raw.request);
    free(raw.space);
    return 0;
}
