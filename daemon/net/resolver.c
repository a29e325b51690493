/* SPDX-License-Identifier: MIT */
/*
 * resolver - queries, and the lookups that they share.
 *
 *   query --start--> cache hit, localhost, nonsense ------------------------+
 *              \---> lookup (joined when the same name is under way) --+    |
 *                       back end answers, or the deadline strikes -----+----+--> done list --> WORK task -->
 * fn
 *
 * A lookup whose deadline struck, or whose queries are all gone, lives on until the back end has answered: it
 * still holds a thread or a socket, so it still counts against its user's share. security.md B10-5.
 */
#include "daemon/net/resolver.h"

#include "daemon/base/log.h"
#include "daemon/net/resolver_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_US UINT64_C(60000000)

struct resolver_share { /* lookups of one user at the back end */
    struct rqv_map_node node;
    size_t count;
};

/* ---- which back end ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One word of the hosts line: a service, or an action in brackets, which changes nothing about who is asked.
 */
static bool hosts_line_is_plain(const char *at, const char *end)
{
    while (at < end) {
        const char *word;
        size_t len;

        while (at < end && is_blank(*at))
            at++;
        if (at < end && *at == '[') {
            while (at < end && *at != ']')
                at++;
            at += at < end;
            continue;
        }
        for (word = at; at < end && !is_blank(*at) && *at != '['; at++)
            ;
        len = (size_t)(at - word);
        if (len && !(len == 5 && memcmp(word, "files", 5) == 0) && !(len == 3 && memcmp(word, "dns", 3) == 0))
            return false;
    }
    return true;
}

bool resolver_nsswitch_is_plain(const char *text)
{
    while (*text) {
        size_t line = strcspn(text, "\n");
        size_t used = strcspn(text, "#\n");
        const char *at = text;

        while (at < text + used && is_blank(*at))
            at++;
        if ((size_t)(text + used - at) >= 6 && memcmp(at, "hosts:", 6) == 0)
            return hosts_line_is_plain(at + 6, text + used);
        text += line + (text[line] == '\n');
    }
    return true;
}

static const struct resolver_backend *backend_choose(const char *wish)
{
    char text[8192];
    ssize_t n;
    int fd;

    if (strcmp(wish, "system") == 0)
        return &resolver_backend_system;
    if (strcmp(wish, "c-ares") == 0)
        return &resolver_backend_ares;
    fd = open("/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return &resolver_backend_ares;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return resolver_nsswitch_is_plain(text) ? &resolver_backend_ares : &resolver_backend_system;
}

/* ---- shares ---- */

static int share_take(struct resolver *resolver, const struct account *account)
{
    struct rqv_map_node *node = rqv_map_get_id(&resolver->shares, account->id);
    struct resolver_share *share = node ? RQV_LIST_OF(node, struct resolver_share, node) : NULL;
    struct account_total of = {share ? share->count : 0, resolver->pending, RESOLVER_ALL_LOOKUPS};

    if (of.mine >= RESOLVER_UID_LOOKUPS || !account_leaves_share(account, &of, 1))
        return REQIVO_E_LIMIT_REQUESTS;
    if (!share) {
        share = calloc(1, sizeof(*share));
        if (!share)
            return -ENOMEM;
        if (rqv_map_put_id(&resolver->shares, &share->node, account->id) != 0) {
            free(share);
            return -ENOMEM;
        }
    }
    share->count++;
    resolver->pending++;
    return 0;
}

static void share_return(struct resolver *resolver, uint64_t account)
{
    struct rqv_map_node *node = rqv_map_get_id(&resolver->shares, account);
    struct resolver_share *share;

    if (!node)
        return;
    share = RQV_LIST_OF(node, struct resolver_share, node);
    resolver->pending--;
    if (--share->count == 0) {
        rqv_map_del(&resolver->shares, node);
        free(share);
    }
}

/* ---- lookups ---- */

static void lookup_unjoin(struct resolver_lookup *lookup)
{
    if (lookup->joinable)
        rqv_map_del(&lookup->resolver->lookups, &lookup->node);
    lookup->joinable = false;
}

static void lookup_free(struct resolver_lookup *lookup)
{
    lookup_unjoin(lookup);
    loop_timer_stop(&lookup->deadline);
    rqv_list_remove(&lookup->all_node);
    rqv_list_remove(&lookup->done_node);
    account_refund(lookup->account, ACCOUNT_MEMORY, lookup->charged);
    account_release(&lookup->account);
    free(lookup);
}

static void lookup_free_if_over(struct resolver_lookup *lookup)
{
    if (lookup->answered && !lookup->backend && rqv_list_empty(&lookup->done_node))
        lookup_free(lookup);
}

/* The answer stands: nobody joins any more, delivery comes in the WORK phase. */
static void lookup_settle(struct resolver_lookup *lookup)
{
    lookup->answered = true;
    lookup_unjoin(lookup);
    loop_timer_stop(&lookup->deadline);
    rqv_list_append(&lookup->resolver->done, &lookup->done_node);
    loop_task_queue(lookup->resolver->loop, &lookup->resolver->task, LOOP_WORK);
}

static void on_deadline(void *owner)
{
    struct resolver_lookup *lookup = owner;

    lookup->answer.code = REQIVO_E_TIMEOUT_RESOLVE;
    lookup->answer.count = 0;
    snprintf(lookup->answer.detail, sizeof(lookup->answer.detail), "no answer within %u ms",
             lookup->resolver->conf->dns_timeout_ms);
    lookup_settle(lookup);
}

static void cache_answer(struct resolver_lookup *lookup, const struct resolver_answer *answer)
{
    struct resolver *resolver = lookup->resolver;
    uint64_t keep_us = RESOLVER_FAILED_MS * UINT64_C(1000);
    uint32_t ttl_s = answer->ttl_s;

    if (answer->code == REQIVO_E_LIMIT_REQUESTS || answer->code == -ENOMEM ||
        answer->code == REQIVO_E_CANCELED)
        return;
    if (answer->code == 0) {
        if (ttl_s > resolver->conf->dns_ttl_max_s)
            ttl_s = resolver->conf->dns_ttl_max_s;
        keep_us = ttl_s * UINT64_C(1000000);
    }
    if (!keep_us)
        return;
    resolver->cache.max = resolver->conf->dns_entries; /* a reload may have changed it */
    resolver_cache_put(&resolver->cache, &lookup->key, loop_now_us(resolver->loop) + keep_us, answer);
    if (resolver->sweep.at_us == UINT64_MAX)
        loop_timer_at(&resolver->sweep, loop_now_us(resolver->loop) + SWEEP_US);
}

void resolver_lookup_answer(struct resolver_lookup *lookup, const struct resolver_answer *answer)
{
    struct resolver *resolver = lookup->resolver;

    lookup->backend = NULL;
    if (resolver->closing)
        return;
    share_return(resolver, lookup->key.account);
    cache_answer(lookup, answer);
    if (lookup->answered) { /* its deadline was first */
        lookup_free_if_over(lookup);
        return;
    }
    lookup->answer = *answer;
    lookup_settle(lookup);
}

/* ---- delivery ---- */

static void query_deliver(struct resolver_query *query, const struct resolver_lookup *lookup)
{
    struct rqv_addr addrs[RESOLVER_ADDRS_MAX];
    const struct resolver_answer *answer = &lookup->answer;
    struct rqv_err err = {0};

    rqv_list_remove(&query->node);
    query->lookup = NULL;
    if (answer->code) {
        rqv_err_set(&err, answer->code, REQIVO_PHASE_DNS, "%s: %s", lookup->key.name, answer->detail);
        query->fn(query->owner, &err, NULL, 0);
        return;
    }
    for (size_t i = 0; i < answer->count; i++) {
        addrs[i] = answer->addrs[i];
        addrs[i].port = query->port;
    }
    query->fn(query->owner, NULL, addrs, answer->count);
}

static void on_task(void *owner)
{
    struct resolver *resolver = owner;
    struct rqv_list batch, *node;

    if (rqv_list_empty(&resolver->done))
        return;
    /* What is settled inside fn belongs to the next turn. */
    rqv_list_insert_before(&resolver->done, &batch);
    rqv_list_remove(&resolver->done);
    while ((node = rqv_list_first(&batch))) {
        struct resolver_lookup *lookup = RQV_LIST_OF(node, struct resolver_lookup, done_node);
        struct rqv_list *query;

        while ((query = rqv_list_first(&lookup->queries)))
            query_deliver(RQV_LIST_OF(query, struct resolver_query, node), lookup);
        rqv_list_remove(&lookup->done_node);
        lookup_free_if_over(lookup);
    }
}

static void on_sweep(void *owner)
{
    struct resolver *resolver = owner;

    resolver_cache_sweep(&resolver->cache, loop_now_us(resolver->loop));
    if (resolver_cache_count(&resolver->cache))
        loop_timer_at(&resolver->sweep, loop_now_us(resolver->loop) + SWEEP_US);
}

/* ---- start ---- */

/* RFC 6761 6.3: localhost and what ends in it is this host, whatever a server says. */
static bool answer_localhost(const struct resolver_key *key, struct resolver_answer *answer)
{
    static const char suffix[] = ".localhost";
    size_t len = key->name_len, tail = sizeof(suffix) - 1;

    if (!(len == tail - 1 && memcmp(key->name, suffix + 1, len) == 0) &&
        !(len > tail && memcmp(key->name + len - tail, suffix, tail) == 0))
        return false;
    memset(answer, 0, sizeof(*answer));
    answer->count = 2;
    answer->addrs[0].family = 6;
    answer->addrs[0].bytes[15] = 1;
    answer->addrs[1].family = 4;
    answer->addrs[1].bytes[0] = 127;
    answer->addrs[1].bytes[3] = 1;
    return true;
}

/* getaddrinfo takes "127.1" and "0x7f.1" for addresses; here only inet_pton decides what is one (security.md
 * B10-6), so a name whose last label is a number is no name. */
static bool answer_numeric(const struct resolver_key *key, struct resolver_answer *answer)
{
    const char *dot = memrchr(key->name, '.', key->name_len);
    const char *label = dot ? dot + 1 : key->name;
    const char *digits = label;
    size_t n;

    if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X')) {
        digits = label + 2;
        n = strspn(digits, "0123456789abcdefABCDEF");
    } else {
        n = strspn(digits, "0123456789");
    }
    if (digits[n] != '\0' || digits + n == label)
        return false;
    memset(answer, 0, sizeof(*answer));
    answer->code = REQIVO_E_RESOLVE;
    snprintf(answer->detail, sizeof(answer->detail), "neither a host name nor an address");
    return true;
}

static int lookup_make(struct resolver *resolver, struct account *account, const struct resolver_key *key,
                       size_t cost, struct resolver_lookup **ret_lookup)
{
    struct resolver_lookup *lookup;
    int rc = account_charge(account, ACCOUNT_MEMORY, sizeof(*lookup) + cost);

    if (rc)
        return rc;
    lookup = calloc(1, sizeof(*lookup));
    if (!lookup) {
        account_refund(account, ACCOUNT_MEMORY, sizeof(*lookup) + cost);
        return -ENOMEM;
    }
    lookup->account = account_ref(account);
    lookup->resolver = resolver;
    lookup->charged = sizeof(*lookup) + cost;
    lookup->key = *key;
    rqv_list_init(&lookup->done_node);
    rqv_list_init(&lookup->queries);
    rqv_list_append(&resolver->all, &lookup->all_node);
    loop_timer_init(&lookup->deadline, resolver->loop, on_deadline, lookup);
    *ret_lookup = lookup;
    return 0;
}

static void query_attach(struct resolver_query *query, struct resolver_lookup *lookup)
{
    query->lookup = lookup;
    rqv_list_append(&lookup->queries, &query->node);
}

static int start_known(struct resolver *resolver, struct resolver_query *query, struct account *account,
                       const struct resolver_key *key, const struct resolver_answer *answer)
{
    struct resolver_lookup *lookup;
    int rc = lookup_make(resolver, account, key, 0, &lookup);

    if (rc)
        return rc;
    lookup->answer = *answer;
    query_attach(query, lookup);
    lookup_settle(lookup);
    return 0;
}

static int start_backend(struct resolver *resolver, struct resolver_query *query, struct account *account,
                         const struct resolver_key *key)
{
    struct resolver_lookup *lookup;
    int rc = lookup_make(resolver, account, key, RESOLVER_BACKEND_COST, &lookup);

    if (rc)
        return rc;
    rc = share_take(resolver, account);
    if (rc)
        goto fail;
    rc = rqv_map_put(&resolver->lookups, &lookup->node, &lookup->key, RESOLVER_KEY_LEN(&lookup->key));
    if (rc)
        goto fail_share;
    lookup->joinable = true;
    query_attach(query, lookup);
    rc = resolver->backend->start(resolver->state, lookup);
    if (rc) {
        rqv_list_remove(&query->node);
        query->lookup = NULL;
        goto fail_share;
    }
    if (!lookup->answered)
        loop_timer_at(&lookup->deadline,
                      loop_now_us(resolver->loop) + resolver->conf->dns_timeout_ms * UINT64_C(1000));
    return 0;
fail_share:
    share_return(resolver, account->id);
fail:
    lookup_free(lookup);
    return rc;
}

int resolver_start(struct resolver *resolver, struct resolver_query *query, struct account *account,
                   const char *name)
{
    struct resolver_key key = {.account = account->id, .name_len = strlen(name)};
    struct resolver_answer answer;
    struct rqv_map_node *node;

    rqv_list_init(&query->node);
    query->lookup = NULL;
    if (key.name_len == 0 || key.name_len > RESOLVER_NAME_MAX) {
        memset(&answer, 0, sizeof(answer));
        answer.code = REQIVO_E_RESOLVE;
        snprintf(answer.detail, sizeof(answer.detail), "a host name has 1 to %d bytes", RESOLVER_NAME_MAX);
        key.name_len = 0;
        return start_known(resolver, query, account, &key, &answer);
    }
    memcpy(key.name, name, key.name_len + 1);
    if (answer_localhost(&key, &answer) || answer_numeric(&key, &answer) ||
        resolver_cache_get(&resolver->cache, &key, loop_now_us(resolver->loop), &answer))
        return start_known(resolver, query, account, &key, &answer);
    node = rqv_map_get(&resolver->lookups, &key, RESOLVER_KEY_LEN(&key));
    if (node) {
        query_attach(query, RQV_LIST_OF(node, struct resolver_lookup, node));
        return 0;
    }
    return start_backend(resolver, query, account, &key);
}

void resolver_cancel(struct resolver_query *query)
{
    struct resolver_lookup *lookup = query->lookup;

    if (!lookup)
        return;
    rqv_list_remove(&query->node);
    query->lookup = NULL;
    if (rqv_list_empty(&lookup->queries) && lookup->backend && !lookup->answered &&
        lookup->resolver->backend->cancel) {
        lookup_unjoin(lookup);
        lookup->resolver->backend->cancel(lookup);
    }
}

/* ---- making and ending ---- */

int resolver_new(struct loop *loop, const struct conf *conf, const uint64_t hash_key[2],
                 struct resolver **ret_resolver)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    int rc;

    if (!resolver)
        return -ENOMEM;
    resolver->loop = loop;
    resolver->conf = conf;
    resolver->backend = backend_choose(conf->dns_backend);
    rqv_map_init(&resolver->lookups, hash_key);
    rqv_map_init(&resolver->shares, hash_key);
    rqv_list_init(&resolver->all);
    rqv_list_init(&resolver->done);
    loop_task_init(&resolver->task, on_task, resolver);
    loop_timer_init(&resolver->sweep, loop, on_sweep, resolver);
    resolver_cache_init(&resolver->cache, conf->dns_entries, hash_key);
    rc = resolver->backend->open(resolver, &resolver->state);
    if (rc) {
        resolver->state = NULL;
        resolver_free(resolver);
        return rc;
    }
    log_info("names are resolved by %s", resolver->backend->name);
    *ret_resolver = resolver;
    return 0;
}

void resolver_free(struct resolver *resolver)
{
    struct rqv_list *node;
    struct rqv_map_node *share;

    if (!resolver)
        return;
    resolver->closing = true;
    if (resolver->state)
        resolver->backend->close(resolver->state);
    while ((node = rqv_list_first(&resolver->all))) {
        struct resolver_lookup *lookup = RQV_LIST_OF(node, struct resolver_lookup, all_node);
        struct rqv_list *query;

        while ((query = rqv_list_first(&lookup->queries))) {
            rqv_list_remove(query);
            RQV_LIST_OF(query, struct resolver_query, node)->lookup = NULL;
        }
        lookup_free(lookup);
    }
    while ((share = rqv_map_first(&resolver->shares))) {
        rqv_map_del(&resolver->shares, share);
        free(RQV_LIST_OF(share, struct resolver_share, node));
    }
    rqv_map_done(&resolver->shares);
    rqv_map_done(&resolver->lookups);
    resolver_cache_done(&resolver->cache);
    loop_task_drop(&resolver->task);
    loop_timer_stop(&resolver->sweep);
    free(resolver);
}
