/* SPDX-License-Identifier: MIT */
/* libclient: bodies both ways: credit, pause, sources that wait, limits, trust uploads. */
#include "tests/unit/fake_daemon.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BIG = 3 * 1024 * 1024 };

static char big[BIG];

/* ---- responses ---- */

struct sink {
    struct seen seen;
    size_t heads, bytes, pieces, pause_after;
    int status, head_answer, body_answer;
    bool wrong;
};

static int on_head(struct reqivo_client *client, const struct reqivo_response *response, void *userdata)
{
    struct sink *sink = userdata;

    (void)client;
    sink->heads++;
    sink->status = reqivo_response_status(response);
    sink->wrong |= sink->bytes > 0;
    return sink->head_answer;
}

static int on_body(struct reqivo_client *client, const void *bytes, size_t size, void *userdata)
{
    struct sink *sink = userdata;

    sink->wrong |= sink->heads != 1 || size == 0 || memcmp(bytes, big + sink->bytes % 251, 1) != 0;
    ck_assert_int_eq(reqivo_client_process(client), 0); /* may bring more bytes; this piece stays */
    sink->wrong |= memcmp((const char *)bytes + size - 1, big + (sink->bytes + size - 1) % 251, 1) != 0;
    sink->bytes += size;
    sink->pieces++;
    if (sink->pause_after && sink->bytes >= sink->pause_after) {
        sink->pause_after = 0;
        return REQIVO_PAUSE;
    }
    return sink->body_answer;
}

static void fill_big(void)
{
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i % 251);
}

static uint64_t submit_stream(struct reqivo_client *client, struct sink *sink)
{
    struct reqivo_request *request;

    ck_assert_int_eq(reqivo_request_new("GET", "https://example.org/big", &request), 0);
    ck_assert_int_eq(reqivo_request_set_stream(request, on_head, on_body, sink), 0);
    return submit_request(client, request, &sink->seen);
}

START_TEST(stream_is_paced_by_credit)
{
    struct fake fake;
    struct sink sink = {0};
    size_t sent = 0, credit = RQV_WIRE_CREDIT_INITIAL, credits = 0;
    uint32_t more;
    const char *why;

    fill_big();
    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t id = submit_stream(client, &sink);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_put_response(&fake, id, 200, BIG);
    while (sent < BIG) {
        size_t n = BIG - sent < credit ? BIG - sent : credit;
        n = n < 50000 ? n : 50000;
        if (n > 0)
            fake_put_data(&fake, id, big + sent % 251, n);
        sent += n;
        credit -= n;
        fake_flush(&fake);
        turn(client);
        if (credit == 0) {
            fake_expect(&fake, RQV_WIRE_CREDIT);
            ck_assert_int_eq(rqv_wire_decode_u32(fake.payload, &more, &why), 0);
            credit += more;
            credits++;
        }
    }
    fake_put_done(&fake, id, 0, REQIVO_SENT_YES);
    fake_flush(&fake);
    drive(client, &sink.seen);
    ck_assert_uint_eq(sink.bytes, BIG);
    ck_assert_uint_ge(credits, 2);
    ck_assert_int_eq(sink.status, 200);
    ck_assert(!sink.wrong);
    ck_assert_uint_eq(sink.seen.body_size, 0);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(pause_holds_pieces_and_credit)
{
    struct fake fake;
    struct sink sink = {.pause_after = 1};

    fill_big();
    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t id = submit_stream(client, &sink);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_put_response(&fake, id, 200, -1);
    for (size_t at = 0; at < 600 * 251; at += 251)
        fake_put_data(&fake, id, big, 251);
    fake_flush(&fake);
    turn(client);
    size_t first = sink.bytes;
    ck_assert_uint_gt(first, 0);
    for (size_t i = 0; i < 2000; i++) {
        fake_put_data(&fake, id, big, 251);
        if (i % 400 == 0) {
            fake_flush(&fake);
            turn(client);
        }
    }
    fake_put_done(&fake, id, 0, REQIVO_SENT_YES);
    fake_flush(&fake);
    for (int i = 0; i < 20; i++)
        turn(client);
    ck_assert_uint_eq(sink.bytes, first); /* nothing more, no end, no credit */
    ck_assert_int_eq(sink.seen.count, 0);
    ck_assert(fake_is_empty(&fake));
    ck_assert_int_eq(reqivo_unpause(client, id), 0);
    ck_assert_int_eq(reqivo_client_timeout_ms(client), 0);
    drive(client, &sink.seen);
    ck_assert_uint_eq(sink.bytes, 2600 * 251);
    ck_assert(!sink.wrong);
    ck_assert_int_eq(reqivo_unpause(client, id), -ENOENT);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(callbacks_can_refuse)
{
    struct fake fake;
    struct sink by_head = {.head_answer = 1}, by_body = {.body_answer = -1};

    fill_big();
    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t a = submit_stream(client, &by_head), b = submit_stream(client, &by_body);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_put_response(&fake, a, 500, -1);
    fake_put_data(&fake, a, big, 10);
    fake_put_response(&fake, b, 200, -1);
    fake_put_data(&fake, b, big, 10);
    fake_flush(&fake);
    drive(client, &by_head.seen);
    drive(client, &by_body.seen);
    ck_assert_int_eq(by_head.seen.code, REQIVO_E_CANCELED);
    ck_assert_uint_eq(by_head.bytes, 0);
    ck_assert_int_eq(by_head.seen.sent, REQIVO_SENT_YES);
    ck_assert_int_eq(by_body.seen.code, REQIVO_E_CANCELED);
    ck_assert_uint_eq(by_body.bytes, 10);
    turn(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), a);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), b);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

static uint64_t submit_limited(struct reqivo_client *client, const char *method, struct seen *seen)
{
    struct reqivo_request *request;

    ck_assert_int_eq(reqivo_request_new(method, "https://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_max_body(request, 100), 0);
    return submit_request(client, request, seen);
}

START_TEST(body_over_the_limit)
{
    struct fake fake;
    struct seen announced = {0}, sent = {0}, head = {0}, exact = {0};

    fill_big();
    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t a = submit_limited(client, "GET", &announced), b = submit_limited(client, "GET", &sent);
    uint64_t c = submit_limited(client, "HEAD", &head), d = submit_limited(client, "GET", &exact);
    turn(client);
    fake_greet(&fake);
    fake_put_response(&fake, a, 200, 101);
    fake_put_response(&fake, b, 200, -1);
    fake_put_data(&fake, b, big, 60);
    fake_put_data(&fake, b, big, 41);
    fake_put_response(&fake, c, 200, 101);
    fake_put_done(&fake, c, 0, REQIVO_SENT_YES);
    fake_put_response(&fake, d, 200, 100);
    fake_put_data(&fake, d, big, 100);
    fake_put_done(&fake, d, 0, REQIVO_SENT_YES);
    fake_flush(&fake);
    drive(client, &exact);
    ck_assert_int_eq(announced.code, REQIVO_E_LIMIT_BODY);
    ck_assert_int_eq(sent.code, REQIVO_E_LIMIT_BODY);
    ck_assert_uint_eq(sent.body_size, 60);
    ck_assert_int_eq(head.code, 0);
    ck_assert_int_eq(exact.code, 0);
    ck_assert_uint_eq(exact.body_size, 100);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(whole_body_in_memory_returns_credit)
{
    struct fake fake;
    struct seen seen = {.keep = true};

    fill_big();
    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    uint64_t id = submit_url(client, "GET", "https://example.org/", &seen);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_put_response(&fake, id, 200, BIG);
    for (size_t at = 0; at < BIG; at += RQV_WIRE_CREDIT_INITIAL / 8) {
        fake_put_data(&fake, id, big + at, RQV_WIRE_CREDIT_INITIAL / 8);
        fake_flush(&fake);
        turn(client);
        turn(client);
    }
    fake_put_done(&fake, id, 0, REQIVO_SENT_YES);
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_uint_eq(seen.body_size, BIG);
    ck_assert_int_eq(memcmp(reqivo_response_body(seen.response), big, BIG), 0);
    ck_assert_int_eq(((const char *)reqivo_response_body(seen.response))[BIG], 0);
    fake_expect(&fake, RQV_WIRE_CREDIT);
    reqivo_response_free(seen.response);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* ---- requests ---- */

struct source {
    struct reqivo_client *client;
    uint64_t id;
    size_t left, asked;
    int stalls;  /* says -EAGAIN that often */
    long answer; /* not 0: what it says at last */
    bool resume_itself;
};

static long read_source(void *buffer, size_t size, void *userdata)
{
    struct source *source = userdata;
    size_t n = source->left < size ? source->left : size;

    source->asked++;
    ck_assert_int_eq(reqivo_cancel(source->client, 1), -EBUSY);
    if (source->stalls > 0) {
        source->stalls--;
        if (source->resume_itself)
            ck_assert_int_eq(reqivo_resume(source->client, source->id), 0);
        return -EAGAIN;
    }
    if (n == 0 && source->answer)
        return source->answer;
    memset(buffer, 's', n);
    source->left -= n;
    return (long)n;
}

static struct reqivo_client *begin_source(struct fake *fake, struct source *source, uint64_t length,
                                          struct seen *seen)
{
    struct reqivo_request *request;

    fake_start(fake);
    source->client = open_client(fake);
    ck_assert_int_eq(reqivo_request_new("POST", "https://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_body_callback(request, read_source, source, length), 0);
    source->id = submit_request(source->client, request, seen);
    ck_assert_uint_eq(source->asked, 0);
    turn(source->client);
    fake_greet(fake);
    return source->client;
}

START_TEST(source_that_waits_is_resumed)
{
    struct fake fake;
    struct seen seen = {0};
    struct source source = {.left = 10, .stalls = 1};
    uint64_t id;

    struct reqivo_client *client = begin_source(&fake, &source, REQIVO_LENGTH_UNKNOWN, &seen);
    struct rqv_request_head head = fake_request(&fake, &id);
    ck_assert_uint_eq(head.flags, RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
    turn(client);
    turn(client);
    ck_assert_uint_eq(source.asked, 1);
    ck_assert_int_eq(reqivo_client_events(client), 1);
    ck_assert_int_eq(reqivo_resume(client, id), 0);
    ck_assert_int_eq(reqivo_client_timeout_ms(client), 0);
    turn(client);
    fake_expect(&fake, RQV_WIRE_DATA);
    ck_assert_uint_eq(fake.payload.len, 10);
    ck_assert_uint_eq(fake.header.flags, 0);
    fake_expect(&fake, RQV_WIRE_DATA);
    ck_assert_uint_eq(fake.payload.len, 0);
    ck_assert_uint_eq(fake.header.flags, RQV_FLAG_END);
    fake_put_reply(&fake, id, "ok");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(reqivo_resume(client, id), -ENOENT);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(source_that_resumes_itself)
{
    struct fake fake;
    struct seen seen = {0};
    struct source source = {.left = 10, .stalls = 3, .resume_itself = true};

    struct reqivo_client *client = begin_source(&fake, &source, 10, &seen);
    for (int i = 0; i < 5; i++)
        turn(client);
    uint64_t id = fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_expect(&fake, RQV_WIRE_DATA);
    ck_assert_uint_eq(fake.header.flags, RQV_FLAG_END);
    ck_assert_uint_eq(source.asked, 4);
    fake_put_reply(&fake, id, "ok");
    fake_flush(&fake);
    drive(client, &seen);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(upload_stops_without_credit)
{
    struct fake fake;
    struct seen seen = {0};
    struct source source = {.left = BIG};
    size_t got = 0;

    struct reqivo_client *client = begin_source(&fake, &source, BIG, &seen);
    uint64_t id = fake_expect(&fake, RQV_WIRE_REQUEST);
    while (got < RQV_WIRE_CREDIT_INITIAL) {
        turn(client);
        fake_expect(&fake, RQV_WIRE_DATA);
        got += fake.payload.len;
    }
    turn(client);
    ck_assert(fake_is_empty(&fake));
    ck_assert_uint_eq(got, RQV_WIRE_CREDIT_INITIAL);
    ck_assert_int_eq(rqv_wire_encode_credit(&fake.out, id, 5), 0);
    fake_flush(&fake);
    turn(client);
    fake_expect(&fake, RQV_WIRE_DATA);
    ck_assert_uint_eq(fake.payload.len, 5);
    fake_put_reply(&fake, id, "early"); /* the server did not want it all */
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    ck_assert_uint_eq(source.left, BIG - got - 5);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

static void source_fails(struct source *source, uint64_t length, int code)
{
    struct fake fake;
    struct seen seen = {0};

    struct reqivo_client *client = begin_source(&fake, source, length, &seen);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, code);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_UNKNOWN);
    turn(client);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    if (source->asked > 1)
        fake_expect(&fake, RQV_WIRE_DATA);
    fake_expect(&fake, RQV_WIRE_CANCEL);
    reqivo_close(client);
    fake_stop(&fake);
}

START_TEST(source_failures)
{
    struct source broken = {.left = 10, .answer = -EIO}, early = {.left = 10}, late = {.answer = 1 << 20};

    source_fails(&broken, REQIVO_LENGTH_UNKNOWN, REQIVO_E_BODY_SOURCE);
    source_fails(&early, 20, REQIVO_E_BODY_LENGTH);
    source_fails(&late, 20, REQIVO_E_BODY_SOURCE);
}
END_TEST

START_TEST(file_from_its_offset)
{
    struct fake fake;
    struct seen seen = {0}, cut = {0};
    struct reqivo_request *request;
    FILE *file = tmpfile();

    fake_start(&fake);
    fputs("skip-this body", file);
    fflush(file);
    lseek(fileno(file), 10, SEEK_SET);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_int_eq(reqivo_request_new("PUT", "https://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_body_file(request, fileno(file)), 0);
    uint64_t id = submit_request(client, request, &seen);
    turn(client);
    fake_greet(&fake);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_expect(&fake, RQV_WIRE_DATA);
    ck_assert(rqv_str_eq(fake.payload, RQV_STR("body")));
    fake_put_reply(&fake, id, "ok");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(reqivo_request_new("PUT", "https://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_body_file(request, fileno(file)), 0);
    ck_assert_int_eq(ftruncate(fileno(file), 12), 0);
    submit_request(client, request, &cut);
    drive(client, &cut);
    ck_assert_int_eq(cut.code, REQIVO_E_BODY_LENGTH);
    ck_assert_int_eq(reqivo_request_new("PUT", "https://example.org/", &request), 0);
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(reqivo_request_set_body_file(request, pipes[0]), REQIVO_E_BODY_SOURCE);
    close(pipes[0]);
    close(pipes[1]);
    reqivo_request_free(request);
    fclose(file);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(empty_body_ends_the_request)
{
    struct fake fake;
    struct seen seen = {0};
    struct reqivo_request *request;
    uint64_t id;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    ck_assert_int_eq(reqivo_request_new("POST", "https://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_body(request, NULL, 0), 0);
    submit_request(client, request, &seen);
    turn(client);
    fake_greet(&fake);
    struct rqv_request_head head = fake_request(&fake, &id);
    ck_assert_uint_eq(head.flags, RQV_REQ_HAS_BODY);
    ck_assert_uint_eq(fake.header.flags, RQV_FLAG_END);
    ck_assert(fake_is_empty(&fake));
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

/* ---- trust ---- */

static uint64_t submit_trusting(struct reqivo_client *client, const char *pem, size_t size, struct seen *seen)
{
    struct reqivo_request *request;

    ck_assert_int_eq(reqivo_request_new("GET", "https://example.org/", &request), 0);
    ck_assert_int_eq(reqivo_request_set_ca(request, pem, size), 0);
    return submit_request(client, request, seen);
}

static uint64_t expect_upload(struct fake *fake, size_t size)
{
    uint32_t total;
    const char *why;
    uint64_t id = fake_expect(fake, RQV_WIRE_TRUST);

    ck_assert_int_eq(rqv_wire_decode_u32(fake->payload, &total, &why), 0);
    ck_assert_uint_eq(total, size);
    for (size_t got = 0; got < size; got += fake->payload.len) {
        ck_assert_uint_eq(fake_expect(fake, RQV_WIRE_DATA), id);
        ck_assert_int_eq(fake->header.flags == RQV_FLAG_END, got + fake->payload.len == size);
    }
    return id;
}

START_TEST(trust_is_uploaded_once_a_connection)
{
    struct fake fake;
    struct seen seen[4] = {0};
    uint64_t id;

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    submit_trusting(client, big, 100000, &seen[0]);
    submit_trusting(client, big, 100000, &seen[1]);
    submit_trusting(client, "other", 5, &seen[2]);
    for (int i = 0; i < 3; i++)
        turn(client);
    fake_greet(&fake);
    uint64_t trust = expect_upload(&fake, 100000);
    ck_assert_uint_eq(fake_request(&fake, &id).trust_id, trust);
    ck_assert_uint_lt(trust, id);
    ck_assert_uint_eq(fake_request(&fake, &id).trust_id, trust);
    uint64_t other = expect_upload(&fake, 5);
    ck_assert_uint_lt(id, other);
    ck_assert_uint_eq(fake_request(&fake, &id).trust_id, other);
    fake_put_done(&fake, other, REQIVO_E_TRUST, REQIVO_SENT_NO); /* refused: uploaded again for the next */
    fake_flush(&fake);
    turn(client);
    submit_trusting(client, "other", 5, &seen[3]);
    turn(client);
    expect_upload(&fake, 5);
    fake_expect(&fake, RQV_WIRE_REQUEST);
    fake_hangup(&fake); /* all four are sent again, and with them both sets */
    turn(client);
    ck_assert_int_ge(reqivo_client_wait(client, 1000), 0);
    for (int i = 0; i < 3; i++)
        turn(client);
    fake_greet(&fake);
    trust = expect_upload(&fake, 100000);
    ck_assert_uint_eq(fake_request(&fake, &id).trust_id, trust);
    ck_assert_uint_eq(fake_request(&fake, &id).trust_id, trust);
    other = expect_upload(&fake, 5);
    ck_assert_uint_gt(other, id);
    ck_assert_uint_eq(fake_request(&fake, &id).trust_id, other);
    ck_assert_uint_eq(fake_request(&fake, &id).trust_id, other);
    reqivo_close(client);
    fake_stop(&fake);
}
END_TEST

START_TEST(many_sets_are_forgotten)
{
    struct fake fake;
    struct seen seen[20] = {0};
    char pem[2] = "a";

    fake_start(&fake);
    struct reqivo_client *client = open_client(&fake);
    for (int i = 0; i < 20; i++) {
        pem[0] = (char)('a' + i);
        uint64_t id = submit_trusting(client, pem, 1, &seen[i]);
        turn(client);
        if (i == 0)
            fake_greet(&fake);
        fake_put_reply(&fake, id, "ok");
        fake_flush(&fake);
        drive(client, &seen[i]);
    }
    reqivo_close(client); /* the leak checker has the last word */
    fake_stop(&fake);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_stream");

    UNIT_TCASE(s, "responses", stream_is_paced_by_credit, pause_holds_pieces_and_credit, callbacks_can_refuse,
               body_over_the_limit, whole_body_in_memory_returns_credit);
    UNIT_TCASE(s, "requests", source_that_waits_is_resumed, source_that_resumes_itself,
               upload_stops_without_credit, source_failures, file_from_its_offset,
               empty_body_ends_the_request);
    UNIT_TCASE(s, "trust", trust_is_uploaded_once_a_connection, many_sets_are_forgotten);
    return s;
}

UNIT_MAIN(suite)
