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

#include "proto/redirect.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind {
    OPTION_FLAG,      /* bool */
    OPTION_TEXT,      /* const char *, the last one counts */
    OPTION_LIST,      /* struct cli_list */
    OPTION_REMOTE,    /* struct cli_list; no argument, an item without text */
    OPTION_SECONDS,   /* uint32_t, ms */
    OPTION_REDIRECTS, /* unsigned */
    OPTION_TLS_MIN,   /* int; the flag itself says it */
    OPTION_TLS_MAX,   /* int */
    OPTION_NEXT,      /* a new group */
};

struct option_row {
    const char *name;
    size_t offset;
    enum option_kind kind;
    char letter;          /* 0: only the long form */
    bool shared;          /* of all groups */
    enum cli_piece piece; /* of OPTION_LIST */
};

#define AT(member) offsetof(struct cli_options, member)

static const struct option_row option_rows[] = {
    {"request", AT(method), OPTION_TEXT, 'X', false, 0},
    {"header", AT(fields), OPTION_LIST, 'H', false, 0},
    {"url", AT(urls), OPTION_LIST, 0, false, 0},
    {"data", AT(data), OPTION_LIST, 'd', false, CLI_PIECE_TEXT},
    {"data-ascii", AT(data), OPTION_LIST, 0, false, CLI_PIECE_TEXT},
    {"data-binary", AT(data), OPTION_LIST, 0, false, CLI_PIECE_BINARY},
    {"data-raw", AT(data), OPTION_LIST, 0, false, CLI_PIECE_RAW},
    {"data-urlencode", AT(data), OPTION_LIST, 0, false, CLI_PIECE_URLENCODE},
    {"json", AT(data), OPTION_LIST, 0, false, CLI_PIECE_JSON},
    {"get", AT(get), OPTION_FLAG, 'G', false, 0},
    {"upload-file", AT(uploads), OPTION_LIST, 'T', false, 0},
    {"output", AT(outputs), OPTION_LIST, 'o', false, 0},
    {"remote-name", AT(outputs), OPTION_REMOTE, 'O', false, 0},
    {"dump-header", AT(dump_header), OPTION_TEXT, 'D', false, 0},
    {"include", AT(include), OPTION_FLAG, 'i', false, 0},
    {"head", AT(head), OPTION_FLAG, 'I', false, 0},
    {"silent", AT(silent), OPTION_FLAG, 's', true, 0},
    {"show-error", AT(show_error), OPTION_FLAG, 'S', true, 0},
    {"fail", AT(fail), OPTION_FLAG, 'f', false, 0},
    {"fail-with-body", AT(fail_with_body), OPTION_FLAG, 0, false, 0},
    {"verbose", AT(verbose), OPTION_FLAG, 'v', true, 0},
    {"write-out", AT(write_out), OPTION_TEXT, 'w', false, 0},
    {"no-progress-meter", AT(no_meter), OPTION_FLAG, 0, true, 0},
    {"no-buffer", AT(unbuffered), OPTION_FLAG, 'N', false, 0},
    {"location", AT(location), OPTION_FLAG, 'L', false, 0},
    {"location-trusted", AT(trusted), OPTION_FLAG, 0, false, 0},
    {"max-redirs", AT(redirects), OPTION_REDIRECTS, 0, false, 0},
    {"post301", AT(post301), OPTION_FLAG, 0, false, 0},
    {"post302", AT(post302), OPTION_FLAG, 0, false, 0},
    {"post303", AT(post303), OPTION_FLAG, 0, false, 0},
    {"cookie", AT(cookies), OPTION_LIST, 'b', false, 0},
    {"cookie-jar", AT(cookie_jar), OPTION_TEXT, 'c', false, 0},
    {"user", AT(user), OPTION_TEXT, 'u', false, 0},
    {"oauth2-bearer", AT(bearer), OPTION_TEXT, 0, false, 0},
    {"user-agent", AT(agent), OPTION_TEXT, 'A', false, 0},
    {"referer", AT(referer), OPTION_TEXT, 'e', false, 0},
    {"range", AT(range), OPTION_TEXT, 'r', false, 0},
    {"compressed", AT(compressed), OPTION_FLAG, 0, false, 0},
    {"max-time", AT(max_time_ms), OPTION_SECONDS, 'm', false, 0},
    {"connect-timeout", AT(connect_timeout_ms), OPTION_SECONDS, 0, false, 0},
    {"resolve", AT(resolves), OPTION_LIST, 0, false, 0},
    {"connect-to", AT(connects), OPTION_LIST, 0, false, 0},
    {"insecure", AT(insecure), OPTION_FLAG, 'k', false, 0},
    {"cacert", AT(cacert), OPTION_TEXT, 0, false, 0},
    {"tlsv1.2", AT(tls_min), OPTION_TLS_MIN, 0, false, 0},
    {"tlsv1.3", AT(tls_min), OPTION_TLS_MIN, 0, false, 0},
    {"tls-max", AT(tls_max), OPTION_TLS_MAX, 0, false, 0},
    {"globoff", AT(globoff), OPTION_FLAG, 'g', false, 0},
    {"http1.1", AT(http11), OPTION_FLAG, 0, false, 0},
    {"basic", AT(basic), OPTION_FLAG, 0, false, 0},
    {"progress-bar", AT(bar), OPTION_FLAG, '#', true, 0},
    {"disable", AT(disable), OPTION_FLAG, 'q', true, 0},
    {"next", 0, OPTION_NEXT, ':', false, 0},
    {"socket", AT(socket), OPTION_TEXT, 0, true, 0},
    {"start", AT(start), OPTION_FLAG, 0, true, 0},
    {"help", AT(help), OPTION_FLAG, 'h', true, 0},
    {"version", AT(version), OPTION_FLAG, 'V', true, 0},
};

/* Where the scan stands and where its answer goes. */
struct option_scan {
    char *const *argv;
    struct cli_options *first, *options; /* options: the group that is being read */
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
static int list_add(struct cli_list *list, const char *text, enum cli_piece piece, int argc)
{
    if (!list->items) {
        list->items = calloc((size_t)argc, sizeof(*list->items));
        if (!list->items)
            return -ENOMEM;
    }
    list->items[list->count++] = (struct cli_item){.text = text, .piece = piece};
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

static bool takes_value(const struct option_row *row)
{
    return row->kind != OPTION_FLAG && row->kind != OPTION_REMOTE && row->kind != OPTION_TLS_MIN &&
           row->kind != OPTION_NEXT;
}

/* A count, or -1 for as many as there may be. */
static bool redirects_parse(const char *text, unsigned *ret_count)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);

    if (end == text || *end != '\0' || n < -1)
        return false;
    *ret_count = n < 0 || n > RQV_REDIRECTS_MAX ? RQV_REDIRECTS_MAX : (unsigned)n;
    return true;
}

static bool tls_max_parse(const char *text, int *ret_max)
{
    if (strcmp(text, "1.2") == 0)
        *ret_max = 12;
    else if (strcmp(text, "1.3") == 0)
        *ret_max = 13;
    else if (strcmp(text, "default") == 0)
        *ret_max = 0;
    else
        return false;
    return true;
}

static void options_init(struct cli_options *options)
{
    *options = (struct cli_options){.redirects = RQV_REDIRECTS_MAX};
}

/* --next: as with curl, one before the first URL of a group does nothing. */
static int group_begin(struct option_scan *scan)
{
    if (scan->options->urls.count == 0)
        return 0;
    scan->options->next = malloc(sizeof(*scan->options->next));
    if (!scan->options->next)
        return -ENOMEM;
    scan->options = scan->options->next;
    options_init(scan->options);
    return 0;
}

/* Stores an option whose argument, if it takes one, is `value`. `shown` is how it was spelled, for the
 * complaint. */
static int option_store(struct option_scan *scan, const struct option_row *row, const char *value,
                        const char *shown)
{
    char *place = (char *)(row->shared ? scan->first : scan->options) + row->offset;
    const char *what = "a number of seconds";
    bool fine = true;

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)place = true;
        break;
    case OPTION_TEXT:
        *(const char **)place = value;
        break;
    case OPTION_LIST:
    case OPTION_REMOTE:
        return list_add((struct cli_list *)place, value, row->piece, scan->argc);
    case OPTION_NEXT:
        return group_begin(scan);
    case OPTION_TLS_MIN:
        *(int *)place = row->name[strlen(row->name) - 1] == '2' ? 12 : 13;
        break;
    case OPTION_TLS_MAX:
        what = "1.2 or 1.3";
        fine = tls_max_parse(value, (int *)place);
        break;
    case OPTION_REDIRECTS:
        what = "a number of redirects";
        fine = redirects_parse(value, (unsigned *)place);
        break;
    case OPTION_SECONDS:
        fine = cli_seconds_parse(value, (uint32_t *)place);
        break;
    }
    if (fine)
        return 0;
    snprintf(scan->why, scan->size, "option %s: '%s' is not %s", shown, value, what);
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
        if (!takes_value(row)) {
            rc = option_store(scan, row, NULL, shown);
            if (rc < 0)
                return rc;
            continue;
        }
        rc = *value ? 0 : option_need_value(scan, shown, &value);
        return rc < 0 ? rc : option_store(scan, row, value, shown);
    }
    return 0;
}

/* "--no-name" takes a flag back, as long as it is one that curl lets be taken back. */
static bool scan_negated(struct option_scan *scan, const char *word)
{
    const struct option_row *row =
        strncmp(word, "--no-", 5) == 0 ? row_by_name(word + 5, strlen(word + 5)) : NULL;

    if (!row || row->kind != OPTION_FLAG || row->offset == AT(help) || row->offset == AT(version))
        return false;
    *(bool *)((char *)(row->shared ? scan->first : scan->options) + row->offset) = false;
    return true;
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
    if (!row && scan_negated(scan, word))
        return 0;
    if (!row) {
        snprintf(scan->why, scan->size, "option %s is unknown", shown);
        return -EINVAL;
    }
    if (!takes_value(row) && value) {
        snprintf(scan->why, scan->size, "option %s takes no argument", shown);
        return -EINVAL;
    }
    if (takes_value(row) && !value) {
        rc = option_need_value(scan, shown, &value);
        if (rc < 0)
            return rc;
    }
    return option_store(scan, row, value, shown);
}

/* Of a route: as many colons as it needs, outside of brackets. */
static bool has_colons(const struct cli_list *list, unsigned need, const char **ret_text)
{
    for (size_t i = 0; i < list->count; i++) {
        unsigned colons = 0;
        bool inside = false;

        for (const char *at = list->items[i].text; *at; at++) {
            inside = *at == '[' || (inside && *at != ']');
            colons += *at == ':' && !inside;
        }
        if (colons < need && list->items[i].text[0] != '-') {
            *ret_text = list->items[i].text;
            return false;
        }
    }
    return true;
}

/* What excludes what, and files without a name. */
static const char *pairs_check(const struct cli_options *options)
{
    bool form = cli_options_form(options);
    bool upload = false;

    for (size_t i = 0; i < options->uploads.count; i++)
        upload = upload || options->uploads.items[i].text[0];
    if (options->head && form)
        return "-I (HEAD) and -d (POST) exclude each other";
    if (upload && form)
        return "-T (PUT) and -d (POST) exclude each other";
    if (upload && options->head)
        return "-T (PUT) and -I (HEAD) exclude each other";
    for (size_t i = 0; i < options->outputs.count; i++)
        if (options->outputs.items[i].text && !options->outputs.items[i].text[0])
            return "option -o needs the name of a file";
    return NULL;
}

/* What no single option can see, in one group. */
static int group_check(const struct option_scan *scan, const struct cli_options *options)
{
    const char *why = pairs_check(options);
    const char *route = NULL;

    if (!why && options->urls.count == 0)
        why = "no URL given";
    else if (!why && options->method && options->method[0] == '\0')
        why = "option -X needs a method";
    else if (!why && options->fail && options->fail_with_body)
        why = "--fail and --fail-with-body exclude each other";
    else if (!why && options->tls_min && options->tls_max && options->tls_min > options->tls_max)
        why = "--tls-max is below the --tlsv1 that is asked for";
    if (why)
        snprintf(scan->why, scan->size, "%s", why);
    else if (!has_colons(&options->resolves, 2, &route))
        snprintf(scan->why, scan->size, "option --resolve: '%s' is not HOST:PORT:ADDRESS", route);
    else if (!has_colons(&options->connects, 3, &route))
        snprintf(scan->why, scan->size, "option --connect-to: '%s' is not HOST:PORT:HOST:PORT", route);
    else
        return 0;
    return -EINVAL;
}

/* What is shared goes to every group, which is then checked. */
static int options_check(const struct option_scan *scan)
{
    const struct cli_options *first = scan->first;
    int rc = 0;

    if (first->help || first->version)
        return 0;
    for (struct cli_options *group = scan->first; group && rc == 0; group = group->next) {
        group->socket = first->socket;
        group->silent = first->silent;
        group->show_error = first->show_error;
        group->verbose = first->verbose;
        group->no_meter = first->no_meter;
        group->location = group->location || group->trusted;
        rc = group_check(scan, group);
    }
    return rc;
}

int cli_options_parse(int argc, char *const argv[], struct cli_options *ret_options, char *why, size_t size)
{
    struct option_scan scan = {.argv = argv,
                               .argc = argc,
                               .next = 1,
                               .first = ret_options,
                               .options = ret_options,
                               .why = why,
                               .size = size};
    bool only_urls = false;
    int rc = 0;

    options_init(ret_options);
    if (size)
        why[0] = '\0';
    while (rc == 0 && scan.next < argc) {
        const char *word = argv[scan.next++];

        if (only_urls || word[0] != '-' || word[1] == '\0')
            rc = list_add(&scan.options->urls, word, 0, argc);
        else if (word[1] != '-')
            rc = scan_letters(&scan, word);
        else if (word[2] == '\0')
            only_urls = true;
        else
            rc = scan_long(&scan, word);
    }
    return rc < 0 ? rc : options_check(&scan);
}

/* Fields from a file are there to keep secrets out of argv. Its lines have been cut, so its first is all that
 * strlen() would see. */
static void wipe(char *text)
{
    explicit_bzero(text, malloc_usable_size(text));
    free(text);
}

void cli_options_done(struct cli_options *options)
{
    struct cli_options *next;

    for (struct cli_options *group = options; group; group = next) {
        struct cli_list *const lists[] = {&group->urls,     &group->fields,  &group->data,
                                          &group->outputs,  &group->uploads, &group->cookies,
                                          &group->resolves, &group->connects};

        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
            free(lists[i]->items);
        for (size_t i = 0; i < group->field_files.count; i++)
            wipe((char *)group->field_files.items[i].text);
        free(group->field_files.items);
        next = group->next;
        if (group == options)
            memset(group, 0, sizeof(*group));
        else
            free(group);
    }
}

bool cli_options_form(const struct cli_options *options)
{
    return options->data.count && !options->get;
}

bool cli_options_json(const struct cli_options *options)
{
    for (size_t i = 0; i < options->data.count; i++)
        if (options->data.items[i].piece == CLI_PIECE_JSON)
            return true;
    return false;
}

const char *cli_options_upload(const struct cli_options *options, size_t n)
{
    return n < options->uploads.count && options->uploads.items[n].text[0] ? options->uploads.items[n].text
                                                                           : NULL;
}

const char *cli_options_method(const struct cli_options *options, size_t n)
{
    if (options->method)
        return options->method;
    if (options->head)
        return "HEAD";
    if (cli_options_upload(options, n))
        return "PUT";
    return cli_options_form(options) ? "POST" : "GET";
}
