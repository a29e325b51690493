/* SPDX-License-Identifier: MIT */
/* net_dns - RFC 1035 as far as one question and its answers need it. */
#include "tests/lib/net_dns.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TYPE_A    1
#define TYPE_AAAA 28

struct reply {
    uint8_t bytes[4096];
    size_t len;
    unsigned count;
};

static void put16(struct reply *reply, unsigned value)
{
    reply->bytes[reply->len++] = (uint8_t)(value >> 8);
    reply->bytes[reply->len++] = (uint8_t)value;
}

static void put_answer(struct reply *reply, unsigned type, unsigned ttl_s, const void *data)
{
    size_t len = type == TYPE_A ? 4 : 16;

    put16(reply, 0xc00c); /* the name of the question */
    put16(reply, type);
    put16(reply, 1);
    put16(reply, 0);
    put16(reply, ttl_s);
    put16(reply, (unsigned)len);
    memcpy(reply->bytes + reply->len, data, len);
    reply->len += len;
    reply->count++;
}

static bool is_label(const uint8_t *name, const char *label)
{
    return name[0] == strlen(label) && memcmp(name + 1, label, name[0]) == 0;
}

static void put_v4(struct reply *reply, unsigned type, unsigned ttl_s, const char *text)
{
    struct in_addr addr;

    if (type == TYPE_A && inet_pton(AF_INET, text, &addr) == 1)
        put_answer(reply, TYPE_A, ttl_s, &addr);
}

/* False: no such name. */
static bool answer(struct reply *reply, const uint8_t *name, unsigned type)
{
    struct in6_addr v6;
    char text[32];

    if (is_label(name, "four") || is_label(name, "both")) {
        put_v4(reply, type, 300, "192.0.2.4");
    } else if (is_label(name, "short")) {
        put_v4(reply, type, 7, "192.0.2.4");
    } else if (is_label(name, "zero")) {
        put_v4(reply, type, 0, "192.0.2.4");
    } else if (is_label(name, "home")) {
        put_v4(reply, type, 300, "127.0.0.1");
    } else if (is_label(name, "meta")) {
        put_v4(reply, type, 300, "169.254.169.254");
    } else if (is_label(name, "many")) {
        for (int i = 1; i <= 40; i++) {
            snprintf(text, sizeof(text), "192.0.2.%d", i);
            put_v4(reply, type, 300, text);
        }
    } else {
        return false;
    }
    if (is_label(name, "both") && type == TYPE_AAAA && inet_pton(AF_INET6, "2001:db8::6", &v6) == 1)
        put_answer(reply, TYPE_AAAA, 300, &v6);
    return true;
}

static void on_question(void *owner, unsigned events)
{
    struct net_dns *dns = owner;
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    struct reply reply = {.len = 0};
    ssize_t n = recvfrom(dns->fd, reply.bytes, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
    size_t at = 12;
    unsigned type;
    bool known;

    (void)events;
    if (n < 17)
        return;
    while (at < (size_t)n && reply.bytes[at])
        at += reply.bytes[at] + 1u;
    type = reply.bytes[at + 2];
    reply.len = at + 5; /* additional records are not repeated */
    dns->asked_a += type == TYPE_A;
    dns->asked_aaaa += type == TYPE_AAAA;
    if (is_label(reply.bytes + 12, "silent"))
        return;
    known = answer(&reply, reply.bytes + 12, type);
    reply.bytes[2] = 0x81;
    reply.bytes[3] = known ? 0x80 : 0x83;
    memset(reply.bytes + 4, 0, 8);
    reply.bytes[5] = 1;
    reply.bytes[7] = (uint8_t)reply.count;
    sendto(dns->fd, reply.bytes, reply.len, 0, (struct sockaddr *)&from, from_len);
}

void net_dns_open(struct net_dns *dns, struct loop *loop)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);

    memset(dns, 0, sizeof(*dns));
    dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(dns->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    ck_assert_int_eq(getsockname(dns->fd, (struct sockaddr *)&sin, &len), 0);
    snprintf(dns->server, sizeof(dns->server), "127.0.0.1:%u", ntohs(sin.sin_port));
    loop_io_init(&dns->io, loop, on_question, dns);
    loop_io_start(&dns->io, dns->fd, LOOP_READ);
}

void net_dns_close(struct net_dns *dns)
{
    loop_io_stop(&dns->io);
    close(dns->fd);
}
