/* SPDX-License-Identifier: MIT */
/* Unit tests of proto/redirect.h: methods and bodies, where a redirect may lead, what is left out there, and
 * when it is enough. */
#include "proto/redirect.h"

#include "tests/unit/unit.h"

#include <reqivo/error.h>
#include <stdio.h>
#include <string.h>

static const uint64_t key[2] = {1, 2};
static char room[RQV_URL_MAX];

static struct rqv_redirect_chain chain_of(const struct rqv_redirect_rules *rules)
{
    struct rqv_redirect_rules standard;
    struct rqv_redirect_chain chain;

    rqv_redirect_rules_default(&standard);
    rqv_redirect_begin(&chain, rules ? rules : &standard, key, 0);
    return chain;
}

static struct rqv_redirect_from from_of(unsigned status, const char *method, const char *url,
                                        const char *location)
{
    return (struct rqv_redirect_from){.status = status,
                                      .method = rqv_str_from(method),
                                      .url = rqv_str_from(url),
                                      .location = rqv_str_from(location)};
}

static int one_hop(const struct rqv_redirect_from *from, struct rqv_redirect *ret_hop, const char **ret_why)
{
    struct rqv_redirect_chain chain = chain_of(NULL);

    return rqv_redirect_next(&chain, from, room, ret_hop, ret_why);
}

static void leads(const char *url, const char *location, const char *target)
{
    struct rqv_redirect_from from = from_of(302, "GET", url, location);
    struct rqv_redirect hop;
    const char *why = "";

    ck_assert_msg(one_hop(&from, &hop, &why) == 1, "%s -> %s: %s", url, location, why);
    ck_assert_msg(hop.url == room && hop.url_len == strlen(target) && memcmp(room, target, hop.url_len) == 0,
                  "%s -> %s is not %s but %.*s", url, location, target, (int)hop.url_len, hop.url);
}

static void refused_with(int code, const char *url, const char *location, const char *what)
{
    struct rqv_redirect_from from = from_of(302, "GET", url, location);
    struct rqv_redirect hop = {.url_len = 77};
    const char *why = "";

    ck_assert_msg(one_hop(&from, &hop, &why) == code, "%s -> %s", url, location);
    ck_assert_msg(strstr(why, what) != NULL, "%s -> %s: %s", url, location, why);
    ck_assert_uint_eq(hop.url_len, 77);
}

static void refused(const char *url, const char *location, const char *what)
{
    refused_with(REQIVO_E_REDIRECT_URL, url, location, what);
}

START_TEST(only_these_are_redirects)
{
    static const unsigned others[] = {100, 200, 201, 204, 300, 304, 305, 306, 309, 399, 400, 401, 500};
    static const unsigned redirects[] = {301, 302, 303, 307, 308};
    struct rqv_redirect hop;
    const char *why;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct rqv_redirect_from from = from_of(others[i], "GET", "http://h/", "/x");
        ck_assert_int_eq(one_hop(&from, &hop, &why), 0);
    }
    for (size_t i = 0; i < sizeof(redirects) / sizeof(redirects[0]); i++) {
        struct rqv_redirect_from from = from_of(redirects[i], "GET", "http://h/", "/x");
        ck_assert_int_eq(one_hop(&from, &hop, &why), 1);
        from.location = (struct rqv_str){0};
        ck_assert_int_eq(one_hop(&from, &hop, &why), 0);
    }
}
END_TEST

static const struct {
    unsigned status;
    const char *method, *next;
    bool body;
} methods[] = {
    {301, "GET", "GET", true},      {302, "GET", "GET", true},     {303, "GET", "GET", false},
    {307, "GET", "GET", true},      {308, "GET", "GET", true},     {301, "HEAD", "HEAD", true},
    {302, "HEAD", "HEAD", true},    {303, "HEAD", "HEAD", false},  {307, "HEAD", "HEAD", true},
    {308, "HEAD", "HEAD", true},    {301, "POST", "GET", false},   {302, "POST", "GET", false},
    {303, "POST", "GET", false},    {307, "POST", "POST", true},   {308, "POST", "POST", true},
    {301, "PUT", "PUT", true},      {302, "PUT", "PUT", true},     {303, "PUT", "GET", false},
    {307, "PUT", "PUT", true},      {303, "DELETE", "GET", false}, {301, "DELETE", "DELETE", true},
    {303, "OPTIONS", "GET", false}, {302, "post", "post", true},   {303, "head", "GET", false},
    {302, "PATCH", "PATCH", true},  {308, "PATCH", "PATCH", true}, {303, "QUERY", "GET", false},
};

START_TEST(rule_b3_4_methods_and_bodies)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct rqv_redirect_from from = from_of(methods[i].status, methods[i].method, "http://h/a", "/b");
        struct rqv_redirect hop;
        const char *why = "";

        from.has_body = from.body_again = true;
        ck_assert_int_eq(one_hop(&from, &hop, &why), 1);
        ck_assert_msg(rqv_str_eq(hop.method, rqv_str_from(methods[i].next)) && hop.body == methods[i].body &&
                          hop.body_dropped != hop.body,
                      "%u %s becomes %.*s, body %d", methods[i].status, methods[i].method,
                      (int)hop.method.len, hop.method.ptr, hop.body);
        ck_assert(rqv_redirect_drops(&hop, RQV_STR("Content-Type")) == !methods[i].body);
        from.has_body = false;
        ck_assert(one_hop(&from, &hop, &why) == 1 && !hop.body);
    }
}
END_TEST

START_TEST(rule_b3_4_a_body_that_cannot_go_along)
{
    struct rqv_redirect_from from = from_of(307, "POST", "http://h/a", "/b");
    struct rqv_redirect hop;
    const char *why = "";

    from.has_body = true;
    ck_assert_int_eq(one_hop(&from, &hop, &why), REQIVO_E_REDIRECT_BODY);
    ck_assert_ptr_nonnull(strstr(why, "once more"));
    from.body_again = true;
    from.location = RQV_STR("http://other/b");
    ck_assert(one_hop(&from, &hop, &why) == 1 && hop.body && hop.elsewhere);
}
END_TEST

START_TEST(the_method_is_kept_when_the_rules_say_so)
{
    static const unsigned statuses[] = {301, 302, 303};
    struct rqv_redirect_rules rules = {.max = 5, .keep_method = true};
    struct rqv_redirect hop;
    const char *why = "";

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct rqv_redirect_from from = from_of(statuses[i], "POST", "http://h/a", "/b");
        struct rqv_redirect_chain chain = chain_of(&rules);

        from.has_body = from.body_again = true;
        ck_assert(rqv_redirect_next(&chain, &from, room, &hop, &why) == 1 && hop.body && !hop.body_dropped);
        ck_assert(rqv_str_eq(hop.method, RQV_STR("POST")));
    }
}
END_TEST

/* POST, 303, GET, 301, GET: the fields of the body that is gone do not come back. */
START_TEST(a_body_that_was_dropped_stays_away)
{
    struct rqv_redirect_chain chain = chain_of(NULL);
    struct rqv_redirect_from from = from_of(303, "POST", "http://h/a", "/b");
    struct rqv_redirect hop;
    const char *why = "";

    from.has_body = from.body_again = true;
    ck_assert_int_eq(rqv_redirect_next(&chain, &from, room, &hop, &why), 1);
    from = from_of(301, "GET", "http://h/b", "/c");
    ck_assert_int_eq(rqv_redirect_next(&chain, &from, room, &hop, &why), 1);
    ck_assert(hop.body_dropped && rqv_redirect_drops(&hop, RQV_STR("Content-Type")));
}
END_TEST

START_TEST(where_it_leads)
{
    leads("http://h/a/b?c", "d", "http://h/a/d");
    leads("http://h/a/b?c", "/d/../e", "http://h/e");
    leads("http://h/a/b?c", "?d", "http://h/a/b?d");
    leads("http://h/a/b?c#f", "//i:81/j", "http://i:81/j#f");
    leads("http://h/a", "https://h/a", "https://h/a");
    leads("http://h/a", " \thttp://i/ \t", "http://i/");
    leads("http://h/a", "/b c?d e", "http://h/b%20c?d%20e");
    leads("http://h/a", "/\xc3\xa9", "http://h/\xc3\xa9");
    leads("http://h/a", "HTTP://I/", "HTTP://I/");
    leads("http://b\xc3\xbc"
          "cher.example/a",
          "/b",
          "http://b\xc3\xbc"
          "cher.example/b");
    leads("http://[fe80::1%251]/a", "b", "http://[fe80::1%251]/b");
}
END_TEST

START_TEST(fragments_are_inherited)
{
    leads("http://h/a#f", "/b", "http://h/b#f");
    leads("http://h/a#f", "/b#g", "http://h/b#g");
    leads("http://h/a#f", "/b#", "http://h/b#");
    leads("http://h/a#", "/b", "http://h/b#");
    leads("http://h/a", "/b#g", "http://h/b#g");
}
END_TEST

START_TEST(rule_b3_2_where_it_may_not_lead)
{
    refused("http://h/", "ftp://h/", "scheme");
    refused("http://h/", "unix:/run/x", "scheme");
    refused("http://h/", "file:///etc/passwd", "scheme");
    refused("http://h/", "javascript:alert(1)", "scheme");
    refused("http://h/", "http:x", "'//'");
    refused("http://h/", "http://", "host is empty");
    refused("http://h/", "///x", "host is empty");
    refused("http://h/", "http://u:p@h/", "user information");
    refused("http://h/", "//u@h/", "user information");
    refused("http://h/", "http://h\\@i/", "backslash");
    refused("http://h/", "http://i%2fj/", "byte that no host name has");
    refused("http://h/", "http://a b/", "byte that no host name has");
    refused("http://h/", "http://1.2.3/", "number");
    refused("http://h/", "/a\r\nb", "control");
    refused("http://h/", "/%zz", "%");
    refused_with(REQIVO_E_REDIRECT_DENIED, "https://h/", "http://h/", "https to http");
    refused("ftp://h/", "/x", "scheme");
}
END_TEST

START_TEST(rule_b3_2_downgrade_when_asked_for)
{
    struct rqv_redirect_rules rules = {.max = 5, .downgrade = true};
    struct rqv_redirect_chain chain = chain_of(&rules);
    struct rqv_redirect_from from = from_of(301, "GET", "https://h/", "http://h/");
    struct rqv_redirect hop;
    const char *why;

    ck_assert_int_eq(rqv_redirect_next(&chain, &from, room, &hop, &why), 1);
    ck_assert(hop.elsewhere && hop.parsed.scheme == RQV_SCHEME_HTTP);
}
END_TEST

START_TEST(too_long)
{
    static char location[RQV_URL_MAX + 10], url[RQV_URL_MAX];
    struct rqv_redirect_from from = from_of(302, "GET", "http://h/", "/");
    struct rqv_redirect hop;
    const char *why;

    memset(location, 'x', sizeof(location));
    location[0] = '/';
    from.location = (struct rqv_str){location, RQV_URL_MAX - 8};
    ck_assert_int_eq(one_hop(&from, &hop, &why), 1);
    from.location.len++;
    ck_assert_int_eq(one_hop(&from, &hop, &why), REQIVO_E_REDIRECT_URL);
    from.location.len = sizeof(location);
    ck_assert_int_eq(one_hop(&from, &hop, &why), REQIVO_E_REDIRECT_URL);
    memset(url, 'f', sizeof(url));
    memcpy(url, "http://h/#", 10);
    from = (struct rqv_redirect_from){
        .status = 302, .method = RQV_STR("GET"), .url = {url, sizeof(url)}, .location = RQV_STR("/")};
    from.context = 1; /* not the first request once more */
    ck_assert_int_eq(one_hop(&from, &hop, &why), 1);
    ck_assert_uint_eq(hop.url_len, RQV_URL_MAX);
    from.location = RQV_STR("/x");
    ck_assert_int_eq(one_hop(&from, &hop, &why), REQIVO_E_REDIRECT_URL);
}
END_TEST

static const char *const of_origin[] = {
    "Host",       "authorization",       "COOKIE",          "Cookie2",
    "X-Api-Key",  "X-Auth-Token",        "private-token",   "X-Amz-Security-Token",
    "App-Secret", "X-Password",          "X-Authorization", "Proxy-Authorization",
    "x-my-key",   "Authentication-Token"};
static const char *const of_nobody[] = {"Accept",  "User-Agent", "Idempotency-Key", "X-Trace-Id", "Range",
                                        "Referer", "Key",        "Cookies",         "Content"};

static void drops(const struct rqv_redirect *hop, const char *const *names, size_t count, bool want)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(rqv_redirect_drops(hop, rqv_str_from(names[i])) == want, "%s", names[i]);
}

enum {
    OF_ORIGIN = sizeof(of_origin) / sizeof(of_origin[0]),
    OF_NOBODY = sizeof(of_nobody) / sizeof(of_nobody[0])
};

START_TEST(rule_b3_3_credentials_stay_with_their_origin)
{
    static const struct {
        const char *url, *location;
        bool elsewhere;
    } rows[] = {
        {"http://h/", "/x", false},
        {"http://h/", "http://H:80/x", false},
        {"https://h:443/", "https://h/x", false},
        {"http://h/", "https://h/x", true},
        {"http://h/", "http://h:8080/x", true},
        {"http://h/", "http://i/x", true},
        {"http://h/", "http://sub.h/x", true},
        {"http://127.0.0.1/", "http://localhost/x", true},
        {"http://[::1]/", "http://[0:0::1]/x", false},
        {"http://[fe80::1%251]/", "http://[fe80::1%252]/x", true},
        {"http://\xc3\xa9.example/", "http://xn--9ca.example/x", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rqv_redirect_from from = from_of(302, "GET", rows[i].url, rows[i].location);
        struct rqv_redirect hop;
        const char *why = "";

        ck_assert_msg(one_hop(&from, &hop, &why) == 1, "%s", why);
        ck_assert_msg(hop.elsewhere == rows[i].elsewhere, "%s -> %s", rows[i].url, rows[i].location);
        drops(&hop, of_origin, OF_ORIGIN, rows[i].elsewhere);
        drops(&hop, of_nobody, OF_NOBODY, false);
    }
}
END_TEST

START_TEST(rule_b3_3_no_way_back_for_credentials)
{
    struct rqv_redirect_chain chain = chain_of(NULL);
    struct rqv_redirect_from from = from_of(302, "GET", "http://h/1", "http://i/2");
    struct rqv_redirect hop;
    const char *why;

    ck_assert(rqv_redirect_next(&chain, &from, room, &hop, &why) == 1 && hop.elsewhere);
    from = from_of(302, "GET", "http://i/2", "http://h/3");
    ck_assert(rqv_redirect_next(&chain, &from, room, &hop, &why) == 1 && hop.elsewhere);
    from = from_of(302, "GET", "http://h/3", "/4");
    ck_assert(rqv_redirect_next(&chain, &from, room, &hop, &why) == 1 && hop.elsewhere);
    ck_assert(rqv_redirect_drops(&hop, RQV_STR("Authorization")));
}
END_TEST

/* curl --location-trusted: all but Host, which names the first origin. */
START_TEST(a_trusted_chain_keeps_credentials)
{
    struct rqv_redirect_rules rules = {.max = 5, .trusted = true};
    struct rqv_redirect_chain chain = chain_of(&rules);
    struct rqv_redirect_from from = from_of(302, "GET", "http://h/1", "http://i/2");
    struct rqv_redirect hop;
    const char *why;

    ck_assert(rqv_redirect_next(&chain, &from, room, &hop, &why) == 1 && hop.elsewhere);
    drops(&hop, of_origin + 1, OF_ORIGIN - 1, false);
    ck_assert(rqv_redirect_drops(&hop, RQV_STR("Host")));
}
END_TEST

/* The program sent the request somewhere else than the redirect said. */
START_TEST(rule_b3_3_a_turn_of_the_program_leaves_the_origin)
{
    struct rqv_redirect_chain chain = chain_of(NULL);
    struct rqv_redirect_from from = from_of(302, "GET", "http://h/1", "http://h/2");
    struct rqv_redirect hop;
    struct rqv_url url;
    const char *why;

    ck_assert(rqv_redirect_next(&chain, &from, room, &hop, &why) == 1 && !hop.elsewhere);
    ck_assert_int_eq(rqv_url_parse("http://h/other", 14, &url, &why), 0);
    rqv_redirect_turn(&chain, &hop, &url);
    ck_assert(!hop.elsewhere && !chain.left);
    ck_assert_int_eq(rqv_url_parse("http://i/2", 10, &url, &why), 0);
    rqv_redirect_turn(&chain, &hop, &url);
    ck_assert(hop.elsewhere && chain.left);
}
END_TEST

START_TEST(fields_of_the_body)
{
    static const char *const names[] = {"Content-Type",     "content-encoding", "Content-Language", "Digest",
                                        "Content-Location", "CONTENT-MD5",      "Last-Modified"};
    struct rqv_redirect_from from = from_of(303, "POST", "http://h/", "/x");
    struct rqv_redirect hop;
    const char *why;

    ck_assert_int_eq(one_hop(&from, &hop, &why), 1);
    drops(&hop, names, sizeof(names) / sizeof(names[0]), true);
    drops(&hop, of_origin, OF_ORIGIN, false);
    drops(&hop, of_nobody, OF_NOBODY, false);
    ck_assert(!rqv_redirect_drops(&hop, RQV_STR("")));
}
END_TEST

START_TEST(rule_b3_1_loops)
{
    struct rqv_redirect_chain chain = chain_of(NULL);
    struct rqv_redirect_from from = from_of(302, "GET", "http://h/a", "/b");
    struct rqv_redirect hop;
    const char *why;

    ck_assert_int_eq(rqv_redirect_next(&chain, &from, room, &hop, &why), 1);
    from = from_of(302, "GET", "http://h/b", "http://h:80/a#x");
    ck_assert_int_eq(rqv_redirect_next(&chain, &from, room, &hop, &why), REQIVO_E_REDIRECT_LOOP);
    ck_assert_uint_eq(chain.count, 1);
    from.context = 1; /* a cookie has come: not the same request */
    ck_assert_int_eq(rqv_redirect_next(&chain, &from, room, &hop, &why), 1);
    ck_assert_int_eq(rqv_redirect_next(&chain, &from, room, &hop, &why), REQIVO_E_REDIRECT_LOOP);

    static const struct {
        unsigned status;
        const char *method, *url, *location;
        int want;
    } rows[] = {
        {302, "GET", "http://h/a", "", REQIVO_E_REDIRECT_LOOP},
        {302, "GET", "http://h", "/", REQIVO_E_REDIRECT_LOOP},
        {308, "POST", "http://h/a", "a", REQIVO_E_REDIRECT_LOOP},
        {303, "POST", "http://h/a", "a", 1}, /* sent, then looked at */
        {302, "GET", "http://h/a", "a?", 1},
        {302, "GET", "http://h/a", "https://h:80/a", 1},
        {302, "GET", "http://h/a", "http://h:81/a", 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        from = from_of(rows[i].status, rows[i].method, rows[i].url, rows[i].location);
        ck_assert_msg(one_hop(&from, &hop, &why) == rows[i].want, "%s -> %s", rows[i].url, rows[i].location);
    }
}
END_TEST

static unsigned hops_until_refused(unsigned max)
{
    struct rqv_redirect_rules rules = {.max = max};
    struct rqv_redirect_chain chain = chain_of(&rules);
    char url[64] = "http://h/0", location[32];
    struct rqv_redirect hop;
    const char *why;
    int r = 1;

    for (unsigned n = 0; r == 1 && n < 100; n++) {
        struct rqv_redirect_from from;

        snprintf(location, sizeof(location), "/%u", n + 1);
        from = from_of(302, "GET", url, location);
        r = rqv_redirect_next(&chain, &from, room, &hop, &why);
        if (r == 1)
            snprintf(url, sizeof(url), "%.*s", (int)hop.url_len, hop.url);
    }
    ck_assert_int_eq(r, REQIVO_E_REDIRECT_LIMIT);
    return chain.count;
}

START_TEST(rule_b3_1_limit)
{
    ck_assert_uint_eq(hops_until_refused(30), 30);
    ck_assert_uint_eq(hops_until_refused(1000), 30);
    ck_assert_uint_eq(hops_until_refused(3), 3);
    ck_assert_uint_eq(hops_until_refused(0), 0);
}
END_TEST

START_TEST(location_of_a_response)
{
    struct rqv_fields fields = {0};
    struct rqv_str location = RQV_STR("before");

    ck_assert(rqv_redirect_location(&fields, &location) == 0 && !location.ptr);
    rqv_fields_add(&fields, RQV_STR("location"), (struct rqv_str){NULL, 0});
    ck_assert(rqv_redirect_location(&fields, &location) == 0 && location.ptr && location.len == 0);
    fields.at[0].value = RQV_STR("/a");
    rqv_fields_add(&fields, RQV_STR("Location"), RQV_STR("/a"));
    ck_assert(rqv_redirect_location(&fields, &location) == 0 && rqv_str_eq(location, RQV_STR("/a")));
    rqv_fields_add(&fields, RQV_STR("LOCATION"), RQV_STR("/b"));
    ck_assert_int_eq(rqv_redirect_location(&fields, &location), REQIVO_E_REDIRECT_URL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("redirect");

    UNIT_TCASE(s, "request", only_these_are_redirects, rule_b3_4_methods_and_bodies,
               rule_b3_4_a_body_that_cannot_go_along, the_method_is_kept_when_the_rules_say_so,
               a_body_that_was_dropped_stays_away);
    UNIT_TCASE(s, "target", where_it_leads, fragments_are_inherited, rule_b3_2_where_it_may_not_lead,
               rule_b3_2_downgrade_when_asked_for, too_long, location_of_a_response);
    UNIT_TCASE(s, "fields", rule_b3_3_credentials_stay_with_their_origin,
               rule_b3_3_no_way_back_for_credentials, a_trusted_chain_keeps_credentials,
               rule_b3_3_a_turn_of_the_program_leaves_the_origin, fields_of_the_body);
    UNIT_TCASE(s, "chain", rule_b3_1_loops, rule_b3_1_limit);
    return s;
}

UNIT_MAIN(suite)
