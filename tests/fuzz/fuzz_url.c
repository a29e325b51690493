/* SPDX-License-Identifier: MIT */
/*
 * fuzz_url - F7 of the test plan. What is accepted, put together again from scheme, authority and target,
 * parses to the same origin and the same target; no control byte and no space comes out; set_host agrees with
 * the parser.
 */
#include "proto/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* scheme://authority+target of an accepted URL; the length. The space is enough for every accepted URL. */
static size_t rebuild(const struct rqv_url *url, char *out, size_t size)
{
    bool tls = url->scheme == RQV_SCHEME_HTTPS;
    size_t len = tls ? 8 : 7;
    long part;

    memcpy(out, tls ? "https://" : "http://", len);
    part = rqv_url_authority(url, out + len, size - len);
    demand(part > 0);
    len += (size_t)part;
    part = rqv_url_target(url, out + len, size - len);
    demand(part > 0 && out[len] == '/');
    return len + (size_t)part;
}

static void check_same_origin(const struct rqv_url *a, const struct rqv_url *b)
{
    struct rqv_addr addr = a->addr;

    addr.scope_id = 0; /* never leaves this host: RFC 6874 4 */
    demand(a->scheme == b->scheme && a->host_type == b->host_type && a->port == b->port);
    demand(a->host_len == b->host_len && memcmp(a->host, b->host, a->host_len + 1) == 0);
    demand(rqv_addr_eq(&addr, &b->addr));
}

static void check_unicode(struct rqv_url url)
{
    const char *why = NULL;
    char out[8];

    demand(rqv_url_authority(&url, out, sizeof(out)) < 0);
    demand(rqv_url_set_host(&url, url.host, url.host_len, &why) < 0 && why);
    demand(rqv_url_set_host(&url, "192.0.2.1", 9, &why) == 0 && url.addr.port == url.port);
}

static void check_accepted(const struct rqv_url *url)
{
    static char first[4 * RQV_URL_MAX], second[4 * RQV_URL_MAX];
    const char *why = NULL;
    struct rqv_url again;
    size_t len, host, size;

    demand(url->host_len > 0 && url->port > 0);
    if (url->host_type == RQV_HOST_NAME_UNICODE) {
        check_unicode(*url);
        return;
    }
    len = rebuild(url, first, sizeof(first));
    for (size_t i = 0; i < len; i++)
        demand((unsigned char)first[i] > 0x20 && (unsigned char)first[i] < 0x7f && first[i] != '\\');
    if (len > RQV_URL_MAX) /* grew by percent-encoding */
        return;
    demand(rqv_url_parse(first, len, &again, &why) == 0);
    check_same_origin(url, &again);
    demand(!again.userinfo.ptr && !again.fragment.ptr);
    demand(rebuild(&again, second, sizeof(second)) == len && memcmp(first, second, len) == 0);
    for (size = 0, host = 0; size < 8; size++) /* too small is refused, never overrun */
        host += rqv_url_authority(url, second, size) > 0;
    demand(host == 0 || url->host_len < 8);
    demand(rqv_url_target(url, second, 0) < 0);
    host = (size_t)rqv_url_authority(url, second, sizeof(second));
    demand(rqv_url_parse_place((struct rqv_str){second, host}, url->scheme, &again, &why) == 0);
    check_same_origin(url, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why = NULL;
    struct rqv_url url;
    int error = rqv_url_parse((const char *)data, size, &url, &why);

    demand(error == 0 || why);
    if (error == 0)
        check_accepted(&url);
    error = rqv_url_parse_place((struct rqv_str){(const char *)data, size}, RQV_SCHEME_HTTPS, &url, &why);
    demand(error || (url.host_len > 0 && url.port > 0 && !url.userinfo.ptr && !url.path.ptr));
    return 0;
}
