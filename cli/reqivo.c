/* SPDX-License-Identifier: MIT */
/* reqivo - the main function: options, what is read once for all URLs, then one transfer after the other. */
#include "cli/cookies.h"
#include "cli/exit.h"
#include "cli/fields.h"
#include "cli/options.h"
#include "cli/std.h"
#include "cli/transfer.h"
#include "cli/ws.h"

#include <errno.h>
#include <reqivo/client.h>
#include <reqivo/session.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(const struct cli_options *options, int exit, const char *why)
{
    if (!options->silent || options->show_error)
        fprintf(stderr, "reqivo: (%d) %s\n", exit, why);
    return exit;
}

/* -w "@file": the format stands in a file, whose line ends do not count (as with curl). 0 or an exit code. */
static int format_load(const struct cli_options *options, struct cli_body *ret_format, const char **ret_text)
{
    struct cli_item items[2] = {{.text = options->write_out}, {.text = ""}};
    struct cli_list list = {.items = items, .count = 2};
    char why[256];

    *ret_format = (struct cli_body){.fd = -1};
    *ret_text = options->write_out;
    if (!options->write_out || options->write_out[0] != '@')
        return 0;
    if (cli_body_read(&list, true, ret_format, why, sizeof(why)) < 0)
        return complain(options, CLI_EXIT_READ, why);
    ret_format->bytes[ret_format->size - 1] = '\0'; /* over the '&' that joins the empty second piece */
    *ret_text = ret_format->bytes;
    return 0;
}

static void warn_no_fields(const struct cli_options *options)
{
    struct cli_field_text field;

    for (size_t i = 0; i < options->fields.count && !options->silent; i++)
        if (cli_field_split(options->fields.items[i].text, &field) == CLI_FIELD_NONE)
            fprintf(stderr, "reqivo: warning: -H '%s' is no field and is left out\n",
                    options->fields.items[i].text);
}

static int run_group(struct cli_command *command, const struct cli_options *options)
{
    struct cli_group group = {.command = command, .options = options, .body = {.fd = -1}};
    struct cli_body format = {.fd = -1};
    char why[256] = "";
    int exit = format_load(options, &format, &group.write_out);
    int rc = exit ? 0 : cli_body_read(&options->data, options->get, &group.body, why, sizeof(why));

    if (rc < 0)
        exit = complain(options, rc == -ENOMEM ? CLI_EXIT_MEMORY : CLI_EXIT_READ, why);
    if (!exit) {
        warn_no_fields(options);
        for (size_t n = 0; n < options->urls.count; n++)
            exit = cli_transfer(&group, n); /* the last one's counts, as with curl */
    }
    cli_body_done(&group.body);
    cli_body_done(&format);
    return exit;
}

static int run(const struct cli_options *options)
{
    struct cli_command command = {.first = options};
    int exit = CLI_EXIT_OK;

    for (const struct cli_options *group = options; group; group = group->next)
        exit = run_group(&command, group);
    if (command.session)
        cli_cookies_save(options, command.session);
    if (fflush(stdout) != 0 && !exit)
        exit = complain(options, CLI_EXIT_WRITE, "cannot write to stdout");
    reqivo_session_free(command.session);
    reqivo_close(command.client);
    return exit;
}

int main(int argc, char *argv[])
{
    struct cli_options options;
    char why[256];
    int exit = CLI_EXIT_OK;
    int rc;

    if (!cli_std_hold())
        return CLI_EXIT_WRITE;
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is exit 23 */
    if (argc > 1 && strcmp(argv[1], "ws") == 0)
        return cli_ws(argc - 1, argv + 1);
    rc = cli_options_parse(argc, argv, &options, why, sizeof(why));
    if (rc < 0) {
        fprintf(stderr, "reqivo: %s; try 'reqivo --help'\n", rc == -ENOMEM ? "out of memory" : why);
        exit = rc == -ENOMEM ? CLI_EXIT_MEMORY : CLI_EXIT_USAGE;
    } else if (options.help) {
        fputs(cli_help_text, stdout);
    } else if (options.version) {
        printf("reqivo %s\n", reqivo_version());
    } else {
        for (struct cli_options *group = &options; group && rc == 0; group = group->next)
            rc = cli_fields_read(group);
        exit = rc == 0 ? run(&options) : complain(&options, CLI_EXIT_MEMORY, "out of memory");
    }
    cli_options_done(&options);
    return exit;
}
