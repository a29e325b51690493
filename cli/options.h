/* SPDX-License-Identifier: MIT */
/*
 * options - the command line of reqivo, in curl's manner: `-sSf`, `-ofile`, `-o file`, `--output file`,
 * `--output=file`, options and URLs in any order, `--` ends the options. Pure: nothing is opened, read or
 * printed here.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One argument of an option that may be repeated; the text is argv's. */
struct cli_item {
    const char *text;
    bool binary; /* of the body's pieces: --data-binary, so "@file" is taken as it is */
};

struct cli_list {
    struct cli_item *items;
    size_t count;
};

struct cli_options {
    struct cli_list urls;
    struct cli_list fields;  /* -H */
    struct cli_list data;    /* -d and --data-binary, in order */
    struct cli_list outputs; /* -o: the n-th belongs to the n-th URL */
    const char *method;      /* -X; NULL: chosen by -I and -d */
    const char *agent;       /* -A; "" for none */
    const char *cacert;
    const char *socket;
    const char *write_out;
    uint32_t max_time_ms;        /* -m; 0: no limit */
    uint32_t connect_timeout_ms; /* 0: the daemon's default */
    bool head, include, silent, show_error, fail, verbose, insecure, help, version;
};

/* Fills *ret_options; 0, -ENOMEM, or -EINVAL with one sentence in `why` (cut to size). Call done in every
 * case. */
int cli_options_parse(int argc, char *const argv[], struct cli_options *ret_options, char *why, size_t size);
void cli_options_done(struct cli_options *options);

/* The method to send: -X, else HEAD for -I, POST for a body, GET. */
const char *cli_options_method(const struct cli_options *options);

/* Seconds with an optional fraction, "1.5", to ms: rounded up, so that only 0 gives 0. False for anything
 * else and above 49 days. */
bool cli_seconds_parse(const char *text, uint32_t *ret_ms);

extern const char cli_help_text[];

#endif
