/* SPDX-License-Identifier: MIT */
/* channel - the socket of channel.h. Every system call on it is made here. */
#include "libclient/channel.h"

#include <reqivo/error.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SENDS_PER_FLUSH = 8,
    FD_MIN = 3, /* where a program started without stdin, stdout or stderr does not write by mistake */
};

uint64_t rqv_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int rqv_channel_init(struct rqv_channel *channel, const char *path)
{
    size_t len = strlen(path);

    *channel = (struct rqv_channel){.fd = -1,
                                    .last_fd = -1,
                                    .peer_uid = -1,
                                    .read_size = RQV_READ_FIRST,
                                    .backoff_ms = RQV_BACKOFF_MIN_MS};
    rqv_buf_init(&channel->in, RQV_IN_MAX);
    rqv_buf_init(&channel->out, RQV_OUT_MAX);
    if (len == 0 || len >= sizeof channel->address.sun_path)
        return REQIVO_E_SOCKET_PATH;
    channel->address.sun_family = AF_UNIX;
    memcpy(channel->address.sun_path, path, len + 1);
    if (getrandom(&channel->random, sizeof channel->random, GRND_NONBLOCK) != (ssize_t)sizeof channel->random)
        channel->random = rqv_now_us() ^ (uint64_t)getpid() << 32; /* only spreads reconnects */
    return 0;
}

void rqv_channel_done(struct rqv_channel *channel)
{
    if (channel->fd >= 0)
        close(channel->fd);
    channel->fd = -1;
    channel->state = RQV_CHANNEL_DOWN;
    rqv_buf_done(&channel->in);
    rqv_buf_wipe(&channel->out);
}

/* xorshift64: enough to keep programs from reconnecting in step. */
static uint32_t jitter(struct rqv_channel *channel, uint32_t below)
{
    uint64_t x = channel->random | 1;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    channel->random = x;
    return (uint32_t)((x >> 32) % below);
}

static void plan_retry(struct rqv_channel *channel, uint64_t now_ms)
{
    uint32_t half = channel->backoff_ms / 2;

    channel->retry_at_ms = now_ms + half + jitter(channel, half + 1);
    channel->backoff_ms =
        channel->backoff_ms < RQV_BACKOFF_MAX_MS / 2 ? channel->backoff_ms * 2 : RQV_BACKOFF_MAX_MS;
}

void rqv_channel_retry_in(struct rqv_channel *channel, uint64_t now_ms, uint32_t pause_ms)
{
    channel->retry_at_ms = now_ms + pause_ms / 2 + jitter(channel, pause_ms + 1);
    channel->backoff_ms = RQV_BACKOFF_MIN_MS;
}

/* The uid of the daemon's end, or -1. */
static long uid_of_peer(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || size != sizeof peer)
        return -1;
    return (long)peer.uid;
}

/* A connected and trusted descriptor, or -errno. */
static int connect_socket(struct rqv_channel *channel)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0;

    if (fd < 0)
        return -errno;
    if (fd < FD_MIN || fd == channel->last_fd) {
        int other = fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN);
        error = other < 0 && fd < FD_MIN ? errno : 0;
        if (other >= 0 || error)
            close(fd);
        if (error)
            return -error;
        if (other >= 0)
            fd = other;
    }
    if (connect(fd, (const struct sockaddr *)&channel->address, sizeof channel->address) < 0) {
        error = errno;
    } else {
        channel->peer_uid = uid_of_peer(fd);
        if (!rqv_socket_uid_is_trusted(channel->address.sun_path, channel->peer_uid))
            error = EPERM;
    }
    if (error) {
        close(fd);
        return -error;
    }
    return fd;
}

int rqv_channel_connect(struct rqv_channel *channel, uint64_t now_ms)
{
    int fd = connect_socket(channel);

    if (fd < 0) {
        channel->connect_errno = -fd;
        plan_retry(channel, now_ms);
        return fd;
    }
    rqv_channel_adopt(channel, fd, now_ms);
    return 0;
}

void rqv_channel_adopt(struct rqv_channel *channel, int fd, uint64_t now_ms)
{
    channel->fd = fd;
    channel->state = RQV_CHANNEL_GREETING;
    channel->connected_ms = now_ms;
    channel->deadline_ms = UINT64_MAX;
    channel->excused = false;
    channel->written = 0;
    channel->blocked = channel->shut = false;
    channel->broken = 0;
    channel->connect_errno = 0;
}

void rqv_channel_greeted(struct rqv_channel *channel, uint64_t now_ms)
{
    channel->state = RQV_CHANNEL_UP;
    channel->backoff_ms = RQV_BACKOFF_MIN_MS;
    rqv_channel_watch(channel, now_ms);
}

void rqv_channel_watch(struct rqv_channel *channel, uint64_t now_ms)
{
    channel->heard = channel->asked = channel->excused = false;
    channel->deadline_ms = now_ms + RQV_SILENCE_MS;
}

void rqv_channel_drain(struct rqv_channel *channel, uint64_t now_ms)
{
    if (channel->state != RQV_CHANNEL_DRAINING)
        channel->deadline_ms = now_ms + RQV_DRAINING_MS;
    channel->state = RQV_CHANNEL_DRAINING;
}

bool rqv_channel_excuse(struct rqv_channel *channel, uint64_t now_ms)
{
    static const uint64_t spans[] = {
        [RQV_CHANNEL_GREETING] = RQV_GREETING_MS,
        [RQV_CHANNEL_UP] = RQV_ANSWER_MS,
        [RQV_CHANNEL_DRAINING] = RQV_DRAINING_MS,
    };

    if (now_ms - channel->deadline_ms < RQV_LATE_MS || (channel->excused && !channel->heard))
        return false;
    channel->excused = true;
    channel->heard = false;
    channel->deadline_ms = now_ms + spans[channel->state];
    return true;
}

void rqv_channel_down(struct rqv_channel *channel, uint64_t now_ms)
{
    if (channel->fd >= 0)
        close(channel->fd);
    channel->last_fd = channel->fd;
    if (channel->state != RQV_CHANNEL_GREETING) /* a daemon that never said HELLO was not there */
        channel->down_since_ms = now_ms;
    channel->fd = -1;
    channel->state = RQV_CHANNEL_DOWN;
    channel->peer_uid = -1;
    channel->broken = 0;
    channel->blocked = channel->shut = false;
    rqv_buf_done(&channel->in);
    rqv_buf_wipe(&channel->out);
    plan_retry(channel, now_ms);
}

int rqv_secret_reserve(struct rqv_buf *buf, size_t n)
{
    struct rqv_buf larger;
    size_t len = rqv_buf_len(buf);
    uint8_t *room;

    if (n <= buf->cap - buf->end)
        return 0;
    rqv_buf_init(&larger, buf->max);
    int r = rqv_buf_reserve(&larger, n > len ? len + n : 2 * len, &room);
    if (r == REQIVO_E_LIMIT_MEMORY)
        r = rqv_buf_reserve(&larger, len + n, &room);
    if (r < 0)
        return r;
    if (len > 0)
        memcpy(room, rqv_buf_head(buf), len);
    rqv_buf_commit(&larger, len);
    rqv_buf_wipe(buf);
    *buf = larger;
    return 0;
}

/* HELLO is about to go out. Where it comes late the daemon may be closing the connection in this moment, and
 * what it may have read would be unknown: a new one is taken in its place. */
static void begin_flight(struct rqv_channel *channel)
{
    uint64_t now_ms = rqv_now_ms();
    long uid = channel->peer_uid;

    channel->deadline_ms = now_ms + RQV_GREETING_MS;
    if (now_ms - channel->connected_ms < RQV_UNUSED_MS)
        return;
    int fd = connect_socket(channel);
    if (fd < 0) { /* the old one may do */
        channel->peer_uid = uid;
        return;
    }
    close(channel->fd);
    channel->fd = fd;
}

/* A daemon that is gone says no more, and its end is there at once. One that is going has shut its side so
 * that nothing can be lost in the socket, and says what of it was not started. wire.md 7 */
static void close_flight(struct rqv_channel *channel)
{
    channel->shut = true;
    rqv_buf_wipe(&channel->out);
}

void rqv_channel_flush(struct rqv_channel *channel)
{
    channel->blocked = false;
    if (channel->shut)
        close_flight(channel);
    if (channel->broken || channel->fd < 0)
        return;
    if (channel->written == 0 && channel->deadline_ms == UINT64_MAX)
        begin_flight(channel);
    for (int i = 0; i < SENDS_PER_FLUSH && rqv_buf_len(&channel->out) > 0; i++) {
        ssize_t n = send(channel->fd, rqv_buf_head(&channel->out), rqv_buf_len(&channel->out),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM)) {
            channel->blocked = true;
            return;
        }
        if (n < 0 && errno == EPIPE) {
            close_flight(channel);
            return;
        }
        if (n < 0) {
            channel->broken = errno;
            return;
        }
        channel->written += (uint64_t)n;
        rqv_buf_consume(&channel->out, (size_t)n);
    }
    if (rqv_buf_len(&channel->out) == 0 && channel->out.cap > RQV_OUT_HIGH * 2)
        rqv_buf_wipe(&channel->out);
}

int rqv_channel_fill(struct rqv_channel *channel)
{
    uint8_t *room;
    int r = rqv_buf_reserve(&channel->in, channel->read_size, &room);

    if (r < 0)
        return -ENOMEM;
    size_t asked = channel->in.cap - channel->in.end;
    ssize_t n;
    do {
        n = recv(channel->fd, room, asked, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return RQV_FILL_NONE;
    if (n <= 0) /* a UNIX socket shows ECONNRESET only behind all that was queued */
        return RQV_FILL_END;
    rqv_buf_commit(&channel->in, (size_t)n);
    channel->heard = true;
    if ((size_t)n < asked)
        return RQV_FILL_SHORT;
    if (channel->read_size < RQV_READ_MAX)
        channel->read_size *= 2;
    return RQV_FILL_FULL;
}
