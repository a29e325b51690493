/* SPDX-License-Identifier: MIT */
/* field_files - -H "@file": the list of -H is made anew, with the lines of the files in their places. */
#include "cli/body.h"
#include "cli/fields.h"
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int list_add(struct cli_list *list, const char *text)
{
    struct cli_item *items = reallocarray(list->items, list->count + 1, sizeof(*items));

    if (!items)
        return -ENOMEM;
    list->items = items;
    items[list->count++] = (struct cli_item){.text = text};
    return 0;
}

/* The file as text: NULL with a warning, or with -ENOMEM in *ret_rc. */
static char *file_read(const struct cli_options *options, const char *name, int *ret_rc)
{
    struct cli_item item = {.text = name, .piece = CLI_PIECE_BINARY};
    struct cli_list list = {.items = &item, .count = 1};
    struct cli_body body;
    char why[256];
    char *text = NULL;

    *ret_rc = cli_body_read(&list, true, &body, why, sizeof(why));
    if (*ret_rc == 0) {
        text = strndup(body.bytes ? body.bytes : "", (size_t)body.size);
        *ret_rc = text ? 0 : -ENOMEM;
    } else if (*ret_rc != -ENOMEM) {
        *ret_rc = 0;
        if (!options->silent)
            fprintf(stderr, "reqivo: warning: -H: %s\n", why);
    }
    cli_body_done(&body);
    return text;
}

static int file_expand(struct cli_options *options, const char *name, struct cli_list *list)
{
    char *rest = NULL;
    int rc;
    char *text = file_read(options, name, &rc);

    if (!text)
        return rc;
    rc = list_add(&options->field_files, text);
    if (rc < 0) {
        free(text);
        return rc;
    }
    for (char *line = strtok_r(text, "\r\n", &rest); line && rc == 0; line = strtok_r(NULL, "\r\n", &rest))
        rc = list_add(list, line);
    return rc;
}

int cli_fields_read(struct cli_options *options)
{
    struct cli_list list = {0};
    int rc = 0;

    for (size_t i = 0; i < options->fields.count && rc == 0; i++) {
        const char *text = options->fields.items[i].text;

        rc = text[0] == '@' ? file_expand(options, text, &list) : list_add(&list, text);
    }
    if (rc < 0) {
        free(list.items);
        return rc;
    }
    free(options->fields.items);
    options->fields = list;
    return 0;
}
