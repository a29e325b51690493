/* SPDX-License-Identifier: MIT */
/*
 * form - bodies and queries of the kind application/x-www-form-urlencoded: "a=b+c&d=%26". Letters, digits and
 * -._~ stay, a space becomes '+', every other byte %XX, as curl does; every server reads that. Pieces are
 * appended to a buf, whose own limit holds.
 */
#ifndef RQV_PROTO_FORM_H
#define RQV_PROTO_FORM_H

#include "common/buf.h"
#include "common/str.h"

#include <stdbool.h>

/* All of these: 0; -ENOMEM or REQIVO_E_LIMIT_MEMORY, and nothing has been appended. */
int rqv_form_encode(struct rqv_buf *out, struct rqv_str bytes);
/* "name=value", both encoded, after '&' when there is something before it. */
int rqv_form_add(struct rqv_buf *out, struct rqv_str name, struct rqv_str value);
/* The same with a name that is encoded already, or no name and no '=' where it is empty. */
int rqv_form_add_encoded(struct rqv_buf *out, struct rqv_str encoded_name, struct rqv_str content);

/* An argument of curl's --data-urlencode, for rqv_form_add_encoded(); views into it:
 *
 *   content   =content   name=content     the content stands here
 *   @file     name@file                   it is in a file ("-": standard input), which the caller reads
 *
 * The first '=' decides, and where there is none, the first '@'. */
struct rqv_form_arg {
    struct rqv_str name;    /* as it is sent; may be empty */
    struct rqv_str content; /* or the name of the file */
    bool is_file;
};
void rqv_form_split(struct rqv_str text, struct rqv_form_arg *ret_arg);

#endif
