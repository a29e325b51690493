/* SPDX-License-Identifier: MIT */
/* async_post_file URL FILE - as sync_post_file, with a callback. */
#define _POSIX_C_SOURCE 200809L /* O_CLOEXEC, with -std=c11 too */

#include <fcntl.h>
#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <stdio.h>
#include <unistd.h>

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    int *result = userdata;

    (void)client;
    *result = reqivo_response_error(response);
    if (*result < 0)
        fprintf(stderr, "async_post_file: %s\n", reqivo_error_text(*result));
    else
        printf("%d %s\n", reqivo_response_status(response), (const char *)reqivo_response_body(response));
    reqivo_response_free(response);
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    int result = 0, fd = argc == 3 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0 || reqivo_open(NULL, &client) < 0)
        return 1;
    int r = reqivo_request_new("POST", argv[1], &request);
    if (r == 0)
        r = reqivo_request_add_field(request, "Content-Type", "application/octet-stream");
    if (r == 0)
        r = reqivo_request_set_body_file(request, fd);
    if (r == 0)
        r = reqivo_submit(client, &request, on_done, &result, NULL);
    while (r >= 0 && reqivo_client_pending(client) > 0)
        r = reqivo_client_wait(client, -1);
    reqivo_request_free(request);
    reqivo_close(client);
    close(fd);
    return r < 0 || result < 0;
}
