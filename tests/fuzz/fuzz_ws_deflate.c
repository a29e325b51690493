/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ws_deflate - hostile compressed payload, then anything at all compressed and expanded again. First
 * byte: bits 0..2 the window less 8, bit 3 no context takeover, bit 4 tight limits, bit 5 flushes, bits 6..7
 * the memory level. Second byte: room less 64. Messages end at each 0xfe 0xfe.
 *
 * The promises: no step gives more than its room; rooms and pieces do not change what comes out; a failure
 * stays; limits hold; what is compressed expands to itself.
 */
#include "proto/ws_deflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool kept)
{
    if (!kept)
        abort();
}

struct seen {
    uint64_t hash, bytes;
    int error;
};

static void mix(struct seen *seen, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        seen->hash = (seen->hash ^ bytes[i]) * 1099511628211U;
    seen->bytes += len;
}

/* One message, or what there is of it, in pieces; false when it failed. */
static bool expand(struct rqv_ws_inflate *inf, const uint8_t *in, size_t len, size_t step[2],
                   struct seen *seen)
{
    size_t at = 0;
    struct rqv_ws_flow flow;
    uint8_t *room = malloc(step[1]);

    require(room != NULL);
    do {
        size_t n = len - at < step[0] ? len - at : step[0];
        int r;

        flow = (struct rqv_ws_flow){
            .in = in + at, .in_len = n, .last = at + n == len, .out = room, .out_size = step[1]};
        r = rqv_ws_inflate_step(inf, &flow);
        if (r < 0) {
            require((r == -EILSEQ || r == -EMSGSIZE) && flow.why);
            require(rqv_ws_inflate_step(inf, &flow) == r);
            seen->error = r;
            break;
        }
        require(flow.consumed <= n && flow.produced <= step[1]);
        require(flow.done || flow.consumed > 0 || flow.produced > 0);
        mix(seen, room, flow.produced);
        at += flow.consumed;
    } while (!flow.done || !flow.last);
    free(room);
    return seen->error == 0;
}

/* The length of the message at the front; what separates it from the next is skipped by the caller. */
static size_t message_len(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++)
        if (data[i] == 0xfe && data[i + 1] == 0xfe)
            return i;
    return size;
}

static void expand_all(const struct rqv_ws_inflate_params *params, const uint8_t *data, size_t size,
                       size_t step[2], struct seen *seen)
{
    struct rqv_ws_inflate *inf;
    bool going = true;

    *seen = (struct seen){0};
    require(rqv_ws_inflate_new(params, &inf) == 0);
    while (going) {
        size_t len = message_len(data, size);

        going = expand(inf, data, len, step, seen) && len < size;
        if (going) {
            data += len + 2;
            size -= len + 2;
        }
    }
    rqv_ws_inflate_free(inf);
}

static void round_trip(const struct rqv_ws_deflate_params *params, bool flush, const uint8_t *data,
                       size_t size, size_t room_size)
{
    struct rqv_ws_inflate_params back = {.window_bits = params->window_bits,
                                         .no_context_takeover = params->no_context_takeover,
                                         .message_max = UINT64_MAX};
    struct seen want = {0}, got = {0};
    struct rqv_ws_deflate *def;
    struct rqv_ws_inflate *inf;
    uint8_t *packed = malloc(size * 12 + 1024), *room = malloc(room_size);

    require(packed && room);
    require(rqv_ws_deflate_new(params, &def) == 0 && rqv_ws_inflate_new(&back, &inf) == 0);
    require(rqv_ws_deflate_memory(params) > 1000 && rqv_ws_inflate_memory(&back) > 512);
    for (size_t i = 0; i < 3; i++) { /* a message, an empty one, the message again */
        size_t len = i == 1 ? 0 : size, at = 0, used = 0, step[2] = {room_size, room_size};
        struct rqv_ws_flow flow;

        do {
            size_t n = len - at < 100 ? len - at : 100;

            flow = (struct rqv_ws_flow){.in = data + at,
                                        .in_len = n,
                                        .last = at + n == len,
                                        .flush = flush,
                                        .out = room,
                                        .out_size = room_size};
            require(rqv_ws_deflate_step(def, &flow) == 0 && flow.produced <= room_size && flow.consumed <= n);
            require(used + flow.produced <= size * 12 + 1024);
            memcpy(packed + used, room, flow.produced);
            used += flow.produced;
            at += flow.consumed;
        } while (!flow.done || !flow.last);
        mix(&want, data, len);
        require(expand(inf, packed, used, step, &got));
    }
    require(want.hash == got.hash && want.bytes == got.bytes);
    rqv_ws_deflate_free(def);
    rqv_ws_inflate_free(inf);
    free(packed);
    free(room);
}

static void refuse_nonsense(uint8_t options)
{
    struct rqv_ws_deflate_params def = {.window_bits = options & 1 ? 7 : 15, .level = options & 1 ? 0 : 11};
    struct rqv_ws_inflate_params inf;
    struct rqv_ws_deflate *deflate = NULL;
    struct rqv_ws_inflate *inflate = NULL;
    struct rqv_ws_flow flow = {0};

    rqv_ws_inflate_params_default(&inf);
    require(rqv_ws_deflate_new(&def, &deflate) == -EINVAL && !deflate);
    require(rqv_ws_inflate_new(&inf, &inflate) == 0);
    require(rqv_ws_inflate_step(inflate, &flow) == -EINVAL);
    rqv_ws_inflate_free(inflate);
    inflate = NULL;
    inf.window_bits = 16;
    require(rqv_ws_inflate_new(&inf, &inflate) == -EINVAL && !inflate);
    rqv_ws_deflate_free(deflate);
    rqv_ws_inflate_free(inflate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rqv_ws_inflate_params inf = {.message_max = 1 << 20, .ratio_floor = 100000, .ratio_max = 500};
    struct rqv_ws_deflate_params def = {0};
    size_t whole_step[2] = {SIZE_MAX, 65536}, step[2] = {1, RQV_WS_FLOW_MIN};
    struct seen whole, pieces;

    if (size < 2 || size > 65536)
        return 0;
    def.window_bits = inf.window_bits = 8 + (data[0] & 7);
    def.no_context_takeover = inf.no_context_takeover = data[0] & 8;
    def.memory_level = data[0] >> 6;
    if (data[0] & 16)
        inf.message_max = 2000;
    step[1] += data[1];
    expand_all(&inf, data + 2, size - 2, whole_step, &whole);
    expand_all(&inf, data + 2, size - 2, step, &pieces);
    require((whole.error == 0) == (pieces.error == 0));
    require(whole.error || (whole.hash == pieces.hash && whole.bytes == pieces.bytes));
    round_trip(&def, data[0] & 32, data + 2, size - 2, step[1]);
    refuse_nonsense(data[0]);
    return 0;
}
