/* SPDX-License-Identifier: MIT */
/* request - one setter after the other; the first that refuses ends it with a sentence that names the option.
 */
#include "cli/request.h"

#include "cli/body.h"
#include "cli/fields.h"
#include "cli/options.h"
#include "cli/routes.h"

#include <errno.h>
#include <reqivo/session.h>
#include <stdio.h>
#include <stdlib.h>
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
    const struct cli_fields *fields = params->fields;
    struct cli_body *body = params->body;
    bool upload = !cli_options_form(params->options);
    bool large;
    int rc;

    if (!body)
        return 0;
    if (body->stream)
        rc = reqivo_request_set_body_callback(request, cli_body_next, body, REQIVO_LENGTH_UNKNOWN);
    else if (body->fd >= 0) /* from its start for every URL */
        rc = lseek(body->fd, 0, SEEK_SET) < 0 ? -errno : reqivo_request_set_body_file(request, body->fd);
    else
        rc = reqivo_request_set_body_view(request, body->bytes ? body->bytes : "", (size_t)body->size);
    large = body->size > CLI_EXPECT_SIZE || (upload && (body->size || body->stream));
    if (rc == 0 && (fields->expect_asked || (large && !fields->expect_refused)))
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

    if (rc == 0 && options->cacert && !options->insecure) { /* what is not checked needs no CAs */
        rc = reqivo_request_set_ca_file(request, options->cacert);
        if (rc < 0) {
            snprintf(why, size, "the CA file %s: %s", options->cacert, reqivo_error_text(rc));
            rc = rc == -ENOMEM ? rc : REQIVO_E_TRUST;
        }
    }
    return rc;
}

/* Before each redirect: -X, --resolve and --connect-to hold for it as well, and -e ";auto" names where it
 * comes from. */
static int on_hop(struct reqivo_client *client, struct reqivo_request *request, unsigned hop, void *userdata)
{
    struct cli_request_params *params = userdata;
    size_t size = reqivo_request_url(request, NULL, 0) + 1;
    char *url = malloc(size), route[CLI_ROUTE_MAX] = "";
    int rc = url ? 0 : -ENOMEM;

    (void)client;
    if (rc == 0)
        reqivo_request_url(request, url, size);
    if (rc == 0 && hop > 0 && params->options->method)
        rc = reqivo_request_set_method(request, params->options->method);
    if (rc == 0 && hop > 0 && cli_referer_auto(params->options))
        rc = reqivo_request_set_field(request, "Referer", params->last_url);
    if (rc == 0 && hop > 0)
        rc = cli_route_find(params->options, url, route);
    if (rc == 0 && route[0])
        rc = reqivo_request_set_route(request, route);
    if (url)
        url[strcspn(url, "#")] = '\0';
    free(params->last_url);
    params->last_url = url;
    return rc;
}

static int request_redirects(struct reqivo_request *request, struct cli_request_params *params)
{
    const struct cli_options *options = params->options;
    unsigned policy = 0;
    int rc;

    if (!options->location || options->redirects == 0)
        return 0;
    if (options->trusted)
        policy |= REQIVO_REDIRECT_TRUSTED;
    if (options->post301 || options->post302 || options->post303)
        policy |= REQIVO_REDIRECT_KEEP_METHOD;
    rc = reqivo_request_set_redirects(request, options->redirects);
    if (rc == 0)
        rc = reqivo_request_set_redirect_policy(request, policy);
    if (rc == 0 && (options->method || cli_referer_auto(options) || options->connects.count > 0 ||
                    options->resolves.count > 0))
        rc = reqivo_request_set_hooks(request, on_hop, NULL, params);
    return rc;
}

static int request_way(struct reqivo_request *request, const struct cli_request_params *params)
{
    const struct cli_options *options = params->options;
    char route[CLI_ROUTE_MAX];
    int rc = cli_route_find(options, params->url, route);

    if (rc == 0 && route[0])
        rc = reqivo_request_set_route(request, route);
    if (rc == 0 && (options->tls_min || options->tls_max))
        rc = reqivo_request_set_tls_versions(request, options->tls_min, options->tls_max);
    if (rc == 0 && options->compressed)
        rc = reqivo_request_set_decode(request, 1);
    return rc;
}

int cli_request_build(struct cli_request_params *params, struct reqivo_request **ret_request, char *why,
                      size_t size)
{
    const struct cli_options *options = params->options;
    struct reqivo_request *request = NULL;
    int rc = params->session ? reqivo_session_request(params->session, params->method, params->url, &request)
                             : reqivo_request_new(params->method, params->url, &request);

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
        rc = request_redirects(request, params);
    if (rc == 0)
        rc = request_way(request, params);
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
