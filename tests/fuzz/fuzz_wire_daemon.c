/* SPDX-License-Identifier: MIT */
/* fuzz_wire_daemon - the bytes that a hostile library writes; the oracle is wire_stream.c. */
#include "tests/fuzz/wire_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_stream_check(data, size, true);
    return 0;
}
