/* SPDX-License-Identifier: MIT */
/* newfile - see newfile.h. */
#include "libclient/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SUFFIX = 13, TRIES = 16 }; /* ".0123456789ab" */

static void put_suffix(char *at)
{
    uint64_t random;
    struct timespec now;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) {
        clock_gettime(CLOCK_MONOTONIC, &now); /* O_EXCL is what counts */
        random = (uint64_t)now.tv_nsec * 2654435761u ^ (uint64_t)getpid() << 32;
    }
    snprintf(at, SUFFIX + 1, ".%012llx", (unsigned long long)(random & 0xffffffffffff));
}

static int open_beside(struct rqv_newfile *file, const char *path, mode_t mode)
{
    size_t len = strlen(path);

    file->path = malloc(2 * len + SUFFIX + 2);
    if (!file->path)
        return -ENOMEM;
    file->beside = file->path + len + 1;
    memcpy(file->path, path, len + 1);
    memcpy(file->beside, path, len);
    for (int i = 0; i < TRIES && file->fd < 0; i++) {
        put_suffix(file->beside + len);
        file->fd = open(file->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (file->fd < 0 && errno != EEXIST)
            break;
    }
    if (file->fd >= 0)
        return 0;
    int r = -errno;
    free(file->path);
    file->path = file->beside = NULL;
    return r;
}

/* A link stays, and what it leads to is replaced; one that leads nowhere is an error. */
int rqv_newfile_open(struct rqv_newfile *file, const char *path, mode_t mode)
{
    struct stat st;

    *file = (struct rqv_newfile){.fd = -1, .pid = getpid()};
    if (path[0] == '\0' || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        return -EINVAL;
    if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
        return open_beside(file, path, mode);
    char *target = realpath(path, NULL);
    int r = target ? open_beside(file, target, mode) : -errno;
    free(target);
    return r;
}

int rqv_newfile_write(const struct rqv_newfile *file, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t n = write(file->fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* close() may be the one that tells of a full disk. */
static int end(struct rqv_newfile *file, int r)
{
    if (file->fd < 0)
        return r;
    if (close(file->fd) < 0 && r == 0 && errno != EINTR)
        r = -errno;
    file->fd = -1;
    if (file->pid == getpid()) {
        if (r == 0 && rename(file->beside, file->path) < 0)
            r = -errno;
        if (r < 0)
            unlink(file->beside);
    }
    free(file->path);
    file->path = file->beside = NULL;
    return r;
}

int rqv_newfile_commit(struct rqv_newfile *file)
{
    return end(file, 0);
}

void rqv_newfile_drop(struct rqv_newfile *file)
{
    int saved = errno;

    end(file, -ECANCELED);
    errno = saved;
}
