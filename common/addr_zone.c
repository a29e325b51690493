/* SPDX-License-Identifier: MIT */
/*
 * addr_zone - where an address leads. The address policy of the daemon (design.md "Address policy", rule
 * B10-6) rests on this, so the tables are plain and the first match wins; what no row names is public for
 * IPv4, and reserved for IPv6 outside of the one block that is global unicast.
 */
#include "common/addr.h"

#include <string.h>

struct v4_row {
    uint32_t base;
    uint8_t bits, zone;
};

struct v6_row {
    uint8_t base[16];
    uint8_t bits, zone;
};

#define V4(a, b, c, d) (((uint32_t)(a) << 24) | ((b) << 16) | ((c) << 8) | (d))

/* clang-format off */
static const struct v4_row v4_rows[] = {
    /* single addresses first: they lie inside wider rows */
    {V4(169, 254, 169, 254), 32, RQV_ZONE_METADATA}, /* every large cloud */
    {V4(169, 254, 169, 253), 32, RQV_ZONE_METADATA}, /* its resolver, AWS */
    {V4(100, 100, 100, 200), 32, RQV_ZONE_METADATA}, /* Alibaba */
    {V4(168, 63, 129, 16), 32, RQV_ZONE_METADATA},   /* Azure's host; lies in public space */
    {V4(255, 255, 255, 255), 32, RQV_ZONE_MULTICAST},
    {V4(0, 0, 0, 0), 8, RQV_ZONE_UNSPECIFIED},       /* Linux dials this very host */
    {V4(10, 0, 0, 0), 8, RQV_ZONE_PRIVATE},          /* RFC 1918 */
    {V4(100, 64, 0, 0), 10, RQV_ZONE_PRIVATE},       /* RFC 6598 */
    {V4(127, 0, 0, 0), 8, RQV_ZONE_LOOPBACK},
    {V4(169, 254, 0, 0), 16, RQV_ZONE_LINK_LOCAL},   /* RFC 3927 */
    {V4(172, 16, 0, 0), 12, RQV_ZONE_PRIVATE},
    {V4(192, 0, 0, 0), 24, RQV_ZONE_RESERVED},       /* RFC 6890 */
    {V4(192, 0, 2, 0), 24, RQV_ZONE_RESERVED},       /* documentation, RFC 5737 */
    {V4(192, 88, 99, 0), 24, RQV_ZONE_RESERVED},     /* 6to4 relays, RFC 7526 */
    {V4(192, 168, 0, 0), 16, RQV_ZONE_PRIVATE},
    {V4(198, 18, 0, 0), 15, RQV_ZONE_RESERVED},      /* benchmarks, RFC 2544 */
    {V4(198, 51, 100, 0), 24, RQV_ZONE_RESERVED},
    {V4(203, 0, 113, 0), 24, RQV_ZONE_RESERVED},
    {V4(224, 0, 0, 0), 4, RQV_ZONE_MULTICAST},
    {V4(240, 0, 0, 0), 4, RQV_ZONE_RESERVED},
};

static const struct v6_row v6_rows[] = {
    {{0}, 128, RQV_ZONE_UNSPECIFIED},
    {{[15] = 1}, 128, RQV_ZONE_LOOPBACK},
    {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54}, 128, RQV_ZONE_METADATA},             /* AWS */
    {{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54}, 128, RQV_ZONE_METADATA},             /* Google */
    {{0xfd, 0x00, 0x00, 0xc1, [12] = 0xa9, 0xfe, 0xa9, 0xfe}, 128, RQV_ZONE_METADATA}, /* Oracle */
    {{0xfc}, 7, RQV_ZONE_PRIVATE},                       /* RFC 4193 */
    {{0xfe, 0x80}, 10, RQV_ZONE_LINK_LOCAL},
    {{0xff}, 8, RQV_ZONE_MULTICAST},
    {{0x20, 0x01}, 23, RQV_ZONE_RESERVED},               /* RFC 2928: Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, RQV_ZONE_RESERVED},   /* documentation, RFC 3849 */
    {{0x20, 0x02}, 16, RQV_ZONE_RESERVED},               /* 6to4, RFC 7526 */
    {{0x3f, 0xff}, 20, RQV_ZONE_RESERVED},               /* documentation, RFC 9637 */
};
/* clang-format on */

static enum rqv_zone v4_zone(const uint8_t *bytes)
{
    uint32_t addr = V4(bytes[0], bytes[1], bytes[2], bytes[3]);

    for (size_t i = 0; i < sizeof(v4_rows) / sizeof(v4_rows[0]); i++) {
        if ((addr ^ v4_rows[i].base) >> (32 - v4_rows[i].bits) == 0)
            return (enum rqv_zone)v4_rows[i].zone;
    }
    return RQV_ZONE_PUBLIC;
}

static bool v6_in(const uint8_t *bytes, const struct v6_row *row)
{
    unsigned whole = row->bits / 8, rest = row->bits % 8;

    return memcmp(bytes, row->base, whole) == 0 &&
           (rest == 0 || (bytes[whole] ^ row->base[whole]) >> (8 - rest) == 0);
}

/* ::ffff:a.b.c.d is dialled as IPv4. A NAT64 gateway (RFC 6052) dials what it finds inside from its own place
 * in the network: only a public address is the same from there. */
static bool embedded_zone(const uint8_t *bytes, enum rqv_zone *ret_zone)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t isatap[4] = {0x00, 0x00, 0x5e, 0xfe};
    uint8_t interface[4] = {(uint8_t)(bytes[8] & ~2), bytes[9], bytes[10], bytes[11]}; /* the u bit apart */

    if (memcmp(bytes, mapped, 12) == 0) {
        *ret_zone = v4_zone(bytes + 12);
        return true;
    }
    if (memcmp(bytes, nat64, 12) == 0) {
        *ret_zone = v4_zone(bytes + 12) == RQV_ZONE_PUBLIC ? RQV_ZONE_PUBLIC : RQV_ZONE_RESERVED;
        return true;
    }
    if (memcmp(interface, isatap, 4) == 0) { /* RFC 5214, under any prefix */
        *ret_zone = RQV_ZONE_RESERVED;
        return true;
    }
    return false;
}

static enum rqv_zone v6_zone(const uint8_t *bytes)
{
    enum rqv_zone zone;

    if (embedded_zone(bytes, &zone))
        return zone;
    for (size_t i = 0; i < sizeof(v6_rows) / sizeof(v6_rows[0]); i++) {
        if (v6_in(bytes, &v6_rows[i]))
            return (enum rqv_zone)v6_rows[i].zone;
    }
    return (bytes[0] & 0xe0) == 0x20 ? RQV_ZONE_PUBLIC : RQV_ZONE_RESERVED;
}

enum rqv_zone rqv_addr_zone(const struct rqv_addr *addr)
{
    if (addr->family == 4)
        return v4_zone(addr->bytes);
    if (addr->family == 6)
        return v6_zone(addr->bytes);
    return RQV_ZONE_UNSPECIFIED;
}

const char *rqv_zone_name(enum rqv_zone zone)
{
    switch (zone) {
    case RQV_ZONE_PUBLIC:
        return "public";
    case RQV_ZONE_PRIVATE:
        return "private";
    case RQV_ZONE_LOOPBACK:
        return "loopback";
    case RQV_ZONE_LINK_LOCAL:
        return "link-local";
    case RQV_ZONE_METADATA:
        return "metadata";
    case RQV_ZONE_MULTICAST:
        return "multicast";
    case RQV_ZONE_UNSPECIFIED:
        return "unspecified";
    case RQV_ZONE_RESERVED:
        return "reserved";
    }
    return "unknown";
}
