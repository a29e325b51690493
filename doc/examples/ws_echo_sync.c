/* SPDX-License-Identifier: MIT */
/* ws_echo_sync URL - sends back each message, piece by piece, until the server closes. Its twin:
 * ws_echo_async. */
#include <reqivo/client.h>
#include <reqivo/websocket.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    const struct reqivo_websocket_options options = {.compress = 1, .pieces = 1, .message_max = UINT64_MAX};
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_websocket *ws = NULL;
    struct reqivo_message message;

    if (argc < 2 || reqivo_open(NULL, &client) < 0)
        return 1;
    int r = reqivo_request_new("GET", argv[1], &request);
    if (r == 0)
        r = reqivo_websocket_open(client, &request, &options, &ws);
    while (r == 0 && (r = reqivo_websocket_receive(ws, -1, &message)) == 0)
        r = reqivo_websocket_send_part(ws, message.kind, message.bytes, message.size, message.last);
    if (ws)
        r = reqivo_websocket_error(ws); /* 0 when both sides have closed */
    if (r < 0)
        fprintf(stderr, "ws_echo_sync: %s: %s\n", reqivo_error_text(r),
                ws ? reqivo_websocket_detail(ws) : "");
    reqivo_websocket_free(ws);
    reqivo_request_free(request);
    reqivo_close(client);
    return r < 0;
}
