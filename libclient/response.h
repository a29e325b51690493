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

/* A redirect that was followed: the request, and the response to it. */
struct rqv_hop_record {
    uint16_t status;
    uint8_t minor;
    const char *reason; /* in the block of the fields, or "" */
    char *method, *url; /* one block, at method */
    struct rqv_pairs fields;
    uint32_t time_us[RQV_TIME_COUNT];
    char address[RQV_ADDRESS_MAX];
};

struct reqivo_request;

struct reqivo_response {
    struct rqv_err err;
    uint64_t id;
    uint16_t status;
    uint8_t minor, flags; /* RQV_RESP_* */
    int64_t content_length;
    const char *reason; /* in the head's block, or "" */
    struct rqv_pairs fields, trailers;
    struct rqv_hop_record *hops;
    size_t hop_count;
    char *method, *url; /* of the last request, one block at method; NULL: redirects were not followed */
    char *body;
    size_t body_size, body_cap;
    uint64_t time_us[REQIVO_TIME_CALL + 1];
};

struct reqivo_response *rqv_response_new(uint64_t id);     /* NULL: no memory */
void rqv_response_reset(struct reqivo_response *response); /* as new, for a request that is sent once more */

/* Copies fields, and one text more, into one block: 0, -ENOMEM, REQIVO_E_WIRE for a NUL in a text. */
int rqv_response_copy_fields(const struct rqv_fields *fields, struct rqv_str extra,
                             struct rqv_pairs *ret_pairs, const char **ret_extra);
/* The n-th pair: 0 or -ENOENT; the n-th value of a name: NULL when there is none. */
int rqv_pair_at(const struct rqv_pairs *pairs, size_t n, const char **ret_name, const char **ret_value);
const char *rqv_pair_find(const struct rqv_pairs *pairs, const char *name, size_t n);
/* 0; -ENOMEM; REQIVO_E_WIRE for a NUL in a text. */
int rqv_response_set_head(struct reqivo_response *response, const struct rqv_response_head *head);
/* The same with a row in place of a head. */
int rqv_response_set_row(struct reqivo_response *response, const struct rqv_fields *fields);
int rqv_response_set_trailers(struct reqivo_response *response, const struct rqv_fields *fields);
/* Keeps a redirect's head with the method and URL that it answers: those of the hop before, else `request`'s.
 * 0, -ENOMEM, REQIVO_E_WIRE for a NUL in a text. */
int rqv_response_add_hop(struct reqivo_response *response, const struct reqivo_request *request,
                         const struct rqv_response_head *head);
/* The request that goes out next: 0 or -ENOMEM. */
int rqv_response_set_origin(struct reqivo_response *response, struct rqv_str method, struct rqv_str url);
/* 0 or -ENOMEM; the caller has checked the limit. */
int rqv_response_append(struct reqivo_response *response, struct rqv_str bytes);
void rqv_response_set_done(struct reqivo_response *response, const struct rqv_done *done);

/* Copies text into a C string of `size` bytes, cut, with '?' for control bytes. */
void rqv_copy_text(char *to, size_t size, struct rqv_str text);

#endif
