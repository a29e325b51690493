/* SPDX-License-Identifier: MIT */
/*
 * loop - the event loop: descriptors, timers, signals, mail from threads, and the order of work within a
 * turn. Only loop.c knows libev. A turn is:
 *
 *   poll -> io, timers, signals, mail -> WORK tasks -> SERVE (fair turns: account.h) -> UPSTREAM flush tasks
 *        -> PEER flush tasks -> FREE tasks -> poll ...
 *
 * A task queued for a phase that is still to come in this turn runs in this turn; one queued for the current
 * or an earlier phase runs in the next, which then does not block in poll. So all requests that waited in one
 * read are dispatched before any write, all frames to one peer leave in one write, and objects die at the end
 * of the turn.
 */
#ifndef DAEMON_BASE_LOOP_H
#define DAEMON_BASE_LOOP_H

#include "common/list.h"
#include "daemon/base/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

#define LOOP_READ  1u
#define LOOP_WRITE 2u

enum loop_phase { LOOP_WORK, LOOP_SERVE, LOOP_FLUSH_UPSTREAM, LOOP_FLUSH_PEERS, LOOP_FREE, LOOP_PHASES };

int loop_new(struct loop **ret_loop); /* -ENOMEM, -errno */
void loop_free(struct loop *loop);    /* delivers the mail and settles the tasks that are left */
void loop_run(struct loop *loop);     /* until loop_stop() */
void loop_stop(struct loop *loop);    /* the turn is finished first */
void loop_settle(struct loop *loop); /* outside loop_run: runs phases without polling until no task is left */
void loop_library_version(int *ret_major, int *ret_minor);

/* The clock of this turn, CLOCK_MONOTONIC, read once after each poll; loop_now_refresh() reads it again after
 * slow work. */
uint64_t loop_now_us(const struct loop *loop);
void loop_now_refresh(struct loop *loop);
uint64_t loop_turn(const struct loop *loop); /* which turn this is */
/* Has this turn's poll told of every descriptor that was watched when that turn ended? */
bool loop_has_asked(const struct loop *loop, uint64_t turn);
uint64_t loop_spent_us(const struct loop *loop); /* how long this turn has lasted: reads the clock */
/* CLOCK_BOOTTIME in ms, for ages of connections (a suspended host ages them); read at most once a turn. */
uint64_t loop_boot_ms(struct loop *loop);

/* Two scratch blocks of LOOP_SCRATCH bytes that belong to the loop: what is in them is valid until the
 * callback returns. 0: ciphertext as read from a socket (net/stream only). 1: plaintext handed up by a
 * stream. */
#define LOOP_SCRATCH 131072
uint8_t *loop_scratch(struct loop *loop, int which);

/* Figures. A turn lasts from the end of its poll to the end of its work: what becomes ready meanwhile waits
 * for its end, so the length of turns is the loop's lag. `late`: how long after its time a timer ran. */
struct loop_stats {
    uint64_t turns;
    uint64_t longest_us; /* of the last minute or two */
    struct histogram turn, late;
};
void loop_stats(struct loop *loop, struct loop_stats *ret_stats);

/* ---- descriptors: registered once, `events` changed as needed ---- */
typedef void (*loop_io_fn)(void *owner, unsigned events);
struct loop_io {
    struct loop *loop;
    loop_io_fn fn;
    int fd; /* -1 when stopped */
    unsigned events;
    _Alignas(void *) unsigned char impl[48]; /* it has the owner, too */
};
void loop_io_init(struct loop_io *io, struct loop *loop, loop_io_fn fn, void *owner);
void loop_io_start(struct loop_io *io, int fd, unsigned events);
void loop_io_set(struct loop_io *io,
                 unsigned events); /* cheap when unchanged; 0 keeps it registered but silent */
void loop_io_stop(struct loop_io *io);

/* ---- timers: moving one to later costs a store (it re-arms itself when it fires early). UINT64_MAX is
 * "never" at the cost of a store; a timer whose memory ends is stopped with loop_timer_stop. ---- */
typedef void (*loop_timer_fn)(void *owner);
struct loop_timer {
    struct loop *loop;
    loop_timer_fn fn;
    void *owner;
    uint64_t at_us; /* UINT64_MAX when it will not run */
    _Alignas(max_align_t) unsigned char impl[64];
};
void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_fn fn, void *owner);
void loop_timer_at(struct loop_timer *timer, uint64_t at_us); /* on loop_now_us()'s clock */
void loop_timer_stop(struct loop_timer *timer);

/* ---- tasks of a turn ---- */
typedef void (*loop_task_fn)(void *owner);
struct loop_task {
    struct rqv_list node;
    loop_task_fn fn;
    void *owner;
};
void loop_task_init(struct loop_task *task, loop_task_fn fn, void *owner);
void loop_task_queue(struct loop *loop, struct loop_task *task,
                     enum loop_phase phase); /* no effect when queued already */
void loop_task_drop(struct loop_task *task);

/* ---- mail from other threads; the only function of this header that they may call is loop_mail_send ---- */
typedef void (*loop_mail_fn)(void *owner);
struct loop_mail {
    struct loop_mail *next;
    loop_mail_fn fn;
    void *owner;
};
void loop_mail_send(struct loop *loop, struct loop_mail *mail); /* fn runs on the loop's thread, in order */

/* ---- signals ---- */
struct loop_signal {
    struct loop *loop;
    loop_task_fn fn;
    void *owner;
    _Alignas(max_align_t) unsigned char impl[64];
};
void loop_signal_start(struct loop_signal *signal, struct loop *loop, int signo, loop_task_fn fn,
                       void *owner);
void loop_signal_stop(struct loop_signal *signal);

#endif
