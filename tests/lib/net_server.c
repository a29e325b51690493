/* SPDX-License-Identifier: MIT */
/*
 * net_server - a thread that accepts, shakes hands and plays the script, one connection after the other, with
 * blocking calls.
 */
#include "tests/lib/net_peer.h"

#include <check.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int server_read(int fd, SSL *ssl, char *out, int size)
{
    return ssl ? SSL_read(ssl, out, size) : (int)recv(fd, out, (size_t)size, 0);
}

void net_script_echo(struct net_server *server, int fd, SSL *ssl)
{
    char bytes[65536];
    int n;

    (void)server;
    while ((n = server_read(fd, ssl, bytes, (int)sizeof(bytes))) > 0) {
        int done = 0, sent;

        while (done < n) {
            sent = ssl ? SSL_write(ssl, bytes + done, n - done)
                       : (int)send(fd, bytes + done, (size_t)(n - done), 0);
            if (sent <= 0)
                return;
            done += sent;
        }
    }
}

void net_script_hello(struct net_server *server, int fd, SSL *ssl)
{
    char byte;

    (void)server;
    if (ssl) {
        SSL_write(ssl, "hello", 5);
        SSL_shutdown(ssl);
    } else {
        send(fd, "hello", 5, 0);
    }
    shutdown(fd, SHUT_WR);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static void serve(struct net_server *server, int fd)
{
    SSL *ssl = NULL;
    const char *sni;

    if (server->ctx) {
        ssl = SSL_new(server->ctx);
        SSL_set_fd(ssl, fd);
        ERR_clear_error();
        if (SSL_accept(ssl) != 1) {
            server->failed++;
            SSL_free(ssl);
            close(fd);
            return;
        }
        server->resumed += SSL_session_reused(ssl) ? 1 : 0;
        sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        snprintf(server->sni, sizeof(server->sni), "%s", sni ? sni : "");
    }
    server->accepted++;
    server->script(server, fd, ssl);
    SSL_free(ssl);
    close(fd);
}

static void *server_main(void *owner)
{
    struct net_server *server = owner;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0)
        serve(server, fd);
    return NULL;
}

void net_server_open(struct net_server *server, const struct net_cert *cert, net_script script)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);

    signal(SIGPIPE, SIG_IGN);
    memset(server, 0, sizeof(*server));
    server->script = script;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    ck_assert_int_eq(listen(server->fd, 64), 0);
    ck_assert_int_eq(getsockname(server->fd, (struct sockaddr *)&sin, &len), 0);
    server->port = ntohs(sin.sin_port);
    if (!cert)
        return;
    server->ctx = SSL_CTX_new(TLS_server_method());
    ck_assert_int_eq(SSL_CTX_use_certificate(server->ctx, cert->cert), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(server->ctx, cert->key), 1);
    SSL_CTX_set_session_id_context(server->ctx, (const unsigned char *)"t", 1);
    SSL_CTX_set_options(server->ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
}

void net_server_start(struct net_server *server)
{
    ck_assert_int_eq(pthread_create(&server->thread, NULL, server_main, server), 0);
}

void net_server_stop(struct net_server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    SSL_CTX_free(server->ctx);
}
