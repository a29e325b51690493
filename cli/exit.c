/* SPDX-License-Identifier: MIT */
/*
 * exit - from a failure of the library to an exit code. The table holds what depends on the code alone; what
 * curl tells apart by the moment is decided by the phase below it.
 */
#include "cli/exit.h"

#include <errno.h>
#include <reqivo/error.h>
#include <stddef.h>

struct exit_row {
    int code;
    int exit;
};

static const struct exit_row exit_rows[] = {
    {REQIVO_OK, CLI_EXIT_OK},
    {-EINVAL, CLI_EXIT_USAGE},
    {-ENOMEM, CLI_EXIT_MEMORY},
    {REQIVO_E_URL, CLI_EXIT_URL},
    {REQIVO_E_METHOD, CLI_EXIT_USAGE},
    {REQIVO_E_FIELD, CLI_EXIT_USAGE},
    {REQIVO_E_SOCKET_PATH, CLI_EXIT_USAGE},
    {REQIVO_E_BODY_LENGTH, CLI_EXIT_READ},
    {REQIVO_E_BODY_SOURCE, CLI_EXIT_READ},
    {REQIVO_E_TRUST, CLI_EXIT_CA_FILE},
    {REQIVO_E_RESOLVE, CLI_EXIT_RESOLVE},
    {REQIVO_E_CONNECT, CLI_EXIT_CONNECT},
    {REQIVO_E_EMPTY_RESPONSE, CLI_EXIT_EMPTY_REPLY},
    {REQIVO_E_TLS_HANDSHAKE, CLI_EXIT_TLS},
    {REQIVO_E_TLS_CERTIFICATE, CLI_EXIT_CERTIFICATE},
    {REQIVO_E_TLS_HOST, CLI_EXIT_CERTIFICATE},
    {REQIVO_E_RESPONSE_HEAD, CLI_EXIT_WEIRD_REPLY},
    {REQIVO_E_RESPONSE_LIMIT, CLI_EXIT_RECEIVE},
    {REQIVO_E_TRUNCATED, CLI_EXIT_PARTIAL},
    {REQIVO_E_UPGRADE, CLI_EXIT_WEIRD_REPLY},
    {REQIVO_E_LIMIT_BODY, CLI_EXIT_TOO_LARGE},
    {REQIVO_E_NO_DAEMON, CLI_EXIT_NO_DAEMON},
    {REQIVO_E_WIRE, CLI_EXIT_DAEMON_LOST},
    {REQIVO_E_VERSION, CLI_EXIT_DAEMON_LOST},
    {REQIVO_E_DAEMON_LOST, CLI_EXIT_DAEMON_LOST},
    {REQIVO_E_SHUTDOWN, CLI_EXIT_DAEMON_LOST},
    {REQIVO_E_INTERNAL, CLI_EXIT_DAEMON_LOST},
    {REQIVO_E_ADDRESS_DENIED, CLI_EXIT_POLICY},
    {REQIVO_E_ACCESS_DENIED, CLI_EXIT_POLICY},
    {REQIVO_E_OPTION_DENIED, CLI_EXIT_POLICY},
    {REQIVO_E_LIMIT_MEMORY, CLI_EXIT_LIMIT},
    {REQIVO_E_LIMIT_REQUESTS, CLI_EXIT_LIMIT},
    {REQIVO_E_LIMIT_PEERS, CLI_EXIT_LIMIT},
    {REQIVO_E_LIMIT_HEAD, CLI_EXIT_LIMIT},
    {REQIVO_E_LIMIT_TRUST, CLI_EXIT_LIMIT},
    {REQIVO_E_CANCELED, CLI_EXIT_CANCELED},
    {REQIVO_E_WEBSOCKET_HANDSHAKE, CLI_EXIT_WEIRD_REPLY},
    {REQIVO_E_WEBSOCKET_PROTOCOL, CLI_EXIT_RECEIVE},
    {REQIVO_E_WEBSOCKET_CLOSED, CLI_EXIT_RECEIVE},
    {REQIVO_E_WEBSOCKET_LIMIT, CLI_EXIT_TOO_LARGE},
    {REQIVO_E_COOKIE, CLI_EXIT_USAGE},
    {REQIVO_E_SESSION, CLI_EXIT_USAGE},
    {REQIVO_E_REDIRECT_BODY, CLI_EXIT_REWIND},
    {REQIVO_E_CONNECTION_CLOSED, CLI_EXIT_RECEIVE},
    {REQIVO_E_CODING, CLI_EXIT_CODING},
    {REQIVO_E_REDIRECT_URL, CLI_EXIT_URL},
    {REQIVO_E_SESSION_LOST, CLI_EXIT_DAEMON_LOST},
    {REQIVO_E_REDIRECT_DENIED, CLI_EXIT_POLICY},
    {REQIVO_E_LIMIT_CODING, CLI_EXIT_TOO_LARGE},
    {REQIVO_E_LIMIT_COOKIES, CLI_EXIT_LIMIT},
    {REQIVO_E_REFUSED, CLI_EXIT_CANCELED},
    {REQIVO_E_REDIRECT_LOOP, CLI_EXIT_REDIRECTS},
    {REQIVO_E_REDIRECT_LIMIT, CLI_EXIT_REDIRECTS},
    {REQIVO_E_TIMEOUT_QUEUE, CLI_EXIT_TIMEOUT},
    {REQIVO_E_TIMEOUT_RESOLVE, CLI_EXIT_TIMEOUT},
    {REQIVO_E_TIMEOUT_CONNECT, CLI_EXIT_TIMEOUT},
    {REQIVO_E_TIMEOUT_TLS, CLI_EXIT_TIMEOUT},
    {REQIVO_E_TIMEOUT_FIRST, CLI_EXIT_TIMEOUT},
    {REQIVO_E_TIMEOUT_STALL, CLI_EXIT_TIMEOUT},
    {REQIVO_E_TIMEOUT_TOTAL, CLI_EXIT_TIMEOUT},
};

/* A broken connection: curl says in which direction, and TLS while it is being set up. */
static int exit_of_break(int phase)
{
    switch (phase) {
    case REQIVO_PHASE_CONNECT:
        return CLI_EXIT_CONNECT;
    case REQIVO_PHASE_TLS:
        return CLI_EXIT_TLS;
    case REQIVO_PHASE_SEND:
        return CLI_EXIT_SEND;
    default:
        return CLI_EXIT_RECEIVE;
    }
}

int cli_exit_of(int code, int phase)
{
    for (size_t i = 0; i < sizeof(exit_rows) / sizeof(exit_rows[0]); i++)
        if (exit_rows[i].code == code)
            return exit_rows[i].exit;
    switch (code) {
    case REQIVO_E_RESET:
    case REQIVO_E_TLS_PROTOCOL:
        return exit_of_break(phase);
    case REQIVO_E_RESPONSE_FRAMING: /* a bad Content-Length is a weird reply, a bad chunk a failed receive */
        return phase == REQIVO_PHASE_BODY ? CLI_EXIT_RECEIVE : CLI_EXIT_WEIRD_REPLY;
    default: /* a code of a newer library, or an errno of reading a file */
        return code > -10000 ? CLI_EXIT_READ : CLI_EXIT_RECEIVE;
    }
}
