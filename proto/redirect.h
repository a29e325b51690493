/* SPDX-License-Identifier: MIT */
/*
 * redirect - where a response sends its request next, and what of the request may go there: RFC 9110 15.4 and
 * 10.2.2, security.md B3. Pure: no lookup, no jar, no policy of addresses. For the owner remain: the policy
 * of addresses for each hop (never from a public to a private one), cookies and credentials of the session,
 * computed anew for each hop's URL, and the body's source.
 *
 *   status    method             body
 *   303       GET; HEAD stays    dropped (a HEAD's too)
 *   301, 302  POST becomes GET   dropped then; else as 307
 *   307, 308  stays              sent again, if it can be; to another origin as well, as curl and browsers do
 *
 * Where the rules keep the method (curl --post301 and its like) the first two are as the third. Every other
 * status, and a response without Location, is no redirect: it is the answer.
 *
 * User information in a redirect is refused, not ignored: the server that sent it would choose as whom the
 * program logs in elsewhere, and reqivod takes it in no URL.
 */
#ifndef RQV_PROTO_REDIRECT_H
#define RQV_PROTO_REDIRECT_H

#include "common/str.h"
#include "proto/fields.h"
#include "proto/url.h"

#include <stdbool.h>
#include <stdint.h>

#define RQV_REDIRECTS_MAX 30

struct rqv_redirect_rules {
    unsigned max;     /* hops; more than RQV_REDIRECTS_MAX counts as that; 0: the first one is too many */
    bool downgrade;   /* https may lead to http */
    bool trusted;     /* credentials go to every origin (curl --location-trusted) */
    bool keep_method; /* 301, 302 and 303 keep the method, and the body with it */
};

void rqv_redirect_rules_default(struct rqv_redirect_rules *ret_rules); /* 30 hops, the rest refused */

/* What is remembered from hop to hop of one request. */
struct rqv_redirect_chain {
    struct rqv_redirect_rules rules;
    uint64_t key[2];
    uint64_t context; /* of the first request */
    unsigned count;   /* hops so far */
    bool left;        /* the first origin has been left: what was given for it is not sent again, not even
                         when a later hop leads back */
    bool bodiless;    /* a hop has dropped the body, for good */
    uint64_t seen[RQV_REDIRECTS_MAX + 1]; /* hashes of the requests so far */
};

/* key: random, the owner's. context: see struct rqv_redirect_from. */
void rqv_redirect_begin(struct rqv_redirect_chain *chain, const struct rqv_redirect_rules *rules,
                        const uint64_t key[2], uint64_t context);

struct rqv_redirect_from {
    unsigned status;
    struct rqv_str method;   /* of the request that was answered */
    struct rqv_str url;      /* its URL, http or https, as text without user information */
    struct rqv_str location; /* rqv_redirect_location() */
    bool has_body;           /* the request had one */
    bool body_again;         /* and it can be had from its start again */
    uint64_t context;        /* what else shapes a request, for instance the jar's count of changes: the same
                                method and URL is a loop only if this is the same too */
};

struct rqv_redirect {
    struct rqv_str method; /* a view of from->method, or static */
    char *url;             /* the room given; not NUL-terminated. The fragment is inherited (10.2.2) */
    size_t url_len;
    struct rqv_url parsed; /* its views point into url; the host may still be unicode */
    bool body;             /* the body goes along */
    bool body_dropped;     /* here or at a hop before: the Content-* fields stay away */
    bool elsewhere;        /* chain->left */
    bool trusted;          /* of the rules */
};

bool rqv_redirect_is(unsigned status); /* a status of the table above */

/*
 * 0: no redirect. 1: follow, *ret_hop is filled and the hop is counted; `room` is RQV_URL_MAX bytes and takes
 * the URL. Else REQIVO_E_REDIRECT_URL (malformed, another scheme, user information), REQIVO_E_REDIRECT_DENIED
 * (https to http), REQIVO_E_REDIRECT_BODY (it cannot be had again),
 * REQIVO_E_REDIRECT_LOOP or REQIVO_E_REDIRECT_LIMIT, with *ret_why pointing at a static sentence; the next
 * hop is then not counted. `room` must not hold from->url.
 *
 * A space in Location is taken as %20, as every browser and curl do. A host that is written in another way
 * (unicode for its A-label) counts as another origin.
 */
int rqv_redirect_next(struct rqv_redirect_chain *chain, const struct rqv_redirect_from *from, char *room,
                      struct rqv_redirect *ret_hop, const char **ret_why);

/* The program sent the next request to another URL than the redirect's: from there the chain goes on. Has the
 * first origin been left by that? */
void rqv_redirect_turn(struct rqv_redirect_chain *chain, struct rqv_redirect *hop, const struct rqv_url *url);

/* The one Location of a response, ptr NULL when there is none. REQIVO_E_REDIRECT_URL when there are several
 * that differ. */
int rqv_redirect_location(const struct rqv_fields *fields, struct rqv_str *ret_location);

/*
 * Must this field of the program's be left out of the next request? Once another origin was reached: Host,
 * and, unless the rules trust all, Authorization, Cookie, Proxy-Authorization and what is named like a secret
 * (-key, -token, -secret, -password, -authorization, but Idempotency-Key), for good. Without the body:
 * Content-*, Digest, Last-Modified (15.4). As long as the origin is the same a Host of the program's stays,
 * as in curl.
 */
bool rqv_redirect_drops(const struct rqv_redirect *hop, struct rqv_str name);

#endif
