/* SPDX-License-Identifier: MIT */
/*
 * tls_trust - sets of trusted certificates: the system's, read at start and at each reload, and those of
 * users, parsed on a thread and shared by user and content.
 *
 *   trust_load:  start --known content-------------> task --> fn
 *                     |--job on a thread --> done ----------> fn
 *                     \--the same is on the thread --/--> task --> fn
 *
 * Parsing costs 25 ms for the distribution's bundle and takes about eight times the text in memory, which is
 * charged before.
 */
#include "common/buf.h"
#include "daemon/base/log.h"
#include "daemon/net/tls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRUST_SYSTEM_FILE "/etc/ssl/certs/ca-certificates.crt"
#define TRUST_USER_MAX    (1024 * 1024)
#define TRUST_SYSTEM_MAX  (16 * 1024 * 1024)
#define TRUST_COST        8 /* bytes of parsed certificates per byte of PEM */
#define TRUST_DETAIL      160

/* ---- parsing; any thread ---- */

/* An encrypted block has no password here; OpenSSL's own callback would ask on the terminal. */
static int no_password(char *out, int size, int writing, void *owner)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)owner;
    return -1;
}

static int parse_into(X509_STORE *store, BIO *bio, unsigned *ret_count, char *detail, size_t size)
{
    unsigned count = 0;
    X509 *cert;

    while ((cert = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        bool cheap = tls_key_is_cheap(X509_get0_pubkey(cert));
        int added = X509_STORE_add_cert(store, cert); /* twice the same is fine since OpenSSL 1.1.1 */

        X509_free(cert);
        if (!cheap) {
            snprintf(detail, size, "certificate %u has a key that is too large or of no kind in use",
                     count + 1);
            return REQIVO_E_TRUST;
        }
        if (!added) {
            snprintf(detail, size, "certificate %u cannot be used", count + 1);
            return REQIVO_E_TRUST;
        }
        count++;
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        snprintf(detail, size, "certificate %u is malformed: %s", count + 1,
                 reason ? reason : "unknown error");
        return REQIVO_E_TRUST;
    }
    *ret_count = count;
    return 0;
}

int trust_parse(struct rqv_str pem, bool user, X509_STORE **ret_store, char *detail, size_t size)
{
    X509_STORE *store = X509_STORE_new();
    BIO *bio = pem.len ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : BIO_new(BIO_s_mem());
    unsigned count = 0;
    int rc = -ENOMEM;

    snprintf(detail, size, "out of memory");
    ERR_clear_error();
    if (store && bio) {
        rc = parse_into(store, bio, &count, detail, size);
        if (rc == 0 && user && count == 0) {
            snprintf(detail, size, "no certificate in PEM form was found");
            rc = REQIVO_E_TRUST;
        }
    }
    ERR_clear_error();
    BIO_free(bio);
    if (rc) {
        X509_STORE_free(store);
        return rc;
    }
    /* What a user names is trusted as it stands, be it a root, an intermediate or a server's own certificate.
     */
    if (user)
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    detail[0] = '\0';
    *ret_store = store;
    return 0;
}

/* ---- trusts ---- */

static struct rqv_str content_of(const struct rqv_buf *pem)
{
    if (!rqv_buf_len(pem))
        return RQV_STR("");
    return (struct rqv_str){(const char *)pem->data + pem->start, rqv_buf_len(pem)};
}

static void trust_id(uint8_t id[TRUST_ID], uint64_t account, const struct rqv_buf *pem)
{
    struct rqv_str content = content_of(pem);

    memcpy(id, &account, sizeof(account));
    SHA256((const unsigned char *)content.ptr, content.len, id + sizeof(account));
}

static struct trust *trust_make(struct tls *tls, X509_STORE *store, const uint8_t id[TRUST_ID])
{
    struct trust *trust = calloc(1, sizeof(*trust));

    if (!trust)
        return NULL;
    trust->tls = tls;
    trust->refs = 1;
    trust->store = store;
    memcpy(trust->id, id, sizeof(trust->id));
    return trust;
}

struct trust *trust_ref(struct trust *trust)
{
    trust->refs++;
    return trust;
}

void trust_unref(struct trust **ref)
{
    struct trust *trust = *ref;

    *ref = NULL;
    if (!trust || --trust->refs)
        return;
    if (trust->listed)
        rqv_map_del(&trust->tls->trusts, &trust->node);
    X509_STORE_free(trust->store);
    if (trust->account) {
        account_refund(trust->account, ACCOUNT_MEMORY, trust->charged);
        account_refund(trust->account, ACCOUNT_TRUSTS, 1);
        account_release(&trust->account);
    }
    free(trust);
}

const uint8_t *trust_hash(const struct trust *trust)
{
    return trust->id + sizeof(uint64_t);
}

static struct trust *trust_find(struct tls *tls, const uint8_t id[TRUST_ID])
{
    struct rqv_map_node *node = rqv_map_get(&tls->trusts, id, TRUST_ID);

    return node ? RQV_LIST_OF(node, struct trust, node) : NULL;
}

/* ---- the system's ---- */

/* REQIVO_E_TRUST: a FIFO or a device, which may never come to an end. */
static int read_file(const char *path, struct rqv_buf *buf)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    uint8_t *room;
    ssize_t n;
    int rc = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return REQIVO_E_TRUST;
    }
    do {
        rc = rqv_buf_reserve(buf, 65536, &room);
        n = rc ? 0 : read(fd, room, 65536);
        if (n < 0)
            rc = -errno;
        else
            rqv_buf_commit(buf, (size_t)n);
    } while (n > 0);
    close(fd);
    return rc;
}

struct tls_roots {
    X509_STORE *store;
    uint8_t id[TRUST_ID];
    char missing[TRUST_DETAIL]; /* why nothing is trusted; else "" */
};

void tls_roots_free(struct tls_roots *roots)
{
    if (!roots)
        return;
    X509_STORE_free(roots->store);
    free(roots);
}

/* A file that the configuration names must be good; the distribution's may be missing, and then nothing is
 * trusted. */
static int roots_fill(struct tls_roots *roots, const char *path, bool named, struct rqv_err *err)
{
    char detail[TRUST_DETAIL] = "";
    struct rqv_buf pem;
    int rc;

    rqv_buf_init(&pem, TRUST_SYSTEM_MAX);
    rc = read_file(path, &pem);
    if (rc)
        snprintf(detail, sizeof(detail), "%s",
                 rc == REQIVO_E_TRUST ? "it is no regular file" : rqv_err_text(rc));
    else
        rc = trust_parse(content_of(&pem), named, &roots->store, detail, sizeof(detail));
    if (rc == 0 && rqv_buf_len(&pem) == 0)
        snprintf(detail, sizeof(detail), "the file is empty");
    if (rc && !named) {
        rqv_buf_consume(&pem, rqv_buf_len(&pem));
        roots->store = X509_STORE_new();
        rc = roots->store ? 0 : -ENOMEM;
    }
    if (!named)
        memcpy(roots->missing, detail, sizeof(detail));
    trust_id(roots->id, 0, &pem);
    rqv_buf_done(&pem);
    if (rc)
        return rqv_err_set(err, rc == -ENOMEM ? rc : REQIVO_E_TRUST, REQIVO_PHASE_NONE, "%s: %s", path,
                           detail);
    X509_STORE_set_flags(roots->store, X509_V_FLAG_TRUSTED_FIRST);
    return 0;
}

int tls_roots_read(const char *ca_file, struct tls_roots **ret_roots, struct rqv_err *err)
{
    bool named = ca_file && *ca_file;
    struct tls_roots *roots = calloc(1, sizeof(*roots));
    int rc;

    if (!roots)
        return rqv_err_set(err, -ENOMEM, REQIVO_PHASE_NONE, "out of memory");
    rc = roots_fill(roots, named ? ca_file : TRUST_SYSTEM_FILE, named, err);
    if (rc)
        tls_roots_free(roots);
    else
        *ret_roots = roots;
    return rc;
}

int tls_roots_use(struct tls *tls, struct tls_roots **place, struct rqv_err *err)
{
    struct tls_roots *roots = *place;
    struct trust *trust;

    *place = NULL;
    if (tls->system && memcmp(tls->system->id, roots->id, sizeof(roots->id)) == 0) {
        tls_roots_free(roots);
        return 0;
    }
    if (roots->missing[0] && tls->system) {
        rqv_err_set(err, REQIVO_E_TRUST, REQIVO_PHASE_NONE, "%s: %s", TRUST_SYSTEM_FILE, roots->missing);
        tls_roots_free(roots);
        return REQIVO_E_TRUST;
    }
    if (roots->missing[0])
        log_warning("%s: %s: no certificate is trusted, all https requests that verify will fail",
                    TRUST_SYSTEM_FILE, roots->missing);
    trust = trust_make(tls, roots->store, roots->id);
    if (!trust) {
        tls_roots_free(roots);
        return rqv_err_set(err, -ENOMEM, REQIVO_PHASE_NONE, "out of memory");
    }
    free(roots);
    trust_unref(&tls->system);
    tls->system = trust;
    tls->generation++;
    tickets_flush(&tls->tickets);
    return 1;
}

/* ---- loading a user's ---- */

struct trust_load {
    struct worker_job job;
    struct loop_task task; /* delivers what was known already, or what the leader has learned */
    struct rqv_list node;  /* in tls->loads */
    struct tls *tls;
    struct account *account;
    size_t charged; /* memory and one trust, until a trust takes them over */
    struct rqv_buf pem;
    uint8_t id[TRUST_ID];
    bool canceled;
    struct trust_load *leader; /* it parses the same content for the same user; this one waits for it */
    bool told;                 /* the leader's outcome is here, the task is queued */
    struct trust *known;       /* a reference */
    trust_fn fn;
    void *owner;
    /* the thread's */
    int code;
    X509_STORE *store;
    char detail[TRUST_DETAIL];
};

static void load_free(struct trust_load *load)
{
    loop_task_drop(&load->task);
    rqv_list_remove(&load->node);
    trust_unref(&load->known);
    X509_STORE_free(load->store);
    if (load->charged) {
        account_refund(load->account, ACCOUNT_MEMORY, load->charged);
        account_refund(load->account, ACCOUNT_TRUSTS, 1);
    }
    account_release(&load->account);
    rqv_buf_done(&load->pem);
    free(load);
}

static void load_deliver(struct trust_load *load, int code, struct trust *trust)
{
    if (!load->canceled)
        load->fn(load->owner, code, trust, code ? load->detail : "");
    else
        trust_unref(&trust);
    load_free(load);
}

static void on_load_task(void *owner)
{
    struct trust_load *load = owner;
    struct trust *trust = load->known;

    load->known = NULL;
    load_deliver(load, load->code, trust);
}

static void load_work(struct worker_job *job)
{
    struct trust_load *load = RQV_LIST_OF(job, struct trust_load, job);

    load->code = trust_parse(content_of(&load->pem), true, &load->store, load->detail, sizeof(load->detail));
}

/* The trust takes over the store, the charge and the account. */
static struct trust *load_to_trust(struct trust_load *load)
{
    struct trust *trust = trust_find(load->tls, load->id);

    if (trust) /* two loads of the same content at once */
        return trust_ref(trust);
    trust = trust_make(load->tls, load->store, load->id);
    if (!trust)
        return NULL;
    if (rqv_map_put(&load->tls->trusts, &trust->node, trust->id, sizeof(trust->id)) != 0) {
        free(trust);
        return NULL;
    }
    trust->listed = true;
    trust->account = account_ref(load->account);
    trust->charged = load->charged;
    load->charged = 0;
    load->store = NULL;
    return trust;
}

static bool load_is_followed(const struct trust_load *load)
{
    rqv_list_for_each (node, &load->tls->loads)
        if (RQV_LIST_OF(node, struct trust_load, node)->leader == load)
            return true;
    return false;
}

static void load_tell(const struct trust_load *load, struct trust *trust)
{
    rqv_list_for_each (node, &load->tls->loads) {
        struct trust_load *follower = RQV_LIST_OF(node, struct trust_load, node);
        if (follower->leader != load)
            continue;
        follower->leader = NULL;
        follower->told = true;
        follower->code = load->code;
        follower->known = trust ? trust_ref(trust) : NULL;
        memcpy(follower->detail, load->detail, sizeof(load->detail));
        loop_task_queue(load->tls->loop, &follower->task, LOOP_WORK);
    }
}

static void load_done(struct worker_job *job)
{
    struct trust_load *load = RQV_LIST_OF(job, struct trust_load, job);
    struct trust *trust = NULL;

    if (job->canceled || (load->canceled && !load_is_followed(load))) {
        load_free(load);
        return;
    }
    if (load->code == 0) {
        trust = load_to_trust(load);
        if (!trust) {
            load->code = -ENOMEM;
            snprintf(load->detail, sizeof(load->detail), "out of memory");
        }
    }
    load_tell(load, trust);
    load_deliver(load, load->code, trust);
}

/* Programs that start together send the same certificates together: one of them is parsed. */
static struct trust_load *load_leader(const struct trust_load *load)
{
    rqv_list_for_each (node, &load->tls->loads) {
        struct trust_load *other = RQV_LIST_OF(node, struct trust_load, node);
        if (other != load && !other->canceled && !other->known && !other->leader && !other->told &&
            memcmp(other->id, load->id, sizeof(load->id)) == 0)
            return other;
    }
    return NULL;
}

static int load_charge(struct trust_load *load)
{
    size_t cost = rqv_buf_len(&load->pem) * TRUST_COST + sizeof(*load) + sizeof(struct trust);
    int rc = account_charge(load->account, ACCOUNT_TRUSTS, 1);

    if (rc)
        return rc;
    rc = account_charge(load->account, ACCOUNT_MEMORY, cost);
    if (rc) {
        account_refund(load->account, ACCOUNT_TRUSTS, 1);
        return rc;
    }
    load->charged = cost;
    return 0;
}

static struct trust_load *load_make(struct tls *tls, const struct trust_load_params *params)
{
    struct trust_load *load = calloc(1, sizeof(*load));

    if (!load)
        return NULL;
    load->account = account_ref(params->account);
    load->tls = tls;
    load->fn = params->fn;
    load->owner = params->owner;
    load->job.work = load_work;
    load->job.done = load_done;
    load->job.account = params->account->id;
    loop_task_init(&load->task, on_load_task, load);
    rqv_list_append(&tls->loads, &load->node);
    return load;
}

int trust_load_start(struct tls *tls, const struct trust_load_params *params, struct trust_load **ret_load)
{
    struct rqv_buf *pem = params->pem;
    struct trust_load *load;
    struct trust *known;
    int rc;

    if (rqv_buf_len(pem) > TRUST_USER_MAX)
        return REQIVO_E_LIMIT_TRUST;
    load = load_make(tls, params);
    if (!load)
        return -ENOMEM;
    trust_id(load->id, params->account->id, pem);
    load->pem = *pem; /* given back on failure */
    known = trust_find(tls, load->id);
    if (known) {
        load->known = trust_ref(known);
        loop_task_queue(tls->loop, &load->task, LOOP_WORK);
        rc = 0;
    } else if ((load->leader = load_leader(load)) != NULL) {
        rc = 0;
    } else {
        rc = load_charge(load);
        if (rc == 0)
            rc = worker_submit(tls->worker, &load->job);
    }
    if (rc) {
        memset(&load->pem, 0, sizeof(load->pem));
        load_free(load);
        return rc;
    }
    rqv_buf_init(pem, pem->max);
    *ret_load = load;
    return 0;
}

void trust_load_cancel(struct trust_load **ref)
{
    struct trust_load *load = *ref;

    *ref = NULL;
    if (!load || load->canceled)
        return;
    load->canceled = true;
    if (load->known || load->leader || load->told)
        load_free(load);
    else if (!load_is_followed(load))
        worker_cancel(&load->job);
}

void trust_loads_end(struct tls *tls)
{
    struct rqv_list *node;

    while ((node = rqv_list_first(&tls->loads)))
        load_free(RQV_LIST_OF(node, struct trust_load, node));
}
