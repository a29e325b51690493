/* SPDX-License-Identifier: MIT */
/* control - where reqivoctl finds the daemon: its control socket. */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <stddef.h>

/* `control` names it; else it is that of the daemon that listens on `socket`, on $REQIVO_SOCKET, or on the
 * user's or the system's usual place. NULL: the path is longer than the space. */
const char *cli_control_path(const char *control, const char *socket, char *space, size_t size);

#endif
