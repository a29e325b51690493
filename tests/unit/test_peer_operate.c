/* SPDX-License-Identifier: MIT */
/* test_peer_operate - OPERATE and PROCEED of a program, frame by frame: sessions and their cookies, redirects
 * that wait for it, and what ends them. */
#include "daemon/work/session.h"
#include "tests/lib/mini_program.h"
#include "tests/unit/unit.h"

static struct world *operate_open(void)
{
    struct world *w = world_open();

    ck_assert_int_eq(jar_suffixes_new(&w->env.exchanges.suffixes), 0);
    return w;
}

static void operate_close(struct world *w)
{
    struct psl_ctx_st *suffixes = w->env.exchanges.suffixes;

    world_close(w);
    jar_suffixes_free(suffixes);
}

static struct rqv_operation blank; /* large */

/* Sends it and waits for its DONE, whose code is the answer. */
static int operate(struct world *w, struct client *c, uint64_t id, const struct rqv_operation *operation)
{
    unsigned dones = c->dones;

    ck_assert_int_eq(rqv_wire_encode_operation(&c->out, id, operation), 0);
    flush(c);
    until(w, c, &c->dones, dones + 1);
    ck_assert_uint_eq(c->done_of[id], 1);
    return c->code;
}

static int simple(struct world *w, struct client *c, uint64_t id, enum rqv_operation_verb verb,
                  uint64_t target)
{
    struct rqv_operation operation = blank;

    operation.verb = (uint16_t)verb;
    operation.target = target;
    return operate(w, c, id, &operation);
}

static int add(struct world *w, struct client *c, uint64_t id, uint64_t target, const char *const lines[])
{
    struct rqv_operation operation = blank;

    operation.verb = RQV_OP_COOKIES_ADD;
    operation.target = target;
    for (; *lines; lines++)
        rqv_fields_add(&operation.head.fields, RQV_STR("cookie"), rqv_str_from(*lines));
    return operate(w, c, id, &operation);
}

static void request(struct world *w, struct client *c, uint64_t id, uint64_t session, uint32_t flags)
{
    static struct rqv_request_head head;

    memset(&head, 0, sizeof head);
    head.method = RQV_STR("GET");
    head.url = rqv_str_from(w->url);
    head.session_id = session;
    head.flags = flags;
    head.redirect_max = 5;
    ck_assert_int_eq(rqv_wire_encode_request(&c->out, id, RQV_FLAG_END, &head), 0);
    flush(c);
}

static const char *const lines[] = {"127.0.0.1\tFALSE\t/\tFALSE\t0\tone\t1",
                                    "example.org\tFALSE\t/\tTRUE\t0\ttwo\t2", NULL};

START_TEST(cookies_are_added_listed_and_cleared)
{
    static const char *const bad[] = {"example.net\tFALSE\t/\tTRUE\t0\tthree\t3", "no line at all", NULL};
    struct world *w = operate_open();
    struct client *c = greeted(w, 1000);

    ck_assert_int_eq(simple(w, c, 1, RQV_OP_SESSION_OPEN, 0), 0);
    ck_assert_int_eq(add(w, c, 2, 1, lines), 0);
    ck_assert_int_eq(add(w, c, 3, 1, bad), REQIVO_E_COOKIE);
    ck_assert_int_eq(simple(w, c, 4, RQV_OP_COOKIES_LIST, 1), 0);
    ck_assert_uint_eq(c->infos, 3);
    ck_assert_int_eq(simple(w, c, 5, RQV_OP_COOKIES_CLEAR, 1), 0);
    ck_assert_int_eq(simple(w, c, 6, RQV_OP_COOKIES_LIST, 1), 0);
    ck_assert_uint_eq(c->infos, 3);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_REQUESTS], 0);
    operate_close(w);
}
END_TEST

START_TEST(what_is_not_there)
{
    struct world *w = operate_open();
    struct client *c = greeted(w, 1000), *other = greeted(w, 1000);

    ck_assert_int_eq(simple(w, c, 1, RQV_OP_SESSION_OPEN, 0), 0);
    ck_assert_int_eq(simple(w, other, 1, RQV_OP_COOKIES_LIST, 1), REQIVO_E_SESSION); /* another's */
    ck_assert_int_eq(add(w, c, 2, 77, lines), REQIVO_E_SESSION);
    ck_assert_int_eq(simple(w, c, 3, RQV_OP_COOKIES_CLEAR, 0), REQIVO_E_SESSION);
    ck_assert_int_eq(simple(w, c, 4, (enum rqv_operation_verb)2, 1), REQIVO_E_VERSION);
    request(w, c, 5, 2, 0);
    until(w, c, &c->dones, 5);
    ck_assert_int_eq(c->code, REQIVO_E_SESSION);
    ck_assert_uint_eq(w->origin.requests, 0);
    ck_assert_uint_eq(c->goaways, 0);
    operate_close(w);
}
END_TEST

START_TEST(cancel_closes_a_session)
{
    struct world *w = operate_open();
    struct client *c = greeted(w, 1000);

    ck_assert_int_eq(simple(w, c, 1, RQV_OP_SESSION_OPEN, 0), 0);
    request(w, c, 2, 1, 0);
    ck_assert_int_eq(rqv_wire_encode_empty(&c->out, RQV_WIRE_CANCEL, 1), 0);
    flush(c);
    until(w, c, &c->dones, 2);
    ck_assert_int_eq(c->code, 0); /* it was begun before */
    request(w, c, 3, 1, 0);
    until(w, c, &c->dones, 3);
    ck_assert_int_eq(c->code, REQIVO_E_SESSION);
    ck_assert_uint_eq(c->done_of[1], 1);
    operate_close(w);
}
END_TEST

START_TEST(limit_of_sessions)
{
    struct world *w = operate_open();
    struct client *c = greeted(w, 1000);

    for (uint64_t id = 1; id <= SESSIONS_MAX; id++)
        ck_assert_int_eq(simple(w, c, id, RQV_OP_SESSION_OPEN, 0), 0);
    ck_assert_int_eq(simple(w, c, 2000, RQV_OP_SESSION_OPEN, 0), REQIVO_E_LIMIT_REQUESTS);
    ck_assert_int_eq(rqv_wire_encode_empty(&c->out, RQV_WIRE_CANCEL, 7), 0);
    ck_assert_int_eq(simple(w, c, 2001, RQV_OP_SESSION_OPEN, 0), 0);
    w->env.accounts.limit_uid[ACCOUNT_REQUESTS] = 0;
    ck_assert_int_eq(simple(w, c, 2002, RQV_OP_COOKIES_CLEAR, 1), REQIVO_E_LIMIT_REQUESTS);
    operate_close(w);
}
END_TEST

/* ---- HOP and PROCEED ---- */

static const char redirect[] = "HTTP/1.1 302 F\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";

static void redirect_once(struct mini_conn *conn)
{
    mini_say(conn, conn->origin->requests == 1 ? redirect : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static struct client *at_hop(struct world *w)
{
    struct client *c = greeted(w, 1000);

    w->origin.on_whole = redirect_once;
    request(w, c, 1, 0, RQV_REQ_ASK);
    until(w, c, &c->hops, 1);
    return c;
}

static void proceed(struct world *w, struct client *c, uint64_t id)
{
    static struct rqv_request_head head;

    memset(&head, 0, sizeof head);
    head.method = RQV_STR("GET");
    head.url = rqv_str_from(w->url);
    ck_assert_int_eq(rqv_wire_encode_proceed(&c->out, id, RQV_FLAG_END, &head), 0);
    flush(c);
}

START_TEST(a_hop_and_its_answer)
{
    struct world *w = operate_open();
    struct client *c = at_hop(w);

    ck_assert_uint_eq(c->dones, 0);
    proceed(w, c, 1);
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, 0);
    ck_assert_uint_eq(c->responses, 2);
    ck_assert_uint_eq(c->body, 2);
    proceed(w, c, 1); /* late, and harmless */
    ck_assert_int_eq(simple(w, c, 9, RQV_OP_SESSION_OPEN, 0), 0);
    operate_close(w);
}
END_TEST

START_TEST(rule_b9_4_an_answer_to_no_hop_closes_its_peer)
{
    struct world *w = operate_open();
    struct client *c = greeted(w, 1000);

    w->origin.on_whole = silence;
    request(w, c, 1, 0, 0);
    proceed(w, c, 1);
    until(w, c, &c->eof, 1);
    ck_assert_int_eq(c->goaway_code, REQIVO_E_WIRE);
    operate_close(w);
}
END_TEST

START_TEST(who_dies_at_a_hop_gives_all_back)
{
    struct world *w = operate_open();
    struct client *c = at_hop(w);

    ck_assert_int_eq(simple(w, c, 2, RQV_OP_SESSION_OPEN, 0), 0);
    ck_assert_int_eq(add(w, c, 3, 2, lines), 0);
    client_done(c);
    mini_env_ms(&w->env, 5);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 0);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_REQUESTS], 0);
    operate_close(w);
}
END_TEST

START_TEST(a_drain_with_a_hop_that_waits)
{
    struct world *w = operate_open();
    struct client *c = at_hop(w);

    w->env.conf.drain_ms = 50;
    ipc_drain(&w->ipc);
    if (_i == 0)
        proceed(w, c, 1); /* what was begun may end */
    loop_run(w->env.loop);
    ipc_done(&w->ipc);
    take(c);
    ck_assert_uint_eq(c->done_of[1], 1);
    ck_assert_int_eq(c->code, _i == 0 ? 0 : REQIVO_E_SHUTDOWN);
    operate_close(w);
}
END_TEST

/* ---- what plain requests never use ---- */

static void use_session(struct world *w, struct client *c, uint64_t id)
{
    struct rqv_operation operation = blank;

    (void)w;
    operation.verb = RQV_OP_SESSION_OPEN;
    ck_assert_int_eq(rqv_wire_encode_operation(&c->out, id, &operation), 0);
}

static void use_connection(struct world *w, struct client *c, uint64_t id)
{
    struct rqv_operation operation = blank;

    operation.verb = RQV_OP_CONNECTION_ACQUIRE;
    operation.head.url = rqv_str_from(w->url);
    ck_assert_int_eq(rqv_wire_encode_operation(&c->out, id, &operation), 0);
}

static void use_trust(struct world *w, struct client *c, uint64_t id)
{
    (void)w;
    ck_assert_int_eq(rqv_wire_encode_trust(&c->out, id, 100), 0);
}

static void use_query(struct world *w, struct client *c, uint64_t id)
{
    (void)w;
    ck_assert_int_eq(rqv_wire_encode_query(&c->out, id, RQV_QUERY_POOLS), 0);
}

static void (*const uses[])(struct world *, struct client *,
                            uint64_t) = {use_session, use_connection, use_trust, use_query, open_websocket};

/* No memory for that part: the program gets the limit's error, and goes on as it was. */
START_TEST(the_part_for_more_than_requests_is_made_when_it_is_used)
{
    struct world *w = operate_open();
    struct client *c = greeted(w, 1000);
    size_t limit = w->env.accounts.limit_uid[ACCOUNT_MEMORY];

    put_request(w, c, 1, 0);
    until(w, c, &c->dones, 1);
    ck_assert_int_eq(c->code, 0);
    ck_assert_ptr_eq(c->peer->extra, peer_extra_none());
    size_t before = account_memory(w->env.account->used); /* of the idle connection */
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = 0;
    uses[_i](w, c, 2);
    until(w, c, &c->dones, 2);
    ck_assert_int_eq(c->code, REQIVO_E_LIMIT_MEMORY);
    ck_assert_ptr_eq(c->peer->extra, peer_extra_none());
    ck_assert_uint_eq(account_memory(w->env.account->used), before);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = limit;
    uses[_i](w, c, 3);
    for (int i = 0; i < 5000 && c->peer->extra == peer_extra_none(); i++) {
        flush(c);
        mini_env_ms(&w->env, 1);
    }
    ck_assert_ptr_ne(c->peer->extra, peer_extra_none());
    ck_assert_uint_ge(account_memory(w->env.account->used), before + sizeof *c->peer->extra);
    client_done(c);
    for (int i = 0; i < 5000 && (ipc_programs(&w->ipc) > 0 || w->env.account->used[ACCOUNT_REQUESTS] > 0);
         i++)
        mini_env_ms(&w->env, 1);
    ck_assert_uint_eq(ipc_programs(&w->ipc), 0);
    ck_assert_uint_le(account_memory(w->env.account->used), before);
    operate_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("peer_operate");
    TCase *extra = tcase_create("extra");
    TCase *drain = tcase_create("drain");

    UNIT_TCASE(s, "sessions", cookies_are_added_listed_and_cleared, what_is_not_there,
               cancel_closes_a_session, limit_of_sessions);
    UNIT_TCASE(s, "hops", a_hop_and_its_answer, rule_b9_4_an_answer_to_no_hop_closes_its_peer,
               who_dies_at_a_hop_gives_all_back);
    tcase_add_loop_test(drain, a_drain_with_a_hop_that_waits, 0, 2);
    suite_add_tcase(s, drain);
    tcase_add_loop_test(extra, the_part_for_more_than_requests_is_made_when_it_is_used, 0,
                        sizeof uses / sizeof *uses);
    suite_add_tcase(s, extra);
    return s;
}

UNIT_MAIN(suite)
