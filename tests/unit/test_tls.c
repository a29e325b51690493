/* SPDX-License-Identifier: MIT */
/* Tests of daemon/net/tls: whom a handshake accepts, and the configuration of the context. Tickets:
 * test_tls_ticket.c. */
#include "common/buf.h"
#include "daemon/net/tls_internal.h"
#include "tests/lib/net_peer.h"
#include "tests/unit/unit.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static struct net_cert ca, other_ca;
static struct net_env env;

static void setup(void)
{
    net_cert_make(&ca, &(struct net_cert_params){.cn = "test CA", .ca = true});
    net_cert_make(&other_ca, &(struct net_cert_params){.cn = "other CA", .ca = true});
    net_env_open(&env, &ca);
}

static void teardown(void)
{
    net_env_close(&env);
    net_cert_done(&ca);
    net_cert_done(&other_ca);
}

/* One handshake with a server that has this certificate; what it came to. */
static int handshake(const struct net_cert_params *cert, const struct net_client_params *client,
                     struct rqv_err *ret_err)
{
    struct net_server server;
    struct net_client peer;
    struct net_cert made;
    int rc;

    net_cert_make(&made, cert);
    net_server_open(&server, &made, net_script_hello);
    net_server_start(&server);
    rc = net_client_open(&peer, &env, server.port, client);
    if (ret_err)
        *ret_err = peer.err;
    net_client_close(&peer);
    net_server_stop(&server);
    net_cert_done(&made);
    return rc;
}

START_TEST(rule_b7_1_good_certificate)
{
    struct net_cert_params cert = {.cn = "x", .san = "DNS:a.example", .issuer = &ca};
    struct net_client_params to = {.host = "a.example"};

    ck_assert_int_eq(handshake(&cert, &to, NULL), 0);
}
END_TEST

START_TEST(rule_b7_1_expired)
{
    struct net_cert_params cert = {.cn = "x", .san = "DNS:a.example", .issuer = &ca, .until_s = -3600};
    struct net_client_params to = {.host = "a.example"};
    struct rqv_err err;

    ck_assert_int_eq(handshake(&cert, &to, &err), REQIVO_E_TLS_CERTIFICATE);
    ck_assert_int_eq(err.phase, REQIVO_PHASE_TLS);
    ck_assert_ptr_nonnull(strstr(err.detail, "expired"));
}
END_TEST

START_TEST(rule_b7_1_wrong_host)
{
    struct net_cert_params cert = {.cn = "a.example", .san = "DNS:b.example", .issuer = &ca};
    struct net_client_params to = {.host = "a.example"};
    struct rqv_err err;

    ck_assert_int_eq(handshake(&cert, &to, &err), REQIVO_E_TLS_HOST);
    ck_assert_ptr_nonnull(strstr(err.detail, "a.example"));
}
END_TEST

/* RFC 9110 4.3.4: the common name is not an identity. */
START_TEST(rule_b7_1_common_name_only)
{
    struct net_cert_params cert = {.cn = "a.example", .issuer = &ca};
    struct net_client_params to = {.host = "a.example"};

    ck_assert_int_eq(handshake(&cert, &to, NULL), REQIVO_E_TLS_HOST);
}
END_TEST

START_TEST(rule_b7_1_self_signed)
{
    struct net_cert_params cert = {.cn = "a.example", .san = "DNS:a.example"};
    struct net_client_params to = {.host = "a.example"};

    ck_assert_int_eq(handshake(&cert, &to, NULL), REQIVO_E_TLS_CERTIFICATE);
}
END_TEST

START_TEST(rule_b7_1_unknown_ca)
{
    struct net_cert_params cert = {.cn = "x", .san = "DNS:a.example", .issuer = &other_ca};
    struct net_client_params to = {.host = "a.example"};

    ck_assert_int_eq(handshake(&cert, &to, NULL), REQIVO_E_TLS_CERTIFICATE);
}
END_TEST

START_TEST(rule_b7_1_addresses)
{
    struct net_cert_params ip = {.cn = "x", .san = "IP:127.0.0.1", .issuer = &ca};
    struct net_cert_params six = {.cn = "x", .san = "IP:::1", .issuer = &ca};
    struct net_cert_params name = {.cn = "127.0.0.1", .san = "DNS:127.0.0.1,DNS:*.0.0.1", .issuer = &ca};
    struct net_client_params right = {.host = "127.0.0.1"}, wrong = {.host = "127.0.0.2"},
                             v6 = {.host = "::1"};

    ck_assert_int_eq(handshake(&ip, &right, NULL), 0);
    ck_assert_int_eq(handshake(&six, &v6, NULL), 0);
    ck_assert_int_eq(handshake(&ip, &wrong, NULL), REQIVO_E_TLS_HOST);
    ck_assert_int_eq(handshake(&ip, &v6, NULL), REQIVO_E_TLS_HOST);
    ck_assert_int_eq(handshake(&name, &right, NULL), REQIVO_E_TLS_HOST);
}
END_TEST

START_TEST(rule_b7_1_wildcards)
{
    struct net_cert_params whole = {.cn = "x", .san = "DNS:*.example.org", .issuer = &ca};
    struct net_cert_params partial = {.cn = "x", .san = "DNS:a*.example.org", .issuer = &ca};
    struct net_client_params one = {.host = "ab.example.org"}, two = {.host = "x.ab.example.org"};
    struct net_client_params idn = {.host = "xn--ab-zka.example.org"};
    struct net_cert_params partial_idn = {.cn = "x", .san = "DNS:x*.example.org", .issuer = &ca};

    ck_assert_int_eq(handshake(&whole, &one, NULL), 0);
    ck_assert_int_eq(handshake(&whole, &two, NULL), REQIVO_E_TLS_HOST);
    ck_assert_int_eq(handshake(&partial, &one, NULL), REQIVO_E_TLS_HOST);
    ck_assert_int_eq(handshake(&partial_idn, &idn, NULL), REQIVO_E_TLS_HOST);
}
END_TEST

static void server_name_of(const char *host, const char *san, char name[256])
{
    struct net_server server;
    struct net_client client;
    struct net_cert cert;

    net_cert_make(&cert, &(struct net_cert_params){.cn = "x", .san = san, .issuer = &ca});
    net_server_open(&server, &cert, net_script_hello);
    net_server_start(&server);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &(struct net_client_params){.host = host}),
                     0);
    net_client_close(&client);
    net_server_stop(&server);
    memcpy(name, server.sni, sizeof(server.sni));
    net_cert_done(&cert);
}

START_TEST(rule_b7_1_sni_for_names_only)
{
    char name[256];

    server_name_of("a.example", "DNS:a.example", name);
    ck_assert_str_eq(name, "a.example");
    server_name_of("127.0.0.1", "IP:127.0.0.1", name);
    ck_assert_str_eq(name, "");
}
END_TEST

static int with_server_version(int version)
{
    struct net_server server;
    struct net_client client;
    struct net_cert cert;
    int rc;

    net_cert_make(&cert, &(struct net_cert_params){.cn = "x", .san = "DNS:a.example", .issuer = &ca});
    net_server_open(&server, &cert, net_script_hello);
    SSL_CTX_set_security_level(server.ctx, 0);
    SSL_CTX_set_min_proto_version(server.ctx, version);
    SSL_CTX_set_max_proto_version(server.ctx, version);
    net_server_start(&server);
    rc = net_client_open(&client, &env, server.port, &(struct net_client_params){.host = "a.example"});
    net_client_close(&client);
    net_server_stop(&server);
    net_cert_done(&cert);
    return rc;
}

START_TEST(rule_b7_1_versions)
{
    ck_assert_int_eq(with_server_version(TLS1_VERSION), REQIVO_E_TLS_HANDSHAKE);
    ck_assert_int_eq(with_server_version(TLS1_1_VERSION), REQIVO_E_TLS_HANDSHAKE);
    ck_assert_int_eq(with_server_version(TLS1_2_VERSION), 0);
    ck_assert_int_eq(with_server_version(TLS1_3_VERSION), 0);
}
END_TEST

/* An RSA server of TLS 1.2 with just these. */
static int with_server_ciphers(const char *ciphers)
{
    struct net_server server;
    struct net_client client;
    struct net_cert cert;
    int rc;

    net_cert_make(&cert,
                  &(struct net_cert_params){.cn = "x", .san = "DNS:a.example", .issuer = &ca, .rsa = true});
    net_server_open(&server, &cert, net_script_hello);
    SSL_CTX_set_max_proto_version(server.ctx, TLS1_2_VERSION);
    ck_assert_int_eq(SSL_CTX_set_cipher_list(server.ctx, ciphers), 1);
    SSL_CTX_set_dh_auto(server.ctx, 1);
    net_server_start(&server);
    rc = net_client_open(&client, &env, server.port, &(struct net_client_params){.host = "a.example"});
    net_client_close(&client);
    net_server_stop(&server);
    net_cert_done(&cert);
    return rc;
}

/* A prime of the server's choice costs as much time as it likes: finite-field DHE is not offered. */
START_TEST(rule_b7_1_no_prime_of_the_server)
{
    ck_assert_int_eq(with_server_ciphers("DHE-RSA-AES128-GCM-SHA256"), REQIVO_E_TLS_HANDSHAKE);
    ck_assert_int_eq(with_server_ciphers("DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"), 0);
}
END_TEST

START_TEST(rule_b7_2_verify_off)
{
    struct net_cert_params cert = {.cn = "a.example"};
    struct net_client_params to = {.host = "b.example", .no_verify = true};

    ck_assert_int_eq(handshake(&cert, &to, NULL), 0);
    ck_assert_uint_eq(env.tls->tickets.count, 0);
}
END_TEST

START_TEST(rule_b7_4_context)
{
    uint64_t options = SSL_CTX_get_options(env.tls->ctx);

    ck_assert(options & SSL_OP_NO_RENEGOTIATION);
    ck_assert(options & SSL_OP_NO_COMPRESSION);
    ck_assert(!(options & SSL_OP_IGNORE_UNEXPECTED_EOF));
    ck_assert_int_eq(SSL_CTX_get_read_ahead(env.tls->ctx), 0);
    ck_assert(SSL_CTX_get_mode(env.tls->ctx) & SSL_MODE_RELEASE_BUFFERS);
    ck_assert_uint_eq(SSL_CTX_get_session_cache_mode(env.tls->ctx),
                      SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}
END_TEST

START_TEST(rule_d1_tls_context)
{
    SSL_CTX *ctx = env.tls->ctx;

    ck_assert_ptr_null(tls_unsound(env.tls));
    SSL_CTX_set_min_proto_version(ctx, TLS1_1_VERSION);
    ck_assert_str_eq(tls_unsound(env.tls), "a version below TLS 1.2 would be spoken");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    ck_assert_str_eq(tls_unsound(env.tls), "certificates would not be verified");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_clear_options(ctx, SSL_OP_NO_RENEGOTIATION);
    ck_assert_str_eq(tls_unsound(env.tls), "renegotiation or compression would be allowed");
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    ck_assert_ptr_null(tls_unsound(env.tls));
}
END_TEST

START_TEST(rule_b7_6_certificate_limits)
{
    struct net_cert_params cert = {.cn = "x", .issuer = &ca};
    struct net_client_params to = {.host = "a.example"};
    size_t size = 72 * 1024, len;
    char *san = malloc(size);

    ck_assert_int_eq(SSL_CTX_get_verify_depth(env.tls->ctx), 8);
    ck_assert_int_eq(SSL_CTX_get_max_cert_list(env.tls->ctx), 65536);
    len = (size_t)snprintf(san, size, "DNS:a.example");
    while (len < size - 300) {
        memcpy(san + len, ",DNS:", 5);
        memset(san + len + 5, 'x', 250);
        len += 255;
    }
    san[len] = '\0';
    cert.san = san;
    ck_assert_int_eq(handshake(&cert, &to, NULL), REQIVO_E_TLS_HANDSHAKE);
    free(san);
}
END_TEST

/* NOLINTNEXTLINE(readability-function-size): the parameters are OpenSSL's choice */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in,
                           unsigned in_len, void *owner)
{
    (void)ssl;
    (void)in;
    (void)in_len;
    *out = owner;
    *len = (unsigned char)strlen(owner);
    return SSL_TLSEXT_ERR_OK;
}

static int with_alpn(char *choice)
{
    struct net_server server;
    struct net_client client;
    struct net_cert cert;
    int rc;

    net_cert_make(&cert, &(struct net_cert_params){.cn = "x", .san = "DNS:a.example", .issuer = &ca});
    net_server_open(&server, &cert, net_script_hello);
    SSL_CTX_set_alpn_select_cb(server.ctx, choose_protocol, choice);
    net_server_start(&server);
    rc = net_client_open(&client, &env, server.port, &(struct net_client_params){.host = "a.example"});
    net_client_close(&client);
    net_server_stop(&server);
    net_cert_done(&cert);
    return rc;
}

START_TEST(rule_b7_9_alpn_must_be_offered)
{
    ck_assert_int_eq(with_alpn("http/1.1"), 0);
    ck_assert_int_eq(with_alpn("h2"), REQIVO_E_TLS_HANDSHAKE);
    ck_assert_int_eq(with_alpn("http/1.0"), REQIVO_E_TLS_HANDSHAKE);
}
END_TEST

static void script_close(struct net_server *server, int fd, SSL *ssl)
{
    (void)server;
    (void)fd;
    (void)ssl;
}

START_TEST(handshake_cut)
{
    struct net_server server;
    struct net_client client;

    net_server_open(&server, NULL, script_close);
    net_server_start(&server);
    ck_assert_int_eq(
        net_client_open(&client, &env, server.port, &(struct net_client_params){.host = "a.example"}),
        REQIVO_E_TLS_HANDSHAKE);
    ck_assert_int_eq(client.err.phase, REQIVO_PHASE_TLS);
    ck_assert(client.err.detail[0]);
    net_client_close(&client);
    net_server_stop(&server);
}
END_TEST

START_TEST(handshake_with_plain_http)
{
    struct net_server server;
    struct net_client client;

    net_server_open(&server, NULL, net_script_hello);
    net_server_start(&server);
    ck_assert_int_eq(
        net_client_open(&client, &env, server.port, &(struct net_client_params){.host = "a.example"}),
        REQIVO_E_TLS_HANDSHAKE);
    net_client_close(&client);
    net_server_stop(&server);
}
END_TEST

/* ---- trusts ---- */

struct loaded {
    int code;
    struct trust *trust;
    char detail[200];
    unsigned count;
    bool done;
};

static void on_loaded(void *owner, int code, struct trust *trust, const char *detail)
{
    struct loaded *loaded = owner;

    loaded->code = code;
    loaded->trust = trust;
    loaded->count++;
    loaded->done = true;
    snprintf(loaded->detail, sizeof(loaded->detail), "%s", detail);
    loop_stop(env.loop);
}

static int load(struct rqv_buf *pem, struct loaded *loaded)
{
    struct trust_load_params params = {env.account, pem, on_loaded, loaded};
    struct trust_load *under_way;
    int rc;

    memset(loaded, 0, sizeof(*loaded));
    rc = trust_load_start(env.tls, &params, &under_way);
    ck_assert_uint_eq(loaded->count, 0);
    if (rc == 0)
        net_env_run(&env, &loaded->done);
    return rc;
}

START_TEST(trust_of_a_user)
{
    struct net_cert_params cert = {.cn = "x", .san = "DNS:a.example", .issuer = &other_ca};
    struct net_client_params to = {.host = "a.example"};
    struct loaded first, second;
    struct rqv_buf pem, again;

    net_cert_pem(&other_ca, &pem);
    net_cert_pem(&other_ca, &again);
    ck_assert_int_eq(load(&pem, &first), 0);
    ck_assert_int_eq(first.code, 0);
    ck_assert_uint_eq(env.account->used[ACCOUNT_TRUSTS], 1);
    ck_assert_uint_gt(env.account->used[ACCOUNT_MEMORY], 0);
    ck_assert_int_eq(load(&again, &second), 0); /* shared, not parsed again */
    ck_assert_ptr_eq(first.trust, second.trust);
    ck_assert_uint_eq(env.account->used[ACCOUNT_TRUSTS], 1);
    ck_assert_int_ne(memcmp(trust_hash(first.trust), trust_hash(tls_system_trust(env.tls)), 32), 0);
    to.trust = first.trust;
    ck_assert_int_eq(handshake(&cert, &to, NULL), 0);
    cert.issuer = &ca; /* it replaces the system's */
    ck_assert_int_eq(handshake(&cert, &to, NULL), REQIVO_E_TLS_CERTIFICATE);
    trust_unref(&first.trust);
    trust_unref(&second.trust);
    ck_assert_uint_eq(env.account->used[ACCOUNT_TRUSTS], 0);
    ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], 0);
}
END_TEST

START_TEST(trust_that_is_no_pem)
{
    static const char *const bad[] = {"", "hello",
                                      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                      "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
                                      "AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                                      "AAAA\n-----END CERTIFICATE-----\n"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct loaded loaded;
        struct rqv_buf pem;

        rqv_buf_init(&pem, 1 << 20);
        ck_assert_int_eq(rqv_buf_append(&pem, bad[i], strlen(bad[i])), 0);
        ck_assert_int_eq(load(&pem, &loaded), 0);
        ck_assert_int_eq(loaded.code, REQIVO_E_TRUST);
        ck_assert(loaded.detail[0]);
        ck_assert_uint_eq(env.account->used[ACCOUNT_TRUSTS], 0);
        ck_assert_uint_eq(env.account->used[ACCOUNT_MEMORY], 0);
    }
}
END_TEST

START_TEST(trust_limit_and_cancel)
{
    struct trust_load_params params = {.account = env.account, .fn = on_loaded};
    struct loaded loaded = {0};
    struct trust_load *under_way;
    struct rqv_buf pem;

    params.pem = &pem;
    params.owner = &loaded;
    net_cert_pem(&other_ca, &pem);
    ck_assert_int_eq(account_charge(env.account, ACCOUNT_TRUSTS, 8), 0);
    ck_assert_int_eq(trust_load_start(env.tls, &params, &under_way), REQIVO_E_LIMIT_TRUST);
    ck_assert_uint_gt(rqv_buf_len(&pem), 0); /* it is still the caller's */
    account_refund(env.account, ACCOUNT_TRUSTS, 8);
    ck_assert_int_eq(trust_load_start(env.tls, &params, &under_way), 0);
    trust_load_cancel(&under_way);
    ck_assert_ptr_null(under_way);
    net_env_run_ms(&env, 50);
    ck_assert_uint_eq(loaded.count, 0);
    ck_assert_uint_eq(env.account->used[ACCOUNT_TRUSTS], 0);
}
END_TEST

START_TEST(trust_of_the_system_missing)
{
    struct tls_setup setup = {env.loop, env.worker, "/nonexistent/ca.pem", net_hash_key};
    struct rqv_err err = {0};
    struct tls *tls = NULL;
    char empty[64];

    ck_assert_int_eq(tls_new(&setup, &tls, &err), REQIVO_E_TRUST);
    ck_assert_ptr_nonnull(strstr(err.detail, "/nonexistent/ca.pem"));
    snprintf(empty, sizeof(empty), "/proc/self/fd/%d", memfd_create("empty", MFD_CLOEXEC));
    setup.ca_file = empty; /* named and empty */
    ck_assert_int_eq(tls_new(&setup, &tls, &err), REQIVO_E_TRUST);
    setup.ca_file = "/dev/zero"; /* it never ends */
    ck_assert_int_eq(tls_new(&setup, &tls, &err), REQIVO_E_TRUST);
    ck_assert_ptr_nonnull(strstr(err.detail, "no regular file"));
    ck_assert_ptr_null(tls);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("tls");
    TCase *t = tcase_create("tls");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, rule_b7_1_good_certificate);
    tcase_add_test(t, rule_b7_1_expired);
    tcase_add_test(t, rule_b7_1_wrong_host);
    tcase_add_test(t, rule_b7_1_common_name_only);
    tcase_add_test(t, rule_b7_1_self_signed);
    tcase_add_test(t, rule_b7_1_unknown_ca);
    tcase_add_test(t, rule_b7_1_addresses);
    tcase_add_test(t, rule_b7_1_wildcards);
    tcase_add_test(t, rule_b7_1_sni_for_names_only);
    tcase_add_test(t, rule_b7_1_versions);
    tcase_add_test(t, rule_b7_1_no_prime_of_the_server);
    tcase_add_test(t, rule_b7_2_verify_off);
    tcase_add_test(t, rule_b7_4_context);
    tcase_add_test(t, rule_d1_tls_context);
    tcase_add_test(t, rule_b7_6_certificate_limits);
    tcase_add_test(t, rule_b7_9_alpn_must_be_offered);
    tcase_add_test(t, handshake_cut);
    tcase_add_test(t, handshake_with_plain_http);
    tcase_add_test(t, trust_of_a_user);
    tcase_add_test(t, trust_that_is_no_pem);
    tcase_add_test(t, trust_limit_and_cancel);
    tcase_add_test(t, trust_of_the_system_missing);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)
