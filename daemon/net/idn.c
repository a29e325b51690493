/* SPDX-License-Identifier: MIT */
/*
 * idn - the one call of libidn2. The result is checked again here, because it becomes a name that is
 * resolved, verified and part of the pool key: lower case, letters, digits, hyphens, underscores and dots
 * only, 253 bytes at most.
 */
#include "daemon/net/idn.h"

#include <idn2.h>
#include <reqivo/error.h>
#include <stdbool.h>
#include <string.h>

#define IDN_NAME_MAX 253 /* RFC 1035 2.3.4 */

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* The library maps some ASCII away; what is no letter of a host name is refused before it sees it. */
static bool ascii_is_fine(const char *utf8)
{
    for (; *utf8; utf8++) {
        char c = *utf8;

        if ((unsigned char)c < 0x80 && !is_host_byte(c) && !(c >= 'A' && c <= 'Z'))
            return false;
    }
    return true;
}

int idn_to_ascii(const char *utf8, char *out, size_t size)
{
    char *ascii = NULL;
    size_t len;
    int code = REQIVO_E_URL;

    if (!ascii_is_fine(utf8))
        return REQIVO_E_URL;
    /* UTS 46 with the characters that IDNA2008 treats differently kept (non-transitional), as browsers do. */
    if (idn2_to_ascii_8z(utf8, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return REQIVO_E_URL;
    len = strlen(ascii);
    if (len == 0 || len > IDN_NAME_MAX || len >= size)
        goto out;
    for (size_t i = 0; i < len; i++) {
        char c = ascii[i];

        if (c >= 'A' && c <= 'Z')
            ascii[i] = c = (char)(c - 'A' + 'a');
        if (!is_host_byte(c) || (c == '.' && (i == 0 || ascii[i - 1] == '.')))
            goto out; /* an empty label is left as it is, too */
    }
    memcpy(out, ascii, len + 1);
    code = 0;
out:
    idn2_free(ascii);
    return code;
}
