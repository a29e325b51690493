/* SPDX-License-Identifier: MIT */
/*
 * mini_origin - an HTTP/1.1 origin on loopback that lives on the test's own loop, and the upstream half of a
 * daemon to speak to it: accounts, pools, exchanges. No thread, no name service, no TLS.
 *
 *   on_head(conn)   the head of a request is there (its body may follow)
 *   on_whole(conn)  head and body are there; afterwards they are dropped
 */
#ifndef RQV_TESTS_MINI_ORIGIN_H
#define RQV_TESTS_MINI_ORIGIN_H

#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/loop.h"
#include "daemon/base/queue.h"
#include "daemon/upstream/origins.h"
#include "daemon/work/exchange.h"
#include "daemon/work/wsession.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MINI_IN 2097152

struct mini_origin;
struct mini_conn {
    struct rqv_list node;
    struct mini_origin *origin;
    struct loop_io io;
    int fd;
    unsigned number;   /* 1 for the first that was accepted */
    unsigned requests; /* whole ones */
    bool headed;       /* on_head was called for the request under way */
    size_t head_len, len;
    char *in; /* what came of the request under way */
    const char *out;
    size_t out_left;
};
struct mini_origin {
    struct loop *loop;
    struct loop_io io;
    uint16_t port;
    struct rqv_list conns; /* the open ones, oldest first */
    void (*on_head)(struct mini_conn *conn);
    void (*on_whole)(struct mini_conn *conn);
    const char *answer; /* what the on_whole that is set at first sends */
    bool deaf;          /* takes no byte off the sockets */
    bool forgets;       /* takes them, and looks at none */
    unsigned accepted, requests, open, most_open, ended;
    size_t received;
    void *user;
};

void mini_origin_open(struct mini_origin *origin, struct loop *loop);
void mini_origin_close(struct mini_origin *origin);
void mini_hear(struct mini_origin *origin);              /* deaf no more */
struct mini_conn *mini_last(struct mini_origin *origin); /* the newest open one, or NULL */
/* `bytes` must stay: what the kernel does not take follows when it does. */
void mini_send(struct mini_conn *conn, const char *bytes, size_t len);
void mini_say(struct mini_conn *conn, const char *text);
void mini_end(struct mini_conn *conn);    /* FIN */
void mini_reset(struct mini_conn *conn);  /* RST */
void mini_answer(struct mini_conn *conn); /* origin->answer */

/* ---- the daemon's upstream half ---- */

struct mini_env {
    struct conf conf;
    struct loop *loop;
    struct accounts accounts;
    struct account *account; /* of uid 1000 */
    struct queue_pool queues;
    struct dial_net net;
    struct origins origins;
    struct exchange_env exchanges;
    struct wsession_env wsessions;
    struct loop_timer tick;
    const unsigned *watched;
    unsigned least;
    uint64_t until_us;
};
void mini_env_open(struct mini_env *env);
void mini_env_limits(struct mini_env *env); /* after changes to env->conf.connections_uid and its like */
/* Everything must have been given back: every account at zero. */
void mini_env_close(struct mini_env *env);
void mini_env_until(struct mini_env *env, const unsigned *counter, unsigned least); /* 10 s at most */
void mini_env_ms(struct mini_env *env, unsigned ms);

#endif
