/* SPDX-License-Identifier: MIT */
/*
 * dial_race - which of a host's addresses answers first: RFC 8305, at most two at a time.
 *
 *   next address -> policy -> socket, connect -> lane waits for WRITE -> SO_ERROR
 *        ^             |refused    |failed                              |failed   |connected: over
 *        +-------------+-----------+------------------------------------+
 *        +-- 250 ms after the last start, when a lane is free
 *
 * The policy judges the address that connect() is given, so there is no second lookup to rebind (security.md
 * T6, B10-5, B10-6).
 */
#include "daemon/net/dial_internal.h"
#include "daemon/net/policy.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void race_advance(struct race *race);

/* ---- what was tried ---- */

static void note(struct race *race, const struct rqv_addr *addr, const char *outcome)
{
    char text[RQV_ADDRESS_MAX];
    int n;

    if (race->tried_len >= sizeof(race->tried) - 1)
        return;
    rqv_addr_format(addr, text, sizeof(text));
    n = snprintf(race->tried + race->tried_len, sizeof(race->tried) - race->tried_len, "%s%s: %s",
                 race->tried_len ? "; " : "", text, outcome);
    race->tried_len += (size_t)n;
    if (race->tried_len > sizeof(race->tried) - 1)
        race->tried_len = sizeof(race->tried) - 1;
}

static void note_errno(struct race *race, const struct rqv_addr *addr, int sys_errno)
{
    const char *text = strerrordesc_np(sys_errno);

    race->last = *addr;
    race->last_errno = sys_errno;
    note(race, addr, text ? text : "unknown error");
}

/* ---- the order ---- */

/* RFC 8305 4: the families take turns, beginning with the one that RFC 6724 put first. */
static void interleave(struct race *race, const struct rqv_addr *addrs, size_t count)
{
    bool taken[RESOLVER_ADDRS_MAX] = {false};
    uint8_t family = count ? addrs[0].family : 0;

    if (count > RESOLVER_ADDRS_MAX)
        count = RESOLVER_ADDRS_MAX;
    for (race->count = 0; race->count < count; race->count++) {
        size_t pick = count;

        for (size_t i = 0; i < count; i++) {
            if (taken[i])
                continue;
            if (pick == count)
                pick = i;
            if (addrs[i].family == family) {
                pick = i;
                break;
            }
        }
        taken[pick] = true;
        race->addrs[race->count] = addrs[pick];
        family = addrs[pick].family == 6 ? 4 : 6;
    }
}

/* ---- lanes ---- */

static void lane_close(struct race_lane *lane)
{
    loop_io_stop(&lane->io);
    if (lane->fd >= 0)
        close(lane->fd);
    lane->fd = -1;
}

static unsigned lanes_busy(const struct race *race)
{
    unsigned busy = 0;

    for (int i = 0; i < RACE_LANES; i++)
        busy += race->lanes[i].fd >= 0;
    return busy;
}

static void race_win(struct race *race, struct race_lane *lane)
{
    struct rqv_addr addr = lane->addr;
    int fd = lane->fd;

    loop_io_stop(&lane->io);
    lane->fd = -1;
    race_stop(race);
    race->fn(race->owner, fd, &addr);
}

static void race_lose(struct race *race)
{
    race_stop(race);
    if (race->attempts == 0 && race->refused_code) {
        rqv_err_set(&race->err, race->refused_code, REQIVO_PHASE_CONNECT, "%s", race->tried);
    } else {
        rqv_err_set(&race->err, REQIVO_E_CONNECT, REQIVO_PHASE_CONNECT, "tried %s", race->tried);
        race->err.sys_errno = race->last_errno;
    }
    rqv_addr_format(&race->last, race->err.address, sizeof(race->err.address));
    race->fn(race->owner, -1, &race->last);
}

/* A connect() to a closed port of this host, in the range that the kernel picks source ports from, can meet
 * itself. */
static bool is_self(int fd, const struct rqv_addr *addr)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct rqv_addr own;

    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0 ||
        !rqv_addr_from_sockaddr((const struct sockaddr *)&sa, len, &own))
        return false;
    return own.port == addr->port && own.family == addr->family && memcmp(own.bytes, addr->bytes, 16) == 0;
}

/* 0 connected, EINPROGRESS, or what failed. */
static int lane_connect(struct race_lane *lane, const struct rqv_addr *addr)
{
    struct sockaddr_storage sa;
    socklen_t len = rqv_addr_to_sockaddr(addr, &sa);
    int one = 1;

    lane->addr = *addr;
    lane->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (lane->fd < 0)
        return errno;
    setsockopt(lane->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(lane->fd, (const struct sockaddr *)&sa, len) == 0)
        return 0;
    return errno == EINTR ? EINPROGRESS : errno; /* interrupted, it goes on all the same */
}

static int lane_outcome(struct race_lane *lane)
{
    socklen_t len = sizeof(int);
    int error = 0;

    if (getsockopt(lane->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (!error && is_self(lane->fd, &lane->addr))
        error = ECONNREFUSED;
    return error;
}

static void on_lane(void *owner, unsigned events)
{
    struct race_lane *lane = owner;
    struct race *race = lane->race;
    int error = lane_outcome(lane);

    (void)events;
    if (!error) {
        race_win(race, lane);
        return;
    }
    note_errno(race, &lane->addr, error);
    lane_close(lane);
    race_advance(race);
}

/* Starts one address: true when it is under way or has won. */
static bool start_one(struct race *race, struct race_lane *lane, const struct rqv_addr *addr)
{
    char rule[POLICY_WHY_MAX];
    int error, refused = race->public_only ? policy_check_redirect(race->conf, race->account, addr, rule)
                                           : policy_check_dial(race->conf, race->account, addr, rule);

    if (refused != 0) {
        race->refused_code = refused;
        if (!race->attempts)
            race->last = *addr;
        note(race, addr, rule);
        return false;
    }
    race->attempts++;
    race->last = *addr;
    error = lane_connect(lane, addr);
    if (error == 0)
        error = lane_outcome(lane);
    if (error == 0) {
        race_win(race, lane);
        return true;
    }
    if (error == EINPROGRESS) {
        loop_io_start(&lane->io, lane->fd, LOOP_WRITE);
        return true;
    }
    note_errno(race, addr, error);
    lane_close(lane);
    return false;
}

/* Into a free lane goes the next address that can be tried. */
static void race_advance(struct race *race)
{
    struct race_lane *lane = NULL;

    for (int i = 0; i < RACE_LANES && !lane; i++) {
        if (race->lanes[i].fd < 0)
            lane = &race->lanes[i];
    }
    if (!lane)
        return; /* the timer is set again when one ends */
    while (race->next < race->count) {
        if (start_one(race, lane, &race->addrs[race->next++])) {
            if (!race->over && race->next < race->count)
                loop_timer_at(&race->next_timer, loop_now_us(race->loop) + RACE_DELAY_US);
            return;
        }
    }
    if (!lanes_busy(race))
        race_lose(race);
}

static void on_next(void *owner)
{
    race_advance(owner);
}

/* ---- start and stop ---- */

void race_init(struct race *race, struct loop *loop, const struct conf *conf, const struct account *account)
{
    memset(race, 0, sizeof(*race));
    race->loop = loop;
    race->conf = conf;
    race->account = account;
    loop_timer_init(&race->next_timer, loop, on_next, race);
    for (int i = 0; i < RACE_LANES; i++) {
        race->lanes[i].race = race;
        race->lanes[i].fd = -1;
        loop_io_init(&race->lanes[i].io, loop, on_lane, &race->lanes[i]);
    }
}

void race_start(struct race *race, const struct rqv_addr *addrs, size_t count, race_fn fn, void *owner)
{
    race->fn = fn;
    race->owner = owner;
    interleave(race, addrs, count);
    race_advance(race);
}

void race_stop(struct race *race)
{
    race->over = true;
    loop_timer_stop(&race->next_timer);
    for (int i = 0; i < RACE_LANES; i++)
        lane_close(&race->lanes[i]);
}
