/* SPDX-License-Identifier: MIT */
/*
 * reqivo/client.h - the program's one channel to reqivod.
 *
 * 1. Synchronous:
 *
 *      struct reqivo_client *client = NULL;
 *      struct reqivo_response *response = NULL;
 *      reqivo_open(NULL, &client);
 *      reqivo_get(client, "https://example.org/", &response);
 *      printf("%d %zu\n", reqivo_response_status(response), reqivo_response_body_size(response));
 *      reqivo_response_free(response), reqivo_close(client);
 *
 * 2. Asynchronous, with poll:
 *
 *      reqivo_submit(client, &request, on_done, userdata, &id);      // on_done gets the response
 *      while (reqivo_client_pending(client) > 0)
 *          reqivo_client_wait(client, -1);                           // poll + process + dispatch
 *
 * 3. Asynchronous, in your libev loop (any other loop: fd, events, timeout_ms, process, dispatch):
 *
 *      #include <reqivo/adapters/libev.h>
 *      reqivo_libev_attach(&adapter, EV_DEFAULT, client);
 *      reqivo_submit(client, &request, on_done, userdata, &id);
 *      ev_run(EV_DEFAULT, 0);
 *
 * Thread rule: a handle belongs to one thread at a time; any number of handles may exist. After fork() every
 * call on a parent's handle returns -ECHILD in the child (those that return no code: 0, -1 or "", as if
 * nothing were connected or pending), and reqivo_close() there only closes the descriptor. Callbacks run only
 * inside reqivo_client_dispatch() and reqivo_client_wait(), never inside the call that started them. Inside a
 * callback everything is allowed but reqivo_call() and its kin, reqivo_client_wait() and
 * reqivo_client_dispatch() (-EBUSY). Each submitted request completes exactly once, also when the handle is
 * closed (REQIVO_E_CANCELED).
 *
 * A hung daemon: one that does not answer the library's HELLO is given up after 15 s, more than a daemon
 * takes to end and the next one to start: under socket activation a program waits there for that. One that
 * falls silent is asked for a sign of life when for 20 s no byte has come while requests are with it, and is
 * given up 10 s later; a slow server is no reason, since the daemon itself answers. So whatever the requests'
 * own timeouts are, a daemon that stops ends a call after at most 50 s, or 65 s when the request may go once
 * more to a successor that does not answer either: REQIVO_E_DAEMON_LOST. A program that comes late to drive
 * its handle reads what has come before the daemon is blamed, and when nothing has, gives it its time once
 * more.
 *
 * NULL in place of a handle: -EINVAL, but reqivo_call() and reqivo_get() make a response with
 * REQIVO_E_NO_DAEMON. The library starts no thread, installs no signal
 * handler, has no global state, and never prints, exits or aborts.
 */
#ifndef REQIVO_CLIENT_H
#define REQIVO_CLIENT_H

#include <reqivo/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REQIVO_API __attribute__((visibility("default")))

struct reqivo_client;
struct reqivo_request;
struct reqivo_response;

/* ---- errors ---- */
REQIVO_API const char *reqivo_error_name(int code); /* "E_TIMEOUT_FIRST", "EINVAL"; static, never NULL */
REQIVO_API const char *reqivo_error_text(int code);
REQIVO_API int reqivo_error_class(int code);       /* enum reqivo_class */
REQIVO_API int reqivo_error_is(int code, int cls); /* 1 when the code is of that class, else 0 */
REQIVO_API const char *reqivo_class_name(int cls);
REQIVO_API const char *reqivo_phase_name(int phase);
REQIVO_API const char *reqivo_version(void);

/* ---- handle ---- */

/* Makes a handle for the daemon at `socket_path`; NULL: $REQIVO_SOCKET (read with secure_getenv), else
 * $XDG_RUNTIME_DIR/reqivo/reqivo.sock when that exists, else /run/reqivo/reqivo.sock. Connects without
 * waiting for the daemon's answer; the daemon's uid must be root's, this process's, or the owner of the
 * socket file's directory. On failure *ret_client is untouched; reqivo_open_error tells the paths tried. The
 * handle reconnects by itself when the daemon comes back. Returns 0, -EINVAL, -ENOMEM, REQIVO_E_SOCKET_PATH,
 * or REQIVO_E_NO_DAEMON. */
REQIVO_API int reqivo_open(const char *socket_path, struct reqivo_client **ret_client);

/* One line about why an open with the same argument fails now, for people: which paths, which errno. Writes
 * at most size bytes. */
REQIVO_API void reqivo_open_error(const char *socket_path, char *text, size_t size);

#define REQIVO_OPEN_START 1U /* where no daemon answers, start one of this user's own */
/* As reqivo_open(). With REQIVO_OPEN_START, and where nobody answers, it starts reqivod for this user, at the
 * path that was named, else at $XDG_RUNTIME_DIR/reqivo/reqivo.sock, and does not wait for it: requests wait,
 * at most 15 s, and get REQIVO_E_NO_DAEMON with the daemon's own words when it cannot start. The handle does
 * so again when the daemon is lost, or has ended because nobody used it. Of many programs that come at once
 * one starts it. The daemon is no child of the program; the one process in between is waited for here
 * (SIGCHLD may be seen). It is /usr/sbin/reqivod, or $REQIVOD; a set-uid program starts none. text (may be
 * NULL) gets one line about a failure, size bytes at most. Returns 0, -EINVAL (for flags that are not known,
 * too), -ENOMEM, REQIVO_E_SOCKET_PATH, or REQIVO_E_NO_DAEMON. */
REQIVO_API int reqivo_open_flags(const char *socket_path, unsigned flags, char *text, size_t size,
                                 struct reqivo_client **ret_client);

/* Completes every pending request with REQIVO_E_CANCELED (their callbacks run inside this call, after which
 * nothing of the handle is valid) and frees. NULL is fine. Inside a callback of this handle: takes effect
 * when dispatching ends. */
REQIVO_API void reqivo_close(struct reqivo_client *client);

/* ---- driving it from any loop ---- */
REQIVO_API int reqivo_client_fd(const struct reqivo_client *client);     /* -1 while not connected: use the
                                                                            timeout. It changes on reconnect. */
REQIVO_API int reqivo_client_events(const struct reqivo_client *client); /* POLLIN, perhaps | POLLOUT */
/* Milliseconds until process() must be called without any event: 0 while completions or output wait, -1 for
 * never. */
REQIVO_API int reqivo_client_timeout_ms(const struct reqivo_client *client);
/* Connects when due, reads and writes what can be without blocking, and runs no callback, except those that
 * give bytes of a request's body. Loss of the daemon is no failure here: it completes requests. Returns 0,
 * -EINVAL, -ECHILD, -ENOMEM, or -EBUSY inside a callback that gives a body. */
REQIVO_API int reqivo_client_process(struct reqivo_client *client);
/* Runs the callbacks of what has completed or arrived. Returns the number run, -EINVAL, -ECHILD, or -EBUSY
 * inside a callback. */
REQIVO_API int reqivo_client_dispatch(struct reqivo_client *client);
/* poll() at most timeout_ms (-1: no limit), process, dispatch. Returns the number of callbacks run (0:
 * nothing yet), -EINVAL, -ECHILD, -EINTR, -ENOMEM, or -EBUSY inside a callback. */
REQIVO_API int reqivo_client_wait(struct reqivo_client *client, int timeout_ms);
/* Requests submitted and not yet completed to the program. */
REQIVO_API size_t reqivo_client_pending(const struct reqivo_client *client);
/* "reqivod/0.1.0", or "" before the daemon has answered. */
REQIVO_API const char *reqivo_client_daemon(const struct reqivo_client *client);
/* The uid that the kernel reports for the daemon's socket; -1 while not connected. */
REQIVO_API long reqivo_client_daemon_uid(const struct reqivo_client *client);

/* ---- requests in flight ---- */

/* Runs once when the request is complete. The response is the callee's from here: reqivo_response_free(). It
 * always exists: reqivo_response_error() tells a failure. */
typedef void (*reqivo_done_fn)(struct reqivo_client *client, struct reqivo_response *response,
                               void *userdata);

/* Takes *request (leaves NULL) and starts it; on failure *request stays the caller's. *ret_id (may be NULL)
 * names it for cancel: ids grow and are not reused. Whatever happens later is reported by the callback.
 * Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback that gives a body, REQIVO_E_LIMIT_HEAD,
 * REQIVO_E_LIMIT_REQUESTS (4096 in flight), or REQIVO_E_CANCELED when the handle is being closed. */
REQIVO_API int reqivo_submit(struct reqivo_client *client, struct reqivo_request **request, reqivo_done_fn fn,
                             void *userdata, uint64_t *ret_id);

/* Completes the request with REQIVO_E_CANCELED at the next dispatch and tells the daemon. Returns 0, -EINVAL,
 * -ECHILD, -EBUSY inside a callback that gives a body, or -ENOENT (completed or never was). */
REQIVO_API int reqivo_cancel(struct reqivo_client *client, uint64_t id);

/* Submits and polls until this request is complete; completions of others are kept for dispatch. When the
 * request could not be started it stays the caller's and *ret_response is untouched: -EINVAL, -ECHILD, ... of
 * the list below. Otherwise *request is taken, *ret_response exists, and the answer is
 * reqivo_response_error() of it (0 or negative). So it is with a client of NULL, too, unless memory is out:
 * the response then has the phase ipc and was not sent.
 * Returns what the response says, REQIVO_E_NO_DAEMON among it, or without a response -EINVAL, -ECHILD,
 * -ENOMEM, -EBUSY inside a callback, REQIVO_E_LIMIT_HEAD, or REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_call(struct reqivo_client *client, struct reqivo_request **request,
                           struct reqivo_response **ret_response);

/* GET in one call: builds a request and calls. Returns what the response says, REQIVO_E_NO_DAEMON among it,
 * or without a response -EINVAL, -ECHILD, -ENOMEM, -EBUSY inside a callback, REQIVO_E_LIMIT_HEAD, or
 * REQIVO_E_LIMIT_REQUESTS. */
REQIVO_API int reqivo_get(struct reqivo_client *client, const char *url,
                          struct reqivo_response **ret_response);

#define REQIVO_QUERY_STATUS     1
#define REQIVO_QUERY_POOLS      2
#define REQIVO_QUERY_WEBSOCKETS 3
#define REQIVO_QUERY_CLIENTS    4 /* this and what follows: on the control socket only */
#define REQIVO_QUERY_REQUESTS   5
#define REQIVO_QUERY_METRICS    6 /* Prometheus' text format: each value is a line */
typedef void (*reqivo_row_fn)(size_t count, const char *const names[], const char *const values[],
                              void *userdata);
/* Administration: rows of name/value pairs. verb: one of REQIVO_QUERY_*. fn runs per
 * row, during the call. Blocks at most timeout_ms; a negative one sets no limit. Returns 0, -EINVAL, -ECHILD,
 * -ENOMEM, -EBUSY inside a callback, REQIVO_E_LIMIT_REQUESTS, or the code with which the query failed. */
REQIVO_API int reqivo_query(struct reqivo_client *client, int verb, int timeout_ms, reqivo_row_fn fn,
                            void *userdata);

#define REQIVO_CONTROL_DRAIN  14 /* as SIGTERM does */
#define REQIVO_CONTROL_RELOAD 15 /* ends when the new configuration is in force, or has been refused */
#define REQIVO_CONTROL_CLOSE  16 /* idle connections of all pools of `origin`: fields pools, closed */
#define REQIVO_CONTROL_WARM   17 /* `count` connections to `origin` are there or made; 0 counts as 1 */
#define REQIVO_USER_SELF      (-1LL)
#define REQIVO_USER_ALL       (-2LL) /* of CLOSE */
/* What changes something, as a request: by reqivo_call() or reqivo_submit() on a handle that was opened with
 * the path of the control socket. The response has no status; what the daemon has to say are its fields.
 * origin: a URL, of CLOSE and WARM; else NULL. user: whose pools, one of REQIVO_USER_* or a uid. Returns 0,
 * -EINVAL or -ENOMEM. */
REQIVO_API int reqivo_control_new(int verb, const char *origin, uint32_t count, long long user,
                                  struct reqivo_request **ret_request);

#ifdef __cplusplus
}
#endif
#endif
