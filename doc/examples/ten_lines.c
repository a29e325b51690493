/* SPDX-License-Identifier: MIT */
/* ten_lines BASE URL - a session: a base URL, credentials, redirects and cookies. Its twin: ten_lines_async;
 * with errors looked at: session_sync. */
#include <reqivo/helpers.h>
#include <reqivo/response.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_session *session = NULL;
    struct reqivo_response *response = NULL;
    reqivo_open(NULL, &client);
    reqivo_session_new(client, &session);
    reqivo_session_set_base_url(session, argv[argc - 2]);
    reqivo_session_set_basic(session, "user", "password");
    reqivo_session_get(session, argv[argc - 1], &response);
    printf("%d %s\n", reqivo_response_status(response), reqivo_response_text(response));
    reqivo_response_free(response), reqivo_session_free(session), reqivo_close(client);
}
