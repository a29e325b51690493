/* SPDX-License-Identifier: MIT */
/* The command line of reqivo: curl's spellings, their refusals, and what follows from flags together. */
#include "cli/exit.h"
#include "cli/options.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <reqivo/error.h>
#include <string.h>

static char why[256];

/* Parses up to 12 words. */
static int parse(struct cli_options *options, const char *const words[])
{
    char *argv[16] = {(char *)"reqivo"};
    int argc = 1;

    while (words[argc - 1]) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    return cli_options_parse(argc, argv, options, why, sizeof(why));
}

#define PARSE(options, ...) parse((options), (const char *const[]){__VA_ARGS__, NULL})

START_TEST(test_short)
{
    struct cli_options o;

    ck_assert_int_eq(PARSE(&o, "-sSfo", "out", "-XPUT", "-H", "A: b", "-HC: d", "http://a/", "-iv"), 0);
    ck_assert(o.silent && o.show_error && o.fail && o.include && o.verbose);
    ck_assert(!o.head && !o.insecure && !o.help && !o.version);
    ck_assert_str_eq(o.outputs.items[0].text, "out");
    ck_assert_str_eq(o.method, "PUT");
    ck_assert_uint_eq(o.fields.count, 2);
    ck_assert_str_eq(o.fields.items[1].text, "C: d");
    ck_assert_uint_eq(o.urls.count, 1);
    cli_options_done(&o);
}
END_TEST

START_TEST(test_long)
{
    struct cli_options o;

    ck_assert_int_eq(PARSE(&o, "--output=x=y", "--max-time", "1.5", "--connect-timeout=2", "--insecure",
                           "--socket", "/s", "--cacert=/c", "--user-agent=", "--write-out=%{url}", "--",
                           "-u"),
                     0);
    ck_assert_str_eq(o.outputs.items[0].text, "x=y");
    ck_assert_uint_eq(o.max_time_ms, 1500);
    ck_assert_uint_eq(o.connect_timeout_ms, 2000);
    ck_assert(o.insecure);
    ck_assert_str_eq(o.socket, "/s");
    ck_assert_str_eq(o.cacert, "/c");
    ck_assert_str_eq(o.agent, "");
    ck_assert_str_eq(o.write_out, "%{url}");
    ck_assert_str_eq(o.urls.items[0].text, "-u");
    cli_options_done(&o);
}
END_TEST

START_TEST(test_data)
{
    struct cli_options o;

    ck_assert_int_eq(PARSE(&o, "-da=b", "--data-binary", "@f", "--data", "c", "a", "b", "--data-ascii=d"), 0);
    ck_assert_uint_eq(o.data.count, 4);
    ck_assert_int_eq(o.data.items[0].piece, CLI_PIECE_TEXT);
    ck_assert_int_eq(o.data.items[1].piece, CLI_PIECE_BINARY);
    ck_assert_str_eq(o.data.items[1].text, "@f");
    ck_assert_uint_eq(o.urls.count, 2);
    ck_assert_str_eq(cli_options_method(&o, 0), "POST");
    cli_options_done(&o);
}
END_TEST

START_TEST(test_method)
{
    struct cli_options o;

    ck_assert_int_eq(PARSE(&o, "a"), 0);
    ck_assert_str_eq(cli_options_method(&o, 0), "GET");
    cli_options_done(&o);
    ck_assert_int_eq(PARSE(&o, "-I", "a"), 0);
    ck_assert_str_eq(cli_options_method(&o, 0), "HEAD");
    cli_options_done(&o);
    ck_assert_int_eq(PARSE(&o, "-X", "PURGE", "-d", "x", "a"), 0);
    ck_assert_str_eq(cli_options_method(&o, 0), "PURGE");
    cli_options_done(&o);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *words[4];
        const char *why;
    } cases[] = {
        {{"--nosuch", "a"}, "option --nosuch is unknown"},
        {{"-sZ", "a"}, "option -Z is unknown"},
        {{"--nosuch=1", "a"}, "option --nosuch is unknown"},
        {{"--silent=1", "a"}, "option --silent takes no argument"},
        {{"a", "-o"}, "option -o needs an argument"},
        {{"a", "--output"}, "option --output needs an argument"},
        {{"a", "-m", "1x"}, "option -m: '1x' is not a number of seconds"},
        {{"a", "--max-time=-1"}, "option --max-time: '-1' is not a number of seconds"},
        {{"-s"}, "no URL given"},
        {{"-I", "-dx", "a"}, "-I (HEAD) and -d (POST) exclude each other"},
        {{"-X", "", "a"}, "option -X needs a method"},
        {{"--outpu", "a"}, "option --outpu is unknown"},
        {{"--max-redirs", "x", "a"}, "option --max-redirs: 'x' is not a number of redirects"},
        {{"--max-redirs=-2", "a"}, "option --max-redirs: '-2' is not a number of redirects"},
        {{"--max-redirs=", "a"}, "option --max-redirs: '' is not a number of redirects"},
        {{"--tls-max", "1.1", "a"}, "option --tls-max: '1.1' is not 1.2 or 1.3"},
        {{"--tlsv1.3=1", "a"}, "option --tlsv1.3 takes no argument"},
        {{"--tlsv1.3", "--tls-max=1.2", "a"}, "--tls-max is below the --tlsv1 that is asked for"},
        {{"--next=1", "a"}, "option --next takes no argument"},
        {{"a", "--next"}, "no URL given"},
        {{"a", "-:", "-s"}, "no URL given"},
        {{"a", "--next", "-m=x", "b"}, "option -m: '=x' is not a number of seconds"},
        {{"-f", "--fail-with-body", "a"}, "--fail and --fail-with-body exclude each other"},
        {{"-Tf", "-dx", "a"}, "-T (PUT) and -d (POST) exclude each other"},
        {{"-Tf", "-I", "a"}, "-T (PUT) and -I (HEAD) exclude each other"},
        {{"-o", "", "a"}, "option -o needs the name of a file"},
        {{"--no-help", "a"}, "option --no-help is unknown"},
        {{"--no-header", "a"}, "option --no-header is unknown"},
        {{"-u"}, "option -u needs an argument"},
        {{"-LO", "-b"}, "option -b needs an argument"},
        {{"--resolve", "h:80", "a"}, "option --resolve: 'h:80' is not HOST:PORT:ADDRESS"},
        {{"--connect-to=[a:b:c]:1:h", "a"}, "option --connect-to: '[a:b:c]:1:h' is not HOST:PORT:HOST:PORT"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cli_options o;

        ck_assert_int_eq(parse(&o, cases[i].words), -EINVAL);
        ck_assert_str_eq(why, cases[i].why);
        cli_options_done(&o);
    }
}
END_TEST

START_TEST(test_no_url_needed)
{
    struct cli_options o;

    ck_assert_int_eq(PARSE(&o, "--help"), 0);
    ck_assert(o.help);
    cli_options_done(&o);
    ck_assert_int_eq(PARSE(&o, "-V"), 0);
    ck_assert(o.version);
    cli_options_done(&o);
}
END_TEST

START_TEST(test_values)
{
    struct cli_options o;

    ck_assert_int_eq(PARSE(&o, "-LGb", "a=b", "-cjar", "-u", "me:x", "-e", "r", "-r0-1", "-Dd", "a"), 0);
    ck_assert(o.location && o.get && !o.trusted && !o.compressed);
    ck_assert_str_eq(o.cookies.items[0].text, "a=b");
    ck_assert_str_eq(o.cookie_jar, "jar");
    ck_assert_str_eq(o.user, "me:x");
    ck_assert_str_eq(o.referer, "r");
    ck_assert_str_eq(o.range, "0-1");
    ck_assert_str_eq(o.dump_header, "d");
    ck_assert_uint_eq(o.redirects, 30);
    cli_options_done(&o);
    ck_assert_int_eq(PARSE(&o, "--location-trusted", "--max-redirs", "5", "--tlsv1.3", "--tls-max=1.3",
                           "--oauth2-bearer=t", "--compressed", "--post302", "--url", "a"),
                     0);
    ck_assert(o.location && o.trusted && o.compressed && o.post302 && !o.post301);
    ck_assert_uint_eq(o.redirects, 5);
    ck_assert_int_eq(o.tls_min, 13);
    ck_assert_int_eq(o.tls_max, 13);
    ck_assert_str_eq(o.bearer, "t");
    ck_assert_str_eq(o.urls.items[0].text, "a");
    cli_options_done(&o);
    ck_assert_int_eq(PARSE(&o, "--max-redirs=-1", "--tlsv1.2", "--tls-max", "default", "a"), 0);
    ck_assert_uint_eq(o.redirects, 30);
    ck_assert_int_eq(o.tls_min, 12);
    ck_assert_int_eq(o.tls_max, 0);
    cli_options_done(&o);
}
END_TEST

START_TEST(test_of_each_url)
{
    struct cli_options o;

    ck_assert_int_eq(PARSE(&o, "-o", "x", "-O", "-T", "f", "-T", "", "a", "b", "c"), 0);
    ck_assert_uint_eq(o.outputs.count, 2);
    ck_assert_str_eq(o.outputs.items[0].text, "x");
    ck_assert_ptr_null(o.outputs.items[1].text);
    ck_assert_str_eq(cli_options_upload(&o, 0), "f");
    ck_assert_ptr_null(cli_options_upload(&o, 1));
    ck_assert_ptr_null(cli_options_upload(&o, 2));
    ck_assert_str_eq(cli_options_method(&o, 0), "PUT");
    ck_assert_str_eq(cli_options_method(&o, 1), "GET");
    cli_options_done(&o);
    ck_assert_int_eq(PARSE(&o, "--json", "{}", "--data-raw", "@x", "--data-urlencode", "y", "a"), 0);
    ck_assert(cli_options_json(&o) && cli_options_form(&o));
    ck_assert_int_eq(o.data.items[1].piece, CLI_PIECE_RAW);
    ck_assert_int_eq(o.data.items[2].piece, CLI_PIECE_URLENCODE);
    cli_options_done(&o);
    ck_assert_int_eq(PARSE(&o, "-GI", "-d", "x", "a"), 0);
    ck_assert(!cli_options_form(&o) && !cli_options_json(&o));
    ck_assert_str_eq(cli_options_method(&o, 0), "HEAD");
    cli_options_done(&o);
}
END_TEST

/* A group begins with nothing but what belongs to the whole command. */
START_TEST(test_next)
{
    struct cli_options o;

    ck_assert_int_eq(PARSE(&o, "--next", "-d", "x", "-H", "A: b", "a", "-:", "-sI", "b", "--next", "c", "d"),
                     0);
    ck_assert_uint_eq(o.urls.count, 1);
    ck_assert(o.silent && !o.head);
    ck_assert_str_eq(cli_options_method(&o, 0), "POST");
    ck_assert_ptr_nonnull(o.next);
    ck_assert(o.next->silent && o.next->head);
    ck_assert_uint_eq(o.next->fields.count + o.next->data.count, 0);
    ck_assert_uint_eq(o.next->redirects, 30);
    ck_assert_ptr_nonnull(o.next->next);
    ck_assert(o.next->next->silent && !o.next->next->head);
    ck_assert_uint_eq(o.next->next->urls.count, 2);
    ck_assert_ptr_null(o.next->next->next);
    cli_options_done(&o);
    ck_assert_ptr_null(o.next);
}
END_TEST

START_TEST(test_seconds)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {{"0", 0},
                 {"1", 1000},
                 {"0.5", 500},
                 {".25", 250},
                 {"2.", 2000},
                 {"0.0001", 1},
                 {"1.0010000", 1001},
                 {"1.0019", 1002},
                 {"0.000", 0},
                 {"", -1},
                 {".", -1},
                 {"1e3", -1},
                 {" 1", -1},
                 {"-1", -1},
                 {"4294968", -1},
                 {"4294966", 4294966000},
                 {"99999999999999999999", -1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t ms = 7;
        bool ok = cli_seconds_parse(cases[i].text, &ms);

        ck_assert_msg(ok == (cases[i].ms >= 0), "%s", cases[i].text);
        ck_assert_msg(ms == (ok ? cases[i].ms : 7), "%s gave %u", cases[i].text, ms);
    }
}
END_TEST

/* Every code of the library has an exit code of its own meaning, and the phase decides where curl's does. */
START_TEST(test_exit)
{
#define CHECK_CODE(name, number, class, text)                                                                \
    ck_assert_msg(cli_exit_of(number, REQIVO_PHASE_HEAD) > 2 || (number) == REQIVO_E_METHOD ||               \
                      (number) == REQIVO_E_FIELD || (number) == REQIVO_E_SOCKET_PATH ||                      \
                      (number) == REQIVO_E_COOKIE || (number) == REQIVO_E_SESSION,                           \
                  #name);
    REQIVO_ERROR_TABLE(CHECK_CODE)
#undef CHECK_CODE
    ck_assert_int_eq(cli_exit_of(0, 0), 0);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_RESOLVE, REQIVO_PHASE_DNS), 6);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_CONNECT, REQIVO_PHASE_CONNECT), 7);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_RESET, REQIVO_PHASE_TLS), 35);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_RESET, REQIVO_PHASE_SEND), 55);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_RESET, REQIVO_PHASE_BODY), 56);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_RESPONSE_FRAMING, REQIVO_PHASE_HEAD), 8);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_RESPONSE_FRAMING, REQIVO_PHASE_BODY), 56);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_TLS_HOST, REQIVO_PHASE_TLS), 60);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_NO_DAEMON, REQIVO_PHASE_IPC), 100);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_ADDRESS_DENIED, REQIVO_PHASE_CONNECT), 101);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_LIMIT_REQUESTS, REQIVO_PHASE_QUEUE), 102);
    ck_assert_int_eq(cli_exit_of(REQIVO_E_DAEMON_LOST, REQIVO_PHASE_IPC), 103);
    ck_assert_int_eq(cli_exit_of(-ENOENT, 0), 26);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_options");

    UNIT_TCASE(s, "parse", test_short, test_long, test_data, test_method, test_refused, test_no_url_needed,
               test_values, test_of_each_url, test_next);
    UNIT_TCASE(s, "seconds", test_seconds);
    UNIT_TCASE(s, "exit", test_exit);
    return s;
}

UNIT_MAIN(suite)
