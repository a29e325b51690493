/* SPDX-License-Identifier: MIT */
/*
 * conf_table - every setting: its section, name, kind, bounds and default, and the text of values both ways.
 * Only conf.c, conf_change.c and the tests include this.
 */
#ifndef DAEMON_BASE_CONF_TABLE_H
#define DAEMON_BASE_CONF_TABLE_H

#include "daemon/base/conf.h"

#include <stddef.h>
#include <stdint.h>

enum conf_kind {
    CONF_COUNT,   /* uint32_t: a number */
    CONF_TIME,    /* uint32_t in ms: a number of ms, or with ms, s, min, h, d */
    CONF_SECONDS, /* uint32_t in s, written as CONF_TIME */
    CONF_BYTES,   /* uint64_t: a number, or with KiB, MiB, GiB */
    CONF_PATH,    /* char[size]: absolute, or "" where min is 0 */
    CONF_WORD,    /* char[size]: one of `words` */
    CONF_SWITCH,  /* int8_t: refuse 0, allow 1, auto -1 where min is set */
    CONF_BOOL,    /* bool: refuse, allow */
    CONF_LISTEN,  /* struct rqv_addr: a loopback address and a port, or "" */
    CONF_NETS,    /* struct rqv_net[CONF_NETS_MAX] and its count */
    CONF_USERS,   /* uint32_t[CONF_NETS_MAX] and its count: names or numbers */
    CONF_MEMBERS, /* struct conf_member[CONF_NETS_MAX] and its count: users, or groups with @ */
};

struct conf_entry {
    const char *section; /* "" is the top level */
    const char *name;
    const char *fallback; /* the default, as a file would have it; of lists: "" */
    const char *words;    /* of CONF_WORD: "a|b|c"; of CONF_TIME: "auto" where that is one, else NULL */
    uint64_t min, max;    /* of numbers; of texts: min 0 allows "" */
    size_t offset;        /* in struct conf */
    size_t count_offset;  /* of lists */
    enum conf_kind kind;
};

#define CONF_VALUE_MAX 4096
#define CONF_WHY_MAX   256

extern const struct conf_entry conf_table[]; /* sections stand together */
extern const size_t conf_table_count;

static inline int conf_is_list(const struct conf_entry *entry)
{
    return entry->kind == CONF_NETS || entry->kind == CONF_USERS || entry->kind == CONF_MEMBERS;
}

/* Sets a single value or appends to a list, in a struct conf or what else the entry is of. 0, or -EINVAL with
 * what is wrong and what would be right in `why`. */
int conf_value_set(const struct conf_entry *entry, void *conf, const char *text, char why[CONF_WHY_MAX]);
/* A list is emptied, anything else gets its default. */
void conf_value_reset(const struct conf_entry *entry, struct conf *conf);
unsigned conf_list_count(const struct conf_entry *entry, const struct conf *conf);
/* The value as a file would have it, without quotes; `index` counts in lists. */
void conf_value_format(const struct conf_entry *entry, const void *conf, unsigned index, char *text,
                       size_t size);
void conf_net_format(const struct rqv_net *net, char *text, size_t size);
void conf_quote(const char *text, FILE *out); /* a text as a file has it, with its quotes */

#endif
