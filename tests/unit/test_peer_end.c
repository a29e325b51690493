/* SPDX-License-Identifier: MIT */
/* test_peer_end - how the daemon parts from a program: it drains, or the program's user has another account
 * now. What was begun ends, what was not is handed back, and nothing that was written goes unread. */
#include "daemon/base/policies.h"
#include "tests/lib/mini_program.h"
#include "tests/lib/mini_ws.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the daemon drains ---- */

START_TEST(a_drain_hands_back_what_was_not_started)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    w->env.conf.pool_connections = 1;
    w->origin.on_whole = silence;
    for (uint64_t id = 1; id <= 3; id++)
        put_request(w, c, id, 0);
    flush(c);
    mini_env_until(&w->env, &w->origin.requests, 1);
    ipc_drain(&w->ipc);
    until(w, c, &c->goaways, 1);
    ck_assert_int_eq(c->goaway_code, REQIVO_E_SHUTDOWN);
    ck_assert_uint_eq(c->listed, 2);
    ck_assert_uint_eq(c->listed_ids[0] + c->listed_ids[1], 5);
    put_request(w, c, 4, 0); /* it crossed GOAWAY */
    until(w, c, &c->goaways, 2);
    ck_assert_uint_eq(c->listed, 3);
    ck_assert_uint_eq(c->listed_ids[2], 4);
    mini_answer(mini_last(&w->origin));
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, 0);
    loop_run(w->env.loop); /* ends by itself: all is quiet */
    ck_assert_uint_eq(c->dones, 1);
    world_close(w);
}
END_TEST

/* HELLO, GOAWAY, and what was read handed back. */
static void was_handed_back(const struct client *c)
{
    const uint8_t order[] = {RQV_WIRE_HELLO, RQV_WIRE_GOAWAY, RQV_WIRE_GOAWAY};

    ck_assert_uint_eq(c->frames, sizeof order);
    ck_assert_mem_eq(c->order, order, sizeof order);
    ck_assert_int_eq(c->goaway_code, REQIVO_E_SHUTDOWN);
    ck_assert_uint_eq(c->listed, 1);
    ck_assert_uint_eq(c->listed_ids[0], 1);
}

START_TEST(a_drain_greets_who_is_silent)
{
    struct world *w = world_open();
    struct client *busy = greeted(w, 1000), *c = client_open(w, 1000), *mute = client_open(w, 1000);

    w->env.conf.drain_ms = 10000;
    w->origin.on_whole = silence;
    put_request(w, busy, 1, 0);
    flush(busy);
    mini_env_until(&w->env, &w->origin.requests, 1);
    put_hello(c);
    put_request(w, c, 1, 0);
    flush(c);
    ipc_drain(&w->ipc);
    until(w, busy, &busy->goaways, 1);
    until(w, c, &c->eof, 1);
    was_handed_back(c);
    until(w, mute, &mute->eof, 1);
    ck_assert_uint_eq(mute->frames, 0); /* nothing before HELLO: wire.md 4 */
    world_close(w);
}
END_TEST

static bool takes_a_byte(const struct client *c)
{
    return send(c->fd, "", 1, MSG_NOSIGNAL) == 1;
}

/* As if a program were writing in this very moment: from the drain on it cannot, and what came before that
 * has not been read. In the second round the drain has no time, as after a second signal. */
START_TEST(rule_b11_3_what_was_written_is_read)
{
    enum { MANY = 3 * PEER_FRAMES };
    struct world *w = world_open();
    struct client *c = greeted(w, 1000), *busy = greeted(w, 1000);

    w->env.conf.drain_ms = 10000;
    w->origin.on_whole = silence;
    put_request(w, busy, 1, 0);
    flush(busy);
    mini_env_until(&w->env, &w->origin.requests, 1);
    for (uint64_t id = 1; id <= MANY; id++)
        put_request(w, c, id, 0);
    flush(c);
    ipc_drain(&w->ipc);
    ck_assert(!takes_a_byte(c));
    ck_assert(takes_a_byte(busy)); /* it may have credit to give, or to cancel something */
    if (_i == 0)
        until(w, c, &c->eof, 1);
    else
        ipc_done(&w->ipc);
    take(c);
    ck_assert_uint_eq(c->goaways, 1 + MANY);
    ck_assert_uint_eq(c->dones, 0);
    ck_assert_uint_eq(c->eof, 1);
    ck_assert_uint_eq(w->origin.requests, 1);
    world_close(w);
}
END_TEST

static int knock(const struct world *w)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", w->env.conf.socket);
    if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
        return fd;
    close(fd);
    return -1;
}

/* More than are accepted in one turn, each with its first flight; likewise in two rounds. */
START_TEST(rule_b11_3_the_backlog_is_sent_on)
{
    enum { MANY = 150 };
    struct world *w = world_open();

    w->env.conf.drain_ms = 10000;
    for (; w->count < MANY; w->count++) {
        struct client *c = &w->clients[w->count];
        rqv_buf_init(&c->in, 1 << 16);
        rqv_buf_init(&c->out, 1 << 16);
        c->fd = knock(w);
        ck_assert_int_ge(c->fd, 0);
        put_hello(c);
        put_request(w, c, 1, 0);
        flush(c);
    }
    ipc_drain(&w->ipc);
    ck_assert_int_lt(knock(w), 0);
    if (_i == 0)
        loop_run(w->env.loop); /* ends by itself: nobody is left */
    ipc_done(&w->ipc);
    for (unsigned i = 0; i < MANY; i++) {
        take(&w->clients[i]);
        was_handed_back(&w->clients[i]);
        ck_assert_uint_eq(w->clients[i].eof, 1);
    }
    ck_assert_uint_eq(w->origin.requests, 0);
    world_close(w);
}
END_TEST

START_TEST(a_drain_ends_by_its_time)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    w->env.conf.drain_ms = 30;
    w->origin.on_whole = silence;
    put_request(w, c, 1, 0);
    flush(c);
    mini_env_until(&w->env, &w->origin.requests, 1);
    ipc_drain(&w->ipc);
    loop_run(w->env.loop);
    ipc_done(&w->ipc);
    take(c);
    ck_assert_uint_eq(c->done_of[1], 1);
    ck_assert_int_eq(c->code, REQIVO_E_SHUTDOWN);
    ck_assert_uint_eq(c->eof, 1);
    world_close(w);
}
END_TEST

/* ---- the user moves ---- */

/* The configuration puts the user 1000 into a partition. */
static void move(struct world *w)
{
    struct policies *policies = calloc(1, sizeof *policies);

    policies->refs = policies->user_count = policies->partition_count = 1;
    policies->partitions = calloc(1, sizeof *policies->partitions);
    policies->users = calloc(1, sizeof *policies->users);
    policies->partitions[0] = (struct partition){.name = "web", .id = partition_id("web"), .first = 1000};
    policies->users[0] = (struct policy_user){.uid = 1000, .partition = 1};
    w->env.conf.policies = policies;
    accounts_configure(&w->env.accounts, &w->env.conf, 65536);
    ipc_repartition(&w->ipc);
}

/* His programs come back to the new account, what they have
 * begun ends under the old one, and nobody else hears of it. */
START_TEST(a_user_who_moves_is_sent_away)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000), *other = greeted(w, 1001);

    w->env.conf.pool_connections = 1;
    w->origin.on_whole = silence;
    for (uint64_t id = 1; id <= 3; id++)
        put_request(w, c, id, 0);
    flush(c);
    mini_env_until(&w->env, &w->origin.requests, 1);
    move(w);
    until(w, c, &c->goaways, 1);
    ck_assert_int_eq(c->goaway_code, REQIVO_E_SHUTDOWN);
    ck_assert_uint_eq(c->listed, 2);
    put_request(w, c, 4, 0);
    until(w, c, &c->goaways, 2);
    ck_assert_uint_eq(c->listed, 3);
    mini_answer(mini_last(&w->origin));
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, 0);
    ck_assert_uint_eq(other->goaways, 0);
    ck_assert_uint_ne(account_id_of(&w->env.accounts, 1000), 1000);
    policies_release(&w->env.conf.policies);
    world_close(w);
}
END_TEST

/* A program with a live WebSocket, whose user moves or whose daemon ends: the server hears 1001, the program
 * the end with its reason, and nothing more is opened on that connection. */
START_TEST(a_live_websocket_is_closed_well)
{
    static struct ws_world shaker;
    struct world *w = world_open();
    struct client *c = greeted(w, 1000), *other = greeted(w, 1001);
    const char *bytes;
    uint8_t first = 0;
    long len = -1;

    memset(&shaker, 0, sizeof shaker);
    w->env.conf.drain_ms = 10000;
    w->origin.user = &shaker;
    w->origin.on_whole = mini_shake;
    open_websocket(w, c, 1);
    until(w, c, &c->frames, 2); /* HELLO, and that it is open */
    struct mini_conn *conn = mini_last(&w->origin);
    if (_i == 0)
        move(w);
    else
        ipc_drain(&w->ipc);
    open_websocket(w, c, 2);
    until(w, c, &c->done_of[2], 1);
    ck_assert_int_eq(c->code, REQIVO_E_SHUTDOWN);
    for (int i = 0; i < 5000 && (len = mini_ws_frame(conn, &first, &bytes)) < 0; i++)
        mini_env_ms(&w->env, 1);
    ck_assert_int_eq(first, 0x88);
    ck_assert_int_ge(len, 2);
    ck_assert_mem_eq(bytes, "\x03\xe9", 2);
    ck_assert_uint_eq(c->done_of[1], 0);
    mini_ws_say(conn, 8, "\x03\xe9", 2);
    until(w, c, &c->done_of[1], 1);
    ck_assert_int_eq(c->code, REQIVO_E_SHUTDOWN);
    ck_assert_uint_eq(c->goaways, 1);
    ck_assert_uint_eq(other->goaways, 0);
    if (_i == 1)
        until(w, c, &c->eof, 1);
    ck_assert_uint_eq(c->eof, _i);
    ck_assert_uint_eq(shaker.handshakes, 1);
    policies_release(&w->env.conf.policies);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("peer_end");
    TCase *end = tcase_create("the last bytes"), *sockets = tcase_create("WebSockets");

    UNIT_TCASE(s, "end", a_drain_hands_back_what_was_not_started, a_drain_greets_who_is_silent,
               a_drain_ends_by_its_time);
    UNIT_TCASE(s, "moved", a_user_who_moves_is_sent_away);
    tcase_add_loop_test(end, rule_b11_3_what_was_written_is_read, 0, 2);
    tcase_add_loop_test(end, rule_b11_3_the_backlog_is_sent_on, 0, 2);
    suite_add_tcase(s, end);
    tcase_add_loop_test(sockets, a_live_websocket_is_closed_well, 0, 2);
    suite_add_tcase(s, sockets);
    return s;
}

UNIT_MAIN(suite)
