/* SPDX-License-Identifier: MIT */
/*
 * log - owns the ring of lines that wait, and the thread that writes them.
 *
 *   ring:   [level len text][level len text]   free   [level len text]...
 *                                          ^tail      ^head             records wrap round byte by byte
 *
 * log_write() formats on the caller's stack, copies into the ring under a mutex and never waits for a write.
 * The thread copies one line out under the mutex and writes it without. A line that does not fit is counted;
 * the count is written when there is room. Before log_start() and after log_stop() lines go straight to
 * standard error.
 *
 * A log has no handle: its state is the file's own, and the level is the one variable that others see.
 */
#include "daemon/base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LINE_MAX_BYTES 1024
#define RING_BYTES     ((size_t)64 * 1024)
#define STOP_WAIT_MS   1000 /* how long a reader that does not read may hold up the end */

enum log_level log_level_now = LOG_LEVEL_INFO;

struct record {
    uint16_t len;
    uint16_t level;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running; /* the thread exists; changed by log_start and log_stop only */
    bool stopping;
    bool journal;
    int stop_left_ms; /* the thread's own */
    size_t head, used;
    uint64_t lost;
    uint8_t *ring;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

int log_level_from_name(const char *name)
{
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
        if (strcmp(name, level_names[level]) == 0)
            return level;
    return -EINVAL;
}

void log_set_level(enum log_level level)
{
    log_level_now = level;
}

/* ---- writing ---- */

/* systemd names the journal's stream in the environment; standard error is the journal when it is that very
 * file. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &st) < 0)
        return false;
    return st.st_dev == device && st.st_ino == inode;
}

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

static void write_stderr(enum log_level level, const char *text, size_t len)
{
    char line[LINE_MAX_BYTES + 32];
    int n = snprintf(line, sizeof(line), "reqivod: %s: %.*s\n", level_names[level], (int)len, text);
    size_t at = 0, total = n < 0 ? 0 : (size_t)n;

    while (at < total) {
        ssize_t done = write(STDERR_FILENO, line + at, total - at);

        if (done < 0 && errno != EINTR)
            return; /* there is nobody to tell */
        at += done > 0 ? (size_t)done : 0;
    }
}

static void write_line(enum log_level level, const char *text, size_t len)
{
    if (state.journal)
        sd_journal_send("MESSAGE=%.*s", (int)len, text, "PRIORITY=%d", (int)level,
                        "SYSLOG_IDENTIFIER=reqivod", NULL);
    else if (stderr_ready())
        write_stderr(level, text, len);
}

static void write_lost(uint64_t lost)
{
    char text[96];
    int n =
        snprintf(text, sizeof(text), "log: %llu lines did not fit and are lost", (unsigned long long)lost);

    write_line(LOG_LEVEL_WARNING, text, (size_t)n);
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
}

/* ---- the thread ---- */

static void *thread_main(void *argument)
{
    char text[LINE_MAX_BYTES];
    struct record record;
    uint64_t lost;

    (void)argument;
    pthread_mutex_lock(&state.lock);
    for (;;) {
        while (!state.used && !state.lost && !state.stopping)
            pthread_cond_wait(&state.wake, &state.lock);
        if (!state.used && !state.lost)
            break;
        record.len = 0;
        if (state.used) {
            ring_take(&record, sizeof(record));
            ring_take(text, record.len);
        }
        lost = state.used ? 0 : state.lost; /* said after the lines that did fit */
        state.lost -= lost;
        pthread_mutex_unlock(&state.lock);
        if (record.len)
            write_line((enum log_level)record.level, text, record.len);
        if (lost)
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
    state.lost = 0;
    state.stopping = false;
    state.stop_left_ms = STOP_WAIT_MS;
    state.journal = stderr_is_journal();
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

/* What strangers wrote may be in a line: nothing but printable ASCII gets through as it is. */
static size_t escape(const char *text, char *out, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p && n + 4 <= size; p++) {
        if (*p >= 0x20 && *p < 0x7f && *p != '\\') {
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

void log_write(enum log_level level, const char *format, ...)
{
    char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
    struct record record;
    va_list args;
    size_t len;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    len = escape(text, line, sizeof(line));
    if (!state.running) {
        write_stderr(level, line, len);
        return;
    }
    record = (struct record){.len = (uint16_t)len, .level = (uint16_t)level};
    pthread_mutex_lock(&state.lock);
    if (len && !state.lost && sizeof(record) + len <= RING_BYTES - state.used) {
        ring_put(&record, sizeof(record));
        ring_put(line, len);
    } else if (len) {
        state.lost++; /* until this is said no line is taken, so that the count stands where the gap is */
    }
    pthread_cond_signal(&state.wake);
    pthread_mutex_unlock(&state.lock);
}
