/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ws_message - a hostile end of a session, then an honest one. First byte, options: bit 0 the role, bit
 * 1 compression, bit 2 small limits, bit 3 a text, bit 4 with flushes. Second byte: sizes of pieces, frames
 * and room.
 *
 * The promises: whole and in pieces give the same messages or the same failure; what we send, the other end
 * receives as it was; a text that is not UTF-8 does not leave.
 */
#include "tests/lib/ws_run.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void receive(uint8_t options, size_t step, const uint8_t *data, size_t size)
{
    struct rqv_ws_limits limits = {.message_max = 300, .overhead_base = 20, .overhead_percent = 25};
    struct rqv_ws_inflate_params inflate = {
        .window_bits = 15, .message_max = 1 << 20, .ratio_floor = 1000, .ratio_max = 100};
    struct ws_run run = {.bytes = data, .len = size, .scratch = RQV_WS_FLOW_MIN + step};
    struct ws_result whole, pieces, bytes;

    run.role = options & 1 ? RQV_WS_SERVER : RQV_WS_CLIENT;
    run.inflate = options & 2 ? &inflate : NULL;
    run.limits = options & 4 ? &limits : NULL;
    ws_run(&run, &whole);
    run.cut = WS_CUT_EVERY;
    run.at = step + 1;
    ws_run(&run, &pieces);
    run.at = 1;
    ws_run(&run, &bytes);
    ws_require(whole.error == pieces.error && whole.code == pieces.code && whole.messages == pieces.messages);
    ws_require(whole.error == bytes.error && whole.code == bytes.code && whole.messages == bytes.messages);
    ws_require(whole.error || (whole.hash == pieces.hash && whole.hash == bytes.hash));
}

/* Sends everything as one message, a ping in its middle and a close frame behind it; false when it was
 * refused. */
static bool send_all(struct rqv_ws_sender *tx, struct rqv_ws_piece *piece, size_t step, struct rqv_buf *wire)
{
    const uint8_t *data = piece->bytes;
    size_t size = piece->len, at = 0;
    struct rqv_ws_closing closing = {.code = 1000, .reason = {(const char *)data, size < 9 ? size : 9}};
    struct rqv_ws_sent sent = {0};

    do {
        int r;

        piece->bytes = data + at;
        piece->len = size - at < step ? size - at : step;
        piece->last = at + piece->len == size;
        piece->mask[at % 4]++;
        r = rqv_ws_send(tx, piece, wire, &sent);
        if (r < 0) {
            ws_require(r == -EILSEQ && piece->opcode == RQV_WS_TEXT);
            return false;
        }
        ws_require(sent.consumed <= piece->len && (sent.consumed > 0 || sent.done || sent.framed));
        at += sent.consumed;
        if (at == size / 2)
            ws_require(rqv_ws_send_control(tx, RQV_WS_PING, RQV_STR("p"), piece->mask, wire) == 0);
    } while (!sent.done || !piece->last);
    if (rqv_ws_send_close(tx, &closing, wire) < 0) {
        closing = (struct rqv_ws_closing){.code = RQV_WS_CLOSE_NO_STATUS};
        ws_require(rqv_ws_send_close(tx, &closing, wire) == 0);
    }
    return true;
}

static void send_and_receive(uint8_t options, size_t step, const uint8_t *data, size_t size)
{
    uint8_t scratch[RQV_WS_FLOW_MIN + 256];
    struct rqv_ws_deflate_params deflate = {.window_bits = 9, .memory_level = 1};
    struct rqv_ws_inflate_params inflate = {.window_bits = 9, .message_max = UINT64_MAX};
    struct rqv_ws_sender_params params = {.role = options & 1 ? RQV_WS_CLIENT : RQV_WS_SERVER,
                                          .frame_max = step + 1};
    struct rqv_ws_limits limits = {.message_max = UINT64_MAX, .overhead_base = UINT64_MAX / 2};
    struct ws_run run = {.role = options & 1 ? RQV_WS_SERVER : RQV_WS_CLIENT, .limits = &limits};
    struct rqv_ws_piece piece = {.bytes = data, .len = size, .compress = true};
    struct rqv_ws_sender tx;
    struct ws_result result;
    struct rqv_buf wire;

    piece.opcode = options & 8 ? RQV_WS_TEXT : RQV_WS_BINARY;
    piece.flush = options & 16;
    params.scratch = scratch;
    params.scratch_size = RQV_WS_FLOW_MIN + step;
    if (options & 2) {
        ws_require(rqv_ws_deflate_new(&deflate, &params.deflate) == 0);
        run.inflate = &inflate;
    }
    rqv_buf_init(&wire, 1 << 28);
    rqv_ws_sender_init(&tx, &params);
    if (send_all(&tx, &piece, step * 2 + 1, &wire)) {
        run.bytes = rqv_buf_head(&wire);
        run.len = rqv_buf_len(&wire);
        run.cut = WS_CUT_EVERY;
        run.at = step + 2;
        ws_run(&run, &result);
        ws_require(result.error == 0 && result.messages == 1 && result.closes == 1);
        ws_require(result.opcode == piece.opcode);
    }
    rqv_ws_deflate_free(params.deflate);
    rqv_buf_done(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    receive(data[0], data[1], data + 2, size - 2);
    send_and_receive(data[0], data[1], data + 2, size - 2);
    return 0;
}
