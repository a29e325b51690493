/* SPDX-License-Identifier: MIT */
/* driver_request - the lines of a request's description: its options, the sources of its body, where its
 * response goes. */
#include "tests/integration/driver_common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fill(unsigned char *bytes, size_t size, uint64_t offset)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((offset + i) % 251);
}

/* ---- callbacks ---- */

static long source_read(void *buffer, size_t size, void *userdata)
{
    struct job *job = userdata;
    uint64_t left = job->source_size - job->source_at;

    if (job->source_again && ++job->source_calls % job->source_again == 0) {
        job->resume_at_ms = driver_now_ms() + 20;
        return -EAGAIN;
    }
    if (left == 0)
        return job->source_fail ? -EIO : 0;
    if (size > left)
        size = (size_t)left;
    if (size > 50000)
        size = 50000;
    fill(buffer, size, job->source_at);
    job->source_at += size;
    return (long)size;
}

static int stream_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    struct job *job = userdata;

    job->heads++;
    job->head_status = reqivo_response_status(response);
    if (job->cancel_at_head && reqivo_cancel(client, reqivo_response_id(response)) < 0)
        job->head_status = -1;
    return 0;
}

static int stream_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    struct job *job = userdata;

    (void)client;
    if (job->streamed < DRIVER_KEEP) {
        size_t room = DRIVER_KEEP - (size_t)job->streamed;
        memcpy(job->kept + job->streamed, bytes, size < room ? size : room);
    }
    job->crc = driver_crc32(job->crc, bytes, size);
    job->streamed += size;
    if (job->streamed >= job->stop_after)
        return -1;
    if (job->streamed >= job->pause_after) {
        job->pause_after = DRIVER_NEVER;
        job->unpause_at_ms = job->pause_ms ? driver_now_ms() + job->pause_ms : DRIVER_NEVER;
        return REQIVO_PAUSE;
    }
    return 0;
}

static int save_progress(struct reqivo_client *client, uint64_t received, int64_t total, void *userdata)
{
    struct job *job = userdata;

    (void)client;
    job->progress_calls++;
    job->progress_back |= received < job->progress_last;
    job->progress_last = received;
    job->progress_total = total;
    return received >= job->save_stop ? -1 : 0;
}

/* ---- options ---- */

static int set_memory(struct job *job, char *rest, bool view)
{
    size_t size = driver_unescape(rest);

    if (!view)
        return reqivo_request_set_body(job->request, rest, size);
    job->view = malloc(size + 1);
    if (!job->view)
        return -ENOMEM;
    memcpy(job->view, rest, size);
    return reqivo_request_set_body_view(job->request, job->view, size);
}

static int set_fill(struct job *job, uint64_t size)
{
    unsigned char *bytes = malloc((size_t)size + 1);

    if (!bytes)
        return -ENOMEM;
    fill(bytes, (size_t)size, 0);
    int rc = reqivo_request_set_body(job->request, bytes, (size_t)size);
    free(bytes);
    return rc;
}

static int set_file(struct job *job, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : reqivo_request_set_body_file(job->request, fd);

    if (fd >= 0)
        close(fd);
    return rc;
}

static int set_body(struct job *job, char *rest)
{
    const char *kind = driver_word(&rest);

    if (strcmp(kind, "memory") == 0 || strcmp(kind, "view") == 0)
        return set_memory(job, rest, kind[0] == 'v');
    if (strcmp(kind, "fill") == 0)
        return set_fill(job, driver_number(rest));
    if (strcmp(kind, "file") == 0)
        return set_file(job, rest);
    if (strcmp(kind, "callback") != 0 && strcmp(kind, "chunked") != 0)
        return -EINVAL;
    job->source_size = driver_number(driver_word(&rest));
    uint64_t length = *rest ? driver_number(rest) : job->source_size;
    if (kind[1] == 'h')
        length = REQIVO_LENGTH_UNKNOWN;
    return reqivo_request_set_body_callback(job->request, source_read, job, length);
}

int driver_timeout(const char *name)
{
    static const char *const names[] = {"queue", "connect", "tls", "first", "stall", "total"};

    for (int i = 0; i < 6; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

static int set_timeout(struct job *job, char *rest)
{
    int which = driver_timeout(driver_word(&rest));

    return which < 0 ? -EINVAL
                     : reqivo_request_set_timeout(job->request, which, (uint32_t)driver_number(rest));
}

static int add_field(struct job *job, char *rest)
{
    char *name = driver_word(&rest);

    driver_unescape(name);
    driver_unescape(rest);
    return reqivo_request_add_field(job->request, name, rest);
}

static int set_field(struct job *job, char *rest)
{
    char *name = driver_word(&rest);

    driver_unescape(rest);
    return reqivo_request_set_field(job->request, name, rest);
}

static int remove_field(struct job *job, char *rest)
{
    return reqivo_request_remove_field(job->request, rest) < 0 ? -EINVAL : 0;
}

static int set_ca(struct job *job, char *rest)
{
    return reqivo_request_set_ca_file(job->request, rest);
}

static int set_max(struct job *job, char *rest)
{
    return reqivo_request_set_max_body(job->request, driver_number(rest));
}

static int set_redirects(struct job *job, char *rest)
{
    return reqivo_request_set_redirects(job->request, (unsigned)driver_number(rest));
}

static int set_redirect_policy(struct job *job, char *rest)
{
    return reqivo_request_set_redirect_policy(job->request, (unsigned)driver_number(rest));
}

static int set_tls(struct job *job, char *rest)
{
    int min = (int)driver_number(driver_word(&rest));

    return reqivo_request_set_tls_versions(job->request, min, (int)driver_number(rest));
}

static int set_route(struct job *job, char *rest)
{
    return reqivo_request_set_route(job->request, rest);
}

static int set_connection(struct job *job, char *rest)
{
    struct driver_thing *thing = driver_thing_find(job->driver, rest);

    return reqivo_request_set_connection(job->request, thing ? thing->connection : NULL);
}

static int set_save(struct job *job, char *rest)
{
    return reqivo_request_set_save(job->request, rest, save_progress, job);
}

static int set_hook(struct job *job, char *rest)
{
    return driver_hooks_add(&job->hooks, rest);
}

static int set_store(struct job *job, char *rest)
{
    job->store = strdup(rest);
    return job->store ? 0 : -ENOMEM;
}

static int set_pause(struct job *job, char *rest)
{
    job->pause_after = driver_number(driver_word(&rest));
    job->pause_ms = driver_number(rest);
    return 0;
}

/* Lines of a word and one number, which is kept here. */
static bool keep_number(struct job *job, const char *key, uint64_t value)
{
    if (strcmp(key, "stop-after") == 0)
        job->stop_after = value;
    else if (strcmp(key, "cancel-after") == 0)
        job->cancel_after_ms = value;
    else if (strcmp(key, "source-again") == 0)
        job->source_again = value;
    else if (strcmp(key, "save-stop") == 0)
        job->save_stop = value;
    else if (strcmp(key, "stream") == 0)
        job->stream = true;
    else if (strcmp(key, "cancel-at-head") == 0)
        job->cancel_at_head = true;
    else if (strcmp(key, "source-fail") == 0)
        job->source_fail = true;
    else
        return false;
    return true;
}

int driver_request_option(struct job *job, const char *key, char *rest)
{
    static const struct {
        const char *key;
        int (*set)(struct job *job, char *rest);
    } lines[] = {
        {"field", add_field},       {"set-field", set_field},     {"no-field", remove_field},
        {"body", set_body},         {"timeout", set_timeout},     {"ca", set_ca},
        {"max", set_max},           {"redirects", set_redirects}, {"redirect-policy", set_redirect_policy},
        {"tls", set_tls},           {"route", set_route},         {"on", set_connection},
        {"save", set_save},         {"hook", set_hook},           {"store", set_store},
        {"pause-after", set_pause},
    };
    static const struct {
        const char *key;
        int (*set)(struct reqivo_request *request, int on);
    } switches[] = {
        {"verify", reqivo_request_set_verify}, {"idempotent", reqivo_request_set_idempotent},
        {"fresh", reqivo_request_set_fresh},   {"expect", reqivo_request_set_expect},
        {"begun", reqivo_request_set_begun},   {"decode", reqivo_request_set_decode},
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strcmp(key, lines[i].key) == 0)
            return lines[i].set(job, rest);
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (strcmp(key, switches[i].key) == 0)
            return switches[i].set(job->request, rest[0] == '1');
    return keep_number(job, key, driver_number(rest)) ? 0 : -EINVAL;
}

void driver_request_finish(struct job *job)
{
    if (job->stream && !job->build_error)
        job->build_error = reqivo_request_set_stream(job->request, stream_head, stream_body, job);
    if (job->hooks && !job->build_error)
        job->build_error = driver_hooks_on_request(job->hooks, job->request);
    if (job->cancel_after_ms)
        job->cancel_at_ms = driver_now_ms() + job->cancel_after_ms;
}
