/* SPDX-License-Identifier: MIT */
/* test_key - the pool key: each of its fields alone makes another key (security.md B1), equal fields equal
 * keys. */
#include "daemon/upstream/key_encode.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <string.h>

static void sample(struct key_fields *fields)
{
    key_fields_init(fields);
    fields->partition = 1000;
    fields->use_tls = 1;
    fields->host_type = 1;
    fields->host = RQV_STR("a.example");
    fields->port = 443;
    fields->expected_name = RQV_STR("a.example");
    fields->server_name = RQV_STR("a.example");
    memset(fields->trust.bytes, 0x5a, sizeof fields->trust.bytes);
    fields->trust_native = 1;
    fields->trust_generation = 7;
    fields->zones = 5;
}

static void flip_NUM(uint64_t *value)
{
    *value += 1;
}

/* One letter in another case: the comparison is byte for byte, also where DNS would not care. */
static void flip_TEXT(struct rqv_str *text)
{
    *text = rqv_str_eq(*text, RQV_STR("a.example")) ? RQV_STR("A.example") : RQV_STR("x");
}

#define flip_NAME flip_TEXT

static void flip_HASH(struct key_hash *hash)
{
    hash->bytes[31] ^= 1;
}

/* Flips the n-th field alone. */
static void flip(struct key_fields *fields, size_t n)
{
    size_t at = 0;

#define FLIP(group, name, kind)                                                                              \
    if (at++ == n)                                                                                           \
        flip_##kind(&fields->name);
    KEY_FIELDS(FLIP)
#undef FLIP
}

/* Every field of the group, flipped alone, gives a key that is not the sample's. */
static void check_group(const char *group)
{
    struct key_fields fields;
    struct key base, other;
    const char *of;
    unsigned seen = 0;

    sample(&fields);
    ck_assert_int_eq(key_encode(&fields, &base), 0);
    for (size_t n = 0; n < key_field_count(); n++) {
        const char *name = key_field_name(n, &of);
        if (strcmp(of, group) != 0)
            continue;
        seen++;
        sample(&fields);
        flip(&fields, n);
        ck_assert_int_eq(key_encode(&fields, &other), 0);
        ck_assert_msg(!key_eq(&base, &other), "%s.%s does not change the key", group, name);
        ck_assert_msg(!key_eq(&other, &base), "%s.%s: the comparison has a direction", group, name);
    }
    ck_assert_uint_gt(seen, 0);
}

START_TEST(rule_b1_k1_partition)
{
    check_group("K1");
}
END_TEST

START_TEST(rule_b1_k2_transport_requirement)
{
    check_group("K2");
}
END_TEST

START_TEST(rule_b1_k3_origin)
{
    check_group("K3");
}
END_TEST

START_TEST(rule_b1_k4_route)
{
    check_group("K4");
}
END_TEST

START_TEST(rule_b1_k5_proxy_chain)
{
    check_group("K5");
}
END_TEST

START_TEST(rule_b1_k6_tls_identity)
{
    check_group("K6");
}
END_TEST

START_TEST(rule_b1_k7_protocol)
{
    check_group("K7");
}
END_TEST

START_TEST(rule_b1_k8_bound_authentication)
{
    check_group("K8");
}
END_TEST

START_TEST(rule_b1_k9_local_binding)
{
    check_group("K9");
}
END_TEST

START_TEST(rule_b1_k10_address_policy)
{
    check_group("K10");
}
END_TEST

START_TEST(rule_b1_k11_generations)
{
    check_group("K11");
}
END_TEST

/* No two single flips meet either: all keys of the table are different from one another. */
START_TEST(all_flips_differ)
{
    static struct key keys[128];
    size_t count = key_field_count();
    struct key_fields fields;

    ck_assert_uint_le(count, 128);
    for (size_t n = 0; n < count; n++) {
        sample(&fields);
        flip(&fields, n);
        ck_assert_int_eq(key_encode(&fields, &keys[n]), 0);
        for (size_t m = 0; m < n; m++)
            ck_assert_msg(!key_eq(&keys[n], &keys[m]), "fields %zu and %zu give the same key", m, n);
    }
}
END_TEST

START_TEST(equal_fields_equal_keys)
{
    struct key_fields one, two;
    struct key a, b;

    sample(&one);
    memset(&b, 0xff, sizeof b);
    memset(&two, 0xff, sizeof two);
    sample(&two);
    two.host = (struct rqv_str){(const char[]){"a.example.org"}, 9}; /* the same bytes elsewhere */
    ck_assert_int_eq(key_encode(&one, &a), 0);
    ck_assert_int_eq(key_encode(&two, &b), 0);
    ck_assert(key_eq(&a, &b));
    ck_assert_uint_eq(a.len, b.len);
}
END_TEST

/* "a" + "bc" is not "ab" + "c", and a zero hash is not an absent text. */
START_TEST(pieces_do_not_run_together)
{
    struct key_fields fields;
    struct key a, b;

    sample(&fields);
    fields.security_label = RQV_STR("a");
    fields.client_partition = RQV_STR("bc");
    ck_assert_int_eq(key_encode(&fields, &a), 0);
    fields.security_label = RQV_STR("ab");
    fields.client_partition = RQV_STR("c");
    ck_assert_int_eq(key_encode(&fields, &b), 0);
    ck_assert(!key_eq(&a, &b));
    fields.security_label = RQV_STR("abc");
    fields.client_partition = RQV_STR("");
    ck_assert_int_eq(key_encode(&fields, &b), 0);
    ck_assert(!key_eq(&a, &b));
}
END_TEST

/* Numbers are kept whole: 64 bits, no truncation at any byte. */
START_TEST(numbers_are_whole)
{
    struct key_fields fields;
    struct key a, b;

    sample(&fields);
    for (unsigned bit = 0; bit < 64; bit++) {
        fields.partition = 0;
        ck_assert_int_eq(key_encode(&fields, &a), 0);
        fields.partition = UINT64_C(1) << bit;
        ck_assert_int_eq(key_encode(&fields, &b), 0);
        ck_assert_msg(!key_eq(&a, &b), "bit %u is lost", bit);
    }
}
END_TEST

/* The longest host, as the name in the certificate too, the longest route and every hash present fit; more
 * than that is refused, never cut. */
START_TEST(the_largest_key_fits_and_more_is_refused)
{
    static char host[256];
    struct key_fields fields;
    struct key key;

    memset(host, 'h', sizeof host);
    sample(&fields);
    fields.host = fields.expected_name = fields.server_name = (struct rqv_str){host, 253};
    fields.route_host = (struct rqv_str){host + 1, 253};
    fields.route_port = fields.port = 65535;
    fields.route_present = 1;
    fields.partition = fields.trust_generation = fields.policy_generation = UINT64_MAX;
    ck_assert_int_eq(key_encode(&fields, &key), 0);
    fields.host.len = 256;
    ck_assert_int_eq(key_encode(&fields, &key), REQIVO_E_URL);
    fields.host.len = fields.expected_name.len = fields.server_name.len = 255;
    ck_assert_int_eq(key_encode(&fields, &key), REQIVO_E_URL);
}
END_TEST

/* The encoding once more, as plainly as it can be written. */
static uint8_t *plain_NUM(uint8_t *at, const uint64_t *value)
{
    uint8_t bytes = 0;

    while (bytes < 8 && (*value >> (8 * bytes)) != 0)
        bytes++;
    *at++ = bytes;
    for (uint8_t i = 0; i < bytes; i++)
        *at++ = (uint8_t)(*value >> (8 * i));
    return at;
}

static uint8_t *plain_TEXT(uint8_t *at, const struct rqv_str *text)
{
    *at++ = (uint8_t)text->len;
    for (size_t i = 0; i < text->len; i++)
        *at++ = (uint8_t)text->ptr[i];
    return at;
}

static const struct rqv_str *plain_host; /* of the fields that are being encoded */

static uint8_t *plain_NAME(uint8_t *at, const struct rqv_str *name)
{
    if (!rqv_str_eq(*name, *plain_host))
        return plain_TEXT(at, name);
    *at = 255;
    return at + 1;
}

static uint8_t *plain_HASH(uint8_t *at, const struct key_hash *hash)
{
    static const struct key_hash none;
    bool present = memcmp(hash, &none, sizeof none) != 0;

    *at++ = present;
    if (present)
        memcpy(at, hash, sizeof *hash);
    return at + (present ? sizeof *hash : 0);
}

static uint64_t dice(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 20;
}

static void roll_NUM(uint64_t *state, uint64_t *value)
{
    *value = dice(state) % 3 == 0 ? 0 : (dice(state) << 20 ^ dice(state)) >> dice(state) % 64;
}

static void roll_TEXT(uint64_t *state, struct rqv_str *text)
{
    static const char bytes[] = "the bytes of some text";

    *text = (struct rqv_str){bytes, dice(state) % sizeof bytes};
}

#define roll_NAME roll_TEXT

static void roll_HASH(uint64_t *state, struct key_hash *hash)
{
    memset(hash, 0, sizeof *hash);
    if (dice(state) % 2)
        hash->bytes[dice(state) % sizeof hash->bytes] = (uint8_t)dice(state);
}

/* Fields of any size give the bytes of the plain encoding, or are refused where those do not fit. */
START_TEST(the_encoding_is_the_plain_one)
{
    static uint8_t plain[4096];
    uint64_t state = 1;

    for (unsigned round = 0; round < 20000; round++) {
        struct key_fields fields;
        struct key key;
        uint8_t *at = plain;

        sample(&fields);
        plain_host = &fields.host;
#define ROLL(group, name, kind)                                                                              \
    if (dice(&state) % 20 < round % 20)                                                                      \
        roll_##kind(&state, &fields.name);                                                                   \
    at = plain_##kind(at, &fields.name);
        KEY_FIELDS(ROLL)
#undef ROLL
        size_t len = (size_t)(at - plain);
        ck_assert_int_eq(key_encode(&fields, &key), len > KEY_MAX ? REQIVO_E_URL : 0);
        if (len <= KEY_MAX) {
            ck_assert_uint_eq(key.len, len);
            ck_assert_mem_eq(key.bytes, plain, len);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("key");

    UNIT_TCASE(s, "groups", rule_b1_k1_partition, rule_b1_k2_transport_requirement, rule_b1_k3_origin,
               rule_b1_k4_route, rule_b1_k5_proxy_chain, rule_b1_k6_tls_identity, rule_b1_k7_protocol,
               rule_b1_k8_bound_authentication, rule_b1_k9_local_binding, rule_b1_k10_address_policy,
               rule_b1_k11_generations);
    UNIT_TCASE(s, "encoding", all_flips_differ, equal_fields_equal_keys, pieces_do_not_run_together,
               numbers_are_whole, the_encoding_is_the_plain_one, the_largest_key_fits_and_more_is_refused);
    return s;
}

UNIT_MAIN(suite)
