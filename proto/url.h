/* SPDX-License-Identifier: MIT */
/*
 * url - the one parser for http and https URLs: what it answers is both what policy judges and what is
 * dialled. RFC 3986, strict: no control byte, no space, no backslash, no userinfo in the result's host,
 * numeric hosts by inet_pton only; hosts whose last label is all digits or 0x-hex but which are no dotted
 * quad are refused. No I/O and no IDNA: a host with bytes >= 0x80 is reported as RQV_HOST_NAME_UNICODE for
 * the daemon to convert and to put back with rqv_url_set_host(), which judges the result as if it had stood
 * in the URL. Refused besides: no scheme, an empty host, a trailing dot, '%' in a host, port 0, a '%' without
 * two hex digits.
 */
#ifndef RQV_PROTO_URL_H
#define RQV_PROTO_URL_H

#include "common/addr.h"
#include "common/str.h"

#include <stdbool.h>
#include <stdint.h>

#define RQV_URL_MAX  32768
#define RQV_HOST_MAX 253

enum rqv_host_type { RQV_HOST_NAME = 1, RQV_HOST_NAME_UNICODE, RQV_HOST_IPV4, RQV_HOST_IPV6 };
enum rqv_scheme { RQV_SCHEME_HTTP = 1, RQV_SCHEME_HTTPS };

struct rqv_url {
    enum rqv_scheme scheme;
    enum rqv_host_type host_type;
    char host[RQV_HOST_MAX +
              1]; /* lower case; IPv6 without brackets in canonical inet_ntop form; zone in addr.scope_id */
    size_t host_len;
    uint16_t port;           /* effective: 80, 443 or as given */
    bool port_given;         /* a port stood in the URL */
    struct rqv_addr addr;    /* of a numeric host, with port; family 0 otherwise */
    struct rqv_str userinfo; /* views into the text: still percent-encoded; ptr NULL when absent */
    struct rqv_str path;     /* "" or starts with '/' */
    struct rqv_str query;    /* without '?'; ptr NULL when absent */
    struct rqv_str fragment; /* without '#'; ptr NULL when absent */
};

/* 0, or REQIVO_E_URL with *ret_why pointing at a static sentence that says what is wrong. `text` must outlive
 * the views. */
int rqv_url_parse(const char *text, size_t len, struct rqv_url *ret_url, const char **ret_why);

/* The same of what stands between "//" and the path alone, without user information: a host and perhaps a
 * port. `scheme` gives the port where there is none. */
int rqv_url_parse_place(struct rqv_str text, enum rqv_scheme scheme, struct rqv_url *ret_url,
                        const char **ret_why);

/* Scheme, host and port. A host that is written in another way (unicode for its A-label) is another one. */
bool rqv_url_same_origin(const struct rqv_url *a, const struct rqv_url *b);

/* Replaces the host of a RQV_HOST_NAME_UNICODE url by its ASCII form, which is checked like any host (IDNA
 * may turn it into a number). 0, or REQIVO_E_URL with the url untouched. */
int rqv_url_set_host(struct rqv_url *url, const char *ascii, size_t len, const char **ret_why);

/* The origin-form request target (path?query, "/" for an empty path; RFC 9112 3.2.1) into out.
 * Returns its length, or REQIVO_E_URL when it does not fit; out is not NUL-terminated. Bytes >= 0x80 and the
 * printable ones that RFC 3986 does not know ("<>^`{|} and the double quote) are percent-encoded, brackets
 * stay; dot segments of the path are removed as curl and browsers do (RFC 3986 5.2.4). */
long rqv_url_target(const struct rqv_url *url, char *out, size_t size);

/* The Host field value: host, brackets for IPv6 but no zone (RFC 6874 4), port when not the scheme's default.
 * Returns its length, or REQIVO_E_URL when it does not fit or the host is still unicode; out is not
 * NUL-terminated. */
long rqv_url_authority(const struct rqv_url *url, char *out, size_t size);

#endif
