/* SPDX-License-Identifier: MIT */
/*
 * test_peer_order - the order of service: while one user floods the daemon in whatever way, no more than
 * PEER_FRAMES of his frames are served between two services of another user. (Handshakes: test_dial.)
 */
#include "tests/lib/mini_program.h"
#include "tests/lib/mini_ws.h"
#include "tests/unit/unit.h"

#define FLOODERS 8   /* programs of the user who floods */
#define VICTIMS  40  /* of the other one, with one request each: as many services */
#define FRAMES   600 /* that each flooder has ready at least, where they are small */

static struct world *w;
static struct account *flood; /* of uid 1000 */
static unsigned long long put;

/* ---- floods: each fills one program's socket, and more ---- */

static void flood_credits(struct client *c)
{
    put_request(w, c, 1, 0);
    until(w, c, &c->dones, 1);
    for (int i = 0; i < FRAMES; i++, put++) /* late, small and harmless */
        rqv_wire_encode_credit(&c->out, 1, 1);
}

static void flood_bodies(struct client *c)
{
    static const char bytes[RQV_WIRE_PAYLOAD_MAX];

    put_request(w, c, 1, RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
    for (int i = 0; i < 15; i++, put++) /* within its credit */
        rqv_wire_encode_data(&c->out, 1, 0, (struct rqv_str){bytes, sizeof bytes});
}

static void flood_cancels(struct client *c)
{
    for (uint64_t id = 1; id <= FRAMES / 2; id++, put += 2) {
        put_request(w, c, id, 0);
        rqv_wire_encode_empty(&c->out, RQV_WIRE_CANCEL, id);
    }
}

static void put_refused(struct client *c, uint64_t id)
{
    char url[sizeof w->url];

    memcpy(url, w->url, sizeof url);
    snprintf(w->url, sizeof w->url, "gopher://127.0.0.1/");
    put_request(w, c, id, 0);
    memcpy(w->url, url, sizeof url);
}

static void flood_refused(struct client *c)
{
    for (uint64_t id = 1; id <= FRAMES; id++, put++)
        put_refused(c, id);
}

static void flood_requests(struct client *c)
{
    for (uint64_t id = 1; id <= FRAMES; id++, put++)
        put_request(w, c, id, 0);
}

static void flood_operations(struct client *c)
{
    static struct rqv_operation operation;

    operation.verb = RQV_OP_COOKIES_CLEAR;
    operation.target = 12345;
    for (uint64_t id = 1; id <= FRAMES; id++, put++)
        rqv_wire_encode_operation(&c->out, id, &operation);
}

static void flood_messages(struct client *c)
{
    static struct rqv_ws_open open;
    char url[sizeof w->url];

    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", w->origin.port);
    open.url = rqv_str_from(url);
    for (int i = 0; i < RQV_T_COUNT; i++)
        open.timeout_ms[i] = RQV_TIMEOUT_DEFAULT;
    ck_assert_int_eq(rqv_wire_encode_ws_open(&c->out, 1, &open), 0);
    until(w, c, &c->frames, 2); /* HELLO, and that it is open */
    ck_assert_uint_eq(c->dones, 0);
    for (int i = 0; i < FRAMES; i++, put++)
        ck_assert_int_eq(
            rqv_wire_encode_ws_data(&c->out, 1, RQV_FLAG_FIRST | RQV_FLAG_END, RQV_STR("a message")), 0);
}

static const struct {
    const char *name;
    void (*fill)(struct client *c);
    bool silent; /* the server answers nothing */
} floods[] = {
    {"small frames", flood_credits, false},
    {"large bodies", flood_bodies, true},
    {"cancels", flood_cancels, true},
    {"refused requests", flood_refused, false},
    {"requests", flood_requests, false},
    {"operations", flood_operations, false},
    {"WebSocket messages", flood_messages, false},
};
#define FLOODS (int)(sizeof floods / sizeof floods[0])

/* ---- the witness ---- */

static bool (*real_turn)(void *owner);
static unsigned services;
static uint64_t last, most;

/* Stands in front of each turn of the other user's programs. */
static bool spy(void *owner)
{
    if (services > 0 && flood->frames - last > most)
        most = flood->frames - last;
    last = flood->frames;
    services++;
    return real_turn(owner);
}

static void one_turn(void)
{
    loop_task_queue(w->env.loop, &w->stop, LOOP_FREE);
    loop_run(w->env.loop);
}

static void shake_or_answer(struct mini_conn *conn)
{
    if (strcasestr(conn->in, "sec-websocket-key"))
        mini_shake(conn);
    else
        mini_answer(conn);
}

/* Each flood, with as little room for items in a turn as there can be, and with what there is. */
START_TEST(rule_b10_1_order_of_service)
{
    static struct ws_world shaken;
    struct client *victims[VICTIMS], *flooders[FLOODERS];
    unsigned left = VICTIMS;

    w = world_open();
    flood = w->env.account;
    services = 0;
    last = most = put = 0;
    w->origin.user = &shaken;
    w->origin.on_whole = floods[_i / 2].silent ? silence : shake_or_answer;
    for (int i = 0; i < FLOODERS; i++) {
        flooders[i] = greeted(w, 1000);
        floods[_i / 2].fill(flooders[i]);
    }
    w->origin.on_whole = silence;
    for (int i = 0; i < VICTIMS; i++) {
        victims[i] = greeted(w, 1001);
        put_refused(victims[i], 1);
        real_turn = victims[i]->peer->turn.fn;
        victims[i]->peer->turn.fn = spy;
    }
    if (_i % 2 == 0)
        w->env.accounts.budget = 1;
    for (int i = 0; i < FLOODERS; i++)
        flush(flooders[i]);
    for (int i = 0; i < VICTIMS; i++)
        flush(victims[i]);
    uint64_t before = flood->frames;
    for (int turns = 0; left > 0 && turns < 10000; turns++) {
        one_turn();
        for (int i = 0; i < FLOODERS; i++)
            flush(flooders[i]);
        left = 0;
        for (int i = 0; i < VICTIMS; i++)
            left += victims[i]->peer->last_id == 0;
    }
    ck_assert_uint_eq(left, 0);
    ck_assert_uint_ge(services, VICTIMS);
    ck_assert_msg(most <= PEER_FRAMES, "%s: %u frames between two services of another user",
                  floods[_i / 2].name, (unsigned)most);
    ck_assert_msg(most > 0 && flood->frames > before, "%s: there was no flood", floods[_i / 2].name);
    ck_assert_msg(last - before < put, "%s: the flood was over first", floods[_i / 2].name);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("peer_order");
    TCase *order = tcase_create("order");

    tcase_set_timeout(order, 60);
    tcase_add_loop_test(order, rule_b10_1_order_of_service, 0, 2 * FLOODS);
    suite_add_tcase(s, order);
    return s;
}

UNIT_MAIN(suite)
