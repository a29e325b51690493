/* SPDX-License-Identifier: MIT */
/* lock - see lock.h. */
#include "daemon/ipc/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES         64 /* as often may the file be removed between open and lock */
#define PATH_MAX_LOCK 128

/* Is the open file still the one of that name? */
static bool is_at(int fd, const char *name)
{
    struct stat mine, there;

    return fstat(fd, &mine) == 0 && lstat(name, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino && S_ISREG(mine.st_mode);
}

static int take_given(const char *name, int fd, char *why, size_t why_size)
{
    if (!is_at(fd, name) || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        snprintf(why, why_size, "descriptor %d does not hold %s: --on-demand is for libreqivo-client alone",
                 fd, name);
        return -EINVAL;
    }
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : fd;
}

static int take_new(const char *name, char *why, size_t why_size)
{
    for (int i = 0; i < TRIES; i++) {
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        int rc = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;

        if (rc == 0 && is_at(fd, name))
            return fd;
        if (fd >= 0)
            close(fd);
        if (rc == -EWOULDBLOCK) {
            snprintf(why, why_size, "another daemon holds %s", name);
            return -EADDRINUSE;
        }
        if (rc < 0) {
            snprintf(why, why_size, "%s: %s", name, strerror(-rc));
            return rc;
        }
    }
    snprintf(why, why_size, "%s is removed again and again", name);
    return -EADDRINUSE;
}

int lock_take(const char *path, int given, char *why, size_t why_size)
{
    char name[PATH_MAX_LOCK];

    snprintf(name, sizeof name, "%s.lock", path);
    return given >= 0 ? take_given(name, given, why, why_size) : take_new(name, why, why_size);
}

void lock_give(const char *path, int *fd)
{
    char name[PATH_MAX_LOCK];

    if (*fd < 0)
        return;
    snprintf(name, sizeof name, "%s.lock", path);
    if (is_at(*fd, name))
        unlink(name);
    close(*fd);
    *fd = -1;
}
