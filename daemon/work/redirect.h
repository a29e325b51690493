/* SPDX-License-Identifier: MIT */
/*
 * redirect - what an exchange keeps of its request when redirects are to be followed or a session has
 * cookies: the request as it was given, where it has got to, and the rules (proto/redirect.h). Each request
 * of the chain is made anew of the first one: its fields, less those that may not go where it goes, and the
 * cookies that the session's jar holds for its URL. security.md B2-1, B3.
 *
 *   given --redirect_aim--> request --redirect_answer--> 1: the next one --redirect_aim--> ...
 *
 * Charged to the account before it is made; wiped before it is given back.
 */
#ifndef DAEMON_WORK_REDIRECT_H
#define DAEMON_WORK_REDIRECT_H

#include "common/err.h"
#include "daemon/base/account.h"
#include "daemon/base/queue.h"
#include "daemon/work/session.h"
#include "daemon/work/target.h"
#include "proto/http1.h"
#include "proto/redirect.h"
#include "proto/wire.h"

struct redirect {
    struct account *account; /* must outlive this */
    struct session *session; /* a reference, or NULL */
    struct rqv_redirect_chain chain;
    struct rqv_redirect hop;    /* the last one; its views are not to be used */
    struct rqv_str method, url; /* of the present request: in `first` or `place` */
    bool has_body;              /* the present request */
    bool from_public;           /* an answer came from a public address: no other may follow */
    uint64_t changes;           /* answers that changed the jar: what was seen before may look new */
    char *place;                /* block of method and url of a hop */
    size_t place_len, charged;
    struct rqv_request_head first; /* as given; its views point into text */
    char text[];
};

/* 0, REQIVO_E_LIMIT_MEMORY, -ENOMEM. `session` may be NULL; a reference is taken. */
int redirect_new(struct account *account, const struct rqv_request_head *head, struct session *session,
                 const uint64_t key[2], struct redirect **ret_redirect);
void redirect_free(struct redirect **redirect);

/* The present request: its target, and its encoded head. `given`, of PROCEED, replaces what was made of the
 * first request, for this hop. 0, or a code with err filled. */
int redirect_aim(struct redirect *redirect, const struct rqv_request_head *given, struct target *target,
                 struct queue *ret_head, struct rqv_err *err);
/* An answer has come, of a public address or not: keeps its cookies. 1: it leads on, redirect->hop says how;
 * method and url are the next ones'. 0: it is the answer. Else a code with err filled. */
int redirect_answer(struct redirect *redirect, const struct rqv_http1_head *head, bool is_public,
                    struct rqv_err *err);
/* The fields of the present request, but for cookies of the jar. Views into the redirect. */
void redirect_fields(const struct redirect *redirect, struct rqv_fields *ret_fields);

/* A request that only wants its response decoded: target_init() with Accept-Encoding, when the program named
 * none. */
int redirect_aim_decoded(const struct rqv_request_head *head, struct target *target, struct queue *ret_head,
                         struct rqv_err *err);

#endif
