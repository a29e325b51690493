/* SPDX-License-Identifier: MIT */
/* test_wsession_end - what a strict server sees: answers to what came before the end of a session, and pongs.
 */
#include "tests/lib/mini_ws.h"
#include "tests/unit/unit.h"

#define FAULT "\x83" /* the first byte of a frame with a reserved opcode */

/* A message, the end of the session, and that the program is told of both. */
static struct ws_world *ending(const char *end, size_t len)
{
    struct ws_world *w = ws_world_open();
    static char said[64];

    memcpy(said, "\x81\x03one", 5);
    memcpy(said + 5, end, len);
    ws_open(w);
    mini_send(mini_last(&w->origin), said, 5 + len);
    mini_env_until(&w->env, &w->told.events, 1);
    ck_assert_str_eq(w->told.text, "one");
    ck_assert_uint_eq(w->told.event[0].kind, RQV_WS_ENDING);
    return w;
}

static const struct {
    const char *name, *bytes;
    size_t len;
    uint16_t code;
    int error;
} ends[] = {
    {"a close frame", "\x88\x02\x0f\xa0", 4, 4000, 0},
    {"a close frame and a ping", "\x88\x02\x0f\xa0\x89\x00", 6, 4000, 0},
    {"a fault", FAULT, 1, 1002, REQIVO_E_WEBSOCKET_PROTOCOL},
    {"a text that is not UTF-8", "\x81\x01\xff", 3, 1007, REQIVO_E_WEBSOCKET_PROTOCOL},
};

START_TEST(what_came_before_the_end_is_answered)
{
    struct ws_world *w = ending(ends[_i].bytes, ends[_i].len);

    ws_text(w, "one");
    ws_expect_text(w, "one");
    ws_text(w, "two");
    ws_close(w, 1005, "");
    ws_expect_text(w, "two");
    ws_expect_close(w, ends[_i].code, "");
    if (ends[_i].error)
        mini_ws_say(mini_last(&w->origin), 8, WS_CLOSE_1000, 2);
    ws_end(w);
    ws_check(w, ends[_i].error, ends[_i].code);
    ck_assert_uint_eq(w->told.close.undelivered, 0);
    ck_assert_uint_eq(w->told.pieces, 1);
    ws_world_close(w);
}
END_TEST

START_TEST(a_program_that_says_nothing_has_a_second)
{
    struct ws_world *w = ending(ends[_i].bytes, ends[_i].len);

    ws_expect_close(w, ends[_i].code, "");
    ws_end(w);
    ws_check(w, ends[_i].error, ends[_i].code);
    ws_world_close(w);
}
END_TEST

START_TEST(after_its_close_the_program_is_not_heard)
{
    struct ws_world *w = ending(ends[0].bytes, ends[0].len);

    ws_close(w, 1005, "");
    ws_text(w, "late");
    ws_expect_close(w, 4000, "");
    ws_end(w);
    ck_assert_uint_eq(w->told.close.undelivered, 1);
    ws_world_close(w);
}
END_TEST

START_TEST(the_program_goes_meanwhile)
{
    struct ws_world *w = ending(ends[_i].bytes, ends[_i].len);

    wsession_abandon(w->ws);
    ws_expect_close(w, ends[_i].code, "");
    ws_world_close(w);
}
END_TEST

START_TEST(the_server_breaks_off_behind_its_close)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    mini_ws_say(mini_last(&w->origin), 8, WS_CLOSE_1000, 2);
    mini_env_until(&w->env, &w->told.events, 1);
    mini_end(mini_last(&w->origin));
    mini_env_ms(&w->env, 20);
    ck_assert_uint_eq(w->told.closed, 0); /* our close frame may still find it */
    ws_close(w, 1005, "");
    ws_end(w);
    ws_check(w, 0, 1000);
    ws_world_close(w);
}
END_TEST

/* The newest of `count` pings of `size` bytes in one write is answered last; how many are. */
static unsigned pinged(struct ws_world *w, unsigned count, size_t size)
{
    static char pings[8192];
    const char *bytes;
    unsigned pongs = 0;
    size_t at = 0;

    for (unsigned i = 0; i < count; i++, at += 2 + size) {
        pings[at] = (char)0x89;
        pings[at + 1] = (char)size;
        memset(pings + at + 2, 'a' + (int)i, size);
    }
    mini_send(mini_last(&w->origin), pings, at);
    do {
        ck_assert_uint_eq(ws_expect(w, 0x8a, &bytes), size);
        pongs++;
    } while (bytes[0] != (char)('a' + (int)count - 1));
    return pongs;
}

START_TEST(rule_b5_every_ping_of_a_burst)
{
    struct ws_world *w = ws_world_open();

    ws_open(w);
    ck_assert_uint_eq(pinged(w, 10, 9), 10);
    ck_assert_uint_le(pinged(w, 50, 125), 50); /* the oldest may go: 2 KiB of pongs are kept */
    wsession_abandon(w->ws);
    ws_world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("wsession_end");
    TCase *tcase = tcase_create("end");
    int count = sizeof ends / sizeof ends[0];

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, what_came_before_the_end_is_answered, 0, count);
    tcase_add_loop_test(tcase, a_program_that_says_nothing_has_a_second, 0, count);
    tcase_add_loop_test(tcase, the_program_goes_meanwhile, 0, count);
    tcase_add_test(tcase, after_its_close_the_program_is_not_heard);
    tcase_add_test(tcase, the_server_breaks_off_behind_its_close);
    tcase_add_test(tcase, rule_b5_every_ping_of_a_burst);
    suite_add_tcase(s, tcase);
    return s;
}

UNIT_MAIN(suite)
