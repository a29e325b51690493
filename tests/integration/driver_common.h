/* SPDX-License-Identifier: MIT */
/*
 * driver_common - what the synchronous and the asynchronous driver share: descriptions of requests are read
 * from stdin, results are printed as one line of JSON each. Public headers only. A description is
 *
 *   request TAG METHOD URL           begins one; the lines below are optional; \xHH stands for a byte
 *   field NAME VALUE                 | timeout WHICH MS (queue connect tls first stall total)
 *   body memory TEXT | body view TEXT | body fill N | body file PATH | body callback N [DECLARED] | body
 * chunked N source-again N | source-fail     the callback says -EAGAIN before each N-th piece | fails at its
 * end verify 0|1 | ca PATH | max N | stream | stop-after N | pause-after N MS | cancel-at-head | cancel-after
 * MS | redirects MAX | redirect-policy BITS | decode 1
 *   idempotent 1 | fresh 1 | expect 1 | begun 1 end                              the request starts
 *
 * and besides: `session NAME` (the requests that follow are of that session, which is made when it is named
 * first; "-": of none), `window N` (at most N in flight, asynchronous driver), `run` (until all are
 * complete), `note TEXT` (answered by a line of its own when everything before it is complete). Bodies made
 * here are the bytes 0..250 repeated, so that any piece is known by its offset.
 */
#ifndef TESTS_DRIVER_COMMON_H
#define TESTS_DRIVER_COMMON_H

#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <reqivo/session.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIVER_TAG   128
#define DRIVER_KEEP  8192 /* bytes of a body that are printed */
#define DRIVER_NEVER UINT64_MAX

/* One request, from its description to its result. Never freed before the program ends: a second completion
 * would be seen. */
struct job {
    struct job *next;
    struct reqivo_client *client;
    struct reqivo_request *request;
    char tag[DRIVER_TAG];
    int build_error; /* the first setter that failed */
    char build_step[32];
    uint64_t id;
    unsigned completions, heads;
    char *view; /* the bytes of `body view` */
    /* body callback */
    uint64_t source_size, source_at, source_again, source_calls, resume_at_ms;
    bool source_fail;
    /* streamed response */
    bool stream, cancel_at_head;
    uint64_t streamed, stop_after, pause_after, unpause_at_ms, pause_ms, cancel_at_ms, cancel_after_ms;
    uint32_t crc;
    int head_status;
    unsigned char kept[DRIVER_KEEP];
};

enum driver_verb { DRIVER_END_OF_INPUT, DRIVER_START, DRIVER_RUN, DRIVER_WINDOW, DRIVER_NOTE };

struct driver_session {
    struct driver_session *next;
    char name[DRIVER_TAG];
    struct reqivo_session *session;
};

struct driver {
    struct reqivo_client *client;
    struct job *jobs, *job;                    /* all; the one being described */
    struct driver_session *sessions, *session; /* all; the one of the requests that follow, or NULL */
    size_t window;
    char note[DRIVER_TAG];
    unsigned submitted, completed, twice;
};

/* Opens the handle on argv[1] ("-": the default). The exit code: 0, or 3 after printing why. */
int driver_open(struct driver *driver, int argc, char **argv);
/* Reads lines until something is to be done. DRIVER_START: driver->job is to be started (unless its
 * build_error is set). */
enum driver_verb driver_read(struct driver *driver);
/* One request is complete (or never started: response NULL). */
void driver_report(struct driver *driver, struct job *job, const struct reqivo_response *response);
void driver_note(const struct driver *driver);
/* The last line: how many were submitted and completed; frees all. The exit code. */
int driver_close(struct driver *driver);
uint64_t driver_now_ms(void);

#endif
