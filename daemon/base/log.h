/* SPDX-License-Identifier: MIT */
/*
 * log - the daemon's only voice: to the journal when standard error is the journal, else lines on standard
 * error. Never blocks the loop: lines go through a bounded ring to a writer thread; what does not fit is
 * counted and said later. Never bodies, query strings, Authorization or cookies; control bytes of foreign
 * text are escaped. The level is the one global.
 */
#ifndef DAEMON_BASE_LOG_H
#define DAEMON_BASE_LOG_H

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

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

#endif
