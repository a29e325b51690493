/* SPDX-License-Identifier: MIT */
/*
 * transfer - the life of one URL:
 *
 *   prepare (URL, fields, body, request, handle) -> reqivo_call() -> [on_head, on_body...] -> outcome
 *     -> message, -w
 *
 * `exit` holds the first failure of our own (a status with -f, a full disk); it wins over what the library
 * answers, which then is only the cancellation that we asked for.
 */
#include "cli/transfer.h"

#include "cli/cookies.h"
#include "cli/exit.h"
#include "cli/facts.h"
#include "cli/fields.h"
#include "cli/head.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/request.h"
#include "cli/start.h"
#include "cli/url.h"
#include "cli/verbose.h"
#include "proto/url.h"

#include <errno.h>
#include <reqivo/response.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* With -f the body of an error is read and dropped up to here: that keeps the connection for the next one. */
#define DISCARD_MAX 65536u

struct transfer {
    const struct cli_options *options;
    const char *method;
    struct cli_url url;
    struct cli_output output;
    FILE *dump; /* -D */
    struct cli_progress progress;
    struct cli_body upload; /* -T */
    struct cli_fields fields;
    char *authorization, *cookie, *remote_name;
    uint64_t received, head_size, upload_size;
    size_t heads; /* that have been shown: those of the redirects, and the answer's */
    int exit;
    bool ignore; /* the body is not wanted */
    char why[512];
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int transfer_fail(struct transfer *transfer, int exit, const char *why)
{
    transfer->exit = exit;
    if (why != transfer->why)
        snprintf(transfer->why, sizeof(transfer->why), "%s", why);
    return exit;
}

/* ---- the answer ---- */

/* Text of a head, or of trailers, to where it is asked for; frees it. 0 or an exit code. */
static int head_write(struct transfer *transfer, char *text, size_t len)
{
    const struct cli_options *options = transfer->options;
    int rc = text ? 0 : -ENOMEM;

    if (rc < 0)
        return transfer_fail(transfer, CLI_EXIT_MEMORY, "out of memory");
    transfer->head_size += len;
    /* Line by line, since both may be stdout. */
    for (size_t at = 0, n; rc == 0 && at < len; at += n) {
        const char *end = memchr(text + at, '\n', len - at);
        n = end ? (size_t)(end + 1 - (text + at)) : len - at;
        if (transfer->dump && fwrite(text + at, 1, n, transfer->dump) != n)
            transfer_fail(transfer, CLI_EXIT_WRITE, "cannot write the file of -D");
        if (options->include || options->head)
            rc = cli_output_head(&transfer->output, text + at, n);
    }
    free(text);
    return rc < 0 ? transfer_fail(transfer, CLI_EXIT_WRITE, transfer->output.why) : transfer->exit;
}

/* The heads that have come and were not shown yet. */
static int heads_show(struct transfer *transfer, const struct reqivo_response *response)
{
    size_t count = reqivo_response_hop_count(response) + (reqivo_response_status(response) != 0);
    size_t len = 0;
    int rc = 0;

    for (; rc == 0 && transfer->heads < count; transfer->heads++) {
        char *text = cli_head_text(response, transfer->heads, &len);

        rc = head_write(transfer, text, len);
    }
    return rc;
}

/* What the status means for the body: -f, and a redirect that --max-redirs 0 forbids. */
static void status_judge(struct transfer *transfer, const struct reqivo_response *response)
{
    const struct cli_options *options = transfer->options;
    int status = reqivo_response_status(response);

    if (options->location && options->redirects == 0 && status >= 300 && status < 400 &&
        reqivo_response_field(response, "Location", 0)) {
        transfer->ignore = true;
        transfer_fail(transfer, CLI_EXIT_REDIRECTS, "more redirects than are followed: 0");
    } else if ((options->fail || options->fail_with_body) && status >= 400) {
        transfer->ignore = transfer->ignore || options->fail;
        snprintf(transfer->why, sizeof(transfer->why), "the requested URL returned error: %d", status);
        transfer_fail(transfer, CLI_EXIT_STATUS, transfer->why);
    }
}

static int on_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    struct transfer *transfer = userdata;
    int rc;

    if (transfer->options->verbose)
        cli_verbose_head(client, response);
    rc = heads_show(transfer, response);
    if (rc)
        return rc;
    transfer->ignore = transfer->options->head; /* -I -X GET: the body is not wanted */
    status_judge(transfer, response);
    transfer->progress.total = reqivo_response_content_length(response);
    return 0;
}

static int on_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    struct transfer *transfer = userdata;

    (void)client;
    transfer->received += size;
    if (transfer->ignore)
        return transfer->received > DISCARD_MAX ? -1 : 0;
    if (cli_output_body(&transfer->output, bytes, size) < 0) {
        transfer_fail(transfer, CLI_EXIT_WRITE, transfer->output.why);
        return -1;
    }
    if (transfer->progress.out)
        cli_progress_add(&transfer->progress, size, now_ms());
    return 0;
}

/* The failure as the library knows it, in one line. */
static void transfer_outcome(struct transfer *transfer, const struct reqivo_response *response)
{
    int code = reqivo_response_error(response);
    const char *detail = reqivo_response_detail(response);

    if (transfer->exit || code == 0 || (code == REQIVO_E_CANCELED && transfer->ignore))
        return; /* what is not wanted is not waited for */
    snprintf(transfer->why, sizeof(transfer->why), "%s%s%s", reqivo_error_text(code), detail[0] ? ": " : "",
             detail);
    transfer->exit = cli_exit_of(code, reqivo_response_phase(response));
}

static void transfer_finish(struct transfer *transfer, const struct reqivo_response *response)
{
    size_t len = 0;

    if (response && reqivo_response_status(response) &&
        transfer->heads <= reqivo_response_hop_count(response))
        on_head(NULL, response, transfer);
    else if (response)
        heads_show(transfer, response);
    if (response)
        transfer_outcome(transfer, response);
    if (response && !transfer->exit && reqivo_response_trailer_count(response)) {
        char *text = cli_trailer_text(response, &len);

        head_write(transfer, text, len);
    }
    cli_progress_finish(&transfer->progress, now_ms());
    if (cli_output_finish(&transfer->output, transfer->exit == 0) < 0 && !transfer->exit)
        transfer_fail(transfer, CLI_EXIT_WRITE, transfer->output.why);
    if (transfer->dump && (transfer->dump == stdout ? fflush(stdout) : fclose(transfer->dump)) != 0)
        transfer_fail(transfer, CLI_EXIT_WRITE, "cannot write the file of -D");
    if (response && transfer->options->verbose)
        cli_verbose_end(response);
    /* As with an unknown flag, -s does not hide that the command line itself is wrong. */
    if (transfer->exit == CLI_EXIT_USAGE ||
        (transfer->exit && (!transfer->options->silent || transfer->options->show_error)))
        fprintf(stderr, "reqivo: (%d) %s\n", transfer->exit, transfer->why);
}

static void transfer_writeout(const struct cli_group *group, const struct transfer *transfer,
                              const struct reqivo_response *response, size_t n)
{
    struct cli_facts facts = {
        .url = group->options->urls.items[n].text,
        .url_effective = transfer->url.text ? transfer->url.text : group->options->urls.items[n].text,
        .method = transfer->method,
        .errormsg = transfer->exit ? transfer->why : NULL,
        .filename = transfer->output.path,
        .exitcode = transfer->exit,
        .urlnum = n,
        .size_download = transfer->ignore ? 0 : transfer->received,
        .size_header = transfer->head_size,
        .size_upload = transfer->upload_size,
    };

    for (size_t i = 0; i < transfer->fields.count; i++)
        if (strcasecmp(transfer->fields.items[i].name, "Referer") == 0)
            facts.referer = transfer->fields.items[i].value;
    cli_facts_fill(&facts, response);
    cli_writeout(group->write_out, &facts, stdout, stderr);
    cli_facts_done(&facts);
}

/* ---- the request ---- */

/* The handle, and the jar when this group wants one. */
static int command_open(struct cli_command *command, struct transfer *transfer)
{
    const char *path = transfer->options->socket;
    char detail[400] = "";
    int rc = 0;

    if (!command->client)
        rc = reqivo_open_flags(path, cli_open_flags(transfer->options->start), detail, sizeof(detail),
                               &command->client);

    if (rc == 0 && !command->session && cli_cookies_wanted(transfer->options))
        rc = cli_cookies_load(command->first, command->client, &command->session);
    if (rc == 0)
        return 0;
    snprintf(transfer->why, sizeof(transfer->why), "%s%s%s", reqivo_error_text(rc), detail[0] ? ": " : "",
             detail);
    return transfer_fail(transfer, cli_exit_of(rc, REQIVO_PHASE_IPC), transfer->why);
}

/* Sends the request and waits for its end; failures are in the transfer. */
static void transfer_call(struct cli_group *group, struct transfer *transfer,
                          struct reqivo_response **ret_response)
{
    struct cli_command *command = group->command;
    const struct cli_options *options = group->options;
    struct cli_request_params params = {.options = options,
                                        .fields = &transfer->fields,
                                        .url = transfer->url.text,
                                        .method = transfer->method};
    struct reqivo_request *request = NULL;
    int rc;

    if (transfer->upload.fd >= 0)
        params.body = &transfer->upload;
    else if (cli_options_form(options))
        params.body = &group->body;
    if (command_open(command, transfer) != 0)
        return;
    if (cli_cookies_wanted(options))
        params.session = command->session;
    rc = cli_request_build(&params, &request, transfer->why, sizeof(transfer->why));
    if (rc < 0) {
        transfer_fail(transfer, cli_exit_of(rc, REQIVO_PHASE_NONE), transfer->why);
        return;
    }
    rc = reqivo_request_set_stream(request, on_head, on_body, transfer);
    if (rc == 0) {
        if (options->verbose)
            cli_verbose_request(command->client, &params);
        rc = reqivo_call(command->client, &request, ret_response);
    }
    if (rc < 0 && !*ret_response && !transfer->exit)
        transfer_fail(transfer, cli_exit_of(rc, REQIVO_PHASE_IPC), reqivo_error_text(rc));
    if (params.body && *ret_response && reqivo_response_status(*ret_response))
        transfer->upload_size = params.body->size;
    reqivo_request_free(request);
    free(params.last_url);
}

/* The typed URL, with what -T and -G add, judged: 0, or the exit code with the reason in the transfer. */
static int transfer_url(struct cli_group *group, struct transfer *transfer, size_t n)
{
    const char *upload = cli_options_upload(group->options, n);
    struct rqv_url parsed;
    const char *reason = NULL;
    char why[256] = "";
    int rc = cli_url_prepare(group->options->urls.items[n].text, &transfer->url, why, sizeof(why));

    if (rc == 0 && upload && strcmp(upload, "-") != 0 && strcmp(upload, ".") != 0)
        rc = cli_url_add_name(&transfer->url, upload);
    if (rc == 0 && group->options->get && group->options->data.count)
        rc = cli_url_add_query(&transfer->url, group->body.bytes ? group->body.bytes : "",
                               (size_t)group->body.size);
    if (rc != 0)
        return transfer_fail(transfer, rc < 0 ? CLI_EXIT_MEMORY : rc,
                             rc < 0   ? "out of memory"
                             : why[0] ? why
                                      : "the data of -G have a NUL");
    if (rqv_url_parse(transfer->url.text, strlen(transfer->url.text), &parsed, &reason) == 0)
        return 0;
    snprintf(why, sizeof(why), "%s%s%s", reqivo_error_text(REQIVO_E_URL), reason ? ": " : "",
             reason ? reason : "");
    return transfer_fail(transfer, CLI_EXIT_URL, why);
}

/* Credentials and fields. 0 or an exit code. */
static int transfer_fields(struct transfer *transfer)
{
    const struct cli_options *options = transfer->options;
    struct cli_field_values values = {.authorization = transfer->url.basic};
    int rc = cli_cookies_field(options, &transfer->cookie);

    if (rc == 0 && options->bearer)
        rc = asprintf(&transfer->authorization, "Bearer %s", options->bearer) < 0 ? -ENOMEM : 0;
    else if (rc == 0 && options->user)
        rc = cli_url_basic(options->user, strlen(options->user), false, &transfer->authorization);
    values.cookie = transfer->cookie;
    if (transfer->authorization)
        values.authorization = transfer->authorization;
    if (rc == 0)
        rc = cli_fields_build(options, &values, &transfer->fields);
    return rc < 0 ? transfer_fail(transfer, CLI_EXIT_MEMORY, "out of memory") : 0;
}

/* A meter is drawn when the body goes to a file and a person sits before stderr. */
static bool wants_meter(const struct transfer *transfer)
{
    const struct cli_options *options = transfer->options;
    struct stat st;

    if (options->silent || options->no_meter || options->verbose || !isatty(STDERR_FILENO))
        return false;
    return transfer->output.path || (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode));
}

/* Opens the files of -o, -O, -D and -T. 0 or an exit code. */
static int transfer_files(struct transfer *transfer, size_t n)
{
    const struct cli_options *options = transfer->options;
    const char *output = n < options->outputs.count ? options->outputs.items[n].text : NULL;
    const char *dump = options->dump_header;

    if (n < options->outputs.count && !output) {
        output = transfer->remote_name = cli_url_remote_name(&transfer->url);
        if (!output)
            return transfer_fail(transfer, CLI_EXIT_MEMORY, "out of memory");
        if (!output[0])
            return transfer_fail(transfer, CLI_EXIT_WRITE, "-O: the URL names no file");
    }
    cli_output_init(&transfer->output, output);
    if (dump) {
        transfer->dump = strcmp(dump, "-") == 0 ? stdout : fopen(dump, n ? "abe" : "wbe");
        if (!transfer->dump) {
            snprintf(transfer->why, sizeof(transfer->why), "cannot write %s: %s", dump, strerror(errno));
            return transfer_fail(transfer, CLI_EXIT_WRITE, transfer->why);
        }
    }
    if (cli_options_upload(options, n) && cli_body_open(cli_options_upload(options, n), &transfer->upload,
                                                        transfer->why, sizeof(transfer->why)) < 0)
        return transfer_fail(transfer, CLI_EXIT_READ, transfer->why);
    cli_progress_start(&transfer->progress, wants_meter(transfer) ? stderr : NULL, now_ms());
    return 0;
}

static void transfer_done(struct transfer *transfer)
{
    if (transfer->authorization)
        explicit_bzero(transfer->authorization, strlen(transfer->authorization));
    free(transfer->authorization);
    free(transfer->cookie);
    free(transfer->remote_name);
    cli_body_done(&transfer->upload);
    cli_fields_done(&transfer->fields);
    cli_url_done(&transfer->url);
}

int cli_transfer(struct cli_group *group, size_t n)
{
    const struct cli_options *options = group->options;
    struct transfer transfer = {
        .options = options, .method = cli_options_method(options, n), .upload = {.fd = -1}};
    struct reqivo_response *response = NULL;

    if (transfer_url(group, &transfer, n) == 0 && transfer_files(&transfer, n) == 0 &&
        transfer_fields(&transfer) == 0)
        transfer_call(group, &transfer, &response);
    transfer_finish(&transfer, response);
    if (group->write_out)
        transfer_writeout(group, &transfer, response, n);
    reqivo_response_free(response);
    transfer_done(&transfer);
    return transfer.exit;
}
