/* SPDX-License-Identifier: MIT */
/* request_route - the setters of a request that say where it may go: redirects, TLS versions, route, hooks;
 * and the requests that are made by the library: hops and operations. */
#include "libclient/channel.h"
#include "libclient/request.h"
#include "proto/fields.h"
#include "proto/url.h"
#include "proto/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_HOST RQV_STR("Host")

static int set_flag(struct reqivo_request *request, uint32_t flag, bool on)
{
    if (!request)
        return -EINVAL;
    request->flags = on ? request->flags | flag : request->flags & ~flag;
    return 0;
}

int reqivo_request_set_redirects(struct reqivo_request *request, unsigned max)
{
    if (!request || max > RQV_WIRE_REDIRECTS_MAX)
        return -EINVAL;
    request->redirect_max = (uint16_t)max;
    return 0;
}

int reqivo_request_set_redirect_policy(struct reqivo_request *request, unsigned policy)
{
    const unsigned known = REQIVO_REDIRECT_DOWNGRADE | REQIVO_REDIRECT_TRUSTED | REQIVO_REDIRECT_KEEP_METHOD;

    if (!request || (policy & ~known))
        return -EINVAL;
    set_flag(request, RQV_REQ_DOWNGRADE, policy & REQIVO_REDIRECT_DOWNGRADE);
    set_flag(request, RQV_REQ_TRUSTED, policy & REQIVO_REDIRECT_TRUSTED);
    return set_flag(request, RQV_REQ_KEEP_METHOD, policy & REQIVO_REDIRECT_KEEP_METHOD);
}

int reqivo_request_set_decode(struct reqivo_request *request, int on)
{
    return set_flag(request, RQV_REQ_DECODE, on != 0);
}

/* 12 and 13 are 2 and 3 on the wire. */
static int tls_version(int version)
{
    if (version == 0)
        return RQV_TLS_DEFAULT;
    return version == 12 || version == 13 ? version - 10 : -EINVAL;
}

int reqivo_request_set_tls_versions(struct reqivo_request *request, int min, int max)
{
    int least = tls_version(min), greatest = tls_version(max);

    if (!request || least < 0 || greatest < 0 || (greatest != RQV_TLS_DEFAULT && least > greatest))
        return -EINVAL;
    request->tls_min = (uint8_t)least;
    request->tls_max = (uint8_t)greatest;
    return 0;
}

int reqivo_request_set_route(struct reqivo_request *request, const char *route)
{
    char *copy = NULL;

    if (!request || (route && (strlen(route) > RQV_WIRE_ROUTE_MAX || !strrchr(route, ':'))))
        return -EINVAL;
    if (route && !(copy = strdup(route)))
        return -ENOMEM;
    free(request->route);
    request->route = copy;
    return 0;
}

int reqivo_request_set_hooks(struct reqivo_request *request, reqivo_before_fn before, reqivo_after_fn after,
                             void *userdata)
{
    if (!request)
        return -EINVAL;
    request->before = before;
    request->after = after;
    request->hook_userdata = userdata;
    return set_flag(request, RQV_REQ_ASK, before != NULL);
}

/* ---- the texts ---- */

static char *text_of(const struct reqivo_request *request)
{
    return (char *)request->text.data + request->text.start;
}

/* Puts `with` in place of the `len` bytes at `at`. */
static int replace_text(struct reqivo_request *request, size_t at, size_t len, struct rqv_str with)
{
    size_t behind = rqv_buf_len(&request->text) - at - len;

    if (with.len > len && rqv_request_head_size(request) + with.len - len > RQV_WIRE_HEAD_MAX)
        return REQIVO_E_LIMIT_HEAD;
    if (with.len > len && rqv_secret_reserve(&request->text, with.len - len) < 0)
        return -ENOMEM;
    char *text = text_of(request);
    memmove(text + at + with.len, text + at + len, behind);
    if (with.len > 0)
        memcpy(text + at, with.ptr, with.len);
    request->text.end = request->text.end - len + with.len;
    return 0;
}

int reqivo_request_set_method(struct reqivo_request *request, const char *method)
{
    if (!request || !method)
        return -EINVAL;
    if (!rqv_str_is_token(rqv_str_from(method)))
        return REQIVO_E_METHOD;
    int r = replace_text(request, 0, request->method_len, rqv_str_from(method));
    if (r == 0)
        request->method_len = strlen(method);
    return r;
}

/* Takes the fields away that `takes` names; how many there were. */
static int remove_fields(struct reqivo_request *request, bool (*takes)(struct rqv_str, const void *),
                         const void *what)
{
    size_t at = request->method_len + request->url_len, count = request->field_count;
    int removed = 0;

    for (size_t i = 0; i < count; i++) {
        uint16_t lengths[2];
        memcpy(lengths, text_of(request) + at, sizeof lengths);
        size_t size = sizeof lengths + lengths[0] + lengths[1];
        struct rqv_str name = {text_of(request) + at + sizeof lengths, lengths[0]};
        if (!takes(name, what)) {
            at += size;
            continue;
        }
        if (rqv_str_eq_nocase(name, FIELD_HOST))
            request->has_host = false;
        replace_text(request, at, size, (struct rqv_str){NULL, 0});
        request->field_count--;
        removed++;
    }
    return removed;
}

static bool is_named(struct rqv_str name, const void *what)
{
    return rqv_str_eq_nocase(name, rqv_str_from(what));
}

int reqivo_request_remove_field(struct reqivo_request *request, const char *name)
{
    return request && name ? remove_fields(request, is_named, name) : -EINVAL;
}

/* What was given for the URL's origin and may not go to another one; `what`: all are trusted. */
static bool is_of_origin(struct rqv_str name, const void *what)
{
    const bool *trusted = what;

    return rqv_str_eq_nocase(name, FIELD_HOST) || (!*trusted && rqv_field_is_secret(name));
}

/* A URL that is none leads nowhere that is known. */
static bool leads_elsewhere(const struct reqivo_request *request, struct rqv_str url)
{
    struct rqv_url from, to;
    const char *why;

    return rqv_url_parse(text_of(request) + request->method_len, request->url_len, &from, &why) < 0 ||
           rqv_url_parse(url.ptr, url.len, &to, &why) < 0 || !rqv_url_same_origin(&from, &to);
}

int reqivo_request_set_url(struct reqivo_request *request, const char *url)
{
    if (!request || !url || !*url)
        return -EINVAL;
    struct rqv_str text = rqv_str_from(url);
    bool elsewhere = leads_elsewhere(request, text), trusted = request->flags & RQV_REQ_TRUSTED;
    int r = replace_text(request, request->method_len, request->url_len, text);
    if (r < 0)
        return r;
    request->url_len = text.len;
    if (!elsewhere)
        return 0;
    remove_fields(request, is_of_origin, &trusted);
    return reqivo_request_set_route(request, NULL);
}

static size_t copy_out(struct rqv_str text, char *buffer, size_t size)
{
    if (buffer && size > 0) {
        size_t n = text.len < size ? text.len : size - 1;
        memcpy(buffer, text.ptr, n);
        buffer[n] = '\0';
    }
    return text.len;
}

size_t reqivo_request_method(const struct reqivo_request *request, char *buffer, size_t size)
{
    return request ? copy_out((struct rqv_str){text_of(request), request->method_len}, buffer, size) : 0;
}

size_t reqivo_request_url(const struct reqivo_request *request, char *buffer, size_t size)
{
    return request ? copy_out((struct rqv_str){text_of(request) + request->method_len, request->url_len},
                              buffer, size)
                   : 0;
}

/* ---- made by the library ---- */

static int add_all(struct reqivo_request *request, const struct rqv_fields *fields)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < fields->count; i++)
        r = rqv_request_add_field(request, fields->at[i].name, fields->at[i].value);
    return r;
}

int rqv_request_new_hop(const struct rqv_hop *hop, struct reqivo_request **ret_request)
{
    struct reqivo_request *request;
    int r = rqv_request_new(hop->method, hop->url, &request);

    if (r < 0)
        return r;
    r = add_all(request, &hop->fields);
    if (r < 0)
        reqivo_request_free(request);
    else
        *ret_request = request;
    return r;
}

int rqv_request_inherit(struct reqivo_request *request, const struct reqivo_request *from)
{
    int r = reqivo_request_set_route(request, from->route);

    if (r < 0)
        return r;
    request->flags = from->flags;
    memcpy(request->timeout_ms, from->timeout_ms, sizeof request->timeout_ms);
    request->redirect_max = from->redirect_max;
    request->tls_min = from->tls_min;
    request->tls_max = from->tls_max;
    request->before = from->before;
    request->after = from->after;
    request->hook_userdata = from->hook_userdata;
    request->trust = from->trust;
    if (request->trust)
        request->trust->refs++;
    return 0;
}

static bool is_foreign(const struct rqv_remote *remote, const struct reqivo_client *client)
{
    return remote && remote->client != client;
}

bool rqv_request_is_foreign(const struct reqivo_request *request, const struct reqivo_client *client)
{
    return is_foreign(request->jar, client) || is_foreign(request->connection, client) ||
           is_foreign(request->operation.target, client);
}

void rqv_request_operate(struct reqivo_request *request, enum rqv_operation_verb verb, uint32_t value,
                         struct rqv_remote *target)
{
    if (target)
        target->refs++;
    request->verb = UINT16_MAX; /* none of QUERY's: whoever asks only for "no request" need not know more */
    request->operation = (struct rqv_wanted){.verb = (uint16_t)verb, .value = value, .target = target};
}
