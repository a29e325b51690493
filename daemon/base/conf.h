/* SPDX-License-Identifier: MIT */
/*
 * conf - the daemon's settings: one table of names, kinds, bounds and defaults (conf.c), read by libconfuse,
 * checked whole, shown by --dump-config. doc/man/reqivod.conf.5 holds the same table and a test compares
 * them.
 */
#ifndef DAEMON_BASE_CONF_H
#define DAEMON_BASE_CONF_H

#include "common/addr.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_NETS_MAX 64
#define CONF_AUTO     UINT32_MAX /* of a time that may be "auto" */

struct policies;

struct conf {
    char socket[108]; /* socket = "/run/reqivo/reqivo.sock" */
    char log_level[16];
    char ca_file[4096];         /* "" : the distribution's */
    bool on_demand;             /* not from the file: a program has started us */
    bool user_instance;         /* not from the file: set by main when it is not the system service */
    uint64_t policy_generation; /* nor this: how often a reload has changed what may be reached (K11) */

    /* log { access = off|errors|all } */
    char log_access[8];

    /* pool { } */
    uint32_t pool_connections;  /* 8 */
    uint32_t pool_idle_ms;      /* 60000 */
    uint32_t pool_age_ms;       /* 1800000 */
    uint32_t pool_uses;         /* 1000 */
    uint32_t pool_hold_down_ms; /* 1000 */
    uint32_t pool_waiters;      /* 4096 a pool */

    /* limits { } */
    uint64_t memory_uid, memory_total;           /* 64 MiB, 256 MiB */
    uint32_t peers_uid, peers_total;             /* 4096; total 0: from RLIMIT_NOFILE */
    uint32_t requests_uid, requests_total;       /* 8192, 32768 */
    uint32_t connections_uid, connections_total; /* 1024; total 0: from RLIMIT_NOFILE */
    uint64_t decoded_max;                        /* 16 GiB; 0: no limit; of one response */

    /* timeouts { } ms: queue, connect, tls, first_byte, stall, total (0: none) */
    uint32_t timeout_ms[6];  /* 30000 10000 10000 60000 60000 0 */
    uint32_t slow_reader_ms; /* 300000; 0: never */
    uint32_t drain_ms;       /* 10000 */
    uint32_t idle_exit_ms;   /* auto: 5min when a program has started us, else never; 0: never */
    uint32_t linger_ms;      /* 60000: what belongs to a uid dies that long after its last peer */

    /* dns { } */
    char dns_backend[16];                                                  /* "auto", "c-ares", "system" */
    uint32_t dns_ttl_max_s, dns_ttl_system_s, dns_entries, dns_timeout_ms; /* 60 5 1024 5000 */

    /* address_policy { loopback = auto|allow|refuse, private = allow|refuse, allow = {"169.254.1.0/24"}, deny
     * = {...} } */
    int8_t loopback; /* -1 auto (refused by the system service, open in a user instance), 0 refuse, 1 allow */
    bool private_open; /* true */
    struct rqv_net allow[CONF_NETS_MAX], deny[CONF_NETS_MAX];
    unsigned allow_count, deny_count;
    uint32_t loopback_uids[CONF_NETS_MAX]; /* loopback_users = {"www-data", "1000"} */
    unsigned loopback_uid_count;

    /* control { } */
    char control_socket[108]; /* "": beside `socket`; set by main */
    struct conf_member {
        uint32_t id;
        bool group;
    } admins[CONF_NETS_MAX]; /* admins = {"alice", "@adm"}, besides root and the daemon's own user */
    unsigned admin_count;

    /* metrics { listen = "127.0.0.1:9464", users = allow|refuse } */
    struct rqv_addr metrics_listen; /* a loopback address; family 0: nowhere */
    bool metrics_users;             /* the figures of each user, too */

    /* tls { insecure = auto|allow|refuse } verification off: refused in the system service unless allowed */
    int8_t insecure;

    /* partition "NAME" { } and policy "NAME" { }: a reference; NULL where there are none */
    struct policies *policies;
};

/* Is a request that has ended, well or not, written to the access log? */
static inline bool conf_logs_access(const struct conf *conf)
{
    return conf->log_access[0] != 'o';
}
static inline bool conf_logs_access_all(const struct conf *conf)
{
    return conf->log_access[0] == 'a';
}

void conf_defaults(struct conf *conf);
/* Reads `path` over the defaults. 0; -errno of open; -EINVAL with one line "file:line: section.option: what
 * is wrong, what to do" per error written to `errors` (NULL is fine), all errors, not only the first, where
 * the syntax allows. */
int conf_load(struct conf *conf, const char *path, FILE *errors);
void conf_done(struct conf *conf); /* what was loaded into it; harmless for the defaults */
void conf_dump(const struct conf *conf,
               FILE *out); /* effective settings in the file's own syntax; loading it gives the same */

#endif
