/* SPDX-License-Identifier: MIT */
/*
 * fuzz_fields - lines "name:value" of the input become fields. What check_request lets pass is byte by byte
 * what RFC 9110 allows, names none of the daemon's fields and at most one Host; secrets are known by their
 * names; look-ups agree with a plain search.
 */
#include "proto/fields.h"

#include <reqivo/error.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void read_fields(struct rqv_fields *fields, struct rqv_str text)
{
    struct rqv_str line, name;

    fields->count = 0;
    while (rqv_str_split(&text, '\n', &line)) {
        if (!rqv_str_split(&line, ':', &name))
            continue;
        if (rqv_fields_add(fields, name, line) != 0)
            demand(fields->count == RQV_FIELDS_MAX);
    }
}

static bool is_name(struct rqv_str name, const char *text)
{
    return name.len == strlen(text) && strncasecmp(name.ptr, text, name.len) == 0;
}

static void check_secret(struct rqv_str name)
{
    static const char *const names[] = {"authorization", "cookie", "cookie2", "proxy-authorization"};
    static const char *const ends[] = {"-key",    "apikey",    "-auth",         "-token",
                                       "-secret", "-password", "-authorization"};
    bool secret = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        secret |= is_name(name, names[i]);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t len = strlen(ends[i]);
        secret |= name.len >= len && strncasecmp(name.ptr + name.len - len, ends[i], len) == 0;
    }
    demand(rqv_field_is_secret(name) == (secret && !is_name(name, "idempotency-key")));
}

static void check_allowed(const struct rqv_fields *fields)
{
    static const char *const refused[] = {
        "te",         "expect",         "trailer",        "upgrade",          "connection",
        "keep-alive", "http2-settings", "content-length", "transfer-encoding"};
    size_t hosts = 0;

    for (size_t i = 0; i < fields->count; i++) {
        struct rqv_str name = fields->at[i].name, value = fields->at[i].value;

        demand(name.len > 0);
        check_secret(name);
        for (size_t j = 0; j < name.len; j++)
            demand((unsigned char)name.ptr[j] > 0x20 && (unsigned char)name.ptr[j] < 0x7f &&
                   name.ptr[j] != ':');
        for (size_t j = 0; j < value.len; j++)
            demand(value.ptr[j] == '\t' || ((unsigned char)value.ptr[j] >= 0x20 && value.ptr[j] != 0x7f));
        for (size_t j = 0; j < sizeof(refused) / sizeof(refused[0]); j++)
            demand(!is_name(name, refused[j]));
        demand(name.len < 6 || strncasecmp(name.ptr, "proxy-", 6) != 0);
        hosts += is_name(name, "host");
    }
    demand(hosts <= 1);
}

/* A list without quotes is what splitting at commas says. The first few names are looked up: it takes long.
 */
static bool plain_has(struct rqv_str list, struct rqv_str token)
{
    struct rqv_str part;

    while (rqv_str_split(&list, ',', &part)) {
        if (rqv_str_eq_nocase(rqv_str_trim(part), token))
            return true;
    }
    return false;
}

static void check_look_ups(const struct rqv_fields *fields)
{
    struct rqv_str close = RQV_STR("close");

    for (size_t i = 0; i < fields->count && i < 4; i++) {
        struct rqv_str name = fields->at[i].name;
        bool quoted = false, expected = false;
        size_t n = 0, j = 0;

        for (; j < fields->count; j++) {
            if (!rqv_str_eq_nocase(fields->at[j].name, name))
                continue;
            demand(rqv_fields_get(fields, name, n++) == &fields->at[j]);
            quoted |=
                fields->at[j].value.len > 0 && memchr(fields->at[j].value.ptr, '"', fields->at[j].value.len);
            expected |= plain_has(fields->at[j].value, close);
        }
        demand(!rqv_fields_get(fields, name, n));
        /* quotes only hide members, they never make one */
        demand(rqv_fields_has_token(fields, name, close) == expected || (quoted && expected));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rqv_fields fields;
    size_t which = SIZE_MAX;
    int error;

    read_fields(&fields, (struct rqv_str){(const char *)data, size});
    error = rqv_fields_check_request(&fields, &which);
    demand(error == 0 || (error == REQIVO_E_FIELD && which < fields.count));
    if (error == 0)
        check_allowed(&fields);
    check_look_ups(&fields);
    return 0;
}
