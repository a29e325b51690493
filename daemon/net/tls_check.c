/* SPDX-License-Identifier: MIT */
/*
 * tls_check - the verdict over a finished handshake, and what a failed one meant.
 *
 * A resumption skips the certificate and the host name in OpenSSL: a session of evil.example resumes for
 * bank.example with a verify result of X509_V_OK (security.md, finding 3). So everything that can be checked
 * is checked again here, each time.
 */
#include "daemon/net/tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static const char alpn_http11[] = "http/1.1";

static bool cert_names_host(const struct tls_conn *conn, X509 *cert)
{
    if (conn->host_is_addr)
        return X509_check_ip(cert, conn->addr.bytes, conn->addr.family == 6 ? 16 : 4, TLS_HOST_FLAGS) == 1;
    return X509_check_host(cert, conn->host, 0, TLS_HOST_FLAGS, NULL) == 1;
}

static int verdict(long result, const struct tls_conn *conn, struct rqv_err *err)
{
    if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return rqv_err_set(err, REQIVO_E_TLS_HOST, REQIVO_PHASE_TLS, "the certificate does not name %s",
                           conn->host);
    return rqv_err_set(err, REQIVO_E_TLS_CERTIFICATE, REQIVO_PHASE_TLS, "%s: %s", conn->host,
                       X509_verify_cert_error_string(result));
}

static int check_identity(SSL *ssl, const struct tls_conn *conn, struct rqv_err *err)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    long result = SSL_get_verify_result(ssl);

    if (!cert)
        return rqv_err_set(err, REQIVO_E_TLS_CERTIFICATE, REQIVO_PHASE_TLS,
                           "%s: the server showed no certificate", conn->host);
    if (result != X509_V_OK)
        return verdict(result, conn, err);
    if (!cert_names_host(conn, cert))
        return verdict(X509_V_ERR_HOSTNAME_MISMATCH, conn, err);
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
        return verdict(X509_V_ERR_CERT_HAS_EXPIRED, conn, err);
    return 0;
}

/* RFC 7301 3.1: nothing selected means what the port means, HTTP/1.1. OpenSSL 3.0 does not compare with the
 * offer. */
static int check_protocol(SSL *ssl, struct rqv_err *err)
{
    const unsigned char *alpn = NULL;
    unsigned len = 0;

    if (!SSL_is_init_finished(ssl) || SSL_version(ssl) < TLS1_2_VERSION)
        return rqv_err_set(err, REQIVO_E_TLS_HANDSHAKE, REQIVO_PHASE_TLS, "the handshake is not complete");
    SSL_get0_alpn_selected(ssl, &alpn, &len);
    if (len && !(len == sizeof(alpn_http11) - 1 && memcmp(alpn, alpn_http11, len) == 0))
        return rqv_err_set(err, REQIVO_E_TLS_HANDSHAKE, REQIVO_PHASE_TLS,
                           "the server chose a protocol (ALPN) that was not offered");
    return 0;
}

int tls_ssl_check(SSL *ssl, struct rqv_err *err)
{
    struct tls_conn *conn = tls_conn_of(ssl);
    int rc = conn->refused ? tls_ssl_error(ssl, REQIVO_PHASE_TLS, err) : check_protocol(ssl, err);

    if (rc == 0 && conn->verify)
        rc = check_identity(ssl, conn, err);
    if (rc) {
        tickets_drop(&conn->tls->tickets, tls_conn_key(conn));
        SSL_SESSION_free(conn->held);
        conn->held = NULL;
        return rc;
    }
    /* A resumed connection has not seen the certificate: its tickets are as old as the handshake that did. */
    if (SSL_session_reused(ssl))
        conn->verified_ms = conn->ticket_verified_ms;
    conn->checked = true;
    (void)tls_conn_charge(conn, &conn->base_charged, TLS_COST_OPEN);
    (void)tls_conn_charge(conn, &conn->message_charged, 0);
    if (conn->held) {
        tls_conn_store(conn, conn->held);
        SSL_SESSION_free(conn->held);
        conn->held = NULL;
    }
    return 0;
}

static bool is_about_versions(unsigned long error)
{
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;

    return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
           reason == SSL_R_WRONG_SSL_VERSION || reason == SSL_R_WRONG_VERSION_NUMBER ||
           reason == SSL_R_VERSION_TOO_LOW || reason == SSL_R_VERSION_TOO_HIGH;
}

static const char *version_text(long version, long default_version)
{
    return (version ? version : default_version) == TLS1_2_VERSION ? "1.2" : "1.3";
}

static int versions_differ(SSL *ssl, const char *reason, struct rqv_err *err)
{
    const char *min = version_text(SSL_get_min_proto_version(ssl), TLS_VERSION_MIN);
    const char *max = version_text(SSL_get_max_proto_version(ssl), TLS_VERSION_MAX);

    return rqv_err_set(err, REQIVO_E_TLS_HANDSHAKE, REQIVO_PHASE_TLS,
                       "the server speaks no version of TLS that is asked for, %s to %s: %s", min, max,
                       reason);
}

/* The reasons below an SSL error, newest first: the newest that says something. */
int tls_ssl_error(SSL *ssl, int phase, struct rqv_err *err)
{
    const struct tls_conn *conn = tls_conn_of(ssl);
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    long result = SSL_get_verify_result(ssl);
    bool refused =
        ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED;

    bool versions = phase == REQIVO_PHASE_TLS && reason && is_about_versions(error);

    ERR_clear_error();
    if (conn && conn->refused)
        return rqv_err_set(err, conn->refused, phase, "%s: %s", conn->host, conn->refusal);
    if (refused && conn && result != X509_V_OK)
        return verdict(result, conn, err);
    if (tls_ssl_flooded(ssl))
        return rqv_err_set(err, REQIVO_E_TLS_PROTOCOL, phase,
                           "the server sent too many key updates, tickets or empty records");
    if (versions)
        return versions_differ(ssl, reason, err);
    return rqv_err_set(err, phase == REQIVO_PHASE_TLS ? REQIVO_E_TLS_HANDSHAKE : REQIVO_E_TLS_PROTOCOL, phase,
                       "%s", reason ? reason : "no reason was given");
}

/* Another OpenSSL than we were built with, or a policy of the system, may have its own view. */
const char *tls_unsound(const struct tls *tls)
{
    const uint64_t wanted = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;

    if (SSL_CTX_get_min_proto_version(tls->ctx) < TLS_VERSION_MIN)
        return "a version below TLS 1.2 would be spoken";
    if (!(SSL_CTX_get_verify_mode(tls->ctx) & SSL_VERIFY_PEER))
        return "certificates would not be verified";
    if ((SSL_CTX_get_options(tls->ctx) & wanted) != wanted)
        return "renegotiation or compression would be allowed";
    return NULL;
}
