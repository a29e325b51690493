/* SPDX-License-Identifier: MIT */
/* libclient: the daemon dies, refuses, restarts, or is hostile. Every request completes once and says what
 * was sent. */
#include "libclient/handle.h"
#include "libclient/request.h"
#include "tests/unit/fake_daemon.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct reqivo_request *new_post(bool begun)
{
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_request_new("POST", "https://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_body(request, "x", 1), 0);
    ck_assert_int_eq(reqivo_request_set_begun(request, begun), 0);
    return request;
}

/* The end of the connection has come, perhaps behind something: once it is noticed, the next one. */
static void connect_again(struct reqivo_client *client)
{
    for (int i = 0; i < 10 && client->channel.state != RQV_CHANNEL_DOWN; i++)
        ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    for (int i = 0; i < 10 && reqivo_client_fd(client) < 0; i++)
        ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    turn(client);
}

START_TEST(post_that_was_handed_over_is_unknown)
{
    struct fake fake;
    struct seen seen = {0}, next = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_request(client, new_post(false), &seen);
    turn(client);
    fake_greet(&fake);
    fake_hangup(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_DAEMON_LOST);
    ck_assert_int_eq(seen.phase, REQIVO_PHASE_IPC);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_UNKNOWN);
    ck_assert_int_eq(reqivo_client_fd(client), -1);
    ck_assert_int_eq(reqivo_client_timeout_ms(client), -1); /* idle: no reconnect before there is a reason */
    submit_request(client, new_post(false), &next);
    while (reqivo_client_fd(client) < 0)
        ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    turn(client);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &next);
    ck_assert_int_eq(next.code, 0);
    ck_assert_int_eq(seen.count, 1);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(post_still_in_the_library_goes_to_the_successor)
{
    struct fake fake;
    struct seen seen = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    fake_accept(&fake);
    int before = reqivo_client_fd(client);
    fake_hangup(&fake);
    submit_request(client, new_post(false), &seen);
    for (int i = 0; i < 10 && (reqivo_client_fd(client) == before || reqivo_client_fd(client) < 0); i++)
        ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    ck_assert_int_ne(reqivo_client_fd(client), before); /* event loops must notice */
    turn(client);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(begun_sharpens_unknown)
{
    struct fake fake;
    struct seen begun = {0}, waiting = {0};
    uint64_t a, b;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    a = submit_request(client, new_post(true), &begun);
    b = submit_request(client, new_post(true), &waiting);
    turn(client);
    fake_greet(&fake);
    ck_assert_int_eq(rqv_wire_encode_empty(&fake.out, RQV_WIRE_BEGUN, a), 0);
    fake_flush(&fake);
    fake_hangup(&fake);
    drive(client, &begun);
    ck_assert_int_eq(begun.sent, REQIVO_SENT_UNKNOWN);
    ck_assert_int_eq(waiting.count, 0);
    for (int i = 0; i < 10 && reqivo_client_fd(client) < 0; i++)
        ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    turn(client);
    fake_greet(&fake);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_REQUEST), b);
    fake_hangup(&fake); /* not sent again: the next one */
    connect_again(client);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &waiting);
    ck_assert_int_eq(waiting.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(get_is_replayed_once)
{
    struct fake fake;
    struct seen seen = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t id = submit_url(client, "GET", "http://example.org/", &seen);
    turn(client);
    fake_greet(&fake);
    fake_put_response(&fake, id, 200, 10);
    fake_put_data(&fake, id, "half ", 5); /* nobody has seen it: it may be thrown away */
    fake_flush(&fake);
    turn(client);
    fake_hangup(&fake);
    for (int i = 0; i < 2; i++) {
        turn(client);
        for (int n = 0; n < 10 && reqivo_client_fd(client) < 0; n++)
            ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
        if (i == 1)
            break;
        turn(client);
        fake_greet(&fake);
        ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_REQUEST), id);
        fake_put_reply(&fake, id, "whole");
        fake_flush(&fake);
    }
    drive(client, &seen);
    ck_assert_str_eq(seen.body, "whole");
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* The daemon dies after each byte of its answer: one completion, and no success that was not one. */
START_TEST(death_at_each_byte)
{
    struct fake fake;
    struct rqv_buf answer;

    fake_start(&fake);
    fake_put_hello(&fake);
    fake_put_reply(&fake, 1, "body");
    answer = fake.out;
    rqv_buf_init(&fake.out, 1 << 20);
    for (size_t n = 0; n <= rqv_buf_len(&answer); n++) {
        struct seen seen = {0};
        struct reqivo_client *client = open_client(&fake);
        submit_request(client, new_post(false), &seen);
        turn(client);
        fake_accept(&fake);
        ck_assert_int_eq(rqv_buf_append(&fake.out, rqv_buf_head(&answer), n), 0);
        fake_flush(&fake);
        fake_hangup(&fake);
        drive(client, &seen);
        if (n == rqv_buf_len(&answer)) {
            ck_assert_int_eq(seen.code, 0);
        } else {
            ck_assert_int_eq(seen.code, REQIVO_E_DAEMON_LOST);
            ck_assert_int_ge(seen.sent, REQIVO_SENT_UNKNOWN);
        }
        turn(client);
        reqivo_close(client);
        ck_assert_int_eq(seen.count, 1);
    }
    rqv_buf_done(&answer);
    fake_stop(&fake);
}
END_TEST

START_TEST(goaway_gives_ids_back)
{
    struct fake fake;
    struct seen running = {0}, listed = {0}, later = {0};
    uint64_t ids[1], id;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t a = submit_request(client, new_post(false), &running);
    ids[0] = submit_request(client, new_post(false), &listed);
    turn(client);
    fake_greet(&fake);
    fake_put_goaway(&fake, REQIVO_E_SHUTDOWN, 1, ids);
    fake_flush(&fake);
    turn(client);
    uint64_t c = submit_url(client, "GET", "http://example.org/later", &later);
    turn(client);
    for (int i = 0; i < 4; i++) /* the last requests of the old connection, then nothing */
        fake_expect(&fake, i < 2 ? RQV_WIRE_REQUEST : RQV_WIRE_DATA);
    ck_assert(fake_is_empty(&fake));
    ck_assert_int_eq(running.count + listed.count + later.count, 0);
    fake_put_reply(&fake, a, "finished");
    fake_flush(&fake);
    drive(client, &running);
    ck_assert_str_eq(running.body, "finished");
    fake_expect_eof(&fake); /* drained: the library leaves by itself */
    fake_hangup(&fake);
    for (int i = 0; i < 10 && reqivo_client_fd(client) < 0; i++)
        ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    turn(client);
    fake_greet(&fake);
    fake_request(&fake, &id);
    ck_assert_uint_eq(id, ids[0]);
    fake_request(&fake, &id);
    ck_assert_uint_eq(id, c);
    fake_expect(&fake, RQV_WIRE_DATA);
    fake_put_goaway(&fake, REQIVO_E_SHUTDOWN, 1, ids);
    fake_put_reply(&fake, c, "ok");
    fake_flush(&fake);
    drive(client, &later);
    connect_again(client);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &listed);
    ck_assert_int_eq(listed.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* Each daemon in a row ends before it has begun it. The GET was unknown to the first, which is repeated once,
 * and what is handed back after that is certain again. */
START_TEST(what_is_not_sent_goes_on_in_bounds)
{
    struct fake fake;
    struct seen post = {0}, get = {0};
    uint64_t ids[2];

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    ids[1] = submit_url(client, "GET", "http://example.org/", &get);
    turn(client);
    fake_greet(&fake);
    fake_hangup(&fake);
    connect_again(client);
    ids[0] = submit_request(client, new_post(false), &post);
    for (int i = 0; i < 16; i++) {
        turn(client);
        fake_greet(&fake);
        fake_put_goaway(&fake, REQIVO_E_SHUTDOWN, 2, ids);
        fake_flush(&fake);
        turn(client);
        ck_assert_int_eq(post.count, 0);
        ck_assert_int_eq(get.count, i == 15);
        fake_hangup(&fake);
        connect_again(client);
    }
    ck_assert_int_eq(get.code, REQIVO_E_SHUTDOWN);
    ck_assert_int_eq(get.sent, REQIVO_SENT_UNKNOWN); /* since the first */
    turn(client);
    fake_greet(&fake);
    fake_put_goaway(&fake, REQIVO_E_SHUTDOWN, 1, ids);
    fake_flush(&fake);
    drive(client, &post);
    ck_assert_int_eq(post.code, REQIVO_E_SHUTDOWN);
    ck_assert_int_eq(post.sent, REQIVO_SENT_NO);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* A daemon that goes shuts its side first. Who writes after that has not been lost yet: what was written
 * before may still be handed back. */
START_TEST(a_daemon_that_shuts_its_side_is_heard_out)
{
    struct fake fake;
    struct seen written = {0}, late = {0}, canceled = {0};
    uint64_t ids[2];

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    ids[0] = submit_request(client, new_post(false), &written);
    turn(client);
    fake_greet(&fake);
    turn(client);
    ck_assert_int_eq(shutdown(fake.fd, SHUT_RD), 0);
    ids[1] = submit_request(client, new_post(false), &late);
    turn(client);
    ck_assert_int_eq(written.count + late.count, 0);
    ck_assert_int_ne(reqivo_client_timeout_ms(client), 0); /* no loop turns in vain */
    ck_assert_int_eq(reqivo_client_events(client), POLLIN);
    ck_assert_int_eq(reqivo_cancel(client, submit_request(client, new_post(false), &canceled)), 0);
    turn(client);
    ck_assert_int_eq(reqivo_client_events(client), POLLIN);
    fake_put_goaway(&fake, REQIVO_E_SHUTDOWN, 1, ids);
    fake_flush(&fake);
    turn(client);
    fake_hangup(&fake);
    connect_again(client);
    fake_greet(&fake);
    fake_serve(&fake, 2);
    drive(client, &written);
    drive(client, &late);
    ck_assert_int_eq(written.code, 0);
    ck_assert_int_eq(late.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* The kernel takes as much as its buffer has room for: the one that is cut there was never acted upon. */
START_TEST(a_request_that_is_cut_is_not_sent)
{
    enum { MANY = 40 };
    struct fake fake;
    static struct seen seen[MANY];
    static char fill[8192];
    uint64_t ids[MANY];
    int cut = 0;

    memset(seen, 0, sizeof seen);
    memset(fill, 'x', sizeof fill - 1);
    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    turn(client);
    fake_accept(&fake);
    for (int i = 0; i < MANY; i++) {
        struct reqivo_request *request = new_post(false);
        for (int n = 0; n < 2; n++)
            ck_assert_int_eq(reqivo_request_add_field(request, "X-Fill", fill), 0);
        ids[i] = submit_request(client, request, &seen[i]);
    }
    turn(client);
    uint64_t written = client->channel.written;
    while (cut < MANY && rqv_client_find(client, ids[cut])->end <= written)
        cut++;
    ck_assert_int_lt(cut, MANY);
    ck_assert_uint_lt(rqv_client_find(client, ids[cut - 1])->end, written); /* in its midst */
    fake_hangup(&fake);
    for (int i = 0; i < cut; i++) {
        drive(client, &seen[i]);
        ck_assert_int_eq(seen[i].code, REQIVO_E_DAEMON_LOST);
        ck_assert_int_eq(seen[i].sent, REQIVO_SENT_UNKNOWN);
    }
    connect_again(client);
    fake_greet(&fake);
    for (int i = cut; i < MANY; i++) {
        ck_assert_int_eq(seen[i].count, 0);
        reqivo_cancel(client, ids[i]);
    }
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_REQUEST), ids[cut]);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* The old one may need its drain, during which nobody answers at its path. */
START_TEST(a_successor_may_come_after_a_drain)
{
    struct fake fake;
    struct seen seen = {0}, lost = {0};
    uint64_t ids[1];

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    ids[0] = submit_request(client, new_post(false), &seen);
    turn(client);
    fake_greet(&fake);
    fake_unlisten(&fake);
    fake_put_goaway(&fake, REQIVO_E_SHUTDOWN, 1, ids);
    fake_flush(&fake);
    turn(client);
    turn(client);
    ck_assert_int_eq(client->channel.state, RQV_CHANNEL_DOWN);
    uint64_t left = rqv_exchange_deadline_ms(client, rqv_client_find(client, ids[0])) - rqv_now_ms();
    ck_assert_uint_gt(left, 10000); /* timeouts.drain */
    ck_assert_uint_le(left, RQV_DRAIN_BOUND_MS);
    fake_hangup(&fake);
    fake_listen(&fake);
    connect_again(client);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    ids[0] = submit_url(client, "GET", "http://example.org/", &lost);
    turn(client);
    fake_unlisten(&fake);
    fake_hangup(&fake); /* without a word: it may come back at once, or never */
    turn(client);
    turn(client);
    left = rqv_exchange_deadline_ms(client, rqv_client_find(client, ids[0])) - rqv_now_ms();
    ck_assert_uint_le(left, RQV_WAIT_BOUND_MS);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(refusal_ends_everything_with_its_code)
{
    struct fake fake;
    struct seen sent = {0}, late = {0};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_url(client, "GET", "http://example.org/", &sent);
    turn(client);
    fake_accept(&fake);
    fake_put_goaway(&fake, REQIVO_E_LIMIT_PEERS, 0, NULL);
    fake_flush(&fake);
    turn(client);
    submit_url(client, "GET", "http://example.org/", &late);
    fake_hangup(&fake);
    drive(client, &sent);
    drive(client, &late);
    ck_assert_int_eq(sent.code, REQIVO_E_LIMIT_PEERS);
    ck_assert_int_eq(late.code, REQIVO_E_LIMIT_PEERS);
    ck_assert_int_eq(late.sent, REQIVO_SENT_NO);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* ---- nobody there ---- */

START_TEST(no_daemon_at_open)
{
    struct fake fake;
    struct reqivo_client *client = NULL;
    char text[300], path[200];

    fake_start(&fake);
    snprintf(path, sizeof path, "%s", fake.path);
    fake_unlisten(&fake);
    errno = 77;
    ck_assert_int_eq(reqivo_open(path, &client), REQIVO_E_NO_DAEMON);
    ck_assert_int_eq(errno, 77);
    ck_assert_ptr_null(client);
    reqivo_open_error(path, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, path));
    ck_assert_ptr_nonnull(strstr(text, strerror(ENOENT)));
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(reqivo_open(path, &client), REQIVO_E_SOCKET_PATH);
    ck_assert_int_eq(reqivo_open("", &client), REQIVO_E_SOCKET_PATH);
    ck_assert_int_eq(setenv("REQIVO_SOCKET", "/nowhere/socket", 1), 0);
    ck_assert_int_eq(reqivo_open(NULL, &client), REQIVO_E_NO_DAEMON);
    reqivo_open_error(NULL, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "/nowhere/socket"));
    fake_stop(&fake);
}
END_TEST

START_TEST(waiting_is_bounded)
{
    struct fake fake;
    struct seen total = {0}, bound = {0}, replayed = {0};
    struct reqivo_request *request;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_url(client, "GET", "http://example.org/", &replayed);
    turn(client);
    fake_greet(&fake);
    fake_unlisten(&fake);
    fake_hangup(&fake);
    turn(client); /* reads HELLO, and then the end */
    turn(client);
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_timeout(request, REQIVO_TIMEOUT_TOTAL, 200), 0);
    submit_request(client, request, &total);
    submit_url(client, "POST", "http://example.org/", &bound);
    uint64_t begin = rqv_now_ms();
    drive(client, &total);
    ck_assert_int_eq(total.code, REQIVO_E_TIMEOUT_TOTAL);
    ck_assert_int_eq(total.sent, REQIVO_SENT_NO);
    ck_assert_uint_lt(rqv_now_ms() - begin, 2000);
    drive(client, &bound);
    drive(client, &replayed);
    ck_assert_int_eq(bound.code, REQIVO_E_NO_DAEMON);
    ck_assert_int_eq(bound.sent, REQIVO_SENT_NO);
    ck_assert_int_eq(replayed.code, REQIVO_E_DAEMON_LOST);
    ck_assert_int_eq(replayed.sent, REQIVO_SENT_UNKNOWN);
    ck_assert_uint_ge(rqv_now_ms() - begin, 4500);
    ck_assert_uint_lt(rqv_now_ms() - begin, 9000);
    fake_listen(&fake); /* the same handle works again */
    struct seen again = {0};
    submit_url(client, "GET", "http://example.org/", &again);
    for (int i = 0; i < 10 && reqivo_client_fd(client) < 0; i++)
        ck_assert_int_ge(reqivo_client_wait(client, 3000), 0);
    turn(client);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &again);
    ck_assert_int_eq(again.code, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(stuck_daemon_meets_the_librarys_deadline)
{
    struct fake fake;
    struct seen seen = {0};
    struct reqivo_request *request;
    uint64_t id;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_timeout(request, REQIVO_TIMEOUT_TOTAL, 100), 0);
    submit_request(client, request, &seen);
    turn(client);
    fake_greet(&fake);
    ck_assert_uint_le(fake_request(&fake, &id).timeout_ms[RQV_T_TOTAL], 100);
    uint64_t begin = rqv_now_ms();
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_TIMEOUT_TOTAL);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_UNKNOWN);
    ck_assert_uint_ge(rqv_now_ms() - begin, 1500);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* ---- hostile daemons ---- */

static void put_raw(struct fake *fake, uint32_t length, uint8_t type, uint64_t id, uint8_t fill)
{
    uint8_t bytes[RQV_WIRE_HEADER + 64];
    const struct rqv_frame_header header = {.length = length, .type = type, .id = id};

    memset(bytes, fill, sizeof bytes);
    rqv_wire_put_header(bytes, &header);
    ck_assert_int_eq(rqv_buf_append(&fake->out, bytes, RQV_WIRE_HEADER + (length < 64 ? length : 64)), 0);
}

enum { HOSTILITIES = 17 };

static void put_hostility(struct fake *fake, int which, uint64_t id)
{
    static char zero[RQV_WIRE_CREDIT_INITIAL + 1];
    const uint64_t unused[] = {id + 100}, live[] = {id};
    struct rqv_fields none = {.count = 0};

    if (which > 0)
        fake_put_hello(fake);
    if (which == 1)
        fake_put_hello(fake);
    if (which >= 7 && which <= 11)
        fake_put_response(fake, id, 200, 10);
    switch (which) {
    case 0:
        fake_put_response(fake, id, 200, 1);
        break; /* before HELLO */
    case 2:
        put_raw(fake, 0, 99, id, 0);
        break; /* no such type */
    case 3:
        put_raw(fake, 0x7fffffff, RQV_WIRE_DATA, id, 0);
        break; /* no such length */
    case 4:
        fake_put_response(fake, id + 1, 200, 1);
        break; /* an id never used */
    case 5:
        fake_put_data(fake, id, "x", 1);
        break; /* DATA before RESPONSE */
    case 6:
        fake_put_done(fake, id, 0, REQIVO_SENT_YES);
        break; /* success without a head */
    case 7:
        fake_put_response(fake, id, 200, 10);
        break; /* twice */
    case 8:
        fake_put_data(fake, id, zero, sizeof zero);
        break; /* beyond the credit */
    case 9:
        put_raw(fake, 20, RQV_WIRE_DONE, id, 0xff);
        break; /* nonsense */
    case 10:
        fake_put_goaway(fake, REQIVO_E_SHUTDOWN, 1, live);
        break; /* takes back an answered id */
    case 11:
        ck_assert_int_eq(rqv_wire_encode_info(&fake->out, id, &none), 0);
        break; /* INFO without QUERY */
    case 12:
        ck_assert_int_eq(rqv_wire_encode_empty(&fake->out, RQV_WIRE_BEGUN, id), 0);
        break; /* not asked for */
    case 13:
        ck_assert_int_eq(rqv_wire_encode_trailers(&fake->out, id, &none), 0);
        break; /* before RESPONSE */
    case 14:
        fake_put_goaway(fake, REQIVO_E_SHUTDOWN, 1, unused);
        break;
    case 15:
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(rqv_wire_encode_credit(&fake->out, id, RQV_WIRE_CREDIT_MAX), 0);
        break;
    case 16:
        put_raw(fake, 48, RQV_WIRE_RESPONSE, id, 0xee);
        break;
    default:
        break;
    }
}

static int take_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    (void)client, (void)bytes, (void)size, (void)userdata;
    return 0;
}

START_TEST(hostile_daemon_is_a_wire_error)
{
    struct fake fake;
    struct seen seen = {0}, next = {0};
    struct reqivo_request *request;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_int_eq(reqivo_request_new("GET", "http://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_stream(request, NULL, take_body, NULL), 0);
    uint64_t id = submit_request(client, request, &seen);
    turn(client);
    fake_accept(&fake);
    fake_expect(&fake, RQV_WIRE_HELLO);
    put_hostility(&fake, _i, id);
    while (rqv_buf_len(&fake.out) > 0) { /* by pieces: the socket holds less than a megabyte */
        ssize_t n =
            send(fake.fd, rqv_buf_head(&fake.out), rqv_buf_len(&fake.out), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            rqv_buf_consume(&fake.out, (size_t)n);
        else if (errno != EAGAIN)
            break;
        ck_assert_int_eq(reqivo_client_process(client), 0); /* no dispatch: no credit goes back */
    }
    rqv_buf_consume(&fake.out, rqv_buf_len(&fake.out));
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_WIRE);
    ck_assert_int_eq(reqivo_error_class(seen.code), REQIVO_CLASS_PROTOCOL);
    fake_hangup(&fake);
    submit_url(client, "GET", "http://example.org/", &next);
    for (int i = 0; i < 10 && reqivo_client_fd(client) < 0; i++)
        ck_assert_int_ge(reqivo_client_wait(client, 3000), 0);
    turn(client);
    fake_greet(&fake);
    fake_serve(&fake, 1);
    drive(client, &next);
    ck_assert_int_eq(next.code, 0);
    ck_assert_int_eq(seen.count, 1);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(another_version_is_refused)
{
    struct fake fake;
    struct seen seen = {0};
    const struct rqv_hello hello = {.magic = RQV_WIRE_MAGIC, .version = 9, .version_min = 8};

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_url(client, "GET", "http://example.org/", &seen);
    turn(client);
    fake_accept(&fake);
    ck_assert_int_eq(rqv_wire_encode_hello(&fake.out, &hello), 0);
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_VERSION);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* security.md B9-13 */
START_TEST(uids_that_are_trusted)
{
    struct fake fake;

    fake_start(&fake);
    ck_assert(rqv_socket_uid_is_trusted(fake.path, 0));
    ck_assert(rqv_socket_uid_is_trusted(fake.path, (long)geteuid()));
    ck_assert(!rqv_socket_uid_is_trusted(fake.path, -1));
    ck_assert(!rqv_socket_uid_is_trusted(fake.path, 64999));
    ck_assert(!rqv_socket_uid_is_trusted("socket", 64999));
    ck_assert(!rqv_socket_uid_is_trusted("/socket", 64999));
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(fake.folder, 64999, (gid_t)-1), 0);
        ck_assert(rqv_socket_uid_is_trusted(fake.path, 64999));
        ck_assert(!rqv_socket_uid_is_trusted(fake.path, 64998));
    }
    fake_stop(&fake);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_loss");
    TCase *hostile = tcase_create("hostile");

    UNIT_TCASE(s, "what was sent", post_that_was_handed_over_is_unknown,
               post_still_in_the_library_goes_to_the_successor, begun_sharpens_unknown, get_is_replayed_once,
               death_at_each_byte);
    UNIT_TCASE(s, "goaway", goaway_gives_ids_back, refusal_ends_everything_with_its_code,
               a_daemon_that_shuts_its_side_is_heard_out, a_request_that_is_cut_is_not_sent,
               a_successor_may_come_after_a_drain, what_is_not_sent_goes_on_in_bounds);
    UNIT_TCASE(s, "nobody", no_daemon_at_open, waiting_is_bounded, stuck_daemon_meets_the_librarys_deadline,
               uids_that_are_trusted);
    tcase_set_timeout(hostile, 60);
    tcase_add_loop_test(hostile, hostile_daemon_is_a_wire_error, 0, HOSTILITIES);
    tcase_add_test(hostile, another_version_is_refused);
    suite_add_tcase(s, hostile);
    return s;
}

UNIT_MAIN(suite)
