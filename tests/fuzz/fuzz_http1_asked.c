/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http1_asked - the head of a request. What is taken holds no byte that RFC 9112 forbids there, each
 * view lies within the head, and nothing but LF alone ends a head that is refused for it.
 */
#include "proto/http1_asked.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void within(struct rqv_str head, struct rqv_str view)
{
    demand(!view.ptr || (view.ptr >= head.ptr && view.ptr + view.len <= head.ptr + head.len));
    demand(view.ptr || view.len == 0);
}

static void check_taken(struct rqv_str head, const struct rqv_http1_asked *asked)
{
    within(head, asked->method);
    within(head, asked->path);
    within(head, asked->host);
    within(head, asked->authority);
    demand(asked->minor <= 1 && (asked->minor == 0 || asked->host.ptr));
    demand(rqv_str_is_token(asked->method) && rqv_str_is_field_value(asked->host));
    for (size_t i = 0; i < asked->path.len; i++)
        demand(asked->path.ptr[i] > ' ' && asked->path.ptr[i] != '?');
    for (size_t i = 0; i < head.len; i++) /* each line ends with CRLF, and CR stands nowhere else */
        demand((head.ptr[i] == '\n') == (i > 0 && head.ptr[i - 1] == '\r'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rqv_str bytes = {(const char *)data, size};
    struct rqv_http1_asked asked;
    size_t end = rqv_http1_asked_end(bytes);

    demand(end <= size);
    if (end == 0) {
        demand(!memmem(bytes.ptr, bytes.len, "\n\r\n", 3) && !memmem(bytes.ptr, bytes.len, "\n\n", 2));
        return 0;
    }
    /* its own memory: a read behind the end is seen */
    char *head = malloc(end);
    demand(head);
    memcpy(head, data, end);
    int rc = rqv_http1_asked_decode((struct rqv_str){head, end}, &asked);
    demand(rc == 0 || rc == -EBADMSG || rc == -EPROTONOSUPPORT);
    if (rc == 0)
        check_taken((struct rqv_str){head, end}, &asked);
    free(head);
    return 0;
}
