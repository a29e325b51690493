/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ws_handshake - a hostile server's answer. First byte, what was offered: bit 0 compression, bit 1 and 2
 * its demands, bit 3 a window of the client, bit 4 subprotocols, bit 5 with a window of 12 and 10. Then lines
 * "name:value",
 * "@" for a value means the right accept key.
 *
 * The promises: what is agreed on was offered and lies in its range; a refusal says why; the offer is written
 * whole or not at all.
 */
#include "proto/ws_handshake.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool kept)
{
    if (!kept)
        abort();
}

static void write_offer(const struct rqv_ws_offer *offer, size_t cut)
{
    char head[600] = "GET / HTTP/1.1\r\n\r\n";
    long n = rqv_ws_offer_encode(offer, head, 18, 18 + cut);

    require(n > 18 || n == REQIVO_E_LIMIT_HEAD);
    if (n < 0) {
        require(memcmp(head, "GET / HTTP/1.1\r\n\r\n", 18) == 0);
        n = rqv_ws_offer_encode(offer, head, 18, sizeof(head));
        require(n > 18);
    }
    require(memcmp(head + n - 4, "\r\n\r\n", 4) == 0);
    require(rqv_ws_offer_encode(offer, head, 3, sizeof(head)) == -EINVAL);
}

static void check_answer(const struct rqv_ws_offer *offer, const struct rqv_fields *fields)
{
    struct rqv_ws_agreed agreed;
    const char *why = NULL;
    int r = rqv_ws_answer_check(offer, 101, fields, &agreed, &why);

    require(r == 0 || (r == -EPROTO && why));
    require(rqv_ws_answer_check(offer, 200, fields, &agreed, &why) == -EPROTO);
    if (r < 0)
        return;
    require(!agreed.has_protocol || agreed.protocol < offer->protocol_count);
    if (!agreed.compression.enabled)
        return;
    require(offer->compression.enabled);
    require(agreed.compression.server_window_bits >= 8 && agreed.compression.server_window_bits <= 15);
    require(agreed.compression.client_window_bits >= 8 && agreed.compression.client_window_bits <= 15);
    require(!offer->compression.server_no_context_takeover || agreed.compression.server_no_context_takeover);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rqv_str protocols[] = {{"chat", 4}, {"soap", 4}};
    struct rqv_ws_offer offer = {.protocols = protocols};
    struct rqv_fields fields = {0};
    struct rqv_str rest, line;
    char accept[RQV_WS_ACCEPT_LEN];
    size_t which;

    if (size < 1)
        return 0;
    rqv_ws_key((const uint8_t *)"sixteen bytes...", offer.key);
    rqv_ws_accept(offer.key, accept);
    offer.compression.enabled = data[0] & 1;
    offer.compression.server_no_context_takeover = data[0] & 2;
    offer.compression.client_no_context_takeover = data[0] & 4;
    offer.compression.client_window_bits = data[0] & 8 ? 15 : 0;
    offer.protocol_count = data[0] & 16 ? 2 : 0;
    if (data[0] & 32) {
        offer.compression.client_window_bits = 12;
        offer.compression.server_window_bits = data[0] & 64 ? 9 : 10;
    }
    rest = (struct rqv_str){(const char *)data + 1, size - 1};
    while (rqv_str_split(&rest, '\n', &line)) {
        struct rqv_str name = {0};

        if (!rqv_str_split(&line, ':', &name) || !line.ptr)
            continue;
        if (rqv_str_eq(line, RQV_STR("@")))
            line = (struct rqv_str){accept, sizeof(accept)};
        if (rqv_fields_add(&fields, name, line) < 0)
            break;
    }
    check_answer(&offer, &fields);
    (void)rqv_ws_fields_check(&fields, &which);
    write_offer(&offer, size % 400);
    return 0;
}
