/* SPDX-License-Identifier: MIT */
/*
 * reqivo/error.h - the one number space of failures, on the wire and in programs.
 *
 * Every function that can fail returns a negative int: either -errno for faults of the call itself
 * (-EINVAL, -ENOMEM, -EBUSY, -ECHILD) or one of the codes below. Codes are stable: a number is never reused
 * for another meaning. reqivo_error_class() groups them the way a program wants to test them.
 */
#ifndef REQIVO_ERROR_H
#define REQIVO_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* What a program usually asks of a failure. The hierarchy of an exception tree, flat. */
enum reqivo_class {
    REQIVO_CLASS_OK = 0,
    REQIVO_CLASS_USAGE = 1,            /* the call was wrong: a bad URL, a bad field, -EINVAL and its like */
    REQIVO_CLASS_NETWORK = 2,          /* resolve, connect, reset, unreachable */
    REQIVO_CLASS_TLS = 3,              /* handshake, certificate, host name */
    REQIVO_CLASS_CONNECT_TIMEOUT = 4,  /* queue, resolve, connect or TLS took too long */
    REQIVO_CLASS_READ_TIMEOUT = 5,     /* first byte, stall or total took too long */
    REQIVO_CLASS_PROTOCOL = 6,         /* the wire between library and daemon was violated */
    REQIVO_CLASS_INVALID_RESPONSE = 7, /* the server's answer is not valid HTTP or is cut short */
    REQIVO_CLASS_DAEMON = 8,           /* no daemon, daemon lost, daemon shutting down */
    REQIVO_CLASS_POLICY = 9,           /* refused by the daemon's policy */
    REQIVO_CLASS_LIMIT = 10,           /* a limit of the daemon or of the program was reached */
    REQIVO_CLASS_CANCELED = 11,        /* the program took the request back */
    REQIVO_CLASS_WEBSOCKET = 12,       /* a WebSocket: its handshake, its messages, its end */
    REQIVO_CLASS_REDIRECT_LOOP = 13,   /* redirects that lead in a circle */
    REQIVO_CLASS_TOO_MANY_REDIRECTS = 14, /* more of them than are followed */
};

/* The steps of a request, in order: where it failed. */
enum reqivo_phase {
    REQIVO_PHASE_NONE = 0,
    REQIVO_PHASE_IPC = 1,     /* between the program and the daemon */
    REQIVO_PHASE_QUEUE = 2,   /* waiting for a connection of the pool */
    REQIVO_PHASE_DNS = 3,     /* resolving the host */
    REQIVO_PHASE_CONNECT = 4, /* TCP */
    REQIVO_PHASE_TLS = 5,     /* TLS handshake */
    REQIVO_PHASE_SEND = 6,    /* writing head or body of the request */
    REQIVO_PHASE_HEAD = 7,    /* waiting for, or reading, the response head */
    REQIVO_PHASE_BODY = 8,    /* reading the response body */
};

/* May bytes of the request have reached the server? */
enum reqivo_sent {
    REQIVO_SENT_NO = 0,      /* certainly not: repeating it is safe */
    REQIVO_SENT_UNKNOWN = 1, /* possibly, in part or whole */
    REQIVO_SENT_YES = 2,     /* the server answered it */
};

/* X(name, number, class, text) */
/* clang-format off */
#define REQIVO_ERROR_TABLE(X)                                                                                 \
    X(URL,              -10101, USAGE,            "the URL is malformed or its scheme is not supported")       \
    X(METHOD,           -10102, USAGE,            "the method is not a valid token or not supported")          \
    X(FIELD,            -10103, USAGE,            "a header field is invalid or is the daemon's own to write") \
    X(BODY_LENGTH,      -10104, USAGE,            "the body is shorter or longer than was declared")           \
    X(BODY_SOURCE,      -10105, USAGE,            "the request body could not be read from its source")        \
    X(TRUST,            -10106, USAGE,            "the CA certificates given are not usable")                  \
    X(SOCKET_PATH,      -10107, USAGE,            "the path of the socket is too long or malformed")           \
    X(COOKIE,           -10108, USAGE,            "a line of cookies is malformed, or no session may keep that cookie") \
    X(SESSION,          -10109, USAGE,            "the session or connection named was never opened or is closed") \
    X(REDIRECT_BODY,    -10110, USAGE,            "a redirect needs the request body once more, which cannot be had again") \
    X(BODY_SINK,        -10111, USAGE,            "the response body could not be written to its file")        \
    X(RESOLVE,          -10201, NETWORK,          "the host name could not be resolved")                       \
    X(CONNECT,          -10202, NETWORK,          "could not connect to the server")                           \
    X(RESET,            -10203, NETWORK,          "the server reset or broke the connection")                  \
    X(EMPTY_RESPONSE,   -10204, NETWORK,          "the server closed the connection without an answer")        \
    X(CONNECTION_CLOSED, -10205, NETWORK,          "the connection that was acquired has been closed") \
    X(TLS_HANDSHAKE,    -10301, TLS,              "the TLS handshake failed")                                  \
    X(TLS_CERTIFICATE,  -10302, TLS,              "the server's certificate is not trusted")                   \
    X(TLS_HOST,         -10303, TLS,              "the server's certificate is for another host")              \
    X(TLS_PROTOCOL,     -10304, TLS,              "the TLS connection violated the protocol or was cut")       \
    X(TIMEOUT_QUEUE,    -10401, CONNECT_TIMEOUT,  "no connection of the pool became free in time")             \
    X(TIMEOUT_RESOLVE,  -10402, CONNECT_TIMEOUT,  "resolving the host name took too long")                     \
    X(TIMEOUT_CONNECT,  -10403, CONNECT_TIMEOUT,  "connecting took too long")                                  \
    X(TIMEOUT_TLS,      -10404, CONNECT_TIMEOUT,  "the TLS handshake took too long")                           \
    X(TIMEOUT_FIRST,    -10501, READ_TIMEOUT,     "the server did not begin its answer in time")               \
    X(TIMEOUT_STALL,    -10502, READ_TIMEOUT,     "the transfer stood still for too long")                     \
    X(TIMEOUT_TOTAL,    -10503, READ_TIMEOUT,     "the request took longer than its total time")               \
    X(TIMEOUT_READER,   -10504, READ_TIMEOUT,     "the program took nothing of the response for too long")      \
    X(WIRE,             -10601, PROTOCOL,         "the peer on the local socket violated the protocol")        \
    X(VERSION,          -10602, PROTOCOL,         "the daemon and the library have no protocol version in common") \
    X(RESPONSE_HEAD,    -10701, INVALID_RESPONSE, "the response head is not valid HTTP/1.1")                   \
    X(RESPONSE_FRAMING, -10702, INVALID_RESPONSE, "the response's length or transfer coding is not valid")     \
    X(RESPONSE_LIMIT,   -10703, INVALID_RESPONSE, "the response head or trailer section is over a limit")      \
    X(TRUNCATED,        -10704, INVALID_RESPONSE, "the response ended before its body was complete")           \
    X(UPGRADE,          -10705, INVALID_RESPONSE, "the server switched protocols without being asked")         \
    X(CODING,           -10706, INVALID_RESPONSE, "the content coding of the response is unknown or its data is not valid") \
    X(REDIRECT_URL,     -10707, INVALID_RESPONSE, "a redirect leads to a URL that is malformed or not http or https") \
    X(NO_DAEMON,        -10801, DAEMON,           "no daemon answers on the socket")                           \
    X(DAEMON_LOST,      -10802, DAEMON,           "the connection to the daemon was lost")                     \
    X(SHUTDOWN,         -10803, DAEMON,           "the daemon is shutting down")                               \
    X(INTERNAL,         -10804, DAEMON,           "an internal check of the daemon failed")                    \
    X(SESSION_LOST,     -10805, DAEMON,           "the daemon was lost, and the cookies of the session with it") \
    X(ADDRESS_DENIED,   -10901, POLICY,           "the address is refused by the daemon's policy")             \
    X(ACCESS_DENIED,    -10902, POLICY,           "the daemon refuses this user")                              \
    X(OPTION_DENIED,    -10903, POLICY,           "an option of the request is refused by the daemon's policy") \
    X(REDIRECT_DENIED,  -10904, POLICY,           "a redirect from https to http, or into a private network, is refused") \
    X(RULE_DENIED,      -10905, POLICY,           "the request is refused by a rule of the daemon's policy")    \
    X(LIMIT_MEMORY,     -11001, LIMIT,            "the user's share of the daemon's memory is used up")        \
    X(LIMIT_REQUESTS,   -11002, LIMIT,            "too many requests are in flight")                           \
    X(LIMIT_PEERS,      -11003, LIMIT,            "too many programs are connected")                           \
    X(LIMIT_BODY,       -11004, LIMIT,            "the response body is larger than the program allows")       \
    X(LIMIT_HEAD,       -11005, LIMIT,            "the request's head is larger than one frame holds")         \
    X(LIMIT_TRUST,      -11006, LIMIT,            "too many or too large sets of CA certificates")             \
    X(LIMIT_CODING,     -11007, LIMIT,            "the decoded response is larger than its limits of size or ratio") \
    X(LIMIT_COOKIES,    -11008, LIMIT,            "the cookies of a session are over a limit") \
    X(OVERLOADED,       -11009, LIMIT,            "the daemon is overloaded, and the user holds much of it: try again later") \
    X(LIMIT_RATE,       -11010, LIMIT,            "more requests a second than the user's policy allows") \
    X(CANCELED,         -11101, CANCELED,         "the request was canceled")                                 \
    X(REFUSED,          -11102, CANCELED,         "a hook of the program refused the request") \
    X(WEBSOCKET_HANDSHAKE, -11201, WEBSOCKET,     "the server's answer opens no WebSocket")                    \
    X(WEBSOCKET_PROTOCOL,  -11202, WEBSOCKET,     "a WebSocket frame or message violates its protocol")        \
    X(WEBSOCKET_CLOSED,    -11203, WEBSOCKET,     "the WebSocket is closed or was lost")                       \
    X(WEBSOCKET_LIMIT,     -11204, WEBSOCKET,     "a WebSocket message is over a limit") \
    X(REDIRECT_LOOP,    -11301, REDIRECT_LOOP,    "a redirect leads to where the request has been") \
    X(REDIRECT_LIMIT,   -11401, TOO_MANY_REDIRECTS, "more redirects than are followed")
/* clang-format on */

enum reqivo_error {
    REQIVO_OK = 0,
#define REQIVO_ERROR_ENUM(name, number, class, text) REQIVO_E_##name = (number),
    REQIVO_ERROR_TABLE(REQIVO_ERROR_ENUM)
#undef REQIVO_ERROR_ENUM
};

#ifdef __cplusplus
}
#endif
#endif
