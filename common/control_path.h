/* SPDX-License-Identifier: MIT */
/*
 * control_path - where the control socket of a daemon is that listens on `socket`: control.sock beside
 * reqivo.sock, and NAME.control beside any other NAME, so that two daemons may share a folder.
 */
#ifndef RQV_COMMON_CONTROL_PATH_H
#define RQV_COMMON_CONTROL_PATH_H

#include <stdio.h>
#include <string.h>

/* 0, or -1 when it is longer than the space. */
static inline int rqv_control_path(const char *socket, char *text, size_t size)
{
    static const char usual[] = "/reqivo.sock";
    size_t len = strlen(socket), tail = sizeof usual - 1;
    int n = len >= tail && strcmp(socket + len - tail, usual) == 0
                ? snprintf(text, size, "%.*s/control.sock", (int)(len - tail), socket)
                : snprintf(text, size, "%s.control", socket);

    return n > 0 && (size_t)n < size ? 0 : -1;
}

#endif
