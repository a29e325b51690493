/* SPDX-License-Identifier: MIT */
/*
 * bench_reqivo - the same shapes through libreqivo-client: one blocking call after another (flight 1), many
 * requests in flight on one handle (reqivo_client_wait), or on many handles (epoll). Idle handles have done
 * one request.
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct load;

struct handle {
    struct load *load;
    struct reqivo_client *client;
    int fd;
    int events;
};

struct load {
    const struct bench_options *options;
    struct handle *handles;
    struct bench_block *block;
    char *body;
    size_t number; /* of the next request, for spread */
    int epoll;
};

/* A request in flight on a handle. */
struct flight {
    struct handle *handle;
    uint64_t started_ns;
};

static struct reqivo_request *make_request(struct load *load)
{
    const struct bench_options *options = load->options;
    struct reqivo_request *request;
    const char *url = options->url;
    char space[512];

    if (options->spread > 0) {
        const char *mark = strstr(url, "%zu");
        size_t n = load->number++ % options->spread;
        if (!mark)
            bench_die("--spread needs %%zu in the URL");
        /* The number becomes the last two bytes of an address: 127.1.HIGH.LOW. */
        snprintf(space, sizeof(space), "%.*s%zu.%zu%s", (int)(mark - url), url, n / 250 + 1, n % 250 + 1,
                 mark + 3);
        url = space;
    }
    if (reqivo_request_new(options->upload > 0 ? "POST" : "GET", url, &request) < 0)
        bench_die("no request for %s", url);
    if (options->upload > 0 && reqivo_request_set_body_view(request, load->body, options->upload) < 0)
        bench_die("no body");
    if (options->ca && reqivo_request_set_ca_file(request, options->ca) < 0)
        bench_die("%s cannot be used", options->ca);
    if (options->insecure)
        reqivo_request_set_verify(request, 0);
    return request;
}

static void check(const struct load *load, const struct reqivo_response *response)
{
    int error = reqivo_response_error(response);

    if (error < 0)
        bench_die("%s: %s", reqivo_error_name(error), reqivo_response_detail(response));
    if (reqivo_response_status(response) != 200 ||
        reqivo_response_body_size(response) != load->options->expect)
        bench_die("status %d with %zu bytes", reqivo_response_status(response),
                  reqivo_response_body_size(response));
}

static void call(struct load *load, struct reqivo_client *client)
{
    struct reqivo_request *request = make_request(load);
    struct reqivo_response *response;
    int r = reqivo_call(client, &request, &response);

    if (request)
        bench_die("call: %s", reqivo_error_text(r));
    check(load, response);
    reqivo_response_free(response);
}

static void submit(struct flight *flight);

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct flight *flight = userdata;
    struct load *load = flight->handle->load;

    (void)client;
    bench_note(load->block, flight->started_ns);
    check(load, response);
    reqivo_response_free(response);
    if (load->block->started < load->block->count)
        submit(flight);
}

static void submit(struct flight *flight)
{
    struct load *load = flight->handle->load;
    struct reqivo_request *request;

    load->block->started++;
    flight->started_ns = bench_now_ns();
    request = make_request(load);
    int r = reqivo_submit(flight->handle->client, &request, on_done, flight, NULL);
    if (r < 0)
        bench_die("submit: %s", reqivo_error_text(r));
}

static void watch(const struct load *load, struct handle *handle)
{
    int events = reqivo_client_events(handle->client);
    struct epoll_event event = {.events = (uint32_t)events, .data.ptr = handle};

    if (events == handle->events)
        return;
    if (epoll_ctl(load->epoll, handle->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, handle->fd, &event) < 0)
        bench_die("epoll_ctl: %s", strerror(errno));
    handle->events = events;
}

/* What may be read or written now, and all callbacks. */
static void turn(const struct load *load, struct handle *handle)
{
    do {
        if (reqivo_client_process(handle->client) < 0 || reqivo_client_dispatch(handle->client) < 0)
            bench_die("a handle has failed");
    } while (reqivo_client_timeout_ms(handle->client) == 0);
    if (reqivo_client_fd(handle->client) != handle->fd)
        bench_die("the daemon is gone");
    watch(load, handle);
}

static void run_loop(struct load *load)
{
    struct epoll_event events[128];

    for (size_t i = 0; i < load->options->handles; i++)
        turn(load, &load->handles[i]);
    while (load->block->done < load->block->count) {
        int n = epoll_wait(load->epoll, events, 128, -1);
        if (n < 0 && errno != EINTR)
            bench_die("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < n; i++)
            turn(load, events[i].data.ptr);
    }
}

static void run_async(struct load *load)
{
    const struct bench_options *options = load->options;
    struct flight *flights = bench_alloc(options->flight * sizeof(*flights));

    for (size_t i = 0; i < options->flight && load->block->started < load->block->count; i++) {
        flights[i].handle = &load->handles[i % options->handles];
        submit(&flights[i]);
    }
    if (options->handles > 1) {
        run_loop(load);
    } else {
        while (load->block->done < load->block->count) {
            if (reqivo_client_wait(load->handles[0].client, -1) < 0)
                bench_die("wait");
        }
    }
    free(flights);
}

static void run(struct bench_block *block, void *userdata)
{
    struct load *load = userdata;

    load->block = block;
    if (load->options->flight > 1) {
        run_async(load);
        return;
    }
    for (size_t i = 0; i < block->count; i++) {
        uint64_t started_ns = bench_now_ns();
        call(load, load->handles[0].client);
        bench_note(block, started_ns);
    }
}

static void open_handle(struct load *load, struct handle *handle)
{
    char why[512];

    handle->load = load;
    if (reqivo_open(load->options->socket, &handle->client) < 0) {
        reqivo_open_error(load->options->socket, why, sizeof(why));
        bench_die("%s", why);
    }
    handle->fd = reqivo_client_fd(handle->client);
}

int main(int argc, char *argv[])
{
    struct bench_options options;
    struct load load = {.options = &options};

    bench_options_read(argc, argv, &options);
    size_t total = options.handles + options.idle;
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.body = options.upload > 0 ? bench_alloc(options.upload) : NULL;
    load.handles = bench_alloc(total * sizeof(*load.handles));
    for (size_t i = 0; i < total; i++) {
        open_handle(&load, &load.handles[i]);
        if (i >= options.handles)
            call(&load, load.handles[i].client);
    }
    bench_serve(run, &load);
    for (size_t i = 0; i < total; i++)
        reqivo_close(load.handles[i].client);
    free(load.handles);
    free(load.body);
    return 0;
}
