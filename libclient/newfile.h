/* SPDX-License-Identifier: MIT */
/*
 * newfile - a file that is written beside the one whose place it takes in the end, so that there is never
 * half a file under the name that people look at.
 */
#ifndef RQV_LIBCLIENT_NEWFILE_H
#define RQV_LIBCLIENT_NEWFILE_H

#include <stddef.h>
#include <sys/types.h>

struct rqv_newfile {
    int fd;       /* -1: none */
    pid_t pid;    /* whose file it is: a forked child leaves it alone */
    char *path;   /* one block: the name in the end, ... */
    char *beside; /* ... and the name until then */
};

/* A link is followed. 0, -ENOMEM, -EINVAL (there is something that is no regular file), or -errno. The umask
 * is taken off `mode`.
 */
int rqv_newfile_open(struct rqv_newfile *file, const char *path, mode_t mode);
int rqv_newfile_write(const struct rqv_newfile *file, const void *bytes, size_t size); /* 0 or -errno */
/* Puts it in its place, or removes it where that fails: 0 or -errno. It is done in any case. */
int rqv_newfile_commit(struct rqv_newfile *file);
void rqv_newfile_drop(struct rqv_newfile *file); /* removes it; nothing after commit */

#endif
