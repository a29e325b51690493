/* SPDX-License-Identifier: MIT */
/*
 * fuzz_client_decode - the bytes of a hostile daemon through the library's state, without a socket.
 *
 *   input:  | steps (1 byte) | control bytes, `steps` of them | what the daemon sends, in steps + 1 pieces |
 *
 * Between the pieces a control byte says what the program does: dispatch, cancel, unpause, resume, process.
 * The oracle: every request completes exactly once, whatever comes; what the library queues are frames that a
 * daemon accepts; credit never exceeds what was given.
 */
#include "libclient/handle.h"
#include "libclient/request.h"

#include <errno.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <reqivo/session.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUERY = 5, STATISTICS = 8, REQUESTS = 9 };

struct program {
    struct reqivo_client *client;
    int completed[REQUESTS];
    uint64_t id[REQUESTS];
    int stalls;
};

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void on_query_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    (void)client;
    ++*(int *)userdata;
    demand(*(int *)userdata == 1);
    demand(reqivo_response_error(response) <= 0);
    reqivo_response_free(response);
}

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    int code = reqivo_response_error(response);

    (void)client;
    ++*(int *)userdata;
    demand(*(int *)userdata == 1);
    demand(code < 0 || (code == 0 && reqivo_response_status(response) >= 100));
    demand(strlen(reqivo_response_detail(response)) < 240);
    reqivo_response_free(response);
}

static int on_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    (void)client, (void)userdata;
    return reqivo_response_status(response) == 599;
}

static int on_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    (void)client, (void)userdata;
    switch (size > 0 ? *(const uint8_t *)bytes : 0) {
    case 'p':
        return REQIVO_PAUSE;
    case 'x':
        return -1;
    default:
        return 0;
    }
}

static long read_body(void *buffer, size_t size, void *userdata)
{
    struct program *program = userdata;

    if (++program->stalls % 3 == 0)
        return -EAGAIN;
    memset(buffer, 'b', size);
    return (long)size;
}

static void on_row(size_t count, const char *const names[], const char *const values[], void *userdata)
{
    (void)userdata;
    for (size_t i = 0; i < count; i++)
        demand(strlen(names[i]) + strlen(values[i]) < RQV_WIRE_HEAD_MAX);
}

/* Names what goes out for what its hop number is odd, and refuses the fifth. */
static int on_before(struct reqivo_client *client, struct reqivo_request *request, unsigned hop,
                     void *userdata)
{
    char url[64];

    (void)client, (void)userdata;
    demand(reqivo_request_url(request, url, sizeof url) > 0);
    if (hop % 2 == 1)
        demand(reqivo_request_set_field(request, "X-Hop", "odd") <= 0);
    return hop == 5;
}

static int on_after(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    (void)client, (void)userdata;
    for (size_t i = 0; i < reqivo_response_hop_count(response); i++)
        demand(reqivo_response_hop_status(response, i) >= 100 && *reqivo_response_hop_url(response, i));
    return reqivo_response_status(response) == 598;
}

/* Those that follow redirects: 8 with hooks, 10 of a session (whose jar has 9) with a body, and the
 * statistics of a pool, 11. */
static void make_others(struct program *program, struct reqivo_request *r[])
{
    struct reqivo_session *session = NULL;

    demand(reqivo_request_new("GET", "https://a/", &r[6]) == 0);
    reqivo_request_set_redirects(r[6], 6);
    reqivo_request_set_hooks(r[6], on_before, on_after, program);
    demand(reqivo_session_new(program->client, &session) == 0);
    demand(reqivo_session_request(session, "POST", "https://a/", &r[7]) == 0);
    reqivo_request_set_body(r[7], "body", 4);
    reqivo_session_free(session);
    demand(reqivo_request_new("GET", "https://a/", &r[STATISTICS]) == 0);
    rqv_request_operate(r[STATISTICS], RQV_OP_POOL_STATS, 0, NULL);
}

/* One of each kind; ids 1, 2, 3, 5 (its certificates have 4), 6, 7. */
static void start(struct program *program)
{
    static const char body[300000];
    struct reqivo_request *r[REQUESTS];

    demand(reqivo_request_new("GET", "https://a/", &r[0]) == 0);
    demand(reqivo_request_new("POST", "https://a/", &r[1]) == 0);
    reqivo_request_set_begun(r[1], 1);
    reqivo_request_set_body_view(r[1], body, sizeof body);
    demand(reqivo_request_new("GET", "https://a/", &r[2]) == 0);
    reqivo_request_set_stream(r[2], on_head, on_body, program);
    demand(reqivo_request_new("HEAD", "https://a/", &r[3]) == 0);
    reqivo_request_set_ca(r[3], "pem", 3);
    reqivo_request_set_max_body(r[3], 10);
    demand(reqivo_request_new("POST", "https://a/", &r[4]) == 0);
    reqivo_request_set_body_callback(r[4], read_body, program, REQIVO_LENGTH_UNKNOWN);
    reqivo_request_set_max_body(r[4], 10);
    r[5] = rqv_request_new_query(RQV_QUERY_STATUS, on_row, program);
    demand(r[5] != NULL);
    make_others(program, r);
    for (int i = 0; i < REQUESTS; i++) {
        reqivo_done_fn fn = i == QUERY || i == STATISTICS ? on_query_done : on_done;
        demand(reqivo_submit(program->client, &r[i], fn, &program->completed[i], &program->id[i]) == 0);
    }
}

/* What a socket would take: it must be frames. */
static void drain(struct reqivo_client *client)
{
    struct rqv_buf *out = &client->channel.out;
    struct rqv_frame_header header;
    const char *why;
    int r;

    while ((r = rqv_wire_next(rqv_buf_head(out), rqv_buf_len(out), true, &header, &why)) == 1) {
        client->channel.written += RQV_WIRE_HEADER + header.length;
        rqv_buf_consume(out, RQV_WIRE_HEADER + header.length);
    }
    demand(r == 0 && rqv_buf_len(out) == 0);
}

static void check_credit(const struct reqivo_client *client)
{
    rqv_list_for_each (node, &client->all) {
        const struct rqv_exchange *x = RQV_LIST_OF(node, struct rqv_exchange, all);
        demand(x->window + x->owed + x->held <= 2 * RQV_WIRE_CREDIT_INITIAL);
        demand(rqv_buf_len(&x->stream) <= 2 * RQV_WIRE_CREDIT_INITIAL);
    }
}

static void act(struct program *program, uint8_t control)
{
    uint64_t id = program->id[(control >> 3) % REQUESTS];

    switch (control & 7) {
    case 0:
        demand(reqivo_client_dispatch(program->client) >= 0);
        break;
    case 1:
        reqivo_cancel(program->client, id);
        break;
    case 2:
        reqivo_unpause(program->client, id);
        break;
    case 3:
        reqivo_resume(program->client, id);
        break;
    default:
        break;
    }
    rqv_client_pump(program->client);
    drain(program->client);
    check_credit(program->client);
}

/* False once the library has taken the connection down. */
static bool feed(struct reqivo_client *client, const uint8_t *bytes, size_t size)
{
    const char *why = NULL;

    demand(rqv_buf_append(&client->channel.in, bytes, size) == 0);
    int r = rqv_client_decode(client, &why);
    if (r == 0)
        return true;
    demand(r < 0 && why != NULL);
    const struct rqv_loss violation = {.code = r, .detail = why};
    rqv_client_lost(client, &violation);
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program program = {.client = NULL};
    size_t steps = size > 0 ? data[0] % 16 : 0;
    bool up = true;

    if (size < 1 + steps || size > (1 << 18))
        return 0;
    demand(rqv_client_new("/nowhere", &program.client) == 0);
    rqv_channel_adopt(&program.client->channel, -1, 0);
    rqv_client_greet(program.client);
    start(&program);
    act(&program, 7);
    const uint8_t *control = data + 1, *bytes = control + steps;
    size_t left = size - 1 - steps;
    for (size_t i = 0; i <= steps && up; i++) {
        size_t n = i == steps ? left : left / (steps + 1 - i);
        up = feed(program.client, bytes, n);
        bytes += n;
        left -= n;
        if (up && i < steps)
            act(&program, control[i]);
    }
    if (up) {
        const struct rqv_loss end = {.code = REQIVO_E_DAEMON_LOST, .drained = true, .replay = size % 2};
        rqv_client_lost(program.client, &end);
    }
    reqivo_client_dispatch(program.client);
    reqivo_close(program.client);
    for (int i = 0; i < REQUESTS; i++)
        demand(program.completed[i] == 1);
    return 0;
}
