/* SPDX-License-Identifier: MIT */
/* log_out - where the log's lines go: the journal, or standard error. Only log.c and its thread call this. */
#ifndef DAEMON_BASE_LOG_OUT_H
#define DAEMON_BASE_LOG_OUT_H

#include "daemon/base/log.h"

struct log_line {
    enum log_level level;
    enum log_id id;
    const char *text, *fields; /* escaped; fields as in struct log_fields */
    size_t text_len, fields_len;
};

const char *log_level_name(enum log_level level);
bool log_journal_is_stderr(void);
bool log_journal_answers(void);
void log_out_journal(const struct log_line *line);
void log_out_stderr(const struct log_line *line);

#endif
