/* SPDX-License-Identifier: MIT */
/* request - what the options, the URL, the fields and the body make together: one request of the library. */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include <reqivo/request.h>
#include <stddef.h>

struct cli_options;
struct cli_fields;
struct cli_body;
struct reqivo_session;

struct cli_request_params {
    const struct cli_options *options;
    const struct cli_fields *fields;
    struct cli_body *body; /* NULL: none */
    const char *url;
    const char *method;
    struct reqivo_session *session; /* whose cookies it gets, or NULL */
    char *last_url;                 /* of the hop before, kept here for -e ";auto"; freed by the owner */
};

/* The params must outlive the request. 0, or a negative code of the library with one sentence in `why`. */
int cli_request_build(struct cli_request_params *params, struct reqivo_request **ret_request, char *why,
                      size_t size);

#endif
