/* SPDX-License-Identifier: MIT */
/*
 * net_peer - what tests of daemon/net talk to: certificates made on the spot, and a server on loopback that
 * runs in a thread and plays one script per connection. And the client's side of it: a loop with all that a
 * dial needs.
 */
#ifndef RQV_TESTS_NET_PEER_H
#define RQV_TESTS_NET_PEER_H

#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/loop.h"
#include "daemon/base/worker.h"
#include "daemon/net/resolver.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* ---- certificates ---- */

struct net_cert {
    EVP_PKEY *key;
    X509 *cert;
};
struct net_cert_params {
    const char *cn;
    const char *san;               /* "DNS:a.example,IP:127.0.0.1"; NULL: none */
    const struct net_cert *issuer; /* NULL: signs itself */
    bool ca;
    bool rsa;     /* instead of P-256 */
    long until_s; /* from now; 0: a day */
};
void net_cert_make(struct net_cert *cert, const struct net_cert_params *params);
void net_cert_done(struct net_cert *cert);
/* A path under /proc/self/fd that reads as the certificate's PEM; the descriptor stays open. */
void net_cert_file(const struct net_cert *cert, char path[64]);
struct rqv_buf;
void net_cert_pem(const struct net_cert *cert, struct rqv_buf *ret_pem);

/* ---- a server ---- */

struct net_server;
typedef void (*net_script)(struct net_server *server, int fd, SSL *ssl);
struct net_server {
    int fd;
    uint16_t port;
    pthread_t thread;
    SSL_CTX *ctx; /* NULL: plain */
    net_script script;
    void *user;
    atomic_uint accepted, resumed, failed;
    char sni[256]; /* of the last handshake, "" when none was sent */
};
/* `cert` NULL: plain. Listens on 127.0.0.1. */
void net_server_open(struct net_server *server, const struct net_cert *cert, net_script script);
void net_server_start(struct net_server *server); /* after changes to server->ctx */
void net_server_stop(struct net_server *server);
void net_script_echo(struct net_server *server, int fd, SSL *ssl); /* until the client ends */
void net_script_hello(struct net_server *server, int fd,
                      SSL *ssl); /* "hello", close_notify, waits for the end */

/* ---- the client's side ---- */

struct net_env {
    struct conf conf;
    struct loop *loop;
    struct worker *worker;
    struct accounts accounts;
    struct account *account;
    struct tls *tls;
    struct resolver *resolver;
    struct loop_timer guard;
};
extern const uint64_t net_hash_key[2];
/* `ca` is what the system trusts; NULL: nothing is set up for TLS. */
void net_env_open(struct net_env *env, const struct net_cert *ca);
void net_env_close(struct net_env *env);
/* Runs the loop until *flag, which whoever sets it announces by loop_stop(); 10 s at most. */
void net_env_run(struct net_env *env, const bool *flag);
void net_env_run_ms(struct net_env *env, unsigned ms);

/* One stream to a server, its handshake done and checked or failed. */
struct net_client {
    struct net_env *env;
    struct stream *stream;
    bool done;
    int rc;
    struct rqv_err err;
};
struct net_client_params {
    const char *host;
    const char *key; /* of tickets */
    bool no_verify;
    SSL_SESSION *session; /* forced on it */
    struct trust *trust;  /* NULL: the system's */
};
int net_connect(uint16_t port); /* a non-blocking socket, connected */
int net_client_open(struct net_client *client, struct net_env *env, uint16_t port,
                    const struct net_client_params *params);
void net_client_plain(struct net_client *client, struct net_env *env, uint16_t port);
void net_client_close(struct net_client *client);
/* stream_read until it gives bytes, an end or an error. */
long net_client_read(struct net_client *client, void *out, size_t size);
/* Reads exactly that many bytes, or dies. */
void net_client_read_all(struct net_client *client, void *out, size_t size);
/* Writes all, or returns the code. */
long net_client_write(struct net_client *client, const void *bytes, size_t len);

#endif
