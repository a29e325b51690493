/* SPDX-License-Identifier: MIT */
/*
 * bench - what the clients of the benchmark share: options, the clock, latencies, and the protocol with
 * bench.py.
 *
 * A client makes its connections, then reads commands from stdin, one a line: "run N" does N requests and
 * prints one line of JSON: how many, wall and CPU seconds, latency percentiles in microseconds. The end of
 * stdin ends the client.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

struct bench_options {
    const char *socket; /* of the daemon or relay; NULL for libcurl */
    const char *url;
    const char *ca; /* PEM file, or NULL: the system's, or the daemon's */
    size_t handles; /* connections or handles */
    size_t flight;  /* requests at a time, over all handles */
    size_t idle;    /* further connections that have done one request and then do nothing */
    size_t upload;  /* bytes of request body; 0: GET */
    size_t expect;  /* bytes of response body */
    size_t spread;  /* > 0: request number i goes to the URL with %zu replaced by i % spread */
    bool insecure;  /* no verification */
};

/* Reads the options "--name value"; ends the program on an unknown one. */
void bench_options_read(int argc, char *const argv[], struct bench_options *ret_options);

/* One block: its latencies, in ns, are noted one by one. */
struct bench_block {
    size_t count;   /* to do */
    size_t started; /* kept by the client */
    size_t done;    /* noted */
    uint64_t *latency_ns;
    size_t space;
};

uint64_t bench_now_ns(void);
void bench_note(struct bench_block *block, uint64_t started_ns);

/* Does block->count requests, noting each. */
typedef void (*bench_run_fn)(struct bench_block *block, void *userdata);

/* Prints {"ready":true}, then serves commands until stdin ends. */
void bench_serve(bench_run_fn run, void *userdata);

/* Prints "PROGRAM: text" and ends with 1. */
noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* malloc that ends the program when there is none. */
void *bench_alloc(size_t size);

/* A connected UNIX stream socket. */
int bench_connect_unix(const char *path);

#endif
