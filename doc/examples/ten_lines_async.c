/* SPDX-License-Identifier: MIT */
/* ten_lines_async BASE URL - the same session with a callback. Its twin: ten_lines. */
#include <reqivo/helpers.h>
#include <reqivo/response.h>
#include <stdio.h>

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    (void)client, (void)userdata;
    printf("%d %s\n", reqivo_response_status(response), reqivo_response_text(response));
    reqivo_response_free(response);
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_session *session = NULL;
    reqivo_open(NULL, &client);
    reqivo_session_new(client, &session);
    reqivo_session_set_base_url(session, argv[argc - 2]);
    reqivo_session_set_basic(session, "user", "password");
    reqivo_session_get_async(session, argv[argc - 1], on_done, NULL);
    while (reqivo_client_pending(client) > 0)
        reqivo_client_wait(client, -1);
    reqivo_session_free(session), reqivo_close(client);
}
