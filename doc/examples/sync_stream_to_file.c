/* SPDX-License-Identifier: MIT */
/* sync_stream_to_file URL FILE - the body piece by piece into a file: any size, little memory. */
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

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;
    FILE *file = argc == 3 ? fopen(argv[2], "wbe") : NULL;

    if (!file || reqivo_open(NULL, &client) < 0)
        return 1;
    int r = reqivo_request_new("GET", argv[1], &request);
    if (r == 0)
        r = reqivo_request_set_stream(request, on_head, on_body, file);
    if (r == 0)
        r = reqivo_call(client, &request, &response);
    if (r < 0)
        fprintf(stderr, "sync_stream_to_file: %s\n", reqivo_error_text(r));
    reqivo_response_free(response);
    reqivo_request_free(request);
    reqivo_close(client);
    return fclose(file) != 0 || r < 0;
}
