/* SPDX-License-Identifier: MIT */
/* output - stdio over stdout or a file; the first failure is kept as a sentence and every later call fails.
 */
#include "cli/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void cli_output_init(struct cli_output *output, const char *path)
{
    *output = (struct cli_output){.path = path && strcmp(path, "-") != 0 ? path : NULL};
}

static int output_failed(struct cli_output *output)
{
    snprintf(output->why, sizeof(output->why), "cannot write to %s: %s",
             output->path ? output->path : "stdout", strerror(errno));
    return -EIO;
}

static int output_open(struct cli_output *output)
{
    if (output->why[0])
        return -EIO;
    if (!output->file)
        output->file = output->path ? fopen(output->path, "wbe") : stdout;
    return output->file ? 0 : output_failed(output);
}

int cli_output_head(struct cli_output *output, const char *bytes, size_t size)
{
    if (output_open(output) < 0)
        return -EIO;
    return fwrite(bytes, 1, size, output->file) == size ? 0 : output_failed(output);
}

int cli_output_body(struct cli_output *output, const void *bytes, size_t size)
{
    if (output_open(output) < 0)
        return -EIO;
    if (output->file == stdout && memchr(bytes, '\0', size) && isatty(STDOUT_FILENO)) {
        snprintf(output->why, sizeof(output->why),
                 "the body is binary and stdout a terminal; use -o FILE, or pipe it somewhere");
        return -EIO;
    }
    if (fwrite(bytes, 1, size, output->file) != size || fflush(output->file) != 0)
        return output_failed(output);
    return 0;
}

int cli_output_finish(struct cli_output *output, int make)
{
    int rc = make && output->path ? output_open(output) : 0;

    if (output->file == stdout && fflush(stdout) != 0 && !output->why[0])
        rc = output_failed(output);
    if (output->file && output->file != stdout && fclose(output->file) != 0 && !output->why[0])
        rc = output_failed(output);
    output->file = NULL;
    return output->why[0] ? -EIO : rc;
}
