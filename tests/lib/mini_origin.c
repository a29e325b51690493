/* SPDX-License-Identifier: MIT */
/* mini_origin - see mini_origin.h. */
#include "tests/lib/mini_origin.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- connections ---- */

static void conn_close(struct mini_conn *conn)
{
    int fd = conn->fd;

    loop_io_stop(&conn->io);
    close(fd);
    rqv_list_remove(&conn->node);
    conn->origin->open--;
    free(conn->in);
    free(conn);
}

static void conn_push(struct mini_conn *conn)
{
    ssize_t n = send(conn->fd, conn->out, conn->out_left, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0) {
        conn->out += n;
        conn->out_left -= (size_t)n;
    } else if (n < 0 && errno != EAGAIN) {
        conn->out_left = 0;
    }
    loop_io_set(&conn->io, (conn->origin->deaf ? 0 : LOOP_READ) | (conn->out_left > 0 ? LOOP_WRITE : 0));
}

void mini_send(struct mini_conn *conn, const char *bytes, size_t len)
{
    ck_assert_uint_eq(conn->out_left, 0);
    conn->out = bytes;
    conn->out_left = len;
    conn_push(conn);
}

void mini_say(struct mini_conn *conn, const char *text)
{
    mini_send(conn, text, strlen(text));
}

void mini_end(struct mini_conn *conn)
{
    shutdown(conn->fd, SHUT_WR);
}

void mini_reset(struct mini_conn *conn)
{
    struct linger now = {.l_onoff = 1};

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    conn_close(conn);
}

void mini_answer(struct mini_conn *conn)
{
    mini_say(conn, conn->origin->answer);
}

/* Length of the whole request, 0 while it is not there. */
static size_t whole_len(const struct mini_conn *conn)
{
    const char *field = strcasestr(conn->in, "\r\ncontent-length:");
    const char *head_end = conn->in + conn->head_len;

    if (field && field < head_end) {
        size_t len = conn->head_len + strtoul(field + 17, NULL, 10);
        return conn->len >= len ? len : 0;
    }
    field = strcasestr(conn->in, "\r\ntransfer-encoding:");
    if (!field || field >= head_end)
        return conn->head_len;
    const char *end = memmem(head_end - 2, conn->len - conn->head_len + 2, "\r\n0\r\n\r\n", 7);
    return end ? (size_t)(end + 7 - conn->in) : 0;
}

/* Calls back; a callback may close the connection, which shows in origin->open. */
static void conn_parse(struct mini_conn *conn)
{
    struct mini_origin *origin = conn->origin;
    unsigned open = origin->open;
    char *end = conn->headed ? NULL : strstr(conn->in, "\r\n\r\n");

    if (end) {
        conn->headed = true;
        conn->head_len = (size_t)(end + 4 - conn->in);
        if (origin->on_head)
            origin->on_head(conn);
        if (origin->open != open)
            return;
    }
    size_t len = conn->headed ? whole_len(conn) : 0;
    if (len == 0)
        return;
    conn->requests++;
    origin->requests++;
    if (origin->on_whole)
        origin->on_whole(conn);
    if (origin->open != open)
        return;
    memmove(conn->in, conn->in + len, conn->len - len + 1);
    conn->len -= len;
    conn->headed = false;
}

static void on_conn(void *owner, unsigned events)
{
    struct mini_conn *conn = owner;

    if ((events & LOOP_WRITE) && conn->out_left > 0)
        conn_push(conn);
    if (!(events & LOOP_READ))
        return;
    ssize_t n = recv(conn->fd, conn->in + conn->len, MINI_IN - 1 - conn->len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        conn->origin->ended++;
        conn_close(conn);
        return;
    }
    conn->origin->received += (size_t)n;
    if (conn->origin->forgets)
        return;
    conn->len += (size_t)n;
    conn->in[conn->len] = '\0';
    conn_parse(conn);
}

/* ---- the origin ---- */

static void on_accept(void *owner, unsigned events)
{
    struct mini_origin *origin = owner;
    int fd;

    (void)events;
    while ((fd = accept4(origin->io.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct mini_conn *conn = calloc(1, sizeof *conn);
        ck_assert_ptr_nonnull(conn);
        conn->in = calloc(1, MINI_IN);
        ck_assert_ptr_nonnull(conn->in);
        conn->origin = origin;
        conn->fd = fd;
        conn->number = ++origin->accepted;
        rqv_list_append(&origin->conns, &conn->node);
        if (++origin->open > origin->most_open)
            origin->most_open = origin->open;
        loop_io_init(&conn->io, origin->loop, on_conn, conn);
        loop_io_start(&conn->io, fd, origin->deaf ? 0 : LOOP_READ);
    }
}

void mini_origin_open(struct mini_origin *origin, struct loop *loop)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memset(origin, 0, sizeof *origin);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    ck_assert_int_eq(listen(fd, 256), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    origin->port = ntohs(sin.sin_port);
    origin->loop = loop;
    origin->answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    origin->on_whole = mini_answer;
    rqv_list_init(&origin->conns);
    loop_io_init(&origin->io, loop, on_accept, origin);
    loop_io_start(&origin->io, fd, LOOP_READ);
}

void mini_origin_close(struct mini_origin *origin)
{
    int fd = origin->io.fd;

    rqv_list_for_each_safe (node, next, &origin->conns)
        conn_close(RQV_LIST_OF(node, struct mini_conn, node));
    if (fd < 0)
        return;
    loop_io_stop(&origin->io);
    close(fd);
}

void mini_hear(struct mini_origin *origin)
{
    origin->deaf = false;
    rqv_list_for_each (node, &origin->conns) {
        struct mini_conn *conn = RQV_LIST_OF(node, struct mini_conn, node);
        loop_io_set(&conn->io, LOOP_READ | (conn->out_left > 0 ? LOOP_WRITE : 0));
    }
}

struct mini_conn *mini_last(struct mini_origin *origin)
{
    struct rqv_list *node = rqv_list_last(&origin->conns);

    return node ? RQV_LIST_OF(node, struct mini_conn, node) : NULL;
}

/* ---- the environment ---- */

static void on_tick(void *owner)
{
    struct mini_env *env = owner;
    uint64_t now = loop_now_us(env->loop);

    if (env->watched ? *env->watched >= env->least : now >= env->until_us) {
        loop_stop(env->loop);
        return;
    }
    ck_assert_msg(now < env->until_us, "nothing happened for 10 s: at %u of %u", *env->watched, env->least);
    loop_timer_at(&env->tick, now + 500);
}

static void env_run(struct mini_env *env, uint64_t us)
{
    loop_now_refresh(env->loop);
    env->until_us = loop_now_us(env->loop) + us;
    loop_timer_at(&env->tick, loop_now_us(env->loop) + 100);
    loop_run(env->loop);
    loop_timer_stop(&env->tick);
}

void mini_env_until(struct mini_env *env, const unsigned *counter, unsigned least)
{
    env->watched = counter;
    env->least = least;
    env_run(env, 10000000);
}

void mini_env_ms(struct mini_env *env, unsigned ms)
{
    env->watched = NULL;
    env_run(env, ms * UINT64_C(1000));
}

void mini_env_limits(struct mini_env *env)
{
    accounts_configure(&env->accounts, &env->conf, 65536);
}

void mini_env_open(struct mini_env *env)
{
    static const uint64_t key[2] = {11, 13};

    memset(env, 0, sizeof *env);
    conf_defaults(&env->conf);
    env->conf.user_instance = true;
    ck_assert_int_eq(loop_new(&env->loop), 0);
    ck_assert_int_eq(accounts_init(&env->accounts, env->loop, key), 0);
    mini_env_limits(env);
    ck_assert_int_eq(account_get(&env->accounts, 1000, &env->account), 0);
    queue_pool_init(&env->queues, &env->accounts);
    env->net.loop = env->loop;
    env->net.conf = &env->conf;
    ck_assert_int_eq(origins_init(&env->origins, &env->net, key), 0);
    exchange_env_init(&env->exchanges, env->loop, &env->conf);
    env->exchanges.origins = &env->origins;
    wsession_env_init(&env->wsessions, env->loop, &env->conf);
    env->wsessions.net = &env->net;
    env->wsessions.origins = &env->origins;
    loop_timer_init(&env->tick, env->loop, on_tick, env);
}

void mini_env_close(struct mini_env *env)
{
    loop_settle(env->loop);
    origins_done(&env->origins);
    loop_settle(env->loop);
    ck_assert_uint_eq(env->exchanges.live, 0);
    wsession_env_done(&env->wsessions);
    loop_settle(env->loop);
    exchange_env_done(&env->exchanges);
    for (int kind = 0; kind < ACCOUNT_KINDS; kind++)
        ck_assert_msg(env->accounts.used[kind] == 0, "%zu of kind %d were not given back",
                      env->accounts.used[kind], kind);
    ck_assert_uint_eq(env->account->refs, 1);
    queue_pool_done(&env->queues);
    account_release(&env->account);
    accounts_done(&env->accounts);
    loop_free(env->loop);
}
