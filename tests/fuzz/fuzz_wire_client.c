/* SPDX-License-Identifier: MIT */
/* fuzz_wire_client - the bytes that a hostile daemon writes; the oracle is wire_stream.c. */
#include "tests/fuzz/wire_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_stream_check(data, size, false);
    return 0;
}
