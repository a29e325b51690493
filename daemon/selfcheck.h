/* SPDX-License-Identifier: MIT */
/*
 * selfcheck - what must hold before the daemon serves anybody: security.md D1. The facts are gathered in one
 * place and judged in another, so that each refusal can be shown.
 */
#ifndef DAEMON_SELFCHECK_H
#define DAEMON_SELFCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SELFCHECK_NOFILE_MIN 256
#define SELFCHECK_NOFILE_MAX 1048576

struct selfcheck_facts {
    uid_t uid; /* that files and peers see */
    uid_t overflow_uid;
    uint64_t uids;         /* that can be told apart: 0, 1, 2 and so on up to here */
    uint64_t capabilities; /* effective, permitted or inheritable: a bit each */
    bool no_new_privs;
    bool dumpable;
    uint64_t nofile; /* RLIMIT_NOFILE, raised as far as it goes */
    int64_t now_s;   /* since 1970 */
};

/* 0, or an exit status with one line in `why`: something could not be found out. Raises RLIMIT_NOFILE. */
int selfcheck_gather(struct selfcheck_facts *ret_facts, char *why, size_t why_size);
/* 0, or an exit status with one line in `why` that says what is wrong and what to do. system: with all that
 * is demanded of the system service. */
int selfcheck_judge(const struct selfcheck_facts *facts, bool system, char *why, size_t why_size);
/* The HTTP gate and parser, as they are linked now. */
int selfcheck_canaries(char *why, size_t why_size);

/* How many uids from 0 on without a gap the text of /proc/PID/uid_map maps. */
uint64_t selfcheck_uids(const char *uid_map);

#endif
