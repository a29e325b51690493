/* SPDX-License-Identifier: MIT */
/*
 * channel - the library's end of the socket: path, descriptor, both buffers, and when to try again. It knows
 * nothing of requests and decodes nothing.
 *
 *            connect          HELLO came            GOAWAY came
 *   DOWN ------------> GREETING ------------> UP ----------------> DRAINING
 *     ^                    |                   |                       |
 *     +--------------------+-------------------+-----------------------+     EOF, error, violation, drained
 *
 * Connecting to a UNIX socket succeeds or fails at once (it queues at the listener), so no state waits for
 * it. Frames are queued from GREETING on: the first flight is HELLO and the first requests in one write.
 */
#ifndef RQV_LIBCLIENT_CHANNEL_H
#define RQV_LIBCLIENT_CHANNEL_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define RQV_OUT_HIGH                                                                                         \
    ((size_t)256 * 1024) /* bodies, and requests that wait, fill the out buffer up to this                   \
                          */
#define RQV_OUT_MAX        ((size_t)64 * 1024 * 1024)
#define RQV_IN_MAX         ((size_t)512 * 1024)
#define RQV_READ_FIRST     ((size_t)16 * 1024) /* one recv() asks for this much, after full ones for more */
#define RQV_READ_MAX       ((size_t)128 * 1024)
#define RQV_BACKOFF_MIN_MS 10
#define RQV_BACKOFF_MAX_MS 2000
/* What a daemon may take from being told to end until it has: its drain (10 s, if nobody has changed that)
 * and what is left to be written. The service manager starts the next one after it. */
#define RQV_DRAIN_BOUND_MS 15000
/* No HELLO for so long after ours: the daemon is taken for lost. A connection that waits for the next one at
 * the service manager's socket looks no different. */
#define RQV_GREETING_MS RQV_DRAIN_BOUND_MS
#define RQV_UNUSED_MS   2000  /* a connection without HELLO for so long is about to be closed by the daemon */
#define RQV_SILENCE_MS  20000 /* no byte for so long while requests are there: the daemon is asked for one */
#define RQV_ANSWER_MS   10000 /* and no answer for so long: it hangs, and is taken for lost */
#define RQV_DRAINING_MS RQV_DRAIN_BOUND_MS /* a daemon that said GOAWAY and does not end */
#define RQV_LATE_MS     1000 /* who looks so long after a deadline was asleep, and the daemon perhaps, too */

enum rqv_channel_state { RQV_CHANNEL_DOWN, RQV_CHANNEL_GREETING, RQV_CHANNEL_UP, RQV_CHANNEL_DRAINING };

struct rqv_channel {
    enum rqv_channel_state state;
    int fd;      /* -1 while DOWN */
    int last_fd; /* the number before: the next connection has another one, so that event loops notice */
    struct rqv_buf in, out;
    uint64_t written; /* bytes of this connection that the kernel took */
    size_t read_size;
    bool blocked;      /* the last send found the socket full */
    bool shut;         /* the daemon takes nothing more; what it says until its end is still to be read */
    int broken;        /* errno of a failed send, or ENOMEM: to be taken down when the input has been read */
    int connect_errno; /* of the last failed connect, EPERM for a daemon that is not trusted */
    long peer_uid;
    uint64_t down_since_ms, retry_at_ms;
    uint64_t connected_ms;
    uint64_t deadline_ms; /* of GREETING once HELLO is out, DRAINING; in UP: when a sign of life is due */
    bool heard, asked;    /* UP: since the deadline was set bytes came; a QUERY asks for some */
    bool excused;         /* the deadline was put off, since it was looked at late */
    uint32_t backoff_ms;
    uint64_t random;
    struct sockaddr_un address;
};

/* 0 or REQIVO_E_SOCKET_PATH. */
int rqv_channel_init(struct rqv_channel *channel, const char *path);
void rqv_channel_done(struct rqv_channel *channel); /* closes and wipes */

/* DOWN -> GREETING: 0 or -errno (connect_errno has it too, and retry_at_ms is set). HELLO is left to the
 * caller. */
int rqv_channel_connect(struct rqv_channel *channel, uint64_t now_ms);
/* The second half of it, for a descriptor that is connected already; -1 in tests that need none. */
void rqv_channel_adopt(struct rqv_channel *channel, int fd, uint64_t now_ms);
void rqv_channel_greeted(struct rqv_channel *channel, uint64_t now_ms); /* GREETING -> UP */
void rqv_channel_watch(struct rqv_channel *channel, uint64_t now_ms);   /* UP: silence counts from now */
/* DOWN: the next attempt comes after about that time, whatever the others before it were. */
void rqv_channel_retry_in(struct rqv_channel *channel, uint64_t now_ms, uint32_t pause_ms);
void rqv_channel_drain(struct rqv_channel *channel, uint64_t now_ms);
/* The deadline has passed, but nobody has looked for long: gives its time once more, and again only when
 * bytes came. False: it was looked at in time, or has been given. */
bool rqv_channel_excuse(struct rqv_channel *channel, uint64_t now_ms);
/* Any -> DOWN: closes, empties both buffers, plans the next attempt. */
void rqv_channel_down(struct rqv_channel *channel, uint64_t now_ms);

static inline bool rqv_channel_takes_requests(const struct rqv_channel *channel)
{
    return (channel->state == RQV_CHANNEL_GREETING || channel->state == RQV_CHANNEL_UP) && !channel->broken &&
           !channel->shut;
}
static inline bool rqv_channel_takes_bodies(const struct rqv_channel *channel)
{
    return channel->state != RQV_CHANNEL_DOWN && !channel->broken && !channel->shut;
}

/* Bytes queued on this connection so far: the offset of what is encoded next. */
static inline uint64_t rqv_channel_offset(const struct rqv_channel *channel)
{
    return channel->written + rqv_buf_len(&channel->out);
}

/* Makes room for n bytes in a buffer that holds secrets: a block that is left behind is wiped. 0, -ENOMEM,
 * ... */
int rqv_secret_reserve(struct rqv_buf *buf, size_t n);

/* Writes what the kernel takes; a failure is noted in `broken`. */
void rqv_channel_flush(struct rqv_channel *channel);

enum rqv_fill {
    RQV_FILL_FULL,  /* bytes came and there may be more */
    RQV_FILL_SHORT, /* bytes came, no more for now */
    RQV_FILL_NONE,
    RQV_FILL_END, /* the daemon is gone, and all that it sent has been read */
};
/* One recv() behind the content of `in`. An enum rqv_fill, or -ENOMEM. */
int rqv_channel_fill(struct rqv_channel *channel);

/* ---- path.c ---- */

/* Where a daemon of this user's own is to be, when nobody answers at rqv_socket_path()'s: the same, but his
 * place in place of the system's. NULL: there is none. */
const char *rqv_start_path(const char *path, char *space, size_t size);
/* The path to use for reqivo_open's argument. */
const char *rqv_socket_path(const char *given, char *space, size_t size);
/* May a daemon of this uid be trusted with requests for that path? security.md B9-13 */
bool rqv_socket_uid_is_trusted(const char *path, long uid);

uint64_t rqv_now_us(void); /* CLOCK_MONOTONIC */
static inline uint64_t rqv_now_ms(void)
{
    return rqv_now_us() / 1000;
}

#endif
