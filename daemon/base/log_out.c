/* SPDX-License-Identifier: MIT */
/* log_out - see log_out.h: one line in the journal's form, and in that of standard error. */
#include "daemon/base/log_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define JOURNAL    "/run/systemd/journal/socket"
#define PIECES_MAX 48 /* fields of a line; more are left out */

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

static const char *const message_ids[] = {[LOG_ID_NONE] = NULL,
#define LOG_ID_TEXT(name, id, text) [LOG_ID_##name] = "MESSAGE_ID=" id,
                                          LOG_ID_TABLE(LOG_ID_TEXT)
#undef LOG_ID_TEXT
};

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

/* ---- the journal ---- */

/* systemd names the journal's stream in the environment; standard error is the journal when it is that very
 * file. */
bool log_journal_is_stderr(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &st) < 0)
        return false;
    return st.st_dev == device && st.st_ino == inode;
}

bool log_journal_answers(void)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = JOURNAL};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof sun) == 0;

    if (fd >= 0)
        close(fd);
    return answers;
}

static struct iovec piece(const char *text, size_t len)
{
    return (struct iovec){(void *)(uintptr_t)text, len};
}

void log_out_journal(const struct log_line *line)
{
    char message[LOG_FIELDS_MAX + 64], priority[16];
    struct iovec pieces[PIECES_MAX];
    int n = 0;
    int len = snprintf(message, sizeof message, "MESSAGE=%.*s", (int)line->text_len, line->text);

    pieces[n++] = piece(message, (size_t)len < sizeof message ? (size_t)len : sizeof message - 1);
    len = snprintf(priority, sizeof priority, "PRIORITY=%d", (int)line->level);
    pieces[n++] = piece(priority, (size_t)len);
    pieces[n++] = piece("SYSLOG_IDENTIFIER=reqivod", sizeof "SYSLOG_IDENTIFIER=reqivod" - 1);
    if (message_ids[line->id])
        pieces[n++] = piece(message_ids[line->id], strlen(message_ids[line->id]));
    for (size_t at = 0; at < line->fields_len && n < PIECES_MAX;) {
        const char *field = line->fields + at;
        const char *end = memchr(field, '\n', line->fields_len - at);

        pieces[n++] = piece(field, (size_t)(end - field));
        at += (size_t)(end - field) + 1;
    }
    sd_journal_sendv(pieces, n);
}

/* ---- standard error ---- */

static void write_all(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t done = write(STDERR_FILENO, text + at, len - at);

        if (done < 0 && errno != EINTR)
            return; /* there is nobody to tell */
        at += done > 0 ? (size_t)done : 0;
    }
}

/* "REQIVO_UID=1\nREQIVO_PID=2\n" becomes " uid=1 pid=2". */
static size_t plain_fields(const struct log_line *line, char *out)
{
    const size_t prefix = sizeof LOG_PREFIX - 1;
    size_t n = 0;

    for (size_t at = 0; at < line->fields_len;) {
        const char *field = line->fields + at;
        size_t len = (size_t)((const char *)memchr(field, '\n', line->fields_len - at) - field);
        bool name = true;

        out[n++] = ' ';
        for (size_t i = prefix; i < len; i++) {
            name = name && field[i] != '=';
            out[n++] = (char)(name && field[i] >= 'A' && field[i] <= 'Z' ? field[i] - 'A' + 'a' : field[i]);
        }
        at += len + 1;
    }
    return n;
}

void log_out_stderr(const struct log_line *line)
{
    char text[LOG_FIELDS_MAX + 64];
    size_t n;

    if (line->id == LOG_ID_ACCESS) {
        n = (size_t)snprintf(text, sizeof text, "reqivod: access:");
        n += plain_fields(line, text + n); /* shorter than in line->fields */
    } else {
        int len = snprintf(text, sizeof text, "reqivod: %s: %.*s", level_names[line->level],
                           (int)line->text_len, line->text);
        n = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    }
    text[n++] = '\n';
    write_all(text, n);
}
