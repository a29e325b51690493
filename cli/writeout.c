/* SPDX-License-Identifier: MIT */
/* writeout - one table: a name, where its fact lies, how it is printed. */
#include "cli/writeout.h"

#include <string.h>

enum fact_kind {
    FACT_TEXT,   /* const char *, NULL prints nothing */
    FACT_ARRAY,  /* char[] */
    FACT_INT,    /* int */
    FACT_UINT,   /* unsigned */
    FACT_SIZE,   /* size_t */
    FACT_U64,    /* uint64_t */
    FACT_TIME,   /* uint64_t us, printed as seconds */
    FACT_BOOL,   /* 0 or 1 */
    FACT_STATUS, /* int, three digits */
    FACT_OTHER,  /* computed in fact_print_other() */
};

struct fact_row {
    const char *name;
    enum fact_kind kind;
    size_t offset;
};

#define AT(member) offsetof(struct cli_facts, member)

static const struct fact_row fact_rows[] = {
    {"content_type", FACT_TEXT, AT(content_type)},
    {"errormsg", FACT_TEXT, AT(errormsg)},
    {"exitcode", FACT_INT, AT(exitcode)},
    {"filename_effective", FACT_TEXT, AT(filename)},
    {"http_code", FACT_STATUS, AT(status)},
    {"http_version", FACT_OTHER, AT(minor)},
    {"method", FACT_TEXT, AT(method)},
    {"num_connects", FACT_UINT, AT(num_connects)},
    {"num_headers", FACT_SIZE, AT(num_headers)},
    {"remote_ip", FACT_ARRAY, AT(remote_ip)},
    {"remote_port", FACT_UINT, AT(remote_port)},
    {"response_code", FACT_STATUS, AT(status)},
    {"retried", FACT_BOOL, AT(retried)},
    {"reused", FACT_BOOL, AT(reused)},
    {"scheme", FACT_OTHER, AT(https)},
    {"size_download", FACT_U64, AT(size_download)},
    {"speed_download", FACT_OTHER, AT(total_us)},
    {"time_appconnect", FACT_TIME, AT(appconnect_us)},
    {"time_connect", FACT_TIME, AT(connect_us)},
    {"time_namelookup", FACT_TIME, AT(namelookup_us)},
    {"time_pretransfer", FACT_TIME, AT(pretransfer_us)},
    {"time_queue", FACT_TIME, AT(queue_us)},
    {"time_starttransfer", FACT_TIME, AT(starttransfer_us)},
    {"time_total", FACT_TIME, AT(total_us)},
    {"url", FACT_TEXT, AT(url)},
    {"url_effective", FACT_TEXT, AT(url_effective)},
    {"urlnum", FACT_SIZE, AT(urlnum)},
};

static void fact_print_other(const struct fact_row *row, const struct cli_facts *facts, FILE *out)
{
    if (row->offset == AT(https))
        fputs(facts->https ? "HTTPS" : "HTTP", out);
    else if (row->offset == AT(minor) && facts->status)
        fprintf(out, "1.%d", facts->minor);
    else if (row->offset == AT(minor))
        fputs("0", out);
    else
        fprintf(out, "%.0f",
                facts->total_us ? (double)facts->size_download * 1e6 / (double)facts->total_us : 0.0);
}

static void fact_print(const struct fact_row *row, const struct cli_facts *facts, FILE *out)
{
    const char *place = (const char *)facts + row->offset;
    const char *text;
    uint64_t us;

    switch (row->kind) {
    case FACT_TEXT:
        text = *(const char *const *)place;
        fputs(text ? text : "", out);
        break;
    case FACT_ARRAY:
        fputs(place, out);
        break;
    case FACT_INT:
        fprintf(out, "%d", *(const int *)place);
        break;
    case FACT_UINT:
        fprintf(out, "%u", *(const unsigned *)place);
        break;
    case FACT_SIZE:
        fprintf(out, "%zu", *(const size_t *)place);
        break;
    case FACT_U64:
        fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)place);
        break;
    case FACT_TIME:
        us = *(const uint64_t *)place;
        fprintf(out, "%llu.%06llu", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
        break;
    case FACT_BOOL:
        fputc(*(const bool *)place ? '1' : '0', out);
        break;
    case FACT_STATUS:
        fprintf(out, "%03d", *(const int *)place);
        break;
    case FACT_OTHER:
        fact_print_other(row, facts, out);
        break;
    }
}

static const struct fact_row *fact_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(fact_rows) / sizeof(fact_rows[0]); i++)
        if (strlen(fact_rows[i].name) == len && memcmp(fact_rows[i].name, name, len) == 0)
            return &fact_rows[i];
    return NULL;
}

/* "\n" and its like; any other pair is printed as it is. */
static void escape_print(char c, FILE *out)
{
    switch (c) {
    case 'n':
        fputc('\n', out);
        break;
    case 'r':
        fputc('\r', out);
        break;
    case 't':
        fputc('\t', out);
        break;
    default:
        fputc('\\', out);
        fputc(c, out);
    }
}

void cli_writeout(const char *format, const struct cli_facts *facts, FILE *out, FILE *err)
{
    FILE *to = out;

    for (const char *at = format; *at; at++) {
        const char *end = at[0] == '%' && at[1] == '{' ? strchr(at, '}') : NULL;
        size_t len = end ? (size_t)(end - at - 2) : 0;
        const struct fact_row *row = end ? fact_find(at + 2, len) : NULL;

        if (row) {
            fact_print(row, facts, to);
        } else if (end && len == 6 && memcmp(at + 2, "stderr", 6) == 0) {
            to = err;
        } else if (end && len == 6 && memcmp(at + 2, "stdout", 6) == 0) {
            to = out;
        } else if (end) {
            fprintf(err, "reqivo: unknown --write-out variable: '%.*s'\n", (int)len, at + 2);
        } else if (at[0] == '\\' && at[1]) {
            escape_print(*++at, to);
        } else {
            if (at[0] == '%' && at[1] == '%')
                at++;
            fputc(*at, to);
        }
        if (end)
            at = end;
    }
}
