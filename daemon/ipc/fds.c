/* SPDX-License-Identifier: MIT */
/*
 * fds - see fds.h: how to look at a socket without taking descriptors out of it, and how to close one that
 * holds some.
 *
 *   fds_close ── holds none ──> close()
 *       └──> waiting ──> thread: a table of its own, with just these ──(mail)──> loop: close() of ours
 *                                     └── ends: the kernel drops the last hold; inet_release() and its like
 * do not linger for a task that is PF_EXITING
 */
#include "daemon/ipc/fds.h"

#include "common/uninit.h"
#include "daemon/base/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif
#define BATCH  64     /* sockets that one thread takes along */
#define STACK  262144 /* of that thread */
#define PIECE  16384
#define PIECES 64 /* of a socket's unread bytes looked at before it counts as one that holds some */

struct stray {
    struct rqv_list node;
    struct account *account; /* a reference and the charge of a peer; or NULL */
    int fd;
};

struct fds_closing {
    struct fds *fds;
    sem_t holds, go;
    bool quiet; /* no mail: the loop waits for it */
    size_t count;
    struct stray *strays[BATCH]; /* by descriptor, the lowest first */
};

/* ---- looking ---- */

void fds_accepted(const struct fds *fds, int fd)
{
    int on = 1;

    /* An urgent byte that is not read in its place is dropped by the kernel within recv(), with what hangs on
     * it. */
    if (fds->loose)
        (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

/* Bytes at the front that have no descriptors among them: they may be read. As recv() else. */
static ssize_t look(int fd, void *room, size_t size)
{
    struct iovec iov = {room, size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1}; /* no place for descriptors: none are made */
    ssize_t n = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT);

    if (n > 0 && (msg.msg_flags & MSG_CTRUNC)) {
        errno = EPROTO;
        return -1;
    }
    return n;
}

ssize_t fds_recv(const struct fds *fds, int fd, void *room, size_t size)
{
    ssize_t n = (ssize_t)size;

    if (fds->loose)
        n = look(fd, room, size);
    return n > 0 ? recv(fd, room, (size_t)n, MSG_DONTWAIT) : n;
}

/* After this nothing comes any more, so that what is looked at is all there is. */
static bool holds_none(int fd)
{
    uint8_t piece[PIECE] RQV_UNINIT;
    ssize_t n = 1;

    if (shutdown(fd, SHUT_RDWR) < 0)
        return false;
    for (int i = 0; i < PIECES && n > 0; i++) {
        n = look(fd, piece, sizeof piece);
        if (n > 0)
            n = recv(fd, piece, (size_t)n, MSG_DONTWAIT);
    }
    return n == 0;
}

/* ---- closing ---- */

static void stray_close(struct fds *fds, struct stray *stray)
{
    close(stray->fd);
    if (stray->account)
        account_peer_gone(stray->account);
    else
        fds->uncharged--;
    account_release(&stray->account);
    free(stray);
}

/* What it keeps open otherwise, such as a connection that the loop has closed meanwhile, must not wait for
 * its end. */
static void keep_only(const int *fds, size_t count)
{
    unsigned next = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned fd = (unsigned)fds[i];
        if (fd > next)
            (void)close_range(next, fd - 1, 0);
        next = fd + 1;
    }
    (void)close_range(next, UINT_MAX, 0);
}

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) < 0 && errno == EINTR)
        ;
}

static void *thread_main(void *argument)
{
    struct fds_closing *closing = argument;
    int kept[BATCH];
    size_t count = closing->count;

    for (size_t i = 0; i < count; i++)
        kept[i] = closing->strays[i]->fd;
    /* A table of its own; where that fails the loop's close is the last one, and may wait. */
    bool own = unshare(CLONE_FILES) == 0;
    if (!closing->quiet)
        loop_mail_send(closing->fds->loop, &closing->fds->mail);
    sem_post(&closing->holds);
    if (own)
        keep_only(kept, count);
    wait_for(&closing->go);
    free(closing);
    return NULL;
}

/* Signals are the loop's: the thread takes none. */
static int thread_start(struct fds_closing *closing)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&thread, &attr, thread_main, closing);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return -rc;
}

static int by_fd(const void *a, const void *b)
{
    const struct stray *one = *(struct stray *const *)a, *other = *(struct stray *const *)b;

    return (one->fd > other->fd) - (one->fd < other->fd);
}

static struct fds_closing *closing_new(struct fds *fds)
{
    struct fds_closing *closing = calloc(1, sizeof *closing);
    struct rqv_list *node;

    if (!closing)
        return NULL;
    closing->fds = fds;
    closing->quiet = fds->ending;
    sem_init(&closing->holds, 0, 0);
    sem_init(&closing->go, 0, 0);
    while (closing->count < BATCH && (node = rqv_list_first(&fds->waiting))) {
        rqv_list_remove(node);
        closing->strays[closing->count++] = RQV_LIST_OF(node, struct stray, node);
    }
    qsort(closing->strays, closing->count, sizeof closing->strays[0], by_fd);
    return closing;
}

static void close_strays(struct fds_closing *closing)
{
    for (size_t i = 0; i < closing->count; i++)
        stray_close(closing->fds, closing->strays[i]);
    closing->count = 0;
}

/* Where no thread can be had, waiting is what is left. */
static void fds_work(struct fds *fds)
{
    while (!fds->under && !rqv_list_empty(&fds->waiting)) {
        struct fds_closing *closing = closing_new(fds);
        int rc = closing ? thread_start(closing) : -ENOMEM;

        if (rc == 0) {
            fds->under = closing;
            return;
        }
        log_error("descriptors that were sent: no thread to close them on: %s", strerror(-rc));
        if (!closing)
            return; /* they wait for the next one */
        close_strays(closing);
        free(closing);
    }
}

/* The thread holds them: ours go, then the thread. */
static void fds_settle(struct fds *fds)
{
    struct fds_closing *closing = fds->under;

    fds->under = NULL;
    wait_for(&closing->holds); /* right behind the mail */
    close_strays(closing);
    sem_post(&closing->go);
}

static void on_mail(void *owner)
{
    struct fds *fds = owner;

    if (fds->under)
        fds_settle(fds);
    fds_work(fds);
}

void fds_close(struct fds *fds, int fd, struct account *account)
{
    struct stray *stray = NULL;

    if (fds->loose && !holds_none(fd))
        stray = malloc(sizeof *stray);
    if (stray) {
        *stray = (struct stray){.account = account, .fd = fd};
        rqv_list_append(&fds->waiting, &stray->node);
        fds->uncharged += !account;
        fds_work(fds);
        return;
    }
    close(fd);
    if (account)
        account_peer_gone(account);
    account_release(&account);
}

bool fds_busy(const struct fds *fds)
{
    return fds->uncharged > 0;
}

/* ---- life ---- */

void fds_init(struct fds *fds, struct loop *loop)
{
    memset(fds, 0, sizeof *fds);
    fds->loop = loop;
    fds->mail = (struct loop_mail){.fn = on_mail, .owner = fds};
    rqv_list_init(&fds->waiting);
}

void fds_listens(struct fds *fds, int listener)
{
    int off = 0;

    if (setsockopt(listener, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) < 0)
        fds->loose = true;
}

/* A mail that is on its way finds nothing to do; it must not be sent a second time. */
void fds_done(struct fds *fds)
{
    fds->ending = true;
    fds_work(fds);
    while (fds->under) {
        fds_settle(fds);
        fds_work(fds);
    }
}
