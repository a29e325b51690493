/* SPDX-License-Identifier: MIT */
/* connection_async URL COUNT - so many requests, one after the other, over one connection. They are submitted
 * at once, behind the acquisition; the connection keeps them in order. Its twin: connection_sync. */
#include <reqivo/connection.h>
#include <reqivo/response.h>
#include <stdio.h>
#include <stdlib.h>

static int failed;

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    int r = reqivo_response_error(response);

    (void)client, (void)userdata;
    printf("%d\n", r < 0 ? r : reqivo_response_status(response));
    failed |= r < 0;
    reqivo_response_free(response);
}

static void on_acquired(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    int r = reqivo_response_error(response);

    (void)client, (void)userdata;
    if (r < 0)
        printf("%s %s\n", reqivo_error_text(r), reqivo_response_detail(response));
    failed |= r < 0;
    reqivo_response_free(response);
}

static void on_refreshed(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct reqivo_connection **connection = userdata;
    struct reqivo_connection_info info;

    (void)client;
    failed |= reqivo_response_error(response) < 0;
    if (!failed && reqivo_connection_info(*connection, &info) == 0)
        printf("%s served %llu\n", info.address, (unsigned long long)info.uses);
    reqivo_response_free(response);
    if (!failed) /* for others to use; nobody waits for it */
        reqivo_connection_release_async(connection, NULL, NULL);
}

static void run(struct reqivo_client *client)
{
    while (reqivo_client_pending(client) > 0)
        reqivo_client_wait(client, -1);
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_connection *connection = NULL;

    if (argc != 3 || reqivo_open(NULL, &client) < 0)
        return 1;
    int r = reqivo_request_new("GET", argv[1], &request);
    if (r == 0)
        r = reqivo_connection_acquire_async(client, &request, on_acquired, NULL, &connection);
    for (unsigned long i = strtoul(argv[2], NULL, 10); i > 0 && r == 0; i--) {
        r = reqivo_request_new("GET", argv[1], &request);
        if (r == 0)
            r = reqivo_request_set_connection(request, connection);
        if (r == 0)
            r = reqivo_submit(client, &request, on_done, NULL, NULL);
    }
    run(client);
    if (r == 0 && !failed)
        r = reqivo_connection_refresh_async(connection, on_refreshed, &connection);
    run(client);
    reqivo_connection_close(connection);
    reqivo_request_free(request);
    reqivo_close(client);
    return r < 0 || failed;
}
