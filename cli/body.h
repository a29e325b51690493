/* SPDX-License-Identifier: MIT */
/*
 * body - the request's body from the pieces of -d and --data-binary. Pieces are joined with '&'. One regular
 * file alone with
 * --data-binary is not read here but handed on as a descriptor, so that it may be larger than memory.
 */
#ifndef CLI_BODY_H
#define CLI_BODY_H

#include <stddef.h>
#include <stdint.h>

struct cli_list;

struct cli_body {
    char *bytes; /* NULL with a descriptor, and when there is none */
    uint64_t size;
    size_t room;
    int fd; /* of the one regular file, else -1 */
};

/* 0; -ENOMEM; -errno of open or read, with one sentence in `why`. Call done in every case. */
int cli_body_read(const struct cli_list *data, struct cli_body *ret_body, char *why, size_t size);
void cli_body_done(struct cli_body *body);

#endif
