/* SPDX-License-Identifier: MIT */
/* head - the text of a response's head, as -i, -I and -D show it. */
#ifndef CLI_HEAD_H
#define CLI_HEAD_H

#include <stddef.h>

struct reqivo_response;

/* The head of the redirect `hop`, or, where there is no such hop, of the answer itself: status line, fields,
 * an empty line. To be freed; NULL: no memory. */
char *cli_head_text(const struct reqivo_response *response, size_t hop, size_t *ret_len);
/* Trailer fields, without an empty line (as with curl). */
char *cli_trailer_text(const struct reqivo_response *response, size_t *ret_len);

#endif
