/* SPDX-License-Identifier: MIT */
/*
 * spawn - a daemon that is nobody's child: fork, setsid, fork, exec. The process in the middle is waited for
 * at once, so the program keeps no zombie and has nothing to do with how the daemon ends.
 *
 * The program may have threads, handlers, and locks that are held in this moment: between fork and exec only
 * what is async-signal-safe is called, _Fork() runs no handler of pthread_atfork(), and all that exec needs
 * is made before. All signals are blocked, and stay so until the daemon itself has reset what it inherited:
 * no handler of the program's runs in a child.
 */
#include "config.h"

#include "libclient/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOCK_FD = 3, FD_LOW = 10, FDS_MAX = 65536, VARIABLES = 3 };

struct spawn {
    const char *program;
    char name[8], option[12], socket_option[9]; /* argv's own: exec wants them writable */
    char *argv[5];
    char *envp[VARIABLES + 1];
    int null, lock, report;
};

const char *rqv_spawn_program(char why[RQV_DETAIL_MAX])
{
    const char *program = secure_getenv("REQIVOD");
    char text[64];

    if (!program || !*program)
        program = REQIVO_SBINDIR "/reqivod";
    if (program[0] != '/') {
        snprintf(why, RQV_DETAIL_MAX, "REQIVOD is no absolute path: %s", program);
        return NULL;
    }
    if (access(program, X_OK) == 0)
        return program;
    snprintf(why, RQV_DETAIL_MAX, "%s cannot be started: %s", program, strerror_r(errno, text, sizeof text));
    return NULL;
}

/* ---- in the children ---- */

static void close_from(unsigned first)
{
    struct rlimit limit;

    if (close_range(first, UINT_MAX, 0) == 0)
        return;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > FDS_MAX)
        limit.rlim_cur = FDS_MAX;
    for (unsigned fd = first; fd < limit.rlim_cur; fd++)
        close((int)fd);
}

static void become_daemon(const struct spawn *spawn) __attribute__((noreturn));
static void become_daemon(const struct spawn *spawn)
{
    static const char failed[] = "reqivod: error: it cannot be executed\n";

    if (dup2(spawn->null, STDIN_FILENO) >= 0 && dup2(spawn->null, STDOUT_FILENO) >= 0 &&
        dup2(spawn->report, STDERR_FILENO) >= 0 && dup2(spawn->lock, LOCK_FD) >= 0 && chdir("/") == 0) {
        close_from(LOCK_FD + 1);
        umask(077);
        execve(spawn->program, spawn->argv, spawn->envp);
    }
    (void)!write(STDERR_FILENO, failed, sizeof failed - 1);
    _exit(127);
}

static int fork_twice(const struct spawn *spawn)
{
    pid_t middle = _Fork();
    int status = 0;

    if (middle < 0)
        return -errno;
    if (middle == 0) {
        setsid();
        pid_t daemon = _Fork();
        if (daemon == 0)
            become_daemon(spawn);
        _exit(daemon < 0 ? errno & 0x7f : 0);
    }
    pid_t waited;
    do {
        waited = waitpid(middle, &status, 0);
    } while (waited < 0 && errno == EINTR);
    /* ECHILD: the program ignores SIGCHLD, or one of its threads waits for everybody's children */
    if (waited == middle && WIFEXITED(status))
        return -WEXITSTATUS(status);
    return 0;
}

/* ---- before ---- */

/* The few that decide where its files are; what else the program has in its environment is not the daemon's
 * business. */
static int make_environment(struct spawn *spawn)
{
    static const char *const names[VARIABLES] = {"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"};
    size_t count = 0;

    for (size_t i = 0; i < VARIABLES; i++) {
        const char *value = secure_getenv(names[i]);
        size_t size = value ? strlen(names[i]) + strlen(value) + 2 : 0;
        char *text = value ? malloc(size) : NULL;

        if (value && !text)
            return -ENOMEM;
        if (!value)
            continue;
        snprintf(text, size, "%s=%s", names[i], value);
        spawn->envp[count++] = text;
    }
    return 0;
}

static int make_arguments(struct spawn *spawn, const char *path)
{
    memcpy(spawn->name, "reqivod", sizeof spawn->name);
    memcpy(spawn->option, "--on-demand", sizeof spawn->option);
    memcpy(spawn->socket_option, "--socket", sizeof spawn->socket_option);
    spawn->argv[0] = spawn->name;
    spawn->argv[1] = spawn->option;
    spawn->argv[2] = spawn->socket_option;
    spawn->argv[3] = strdup(path);
    return spawn->argv[3] ? 0 : -ENOMEM;
}

int rqv_spawn(const char *program, const char *path, int lock, int report)
{
    struct spawn spawn = {.program = program, .lock = lock, .report = report};
    sigset_t all, old;
    int rc = make_arguments(&spawn, path);

    if (rc == 0)
        rc = make_environment(&spawn);
    int low = open("/dev/null", O_RDWR | O_CLOEXEC);
    spawn.null = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, FD_LOW);
    if (rc == 0 && spawn.null < 0)
        rc = -errno;
    if (rc == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        rc = fork_twice(&spawn);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    if (low >= 0)
        close(low);
    if (spawn.null >= 0)
        close(spawn.null);
    free(spawn.argv[3]);
    for (size_t i = 0; i < VARIABLES; i++)
        free(spawn.envp[i]);
    return rc;
}
