/* SPDX-License-Identifier: MIT */
/* Tests of daemon/net/dial: success and failure of each step, deadlines, the race, the policy on what is
 * dialled. */
#include "daemon/net/dial.h"
#include "daemon/net/dial_internal.h"
#include "daemon/net/resolver_internal.h"
#include "daemon/net/tls_internal.h"
#include "tests/lib/net_dns.h"
#include "tests/lib/net_peer.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct told {
    struct dial *dial;
    struct dial_result result;
    unsigned calls;
    bool done;
};

static struct net_cert ca, cert;
static struct net_env env;
static struct net_dns dns;
static struct dial_net net;
static struct told told;

static void setup(void)
{
    net_cert_make(&ca, &(struct net_cert_params){.cn = "test CA", .ca = true});
    net_cert_make(&cert, &(struct net_cert_params){
                             .cn = "x", .san = "DNS:localhost,DNS:home.example,IP:127.0.0.1", .issuer = &ca});
    net_env_open(&env, &ca);
    net_dns_open(&dns, env.loop);
    snprintf(env.conf.dns_backend, sizeof(env.conf.dns_backend), "c-ares");
    ck_assert_int_eq(resolver_new(env.loop, &env.conf, net_hash_key, &env.resolver), 0);
    ck_assert_int_eq(resolver_ares_set_servers(env.resolver, dns.server), 0);
    net = (struct dial_net){env.loop, &env.conf, env.resolver, env.tls};
    memset(&told, 0, sizeof(told));
}

static void teardown(void)
{
    stream_free(&told.result.stream);
    resolver_free(env.resolver);
    env.resolver = NULL;
    net_dns_close(&dns);
    net_env_close(&env);
    net_cert_done(&ca);
    net_cert_done(&cert);
}

static void on_told(void *owner, struct dial_result *result)
{
    ck_assert_ptr_eq(owner, &told);
    told.dial = NULL;
    told.result = *result;
    told.calls++;
    told.done = true;
    loop_stop(env.loop);
}

static struct dial_params params_for(const char *host, uint16_t port, bool tls)
{
    struct dial_params params = {.host = host,
                                 .port = port,
                                 .account = env.account,
                                 .use_tls = tls,
                                 .verify = true,
                                 .trust = tls_system_trust(env.tls),
                                 .key = RQV_STR("key"),
                                 .connect_deadline_us = UINT64_MAX,
                                 .tls_timeout_ms = UINT32_MAX};

    (void)rqv_addr_parse(host, strlen(host), port, &params.literal);
    return params;
}

static void begin(const struct dial_params *params)
{
    stream_free(&told.result.stream);
    memset(&told, 0, sizeof(told));
    ck_assert_int_eq(dial_start(&net, params, on_told, &told, &told.dial), 0);
    ck_assert_uint_eq(told.calls, 0);
}

static int dial_with(const struct dial_params *params)
{
    begin(params);
    net_env_run(&env, &told.done);
    ck_assert_uint_eq(told.calls, 1);
    ck_assert((told.result.stream == NULL) == (told.result.err.code != 0));
    ck_assert_int_eq(told.result.err.sent, REQIVO_SENT_NO);
    return told.result.err.code;
}

static int dial(const char *host, uint16_t port, bool tls)
{
    struct dial_params params = params_for(host, port, tls);

    return dial_with(&params);
}

static uint16_t closed_port(void)
{
    struct net_server server;

    net_server_open(&server, NULL, net_script_hello);
    close(server.fd);
    return server.port;
}

/* A port where SYNs are dropped: the queue of a listener that never accepts is full. */
static void open_black_hole(struct net_server *server, int fds[], size_t count)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    net_server_open(server, NULL, net_script_hello);
    ck_assert_int_eq(listen(server->fd, 0), 0);
    sin.sin_port = htons(server->port);
    for (size_t i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fds[i], (struct sockaddr *)&sin, sizeof(sin));
    }
    usleep(20000);
}

static void close_black_hole(struct net_server *server, const int fds[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    close(server->fd);
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* ---- success ---- */

START_TEST(plain_literal)
{
    struct net_server server;
    char expected[RQV_ADDRESS_MAX];
    int one = 0;
    socklen_t len = sizeof(one);

    net_server_open(&server, NULL, net_script_hello);
    net_server_start(&server);
    ck_assert_int_eq(dial("127.0.0.1", server.port, false), 0);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u", server.port);
    ck_assert_str_eq(told.result.address, expected);
    ck_assert_uint_eq(told.result.addr.port, server.port);
    ck_assert(!stream_is_tls(told.result.stream));
    ck_assert_uint_eq(told.result.tls_us, 0);
    ck_assert_int_eq(getsockopt(stream_fd(told.result.stream), IPPROTO_TCP, TCP_NODELAY, &one, &len), 0);
    ck_assert_int_ne(one, 0);
    ck_assert(fcntl(stream_fd(told.result.stream), F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(stream_fd(told.result.stream), F_GETFD) & FD_CLOEXEC);
    stream_free(&told.result.stream);
    net_server_stop(&server);
}
END_TEST

START_TEST(tls_by_name_and_resumed)
{
    struct net_server server;
    uint8_t text[16];
    bool more;

    net_server_open(&server, &cert, net_script_hello);
    net_server_start(&server);
    ck_assert_int_eq(dial("home.example", server.port, true), 0);
    ck_assert(!told.result.resumed);
    ck_assert_uint_gt(told.result.dns_us, 0);
    ck_assert_uint_gt(told.result.tls_us, 0);
    long n = -EAGAIN;
    for (int i = 0; i < 1000 && n == -EAGAIN; i++) { /* its ticket comes with what it says */
        net_env_run_ms(&env, 10);
        n = stream_read(told.result.stream, text, sizeof(text), &more);
    }
    ck_assert_int_eq(n, 5);
    ck_assert_int_eq(dial("home.example", server.port, true), 0);
    ck_assert(told.result.resumed);
    ck_assert_int_eq(dial("127.0.0.1", server.port, true), 0);
    stream_free(&told.result.stream);
    net_server_stop(&server);
}
END_TEST

/* The server listens on 127.0.0.1 only: ::1 is tried first, refuses, and the next follows at once. */
START_TEST(second_address_of_localhost)
{
    bool at_once = false;

    /* A machine that stands still for the race's delay proves nothing: one quick run of five does. */
    for (int i = 0; i < 5 && !at_once; i++) {
        struct net_server server;

        net_server_open(&server, NULL, net_script_hello);
        net_server_start(&server);
        ck_assert_int_eq(dial("localhost", server.port, false), 0);
        ck_assert_uint_eq(told.result.addr.family, 4);
        at_once = told.result.connect_us < RACE_DELAY_US;
        stream_free(&told.result.stream);
        net_server_stop(&server);
    }
    ck_assert(at_once);
}
END_TEST

/* ---- failure ---- */

START_TEST(refused)
{
    char expected[96];
    uint16_t port = closed_port();

    ck_assert_int_eq(dial("127.0.0.1", port, false), REQIVO_E_CONNECT);
    snprintf(expected, sizeof(expected), "tried 127.0.0.1:%u: Connection refused", port);
    ck_assert_str_eq(told.result.err.detail, expected);
    ck_assert_int_eq(told.result.err.sys_errno, ECONNREFUSED);
    ck_assert_int_eq(told.result.err.phase, REQIVO_PHASE_CONNECT);
    ck_assert_str_eq(told.result.err.address, told.result.address);
    ck_assert_int_eq(dial("localhost", port, false), REQIVO_E_CONNECT);
    ck_assert_ptr_nonnull(strstr(told.result.err.detail, "[::1]:"));
    ck_assert_ptr_nonnull(strstr(told.result.err.detail, "; 127.0.0.1:"));
}
END_TEST

START_TEST(no_such_name)
{
    ck_assert_int_eq(dial("nothing.example", 80, false), REQIVO_E_RESOLVE);
    ck_assert_int_eq(told.result.err.phase, REQIVO_PHASE_DNS);
    ck_assert_ptr_nonnull(strstr(told.result.err.detail, "nothing.example"));
}
END_TEST

START_TEST(certificate_of_another)
{
    struct net_server server;

    net_server_open(&server, &cert, net_script_hello);
    net_server_start(&server);
    ck_assert_int_eq(dial("a.localhost", server.port, true), REQIVO_E_TLS_HOST);
    ck_assert_int_eq(told.result.err.phase, REQIVO_PHASE_TLS);
    ck_assert_ptr_nonnull(strstr(told.result.err.address, "127.0.0.1:"));
    net_server_stop(&server);
}
END_TEST

START_TEST(no_descriptor_left)
{
    struct rlimit old, none = {3, 0};

    getrlimit(RLIMIT_NOFILE, &old);
    none.rlim_max = old.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(dial("127.0.0.1", 80, false), REQIVO_E_CONNECT);
    ck_assert_int_eq(told.result.err.sys_errno, EMFILE);
    setrlimit(RLIMIT_NOFILE, &old);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(deadline_of_names)
{
    struct dial_params params = params_for("silent.example", 80, false);

    params.connect_deadline_us = loop_now_us(env.loop) + 100000;
    ck_assert_int_eq(dial_with(&params), REQIVO_E_TIMEOUT_RESOLVE);
    ck_assert_uint_ge(told.result.dns_us, 100000);
}
END_TEST

START_TEST(deadline_of_connect)
{
    struct net_server hole;
    struct dial_params params;
    int fds[8];

    open_black_hole(&hole, fds, 8);
    params = params_for("127.0.0.1", hole.port, false);
    params.connect_deadline_us = loop_now_us(env.loop) + 10000000;
    begin(&params);
    dial_set_deadline(told.dial, loop_now_us(env.loop) + 100000); /* sooner */
    net_env_run(&env, &told.done);
    ck_assert_int_eq(told.result.err.code, REQIVO_E_TIMEOUT_CONNECT);
    ck_assert_int_eq(told.result.err.phase, REQIVO_PHASE_CONNECT);
    ck_assert_ptr_nonnull(strstr(told.result.err.address, "127.0.0.1:"));
    close_black_hole(&hole, fds, 8);
}
END_TEST

START_TEST(rule_b7_6_deadline_of_tls)
{
    struct net_server server;
    struct dial_params params;

    net_server_open(&server, NULL, net_script_hello); /* accepts in the kernel, says nothing */
    params = params_for("127.0.0.1", server.port, true);
    params.connect_deadline_us = loop_now_us(env.loop) + 50000; /* is over by then, and not what counts */
    params.tls_timeout_ms = 150;
    ck_assert_int_eq(dial_with(&params), REQIVO_E_TIMEOUT_TLS);
    ck_assert_int_eq(told.result.err.phase, REQIVO_PHASE_TLS);
    ck_assert_uint_ge(told.result.tls_us, 150000);
    close(server.fd);
}
END_TEST

/* ---- the race ---- */

struct raced {
    int fd;
    struct rqv_addr addr;
    bool done;
};

static void on_raced(void *owner, int fd, const struct rqv_addr *addr)
{
    struct raced *raced = owner;

    raced->fd = fd;
    raced->addr = *addr;
    raced->done = true;
    loop_stop(env.loop);
}

START_TEST(slow_address_is_overtaken)
{
    struct raced raced = {.fd = -1};
    struct rqv_addr addrs[3] = {{0}};
    struct net_server hole, server;
    struct race race;
    uint64_t from_us;
    int fds[8];

    open_black_hole(&hole, fds, 8);
    net_server_open(&server, NULL, net_script_hello);
    net_server_start(&server);
    ck_assert(rqv_addr_parse("127.0.0.1", 9, hole.port, &addrs[0]));
    ck_assert(rqv_addr_parse("127.0.0.1", 9, closed_port(), &addrs[1]));
    ck_assert(rqv_addr_parse("127.0.0.1", 9, server.port, &addrs[2]));
    race_init(&race, env.loop, &env.conf, env.account);
    loop_now_refresh(env.loop);
    from_us = loop_now_us(env.loop);
    race_start(&race, addrs, 3, on_raced, &raced);
    net_env_run(&env, &raced.done);
    ck_assert_int_ge(raced.fd, 0);
    ck_assert_uint_eq(raced.addr.port, server.port);
    ck_assert_uint_ge(loop_now_us(env.loop) - from_us, RACE_DELAY_US);
    ck_assert_int_eq(race.lanes[0].fd, -1);
    ck_assert_int_eq(race.lanes[1].fd, -1);
    close(raced.fd);
    close_black_hole(&hole, fds, 8);
    net_server_stop(&server);
}
END_TEST

START_TEST(families_take_turns)
{
    static const char *const texts[] = {"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1",
                                        "192.0.2.2"};
    static const uint8_t expected[] = {6, 4, 6, 4, 6};
    struct rqv_addr addrs[5] = {{0}};
    struct raced raced = {.fd = -1};
    struct race race;

    for (int i = 0; i < 5; i++)
        ck_assert(rqv_addr_parse(texts[i], strlen(texts[i]), 80, &addrs[i]));
    race_init(&race, env.loop, &env.conf, env.account);
    race_start(&race, addrs, 5, on_raced, &raced); /* documentation nets: all are refused */
    ck_assert(raced.done);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(race.addrs[i].family, expected[i]);
    ck_assert_int_eq(race.err.code, REQIVO_E_ADDRESS_DENIED);
}
END_TEST

/* ---- policy ---- */

START_TEST(rule_b10_6_checked_on_what_is_dialled)
{
    struct net_server server;

    net_server_open(&server, NULL, net_script_hello);
    net_server_start(&server);
    env.conf.user_instance = false;
    ck_assert_int_eq(dial("127.0.0.1", server.port, false), REQIVO_E_ADDRESS_DENIED);
    ck_assert_ptr_nonnull(strstr(told.result.err.detail, "address_policy.loopback"));
    ck_assert_int_eq(dial("::ffff:127.0.0.1", server.port, false), REQIVO_E_ADDRESS_DENIED);
    ck_assert_int_eq(dial("localhost", server.port, false), REQIVO_E_ADDRESS_DENIED);
    env.conf.loopback_uids[0] = 1000;
    env.conf.loopback_uid_count = 1;
    ck_assert_int_eq(dial("localhost", server.port, false), 0);
    ck_assert_int_eq(poll(&(struct pollfd){stream_fd(told.result.stream), POLLIN, 0}, 1, 5000),
                     1); /* "hello" */
    stream_free(&told.result.stream);
    net_server_stop(&server);
    ck_assert_uint_eq(server.accepted, 1);
}
END_TEST

/* T6: a name that leads inside. The answer that was judged is the address that is dialled: there is no second
 * lookup. */
START_TEST(rule_t6_rebinding)
{
    struct net_server server;
    unsigned asked;

    net_server_open(&server, NULL, net_script_hello);
    net_server_start(&server);
    ck_assert_int_eq(dial("meta.example", server.port, false), REQIVO_E_ADDRESS_DENIED);
    ck_assert_ptr_nonnull(strstr(told.result.err.detail, "169.254.169.254"));
    env.conf.user_instance = false;
    asked = dns.asked_a;
    ck_assert_int_eq(dial("home.example", server.port, false), REQIVO_E_ADDRESS_DENIED);
    ck_assert_uint_eq(dns.asked_a, asked + 1);
    net_server_stop(&server);
    ck_assert_uint_eq(server.accepted, 0);
}
END_TEST

/* ---- cancel ---- */

START_TEST(cancel_at_each_step)
{
    struct net_server quiet, hole;
    struct dial_params params[4];
    unsigned before;
    int fds[8];

    net_server_open(&quiet, NULL, net_script_hello);
    open_black_hole(&hole, fds, 8);
    params[0] = params_for("silent.example", 80, false);
    params[1] = params_for("127.0.0.1", hole.port, false);
    params[2] = params_for("127.0.0.1", quiet.port, true);
    params[3] = params_for("127.0.0.1", 1, false); /* fails at once, the telling waits */
    net_env_run_ms(&env, 1);
    before = open_descriptors();
    for (int i = 0; i < 4; i++) {
        begin(&params[i]);
        if (i < 3)
            net_env_run_ms(&env, 20);
        dial_cancel(&told.dial);
        ck_assert_ptr_null(told.dial);
        dial_cancel(&told.dial);
    }
    net_env_run_ms(&env, 50);
    ck_assert_uint_eq(told.calls, 0);
    ck_assert_uint_le(open_descriptors(),
                      before + 1); /* c-ares may keep a socket for the query that runs on */
    close_black_hole(&hole, fds, 8);
    close(quiet.fd);
}
END_TEST

static void on_told_cancel(void *owner, struct dial_result *result)
{
    dial_cancel(&told.dial); /* harmless here */
    on_told(owner, result);
}

START_TEST(cancel_inside_the_telling)
{
    struct dial_params params = params_for("127.0.0.1", closed_port(), false);

    ck_assert_int_eq(dial_start(&net, &params, on_told_cancel, &told, &told.dial), 0);
    net_env_run(&env, &told.done);
    ck_assert_uint_eq(told.calls, 1);
}
END_TEST

/* ---- handshakes in turn ---- */

#define MANY 64

struct crowd {
    struct net_server server; /* takes connections and never answers */
    struct dial *dials[MANY];
    size_t count;
};

static void crowd_open(struct crowd *crowd, struct account *account, size_t count)
{
    struct dial_params params;

    net_server_open(&crowd->server, NULL, net_script_hello);
    ck_assert_int_eq(listen(crowd->server.fd, MANY), 0);
    ck_assert_int_eq(fcntl(crowd->server.fd, F_SETFL, O_NONBLOCK), 0);
    params = params_for("127.0.0.1", crowd->server.port, true);
    params.account = account;
    for (crowd->count = 0; crowd->count < count; crowd->count++)
        ck_assert_int_eq(dial_start(&net, &params, on_told, &told, &crowd->dials[crowd->count]), 0);
}

static void crowd_close(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++)
        dial_cancel(&crowd->dials[i]);
    close(crowd->server.fd);
}

/* To how many of its connections a ClientHello has been sent: each is a step that was done. */
static unsigned crowd_steps(struct crowd *crowd, int fds[MANY])
{
    unsigned steps = 0;
    char byte;

    for (size_t i = 0; i < crowd->count; i++) {
        if (fds[i] < 0)
            fds[i] = accept4(crowd->server.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        steps += fds[i] >= 0 && recv(fds[i], &byte, 1, MSG_PEEK) == 1;
    }
    return steps;
}

static void on_turn_end(void *owner)
{
    (void)owner;
    loop_stop(env.loop);
}

/* One turn of the loop. */
static void turn(void)
{
    struct loop_task end;

    loop_task_init(&end, on_turn_end, NULL);
    loop_task_queue(env.loop, &end, LOOP_FREE);
    loop_run(env.loop);
}

/* A uid that dials many servers is ahead of another one's handshake by one step, and a turn makes four. */
START_TEST(rule_b10_1_handshakes_in_turn)
{
    int many_fds[MANY], one_fds[MANY];
    struct crowd many, one;
    struct account *other;
    unsigned before = 0;

    memset(many_fds, -1, sizeof(many_fds));
    memset(one_fds, -1, sizeof(one_fds));
    ck_assert_int_eq(account_get(&env.accounts, 1001, &other), 0);
    crowd_open(&many, env.account, MANY);
    crowd_open(&one, other, 1);
    while (crowd_steps(&one, one_fds) == 0) {
        before = crowd_steps(&many, many_fds);
        ck_assert_uint_le(before, 4);
        turn();
    }
    ck_assert_uint_le(crowd_steps(&many, many_fds) - before, 3);
    for (unsigned i = 0, last = crowd_steps(&many, many_fds); last < MANY; i++) {
        unsigned now;

        ck_assert_uint_lt(i, 2 * MANY);
        turn();
        now = crowd_steps(&many, many_fds);
        ck_assert_uint_le(now - last, ACCOUNTS_BUDGET / DIAL_STEP_ITEMS);
        last = now;
    }
    ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], MANY * (size_t)TLS_COST_HANDSHAKE);
    crowd_close(&many); /* also those whose turn has not come: */
    crowd_open(&many, env.account, MANY);
    turn();
    crowd_close(&many);
    ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], 0);
    crowd_close(&one);
    ck_assert_uint_eq(told.calls, 0);
    for (int i = 0; i < MANY; i++) {
        close(many_fds[i]);
        if (one_fds[i] >= 0)
            close(one_fds[i]);
    }
    account_release(&other);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("dial");
    TCase *t = tcase_create("dial");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, plain_literal);
    tcase_add_test(t, tls_by_name_and_resumed);
    tcase_add_test(t, second_address_of_localhost);
    tcase_add_test(t, refused);
    tcase_add_test(t, no_such_name);
    tcase_add_test(t, certificate_of_another);
    tcase_add_test(t, no_descriptor_left);
    tcase_add_test(t, deadline_of_names);
    tcase_add_test(t, deadline_of_connect);
    tcase_add_test(t, rule_b7_6_deadline_of_tls);
    tcase_add_test(t, slow_address_is_overtaken);
    tcase_add_test(t, families_take_turns);
    tcase_add_test(t, rule_b10_6_checked_on_what_is_dialled);
    tcase_add_test(t, rule_t6_rebinding);
    tcase_add_test(t, cancel_at_each_step);
    tcase_add_test(t, cancel_inside_the_telling);
    tcase_add_test(t, rule_b10_1_handshakes_in_turn);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)
