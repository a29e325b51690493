/* SPDX-License-Identifier: MIT */
/*
 * conf - owns the reading of the file by libconfuse, the checks of settings against each other, and the dump.
 *
 *   conf_table ──> cfg_opt_t of strings ──> libconfuse (syntax, sections, file:line) <── conf_scan <── file
 *                                              ├─ on_value for each value: conf_value_set
 *                                              └─ on_include for each file: conf_scan
 *
 * All options are strings to libconfuse, so that "64MiB" and "30s" are read by us; it validates each value as
 * it is read, when file and line are known. A wrong value is noted and reading goes on; wrong syntax ends it.
 */
#include "daemon/base/conf.h"

#include "daemon/base/conf_policy.h"
#include "daemon/base/conf_scan.h"
#include "daemon/base/conf_table.h"
#include "daemon/base/policies.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX  64
#define SECTIONS_MAX 16
#define TITLED_MAX   24

/* libconfuse hands its callbacks no argument of ours, but keeps the default number of an option that is no
 * number: it carries the address of the option's slot. */
struct slot {
    struct reader *reader;
    const struct conf_entry *entry; /* NULL: of all options in sections with a title */
    int line;                       /* of the last value; 0 when this file does not set it */
    const char *wrong;              /* the value that was reported last */
};

struct reader {
    struct conf *conf;
    const char *path;
    cfg_t *root; /* knows which file is being read: an included one, too */
    FILE *errors;
    unsigned failures;
    struct slot slots[ENTRIES_MAX], titled;
    cfg_opt_t options[SECTIONS_MAX][ENTRIES_MAX]; /* [0] is the top level */
    cfg_opt_t titled_options[2][TITLED_MAX];
};

static_assert(sizeof(long) >= sizeof(void *), "a slot's address does not fit");

static struct slot *slot_of(const cfg_opt_t *option)
{
    return (struct slot *)option->def.number; /* NOLINT(performance-no-int-to-ptr) */
}

/* ---- errors ---- */

static void vreport(struct reader *reader, const char *file, int line, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
static void report(struct reader *reader, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void vreport(struct reader *reader, const char *file, int line, const char *format, va_list args)
{
    reader->failures++;
    if (!reader->errors)
        return;
    if (line > 0)
        fprintf(reader->errors, "%s:%d: ", file, line);
    else
        fprintf(reader->errors, "%s: ", file);
    vfprintf(reader->errors, format, args);
    fputc('\n', reader->errors);
}

static void report(struct reader *reader, const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vreport(reader, file, line, format, args);
    va_end(args);
}

static const char *file_name(const struct reader *reader)
{
    return reader->root && reader->root->filename ? reader->root->filename : reader->path;
}

static void on_syntax_error(cfg_t *cfg, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_syntax_error(cfg_t *cfg, const char *format, va_list args)
{
    struct slot *slot = slot_of(&cfg->opts[0]); /* every section begins with an option of the table */

    vreport(slot->reader, file_name(slot->reader), cfg->line, format, args);
}

static void entry_name(const struct conf_entry *entry, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s", entry->section, entry->section[0] ? "." : "", entry->name);
}

/* ---- values ---- */

/* A list is made anew from all elements that libconfuse holds, so that "=" and "+=" need not be told apart.
 */
static void list_set(const struct slot *slot, const cfg_opt_t *option, unsigned last)
{
    char why[CONF_WHY_MAX];

    conf_value_reset(slot->entry, slot->reader->conf);
    for (unsigned i = 0; i < last; i++)
        (void)conf_value_set(slot->entry, slot->reader->conf, option->values[i]->string,
                             why); /* was reported */
}

/* Called after each value; of a list after each element and at its end. Sections do not know the file's name.
 */
static int on_value(cfg_t *cfg, cfg_opt_t *option)
{
    struct slot *slot = slot_of(option);
    struct reader *reader = slot->reader;
    unsigned n = cfg_opt_size(option);
    const char *text = n ? cfg_opt_getnstr(option, n - 1) : NULL;
    char why[CONF_WHY_MAX], name[64];

    if (conf_is_list(slot->entry))
        list_set(slot, option, text ? n - 1 : 0);
    if (!text)
        return 0;
    slot->line = strcmp(file_name(reader), reader->path) == 0 ? cfg->line : 0;
    if (conf_value_set(slot->entry, reader->conf, text, why) == 0 || text == slot->wrong)
        return 0;
    slot->wrong = text;
    entry_name(slot->entry, name, sizeof(name));
    report(reader, file_name(reader), cfg->line, "%s: %s", name, why);
    return 0;
}

/* In a section with a title; conf_policy.c takes the values when all are there. */
static int on_titled_value(cfg_t *cfg, cfg_opt_t *option)
{
    struct reader *reader = slot_of(option)->reader;
    unsigned n = cfg_opt_size(option);
    const char *text = n ? cfg_opt_getnstr(option, n - 1) : NULL;
    char why[CONF_WHY_MAX];

    if (!text || text == reader->titled.wrong || conf_policy_check(cfg->name, option->name, text, why) == 0)
        return 0;
    reader->titled.wrong = text;
    report(reader, file_name(reader), cfg->line, "%s \"%s\".%s: %s", cfg->name, cfg_title(cfg), option->name,
           why);
    return 0;
}

/* ---- include ---- */

/* What is not absolute is sought beside the file that names it. */
static int include_path(const char *from, const char *name, char *path, size_t size)
{
    const char *slash = name[0] == '/' ? NULL : strrchr(from, '/');
    int n = snprintf(path, size, "%.*s%s", slash ? (int)(slash - from + 1) : 0, from, name);

    return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/* libconfuse opens by name only: it gets the scanned text's, and then the file's own for its messages. */
static int include_push(cfg_t *cfg, cfg_opt_t *option, const char *path, FILE *file)
{
    char name[32], *shown = strdup(path);
    const char *argument = name;

    if (!shown)
        return -ENOMEM;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fileno(file));
    if (cfg_include(cfg, option, 1, &argument) != CFG_SUCCESS) {
        free(shown);
        return -EINVAL; /* was reported */
    }
    free(cfg->filename);
    cfg->filename = shown;
    return 0;
}

static int on_include(cfg_t *cfg, cfg_opt_t *option, int count, const char **names)
{
    struct reader *reader = slot_of(&cfg->opts[0])->reader;
    unsigned failures = reader->failures;
    struct conf_fault fault;
    char path[PATH_MAX];
    FILE *file = NULL;
    int rc;

    if (count != 1) {
        report(reader, file_name(reader), cfg->line, "include: takes one file");
        return CFG_PARSE_ERROR;
    }
    rc = include_path(file_name(reader), names[0], path, sizeof(path));
    if (rc == 0)
        rc = conf_scan_open(path, &file, &fault);
    if (rc == -EINVAL) {
        report(reader, path, fault.line, "%s", fault.why);
        return CFG_PARSE_ERROR;
    }
    if (rc == 0) {
        rc = include_push(cfg, option, path, file);
        fclose(file);
    }
    if (rc < 0 && reader->failures == failures)
        report(reader, file_name(reader), cfg->line, "include: %s: cannot be read: %s", names[0],
               strerror(-rc));
    return rc < 0 ? CFG_PARSE_ERROR : CFG_SUCCESS;
}

/* ---- libconfuse's tables from ours ---- */

static cfg_opt_t option_of(struct slot *slot)
{
    cfg_opt_t plain = CFG_STR(slot->entry->name, NULL, CFGF_NODEFAULT);
    cfg_opt_t list = CFG_STR_LIST(slot->entry->name, NULL, CFGF_NODEFAULT);
    cfg_opt_t option = conf_is_list(slot->entry) ? list : plain;

    option.validcb = on_value;
    option.def.number = (long)slot;
    return option;
}

static cfg_opt_t titled_section(struct reader *reader, const char *name, cfg_opt_t options[TITLED_MAX])
{
    cfg_opt_t section = CFG_SEC(name, options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
    cfg_opt_t end = CFG_END();
    struct conf_title_option option;
    size_t n = 0;

    for (; conf_policy_option(name, n, &option); n++) {
        cfg_opt_t plain = CFG_STR(option.name, NULL, CFGF_NODEFAULT);
        cfg_opt_t list = CFG_STR_LIST(option.name, NULL, CFGF_NODEFAULT);

        options[n] = option.is_list ? list : plain;
        options[n].validcb = on_titled_value;
        options[n].def.number = (long)&reader->titled;
    }
    options[n] = end;
    return section;
}

static void options_make(struct reader *reader)
{
    cfg_opt_t include = CFG_FUNC("include", on_include);
    cfg_opt_t end = CFG_END();
    const char *section = "";
    size_t sections = 0, n[SECTIONS_MAX] = {0};

    for (size_t i = 0; i < conf_table_count; i++) {
        const struct conf_entry *entry = &conf_table[i];

        if (strcmp(entry->section, section) != 0) {
            cfg_opt_t sec = CFG_SEC(entry->section, reader->options[sections + 1], CFGF_NONE);

            section = entry->section;
            sections++;
            reader->options[0][n[0]++] = sec;
        }
        reader->slots[i] = (struct slot){.reader = reader, .entry = entry};
        reader->options[sections][n[sections]++] = option_of(&reader->slots[i]);
    }
    reader->titled.reader = reader;
    reader->options[0][n[0]++] = titled_section(reader, "partition", reader->titled_options[0]);
    reader->options[0][n[0]++] = titled_section(reader, "policy", reader->titled_options[1]);
    reader->options[0][n[0]++] = include;
    for (size_t i = 0; i <= sections; i++)
        reader->options[i][n[i]] = end;
}

/* ---- settings against each other ---- */

static uint64_t number_at(const struct conf_entry *entry, const struct conf *conf)
{
    const char *at = (const char *)conf + entry->offset;

    return entry->kind == CONF_BYTES ? *(const uint64_t *)(const void *)at
                                     : *(const uint32_t *)(const void *)at;
}

static struct slot *slot_named(struct reader *reader, const char *section, const char *name)
{
    for (size_t i = 0; i < conf_table_count; i++)
        if (strcmp(conf_table[i].section, section) == 0 && strcmp(conf_table[i].name, name) == 0)
            return &reader->slots[i];
    abort(); /* the names are literals below; a unit test passes here */
}

/* `small` may not be above `large`, where 0 is "follows the system". The error stands at the line that the
 * file has. */
static void check_order(struct reader *reader, const char *section, const char *small_name,
                        const char *large_name)
{
    const struct slot *small = slot_named(reader, section, small_name);
    const struct slot *large = slot_named(reader, section, large_name);
    char text[32];

    if (!number_at(large->entry, reader->conf) ||
        number_at(small->entry, reader->conf) <= number_at(large->entry, reader->conf))
        return;
    conf_value_format(large->entry, reader->conf, 0, text, sizeof(text));
    report(reader, reader->path, small->line ? small->line : large->line,
           "%s.%s: is larger than %s.%s, which is %s; raise that or lower this", section, small_name, section,
           large_name, text);
}

static void check_all(struct reader *reader)
{
    const struct conf *conf = reader->conf;
    const struct slot *users = slot_named(reader, "address_policy", "loopback_users");

    check_order(reader, "limits", "memory_uid", "memory_total");
    check_order(reader, "limits", "peers_uid", "peers_total");
    check_order(reader, "limits", "requests_uid", "requests_total");
    check_order(reader, "limits", "connections_uid", "connections_total");
    if (conf->loopback_uid_count && conf->loopback == 1)
        report(reader, reader->path, users->line,
               "address_policy.loopback_users: has no meaning while loopback = allow opens it to everybody; "
               "remove one");
}

/* ---- loading ---- */

/* libconfuse forgets a list's elements when it sees the next one, so after "= {}" the old ones are still
 * there, and marked. */
static void empty_lists(struct reader *reader)
{
    for (size_t i = 0; i < conf_table_count; i++) {
        const struct conf_entry *entry = &conf_table[i];
        char name[64];

        if (!conf_is_list(entry))
            continue;
        snprintf(name, sizeof(name), "%s%s%s", entry->section, entry->section[0] ? "|" : "", entry->name);
        if (cfg_getopt(reader->root, name)->flags & CFGF_RESET)
            conf_value_reset(entry, reader->conf);
    }
}

static int read_file(struct reader *reader, FILE *file)
{
    cfg_t *cfg = cfg_init(reader->options[0], CFGF_NONE);
    int rc;

    if (!cfg)
        return -ENOMEM;
    reader->root = cfg;
    cfg_set_error_function(cfg, on_syntax_error);
    cfg->filename = strdup(reader->path);
    if (!cfg->filename) {
        cfg_free(cfg);
        return -ENOMEM;
    }
    rc = cfg_parse_fp(cfg, file) == CFG_SUCCESS ? 0 : -EINVAL;
    if (rc == 0)
        empty_lists(reader);
    else if (!reader->failures)
        report(reader, reader->path, 0, "is not a configuration file");
    if (rc == 0 && !reader->failures)
        rc = conf_policies_make(reader->conf, cfg, reader->path, reader->errors);
    reader->root = NULL;
    cfg_free(cfg);
    return rc;
}

int conf_load(struct conf *conf, const char *path, FILE *errors)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    struct conf_fault fault;
    FILE *file = NULL;
    int rc;

    if (!reader)
        return -ENOMEM;
    reader->conf = conf;
    reader->path = path;
    reader->errors = errors;
    rc = conf_scan_open(path, &file, &fault);
    if (rc == -EINVAL)
        report(reader, path, fault.line, "%s", fault.why);
    if (rc < 0) {
        free(reader);
        return rc;
    }
    options_make(reader);
    rc = read_file(reader, file);
    if (rc == 0)
        check_all(reader);
    if (rc == 0 && reader->failures)
        rc = -EINVAL;
    free(reader);
    fclose(file);
    return rc;
}

void conf_done(struct conf *conf)
{
    policies_release(&conf->policies);
}

void conf_defaults(struct conf *conf)
{
    memset(conf, 0, sizeof(*conf));
    for (size_t i = 0; i < conf_table_count; i++)
        conf_value_reset(&conf_table[i], conf);
}

/* ---- dump ---- */

static void dump_entry(const struct conf_entry *entry, const struct conf *conf, FILE *out)
{
    char text[CONF_VALUE_MAX];

    fprintf(out, "%s%s = ", entry->section[0] ? "    " : "", entry->name);
    if (conf_is_list(entry)) {
        fputc('{', out);
        for (unsigned i = 0; i < conf_list_count(entry, conf); i++) {
            conf_value_format(entry, conf, i, text, sizeof(text));
            fputs(i ? ", " : "", out);
            conf_quote(text, out);
        }
        fputs("}\n", out);
        return;
    }
    conf_value_format(entry, conf, 0, text, sizeof(text));
    if (entry->kind == CONF_PATH || entry->kind == CONF_LISTEN)
        conf_quote(text, out);
    else
        fputs(text, out);
    fputc('\n', out);
}

void conf_dump(const struct conf *conf, FILE *out)
{
    const char *section = "";

    for (size_t i = 0; i < conf_table_count; i++) {
        const struct conf_entry *entry = &conf_table[i];

        if (strcmp(entry->section, section) != 0) {
            fprintf(out, "%s\n%s {\n", section[0] ? "}\n" : "", entry->section);
            section = entry->section;
        }
        dump_entry(entry, conf, out);
    }
    fputs(section[0] ? "}\n" : "", out);
    conf_policies_dump(conf->policies, out);
}
