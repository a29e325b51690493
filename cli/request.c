/* SPDX-License-Identifier: MIT */
/* request - one setter after the other; the first that refuses ends it with a sentence that names the option.
 */
#include "cli/request.h"

#include "cli/body.h"
#include "cli/fields.h"
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int request_fields(struct reqivo_request *request, const struct cli_fields *fields, char *why,
                          size_t size)
{
    for (size_t i = 0; i < fields->count; i++) {
        int rc = reqivo_request_add_field(request, fields->items[i].name, fields->items[i].value);

        if (rc < 0) {
            snprintf(why, size, "the field '%s': %s", fields->items[i].name, reqivo_error_text(rc));
            return rc;
        }
    }
    return 0;
}

static int request_body(struct reqivo_request *request, const struct cli_request_params *params)
{
    const struct cli_body *body = params->body;
    const struct cli_fields *fields = params->fields;
    int rc;

    if (params->options->data.count == 0)
        return 0;
    if (body->fd >= 0) /* from its start for every URL */
        rc = lseek(body->fd, 0, SEEK_SET) < 0 ? -errno : reqivo_request_set_body_file(request, body->fd);
    else
        rc = reqivo_request_set_body_view(request, body->bytes ? body->bytes : "", (size_t)body->size);
    if (rc == 0 && (fields->expect_asked || (body->size > CLI_EXPECT_SIZE && !fields->expect_refused)))
        rc = reqivo_request_set_expect(request, 1);
    return rc;
}

/* curl's one time for all of connecting bounds each of our steps. */
static int request_times(struct reqivo_request *request, const struct cli_options *options)
{
    int rc = 0;

    if (options->connect_timeout_ms) {
        rc = reqivo_request_set_timeout(request, REQIVO_TIMEOUT_CONNECT, options->connect_timeout_ms);
        if (rc == 0)
            rc = reqivo_request_set_timeout(request, REQIVO_TIMEOUT_TLS, options->connect_timeout_ms);
    }
    if (rc == 0 && options->max_time_ms)
        rc = reqivo_request_set_timeout(request, REQIVO_TIMEOUT_TOTAL, options->max_time_ms);
    return rc;
}

static int request_trust(struct reqivo_request *request, const struct cli_options *options, char *why,
                         size_t size)
{
    int rc = options->insecure ? reqivo_request_set_verify(request, 0) : 0;

    if (rc == 0 && options->cacert) {
        rc = reqivo_request_set_ca_file(request, options->cacert);
        if (rc < 0) {
            snprintf(why, size, "the CA file %s: %s", options->cacert, reqivo_error_text(rc));
            rc = rc == -ENOMEM ? rc : REQIVO_E_TRUST;
        }
    }
    return rc;
}

int cli_request_build(const struct cli_request_params *params, struct reqivo_request **ret_request, char *why,
                      size_t size)
{
    const struct cli_options *options = params->options;
    struct reqivo_request *request = NULL;
    int rc = reqivo_request_new(cli_options_method(options), params->url, &request);

    why[0] = '\0';
    if (rc == 0)
        rc = request_fields(request, params->fields, why, size);
    if (rc == 0 && params->fields->fresh)
        rc = reqivo_request_set_fresh(request, 1);
    if (rc == 0)
        rc = request_body(request, params);
    if (rc == 0)
        rc = request_times(request, options);
    if (rc == 0)
        rc = request_trust(request, options, why, size);
    if (rc == 0)
        rc = reqivo_request_set_max_body(request, UINT64_MAX); /* it is streamed, not kept */
    if (rc == 0) {
        *ret_request = request;
        return 0;
    }
    if (!why[0])
        snprintf(why, size, "%s", reqivo_error_text(rc));
    reqivo_request_free(request);
    return rc;
}
