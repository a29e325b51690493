/* SPDX-License-Identifier: MIT */
/* six_lines URL - the shortest synchronous program. Without a daemon it prints 0 0: every function takes
 * NULL, and the response says E_NO_DAEMON. Its twin: six_lines_async; with errors looked at: sync_get. */
#include <reqivo/client.h>
#include <reqivo/response.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_response *response = NULL;
    reqivo_open(NULL, &client);
    reqivo_get(client, argv[argc - 1], &response);
    printf("%d %zu\n", reqivo_response_status(response), reqivo_response_body_size(response));
    reqivo_response_free(response), reqivo_close(client);
}
