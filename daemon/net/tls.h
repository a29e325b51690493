/* SPDX-License-Identifier: MIT */
/*
 * tls - the one SSL_CTX, sets of trusted certificates, and the ticket cache. TLS 1.2 and up, verification and
 * host name on, SNI, ALPN http/1.1, no renegotiation, no compression, no early data. security.md B7.
 *
 * A trust is an X509_STORE made once per content (SHA-256) on a thread and shared by count. Tickets are kept
 * under the pool key of the connection that got them, only of connections whose every check passed, TLS 1.3
 * single use, and the host is checked again after a resumption (OpenSSL does not).
 */
#ifndef DAEMON_NET_TLS_H
#define DAEMON_NET_TLS_H

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"
#include "daemon/base/account.h"
#include "daemon/base/loop.h"
#include "daemon/base/worker.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls;
struct trust;

struct tls_setup {
    struct loop *loop;
    struct worker *worker;
    const char *ca_file;      /* "" is the distribution's bundle */
    const uint64_t *hash_key; /* two */
};
/* Reads the CA file now, before service starts. REQIVO_E_TRUST with err filled when a file that is named
 * cannot be used; a missing bundle of the distribution is only logged, and nothing is trusted. */
int tls_new(const struct tls_setup *setup, struct tls **ret_tls, struct rqv_err *err);
/* What is not in force although tls_new() asked for it, in words; NULL: all of it is. */
const char *tls_unsound(const struct tls *tls);
void tls_free(struct tls *tls); /* after worker_free(), and after the last SSL and trust */

struct trust *tls_system_trust(struct tls *tls); /* borrowed */
uint64_t tls_trust_generation(const struct tls *tls);

/* What a file of CA certificates holds, read and parsed; "" is the distribution's bundle. Any thread, once
 * there is a struct tls. 0, or a code with err filled. */
struct tls_roots;
int tls_roots_read(const char *ca_file, struct tls_roots **ret_roots, struct rqv_err *err);
void tls_roots_free(struct tls_roots *roots);
/* Puts it in the place of the system's trust (takes it). Another content moves the generation, and all
 * tickets go; the same changes nothing. 1, 0; negative with err filled: it stays as it was, since nothing
 * would be trusted any more, or out of memory. */
int tls_roots_use(struct tls *tls, struct tls_roots **roots, struct rqv_err *err);
struct trust *trust_ref(struct trust *trust);
void trust_unref(struct trust **trust);
const uint8_t *trust_hash(const struct trust *trust); /* 32 bytes: SHA-256 of the content */

/* Makes a trust of a user's PEM (takes *pem, leaves NULL) on a thread. fn runs once on the loop, never inside
 * the start: code 0 and a trust (the callee's reference), or REQIVO_E_TRUST / REQIVO_E_LIMIT_TRUST with a
 * detail. Charges ACCOUNT_TRUSTS and ACCOUNT_MEMORY until the trust dies. The same content of the same
 * account is shared, not parsed again. */
typedef void (*trust_fn)(void *owner, int code, struct trust *trust, const char *detail);
struct trust_load;
struct trust_load_params {
    struct account *account;
    struct rqv_buf *pem;
    trust_fn fn;
    void *owner;
};
int trust_load_start(struct tls *tls, const struct trust_load_params *params, struct trust_load **ret_load);
void trust_load_cancel(struct trust_load **load);

/* The versions that there are: of a request that does not say, and the bounds of one that does. */
#define TLS_VERSION_MIN 0x0303
#define TLS_VERSION_MAX 0x0304

/* What a connection is told. `key` is the whole pool key: the ticket cache's key. */
struct tls_params {
    struct account *account; /* charged for what OpenSSL holds; outlives the SSL; NULL: nobody is */
    struct trust *trust;     /* borrowed for the call */
    bool verify;
    const char *host; /* the name or numeric address to verify; SNI for names */
    bool host_is_addr;
    struct rqv_str key;
    uint16_t min_version, max_version; /* within those of the daemon; 0: its own */
};
/* An SSL for a client handshake, with ticket if there is one; NULL with err filled (REQIVO_E_LIMIT_MEMORY:
 * the account is full). Free with tls_ssl_free().
 */
SSL *tls_ssl_new(struct tls *tls, const struct tls_params *params, struct rqv_err *err);
void tls_ssl_free(SSL *ssl);
/* After the handshake: all checks incl. verify result and host name again when resumed, ALPN. 0 or
 * REQIVO_E_TLS_* with err filled. Only after 0 are tickets of this SSL stored. */
int tls_ssl_check(SSL *ssl, struct rqv_err *err);
/* Turns the failure of a handshake or transfer into err: certificate, host, protocol; with OpenSSL's reason
 * as detail. Clears the queue. */
int tls_ssl_error(SSL *ssl, int phase, struct rqv_err *err);
bool tls_ssl_flooded(
    const SSL *ssl); /* more than 64 KeyUpdates, 16 tickets or 32 empty records: close it (B7-5) */
void tls_flush_tickets(struct tls *tls);

/* What is known of a connection, for its program. The texts live until tls_about_done(); "" when there is
 * none. */
struct tls_about {
    const char *version, *cipher, *alpn;
    struct rqv_str certificate, subject,
        issuer;          /* the server's own: PEM, and names as RFC 2253 writes them */
    int64_t not_after_s; /* since 1970; 0: none */
    BIO *text;
    struct account *account;
    size_t charged;
};
/* 0, REQIVO_E_LIMIT_MEMORY, -ENOMEM; after a failure there is nothing to be done with it. */
int tls_about(const SSL *ssl, struct account *account, struct tls_about *ret_about);
void tls_about_done(struct tls_about *about);

#endif
