/* SPDX-License-Identifier: MIT */
/*
 * driver_common - what the synchronous and the asynchronous driver share: descriptions are read from stdin,
 * results are printed as one line of JSON each. Public headers only. \xHH stands for a byte.
 *
 * A request (driver_request.c):
 *
 *   request TAG METHOD URL           begins one; the lines below are optional
 *   field NAME VALUE | set-field NAME VALUE | no-field NAME
 *   timeout WHICH MS                 queue connect tls first stall total
 *   body memory TEXT | body view TEXT | body fill N | body file PATH | body callback N [DECLARED]
 *   body chunked N | source-again N | source-fail   the callback says -EAGAIN before each N-th piece | fails
 *   verify 0|1 | ca PATH | tls MIN MAX | route HOST:PORT | max N | stream | stop-after N | pause-after N MS
 *   cancel-at-head | cancel-after MS | redirects MAX | redirect-policy BITS | decode 1 | idempotent 1
 *   fresh 1 | expect 1 | begun 1 | on CONNECTION | save PATH | save-stop N | store PATH
 *   hook ...                         driver_hooks.c
 *   end | acquire CONNECTION | pool POOL | websocket    the request starts, or is what that is made of
 *
 * A helper's call (driver_helpers.c): `call TAG METHOD URL`, then json TEXT | form NAME VALUE |
 * content TYPE TEXT ("-": none), store PATH, and `end`.
 *
 * What is done with sessions, pools and connections (driver_objects.c): `set SETTING ...` of the session,
 * `operate TAG VERB NAME [VALUE]`.
 *
 * And besides: `session NAME` (what follows is of that session, which is made when it is named first; "-": of
 * none), `window N` (at most N in flight, asynchronous driver), `run` (until all are complete), `note TEXT`
 * (answered by a line of its own when everything before it is complete). Bodies made here are the bytes
 * 0..250 repeated, so that any piece is known by its offset.
 */
#ifndef TESTS_DRIVER_COMMON_H
#define TESTS_DRIVER_COMMON_H

#include <reqivo/client.h>
#include <reqivo/connection.h>
#include <reqivo/helpers.h>
#include <reqivo/pool.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <reqivo/session.h>
#include <reqivo/websocket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIVER_TAG   128
#define DRIVER_KEEP  8192 /* bytes of a body that are printed */
#define DRIVER_NEVER UINT64_MAX

struct driver;
struct driver_hooks;

/* A call of a helper: its method, and the body that it is given. */
struct driver_helper {
    const char *method; /* NULL: this is no such call */
    char *url, *bytes, *type;
    struct reqivo_form *form;
    struct reqivo_content content;
    bool has_content;
};

/* One request, from its description to its result. Never freed before the program ends: a second completion
 * would be seen. */
struct job {
    struct job *next;
    struct driver *driver;
    struct reqivo_client *client;
    struct reqivo_session *session; /* or NULL */
    struct reqivo_request *request;
    struct driver_helper helper;
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
    /* files */
    char *store;
    unsigned progress_calls;
    uint64_t progress_last, save_stop;
    int64_t progress_total;
    bool progress_back;                         /* it went backwards */
    struct driver_hooks *hooks, *session_hooks; /* its own, its session's; or NULL */
    unsigned char kept[DRIVER_KEEP];
};

enum driver_verb {
    DRIVER_END_OF_INPUT,
    DRIVER_START,
    DRIVER_RUN,
    DRIVER_WINDOW,
    DRIVER_NOTE,
    DRIVER_OPERATE, /* driver->operation is to be done */
};

struct driver_session {
    struct driver_session *next;
    char name[DRIVER_TAG];
    struct reqivo_session *session;
    struct driver_hooks *hooks;
};

/* A pool or a connection under its name. */
struct driver_thing {
    struct driver_thing *next;
    char name[DRIVER_TAG];
    struct reqivo_pool *pool;
    struct reqivo_connection *connection;
};

enum driver_operate {
    OPERATE_STATS,
    OPERATE_LIMIT,
    OPERATE_PREWARM,
    OPERATE_CLOSE_IDLE,
    OPERATE_ACQUIRE,
    OPERATE_REFRESH,
    OPERATE_RELEASE,
    OPERATE_WEBSOCKET,
};

/* What is done with a pool, a connection or a WebSocket; kept as jobs are. */
struct driver_operation {
    struct driver_operation *next;
    struct driver *driver;
    enum driver_operate verb;
    char tag[DRIVER_TAG];
    struct driver_thing *thing;
    uint32_t value;
    struct reqivo_request *request; /* of acquire and websocket */
    struct reqivo_websocket *ws;
    struct reqivo_pool_stats stats;
    bool has_stats;
    unsigned completions;
};

struct driver {
    struct reqivo_client *client;
    struct job *jobs, *job; /* all; the one being described */
    struct driver_operation *operations, *operation;
    struct driver_session *sessions, *session; /* all; the one of the requests that follow, or NULL */
    struct driver_thing *things;
    size_t window;
    char note[DRIVER_TAG];
    unsigned submitted, completed, twice, operated;
};

/* Opens the handle on argv[1] ("-": the default). The exit code: 0, or 3 after printing why. */
int driver_open(struct driver *driver, int argc, char **argv);
/* Reads lines until something is to be done. DRIVER_START: driver->job is to be started (unless its
 * build_error is set). */
enum driver_verb driver_read(struct driver *driver);
/* The last line: how many were submitted and completed; frees all. The exit code. */
int driver_close(struct driver *driver);
uint64_t driver_now_ms(void);
/* Memory that is zero; ends the program when there is none. */
void *driver_new(size_t size);
/* The words of a line: cuts the next one off; \xHH becomes the byte, in place, and the new length. */
char *driver_word(char **rest);
size_t driver_unescape(char *text);
uint64_t driver_number(const char *text);

/* ---- driver_print.c ---- */
void driver_print_text(const char *name, const char *text);
/* ,"error":NAME,"class":NAME,"code":N */
void driver_print_code(int code);
/* One request is complete (or never started: response NULL). */
void driver_report(struct driver *driver, struct job *job, const struct reqivo_response *response);
/* One operation is complete. */
void driver_report_operation(struct driver_operation *operation, int code, const char *detail);
void driver_note(const struct driver *driver);
uint32_t driver_crc32(uint32_t crc, const unsigned char *bytes, size_t size);

/* ---- driver_request.c ---- */
int driver_request_option(struct job *job, const char *key, char *rest);
/* Its last settings: callbacks and times. */
void driver_request_finish(struct job *job);
/* 0 to 5, or -1. */
int driver_timeout(const char *name);

/* ---- driver_helpers.c ---- */
void driver_helper_begin(struct job *job, const char *method, const char *url);
int driver_helper_option(struct job *job, const char *key, char *rest);
/* As the helpers do: with the response, or with on_done and the job. */
int driver_helper_call(struct job *job, struct reqivo_response **ret_response);
int driver_helper_submit(struct job *job, reqivo_done_fn on_done);
void driver_helper_free(struct driver_helper *helper);

/* ---- driver_hooks.c ---- */
/* Adds a step to *hooks, which is made when it is NULL. Returns 0 or -EINVAL. */
int driver_hooks_add(struct driver_hooks **hooks, char *rest);
int driver_hooks_on_request(struct driver_hooks *hooks, struct reqivo_request *request);
int driver_hooks_on_session(struct driver_hooks *hooks, struct reqivo_session *session);
/* Prints what they have seen, and forgets it. */
void driver_hooks_print(struct driver_hooks *hooks);

/* ---- driver_objects.c ---- */
/* A setting of the session; prints how it went. */
void driver_set(struct driver *driver, char *rest);
/* Verbs that need no waiting are done and told at once: false. */
bool driver_operate(struct driver *driver, char *rest);
/* `acquire NAME`, `pool NAME`, `websocket`: what the request described is used for; likewise. */
bool driver_make(struct driver *driver, const char *what, const char *name);
struct driver_thing *driver_thing_find(struct driver *driver, const char *name);
void driver_objects_free(struct driver *driver);

#endif
