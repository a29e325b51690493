/* SPDX-License-Identifier: MIT */
/* selfcheck - gathers the facts, and judges them. */
#include "daemon/selfcheck.h"

#include "daemon/ipc/ipc.h"
#include "proto/http1.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define UIDS_MIN  65534      /* 0 to 65533: every user, system user and nobody's neighbour of a host */
#define CLOCK_MIN 1672531200 /* 2023-01-01: no reqivo ran before */
#define CLOCK_MAX 4102444800 /* 2100-01-01 */

__attribute__((format(printf, 4, 5))) static int refuse(char *why, size_t size, int status,
                                                        const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, size, format, args);
    va_end(args);
    return status;
}

/* ---- facts ---- */

uint64_t selfcheck_uids(const char *uid_map)
{
    uint64_t end = 0, inside, outside, count;
    bool more = true;

    /* The lines may stand in any order: go on as long as one begins where the others end. */
    while (more) {
        more = false;
        for (const char *line = uid_map; line && *line; line = strchr(line, '\n')) {
            line += *line == '\n';
            if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &outside, &count) != 3)
                continue;
            if (inside <= end && inside + count > end) {
                end = inside + count;
                more = true;
            }
        }
    }
    return end;
}

static int gather_uids(struct selfcheck_facts *facts)
{
    char text[4096]; /* the kernel takes 340 lines, but no more than a page of them at once */
    FILE *file = fopen("/proc/self/uid_map", "re");
    size_t len;

    if (!file)
        return -errno;
    len = fread(text, 1, sizeof(text) - 1, file);
    int rc = ferror(file) ? -EIO : 0;
    fclose(file);
    text[len] = '\0';
    facts->uids = selfcheck_uids(text);
    return rc;
}

static int gather_capabilities(struct selfcheck_facts *facts)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

    if (syscall(SYS_capget, &header, sets) < 0)
        return -errno;
    facts->capabilities = 0;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        facts->capabilities |= (uint64_t)(sets[i].effective | sets[i].permitted | sets[i].inheritable)
                               << (32 * i);
    return 0;
}

/* The limits of accounts follow the descriptors that there are. */
static int gather_nofile(struct selfcheck_facts *facts)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    if (limit.rlim_cur < limit.rlim_max && limit.rlim_cur < SELFCHECK_NOFILE_MAX) {
        rlim_t old = limit.rlim_cur;

        limit.rlim_cur = limit.rlim_max < SELFCHECK_NOFILE_MAX ? limit.rlim_max : SELFCHECK_NOFILE_MAX;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            limit.rlim_cur = old;
    }
    facts->nofile = limit.rlim_cur < SELFCHECK_NOFILE_MAX ? limit.rlim_cur : SELFCHECK_NOFILE_MAX;
    return 0;
}

int selfcheck_gather(struct selfcheck_facts *ret_facts, char *why, size_t why_size)
{
    struct selfcheck_facts facts = {.uid = geteuid(), .overflow_uid = ipc_overflow_uid()};
    int rc;

    if ((rc = gather_uids(&facts)) < 0)
        return refuse(why, why_size, EX_OSERR, "/proc/self/uid_map cannot be read: %s", strerror(-rc));
    if ((rc = gather_capabilities(&facts)) < 0)
        return refuse(why, why_size, EX_OSERR, "capget: %s", strerror(-rc));
    if ((rc = gather_nofile(&facts)) < 0)
        return refuse(why, why_size, EX_OSERR, "getrlimit: %s", strerror(-rc));
    facts.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    facts.dumpable = prctl(PR_GET_DUMPABLE) != 0;
    facts.now_s = time(NULL);
    *ret_facts = facts;
    return 0;
}

/* ---- judgement ---- */

/* What nothing that serves several users may lack. */
static int judge_system(const struct selfcheck_facts *facts, char *why, size_t size)
{
    if (facts->uids < UIDS_MIN)
        return refuse(why, size, EX_SOFTWARE,
                      "only %" PRIu64
                      " uids can be told apart in this user namespace, not the host's %d: its "
                      "users would be one to the daemon; set PrivateUsers=no in the unit",
                      facts->uids, UIDS_MIN);
    if (facts->uid == 0)
        return refuse(why, size, EX_SOFTWARE,
                      "the system service does not run as root; set User=reqivo in the unit");
    if (facts->capabilities)
        return refuse(why, size, EX_SOFTWARE,
                      "the system service needs no capability, but has 0x%" PRIx64
                      "; set CapabilityBoundingSet= and AmbientCapabilities= to nothing in the unit",
                      facts->capabilities);
    if (!facts->no_new_privs)
        return refuse(why, size, EX_SOFTWARE,
                      "the system service could gain privileges; set NoNewPrivileges=yes in the unit");
    return 0;
}

int selfcheck_judge(const struct selfcheck_facts *facts, bool system, char *why, size_t why_size)
{
    if (facts->uid == facts->overflow_uid)
        return refuse(why, why_size, EX_SOFTWARE,
                      "uid %u stands for all users that cannot be told apart: run the daemon as a user who "
                      "has a uid of his own here",
                      facts->uid);
    if (facts->dumpable)
        return refuse(why, why_size, EX_SOFTWARE,
                      "the kernel did not take PR_SET_DUMPABLE: a core would show everybody's credentials");
    if (facts->nofile < SELFCHECK_NOFILE_MIN)
        return refuse(why, why_size, EX_OSERR,
                      "only %" PRIu64 " descriptors are allowed (RLIMIT_NOFILE); at least %d are needed",
                      facts->nofile, SELFCHECK_NOFILE_MIN);
    if (facts->now_s < CLOCK_MIN || facts->now_s >= CLOCK_MAX)
        return refuse(why, why_size, EX_OSERR,
                      "the clock says second %" PRId64 " since 1970, which cannot be: set it, since "
                      "certificates are judged by it",
                      facts->now_s);
    return system ? judge_system(facts, why, why_size) : 0;
}

int selfcheck_canaries(char *why, size_t why_size)
{
    const char *which = "?";

    if (rqv_http1_canaries(&which) < 0)
        return refuse(why, why_size, EX_SOFTWARE,
                      "the HTTP parser of this system judges '%s' wrongly; refusing to run with it", which);
    return 0;
}
