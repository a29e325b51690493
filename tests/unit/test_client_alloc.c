/* SPDX-License-Identifier: MIT */
/*
 * libclient without memory: whole scenarios in which the n-th allocation fails, for every n until a run asks
 * for no n-th one. Whatever fails, every request that was taken completes exactly once, and nothing leaks
 * (the sanitizer's word).
 */
#include "tests/lib/failmalloc.h"
#include "tests/unit/fake_ws.h"
#include "tests/unit/unit.h"

#include <reqivo/connection.h>
#include <reqivo/helpers.h>
#include <reqivo/pool.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a daemon that serves one connection after another until it is killed ---- */

static bool next_frame(struct fake *fake, struct rqv_frame_header *header, struct rqv_str *payload)
{
    const char *why;
    uint8_t *room;

    while (rqv_wire_next(rqv_buf_head(&fake->in), rqv_buf_len(&fake->in), true, header, &why) == 0) {
        if (rqv_buf_reserve(&fake->in, 1 << 20, &room) < 0)
            return false;
        ssize_t n = read(fake->fd, room, 1 << 20);
        if (n <= 0)
            return false;
        rqv_buf_commit(&fake->in, (size_t)n);
    }
    *payload = (struct rqv_str){(char *)rqv_buf_head(&fake->in) + RQV_WIRE_HEADER, header->length};
    return true;
}

/* False: the connection is to end. */
static bool answer(struct fake *fake, const struct rqv_frame_header *header, struct rqv_str payload)
{
    static struct rqv_request_head head;
    static struct rqv_operation operation;
    struct rqv_fields row = {.count = 0};
    char body[65];
    const char *why;

    switch (header->type) {
    case RQV_WIRE_HELLO:
        fake_put_hello(fake);
        return true;
    case RQV_WIRE_QUERY:
        rqv_fields_add(&row, RQV_STR("name"), RQV_STR("value"));
        rqv_wire_encode_info(&fake->out, header->id, &row);
        fake_put_done(fake, header->id, 0, REQIVO_SENT_NO);
        return true;
    case RQV_WIRE_OPERATE:
        if (rqv_wire_decode_operation(payload, &operation, &why) < 0)
            return false;
        if (operation.verb != RQV_OP_SESSION_OPEN) {
            fake_put_row(fake, header->id, (const char *const[]){"cookie", "a\tline", NULL});
            fake_put_done(fake, header->id, 0, REQIVO_SENT_NO);
        }
        return true;
    case RQV_WIRE_REQUEST:
        if (rqv_wire_decode_request(payload, &head, &why) < 0)
            return false;
        if (rqv_str_eq(head.url, RQV_STR("http://example.org/die")))
            return false;
        if (head.redirect_max > 0) {
            bool waits = head.flags & (RQV_REQ_ASK | RQV_REQ_HAS_BODY), again = head.flags & RQV_REQ_HAS_BODY;
            fake_put_redirect(fake, header->id, 307, "/next");
            fake_put_hop(fake, header->id, (waits ? RQV_HOP_WAITS : 0) | (again ? RQV_HOP_BODY : 0), "GET",
                         "http://example.org/next");
            if (waits)
                return true; /* the rest answers PROCEED */
        }
        __attribute__((fallthrough));
    case RQV_WIRE_PROCEED:
        snprintf(body, sizeof body, "%060d", 7);
        fake_put_response(fake, header->id, 200, -1);
        for (int i = 0; i < 100; i++)
            fake_put_data(fake, header->id, body, 60);
        rqv_fields_add(&row, RQV_STR("trailer"), RQV_STR("value"));
        rqv_wire_encode_trailers(&fake->out, header->id, &row);
        fake_put_done(fake, header->id, 0, REQIVO_SENT_YES);
        return true;
    case RQV_WIRE_WS_OPEN:
        fake_put_opened(fake, header->id);
        for (int i = 0; i < 20; i++)
            fake_put_message(fake, header->id, WS_WHOLE, "a message of the server");
        return true;
    case RQV_WIRE_WS_DATA:
        rqv_wire_encode_ws_data(&fake->out, header->id, header->flags, payload);
        rqv_wire_encode_credit(&fake->out, header->id, header->length + RQV_WS_DATA_COST);
        return true;
    case RQV_WIRE_WS_CLOSE:
        fake_put_close(fake, header->id, 1000, 0, 0);
        fake_put_done(fake, header->id, 0, REQIVO_SENT_YES);
        return true;
    default:
        return true;
    }
}

static void serve_for_ever(struct fake *fake)
{
    struct rqv_frame_header header;
    struct rqv_str payload;

    signal(SIGPIPE, SIG_IGN);
    alarm(120); /* should the test die */
    for (;;) {
        fake->fd = accept(fake->listen_fd, NULL, NULL);
        while (next_frame(fake, &header, &payload) && answer(fake, &header, payload)) {
            rqv_buf_consume(&fake->in, RQV_WIRE_HEADER + header.length);
            while (rqv_buf_len(&fake->out) > 0) {
                ssize_t n = write(fake->fd, rqv_buf_head(&fake->out), rqv_buf_len(&fake->out));
                rqv_buf_consume(&fake->out, n > 0 ? (size_t)n : rqv_buf_len(&fake->out));
            }
        }
        fake_hangup(fake);
    }
}

/* ---- the scenarios ---- */

struct count {
    int taken, completed, succeeded;
};

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct count *count = userdata;

    (void)client;
    count->completed++;
    count->succeeded += reqivo_response_error(response) == 0;
    reqivo_response_free(response);
}

static int on_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    (void)client, (void)userdata;
    return reqivo_response_status(response) != 200;
}

static int on_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    (void)client, (void)bytes, (void)size, (void)userdata;
    return 0;
}

static long read_three(void *buffer, size_t size, void *userdata)
{
    int *left = userdata;

    if (*left == 0 || size < 3)
        return 0;
    --*left;
    memcpy(buffer, "abc", 3);
    return 3;
}

/* A request with something of everything; NULL without memory. */
static struct reqivo_request *build(const char *method, const char *url, int *left)
{
    struct reqivo_request *request;
    char value[400];

    if (reqivo_request_new(method, url, &request) < 0)
        return NULL;
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < 5; i++)
        reqivo_request_add_field(request, "X-Field", value);
    reqivo_request_set_ca(request, "certificate", 11);
    if (left)
        reqivo_request_set_body_callback(request, read_three, left, REQIVO_LENGTH_UNKNOWN);
    else
        reqivo_request_set_body(request, value, sizeof value);
    return request;
}

static void start(struct reqivo_client *client, struct reqivo_request *request, struct count *count)
{
    if (request && reqivo_submit(client, &request, on_done, count, NULL) == 0)
        count->taken++;
    reqivo_request_free(request);
}

static void run_async(void *arg)
{
    struct fake *fake = arg;
    struct reqivo_client *client = NULL;
    struct count count = {0};
    int left = 3;
    uint64_t id = 0;

    if (reqivo_open(fake->path, &client) < 0)
        return;
    struct reqivo_request *streaming = build("POST", "http://example.org/stream", &left);
    if (streaming)
        reqivo_request_set_stream(streaming, on_head, on_body, NULL);
    start(client, streaming, &count);
    for (int i = 0; i < 20; i++)
        start(client, build("GET", "http://example.org/many", NULL), &count);
    struct reqivo_request *canceled = build("GET", "http://example.org/", NULL);
    if (canceled && reqivo_submit(client, &canceled, on_done, &count, &id) == 0) {
        count.taken++;
        reqivo_cancel(client, id);
    }
    reqivo_request_free(canceled);
    for (int i = 0; i < 30 && reqivo_client_pending(client) > 0; i++)
        (void)!reqivo_client_wait(client, 50);
    reqivo_close(client);
    ck_assert_int_eq(count.taken, count.completed);
}

static void run_loss(void *arg)
{
    struct fake *fake = arg;
    struct reqivo_client *client = NULL;
    struct count count = {0};

    if (reqivo_open(fake->path, &client) < 0)
        return;
    start(client, build("GET", "http://example.org/1", NULL), &count);
    start(client, build("POST", "http://example.org/die", NULL), &count);
    start(client, build("GET", "http://example.org/2", NULL), &count);
    for (int i = 0; i < 30 && reqivo_client_pending(client) > 0; i++)
        (void)!reqivo_client_wait(client, 50);
    reqivo_close(client);
    ck_assert_int_eq(count.taken, count.completed);
}

static void on_row(size_t n, const char *const names[], const char *const values[], void *userdata)
{
    (void)names, (void)values;
    *(size_t *)userdata += n;
}

static void run_sync(void *arg)
{
    struct fake *fake = arg;
    struct reqivo_client *client = NULL;
    struct reqivo_response *response = NULL;
    int left = 2;
    size_t rows = 0;

    if (reqivo_open(fake->path, &client) < 0)
        return;
    for (int i = 0; i < 2; i++) {
        struct reqivo_request *request = build("POST", "http://example.org/", i ? &left : NULL);
        response = NULL;
        int r = request ? reqivo_call(client, &request, &response) : -ENOMEM;
        ck_assert(response || r == -ENOMEM);
        ck_assert(!request || r == -ENOMEM);
        reqivo_response_free(response);
        reqivo_request_free(request);
    }
    (void)!reqivo_query(client, REQIVO_QUERY_STATUS, 1000, on_row, &rows);
    reqivo_close(client);
}

/* ---- sessions, pools, connections, files ---- */

static int on_before(struct reqivo_client *client, struct reqivo_request *request, unsigned hop,
                     void *userdata)
{
    (void)client, (void)hop, (void)userdata;
    return reqivo_request_set_field(request, "X-Hop", "a value that is longer than what was there before");
}

static int on_after(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    (void)client, (void)userdata;
    reqivo_response_set_field(response, "X-After", "1");
    return 0;
}

static void on_cookie(const char *line, void *userdata)
{
    (void)line, (void)userdata;
}

static void use_session(struct reqivo_client *client, const char *path, struct count *count)
{
    static const char *const lines[] = {"a\tline", "another\tline"};
    struct reqivo_session *session = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_form *form = NULL;

    if (reqivo_session_new(client, &session) < 0)
        return;
    reqivo_session_set_base_url(session, "http://example.org/");
    reqivo_session_set_field(session, "X-Field", "value");
    reqivo_session_set_basic(session, "user", "password");
    reqivo_session_set_bearer(session, "token");
    count->taken += reqivo_session_get_async(session, "one", on_done, count) == 0;
    reqivo_session_set_hooks(session, on_before, on_after, NULL);
    if (reqivo_form_new(&form) == 0) {
        reqivo_form_add(form, "name", "value");
        const struct reqivo_content content = reqivo_form_content(form);
        count->taken += reqivo_session_post_async(session, "two", &content, on_done, count) == 0;
    }
    reqivo_form_free(form);
    if (reqivo_session_request(session, "GET", "three", &request) == 0)
        reqivo_request_set_save(request, path, NULL, NULL);
    start(client, request, count);
    count->taken += reqivo_session_add_cookies_async(session, lines, 2, on_done, count) == 0;
    count->taken += reqivo_session_list_cookies_async(session, on_cookie, on_done, count) == 0;
    count->taken += reqivo_session_clear_cookies_async(session, on_done, count) == 0;
    reqivo_session_free(session);
}

static void use_pool(struct reqivo_client *client, struct count *count)
{
    struct reqivo_connection *connection = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_pool *pool = NULL;

    if (reqivo_pool_new(client, "http://example.org/", &pool) == 0) {
        count->taken += reqivo_pool_prewarm_async(pool, 2, on_done, count) == 0;
        count->taken += reqivo_pool_stats_async(pool, on_done, count) == 0;
    }
    reqivo_pool_free(pool);
    if (reqivo_request_new("GET", "http://example.org/", &request) == 0)
        count->taken += reqivo_connection_acquire_async(client, &request, on_done, count, &connection) == 0;
    reqivo_request_free(request);
    request = NULL;
    if (connection && reqivo_request_new("GET", "http://example.org/", &request) == 0)
        reqivo_request_set_connection(request, connection);
    start(client, request, count);
    if (connection)
        count->taken += reqivo_connection_release_async(&connection, on_done, count) == 0;
    reqivo_connection_close(connection);
}

static void run_objects(void *arg)
{
    struct fake *fake = arg;
    struct reqivo_client *client = NULL;
    struct count count = {0};
    char path[96];

    if (reqivo_open(fake->path, &client) < 0)
        return;
    snprintf(path, sizeof path, "%s/file", fake->folder);
    use_session(client, path, &count);
    use_pool(client, &count);
    for (int i = 0; i < 40 && reqivo_client_pending(client) > 0; i++)
        (void)!reqivo_client_wait(client, 50);
    reqivo_close(client);
    unlink(path);
    ck_assert_int_eq(count.taken, count.completed);
}

static void run_websocket(void *arg)
{
    static char bytes[100000];
    struct reqivo_websocket_options options = {.callbacks = &seen_callbacks};
    struct fake *fake = arg;
    struct reqivo_client *client = NULL;
    struct ws_seen seen = {.free_at = WS_ON_CLOSE, .put_off = 1};
    struct reqivo_request *request = NULL;

    if (reqivo_open(fake->path, &client) < 0)
        return;
    options.userdata = &seen;
    if (reqivo_request_new("GET", "ws://example.org/", &request) == 0 &&
        reqivo_websocket_open(client, &request, &options, &seen.ws) == 0) {
        (void)!reqivo_websocket_send(seen.ws, REQIVO_BINARY, bytes, sizeof bytes);
        for (int i = 0; i < 30 && seen.ws && seen.messages < 21 && !seen.closed; i++) {
            (void)!reqivo_client_wait(client, 20);
            (void)!reqivo_websocket_resume(seen.ws);
        }
        (void)!reqivo_websocket_close(seen.ws, 1000, "bye");
        for (int i = 0; i < 30 && reqivo_client_pending(client) > 0; i++)
            (void)!reqivo_client_wait(client, 20);
        if (seen.closed == 0)
            reqivo_websocket_free(seen.ws);
    }
    reqivo_request_free(request);
    reqivo_close(client);
}

static void run_websocket_sync(void *arg)
{
    static char bytes[100000];
    struct fake *fake = arg;
    struct reqivo_client *client = NULL;
    struct reqivo_websocket *ws = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_message message;

    if (reqivo_open(fake->path, &client) < 0)
        return;
    if (reqivo_request_new("GET", "ws://example.org/", &request) == 0 &&
        reqivo_websocket_open(client, &request, NULL, &ws) == 0) {
        int r = reqivo_websocket_send(ws, REQIVO_BINARY, bytes, sizeof bytes);
        for (int i = 0; i < 21 && r == 0; i++)
            r = reqivo_websocket_receive(ws, 1000, &message);
        (void)!reqivo_websocket_close(ws, 1000, NULL);
    }
    reqivo_websocket_free(ws);
    reqivo_request_free(request);
    reqivo_close(client);
}

static void run_failing(const char *name, failmalloc_fn *scenario)
{
    struct fake fake;

    fake_start(&fake);
    fake.caps = RQV_CAP_WEBSOCKET;
    fake.child = fork();
    if (fake.child == 0)
        serve_for_ever(&fake);
    ck_assert_uint_gt(failmalloc_run(name, scenario, &fake), 10);
    kill(fake.child, SIGKILL);
    waitpid(fake.child, NULL, 0);
    fake.child = 0;
    fake_stop(&fake);
}

START_TEST(async_without_memory)
{
    run_failing("client async", run_async);
}
END_TEST

START_TEST(loss_without_memory)
{
    run_failing("client loss", run_loss);
}
END_TEST

START_TEST(objects_without_memory)
{
    run_failing("client objects", run_objects);
}
END_TEST

START_TEST(sync_without_memory)
{
    run_failing("client sync", run_sync);
}
END_TEST

START_TEST(websocket_without_memory)
{
    run_failing("websocket", run_websocket);
}
END_TEST

START_TEST(websocket_sync_without_memory)
{
    run_failing("websocket sync", run_websocket_sync);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_alloc");

    UNIT_TCASE(s, "failmalloc", async_without_memory, loss_without_memory, sync_without_memory,
               objects_without_memory, websocket_without_memory, websocket_sync_without_memory);
    return s;
}

UNIT_MAIN(suite)
