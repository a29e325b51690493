/* SPDX-License-Identifier: MIT */
/*
 * ws_echo_server [--talk] - a WebSocket server over wslay, whose code has nothing in common with ours: the
 * second independent peer of the tests, and the server of the benchmark. One thread, poll, no compression. It
 * prints its port and serves until its stdin ends. It echoes; or, with --talk, says one message after
 * another, wants each back as it was, closes, and prints one line about each connection.
 */
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

enum { PEERS_MAX = 2048, HEAD_MAX = 8192, BATCH = 262144, RESERVED = 2 };

struct peer {
    int fd;
    bool shaken;
    char head[HEAD_MAX];
    size_t head_len;
    wslay_event_context_ptr ws;
    size_t step;  /* --talk: the message that is out */
    size_t given; /* of it, in fragments */
    const char *result;
    uint8_t *out; /* frames gather here and leave in one write */
    size_t out_len, out_at;
};

static struct peer *peers[PEERS_MAX];
static struct pollfd polled[PEERS_MAX + RESERVED]; /* stdin, the listener, the peers */
static size_t count;
static bool talking;
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- what wslay asks for ---- */

static ssize_t on_recv(wslay_event_context_ptr ws, uint8_t *buf, size_t len, int flags, void *userdata)
{
    struct peer *peer = userdata;
    ssize_t n = recv(peer->fd, buf, len, 0);

    (void)flags;
    if (n > 0)
        return n;
    wslay_event_set_error(ws, n < 0 && errno == EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

/* True when nothing is left. */
static bool flush(struct peer *peer)
{
    while (peer->out_at < peer->out_len) {
        ssize_t n = send(peer->fd, peer->out + peer->out_at, peer->out_len - peer->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            peer->out_len = peer->out_at = 0; /* reading shows that it is gone */
        if (n < 0)
            break;
        peer->out_at += (size_t)n;
    }
    if (peer->out_at < peer->out_len)
        return false;
    peer->out_at = peer->out_len = 0;
    return true;
}

static ssize_t on_send(wslay_event_context_ptr ws, const uint8_t *data, size_t len, int flags, void *userdata)
{
    struct peer *peer = userdata;

    (void)flags;
    if (peer->out_len == BATCH && !flush(peer)) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = len < BATCH - peer->out_len ? len : BATCH - peer->out_len;
    memcpy(peer->out + peer->out_len, data, n);
    peer->out_len += n;
    return (ssize_t)n;
}

/* ---- what it says ---- */

enum { STEPS = 16, FRAGMENT = 4093 };

static size_t step_size(size_t step)
{
    static const size_t sizes[STEPS / 2] = {0, 1, 125, 126, 65535, 65536, 300000, 1000000};

    return sizes[step / 2];
}

static uint8_t step_opcode(size_t step)
{
    return step % 2 ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME;
}

static uint8_t step_byte(size_t step, size_t at)
{
    return (uint8_t)(step % 2 ? 'a' + (at + step) % 26 : at * 7 + step);
}

static ssize_t on_fragment(wslay_event_context_ptr ws, uint8_t *buf, size_t len,
                           const union wslay_event_msg_source *source, int *eof, void *userdata)
{
    struct peer *peer = userdata;
    size_t left = step_size(peer->step) - peer->given, n = left < FRAGMENT ? left : FRAGMENT;

    (void)ws;
    (void)source;
    n = n < len ? n : len;
    for (size_t i = 0; i < n; i++)
        buf[i] = step_byte(peer->step, peer->given + i);
    peer->given += n;
    *eof = peer->given == step_size(peer->step);
    return (ssize_t)n;
}

static void say_next(struct peer *peer)
{
    struct wslay_event_fragmented_msg message = {
        .opcode = step_opcode(peer->step), .source.data = peer, .read_callback = on_fragment};
    struct wslay_event_msg ping = {WSLAY_PING, (const uint8_t *)"between", 7};

    if (peer->step == STEPS) {
        peer->result = "good";
        wslay_event_queue_close(peer->ws, WSLAY_CODE_NORMAL_CLOSURE, (const uint8_t *)"bye", 3);
        return;
    }
    peer->given = 0;
    wslay_event_queue_fragmented_msg(peer->ws, &message);
    wslay_event_queue_msg(peer->ws, &ping);
}

static void hear(struct peer *peer, const struct wslay_event_on_msg_recv_arg *arg)
{
    bool same = arg->opcode == step_opcode(peer->step) && arg->msg_length == step_size(peer->step);

    for (size_t i = 0; same && i < arg->msg_length; i++)
        same = arg->msg[i] == step_byte(peer->step, i);
    if (!same) {
        peer->result = "another message came back";
        wslay_event_queue_close(peer->ws, WSLAY_CODE_POLICY_VIOLATION, NULL, 0);
        return;
    }
    peer->step++;
    say_next(peer);
}

static void on_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *arg,
                       void *userdata)
{
    struct peer *peer = userdata;
    struct wslay_event_msg message = {arg->opcode, arg->msg, arg->msg_length};

    if (wslay_is_ctrl_frame(arg->opcode))
        return;
    if (talking)
        hear(peer, arg);
    else
        wslay_event_queue_msg(ws, &message);
}

/* ---- the handshake ---- */

static void accept_key(const char *key, size_t len, char ret_accept[29])
{
    char text[128];
    uint8_t digest[SHA_DIGEST_LENGTH];
    int n = snprintf(text, sizeof text, "%.*s%s", (int)len, key, guid);

    SHA1((const unsigned char *)text, (size_t)n, digest);
    EVP_EncodeBlock((unsigned char *)ret_accept, digest, sizeof digest);
}

static bool answer(struct peer *peer)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};
    const char *key = strcasestr(peer->head, "\r\nsec-websocket-key:");
    char accept[29], text[256];

    if (!key)
        return false;
    key += strlen("\r\nsec-websocket-key:");
    key += strspn(key, " ");
    accept_key(key, strcspn(key, " \r"), accept);
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n\r\n",
                     accept);
    if (send(peer->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    if (wslay_event_context_server_init(&peer->ws, &callbacks, peer) != 0)
        return false;
    wslay_event_config_set_max_recv_msg_length(peer->ws, UINT64_C(1) << 30);
    peer->shaken = true;
    if (talking) {
        peer->result = "it ended early";
        say_next(peer);
        wslay_event_send(peer->ws);
        flush(peer);
    }
    return true;
}

/* False when the connection is over. */
static bool shake(struct peer *peer)
{
    ssize_t n = recv(peer->fd, peer->head + peer->head_len, 1, 0); /* not one byte of what follows the head */

    while (n == 1 && peer->head_len < HEAD_MAX - 2) {
        peer->head[++peer->head_len] = '\0';
        if (peer->head_len >= 4 && memcmp(peer->head + peer->head_len - 4, "\r\n\r\n", 4) == 0)
            return answer(peer);
        n = recv(peer->fd, peer->head + peer->head_len, 1, 0);
    }
    return n < 0 && errno == EAGAIN;
}

/* ---- connections ---- */

static void add_peer(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;

    if (fd < 0)
        return;
    struct peer *peer = count < PEERS_MAX ? calloc(1, sizeof *peer) : NULL;
    if (peer)
        peer->out = malloc(BATCH);
    if (!peer || !peer->out) {
        free(peer);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    peer->fd = fd;
    polled[count + RESERVED] = (struct pollfd){.fd = fd, .events = POLLIN};
    peers[count++] = peer;
}

static void drop_peer(size_t at)
{
    struct peer *peer = peers[at];

    if (talking) {
        bool closed = peer->ws && wslay_event_get_close_received(peer->ws);
        printf("%s, %s\n", peer->result ? peer->result : "no handshake", closed ? "closed" : "not closed");
        fflush(stdout);
    }
    close(peer->fd);
    if (peer->ws)
        wslay_event_context_free(peer->ws);
    free(peer->out);
    free(peer);
    peers[at] = peers[--count];
    polled[at + RESERVED] = polled[count + RESERVED];
}

/* False when the connection is over. */
static bool serve(struct peer *peer, struct pollfd *poll_)
{
    if (!peer->shaken)
        return shake(peer);
    if ((poll_->revents & (POLLIN | POLLERR | POLLHUP)) && wslay_event_recv(peer->ws) != 0)
        return false;
    do {
        if (wslay_event_send(peer->ws) != 0)
            return false;
    } while (flush(peer) && wslay_event_want_write(peer->ws));
    bool pending = peer->out_len > 0 || wslay_event_want_write(peer->ws);
    if (!pending && !wslay_event_want_read(peer->ws))
        return false;
    /* While it does not read, it is not read either. */
    poll_->events = pending ? POLLOUT : POLLIN;
    return true;
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        die("ws_echo_server");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    talking = argc == 2 && strcmp(argv[1], "--talk") == 0;
    polled[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = listen_on_loopback(), .events = POLLIN};
    if (poll(polled, 1, 0) > 0)
        polled[0].fd = -1; /* it is /dev/null: then it serves until it is stopped */
    for (;;) {
        if (poll(polled, count + RESERVED, -1) < 0 && errno != EINTR)
            die("poll");
        for (size_t at = count; at > 0; at--)
            if (polled[at + 1].revents && !serve(peers[at - 1], &polled[at + 1]))
                drop_peer(at - 1);
        if (polled[1].revents)
            add_peer(polled[1].fd);
        if (polled[0].revents)
            return 0;
    }
}
