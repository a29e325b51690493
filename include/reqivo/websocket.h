/* SPDX-License-Identifier: MIT */
/*
 * reqivo/websocket.h - WebSocket sessions that the daemon holds for the program (RFC 6455, RFC 7692).
 *
 * A session is opened with a request: URL (ws, wss), fields, TLS options and timeouts are set on that; each
 * field Sec-WebSocket-Protocol offers one subprotocol. With callbacks it is asynchronous, without it is
 * blocking:
 *
 *   reqivo_request_new("GET", "wss://example.org/", &request);
 *   reqivo_websocket_open(client, &request, NULL, &ws);                    // blocks until it is open
 *   reqivo_websocket_send(ws, REQIVO_TEXT, "hello", 5);
 *   while (reqivo_websocket_receive(ws, -1, &message) == 0)                // a whole message
 *       fwrite(message.bytes, 1, message.size, stdout);
 *   reqivo_websocket_free(ws);
 *
 * The rules of <reqivo/client.h> hold: one thread a handle, callbacks run in dispatch and wait only. A
 * session is one of the handle's pending requests until its end has been told.
 */
#ifndef REQIVO_WEBSOCKET_H
#define REQIVO_WEBSOCKET_H

#include <reqivo/client.h>
#include <reqivo/request.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reqivo_websocket;

enum reqivo_kind { REQIVO_TEXT = 1, REQIVO_BINARY = 2 };

/* A message, or with `pieces` a piece of one: first and last say which. When a first one follows one that was
 * not the last, the connection broke between the two, and the rest of the older message is gone. */
struct reqivo_message {
    int kind; /* enum reqivo_kind */
    int first, last;
    const void *bytes; /* until the callback returns, or the next call with this session */
    size_t size;
};

enum reqivo_websocket_event_kind {
    REQIVO_WEBSOCKET_LOST = 1,     /* code says why; undelivered messages did not go out and will not,
                                      unconfirmed ones did, and may have been read; a message of the
                                      server that was cut is gone: no piece of it follows */
    REQIVO_WEBSOCKET_RETRYING = 2, /* attempt begins in wait_ms */
    REQIVO_WEBSOCKET_RESTORED = 3,
};

struct reqivo_websocket_event {
    int kind, code;
    unsigned attempt, wait_ms, undelivered, unconfirmed;
};

/* on_message returns 0, or -EAGAIN when it cannot take the message (piece) now: then nothing more comes, the
 * server is slowed, and the same one is told again when sending goes on (just before on_drain), after
 * reqivo_websocket_resume(), and once when the session has ended. So what it passes on to
 * reqivo_websocket_send_part() may simply return that one's result. All other values mean 0. */
struct reqivo_websocket_callbacks {
    void (*on_open)(struct reqivo_websocket *ws, void *userdata); /* may be NULL, as all but on_close */
    int (*on_message)(struct reqivo_websocket *ws, const struct reqivo_message *message, void *userdata);
    void (*on_event)(struct reqivo_websocket *ws, const struct reqivo_websocket_event *event, void *userdata);
    void (*on_drain)(struct reqivo_websocket *ws, void *userdata); /* after -EAGAIN: sending goes on */
    void (*on_close)(struct reqivo_websocket *ws, void *userdata); /* the last one; runs once */
};

/* What is 0 is the default. */
struct reqivo_websocket_options {
    const struct reqivo_websocket_callbacks *callbacks; /* copied; NULL: the session is used blocking */
    void *userdata;
    uint64_t message_max;      /* bytes of one message that is received; 16 MiB */
    unsigned ping_ms, pong_ms; /* silence until the server is pinged (never); time for its answer (10 s) */
    unsigned idle_ms;          /* without a message either way it is closed (never) */
    unsigned reconnect; /* attempts after a loss (none); REQIVO_WEBSOCKET_FOR_EVER; counted on until the
                           session has been open for backoff_max_ms, at most 30 s */
    unsigned backoff_ms, backoff_max_ms; /* before the first attempt (500), and at most (30 s); 10 at least */
    int compress;                        /* offer permessage-deflate */
    int pieces;                          /* messages are told piece by piece as they come, not whole */
};
#define REQIVO_WEBSOCKET_FOR_EVER 65535u

/* Takes *request (leaves NULL). With callbacks on_open or on_close follows. Without, it blocks until the
 * session is open, or has failed: then *request is taken too, and *ret_ws is a session that has ended and
 * tells the detail. Returns 0, the code of that failure, or one that leaves both as they are: -EINVAL,
 * -ECHILD, -ENOMEM, -EBUSY for a blocking one inside a callback, REQIVO_E_LIMIT_HEAD,
 * REQIVO_E_LIMIT_REQUESTS, or REQIVO_E_VERSION from a daemon without WebSockets (while that is not known yet
 * the session is taken, and fails with this code). */
REQIVO_API int reqivo_websocket_open(struct reqivo_client *client, struct reqivo_request **request,
                                     const struct reqivo_websocket_options *options,
                                     struct reqivo_websocket **ret_ws);

/* Sends one message; the bytes are copied. While 1 MiB waits a blocking session waits, too. Returns 0,
 * -EINVAL, -ECHILD, -ENOMEM, -EBUSY for a blocking one inside a callback, -EAGAIN for another one while 1 MiB
 * waits (nothing was taken; on_drain tells when), or REQIVO_E_WEBSOCKET_CLOSED. */
REQIVO_API int reqivo_websocket_send(struct reqivo_websocket *ws, int kind, const void *bytes, size_t size);
/* The same with a piece of a message: kind is that of its first piece. Returns 0, -EINVAL, -ECHILD, -ENOMEM,
 * -EBUSY, -EAGAIN or REQIVO_E_WEBSOCKET_CLOSED, as reqivo_websocket_send(). */
REQIVO_API int reqivo_websocket_send_part(struct reqivo_websocket *ws, int kind, const void *bytes,
                                          size_t size, int last);

/* After -EAGAIN of on_message: it runs again in the next dispatch. Returns 0, -EINVAL for a blocking session,
 * or -ECHILD. */
REQIVO_API int reqivo_websocket_resume(struct reqivo_websocket *ws);

/* Blocking sessions: the next message (piece). A negative timeout_ms sets no limit. Returns 0, -EINVAL,
 * -ECHILD, -ENOMEM, -EAGAIN after timeout_ms, -EBUSY inside a callback,
 * REQIVO_E_WEBSOCKET_CLOSED when the session has ended well, or the code of its failure. */
REQIVO_API int reqivo_websocket_receive(struct reqivo_websocket *ws, int timeout_ms,
                                        struct reqivo_message *ret_message);

/* Closes after what was sent: code 1000, 3000..4999 or another that RFC 6455 7.4 lets a program send; 1005
 * for none. reason (UTF-8, at most 123 bytes) may be NULL. A blocking session waits for the end, 10 s at
 * most. Returns 0, -EINVAL, -ECHILD, -ENOMEM, -EBUSY for a blocking one inside a callback, -EAGAIN when the
 * 10 s have passed, or REQIVO_E_WEBSOCKET_CLOSED. */
REQIVO_API int reqivo_websocket_close(struct reqivo_websocket *ws, int code, const char *reason);

/* Ends it if it is open (the server is told 1001; on_close does not run) and frees it. NULL is fine. */
REQIVO_API void reqivo_websocket_free(struct reqivo_websocket *ws);

REQIVO_API const char *reqivo_websocket_protocol(const struct reqivo_websocket *ws); /* agreed on, or "" */
/* After the end: 0 when it ended well, or the code of the failure, with one line of detail. */
REQIVO_API int reqivo_websocket_error(const struct reqivo_websocket *ws);
REQIVO_API const char *reqivo_websocket_detail(const struct reqivo_websocket *ws);
/* Of the close: 1005 for none in the frame, 1006 without a close frame, 0 when it was never open. */
REQIVO_API int reqivo_websocket_close_code(const struct reqivo_websocket *ws);
REQIVO_API const char *reqivo_websocket_close_reason(const struct reqivo_websocket *ws);
/* Messages that the program has sent and that certainly did not go out whole: all of them while the daemon is
 * there, and what was still in the library when it was lost. */
REQIVO_API size_t reqivo_websocket_undelivered(const struct reqivo_websocket *ws);
/* Messages that went out whole on a connection that broke, since the server last answered a ping: it may have
 * them or not. They are not sent again. 0 where all connections were closed by both sides. */
REQIVO_API size_t reqivo_websocket_unconfirmed(const struct reqivo_websocket *ws);

#ifdef __cplusplus
}
#endif
#endif
