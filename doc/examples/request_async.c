/* SPDX-License-Identifier: MIT */
/* request_async URL - a POST of JSON with a field, a timeout and redirects. Its twin: request_sync. */
#include <reqivo/helpers.h>
#include <reqivo/response.h>
#include <stdio.h>

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    int *r = userdata;

    (void)client;
    *r = reqivo_response_error(response);
    if (*r < 0)
        printf("%s %s\n", reqivo_error_text(*r), reqivo_response_detail(response));
    else
        printf("%d %s\n", reqivo_response_status(response), reqivo_response_text(response));
    reqivo_response_free(response);
}

int main(int argc, char **argv)
{
    const struct reqivo_content content = reqivo_json("{\"name\": \"value\"}");
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    int outcome = 0;

    if (argc != 2 || reqivo_open(NULL, &client) < 0)
        return 1;
    int r = reqivo_request_new("POST", argv[1], &request);
    if (r == 0)
        r = reqivo_request_set_content(request, &content);
    if (r == 0)
        r = reqivo_request_add_field(request, "Accept", "application/json");
    if (r == 0)
        r = reqivo_request_set_timeout(request, REQIVO_TIMEOUT_TOTAL, 10000);
    if (r == 0)
        r = reqivo_request_set_redirects(request, 5);
    if (r == 0)
        r = reqivo_submit(client, &request, on_done, &outcome, NULL);
    while (r >= 0 && reqivo_client_pending(client) > 0)
        r = reqivo_client_wait(client, -1);
    reqivo_request_free(request);
    reqivo_close(client);
    return r < 0 || outcome < 0;
}
