/* SPDX-License-Identifier: MIT */
/* driver_common - see driver_common.h. */
#include "tests/integration/driver_common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t driver_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- lines ---- */

static int hex(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xHH becomes the byte; in place. */
size_t driver_unescape(char *text)
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

char *driver_word(char **rest)
{
    char *at = *rest;

    *rest += strcspn(*rest, " ");
    if (**rest)
        *(*rest)++ = '\0';
    return at;
}

uint64_t driver_number(const char *text)
{
    return strtoull(text, NULL, 10);
}

void *driver_new(size_t size)
{
    void *made = calloc(1, size);

    if (!made) {
        perror("driver");
        exit(4);
    }
    return made;
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
    struct driver_session *made = driver_new(sizeof *made);
    if (reqivo_session_new(driver->client, &made->session) < 0) {
        perror("driver");
        exit(4);
    }
    snprintf(made->name, sizeof made->name, "%s", name);
    made->next = driver->sessions;
    driver->sessions = driver->session = made;
}

static void begin(struct driver *driver, char *rest, bool helper)
{
    struct job *job = driver_new(sizeof *job);

    snprintf(job->tag, sizeof job->tag, "%s", driver_word(&rest));
    char *method = driver_word(&rest);
    driver_unescape(method);
    driver_unescape(rest);
    job->driver = driver;
    job->client = driver->client;
    job->stop_after = job->pause_after = job->unpause_at_ms = job->save_stop = DRIVER_NEVER;
    job->resume_at_ms = job->cancel_at_ms = DRIVER_NEVER;
    if (driver->session) {
        job->session = driver->session->session;
        job->session_hooks = driver->session->hooks;
    }
    if (helper)
        driver_helper_begin(job, method, rest);
    else
        job->build_error = job->session ? reqivo_session_request(job->session, method, rest, &job->request)
                                        : reqivo_request_new(method, rest, &job->request);
    snprintf(job->build_step, sizeof job->build_step, "new");
    job->next = driver->jobs;
    driver->jobs = driver->job = job;
}

static void option(struct job *job, const char *key, char *rest)
{
    if (!job || job->build_error)
        return;
    job->build_error =
        job->helper.method ? driver_helper_option(job, key, rest) : driver_request_option(job, key, rest);
    if (job->build_error)
        snprintf(job->build_step, sizeof job->build_step, "%s", key);
}

/* One line. True when the driver has to do something: *ret_verb. */
static bool obey(struct driver *driver, char *line, enum driver_verb *ret_verb)
{
    char *rest = line;
    const char *key = driver_word(&rest);

    *ret_verb = DRIVER_OPERATE;
    if (strcmp(key, "request") == 0 || strcmp(key, "call") == 0)
        begin(driver, rest, key[0] == 'c');
    else if (strcmp(key, "end") == 0 && driver->job) {
        driver_request_finish(driver->job);
        *ret_verb = DRIVER_START;
        return true;
    } else if (strcmp(key, "acquire") == 0 || strcmp(key, "pool") == 0 || strcmp(key, "websocket") == 0)
        return driver_make(driver, key, rest);
    else if (strcmp(key, "operate") == 0)
        return driver_operate(driver, rest);
    else if (strcmp(key, "session") == 0)
        choose_session(driver, rest);
    else if (strcmp(key, "set") == 0)
        driver_set(driver, rest);
    else if (strcmp(key, "run") == 0) {
        *ret_verb = DRIVER_RUN;
        return true;
    } else if (strcmp(key, "window") == 0) {
        driver->window = (size_t)driver_number(rest);
        *ret_verb = DRIVER_WINDOW;
        return true;
    } else if (strcmp(key, "note") == 0) {
        snprintf(driver->note, sizeof driver->note, "%s", rest);
        *ret_verb = DRIVER_NOTE;
        return true;
    } else
        option(driver->job, key, rest);
    return false;
}

enum driver_verb driver_read(struct driver *driver)
{
    static char *line;
    static size_t size;
    enum driver_verb verb;

    for (;;) {
        ssize_t len = getline(&line, &size, stdin);
        if (len < 0) {
            free(line);
            line = NULL;
            return DRIVER_END_OF_INPUT;
        }
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (obey(driver, line, &verb))
            return verb;
    }
}

/* ---- begin and end ---- */

int driver_open(struct driver *driver, int argc, char **argv)
{
    const char *path = argc > 1 && strcmp(argv[1], "-") != 0 ? argv[1] : NULL;
    bool start = getenv("REQIVO_START");
    char why[1024] = "";
    int rc = start ? reqivo_open_flags(path, REQIVO_OPEN_START, why, sizeof why, &driver->client)
                   : reqivo_open(path, &driver->client);

    driver->window = SIZE_MAX;
    if (rc == 0)
        return 0;
    if (!start)
        reqivo_open_error(path, why, sizeof why);
    driver_print_text("{\"open\":", reqivo_error_name(rc));
    driver_print_text(",\"class\":", reqivo_class_name(reqivo_error_class(rc)));
    driver_print_text(",\"detail\":", why);
    printf("}\n");
    return 3;
}

int driver_close(struct driver *driver)
{
    size_t pending = reqivo_client_pending(driver->client);

    driver_objects_free(driver);
    reqivo_close(driver->client);
    printf("{\"summary\":1,\"submitted\":%u,\"completed\":%u,\"twice\":%u,\"pending\":%zu,"
           "\"operated\":%u}\n",
           driver->submitted, driver->completed, driver->twice, pending, driver->operated);
    while (driver->jobs) {
        struct job *job = driver->jobs;
        driver->jobs = job->next;
        reqivo_request_free(job->request);
        driver_helper_free(&job->helper);
        free(job->view);
        free(job->hooks);
        free(job->store);
        free(job);
    }
    return driver->twice || driver->submitted != driver->completed ? 1 : 0;
}
