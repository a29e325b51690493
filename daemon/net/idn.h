/* SPDX-License-Identifier: MIT */
/* idn - host names with other letters than ASCII to A-labels (libidn2, IDNA2008 with UTS 46
 * non-transitional). */
#ifndef DAEMON_NET_IDN_H
#define DAEMON_NET_IDN_H

#include <stddef.h>

/* 0; REQIVO_E_URL. `out` holds at least 254 bytes, lower case. */
int idn_to_ascii(const char *utf8, char *out, size_t size);

#endif
