/* SPDX-License-Identifier: MIT */
/*
 * mini_exchange - what tests of exchanges share: a sink that only notes what it is given, and a world of one
 * origin and one program that asks it.
 */
#ifndef RQV_TESTS_MINI_EXCHANGE_H
#define RQV_TESTS_MINI_EXCHANGE_H

#include "tests/lib/mini_origin.h"

#include <reqivo/error.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- the sink ---- */

struct seen {
    unsigned begun, heads, trailers, hops, done;
    uint16_t hop_flags;
    size_t hop_fields;
    unsigned redirects; /* heads that a HOP is to follow */
    int64_t content_length;
    char hop_method[16], hop_url[256];
    int status;
    uint8_t head_flags;
    size_t body, before_trailers;
    char text[256]; /* the first bytes of the body */
    uint64_t credit;
    size_t room;
    int begun_rc, trust_rc;
    struct rqv_done end;
    char detail[RQV_DETAIL_MAX];
};

static inline int sink_trust(struct exchange *x, uint64_t trust_id, struct trust **ret_trust,
                             struct rqv_err *err)
{
    struct seen *seen = x->owner;

    (void)trust_id;
    (void)ret_trust;
    return seen->trust_rc == -EAGAIN ? -EAGAIN
                                     : rqv_err_set(err, seen->trust_rc, REQIVO_PHASE_NONE, "no trust");
}

static inline int sink_begun(struct exchange *x)
{
    struct seen *seen = x->owner;

    seen->begun++;
    return seen->begun_rc;
}

static inline int sink_head(struct exchange *x, const struct rqv_response_head *head)
{
    struct seen *seen = x->owner;

    seen->heads++;
    seen->status = head->status;
    seen->head_flags = head->flags;
    seen->content_length = head->content_length;
    seen->redirects += x->hopping;
    return 0;
}

static inline int sink_data(struct exchange *x, const uint8_t *bytes, size_t len, bool last)
{
    struct seen *seen = x->owner;

    (void)last;
    if (seen->body < sizeof seen->text - 1) {
        size_t n = sizeof seen->text - 1 - seen->body;
        memcpy(seen->text + seen->body, bytes, len < n ? len : n);
    }
    seen->body += len;
    return 0;
}

static inline int sink_trailers(struct exchange *x, const struct rqv_fields *fields)
{
    struct seen *seen = x->owner;

    seen->trailers += (unsigned)fields->count;
    seen->before_trailers = seen->body;
    return 0;
}

static inline int sink_hop(struct exchange *x, const struct rqv_hop *hop)
{
    struct seen *seen = x->owner;

    seen->hops++;
    seen->hop_flags = hop->flags;
    seen->hop_fields = hop->fields.count;
    snprintf(seen->hop_method, sizeof seen->hop_method, "%.*s", (int)hop->method.len, hop->method.ptr);
    snprintf(seen->hop_url, sizeof seen->hop_url, "%.*s", (int)hop->url.len, hop->url.ptr);
    return 0;
}

static inline void sink_credit(struct exchange *x, uint32_t bytes)
{
    struct seen *seen = x->owner;

    seen->credit += bytes;
}

static inline void sink_done(struct exchange *x, const struct rqv_done *done)
{
    struct seen *seen = x->owner;

    seen->done++;
    seen->end = *done;
    snprintf(seen->detail, sizeof seen->detail, "%.*s", (int)done->detail.len, done->detail.ptr);
}

static inline size_t sink_room(struct exchange *x)
{
    struct seen *seen = x->owner;

    return seen->room;
}

static const struct exchange_sink sink = {.trust = sink_trust,
                                          .begun = sink_begun,
                                          .head = sink_head,
                                          .data = sink_data,
                                          .trailers = sink_trailers,
                                          .hop = sink_hop,
                                          .credit = sink_credit,
                                          .done = sink_done,
                                          .room = sink_room};

/* ---- a world ---- */

struct world {
    struct mini_env env;
    struct mini_origin origin;
    struct wait_source source;
    struct rqv_request_head head;
    char url[64];
    struct seen seen;
    struct exchange *x;
    uint64_t next_id;
    struct session *session; /* of the requests, or NULL */
};

static inline void request(struct world *w, struct rqv_str method)
{
    memset(&w->head, 0, sizeof w->head);
    snprintf(w->url, sizeof w->url, "http://127.0.0.1:%u/path?q", w->origin.port);
    w->head.method = method;
    w->head.url = rqv_str_from(w->url);
}

static inline struct world *world_open(void)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    mini_env_open(&w.env);
    mini_origin_open(&w.origin, w.env.loop);
    wait_source_init(&w.source, 1000);
    request(&w, RQV_STR("GET"));
    return &w;
}

static inline void world_close(struct world *w)
{
    mini_origin_close(&w->origin);
    mini_env_close(&w->env);
}

static inline int start(struct world *w, bool ended, struct rqv_err *err)
{
    struct exchange_params params = {.sink = &sink,
                                     .owner = &w->seen,
                                     .account = w->env.account,
                                     .source = &w->source,
                                     .id = ++w->next_id,
                                     .head = &w->head,
                                     .ended = ended,
                                     .session = w->session};
    struct seen keep = {.room = w->seen.room ? w->seen.room : 1 << 20,
                        .begun_rc = w->seen.begun_rc,
                        .trust_rc = w->seen.trust_rc};

    w->seen = keep;
    int rc = exchange_new(&w->env.exchanges, &params, &w->x, err);
    if (rc == 0)
        exchange_kick(w->x);
    return rc;
}

static inline void begin(struct world *w, bool ended)
{
    struct rqv_err err = {0};

    ck_assert_int_eq(start(w, ended, &err), 0);
}

static inline void finish(struct world *w)
{
    mini_env_until(&w->env, &w->seen.done, 1);
    ck_assert_uint_eq(w->seen.done, 1);
}

static inline void run(struct world *w)
{
    begin(w, true);
    finish(w);
}

static inline void body(struct world *w, const char *bytes, size_t len, bool last)
{
    ck_assert_int_eq(exchange_body(w->x, (struct rqv_str){bytes, len}, last), 0);
}

static inline void check_code(const struct world *w, int code, int sent)
{
    ck_assert_msg(w->seen.end.code == code, "code %s, not %s: %s", rqv_err_name(w->seen.end.code),
                  rqv_err_name(code), w->seen.detail);
    ck_assert_msg(w->seen.end.sent == sent, "sent %s, not %s", rqv_sent_name(w->seen.end.sent),
                  rqv_sent_name(sent));
}

static inline void silence(struct mini_conn *conn)
{
    (void)conn;
}

static const char megabyte[1048576];

static inline char *three_megabytes(void)
{
    static char answer[3 * sizeof megabyte + 128];
    int n = snprintf(answer, 128, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", 3 * sizeof megabyte);

    memset(answer + n, 'z', 3 * sizeof megabyte);
    answer[n + 3 * (int)sizeof megabyte] = '\0';
    return answer;
}

static inline void half_an_answer(struct mini_conn *conn)
{
    mini_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
}

#endif
