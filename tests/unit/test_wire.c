/* SPDX-License-Identifier: MIT */
/*
 * test_wire - the wire codec: the frame header's rules, limits, and encoders that fail. Malformed payloads
 * are in test_wire_payload.c, round trips of whole conversations in test_wire_golden.c; they share
 * wire_samples.
 */
#include "proto/wire_layout.h"
#include "tests/lib/failmalloc.h"
#include "tests/unit/unit.h"
#include "tests/unit/wire_samples.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>

#define OUT_MAX (4 * RQV_WIRE_PAYLOAD_MAX)

static struct wire_bytes work;

static void load(const struct wire_any *any)
{
    wire_sample_load(any, &work);
}

/* ---- the header ---- */
struct expected {
    uint8_t type;
    bool library, daemon, with_id;
    uint8_t flags_library, flags_daemon;
    uint32_t least, greatest;
};

static const struct expected expected[] = {
    {RQV_WIRE_HELLO, true, true, false, 0, 0, 12, 1024},
    {RQV_WIRE_REQUEST, true, false, true, 1, 0, 12, 61440},
    {RQV_WIRE_RESPONSE, false, true, true, 0, 2, 20, 61440},
    {RQV_WIRE_DATA, true, true, true, 1, 0, 1, 65536},
    {RQV_WIRE_CREDIT, true, true, true, 0, 0, 4, 4},
    {RQV_WIRE_CANCEL, true, false, true, 0, 0, 0, 0},
    {RQV_WIRE_TRAILERS, false, true, true, 0, 0, 4, 61440},
    {RQV_WIRE_DONE, false, true, true, 0, 0, 16, 4096},
    {RQV_WIRE_BEGUN, false, true, true, 0, 0, 0, 0},
    {RQV_WIRE_GOAWAY, true, true, false, 2, 2, 12, 65536},
    {RQV_WIRE_TRUST, true, false, true, 0, 0, 4, 4},
    {RQV_WIRE_QUERY, true, false, true, 0, 0, 2, 2},
    {RQV_WIRE_INFO, false, true, true, 0, 0, 4, 61440},
    {RQV_WIRE_WS_OPEN, true, false, true, 0, 0, 12, 61440},
    {RQV_WIRE_WS_OPENED, false, true, true, 0, 0, 20, 61440},
    {RQV_WIRE_WS_DATA, true, true, true, 13, 13, 1, 65536},
    {RQV_WIRE_WS_CLOSE, true, true, true, 0, 0, 8, 4096},
    {RQV_WIRE_WS_EVENT, false, true, true, 0, 0, 8, 4096},
    {RQV_WIRE_HOP, false, true, true, 0, 0, 10, 61440},
    {RQV_WIRE_PROCEED, true, false, true, 1, 0, 12, 61440},
    {RQV_WIRE_OPERATE, true, false, true, 0, 0, 16, 61440},
};

static int next_of(const struct rqv_frame_header *header, size_t have, bool from_library)
{
    static uint8_t room[RQV_WIRE_HEADER + RQV_WIRE_PAYLOAD_MAX + 1];
    struct rqv_frame_header got = {0};
    const char *why = NULL;
    rqv_wire_put_header(room, header);
    int r = rqv_wire_next(room, have, from_library, &got, &why);
    ck_assert_int_eq(r < 0, why != NULL);
    if (r == 1)
        ck_assert(got.length == header->length && got.type == header->type && got.flags == header->flags &&
                  got.id == header->id);
    else
        ck_assert(got.length == 0 && got.type == 0 && got.id == 0);
    return r;
}

static void check_type(const struct expected *type, bool from_library)
{
    bool may = from_library ? type->library : type->daemon;
    uint8_t flags = from_library ? type->flags_library : type->flags_daemon;
    for (unsigned bits = 0; bits < 256; bits++) {
        struct rqv_frame_header header = {type->greatest, type->type, (uint8_t)bits, type->with_id};
        ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER + header.length, from_library),
                         may && !(bits & ~flags) ? 1 : REQIVO_E_WIRE);
    }
    struct rqv_frame_header header = {type->least, type->type, 0, type->with_id};
    ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER + header.length, from_library),
                     may ? 1 : REQIVO_E_WIRE);
    header.id = type->with_id ? 0 : 1;
    ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER, from_library), REQIVO_E_WIRE);
    header.id = type->with_id ? UINT64_MAX : 0;
    for (int32_t off = -1; off <= 1; off += 2) { /* one outside each end, and far outside */
        header.length = off < 0 ? type->least - 1 : type->greatest + 1;
        ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER, from_library), REQIVO_E_WIRE);
    }
    header.length = UINT32_MAX;
    ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER, from_library), REQIVO_E_WIRE);
}

START_TEST(each_type_has_its_side_flags_id_and_length)
{
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        check_type(&expected[i], true);
        check_type(&expected[i], false);
        ck_assert_str_ne(rqv_wire_type_name(expected[i].type), "?");
    }
    ck_assert_str_eq(rqv_wire_type_name(RQV_WIRE_GOAWAY), "GOAWAY");
    struct rqv_frame_header end = {0, RQV_WIRE_DATA, RQV_FLAG_END, 1};
    ck_assert_int_eq(next_of(&end, RQV_WIRE_HEADER, true), 1);
}
END_TEST

START_TEST(unknown_types_and_reserved_bits_are_refused)
{
    for (unsigned type = 0; type < 256; type++) {
        struct rqv_frame_header header = {0, (uint8_t)type, 0, 1};
        if (type >= RQV_WIRE_HELLO && type <= RQV_WIRE_OPERATE)
            continue;
        ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER, true), REQIVO_E_WIRE);
        ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER, false), REQIVO_E_WIRE);
        ck_assert_str_eq(rqv_wire_type_name((uint8_t)type), "?");
    }
    for (size_t bit = 0; bit < 16; bit++) {
        struct rqv_frame_header header;
        const char *why = "";
        load(&(struct wire_any){.header = {0, RQV_WIRE_CANCEL, 0, 1}});
        work.at[6 + bit / 8] |= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(rqv_wire_next(work.at, work.len, true, &header, &why), REQIVO_E_WIRE);
        ck_assert_str_eq(why, "reserved bits of a frame header are set");
    }
}
END_TEST

START_TEST(a_frame_comes_when_it_is_whole)
{
    struct rqv_frame_header header = {100, RQV_WIRE_DATA, 0, 1};
    uint8_t bytes[RQV_WIRE_HEADER + 101] = {0};
    rqv_wire_put_header(bytes, &header);
    for (size_t have = 0; have < RQV_WIRE_HEADER + 100; have++) {
        ck_assert_int_eq(next_of(&header, have, true), 0);
        ck_assert_uint_eq(rqv_wire_missing(bytes, have),
                          have < RQV_WIRE_HEADER ? 0 : RQV_WIRE_HEADER + 100 - have);
    }
    ck_assert_uint_eq(rqv_wire_missing(bytes, RQV_WIRE_HEADER + 100), 0);
    ck_assert_uint_eq(rqv_wire_missing(bytes, RQV_WIRE_HEADER + 101), 0);
    ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER + 100, true), 1);
    ck_assert_int_eq(next_of(&header, RQV_WIRE_HEADER + 101, true), 1);
}
END_TEST

START_TEST(versions_meet_in_the_highest_common_one)
{
    ck_assert_int_eq(rqv_wire_version(&(struct rqv_hello){.version = 1, .version_min = 1}), 1);
    ck_assert_int_eq(rqv_wire_version(&(struct rqv_hello){.version = 9, .version_min = 1}), RQV_WIRE_VERSION);
    ck_assert_int_eq(rqv_wire_version(&(struct rqv_hello){.version = 9, .version_min = 8}), REQIVO_E_VERSION);
    ck_assert_int_eq(rqv_wire_version(&(struct rqv_hello){.version = 0, .version_min = 0}), REQIVO_E_VERSION);
}
END_TEST

/* ---- limits ---- */
static void encodes(const struct wire_any *any, size_t payload)
{
    bool from_library = any->header.type != RQV_WIRE_RESPONSE && any->header.type != RQV_WIRE_TRAILERS &&
                        any->header.type != RQV_WIRE_DONE;
    struct wire_any got;
    const char *why = "";
    load(any);
    ck_assert_uint_eq(work.len, RQV_WIRE_HEADER + payload);
    ck_assert_msg(wire_any_next(work.at, work.len, from_library, &got, &why) == (long)work.len, "%s", why);
    ck_assert(wire_any_equal(&got, any));
}

/* Encoding fails with `code` and leaves what is in `out` alone. */
static void fails(const struct wire_any *any, size_t max, int code)
{
    struct rqv_buf out;
    rqv_buf_init(&out, max);
    ck_assert_int_eq(rqv_buf_append(&out, "before", 6), 0);
    ck_assert_int_eq(wire_any_encode(&out, any), code);
    ck_assert_uint_eq(rqv_buf_len(&out), 6);
    ck_assert_mem_eq(rqv_buf_head(&out), "before", 6);
    rqv_buf_done(&out);
}

static char filling[2 * RQV_WIRE_PAYLOAD_MAX];

START_TEST(heads_fill_a_frame_and_not_more)
{
    static struct wire_any any;
    memset(filling, 'f', sizeof filling);
    any = (struct wire_any){.header = {.type = RQV_WIRE_REQUEST, .id = 1}};
    any.request.url = (struct rqv_str){filling, RQV_WIRE_HEAD_MAX - RQV_REQUEST_SHORT};
    encodes(&any, RQV_WIRE_HEAD_MAX);
    any.request.method = RQV_STR("G");
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);
    any.request.url.len = SIZE_MAX - 64;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);
    any.request.url.len = 0;
    any.request.method.len = SIZE_MAX - 64;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);

    any = (struct wire_any){.header = {.type = RQV_WIRE_TRAILERS, .id = 1}};
    any.fields.count = RQV_FIELDS_MAX;
    for (size_t i = 0; i < RQV_FIELDS_MAX; i++)
        any.fields.at[i] = (struct rqv_field){{filling, 20}, {filling, 400}};
    encodes(&any, RQV_FIELDS_SIZE + 128 * 424);
    any.fields.at[9].value.len = 400 + RQV_WIRE_HEAD_MAX - RQV_FIELDS_SIZE - 128 * 424;
    encodes(&any, RQV_WIRE_HEAD_MAX);
    any.fields.at[9].value.len++;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);
    any.fields.at[9].value.len = SIZE_MAX;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);
    any.fields.at[9].value.len = 0;
    any.fields.at[9].name.len = SIZE_MAX;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);

    any = (struct wire_any){.header = {.type = RQV_WIRE_RESPONSE, .id = 1}};
    any.response.status = 200;
    any.response.fields = (struct rqv_fields){.count = 1, .at = {{RQV_STR("a"), {filling, 61387}}}};
    encodes(&any, RQV_WIRE_HEAD_MAX);
    any.response.fields.at[0].value.len++;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);
}
END_TEST

START_TEST(texts_are_cut_to_their_limits)
{
    static struct wire_any any, got;
    const char *why = "";
    struct rqv_str endless = {filling, sizeof filling};
    memset(filling, 'f', sizeof filling);
    any = (struct wire_any){.header = {.type = RQV_WIRE_RESPONSE, .id = 1}};
    any.response = (struct rqv_response_head){.status = 200, .reason = endless, .address = endless};
    load(&any);
    ck_assert_int_gt(wire_any_next(work.at, work.len, false, &got, &why), 0);
    ck_assert_uint_eq(got.response.reason.len, RQV_WIRE_REASON_MAX);
    ck_assert_uint_eq(got.response.address.len, RQV_ADDRESS_MAX - 1);
    any = (struct wire_any){.header = {.type = RQV_WIRE_DONE, .id = 1}};
    any.done = (struct rqv_done){.detail = endless, .address = endless};
    load(&any);
    ck_assert_int_gt(wire_any_next(work.at, work.len, false, &got, &why), 0);
    ck_assert_uint_eq(got.done.detail.len, RQV_DETAIL_MAX - 1);
    ck_assert_uint_eq(got.done.address.len, RQV_WIRE_ADDRESS_MAX);
    any = (struct wire_any){.header = {.type = RQV_WIRE_HELLO}};
    any.hello = (struct rqv_hello){.magic = RQV_WIRE_MAGIC, .version = 1, .version_min = 1, .name = endless};
    load(&any);
    ck_assert_int_gt(wire_any_next(work.at, work.len, false, &got, &why), 0);
    ck_assert_uint_eq(got.hello.name.len, RQV_WIRE_NAME_MAX);
}
END_TEST

START_TEST(data_and_goaway_fill_a_frame_and_not_more)
{
    static struct wire_any any;
    static uint8_t ids[8 * RQV_WIRE_GOAWAY_IDS_MAX + 8];
    memset(filling, 'f', sizeof filling);
    any = (struct wire_any){.header = {.type = RQV_WIRE_DATA, .id = 1},
                            .data = {filling, RQV_WIRE_PAYLOAD_MAX}};
    encodes(&any, RQV_WIRE_PAYLOAD_MAX);
    any.data.len++;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);
    any.data.len = 0;
    fails(&any, OUT_MAX, -EINVAL);

    for (size_t i = 0; i < RQV_WIRE_GOAWAY_IDS_MAX; i++)
        rqv_wire_goaway_put_id(ids, i, i << 32 | 5);
    any = (struct wire_any){
        .header = {.type = RQV_WIRE_GOAWAY},
        .goaway = {.detail = {filling, 1000}, .count = RQV_WIRE_GOAWAY_IDS_MAX, .ids = ids}};
    any.goaway.detail.len = RQV_WIRE_DETAIL_MAX;
    encodes(&any, RQV_GOAWAY_SIZE + RQV_WIRE_DETAIL_MAX + 8 * RQV_WIRE_GOAWAY_IDS_MAX);
    ck_assert_uint_eq(rqv_wire_goaway_id(&any.goaway, 700), (uint64_t)700 << 32 | 5);
    any.goaway.count++;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);
    any.goaway.count = SIZE_MAX / 8;
    fails(&any, OUT_MAX, REQIVO_E_LIMIT_HEAD);

    struct rqv_buf out;
    rqv_buf_init(&out, OUT_MAX);
    ck_assert_int_eq(rqv_wire_encode_empty(&out, RQV_WIRE_DONE, 1), -EINVAL);
    ck_assert_uint_eq(rqv_buf_len(&out), 0);
    rqv_buf_done(&out);
}
END_TEST

START_TEST(a_full_buffer_takes_no_part_of_a_frame)
{
    size_t frames = 0;
    for (size_t n = 0; n < wire_samples_count; n++) {
        for (size_t i = 0; i < wire_samples[n].count; i++) {
            load(&wire_samples[n].frames[i]);
            for (size_t max = 6; max < 6 + work.len; max++)
                fails(&wire_samples[n].frames[i], max, REQIVO_E_LIMIT_MEMORY);
            frames++;
        }
    }
    ck_assert_uint_ge(frames, 13);
}
END_TEST

/* ---- memory that runs out ---- */
struct encode_all {
    const struct wire_sample *sample;
    bool wrong; /* noted here, since ck_assert allocates */
};

/* Encodes a whole conversation; what is there after a failure must be whole frames. */
static void encode_all(void *arg)
{
    struct encode_all *all = arg;
    const struct wire_sample *sample = all->sample;
    struct rqv_buf out;
    size_t len = 0;
    int r = 0;
    rqv_buf_init(&out, OUT_MAX);
    for (size_t i = 0; r == 0 && i < sample->count; i++) {
        len = rqv_buf_len(&out);
        r = wire_any_encode(&out, &sample->frames[i]);
    }
    if (r < 0 && (r != -ENOMEM || rqv_buf_len(&out) != len))
        all->wrong = true;
    rqv_buf_done(&out);
}

START_TEST(failed_allocations_leave_whole_frames)
{
    for (size_t n = 0; n < wire_samples_count; n++) {
        struct encode_all all = {&wire_samples[n], false};
        ck_assert_uint_ge(failmalloc_run(wire_samples[n].name, encode_all, &all), 1);
        ck_assert(!all.wrong);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("wire");
    UNIT_TCASE(suite, "header", each_type_has_its_side_flags_id_and_length,
               unknown_types_and_reserved_bits_are_refused, a_frame_comes_when_it_is_whole,
               versions_meet_in_the_highest_common_one);
    UNIT_TCASE(suite, "limits", heads_fill_a_frame_and_not_more, texts_are_cut_to_their_limits,
               data_and_goaway_fill_a_frame_and_not_more, a_full_buffer_takes_no_part_of_a_frame,
               failed_allocations_leave_whole_frames);
    return suite;
}

UNIT_MAIN(suite)
