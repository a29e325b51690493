/* SPDX-License-Identifier: MIT */
/* response_hops - the history of a response: each redirect that was followed, and the request that was
 * answered in the end. */
#include "libclient/request.h"
#include "libclient/response.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Both texts in one block, which is *ret_method. */
static int copy_both(struct rqv_str method, struct rqv_str url, char **ret_method, char **ret_url)
{
    char *block = malloc(method.len + url.len + 2);

    if (!block)
        return -ENOMEM;
    rqv_copy_text(block, method.len + 1, method);
    rqv_copy_text(block + method.len + 1, url.len + 1, url);
    *ret_method = block;
    *ret_url = block + method.len + 1;
    return 0;
}

int rqv_response_set_origin(struct reqivo_response *response, struct rqv_str method, struct rqv_str url)
{
    char *old = response->method;
    int r = copy_both(method, url, &response->method, &response->url);

    if (r == 0)
        free(old);
    return r;
}

int rqv_response_add_hop(struct reqivo_response *response, const struct reqivo_request *request,
                         const struct rqv_response_head *head)
{
    struct rqv_hop_record record = {.status = head->status, .minor = head->minor};
    struct rqv_request_head first;

    struct rqv_hop_record *hops = realloc(response->hops, (response->hop_count + 1) * sizeof *hops);
    if (!hops)
        return -ENOMEM;
    response->hops = hops;
    rqv_request_head(request, &first);
    struct rqv_str method = response->method ? rqv_str_from(response->method) : first.method;
    struct rqv_str url = response->url ? rqv_str_from(response->url) : first.url;
    int r = rqv_response_copy_fields(&head->fields, head->reason, &record.fields, &record.reason);
    if (r == 0)
        r = copy_both(method, url, &record.method, &record.url);
    if (r < 0) {
        free(record.fields.at);
        return r;
    }
    memcpy(record.time_us, head->time_us, sizeof record.time_us);
    rqv_copy_text(record.address, sizeof record.address, head->address);
    hops[response->hop_count++] = record;
    return 0;
}

/* ---- getters ---- */

static const struct rqv_hop_record *hop_at(const struct reqivo_response *response, size_t hop)
{
    return response && hop < response->hop_count ? &response->hops[hop] : NULL;
}

const char *reqivo_response_url(const struct reqivo_response *response)
{
    return response && response->url ? response->url : "";
}

const char *reqivo_response_method(const struct reqivo_response *response)
{
    return response && response->method ? response->method : "";
}

size_t reqivo_response_hop_count(const struct reqivo_response *response)
{
    return response ? response->hop_count : 0;
}

int reqivo_response_hop_status(const struct reqivo_response *response, size_t hop)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record ? record->status : 0;
}

int reqivo_response_hop_minor(const struct reqivo_response *response, size_t hop)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record ? record->minor : 0;
}

const char *reqivo_response_hop_reason(const struct reqivo_response *response, size_t hop)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record ? record->reason : "";
}

const char *reqivo_response_hop_method(const struct reqivo_response *response, size_t hop)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record ? record->method : "";
}

const char *reqivo_response_hop_url(const struct reqivo_response *response, size_t hop)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record ? record->url : "";
}

const char *reqivo_response_hop_address(const struct reqivo_response *response, size_t hop)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record ? record->address : "";
}

int reqivo_response_hop_field_at(const struct reqivo_response *response, size_t hop, size_t n,
                                 const char **ret_name, const char **ret_value)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record ? rqv_pair_at(&record->fields, n, ret_name, ret_value) : -ENOENT;
}

const char *reqivo_response_hop_field(const struct reqivo_response *response, size_t hop, const char *name,
                                      size_t n)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record && name ? rqv_pair_find(&record->fields, name, n) : NULL;
}

uint64_t reqivo_response_hop_time_us(const struct reqivo_response *response, size_t hop, int which)
{
    const struct rqv_hop_record *record = hop_at(response, hop);

    return record && which >= 0 && which < RQV_TIME_COUNT ? record->time_us[which] : 0;
}
