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
    "  websockets          the WebSocket sessions, one a line\n"
    "\n"
    "Options\n"
    "      --control PATH  the daemon's control socket\n"
    "      --json          as JSON\n"
    "      --socket PATH   the daemon whose programs connect to PATH\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "Exit codes: 0, 2 usage, 28 no answer in time, 100 no daemon: reqivoctl(1).\n";

struct ctl_options {
    const char *socket, *control;
    int verb; /* REQIVO_QUERY_..., 0: help or version was printed */
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
        return usage("no verb given: status, pools or websockets", "");
    if (optind + 1 < argc)
        return usage("one verb only, not also: ", argv[optind + 1]);
    if (strcmp(argv[optind], "status") == 0)
        options->verb = REQIVO_QUERY_STATUS;
    else if (strcmp(argv[optind], "pools") == 0)
        options->verb = REQIVO_QUERY_POOLS;
    else if (strcmp(argv[optind], "websockets") == 0)
        options->verb = REQIVO_QUERY_WEBSOCKETS;
    else
        return usage("unknown verb: ", argv[optind]);
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

static int print(const struct ctl_options *options, const struct rows *rows)
{
    bool status = options->verb == REQIVO_QUERY_STATUS;

    if (options->json && rows_print_json(rows, status, stdout) < 0)
        return CLI_EXIT_WRITE;
    if (!options->json && status)
        rows_print_lines(rows, stdout);
    else if (!options->json && rows->count)
        rows_print_table(rows, stdout);
    else if (!options->json)
        puts(options->verb == REQIVO_QUERY_POOLS ? "no pools" : "no websockets");
    return fflush(stdout) == 0 ? CLI_EXIT_OK : CLI_EXIT_WRITE;
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
        rc = reqivo_query(client, options->verb, QUERY_TIMEOUT_MS, rows_add, &rows);
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
