/* SPDX-License-Identifier: MIT */
/*
 * judge - may this request be made, by the rules of the account's policy? Asked where a target is made: for
 * each request, each hop of a redirect, each WebSocket and each of its connections, each verb on a pool. All
 * places that a request names are judged: the URL's origin, the route that is dialled instead of it, and a
 * Host field of the program's own. Addresses are judged where they are dialled (net/policy.h).
 *
 * Without a policy each of these is one test of a pointer.
 */
#ifndef DAEMON_WORK_JUDGE_H
#define DAEMON_WORK_JUDGE_H

#include "common/err.h"
#include "daemon/work/target.h"
#include "proto/fields.h"

/* `path` is what is sent, with or without a query. 0, or REQIVO_E_RULE_DENIED with the rule in err. */
int judge_request(const struct target *target, struct rqv_str method, struct rqv_str path,
                  const struct rqv_fields *fields, struct rqv_err *err);
/* The same for who only wants a connection: what holds for some requests alone plays no part. */
int judge_connection(const struct target *target, struct rqv_err *err);
/* Once more, of an encoded head: the configuration may be another one by now. */
int judge_again(const struct target *target, struct rqv_str head, struct rqv_err *err);

/* requests_per_second: 0, or REQIVO_E_LIMIT_RATE with err filled. */
int judge_rate(struct account *account, uint64_t now_us, struct rqv_err *err);

#endif
