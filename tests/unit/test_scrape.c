/* SPDX-License-Identifier: MIT */
/* test_scrape - the metrics over HTTP: what is answered to whom, and that nobody can hold the place for long.
 */
#include "daemon/ipc/metrics.h"
#include "tests/lib/mini_program.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define GET "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"

static struct sockaddr_in at;

static struct world *listening(void)
{
    struct rqv_addr addr = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct world *w = world_open();
    socklen_t len = sizeof at;
    char why[256] = "";
    int fd = -1;

    ck_assert_msg(scrape_listen(&addr, &fd, why, sizeof why) == 0, "%s", why);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    scrape_use(&w->ipc.scrape, fd);
    return w;
}

static int come(const char *text)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), least = 4096;

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    return fd;
}

static void wait_for(struct world *w, unsigned count)
{
    for (int i = 0; i < 10000 && w->ipc.scrape.count != count; i++)
        mini_env_ms(&w->env, 1);
    ck_assert_uint_eq(w->ipc.scrape.count, count);
}

/* All that comes until the end; NULL: until a reset. */
static char *rest_of(struct world *w, int fd)
{
    static char text[1 << 18];
    size_t used = 0;

    for (int i = 0; i < 10000; i++) {
        ssize_t n = recv(fd, text + used, sizeof text - 1 - used, MSG_DONTWAIT);
        used += n > 0 ? (size_t)n : 0;
        if (n == 0 || (n < 0 && errno == ECONNRESET)) {
            close(fd);
            text[used] = 0;
            return n == 0 ? text : NULL;
        }
        if (n < 0)
            mini_env_ms(&w->env, 1);
    }
    ck_abort_msg("it does not end");
    return NULL;
}

static char *answer_of(struct world *w, const char *text)
{
    char *answer = rest_of(w, come(text));

    ck_assert_ptr_nonnull(answer);
    return answer;
}

/* ---- what is answered ---- */

/* A chunk for each piece; the figures go on meanwhile, so they are not compared. */
START_TEST(a_get_brings_all_in_chunks)
{
    struct world *w = listening();
    char *text = answer_of(w, GET), *end;
    char piece[METRICS_PIECE];
    struct metrics metrics;

    ck_assert_ptr_nonnull(strstr(text, "HTTP/1.1 200 OK\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    text = strstr(text, "\r\n\r\n") + 4;
    metrics_begin(&metrics, &w->ipc, NULL, false);
    while (metrics_next(&metrics, piece) > 0) {
        size_t len = strtoul(text, &end, 16);

        ck_assert_uint_gt(len, 0);
        ck_assert_int_eq(memcmp(end, "\r\n", 2), 0);
        ck_assert_int_eq(memcmp(end + 2, piece, strcspn(piece, " ")), 0);
        text = end + 2 + len;
        ck_assert_int_eq(memcmp(text - 1, "\n\r\n", 3), 0);
        text += 2;
    }
    ck_assert_str_eq(text, "0\r\n\r\n");
    metrics_end(&metrics);
    wait_for(w, 0);
    ck_assert_uint_eq(account_memory(w->ipc.control_accounts.used), 0);
    world_close(w);
}
END_TEST

START_TEST(http_1_0_and_head)
{
    struct world *w = listening();
    char *text = answer_of(w, "GET /metrics HTTP/1.0\r\n\r\n");

    ck_assert_ptr_null(strstr(text, "chunked"));
    ck_assert_ptr_nonnull(strstr(text, "\r\n\r\n# HELP reqivo_requests_waiting "));
    ck_assert_str_eq(text + strlen(text) - 2, "1\n"); /* of reqivo_build_info */
    text = answer_of(w, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(text, "HTTP/1.1 200 OK\r\n"));
    ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
    text = answer_of(w, "HEAD /other HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(text, "HTTP/1.1 404 "));
    ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
    world_close(w);
}
END_TEST

static const struct {
    const char *status, *target, *host;
} hosts[] = {
    {"200", "/metrics", "127.0.0.1"},
    {"200", "/metrics?x", "127.9.9.9:65535"},
    {"200", "/metrics", "LocalHost:1"},
    {"200", "/metrics", "[::1]:9464"},
    {"200", "http://localhost:9/metrics", "localhost"},
    {"421", "http://evil.example/metrics", "localhost"},
    {"421", "http:///metrics", "localhost"},
    {"421", "/metrics", ""},
    {"421", "/metrics", "evil.example"},
    {"421", "/metrics", "evil.example:9464"},
    {"421", "/metrics", "127.0.0.1.evil.example"},
    {"421", "/metrics", "localhost.evil.example"},
    {"421", "/metrics", "localhost:99999"},
    {"421", "/metrics", "localhost:x"},
    {"421", "/metrics", "u@localhost"},
    {"421", "/metrics", "192.0.2.1"},
    {"421", "/metrics", "0.0.0.0"},
    {"421", "/metrics", "::1"},
    {"421", "/metrics", "[127.0.0.1]"},
    {"421", "/metrics", "[::1"},
    {"421", "/metrics", "0x7f.1"},
    {"421", "/", "evil.example"},
    {"404", "/", "localhost"},
    {"404", "/metrics/", "localhost"},
    {"404", "/metricsx", "localhost"},
    {"404", "http://localhost", "localhost"},
};

/* A name that leads here is not enough: a page whose name was made to lead here would read it. */
START_TEST(rule_b9_14_a_host_of_this_machine_is_asked_for)
{
    struct world *w = listening();

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        char text[256];

        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i].target, hosts[i].host);
        const char *got = answer_of(w, text);
        ck_assert_msg(strncmp(got + 9, hosts[i].status, 3) == 0, "%s of '%s': %.12s", hosts[i].target,
                      hosts[i].host, got);
    }
    world_close(w);
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
    static const char *const wrong[][2] = {
        {"405 ", "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"},
        {"405 ", "get /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"404 ", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"400 ", "GET /metrics HTTP/1.1\r\n\r\n"},
        {"400 ", "GET /metrics HTTP/1.1\nHost: localhost\n\n"},
        {"400 ", "\x16\x03\x01 not TLS\r\n\r\n"},
        {"505 ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    };
    static char large[SCRAPE_HEAD_MAX + 1];
    struct world *w = listening();

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *got = answer_of(w, wrong[i][1]);
        ck_assert_msg(strncmp(got + 9, wrong[i][0], 4) == 0, "'%s': %.12s", wrong[i][1], got);
    }
    ck_assert_ptr_nonnull(strstr(answer_of(w, wrong[0][1]), "\r\nAllow: GET, HEAD\r\n"));
    memset(large, 'x', SCRAPE_HEAD_MAX);
    ck_assert_int_eq(strncmp(answer_of(w, large), "HTTP/1.1 431 ", 13), 0);
    wait_for(w, 0);
    world_close(w);
}
END_TEST

START_TEST(a_head_may_come_byte_by_byte)
{
    struct world *w = listening();
    int fd = come("");

    for (const char *c = GET GET; *c; c++) { /* what is behind the first one is dropped */
        ck_assert_int_eq(send(fd, c, 1, MSG_NOSIGNAL), 1);
        mini_env_ms(&w->env, 0);
    }
    const char *text = rest_of(w, fd);
    ck_assert_int_eq(strncmp(text, "HTTP/1.1 200 ", 13), 0);
    ck_assert_ptr_null(strstr(text + 1, "HTTP/1.1"));
    world_close(w);
}
END_TEST

/* ---- users ---- */

START_TEST(rule_b9_14_users_are_shown_where_it_is_allowed)
{
    struct world *w = listening();
    struct client *one = greeted(w, 1001);

    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_null(strstr(answer_of(w, GET), "1001"));
    ck_assert_ptr_null(strstr(answer_of(w, GET), "reqivo_user_"));
    w->env.conf.metrics_users = true;
    ck_assert_ptr_nonnull(strstr(answer_of(w, GET), "reqivo_user_programs{uid=\"1001\"} 1\n"));
    world_close(w);
}
END_TEST

/* ---- who takes places ---- */

static int answer_to_status(struct world *w, struct client *c)
{
    unsigned dones = c->dones;

    ck_assert_int_eq(rqv_wire_encode_query(&c->out, 1, RQV_QUERY_STATUS), 0);
    until(w, c, &c->dones, dones + 1);
    return c->code;
}

START_TEST(half_heads_keep_nobody_out)
{
    struct world *w = listening();
    struct client *user = greeted_control(w, 1001);
    int half[2 * SCRAPE_CONNS];

    for (int i = 0; i < 2 * SCRAPE_CONNS; i++)
        half[i] = come(i == 1 ? "" : "GET /met");
    wait_for(w, SCRAPE_CONNS);
    ck_assert_int_eq(answer_to_status(w, user), 0); /* reqivoctl has its own turns */
    ck_assert_int_eq(strncmp(answer_of(w, GET), "HTTP/1.1 200 ", 13), 0);
    ck_assert_int_eq(strncmp(rest_of(w, half[0]), "HTTP/1.1 408 ", 13), 0);
    ck_assert_str_eq(rest_of(w, half[1]), "");
    scrape_close(&w->ipc.scrape);
    ck_assert_uint_eq(w->ipc.scrape.count, 0);
    for (int i = 2; i < 2 * SCRAPE_CONNS; i++)
        close(half[i]);
    world_close(w);
}
END_TEST

/* More than fits between two sockets: it costs one block, and ends with a reset, not as if it were all. */
START_TEST(who_does_not_read_is_cut_off)
{
    enum { USERS = 20000 };
    static struct account *accounts[USERS];
    struct world *w = listening();
    int fds[SCRAPE_CONNS];

    w->env.conf.metrics_users = true;
    for (uid_t i = 0; i < USERS; i++)
        ck_assert_int_eq(account_get(&w->env.accounts, 100000 + i, &accounts[i]), 0);
    for (int i = 0; i < SCRAPE_CONNS; i++)
        fds[i] = come(i == 0 ? GET : "");
    wait_for(w, SCRAPE_CONNS);
    ck_assert_uint_lt(account_memory(w->ipc.control_accounts.used), SCRAPE_CONNS * 20000);
    wait_for(w, SCRAPE_CONNS - 1);
    ck_assert_ptr_null(rest_of(w, fds[0]));
    for (int i = 1; i < SCRAPE_CONNS; i++)
        close(fds[i]);
    wait_for(w, 0);
    for (int i = 0; i < USERS; i++)
        account_release(&accounts[i]);
    ck_assert_uint_eq(account_memory(w->ipc.control_accounts.used), 0);
    world_close(w);
}
END_TEST

START_TEST(without_memory_nobody_is_let_in)
{
    struct world *w = listening();
    size_t *limit = &w->ipc.control_accounts.limit_uid[ACCOUNT_MEMORY], before = *limit;

    *limit = 4096;
    ck_assert(rest_of(w, come("")) == NULL || w->ipc.scrape.count == 0);
    ck_assert_uint_eq(w->ipc.scrape.count, 0);
    *limit = before;
    ck_assert_int_eq(strncmp(answer_of(w, GET), "HTTP/1.1 200 ", 13), 0);
    world_close(w);
}
END_TEST

/* ---- the address ---- */

START_TEST(the_address_moves_and_goes)
{
    struct world *w = listening();
    struct rqv_addr addr = {.family = 4, .bytes = {127, 0, 0, 1}, .port = ntohs(at.sin_port)};
    struct sockaddr_in before = at;
    char why[256] = "";
    int fd = 77;

    ck_assert_int_eq(scrape_listen(&addr, &fd, why, sizeof why), -EADDRINUSE);
    ck_assert_int_eq(strncmp(why, "metrics.listen: 127.0.0.1:", 26), 0);
    ck_assert_int_eq(fd, 77);
    int early = come("GET /metrics HTTP/1.1\r\n");
    wait_for(w, 1);
    addr = (struct rqv_addr){.family = 0};
    ck_assert_int_eq(scrape_listen(&addr, &fd, why, sizeof why), 0);
    ck_assert_int_eq(fd, -1);
    scrape_use(&w->ipc.scrape, fd);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(late, (struct sockaddr *)&before, sizeof before), -1);
    close(late);
    ck_assert_int_eq(send(early, "Host: localhost\r\n\r\n", 19, MSG_NOSIGNAL), 19); /* it goes on */
    ck_assert_int_eq(strncmp(rest_of(w, early), "HTTP/1.1 200 ", 13), 0);
    world_close(w);
}
END_TEST

START_TEST(a_drain_ends_it)
{
    struct world *w = listening();
    int half = come("GET /met");
    struct sockaddr_in before = at;

    wait_for(w, 1);
    ipc_drain(&w->ipc);
    ck_assert_uint_eq(w->ipc.scrape.count, 0);
    ck_assert_str_eq(rest_of(w, half), "");
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(late, (struct sockaddr *)&before, sizeof before), -1);
    close(late);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("scrape");

    UNIT_TCASE(s, "answers", a_get_brings_all_in_chunks, http_1_0_and_head,
               rule_b9_14_a_host_of_this_machine_is_asked_for, what_is_wrong_is_told,
               a_head_may_come_byte_by_byte);
    UNIT_TCASE(s, "users", rule_b9_14_users_are_shown_where_it_is_allowed);
    UNIT_TCASE(s, "places", half_heads_keep_nobody_out, who_does_not_read_is_cut_off,
               without_memory_nobody_is_let_in);
    UNIT_TCASE(s, "address", the_address_moves_and_goes, a_drain_ends_it);
    return s;
}

UNIT_MAIN(suite)
