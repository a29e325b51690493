/* SPDX-License-Identifier: MIT */
/* test_peer_limits - programs that cost more than they should: long lists, descriptors passed along, no
 * memory left, crowds at the door. */
#include "tests/lib/mini_program.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/un.h>

static void one_turn(struct world *w)
{
    loop_task_queue(w->env.loop, &w->stop, LOOP_FREE);
    loop_run(w->env.loop);
}

/* ---- lists ---- */

#define POOLS 900

static struct pool *pool_of(struct world *w, struct account *account, unsigned number)
{
    struct key key = {.len = sizeof number};
    struct pool_params params = {.key = &key, .host = "127.0.0.1", .port = 1, .account = account};
    struct pool *pool;

    memcpy(key.bytes, &number, sizeof number);
    ck_assert_int_eq(pool_new(&w->env.origins, &params, &pool), 0);
    return pool;
}

static void pools_free(struct pool **pools, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pool_free(&pools[i]);
}

static void ask(struct client *c, uint64_t id, uint16_t verb)
{
    ck_assert_int_eq(rqv_wire_encode_query(&c->out, id, verb), 0);
}

/* Turn by turn, with one item each: how many rows at most came in one. */
static unsigned rows_of_turns(struct world *w, struct client *c, const unsigned *counter, unsigned least)
{
    unsigned most = 0;

    w->env.accounts.budget = w->ipc.control_accounts.budget = 1;
    for (unsigned turns = 0; turns < POOLS && *counter < least; turns++) {
        unsigned before = c->infos;
        one_turn(w);
        take(c);
        most = c->infos - before > most ? c->infos - before : most;
    }
    ck_assert_uint_ge(*counter, least);
    return most;
}

/* A list takes many turns; pools that go meanwhile, also the one that is next, do it no harm; what was asked
 * behind it waits for its end. */
START_TEST(rule_b10_1_a_list_is_sent_in_pieces)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    struct pool *pools[POOLS];
    unsigned expected;

    for (unsigned i = 0; i < POOLS; i++)
        pools[i] = pool_of(w, w->env.account, i);
    ask(c, 1, RQV_QUERY_POOLS);
    ask(c, 2, RQV_QUERY_POOLS);
    put_request(w, c, 3, 0);
    flush(c);
    ck_assert_uint_le(rows_of_turns(w, c, &c->infos, 100), 8);
    ck_assert_uint_eq(c->dones, 0);
    unsigned next = POOLS - 1 - c->infos; /* the newest comes first */
    pool_free(&pools[next]);
    pool_free(&pools[next + 1]);
    pool_free(&pools[next - 2]);
    pool_free(&pools[0]);
    expected = POOLS - 3;
    ck_assert_uint_le(rows_of_turns(w, c, &c->dones, 1), 8);
    ck_assert_uint_eq(c->infos, expected);
    ck_assert_uint_eq(c->responses, 0);
    ck_assert_uint_le(rows_of_turns(w, c, &c->dones, 2), 8);
    ck_assert_uint_eq(c->infos, expected + POOLS - 4);
    until(w, c, &c->dones, 3);
    ck_assert_uint_eq(c->responses, 1);
    pools_free(pools, POOLS);
    world_close(w);
}
END_TEST

/* Each sees his own; who may see all gets them in pieces as well. */
START_TEST(rule_b10_1_a_list_of_all_is_sent_in_pieces)
{
    struct world *w = world_open();
    struct client *all = greeted_control(w, geteuid()), *mine = greeted(w, 1001), *none = greeted(w, 1002);
    struct pool *pools[POOLS];
    struct account *other;

    ck_assert_int_eq(account_get(&w->env.accounts, 1001, &other), 0);
    for (unsigned i = 0; i < POOLS; i++)
        pools[i] = pool_of(w, i % 3 ? w->env.account : other, i);
    ask(all, 1, RQV_QUERY_POOLS);
    ask(mine, 1, RQV_QUERY_POOLS);
    ask(none, 1, RQV_QUERY_POOLS);
    flush(mine);
    flush(none);
    flush(all);
    ck_assert_uint_le(rows_of_turns(w, all, &all->dones, 1), 8);
    ck_assert_uint_eq(all->infos, POOLS);
    until(w, mine, &mine->dones, 1);
    ck_assert_uint_eq(mine->infos, POOLS / 3);
    until(w, none, &none->dones, 1);
    ck_assert_uint_eq(none->infos, 0);
    pools_free(pools, POOLS);
    account_release(&other);
    world_close(w);
}
END_TEST

/* Nobody reads: the list stops at what a program's queue may hold, and a program that goes leaves nothing. */
START_TEST(rule_b9_7_a_list_that_is_not_read_waits)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    struct pool *pools[POOLS];
    size_t before;

    for (unsigned i = 0; i < POOLS; i++)
        pools[i] = pool_of(w, w->env.account, i);
    before = w->env.account->used[ACCOUNT_MEMORY];
    for (uint64_t id = 1; id <= 20; id++)
        ask(c, id, RQV_QUERY_POOLS);
    flush(c);
    mini_env_ms(&w->env, 50);
    ck_assert_ptr_nonnull(c->peer->extra->query);
    ck_assert_uint_le(queue_len(&c->peer->out), PEER_OUT_HIGH + 8 * 4096);
    client_done(c);
    for (int i = 0; i < 1000 && ipc_programs(&w->ipc) > 0; i++)
        mini_env_ms(&w->env, 1);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 0);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_MEMORY], before);
    ck_assert_uint_eq(w->env.account->rolls[ROLL_POOLS].count, POOLS);
    pools_free(pools, POOLS);
    ck_assert(rqv_list_empty(&w->env.account->rolls[ROLL_POOLS].list));
    world_close(w);
}
END_TEST

/* A question ends the turn of its program. */
START_TEST(rule_b10_1_a_question_is_a_turn)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    for (uint64_t id = 1; id <= 10; id++)
        ask(c, id, RQV_QUERY_STATUS);
    flush(c);
    ck_assert_uint_eq(rows_of_turns(w, c, &c->dones, 10), 1);
    world_close(w);
}
END_TEST

START_TEST(a_list_ends_with_the_daemon)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    struct pool *pools[POOLS];

    for (unsigned i = 0; i < POOLS; i++)
        pools[i] = pool_of(w, w->env.account, i);
    ask(c, 1, RQV_QUERY_POOLS);
    flush(c);
    rows_of_turns(w, c, &c->infos, 10);
    ipc_done(&w->ipc);
    take(c);
    ck_assert_uint_eq(c->done_of[1], 1);
    ck_assert_int_eq(c->code, REQIVO_E_SHUTDOWN);
    pools_free(pools, POOLS);
    world_close(w);
}
END_TEST

/* ---- descriptors ---- */

static unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* A TCP socket whose close blocks for ten minutes, when it is the last one. */
static int bomb_of(int *ret_sink)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger linger = {1, 600};
    socklen_t len = sizeof sin;
    static char bytes[65536];
    int sink = socket(AF_INET, SOCK_STREAM, 0), bomb = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

    setsockopt(sink, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    ck_assert_int_eq(bind(sink, (struct sockaddr *)&sin, sizeof sin), 0);
    ck_assert_int_eq(listen(sink, 4), 0);
    getsockname(sink, (struct sockaddr *)&sin, &len);
    ck_assert_int_eq(connect(bomb, (struct sockaddr *)&sin, sizeof sin), 0);
    while (send(bomb, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    setsockopt(bomb, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    *ret_sink = sink;
    return bomb;
}

/* With the first byte of what is sent; our own copy goes. */
static void pass_bomb(int via, int flags, int *ret_sink)
{
    int bomb = bomb_of(ret_sink);
    union {
        char bytes[CMSG_SPACE(sizeof bomb)];
        struct cmsghdr align;
    } control;
    struct iovec iov = {"x", 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof bomb);
    memcpy(CMSG_DATA(cmsg), &bomb, sizeof bomb);
    ck_assert_int_eq(sendmsg(via, &msg, flags | MSG_NOSIGNAL), 1);
    close(bomb);
}

enum { BEHIND_HELLO, URGENT, AT_ITS_END, PASSINGS };

/* security.md B9-11, on a kernel that does not refuse them: each would hold up its closer for ten minutes. */
START_TEST(rule_b9_11_what_lingers_holds_up_nobody)
{
    struct world *w = world_open();
    unsigned before = descriptors();
    struct client *good = greeted(w, 1001);
    int sinks[70];

    w->ipc.fds.loose = true;
    for (int i = 0; i < 70; i++) { /* more than one thread takes */
        struct client *bad = _i == AT_ITS_END ? greeted(w, 1000) : client_open(w, 1000);
        fds_accepted(&w->ipc.fds, bad->peer->io.fd);
        put_hello(bad);
        if (_i == BEHIND_HELLO)
            flush(bad);
        pass_bomb(bad->fd, _i == URGENT ? MSG_OOB : 0, &sinks[i]);
        if (_i == URGENT)
            flush(bad);
        if (_i == AT_ITS_END)
            peer_close(bad->peer, "test");
    }
    for (int i = 0; i < 5000 && w->env.account->used[ACCOUNT_PEERS] > 0; i++)
        mini_env_ms(&w->env, 1);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_PEERS], 0);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 1);
    put_request(w, good, 1, 0);
    until(w, good, &good->dones, 1);
    for (unsigned i = 1; i < w->count; i++) {
        until(w, &w->clients[i], &w->clients[i].eof, 1);
        client_done(&w->clients[i]);
        close(sinks[i - 1]);
    }
    mini_env_ms(&w->env, 1);
    ck_assert_uint_le(descriptors(), before + 6); /* the good one's */
    world_close(w);
}
END_TEST

static int knock(struct world *w)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", w->env.conf.socket);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof sun), 0);
    return fd;
}

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* A connection that is refused, and one that nobody has accepted when the daemon ends. */
START_TEST(rule_b9_11_a_refused_one_holds_up_nobody)
{
    struct world *w = world_open();
    int on = 1, sinks[40];

    w->ipc.fds.loose = true;
    (void)setsockopt(w->ipc.data.accept.fd, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof on);
    w->env.accounts.limit_all[ACCOUNT_PEERS] = _i == 0 ? 0 : 100;
    for (int i = 0; i < 40; i++) {
        w->clients[i].fd = knock(w);
        rqv_buf_init(&w->clients[i].in, 1 << 16);
        w->count++;
        pass_bomb(w->clients[i].fd, 0, &sinks[i]);
    }
    if (_i == 1)
        ipc_drain(&w->ipc);
    for (int i = 0; i < 40; i++) {
        until(w, &w->clients[i], &w->clients[i].eof, 1);
        close(sinks[i]);
    }
    for (int i = 0; i < 5000 && fds_busy(&w->ipc.fds);
         i++) /* the program's end comes before the thread's mail */
        mini_env_ms(&w->env, 1);
    ck_assert(!fds_busy(&w->ipc.fds));
    ck_assert_uint_eq(w->ipc.refused, _i == 0 ? 40 : 0);
    world_close(w);
}
END_TEST

START_TEST(honest_bytes_pass_where_descriptors_may_come)
{
    struct world *w = world_open();

    w->ipc.fds.loose = true;
    struct client *c = greeted(w, 1000);
    for (uint64_t id = 1; id <= 200; id++)
        put_request(w, c, id, 0);
    until(w, c, &c->dones, 200);
    ck_assert_int_eq(c->code, 0);
    put_request(w, c, 201, 0);
    flush(c); /* it goes, unread bytes and all */
    client_done(c);
    for (int i = 0; i < 1000 && ipc_programs(&w->ipc) > 0; i++)
        mini_env_ms(&w->env, 1);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 0);
    world_close(w);
}
END_TEST

/* ---- memory ---- */

#define HALF 8 /* bytes of a frame's header: the rest of the frame is waited for, in a block */

/* Programs of uid 1000 with half a frame each, and not a byte of memory left for the other half. */
static void make_hungry(struct world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct client *c = greeted(w, 1000);
        put_request(w, c, 1, 0);
        ck_assert_int_eq(send(c->fd, rqv_buf_head(&c->out), HALF, 0), HALF);
        rqv_buf_consume(&c->out, HALF);
    }
    mini_env_ms(&w->env, 2);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = w->env.account->used[ACCOUNT_MEMORY];
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(send(w->clients[i].fd, rqv_buf_head(&w->clients[i].out), 1, 0), 1);
    for (unsigned i = 0; i < count; i++)
        rqv_buf_consume(&w->clients[i].out, 1);
}

/* It is not read from any more, and yet its end is noticed; what it held is free. */
START_TEST(rule_b9_9_who_dies_hungry_gives_all_back)
{
    struct world *w = world_open();
    size_t limit = w->env.accounts.limit_uid[ACCOUNT_MEMORY];

    make_hungry(w, 3);
    for (int i = 0; i < 1000 && !w->clients[2].peer->hungry; i++)
        mini_env_ms(&w->env, 1);
    for (int i = 0; i < 3; i++)
        client_done(&w->clients[i]);
    for (int i = 0; i < 3000 && ipc_programs(&w->ipc) > 0; i++)
        mini_env_ms(&w->env, 1);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 0);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_MEMORY], 0);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = limit;
    world_close(w);
}
END_TEST

static unsigned hungry_turns(const struct world *w, unsigned count)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < count; i++)
        sum += w->clients[i].peer->hungry_ticks;
    return sum;
}

/* However many wait for memory, few are looked at in one turn; all of them are in time, and go on. */
START_TEST(rule_b10_1_hungry_programs_take_turns)
{
    struct world *w = world_open();
    size_t limit = w->env.accounts.limit_uid[ACCOUNT_MEMORY];
    unsigned most = 0, sum = 0;
    enum { HUNGRY = 300 };

    make_hungry(w, HUNGRY);
    for (int i = 0; i < 10000000 && sum < 3 * HUNGRY; i++) { /* the clock decides, not the count */
        one_turn(w);
        unsigned now = hungry_turns(w, HUNGRY);
        most = now - sum > most ? now - sum : most;
        sum = now;
    }
    ck_assert_uint_ge(sum, 3 * HUNGRY);
    ck_assert_uint_le(most, 64);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = limit;
    for (unsigned i = 0; i < HUNGRY; i++)
        until(w, &w->clients[i], &w->clients[i].dones, 1);
    ck_assert(rqv_list_empty(&w->ipc.hungry_peers));
    world_close(w);
}
END_TEST

/* Bodies that wait for a connection hold the memory that others need: one of them ends. */
START_TEST(rule_b9_6_a_body_that_waits_makes_room)
{
    struct world *w = world_open();
    static const char body[60000];

    w->env.conf.pool_connections = 1;
    w->origin.on_whole = silence;
    struct client *c = greeted(w, 1000);
    put_request(w, c, 1, 0);
    put_request(w, c, 2, RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
    put_request(w, c, 3, RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
    rqv_wire_encode_data(&c->out, 2, 0, (struct rqv_str){body, 1000});
    rqv_wire_encode_data(&c->out, 3, 0, (struct rqv_str){body, sizeof body});
    flush(c);
    mini_env_until(&w->env, &w->origin.requests, 1);
    struct client *other = greeted(w, 1000);
    put_request(w, other, 1, RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
    ck_assert_int_eq(send(other->fd, rqv_buf_head(&other->out), HALF, 0), HALF);
    rqv_buf_consume(&other->out, HALF);
    mini_env_ms(&w->env, 2);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = w->env.account->used[ACCOUNT_MEMORY];
    flush(other);
    until(w, c, &c->dones, 1);
    ck_assert_uint_eq(c->done_of[3], 1); /* the larger one */
    ck_assert_int_eq(c->code, REQIVO_E_LIMIT_MEMORY);
    world_close(w);
}
END_TEST

static void announce(struct client *c, uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++)
        ck_assert_int_eq(rqv_wire_encode_trust(&c->out, id, RQV_WIRE_TRUST_MAX), 0);
}

/* An announcement costs what is kept of it, not what is announced; the certificates, what has come of them.
 */
START_TEST(rule_b9_6_a_set_of_certificates_is_charged_as_it_comes)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    const size_t *used = &w->env.account->used[ACCOUNT_MEMORY];
    static const char piece[1000];

    mini_env_ms(&w->env, 2);
    size_t before = *used;
    announce(c, 1, 8);
    flush(c);
    mini_env_ms(&w->env, 2);
    size_t announced = *used;
    ck_assert_uint_ge(announced - before, 8 * 200);
    ck_assert_uint_le(announced - before, 8 * 1024);
    for (uint64_t id = 1; id <= 8; id++)
        rqv_wire_encode_data(&c->out, id, 0, (struct rqv_str){piece, sizeof piece});
    flush(c);
    mini_env_ms(&w->env, 2);
    ck_assert_uint_ge(*used - announced, 8 * sizeof piece);
    client_done(c);
    for (int i = 0; i < 1000 && ipc_programs(&w->ipc) > 0; i++)
        mini_env_ms(&w->env, 1);
    ck_assert_uint_eq(*used, 0);
    world_close(w);
}
END_TEST

/* ---- the door ---- */

/* A burst of honest programs of one user while the daemon is slow: none of them is a silent one, and no more
 * are let in than are served. */
START_TEST(rule_b9_2_a_burst_is_not_silent)
{
    struct world *w = world_open();
    enum { BURST = 390 };

    w->env.accounts.budget = 1;
    for (unsigned i = 0; i < BURST; i++) {
        struct client *c = &w->clients[w->count++];
        c->fd = knock(w);
        rqv_buf_init(&c->in, 1 << 16);
        rqv_buf_init(&c->out, 1 << 16);
        put_hello(c);
        flush(c);
    }
    for (unsigned turns = 0; turns < 3 * BURST; turns++) {
        one_turn(w);
        ck_assert_uint_le(w->ipc.data.fresh, 64);
    }
    for (unsigned i = 0; i < BURST; i++)
        until(w, &w->clients[i], &w->clients[i].hellos, 1);
    ck_assert_uint_eq(w->ipc.refused, 0);
    world_close(w);
}
END_TEST

/* Those that had their turn and said nothing are counted, and no longer when they speak or go. */
START_TEST(rule_b9_2_the_silent_are_counted)
{
    struct world *w = world_open();
    enum { SILENT = 340 }; /* more than are counted and those who had no turn yet */

    for (unsigned i = 0; i < SILENT; i++) {
        struct client *c = &w->clients[w->count++];
        c->fd = knock(w);
        rqv_buf_init(&c->in, 1 << 16);
        rqv_buf_init(&c->out, 1 << 16);
    }
    for (int i = 0; i < 1000 && ipc_programs(&w->ipc) + w->ipc.refused < SILENT; i++)
        mini_env_ms(&w->env, 1);
    ck_assert_uint_ge(ipc_programs(&w->ipc), 256);
    ck_assert_uint_le(ipc_programs(&w->ipc), 256 + 64);
    ck_assert_uint_ge(w->ipc.refused, 1);
    for (unsigned i = 0; i < 100; i++)
        put_hello(&w->clients[i]);
    for (unsigned i = 0; i < 100; i++)
        until(w, &w->clients[i], &w->clients[i].hellos, 1);
    for (unsigned i = 100; i < SILENT; i++)
        client_done(&w->clients[i]);
    for (int i = 0; i < 1000 && ipc_programs(&w->ipc) > 100; i++)
        mini_env_ms(&w->env, 1);
    struct account *account;
    ck_assert_int_eq(account_get(&w->env.accounts, geteuid(), &account), 0);
    ck_assert_uint_eq(account->silent, 0);
    account_release(&account);
    ck_assert_uint_eq(w->ipc.data.fresh, 0);
    world_close(w);
}
END_TEST

/* ---- descriptors that run out ---- */

#define CROWD 40

/* The lowest number that is free becomes the limit: what is open goes on, nothing new can be opened. */
static struct rlimit no_more_descriptors(void)
{
    struct rlimit old, none;
    int free_fd = dup(0);

    close(free_fd);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = (rlim_t)free_fd;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    return old;
}

static void run_ms(struct world *w, unsigned ms) /* with nothing of the test's own in the loop meanwhile */
{
    struct loop_timer end;

    loop_timer_init(&end, w->env.loop, on_stop, w->env.loop);
    loop_timer_at(&end, loop_now_us(w->env.loop) + ms * UINT64_C(1000));
    loop_run(w->env.loop);
    loop_timer_stop(&end);
}

/* EMFILE with a crowd in the backlog: the listener rests, so the loop does not spin; what goes on goes on;
 * the crowd is let in once there are descriptors. */
START_TEST(rule_b10_2_without_descriptors_the_door_rests)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    struct loop_stats before, after;

    put_request(w, c, 1, 0);
    until(w, c, &c->dones, 1);
    for (unsigned i = 0; i < CROWD; i++) {
        struct client *one = &w->clients[w->count++];
        one->fd = knock(w);
        rqv_buf_init(&one->in, 1 << 16);
        rqv_buf_init(&one->out, 1 << 16);
        put_hello(one);
        flush(one);
    }
    struct rlimit old = no_more_descriptors();
    loop_stats(w->env.loop, &before);
    run_ms(w, 350);
    loop_stats(w->env.loop, &after);
    ck_assert_uint_le(after.turns - before.turns,
                      40); /* four rests and some timers, not thousands of attempts */
    ck_assert_uint_eq(ipc_programs(&w->ipc), 1);
    put_request(w, c, 2, 0);
    until(w, c, &c->dones, 2);
    ck_assert_int_eq(c->code, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (unsigned i = 1; i <= CROWD; i++)
        until(w, &w->clients[i], &w->clients[i].hellos, 1);
    ck_assert_uint_eq(w->ipc.refused, 0);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("peer_limits");
    TCase *fds = tcase_create("descriptors");

    UNIT_TCASE(s, "lists", rule_b10_1_a_list_is_sent_in_pieces, rule_b10_1_a_list_of_all_is_sent_in_pieces,
               rule_b9_7_a_list_that_is_not_read_waits, rule_b10_1_a_question_is_a_turn,
               a_list_ends_with_the_daemon);
    tcase_set_timeout(fds, 60);
    tcase_add_loop_test(fds, rule_b9_11_what_lingers_holds_up_nobody, 0, PASSINGS);
    tcase_add_loop_test(fds, rule_b9_11_a_refused_one_holds_up_nobody, 0, 2);
    tcase_add_test(fds, honest_bytes_pass_where_descriptors_may_come);
    suite_add_tcase(s, fds);
    UNIT_TCASE(s, "memory", rule_b9_9_who_dies_hungry_gives_all_back, rule_b10_1_hungry_programs_take_turns,
               rule_b9_6_a_body_that_waits_makes_room,
               rule_b9_6_a_set_of_certificates_is_charged_as_it_comes);
    UNIT_TCASE(s, "door", rule_b9_2_a_burst_is_not_silent, rule_b9_2_the_silent_are_counted,
               rule_b10_2_without_descriptors_the_door_rests);
    return s;
}

UNIT_MAIN(suite)
