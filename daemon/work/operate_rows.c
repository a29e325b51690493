/* SPDX-License-Identifier: MIT */
/* operate_rows - see operate_rows.h and operate.h. doc/wire.md lists the fields. */
#include "daemon/work/operate_rows.h"

#include "common/uninit.h"
#include "daemon/base/loop.h"
#include "daemon/net/stream.h"
#include "daemon/upstream/origins.h"
#include "daemon/work/row.h"

#include <reqivo/error.h>

#include <string.h>
#include <sys/socket.h>

#define CERTIFICATE_MAX 49152 /* of PEM, so that the row fits its frame */
#define NAME_MAX_TOLD   4096

/* ---- a pool ---- */

/* Of those of one program the first has waited longest, so the heads are all that is looked at. */
static uint64_t oldest_wait_us(const struct pool *pool)
{
    uint64_t oldest = UINT64_MAX;
    struct wait_look look;

    for (struct wait_node *node = waitq_look(&look, &pool->waiters); node; node = waitq_next_head(&look)) {
        const struct waiter *waiter = RQV_LIST_OF(node, struct waiter, wait);
        oldest = waiter->since_us < oldest ? waiter->since_us : oldest;
    }
    return oldest;
}

static void count_ages(struct row *row, const struct pool *pool)
{
    uint64_t now = loop_boot_ms(pool->origins->loop), oldest = 0, newest = UINT64_MAX;

    for (int state = CONN_IDLE; state <= CONN_LEASED; state++) {
        rqv_list_for_each (node, &pool->conns[state]) {
            uint64_t age = now - RQV_LIST_OF(node, struct conn, node)->born_ms;
            oldest = age > oldest ? age : oldest;
            newest = age < newest ? age : newest;
        }
    }
    row_count(row, "oldest_ms", oldest);
    row_count(row, "newest_ms", newest == UINT64_MAX ? 0 : newest);
}

int operation_pool_row(const struct pool *pool, int (*send)(void *owner, const struct rqv_fields *fields),
                       void *owner)
{
    struct row row RQV_UNINIT;
    uint64_t now = loop_now_us(pool->origins->loop), since = oldest_wait_us(pool);

    row_init(&row);
    row_origin(&row, pool->use_tls ? "https" : "http", pool->host, pool->port);
    row_count(&row, "limit", pool_limit(pool));
    row_count(&row, "idle", pool->count[CONN_IDLE]);
    row_count(&row, "leased", pool->count[CONN_LEASED]);
    row_count(&row, "connecting", pool->count[CONN_DIALING]);
    row_count(&row, "waiting", pool->waiters.count);
    row_count(&row, "oldest_wait_ms", since < now ? (now - since) / 1000 : 0);
    row_count(&row, "requests", pool->stats.requests);
    row_count(&row, "reused", pool->stats.reused);
    row_count(&row, "opened", pool->stats.opened);
    row_count(&row, "resumed", pool->stats.resumed);
    row_count(&row, "failures", pool->stats.failures);
    count_ages(&row, pool);
    return send(owner, &row.fields);
}

/* ---- a connection ---- */

static void local_address(struct row *row, const struct conn *conn)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    struct rqv_addr addr;
    char text[RQV_ADDRESS_MAX];

    if (getsockname(stream_fd(conn->stream), (struct sockaddr *)&sa, &len) < 0 ||
        !rqv_addr_from_sockaddr((struct sockaddr *)&sa, len, &addr))
        return;
    rqv_addr_format(&addr, text, sizeof text);
    row_add(row, "local_address", "%s", text);
}

static void view_upto(struct row *row, const char *name, struct rqv_str value, size_t most)
{
    if (value.len > 0 && value.len <= most)
        row_view(row, name, value);
}

static void row_tls(struct row *row, const struct tls_about *about)
{
    row_view(row, "tls_version", rqv_str_from(about->version));
    row_view(row, "cipher", rqv_str_from(about->cipher));
    row_view(row, "alpn", rqv_str_from(about->alpn));
    view_upto(row, "certificate", about->certificate, CERTIFICATE_MAX);
    view_upto(row, "subject", about->subject, NAME_MAX_TOLD);
    view_upto(row, "issuer", about->issuer, NAME_MAX_TOLD);
    row_count(row, "not_after", about->not_after_s > 0 ? (uint64_t)about->not_after_s : 0);
}

int operation_pin_row(const struct pin *pin, int (*send)(void *owner, const struct rqv_fields *fields),
                      void *owner)
{
    const struct conn *conn = pin->lease.conn;
    struct row row RQV_UNINIT;
    struct tls_about about;

    if (!conn)
        return REQIVO_E_CONNECTION_CLOSED;
    row_init(&row);
    row_add(&row, "address", "%s", conn->address);
    local_address(&row, conn);
    row_count(&row, "age_ms", loop_boot_ms(pin->loop) - conn->born_ms);
    row_count(&row, "uses", conn->uses);
    row_count(&row, "reused", pin->warm);
    if (!stream_is_tls(conn->stream))
        return send(owner, &row.fields);
    int rc = tls_about(stream_ssl(conn->stream), pin->account, &about);
    if (rc < 0)
        return rc;
    row_tls(&row, &about);
    rc = send(owner, &row.fields);
    tls_about_done(&about);
    return rc;
}
