/* SPDX-License-Identifier: MIT */
/*
 * tls_internal - what tls.c, tls_cert.c, tls_check.c, tls_trust.c, tls_ticket.c and stream_tls.c share.
 *
 *   struct tls ---- SSL_CTX, BIO method, ticket cache, trusts
 *   struct tls_conn  one per SSL (its app data): whom it must be, and what the server did so far
 */
#ifndef DAEMON_NET_TLS_INTERNAL_H
#define DAEMON_NET_TLS_INTERNAL_H

#include "common/addr.h"
#include "common/list.h"
#include "common/map.h"
#include "daemon/net/tls.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* ---- tickets ---- */

#define TLS_TICKETS_PER_KEY  4
#define TLS_TICKETS_MAX      1024
#define TLS_TICKETS_UID_MAX  256
#define TLS_TICKET_LIFE_MS   600000 /* since the certificate was last seen, not since the last resumption */
#define TLS_TICKET_BYTES_MAX 8192   /* the serialized session: certificate and ticket */
#define TLS_TICKET_KEY_COST  512    /* of the pool key that it lies under */

struct tls_tickets {
    struct rqv_map map;  /* key -> bucket */
    struct rqv_list lru; /* all tickets, oldest first */
    size_t count;
};
struct tls_ticket_info {
    struct account *account; /* whose it is; NULL: nobody's */
    uint64_t verified_ms;    /* when the certificate was last seen in a handshake */
    size_t cert_cost;        /* what the certificate in it costs once it is parsed */
};
void tickets_init(struct tls_tickets *tickets, const uint64_t hash_key[2]);
void tickets_done(struct tls_tickets *tickets);
void tickets_flush(struct tls_tickets *tickets);
/* Charged to the account, which is held meanwhile. Forgets quietly what is too large or finds no memory. */
void tickets_store(struct tls_tickets *tickets, struct rqv_str key, SSL_SESSION *session,
                   const struct tls_ticket_info *info, uint64_t now_ms);
/* The newest valid ticket of the key, the caller's; TLS 1.3's are taken out (RFC 8446 C.4). NULL: none. */
SSL_SESSION *tickets_take(struct tls_tickets *tickets, struct rqv_str key, uint64_t now_ms,
                          struct tls_ticket_info *ret_info);
void tickets_drop(struct tls_tickets *tickets, struct rqv_str key);
void tickets_expire(struct tls_tickets *tickets, uint64_t now_ms);

/* ---- trusts ---- */

#define TRUST_ID 40

struct trust {
    struct tls *tls;
    unsigned refs;
    X509_STORE *store;
    uint8_t id[TRUST_ID]; /* of the account, then the SHA-256: its key in tls->trusts */
    bool listed;
    struct rqv_map_node node;
    struct account *account; /* NULL: the system's */
    size_t charged;
};
/* From PEM; user content that has no certificate is refused. 0 or REQIVO_E_TRUST or -ENOMEM with a detail.
 * Any thread. */
int trust_parse(struct rqv_str pem, bool user, X509_STORE **ret_store, char *detail, size_t size);
void trust_loads_end(struct tls *tls); /* frees what still waits for delivery; the worker is gone by then */

/* ---- what a server shows ---- */

#define TLS_CERTS_MAX         16   /* in one list */
#define TLS_CERT_ELEMENTS_MAX 4096 /* ASN.1 elements of a list: some 4000 names */
#define TLS_COST_ELEMENT      120  /* bytes that OpenSSL makes of one; at most 114 were measured */

struct tls_certs {
    size_t count;
    size_t cost, own_cost; /* once parsed: of all, of the server's own */
};
/* Of a whole Certificate message: NULL and what it holds, or why it is refused. Pure. */
const char *tls_certs_scan(const uint8_t *message, size_t len, bool tls13, struct tls_certs *ret_certs);
/* A Certificate message has come whole and is not parsed yet: charges it, or refuses it (conn->refused). */
void tls_certs_seen(SSL *ssl, const void *message, size_t len);
/* OpenSSL's verify callback, also where nothing is verified: limits, keys, then X509_verify_cert. */
int tls_certs_verify(X509_STORE_CTX *ctx, void *owner);
/* May a signature be checked with it on the loop? RSA up to 8192 bits with an exponent up to 64, named curves
 * up to 521, Ed25519, Ed448. Any thread. */
bool tls_key_is_cheap(const EVP_PKEY *key);

/* ---- the whole, and one connection ---- */

struct tls {
    struct loop *loop;
    struct worker *worker;
    SSL_CTX *ctx;
    BIO_METHOD *bio; /* stream_tls.c */
    struct trust *system;
    struct rqv_map trusts;
    struct tls_tickets tickets;
    uint64_t generation;
    struct rqv_list loads; /* trust_load under way */
};

/* A name in subjectAltName only (RFC 9110 4.3.4), and a wildcard only as a whole label. */
#define TLS_HOST_FLAGS        (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

#define TLS_KEY_UPDATES_MAX   64
#define TLS_TICKETS_TAKEN_MAX 16
#define TLS_EMPTY_RECORDS_MAX 32

/* What OpenSSL holds for a connection, less the certificates: measured, with what it holds while a record or
 * a message is under way. */
#define TLS_COST_HANDSHAKE 45056u
#define TLS_COST_OPEN      32768u

struct tls_conn {
    struct tls *tls;
    struct account *account; /* borrowed, outlives it; NULL: uncharged */
    size_t base_charged, certs_charged, message_charged;
    struct tls_certs shown;
    int refused; /* 0, or why nothing more is taken from the server; with a text */
    const char *refusal;
    unsigned last_message; /* of the handshake, that came whole */
    bool verify, checked, host_is_addr;
    struct rqv_addr addr;        /* when host_is_addr */
    uint64_t verified_ms;        /* when the certificate was last seen in a handshake */
    uint64_t ticket_verified_ms; /* that of the ticket offered */
    uint64_t generation;         /* of the system's trust, when it was made */
    SSL_SESSION *held;           /* came before the check (TLS 1.2) */
    unsigned key_updates;        /* and other messages after the handshake */
    unsigned tickets;
    unsigned data_records; /* application data records that arrived */
    unsigned empty_records;
    char *key; /* behind host, in the same block */
    size_t key_len;
    char host[];
};

static inline struct tls_conn *tls_conn_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

static inline struct rqv_str tls_conn_key(const struct tls_conn *conn)
{
    return (struct rqv_str){conn->key, conn->key_len};
}

void tls_conn_store(struct tls_conn *conn, SSL_SESSION *session); /* a ticket of a checked connection */
/* Whatever OpenSSL says of it, this is why the connection ends. */
void tls_conn_refuse(struct tls_conn *conn, int code, const char *why);
/* Sets one of the charges: 0, or REQIVO_E_LIMIT_MEMORY and nothing is changed. Less is never refused. */
int tls_conn_charge(struct tls_conn *conn, size_t *part, size_t bytes);
/* After a call into OpenSSL that waits for the server: charges for the message under way, if it may be large.
 * 0, or why the connection ends (conn->refused). */
int tls_ssl_waits(SSL *ssl);

/* stream_tls.c: the method of the BIO that feeds an SSL from the loop's block. NULL: out of memory. */
BIO_METHOD *stream_bio_method_new(void);

#endif
