/* SPDX-License-Identifier: MIT */
/*
 * exchange_internal - what the files of the exchange share: exchange.c (birth, steps, the program's verbs),
 * exchange_events.c (what comes back), exchange_time.c, exchange_end.c (end, repeat), exchange_hop.c
 * (redirects), exchange_decode.c (content codings).
 */
#ifndef DAEMON_WORK_EXCHANGE_INTERNAL_H
#define DAEMON_WORK_EXCHANGE_INTERNAL_H

#include "daemon/work/decode.h"
#include "daemon/work/exchange.h"
#include "daemon/work/redirect.h"

extern const struct lease_events exchange_lease_events;

#define REPEATABLE_MAX 65536 /* a body up to this is kept for a repeat or a redirect */

enum answer { NEXT, WAIT, END };

void exchange_drive(struct exchange *x);
/* Ends it with x->err (code 0: success). The lease is released on success, else discarded. */
void exchange_finish(struct exchange *x);
void exchange_drop(struct exchange *x); /* ends it without a word and without being counted */
void exchange_count_failure(struct exchange_env *env, struct account *account, int code);
/* A failure of the connection: repeated when the retry rule allows, else the end. */
void exchange_broken(struct exchange *x, const struct rqv_err *err);
/* The pool it waits in is of the past, or the connection it holds, of which it has written nothing: back to
 * the step that names a pool. Its limits of time go on. */
void exchange_ask_anew(struct exchange *x);
void exchange_arm(struct exchange *x); /* the timer for the present step */
/* What the program left to the daemon is the configuration's. RQV_TIMEOUT_NONE: no limit. */
uint32_t exchange_timeout(const struct conf *conf, uint32_t asked, int which);
void exchange_progress(struct exchange *x);
enum answer exchange_fail(struct exchange *x, const struct rqv_err *err);
int exchange_phase(const struct exchange *x);
void exchange_on_timer(void *owner);
uint32_t exchange_elapsed(const struct exchange *x, uint64_t since_us);

/* ---- behind x->extras ---- */
/* The first request: a redirect's or a session's, or one whose response is decoded. */
int exchange_aim(struct exchange *x, const struct exchange_params *params, struct rqv_err *err);
bool exchange_may_redirect(const struct exchange *x);
/* A final response head: is it followed, is it decoded? Negative: x->err says why the exchange ends with it.
 */
int exchange_judge(struct exchange *x, const struct rqv_http1_head *head);
void exchange_hop_on(struct exchange *x); /* a redirect whose body is not read to its end */
void exchange_drain(struct exchange *x, size_t len);
enum answer exchange_receive_extra(struct exchange *x);
enum answer exchange_step_hop(struct exchange *x);
void exchange_drop_extras(struct exchange *x);

int exchange_decode_begin(struct exchange *x, const struct rqv_http1_head *head);
void exchange_decode_put(struct exchange *x, const uint8_t *bytes, size_t len);
enum answer exchange_decode(struct exchange *x);

#endif
