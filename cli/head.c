/* SPDX-License-Identifier: MIT */
/* head - written into memory with stdio, so that the same text serves -i, -D and %{size_header}. */
#include "cli/head.h"

#include <reqivo/response.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the text: what was written, or NULL. */
static char *text_end(FILE *file, char **text)
{
    bool fine = !ferror(file);

    if (fclose(file) == 0 && fine)
        return *text;
    free(*text);
    return NULL;
}

char *cli_head_text(const struct reqivo_response *response, size_t hop, size_t *ret_len)
{
    bool last = hop >= reqivo_response_hop_count(response);
    const char *name = NULL, *value = NULL;
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_len);

    if (!file)
        return NULL;
    if (last)
        fprintf(file, "HTTP/1.%d %03d %s\r\n", reqivo_response_minor(response),
                reqivo_response_status(response), reqivo_response_reason(response));
    else
        fprintf(file, "HTTP/1.%d %03d %s\r\n", reqivo_response_hop_minor(response, hop),
                reqivo_response_hop_status(response, hop), reqivo_response_hop_reason(response, hop));
    for (size_t i = 0; (last ? reqivo_response_field_at(response, i, &name, &value)
                             : reqivo_response_hop_field_at(response, hop, i, &name, &value)) == 0;
         i++)
        fprintf(file, "%s: %s\r\n", name, value);
    fputs("\r\n", file);
    return text_end(file, &text);
}

char *cli_trailer_text(const struct reqivo_response *response, size_t *ret_len)
{
    const char *name = NULL, *value = NULL;
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_len);

    if (!file)
        return NULL;
    for (size_t i = 0; reqivo_response_trailer_at(response, i, &name, &value) == 0; i++)
        fprintf(file, "%s: %s\r\n", name, value);
    return text_end(file, &text);
}
