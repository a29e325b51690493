/* SPDX-License-Identifier: MIT */
/* rule - see rule.h: reading one from the text of a configuration. Hosts go through the parser of URLs, so
 * that there is one judge of them. */
#include "proto/rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    struct rqv_str name;
    uint8_t bit;
} schemes[] = {
    {RQV_STR("http"), RQV_RULE_HTTP},
    {RQV_STR("https"), RQV_RULE_HTTPS},
    {RQV_STR("ws"), RQV_RULE_WS},
    {RQV_STR("wss"), RQV_RULE_WSS},
};

static int fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EINVAL;
}

static struct rqv_str from(struct rqv_str text, size_t at)
{
    return (struct rqv_str){text.ptr + at, text.len - at};
}

/* ---- methods and scheme ---- */

static int parse_methods(struct rqv_str *text, struct rqv_rule *rule, const char **ret_why)
{
    const char *space = memchr(text->ptr, ' ', text->len);
    struct rqv_str rest, one;

    if (!space)
        return 0;
    rest = (struct rqv_str){text->ptr, (size_t)(space - text->ptr)};
    rule->methods_len = (uint16_t)rest.len;
    while (rqv_str_split(&rest, ',', &one))
        if (!rqv_str_is_token(one) || memchr(one.ptr, '*', one.len))
            return fail(ret_why, "what stands before the space is not a list of methods, as in GET,HEAD; "
                                 "leave it out for all of them");
    *text = from(*text, rule->methods_len + 1u);
    if (memchr(text->ptr, ' ', text->len))
        return fail(ret_why, "there is more than one space in it");
    return 0;
}

static int parse_scheme(struct rqv_str *text, struct rqv_rule *rule, const char **ret_why)
{
    const char *colon = memmem(text->ptr, text->len, "://", 3);
    struct rqv_str name;

    rule->schemes = RQV_RULE_HTTP | RQV_RULE_HTTPS | RQV_RULE_WS | RQV_RULE_WSS;
    if (!colon)
        return 0;
    name = (struct rqv_str){text->ptr, (size_t)(colon - text->ptr)};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!rqv_str_eq_nocase(name, schemes[i].name))
            continue;
        rule->schemes = schemes[i].bit;
        *text = from(*text, name.len + 3);
        return 0;
    }
    return fail(ret_why, "the scheme is none of http, https, ws and wss");
}

/* ---- host ---- */

static int set_net(struct rqv_rule *rule, struct rqv_str text, const char **ret_why)
{
    char copy[64];

    if (text.len >= sizeof(copy))
        return fail(ret_why, "the address is too long");
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (!rqv_net_parse(copy, &rule->net))
        return fail(ret_why,
                    "the address or prefix is not valid, or has bits beyond its prefix; a path behind "
                    "an address is written as in 192.0.2.1/32/path");
    rule->host_kind = RQV_RULE_NET;
    return 0;
}

/* "192.0.2.1" or "10.0.0.0/8", up to its end, a port or a path; false when it does not begin with digits and
 * dots only. */
static bool take_ipv4(struct rqv_str *text, struct rqv_str *ret_net)
{
    struct rqv_addr addr;
    size_t len = 0, bits = 0;

    while (len < text->len && text->ptr[len] != '/' && text->ptr[len] != ':')
        len++;
    if (!rqv_addr_parse(text->ptr, len, 0, &addr))
        return false;
    if (len < text->len && text->ptr[len] == '/')
        while (len + 1 + bits < text->len && text->ptr[len + 1 + bits] >= '0' &&
               text->ptr[len + 1 + bits] <= '9')
            bits++;
    if (bits > 0 && (len + 1 + bits == text->len || strchr(":/", text->ptr[len + 1 + bits])))
        len += 1 + bits;
    *ret_net = (struct rqv_str){text->ptr, len};
    *text = from(*text, len);
    return true;
}

/* Also refuses a number in any other form than the usual one, and an upper-case or Unicode name gets the form
 * that URLs have. */
static int set_name(struct rqv_rule *rule, struct rqv_str name, const char **ret_why)
{
    bool below = name.len > 2 && memcmp(name.ptr, "*.", 2) == 0;
    char text[RQV_HOST_MAX + 16];
    struct rqv_url url;
    int len;

    if (below)
        name = from(name, 2);
    if (name.len == 0 || name.len > RQV_HOST_MAX - 1)
        return fail(ret_why, "there is no host in it, or one that is too long; '*' is every host");
    if (memchr(name.ptr, '*', name.len))
        return fail(ret_why, "'*' stands alone, or before a dot at the beginning of the host");
    len = snprintf(text, sizeof(text), "http://%.*s/", (int)name.len, name.ptr);
    if (rqv_url_parse(text, (size_t)len, &url, ret_why) < 0)
        return -EINVAL;
    if (url.host_type != RQV_HOST_NAME || url.port_given || url.userinfo.ptr || url.path.len != 1)
        return fail(ret_why, "the host is not a name in ASCII (as in xn--...), an address or '*'");
    snprintf(rule->host, sizeof(rule->host), "%s%s", below ? "." : "", url.host);
    rule->host_kind = below ? RQV_RULE_BELOW : RQV_RULE_NAME;
    return 0;
}

static int parse_host(struct rqv_str *text, struct rqv_rule *rule, const char **ret_why)
{
    struct rqv_str host;
    const char *end;

    if (text->len > 0 && text->ptr[0] == '[') {
        end = memchr(text->ptr, ']', text->len);
        if (!end || !memchr(text->ptr, ':', (size_t)(end - text->ptr)))
            return fail(ret_why, "brackets hold an IPv6 address or prefix, as in [2001:db8::/32]");
        host = (struct rqv_str){text->ptr + 1, (size_t)(end - text->ptr - 1)};
        *text = from(*text, host.len + 2);
        return set_net(rule, host, ret_why);
    }
    if (take_ipv4(text, &host))
        return set_net(rule, host, ret_why);
    host = (struct rqv_str){text->ptr, 0};
    while (host.len < text->len && text->ptr[host.len] != ':' && text->ptr[host.len] != '/')
        host.len++;
    *text = from(*text, host.len);
    rule->host_kind = RQV_RULE_ANY;
    return rqv_str_eq(host, RQV_STR("*")) ? 0 : set_name(rule, host, ret_why);
}

/* ---- port and path ---- */

static bool parse_number(struct rqv_str text, uint16_t *ret_port)
{
    uint64_t number;

    if (!rqv_str_u64(text, &number) || number == 0 || number > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)number;
    return true;
}

static int parse_port(struct rqv_str *text, struct rqv_rule *rule, const char **ret_why)
{
    struct rqv_str ports, low;
    size_t len = 0;

    rule->port_min = 0;
    rule->port_max = UINT16_MAX;
    if (text->len == 0 || text->ptr[0] != ':')
        return 0;
    while (len < text->len && text->ptr[len] != '/')
        len++;
    ports = (struct rqv_str){text->ptr + 1, len - 1};
    *text = from(*text, len);
    rqv_str_split(&ports, '-', &low);
    if (!parse_number(low, &rule->port_min))
        return fail(ret_why, "the port is not a number from 1 to 65535, or two with a '-'");
    rule->port_max = rule->port_min;
    if (ports.ptr && (!parse_number(ports, &rule->port_max) || rule->port_max < rule->port_min))
        return fail(ret_why, "the second port is not a number that follows the first");
    return 0;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A path that all servers read in the same way, so that there is nothing to explain. */
static int parse_path(struct rqv_str text, struct rqv_rule *rule, const char **ret_why)
{
    struct rqv_str rest, segment;
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int high = c == '%' && i + 2 < text.len ? hex(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex(text.ptr[i + 2]) : -1;

        if (high >= 0 && low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
            if (c == '/')
                return fail(ret_why, "the path has a slash in it that is encoded");
        }
        if ((unsigned char)c <= 0x20 || c == 0x7f || strchr("%?#\\;*", c))
            return fail(ret_why,
                        "the path has a character that a prefix of paths cannot have: a blank or one "
                        "of %?#\\;*");
        rule->path[len++] = c;
    }
    if (len > 0 && rule->path[len - 1] == '/')
        len--;
    rule->path[len] = '\0';
    rest = (struct rqv_str){rule->path + 1, len > 0 ? len - 1 : 0};
    while (len > 0 && rqv_str_split(&rest, '/', &segment))
        if (segment.len == 0 || rqv_str_eq(segment, RQV_STR(".")) || rqv_str_eq(segment, RQV_STR("..")))
            return fail(ret_why, "the path has a segment that is empty, '.' or '..'");
    return 0;
}

int rqv_rule_parse(struct rqv_str text, struct rqv_rule *ret_rule, const char **ret_why)
{
    struct rqv_rule *rule = ret_rule;

    memset(rule, 0, sizeof(*rule));
    if (text.len > RQV_RULE_MAX)
        return fail(ret_why, "the rule is longer than 511 bytes");
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return fail(ret_why, "there is a control character in it");
    memcpy(rule->text, text.ptr, text.len);
    if (parse_methods(&text, rule, ret_why) < 0 || parse_scheme(&text, rule, ret_why) < 0 ||
        parse_host(&text, rule, ret_why) < 0 || parse_port(&text, rule, ret_why) < 0)
        return -EINVAL;
    if (text.len > 0 && text.ptr[0] != '/')
        return fail(ret_why, "what stands behind the host is neither a port nor a path");
    return parse_path(text, rule, ret_why);
}
