/* SPDX-License-Identifier: MIT */
/*
 * reqivo/adapters/libev.h - a reqivo handle in a libev loop. Header only: the library itself links no loop.
 *
 *      struct reqivo_libev adapter;
 *      reqivo_libev_attach(&adapter, EV_DEFAULT, client);
 *      ...
 *      reqivo_libev_detach(&adapter);           // before reqivo_close(); allowed inside a callback, which
 * may
 *                                               // free the adapter then
 *
 * How: before the loop blocks, the prepare watcher sends what was queued during the turn in one write,
 * follows a changed descriptor, and sets the timer to what the handle asks for, 0 while completions wait
 * (those that reqivo_call() read for others included). After the loop has blocked, the check watcher
 * dispatches them. So nothing waits for a further byte. While requests are pending the adapter keeps ev_run()
 * from returning; otherwise it does not.
 */
#ifndef REQIVO_ADAPTERS_LIBEV_H
#define REQIVO_ADAPTERS_LIBEV_H

#include <ev.h>
#include <poll.h>
#include <reqivo/client.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reqivo_libev {
    struct reqivo_client *client; /* NULL: detached */
    struct ev_loop *loop;
    ev_io io;
    ev_timer timer;
    ev_prepare prepare;
    ev_check check;
    int fd, events; /* what io watches; fd -1: it is stopped */
    int holds;      /* a reference on the loop: requests are pending */
    int *detached;  /* while callbacks run: where to tell that the adapter, which may be gone then, was
                       detached */
};

/* A watcher of ours does not keep the loop alive by itself. */
static inline void reqivo_libev_stop_io_(struct reqivo_libev *adapter)
{
    if (adapter->fd < 0)
        return;
    ev_ref(adapter->loop);
    ev_io_stop(adapter->loop, &adapter->io);
    adapter->fd = -1;
}

static inline void reqivo_libev_hold_(struct reqivo_libev *adapter, int want)
{
    if (want && !adapter->holds)
        ev_ref(adapter->loop);
    else if (!want && adapter->holds)
        ev_unref(adapter->loop);
    adapter->holds = want;
}

static inline void reqivo_libev_follow_(struct reqivo_libev *adapter)
{
    int fd = reqivo_client_fd(adapter->client);
    int wanted = reqivo_client_events(adapter->client);
    int events = (wanted & POLLIN ? EV_READ : 0) | (wanted & POLLOUT ? EV_WRITE : 0);

    reqivo_libev_hold_(adapter, reqivo_client_pending(adapter->client) > 0);
    if (fd == adapter->fd && events == adapter->events)
        return;
    reqivo_libev_stop_io_(adapter);
    adapter->events = events;
    if (fd < 0)
        return;
    ev_io_set(&adapter->io, fd, events);
    ev_io_start(adapter->loop, &adapter->io);
    ev_unref(adapter->loop);
    adapter->fd = fd;
}

static inline void reqivo_libev_set_timer_(struct reqivo_libev *adapter, int timeout_ms)
{
    if (ev_clear_pending(adapter->loop,
                         &adapter->timer)) /* it stopped by itself, and its callback has not run */
        ev_ref(adapter->loop);
    if (ev_is_active(&adapter->timer)) {
        ev_ref(adapter->loop);
        ev_timer_stop(adapter->loop, &adapter->timer);
    }
    if (timeout_ms < 0)
        return;
    /* From now, not from when this turn of the loop began. */
    ev_timer_set(&adapter->timer, timeout_ms > 0 ? ev_time() - ev_now(adapter->loop) + timeout_ms / 1e3 : 0.,
                 0.);
    ev_timer_start(adapter->loop, &adapter->timer);
    ev_unref(adapter->loop);
}

/* Callbacks may detach the adapter, free it, and close the handle. */
static inline void reqivo_libev_dispatch_(struct reqivo_libev *adapter)
{
    int *outer = adapter->detached;
    int detached = 0;

    adapter->detached = &detached;
    (void)reqivo_client_dispatch(adapter->client);
    if (detached) {
        if (outer)
            *outer = 1;
        return;
    }
    adapter->detached = outer;
    reqivo_libev_follow_(adapter);
}

static inline void reqivo_libev_on_io_(struct ev_loop *loop, ev_io *io, int revents)
{
    struct reqivo_libev *adapter = (struct reqivo_libev *)io->data;

    (void)loop, (void)revents;
    if (!adapter->client)
        return;
    (void)reqivo_client_process(adapter->client);
    reqivo_libev_follow_(adapter);
    reqivo_libev_dispatch_(adapter);
}

static inline void reqivo_libev_on_timer_(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct reqivo_libev *adapter = (struct reqivo_libev *)timer->data;

    (void)revents;
    ev_ref(loop); /* it stopped by itself; its reference was given away when it started */
    if (!adapter->client)
        return;
    (void)reqivo_client_process(adapter->client);
    reqivo_libev_follow_(adapter);
    reqivo_libev_dispatch_(adapter);
}

static inline void reqivo_libev_on_prepare_(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
    struct reqivo_libev *adapter = (struct reqivo_libev *)prepare->data;

    (void)loop, (void)revents;
    if (reqivo_client_timeout_ms(adapter->client) == 0)
        (void)reqivo_client_process(adapter->client);
    reqivo_libev_follow_(adapter);
    reqivo_libev_set_timer_(adapter, reqivo_client_timeout_ms(adapter->client));
}

static inline void reqivo_libev_on_check_(struct ev_loop *loop, ev_check *check, int revents)
{
    struct reqivo_libev *adapter = (struct reqivo_libev *)check->data;

    (void)loop, (void)revents;
    if (adapter->client && reqivo_client_timeout_ms(adapter->client) == 0)
        reqivo_libev_dispatch_(adapter);
}

/* The handle stays the caller's and must be detached before it is closed. One adapter a handle. */
static inline void reqivo_libev_attach(struct reqivo_libev *adapter, struct ev_loop *loop,
                                       struct reqivo_client *client)
{
    adapter->client = client;
    adapter->loop = loop;
    adapter->fd = -1;
    adapter->events = 0;
    adapter->holds = 0;
    adapter->detached = NULL;
    ev_io_init(&adapter->io, reqivo_libev_on_io_, -1, EV_READ);
    ev_timer_init(&adapter->timer, reqivo_libev_on_timer_, 0., 0.);
    ev_prepare_init(&adapter->prepare, reqivo_libev_on_prepare_);
    ev_check_init(&adapter->check, reqivo_libev_on_check_);
    adapter->io.data = adapter->timer.data = adapter->prepare.data = adapter->check.data = adapter;
    ev_prepare_start(loop, &adapter->prepare);
    ev_unref(loop);
    ev_check_start(loop, &adapter->check);
    ev_unref(loop);
}

static inline void reqivo_libev_detach(struct reqivo_libev *adapter)
{
    if (!adapter->client)
        return;
    reqivo_libev_hold_(adapter, 0);
    reqivo_libev_stop_io_(adapter);
    reqivo_libev_set_timer_(adapter, -1);
    ev_ref(adapter->loop);
    ev_prepare_stop(adapter->loop, &adapter->prepare);
    ev_ref(adapter->loop);
    ev_check_stop(adapter->loop, &adapter->check);
    adapter->client = NULL;
    if (adapter->detached)
        *adapter->detached = 1;
}

#ifdef __cplusplus
}
#endif
#endif
