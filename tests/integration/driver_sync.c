/* SPDX-License-Identifier: MIT */
/* driver_sync SOCKET - the synchronous API, driven by descriptions on stdin (driver_common.h): one
 * reqivo_call or helper a request, and a call each for what is done with pools and connections. */
#include "tests/integration/driver_common.h"

static void start(struct driver *driver)
{
    struct job *job = driver->job;
    struct reqivo_response *response = NULL;

    driver->job = NULL;
    if (!job->build_error)
        job->build_error = job->helper.method ? driver_helper_call(job, &response)
                                              : reqivo_call(driver->client, &job->request, &response);
    if (response)
        driver->submitted++;
    driver_report(driver, job, response);
    reqivo_response_free(response);
}

/* It is closed at once when it is there. */
static int websocket(struct driver_operation *operation)
{
    int rc = reqivo_websocket_open(operation->driver->client, &operation->request, NULL, &operation->ws);

    return rc ? rc : reqivo_websocket_close(operation->ws, 1000, NULL);
}

static int do_operation(struct driver_operation *operation, const char **ret_detail)
{
    struct driver_thing *thing = operation->thing;
    int rc;

    *ret_detail = "";
    switch (operation->verb) {
    case OPERATE_ACQUIRE:
        rc = reqivo_connection_acquire(operation->driver->client, &operation->request, &thing->connection);
        *ret_detail = reqivo_connection_detail(thing->connection);
        return rc;
    case OPERATE_REFRESH:
        return reqivo_connection_refresh(thing->connection);
    case OPERATE_RELEASE:
        return reqivo_connection_release(&thing->connection);
    case OPERATE_WEBSOCKET:
        rc = websocket(operation);
        *ret_detail = reqivo_websocket_detail(operation->ws);
        return rc;
    case OPERATE_STATS:
        rc = reqivo_pool_stats(thing->pool, &operation->stats);
        operation->has_stats = true;
        break;
    case OPERATE_LIMIT:
        rc = reqivo_pool_limit(thing->pool, operation->value);
        break;
    case OPERATE_PREWARM:
        rc = reqivo_pool_prewarm(thing->pool, operation->value);
        break;
    default:
        rc = reqivo_pool_close_idle(thing->pool);
    }
    if (rc)
        *ret_detail = reqivo_pool_detail(thing->pool);
    return rc;
}

static void operate(struct driver_operation *operation)
{
    const char *detail;
    int rc = do_operation(operation, &detail);

    driver_report_operation(operation, rc, detail);
}

int main(int argc, char **argv)
{
    struct driver driver = {0};
    enum driver_verb verb;
    int rc = driver_open(&driver, argc, argv);

    if (rc)
        return rc;
    while ((verb = driver_read(&driver)) != DRIVER_END_OF_INPUT) {
        if (verb == DRIVER_START)
            start(&driver);
        else if (verb == DRIVER_OPERATE)
            operate(driver.operation);
        else if (verb == DRIVER_NOTE)
            driver_note(&driver);
    }
    return driver_close(&driver);
}
