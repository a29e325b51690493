/* SPDX-License-Identifier: MIT */
/*
 * reqivo/response.h - what became of a request. It always exists, a failure included. Strings and bytes live
 * as long as the response. Getters accept NULL and answer 0, NULL or "".
 */
#ifndef REQIVO_RESPONSE_H
#define REQIVO_RESPONSE_H

#include <reqivo/client.h>

#ifdef __cplusplus
extern "C" {
#endif

REQIVO_API void reqivo_response_free(struct reqivo_response *response); /* NULL is fine */

/* The outcome: 0, or the negative code; then where and why. A response with an error may still have a status
 * and part of a body. */
REQIVO_API int reqivo_response_error(const struct reqivo_response *response);
REQIVO_API int reqivo_response_phase(const struct reqivo_response *response); /* enum reqivo_phase */
REQIVO_API int
reqivo_response_errno(const struct reqivo_response *response); /* of the failing system call, or 0 */
REQIVO_API int reqivo_response_sent(const struct reqivo_response *response); /* enum reqivo_sent */
REQIVO_API const char *
reqivo_response_detail(const struct reqivo_response *response); /* one line, "" when there is none */
REQIVO_API const char *reqivo_response_address(
    const struct reqivo_response *response); /* connected or last tried, "192.0.2.1:443" */

REQIVO_API uint64_t reqivo_response_id(const struct reqivo_response *response);
REQIVO_API int
reqivo_response_status(const struct reqivo_response *response); /* 200, ...; 0 when no head came */
REQIVO_API int reqivo_response_minor(const struct reqivo_response *response); /* HTTP/1.minor */
REQIVO_API const char *
reqivo_response_reason(const struct reqivo_response *response); /* as sent, may be "" */

/* Fields in the order received. get: the n-th of that name (from 0), case-insensitive, NULL when there is
 * none. */
REQIVO_API size_t reqivo_response_field_count(const struct reqivo_response *response);
REQIVO_API int reqivo_response_field_at(const struct reqivo_response *response, size_t n,
                                        const char **ret_name, const char **ret_value);
REQIVO_API const char *reqivo_response_field(const struct reqivo_response *response, const char *name,
                                             size_t n);
REQIVO_API size_t reqivo_response_trailer_count(const struct reqivo_response *response);
REQIVO_API int reqivo_response_trailer_at(const struct reqivo_response *response, size_t n,
                                          const char **ret_name, const char **ret_value);

REQIVO_API const void *
reqivo_response_body(const struct reqivo_response *response); /* followed by a NUL that is not counted */
/* The same as text: "" without a body. The bytes are as they came, in the charset that Content-Type names
 * (UTF-8 when it names none); a NUL among them ends the text for those who do not look at the size. */
REQIVO_API const char *reqivo_response_text(const struct reqivo_response *response);
/* Writes the body to a file: a new one, whose mode the umask rules, takes the place of `path`. Returns 0,
 * -EINVAL (NULL, or `path` is there and no regular file), -ENOMEM, or a negative errno. */
REQIVO_API int reqivo_response_save(const struct reqivo_response *response, const char *path);
REQIVO_API size_t reqivo_response_body_size(const struct reqivo_response *response);
REQIVO_API int64_t reqivo_response_content_length(const struct reqivo_response *response); /* -1: unknown */

REQIVO_API int
reqivo_response_reused(const struct reqivo_response *response); /* on a connection that had served before */
REQIVO_API int reqivo_response_retried(const struct reqivo_response *response); /* sent a second time */

/* Redirects. What follows is there when they were followed: reqivo_request_set_redirects(), or a session. */
/* The URL and the method of the last request; "" when no redirect was followed. */
REQIVO_API const char *reqivo_response_url(const struct reqivo_response *response);
REQIVO_API const char *reqivo_response_method(const struct reqivo_response *response);
/* The redirects that were followed, in their order, from 0: the request, and the response to it. */
REQIVO_API size_t reqivo_response_hop_count(const struct reqivo_response *response);
REQIVO_API int reqivo_response_hop_status(const struct reqivo_response *response, size_t hop);
REQIVO_API int reqivo_response_hop_minor(const struct reqivo_response *response, size_t hop);
REQIVO_API const char *reqivo_response_hop_reason(const struct reqivo_response *response, size_t hop);
REQIVO_API const char *reqivo_response_hop_method(const struct reqivo_response *response, size_t hop);
REQIVO_API const char *reqivo_response_hop_url(const struct reqivo_response *response, size_t hop);
REQIVO_API const char *reqivo_response_hop_address(const struct reqivo_response *response, size_t hop);
REQIVO_API int reqivo_response_hop_field_at(const struct reqivo_response *response, size_t hop, size_t n,
                                            const char **ret_name, const char **ret_value);
REQIVO_API const char *reqivo_response_hop_field(const struct reqivo_response *response, size_t hop,
                                                 const char *name, size_t n);
/* As reqivo_response_time_us(), of that hop; REQIVO_TIME_TOTAL counts from the beginning of the request. */
REQIVO_API uint64_t reqivo_response_hop_time_us(const struct reqivo_response *response, size_t hop,
                                                int which);

/* For hooks: what the program sees from here on. All return 0, -EINVAL or -ENOMEM; after a failure the
 * response is as before. */
REQIVO_API int reqivo_response_set_status(struct reqivo_response *response, int status); /* 100 to 999 */
/* In place of all fields of that name; NULL as value takes them away. At most 128 fields: -EINVAL. */
REQIVO_API int reqivo_response_set_field(struct reqivo_response *response, const char *name,
                                         const char *value);
REQIVO_API int reqivo_response_set_body(struct reqivo_response *response, const void *bytes, size_t size);

enum reqivo_timing {
    REQIVO_TIME_QUEUE = 0,
    REQIVO_TIME_DNS = 1,
    REQIVO_TIME_CONNECT = 2,
    REQIVO_TIME_TLS = 3,
    REQIVO_TIME_SEND = 4,
    REQIVO_TIME_FIRST_BYTE = 5, /* request sent to first byte */
    REQIVO_TIME_TOTAL = 6,      /* in the daemon */
    REQIVO_TIME_CALL = 7,       /* in the program: submit to completion */
};
/* Microseconds spent in that phase; 0 for phases that were not needed. */
REQIVO_API uint64_t reqivo_response_time_us(const struct reqivo_response *response, int which);

#ifdef __cplusplus
}
#endif
#endif
