/* SPDX-License-Identifier: MIT */
/*
 * floor - what a relay costs that parses nothing: one thread, epoll, a list of idle upstream connections. A
 * response ends after the number of bytes given at start, so it is a bound and not a relay for use.
 *
 *     floor SOCKET PORT RESPONSE_BYTES [CA_FILE]        with a CA file the upstream is TLS
 */
#include "tests/bench/floor.h"
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SPACE = 128 * 1024 };

struct client {
    int fd;
    struct upstream *up; /* NULL between requests */
    size_t received;     /* bytes of the response */
};

/* What an event belongs to. */
struct watch {
    struct client *client;
    struct upstream *up;
};

struct relay {
    int epoll;
    int listener;
    struct sockaddr_in origin;
    SSL_CTX *context;
    size_t response;
    struct upstream *idle;
    char space[SPACE];
};

static void watch(const struct relay *relay, int fd, struct client *client, struct upstream *up)
{
    struct watch *watch = bench_alloc(sizeof(*watch));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

    watch->client = client;
    watch->up = up;
    if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_die("epoll_ctl: %s", strerror(errno));
}

static void on_listener(const struct relay *relay)
{
    int fd = accept4(relay->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    struct client *client = bench_alloc(sizeof(*client));
    client->fd = fd;
    watch(relay, fd, client, NULL);
}

static struct upstream *acquire(struct relay *relay)
{
    struct upstream *up = relay->idle;

    if (up) {
        relay->idle = up->next_idle;
        return up;
    }
    up = upstream_open(&relay->origin, relay->context);
    watch(relay, up->fd, NULL, up);
    return up;
}

static void on_client(struct relay *relay, struct client *client)
{
    ssize_t n = recv(client->fd, relay->space, SPACE, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        epoll_ctl(relay->epoll, EPOLL_CTL_DEL, client->fd, NULL);
        close(client->fd);
        client->fd = -1;
        return;
    }
    if (!client->up) {
        client->up = acquire(relay);
        client->up->client = client;
        client->received = 0;
    }
    upstream_write(client->up, relay->space, (size_t)n);
}

static void to_client(const struct relay *relay, const struct client *client, size_t size)
{
    size_t sent = 0;

    while (sent < size && client->fd >= 0) {
        ssize_t n = send(client->fd, relay->space + sent, size - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            floor_wait(client->fd, POLLOUT);
        else
            return;
    }
}

/* A full buffer may have left bytes inside of OpenSSL, for which no event would come. */
static void on_upstream(struct relay *relay, struct upstream *up)
{
    ssize_t n;

    do {
        n = upstream_read(up, relay->space, SPACE);
        if (n < 0)
            bench_die("the origin closed a connection");
        struct client *client = up->client;
        if (n == 0 || !client)
            return;
        to_client(relay, client, (size_t)n);
        client->received += (size_t)n;
        if (client->received >= relay->response) {
            client->up = NULL;
            up->client = NULL;
            up->next_idle = relay->idle;
            relay->idle = up;
        }
    } while (n == SPACE);
}

static void listen_on(struct relay *relay, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        bench_die("%s is too long", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    relay->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(relay->listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(relay->listener, 4096) < 0)
        bench_die("%s: %s", path, strerror(errno));
    watch(relay, relay->listener, NULL, NULL);
}

static void use_tls(struct relay *relay, const char *ca)
{
    relay->context = SSL_CTX_new(TLS_client_method());
    if (!relay->context || SSL_CTX_load_verify_file(relay->context, ca) != 1)
        bench_die("no TLS with %s", ca);
    SSL_CTX_set_verify(relay->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(relay->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static noreturn void loop(struct relay *relay)
{
    struct epoll_event events[256];

    for (;;) {
        int n = epoll_wait(relay->epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            const struct watch *watch = events[i].data.ptr;
            if (watch->up)
                on_upstream(relay, watch->up);
            else if (watch->client)
                on_client(relay, watch->client);
            else
                on_listener(relay);
        }
    }
}

int main(int argc, char *argv[])
{
    static struct relay relay;

    if (argc < 4)
        bench_die("usage: floor SOCKET PORT RESPONSE_BYTES [CA_FILE]");
    signal(SIGPIPE, SIG_IGN);
    relay.epoll = epoll_create1(EPOLL_CLOEXEC);
    relay.origin = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10)),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    relay.response = strtoul(argv[3], NULL, 10);
    if (argc > 4)
        use_tls(&relay, argv[4]);
    listen_on(&relay, argv[1]);
    loop(&relay);
}
