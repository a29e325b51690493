/* SPDX-License-Identifier: MIT */
/*
 * test_wire_payload - payloads that are cut, extended, malformed in any member, or of another version. Every
 * payload is decoded from an allocation of its exact size, and a refused one must leave the result as it was.
 */
#include "proto/wire_layout.h"
#include "tests/unit/unit.h"
#include "tests/unit/wire_samples.h"

#include <reqivo/error.h>

#include <stdlib.h>
#include <string.h>

static struct wire_bytes work;

static void load(const struct wire_any *any)
{
    wire_sample_load(any, &work);
}

static const struct wire_any *sample_frame(const char *name, size_t n, bool *ret_from_library)
{
    for (size_t i = 0; i < wire_samples_count; i++) {
        if (strcmp(wire_samples[i].name, name) == 0) {
            *ret_from_library = wire_samples[i].from_library;
            return &wire_samples[i].frames[n];
        }
    }
    ck_abort_msg("no sample %s", name);
    return NULL;
}

static void set_length(void)
{
    rqv_put_u32(work.at, (uint32_t)(work.len - RQV_WIRE_HEADER));
}

/* Puts n bytes of filling into the payload at `offset`. */
static void insert(size_t offset, size_t n, uint8_t filling)
{
    uint8_t *at = work.at + RQV_WIRE_HEADER + offset;
    memmove(at + n, at, work.len - RQV_WIRE_HEADER - offset);
    memset(at, filling, n);
    work.len += n;
    set_length();
}

static void cut_out(size_t offset, size_t n)
{
    uint8_t *at = work.at + RQV_WIRE_HEADER + offset;
    memmove(at, at + n, work.len - RQV_WIRE_HEADER - offset - n);
    work.len -= n;
    set_length();
}

/* Byte by byte: padding counts too, nothing at all may have been written. */
static bool unchanged(const void *now, const void *before, size_t size)
{
    return memcmp(now, before, size) == 0;
}

/* Decodes `work` from an allocation of its exact size. A refusal must leave all but the header as it was. */
static long decode_work(bool from_library, struct wire_any *ret_any, const char **ret_why)
{
    static struct wire_any untouched;
    uint8_t *exact = malloc(work.len);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, work.at, work.len);
    memset(&untouched, 0xa5, sizeof untouched);
    memcpy(ret_any, &untouched, sizeof untouched);
    *ret_why = NULL;
    long used = wire_any_next(exact, work.len, from_library, ret_any, ret_why);
    if (used > 0) {
        struct rqv_str payload = {(const char *)exact + RQV_WIRE_HEADER, (size_t)used - RQV_WIRE_HEADER};
        ck_assert(wire_any_inside(ret_any, payload));
        ck_assert_ptr_null(*ret_why);
    } else {
        memcpy(&untouched.header, &ret_any->header, sizeof untouched.header);
        ck_assert(unchanged(ret_any, &untouched, sizeof untouched));
    }
    free(exact);
    return used;
}

static void refused(bool from_library, const char *what)
{
    struct wire_any any;
    const char *why;
    long used = decode_work(from_library, &any, &why);
    ck_assert_msg(used == REQIVO_E_WIRE, "%s: %ld", what, used);
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(strstr(why, what) != NULL, "\"%s\", not \"%s\"", why, what);
}

/* ---- payloads ---- */
START_TEST(payloads_cut_or_extended_are_refused)
{
    for (size_t n = 0; n < wire_samples_count; n++) {
        const struct wire_sample *sample = &wire_samples[n];
        for (size_t i = 0; i < sample->count; i++) {
            uint8_t type = sample->frames[i].header.type;
            struct wire_any any;
            const char *why;
            load(&sample->frames[i]);
            if (type == RQV_WIRE_DATA || type == RQV_WIRE_WS_DATA)
                continue;
            ck_assert_int_eq(decode_work(sample->from_library, &any, &why), (long)work.len);
            insert(work.len - RQV_WIRE_HEADER, 1, 'x');
            ck_assert_int_eq(decode_work(sample->from_library, &any, &why), REQIVO_E_WIRE);
            for (work.len--; work.len > RQV_WIRE_HEADER;) {
                work.len--;
                set_length();
                ck_assert_int_eq(decode_work(sample->from_library, &any, &why), REQIVO_E_WIRE);
            }
        }
    }
}
END_TEST

struct patch {
    const char *sample;
    size_t frame, offset, size;
    uint64_t value;
    const char *why;
};

/* The sample, with `size` bytes at `offset` of the payload changed to `value`: what is said about it. */
static const struct patch patches[] = {
    {"first-flight", 0, RQV_HELLO_FIXED_LEN, 2, RQV_HELLO_CORE - 1, "fixed part"},
    {"first-flight", 0, RQV_HELLO_FIXED_LEN, 2, 0xffff, "fixed part"},
    {"first-flight", 0, RQV_HELLO_MAGIC, 4, 0x31565153, "magic"},
    {"first-flight", 0, RQV_HELLO_VERSION, 2, 0, "versions"},
    {"first-flight", 0, RQV_HELLO_VERSION_MIN, 2, 0, "versions"},
    {"first-flight", 0, RQV_HELLO_VERSION_MIN, 2, 2, "versions"},
    {"first-flight", 0, RQV_HELLO_NAME_LEN, 2, 65, "limit"},
    {"first-flight", 0, RQV_HELLO_NAME_LEN, 2, 23, "exceeds"},
    {"first-flight", 0, RQV_HELLO_NAME_LEN, 2, 21, "behind the end"},
    {"first-flight", 0, RQV_HELLO_CREDIT, 4, 0x80000000, "credit"},
    {"first-flight", 1, RQV_REQUEST_FIXED_LEN, 2, RQV_REQUEST_CORE - 1, "fixed part"},
    {"first-flight", 1, RQV_REQUEST_FIXED_LEN, 2, 0xffff, "fixed part"},
    {"first-flight", 1, RQV_REQUEST_METHOD_LEN, 2, 0xffff, "limit"},
    {"first-flight", 1, RQV_REQUEST_METHOD_LEN, 2, 0xf000, "exceeds"},
    {"first-flight", 1, RQV_REQUEST_URL_LEN, 2, 0xffff, "limit"},
    {"first-flight", 1, RQV_REQUEST_URL_LEN, 2, 0xf000, "exceeds"},
    {"first-flight", 1, RQV_REQUEST_URL_LEN, 2, 46, "exceeds"},
    {"first-flight", 1, RQV_REQUEST_FIELD_COUNT, 2, 3, "exceeds"},
    {"first-flight", 1, RQV_REQUEST_FIELD_COUNT, 2, 1, "behind the end"},
    {"first-flight", 1, RQV_REQUEST_FIELD_COUNT, 2, 129, "more fields"},
    {"first-flight", 1, RQV_REQUEST_FIELD_COUNT, 2, 0xffff, "more fields"},
    {"first-flight", 1, RQV_REQUEST_FLAGS, 4, RQV_REQ_KNOWN + 1, "unknown flags"},
    {"first-flight", 1, RQV_REQUEST_FLAGS, 4, 0x80000000, "unknown flags"},
    {"first-flight", 1, 80, 2, 0xffff, "exceeds"}, /* name_len of the first field */
    {"first-flight", 1, 82, 2, 0xffff, "exceeds"}, /* its value_len */
    {"small-response", 0, RQV_RESPONSE_FIXED_LEN, 2, RQV_RESPONSE_CORE - 1, "fixed part"},
    {"small-response", 0, RQV_RESPONSE_STATUS, 2, 99, "status"},
    {"small-response", 0, RQV_RESPONSE_STATUS, 2, 1000, "status"},
    {"small-response", 0, RQV_RESPONSE_MINOR, 1, 10, "HTTP version"},
    {"small-response", 0, RQV_RESPONSE_FLAGS, 1, 4, "unknown flags"},
    {"small-response", 0, RQV_RESPONSE_REASON_LEN, 2, 257, "limit"},
    {"small-response", 0, RQV_RESPONSE_REASON_LEN, 2, 200, "exceeds"},
    {"small-response", 0, RQV_RESPONSE_ADDRESS_LEN, 2, 64, "limit"},
    {"small-response", 0, RQV_RESPONSE_ADDRESS_LEN, 2, 63, "exceeds"},
    {"small-response", 0, RQV_RESPONSE_FIELD_COUNT, 2, 3, "exceeds"},
    {"small-response", 0, RQV_RESPONSE_FIELD_COUNT, 2, 1, "behind the end"},
    {"small-response", 0, RQV_RESPONSE_FIELD_COUNT, 2, 129, "more fields"},
    {"small-response", 0, RQV_RESPONSE_CONTENT_LENGTH, 8, (uint64_t)-2, "impossible length"},
    {"small-response", 0, RQV_RESPONSE_CONTENT_LENGTH, 8, (uint64_t)INT64_MIN, "impossible length"},
    {"error", 0, RQV_DONE_FIXED_LEN, 2, RQV_DONE_CORE - 1, "fixed part"},
    {"error", 0, RQV_DONE_DETAIL_LEN, 2, 240, "limit"},
    {"error", 0, RQV_DONE_DETAIL_LEN, 2, 100, "exceeds"},
    {"error", 0, RQV_DONE_ADDRESS_LEN, 2, 64, "limit"},
    {"error", 0, RQV_DONE_ADDRESS_LEN, 2, 18, "exceeds"},
    {"error", 0, RQV_DONE_ADDRESS_LEN, 2, 16, "behind the end"},
    {"error", 0, RQV_DONE_PHASE, 1, REQIVO_PHASE_BODY + 1, "phase"},
    {"error", 0, RQV_DONE_SENT, 1, REQIVO_SENT_YES + 1, "sent"},
    {"error", 0, RQV_DONE_FLAGS, 4, 0x100, "unknown flags"},
    {"error", 0, RQV_DONE_CODE, 4, 1, "positive"},
    {"goaway-with-ids", 0, RQV_GOAWAY_FIXED_LEN, 2, RQV_GOAWAY_CORE - 1, "fixed part"},
    {"goaway-with-ids", 0, RQV_GOAWAY_DETAIL_LEN, 2, 240, "limit"},
    {"goaway-with-ids", 0, RQV_GOAWAY_DETAIL_LEN, 2, 100, "exceeds"},
    {"goaway-with-ids", 0, RQV_GOAWAY_ID_COUNT, 4, 3, "exceeds"},
    {"goaway-with-ids", 0, RQV_GOAWAY_ID_COUNT, 4, 1, "behind the end"},
    {"goaway-with-ids", 0, RQV_GOAWAY_ID_COUNT, 4, RQV_WIRE_GOAWAY_IDS_MAX + 1, "too many ids"},
    {"goaway-with-ids", 0, RQV_GOAWAY_ID_COUNT, 4, 0xffffffff, "too many ids"},
    {"goaway-with-ids", 0, RQV_GOAWAY_CODE, 4, 1, "positive"},
    {"query-answer", 0, RQV_FIELDS_FIXED_LEN, 2, RQV_FIELDS_CORE - 1, "fixed part"},
    {"query-answer", 0, RQV_FIELDS_FIELD_COUNT, 2, 3, "exceeds"},
    {"query-answer", 0, RQV_FIELDS_FIELD_COUNT, 2, 1, "behind the end"},
    {"query-answer", 0, RQV_FIELDS_FIELD_COUNT, 2, 129, "more fields"},
    {"stream-down", 1, 0, 4, 0, "count of bytes"},
    {"stream-down", 1, 0, 4, 0x80000000, "count of bytes"},
    {"trust-upload", 0, 0, 4, 0, "count of bytes"},
};

START_TEST(malformed_members_are_refused)
{
    const struct patch *patch = &patches[_i];
    bool from_library;
    load(sample_frame(patch->sample, patch->frame, &from_library));
    ck_assert_uint_le(RQV_WIRE_HEADER + patch->offset + patch->size, work.len);
    for (size_t i = 0; i < patch->size; i++)
        work.at[RQV_WIRE_HEADER + patch->offset + i] = (uint8_t)(patch->value >> 8 * i);
    refused(from_library, patch->why);
}
END_TEST

/* Both are reached through rqv_wire_next() only with the right length; called alone they check it themselves.
 */
START_TEST(bare_numbers_have_one_length)
{
    const char *why = NULL;
    uint32_t value = 7;
    uint16_t verb = 7;
    ck_assert_int_eq(rqv_wire_decode_u32(RQV_STR("abc"), &value, &why), REQIVO_E_WIRE);
    ck_assert_int_eq(rqv_wire_decode_u32(RQV_STR("abcde"), &value, &why), REQIVO_E_WIRE);
    ck_assert_int_eq(rqv_wire_decode_verb(RQV_STR("a"), &verb, &why), REQIVO_E_WIRE);
    ck_assert_int_eq(rqv_wire_decode_verb(RQV_STR("abc"), &verb, &why), REQIVO_E_WIRE);
    ck_assert(value == 7 && verb == 7 && why);
}
END_TEST

/* ---- other versions ---- */
struct versioned {
    const char *sample;
    size_t frame, core, size;
};

static const struct versioned versioned[] = {
    {"first-flight", 0, RQV_HELLO_CORE, RQV_HELLO_SIZE},
    {"redirect-up", 0, RQV_REQUEST_CORE, RQV_REQUEST_SIZE},
    {"redirect-down", 1, RQV_HOP_CORE, RQV_HOP_SIZE},
    {"small-response", 0, RQV_RESPONSE_CORE, RQV_RESPONSE_SIZE},
    {"stream-down", 3, RQV_FIELDS_CORE, RQV_FIELDS_SIZE},
    {"error", 0, RQV_DONE_CORE, RQV_DONE_SIZE},
    {"goaway-with-ids", 0, RQV_GOAWAY_CORE, RQV_GOAWAY_SIZE},
};

START_TEST(members_of_a_later_version_are_skipped)
{
    const struct versioned *v = &versioned[_i];
    bool from_library;
    const struct wire_any *sample = sample_frame(v->sample, v->frame, &from_library);
    for (size_t more = 1; more <= 32; more++) {
        for (size_t tail = 0; tail <= 2; tail++) {
            struct rqv_frame_header header;
            const char *why = "";
            struct wire_any any;
            load(sample);
            insert(v->size, more, 0xee);
            rqv_put_u16(work.at + RQV_WIRE_HEADER, (uint16_t)(v->size + more));
            insert(work.len - RQV_WIRE_HEADER, tail, 0xdd);
            ck_assert_int_eq(rqv_wire_next(work.at, work.len, from_library, &header, &why), 1);
            ck_assert_int_eq(wire_any_next(work.at, work.len, from_library, &any, &why), (long)work.len);
            ck_assert(wire_any_equal(&any, sample));
        }
    }
}
END_TEST

/* Cuts the fixed part to `size` bytes and expects what comes when the missing bytes are zero. */
static void expect_zeroes(const struct versioned *v, size_t size)
{
    bool from_library;
    struct wire_any shorter, zeroed;
    const char *why = "";
    static struct wire_bytes copy;
    const struct wire_any *sample = sample_frame(v->sample, v->frame, &from_library);
    load(sample);
    memset(work.at + RQV_WIRE_HEADER + size, 0, v->size - size);
    memcpy(copy.at, work.at, copy.len = work.len);
    cut_out(size, v->size - size);
    rqv_put_u16(work.at + RQV_WIRE_HEADER, (uint16_t)size);
    ck_assert_int_gt(wire_any_next(copy.at, copy.len, from_library, &zeroed, &why), 0);
    ck_assert_msg(wire_any_next(work.at, work.len, from_library, &shorter, &why) > 0, "%s", why);
    ck_assert(wire_any_equal(&shorter, &zeroed));
}

START_TEST(members_that_are_absent_read_as_zero)
{
    const struct versioned *v = &versioned[_i];
    for (size_t size = v->core; size <= v->size; size++)
        expect_zeroes(v, size);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("wire_payload");
    UNIT_TCASE(suite, "payload", payloads_cut_or_extended_are_refused, bare_numbers_have_one_length);
    TCase *tables = tcase_create("tables");
    tcase_add_loop_test(tables, malformed_members_are_refused, 0, sizeof patches / sizeof patches[0]);
    tcase_add_loop_test(tables, members_of_a_later_version_are_skipped, 0,
                        sizeof versioned / sizeof versioned[0]);
    tcase_add_loop_test(tables, members_that_are_absent_read_as_zero, 0,
                        sizeof versioned / sizeof versioned[0]);
    suite_add_tcase(suite, tables);
    return suite;
}

UNIT_MAIN(suite)
