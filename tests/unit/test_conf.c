/* SPDX-License-Identifier: MIT */
/* Tests of daemon/base/conf: defaults, units, lists, errors with file and line, and that a dump reads back.
 */
#include "daemon/base/conf.h"
#include "daemon/base/conf_scan.h"
#include "daemon/base/conf_table.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct conf conf;
static char folder[64], path[128], errors[8192];

static void setup(void)
{
    snprintf(folder, sizeof(folder), "/tmp/reqivo-conf-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/r.conf", folder);
    conf_defaults(&conf);
}

static void teardown(void)
{
    char command[128];

    conf_done(&conf);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static void file_write(const char *name, const char *text)
{
    char full[160];
    FILE *file;

    snprintf(full, sizeof(full), "%s/%s", folder, name);
    file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Loads `text`; `errors` holds what was written, each "folder/" taken off. */
static int load(const char *text)
{
    char *buffer = NULL, *at;
    size_t size = 0, len = strlen(folder) + 1;
    FILE *file = open_memstream(&buffer, &size);
    int rc;

    ck_assert_ptr_nonnull(file);
    file_write("r.conf", text);
    rc = conf_load(&conf, path, file);
    fclose(file);
    ck_assert_uint_lt(size, sizeof(errors));
    memcpy(errors, buffer, size + 1);
    free(buffer);
    while ((at = strstr(errors, folder)))
        memmove(at, at + len, strlen(at + len) + 1);
    return rc;
}

START_TEST(test_defaults)
{
    static const uint32_t timeouts[6] = {30000, 10000, 10000, 60000, 60000, 0};

    ck_assert_str_eq(conf.log_level, "info");
    ck_assert_str_eq(conf.ca_file, "");
    ck_assert_uint_eq(conf.pool_connections, 8);
    ck_assert_uint_eq(conf.pool_idle_ms, 60000);
    ck_assert_uint_eq(conf.pool_age_ms, 1800000);
    ck_assert_uint_eq(conf.pool_uses, 100000);
    ck_assert_uint_eq(conf.pool_hold_down_ms, 1000);
    ck_assert_uint_eq(conf.pool_waiters, 4096);
    ck_assert_uint_eq(conf.memory_uid, 64u << 20);
    ck_assert_uint_eq(conf.memory_total, 256u << 20);
    ck_assert_uint_eq(conf.peers_uid, 4096);
    ck_assert_uint_eq(conf.requests_uid, 8192);
    ck_assert_uint_eq(conf.requests_total, 32768);
    ck_assert_uint_eq(conf.connections_uid, 1024);
    ck_assert_int_eq(memcmp(conf.timeout_ms, timeouts, sizeof(timeouts)), 0);
    ck_assert_uint_eq(conf.drain_ms, 10000);
    ck_assert_uint_eq(conf.linger_ms, 60000);
    ck_assert_str_eq(conf.dns_backend, "auto");
    ck_assert_uint_eq(conf.dns_ttl_max_s, 60);
    ck_assert_uint_eq(conf.dns_ttl_system_s, 5);
    ck_assert_uint_eq(conf.dns_entries, 1024);
    ck_assert_uint_eq(conf.dns_timeout_ms, 5000);
    ck_assert_int_eq(conf.loopback, -1);
    ck_assert(conf.private_open);
    ck_assert_int_eq(conf.insecure, -1);
    ck_assert_uint_eq(conf.allow_count + conf.deny_count + conf.loopback_uid_count, 0);
}
END_TEST

/* Every default of the table is a value that the table itself accepts, in the form that it prints. */
START_TEST(test_table_is_sound)
{
    char why[CONF_WHY_MAX], text[CONF_VALUE_MAX];

    for (size_t i = 0; i < conf_table_count; i++) {
        const struct conf_entry *entry = &conf_table[i];

        if (conf_is_list(entry))
            continue;
        why[0] = 0;
        ck_assert_msg(conf_value_set(entry, &conf, entry->fallback, why) == 0, "%s.%s: %s", entry->section,
                      entry->name, why);
        conf_value_format(entry, &conf, 0, text, sizeof(text));
        ck_assert_str_eq(text, entry->fallback);
    }
}
END_TEST

START_TEST(test_units)
{
    ck_assert_int_eq(load("pool { idle = 500ms age = 2h hold_down = 250 }\n"
                          "timeouts { queue = 90s connect = \"3 s\" total = 1d }\n"
                          "dns { ttl_max = 2min ttl_system = 3000 }\n"
                          "limits { memory_uid = 2MiB memory_total = 1GiB }\n"),
                     0);
    ck_assert_str_eq(errors, "");
    ck_assert_uint_eq(conf.pool_idle_ms, 500);
    ck_assert_uint_eq(conf.pool_age_ms, 7200000);
    ck_assert_uint_eq(conf.pool_hold_down_ms, 250);
    ck_assert_uint_eq(conf.timeout_ms[0], 90000);
    ck_assert_uint_eq(conf.timeout_ms[1], 3000);
    ck_assert_uint_eq(conf.timeout_ms[5], 86400000);
    ck_assert_uint_eq(conf.dns_ttl_max_s, 120);
    ck_assert_uint_eq(conf.dns_ttl_system_s, 3);
    ck_assert_uint_eq(conf.memory_uid, 2u << 20);
    ck_assert_uint_eq(conf.memory_total, 1u << 30);
    ck_assert_uint_eq(conf.pool_connections, 8); /* what the file does not name stays */
}
END_TEST

START_TEST(test_lists)
{
    struct rqv_addr addr;

    ck_assert_int_eq(
        load("address_policy {\n allow = {\"169.254.1.0/24\", \"10.1.2.3\"}\n allow += {\"2001:db8::/32\"}\n"
             " deny = {\"192.0.2.0/24\"}\n deny = {}\n loopback = refuse\n private = refuse\n"
             " loopback_users = {\"root\", 1234}\n}\ntls { insecure = allow }\n"),
        0);
    ck_assert_uint_eq(conf.allow_count, 3);
    ck_assert_uint_eq(conf.allow[0].bits, 24);
    ck_assert_uint_eq(conf.allow[1].bits, 32);
    ck_assert(rqv_addr_parse("2001:db8::9", 11, 0, &addr));
    ck_assert(rqv_net_contains(&conf.allow[2], &addr));
    ck_assert_uint_eq(conf.deny_count, 0);
    ck_assert_int_eq(conf.loopback, 0);
    ck_assert(!conf.private_open);
    ck_assert_uint_eq(conf.loopback_uid_count, 2);
    ck_assert_uint_eq(conf.loopback_uids[0], 0);
    ck_assert_uint_eq(conf.loopback_uids[1], 1234);
    ck_assert_int_eq(conf.insecure, 1);
}
END_TEST

static const struct {
    const char *text, *wrong; /* NULL: it is taken, and comes out as it is */
} addresses[] = {
    {"", NULL},
    {"127.0.0.1:9464", NULL},
    {"127.255.0.9:1", NULL},
    {"[::1]:65535", NULL},
    {"126.0.0.1:9464", "is no loopback address"},
    {"0.0.0.0:9464", "is no loopback address"},
    {"[::]:9464", "is no loopback address"},
    {"[::ffff:127.0.0.1]:9464", "is no loopback address"},
    {"[fe80::1%1]:9464", "is no loopback address"},
    {"127.0.0.1:0", "is not an address and a port"},
    {"127.0.0.1:65536", "is not an address and a port"},
    {"127.0.0.1:+1", "is not an address and a port"},
    {"127.0.0.1:", "is not an address and a port"},
    {"127.0.0.1", "is not an address and a port"},
    {":9464", "is not an address and a port"},
    {"9464", "is not an address and a port"},
    {"::1:9464", "is not an address and a port"},
    {"[::1]9464", "is not an address and a port"},
    {"[127.0.0.1]:9464", "is not an address and a port"},
    {"[::1%1]:9464", "is not an address and a port"},
    {"localhost:9464", "is not an address and a port"},
    {"0x7f.1:9464", "is not an address and a port"},
};

/* Nothing but an address of this host, in its one form: nobody else may read what is there. */
START_TEST(test_addresses_to_listen_at)
{
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        char text[128], shown[128];

        snprintf(text, sizeof text, "metrics {\n listen = \"%s\"\n users = allow\n}\n", addresses[i].text);
        snprintf(shown, sizeof shown, "r.conf:2: metrics.listen: '%s' %s", addresses[i].text,
                 addresses[i].wrong ? addresses[i].wrong : "");
        ck_assert_int_eq(load(text), addresses[i].wrong ? -EINVAL : 0);
        ck_assert_msg(!addresses[i].wrong || strstr(errors, shown), "%s: %s", shown, errors);
        if (addresses[i].wrong)
            continue;
        ck_assert_int_eq(conf.metrics_listen.family, !*addresses[i].text         ? 0
                                                     : *addresses[i].text == '[' ? 6
                                                                                 : 4);
        ck_assert(conf.metrics_users);
    }
}
END_TEST

START_TEST(test_list_limit)
{
    static char text[8192];
    size_t n = (size_t)snprintf(text, sizeof(text), "address_policy { deny = {");

    for (int i = 0; i < CONF_NETS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"10.0.0.%d\"", i ? "," : "", i);
    snprintf(text + n, sizeof(text) - n, "}}\n");
    ck_assert_int_eq(load(text), 0);
    ck_assert_uint_eq(conf.deny_count, CONF_NETS_MAX);
    snprintf(text + n, sizeof(text) - n, ",\"10.0.1.1\"}}\n");
    ck_assert_int_eq(load(text), -EINVAL);
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:1: address_policy.deny: the list has more than 64 entries"));
}
END_TEST

/* All wrong values are told, each with its line. */
START_TEST(test_all_errors_with_lines)
{
    ck_assert_int_eq(load("log_level = loud\n"
                          "socket = \"relative/path\"\n"
                          "pool {\n"
                          "    connections = 0\n"
                          "    idle = 5apples\n"
                          "    age = 18446744073709551615d\n"
                          "}\n"
                          "address_policy {\n"
                          "    allow = {\"10.0.0.0/33\",\n"
                          "             \"010.1.1.1\"}\n"
                          "    loopback_users = {\"no-such-user-here\"}\n"
                          "    private = auto\n"
                          "}\n"
                          "dns { ttl_max = 1500ms }\n"),
                     -EINVAL);
    ck_assert_ptr_nonnull(
        strstr(errors, "r.conf:1: log_level: 'loud' is none of error|warning|notice|info|debug\n"));
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:2: socket: 'relative/path' is not an absolute path\n"));
    ck_assert_ptr_nonnull(
        strstr(errors, "r.conf:4: pool.connections: '0' is out of range: take 1 to 1024\n"));
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:5: pool.idle: '5apples' is not a time: write a number"));
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:6: pool.age: '18446744073709551615d' is not a time"));
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:9: address_policy.allow: '10.0.0.0/33' is not an address"));
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:10: address_policy.allow: '010.1.1.1' is not an address"));
    ck_assert_ptr_nonnull(
        strstr(errors, "r.conf:11: address_policy.loopback_users: there is no user 'no-such-user"));
    ck_assert_ptr_nonnull(
        strstr(errors, "r.conf:12: address_policy.private: 'auto' is none of allow|refuse\n"));
    ck_assert_ptr_nonnull(
        strstr(errors, "r.conf:14: dns.ttl_max: '1500ms' is not a number of whole seconds\n"));
}
END_TEST

START_TEST(test_settings_against_each_other)
{
    ck_assert_int_eq(load("limits {\n memory_uid = 512MiB\n peers_uid = 10\n peers_total = 5\n}\n"
                          "address_policy { loopback = allow\n loopback_users = {root} }\n"),
                     -EINVAL);
    ck_assert_ptr_nonnull(
        strstr(errors, "r.conf:2: limits.memory_uid: is larger than limits.memory_total, which is 256MiB"));
    ck_assert_ptr_nonnull(
        strstr(errors, "r.conf:3: limits.peers_uid: is larger than limits.peers_total, which is 5"));
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:7: address_policy.loopback_users: has no meaning"));
    ck_assert_ptr_null(strstr(errors, "requests_uid"));
}
END_TEST

START_TEST(test_syntax_errors)
{
    ck_assert_int_eq(load("pool {\n idel = 1s\n}\n"), -EINVAL);
    ck_assert_str_eq(errors, "r.conf:2: no such option 'idel'\n");
    ck_assert_int_eq(load("pool {\n idle = \n}\n"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:3: "));
    ck_assert_int_eq(load("\n\npool = 7\n"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:3: "));
    ck_assert_int_eq(load(""), 0);
    ck_assert_int_eq(load("# only a comment\n"), 0);
    ck_assert_int_eq(conf_load(&conf, "/nonexistent/r.conf", NULL), -ENOENT);
    ck_assert_int_eq(conf_load(&conf, folder, NULL), -EISDIR);
    file_write("r.conf", "pool { idle = wrong }");
    ck_assert_int_eq(conf_load(&conf, path, NULL), -EINVAL); /* nobody listens */
}
END_TEST

START_TEST(test_include)
{
    file_write("more.conf", "pool { connections = 3 }\n");
    ck_assert_int_eq(load("pool { idle = 7s }\ninclude(\"more.conf\")\npool { uses = 9 }\n"), 0);
    ck_assert_uint_eq(conf.pool_connections, 3);
    ck_assert_uint_eq(conf.pool_idle_ms, 7000);
    ck_assert_uint_eq(conf.pool_uses, 9);
    file_write("more.conf", "\npool {\n connections = x }\n");
    ck_assert_int_eq(load("include(\"more.conf\")\npool { uses = y }\n"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(errors, "more.conf:3: pool.connections: 'x' is not a number"));
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:2: pool.uses: 'y' is not a number"));
}
END_TEST

START_TEST(test_include_paths)
{
    char text[256], sub[160];

    snprintf(sub, sizeof(sub), "%s/sub", folder);
    ck_assert_int_eq(mkdir(sub, 0700), 0);
    file_write("sub/one.conf", "include('two.conf')\n"); /* beside one.conf, not beside r.conf */
    file_write("sub/two.conf", "pool { connections = 5 }\n");
    ck_assert_int_eq(load("include(\"sub/one.conf\")\n"), 0);
    ck_assert_uint_eq(conf.pool_connections, 5);
    conf_defaults(&conf);
    snprintf(text, sizeof(text), "include(\"%s/sub/two.conf\")\n", folder);
    ck_assert_int_eq(load(text), 0);
    ck_assert_str_eq(errors, "");
    ck_assert_uint_eq(conf.pool_connections, 5);
    ck_assert_int_eq(load("\ninclude(\"nope.conf\")\n"), -EINVAL);
    ck_assert_str_eq(errors, "r.conf:2: include: nope.conf: cannot be read: No such file or directory\n");
    ck_assert_int_eq(load("\ninclude(\"sub\")\n"), -EINVAL);
    ck_assert_str_eq(errors, "r.conf:2: include: sub: cannot be read: Is a directory\n");
    ck_assert_int_eq(load("include(\"sub/two.conf\", \"sub/one.conf\")\n"), -EINVAL);
    ck_assert_str_eq(errors, "r.conf:1: include: takes one file\n");
    file_write("loop.conf", "include('loop.conf')\n");
    ck_assert_int_eq(load("include(\"loop.conf\")\n"), -EINVAL);
    ck_assert_str_eq(errors, "loop.conf:1: includes nested too deeply\n");
}
END_TEST

/* What libconfuse would take as the end of everything that is open. */
START_TEST(test_cut_off)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"\npool {\n connections = 3\n", "r.conf:2: the '{' here is never closed\n"},
        {"pool {\n connections = 3\n# }", "r.conf:1: the '{' here is never closed\n"},
        {"pool { uses = 9 }\naddress_policy { deny = {\n\"10.0.0.0/8\" }",
         "r.conf:2: the '{' here is never closed\n"},
        {"pool { uses = 9 }\n/* idle\ndns { entries = 1 }\n",
         "r.conf:2: the comment that begins here is never closed\n"},
        {"/*/", "r.conf:1: the comment that begins here is never closed\n"},
        {"\nsocket = \"/run/x\n\n", "r.conf:2: the text in quotes that begins here is never closed\n"},
        {"socket = '/run/x\\'", "r.conf:1: the text in quotes that begins here is never closed\n"},
        {"include('x'\n", "r.conf:1: the '(' here is never closed\n"},
        {"log_level =\n\n", "r.conf:1: the file ends in the middle of a setting\n"},
        {"log_level = info\nsocket", "r.conf:2: the file ends in the middle of a setting\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(load(rows[i].text), -EINVAL);
        ck_assert_str_eq(errors, rows[i].error);
        file_write("part.conf", rows[i].text); /* an included file has to be as complete */
        ck_assert_int_eq(load("include('part.conf')\nlog_level = debug\n"), -EINVAL);
        ck_assert_str_eq(strchr(errors, ':'), strchr(rows[i].error, ':'));
        ck_assert_int_eq(strncmp(errors, "part.conf:", 10), 0);
    }
}
END_TEST

START_TEST(test_refused_characters)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"\nsocket = \"/tmp/${NOPE}/x\"", "r.conf:2: ${...} is no variable here"},
        {"socket = ${HOME}", "r.conf:1: ${...} is no variable here"},
        {"socket = /tmp${HOME}", "r.conf:1: ${...} is no variable here"},
        {"pool { uses = *3 }", "r.conf:1: '*' has no meaning here"},
        {"pool { uses = 3+4 }", "r.conf:1: '+' has no meaning here"},
        {"pool { uses = 3\v }", "r.conf:1: there is a control character, 0x0b, in it"},
        {"pool { uses = 3 }\n}", "r.conf:2: this '}' closes nothing"},
        {"pool { uses = 3 )", "r.conf:1: this ')' closes nothing"},
        {"{{{{{{{{{", "r.conf:1: too many braces stand in each other"},
    };
    struct conf_fault fault;
    char nul[] = "a = \"x\0y\"", hidden[] = "a = 'x\\\0y'";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(load(rows[i].text), -EINVAL);
        ck_assert_msg(strncmp(errors, rows[i].error, strlen(rows[i].error)) == 0, "%s: %s", rows[i].text,
                      errors);
    }
    ck_assert_int_eq(conf_scan(nul, sizeof(nul) - 1, &fault), -EINVAL);
    ck_assert_str_eq(fault.why, "there is a NUL character in it");
    ck_assert_int_eq(conf_scan(hidden, sizeof(hidden) - 1, &fault), -EINVAL);
    ck_assert_str_eq(fault.why, "there is a NUL character in it");
    ck_assert_int_eq(load("socket = '/tmp/${NOPE}'\r\n"), 0);
    ck_assert_str_eq(conf.socket, "/tmp/${NOPE}");
    ck_assert_int_eq(load("socket = \"/tmp/\\${NOPE}#//\\\"\"//{\n"), 0);
    ck_assert_str_eq(conf.socket, "/tmp/${NOPE}#//\"");
}
END_TEST

/* libconfuse alone counts each comment as three lines. */
START_TEST(test_lines_behind_comments)
{
    ck_assert_int_eq(load("# one\n// two {\n/* three '\n four */ log_level = loud # }\n"
                          "pool { /* \" */ uses = 0 }\n"),
                     -EINVAL);
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:4: log_level: "));
    ck_assert_ptr_nonnull(strstr(errors, "r.conf:5: pool.uses: "));
}
END_TEST

START_TEST(test_no_regular_file)
{
    struct conf_fault fault;
    FILE *file;
    char fifo[160];

    snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_int_eq(conf_load(&conf, fifo, NULL), -EINVAL);
    ck_assert_int_eq(conf_scan_open(fifo, &file, &fault), -EINVAL);
    ck_assert_str_eq(fault.why, "is not a regular file");
    ck_assert_int_eq(load("include('fifo')"), -EINVAL);
    ck_assert_str_eq(errors, "fifo: is not a regular file\n");
    ck_assert_int_eq(conf_load(&conf, "/dev/zero", NULL), -EINVAL);
    ck_assert_int_eq(conf_load(&conf, "/dev/null", NULL), 0);
    file_write("r.conf", "");
    ck_assert_int_eq(truncate(path, 1024 * 1024 + 1), 0);
    ck_assert_int_eq(conf_scan_open(path, &file, &fault), -EINVAL);
    ck_assert_str_eq(fault.why, "is larger than 1 MiB");
}
END_TEST

static char *dump(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(file);
    conf_dump(&conf, file);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

START_TEST(test_dump_reads_back)
{
    char *before, *after;

    ck_assert_int_eq(
        load("socket = '/tmp/a \"b\" \\\\ ${HOME} ü'\nca_file = \"/etc/ca.pem\"\nlog_level = debug\n"
             "pool { idle = 1500 age = 61s }\nlimits { memory_uid = 1000001 }\n"
             "address_policy { allow = {\"fe80::/10\", \"::1\", \"1.2.3.4\"} deny = {\"10.0.0.0/8\"}\n"
             " loopback_users = {1, 2, root} }\ntls { insecure = refuse }\nmetrics { listen = \"[::1]:80\" "
             "}\ndns { backend = system }\n"),
        0);
    ck_assert_str_eq(conf.socket, "/tmp/a \"b\" \\ ${HOME} ü");
    before = dump();
    conf_defaults(&conf);
    ck_assert_int_eq(load(before), 0);
    ck_assert_str_eq(conf.socket, "/tmp/a \"b\" \\ ${HOME} ü");
    ck_assert_uint_eq(conf.memory_uid, 1000001);
    ck_assert_uint_eq(conf.pool_age_ms, 61000);
    ck_assert_uint_eq(conf.allow_count, 3);
    after = dump();
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* libconfuse keeps the buffer of each file that an include() has read; it is not ours to free. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void); /* NOLINT: its name */
const char *__lsan_default_suppressions(void)                                         /* NOLINT */
{
    return "leak:cfg_yy_create_buffer\n";
}

static Suite *suite(void)
{
    Suite *s = suite_create("conf");
    TCase *tcase = tcase_create("conf");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_defaults);
    tcase_add_test(tcase, test_table_is_sound);
    tcase_add_test(tcase, test_units);
    tcase_add_test(tcase, test_lists);
    tcase_add_test(tcase, test_addresses_to_listen_at);
    tcase_add_test(tcase, test_list_limit);
    tcase_add_test(tcase, test_all_errors_with_lines);
    tcase_add_test(tcase, test_settings_against_each_other);
    tcase_add_test(tcase, test_syntax_errors);
    tcase_add_test(tcase, test_include);
    tcase_add_test(tcase, test_include_paths);
    tcase_add_test(tcase, test_cut_off);
    tcase_add_test(tcase, test_refused_characters);
    tcase_add_test(tcase, test_lines_behind_comments);
    tcase_add_test(tcase, test_no_regular_file);
    tcase_add_test(tcase, test_dump_reads_back);
    suite_add_tcase(s, tcase);
    return s;
}

UNIT_MAIN(suite)
