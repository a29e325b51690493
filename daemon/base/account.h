/* SPDX-License-Identifier: MIT */
/*
 * account - what a uid, or all users of a configured partition together, hold of the daemon: memory,
 * requests, connections to us (peers), upstream connections, trust sets. Everything that a peer or a server
 * can size is charged here before it is made. An account dies a set time after its last use; `struct
 * accounts` holds the totals and the limits. Also: fair turns over uids.
 *
 *   a total:  |-- uid A --|- uid B -|-C-|---- left: as much as the last to take has, or more ----| kept |
 *                                                                                         for root --^
 *
 *   account: made ── refs > 0 ──(last release)──> idle list, oldest first ──(linger_us, or too many)──> freed
 *                       ^──────────(account_get)──────────┘
 */
#ifndef DAEMON_BASE_ACCOUNT_H
#define DAEMON_BASE_ACCOUNT_H

#include "common/list.h"
#include "common/map.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/base/roll.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors that are nobody's connection: epoll, eventfds, the listeners, the log, DNS, files being read,
 * and the peers of the control socket and of the metrics. */
#define ACCOUNTS_FD_RESERVE 112
#define ACCOUNTS_BUDGET     64   /* items a turn */
#define ACCOUNTS_TURN_US    2000 /* no further item once the turn has lasted so long ... */
#define ACCOUNTS_CLOCK      4    /* ... which is looked at after so many items */
#define ACCOUNTS_DIRECT     8    /* items a turn that need not stand in the circle when it was emptied */
#define ACCOUNTS_IDLE_MAX   1024 /* accounts kept although nobody uses them */
#define ACCOUNTS_KEPT       16   /* accounts->kept at first */
#define ACCOUNT_OWED_LEAST  ((size_t)512 * 1024)

struct conf;
struct policies;
struct policy;

enum account_kind {
    ACCOUNT_MEMORY,
    ACCOUNT_OWED, /* memory too: frames that a program must get when it has no other left (queue.h) */
    ACCOUNT_REQUESTS,
    ACCOUNT_PEERS,
    ACCOUNT_CONNS,
    ACCOUNT_TRUSTS,
    ACCOUNT_KINDS
};

/* What reqivoctl lists: each is on the roll of its account and on that of all. */
enum account_roll { ROLL_POOLS, ROLL_WEBSOCKETS, ROLL_PROGRAMS, ROLL_REQUESTS, ROLL_WAITERS, ROLL_KINDS };
struct roll_entry {
    struct roll_node own, all;
};

struct account {
    struct rqv_map_node node;
    struct accounts *all;
    uint64_t id;     /* K1 of the pool key: the uid, or the partition's id, which is above all uids */
    uid_t uid;       /* of a partition: one of its users */
    char *partition; /* its name; NULL: the user's own */
    bool trusted;    /* root or the daemon's own user, outside of partitions */
    /* account_policy.c: what the configuration says of it */
    const struct policy *policy; /* NULL: no policy is on it */
    struct policies *policies;   /* a reference: policy is in there */
    size_t limit[ACCOUNT_KINDS]; /* 0: as accounts->limit_uid */
    uint64_t reach;              /* a hash of which addresses may be dialled */
    uint32_t reach_generation;   /* K11: counts its changes */
    uint64_t rate_us;            /* when the requests so far would have been spread out evenly */
    size_t used[ACCOUNT_KINDS];
    size_t peak_memory;
    uint64_t refused[ACCOUNT_KINDS];
    uint64_t requests, errors, received_bytes; /* so far: requests begun and failed, bytes of responses */
    struct roll_node member;                   /* of all->everybody */
    unsigned refs;                             /* peers, exchanges, conns that point here */
    struct rqv_list fair_node;                 /* in accounts->ring while it has ready items */
    struct rqv_list fair_items;                /* its struct fair_item */
    uint64_t frames;                           /* of its programs that were served */
    /* of upstream/origins.c */
    struct rqv_list idle_conns;    /* oldest first */
    struct rqv_list starved_pools; /* they wait for a limit of connections */
    struct rqv_list starved_node;  /* in origins->starved while it has any */
    struct rqv_list idle_node;     /* in accounts->idle while refs == 0 */
    struct roll rolls[ROLL_KINDS];
    struct rqv_list bodies; /* exchanges that hold bytes of a request's body */
    unsigned silent;        /* peers that have had their turn, and no HELLO was in it */
    struct log_rate noise;  /* what the log says about him */
    uint64_t unused_since_us;
    uint64_t relieved_us; /* ipc.c: when it last looked for a body that may go, */
    bool relieved;        /* and whether there was one */
};

struct queue_pool;

struct accounts {
    struct queue_pool *queues; /* blocks for the queues charged to these accounts: queue.h */
    struct loop *loop;
    struct rqv_map map;
    size_t used[ACCOUNT_KINDS];
    size_t limit_uid[ACCOUNT_KINDS];
    size_t limit_all[ACCOUNT_KINDS];
    struct {
        bool off;                    /* small accounts of their own give nothing up */
        uint8_t step[ACCOUNT_KINDS]; /* that each total has reached */
        unsigned active;             /* bits: what is given up now */
    } overload;                      /* of overload.c */
    uint64_t refused[ACCOUNT_KINDS];
    struct roll everybody;     /* all accounts */
    uid_t own_uid;             /* whom the daemon runs as */
    const struct conf *conf;   /* as of accounts_configure(); NULL before */
    struct policies *policies; /* a reference */
    struct roll rolls[ROLL_KINDS];
    struct rqv_list ring; /* round robin */
    size_t ring_count;
    bool serving, behind; /* behind: the last turn did not empty it */
    struct loop_task task;
    unsigned budget;  /* items a turn */
    uint64_t turn_us; /* and how long it may have lasted when another one begins */
    uint64_t direct_turn;
    unsigned direct; /* items served by fair_serve in that turn */
    unsigned spent;  /* of the budget, by fair_spend() in this turn */
    struct rqv_list idle;
    size_t idle_count;
    struct loop_timer idle_timer;
    uint64_t linger_us;
    unsigned kept; /* one part of so many of each total is root's and the daemon's own user's */
};

int accounts_init(struct accounts *all, struct loop *loop, const uint64_t hash_key[2]);
void accounts_done(struct accounts *all); /* every reference must have been released */

/* Takes the limits, the linger time and the policies; again when the configuration was replaced: then each
 * account that there is comes under what now holds for it. `conf` must stay until the next call. What is left
 * of `nofile` (RLIMIT_NOFILE) after ACCOUNTS_FD_RESERVE is shared by peers and connections: a total of 0
 * follows it, a larger one is cut. Returns false when a total that was asked for was cut. */
bool accounts_configure(struct accounts *all, const struct conf *conf, uint64_t nofile);

/* The account of a uid, or of its partition, made on first use, with one reference taken; -ENOMEM. */
int account_get(struct accounts *all, uid_t uid, struct account **ret_account);
struct account *account_ref(struct account *account);
void account_release(struct account **account);
struct account *account_find(struct accounts *all, uid_t uid); /* without a reference; NULL: there is none */
/* Which account a new program of that uid would have: another one, once the configuration has moved the user.
 */
uint64_t account_id_of(const struct accounts *all, uid_t uid);

/* 0, or the REQIVO_E_LIMIT_* of the kind (_REQUESTS for ACCOUNT_CONNS, which has none of its own): over the
 * uid's limit, the total, or the uid's share: after the charge at least as much must be left as the uid then
 * holds, so that few cannot take all. The last `kept`-th of a total is left out of that. Root and the
 * daemon's own user have all of the total and no share. REQIVO_E_OVERLOADED: none of these yet, but
 * overload.h refuses new requests or programs. */
int account_charge(struct account *account, enum account_kind kind, size_t n);
/* Why a request was not charged, for its program. */
const char *account_refusal(int code);
/* What account_charge of n would answer, without charging and without counting a refusal. */
int account_check(const struct account *account, enum account_kind kind, size_t n);
/* The same rule of shares and of what is kept, for n more of something that is counted elsewhere. */
struct account_total {
    size_t mine, used, limit; /* the account's, of all, of all at most */
};
bool account_leaves_share(const struct account *account, const struct account_total *of, size_t n);
void account_refund(struct account *account, enum account_kind kind, size_t n);
size_t account_limit(const struct account *account, enum account_kind kind);
/* Behind a text about a limit that has no room for n more: " (policy "NAME": requests = 2)" when it is the
 * policy's own, else "". Returns `text`. */
#define ACCOUNT_LIMITED_MAX 128
const char *account_limited_by(const struct account *account, enum account_kind kind, size_t n,
                               char text[ACCOUNT_LIMITED_MAX]);
/* ACCOUNT_OWED that goes with a limit of memory. */
static inline size_t account_owed(size_t memory)
{
    return memory / 16 > ACCOUNT_OWED_LEAST ? memory / 16 : ACCOUNT_OWED_LEAST;
}

/* requests_per_second: 0 and one more is counted, or REQIVO_E_LIMIT_RATE and in how many us it may come. As
 * many as are allowed in a second may come at once. account_rate_owe() counts one that cannot be refused any
 * more: what comes after it waits the longer. */
int account_rate(struct account *account, uint64_t now_us, uint64_t *ret_wait_us);
void account_rate_owe(struct account *account, uint64_t now_us);
/* A new account, or one whose configuration was replaced: account_policy.c */
void account_configure(struct account *account);

/* Refunds one of ACCOUNT_PEERS; after the last, what the uid keeps goes in its linger time. */
void account_peer_gone(struct account *account);

void account_roll_join(struct account *account, enum account_roll kind, struct roll_entry *entry,
                       void *thing);
void account_roll_leave(struct account *account, enum account_roll kind, struct roll_entry *entry);

static inline size_t account_memory(const size_t used[ACCOUNT_KINDS]) /* of one, or of all */
{
    return used[ACCOUNT_MEMORY] + used[ACCOUNT_OWED];
}

/* ---- fair turns: an item is somebody with work waiting (a peer or a server that can be read, a pool with
 * something to match). Each turn of the loop serves the accounts in a circle, one item of each at a time,
 * until the turn's budget of items or of time is spent, and at least one item of each account; fn does a
 * bounded piece and returns true when it has more, which puts it at its account's tail; when it returns false
 * it may have freed the item. What is queued before the SERVE phase, or within it, is served in this turn if
 * the budget lasts. ---- */
struct fair_item {
    struct rqv_list node;
    struct account *account;
    bool (*fn)(void *owner);
    void *owner;
};
void fair_item_init(struct fair_item *item, struct account *account, bool (*fn)(void *owner), void *owner);
void fair_queue(struct fair_item *item); /* no effect when queued */
/* The same for one whose fn may run within this call. It does when the last turn of the loop has left nobody
 * waiting, for the first few of a turn. */
void fair_serve(struct fair_item *item);
void fair_drop(struct fair_item *item);
/* From within fn: this piece was as much work as `items` more, and the turn ends so much sooner. */
void fair_spend(struct fair_item *item, unsigned items);

#endif
