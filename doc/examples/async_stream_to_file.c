/* SPDX-License-Identifier: MIT */
/* async_stream_to_file URL FILE - as sync_stream_to_file, with a callback for the end. */
#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <stdio.h>

static int on_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    (void)client, (void)userdata;
    return reqivo_response_status(response) != 200; /* not 0: cancel */
}

static int on_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    (void)client;
    return fwrite(bytes, 1, size, userdata) == size ? 0 : -1;
}

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    int *result = userdata;

    (void)client;
    *result = reqivo_response_error(response);
    if (*result < 0)
        fprintf(stderr, "async_stream_to_file: %s\n", reqivo_error_text(*result));
    reqivo_response_free(response);
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    FILE *file = argc == 3 ? fopen(argv[2], "wbe") : NULL;
    int result = 0;

    if (!file || reqivo_open(NULL, &client) < 0)
        return 1;
    int r = reqivo_request_new("GET", argv[1], &request);
    if (r == 0)
        r = reqivo_request_set_stream(request, on_head, on_body, file);
    if (r == 0)
        r = reqivo_submit(client, &request, on_done, &result, NULL);
    while (r >= 0 && reqivo_client_pending(client) > 0)
        r = reqivo_client_wait(client, -1);
    reqivo_request_free(request);
    reqivo_close(client);
    return fclose(file) != 0 || r < 0 || result < 0;
}
