/* SPDX-License-Identifier: MIT */
/* test_exchange_session - requests with a session: which cookies are kept, and to whom they are sent, hop by
 * hop; against two origins that log what they are asked. */
#include "daemon/work/session.h"
#include "tests/lib/mini_site.h"
#include "tests/unit/unit.h"

static struct world *session_open(const struct page *site)
{
    struct world *w = hop_open(site);

    ck_assert_int_eq(
        session_new(w->env.account, w->env.exchanges.suffixes, w->env.exchanges.hash_key, &w->session), 0);
    return w;
}

static void session_close(struct world *w)
{
    session_release(&w->session);
    ck_assert_ptr_null(w->session);
    hop_close(w);
}

START_TEST(what_a_redirect_sets_goes_to_the_next_request)
{
    static const struct page site[] = {
        {"/a", "302 Found", "Location: /b\r\nSet-Cookie: one=1\r\nSet-Cookie: two=2; Path=/b\r\n"},
        {NULL, NULL, NULL}};
    struct world *w = session_open(site);

    ask(w, "GET", "/a");
    give(w, "Cookie", "mine=0");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(times(log_of[0], "Cookie: mine=0\r\n"), 1);
    ck_assert_ptr_nonnull(strstr(log_of[0], "Cookie: two=2; one=1; mine=0\r\n"));
    ck_assert_uint_eq(times(log_of[0], "Cookie: "), 2);
    session_close(w);
}
END_TEST

START_TEST(without_redirects_too)
{
    static const struct page site[] = {{"/a", "302 Found", "Location: /b\r\nSet-Cookie: one=1\r\n"},
                                       {NULL, NULL, NULL}};
    struct world *w = session_open(site);

    w->head.redirect_max = 0;
    ask(w, "GET", "/a");
    run(w);
    ck_assert_int_eq(w->seen.status, 302);
    ask(w, "GET", "/c");
    run(w);
    ck_assert_ptr_nonnull(strstr(log_of[0], "GET /c HTTP/1.1\r\n"));
    ck_assert_uint_eq(times(log_of[0], "Cookie: one=1\r\n"), 1);
    session_close(w);
}
END_TEST

/* The domain is the URL's, whatever Host says; and another origin of the same host is another matter for
 * credentials, but not for cookies, which know no ports. */
START_TEST(rule_b3_8_cookies_follow_the_url)
{
    static const struct page site[] = {
        {"/a", "302 Found", "Location: http://localhost:%2/b\r\nSet-Cookie: one=1\r\n"},
        {"/x", "302 Found", "Location: http://127.0.0.1:%2/c\r\n"},
        {NULL, NULL, NULL}};
    struct world *w = session_open(site);

    /* localhost is not resolved here: the chain ends there, and nothing of the jar has gone to it */
    ask(w, "GET", "/a");
    give(w, "Host", "localhost");
    give(w, "Cookie", "SECRET=1");
    w->head.redirect_max = 0;
    run(w);
    ck_assert_uint_eq(jar_count(w->session->jar), 1);
    ck_assert_str_eq(jar_cookie(jar_next(w->session->jar, NULL, session_now_s()))->domain.len == 9 ? "url"
                                                                                                   : "host",
                     "url");
    w->head.redirect_max = 5;
    ask(w, "GET", "/x");
    give(w, "Host", "localhost");
    give(w, "Cookie", "SECRET=1");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_ptr_nonnull(strstr(log_of[1], "Cookie: one=1\r\n"));
    ck_assert_uint_eq(times(log_of[1], "SECRET"), 0);
    session_close(w);
}
END_TEST

/* A server that answers with a redirect to the same page until it has seen its cookie. */
static void wants_a_cookie(struct mini_conn *conn)
{
    if (strstr(conn->in, "Cookie: seen=1\r\n"))
        mini_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    else
        mini_say(conn, "HTTP/1.1 302 F\r\nLocation: /a\r\nSet-Cookie: seen=1\r\nContent-Length: 0\r\n\r\n");
}

START_TEST(a_new_cookie_makes_the_same_request_another)
{
    struct world *w = session_open(NULL);

    w->origin.on_whole = wants_a_cookie;
    ask(w, "GET", "/a");
    run(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(w->seen.hops, 1);
    session_release(&w->session);
    ask(w, "GET", "/a");
    run(w);
    check_code(w, REQIVO_E_REDIRECT_LOOP, REQIVO_SENT_YES);
    session_close(w);
}
END_TEST

static void bomb(struct mini_conn *conn)
{
    static char answer[8192];
    int n = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");

    for (int i = 0; i < 51; i++)
        n += snprintf(answer + n, sizeof answer - (size_t)n, "Set-Cookie: c%d=%d\r\n", i, i);
    snprintf(answer + n, sizeof answer - (size_t)n, "\r\n");
    mini_say(conn, answer);
}

START_TEST(rule_b3_7_a_bomb_of_cookies_is_one_error)
{
    struct world *w = session_open(NULL);

    w->origin.on_whole = bomb;
    ask(w, "GET", "/a");
    run(w);
    check_code(w, REQIVO_E_LIMIT_COOKIES, REQIVO_SENT_YES);
    ck_assert_int_eq(w->seen.status, 200);
    ck_assert_uint_eq(jar_count(w->session->jar), JAR_RESPONSE_MAX);
    session_close(w);
}
END_TEST

START_TEST(a_request_outlives_its_session)
{
    static const struct page site[] = {{"/a", "302 Found", "Location: /b\r\nSet-Cookie: one=1\r\n"},
                                       {NULL, NULL, NULL}};
    struct world *w = session_open(site);

    ask(w, "GET", "/a");
    begin(w, true);
    session_release(&w->session);
    finish(w);
    check_code(w, 0, REQIVO_SENT_YES);
    ck_assert_uint_eq(times(log_of[0], "Cookie: one=1\r\n"), 1);
    session_close(w);
}
END_TEST

START_TEST(rule_b9_1_a_session_is_charged_first)
{
    struct world *w = session_open(NULL);
    struct session *other;

    w->env.accounts.limit_uid[ACCOUNT_MEMORY] = w->env.account->used[ACCOUNT_MEMORY];
    ck_assert_int_eq(
        session_new(w->env.account, w->env.exchanges.suffixes, w->env.exchanges.hash_key, &other),
        REQIVO_E_LIMIT_MEMORY);
    session_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("exchange_session");

    UNIT_TCASE(s, "cookies", what_a_redirect_sets_goes_to_the_next_request, without_redirects_too,
               rule_b3_8_cookies_follow_the_url, a_new_cookie_makes_the_same_request_another,
               rule_b3_7_a_bomb_of_cookies_is_one_error);
    UNIT_TCASE(s, "life", a_request_outlives_its_session, rule_b9_1_a_session_is_charged_first);
    return s;
}

UNIT_MAIN(suite)
