/* SPDX-License-Identifier: MIT */
/*
 * save - the file into which a request's response goes: reqivo_request_set_save(). It stands in the place of
 * the program's stream callbacks.
 */
#ifndef RQV_LIBCLIENT_SAVE_H
#define RQV_LIBCLIENT_SAVE_H

#include "common/err.h"

#include <reqivo/request.h>
#include <stdbool.h>

struct rqv_save;

void rqv_save_free(struct rqv_save *save); /* NULL is fine; removes what was not put in its place */
/* A response with that status has come. False: it does not go into the file, and the request streams nothing
 * any more. Also true for a request that saves nothing. */
bool rqv_save_wants(struct reqivo_request *request, unsigned status);
/* The request is over, as `err` says, which may become a failure of the file. */
void rqv_save_end(struct rqv_save *save, struct rqv_err *err);

#endif
