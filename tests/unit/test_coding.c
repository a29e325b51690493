/* SPDX-License-Identifier: MIT */
/* Unit tests of proto/coding.h: what Content-Encoding says; each coding, with the libraries' own encoders as
 * the other end, whole, byte by byte and split at every place; chains; damage, ends and what lies behind. */
#include "proto/coding.h"

#include "tests/lib/coding_run.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>
#include <zlib.h>

/* ---- Content-Encoding ---------------------------------------------------------------------------------- */

#define G RQV_CODING_GZIP
#define D RQV_CODING_DEFLATE
#define B RQV_CODING_BR
#define Z RQV_CODING_ZSTD

static const struct {
    const char *first, *second; /* second: of another field line */
    int code;
    uint8_t kinds[RQV_CODINGS_MAX];
} lists[] = {
    {NULL, NULL, 0, {0}},
    {"", NULL, 0, {0}},
    {"identity", NULL, 0, {0}},
    {"gzip", NULL, 0, {G}},
    {"X-GZip", NULL, 0, {G}},
    {"deflate", NULL, 0, {D}},
    {"br", NULL, 0, {B}},
    {"ZSTD", NULL, 0, {Z}},
    {" ,gzip\t, ,br,", NULL, 0, {G, B}},
    {"gzip, identity", "br", 0, {G, B}},
    {"gzip,gzip,br,zstd", "deflate", 0, {G, G, B, Z, D}},
    {"identity,identity,identity,identity,identity,identity", NULL, 0, {0}},
    {"gzip,gzip,gzip,gzip,gzip,gzip", NULL, REQIVO_E_CODING, {0}},
    {"gzip,gzip,gzip", "gzip,gzip,gzip", REQIVO_E_CODING, {0}},
    {"compress", NULL, REQIVO_E_CODING, {0}},
    {"gzip", "x", REQIVO_E_CODING, {0}},
    {"gzip br", NULL, REQIVO_E_CODING, {0}},
    {"gzip;q=1", NULL, REQIVO_E_CODING, {0}},
    {"\"gzip\"", NULL, REQIVO_E_CODING, {0}},
    {"gzipp", NULL, REQIVO_E_CODING, {0}},
    {"b", NULL, REQIVO_E_CODING, {0}},
};

START_TEST(content_encoding)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct rqv_codings codings = {.count = 99}, before = codings;
        struct rqv_fields fields = {0};
        const char *why = NULL;

        rqv_fields_add(&fields, RQV_STR("Content-Type"), RQV_STR("gzip"));
        if (lists[i].first)
            rqv_fields_add(&fields, RQV_STR("content-Encoding"), rqv_str_from(lists[i].first));
        if (lists[i].second)
            rqv_fields_add(&fields, RQV_STR("CONTENT-ENCODING"), rqv_str_from(lists[i].second));
        ck_assert_int_eq(rqv_codings_parse(&fields, &codings, &why), lists[i].code);
        if (lists[i].code < 0) {
            ck_assert(why && codings.count == before.count);
            continue;
        }
        ck_assert_uint_lt(codings.count, 6);
        for (size_t n = 0; n < RQV_CODINGS_MAX; n++)
            ck_assert_uint_eq(codings.at[n], lists[i].kinds[n]);
        ck_assert(codings.count == RQV_CODINGS_MAX || lists[i].kinds[codings.count] == 0);
    }
}
END_TEST

/* ---- one coding ---------------------------------------------------------------------------------------- */

static const struct coding_encode ways[] = {
    {G, false, 0, 0}, {G, false, 9, 0},  {D, false, 0, 0}, {D, true, 6, 0},   {B, false, 0, 10},
    {B, false, 5, 0}, {B, false, 9, 24}, {Z, false, 0, 0}, {Z, false, 3, 23}, {Z, false, 0, 10},
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void is_plain(const struct coding_params *params, struct bytes coded, struct bytes plain)
{
    struct coding_result got = coding_run(params, coded);

    ck_assert_msg(got.code == RQV_CODING_END, "%s", got.why ? got.why : "no end");
    ck_assert_uint_eq(got.out.len, plain.len);
    ck_assert(plain.len == 0 || memcmp(got.out.at, plain.at, plain.len) == 0);
    free(got.out.at);
}

static void fails(const struct coding_params *params, struct bytes coded, int code)
{
    struct coding_result got = coding_run(params, coded);

    ck_assert_int_eq(got.code, code);
    free(got.out.at);
}

START_TEST(sizes_pieces_and_rooms)
{
    static const size_t sizes[] = {0, 1, 100, 65536, 300000}, pieces[] = {1, 7, 4096, SIZE_MAX},
                        rooms[] = {1, 13, 4096, RQV_CODING_STEP_MAX, 1 << 20};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct bytes plain = coding_plain(sizes[s], false), coded = coding_encode(plain, &ways[_i]);
        struct coding_params params = coding_params_of(ways[_i].kind);

        for (size_t p = 0; p < 4; p++) {
            for (size_t r = 0; r < 5; r++) {
                params.piece = pieces[p];
                params.room = rooms[r];
                is_plain(&params, coded, plain);
            }
        }
        free(plain.at);
        free(coded.at);
    }
}
END_TEST

START_TEST(every_split)
{
    struct bytes plain = coding_plain(1500, false), coded = coding_encode(plain, &ways[_i]);
    struct coding_params params = coding_params_of(ways[_i].kind);

    for (params.cut = 1; params.cut < coded.len; params.cut++)
        is_plain(&params, coded, plain);
    free(plain.at);
    free(coded.at);
}
END_TEST

START_TEST(every_cut_is_truncated)
{
    struct bytes plain = coding_plain(700, false), coded = coding_encode(plain, &ways[_i]), part = coded;
    struct coding_params params = coding_params_of(ways[_i].kind);

    for (part.len = 1; part.len < coded.len; part.len++) {
        params.piece = SIZE_MAX;
        fails(&params, part, REQIVO_E_TRUNCATED);
        params.piece = 1;
        fails(&params, part, REQIVO_E_TRUNCATED);
    }
    part.len = 0;
    is_plain(&params, part, part); /* no byte at all is an empty body */
    free(plain.at);
    free(coded.at);
}
END_TEST

/* Whatever a flipped bit does, it does it for every split; where a checksum stands the body is refused. */
START_TEST(every_flip_is_the_same_for_every_split)
{
    struct bytes plain = coding_plain(300, false), coded = coding_encode(plain, &ways[_i]);
    struct coding_params params = coding_params_of(ways[_i].kind);

    for (size_t bit = 0; bit < coded.len * 8; bit++) {
        struct coding_result whole, bytewise;

        coded.at[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        params.piece = SIZE_MAX;
        whole = coding_run(&params, coded);
        params.piece = 1;
        bytewise = coding_run(&params, coded);
        ck_assert_int_eq(whole.code, bytewise.code);
        if (whole.code == RQV_CODING_END) {
            ck_assert_uint_eq(whole.out.len, bytewise.out.len);
            ck_assert(whole.out.len == 0 || memcmp(whole.out.at, bytewise.out.at, whole.out.len) == 0);
            ck_assert((ways[_i].kind != G && ways[_i].kind != Z) ||
                      (whole.out.len == plain.len && memcmp(whole.out.at, plain.at, plain.len) == 0));
        }
        free(whole.out.at);
        free(bytewise.out.at);
        coded.at[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    free(plain.at);
    free(coded.at);
}
END_TEST

/* ---- what lies behind ---------------------------------------------------------------------------------- */

static void behind(const struct coding_encode *how, const char *more, size_t len, int code)
{
    struct bytes plain = coding_plain(1000, false), coded = coding_encode(plain, how);
    struct coding_params params = coding_params_of(how->kind);

    coding_append(&coded, more, len);
    for (params.cut = 0; params.cut < coded.len; params.cut++) {
        if (code == RQV_CODING_END)
            is_plain(&params, coded, plain);
        else
            fails(&params, coded, code);
    }
    free(plain.at);
    free(coded.at);
}

START_TEST(bytes_behind_the_end)
{
    static const struct coding_encode gzip = {.kind = G}, deflate = {.kind = D},
                                      raw = {.kind = D, .raw = true}, br = {.kind = B}, zstd = {.kind = Z};

    behind(&gzip, "garbage", 7, RQV_CODING_END);
    behind(&gzip, "\0\0\0\0", 4, RQV_CODING_END);
    behind(&gzip, "\x1f", 1, RQV_CODING_END);
    behind(&gzip, "\x1f\x1f\x8b", 3, RQV_CODING_END);
    behind(&gzip, "\x1f\x8b", 2, REQIVO_E_TRUNCATED);
    behind(&gzip, "\x1f\x8bgarbage", 9, REQIVO_E_CODING);
    behind(&deflate, "garbage", 7, RQV_CODING_END);
    behind(&raw, "\x78\x9c", 2, RQV_CODING_END);
    behind(&br, "x", 1, REQIVO_E_CODING);
    behind(&zstd, "x", 1, REQIVO_E_TRUNCATED);
    behind(&zstd, "garbage", 7, REQIVO_E_CODING);
    behind(&zstd, "\x50\x2a\x4d\x18\0\0\0\0", 8, RQV_CODING_END); /* a skippable frame of no byte */
    behind(&zstd, "\x5f\x2a\x4d\x18\x03\0\0\0xyz", 11, RQV_CODING_END);
    behind(&zstd, "\x5f\x2a\x4d\x18\x03\0\0\0xy", 10, REQIVO_E_TRUNCATED);
}
END_TEST

START_TEST(members_and_frames_follow_each_other)
{
    static const struct coding_encode both[] = {{.kind = G}, {.kind = Z}};

    for (size_t i = 0; i < 2; i++) {
        struct bytes plain = coding_plain(900, false), none = coding_plain(0, true);
        struct bytes coded = coding_encode(plain, &both[i]), empty = coding_encode(none, &both[i]);
        struct bytes all = {0}, want = {0};
        struct coding_params params = coding_params_of(both[i].kind);

        coding_append(&all, coded.at, coded.len);
        coding_append(&all, empty.at, empty.len);
        coding_append(&all, coded.at, coded.len);
        coding_append(&want, plain.at, plain.len);
        coding_append(&want, plain.at, plain.len);
        for (params.cut = 0; params.cut < all.len; params.cut++)
            is_plain(&params, all, want);
        params.piece = params.room = 1;
        is_plain(&params, all, want);
        free(plain.at), free(none.at), free(coded.at), free(empty.at), free(all.at), free(want.at);
    }
}
END_TEST

/* FHCRC, FEXTRA, FNAME and FCOMMENT: RFC 1952 2.3.1. The header's CRC is checked. */
START_TEST(gzip_header_fields)
{
    static const char head[] = "\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x02\0xyname\0comment";
    static const char tail[] = "\x03\0\0\0\0\0\0\0\0\0";
    uint32_t crc = (uint32_t)crc32(0, (const uint8_t *)head, sizeof(head));
    uint8_t low[2] = {(uint8_t)crc, (uint8_t)(crc >> 8)};
    struct bytes coded = coding_copy(head, sizeof(head)), plain = {0};
    struct coding_params params = coding_params_of(G);

    coding_append(&coded, low, 2);
    coding_append(&coded, tail, sizeof(tail) - 1);
    for (params.cut = 0; params.cut < coded.len; params.cut++)
        is_plain(&params, coded, plain);
    coded.at[sizeof(head)] ^= 1;
    fails(&params, coded, REQIVO_E_CODING);
    coded.at[sizeof(head)] ^= 1;
    coded.at[3] |= 0xe0; /* reserved flags */
    fails(&params, coded, REQIVO_E_CODING);
    free(coded.at);
}
END_TEST

/* ---- chains -------------------------------------------------------------------------------------------- */

START_TEST(chains)
{
    static const uint8_t kinds[][RQV_CODINGS_MAX] = {{G, B},       {B, G},          {Z, D},         {G, D, B},
                                                     {B, Z, G, D}, {G, B, Z, D, G}, {Z, Z, Z, Z, Z}};
    static const size_t pieces[] = {1, 100, SIZE_MAX}, rooms[] = {1, 1000, RQV_CODING_STEP_MAX};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct bytes plain = coding_plain(70000, false), coded = coding_copy(plain.at, plain.len);
        struct coding_params params = coding_params_of(G);

        params.codings.count = 0;
        for (size_t n = 0; n < RQV_CODINGS_MAX && kinds[i][n]; n++) {
            struct coding_encode how = {.kind = (enum rqv_coding_kind)kinds[i][n]};
            struct bytes more = coding_encode(coded, &how);

            params.codings.at[params.codings.count++] = kinds[i][n];
            free(coded.at);
            coded = more;
        }
        for (size_t n = 0; n < 9; n++) {
            params.piece = pieces[n / 3];
            params.room = rooms[n % 3];
            is_plain(&params, coded, plain);
        }
        coded.len--;
        fails(&params, coded, REQIVO_E_TRUNCATED);
        free(plain.at);
        free(coded.at);
    }
}
END_TEST

/* The outer coding is whole and the inner one is cut. */
START_TEST(an_inner_coding_that_is_cut)
{
    static const struct coding_encode gzip = {.kind = G}, zstd = {.kind = Z};
    struct bytes plain = coding_plain(5000, false), inner = coding_encode(plain, &gzip), outer;
    struct coding_params params = coding_params_of(G);

    params.codings = (struct rqv_codings){.count = 2, .at = {G, Z}};
    inner.len -= 3;
    outer = coding_encode(inner, &zstd);
    fails(&params, outer, REQIVO_E_TRUNCATED);
    free(plain.at);
    free(inner.at);
    free(outer.at);
}
END_TEST

START_TEST(nonsense_of_the_caller)
{
    struct rqv_coding_limits limits;
    struct rqv_codings none = {0}, many = {.count = 6}, one = {.count = 1, .at = {G}};
    struct rqv_coding *coding = NULL;
    struct rqv_coding_flow flow = {0};

    rqv_coding_limits_default(&limits);
    ck_assert_int_eq(rqv_coding_new(&none, &limits, NULL, &coding), -EINVAL);
    ck_assert_int_eq(rqv_coding_new(&many, &limits, NULL, &coding), -EINVAL);
    ck_assert_ptr_null(coding);
    rqv_coding_free(NULL);
    ck_assert_int_eq(rqv_coding_new(&one, &limits, NULL, &coding), 0);
    ck_assert_int_eq(rqv_coding_step(coding, &flow), -EINVAL);
    rqv_coding_free(coding);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("coding");
    TCase *each = tcase_create("each coding");

    UNIT_TCASE(s, "fields", content_encoding);
    tcase_set_timeout(each, 60);
    tcase_add_loop_test(each, sizes_pieces_and_rooms, 0, WAYS);
    tcase_add_loop_test(each, every_split, 0, WAYS);
    tcase_add_loop_test(each, every_cut_is_truncated, 0, WAYS);
    tcase_add_loop_test(each, every_flip_is_the_same_for_every_split, 0, WAYS);
    suite_add_tcase(s, each);
    UNIT_TCASE(s, "ends", bytes_behind_the_end, members_and_frames_follow_each_other, gzip_header_fields);
    UNIT_TCASE(s, "chains", chains, an_inner_coding_that_is_cut, nonsense_of_the_caller);
    return s;
}

UNIT_MAIN(suite)
