/* SPDX-License-Identifier: MIT */
/* coding_list - Content-Encoding (RFC 9110 8.4): a list of tokens over any number of field lines. */
#include "proto/coding.h"

#include <reqivo/error.h>

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return REQIVO_E_CODING;
}

/* The coding of that name; 0 for identity; -1 when there is none. RFC 9110 8.4.1: names are compared without
 * case, and x-gzip is gzip. `compress` is known to nobody. */
static int kind_of(struct rqv_str name)
{
    static const struct {
        struct rqv_str name;
        int kind;
    } known[] = {
        {{"gzip", 4}, RQV_CODING_GZIP},       {{"x-gzip", 6}, RQV_CODING_GZIP},
        {{"deflate", 7}, RQV_CODING_DEFLATE}, {{"br", 2}, RQV_CODING_BR},
        {{"zstd", 4}, RQV_CODING_ZSTD},       {{"identity", 8}, 0},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (rqv_str_eq_nocase(name, known[i].name))
            return known[i].kind;
    }
    return -1;
}

static int add_list(struct rqv_codings *codings, struct rqv_str list, const char **ret_why)
{
    struct rqv_str member;

    while (rqv_str_split(&list, ',', &member)) {
        int kind;

        member = rqv_str_trim(member);
        if (member.len == 0) /* RFC 9110 5.6.1.2 */
            continue;
        kind = kind_of(member);
        if (kind < 0)
            return refuse(ret_why, "the response has a content coding that is not known");
        if (kind == 0)
            continue;
        if (codings->count == RQV_CODINGS_MAX)
            return refuse(ret_why, "the response has more than 5 content codings");
        codings->at[codings->count++] = (uint8_t)kind;
    }
    return 0;
}

int rqv_codings_parse(const struct rqv_fields *fields, struct rqv_codings *ret_codings, const char **ret_why)
{
    struct rqv_codings codings = {0};
    const struct rqv_field *field;

    for (size_t n = 0; (field = rqv_fields_get(fields, RQV_STR("content-encoding"), n)) != NULL; n++) {
        int error = add_list(&codings, field->value, ret_why);

        if (error)
            return error;
    }
    *ret_codings = codings;
    return 0;
}
