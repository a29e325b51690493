/* SPDX-License-Identifier: MIT */
/* base64 - RFC 4648 4. */
#ifndef RQV_COMMON_BASE64_H
#define RQV_COMMON_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* With padding, not terminated; writes and returns (len + 2) / 3 * 4 characters. */
size_t rqv_base64_encode(const uint8_t *bytes, size_t len, char *out);

#endif
