/* SPDX-License-Identifier: MIT */
/*
 * log - owns the ring of lines that wait, and the thread that writes them (log_out.c).
 *
 *   ring:   [record text fields][record text fields]   free   [record text fields]...
 *                                                    ^tail    ^head             wraps round byte by byte
 *
 * log_write() formats on the caller's stack, copies into the ring under a mutex and never waits for a write.
 * The thread copies one line out under the mutex and writes it without. A line that does not fit is counted;
 * the count is written when there is room. Access lines, of which one user can make any number, leave a
 * quarter of the ring to all others. Before log_start() and after log_stop() lines go straight to standard
 * error.
 *
 * A log has no handle: its state is the file's own, and the level is the one variable that others see.
 */
#include "daemon/base/log.h"

#include "common/uninit.h"
#include "daemon/base/log_out.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define RING_BYTES     ((size_t)128 * 1024)
#define RING_ACCESS    (RING_BYTES / 4 * 3)
#define STOP_WAIT_MS   1000 /* how long a reader that does not read may hold up the end */
#define SECOND_US      UINT64_C(1000000)

enum log_level log_level_now = LOG_LEVEL_INFO;

struct record {
    uint16_t len, fields;
    uint8_t level, id;
};

enum lost { LOST_LINES, LOST_ACCESS, LOST_KINDS };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running; /* the thread exists; changed by log_start and log_stop only */
    bool stopping;
    bool detached, journal;
    int stop_left_ms; /* the thread's own */
    size_t head, used;
    uint64_t lost[LOST_KINDS];
    uint8_t *ring;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

int log_level_from_name(const char *name)
{
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
        if (strcmp(name, log_level_name((enum log_level)level)) == 0)
            return level;
    return -EINVAL;
}

void log_set_level(enum log_level level)
{
    log_level_now = level;
}

void log_detach(void)
{
    state.detached = true;
}

/* ---- writing ---- */

static bool stopping_now(void)
{
    bool stopping;

    pthread_mutex_lock(&state.lock);
    stopping = state.stopping;
    pthread_mutex_unlock(&state.lock);
    return stopping;
}

/* Standard error is shared with others, so it is not made non-blocking: a descriptor that polls writable
 * takes a line without blocking. Who reads too slowly can hold up the end for STOP_WAIT_MS in all. */
static bool stderr_ready(void)
{
    struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

    while (state.stop_left_ms > 0) {
        int rc = poll(&pfd, 1, 50);

        if (rc > 0)
            return true;
        if (rc < 0 && errno != EINTR)
            return false;
        if (stopping_now())
            state.stop_left_ms -= 50;
    }
    return false;
}

static void write_line(const struct log_line *line)
{
    if (state.journal)
        log_out_journal(line);
    if ((state.detached ? line->level <= LOG_LEVEL_ERROR : !state.journal) && stderr_ready())
        log_out_stderr(line);
}

static void write_lost(const uint64_t lost[LOST_KINDS])
{
    static const char *const what[LOST_KINDS] = {"lines", "access lines"};

    for (int kind = 0; kind < LOST_KINDS; kind++) {
        char text[96];
        struct log_line line = {.level = LOG_LEVEL_WARNING, .id = LOG_ID_LOST, .text = text};

        if (lost[kind] == 0)
            continue;
        line.text_len = (size_t)snprintf(text, sizeof text, "log: %llu %s did not fit and are lost",
                                         (unsigned long long)lost[kind], what[kind]);
        write_line(&line);
    }
}

/* ---- the ring; under the lock ---- */

static void ring_put(const void *bytes, size_t n)
{
    size_t tail = (state.head + state.used) % RING_BYTES;
    size_t first = n < RING_BYTES - tail ? n : RING_BYTES - tail;

    memcpy(state.ring + tail, bytes, first);
    memcpy(state.ring, (const uint8_t *)bytes + first, n - first);
    state.used += n;
}

static void ring_take(void *bytes, size_t n)
{
    size_t first = n < RING_BYTES - state.head ? n : RING_BYTES - state.head;

    memcpy(bytes, state.ring + state.head, first);
    memcpy((uint8_t *)bytes + first, state.ring, n - first);
    state.head = (state.head + n) % RING_BYTES;
    state.used -= n;
    if (state.used == 0)
        state.head = 0; /* a log that is read touches few pages */
}

/* ---- the thread ---- */

static bool has_lost(void)
{
    return state.lost[LOST_LINES] > 0 || state.lost[LOST_ACCESS] > 0;
}

static void *thread_main(void *argument)
{
    char text[LINE_MAX_BYTES + LOG_FIELDS_MAX];
    struct record record;
    uint64_t lost[LOST_KINDS];

    (void)argument;
    pthread_mutex_lock(&state.lock);
    for (;;) {
        while (!state.used && !has_lost() && !state.stopping)
            pthread_cond_wait(&state.wake, &state.lock);
        if (!state.used && !has_lost())
            break;
        record = (struct record){.len = 0};
        memset(lost, 0, sizeof lost);
        if (state.used) {
            ring_take(&record, sizeof(record));
            ring_take(text, (size_t)record.len + record.fields);
        } else { /* said after the lines that did fit */
            memcpy(lost, state.lost, sizeof lost);
            memset(state.lost, 0, sizeof state.lost);
        }
        pthread_mutex_unlock(&state.lock);
        const struct log_line line = {.level = (enum log_level)record.level,
                                      .id = (enum log_id)record.id,
                                      .text = text,
                                      .text_len = record.len,
                                      .fields = text + record.len,
                                      .fields_len = record.fields};
        if (record.len)
            write_line(&line);
        write_lost(lost);
        pthread_mutex_lock(&state.lock);
    }
    pthread_mutex_unlock(&state.lock);
    return NULL;
}

int log_start(enum log_level level)
{
    sigset_t all, old;
    int rc;

    log_level_now = level;
    if (state.running)
        return 0;
    state.ring = malloc(RING_BYTES);
    if (!state.ring)
        return -ENOMEM;
    state.head = state.used = 0;
    memset(state.lost, 0, sizeof state.lost);
    state.stopping = false;
    state.stop_left_ms = STOP_WAIT_MS;
    state.journal = log_journal_is_stderr() || (state.detached && log_journal_answers());
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop's; a broken pipe is EPIPE here */
    rc = pthread_create(&state.thread, NULL, thread_main, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        free(state.ring);
        state.ring = NULL;
        return -rc;
    }
    state.running = true;
    return 0;
}

void log_stop(void)
{
    if (!state.running)
        return;
    pthread_mutex_lock(&state.lock);
    state.stopping = true;
    pthread_cond_signal(&state.wake);
    pthread_mutex_unlock(&state.lock);
    pthread_join(state.thread, NULL);
    state.running = false;
    free(state.ring);
    state.ring = NULL;
}

/* ---- the callers' side ---- */

/* What strangers wrote may be in a line: nothing but printable ASCII gets through as it is. In a field
 * neither blank nor quote does, so that a line of fields can be taken apart again. */
static size_t escape(const char *text, bool field, char *out, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p && n + 4 <= size; p++) {
        bool plain = *p >= 0x20 && *p < 0x7f && *p != '\\';

        if (plain && !(field && (*p == ' ' || *p == '"' || *p == '\''))) {
            out[n++] = (char)*p;
        } else if (*p == '\\') {
            out[n++] = '\\';
            out[n++] = '\\';
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[*p >> 4];
            out[n++] = hex[*p & 15];
        }
    }
    return n;
}

void log_field(struct log_fields *fields, const char *name, const char *format, ...)
{
    char value[LOG_FIELDS_MAX] RQV_UNINIT, safe[4 * LOG_FIELDS_MAX] RQV_UNINIT;
    size_t left = sizeof fields->text - fields->len;
    size_t name_len = strlen(name), len;
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    len = escape(value, true, safe, sizeof safe);
    if (sizeof LOG_PREFIX - 1 + name_len + 1 + len + 1 > left)
        return;
    char *at = fields->text + fields->len;
    memcpy(at, LOG_PREFIX, sizeof LOG_PREFIX - 1);
    at += sizeof LOG_PREFIX - 1;
    memcpy(at, name, name_len);
    at += name_len;
    *at++ = '=';
    memcpy(at, safe, len);
    at += len;
    *at++ = '\n';
    fields->len = (size_t)(at - fields->text);
}

/* Until a gap is said no line of its kind is taken, so that the count stands where the gap is. */
static void ring_line(const struct log_line *line)
{
    struct record record = {.len = (uint16_t)line->text_len,
                            .fields = (uint16_t)line->fields_len,
                            .level = (uint8_t)line->level,
                            .id = (uint8_t)line->id};
    enum lost kind = line->id == LOG_ID_ACCESS ? LOST_ACCESS : LOST_LINES;
    size_t size = sizeof record + line->text_len + line->fields_len;

    pthread_mutex_lock(&state.lock);
    if (state.lost[kind] || state.used + size > (kind == LOST_ACCESS ? RING_ACCESS : RING_BYTES)) {
        state.lost[kind]++;
    } else {
        ring_put(&record, sizeof record);
        ring_put(line->text, line->text_len);
        if (line->fields_len > 0)
            ring_put(line->fields, line->fields_len);
    }
    pthread_cond_signal(&state.wake);
    pthread_mutex_unlock(&state.lock);
}

static void put(const struct log_line *about, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void put(const struct log_line *about, const char *format, va_list args)
{
    char text[LINE_MAX_BYTES] RQV_UNINIT, safe[LINE_MAX_BYTES] RQV_UNINIT;
    struct log_line line = *about;

    vsnprintf(text, sizeof(text), format, args);
    line.text = safe;
    line.text_len = escape(text, false, safe, sizeof(safe));
    if (!state.running)
        log_out_stderr(&line);
    else if (line.text_len)
        ring_line(&line);
}

void log_write(enum log_level level, const char *format, ...)
{
    struct log_line line = {.level = level};
    va_list args;

    va_start(args, format);
    put(&line, format, args);
    va_end(args);
}

void log_put(enum log_level level, enum log_id id, const struct log_fields *fields, const char *format, ...)
{
    struct log_line line = {.level = level, .id = id};
    va_list args;

    if (fields) {
        line.fields = fields->text;
        line.fields_len = fields->len;
    }
    va_start(args, format);
    put(&line, format, args);
    va_end(args);
}

bool log_rate_pass(struct log_rate *rate, unsigned uid, uint64_t now_us)
{
    struct log_fields fields;
    uint64_t held = rate->held;

    if (rate->said_us + LOG_RATE_BURST * SECOND_US < now_us || rate->said_us == 0)
        rate->said_us = now_us > LOG_RATE_BURST * SECOND_US ? now_us - LOG_RATE_BURST * SECOND_US : 1;
    if (rate->said_us + SECOND_US > now_us) {
        rate->held++;
        return false;
    }
    rate->said_us += SECOND_US;
    rate->held = 0;
    if (held == 0)
        return true;
    log_fields_init(&fields);
    log_field(&fields, "UID", "%u", uid);
    log_field(&fields, "COUNT", "%llu", (unsigned long long)held);
    log_event(LOG_LEVEL_WARNING, LOG_ID_LOST, &fields,
              "log: %llu more lines about uid %u were not written, to leave room for others",
              (unsigned long long)held, uid);
    return true;
}
