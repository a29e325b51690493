/* SPDX-License-Identifier: MIT */
/*
 * bench_curl - libcurl in the process, straight to the origin with keep-alive: the easy interface (flight 1)
 * or the multi interface with many transfers on as many connections.
 */
#include "tests/bench/bench.h"

#include <curl/curl.h>
#include <stdlib.h>

struct transfer {
    CURL *easy;
    size_t received;
    uint64_t started_ns;
};

struct load {
    const struct bench_options *options;
    struct transfer *transfers;
    CURLM *multi;
    char *body;
};

static size_t on_body(char *bytes, size_t size, size_t count, void *userdata)
{
    struct transfer *transfer = userdata;

    (void)bytes;
    transfer->received += size * count;
    return size * count;
}

static void make_transfer(const struct load *load, struct transfer *transfer)
{
    const struct bench_options *options = load->options;
    CURL *easy = curl_easy_init();

    if (!easy)
        bench_die("no handle");
    curl_easy_setopt(easy, CURLOPT_URL, options->url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (options->ca)
        curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca);
    if (options->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (options->upload > 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, load->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->upload);
        curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 1000L);
        struct curl_slist *fields = curl_slist_append(NULL, "Expect:");
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
    }
    transfer->easy = easy;
}

static void check(const struct load *load, struct transfer *transfer, CURLcode code)
{
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200 || transfer->received != load->options->expect)
        bench_die("%s, status %ld, %zu bytes", curl_easy_strerror(code), status, transfer->received);
    transfer->received = 0;
}

static void run_easy(const struct load *load, struct bench_block *block)
{
    struct transfer *transfer = &load->transfers[0];

    for (size_t i = 0; i < block->count; i++) {
        uint64_t started_ns = bench_now_ns();
        check(load, transfer, curl_easy_perform(transfer->easy));
        bench_note(block, started_ns);
    }
}

static void add(const struct load *load, struct bench_block *block, struct transfer *transfer)
{
    block->started++;
    transfer->started_ns = bench_now_ns();
    if (curl_multi_add_handle(load->multi, transfer->easy) != CURLM_OK)
        bench_die("curl_multi_add_handle");
}

static void take_done(const struct load *load, struct bench_block *block)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(load->multi, &left))) {
        struct transfer *transfer;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        bench_note(block, transfer->started_ns);
        check(load, transfer, code);
        curl_multi_remove_handle(load->multi, transfer->easy);
        if (block->started < block->count)
            add(load, block, transfer);
    }
}

static void run_multi(const struct load *load, struct bench_block *block)
{
    int running;

    for (size_t i = 0; i < load->options->flight && block->started < block->count; i++)
        add(load, block, &load->transfers[i]);
    while (block->done < block->count) {
        if (curl_multi_perform(load->multi, &running) != CURLM_OK)
            bench_die("curl_multi_perform");
        take_done(load, block);
        if (block->done < block->count && curl_multi_poll(load->multi, NULL, 0, 1000, NULL) != CURLM_OK)
            bench_die("curl_multi_poll");
    }
}

static void run(struct bench_block *block, void *userdata)
{
    const struct load *load = userdata;

    if (load->options->flight > 1)
        run_multi(load, block);
    else
        run_easy(load, block);
}

int main(int argc, char *argv[])
{
    struct bench_options options;
    struct load load = {.options = &options};

    bench_options_read(argc, argv, &options);
    if (curl_global_init(CURL_GLOBAL_ALL) != 0)
        bench_die("curl_global_init");
    load.body = options.upload > 0 ? bench_alloc(options.upload) : NULL;
    load.transfers = bench_alloc(options.flight * sizeof(*load.transfers));
    load.multi = curl_multi_init();
    curl_multi_setopt(load.multi, CURLMOPT_MAXCONNECTS, (long)options.flight + 8);
    for (size_t i = 0; i < options.flight; i++)
        make_transfer(&load, &load.transfers[i]);
    bench_serve(run, &load);
    for (size_t i = 0; i < options.flight; i++)
        curl_easy_cleanup(load.transfers[i].easy);
    curl_multi_cleanup(load.multi);
    free(load.transfers);
    free(load.body);
    return 0;
}
