/* SPDX-License-Identifier: MIT */
/*
 * reqivo/session.h - what several requests have in common: a base URL, fields, limits of time, credentials,
 * cookies, what is done with redirects, TLS options, hooks.
 *
 *      reqivo_session_new(client, &session);
 *      reqivo_session_set_base_url(session, "https://api.example.org/v1/");
 *      reqivo_session_set_bearer(session, token);
 *      reqivo_session_get(session, "items?page=2", &response);               // blocks
 *      reqivo_session_get_async(session, "items?page=3", on_done, userdata); // calls back
 *
 * A session belongs to its handle, is private to it, and follows its thread rule. Its definition is the
 * library's; its cookies live in the daemon, and nowhere else unless the program saves them. A change takes
 * effect on the next request. Strings are copied. Setters return 0, -EINVAL (NULL, out of range) or what is
 * said; after a failed one the session is as before.
 *
 * Defaults: redirects are followed, 30 at most, never from https to http; cookies are kept; content codings
 * are removed; certificates are verified.
 *
 * When the daemon is lost, so are the cookies. The next request of a session that had some fails once with
 * REQIVO_E_SESSION_LOST, was not sent, and the session goes on with an empty jar.
 */
#ifndef REQIVO_SESSION_H
#define REQIVO_SESSION_H

#include <reqivo/request.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reqivo_session;

/* Returns 0, -EINVAL, -ECHILD, or -ENOMEM. */
REQIVO_API int reqivo_session_new(struct reqivo_client *client, struct reqivo_session **ret_session);
/* Requests in flight keep what they need; the cookies die with the last of them. NULL is fine, also after
 * reqivo_close(). */
REQIVO_API void reqivo_session_free(struct reqivo_session *session);

/* The URL against which those of the requests are resolved (RFC 3986 5.2); it ends with '/' unless its last
 * segment is to be replaced. NULL takes it away. Returns 0, -EINVAL, -ENOMEM, or REQIVO_E_URL. */
REQIVO_API int reqivo_session_set_base_url(struct reqivo_session *session, const char *url);
/* A field that each request gets, in place of the one of that name that it got so far; NULL as value takes it
 * away. Returns 0, -EINVAL, -ENOMEM, REQIVO_E_FIELD, or REQIVO_E_LIMIT_HEAD. */
REQIVO_API int reqivo_session_set_field(struct reqivo_session *session, const char *name, const char *value);
REQIVO_API int reqivo_session_set_timeout(struct reqivo_session *session, int which, uint32_t ms);
/* Credentials (RFC 7617, RFC 6750), sent to the origin of the base URL; without one, to the origin that each
 * request names. Never to where a redirect leads elsewhere. The later call counts. NULL as user or token
 * takes them away. Returns 0, -EINVAL, -ENOMEM, or REQIVO_E_FIELD (a control byte, or ':' in the user). */
REQIVO_API int reqivo_session_set_basic(struct reqivo_session *session, const char *user,
                                        const char *password);
REQIVO_API int reqivo_session_set_bearer(struct reqivo_session *session, const char *token);
/* As reqivo_request_set_redirects() and _redirect_policy(). */
REQIVO_API int reqivo_session_set_redirects(struct reqivo_session *session, unsigned max);
REQIVO_API int reqivo_session_set_redirect_policy(struct reqivo_session *session, unsigned policy);
/* Off: no cookie is sent or kept; those that are there stay. */
REQIVO_API int reqivo_session_set_cookies(struct reqivo_session *session, int on);
REQIVO_API int reqivo_session_set_decode(struct reqivo_session *session, int on);
REQIVO_API int reqivo_session_set_verify(struct reqivo_session *session, int on);
/* Returns as reqivo_request_set_ca() and _ca_file(). */
REQIVO_API int reqivo_session_set_ca(struct reqivo_session *session, const void *pem, size_t size);
REQIVO_API int reqivo_session_set_ca_file(struct reqivo_session *session, const char *path);
REQIVO_API int reqivo_session_set_tls_versions(struct reqivo_session *session, int min, int max);
/* For every request of the session: reqivo/request.h. */
REQIVO_API int reqivo_session_set_hooks(struct reqivo_session *session, reqivo_before_fn before,
                                        reqivo_after_fn after, void *userdata);

/* A request of the session, for reqivo_submit() and reqivo_call(): everything above is applied, and the
 * setters of reqivo/request.h go on from there. A field that is added later stands beside the session's;
 * reqivo_request_remove_field() first. Returns 0, -EINVAL, -ENOMEM, REQIVO_E_URL, REQIVO_E_METHOD, or
 * REQIVO_E_LIMIT_HEAD. */
REQIVO_API int reqivo_session_request(struct reqivo_session *session, const char *method, const char *url,
                                      struct reqivo_request **ret_request);

/* Cookies. A line is one of a Netscape cookie file, as curl writes it. Each call blocks, but _async: then fn
 * gets a response that is its own to free, without status and body: its error says how it went. */
/* Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback, REQIVO_E_CANCELED when the handle is gone,
 * REQIVO_E_COOKIE, REQIVO_E_LIMIT_COOKIES, REQIVO_E_LIMIT_REQUESTS, or what the daemon's loss gives. */
REQIVO_API int reqivo_session_add_cookies(struct reqivo_session *session, const char *const lines[],
                                          size_t count);
/* Returns as above, of what could not be started; count must not be 0: 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY
 * inside a callback that gives a body, REQIVO_E_CANCELED, REQIVO_E_COOKIE, or REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_session_add_cookies_async(struct reqivo_session *session, const char *const lines[],
                                                size_t count, reqivo_done_fn fn, void *userdata);
typedef void (*reqivo_cookie_fn)(const char *line, void *userdata);
/* fn runs for each cookie, during the call. Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback,
 * REQIVO_E_CANCELED, REQIVO_E_LIMIT_REQUESTS, or what the daemon's loss gives. */
REQIVO_API int reqivo_session_list_cookies(struct reqivo_session *session, reqivo_cookie_fn fn,
                                           void *userdata);
/* fn runs for each cookie, then done, in dispatch; both get userdata. Returns 0, -EINVAL, -ECHILD, -ENOMEM,
 * -EBUSY inside a callback that gives a body, REQIVO_E_CANCELED, or REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_session_list_cookies_async(struct reqivo_session *session, reqivo_cookie_fn fn,
                                                 reqivo_done_fn done, void *userdata);
/* Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback, REQIVO_E_CANCELED, REQIVO_E_LIMIT_REQUESTS,
 * or what the daemon's loss gives. */
REQIVO_API int reqivo_session_clear_cookies(struct reqivo_session *session);
/* Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback that gives a body, REQIVO_E_CANCELED, or
 * REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_session_clear_cookies_async(struct reqivo_session *session, reqivo_done_fn fn,
                                                  void *userdata);
/* A whole file: lines that are empty or begin with '#' but not with "#HttpOnly_" are skipped. They are called
 * as add and list are, and may also return the negative errno of the file. save makes a new file beside it,
 * mode 0600, and renames it. */
REQIVO_API int reqivo_session_load_cookies(struct reqivo_session *session, const char *path);
REQIVO_API int reqivo_session_save_cookies(struct reqivo_session *session, const char *path);

#ifdef __cplusplus
}
#endif
#endif
