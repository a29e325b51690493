/* SPDX-License-Identifier: MIT */
/* floor_upstream - see floor.h. TLS reads go on until the buffer is full or OpenSSL wants more bytes. */
#include "tests/bench/bench.h"
#include "tests/bench/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

void floor_wait(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    while (poll(&p, 1, -1) < 0) {
        if (errno != EINTR)
            bench_die("poll: %s", strerror(errno));
    }
}

struct upstream *upstream_open(const struct sockaddr_in *address, SSL_CTX *context)
{
    struct upstream *up = bench_alloc(sizeof(*up));
    int on = 1;

    up->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (up->fd < 0 || connect(up->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        bench_die("connect: %s", strerror(errno));
    setsockopt(up->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (context) {
        up->ssl = SSL_new(context);
        if (!up->ssl || SSL_set_fd(up->ssl, up->fd) != 1 || SSL_set1_host(up->ssl, "localhost") != 1 ||
            SSL_set_tlsext_host_name(up->ssl, "localhost") != 1 || SSL_connect(up->ssl) != 1)
            bench_die("no TLS connection to the origin");
    }
    fcntl(up->fd, F_SETFL, O_NONBLOCK);
    return up;
}

/* -1 with errno EAGAIN after which poll's `events` are awaited, or the number of bytes. */
static ssize_t write_some(struct upstream *up, const char *bytes, size_t size)
{
    size_t done;

    if (!up->ssl)
        return send(up->fd, bytes, size, MSG_NOSIGNAL);
    if (SSL_write_ex(up->ssl, bytes, size, &done) == 1)
        return (ssize_t)done;
    errno = SSL_get_error(up->ssl, 0) == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return -1;
}

void upstream_write(struct upstream *up, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write_some(up, bytes, size);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            floor_wait(up->fd, POLLOUT);
        } else {
            bench_die("write to the origin: %s", strerror(errno));
        }
    }
}

static ssize_t read_tls(struct upstream *up, char *bytes, size_t size)
{
    size_t got = 0, n;

    while (got < size && SSL_read_ex(up->ssl, bytes + got, size - got, &n) == 1)
        got += n;
    if (got > 0)
        return (ssize_t)got;
    return SSL_get_error(up->ssl, 0) == SSL_ERROR_WANT_READ ? 0 : -1;
}

ssize_t upstream_read(struct upstream *up, char *bytes, size_t size)
{
    if (up->ssl)
        return read_tls(up, bytes, size);
    ssize_t n = recv(up->fd, bytes, size, 0);
    if (n > 0)
        return n;
    return n < 0 && errno == EAGAIN ? 0 : -1;
}
