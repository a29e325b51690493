/* SPDX-License-Identifier: MIT */
/* cookies - files go through the library, which knows their lines; here is what curl does about odd ones. */
#include "cli/cookies.h"

#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <reqivo/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_pair(const struct cli_item *item)
{
    return strchr(item->text, '=') != NULL;
}

bool cli_cookies_wanted(const struct cli_options *options)
{
    bool wanted = options->cookie_jar != NULL;

    for (size_t i = 0; i < options->cookies.count; i++)
        wanted = wanted || !is_pair(&options->cookies.items[i]);
    return wanted;
}

int cli_cookies_field(const struct cli_options *options, char **ret_value)
{
    size_t size = 0, at = 0;
    char *value;

    *ret_value = NULL;
    for (size_t i = 0; i < options->cookies.count; i++)
        if (is_pair(&options->cookies.items[i]))
            size += strlen(options->cookies.items[i].text) + 1;
    if (size == 0)
        return 0;
    value = malloc(size);
    if (!value)
        return -ENOMEM;
    for (size_t i = 0; i < options->cookies.count; i++) {
        const char *text = options->cookies.items[i].text;

        if (!is_pair(&options->cookies.items[i]))
            continue;
        if (at)
            value[at++] = ';';
        memcpy(value + at, text, strlen(text));
        at += strlen(text);
    }
    value[at] = '\0';
    *ret_value = value;
    return 0;
}

/* A file of which the jar has refused a line: the others, one by one. */
static int load_lines(struct reqivo_session *session, const char *path, size_t *ret_bad)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    int rc = 0;

    if (!file)
        return 0;
    while ((rc == 0 || rc == REQIVO_E_COOKIE) && getline(&line, &room, file) >= 0) {
        const char *const lines[] = {line};

        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0' || (line[0] == '#' && strncmp(line, "#HttpOnly_", 10) != 0))
            continue;
        rc = reqivo_session_add_cookies(session, lines, 1);
        *ret_bad += rc == REQIVO_E_COOKIE;
    }
    free(line);
    fclose(file);
    return rc == REQIVO_E_COOKIE ? 0 : rc;
}

static int load_file(const struct cli_options *options, const char *path, struct reqivo_session *session)
{
    size_t bad = 0;
    int rc;

    if (path[0] == '\0')
        return 0;
    rc = reqivo_session_load_cookies(session, strcmp(path, "-") == 0 ? "/dev/stdin" : path);
    if (rc == REQIVO_E_COOKIE)
        rc = load_lines(session, path, &bad);
    if (bad && !options->silent)
        fprintf(stderr, "reqivo: warning: %zu lines of %s are no cookies that may be kept\n", bad, path);
    return rc > -10000 ? 0 : rc; /* an errno: the file is not there, or cannot be read */
}

int cli_cookies_load(const struct cli_options *first, struct reqivo_client *client,
                     struct reqivo_session **ret_session)
{
    struct reqivo_session *session = NULL;
    int rc = reqivo_session_new(client, &session);

    if (rc < 0)
        return rc;
    reqivo_session_set_redirects(session, 0); /* what a group asks for is set on its requests */
    reqivo_session_set_decode(session, 0);
    for (const struct cli_options *group = first; group && rc == 0; group = group->next)
        for (size_t i = 0; i < group->cookies.count && rc == 0; i++)
            if (!is_pair(&group->cookies.items[i]))
                rc = load_file(group, group->cookies.items[i].text, session);
    if (rc == 0)
        *ret_session = session;
    else
        reqivo_session_free(session);
    return rc;
}

static void print_line(const char *line, void *file)
{
    fprintf(file, "%s\n", line);
}

/* To what is no regular file: there is nothing to replace. */
static int print_all(struct reqivo_session *session, FILE *file)
{
    int rc;

    fputs("# Netscape HTTP Cookie File\n\n", file);
    rc = reqivo_session_list_cookies(session, print_line, file);
    return fflush(file) != 0 && rc == 0 ? -EIO : rc;
}

static int save_file(struct reqivo_session *session, const char *path)
{
    struct stat st;
    FILE *file;
    int fd, rc;

    if (strcmp(path, "-") == 0)
        return print_all(session, stdout);
    /* What is no file of its own, /dev/stdout for one, is written to as it is. */
    if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
        return reqivo_session_save_cookies(session, path);
    fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); /* a link may lead to a file to be made */
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        rc = -errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    rc = print_all(session, file);
    return fclose(file) != 0 && rc == 0 ? -EIO : rc;
}

void cli_cookies_save(const struct cli_options *first, struct reqivo_session *session)
{
    for (const struct cli_options *group = first; group; group = group->next) {
        int rc = group->cookie_jar ? save_file(session, group->cookie_jar) : 0;

        if (rc < 0 && !group->silent)
            fprintf(stderr, "reqivo: warning: the cookies could not be saved in %s: %s\n", group->cookie_jar,
                    reqivo_error_text(rc));
    }
}
