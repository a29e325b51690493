/* SPDX-License-Identifier: MIT */
/* driver_sync SOCKET - the synchronous API, driven by descriptions on stdin (driver_common.h): one
 * reqivo_call a request. */
#include "tests/integration/driver_common.h"

static void start(struct driver *driver)
{
    struct job *job = driver->job;
    struct reqivo_response *response = NULL;

    driver->job = NULL;
    if (!job->build_error)
        job->build_error = reqivo_call(driver->client, &job->request, &response);
    if (response)
        driver->submitted++;
    driver_report(driver, job, response);
    reqivo_response_free(response);
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
        else if (verb == DRIVER_NOTE)
            driver_note(&driver);
    }
    return driver_close(&driver);
}
