/* SPDX-License-Identifier: MIT */
/* session_async BASE TOKEN PATH... - requests that have a base URL, a token and cookies in common; one after
 * the other, since each may need the cookies of the one before. Its twin: session_sync. */
#include <reqivo/helpers.h>
#include <reqivo/response.h>
#include <stdio.h>

struct work {
    struct reqivo_session *session;
    char **path; /* the next one; NULL ends */
    int failed;
};

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata);

static void next(struct work *work)
{
    if (*work->path && reqivo_session_get_async(work->session, *work->path, on_done, work) < 0)
        work->failed = 1;
}

static void on_done(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct work *work = userdata;
    int r = reqivo_response_error(response);

    (void)client;
    if (r < 0)
        printf("%s: %s\n", *work->path, reqivo_error_text(r));
    else
        printf("%s: %d after %zu redirects: %s\n", *work->path, reqivo_response_status(response),
               reqivo_response_hop_count(response), reqivo_response_text(response));
    work->failed = r < 0;
    reqivo_response_free(response);
    work->path++;
    if (!work->failed)
        next(work);
}

int main(int argc, char **argv)
{
    struct reqivo_client *client = NULL;
    struct work work = {.path = argv + 3};

    if (argc < 4 || reqivo_open(NULL, &client) < 0)
        return 1;
    if (reqivo_session_new(client, &work.session) < 0 ||
        reqivo_session_set_base_url(work.session, argv[1]) < 0 ||
        reqivo_session_set_bearer(work.session, argv[2]) < 0)
        work.failed = 1;
    else
        next(&work);
    while (reqivo_client_pending(client) > 0)
        reqivo_client_wait(client, -1);
    reqivo_session_free(work.session);
    reqivo_close(client);
    return work.failed;
}
