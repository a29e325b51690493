/* SPDX-License-Identifier: MIT */
/*
 * response - what became of a request, filled as frames come in.
 *
 *   head      one block: the fields' pointers, then the texts they point at, each with a NUL
 *   trailers  the same for the trailer section
 *   body      one block that grows towards the announced length; always followed by a NUL when there is one
 */
#ifndef RQV_LIBCLIENT_RESPONSE_H
#define RQV_LIBCLIENT_RESPONSE_H

#include "common/err.h"
#include "common/str.h"
#include "proto/fields.h"
#include "proto/wire.h"

#include <reqivo/response.h>
#include <stddef.h>
#include <stdint.h>

struct rqv_pair {
    const char *name, *value;
};

struct rqv_pairs {
    struct rqv_pair *at; /* the block */
    size_t count;
};

struct reqivo_response {
    struct rqv_err err;
    uint64_t id;
    uint16_t status;
    uint8_t minor, flags; /* RQV_RESP_* */
    int64_t content_length;
    const char *reason; /* in the head's block, or "" */
    struct rqv_pairs fields, trailers;
    char *body;
    size_t body_size, body_cap;
    uint64_t time_us[REQIVO_TIME_CALL + 1];
};

struct reqivo_response *rqv_response_new(uint64_t id);     /* NULL: no memory */
void rqv_response_reset(struct reqivo_response *response); /* as new, for a request that is sent once more */

/* 0; -ENOMEM; REQIVO_E_WIRE for a NUL in a text. */
int rqv_response_set_head(struct reqivo_response *response, const struct rqv_response_head *head);
int rqv_response_set_trailers(struct reqivo_response *response, const struct rqv_fields *fields);
/* 0 or -ENOMEM; the caller has checked the limit. */
int rqv_response_append(struct reqivo_response *response, struct rqv_str bytes);
void rqv_response_set_done(struct reqivo_response *response, const struct rqv_done *done);

/* Copies text into a C string of `size` bytes, cut, with '?' for control bytes. */
void rqv_copy_text(char *to, size_t size, struct rqv_str text);

#endif
