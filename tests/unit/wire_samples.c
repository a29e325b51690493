/* SPDX-License-Identifier: MIT */
/* wire_samples - the contract is in wire_samples.h. */
#include "tests/unit/wire_samples.h"

#include <reqivo/error.h>

#include <check.h>
#include <string.h>

/* clang-format off */
#define S(literal) {(literal), sizeof(literal) - 1}
#define H(frame, frame_flags, frame_id) .header = {.type = RQV_WIRE_##frame, .flags = (frame_flags), .id = (frame_id)}

#define LIBRARY_HELLO                                                                                                  \
    {H(HELLO, 0, 0), .hello = {.magic = RQV_WIRE_MAGIC, .version = 1, .version_min = 1, .caps = RQV_CAP_TRAILERS,      \
                               .credit = 1048576, .name = S("libreqivo-client/0.1.0")}}
#define DAEMON_HELLO                                                                                                   \
    {H(HELLO, 0, 0), .hello = {.magic = RQV_WIRE_MAGIC, .version = 1, .version_min = 1,                                \
                               .caps = RQV_CAP_TRAILERS | RQV_CAP_QUERY, .instance = 0x1122334455667788,               \
                               .credit = 1048576, .name = S("reqivod/0.1.0")}}
#define GET_REQUEST                                                                                                    \
    {H(REQUEST, RQV_FLAG_END, 1),                                                                                      \
     .request = {.flags = RQV_REQ_BEGUN | RQV_REQ_IDEMPOTENT, .timeout_ms = {0, 1000, 2000, 3000, RQV_TIMEOUT_NONE, 60000}, \
                 .method = S("GET"), .url = S("https://example.com/a?b=c"),                                            \
                 .fields = {2, {{S("accept"), S("*/*")}, {S("x-empty"), S("")}}}}}
/* clang-format on */

const struct wire_sample wire_samples[] = {
    {"first-flight", true, false, 2, {LIBRARY_HELLO, GET_REQUEST}},
    {"first-flight-answer", false, false, 1, {DAEMON_HELLO}},
    {"post-with-body",
     true,
     false,
     3,
     {
         {H(REQUEST, 0, 2), .request = {.flags = RQV_REQ_HAS_BODY | RQV_REQ_EXPECT,
                                        .body_length = 11,
                                        .trust_id = 7,
                                        .method = S("POST"),
                                        .url = S("http://[::1]:8080/"),
                                        .fields = {1, {{S("content-type"), S("text/plain")}}}}},
         {H(DATA, 0, 2), .data = S("hello ")},
         {H(DATA, RQV_FLAG_END, 2), .data = S("world")},
     }},
    {"small-response",
     false,
     false,
     3,
     {
         {H(RESPONSE, 0, 1),
          .response = {.status = 200,
                       .minor = 1,
                       .flags = RQV_RESP_REUSED,
                       .content_length = 3,
                       .time_us = {10, 0, 0, 0, 20, 300, 330},
                       .reason = S("OK"),
                       .address = S("192.0.2.1:443"),
                       .fields = {2, {{S("content-length"), S("3")}, {S("set-cookie"), S("a=b")}}}}},
         {H(DATA, 0, 1), .data = S("ok\n")},
         {H(DONE, 0, 1), .done = {.phase = REQIVO_PHASE_BODY,
                                  .sent = REQIVO_SENT_YES,
                                  .flags = RQV_RESP_REUSED,
                                  .time_us = {10, 0, 0, 0, 20, 300, 350},
                                  .body_bytes = 3,
                                  .address = S("192.0.2.1:443")}},
     }},
    {"error",
     false,
     false,
     1,
     {
         {H(DONE, 0, 9), .done = {.code = REQIVO_E_CONNECT,
                                  .sys_errno = 111,
                                  .phase = REQIVO_PHASE_CONNECT,
                                  .sent = REQIVO_SENT_NO,
                                  .time_us = {1, 2, 3, 0, 0, 0, 6},
                                  .detail = S("connection refused"),
                                  .address = S("[2001:db8::1]:443")}},
     }},
    {"goaway-with-ids",
     false,
     false,
     2,
     {
         {H(GOAWAY, RQV_FLAG_MORE, 0),
          .goaway = {.code = REQIVO_E_SHUTDOWN,
                     .detail = S("draining"),
                     .count = 2,
                     .ids = (const uint8_t *)"\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0"}},
         {H(GOAWAY, 0, 0), .goaway = {.code = REQIVO_E_SHUTDOWN,
                                      .count = 1,
                                      .ids = (const uint8_t *)"\x08\x07\x06\x05\x04\x03\x02\x01"}},
     }},
    {"trust-upload",
     true,
     false,
     3,
     {
         {H(TRUST, 0, 3), .bytes = 27},
         {H(DATA, 0, 3), .data = S("-----BEGIN CERT")},
         {H(DATA, RQV_FLAG_END, 3), .data = S("IFICATE-----")},
     }},
    {"redirect-up",
     true,
     false,
     2,
     {
         {H(REQUEST, RQV_FLAG_END, 2), .request = {.flags = RQV_REQ_DECODE | RQV_REQ_DOWNGRADE | RQV_REQ_ASK,
                                                   .session_id = 1,
                                                   .connection_id = 9,
                                                   .redirect_max = 30,
                                                   .tls_min = RQV_TLS_1_2,
                                                   .tls_max = RQV_TLS_1_3,
                                                   .method = S("GET"),
                                                   .url = S("https://a.example/"),
                                                   .fields = {1, {{S("accept"), S("*/*")}}}}},
         {H(PROCEED, RQV_FLAG_END, 2),
          .request = {.method = S("GET"), .url = S("https://b.example/x"), .route = S("127.0.0.1:8443")}},
     }},
    {"redirect-down",
     false,
     false,
     2,
     {
         {H(RESPONSE, RQV_FLAG_MORE, 2), .response = {.status = 302,
                                                      .minor = 1,
                                                      .content_length = 0,
                                                      .reason = S("Found"),
                                                      .fields = {1, {{S("location"), S("//b.example/x")}}}}},
         {H(HOP, 0, 2), .hop = {.flags = RQV_HOP_WAITS,
                                .method = S("GET"),
                                .url = S("https://b.example/x"),
                                .fields = {1, {{S("accept"), S("*/*")}}}}},
     }},
    {"operations",
     true,
     false,
     3,
     {
         {H(OPERATE, 0, 1), .operation = {.verb = RQV_OP_SESSION_OPEN}},
         {H(OPERATE, 0, 2),
          .operation = {.verb = RQV_OP_COOKIES_ADD,
                        .target = 1,
                        .head = {.fields = {1, {{S("cookie"), S("a.example\tFALSE\t/\tFALSE\t0\tn\tv")}}}}}},
         {H(OPERATE, 0, 3),
          .operation = {.verb = RQV_OP_POOL_PREWARM, .value = 4, .head = {.url = S("https://a.example/")}}},
     }},
    {"query",
     true,
     false,
     2,
     {{H(QUERY, 0, 4), .verb = RQV_QUERY_STATUS}, {H(QUERY, 0, 5), .verb = RQV_QUERY_POOLS}}},
    {"query-answer",
     false,
     false,
     3,
     {
         {H(INFO, 0, 5), .fields = {2, {{S("origin"), S("https://example.com")}, {S("idle"), S("1")}}}},
         {H(INFO, 0, 5), .fields = {0, {{S(""), S("")}}}},
         {H(DONE, 0, 5), .done = {.code = 0}},
     }},
    {"stream-up",
     true,
     false,
     4,
     {
         {H(REQUEST, 0, 6), .request = {.flags = RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED,
                                        .method = S("PUT"),
                                        .url = S("http://a/")}},
         {H(DATA, RQV_FLAG_END, 6), .data = S("")},
         {H(CREDIT, 0, 6), .bytes = 524288},
         {H(CANCEL, 0, 6)},
     }},
    {"stream-down",
     false,
     false,
     4,
     {
         {H(BEGUN, 0, 6)},
         {H(CREDIT, 0, 6), .bytes = RQV_WIRE_CREDIT_MAX},
         {H(RESPONSE, 0, 6), .response = {.status = 204, .minor = 1, .content_length = -1}},
         {H(TRAILERS, 0, 6), .fields = {1, {{S("x-sum"), S("\xff\x01")}}}},
     }},
    {"websocket-up",
     true,
     false,
     4,
     {
         {H(WS_OPEN, 0, 7), .ws_open = {.reconnect_max = 5,
                                        .flags = RQV_WS_DEFLATE,
                                        .timeout_ms = {0, 1000, 2000, 3000, RQV_TIMEOUT_NONE, 60000},
                                        .trust_id = 3,
                                        .message_max = 1048576,
                                        .ping_ms = 20000,
                                        .pong_ms = 10000,
                                        .idle_ms = 300000,
                                        .backoff_ms = 500,
                                        .backoff_max_ms = 30000,
                                        .url = S("wss://example.com/chat"),
                                        .fields = {1, {{S("sec-websocket-protocol"), S("chat")}}}}},
         {H(WS_DATA, RQV_FLAG_FIRST | RQV_FLAG_TEXT, 7), .data = S("hel")},
         {H(WS_DATA, RQV_FLAG_END | RQV_FLAG_TEXT, 7), .data = S("lo")},
         {H(WS_CLOSE, 0, 7), .ws_close = {.code = 1000, .reason = S("bye")}},
     }},
    {"websocket-down",
     false,
     false,
     6,
     {
         {H(WS_OPENED, 0, 7), .response = {.status = 101,
                                           .minor = 1,
                                           .content_length = -1,
                                           .time_us = {0, 1, 2, 3, 4, 5, 15},
                                           .reason = S("Switching Protocols"),
                                           .address = S("192.0.2.1:443"),
                                           .fields = {1, {{S("sec-websocket-protocol"), S("chat")}}}}},
         {H(WS_DATA, RQV_FLAG_FIRST | RQV_FLAG_END, 7), .data = S("\x00\xff")},
         {H(WS_EVENT, 0, 7), .ws_event = {.kind = RQV_WS_LOST,
                                          .undelivered = 2,
                                          .unconfirmed = 4,
                                          .code = REQIVO_E_RESET,
                                          .detail = S("reset")}},
         {H(WS_EVENT, 0, 7), .ws_event = {.kind = RQV_WS_RETRYING, .attempt = 1, .wait_ms = 517}},
         {H(WS_EVENT, 0, 7), .ws_event = {.kind = RQV_WS_ENDING}},
         {H(WS_CLOSE, 0, 7), .ws_close = {.code = 1001,
                                          .flags = RQV_WS_CLEAN,
                                          .undelivered = 1,
                                          .taken = 3,
                                          .unconfirmed = 5,
                                          .reason = S("going")}},
     }},
    {"newer-library", true, true, 2, {LIBRARY_HELLO, GET_REQUEST}},
    {"older-daemon",
     false,
     true,
     2,
     {
         {H(HELLO, 0, 0),
          .hello = {.magic = RQV_WIRE_MAGIC, .version = 1, .version_min = 1, .name = S("reqivod/0")}},
         {H(DONE, 0, 1), .done = {.code = REQIVO_E_URL, .detail = S("no scheme")}},
     }},
};

const size_t wire_samples_count = sizeof wire_samples / sizeof wire_samples[0];

void wire_sample_load(const struct wire_any *any, struct wire_bytes *ret_bytes)
{
    struct rqv_buf out;
    rqv_buf_init(&out, sizeof ret_bytes->at);
    ck_assert_int_eq(wire_any_encode(&out, any), 0);
    ret_bytes->len = rqv_buf_len(&out);
    memcpy(ret_bytes->at, rqv_buf_head(&out), ret_bytes->len);
    rqv_buf_done(&out);
}
