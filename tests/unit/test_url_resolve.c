/* SPDX-License-Identifier: MIT */
/* Unit tests of proto/url_resolve.h: the examples of RFC 3986 5.4, and what they leave out. */
#include "proto/url_resolve.h"

#include "tests/unit/unit.h"

#include <reqivo/error.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const char *reference, *target;
};

static const char rfc_base[] = "http://a/b/c/d;p?q";

/* RFC 3986 5.4.1 */
static const struct row normal[] = {
    {"g:h", "g:h"},
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q#s"},
    {"g#s", "http://a/b/c/g#s"},
    {"g?y#s", "http://a/b/c/g?y#s"},
    {";x", "http://a/b/c/;x"},
    {"g;x", "http://a/b/c/g;x"},
    {"g;x?y#s", "http://a/b/c/g;x?y#s"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
};

/* RFC 3986 5.4.2; "http:g" the strict way */
static const struct row abnormal[] = {
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {"g;x=1/../y", "http://a/b/c/y"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"g#s/./x", "http://a/b/c/g#s/./x"},
    {"g#s/../x", "http://a/b/c/g#s/../x"},
    {"http:g", "http:g"},
};

static const struct {
    const char *base, *reference, *target;
} more[] = {
    {"http://h", "g", "http://h/g"},
    {"http://h", "", "http://h"},
    {"http://h?q", "g", "http://h/g"},
    {"http://h?q", "#f", "http://h?q#f"},
    {"http://h/a#old", "", "http://h/a"},
    {"http://h/a?q#old", "?", "http://h/a?"},
    {"http://h/a?q#old", "#", "http://h/a?q#"},
    {"http://h/a", "//", "http://"},
    {"http://h/a", "https://x/../y", "https://x/y"},
    {"http://h/a", "//x:1/./y/..?z", "http://x:1/?z"},
    {"http://h/a/b", "../..//c", "http://h//c"},
    {"http://h/a/b/", "...", "http://h/a/b/..."},
    {"http://h/a/b/", ".../..", "http://h/a/b/"},
    {"http://h/a", "1x:y", "http://h/1x:y"},
    {"http://h/a", ":y", "http://h/:y"},
    {"http://h/a", "x/y:z", "http://h/x/y:z"},
    {"http://h/a", "a+b-c.d:e", "a+b-c.d:e"},
    {"http://h/a", "%2e%2e/b", "http://h/%2e%2e/b"},
    {"http://h/a/../b", "", "http://h/a/../b"},
    {"mailto:x/y", "z", "mailto:x/z"},
    {"urn:a", "../b", "urn:b"},
    {"urn:a", "./b/./..", "urn:/"},
    {"urn:a", "..", "urn:"},
    {"urn:a", ".", "urn:"},
};

/* With just the room that is needed, with one byte less, and with none. */
static void resolves(const char *base, const char *reference, const char *target)
{
    struct rqv_str b = rqv_str_from(base), r = rqv_str_from(reference);
    size_t len = strlen(target);
    char *out = malloc(4096);

    ck_assert_ptr_nonnull(out);
    ck_assert_msg(rqv_url_resolve(b, r, out, 4096) == (long)len && memcmp(out, target, len) == 0,
                  "%s + %s is not %s but %.*s", base, reference, target,
                  (int)rqv_url_resolve(b, r, out, 4096), out);
    free(out);
    for (size_t size = 0; size < len; size++) {
        out = malloc(size + 1); /* never 0 */
        ck_assert_int_eq(rqv_url_resolve(b, r, out, size), REQIVO_E_URL);
        free(out);
    }
}

START_TEST(rfc_3986_normal_examples)
{
    for (size_t i = 0; i < sizeof(normal) / sizeof(normal[0]); i++)
        resolves(rfc_base, normal[i].reference, normal[i].target);
}
END_TEST

START_TEST(rfc_3986_abnormal_examples)
{
    for (size_t i = 0; i < sizeof(abnormal) / sizeof(abnormal[0]); i++)
        resolves(rfc_base, abnormal[i].reference, abnormal[i].target);
}
END_TEST

START_TEST(other_bases_and_references)
{
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        resolves(more[i].base, more[i].reference, more[i].target);
}
END_TEST

START_TEST(a_base_needs_a_scheme)
{
    char out[64];

    ck_assert_int_eq(rqv_url_resolve(RQV_STR("//h/a"), RQV_STR("b"), out, sizeof(out)), REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_resolve(RQV_STR(""), RQV_STR("b"), out, sizeof(out)), REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_resolve((struct rqv_str){0}, (struct rqv_str){0}, out, sizeof(out)),
                     REQIVO_E_URL);
    ck_assert_int_eq(rqv_url_resolve(RQV_STR("http://h/a"), (struct rqv_str){0}, out, sizeof(out)), 10);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("url_resolve");

    UNIT_TCASE(s, "resolve", rfc_3986_normal_examples, rfc_3986_abnormal_examples, other_bases_and_references,
               a_base_needs_a_scheme);
    return s;
}

UNIT_MAIN(suite)
