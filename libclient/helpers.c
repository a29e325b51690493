/* SPDX-License-Identifier: MIT */
/*
 * helpers - the usual methods in one call: a request is built, and called or submitted. The exported
 * functions differ in the method, in who asks, and in whether there is a body, so they are written by macros.
 */
#include "libclient/session.h"

#include <reqivo/helpers.h>

#include <errno.h>

struct ask {
    struct reqivo_client *client;
    const char *method, *url;
    const struct reqivo_content *content; /* NULL: no body */
};

/* A body is not optional where there is a place for it. */
static const struct reqivo_content nothing = {.bytes = NULL};

static int build(const struct ask *ask, struct reqivo_request **ret_request)
{
    return reqivo_request_new(ask->method, ask->url, ret_request);
}

/* The same by a session, whose handle is the one that counts. */
static int build_on(struct reqivo_session *session, struct ask *ask, struct reqivo_request **ret_request)
{
    if (!session)
        return -EINVAL;
    ask->client = session->jar->client;
    return ask->client ? reqivo_session_request(session, ask->method, ask->url, ret_request)
                       : REQIVO_E_CANCELED;
}

/* r: of building. */
static int call(int r, const struct ask *ask, struct reqivo_request *request,
                struct reqivo_response **ret_response)
{
    if (r < 0)
        return r;
    if (ask->content)
        r = reqivo_request_set_content(request, ask->content);
    if (r == 0)
        r = reqivo_call(ask->client, &request, ret_response);
    reqivo_request_free(request); /* NULL once it was taken */
    return r;
}

static int submit(int r, const struct ask *ask, struct reqivo_request *request, reqivo_done_fn fn,
                  void *userdata)
{
    if (r < 0)
        return r;
    if (ask->content)
        r = reqivo_request_set_content(request, ask->content);
    if (r == 0)
        r = reqivo_submit(ask->client, &request, fn, userdata, NULL);
    reqivo_request_free(request);
    return r;
}

/* ---- the exported ones ---- */

#define SYNC_END  call(r, &ask, request, ret_response)
#define ASYNC_END submit(r, &ask, request, fn, userdata)

#define ON_CLIENT(name, with, end)                                                                           \
    struct ask ask = {.client = client, .method = (name), .url = url, .content = (with)};                    \
    struct reqivo_request *request = NULL;                                                                   \
    int r = build(&ask, &request);                                                                           \
    return end

#define ON_SESSION(name, with, end)                                                                          \
    struct ask ask = {.method = (name), .url = url, .content = (with)};                                      \
    struct reqivo_request *request = NULL;                                                                   \
    int r = build_on(session, &ask, &request);                                                               \
    return end

#define PLAIN(verb, name)                                                                                    \
    int reqivo_##verb##_async(struct reqivo_client *client, const char *url, reqivo_done_fn fn,              \
                              void *userdata)                                                                \
    {                                                                                                        \
        ON_CLIENT(name, NULL, ASYNC_END);                                                                    \
    }                                                                                                        \
    int reqivo_session_##verb(struct reqivo_session *session, const char *url,                               \
                              struct reqivo_response **ret_response)                                         \
    {                                                                                                        \
        ON_SESSION(name, NULL, SYNC_END);                                                                    \
    }                                                                                                        \
    int reqivo_session_##verb##_async(struct reqivo_session *session, const char *url, reqivo_done_fn fn,    \
                                      void *userdata)                                                        \
    {                                                                                                        \
        ON_SESSION(name, NULL, ASYNC_END);                                                                   \
    }                                                                                                        \
    int reqivo_##verb(struct reqivo_client *client, const char *url, struct reqivo_response **ret_response)  \
    {                                                                                                        \
        ON_CLIENT(name, NULL, SYNC_END);                                                                     \
    }

#define WITH_CONTENT(verb, name)                                                                             \
    int reqivo_##verb##_async(struct reqivo_client *client, const char *url,                                 \
                              const struct reqivo_content *content, reqivo_done_fn fn, void *userdata)       \
    {                                                                                                        \
        ON_CLIENT(name, content ? content : &nothing, ASYNC_END);                                            \
    }                                                                                                        \
    int reqivo_session_##verb(struct reqivo_session *session, const char *url,                               \
                              const struct reqivo_content *content, struct reqivo_response **ret_response)   \
    {                                                                                                        \
        ON_SESSION(name, content ? content : &nothing, SYNC_END);                                            \
    }                                                                                                        \
    int reqivo_session_##verb##_async(struct reqivo_session *session, const char *url,                       \
                                      const struct reqivo_content *content, reqivo_done_fn fn,               \
                                      void *userdata)                                                        \
    {                                                                                                        \
        ON_SESSION(name, content ? content : &nothing, ASYNC_END);                                           \
    }                                                                                                        \
    int reqivo_##verb(struct reqivo_client *client, const char *url, const struct reqivo_content *content,   \
                      struct reqivo_response **ret_response)                                                 \
    {                                                                                                        \
        ON_CLIENT(name, content ? content : &nothing, SYNC_END);                                             \
    }

PLAIN(get, "GET")
PLAIN(head, "HEAD")
PLAIN(delete, "DELETE")
PLAIN(options, "OPTIONS")
WITH_CONTENT(post, "POST")
WITH_CONTENT(put, "PUT")
WITH_CONTENT(patch, "PATCH")
