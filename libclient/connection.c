/* SPDX-License-Identifier: MIT */
/* connection - an acquired connection as the program holds it; the thing itself is a remote. */
#include "libclient/handle.h"
#include "libclient/operate.h"
#include "libclient/response.h"

#include <reqivo/connection.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reqivo_connection {
    struct rqv_remote *remote;
};

/* ---- acquire ---- */

/* The object, and the operation that makes what it stands for. */
static int make(struct reqivo_client *client, const struct reqivo_request *pattern,
                struct reqivo_connection **ret_connection, struct reqivo_request **ret_request)
{
    struct reqivo_connection *connection = malloc(sizeof *connection);

    if (!connection)
        return -ENOMEM;
    connection->remote = rqv_remote_new(client, false);
    const struct rqv_wanted wanted = {.verb = RQV_OP_CONNECTION_ACQUIRE, .target = connection->remote};
    int r = connection->remote ? rqv_operate_like(pattern, &wanted, ret_request) : -ENOMEM;
    if (r < 0)
        reqivo_connection_close(connection);
    else
        *ret_connection = connection;
    return r;
}

int reqivo_connection_acquire(struct reqivo_client *client, struct reqivo_request **request,
                              struct reqivo_connection **ret_connection)
{
    struct reqivo_connection *connection;
    struct reqivo_response *response = NULL;
    struct reqivo_request *operation;
    int r = rqv_client_check(client, true);

    if (r < 0)
        return r;
    if (!request || !*request || !ret_connection)
        return -EINVAL;
    r = make(client, *request, &connection, &operation);
    if (r < 0)
        return r;
    r = rqv_operate_call(client, operation, &response);
    if (!response) { /* it was not started */
        reqivo_connection_close(connection);
        return r;
    }
    reqivo_response_free(response);
    reqivo_request_free(*request);
    *request = NULL;
    *ret_connection = connection;
    return r;
}

int reqivo_connection_acquire_async(struct reqivo_client *client, struct reqivo_request **request,
                                    reqivo_done_fn fn, void *userdata,
                                    struct reqivo_connection **ret_connection)
{
    struct reqivo_connection *connection;
    struct reqivo_request *operation;
    int r = rqv_client_check(client, false);

    if (r < 0)
        return r;
    if (!request || !*request || !fn || !ret_connection)
        return -EINVAL;
    r = make(client, *request, &connection, &operation);
    if (r < 0)
        return r;
    r = rqv_operate_submit(client, operation, fn, userdata);
    if (r < 0) {
        reqivo_connection_close(connection);
        return r;
    }
    reqivo_request_free(*request);
    *request = NULL;
    *ret_connection = connection;
    return 0;
}

int reqivo_request_set_connection(struct reqivo_request *request, struct reqivo_connection *connection)
{
    if (!request)
        return -EINVAL;
    if (connection && !connection->remote->client)
        return REQIVO_E_CANCELED;
    rqv_remote_release(&request->connection);
    if (connection) {
        request->connection = connection->remote;
        request->connection->refs++;
    }
    return 0;
}

/* ---- the end ---- */

/* Now, not with the next call: a program that blocks may make none for long. */
static void tell(struct reqivo_client *client)
{
    int saved = errno;

    if (client && !client->closing && client->channel.fd >= 0 && rqv_client_check(client, false) == 0)
        rqv_channel_flush(&client->channel);
    errno = saved;
}

void reqivo_connection_close(struct reqivo_connection *connection)
{
    if (!connection)
        return;
    if (connection->remote) {
        struct reqivo_client *client = connection->remote->client;
        rqv_remote_close(connection->remote);
        rqv_remote_release(&connection->remote);
        tell(client);
    }
    free(connection);
}

/* Its row and failure stay; what it stands for is another's now. */
static void forget(struct reqivo_connection **connection)
{
    rqv_remote_release(&(*connection)->remote);
    free(*connection);
    *connection = NULL;
}

static int new_operation(struct reqivo_connection *connection, enum rqv_operation_verb verb,
                         struct reqivo_request **ret_request)
{
    int r = reqivo_request_new("GET", "/", ret_request);

    if (r == 0)
        rqv_request_operate(*ret_request, verb, 0, connection->remote);
    return r;
}

int reqivo_connection_release(struct reqivo_connection **connection)
{
    struct reqivo_response *response = NULL;
    struct reqivo_request *request;

    if (!connection || !*connection)
        return -EINVAL;
    struct reqivo_client *client = (*connection)->remote->client;
    int r = client ? new_operation(*connection, RQV_OP_CONNECTION_RELEASE, &request) : 0;
    if (r < 0)
        return r;
    r = client ? rqv_operate_call(client, request, &response) : REQIVO_E_CONNECTION_CLOSED;
    if (response || !client)
        forget(connection);
    reqivo_response_free(response);
    return r;
}

int reqivo_connection_release_async(struct reqivo_connection **connection, reqivo_done_fn fn, void *userdata)
{
    struct reqivo_request *request;

    if (!connection || !*connection)
        return -EINVAL;
    int r = new_operation(*connection, RQV_OP_CONNECTION_RELEASE, &request);
    if (r == 0)
        r = rqv_operate_submit((*connection)->remote->client, request, fn, userdata);
    if (r == 0)
        forget(connection);
    return r;
}

/* ---- what is known of it ---- */

int reqivo_connection_refresh(struct reqivo_connection *connection)
{
    struct reqivo_request *request;
    int r = connection ? new_operation(connection, RQV_OP_CONNECTION_INFO, &request) : -EINVAL;

    return r < 0 ? r : rqv_operate_call(connection->remote->client, request, NULL);
}

int reqivo_connection_refresh_async(struct reqivo_connection *connection, reqivo_done_fn fn, void *userdata)
{
    struct reqivo_request *request;
    int r = connection && fn ? new_operation(connection, RQV_OP_CONNECTION_INFO, &request) : -EINVAL;

    return r < 0 ? r : rqv_operate_submit(connection->remote->client, request, fn, userdata);
}

static const char *text(const struct rqv_pairs *row, const char *name)
{
    const char *value = rqv_pair_find(row, name, 0);

    return value ? value : "";
}

int reqivo_connection_info(const struct reqivo_connection *connection,
                           struct reqivo_connection_info *ret_info)
{
    if (!connection || !ret_info)
        return -EINVAL;
    const struct rqv_pairs *row = &connection->remote->row;
    if (!row->at)
        return -ENOENT;
    *ret_info = (struct reqivo_connection_info){
        .address = text(row, "address"),
        .local_address = text(row, "local_address"),
        .tls_version = text(row, "tls_version"),
        .cipher = text(row, "cipher"),
        .alpn = text(row, "alpn"),
        .certificate = text(row, "certificate"),
        .subject = text(row, "subject"),
        .issuer = text(row, "issuer"),
        .not_after = strtoll(text(row, "not_after"), NULL, 10),
        .age_ms = strtoull(text(row, "age_ms"), NULL, 10),
        .uses = strtoull(text(row, "uses"), NULL, 10),
        .reused = text(row, "reused")[0] == '1',
    };
    return 0;
}

int reqivo_connection_error(const struct reqivo_connection *connection)
{
    return connection ? connection->remote->err.code : 0;
}

const char *reqivo_connection_detail(const struct reqivo_connection *connection)
{
    return connection ? connection->remote->err.detail : "";
}
