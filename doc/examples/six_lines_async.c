/* SPDX-License-Identifier: MIT */
/* six_lines_async URL - the same as six_lines with a callback, in the handle's own loop. In other loops:
 * async_libev. */
#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <stdio.h>

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    (void)client, (void)userdata;
    printf("%d %zu\n", reqivo_response_status(response), reqivo_response_body_size(response));
    reqivo_response_free(response);
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    reqivo_open(NULL, &client);
    reqivo_request_new("GET", argv[argc - 1], &request);
    reqivo_submit(client, &request, on_done, NULL, NULL);
    while (reqivo_client_pending(client) > 0)
        reqivo_client_wait(client, -1);
    reqivo_request_free(request), reqivo_close(client);
}
