/* SPDX-License-Identifier: MIT */
/* base64 - see base64.h. */
#include "common/base64.h"

size_t rqv_base64_encode(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;

    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;

        if (i + 1 < len)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < len)
            group |= bytes[i + 2];
        out[at++] = digits[group >> 18];
        out[at++] = digits[group >> 12 & 63];
        out[at++] = '=';
        out[at++] = '=';
        if (i + 1 < len)
            out[at - 2] = digits[group >> 6 & 63];
        if (i + 2 < len)
            out[at - 1] = digits[group & 63];
    }
    return at;
}
