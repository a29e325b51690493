/* SPDX-License-Identifier: MIT */
/* listener - see listener.h. */
#include "daemon/ipc/listener.h"

#include "daemon/base/log.h"
#include "daemon/ipc/ipc.h"
#include "daemon/ipc/peer.h"
#include "daemon/ipc/report.h"

#include <reqivo/error.h>

#include <errno.h>
#include <fcntl.h>
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

/* ---- the socket ---- */

/* Where a descriptor of that name belongs; NULL: there is no such name. */
static int *inherit_place(struct inherited *inherited, const char *name, int count)
{
    if (strcmp(name, "control") == 0)
        return &inherited->control;
    if (strcmp(name, "reqivo") == 0)
        return &inherited->data;
    /* What libsystemd says where the manager gives no names: then there can be only one meaning. */
    return count == 1 && strcmp(name, "unknown") == 0 ? &inherited->data : NULL;
}

/* 0, or -errno and what is wrong with it, to be said after its name. */
static int inherit_one(int *place, int fd, const char **ret_wrong)
{
    if (!place) {
        *ret_wrong = "is not a name that reqivod knows; FileDescriptorName= must be reqivo or control";
        return -EINVAL;
    }
    if (*place >= 0) {
        *ret_wrong = "was passed before; each name stands for one socket";
        return -EINVAL;
    }
    if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0) {
        *ret_wrong = "is not a listening UNIX stream socket; ListenStream= must name a path";
        return -EINVAL;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        *ret_wrong = "cannot be made non-blocking";
        return -errno;
    }
    *place = fd;
    return 0;
}

int listener_inherit(struct inherited *ret_inherited, char *why, size_t why_size)
{
    struct inherited inherited = {-1, -1};
    char **names = NULL;
    int n = sd_listen_fds_with_names(1, &names);
    int rc = n < 0 ? n : 0;

    if (rc < 0)
        snprintf(why, why_size, "the sockets that the service manager passed: %s", strerror(-rc));
    for (int i = 0; i < n; i++) {
        const char *wrong = NULL;

        if (rc == 0) {
            rc = inherit_one(inherit_place(&inherited, names[i], n), SD_LISTEN_FDS_START + i, &wrong);
            if (rc < 0)
                snprintf(why, why_size, "the descriptor '%s' from the service manager %s", names[i], wrong);
        }
        free(names[i]);
    }
    free((void *)names);
    if (rc == 0)
        *ret_inherited = inherited;
    return rc;
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

void listener_make_dir(const char *path, bool user)
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

static int socket_own(struct listener *listener, const char *path, char *why, size_t why_size)
{
    bool user = listener->ipc->use.conf->user_instance;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof sun.sun_path) {
        snprintf(why, why_size, "%s: is longer than %zu bytes", path, sizeof sun.sun_path - 1);
        return -ENAMETOOLONG;
    }
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
    listener_make_dir(path, user);
    int rc = socket_clear(&sun, why, why_size);
    if (rc < 0)
        return rc;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(user ? 0177 : 0111);
    rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&sun, sizeof sun);
    umask(old);
    if (rc < 0 || listen(fd, BACKLOG) < 0) {
        rc = -errno;
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    memcpy(listener->path, sun.sun_path, sizeof listener->path);
    return fd;
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

/* Those that have not been read yet are not counted: a burst of programs is no crowd of silent ones. */
static int check_silent(struct listener *listener, uid_t uid)
{
    struct account *account;
    int rc = account_get(listener->accounts, uid, &account);

    if (rc < 0)
        return rc;
    rc = account->silent >= SILENT_PER_UID ? REQIVO_E_LIMIT_PEERS : 0;
    account_release(&account);
    return rc;
}

static void turn_away(struct listener *listener, int fd, const struct ucred *cred, int code,
                      const char *detail)
{
    report_turned_away(listener, cred, code, detail);
    refuse(listener->ipc, fd, code, detail);
}

/* What the code alone does not say. */
static void no_place(struct listener *listener, int fd, const struct ucred *cred, int code)
{
    char limit[ACCOUNT_LIMITED_MAX] = "", detail[RQV_DETAIL_MAX];
    struct account *account;

    if (code == REQIVO_E_LIMIT_PEERS && account_get(listener->accounts, cred->uid, &account) == 0) {
        account_limited_by(account, ACCOUNT_PEERS, 1, limit);
        account_release(&account);
    }
    snprintf(detail, sizeof detail, "%s%s",
             code == REQIVO_E_LIMIT_PEERS  ? "the user's programs, or those of all, are as many as may be"
             : code == REQIVO_E_OVERLOADED ? account_refusal(code)
                                           : rqv_err_text(code),
             limit);
    turn_away(listener, fd, cred, code, detail);
}

static void welcome(struct listener *listener, int fd)
{
    struct ipc *ipc = listener->ipc;
    struct ucred cred;
    socklen_t len = sizeof cred;
    struct peer *peer;

    fds_accepted(&ipc->fds, fd);
    /* Not to know who it is, is a refusal: security.md B9-1. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || len != sizeof cred)
        cred = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    if (cred.uid == ipc->overflow_uid || cred.uid == (uid_t)-1) {
        turn_away(listener, fd, &cred, REQIVO_E_ACCESS_DENIED, "the kernel does not tell which user this is");
        return;
    }
    int rc = check_silent(listener, cred.uid);
    if (rc < 0) {
        turn_away(listener, fd, &cred, rc, "too many connections of this user have not said HELLO");
        return;
    }
    rc = peer_new(listener, fd, cred.uid, cred.pid, &peer);
    if (rc < 0) {
        no_place(listener, fd, &cred, rc);
        return;
    }
    if (ipc->draining)
        peer_shut(peer);
    else
        ipc_arm_hello(ipc);
}

static void accept_rest(struct listener *listener, uint64_t us)
{
    loop_io_set(&listener->accept, 0);
    loop_timer_at(&listener->pause, loop_now_us(listener->ipc->use.loop) + us);
}

/* No more than are served: who has not had a turn is as good in the backlog. */
static void on_accept(void *owner, unsigned events)
{
    struct listener *listener = owner;

    (void)events;
    for (int n = 0; n < ACCEPTS && listener->fresh < ACCEPTS; n++) {
        if (fds_busy(&listener->ipc->fds)) {
            accept_rest(listener, FDS_REST_US);
            return;
        }
        int fd = accept4(listener->accept.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int why = errno;
        if (fd >= 0) {
            welcome(listener, fd);
            continue;
        }
        if (why == EMFILE || why == ENFILE || why == ENOMEM || why == ENOBUFS) {
            log_error("accept: %s; resting for a moment", strerror(why));
            accept_rest(listener, ACCEPT_REST_US);
        }
        if (listener->leaving && (why == EAGAIN || why == EINVAL)) { /* nobody is left in its queue */
            listener_close(listener);
            return;
        }
        if (why != EINTR && why != ECONNABORTED)
            return;
    }
}

static void on_accept_again(void *owner)
{
    struct listener *listener = owner;

    if (listener->accept.fd >= 0)
        loop_io_set(&listener->accept, LOOP_READ);
}

/* ---- life ---- */

void listener_init(struct listener *listener, struct ipc *ipc, struct accounts *accounts)
{
    memset(listener, 0, sizeof *listener);
    listener->ipc = ipc;
    listener->accounts = accounts;
    listener->control = accounts != ipc->use.accounts;
    loop_io_init(&listener->accept, ipc->use.loop, on_accept, listener);
    loop_timer_init(&listener->pause, ipc->use.loop, on_accept_again, listener);
}

/* Of a socket that was passed; it stays "" when it has none. */
static void socket_name(struct listener *listener, int fd)
{
    struct sockaddr_un sun;
    socklen_t len = sizeof sun;

    memset(&sun, 0, sizeof sun);
    if (getsockname(fd, (struct sockaddr *)&sun, &len) == 0 && sun.sun_path[0] == '/')
        memcpy(listener->path, sun.sun_path, sizeof listener->path - 1);
}

int listener_start(struct listener *listener, int fd, const char *path, char *why, size_t why_size)
{
    listener->activated = fd >= 0;
    if (listener->activated)
        socket_name(listener, fd);
    else
        fd = socket_own(listener, path, why, why_size);
    if (fd < 0)
        return fd;
    fds_listens(&listener->ipc->fds, fd);
    loop_io_start(&listener->accept, fd, LOOP_READ);
    return 0;
}

/* The order matters: once the name is gone and the socket is shut, nobody comes into its queue any more, also
 * not who had looked up the name before (he gets ECONNREFUSED). What accept() gives after that is all there
 * is. */
static void shut(const struct listener *listener)
{
    unlink(listener->path);
    shutdown(listener->accept.fd, SHUT_RDWR);
}

static bool let_in_all(struct listener *listener, int fd)
{
    bool any = false;
    int one;

    while ((one = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0 || errno == EINTR) {
        if (one < 0)
            continue;
        any = true;
        welcome(listener, one);
    }
    return any;
}

bool listener_retire(struct listener *listener)
{
    int fd = listener->accept.fd;

    shut(listener);
    loop_io_stop(&listener->accept);
    loop_timer_stop(&listener->pause);
    bool any = let_in_all(listener, fd);
    close(fd);
    return any;
}

void listener_leave(struct listener *listener)
{
    if (listener_is_closed(listener) || listener->leaving)
        return;
    if (listener->activated) {
        listener_close(listener);
        return;
    }
    shut(listener);
    listener->leaving = true;
}

void listener_close(struct listener *listener)
{
    int fd = listener->accept.fd;

    if (fd < 0)
        return;
    loop_io_stop(&listener->accept);
    loop_timer_stop(&listener->pause);
    /* The service manager keeps its own copy of the socket and its file: connects wait there for the next
     * instance. */
    if (listener->activated) {
        close(fd);
        return;
    }
    if (listener->leaving) /* the name is another daemon's by now */
        let_in_all(listener, fd);
    else
        unlink(listener->path);
    fds_close(&listener->ipc->fds, fd, NULL); /* who waits there may have sent descriptors */
}
