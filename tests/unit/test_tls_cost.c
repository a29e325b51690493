/* SPDX-License-Identifier: MIT */
/* Tests of what a server can make a TLS connection cost: its certificates, its keys, messages that never end,
 * and who is charged. Tickets: test_tls_ticket.c; the order of handshakes: test_dial.c. */
#include "daemon/net/tls_internal.h"
#include "tests/lib/net_peer.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct net_cert ca, cert;
static struct net_env env;
static struct net_server server;
static const struct net_client_params verified = {.host = "a.example"},
                                      unverified = {.host = "a.example", .no_verify = true};

static void setup(void)
{
    net_cert_make(&ca, &(struct net_cert_params){.cn = "test CA", .ca = true});
    net_cert_make(&cert, &(struct net_cert_params){.cn = "x", .san = "DNS:a.example", .issuer = &ca});
    net_env_open(&env, &ca);
}

static void teardown(void)
{
    net_env_close(&env);
    net_cert_done(&ca);
    net_cert_done(&cert);
}

static size_t charged(void)
{
    return env.account->used[ACCOUNT_MEMORY];
}

/* ---- certificates ---- */

static void with_names(struct net_cert *made, unsigned count)
{
    size_t size = (size_t)count * 16 + 32, len;
    char *san = malloc(size);

    len = (size_t)snprintf(san, size, "DNS:a.example");
    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(san + len, size - len, ",DNS:%x", i);
    net_cert_make(made, &(struct net_cert_params){.cn = "x", .san = san, .issuer = &ca});
    free(san);
}

/* One visit to a server that shows `own`, and behind it `extra`, `copies` times. */
static int visit(const struct net_cert *own, X509 *extra, unsigned copies, const struct net_client_params *to,
                 char detail[RQV_DETAIL_MAX])
{
    struct net_client client;
    int rc;

    net_server_open(&server, own, net_script_hello);
    SSL_CTX_set_security_level(server.ctx, 0);
    for (unsigned i = 0; i < copies; i++)
        ck_assert_int_eq(SSL_CTX_add1_chain_cert(server.ctx, extra), 1);
    net_server_start(&server);
    rc = net_client_open(&client, &env, server.port, to);
    memcpy(detail, client.err.detail, RQV_DETAIL_MAX);
    net_client_close(&client);
    net_server_stop(&server);
    tls_flush_tickets(env.tls);
    ck_assert_uint_eq(charged(), 0);
    return rc;
}

static void assert_refused(const struct net_cert *own, X509 *extra, unsigned copies, const char *why)
{
    char detail[RQV_DETAIL_MAX];

    ck_assert_int_eq(visit(own, extra, copies, &verified, detail), REQIVO_E_TLS_CERTIFICATE);
    ck_assert_msg(strstr(detail, why) != NULL, "%s", detail);
    ck_assert_int_eq(visit(own, extra, copies, &unverified, detail), REQIVO_E_TLS_CERTIFICATE);
    ck_assert_msg(strstr(detail, why) != NULL, "%s", detail);
}

START_TEST(rule_b7_6_names)
{
    char detail[RQV_DETAIL_MAX];
    struct net_cert many, most;

    with_names(&most, 3900);
    ck_assert_int_eq(visit(&most, NULL, 0, &verified, detail), 0);
    ck_assert_int_eq(visit(&most, NULL, 0, &unverified, detail), 0);
    with_names(&many, 4200);
    assert_refused(&many, NULL, 0, "too many names");
    /* A list is counted as a whole. */
    assert_refused(&most, most.cert, 1, "too many names");
    net_cert_done(&most);
    net_cert_done(&many);
}
END_TEST

START_TEST(rule_b7_6_certificates)
{
    char detail[RQV_DETAIL_MAX];

    ck_assert_int_eq(visit(&cert, ca.cert, 15, &verified, detail), 0);
    assert_refused(&cert, ca.cert, 16, "too many certificates");
}
END_TEST

/* ---- keys ---- */

static EVP_PKEY *rsa_key(int bits, int exponent_bits)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_new(), *e = BN_new();
    OSSL_PARAM *params;
    EVP_PKEY *key = NULL;

    ck_assert(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) &&
              BN_rand(e, exponent_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
    params = OSSL_PARAM_BLD_to_param(build);
    ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *curve_key(const char *curve, bool described)
{
    EVP_PKEY *key = EVP_EC_gen(curve);

    ck_assert_ptr_nonnull(key);
    if (described)
        ck_assert_int_eq(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"), 1);
    return key;
}

/* A certificate of the CA for this key (taken), which is not the server's own. */
static X509 *with_key(EVP_PKEY *key)
{
    struct net_cert made;

    net_cert_make(&made, &(struct net_cert_params){.cn = "middle", .issuer = &ca, .ca = true});
    ck_assert_int_eq(X509_set_pubkey(made.cert, key), 1);
    ck_assert_int_gt(X509_sign(made.cert, ca.key, EVP_sha256()), 0);
    EVP_PKEY_free(made.key);
    EVP_PKEY_free(key);
    return made.cert;
}

static void key_is(EVP_PKEY *key, const char *refused)
{
    X509 *extra = with_key(key);
    char detail[RQV_DETAIL_MAX];

    if (refused)
        assert_refused(&cert, extra, 1, refused);
    else
        ck_assert_int_eq(visit(&cert, extra, 1, &verified, detail), 0);
    X509_free(extra);
}

START_TEST(rule_b7_6_keys)
{
    key_is(rsa_key(8192, 64), NULL);
    key_is(rsa_key(8193, 17), "a key that is too large");
    key_is(rsa_key(2048, 65), "a key that is too large");
    key_is(curve_key("P-521", false), NULL);
    key_is(curve_key("sect571r1", false), "a key that is too large");
    key_is(curve_key("P-256", true), "a curve of its own");
    key_is(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
    key_is(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "of no kind in use");
}
END_TEST

/* A set that a user brings is used on the loop too. */
START_TEST(rule_b7_6_keys_of_trusted)
{
    X509 *large = with_key(rsa_key(8200, 17));
    struct net_cert held = {.cert = large};
    X509_STORE *store = NULL;
    struct rqv_buf pem;
    char detail[160];

    net_cert_pem(&held, &pem);
    ck_assert_int_eq(trust_parse((struct rqv_str){(const char *)rqv_buf_head(&pem), rqv_buf_len(&pem)}, true,
                                 &store, detail, sizeof(detail)),
                     REQIVO_E_TRUST);
    ck_assert_ptr_nonnull(strstr(detail, "key"));
    rqv_buf_done(&pem);
    X509_free(large);
}
END_TEST

/* ---- what is kept, and charged ---- */

static void assert_kept(int version, const struct net_client_params *to)
{
    struct net_client client;
    const SSL *ssl;
    char text[16];

    net_server_open(&server, &cert, net_script_hello);
    SSL_CTX_set_max_proto_version(server.ctx, version);
    ck_assert_int_eq(SSL_CTX_add1_chain_cert(server.ctx, ca.cert), 1);
    net_server_start(&server);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, to), 0);
    ssl = stream_ssl(client.stream);
    net_client_read_all(&client, text, 5);
    ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), 0);
    ck_assert_ptr_nonnull(SSL_get0_peer_certificate(ssl));
    ck_assert_int_le(sk_X509_num(SSL_get_peer_cert_chain(ssl)), 1);
    ck_assert_ptr_null(SSL_get0_verified_chain(ssl));
    ck_assert_uint_gt(charged(), TLS_COST_OPEN);
    ck_assert_uint_lt(charged(), TLS_COST_HANDSHAKE + 65536);
    tls_flush_tickets(env.tls);
    ck_assert_uint_eq(charged(), TLS_COST_OPEN + tls_conn_of(ssl)->certs_charged);
    net_client_close(&client);
    net_server_stop(&server);
    tls_flush_tickets(env.tls);
    ck_assert_uint_eq(charged(), 0);
}

START_TEST(chain_is_let_go)
{
    assert_kept(TLS1_3_VERSION, &verified);
    assert_kept(TLS1_3_VERSION, &unverified);
    assert_kept(TLS1_2_VERSION, &verified);
    assert_kept(TLS1_2_VERSION, &unverified);
}
END_TEST

START_TEST(rule_b9_6_tls_is_charged)
{
    struct tls_params params = {.account = env.account,
                                .trust = tls_system_trust(env.tls),
                                .verify = true,
                                .host = "a.example",
                                .key = RQV_STR("key")};
    struct rqv_err err = {0};
    char detail[RQV_DETAIL_MAX];
    struct net_cert most;
    SSL *ssl;

    env.accounts.limit_uid[ACCOUNT_MEMORY] = TLS_COST_HANDSHAKE - 1;
    ck_assert_ptr_null(tls_ssl_new(env.tls, &params, &err));
    ck_assert_int_eq(err.code, REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(err.phase, REQIVO_PHASE_TLS);
    env.accounts.limit_uid[ACCOUNT_MEMORY] = TLS_COST_HANDSHAKE + 16384;
    ssl = tls_ssl_new(env.tls, &params, &err);
    ck_assert_ptr_nonnull(ssl);
    ck_assert_uint_eq(charged(), TLS_COST_HANDSHAKE);
    tls_ssl_free(ssl);
    ck_assert_uint_eq(charged(), 0);
    with_names(&most, 100);
    ck_assert_int_eq(visit(&most, NULL, 0, &verified, detail), REQIVO_E_LIMIT_MEMORY);
    ck_assert_int_eq(visit(&most, NULL, 0, &unverified, detail), REQIVO_E_LIMIT_MEMORY);
    env.accounts.limit_uid[ACCOUNT_MEMORY] = TLS_COST_HANDSHAKE + 65536;
    ck_assert_int_eq(visit(&most, NULL, 0, &verified, detail), 0);
    net_cert_done(&most);
}
END_TEST

/* A ServerHello of TLS 1.2, and the head of a list of certificates that never comes. */
static void script_stall(struct net_server *at, int fd, SSL *ssl)
{
    static const unsigned char flight[] = {
        22, 3,  3,    0,    49, 2,  0,  0,    45, 3,  3,  1,  2,  3,  4,  5,  6,  7,  8,  9,    10,
        11, 12, 13,   14,   15, 16, 17, 18,   19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,   31,
        32, 0,  0xc0, 0x2b, 0,  0,  5,  0xff, 1,  0,  1,  0,  22, 3,  3,  0,  4,  11, 0,  0xf0, 0};
    char bytes[4096];

    (void)at;
    (void)ssl;
    recv(fd, bytes, sizeof(bytes), 0);
    send(fd, flight, sizeof(flight), MSG_NOSIGNAL);
    while (recv(fd, bytes, sizeof(bytes), 0) > 0)
        ;
}

static void on_step(void *owner, unsigned events)
{
    struct net_client *client = owner;

    (void)events;
    client->rc = stream_handshake(client->stream, &client->err);
    client->done = client->rc != -EAGAIN || charged() > TLS_COST_HANDSHAKE;
    if (client->done)
        loop_stop(env.loop);
}

static int begin_stalled(struct net_client *client)
{
    struct tls_params params = {.account = env.account,
                                .trust = tls_system_trust(env.tls),
                                .host = "a.example",
                                .key = RQV_STR("key")};
    SSL *ssl = tls_ssl_new(env.tls, &params, &client->err);

    ck_assert_ptr_nonnull(ssl);
    client->done = false;
    ck_assert_int_eq(stream_new(env.loop, net_connect(server.port), ssl, &client->stream), 0);
    stream_set_owner(client->stream, on_step, client);
    on_step(client, 0);
    net_env_run(&env, &client->done);
    return client->rc;
}

START_TEST(message_under_way_is_charged)
{
    struct net_client client = {0};

    net_server_open(&server, NULL, script_stall);
    net_server_start(&server);
    ck_assert_int_eq(begin_stalled(&client), -EAGAIN);
    ck_assert_uint_ge(charged(), TLS_COST_HANDSHAKE + 65536);
    stream_free(&client.stream);
    ck_assert_uint_eq(charged(), 0);
    env.accounts.limit_uid[ACCOUNT_MEMORY] = TLS_COST_HANDSHAKE + 16384;
    ck_assert_int_eq(begin_stalled(&client), REQIVO_E_LIMIT_MEMORY);
    stream_free(&client.stream);
    net_server_stop(&server);
    ck_assert_uint_eq(charged(), 0);
}
END_TEST

/* ---- the count itself ---- */

static const char *scan(const uint8_t *der, size_t len, struct tls_certs *ret_certs)
{
    static uint8_t message[70000];

    memset(message, 0, 10);
    message[7] = (uint8_t)(len >> 16);
    message[8] = (uint8_t)(len >> 8);
    message[9] = (uint8_t)len;
    memcpy(message + 10, der, len);
    return tls_certs_scan(message, len + 10, false, ret_certs);
}

START_TEST(count_of_elements)
{
    static uint8_t der[60000];
    struct tls_certs certs = {0};

    /* A sequence of no length reaches to the end, whatever it says. */
    memset(der, 0, sizeof(der));
    der[0] = 0x30;
    der[1] = 0x80;
    ck_assert_ptr_nonnull(scan(der, sizeof(der), &certs));
    /* One that lies about its length hides nothing of what comes behind the element around it. */
    memcpy(der, "\x04\x06\x30\x84\x7f\xff\xff\xff", 8);
    ck_assert_ptr_nonnull(scan(der, sizeof(der), &certs));
    memset(der, 0x30, sizeof(der)); /* nested without end */
    ck_assert_ptr_nonnull(scan(der, sizeof(der), &certs));
    memset(der, 0x1f, sizeof(der)); /* a tag without end */
    for (size_t len = 0; len < 64; len++)
        ck_assert_ptr_null(scan(der, len, &certs));
    ck_assert_ptr_null(scan((const uint8_t *)"\x30\x07\x02\x01\x05\x04\x02\x30\x00", 9, &certs));
    ck_assert_uint_eq(certs.count, 1);
    ck_assert_uint_eq(certs.own_cost, 9 + 4 * TLS_COST_ELEMENT);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("tls_cost");
    TCase *t = tcase_create("tls_cost");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, rule_b7_6_names);
    tcase_add_test(t, rule_b7_6_certificates);
    tcase_add_test(t, rule_b7_6_keys);
    tcase_add_test(t, rule_b7_6_keys_of_trusted);
    tcase_add_test(t, chain_is_let_go);
    tcase_add_test(t, rule_b9_6_tls_is_charged);
    tcase_add_test(t, message_under_way_is_charged);
    tcase_add_test(t, count_of_elements);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)
