/* SPDX-License-Identifier: MIT */
/*
 * body - the request's body: from the pieces of -d and its like, joined with '&' (--json: with nothing), or
 * from the file of -T. One regular file alone, with --data-binary, --json or -T, is not read here but handed
 * on as a descriptor, so that it may be larger than memory.
 */
#ifndef CLI_BODY_H
#define CLI_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_list;

struct cli_body {
    char *bytes; /* NULL with a descriptor, and when there is none */
    uint64_t size;
    size_t room;
    int fd;      /* of the one regular file, or of the stream, else -1 */
    bool stream; /* the length is not known: cli_body_next() reads it, and counts in `size` */
};

/* in_memory: never a descriptor. 0; -ENOMEM; -errno of open or read, with one sentence in `why`. Call done in
 * every case. */
int cli_body_read(const struct cli_list *data, bool in_memory, struct cli_body *ret_body, char *why,
                  size_t size);
/* -T: a path, or "-" or "." for standard input. The same. */
int cli_body_open(const char *path, struct cli_body *ret_body, char *why, size_t size);
void cli_body_done(struct cli_body *body);

long cli_body_next(void *buffer, size_t size, void *body); /* a reqivo_read_fn; blocks */

#endif
