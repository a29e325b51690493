/* SPDX-License-Identifier: MIT */
/* control - see control.h. The order is the library's own for the other socket (libclient/path.c). */
#include "cli/control.h"

#include "common/control_path.h"
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *cli_control_path(const char *control, const char *socket, char *space, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (control)
        return control;
    if (!socket)
        socket = getenv("REQIVO_SOCKET");
    if (socket && *socket)
        return rqv_control_path(socket, space, size) == 0 ? space : NULL;
    if (runtime && *runtime == '/') {
        int n = snprintf(space, size, "%s/reqivo/control.sock", runtime);

        if (n > 0 && (size_t)n < size && access(space, F_OK) == 0)
            return space;
    }
    return REQIVO_RUNDIR "/control.sock";
}
