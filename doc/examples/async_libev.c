/* SPDX-License-Identifier: MIT */
/* async_libev URL... - the same in a libev loop, which ends when nothing is pending. Its twin: sync_get. */
#include <reqivo/adapters/libev.h>
#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <stdio.h>

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    int *failed = userdata;

    (void)client;
    if (reqivo_response_error(response) < 0) {
        fprintf(stderr, "async_libev: %s\n", reqivo_error_text(reqivo_response_error(response)));
        *failed = 1;
    } else {
        fwrite(reqivo_response_body(response), 1, reqivo_response_body_size(response), stdout);
    }
    reqivo_response_free(response);
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(0);
    struct reqivo_client *client = NULL;
    struct reqivo_libev adapter;
    int failed = 0;

    if (!loop || reqivo_open(NULL, &client) < 0)
        return 1;
    reqivo_libev_attach(&adapter, loop, client);
    for (int i = 1; i < argc; i++) {
        struct reqivo_request *request = NULL;
        int r = reqivo_request_new("GET", argv[i], &request);
        if (r == 0)
            r = reqivo_submit(client, &request, on_done, &failed, NULL);
        if (r < 0) {
            fprintf(stderr, "async_libev: %s: %s\n", argv[i], reqivo_error_text(r));
            reqivo_request_free(request);
            failed = 1;
        }
    }
    ev_run(loop, 0);
    reqivo_libev_detach(&adapter);
    reqivo_close(client);
    return failed;
}
