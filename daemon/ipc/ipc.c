/* SPDX-License-Identifier: MIT */
/* ipc - the listener: where the socket comes from, who may connect, and how it all ends. */
#include "daemon/ipc/ipc.h"

#include "daemon/base/log.h"
#include "daemon/ipc/peer.h"
#include "daemon/ipc/peer_pools.h"
#include "daemon/ipc/peer_ws.h"
#include "daemon/ipc/query.h"
#include "daemon/ipc/slow.h"

#include <reqivo/error.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BACKLOG        4096
#define ACCEPTS        64     /* a turn */
#define ACCEPT_REST_US 100000 /* after EMFILE and its like */
#define FDS_REST_US    1000   /* while refused sockets that hold descriptors are being closed */
#define SILENT_PER_UID 256    /* connections without HELLO: security.md B9-2, design.md 8 */
#define DRAIN_STEP_US  20000
#define HUNGRY_US      20000
#define HUNGRY_TURNS   64 /* of hungry peers, in one of the loop */
#define HUNGRY_TICKS   25 /* without memory for so long: a request that only waits must go */
#define RELIEVE_LOOKS  64 /* at bodies, before one of them goes */

/* ---- the socket ---- */

/* One socket from the service manager, or none. */
static int socket_inherited(char *why, size_t why_size)
{
    int n = sd_listen_fds(1);

    if (n < 0 || n > 1) {
        snprintf(why, why_size, "the service manager passed %d sockets; exactly one is expected", n);
        return -EINVAL;
    }
    if (n == 0)
        return -ENOENT;
    if (sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) <= 0) {
        snprintf(why, why_size, "the socket that was passed is not a listening UNIX stream socket");
        return -EINVAL;
    }
    int flags = fcntl(SD_LISTEN_FDS_START, F_GETFL);
    if (flags < 0 || fcntl(SD_LISTEN_FDS_START, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return SD_LISTEN_FDS_START;
}

/* A socket file whose daemon is gone is in the way; one whose daemon answers is an error. */
static int socket_clear(const struct sockaddr_un *sun, char *why, size_t why_size)
{
    struct stat st;

    if (lstat(sun->sun_path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(why, why_size, "%s exists and is no socket", sun->sun_path);
        return -EEXIST;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)sun, sizeof *sun);
    bool alive = rc == 0 || errno == EAGAIN;
    if (fd >= 0)
        close(fd);
    if (alive) {
        snprintf(why, why_size, "another daemon answers on %s", sun->sun_path);
        return -EADDRINUSE;
    }
    unlink(sun->sun_path);
    return 0;
}

/* The directories above the socket; what is missing is made with mode 0755 (system) or 0700 (user). */
static void socket_make_dir(const char *path, bool user)
{
    char dir[108];
    char *slash;

    snprintf(dir, sizeof dir, "%s", path);
    slash = strrchr(dir, '/');
    if (!slash || slash == dir)
        return;
    *slash = '\0';
    mode_t old = umask(0);
    mkdir(dir, user ? 0700 : 0755);
    umask(old);
}

static int socket_own(struct ipc *ipc, char *why, size_t why_size)
{
    const struct conf *conf = ipc->use.conf;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", conf->socket);
    socket_make_dir(conf->socket, conf->user_instance);
    int rc = socket_clear(&sun, why, why_size);
    if (rc < 0)
        return rc;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(conf->user_instance ? 0177 : 0111);
    rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&sun, sizeof sun);
    umask(old);
    if (rc < 0 || listen(fd, BACKLOG) < 0) {
        rc = -errno;
        snprintf(why, why_size, "%s: %s", conf->socket, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    snprintf(ipc->path, sizeof ipc->path, "%s", conf->socket);
    return fd;
}

static uid_t read_overflow_uid(void)
{
    unsigned uid = 65534;
    FILE *file = fopen("/proc/sys/kernel/overflowuid", "re");

    if (file) {
        if (fscanf(file, "%u", &uid) != 1)
            uid = 65534;
        fclose(file);
    }
    return uid;
}

/* ---- accepting ---- */

/* A refused program hears why, if its socket takes one frame at once. */
static void refuse(struct ipc *ipc, int fd, int code, const char *detail)
{
    struct rqv_goaway goaway = {.code = code, .detail = rqv_str_from(detail)};
    struct rqv_buf out;

    rqv_buf_init(&out, 1024);
    if (rqv_wire_encode_goaway(&out, 0, &goaway) == 0)
        (void)!send(fd, rqv_buf_head(&out), rqv_buf_len(&out), MSG_NOSIGNAL | MSG_DONTWAIT);
    rqv_buf_done(&out);
    ipc->refused++;
    fds_close(&ipc->fds, fd, NULL);
}

static void arm_hello(struct ipc *ipc)
{
    struct rqv_list *first = rqv_list_first(&ipc->silent);

    if (first)
        loop_timer_at(&ipc->hello, RQV_LIST_OF(first, struct peer, silent_node)->since_us +
                                       (uint64_t)RQV_WIRE_HELLO_TIMEOUT_MS * 1000);
    else
        loop_timer_stop(&ipc->hello);
}

static void on_hello_due(void *owner)
{
    struct ipc *ipc = owner;
    uint64_t now = loop_now_us(ipc->use.loop);

    rqv_list_for_each_safe (node, next, &ipc->silent) {
        struct peer *peer = RQV_LIST_OF(node, struct peer, silent_node);
        if (now - peer->since_us < (uint64_t)RQV_WIRE_HELLO_TIMEOUT_MS * 1000)
            break;
        peer_close(peer, "it did not say HELLO in time");
    }
    arm_hello(ipc);
}

/* Those that have not been read yet are not counted: a burst of programs is no crowd of silent ones. */
static int check_silent(struct ipc *ipc, uid_t uid)
{
    struct account *account;
    int rc = account_get(ipc->use.accounts, uid, &account);

    if (rc < 0)
        return rc;
    rc = account->silent >= SILENT_PER_UID ? REQIVO_E_LIMIT_PEERS : 0;
    account_release(&account);
    return rc;
}

static void welcome(struct ipc *ipc, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    struct peer *peer;

    fds_accepted(&ipc->fds, fd);
    /* Not to know who it is, is a refusal: security.md B9-1. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || len != sizeof cred) {
        log_warning("a connection was refused: its user is not known: %s", strerror(errno));
        refuse(ipc, fd, REQIVO_E_ACCESS_DENIED, "the kernel does not tell which user this is");
        return;
    }
    if (cred.uid == ipc->overflow_uid || cred.uid == (uid_t)-1) {
        log_warning("a connection was refused: its uid %u stands for all users that cannot be told apart",
                    cred.uid);
        refuse(ipc, fd, REQIVO_E_ACCESS_DENIED, "the kernel does not tell which user this is");
        return;
    }
    int rc = check_silent(ipc, cred.uid);
    if (rc < 0) {
        refuse(ipc, fd, rc, "too many connections of this user have not said HELLO");
        return;
    }
    rc = peer_new(ipc, fd, cred.uid, cred.pid, &peer);
    if (rc < 0) {
        refuse(ipc, fd, rc, rqv_err_text(rc));
        return;
    }
    if (ipc->hello.at_us == UINT64_MAX)
        arm_hello(ipc);
}

static void accept_rest(struct ipc *ipc, uint64_t us)
{
    loop_io_set(&ipc->accept, 0);
    loop_timer_at(&ipc->accept_pause, loop_now_us(ipc->use.loop) + us);
}

/* No more than are served: who has not had a turn is as good in the backlog. */
static void on_accept(void *owner, unsigned events)
{
    struct ipc *ipc = owner;

    (void)events;
    for (int n = 0; n < ACCEPTS && ipc->fresh < ACCEPTS; n++) {
        if (fds_busy(&ipc->fds)) {
            accept_rest(ipc, FDS_REST_US);
            return;
        }
        int fd = accept4(ipc->accept.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int why = errno;
        if (fd >= 0) {
            welcome(ipc, fd);
            continue;
        }
        if (why == EMFILE || why == ENFILE || why == ENOMEM || why == ENOBUFS) {
            log_error("accept: %s; resting for a moment", strerror(why));
            accept_rest(ipc, ACCEPT_REST_US);
        }
        if (why != EINTR && why != ECONNABORTED)
            return;
    }
}

static void on_accept_again(void *owner)
{
    struct ipc *ipc = owner;

    if (ipc->accept.fd >= 0)
        loop_io_set(&ipc->accept, LOOP_READ);
}

/* ---- memory ---- */

/* Bodies of requests that wait for a connection may hold all of a user's memory, while those that have one
 * wait for frames that cannot be read: then one that waits ends with the limit's error, the largest of some
 * few, one a turn of the timer. Who was looked at goes to the tail, so that all are looked at in time. False
 * when none of them waits. */
static bool relieve(struct ipc *ipc, struct account *account)
{
    struct exchange *largest = NULL;
    struct rqv_list *node, *last = rqv_list_last(&account->bodies);
    uint64_t now = loop_now_us(ipc->use.loop);

    if (account->relieved_us == now)
        return account->relieved;
    account->relieved_us = now;
    for (int i = 0; i < RELIEVE_LOOKS && (node = rqv_list_first(&account->bodies)); i++) {
        struct exchange *x = RQV_LIST_OF(node, struct exchange, body_node);
        if (exchange_unstarted(x) && queue_len(&x->body) > (largest ? queue_len(&largest->body) : 0))
            largest = x;
        rqv_list_remove(node);
        rqv_list_append(&account->bodies, node);
        if (node == last)
            break;
    }
    if (largest)
        exchange_cancel(largest, REQIVO_E_LIMIT_MEMORY,
                        "the user's share of memory is used up by request bodies that wait");
    account->relieved = largest != NULL;
    return account->relieved;
}

static void hungry_turn(struct peer *peer)
{
    /* It is not read from, so its end must be asked for: what it holds is what others wait for. */
    struct pollfd end = {.fd = peer->io.fd, .events = POLLRDHUP};

    rqv_list_remove(&peer->hungry_node);
    if (poll(&end, 1, 0) > 0) {
        peer_close(peer, "it ended while no memory was left for its frames");
        return;
    }
    if (peer->hungry_ticks < HUNGRY_TICKS)
        peer->hungry_ticks++;
    else
        peer->starved = !relieve(peer->ipc, peer->account);
    peer_feed(peer);
}

static void arm_hungry(struct ipc *ipc)
{
    struct rqv_list *first = rqv_list_first(&ipc->hungry_peers);

    if (first)
        loop_timer_at(&ipc->hungry, RQV_LIST_OF(first, struct peer, hungry_node)->feed_us);
}

static void on_hungry(void *owner)
{
    struct ipc *ipc = owner;
    struct rqv_list *node;

    for (int n = 0; n < HUNGRY_TURNS && (node = rqv_list_first(&ipc->hungry_peers)); n++) {
        struct peer *peer = RQV_LIST_OF(node, struct peer, hungry_node);
        if (peer->feed_us > loop_now_us(ipc->use.loop))
            break;
        hungry_turn(peer);
    }
    arm_hungry(ipc);
}

void ipc_hungry(struct ipc *ipc, struct peer *peer)
{
    if (!rqv_list_empty(&peer->hungry_node))
        return;
    peer->feed_us = loop_now_us(ipc->use.loop) + HUNGRY_US;
    rqv_list_append(&ipc->hungry_peers, &peer->hungry_node);
    if (ipc->hungry.at_us == UINT64_MAX)
        arm_hungry(ipc);
}

/* ---- the end ---- */

static bool all_quiet(struct ipc *ipc)
{
    rqv_list_for_each (node, &ipc->peers) {
        struct peer *peer = RQV_LIST_OF(node, struct peer, node);
        if (!rqv_list_empty(&peer->exchange_list) || peer->query || queue_len(&peer->out) > 0)
            return false;
    }
    rqv_list_for_each (node, &ipc->use.wsessions->all) {
        struct wsession *ws = RQV_LIST_OF(node, struct wsession, all_node);
        if (ws->state != WS_LINGER || queue_len(&ws->out) > 0)
            return false;
    }
    return true;
}

static void on_drain(void *owner)
{
    struct ipc *ipc = owner;

    if (all_quiet(ipc) || loop_now_us(ipc->use.loop) >= ipc->drain_until_us)
        loop_stop(ipc->use.loop);
    else
        loop_timer_at(&ipc->drain, loop_now_us(ipc->use.loop) + DRAIN_STEP_US);
}

static void listener_close(struct ipc *ipc)
{
    int fd = ipc->accept.fd;

    if (fd < 0)
        return;
    loop_io_stop(&ipc->accept);
    loop_timer_stop(&ipc->accept_pause);
    /* The service manager keeps its own copy of the socket and its file: connects wait there for the next
     * instance. */
    if (ipc->activated) {
        close(fd);
        return;
    }
    unlink(ipc->path);
    fds_close(&ipc->fds, fd, NULL); /* who waits there may have sent descriptors */
}

void ipc_drain(struct ipc *ipc)
{
    if (ipc->draining)
        return;
    ipc->draining = true;
    listener_close(ipc);
    rqv_list_for_each_safe (node, next, &ipc->peers) {
        struct peer *peer = RQV_LIST_OF(node, struct peer, node);
        if (peer->state == PEER_OPEN) /* who is silent gets HELLO first, when its own comes */
            peer_goaway(peer, REQIVO_E_SHUTDOWN, rqv_err_text(REQIVO_E_SHUTDOWN));
        peer_pools_drain(peer);
    }
    wsession_drain(ipc->use.wsessions);
    ipc->drain_until_us = loop_now_us(ipc->use.loop) + (uint64_t)ipc->use.conf->drain_ms * 1000;
    loop_timer_at(&ipc->drain, loop_now_us(ipc->use.loop) + DRAIN_STEP_US / 20);
}

/* What is left after the drain's time ends with a code, not with silence. */
static void peer_end(struct peer *peer)
{
    if (peer->ipc->draining)
        peer_hear_out(peer);
    if (peer->state == PEER_CLOSED)
        return;
    rqv_list_for_each_safe (node, next, &peer->exchange_list)
        exchange_cancel(RQV_LIST_OF(node, struct exchange, peer_node), REQIVO_E_SHUTDOWN,
                        "the daemon stopped before the request was complete");
    peer_ws_cancel_all(peer, REQIVO_E_SHUTDOWN, "the daemon stopped before the session was closed");
    if (peer->query)
        query_end(peer, REQIVO_E_SHUTDOWN);
    peer_flush_now(peer);
    peer_close(peer, "the daemon stops");
}

void ipc_done(struct ipc *ipc)
{
    listener_close(ipc);
    rqv_list_for_each_safe (node, next, &ipc->peers)
        peer_end(RQV_LIST_OF(node, struct peer, node));
    fds_done(&ipc->fds);
    loop_timer_stop(&ipc->hello);
    loop_timer_stop(&ipc->hungry);
    loop_timer_stop(&ipc->slow);
    loop_timer_stop(&ipc->drain);
    rqv_map_done(&ipc->exchanges);
    rqv_map_done(&ipc->wsessions);
    rqv_map_done(&ipc->sessions);
    rqv_map_done(&ipc->operations);
    rqv_map_done(&ipc->pins);
}

/* That of the listener: a peer's is the same, the system's default. 0: unknown. */
static size_t send_buffer_of(int fd)
{
    int size = 0;
    socklen_t len = sizeof size;

    return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) == 0 && size > 0 ? (size_t)size : 0;
}

int ipc_start(struct ipc *ipc, const struct ipc_params *params, char *why, size_t why_size)
{
    memset(ipc, 0, sizeof *ipc);
    ipc->use = *params;
    rqv_list_init(&ipc->peers);
    rqv_list_init(&ipc->silent);
    rqv_list_init(&ipc->hungry_peers);
    rqv_map_init(&ipc->exchanges, params->hash_key);
    rqv_map_init(&ipc->wsessions, params->hash_key);
    rqv_map_init(&ipc->sessions, params->hash_key);
    rqv_map_init(&ipc->operations, params->hash_key);
    rqv_map_init(&ipc->pins, params->hash_key);
    loop_io_init(&ipc->accept, params->loop, on_accept, ipc);
    loop_timer_init(&ipc->accept_pause, params->loop, on_accept_again, ipc);
    loop_timer_init(&ipc->hello, params->loop, on_hello_due, ipc);
    loop_timer_init(&ipc->hungry, params->loop, on_hungry, ipc);
    slow_init(ipc);
    loop_timer_init(&ipc->drain, params->loop, on_drain, ipc);
    ipc->overflow_uid = read_overflow_uid();
    ipc->started_us = loop_now_us(params->loop);
    snprintf(why, why_size, "no socket could be made");
    int fd = socket_inherited(why, why_size);
    ipc->activated = fd >= 0;
    if (fd == -ENOENT)
        fd = socket_own(ipc, why, why_size);
    if (fd < 0)
        return fd;
    fds_init(&ipc->fds, params->loop, fd);
    ipc->send_buffer = send_buffer_of(fd);
    loop_io_start(&ipc->accept, fd, LOOP_READ);
    return 0;
}
