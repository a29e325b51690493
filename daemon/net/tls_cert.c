/* SPDX-License-Identifier: MIT */
/*
 * tls_cert - what a server's certificates may hold and cost. A certificate is the one thing of a handshake
 * that a stranger sizes: 60 KB of empty names become 3 MB once OpenSSL has parsed them, and a key can be
 * chosen so that reading it, or checking one signature with it, holds the loop for a second.
 *
 *   Certificate message --tls_certs_seen--> counted, charged, or refused before OpenSSL parses it
 *        --> parsed --tls_certs_verify--> keys judged, chain verified, all but the server's own one let go
 *
 * RFC 5246 7.4.2, RFC 8446 4.4.2 (the message); X.690 8.1 (the encoding).
 */
#include "daemon/net/tls_internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <string.h>

#define NEST_MAX       40 /* OpenSSL's own limit is 30 */
#define TAG_OCTETS     0x04u
#define TAG_SEQUENCE   0x30u
#define TAG_FIELD      0x20u /* constructed */
#define RSA_BITS_MAX   8192
#define RSA_EXP_MAX    64
#define CURVE_BITS_MAX 521

/* ---- the encoding ---- */

struct der {
    const uint8_t *at, *end;
};

static size_t der_number(struct der *der, unsigned octets)
{
    size_t number = 0;

    for (; octets && der->at < der->end; octets--)
        number = number << 8 | *der->at++;
    return number;
}

/* The head of one element; what it contains, cut to what there is. An indefinite length reaches to the end of
 * what is around it, so nothing in it escapes the count. */
static struct der der_enter(struct der *der, unsigned *ret_tag)
{
    struct der inner;
    size_t len;

    *ret_tag = *der->at++;
    if ((*ret_tag & 0x1fu) == 0x1fu)
        while (der->at < der->end && (*der->at++ & 0x80u))
            ;
    len = der_number(der, 1);
    if (len == 0x80)
        len = SIZE_MAX;
    else if (len > 0x80)
        len = der_number(der, (unsigned)len & 0x7fu);
    inner.at = der->at;
    inner.end = len < (size_t)(der->end - der->at) ? der->at + len : der->end;
    der->at = inner.end;
    return inner;
}

/* What OpenSSL makes a structure of, and perhaps a little more: every element, and in extensions too. */
static size_t count_elements(struct der der)
{
    struct der outer[NEST_MAX];
    unsigned depth = 0, tag;
    size_t count = 0;

    for (;;) {
        struct der inner;

        while (der.at == der.end) {
            if (depth == 0)
                return count;
            der = outer[--depth];
        }
        inner = der_enter(&der, &tag);
        count++;
        if (inner.at == inner.end || !((tag & TAG_FIELD) || (tag == TAG_OCTETS && *inner.at == TAG_SEQUENCE)))
            continue;
        if (depth == NEST_MAX)
            return SIZE_MAX;
        outer[depth++] = der;
        der = inner;
    }
}

/* ---- the message ---- */

/* The object identifier 1.2.840.10045.1.*, the kind of a field: only a curve that is described, not named,
 * has one. Taking the root of a point on a curve of the server's own choice takes a tenth of a second each.
 */
static bool describes_curve(const void *bytes, size_t len)
{
    static const uint8_t field_type[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x01};

    return memmem(bytes, len, field_type, sizeof(field_type)) != NULL;
}

static size_t cost_of(size_t bytes, size_t elements)
{
    return bytes + elements * TLS_COST_ELEMENT;
}

const char *tls_certs_scan(const uint8_t *message, size_t len, bool tls13, struct tls_certs *ret_certs)
{
    struct der list = {message, message + len};
    struct tls_certs certs = {0};
    size_t elements = 0, bytes;

    der_number(&list, 4); /* type and length */
    if (tls13)
        list.at += list.at < list.end ? 1 : 0; /* of the context: empty */
    der_number(&list, 3);
    for (; list.at < list.end && elements <= TLS_CERT_ELEMENTS_MAX; certs.count++) {
        size_t own;

        bytes = der_number(&list, 3);
        if (bytes > (size_t)(list.end - list.at))
            break; /* OpenSSL says so */
        own = count_elements((struct der){list.at, list.at + bytes});
        elements = own > TLS_CERT_ELEMENTS_MAX ? own : elements + own;
        if (certs.count == 0)
            certs.own_cost = cost_of(bytes, own);
        list.at += bytes;
        if (tls13) {
            bytes = der_number(&list, 2);
            list.at += bytes < (size_t)(list.end - list.at) ? bytes : (size_t)(list.end - list.at);
        }
    }
    if (certs.count > TLS_CERTS_MAX)
        return "the server shows too many certificates";
    if (elements > TLS_CERT_ELEMENTS_MAX)
        return "the server's certificates hold too many names or other parts";
    if (describes_curve(message, len))
        return "a certificate of the server brings a curve of its own";
    certs.cost = cost_of(len, elements);
    *ret_certs = certs;
    return NULL;
}

void tls_conn_refuse(struct tls_conn *conn, int code, const char *why)
{
    conn->refused = code;
    conn->refusal = why;
}

void tls_certs_seen(SSL *ssl, const void *message, size_t len)
{
    struct tls_conn *conn = tls_conn_of(ssl);
    const char *why = tls_certs_scan(message, len, SSL_version(ssl) >= TLS1_3_VERSION, &conn->shown);
    int rc;

    if (why)
        tls_conn_refuse(conn, REQIVO_E_TLS_CERTIFICATE, why);
    else if ((rc = tls_conn_charge(conn, &conn->certs_charged, conn->shown.cost)) != 0)
        tls_conn_refuse(conn, rc, "no memory is left for the server's certificates");
    /* OpenSSL would parse the message all the same, and ask afterwards. The bytes are its own copy, whose
     * digest is taken: without the length of the list it refuses them at once. Were they another's copy,
     * tls_certs_verify would still refuse. */
    if (conn->refused)
        memset((uint8_t *)(uintptr_t)message + 4, 0xff, len < 8 ? 0 : 4);
}

/* ---- keys ---- */

static bool exponent_is_small(const EVP_PKEY *key)
{
    BIGNUM *exponent = NULL;
    bool small = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
                 BN_num_bits(exponent) <= RSA_EXP_MAX;

    BN_free(exponent);
    return small;
}

static bool curve_is_named(const EVP_PKEY *key)
{
    char name[64];
    size_t len;

    return EVP_PKEY_get_group_name(key, name, sizeof(name), &len) == 1;
}

bool tls_key_is_cheap(const EVP_PKEY *key)
{
    if (!key)
        return false;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return EVP_PKEY_get_bits(key) <= RSA_BITS_MAX && exponent_is_small(key);
    case EVP_PKEY_EC:
        return EVP_PKEY_get_bits(key) <= CURVE_BITS_MAX && curve_is_named(key);
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return true;
    default:
        return false;
    }
}

/* ---- the verdict over a chain ---- */

static bool keys_are_cheap(STACK_OF(X509) * certs)
{
    for (int i = 0; i < sk_X509_num(certs); i++)
        if (!tls_key_is_cheap(X509_get0_pubkey(sk_X509_value(certs, i))))
            return false;
    return true;
}

/* The server's own certificate stays in the session, since a resumption is checked against it; its chain has
 * said all that it had to say. */
static void let_go(X509_STORE_CTX *ctx, STACK_OF(X509) * certs)
{
    X509_STORE_CTX_set0_verified_chain(ctx, NULL);
    while (sk_X509_num(certs) > 1)
        X509_free(sk_X509_pop(certs));
}

int tls_certs_verify(X509_STORE_CTX *ctx, void *owner)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_conn *conn = tls_conn_of(ssl);
    STACK_OF(X509) *certs = X509_STORE_CTX_get0_untrusted(ctx);
    int good;

    (void)owner;
    if (!conn->refused && !keys_are_cheap(certs))
        tls_conn_refuse(conn, REQIVO_E_TLS_CERTIFICATE,
                        "a certificate of the server has a key that is too large or of no kind in use");
    if (conn->refused) {
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    if (conn->verify) {
        good = X509_verify_cert(ctx) > 0;
    } else {
        /* Whoever resumes this session must not take it for one that was verified. */
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
        good = 1;
    }
    let_go(ctx, certs);
    (void)tls_conn_charge(conn, &conn->certs_charged, conn->shown.own_cost);
    return good;
}
