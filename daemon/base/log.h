/* SPDX-License-Identifier: MIT */
/*
 * log - the daemon's only voice: to the journal when standard error is the journal, else lines on standard
 * error. Never blocks the loop: lines go through a bounded ring to a writer thread; what does not fit is
 * counted and said later. Never bodies, query strings, Authorization or cookies; control bytes of foreign
 * text are escaped. The level is the one global.
 */
#ifndef DAEMON_BASE_LOG_H
#define DAEMON_BASE_LOG_H

#include "daemon/base/log_ids.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

/* Before log_start: nobody reads standard error for long. Lines go to the journal where one answers, and only
 * errors to standard error. */
void log_detach(void);
int log_start(enum log_level level); /* before other threads; 0 or -errno */
void log_stop(void);                 /* writes what waits */
void log_set_level(enum log_level level);
int log_level_from_name(const char *name); /* "error", "warning", "notice", "info", "debug"; -EINVAL */

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern enum log_level log_level_now;
#define log_at(level, ...)                                                                                   \
    do {                                                                                                     \
        if ((level) <= log_level_now)                                                                        \
            log_write((level), __VA_ARGS__);                                                                 \
    } while (0)
#define log_error(...)   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* ---- events: lines with a MESSAGE_ID and fields ---- */

#define LOG_FIELDS_MAX 1024
#define LOG_PREFIX     "REQIVO_" /* of the names of all fields in the journal */

struct log_fields {
    size_t len;
    char text[LOG_FIELDS_MAX]; /* "REQIVO_UID=1000\nREQIVO_PID=77\n"; not NUL-terminated */
};

static inline void log_fields_init(struct log_fields *fields)
{
    fields->len = 0;
}
/* Adds REQIVO_<name>; the value is escaped, so it holds no blank, quote or control byte. One that does not
 * fit is left out whole. */
void log_field(struct log_fields *fields, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line with fields, whatever the level is. On standard error the fields of LOG_ID_ACCESS are the line,
 * those of the others are not shown: the text says the same. `fields` may be NULL. */
void log_put(enum log_level level, enum log_id id, const struct log_fields *fields, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define log_event(level, id, fields, ...)                                                                    \
    do {                                                                                                     \
        if ((level) <= log_level_now)                                                                        \
            log_put((level), (id), (fields), __VA_ARGS__);                                                   \
    } while (0)

/* ---- rates: what one user can provoke is said LOG_RATE_BURST times at once, then once a second ---- */

#define LOG_RATE_BURST 10

struct log_rate {
    uint64_t said_us; /* the time that is paid for: a second a line */
    uint64_t held;    /* lines not said */
};
/* May a line about this uid be written now? Where some were not, their number is said first. */
bool log_rate_pass(struct log_rate *rate, unsigned uid, uint64_t now_us);

#endif
