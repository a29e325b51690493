/* SPDX-License-Identifier: MIT */
/* ws - `reqivo ws URL`: lines of stdin are sent as messages, messages are printed as lines, as websocat does.
 */
#ifndef CLI_WS_H
#define CLI_WS_H

/* argv[0] is "ws". The exit code. */
int cli_ws(int argc, char *argv[]);

#endif
