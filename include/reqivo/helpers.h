/* SPDX-License-Identifier: MIT */
/*
 * reqivo/helpers.h - requests in one call: the usual methods on a handle and on a session, and bodies of the
 * usual kinds.
 *
 *      struct reqivo_content content = reqivo_json("{\"name\": \"value\"}");
 *      reqivo_post(client, "https://example.org/items", &content, &response);                    // blocks
 *      reqivo_post_async(client, "https://example.org/items", &content, on_done, userdata);      // calls
 * back
 *
 * Each builds a request and gives it to reqivo_call() or reqivo_submit(), and returns what that returns; on a
 * session the request comes from reqivo_session_request(). Who needs fields, an id or a timeout of its own
 * builds the request.
 */
#ifndef REQIVO_HELPERS_H
#define REQIVO_HELPERS_H

#include <reqivo/request.h>
#include <reqivo/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- bodies ---- */

/* Bytes and what they are: a view, which must live until the call that takes it returns. type: for the field
 * Content-Type; NULL: no such field. */
struct reqivo_content {
    const void *bytes;
    size_t size;
    const char *type;
};

/* JSON as text, which is not checked. A NULL gives an empty body. */
REQIVO_API struct reqivo_content reqivo_json(const char *text);

/* application/x-www-form-urlencoded: name=value pairs in the order in which they were added. */
struct reqivo_form;
/* Returns 0, -EINVAL, or -ENOMEM. */
REQIVO_API int reqivo_form_new(struct reqivo_form **ret_form);
REQIVO_API void reqivo_form_free(struct reqivo_form *form); /* NULL is fine */
/* Returns 0, -EINVAL, -ENOMEM, or REQIVO_E_LIMIT_BODY (64 MiB). */
REQIVO_API int reqivo_form_add(struct reqivo_form *form, const char *name, const char *value);
/* A view, until the form is changed or freed. */
REQIVO_API struct reqivo_content reqivo_form_content(const struct reqivo_form *form);

/* The body, copied, and the Content-Type; content of NULL: an empty body. Returns 0, -EINVAL, -ENOMEM,
 * REQIVO_E_FIELD, or REQIVO_E_LIMIT_HEAD. */
REQIVO_API int reqivo_request_set_content(struct reqivo_request *request,
                                          const struct reqivo_content *content);

/* ---- blocking, on a handle; reqivo_get() is in <reqivo/client.h> ---- */

REQIVO_API int reqivo_head(struct reqivo_client *client, const char *url,
                           struct reqivo_response **ret_response);
REQIVO_API int reqivo_delete(struct reqivo_client *client, const char *url,
                             struct reqivo_response **ret_response);
REQIVO_API int reqivo_options(struct reqivo_client *client, const char *url,
                              struct reqivo_response **ret_response);
REQIVO_API int reqivo_post(struct reqivo_client *client, const char *url,
                           const struct reqivo_content *content, struct reqivo_response **ret_response);
REQIVO_API int reqivo_put(struct reqivo_client *client, const char *url, const struct reqivo_content *content,
                          struct reqivo_response **ret_response);
REQIVO_API int reqivo_patch(struct reqivo_client *client, const char *url,
                            const struct reqivo_content *content, struct reqivo_response **ret_response);

/* ---- with a callback, on a handle ---- */

REQIVO_API int reqivo_get_async(struct reqivo_client *client, const char *url, reqivo_done_fn fn,
                                void *userdata);
REQIVO_API int reqivo_head_async(struct reqivo_client *client, const char *url, reqivo_done_fn fn,
                                 void *userdata);
REQIVO_API int reqivo_delete_async(struct reqivo_client *client, const char *url, reqivo_done_fn fn,
                                   void *userdata);
REQIVO_API int reqivo_options_async(struct reqivo_client *client, const char *url, reqivo_done_fn fn,
                                    void *userdata);
REQIVO_API int reqivo_post_async(struct reqivo_client *client, const char *url,
                                 const struct reqivo_content *content, reqivo_done_fn fn, void *userdata);
REQIVO_API int reqivo_put_async(struct reqivo_client *client, const char *url,
                                const struct reqivo_content *content, reqivo_done_fn fn, void *userdata);
REQIVO_API int reqivo_patch_async(struct reqivo_client *client, const char *url,
                                  const struct reqivo_content *content, reqivo_done_fn fn, void *userdata);

/* ---- blocking, on a session ---- */

REQIVO_API int reqivo_session_get(struct reqivo_session *session, const char *url,
                                  struct reqivo_response **ret_response);
REQIVO_API int reqivo_session_head(struct reqivo_session *session, const char *url,
                                   struct reqivo_response **ret_response);
REQIVO_API int reqivo_session_delete(struct reqivo_session *session, const char *url,
                                     struct reqivo_response **ret_response);
REQIVO_API int reqivo_session_options(struct reqivo_session *session, const char *url,
                                      struct reqivo_response **ret_response);
REQIVO_API int reqivo_session_post(struct reqivo_session *session, const char *url,
                                   const struct reqivo_content *content,
                                   struct reqivo_response **ret_response);
REQIVO_API int reqivo_session_put(struct reqivo_session *session, const char *url,
                                  const struct reqivo_content *content,
                                  struct reqivo_response **ret_response);
REQIVO_API int reqivo_session_patch(struct reqivo_session *session, const char *url,
                                    const struct reqivo_content *content,
                                    struct reqivo_response **ret_response);

/* ---- with a callback, on a session ---- */

REQIVO_API int reqivo_session_get_async(struct reqivo_session *session, const char *url, reqivo_done_fn fn,
                                        void *userdata);
REQIVO_API int reqivo_session_head_async(struct reqivo_session *session, const char *url, reqivo_done_fn fn,
                                         void *userdata);
REQIVO_API int reqivo_session_delete_async(struct reqivo_session *session, const char *url, reqivo_done_fn fn,
                                           void *userdata);
REQIVO_API int reqivo_session_options_async(struct reqivo_session *session, const char *url,
                                            reqivo_done_fn fn, void *userdata);
REQIVO_API int reqivo_session_post_async(struct reqivo_session *session, const char *url,
                                         const struct reqivo_content *content, reqivo_done_fn fn,
                                         void *userdata);
REQIVO_API int reqivo_session_put_async(struct reqivo_session *session, const char *url,
                                        const struct reqivo_content *content, reqivo_done_fn fn,
                                        void *userdata);
REQIVO_API int reqivo_session_patch_async(struct reqivo_session *session, const char *url,
                                          const struct reqivo_content *content, reqivo_done_fn fn,
                                          void *userdata);

#ifdef __cplusplus
}
#endif
#endif
