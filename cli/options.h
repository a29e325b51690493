/* SPDX-License-Identifier: MIT */
/*
 * options - the command line of reqivo, in curl's manner: `-sSf`, `-ofile`, `-o file`, `--output file`,
 * `--output=file`, options and URLs in any order, `--` ends the options, `--next` begins a new group with
 * none. Pure: nothing is opened, read or printed here.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a piece of the body is: "@file" names one, but for RAW; TEXT loses the line ends of a file. */
enum cli_piece {
    CLI_PIECE_TEXT,      /* -d */
    CLI_PIECE_BINARY,    /* --data-binary */
    CLI_PIECE_RAW,       /* --data-raw */
    CLI_PIECE_URLENCODE, /* --data-urlencode: proto/form.h */
    CLI_PIECE_JSON,      /* --json: as BINARY, but not joined with '&' */
};

/* One argument of an option that may be repeated; the text is argv's. */
struct cli_item {
    const char *text; /* of outputs: NULL for -O */
    enum cli_piece piece;
};

struct cli_list {
    struct cli_item *items;
    size_t count;
};

struct cli_options {
    struct cli_options *next; /* the group after --next */
    struct cli_list urls;
    struct cli_list fields;      /* -H */
    struct cli_list data;        /* -d and its like, in order */
    struct cli_list outputs;     /* -o and -O: the n-th belongs to the n-th URL */
    struct cli_list uploads;     /* -T: the same */
    struct cli_list cookies;     /* -b */
    struct cli_list resolves;    /* --resolve */
    struct cli_list connects;    /* --connect-to */
    struct cli_list field_files; /* the contents of -H @file, into which texts of `fields` point */
    const char *method;          /* -X; NULL: chosen by -I, -G, -T and -d */
    const char *agent;           /* -A; "" for none */
    const char *referer;         /* -e */
    const char *range;           /* -r */
    const char *user;            /* -u */
    const char *bearer;          /* --oauth2-bearer */
    const char *cookie_jar;      /* -c */
    const char *dump_header;     /* -D */
    const char *cacert;
    const char *write_out;
    uint32_t max_time_ms;        /* -m; 0: no limit */
    uint32_t connect_timeout_ms; /* 0: the daemon's default */
    unsigned redirects;          /* how many are followed with -L: --max-redirs, at most 30 */
    int tls_min, tls_max;        /* 12, 13; 0: the daemon's own */
    bool head, include, fail, fail_with_body, insecure, get, compressed, location, trusted;
    bool post301, post302, post303;
    bool globoff, http11, unbuffered, basic; /* said anyway */
    /* Of the whole command: the same in every group. */
    const char *socket;
    bool start; /* a daemon of one's own, where none answers */
    bool silent, show_error, verbose, no_meter, help, version;
    bool bar, disable; /* said anyway: there is one meter, and no file of defaults */
};

/* Fills *ret_options; 0, -ENOMEM, or -EINVAL with one sentence in `why` (cut to size). Call done in every
 * case. */
int cli_options_parse(int argc, char *const argv[], struct cli_options *ret_options, char *why, size_t size);
void cli_options_done(struct cli_options *options);

/* -T of the n-th URL; NULL without one. */
const char *cli_options_upload(const struct cli_options *options, size_t n);
/* The method to send to the n-th URL: -X, else HEAD for -I, PUT for -T, POST for a body, GET. */
const char *cli_options_method(const struct cli_options *options, size_t n);
/* Do the pieces of -d make the body? With -G they make the query. */
bool cli_options_form(const struct cli_options *options);
/* Is --json among them? */
bool cli_options_json(const struct cli_options *options);

/* Seconds with an optional fraction, "1.5", to ms: rounded up, so that only 0 gives 0. False for anything
 * else and above 49 days. */
bool cli_seconds_parse(const char *text, uint32_t *ret_ms);

extern const char cli_help_text[];

#endif
