/* SPDX-License-Identifier: MIT */
/* Tests of the ticket cache of daemon/net/tls, and of what a resumption may not skip (security.md B7-3,
 * finding 3). */
#include "daemon/net/tls_internal.h"
#include "tests/lib/net_peer.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct net_cert ca, cert;
static struct net_env env;
static struct net_server server;
static bool resumed; /* the last visit's handshake, whatever the check said */

static void setup_version(int version)
{
    net_cert_make(&ca, &(struct net_cert_params){.cn = "test CA", .ca = true});
    net_cert_make(&cert, &(struct net_cert_params){.cn = "x", .san = "DNS:evil.example", .issuer = &ca});
    net_env_open(&env, &ca);
    net_server_open(&server, &cert, net_script_hello);
    SSL_CTX_set_max_proto_version(server.ctx, version);
    net_server_start(&server);
}

static void setup12(void)
{
    setup_version(TLS1_2_VERSION);
}

static void setup13(void)
{
    setup_version(TLS1_3_VERSION);
}

static void teardown(void)
{
    net_server_stop(&server);
    net_env_close(&env);
    net_cert_done(&ca);
    net_cert_done(&cert);
}

/* One connection, read to its end, so that TLS 1.3's tickets have come. */
static int visit(const struct net_client_params *params, struct rqv_err *ret_err, SSL_SESSION **ret_session)
{
    struct net_client client;
    char text[16];
    int rc = net_client_open(&client, &env, server.port, params);

    if (rc == 0) {
        net_client_read_all(&client, text, 5);
        ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), 0);
        if (ret_session)
            *ret_session = SSL_get1_session(stream_ssl(client.stream));
    }
    resumed = SSL_session_reused(stream_ssl(client.stream));
    if (ret_err)
        *ret_err = client.err;
    net_client_close(&client);
    return rc;
}

START_TEST(rule_b7_3_resumes_under_its_key)
{
    struct net_client_params to = {.host = "evil.example", .key = "key A"};

    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert(!resumed);
    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert(resumed);
    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert(resumed);
    tls_flush_tickets(env.tls);
    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert(!resumed);
}
END_TEST

/* `from` in the place of the system's trust. */
static int use_roots(const struct net_cert *from)
{
    struct tls_roots *roots = NULL;
    struct rqv_err err = {0};
    char path[64];

    net_cert_file(from, path);
    ck_assert_int_eq(tls_roots_read(path, &roots, &err), 0);
    int rc = tls_roots_use(env.tls, &roots, &err);
    ck_assert_ptr_null(roots);
    return rc;
}

START_TEST(rule_b7_7_another_trust_drops_tickets)
{
    struct net_client_params to = {.host = "evil.example", .key = "key A"};
    uint64_t generation = tls_trust_generation(env.tls);
    struct net_cert other;
    struct rqv_err err = {0};

    net_cert_make(&other, &(struct net_cert_params){.cn = "another CA", .ca = true});
    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert_int_eq(use_roots(&ca), 0); /* the same content */
    ck_assert_uint_eq(tls_trust_generation(env.tls), generation);
    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert(resumed);
    ck_assert_int_eq(use_roots(&other), 1);
    ck_assert_uint_eq(tls_trust_generation(env.tls), generation + 1);
    ck_assert_int_eq(visit(&to, &err, NULL), REQIVO_E_TLS_CERTIFICATE);
    ck_assert(!resumed);
    ck_assert_int_eq(use_roots(&ca), 1);
    ck_assert_uint_eq(tls_trust_generation(env.tls), generation + 2);
    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert(!resumed); /* nothing of the time before is believed again */
    net_cert_done(&other);
}
END_TEST

/* What a server sends on a connection of the old trust is of no use any more. */
START_TEST(rule_b7_7_old_connections_bring_no_tickets)
{
    struct net_client_params to = {.host = "evil.example", .key = "key A"};
    struct net_client client;
    struct net_cert other;
    char text[16];

    net_cert_make(&other, &(struct net_cert_params){.cn = "another CA", .ca = true});
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
    ck_assert_int_eq(use_roots(&other), 1);
    net_client_read_all(&client, text, 5); /* with it come TLS 1.3's tickets */
    ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), 0);
    ck_assert_uint_eq(env.tls->tickets.count, 0);
    net_client_close(&client);
    net_cert_done(&other);
}
END_TEST

START_TEST(rule_b7_3_never_under_another_key)
{
    struct net_client_params to = {.host = "evil.example", .key = "key A"};

    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert_uint_gt(env.tls->tickets.count, 0);
    to.key = "key B";
    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert(!resumed);
    to.key = "key";
    ck_assert_int_eq(visit(&to, NULL, NULL), 0);
    ck_assert(!resumed);
}
END_TEST

/* Finding 3 (b): even if the key were wrong, the host is checked again. OpenSSL itself says X509_V_OK here.
 */
START_TEST(rule_b7_3_ticket_of_another_host)
{
    struct net_client_params evil = {.host = "evil.example", .key = "one key"};
    struct net_client_params bank = {.host = "bank.example", .key = "one key"};
    struct rqv_err err;

    ck_assert_int_eq(visit(&evil, NULL, NULL), 0);
    ck_assert_int_eq(visit(&bank, &err, NULL), REQIVO_E_TLS_HOST);
    ck_assert(resumed);
    ck_assert_ptr_nonnull(strstr(err.detail, "bank.example"));
    ck_assert_uint_eq(env.tls->tickets.count, 0); /* and the key's tickets are gone */
}
END_TEST

/* Finding 3 (a): a session made without verification is refused by a connection that verifies. */
START_TEST(rule_b7_3_ticket_of_verify_off)
{
    struct net_cert own;
    struct net_server other;
    struct net_client_params off = {.host = "bank.example", .no_verify = true};
    struct net_client_params on = {.host = "bank.example"};
    SSL_SESSION *session = NULL;
    struct rqv_err err;

    net_cert_make(&own, &(struct net_cert_params){.cn = "x", .san = "DNS:bank.example"});
    net_server_stop(&server);
    net_server_open(&other, &own, net_script_hello);
    SSL_CTX_set_max_proto_version(other.ctx, TLS1_2_VERSION);
    server = other;
    net_server_start(&server);
    ck_assert_int_eq(visit(&off, NULL, &session), 0);
    ck_assert_uint_eq(env.tls->tickets.count, 0);
    ck_assert(SSL_SESSION_is_resumable(session));
    on.session = session;
    ck_assert_int_eq(visit(&on, &err, NULL), REQIVO_E_TLS_CERTIFICATE);
    ck_assert(resumed);
    SSL_SESSION_free(session);
    net_cert_done(&own);
}
END_TEST

/* Tickets of a connection whose check failed, or was never made, are not kept. */
START_TEST(rule_b7_3_only_checked_connections_store)
{
    struct net_client client;
    struct net_client_params wrong = {.host = "wrong.example"};
    char text[16];
    bool more;

    ck_assert_int_ne(visit(&wrong, NULL, NULL), 0);
    ck_assert_uint_eq(env.tls->tickets.count, 0);
    ck_assert_int_eq(
        net_client_open(&client, &env, server.port, &(struct net_client_params){.host = "evil.example"}), 0);
    tls_conn_of(stream_ssl(client.stream))->checked = false;
    tls_flush_tickets(env.tls);
    net_client_read_all(&client, text, 5);
    stream_read(client.stream, (uint8_t *)text, sizeof(text), &more);
    ck_assert_uint_eq(env.tls->tickets.count, 0);
    net_client_close(&client);
}
END_TEST

static SSL_SESSION *a_session(void)
{
    struct net_client_params to = {.host = "evil.example"};
    SSL_SESSION *session = NULL;

    ck_assert_int_eq(visit(&to, NULL, &session), 0);
    tls_flush_tickets(env.tls);
    return session;
}

START_TEST(rule_b7_3_limits)
{
    struct tls_tickets *tickets = &env.tls->tickets;
    SSL_SESSION *session = a_session(), *taken;
    struct tls_ticket_info info = {.verified_ms = 1000};
    bool once = SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION;
    char key[32];

    for (int i = 0; i < 9; i++)
        tickets_store(tickets, RQV_STR("k"), session, &info, 1000);
    ck_assert_uint_eq(tickets->count, once ? 4 : 1);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        tickets_store(tickets, rqv_str_from(key), session, &info, 1000);
    }
    ck_assert_uint_eq(tickets->count, TLS_TICKETS_MAX);
    ck_assert_ptr_null(tickets_take(tickets, RQV_STR("k"), 1000, &info)); /* the oldest went */
    taken = tickets_take(tickets, RQV_STR("key 1999"), 1000, &info);
    ck_assert_ptr_nonnull(taken);
    ck_assert_uint_eq(info.verified_ms, 1000);
    SSL_SESSION_free(taken);
    taken = tickets_take(tickets, RQV_STR("key 1999"), 1000, &info); /* TLS 1.3: once */
    ck_assert_int_eq(taken == NULL, once);
    SSL_SESSION_free(taken);
    SSL_SESSION_free(session);
}
END_TEST

/* Ten minutes since the certificate was seen: resuming again and again does not prolong it. */
START_TEST(rule_b7_3_ten_minutes)
{
    struct tls_tickets *tickets = &env.tls->tickets;
    SSL_SESSION *session = a_session(), *taken;
    struct tls_ticket_info info = {.verified_ms = 1000};

    tickets_store(tickets, RQV_STR("k"), session, &info, 2000);
    taken = tickets_take(tickets, RQV_STR("k"), 1000 + TLS_TICKET_LIFE_MS - 1, &info);
    ck_assert_ptr_nonnull(taken);
    SSL_SESSION_free(taken);
    tickets_store(tickets, RQV_STR("k"), session, &info, 2000);
    ck_assert_ptr_null(tickets_take(tickets, RQV_STR("k"), 1000 + TLS_TICKET_LIFE_MS, &info));
    ck_assert_uint_eq(tickets->count, 0);
    tickets_store(tickets, RQV_STR("k"), session, &info, 1000 + TLS_TICKET_LIFE_MS);
    ck_assert_uint_eq(tickets->count, 0);
    SSL_SESSION_free(session);
}
END_TEST

START_TEST(rule_b7_3_verification_time_is_inherited)
{
    struct net_client_params to = {.host = "evil.example"};
    struct net_client client;
    SSL_SESSION *session = a_session();
    uint64_t now_ms = loop_boot_ms(env.loop);

    tickets_store(&env.tls->tickets, RQV_STR("evil.example"), session,
                  &(struct tls_ticket_info){.verified_ms = now_ms - 5000}, now_ms);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
    ck_assert(SSL_session_reused(stream_ssl(client.stream)));
    ck_assert_uint_eq(tls_conn_of(stream_ssl(client.stream))->verified_ms, now_ms - 5000);
    net_client_close(&client);
    SSL_SESSION_free(session);
}
END_TEST

/* A server sizes tickets: the uid pays for them, and never has more than a quarter of all. */
START_TEST(rule_b7_3_charged_and_shared)
{
    struct tls_tickets *tickets = &env.tls->tickets;
    struct tls_ticket_info mine = {env.account, 1000, 777}, other = {NULL, 1000, 0}, info;
    SSL_SESSION *session = a_session(), *taken;
    size_t before = env.account->used[ACCOUNT_MEMORY], limit = env.accounts.limit_uid[ACCOUNT_MEMORY];
    unsigned refs = env.account->refs;
    char key[32];

    tickets_store(tickets, RQV_STR("other"), session, &other, 1000);
    ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], before);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        tickets_store(tickets, rqv_str_from(key), session, &mine, 1000);
    }
    ck_assert_uint_eq(tickets->count, TLS_TICKETS_UID_MAX + 1);
    ck_assert_uint_ge(env.account->used[ACCOUNT_MEMORY],
                      before + TLS_TICKETS_UID_MAX * (size_t)i2d_SSL_SESSION(session, NULL));
    taken = tickets_take(tickets, RQV_STR("other"), 1000, &info); /* nobody pushed it out */
    ck_assert_ptr_nonnull(taken);
    SSL_SESSION_free(taken);
    taken = tickets_take(tickets, RQV_STR("key 1999"), 1000, &info);
    ck_assert_ptr_nonnull(taken);
    ck_assert_uint_eq(info.cert_cost, 777);
    SSL_SESSION_free(taken);
    env.accounts.limit_uid[ACCOUNT_MEMORY] = env.account->used[ACCOUNT_MEMORY] / 2;
    tickets_store(tickets, RQV_STR("no room"), session, &mine, 1000);
    env.accounts.limit_uid[ACCOUNT_MEMORY] = limit;
    ck_assert_ptr_null(tickets_take(tickets, RQV_STR("no room"), 1000, &info));
    tickets_expire(tickets, 1000 + TLS_TICKET_LIFE_MS); /* nobody has to ask for them */
    ck_assert_uint_eq(tickets->count, 0);
    ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], before);
    ck_assert_uint_eq(env.account->refs, refs);
    SSL_SESSION_free(session);
}
END_TEST

/* The certificate comes back with the session, and so does its cost. */
START_TEST(rule_b7_3_resumption_is_charged)
{
    struct net_client_params to = {.host = "evil.example"};
    struct net_client client;
    size_t full;
    char text[16];

    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
    full = tls_conn_of(stream_ssl(client.stream))->certs_charged;
    ck_assert_uint_gt(full, 0);
    net_client_read_all(&client, text, 5);
    net_client_read(&client, text, sizeof(text));
    net_client_close(&client);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
    ck_assert(SSL_session_reused(stream_ssl(client.stream)));
    ck_assert_uint_eq(tls_conn_of(stream_ssl(client.stream))->certs_charged, full);
    net_client_close(&client);
    tls_flush_tickets(env.tls);
    ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], 0);
}
END_TEST

static void add_cases(Suite *s, const char *name, SFun setup)
{
    TCase *t = tcase_create(name);

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, rule_b7_3_resumes_under_its_key);
    tcase_add_test(t, rule_b7_3_never_under_another_key);
    tcase_add_test(t, rule_b7_7_another_trust_drops_tickets);
    tcase_add_test(t, rule_b7_7_old_connections_bring_no_tickets);
    tcase_add_test(t, rule_b7_3_ticket_of_another_host);
    tcase_add_test(t, rule_b7_3_ticket_of_verify_off);
    tcase_add_test(t, rule_b7_3_only_checked_connections_store);
    tcase_add_test(t, rule_b7_3_limits);
    tcase_add_test(t, rule_b7_3_ten_minutes);
    tcase_add_test(t, rule_b7_3_verification_time_is_inherited);
    tcase_add_test(t, rule_b7_3_charged_and_shared);
    tcase_add_test(t, rule_b7_3_resumption_is_charged);
    suite_add_tcase(s, t);
}

static Suite *suite(void)
{
    Suite *s = suite_create("tls_ticket");

    add_cases(s, "tls 1.2", setup12);
    add_cases(s, "tls 1.3", setup13);
    return s;
}

UNIT_MAIN(suite)
