/* SPDX-License-Identifier: MIT */
/* driver_helpers - the calls of reqivo/helpers.h, by method: on the handle or on a session, blocking or with
 * a callback. */
#include "tests/integration/driver_common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *method;
    int (*call)(struct reqivo_client *, const char *, struct reqivo_response **);
    int (*submit)(struct reqivo_client *, const char *, reqivo_done_fn, void *);
    int (*session_call)(struct reqivo_session *, const char *, struct reqivo_response **);
    int (*session_submit)(struct reqivo_session *, const char *, reqivo_done_fn, void *);
} plain[] = {
    {"GET", reqivo_get, reqivo_get_async, reqivo_session_get, reqivo_session_get_async},
    {"HEAD", reqivo_head, reqivo_head_async, reqivo_session_head, reqivo_session_head_async},
    {"DELETE", reqivo_delete, reqivo_delete_async, reqivo_session_delete, reqivo_session_delete_async},
    {"OPTIONS", reqivo_options, reqivo_options_async, reqivo_session_options, reqivo_session_options_async},
};

static const struct {
    const char *method;
    int (*call)(struct reqivo_client *, const char *, const struct reqivo_content *,
                struct reqivo_response **);
    int (*submit)(struct reqivo_client *, const char *, const struct reqivo_content *, reqivo_done_fn,
                  void *);
    int (*session_call)(struct reqivo_session *, const char *, const struct reqivo_content *,
                        struct reqivo_response **);
    int (*session_submit)(struct reqivo_session *, const char *, const struct reqivo_content *,
                          reqivo_done_fn, void *);
} bodied[] = {
    {"POST", reqivo_post, reqivo_post_async, reqivo_session_post, reqivo_session_post_async},
    {"PUT", reqivo_put, reqivo_put_async, reqivo_session_put, reqivo_session_put_async},
    {"PATCH", reqivo_patch, reqivo_patch_async, reqivo_session_patch, reqivo_session_patch_async},
};

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(driver_new(size), text, size);
}

void driver_helper_begin(struct job *job, const char *method, const char *url)
{
    job->build_error = -EINVAL;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(plain[i].method, method) == 0)
            job->helper.method = plain[i].method;
    for (size_t i = 0; i < sizeof bodied / sizeof bodied[0]; i++)
        if (strcmp(bodied[i].method, method) == 0)
            job->helper.method = bodied[i].method;
    if (job->helper.method)
        job->build_error = 0;
    job->helper.url = copy(url);
}

static int add_to_form(struct driver_helper *helper, char *rest)
{
    char *name = driver_word(&rest);
    int rc = helper->form ? 0 : reqivo_form_new(&helper->form);

    driver_unescape(name);
    driver_unescape(rest);
    if (rc == 0)
        rc = reqivo_form_add(helper->form, name, rest);
    helper->has_content = true;
    return rc;
}

static int set_content(struct driver_helper *helper, const char *key, char *rest)
{
    char *type = key[0] == 'c' ? driver_word(&rest) : NULL;
    size_t size = driver_unescape(rest);

    if (type)
        driver_unescape(type);
    helper->bytes = driver_new(size + 1);
    memcpy(helper->bytes, rest, size);
    if (type) {
        helper->type = strcmp(type, "-") != 0 ? copy(type) : NULL;
        helper->content = (struct reqivo_content){helper->bytes, size, helper->type};
    } else {
        helper->content = reqivo_json(helper->bytes);
    }
    helper->has_content = true;
    return 0;
}

int driver_helper_option(struct job *job, const char *key, char *rest)
{
    if (strcmp(key, "form") == 0)
        return add_to_form(&job->helper, rest);
    if (strcmp(key, "json") == 0 || strcmp(key, "content") == 0)
        return set_content(&job->helper, key, rest);
    if (strcmp(key, "store") != 0)
        return -EINVAL;
    job->store = copy(rest);
    return 0;
}

static const struct reqivo_content *content_of(struct driver_helper *helper)
{
    if (helper->form)
        helper->content = reqivo_form_content(helper->form);
    return helper->has_content ? &helper->content : NULL;
}

/* The views that a call was given live no longer than the call. */
static void forget(struct driver_helper *helper)
{
    if (helper->bytes)
        memset(helper->bytes, 'x', strlen(helper->bytes));
    reqivo_form_free(helper->form);
    helper->form = NULL;
}

int driver_helper_call(struct job *job, struct reqivo_response **ret_response)
{
    struct driver_helper *helper = &job->helper;
    int rc = -EINVAL;

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(plain[i].method, helper->method) == 0)
            rc = job->session ? plain[i].session_call(job->session, helper->url, ret_response)
                              : plain[i].call(job->client, helper->url, ret_response);
    const struct reqivo_content *content = content_of(helper);
    for (size_t i = 0; i < sizeof bodied / sizeof bodied[0]; i++)
        if (strcmp(bodied[i].method, helper->method) == 0)
            rc = job->session ? bodied[i].session_call(job->session, helper->url, content, ret_response)
                              : bodied[i].call(job->client, helper->url, content, ret_response);
    forget(helper);
    return rc;
}

int driver_helper_submit(struct job *job, reqivo_done_fn on_done)
{
    struct driver_helper *helper = &job->helper;
    int rc = -EINVAL;

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(plain[i].method, helper->method) == 0)
            rc = job->session ? plain[i].session_submit(job->session, helper->url, on_done, job)
                              : plain[i].submit(job->client, helper->url, on_done, job);
    const struct reqivo_content *content = content_of(helper);
    for (size_t i = 0; i < sizeof bodied / sizeof bodied[0]; i++)
        if (strcmp(bodied[i].method, helper->method) == 0)
            rc = job->session ? bodied[i].session_submit(job->session, helper->url, content, on_done, job)
                              : bodied[i].submit(job->client, helper->url, content, on_done, job);
    forget(helper);
    return rc;
}

void driver_helper_free(struct driver_helper *helper)
{
    free(helper->url);
    free(helper->bytes);
    free(helper->type);
    reqivo_form_free(helper->form);
}
