/* SPDX-License-Identifier: MIT */
/*
 * dial - the steps from an origin to a stream, their deadlines, and the result, which is told in a turn's
 * WORK phase.
 *
 *   RESOLVE --addresses--> CONNECT --socket--> HANDSHAKE --checked--> DONE --task--> fn, gone
 *      |                      |                    |                    ^
 *      +----------------------+---- failure or deadline ---------------+
 */
#include "daemon/net/dial.h"

#include "daemon/net/dial_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum dial_state { DIAL_RESOLVE, DIAL_CONNECT, DIAL_HANDSHAKE, DIAL_DONE, DIAL_TOLD };

struct dial {
    const struct dial_net *net;
    enum dial_state state;
    dial_fn fn;
    void *owner;
    struct resolver_query query;
    struct race race;
    struct loop_timer deadline;
    struct loop_task task;
    struct fair_item turn; /* a step of the handshake waits for it */
    int fd;                /* connected, and no stream yet; -1 */
    struct stream *stream;
    uint64_t step_us; /* when this step began */
    struct dial_result result;
    /* from the params */
    struct account *account; /* borrowed */
    bool use_tls, verify, is_literal;
    uint16_t tls_min, tls_max;
    uint32_t tls_timeout_ms;
    uint64_t connect_deadline_us;
    struct trust *trust; /* a reference */
    struct rqv_str key;  /* this and the names lie behind the dial */
    const char *host;    /* whom the certificate must name */
    const char *to;      /* what is resolved: the route's, or the host */
};

/* ---- states ---- */

/* Closes the step's clock and opens the next one's. */
static void dial_set_state(struct dial *dial, enum dial_state state)
{
    uint64_t now_us = loop_now_us(dial->net->loop);
    uint64_t spent_us = now_us - dial->step_us;

    switch (dial->state) {
    case DIAL_RESOLVE:
        dial->result.dns_us = spent_us;
        break;
    case DIAL_CONNECT:
        dial->result.connect_us = spent_us;
        break;
    case DIAL_HANDSHAKE:
        dial->result.tls_us = spent_us;
        break;
    case DIAL_DONE:
    case DIAL_TOLD:
        break;
    }
    dial->step_us = now_us;
    dial->state = state;
}

static void dial_finish(struct dial *dial)
{
    dial_set_state(dial, DIAL_DONE);
    loop_timer_stop(&dial->deadline);
    loop_task_queue(dial->net->loop, &dial->task, LOOP_WORK);
}

static void dial_disconnect(struct dial *dial)
{
    resolver_cancel(&dial->query);
    race_stop(&dial->race);
    fair_drop(&dial->turn);
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
    stream_free(&dial->stream);
}

static void dial_fail(struct dial *dial)
{
    if (!dial->result.err.address[0])
        memcpy(dial->result.err.address, dial->result.address, sizeof(dial->result.address));
    dial->result.err.sent = REQIVO_SENT_NO;
    dial_disconnect(dial);
    dial_finish(dial);
}

static void dial_release(struct dial *dial)
{
    dial_disconnect(dial);
    loop_timer_stop(&dial->deadline);
    loop_task_drop(&dial->task);
    trust_unref(&dial->trust);
    free(dial);
}

static void on_task(void *owner)
{
    struct dial *dial = owner;

    dial->state = DIAL_TOLD;
    dial->result.stream = dial->stream;
    if (dial->stream) {
        stream_want(dial->stream, 0);
        stream_set_owner(dial->stream, NULL, NULL);
    }
    dial->stream = NULL;
    dial->fn(dial->owner, &dial->result);
    dial_release(dial);
}

/* ---- the stream ---- */

static int stream_make(struct dial *dial)
{
    struct rqv_err *err = &dial->result.err;
    SSL *ssl = NULL;

    if (dial->use_tls) {
        struct tls_params params = {
            .account = dial->account,
            .trust = dial->trust,
            .verify = dial->verify,
            .host = dial->host,
            .host_is_addr = dial->is_literal,
            .key = dial->key,
            .min_version = dial->tls_min,
            .max_version = dial->tls_max,
        };

        ssl = tls_ssl_new(dial->net->tls, &params, err);
        if (!ssl)
            return err->code;
    }
    if (stream_new(dial->net->loop, dial->fd, ssl, &dial->stream) != 0) {
        tls_ssl_free(ssl);
        return rqv_err_set(err, -ENOMEM, REQIVO_PHASE_CONNECT, "out of memory");
    }
    dial->fd = -1;
    stream_set_account(dial->stream, dial->account);
    return 0;
}

/* ---- HANDSHAKE ---- */

static void on_stream(void *owner, unsigned events)
{
    struct dial *dial = owner;

    (void)events;
    stream_want(dial->stream, 0); /* the step asks again */
    fair_queue(&dial->turn);
}

static int handshake_advance(struct dial *dial)
{
    int rc = dial->stream ? 0 : stream_make(dial);

    if (rc)
        return rc;
    stream_set_owner(dial->stream, on_stream, dial);
    rc = stream_handshake(dial->stream, &dial->result.err);
    return rc ? rc : tls_ssl_check(stream_ssl(dial->stream), &dial->result.err);
}

static bool handshake_step(void *owner)
{
    struct dial *dial = owner;
    int rc = handshake_advance(dial);

    fair_spend(&dial->turn, DIAL_STEP_ITEMS - 1);
    if (rc == -EAGAIN)
        return false;
    if (rc) {
        dial_fail(dial);
        return false;
    }
    dial->result.resumed = SSL_session_reused(stream_ssl(dial->stream)) == 1;
    dial_finish(dial);
    return false;
}

static void handshake_begin(struct dial *dial)
{
    dial_set_state(dial, DIAL_HANDSHAKE);
    if (dial->tls_timeout_ms == UINT32_MAX)
        loop_timer_stop(&dial->deadline);
    else
        loop_timer_at(&dial->deadline, dial->step_us + dial->tls_timeout_ms * UINT64_C(1000));
    fair_queue(&dial->turn);
}

/* ---- CONNECT ---- */

static void on_race(void *owner, int fd, const struct rqv_addr *addr)
{
    struct dial *dial = owner;

    dial->fd = fd;
    dial->result.addr = *addr;
    rqv_addr_format(addr, dial->result.address, sizeof(dial->result.address));
    if (fd < 0) {
        dial->result.err = dial->race.err;
        dial_fail(dial);
    } else if (dial->use_tls) {
        handshake_begin(dial);
    } else if (stream_make(dial) != 0) {
        dial_fail(dial);
    } else {
        dial_finish(dial);
    }
}

/* ---- RESOLVE ---- */

static void on_resolved(void *owner, const struct rqv_err *err, const struct rqv_addr *addrs, size_t count)
{
    struct dial *dial = owner;

    if (err) {
        dial->result.err = *err;
        dial_fail(dial);
        return;
    }
    dial_set_state(dial, DIAL_CONNECT);
    race_start(&dial->race, addrs, count, on_race, dial);
}

/* ---- deadlines ---- */

static void on_deadline(void *owner)
{
    struct dial *dial = owner;
    struct rqv_err *err = &dial->result.err;
    const struct race *race = &dial->race;

    if (dial->state == DIAL_RESOLVE) {
        rqv_err_set(err, REQIVO_E_TIMEOUT_RESOLVE, REQIVO_PHASE_DNS, "%s: no answer in time", dial->to);
    } else if (dial->state == DIAL_CONNECT) {
        rqv_err_set(err, REQIVO_E_TIMEOUT_CONNECT, REQIVO_PHASE_CONNECT, "no answer in time%s%s",
                    race->tried_len ? "; tried " : "", race->tried);
        rqv_addr_format(&race->last, dial->result.address, sizeof(dial->result.address));
    } else if (dial->state == DIAL_HANDSHAKE) {
        rqv_err_set(err, REQIVO_E_TIMEOUT_TLS, REQIVO_PHASE_TLS, "%s: the handshake did not end within %u ms",
                    dial->host, dial->tls_timeout_ms);
    } else {
        return;
    }
    dial_fail(dial);
}

void dial_set_deadline(struct dial *dial, uint64_t connect_deadline_us)
{
    dial->connect_deadline_us = connect_deadline_us;
    if (dial->state != DIAL_RESOLVE && dial->state != DIAL_CONNECT)
        return;
    if (connect_deadline_us == UINT64_MAX)
        loop_timer_stop(&dial->deadline);
    else
        loop_timer_at(&dial->deadline, connect_deadline_us);
}

/* ---- start and cancel ---- */

static struct dial *dial_make(const struct dial_net *net, const struct dial_params *params)
{
    const struct dial_route *route = params->route && params->route->port != 0 ? params->route : NULL;
    size_t host_len = strlen(params->host), to_len = route ? strlen(route->host) + 1 : 0;
    struct dial *dial = calloc(1, sizeof(*dial) + host_len + 1 + to_len + params->key.len);
    char *behind;

    if (!dial)
        return NULL;
    behind = (char *)(dial + 1);
    memcpy(behind, params->host, host_len + 1);
    dial->host = dial->to = behind;
    behind += host_len + 1;
    if (route) {
        memcpy(behind, route->host, to_len);
        dial->to = behind;
        behind += to_len;
    }
    if (params->key.len)
        memcpy(behind, params->key.ptr, params->key.len);
    dial->key = (struct rqv_str){behind, params->key.len};
    dial->net = net;
    dial->use_tls = params->use_tls;
    dial->verify = params->verify;
    dial->is_literal = params->literal.family != 0;
    dial->tls_timeout_ms = params->tls_timeout_ms;
    dial->tls_min = params->tls_min;
    dial->tls_max = params->tls_max;
    dial->trust = params->trust ? trust_ref(params->trust) : NULL;
    loop_timer_init(&dial->deadline, net->loop, on_deadline, dial);
    loop_task_init(&dial->task, on_task, dial);
    dial->account = params->account;
    dial->fd = -1;
    fair_item_init(&dial->turn, params->account, handshake_step, dial);
    race_init(&dial->race, net->loop, net->conf, params->account);
    dial->race.public_only = params->public_only;
    dial->step_us = loop_now_us(net->loop);
    return dial;
}

static void resolve_begin(struct dial *dial, uint16_t port)
{
    int rc;

    dial->query.fn = on_resolved;
    dial->query.owner = dial;
    dial->query.port = port;
    rc = resolver_start(dial->net->resolver, &dial->query, dial->account, dial->to);
    if (rc) {
        rqv_err_set(&dial->result.err, rc, REQIVO_PHASE_DNS, "%s: the lookup cannot be made", dial->to);
        dial_fail(dial);
    }
}

int dial_start(const struct dial_net *net, const struct dial_params *params, dial_fn fn, void *owner,
               struct dial **ret_dial)
{
    struct dial *dial = dial_make(net, params);
    const struct dial_route *route = params->route && params->route->port != 0 ? params->route : NULL;
    struct rqv_addr literal = route ? route->literal : params->literal;
    uint16_t port = route ? route->port : params->port;

    if (!dial)
        return -ENOMEM;
    dial->fn = fn;
    dial->owner = owner;
    dial_set_deadline(dial, params->connect_deadline_us);
    if (literal.family != 0) {
        literal.port = port;
        on_resolved(dial, NULL, &literal, 1);
    } else {
        resolve_begin(dial, port);
    }
    *ret_dial = dial;
    return 0;
}

void dial_cancel(struct dial **ref)
{
    struct dial *dial = *ref;

    *ref = NULL;
    if (!dial || dial->state == DIAL_TOLD) /* inside fn: it goes when fn returns */
        return;
    dial_release(dial);
}
