/* SPDX-License-Identifier: MIT */
/* exit - the exit codes of reqivo and reqivoctl: curl's where the meaning is the same, then some of our own.
 */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_PROTOCOL = 1, /* a scheme that is neither http nor https */
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_URL = 3,
    CLI_EXIT_RESOLVE = 6,
    CLI_EXIT_CONNECT = 7,
    CLI_EXIT_WEIRD_REPLY = 8,
    CLI_EXIT_PARTIAL = 18,
    CLI_EXIT_STATUS = 22, /* 400 and above with -f */
    CLI_EXIT_WRITE = 23,
    CLI_EXIT_READ = 26,
    CLI_EXIT_MEMORY = 27,
    CLI_EXIT_TIMEOUT = 28,
    CLI_EXIT_TLS = 35,
    CLI_EXIT_CANCELED = 42,
    CLI_EXIT_REDIRECTS = 47,
    CLI_EXIT_EMPTY_REPLY = 52,
    CLI_EXIT_SEND = 55,
    CLI_EXIT_RECEIVE = 56,
    CLI_EXIT_CERTIFICATE = 60,
    CLI_EXIT_CODING = 61,
    CLI_EXIT_TOO_LARGE = 63,
    CLI_EXIT_REWIND = 65,
    CLI_EXIT_CA_FILE = 77,
    CLI_EXIT_NO_DAEMON = 100,
    CLI_EXIT_POLICY = 101,
    CLI_EXIT_LIMIT = 102,
    CLI_EXIT_DAEMON_LOST = 103,
};

/* code: of <reqivo/error.h> or -errno, 0 gives 0; phase: enum reqivo_phase, where curl's code depends on it.
 */
int cli_exit_of(int code, int phase);

#endif
