/* SPDX-License-Identifier: MIT */
/* test_peer - a program's connection, frame by frame, with users that the test makes up: what it may do, what
 * ends it, and what it can never do to others. */
#include "tests/lib/mini_program.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the first flight, ids ---- */

START_TEST(the_first_flight_is_one_write)
{
    struct world *w = world_open();
    struct client *c = client_open(w, 1000);
    static const uint8_t order[] = {RQV_WIRE_HELLO, RQV_WIRE_RESPONSE, RQV_WIRE_DATA, RQV_WIRE_DONE};

    put_hello(c);
    put_request(w, c, 1, 0);
    until(w, c, &c->dones, 1);
    ck_assert_mem_eq(c->order, order, sizeof order);
    ck_assert_int_eq(c->code, 0);
    ck_assert_uint_eq(c->body, 2);
    world_close(w);
}
END_TEST

START_TEST(frames_come_byte_by_byte)
{
    struct world *w = world_open();
    struct client *c = client_open(w, 1000);

    put_hello(c);
    put_request(w, c, 1, 0);
    for (size_t n = rqv_buf_len(&c->out); n > 0; n--) {
        ck_assert_int_eq(send(c->fd, rqv_buf_head(&c->out), 1, 0), 1);
        rqv_buf_consume(&c->out, 1);
        loop_task_queue(w->env.loop, &w->stop, LOOP_FREE);
        loop_run(w->env.loop);
    }
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, 0);
    world_close(w);
}
END_TEST

START_TEST(begun_comes_before_the_response)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    static const uint8_t order[] = {RQV_WIRE_HELLO, RQV_WIRE_BEGUN, RQV_WIRE_RESPONSE, RQV_WIRE_DATA,
                                    RQV_WIRE_DONE};

    put_request(w, c, 1, RQV_REQ_BEGUN);
    until(w, c, &c->dones, 1);
    ck_assert_mem_eq(c->order, order, sizeof order);
    world_close(w);
}
END_TEST

enum {
    NO_HELLO,
    HELLO_TWICE,
    ID_AGAIN,
    ID_BACK,
    DATA_UNKNOWN,
    CREDIT_UNKNOWN,
    CANCEL_UNKNOWN,
    DATA_AFTER_END,
    DATA_BEYOND,
    CREDIT_BEYOND,
    BODY_UNSAID,
    DAEMONS_FRAME,
    TYPE_UNKNOWN,
    LENGTH_HUGE,
    RESERVED_BITS,
    FAULTS
};

static void put_raw(struct client *c, uint32_t length, uint8_t type, uint64_t id, uint8_t reserved)
{
    uint8_t bytes[RQV_WIRE_HEADER];
    struct rqv_frame_header header = {.length = length, .type = type, .id = id};

    rqv_wire_put_header(bytes, &header);
    bytes[6] = reserved;
    ck_assert_int_eq(rqv_buf_append(&c->out, bytes, sizeof bytes), 0);
}

static void put_body_fault(struct world *w, struct client *c, int fault)
{
    static const char megabyte[65536];

    put_request(w, c, 6, RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED | RQV_REQ_EXPECT); /* nothing of it leaves */
    if (fault == DATA_AFTER_END) {
        rqv_wire_encode_data(&c->out, 6, RQV_FLAG_END, RQV_STR("x"));
        rqv_wire_encode_data(&c->out, 6, 0, RQV_STR("y"));
    }
    for (int i = 0; i < 17 && fault == DATA_BEYOND; i++)
        rqv_wire_encode_data(&c->out, 6, 0, (struct rqv_str){megabyte, sizeof megabyte});
    if (fault == CREDIT_BEYOND)
        rqv_wire_encode_credit(&c->out, 6, RQV_WIRE_CREDIT_MAX);
}

/* What the program does wrong; id 5 has been used. */
static void put_fault(struct world *w, struct client *c, int fault)
{
    static struct rqv_request_head head;

    switch (fault) {
    case HELLO_TWICE:
        put_hello(c);
        break;
    case NO_HELLO:
    case ID_AGAIN:
        put_request(w, c, 5, 0);
        break;
    case ID_BACK:
        put_request(w, c, 4, 0);
        break;
    case DATA_UNKNOWN:
        rqv_wire_encode_data(&c->out, 9, 0, RQV_STR("x"));
        break;
    case CREDIT_UNKNOWN:
        rqv_wire_encode_credit(&c->out, 9, 1);
        break;
    case CANCEL_UNKNOWN:
        rqv_wire_encode_empty(&c->out, RQV_WIRE_CANCEL, 9);
        break;
    case DATA_AFTER_END:
    case DATA_BEYOND:
    case CREDIT_BEYOND:
        put_body_fault(w, c, fault);
        break;
    case BODY_UNSAID:
        memset(&head, 0, sizeof head);
        head.method = RQV_STR("GET");
        head.url = rqv_str_from(w->url);
        rqv_wire_encode_request(&c->out, 6, 0, &head);
        break;
    case DAEMONS_FRAME:
        rqv_wire_encode_empty(&c->out, RQV_WIRE_BEGUN, 6);
        break;
    case TYPE_UNKNOWN:
        put_raw(c, 0, 200, 6, 0);
        break;
    case LENGTH_HUGE:
        put_raw(c, RQV_WIRE_PAYLOAD_MAX + 1, RQV_WIRE_DATA, 5, 0);
        break;
    default:
        put_raw(c, 0, RQV_WIRE_CANCEL, 5, 1);
    }
}

/* security.md B9-4: a violation ends the connection it came on; the other programs notice nothing. */
START_TEST(rule_b9_4_a_fault_closes_only_its_peer)
{
    struct world *w = world_open();
    struct client *good = greeted(w, 1000), *bad = client_open(w, 1000);

    if (_i != NO_HELLO) {
        put_hello(bad);
        put_request(w, bad, 5, 0);
        until(w, bad, &bad->dones, 1);
    }
    w->origin.on_whole = silence;
    put_request(w, good, 1, 0);
    flush(good);
    mini_env_until(&w->env, &w->origin.requests, _i == NO_HELLO ? 1 : 2);
    put_fault(w, bad, _i);
    until(w, bad, &bad->eof, 1);
    ck_assert_uint_eq(bad->goaways, 1);
    ck_assert_int_eq(bad->goaway_code, REQIVO_E_WIRE);
    ck_assert_uint_eq(w->ipc.violations, 1);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 1);
    ck_assert_uint_eq(good->dones + good->goaways + good->eof, 0);
    rqv_list_for_each (node, &w->origin.conns)
        if (RQV_LIST_OF(node, struct mini_conn, node)->requests > 0)
            mini_answer(RQV_LIST_OF(node, struct mini_conn, node));
    until(w, good, &good->dones, 1);
    ck_assert_int_eq(good->code, 0);
    world_close(w);
}
END_TEST

START_TEST(late_frames_are_harmless)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    put_request(w, c, 1, 0);
    until(w, c, &c->dones, 1);
    rqv_wire_encode_data(&c->out, 1, RQV_FLAG_END, RQV_STR("late"));
    rqv_wire_encode_credit(&c->out, 1, 5);
    rqv_wire_encode_empty(&c->out, RQV_WIRE_CANCEL, 1);
    put_request(w, c, 2, 0);
    until(w, c, &c->dones, 2);
    ck_assert_uint_eq(c->goaways + c->eof, 0);
    world_close(w);
}
END_TEST

START_TEST(a_cancel_is_done_once)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    w->origin.on_whole = silence;
    put_request(w, c, 1, 0);
    put_request(w, c, 2, 0);
    flush(c);
    mini_env_until(&w->env, &w->origin.requests, 2);
    for (int i = 0; i < 3; i++)
        rqv_wire_encode_empty(&c->out, RQV_WIRE_CANCEL, 1);
    until(w, c, &c->dones, 1);
    mini_env_ms(&w->env, 5);
    take(c);
    ck_assert_uint_eq(c->dones, 1);
    ck_assert_uint_eq(c->done_of[1], 1);
    ck_assert_int_eq(c->code, REQIVO_E_CANCELED);
    ck_assert_uint_eq(w->origin.open, 1);
    world_close(w);
}
END_TEST

START_TEST(an_impossible_request_is_done_too)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    snprintf(w->url, sizeof w->url, "gopher://127.0.0.1/");
    put_request(w, c, 1, 0);
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, REQIVO_E_URL);
    world_close(w);
}
END_TEST

/* ---- users ---- */

/* design.md: two uids never share a connection, two programs of one do. */
START_TEST(rule_b1_k1_users_do_not_share_programs_do)
{
    struct world *w = world_open();
    struct client *one = greeted(w, 1000), *same = greeted(w, 1000), *other = greeted(w, 1001);

    put_request(w, one, 1, 0);
    until(w, one, &one->dones, 1);
    put_request(w, same, 1, 0);
    until(w, same, &same->dones, 1);
    ck_assert_uint_eq(w->origin.accepted, 1);
    put_request(w, other, 1, 0);
    until(w, other, &other->dones, 1);
    ck_assert_uint_eq(w->origin.accepted, 2);
    world_close(w);
}
END_TEST

/* security.md B9-9: who is gone holds nothing, in the same turn. */
START_TEST(rule_b9_9_who_dies_gives_all_back)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);

    w->origin.on_whole = silence;
    w->env.conf.pool_connections = 2;
    for (uint64_t id = 1; id <= 6; id++)
        put_request(w, c, id, 0);
    flush(c);
    mini_env_until(&w->env, &w->origin.requests, 2);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_REQUESTS], 6);
    close(c->fd);
    c->fd = -1;
    mini_env_until(&w->env, &w->origin.ended, 2);
    for (int kind = ACCOUNT_REQUESTS; kind < ACCOUNT_KINDS; kind++)
        ck_assert_uint_eq(w->env.account->used[kind], 0);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 0);
    world_close(w);
}
END_TEST

/* A budget of one item: the circle still goes round once a turn, so both users have had one after the first,
 * however many programs one of them has. */
START_TEST(rule_b10_1_users_take_turns)
{
    struct world *w = world_open();

    w->env.accounts.budget = 1;
    for (int i = 0; i < 50; i++) {
        struct client *c = client_open(w, 1000);
        put_hello(c);
        put_request(w, c, 1, 0);
        flush(c);
    }
    struct client *other = client_open(w, 1001);
    put_hello(other);
    put_request(w, other, 1, 0);
    flush(other);
    loop_task_queue(w->env.loop, &w->stop, LOOP_FREE);
    loop_run(w->env.loop);
    ck_assert_uint_eq(other->peer->last_id, 1);
    unsigned served = 0;
    for (int i = 0; i < 50; i++)
        served += w->clients[i].peer->last_id == 1;
    ck_assert_uint_eq(served, 1);
    until(w, other, &other->dones, 1);
    world_close(w);
}
END_TEST

/* What a user keeps goes a set time after the last program, not sooner because he was away before. */
START_TEST(connections_linger_after_the_last_program)
{
    struct world *w = world_open();

    w->env.conf.linger_ms = 400;
    for (unsigned round = 0; round < 2; round++) {
        struct client *c = greeted(w, 3000);
        put_request(w, c, 1, 0);
        until(w, c, &c->dones, 1);
        client_done(c);
        mini_env_ms(&w->env, 300); /* a sweep is among it */
        ck_assert_uint_eq(w->origin.open, 1);
        mini_env_until(&w->env, &w->origin.ended, round + 1);
        mini_env_ms(&w->env, 700); /* the pool goes, and with it the last hold on the account */
    }
    world_close(w);
}
END_TEST

/* ---- slow readers ---- */

#define LARGE (3u << 20)

static char *large_answer(void)
{
    static char answer[LARGE + 128];
    int n = snprintf(answer, 128, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", LARGE);

    memset(answer + n, 'z', LARGE);
    answer[n + (int)LARGE] = '\0';
    return answer;
}

/* security.md B9-8: eight large responses with all the credit there is, and not a byte taken. */
START_TEST(rule_b9_8_a_slow_reader_costs_its_window)
{
    struct world *w = world_open();
    struct client *slow = greeted(w, 1000), *quick = greeted(w, 1001);

    w->origin.answer = large_answer();
    for (uint64_t id = 1; id <= 8; id++) {
        put_request(w, slow, id, 0);
        rqv_wire_encode_credit(&slow->out, id, 1 << 30);
    }
    flush(slow);
    mini_env_until(&w->env, &w->origin.requests, 8);
    mini_env_ms(&w->env, 50);
    ck_assert_uint_le(queue_len(&slow->peer->out), PEER_OUT_HIGH + 65536);
    ck_assert_uint_le(w->env.account->used[ACCOUNT_MEMORY], 2u << 20);
    w->origin.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    put_request(w, quick, 1, 0);
    until(w, quick, &quick->dones, 1);
    ck_assert_uint_eq(slow->dones, 0);
    until(w, slow, &slow->dones, 8);
    ck_assert_uint_eq(slow->body, 8u * LARGE);
    world_close(w);
}
END_TEST

#define QUESTIONS 3600 /* all of them fit into one read */

/* Far more questions than answers fit: those that lie unserved are served when room comes, all of them. */
START_TEST(rule_b9_7_what_is_put_off_is_not_forgotten)
{
    struct world *w = world_open();
    struct client *c = greeted(w, geteuid()); /* who sees all: long answers */

    for (uint64_t id = 1; id <= QUESTIONS; id++)
        rqv_wire_encode_query(&c->out, id, RQV_QUERY_STATUS);
    flush(c);
    mini_env_ms(&w->env, 50);
    ck_assert_uint_le(queue_len(&c->peer->out), PEER_OUT_HIGH + PEER_FRAMES * 4096);
    ck_assert_uint_lt(c->peer->last_id, QUESTIONS);
    until(w, c, &c->dones, QUESTIONS);
    ck_assert_uint_eq(c->infos, QUESTIONS);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("peer");
    TCase *faults = tcase_create("faults");

    UNIT_TCASE(s, "frames", the_first_flight_is_one_write, frames_come_byte_by_byte,
               begun_comes_before_the_response, late_frames_are_harmless, a_cancel_is_done_once,
               an_impossible_request_is_done_too);
    tcase_set_timeout(faults, 60);
    tcase_add_loop_test(faults, rule_b9_4_a_fault_closes_only_its_peer, 0, FAULTS);
    suite_add_tcase(s, faults);
    UNIT_TCASE(s, "users", rule_b1_k1_users_do_not_share_programs_do, rule_b9_9_who_dies_gives_all_back,
               rule_b10_1_users_take_turns, connections_linger_after_the_last_program);
    UNIT_TCASE(s, "slow", rule_b9_8_a_slow_reader_costs_its_window,
               rule_b9_7_what_is_put_off_is_not_forgotten);
    return s;
}

UNIT_MAIN(suite)
