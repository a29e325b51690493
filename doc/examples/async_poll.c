/* SPDX-License-Identifier: MIT */
/* async_poll URL... - all at once on one handle, with the handle's own wait. Its twin: sync_get. */
#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <stdio.h>

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    int *failed = userdata;

    (void)client;
    if (reqivo_response_error(response) < 0) {
        fprintf(stderr, "async_poll: %s\n", reqivo_error_text(reqivo_response_error(response)));
        *failed = 1;
    } else {
        fwrite(reqivo_response_body(response), 1, reqivo_response_body_size(response), stdout);
    }
    reqivo_response_free(response);
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    int failed = 0;

    if (reqivo_open(NULL, &client) < 0)
        return 1;
    for (int i = 1; i < argc; i++) {
        struct reqivo_request *request = NULL;
        int r = reqivo_request_new("GET", argv[i], &request);
        if (r == 0)
            r = reqivo_submit(client, &request, on_done, &failed, NULL);
        if (r < 0) {
            fprintf(stderr, "async_poll: %s: %s\n", argv[i], reqivo_error_text(r));
            reqivo_request_free(request);
            failed = 1;
        }
    }
    while (reqivo_client_pending(client) > 0 && reqivo_client_wait(client, -1) >= 0)
        ;
    reqivo_close(client);
    return failed;
}
