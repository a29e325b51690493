/* SPDX-License-Identifier: MIT */
/*
 * url - from what a person types to what is asked: the scheme is guessed, userinfo becomes credentials, dot
 * segments and the fragment go. The strict judgement stays with rqv_url_parse(), which sees the result.
 */
#ifndef CLI_URL_H
#define CLI_URL_H

#include <stdbool.h>
#include <stddef.h>

struct cli_url {
    char *text;  /* "http://host/path?query": no userinfo, no fragment */
    char *basic; /* "Basic ..." for Authorization, NULL without userinfo */
};

/* 0; -ENOMEM; or an exit code of CLI_EXIT_PROTOCOL or CLI_EXIT_URL with one sentence in `why`. Undo with
 * done. */
int cli_url_prepare(const char *given, struct cli_url *ret_url, char *why, size_t size);
void cli_url_done(struct cli_url *url); /* wipes the credentials */

/* RFC 7617: "Basic ..." of user ":" password; a user alone has an empty password. encoded: with
 * percent-triplets. 0, -ENOMEM, or CLI_EXIT_URL for a control byte or a broken triplet. */
int cli_url_basic(const char *text, size_t len, bool encoded, char **ret_basic);

/* -G: after '?' or, where there is a query, '&'. 0, -ENOMEM, or CLI_EXIT_URL for a NUL. */
int cli_url_add_query(struct cli_url *url, const char *query, size_t len);
/* -T: the file's name, percent-encoded, after a path that ends with '/'. 0 or -ENOMEM. */
int cli_url_add_name(struct cli_url *url, const char *path);
/* -O: the last segment of the path, which may be empty; to be freed. NULL: no memory. */
char *cli_url_remote_name(const struct cli_url *url);

/* RFC 3986 5.2.4 in place on a path of len bytes that starts with '/'; returns the new length. */
size_t cli_url_remove_dots(char *path, size_t len);

#endif
