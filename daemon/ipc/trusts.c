/* SPDX-License-Identifier: MIT */
/* trusts - see trusts.h. One that could not be used stays, so that each request that names it gets the
 * reason. */
#include "daemon/ipc/trusts.h"

#include "daemon/ipc/peer_pools.h"
#include "daemon/ipc/peer_ws.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct peer_trust {
    struct rqv_list node; /* of peer->extra->trusts: few, so searched in order */
    struct peer *peer;
    uint64_t id;
    uint32_t total;
    struct rqv_buf pem;
    size_t charged;
    bool complete;
    struct trust_load *load;
    struct trust *trust; /* a reference */
    int code;
    char detail[160];
};

static struct peer_trust *trusts_find(const struct peer *peer, uint64_t id)
{
    rqv_list_for_each (node, &peer->extra->trusts) {
        struct peer_trust *own = RQV_LIST_OF(node, struct peer_trust, node);
        if (own->id == id)
            return own;
    }
    return NULL;
}

bool trusts_knows(const struct peer *peer, uint64_t id)
{
    return trusts_find(peer, id) != NULL;
}

static void trust_refund(struct peer_trust *own)
{
    account_refund(own->peer->account, ACCOUNT_MEMORY, own->charged);
    own->charged = 0;
}

/* The outcome is known: the id ends, the requests that wait for it go on. */
static void trust_settle(struct peer_trust *own, int code, const char *detail)
{
    own->complete = true;
    own->code = code;
    snprintf(own->detail, sizeof own->detail, "%s", detail);
    rqv_buf_done(&own->pem);
    trust_refund(own);
    struct rqv_done done = {.code = code, .sent = REQIVO_SENT_NO, .detail = rqv_str_from(own->detail)};
    peer_done(own->peer, own->id, &done);
}

static void trust_free(struct peer_trust *own)
{
    rqv_list_remove(&own->node);
    if (own->load)
        trust_load_cancel(&own->load);
    if (own->trust)
        trust_unref(&own->trust);
    rqv_buf_done(&own->pem);
    trust_refund(own);
    account_refund(own->peer->account, ACCOUNT_MEMORY, sizeof *own);
    free(own);
}

/* Makes room for one more: the one that no request has named for the longest time goes. A library remembers a
 * quarter as many and uploads again what it has forgotten. False: all are still on their way. */
static bool trusts_trim(struct peer *peer)
{
    size_t count = 0;

    rqv_list_for_each (node, &peer->extra->trusts)
        count++;
    if (count < 4 * RQV_WIRE_TRUST_PER_USER)
        return true;
    rqv_list_for_each (node, &peer->extra->trusts) {
        struct peer_trust *own = RQV_LIST_OF(node, struct peer_trust, node);
        if (own->complete && !own->load) {
            trust_free(own);
            return true;
        }
    }
    return false;
}

int trusts_begin(struct peer *peer, uint64_t id, uint32_t total)
{
    if (!trusts_trim(peer))
        return REQIVO_E_WIRE;
    int rc = peer_extra_make(peer);
    if (rc == 0)
        rc = account_charge(peer->account, ACCOUNT_MEMORY, sizeof(struct peer_trust));
    if (rc < 0) { /* it is not kept: what comes for it is late, and who names it gets an error */
        struct rqv_done done = {
            .code = rc, .sent = REQIVO_SENT_NO, .detail = RQV_STR("no memory for a set of CA certificates")};
        peer_done(peer, id, &done);
        return 0;
    }
    struct peer_trust *own = calloc(1, sizeof *own);
    if (!own) {
        account_refund(peer->account, ACCOUNT_MEMORY, sizeof *own);
        return -ENOMEM;
    }
    own->peer = peer;
    own->id = id;
    own->total = total;
    rqv_buf_init(&own->pem, RQV_WIRE_TRUST_MAX);
    rqv_list_append(&peer->extra->trusts, &own->node);
    if (total > RQV_WIRE_TRUST_MAX)
        trust_settle(own, REQIVO_E_LIMIT_TRUST, "a set of CA certificates is at most 1 MiB");
    return 0;
}

static void on_loaded(void *owner, int code, struct trust *trust, const char *detail)
{
    struct peer_trust *own = owner;
    struct peer *peer = own->peer;

    own->load = NULL;
    own->trust = trust;
    trust_settle(own, code, detail ? detail : "");
    rqv_list_for_each_safe (node, next, &peer->exchange_list) {
        struct exchange *x = RQV_LIST_OF(node, struct exchange, peer_node);
        if (x->step == STEP_TRUST && x->trust_id == own->id)
            exchange_kick(x);
    }
    peer_ws_kick_all(peer);
    peer_pools_kick(peer);
}

int trusts_data(struct peer *peer, uint64_t id, struct rqv_str bytes, bool last)
{
    struct peer_trust *own = trusts_find(peer, id);

    if (own->code < 0 && !own->load) {
        own->total -= bytes.len < own->total ? (uint32_t)bytes.len : own->total;
        return 0; /* refused already: what still comes is dropped */
    }
    if (own->complete || rqv_buf_len(&own->pem) + bytes.len > own->total ||
        (last && rqv_buf_len(&own->pem) + bytes.len != own->total))
        return REQIVO_E_WIRE;
    /* Charged as it comes, not as it is announced: an announcement costs its sender nothing. The buffer
     * doubles. */
    int rc = account_charge(peer->account, ACCOUNT_MEMORY, 2 * bytes.len);
    if (rc == 0) {
        own->charged += 2 * bytes.len;
        rc = rqv_buf_append(&own->pem, bytes.ptr, bytes.len);
    }
    if (rc < 0) {
        trust_settle(own, rc, "no memory for the CA certificates");
        return 0;
    }
    if (!last)
        return 0;
    own->complete = true;
    struct trust_load_params params = {
        .account = peer->account, .pem = &own->pem, .fn = on_loaded, .owner = own};
    rc = trust_load_start(peer->ipc->use.tls, &params, &own->load);
    if (rc < 0)
        trust_settle(own, rc, rqv_err_text(rc));
    return 0;
}

int trusts_get(struct peer *peer, uint64_t id, struct trust **ret_trust, struct rqv_err *err)
{
    struct peer_trust *own = trusts_find(peer, id);

    if (!own)
        return rqv_err_set(err, REQIVO_E_TRUST, REQIVO_PHASE_NONE,
                           "the request names CA certificates that were not sent");
    if (own->code < 0)
        return rqv_err_set(err, own->code, REQIVO_PHASE_NONE, "%s", own->detail);
    if (!own->trust)
        return -EAGAIN;
    rqv_list_remove(&own->node); /* the one used last is at the end */
    rqv_list_append(&peer->extra->trusts, &own->node);
    *ret_trust = own->trust;
    return 0;
}

void trusts_done(struct peer *peer)
{
    rqv_list_for_each_safe (node, next, &peer->extra->trusts)
        trust_free(RQV_LIST_OF(node, struct peer_trust, node));
}
