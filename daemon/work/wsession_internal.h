/* SPDX-License-Identifier: MIT */
/* wsession_internal - what wsession.c (birth), wsession_open.c (handshake), wsession_io.c (frames) and
 * wsession_end.c (time, loss, end) know of each other. */
#ifndef DAEMON_WORK_WSESSION_INTERNAL_H
#define DAEMON_WORK_WSESSION_INTERNAL_H

#include "daemon/work/wsession.h"

/* wsession.c */
void wsession_set_state(struct wsession *ws, enum wsession_state state);
void wsession_connect(struct wsession *ws); /* by the certificates and the policy that are in force */
int wsession_fail(struct wsession *ws, int code, int phase,
                  const char *why); /* fills ws->err, returns code */
void wsession_free_conn(struct wsession *ws);

/* wsession_end.c */
void wsession_on_timer(void *owner);
void wsession_arm(struct wsession *ws); /* the timer */
/* The connection is lost, or an attempt to make it has failed: ws->err says why. Reconnects or ends. */
void wsession_lost(struct wsession *ws);
/* Both have closed, or the session is over for another reason in ws->err: the listener is told, what is in
 * `out` still leaves. */
void wsession_finish(struct wsession *ws);
/* We close, for the reason in ws->err, with that code. */
void wsession_violated(struct wsession *ws, uint16_t close_code);
/* The server is done: the program is told, and its close waited for, before ours goes out. */
void wsession_ending(struct wsession *ws);
void wsession_unheard(struct wsession *ws); /* the sink took no more: ends it for the program */
void wsession_gone(struct wsession *ws);    /* gives everything back at once */

/* wsession_open.c */
void wsession_shake(struct wsession *ws);     /* the stream is there: the request */
void wsession_on_answer(struct wsession *ws); /* bytes of the answer may be there */

/* wsession_io.c */
void wsession_on_stream(void *owner, unsigned events); /* queues the turn */
bool wsession_turn(void *owner);                       /* one read, and what waits for a writable socket */
void wsession_flush(void *owner);                      /* writes `out`, and fills it */
void wsession_flush_soon(struct wsession *ws);
void wsession_resume(struct wsession *ws);            /* what waited for the program */
uint32_t wsession_lost_messages(struct wsession *ws); /* of the batch; forgets it */
void wsession_drop_up(struct wsession *ws);           /* counts its messages as undelivered */
void wsession_mask(struct wsession *ws, uint8_t ret_mask[4]);

#endif
