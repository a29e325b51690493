/* SPDX-License-Identifier: MIT */
/* Unit tests of proto/coding.h: hostile bodies. Bombs of each coding and nested ones, the limits, windows and
 * formats that are refused, and the work of a step. security.md B4 */
#include "tests/lib/coding_run.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <stdio.h>
#include <string.h>

#define G RQV_CODING_GZIP
#define D RQV_CODING_DEFLATE
#define B RQV_CODING_BR
#define Z RQV_CODING_ZSTD

enum { MIB = 1 << 20, BOMB = 64 * MIB };

static const struct coding_encode bombs[] = {
    {G, false, 9, 0}, {D, false, 9, 0}, {D, true, 9, 0}, {B, false, 5, 24}, {Z, false, 3, 23}};
enum { BOMBS = sizeof(bombs) / sizeof(bombs[0]) };

START_TEST(rule_b4_coding_ratio_of_each)
{
    static const size_t pieces[] = {1000, SIZE_MAX};
    struct bytes plain = coding_plain(BOMB, true), coded = coding_encode(plain, &bombs[_i]);
    struct coding_params params = coding_params_of(bombs[_i].kind);

    free(plain.at);
    for (size_t i = 0; i < 2; i++) {
        struct coding_result got;

        params.piece = pieces[i];
        got = coding_run(&params, coded);
        ck_assert_int_eq(got.code, REQIVO_E_LIMIT_CODING);
        ck_assert_uint_le(got.out.len, MIB + 100 * coded.len + RQV_CODING_STEP_MAX);
        ck_assert_uint_ge(got.out.len, MIB - RQV_CODING_STEP_MAX);
        free(got.out.at);
    }
    params.limits.ratio_max = 0;
    params.limits.output_max = 3 * MIB;
    for (size_t i = 0; i < 2; i++) {
        struct coding_result got;

        params.piece = pieces[i];
        got = coding_run(&params, coded);
        ck_assert_int_eq(got.code, REQIVO_E_LIMIT_CODING);
        ck_assert_uint_le(got.out.len, 3 * MIB);
        free(got.out.at);
    }
    free(coded.at);
}
END_TEST

START_TEST(small_bodies_may_expand_as_they_like)
{
    struct bytes plain = coding_plain(MIB, true), coded = coding_encode(plain, &bombs[_i]);
    struct coding_params params = coding_params_of(bombs[_i].kind);
    struct coding_result got;

    params.limits.output_max = MIB;
    got = coding_run(&params, coded);
    ck_assert_int_eq(got.code, RQV_CODING_END);
    ck_assert_uint_eq(got.out.len, MIB);
    free(got.out.at);
    params.limits.output_max--;
    got = coding_run(&params, coded);
    ck_assert_int_eq(got.code, REQIVO_E_LIMIT_CODING);
    free(got.out.at);
    free(plain.at);
    free(coded.at);
}
END_TEST

/* Five codings of zeros: some bytes on the wire. */
START_TEST(rule_b4_coding_ratio_of_a_chain)
{
    static const uint8_t chains[][RQV_CODINGS_MAX] = {{G, G, G, G, G}, {Z, B, D, B, Z}};

    for (size_t i = 0; i < 2; i++) {
        struct bytes coded = coding_plain(BOMB, true);
        struct coding_params params = coding_params_of(G);
        struct coding_result got;

        params.codings.count = RQV_CODINGS_MAX;
        for (size_t n = 0; n < RQV_CODINGS_MAX; n++) {
            struct coding_encode how = {.kind = (enum rqv_coding_kind)chains[i][n], .level = 5};
            struct bytes more = coding_encode(coded, &how);

            params.codings.at[n] = chains[i][n];
            free(coded.at);
            coded = more;
        }
        got = coding_run(&params, coded);
        ck_assert_int_eq(got.code, REQIVO_E_LIMIT_CODING);
        ck_assert_uint_le(got.out.len, MIB + 100 * coded.len + RQV_CODING_STEP_MAX);
        ck_assert_uint_le(got.peak, params.limits.memory_max);
        free(got.out.at);
        free(coded.at);
    }
}
END_TEST

/* Expands in one coding and vanishes in the next: nothing comes out, and yet it ends. */
static struct bytes vanishing(size_t len)
{
    static const char frame[8] = "\x50\x2a\x4d\x18\0\0\0\0";
    static const struct coding_encode gzip = {.kind = G, .level = 9};
    struct bytes frames = coding_plain(len, true), coded;

    for (size_t i = 0; i < len; i += sizeof(frame))
        memcpy(frames.at + i, frame, sizeof(frame));
    coded = coding_encode(frames, &gzip);
    free(frames.at);
    return coded;
}

START_TEST(rule_b4_coding_ratio_of_what_vanishes)
{
    struct bytes coded = vanishing(BOMB);
    struct coding_params params = coding_params_of(Z);
    struct coding_result got;

    params.codings = (struct rqv_codings){.count = 2, .at = {Z, G}};
    got = coding_run(&params, coded);
    ck_assert_int_eq(got.code, REQIVO_E_LIMIT_CODING);
    ck_assert_uint_eq(got.out.len, 0);
    free(got.out.at);
    free(coded.at);
}
END_TEST

START_TEST(the_work_of_a_step_is_bounded)
{
    struct bytes coded = vanishing(8 * MIB);
    struct rqv_codings codings = {.count = 2, .at = {Z, G}};
    struct rqv_coding_limits limits = {.memory_max = SIZE_MAX};
    uint8_t room[100];
    struct rqv_coding_flow flow = {
        .in = coded.at, .in_len = coded.len, .last = true, .out = room, .out_size = 100};
    struct rqv_coding *coding = NULL;
    unsigned steps = 0;
    int r;

    ck_assert_int_eq(rqv_coding_new(&codings, &limits, NULL, &coding), 0);
    do {
        r = rqv_coding_step(coding, &flow);
        ck_assert_uint_eq(flow.produced, 0);
        flow.in += flow.consumed;
        flow.in_len -= flow.consumed;
        steps++;
    } while (r == RQV_CODING_HAVE_OUTPUT);
    ck_assert_int_eq(r, RQV_CODING_END);
    ck_assert_uint_ge(steps, 16); /* 16 MiB given and taken, half a MiB a step */
    ck_assert_int_eq(rqv_coding_step(coding, &flow), RQV_CODING_END);
    rqv_coding_free(coding);
    free(coded.at);
}
END_TEST

START_TEST(rule_b4_coding_default_steps)
{
    struct bytes plain = coding_plain(4 * MIB, true), coded = coding_encode(plain, &bombs[_i]);
    struct rqv_codings codings = {.count = 1, .at = {(uint8_t)bombs[_i].kind}};
    struct rqv_coding_limits limits = {.memory_max = SIZE_MAX};
    struct rqv_coding_flow flow = {
        .in = coded.at, .in_len = coded.len, .last = true, .out = plain.at, .out_size = plain.len};
    struct rqv_coding *coding = NULL;
    size_t steps = 0;
    int r;

    ck_assert_int_eq(rqv_coding_new(&codings, &limits, NULL, &coding), 0);
    do {
        r = rqv_coding_step(coding, &flow);
        ck_assert_uint_le(flow.produced, RQV_CODING_STEP_MAX);
        flow.in += flow.consumed;
        flow.in_len -= flow.consumed;
        steps++;
    } while (r == RQV_CODING_HAVE_OUTPUT);
    ck_assert_int_eq(r, RQV_CODING_END);
    ck_assert_uint_ge(steps, 4 * MIB / RQV_CODING_STEP_MAX);
    rqv_coding_free(coding);
    free(plain.at);
    free(coded.at);
}
END_TEST

static struct coding_result run_text(enum rqv_coding_kind kind, const char *text, size_t len, size_t piece)
{
    struct bytes coded = coding_copy(text, len);
    struct coding_params params = coding_params_of(kind);
    struct coding_result got;

    params.piece = piece;
    got = coding_run(&params, coded);
    free(coded.at);
    free(got.out.at);
    got.out.at = NULL;
    return got;
}

static void refused(enum rqv_coding_kind kind, const char *text, size_t len, const char *what)
{
    for (size_t piece = 1; piece <= len; piece++) {
        struct coding_result got = run_text(kind, text, len, piece);

        ck_assert_int_eq(got.code, REQIVO_E_CODING);
        ck_assert_msg(strstr(got.why, what) != NULL, "%s", got.why);
        ck_assert_uint_lt(got.peak, 200000);
    }
}

#define REFUSED(kind, text, what) refused((kind), (text), sizeof(text) - 1, (what))

START_TEST(windows_and_formats_that_are_refused)
{
    /* A window of 16 MiB and an empty raw block; the same as a single segment of 9 MiB. */
    REFUSED(Z, "\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00", "window");
    REFUSED(Z, "\x28\xb5\x2f\xfd\xa0\x00\x00\x90\x00\x01\x00\x00", "window");
    /* A dictionary. */
    REFUSED(Z, "\x28\xb5\x2f\xfd\x01\x58\x07\x01\x00\x00", "dictionary");
    /* Formats before 1.0: 0.5, 0.6, 0.7, with a large window. */
    REFUSED(Z, "\x25\xb5\x2f\xfd\x0f\x00\x00\x00\x00\x00", "not zstd");
    REFUSED(Z, "\x26\xb5\x2f\xfd\x0f\x00\x00\x00\x00\x00", "not zstd");
    REFUSED(Z, "\x27\xb5\x2f\xfd\x00\x88\x00\x00\x00\x00", "not zstd");
    REFUSED(Z, "\x1e\xb5\x2f\xfd", "not zstd");
    /* Brotli with a large window (RFC 9841). */
    REFUSED(B, "\x11\x19\x01\x02\x03\x04", "not valid br");
    /* zlib with a preset dictionary; gzip with a method that does not exist. */
    REFUSED(D, "\x78\xbb\x01\x02\x03\x04\x05", "not valid deflate");
    REFUSED(G, "\x1f\x8b\x09\0\0\0\0\0\0\x03", "not valid gzip");
    REFUSED(G, "garbage", "not valid gzip");
}
END_TEST

/* What the library's short way for frames that lie in the input whole would get wrong: a window of 16 MiB
 * around 3 bytes; and a head of which the second half reads as a skippable frame of 51817 bytes. */
START_TEST(heads_are_judged_the_same_for_every_split)
{
    static const char head[] = "\x28\xb5\x2f\xfd\x50\x2a\x4d\x18\x69\xca\0",
                      skip[] = "\x50\x2a\x4d\x18\x60\xea\0";
    static const size_t pieces[] = {1, 1000, SIZE_MAX};
    struct bytes coded = coding_copy(head, 11), zeros = coding_plain(60000, true);
    struct coding_params params = coding_params_of(Z);

    REFUSED(Z, "\x28\xb5\x2f\xfd\x40\x70\x03\xff\x19\0\0abc", "window");
    coding_append(&coded, zeros.at, 0x184d + 256);
    coding_append(&coded, skip, 8);
    coding_append(&coded, zeros.at, zeros.len);
    for (size_t i = 0; i < 3; i++) {
        struct coding_result got;

        params.piece = pieces[i];
        got = coding_run(&params, coded);
        ck_assert_msg(got.code == RQV_CODING_END && got.out.len == 0x184d + 256, "%zu: %s", pieces[i],
                      got.why);
        free(got.out.at);
    }
    free(coded.at);
    free(zeros.at);
}
END_TEST

START_TEST(the_memory_of_a_chain_is_known)
{
    static const uint8_t kinds[] = {G, D, B, Z};
    static const size_t most[] = {48 << 10, 48 << 10, 29 * MIB, 9 * MIB};
    struct rqv_coding_limits limits;

    rqv_coding_limits_default(&limits);
    for (size_t i = 0; i < 4; i++) {
        struct rqv_codings one = {.count = 1, .at = {kinds[i]}}, five = {.count = 5};

        memset(five.at, kinds[i], sizeof(five.at));
        ck_assert_uint_le(rqv_codings_memory(&one, &limits), most[i]);
        ck_assert_uint_le(rqv_codings_memory(&five, &limits), limits.memory_max);
    }
}
END_TEST

/* Random text in the largest window: what the libraries want most, and less than was announced. */
START_TEST(the_largest_windows_fit)
{
    struct bytes plain = coding_plain(20 * MIB, false), coded = coding_encode(plain, &bombs[_i]);
    struct coding_params params = coding_params_of(bombs[_i].kind);
    struct coding_result got = coding_run(&params, coded);

    ck_assert_msg(got.code == RQV_CODING_END, "%s", got.why);
    ck_assert_uint_eq(got.out.len, plain.len);
    ck_assert_int_eq(memcmp(got.out.at, plain.at, plain.len), 0);
    fprintf(stderr, "coding %d: at most %zu of %zu bytes held\n", (int)bombs[_i].kind, got.peak,
            rqv_codings_memory(&params.codings, &params.limits));
    free(got.out.at);
    free(plain.at);
    free(coded.at);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("coding rules");
    TCase *each = tcase_create("each coding");

    tcase_set_timeout(each, 60);
    tcase_add_loop_test(each, rule_b4_coding_ratio_of_each, 0, BOMBS);
    tcase_add_loop_test(each, small_bodies_may_expand_as_they_like, 0, BOMBS);
    tcase_add_loop_test(each, rule_b4_coding_default_steps, 0, BOMBS);
    tcase_add_loop_test(each, the_largest_windows_fit, 0, BOMBS);
    suite_add_tcase(s, each);
    UNIT_TCASE(s, "chains", rule_b4_coding_ratio_of_a_chain, rule_b4_coding_ratio_of_what_vanishes,
               the_work_of_a_step_is_bounded, the_memory_of_a_chain_is_known);
    UNIT_TCASE(s, "formats", windows_and_formats_that_are_refused, heads_are_judged_the_same_for_every_split);
    return s;
}

UNIT_MAIN(suite)
