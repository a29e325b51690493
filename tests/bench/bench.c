/* SPDX-License-Identifier: MIT */
/* bench - see bench.h. CPU is that of the whole process, from the kernel's exact clock. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

noreturn void bench_die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void *bench_alloc(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        bench_die("no memory");
    return memory;
}

static size_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (!*text || *end)
        bench_die("not a number: %s", text);
    return (size_t)value;
}

/* The option that counts something, or NULL. */
static size_t *counter(struct bench_options *options, const char *name)
{
    const struct {
        const char *name;
        size_t *value;
    } counters[] = {
        {"--handles", &options->handles}, {"--flight", &options->flight}, {"--idle", &options->idle},
        {"--upload", &options->upload},   {"--expect", &options->expect}, {"--spread", &options->spread},
    };

    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        if (strcmp(counters[i].name, name) == 0)
            return counters[i].value;
    }
    return NULL;
}

void bench_options_read(int argc, char *const argv[], struct bench_options *ret_options)
{
    struct bench_options options = {.handles = 1, .flight = 1, .expect = 200};

    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--insecure") == 0) {
            options.insecure = true;
            continue;
        }
        if (++i >= argc)
            bench_die("%s needs a value", name);
        size_t *value = counter(&options, name);
        if (value)
            *value = number(argv[i]);
        else if (strcmp(name, "--socket") == 0)
            options.socket = argv[i];
        else if (strcmp(name, "--url") == 0)
            options.url = argv[i];
        else if (strcmp(name, "--ca") == 0)
            options.ca = argv[i];
        else
            bench_die("unknown option %s", name);
    }
    if (!options.url || options.handles == 0 || options.flight == 0)
        bench_die("--url is needed, --handles and --flight are not 0");
    *ret_options = options;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void bench_note(struct bench_block *block, uint64_t started_ns)
{
    block->latency_ns[block->done++] = bench_now_ns() - started_ns;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile(const struct bench_block *block, double part)
{
    size_t at = (size_t)(part * (double)block->count);

    return (double)block->latency_ns[at < block->count ? at : block->count - 1] / 1000.0;
}

static void run_block(struct bench_block *block, bench_run_fn run, void *userdata)
{
    if (block->space < block->count) {
        free(block->latency_ns);
        block->latency_ns = bench_alloc(block->count * sizeof(uint64_t));
        block->space = block->count;
    }
    block->started = block->done = 0;
    uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), wall = bench_now_ns();
    run(block, userdata);
    wall = bench_now_ns() - wall;
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (block->done != block->count)
        bench_die("%zu of %zu requests are done", block->done, block->count);
    qsort(block->latency_ns, block->count, sizeof(uint64_t), by_size);
    printf("{\"n\":%zu,\"wall\":%.9f,\"cpu\":%.9f,\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f}\n", block->count,
           (double)wall / 1e9, (double)cpu / 1e9, percentile(block, 0.5), percentile(block, 0.99),
           percentile(block, 0.999));
}

void bench_serve(bench_run_fn run, void *userdata)
{
    struct bench_block block = {0};
    char line[64];

    printf("{\"ready\":true}\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "run ", 4) != 0)
            bench_die("unknown command: %s", line);
        block.count = number(line + 4);
        if (block.count == 0)
            bench_die("nothing to do");
        run_block(&block, run, userdata);
        fflush(stdout);
    }
    free(block.latency_ns);
}

int bench_connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || length >= sizeof(address.sun_path))
        bench_die("no socket for %s: %s", path, strerror(errno));
    memcpy(address.sun_path, path, length + 1);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        bench_die("%s: %s", path, strerror(errno));
    return fd;
}
