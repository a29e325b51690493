/* SPDX-License-Identifier: MIT */
/* floor - the two sides of the floor relay that differ: how bytes go to and come from an upstream, plain or
 * TLS. */
#ifndef TESTS_BENCH_FLOOR_H
#define TESTS_BENCH_FLOOR_H

#include <netinet/in.h>
#include <openssl/types.h>
#include <stddef.h>
#include <sys/types.h>

struct upstream {
    int fd;
    SSL *ssl; /* NULL: plain */
    struct upstream *next_idle;
    struct client *client; /* whose response is under way, or NULL */
};

/* Waits until the descriptor is ready for `events` of poll(). */
void floor_wait(int fd, short events);

/* Connects; with a context also shakes hands for `localhost`. Ends the program on failure. */
struct upstream *upstream_open(const struct sockaddr_in *address, SSL_CTX *context);
/* Writes all, waiting for room. */
void upstream_write(struct upstream *up, const char *bytes, size_t size);
/* Fills the buffer as far as bytes are there. 0: none now; -1: the end. */
ssize_t upstream_read(struct upstream *up, char *bytes, size_t size);

#endif
