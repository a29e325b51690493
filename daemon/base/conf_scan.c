/* SPDX-License-Identifier: MIT */
/*
 * conf_scan - owns the look at a file's tokens before libconfuse parses it.
 *
 *   file --> whole in memory --> tokens: closed? complete? --> comments to blanks --> memfd --> libconfuse
 *
 * libconfuse takes the end of the file as the end of every section, comment and string that is open, eats
 * characters that it has no rule for, puts the environment into "${NAME}", and counts each comment as
 * several lines.
 */
#include "daemon/base/conf_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1024 * 1024)
#define DEPTH_MAX      8

enum token { TOKEN_NONE, TOKEN_TEXT, TOKEN_ASSIGN, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA };

struct scan {
    char *at, *end;
    int line;
    enum token last, before; /* the last two tokens */
    int last_line;
    struct {
        char what;
        int line;
    } open[DEPTH_MAX];
    size_t depth;
    struct conf_fault *fault;
};

static int fail(const struct scan *scan, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(const struct scan *scan, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    scan->fault->line = line;
    vsnprintf(scan->fault->why, sizeof(scan->fault->why), format, args);
    va_end(args);
    return -EINVAL;
}

static bool starts(const struct scan *scan, const char *with)
{
    size_t len = strlen(with);

    return (size_t)(scan->end - scan->at) >= len && memcmp(scan->at, with, len) == 0;
}

static void step(struct scan *scan)
{
    scan->line += *scan->at++ == '\n';
}

static void token(struct scan *scan, enum token kind)
{
    scan->before = scan->last;
    scan->last = kind;
    scan->last_line = scan->line;
}

static int fail_variable(const struct scan *scan)
{
    return fail(scan, scan->line,
                "${...} is no variable here: the environment is not put in; write it in single quotes if it "
                "is meant as it stands");
}

static void blank(struct scan *scan)
{
    if (*scan->at != '\n')
        *scan->at = ' ';
    step(scan);
}

static void line_comment(struct scan *scan)
{
    while (scan->at < scan->end && *scan->at != '\n')
        blank(scan);
}

static int block_comment(struct scan *scan)
{
    int line = scan->line;

    blank(scan);
    blank(scan);
    while (!starts(scan, "*/")) {
        if (scan->at == scan->end)
            return fail(scan, line, "the comment that begins here is never closed");
        blank(scan);
    }
    blank(scan);
    blank(scan);
    return 0;
}

/* In both kinds of quotes a backslash and the character behind it belong together. */
static int quoted(struct scan *scan)
{
    int line = scan->line;
    char quote = *scan->at;

    token(scan, TOKEN_TEXT);
    step(scan);
    while (scan->at < scan->end && *scan->at != quote) {
        if (!*scan->at)
            return fail(scan, scan->line, "there is a NUL character in it");
        if (quote == '"' && starts(scan, "${"))
            return fail_variable(scan);
        if (*scan->at == '\\' && scan->end - scan->at > 1 && scan->at[1])
            step(scan);
        step(scan);
    }
    if (scan->at == scan->end)
        return fail(scan, line, "the text in quotes that begins here is never closed");
    step(scan);
    return 0;
}

static bool is_text(char c)
{
    return ((unsigned char)c > 0x20 && c != 0x7f && !strchr("#\"'={}()+,*", c));
}

static int unquoted(struct scan *scan)
{
    token(scan, TOKEN_TEXT);
    while (scan->at < scan->end && is_text(*scan->at)) {
        if (starts(scan, "${"))
            return fail_variable(scan);
        step(scan);
    }
    return 0;
}

static int opened(struct scan *scan)
{
    if (scan->depth == DEPTH_MAX)
        return fail(scan, scan->line, "too many braces stand in each other");
    scan->open[scan->depth].what = *scan->at;
    scan->open[scan->depth].line = scan->line;
    scan->depth++;
    token(scan, TOKEN_OPEN);
    step(scan);
    return 0;
}

static int closed(struct scan *scan)
{
    char what = *scan->at == ')' ? '(' : '{';

    if (!scan->depth || scan->open[scan->depth - 1].what != what)
        return fail(scan, scan->line, "this '%c' closes nothing", *scan->at);
    scan->depth--;
    token(scan, TOKEN_CLOSE);
    step(scan);
    return 0;
}

static int punctuation(struct scan *scan)
{
    char c = *scan->at;

    if (c == '{' || c == '(')
        return opened(scan);
    if (c == '}' || c == ')')
        return closed(scan);
    if (c == '=' || c == ',') {
        token(scan, c == '=' ? TOKEN_ASSIGN : TOKEN_COMMA);
    } else if (starts(scan, "+=")) {
        token(scan, TOKEN_ASSIGN);
        step(scan);
    } else if ((unsigned char)c < 0x20 || c == 0x7f) {
        return fail(scan, scan->line, "there is a control character, 0x%02x, in it", (unsigned char)c);
    } else {
        return fail(scan, scan->line, "'%c' has no meaning here; text with it stands in double quotes", c);
    }
    step(scan);
    return 0;
}

static int next(struct scan *scan)
{
    char c = *scan->at;

    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        step(scan);
        return 0;
    }
    if (c == '#' || starts(scan, "//")) {
        line_comment(scan);
        return 0;
    }
    if (starts(scan, "/*"))
        return block_comment(scan);
    if (c == '"' || c == '\'')
        return quoted(scan);
    return is_text(c) ? unquoted(scan) : punctuation(scan);
}

/* Each file must end where a setting, a section or an include() does. */
static int at_end(const struct scan *scan)
{
    if (scan->depth)
        return fail(scan, scan->open[scan->depth - 1].line, "the '%c' here is never closed",
                    scan->open[scan->depth - 1].what);
    if (scan->last == TOKEN_NONE || scan->last == TOKEN_CLOSE ||
        (scan->last == TOKEN_TEXT && scan->before == TOKEN_ASSIGN))
        return 0;
    return fail(scan, scan->last_line, "the file ends in the middle of a setting");
}

int conf_scan(char *text, size_t len, struct conf_fault *ret_fault)
{
    struct scan scan = {.at = text, .end = text + len, .line = 1, .fault = ret_fault};

    while (scan.at < scan.end) {
        int rc = next(&scan);
        if (rc < 0)
            return rc;
    }
    return at_end(&scan);
}

/* ---- files ---- */

/* Without O_NONBLOCK a FIFO would keep us until somebody writes into it. */
static int open_regular(const char *path, FILE **ret_file, struct conf_fault *fault)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st = {0};
    int rc = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

    if (rc == 0 && S_ISDIR(st.st_mode))
        rc = -EISDIR;
    if (rc == 0 && !S_ISREG(st.st_mode) && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))) {
        snprintf(fault->why, sizeof(fault->why), "is not a regular file");
        rc = -EINVAL;
    }
    if (rc == 0) {
        *ret_file = fdopen(fd, "r");
        rc = *ret_file ? 0 : -ENOMEM;
    }
    if (rc < 0 && fd >= 0)
        close(fd);
    return rc;
}

static int read_all(FILE *file, char *text, size_t *ret_len, struct conf_fault *fault)
{
    size_t len = fread(text, 1, FILE_MAX_BYTES + 1, file);

    if (ferror(file))
        return -EIO;
    if (len > FILE_MAX_BYTES) {
        snprintf(fault->why, sizeof(fault->why), "is larger than 1 MiB");
        return -EINVAL;
    }
    *ret_len = len;
    return 0;
}

static int in_memory(const char *text, size_t len, FILE **ret_file)
{
    int fd = memfd_create("reqivod.conf", MFD_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r+");
    int rc = file ? 0 : -errno;

    if (file && (fwrite(text, 1, len, file) != len || fflush(file) != 0))
        rc = -EIO;
    if (rc == 0) {
        rewind(file);
        *ret_file = file;
        return 0;
    }
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return rc;
}

int conf_scan_open(const char *path, FILE **ret_file, struct conf_fault *ret_fault)
{
    FILE *file = NULL;
    size_t len = 0;
    char *text;
    int rc;

    *ret_fault = (struct conf_fault){.line = 0};
    rc = open_regular(path, &file, ret_fault);
    if (rc < 0)
        return rc;
    text = malloc(FILE_MAX_BYTES + 1);
    rc = text ? read_all(file, text, &len, ret_fault) : -ENOMEM;
    fclose(file);
    if (rc == 0)
        rc = conf_scan(text, len, ret_fault);
    if (rc == 0)
        rc = in_memory(text, len, ret_file);
    free(text);
    return rc;
}
