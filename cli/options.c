/* SPDX-License-Identifier: MIT */
/*
 * options - one table of flags, and a scanner of argv that knows curl's spellings:
 *
 *   "-sSo" "file"      letters of flags, then one that takes an argument: the rest of the word or the next
 * word
 *   "--output=file"    or the next word
 *   "--"               all words after it are URLs
 */
#include "cli/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char *, the last one counts */
    OPTION_LIST,    /* struct cli_list */
    OPTION_BINARY,  /* struct cli_list, with its item marked binary */
    OPTION_SECONDS, /* uint32_t, ms */
};

struct option_row {
    const char *name;
    size_t offset;
    enum option_kind kind;
    char letter; /* 0: only the long form */
};

#define AT(member) offsetof(struct cli_options, member)

static const struct option_row option_rows[] = {
    {"request", AT(method), OPTION_TEXT, 'X'},
    {"header", AT(fields), OPTION_LIST, 'H'},
    {"data", AT(data), OPTION_LIST, 'd'},
    {"data-ascii", AT(data), OPTION_LIST, 0},
    {"data-binary", AT(data), OPTION_BINARY, 0},
    {"output", AT(outputs), OPTION_LIST, 'o'},
    {"include", AT(include), OPTION_FLAG, 'i'},
    {"head", AT(head), OPTION_FLAG, 'I'},
    {"silent", AT(silent), OPTION_FLAG, 's'},
    {"show-error", AT(show_error), OPTION_FLAG, 'S'},
    {"fail", AT(fail), OPTION_FLAG, 'f'},
    {"verbose", AT(verbose), OPTION_FLAG, 'v'},
    {"write-out", AT(write_out), OPTION_TEXT, 'w'},
    {"max-time", AT(max_time_ms), OPTION_SECONDS, 'm'},
    {"connect-timeout", AT(connect_timeout_ms), OPTION_SECONDS, 0},
    {"insecure", AT(insecure), OPTION_FLAG, 'k'},
    {"cacert", AT(cacert), OPTION_TEXT, 0},
    {"user-agent", AT(agent), OPTION_TEXT, 'A'},
    {"socket", AT(socket), OPTION_TEXT, 0},
    {"help", AT(help), OPTION_FLAG, 'h'},
    {"version", AT(version), OPTION_FLAG, 'V'},
};

/* Where the scan stands and where its answer goes. */
struct option_scan {
    char *const *argv;
    struct cli_options *options;
    char *why;
    size_t size;
    int argc, next;
};

static const struct option_row *row_by_letter(char letter)
{
    for (size_t i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]); i++)
        if (option_rows[i].letter == letter)
            return &option_rows[i];
    return NULL;
}

static const struct option_row *row_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]); i++)
        if (strlen(option_rows[i].name) == len && memcmp(option_rows[i].name, name, len) == 0)
            return &option_rows[i];
    return NULL;
}

/* The first add makes room for as many items as there can be, so a list is never moved. */
static int list_add(struct cli_list *list, const char *text, bool binary, int argc)
{
    if (!list->items) {
        list->items = calloc((size_t)argc, sizeof(*list->items));
        if (!list->items)
            return -ENOMEM;
    }
    list->items[list->count++] = (struct cli_item){.text = text, .binary = binary};
    return 0;
}

bool cli_seconds_parse(const char *text, uint32_t *ret_ms)
{
    uint64_t ms = 0, unit = 100;
    bool digits = false, rest = false;

    for (; *text >= '0' && *text <= '9'; text++) {
        ms = ms * 10 + (uint64_t)(*text - '0') * 1000;
        digits = true;
        if (ms >= UINT32_MAX)
            return false;
    }
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10) {
            ms += (uint64_t)(*text - '0') * unit;
            rest = rest || (unit == 0 && *text != '0');
            digits = true;
        }
    if (!digits || *text != '\0')
        return false;
    *ret_ms = (uint32_t)(ms + (rest ? 1 : 0));
    return true;
}

/* Stores an option whose argument, if it takes one, is `value`. `shown` is how it was spelled, for the
 * complaint. */
static int option_store(struct option_scan *scan, const struct option_row *row, const char *value,
                        const char *shown)
{
    char *place = (char *)scan->options + row->offset;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)place = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)place = value;
        return 0;
    case OPTION_LIST:
    case OPTION_BINARY:
        return list_add((struct cli_list *)place, value, row->kind == OPTION_BINARY, scan->argc);
    case OPTION_SECONDS:
        break;
    }
    if (cli_seconds_parse(value, (uint32_t *)place))
        return 0;
    snprintf(scan->why, scan->size, "option %s: '%s' is not a number of seconds", shown, value);
    return -EINVAL;
}

static int option_need_value(struct option_scan *scan, const char *shown, const char **ret_value)
{
    if (scan->next >= scan->argc) {
        snprintf(scan->why, scan->size, "option %s needs an argument", shown);
        return -EINVAL;
    }
    *ret_value = scan->argv[scan->next++];
    return 0;
}

/* One word of letters: "-sSo..." */
static int scan_letters(struct option_scan *scan, const char *word)
{
    for (const char *at = word + 1; *at; at++) {
        const struct option_row *row = row_by_letter(*at);
        const char shown[] = {'-', *at, '\0'};
        const char *value = at + 1;
        int rc;

        if (!row) {
            snprintf(scan->why, scan->size, "option %s is unknown", shown);
            return -EINVAL;
        }
        if (row->kind == OPTION_FLAG) {
            *(bool *)((char *)scan->options + row->offset) = true;
            continue;
        }
        rc = *value ? 0 : option_need_value(scan, shown, &value);
        return rc < 0 ? rc : option_store(scan, row, value, shown);
    }
    return 0;
}

/* One word of the form "--name" or "--name=value". */
static int scan_long(struct option_scan *scan, const char *word)
{
    size_t len = strcspn(word + 2, "=");
    const struct option_row *row = row_by_name(word + 2, len);
    const char *value = word[2 + len] == '=' ? word + 3 + len : NULL;
    char shown[48];
    int rc;

    snprintf(shown, sizeof(shown), "%.*s", (int)(len + 2 < sizeof(shown) ? len + 2 : sizeof(shown) - 1),
             word);
    if (!row) {
        snprintf(scan->why, scan->size, "option %s is unknown", shown);
        return -EINVAL;
    }
    if (row->kind == OPTION_FLAG && value) {
        snprintf(scan->why, scan->size, "option %s takes no argument", shown);
        return -EINVAL;
    }
    if (row->kind != OPTION_FLAG && !value) {
        rc = option_need_value(scan, shown, &value);
        if (rc < 0)
            return rc;
    }
    return option_store(scan, row, value, shown);
}

/* What no single option can see. */
static int options_check(const struct option_scan *scan)
{
    const struct cli_options *options = scan->options;
    const char *why = NULL;

    if (options->help || options->version)
        return 0;
    if (options->head && options->data.count)
        why = "-I (HEAD) and -d (POST) exclude each other";
    else if (options->urls.count == 0)
        why = "no URL given";
    else if (options->method && options->method[0] == '\0')
        why = "option -X needs a method";
    if (!why)
        return 0;
    snprintf(scan->why, scan->size, "%s", why);
    return -EINVAL;
}

int cli_options_parse(int argc, char *const argv[], struct cli_options *ret_options, char *why, size_t size)
{
    struct option_scan scan = {
        .argv = argv, .argc = argc, .next = 1, .options = ret_options, .why = why, .size = size};
    bool only_urls = false;
    int rc = 0;

    memset(ret_options, 0, sizeof(*ret_options));
    if (size)
        why[0] = '\0';
    while (rc == 0 && scan.next < argc) {
        const char *word = argv[scan.next++];

        if (only_urls || word[0] != '-' || word[1] == '\0')
            rc = list_add(&ret_options->urls, word, false, argc);
        else if (word[1] != '-')
            rc = scan_letters(&scan, word);
        else if (word[2] == '\0')
            only_urls = true;
        else
            rc = scan_long(&scan, word);
    }
    return rc < 0 ? rc : options_check(&scan);
}

void cli_options_done(struct cli_options *options)
{
    free(options->urls.items);
    free(options->fields.items);
    free(options->data.items);
    free(options->outputs.items);
    memset(options, 0, sizeof(*options));
}

const char *cli_options_method(const struct cli_options *options)
{
    if (options->method)
        return options->method;
    if (options->head)
        return "HEAD";
    return options->data.count ? "POST" : "GET";
}
