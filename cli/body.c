/* SPDX-License-Identifier: MIT */
/* body - reads the pieces into one block: bytes[0..size) of `room`, doubled as needed. */
#include "cli/body.h"

#include "cli/options.h"
#include "common/buf.h"
#include "proto/form.h"

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

/* "-" is standard input. The descriptor, or -errno. */
static int file_open(const char *path)
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static void file_close(int fd)
{
    if (fd != STDIN_FILENO)
        close(fd);
}

/* "@name": opens, and keeps the descriptor when the file alone is the body and can be sent from disk. */
static int body_append_file(struct cli_body *body, const char *path, bool binary, bool alone)
{
    int fd = file_open(path);
    struct stat st;
    int rc;

    if (fd < 0)
        return fd;
    if (alone && binary && fd != STDIN_FILENO && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        body->fd = fd;
        body->size = (uint64_t)st.st_size;
        return 0;
    }
    rc = body_append_fd(body, fd, binary);
    file_close(fd);
    return rc;
}

static int body_append_encoded(struct cli_body *body, const struct rqv_form_arg *arg, const char *bytes,
                               size_t size)
{
    struct rqv_buf out;
    int rc;

    rqv_buf_init(&out, SIZE_MAX / 4);
    rc = rqv_form_add_encoded(&out, arg->name, (struct rqv_str){bytes, size});
    if (rc == 0)
        rc = body_append(body, (const char *)rqv_buf_head(&out), rqv_buf_len(&out));
    rqv_buf_wipe(&out);
    return rc == 0 ? 0 : -ENOMEM;
}

/* --data-urlencode; *ret_path: the file of the complaint. */
static int body_append_form(struct cli_body *body, const char *text, const char **ret_path)
{
    struct cli_body file = {.fd = -1};
    struct rqv_form_arg arg;
    int fd, rc;

    rqv_form_split(rqv_str_from(text), &arg);
    if (!arg.is_file)
        return body_append_encoded(body, &arg, arg.content.ptr, arg.content.len);
    *ret_path = arg.content.ptr; /* the end of the argument, so it is terminated */
    fd = file_open(*ret_path);
    if (fd < 0)
        return fd;
    rc = body_append_fd(&file, fd, true);
    file_close(fd);
    if (rc == 0)
        rc = body_append_encoded(body, &arg, file.bytes, (size_t)file.size);
    cli_body_done(&file);
    return rc;
}

static int body_append_piece(struct cli_body *body, const struct cli_item *item, bool alone,
                             const char **ret_path)
{
    bool binary = item->piece == CLI_PIECE_BINARY || item->piece == CLI_PIECE_JSON;

    if (item->piece == CLI_PIECE_URLENCODE)
        return body_append_form(body, item->text, ret_path);
    if (item->text[0] != '@' || item->piece == CLI_PIECE_RAW)
        return body_append(body, item->text, strlen(item->text));
    *ret_path = item->text + 1;
    return body_append_file(body, *ret_path, binary, alone);
}

int cli_body_read(const struct cli_list *data, bool in_memory, struct cli_body *ret_body, char *why,
                  size_t size)
{
    *ret_body = (struct cli_body){.fd = -1};
    for (size_t i = 0; i < data->count; i++) {
        const struct cli_item *item = &data->items[i];
        const char *path = "the body";
        int rc = i && item->piece != CLI_PIECE_JSON ? body_append(ret_body, "&", 1) : 0;

        if (rc == 0)
            rc = body_append_piece(ret_body, item, data->count == 1 && !in_memory, &path);
        if (rc < 0) {
            snprintf(why, size, "cannot read %s: %s", path, strerror(-rc));
            return rc;
        }
    }
    return 0;
}

int cli_body_open(const char *path, struct cli_body *ret_body, char *why, size_t size)
{
    struct stat st;
    int fd = file_open(strcmp(path, ".") == 0 ? "-" : path);

    *ret_body = (struct cli_body){.fd = -1};
    if (fd < 0) {
        snprintf(why, size, "cannot read %s: %s", path, strerror(-fd));
        return fd;
    }
    ret_body->fd = fd;
    ret_body->stream = fd == STDIN_FILENO || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode);
    if (!ret_body->stream)
        ret_body->size = (uint64_t)st.st_size;
    return 0;
}

long cli_body_next(void *buffer, size_t size, void *userdata)
{
    struct cli_body *body = userdata;
    ssize_t n;

    do
        n = read(body->fd, buffer, size);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        body->size += (uint64_t)n;
    return n < 0 ? -errno : n;
}

void cli_body_done(struct cli_body *body)
{
    free(body->bytes);
    if (body->fd >= 0)
        file_close(body->fd);
    *body = (struct cli_body){.fd = -1};
}
