/* SPDX-License-Identifier: MIT */
/*
 * wire_stream - frames off a hostile stream, until it is refused or used up. Each payload goes to its own
 * decoder and then to all the others, since a decoder may not depend on what the header promised. The
 * promises:
 * - progress: every frame consumes at least its header, and one byte less of it is no frame;
 * - views lie inside the payload; a refusal says why and changes nothing;
 * - decode, encode, decode gives the same; an encoder that lacks room leaves the buffer as it was.
 */
#include "tests/fuzz/wire_stream.h"

#include "tests/lib/wire_any.h"

#include <reqivo/error.h>

#include <stdlib.h>
#include <string.h>

enum { SLACK = 64 }; /* more than any fixed part: what a frame may grow by when it is encoded again */

static void require(bool kept)
{
    if (!kept)
        abort();
}

static void check_no_room(const struct wire_any *any, size_t size)
{
    struct rqv_buf out;
    rqv_buf_init(&out, size - 1);
    require(wire_any_encode(&out, any) == REQIVO_E_LIMIT_MEMORY);
    require(rqv_buf_len(&out) == 0);
    rqv_buf_done(&out);
}

static void check_again(const struct wire_any *any, size_t payload_len)
{
    static struct wire_any again;
    const char *why = NULL;
    struct rqv_buf out;
    rqv_buf_init(&out, RQV_WIRE_HEADER + RQV_WIRE_PAYLOAD_MAX);
    int r = wire_any_encode(&out, any);
    if (r < 0) {
        require(r == REQIVO_E_LIMIT_HEAD && payload_len > RQV_WIRE_HEAD_MAX - SLACK &&
                rqv_buf_len(&out) == 0);
    } else {
        size_t size = rqv_buf_len(&out);
        again.header = any->header;
        struct rqv_str payload = {(const char *)rqv_buf_head(&out) + RQV_WIRE_HEADER, size - RQV_WIRE_HEADER};
        require(wire_any_decode(payload, &again, &why) == 0);
        require(wire_any_equal(any, &again));
        check_no_room(any, size);
    }
    rqv_buf_done(&out);
}

/* Byte by byte: padding counts too, nothing at all may have been written. */
static bool unchanged(const void *now, const void *before, size_t size)
{
    return memcmp(now, before, size) == 0;
}

static void check_payload(const struct rqv_frame_header *header, struct rqv_str payload)
{
    static struct wire_any any, before;
    const char *why = NULL;
    memset(&before, 0x5a, sizeof before);
    before.header = *header;
    memcpy(&any, &before, sizeof any);
    int r = wire_any_decode(payload, &any, &why);
    if (r < 0) {
        require(r == REQIVO_E_WIRE && why && unchanged(&any, &before, sizeof any));
        return;
    }
    require(!why && wire_any_inside(&any, payload));
    if (header->type == RQV_WIRE_HELLO) {
        int version = rqv_wire_version(&any.hello);
        require(version == REQIVO_E_VERSION ||
                (version >= any.hello.version_min && version <= any.hello.version));
    }
    check_again(&any, payload.len);
}

static void check_frame(const struct rqv_frame_header *header, struct rqv_str payload)
{
    struct rqv_frame_header other = *header;
    check_payload(header, payload);
    for (other.type = RQV_WIRE_HELLO; other.type <= RQV_WIRE_OPERATE; other.type++) {
        other.flags = other.type == RQV_WIRE_DATA || other.type == RQV_WIRE_WS_DATA ? RQV_FLAG_END : 0;
        if (other.type != header->type)
            check_payload(&other, payload);
    }
}

void wire_stream_check(const uint8_t *data, size_t size, bool from_library)
{
    while (size > 0) {
        struct rqv_frame_header header, cut;
        const char *why = NULL;
        int r = rqv_wire_next(data, size, from_library, &header, &why);
        require(r == 1 || (r == 0 && !why) || (r == REQIVO_E_WIRE && why));
        if (r <= 0)
            return;
        size_t used = RQV_WIRE_HEADER + header.length;
        require(used <= size && header.length <= RQV_WIRE_PAYLOAD_MAX);
        require(rqv_wire_type_name(header.type)[0] != '?');
        require(rqv_wire_next(data, used - 1, from_library, &cut, &why) == 0);
        struct rqv_str payload = {(const char *)data + RQV_WIRE_HEADER, header.length};
        check_frame(&header, payload);
        data += used;
        size -= used;
    }
}
