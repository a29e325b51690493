/* SPDX-License-Identifier: MIT */
/* driver_common - see driver_common.h. */
#include "tests/integration/driver_common.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t driver_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint32_t crc32_add(uint32_t crc, const unsigned char *bytes, size_t size)
{
    static uint32_t table[256];

    if (!table[1])
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t c = n;
            for (int k = 0; k < 8; k++)
                c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
            table[n] = c;
        }
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

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
    job->crc = crc32_add(job->crc, bytes, size);
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

/* ---- reading descriptions ---- */

static int hex(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xHH becomes the byte; in place. */
static size_t unescape(char *text)
{
    char *out = text;

    for (const char *in = text; *in; in++) {
        if (in[0] == '\\' && in[1] == 'x' && hex(in[2]) >= 0 && hex(in[3]) >= 0) {
            *out++ = (char)(hex(in[2]) * 16 + hex(in[3]));
            in += 3;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

static char *word(char **rest)
{
    char *at = *rest;

    *rest += strcspn(*rest, " ");
    if (**rest)
        *(*rest)++ = '\0';
    return at;
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static int set_memory(struct job *job, char *rest, bool view)
{
    size_t size = unescape(rest);

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
    const char *kind = word(&rest);

    if (strcmp(kind, "memory") == 0 || strcmp(kind, "view") == 0)
        return set_memory(job, rest, kind[0] == 'v');
    if (strcmp(kind, "fill") == 0)
        return set_fill(job, number(rest));
    if (strcmp(kind, "file") == 0)
        return set_file(job, rest);
    if (strcmp(kind, "callback") != 0 && strcmp(kind, "chunked") != 0)
        return -EINVAL;
    job->source_size = number(word(&rest));
    uint64_t length = *rest ? number(rest) : job->source_size;
    if (kind[1] == 'h')
        length = REQIVO_LENGTH_UNKNOWN;
    return reqivo_request_set_body_callback(job->request, source_read, job, length);
}

static int set_timeout(struct job *job, char *rest)
{
    static const char *const names[] = {"queue", "connect", "tls", "first", "stall", "total"};
    const char *name = word(&rest);

    for (int i = 0; i < 6; i++)
        if (strcmp(name, names[i]) == 0)
            return reqivo_request_set_timeout(job->request, i, (uint32_t)number(rest));
    return -EINVAL;
}

static int set_field(struct job *job, char *rest)
{
    char *name = word(&rest);

    unescape(name);
    unescape(rest);
    return reqivo_request_add_field(job->request, name, rest);
}

/* Options that concern the response; -ENOENT: it is none of them. */
static int set_response_option(struct job *job, const char *key, char *rest)
{
    if (strcmp(key, "stream") == 0)
        job->stream = true;
    else if (strcmp(key, "stop-after") == 0)
        job->stop_after = number(rest);
    else if (strcmp(key, "pause-after") == 0) {
        job->pause_after = number(word(&rest));
        job->pause_ms = number(rest);
    } else if (strcmp(key, "cancel-at-head") == 0)
        job->cancel_at_head = true;
    else if (strcmp(key, "cancel-after") == 0)
        job->cancel_after_ms = number(rest);
    else if (strcmp(key, "max") == 0)
        return reqivo_request_set_max_body(job->request, number(rest));
    else
        return -ENOENT;
    return 0;
}

static int set_option(struct job *job, const char *key, char *rest)
{
    int on = rest[0] == '1';
    int rc = set_response_option(job, key, rest);

    if (rc != -ENOENT)
        return rc;
    if (strcmp(key, "field") == 0)
        return set_field(job, rest);
    if (strcmp(key, "body") == 0)
        return set_body(job, rest);
    if (strcmp(key, "timeout") == 0)
        return set_timeout(job, rest);
    if (strcmp(key, "verify") == 0)
        return reqivo_request_set_verify(job->request, on);
    if (strcmp(key, "ca") == 0)
        return reqivo_request_set_ca_file(job->request, rest);
    if (strcmp(key, "idempotent") == 0)
        return reqivo_request_set_idempotent(job->request, on);
    if (strcmp(key, "fresh") == 0)
        return reqivo_request_set_fresh(job->request, on);
    if (strcmp(key, "expect") == 0)
        return reqivo_request_set_expect(job->request, on);
    if (strcmp(key, "begun") == 0)
        return reqivo_request_set_begun(job->request, on);
    if (strcmp(key, "redirects") == 0)
        return reqivo_request_set_redirects(job->request, (unsigned)number(rest));
    if (strcmp(key, "redirect-policy") == 0)
        return reqivo_request_set_redirect_policy(job->request, (unsigned)number(rest));
    if (strcmp(key, "decode") == 0)
        return reqivo_request_set_decode(job->request, on);
    if (strcmp(key, "source-again") == 0)
        job->source_again = number(rest);
    else if (strcmp(key, "source-fail") == 0)
        job->source_fail = true;
    else
        return -EINVAL;
    return 0;
}

static void choose_session(struct driver *driver, const char *name)
{
    driver->session = NULL;
    if (strcmp(name, "-") == 0)
        return;
    for (struct driver_session *at = driver->sessions; at && !driver->session; at = at->next)
        if (strcmp(at->name, name) == 0)
            driver->session = at;
    if (driver->session)
        return;
    struct driver_session *made = calloc(1, sizeof *made);
    if (!made || reqivo_session_new(driver->client, &made->session) < 0) {
        perror("driver");
        exit(4);
    }
    snprintf(made->name, sizeof made->name, "%s", name);
    made->next = driver->sessions;
    driver->sessions = driver->session = made;
}

static void begin(struct driver *driver, char *rest)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job) {
        perror("driver");
        exit(4);
    }
    snprintf(job->tag, sizeof job->tag, "%s", word(&rest));
    char *method = word(&rest);
    unescape(method);
    unescape(rest);
    job->client = driver->client;
    job->stop_after = job->pause_after = job->unpause_at_ms = DRIVER_NEVER;
    job->resume_at_ms = job->cancel_at_ms = DRIVER_NEVER;
    job->build_error = driver->session
                           ? reqivo_session_request(driver->session->session, method, rest, &job->request)
                           : reqivo_request_new(method, rest, &job->request);
    snprintf(job->build_step, sizeof job->build_step, "new");
    job->next = driver->jobs;
    driver->jobs = driver->job = job;
}

static void option(struct job *job, const char *key, char *rest)
{
    if (!job || job->build_error)
        return;
    job->build_error = set_option(job, key, rest);
    if (job->build_error)
        snprintf(job->build_step, sizeof job->build_step, "%s", key);
}

static enum driver_verb finish(struct job *job)
{
    if (job->stream && !job->build_error)
        job->build_error = reqivo_request_set_stream(job->request, stream_head, stream_body, job);
    if (job->cancel_after_ms)
        job->cancel_at_ms = driver_now_ms() + job->cancel_after_ms;
    return DRIVER_START;
}

enum driver_verb driver_read(struct driver *driver)
{
    static char *line;
    static size_t size;

    for (;;) {
        ssize_t len = getline(&line, &size, stdin);
        if (len < 0) {
            free(line);
            line = NULL;
            return DRIVER_END_OF_INPUT;
        }
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        char *rest = line;
        const char *key = word(&rest);
        if (strcmp(key, "request") == 0)
            begin(driver, rest);
        else if (strcmp(key, "end") == 0 && driver->job)
            return finish(driver->job);
        else if (strcmp(key, "session") == 0)
            choose_session(driver, rest);
        else if (strcmp(key, "run") == 0)
            return DRIVER_RUN;
        else if (strcmp(key, "window") == 0) {
            driver->window = (size_t)number(rest);
            return DRIVER_WINDOW;
        } else if (strcmp(key, "note") == 0) {
            snprintf(driver->note, sizeof driver->note, "%s", rest);
            return DRIVER_NOTE;
        } else
            option(driver->job, key, rest);
    }
}

/* ---- printing results ---- */

static void print_string(const char *name, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    printf("%s\"", name);
    for (size_t i = 0; i < size; i++) {
        if (at[i] < 0x20 || at[i] >= 0x7f || at[i] == '"' || at[i] == '\\')
            printf("\\u%04x", at[i]);
        else
            putchar(at[i]);
    }
    putchar('"');
}

static void print_text(const char *name, const char *text)
{
    print_string(name, text, strlen(text));
}

static void print_fields(const struct reqivo_response *response, bool trailers)
{
    size_t count = trailers ? reqivo_response_trailer_count(response) : reqivo_response_field_count(response);
    const char *name, *value;

    printf(",\"%s\":[", trailers ? "trailers" : "fields");
    for (size_t i = 0; i < count; i++) {
        int rc = trailers ? reqivo_response_trailer_at(response, i, &name, &value)
                          : reqivo_response_field_at(response, i, &name, &value);
        if (rc < 0)
            continue;
        print_text(i ? ",[" : "[", name);
        print_text(",", value);
        putchar(']');
    }
    putchar(']');
}

static void print_body(const struct job *job, const struct reqivo_response *response)
{
    const unsigned char *body = job->stream ? job->kept : reqivo_response_body(response);
    uint64_t size = job->stream ? job->streamed : reqivo_response_body_size(response);
    uint32_t crc = job->stream ? job->crc : crc32_add(0, body, body ? (size_t)size : 0);

    printf(",\"length\":%" PRIu64 ",\"crc\":%" PRIu32 ",\"heads\":%u", size, crc, job->heads);
    print_string(",\"body\":", body, body ? (size_t)(size < DRIVER_KEEP ? size : DRIVER_KEEP) : 0);
}

static void print_hops(const struct reqivo_response *response)
{
    print_text(",\"url\":", reqivo_response_url(response));
    print_text(",\"method\":", reqivo_response_method(response));
    printf(",\"hops\":[");
    for (size_t i = 0; i < reqivo_response_hop_count(response); i++) {
        printf("%s[%d,", i ? "," : "", reqivo_response_hop_status(response, i));
        print_text("", reqivo_response_hop_method(response, i));
        print_text(",", reqivo_response_hop_url(response, i));
        printf(",%" PRIu64 "]", reqivo_response_hop_time_us(response, i, REQIVO_TIME_TOTAL));
    }
    putchar(']');
}

static void print_response(const struct job *job, const struct reqivo_response *response)
{
    int code = reqivo_response_error(response);

    print_text(",\"error\":", code ? reqivo_error_name(code) : "");
    print_text(",\"class\":", reqivo_class_name(reqivo_error_class(code)));
    print_text(",\"phase\":", reqivo_phase_name(reqivo_response_phase(response)));
    printf(",\"code\":%d,\"errno\":%d,\"sent\":%d", code, reqivo_response_errno(response),
           reqivo_response_sent(response));
    print_text(",\"detail\":", reqivo_response_detail(response));
    print_text(",\"address\":", reqivo_response_address(response));
    printf(",\"status\":%d,\"minor\":%d", reqivo_response_status(response), reqivo_response_minor(response));
    print_text(",\"reason\":", reqivo_response_reason(response));
    printf(",\"content_length\":%" PRId64 ",\"reused\":%d,\"retried\":%d",
           reqivo_response_content_length(response), reqivo_response_reused(response),
           reqivo_response_retried(response));
    printf(",\"time_us\":[");
    for (int i = 0; i <= REQIVO_TIME_CALL; i++)
        printf("%s%" PRIu64, i ? "," : "", reqivo_response_time_us(response, i));
    putchar(']');
    print_fields(response, false);
    print_fields(response, true);
    print_hops(response);
    print_body(job, response);
}

void driver_report(struct driver *driver, struct job *job, const struct reqivo_response *response)
{
    if (job->completions++ > 0)
        driver->twice++;
    print_text("{\"tag\":", job->tag);
    if (response) {
        driver->completed++;
        print_response(job, response);
    } else {
        print_text(",\"error\":", reqivo_error_name(job->build_error));
        print_text(",\"class\":", reqivo_class_name(reqivo_error_class(job->build_error)));
        print_text(",\"step\":", job->build_step);
        printf(",\"code\":%d,\"sent\":0,\"status\":0", job->build_error);
    }
    printf(",\"completions\":%u}\n", job->completions);
    fflush(stdout);
}

void driver_note(const struct driver *driver)
{
    print_text("{\"note\":", driver->note);
    printf("}\n");
    fflush(stdout);
}

/* ---- begin and end ---- */

int driver_open(struct driver *driver, int argc, char **argv)
{
    const char *path = argc > 1 && strcmp(argv[1], "-") != 0 ? argv[1] : NULL;
    int rc = reqivo_open(path, &driver->client);

    driver->window = SIZE_MAX;
    if (rc == 0)
        return 0;
    char why[1024];
    reqivo_open_error(path, why, sizeof why);
    print_text("{\"open\":", reqivo_error_name(rc));
    print_text(",\"class\":", reqivo_class_name(reqivo_error_class(rc)));
    print_text(",\"detail\":", why);
    printf("}\n");
    return 3;
}

int driver_close(struct driver *driver)
{
    size_t pending = reqivo_client_pending(driver->client);

    while (driver->sessions) {
        struct driver_session *first = driver->sessions;
        driver->sessions = first->next;
        reqivo_session_free(first->session);
        free(first);
    }
    reqivo_close(driver->client);
    printf("{\"summary\":1,\"submitted\":%u,\"completed\":%u,\"twice\":%u,\"pending\":%zu}\n",
           driver->submitted, driver->completed, driver->twice, pending);
    while (driver->jobs) {
        struct job *job = driver->jobs;
        driver->jobs = job->next;
        reqivo_request_free(job->request);
        free(job->view);
        free(job);
    }
    return driver->twice || driver->submitted != driver->completed ? 1 : 0;
}
