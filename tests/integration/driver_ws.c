/* SPDX-License-Identifier: MIT */
/*
 * driver_ws sync|async URL WORD... - one WebSocket through the public API, blocking or with callbacks, told
 * step by step what to do; what happens is printed, a line each. test_websocket_session.py runs one table
 * of cases through both.
 *
 *   before the session: field=N:V protocol=P ca=FILE insecure compress pieces max=N ping=MS pong=MS idle=MS
 *                       reconnect=N backoff=MS backoff_max=MS stall=MS
 *   steps:              text=T  fill=BYTES (a binary message, in pieces)  many=COUNT:SIZE (numbered texts)
 * take=N (messages) close=CODE:REASON opened (waits until it is)  line (waits for one on stdin)  end (waits
 * for the end of the session)
 */
#include <errno.h>
#include <poll.h>
#include <reqivo/client.h>
#include <reqivo/websocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 65536

struct run {
    int sync, opened, over, drained;
    struct reqivo_client *client;
    struct reqivo_websocket *ws;
    struct reqivo_request *request;
    struct reqivo_websocket_options options;
    unsigned long want, got, sent; /* messages */
    size_t size;                   /* of the message that comes */
    unsigned sum;
};

static void print_message(struct run *run, const struct reqivo_message *message)
{
    const unsigned char *bytes = message->bytes;

    if (message->first)
        run->size = run->sum = 0;
    for (size_t i = 0; i < message->size; i++)
        run->sum = run->sum * 31 + bytes[i];
    run->size += message->size;
    if (!message->last)
        return;
    run->got++;
    printf("message %s %zu %08x%s%.*s\n", message->kind == REQIVO_TEXT ? "text" : "binary", run->size,
           run->sum, message->size < 64 ? " " : "", message->size < 64 ? (int)message->size : 0,
           (const char *)bytes);
    fflush(stdout);
}

static void print_end(struct run *run)
{
    printf("closed %s %d %s undelivered %zu unconfirmed %zu: %s\n",
           reqivo_websocket_error(run->ws) == 0 ? "well" : reqivo_error_name(reqivo_websocket_error(run->ws)),
           reqivo_websocket_close_code(run->ws), reqivo_websocket_close_reason(run->ws),
           reqivo_websocket_undelivered(run->ws), reqivo_websocket_unconfirmed(run->ws),
           reqivo_websocket_detail(run->ws));
    fflush(stdout);
    run->over = 1;
}

/* ---- with callbacks ---- */

static void on_open(struct reqivo_websocket *ws, void *userdata)
{
    ((struct run *)userdata)->opened = 1;
    printf("open %s\n", reqivo_websocket_protocol(ws));
    fflush(stdout);
}

static int on_message(struct reqivo_websocket *ws, const struct reqivo_message *message, void *userdata)
{
    struct run *run = userdata;

    (void)ws;
    if (run->got >= run->want)
        return -EAGAIN;
    print_message(run, message);
    return 0;
}

static void on_event(struct reqivo_websocket *ws, const struct reqivo_websocket_event *event, void *userdata)
{
    static const char *const names[] = {"", "lost", "retrying", "restored"};

    (void)ws;
    (void)userdata;
    printf("event %s attempt %u wait %u undelivered %u\n", event->kind <= 3 ? names[event->kind] : "unknown",
           event->attempt, event->wait_ms, event->undelivered);
    fflush(stdout);
}

static void on_drain(struct reqivo_websocket *ws, void *userdata)
{
    struct run *run = userdata;

    (void)ws;
    run->drained = 1;
}

static void on_close(struct reqivo_websocket *ws, void *userdata)
{
    struct run *run = userdata;

    run->ws = ws;
    print_end(run);
}

static const struct reqivo_websocket_callbacks callbacks = {.on_open = on_open,
                                                            .on_message = on_message,
                                                            .on_event = on_event,
                                                            .on_drain = on_drain,
                                                            .on_close = on_close};

/* ---- steps ---- */

static int send_piece(struct run *run, int kind, const char *bytes, size_t size, int last)
{
    int r;

    while ((r = reqivo_websocket_send_part(run->ws, kind, bytes, size, last)) == -EAGAIN && !run->sync)
        for (run->drained = 0; !run->drained && !run->over;)
            reqivo_client_wait(run->client, -1);
    if (r < 0) {
        printf("send %s\n", reqivo_error_name(r));
        fflush(stdout);
    }
    return r;
}

static void fill(struct run *run, unsigned long left)
{
    static char piece[PIECE];
    int r = 0;

    memset(piece, 'f', sizeof piece);
    do {
        size_t n = left < PIECE ? left : PIECE;
        left -= n;
        r = send_piece(run, REQIVO_BINARY, piece, n, left == 0);
    } while (left > 0 && r == 0);
}

/* Numbered messages of that size. */
static void many(struct run *run, unsigned long count, size_t size)
{
    static char text[PIECE];
    int r = 0;

    memset(text, 'x', sizeof text);
    for (unsigned long i = 0; i < count && r == 0; i++) {
        char number[24];
        snprintf(number, sizeof number, "%08lu", i);
        memcpy(text, number, 8);
        r = send_piece(run, REQIVO_TEXT, text, size, 1);
        run->sent += r == 0;
    }
    printf("sent %lu\n", run->sent);
    fflush(stdout);
}

static void take(struct run *run, unsigned long count)
{
    struct reqivo_message message;
    int r = 0;

    run->want = count > (unsigned long)-1 - run->want ? (unsigned long)-1 : run->want + count;
    if (!run->sync && !run->over)
        reqivo_websocket_resume(run->ws);
    while (!run->sync && run->got < run->want && !run->over)
        reqivo_client_wait(run->client, -1);
    while (run->sync && run->got < run->want && (r = reqivo_websocket_receive(run->ws, -1, &message)) == 0)
        print_message(run, &message);
    if (r < 0 && !run->over)
        print_end(run);
}

/* The session goes on meanwhile. */
static void wait_line(struct run *run)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    struct reqivo_message message;
    char line[64];

    puts("line");
    fflush(stdout);
    while (poll(&input, 1, 0) == 0) {
        if (!run->sync)
            reqivo_client_wait(run->client, 10);
        else if (reqivo_websocket_receive(run->ws, 10, &message) == 0)
            print_message(run, &message);
        else if (reqivo_websocket_error(run->ws) < 0)
            poll(&input, 1, -1);
    }
    if (!fgets(line, sizeof line, stdin))
        exit(2);
}

static void step(struct run *run, const char *word)
{
    const char *value = strchr(word, '=') ? strchr(word, '=') + 1 : "";

    if (strncmp(word, "text=", 5) == 0) {
        send_piece(run, REQIVO_TEXT, value, strlen(value), 1);
    } else if (strncmp(word, "fill=", 5) == 0) {
        fill(run, strtoul(value, NULL, 10));
    } else if (strncmp(word, "many=", 5) == 0) {
        many(run, strtoul(value, NULL, 10), strtoul(strchr(value, ':') + 1, NULL, 10));
    } else if (strncmp(word, "take=", 5) == 0) {
        take(run, strtoul(value, NULL, 10));
    } else if (strncmp(word, "close=", 6) == 0) {
        const char *reason = strchr(value, ':');
        int r = reqivo_websocket_close(run->ws, (int)strtol(value, NULL, 10), reason ? reason + 1 : NULL);
        if (r < 0)
            printf("close %s\n", reqivo_error_name(r));
    } else if (strcmp(word, "opened") == 0) {
        while (!run->sync && !run->opened && !run->over)
            reqivo_client_wait(run->client, -1);
    } else if (strcmp(word, "line") == 0) {
        wait_line(run);
    } else if (strcmp(word, "end") == 0) {
        take(run, (unsigned long)-1);
    } else {
        fprintf(stderr, "driver_ws: what is %s?\n", word);
        exit(2);
    }
}

/* ---- options ---- */

/* Names and where their numbers go. */
static unsigned *number_of(struct run *run, const char *word)
{
    struct reqivo_websocket_options *o = &run->options;
    const struct {
        const char *name;
        unsigned *at;
    } names[] = {{"ping=", &o->ping_ms},       {"pong=", &o->pong_ms},
                 {"idle=", &o->idle_ms},       {"reconnect=", &o->reconnect},
                 {"backoff=", &o->backoff_ms}, {"backoff_max=", &o->backoff_max_ms}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(word, names[i].name, strlen(names[i].name)) == 0)
            return names[i].at;
    return NULL;
}

static int option(struct run *run, char *word)
{
    char *value = strchr(word, '=') ? strchr(word, '=') + 1 : word;
    unsigned *number = number_of(run, word);

    if (number)
        return *number = (unsigned)strtoul(value, NULL, 10), 1;
    if (strcmp(word, "insecure") == 0)
        return reqivo_request_set_verify(run->request, 0) == 0;
    if (strcmp(word, "compress") == 0)
        return run->options.compress = 1;
    if (strcmp(word, "pieces") == 0)
        return run->options.pieces = 1;
    if (strncmp(word, "max=", 4) == 0)
        return run->options.message_max = strtoull(value, NULL, 10), 1;
    if (strncmp(word, "ca=", 3) == 0)
        return reqivo_request_set_ca_file(run->request, value) == 0;
    if (strncmp(word, "stall=", 6) == 0)
        return reqivo_request_set_timeout(run->request, REQIVO_TIMEOUT_STALL,
                                          (uint32_t)strtoul(value, NULL, 10)) == 0;
    if (strncmp(word, "protocol=", 9) == 0)
        return reqivo_request_add_field(run->request, "Sec-WebSocket-Protocol", value) == 0;
    if (strncmp(word, "field=", 6) == 0) {
        char *colon = strchr(value, ':');
        *colon = '\0';
        return reqivo_request_add_field(run->request, value, colon + 1) == 0;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct run run = {.want = 0};
    int i = 3;

    if (argc < 3 || reqivo_open(NULL, &run.client) < 0 ||
        reqivo_request_new("GET", argv[2], &run.request) < 0)
        return 2;
    run.sync = strcmp(argv[1], "sync") == 0;
    run.options.callbacks = run.sync ? NULL : &callbacks;
    run.options.userdata = &run;
    while (i < argc && option(&run, argv[i]))
        i++;
    int r = reqivo_websocket_open(run.client, &run.request, &run.options, &run.ws);
    if (r < 0 && !run.ws)
        printf("open %s\n", reqivo_error_name(r));
    else if (r < 0)
        print_end(&run);
    else if (run.sync)
        on_open(run.ws, &run);
    fflush(stdout);
    for (; i < argc && run.ws && (r == 0 || !run.sync); i++)
        step(&run, argv[i]);
    reqivo_websocket_free(run.ws);
    reqivo_request_free(run.request);
    reqivo_close(run.client);
    return 0;
}
