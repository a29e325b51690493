/* SPDX-License-Identifier: MIT */
/* fields - defaults and -H in curl's order. */
#include "cli/fields.h"

#include "cli/options.h"

#include <errno.h>
#include <reqivo/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIELDS_OWN 10 /* those that no -H asks for */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

enum cli_field_kind cli_field_split(const char *text, struct cli_field_text *ret_text)
{
    const char *mark = strchr(text, ':');
    const char *value, *end;
    bool colon = mark != NULL;

    if (!mark)
        mark = strchr(text, ';');
    if (!mark || mark == text)
        return CLI_FIELD_NONE;
    for (value = mark + 1; is_blank(*value);)
        value++;
    for (end = value + strlen(value); end > value && is_blank(end[-1]);)
        end--;
    *ret_text = (struct cli_field_text){
        .name = text, .name_len = (size_t)(mark - text), .value = value, .value_len = (size_t)(end - value)};
    if (!colon)
        return mark[1] ? CLI_FIELD_NONE
                       : CLI_FIELD_EMPTY; /* curl wants nothing after the ';', not even a blank */
    return ret_text->value_len ? CLI_FIELD_SET : CLI_FIELD_REMOVE;
}

static bool name_is(const struct cli_field_text *field, const char *name)
{
    return strlen(name) == field->name_len && strncasecmp(field->name, name, field->name_len) == 0;
}

/* Does -H say anything about this field? */
static bool is_given(const struct cli_options *options, const char *name)
{
    for (size_t i = 0; i < options->fields.count; i++) {
        struct cli_field_text field;

        if (cli_field_split(options->fields.items[i].text, &field) != CLI_FIELD_NONE && name_is(&field, name))
            return true;
    }
    return false;
}

static int fields_add(struct cli_fields *fields, const struct cli_field_text *field)
{
    char *block = malloc(field->name_len + field->value_len + 2);
    char *value;

    if (!block)
        return -ENOMEM;
    value = block + field->name_len + 1;
    memcpy(block, field->name, field->name_len);
    block[field->name_len] = '\0';
    memcpy(value, field->value, field->value_len);
    value[field->value_len] = '\0';
    fields->items[fields->count++] = (struct cli_field){.name = block, .value = value};
    return 0;
}

/* A default: only when -H is silent about it. */
static int fields_default(struct cli_fields *fields, const struct cli_options *options, const char *name,
                          const char *value)
{
    struct cli_field_text field = {
        .name = name, .name_len = strlen(name), .value = value, .value_len = value ? strlen(value) : 0};

    if (!value || is_given(options, name))
        return 0;
    return fields_add(fields, &field);
}

static bool value_is(const struct cli_field_text *field, const char *value)
{
    return strlen(value) == field->value_len && strncasecmp(field->value, value, field->value_len) == 0;
}

/* What the daemon writes itself, and -H may ask for: true when that is all that this field says. Any other
 * value is left for the library to send or to refuse. */
static bool fields_asked(struct cli_fields *fields, const struct cli_field_text *field)
{
    if (name_is(field, "Expect") && value_is(field, "100-continue"))
        return fields->expect_asked = true;
    if (name_is(field, "Connection") && value_is(field, "close"))
        return fields->fresh = true;
    return name_is(field, "Connection") && value_is(field, "keep-alive"); /* it is kept anyway */
}

/* Those of -H: Host alone goes first (host true), all others keep their order. */
static int fields_given(struct cli_fields *fields, const struct cli_options *options, bool host)
{
    for (size_t i = 0; i < options->fields.count; i++) {
        struct cli_field_text field;
        enum cli_field_kind kind = cli_field_split(options->fields.items[i].text, &field);
        int rc;

        if (kind == CLI_FIELD_NONE || name_is(&field, "Host") != host)
            continue;
        if (kind == CLI_FIELD_REMOVE && name_is(&field, "Expect"))
            fields->expect_refused = true;
        if (kind == CLI_FIELD_REMOVE || (kind == CLI_FIELD_SET && fields_asked(fields, &field)))
            continue;
        rc = fields_add(fields, &field);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* -r "5" is "bytes=5-", as with curl. */
static int fields_range(struct cli_fields *fields, const struct cli_options *options)
{
    const char *range = options->range;
    char text[128];

    if (!range)
        return 0;
    snprintf(text, sizeof(text), "bytes=%s%s", range,
             range[0] >= '0' && range[0] <= '9' && !strchr(range, '-') ? "-" : "");
    return fields_default(fields, options, "Range", text);
}

/* -e "URL;auto": what stands before the mark. */
static int fields_referer(struct cli_fields *fields, const struct cli_options *options)
{
    const char *text = options->referer;
    struct cli_field_text field = {.name = "Referer", .name_len = strlen("Referer"), .value = text};
    size_t len = text ? strlen(text) : 0;

    if (cli_referer_auto(options))
        len -= strlen(";auto");
    field.value_len = len;
    return len && !is_given(options, "Referer") ? fields_add(fields, &field) : 0;
}

bool cli_referer_auto(const struct cli_options *options)
{
    size_t len = options->referer ? strlen(options->referer) : 0;

    return len >= 5 && strcmp(options->referer + len - 5, ";auto") == 0;
}

/* What the body says of itself, behind the fields of -H. */
static int fields_content(struct cli_fields *fields, const struct cli_options *options)
{
    bool json = cli_options_json(options);
    int rc = 0;

    if (json)
        rc = fields_default(fields, options, "Content-Type", "application/json");
    else if (cli_options_form(options))
        rc = fields_default(fields, options, "Content-Type", "application/x-www-form-urlencoded");
    return rc == 0 && json ? fields_default(fields, options, "Accept", "application/json") : rc;
}

int cli_fields_build(const struct cli_options *options, const struct cli_field_values *values,
                     struct cli_fields *ret_fields)
{
    char agent[64];
    const char *name = agent;
    const char *accept = cli_options_json(options) ? NULL : "*/*";
    int rc;

    *ret_fields = (struct cli_fields){0};
    ret_fields->items = calloc(options->fields.count + FIELDS_OWN, sizeof(*ret_fields->items));
    if (!ret_fields->items)
        return -ENOMEM;
    snprintf(agent, sizeof(agent), "reqivo/%s", reqivo_version());
    if (options->agent)
        name = options->agent[0] ? options->agent : NULL;
    rc = fields_given(ret_fields, options, true);
    if (rc == 0)
        rc = fields_default(ret_fields, options, "Authorization", values->authorization);
    if (rc == 0)
        rc = fields_range(ret_fields, options);
    if (rc == 0)
        rc = fields_default(ret_fields, options, "User-Agent", name);
    if (rc == 0)
        rc = fields_default(ret_fields, options, "Accept", accept);
    if (rc == 0 && options->compressed)
        rc = fields_default(ret_fields, options, "Accept-Encoding", "deflate, gzip, br, zstd");
    if (rc == 0)
        rc = fields_referer(ret_fields, options);
    if (rc == 0)
        rc = fields_default(ret_fields, options, "Cookie", values->cookie);
    if (rc == 0)
        rc = fields_given(ret_fields, options, false);
    return rc == 0 ? fields_content(ret_fields, options) : rc;
}

void cli_fields_done(struct cli_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        explicit_bzero((char *)fields->items[i].value, strlen(fields->items[i].value));
        free(fields->items[i].name);
    }
    free(fields->items);
    *fields = (struct cli_fields){0};
}
