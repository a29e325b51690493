/* SPDX-License-Identifier: MIT */
/* session_cookies - the program's verbs on the jar of a session, which lies in the daemon. */
#include "libclient/channel.h"
#include "libclient/operate.h"
#include "libclient/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD_COOKIE "cookie"
#define FILE_HEAD    "# Netscape HTTP Cookie File\n\n"

static int new_operation(struct reqivo_session *session, enum rqv_operation_verb verb,
                         struct reqivo_request **ret_request)
{
    if (!session)
        return -EINVAL;
    if (!session->jar->client)
        return REQIVO_E_CANCELED; /* the handle is gone */
    int r = reqivo_request_new("GET", "/", ret_request);
    if (r < 0)
        return r;
    rqv_request_operate(*ret_request, verb, 0, session->jar);
    (*ret_request)->jar = session->jar; /* opened with it, if it is not yet */
    session->jar->refs++;
    return 0;
}

/* An operation with as many lines as it takes; *at moves on. */
static int new_add(struct reqivo_session *session, const char *const lines[], size_t count, size_t *at,
                   struct reqivo_request **ret_request)
{
    struct reqivo_request *request;
    int r = new_operation(session, RQV_OP_COOKIES_ADD, &request);
    size_t n = *at;

    if (r < 0)
        return r;
    while (r == 0 && n < count) {
        r = lines[n] ? rqv_request_add_text(request, RQV_STR(FIELD_COOKIE), rqv_str_from(lines[n])) : -EINVAL;
        n += r == 0;
    }
    if (r == REQIVO_E_LIMIT_HEAD && n > *at)
        r = 0; /* the next operation takes the rest */
    else if (r == REQIVO_E_LIMIT_HEAD || r == REQIVO_E_FIELD)
        r = REQIVO_E_COOKIE;
    if (r < 0) {
        reqivo_request_free(request);
        return r;
    }
    *at = n;
    *ret_request = request;
    return 0;
}

int reqivo_session_add_cookies(struct reqivo_session *session, const char *const lines[], size_t count)
{
    struct reqivo_request *request;
    int r = session && (lines || count == 0) ? 0 : -EINVAL;

    for (size_t at = 0; r == 0 && at < count;) {
        r = new_add(session, lines, count, &at, &request);
        if (r == 0) {
            session->jar->filled = true;
            r = rqv_operate_call(session->jar->client, request);
        }
    }
    return r;
}

static void run(const struct rqv_errand *errand, struct reqivo_client *client, int code)
{
    (void)client;
    ((reqivo_session_fn)errand->fn)(errand->object, code, errand->userdata);
}

int reqivo_session_add_cookies_async(struct reqivo_session *session, const char *const lines[], size_t count,
                                     reqivo_session_fn fn, void *userdata)
{
    struct reqivo_request *request;
    int r = session && lines && count > 0 && fn ? 0 : -EINVAL;

    if (r < 0)
        return r;
    struct rqv_errand *errand = rqv_errand_new(
        &(struct rqv_errand){.run = run, .fn = (void (*)(void))fn, .object = session, .userdata = userdata});
    if (!errand)
        return -ENOMEM;
    for (size_t at = 0; r == 0 && at < count;) {
        r = new_add(session, lines, count, &at, &request);
        if (r == 0)
            r = rqv_operate_submit(session->jar->client, request, errand);
        if (r == 0)
            session->jar->filled = true;
    }
    if (errand->left == 0) {
        free(errand);
        return r;
    }
    errand->code = r; /* what was started reports it */
    return 0;
}

struct listing {
    reqivo_cookie_fn fn;
    void *userdata;
};

static void on_row(size_t count, const char *const names[], const char *const values[], void *userdata)
{
    const struct listing *listing = userdata;

    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], FIELD_COOKIE) == 0)
            listing->fn(values[i], listing->userdata);
}

int reqivo_session_list_cookies(struct reqivo_session *session, reqivo_cookie_fn fn, void *userdata)
{
    struct listing listing = {fn, userdata};
    struct reqivo_request *request;
    int r = fn ? new_operation(session, RQV_OP_COOKIES_LIST, &request) : -EINVAL;

    if (r < 0)
        return r;
    request->on_row = on_row;
    request->stream_userdata = &listing;
    return rqv_operate_call(session->jar->client, request);
}

int reqivo_session_clear_cookies(struct reqivo_session *session)
{
    struct reqivo_request *request;
    int r = new_operation(session, RQV_OP_COOKIES_CLEAR, &request);

    if (r < 0)
        return r;
    r = rqv_operate_call(session->jar->client, request);
    if (r == 0)
        session->jar->filled = false;
    return r;
}

/* ---- files ---- */

static bool is_comment(const char *line)
{
    return line[0] == '\0' || (line[0] == '#' && strncmp(line, "#HttpOnly_", 10) != 0);
}

int reqivo_session_load_cookies(struct reqivo_session *session, const char *path)
{
    enum { BATCH = 100 };
    char *line = NULL, *lines[BATCH];
    size_t size = 0, count = 0;
    int saved = errno, r = 0;
    ssize_t n;

    if (!session || !path)
        return -EINVAL;
    FILE *file = fopen(path, "re");
    if (!file) {
        r = -errno;
        errno = saved;
        return r;
    }
    while (r == 0 && (n = getline(&line, &size, file)) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (is_comment(line))
            continue;
        lines[count] = strdup(line);
        if (!lines[count++])
            r = -ENOMEM;
        if (r == 0 && count == BATCH) {
            r = reqivo_session_add_cookies(session, (const char *const *)lines, count);
            while (count > 0)
                free(lines[--count]);
        }
    }
    if (r == 0 && ferror(file))
        r = -EIO;
    if (r == 0)
        r = reqivo_session_add_cookies(session, (const char *const *)lines, count);
    while (count > 0)
        free(lines[--count]);
    if (line)
        explicit_bzero(line, size);
    free(line);
    fclose(file);
    errno = saved;
    return r;
}

static void put_line(const char *line, void *userdata)
{
    FILE *file = userdata;

    fprintf(file, "%s\n", line);
}

/* Fills the new file: 0 or a code. */
static int write_cookies(struct reqivo_session *session, int fd)
{
    FILE *file = fdopen(fd, "w");

    if (!file) {
        int r = -errno;
        close(fd);
        return r;
    }
    fputs(FILE_HEAD, file);
    int r = reqivo_session_list_cookies(session, put_line, file);
    if (r == 0 && (fflush(file) != 0 || ferror(file)))
        r = errno ? -errno : -EIO;
    if (fclose(file) != 0 && r == 0)
        r = -errno;
    return r;
}

int reqivo_session_save_cookies(struct reqivo_session *session, const char *path)
{
    int saved = errno;

    if (!session || !path)
        return -EINVAL;
    size_t len = strlen(path);
    char *beside = malloc(len + sizeof ".XXXXXX");
    if (!beside)
        return -ENOMEM;
    memcpy(beside, path, len);
    memcpy(beside + len, ".XXXXXX", sizeof ".XXXXXX");
    int fd = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
    int r = fd < 0 ? -errno : write_cookies(session, fd);
    if (r == 0 && rename(beside, path) < 0)
        r = -errno;
    if (fd >= 0 && r < 0)
        unlink(beside);
    free(beside);
    errno = saved;
    return r;
}
