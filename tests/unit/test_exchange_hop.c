/* SPDX-License-Identifier: MIT */
/* test_exchange_hop - redirects of one request: what goes where, what waits for the program, what ends it;
 * against two origins on the same loop that log what they are asked. After each case every account is at zero
 * (mini_env_close). */
#include "daemon/work/redirect.h"
#include "tests/lib/mini_site.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

/* ---- what is followed ---- */

START_TEST(a_redirect_is_followed_on_the_same_connection)
{
    static const struct page site[] = {{"/a", "302 Found", "Location: b#there\r\n"}, {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    ask(w, "GET", "/a");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_int_eq(w->seen.status, 200);
    ck_assert_str_eq(w->seen.text, "ok");
    ck_assert_uint_eq(w->seen.heads, 2);
    ck_assert_uint_eq(w->seen.redirects, 1);
    ck_assert_uint_eq(w->seen.hops, 1);
    ck_assert_uint_eq(w->seen.hop_flags, 0);
    ck_assert_str_eq(w->seen.hop_method, "GET");
    ck_assert_ptr_nonnull(strstr(w->seen.hop_url, "/b#there"));
    ck_assert_uint_eq(w->seen.end.body_bytes, 2);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_REUSED);
    ck_assert_uint_eq(w->origin.accepted, 1);
    ck_assert_ptr_nonnull(strstr(log_of[0], "GET /b HTTP/1.1\r\n"));
    hop_close(w);
}
END_TEST

static const struct {
    const char *status, *more;
} answers[] = {
    {"302 Found", "X: y\r\n"},
    {"300 Multiple Choices", "Location: /b\r\n"},
    {"201 Created", "Location: /b\r\n"},
    {"304 Not Modified", "Location: /b\r\n\r\n"},
    {"305 Use Proxy", "Location: /b\r\n"},
};

START_TEST(what_is_no_redirect_is_the_answer)
{
    const struct page site[] = {{"/a", answers[_i].status, answers[_i].more}, {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    ask(w, "GET", "/a");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_int_eq(w->seen.status, (int)strtol(answers[_i].status, NULL, 10));
    ck_assert_uint_eq(w->seen.hops, 0);
    ck_assert_uint_eq(w->seen.redirects, 0);
    hop_close(w);
}
END_TEST

START_TEST(a_bare_request_follows_nothing)
{
    static const struct page site[] = {{"/a", "302 Found", "Location: /b\r\n"}, {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    w->head.redirect_max = 0;
    ask(w, "GET", "/a");
    run(w);
    ck_assert_int_eq(w->seen.status, 302);
    ck_assert_uint_eq(w->seen.hops, 0);
    hop_close(w);
}
END_TEST

START_TEST(head_stays_head_and_post_becomes_get)
{
    static const struct page site[] = {{"/a", "303 See Other", "Location: /b\r\n"}, {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    ask(w, "HEAD", "/a");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(times(log_of[0], "HEAD /b"), 1);
    ask(w, "POST", "/a");
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 5;
    give(w, "Content-Type", "text/plain");
    give(w, "X-Mine", "1");
    begin(w, false);
    body(w, "hello", 5, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    const char *get = strstr(log_of[0], "GET /b");
    ck_assert_ptr_nonnull(get);
    ck_assert_ptr_null(strstr(get, "Content-"));
    ck_assert_ptr_nonnull(strstr(get, "X-Mine: 1"));
    hop_close(w);
}
END_TEST

/* ---- the body ---- */

START_TEST(a_small_body_is_kept_for_the_next_request)
{
    static const struct page site[] = {
        {"/a", "307 Temporary Redirect", "Location: /b\r\n"},
        {"/b", "308 Permanent Redirect", "Location: http://127.0.0.1:%2/c\r\n"},
        {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    ask(w, "PUT", "/a");
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 5;
    begin(w, false);
    body(w, "hello", 5, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.hops, 2);
    ck_assert_uint_eq(w->seen.hop_flags, 0);
    ck_assert_uint_eq(times(log_of[0], "\r\n\r\nhello\n"), 2);
    ck_assert_ptr_nonnull(strstr(log_of[1], "PUT /c"));
    ck_assert_ptr_nonnull(strstr(log_of[1], "\r\n\r\nhello\n"));
    hop_close(w);
}
END_TEST

static const struct page large_site[] = {{"/a", "307 Temporary Redirect", "Location: /b\r\n"},
                                         {NULL, NULL, NULL}};
static unsigned whole;
static size_t last_length;

static void count_and_answer(struct mini_conn *conn)
{
    const char *field = strstr(conn->in, "Content-Length: ");

    whole++;
    last_length = field ? strtoul(field + 16, NULL, 10) : 0;
    if (strncmp(conn->in, "PUT /a", 6) == 0)
        mini_say(conn, "HTTP/1.1 307 T\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
    else
        mini_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* Longer than what is kept: the program sends it once more. */
START_TEST(a_large_body_comes_again_from_the_program)
{
    struct world *w = hop_open(large_site);
    struct rqv_request_head again = {.flags = RQV_REQ_HAS_BODY, .body_length = 100000};

    whole = 0;
    w->origin.on_whole = count_and_answer;
    ask(w, "PUT", "/a");
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 100000;
    begin(w, false);
    body(w, megabyte, 100000, true);
    mini_env_until(&w->env, &w->seen.hops, 1);
    ck_assert_uint_eq(w->seen.hop_flags, RQV_HOP_WAITS | RQV_HOP_BODY);
    ck_assert_uint_eq(w->seen.done, 0);
    body(w, "late", 4, false); /* of the request before: dropped */
    again.method = RQV_STR("PUT");
    again.url = rqv_str_from(w->seen.hop_url);
    ck_assert_int_eq(exchange_proceed(w->x, &again, false), 0);
    body(w, megabyte, 60000, false);
    body(w, megabyte, 40000, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(whole, 2);
    ck_assert_uint_eq(last_length, 100000);
    hop_close(w);
}
END_TEST

static void redirect_at_head(struct mini_conn *conn)
{
    if (strncmp(conn->in, "PUT /a", 6) == 0)
        mini_say(conn, "HTTP/1.1 307 T\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
}

START_TEST(a_redirect_while_the_body_is_on_its_way)
{
    struct world *w = hop_open(NULL);
    struct rqv_request_head again = {.flags = RQV_REQ_HAS_BODY, .body_length = 5};

    w->origin.on_head = redirect_at_head;
    ask(w, "PUT", "/a");
    w->head.flags = RQV_REQ_HAS_BODY;
    w->head.body_length = 5;
    begin(w, false);
    body(w, "he", 2, false);
    mini_env_until(&w->env, &w->seen.hops, 1);
    ck_assert_uint_eq(w->seen.hop_flags, RQV_HOP_WAITS | RQV_HOP_BODY);
    body(w, "llo", 3, true); /* was under way */
    again.method = RQV_STR("PUT");
    again.url = rqv_str_from(w->seen.hop_url);
    ck_assert_int_eq(exchange_proceed(w->x, &again, false), 0);
    body(w, "hello", 5, true);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.accepted, 2);
    ck_assert_ptr_nonnull(strstr(log_of[0], "PUT /b"));
    ck_assert_ptr_nonnull(strstr(log_of[0], "\r\n\r\nhello\n"));
    hop_close(w);
}
END_TEST

/* ---- credentials ---- */

static void give_secrets(struct world *w)
{
    give(w, "Authorization", "Bearer SECRET");
    give(w, "Cookie", "mine=SECRET");
    give(w, "X-Api-Key", "SECRET");
    give(w, "Host", "secret.example");
    give(w, "Accept", "a/b");
}

START_TEST(rule_b2_1_credentials_are_computed_for_each_hop)
{
    static const struct page site[] = {{"/a", "302 Found", "Location: /b\r\n"},
                                       {"/b", "302 Found", "Location: http://127.0.0.1:%2/c\r\n"},
                                       {"/c", "302 Found", "Location: http://127.0.0.1:%1/d\r\n"},
                                       {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    ask(w, "GET", "/a");
    give_secrets(w);
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.hops, 3);
    ck_assert_uint_eq(times(log_of[0], "SECRET"), 6); /* /a and /b */
    ck_assert_uint_eq(times(log_of[0], "secret.example"), 2);
    ck_assert_uint_eq(times(log_of[1], "SECRET"), 0);
    ck_assert_uint_eq(times(log_of[1], "secret.example"), 0);
    ck_assert_uint_eq(times(log_of[0], "Accept: a/b"), 3);
    ck_assert_uint_eq(times(log_of[1], "Accept: a/b"), 1);
    hop_close(w);
}
END_TEST

START_TEST(a_trusted_chain_takes_credentials_along)
{
    static const struct page site[] = {{"/a", "302 Found", "Location: http://127.0.0.1:%2/c\r\n"},
                                       {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    ask(w, "GET", "/a");
    give_secrets(w);
    w->head.flags = RQV_REQ_TRUSTED;
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(times(log_of[1], "SECRET"), 3);
    ck_assert_uint_eq(times(log_of[1], "secret.example"), 0);
    hop_close(w);
}
END_TEST

/* ---- what a chain comes to ---- */

static const struct {
    const char *more;
    int code;
} refused[] = {
    {"Location: /a\r\n", REQIVO_E_REDIRECT_LOOP},
    {"Location: ftp://h/\r\n", REQIVO_E_REDIRECT_URL},
    {"Location: http://u:p@127.0.0.1/\r\n", REQIVO_E_REDIRECT_URL},
    {"Location: /x\r\nLocation: /y\r\n", REQIVO_E_REDIRECT_URL},
};

START_TEST(rule_b3_2_a_redirect_that_is_refused)
{
    const struct page site[] = {{"/a", "302 Found", refused[_i].more}, {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    ask(w, "GET", "/a");
    run(w);
    check_code(w, refused[_i].code, REQIVO_SENT_YES);
    ck_assert_int_eq(w->seen.status, 302);
    ck_assert_uint_eq(w->seen.heads, 1);
    ck_assert_uint_eq(w->seen.redirects, 0);
    ck_assert_uint_eq(w->origin.requests, 1);
    hop_close(w);
}
END_TEST

static void endless(struct mini_conn *conn)
{
    static char answer[160];
    int n = 0;

    sscanf(conn->in, "GET /%d", &n);
    snprintf(answer, sizeof answer, "HTTP/1.1 302 F\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n", n + 1);
    mini_say(conn, answer);
}

START_TEST(rule_b3_1_thirty_and_no_more)
{
    struct world *w = hop_open(NULL);

    w->origin.on_whole = endless;
    w->head.redirect_max = 1000;
    ask(w, "GET", "/0");
    run(w);
    check_code(w, REQIVO_E_REDIRECT_LIMIT, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.hops, 30);
    ck_assert_uint_eq(w->origin.requests, 31);
    ck_assert_uint_eq(w->origin.accepted, 1);
    w->head.redirect_max = 2;
    ask(w, "GET", "/0");
    run(w);
    check_code(w, REQIVO_E_REDIRECT_LIMIT, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.hops, 2);
    hop_close(w);
}
END_TEST

/* As if the answer had come from a public address: tests have none. */
static void from_public(struct mini_conn *conn)
{
    struct world *w = conn->origin->user;

    w->x->redirect->from_public = true;
    mini_say(conn, "HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
}

START_TEST(rule_b3_5_from_a_public_address_to_a_private_one)
{
    struct world *w = hop_open(NULL);

    w->origin.on_whole = from_public;
    w->origin.user = w;
    ask(w, "GET", "/a");
    run(w);
    check_code(w, REQIVO_E_REDIRECT_DENIED, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.hops, 1);
    ck_assert_uint_eq(w->origin.requests, 1); /* the idle connection of the wider policy was not used */
    hop_close(w);
}
END_TEST

START_TEST(rule_b3_6_each_hop_has_a_key_of_its_own)
{
    static const struct page site[] = {{"/a", "302 Found", "Location: http://127.0.0.1:%2/c\r\n"},
                                       {NULL, NULL, NULL}};
    struct world *w = hop_open(site);

    ask(w, "GET", "/a");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.accepted, 1);
    ck_assert_uint_eq(second.accepted, 1);
    ck_assert_uint_eq(w->env.origins.isolation_violations, 0);
    hop_close(w);
}
END_TEST

/* ---- the redirect's own body ---- */

static char long_redirect[200000];

static void answer_long(struct mini_conn *conn)
{
    if (strncmp(conn->in, "GET /a", 6) == 0)
        mini_say(conn, long_redirect);
    else
        mini_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static const struct {
    const char *framing;
    size_t body;
    unsigned accepted;
} drains[] = {
    {"Content-Length: 65536", 65536, 1},
    {"Content-Length: 65537", 65537, 2},
    {"Transfer-Encoding: chunked", 100000, 2},
    {"Connection: close", 100, 2},
};

START_TEST(a_long_body_of_a_redirect_costs_its_connection)
{
    struct world *w = hop_open(NULL);
    bool chunked = strstr(drains[_i].framing, "chunked");
    int n = snprintf(long_redirect, sizeof long_redirect, "HTTP/1.1 302 F\r\nLocation: /b\r\n%s\r\n\r\n%s",
                     drains[_i].framing, chunked ? "186a0\r\n" : "");

    memset(long_redirect + n, 'z', drains[_i].body);
    snprintf(long_redirect + n + drains[_i].body, 16, "%s", chunked ? "\r\n0\r\n\r\n" : "");
    w->origin.on_whole = answer_long;
    ask(w, "GET", "/a");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_str_eq(w->seen.text, "ok");
    ck_assert_uint_eq(w->seen.body, 2);
    ck_assert_uint_eq(w->origin.accepted, drains[_i].accepted);
    hop_close(w);
}
END_TEST

/* ---- the program is asked ---- */

static const struct page ask_site[] = {{"/a", "302 Found", "Location: /b\r\n"}, {NULL, NULL, NULL}};

static struct world *at_hop(const struct page *site)
{
    struct world *w = hop_open(site);

    ask(w, "GET", "/a");
    w->head.flags = RQV_REQ_ASK | RQV_REQ_BEGUN | RQV_REQ_DECODE;
    give(w, "Accept", "a/b");
    begin(w, true);
    mini_env_until(&w->env, &w->seen.hops, 1);
    ck_assert_uint_eq(w->seen.hop_flags, RQV_HOP_WAITS);
    ck_assert_uint_eq(w->seen.hop_fields, 1);
    ck_assert_uint_eq(w->seen.done, 0);
    return w;
}

START_TEST(a_program_that_is_asked_turns_the_hop)
{
    struct world *w = at_hop(ask_site);
    struct rqv_request_head turn = {.method = RQV_STR("OPTIONS"), .url = rqv_str_from(w->url)};

    rqv_fields_add(&turn.fields, RQV_STR("X-Turned"), RQV_STR("1"));
    snprintf(w->url, sizeof w->url, "http://127.0.0.1:%u/turned", second.port);
    turn.url = rqv_str_from(w->url);
    ck_assert_int_eq(exchange_proceed(w->x, &turn, true), 0);
    ck_assert_int_eq(exchange_proceed(w->x, &turn, true), REQIVO_E_WIRE);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.begun, 1);
    ck_assert_ptr_nonnull(strstr(log_of[1], "OPTIONS /turned"));
    ck_assert_ptr_nonnull(strstr(log_of[1], "X-Turned: 1"));
    ck_assert_ptr_nonnull(strstr(log_of[1], "Accept-Encoding: deflate, gzip, br, zstd"));
    ck_assert_ptr_null(strstr(log_of[1], "a/b"));
    hop_close(w);
}
END_TEST

/* The route of the first request holds as long as its origin is not left; the program may give each hop one.
 */
START_TEST(a_hop_has_the_route_that_the_program_gives_it)
{
    struct world *w = at_hop(ask_site);
    struct rqv_request_head turn = {.method = RQV_STR("GET"),
                                    .url = RQV_STR("http://nowhere.invalid:9/routed")};
    char route[32];

    snprintf(route, sizeof route, "127.0.0.1:%u", second.port);
    turn.route = rqv_str_from(route);
    ck_assert_int_eq(exchange_proceed(w->x, &turn, true), 0);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_ptr_nonnull(strstr(log_of[1], "GET /routed HTTP/1.1\r\nHost: nowhere.invalid:9\r\n"));
    hop_close(w);
}
END_TEST

START_TEST(a_turn_is_judged_as_a_request)
{
    struct world *w = at_hop(ask_site);
    struct rqv_request_head turn = {.method = RQV_STR("GET"), .url = RQV_STR("ftp://h/")};

    ck_assert_int_eq(exchange_proceed(w->x, &turn, true), 0);
    finish(w);
    check_code(w, REQIVO_E_URL, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->origin.requests, 1);
    hop_close(w);
}
END_TEST

START_TEST(a_hop_that_waits_can_be_canceled)
{
    struct world *w = at_hop(ask_site);

    exchange_kick(w->x);
    exchange_cancel(w->x, REQIVO_E_CANCELED, "canceled");
    finish(w);
    check_code(w, REQIVO_E_CANCELED, REQIVO_SENT_YES);
    hop_close(w);
}
END_TEST

START_TEST(a_program_that_dies_in_mid_chain)
{
    struct world *w = at_hop(ask_site);

    exchange_abandon(w->x);
    ck_assert_uint_eq(w->seen.done, 0);
    hop_close(w);
}
END_TEST

START_TEST(while_a_hop_waits_only_the_total_time_runs)
{
    struct world *w = hop_open(ask_site);

    ask(w, "GET", "/a");
    w->head.flags = RQV_REQ_ASK;
    for (int i = 0; i < RQV_T_TOTAL; i++)
        w->head.timeout_ms[i] = 20;
    w->head.timeout_ms[RQV_T_TOTAL] = 300;
    begin(w, true);
    mini_env_until(&w->env, &w->seen.hops, 1);
    mini_env_ms(&w->env, 100);
    ck_assert_uint_eq(w->seen.done, 0);
    finish(w);
    check_code(w, REQIVO_E_TIMEOUT_TOTAL, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.phase, REQIVO_PHASE_IPC);
    hop_close(w);
}
END_TEST

START_TEST(no_hop_waits)
{
    struct world *w = hop_open(NULL);
    struct rqv_request_head turn = {.method = RQV_STR("GET"), .url = RQV_STR("http://h/")};

    w->origin.on_whole = silence;
    ask(w, "GET", "/a");
    begin(w, true);
    ck_assert_int_eq(exchange_proceed(w->x, &turn, true), REQIVO_E_WIRE);
    mini_env_until(&w->env, &w->origin.requests, 1);
    ck_assert_int_eq(exchange_proceed(w->x, &turn, true), REQIVO_E_WIRE);
    exchange_cancel(w->x, REQIVO_E_CANCELED, "canceled");
    finish(w);
    hop_close(w);
}
END_TEST

/* ---- limits, ends, the repeat ---- */

static void redirect_then_silence(struct mini_conn *conn)
{
    if (strncmp(conn->in, "GET /a", 6) == 0)
        mini_say(conn, "HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
}

START_TEST(the_total_time_is_that_of_the_chain)
{
    struct world *w = hop_open(NULL);

    w->origin.on_whole = redirect_then_silence;
    ask(w, "GET", "/a");
    w->head.timeout_ms[RQV_T_TOTAL] = 100;
    run(w);
    check_code(w, REQIVO_E_TIMEOUT_TOTAL, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.hops, 1);
    hop_close(w);
}
END_TEST

static void half_a_redirect(struct mini_conn *conn)
{
    mini_say(conn, "HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 10\r\n\r\n12345");
}

static void cut_redirect(struct mini_conn *conn)
{
    if (strncmp(conn->in, "GET /a", 6) == 0) {
        half_a_redirect(conn);
        mini_end(conn);
    } else {
        mini_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

START_TEST(a_redirect_whose_body_is_cut)
{
    struct world *w = hop_open(NULL);

    w->origin.on_whole = cut_redirect;
    ask(w, "GET", "/a");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_str_eq(w->seen.text, "ok");
    ck_assert_uint_eq(w->origin.accepted, 2);
    hop_close(w);
}
END_TEST

START_TEST(canceled_while_a_redirect_drains)
{
    struct world *w = hop_open(NULL);

    w->origin.on_whole = half_a_redirect;
    ask(w, "GET", "/a");
    begin(w, true);
    mini_env_until(&w->env, &w->seen.heads, 1);
    mini_env_ms(&w->env, 5);
    ck_assert_uint_eq(w->seen.hops, 0);
    exchange_cancel(w->x, REQIVO_E_CANCELED, "canceled");
    finish(w);
    check_code(w, REQIVO_E_CANCELED, REQIVO_SENT_YES);
    hop_close(w);
}
END_TEST

/* The second request of the chain goes out on a connection that dies: repeated, as any other. */
static void break_once(struct mini_conn *conn)
{
    if (strncmp(conn->in, "GET /a", 6) == 0)
        mini_say(conn, "HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
    else if (conn->number == 1)
        mini_reset(conn);
    else
        mini_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

START_TEST(rule_b8_1_each_hop_may_be_repeated_once)
{
    struct world *w = hop_open(NULL);

    w->origin.on_whole = break_once;
    ask(w, "GET", "/a");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.end.flags, RQV_RESP_RETRIED);
    ck_assert_uint_eq(w->env.exchanges.stats.retried, 1);
    hop_close(w);
}
END_TEST

START_TEST(rule_b9_1_what_is_kept_is_charged_first)
{
    struct world *w = hop_open(NULL);
    static char value[50000];
    struct rqv_err err = {0};

    memset(value, 'v', sizeof value - 1);
    ask(w, "GET", "/a");
    give(w, "X-Long", value);
    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = sizeof(struct exchange) + 40000;
    ck_assert_int_eq(start(w, true, &err), REQIVO_E_LIMIT_MEMORY);
    ck_assert_uint_eq(w->env.account->used[ACCOUNT_REQUESTS], 0);
    hop_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("exchange_hop");
    TCase *tables = tcase_create("tables");

    UNIT_TCASE(s, "follow", a_redirect_is_followed_on_the_same_connection, a_bare_request_follows_nothing,
               head_stays_head_and_post_becomes_get);
    tcase_add_loop_test(tables, what_is_no_redirect_is_the_answer, 0, sizeof answers / sizeof answers[0]);
    tcase_add_loop_test(tables, rule_b3_2_a_redirect_that_is_refused, 0, sizeof refused / sizeof refused[0]);
    tcase_add_loop_test(tables, a_long_body_of_a_redirect_costs_its_connection, 0,
                        sizeof drains / sizeof drains[0]);
    suite_add_tcase(s, tables);
    UNIT_TCASE(s, "body", a_small_body_is_kept_for_the_next_request,
               a_large_body_comes_again_from_the_program, a_redirect_while_the_body_is_on_its_way);
    UNIT_TCASE(s, "origin", rule_b2_1_credentials_are_computed_for_each_hop,
               a_trusted_chain_takes_credentials_along, rule_b3_1_thirty_and_no_more,
               rule_b3_5_from_a_public_address_to_a_private_one, rule_b3_6_each_hop_has_a_key_of_its_own);
    UNIT_TCASE(s, "ask", a_program_that_is_asked_turns_the_hop, a_hop_has_the_route_that_the_program_gives_it,
               a_turn_is_judged_as_a_request, a_hop_that_waits_can_be_canceled,
               a_program_that_dies_in_mid_chain, while_a_hop_waits_only_the_total_time_runs, no_hop_waits);
    UNIT_TCASE(s, "end", the_total_time_is_that_of_the_chain, a_redirect_whose_body_is_cut,
               canceled_while_a_redirect_drains, rule_b8_1_each_hop_may_be_repeated_once,
               rule_b9_1_what_is_kept_is_charged_first);
    return s;
}

UNIT_MAIN(suite)
