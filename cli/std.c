/* SPDX-License-Identifier: MIT */
/* std - see std.h. The daemon's main.c has the same for itself: no layer that both may use opens files. */
#include "cli/std.h"

#include <fcntl.h>
#include <unistd.h>

bool cli_std_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}
