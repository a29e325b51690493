/* SPDX-License-Identifier: MIT */
/*
 * net_dns - a name server on 127.0.0.1 that lives on the test's own loop. The first label says what it
 * answers:
 *
 *   four  192.0.2.4          both  192.0.2.4 and 2001:db8::6      home  127.0.0.1        meta 169.254.169.254
 *   many  40 addresses       zero  192.0.2.4 with TTL 0           silent  nothing        all else: no such
 * name short 192.0.2.4 with TTL 7
 */
#ifndef RQV_TESTS_NET_DNS_H
#define RQV_TESTS_NET_DNS_H

#include "daemon/base/loop.h"

struct net_dns {
    struct loop_io io;
    int fd;
    char server[32]; /* "127.0.0.1:5353" */
    unsigned asked_a, asked_aaaa;
};
void net_dns_open(struct net_dns *dns, struct loop *loop);
void net_dns_close(struct net_dns *dns);

#endif
