/* SPDX-License-Identifier: MIT */
/* path - where the daemon's socket is, whether the daemon there may be trusted, and in words why it cannot be
 * reached. */
#include "config.h"

#include "libclient/channel.h"

#include <reqivo/client.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char system_socket[] = REQIVO_RUNDIR "/reqivo.sock";

static const char *own_path(char *space, size_t size)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");

    if (!runtime || *runtime != '/')
        return NULL;
    int len = snprintf(space, size, "%s/reqivo/reqivo.sock", runtime);
    return len > 0 && (size_t)len < size ? space : NULL;
}

const char *rqv_socket_path(const char *given, char *space, size_t size)
{
    if (given)
        return given;
    given = secure_getenv("REQIVO_SOCKET");
    if (given && *given)
        return given;
    given = own_path(space, size);
    return given && access(given, F_OK) == 0 ? given : system_socket;
}

const char *rqv_start_path(const char *path, char *space, size_t size)
{
    return path == system_socket ? own_path(space, size) : path;
}

/* A socket that systemd made reports systemd's uid (root, or the user's own for a user unit), so the third
 * rule is for a daemon that made its socket itself: it runs as whom its directory belongs to. */
bool rqv_socket_uid_is_trusted(const char *path, long uid)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    struct stat st;

    if (uid < 0)
        return false;
    if (uid == 0 || uid == (long)geteuid())
        return true;
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof folder)
        return false;
    if (slash == path) {
        len = 1;
    } else if (!slash) {
        path = ".";
        len = 1;
    }
    memcpy(folder, path, len);
    folder[len] = '\0';
    return stat(folder, &st) == 0 && (long)st.st_uid == uid;
}

static void add(char *text, size_t size, size_t *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add(char *text, size_t size, size_t *at, const char *format, ...)
{
    va_list args;

    if (*at >= size)
        return;
    va_start(args, format);
    int n = vsnprintf(text + *at, size - *at, format, args);
    va_end(args);
    if (n > 0)
        *at += (size_t)n;
}

void reqivo_open_error(const char *socket_path, char *text, size_t size)
{
    int saved = errno;
    char space[256], why[128];
    struct rqv_channel channel;
    size_t at = 0;

    if (!text || size == 0)
        return;
    text[0] = '\0';
    const char *path = rqv_socket_path(socket_path, space, sizeof space);
    if (rqv_channel_init(&channel, path) < 0) {
        add(text, size, &at, "the socket's path is %s", *path ? "too long" : "empty");
        errno = saved;
        return;
    }
    int r = rqv_channel_connect(&channel, 0);
    if (r == 0)
        add(text, size, &at, "a daemon answers on %s now", path);
    else if (r == -EPERM && channel.peer_uid >= 0)
        add(text, size, &at,
            "%s belongs to uid %ld, which is neither root, nor this user, nor the owner of its directory",
            path, channel.peer_uid);
    else
        add(text, size, &at, "%s: %s", path, strerror_r(-r, why, sizeof why));
    if (r != 0 && !socket_path) {
        const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
        const char *named = secure_getenv("REQIVO_SOCKET");
        add(text, size, &at, " (REQIVO_SOCKET is %s", !named ? "not set" : *named ? "set" : "empty");
        if (path == space || !runtime)
            add(text, size, &at, ")");
        else
            add(text, size, &at, ", %s/reqivo/reqivo.sock is not used)", runtime);
    }
    rqv_channel_done(&channel);
    errno = saved;
}
