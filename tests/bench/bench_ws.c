/* SPDX-License-Identifier: MIT */
/*
 * bench_ws - one WebSocket through libreqivo-client: --flight messages of --expect bytes are under way, each
 * that comes back brings the next. Its rival: bench_ws_lws.
 */
#include "tests/bench/bench.h"

#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/websocket.h>
#include <stdlib.h>

struct load {
    const struct bench_options *options;
    struct reqivo_client *client;
    struct reqivo_websocket *ws;
    struct bench_block *block;
    char *message;
    uint64_t *started_ns; /* of the messages under way, in their order */
    bool open;
};

static void send_one(struct load *load)
{
    load->started_ns[load->block->started++ % load->options->flight] = bench_now_ns();
    if (reqivo_websocket_send(load->ws, REQIVO_BINARY, load->message, load->options->expect) < 0)
        bench_die("send");
}

static void on_open(struct reqivo_websocket *ws, void *userdata)
{
    struct load *load = userdata;

    (void)ws;
    load->open = true;
}

static int on_message(struct reqivo_websocket *ws, const struct reqivo_message *message, void *userdata)
{
    struct load *load = userdata;

    (void)ws;
    if (message->size != load->options->expect)
        bench_die("a message of %zu bytes", message->size);
    bench_note(load->block, load->started_ns[load->block->done % load->options->flight]);
    if (load->block->started < load->block->count)
        send_one(load);
    return 0;
}

static void on_close(struct reqivo_websocket *ws, void *userdata)
{
    (void)userdata;
    bench_die("closed: %s", reqivo_websocket_detail(ws));
}

static void turn(struct load *load)
{
    if (reqivo_client_wait(load->client, -1) < 0)
        bench_die("wait");
}

static void run(struct bench_block *block, void *userdata)
{
    struct load *load = userdata;

    load->block = block;
    while (block->started < load->options->flight && block->started < block->count)
        send_one(load);
    while (block->done < block->count)
        turn(load);
}

int main(int argc, char *argv[])
{
    const struct reqivo_websocket_callbacks callbacks = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};
    struct bench_options options;
    struct load load = {.options = &options};
    const struct reqivo_websocket_options how = {.callbacks = &callbacks, .userdata = &load};
    struct reqivo_request *request;

    bench_options_read(argc, argv, &options);
    load.message = bench_alloc(options.expect + 1);
    load.started_ns = bench_alloc(options.flight * sizeof(*load.started_ns));
    if (reqivo_open(options.socket, &load.client) < 0 ||
        reqivo_request_new("GET", options.url, &request) < 0 ||
        reqivo_websocket_open(load.client, &request, &how, &load.ws) < 0)
        bench_die("%s cannot be opened", options.url);
    while (!load.open)
        turn(&load);
    bench_serve(run, &load);
    reqivo_websocket_free(load.ws);
    reqivo_close(load.client);
    free(load.message);
    free(load.started_ns);
    return 0;
}
