/* SPDX-License-Identifier: MIT */
/* response - the object of response.h: filled from decoded frames, then read by the getters of
 * <reqivo/response.h>. */
#include "libclient/response.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BODY = 4096, ANNOUNCED_MAX = 1048576 };

struct reqivo_response *rqv_response_new(uint64_t id)
{
    struct reqivo_response *response = malloc(sizeof *response);

    if (response)
        *response = (struct reqivo_response){.id = id, .content_length = -1, .reason = ""};
    return response;
}

static void free_content(struct reqivo_response *response)
{
    for (size_t i = 0; i < response->hop_count; i++) {
        free(response->hops[i].method);
        free(response->hops[i].fields.at);
    }
    free(response->hops);
    free(response->method);
    free(response->fields.at);
    free(response->trailers.at);
    free(response->body);
}

void rqv_response_reset(struct reqivo_response *response)
{
    uint64_t id = response->id;

    free_content(response);
    *response = (struct reqivo_response){.id = id, .content_length = -1, .reason = ""};
}

void reqivo_response_free(struct reqivo_response *response)
{
    if (!response)
        return;
    free_content(response);
    free(response);
}

void rqv_copy_text(char *to, size_t size, struct rqv_str text)
{
    size_t n = text.len < size ? text.len : size - 1;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        to[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    to[n] = '\0';
}

static char *put_text(char **at, struct rqv_str text)
{
    char *start = *at;

    if (text.len > 0)
        memcpy(start, text.ptr, text.len);
    start[text.len] = '\0';
    *at = start + text.len + 1;
    return start;
}

static bool has_nul(struct rqv_str text)
{
    return text.len > 0 && memchr(text.ptr, '\0', text.len);
}

int rqv_response_copy_fields(const struct rqv_fields *fields, struct rqv_str extra,
                             struct rqv_pairs *ret_pairs, const char **ret_extra)
{
    size_t size = fields->count * sizeof(struct rqv_pair) + extra.len + 1;

    if (has_nul(extra))
        return REQIVO_E_WIRE;
    for (size_t i = 0; i < fields->count; i++) {
        const struct rqv_field *field = &fields->at[i];
        if (has_nul(field->name) || has_nul(field->value))
            return REQIVO_E_WIRE;
        size += field->name.len + field->value.len + 2;
    }
    struct rqv_pair *block = malloc(size);
    if (!block)
        return -ENOMEM;
    char *at = (char *)(block + fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        block[i].name = put_text(&at, fields->at[i].name);
        block[i].value = put_text(&at, fields->at[i].value);
    }
    *ret_extra = put_text(&at, extra);
    *ret_pairs = (struct rqv_pairs){block, fields->count};
    return 0;
}

static void set_times(struct reqivo_response *response, const uint32_t time_us[RQV_TIME_COUNT])
{
    for (size_t i = 0; i < RQV_TIME_COUNT; i++)
        response->time_us[i] = time_us[i];
}

int rqv_response_set_head(struct reqivo_response *response, const struct rqv_response_head *head)
{
    int r = rqv_response_copy_fields(&head->fields, head->reason, &response->fields, &response->reason);

    if (r < 0)
        return r;
    response->status = head->status;
    response->minor = head->minor;
    response->flags = head->flags;
    response->content_length = head->content_length;
    set_times(response, head->time_us);
    rqv_copy_text(response->err.address, sizeof response->err.address, head->address);
    return 0;
}

int rqv_response_set_row(struct reqivo_response *response, const struct rqv_fields *fields)
{
    return rqv_response_copy_fields(fields, (struct rqv_str){NULL, 0}, &response->fields, &response->reason);
}

int rqv_response_set_trailers(struct reqivo_response *response, const struct rqv_fields *fields)
{
    const char *nothing;

    return rqv_response_copy_fields(fields, (struct rqv_str){NULL, 0}, &response->trailers, &nothing);
}

/* The next size of the body's block: what was announced, as far as that is believed before its bytes have
 * come, else doubling. */
static size_t body_target(const struct reqivo_response *response, size_t need)
{
    size_t target = response->body_cap > 0 ? response->body_cap * 2 : FIRST_BODY;

    if (response->content_length >= 0 && (uint64_t)response->content_length >= need - 1) {
        uint64_t announced = (uint64_t)response->content_length + 1;
        if (target < ANNOUNCED_MAX)
            target = ANNOUNCED_MAX;
        if (target > announced)
            target = (size_t)announced;
    }
    return target > need ? target : need;
}

int rqv_response_append(struct reqivo_response *response, struct rqv_str bytes)
{
    if (bytes.len >= SIZE_MAX / 4 - response->body_size)
        return -ENOMEM;
    size_t need = response->body_size + bytes.len + 1;
    if (need > response->body_cap) {
        size_t cap = body_target(response, need);
        char *body = realloc(response->body, cap);
        if (!body)
            return -ENOMEM;
        response->body = body;
        response->body_cap = cap;
    }
    if (bytes.len > 0)
        memcpy(response->body + response->body_size, bytes.ptr, bytes.len);
    response->body_size += bytes.len;
    response->body[response->body_size] = '\0';
    return 0;
}

void rqv_response_set_done(struct reqivo_response *response, const struct rqv_done *done)
{
    response->err.code = done->code;
    response->err.sys_errno = done->sys_errno;
    response->err.phase = done->phase;
    response->err.sent = done->sent;
    response->flags |= done->flags;
    set_times(response, done->time_us);
    rqv_copy_text(response->err.detail, sizeof response->err.detail, done->detail);
    if (done->address.len > 0)
        rqv_copy_text(response->err.address, sizeof response->err.address, done->address);
}

/* ---- getters ---- */

int reqivo_response_error(const struct reqivo_response *response)
{
    return response ? response->err.code : 0;
}

int reqivo_response_phase(const struct reqivo_response *response)
{
    return response ? response->err.phase : 0;
}

int reqivo_response_errno(const struct reqivo_response *response)
{
    return response ? response->err.sys_errno : 0;
}

int reqivo_response_sent(const struct reqivo_response *response)
{
    return response ? response->err.sent : 0;
}

const char *reqivo_response_detail(const struct reqivo_response *response)
{
    return response ? response->err.detail : "";
}

const char *reqivo_response_address(const struct reqivo_response *response)
{
    return response ? response->err.address : "";
}

uint64_t reqivo_response_id(const struct reqivo_response *response)
{
    return response ? response->id : 0;
}

int reqivo_response_status(const struct reqivo_response *response)
{
    return response ? response->status : 0;
}

int reqivo_response_minor(const struct reqivo_response *response)
{
    return response ? response->minor : 0;
}

const char *reqivo_response_reason(const struct reqivo_response *response)
{
    return response ? response->reason : "";
}

int rqv_pair_at(const struct rqv_pairs *pairs, size_t n, const char **ret_name, const char **ret_value)
{
    if (n >= pairs->count)
        return -ENOENT;
    if (ret_name)
        *ret_name = pairs->at[n].name;
    if (ret_value)
        *ret_value = pairs->at[n].value;
    return 0;
}

const char *rqv_pair_find(const struct rqv_pairs *pairs, const char *name, size_t n)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (rqv_str_eq_nocase(rqv_str_from(pairs->at[i].name), rqv_str_from(name)) && n-- == 0)
            return pairs->at[i].value;
    return NULL;
}

size_t reqivo_response_field_count(const struct reqivo_response *response)
{
    return response ? response->fields.count : 0;
}

int reqivo_response_field_at(const struct reqivo_response *response, size_t n, const char **ret_name,
                             const char **ret_value)
{
    return response ? rqv_pair_at(&response->fields, n, ret_name, ret_value) : -ENOENT;
}

const char *reqivo_response_field(const struct reqivo_response *response, const char *name, size_t n)
{
    return response && name ? rqv_pair_find(&response->fields, name, n) : NULL;
}

size_t reqivo_response_trailer_count(const struct reqivo_response *response)
{
    return response ? response->trailers.count : 0;
}

int reqivo_response_trailer_at(const struct reqivo_response *response, size_t n, const char **ret_name,
                               const char **ret_value)
{
    return response ? rqv_pair_at(&response->trailers, n, ret_name, ret_value) : -ENOENT;
}

const void *reqivo_response_body(const struct reqivo_response *response)
{
    if (!response)
        return NULL;
    return response->body ? response->body : "";
}

const char *reqivo_response_text(const struct reqivo_response *response)
{
    return response && response->body ? response->body : "";
}

size_t reqivo_response_body_size(const struct reqivo_response *response)
{
    return response ? response->body_size : 0;
}

int64_t reqivo_response_content_length(const struct reqivo_response *response)
{
    return response ? response->content_length : 0;
}

int reqivo_response_reused(const struct reqivo_response *response)
{
    return response ? (response->flags & RQV_RESP_REUSED) != 0 : 0;
}

int reqivo_response_retried(const struct reqivo_response *response)
{
    return response ? (response->flags & RQV_RESP_RETRIED) != 0 : 0;
}

uint64_t reqivo_response_time_us(const struct reqivo_response *response, int which)
{
    return response && which >= 0 && which <= REQIVO_TIME_CALL ? response->time_us[which] : 0;
}
