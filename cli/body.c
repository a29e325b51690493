/* SPDX-License-Identifier: MIT */
/* body - reads the pieces into one block: bytes[0..size) of `room`, doubled as needed. */
#include "cli/body.h"

#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 65536u

static int body_reserve(struct cli_body *body, size_t n)
{
    size_t room = body->room ? body->room : 4096;
    char *bytes;

    if (n > SIZE_MAX / 4 || body->size > SIZE_MAX / 4)
        return -ENOMEM;
    while (room < body->size + n)
        room *= 2;
    if (room == body->room)
        return 0;
    bytes = realloc(body->bytes, room);
    if (!bytes)
        return -ENOMEM;
    body->bytes = bytes;
    body->room = room;
    return 0;
}

static int body_append(struct cli_body *body, const char *bytes, size_t n)
{
    int rc = body_reserve(body, n);

    if (rc < 0)
        return rc;
    if (n)
        memcpy(body->bytes + body->size, bytes, n);
    body->size += n;
    return 0;
}

/* What curl leaves out of a file of -d: line ends and NULs. */
static size_t text_only(char *bytes, size_t n)
{
    size_t out = 0;

    for (size_t i = 0; i < n; i++)
        if (bytes[i] != '\r' && bytes[i] != '\n' && bytes[i] != '\0')
            bytes[out++] = bytes[i];
    return out;
}

static int body_append_fd(struct cli_body *body, int fd, bool binary)
{
    for (;;) {
        char *place;
        ssize_t n;
        int rc = body_reserve(body, READ_SIZE);

        if (rc < 0)
            return rc;
        place = body->bytes + body->size;
        n = read(fd, place, READ_SIZE);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            body->size += binary ? (size_t)n : text_only(place, (size_t)n);
    }
}

/* "@name": opens, and keeps the descriptor when the file alone is the body and can be sent from disk. */
static int body_append_file(struct cli_body *body, const struct cli_item *item, bool alone)
{
    const char *path = item->text + 1;
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int rc;

    if (fd < 0)
        return -errno;
    if (alone && item->binary && !standard && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        body->fd = fd;
        body->size = (uint64_t)st.st_size;
        return 0;
    }
    rc = body_append_fd(body, fd, item->binary);
    if (!standard)
        close(fd);
    return rc;
}

int cli_body_read(const struct cli_list *data, struct cli_body *ret_body, char *why, size_t size)
{
    *ret_body = (struct cli_body){.fd = -1};
    for (size_t i = 0; i < data->count; i++) {
        const struct cli_item *item = &data->items[i];
        int rc = i ? body_append(ret_body, "&", 1) : 0;

        if (rc == 0 && item->text[0] == '@')
            rc = body_append_file(ret_body, item, data->count == 1);
        else if (rc == 0)
            rc = body_append(ret_body, item->text, strlen(item->text));
        if (rc < 0) {
            snprintf(why, size, "cannot read %s: %s", item->text[0] == '@' ? item->text + 1 : "the body",
                     strerror(-rc));
            return rc;
        }
    }
    return 0;
}

void cli_body_done(struct cli_body *body)
{
    free(body->bytes);
    if (body->fd >= 0)
        close(body->fd);
    *body = (struct cli_body){.fd = -1};
}
