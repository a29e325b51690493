/* SPDX-License-Identifier: MIT */
/*
 * transfer - the life of one URL:
 *
 *   prepare (URL, fields, request, handle) -> reqivo_call() -> [on_head, on_body...] -> outcome -> message,
 * -w
 *
 * `exit` holds the first failure of our own (a status with -f, a full disk); it wins over what the library
 * answers, which then is only the cancellation that we asked for.
 */
#include "cli/transfer.h"

#include "cli/exit.h"
#include "cli/fields.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/url.h"
#include "cli/verbose.h"
#include "cli/writeout.h"
#include "proto/url.h"

#include <reqivo/response.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* With -f the body of an error is read and dropped up to here: that keeps the connection for the next one. */
#define DISCARD_MAX 65536u

struct transfer {
    const struct cli_options *options;
    const struct cli_url *url;
    struct cli_output output;
    uint64_t received;
    int exit;
    bool head_shown;
    char why[512];
};

static int transfer_fail(struct transfer *transfer, int exit, const char *why)
{
    transfer->exit = exit;
    if (why != transfer->why)
        snprintf(transfer->why, sizeof(transfer->why), "%s", why);
    return exit;
}

static int line_print(struct cli_output *output, const char *name, const char *value)
{
    const char *const parts[] = {name, ": ", value, "\r\n"};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
        rc = cli_output_head(output, parts[i], strlen(parts[i]));
    return rc;
}

/* The status line and fields as -i and -I show them. 0 or -EIO. */
static int head_print(struct cli_output *output, const struct reqivo_response *response)
{
    const char *reason = reqivo_response_reason(response);
    const char *name = NULL, *value = NULL;
    char line[64];
    int rc;

    snprintf(line, sizeof(line), "HTTP/1.%d %03d ", reqivo_response_minor(response),
             reqivo_response_status(response));
    rc = cli_output_head(output, line, strlen(line));
    if (rc == 0)
        rc = cli_output_head(output, reason, strlen(reason));
    if (rc == 0)
        rc = cli_output_head(output, "\r\n", 2);
    for (size_t i = 0; rc == 0 && reqivo_response_field_at(response, i, &name, &value) == 0; i++)
        rc = line_print(output, name, value);
    return rc == 0 ? cli_output_head(output, "\r\n", 2) : rc;
}

/* Trailer fields follow the body, without an empty line (as with curl). */
static int trailers_print(struct cli_output *output, const struct reqivo_response *response)
{
    const char *name = NULL, *value = NULL;
    int rc = 0;

    for (size_t i = 0; rc == 0 && reqivo_response_trailer_at(response, i, &name, &value) == 0; i++)
        rc = line_print(output, name, value);
    return rc;
}

static int on_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    struct transfer *transfer = userdata;
    const struct cli_options *options = transfer->options;

    transfer->head_shown = true;
    if (options->verbose)
        cli_verbose_head(client, response);
    if ((options->include || options->head) && head_print(&transfer->output, response) < 0)
        return transfer_fail(transfer, CLI_EXIT_WRITE, transfer->output.why);
    if (options->fail && reqivo_response_status(response) >= 400) {
        snprintf(transfer->why, sizeof(transfer->why), "the requested URL returned error: %d",
                 reqivo_response_status(response));
        transfer_fail(transfer, CLI_EXIT_STATUS, transfer->why);
    }
    return 0;
}

static int on_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    struct transfer *transfer = userdata;

    (void)client;
    transfer->received += size;
    if (transfer->exit == CLI_EXIT_STATUS)
        return transfer->received > DISCARD_MAX ? -1 : 0;
    if (cli_output_body(&transfer->output, bytes, size) < 0) {
        transfer_fail(transfer, CLI_EXIT_WRITE, transfer->output.why);
        return -1;
    }
    return 0;
}

/* The failure as the library knows it, in one line. */
static void transfer_outcome(struct transfer *transfer, const struct reqivo_response *response)
{
    int code = reqivo_response_error(response);
    const char *detail = reqivo_response_detail(response);

    if (transfer->exit || code == 0)
        return;
    snprintf(transfer->why, sizeof(transfer->why), "%s%s%s", reqivo_error_text(code), detail[0] ? ": " : "",
             detail);
    transfer->exit = cli_exit_of(code, reqivo_response_phase(response));
}

/* "192.0.2.1:443" or "[2001:db8::1]:443" */
static void facts_address(struct cli_facts *facts, const char *address)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : strlen(address);

    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    snprintf(facts->remote_ip, sizeof(facts->remote_ip), "%.*s", (int)len, address);
    facts->remote_port = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

/* curl counts each time from the start; the library reports how long each phase took. */
static void facts_times(struct cli_facts *facts, const struct reqivo_response *response)
{
    uint64_t tls = reqivo_response_time_us(response, REQIVO_TIME_TLS);
    uint64_t first = reqivo_response_time_us(response, REQIVO_TIME_FIRST_BYTE);

    facts->queue_us = reqivo_response_time_us(response, REQIVO_TIME_QUEUE);
    facts->namelookup_us = facts->queue_us + reqivo_response_time_us(response, REQIVO_TIME_DNS);
    facts->connect_us = facts->namelookup_us + reqivo_response_time_us(response, REQIVO_TIME_CONNECT);
    facts->appconnect_us = tls ? facts->connect_us + tls : 0;
    facts->pretransfer_us = facts->connect_us + tls;
    facts->total_us = reqivo_response_time_us(response, REQIVO_TIME_CALL);
    if (first)
        facts->starttransfer_us =
            facts->pretransfer_us + reqivo_response_time_us(response, REQIVO_TIME_SEND) + first;
    if (facts->starttransfer_us > facts->total_us)
        facts->starttransfer_us = facts->total_us;
}

static void transfer_writeout(const struct cli_session *session, const struct transfer *transfer,
                              const struct reqivo_response *response, size_t n)
{
    const struct cli_options *options = session->options;
    bool connected =
        reqivo_response_status(response) || reqivo_response_phase(response) > REQIVO_PHASE_CONNECT;
    struct cli_facts facts = {
        .url = options->urls.items[n].text,
        .url_effective = transfer->url->text ? transfer->url->text : options->urls.items[n].text,
        .https = transfer->url->text && strncasecmp(transfer->url->text, "https", 5) == 0,
        .method = cli_options_method(options),
        .content_type = reqivo_response_field(response, "Content-Type", 0),
        .errormsg = transfer->exit ? transfer->why : NULL,
        .filename = transfer->output.path,
        .status = reqivo_response_status(response),
        .minor = reqivo_response_minor(response),
        .exitcode = transfer->exit,
        .num_headers = reqivo_response_field_count(response),
        .urlnum = n,
        .size_download = transfer->received,
        .reused = reqivo_response_reused(response),
        .retried = reqivo_response_retried(response),
    };

    facts.num_connects = connected && !facts.reused ? 1 : 0;
    facts_address(&facts, response ? reqivo_response_address(response) : "");
    facts_times(&facts, response);
    cli_writeout(session->write_out, &facts, stdout, stderr);
}

static int session_open(struct cli_session *session, struct transfer *transfer)
{
    const char *path = session->options->socket;
    char detail[400] = "";
    int rc = session->client ? 0 : reqivo_open(path, &session->client);

    if (rc == 0)
        return 0;
    reqivo_open_error(path, detail, sizeof(detail));
    snprintf(transfer->why, sizeof(transfer->why), "%s%s%s", reqivo_error_text(rc), detail[0] ? ": " : "",
             detail);
    return transfer_fail(transfer, cli_exit_of(rc, REQIVO_PHASE_IPC), transfer->why);
}

/* Sends the request and waits for its end; failures are in the transfer. */
static void transfer_call(struct cli_session *session, struct transfer *transfer,
                          const struct cli_fields *fields, struct reqivo_response **ret_response)
{
    struct cli_request_params params = {
        .options = session->options, .fields = fields, .body = &session->body, .url = transfer->url->text};
    struct reqivo_request *request = NULL;
    int rc = cli_request_build(&params, &request, transfer->why, sizeof(transfer->why));

    if (rc < 0) {
        transfer_fail(transfer, cli_exit_of(rc, REQIVO_PHASE_NONE), transfer->why);
        return;
    }
    rc = reqivo_request_set_stream(request, on_head, on_body, transfer);
    if (rc == 0 && session_open(session, transfer) == 0) {
        if (session->options->verbose)
            cli_verbose_request(session->client, &params);
        rc = reqivo_call(session->client, &request, ret_response);
    }
    if (rc < 0 && !*ret_response && !transfer->exit)
        transfer_fail(transfer, cli_exit_of(rc, REQIVO_PHASE_IPC), reqivo_error_text(rc));
    reqivo_request_free(request);
}

/* The typed URL judged: 0, or the exit code with the reason in the transfer. */
static int transfer_url(struct transfer *transfer, const char *given, struct cli_url *url)
{
    struct rqv_url parsed;
    const char *reason = NULL;
    char why[256] = "";
    int rc = cli_url_prepare(given, url, why, sizeof(why));

    if (rc != 0)
        return transfer_fail(transfer, rc < 0 ? CLI_EXIT_MEMORY : rc, rc < 0 ? "out of memory" : why);
    if (rqv_url_parse(url->text, strlen(url->text), &parsed, &reason) == 0)
        return 0;
    snprintf(why, sizeof(why), "%s%s%s", reqivo_error_text(REQIVO_E_URL), reason ? ": " : "",
             reason ? reason : "");
    return transfer_fail(transfer, CLI_EXIT_URL, why);
}

static void transfer_finish(struct transfer *transfer, const struct reqivo_response *response)
{
    if (response && reqivo_response_status(response) && !transfer->head_shown)
        on_head(NULL, response, transfer);
    if (response)
        transfer_outcome(transfer, response);
    if (response && transfer->options->include && !transfer->exit &&
        trailers_print(&transfer->output, response) < 0)
        transfer_fail(transfer, CLI_EXIT_WRITE, transfer->output.why);
    if (cli_output_finish(&transfer->output, transfer->exit == 0) < 0 && !transfer->exit)
        transfer_fail(transfer, CLI_EXIT_WRITE, transfer->output.why);
    if (response && transfer->options->verbose)
        cli_verbose_end(response);
    /* As with an unknown flag, -s does not hide that the command line itself is wrong. */
    if (transfer->exit == CLI_EXIT_USAGE ||
        (transfer->exit && (!transfer->options->silent || transfer->options->show_error)))
        fprintf(stderr, "reqivo: (%d) %s\n", transfer->exit, transfer->why);
}

int cli_transfer(struct cli_session *session, size_t n)
{
    const struct cli_options *options = session->options;
    struct cli_url url = {0};
    struct transfer transfer = {.options = options, .url = &url};
    struct cli_fields fields = {0};
    struct reqivo_response *response = NULL;

    cli_output_init(&transfer.output, n < options->outputs.count ? options->outputs.items[n].text : NULL);
    if (transfer_url(&transfer, options->urls.items[n].text, &url) == 0) {
        if (cli_fields_build(options, url.basic, &fields) == 0)
            transfer_call(session, &transfer, &fields, &response);
        else
            transfer_fail(&transfer, CLI_EXIT_MEMORY, "out of memory");
    }
    transfer_finish(&transfer, response);
    if (session->write_out)
        transfer_writeout(session, &transfer, response, n);
    reqivo_response_free(response);
    cli_fields_done(&fields);
    cli_url_done(&url);
    return transfer.exit;
}
