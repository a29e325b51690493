/* SPDX-License-Identifier: MIT */
/*
 * main - owns struct daemon: makes the parts in order, runs the loop, and ends them in the opposite order.
 *
 *   options ─> settings ─> start_steps[] ─> READY=1 ─> loop_run ─(TERM, INT)─> drain ─> loop_stop
 *     ─> stop in reverse                                    '─(HUP)─> reload.c
 *
 * Exit status: 0; the codes of sysexits.h that reqivod(8) lists.
 */
#include "config.h"
#include "daemon/base/account.h"
#include "daemon/base/conf.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/base/queue.h"
#include "daemon/base/worker.h"
#include "daemon/explain.h"
#include "daemon/ipc/ipc.h"
#include "daemon/net/dial.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/reload.h"
#include "daemon/selfcheck.h"
#include "daemon/upstream/origins.h"
#include "daemon/work/exchange.h"
#include "daemon/work/jar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

struct daemon {
    struct options options;
    struct conf conf;
    uint64_t nofile;
    uint64_t hash_key[2]; /* of all tables whose keys come from strangers */
    struct loop *loop;
    struct accounts accounts;
    struct loop_signal on_term, on_int, on_hup;
    bool hup_ignored;  /* by whoever started us, such as nohup(1) */
    bool has_terminal; /* it was started from one: its end is ours, too */
    struct notify notify;
    struct worker *trusts; /* parses certificates */
    struct queue_pool queues;
    struct dial_net net;
    struct origins origins;
    struct exchange_env exchanges;
    struct wsession_env wsessions;
    struct reload reload;
    struct ipc_asker hangup; /* of SIGHUP, while its reload lasts */
    int metrics; /* the socket of metrics.listen, until the one who answers there is made; or -1 */
    struct ipc ipc;
};

/* A part of the daemon. start answers 0, or the exit status after one line in the log. */
struct start_step {
    const char *name;
    int (*start)(struct daemon *daemon);
    void (*stop)(struct daemon *daemon); /* may be NULL */
};

/* ---- process ---- */

/* What is inherited from whoever started us decides nothing but this: a variable that some library reads
 * (a resolver's options, a locale, a loader's path) does not. security.md D3. */
static int environment_clear(void)
{
    static const char *const kept[] = {"NOTIFY_SOCKET", "LISTEN_PID",   "LISTEN_FDS",    "LISTEN_FDNAMES",
                                       "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"};
    enum { KEPT = sizeof(kept) / sizeof(kept[0]) };
    char *values[KEPT];
    int rc = 0;

    for (size_t i = 0; i < KEPT; i++) {
        const char *value = getenv(kept[i]);
        values[i] = value ? strdup(value) : NULL;
        if (value && !values[i])
            rc = EX_OSERR;
    }
    clearenv();
    for (size_t i = 0; i < KEPT; i++) {
        if (values[i] && setenv(kept[i], values[i], 1) != 0)
            rc = EX_OSERR;
        free(values[i]);
    }
    return rc;
}

/* Who starts us on demand hands over what it had, all blocked: libclient/spawn.c. */
static void signals_reset(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* KILL and STOP have no other */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int process_start(struct daemon *daemon)
{
    if (environment_clear() != 0)
        return EX_OSERR;
    if (daemon->options.on_demand)
        signals_reset();
    umask(0077);
    /* a core, or a debugger of the same user, would show everybody's credentials */
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    return 0;
}

/* A line about the daemon's own life. */
static void tell(const struct daemon *daemon, enum log_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void tell(const struct daemon *daemon, enum log_id id, const char *format, ...)
{
    struct log_fields fields;
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);

    log_fields_init(&fields);
    log_field(&fields, "VERSION", "%s", PACKAGE_VERSION);
    log_field(&fields, "INSTANCE", "%s", daemon->conf.user_instance ? "user" : "system");
    log_field(&fields, "SOCKET", "%s", daemon->conf.socket);
    log_event(LOG_LEVEL_NOTICE, id, &fields, "reqivod %s: %s", PACKAGE_VERSION, text);
}

static int log_begin(struct daemon *daemon)
{
    int level = log_level_from_name(daemon->conf.log_level);

    if (daemon->options.on_demand)
        log_detach();
    int rc = log_start(level < 0 ? LOG_LEVEL_INFO : (enum log_level)level);

    if (rc < 0)
        log_error("start: the log's thread could not be made: %s", strerror(-rc));
    else
        tell(daemon, LOG_ID_STARTED, "starts");
    return rc < 0 ? EX_OSERR : 0;
}

static void log_end(struct daemon *daemon)
{
    (void)daemon;
    log_stop();
}

static int selfcheck_start(struct daemon *daemon)
{
    struct selfcheck_facts facts;
    char why[256] = "";
    int status = selfcheck_gather(&facts, why, sizeof(why));

    if (status == 0)
        status = selfcheck_judge(&facts, daemon->options.system, why, sizeof(why));
    if (status == 0)
        status = selfcheck_canaries(why, sizeof(why));
    if (status == 0)
        daemon->nofile = facts.nofile;
    else
        log_error("start: self-check: %s", why);
    return status;
}

static int entropy_start(struct daemon *daemon)
{
    if (getrandom(daemon->hash_key, sizeof(daemon->hash_key), 0) != (ssize_t)sizeof(daemon->hash_key)) {
        log_error("start: getrandom: %s", strerror(errno));
        return EX_OSERR;
    }
    return 0;
}

/* ---- loop and accounts ---- */

static int loop_begin(struct daemon *daemon)
{
    int rc = loop_new(&daemon->loop);

    if (rc < 0)
        log_error("start: the event loop could not be made: %s", strerror(-rc));
    return rc < 0 ? EX_OSERR : 0;
}

static void loop_end(struct daemon *daemon)
{
    loop_free(daemon->loop);
    daemon->loop = NULL;
}

static int accounts_start(struct daemon *daemon)
{
    int rc = accounts_init(&daemon->accounts, daemon->loop, daemon->hash_key);

    if (rc < 0) {
        log_error("start: accounts: %s", strerror(-rc));
        return EX_OSERR;
    }
    if (!accounts_configure(&daemon->accounts, &daemon->conf, daemon->nofile))
        log_warning("start: limits.peers_total and limits.connections_total are cut to %zu and %zu by "
                    "RLIMIT_NOFILE=%" PRIu64,
                    daemon->accounts.limit_all[ACCOUNT_PEERS], daemon->accounts.limit_all[ACCOUNT_CONNS],
                    daemon->nofile);
    return 0;
}

/* Objects that end in a FREE task give back what they hold first. */
static void accounts_stop(struct daemon *daemon)
{
    loop_settle(daemon->loop);
    accounts_done(&daemon->accounts);
}

/* ---- upstream ---- */

static int net_make(struct daemon *daemon)
{
    struct rqv_err err = {0};
    struct dial_net *net = &daemon->net;

    queue_pool_init(&daemon->queues, &daemon->accounts);
    net->loop = daemon->loop;
    net->conf = &daemon->conf;
    int rc = worker_new(daemon->loop, 1, RQV_WIRE_TRUST_PER_USER, &daemon->trusts);
    if (rc < 0) {
        log_error("start: threads could not be made: %s", strerror(-rc));
        return EX_OSERR;
    }
    rc = resolver_new(daemon->loop, &daemon->conf, daemon->hash_key, &net->resolver);
    if (rc < 0) {
        log_error("start: the resolver: %s", strerror(-rc));
        return EX_OSERR;
    }
    struct tls_setup setup = {.loop = daemon->loop,
                              .worker = daemon->trusts,
                              .ca_file = daemon->conf.ca_file,
                              .hash_key = daemon->hash_key};
    if (tls_new(&setup, &net->tls, &err) < 0) {
        log_error("start: ca_file: %s", err.detail);
        return EX_CONFIG;
    }
    const char *unsound = tls_unsound(net->tls);
    if (unsound)
        log_error("start: self-check: TLS of this system is unfit: %s", unsound);
    return unsound ? EX_SOFTWARE : 0;
}

static void net_stop(struct daemon *daemon)
{
    loop_settle(daemon->loop);
    worker_free(daemon->trusts);
    resolver_free(daemon->net.resolver);
    loop_settle(daemon->loop);
    tls_free(daemon->net.tls);
    queue_pool_done(&daemon->queues);
}

/* All of it or nothing: what was made before the part that failed is ended again. */
static int net_start(struct daemon *daemon)
{
    int status = net_make(daemon);

    if (status != 0)
        net_stop(daemon);
    return status;
}

static int origins_start(struct daemon *daemon)
{
    return origins_init(&daemon->origins, &daemon->net, daemon->hash_key);
}

static void origins_stop(struct daemon *daemon)
{
    origins_done(&daemon->origins);
}

static int exchanges_start(struct daemon *daemon)
{
    exchange_env_init(&daemon->exchanges, daemon->loop, &daemon->conf);
    daemon->exchanges.origins = &daemon->origins;
    daemon->exchanges.tls = daemon->net.tls;
    memcpy(daemon->exchanges.hash_key, daemon->hash_key, sizeof daemon->exchanges.hash_key);
    if (jar_suffixes_new(&daemon->exchanges.suffixes) < 0) {
        log_error("start: the list of public suffixes (libpsl) could not be read");
        return EX_OSFILE;
    }
    wsession_env_init(&daemon->wsessions, daemon->loop, &daemon->conf);
    daemon->wsessions.net = &daemon->net;
    daemon->wsessions.origins = &daemon->origins;
    return 0;
}

static void exchanges_stop(struct daemon *daemon)
{
    wsession_env_done(&daemon->wsessions);
    loop_settle(daemon->loop);
    exchange_env_done(&daemon->exchanges);
    jar_suffixes_free(daemon->exchanges.suffixes);
    daemon->exchanges.suffixes = NULL;
}

static int reload_start(struct daemon *daemon)
{
    struct reload_parts parts = {
        .loop = daemon->loop,
        .options = &daemon->options,
        .conf = &daemon->conf,
        .accounts = &daemon->accounts,
        .tls = daemon->net.tls,
        .origins = &daemon->origins,
        .wsessions = &daemon->wsessions,
        .notify = &daemon->notify,
        .ipc = &daemon->ipc,
        .nofile = daemon->nofile,
    };

    reload_init(&daemon->reload, &parts);
    return 0;
}

static void reload_stop(struct daemon *daemon)
{
    reload_done(&daemon->reload);
}

static void reload_for_ipc(void *owner, struct ipc_asker *asker)
{
    struct daemon *daemon = owner;

    reload_ask(&daemon->reload, asker);
}

/* ---- the socket ---- */

static int ipc_exit_status(int rc)
{
    if (rc == -EACCES || rc == -EPERM)
        return EX_NOPERM;
    return EX_CANTCREAT;
}

/* The environment is gone by now, but with it the socket would be elsewhere. */
static const char *socket_hint(const struct daemon *daemon)
{
    if (daemon->options.socket || daemon->conf.user_instance || geteuid() == 0)
        return "";
    return "; this is the system service's place: name another one with --socket, or set XDG_RUNTIME_DIR";
}

static int metrics_start(struct daemon *daemon)
{
    char why[256] = "";
    int rc = scrape_listen(&daemon->conf.metrics_listen, &daemon->metrics, why, sizeof(why));

    if (rc < 0)
        log_error("start: %s", why);
    return rc < 0 ? ipc_exit_status(rc) : 0;
}

static void metrics_stop(struct daemon *daemon)
{
    if (daemon->metrics >= 0)
        close(daemon->metrics);
}

static void on_stop_signal(void *owner);

static void on_drain_asked(void *owner)
{
    struct daemon *daemon = owner;

    if (!daemon->ipc.draining)
        on_stop_signal(daemon);
}

static int socket_start(struct daemon *daemon)
{
    char why[256] = "";
    struct ipc_params params = {
        .loop = daemon->loop,
        .conf = &daemon->conf,
        .accounts = &daemon->accounts,
        .env = &daemon->exchanges,
        .wsessions = &daemon->wsessions,
        .origins = &daemon->origins,
        .tls = daemon->net.tls,
        .hash_key = {daemon->hash_key[0], daemon->hash_key[1]},
        .reload = reload_for_ipc,
        .drain = on_drain_asked,
        .daemon = daemon,
    };

    if (getrandom(&params.instance, sizeof(params.instance), 0) != (ssize_t)sizeof(params.instance))
        return EX_OSERR;
    int rc = ipc_start(&daemon->ipc, &params, why, sizeof(why));
    if (rc < 0)
        log_error("start: socket: %s%s", why, socket_hint(daemon));
    if (rc < 0)
        return ipc_exit_status(rc);
    scrape_use(&daemon->ipc.scrape, daemon->metrics);
    daemon->metrics = -1;
    return 0;
}

static void socket_stop(struct daemon *daemon)
{
    ipc_done(&daemon->ipc);
}

/* ---- signals, drain, signs of life ---- */

static void on_stop_signal(void *owner)
{
    struct daemon *daemon = owner;

    if (daemon->ipc.draining) {
        log_notice("stop: asked a second time; not waiting any longer");
        loop_stop(daemon->loop);
        return;
    }
    tell(daemon, LOG_ID_STOPPING, "stop: asked to; draining for at most %u ms", daemon->conf.drain_ms);
    ipc_drain(&daemon->ipc);
    notify_stopping(&daemon->notify, daemon->conf.drain_ms);
}

/* Of the terminal that controls this process. */
static bool terminal_is_there(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return errno != ENXIO && errno != EIO && errno != ENOENT;
    close(fd);
    return true;
}

/* The kernel's signal for a terminal that closes is a service's signal for a reload. Who was started from a
 * terminal ends with it; a terminal that closes may send it more than once, and nobody there asks for haste.
 */
static bool hung_up(struct daemon *daemon)
{
    if (!daemon->has_terminal || terminal_is_there())
        return false;
    log_notice("stop: the terminal is gone");
    on_stop_signal(daemon);
    return true;
}

/* The leader of a session that ends sends the signal before it gives the terminal up, so it is looked at once
 * more. */
static void on_reloaded(struct ipc_asker *asker, int code, const char *text)
{
    struct daemon *daemon = RQV_LIST_OF(asker, struct daemon, hangup);

    (void)code; /* the log has it */
    (void)text;
    if (!daemon->ipc.draining)
        (void)hung_up(daemon);
}

static void on_hangup(void *owner)
{
    struct daemon *daemon = owner;

    if (daemon->ipc.draining || hung_up(daemon))
        return;
    reload_ask(&daemon->reload, rqv_list_empty(&daemon->hangup.node) ? &daemon->hangup : NULL);
}

static int signals_start(struct daemon *daemon)
{
    struct sigaction hup;

    daemon->has_terminal = terminal_is_there();
    rqv_list_init(&daemon->hangup.node);
    daemon->hangup.told = on_reloaded;
    daemon->hup_ignored = sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN;
    loop_signal_start(&daemon->on_term, daemon->loop, SIGTERM, on_stop_signal, daemon);
    loop_signal_start(&daemon->on_int, daemon->loop, SIGINT, on_stop_signal, daemon);
    if (!daemon->hup_ignored)
        loop_signal_start(&daemon->on_hup, daemon->loop, SIGHUP, on_hangup, daemon);
    return 0;
}

static void signals_stop(struct daemon *daemon)
{
    loop_signal_stop(&daemon->on_term);
    loop_signal_stop(&daemon->on_int);
    if (!daemon->hup_ignored)
        loop_signal_stop(&daemon->on_hup);
}

static void status_line(void *owner, char *text, size_t size)
{
    struct daemon *daemon = owner;
    const size_t *used = daemon->accounts.used;
    const char *trouble = daemon->reload.trouble;

    snprintf(text, size, "%s %s: %zu programs, %zu requests, %zu connections%s%s",
             daemon->ipc.draining ? "Draining" : "Ready on", daemon->ipc.data.path, used[ACCOUNT_PEERS],
             used[ACCOUNT_REQUESTS], used[ACCOUNT_CONNS],
             *trouble ? "; the last reload changed nothing: " : "", trouble);
}

static int notify_begin(struct daemon *daemon)
{
    notify_start(&daemon->notify, daemon->loop, status_line, daemon);
    return 0;
}

static void notify_end(struct daemon *daemon)
{
    notify_stop(&daemon->notify);
}

/* Who started us reads our standard error until we are ready: what went wrong, and the end. From here on it
 * leads nowhere. */
static int stderr_end(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool ok = fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;

    if (!ok)
        log_error("start: /dev/null: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok ? 0 : EX_OSERR;
}

static int ready_start(struct daemon *daemon)
{
    tell(daemon, LOG_ID_READY, "ready on %s (%s, %" PRIu64 " descriptors)", daemon->ipc.data.path,
         daemon->conf.user_instance ? "user instance" : "system service", daemon->nofile);
    if (daemon->options.on_demand && stderr_end() != 0)
        return EX_OSERR;
    notify_ready(&daemon->notify);
    return 0;
}

/* ---- the order ---- */

static const struct start_step start_steps[] = {
    /* umask and signals before anything makes a file, a thread or a socket */
    {"process", process_start, NULL},
    /* before all that has something to say; its thread is the first one */
    {"log", log_begin, log_end},
    /* before the accounts, whose totals follow the descriptors, and before a byte of a server can be parsed
     */
    {"selfcheck", selfcheck_start, NULL},
    /* before the first table */
    {"entropy", entropy_start, NULL},
    {"loop", loop_begin, loop_end},
    /* as soon as there is a loop: from here on SIGTERM ends what was begun in order */
    {"signals", signals_start, signals_stop},
    /* before everything that charges them */
    {"accounts", accounts_start, accounts_stop},
    /* before the pools that dial through it */
    {"net", net_start, net_stop},
    {"origins", origins_start, origins_stop},
    /* before the peers whose requests they are */
    {"exchanges", exchanges_start, exchanges_stop},
    /* before the programs that may ask for one */
    {"reload", reload_start, reload_stop},
    /* before the socket, whose side answers there */
    {"metrics", metrics_start, metrics_stop},
    /* as late as can be: from here on programs connect */
    {"socket", socket_start, socket_stop},
    /* last but one: until now the start counts against TimeoutStartSec only */
    {"notify", notify_begin, notify_end},
    /* last: who was told READY may connect */
    {"ready", ready_start, NULL},
};
#define START_STEPS (sizeof(start_steps) / sizeof(start_steps[0]))

static int daemon_run(struct daemon *daemon)
{
    size_t started = 0;
    int status = EX_OK;

    while (started < START_STEPS && status == EX_OK) {
        status = start_steps[started].start(daemon);
        if (status == EX_OK)
            started++;
    }
    if (status == EX_OK)
        loop_run(daemon->loop);
    while (started-- > 0)
        if (start_steps[started].stop)
            start_steps[started].stop(daemon);
    return status;
}

/* The start's own function reads the certificates, so that a file which is fine here is fine there. */
static int check_config(struct daemon *daemon)
{
    struct tls_setup setup = {.ca_file = daemon->conf.ca_file, .hash_key = daemon->hash_key};
    struct rqv_err err = {0};
    struct tls *tls;

    if (tls_new(&setup, &tls, &err) < 0) {
        fprintf(stderr, "reqivod: ca_file: %s\n", err.detail);
        return EX_CONFIG;
    }
    tls_free(tls);
    puts("the configuration is fine");
    return EX_OK;
}

static int run_verb(struct daemon *daemon)
{
    if (daemon->options.verb == OPTIONS_HELP) {
        options_print_help(stdout);
        return EX_OK;
    }
    if (daemon->options.verb == OPTIONS_VERSION) {
        options_print_version(stdout);
        return EX_OK;
    }
    options_settle(&daemon->options);
    if (options_make_conf(&daemon->options, &daemon->conf, stderr) < 0)
        return EX_CONFIG;
    if (daemon->options.explain)
        return explain(&daemon->conf, daemon->options.explain);
    if (daemon->options.verb == OPTIONS_CHECK_CONFIG)
        return check_config(daemon);
    if (daemon->options.verb == OPTIONS_DUMP_CONFIG) {
        conf_dump(&daemon->conf, stdout);
        return EX_OK;
    }
    return daemon_run(daemon);
}

/* What is closed of 0, 1 and 2 becomes /dev/null, opened the wrong way round: else a peer's or a server's
 * socket would get the number, and the log would be written to it. */
static bool hold_std(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

int main(int argc, char *argv[])
{
    struct daemon *daemon;
    int status;

    if (!hold_std())
        return EX_OSERR;
    setlocale(LC_ALL, "C");
    daemon = calloc(1, sizeof(*daemon));
    if (!daemon)
        return EX_OSERR;
    if (options_parse(argc, argv, &daemon->options, stderr) < 0)
        status = EX_USAGE;
    else
        status = run_verb(daemon);
    conf_done(&daemon->conf);
    if (fflush(stdout) != 0 && status == EX_OK)
        status = EX_IOERR;
    free(daemon);
    return status;
}
