/* SPDX-License-Identifier: MIT */
/* std - the three descriptors that every program is expected to have. */
#ifndef CLI_STD_H
#define CLI_STD_H

#include <stdbool.h>

/* First thing in main: what is closed of 0, 1 and 2 becomes /dev/null, opened the wrong way round, so that no
 * socket or file gets that number and its use still fails. False: that cannot be done. */
bool cli_std_hold(void);

#endif
