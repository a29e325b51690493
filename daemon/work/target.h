/* SPDX-License-Identifier: MIT */
/* target - what a request's URL and options mean upstream: the origin, the pool key, the bytes of the request
 * head. */
#ifndef DAEMON_WORK_TARGET_H
#define DAEMON_WORK_TARGET_H

#include "common/err.h"
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/queue.h"
#include "daemon/net/dial.h"
#include "daemon/net/tls.h"
#include "daemon/upstream/key.h"
#include "daemon/upstream/origins.h"
#include "proto/url.h"
#include "proto/wire.h"

#include <stdbool.h>

struct target {
    char host[RQV_HOST_MAX + 1]; /* A-label, lower case, or the numeric address */
    uint16_t port;
    bool use_tls, verify;
    /* the owner's, set before */
    const struct account *account; /* whose policy judges it; NULL: nobody's */
    bool websocket;
    bool public_only;  /* a redirect from a public address leads here */
    uint8_t host_type; /* enum rqv_host_type; never NAME_UNICODE */
    struct rqv_addr literal;
    uint16_t tls_min, tls_max; /* as TLS numbers them */
    struct dial_route route;   /* port 0: none */
    /* of the request */
    char method[16]; /* for people: what is longer is cut */
    bool is_head, idempotent, has_body, chunked, expect;
    bool bound_auth; /* Authorization: NTLM or Negotiate: the connection is not shared afterwards */
    uint64_t body_length;
};

/* Does an Authorization or WWW-Authenticate value name a scheme that authenticates the connection instead of
 * the request (NTLM, Negotiate)? Every member of a list of challenges is looked at. security.md B2-4. */
bool target_names_bound_auth(struct rqv_str value);

/* Reads a URL that may be asked for: http or https, no user information, the host as A-label. 0, or
 * REQIVO_E_URL with err filled. */
int target_url(struct rqv_str text, struct rqv_url *ret_url, struct rqv_err *err);

/* The part that names a pool: origin, verification, versions of TLS, route; judged as a connection. The
 * method, the fields and the body play no part. 0, or a code with err filled. */
int target_aim(struct target *target, const struct rqv_request_head *head, struct rqv_err *err);

/* Reads the URL, converts the host, judges method and fields, asks the policy (judge.h), and appends the
 * encoded head to `ret_head`. 0, or a code with err filled. */
int target_init(struct target *target, const struct rqv_request_head *head, struct queue *ret_head,
                struct rqv_err *err);

/* 0, or REQIVO_E_OPTION_DENIED with err filled: verification is off, and the configuration does not let it.
 */
int target_permitted(const struct target *target, const struct conf *conf, struct rqv_err *err);

/* Who asks, and what he trusts. */
struct target_identity {
    struct account *account;
    const struct conf *conf;
    const struct tls *tls;
    struct trust *trust;
    bool system_trust; /* the system's set was meant, whatever it holds */
};

/* The pool key: every field of security.md B1 that varies. */
int target_key(const struct target *target, const struct target_identity *who, struct key *ret_key);
/* And the pool of that key, made on first use. */
int target_pool(const struct target *target, const struct target_identity *who, struct origins *origins,
                struct key *ret_key, struct pool **ret_pool);

#endif
