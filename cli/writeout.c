/* SPDX-License-Identifier: MIT */
/* writeout - one table: a name, where its fact lies, how it is printed. */
#include "cli/writeout.h"

#include <ctype.h>
#include <reqivo/response.h>
#include <string.h>
#include <strings.h>

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
    FACT_SPEED,  /* uint64_t bytes, printed per second */
    FACT_SCHEME, /* bool */
    FACT_MINOR,  /* int */
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
    {"http_version", FACT_MINOR, AT(minor)},
    {"method", FACT_TEXT, AT(method)},
    {"num_connects", FACT_UINT, AT(num_connects)},
    {"num_headers", FACT_SIZE, AT(num_headers)},
    {"num_redirects", FACT_SIZE, AT(num_redirects)},
    {"redirect_url", FACT_TEXT, AT(redirect_url)},
    {"referer", FACT_TEXT, AT(referer)},
    {"remote_ip", FACT_ARRAY, AT(remote_ip)},
    {"remote_port", FACT_UINT, AT(remote_port)},
    {"response_code", FACT_STATUS, AT(status)},
    {"retried", FACT_BOOL, AT(retried)},
    {"reused", FACT_BOOL, AT(reused)},
    {"scheme", FACT_SCHEME, AT(https)},
    {"size_download", FACT_U64, AT(size_download)},
    {"size_header", FACT_U64, AT(size_header)},
    {"size_upload", FACT_U64, AT(size_upload)},
    {"speed_download", FACT_SPEED, AT(size_download)},
    {"speed_upload", FACT_SPEED, AT(size_upload)},
    {"ssl_verify_result", FACT_BOOL, AT(verify_failed)},
    {"time_appconnect", FACT_TIME, AT(appconnect_us)},
    {"time_connect", FACT_TIME, AT(connect_us)},
    {"time_namelookup", FACT_TIME, AT(namelookup_us)},
    {"time_pretransfer", FACT_TIME, AT(pretransfer_us)},
    {"time_queue", FACT_TIME, AT(queue_us)},
    {"time_redirect", FACT_TIME, AT(redirect_us)},
    {"time_starttransfer", FACT_TIME, AT(starttransfer_us)},
    {"time_total", FACT_TIME, AT(total_us)},
    {"url", FACT_TEXT, AT(url)},
    {"url_effective", FACT_TEXT, AT(url_effective)},
    {"urlnum", FACT_SIZE, AT(urlnum)},
};

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
    case FACT_SPEED:
        us = facts->total_us;
        fprintf(out, "%.0f", us ? (double)*(const uint64_t *)place * 1e6 / (double)us : 0.0);
        break;
    case FACT_SCHEME:
        fputs(*(const bool *)place ? "HTTPS" : "HTTP", out);
        break;
    case FACT_MINOR:
        if (facts->status)
            fprintf(out, "1.%d", *(const int *)place);
        else
            fputc('0', out);
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

/* ---- JSON ---- */

static void json_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void json_fact(const struct fact_row *row, const struct cli_facts *facts, FILE *out)
{
    const char *place = (const char *)facts + row->offset;
    bool quoted = row->kind == FACT_SCHEME || row->kind == FACT_MINOR;

    if (row->kind == FACT_TEXT && !*(const char *const *)place) {
        fputs("null", out);
    } else if (row->kind == FACT_TEXT) {
        json_text(*(const char *const *)place, out);
    } else if (row->kind == FACT_ARRAY) {
        json_text(place, out);
    } else if (row->kind == FACT_STATUS) { /* leading zeros are no JSON */
        fprintf(out, "%d", *(const int *)place);
    } else {
        fputs(quoted ? "\"" : "", out);
        fact_print(row, facts, out);
        fputs(quoted ? "\"" : "", out);
    }
}

/* "%{json}": one object, the names in order. */
static void json_facts(const struct cli_facts *facts, FILE *out)
{
    fputc('{', out);
    for (size_t i = 0; i < sizeof(fact_rows) / sizeof(fact_rows[0]); i++) {
        fprintf(out, "%s\"%s\":", i ? "," : "", fact_rows[i].name);
        json_fact(&fact_rows[i], facts, out);
    }
    fputc('}', out);
}

/* Is the n-th field the first of its name? */
static bool is_first(const struct reqivo_response *response, size_t n, const char *name)
{
    const char *other = NULL, *value = NULL;

    for (size_t i = 0; i < n && reqivo_response_field_at(response, i, &other, &value) == 0; i++)
        if (strcasecmp(other, name) == 0)
            return false;
    return true;
}

/* "%{header_json}": for each name, in lower case, the list of its values, as curl writes it. */
static void json_fields(const struct reqivo_response *response, FILE *out)
{
    const char *name = NULL, *value = NULL, *mark = "{";

    for (size_t i = 0; reqivo_response_field_at(response, i, &name, &value) == 0; i++) {
        if (!is_first(response, i, name))
            continue;
        fprintf(out, "%s\"", mark);
        for (const char *at = name; *at; at++)
            fputc(tolower((unsigned char)*at), out);
        fputs("\":", out);
        for (size_t n = 0; (value = reqivo_response_field(response, name, n)) != NULL; n++) {
            fputs(n ? "," : "[", out);
            json_text(value, out);
        }
        fputc(']', out);
        mark = ",\n";
    }
    fputs(*mark == '{' ? "{\n}" : "\n}", out);
}

/* ---- the format ---- */

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

static bool name_is(const char *name, size_t len, const char *other)
{
    return strlen(other) == len && memcmp(name, other, len) == 0;
}

struct writeout {
    const struct cli_facts *facts;
    FILE *out, *err, *to;
};

/* One "%{name}"; false ends the text. */
static bool name_print(struct writeout *writeout, const char *name, size_t len)
{
    const struct fact_row *row = fact_find(name, len);

    if (row)
        fact_print(row, writeout->facts, writeout->to);
    else if (name_is(name, len, "stderr"))
        writeout->to = writeout->err;
    else if (name_is(name, len, "stdout"))
        writeout->to = writeout->out;
    else if (name_is(name, len, "json"))
        json_facts(writeout->facts, writeout->to);
    else if (name_is(name, len, "header_json"))
        json_fields(writeout->facts->response, writeout->to);
    else if (name_is(name, len, "onerror"))
        return writeout->facts->exitcode != 0;
    else
        fprintf(writeout->err, "reqivo: unknown --write-out variable: '%.*s'\n", (int)len, name);
    return true;
}

static void field_print(struct writeout *writeout, const char *name, size_t len)
{
    char text[257]; /* no longer name comes through the daemon */
    const char *value;

    snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : sizeof(text) - 1), name);
    value = reqivo_response_field(writeout->facts->response, text, 0);
    fputs(value ? value : "", writeout->to);
}

void cli_writeout(const char *format, const struct cli_facts *facts, FILE *out, FILE *err)
{
    struct writeout writeout = {.facts = facts, .out = out, .err = err, .to = out};

    for (const char *at = format; *at; at++) {
        bool field = strncmp(at, "%header{", 8) == 0;
        const char *name = at + (field ? 8 : 2);
        const char *end = field || strncmp(at, "%{", 2) == 0 ? strchr(at, '}') : NULL;

        if (end && field) {
            field_print(&writeout, name, (size_t)(end - name));
        } else if (end) {
            if (!name_print(&writeout, name, (size_t)(end - name)))
                return;
        } else if (at[0] == '\\' && at[1]) {
            escape_print(*++at, writeout.to);
        } else {
            at += at[0] == '%' && at[1] == '%';
            fputc(*at, writeout.to);
        }
        if (end)
            at = end;
    }
}
