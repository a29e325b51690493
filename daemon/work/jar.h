/* SPDX-License-Identifier: MIT */
/*
 * jar - the cookies of one session: what RFC 6265bis 5.7 stores, and what 5.8 sends. A jar belongs to one
 * owner and one account, is charged to it before anything is made, and is never shared: B3-7. Time comes from
 * the caller (the wall clock, in seconds of 1970).
 *
 *   jar ── sites, by registrable domain (or host, where there is none) ── cookies, in the order of a header
 *    └──── the cookies again: in the order they were made; by last use, apart for Secure and not
 *
 * The account must outlive the jar. Secrets: a cookie is wiped before its memory is given back (B2-10).
 */
#ifndef DAEMON_WORK_JAR_H
#define DAEMON_WORK_JAR_H

#include "daemon/base/account.h"
#include "proto/cookie.h"
#include "proto/fields.h"
#include "proto/url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JAR_SITE_MAX     180                 /* cookies of one registrable domain */
#define JAR_COOKIES_MAX  3000                /* cookies */
#define JAR_BYTES_MAX    ((size_t)4 << 20)   /* memory, all in all */
#define JAR_RESPONSE_MAX 50                  /* Set-Cookie fields taken of one response */
#define JAR_SEND_MAX     150                 /* cookies in one request */
#define JAR_HEADER_MAX   (8190 - 8)          /* bytes of a Cookie value: the line with its name has 8190 */
#define JAR_HOST_MAX     (RQV_HOST_MAX + 12) /* a host, or an address with its zone index */

struct psl_ctx_st; /* libpsl's list */
struct jar;
struct jar_cookie;

/* The list of public suffixes of the distribution, or libpsl's own when that is newer: 0, -ENOENT. It reads a
 * file, so it is for the start; it never changes and all jars of a daemon may share it. */
int jar_suffixes_new(struct psl_ctx_st **ret_suffixes);
void jar_suffixes_free(struct psl_ctx_st *suffixes);

/* Where a request goes, as far as cookies look at it. */
struct jar_place {
    char host[JAR_HOST_MAX + 1];
    bool is_address;
    bool secure;         /* https; nothing else counts */
    struct rqv_str path; /* of the target as it is sent, without the query; a view */
};

/* Of a URL whose host is in its ASCII form (never RQV_HOST_NAME_UNICODE), and the target that is sent, which
 * must outlive the place. Never of a Host field: B3-8. */
void jar_place_init(struct jar_place *place, const struct rqv_url *url, struct rqv_str target);

/* 0, REQIVO_E_LIMIT_MEMORY, -ENOMEM. */
int jar_new(struct account *account, const struct psl_ctx_st *suffixes, const uint64_t hash_key[2],
            struct jar **ret_jar);
void jar_free(struct jar *jar);

/* Takes one Set-Cookie value: 0 when it is kept (or has ended the one it names); -EINVAL and a static
 * sentence in *ret_why when it is refused; REQIVO_E_LIMIT_MEMORY or -ENOMEM, and the jar is as it was. Where
 * a limit of the jar is passed, expired cookies go, then those that are not Secure, then the others; among
 * equals the one that has not been used for longest. */
int jar_set(struct jar *jar, const struct jar_place *place, struct rqv_str value, uint64_t now_s,
            const char **ret_why);

/* Takes all Set-Cookie fields of a response; what a server may not set is passed over. 0;
 * REQIVO_E_RESPONSE_LIMIT when there are more than JAR_RESPONSE_MAX, of which the first have been taken;
 * REQIVO_E_LIMIT_MEMORY or -ENOMEM when some found no memory. */
int jar_set_fields(struct jar *jar, const struct jar_place *place, const struct rqv_fields *fields,
                   uint64_t now_s);

/* The Cookie value for a request: longer paths first, then older cookies (5.8.3); as many as fit in the
 * limits above and in `size`. Its length, 0 when there is none to send; not terminated. */
size_t jar_header(struct jar *jar, const struct jar_place *place, uint64_t now_s, char *out, size_t size);

/* Takes one line of a Netscape cookie file: 0 also for a comment, and for a cookie that is over; else as
 * jar_set. The user's own file is not bound by the 400 days of a server. */
int jar_import(struct jar *jar, struct rqv_str line, uint64_t now_s, const char **ret_why);

/* The cookie after `previous` (NULL: the first) in the order they were made, NULL at the end; those that are
 * over are passed over. Valid until the jar changes. rqv_cookie_write_line() makes the line of it. */
const struct jar_cookie *jar_next(const struct jar *jar, const struct jar_cookie *previous, uint64_t now_s);
const struct rqv_cookie *jar_cookie(const struct jar_cookie *cookie); /* domain, path, host_only: set */

size_t jar_count(const struct jar *jar); /* with those that are over and have not been seen since */
void jar_expire(struct jar *jar, uint64_t now_s);
void jar_clear(struct jar *jar);

#endif
