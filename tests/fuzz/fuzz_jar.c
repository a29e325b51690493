/* SPDX-License-Identifier: MIT */
/*
 * fuzz_jar - F9 of the test plan: a jar never hands a cookie to a foreign registrable domain. The input is a
 * script, a line each: u URL (where we are from now on), s Set-Cookie value, f the same in more fields of a
 * response than are taken, i line of a cookie file, h (what is sent to where we are), t (60 s pass), x
 * (expire), c (clear).
 *
 * Every value that a server sets is given its host: what is sent is compared with that by libpsl's own
 * judgement.
 */
#include "daemon/base/account.h"
#include "daemon/work/jar.h"

#include <errno.h>
#include <libpsl.h>
#include <reqivo/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS_MAX = 256 };

struct run {
    struct jar *jar;
    struct psl_ctx_st *suffixes;
    struct jar_place place;
    bool placed;
    uint64_t now_s;
    char hosts[HOSTS_MAX][JAR_HOST_MAX + 1]; /* who has set the cookies "@0", "@1" ... */
    size_t count;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void go(struct run *run, struct rqv_str text)
{
    const char *why;
    struct rqv_url url;

    run->placed =
        rqv_url_parse(text.ptr, text.len, &url, &why) == 0 && url.host_type != RQV_HOST_NAME_UNICODE;
    if (run->placed)
        jar_place_init(&run->place, &url, url.path.len > 0 ? url.path : RQV_STR("/"));
}

/* One field, or a response that has too many of it. */
static void set_value(struct run *run, struct rqv_str value, bool many)
{
    struct rqv_fields fields = {0};
    const char *why = NULL;
    int rc;

    if (!many) {
        rc = jar_set(run->jar, &run->place, value, run->now_s, &why);
        demand(rc == 0 || (rc == -EINVAL && why) || rc == REQIVO_E_LIMIT_MEMORY);
        return;
    }
    demand(rqv_fields_add(&fields, RQV_STR("server"), value) == 0);
    for (int i = 0; i <= JAR_RESPONSE_MAX; i++)
        demand(rqv_fields_add(&fields, RQV_STR("Set-Cookie"), value) == 0);
    rc = jar_set_fields(run->jar, &run->place, &fields, run->now_s);
    demand(rc == REQIVO_E_RESPONSE_LIMIT || rc == REQIVO_E_LIMIT_MEMORY);
}

/* "name=" becomes "@7=", so that whoever gets it can be told who has set it. */
static void set(struct run *run, struct rqv_str text, bool many)
{
    char value[RQV_COOKIE_TEXT_MAX + 64];
    struct rqv_str name;
    int n;

    if (!run->placed || run->count == HOSTS_MAX || !rqv_str_split(&text, '=', &name) || !text.ptr ||
        text.len > RQV_COOKIE_TEXT_MAX)
        return;
    n = snprintf(value, sizeof(value), "@%zu=", run->count);
    memcpy(value + n, text.ptr, text.len);
    set_value(run, (struct rqv_str){value, (size_t)n + text.len}, many);
    memcpy(run->hosts[run->count++], run->place.host, sizeof(run->place.host));
}

/* The hosts are one, or libpsl would let both use a domain that they share. */
static bool are_of_one_domain(const struct run *run, const char *a, const char *b, bool is_address)
{
    const char *domain_a, *domain_b;

    if (strcmp(a, b) == 0)
        return true;
    domain_a = is_address ? NULL : psl_registrable_domain(run->suffixes, a);
    domain_b = is_address ? NULL : psl_registrable_domain(run->suffixes, b);
    return domain_a && domain_b && strcmp(domain_a, domain_b) == 0 &&
           psl_is_cookie_domain_acceptable(run->suffixes, a, domain_a);
}

static void receive(struct run *run)
{
    char out[JAR_HEADER_MAX + 1];
    struct rqv_str rest = {out, 0}, pair, name;
    uint64_t who;

    if (!run->placed)
        return;
    rest.len = jar_header(run->jar, &run->place, run->now_s, out, sizeof(out));
    demand(rest.len <= JAR_HEADER_MAX && rqv_str_is_field_value(rest));
    if (rest.len == 0)
        return;
    while (rqv_str_split(&rest, ';', &pair)) {
        pair = rqv_str_trim(pair);
        rqv_str_split(&pair, '=', &name);
        if (name.len < 2 || name.ptr[0] != '@' || !pair.ptr)
            continue; /* of a file */
        name.ptr++;
        name.len--;
        if (rqv_str_u64(name, &who) && who < run->count)
            demand(are_of_one_domain(run, run->hosts[who], run->place.host, run->place.is_address));
    }
}

/* What lies in the jar can be written, and what is for a host alone or below a registrable domain. */
static void look(const struct run *run)
{
    char line[RQV_COOKIE_LINE_MAX];
    const struct jar_cookie *at = NULL;
    size_t count = 0;

    while ((at = jar_next(run->jar, at, run->now_s)) != NULL) {
        const struct rqv_cookie *cookie = jar_cookie(at);
        char domain[JAR_HOST_MAX + 1] = "";

        memcpy(domain, cookie->domain.ptr, cookie->domain.len);
        demand(cookie->host_only || !psl_is_public_suffix(run->suffixes, domain));
        demand(rqv_cookie_write_line(cookie, line, sizeof(line)) > 0);
        count++;
    }
    demand(count <= jar_count(run->jar) && jar_count(run->jar) <= JAR_COOKIES_MAX);
}

static void step(struct run *run, struct rqv_str line)
{
    struct rqv_str rest = {line.ptr + 1, line.len - 1};
    const char *why;

    switch (line.ptr[0]) {
    case 'u':
        go(run, rest);
        break;
    case 's':
    case 'f':
        set(run, rest, line.ptr[0] == 'f');
        break;
    case 'i':
        if (rest.len == 0 || !memchr(rest.ptr, '@', rest.len)) /* "@7" is the servers' */
            jar_import(run->jar, rest, run->now_s, &why);
        break;
    case 'h':
        receive(run);
        break;
    case 't':
        run->now_s += 60;
        break;
    case 'x':
        jar_expire(run->jar, run->now_s);
        break;
    case 'c':
        jar_clear(run->jar);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t key[2] = {3, 4};
    static struct psl_ctx_st *suffixes;
    static struct loop *loop;
    static struct accounts all;
    static struct run run;
    struct rqv_str script = {(const char *)data, size}, line;
    struct account *account = NULL;

    if (!loop)
        demand(loop_new(&loop) == 0 && jar_suffixes_new(&suffixes) == 0);
    if (size == 0)
        return 0;
    demand(accounts_init(&all, loop, key) == 0 && account_get(&all, 1, &account) == 0);
    run = (struct run){.suffixes = suffixes, .now_s = 1700000000};
    demand(jar_new(account, suffixes, key, &run.jar) == 0);
    while (rqv_str_split(&script, '\n', &line)) {
        if (line.len > 0)
            step(&run, line);
    }
    look(&run);
    jar_free(run.jar);
    demand(account->used[ACCOUNT_MEMORY] == 0);
    account_release(&account);
    accounts_done(&all);
    return 0;
}
