/* SPDX-License-Identifier: MIT */
/* sync_get URL - the six-line program, with its failures looked at. Its twins: async_poll, async_libev. */
#include <reqivo/client.h>
#include <reqivo/response.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_response *response = NULL;
    char why[256];

    if (argc != 2)
        return 2;
    if (reqivo_open(NULL, &client) < 0) {
        reqivo_open_error(NULL, why, sizeof why);
        fprintf(stderr, "sync_get: %s\n", why);
        return 1;
    }
    int r = reqivo_get(client, argv[1], &response);
    if (r < 0)
        fprintf(stderr, "sync_get: %s %s\n", reqivo_error_text(r), reqivo_response_detail(response));
    else
        fwrite(reqivo_response_body(response), 1, reqivo_response_body_size(response), stdout);
    reqivo_response_free(response);
    reqivo_close(client);
    return r < 0;
}
