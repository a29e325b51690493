/* SPDX-License-Identifier: MIT */
/*
 * conf_table - owns the one table of settings and defaults, and turns text into values and back.
 * doc/man/reqivod.conf.5 shows the same table; tests/integration/test_conf.py compares the two.
 */
#include "daemon/base/conf_table.h"

#include "daemon/base/conf_users.h"

#include "common/err.h"
#include "common/str.h"
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECOND    UINT64_C(1000)
#define HOUR      (3600 * SECOND)
#define DAY       (24 * HOUR)
#define KIB       UINT64_C(1024)
#define MIB       (1024 * KIB)
#define GIB       (1024 * MIB)
#define TIB       (1024 * GIB)
#define AT(field) .offset = offsetof(struct conf, field)

/* clang-format off */
const struct conf_entry conf_table[] = {
    {"", "socket", REQIVO_RUNDIR "/reqivo.sock", NULL, 1, sizeof(((struct conf *)0)->socket) - 1, AT(socket), 0, CONF_PATH},
    {"", "log_level", "info", "error|warning|notice|info|debug", 0, 0, AT(log_level), 0, CONF_WORD},
    {"", "ca_file", "", NULL, 0, sizeof(((struct conf *)0)->ca_file) - 1, AT(ca_file), 0, CONF_PATH},

    {"log", "access", "off", "off|errors|all", 0, 0, AT(log_access), 0, CONF_WORD},

    {"pool", "connections", "8", NULL, 1, 1024, AT(pool_connections), 0, CONF_COUNT},
    {"pool", "idle", "1min", NULL, 1, DAY, AT(pool_idle_ms), 0, CONF_TIME},
    {"pool", "age", "30min", NULL, SECOND, 30 * DAY, AT(pool_age_ms), 0, CONF_TIME},
    {"pool", "uses", "100000", NULL, 1, 1000000000, AT(pool_uses), 0, CONF_COUNT},
    {"pool", "hold_down", "1s", NULL, 0, HOUR, AT(pool_hold_down_ms), 0, CONF_TIME},
    {"pool", "waiters", "4096", NULL, 0, 1000000, AT(pool_waiters), 0, CONF_COUNT},

    {"limits", "memory_uid", "64MiB", NULL, 256 * KIB, TIB, AT(memory_uid), 0, CONF_BYTES},
    {"limits", "memory_total", "256MiB", NULL, MIB, TIB, AT(memory_total), 0, CONF_BYTES},
    {"limits", "peers_uid", "4096", NULL, 1, 1000000, AT(peers_uid), 0, CONF_COUNT},
    {"limits", "peers_total", "0", NULL, 0, 1000000, AT(peers_total), 0, CONF_COUNT},
    {"limits", "requests_uid", "8192", NULL, 1, 10000000, AT(requests_uid), 0, CONF_COUNT},
    {"limits", "requests_total", "32768", NULL, 1, 10000000, AT(requests_total), 0, CONF_COUNT},
    {"limits", "connections_uid", "1024", NULL, 1, 1000000, AT(connections_uid), 0, CONF_COUNT},
    {"limits", "connections_total", "0", NULL, 0, 1000000, AT(connections_total), 0, CONF_COUNT},
    {"limits", "decoded", "16GiB", NULL, 0, TIB, AT(decoded_max), 0, CONF_BYTES},

    {"timeouts", "queue", "30s", NULL, 0, 7 * DAY, AT(timeout_ms[0]), 0, CONF_TIME},
    {"timeouts", "connect", "10s", NULL, 0, 7 * DAY, AT(timeout_ms[1]), 0, CONF_TIME},
    {"timeouts", "tls", "10s", NULL, 0, 7 * DAY, AT(timeout_ms[2]), 0, CONF_TIME},
    {"timeouts", "first_byte", "1min", NULL, 0, 7 * DAY, AT(timeout_ms[3]), 0, CONF_TIME},
    {"timeouts", "stall", "1min", NULL, 0, 7 * DAY, AT(timeout_ms[4]), 0, CONF_TIME},
    {"timeouts", "total", "0", NULL, 0, 7 * DAY, AT(timeout_ms[5]), 0, CONF_TIME},
    {"timeouts", "slow_reader", "5min", NULL, 0, 7 * DAY, AT(slow_reader_ms), 0, CONF_TIME},
    {"timeouts", "drain", "10s", NULL, 0, HOUR, AT(drain_ms), 0, CONF_TIME},
    {"timeouts", "linger", "1min", NULL, 0, 7 * DAY, AT(linger_ms), 0, CONF_TIME},
    {"timeouts", "idle_exit", "auto", "auto", 0, 7 * DAY, AT(idle_exit_ms), 0, CONF_TIME},

    {"dns", "backend", "auto", "auto|c-ares|system", 0, 0, AT(dns_backend), 0, CONF_WORD},
    {"dns", "ttl_max", "1min", NULL, 0, DAY, AT(dns_ttl_max_s), 0, CONF_SECONDS},
    {"dns", "ttl_system", "5s", NULL, 0, DAY, AT(dns_ttl_system_s), 0, CONF_SECONDS},
    {"dns", "entries", "1024", NULL, 0, 1000000, AT(dns_entries), 0, CONF_COUNT},
    {"dns", "timeout", "5s", NULL, 1, 10 * 60 * SECOND, AT(dns_timeout_ms), 0, CONF_TIME},

    {"address_policy", "loopback", "auto", NULL, 1, 0, AT(loopback), 0, CONF_SWITCH},
    {"address_policy", "private", "allow", NULL, 0, 0, AT(private_open), 0, CONF_BOOL},
    {"address_policy", "allow", "", NULL, 0, 0, AT(allow), offsetof(struct conf, allow_count), CONF_NETS},
    {"address_policy", "deny", "", NULL, 0, 0, AT(deny), offsetof(struct conf, deny_count), CONF_NETS},
    {"address_policy", "loopback_users", "", NULL, 0, 0, AT(loopback_uids), offsetof(struct conf, loopback_uid_count), CONF_USERS},

    {"tls", "insecure", "auto", NULL, 1, 0, AT(insecure), 0, CONF_SWITCH},

    {"control", "socket", "", NULL, 0, sizeof(((struct conf *)0)->control_socket) - 1, AT(control_socket), 0, CONF_PATH},
    {"control", "admins", "", NULL, 0, 0, AT(admins), offsetof(struct conf, admin_count), CONF_MEMBERS},

    {"metrics", "listen", "", NULL, 0, 0, AT(metrics_listen), 0, CONF_LISTEN},
    {"metrics", "users", "refuse", NULL, 0, 0, AT(metrics_users), 0, CONF_BOOL},
};
/* clang-format on */
const size_t conf_table_count = sizeof(conf_table) / sizeof(conf_table[0]);

struct unit {
    const char *name;
    uint64_t factor;
};

/* largest first: conf_value_format takes the first that divides */
static const struct unit times[] = {{"d", DAY},    {"h", HOUR}, {"min", 60 * SECOND},
                                    {"s", SECOND}, {"ms", 1},   {NULL, 0}};
static const struct unit bytes[] = {{"TiB", TIB}, {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {NULL, 0}};
static const struct unit none[] = {{NULL, 0}};

static const struct unit *units_of(enum conf_kind kind)
{
    if (kind == CONF_BYTES)
        return bytes;
    return kind == CONF_TIME || kind == CONF_SECONDS ? times : none;
}

static void *field(const struct conf_entry *entry, void *conf)
{
    return (char *)conf + entry->offset;
}

static const void *field_const(const struct conf_entry *entry, const void *conf)
{
    return (const char *)conf + entry->offset;
}

/* ---- numbers ---- */

static void format_number(uint64_t value, const struct unit *units, char *text, size_t size)
{
    for (; units->name; units++)
        if (value && value % units->factor == 0) {
            snprintf(text, size, "%llu%s", (unsigned long long)(value / units->factor), units->name);
            return;
        }
    snprintf(text, size, "%llu", (unsigned long long)value);
}

static int parse_number(const char *text, const struct unit *units, uint64_t *ret_value)
{
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits + strspn(text + digits, " ");
    uint64_t value, factor = 1;

    if (!rqv_str_u64((struct rqv_str){text, digits}, &value))
        return -EINVAL;
    if (*unit) {
        while (units->name && strcmp(units->name, unit) != 0)
            units++;
        if (!units->name)
            return -EINVAL;
        factor = units->factor;
    }
    if (value > UINT64_MAX / factor)
        return -EINVAL;
    *ret_value = value * factor;
    return 0;
}

static const char *number_help(enum conf_kind kind)
{
    if (kind == CONF_BYTES)
        return "a size: write a number of bytes, or one with KiB, MiB, GiB or TiB, as in 64MiB";
    if (kind == CONF_COUNT)
        return "a number";
    return "a time: write a number of milliseconds, or one with ms, s, min, h or d, as in 30s";
}

static int set_number(const struct conf_entry *entry, void *conf, const char *text, char why[CONF_WHY_MAX])
{
    const struct unit *units = units_of(entry->kind);
    char min[32], max[32];
    uint64_t value;
    uint32_t small = CONF_AUTO;

    if (entry->words && strcmp(text, entry->words) == 0) {
        memcpy(field(entry, conf), &small, sizeof(small));
        return 0;
    }
    if (parse_number(text, units, &value) < 0) {
        snprintf(why, CONF_WHY_MAX, "'%.60s' is not %s", text, number_help(entry->kind));
        return -EINVAL;
    }
    if (value < entry->min || value > entry->max) {
        format_number(entry->min, units, min, sizeof(min));
        format_number(entry->max, units, max, sizeof(max));
        snprintf(why, CONF_WHY_MAX, "'%.60s' is out of range: take %s to %s", text, min, max);
        return -EINVAL;
    }
    if (entry->kind == CONF_SECONDS && value % SECOND) {
        snprintf(why, CONF_WHY_MAX, "'%.60s' is not a number of whole seconds", text);
        return -EINVAL;
    }
    if (entry->kind == CONF_BYTES) {
        memcpy(field(entry, conf), &value, sizeof(value));
        return 0;
    }
    small = (uint32_t)(entry->kind == CONF_SECONDS ? value / SECOND : value);
    memcpy(field(entry, conf), &small, sizeof(small));
    return 0;
}

/* ---- words, paths, switches ---- */

static int set_path(const struct conf_entry *entry, void *conf, const char *text, char why[CONF_WHY_MAX])
{
    size_t len = strlen(text);

    if (len > entry->max) {
        snprintf(why, CONF_WHY_MAX, "the path is longer than %llu bytes", (unsigned long long)entry->max);
        return -EINVAL;
    }
    if (text[0] != '/' && (len || entry->min)) {
        snprintf(why, CONF_WHY_MAX, "'%.60s' is not an absolute path", text);
        return -EINVAL;
    }
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            snprintf(why, CONF_WHY_MAX, "the path has a control character in it");
            return -EINVAL;
        }
    memcpy(field(entry, conf), text, len + 1);
    return 0;
}

static int set_word(const struct conf_entry *entry, void *conf, const char *text, char why[CONF_WHY_MAX])
{
    struct rqv_str rest = rqv_str_from(entry->words), word;

    while (rqv_str_split(&rest, '|', &word))
        if (rqv_str_eq(word, rqv_str_from(text))) {
            memcpy(field(entry, conf), text, word.len + 1);
            return 0;
        }
    snprintf(why, CONF_WHY_MAX, "'%.60s' is none of %s", text, entry->words);
    return -EINVAL;
}

static int set_switch(const struct conf_entry *entry, void *conf, const char *text, char why[CONF_WHY_MAX])
{
    int8_t value = strcmp(text, "allow") == 0 ? 1 : 0;
    bool open = value;

    if (entry->min && strcmp(text, "auto") == 0)
        value = -1;
    else if (!value && strcmp(text, "refuse") != 0) {
        snprintf(why, CONF_WHY_MAX, "'%.60s' is none of %sallow|refuse", text, entry->min ? "auto|" : "");
        return -EINVAL;
    }
    if (entry->kind == CONF_BOOL)
        memcpy(field(entry, conf), &open, sizeof(open));
    else
        memcpy(field(entry, conf), &value, sizeof(value));
    return 0;
}

/* "127.0.0.1:9464", "[::1]:9464" */
static bool parse_listen(const char *text, struct rqv_addr *ret_addr)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;

    if (!colon || !rqv_str_u64(rqv_str_from(colon + 1), &port) || port == 0 || port > UINT16_MAX)
        return false;
    struct rqv_str host = {text, (size_t)(colon - text)};
    bool brackets = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (brackets)
        host = (struct rqv_str){host.ptr + 1, host.len - 2};
    return rqv_addr_parse(host.ptr, host.len, (uint16_t)port, ret_addr) &&
           brackets == (ret_addr->family == 6);
}

static int set_listen(const struct conf_entry *entry, void *conf, const char *text, char why[CONF_WHY_MAX])
{
    static const uint8_t one[16] = {[15] = 1}; /* ::1; an IPv4 address in IPv6 is written as IPv4 */
    struct rqv_addr addr = {.family = 0};

    if (text[0] && !parse_listen(text, &addr)) {
        snprintf(why, CONF_WHY_MAX,
                 "'%.60s' is not an address and a port, as in 127.0.0.1:9464 or [::1]:9464", text);
        return -EINVAL;
    }
    if (text[0] && (addr.family == 4 ? addr.bytes[0] != 127 : memcmp(addr.bytes, one, sizeof(one)) != 0)) {
        snprintf(why, CONF_WHY_MAX,
                 "'%.60s' is no loopback address: this is for programs of this host, so take "
                 "one of 127.0.0.0/8, or [::1]",
                 text);
        return -EINVAL;
    }
    memcpy(field(entry, conf), &addr, sizeof(addr));
    return 0;
}

static void format_listen(const struct rqv_addr *addr, char *text, size_t size)
{
    char address[RQV_ADDRESS_MAX] = "";

    if (addr->family)
        rqv_addr_format(addr, address, sizeof(address));
    snprintf(text, size, "%s", address);
}

/* ---- lists ---- */

static unsigned *list_count(const struct conf_entry *entry, void *conf)
{
    return (unsigned *)(void *)((char *)conf + entry->count_offset);
}

unsigned conf_list_count(const struct conf_entry *entry, const struct conf *conf)
{
    return *(const unsigned *)(const void *)((const char *)conf + entry->count_offset);
}

/* "@" stands before groups. */
static int parse_member(const char *text, struct conf_member *ret_member)
{
    ret_member->group = text[0] == '@';
    return ret_member->group ? conf_group_parse(text + 1, &ret_member->id)
                             : conf_user_parse(text, &ret_member->id);
}

static int list_append(const struct conf_entry *entry, void *conf, const char *text, char why[CONF_WHY_MAX])
{
    unsigned *count = list_count(entry, conf);

    if (*count >= CONF_NETS_MAX) {
        snprintf(why, CONF_WHY_MAX, "the list has more than %d entries", CONF_NETS_MAX);
        return -EINVAL;
    }
    if (entry->kind == CONF_NETS) {
        if (!rqv_net_parse(text, (struct rqv_net *)field(entry, conf) + *count)) {
            snprintf(why, CONF_WHY_MAX,
                     "'%.60s' is not an address or prefix, as in 10.0.0.0/8 or 2001:db8::1", text);
            return -EINVAL;
        }
    } else if (entry->kind == CONF_MEMBERS) {
        if (parse_member(text, (struct conf_member *)field(entry, conf) + *count) < 0) {
            snprintf(why, CONF_WHY_MAX, "there is no %s '%.60s' (groups have @ before them)",
                     text[0] == '@' ? "group" : "user", text + (text[0] == '@'));
            return -EINVAL;
        }
    } else if (conf_user_parse(text, (uint32_t *)field(entry, conf) + *count) < 0) {
        snprintf(why, CONF_WHY_MAX, "there is no user '%.60s'", text);
        return -EINVAL;
    }
    ++*count;
    return 0;
}

void conf_net_format(const struct rqv_net *net, char *text, size_t size)
{
    char address[RQV_ADDRESS_MAX];
    struct rqv_addr base = net->base;
    const char *from = address;
    size_t len;

    base.port = 0;
    rqv_addr_format(&base, address, sizeof(address)); /* "192.0.2.1:0", "[2001:db8::]:0" */
    len = strlen(address);
    len -= len > 2 ? 2 : 0; /* ":0" */
    if (base.family == 6 && len > 2) {
        from++;
        len -= 2;
    }
    snprintf(text, size, "%.*s/%u", (int)len, from, net->bits);
}

/* ---- any value ---- */

int conf_value_set(const struct conf_entry *entry, void *conf, const char *text, char why[CONF_WHY_MAX])
{
    switch (entry->kind) {
    case CONF_COUNT:
    case CONF_TIME:
    case CONF_SECONDS:
    case CONF_BYTES:
        return set_number(entry, conf, text, why);
    case CONF_PATH:
        return set_path(entry, conf, text, why);
    case CONF_WORD:
        return set_word(entry, conf, text, why);
    case CONF_SWITCH:
    case CONF_BOOL:
        return set_switch(entry, conf, text, why);
    case CONF_LISTEN:
        return set_listen(entry, conf, text, why);
    case CONF_NETS:
    case CONF_USERS:
    case CONF_MEMBERS:
        break;
    }
    return list_append(entry, conf, text, why);
}

void conf_value_reset(const struct conf_entry *entry, struct conf *conf)
{
    char why[CONF_WHY_MAX];

    if (conf_is_list(entry))
        *list_count(entry, conf) = 0;
    else
        (void)conf_value_set(entry, conf, entry->fallback, why); /* a unit test sets every default */
}

static void format_switch(int value, char *text, size_t size)
{
    snprintf(text, size, "%s", value < 0 ? "auto" : value ? "allow" : "refuse");
}

void conf_value_format(const struct conf_entry *entry, const void *conf, unsigned index, char *text,
                       size_t size)
{
    const void *at = field_const(entry, conf);

    switch (entry->kind) {
    case CONF_COUNT:
    case CONF_TIME:
        if (entry->words && *(const uint32_t *)at == CONF_AUTO)
            snprintf(text, size, "%s", entry->words);
        else
            format_number(*(const uint32_t *)at, units_of(entry->kind), text, size);
        return;
    case CONF_SECONDS:
        format_number(*(const uint32_t *)at * SECOND, units_of(entry->kind), text, size);
        return;
    case CONF_BYTES:
        format_number(*(const uint64_t *)at, units_of(entry->kind), text, size);
        return;
    case CONF_PATH:
    case CONF_WORD:
        snprintf(text, size, "%s", (const char *)at);
        return;
    case CONF_SWITCH:
        format_switch(*(const int8_t *)at, text, size);
        return;
    case CONF_BOOL:
        format_switch(*(const bool *)at, text, size);
        return;
    case CONF_LISTEN:
        format_listen(at, text, size);
        return;
    case CONF_NETS:
        conf_net_format((const struct rqv_net *)at + index, text, size);
        return;
    case CONF_USERS:
        snprintf(text, size, "%u", ((const uint32_t *)at)[index]);
        return;
    case CONF_MEMBERS:
        snprintf(text, size, "%s%u", ((const struct conf_member *)at)[index].group ? "@" : "",
                 ((const struct conf_member *)at)[index].id);
        return;
    }
}

/* '$' is written with a backslash because conf_scan refuses "${NAME}". */
void conf_quote(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (strchr("\"\\$", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}
