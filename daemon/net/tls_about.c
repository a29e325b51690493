/* SPDX-License-Identifier: MIT */
/* tls_about - what a program may know of a TLS connection: version, cipher, protocol, certificate. */
#include "daemon/net/tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#define ABOUT_BASE 4096 /* of the BIO, and of what OpenSSL makes on the way */
#define ABOUT_PART 8    /* bytes of text and buffers, at most, for each byte of a certificate */

/* timegm() without the C library's zone files. */
static int64_t seconds_of(const ASN1_TIME *when)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool known = epoch && ASN1_TIME_diff(&days, &seconds, epoch, when) == 1;

    ASN1_TIME_free(epoch);
    return known ? (int64_t)days * 86400 + seconds : 0;
}

static size_t text_len(BIO *text)
{
    return (size_t)BIO_pending(text);
}

/* Three pieces of one text; their places are known once it is whole and moves no more. */
static int write_texts(struct tls_about *about, X509 *cert)
{
    size_t certificate, subject;
    char *at = NULL;

    if (PEM_write_bio_X509(about->text, cert) != 1)
        return -ENOMEM;
    certificate = text_len(about->text);
    if (X509_NAME_print_ex(about->text, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) < 0)
        return -ENOMEM;
    subject = text_len(about->text);
    if (X509_NAME_print_ex(about->text, X509_get_issuer_name(cert), 0, XN_FLAG_RFC2253) < 0)
        return -ENOMEM;
    size_t len = (size_t)BIO_get_mem_data(about->text, &at);
    about->certificate = (struct rqv_str){at, certificate};
    about->subject = (struct rqv_str){at + certificate, subject - certificate};
    about->issuer = (struct rqv_str){at + subject, len - subject};
    about->not_after_s = seconds_of(X509_get0_notAfter(cert));
    return 0;
}

static int about_certificate(struct tls_about *about, X509 *cert)
{
    int der = i2d_X509(cert, NULL);
    size_t need = ABOUT_BASE + (der > 0 ? (size_t)der * ABOUT_PART : 0);
    int rc = account_charge(about->account, ACCOUNT_MEMORY, need);

    if (rc < 0)
        return rc;
    about->charged = need;
    about->text = BIO_new(BIO_s_mem());
    rc = about->text ? write_texts(about, cert) : -ENOMEM;
    if (rc < 0)
        tls_about_done(about);
    ERR_clear_error();
    return rc;
}

static const char *alpn_text(const SSL *ssl)
{
    const unsigned char *alpn = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(ssl, &alpn, &len);
    return len > 0 ? "http/1.1" : ""; /* no other was accepted: tls_check.c */
}

int tls_about(const SSL *ssl, struct account *account, struct tls_about *ret_about)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);

    *ret_about = (struct tls_about){.version = SSL_get_version(ssl),
                                    .cipher = SSL_get_cipher_name(ssl),
                                    .alpn = alpn_text(ssl),
                                    .account = account};
    return cert ? about_certificate(ret_about, cert) : 0;
}

void tls_about_done(struct tls_about *about)
{
    BIO_free(about->text);
    about->text = NULL;
    account_refund(about->account, ACCOUNT_MEMORY, about->charged);
    about->charged = 0;
}
