/* SPDX-License-Identifier: MIT */
/* reload - see reload.h. The service manager hears RELOADING=1 and READY=1 around each. */
#include "daemon/reload.h"

#include "daemon/base/conf_change.h"
#include "daemon/base/log.h"
#include "daemon/base/overload.h"
#include "daemon/net/tls.h"
#include "daemon/upstream/origins.h"
#include "daemon/work/wsession.h"

#include <reqivo/error.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the thread makes. It touches the options, which never change, and what is its own. */
struct reload_job {
    struct worker_job job;
    struct reload *reload;
    const struct options *options;
    struct conf conf;
    struct tls_roots *roots;
    int metrics; /* the socket of a new metrics.listen; -1: none */
    int code;
    char *errors; /* lines */
    size_t errors_len;
};

/* ---- what is said ---- */

static void say(struct reload *reload, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct reload *reload, const char *format, ...)
{
    size_t len = strlen(reload->text);
    va_list args;

    va_start(args, format);
    vsnprintf(reload->text + len, sizeof(reload->text) - len, format, args);
    va_end(args);
}

/* Each line is a record of its own; the first one is the event. */
static void log_lines(enum log_level level, enum log_id id, const char *what, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");

        log_event(level, id, NULL, "reload: %s%.*s", what, (int)len, text);
        id = LOG_ID_NONE;
        text += len + (text[len] == '\n');
    }
}

/* ---- the end of one ---- */

static void start(struct reload *reload);

static void tell(struct rqv_list *askers, int code, const char *text)
{
    struct rqv_list *node;

    while ((node = rqv_list_first(askers))) {
        struct ipc_asker *asker = RQV_LIST_OF(node, struct ipc_asker, node);

        rqv_list_remove(node);
        asker->told(asker, code, text);
    }
}

static void keep_trouble(struct reload *reload, int code)
{
    size_t len = code == 0 ? 0 : strcspn(reload->text, "\n");

    snprintf(reload->trouble, sizeof(reload->trouble), "%.*s", (int)len, reload->text);
}

static void finish(struct reload *reload, int code)
{
    struct rqv_list *node;

    keep_trouble(reload, code);
    if (code == 0)
        log_lines(LOG_LEVEL_NOTICE, LOG_ID_RELOADED, "", reload->text);
    else
        log_lines(LOG_LEVEL_ERROR, LOG_ID_RELOAD_FAILED, "nothing is changed: ", reload->text);
    if (!reload->ending)
        notify_ready(reload->use.notify);
    tell(&reload->askers, code, reload->text);
    reload->state = RELOAD_IDLE;
    while ((node = rqv_list_first(&reload->later))) {
        rqv_list_remove(node);
        rqv_list_append(&reload->askers, node);
    }
    if (reload->again && !reload->ending)
        start(reload);
}

static void on_retired(void *owner)
{
    finish(owner, 0);
}

/* ---- into force ---- */

static void on_change(void *owner, const char *name, enum conf_change change)
{
    static const char *const what[] = {[CONF_CHANGED] = "is changed",
                                       [CONF_FIXED] = "needs a restart",
                                       [CONF_ADDED] = "is new",
                                       [CONF_REMOVED] = "is gone"};

    say(owner, "\n%s %s", name, what[change]);
}

/* Takes what was loaded into `fresh`. */
static void use_conf(struct reload *reload, struct conf *fresh)
{
    const struct reload_parts *use = &reload->use;
    int level = log_level_from_name(fresh->log_level);

    struct conf old = *use->conf;
    *use->conf = *fresh;
    fresh->policies = NULL;
    if (level >= 0)
        log_set_level((enum log_level)level);
    if (!accounts_configure(use->accounts, use->conf, use->nofile))
        log_warning("reload: limits.peers_total and limits.connections_total are cut to %zu and %zu by "
                    "RLIMIT_NOFILE=%" PRIu64,
                    use->accounts->limit_all[ACCOUNT_PEERS], use->accounts->limit_all[ACCOUNT_CONNS],
                    use->nofile);
    conf_done(&old);
    ipc_repartition(use->ipc);
    for (int kind = 0; kind < ACCOUNT_KINDS; kind++)
        overload_look(use->accounts, (enum account_kind)kind); /* a total may be full now, or no longer */
}

static bool metrics_move(const struct reload *reload, const struct reload_job *job)
{
    return !rqv_addr_eq(&job->conf.metrics_listen, &reload->use.conf->metrics_listen);
}

/* An address may be taken already: that is known before anything is changed. */
static int metrics_listen(struct reload *reload, struct reload_job *job)
{
    char why[256] = "";

    if (!metrics_move(reload, job))
        return 0;
    int rc = scrape_listen(&job->conf.metrics_listen, &job->metrics, why, sizeof(why));
    if (rc < 0)
        say(reload, "%s", why);
    return rc;
}

/* Nothing of this waits, and once the certificates are taken nothing of it fails. */
static void swap(struct reload *reload, struct reload_job *job)
{
    struct rqv_err err = {0};
    int trust = tls_roots_use(reload->use.tls, &job->roots, &err);

    if (trust < 0) {
        say(reload, "ca_file: %s", err.detail);
        finish(reload, trust);
        return;
    }
    say(reload, "the configuration was read again");
    bool moved = metrics_move(reload, job);
    conf_succeed(&job->conf, reload->use.conf, on_change, reload);
    if (trust > 0)
        say(reload, "\nthe CA certificates are changed");
    use_conf(reload, &job->conf);
    if (moved) {
        scrape_use(&reload->use.ipc->scrape, job->metrics);
        job->metrics = -1;
    }
    reload->state = RELOAD_RETIRING;
    wsession_retire(reload->use.wsessions);
    origins_retire(reload->use.origins, on_retired, reload);
}

/* ---- reading ---- */

static void on_work(struct worker_job *base)
{
    struct reload_job *job = RQV_LIST_OF(base, struct reload_job, job);
    FILE *errors = open_memstream(&job->errors, &job->errors_len);
    struct rqv_err err = {0};

    if (!errors) {
        job->code = -ENOMEM;
        return;
    }
    job->code = options_make_conf(job->options, &job->conf, errors);
    if (job->code == 0) {
        job->code = tls_roots_read(job->conf.ca_file, &job->roots, &err);
        if (job->code < 0)
            fprintf(errors, "ca_file: %s\n", err.detail);
    }
    if (fclose(errors) != 0 && job->code == 0)
        job->code = -ENOMEM;
}

static void job_free(struct reload_job *job)
{
    if (job->metrics >= 0)
        close(job->metrics);
    tls_roots_free(job->roots);
    conf_done(&job->conf);
    free(job->errors);
    free(job);
}

static void on_done(struct worker_job *base)
{
    struct reload_job *job = RQV_LIST_OF(base, struct reload_job, job);
    struct reload *reload = job->reload;

    if (reload->ending) {
        job_free(job);
        return;
    }
    if (job->code < 0)
        say(reload, "%s", job->errors && job->errors_len ? job->errors : strerror(-job->code));
    else
        job->code = metrics_listen(reload, job);
    if (job->code < 0)
        finish(reload, job->code);
    else
        swap(reload, job);
    job_free(job);
}

static int submit(struct reload *reload)
{
    int rc = reload->worker ? 0 : worker_new(reload->use.loop, 1, 1, &reload->worker);
    struct reload_job *job = rc < 0 ? NULL : calloc(1, sizeof(*job));

    if (!job)
        return rc < 0 ? rc : -ENOMEM;
    job->metrics = -1;
    job->job.work = on_work;
    job->job.done = on_done;
    job->reload = reload;
    job->options = reload->use.options;
    rc = worker_submit(reload->worker, &job->job);
    if (rc < 0)
        job_free(job);
    return rc;
}

static void start(struct reload *reload)
{
    reload->again = false;
    reload->text[0] = '\0';
    reload->state = RELOAD_READING;
    notify_reloading(reload->use.notify);
    int rc = submit(reload);
    if (rc < 0) {
        say(reload, "no thread could be had to read the configuration: %s", strerror(-rc));
        finish(reload, rc);
    }
}

void reload_ask(struct reload *reload, struct ipc_asker *asker)
{
    bool idle = reload->state == RELOAD_IDLE;

    if (asker)
        rqv_list_append(idle ? &reload->askers : &reload->later, &asker->node);
    if (idle)
        start(reload);
    else
        reload->again = true;
}

/* ---- life ---- */

void reload_init(struct reload *reload, const struct reload_parts *parts)
{
    memset(reload, 0, sizeof(*reload));
    reload->use = *parts;
    rqv_list_init(&reload->askers);
    rqv_list_init(&reload->later);
}

void reload_done(struct reload *reload)
{
    reload->ending = true;
    worker_free(reload->worker);
    reload->worker = NULL;
    tell(&reload->askers, REQIVO_E_SHUTDOWN, rqv_err_text(REQIVO_E_SHUTDOWN));
    tell(&reload->later, REQIVO_E_SHUTDOWN, rqv_err_text(REQIVO_E_SHUTDOWN));
}
