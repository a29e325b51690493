/* SPDX-License-Identifier: MIT */
/*
 * loop - owns the libev loop, the clock of the turn, the task lists, the mailbox and the scratch blocks.
 *
 *   loop_run:  +-> ev_run (once, or not waiting when tasks are queued)
 *              |     poll; on_pending: read the clock, then io (1) > timers (0) > signals (-1) > mail (-2)
 *              |   run_phases: WORK, SERVE, FLUSH_UPSTREAM, FLUSH_PEERS, FREE
 *              +-- until loop_stop
 *
 * libev runs what is pending by priority and, within one priority, last come first: hence the priorities
 * above. epoll_ctl is called when libev's view of a descriptor changes at the next poll, so a watcher that is
 * started once and not changed costs nothing per request, and one that is silenced and woken within a turn
 * costs nothing either.
 */
#include "daemon/base/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EV_COMPAT3 0
#include <ev.h>

#define PRIORITY_IO     1
#define PRIORITY_TIMER  0
#define PRIORITY_SIGNAL (-1)
#define PRIORITY_MAIL   (-2)

/* Our clock is read a moment after libev's: without this a timer would often come early and go round once
 * more. */
#define TIMER_SLACK_US 50

#define MINUTE_US      UINT64_C(60000000)

/* So few events are all that there were: libev takes 64 at a time at first. */
#define POLL_WHOLE 32

/* libev keeps times as double seconds; later than this is the same as never. */
#define TIMER_MAX_US (UINT64_C(1000000) * 86400 * 365)

struct timer_impl {
    ev_timer ev;
    uint64_t armed_us; /* when libev will call, while it is active */
};

static_assert(sizeof(ev_io) <= sizeof(((struct loop_io *)0)->impl), "loop_io.impl is too small for libev");
static_assert(_Alignof(ev_io) <= _Alignof(void *), "loop_io.impl is aligned for less than libev needs");
static_assert(sizeof(struct timer_impl) <= sizeof(((struct loop_timer *)0)->impl),
              "loop_timer.impl is too small");
static_assert(sizeof(ev_signal) <= sizeof(((struct loop_signal *)0)->impl), "loop_signal.impl is too small");
static_assert(LOOP_READ == EV_READ && LOOP_WRITE == EV_WRITE, "the event bits are libev's own");
static_assert(EV_MINPRI <= PRIORITY_MAIL && EV_MAXPRI >= PRIORITY_IO,
              "libev was built with fewer priorities");

struct loop {
    struct ev_loop *ev;
    bool stopping;
    bool clock_fresh; /* the clock was read since the last poll */
    bool boot_fresh;
    uint64_t now_us;
    uint64_t boot_ms;
    uint64_t turn_start_us;
    struct rqv_list tasks[LOOP_PHASES];
    struct loop_stats stats;
    uint64_t longest_us[2]; /* of this minute and of the one before */
    uint64_t minute_us;     /* this one's begin */
    uint8_t *scratch[2];
    unsigned pending; /* events that the last poll brought */
    int mail_fd;
    ev_io mail_io;
    struct loop_mail *_Atomic mail; /* newest first */
};

/* ---- the clock ---- */

static uint64_t clock_us(clockid_t id)
{
    struct timespec ts = {0, 0};

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static void clock_start_turn(struct loop *loop)
{
    loop->now_us = clock_us(CLOCK_MONOTONIC);
    loop->turn_start_us = loop->now_us;
    loop->clock_fresh = true;
    loop->boot_fresh = false;
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

void loop_now_refresh(struct loop *loop)
{
    ev_now_update(loop->ev); /* libev arms timers relative to its own idea of now */
    loop->now_us = clock_us(CLOCK_MONOTONIC);
}

uint64_t loop_spent_us(const struct loop *loop)
{
    return clock_us(CLOCK_MONOTONIC) - loop->turn_start_us;
}

uint64_t loop_boot_ms(struct loop *loop)
{
    if (!loop->boot_fresh) {
        loop->boot_ms = clock_us(CLOCK_BOOTTIME) / 1000u;
        loop->boot_fresh = true;
    }
    return loop->boot_ms;
}

uint64_t loop_turn(const struct loop *loop)
{
    return loop->stats.turns;
}

bool loop_has_asked(const struct loop *loop, uint64_t turn)
{
    return turn < loop->stats.turns && loop->pending < POLL_WHOLE;
}

uint8_t *loop_scratch(struct loop *loop, int which)
{
    return loop->scratch[which ? 1 : 0];
}

static void minute_begin(struct loop *loop)
{
    bool next = loop->now_us - loop->minute_us < 2 * MINUTE_US;

    loop->longest_us[1] = next ? loop->longest_us[0] : 0;
    loop->longest_us[0] = 0;
    loop->minute_us = loop->now_us;
}

static void count_turn(struct loop *loop)
{
    uint64_t busy_us = loop_spent_us(loop);

    loop->stats.turns++;
    histogram_add(&loop->stats.turn, busy_us);
    if (loop->now_us - loop->minute_us >= MINUTE_US)
        minute_begin(loop);
    if (busy_us > loop->longest_us[0])
        loop->longest_us[0] = busy_us;
}

void loop_stats(struct loop *loop, struct loop_stats *ret_stats)
{
    if (loop->now_us - loop->minute_us >= MINUTE_US)
        minute_begin(loop);
    *ret_stats = loop->stats;
    ret_stats->longest_us =
        loop->longest_us[0] > loop->longest_us[1] ? loop->longest_us[0] : loop->longest_us[1];
}

void loop_library_version(int *ret_major, int *ret_minor)
{
    *ret_major = ev_version_major();
    *ret_minor = ev_version_minor();
}

/* ---- mail ---- */

/* The stack is newest first and mail runs in order of sending, so what was taken is turned round. The eventfd
 * is read before the stack is taken: a sender that finds the stack empty afterwards writes again. */
static void mail_deliver(struct loop *loop)
{
    struct loop_mail *taken = atomic_exchange_explicit(&loop->mail, NULL, memory_order_acquire);
    struct loop_mail *ordered = NULL;

    while (taken) {
        struct loop_mail *next = taken->next;

        taken->next = ordered;
        ordered = taken;
        taken = next;
    }
    while (ordered) {
        struct loop_mail *mail = ordered;

        ordered = mail->next; /* fn may free the mail */
        mail->fn(mail->owner);
    }
}

static void on_mail(struct ev_loop *ev, ev_io *watcher, int revents)
{
    struct loop *loop = watcher->data;
    uint64_t count;

    (void)ev;
    (void)revents;
    if (read(loop->mail_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return;
    mail_deliver(loop);
}

void loop_mail_send(struct loop *loop, struct loop_mail *mail)
{
    struct loop_mail *head = atomic_load_explicit(&loop->mail, memory_order_relaxed);
    uint64_t one = 1;
    ssize_t n;

    do
        mail->next = head;
    while (!atomic_compare_exchange_weak_explicit(&loop->mail, &head, mail, memory_order_release,
                                                  memory_order_relaxed));
    if (head)
        return; /* whoever put the first one there wakes the loop */
    do
        n = write(loop->mail_fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
}

/* ---- tasks and turns ---- */

static bool tasks_waiting(const struct loop *loop)
{
    for (int phase = 0; phase < LOOP_PHASES; phase++)
        if (!rqv_list_empty(&loop->tasks[phase]))
            return true;
    return false;
}

/* The list is taken whole first: what is queued for this phase from now on belongs to the next turn. */
static void run_phase(struct loop *loop, enum loop_phase phase)
{
    struct rqv_list running, *node;

    rqv_list_insert_before(&loop->tasks[phase], &running);
    rqv_list_remove(&loop->tasks[phase]); /* `running` is the head now */
    while ((node = rqv_list_first(&running))) {
        struct loop_task *task = RQV_LIST_OF(node, struct loop_task, node);

        rqv_list_remove(node);
        task->fn(task->owner); /* may free the task */
    }
}

static void run_phases(struct loop *loop)
{
    for (int phase = 0; phase < LOOP_PHASES; phase++)
        if (!rqv_list_empty(&loop->tasks[phase]))
            run_phase(loop, (enum loop_phase)phase);
}

void loop_settle(struct loop *loop)
{
    for (int round = 0; round < 1000 && tasks_waiting(loop); round++)
        run_phases(loop);
}

/* libev calls this where it would run its callbacks: at the head of ev_run (nothing is pending then) and
 * after poll. */
static void on_pending(struct ev_loop *ev)
{
    struct loop *loop = ev_userdata(ev);

    loop->pending = ev_pending_count(ev);
    if (loop->pending == 0)
        return;
    if (!loop->clock_fresh)
        clock_start_turn(loop);
    ev_invoke_pending(ev);
}

static void turn(struct loop *loop)
{
    loop->clock_fresh = false;
    ev_run(loop->ev, tasks_waiting(loop) ? EVRUN_NOWAIT : EVRUN_ONCE);
    if (!loop->clock_fresh)
        clock_start_turn(loop);
    run_phases(loop);
    count_turn(loop);
}

void loop_run(struct loop *loop)
{
    loop->stopping = false;
    while (!loop->stopping)
        turn(loop);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void loop_task_init(struct loop_task *task, loop_task_fn fn, void *owner)
{
    rqv_list_init(&task->node);
    task->fn = fn;
    task->owner = owner;
}

void loop_task_queue(struct loop *loop, struct loop_task *task, enum loop_phase phase)
{
    if (rqv_list_empty(&task->node))
        rqv_list_append(&loop->tasks[phase], &task->node);
}

void loop_task_drop(struct loop_task *task)
{
    rqv_list_remove(&task->node);
}

/* ---- making and ending ---- */

int loop_new(struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    int rc = -ENOMEM;

    if (!loop)
        return -ENOMEM;
    for (int phase = 0; phase < LOOP_PHASES; phase++)
        rqv_list_init(&loop->tasks[phase]);
    loop->mail_fd = -1;
    loop->scratch[0] = aligned_alloc(64, LOOP_SCRATCH);
    loop->scratch[1] = aligned_alloc(64, LOOP_SCRATCH);
    if (!loop->scratch[0] || !loop->scratch[1])
        goto fail;
    loop->mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->mail_fd < 0) {
        rc = -errno;
        goto fail;
    }
    errno = 0;
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!loop->ev) {
        rc = errno ? -errno : -ENOSYS;
        goto fail;
    }
    ev_set_userdata(loop->ev, loop);
    ev_set_invoke_pending_cb(loop->ev, on_pending);
    ev_io_init(&loop->mail_io, on_mail, loop->mail_fd, EV_READ);
    ev_set_priority(&loop->mail_io, PRIORITY_MAIL);
    loop->mail_io.data = loop;
    ev_io_start(loop->ev,
                &loop->mail_io); /* also keeps libev from believing that it has nothing to wait for */
    clock_start_turn(loop);
    *ret_loop = loop;
    return 0;
fail:
    loop_free(loop);
    return rc;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->ev) {
        mail_deliver(loop);
        loop_settle(loop);
        ev_io_stop(loop->ev, &loop->mail_io);
        ev_loop_destroy(loop->ev);
    }
    if (loop->mail_fd >= 0)
        close(loop->mail_fd);
    free(loop->scratch[0]);
    free(loop->scratch[1]);
    free(loop);
}

/* ---- descriptors ---- */

static ev_io *io_impl(struct loop_io *io)
{
    return (ev_io *)(void *)io->impl;
}

/* EV_ERROR: libev gave the descriptor up. The owner learns what is wrong from its own read or write. */
static void on_io(struct ev_loop *ev, ev_io *watcher, int revents)
{
    struct loop_io *io = RQV_LIST_OF(watcher, struct loop_io, impl);
    unsigned events = (unsigned)revents & (LOOP_READ | LOOP_WRITE);

    (void)ev;
    if ((unsigned)revents & (unsigned)EV_ERROR)
        events = LOOP_READ | LOOP_WRITE;
    io->fn(watcher->data, events);
}

void loop_io_init(struct loop_io *io, struct loop *loop, loop_io_fn fn, void *owner)
{
    memset(io, 0, sizeof(*io));
    io->loop = loop;
    io->fn = fn;
    io->fd = -1;
    ev_init(io_impl(io), on_io);
    ev_set_priority(io_impl(io), PRIORITY_IO);
    io_impl(io)->data = owner;
}

void loop_io_start(struct loop_io *io, int fd, unsigned events)
{
    loop_io_stop(io);
    io->fd = fd;
    io->events = events;
    /* ev_io_set also tells libev that this may be a new descriptor under an old number */
    ev_io_set(io_impl(io), fd, (int)(events & (LOOP_READ | LOOP_WRITE)));
    if (events)
        ev_io_start(io->loop->ev, io_impl(io));
}

/* ev_io_modify, unlike ev_io_set, leaves the kernel alone when the sum at the next poll is what it was
 * before. */
void loop_io_set(struct loop_io *io, unsigned events)
{
    if (io->fd < 0 || io->events == events)
        return;
    io->events = events;
    ev_io_stop(io->loop->ev, io_impl(io));
    ev_io_modify(io_impl(io), (int)(events & (LOOP_READ | LOOP_WRITE)));
    if (events)
        ev_io_start(io->loop->ev, io_impl(io));
}

void loop_io_stop(struct loop_io *io)
{
    if (io->fd < 0)
        return;
    ev_io_stop(io->loop->ev, io_impl(io));
    io->fd = -1;
    io->events = 0;
}

/* ---- timers ---- */

static struct timer_impl *timer_impl(struct loop_timer *timer)
{
    return (struct timer_impl *)(void *)timer->impl;
}

static void timer_arm(struct loop_timer *timer)
{
    struct timer_impl *impl = timer_impl(timer);
    uint64_t now_us = timer->loop->now_us;
    uint64_t wait_us = timer->at_us > now_us ? timer->at_us - now_us : 0;

    if (wait_us > TIMER_MAX_US)
        wait_us = TIMER_MAX_US;
    impl->armed_us = now_us + wait_us;
    ev_timer_set(&impl->ev, (double)(wait_us + TIMER_SLACK_US) / 1e6, 0.);
    ev_timer_start(timer->loop->ev, &impl->ev);
}

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int revents)
{
    struct loop_timer *timer = watcher->data;

    (void)ev;
    (void)revents;
    if (timer->at_us == UINT64_MAX)
        return;
    if (timer->at_us > timer->loop->now_us) { /* it was moved to later, or libev rounded down */
        timer_arm(timer);
        return;
    }
    histogram_add(&timer->loop->stats.late, timer->loop->now_us - timer->at_us);
    timer->at_us = UINT64_MAX;
    timer->fn(timer->owner); /* may start it again, or free it */
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_fn fn, void *owner)
{
    memset(timer, 0, sizeof(*timer));
    timer->loop = loop;
    timer->fn = fn;
    timer->owner = owner;
    timer->at_us = UINT64_MAX;
    ev_init(&timer_impl(timer)->ev, on_timer);
    ev_set_priority(&timer_impl(timer)->ev, PRIORITY_TIMER);
    timer_impl(timer)->ev.data = timer;
}

void loop_timer_at(struct loop_timer *timer, uint64_t at_us)
{
    struct timer_impl *impl = timer_impl(timer);

    timer->at_us = at_us;
    if (ev_is_active(&impl->ev) && at_us >= impl->armed_us)
        return;
    if (at_us == UINT64_MAX)
        return;
    ev_timer_stop(timer->loop->ev, &impl->ev);
    timer_arm(timer);
}

void loop_timer_stop(struct loop_timer *timer)
{
    timer->at_us = UINT64_MAX;
    ev_timer_stop(timer->loop->ev, &timer_impl(timer)->ev);
}

/* ---- signals ---- */

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int revents)
{
    struct loop_signal *signal = watcher->data;

    (void)ev;
    (void)revents;
    signal->fn(signal->owner);
}

void loop_signal_start(struct loop_signal *signal, struct loop *loop, int signo, loop_task_fn fn, void *owner)
{
    ev_signal *impl;

    memset(signal, 0, sizeof(*signal));
    signal->loop = loop;
    signal->fn = fn;
    signal->owner = owner;
    impl = (ev_signal *)(void *)signal->impl;
    ev_signal_init(impl, on_signal, signo);
    ev_set_priority(impl, PRIORITY_SIGNAL);
    impl->data = signal;
    ev_signal_start(loop->ev, impl);
}

void loop_signal_stop(struct loop_signal *signal)
{
    if (signal->loop)
        ev_signal_stop(signal->loop->ev, (ev_signal *)(void *)signal->impl);
}
