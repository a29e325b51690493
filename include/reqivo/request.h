/* SPDX-License-Identifier: MIT */
/*
 * reqivo/request.h - the builder of a request. Strings and bytes are copied unless said otherwise. A request
 * is used once: reqivo_submit() and reqivo_call() take it. It belongs to no handle until then and to one
 * thread. A setter returns 0 or -EINVAL (NULL, out of range) where nothing else is said; after a failed one
 * the request is as before.
 */
#ifndef REQIVO_REQUEST_H
#define REQIVO_REQUEST_H

#include <reqivo/client.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REQIVO_NO_LIMIT UINT32_MAX

/* The URL itself is judged by the daemon. Returns 0, -EINVAL, -ENOMEM, REQIVO_E_METHOD (no token), or
 * REQIVO_E_LIMIT_HEAD. */
REQIVO_API int reqivo_request_new(const char *method, const char *url, struct reqivo_request **ret_request);
REQIVO_API void reqivo_request_free(struct reqivo_request *request); /* NULL is fine */

/* Appends a header field (RFC 9110 5). Host may be given once, and takes the place of the URL's. Refused are
 * a name that is no token, a control byte, and what is the daemon's to write: Content-Length,
 * Transfer-Encoding, Connection, Keep-Alive, TE, Trailer, Upgrade, Expect, HTTP2-Settings and Proxy-*.
 * Returns 0, -EINVAL, -ENOMEM, REQIVO_E_FIELD, or REQIVO_E_LIMIT_HEAD (60 KiB, 128 fields). */
REQIVO_API int reqivo_request_add_field(struct reqivo_request *request, const char *name, const char *value);

/* The body: the last of these counts. */

/* A copy of the bytes. Returns 0, -EINVAL, or -ENOMEM. */
REQIVO_API int reqivo_request_set_body(struct reqivo_request *request, const void *bytes, size_t size);
REQIVO_API int reqivo_request_set_body_view(struct reqivo_request *request, const void *bytes,
                                            size_t size); /* must outlive the request */
/* A regular file from its offset to its end; the fd is dup'ed. Returns 0, -EINVAL, or REQIVO_E_BODY_SOURCE
 * (no regular file, or it could not be dup'ed). */
REQIVO_API int reqivo_request_set_body_file(struct reqivo_request *request, int fd);
/* Fills `buffer` with up to `size` bytes. Returns how many, 0 for the end, -EAGAIN for "not yet" (then call
 * reqivo_resume), or another negative to fail the request with REQIVO_E_BODY_SOURCE. Runs inside process(),
 * dispatch() and call(); it must not call the library but for reqivo_resume. */
typedef long (*reqivo_read_fn)(void *buffer, size_t size, void *userdata);
/* length: exact, or REQIVO_LENGTH_UNKNOWN for chunked transfer coding. */
#define REQIVO_LENGTH_UNKNOWN UINT64_MAX
REQIVO_API int reqivo_request_set_body_callback(struct reqivo_request *request, reqivo_read_fn fn,
                                                void *userdata, uint64_t length);
/* The body callback has bytes again. Returns 0, -EINVAL, -ECHILD, or -ENOENT (completed or never was). */
REQIVO_API int reqivo_resume(struct reqivo_client *client, uint64_t id);

/* Where the response goes. Default: into the response object, whole, at most 64 MiB. */
REQIVO_API int reqivo_request_set_max_body(struct reqivo_request *request,
                                           uint64_t bytes); /* over it: REQIVO_E_LIMIT_BODY */
/* on_head runs once with status and fields before the first byte; may be NULL. Returning non-zero cancels the
 * request. */
typedef int (*reqivo_head_fn)(struct reqivo_client *client, const struct reqivo_response *response,
                              void *userdata);
/* on_body runs with pieces of the body in order; the bytes live until it returns; its credit goes back to the
 * daemon when it returns 0. Return REQIVO_PAUSE to take the piece but have no more until reqivo_unpause;
 * another non-zero cancels. */
#define REQIVO_PAUSE 1
typedef int (*reqivo_body_fn)(struct reqivo_client *client, const void *bytes, size_t size, void *userdata);
/* With these set the response object keeps no body. Both run in dispatch() - in reqivo_call() of this request
 * during the call. */
REQIVO_API int reqivo_request_set_stream(struct reqivo_request *request, reqivo_head_fn on_head,
                                         reqivo_body_fn on_body, void *userdata);
/* The response is wanted again. Returns 0, -EINVAL, -ECHILD, -EBUSY inside a callback that gives a body, or
 * -ENOENT (completed or never was). */
REQIVO_API int reqivo_unpause(struct reqivo_client *client, uint64_t id);

/* The body of a 2xx response goes into a file: a new one is made beside `path` now, and takes its place when
 * the body has come whole; until then, and after a failure, `path` stays as it is. The mode is that of any
 * new file (umask). The body of another status goes into the response object. progress, which may be NULL,
 * runs after each piece, in dispatch() or in reqivo_call(); total is -1 when it is not known; non-zero
 * cancels. A file that cannot be written fails the request with REQIVO_E_BODY_SINK. It takes the place of
 * reqivo_request_set_stream(). Returns 0, -EINVAL (a `path` that is there and no regular file is one),
 * -ENOMEM, or the negative errno of making the file. */
typedef int (*reqivo_progress_fn)(struct reqivo_client *client, uint64_t received, int64_t total,
                                  void *userdata);
REQIVO_API int reqivo_request_set_save(struct reqivo_request *request, const char *path,
                                       reqivo_progress_fn progress, void *userdata);

/* Limits of time, in ms; 0 keeps the daemon's default, REQIVO_NO_LIMIT takes it away. */
enum reqivo_timeout {
    REQIVO_TIMEOUT_QUEUE = 0,      /* waiting for a connection of the pool */
    REQIVO_TIMEOUT_CONNECT = 1,    /* resolving and TCP over all addresses */
    REQIVO_TIMEOUT_TLS = 2,        /* the TLS handshake */
    REQIVO_TIMEOUT_FIRST_BYTE = 3, /* request sent to first byte of its answer */
    REQIVO_TIMEOUT_STALL = 4,      /* no byte of a body that could move; before the head FIRST_BYTE rules */
    REQIVO_TIMEOUT_TOTAL = 5,      /* everything, from submit to the last byte */
};
REQIVO_API int reqivo_request_set_timeout(struct reqivo_request *request, int which, uint32_t ms);

/* TLS: verification is on. Off means that certificate and host name are not checked; a system daemon may
 * refuse it (REQIVO_E_OPTION_DENIED). */
REQIVO_API int reqivo_request_set_verify(struct reqivo_request *request, int on);
/* Trust these PEM certificates instead of the system's. At most 1 MiB. Sent to the daemon once per handle and
 * content. Returns 0, -EINVAL, -ENOMEM, REQIVO_E_TRUST (empty), or REQIVO_E_LIMIT_TRUST. */
REQIVO_API int reqivo_request_set_ca(struct reqivo_request *request, const void *pem, size_t size);
/* The same from a file, read now. Returns 0, -EINVAL, -ENOMEM, REQIVO_E_TRUST (empty or no regular file),
 * REQIVO_E_LIMIT_TRUST, or the negative errno of opening or reading it. */
REQIVO_API int reqivo_request_set_ca_file(struct reqivo_request *request, const char *path);

/* The caller declares that repeating the request does no harm (allows the automatic repeats of
 * reqivo_call(3)). GET, HEAD, OPTIONS, TRACE are so anyway. */
REQIVO_API int reqivo_request_set_idempotent(struct reqivo_request *request, int on);
REQIVO_API int reqivo_request_set_fresh(struct reqivo_request *request,
                                        int on); /* not on a reused connection */
REQIVO_API int reqivo_request_set_expect(struct reqivo_request *request,
                                         int on); /* Expect: 100-continue (RFC 9110 10.1.1) */
/* Have the daemon say, before the first byte goes to the server, that it begins: sharpens "unknown" after a
 * loss to "not sent". Costs a write. */
REQIVO_API int reqivo_request_set_begun(struct reqivo_request *request, int on);

/* Redirects that the daemon follows for this request, 30 at most; 0, the default of a request without a
 * session: none, the redirect is the response. Method, body and fields of each hop: reqivo_session(3). A
 * body given by a callback cannot be sent twice: REQIVO_E_REDIRECT_BODY where a redirect asks for that.
 * -EINVAL above 30. */
REQIVO_API int reqivo_request_set_redirects(struct reqivo_request *request, unsigned max);
/* What redirects may do: bits of enum reqivo_redirect. */
enum reqivo_redirect {
    REQIVO_REDIRECT_DOWNGRADE = 1,   /* lead from https to http */
    REQIVO_REDIRECT_TRUSTED = 2,     /* take credentials along to other origins */
    REQIVO_REDIRECT_KEEP_METHOD = 4, /* keep POST after 301, 302 and 303 */
};
REQIVO_API int reqivo_request_set_redirect_policy(struct reqivo_request *request, unsigned policy);
/* Have the daemon remove the content codings of the response (gzip, deflate, br, zstd), which it offers if
 * the program sends no Accept-Encoding of its own. Off in a request without a session. */
REQIVO_API int reqivo_request_set_decode(struct reqivo_request *request, int on);
/* Bounds of TLS, 12 for 1.2 and 13 for 1.3, 0 for the daemon's own. */
REQIVO_API int reqivo_request_set_tls_versions(struct reqivo_request *request, int min, int max);
/* Connect to this "host:port" in place of the URL's; name, certificate and Host stay the URL's. NULL takes it
 * back. Returns 0, -EINVAL (too long, no port), or -ENOMEM. */
REQIVO_API int reqivo_request_set_route(struct reqivo_request *request, const char *route);
/* Another method; for hooks. Returns as reqivo_request_new(). */
REQIVO_API int reqivo_request_set_method(struct reqivo_request *request, const char *method);
/* Another URL; for hooks. When scheme, host or port differ, the fields go that were given for the old ones:
 * Host, and, unless the redirect policy trusts all origins, those that carry secrets. Set them afterwards
 * where they belong. Returns as reqivo_request_new(). */
REQIVO_API int reqivo_request_set_url(struct reqivo_request *request, const char *url);
/* The field in place of all of that name. Returns as reqivo_request_add_field(): 0, -EINVAL, -ENOMEM,
 * REQIVO_E_FIELD, or REQIVO_E_LIMIT_HEAD. */
REQIVO_API int reqivo_request_set_field(struct reqivo_request *request, const char *name, const char *value);
/* Takes every field of that name away. Returns how many there were, or -EINVAL. */
REQIVO_API int reqivo_request_remove_field(struct reqivo_request *request, const char *name);
/* Copies into `buffer`, cut, NUL-terminated; returns the whole length, 0 for NULL. */
REQIVO_API size_t reqivo_request_method(const struct reqivo_request *request, char *buffer, size_t size);
REQIVO_API size_t reqivo_request_url(const struct reqivo_request *request, char *buffer, size_t size);

/* Hooks. `before` sees each request before it is sent: hop 0 is the request itself, inside submit or call;
 * then each redirect's, inside dispatch or call. It may change method, URL and fields; anything but 0
 * refuses: the request completes with REQIVO_E_REFUSED. What it gives for a hop is sent as it stands. */
typedef int (*reqivo_before_fn)(struct reqivo_client *client, struct reqivo_request *request, unsigned hop,
                                void *userdata);
/* `after` sees the response before on_head or the completion, and may change it (reqivo_response_set_status()
 * and its like) or refuse it with anything but 0: REQIVO_E_REFUSED. */
typedef int (*reqivo_after_fn)(struct reqivo_client *client, struct reqivo_response *response,
                               void *userdata);
/* Either may be NULL. */
REQIVO_API int reqivo_request_set_hooks(struct reqivo_request *request, reqivo_before_fn before,
                                        reqivo_after_fn after, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
