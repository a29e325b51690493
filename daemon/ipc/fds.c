/* SPDX-License-Identifier: MIT */
/* fds - see fds.h. */
#include "daemon/ipc/fds.h"

#include "daemon/base/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif
#define FDS_MAX 253 /* SCM_MAX_FD of the kernel */

struct close_job {
    struct worker_job job;
    unsigned count;
    int fds[FDS_MAX];
};

static void close_work(struct worker_job *job)
{
    struct close_job *own = RQV_LIST_OF(job, struct close_job, job);

    for (unsigned i = 0; i < own->count; i++)
        close(own->fds[i]);
    own->count = 0;
}

static void close_done(struct worker_job *job)
{
    close_work(job); /* canceled at the end of the daemon: then waiting does no harm */
    free(RQV_LIST_OF(job, struct close_job, job));
}

bool fds_refuse(int listener)
{
    int off = 0;

    return setsockopt(listener, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) == 0;
}

/* False: they are still open. */
static bool close_elsewhere(struct peer *peer, const int *fds, unsigned count)
{
    struct close_job *own = malloc(sizeof *own);

    if (!own)
        return false;
    memset(&own->job, 0, sizeof own->job);
    own->job.work = close_work;
    own->job.done = close_done;
    own->job.uid = peer->uid;
    own->count = count;
    memcpy(own->fds, fds, count * sizeof fds[0]);
    if (worker_submit(peer->ipc->use.closer, &own->job) == 0)
        return true;
    free(own);
    return false;
}

void fds_close(struct peer *peer, int fd)
{
    if (!peer->ipc->collect_fds || !close_elsewhere(peer, &fd, 1))
        close(fd);
}

ssize_t fds_recv(struct peer *peer, void *room, size_t size)
{
    union {
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {room, size};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(peer->io.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    bool came = false;

    if (n < 0)
        return n;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        int fds[FDS_MAX];
        unsigned count = (unsigned)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(cmsg), count * sizeof(int));
        (void)close_elsewhere(peer, fds, count); /* else leaked rather than blocked on: this peer ends now */
        came = true;
    }
    if (!came)
        return n;
    errno = EPROTO;
    return -1;
}
