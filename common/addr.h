/* SPDX-License-Identifier: MIT */
/*
 * addr - an IPv4 or IPv6 socket address as a value, its text, and the zone it lies in.
 * Text is read by inet_pton alone: octal, hexadecimal and short forms are not addresses here.
 */
#ifndef RQV_COMMON_ADDR_H
#define RQV_COMMON_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct rqv_addr {
    uint8_t family;    /* 4 or 6; 0 is "none" */
    uint16_t port;     /* host order */
    uint32_t scope_id; /* IPv6 zone index, else 0 */
    uint8_t bytes[16]; /* 4 or 16 used, network order, the rest zero */
};

/* Where an address leads. Embedded forms: v4-mapped is what it embeds, since the kernel dials exactly that;
 * NAT64 (64:ff9b::/96) of a public address is public, as DNS64 makes those; every other NAT64 address and
 * every v4-compatible, v4-translated, 6to4, Teredo and ISATAP one is reserved, whatever it embeds. IPv6
 * outside of 2000::/3, fc00::/7, fe80::/10 and ff00::/8 is reserved. */
enum rqv_zone {
    RQV_ZONE_PUBLIC = 0,
    RQV_ZONE_PRIVATE,     /* 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7 */
    RQV_ZONE_LOOPBACK,    /* 127/8, ::1 */
    RQV_ZONE_LINK_LOCAL,  /* 169.254/16, fe80::/10 */
    RQV_ZONE_METADATA,    /* 169.254.169.254 and .253, 100.100.100.200, 168.63.129.16; fd00:ec2::254,
                             fd20:ce::254,    fd00:c1::a9fe:a9fe */
    RQV_ZONE_MULTICAST,   /* 224/4, ff00::/8, 255.255.255.255 */
    RQV_ZONE_UNSPECIFIED, /* 0/8, :: */
    RQV_ZONE_RESERVED,    /* 240/4, 192.0.0/24, 192.88.99/24, documentation and benchmark nets, 2001::/23,
                             2002::/16 */
};

/* No brackets, no port. "%2" after a link-local or multicast IPv6 address is its zone index; names of
 * interfaces and zones of other addresses are refused. A sockaddr's zone index is dropped where it means
 * nothing. */
bool rqv_addr_parse(const char *text, size_t len, uint16_t port, struct rqv_addr *ret_addr);
bool rqv_addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct rqv_addr *ret_addr);
socklen_t rqv_addr_to_sockaddr(const struct rqv_addr *addr,
                               struct sockaddr_storage *ret_sa); /* 0 for "none" */
bool rqv_addr_eq(const struct rqv_addr *a, const struct rqv_addr *b);

/* "192.0.2.1:443", "[2001:db8::1]:443", "[fe80::1%2]:80"; always terminated; size >= RQV_ADDRESS_MAX of
 * err.h. */
void rqv_addr_format(const struct rqv_addr *addr, char *text, size_t size);

enum rqv_zone rqv_addr_zone(const struct rqv_addr *addr);
const char *rqv_zone_name(enum rqv_zone zone);

/* A prefix "10.0.0.0/8" as configuration names it; bits of the base beyond the prefix are an error. An IPv4
 * prefix also contains the v4-mapped and NAT64 forms of its addresses. Ports and zone indexes play no part.
 */
struct rqv_net {
    struct rqv_addr base;
    uint8_t bits;
};
bool rqv_net_parse(const char *text, struct rqv_net *ret_net); /* a bare address is a prefix of full length */
bool rqv_net_contains(const struct rqv_net *net, const struct rqv_addr *addr);

#endif
