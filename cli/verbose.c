/* SPDX-License-Identifier: MIT */
/*
 * verbose - the request's lines are rebuilt from what was given to the library; the daemon writes them so
 * (Host first, its Content-Length last) but adds nothing else.
 */
#include "cli/verbose.h"

#include "cli/body.h"
#include "cli/fields.h"
#include "cli/options.h"
#include "cli/request.h"
#include "proto/url.h"

#include <reqivo/response.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void request_line(const struct cli_request_params *params)
{
    const struct cli_fields *fields = params->fields;
    bool host = fields->count && strcasecmp(fields->items[0].name, "Host") == 0;
    char text[RQV_URL_MAX];
    struct rqv_url url;
    const char *why = NULL;
    long n;

    if (rqv_url_parse(params->url, strlen(params->url), &url, &why) < 0)
        return;
    n = rqv_url_target(&url, text, sizeof(text));
    fprintf(stderr, "> %s %.*s HTTP/1.1\n", params->method, n < 0 ? 0 : (int)n, text);
    n = host ? -1 : rqv_url_authority(&url, text, sizeof(text));
    if (n >= 0)
        fprintf(stderr, "> Host: %.*s\n", (int)n, text);
}

void cli_verbose_request(const struct reqivo_client *client, const struct cli_request_params *params)
{
    const struct cli_fields *fields = params->fields;
    const char *daemon = reqivo_client_daemon(client);

    fprintf(stderr, "* Through the daemon%s%s of uid %ld\n", daemon[0] ? " " : "", daemon,
            reqivo_client_daemon_uid(client));
    request_line(params);
    for (size_t i = 0; i < fields->count; i++)
        fprintf(stderr, "> %s: %s\n", fields->items[i].name, fields->items[i].value);
    if (params->body && params->body->stream)
        fputs("> Transfer-Encoding: chunked\n", stderr);
    else if (params->body)
        fprintf(stderr, "> Content-Length: %llu\n", (unsigned long long)params->body->size);
    fputs("> \n", stderr);
}

void cli_verbose_head(const struct reqivo_client *client, const struct reqivo_response *response)
{
    const char *address = reqivo_response_address(response);
    const char *name = NULL, *value = NULL;

    for (size_t hop = 0; hop < reqivo_response_hop_count(response); hop++)
        fprintf(stderr, "* Redirect %d from %s %s\n", reqivo_response_hop_status(response, hop),
                reqivo_response_hop_method(response, hop), reqivo_response_hop_url(response, hop));
    if (reqivo_response_hop_count(response))
        fprintf(stderr, "* to %s %s\n", reqivo_response_method(response), reqivo_response_url(response));
    fprintf(stderr, "* Connection to %s (%s), by %s\n", address[0] ? address : "the server",
            reqivo_response_reused(response) ? "reused" : "new", reqivo_client_daemon(client));
    fprintf(stderr, "< HTTP/1.%d %03d %s\n", reqivo_response_minor(response),
            reqivo_response_status(response), reqivo_response_reason(response));
    for (size_t i = 0; reqivo_response_field_at(response, i, &name, &value) == 0; i++)
        fprintf(stderr, "< %s: %s\n", name, value);
    fputs("< \n", stderr);
}

void cli_verbose_end(const struct reqivo_response *response)
{
    static const char *const names[] = {"queue", "dns",        "connect", "tls",
                                        "send",  "first byte", "daemon",  "total"};
    static const char *const sent[] = {"not sent", "perhaps sent", "sent"};
    int code = reqivo_response_error(response);
    int sent_index = reqivo_response_sent(response);

    fputs("* Time in ms:", stderr);
    for (int which = REQIVO_TIME_QUEUE; which <= REQIVO_TIME_CALL; which++)
        fprintf(stderr, "%s %s %.3f", which ? "," : "", names[which],
                (double)reqivo_response_time_us(response, which) / 1000.0);
    fputs("\n", stderr);
    if (code < 0)
        fprintf(stderr, "* Failed: %s in phase %s, the request was %s\n", reqivo_error_name(code),
                reqivo_phase_name(reqivo_response_phase(response)),
                sent_index >= 0 && sent_index < 3 ? sent[sent_index] : "?");
    if (reqivo_response_retried(response))
        fputs("* Sent a second time, after a reused connection had been closed by the server\n", stderr);
}
