/* SPDX-License-Identifier: MIT */
/* reqivoctl - asks a running reqivod what it is doing: `reqivoctl [OPTION]... VERB`. */
#include "cli/control.h"
#include "cli/exit.h"
#include "cli/rows.h"
#include "cli/std.h"

#include "common/str.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WHY_MAX          512
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
    "  close ORIGIN        close the idle connections to ORIGIN, as in https://example.org\n"
    "  warm ORIGIN [N]     have N connections to ORIGIN ready, or one\n"
    "  reload              read the configuration again; ends when it is in force\n"
    "  drain               end as on SIGTERM: finish what is in flight, take nothing new\n"
    "\n"
    "Options\n"
    "      --control PATH  the daemon's control socket\n"
    "      --json          as JSON\n"
    "      --socket PATH   the daemon whose programs connect to PATH\n"
    "      --user USER     close, warm: whose connections, by name or number; close: or all\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "Exit codes: 0, 2 usage, 28 no answer in time, 100 no daemon: reqivoctl(1).\n";

/* One verb: what the daemon is asked, and how its rows are shown to people. */
struct ctl_verb {
    const char *name;
    int query;          /* REQIVO_QUERY_..., 0: none */
    int control;        /* REQIVO_CONTROL_..., 0: none */
    int least, most;    /* words behind it */
    const char *none;   /* without a row; NULL: one row always comes */
    const char *sorted; /* by this column; NULL: as they come */
    bool descending;
    bool text; /* what comes is lines of text */
};

static const struct ctl_verb verbs[] = {
    {"status", REQIVO_QUERY_STATUS, 0, 0, 0, NULL, NULL, false, false},
    {"pools", REQIVO_QUERY_POOLS, 0, 0, 0, "no pools", "origin", false, false},
    {"clients", REQIVO_QUERY_CLIENTS, 0, 0, 0, "no clients", "program", false, false},
    {"requests", REQIVO_QUERY_REQUESTS, 0, 0, 0, "no requests", "age_ms", true, false},
    {"websockets", REQIVO_QUERY_WEBSOCKETS, 0, 0, 0, "no websockets", "origin", false, false},
    {"metrics", REQIVO_QUERY_METRICS, 0, 0, 0, NULL, NULL, false, false},
    {"close", 0, REQIVO_CONTROL_CLOSE, 1, 1, NULL, NULL, false, false},
    {"warm", 0, REQIVO_CONTROL_WARM, 1, 2, NULL, NULL, false, false},
    {"reload", 0, REQIVO_CONTROL_RELOAD, 0, 0, NULL, NULL, false, true},
    {"drain", 0, REQIVO_CONTROL_DRAIN, 0, 0, NULL, NULL, false, false},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct ctl_options {
    const char *socket, *control, *origin;
    uint32_t count;
    long long user; /* REQIVO_USER_..., or a uid */
    bool user_given;
    const struct ctl_verb *verb; /* NULL: help or version was printed */
    bool json;
};

static int usage(const char *what, const char *word)
{
    fprintf(stderr, "reqivoctl: %s%s; try 'reqivoctl --help'\n", what, word);
    return CLI_EXIT_USAGE;
}

static bool number_parse(const char *text, uint64_t most, uint64_t *ret_number)
{
    return rqv_str_u64(rqv_str_from(text), ret_number) && *ret_number <= most;
}

static int user_parse(const char *text, struct ctl_options *options)
{
    const struct passwd *user;
    uint64_t uid;

    options->user_given = true;
    if (strcmp(text, "all") == 0) {
        options->user = REQIVO_USER_ALL;
        return 0;
    }
    if (number_parse(text, UINT32_MAX - 1, &uid)) {
        options->user = (long long)uid;
        return 0;
    }
    user = getpwnam(text);
    if (!user)
        return usage("there is no user ", text);
    options->user = user->pw_uid;
    return 0;
}

/* What stands behind the verb. */
static int words_parse(int argc, char *argv[], struct ctl_options *options)
{
    const struct ctl_verb *verb = options->verb;
    int words = argc - optind - 1;
    uint64_t count = 1;

    if (words < verb->least)
        return usage("this verb needs an origin, as in https://example.org: ", verb->name);
    if (words > verb->most)
        return usage("one verb only, not also: ", argv[optind + 1 + verb->most]);
    if (words > 0)
        options->origin = argv[optind + 1];
    if (words > 1 && !number_parse(argv[optind + 2], 1024, &count))
        return usage("not a number from 0 to 1024: ", argv[optind + 2]);
    options->count = (uint32_t)count;
    if (options->user_given && verb->most == 0)
        return usage("--user has no meaning with ", verb->name);
    return 0;
}

static int verb_parse(int argc, char *argv[], struct ctl_options *options)
{
    if (optind >= argc)
        return usage("no verb given, such as status or pools", "");
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(argv[optind], verbs[i].name) == 0)
            options->verb = &verbs[i];
    if (!options->verb)
        return usage("unknown verb: ", argv[optind]);
    if (options->json && options->verb->query == REQIVO_QUERY_METRICS)
        return usage("metrics have a form of their own, not also: ", "--json");
    return words_parse(argc, argv, options);
}

static int options_parse(int argc, char *argv[], struct ctl_options *options)
{
    static const struct option names[] = {{"control", required_argument, NULL, 'c'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"socket", required_argument, NULL, 's'},
                                          {"user", required_argument, NULL, 'u'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {NULL, 0, NULL, 0}};
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
        case 'u':
            if (user_parse(optarg, options) != 0)
                return CLI_EXIT_USAGE;
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
    bool one = verb->query == REQIVO_QUERY_STATUS || (verb->control != 0 && !verb->text);

    if (verb->sorted)
        rows_sort(rows, verb->sorted, verb->descending);
    if (options->json && rows_print_json(rows, one, stdout) < 0)
        return CLI_EXIT_WRITE;
    if (!options->json && verb->text)
        rows_print_values(rows, 0, stdout);
    else if (!options->json && one)
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

/* What the daemon says about it becomes one row, or a row for each line of text. */
static int control(const struct ctl_options *options, struct reqivo_client *client, struct rows *rows,
                   char why[WHY_MAX])
{
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;
    int rc =
        reqivo_control_new(options->verb->control, options->origin, options->count, options->user, &request);

    if (rc == 0)
        rc = reqivo_call(client, &request, &response);
    if (rc < 0)
        snprintf(why, WHY_MAX, "%s", reqivo_response_detail(response));
    for (size_t i = 0; i < reqivo_response_field_count(response); i++) {
        const char *name, *value;

        reqivo_response_field_at(response, i, &name, &value);
        if (options->verb->text)
            rows_add(1, &name, &value, rows);
        else
            rows_join(rows, name, value);
    }
    reqivo_response_free(response);
    reqivo_request_free(request);
    return rc;
}

static int ask(const struct ctl_options *options, struct reqivo_client *client, struct rows *rows,
               char why[WHY_MAX])
{
    int query = options->verb->query;

    if (!query)
        return control(options, client, rows, why);
    return reqivo_query(client, query, QUERY_TIMEOUT_MS, query == REQIVO_QUERY_METRICS ? on_lines : rows_add,
                        rows);
}

static int query(const struct ctl_options *options)
{
    struct reqivo_client *client = NULL;
    struct rows rows = {0};
    char why[WHY_MAX] = "", space[256];
    int exit;
    const char *path = cli_control_path(options->control, options->socket, space, sizeof(space));
    int rc = path ? reqivo_open(path, &client) : REQIVO_E_SOCKET_PATH;

    if (rc < 0 && path)
        reqivo_open_error(path, why, sizeof(why));
    else
        rc = ask(options, client, &rows, why);
    if (rc == 0 && rows.no_memory)
        rc = -ENOMEM;
    if (rc >= 0) {
        exit = print(options, &rows);
    } else {
        exit = query_code(rc, why, sizeof(why));
        fprintf(stderr, "reqivoctl: (%d) %s\n", exit, why);
        if (options->verb->text) /* the first line is in there */
            rows_print_values(&rows, 1, stderr);
    }
    rows_done(&rows);
    reqivo_close(client);
    return exit;
}

int main(int argc, char *argv[])
{
    struct ctl_options options = {.user = REQIVO_USER_SELF};
    int exit;

    if (!cli_std_hold())
        return CLI_EXIT_WRITE;
    signal(SIGPIPE, SIG_IGN);
    exit = options_parse(argc, argv, &options);
    if (exit == 0 && options.verb)
        exit = query(&options);
    return exit;
}
