/* SPDX-License-Identifier: MIT */
/*
 * bench_ws_lws - the same as bench_ws by libwebsockets in the process, straight to the server. It is given
 * what serves it best: a large receive buffer, and all that is due is written in one callback.
 */
#include "tests/bench/bench.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERVICE_BUFFER = 131072 };

struct load {
    const struct bench_options *options;
    struct lws *wsi;
    struct bench_block *block;
    unsigned char *message; /* behind LWS_PRE bytes */
    uint64_t *started_ns;
    size_t received; /* of the message that comes */
    bool open;
};

static void ask_to_write(struct load *load)
{
    if (load->block->started < load->block->count)
        lws_callback_on_writable(load->wsi);
}

static void receive(struct load *load, size_t len)
{
    load->received += len;
    if (!lws_is_final_fragment(load->wsi) || lws_remaining_packet_payload(load->wsi) > 0)
        return;
    if (load->received != load->options->expect)
        bench_die("a message of %zu bytes", load->received);
    load->received = 0;
    bench_note(load->block, load->started_ns[load->block->done % load->options->flight]);
    ask_to_write(load);
}

static void write_due(struct load *load)
{
    struct bench_block *block = load->block;
    int size = (int)load->options->expect;

    while (block && block->started < block->count && block->started - block->done < load->options->flight) {
        load->started_ns[block->started++ % load->options->flight] = bench_now_ns();
        if (lws_write(load->wsi, load->message + LWS_PRE, load->options->expect, LWS_WRITE_BINARY) < size)
            bench_die("lws_write");
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct load *load = lws_context_user(lws_get_context(wsi));

    (void)user;
    (void)in;
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        load->open = true;
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        receive(load, len);
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        write_due(load);
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    case LWS_CALLBACK_CLIENT_CLOSED:
        bench_die("the connection has ended");
    default:
        break;
    }
    return 0;
}

static void run(struct bench_block *block, void *userdata)
{
    struct load *load = userdata;

    load->block = block;
    ask_to_write(load);
    while (block->done < block->count)
        if (lws_service(lws_get_context(load->wsi), 0) < 0)
            bench_die("lws_service");
}

static int port_of(const char *url)
{
    int port = 0;

    if (sscanf(url, "ws://127.0.0.1:%d/", &port) != 1)
        bench_die("%s is no ws://127.0.0.1:PORT/", url);
    return port;
}

int main(int argc, char *argv[])
{
    static const struct lws_protocols protocols[] = {
        {.name = "bench", .callback = on_event, .rx_buffer_size = SERVICE_BUFFER}, {.name = NULL}};
    struct bench_options options;
    struct load load = {.options = &options};
    struct lws_context_creation_info info = {.port = CONTEXT_PORT_NO_LISTEN,
                                             .protocols = protocols,
                                             .pt_serv_buf_size = SERVICE_BUFFER,
                                             .user = &load};

    bench_options_read(argc, argv, &options);
    lws_set_log_level(LLL_ERR, NULL);
    load.message = bench_alloc(LWS_PRE + options.expect + 1);
    load.started_ns = bench_alloc(options.flight * sizeof(*load.started_ns));
    struct lws_context *context = lws_create_context(&info);
    struct lws_client_connect_info to = {.context = context,
                                         .address = "127.0.0.1",
                                         .host = "127.0.0.1",
                                         .path = "/",
                                         .port = port_of(options.url),
                                         .local_protocol_name = "bench",
                                         .pwsi = &load.wsi};
    if (!context || !lws_client_connect_via_info(&to))
        bench_die("no connection");
    while (!load.open)
        lws_service(context, 0);
    bench_serve(run, &load);
    free(load.message);
    free(load.started_ns);
    return 0;
}
