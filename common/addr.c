/* SPDX-License-Identifier: MIT */
/* addr - addresses from text and sockaddr and back, and prefixes. What an address means is in addr_zone.c. */
#include "common/addr.h"

#include "common/str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Only these addresses are ambiguous without a zone index (RFC 4007); elsewhere it would make one address two
 * keys. */
static bool takes_zone(const uint8_t *v6)
{
    return v6[0] == 0xff || (v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80);
}

/* Decimal, without leading zeros, not 0: one spelling per zone. */
static bool parse_zone(struct rqv_str text, uint32_t *ret_zone)
{
    uint64_t zone;

    if (!rqv_str_u64(text, &zone) || text.ptr[0] == '0' || zone > UINT32_MAX)
        return false;
    *ret_zone = (uint32_t)zone;
    return true;
}

bool rqv_addr_parse(const char *text, size_t len, uint16_t port, struct rqv_addr *ret_addr)
{
    struct rqv_addr addr = {.port = port};
    struct rqv_str rest = {text, len}, part;
    char copy[INET6_ADDRSTRLEN];

    if (len == 0 || !rqv_str_split(&rest, '%', &part) || part.len >= sizeof(copy) ||
        memchr(part.ptr, '\0', part.len))
        return false;
    memcpy(copy, part.ptr, part.len);
    copy[part.len] = '\0';
    if (inet_pton(AF_INET, copy, addr.bytes) == 1)
        addr.family = 4;
    else if (inet_pton(AF_INET6, copy, addr.bytes) == 1)
        addr.family = 6;
    else
        return false;
    if (rest.ptr) {
        if (addr.family != 6 || !takes_zone(addr.bytes) || !parse_zone(rest, &addr.scope_id))
            return false;
    }
    *ret_addr = addr;
    return true;
}

bool rqv_addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct rqv_addr *ret_addr)
{
    struct rqv_addr addr = {0};
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    if (len < sizeof(in4)) /* the smaller of the two; also holds sa_family */
        return false;
    if (sa->sa_family == AF_INET) {
        memcpy(&in4, sa, sizeof(in4));
        addr.family = 4;
        addr.port = ntohs(in4.sin_port);
        memcpy(addr.bytes, &in4.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6 && len >= sizeof(in6)) {
        memcpy(&in6, sa, sizeof(in6));
        addr.family = 6;
        addr.port = ntohs(in6.sin6_port);
        memcpy(addr.bytes, &in6.sin6_addr, 16);
        if (takes_zone(addr.bytes))
            addr.scope_id = in6.sin6_scope_id;
    } else {
        return false;
    }
    *ret_addr = addr;
    return true;
}

socklen_t rqv_addr_to_sockaddr(const struct rqv_addr *addr, struct sockaddr_storage *ret_sa)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};

    if (addr->family == 4) {
        memcpy(&in4.sin_addr, addr->bytes, 4);
        memcpy(ret_sa, &in4, sizeof(in4));
        return sizeof(in4);
    }
    if (addr->family == 6) {
        memcpy(&in6.sin6_addr, addr->bytes, 16);
        in6.sin6_scope_id = addr->scope_id;
        memcpy(ret_sa, &in6, sizeof(in6));
        return sizeof(in6);
    }
    return 0;
}

bool rqv_addr_eq(const struct rqv_addr *a, const struct rqv_addr *b)
{
    return a->family == b->family && a->port == b->port && a->scope_id == b->scope_id &&
           memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void rqv_addr_format(const struct rqv_addr *addr, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";

    if (size == 0)
        return;
    if (addr->family == 4) {
        inet_ntop(AF_INET, addr->bytes, host, sizeof(host));
        snprintf(text, size, "%s:%u", host, (unsigned)addr->port);
    } else if (addr->family == 6) {
        inet_ntop(AF_INET6, addr->bytes, host, sizeof(host));
        if (addr->scope_id)
            snprintf(text, size, "[%s%%%u]:%u", host, (unsigned)addr->scope_id, (unsigned)addr->port);
        else
            snprintf(text, size, "[%s]:%u", host, (unsigned)addr->port);
    } else {
        text[0] = '\0';
    }
}

/* Are the first `bits` bits equal? */
static bool prefix_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* Is every bit from `bits` on zero? */
static bool tail_is_zero(const uint8_t *bytes, unsigned bits)
{
    uint8_t cut[16] = {0};

    memcpy(cut, bytes, bits / 8);
    if (bits % 8)
        cut[bits / 8] = (uint8_t)(bytes[bits / 8] & (0xff << (8 - bits % 8)));
    return memcmp(cut, bytes, 16) == 0;
}

bool rqv_net_parse(const char *text, struct rqv_net *ret_net)
{
    struct rqv_str rest = rqv_str_from(text), part;
    struct rqv_net net = {0};
    uint64_t bits, width;

    if (!rqv_str_split(&rest, '/', &part) || !rqv_addr_parse(part.ptr, part.len, 0, &net.base) ||
        net.base.scope_id)
        return false;
    bits = width = net.base.family == 4 ? 32 : 128;
    if (rest.ptr && (!rqv_str_u64(rest, &bits) || bits > width))
        return false;
    if (!tail_is_zero(net.base.bytes, (unsigned)bits))
        return false;
    net.bits = (uint8_t)bits;
    *ret_net = net;
    return true;
}

bool rqv_net_contains(const struct rqv_net *net, const struct rqv_addr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    const uint8_t *bytes = addr->bytes;

    if (net->base.family == 0 || addr->family == 0)
        return false;
    if (net->base.family == 4 && addr->family == 6) {
        if (memcmp(bytes, mapped, 12) != 0 && memcmp(bytes, nat64, 12) != 0)
            return false;
        bytes += 12;
    } else if (net->base.family != addr->family) {
        return false;
    }
    return prefix_eq(net->base.bytes, bytes, net->bits);
}
