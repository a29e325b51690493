/* SPDX-License-Identifier: MIT */
/*
 * dial - from an origin to a connected stream: resolve, race the addresses (RFC 8305: v6 first, 250 ms apart,
 * at most two under way), TLS. One deadline for DNS and TCP, one for TLS. The address policy is asked for
 * each address that is dialled. What was tried is reported in the error ("tried [::1]:443: Connection
 * refused; 127.0.0.1:443: ...").
 *
 *   RESOLVE -> CONNECT -> HANDSHAKE -> done
 *
 * A step of a handshake costs a millisecond and more, so the steps wait in the circle of the accounts
 * (account.h), and each takes DIAL_STEP_ITEMS of the turn's budget: four steps a turn, whoever dials.
 */
#ifndef DAEMON_NET_DIAL_H
#define DAEMON_NET_DIAL_H

#include "common/addr.h"
#include "common/err.h"
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/net/resolver.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls.h"

#define DIAL_STEP_ITEMS 16

struct dial;

struct dial_net { /* what every dial needs; lives as long as the daemon */
    struct loop *loop;
    const struct conf *conf;
    struct resolver *resolver;
    struct tls *tls;
};

/* Where to connect to in place of the origin: its address is what the policy judges, its name what is
 * resolved. */
struct dial_route {
    char host[254]; /* A-label or numeric text */
    uint16_t port;  /* 0: no route */
    struct rqv_addr literal;
};

struct dial_params {
    const char *host; /* A-label or numeric text; copied */
    uint16_t port;
    struct rqv_addr literal; /* family 0: resolve host */
    struct account *account; /* whose policy and share of lookups */
    bool use_tls;
    bool verify;
    bool public_only;               /* after a redirect from a public address: policy_check_redirect() */
    struct trust *trust;            /* a reference is taken */
    const struct dial_route *route; /* NULL, or port 0: host and port are dialled; copied */
    struct rqv_str key;             /* whole pool key, for tickets; copied */
    uint64_t connect_deadline_us;   /* on the loop's clock, UINT64_MAX: none */
    uint32_t tls_timeout_ms;        /* UINT32_MAX: none */
    uint16_t tls_min, tls_max;      /* 0x0303, 0x0304; 0: the daemon's */
};

struct dial_result {
    struct stream *stream; /* the callee's; NULL when err.code != 0 */
    struct rqv_err err;
    struct rqv_addr addr; /* connected */
    char address[RQV_ADDRESS_MAX];
    uint64_t dns_us, connect_us, tls_us;
    bool resumed;
};
/* Runs once, never inside dial_start(); after dial_cancel() it never runs. The dial is gone when it returns:
 * the owner forgets its pointer. */
typedef void (*dial_fn)(void *owner, struct dial_result *result);

int dial_start(const struct dial_net *net, const struct dial_params *params, dial_fn fn, void *owner,
               struct dial **ret_dial); /* -ENOMEM */
void dial_cancel(struct dial **dial);
/* Moves the deadlines later or sooner (another waiter). */
void dial_set_deadline(struct dial *dial, uint64_t connect_deadline_us);

#endif
