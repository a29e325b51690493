/* SPDX-License-Identifier: MIT */
/*
 * scrape - see scrape.h. A connection's one block of text is the head first and the answer after it:
 *
 *   text: |-- written --|at-- not yet --|used-- room for a piece of the metrics --|
 *
 * An answer in HTTP/1.1 is chunked, so one that was cut off is known as such; in HTTP/1.0 it ends with a
 * reset then. Who reads slowly waits with a full block and no more.
 */
#include "daemon/ipc/scrape.h"

#include "daemon/base/log.h"
#include "daemon/ipc/ipc.h"
#include "daemon/ipc/metrics.h"
#include "proto/http1_asked.h"
#include "proto/url.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG        16
#define ACCEPT_REST_US 100000
#define TEXT_MAX       16384
#define CHUNK_FRAME    16    /* the length before a piece, the line ends around it, and the last chunk */
#define DROPPED_MAX    65536 /* of what a client sends behind its request */

static_assert(SCRAPE_HEAD_MAX <= TEXT_MAX && METRICS_PIECE + CHUNK_FRAME <= TEXT_MAX, "one block for both");

enum scrape_state { SCRAPE_HEAD, SCRAPE_ANSWER, SCRAPE_LINGER };

struct scrape_conn {
    struct scrape *scrape;
    struct rqv_list node;
    struct account *account;
    struct loop_io io;
    struct fair_item item;
    uint64_t since_us;
    enum scrape_state state;
    bool bodiless, chunked; /* bodiless: it is HEAD */
    bool more;              /* the metrics have not been read to their end */
    struct metrics metrics;
    size_t at, used, dropped;
    char text[TEXT_MAX];
};

static struct scrape_conn *oldest(struct scrape *scrape)
{
    struct rqv_list *first = rqv_list_first(&scrape->conns);

    return first ? RQV_LIST_OF(first, struct scrape_conn, node) : NULL;
}

static void arm(struct scrape *scrape)
{
    const struct scrape_conn *conn = oldest(scrape);

    if (conn)
        loop_timer_at(&scrape->due,
                      conn->since_us + (scrape->count < SCRAPE_CONNS ? SCRAPE_US : SCRAPE_CROWD_US));
    else
        loop_timer_stop(&scrape->due);
}

static void conn_free(struct scrape_conn *conn)
{
    const struct linger reset = {.l_onoff = 1};
    struct scrape *scrape = conn->scrape;
    int fd = conn->io.fd;

    if (conn->more)
        metrics_end(&conn->metrics);
    fair_drop(&conn->item);
    loop_io_stop(&conn->io);
    if (conn->state == SCRAPE_ANSWER) /* it is cut off: no end that could be taken for its own */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    rqv_list_remove(&conn->node);
    scrape->count--;
    account_refund(conn->account, ACCOUNT_MEMORY, sizeof *conn);
    account_release(&conn->account);
    free(conn);
    if (scrape->accept.fd >= 0 && scrape->pause.at_us == UINT64_MAX)
        loop_io_set(&scrape->accept, LOOP_READ);
    arm(scrape);
}

/* ---- the answer ---- */

static void add(struct scrape_conn *conn, const char *text, size_t len)
{
    memcpy(conn->text + conn->used, text, len);
    conn->used += len;
}

static void answer(struct scrape_conn *conn)
{
    conn->state = SCRAPE_ANSWER;
    conn->at = conn->used = 0;
}

/* `status`: with the fields that belong to it. The texts are those of this file, so they have room. */
static void refuse(struct scrape_conn *conn, const char *status, const char *why)
{
    answer(conn);
    int n = snprintf(conn->text, sizeof conn->text,
                     "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, strlen(why), conn->bodiless ? "" : why);
    conn->used = (size_t)n;
}

/* nosniff: no page of another site makes a script of it. What such a page may read is for the Host. */
static void begin(struct scrape_conn *conn, const struct rqv_http1_asked *request)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                               "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                               "Connection: close\r\n";
    static const char chunked[] = "Transfer-Encoding: chunked\r\n";
    struct ipc *ipc = conn->scrape->ipc;

    conn->chunked = request->minor == 1;
    answer(conn);
    add(conn, head, sizeof head - 1);
    if (conn->chunked)
        add(conn, chunked, sizeof chunked - 1);
    add(conn, "\r\n", 2);
    conn->more = !conn->bodiless;
    if (conn->more)
        metrics_begin(&conn->metrics, ipc, NULL, ipc->use.conf->metrics_users);
}

static void add_piece(struct scrape_conn *conn, const char *piece, size_t len)
{
    char size[8];

    if (conn->chunked)
        add(conn, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", len));
    add(conn, piece, len);
    if (conn->chunked)
        add(conn, "\r\n", 2);
}

static void fill(struct scrape_conn *conn)
{
    char piece[METRICS_PIECE];

    while (conn->more && sizeof conn->text - conn->used >= METRICS_PIECE + CHUNK_FRAME) {
        size_t len = metrics_next(&conn->metrics, piece);
        if (len > 0) {
            add_piece(conn, piece, len);
            continue;
        }
        conn->more = false;
        metrics_end(&conn->metrics);
        if (conn->chunked)
            add(conn, "0\r\n\r\n", 5);
    }
}

/* A block's worth a turn. What the client sends behind its request is read and dropped: to close with
 * something unread would take the answer away from it. */
static bool write_some(struct scrape_conn *conn)
{
    fill(conn);
    ssize_t n = send(conn->io.fd, conn->text + conn->at, conn->used - conn->at, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        conn_free(conn);
        return false;
    }
    conn->at += n > 0 ? (size_t)n : 0;
    if (conn->at < conn->used) {
        loop_io_set(&conn->io, LOOP_WRITE);
        return false;
    }
    conn->at = conn->used = 0;
    if (conn->more)
        return true;
    conn->state = SCRAPE_LINGER;
    shutdown(conn->io.fd, SHUT_WR);
    loop_io_set(&conn->io, LOOP_READ);
    return false;
}

/* ---- the request ---- */

/* "127.0.0.1:9464", "[::1]", "localhost": a name that somebody else made lead here is none of them, so a web
 * page cannot read this by rebinding its own. */
static bool is_local(struct rqv_str host)
{
    struct rqv_url url;
    const char *why;

    if (rqv_url_parse_place(host, RQV_SCHEME_HTTP, &url, &why) < 0)
        return false;
    return url.addr.family ? rqv_addr_zone(&url.addr) == RQV_ZONE_LOOPBACK
                           : strcmp(url.host, "localhost") == 0;
}

static void judge(struct scrape_conn *conn, struct rqv_str head)
{
    struct rqv_http1_asked request;
    int rc = rqv_http1_asked_decode(head, &request);

    conn->bodiless = rc == 0 && rqv_str_eq(request.method, RQV_STR("HEAD"));
    if (rc < 0)
        refuse(conn, rc == -EPROTONOSUPPORT ? "505 HTTP Version Not Supported" : "400 Bad Request",
               rc == -EPROTONOSUPPORT ? "this is HTTP/1.1\n"
                                      : "this is no HTTP request, or it has no Host\n");
    else if ((request.host.ptr && !is_local(request.host)) ||
             (request.authority.ptr && !is_local(request.authority)))
        refuse(conn, "421 Misdirected Request",
               "this host goes by localhost, 127.0.0.1 or [::1] here; name it so in the URL\n");
    else if (!rqv_str_eq(request.path, RQV_STR("/metrics")))
        refuse(conn, "404 Not Found", "the metrics are at /metrics\n");
    else if (!conn->bodiless && !rqv_str_eq(request.method, RQV_STR("GET")))
        refuse(conn, "405 Method Not Allowed\r\nAllow: GET, HEAD",
               "the metrics can be read, with GET or HEAD\n");
    else
        begin(conn, &request);
}

static bool read_head(struct scrape_conn *conn)
{
    ssize_t n = recv(conn->io.fd, conn->text + conn->used, SCRAPE_HEAD_MAX - conn->used, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        conn_free(conn);
        return false;
    }
    conn->used += (size_t)n;
    size_t len = rqv_http1_asked_end((struct rqv_str){conn->text, conn->used});
    if (len > 0)
        judge(conn, (struct rqv_str){conn->text, len});
    else if (conn->used == SCRAPE_HEAD_MAX)
        refuse(conn, "431 Request Header Fields Too Large", "the head of the request is too long\n");
    else
        return false;
    return write_some(conn);
}

static bool drop_some(struct scrape_conn *conn)
{
    ssize_t n = recv(conn->io.fd, conn->text, sizeof conn->text, 0);

    conn->dropped += n > 0 ? (size_t)n : 0;
    if ((n < 0 && (errno == EAGAIN || errno == EINTR)) || (n > 0 && conn->dropped < DROPPED_MAX))
        return false;
    conn_free(conn);
    return false;
}

static bool serve(void *owner)
{
    struct scrape_conn *conn = owner;

    switch (conn->state) {
    case SCRAPE_HEAD:
        return read_head(conn);
    case SCRAPE_ANSWER:
        return write_some(conn);
    case SCRAPE_LINGER:
        break;
    }
    return drop_some(conn);
}

static void on_ready(void *owner, unsigned events)
{
    struct scrape_conn *conn = owner;

    (void)events;
    fair_queue(&conn->item);
}

/* Who has sent a part of a head hears why it ends, if the socket takes it. */
static void on_due(void *owner)
{
    struct scrape *scrape = owner;
    struct scrape_conn *conn = oldest(scrape);

    if (!conn)
        return;
    if (conn->state == SCRAPE_HEAD && conn->used > 0) {
        refuse(conn, "408 Request Timeout", "the head of the request did not come to its end in time\n");
        (void)!send(conn->io.fd, conn->text, conn->used, MSG_NOSIGNAL);
        conn->state = SCRAPE_HEAD; /* nothing is cut off */
    }
    conn_free(conn);
}

/* ---- accepting ---- */

static void welcome(struct scrape *scrape, int fd)
{
    struct ipc *ipc = scrape->ipc;
    struct account *account;
    struct scrape_conn *conn;

    if (account_get(&ipc->control_accounts, ipc->overflow_uid, &account) < 0) {
        close(fd);
        return;
    }
    conn = account_charge(account, ACCOUNT_MEMORY, sizeof *conn) == 0 ? malloc(sizeof *conn) : NULL;
    if (!conn) {
        account_release(&account);
        close(fd);
        return;
    }
    memset(conn, 0, offsetof(struct scrape_conn, text));
    conn->scrape = scrape;
    conn->account = account;
    conn->since_us = loop_now_us(ipc->use.loop);
    rqv_list_init(&conn->node);
    rqv_list_append(&scrape->conns, &conn->node);
    scrape->count++;
    fair_item_init(&conn->item, account, serve, conn);
    loop_io_init(&conn->io, ipc->use.loop, on_ready, conn);
    loop_io_start(&conn->io, fd, LOOP_READ);
    arm(scrape);
}

static void on_accept(void *owner, unsigned events)
{
    struct scrape *scrape = owner;

    (void)events;
    for (int n = 0; n < SCRAPE_CONNS && scrape->count < SCRAPE_CONNS; n++) {
        int fd = accept4(scrape->accept.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            welcome(scrape, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            log_error("metrics.listen: accept: %s; resting for a moment", strerror(errno));
            loop_io_set(&scrape->accept, 0);
            loop_timer_at(&scrape->pause, loop_now_us(scrape->ipc->use.loop) + ACCEPT_REST_US);
        }
        return;
    }
    if (scrape->count == SCRAPE_CONNS)
        loop_io_set(&scrape->accept, 0); /* until one of them ends */
}

static void on_pause_over(void *owner)
{
    struct scrape *scrape = owner;

    if (scrape->accept.fd >= 0)
        loop_io_set(&scrape->accept, LOOP_READ);
}

/* ---- life ---- */

void scrape_init(struct scrape *scrape, struct ipc *ipc)
{
    memset(scrape, 0, sizeof *scrape);
    scrape->ipc = ipc;
    rqv_list_init(&scrape->conns);
    loop_io_init(&scrape->accept, ipc->use.loop, on_accept, scrape);
    loop_timer_init(&scrape->pause, ipc->use.loop, on_pause_over, scrape);
    loop_timer_init(&scrape->due, ipc->use.loop, on_due, scrape);
}

int scrape_listen(const struct rqv_addr *at, int *ret_fd, char *why, size_t why_size)
{
    struct sockaddr_storage sa;
    socklen_t len = rqv_addr_to_sockaddr(at, &sa);
    char text[RQV_ADDRESS_MAX];
    const int on = 1;

    if (len == 0) {
        *ret_fd = -1;
        return 0;
    }
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (const struct sockaddr *)&sa, len) == 0 && listen(fd, BACKLOG) == 0) {
        *ret_fd = fd;
        return 0;
    }
    int rc = -errno;
    rqv_addr_format(at, text, sizeof text);
    snprintf(why, why_size, "metrics.listen: %s: %s", text, strerror(-rc));
    if (fd >= 0)
        close(fd);
    return rc;
}

static void stop_listening(struct scrape *scrape)
{
    int fd = scrape->accept.fd;

    if (fd < 0)
        return;
    loop_io_stop(&scrape->accept);
    loop_timer_stop(&scrape->pause);
    close(fd);
}

void scrape_use(struct scrape *scrape, int fd)
{
    stop_listening(scrape);
    if (fd < 0)
        return;
    if (scrape->ipc->draining)
        close(fd);
    else
        loop_io_start(&scrape->accept, fd, scrape->count < SCRAPE_CONNS ? LOOP_READ : 0);
}

void scrape_close(struct scrape *scrape)
{
    struct scrape_conn *conn;

    stop_listening(scrape);
    while ((conn = oldest(scrape)))
        conn_free(conn);
}
