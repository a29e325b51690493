/* SPDX-License-Identifier: MIT */
/*
 * test_wire_golden - the bytes of whole conversations (tests/unit/golden/, hex), compared with what the
 * encoders write and what the decoders read. These files do not change while version 1 is spoken: a library
 * and a daemon of different ages meet in them.
 */
#include "tests/unit/unit.h"
#include "tests/unit/wire_samples.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSCRIPT_MAX 4096

struct transcript {
    uint8_t bytes[TRANSCRIPT_MAX];
    size_t len;
};

static void read_hex(const char *name, struct transcript *ret_transcript)
{
    const char *top = getenv("REQIVO_SRCDIR");
    char path[512], line[256];
    snprintf(path, sizeof path, "%s/tests/unit/golden/%s.hex", top ? top : ".", name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    ret_transcript->len = 0;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "#\n")] = '\0';
        for (const char *at = line; *at;) {
            unsigned byte;
            int used = 0;
            if (isspace((unsigned char)*at)) {
                at++;
                continue;
            }
            ck_assert_msg(sscanf(at, "%2x%n", &byte, &used) == 1 && used == 2, "%s: %s", path, line);
            ck_assert_uint_lt(ret_transcript->len, TRANSCRIPT_MAX);
            ret_transcript->bytes[ret_transcript->len++] = (uint8_t)byte;
            at += used;
        }
    }
    fclose(file);
    ck_assert_uint_gt(ret_transcript->len, 0);
}

START_TEST(encoders_write_the_golden_bytes)
{
    for (size_t n = 0; n < wire_samples_count; n++) {
        const struct wire_sample *sample = &wire_samples[n];
        struct transcript golden;
        struct rqv_buf out;
        if (sample->foreign)
            continue;
        read_hex(sample->name, &golden);
        rqv_buf_init(&out, TRANSCRIPT_MAX);
        for (size_t i = 0; i < sample->count; i++)
            ck_assert_int_eq(wire_any_encode(&out, &sample->frames[i]), 0);
        ck_assert_msg(rqv_buf_len(&out) == golden.len, "%s: %zu bytes, not %zu", sample->name,
                      rqv_buf_len(&out), golden.len);
        for (size_t i = 0; i < golden.len; i++)
            ck_assert_msg(rqv_buf_head(&out)[i] == golden.bytes[i], "%s: byte %zu differs", sample->name, i);
        rqv_buf_done(&out);
    }
}
END_TEST

/* Feeds the whole conversation in chunks that end where `ends` says; every frame must come as sampled. */
static void feed(const struct wire_sample *sample, const struct transcript *golden, size_t first, size_t step)
{
    size_t seen = 0, at = 0, end = first < golden->len ? first : golden->len;
    for (;;) {
        struct wire_any any;
        const char *why = "";
        /* A copy of exactly what has come, so that a read beyond it is found by the sanitizer. */
        uint8_t *come = malloc(end - at + 1);
        ck_assert_ptr_nonnull(come);
        memcpy(come, golden->bytes + at, end - at);
        long used = wire_any_next(come, end - at, sample->from_library, &any, &why);
        ck_assert_msg(used >= 0, "%s, byte %zu: %s", sample->name, at, why);
        if (used > 0) {
            ck_assert_uint_lt(seen, sample->count);
            ck_assert_msg(wire_any_equal(&any, &sample->frames[seen]), "%s: frame %zu", sample->name, seen);
            seen++;
            at += (size_t)used;
        }
        free(come);
        if (used == 0 && end == golden->len)
            break;
        if (used == 0)
            end = end + step < golden->len ? end + step : golden->len;
    }
    ck_assert_uint_eq(at, golden->len);
    ck_assert_uint_eq(seen, sample->count);
}

START_TEST(decoders_read_the_golden_bytes)
{
    for (size_t n = 0; n < wire_samples_count; n++) {
        struct transcript golden;
        read_hex(wire_samples[n].name, &golden);
        feed(&wire_samples[n], &golden, golden.len, 1); /* whole */
        feed(&wire_samples[n], &golden, 1, 1);          /* byte by byte */
        for (size_t split = 1; split < golden.len; split++)
            feed(&wire_samples[n], &golden, split, golden.len);
    }
}
END_TEST

START_TEST(every_frame_type_has_a_transcript){
#define CHECK_TYPE(name, number, sender)                                                                     \
    {                                                                                                        \
        size_t found = 0;                                                                                    \
        for (size_t n = 0; n < wire_samples_count; n++) {                                                    \
            for (size_t i = 0; i < wire_samples[n].count; i++)                                               \
                found += wire_samples[n].frames[i].header.type == RQV_WIRE_##name;                           \
        }                                                                                                    \
        ck_assert_msg(found > 0, "no transcript holds %s", #name);                                           \
    }
    RQV_WIRE_FRAMES(CHECK_TYPE)} END_TEST

    static Suite *suite(void)
{
    Suite *suite = suite_create("wire_golden");
    UNIT_TCASE(suite, "golden", encoders_write_the_golden_bytes, decoders_read_the_golden_bytes,
               every_frame_type_has_a_transcript);
    return suite;
}

UNIT_MAIN(suite)
