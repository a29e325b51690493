/* SPDX-License-Identifier: MIT */
/* The opening handshake: the proof, the request's fields, and every answer that must be refused. */
#include "common/base64.h"
#include "proto/ws_handshake.h"
#include "tests/unit/unit.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void digest_is(const char *text, size_t len, const char *hex)
{
    uint8_t digest[RQV_SHA1_LEN];
    char seen[2 * RQV_SHA1_LEN + 1];

    rqv_sha1(text, len, digest);
    for (size_t i = 0; i < RQV_SHA1_LEN; i++)
        snprintf(seen + 2 * i, 3, "%02x", digest[i]);
    ck_assert_str_eq(seen, hex);
}

START_TEST(test_sha1)
{
    char text[200];

    digest_is("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    digest_is("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    digest_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
              "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    memset(text, 'a', sizeof(text));
    digest_is(text, 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    digest_is(text, 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    digest_is(text, 63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    digest_is(text, 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    digest_is(text, 65, "11655326c708d70319be2610e8a57d9a5b959d3b");
}
END_TEST

START_TEST(test_base64_and_accept)
{
    static const char *const texts[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    char out[RQV_WS_ACCEPT_LEN];

    for (size_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(rqv_base64_encode((const uint8_t *)texts[i], i, out), strlen(coded[i]));
        ck_assert_mem_eq(out, coded[i], strlen(coded[i]));
    }
    rqv_ws_key((const uint8_t *)"the sample nonce", out);
    ck_assert_mem_eq(out, KEY, RQV_WS_KEY_LEN);
    rqv_ws_accept(KEY, out);
    ck_assert_mem_eq(out, ACCEPT, RQV_WS_ACCEPT_LEN);
}
END_TEST

/* ---- the request ----------------------------------------------------------------------------------------
 */

static void offer_init(struct rqv_ws_offer *offer, bool compression)
{
    *offer = (struct rqv_ws_offer){.compression = {.enabled = compression, .client_window_bits = 15}};
    memcpy(offer->key, KEY, RQV_WS_KEY_LEN);
}

#define HEAD "GET / HTTP/1.1\r\nHost: a\r\n"
#define OURS                                                                                                 \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r" \
    "\n"

static void writes(const struct rqv_ws_offer *offer, const char *want)
{
    char head[1024] = HEAD "\r\n";
    size_t used = strlen(head), size = strlen(want);

    ck_assert_int_eq(rqv_ws_offer_encode(offer, head, used, size - 1), REQIVO_E_LIMIT_HEAD);
    ck_assert_mem_eq(head, HEAD "\r\n", used);
    ck_assert_int_eq(rqv_ws_offer_encode(offer, head, used, size), (long)size);
    ck_assert_mem_eq(head, want, size);
}

START_TEST(test_offer_encode)
{
    static const struct rqv_str protocols[] = {{"chat", 4}, {"v2.soap", 7}};
    struct rqv_ws_offer offer;

    offer_init(&offer, false);
    writes(&offer, HEAD OURS "\r\n");
    offer.protocols = protocols;
    offer.protocol_count = 2;
    writes(&offer, HEAD OURS "Sec-WebSocket-Protocol: chat, v2.soap\r\n\r\n");
    offer.compression.enabled = true;
    writes(&offer, HEAD OURS "Sec-WebSocket-Protocol: chat, v2.soap\r\n"
                             "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n");
    offer.protocol_count = 0;
    offer.compression = (struct rqv_ws_compression){.enabled = true};
    writes(&offer, HEAD OURS "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    offer.compression = (struct rqv_ws_compression){true, true, true, 10, 9};
    writes(&offer, HEAD OURS
           "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
           "client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9\r\n\r\n");
}
END_TEST

START_TEST(test_offer_refused)
{
    static const struct rqv_str twice[] = {{"a", 1}, {"b", 1}, {"a", 1}}, no_token[] = {{"a b", 3}};
    char head[512] = HEAD "\r\n";
    struct rqv_ws_offer offer;

    offer_init(&offer, true);
    offer.protocols = twice;
    offer.protocol_count = 3;
    ck_assert_int_eq(rqv_ws_offer_encode(&offer, head, strlen(head), sizeof(head)), -EINVAL);
    offer.protocols = no_token;
    offer.protocol_count = 1;
    ck_assert_int_eq(rqv_ws_offer_encode(&offer, head, strlen(head), sizeof(head)), -EINVAL);
    offer.protocol_count = 0;
    ck_assert_int_eq(rqv_ws_offer_encode(&offer, head, strlen(head) - 1, sizeof(head)), -EINVAL);
    ck_assert_int_eq(rqv_ws_offer_encode(&offer, head, 1, sizeof(head)), -EINVAL);
    ck_assert_int_eq(rqv_ws_offer_encode(&offer, head, strlen(head), 3), -EINVAL);
    offer.compression.client_window_bits = 7;
    ck_assert_int_eq(rqv_ws_offer_encode(&offer, head, strlen(head), sizeof(head)), -EINVAL);
    offer.compression.client_window_bits = 0;
    offer.compression.server_window_bits = 16;
    ck_assert_int_eq(rqv_ws_offer_encode(&offer, head, strlen(head), sizeof(head)), -EINVAL);
}
END_TEST

START_TEST(test_fields_of_the_caller)
{
    static const char *const ours[] = {"Sec-WebSocket-Key",        "sec-websocket-accept",
                                       "SEC-WEBSOCKET-EXTENSIONS", "Sec-WebSocket-Protocol",
                                       "Sec-WebSocket-Version",    "Sec-WebSocket-"};
    struct rqv_fields fields = {0};
    size_t which = 9;

    ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("Origin"), RQV_STR("x")), 0);
    ck_assert_int_eq(rqv_fields_add(&fields, RQV_STR("Sec-WebSocke"), RQV_STR("x")), 0);
    ck_assert_int_eq(rqv_ws_fields_check(&fields, &which), 0);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        fields.at[1].name = rqv_str_from(ours[i]);
        ck_assert_int_eq(rqv_ws_fields_check(&fields, &which), REQIVO_E_FIELD);
        ck_assert_uint_eq(which, 1);
    }
}
END_TEST

/* ---- the answer -----------------------------------------------------------------------------------------
 */

/* "name: value\n..." behind the three fields that are right, or alone. */
static int answer(const struct rqv_ws_offer *offer, const char *lines, struct rqv_ws_agreed *ret_agreed)
{
    struct rqv_str rest = rqv_str_from(lines), line;
    struct rqv_fields fields = {0};
    const char *why = NULL;
    int r;

    while (rqv_str_split(&rest, '\n', &line)) {
        struct rqv_str name;

        if (line.len > 0 && rqv_str_split(&line, ':', &name))
            ck_assert_int_eq(rqv_fields_add(&fields, name, rqv_str_trim(line)), 0);
    }
    r = rqv_ws_answer_check(offer, 101, &fields, ret_agreed, &why);
    ck_assert(r == 0 ? !why : r == -EPROTO && why);
    return r;
}

#define UPGRADE    "Upgrade: websocket\n"
#define CONNECTION "Connection: Upgrade\n"
#define PROOF      "Sec-WebSocket-Accept: " ACCEPT "\n"
#define RIGHT      UPGRADE CONNECTION PROOF

START_TEST(rule_b5_answer_upgrade)
{
    static const char *const wrong[] = {
        "",
        CONNECTION PROOF,
        UPGRADE PROOF,
        UPGRADE CONNECTION,
        RIGHT UPGRADE,
        RIGHT PROOF,
        "Upgrade: websocket, h2c\n" CONNECTION PROOF,
        "Upgrade: websockets\n" CONNECTION PROOF,
        UPGRADE "Connection: close\n" PROOF,
        UPGRADE "Connection: upgraded\n" PROOF,
        UPGRADE CONNECTION "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n",
        UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\n",
        UPGRADE CONNECTION "Sec-WebSocket-Accept: " ACCEPT "x\n",
        UPGRADE CONNECTION "Sec-WebSocket-Accept:\n",
    };
    struct rqv_ws_agreed agreed;
    struct rqv_fields none = {0};
    struct rqv_ws_offer offer;
    const char *why = NULL;

    offer_init(&offer, false);
    ck_assert_int_eq(answer(&offer, RIGHT, &agreed), 0);
    ck_assert(!agreed.has_protocol && !agreed.compression.enabled);
    ck_assert_int_eq(answer(&offer, "upgrade: WebSocket\nconnection: keep-alive, UPGRADE\n" PROOF, &agreed),
                     0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(answer(&offer, wrong[i], &agreed) == -EPROTO, "%s", wrong[i]);
    ck_assert_int_eq(rqv_ws_answer_check(&offer, 200, &none, &agreed, &why), -EPROTO);
    ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(rule_b5_answer_subprotocol)
{
    static const struct rqv_str protocols[] = {{"chat", 4}, {"soap", 4}};
    struct rqv_ws_agreed agreed;
    struct rqv_ws_offer offer;

    offer_init(&offer, false);
    ck_assert_int_eq(answer(&offer, RIGHT "Sec-WebSocket-Protocol: chat\n", &agreed), -EPROTO);
    offer.protocols = protocols;
    offer.protocol_count = 2;
    ck_assert_int_eq(answer(&offer, RIGHT, &agreed), 0);
    ck_assert(!agreed.has_protocol);
    ck_assert_int_eq(answer(&offer, RIGHT "Sec-WebSocket-Protocol: soap\n", &agreed), 0);
    ck_assert(agreed.has_protocol);
    ck_assert_uint_eq(agreed.protocol, 1);
    ck_assert_int_eq(answer(&offer, RIGHT "Sec-WebSocket-Protocol: SOAP\n", &agreed), -EPROTO);
    ck_assert_int_eq(answer(&offer, RIGHT "Sec-WebSocket-Protocol: chat, soap\n", &agreed), -EPROTO);
    ck_assert_int_eq(answer(&offer, RIGHT "Sec-WebSocket-Protocol:\n", &agreed), -EPROTO);
    ck_assert_int_eq(
        answer(&offer, RIGHT "Sec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: soap\n", &agreed),
        -EPROTO);
}
END_TEST

static int extensions(const struct rqv_ws_offer *offer, const char *value, struct rqv_ws_agreed *ret_agreed)
{
    char lines[512];

    snprintf(lines, sizeof(lines), RIGHT "Sec-WebSocket-Extensions: %s\n", value);
    return answer(offer, lines, ret_agreed);
}

START_TEST(rule_b5_answer_extensions)
{
    static const char *const wrong[] = {
        "x-webkit-deflate-frame",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate, mux",
        "; server_no_context_takeover",
        "permessage-deflate; unknown",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; client_no_context_takeover=\"x\"",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=100",
        "permessage-deflate; server_max_window_bits=1a",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=0",
        "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9",
        "permessage-deflate; client_max_window_bits=\"9",
        "permessage-deflate; client_max_window_bits=\"\"",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate;",
        "permessage-deflate server_no_context_takeover",
        "permessage-deflate=1",
        "\"permessage-deflate\"",
    };
    struct rqv_ws_agreed agreed;
    struct rqv_ws_offer offer;

    offer_init(&offer, true);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(extensions(&offer, wrong[i], &agreed) == -EPROTO, "%s", wrong[i]);
    ck_assert_int_eq(
        answer(&offer,
               RIGHT
               "Sec-WebSocket-Extensions: permessage-deflate\nSec-WebSocket-Extensions: permessage-deflate\n",
               &agreed),
        -EPROTO);
    offer.compression.enabled = false;
    ck_assert_int_eq(extensions(&offer, "permessage-deflate", &agreed), -EPROTO);
    ck_assert_int_eq(extensions(&offer, " ,, ", &agreed), 0);
}
END_TEST

START_TEST(test_answer_compression)
{
    struct rqv_ws_agreed agreed;
    struct rqv_ws_compression *got = &agreed.compression;
    struct rqv_ws_offer offer;

    offer_init(&offer, true);
    ck_assert_int_eq(answer(&offer, RIGHT, &agreed), 0);
    ck_assert(!got->enabled);
    ck_assert_int_eq(extensions(&offer, ", Permessage-Deflate ,", &agreed), 0);
    ck_assert(got->enabled && !got->server_no_context_takeover && !got->client_no_context_takeover);
    ck_assert(got->server_window_bits == 15 && got->client_window_bits == 15);
    ck_assert_int_eq(
        extensions(&offer,
                   "permessage-deflate ; client_max_window_bits = 8;server_max_window_bits=\"12\"; "
                   "server_no_context_takeover;client_no_context_takeover",
                   &agreed),
        0);
    ck_assert(got->server_no_context_takeover && got->client_no_context_takeover);
    ck_assert(got->server_window_bits == 12 && got->client_window_bits == 8);
}
END_TEST

/* What was asked of the server must be granted, and no more may be taken than was offered. */
START_TEST(test_answer_to_demands)
{
    struct rqv_ws_agreed agreed;
    struct rqv_ws_offer offer;

    offer_init(&offer, true);
    offer.compression.server_no_context_takeover = true;
    ck_assert_int_eq(extensions(&offer, "permessage-deflate", &agreed), -EPROTO);
    ck_assert_int_eq(extensions(&offer, "permessage-deflate; server_no_context_takeover", &agreed), 0);
    offer_init(&offer, true);
    offer.compression.server_window_bits = 10;
    ck_assert_int_eq(extensions(&offer, "permessage-deflate", &agreed), -EPROTO);
    ck_assert_int_eq(extensions(&offer, "permessage-deflate; server_max_window_bits=11", &agreed), -EPROTO);
    ck_assert_int_eq(extensions(&offer, "permessage-deflate; server_max_window_bits=9", &agreed), 0);
    ck_assert_uint_eq(agreed.compression.server_window_bits, 9);
    offer_init(&offer, true);
    offer.compression.client_window_bits = 12;
    offer.compression.client_no_context_takeover = true;
    ck_assert_int_eq(extensions(&offer, "permessage-deflate; client_max_window_bits=13", &agreed), -EPROTO);
    ck_assert_int_eq(extensions(&offer, "permessage-deflate", &agreed), 0);
    ck_assert_uint_eq(agreed.compression.client_window_bits, 12);
    ck_assert(agreed.compression.client_no_context_takeover);
    offer.compression.client_window_bits = 0;
    ck_assert_int_eq(extensions(&offer, "permessage-deflate; client_max_window_bits=10", &agreed), -EPROTO);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("ws_handshake");

    UNIT_TCASE(s, "proof", test_sha1, test_base64_and_accept);
    UNIT_TCASE(s, "request", test_offer_encode, test_offer_refused, test_fields_of_the_caller);
    UNIT_TCASE(s, "answer", rule_b5_answer_upgrade, rule_b5_answer_subprotocol, rule_b5_answer_extensions,
               test_answer_compression, test_answer_to_demands);
    return s;
}

UNIT_MAIN(suite)
