/* SPDX-License-Identifier: MIT */
/* ws_echo_async URL... - sends back each message, piece by piece, until the servers close. While a server
 * does not take what it is sent, -EAGAIN puts off what it has sent. Its twin: ws_echo_sync. */
#include <reqivo/client.h>
#include <reqivo/websocket.h>
#include <stdio.h>

static int on_message(struct reqivo_websocket *ws, const struct reqivo_message *message, void *userdata)
{
    (void)userdata;
    return reqivo_websocket_send_part(ws, message->kind, message->bytes, message->size, message->last);
}

static void on_close(struct reqivo_websocket *ws, void *userdata)
{
    int *failed = userdata;

    if (reqivo_websocket_error(ws) < 0) {
        fprintf(stderr, "ws_echo_async: %s: %s\n", reqivo_error_text(reqivo_websocket_error(ws)),
                reqivo_websocket_detail(ws));
        *failed = 1;
    }
    reqivo_websocket_free(ws);
}

int main(int argc, char **argv)
{
    const struct reqivo_websocket_callbacks callbacks = {.on_message = on_message, .on_close = on_close};
    struct reqivo_client *client = NULL;
    int failed = 0;
    const struct reqivo_websocket_options options = {
        .callbacks = &callbacks, .userdata = &failed, .compress = 1, .pieces = 1, .message_max = UINT64_MAX};

    if (reqivo_open(NULL, &client) < 0)
        return 1;
    for (int i = 1; i < argc; i++) {
        struct reqivo_request *request = NULL;
        struct reqivo_websocket *ws;
        int r = reqivo_request_new("GET", argv[i], &request);
        if (r == 0)
            r = reqivo_websocket_open(client, &request, &options, &ws);
        if (r < 0) {
            fprintf(stderr, "ws_echo_async: %s: %s\n", argv[i], reqivo_error_text(r));
            reqivo_request_free(request);
            failed = 1;
        }
    }
    while (reqivo_client_pending(client) > 0 && reqivo_client_wait(client, -1) >= 0)
        ;
    reqivo_close(client);
    return failed;
}
