/* SPDX-License-Identifier: MIT */
/*
 * options - owns the reading of argv and the choice of configuration file and socket.
 *
 * Which instance is it? The system service listens in REQIVO_RUNDIR; whatever listens elsewhere is a user's
 * own or an ephemeral one, which has no more authority than whoever started it (design.md 5), unless --system
 * says otherwise. A user who has a runtime folder and names no socket gets his own one there.
 */
#include "daemon/options.h"

#include "common/control_path.h"
#include "config.h"
#include "daemon/base/loop.h"

#include <ares.h>
#include <confuse.h>
#include <errno.h>
#include <idn2.h>
#include <libpsl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct option_name {
    const char *name;
    const char *value; /* how the help calls its value; NULL when it takes none */
    const char *help;
    enum options_verb verb;
};

static const struct option_name names[] = {
    {"--socket", "PATH", "listen on PATH", OPTIONS_RUN},
    {"--control", "PATH", "listen for reqivoctl on PATH", OPTIONS_RUN},
    {"--config", "FILE", "read FILE instead of the default configuration", OPTIONS_RUN},
    {"--system", NULL, "be the system service: refuse to run where the system unit's protection is missing",
     OPTIONS_RUN},
    {"--on-demand", NULL, "as libreqivo-client starts it: end when idle", OPTIONS_RUN},
    {"--check-config", NULL, "read the configuration, say what is wrong with it, and end",
     OPTIONS_CHECK_CONFIG},
    {"--explain", "QUESTION", "say which rule decides about \"USER METHOD URL\", and end", OPTIONS_RUN},
    {"--dump-config", NULL, "print the settings in effect, and end", OPTIONS_DUMP_CONFIG},
    {"--version", NULL, "print the versions of reqivod and its libraries, and end", OPTIONS_VERSION},
    {"--help", NULL, "print this, and end", OPTIONS_HELP},
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* ---- argv ---- */

/* The option that `argument` names; *ret_value is what stands behind "=", or NULL. */
static const struct option_name *option_find(const char *argument, const char **ret_value)
{
    size_t len = strcspn(argument, "=");

    for (size_t i = 0; i < NAMES; i++)
        if (strlen(names[i].name) == len && strncmp(names[i].name, argument, len) == 0) {
            *ret_value = argument[len] ? argument + len + 1 : NULL;
            return &names[i];
        }
    return NULL;
}

static void option_set(struct options *options, const struct option_name *option, const char *value)
{
    if (strcmp(option->name, "--system") == 0)
        options->system = true;
    else if (strcmp(option->name, "--on-demand") == 0)
        options->on_demand = true;
    else if (!option->value)
        options->verb = option->verb;
    else if (strcmp(option->name, "--socket") == 0)
        options->socket = value;
    else if (strcmp(option->name, "--explain") == 0)
        options->explain = value;
    else if (strcmp(option->name, "--control") == 0)
        options->control = value;
    else
        options->config = value;
}

static bool path_fits(const char *path, const char *option, FILE *errors)
{
    if (!path || (path[0] == '/' && strlen(path) < sizeof(((struct conf *)0)->socket)))
        return true;
    fprintf(errors, "reqivod: %s needs an absolute path of at most %zu bytes\n", option,
            sizeof(((struct conf *)0)->socket) - 1);
    return false;
}

int options_parse(int argc, char *const argv[], struct options *ret_options, FILE *errors)
{
    struct options options = {.verb = OPTIONS_RUN};

    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        const struct option_name *option = option_find(argv[i], &value);

        if (!option) {
            fprintf(errors, "reqivod: %s '%s' (see reqivod --help)\n",
                    argv[i][0] == '-' ? "unknown option" : "unexpected argument", argv[i]);
            return -EINVAL;
        }
        if (option->value && !value && i + 1 < argc)
            value = argv[++i];
        if (!option->value != !value || (value && !*value)) {
            fprintf(errors, "reqivod: option %s %s\n", option->name,
                    option->value ? "needs a value" : "takes no value");
            return -EINVAL;
        }
        option_set(&options, option, value);
    }
    if (!path_fits(options.socket, "--socket", errors) || !path_fits(options.control, "--control", errors))
        return -EINVAL;
    *ret_options = options;
    return 0;
}

void options_print_help(FILE *out)
{
    fputs("Usage: reqivod [OPTION]...\n"
          "Owns the outgoing HTTP connections of this host, for programs that use libreqivo-client.\n"
          "Runs in the foreground until SIGTERM, which lets requests in flight finish.\n\n",
          out);
    for (size_t i = 0; i < NAMES; i++) {
        char left[32];

        snprintf(left, sizeof(left), "%s%s%s", names[i].name, names[i].value ? "=" : "",
                 names[i].value ? names[i].value : "");
        fprintf(out, "  %-16s  %s\n", left, names[i].help);
    }
    fputs("\nExit status: 0 done, 64 wrong usage, 70 a self-check failed, 71 the system refused something,\n"
          "73 or 77 the socket could not be made, 78 wrong configuration.\n"
          "See reqivod(8) and reqivod.conf(5).\n",
          out);
}

void options_print_version(FILE *out)
{
    int ev_major, ev_minor;

    loop_library_version(&ev_major, &ev_minor);
    fprintf(out, "reqivod %s\n", PACKAGE_VERSION);
    fprintf(out, "libev %d.%d\n", ev_major, ev_minor);
    fprintf(out, "%s\n", OpenSSL_version(OPENSSL_VERSION));
    fprintf(out, "c-ares %s\n", ares_version(NULL));
    fprintf(out, "libconfuse %s\n", confuse_version);
    fprintf(out, "libidn2 %s\n", idn2_check_version(NULL));
    fprintf(out, "libpsl %s\n", psl_get_version());
}

/* ---- the settings of this run ---- */

/* The runtime folder of the user who runs this; NULL for root and where there is none. */
static const char *user_runtime_dir(void)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");

    return geteuid() != 0 && dir && dir[0] == '/' ? dir : NULL;
}

/* Empty when there is no such path, or it is too long to be one. */
static void default_config(bool on_demand, char *path, size_t size)
{
    const char *dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;

    if (!user_runtime_dir() && !on_demand)
        n = snprintf(path, size, "%s/reqivod.conf", REQIVO_SYSCONFDIR);
    else if (dir && dir[0] == '/')
        n = snprintf(path, size, "%s/reqivo/reqivod.conf", dir);
    else if (home && home[0] == '/')
        n = snprintf(path, size, "%s/.config/reqivo/reqivod.conf", home);
    if (n < 0 || (size_t)n >= size)
        path[0] = '\0';
}

void options_settle(struct options *options)
{
    const char *runtime = user_runtime_dir();
    size_t size = sizeof(options->own_socket);
    int n = 0;

    default_config(options->on_demand, options->default_file, sizeof(options->default_file));
    options->file = options->config ? options->config : options->default_file;
    if (!options->file[0])
        options->file = NULL;
    options->file_needed = options->file && (options->config || access(options->file, F_OK) == 0);
    if (runtime)
        n = snprintf(options->own_socket, size, "%s/reqivo/reqivo.sock", runtime);
    if (n <= 0 || (size_t)n >= size)
        options->own_socket[0] = '\0';
}

static int load_file(const struct options *options, struct conf *conf, FILE *errors)
{
    int rc;

    if (!options->file)
        return 0;
    rc = conf_load(conf, options->file, errors);
    if (rc == -ENOENT && !options->file_needed)
        return 0;
    if (rc < 0 && rc != -EINVAL)
        fprintf(errors, "%s: cannot be read: %s\n", options->file, strerror(-rc));
    return rc;
}

static void settle_socket(const struct options *options, const char *default_socket, struct conf *conf)
{
    static const char rundir[] = REQIVO_RUNDIR "/";

    if (options->socket)
        snprintf(conf->socket, sizeof(conf->socket), "%s", options->socket);
    else if (options->own_socket[0] && strcmp(conf->socket, default_socket) == 0)
        memcpy(conf->socket, options->own_socket, sizeof(conf->socket));
    conf->user_instance = !options->system && strncmp(conf->socket, rundir, sizeof(rundir) - 1) != 0;
}

static int settle_control(const struct options *options, struct conf *conf, FILE *errors)
{
    if (options->control)
        snprintf(conf->control_socket, sizeof(conf->control_socket), "%s", options->control);
    if (conf->control_socket[0] ||
        rqv_control_path(conf->socket, conf->control_socket, sizeof(conf->control_socket)) == 0)
        return 0;
    fprintf(errors,
            "reqivod: the control socket has no place beside %s, whose path is too long: name a shorter "
            "one with --control\n",
            conf->socket);
    return -EINVAL;
}

int options_make_conf(const struct options *options, struct conf *ret_conf, FILE *errors)
{
    struct conf *conf = malloc(sizeof(*conf));
    char default_socket[sizeof(conf->socket)];
    int rc;

    if (!conf)
        return -ENOMEM;
    conf_defaults(conf);
    conf->on_demand = options->on_demand;
    memcpy(default_socket, conf->socket, sizeof(default_socket));
    rc = load_file(options, conf, errors);
    if (rc == 0) {
        settle_socket(options, default_socket, conf);
        rc = settle_control(options, conf, errors);
        *ret_conf = *conf;
    } else {
        conf_done(conf);
    }
    free(conf);
    return rc;
}
