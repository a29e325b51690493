/* SPDX-License-Identifier: MIT */
/*
 * reqivo/connection.h - one connection to a server, taken out of its pool for a series of requests: for what
 * is bound to a connection, and for work in order.
 *
 *      reqivo_request_new("GET", "https://example.org/", &request);       // URL, TLS options, timeouts
 *      reqivo_connection_acquire(client, &request, &connection);          // blocks; _async calls back
 *      reqivo_request_set_connection(next, connection);                   // goes there and nowhere else
 *      reqivo_call(client, &next, &response);
 *      reqivo_connection_release(&connection);                            // back into its pool
 *
 * Requests that name it go one after the other, in the order in which they were submitted. They must be for
 * its origin with the same TLS options, and are never repeated on another connection: once it has been closed
 * by the server or with the daemon, they fail with REQIVO_E_CONNECTION_CLOSED and were not sent.
 *
 * It belongs to its handle and follows its thread rule; close it before or after the handle. A blocking call
 * inside a callback returns -EBUSY. fn of an _async call gets a response that is its own to free, without
 * status and body: error, phase, address and detail say how it went.
 */
#ifndef REQIVO_CONNECTION_H
#define REQIVO_CONNECTION_H

#include <reqivo/request.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reqivo_connection;

/* Takes *request (leaves NULL), and blocks until there is a connection or a failure; then, too,
 * *ret_connection is an object, which tells the failure's detail and is to be closed. Returns 0, the code of
 * that failure, or one that leaves both as they are: -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback,
 * REQIVO_E_LIMIT_HEAD, or REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_connection_acquire(struct reqivo_client *client, struct reqivo_request **request,
                                         struct reqivo_connection **ret_connection);
/* The object is there at once, and requests may name it before fn has run. Returns 0, -EINVAL, -ECHILD,
 * -ENOMEM, -EBUSY inside a callback that gives a body, REQIVO_E_LIMIT_HEAD, REQIVO_E_LIMIT_REQUESTS, or
 * REQIVO_E_CANCELED when the handle is being closed. */
REQIVO_API int reqivo_connection_acquire_async(struct reqivo_client *client, struct reqivo_request **request,
                                               reqivo_done_fn fn, void *userdata,
                                               struct reqivo_connection **ret_connection);

/* This request goes over that connection; NULL takes it back. Returns 0, -EINVAL, or REQIVO_E_CANCELED when
 * the connection's handle is gone. */
REQIVO_API int reqivo_request_set_connection(struct reqivo_request *request,
                                             struct reqivo_connection *connection);

/* Gives it back to its pool behind the requests that name it, and frees the object: *connection is NULL then.
 * One that can serve nobody else is closed. Returns 0, or REQIVO_E_CONNECTION_CLOSED when it was closed
 * already, or another code of the daemon or of its loss; but *connection is left with -EINVAL, -ECHILD,
 * -ENOMEM, -EBUSY inside a callback, and REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_connection_release(struct reqivo_connection **connection);
/* fn may be NULL. Returns 0; or it leaves *connection: -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback
 * that gives a body, REQIVO_E_LIMIT_REQUESTS, or REQIVO_E_CANCELED when the handle is gone or going. */
REQIVO_API int reqivo_connection_release_async(struct reqivo_connection **connection, reqivo_done_fn fn,
                                               void *userdata);
/* Closes it, at once, and frees the object. Requests that name it fail. NULL is fine. */
REQIVO_API void reqivo_connection_close(struct reqivo_connection *connection);

/* What is known of it. Texts are "" when there is none, and live until the next refresh, release or close. */
struct reqivo_connection_info {
    const char *address, *local_address;        /* "192.0.2.1:443" */
    const char *tls_version, *cipher, *alpn;    /* "TLSv1.3"; "" without TLS */
    const char *certificate, *subject, *issuer; /* of the server: PEM when it is not too long; names */
    int64_t not_after;                          /* of the certificate, seconds since 1970; 0: none */
    uint64_t age_ms;                            /* since it was connected, when this was asked */
    uint64_t uses;                              /* requests that it has served */
    int reused;                                 /* it was warm when it was acquired */
    uint64_t reserved[8];                       /* 0 */
};
/* Of the time of acquire, or the last refresh. Returns 0, -EINVAL, or -ENOENT when there is nothing yet. */
REQIVO_API int reqivo_connection_info(const struct reqivo_connection *connection,
                                      struct reqivo_connection_info *ret_info);
/* Asks the daemon again. Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback, REQIVO_E_CANCELED
 * when the handle is gone, REQIVO_E_LIMIT_REQUESTS, REQIVO_E_CONNECTION_CLOSED, or what the daemon's loss
 * gives. */
REQIVO_API int reqivo_connection_refresh(struct reqivo_connection *connection);
/* Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback that gives a body, REQIVO_E_CANCELED, or
 * REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_connection_refresh_async(struct reqivo_connection *connection, reqivo_done_fn fn,
                                               void *userdata);
/* Why it could not be acquired: 0, or the code, with one line of detail. */
REQIVO_API int reqivo_connection_error(const struct reqivo_connection *connection);
REQIVO_API const char *reqivo_connection_detail(const struct reqivo_connection *connection);

#ifdef __cplusplus
}
#endif
#endif
