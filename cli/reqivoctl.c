/* SPDX-License-Identifier: MIT */
/* reqivoctl - asks a running reqivod what it is doing: `reqivoctl [OPTION]... VERB`. */
#include "cli/control.h"
#include "cli/exit.h"
#include "cli/rows.h"
#include "cli/std.h"

#include <errno.h>
#include <getopt.h>
#include <reqivo/client.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define QUERY_TIMEOUT_MS 4000 /* before the library gives the daemon up, which would be "lost" */

static const char help_text[] =
    "Usage: reqivoctl [OPTION]... VERB\n"
    "Asks a running reqivod what it is doing.\n"
    "\n"
    "Verbs\n"
    "  status              the daemon: version, counts, memory\n"
    "  pools               the pools of connections, one a line\n"
    "  clients             the programs that are connected, one a line\n"
    "  requests            the requests in flight, one a line, the oldest first\n"
    "  websockets          the WebSocket sessions, one a line\n"
    "  metrics             all figures, in Prometheus' text format\n"
    "\n"
    "Options\n"
    "      --control PATH  the daemon's control socket\n"
    "      --json          as JSON\n"
    "      --socket PATH   the daemon whose programs connect to PATH\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "Exit codes: 0, 2 usage, 28 no answer in time, 100 no daemon: reqivoctl(1).\n";

/* One verb: what the daemon is asked, and how its rows are shown to people. */
struct ctl_verb {
    const char *name;
    int query;          /* REQIVO_QUERY_... */
    const char *none;   /* without a row; NULL: one row always comes */
    const char *sorted; /* by this column; NULL: as they come */
    bool descending;
};

static const struct ctl_verb verbs[] = {
    {"status", REQIVO_QUERY_STATUS, NULL, NULL, false},
    {"pools", REQIVO_QUERY_POOLS, "no pools", "origin", false},
    {"clients", REQIVO_QUERY_CLIENTS, "no clients", "program", false},
    {"requests", REQIVO_QUERY_REQUESTS, "no requests", "age_ms", true},
    {"websockets", REQIVO_QUERY_WEBSOCKETS, "no websockets", "origin", false},
    {"metrics", REQIVO_QUERY_METRICS, NULL, NULL, false},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct ctl_options {
    const char *socket, *control;
    const struct ctl_verb *verb; /* NULL: help or version was printed */
    bool json;
};

static int usage(const char *what, const char *word)
{
    fprintf(stderr, "reqivoctl: %s%s; try 'reqivoctl --help'\n", what, word);
    return CLI_EXIT_USAGE;
}

static int verb_parse(int argc, char *argv[], struct ctl_options *options)
{
    if (optind >= argc)
        return usage("no verb given, such as status or pools", "");
    if (optind + 1 < argc)
        return usage("one verb only, not also: ", argv[optind + 1]);
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(argv[optind], verbs[i].name) == 0)
            options->verb = &verbs[i];
    if (!options->verb)
        return usage("unknown verb: ", argv[optind]);
    if (options->json && options->verb->query == REQIVO_QUERY_METRICS)
        return usage("metrics have a form of their own, not also: ", "--json");
    return 0;
}

static int options_parse(int argc, char *argv[], struct ctl_options *options)
{
    static const struct option names[] = {
        {"control", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},
        {"socket", required_argument, NULL, 's'},  {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0}};
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, ":hV", names, NULL)) != -1) {
        switch (c) {
        case 'c':
            options->control = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 's':
            options->socket = optarg;
            break;
        case 'h':
            fputs(help_text, stdout);
            return 0;
        case 'V':
            printf("reqivoctl %s\n", reqivo_version());
            return 0;
        case ':':
            return usage("this option needs an argument: ", argv[optind - 1]);
        default:
            return usage("unknown option: ", argv[optind - 1]);
        }
    }
    return verb_parse(argc, argv, options);
}

static int print(const struct ctl_options *options, struct rows *rows)
{
    const struct ctl_verb *verb = options->verb;
    bool one = verb->query == REQIVO_QUERY_STATUS;

    if (verb->sorted)
        rows_sort(rows, verb->sorted, verb->descending);
    if (options->json && rows_print_json(rows, one, stdout) < 0)
        return CLI_EXIT_WRITE;
    if (!options->json && one)
        rows_print_lines(rows, stdout);
    else if (!options->json && rows->count)
        rows_print_table(rows, stdout);
    else if (!options->json && verb->none)
        puts(verb->none);
    return fflush(stdout) == 0 ? CLI_EXIT_OK : CLI_EXIT_WRITE;
}

/* Lines that are shown as they are: the daemon's own names and numbers, nothing of a stranger's. */
static void on_lines(size_t count, const char *const names[], const char *const values[], void *userdata)
{
    (void)names;
    (void)userdata;
    for (size_t i = 0; i < count; i++)
        puts(values[i]);
}

/* The library speaks of requests; here nobody but the daemon can have been late. */
static int query_code(int rc, char *why, size_t size)
{
    int exit = rc == -ETIMEDOUT ? CLI_EXIT_TIMEOUT : cli_exit_of(rc, REQIVO_PHASE_IPC);

    if (!why[0] && exit == CLI_EXIT_TIMEOUT)
        snprintf(why, size, "the daemon did not answer within %d s", QUERY_TIMEOUT_MS / 1000);
    if (!why[0])
        snprintf(why, size, "%s", reqivo_error_text(rc));
    return exit;
}

static int query(const struct ctl_options *options)
{
    struct reqivo_client *client = NULL;
    struct rows rows = {0};
    char why[512] = "", space[256];
    int exit;
    const char *path = cli_control_path(options->control, options->socket, space, sizeof(space));
    int rc = path ? reqivo_open(path, &client) : REQIVO_E_SOCKET_PATH;

    if (rc < 0 && path)
        reqivo_open_error(path, why, sizeof(why));
    else
        rc = reqivo_query(client, options->verb->query, QUERY_TIMEOUT_MS,
                          options->verb->query == REQIVO_QUERY_METRICS ? on_lines : rows_add, &rows);
    if (rc == 0 && rows.no_memory)
        rc = -ENOMEM;
    if (rc >= 0) {
        exit = print(options, &rows);
    } else {
        exit = query_code(rc, why, sizeof(why));
        fprintf(stderr, "reqivoctl: (%d) %s\n", exit, why);
    }
    rows_done(&rows);
    reqivo_close(client);
    return exit;
}

int main(int argc, char *argv[])
{
    struct ctl_options options = {0};
    int exit;

    if (!cli_std_hold())
        return CLI_EXIT_WRITE;
    signal(SIGPIPE, SIG_IGN);
    exit = options_parse(argc, argv, &options);
    if (exit == 0 && options.verb)
        exit = query(&options);
    return exit;
}
