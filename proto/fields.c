/* SPDX-License-Identifier: MIT */
/* fields - the list of views, look-ups in it, and what a program may put into a request. */
#include "proto/fields.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

int rqv_fields_add(struct rqv_fields *fields, struct rqv_str name, struct rqv_str value)
{
    if (fields->count >= RQV_FIELDS_MAX)
        return -E2BIG;
    fields->at[fields->count++] = (struct rqv_field){name, value};
    return 0;
}

const struct rqv_field *rqv_fields_get(const struct rqv_fields *fields, struct rqv_str name, size_t n)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (rqv_str_eq_nocase(fields->at[i].name, name) && n-- == 0)
            return &fields->at[i];
    }
    return NULL;
}

/* Takes the next member of a list off the front of *rest. A comma inside of a quoted string does not separate
 * (RFC 9110 5.6.4); one that is never closed reaches to the end. */
static struct rqv_str take_member(struct rqv_str *rest)
{
    struct rqv_str member = {rest->ptr, 0};
    bool quoted = false;
    size_t i = 0;

    for (; i < rest->len && (quoted || rest->ptr[i] != ','); i++) {
        if (rest->ptr[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->ptr[i] == '\\' && i + 1 < rest->len)
            i++;
    }
    member.len = i;
    i += i < rest->len; /* the comma */
    rest->ptr += i;
    rest->len -= i;
    return rqv_str_trim(member);
}

static bool list_has(struct rqv_str list, struct rqv_str token)
{
    while (list.len > 0) {
        if (rqv_str_eq_nocase(take_member(&list), token))
            return true;
    }
    return false;
}

_Bool rqv_fields_has_token(const struct rqv_fields *fields, struct rqv_str name, struct rqv_str token)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (rqv_str_eq_nocase(fields->at[i].name, name) && list_has(fields->at[i].value, token))
            return true;
    }
    return false;
}

static bool ends_with(struct rqv_str name, struct rqv_str end)
{
    return name.len >= end.len &&
           rqv_str_eq_nocase((struct rqv_str){name.ptr + name.len - end.len, end.len}, end);
}

bool rqv_field_is_secret(struct rqv_str name)
{
    static const struct rqv_str names[] = {
        {"Authorization", 13}, {"Cookie", 6}, {"Cookie2", 7}, {"Proxy-Authorization", 19}};
    static const struct rqv_str ends[] = {{"-key", 4},           {"apikey", 6},  {"-auth", 5},
                                          {"-token", 6},         {"-secret", 7}, {"-password", 9},
                                          {"-authorization", 14}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (rqv_str_eq_nocase(name, names[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (ends_with(name, ends[i]))
            return !rqv_str_eq_nocase(name, RQV_STR("Idempotency-Key"));
    }
    return false;
}

/* Framing, hop-by-hop (RFC 9110 7.6.1) and proxy fields: the daemon writes those, from what it knows. */
static bool is_daemons_own(struct rqv_str name)
{
    static const struct {
        const char *name;
        size_t len;
    } own[] = {
        {"TE", 2},
        {"Expect", 6},
        {"Trailer", 7},
        {"Upgrade", 7},
        {"Connection", 10},
        {"Keep-Alive", 10},
        {"Content-Length", 14},
        {"HTTP2-Settings", 14},
        {"Transfer-Encoding", 17},
    };
    struct rqv_str proxy = {name.ptr, 6};

    if (name.len >= proxy.len && rqv_str_eq_nocase(proxy, RQV_STR("Proxy-")))
        return true;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (rqv_str_eq_nocase(name, (struct rqv_str){own[i].name, own[i].len}))
            return true;
    }
    return false;
}

/* uri-host [":" port] by its bytes alone: nothing in it can end the field, name a user or begin a path. */
static bool is_host_value(struct rqv_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = rqv_ascii_lower((unsigned char)value.ptr[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._:[]", c))))
            return false;
    }
    return value.len > 0;
}

int rqv_fields_check_request(const struct rqv_fields *fields, size_t *ret_which)
{
    size_t hosts = 0;

    for (size_t i = 0; i < fields->count; i++) {
        const struct rqv_field *field = &fields->at[i];
        bool good = rqv_str_is_token(field->name) && rqv_str_is_field_value(field->value) &&
                    !is_daemons_own(field->name);

        if (good && rqv_str_eq_nocase(field->name, RQV_STR("Host")))
            good = ++hosts == 1 && is_host_value(field->value);
        if (!good) {
            *ret_which = i;
            return REQIVO_E_FIELD;
        }
    }
    return 0;
}
