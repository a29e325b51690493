/* SPDX-License-Identifier: MIT */
/*
 * tls_ticket - the cache of resumable sessions, serialized: an SSL_SESSION shares its state with the
 * connection that got it, and holds ten times the memory.
 *
 *   map: pool key -> bucket { newest ... oldest }, <= 4      lru: all tickets, oldest first, <= 1024
 *
 * security.md B7-3. A server sizes what is in here: at most 1024 x 8 KiB, a quarter of it for one uid, which
 * is charged for its part.
 */
#include "daemon/net/tls_internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

struct ticket_bucket {
    struct rqv_map_node node;
    struct rqv_list tickets; /* newest first */
    size_t count;
    size_t key_len;
    char key[];
};

struct ticket {
    struct rqv_list node; /* in its bucket */
    struct rqv_list lru_node;
    struct ticket_bucket *bucket;
    struct tls_ticket_info info; /* with a reference to the account */
    uint64_t until_ms;
    bool once; /* TLS 1.3 */
    size_t len;
    unsigned char bytes[];
};

/* With its share of a bucket: at most a bucket, and its key, for itself. */
static size_t ticket_size(size_t len)
{
    return sizeof(struct ticket) + len + sizeof(struct ticket_bucket) + TLS_TICKET_KEY_COST;
}

void tickets_init(struct tls_tickets *tickets, const uint64_t hash_key[2])
{
    rqv_map_init(&tickets->map, hash_key);
    rqv_list_init(&tickets->lru);
    tickets->count = 0;
}

void tickets_done(struct tls_tickets *tickets)
{
    tickets_flush(tickets);
    rqv_map_done(&tickets->map);
}

/* Of no list. */
static void ticket_discard(struct ticket *ticket)
{
    size_t size = ticket_size(ticket->len);

    if (ticket->info.account) {
        account_refund(ticket->info.account, ACCOUNT_MEMORY, size);
        account_release(&ticket->info.account);
    }
    OPENSSL_cleanse(ticket->bytes, ticket->len);
    free(ticket);
}

static void ticket_free(struct tls_tickets *tickets, struct ticket *ticket)
{
    struct ticket_bucket *bucket = ticket->bucket;

    rqv_list_remove(&ticket->node);
    rqv_list_remove(&ticket->lru_node);
    tickets->count--;
    ticket_discard(ticket);
    if (--bucket->count == 0) {
        rqv_map_del(&tickets->map, &bucket->node);
        free(bucket);
    }
}

void tickets_flush(struct tls_tickets *tickets)
{
    struct rqv_list *node;

    while ((node = rqv_list_first(&tickets->lru)))
        ticket_free(tickets, RQV_LIST_OF(node, struct ticket, lru_node));
}

static struct ticket_bucket *bucket_find(struct tls_tickets *tickets, struct rqv_str key)
{
    struct rqv_map_node *node = rqv_map_get(&tickets->map, key.ptr, key.len);

    return node ? RQV_LIST_OF(node, struct ticket_bucket, node) : NULL;
}

static struct ticket_bucket *bucket_make(struct tls_tickets *tickets, struct rqv_str key)
{
    struct ticket_bucket *bucket = calloc(1, sizeof(*bucket) + key.len);

    if (!bucket)
        return NULL;
    rqv_list_init(&bucket->tickets);
    bucket->key_len = key.len;
    if (key.len)
        memcpy(bucket->key, key.ptr, key.len);
    if (rqv_map_put(&tickets->map, &bucket->node, bucket->key, key.len) != 0) {
        free(bucket);
        return NULL;
    }
    return bucket;
}

/* Charged, and the account held. */
static struct ticket *ticket_make(size_t len, const struct tls_ticket_info *info)
{
    struct ticket *ticket;

    if (info->account && account_charge(info->account, ACCOUNT_MEMORY, ticket_size(len)) != 0)
        return NULL;
    ticket = calloc(1, sizeof(*ticket) + len);
    if (!ticket) {
        if (info->account)
            account_refund(info->account, ACCOUNT_MEMORY, ticket_size(len));
        return NULL;
    }
    ticket->info = *info;
    if (info->account)
        account_ref(info->account);
    ticket->len = len;
    return ticket;
}

static struct ticket *ticket_encode(SSL_SESSION *session, const struct tls_ticket_info *info)
{
    int len = i2d_SSL_SESSION(session, NULL);
    struct ticket *ticket;
    unsigned char *at;

    if (len <= 0 || len > TLS_TICKET_BYTES_MAX)
        return NULL;
    ticket = ticket_make((size_t)len, info);
    if (!ticket)
        return NULL;
    at = ticket->bytes;
    i2d_SSL_SESSION(session, &at);
    ticket->once = SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
    return ticket;
}

/* So that nobody pushes out what all the others keep. */
static void make_room_of(struct tls_tickets *tickets, const struct account *account)
{
    struct ticket *oldest = NULL;
    size_t count = 0;

    rqv_list_for_each (node, &tickets->lru) {
        struct ticket *ticket = RQV_LIST_OF(node, struct ticket, lru_node);

        if (ticket->info.account != account)
            continue;
        if (!oldest)
            oldest = ticket;
        count++;
    }
    if (count >= TLS_TICKETS_UID_MAX)
        ticket_free(tickets, oldest);
}

/* Room first, so that the bucket found afterwards cannot vanish. */
static void make_room(struct tls_tickets *tickets, struct rqv_str key, bool once)
{
    size_t most = once ? TLS_TICKETS_PER_KEY : 1;
    struct ticket_bucket *bucket;

    while ((bucket = bucket_find(tickets, key)) && bucket->count >= most)
        ticket_free(tickets, RQV_LIST_OF(rqv_list_last(&bucket->tickets), struct ticket, node));
    while (tickets->count >= TLS_TICKETS_MAX)
        ticket_free(tickets, RQV_LIST_OF(rqv_list_first(&tickets->lru), struct ticket, lru_node));
}

void tickets_store(struct tls_tickets *tickets, struct rqv_str key, SSL_SESSION *session,
                   const struct tls_ticket_info *info, uint64_t now_ms)
{
    uint64_t hint_ms = (uint64_t)SSL_SESSION_get_timeout(session) * 1000u;
    struct ticket_bucket *bucket;
    struct ticket *ticket;

    if (!SSL_SESSION_is_resumable(session) || now_ms - info->verified_ms >= TLS_TICKET_LIFE_MS)
        return;
    tickets_expire(tickets, now_ms);
    if (info->account)
        make_room_of(tickets, info->account);
    ticket = ticket_encode(session, info);
    if (!ticket)
        return;
    make_room(tickets, key, ticket->once);
    bucket = bucket_find(tickets, key);
    if (!bucket)
        bucket = bucket_make(tickets, key);
    if (!bucket) {
        ticket_discard(ticket);
        return;
    }
    ticket->until_ms = info->verified_ms + TLS_TICKET_LIFE_MS;
    if (now_ms + hint_ms < ticket->until_ms)
        ticket->until_ms = now_ms + hint_ms;
    ticket->bucket = bucket;
    bucket->count++;
    tickets->count++;
    rqv_list_prepend(&bucket->tickets, &ticket->node);
    rqv_list_append(&tickets->lru, &ticket->lru_node);
}

SSL_SESSION *tickets_take(struct tls_tickets *tickets, struct rqv_str key, uint64_t now_ms,
                          struct tls_ticket_info *ret_info)
{
    struct ticket_bucket *bucket;

    while ((bucket = bucket_find(tickets, key))) {
        struct ticket *ticket = RQV_LIST_OF(rqv_list_first(&bucket->tickets), struct ticket, node);
        const unsigned char *at = ticket->bytes;
        SSL_SESSION *session = NULL;

        if (ticket->until_ms > now_ms) {
            session = d2i_SSL_SESSION(NULL, &at, (long)ticket->len);
            *ret_info = ticket->info;
        }
        if (!session || ticket->once)
            ticket_free(tickets, ticket);
        if (session)
            return session;
        ERR_clear_error();
    }
    return NULL;
}

void tickets_drop(struct tls_tickets *tickets, struct rqv_str key)
{
    struct ticket_bucket *bucket;

    while ((bucket = bucket_find(tickets, key)))
        ticket_free(tickets, RQV_LIST_OF(rqv_list_first(&bucket->tickets), struct ticket, node));
}

/* Oldest first: one that a server wants forgotten early is met when it is the oldest, or looked for. */
void tickets_expire(struct tls_tickets *tickets, uint64_t now_ms)
{
    struct rqv_list *node;

    while ((node = rqv_list_first(&tickets->lru)) &&
           RQV_LIST_OF(node, struct ticket, lru_node)->until_ms <= now_ms)
        ticket_free(tickets, RQV_LIST_OF(node, struct ticket, lru_node));
}
