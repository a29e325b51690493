/* SPDX-License-Identifier: MIT */
/* connection_sync URL COUNT - so many requests, one after the other, over one connection. Its twin:
 * connection_async. */
#include <reqivo/connection.h>
#include <reqivo/response.h>
#include <stdio.h>
#include <stdlib.h>

static int ask(struct reqivo_client *client, struct reqivo_connection *connection, const char *url)
{
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;

    int r = reqivo_request_new("GET", url, &request);
    if (r == 0)
        r = reqivo_request_set_connection(request, connection);
    if (r == 0)
        r = reqivo_call(client, &request, &response);
    printf("%d\n", r < 0 ? r : reqivo_response_status(response));
    reqivo_response_free(response);
    reqivo_request_free(request);
    return r;
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_connection *connection = NULL;
    struct reqivo_connection_info info;

    if (argc != 3 || reqivo_open(NULL, &client) < 0)
        return 1;
    int r = reqivo_request_new("GET", argv[1], &request);
    if (r == 0)
        r = reqivo_connection_acquire(client, &request, &connection);
    if (r < 0)
        printf("%s %s\n", reqivo_error_text(r), reqivo_connection_detail(connection));
    for (unsigned long i = strtoul(argv[2], NULL, 10); i > 0 && r == 0; i--)
        r = ask(client, connection, argv[1]);
    if (r == 0)
        r = reqivo_connection_refresh(connection);
    if (r == 0 && reqivo_connection_info(connection, &info) == 0)
        printf("%s served %llu\n", info.address, (unsigned long long)info.uses);
    if (r == 0)
        r = reqivo_connection_release(&connection); /* for others to use */
    reqivo_connection_close(connection);
    reqivo_request_free(request);
    reqivo_close(client);
    return r < 0;
}
