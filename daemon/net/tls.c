/* SPDX-License-Identifier: MIT */
/*
 * tls - the one SSL_CTX and what an SSL is told before its handshake.
 *
 *   tls_ssl_new -> (stream: handshake) -> tls_ssl_check -> tickets of this SSL are kept
 *                                     \-> tls_ssl_error (tls_check.c)
 *
 * OpenSSL is initialised without its configuration file: no provider or engine that somebody names there is
 * loaded (security.md D3), so the security level that Debian sets there is set here.
 */
#include "daemon/net/tls.h"

#include "daemon/net/tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl3.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define SECURITY_LEVEL 2 /* 112 bits: RSA and DH from 2048, no SHA-1 signatures */
#define VERIFY_DEPTH   8 /* security.md B7-6 */
#define CERT_LIST_MAX  (64 * 1024)

static const unsigned char alpn_offer[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/* ---- what it costs ---- */

int tls_conn_charge(struct tls_conn *conn, size_t *part, size_t bytes)
{
    int rc = 0;

    if (conn->account && bytes > *part)
        rc = account_charge(conn->account, ACCOUNT_MEMORY, bytes - *part);
    else if (conn->account && bytes < *part)
        account_refund(conn->account, ACCOUNT_MEMORY, *part - bytes);
    if (rc == 0)
        *part = bytes;
    return rc;
}

/* OpenSSL makes room for a message, and a third more, as soon as its first four bytes have come, and keeps it
 * until the last has. How much they announced it does not tell, so this is the most that it lets pass, less
 * the MESSAGE_ROOM that every handshake has. */
#define MESSAGE_ROOM 16384

static size_t room_for_message(const SSL *ssl, const struct tls_conn *conn)
{
    if (conn->checked) /* a ticket of TLS 1.3 */
        return SSL_in_init(ssl) ? (size_t)160 * 1024 : 0;
    switch (SSL_get_state(ssl)) {
    case TLS_ST_CR_CERT:
        return conn->last_message == SSL3_MT_CERTIFICATE ? 0 : CERT_LIST_MAX + 8192;
    case TLS_ST_CR_CERT_REQ:
        return conn->last_message == SSL3_MT_CERTIFICATE_REQUEST ? 0 : CERT_LIST_MAX + 8192;
    case TLS_ST_CR_SESSION_TICKET:
        return conn->last_message == SSL3_MT_NEWSESSION_TICKET ? 0 : CERT_LIST_MAX + 8192;
    case TLS_ST_CR_KEY_EXCH:
        return conn->last_message == SSL3_MT_SERVER_KEY_EXCHANGE ? 0 : (size_t)120 * 1024;
    default:
        return 0;
    }
}

static void charge_message(struct tls_conn *conn, size_t room)
{
    int rc;

    if (!conn->checked && room < conn->message_charged)
        return; /* the room is kept until the handshake is over */
    rc = tls_conn_charge(conn, &conn->message_charged, room);
    if (rc)
        tls_conn_refuse(conn, rc, "no memory is left for the server's message");
}

int tls_ssl_waits(SSL *ssl)
{
    struct tls_conn *conn = tls_conn_of(ssl);

    charge_message(conn, room_for_message(ssl, conn));
    return conn->refused;
}

/* ---- what the server sends beside data: security.md B7-5 ---- */

/* NOLINTNEXTLINE(readability-function-size): the parameters are OpenSSL's choice */
static void on_message(int write, int version, int type, const void *bytes, size_t len, SSL *ssl, void *owner)
{
    struct tls_conn *conn = tls_conn_of(ssl);
    unsigned first = len ? *(const unsigned char *)bytes : 0u;

    (void)version;
    (void)owner;
    if (write || !conn || !len)
        return;
    switch (type) {
    case SSL3_RT_HANDSHAKE:
        conn->last_message = first;
        charge_message(conn, !conn->checked && len > MESSAGE_ROOM ? len / 3 * 4 - MESSAGE_ROOM : 0);
        if (first == SSL3_MT_CERTIFICATE)
            tls_certs_seen(ssl, bytes, len);
        else if (first == SSL3_MT_NEWSESSION_TICKET)
            conn->tickets++;
        else if (first == SSL3_MT_KEY_UPDATE || first == SSL3_MT_HELLO_REQUEST || conn->checked)
            conn->key_updates++;
        break;
    case SSL3_RT_HEADER: /* TLS 1.3 calls every record data: there the inner type counts */
        if (first == SSL3_RT_APPLICATION_DATA && SSL_version(ssl) < TLS1_3_VERSION)
            conn->data_records++;
        break;
    case SSL3_RT_INNER_CONTENT_TYPE:
        if (first == SSL3_RT_APPLICATION_DATA)
            conn->data_records++;
        break;
    default:
        break;
    }
}

bool tls_ssl_flooded(const SSL *ssl)
{
    const struct tls_conn *conn = tls_conn_of(ssl);

    return conn && (conn->key_updates > TLS_KEY_UPDATES_MAX || conn->tickets > TLS_TICKETS_TAKEN_MAX ||
                    conn->empty_records > TLS_EMPTY_RECORDS_MAX);
}

/* 1 keeps the reference. TLS 1.2's session comes before the check, TLS 1.3's tickets after it. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_conn *conn = tls_conn_of(ssl);

    if (!conn || !conn->verify || tls_ssl_flooded(ssl))
        return 0;
    if (!conn->checked) {
        SSL_SESSION_free(conn->held);
        conn->held = session;
        return 1;
    }
    tls_conn_store(conn, session);
    return 0;
}

void tls_conn_store(struct tls_conn *conn, SSL_SESSION *session)
{
    struct tls_ticket_info info = {conn->account, conn->verified_ms, conn->certs_charged};

    if (conn->generation != conn->tls->generation) /* of certificates that are no longer trusted */
        return;
    tickets_store(&conn->tls->tickets, tls_conn_key(conn), session, &info, loop_boot_ms(conn->tls->loop));
}

/* ---- making and ending ---- */

static SSL_CTX *ctx_new(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx)
        return NULL;
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* No finite-field DHE: with a prime of the server's choice one handshake would hold the loop for seconds.
     */
    if (SSL_CTX_set_cipher_list(ctx, "DEFAULT:!kDHE:!PSK:!SRP") != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ctx, 0); /* stream_tls.c reads ahead for all of them in one block */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, tls_certs_verify, NULL);
    SSL_CTX_set_verify_depth(ctx, VERIFY_DEPTH);
    SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
    SSL_CTX_set_post_handshake_auth(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    SSL_CTX_set_msg_callback(ctx, on_message);
    if (SSL_CTX_set_min_proto_version(ctx, TLS_VERSION_MIN) != 1 ||
        SSL_CTX_set_alpn_protos(ctx, alpn_offer, sizeof(alpn_offer)) != 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

int tls_new(const struct tls_setup *setup, struct tls **ret_tls, struct rqv_err *err)
{
    struct tls_roots *roots = NULL;
    struct tls *tls;
    int rc;

    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
    tls = calloc(1, sizeof(*tls));
    if (!tls)
        return rqv_err_set(err, -ENOMEM, REQIVO_PHASE_NONE, "out of memory");
    tls->loop = setup->loop;
    tls->worker = setup->worker;
    rqv_map_init(&tls->trusts, setup->hash_key);
    tickets_init(&tls->tickets, setup->hash_key);
    rqv_list_init(&tls->loads);
    tls->ctx = ctx_new();
    tls->bio = stream_bio_method_new();
    if (!tls->ctx || !tls->bio)
        rc = rqv_err_set(err, REQIVO_E_INTERNAL, REQIVO_PHASE_NONE, "OpenSSL cannot be set up");
    else
        rc = tls_roots_read(setup->ca_file, &roots, err);
    if (rc == 0)
        rc = tls_roots_use(tls, &roots, err);
    ERR_clear_error();
    if (rc < 0) {
        tls_free(tls);
        return rc;
    }
    *ret_tls = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    trust_loads_end(tls);
    tickets_done(&tls->tickets);
    trust_unref(&tls->system);
    rqv_map_done(&tls->trusts);
    BIO_meth_free(tls->bio);
    SSL_CTX_free(tls->ctx);
    free(tls);
}

struct trust *tls_system_trust(struct tls *tls)
{
    return tls->system;
}

uint64_t tls_trust_generation(const struct tls *tls)
{
    return tls->generation;
}

void tls_flush_tickets(struct tls *tls)
{
    tickets_flush(&tls->tickets);
}

/* ---- one connection ---- */

static struct tls_conn *conn_new(struct tls *tls, const struct tls_params *params)
{
    size_t host_len = strlen(params->host);
    struct tls_conn *conn = calloc(1, sizeof(*conn) + host_len + 1 + params->key.len);

    if (!conn)
        return NULL;
    conn->tls = tls;
    conn->account = params->account;
    conn->generation = tls->generation;
    conn->verify = params->verify;
    conn->host_is_addr = params->host_is_addr;
    conn->verified_ms = loop_boot_ms(tls->loop);
    memcpy(conn->host, params->host, host_len + 1);
    conn->key = conn->host + host_len + 1;
    conn->key_len = params->key.len;
    if (params->key.len)
        memcpy(conn->key, params->key.ptr, params->key.len);
    return conn;
}

static void conn_free(struct tls_conn *conn)
{
    if (!conn)
        return;
    SSL_SESSION_free(conn->held);
    (void)tls_conn_charge(conn, &conn->base_charged, 0);
    (void)tls_conn_charge(conn, &conn->certs_charged, 0);
    (void)tls_conn_charge(conn, &conn->message_charged, 0);
    free(conn);
}

/* Whom the certificate must name. A name goes into SNI too, an address never (RFC 6066 3). */
static bool set_host(SSL *ssl, struct tls_conn *conn)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    X509_VERIFY_PARAM_set_hostflags(param, TLS_HOST_FLAGS);
    if (conn->host_is_addr) {
        size_t len;

        if (!rqv_addr_parse(conn->host, strlen(conn->host), 0, &conn->addr))
            return false;
        len = conn->addr.family == 6 ? 16 : 4;
        return X509_VERIFY_PARAM_set1_ip(param, conn->addr.bytes, len) == 1;
    }
    return conn->host[0] != '\0' && X509_VERIFY_PARAM_set1_host(param, conn->host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, conn->host) == 1;
}

static bool set_versions(SSL *ssl, const struct tls_params *params)
{
    return (params->min_version == 0 || SSL_set_min_proto_version(ssl, params->min_version) == 1) &&
           (params->max_version == 0 || SSL_set_max_proto_version(ssl, params->max_version) == 1);
}

static void offer_ticket(SSL *ssl, struct tls_conn *conn)
{
    uint64_t now_ms = loop_boot_ms(conn->tls->loop);
    struct tls_ticket_info info = {0};
    SSL_SESSION *session;

    if (!conn->verify)
        return;
    tickets_expire(&conn->tls->tickets, now_ms);
    session = tickets_take(&conn->tls->tickets, tls_conn_key(conn), now_ms, &info);
    if (!session)
        return;
    /* It brings the certificate along. */
    if (tls_conn_charge(conn, &conn->certs_charged, info.cert_cost) == 0 &&
        SSL_set_session(ssl, session) == 1)
        conn->ticket_verified_ms = info.verified_ms;
    SSL_SESSION_free(session);
}

SSL *tls_ssl_new(struct tls *tls, const struct tls_params *params, struct rqv_err *err)
{
    struct tls_conn *conn = conn_new(tls, params);
    int rc = conn ? tls_conn_charge(conn, &conn->base_charged, TLS_COST_HANDSHAKE) : -ENOMEM;
    SSL *ssl = rc == 0 ? SSL_new(tls->ctx) : NULL;

    if (!ssl) {
        conn_free(conn);
        rqv_err_set(err, rc ? rc : -ENOMEM, REQIVO_PHASE_TLS, "no memory is left for a TLS connection");
        return NULL;
    }
    SSL_set_app_data(ssl, conn);
    SSL_set_connect_state(ssl);
    if (!set_versions(ssl, params) || !set_host(ssl, conn) ||
        SSL_set1_verify_cert_store(ssl, params->trust->store) != 1) {
        tls_ssl_free(ssl);
        ERR_clear_error();
        rqv_err_set(err, REQIVO_E_TLS_HOST, REQIVO_PHASE_TLS,
                    "\"%s\" is not a name that a certificate can carry", params->host);
        return NULL;
    }
    offer_ticket(ssl, conn);
    return ssl;
}

void tls_ssl_free(SSL *ssl)
{
    struct tls_conn *conn;

    if (!ssl)
        return;
    conn = tls_conn_of(ssl);
    /* Else OpenSSL spoils the session of a connection that ended without close_notify, which is most of them.
     * A fatal alert has spoilt it already (RFC 5246 7.2.2). */
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    conn_free(conn);
}
