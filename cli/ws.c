/* SPDX-License-Identifier: MIT */
/* ws - see ws.h. One loop waits for stdin and for the handle; what the server does not take yet is left in
 * stdin. */
#include "cli/ws.h"

#include "cli/exit.h"
#include "cli/options.h"
#include "cli/start.h"
#include "proto/utf8.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <reqivo/client.h>
#include <reqivo/websocket.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536
#define SHORT ":H:khnv"

static const char help_text[] =
    "Usage: reqivo ws [OPTION]... URL\n"
    "Sends each line of stdin as a message, and prints each message as a line.\n"
    "\n"
    "      --binary             blocks of stdin are binary messages, and what comes is printed as it is\n"
    "      --cacert FILE        trust these certificates (PEM) instead of the system's\n"
    "      --compress           offer permessage-deflate\n"
    "  -H, --header FIELD       add 'Name: value' to the handshake\n"
    "  -k, --insecure           do not verify the certificate\n"
    "  -n, --no-close           at the end of stdin go on until the server closes\n"
    "      --ping-interval S    ping the server after so many silent seconds\n"
    "      --reconnect N        after a loss, connect again up to N times\n"
    "      --socket PATH        where reqivod listens\n"
    "      --start              start a reqivod of one's own where none answers\n"
    "      --subprotocol NAME   offer it; may be repeated, the best first\n"
    "  -v, --verbose            tell on stderr what was agreed on, and how it was closed\n"
    "  -h, --help               this text\n"
    "\n"
    "Exit codes: 0 when both sides have closed, with whatever code, else as of reqivo(1).\n";

struct ws_run {
    struct reqivo_request *request;
    struct reqivo_client *client;
    struct reqivo_websocket *ws;
    struct reqivo_websocket_options options;
    const char *socket;
    bool start; /* a daemon of one's own, where none answers */
    bool binary, verbose, no_close, over, full, input_ended;
    bool within; /* a line whose beginning has been sent */
    bool half;   /* a line whose beginning has been printed */
    int exit;
    size_t used;
    struct rqv_utf8 utf8; /* of the line */
    char block[BLOCK];
};

static int complain(int exit, const char *why, const char *detail)
{
    fprintf(stderr, "reqivo: (%d) %s%s%s\n", exit, why, detail[0] ? ": " : "", detail);
    return exit;
}

/* ---- what the session tells ---- */

static void on_open(struct reqivo_websocket *ws, void *userdata)
{
    struct ws_run *run = userdata;
    const char *protocol = reqivo_websocket_protocol(ws);

    if (run->verbose)
        fprintf(stderr, "* open, %s%s\n", protocol[0] ? "subprotocol " : "no subprotocol", protocol);
}

static int on_message(struct reqivo_websocket *ws, const struct reqivo_message *message, void *userdata)
{
    struct ws_run *run = userdata;
    bool ok = fwrite(message->bytes, 1, message->size, stdout) == message->size;

    run->half = !message->last;
    if (message->last && !run->binary)
        ok = putchar('\n') != EOF && ok;
    if (message->last)
        ok = fflush(stdout) == 0 && ok;
    if (!ok && run->exit == 0) {
        run->exit = complain(CLI_EXIT_WRITE, "the output could not be written", strerror(errno));
        reqivo_websocket_close(ws, 1001, NULL);
    }
    return 0;
}

/* The rest of a message that was cut never comes. */
static void end_half_line(struct ws_run *run)
{
    if (run->half && !run->binary) {
        putchar('\n');
        fflush(stdout);
    }
    run->half = false;
}

static void on_event(struct reqivo_websocket *ws, const struct reqivo_websocket_event *event, void *userdata)
{
    struct ws_run *run = userdata;

    (void)ws;
    if (event->kind == REQIVO_WEBSOCKET_LOST)
        end_half_line(run);
    if (event->kind == REQIVO_WEBSOCKET_LOST)
        fprintf(stderr, "reqivo: lost: %s; %u undelivered, %u unconfirmed\n", reqivo_error_text(event->code),
                event->undelivered, event->unconfirmed);
    else if (event->kind == REQIVO_WEBSOCKET_RETRYING)
        fprintf(stderr, "reqivo: attempt %u in %u ms\n", event->attempt, event->wait_ms);
    else
        fprintf(stderr, "reqivo: restored\n");
}

static void on_drain(struct reqivo_websocket *ws, void *userdata)
{
    struct ws_run *run = userdata;

    (void)ws;
    run->full = false;
}

static void on_close(struct reqivo_websocket *ws, void *userdata)
{
    struct ws_run *run = userdata;
    int code = reqivo_websocket_error(ws);

    run->over = true;
    end_half_line(run);
    if (run->verbose && reqivo_websocket_close_code(ws) != 0)
        fprintf(stderr, "* closed: %d%s%s\n", reqivo_websocket_close_code(ws),
                reqivo_websocket_close_reason(ws)[0] ? " " : "", reqivo_websocket_close_reason(ws));
    if (reqivo_websocket_undelivered(ws) > 0)
        fprintf(stderr, "reqivo: %zu messages were not delivered\n", reqivo_websocket_undelivered(ws));
    if (reqivo_websocket_unconfirmed(ws) > 0)
        fprintf(stderr, "reqivo: of %zu messages it is not known whether they arrived\n",
                reqivo_websocket_unconfirmed(ws));
    if (code < 0 && run->exit == 0)
        run->exit = complain(cli_exit_of(code, REQIVO_PHASE_BODY), reqivo_error_text(code),
                             reqivo_websocket_detail(ws));
    reqivo_websocket_free(ws);
    run->ws = NULL;
}

/* ---- stdin ---- */

/* The input ends here, whatever of it is left. */
static void give_up(struct ws_run *run, const char *why, const char *detail)
{
    run->exit = complain(CLI_EXIT_READ, why, detail);
    run->input_ended = true;
    run->used = 0;
    reqivo_websocket_close(run->ws, 1001, NULL);
}

/* A line is text: UTF-8. Told here, the error names the input, and what was sent before it still counts. */
static bool is_text(struct ws_run *run, const char *bytes, size_t len, bool last)
{
    struct rqv_utf8 utf8 = run->utf8;
    bool ok = rqv_utf8_feed(&utf8, (const uint8_t *)bytes, len) && (!last || rqv_utf8_complete(&utf8));

    return run->binary || ok;
}

static int send_piece(struct ws_run *run, const char *bytes, size_t len, bool last)
{
    int r = reqivo_websocket_send_part(run->ws, run->binary ? REQIVO_BINARY : REQIVO_TEXT, bytes, len, last);

    run->full = r == -EAGAIN;
    if (r < 0)
        return r;
    if (!run->binary)
        rqv_utf8_feed(&run->utf8, (const uint8_t *)bytes, len);
    if (last)
        rqv_utf8_init(&run->utf8);
    run->within = !last;
    return 0;
}

/* Sends what is whole. False when the server takes nothing now. */
static bool send_block(struct ws_run *run)
{
    size_t at = 0;

    if (run->used == 0 && run->input_ended && run->within && !run->full) /* the line ended with the input */
        send_piece(run, "", 0, true);
    while (run->ws && at < run->used && !run->full) {
        const char *end = run->binary ? NULL : memchr(run->block + at, '\n', run->used - at);
        size_t len = end ? (size_t)(end - run->block) - at : run->used - at;
        bool last = run->binary || end || run->input_ended;
        if (!last && len < BLOCK)
            break; /* a line that is not whole and may become it */
        if (!is_text(run, run->block + at, len, last)) {
            give_up(run, "a line of the input is not UTF-8; --binary sends bytes as they are", "");
            return true;
        }
        if (send_piece(run, run->block + at, len, last) < 0)
            break;
        at += len + (end ? 1 : 0);
    }
    memmove(run->block, run->block + at, run->used - at);
    run->used -= at;
    return !run->full;
}

static void read_input(struct ws_run *run)
{
    ssize_t n = read(STDIN_FILENO, run->block + run->used, BLOCK - run->used);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0)
        give_up(run, "the input could not be read", strerror(errno));
    run->input_ended = n <= 0;
    run->used += n > 0 ? (size_t)n : 0;
}

static void turn(struct ws_run *run)
{
    bool reads = !run->full && !run->input_ended && run->used < BLOCK;
    struct pollfd fds[2] = {
        {.fd = reqivo_client_fd(run->client), .events = (short)reqivo_client_events(run->client)},
        {.fd = reads ? STDIN_FILENO : -1, .events = POLLIN},
    };

    if (poll(fds, 2, reqivo_client_timeout_ms(run->client)) < 0 && errno != EINTR)
        run->over = true;
    if (fds[1].revents)
        read_input(run);
    reqivo_client_process(run->client);
    reqivo_client_dispatch(run->client);
    if (run->ws && send_block(run) && run->input_ended && run->used == 0 && !run->within && !run->no_close)
        reqivo_websocket_close(run->ws, 1000, NULL);
}

/* ---- options ---- */

static int add_header(struct ws_run *run, char *text)
{
    char *colon = strchr(text, ':');

    if (!colon)
        return -EINVAL;
    *colon = '\0';
    return reqivo_request_add_field(run->request, text, colon + 1);
}

static int number(const char *text, uint32_t unit, unsigned *ret_value)
{
    uint32_t ms;

    if (!cli_seconds_parse(text, &ms))
        return -EINVAL;
    *ret_value = ms / (1000 / unit);
    return 0;
}

static int option(struct ws_run *run, int c)
{
    switch (c) {
    case 'b':
        run->binary = true;
        return 0;
    case 'C':
        return reqivo_request_set_ca_file(run->request, optarg);
    case 'z':
        run->options.compress = 1;
        return 0;
    case 'H':
        return add_header(run, optarg);
    case 'k':
        return reqivo_request_set_verify(run->request, 0);
    case 'n':
        run->no_close = true;
        return 0;
    case 'p':
        return number(optarg, 1000, &run->options.ping_ms);
    case 'r':
        return number(optarg, 1, &run->options.reconnect);
    case 's':
        run->socket = optarg;
        return 0;
    case 'S':
        run->start = true;
        return 0;
    case 'v':
        run->verbose = true;
        return 0;
    case 'P':
        return reqivo_request_add_field(run->request, "Sec-WebSocket-Protocol", optarg);
    default:
        return -EINVAL;
    }
}

static const struct option names[] = {{"binary", no_argument, NULL, 'b'},
                                      {"cacert", required_argument, NULL, 'C'},
                                      {"compress", no_argument, NULL, 'z'},
                                      {"header", required_argument, NULL, 'H'},
                                      {"insecure", no_argument, NULL, 'k'},
                                      {"no-close", no_argument, NULL, 'n'},
                                      {"ping-interval", required_argument, NULL, 'p'},
                                      {"reconnect", required_argument, NULL, 'r'},
                                      {"socket", required_argument, NULL, 's'},
                                      {"start", no_argument, NULL, 'S'},
                                      {"subprotocol", required_argument, NULL, 'P'},
                                      {"verbose", no_argument, NULL, 'v'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

static const char *name_of(int c)
{
    const struct option *at = names;

    while (at->name && at->val != c)
        at++;
    return at->name ? at->name : "";
}

static int refuse(const char *why, const char *flag, const char *argument)
{
    fprintf(stderr, "reqivo: (%d) %s: %s%s%s; try 'reqivo ws --help'\n", CLI_EXIT_USAGE, why, flag,
            argument ? " " : "", argument ? argument : "");
    return CLI_EXIT_USAGE;
}

/* What getopt itself objects to: in the first scan, before a missing argument is made up for by the URL. */
static int refuse_word(int c, char *argv[])
{
    char letter[3] = {'-', (char)optopt, '\0'};
    char flag[64];

    snprintf(flag, sizeof(flag), "--%s", name_of(optopt));
    if (c == ':')
        return refuse("this flag needs an argument", flag, NULL);
    if (optopt != 0 && name_of(optopt)[0] == '\0')
        return refuse("unknown flag", letter, NULL);
    return refuse(optopt != 0 ? "this flag takes no argument" : "unknown flag", argv[optind - 1], NULL);
}

static int refuse_argument(int c, int r)
{
    char flag[64];

    snprintf(flag, sizeof(flag), "--%s", name_of(c));
    if (c == 'C' && r != -ENOMEM)
        return complain(CLI_EXIT_CA_FILE, reqivo_error_text(r), optarg);
    if (r == -EINVAL)
        return refuse("not usable", flag, optarg);
    return complain(cli_exit_of(r, REQIVO_PHASE_NONE), reqivo_error_text(r), flag);
}

/* The options need a request, which needs the URL: the first scan puts that last, and looks at the flags. */
static int parse(struct ws_run *run, int argc, char *argv[])
{
    int c, r;

    opterr = 0;
    while ((c = getopt_long(argc, argv, SHORT, names, NULL)) != -1) {
        if (c == '?' || c == ':')
            return refuse_word(c, argv);
        if (c == 'h') {
            fputs(help_text, stdout);
            run->over = true;
            return 0;
        }
    }
    if (optind + 1 != argc)
        return complain(CLI_EXIT_USAGE, "one URL is needed; try 'reqivo ws --help'", "");
    r = reqivo_request_new("GET", argv[optind], &run->request);
    if (r < 0)
        return complain(cli_exit_of(r, REQIVO_PHASE_NONE), reqivo_error_text(r), argv[optind]);
    optind = 0;
    while ((c = getopt_long(argc, argv, SHORT, names, NULL)) != -1) {
        r = option(run, c);
        if (r < 0)
            return refuse_argument(c, r);
    }
    return 0;
}

static int start(struct ws_run *run)
{
    char why[512] = "";
    int r = reqivo_open_flags(run->socket, cli_open_flags(run->start), why, sizeof(why), &run->client);

    if (r == 0)
        r = reqivo_websocket_open(run->client, &run->request, &run->options, &run->ws);
    return r < 0 ? complain(cli_exit_of(r, REQIVO_PHASE_IPC), reqivo_error_text(r), why) : 0;
}

int cli_ws(int argc, char *argv[])
{
    static const struct reqivo_websocket_callbacks callbacks = {.on_open = on_open,
                                                                .on_message = on_message,
                                                                .on_event = on_event,
                                                                .on_drain = on_drain,
                                                                .on_close = on_close};
    struct ws_run *run = calloc(1, sizeof(*run));

    if (!run)
        return CLI_EXIT_MEMORY;
    run->options = (struct reqivo_websocket_options){
        .callbacks = &callbacks, .userdata = run, .message_max = UINT64_MAX, .pieces = 1};
    int exit = parse(run, argc, argv);
    if (exit == 0 && !run->over)
        exit = start(run);
    while (exit == 0 && !run->over)
        turn(run);
    exit = exit ? exit : run->exit;
    reqivo_websocket_free(run->ws);
    reqivo_request_free(run->request);
    reqivo_close(run->client);
    free(run);
    return exit;
}
