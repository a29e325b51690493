/* SPDX-License-Identifier: MIT */
/* start - see start.h: the place, the lock, and what the daemon says. */
#include "config.h"

#include "libclient/start.h"

#include <reqivo/error.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FD_LOW = 10, PATH_SIZE = sizeof((struct sockaddr_un *)0)->sun_path };

static int fail(char why[RQV_DETAIL_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(char why[RQV_DETAIL_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, RQV_DETAIL_MAX, format, args);
    va_end(args);
    return REQIVO_E_NO_DAEMON;
}

void rqv_start_init(struct rqv_start *start, bool wanted)
{
    *start = (struct rqv_start){.wanted = wanted, .report = -1};
}

void rqv_start_over(struct rqv_start *start)
{
    if (start->report >= 0)
        close(start->report);
    rqv_start_init(start, start->wanted);
}

/* ---- the place ---- */

/* Who else could write there could put a socket of his own in the daemon's place. */
static bool is_own_folder(const char *folder)
{
    struct stat st;

    return stat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022);
}

static bool parent_of(const char *path, char folder[PATH_SIZE])
{
    const char *slash = strrchr(path, '/');

    if (path[0] != '/' || slash == path || (size_t)(slash - path) >= PATH_SIZE)
        return false;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    return true;
}

/* The folder of the socket is this user's alone; it is made when the one above is. */
static int check_place(const char *path, char why[RQV_DETAIL_MAX])
{
    char folder[PATH_SIZE], above[PATH_SIZE];

    if (getauxval(AT_SECURE))
        return fail(why, "a program that is set-uid or has capabilities starts no daemon");
    if (strncmp(path, REQIVO_RUNDIR "/", sizeof REQIVO_RUNDIR) == 0)
        return fail(why, "%s is the place of the system service", path);
    if (!parent_of(path, folder))
        return fail(why, "%s: a daemon is started on an absolute path only", path);
    if (access(folder, F_OK) < 0 && errno == ENOENT && parent_of(folder, above) && is_own_folder(above))
        (void)mkdir(folder, 0700); /* another program may have done it */
    if (!is_own_folder(folder))
        return fail(why, "%s is not a folder of this user that only he may write to", folder);
    return 0;
}

/* ---- the lock: daemon/ipc/lock.h ---- */

/* The descriptor; -EWOULDBLOCK: another has it; or -errno. The holder may have removed the file since it was
 * opened here: then this is not the lock any more, which counts as one that another has. */
static int take_lock(const char *path)
{
    char name[PATH_SIZE + sizeof ".lock"];
    struct stat mine, there;

    snprintf(name, sizeof name, "%s.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    if (rc == 0 && (fstat(fd, &mine) < 0 || lstat(name, &there) < 0 || mine.st_ino != there.st_ino ||
                    mine.st_dev != there.st_dev))
        rc = -EWOULDBLOCK;
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

/* ---- what the daemon says ---- */

bool rqv_start_ended(struct rqv_start *start)
{
    char piece[512];
    ssize_t n;

    if (start->report < 0)
        return false;
    while ((n = read(start->report, piece, sizeof piece)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (n < 0)
            break;
        size_t room = sizeof start->said - 1 - start->len;
        size_t taken = (size_t)n < room ? (size_t)n : room;
        memcpy(start->said + start->len, piece, taken);
        start->len += taken;
    }
    close(start->report);
    start->report = -1;
    return true;
}

/* Its first line, without its name. */
static const char *reason(struct rqv_start *start)
{
    static const char prefix[] = "reqivod: ";

    start->said[start->len] = '\0';
    start->said[strcspn(start->said, "\n")] = '\0';
    return strncmp(start->said, prefix, sizeof prefix - 1) == 0 ? start->said + sizeof prefix - 1
                                                                : start->said;
}

/* ---- one step ---- */

static int report_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) { /* out of the way of 0 to 3, which the daemon has a use for */
        int fd = fcntl(ends[i], F_DUPFD_CLOEXEC, FD_LOW);
        int error = errno;
        if (fd < 0) {
            close(ends[0]);
            close(ends[1]);
            return -error;
        }
        close(ends[i]);
        ends[i] = fd;
    }
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static int launch(struct rqv_start *start, const char *path, int lock, char why[RQV_DETAIL_MAX])
{
    const char *program = rqv_spawn_program(why);
    char text[64];
    int ends[2];

    if (!program)
        return REQIVO_E_NO_DAEMON;
    int rc = report_pipe(ends);
    if (rc == 0) {
        rc = rqv_spawn(program, path, lock, ends[1]);
        close(ends[1]);
        if (rc == 0)
            start->report = ends[0];
        else
            close(ends[0]);
    }
    if (rc < 0)
        return fail(why, "%s could not be started: %s", program, strerror_r(-rc, text, sizeof text));
    start->len = 0;
    start->tries++;
    return 0;
}

static int take_and_launch(struct rqv_start *start, const char *path, char why[RQV_DETAIL_MAX])
{
    char text[64];
    int lock = take_lock(path);

    if (lock == -EWOULDBLOCK)
        return 0;
    if (lock < 0)
        return fail(why, "%s.lock: %s", path, strerror_r(-lock, text, sizeof text));
    int high = fcntl(lock, F_DUPFD_CLOEXEC, FD_LOW); /* the same lock */
    int rc = high < 0 ? fail(why, "%s.lock: %s", path, strerror_r(errno, text, sizeof text))
                      : launch(start, path, high, why);
    if (high >= 0)
        close(high);
    close(lock); /* the daemon holds it now, if there is one */
    return rc;
}

int rqv_start_step(struct rqv_start *start, const char *path, uint64_t now_ms, uint32_t *ret_pause_ms,
                   char why[RQV_DETAIL_MAX])
{
    int rc;

    if (start->until_ms == 0) {
        start->until_ms = now_ms + RQV_START_BOUND_MS;
        rc = check_place(path, why);
        if (rc < 0)
            return rc;
    }
    if (start->report < 0 && start->len > 0)
        return fail(why, "the daemon that was started on %s ended: %s", path, reason(start));
    if (now_ms >= start->until_ms || (start->report < 0 && start->tries >= RQV_START_TRIES))
        return fail(why, "no daemon answers on %s although one was started, or %s.lock is held", path, path);
    if (start->report < 0) {
        rc = take_and_launch(start, path, why);
        if (rc < 0)
            return rc;
    }
    *ret_pause_ms = RQV_START_POLL_MS; /* not longer: a daemon that is soon idle would be missed each time */
    return 0;
}
