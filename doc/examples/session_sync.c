/* SPDX-License-Identifier: MIT */
/* session_sync BASE TOKEN PATH... - requests that have a base URL, a token and cookies in common. Its twin:
 * session_async. */
#include <reqivo/helpers.h>
#include <reqivo/response.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct reqivo_session *session = NULL;
    int failed = 0;

    if (argc < 4 || reqivo_open(NULL, &client) < 0)
        return 1;
    if (reqivo_session_new(client, &session) < 0 || reqivo_session_set_base_url(session, argv[1]) < 0 ||
        reqivo_session_set_bearer(session, argv[2]) < 0)
        failed = 1;
    for (int i = 3; i < argc && !failed; i++) {
        struct reqivo_response *response = NULL;
        int r = reqivo_session_get(session, argv[i], &response);
        if (r < 0)
            printf("%s: %s\n", argv[i], reqivo_error_text(r));
        else
            printf("%s: %d after %zu redirects: %s\n", argv[i], reqivo_response_status(response),
                   reqivo_response_hop_count(response), reqivo_response_text(response));
        failed = r < 0;
        reqivo_response_free(response);
    }
    reqivo_session_free(session);
    reqivo_close(client);
    return failed;
}
