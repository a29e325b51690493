/* SPDX-License-Identifier: MIT */
/*
 * account - owns the table of accounts, what each has used, and the circle in which accounts with waiting
 * items are served.
 *
 *   ring:   uid 0 ──> uid 1000 ──> uid 33 ──> (round again)
 *             │           │           │
 *           items       items       items        each turn of the circle serves one item of each
 *
 * security.md B9-3, B9-6 (as design.md §8 has them) and B10-1.
 */
#include "daemon/base/account.h"

#include "daemon/base/conf.h"
#include "daemon/base/overload.h"
#include "daemon/base/policies.h"

#include <errno.h>
#include <reqivo/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)

static const size_t default_uid[ACCOUNT_KINDS] = {
    [ACCOUNT_MEMORY] = 64 * MIB, [ACCOUNT_OWED] = 4 * MIB, [ACCOUNT_REQUESTS] = 8192,
    [ACCOUNT_PEERS] = 4096,      [ACCOUNT_CONNS] = 1024,   [ACCOUNT_TRUSTS] = 8,
};
static const size_t default_all[ACCOUNT_KINDS] = {
    [ACCOUNT_MEMORY] = 224 * MIB, [ACCOUNT_OWED] = 32 * MIB, [ACCOUNT_REQUESTS] = 32768,
    [ACCOUNT_PEERS] = 16384,      [ACCOUNT_CONNS] = 16384,   [ACCOUNT_TRUSTS] = 256,
};

static struct account *account_of_node(struct rqv_map_node *node)
{
    return (struct account *)(void *)((char *)node - offsetof(struct account, node));
}

static void ring_leave(struct account *account)
{
    if (rqv_list_empty(&account->fair_node))
        return;
    rqv_list_remove(&account->fair_node);
    account->all->ring_count--;
}

/* ---- life ---- */

static void account_free(struct account *account)
{
    struct accounts *all = account->all;

    if (!rqv_list_empty(&account->idle_node)) {
        rqv_list_remove(&account->idle_node);
        all->idle_count--;
    }
    ring_leave(account);
    rqv_map_del(&all->map, &account->node);
    roll_leave(&all->everybody, &account->member);
    policies_release(&account->policies);
    free(account->partition);
    free(account);
}

static struct account *oldest_idle(struct accounts *all)
{
    struct rqv_list *node = rqv_list_first(&all->idle);

    return node ? RQV_LIST_OF(node, struct account, idle_node) : NULL;
}

static void on_idle_timer(void *owner)
{
    struct accounts *all = owner;
    uint64_t now_us = loop_now_us(all->loop);
    struct account *account;

    while ((account = oldest_idle(all)) && account->unused_since_us + all->linger_us <= now_us)
        account_free(account);
    if (account)
        loop_timer_at(&all->idle_timer, account->unused_since_us + all->linger_us);
}

/* The timer is left alone when it is set: it looks at the oldest then and sets itself again. */
static void account_rest(struct account *account)
{
    struct accounts *all = account->all;

    account->unused_since_us = loop_now_us(all->loop);
    rqv_list_append(&all->idle, &account->idle_node);
    if (++all->idle_count > ACCOUNTS_IDLE_MAX)
        account_free(oldest_idle(all));
    if (all->idle_timer.at_us == UINT64_MAX)
        loop_timer_at(&all->idle_timer, loop_now_us(all->loop) + all->linger_us);
}

static void rolls_init(struct roll rolls[ROLL_KINDS])
{
    for (int kind = 0; kind < ROLL_KINDS; kind++)
        roll_init(&rolls[kind]);
}

uint64_t account_id_of(const struct accounts *all, uid_t uid)
{
    const struct partition *partition = policies_partition(all->policies, uid);

    return partition ? partition->id : uid;
}

struct account *account_find(struct accounts *all, uid_t uid)
{
    struct rqv_map_node *node = rqv_map_get_id(&all->map, account_id_of(all, uid));

    return node ? account_of_node(node) : NULL;
}

struct account *account_ref(struct account *account)
{
    if (account->refs++ == 0) {
        rqv_list_remove(&account->idle_node);
        account->all->idle_count--;
    }
    return account;
}

static struct account *account_make(struct accounts *all, uid_t uid)
{
    const struct partition *partition = policies_partition(all->policies, uid);
    struct account *account = calloc(1, sizeof(*account));

    if (!account)
        return NULL;
    account->all = all;
    account->id = uid;
    account->uid = uid;
    if (partition) {
        account->id = partition->id;
        account->partition = strdup(partition->name);
        if (!account->partition) {
            free(account);
            return NULL;
        }
    }
    account->trusted = !partition && (uid == 0 || uid == all->own_uid);
    account->refs = 1;
    rqv_list_init(&account->fair_node);
    rqv_list_init(&account->fair_items);
    rqv_list_init(&account->idle_node);
    rqv_list_init(&account->idle_conns);
    rqv_list_init(&account->starved_pools);
    rqv_list_init(&account->starved_node);
    rqv_list_init(&account->bodies);
    rolls_init(account->rolls);
    return account;
}

int account_get(struct accounts *all, uid_t uid, struct account **ret_account)
{
    struct rqv_map_node *node = rqv_map_get_id(&all->map, account_id_of(all, uid));
    struct account *account;
    int rc;

    if (node) {
        *ret_account = account_ref(account_of_node(node));
        return 0;
    }
    account = account_make(all, uid);
    if (!account)
        return -ENOMEM;
    rc = rqv_map_put_id(&all->map, &account->node, account->id);
    if (rc < 0) {
        free(account->partition);
        free(account);
        return rc;
    }
    roll_join(&all->everybody, &account->member, account);
    account_configure(account);
    *ret_account = account;
    return 0;
}

void account_release(struct account **account)
{
    struct account *one = *account;

    *account = NULL;
    if (one && --one->refs == 0)
        account_rest(one);
}

/* ---- charging ---- */

static int limit_code(enum account_kind kind)
{
    switch (kind) {
    case ACCOUNT_MEMORY:
    case ACCOUNT_OWED:
        return REQIVO_E_LIMIT_MEMORY;
    case ACCOUNT_PEERS:
        return REQIVO_E_LIMIT_PEERS;
    case ACCOUNT_TRUSTS:
        return REQIVO_E_LIMIT_TRUST;
    case ACCOUNT_REQUESTS:
    case ACCOUNT_CONNS:
    case ACCOUNT_KINDS:
        break;
    }
    return REQIVO_E_LIMIT_REQUESTS;
}

static bool fits(size_t used, size_t limit, size_t n)
{
    return used <= limit && n <= limit - used;
}

bool account_leaves_share(const struct account *account, const struct account_total *of, size_t n)
{
    size_t total = of->limit;

    if (!account->trusted)
        total -= total / account->all->kept;
    return fits(of->used, total, n) &&
           (account->trusted ||
            of->mine + n <= total - of->used - n + 1); /* + 1: the last one may be taken */
}

size_t account_limit(const struct account *account, enum account_kind kind)
{
    return account->limit[kind] ? account->limit[kind] : account->all->limit_uid[kind];
}

int account_check(const struct account *account, enum account_kind kind, size_t n)
{
    const struct accounts *all = account->all;
    struct account_total of = {account->used[kind], all->used[kind], all->limit_all[kind]};

    if ((kind == ACCOUNT_REQUESTS && overload_refuses(account, OVERLOAD_REQUESTS)) ||
        (kind == ACCOUNT_PEERS && overload_refuses(account, OVERLOAD_PROGRAMS)))
        return REQIVO_E_OVERLOADED;
    if (fits(of.mine, account_limit(account, kind), n) && account_leaves_share(account, &of, n))
        return 0;
    return limit_code(kind);
}

int account_charge(struct account *account, enum account_kind kind, size_t n)
{
    int rc = account_check(account, kind, n);

    if (rc < 0) {
        account->refused[kind]++;
        account->all->refused[kind]++;
        return rc;
    }
    account->used[kind] += n;
    account->all->used[kind] += n;
    if (overload_watches(account->all, kind))
        overload_look(account->all, kind);
    if (kind == ACCOUNT_MEMORY && account->used[kind] > account->peak_memory)
        account->peak_memory = account->used[kind];
    return 0;
}

const char *account_refusal(int code)
{
    return code == REQIVO_E_OVERLOADED
               ? "the daemon is overloaded, and the user holds much of it: try again later"
               : "the user has too many requests in flight";
}

/* Giving back more than was charged is a breach of our own books; going on would let the limit wrap (B11-9).
 */
void account_refund(struct account *account, enum account_kind kind, size_t n)
{
    if (n > account->used[kind] || n > account->all->used[kind])
        abort();
    account->used[kind] -= n;
    account->all->used[kind] -= n;
    if (account->all->overload.step[kind] != 0)
        overload_look(account->all, kind);
}

/* The pools hold the account on, so this is where its linger time begins (origins.c). */
void account_peer_gone(struct account *account)
{
    account_refund(account, ACCOUNT_PEERS, 1);
    if (account->used[ACCOUNT_PEERS] == 0)
        account->unused_since_us = loop_now_us(account->all->loop);
}

/* ---- who is there ---- */

void account_roll_join(struct account *account, enum account_roll kind, struct roll_entry *entry, void *thing)
{
    roll_join(&account->rolls[kind], &entry->own, thing);
    roll_join(&account->all->rolls[kind], &entry->all, thing);
}

void account_roll_leave(struct account *account, enum account_roll kind, struct roll_entry *entry)
{
    roll_leave(&account->rolls[kind], &entry->own);
    roll_leave(&account->all->rolls[kind], &entry->all);
}

/* ---- fair turns ---- */

static void ring_join(struct account *account)
{
    struct accounts *all = account->all;

    rqv_list_append(&all->ring, &account->fair_node);
    if (all->ring_count++ == 0 && !all->serving)
        loop_task_queue(all->loop, &all->task, LOOP_SERVE);
}

void fair_item_init(struct fair_item *item, struct account *account, bool (*fn)(void *owner), void *owner)
{
    rqv_list_init(&item->node);
    item->account = account;
    item->fn = fn;
    item->owner = owner;
}

void fair_queue(struct fair_item *item)
{
    if (!rqv_list_empty(&item->node))
        return;
    rqv_list_append(&item->account->fair_items, &item->node);
    if (rqv_list_empty(&item->account->fair_node))
        ring_join(item->account);
}

void fair_serve(struct fair_item *item)
{
    struct accounts *all = item->account->all;
    uint64_t turn = loop_turn(all->loop);

    if (all->direct_turn != turn) {
        all->direct_turn = turn;
        all->direct = 0;
    }
    if (all->behind || all->direct >= ACCOUNTS_DIRECT || !rqv_list_empty(&item->node)) {
        fair_queue(item);
        return;
    }
    all->direct++;
    if (item->fn(item->owner))
        fair_queue(item);
}

void fair_drop(struct fair_item *item)
{
    if (rqv_list_empty(&item->node))
        return;
    rqv_list_remove(&item->node);
    if (rqv_list_empty(&item->account->fair_items))
        ring_leave(item->account);
}

void fair_spend(struct fair_item *item, unsigned items)
{
    item->account->all->spent += items;
}

/* Serves one item of the account at the front of the ring, and puts the account at the tail when it has more.
 * The item may free itself and drop the last reference to its account, so the account is held meanwhile. */
static void serve_one(struct account *account)
{
    struct fair_item *item = RQV_LIST_OF(rqv_list_first(&account->fair_items), struct fair_item, node);

    rqv_list_remove(&item->node);
    account->refs++;
    if (item->fn(item->owner))
        fair_queue(item);
    if (rqv_list_empty(&account->fair_items)) {
        ring_leave(account);
    } else {
        rqv_list_remove(&account->fair_node);
        rqv_list_append(&account->all->ring, &account->fair_node);
    }
    account_release(&account);
}

/* After `done` items. The circle goes round once in any case: it held `least` accounts at first. */
static bool turn_goes_on(const struct accounts *all, size_t done, size_t least)
{
    if (done < least)
        return true;
    if (done + all->spent >= all->budget)
        return false;
    return done % ACCOUNTS_CLOCK != 0 || loop_spent_us(all->loop) < all->turn_us;
}

static void on_fair_task(void *owner)
{
    struct accounts *all = owner;
    struct rqv_list *node;
    size_t least = all->ring_count;

    all->spent = 0;
    all->serving = true;
    for (size_t done = 0; (node = rqv_list_first(&all->ring)) && turn_goes_on(all, done, least); done++)
        serve_one(RQV_LIST_OF(node, struct account, fair_node));
    all->serving = false;
    all->behind = all->ring_count > 0;
    if (all->behind)
        loop_task_queue(all->loop, &all->task, LOOP_SERVE);
}

/* ---- all accounts ---- */

int accounts_init(struct accounts *all, struct loop *loop, const uint64_t hash_key[2])
{
    memset(all, 0, sizeof(*all));
    all->loop = loop;
    all->own_uid = geteuid();
    rqv_map_init(&all->map, hash_key);
    memcpy(all->limit_uid, default_uid, sizeof(all->limit_uid));
    memcpy(all->limit_all, default_all, sizeof(all->limit_all));
    rolls_init(all->rolls);
    roll_init(&all->everybody);
    rqv_list_init(&all->ring);
    rqv_list_init(&all->idle);
    loop_task_init(&all->task, on_fair_task, all);
    loop_timer_init(&all->idle_timer, loop, on_idle_timer, all);
    all->budget = ACCOUNTS_BUDGET;
    all->turn_us = ACCOUNTS_TURN_US;
    all->linger_us = UINT64_C(60000000);
    all->kept = ACCOUNTS_KEPT;
    return 0;
}

void accounts_done(struct accounts *all)
{
    struct rqv_map_node *node;

    loop_task_drop(&all->task);
    loop_timer_stop(&all->idle_timer);
    while ((node = rqv_map_first(&all->map)))
        account_free(account_of_node(node));
    rqv_map_done(&all->map);
    policies_release(&all->policies);
}

/* Peers get what they ask for first, but always leave an eighth of the descriptors to connections, and the
 * other way round; a total that follows RLIMIT_NOFILE is half of them, or what the other one leaves. */
static bool share_descriptors(struct accounts *all, const struct conf *conf, uint64_t available)
{
    uint64_t least = available / 8 ? available / 8 : 1;
    uint64_t peers = conf->peers_total, conns = conf->connections_total;

    if (!peers)
        peers = conns && conns < available - least ? available - conns : available / 2;
    if (peers > available - least)
        peers = available - least;
    if (!conns || conns > available - peers)
        conns = available - peers;
    all->limit_all[ACCOUNT_PEERS] = (size_t)peers;
    all->limit_all[ACCOUNT_CONNS] = (size_t)conns;
    return peers >= conf->peers_total && conns >= conf->connections_total;
}

bool accounts_configure(struct accounts *all, const struct conf *conf, uint64_t nofile)
{
    uint64_t available = nofile > ACCOUNTS_FD_RESERVE + 16 ? nofile - ACCOUNTS_FD_RESERVE : 16;

    all->limit_uid[ACCOUNT_MEMORY] = (size_t)conf->memory_uid;
    all->limit_uid[ACCOUNT_OWED] = account_owed((size_t)conf->memory_uid);
    all->limit_all[ACCOUNT_OWED] = (size_t)conf->memory_total / 8;
    all->limit_all[ACCOUNT_MEMORY] = (size_t)conf->memory_total - all->limit_all[ACCOUNT_OWED];
    all->limit_uid[ACCOUNT_REQUESTS] = conf->requests_uid;
    all->limit_all[ACCOUNT_REQUESTS] = conf->requests_total;
    all->limit_uid[ACCOUNT_PEERS] = conf->peers_uid;
    all->limit_uid[ACCOUNT_CONNS] = conf->connections_uid;
    all->linger_us = (uint64_t)conf->linger_ms * 1000u;
    all->conf = conf;
    policies_release(&all->policies);
    all->policies = policies_ref(conf->policies);
    for (struct rqv_map_node *node = rqv_map_first(&all->map); node; node = rqv_map_next(node))
        account_configure(account_of_node(node));
    return share_descriptors(all, conf, available);
}
