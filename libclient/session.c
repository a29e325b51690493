/* SPDX-License-Identifier: MIT */
/* session - what sessions make of requests. Cookies: session_cookies.c. */
#include "libclient/session.h"

#include "common/base64.h"
#include "libclient/handle.h"
#include "proto/fields.h"
#include "proto/url.h"
#include "proto/url_resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_AUTHORIZATION "Authorization"

int reqivo_session_new(struct reqivo_client *client, struct reqivo_session **ret_session)
{
    int r = rqv_client_check(client, false);

    if (r < 0)
        return r;
    if (!ret_session)
        return -EINVAL;
    struct reqivo_session *session = calloc(1, sizeof *session);
    if (!session)
        return -ENOMEM;
    session->cookies = true;
    session->jar = rqv_remote_new(client, true);
    r = session->jar ? reqivo_request_new("GET", "/", &session->pattern) : -ENOMEM;
    if (r < 0) {
        reqivo_session_free(session);
        return r;
    }
    reqivo_request_set_redirects(session->pattern, RQV_WIRE_REDIRECTS_MAX);
    reqivo_request_set_decode(session->pattern, 1);
    *ret_session = session;
    return 0;
}

static void replace_secret(char **text, char *with)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = with;
}

void reqivo_session_free(struct reqivo_session *session)
{
    if (!session)
        return;
    reqivo_request_free(session->pattern);
    rqv_remote_release(&session->jar);
    free(session->base);
    replace_secret(&session->credentials, NULL);
    free(session);
}

/* ---- definition ---- */

int reqivo_session_set_base_url(struct reqivo_session *session, const char *url)
{
    struct rqv_url parsed;
    const char *why;
    char *copy = NULL;

    if (!session)
        return -EINVAL;
    if (url && rqv_url_parse(url, strlen(url), &parsed, &why) < 0)
        return REQIVO_E_URL;
    if (url && !(copy = strdup(url)))
        return -ENOMEM;
    free(session->base);
    session->base = copy;
    return 0;
}

int reqivo_session_set_field(struct reqivo_session *session, const char *name, const char *value)
{
    if (!session || !name)
        return -EINVAL;
    if (value)
        return reqivo_request_set_field(session->pattern, name, value);
    reqivo_request_remove_field(session->pattern, name);
    return 0;
}

int reqivo_session_set_timeout(struct reqivo_session *session, int which, uint32_t ms)
{
    return session ? reqivo_request_set_timeout(session->pattern, which, ms) : -EINVAL;
}

/* A value of bytes that a field may hold. */
static bool is_text(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

int reqivo_session_set_basic(struct reqivo_session *session, const char *user, const char *password)
{
    static const char scheme[] = "Basic ";

    if (!session || (user && !password))
        return -EINVAL;
    if (!user) {
        replace_secret(&session->credentials, NULL);
        return 0;
    }
    if (!is_text(user) || !is_text(password) || strchr(user, ':'))
        return REQIVO_E_FIELD;
    size_t user_len = strlen(user), len = user_len + 1 + strlen(password);
    char *plain = malloc(len + 1), *value = malloc(sizeof scheme + (len + 2) / 3 * 4);
    int r = plain && value ? 0 : -ENOMEM;
    if (r == 0) {
        memcpy(plain, user, user_len);
        plain[user_len] = ':';
        memcpy(plain + user_len + 1, password, len - user_len);
        memcpy(value, scheme, sizeof scheme);
        size_t at = strlen(scheme);
        value[at + rqv_base64_encode((const uint8_t *)plain, len, value + at)] = '\0';
        replace_secret(&session->credentials, value);
        explicit_bzero(plain, len);
        value = NULL;
    }
    free(plain);
    free(value);
    return r;
}

int reqivo_session_set_bearer(struct reqivo_session *session, const char *token)
{
    static const char scheme[] = "Bearer ";
    char *value = NULL;

    if (!session)
        return -EINVAL;
    if (token) {
        if (!is_text(token))
            return REQIVO_E_FIELD;
        value = malloc(sizeof scheme + strlen(token));
        if (!value)
            return -ENOMEM;
        memcpy(value, scheme, sizeof scheme);
        memcpy(value + strlen(scheme), token, strlen(token) + 1);
    }
    replace_secret(&session->credentials, value);
    return 0;
}

int reqivo_session_set_redirects(struct reqivo_session *session, unsigned max)
{
    return session ? reqivo_request_set_redirects(session->pattern, max) : -EINVAL;
}

int reqivo_session_set_redirect_policy(struct reqivo_session *session, unsigned policy)
{
    return session ? reqivo_request_set_redirect_policy(session->pattern, policy) : -EINVAL;
}

int reqivo_session_set_cookies(struct reqivo_session *session, int on)
{
    if (!session)
        return -EINVAL;
    session->cookies = on != 0;
    return 0;
}

int reqivo_session_set_decode(struct reqivo_session *session, int on)
{
    return session ? reqivo_request_set_decode(session->pattern, on) : -EINVAL;
}

int reqivo_session_set_verify(struct reqivo_session *session, int on)
{
    return session ? reqivo_request_set_verify(session->pattern, on) : -EINVAL;
}

int reqivo_session_set_ca(struct reqivo_session *session, const void *pem, size_t size)
{
    return session ? reqivo_request_set_ca(session->pattern, pem, size) : -EINVAL;
}

int reqivo_session_set_ca_file(struct reqivo_session *session, const char *path)
{
    return session ? reqivo_request_set_ca_file(session->pattern, path) : -EINVAL;
}

int reqivo_session_set_tls_versions(struct reqivo_session *session, int min, int max)
{
    return session ? reqivo_request_set_tls_versions(session->pattern, min, max) : -EINVAL;
}

int reqivo_session_set_hooks(struct reqivo_session *session, reqivo_before_fn before, reqivo_after_fn after,
                             void *userdata)
{
    return session ? reqivo_request_set_hooks(session->pattern, before, after, userdata) : -EINVAL;
}

/* ---- requests ---- */

/* May the session's credentials go to this URL? */
static bool is_ours(const struct reqivo_session *session, struct rqv_str url)
{
    struct rqv_url base, target;
    const char *why;

    if (rqv_url_parse(url.ptr, url.len, &target, &why) < 0)
        return false;
    return !session->base || (rqv_url_parse(session->base, strlen(session->base), &base, &why) == 0 &&
                              rqv_url_same_origin(&base, &target));
}

/* All that the pattern has, on a request for `url`. A field Authorization of the program's own goes before
 * the credentials. */
static int apply(const struct reqivo_session *session, struct rqv_str url, struct reqivo_request *request)
{
    const struct reqivo_request *pattern = session->pattern;
    struct rqv_request_head head;
    int r = rqv_request_inherit(request, pattern);

    if (session->cookies) {
        request->jar = session->jar;
        request->jar->refs++;
    }
    rqv_request_head(pattern, &head);
    for (size_t i = 0; r == 0 && i < head.fields.count; i++)
        r = rqv_request_add_field(request, head.fields.at[i].name, head.fields.at[i].value);
    if (r == 0 && session->credentials && is_ours(session, url) &&
        !rqv_fields_get(&head.fields, RQV_STR(FIELD_AUTHORIZATION), 0))
        r = reqivo_request_add_field(request, FIELD_AUTHORIZATION, session->credentials);
    return r;
}

int reqivo_session_request(struct reqivo_session *session, const char *method, const char *url,
                           struct reqivo_request **ret_request)
{
    struct reqivo_request *request = NULL;
    char room[RQV_URL_MAX];

    if (!session || !method || !url || !ret_request)
        return -EINVAL;
    struct rqv_str target = rqv_str_from(url);
    if (session->base) {
        long n = rqv_url_resolve(rqv_str_from(session->base), target, room, sizeof room);
        if (n < 0)
            return REQIVO_E_URL;
        target = (struct rqv_str){room, (size_t)n};
    }
    if (target.len == 0)
        return REQIVO_E_URL;
    int r = rqv_request_new(rqv_str_from(method), target, &request);
    if (r == 0)
        r = apply(session, target, request);
    if (r < 0)
        reqivo_request_free(request);
    else
        *ret_request = request;
    return r;
}
