/* SPDX-License-Identifier: MIT */
/* sync_errors URL - a POST, and what a program can do about each class of failure. Its twin: async_errors. */
#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <stdio.h>

static const char *advice(const struct reqivo_response *response)
{
    if (reqivo_response_sent(response) == REQIVO_SENT_NO)
        return "no byte reached the server: repeating it is safe";
    switch (reqivo_error_class(reqivo_response_error(response))) {
    case REQIVO_CLASS_READ_TIMEOUT:
    case REQIVO_CLASS_NETWORK:
    case REQIVO_CLASS_DAEMON:
        return "the server may have done it: ask before repeating";
    case REQIVO_CLASS_TLS:
        return "do not send secrets there";
    default:
        return "repeating it would not help";
    }
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_request *request = NULL;
    struct reqivo_response *response = NULL;

    int r = argc == 2 ? reqivo_open(NULL, &client) : -1;
    if (r == 0)
        r = reqivo_request_new("POST", argv[1], &request);
    if (r == 0)
        r = reqivo_request_set_body(request, "order=1", 7);
    if (r == 0)
        r = reqivo_request_set_timeout(request, REQIVO_TIMEOUT_TOTAL, 10000);
    if (r == 0)
        r = reqivo_call(client, &request, &response);
    if (r == 0)
        printf("%d\n", reqivo_response_status(response));
    else if (!response)
        printf("%s: %s\n", reqivo_error_name(r), reqivo_error_text(r));
    else
        printf("%s in phase %s (%s) %s: %s\n", reqivo_error_name(r),
               reqivo_phase_name(reqivo_response_phase(response)), reqivo_response_address(response),
               reqivo_response_detail(response), advice(response));
    reqivo_response_free(response);
    reqivo_request_free(request);
    reqivo_close(client);
    return r != 0;
}
