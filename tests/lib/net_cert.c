/* SPDX-License-Identifier: MIT */
/* net_cert - certificates for tests: P-256 keys, made and signed here, so that the tests need no files and no
 * tool. */
#include "common/buf.h"
#include "tests/lib/net_peer.h"

#include <check.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

void net_cert_make(struct net_cert *cert, const struct net_cert_params *params)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    const struct net_cert *issuer = params->issuer ? params->issuer : cert;
    long until_s = params->until_s ? params->until_s : 86400;
    int serial = 1;

    cert->cert = x;
    cert->key = params->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(cert->key);
    ck_assert_int_eq(RAND_bytes((unsigned char *)&serial, sizeof(serial)), 1);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial & 0x7fffffff);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), until_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)params->cn, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer->cert));
    X509_set_pubkey(x, cert->key);
    add_extension(x, issuer->cert, NID_basic_constraints, params->ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (params->ca)
        add_extension(x, issuer->cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (params->san)
        add_extension(x, issuer->cert, NID_subject_alt_name, params->san);
    ck_assert_int_gt(X509_sign(x, issuer->key, EVP_sha256()), 0);
}

void net_cert_done(struct net_cert *cert)
{
    X509_free(cert->cert);
    EVP_PKEY_free(cert->key);
    cert->cert = NULL;
    cert->key = NULL;
}

void net_cert_pem(const struct net_cert *cert, struct rqv_buf *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;
    long len;

    ck_assert_int_eq(PEM_write_bio_X509(bio, cert->cert), 1);
    len = BIO_get_mem_data(bio, &bytes);
    rqv_buf_init(ret_pem, 1 << 20);
    ck_assert_int_eq(rqv_buf_append(ret_pem, bytes, (size_t)len), 0);
    BIO_free(bio);
}

void net_cert_file(const struct net_cert *cert, char path[64])
{
    struct rqv_buf pem;
    int fd = memfd_create("ca", 0);

    ck_assert_int_ge(fd, 0);
    net_cert_pem(cert, &pem);
    ck_assert_int_eq(write(fd, rqv_buf_head(&pem), rqv_buf_len(&pem)), (ssize_t)rqv_buf_len(&pem));
    rqv_buf_done(&pem);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
}
