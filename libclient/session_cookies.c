/* SPDX-License-Identifier: MIT */
/* session_cookies - the program's verbs on the jar of a session, which lies in the daemon. */
#include "libclient/newfile.h"
#include "libclient/operate.h"
#include "libclient/response.h"
#include "libclient/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        if (r == 0)
            r = rqv_operate_call(session->jar->client, request, NULL);
    }
    return r;
}

/* Several operations that are told as one: its end is the last one's, with the first failure. */
struct errand {
    reqivo_done_fn fn;
    void *userdata;
    size_t left;
    struct reqivo_response *failure; /* kept until the end */
    int code;                        /* of what could not be started */
};

static void on_part(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct errand *errand = userdata;

    if (--errand->left > 0) {
        if (!errand->failure && reqivo_response_error(response) < 0)
            errand->failure = response;
        else
            reqivo_response_free(response);
        return;
    }
    if (errand->failure) {
        reqivo_response_free(response);
        response = errand->failure;
    } else if (errand->code < 0 && response->err.code == 0) {
        rqv_err_set(&response->err, errand->code, REQIVO_PHASE_IPC, "%s", "not all cookies could be sent");
    }
    const struct errand over = *errand;
    free(errand);
    over.fn(client, response, over.userdata);
}

int reqivo_session_add_cookies_async(struct reqivo_session *session, const char *const lines[], size_t count,
                                     reqivo_done_fn fn, void *userdata)
{
    struct reqivo_request *request;
    int r = session && lines && count > 0 && fn ? 0 : -EINVAL;

    if (r < 0)
        return r;
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand)
        return -ENOMEM;
    errand->fn = fn;
    errand->userdata = userdata;
    for (size_t at = 0; r == 0 && at < count;) {
        r = new_add(session, lines, count, &at, &request);
        if (r == 0)
            r = rqv_operate_submit(session->jar->client, request, on_part, errand);
        if (r == 0)
            errand->left++;
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
    reqivo_done_fn done; /* NULL: it blocks */
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
    struct listing listing = {fn, NULL, userdata};
    struct reqivo_request *request;
    int r = fn ? new_operation(session, RQV_OP_COOKIES_LIST, &request) : -EINVAL;

    if (r < 0)
        return r;
    request->on_row = on_row;
    request->stream_userdata = &listing;
    return rqv_operate_call(session->jar->client, request, NULL);
}

static void on_listed(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    const struct listing over = *(struct listing *)userdata;

    free(userdata);
    over.done(client, response, over.userdata);
}

int reqivo_session_list_cookies_async(struct reqivo_session *session, reqivo_cookie_fn fn,
                                      reqivo_done_fn done, void *userdata)
{
    struct reqivo_request *request;
    int r = fn && done ? new_operation(session, RQV_OP_COOKIES_LIST, &request) : -EINVAL;

    if (r < 0)
        return r;
    struct listing *listing = malloc(sizeof *listing);
    if (!listing) {
        reqivo_request_free(request);
        return -ENOMEM;
    }
    *listing = (struct listing){fn, done, userdata};
    request->on_row = on_row;
    request->stream_userdata = listing;
    r = rqv_operate_submit(session->jar->client, request, on_listed, listing);
    if (r < 0)
        free(listing);
    return r;
}

int reqivo_session_clear_cookies(struct reqivo_session *session)
{
    struct reqivo_request *request;
    int r = new_operation(session, RQV_OP_COOKIES_CLEAR, &request);

    return r < 0 ? r : rqv_operate_call(session->jar->client, request, NULL);
}

int reqivo_session_clear_cookies_async(struct reqivo_session *session, reqivo_done_fn fn, void *userdata)
{
    struct reqivo_request *request;
    int r = fn ? new_operation(session, RQV_OP_COOKIES_CLEAR, &request) : -EINVAL;

    return r < 0 ? r : rqv_operate_submit(session->jar->client, request, fn, userdata);
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

    if (!session || !path)
        return -EINVAL;
    FILE *file = fopen(path, "re");
    if (!file) {
        r = -errno;
        errno = saved;
        return r;
    }
    while (r == 0 && getline(&line, &size, file) >= 0) {
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

struct saving {
    struct rqv_newfile file;
    int r;
};

static void put_line(const char *line, void *userdata)
{
    struct saving *saving = userdata;

    if (saving->r == 0)
        saving->r = rqv_newfile_write(&saving->file, line, strlen(line));
    if (saving->r == 0)
        saving->r = rqv_newfile_write(&saving->file, "\n", 1);
}

int reqivo_session_save_cookies(struct reqivo_session *session, const char *path)
{
    struct saving saving = {.r = 0};
    int saved = errno;

    if (!session || !path)
        return -EINVAL;
    int r = rqv_newfile_open(&saving.file, path, 0600);
    if (r == 0) {
        saving.r = rqv_newfile_write(&saving.file, FILE_HEAD, strlen(FILE_HEAD));
        r = reqivo_session_list_cookies(session, put_line, &saving);
        if (r == 0)
            r = saving.r;
        if (r == 0)
            r = rqv_newfile_commit(&saving.file);
        rqv_newfile_drop(&saving.file);
    }
    errno = saved;
    return r;
}
