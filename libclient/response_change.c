/* SPDX-License-Identifier: MIT */
/* response_change - what hooks change of a response. */
#include "libclient/response.h"

#include "common/uninit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int reqivo_response_set_status(struct reqivo_response *response, int status)
{
    if (!response || status < 100 || status > 999)
        return -EINVAL;
    response->status = (uint16_t)status;
    return 0;
}

/* The fields go into a new block, with the reason that lies behind them. */
int reqivo_response_set_field(struct reqivo_response *response, const char *name, const char *value)
{
    struct rqv_fields fields RQV_UNINIT; /* its first member is set below */
    struct rqv_pairs pairs;
    const char *reason;

    if (!response || !name || !*name)
        return -EINVAL;
    fields.count = 0;
    for (size_t i = 0; i < response->fields.count; i++) {
        struct rqv_str have = rqv_str_from(response->fields.at[i].name);
        if (!rqv_str_eq_nocase(have, rqv_str_from(name)))
            rqv_fields_add(&fields, have, rqv_str_from(response->fields.at[i].value));
    }
    if (value && rqv_fields_add(&fields, rqv_str_from(name), rqv_str_from(value)) < 0)
        return -EINVAL;
    int r = rqv_response_copy_fields(&fields, rqv_str_from(response->reason), &pairs, &reason);
    if (r < 0)
        return r;
    free(response->fields.at);
    response->fields = pairs;
    response->reason = reason;
    return 0;
}

int reqivo_response_set_body(struct reqivo_response *response, const void *bytes, size_t size)
{
    if (!response || (!bytes && size > 0) || size >= SIZE_MAX / 4)
        return -EINVAL;
    char *body = malloc(size + 1);
    if (!body)
        return -ENOMEM;
    if (size > 0)
        memcpy(body, bytes, size);
    body[size] = '\0';
    free(response->body);
    response->body = body;
    response->body_size = size;
    response->body_cap = size + 1;
    return 0;
}
