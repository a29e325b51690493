/* SPDX-License-Identifier: MIT */
/*
 * jar_domain - whose a cookie is: the list of public suffixes, the host of a URL or of a line, and what of a
 * Domain attribute counts. The only file of the daemon that asks libpsl.
 *
 *   a.b.example.co.uk    host: sees cookies of the domains ...
 *     b.example.co.uk    ... from here ...
 *       example.co.uk    ... to here, its site: the registrable domain
 *               co.uk    public suffix: what is above the site belongs to nobody
 */
#include "daemon/net/idn.h"
#include "daemon/work/jar_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libpsl.h>
#include <stdio.h>
#include <string.h>

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EINVAL;
}

int jar_suffixes_new(struct psl_ctx_st **ret_suffixes)
{
    psl_ctx_t *suffixes = psl_latest(NULL);

    if (!suffixes)
        return -ENOENT;
    *ret_suffixes = suffixes;
    return 0;
}

void jar_suffixes_free(struct psl_ctx_st *suffixes)
{
    psl_free(suffixes);
}

/* An address behind a zone is another machine than the same address behind another. */
static void put_host(struct jar_place *place, const struct rqv_url *url)
{
    memcpy(place->host, url->host, url->host_len + 1);
    place->is_address = url->host_type != RQV_HOST_NAME;
    if (url->addr.scope_id)
        snprintf(place->host + url->host_len, sizeof(place->host) - url->host_len, "%%%u",
                 (unsigned)url->addr.scope_id);
}

void jar_place_init(struct jar_place *place, const struct rqv_url *url, struct rqv_str target)
{
    put_host(place, url);
    place->secure = url->scheme == RQV_SCHEME_HTTPS;
    place->path = (struct rqv_str){NULL, 0};
    rqv_str_split(&target, '?', &place->path);
}

/* A public suffix, a single label and an address have nothing registrable. */
struct jar_site_view jar_site_of(const struct psl_ctx_st *suffixes, const struct jar_place *place)
{
    const char *domain = place->is_address ? NULL : psl_registrable_domain(suffixes, place->host);

    return (struct jar_site_view){rqv_str_from(domain ? domain : place->host), !domain};
}

/* RFC 6265bis 5.7, steps 7 to 10. A domain is the host's own or one above it, but never above its site. */
int jar_settle_domain(struct rqv_cookie *cookie, const struct jar_place *place,
                      const struct jar_site_view *site, char lower[RQV_HOST_MAX + 1], const char **ret_why)
{
    struct rqv_str host = rqv_str_from(place->host), domain = cookie->domain;

    if (domain.ptr) {
        if (domain.len > RQV_HOST_MAX)
            return refuse(ret_why, "the cookie's domain is longer than a host name");
        for (size_t i = 0; i < domain.len; i++) {
            if ((unsigned char)domain.ptr[i] >= 0x80)
                return refuse(ret_why, "the cookie's domain is not in its ASCII form");
            lower[i] = (char)rqv_ascii_lower((unsigned char)domain.ptr[i]);
        }
        domain.ptr = lower;
        if (!rqv_cookie_domain_match(host, place->is_address, domain))
            return refuse(ret_why, "the host is neither the cookie's domain nor below it");
        if (!rqv_cookie_domain_match(domain, place->is_address, site->name))
            return refuse(ret_why, "the cookie's domain is a public suffix, or above the one of the host");
    }
    /* An address and a public suffix have nothing below them: 5.7 step 9. */
    cookie->host_only = !domain.ptr || site->is_suffix;
    cookie->domain = domain.ptr ? domain : host;
    return 0;
}

int jar_place_of_line(struct jar_place *place, struct rqv_str domain, const char **ret_why)
{
    struct rqv_url url = {.scheme = RQV_SCHEME_HTTP};
    char text[RQV_HOST_MAX + 1], ascii[RQV_HOST_MAX + 1];

    if (domain.len > RQV_HOST_MAX)
        return refuse(ret_why, "the domain in the line is longer than a host name");
    *place = (struct jar_place){.secure = true};
    memcpy(text, domain.ptr, domain.len);
    text[domain.len] = '\0';
    if (rqv_addr_parse(text, domain.len, 0, &url.addr) && url.addr.family == 6) {
        inet_ntop(AF_INET6, url.addr.bytes, url.host, sizeof(url.host));
        url.host_len = strlen(url.host);
        url.host_type = RQV_HOST_IPV6;
    } else if (idn_to_ascii(text, ascii, sizeof(ascii)) < 0 ||
               rqv_url_set_host(&url, ascii, strlen(ascii), ret_why) < 0) {
        return refuse(ret_why, "the domain in the line is no host name");
    }
    put_host(place, &url);
    return 0;
}
