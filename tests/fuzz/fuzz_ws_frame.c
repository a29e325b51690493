/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ws_frame - frames off a hostile stream. First byte: bit 0 the role, bit 1 whether RSV1 is allowed.
 *
 * The promises: every event consumes; whole and byte by byte see the same heads, payload and failure; a head
 * that was accepted is encoded to the bytes it came from, since only the shortest form is accepted.
 */
#include "proto/ws_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t hash;
    size_t heads, bytes;
    bool failed;
};

static void require(bool kept)
{
    if (!kept)
        abort();
}

static void mix(struct seen *seen, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        seen->hash = (seen->hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211U;
}

static void read_piece(struct rqv_ws_frame_decoder *dec, uint8_t *in, size_t len, struct seen *seen)
{
    uint8_t head[RQV_WS_HEAD_MAX];
    struct rqv_ws_frame_event event;

    do {
        int r = rqv_ws_frame_decode(dec, in, len, &event);

        require(r == 0 || (r == -EPROTO && event.why && event.consumed == 0));
        if (r < 0) {
            seen->failed = true;
            return;
        }
        require(event.consumed <= len && (event.consumed > 0 || len == 0));
        if (event.type == RQV_WS_FRAME_HEAD) {
            size_t n = rqv_ws_head_encode(&dec->head, head);

            require(memcmp(head, dec->raw, n) == 0);
            mix(seen, head, n);
            seen->heads++;
        }
        if (event.type == RQV_WS_FRAME_PAYLOAD) {
            require(event.bytes == in && event.len == event.consumed && event.last == (dec->left == 0));
            mix(seen, event.bytes, event.len);
            seen->bytes += event.len;
        }
        in += event.consumed;
        len -= event.consumed;
    } while (event.type != RQV_WS_FRAME_NEED);
    require(len == 0);
}

static void read_all(uint8_t options, const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
    struct rqv_ws_frame_decoder dec;

    rqv_ws_frame_init(&dec, options & 1 ? RQV_WS_SERVER : RQV_WS_CLIENT, options & 2);
    *seen = (struct seen){0};
    for (size_t at = 0; at < size && !seen->failed; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(n);

        require(copy != NULL);
        memcpy(copy, data + at, n);
        read_piece(&dec, copy, n, seen);
        free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, bytes;

    if (size < 2)
        return 0;
    read_all(data[0], data + 1, size - 1, size, &whole);
    read_all(data[0], data + 1, size - 1, 1, &bytes);
    require(whole.failed == bytes.failed && whole.hash == bytes.hash);
    require(whole.heads == bytes.heads && whole.bytes == bytes.bytes);
    return 0;
}
