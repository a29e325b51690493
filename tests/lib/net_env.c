/* SPDX-License-Identifier: MIT */
/* net_env - the client's side for tests of daemon/net: a loop with a guard timer, and streams driven until
 * something comes. */
#include "tests/lib/net_peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const uint64_t net_hash_key[2] = {0x0123456789abcdefu, 0xfedcba9876543210u};

static void on_guard(void *owner)
{
    struct net_env *env = owner;

    ck_abort_msg("nothing happened for 10 s");
    loop_stop(env->loop);
}

static void on_pause_end(void *owner)
{
    struct net_env *env = owner;

    loop_stop(env->loop);
}

void net_env_open(struct net_env *env, const struct net_cert *ca)
{
    struct rqv_err err = {0};
    char path[64];

    memset(env, 0, sizeof(*env));
    conf_defaults(&env->conf);
    env->conf.user_instance = true;
    ck_assert_int_eq(loop_new(&env->loop), 0);
    ck_assert_int_eq(worker_new(env->loop, 2, 64, &env->worker), 0);
    ck_assert_int_eq(accounts_init(&env->accounts, env->loop, net_hash_key), 0);
    ck_assert_int_eq(account_get(&env->accounts, 1000, &env->account), 0);
    loop_timer_init(&env->guard, env->loop, on_guard, env);
    if (ca) {
        struct tls_setup setup = {env->loop, env->worker, path, net_hash_key};

        net_cert_file(ca, path);
        ck_assert_int_eq(tls_new(&setup, &env->tls, &err), 0);
    }
}

void net_env_close(struct net_env *env)
{
    resolver_free(env->resolver);
    worker_free(env->worker);
    tls_free(env->tls);
    loop_timer_stop(&env->guard);
    loop_settle(env->loop);
    account_release(&env->account);
    accounts_done(&env->accounts);
    loop_free(env->loop);
}

void net_env_run(struct net_env *env, const bool *flag)
{
    env->guard.fn = on_guard;
    loop_timer_at(&env->guard, loop_now_us(env->loop) + 10000000);
    while (!*flag)
        loop_run(env->loop);
    loop_timer_stop(&env->guard);
}

void net_env_run_ms(struct net_env *env, unsigned ms)
{
    loop_now_refresh(env->loop);
    env->guard.fn = on_pause_end;
    loop_timer_at(&env->guard, loop_now_us(env->loop) + ms * UINT64_C(1000));
    loop_run(env->loop);
    loop_timer_stop(&env->guard);
}

int net_connect(uint16_t port)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void on_handshake(void *owner, unsigned events)
{
    struct net_client *client = owner;

    (void)events;
    client->rc = stream_handshake(client->stream, &client->err);
    if (client->rc == -EAGAIN)
        return;
    if (client->rc == 0)
        client->rc = tls_ssl_check(stream_ssl(client->stream), &client->err);
    client->done = true;
    stream_want(client->stream, 0);
    loop_stop(client->env->loop);
}

static void on_ready(void *owner, unsigned events)
{
    struct net_client *client = owner;

    (void)events;
    client->done = true;
    loop_stop(client->env->loop);
}

int net_client_open(struct net_client *client, struct net_env *env, uint16_t port,
                    const struct net_client_params *params)
{
    struct in_addr v4;
    struct in6_addr v6;
    struct tls_params tls = {
        .account = env->account,
        .trust = params->trust ? params->trust : tls_system_trust(env->tls),
        .verify = !params->no_verify,
        .host = params->host,
        .host_is_addr =
            inet_pton(AF_INET, params->host, &v4) == 1 || inet_pton(AF_INET6, params->host, &v6) == 1,
        .key = rqv_str_from(params->key ? params->key : params->host),
    };
    SSL *ssl;

    memset(client, 0, sizeof(*client));
    client->env = env;
    ssl = tls_ssl_new(env->tls, &tls, &client->err);
    ck_assert_ptr_nonnull(ssl);
    if (params->session)
        ck_assert_int_eq(SSL_set_session(ssl, params->session), 1);
    ck_assert_int_eq(stream_new(env->loop, net_connect(port), ssl, &client->stream), 0);
    stream_set_account(client->stream, env->account);
    stream_set_owner(client->stream, on_handshake, client);
    on_handshake(client, 0);
    net_env_run(env, &client->done);
    stream_set_owner(client->stream, on_ready, client);
    return client->rc;
}

void net_client_plain(struct net_client *client, struct net_env *env, uint16_t port)
{
    memset(client, 0, sizeof(*client));
    client->env = env;
    ck_assert_int_eq(stream_new(env->loop, net_connect(port), NULL, &client->stream), 0);
    stream_set_owner(client->stream, on_ready, client);
}

void net_client_close(struct net_client *client)
{
    stream_free(&client->stream);
}

static void wait_for(struct net_client *client, unsigned events)
{
    client->done = false;
    stream_want(client->stream, events);
    net_env_run(client->env, &client->done);
    stream_want(client->stream, 0);
}

long net_client_read(struct net_client *client, void *out, size_t size)
{
    bool more;
    long n;

    while ((n = stream_read(client->stream, out, size, &more)) == -EAGAIN)
        wait_for(client, LOOP_READ);
    return n;
}

void net_client_read_all(struct net_client *client, void *out, size_t size)
{
    size_t got = 0;

    while (got < size) {
        long n = net_client_read(client, (char *)out + got, size - got);

        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
}

long net_client_write(struct net_client *client, const void *bytes, size_t len)
{
    size_t sent = 0;

    while (sent < len) {
        struct iovec iov = {.iov_base = (char *)(uintptr_t)bytes + sent, .iov_len = len - sent};
        long n = stream_write(client->stream, &iov, 1);

        if (n == -EAGAIN)
            wait_for(client, LOOP_WRITE);
        else if (n < 0)
            return n;
        else
            sent += (size_t)n;
    }
    while (stream_write_pending(client->stream)) {
        wait_for(client, LOOP_WRITE);
    }
    return (long)sent;
}
