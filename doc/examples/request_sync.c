/* SPDX-License-Identifier: MIT */
/* request_sync URL - a POST of JSON with a field, a timeout and redirects. Its twin: request_async. */
#include <reqivo/helpers.h>
#include <reqivo/response.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    const struct reqivo_content content = reqivo_json("{\"name\": \"value\"}");
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;

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
        r = reqivo_call(client, &request, &response);
    if (r < 0)
        printf("%s %s\n", reqivo_error_text(r), reqivo_response_detail(response));
    else
        printf("%d %s\n", reqivo_response_status(response), reqivo_response_text(response));
    reqivo_response_free(response);
    reqivo_request_free(request);
    reqivo_close(client);
    return r < 0;
}
